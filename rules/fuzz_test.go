package rules

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// hostileFeatures makes a session and features out of a text and a seed: features that fit their turns, nearly fit, or do not fit
// at all; spans and offsets out of order, outside the text or inside a character; numbers that are none.
func hostileFeatures(text string, seed uint64) (*schemas.Transcript, *schemas.Features) {
	rng := rand.New(rand.NewPCG(seed, 23))
	odd := func(n int) int {
		switch rng.IntN(8) {
		case 0:
			return -1 - rng.IntN(3)
		case 1:
			return n + rng.IntN(5)
		case 2:
			return math.MaxInt32
		}
		return rng.IntN(n + 1)
	}
	value := func() float32 {
		return []float32{0, 1, -1, 0.4, float32(math.NaN()), float32(math.Inf(1)), -3e38}[rng.IntN(7)]
	}
	t := &schemas.Transcript{Closed: rng.IntN(2) == 0, Meta: schemas.Meta{SessionID: "f", Attributes: map[string]string{"level": "vip"}}}
	for i, line := range strings.Split(text, "\n") {
		turn := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Text: line, Role: []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot, schemas.System, "", "x"}[rng.IntN(6)], Auto: rng.IntN(9) == 0}
		if rng.IntN(2) == 0 {
			turn.StartMS = schemas.Some(int64(odd(100_000)))
		}
		if rng.IntN(2) == 0 {
			turn.EndMS = schemas.Some(int64(odd(100_000)))
		}
		if rng.IntN(3) == 0 {
			turn.At = time.UnixMilli(int64(odd(1 << 40)))
		}
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: turn, Key: schemas.SeqKey(int64(i + 1))})
	}
	if rng.IntN(8) == 0 {
		return t, nil
	}
	f := Literal{}.Features(t)
	for i := range f.Turns {
		x := &f.Turns[i]
		if rng.IntN(3) == 0 {
			x.Norm.Text = t.Turns[rng.IntN(len(t.Turns))].Text
		}
		if rng.IntN(3) == 0 {
			x.Norm.Offsets = make([]int32, odd(len(x.Norm.Text)+1)&0xfff)
			for k := range x.Norm.Offsets {
				x.Norm.Offsets[k] = int32(odd(len(t.Turns[i].Text)))
			}
		}
		x.Emotion, x.Polarity = schemas.Emotion(rng.IntN(20)), value()
		for k := range x.Scores {
			x.Scores[k] = value()
		}
		for range rng.IntN(3) {
			n := len(t.Turns[i].Text)
			x.Labels = append(x.Labels, schemas.EmotionLabel{Label: schemas.Emotion(rng.IntN(20)), Intensity: value()})
			x.Mentions = append(x.Mentions, schemas.TurnMention{Start: odd(n), End: odd(n), Kind: schemas.KindComplaint, Aspect: schemas.AspectPrice, OpinionScore: value(), OpinionID: "0123456789abcdef"})
			x.Entities = append(x.Entities, schemas.Entity{Type: []string{"phone", "wechat", "amount"}[rng.IntN(3)], Start: odd(n), End: odd(n)})
			x.Cut = schemas.CutWords{{Start: odd(n), End: odd(n)}, {Start: odd(n), End: odd(n)}}
		}
	}
	if rng.IntN(8) == 0 {
		f.Turns = f.Turns[:odd(len(f.Turns))%(len(f.Turns)+1)&0xff%(len(f.Turns)+1)]
	}
	return t, f
}

// FuzzEvaluate: whatever the texts and features, no rule fails, evidence lies inside its turn, explanations agree and a
// stream gives what the open session gives.
func FuzzEvaluate(f *testing.F) {
	for seed := range uint64(40) {
		f.Add("为什么贵\n您好，抱歉\n好的谢谢，我要退款\n稍等\n加V信 12345678901", seed)
	}
	f.Add("在吗\n您好😀，请稍等。。\n为什么？\n", uint64(3))
	f.Add("\xff\xfe\n不不不投诉ABC\n您\xe5\xa5", uint64(0))
	f.Add("您好\n您好\n您好，退款不能\n加微信\n13800138000元", uint64(77))
	pages := docSets(f)
	packs := mustLoad(f, append(embeddedSources(), Text("own.yaml", []byte(everyKind)), Text("live.yaml", []byte(liveKinds)), Generate(60, 5))...)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if strings.Count(text, "\n") > 40 || len(text) > 4_000 {
			return
		}
		tr, x := hostileFeatures(text, seed)
		for _, s := range []*Set{packs, pages[seed%uint64(len(pages))]} {
			got := s.Evaluate(tr, x)
			for _, n := range got.Notes {
				if strings.HasPrefix(n.Why, "error:") {
					t.Fatalf("a rule failed: %+v", n)
				}
			}
			checkEvidence(t, tr, got.Hits)
			if trail := s.ScoreTrail(&got); got.Score.OK && math.Abs(trail.Lines[len(trail.Lines)-1].Total-got.Score.V) > 1e-9 {
				t.Fatalf("the trail ends beside the score %v: %s", got.Score, trail.Text())
			}
			r := s.rules[seed%uint64(len(s.rules))]
			e, err := s.Explain(tr, x, r.id)
			if err != nil {
				t.Fatal(err)
			}
			if want, ok := got.Outcomes[r.id]; ok && want != e.Outcome || strings.HasPrefix(e.Why, "error:") {
				t.Fatalf("rule %s: %s, explained as %s (%s)", r.id, want, e.Outcome, e.Why)
			}
			e.Text()
			if _, err := json.Marshal(e); err != nil {
				t.Fatal(err)
			}
			st := s.Stream(tr.Meta)
			for i := range tr.Turns {
				var tf *schemas.TurnFeatures
				if x != nil && i < len(x.Turns) {
					tf = &x.Turns[i]
				}
				checkEvidence(t, tr, st.Add(tr.Turns[i], tf))
			}
		}
	})
}

func checkEvidence(t *testing.T, tr *schemas.Transcript, hits []schemas.Hit) {
	t.Helper()
	for _, h := range hits {
		for _, e := range h.Evidence {
			turn := tr.Turns[e.Turn-1].Text
			if e.Start < 0 || e.Start > e.End || e.End > len(turn) || e.Start < len(turn) && utf8.ValidString(turn) && !utf8.RuneStart(turn[e.Start]) {
				t.Fatalf("rule %s: evidence %+v of %q", h.RuleID, e, turn)
			}
		}
	}
}
