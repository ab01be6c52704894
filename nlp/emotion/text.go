package emotion

import (
	"sync/atomic"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

// Text is everything about a turn that depends on its text alone. It is small and free to be shared and cached: what it
// says never changes, though a part of it is made on first use.
type Text struct {
	feelings [schemas.EmotionCount]float32
	// customer and agent are the further evidence of constructions limited to one side.
	customer, agent [schemas.EmotionCount]float32
	hasSide         bool
	pos, bad        float32
	thanks          float32 // strength of thanks of any form
	thanksFull      float32 // thanks that state what for, or praise the helper
	sorry           float32
	sorryAgent      float32
	sorryCustomer   float32
	giveUp          float32
	runes           int32
	content         int32 // characters outside thanks, acknowledgement, apology and punctuation
	clauses         int16
	bangs, asks     int16
	flags           flags

	// What the model makes of the text: of the turn itself, and of its tags when an agent speaks.
	self, agentSide part
	// asBefore is what it makes of the text as the turn before one of the other side, made when such a turn comes: half of
	// the turns are never asked. norm is the text, for that.
	asBefore atomic.Pointer[part]
	norm     string
}

// before gives what the model makes of the text as the turn before. Two goroutines may both make it; they make the same.
func (t *Text) before(s *Scorer) *part {
	if p := t.asBefore.Load(); p != nil {
		return p
	}
	x := s.pool.Get().(*scratch)
	defer s.pool.Put(x)
	x.keys.before = beforeGrams.Keys(x.keys.before[:0], t.norm)
	p := new(part)
	s.model.AddSparse(p[:], x.keys.before, groupValue(len(x.keys.before)))
	t.asBefore.Store(p)
	return p
}

// Thanks says whether the text holds words of thanks that it does not take back.
func (t *Text) Thanks() bool { return t.thanks > 0 && t.flags&fSarcasm == 0 || t.thanksFull > 0 }

// OnlyAcknowledges says whether the text says nothing but yes, fine, understood.
func (t *Text) OnlyAcknowledges() bool {
	return t.runes > 0 && t.content == 0 && t.flags&(fLoneMark|fQuestion) == 0
}

type flags uint32

const (
	fNoThanks flags = 1 << iota
	fNoneLeft
	fQuestion
	fAnota
	fWhy
	fRequest
	fReport
	fMoreOffer
	fRateWish
	fClosing
	fPrivate
	fInstruct
	fSoothe
	fWishAgent
	fSarcasm
	fStillNot
	fLoneMark // nothing but question or exclamation marks
	fCond
	fThanksTail // a bare 谢谢 behind everything else

	flagCount = iota
)

// negationReach is how many characters may lie between a negation and what it reverses.
const negationReach = 4

// scratch is what reading a text needs for a moment.
type scratch struct {
	reading cue.Reading
	keys    keyed
}

// Text reads the normalised text of a turn.
func (s *Scorer) Text(norm string) *Text {
	x := s.pool.Get().(*scratch)
	defer s.pool.Put(x)
	x.keys.reset()
	t := s.readInto(norm, &x.reading, &x.keys)
	if s.model != nil {
		k := &x.keys
		s.model.AddSparse(t.self[:], k.text, groupValue(len(k.text)))
		s.model.AddSparse(t.self[:], k.tags, groupValue(len(k.tags)))
		s.model.AddSparse(t.agentSide[:], k.agent, groupValue(len(k.agent)))
	}
	return t
}

// read reads a text and leaves its keys in k.
func (s *Scorer) read(norm string, k *keyed) *Text {
	x := s.pool.Get().(*scratch)
	defer s.pool.Put(x)
	return s.readInto(norm, &x.reading, k)
}

func (s *Scorer) readInto(norm string, r *cue.Reading, k *keyed) *Text {
	s.lex.Read(norm, r)
	t := &Text{norm: norm, runes: int32(r.Runes), clauses: int16(min(len(r.Clauses), 1<<14))}
	w := walker{s: s, r: r, t: t, keys: k}
	w.marks()
	w.constructions()
	w.content()
	if s.model != nil || s.training {
		w.otherKeys(norm)
	}
	return t
}

// walker turns a reading into a Text and the keys of its features.
type walker struct {
	s    *Scorer
	r    *cue.Reading
	t    *Text
	keys *keyed
	// Keys of the mark before in the clause, of the one before that, and of the last mark of the clause before.
	previous, previous2, before uint64
}

// add joins evidence: the strongest counts whole, the rest in part, so that repetition adds little.
func add(sum *float32, w float32) {
	if w > *sum {
		*sum, w = w, *sum
	}
	*sum += 0.3 * w
}

// clauseState is what earlier marks of the clause do to a later one.
type clauseState struct {
	clause   int32
	neg      int // number of negations in force
	negAt    int32
	degree   float32
	degreeAt int32
	cond     bool // what is said is supposed
	condHere bool // the word of condition stands in this clause
	question bool
	fear     bool
}

func (w *walker) marks() {
	tg, r, t := &w.s.tag, w.r, w.t
	st := clauseState{clause: -1}
	for i := range r.Marks {
		m := &r.Marks[i]
		if m.Clause != st.clause {
			// A condition reaches over into the next clause only when its own has nothing but the condition.
			st = clauseState{clause: m.Clause, question: w.questionClause(i), cond: w.conditionClause(i, st)}
			w.before, w.previous, w.previous2 = w.previous, 0, 0
		}
		if m.Inner {
			continue // additive entries inside longer ones serve constructions
		}
		n := r.TagsOf(m)
		// What stands in force when this mark is met.
		factor, flip := w.modifiers(&st, m, i)
		w.mark(m, flip, &st)
		negates, judged := false, false
		for k := 0; k < n; k++ {
			tag, weight := r.TagAt(m, k)
			if e := tg.feeling[tag]; e != none {
				w.feeling(schemas.Emotion(e), weight*factor, flip, &st)
				judged = true
				continue
			}
			if e := tg.agentFeeling[tag]; e != none {
				add(&t.agent[e], weight)
				t.hasSide = true
				continue
			}
			switch tag {
			case tg.pos:
				w.judgement(true, weight*factor, flip, &st)
				judged = true
			case tg.bad:
				w.judgement(false, weight*factor, flip, &st)
				judged = judged || weight >= 0.5
			case tg.thanks, tg.thanks2:
				tail := t.thanks == 0 && m.First > 4 && m.Last-m.First <= 3 && int32(r.Runes)-m.Last <= 3
				add(&t.thanks, weight*factor)
				if t.flags &^= fThanksTail; tail {
					t.flags |= fThanksTail
				}
			case tg.gratefulWord:
				add(&t.thanksFull, weight*factor)
			case tg.sorry:
				add(&t.sorry, weight*factor)
			case tg.sorryAgent:
				add(&t.sorryAgent, weight)
			case tg.sorryCustomer:
				add(&t.sorryCustomer, weight)
			case tg.giveUp:
				add(&t.giveUp, weight)
			case tg.neg:
				negates = true
			case tg.neg2:
				st.neg, st.negAt = 0, m.Last
			case tg.deg, tg.dim:
				st.degree, st.degreeAt = weight, m.Last
			case tg.cond:
				st.cond, st.condHere = true, true
				t.flags |= fCond
			case tg.bang:
				t.bangs++
			case tg.manyQ:
				t.asks++
			default:
				t.flags |= w.s.flagOf(tag)
			}
		}
		if judged {
			st.neg = 0
		}
		if negates {
			if st.neg > 0 && m.First-st.negAt > negationReach {
				st.neg = 0
			}
			st.neg++
			st.negAt = m.Last
		}
	}
}

// questionClause says whether the clause of mark i asks: it ends in a question mark or particle, or holds an A-not-A.
func (w *walker) questionClause(i int) bool {
	r, tg := w.r, &w.s.tag
	c := r.Marks[i].Clause
	if r.Clauses[c].Stop == '?' {
		return true
	}
	for ; i < len(r.Marks) && r.Marks[i].Clause == c; i++ {
		m := &r.Marks[i]
		if r.Has(m, tg.anota) || r.Has(m, tg.qpart) && m.End >= r.Clauses[c].End {
			return true
		}
	}
	return false
}

// conditionClause says whether what the clause of mark i says is only supposed: a condition stands in it, before or behind
// (如果坏了, 坏了的话), or in the clause before it, which then leads to this one.
func (w *walker) conditionClause(i int, before clauseState) bool {
	r, tg := w.r, &w.s.tag
	c := r.Marks[i].Clause
	if before.condHere && before.clause == c-1 && r.Clauses[before.clause].Stop != '.' && r.Clauses[before.clause].Stop != '!' {
		return true
	}
	for ; i < len(r.Marks) && r.Marks[i].Clause == c; i++ {
		if r.Has(&r.Marks[i], tg.cond) {
			return true
		}
	}
	return false
}

// modifiers gives the factor by which degree strengthens or weakens a mark, and whether negation reverses it.
func (w *walker) modifiers(st *clauseState, m *cue.Mark, i int) (float32, bool) {
	factor := float32(1)
	if st.degree != 0 && m.First-st.degreeAt <= 2 {
		factor += 0.3 * st.degree
	}
	// 难吃死了, 好得很: the degree follows.
	if i+1 < len(w.r.Marks) {
		next := &w.r.Marks[i+1]
		if next.Clause == m.Clause && next.First == m.Last && w.r.Has(next, w.s.tag.deg) {
			factor += 0.15
		}
	}
	return factor, st.neg%2 == 1 && m.First-st.negAt <= negationReach // an overlap counts: 不太 and 太方便
}

// feeling adds an emotion: reversed by negation, weakened by a condition or a question.
func (w *walker) feeling(e schemas.Emotion, weight float32, flip bool, st *clauseState) {
	t := w.t
	if flip {
		switch e {
		case schemas.Satisfied:
			e, weight = schemas.Disappointed, 0.7*weight
		case schemas.Angry, schemas.Annoyed, schemas.Disappointed, schemas.Aggrieved, schemas.Worried, schemas.Urgent, schemas.Apologetic, schemas.Hopeful, schemas.Surprised:
			weight *= 0.15
		}
	}
	if st.cond {
		switch e {
		case schemas.Hopeful, schemas.Worried, schemas.Urgent, schemas.Angry:
		default:
			weight *= 0.4
		}
	}
	if st.question {
		switch e {
		case schemas.Satisfied:
			weight *= 0.3
		case schemas.Disappointed:
			weight *= 0.45
		}
	}
	// What is feared has not happened: 怕穿不了.
	if e == schemas.Worried && weight >= 1.2 {
		st.fear = true
	} else if st.fear {
		weight *= 0.5
	}
	add(&t.feelings[e], weight)
}

// judgement adds to the polarity.
func (w *walker) judgement(good bool, weight float32, flip bool, st *clauseState) {
	if flip && weight >= 0.4 {
		good, weight = !good, 0.8*weight
	}
	if st.cond {
		weight *= 0.4
	}
	if st.question {
		if good {
			weight *= 0.2
		} else {
			weight *= 0.6
		}
	}
	// Judgements count by number, unlike feelings: a review is the sum of its points.
	if good {
		w.t.pos += weight
	} else {
		w.t.bad += weight
	}
}

func (s *Scorer) flagOf(t cue.Tag) flags {
	tg := &s.tag
	switch t {
	case tg.noThanks:
		return fNoThanks
	case tg.noneLeft:
		return fNoneLeft
	case tg.q, tg.qmark:
		return fQuestion
	case tg.anota:
		return fAnota | fQuestion
	case tg.why:
		return fWhy | fQuestion
	case tg.req:
		return fRequest
	case tg.report:
		return fReport
	case tg.moreOffer:
		return fMoreOffer
	case tg.rateWish:
		return fRateWish
	case tg.closing:
		return fClosing
	case tg.private:
		return fPrivate
	case tg.instruct:
		return fInstruct
	case tg.soothe:
		return fSoothe
	case tg.wishAgent:
		return fWishAgent
	case tg.sarcasm:
		return fSarcasm
	case tg.stillNot:
		return fStillNot
	}
	return 0
}

func (w *walker) constructions() {
	tg, t := &w.s.tag, w.t
	for _, f := range w.r.Fired {
		tag, weight, role := w.s.lex.Out(f.Construction)
		e := tg.feeling[tag]
		if e == none {
			t.flags |= w.s.flagOf(tag)
			continue
		}
		switch role {
		case cue.OnlyCustomer:
			add(&t.customer[e], weight)
			t.hasSide = true
		case cue.OnlyAgent:
			add(&t.agent[e], weight)
			t.hasSide = true
		default:
			add(&t.feelings[e], weight)
		}
	}
}

// content counts the characters that say something beside thanks, apology, acknowledgement and punctuation.
func (w *walker) content() {
	tg, r, t := &w.s.tag, w.r, w.t
	covered, upTo := int32(0), int32(0)
	punct := int32(0)
	for i := range r.Marks {
		m := &r.Marks[i]
		if !r.Has(m, tg.thanks) && !r.Has(m, tg.thanks2) && !r.Has(m, tg.gratefulWord) && !r.Has(m, tg.ack) && !r.Has(m, tg.noneLeft) &&
			!r.Has(m, tg.sorry) && !r.Has(m, tg.bang) && !r.Has(m, tg.qmark) && !r.Has(m, tg.lone) {
			continue
		}
		from := max(m.First, upTo)
		covered += max(0, m.Last-from)
		upTo = max(upTo, m.Last)
		if r.Has(m, tg.lone) || r.Has(m, tg.bang) || r.Has(m, tg.qmark) {
			punct += m.Last - m.First
		}
	}
	// Punctuation and blanks between clauses are no content either.
	gaps := int32(0)
	for i := 1; i < len(r.Clauses); i++ {
		gaps++
	}
	t.content = max(0, int32(r.Runes)-covered-gaps)
	if r.Runes > 0 && punct == int32(r.Runes) {
		t.flags |= fLoneMark
	}
}
