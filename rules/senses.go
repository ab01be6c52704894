package rules

import (
	"strings"

	"github.com/tingke/tingke/schemas"
)

// senses is what operators beyond words find in the turns of a session, worked out once for all of them.
type senses struct {
	syllables []syllable
	classes   []byte
	found     []found
	heard     []heard
	earAt     []int32 // heard[earAt[i]:earAt[i+1]] is of turn i; nil where no rule listens

	likeness
}

func (s *senses) reset() {
	clear(s.heard)
	s.heard, s.earAt = s.heard[:0], s.earAt[:0]
	s.likeness.reset()
}

// words gives the words of a turn, nil where nobody can cut it.
func (e *evaluation) words(i int32) []schemas.Span {
	if e.noFeatures {
		return nil
	}
	return e.f.Turns[i].Words()
}

// sense works out the next turn.
func (e *evaluation) sense(i int32) {
	if e.set.ear != nil {
		e.listen(i)
	}
	if e.set.likes != nil && e.set.likes.wakes {
		e.compareTurn(i)
	}
}

// listing joins a few values for people.
func listing(values []string) string {
	const most = 5
	switch {
	case len(values) == 0:
		return places(0)
	case len(values) > most:
		values = append(values[:most:most], "…")
	}
	return strings.Join(values, ", ")
}
