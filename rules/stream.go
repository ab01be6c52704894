package rules

import (
	"math/bits"
	"slices"

	"github.com/tingke/tingke/schemas"
)

// Stream evaluates the stream-safe rules of a set over a live session, turn by turn. It belongs to one goroutine.
//
// After every turn its hits are those that Evaluate gives for the turns so far as an open session; what it found is
// found in every extension of them too, by the same hit_id. It holds the turns given to it, at most schemas.MaxTurns.
type Stream struct {
	e     *evaluation
	t     schemas.Transcript
	f     schemas.Features
	seen  map[string]bool
	done  []uint64 // rules that count once and have fired
	look  []uint64 // rules that are evaluated
	blind bool     // a turn came without features
}

// Stream begins a live session. meta is what is known of it; when it changes, begin a new stream, since rules may apply
// to other sessions then.
func (s *Set) Stream(meta schemas.Meta) *Stream { return s.stream(meta, s.early) }

func (s *Set) stream(meta schemas.Meta, look []uint64) *Stream {
	st := &Stream{e: new(evaluation), t: schemas.Transcript{Meta: meta}, seen: map[string]bool{}, done: make([]uint64, len(s.early)), look: look}
	st.e.start(s, &st.t, &st.f)
	st.e.scan()
	return st
}

// Add takes the session's next turn with its features and gives the hits that it brings: those not given before, as they
// are at this turn. A turn without features (nil) leaves the whole stream without, as a session is for Evaluate. Turns
// beyond schemas.MaxTurns are not looked at.
func (st *Stream) Add(turn schemas.TranscriptTurn, f *schemas.TurnFeatures) []schemas.Hit {
	if !st.Grow(turn, f) {
		return nil
	}
	return st.Judge()
}

// Grow takes a turn as Add does and evaluates nothing; it is false beyond schemas.MaxTurns. Since nothing that was found is
// taken back by a later turn, one Judge after several Grow finds the hits that Add would have found turn by turn, as they
// are at the last of them.
func (st *Stream) Grow(turn schemas.TranscriptTurn, f *schemas.TurnFeatures) bool {
	if len(st.t.Turns) >= schemas.MaxTurns {
		return false
	}
	st.t.Turns = append(st.t.Turns, turn)
	if f != nil {
		st.f.Turns = append(st.f.Turns, *f)
	}
	if f == nil && !st.blind {
		st.blind = true
		st.e.start(st.e.set, &st.t, nil)
		st.e.scan()
	} else {
		st.e.grow()
	}
	return true
}

// Judge gives the hits that were not given before. It looks at all turns taken so far.
func (st *Stream) Judge() []schemas.Hit {
	var out []schemas.Hit
	e := st.e
	for w, awake := range e.awake {
		for left := awake & st.look[w] &^ st.done[w]; left != 0; left &= left - 1 {
			k := w*64 + bits.TrailingZeros64(left)
			r := e.set.rules[k]
			v := e.judge(r)
			if !v.breach && len(v.places) == 0 {
				continue
			}
			for _, h := range e.hitsOf(&v) {
				if !st.seen[h.HitID] {
					st.seen[h.HitID] = true
					out = append(out, h)
				}
			}
			if !r.each {
				st.done[w] |= 1 << (k % 64)
			}
		}
	}
	return out
}

// Hits gives everything found so far as it is now: with all its evidence, in the order of the rules.
func (st *Stream) Hits() []schemas.Hit {
	var out []schemas.Hit
	e := st.e
	for w, awake := range e.awake {
		for left := awake & st.look[w]; left != 0; left &= left - 1 {
			v := e.judge(e.set.rules[w*64+bits.TrailingZeros64(left)])
			if v.breach || len(v.places) > 0 {
				out = append(out, e.hitsOf(&v)...)
			}
		}
	}
	return out
}

// Turns is the number of turns taken.
func (st *Stream) Turns() int { return len(st.t.Turns) }

// StreamSafe says whether a rule may find something while a session is going on. What such a rule finds stands whatever
// turns follow; the others wait for the end. It is false for a rule that the set does not have.
func (s *Set) StreamSafe(ruleID string) bool {
	k := slices.IndexFunc(s.rules, func(r *rule) bool { return r.id == ruleID })
	return k >= 0 && s.early[k/64]&(1<<(k%64)) != 0
}

// grow takes the turn that was added to the transcript.
func (e *evaluation) grow() {
	n := len(e.t.Turns)
	e.noFeatures = e.f == nil || len(e.f.Turns) != n
	for m := range e.byRole {
		if e.byRole[m] != nil && (m == 0 || maskOf(e.t.Turns[n-1].Role)&roleMask(m) != 0) {
			e.byRole[m] = append(e.byRole[m], int32(n-1))
		}
	}
	e.clauseOf = append(e.clauseOf, nil)
	e.scanTurn(n - 1)
	e.wakeBlind()
}

// early says whether the rule may find something before the end of a session.
func (r *rule) early() bool {
	switch {
	case r.trigger == nil && r.forbid != nil:
		yes, _ := r.forbid.early(false)
		return yes
	case r.trigger == nil:
		_, no := r.expect.early(false)
		return no
	}
	if yes, _ := r.trigger.early(false); !yes || r.which.kind == whichLast {
		return false
	}
	switch {
	case r.observes():
		return true
	case r.which.kind == whichAny:
		return false // a hit still to come may be met
	case r.forbid != nil:
		yes, _ := r.forbid.early(false)
		return yes
	}
	_, no := r.expect.early(false)
	return no
}

// decidesNo are operators that may be false for good while turns can still join their range: counts and times that only
// grow, and what does not look at turns.
var decidesNo = map[string]bool{"turn_count": true, "duration": true, "field": true, "silence_total": true, "hold": true, "talk_share": true,
	"response_time": true}

// early says whether the condition may be true, and whether it may be false, before the end of the session. complete says
// that no turn to come can join its range.
func (c *condition) early(complete bool) (yes, no bool) {
	if c.in != nil {
		switch c.in.where {
		case whereLast:
			return false, false
		case whereTurns:
			if c.in.fromEnd() {
				return false, false
			}
			complete = complete || c.in.to > 0
		case whereFirst, whereBefore, whereSame:
			complete = true
		case whereAfter, whereAround:
			complete = c.in.n >= 0 || c.in.ms >= 0
		}
	}
	over := complete || c.unit != unitScope
	switch c.logic {
	case leaf:
		yes, no = c.leafEarly(over)
	case not:
		no, yes = c.kids[0].early(over)
	default:
		yeses, noes := 0, 0
		for _, k := range c.kids {
			y, n := k.early(over)
			if y {
				yeses++
			}
			if n {
				noes++
			}
		}
		switch c.logic {
		case all:
			yes, no = yeses == len(c.kids), noes > 0
		case anyOf:
			yes, no = yeses > 0, noes == len(c.kids)
		case atLeast:
			yes, no = yeses >= c.n, noes > len(c.kids)-c.n
		case none:
			yes, no = noes == len(c.kids), yeses > 0
		}
	}
	if c.unit != unitScope {
		no = no && complete // another turn may join and hold
	}
	if c.unless != nil {
		y, n := c.unless.early(true)
		yes, no = yes && n, no || y && complete
	}
	return yes, no
}

func (c *condition) leafEarly(complete bool) (yes, no bool) {
	if atEnd[c.key] {
		return complete, complete
	}
	switch op := c.op.(type) {
	case *keywordOp:
		if op.mode == none {
			return complete, true
		}
	case *entityOp:
		if op.none {
			return complete, true
		}
	case *silenceOp:
		if op.atEnd {
			return false, false
		}
	case *replyToOp:
		y, _ := op.anchor.early(complete)
		_, n := op.expect.early(false)
		return y && n, complete
	}
	return true, complete || decidesNo[c.key]
}
