package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// Choice is a part of the rules of a set, for streams that look at no others. It is immutable.
type Choice struct {
	set  *Set
	look []uint64
	// waits are the rules of the choice that are about a wait for a reply and nothing else.
	waits []wait
	ids   map[string]RuleInfo
}

type wait struct {
	rule *rule
	op   *responseTimeOp
}

// Choose picks rules.
func (s *Set) Choose(want func(RuleInfo) bool) *Choice {
	c := &Choice{set: s, look: make([]uint64, len(s.early)), ids: map[string]RuleInfo{}}
	for k, info := range s.Rules() {
		if !want(info) {
			continue
		}
		c.ids[info.ID] = info
		if s.early[k/64]&(1<<(k%64)) == 0 {
			continue
		}
		c.look[k/64] |= 1 << (k % 64)
		if op := s.rules[k].waitsFor(); op != nil {
			c.waits = append(c.waits, wait{s.rules[k], op})
		}
	}
	return c
}

// Rule describes a rule of the choice.
func (c *Choice) Rule(id string) (RuleInfo, bool) {
	info, ok := c.ids[id]
	return info, ok
}

// AboutWaits says whether a rule is about late replies alone: Waiting and Overdue speak of it while a customer waits.
func (c *Choice) AboutWaits(id string) bool {
	for _, w := range c.waits {
		if w.rule.id == id {
			return true
		}
	}
	return false
}

// Version names the packs, as Set.Version does.
func (c *Choice) Version() string { return c.set.version }

// Streams says whether any rule of the choice may find something while a session is going on.
func (c *Choice) Streams() bool {
	for _, w := range c.look {
		if w != 0 {
			return true
		}
	}
	return false
}

// Stream begins a live session that is looked at with the rules of the choice only.
func (c *Choice) Stream(meta schemas.Meta) *Stream { return c.set.stream(meta, c.look) }

// waitsFor is the operator of a rule that finds late replies of agents and asks for nothing else: its condition is
// response_time alone, by the agent, without an upper bound, anywhere in the session. Of any other rule nobody can say
// what it will find before the reply is there.
func (r *rule) waitsFor() *responseTimeOp {
	c := r.forbid
	if r.trigger != nil {
		if !r.observes() {
			return nil
		}
		c = r.trigger
	}
	if c == nil || c.logic != leaf || c.in != nil || c.unless != nil || c.unit != unitScope {
		return nil
	}
	op, ok := c.op.(*responseTimeOp)
	if !ok || op.by != schemas.Agent || op.of == "adjacent" || op.cmp.hasHi || !op.cmp.hasLo {
		return nil
	}
	return op
}

// Limit is how long a rule lets a customer wait.
type Limit struct {
	RuleID string
	After  time.Duration // of the customer's first unanswered turn
}

// Waiting gives the customer's first turn that no valid reply of an agent has answered, where it has a time of day, and
// the limits of the chosen rules that a reply could exceed; ok is false where nobody waits or no rule minds.
func (c *Choice) Waiting(st *Stream) (asked schemas.TranscriptTurn, limits []Limit, ok bool) {
	if len(c.waits) == 0 {
		return asked, nil, false
	}
	at, answered := st.unanswered()
	if at < 0 {
		return asked, nil, false
	}
	asked = st.t.Turns[at]
	if asked.At.IsZero() || st.e.recorded() {
		return asked, nil, false
	}
	for _, w := range c.waits {
		if answered && w.op.of == "first" || w.rule.applies != nil && !w.rule.applies.match(&st.t) {
			continue
		}
		after := w.op.cmp.lo
		if w.op.cmp.loOpen {
			after++
		}
		limits = append(limits, Limit{w.rule.id, time.Duration(after) * time.Millisecond})
	}
	return asked, limits, len(limits) > 0
}

// unanswered is the place of the customer's first turn without a valid reply, -1 where there is none; answered says
// whether any was answered before.
func (st *Stream) unanswered() (at int, answered bool) {
	at = -1
	for i := range st.t.Turns {
		switch t := &st.t.Turns[i]; {
		case t.Role == schemas.Customer && at < 0:
			at = i
		case t.Role == schemas.Agent && at >= 0 && !t.Auto && strings.TrimSpace(t.Text) != "":
			at, answered = -1, true
		}
	}
	return at, answered
}

// Overdue is what a rule says of a customer who still waits after its limit. It is no hit of the session: that one comes
// with the reply and rests on it. Its id is that of a hit which rests on the customer's turn.
func (c *Choice) Overdue(st *Stream, ruleID string, limit time.Duration) (schemas.Hit, bool) {
	at, _ := st.unanswered()
	info, known := c.ids[ruleID]
	if at < 0 || !known {
		return schemas.Hit{}, false
	}
	t := &st.t.Turns[at]
	return schemas.Hit{
		HitID: hitID(st.t.Meta.SessionID, ruleID, string(t.Key)), RuleID: ruleID, RuleVersion: info.Version, Severity: info.Severity,
		Outcome: schemas.Fail, AgentID: st.e.nearestAgent(nil, int32(at)), Evidence: []schemas.Evidence{{Turn: t.Seq.V, End: len(t.Text)}},
		Reason: fmt.Sprintf("客户从第%d句起已等待 %s，仍无人回复", t.Seq.V, spell(float64(limit.Milliseconds()))),
	}, true
}

// Turn gives the turn of a stream with this seq, nil where it has none.
func (st *Stream) Turn(seq int64) *schemas.TranscriptTurn {
	for i := len(st.t.Turns) - 1; i >= 0; i-- {
		if st.t.Turns[i].Seq.V == seq {
			return &st.t.Turns[i]
		}
	}
	return nil
}

// Asked gives the customer's turn whose wait a reply ended: the first customer turn after the valid reply before it. It
// is nil for a turn that ended no wait.
func (st *Stream) Asked(reply int64) *schemas.TranscriptTurn { return asked(st.t.Turns, reply) }

func asked(turns []schemas.TranscriptTurn, reply int64) *schemas.TranscriptTurn {
	at := -1
	for i := range turns {
		switch t := &turns[i]; {
		case t.Role == schemas.Customer && at < 0:
			at = i
		case t.Role == schemas.Agent && at >= 0 && !t.Auto && strings.TrimSpace(t.Text) != "":
			if t.Seq.V == reply {
				return &turns[at]
			}
			at = -1
		}
	}
	return nil
}
