package rules

import (
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// nearOp finds a word of a and a word of b with at most gap characters between them.
type nearOp struct {
	a, b     *wordSet
	gap      int
	ordered  bool
	negation bool
}

func parseNear(d *decoder, n *yaml.Node, _ bool) operator {
	op := &nearOp{gap: 5, negation: true, a: &wordSet{}, b: &wordSet{}}
	f, ok := d.mapping(n, "near", "a", "b", "gap", "ordered", "negation")
	if !ok {
		return op
	}
	for _, key := range []string{"a", "b"} {
		if f.get(key) == nil {
			d.errorf(n, "near: {a: [...], b: [...], gap: 5}", "near needs %s", key)
		}
	}
	op.a, op.b = d.wordSet(d.wordList(f.get("a"), "near.a")), d.wordSet(d.wordList(f.get("b"), "near.b"))
	if v := f.get("gap"); v != nil {
		op.gap = d.int(v, "near.gap", 0, 1000)
	}
	op.ordered = d.boolean(f.get("ordered"), "near.ordered", false)
	op.negation = d.boolean(f.get("negation"), "near.negation", true)
	return op
}

func (op *nearOp) literals() ([]int32, bool) {
	if len(op.b.ids) < len(op.a.ids) {
		return op.b.ids, true
	}
	return op.a.ids, true
}

func (op *nearOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var as, bs []found
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
			for _, b := range bs {
				x, y := a, b
				if b.start < a.start {
					if op.ordered {
						continue
					}
					x, y = b, a
				}
				if y.start < x.end || int(y.start-x.end) > op.gap*utf8.UTFMax || utf8.RuneCountInString(text[x.end:y.start]) > op.gap || x.start < last {
					continue
				}
				hits = append(hits, hit{turn: i, start: x.start, end: y.end})
				if e.truthOnly {
					return result{truth: yes, hits: hits}
				}
				last = y.end
			}
		}
	}
	return foundIn(s, hits)
}
