package mention

import (
	"slices"

	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/schemas"
)

// Labelled is a mention that somebody marked.
type Labelled struct {
	Start, End   int // bytes of the normalised text; equal when the place is not known
	Kind, Aspect string
	Valuable     bool
}

// Usual gives the value that most of the mentions have, of equally frequent ones the first; "none" without mentions. Turns
// are compared by it.
func Usual[T any](list []T, value func(T) string) string {
	best, most := none, 0
	for _, x := range list {
		n := 0
		for _, y := range list {
			if value(x) == value(y) {
				n++
			}
		}
		if n > most {
			best, most = value(x), n
		}
	}
	return best
}

// Values that Usual counts.
func KindOf(m Labelled) string   { return m.Kind }
func AspectOf(m Labelled) string { return m.Aspect }
func ValuableOf(m Labelled) string {
	if m.Valuable {
		return "yes"
	}
	return "no"
}

// clauseWeight is what an example of a clause weighs beside one of a turn, set by cross-validation.
const clauseWeight = 0.5

// Examples makes the training examples of a customer's turn: one of the turn, whose label is the usual one of its mentions,
// and one of each clause where there are several, labelled by the mention that lies over it. weight multiplies theirs.
func (f *Finder) Examples(norm string, context []Utterance, marked []Labelled, weight float32) []linear.Example {
	r := f.pool.Get().(*reader)
	defer f.pool.Put(r)
	f.read(norm, r)
	if len(r.parts) == 0 {
		return nil
	}
	var around linear.Example
	f.exampleContext(r, context, &around)
	turn := linear.Example{Sparse: slices.Clone(around.Sparse)}
	r.turn(&sink{example: &turn})
	turn.Targets = targets(marked, weight)
	out := []linear.Example{turn}
	if len(r.parts) == 1 {
		return out
	}
	r.around(&sink{example: &around})
	for i := range r.parts {
		p := &r.parts[i]
		e := linear.Example{Sparse: slices.Clone(around.Sparse)}
		r.part(&sink{example: &e}, p)
		e.Targets = targets(over(p, marked), weight*clauseWeight)
		out = append(out, e)
	}
	return out
}

func (f *Finder) exampleContext(r *reader, context []Utterance, e *linear.Example) {
	if len(context) == 0 {
		(&sink{example: e}).sparse(keyFirst, weightLength)
	}
	for i := range fading {
		if k := len(context) - 1 - i; k >= 0 {
			r.before(&sink{example: e}, context[k].Norm, context[k].Role, i)
		}
	}
}

// over gives the mention that lies over a clause: over half of the clause or of itself, of several the one that covers most.
func over(p *part, marked []Labelled) []Labelled {
	var best []Labelled
	most := 0
	for _, m := range marked {
		common := min(int(p.end), m.End) - max(int(p.start), m.Start)
		if common > most && 2*common >= min(int(p.end-p.start), m.End-m.Start) {
			best, most = []Labelled{m}, common
		}
	}
	return best
}

func targets(marked []Labelled, weight float32) []linear.Target {
	heads := Heads()
	out := make([]linear.Target, len(heads))
	for h, value := range []func(Labelled) string{KindOf, AspectOf, ValuableOf} {
		if c := slices.Index(heads[h].Classes, Usual(marked, value)); c >= 0 {
			out[h] = linear.Target{Classes: 1 << c, Weight: weight}
		}
	}
	return out
}

// Labels gives found mentions the form of marked ones, with places in the text as it was given.
func Labels(list []schemas.TurnMention) []Labelled {
	out := make([]Labelled, len(list))
	for i, m := range list {
		out[i] = Labelled{m.Start, m.End, m.Kind, m.Aspect, m.Valuable}
	}
	return out
}
