package assemble

import (
	"cmp"
	"slices"
	"time"
	"unsafe"

	"github.com/tingke/tingke/schemas"
)

// Reasons of the coverage notes that assembling makes. What is "turns", "meta", "end" or "revision".
const (
	WhyDuplicate   = "duplicate_or_superseded" // another message of the same turn key (or session) won
	WhyTruncated   = "truncated"               // turns beyond schemas.MaxTurns
	WhyStale       = "lower_revision"          // messages of a lower session revision
	WhySeqGap      = "seq_gap"                 // numbers missing between the turns' seq
	WhyNoSeq       = "no_seq"                  // turns without seq beside turns with seq
	WhyClockJump   = "clock_jump"              // the time of a turn is before that of the turn before it
	WhyAfterEnd    = "after_end"               // turns later than the end
	WhySynthetic   = "synthetic"               // no end was sent: idle, or the input was over
	WhyInvalidUTF8 = "invalid_utf8"
	WhyNUL         = "nul_bytes"
	WhyBadTime     = "time_out_of_range"
	WhyBadSpan     = "end_before_start"
)

var repairs = []struct {
	repair schemas.Repair
	why    string
}{
	{schemas.RepairUTF8, WhyInvalidUTF8},
	{schemas.RepairNUL, WhyNUL},
	{schemas.RepairTime, WhyBadTime},
	{schemas.RepairSpan, WhyBadSpan},
}

// Transcript gives the session in its final form. Everything in it is a function of the set of messages seen. It
// shares no slice with s, only attribute maps.
func (s *State) Transcript() *schemas.Transcript {
	t := &schemas.Transcript{
		Version:  s.Version(),
		Revision: s.Revision,
		Closed:   s.Closed(),
		EndedAt:  s.EndAt,
		Meta:     s.Meta,
		Turns:    make([]schemas.TranscriptTurn, len(s.Turns)),
		Notes:    s.notes(),
		Origin:   s.Origin,
	}
	t.Meta.SessionID = s.SessionID
	t.Meta.Revision = int(s.Revision)
	next := int64(1)
	for i := range s.Turns {
		turn := s.Turns[i].Turn
		if turn.Seq.OK {
			next = max(next, turn.Seq.V+1)
		} else {
			turn.Seq = schemas.Some(next)
			next++
		}
		t.Turns[i] = schemas.TranscriptTurn{Turn: turn, Key: s.Turns[i].Key}
	}
	return t
}

// notes says what was left out or mended, sorted by What and Why. Synthetic ends that lost do not show: whether there
// was one depends on a clock.
func (s *State) notes() []schemas.CoverageNote {
	var out []schemas.CoverageNote
	note := func(what, why string, count int) {
		if count > 0 {
			out = append(out, schemas.CoverageNote{What: what, Why: why, Count: count})
		}
	}
	var seen [4]int
	for _, e := range s.Seen {
		if !e.isSynthetic() {
			seen[e.Kind()]++
		}
	}
	why := WhyDuplicate
	if s.Truncated {
		why = WhyTruncated
	}
	note("turns", why, seen[KindTurn]-len(s.Turns))
	note("meta", WhyDuplicate, seen[KindMeta]-1)
	note("end", WhyDuplicate, seen[KindEnd]-1)
	note("revision", WhyStale, seen[KindStale])
	if s.Closed() && s.EndHash.isSynthetic() {
		note("end", WhySynthetic, 1)
	}

	withSeq, gaps, jumps, after := 0, 0, 0, 0
	var before time.Time
	for i := range s.Turns {
		t := &s.Turns[i]
		if t.Seq.OK {
			if withSeq > 0 {
				// Counted in steps of at most one per turn: a jump from 1 to 10^18 is one gap to look at, not 10^18.
				if s.Turns[i-1].Seq.V+1 != t.Seq.V {
					gaps++
				}
			}
			withSeq++
		}
		if t.At.IsZero() {
			continue
		}
		if t.At.Before(before) {
			jumps++
		}
		before = t.At
		if !s.EndAt.IsZero() && t.At.After(s.EndAt) {
			after++
		}
	}
	note("turns", WhySeqGap, gaps)
	note("turns", WhyClockJump, jumps)
	note("turns", WhyAfterEnd, after)
	if withSeq > 0 {
		note("turns", WhyNoSeq, len(s.Turns)-withSeq)
	}
	for _, r := range repairs {
		n := 0
		for i := range s.Turns {
			if s.Turns[i].Repairs&r.repair != 0 {
				n++
			}
		}
		note("turns", r.why, n)
		if s.Meta.Repairs&r.repair != 0 {
			note("meta", r.why, 1)
		}
	}
	slices.SortFunc(out, func(a, b schemas.CoverageNote) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	return out
}

// Bytes estimates the memory the state holds, in bytes.
func (s *State) Bytes() int {
	n := int(unsafe.Sizeof(*s)) + len(s.SessionID) + cap(s.Seen)*8 + cap(s.Turns)*int(unsafe.Sizeof(Turn{}))
	m := &s.Meta
	for _, f := range [...]string{
		m.SessionID, m.Channel, m.Source, m.Shop, m.Business, m.SkillGroup, m.Product,
		m.CustomerID, m.AgentID, m.AgentName, m.Team, m.MediaURL,
	} {
		n += len(f)
	}
	n += attributeBytes(m.Attributes)
	for i := range s.Turns {
		t := &s.Turns[i]
		n += len(t.Key) + len(t.Role) + len(t.AgentID) + len(t.Text) + attributeBytes(t.Attributes)
	}
	return n
}

// attributeBytes counts a map's buckets roughly: 48 bytes for the map, 40 for an entry.
func attributeBytes(m map[string]string) int {
	if m == nil {
		return 0
	}
	n := 48
	for k, v := range m {
		n += 40 + len(k) + len(v)
	}
	return n
}
