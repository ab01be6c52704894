package mention

// Weights of the decision, set by hand against the definitions of the labels.
const (
	leastKind    = 0.9
	leastContent = 2
)

// decide gives a clause its kind and aspect, -1 where it says nothing.
func (c *clause) decide() {
	c.kind = -1
	c.aspect = strongest(&c.aspects, aspectNamed)
	if c.content < leastContent && !(c.content > 0 && c.point >= 2) {
		return
	}
	k := c.kinds
	if c.bad > c.pos {
		w := float32(0.5)
		if c.point >= 1 || c.concrete {
			w = 1 // a failing of something named, more than a mood
		}
		k[complaint] += w * min(c.bad-c.pos, 2)
	} else if c.pos > c.bad && !c.asks {
		k[praise] += 0.6 * min(c.pos-c.bad, 2)
	}
	if c.asks {
		k[question] = 1.2
		if c.formQ {
			// 会闪退吗 asks for what it names.
			k[question] += 1
			k[praise] *= 0.2
			k[complaint] *= 0.7
			k[bug] *= 0.6
		}
		if c.canYou > 0 {
			// A question in form that asks for an action.
			k[request] += c.canYou
		}
	} else if c.canYou >= 1 {
		k[request] += c.canYou
	} else if k[request] > 0 {
		k[request] += c.canYou
	}
	if c.reproach > 0 && c.kinds[request] == 0 {
		k[question] -= 1.6
		k[complaint] += c.reproach
	}
	if c.cause && c.kinds[bug] > 0 {
		// 打不开怎么办 reports more than it asks.
		k[question] -= 1.4
		k[bug] += 0.4 * c.kinds[bug]
	}
	// A malfunction is stronger than the complaint its words also make.
	if k[bug] > 0 && k[complaint] > 0 {
		k[bug] += 0.4
	}
	best := kind(0)
	for i := range k {
		if k[i] > k[best] {
			best = kind(i)
		}
	}
	if k[best] < leastKind {
		return
	}
	if c.noMention > 0 && c.content <= 3 && c.point < 2 {
		return
	}
	c.kind = best
}

// valuable says whether a clause of this kind names a point somebody could act on.
func (c *clause) valuable() bool {
	if c.bare && c.content <= 4 && c.point < 1.5 {
		return false
	}
	if c.point >= 1 || c.digits {
		return true
	}
	switch c.kind {
	case question, request, suggestion:
		return c.content >= 5 && c.rant == 0
	case bug:
		return c.content >= 3
	default:
		return c.content >= 6 && c.rant == 0 || c.content >= 12
	}
}

// join makes candidates of clauses: a clause without a kind goes with the one it leads to, neighbours that say the same
// become one.
func (f *Finder) join(r *reader, t *Text) {
	lead := -1 // first of the clauses that wait for the one they lead to
	for i := range r.clauses {
		c := &r.clauses[i]
		if c.kind < 0 {
			if c.point >= 1.5 && c.content >= 3 && c.noMention == 0 && !c.asks {
				t.candidates = append(t.candidates, candidate{
					start: c.start, end: c.end, weak: true, kind: complaint, aspect: int8(c.aspect), valuable: true, good: c.pos, bad: c.bad,
				})
			}
			switch {
			case c.content < 3 || c.stop == '.' || c.stop == '!':
				lead = -1
			case lead < 0:
				lead = i
			}
			continue
		}
		start := i
		if lead >= 0 {
			start = lead
			for j := lead; j < i; j++ {
				for a, v := range r.clauses[j].aspects {
					c.aspects[a] += 0.6 * v
				}
				c.point += 0.6 * r.clauses[j].point
			}
			c.aspect = strongest(&c.aspects, aspectNamed)
		}
		lead = -1
		cand := candidate{
			start: r.clauses[start].start, end: c.end, kind: c.kind, aspect: int8(c.aspect), valuable: c.valuable(), good: c.pos, bad: c.bad,
		}
		if n := len(t.candidates); n > 0 && !t.candidates[n-1].weak && t.candidates[n-1].same(&cand, r) {
			last := &t.candidates[n-1]
			last.end = cand.end
			last.valuable = last.valuable || cand.valuable
			if last.aspect < 0 {
				last.aspect = cand.aspect
			}
			last.good, last.bad = last.good+cand.good, last.bad+cand.bad
			continue
		}
		if n := len(t.candidates); n > 0 && i > 0 && r.clauses[i-1].stop == ',' && t.candidates[n-1].asksAfter(&cand) {
			// 这么贵，贵在哪里: the question says what the judgement before it is about.
			last := &t.candidates[n-1]
			last.kind, last.end, last.valuable = question, cand.end, last.valuable || cand.valuable
			last.good, last.bad = last.good+cand.good, last.bad+cand.bad
			continue
		}
		if start < i {
			// The clauses that lead here are part of it now.
			for n := len(t.candidates); n > 0 && t.candidates[n-1].weak && t.candidates[n-1].start >= cand.start; n-- {
				t.candidates = t.candidates[:n-1]
			}
		}
		t.firm = true
		t.candidates = append(t.candidates, cand)
	}
	kept := t.candidates[:0]
	for i := range t.candidates {
		c := t.candidates[i]
		from, to := trim(r.Text, int(c.start), int(c.end))
		if to <= from {
			continue
		}
		c.start, c.end = int32(from), int32(to)
		c.products = f.products.find(r.Text, from, to, nil)
		if len(c.products) == 0 {
			// The product may stand elsewhere in the turn.
			c.products = f.products.find(r.Text, 0, len(r.Text), nil)
		}
		kept = append(kept, c)
	}
	t.candidates = kept
}

// asksAfter says whether next asks about what c judges.
func (c *candidate) asksAfter(next *candidate) bool {
	return !c.weak && c.kind == complaint && next.kind == question && c.aspect >= 0 && c.aspect == next.aspect && next.start-c.end <= 8
}

// same says whether two neighbours are one mention.
func (c *candidate) same(next *candidate, r *reader) bool {
	if c.kind != next.kind || int(next.start)-int(c.end) > 8 {
		return false
	}
	return c.aspect == next.aspect || c.aspect < 0 || next.aspect < 0
}
