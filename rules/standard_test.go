package rules

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
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

func TestEmbeddedPacksLoadWithoutWarnings(t *testing.T) {
	if got, want := strings.Join(EmbeddedPacks(), " "), "aftersale presale standard"; got != want {
		t.Errorf("embedded packs %q, want %q", got, want)
	}
	for _, id := range EmbeddedPacks() {
		s := mustLoad(t, Embedded(id))
		for _, w := range s.Warnings() {
			t.Errorf("warning: %v", w)
		}
		if sum := s.packs[0].lightPoints(); sum >= 40 {
			t.Errorf("pack %s: info and minor rules cost %g points together, want below 40", id, sum)
		}
	}
	mustLoad(t, Embedded("standard"), Embedded("presale"), Embedded("aftersale"))
}

// TestRulesOfThePacksAreWhole: what a supervisor reads is there, and a rule is held from both sides by its tests: some
// that are a case of it, and at least as many as half that are near and are none. The tests themselves run with the
// real features in pipeline/analyse.
func TestRulesOfThePacksAreWhole(t *testing.T) {
	const least, leastNear, leastCase = 8, 4, 3
	for _, id := range EmbeddedPacks() {
		for _, r := range mustLoad(t, Embedded(id)).rules {
			if !hasHan(r.name) || r.dimension == "" || r.severity == "" {
				t.Errorf("%s/%s: name %q, dimension %q, severity %q: want a Chinese name, a dimension and a severity", id, r.id, r.name, r.dimension, r.severity)
			}
			near, cases := 0, 0
			for _, x := range r.tests {
				switch x.want {
				case schemas.Pass, schemas.Absent, schemas.NA:
					near++
				default:
					cases++
				}
			}
			if len(r.tests) < least || near < leastNear || cases < leastCase {
				t.Errorf("%s/%s: %d tests, %d of them near-misses, want %d, %d near-misses and %d cases", id, r.id, len(r.tests), near, least, leastNear, leastCase)
			}
		}
	}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff })
}

func TestStandardPackHasTheTwelveOutcomes(t *testing.T) {
	var ids []string
	for _, r := range mustLoad(t, Embedded("standard")).Rules() {
		ids = append(ids, r.ID)
	}
	if got, want := strings.Join(ids, " "), strings.Join(standardIDs, " "); got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
}
