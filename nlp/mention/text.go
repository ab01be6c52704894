package mention

import (
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

const maxAspects = 12

// Text is what a turn says on its own. It is immutable and free to be shared and cached.
type Text struct {
	scores     scores // of the turn
	start, end int32  // without the marks around it; empty when there is nothing to judge
	// parts are its clauses where there are several.
	parts    []part
	products []found
	good     float32 // judgements
	bad      float32
}

// part is a clause: offsets are bytes of the normalised text.
type part struct {
	scores     scores
	start, end int32
	clause     int32 // of the reading
	good, bad  float32
}

// reader is scratch space.
type reader struct {
	cue.Reading
	clauses   []clause
	parts     []part
	keys      []uint64
	evidence  [DenseCount]float32
	judged    []scores
	nothing   []float64
	decisions []decision
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
	digits     bool
}

// read finds the cues of a normalised text and splits it into parts.
func (f *Finder) read(norm string, r *reader) {
	f.lex.Read(norm, &r.Reading)
	f.collect(r)
	r.parts = r.parts[:0]
	for i := range r.clauses {
		c := &r.clauses[i]
		f.split(r, int32(i), c.start, c.end)
	}
}

// longClause is how many characters a clause may have before it is split where a connective begins the next thought:
// speech recognition writes no punctuation, chats often little.
const (
	longClause  = 24
	shortestCut = 8
)

// split appends the parts of a clause.
func (f *Finder) split(r *reader, clause, start, end int32) {
	put := func(start, end int32) {
		from, to := trim(r.Text, int(start), int(end))
		if from < to {
			c := &r.clauses[clause]
			r.parts = append(r.parts, part{start: int32(from), end: int32(to), clause: clause, good: c.pos, bad: c.bad})
		}
	}
	if int(end-start) > longClause { // fewer bytes are fewer characters
		left := utf8.RuneCountInString(r.Text[start:end])
		n := 0
		for i := start; left > longClause && i < end; {
			if n >= shortestCut && left-n >= shortestCut {
				if v, _ := connectives.Longest(r.Text[:end], int(i)); v >= 0 {
					put(start, i)
					start, left, n = i, left-n, 0
				}
			}
			_, w := utf8.DecodeRuneInString(r.Text[i:end])
			i += int32(w)
			n++
		}
	}
	put(start, end)
}

// connectives begin another thought.
var connectives = func() *cue.Trie {
	texts := map[string]int32{}
	for i, w := range []string{
		"然后", "但是", "可是", "不过", "而且", "另外", "还有就是", "所以", "因为", "结果", "并且", "就是说", "只不过", "只是", "要不然", "顺便", "同时", "除了", "虽然",
	} {
		texts[w] = int32(i)
	}
	return cue.NewTrie(texts)
}()

// Text reads a normalised text.
func (f *Finder) Text(norm string) *Text {
	r := f.pool.Get().(*reader)
	defer f.pool.Put(r)
	f.read(norm, r)
	t := new(Text)
	if len(r.parts) == 0 {
		return t
	}
	t.start, t.end = r.parts[0].start, r.parts[len(r.parts)-1].end
	r.turn(&sink{model: f.model, scores: &t.scores})
	for i := range r.clauses {
		t.good, t.bad = t.good+r.clauses[i].pos, t.bad+r.clauses[i].bad
	}
	if len(r.parts) > 1 {
		var around scores
		r.around(&sink{model: f.model, scores: &around})
		t.parts = append([]part(nil), r.parts...)
		for i := range t.parts {
			p := &t.parts[i]
			p.scores = around
			r.part(&sink{model: f.model, scores: &p.scores}, p)
		}
	}
	t.products = f.products.find(norm, nil)
	return t
}

// Said is what a turn adds to the turns after it. It is immutable and free to be shared and cached, apart by role.
type Said struct {
	scores   scores // as the last turn before
	products []found
}

// Said reads a turn of the context.
func (f *Finder) Said(norm string, role schemas.Role) *Said {
	r := f.pool.Get().(*reader)
	defer f.pool.Put(r)
	s := new(Said)
	r.before(&sink{model: f.model, scores: &s.scores}, norm, role, 0)
	s.products = f.products.find(norm, nil)
	return s
}

// negationReach is how many characters may lie between a negation and the judgement it reverses.
const negationReach = 4

// collect sums the evidence of each clause.
func (f *Finder) collect(r *reader) {
	r.clauses = r.clauses[:0]
	for _, c := range r.Clauses {
		r.clauses = append(r.clauses, clause{start: c.Start, end: c.End, stop: c.Stop, asks: c.Stop == '?', formQ: c.Stop == '?'})
	}
	current, negAt, neg, rantTo := int32(-1), int32(0), false, int32(0)
	for i := range r.Marks {
		m := &r.Marks[i]
		if m.Clause != current {
			current, neg = m.Clause, false
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
