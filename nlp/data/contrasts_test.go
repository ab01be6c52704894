package data

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/schemas"
)

func TestContrasts(t *testing.T) {
	rows, err := Contrasts()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Contrasts()
	if !reflect.DeepEqual(rows, again) {
		t.Error("the same patterns give other rows")
	}
	close := 0
	seen := map[string]string{}
	for _, r := range rows {
		if _, ok := schemas.ParseEmotion(r.Emotion); !ok && r.Emotion != "" {
			t.Errorf("row %s: emotion %q", r.ID, r.Emotion)
		}
		if p := r.Polarity; p != "" && p != schemas.Positive && p != schemas.Negative && p != schemas.NeutralPolarity {
			t.Errorf("row %s: polarity %q", r.ID, p)
		}
		if r.Role != "customer" && r.Role != "agent" || strings.ContainsAny(r.Text, "{}|$") {
			t.Errorf("row %s: role %q, text %q", r.ID, r.Role, r.Text)
		}
		key := fmt.Sprint(r.Role, r.Context, r.Text)
		if l := r.Emotion + "/" + r.Polarity; seen[key] != "" && seen[key] != l {
			t.Errorf("row %s: %q is %s and %s", r.ID, r.Text, seen[key], l)
		} else {
			seen[key] = l
		}
		if pairs.TooClose(r.Text) {
			close++
		}
	}
	// They never train; many of them would mean that the patterns were written after the pairs' own sentences.
	if share := float64(close) / float64(len(rows)); share > 0.01 {
		t.Errorf("%.3f of %d rows are near copies of minimal pairs", share, len(rows))
	}
}

func TestParseContrasts(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		rows, err := parseContrasts(text)
		got := make([]string, len(rows))
		for i, r := range rows {
			got[i] = strings.Join(append(r.Context, r.Text), "/") + "=" + r.Emotion + r.Polarity
		}
		if err != nil || len(got) != len(want) {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(got, " "), w) {
				t.Errorf("%v, want %s", got, w)
			}
		}
	}
	f("# only this\n\n")
	f("customer angry negative: {甲|乙}丙", "甲丙=angrynegative", "乙丙=angrynegative")
	f("$a = 一 | 二\n[1] agent - -: $a", "=")
	f("customer neutral -  < agent: 问 : 答", "agent: 问/答=neutral")
	for text, want := range map[string]string{
		"customer angry": "line 1", "\ncustomer angry negative: $none": "no list $none", "customer a b: {x": "{ without }", "$x": "without =",
	} {
		if _, err := parseContrasts(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
