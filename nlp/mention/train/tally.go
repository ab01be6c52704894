package train

import (
	"slices"

	"github.com/tingke/tingke/nlp/measure"
	"github.com/tingke/tingke/nlp/mention"
)

// Tally counts found against marked mentions, turn by turn.
type Tally struct {
	found, marked            [3][]string
	matched, nFound, nMarked int
}

// Figures of a set: Cohen's kappa of the usual kind, aspect and valuable of the turns, their mean, and F1 of the spans,
// one being right that shares at least half of the union with a marked one.
type Figures struct {
	Kind, Aspect, Valuable, Mean, SpanF1 float64
	Turns                                int
}

// Add counts a turn. Places of both are in the same text.
func (t *Tally) Add(found, marked []mention.Labelled) {
	for h, value := range []func(mention.Labelled) string{mention.KindOf, mention.AspectOf, mention.ValuableOf} {
		t.found[h] = append(t.found[h], mention.Usual(found, value))
		t.marked[h] = append(t.marked[h], mention.Usual(marked, value))
	}
	t.nFound += len(found)
	t.nMarked += len(marked)
	used := make([]bool, len(marked))
	for _, x := range found {
		for i, y := range marked {
			common, union := min(x.End, y.End)-max(x.Start, y.Start), max(x.End, y.End)-min(x.Start, y.Start)
			if !used[i] && common > 0 && 2*common >= union {
				used[i] = true
				t.matched++
				break
			}
		}
	}
}

// Figures computes the figures of all turns added.
func (t *Tally) Figures() Figures {
	f := Figures{Turns: len(t.found[0])}
	if f.Turns == 0 {
		return f
	}
	f.Kind, f.Aspect, f.Valuable = measure.Kappa(t.found[0], t.marked[0]), measure.Kappa(t.found[1], t.marked[1]), measure.Kappa(t.found[2], t.marked[2])
	f.Mean = (f.Kind + f.Aspect + f.Valuable) / 3
	if n := t.nFound + t.nMarked; n > 0 {
		f.SpanF1 = 2 * float64(t.matched) / float64(n)
	}
	return f
}

// Classes gives the F1 of each class of kind (0), aspect (1) or valuable (2), no mention included.
func (t *Tally) Classes(head int) map[string]float64 {
	out := map[string]float64{}
	for _, c := range mention.Heads()[head].Classes {
		if slices.Contains(t.marked[head], c) || slices.Contains(t.found[head], c) {
			out[c] = measure.F1(t.marked[head], t.found[head], c)
		}
	}
	return out
}
