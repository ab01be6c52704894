package train

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/nlp/pairs"
)

func fit(t *testing.T, o Options) ([]byte, *Report) {
	t.Helper()
	m, r, err := Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), r
}

// TestSameRowsSameBytes: the same rows and seed give the same model, another seed another.
func TestSameRowsSameBytes(t *testing.T) {
	a, r := fit(t, Options{Seed: 1, limit: 300})
	b, _ := fit(t, Options{Seed: 1, limit: 300})
	if !bytes.Equal(a, b) {
		t.Error("two trainings on the same rows differ")
	}
	if c, _ := fit(t, Options{Seed: 2, limit: 300}); bytes.Equal(a, c) {
		t.Error("the seed changes nothing")
	}
	m, err := linear.Read(bytes.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	if meta := m.Meta(); meta.Data != r.Data || meta.Sources[own] != 300 || len(r.Missing) == 0 {
		t.Errorf("metadata %+v of report %+v", meta, r)
	}
}

func writeRows(t *testing.T, path string, rows ...data.Row) {
	t.Helper()
	var b bytes.Buffer
	for _, r := range rows {
		if err := json.NewEncoder(&b).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNearCopiesOfPairsNeverTrain: a member of a minimal pair, whole or inside a longer row, is refused and counted.
func TestNearCopiesOfPairsNeverTrain(t *testing.T) {
	dir := t.TempDir()
	p := pairs.All()[0]
	writeRows(t, filepath.Join(dir, "gold/trainable.jsonl"),
		data.Row{Role: "customer", Text: p.A.Text, Emotion: "satisfied", Polarity: "positive"},
		data.Row{Role: "customer", Text: "跟你们说，" + p.B.Text + "，就这样", Emotion: "neutral", Polarity: "negative"},
		data.Row{Role: "customer", Text: "窗户旁边的绿植今天浇过水了", Emotion: "neutral", Polarity: "neutral"})
	rows, r, err := load(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Refused["trainable"] != 2 || r.Rows["trainable"] != 1 {
		t.Errorf("refused %v, taken %v of three rows, two of them copies", r.Refused, r.Rows)
	}
	for _, x := range rows {
		if pairs.TooClose(x.in.Norm) {
			t.Errorf("%q trains and is a near copy of a pair", x.in.Norm)
		}
	}
	if missing := strings.Join(r.Missing, " "); !strings.Contains(missing, "waimai") || !strings.Contains(missing, "smp2020") {
		t.Errorf("missing sources are not named: %q", missing)
	}
}

// TestHeldRowsNeverTrain: of sets with weak labels the held tenth stays out.
func TestHeldRowsNeverTrain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data/waimai_10k/dev.jsonl")
	var b strings.Builder
	for i := range 200 {
		b.WriteString(`{"text":"` + strings.Repeat("这份饭好吃", 1+i%7) + string(rune('一'+i)) + `","sentiment":"positive"}` + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, r, err := load(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Held["waimai_10k"] == 0 || r.Held["waimai_10k"]+r.Rows["waimai_10k"] != 200 {
		t.Errorf("held %d and taken %d of 200", r.Held["waimai_10k"], r.Rows["waimai_10k"])
	}
	for _, x := range rows {
		if x.gold == nil && data.Held(x.in.Norm) {
			t.Errorf("%q is held and trains", x.in.Norm)
		}
	}
}

func TestWrongRowsAreNamed(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "data/waimai_10k/dev.jsonl"), data.Row{Text: "没有标签"})
	if _, _, err := load(dir, 0); err == nil || !strings.Contains(err.Error(), "row 1") {
		t.Errorf("error %v, want one that names the row", err)
	}
}
