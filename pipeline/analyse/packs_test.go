package analyse

import (
	"testing"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/rules"
)

// TestEmbeddedPacksHoldTheirOwnTests runs the tests inside the packs with the features that sessions are analysed with:
// emotions, mentions, traditional characters. rules itself must not know nlp.
func TestEmbeddedPacksHoldTheirOwnTests(t *testing.T) {
	a, err := nlp.New(nlp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	o := rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }}
	for _, id := range rules.EmbeddedPacks() {
		s, err := rules.LoadWith(o, rules.Embedded(id))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range s.Test(a) {
			n++
			if !r.OK {
				t.Errorf("%s:%d: rule %s, test %s: %s", r.File, r.Line, r.Rule, r.Name, r.Diff)
			}
		}
		if n == 0 {
			t.Errorf("pack %s has no tests", id)
		}
	}
}
