package stream

import (
	"context"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

// Store is where sessions are kept. All methods must be safe to repeat: a write that failed half-way is done again as a
// whole, with the same or a larger content. Errors are taken as transient and retried until the context ends.
type Store interface {
	// StoredVersions gives what is stored of the sessions, without texts; unknown ones are left out.
	StoredVersions(ctx context.Context, sessionIDs []string) (map[string]StoredVersion, error)
	// LoadStates gives the whole stored states; unknown ones are left out. The states belong to the caller.
	LoadStates(ctx context.Context, sessionIDs []string) (map[string]*assemble.State, error)
	// Write stores all of a batch, or fails; it must not keep it. Of two states of one session the greater version wins.
	Write(ctx context.Context, b Batch) error
}

// OpenSessions is an optional method of a Store: it finds sessions that were written open and have rested since before,
// so that a session whose worker is gone still ends. At most limit ids of sessions whose messages came from these
// partitions are given.
type OpenSessions interface {
	OpenSessions(ctx context.Context, topic string, partitions []int32, before time.Time, limit int) ([]string, error)
}

// LostCounter is an optional method of a Store: it counts the lost ranges that nobody has acknowledged. Without it the
// worker counts those of its own time, until AcknowledgeLostRanges.
type LostCounter interface {
	UnacknowledgedLostRanges(ctx context.Context) (int, error)
}

// StoredVersion is what a stored state has seen.
type StoredVersion struct {
	Version uint64 // revision << 20 | number of elements
	Seen    []assemble.Element
}

// Batch is what one flush writes.
type Batch struct {
	Sessions    []Analysed
	Orders      []Order
	Ratings     []Rating
	DeadLetters []DeadLetter
	LostRanges  []LostRange
}

// Analysed is a session's state with the analysis of it.
type Analysed struct {
	State    *assemble.State
	Analysis *schemas.Analysis
}

// Order is an order message, masked, and where it came from.
type Order struct {
	schemas.Order
	Origin schemas.Origin
}

// Rating is a rating message, masked, and where it came from.
type Rating struct {
	schemas.Rating
	Origin schemas.Origin
}

// DeadLetter is a message that could not be used. Topic, partition and offset identify it.
type DeadLetter struct {
	Topic     string
	Partition int32
	Offset    int64
	Error     string
	RawMasked string    // the first 4 KiB, masked
	SHA256    string    // hex, of the whole raw message
	At        time.Time // when it was sent
}

// LostRange says that Kafka deleted messages before they were read: offsets From to To, both included. TopicID, hex, tells
// a topic from another one of the same name that was deleted; it is "" where Kafka tells none.
type LostRange struct {
	Topic     string
	TopicID   string
	Partition int32
	From      int64
	To        int64
	At        time.Time
}

// Analyser analyses one session. It must be a pure function and safe for concurrent use.
type Analyser interface {
	Analyse(*schemas.Transcript) *schemas.Analysis
}
