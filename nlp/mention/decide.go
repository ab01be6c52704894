package mention

import (
	"github.com/tingke/tingke/schemas"
)

// settings are the numbers of the decision that come with the model.
type settings struct {
	// nothing is the probability of no mention above which a turn has none.
	nothing float64
	// clause is the same for a clause of a turn that has mentions.
	clause float64
	// turn is the weight of the turn's decision in that of its clauses.
	turn float32
}

// Settings of the decision in the parameters of a model.
const (
	ParamNothing = "nothing"
	ParamClause  = "clause"
	ParamTurn    = "turn"
)

func settingsOf(p map[string]float64) settings {
	return settings{p[ParamNothing], p[ParamClause], float32(p[ParamTurn])}
}

// found mention, in bytes of the normalised text.
type decision struct {
	start, end int32
	kind       kind
	aspect     int
	valuable   bool
	good, bad  float32
}

// FindText is Find for texts that have been read: t is the reading of in.Norm.Text, before are the turns before it, oldest
// first; in.Context is not looked at. What it returns does not share memory with its arguments.
func (f *Finder) FindText(t *Text, in Input, before []*Said) []schemas.TurnMention {
	if t.start == t.end || in.Role != schemas.Customer {
		return nil
	}
	if len(before) > ContextTurns {
		before = before[len(before)-ContextTurns:]
	}
	context := f.context(before)
	whole := t.scores
	whole.add(&context, 1)
	if whole.nothing() > f.settings.nothing {
		return nil
	}
	r := f.pool.Get().(*reader)
	defer f.pool.Put(r)
	r.decisions = r.decisions[:0]
	if len(t.parts) == 0 {
		d := decision{start: t.start, end: t.end, good: t.good, bad: t.bad}
		d.choose(&whole, &whole, 0)
		r.decisions = append(r.decisions, d)
	} else {
		f.clauses(r, t, &whole, &context)
	}
	out := make([]schemas.TurnMention, 0, len(r.decisions))
	for i := range r.decisions {
		d := &r.decisions[i]
		start, end := in.Norm.Orig(int(d.start)), in.Norm.Orig(int(d.end))
		if end <= start || len(out) > 0 && start < out[len(out)-1].End {
			continue
		}
		out = append(out, schemas.TurnMention{
			Text: in.Raw[start:end], Start: start, End: end,
			Kind: kindNames[d.kind], Aspect: schemas.Aspects[d.aspect], Valuable: d.valuable,
			Product: f.product(d, t, in, before), Polarity: d.polarity(),
		})
	}
	return out
}

// context sums what the turns before say.
func (f *Finder) context(before []*Said) (s scores) {
	if len(before) == 0 {
		f.model.AddSparse(s[:], keyFirst, weightLength)
	}
	for i, fade := range fading {
		if k := len(before) - 1 - i; k >= 0 {
			s.add(&before[k].scores, fade)
		}
	}
	return s
}

// clauses decides about the clauses of a turn that has mentions: the likeliest is one in any case, neighbours that say the
// same are one together.
func (f *Finder) clauses(r *reader, t *Text, whole, context *scores) {
	r.judged, r.nothing = r.judged[:0], r.nothing[:0]
	best := 0
	for i := range t.parts {
		s := t.parts[i].scores
		s.add(context, 1)
		r.judged, r.nothing = append(r.judged, s), append(r.nothing, s.nothing())
		if r.nothing[i] < r.nothing[best] {
			best = i
		}
	}
	last := -1
	for i := range t.parts {
		if r.nothing[i] > f.settings.clause && i != best {
			continue
		}
		p := &t.parts[i]
		d := decision{start: p.start, end: p.end, good: p.good, bad: p.bad}
		d.choose(&r.judged[i], whole, f.settings.turn)
		if n := len(r.decisions); n > 0 && last == i-1 && r.decisions[n-1].leadsTo(&d) {
			j := &r.decisions[n-1]
			j.kind, j.end, j.valuable, j.good, j.bad = d.kind, d.end, j.valuable || d.valuable, j.good+d.good, j.bad+d.bad
		} else {
			r.decisions = append(r.decisions, d)
		}
		last = i
	}
}

// leadsTo says whether two neighbours are one mention: they say the same, or the second asks about what the first judges
// (这么贵，贵在哪里).
func (d *decision) leadsTo(next *decision) bool {
	return d.aspect == next.aspect && (d.kind == next.kind || d.kind == complaint && next.kind == question)
}

// choose takes the likeliest class of each head, other than none, by the clause and, weighed, by the turn around it.
func (d *decision) choose(clause, whole *scores, weight float32) {
	pick := func(from, n int) int {
		best, top := 0, float32(0)
		for k := range n {
			// Logarithms of probabilities but for a constant.
			if v := clause[from+k] + float32(weight*whole[from+k]); k == 0 || v > top {
				best, top = k, v
			}
		}
		return best
	}
	d.kind, d.aspect, d.valuable = kind(pick(kindAt, int(kinds))), pick(aspectAt, maxAspects), pick(valuableAt, 2) == 0
}

// polarity of a mention follows its kind; where the kind leaves it open, the judgements in its words.
func (d *decision) polarity() string {
	switch {
	case d.kind == complaint || d.kind == bug:
		return schemas.Negative
	case d.kind == praise:
		return schemas.Positive
	case d.bad-d.good > 0.7:
		return schemas.Negative
	case d.good-d.bad > 1.2:
		return schemas.Positive
	}
	return schemas.NeutralPolarity
}
