package rulecase

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

const pack = `# Kept as it is.
id: own
version: "1"
rules:
  - id: shirk   # why
    name: 推卸
    severity: major
    reason: "{text}"
    forbid: {in: {role: agent}, keyword: [没办法]}
    tests:
      - {want: present, turns: [{客服: 没办法}]} # first
  - id: soothe
    name: 安抚
    severity: major
    reason: 没有安抚
    trigger: {in: {role: customer}, emotion: {any: [angry]}}
    expect: {in: {role: agent, after: 2}, keyword: [抱歉]}
  - id: slow
    name: 慢
    severity: minor
    reason: 慢
    applies: {channel: [chat]}
    forbid: {response_time: {over: 60s}}
`

// feeling is a model that hears anger in every 投诉, so that a test which needs it must state it.
type feeling struct{}

func (feeling) Features(t *schemas.Transcript) *schemas.Features {
	f := rules.Literal{}.Features(t)
	for i := range t.Turns {
		if strings.Contains(t.Turns[i].Text, "投诉") {
			f.Turns[i].Emotion = schemas.Angry
			f.Turns[i].Scores[schemas.Angry] = 1
		}
	}
	return f
}

func session(turns ...schemas.Turn) *schemas.Transcript {
	t := &schemas.Transcript{Closed: true, Meta: schemas.Meta{SessionID: "s1", Channel: "chat", Shop: "花漾", CustomerID: "c", Attributes: map[string]string{"vip": "1"}}}
	for i, x := range turns {
		x.Seq = schemas.Some(int64(10 * (i + 1)))
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: x, Key: schemas.SeqKey(x.Seq.V)})
	}
	return t
}

func customer(text string, ms int64) schemas.Turn {
	return schemas.Turn{Role: schemas.Customer, Text: text, StartMS: schemas.Some(ms)}
}

func agent(text string, ms int64) schemas.Turn {
	return schemas.Turn{Role: schemas.Agent, Text: text, StartMS: schemas.Some(ms), AgentID: "a1"}
}

func TestMake(t *testing.T) {
	set, err := rules.Load(rules.Text("own.yaml", []byte(pack)))
	if err != nil {
		t.Fatal(err)
	}
	f := func(rule, want, wantYAML string, turns ...schemas.Turn) {
		t.Helper()
		tr := session(turns...)
		features := feeling{}.Features(tr)
		var hit schemas.Hit
		for _, h := range set.Evaluate(tr, features).Hits {
			if h.RuleID == rule {
				hit = h
			}
		}
		if hit.RuleID == "" {
			t.Fatalf("rule %s has no hit", rule)
		}
		c, err := Make(set, tr, features, hit, want, feeling{})
		if err != nil {
			t.Fatalf("rule %s: %v", rule, err)
		}
		entry, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if entry != wantYAML {
			t.Errorf("rule %s:\n%swant\n%s", rule, entry, wantYAML)
		}
		// In the pack it is a test that fails as the hit was wrong, with and without the model; nothing else changes.
		text, err := c.AddTo([]byte(pack))
		if err != nil {
			t.Fatal(err)
		}
		rest := string(text)
		for _, line := range strings.Split(pack, "\n") {
			var ok bool
			if _, rest, ok = strings.Cut(rest, line); !ok {
				t.Errorf("rule %s: the line %q is gone or moved:\n%s", rule, line, text)
			}
		}
		with, err := rules.Load(rules.Text("own.yaml", text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, fz := range []rules.Featuriser{feeling{}, rules.Literal{}} {
			var last rules.TestResult
			for _, r := range with.Test(fz) {
				if r.Rule == rule {
					last = r
				}
			}
			if last.OK || last.Got != hit.Outcome || last.Want != c.Want || last.Name != "误判 s1" {
				t.Errorf("rule %s: the new test gives %+v", rule, last)
			}
		}
	}
	f("shirk", "", `name: 误判 s1
want: absent
turns:
  - {客服: '这个 : 没办法#'}
`, customer("在吗", 0), agent("您好", 1), customer("能退吗", 2), agent("这个 : 没办法#", 3), customer("哦", 4))
	// The right outcome would come of the agent's next two turns: they stay.
	f("soothe", "", `name: 误判 s1
want: pass
turns:
  - {客户: 我要投诉, emotion: angry}
  - {客服: 怪我们}
  - {客服: "是我们不好\n请见谅"}
`, agent("您好", 0), customer("我要投诉", 1), agent("怪我们", 2), customer("嗯", 3), agent("是我们不好\n请见谅", 4), agent("再见", 5))
	// Where the trigger is wrong they need not.
	f("soothe", schemas.NA, `name: 误判 s1
want: na
turns:
  - {客户: 不会投诉, emotion: angry}
`, agent("您好", 0), customer("不会投诉", 1), agent("好的", 2), customer("嗯", 3))
	f("slow", "", `name: 误判 s1
want: absent
session: {channel: chat}
turns:
  - {客户: 在吗, at: 1s}
  - {客服: 您好, at: 1m31s}
`, agent("欢迎", 0), customer("在吗", 1000), agent("您好", 91_000), customer("嗯", 92_000))
}

func TestMakeRefuses(t *testing.T) {
	set, err := rules.Load(rules.Text("own.yaml", []byte(pack)))
	if err != nil {
		t.Fatal(err)
	}
	tr := session(agent("没办法", 0))
	features := rules.Literal{}.Features(tr)
	hit := set.Evaluate(tr, features).Hits[0]
	f := func(want string, do func(*schemas.Hit) string) {
		t.Helper()
		h := hit
		wanted := do(&h)
		if _, err := Make(set, tr, features, h, wanted, rules.Literal{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("name another one", func(*schemas.Hit) string { return schemas.Present })
	f("name another one", func(h *schemas.Hit) string { h.Outcome = schemas.NA; return "" })
	f("does not come out of the session again", func(h *schemas.Hit) string { h.RuleID = "soothe"; return "" })
	c, err := Make(set, tr, features, hit, "", rules.Literal{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddTo([]byte("id: x\nversion: '1'\nrules:\n  - id: y\n")); err == nil || !strings.Contains(err.Error(), "has no rule shirk") {
		t.Errorf("got %v", err)
	}
}

// TestLongSessions: the excerpt of a very long session is found within the bound.
func TestLongSessions(t *testing.T) {
	set, err := rules.Load(rules.Text("own.yaml", []byte(pack)))
	if err != nil {
		t.Fatal(err)
	}
	var turns []schemas.Turn
	for range 1500 {
		turns = append(turns, customer("在吗", 0), agent("您好", 0))
	}
	turns[1001] = agent("没办法", 0)
	tr := session(turns...)
	features := rules.Literal{}.Features(tr)
	for _, h := range set.Evaluate(tr, features).Hits {
		if h.RuleID == "shirk" {
			c, err := Make(set, tr, features, h, "", rules.Literal{})
			if err != nil || c.Turns != 1 {
				t.Errorf("%+v, %v", c, err)
			}
			return
		}
	}
	t.Error("no hit")
}
