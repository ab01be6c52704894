package assemble

import (
	"math"
	"slices"
	"time"

	"github.com/tingke/tingke/schemas"
)

// Masker replaces what must not be stored in a message, in place. It must neither add, remove nor reorder turns, nor
// change seq, role, times or revisions.
type Masker func(*schemas.Message)

// syntheticEnd is the element of the synthetic end of a session revision. All of them are below every hash, so that a
// real end without a time wins, and no two are equal when a later revision makes them stale.
func syntheticEnd(revision uint16) Element { return Element(uint64(revision)+1)<<2 | Element(KindEnd) }

// isSynthetic says whether an element is a synthetic end, stale or not.
func (e Element) isSynthetic() bool { return e <= lastSynthetic }

// lastSynthetic is above all synthetic ends and below all hashes.
const lastSynthetic = Element(1<<19 - 1)

// FromMessage gives the state of a session that has seen this one message, or nil for an order or a rating. Identities
// are taken from the content as it was sent; then mask (nil for none) is applied to msg, and the state holds the masked
// content. The message belongs to the state afterwards.
func FromMessage(h *Hasher, mask Masker, msg *schemas.Message) *State {
	var s *State
	switch {
	case msg.Session != nil:
		s = sessionState(h, msg.Session)
	case msg.Turn != nil:
		s = liveState(h, msg.Turn)
	case msg.End != nil:
		e := msg.End
		s = &State{SessionID: e.SessionID, Revision: uint16(e.SessionRevision), EndAt: e.At}
		s.EndHash = h.endElement(e.SessionID, s.Revision, e.At)
		s.Seen = []Element{s.EndHash}
		return s
	default:
		return nil
	}
	if mask != nil {
		mask(msg)
	}
	switch {
	case msg.Session != nil:
		s.Meta = msg.Session.Meta
		for i := range s.Turns {
			s.Turns[i].Turn = msg.Session.Turns[i]
		}
		s.normalise()
	case msg.Turn != nil:
		s.Turns[0].Turn = msg.Turn.Turn
	}
	return s
}

// SyntheticEnd is the state that ends a session of this revision when no end was sent: after the idle time, or at the
// end of the input. It always has the same identity, so it does not matter who ends a session, when, or how often.
func SyntheticEnd(sessionID string, revision uint16) *State {
	return &State{SessionID: sessionID, Revision: revision, EndHash: syntheticEnd(revision), Seen: []Element{syntheticEnd(revision)}}
}

func liveState(h *Hasher, m *schemas.LiveTurn) *State {
	s := &State{SessionID: m.SessionID, Revision: uint16(m.SessionRevision)}
	t := Turn{Turn: m.Turn, OrderAt: m.At}
	if m.Seq.OK {
		t.Key = schemas.SeqKey(m.Seq.V)
	} else {
		t.Key = h.turnKey(m.SessionID, &m.Turn, 0)
		// A turn that came alone does not know its place among turns of the same time: one that came in a whole session
		// does, and goes first.
		t.Position = math.MaxInt32
	}
	t.Hash = h.turnElement(m.SessionID, s.Revision, &t)
	s.Turns = []Turn{t}
	s.Seen = []Element{t.Hash}
	return s
}

// sessionState gives the identities of a session message; its turns are in the order of the message until normalised.
func sessionState(h *Hasher, m *schemas.Session) *State {
	s := &State{SessionID: m.SessionID, Revision: uint16(m.Revision)}
	s.MetaHash = h.metaElement(&m.Meta, s.Revision)
	s.Seen = make([]Element, 0, len(m.Turns)+2)
	s.Seen = append(s.Seen, s.MetaHash)
	if len(m.Turns) == 0 {
		return s
	}
	s.EndAt = m.EndedAt
	s.EndHash = h.endElement(m.SessionID, s.Revision, m.EndedAt)
	s.Seen = append(s.Seen, s.EndHash)
	s.Turns = make([]Turn, len(m.Turns))
	type content struct {
		role  schemas.Role
		at    time.Time
		start schemas.Opt[int64]
		text  string
	}
	var count map[content]int
	var before time.Time
	for i := range m.Turns {
		t := &s.Turns[i]
		t.Turn = m.Turns[i]
		t.OrderAt = t.At
		if t.Seq.OK {
			t.Key = schemas.SeqKey(t.Seq.V)
		} else {
			c := content{t.Role, t.At, t.StartMS, t.Text}
			if !c.at.IsZero() {
				c.start = schemas.Opt[int64]{}
			}
			if count == nil {
				count = make(map[content]int, len(m.Turns))
			}
			t.Key = h.turnKey(m.SessionID, &t.Turn, count[c])
			count[c]++
			t.Position = int32(i)
			if t.At.IsZero() {
				t.OrderAt = before
			}
		}
		if !t.At.IsZero() {
			before = t.At
		}
		t.Hash = h.turnElement(m.SessionID, s.Revision, t)
		s.Seen = append(s.Seen, t.Hash)
	}
	return s
}

// normalise brings a state made from one message into the form every State has.
func (s *State) normalise() {
	slices.Sort(s.Seen)
	s.Seen = capSeen(slices.Compact(s.Seen))
	s.Turns, s.Truncated = mergeTurns(nil, s.Turns)
}
