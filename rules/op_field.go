package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

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
	if f.get("name") == nil {
		d.errorf(n, "", "field needs name")
	} else {
		op.name = d.fieldName(f.get("name"), "field.name")
	}
	op.is, op.isNot, op.contains = d.strs(f.get("is"), "field.is"), d.strs(f.get("is_not"), "field.is_not"), d.strs(f.get("contains"), "field.contains")
	if v := f.get("exists"); v != nil {
		b := d.boolean(v, "field.exists", true)
		op.exists = &b
	}
	if compares(f) {
		c := d.compare(f, "field", d.number)
		op.cmp = &c
	}
	if op.is == nil && op.isNot == nil && op.contains == nil && op.exists == nil && op.cmp == nil {
		d.errorf(n, "is, is_not, contains, exists, over, under, at_least or at_most", "field has nothing to compare with")
	}
	return op
}

// fieldName reads the name of a field of the session.
func (d *decoder) fieldName(n *yaml.Node, what string) string {
	name := d.str(n, what)
	switch {
	case name == "" || slices.Contains(fieldNames, name) || strings.HasPrefix(name, attributePrefix) && len(name) > len(attributePrefix):
	case strings.HasPrefix(name, factPrefix):
		if _, ok := factOf(&schemas.Facts{}, strings.TrimPrefix(name, factPrefix)); !ok {
			d.errorf(n, didYouMean(strings.TrimPrefix(name, factPrefix), factNames), "there is no fact of this name")
		}
	default:
		d.errorf(n, didYouMean(name, append([]string{"attributes.NAME", "facts.NAME"}, fieldNames...)), "sessions have no field of this name")
	}
	return name
}

func (op *fieldOp) literals() ([]int32, bool) { return nil, false }

func (op *fieldOp) eval(e *evaluation, _ scope) result {
	v, why := e.field(op.name)
	if why == whyOpen {
		return result{truth: open}
	}
	value := func() string {
		if v == "" {
			return "no value"
		}
		return quote(v)
	}
	if op.exists != nil && (v != "") != *op.exists {
		return e.told(result{}, value)
	}
	if v == "" {
		if op.exists != nil && op.is == nil && op.contains == nil && op.cmp == nil && op.isNot == nil {
			return e.told(result{truth: yes}, value)
		}
		return result{truth: noData, why: why}
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
		return e.told(result{truth: yes}, value)
	}
	return e.told(result{}, value)
}

// field gives the value of a field of the session; why is set where there is none. Facts of a session that is still
// going on are not final.
func (e *evaluation) field(name string) (v, why string) {
	fact, ok := strings.CutPrefix(name, factPrefix)
	if !ok {
		if v = metaField(&e.t.Meta, name); v == "" {
			why = "no_field:" + name
		}
		return v, why
	}
	switch {
	case !e.closed:
		return "", whyOpen
	case e.f == nil || e.f.Facts == nil:
		return "", "no_facts"
	}
	if v, _ = factOf(e.f.Facts, fact); v == "" {
		why = "no_field:" + name
	}
	return v, why
}

// factPrefix names timings and counts of the conversation, such as facts.avg_reply_ms.
const factPrefix = "facts."

var factNames = []string{
	"turns", "customer_turns", "agent_turns", "bot_turns", "rounds", "unanswered_rounds", "duration_ms", "first_reply_ms", "avg_reply_ms", "max_reply_ms",
	"agent_talk_share", "silence_ms", "overlap_ms",
}

// factOf gives a fact by its name in the analysed session, "" where it is not known for this session.
func factOf(f *schemas.Facts, name string) (v string, ok bool) {
	whole := func(x schemas.Opt[int64]) string {
		if !x.OK {
			return ""
		}
		return strconv.FormatInt(x.V, 10)
	}
	real := func(x schemas.Opt[float64]) string {
		if !x.OK {
			return ""
		}
		return strconv.FormatFloat(x.V, 'g', -1, 64)
	}
	switch name {
	case "turns":
		return strconv.Itoa(f.Turns), true
	case "customer_turns":
		return strconv.Itoa(f.CustomerTurns), true
	case "agent_turns":
		return strconv.Itoa(f.AgentTurns), true
	case "bot_turns":
		return strconv.Itoa(f.BotTurns), true
	case "rounds":
		return strconv.Itoa(f.Rounds), true
	case "unanswered_rounds":
		return strconv.Itoa(f.Unanswered), true
	case "duration_ms":
		return whole(f.DurationMS), true
	case "first_reply_ms":
		return whole(f.FirstReplyMS), true
	case "avg_reply_ms":
		return real(f.AvgReplyMS), true
	case "max_reply_ms":
		return whole(f.MaxReplyMS), true
	case "agent_talk_share":
		return real(f.TalkShare), true
	case "silence_ms":
		return whole(f.SilenceMS), true
	case "overlap_ms":
		return whole(f.OverlapMS), true
	}
	return "", false
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
