package rules

import (
	"strings"
	"testing"
)

// standardIDs are the outcomes every session is reported with.
var standardIDs = []string{
	"greeting", "closing", "apology_on_complaint", "reason_on_why", "probe_need", "give_advice",
	"recommend", "forbidden", "hold_courtesy", "repeat_answer", "unanswered", "push_away",
}

func mustLoad(t testing.TB, sources ...Source) *Set {
	t.Helper()
	s, err := Load(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmbeddedPacksHoldTheirOwnTests(t *testing.T) {
	for _, id := range EmbeddedPacks() {
		s := mustLoad(t, Embedded(id))
		for _, w := range s.Warnings() {
			t.Errorf("warning: %v", w)
		}
		for _, r := range s.Test(Literal{}) {
			if !r.OK {
				t.Errorf("%s:%d: rule %s, test %s: %s", r.File, r.Line, r.Rule, r.Name, r.Diff)
			}
		}
	}
}

func TestStandardPackHasTheTwelveOutcomesWithEightTestsEach(t *testing.T) {
	s := mustLoad(t, Embedded("standard"))
	var ids []string
	for _, r := range s.Rules() {
		ids = append(ids, r.ID)
		if r.Tests < 8 {
			t.Errorf("rule %s has %d tests, want at least 8", r.ID, r.Tests)
		}
	}
	if got, want := strings.Join(ids, " "), strings.Join(standardIDs, " "); got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
	if sum := s.packs[0].lightPoints(); sum >= 40 {
		t.Errorf("info and minor rules cost %g points together, want below 40", sum)
	}
}
