package rules

import (
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"

	"github.com/tingke/tingke/schemas"
)

const whyOpen = "open"

// evaluation is the state of evaluating one session. It is reused between sessions and owned by one goroutine.
type evaluation struct {
	set        *Set
	t          *schemas.Transcript
	f          *schemas.Features
	closed     bool
	noFeatures bool

	byRole    [16][]int32
	clauseOf  [][]clause
	clauseBuf []clause
	matches   []found
	matchAt   []int32
	// truthOnly says that the places of a condition are of no interest.
	truthOnly bool
	// explaining says that one rule is evaluated for people: operators fill result.value, nothing is cut short.
	explaining bool
	// trace collects what the conditions said while explaining, nil otherwise.
	trace *trace

	senses senses
	said   []said   // of the repeat operator
	grams  []uint32 // of the repeat operator

	awake   []uint64
	buckets []verdict
}

// verdict is what a rule says of the session.
type verdict struct {
	rule    *rule
	outcome string
	why     string // of na
	// places of a breach or an occurrence, one group for each hit to report; breach of an absence has searched instead.
	places   []hit
	breach   bool
	searched []int32
	// step is what a process lacks.
	step string
}

var pool = sync.Pool{New: func() any { return new(evaluation) }}

// Evaluate applies all rules to a session. It is a pure function of the set, the transcript and its features, never
// panics, and is safe for concurrent use; it reads its arguments only. Features that are missing make rules that need
// them na, with the reason in Findings.Notes.
//
// Findings.Outcomes has every rule, but of packs with report: found only the rules that found something. The map may be
// shared between results: treat it as read-only.
func (s *Set) Evaluate(t *schemas.Transcript, f *schemas.Features) schemas.Findings {
	e := pool.Get().(*evaluation)
	defer func() {
		e.release()
		pool.Put(e)
	}()
	e.start(s, t, f)
	e.scan()

	out := schemas.Findings{Outcomes: s.closedRest}
	shared := true
	if !e.closed {
		out.Outcomes = s.openRest
		out.Notes = s.openNotes
	}
	rest := out.Outcomes
	verdicts := e.buckets[:0]
	for w, bits := range e.awake {
		for bits != 0 {
			k := w*64 + trailing(bits)
			bits &= bits - 1
			r := s.rules[k]
			v := e.judge(r)
			if r.pack.quiet && (v.outcome == r.rest || v.outcome == schemas.NA) {
				if v.why != "" && v.why != whyOpen {
					verdicts = append(verdicts, v)
				}
				continue
			}
			if rest[r.id] != v.outcome {
				if shared {
					out.Outcomes, shared = maps.Clone(rest), false
				}
				out.Outcomes[r.id] = v.outcome
			}
			verdicts = append(verdicts, v)
		}
	}
	e.buckets = verdicts
	out.Notes = e.notes(verdicts)
	e.report(verdicts, &out)
	return out
}

func trailing(x uint64) int {
	n := 0
	for x&1 == 0 {
		x >>= 1
		n++
	}
	return n
}

func (e *evaluation) start(s *Set, t *schemas.Transcript, f *schemas.Features) {
	e.set, e.t, e.f, e.closed = s, t, f, t.Closed
	e.noFeatures = f == nil || len(f.Turns) != len(t.Turns)
	n := len(t.Turns)
	if cap(e.clauseOf) < n {
		e.clauseOf = make([][]clause, n)
	}
	e.clauseOf = e.clauseOf[:n]
	clear(e.clauseOf)
	e.clauseBuf = e.clauseBuf[:0]
	e.matches, e.matchAt = e.matches[:0], e.matchAt[:0]
	e.senses.reset()
	e.truthOnly, e.explaining = false, false
	clear(e.byRole[:])
	words := (len(s.rules) + 63) / 64
	if cap(e.awake) < words {
		e.awake = make([]uint64, words)
	}
	e.awake = e.awake[:words]
	clear(e.awake)
	for _, k := range s.always {
		e.awake[k/64] |= 1 << (k % 64)
	}
}

// maxKept bounds what a reused evaluation keeps, so that one huge session does not stay in memory.
const maxKept = 1 << 16

func (e *evaluation) release() {
	e.set, e.t, e.f, e.trace, e.explaining = nil, nil, nil, nil, false
	clear(e.byRole[:])
	clear(e.clauseOf)
	clear(e.buckets)
	e.buckets = e.buckets[:0]
	e.senses.reset()
	if cap(e.clauseBuf) > maxKept || cap(e.matches) > maxKept || cap(e.grams) > maxKept || cap(e.senses.all) > maxKept || cap(e.senses.syllables) > maxKept {
		*e = evaluation{}
	}
}

// text is the normalised text of a turn.
func (e *evaluation) text(i int32) string {
	if e.noFeatures {
		return e.t.Turns[i].Text
	}
	return e.f.Turns[i].Norm.Text
}

// scan runs the automaton over all turns and wakes the rules whose words occur.
func (e *evaluation) scan() {
	e.matchAt = append(e.matchAt, 0)
	for i := range e.t.Turns {
		e.scanTurn(i)
	}
	e.wakeBlind()
}

// scanTurn finds the words of the next turn.
func (e *evaluation) scanTurn(i int) {
	s := e.set
	from := len(e.matches)
	e.matches = s.words.find(e.text(int32(i)), e.matches)
	for _, m := range e.matches[from:] {
		e.wake(m.pattern)
	}
	e.matchAt = append(e.matchAt, int32(len(e.matches)))
	e.sense(int32(i))
	if e.noFeatures {
		return
	}
	f := &e.f.Turns[i]
	if int(f.Emotion) < len(s.emotionMarks) {
		if w := s.emotionMarks[f.Emotion]; w >= 0 {
			e.wake(w)
		}
	}
	if len(s.kindMarks) > 0 {
		for k := range f.Mentions {
			if w, ok := s.kindMarks[f.Mentions[k].Kind]; ok {
				e.wake(w)
			}
		}
	}
	if len(s.entityMarks) > 0 {
		for k := range f.Entities {
			if w, ok := s.entityMarks[f.Entities[k].Type]; ok {
				e.wake(w)
			}
		}
	}
}

// wakeBlind wakes every rule that waits for a feature where there are none: nobody knows what they would have said.
func (e *evaluation) wakeBlind() {
	if !e.noFeatures {
		return
	}
	for _, marks := range [][]int32{e.set.emotionMarks[:], values(e.set.kindMarks), values(e.set.entityMarks)} {
		for _, w := range marks {
			if w >= 0 {
				e.wake(w)
			}
		}
	}
}

func values(m map[string]int32) []int32 {
	out := make([]int32, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func (e *evaluation) wake(word int32) {
	for _, k := range e.set.wakes[e.set.first[word]:e.set.first[word+1]] {
		e.awake[k/64] |= 1 << (k % 64)
	}
}

// clauses gives the clauses of a turn, split once.
func (e *evaluation) clauses(i int32) []clause {
	if e.clauseOf[i] == nil {
		from := len(e.clauseBuf)
		e.clauseBuf = splitClauses(e.text(i), e.clauseBuf)
		// An empty, non-nil slice says "split, none found". Growing the buffer leaves earlier slices on the old array.
		e.clauseOf[i] = e.clauseBuf[from:len(e.clauseBuf):len(e.clauseBuf)]
		if e.clauseOf[i] == nil {
			e.clauseOf[i] = []clause{}
		}
	}
	return e.clauseOf[i]
}

// asks says whether clause k of a turn is a question, worked out once.
func (e *evaluation) asks(turn int32, k int) bool {
	c := &e.clauses(turn)[k]
	if c.question == 0 {
		c.question = 1
		if e.isQuestion(turn, c) {
			c.question = 2
		}
	}
	return c.question == 2
}

func (e *evaluation) wholeTurn(i int32) hit {
	return hit{turn: i, start: 0, end: int32(len(e.text(i)))}
}

// judge evaluates one rule. A rule that fails in an unforeseen way is na with the reason.
func (e *evaluation) judge(r *rule) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = verdict{rule: r, outcome: schemas.NA, why: clip(fmt.Sprintf("error: %v", p), 200)}
		}
	}()
	v = verdict{rule: r, outcome: r.rest}
	if r.applies != nil && !r.applies.match(e.t) {
		v.outcome = schemas.NA
		return v
	}
	whole := e.role(maskAny)
	if r.trigger == nil {
		if r.forbid != nil {
			return e.settleSimple(v, r.forbid.eval(e, whole, nil), true, nil)
		}
		var searched []int32
		if r.expect.in != nil {
			s, isOpen, why := e.narrow(r.expect.in, whole, nil)
			switch {
			case why != "":
				v.outcome, v.why = schemas.NA, why
				return v
			case isOpen || len(s.turns) == 0 && !e.closed:
				v.outcome, v.why = schemas.NA, whyOpen
				return v
			case len(s.turns) == 0:
				v.outcome = schemas.NA
				return v
			}
			searched = s.turns
		} else {
			searched = whole.turns
		}
		return e.settleSimple(v, r.expect.holds(e, whole, nil), false, searched)
	}
	return e.judgeTriggered(v, whole)
}

// settleSimple turns the truth of a rule's only condition into its outcome; bad says that its truth is a breach.
func (e *evaluation) settleSimple(v verdict, x result, bad bool, searched []int32) verdict {
	switch x.truth {
	case noData:
		v.outcome, v.why = schemas.NA, x.why
	case open:
		v.outcome, v.why = schemas.NA, whyOpen
	case yes:
		if bad {
			return breach(v, x.hits, nil)
		}
		v.outcome = good(v.rule)
	case no:
		if bad {
			v.outcome = good(v.rule)
			return v
		}
		v.step = x.step
		return breach(v, nil, searched)
	}
	return v
}

func good(r *rule) string {
	if r.presence {
		return schemas.Absent
	}
	return schemas.Pass
}

func breach(v verdict, places []hit, searched []int32) verdict {
	v.outcome = schemas.Fail
	if v.rule.presence {
		v.outcome = schemas.Present
	}
	v.breach, v.places, v.searched = true, places, searched
	return v
}

// judgeTriggered evaluates a rule with a trigger: what it expects or forbids relative to each hit.
func (e *evaluation) judgeTriggered(v verdict, whole scope) verdict {
	r := v.rule
	x := r.trigger.eval(e, whole, nil)
	switch x.truth {
	case noData:
		v.outcome, v.why = schemas.NA, x.why
		return v
	case open:
		v.outcome, v.why = schemas.NA, whyOpen
		return v
	case no:
		return v
	}
	if r.observes() {
		v.outcome, v.places = schemas.Present, x.hits
		return v
	}
	hits := x.hits
	if len(hits) == 0 { // a condition of absence as trigger: it holds for the session as a whole
		hits = []hit{{turn: 0}}
		if len(e.t.Turns) == 0 {
			return v
		}
	}
	hits = onePerTurn(hits)
	anchors, more := e.choose(r.which, hits)
	tr := e.trace
	if tr != nil {
		tr.anchors(e, hits, anchors)
		defer tr.resume(e)
	}
	if len(anchors) == 0 {
		if more {
			v.outcome, v.why = schemas.NA, whyOpen
		}
		return v
	}
	var bad []hit
	var searched []int32
	met, pending, why := false, more, ""
	for k := range anchors {
		a := &anchors[k]
		cond, breaks := r.expect, no
		if r.forbid != nil {
			cond, breaks = r.forbid, yes
		}
		y := e.met(cond, whole, a, r.forbid == nil)
		if v.step == "" {
			v.step = y.step
		}
		if tr != nil {
			tr.became(e, a, y, y.truth == breaks)
		}
		switch {
		case y.truth == breaks && r.forbid != nil:
			bad = append(bad, y.hits...)
			if len(y.hits) == 0 {
				bad = append(bad, *a)
			}
		case y.truth == breaks:
			bad = append(bad, *a)
			if searched == nil {
				searched = e.searchedFrom(cond, a)
			}
		case y.truth == open:
			pending = true
		case y.truth == noData:
			why = y.why
		default:
			met = true
		}
		// What is still open before a breach could become the first breach: wait, so that the finding keeps its identity.
		if pending && !e.closed && len(bad) == 0 && r.which.kind != whichAny && y.truth == open {
			break
		}
	}
	if r.which.kind == whichAny && met {
		bad, pending, why = nil, false, ""
	} else if r.which.kind == whichAny && pending {
		bad = nil
	}
	switch {
	case len(bad) > 0:
		sortHits(bad)
		return breach(v, bad, searched)
	case why != "":
		v.outcome, v.why = schemas.NA, why
	case pending:
		v.outcome, v.why = schemas.NA, whyOpen
	default:
		v.outcome = good(r)
	}
	return v
}

// met evaluates what is expected of or forbidden to an anchor; places matter of what is forbidden only.
func (e *evaluation) met(c *condition, s scope, a *hit, truthOnly bool) result {
	if truthOnly {
		return c.holds(e, s, a)
	}
	return c.eval(e, s, a)
}

// choose picks the hits the rule is about; more says that further turns may add to them.
func (e *evaluation) choose(w which, anchors []hit) (chosen []hit, more bool) {
	switch w.kind {
	case whichLast:
		if !e.closed {
			return nil, true
		}
		return anchors[len(anchors)-1:], false
	case whichNth:
		if w.n > len(anchors) {
			return nil, !e.closed
		}
		return anchors[w.n-1 : w.n], false
	}
	return anchors, !e.closed
}

// searchedFrom gives the turns a failed expectation looked at, to know whose they are.
func (e *evaluation) searchedFrom(c *condition, a *hit) []int32 {
	if c.in == nil {
		return nil
	}
	s, _, _ := e.narrow(c.in, e.role(maskAny), a)
	return s.turns
}

// notes lists what could not be decided and why, sorted.
func (e *evaluation) notes(verdicts []verdict) []schemas.CoverageNote {
	var own []schemas.CoverageNote
	if e.noFeatures && len(e.t.Turns) > 0 {
		own = append(own, schemas.CoverageNote{What: "rules", Why: whyNoFeatures})
	}
	if e.closed {
		for _, v := range verdicts {
			if v.outcome == schemas.NA && v.why != "" {
				own = append(own, schemas.CoverageNote{What: "rule:" + v.rule.id, Why: v.why})
			}
		}
		sortNotes(own)
		return own
	}
	// Open: every rule that sleeps is open; of those awake it depends.
	decided := map[string]string{}
	for _, v := range verdicts {
		if v.rule.pack.quiet {
			if v.outcome == schemas.NA {
				own = append(own, schemas.CoverageNote{What: "rule:" + v.rule.id, Why: v.why})
			}
			continue
		}
		if v.outcome != schemas.NA || v.why != whyOpen {
			decided["rule:"+v.rule.id] = v.why
		}
	}
	if len(decided) == 0 && len(own) == 0 {
		return e.set.openNotes
	}
	for _, n := range e.set.openNotes {
		why, ok := decided[n.What]
		if ok && why == "" {
			continue
		}
		if ok {
			n.Why = why
		}
		own = append(own, n)
	}
	sortNotes(own)
	return own
}

func sortNotes(notes []schemas.CoverageNote) {
	sort.Slice(notes, func(i, j int) bool {
		if notes[i].What != notes[j].What {
			return notes[i].What < notes[j].What
		}
		return notes[i].Why < notes[j].Why
	})
}

// agentOf gives the agent of a turn.
func (e *evaluation) agentOf(i int32) string {
	if t := &e.t.Turns[i]; t.AgentID != "" {
		return t.AgentID
	}
	return e.t.Meta.AgentID
}

// nearestAgent gives the agent whose turn lies nearest the searched turns, those of the range first.
func (e *evaluation) nearestAgent(searched []int32, around int32) string {
	for _, i := range searched {
		if e.t.Turns[i].Role == schemas.Agent {
			return e.agentOf(i)
		}
	}
	agents := e.role(maskAgent).turns
	if len(agents) == 0 {
		return e.t.Meta.AgentID
	}
	if len(searched) > 0 {
		around = searched[0]
	}
	k := sort.Search(len(agents), func(i int) bool { return agents[i] >= around })
	switch {
	case k == len(agents):
		k--
	case k > 0 && around-agents[k-1] < agents[k]-around:
		k--
	}
	return e.agentOf(agents[k])
}

func quote(s string) string { return clip(strings.Join(strings.Fields(s), " "), 40) }
