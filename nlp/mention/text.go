package mention

import "github.com/tingke/tingke/nlp/cue"

const maxAspects = 12

// Text is what a turn says on its own. It is immutable and free to be shared and cached.
type Text struct {
	candidates []candidate
	firm       bool                // some candidate is not weak
	aspects    [maxAspects]float32 // over the whole turn
}

// aspectNamed is the evidence at which an aspect counts as named.
const aspectNamed = 0.9

// about is the aspect the turn speaks of most, or -1.
func (t *Text) about() int {
	return strongest(&t.aspects, aspectNamed)
}

func strongest(a *[maxAspects]float32, least float32) int {
	best := -1
	for i, v := range a {
		if v >= least && (best < 0 || v > a[best]) {
			best = i
		}
	}
	return best
}

// reader is scratch space.
type reader struct {
	cue.Reading
	clauses []clause
}

// clause is the evidence of one clause.
type clause struct {
	start, end int32
	stop       byte
	aspects    [maxAspects]float32
	kinds      [kinds]float32
	canYou     float32
	rant       float32 // judgements and insults that name no point
	point      float32 // aspects named outside rants
	pos, bad   float32
	concrete   bool
	noMention  float32
	self       bool
	asks       bool // has the form of a question
	formQ      bool // a question by its end or by A-not-A, so that what it names is asked for, not stated
	bare       bool
	reproach   float32 // evidence that a question is none: 怎么又, 不是说
	cause      bool    // asks for cause or remedy
	content    int32   // characters outside formulas and acknowledgements
	digits     bool

	kind   kind // -1: none
	aspect int  // -1: none
}

// Text reads a normalised text.
func (f *Finder) Text(norm string) *Text {
	r := f.pool.Get().(*reader)
	defer f.pool.Put(r)
	f.lex.Read(norm, &r.Reading)
	f.collect(r)
	t := new(Text)
	for i := range r.clauses {
		c := &r.clauses[i]
		for a, v := range c.aspects {
			t.aspects[a] += v
		}
		c.decide()
	}
	f.join(r, t)
	return t
}

// negationReach is how many characters may lie between a negation and the judgement it reverses.
const negationReach = 4

// collect sums the evidence of each clause.
func (f *Finder) collect(r *reader) {
	r.clauses = r.clauses[:0]
	for _, c := range r.Clauses {
		r.clauses = append(r.clauses, clause{start: c.Start, end: c.End, stop: c.Stop, asks: c.Stop == '?', formQ: c.Stop == '?'})
	}
	current, negAt, neg, upTo := int32(-1), int32(0), false, int32(0)
	covered, rantTo := int32(0), int32(0)
	flush := func() {
		if current >= 0 {
			c := &r.clauses[current]
			c.content = runes(r.Text, c.start, c.end) - covered
		}
		covered = 0
	}
	for i := range r.Marks {
		m := &r.Marks[i]
		if m.Clause != current {
			flush()
			for current++; current < m.Clause; current++ {
				r.clauses[current].content = runes(r.Text, r.clauses[current].start, r.clauses[current].end)
			}
			neg, upTo = false, m.First
		}
		c := &r.clauses[current]
		if m.Start >= c.end && r.clauses[current].stop != 0 {
			continue // the punctuation itself
		}
		if m.Inner {
			for k := range r.TagsOf(m) {
				if tag, w := r.TagAt(m, k); f.use[tag].role == roleAspect {
					c.aspects[f.use[tag].aspect] += w
					if m.Last > rantTo {
						c.point += w
					}
				}
			}
			continue
		}
		flip := neg && m.First-negAt <= negationReach
		ranting, named := false, float32(0)
		negates, judged := false, false
		for k := range r.TagsOf(m) {
			tag, w := r.TagAt(m, k)
			switch u := f.use[tag]; u.role {
			case roleAspect:
				c.aspects[u.aspect] += w
				named = max(named, w)
			case roleRequest:
				c.kinds[request] += w
			case roleCanYou:
				c.canYou = max(c.canYou, w)
			case roleSuggestion:
				c.kinds[suggestion] += w
			case roleBug:
				c.kinds[bug] += w
			case roleComplain:
				if flip {
					w *= 0.3
				}
				c.kinds[complaint] += w
				judged = true
			case rolePraise:
				if flip {
					c.kinds[complaint] += 0.8 * w
				} else {
					c.kinds[praise] += w
				}
				judged = true
			case rolePos, roleBad:
				good := u.role == rolePos
				if flip && w >= 0.5 {
					good = !good
				}
				if good {
					c.pos += w
				} else {
					c.bad += w
				}
				judged = judged || w >= 0.5
			case roleRant:
				c.rant += w
				ranting = true
			case roleConcrete:
				c.concrete = true
			case roleNoMention:
				c.noMention += w
				covered += max(0, m.Last-max(m.First, upTo))
				upTo = max(upTo, m.Last)
			case roleAck:
				covered += max(0, m.Last-max(m.First, upTo))
				upTo = max(upTo, m.Last)
			case roleSelfFact:
				c.self = true
			case roleBareQuestion:
				c.bare = true
			case roleQuestion, roleWhat:
				c.asks = true
				if w > 1 {
					c.formQ = true
				}
				if m.End >= c.end {
					c.formQ = true
				}
			case roleQuestionMark:
				c.asks, c.formQ = true, true
			case roleCause:
				c.cause = true
			case roleNeg:
				negates = true
			}
		}
		if ranting {
			rantTo = m.Last
		} else if named > 0 {
			c.point += named
		}
		if judged {
			neg = false
		}
		if negates {
			neg, negAt = true, m.Last
		}
	}
	flush()
	for current++; int(current) < len(r.clauses); current++ {
		if current >= 0 {
			r.clauses[current].content = runes(r.Text, r.clauses[current].start, r.clauses[current].end)
		}
	}
	for i := range r.clauses {
		c := &r.clauses[i]
		for _, b := range []byte(r.Text[c.start:c.end]) {
			if b >= '0' && b <= '9' {
				c.digits = true
				break
			}
		}
	}
	for _, fired := range r.Fired {
		tag, w, _ := f.lex.Out(fired.Construction)
		c := &r.clauses[fired.Clause]
		switch u := f.use[tag]; u.role {
		case roleAspect:
			c.aspects[u.aspect] += w
			c.point += w
		case roleRequest:
			c.kinds[request] += w
		case roleSuggestion:
			c.kinds[suggestion] += w
		case roleComplain:
			c.kinds[complaint] += w
		case roleReproach:
			c.reproach = max(c.reproach, w)
		case roleBug:
			c.kinds[bug] += w
		case rolePraise:
			c.kinds[praise] += w
		}
	}
}

func runes(text string, start, end int32) int32 {
	n := int32(0)
	for _, b := range []byte(text[start:end]) {
		if b&0xc0 != 0x80 {
			n++
		}
	}
	return n
}
