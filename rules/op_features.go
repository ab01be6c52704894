package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// Marks are words that stand for a feature of a turn instead of a text. They let a rule about an emotion rest until the
// emotion occurs, like a rule about a word.
func emotionMark(key string) string { return "\x00emotion:" + key }
func kindMark(key string) string    { return "\x00kind:" + key }
func entityMark(key string) string  { return "\x00entity:" + key }

// marked says whether some of the words are marks, which stand in no text.
func (t *wordTable) marked(ids []int32) bool {
	for _, id := range ids {
		if t.words[id][0] == 0 {
			return true
		}
	}
	return false
}

// emotionOp finds turns in one of some emotions, alone, in a streak, or as a change from others.
type emotionOp struct {
	any    emotionSet
	min    float32
	also   bool
	streak int
	// from and to: a turn in one of from, and after it, at most within turns of the range later, one in one of to.
	from, to   emotionSet
	transition bool
	within     int // 0 for any distance
	marks      []int32
}

type emotionSet [schemas.EmotionCount]bool

func parseEmotion(d *decoder, n *yaml.Node, _ bool) operator {
	op := &emotionOp{streak: 1}
	if n.Kind != yaml.MappingNode {
		op.any, op.marks = d.emotions(n, "emotion")
		return op
	}
	f, _ := d.mapping(n, "emotion", "any", "min", "also", "streak", "from", "to", "within")
	op.min = float32(d.float(f.get("min"), "emotion.min", 0, 1))
	op.also = d.boolean(f.get("also"), "emotion.also", false)
	if f.get("from") != nil || f.get("to") != nil {
		op.transition = true
		if f.get("from") == nil || f.get("to") == nil || f.get("any") != nil || f.get("streak") != nil {
			d.errorf(n, "emotion: {from: [angry], to: [satisfied], within: 5}", "a change of emotion has from and to, and neither any nor streak")
			return op
		}
		op.from, op.marks = d.emotions(f.get("from"), "emotion.from")
		op.to, _ = d.emotions(f.get("to"), "emotion.to")
		if v := f.get("within"); v != nil {
			op.within = d.int(v, "emotion.within", 1, schemas.MaxTurns)
		}
		op.any = op.from
		return op
	}
	if f.get("within") != nil {
		d.errorf(f.key("within"), "streak: n counts turns in a row", "within goes with from and to")
	}
	if f.get("any") == nil {
		d.errorf(n, "emotion: {any: [angry, annoyed]}", "emotion needs any")
		return op
	}
	op.any, op.marks = d.emotions(f.get("any"), "emotion")
	if v := f.get("streak"); v != nil {
		op.streak = d.int(v, "emotion.streak", 1, 1000)
	}
	return op
}

// emotions reads a list of emotions with the marks that stand for them.
func (d *decoder) emotions(n *yaml.Node, what string) (set emotionSet, marks []int32) {
	for _, it := range d.items(n, what) {
		key := d.oneOf(it, what, schemas.EmotionKeys()...)
		if em, ok := schemas.ParseEmotion(key); ok {
			set[em] = true
			marks = append(marks, d.words.id(emotionMark(key)))
		}
	}
	return set, marks
}

func (op *emotionOp) literals() ([]int32, bool) {
	return op.marks, !op.also && !op.any[schemas.Neutral]
}

func (op *emotionOp) holds(in *emotionSet, f *schemas.TurnFeatures) bool {
	if int(f.Emotion) < len(in) && in[f.Emotion] && (op.min == 0 || f.Scores[f.Emotion] >= op.min) {
		return true
	}
	if op.also {
		for _, l := range f.Labels {
			if int(l.Label) < len(in) && in[l.Label] && l.Intensity >= op.min {
				return true
			}
		}
	}
	return false
}

func (op *emotionOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	if op.transition {
		return op.change(e, s)
	}
	var hits []hit
	run, longest := 0, 0
	for k, i := range s.turns {
		if !op.holds(&op.any, &e.f.Turns[i]) {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
		switch {
		case run == op.streak:
			for _, j := range s.turns[k+1-run : k+1] {
				hits = append(hits, e.wholeTurn(j))
			}
		case run > op.streak:
			hits = append(hits, e.wholeTurn(i))
		}
	}
	return e.told(foundIn(s, hits), func() string {
		return fmt.Sprintf("%s; longest streak %d", e.emotionsOf(s), longest)
	})
}

// change finds the turns in one of from that one in one of to follows, both as places, in the order of their
// completion: what is found on a prefix of the session stays in front.
func (op *emotionOp) change(e *evaluation, s scope) result {
	var hits []hit
	var waiting []int // positions in s.turns
	for k, i := range s.turns {
		f := &e.f.Turns[i]
		if op.holds(&op.to, f) {
			from := len(hits)
			for _, w := range waiting {
				if op.within == 0 || k-w <= op.within {
					hits = append(hits, e.wholeTurn(s.turns[w]))
				}
			}
			waiting = waiting[:0]
			if len(hits) > from {
				hits = append(hits, e.wholeTurn(i))
			}
		}
		if op.holds(&op.from, f) {
			waiting = append(waiting, k)
		}
	}
	return e.told(foundIn(s, hits), func() string { return e.emotionsOf(s) })
}

// emotionsOf names the emotions of some turns for people.
func (e *evaluation) emotionsOf(s scope) string {
	const most = 12
	var parts []string
	for _, i := range s.turns {
		f := &e.f.Turns[i]
		if f.Emotion == schemas.Neutral {
			continue
		}
		if len(parts) == most {
			parts = append(parts, "…")
			break
		}
		score := float32(0)
		if f.Emotion < schemas.EmotionCount {
			score = f.Scores[f.Emotion]
		}
		parts = append(parts, fmt.Sprintf("turn %d %s %.2f", e.t.Turns[i].Seq.V, f.Emotion, score))
	}
	if len(parts) == 0 {
		return "every turn neutral"
	}
	return strings.Join(parts, ", ")
}

const whyNoFeatures = "no_features"

// polarityOp finds turns by their polarity.
type polarityOp struct {
	cmp     compare
	classes []string
}

func parsePolarity(d *decoder, n *yaml.Node, _ bool) operator {
	op := &polarityOp{}
	if n.Kind != yaml.MappingNode {
		op.classes = d.known(n, "polarity", schemas.Negative, schemas.NeutralPolarity, schemas.Positive)
		return op
	}
	f, _ := d.mapping(n, "polarity", compareKeys...)
	op.cmp = d.compare(f, "polarity", func(v *yaml.Node, what string) float64 { return d.float(v, what, -1, 1) })
	return op
}

// known reads a list of values out of a closed set.
func (d *decoder) known(n *yaml.Node, what string, values ...string) []string {
	var out []string
	if n == nil {
		return nil
	}
	for _, it := range d.items(n, what) {
		if v := d.oneOf(it, what, values...); v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (op *polarityOp) literals() ([]int32, bool) { return nil, false }

func (op *polarityOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	var hits []hit
	least, most := float32(2), float32(-2)
	for _, i := range s.turns {
		f := &e.f.Turns[i]
		if op.classes != nil && slices.Contains(op.classes, f.PolarityClass) || op.classes == nil && op.cmp.holds(float64(f.Polarity)) {
			hits = append(hits, e.wholeTurn(i))
		}
		least, most = min(least, f.Polarity), max(most, f.Polarity)
	}
	return e.told(foundIn(s, hits), func() string {
		if len(s.turns) == 0 {
			return "no turns"
		}
		return fmt.Sprintf("%d turns from %.2f to %.2f", len(s.turns), least, most)
	})
}

// polarityShiftOp compares the mean polarity of the first part of its range with that of the last.
type polarityShiftOp struct {
	turns             int
	begin, end, delta *compare
}

func parsePolarityShift(d *decoder, n *yaml.Node, _ bool) operator {
	op := &polarityShiftOp{turns: 2}
	f, ok := d.mapping(n, "polarity_shift", "turns", "begin", "end", "delta")
	if !ok {
		return op
	}
	if v := f.get("turns"); v != nil {
		op.turns = d.int(v, "polarity_shift.turns", 1, schemas.MaxTurns)
	}
	within := func(bound float64) func(*yaml.Node, string) float64 {
		return func(v *yaml.Node, what string) float64 { return d.float(v, what, -bound, bound) }
	}
	if v := f.get("begin"); v != nil {
		op.begin = d.compareIn(v, "polarity_shift.begin", within(1))
	}
	if v := f.get("end"); v != nil {
		op.end = d.compareIn(v, "polarity_shift.end", within(1))
	}
	if v := f.get("delta"); v != nil {
		op.delta = d.compareIn(v, "polarity_shift.delta", within(2))
	}
	if f.get("begin") == nil && f.get("end") == nil && f.get("delta") == nil {
		d.errorf(n, "begin: {under: 0}, end: {over: 0.3} or delta: {over: 0.5}", "polarity_shift has nothing to compare with")
	}
	return op
}

func (op *polarityShiftOp) literals() ([]int32, bool) { return nil, false }

func (op *polarityShiftOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	if !s.complete {
		return result{truth: open}
	}
	// The parts do not overlap: a short range is halved.
	n := min(op.turns, len(s.turns)/2)
	if n == 0 {
		return result{truth: noData, why: "too_few_turns"}
	}
	mean := func(turns []int32) float64 {
		sum := 0.0
		for _, i := range turns {
			sum += float64(e.f.Turns[i].Polarity)
		}
		return sum / float64(len(turns))
	}
	last := s.turns[len(s.turns)-n:]
	begin, end := mean(s.turns[:n]), mean(last)
	r := result{}
	if (op.begin == nil || op.begin.holds(begin)) && (op.end == nil || op.end.holds(end)) && (op.delta == nil || op.delta.holds(end-begin)) {
		r.truth = yes
		for _, i := range last {
			r.hits = append(r.hits, e.wholeTurn(i))
		}
	}
	return e.told(r, func() string { return fmt.Sprintf("%.2f at the beginning, %.2f at the end", begin, end) })
}
