package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asMain lets a program that a test starts use the test's own binary as tingke.
const asMain = "TINGKE_TEST_AS_MAIN"

func init() {
	if os.Getenv(asMain) != "" {
		main()
	}
}

// outcomesOf runs the command as the shell would; the parent command is that of all evaluations.
func outcomesOf(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return tingke(t, "", append([]string{"eval", "outcomes"}, args...)...)
}

// TestAgreementByHand: the figures of a table small enough to compute on paper.
func TestAgreementByHand(t *testing.T) {
	// Two annotators (C, D) and ours, of ten sessions:
	//   C: f f f f p p p p p p    D: f f f p p p p p p p    ours: f f p p f p p p p p
	// Agreed: all but the fourth: f f f p p p p p p, of which ours are f f p f p p p p p.
	var sessions []goldSession
	var found []map[string]string
	values := map[byte]string{'f': "fail", 'p': "pass"}
	c, d, ours := "ffffpppppp", "fffppppppp", "ffppfppppp"
	for i := range c {
		sessions = append(sessions, goldSession{ID: string(rune('a' + i)), annotators: []map[string]string{{"x": values[c[i]]}, {"x": values[d[i]]}}})
		found = append(found, map[string]string{"x": values[ours[i]]})
	}
	r, wrong := agree(sessions, found, []string{"x"}, 1)
	// With C: 7 of 10 equal; chance (3*4 + 7*6)/100 = .54; kappa = (.7-.54)/.46 = .3478.
	// With D: 8 of 10; chance (3*3 + 7*7)/100 = .58; kappa = (.8-.58)/.42 = .5238. Mean .4358.
	// C with D: 9 of 10; chance (4*3 + 6*7)/100 = .54; kappa = .36/.46 = .7826.
	x := r.Outcomes[0]
	if x.Kappa != 0.436 || *x.Annotators != 0.783 || *x.Precision != 0.667 || *x.Recall != 0.667 || x.Bad != 3 || x.Counted || r.Value != nil {
		b, _ := json.Marshal(r)
		t.Errorf("got %s", b)
	}
	if len(wrong) != 1 || wrong[0] != (disagreement{"c", "x", "fail", "pass"}) {
		t.Errorf("disagreements %+v", wrong)
	}
	// Twice as many cases are enough to count; a rule that says nothing is missing.
	found = append(found, found...)
	found[0] = nil
	if r, _ = agree(append(sessions, sessions...), found, []string{"x"}, 0); !r.Outcomes[0].Counted || r.Value == nil || *r.Value != r.Outcomes[0].Kappa || r.Outcomes[0].Kappa == 0.436 {
		b, _ := json.Marshal(r)
		t.Errorf("got %s", b)
	}
}

func TestEvalOutcomes(t *testing.T) {
	gold := writeFile(t, "gold.jsonl", `{"id":"a","turns":[{"role":"customer","text":"在吗"},{"role":"agent","text":"您好"}],"王":{"greeting":"pass","closing":"fail"}}
{"id":"b","turns":[{"role":"customer","text":"在吗"},{"role":"agent","text":"嗯"}],"王":{"greeting":"pass","closing":"fail"}}
`)
	out, stderr, code := outcomesOf(t, "--gold", gold, "--annotators", "王", "--errors", "9", "--json")
	if code != 0 || !strings.Contains(out, `"outcome":"greeting","annotators":null,"kappa":0,"precision":0,"recall":null,"n_bad":0`) || !strings.Contains(stderr, `{"id":"b","outcome":"greeting","annotators":"pass","tingke":"fail"}`) {
		t.Errorf("code %d: %s %s", code, out, stderr)
	}
	f := func(text, want string) {
		t.Helper()
		path := writeFile(t, "bad.jsonl", text)
		if _, stderr, code := outcomesOf(t, "--gold", path); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %s, want %q", text, code, stderr, want)
		}
	}
	f(`{"id":"a","turns":[],"C":{"greeting":"na"}}`, "bad.jsonl:1: D: want an object of outcomes by rule; the line has the keys C, id, turns")
	f(`{"turns":[],"C":{},"D":{}}`, "bad.jsonl:1: id: want a text")
	f("{\"id\":\"a\",\"turns\":[],\"C\":{\"x\":\"na\"},\"D\":{}}\n[", "D says nothing of x")
	f("", "holds no session")
	f(`{"id":"a","turns":[{"role":"boss","text":""}],"C":{},"D":{}}`, "unknown role")
	if _, stderr, code := outcomesOf(t); code != exitUsage || !strings.Contains(stderr, "--gold is missing") {
		t.Errorf("code %d %s", code, stderr)
	}
}

// TestEvalOutcomesEqualsTheScript compares with the script that comes with the judged sessions.
func TestEvalOutcomesEqualsTheScript(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and nothing for the race detector runs in it that other tests do not run")
	}
	folder, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "gold"))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(folder, "agree.py")
	if _, err := os.Stat(script); err != nil {
		t.Skipf("SKIPPED: the judged sessions are not at hand: %v", err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("SKIPPED: the script cannot run: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, "outcomes", "--bin", self)
	cmd.Env = append(os.Environ(), asMain+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var theirs map[string]json.RawMessage
	if err := json.Unmarshal(b, &theirs); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	out, errs, code := outcomesOf(t, "--gold", filepath.Join(folder, "sessions.jsonl"), "--json")
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	var r agreement
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var value float64
	if err := json.Unmarshal(theirs["value"], &value); err != nil || r.Value == nil || *r.Value != value {
		t.Errorf("the mean is %s there, here %s", theirs["value"], out)
	}
	if len(r.Outcomes) != 12 {
		t.Errorf("%d outcomes", len(r.Outcomes))
	}
	for _, x := range r.Outcomes {
		var want struct {
			Annotators, Tingke float64
			Precision, Recall  *float64
			Bad                int `json:"n_bad"`
			Counted            bool
		}
		if err := json.Unmarshal(theirs[x.Outcome], &want); err != nil {
			t.Fatal(err)
		}
		same := func(a, b *float64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
		if *x.Annotators != want.Annotators || x.Kappa != want.Tingke || !same(x.Precision, want.Precision) || !same(x.Recall, want.Recall) || x.Bad != want.Bad || x.Counted != want.Counted {
			t.Errorf("%s: there %s, here %+v", x.Outcome, theirs[x.Outcome], x)
		}
	}
}
