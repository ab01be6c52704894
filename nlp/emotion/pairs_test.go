package emotion

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/pairs"
	"github.com/tingke/tingke/schemas"
)

// leastPairs is the share of minimal pairs of which both members must be right.
const leastPairs = 0.95

// TestMinimalPairs: of nearly all pairs of utterances that differ little in form and by their label in meaning, both get
// their label.
func TestMinimalPairs(t *testing.T) {
	s := scorer(t)
	type count struct{ right, all int }
	by := map[string]*count{}
	var sum count
	label := func(p pairs.Pair, m pairs.Member) string {
		r := score(s, schemas.Role(m.Role), m.Text, m.Context...)
		if p.Field == pairs.Polarity {
			return r.PolarityClass
		}
		return r.Emotion.String()
	}
	for _, p := range pairs.All() {
		c := by[p.Phenomenon]
		if c == nil {
			c = new(count)
			by[p.Phenomenon] = c
		}
		a, b := label(p, p.A), label(p, p.B)
		c.all++
		sum.all++
		if a == p.A.Label && b == p.B.Label {
			c.right++
			sum.right++
			continue
		}
		show := func(m pairs.Member, got string) string {
			if got == m.Label {
				return m.Text + " ✓"
			}
			return strings.Join(append(m.Context, m.Text), " | ") + ": " + got + ", want " + m.Label
		}
		t.Logf("%s: %s; %s", p.ID, show(p.A, a), show(p.B, b))
	}
	for _, ph := range pairs.Phenomena {
		if c := by[ph]; c != nil {
			t.Logf("%s: %d of %d", ph, c.right, c.all)
		}
	}
	share := float64(sum.right) / float64(sum.all)
	t.Logf("both members right: %.3f of %d pairs", share, sum.all)
	if share < leastPairs {
		t.Errorf("both members right in %.3f of the pairs, want %.2f", share, leastPairs)
	}
}
