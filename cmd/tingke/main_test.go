package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// tingke runs one command line as the shell would.
func tingke(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(stdin), out: &out, err: &errs, getenv: env()}
	code = a.run(context.Background(), args)
	return out.String(), errs.String(), code
}

func TestEveryCommandHasAnExample(t *testing.T) {
	a := &app{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s: no example or no short text", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.command())
}

func TestUsageErrorsEndWithTwo(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if _, stderr, code := tingke(t, "", args...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: code %d, stderr %q, want 2 and %q", args, code, stderr, want)
		}
	}
	f("unknown command", "frobnicate")
	f("unknown flag", "demo", "--ones")
	f("no such file", "analyze", "nowhere.jsonl")
	f("is no severity", "analyze", "--fail-on", "bad", "-")
	f("no rule pack", "analyze", "--rules", "standrad", "-")
	f("requires at least 1 arg", "send")
	f("cannot read the configuration", "config", "--config", "nowhere.yaml")
}

// TestDemo: the counts agree, and a second run over the same folder prints the same.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	first, stderr, code := tingke(t, "", "demo", "--once", "--json", "--dir", dir)
	if code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	var r demoResult
	if err := json.Unmarshal([]byte(first), &r); err != nil {
		t.Fatal(err)
	}
	if r.SessionsIn < 80 || r.Written != r.SessionsIn || r.DistinctSessions != r.SessionsIn || r.BadLinesIn < 3 || r.DeadLetters != r.BadLinesIn {
		t.Errorf("%+v", r)
	}
	if r.Turns < 1000 || r.Flagged == 0 || len(r.Emotions) != 13 || len(r.Mentions) != 6 || r.Agents < 8 {
		t.Errorf("the samples should show every emotion and kind: %+v", r)
	}
	second, stderr, code := tingke(t, "", "demo", "--once", "--json", "--dir", dir)
	if code != 0 || second != first {
		t.Errorf("second run, code %d: %s\n got %s\nwant %s", code, stderr, second, first)
	}

	out, stderr, code := tingke(t, "", "sql", "--json", "--dir", dir, "SELECT count() AS n FROM sessions WHERE state = 'closed'")
	if code != 0 || strings.TrimSpace(out) != `{"n":188}` {
		t.Errorf("sql: code %d %s %s", code, out, stderr)
	}
	// Nothing personal that the samples hold is stored.
	out, stderr, code = tingke(t, "", "sql", "--json", "--dir", dir,
		"SELECT count() AS n FROM turns WHERE match(text, '1[3-9][0-9]{9}') OR text LIKE '%@%.com%'")
	if code != 0 || strings.TrimSpace(out) != `{"n":0}` {
		t.Errorf("unmasked: code %d %s %s", code, out, stderr)
	}
	for _, q := range []string{"DROP TABLE transcripts", "SELECT 1; SELECT 2", "SELECT * FROM file('/etc/passwd')", "SELECT 1 INTO OUTFILE '/tmp/x'", "SELEC"} {
		if _, stderr, code := tingke(t, "", "sql", "--dir", dir, q); code != exitUsage || stderr == "" {
			t.Errorf("sql %q: code %d, stderr %q, want a refusal", q, code, stderr)
		}
	}
	if out, stderr, code := tingke(t, "", "doctor", "--dir", dir); code != 0 {
		t.Errorf("doctor: code %d\n%s%s", code, out, stderr)
	}
	if out, stderr, code := tingke(t, "", "import", "agents", filepath.Join("..", "..", "testdata", "agents.csv"), "--dir", dir); code != 0 || !strings.Contains(out, "13 agents") {
		t.Errorf("import: code %d\n%s%s", code, out, stderr)
	}
	out, stderr, code = tingke(t, "", "sql", "--json", "--dir", dir, "SELECT session_id, score, shop FROM sessions ORDER BY score, session_id LIMIT 3")
	if code != 0 || strings.Count(out, "\n") != 3 {
		t.Errorf("sorting with a limit: code %d %s %s", code, out, stderr)
	}
	splitMovesNoOthers(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte(strings.Repeat("another key ", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := tingke(t, "", "demo", "--once", "--dir", dir); code != exitUsage || !strings.Contains(stderr, "another deployment key") {
		t.Errorf("another key on the same store: code %d %s", code, stderr)
	}
	out, _, _ = tingke(t, "", "sql", "--json", "--dir", dir, "SELECT DISTINCT team FROM sessions WHERE has(agent_ids, 'a105') AND length(agent_ids) = 1 ORDER BY team")
	if out != "{\"team\":\"电商一组\"}\n{\"team\":\"电商二组\"}\n" {
		t.Errorf("the team of an agent who moved: %q", out)
	}
}

// splitMovesNoOthers: a split, by a command of its own, analyses the sessions of the opinion as the demo did: mentions of
// other opinions stay where they are, those of products too.
func splitMovesNoOthers(t *testing.T, dir string) {
	t.Helper()
	of := func(where string) []string {
		t.Helper()
		out, stderr, code := tingke(t, "", "sql", "--json", "--dir", dir, "SELECT session_id, seq, opinion_id, product FROM mentions WHERE opinion_id != '' AND "+where+" ORDER BY ALL")
		if code != 0 {
			t.Fatalf("code %d: %s", code, stderr)
		}
		return strings.Split(strings.TrimSpace(out), "\n")
	}
	out, stderr, code := tingke(t, "", "sql", "--json", "--dir", dir,
		"SELECT opinion_id AS id, min(m.text) AS text FROM mentions AS m WHERE opinion_id != '' AND session_id IN (SELECT session_id FROM mentions GROUP BY session_id HAVING countIf(product != '' AND opinion_id != '') > 1 AND uniqExact(opinion_id) > 1) GROUP BY id HAVING uniqExact(m.text) > 1 ORDER BY count() DESC, id LIMIT 1")
	var split struct{ ID, Text string }
	if err := json.Unmarshal([]byte(out), &split); err != nil {
		t.Fatalf("no opinion to split, code %d: %s%s", code, out, stderr)
	}
	others := "session_id || toString(seq) NOT IN (SELECT session_id || toString(seq) FROM mentions WHERE text = '" + split.Text + "')"
	before, withAll := of(others), of("1")
	if _, stderr, code := tingke(t, "", "opinions", "split", split.ID, "--member", split.Text, "--dir", dir); code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	if after := of(others); !slices.Equal(after, before) || slices.Equal(of("1"), withAll) {
		t.Errorf("after the split of %+v there are %d other mentions, before %d", split, len(after), len(before))
	}
}

func TestAnalyzeReportsBadLinesAndGoesOn(t *testing.T) {
	path := writeFile(t, "mixed.jsonl", `{"session_id":"a","turns":[{"role":"customer","text":"你们太差了，我要投诉"},{"role":"agent","text":"爱买不买"}]}
{"session_id":"b","turns":[{"role":"boss","text":"x"}]}
{"type":"turn","session_id":"c","seq":1,"role":"customer","text":"在吗"}
not json
`)
	out, stderr, code := tingke(t, "", "analyze", "--json", path)
	if code != exitUsage {
		t.Errorf("code %d, want 2", code)
	}
	for _, want := range []string{path + ":2: turns[0].role: unknown role", path + ":4: broken JSON"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr %q, want %q", stderr, want)
		}
	}
	var ids []string
	for line := range strings.Lines(out) {
		var s struct {
			SessionID string            `json:"session_id"`
			State     string            `json:"state"`
			Outcomes  map[string]string `json:"outcomes"`
			Flagged   bool              `json:"flagged"`
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if s.State != "closed" || len(s.Outcomes) != 12 {
			t.Errorf("session %+v", s)
		}
		ids = append(ids, s.SessionID)
	}
	if strings.Join(ids, " ") != "a c" {
		t.Errorf("sessions %v", ids)
	}
	rude := writeFile(t, "rude.jsonl", `{"session_id":"a","turns":[{"role":"customer","text":"多少钱"},{"role":"agent","text":"爱买不买，你自己看"}]}`)
	if _, stderr, code := tingke(t, "", "analyze", "--fail-on", "major", rude); code != exitFindings {
		t.Errorf("--fail-on: code %d, want 1: %s", code, stderr)
	}
}

// TestAnalyzeTakesRealData: public research sets as they are, where they are at hand.
func TestAnalyzeTakesRealData(t *testing.T) {
	for set, sessions := range map[string]int{"jddc_sample": 696, "stc3_helpdesk": 90, "ecd_sample": 117, "mobilecs_example": 4} {
		path := filepath.Join("..", "..", "..", "shared", "data", set, "dev.jsonl")
		if _, err := os.Stat(path); err != nil {
			t.Skipf("SKIPPED: real conversations are not at hand: %v", err)
		}
		out, stderr, code := tingke(t, "", "analyze", "--json", path)
		if n := strings.Count(out, "\n"); code != 0 || n != sessions {
			t.Errorf("%s: code %d, %d sessions, want %d: %s", set, code, n, sessions, stderr)
		}
	}
}

func TestNLPLines(t *testing.T) {
	f := func(command, in, want string) {
		t.Helper()
		out, stderr, code := tingke(t, in, "nlp", command)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("nlp %s %.80s: code %d, %.300s %s, want %s", command, in, code, out, stderr, want)
		}
	}
	f("segment", `{"id":"x","text":"面膜太贵了"}`, `{"id":"x","words":["面膜","太贵","了"]}`)
	f("segment", `{"id":1,"text":""}`, `{"id":1,"words":[]}`)
	f("emotion", `{"id":7,"role":"customer","text":"你们就是骗子，我要投诉","context":[]}`, `{"id":7,"emotion":"angry"`)
	f("emotion", `{"id":7,"role":"customer","text":""}`, `"emotion":"neutral"`)
	f("mentions", `{"id":1,"role":"customer","text":"你们的面膜太硬了，用起来不舒服"}`, `"kind":"complaint"`)
	f("mask", `{"id":1,"text":"我电话13800138000"}`, `{"id":1,"text":"我电话[电话x]","entities":[{"type":"phone","start":9,"end":18}]}`)
	for _, command := range []string{"segment", "emotion", "mentions", "mask"} {
		f(command, `{"id":"big","text":"`+strings.Repeat("快递太慢了😡 very slow，", 40_000)+`"}`, `"id":"big"`)
	}
	if _, stderr, code := tingke(t, "{\"id\":1}\nnonsense\n", "nlp", "mask"); code != exitUsage || !strings.Contains(stderr, "line 1: text is missing") || !strings.Contains(stderr, "line 2:") {
		t.Errorf("bad lines: code %d, %s", code, stderr)
	}
}
