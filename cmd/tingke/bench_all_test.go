package main

import (
	"encoding/json"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// TestBenchAll: one run gives the sections that were asked for, each as its own command gives it. Alerts and dashboards have
// tests of their own and take longer.
func TestBenchAll(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED, bench all is not run: %v", err)
	}
	out, stderr, code := tingke(t, "", "bench", "all", "--json", "--only", "pipeline,stages,rules,opinions", "--sessions", "80", "--rounds", "1", "--rules", "20",
		"--rule-sizes", "10,20", "--rule-rounds", "1", "--opinion-sizes", "50,100", "--opinion-round", "10ms")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var r benchAllResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Pipeline == nil || r.Stages == nil || r.Rules == nil || r.Opinions == nil || r.Alerts != nil || r.Dashboards != nil || len(r.Load) != 4 {
		t.Fatalf("%s", out)
	}
	if p := r.Pipeline; p.Ratio <= 0 || p.FloorTurnsPerS <= 0 || p.FloorCPUUS <= 0 || p.FullCPUUS <= p.FloorCPUUS/10 || len(p.Memory) != 1 || p.Memory[0].RSSMB <= 0 || p.PeakRSSMB < p.Memory[0].RSSMB {
		t.Errorf("pipeline %+v", p)
	}
	for _, s := range r.Stages.Stages {
		if s.CPUUS <= 0 || s.TurnsPerS <= 0 {
			t.Errorf("stage %+v", s)
		}
	}
	if len(r.Rules.Results) != 2 || len(r.Opinions.Results) != 2 {
		t.Errorf("rules %+v, opinions %+v", r.Rules, r.Opinions)
	}
	if _, stderr, code := tingke(t, "", "bench", "all", "--only", "nothing"); code != 2 {
		t.Errorf("an unknown section: exit %d, %s", code, stderr)
	}
}
