package rules

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// exampleNames lists the example packs in a fixed order.
func exampleNames(packs map[string][]byte) []string {
	names := make([]string, 0, len(packs))
	for name := range packs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// TestOperatorsSayWhatTheyMeasured: explained over the tests of its page, every operator fills in a value, and its truth
// is the same as unexplained.
func TestOperatorsSayWhatTheyMeasured(t *testing.T) {
	packs := examples(t)
	for _, name := range Operators() {
		s := loadEncoded(t, string(packs["docs/"+name]))
		said := 0
		for _, r := range s.rules {
			for _, c := range []*condition{r.trigger, r.expect, r.forbid} {
				for _, leaf := range leavesOf(c, name) {
					for i, x := range r.tests {
						tr, f := x.session(fmt.Sprint(i), Literal{})
						e := pool.New().(*evaluation)
						e.start(s, tr, f)
						e.scan()
						a, ok := leaf.op.(anchoredOperator)
						eval := func() result {
							if ok {
								return a.evalAnchored(e, e.role(maskAny), nil)
							}
							return leaf.op.eval(e, e.role(maskAny))
						}
						plain := eval()
						e.explaining = true
						told := eval()
						if plain.truth != told.truth || plain.why != told.why || fmt.Sprint(plain.hits) != fmt.Sprint(told.hits) {
							t.Errorf("%s: explained %v, else %v", name, told, plain)
						}
						if plain.value != "" && name != "process" {
							t.Errorf("%s: value %q without being asked", name, plain.value)
						}
						if told.value != "" {
							said++
						} else if told.truth == yes || told.truth == no && told.why == "" && !ok {
							t.Errorf("%s, test %d of %s: %v without a value", name, i+1, r.id, told)
						}
					}
				}
			}
		}
		if said == 0 {
			t.Errorf("%s never says what it measured", name)
		}
	}
}

// leavesOf finds the conditions of one operator.
func leavesOf(c *condition, name string) []*condition {
	if c == nil {
		return nil
	}
	var out []*condition
	if c.op != nil {
		if c.key == name {
			out = append(out, c)
		}
		if x, ok := c.op.(nestingOperator); ok {
			for _, k := range x.conditions() {
				out = append(out, leavesOf(k, name)...)
			}
		}
	}
	for _, k := range c.kids {
		out = append(out, leavesOf(k, name)...)
	}
	return append(out, leavesOf(c.unless, name)...)
}

// hostile are sessions with what should not be there: spans outside texts, times backwards, no words, no turns.
func hostile(t testing.TB) ([]*schemas.Transcript, []*schemas.Features) {
	t.Helper()
	var ts []*schemas.Transcript
	var fs []*schemas.Features
	add := func(tr *schemas.Transcript, change func(*schemas.Features)) {
		f := Literal{}.Features(tr)
		if change != nil {
			change(f)
		}
		ts, fs = append(ts, tr), append(fs, f)
	}
	talk := []string{"客户: 在吗？面膜用了过敏，要赔三百块！", "客服: ", "客服: 您好，请稍等，加v+qq聊😀", "客户: 为什么贵 kg 1,299.5万点", "系统: x", "客服: 您好，请稍等，加v+qq聊"}
	add(chat(talk...), nil)
	add(&schemas.Transcript{Closed: true}, nil)
	open := chat(talk...)
	open.Closed = false
	add(open, func(f *schemas.Features) { f.Facts = &schemas.Facts{} })
	bad := chat(talk...)
	for i := range bad.Turns {
		bad.Turns[i].StartMS, bad.Turns[i].EndMS = schemas.Some(int64(1000-i*300)), schemas.Some(int64(-i))
	}
	bad.Meta.Attributes = map[string]string{"price": "[1,", "level": "\xff"}
	add(bad, func(f *schemas.Features) {
		f.Facts = &schemas.Facts{}
		for i := range f.Turns {
			f.Turns[i].Cut = schemas.CutWords{{Start: 1, End: 90}, {Start: -1, End: 2}}
			f.Turns[i].Emotion = schemas.Emotion(i * 40)
			f.Turns[i].Mentions = []schemas.TurnMention{{Kind: "complaint", Aspect: "price", Start: -3, End: 9999, OpinionID: "7c1d5e9a3b2f4068"}}
			f.Turns[i].Entities = []schemas.Entity{{Type: "amount", Start: 2, End: 1}, {Type: "amount", Start: 1, End: 500}}
		}
	})
	ts, fs = append(ts, chat(talk...)), append(fs, nil)
	// Everything that the examples say, so that whatever a rule waits for occurs.
	all := &schemas.Transcript{Closed: true, Meta: schemas.Meta{Attributes: map[string]string{"price": "299"}}}
	packs := examples(t)
	for _, name := range exampleNames(packs) {
		if !strings.HasPrefix(name, "docs/") {
			continue
		}
		for _, r := range loadEncoded(t, string(packs[name])).rules {
			for i, x := range r.tests {
				said, _ := x.session(fmt.Sprint(i), Literal{})
				for _, turn := range said.Turns {
					turn.Key = schemas.SeqKey(int64(len(all.Turns)))
					all.Turns = append(all.Turns, turn)
				}
			}
		}
	}
	add(all, func(f *schemas.Features) {
		for i := range f.Turns {
			f.Turns[i].Mentions = []schemas.TurnMention{{Kind: "praise", Aspect: "service", Start: i % 7, End: i - 3, OpinionID: "0f3a9c2b7d1e4a58", OpinionScore: 1}}
			f.Turns[i].Entities = []schemas.Entity{{Type: "amount", Start: i % 5, End: i%5 - 2}, {Type: "amount", Start: i, End: i + 4}}
		}
	})
	return ts, fs
}

// survives loads a pack and, where it is one, evaluates it; it says what failed.
func survives(text []byte, ts []*schemas.Transcript, fs []*schemas.Features) error {
	s, err := LoadWith(Options{Encoder: bigramEncoder{128}}, Text("m.yaml", text))
	if err != nil {
		return nil
	}
	s.Test(Literal{})
	for i := range ts {
		for _, n := range s.Evaluate(ts[i], fs[i]).Notes {
			if strings.HasPrefix(n.Why, "error:") {
				return fmt.Errorf("session %d: %s %s", i, n.What, n.Why)
			}
		}
	}
	for i := range min(2, len(ts)) { // the short ones: an explanation takes longer
		for _, r := range s.rules {
			if x, err := s.Explain(ts[i], fs[i], r.id); err != nil || strings.Contains(fmt.Sprint(x), "error:") {
				return fmt.Errorf("session %d, rule %s explained: %v", i, r.id, err)
			}
		}
	}
	return nil
}

// TestMutatedPacksNeverPanic changes the values and keys of packs that use every operator.
func TestMutatedPacksNeverPanic(t *testing.T) {
	packs := examples(t)
	names := exampleNames(packs)
	ts, fs := hostile(t)
	rng := rand.New(rand.NewPCG(4, 11))
	var scalars []string
	for _, name := range names {
		if strings.HasPrefix(name, "docs/") {
			eachNode(parsed(t, packs[name]), func(n *yaml.Node) {
				if n.Kind == yaml.ScalarNode {
					scalars = append(scalars, n.Value)
				}
			})
		}
	}
	scalars = append(scalars, "", "-1", "0", "1e99", "NaN", "[", "]", "*", "*?[a/b]*", "10001", "~", "<x>", "\x00", "全", "(((", "9999h", "0s", "100%", "-3%")
	loaded := 0
	for _, name := range names {
		if !strings.HasPrefix(name, "docs/") {
			continue
		}
		for range 40 {
			root := parsed(t, packs[name])
			var nodes []*yaml.Node
			eachNode(root, func(n *yaml.Node) { nodes = append(nodes, n) })
			for range 1 + rng.IntN(3) {
				n := nodes[rng.IntN(len(nodes))]
				switch rng.IntN(4) {
				case 0:
					if len(n.Content) > 1 {
						step := 1
						if n.Kind == yaml.MappingNode {
							step = 2
						}
						k := rng.IntN(len(n.Content)/step) * step
						n.Content = append(n.Content[:k:k], n.Content[k+step:]...)
					}
				case 1:
					other := nodes[rng.IntN(len(nodes))]
					if len(other.Content) == 0 {
						*n = *other
					}
				default:
					if n.Kind == yaml.ScalarNode {
						n.Value, n.Tag, n.Style = scalars[rng.IntN(len(scalars))], "", yaml.DoubleQuotedStyle
					}
				}
			}
			text, err := yaml.Marshal(root)
			if err != nil {
				continue
			}
			if err := survives(text, ts, fs); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			if _, err := LoadWith(Options{Encoder: bigramEncoder{128}}, Text("m.yaml", text)); err == nil {
				loaded++
			}
		}
	}
	if loaded < 100 {
		t.Errorf("only %d of the changed packs were packs at all", loaded)
	}
}

func parsed(t testing.TB, text []byte) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	return &n
}

func eachNode(n *yaml.Node, f func(*yaml.Node)) {
	f(n)
	for _, c := range n.Content {
		eachNode(c, f)
	}
}

// FuzzOperators feeds packs with every operator, and what comes of them, to the loader and the evaluator.
func FuzzOperators(f *testing.F) {
	packs := examples(f)
	for _, name := range exampleNames(packs) {
		f.Add(packs[name])
	}
	ts, fs := hostile(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := survives(text, ts, fs); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
