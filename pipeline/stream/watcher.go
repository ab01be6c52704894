package stream

import (
	"context"

	"github.com/tingke/tingke/pipeline/assemble"
)

// Watcher is told of sessions while they go on, beside the writing of them: it is what alerts are decided by. Its methods
// are called from several goroutines.
type Watcher interface {
	// Arrived is told of every message about a session, masked, in the order of its partition and before it is joined with
	// others. s is of this message alone; it must neither be changed nor kept. The call must not wait: the reading of the
	// topic does until it returns.
	Arrived(s *assemble.State)
	// Analysed is told of sessions that are about to be written. What it stores is stored before they are, so that a crash
	// in between is repaired by the replay. An error is taken as transient: the call is repeated.
	Analysed(ctx context.Context, sessions []Watched) error
	// Dropped says that a session has left the memory of the worker; it may come back with its next message.
	Dropped(sessionID string)
	// Reset says that all sessions have: others have the partitions now, or had them until now.
	Reset()
	// Wanted gives the sessions that people were pointed to since it was last asked, such as by an alert. While they go on
	// they are written with every flush that has something new of them, so that whoever comes sees what is said.
	Wanted() []string
}

// Watched is an analysed session about to be written.
type Watched struct {
	Analysed
	// Whole says that the session came as one message and that nothing of it was stored before.
	Whole bool
}

// noWatcher is the Watcher of a worker without one.
type noWatcher struct{}

func (noWatcher) Arrived(*assemble.State)                   {}
func (noWatcher) Analysed(context.Context, []Watched) error { return nil }
func (noWatcher) Dropped(string)                            {}
func (noWatcher) Reset()                                    {}
func (noWatcher) Wanted() []string                          { return nil }
