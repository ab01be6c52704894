package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// processOp holds where its steps occur in order.
type processOp struct {
	steps []processStep
}

type processStep struct {
	name     string
	do       *condition
	optional bool
	maxGap   int // most turns after the step before it, 0 for any
}

// maxSteps bounds the steps of a process or sequence.
const maxSteps = 32

func parseProcess(d *decoder, n *yaml.Node, anchored bool) operator {
	op := &processOp{}
	f, ok := d.mapping(n, "process", "steps")
	if !ok {
		return op
	}
	v := f.get("steps")
	if v == nil {
		d.errorf(n, "process: {steps: [{name: 问候, do: {keyword: [您好]}}, ...]}", "process needs steps")
		return op
	}
	required := false
	for _, it := range d.items(v, "process.steps") {
		g, ok := d.mapping(it, "a step", "name", "do", "optional", "max_gap")
		if !ok {
			continue
		}
		st := processStep{name: d.str(g.get("name"), "name"), optional: d.boolean(g.get("optional"), "optional", false)}
		if st.name == "" {
			d.errorf(it, "what people see where it is missing", "the step has no name")
		}
		if w := g.get("max_gap"); w != nil {
			st.maxGap = d.int(w, "max_gap", 1, schemas.MaxTurns)
		}
		if w := g.get("do"); w != nil {
			st.do = d.parseCondition(w, "do", anchored)
		} else {
			d.errorf(it, "do: {keyword: [...]} or any other condition", "the step has no do")
		}
		required = required || !st.optional
		if st.do != nil {
			op.steps = append(op.steps, st)
		}
	}
	if len(op.steps) > maxSteps {
		d.errorf(v, "", "a process has at most %d steps", maxSteps)
	}
	if !required && len(op.steps) > 0 {
		d.errorf(v, "", "every step is optional: the process always holds")
	}
	return op
}

func (op *processOp) literals() ([]int32, bool) { return nil, false }

func (op *processOp) eval(e *evaluation, s scope) result { return op.evalAnchored(e, s, nil) }

func (op *processOp) conditions() []*condition {
	out := make([]*condition, len(op.steps))
	for i := range op.steps {
		out[i] = op.steps[i].do
	}
	return out
}

// evalAnchored finds, step by step, every place that a right order can have reached. A process that does not hold
// names the first step that is missing or comes too early.
func (op *processOp) evalAnchored(e *evaluation, s scope, anchor *hit) result {
	was := e.truthOnly
	e.truthOnly = false
	defer func() { e.truthOnly = was }()
	reached := []hit{{turn: -1}}
	var first []hit // an early place of each step done, for the evidence
	var done []string
	for k := range op.steps {
		st := &op.steps[k]
		r := st.do.eval(e, s, anchor)
		var next []hit
		early := false
		for _, h := range r.hits {
			ok := false
			for _, p := range reached {
				ok = ok || follows(p, h) && (st.maxGap == 0 || p.turn < 0 || int(h.turn-p.turn) <= st.maxGap)
			}
			if ok {
				next = append(next, h)
			} else {
				early = true
			}
		}
		switch {
		case r.truth == yes && len(r.hits) == 0: // an absence has no place: it holds for the range as a whole
			done = append(done, st.name)
			continue
		case len(next) > 0:
			first = append(first, next[0])
			done = append(done, st.name)
			if st.optional {
				next = append(next, reached...)
			}
			reached = next
			continue
		case st.optional:
			continue
		case r.truth == noData:
			return result{truth: noData, why: r.why}
		case !s.complete || r.truth == open:
			return result{truth: open}
		case early && st.maxGap > 0:
			return lacking(st.name + "顺序不对或间隔太远")
		case early:
			return lacking(st.name + "顺序不对")
		}
		return lacking("缺少" + st.name)
	}
	sortHits(first)
	return e.told(result{truth: yes, hits: first}, func() string { return strings.Join(done, " → ") })
}

// lacking is the result of a process that does not hold.
func lacking(step string) result { return result{step: step, value: step} }

// follows says whether b does not begin before a ends.
func follows(a, b hit) bool { return b.turn > a.turn || b.turn == a.turn && b.start >= a.end }

// sequenceOp finds its conditions in order within a number of turns or a time.
type sequenceOp struct {
	of    []*condition
	turns int   // most turns from the first to the last, 0 for any
	ms    int64 // most time, -1 for any
}

func parseSequence(d *decoder, n *yaml.Node, anchored bool) operator {
	op := &sequenceOp{ms: -1}
	f, ok := d.mapping(n, "sequence", "of", "within")
	if !ok {
		return op
	}
	v := f.get("of")
	if v == nil {
		d.errorf(n, "sequence: {of: [{keyword: [a]}, {keyword: [b]}], within: 5}", "sequence needs of, its conditions")
		return op
	}
	for _, it := range d.items(v, "sequence.of") {
		if c := d.parseCondition(it, "sequence", anchored); c != nil {
			op.of = append(op.of, c)
		}
	}
	if len(op.of) == 1 || len(op.of) > maxSteps {
		d.errorf(v, "", "a sequence has 2 to %d conditions", maxSteps)
	}
	if w := f.get("within"); w != nil {
		if w.Kind == yaml.ScalarNode && isCount(w.Value) {
			op.turns = d.int(w, "sequence.within", 1, schemas.MaxTurns)
		} else {
			op.ms = d.duration(w, "sequence.within")
		}
	}
	return op
}

func (op *sequenceOp) conditions() []*condition { return op.of }

func (op *sequenceOp) literals() ([]int32, bool) {
	var best []int32
	found := false
	for _, c := range op.of {
		if w, ok := c.literals(); ok && (!found || len(w) < len(best)) {
			best, found = w, true
		}
	}
	return best, found
}

func (op *sequenceOp) eval(e *evaluation, s scope) result { return op.evalAnchored(e, s, nil) }

func (op *sequenceOp) evalAnchored(e *evaluation, s scope, anchor *hit) result {
	was := e.truthOnly
	e.truthOnly = false
	defer func() { e.truthOnly = was }()
	places := make([][]hit, len(op.of))
	isOpen := !s.complete
	for k, c := range op.of {
		r := c.eval(e, s, anchor)
		switch r.truth {
		case noData:
			return result{truth: noData, why: r.why}
		case open:
			isOpen = true
		case yes:
			places[k] = slices.Clone(r.hits)
			slices.SortStableFunc(places[k], func(a, b hit) int { return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.start, b.start)) })
		}
		if len(places[k]) == 0 {
			break // nothing can follow a part that has no place
		}
	}
	var hits []hit
	missing := ""
	after := hit{turn: -1}
	at := make([]int, len(op.of))
	for _, h := range places[0] {
		if !follows(after, h) {
			continue
		}
		run := [maxSteps]hit{h}
		last, n := h, 1
		for k := 1; k < len(places); k++ {
			for at[k] < len(places[k]) && !follows(last, places[k][at[k]]) {
				at[k]++
			}
			if at[k] == len(places[k]) {
				break
			}
			last = places[k][at[k]]
			run[n] = last
			n++
		}
		if n < len(op.of) {
			break // no later beginning can do better
		}
		near, why := op.near(e, h.turn, last.turn)
		if why != "" {
			missing = why
			continue
		}
		if near {
			hits = append(hits, run[:n]...)
			after = last
		}
	}
	r := findings(scope{complete: !isOpen}, hits, missing)
	return e.told(r, func() string {
		counts := make([]string, len(places))
		for k := range places {
			counts[k] = fmt.Sprint(len(places[k]))
		}
		return "places of the parts: " + strings.Join(counts, ", ")
	})
}

// near says whether two turns lie within the bound.
func (op *sequenceOp) near(e *evaluation, first, last int32) (bool, string) {
	if op.turns > 0 && int(last-first) > op.turns {
		return false, ""
	}
	if op.ms < 0 {
		return true, ""
	}
	from, ok := e.clock(first)
	to, ok2 := e.clock(last)
	if !ok || !ok2 {
		return false, whyNoTimes
	}
	return to-from <= op.ms, ""
}
