package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = "id: p\nversion: \"1\"\nrules:\n"

// oneRule is a pack with one rule whose conditions are given, indented by four.
func oneRule(body string) string {
	return head + "  - id: r\n    name: 规则\n    severity: minor\n    points: -1\n    reason: 说明\n" + body
}

func TestLoadReportsEveryErrorWithItsPlace(t *testing.T) {
	f := func(yaml string, want ...string) {
		t.Helper()
		_, err := Load(Text("p.yaml", []byte(yaml)))
		if err == nil {
			t.Errorf("no error for\n%s", yaml)
			return
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(want) {
			t.Errorf("got %d errors, want %d:\n%s\nfor\n%s", len(lines), len(want), err, yaml)
			return
		}
		for i, w := range want {
			for _, part := range strings.Split(w, " | ") {
				if !strings.Contains(lines[i], part) {
					t.Errorf("error %q lacks %q", lines[i], part)
				}
			}
		}
	}
	f("", "the file is empty")
	f("a: [", "p.yaml:1:1: cannot read the YAML")
	f("- a", "a pack must be a mapping")
	f("id: p\xff", "not valid UTF-8")
	f(head, "rules is empty")
	f(head+"  - {}\n---\nid: q", "the rule has no id", "the rule has no name", "the rule has no severity", "looks at nothing", "the rule has no reason", "second document | file of its own")
	f("id: p\nversion: \"1\"\n", "p.yaml:1:1: the pack has no rules")
	f("id: 1p\nrules: [{}]", "p.yaml:1:1: the pack has no version", "p.yaml:1:5: not a valid id: \"1p\"", "has no id", "has no name", "no severity", "nothing", "no reason")
	f(oneRule("    forbid: {keywrod: [投诉]}\n"), `p.yaml:9:14: unknown operator: "keywrod" (did you mean "keyword"?)`)
	f(oneRule("    forbid: {keywords: [投诉]}\n"), "write keyword:")
	f(oneRule("    forbid: {keyword: []}\n"), "p.yaml:9:23: keyword is empty")
	f(oneRule("    forbid: {keyword: ['']}\n"), "p.yaml:9:24: keyword has an empty word")
	f(oneRule("    forbid: {keyword: [<问候>]}\n"), `p.yaml:9:24: no list of this name: "<问候>" (the pack has no lists)`)
	f(oneRule("    forbid: {keyword: [a], regex: b}\n"), "p.yaml:9:28: a condition has one operator; this one has keyword already")
	f(oneRule("    forbid: {in: {role: agent}}\n"), "forbid has no operator")
	f(oneRule("    forbid: {in: {role: agnet}, keyword: [a]}\n"), `p.yaml:9:25: role has no such value: "agnet" (did you mean "agent"?)`)
	f(oneRule("    forbid: {in: {after: 3}, keyword: [a]}\n"), "there is no hit to count from here")
	f(oneRule("    forbid: {in: {first: 2, last: 3}, keyword: [a]}\n"), "in has two ranges")
	f(oneRule("    forbid: {in: {first: soon}, keyword: [a]}\n"), `in.first must be a time span: "soon" (such as 30s`)
	f(oneRule("    forbid: {in: {turns: 0..3}, keyword: [a]}\n"), "in.turns must be turns from 1")
	f(oneRule("    forbid: {in: {turns: 5..3}, keyword: [a]}\n"), "ends before it begins")
	f(oneRule("    forbid: {regex: '(a'}\n"), "invalid regular expression")
	f(oneRule("    forbid: {regex: '(?=a)b'}\n"), "RE2")
	f(oneRule("    forbid: {regex: 'a*'}\n"), "matches the empty text")
	f(oneRule("    forbid: {regex: {any: ['(x+x+)+y'], not_regex: ['(b']}}\n"), "p.yaml:9:53: invalid regular expression")
	f(oneRule("    forbid: {emotion: [angy]}\n"), `did you mean "angry"?`)
	f(oneRule("    forbid: {near: {a: [x]}}\n"), "near needs b")
	f(oneRule("    forbid: {turn_count: {over: 3, at_least: 4}}\n"), "two bounds on the same side")
	f(oneRule("    forbid: {turn_count: {over: 4, under: 3}}\n"), "can never hold")
	f(oneRule("    forbid: {field: {name: chanel, is: chat}}\n"), `did you mean "channel"?`)
	f(oneRule("    forbid: {at_least: {n: 3, of: [{keyword: [a]}]}}\n"), "at_least asks for 3 of 1")
	f(oneRule("    forbid: {all: {keyword: [a]}}\n"), "all must be a list of conditions")
	f(oneRule("    forbid: {keyword: [a]}\n    expect: {keyword: [b]}\n"), "expect or forbid, not both")
	f(oneRule("    forbid: {keyword: [a]}\n    outcome: maybe\n"), "outcome has no such value")
	f(oneRule("    forbid: {keyword: [a]}\n    item: card.x\n"), "the pack has no scorecards")
	f(oneRule("    forbid: {keyword: [a]}\n    tests: [{want: pass, turns: [{客服: 好}]}]\n"), "want has no such value | present")
	f(oneRule("    forbid: {keyword: [a]}\n    tests: [{want: absent, turns: [{老板: 好}]}]\n"), "the turn has no speaker", "a turn has no key of this name")
	f(oneRule("    forbid: {keyword: [a]}\n    applies: {from: 2026-02-30}\n"), "applies.from must be a day")
	f(oneRule("    forbid: &x {keyword: [a]}\n"), "anchors are not read")
	f(oneRule("    forbid: {keyword: [a], keyword: [b]}\n"), "forbid has this key twice")
	f(strings.Replace(oneRule("    forbid: {keyword: [a]}\n"), "reason: 说明", "reason: '{who}'", 1), "no placeholder {who}")
	f(strings.Replace(oneRule("    forbid: {keyword: [a]}\n"), "points: -1", "points: 5", 1), "points must lie between -100 and 0")
	f(strings.Replace(oneRule("    forbid: {keyword: [a]}\n"), "severity: minor", "severity: info", 1), "a rule of severity info costs nothing")
	f(oneRule("    forbid: {keyword: [a]}\n")+"  - id: r\n    name: x\n    severity: info\n    reason: x\n    forbid: {keyword: [a]}\n", "two rules have the id r (the other one is at p.yaml:4)")
	f("lists: {甲: [<乙>], 乙: [<甲>]}\n"+oneRule("    forbid: {keyword: [<甲>]}\n"), "the list contains itself")
	f("lists: {问候: [您好]}\n"+oneRule("    forbid: {keyword: [<问后>]}\n"), `did you mean "问候"?`)
}

func TestLoadSourcesAndSets(t *testing.T) {
	if _, err := Load(); err == nil {
		t.Error("no error without a pack")
	}
	if _, err := Load(Embedded("standart")); err == nil || !strings.Contains(err.Error(), `did you mean "standard"?`) {
		t.Errorf("unknown embedded pack: %v", err)
	}
	if _, err := Load(Find("nowhere/x.yaml")); err == nil || !errorsIsProblems(err) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(Embedded("standard"), Embedded("standard")); err == nil || !strings.Contains(err.Error(), "loaded twice") {
		t.Errorf("same pack twice: %v", err)
	}
	path := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(path, []byte(oneRule("    forbid: {keyword: [投诉]}\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustLoad(t, Embedded("standard"), Find(path))
	if got := len(s.Rules()); got != 13 {
		t.Errorf("%d rules, want 13", got)
	}
	if v := s.Version(); !strings.HasPrefix(v, "standard@1+") || !strings.Contains(v, ",p@1+") {
		t.Errorf("version %q", v)
	}
	if again := mustLoad(t, Embedded("standard"), Find(path)); again.Version() != s.Version() {
		t.Error("the same packs give another version")
	}
	if w := s.Warnings(); len(w) != 1 || w[0].Message != "the rule has no tests" {
		t.Errorf("warnings %v", w)
	}
}

func errorsIsProblems(err error) bool {
	var ps Problems
	return errors.As(err, &ps) && len(ps) == 1
}

func TestHugeWordListLoadsAndMatches(t *testing.T) {
	var b strings.Builder
	b.WriteString("id: p\nversion: \"1\"\nreport: found\nrules:\n  - id: r\n    name: 规则\n    severity: minor\n    reason: 说明\n    forbid:\n      keyword:\n")
	for i := range 100_000 {
		b.WriteString("        - 词")
		for n := i; ; n /= 20 {
			b.WriteRune(rune(0x4e00 + n%20*37))
			if n < 20 {
				break
			}
		}
		b.WriteString("尾\n")
	}
	s := mustLoad(t, Text("p.yaml", []byte(b.String())))
	tr := chat("客服: 这里有词一尾")
	if got := s.Evaluate(tr, Literal{}.Features(tr)).Outcomes["r"]; got != "present" {
		t.Errorf("outcome %q, want present", got)
	}
}

func FuzzLoad(f *testing.F) {
	b, err := packFS.ReadFile("packs/standard/standard.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(oneRule("    trigger: {in_clause: true, any: [{near: {a: [x], b: [y]}}]}\n    which: last\n    expect: {in: {after: 3s}, question: {}}\n")))
	f.Add([]byte(generate(20, 7)))
	f.Add([]byte("id: p\nrules: [{forbid: {not: {not: {regex: '['}}}}]"))
	tr := chat("客户: 在吗", "客服: 您好，请稍等", "客户: 为什么还没到？", "客服: ")
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Load(Text("f.yaml", text))
		if err != nil {
			return
		}
		s.Test(Literal{})
		got := s.Evaluate(tr, Literal{}.Features(tr))
		for _, n := range got.Notes {
			if strings.HasPrefix(n.Why, "error:") {
				t.Fatalf("a rule failed: %s %s\n%s", n.What, n.Why, text)
			}
		}
	})
}
