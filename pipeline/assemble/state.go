// Package assemble turns messages into sessions: a session's state is a set union of the messages seen, so it depends
// on neither their order nor repetition nor on which worker saw them.
//
// It does no input or output and never looks at a clock. It must not import the warehouse or the stream.
package assemble

import (
	"time"

	"github.com/tingke/tingke/schemas"
)

// Kind is the kind of an element of a session's state; it is the low two bits of an Element.
type Kind uint8

// The kinds of elements.
const (
	KindTurn  Kind = iota // a turn of the current session revision
	KindMeta              // meta data of the current session revision
	KindEnd               // an end of the current session revision
	KindStale             // anything of a lower session revision
)

// Element identifies one message (or one part of a whole-session message) in a session's seen set: 62 bits of a hash
// of its unmasked content, keyed with the deployment's key, and its kind in the low two bits.
type Element uint64

// Kind gives the element's kind.
func (e Element) Kind() Kind { return Kind(e & 3) }

// State is everything known of one session. The zero value with a SessionID is the empty state. A State is not safe
// for concurrent use.
type State struct {
	SessionID string
	// Revision is the highest session revision seen, 0..65535.
	Revision uint16
	// Seen is sorted and without repeats.
	Seen []Element
	// Meta is the winning session meta (masked), MetaHash its element; 0 where no session message was seen.
	Meta     schemas.Meta
	MetaHash Element
	// End is the winning end, EndHash its element; 0 while the session is open.
	EndAt   time.Time
	EndHash Element
	// Turns are the kept turns in final order: one per key, masked, at most schemas.MaxTurns.
	Turns []Turn
	// Truncated says that turns beyond schemas.MaxTurns were left out.
	Truncated bool
	// Origin is the range of Kafka offsets the messages came from; it does not take part in equality.
	Origin schemas.Origin
}

// Turn is a kept turn with what decides its place and its precedence.
type Turn struct {
	schemas.Turn
	Key schemas.TurnKey
	// Hash is the turn's element, the last tie-break between turns of one key.
	Hash Element
	// OrderAt is At, or for a turn with neither seq nor time the At of the turn before it in the same message; zero
	// without any.
	OrderAt time.Time
	// Position is, for a turn sent without seq, the index in its session message, or math.MaxInt32 where it came alone;
	// else 0.
	Position int32
}

// Version is revision << 20 | number of distinct messages seen (at most 2^20 - 1): it grows with every new message.
func (s *State) Version() uint64 {
	n := uint64(len(s.Seen))
	if n >= 1<<20 {
		n = 1<<20 - 1
	}
	return uint64(s.Revision)<<20 | n
}

// Closed says whether an end was seen.
func (s *State) Closed() bool { return s.EndHash != 0 }
