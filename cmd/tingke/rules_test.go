package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/tingke/tingke/rules"
)

const supervisorPack = `# 退款话术，王主管维护
id: refund
version: "1"
rules:
  - id: shirk_refund
    name: 推卸退款
    severity: major
    points: -10
    reason: "客服第{turn}句推卸（{text}）"
    forbid: {in: {role: agent}, keyword: [退不了]}   # 原话
    tests:
      - {want: present, turns: [{客服: 这个退不了}]}
      - {want: absent, turns: [{客服: 可以退}]}
`

const refundSessions = `{"session_id":"r1","agent_id":"a1","started_at":"2026-10-02T10:00:00+08:00","turns":[{"role":"customer","text":"能退吗"},{"role":"agent","text":"您好，这个退不了"},{"role":"customer","text":"好吧"},{"role":"agent","text":"感谢"}]}
{"session_id":"r2","agent_id":"a2","started_at":"2026-10-03T10:00:00+08:00","turns":[{"role":"customer","text":"能退吗"},{"role":"agent","text":"您好，运费退不了，货款可以退"},{"role":"agent","text":"感谢光临"}]}
{"session_id":"r3","agent_id":"a2","started_at":"2026-10-03T11:00:00+08:00","turns":[{"role":"customer","text":"能退吗"},{"role":"agent","text":"您好，可以退的"}]}
`

// run wants an exit code and some words on the two streams together, and gives the first.
func run(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	out, stderr, got := tingke(t, "", args...)
	if got != code || !strings.Contains(out+stderr, want) {
		t.Errorf("tingke %s: code %d, want %d and %q:\n%s%s", strings.Join(args, " "), got, code, want, out, stderr)
	}
	return out
}

func TestRulesLint(t *testing.T) {
	good := writeFile(t, "good.yaml", supervisorPack)
	broken := writeFile(t, "broken.yaml", strings.Replace(supervisorPack, "keyword:", "keywrod:", 1))
	untested := writeFile(t, "untested.yaml", supervisorPack[:strings.Index(supervisorPack, "    tests:")])
	clash := writeFile(t, "clash.yaml", strings.Replace(supervisorPack, "id: refund", "id: other", 1))
	run(t, 0, "nothing to complain about", "rules", "lint", good)
	run(t, 0, "nothing to complain about", "rules", "lint")
	run(t, 1, broken+`:10:`, "rules", "lint", broken)
	run(t, 1, `did you mean`, "rules", "lint", good, broken)
	run(t, 1, "warning: "+untested, "rules", "lint", untested)
	run(t, 1, "two rules have the id shirk_refund", "rules", "lint", good, clash)
	run(t, 2, "cannot read rule file", "rules", "lint", "nowhere.yaml")
	run(t, 2, `no rule pack "standrad"`, "rules", "lint", "standrad")
	var f finding
	out, _, _ := tingke(t, "", "rules", "lint", "--json", broken)
	if err := json.Unmarshal([]byte(out), &f); err != nil || f.Level != "error" || f.Line != 10 || f.Column < 1 || f.File != broken {
		t.Errorf("%+v, %v: %s", f, err, out)
	}
}

// TestRulesTest: built-in packs hold with the full features; what differs is shown with its turns.
func TestRulesTest(t *testing.T) {
	out := run(t, 0, "0 failed", "rules", "test")
	for _, id := range rules.EmbeddedPacks() {
		if !strings.Contains(out, id) {
			t.Errorf("pack %s was not tested: %s", id, out)
		}
	}
	good := writeFile(t, "good.yaml", supervisorPack)
	bad := writeFile(t, "bad.yaml", supervisorPack+"      - name: 误判\n        want: absent\n        turns:\n          - {客服: 运费退不了}\n      - {want: absent, gap: true, turns: [{客服: 邮费退不了}]}\n")
	run(t, 0, "2 tests, 0 failed", "rules", "test", good)
	out = run(t, 1, "4 tests, 1 failed, 1 known gaps", "rules", "test", bad)
	want := "FAIL " + bad + ":14: rule shirk_refund, 误判: want absent, got present at turn [1]\n       name: 误判\n       want: absent\n       turns:\n         - {客服: 运费退不了}\n"
	if !strings.Contains(out, want) {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	report := writeFile(t, "junit.xml", "")
	run(t, 1, `"ok":false`, "rules", "test", bad, "--json", "--junit", report)
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b, &suites); err != nil {
		t.Fatal(err)
	}
	s := suites.Suites[0]
	if s.Name != "refund" || s.Tests != 4 || s.Failures != 1 || s.Skipped != 1 || s.Cases[2].Failure == nil || s.Cases[2].Name != "误判" {
		t.Errorf("%s", b)
	}
}

func TestAnnotatedTranscripts(t *testing.T) {
	pack := writeFile(t, "good.yaml", supervisorPack)
	f := func(code int, want, file, text string) {
		t.Helper()
		run(t, code, want, "rules", "test", pack, writeFile(t, file, text))
	}
	line := func(expect string) string {
		return `{"session_id":"x","turns":[{"role":"customer","text":"能退吗"},{"role":"agent","text":"您好"},{"role":"agent","text":"退不了"}],"expect":` + expect + "}\n"
	}
	f(0, "3 tests, 0 failed", "a.jsonl", line(`{"shirk_refund":{"outcome":"present","turns":[3]}}`))
	f(0, "0 failed", "a.jsonl", line(`{"shirk_refund":"present"}`))
	f(1, "a.jsonl:1: rule shirk_refund, session x: want present at turn 2, got it at turn 3\n       turn 2 agent: 您好\n       turn 3 agent: 退不了", "a.jsonl", line(`{"shirk_refund":{"outcome":"present","turns":[2]}}`))
	f(1, "want absent, got present at turn 3", "a.jsonl", line(`{"shirk_refund":"absent"}`))
	f(1, "a hit without an annotation: present at turn 3", "a.jsonl", line(`{}`))
	f(2, "a.jsonl:1: expect names rules that no pack has: shirk", "a.jsonl", line(`{"shirk":"absent"}`))
	f(2, "a.jsonl:1: expect: want an outcome", "a.jsonl", line(`{"shirk_refund":{"outcom":"x"}}`))
	f(2, "session x has no key expect", "a.jsonl", `{"session_id":"x","turns":[{"role":"agent","text":"退不了"}]}`)
	f(0, "3 tests, 0 failed", "a.yaml", "- session_id: y\n  turns: [{客户: 能退吗}, {role: agent, text: 退不了, agent_id: a1}]\n  expect:\n    shirk_refund: {outcome: present, turns: [2]}\n")
	f(1, "a.yaml:1: rule shirk_refund", "a.yaml", "- {session_id: y, turns: [{客服: 退不了}], expect: {}}\n")
	f(2, "a.yaml:2: turns[0].role", "a.yaml", "\n- {session_id: y, turns: [{role: boss, text: 退不了}], expect: {}}\n")
	// Without a pack beside them they are checked with the configuration's, whose own tests are not run.
	run(t, 0, "standard: 1 tests, 0 failed", "rules", "test", writeFile(t, "b.yaml", "- {session_id: y, turns: [{客服: 您好}, {客服: 您是什么肤质}, {客服: 建议您用清水洗脸，感谢光临}], expect: {greeting: pass}}\n"))
}

func TestRulesDocs(t *testing.T) {
	run(t, 0, "keyword", "rules", "operators")
	run(t, 0, "# keyword", "rules", "operators", "keyword")
	run(t, 2, "there is no operator", "rules", "operators", "keywrod")
	var schema map[string]any
	if err := json.Unmarshal([]byte(run(t, 0, "$schema", "rules", "schema")), &schema); err != nil {
		t.Error(err)
	}
}

// TestRulesOverFiles: explain, add-case and backtest without a store.
func TestRulesOverFiles(t *testing.T) {
	pack := writeFile(t, "refund.yaml", supervisorPack)
	chats := writeFile(t, "chats.jsonl", refundSessions)
	dir := t.TempDir()
	run(t, 0, "refund@1", "rules", "explain", "r2", "shirk_refund", "--from", chats, "--rules", pack, "--dir", dir)
	run(t, 0, `"outcome":"absent"`, "rules", "explain", "r3", "shirk_refund", "--from", chats, "--rules", pack, "--json", "--dir", dir)
	run(t, 2, `has no session "r9"`, "rules", "explain", "r9", "shirk_refund", "--from", chats, "--dir", dir)
	run(t, 2, "no rule", "rules", "explain", "r2", "shirk_refnd", "--from", chats, "--rules", pack, "--dir", dir)
	run(t, 2, "there is no store", "rules", "explain", "r2", "greeting", "--dir", dir)
	run(t, 0, "refund 1+", "rules", "list", pack, "--dir", dir)
	if _, err := os.Stat(dir + "/store"); err == nil {
		t.Error("a question made a store")
	}

	run(t, 0, "name: 误判 r2\nwant: absent\nturns:\n  - {客服: 您好，运费退不了，货款可以退}\n", "rules", "add-case", "r2", "shirk_refund", "--from", chats, "--rules", pack, "--dir", dir)
	run(t, 2, "has no hit", "rules", "add-case", "r3", "shirk_refund", "--from", chats, "--rules", pack, "--dir", dir)
	run(t, 2, "is no outcome", "rules", "add-case", "r2", "shirk_refund", "--want", "good", "--from", chats, "--dir", dir)
	run(t, 0, pack+":14: rule shirk_refund has a new test with 1 of 3 turns: want absent, the rule says present", "rules", "add-case", "r2", "shirk_refund", "--from", chats, "--pack", pack, "--dir", dir)
	b, err := os.ReadFile(pack)
	if err != nil || !strings.HasPrefix(string(b), supervisorPack) {
		t.Errorf("the rest of the pack changed:\n%s", b)
	}
	run(t, 1, "1 failed", "rules", "test", pack)
	// The rule is mended, as the supervisor would.
	mended := strings.Replace(strings.Replace(string(b), "keyword: [退不了]}", "keyword: [退不了], in_clause: true, unless: {keyword: [运费]}}", 1), `version: "1"`, `version: "2"`, 1)
	draft := writeFile(t, "draft.yaml", mended)
	run(t, 0, "0 failed", "rules", "test", draft)

	config := writeFile(t, "tingke.yaml", "rules: {packs: [standard, "+pack+"]}\n")
	out := run(t, 0, "shirk_refund  2       1      0    1     1", "rules", "backtest", draft, chats, "--config", config, "--dir", dir)
	for _, want := range []string{"3 with 9 turns, 2026-10-02 to 2026-10-03", "2026-10-03: 1 -> 0 (0 new, 1 gone)", "turn 2 agent: 您好，运费【退不了】，货款可以退", "a2     2"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	run(t, 2, "do not go with files", "rules", "backtest", draft, chats, "--from", "2026-10-01", "--dir", dir)
	run(t, 2, "is no day", "rules", "backtest", draft, "--from", "yesterday", "--dir", dir)
	run(t, 2, "is before --from", "rules", "backtest", draft, "--from", "2026-10-02", "--to", "2026-10-01", "--dir", dir)
	run(t, 2, "is no rule file", "rules", "backtest", "standard", chats, "--dir", dir)
}

// TestRulesOverAStore walks the way of a supervisor: a wrong hit, a test, a better rule, a backtest, published, rolled back.
func TestRulesOverAStore(t *testing.T) {
	dir := t.TempDir()
	pack := writeFile(t, "refund.yaml", supervisorPack)
	a := testApp(t)
	a.dir = dir
	s, err := a.openStore(t.Context()) // held, or every command would start and end the engine
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run(t, 0, "published", "rules", "publish", pack, "--author", "王主管", "--dir", dir)
	run(t, 0, "nothing was written", "rules", "publish", pack, "--dir", dir)
	run(t, 0, "3 sessions written", "batch", writeFile(t, "chats.jsonl", refundSessions), "--dir", dir)
	run(t, 0, "refund 1+", "rules", "list", "--dir", dir)

	// The reviewer confirms the hit of r1 and dismisses that of r2.
	for event, x := range map[string]string{"e1": "r1 confirm", "e2": "r2 dismiss"} {
		id, action, _ := strings.Cut(x, " ")
		if err := s.Conn().Exec(t.Context(), "INSERT INTO review_events (session_id, event_id, hit_id, actor, action, at) SELECT session_id, ?, hit_id, 'qa', ?, now64(3) FROM hits WHERE session_id = ? AND rule_id = 'shirk_refund'", event, action, id); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.RepairReviews(t.Context()); n != 2 || err != nil {
		t.Fatalf("%d sessions folded, want 2: %v", n, err)
	}
	out := run(t, 0, `"id":"shirk_refund"`, "rules", "list", "--json", "--dir", dir)
	if !strings.Contains(out, `"origin":"published","hits":2,"sessions":2,"confirmed":1,"dismissed":1`) {
		t.Errorf("list: %s", out)
	}
	run(t, 0, "shirk_refund 推卸退款 (major), refund@1", "rules", "explain", "r2", "shirk_refund", "--dir", dir)
	run(t, 2, `the store has no session "r9"`, "rules", "explain", "r9", "shirk_refund", "--dir", dir)
	run(t, 0, "mend the rule", "rules", "add-case", "r2", "shirk_refund", "--pack", pack, "--dir", dir)
	run(t, 1, "not published: 1 tests fail", "rules", "publish", pack, "--dir", dir)

	b, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	mended := strings.Replace(strings.Replace(string(b), "keyword: [退不了]}", "keyword: [退不了], in_clause: true, unless: {keyword: [运费]}}", 1), `version: "1"`, `version: "2"`, 1)
	if err := os.WriteFile(pack, []byte(mended), 0o600); err != nil {
		t.Fatal(err)
	}
	out = run(t, 0, "shirk_refund  2       1      0    1     1     0.50 -> 1.00  1.00 -> 1.00", "rules", "backtest", pack, "--dir", dir)
	if !strings.Contains(out, "reviewers confirmed 1 and dismissed 1 of its hits; in use it finds 1 and 1 of these, the draft 1 and 0") {
		t.Errorf("backtest:\n%s", out)
	}
	// Days are of the configured zone, both inside.
	run(t, 0, `"sessions":1,`, "rules", "backtest", pack, "--json", "--from", "2026-10-02", "--to", "2026-10-02", "--dir", dir)
	run(t, 0, `"sessions":2,`, "rules", "backtest", pack, "--json", "--from", "2026-10-03", "--dir", dir)

	run(t, 0, "is published in place of 1+", "rules", "publish", pack, "--note", "运费不算", "--dir", dir)
	run(t, 0, "运费不算", "rules", "history", "refund", "--dir", dir)
	run(t, 0, "rule packs published and in use: refund 2+", "doctor", "--dir", dir)
	run(t, 2, "no published version 7", "rules", "rollback", "refund", "7", "--dir", dir)
	run(t, 0, "is published in place of 2+", "rules", "rollback", "refund", "1", "--dir", dir)
	if got := run(t, 0, "id: refund", "rules", "history", "refund", "--show", "1", "--dir", dir); got != supervisorPack {
		t.Errorf("the text of version 1 came back as\n%s", got)
	}
	var states []string
	for line := range strings.Lines(run(t, 0, "王主管", "rules", "history", "--json", "--dir", dir)) {
		var p publication
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		declared, _, _ := strings.Cut(p.Version, "+")
		if p.InUse {
			declared += " in use"
		}
		states = append(states, declared)
	}
	if got := strings.Join(states, ", "); got != "1 in use, 2, 1" {
		t.Errorf("history: %s", got)
	}
	run(t, 0, "is out of use", "rules", "withdraw", "refund", "--dir", dir)
	run(t, 2, "nothing of this id was published", "rules", "withdraw", "presale", "--dir", dir)
	run(t, 2, "keywrod", "rules", "publish", writeFile(t, "broken.yaml", strings.Replace(supervisorPack, "keyword:", "keywrod:", 1)), "--force", "--dir", dir)
}
