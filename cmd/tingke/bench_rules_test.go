package main

import (
	"encoding/json"
	"testing"
)

// TestBenchRules: one run gives a result for each size, and the rules hit some of the sessions, whatever their number.
func TestBenchRules(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and nothing for the race detector runs in it that other tests do not run")
	}
	out, stderr, code := tingke(t, "", "bench", "rules", "--json", "--sizes", "10,200", "--sessions", "200", "--rounds", "1")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var r benchRulesResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 2 || r.Results[0].Rules != 10 || r.Results[1].Rules != 200 || r.MemoryPer1000 <= 0 {
		t.Fatalf("%s", out)
	}
	for _, x := range r.Results {
		if x.TurnsPerS <= 0 || x.Relative <= 0 || x.HitShare < 0.05 || x.HitShare > 0.2 {
			t.Errorf("%+v", x)
		}
	}
	if _, stderr, code := tingke(t, "", "bench", "rules", "--sizes", "0"); code != 2 {
		t.Errorf("no rules: exit %d, %s", code, stderr)
	}
}
