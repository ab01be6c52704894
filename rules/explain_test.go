package rules

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

var update = flag.Bool("update", false, "write the golden files")

// everyKind is a pack with rules of all forms, for tests that compare two ways to the same result.
const everyKind = `id: own
version: "1"
lists: {问候: [您好, 你好]}
scorecards:
  - id: card
    name: 卡
    items: [{id: a, name: 甲, max: 10}, {id: b, name: 乙, max: 20, weight: 40}, {id: c, name: 丙, max: 5, human: true}]
rules:
  - {id: o1, name: x, severity: info, reason: x, item: card.a, expect: {in: {role: agent, last: 1}, keyword: [您]}}
  - {id: o2, name: x, severity: minor, points: -7, reason: x, forbid: {in: {role: agent}, turn_count: {over: 2}}}
  - {id: o3, name: x, severity: info, reason: x, item: card.b, points: -5, critical: group, expect: {in: {role: agent}, turn_count: {at_most: 3}}}
  - {id: o4, name: x, severity: minor, points: -4, count: each, cap: -10, reason: x, forbid: {keyword: [您], unless: {in: {role: agent, after: 1}, keyword: [亲]}}}
  - {id: o5, name: x, severity: info, reason: x, which: 2, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 1}, substance: {min_chars: 3}}}
  - {id: o6, name: x, severity: major, points: -30, reason: x, forbid: {reply_to: {anchor: {in: {role: customer}, question: {}}, within: 2, expect: {keyword: [您]}}}}
  - {id: o7, name: x, severity: info, reason: x, item: card.b, expect: {at_least: {n: 2, of: [{keyword: [好]}, {keyword: [亲]}, {not: {keyword: [不]}}]}}}
  - {id: o8, name: x, severity: info, reason: x, which: any, trigger: {in: {role: customer}, question: {}}, expect: {in: {role: agent, after: 1}, keyword: [您]}}
  - {id: o9, name: x, severity: info, reason: x, which: last, trigger: {in: {role: customer}, emotion: [angry, annoyed]}, expect: {in: {role: agent, after: 30s}, keyword: [抱歉]}}
  - {id: o10, name: x, severity: critical, critical: whole, points: -50, reason: x, forbid: {in: {role: agent}, in_clause: true, all: [{keyword: [退]}, {any: [{keyword: [不能]}, {regex: '不(行|可)'}]}]}}
  - {id: o11, name: x, severity: info, reason: x, applies: {channel: call}, forbid: {in_turn: true, none: [{keyword: [<问候>]}, {question: {}}]}}
  - {id: o13, name: x, severity: info, reason: x, forbid: {in: {role: agent}, in_clause: true, none: [{keyword: [您]}, {keyword: [好]}]}}
  - {id: o12, name: x, severity: info, reason: x, trigger: {in: {role: customer}, mention: {kind: [complaint]}}, forbid: {in: {role: agent, around: 2, same_turn: true}, keyword: [您], unless: {not: {keyword: [亲]}}}}
`

func TestExplanationsAgreeWithEvaluation(t *testing.T) {
	s := mustLoad(t, append(embeddedSources(), Text("own.yaml", []byte(everyKind)))...)
	m := newSessionMaker(t, 1)
	outcomes := map[string]int{}
	for range 60 {
		tr, f := m.session(m.rng.IntN(14))
		if m.rng.IntN(3) == 0 {
			tr.Closed = false
		}
		got := s.Evaluate(tr, f)
		for _, r := range s.Rules() {
			x, err := s.Explain(tr, f, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			outcomes[x.Outcome]++
			if x.Outcome != got.Outcomes[r.ID] {
				t.Fatalf("rule %s: explained as %s, evaluated as %s\n%s", r.ID, x.Outcome, got.Outcomes[r.ID], x.Text())
			}
			points := 0.0
			for _, h := range got.Hits {
				if h.RuleID == r.ID && r.Item == "" {
					points += h.Points
				}
			}
			if x.Points != points {
				t.Fatalf("rule %s: %g points, want %g", r.ID, x.Points, points)
			}
			if _, err := json.Marshal(x); err != nil {
				t.Fatal(err)
			}
			checkSteps(t, tr, x.Conditions)
			for _, h := range x.TriggerHits {
				checkSteps(t, tr, h.Steps)
			}
		}
	}
	for _, o := range []string{"pass", "fail", "na", "present", "absent"} {
		if outcomes[o] < 20 {
			t.Errorf("the sessions gave %d outcomes %s, too few to trust the comparison", outcomes[o], o)
		}
	}
}

func checkSteps(t *testing.T, tr *schemas.Transcript, steps []Step) {
	t.Helper()
	for _, st := range steps {
		for _, q := range st.Evidence {
			if turn := tr.Turns[q.Turn-1].Text; turn[q.Start:q.End] != q.Text && !strings.HasSuffix(q.Text, "…") {
				t.Fatalf("quote %+v of %q", q, turn)
			}
		}
		if st.Operator != "" && !strings.Contains(st.YAML, st.Operator) {
			t.Fatalf("the text %q of a condition lacks its operator %s", st.YAML, st.Operator)
		}
		checkSteps(t, tr, st.Steps)
	}
}

func TestExplainText(t *testing.T) {
	s := mustLoad(t, Text("price.yaml", []byte(`id: price
version: "1"
lists:
  问价: [多少钱, 什么价]
rules:
  - id: price_answer
    name: 问价必答
    severity: minor
    points: -5
    trigger:
      in: {role: customer}
      keyword: [<问价>]
    expect:
      in: {role: agent, after: 1}
      any:
        - regex: '[0-9]+ ?(元|块)'
        - in_clause: true
          all: [{keyword: [链接]}, {keyword: [价格]}]
          unless: {keyword: [没有]}
    reason: "客户第{turn}句问价（{text}），{searched}内没有报价"
`)))
	tr := chat("客户: 这个多少钱", "客服: 39元哦", "客户: 大的什么价", "客服: 没有写价格，看链接，链接里有价格")
	tr.Turns[3].Text = "没有写链接价格，看链接"
	f := Literal{}.Features(tr)
	x, err := s.Explain(tr, f, "price_answer")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.txt", x.Text())

	if _, err := s.Explain(tr, f, "price_anwser"); err == nil || !strings.Contains(err.Error(), `did you mean "price_answer"?`) {
		t.Errorf("unknown rule: %v", err)
	}
	if _, err := s.Explain(nil, nil, "price_answer"); err == nil {
		t.Error("no error without a session")
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it\ngot:\n%s", path, got)
	}
}

// TestExplanationsAreBounded: a long session gives pages, not books.
func TestExplanationsAreBounded(t *testing.T) {
	lines := make([]string, 1_000)
	for i := range lines {
		lines[i] = "客户: 为什么贵，说说，价格"
		if i%2 == 1 {
			lines[i] = "客服: 您好，价格看链接，不清楚"
		}
	}
	s := mustLoad(t, Text("p.yaml", []byte(oneRule(`    trigger: {in: {role: customer}, keyword: [为什么]}
    expect: {in: {role: agent, after: all}, in_clause: true, all: [{keyword: [价格]}, {keyword: [因为]}]}
`))))
	tr := chat(lines...)
	x, err := s.Explain(tr, Literal{}.Features(tr), "r")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	if x.Outcome != schemas.Fail || len(x.TriggerHits) != maxExplained || x.MoreTriggerHits != 500-maxExplained || len(b) > 2<<20 {
		t.Errorf("outcome %s, %d hits and %d more, %d bytes", x.Outcome, len(x.TriggerHits), x.MoreTriggerHits, len(b))
	}
	if st := x.TriggerHits[0].Steps[0]; st.MoreParts < 1_000 || len(st.Steps) > 2*maxParts {
		t.Errorf("%d parts shown, %d more", len(st.Steps), st.MoreParts)
	}
}

func TestScoreTrail(t *testing.T) {
	f := func(body, lines, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(body)))
		got := evaluate(t, s, chat(strings.Split(lines, "|")...))
		tr := s.ScoreTrail(&got)
		if text := tr.Text(); strings.TrimSpace(text) != strings.TrimSpace(want) {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
	}
	rule := func(id, severity string, points int, rest string) string {
		return "  - {id: " + id + ", name: 规则, severity: " + severity + ", points: " + jsonInt(points) + ", reason: x, " + rest + "}\n"
	}
	f(head+rule("a", "minor", -5, "forbid: {keyword: [滚]}"), "客服: 您好", `
    100  every session begins with  = 100
score 100`)
	f(head+rule("a", "minor", -5, "forbid: {keyword: [滚]}")+rule("b", "major", -10, "count: each, cap: -15, forbid: {keyword: [哦]}"), "客服: 滚|客户: 好|客服: 哦|客服: 哦", `
    100  every session begins with  = 100
     -5  a 规则, turn 1  = 95
    -10  b 规则, turn 3  = 85
     -5  b 规则, turn 4: -10 points, bounded by the rule's cap of -15  = 80
score 80
flagged: a major hit of b`)
	f(head+rule("a", "major", -80, "count: each, forbid: {keyword: [滚]}"), "客服: 滚|客服: 滚", `
    100  every session begins with  = 100
    -80  a 规则, turn 1  = 20
    -80  a 规则, turn 2  = -60
     60  a score lies between 0 and 100  = 0
score 0
flagged: a major hit of a; a score below 60`)
	f(head+rule("a", "critical", -30, "critical: whole, forbid: {keyword: [滚]}"), "客服: 滚", `
    100  every session begins with  = 100
    -30  a 规则, turn 1  = 70
    -70  a 规则: critical: whole sets the score to 0  = 0
score 0
flagged: a critical hit of a; a score below 60`)
	f(head+rule("a", "minor", -5, "forbid: {keyword: [滚]}"), "客户: 滚", `score: none (no agent turn)`)
	card := `id: p
version: "1"
scorecards:
  - {id: k, name: 卡, items: [{id: i, name: 甲, max: 40}, {id: j, name: 乙, max: 60}, {id: n, name: 丙, max: 10}, {id: h, name: 丁, max: 20, human: true}]}
rules:
`
	na := rule("n1", "info", 0, "item: k.n, trigger: {keyword: [为什么]}, expect: {in: {after: 1}, keyword: [因为]}")
	f(card+rule("a", "info", -15, "item: k.i, expect: {keyword: [您好]}")+rule("b", "info", 0, "item: k.j, expect: {keyword: [好]}")+na, "客服: 好", `
    100  every session begins with  = 100
      0  a 规则: counts in the scorecard item k.i instead  = 100
score 100
scorecard k 卡: 85 (85 of 100)
  i 甲: 25 of 40, fail
    -15 a 规则: fail
  j 乙: 60 of 60, pass
    0 b 规则: pass
  n 丙: - of 10, na (nothing to judge, so it leaves the denominator)
    0 n1 规则: na
  h 丁: - of 20, na (scored by people, so it leaves the denominator here)`)
	critical := func(what, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(card+rule("a", "info", -15, "item: k.i, critical: "+what+", expect: {keyword: [您好]}")+rule("b", "info", 0, "item: k.j, expect: {keyword: [好]}")+na)))
		got := evaluate(t, s, chat("客服: 好"))
		tr := s.ScoreTrail(&got)
		text := tr.Text()
		if !strings.Contains(text, want) {
			t.Errorf("critical %s: %s lacks %q", what, text, want)
		}
	}
	critical("item", "scorecard k 卡: 60 (60 of 100)")
	critical("item", "i 甲: 0 of 40, fail (critical: item, set to 0 by a)")
	critical("group", "scorecard k 卡: 0 (85 of 100), critical: group, set to 0 by a")
	critical("whole", "scorecard k 卡: 0 (85 of 100), critical: whole, set to 0 by a")
	critical("whole", "\nscore 0\n")
	// A weight counts an item for more or less than its points.
	f(strings.Replace(card, "max: 40}", "max: 40, weight: 180}", 1)+rule("a", "info", -10, "item: k.i, expect: {keyword: [您好]}")+rule("b", "info", 0, "item: k.j, expect: {keyword: [好]}"), "客服: 好", `
    100  every session begins with  = 100
      0  a 规则: counts in the scorecard item k.i instead  = 100
score 100
scorecard k 卡: 81.3 (195 of 240)
  i 甲: 30 of 40, fail, weight 180
    -10 a 规则: fail
  j 乙: 60 of 60, pass
    0 b 规则: pass
  n 丙: - of 10, na (nothing to judge, so it leaves the denominator)
  h 丁: - of 20, na (scored by people, so it leaves the denominator here)`)
}

func jsonInt(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// TestScoreTrailsEndAtTheScore: for any session the lines add up to the score and the items to the cards.
func TestScoreTrailsEndAtTheScore(t *testing.T) {
	s := mustLoad(t, append(embeddedSources(), Text("own.yaml", []byte(everyKind)))...)
	m := newSessionMaker(t, 2)
	zero := 0
	for range 300 {
		tr, f := m.session(1 + m.rng.IntN(14))
		tr.Closed = m.rng.IntN(4) > 0
		got := s.Evaluate(tr, f)
		trail := s.ScoreTrail(&got)
		if got.Score.OK {
			if last := trail.Lines[len(trail.Lines)-1].Total; math.Abs(last-got.Score.V) > 1e-9 {
				t.Fatalf("the trail ends at %g, the score is %g\n%s", last, got.Score.V, trail.Text())
			}
			if got.Score.V == 0 {
				zero++
			}
		}
		if got.Flagged != (len(trail.FlaggedBy) > 0) {
			t.Fatalf("flagged %v by %v", got.Flagged, trail.FlaggedBy)
		}
		for i, c := range trail.Scorecards {
			if c.Score != got.Scorecards[i].Score {
				t.Fatalf("card %+v, want %+v", c, got.Scorecards[i])
			}
			if want := math.Round(c.Sum/c.Best*1000) / 10; c.Score.OK && c.Score.V != want && !strings.Contains(c.Note, "critical") {
				t.Fatalf("card %s: %g, its items give %g", c.ID, c.Score.V, want)
			}
		}
	}
	if zero == 0 {
		t.Error("no session was set to 0: the comparison saw no critical rule")
	}
}
