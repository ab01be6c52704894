package analyse

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// ValidReply says whether a turn answers a customer: an agent's, not automatic, with a text that is not blank.
// A picture sent by an agent (empty text) is no reply.
func ValidReply(t *schemas.Turn) bool {
	return t.Role == schemas.Agent && !t.Auto && strings.TrimSpace(t.Text) != ""
}

// AgentOf is the agent of an agent's turn: its own agent_id, else the session's.
func AgentOf(t *schemas.Transcript, turn *schemas.Turn) string {
	if turn.AgentID != "" {
		return turn.AgentID
	}
	return t.Meta.AgentID
}

// Rounds are the session's rounds by the definition at schemas.Round. A customer's empty text (a picture) starts a
// round; bot and system turns neither start nor end one; a reply before any customer turn belongs to none.
func Rounds(t *schemas.Transcript) []schemas.Round {
	var rounds []schemas.Round
	open, last := -1, -1
	lastAgent := t.Meta.AgentID
	var asked clock
	for i := range t.Turns {
		turn := &t.Turns[i].Turn
		switch {
		case turn.Role == schemas.Customer:
			if open < 0 {
				asked = askedClock(t, turn)
				rounds = append(rounds, schemas.Round{Turn: turn.Seq.V, AskedAt: asked.at, First: len(rounds) == 0})
				open = len(rounds) - 1
				last = -1
			}
			rounds[open].Customers++
		case ValidReply(turn):
			lastAgent = AgentOf(t, turn)
			if open >= 0 {
				r := &rounds[open]
				replied := repliedClock(t, turn)
				r.AgentID, r.Reply, r.RepliedAt = lastAgent, turn.Seq, replied.at
				r.ReplyMS = asked.until(replied)
				last, open = open, -1
			}
			if last >= 0 {
				rounds[last].Replies++
			}
		case turn.Role == schemas.Agent:
			lastAgent = AgentOf(t, turn)
		}
	}
	if open >= 0 {
		rounds[open].AgentID = lastAgent
	}
	return rounds
}

// clock is an instant of a turn: the wall clock, the position in the recording, or both.
type clock struct {
	at time.Time
	ms schemas.Opt[int64]
}

// until is the time to a later instant in ms, by the recording where both have it; clocks that run backwards give 0.
func (c clock) until(d clock) schemas.Opt[int64] {
	switch {
	case c.ms.OK && d.ms.OK:
		return schemas.Some(max(0, d.ms.V-c.ms.V))
	case !c.at.IsZero() && !d.at.IsZero():
		return schemas.Some(max(0, d.at.Sub(c.at).Milliseconds()))
	}
	return schemas.Opt[int64]{}
}

func askedClock(t *schemas.Transcript, turn *schemas.Turn) clock {
	ms := turn.EndMS
	if !ms.OK {
		ms = turn.StartMS
	}
	return turnClock(t, turn, ms)
}

func repliedClock(t *schemas.Transcript, turn *schemas.Turn) clock {
	ms := turn.StartMS
	if !ms.OK {
		ms = turn.EndMS
	}
	return turnClock(t, turn, ms)
}

func turnClock(t *schemas.Transcript, turn *schemas.Turn, ms schemas.Opt[int64]) clock {
	c := clock{at: turn.At, ms: ms}
	if ms.OK && c.at.IsZero() && !t.Meta.StartedAt.IsZero() {
		c.at = t.Meta.StartedAt.Add(time.Duration(ms.V) * time.Millisecond)
	}
	return c
}

func facts(t *schemas.Transcript, rounds []schemas.Round) schemas.Facts {
	f := schemas.Facts{Turns: len(t.Turns), Rounds: len(rounds)}
	var agentChars, allChars int
	for i := range t.Turns {
		turn := &t.Turns[i].Turn
		switch turn.Role {
		case schemas.Customer:
			f.CustomerTurns++
			allChars += utf8.RuneCountInString(turn.Text)
		case schemas.Agent:
			f.AgentTurns++
			n := utf8.RuneCountInString(turn.Text)
			agentChars += n
			allChars += n
		case schemas.Bot:
			f.BotTurns++
		}
	}
	if allChars > 0 {
		f.TalkShare = schemas.Some(float64(agentChars) / float64(allChars))
	}
	var sum, timed int64
	for i := range rounds {
		r := &rounds[i]
		if !r.Reply.OK {
			f.Unanswered++
			continue
		}
		if r.First {
			f.FirstReplyMS = r.ReplyMS
		}
		if r.ReplyMS.OK {
			sum += r.ReplyMS.V
			timed++
			f.MaxReplyMS = schemas.Some(max(f.MaxReplyMS.V, r.ReplyMS.V))
		}
	}
	if timed > 0 {
		f.AvgReplyMS = schemas.Some(float64(sum) / float64(timed))
	}
	f.DurationMS = duration(t)
	f.SilenceMS, f.OverlapMS = silence(t)
	return f
}

// duration is the span of the recording, else of the turns' times, else from started_at to ended_at, in ms.
func duration(t *schemas.Transcript) schemas.Opt[int64] {
	first, last := clock{}, clock{}
	for i := range t.Turns {
		turn := &t.Turns[i].Turn
		if turn.StartMS.OK {
			end := turn.EndMS.Or(turn.StartMS.V)
			if !first.ms.OK || turn.StartMS.V < first.ms.V {
				first.ms = turn.StartMS
			}
			if !last.ms.OK || end > last.ms.V {
				last.ms = schemas.Some(end)
			}
		}
		if !turn.At.IsZero() {
			if first.at.IsZero() || turn.At.Before(first.at) {
				first.at = turn.At
			}
			if turn.At.After(last.at) {
				last.at = turn.At
			}
		}
	}
	if first.at.IsZero() {
		first.at, last.at = t.Meta.StartedAt, endedAt(t)
	}
	return first.until(last)
}

// silence sums, over turns with start and end in the recording, the gaps in which nobody spoke and the time in which
// two turns overlapped, in ms.
func silence(t *schemas.Transcript) (gap, overlap schemas.Opt[int64]) {
	end := int64(-1)
	for i := range t.Turns {
		turn := &t.Turns[i].Turn
		if !turn.StartMS.OK || !turn.EndMS.OK {
			continue
		}
		if end >= 0 {
			d := turn.StartMS.V - end
			if d > 0 {
				gap = schemas.Some(gap.V + d)
				overlap.OK = true
			} else {
				overlap = schemas.Some(overlap.V + min(-d, turn.EndMS.V-turn.StartMS.V))
				gap.OK = true
			}
		}
		end = max(end, turn.EndMS.V)
	}
	return gap, overlap
}

// StartedAt is the start of a session as its analysis has it: that of the session message, else the time of the first turn
// that has one, else the zero time.
func StartedAt(t *schemas.Transcript) time.Time {
	if !t.Meta.StartedAt.IsZero() {
		return t.Meta.StartedAt
	}
	for i := range t.Turns {
		if at := t.Turns[i].At; !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// endedAt is the session message's ended_at, else the end message's time, else of a closed session the last turn's.
func endedAt(t *schemas.Transcript) time.Time {
	switch {
	case !t.Meta.EndedAt.IsZero():
		return t.Meta.EndedAt
	case !t.EndedAt.IsZero():
		return t.EndedAt
	case !t.Closed:
		return time.Time{}
	}
	for i := len(t.Turns) - 1; i >= 0; i-- {
		if at := t.Turns[i].At; !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

func agentIDs(t *schemas.Transcript) []string {
	var ids []string
	seen := map[string]bool{"": true}
	for i := range t.Turns {
		if turn := &t.Turns[i].Turn; turn.Role == schemas.Agent {
			if id := AgentOf(t, turn); !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
