package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestEvalSkipsLoudly: data that is absent is named on standard output and counted on standard error, never measured as 0.
func TestEvalSkipsLoudly(t *testing.T) {
	out, errs, code := tingke(t, "", "eval", "sentiment", "--json", "--data", t.TempDir())
	if code != 0 || !strings.Contains(errs, "SKIPPED") {
		t.Errorf("code %d, stderr %q", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines: %s", len(lines), out)
	}
	for _, line := range lines {
		var f figure
		if err := json.Unmarshal([]byte(line), &f); err != nil || f.Skipped == "" || f.Value != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestEvalContrasts needs no data from outside, and its gate holds.
func TestEvalContrasts(t *testing.T) {
	out, errs, code := tingke(t, "", "eval", "contrasts", "--json", "--gate")
	var f figure
	if err := json.Unmarshal([]byte(out), &f); err != nil || code != 0 || f.Value == nil || len(f.Parts) != 10 {
		t.Errorf("code %d, %q, %q, %v", code, out, errs, err)
	}
}

func TestTrainSaysWhatIsMissing(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if _, errs, code := tingke(t, "", append([]string{"train", "emotion"}, args...)...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%v: code %d, %q, want %d and %q", args, code, errs, exitUsage, want)
		}
	}
	f("--output is missing")
	f("cannot use --data", "-o", filepath.Join(t.TempDir(), "m.bin"), "--data", filepath.Join(t.TempDir(), "nowhere"))
}
