package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

func TestLint(t *testing.T) {
	f := func(yaml string, want ...string) {
		t.Helper()
		got := Lint(Options{}, Text("p.yaml", []byte(yaml)))
		var lines []string
		for _, p := range got {
			if p.Severity != SeverityWarning {
				t.Errorf("%s has severity %q", p, p.Severity)
			}
			lines = append(lines, p.String())
		}
		if len(lines) != len(want) {
			t.Errorf("got %d warnings, want %d:\n%s\nfor\n%s", len(lines), len(want), strings.Join(lines, "\n"), yaml)
			return
		}
		for i, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("warning %q lacks %q", lines[i], w)
			}
		}
	}
	rule := func(id, severity, rest string) string {
		return fmt.Sprintf("  - id: %s\n    name: 规则\n    severity: %s\n    reason: x\n    %s\n", id, severity, rest)
	}
	tests := "\n    tests: [{want: present, turns: [{客服: 滚}]}, {want: absent, turns: [{客服: 好}]}]"
	forbid := "forbid: {in: {role: agent}, keyword: [滚]}" + tests
	f(head + rule("a", "minor", "points: -5\n    "+forbid))
	f(head+rule("a", "minor", "points: -20\n    "+forbid)+rule("b", "minor", "points: -10\n    count: each\n    cap: -20\n    "+forbid), "p.yaml:1:1: the info and minor rules of pack p can cost 40 points together")
	f(head + rule("a", "major", "points: -60\n    "+forbid) + rule("b", "minor", "points: -39\n    "+forbid))
	f(head+rule("a", "minor", "points: -5\n    count: each\n    "+forbid), "count: each without a cap lets a rule of severity minor flag")
	f(head+rule("a", "minor", "critical: whole\n    "+forbid), "sets the whole score to 0")
	f("lists: {问候: [您好], 用: [滚]}\n"+head+rule("a", "minor", strings.Replace(forbid, "[滚]}", "[<用>]}", 1)), `p.yaml:1:13: no rule uses this list: "问候"`)
	f(head+rule("a", "minor", "forbid: {keyword: [滚]}"), "p.yaml:4:5: the rule has no tests: \"a\"")
	f(head+rule("a", "minor", "forbid: {keyword: [滚]}\n    tests: [{want: absent, turns: [{客服: 好}]}]"), "no test shows what the rule finds")
	f(head+rule("a", "minor", "forbid: {keyword: [滚]}\n    tests: [{want: present, turns: [{客服: 滚}]}]"), "no test shows what the rule leaves alone")
	expect := "expect: {in: {role: agent}, keyword: [您好]}\n    tests: [{want: pass, turns: [{客服: 您好}]}, {want: fail, turns: [{客服: 好}]}]"
	f(head + rule("a", "minor", expect))
	f(head+rule("a", "major", expect), "merely not said")
	f(strings.Replace(head+rule("a", "minor", expect), "reason: x", "reason: '{text}'", 1), "{text} is always empty")
	f("scorecards: [{id: k, name: 卡, items: [{id: i, name: 甲, max: 10}, {id: h, name: 乙, max: 10, human: true}]}]\n"+head+rule("a", "minor", expect), `"k.i"`)
	// what matches everything
	everything := func(condition, want string) {
		t.Helper()
		f(head+rule("a", "minor", condition+tests), want)
	}
	everything("forbid: {in: {role: agent}, any: [{in_turn: true, all: [{keyword: [滚]}, {regex: '.'}]}]}", "the expression matches every text")
	everything("forbid: {in: {role: agent}, all: [{keyword: [滚]}, {regex: '[^,]+'}]}", "the expression matches every text")
	everything("forbid: {in: {role: agent}, keyword: [的, 了, 好, 您, 到, 能, 看, 个, a, 一, 再, 应]}", "ordinary conversations")
	everything("forbid: {in: {role: agent}, substance: {min_chars: 1}}", "ordinary conversations")
	everything("forbid: {in: {role: agent}, emotion: [neutral]}", "ordinary conversations")
	f(head + rule("a", "minor", "forbid: {in: {role: agent}, keyword: [滚, 的]}"+tests))
	f(head + rule("a", "info", "trigger: {in: {role: customer}, question: {}}\n    tests: [{want: present, turns: [{客户: 为什么}]}, {want: absent, turns: [{客户: 好}]}]"))
	for _, p := range Lint(Options{}, Text("p.yaml", []byte("id: p"))) {
		if p.Severity != SeverityError {
			t.Errorf("%s has severity %q", p, p.Severity)
		}
	}
}

func TestEmbeddedPacksAreClean(t *testing.T) {
	for _, p := range Lint(Options{}, embeddedSources()...) {
		t.Error(p)
	}
}

// TestRegexesAreBounded: what would be slow on every text is an error when the pack is read.
func TestRegexesAreBounded(t *testing.T) {
	f := func(re, want string) {
		t.Helper()
		_, err := Load(Text("p.yaml", []byte(oneRule("    forbid: {regex: '"+re+"'}\n"))))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", clip(re, 60), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "p.yaml:9:21: ")):
			t.Errorf("%s: %v, want %q with its place", clip(re, 60), err, want)
		}
	}
	f("(x+x+)+y", "") // RE2 takes linear time
	f("甲.{0,200}乙", "")
	f("甲{1001}", "invalid repeat count")
	f("(甲{1000}){1000}", "repeat")
	f(strings.Repeat("甲.{0,900}乙|", 6)+"丙", "too large")
	f(strings.Repeat("甲乙|", 900)+"丙", "more than 4000 bytes")
	f(strings.Repeat("(", 1100)+"甲"+strings.Repeat(")", 1100), "nests too deeply")
	f("甲(?=乙)", "RE2")
	f(`(甲)\1`, "RE2")

	// The worst that is allowed still ends in good time on a long text.
	s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {regex: '甲(.?.?){400}乙'}\n"))))
	tr := chat("客服: " + strings.Repeat("甲丙", 5_000))
	began := time.Now()
	if got := evaluate(t, s, tr).Outcomes["r"]; got != schemas.Absent {
		t.Errorf("outcome %s", got)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("%v for a text of 10,000 characters", d)
	}
}
