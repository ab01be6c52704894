package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// compareKeys are the comparisons that operators on numbers share.
var compareKeys = []string{"over", "under", "at_least", "at_most"}

// compare is a bound from below, from above, or both.
type compare struct {
	lo, hi         float64
	hasLo, hasHi   bool
	loOpen, hiOpen bool
}

func (c compare) holds(v float64) bool {
	if c.hasLo && (v < c.lo || c.loOpen && v == c.lo) {
		return false
	}
	return !c.hasHi || v < c.hi || !c.hiOpen && v == c.hi
}

// compare reads the comparisons among the fields of an operator.
func (d *decoder) compare(f fields, what string, number func(*yaml.Node, string) float64) compare {
	var c compare
	for _, key := range compareKeys {
		v := f.get(key)
		if v == nil {
			continue
		}
		x := number(v, what+"."+key)
		lower := key == "over" || key == "at_least"
		if lower && c.hasLo || !lower && c.hasHi {
			d.errorf(f.key(key), "", "%s has two bounds on the same side", what)
			continue
		}
		if lower {
			c.lo, c.hasLo, c.loOpen = x, true, key == "over"
		} else {
			c.hi, c.hasHi, c.hiOpen = x, true, key == "under"
		}
	}
	if !c.hasLo && !c.hasHi {
		d.errorf(f.node, "over, under, at_least or at_most", "%s has nothing to compare with", what)
	} else if c.hasLo && c.hasHi && c.lo > c.hi {
		d.errorf(f.node, "", "%s can never hold: the lower bound is above the upper", what)
	}
	return c
}

func (d *decoder) millis(v *yaml.Node, what string) float64 { return float64(d.duration(v, what)) }

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

func (op *turnCountOp) eval(_ *evaluation, s scope) result {
	n := float64(len(s.turns))
	holds := op.cmp.holds(n)
	if s.complete || holds && !op.cmp.hasHi {
		if holds {
			return result{truth: yes}
		}
		return result{}
	}
	if op.cmp.hasHi && (n > op.cmp.hi || op.cmp.hiOpen && n == op.cmp.hi) {
		return result{} // more turns only lead further away
	}
	return result{truth: open}
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
		op.expect = d.parseCondition(v, "reply_to.expect", true)
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
	for k := range anchors {
		x := op.expect.holds(e, e.role(maskAny), &anchors[k])
		switch x.truth {
		case no:
			hits = append(hits, anchors[k])
		case open:
			isOpen = true
		case noData:
			why = x.why
		}
	}
	switch {
	case len(hits) > 0:
		return result{truth: yes, hits: hits}
	case why != "":
		return result{truth: noData, why: why}
	case isOpen:
		return result{truth: open}
	}
	return result{}
}

// onePerTurn keeps the first hit of each turn.
func onePerTurn(hits []hit) []hit {
	many := false
	for i := 1; i < len(hits); i++ {
		if hits[i].turn == hits[i-1].turn {
			many = true
			break
		}
	}
	if !many {
		return hits
	}
	out := make([]hit, 0, len(hits))
	for i, h := range hits {
		if i == 0 || h.turn != hits[i-1].turn {
			out = append(out, h)
		}
	}
	return out
}

// responseTimeOp finds agent replies that came too late (or soon): the time from a customer's first unanswered turn to
// the next valid reply.
type responseTimeOp struct {
	cmp   compare
	first bool
}

func parseResponseTime(d *decoder, n *yaml.Node, _ bool) operator {
	op := &responseTimeOp{}
	f, ok := d.mapping(n, "response_time", append([]string{"of"}, compareKeys...)...)
	if !ok {
		return op
	}
	op.first = d.oneOf(f.get("of"), "response_time.of", "any", "first") == "first"
	op.cmp = d.compare(f, "response_time", d.millis)
	return op
}

func (op *responseTimeOp) literals() ([]int32, bool) { return nil, false }

func (op *responseTimeOp) eval(e *evaluation, s scope) result {
	asked := int32(-1)
	rounds := 0
	var hits []hit
	inScope := func(i int32) bool { _, ok := slices.BinarySearch(s.turns, i); return ok }
	for i := range e.t.Turns {
		t := &e.t.Turns[i]
		switch t.Role {
		case schemas.Customer:
			if asked < 0 {
				asked = int32(i)
			}
		case schemas.Agent:
			if asked < 0 || t.Auto || strings.TrimSpace(t.Text) == "" {
				continue
			}
			rounds++
			if inScope(int32(i)) || inScope(asked) {
				from, ok := e.clockEnd(asked)
				to, ok2 := e.clock(int32(i))
				if !ok || !ok2 {
					return result{truth: noData, why: whyNoTimes}
				}
				if op.cmp.holds(float64(max(0, to-from))) {
					hits = append(hits, e.wholeTurn(int32(i)))
				}
			}
			asked = -1
			if op.first {
				s.complete = true
				return foundIn(s, hits)
			}
		}
	}
	return foundIn(s, hits)
}

// silenceOp finds gaps between the end of a turn and the start of the next.
type silenceOp struct{ cmp compare }

func parseSilence(d *decoder, n *yaml.Node, _ bool) operator {
	op := &silenceOp{}
	if f, ok := d.mapping(n, "silence", compareKeys...); ok {
		op.cmp = d.compare(f, "silence", d.millis)
	}
	return op
}

func (op *silenceOp) literals() ([]int32, bool) { return nil, false }

func (op *silenceOp) eval(e *evaluation, s scope) result {
	var hits []hit
	for _, i := range s.turns {
		if i == 0 {
			continue
		}
		end, ok := e.clockEnd(i - 1)
		start, ok2 := e.clock(i)
		if !ok || !ok2 {
			return result{truth: noData, why: whyNoTimes}
		}
		if op.cmp.holds(float64(max(0, start-end))) {
			hits = append(hits, e.wholeTurn(i))
		}
	}
	return foundIn(s, hits)
}

// fieldOp compares a field of the session.
type fieldOp struct {
	name     string
	is       []string
	isNot    []string
	contains []string
	exists   *bool
	cmp      *compare
}

var fieldNames = []string{"channel", "source", "shop", "business", "skill_group", "product", "customer_id", "agent_id", "agent_name", "team"}

const attributePrefix = "attributes."

func parseField(d *decoder, n *yaml.Node, _ bool) operator {
	op := &fieldOp{}
	f, ok := d.mapping(n, "field", append([]string{"name", "is", "is_not", "contains", "exists"}, compareKeys...)...)
	if !ok {
		return op
	}
	op.name = d.str(f.get("name"), "field.name")
	switch {
	case f.get("name") == nil:
		d.errorf(n, "", "field needs name")
	case !slices.Contains(fieldNames, op.name) && !strings.HasPrefix(op.name, attributePrefix):
		d.errorf(f.get("name"), didYouMean(op.name, append([]string{"attributes.NAME"}, fieldNames...)), "sessions have no field of this name")
	}
	op.is, op.isNot, op.contains = d.strs(f.get("is"), "field.is"), d.strs(f.get("is_not"), "field.is_not"), d.strs(f.get("contains"), "field.contains")
	if v := f.get("exists"); v != nil {
		b := d.boolean(v, "field.exists", true)
		op.exists = &b
	}
	for _, key := range compareKeys {
		if f.get(key) != nil {
			c := d.compare(f, "field", func(v *yaml.Node, what string) float64 { return d.float(v, what, -1e15, 1e15) })
			op.cmp = &c
			break
		}
	}
	if op.is == nil && op.isNot == nil && op.contains == nil && op.exists == nil && op.cmp == nil {
		d.errorf(n, "is, is_not, contains, exists, over, under, at_least or at_most", "field has nothing to compare with")
	}
	return op
}

func (op *fieldOp) literals() ([]int32, bool) { return nil, false }

func (op *fieldOp) eval(e *evaluation, _ scope) result {
	v := metaField(&e.t.Meta, op.name)
	if op.exists != nil && (v != "") != *op.exists {
		return result{}
	}
	if v == "" {
		if op.exists != nil && op.is == nil && op.contains == nil && op.cmp == nil && op.isNot == nil {
			return result{truth: yes}
		}
		return result{truth: noData, why: "no_field:" + op.name}
	}
	ok := (op.is == nil || slices.Contains(op.is, v)) && !slices.Contains(op.isNot, v)
	if ok && op.contains != nil {
		ok = slices.ContainsFunc(op.contains, func(part string) bool { return strings.Contains(v, part) })
	}
	if ok && op.cmp != nil {
		x, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return result{truth: noData, why: "not_a_number:" + op.name}
		}
		ok = op.cmp.holds(x)
	}
	if ok {
		return result{truth: yes}
	}
	return result{}
}

func metaField(m *schemas.Meta, name string) string {
	switch name {
	case "channel":
		return m.Channel
	case "source":
		return m.Source
	case "shop":
		return m.Shop
	case "business":
		return m.Business
	case "skill_group":
		return m.SkillGroup
	case "product":
		return m.Product
	case "customer_id":
		return m.CustomerID
	case "agent_id":
		return m.AgentID
	case "agent_name":
		return m.AgentName
	case "team":
		return m.Team
	}
	return m.Attributes[strings.TrimPrefix(name, attributePrefix)]
}
