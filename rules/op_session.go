package rules

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// turnCountOp compares the number of turns in its range.
type turnCountOp struct{ cmp compare }

func parseTurnCount(d *decoder, n *yaml.Node, _ bool) operator {
	op := &turnCountOp{}
	if f, ok := d.mapping(n, "turn_count", compareKeys...); ok {
		op.cmp = d.compare(f, "turn_count", func(v *yaml.Node, what string) float64 { return float64(d.int(v, what, 0, schemas.MaxTurns)) })
	}
	return op
}

func (op *turnCountOp) literals() ([]int32, bool) { return nil, false }

func (op *turnCountOp) eval(e *evaluation, s scope) result {
	return e.told(growing(s, op.cmp, float64(len(s.turns))), func() string { return fmt.Sprintf("%d turns", len(s.turns)) })
}

// replyToOp finds turns that were not answered as expected.
type replyToOp struct {
	anchor *condition
	expect *condition
}

func parseReplyTo(d *decoder, n *yaml.Node, anchored bool) operator {
	op := &replyToOp{}
	f, ok := d.mapping(n, "reply_to", "anchor", "role", "within", "expect")
	if !ok {
		return op
	}
	if v := f.get("anchor"); v != nil {
		op.anchor = d.parseCondition(v, "reply_to.anchor", anchored)
	} else {
		d.errorf(n, "", "reply_to needs anchor, what must be answered")
	}
	if v := f.get("expect"); v != nil {
		speaker := d.speaker
		d.speaker = maskAny
		op.expect = d.parseCondition(v, "reply_to.expect", true)
		d.speaker = speaker
	} else {
		d.errorf(n, "any condition", "reply_to needs expect, how it must be answered")
	}
	in := &span{roles: maskAgent, where: whereAfter, n: -1, ms: -1}
	if v := f.get("role"); v != nil {
		in.roles = d.parseRoles(v)
	}
	if v := f.get("within"); v != nil {
		if v.Kind == yaml.ScalarNode && isCount(v.Value) {
			in.n = d.int(v, "reply_to.within", 1, schemas.MaxTurns)
		} else {
			in.ms = d.duration(v, "reply_to.within")
		}
	}
	if op.expect != nil {
		if op.expect.in != nil {
			d.errorf(f.get("expect"), "write role and within beside anchor", "reply_to.expect has an in of its own")
		}
		op.expect.in = in
	}
	return op
}

func (op *replyToOp) literals() ([]int32, bool) {
	if op.anchor == nil {
		return nil, true
	}
	return op.anchor.literals()
}

func (op *replyToOp) eval(e *evaluation, s scope) result { return op.evalAnchored(e, s, nil) }

func (op *replyToOp) evalAnchored(e *evaluation, s scope, anchor *hit) result {
	was := e.truthOnly
	e.truthOnly = false // every anchor needs its answer
	r := op.anchor.eval(e, s, anchor)
	e.truthOnly = was
	if r.truth != yes {
		return r
	}
	var hits []hit
	isOpen, why := !s.complete, ""
	anchors := onePerTurn(r.hits)
	answered := 0
	for k := range anchors {
		x := op.expect.holds(e, e.role(maskAny), &anchors[k])
		switch x.truth {
		case yes:
			answered++
		case no:
			hits = append(hits, anchors[k])
		case open:
			isOpen = true
		case noData:
			why = x.why
		}
	}
	var out result
	switch {
	case len(hits) > 0:
		out = result{truth: yes, hits: hits}
	case why != "":
		out = result{truth: noData, why: why}
	case isOpen:
		out = result{truth: open}
	}
	return e.told(out, func() string { return fmt.Sprintf("%d of %d answered as expected", answered, len(anchors)) })
}

func (op *replyToOp) conditions() []*condition { return []*condition{op.anchor, op.expect} }

// onePerTurn keeps the first hit of each turn, and of places that only complete the evidence none.
func onePerTurn(hits []hit) []hit {
	clean := true
	for i := range hits {
		if hits[i].support || i > 0 && hits[i].turn == hits[i-1].turn {
			clean = false
			break
		}
	}
	if clean {
		return hits
	}
	out := make([]hit, 0, len(hits))
	for _, h := range hits {
		if !h.support && (len(out) == 0 || h.turn != out[len(out)-1].turn) {
			out = append(out, h)
		}
	}
	return out
}
