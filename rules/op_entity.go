package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entityOp finds entities and masked personal data by type, all of them or those whose value compares as asked.
type entityOp struct {
	types []string
	none  bool
	tests []entityTest
	marks []int32
}

// entityTest compares the value of an entity with a value or with a field of the session.
type entityTest struct {
	key    string // is, is_not, over, under, at_least, at_most
	values []string
	field  string
}

func parseEntity(d *decoder, n *yaml.Node, _ bool) operator {
	op := &entityOp{}
	list := n
	if n.Kind == yaml.MappingNode {
		keys := append([]string{"is", "is_not"}, compareKeys...)
		f, _ := d.mapping(n, "entity", append([]string{"type", "none"}, keys...)...)
		if list = f.get("type"); list == nil {
			d.errorf(n, "entity: {type: amount, is_not: {field: attributes.price}}", "entity needs type")
			return op
		}
		op.none = d.boolean(f.get("none"), "entity.none", false)
		for _, key := range keys {
			if v := f.get(key); v != nil {
				op.tests = append(op.tests, d.entityTest(v, key))
			}
		}
	}
	op.types = d.strs(list, "entity")
	for _, t := range op.types {
		op.marks = append(op.marks, d.words.id(entityMark(t)))
	}
	return op
}

func (d *decoder) entityTest(n *yaml.Node, key string) entityTest {
	t := entityTest{key: key}
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "entity."+key, "field")
		if f.get("field") == nil {
			d.errorf(n, "{field: attributes.price}", "entity.%s needs a value or a field", key)
			return t
		}
		t.field = d.fieldName(f.get("field"), "entity."+key+".field")
		return t
	}
	t.values = d.strs(n, "entity."+key)
	if key != "is" && key != "is_not" {
		if len(t.values) != 1 {
			d.errorf(n, "", "entity.%s takes one number", key)
			return t
		}
		if _, ok := numberIn(t.values[0]); !ok {
			d.errorf(n, "such as 100", "entity.%s must be a number", key)
		}
	}
	return t
}

func (op *entityOp) literals() ([]int32, bool) { return op.marks, !op.none }

// whyMasked: the value is personal data that was masked, so that nothing can be compared with it.
const whyMasked = "masked"

func (op *entityOp) eval(e *evaluation, s scope) result {
	if e.noFeatures {
		return result{truth: noData, why: whyNoFeatures}
	}
	var hits, seen []hit
	missing := ""
	for _, i := range s.turns {
		for _, x := range e.f.Turns[i].Entities {
			if !slices.Contains(op.types, x.Type) {
				continue
			}
			h := hit{turn: i, start: int32(x.Start), end: int32(x.End), masked: true}
			if e.explaining {
				seen = append(seen, h)
			}
			ok := true
			for k := range op.tests {
				holds, why := op.tests[k].holds(e, h)
				if why != "" {
					missing = why
				}
				ok = ok && holds
			}
			if ok {
				hits = append(hits, h)
			}
		}
	}
	value := func() string {
		if len(seen) == 0 {
			return "none found"
		}
		return "found " + e.quoted(seen)
	}
	if !op.none {
		return e.told(findings(s, hits, missing), value)
	}
	switch {
	case len(hits) > 0:
		return e.told(result{}, value)
	case missing != "":
		return result{truth: noData, why: missing}
	case !s.complete:
		return result{truth: open}
	}
	return e.told(result{truth: yes}, value)
}

// holds compares the text of an entity; why says what data is missing.
func (t *entityTest) holds(e *evaluation, h hit) (ok bool, why string) {
	text := e.t.Turns[h.turn].Text
	start, end := runeBorders(text, int(h.start), int(h.end))
	said := strings.TrimSpace(text[start:end])
	if strings.HasPrefix(said, "[") {
		return false, whyMasked
	}
	values := t.values
	if t.field != "" {
		v, why := e.field(t.field)
		if why != "" {
			return false, why
		}
		values = listed(v)
	}
	x, numeric := numberIn(said)
	switch t.key {
	case "is", "is_not":
		found := false
		for _, v := range values {
			if y, ok := numberIn(v); numeric && ok {
				found = found || x == y
			} else {
				found = found || foldText(said) == foldText(v)
			}
		}
		return found == (t.key == "is"), ""
	}
	if !numeric {
		return false, "not_a_number:entity"
	}
	if len(values) != 1 {
		return false, "not_a_number:" + t.field
	}
	y, ok := numberIn(values[0])
	if !ok {
		return false, "not_a_number:" + t.field
	}
	switch t.key {
	case "over":
		return x > y, ""
	case "under":
		return x < y, ""
	case "at_least":
		return x >= y, ""
	}
	return x <= y, ""
}

// listed splits the value of a field: a JSON list of texts or numbers, or values parted by commas; a comma between
// digits that groups thousands parts nothing.
func listed(v string) []string {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "[") {
		var raw []any
		if json.Unmarshal([]byte(v), &raw) == nil {
			out := make([]string, len(raw))
			for i, x := range raw {
				out[i] = fmt.Sprint(x)
			}
			return out
		}
	}
	if _, ok := numberIn(v); ok && !strings.ContainsAny(v, " ，、;；") {
		return []string{v}
	}
	return strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(",，、;；", r) })
}
