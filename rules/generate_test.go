package rules

import (
	"strings"
	"testing"
)

func TestGeneratedPacksAreStableDistinctAndHitATenth(t *testing.T) {
	first, again, other := generate(40, 9), generate(40, 9), generate(40, 10)
	if first != again || first == other {
		t.Error("the text of a generated pack does not depend on n and seed alone")
	}
	for _, n := range []int{0, 1_000_000} {
		if _, err := Load(Generate(n, 1)); err == nil || !strings.Contains(err.Error(), "cannot generate") {
			t.Errorf("%d rules: %v", n, err)
		}
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(generate(1_000, 2), "\n") {
		_, list, ok := strings.Cut(line, "keyword: [")
		if !ok || strings.Contains(line, "unless") {
			continue
		}
		list, _, _ = strings.Cut(list, "]")
		for _, w := range strings.Split(list, ", ") {
			if seen[w] {
				t.Fatalf("the word %s stands in two rules", w)
			}
			seen[w] = true
		}
	}
	ts, fs := realSessions(t)
	for _, n := range []int{10, 200, 1_000} {
		s := mustLoad(t, Generate(n, 1))
		hit := 0
		for i := range ts {
			if len(s.Evaluate(ts[i], fs[i]).Hits) > 0 {
				hit++
			}
		}
		if share := float64(hit) / float64(len(ts)); len(s.Rules()) != n || share < 0.05 || share > 0.2 {
			t.Errorf("%d rules: %d rules, %.3f of the sessions hit, want 0.05 to 0.20", n, len(s.Rules()), share)
		}
	}
}
