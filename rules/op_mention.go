package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// mentionOp finds opinion mentions by what they are, or by the opinion they belong to.
type mentionOp struct {
	kinds, aspects, polarities []string
	products                   []string
	valuable                   *bool
	// opinions are ids of the opinion registry; min is how well the mention fits its opinion.
	opinions []string
	min      float32
	marks    []int32
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
	op.narrow(d, f, "mention")
	op.wake(d)
	return op
}

// narrow reads the keys that mention and opinion share.
func (op *mentionOp) narrow(d *decoder, f fields, what string) {
	op.polarities = d.known(f.get("polarity"), what+".polarity", schemas.Negative, schemas.NeutralPolarity, schemas.Positive)
	op.products = d.strs(f.get("product"), what+".product")
	if v := f.get("valuable"); v != nil {
		b := d.boolean(v, what+".valuable", true)
		op.valuable = &b
	}
}

// wake names the marks of the kinds looked for: of all where any will do.
func (op *mentionOp) wake(d *decoder) {
	kinds := op.kinds
	if len(kinds) == 0 {
		kinds = schemas.Kinds
	}
	for _, k := range kinds {
		op.marks = append(op.marks, d.words.id(kindMark(k)))
	}
}

// parseKind reads kind: [complaint], short for mention: {kind: [complaint]}.
func parseKind(d *decoder, n *yaml.Node, _ bool) operator {
	op := &mentionOp{kinds: d.known(n, "kind", schemas.Kinds...)}
	op.wake(d)
	return op
}

// parseAspect reads aspect: [price], short for mention: {aspect: [price]}.
func parseAspect(d *decoder, n *yaml.Node, _ bool) operator {
	op := &mentionOp{aspects: d.known(n, "aspect", schemas.Aspects...)}
	op.wake(d)
	return op
}

func parseOpinion(d *decoder, n *yaml.Node, _ bool) operator {
	op := &mentionOp{}
	list := n
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "opinion", "id", "min", "polarity", "product", "valuable")
		if list = f.get("id"); list == nil {
			d.errorf(n, "opinion: {id: [16 hex digits]}, as `opinions list` prints it", "opinion needs id")
			return op
		}
		op.min = float32(d.float(f.get("min"), "opinion.min", 0, 1))
		op.narrow(d, f, "opinion")
	}
	for _, it := range d.items(list, "opinion") {
		id := strings.ToLower(d.str(it, "opinion"))
		if id != "" && !isOpinionID(id) {
			d.errorf(it, "16 hex digits, as `opinions list` prints them", "not the id of an opinion")
			continue
		}
		op.opinions = append(op.opinions, id)
	}
	op.wake(d)
	return op
}

func isOpinionID(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

func (op *mentionOp) literals() ([]int32, bool) { return op.marks, true }

func (op *mentionOp) holds(m *schemas.TurnMention) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(op.kinds, m.Kind) && in(op.aspects, m.Aspect) && in(op.polarities, m.Polarity) && in(op.products, m.Product) &&
		(op.valuable == nil || *op.valuable == m.Valuable)
}

// whyOpinionWaiting: a mention has not been assigned to an opinion yet, so it may be one of those looked for.
const whyOpinionWaiting = "opinion_waiting"

func (op *mentionOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	var hits []hit
	missing := ""
	for _, i := range s.turns {
		for k := range e.f.Turns[i].Mentions {
			m := &e.f.Turns[i].Mentions[k]
			if !op.holds(m) {
				continue
			}
			if op.opinions != nil {
				if m.OpinionID == "" {
					missing = whyOpinionWaiting
					continue
				}
				if m.OpinionScore < op.min || !slices.Contains(op.opinions, m.OpinionID) {
					continue
				}
			}
			hits = append(hits, hit{turn: i, start: int32(m.Start), end: int32(m.End), masked: true})
		}
	}
	return e.told(findings(s, hits, missing), func() string { return e.mentionsOf(s) })
}

// mentionsOf lists the mentions of some turns for people.
func (e *evaluation) mentionsOf(s scope) string {
	const most = 8
	var parts []string
	for _, i := range s.turns {
		for k := range e.f.Turns[i].Mentions {
			m := &e.f.Turns[i].Mentions[k]
			if len(parts) == most {
				return strings.Join(append(parts, "…"), ", ")
			}
			part := fmt.Sprintf("「%s」 %s %s", quote(m.Text), m.Kind, m.Aspect)
			if m.OpinionID != "" {
				part += fmt.Sprintf(" opinion %s %.2f", m.OpinionID, m.OpinionScore)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "no mentions"
	}
	return strings.Join(parts, ", ")
}
