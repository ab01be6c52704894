package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hardTexts are what customers, speech recognition and broken exports send.
func hardTexts() []string {
	million := func(s string) string { return strings.Repeat(s, 1<<20/len(s)) }
	return []string{
		"", " ", "\t\n", "？", "...", "a", "😀", "👨‍👩‍👧‍👦太慢了🇨🇳😡", "[微笑][微笑]", "[", "]]][[[", "\x00面膜\x00太贵", "面膜\u202e太贵", "\ufeff快递慢", "ＡＢＣ１２３", "質量太差，退錢",
		"the delivery is too slow 太慢了 とても遅い 너무 느려요 очень медленно", "我電話是１３８００１３８０００，快递太慢", "面膜太硬了,用起来不舒服", strings.Repeat("\u0301", 50), "e\u0301le\u0301gant 但是太贵",
		million("面膜太硬了，用起来不舒服。"), million("a"), million("😡"), million("快"), million(" "), million("13800138000 "), million("不"), million("(["), million("退款！"),
	}
}

// TestNLPCommandsOnHardTexts: one line out for each line in, whatever the text, with offsets that point into it, and in
// a time that grows with the length only.
func TestNLPCommandsOnHardTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and nothing for the race detector runs in it that other tests do not run")
	}
	texts := hardTexts()
	dir := t.TempDir()
	f := func(command string, check func(text string, line map[string]json.RawMessage)) {
		t.Helper()
		var in bytes.Buffer
		for i, x := range texts {
			m := map[string]any{"id": i, "role": "customer", "text": x, "a": x, "b": "面膜太贵", "context": []string{"agent: 您好", x}}
			if err := json.NewEncoder(&in).Encode(m); err != nil {
				t.Fatal(err)
			}
		}
		from := time.Now()
		out, stderr, code := tingke(t, in.String(), "nlp", command, "--dir", dir)
		if code != 0 {
			t.Fatalf("nlp %s: code %d: %.300s", command, code, stderr)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != len(texts) {
			t.Fatalf("nlp %s: %d lines for %d", command, len(lines), len(texts))
		}
		for i, l := range lines {
			var m map[string]json.RawMessage
			if err := json.Unmarshal([]byte(l), &m); err != nil || string(m["id"]) != string(mustJSON(t, i)) {
				t.Fatalf("nlp %s, text %d: %v, id %s", command, i, err, m["id"])
			}
			check(texts[i], m)
		}
		t.Logf("nlp %s: %v", command, time.Since(from).Round(time.Millisecond))
	}
	field := func(m map[string]json.RawMessage, key string, to any) {
		t.Helper()
		if err := json.Unmarshal(m[key], to); err != nil {
			t.Fatalf("%s: %v in %.200s", key, err, m[key])
		}
	}
	inside := func(what, text string, start, end int) {
		t.Helper()
		if start < 0 || end < start || end > len(text) || start < len(text) && !utf8.RuneStart(text[start]) || end < len(text) && !utf8.RuneStart(text[end]) {
			t.Fatalf("%s: [%d, %d) cuts %.60q of %d bytes", what, start, end, text, len(text))
		}
	}
	f("segment", func(text string, m map[string]json.RawMessage) {
		var words []string
		field(m, "words", &words)
		rest := text
		for _, w := range words {
			i := strings.Index(rest, w)
			if i < 0 || w == "" {
				t.Fatalf("segment: the word %q is not the next in %.60q", w, rest)
			}
			rest = rest[i+len(w):]
		}
	})
	f("emotion", func(text string, m map[string]json.RawMessage) {
		var scores map[string]float64
		field(m, "scores", &scores)
		sum, best := 0.0, ""
		for k, v := range scores {
			sum += v
			if best == "" || v > scores[best] {
				best = k
			}
		}
		var emotion string
		field(m, "emotion", &emotion)
		if len(scores) != 13 || sum < .998 || sum > 1.002 || scores[emotion] != scores[best] {
			t.Fatalf("emotion of %.60q: %s of %v, sum %v", text, emotion, scores, sum)
		}
		var polarity float64
		var class string
		field(m, "polarity", &polarity)
		field(m, "polarity_class", &class)
		if polarity < -1 || polarity > 1 || class == "negative" && polarity > 0 || class == "positive" && polarity < 0 {
			t.Fatalf("polarity of %.60q: %v is %s", text, polarity, class)
		}
	})
	f("mentions", func(text string, m map[string]json.RawMessage) {
		var mentions []struct {
			Text       string
			Start, End int
		}
		field(m, "mentions", &mentions)
		last := 0
		for _, x := range mentions {
			inside("mentions", text, x.Start, x.End)
			if text[x.Start:x.End] != x.Text || x.Start < last {
				t.Fatalf("mention %.60q at [%d, %d) of %.60q", x.Text, x.Start, x.End, text)
			}
			last = x.End
		}
	})
	f("mask", func(text string, m map[string]json.RawMessage) {
		var masked string
		field(m, "text", &masked)
		var entities []struct {
			Type       string
			Start, End int
		}
		field(m, "entities", &entities)
		for _, e := range entities {
			inside("mask", masked, e.Start, e.End)
		}
		if strings.Contains(masked, "13800138000") {
			t.Fatalf("a number is left in %.60q", masked)
		}
	})
	f("similarity", func(text string, m map[string]json.RawMessage) {
		var score float64
		field(m, "score", &score)
		if score < -1.0001 || score > 1.0001 {
			t.Fatalf("similarity of %.60q: %v", text, score)
		}
	})
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
