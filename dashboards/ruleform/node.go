package ruleform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar is a text, quoted where it would otherwise be read as something else.
func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func mapping(flow bool, pairs ...*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Content: pairs}
	if flow {
		n.Style = yaml.FlowStyle
	}
	return n
}

func encode(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return "", fmt.Errorf("cannot write the rule: %w", err)
	}
	return b.String(), e.Close()
}

// put sets the value of a path, making the mappings on the way; those below the first level are written in one line.
func put(root *yaml.Node, path []string, value *yaml.Node) {
	for i, key := range path {
		next := child(root, key)
		last := i == len(path)-1
		switch {
		case next != nil && last:
			*next = *value
		case next == nil:
			next = value
			if !last {
				next = mapping(i > 0)
			}
			root.Content = append(root.Content, scalar(key), next)
		}
		root = next
	}
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// find gives the rule of an id in the text of a pack, nil for none.
func find(pack []byte, id string) (*yaml.Node, error) {
	root, err := read(pack)
	if err != nil {
		return nil, err
	}
	list := child(root, "rules")
	if list == nil {
		return nil, nil
	}
	for _, n := range list.Content {
		if v := child(n, "id"); v != nil && v.Value == id {
			return n, nil
		}
	}
	return nil, nil
}

// hasRules says whether the pack has any rule.
func hasRules(pack []byte) (bool, error) {
	root, err := read(pack)
	if err != nil {
		return false, err
	}
	n := child(root, "rules")
	return n != nil && n.Kind == yaml.SequenceNode && len(n.Content) > 0, nil
}

func read(pack []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(pack, &doc); err != nil {
		return nil, fmt.Errorf("the pack cannot be read: %w", err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("the pack is empty")
	}
	return doc.Content[0], nil
}

// flatten gives the values of a rule by path; lists are values.
func flatten(n *yaml.Node) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		if n.Kind != yaml.MappingNode {
			out[path] = n
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			p := n.Content[i].Value
			if path != "" {
				p = path + "/" + p
			}
			walk(n.Content[i+1], p)
		}
	}
	walk(n, "")
	return out
}

// shortFor are the keys that a plain value stands for.
var shortFor = []string{"any", "to"}

// lookup finds the value of a path, also where it is written short: a list instead of {any: a list}.
func lookup(values map[string]*yaml.Node, path string) (*yaml.Node, string) {
	if n := values[path]; n != nil {
		return n, path
	}
	if cut := strings.LastIndex(path, "/"); cut > 0 && slices.Contains(shortFor, path[cut+1:]) {
		if n := values[path[:cut]]; n != nil {
			return n, path[:cut]
		}
	}
	return nil, ""
}

// difference says which path of a rule must be set to which value so that the value of path is the wanted one, nil to
// remove it; change is false where it is so already.
func difference(rule *yaml.Node, path []string, want *yaml.Node) (at string, value *yaml.Node, change bool) {
	var trail []*yaml.Node // the nodes on the way, the rule first
	n := rule
	for i, key := range path {
		trail = append(trail, n)
		next := child(n, key)
		if next == nil {
			if want == nil {
				return "", nil, false
			}
			value = want
			for j := len(path) - 1; j > i; j-- { // what is not there yet hangs below the first key that is missing
				value = mapping(true, scalar(path[j]), value)
			}
			return strings.Join(path[:i+1], "/"), value, true
		}
		if next.Kind != yaml.MappingNode && i < len(path)-1 {
			if i != len(path)-2 || !slices.Contains(shortFor, path[i+1]) {
				return strings.Join(path, "/"), want, want != nil // Patch says why it cannot be
			}
			path, n = path[:i+1], next // written short
			break
		}
		n = next
	}
	if want == nil {
		// A mapping that would be left empty goes too.
		i := len(path) - 1
		for i > 0 && len(trail[i].Content) == 2 {
			i--
		}
		return strings.Join(path[:i+1], "/"), nil, true
	}
	return strings.Join(path, "/"), want, !same(n, want)
}

// same compares values, however they are written.
func same(a, b *yaml.Node) bool {
	var x, y any
	if a.Decode(&x) != nil || b.Decode(&y) != nil {
		return false
	}
	i, err := json.Marshal(x)
	j, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(i, j)
}

// recode brings what JSON decoded into a type.
func recode(v, into any) bool {
	b, err := json.Marshal(v)
	return err == nil && json.Unmarshal(b, into) == nil
}

type badValue func(format string, args ...any) (*yaml.Node, error)

func stepsNode(v any, bad badValue) (*yaml.Node, error) {
	var steps []Step
	if !recode(v, &steps) || len(steps) < 2 || len(steps) > 20 {
		return bad("takes 2 to 20 steps with a name and words")
	}
	out := &yaml.Node{Kind: yaml.SequenceNode}
	for i, s := range steps {
		words := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, w := range s.Words {
			if w = strings.TrimSpace(w); w != "" {
				words.Content = append(words.Content, scalar(w))
			}
		}
		if strings.TrimSpace(s.Name) == "" || !plain(s.Name) || len(words.Content) == 0 || slices.ContainsFunc(s.Words, func(w string) bool { return !plain(w) }) {
			return bad("step %d has no name or no words", i+1)
		}
		n := mapping(true, scalar("name"), scalar(strings.TrimSpace(s.Name)),
			scalar("do"), mapping(true, scalar("in"), mapping(true, scalar("role"), scalar("agent")), scalar("keyword"), words))
		if s.Optional {
			n.Content = append(n.Content, scalar("optional"), &yaml.Node{Kind: yaml.ScalarNode, Value: "yes"})
		}
		out.Content = append(out.Content, n)
	}
	return out, nil
}

func readSteps(n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		return nil, false
	}
	var out []Step
	for _, c := range n.Content {
		rest := flatten(c)
		var s Step
		for key, v := range rest {
			switch key {
			case "name":
				s.Name = v.Value
			case "optional":
				s.Optional = v.Value == "yes" || v.Value == "true"
			case "do/in/role":
				if v.Value != "agent" {
					return nil, false
				}
			case "do/keyword", "do/keyword/any":
				if v.Kind != yaml.SequenceNode || v.Decode(&s.Words) != nil {
					return nil, false
				}
			default:
				return nil, false
			}
		}
		if rest["do/in/role"] == nil || len(s.Words) == 0 {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// roles of a test in a pack, as people there write them.
var roles = map[string]string{"customer": "客户", "agent": "客服", "bot": "机器人", "system": "系统"}

func examplesNode(v any, bad badValue) (*yaml.Node, error) {
	var list []Example
	if !recode(v, &list) || len(list) > 50 {
		return bad("takes at most 50 conversations with what is wanted of them")
	}
	out := &yaml.Node{Kind: yaml.SequenceNode}
	for i, x := range list {
		if !slices.Contains([]string{"pass", "fail", "na", "present", "absent"}, x.Want) || len(x.Turns) == 0 || len(x.Turns) > 100 || !plain(x.Name) {
			return bad("test %d wants none of pass, fail, na, present, absent, or has no turns", i+1)
		}
		turns := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, t := range x.Turns {
			role, ok := roles[t.Role]
			if !ok || !plain(t.Text) || !plain(t.At) || !plain(t.Emotion) {
				return bad("test %d has a turn of nobody, or one that is too long or has several lines", i+1)
			}
			n := mapping(true, scalar(role), scalar(t.Text))
			if t.At != "" {
				n.Content = append(n.Content, scalar("at"), scalar(t.At))
			}
			if t.Emotion != "" {
				n.Content = append(n.Content, scalar("emotion"), scalar(t.Emotion))
			}
			turns.Content = append(turns.Content, n)
		}
		n := mapping(true, scalar("want"), scalar(x.Want))
		if x.Name != "" {
			n.Content = append(n.Content, scalar("name"), scalar(x.Name))
		}
		n.Content = append(n.Content, scalar("turns"), turns)
		out.Content = append(out.Content, n)
	}
	return out, nil
}

func readExamples(n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		return nil, false
	}
	byName := map[string]string{}
	for role, name := range roles {
		byName[name], byName[role] = role, role
	}
	out := []Example{}
	for _, c := range n.Content {
		var x Example
		for i := 0; i+1 < len(c.Content); i += 2 {
			switch key, v := c.Content[i].Value, c.Content[i+1]; key {
			case "want":
				x.Want = v.Value
			case "name":
				x.Name = v.Value
			case "turns":
				for _, t := range v.Content {
					var turn ExampleTurn
					for j := 0; j+1 < len(t.Content); j += 2 {
						switch k, w := t.Content[j].Value, t.Content[j+1].Value; {
						case k == "at":
							turn.At = w
						case k == "emotion":
							turn.Emotion = w
						case byName[k] != "":
							turn.Role, turn.Text = byName[k], w
						default:
							return nil, false
						}
					}
					x.Turns = append(x.Turns, turn)
				}
			default:
				return nil, false // a test that says more than the form can show
			}
		}
		out = append(out, x)
	}
	return out, true
}
