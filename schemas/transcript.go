package schemas

import (
	"strconv"
	"time"
)

// Transcript is one session as assembled from all its messages, already masked: the input of the analysis.
type Transcript struct {
	// Version is revision << 20 | number of distinct messages seen; it only grows.
	Version  uint64
	Revision uint16
	// Closed is false while the session is still going on.
	Closed bool
	// EndedAt is the time of the end message, zero where none is known. Meta.EndedAt is what the session message says.
	EndedAt time.Time
	Meta    Meta
	// Turns are in final order. Seq is always set: turns sent without one are numbered after the greatest sent one.
	Turns []TranscriptTurn
	// Notes are what assembling left out or mended, for the coverage of the analysis.
	Notes []CoverageNote
	// Origin is where the messages came from.
	Origin Origin
}

// TranscriptTurn is a turn with its identity.
type TranscriptTurn struct {
	Turn
	Key TurnKey
}

// TurnKey identifies a turn within its session whatever else arrives: "s" and the seq, or "h" and 16 hex digits of a
// hash over role, time, text and count where the turn was sent without seq.
type TurnKey string

// SeqKey is the key of a turn sent with a seq.
func SeqKey(seq int64) TurnKey { return TurnKey("s" + strconv.FormatInt(seq, 10)) }

// Origin is the Kafka position of a session's messages; Topic is "" for files.
type Origin struct {
	Topic     string
	Partition int32
	OffsetMin int64
	OffsetMax int64
}

// CoverageNote says what an analysis skipped or mended and why. Notes of one analysis are sorted by What, then Why.
type CoverageNote struct {
	What  string `json:"what"` // such as "rule:response_time", "turns", "meta"
	Why   string `json:"why"`  // such as "open", "no_timestamps", "invalid_utf8"
	Count int    `json:"count,omitempty"`
}
