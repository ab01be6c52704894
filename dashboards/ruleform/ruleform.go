// Package ruleform is the rule language for people who fill in forms: eight common kinds of rules as data, so that a page
// can draw a form for each, and the YAML of a rule made from the values, or changed by them so that comments and
// everything else in the pack stay as they are.
//
// A form is a list of fields, each with the path in the rule that it writes, and parts that are always the same. So the
// same description makes a rule, finds out whether a rule is one of the form, and reads its values. It must not import the
// API or the warehouse.
package ruleform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Types of fields.
const (
	Text     = "text"
	Words    = "words" // list of texts
	Int      = "int"
	Number   = "number"
	Seconds  = "seconds"
	Choice   = "choice"
	Choices  = "choices" // list of values of Enum
	Steps    = "steps"   // list of Step
	Examples = "tests"   // list of Example
)

// Field is one entry of a form.
type Field struct {
	Name     string   `json:"name"`
	Label    Label    `json:"label"`
	Type     string   `json:"type" enum:"text,words,int,number,seconds,choice,choices,steps,tests"`
	Enum     []string `json:"enum,omitempty"`
	Required bool     `json:"required"`
	Default  any      `json:"default,omitempty"`
	Min      float64  `json:"min,omitempty"`
	Max      float64  `json:"max,omitempty"`
	Help     Label    `json:"help,omitzero"`
	path     string
}

// Label is a text in both languages.
type Label struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Form is a kind of rule.
type Form struct {
	ID     string  `json:"id"`
	Label  Label   `json:"label"`
	Help   Label   `json:"help"`
	Fields []Field `json:"fields"`
	// Example fills the form; the rule made from it is valid and its tests hold.
	Example Values `json:"example"`
	fixed   [][2]string
	// either names fields of which exactly one is needed.
	either []string
	// with are fixed parts that go with a field: they are written where it has a value.
	with map[string][][2]string
}

// Values are what was filled in, by the name of the field: texts, numbers, lists, []Step, []Example as JSON decodes them.
type Values map[string]any

// Step is a step of a process.
type Step struct {
	Name     string   `json:"name" yaml:"name"`
	Words    []string `json:"words" yaml:"-"`
	Optional bool     `json:"optional,omitempty" yaml:"-"`
}

// Example is a small conversation that a rule is tested with.
type Example struct {
	Want  string        `json:"want"`
	Name  string        `json:"name,omitempty"`
	Turns []ExampleTurn `json:"turns"`
}

// ExampleTurn is an utterance of an example.
type ExampleTurn struct {
	Role    string `json:"role"`
	Text    string `json:"text"`
	At      string `json:"at,omitempty"`      // such as 90s
	Emotion string `json:"emotion,omitempty"` // stated rather than recognised
}

// Error is a value that does not fit.
type Error struct {
	Field   string
	Problem string
}

func (e *Error) Error() string { return e.Field + ": " + e.Problem }

// Find gives a form by its id.
func Find(id string) (*Form, bool) {
	i := slices.IndexFunc(forms, func(f Form) bool { return f.ID == id })
	if i < 0 {
		return nil, false
	}
	return &forms[i], true
}

// Forms lists the forms in the order in which people are offered them. The result must not be changed.
func Forms() []Form { return forms }

// Rule makes the YAML of a rule from the values, as an entry of the list rules of a pack.
func (f *Form) Rule(v Values) (string, error) {
	set, err := f.assign(v)
	if err != nil {
		return "", err
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, a := range set {
		if a.value != nil {
			put(root, strings.Split(a.path, "/"), a.value)
		}
	}
	return encode(root)
}

// Apply puts the rule into the text of a pack: a rule of that id is changed where its values differ, else a new one is
// added at the end. What the form does not speak of, comments too, stays.
func (f *Form) Apply(pack []byte, v Values) ([]byte, error) {
	set, err := f.assign(v)
	if err != nil {
		return nil, err
	}
	id, _ := v["id"].(string)
	old, err := find(pack, id)
	if err != nil {
		return nil, err
	}
	if old == nil {
		rule, err := f.Rule(v)
		if err != nil {
			return nil, err
		}
		any, err := hasRules(pack)
		if err != nil {
			return nil, err
		}
		if !any {
			return rules.Patch(pack, "rules", "- "+strings.ReplaceAll(strings.TrimRight(rule, "\n"), "\n", "\n  "))
		}
		return rules.Patch(pack, "rules/-", rule)
	}
	if _, ok := f.Read(old); !ok {
		return nil, &Error{"id", fmt.Sprintf("the rule %s is not one of this form; change its text, or take another id", id)}
	}
	for _, a := range set {
		if old, err = find(pack, id); err != nil { // as it is now
			return nil, err
		}
		path, value, change := difference(old, strings.Split(a.path, "/"), a.value)
		if !change {
			continue
		}
		text := ""
		if value != nil {
			if text, err = encode(value); err != nil {
				return nil, err
			}
		}
		if pack, err = rules.Patch(pack, "rules/"+id+"/"+path, strings.TrimRight(text, "\n")); err != nil {
			return nil, err
		}
	}
	return pack, nil
}

// Read gives the values of a rule; false where it is no rule of this form: where it says anything the form does not.
func (f *Form) Read(rule *yaml.Node) (Values, bool) {
	rest := flatten(rule)
	v := Values{}
	for _, p := range f.fixed {
		got, ok := rest[p[0]]
		if !ok || got.Value != p[1] {
			return nil, false
		}
		delete(rest, p[0])
	}
	for _, x := range f.Fields {
		n, key := lookup(rest, x.path)
		if n == nil {
			continue
		}
		value, ok := x.read(n)
		if !ok {
			return nil, false
		}
		v[x.Name] = value
		delete(rest, key)
		for _, p := range f.with[x.Name] {
			if got, ok := rest[p[0]]; !ok || got.Value != p[1] {
				return nil, false
			}
			delete(rest, p[0])
		}
	}
	if len(rest) > 0 {
		return nil, false
	}
	for _, x := range f.Fields {
		if x.Required && v[x.Name] == nil {
			return nil, false
		}
	}
	return v, len(f.either) == 0 || slices.ContainsFunc(f.either, func(n string) bool { return v[n] != nil })
}

// Recognise finds the form of a rule of a pack and its values; nil where there is none.
func Recognise(pack []byte, id string) (*Form, Values, error) {
	n, err := find(pack, id)
	if err != nil || n == nil {
		return nil, nil, err
	}
	for i := range forms {
		if v, ok := forms[i].Read(n); ok {
			return &forms[i], v, nil
		}
	}
	return nil, nil, nil
}

// assignment is a path of the rule and the value it is to have, nil for none.
type assignment struct {
	path  string
	value *yaml.Node
}

// assign checks the values and gives what the rule is to say, in the order of the form.
func (f *Form) assign(v Values) ([]assignment, error) {
	for name := range v {
		if !slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Name == name }) {
			return nil, &Error{name, "the form has no such field"}
		}
	}
	given := 0
	for _, n := range f.either {
		if !empty(v[n]) {
			given++
		}
	}
	if len(f.either) > 0 && given != 1 {
		return nil, &Error{f.either[0], "give one of " + strings.Join(f.either, ", ")}
	}
	var out []assignment
	fixed := f.fixed
	for _, x := range f.Fields {
		if x.Name == "tests" { // the fixed parts come before the tests
			for _, p := range fixed {
				out = append(out, assignment{p[0], scalar(p[1])})
			}
			fixed = nil
		}
		value := v[x.Name]
		if empty(value) {
			value = x.Default
		}
		if empty(value) {
			if x.Required {
				return nil, &Error{x.Name, "is needed"}
			}
			out = append(out, assignment{x.path, nil})
			for _, p := range f.with[x.Name] {
				out = append(out, assignment{p[0], nil})
			}
			continue
		}
		n, err := x.node(value)
		if err != nil {
			return nil, err
		}
		for _, p := range f.with[x.Name] {
			out = append(out, assignment{p[0], scalar(p[1])})
		}
		out = append(out, assignment{x.path, n})
	}
	return out, nil
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(x) == ""
	case []any:
		return len(x) == 0
	case []string:
		return len(x) == 0
	case []Step:
		return len(x) == 0
	case []Example:
		return len(x) == 0
	}
	return false
}

const (
	maxText = 500
	maxList = 500
)

// plain says whether a text is short, on one line and without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' })
}

// node makes the YAML of a value.
func (x *Field) node(v any) (*yaml.Node, error) {
	bad := func(format string, args ...any) (*yaml.Node, error) {
		return nil, &Error{x.Name, fmt.Sprintf(format, args...)}
	}
	switch x.Type {
	case Text, Choice:
		s, ok := v.(string)
		if !ok || !plain(s) {
			return bad("is no text on one line of at most %d characters", maxText)
		}
		if x.Type == Choice && !slices.Contains(x.Enum, s) {
			return bad("%q is none of %s", s, strings.Join(x.Enum, ", "))
		}
		if x.Name == "id" && (strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || s[0] < 'a') {
			return bad("takes small letters, digits and _, a letter first")
		}
		return scalar(strings.TrimSpace(s)), nil
	case Int, Number, Seconds:
		n, ok := number(v)
		if !ok || n < x.Min || x.Max != x.Min && n > x.Max || x.Type == Int && n != float64(int(n)) {
			return bad("is no number from %g to %g", x.Min, x.Max)
		}
		s := strconv.FormatFloat(n, 'f', -1, 64)
		if x.Type == Seconds {
			s += "s"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Value: s}, nil
	case Words, Choices:
		list, ok := texts(v)
		if !ok || len(list) > maxList {
			return bad("is no list of at most %d texts", maxList)
		}
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, s := range list {
			s = strings.TrimSpace(s)
			switch {
			case s == "" || !plain(s):
				return bad("holds an empty text, one longer than %d characters or one of several lines", maxText)
			case x.Type == Choices && !slices.Contains(x.Enum, s):
				return bad("%q is none of %s", s, strings.Join(x.Enum, ", "))
			}
			n.Content = append(n.Content, scalar(s))
		}
		return n, nil
	case Steps:
		return stepsNode(v, bad)
	case Examples:
		return examplesNode(v, bad)
	}
	return bad("has an unknown type")
}

// read gives the value of a node, in the form in which node takes it.
func (x *Field) read(n *yaml.Node) (any, bool) {
	switch x.Type {
	case Text:
		return n.Value, n.Kind == yaml.ScalarNode
	case Choice:
		return n.Value, n.Kind == yaml.ScalarNode && slices.Contains(x.Enum, n.Value)
	case Int, Number, Seconds:
		s := n.Value
		if x.Type == Seconds {
			var ok bool
			if s, ok = strings.CutSuffix(s, "s"); !ok {
				return nil, false
			}
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && n.Kind == yaml.ScalarNode
	case Words, Choices:
		if n.Kind == yaml.ScalarNode && n.Value != "" { // one word without a list
			return []string{n.Value}, true
		}
		if n.Kind != yaml.SequenceNode {
			return nil, false
		}
		var list []string
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode || x.Type == Choices && !slices.Contains(x.Enum, c.Value) {
				return nil, false
			}
			list = append(list, c.Value)
		}
		return list, true
	case Steps:
		return readSteps(n)
	case Examples:
		return readExamples(n)
	}
	return nil, false
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, n-n == 0
	case int:
		return float64(n), true
	}
	return 0, false
}

func texts(v any) ([]string, bool) {
	switch list := v.(type) {
	case []string:
		return list, true
	case []any:
		out := make([]string, len(list))
		for i, x := range list {
			s, ok := x.(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

// emotions that people may be in, for the forms.
func emotions() []string { return schemas.EmotionKeys() }
