package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// keywordOp finds words.
type keywordOp struct {
	mode     logic // anyOf, all, none, atLeast
	set      *wordSet
	n        int // distinct words that must occur (atLeast)
	times    int // total occurrences that must be there
	negation bool
}

func parseKeyword(d *decoder, n *yaml.Node, _ bool) operator {
	op := &keywordOp{mode: anyOf, times: 1, negation: true, set: &wordSet{}}
	if n.Kind != yaml.MappingNode {
		op.set = d.wordSet(d.wordList(n, "keyword"))
		return op
	}
	f, _ := d.mapping(n, "keyword", "any", "all", "none", "n", "of", "times", "negation")
	modes := 0
	for key, mode := range map[string]logic{"any": anyOf, "all": all, "none": none, "of": atLeast} {
		if v := f.get(key); v != nil {
			modes++
			op.mode = mode
			op.set = d.wordSet(d.wordList(v, "keyword."+key))
		}
	}
	if modes != 1 {
		d.errorf(n, "keyword: [words], or any:, all:, none:, or n: with of:", "keyword needs exactly one list of words")
	}
	if op.mode == atLeast {
		if op.n = d.int(f.get("n"), "keyword.n", 1, 1000); f.get("n") == nil {
			d.errorf(f.key("of"), "", "keyword.of needs n, the number of different words")
		} else if op.n > len(op.set.ids) && len(op.set.ids) > 0 {
			d.errorf(f.get("n"), "", "keyword.n is more than the %d words", len(op.set.ids))
		}
	} else if f.get("n") != nil {
		d.errorf(f.key("n"), "keyword: {n: 2, of: [...]}", "keyword.n goes with of")
	}
	if v := f.get("times"); v != nil {
		op.times = d.int(v, "keyword.times", 1, 10_000)
		if op.mode == none {
			d.errorf(f.key("times"), "", "keyword.times does not go with none")
		}
	}
	op.negation = d.boolean(f.get("negation"), "keyword.negation", true)
	return op
}

func (op *keywordOp) literals() ([]int32, bool) {
	switch op.mode {
	case none:
		return nil, false
	case all:
		return op.set.ids[:min(1, len(op.set.ids))], true
	}
	return op.set.ids, true
}

func (op *keywordOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var seen []int32
	count := 0
	for _, i := range s.turns {
		first := len(hits)
		e.occurrences(op.set, i, s, op.negation, func(m found) bool {
			if op.mode == all || op.mode == atLeast {
				if !slices.Contains(seen, m.pattern) {
					seen = append(seen, m.pattern)
				}
			}
			// Matches come by their end; one inside or overlapping the last of this turn makes it longer.
			if k := len(hits) - 1; k >= first && m.start < hits[k].end {
				hits[k].start, hits[k].end = min(hits[k].start, m.start), m.end
				return true
			}
			hits = append(hits, hit{turn: i, start: m.start, end: m.end})
			count++
			return op.mode != none && !(e.truthOnly && op.mode == anyOf && count >= op.times)
		})
		if op.mode == none && len(hits) > 0 {
			return result{}
		}
		if e.truthOnly && op.mode == anyOf && count >= op.times {
			return result{truth: yes, hits: hits}
		}
	}
	switch op.mode {
	case none:
		if !s.complete {
			return result{truth: open}
		}
		return result{truth: yes}
	case all:
		if len(seen) < len(op.set.ids) {
			hits = nil
		}
	case atLeast:
		if len(seen) < op.n {
			hits = nil
		}
	}
	if count < op.times {
		hits = nil
	}
	return foundIn(s, hits)
}
