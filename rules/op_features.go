package rules

import (
	"slices"

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

// emotionOp finds turns in one of some emotions.
type emotionOp struct {
	any    [schemas.EmotionCount]bool
	min    float32
	also   bool
	streak int
	marks  []int32
}

func parseEmotion(d *decoder, n *yaml.Node, _ bool) operator {
	op := &emotionOp{streak: 1}
	list := n
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "emotion", "any", "min", "also", "streak")
		if list = f.get("any"); list == nil {
			d.errorf(n, "emotion: {any: [angry, annoyed]}", "emotion needs any")
			return op
		}
		op.min = float32(d.float(f.get("min"), "emotion.min", 0, 1))
		op.also = d.boolean(f.get("also"), "emotion.also", false)
		if v := f.get("streak"); v != nil {
			op.streak = d.int(v, "emotion.streak", 1, 1000)
		}
	}
	for _, it := range d.items(list, "emotion") {
		key := d.oneOf(it, "emotion", schemas.EmotionKeys()...)
		if em, ok := schemas.ParseEmotion(key); ok {
			op.any[em] = true
			op.marks = append(op.marks, d.words.id(emotionMark(key)))
		}
	}
	return op
}

func (op *emotionOp) literals() ([]int32, bool) {
	return op.marks, !op.also && !op.any[schemas.Neutral]
}

func (op *emotionOp) holds(f *schemas.TurnFeatures) bool {
	if int(f.Emotion) < len(op.any) && op.any[f.Emotion] && (op.min == 0 || f.Scores[f.Emotion] >= op.min) {
		return true
	}
	if op.also {
		for _, l := range f.Labels {
			if int(l.Label) < len(op.any) && op.any[l.Label] && l.Intensity >= op.min {
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
	var hits []hit
	run := 0
	for k, i := range s.turns {
		if !op.holds(&e.f.Turns[i]) {
			run = 0
			continue
		}
		run++
		switch {
		case run == op.streak:
			for _, j := range s.turns[k+1-run : k+1] {
				hits = append(hits, e.wholeTurn(j))
			}
		case run > op.streak:
			hits = append(hits, e.wholeTurn(i))
		}
	}
	return foundIn(s, hits)
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
	for _, i := range s.turns {
		f := &e.f.Turns[i]
		if op.classes != nil && slices.Contains(op.classes, f.PolarityClass) || op.classes == nil && op.cmp.holds(float64(f.Polarity)) {
			hits = append(hits, e.wholeTurn(i))
		}
	}
	return foundIn(s, hits)
}

// mentionOp finds opinion mentions.
type mentionOp struct {
	kinds, aspects, polarities []string
	products                   []string
	valuable                   *bool
	marks                      []int32
}

func parseMention(d *decoder, n *yaml.Node, _ bool) operator {
	op := &mentionOp{}
	f, ok := d.mapping(n, "mention", "kind", "aspect", "polarity", "product", "valuable")
	if !ok {
		return op
	}
	if len(f.keys) == 0 {
		d.errorf(n, "mention: {kind: [complaint]}", "mention says nothing")
	}
	op.kinds = d.known(f.get("kind"), "mention.kind", schemas.Kinds...)
	op.aspects = d.known(f.get("aspect"), "mention.aspect", schemas.Aspects...)
	op.polarities = d.known(f.get("polarity"), "mention.polarity", schemas.Negative, schemas.NeutralPolarity, schemas.Positive)
	op.products = d.strs(f.get("product"), "mention.product")
	if v := f.get("valuable"); v != nil {
		b := d.boolean(v, "mention.valuable", true)
		op.valuable = &b
	}
	kinds := op.kinds
	if len(kinds) == 0 {
		kinds = schemas.Kinds
	}
	for _, k := range kinds {
		op.marks = append(op.marks, d.words.id(kindMark(k)))
	}
	return op
}

func (op *mentionOp) literals() ([]int32, bool) { return op.marks, true }

func (op *mentionOp) holds(m *schemas.TurnMention) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(op.kinds, m.Kind) && in(op.aspects, m.Aspect) && in(op.polarities, m.Polarity) && in(op.products, m.Product) &&
		(op.valuable == nil || *op.valuable == m.Valuable)
}

func (op *mentionOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	var hits []hit
	for _, i := range s.turns {
		for k := range e.f.Turns[i].Mentions {
			if m := &e.f.Turns[i].Mentions[k]; op.holds(m) {
				hits = append(hits, hit{turn: i, start: int32(m.Start), end: int32(m.End), masked: true})
			}
		}
	}
	return foundIn(s, hits)
}

// entityOp finds entities and masked personal data by type.
type entityOp struct {
	types []string
	marks []int32
}

func parseEntity(d *decoder, n *yaml.Node, _ bool) operator {
	op := &entityOp{types: d.strs(n, "entity")}
	for _, t := range op.types {
		op.marks = append(op.marks, d.words.id(entityMark(t)))
	}
	return op
}

func (op *entityOp) literals() ([]int32, bool) { return op.marks, true }

func (op *entityOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	var hits []hit
	for _, i := range s.turns {
		for _, x := range e.f.Turns[i].Entities {
			if slices.Contains(op.types, x.Type) {
				hits = append(hits, hit{turn: i, start: int32(x.Start), end: int32(x.End), masked: true})
			}
		}
	}
	return foundIn(s, hits)
}
