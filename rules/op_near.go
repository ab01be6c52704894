package rules

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// nearOp finds a word of a and a word of b with at most gap characters (or words) between them; with without, a word of
// a that has none of without so near.
type nearOp struct {
	a, b     *wordSet
	gap      int
	words    bool // gap counts words of the segmentation
	ordered  bool
	without  bool
	negation bool
}

func parseNear(d *decoder, n *yaml.Node, _ bool) operator {
	op := &nearOp{gap: 5, negation: true, a: &wordSet{}, b: &wordSet{}}
	f, ok := d.mapping(n, "near", "a", "b", "without", "gap", "unit", "ordered", "negation")
	if !ok {
		return op
	}
	other := "b"
	if f.get("without") != nil {
		op.without, other = true, "without"
		if f.get("b") != nil {
			d.errorf(f.key("without"), "write two conditions", "near has b or without, not both")
		}
	}
	for _, key := range []string{"a", other} {
		if f.get(key) == nil {
			d.errorf(n, "near: {a: [...], b: [...], gap: 5}", "near needs %s", key)
		}
	}
	op.a, op.b = d.wordSet(d.wordList(f.get("a"), "near.a")), d.wordSet(d.wordList(f.get(other), "near."+other))
	if v := f.get("gap"); v != nil {
		op.gap = d.int(v, "near.gap", 0, 1000)
	}
	op.words = d.oneOf(f.get("unit"), "near.unit", "chars", "words") == "words"
	op.ordered = d.boolean(f.get("ordered"), "near.ordered", false)
	op.negation = d.boolean(f.get("negation"), "near.negation", true)
	return op
}

func (op *nearOp) literals() ([]int32, bool) {
	if !op.without && len(op.b.ids) < len(op.a.ids) {
		return op.b.ids, true
	}
	return op.a.ids, true
}

func (op *nearOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var as, bs []found
	missing := ""
	for _, i := range s.turns {
		as, bs = as[:0], bs[:0]
		e.occurrences(op.a, i, s, op.negation, func(m found) bool { as = append(as, m); return true })
		if len(as) == 0 {
			continue
		}
		e.occurrences(op.b, i, s, false, func(m found) bool { bs = append(bs, m); return true })
		text := e.text(i)
		last := int32(-1)
		for _, a := range as {
			alone, unknown := true, false
			for _, b := range bs {
				x, y := a, b
				if b.start < a.start {
					if op.ordered {
						continue
					}
					x, y = b, a
				}
				near, ok := op.near(e, i, text, x.end, y.start)
				if !ok {
					missing, unknown = whyNoWords, true
					continue
				}
				if !near {
					continue
				}
				alone = false
				if op.without {
					break
				}
				if x.start < last {
					continue
				}
				hits = append(hits, hit{turn: i, start: x.start, end: y.end})
				if e.truthOnly {
					return result{truth: yes, hits: hits}
				}
				last = y.end
			}
			if op.without && alone && !unknown && a.start >= last {
				hits = append(hits, hit{turn: i, start: a.start, end: a.end})
				last = a.end
			}
		}
	}
	return e.told(findings(s, hits, missing), func() string { return places(len(hits)) })
}

// near says whether bytes [from, to) between two words of a text are few enough; ok is false where the text has no
// words to count.
func (op *nearOp) near(e *evaluation, turn int32, text string, from, to int32) (near, ok bool) {
	if to < from {
		return false, true // they overlap
	}
	if !op.words {
		return int(to-from) <= op.gap*utf8.UTFMax && utf8.RuneCountInString(text[from:to]) <= op.gap, true
	}
	if len(e.words(turn)) == 0 {
		return false, false
	}
	n := 0
	for _, w := range e.words(turn) {
		if w.Start >= int(to) {
			break
		}
		if w.Start >= int(from) && w.End <= int(to) && contentChars(text[w.Start:w.End]) > 0 {
			n++
		}
	}
	return n <= op.gap, true
}
