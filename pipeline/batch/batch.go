// Package batch brings messages of files to the store without Kafka. A session's state is a union, so it does not
// matter in what order, how often or in how many batches its messages come, nor whether some came by Kafka before: the
// rows end up as the stream would have written them.
//
// It knows the store, the analysis and the masking through the interfaces of package stream.
package batch

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

// Options of a Writer. Zero sizes take the defaults named.
type Options struct {
	Store    stream.Store
	Analyser stream.Analyser
	Hasher   *assemble.Hasher
	Mask     assemble.Masker
	// FlushSessions (1,000) sessions, or Memory (256 MiB) of them, are held before a write; as many may wait, analysed, to be
	// written while the next ones are analysed.
	FlushSessions int
	Memory        int
}

// Counts says what a Writer did.
type Counts struct {
	Messages    int `json:"messages"`
	Written     int `json:"sessions_written"`   // states written; a session whose messages lie far apart counts again
	Unchanged   int `json:"sessions_unchanged"` // states that were stored already
	Ended       int `json:"sessions_ended"`     // synthetic ends at the end of the input
	Orders      int `json:"orders"`
	Ratings     int `json:"ratings"`
	DeadLetters int `json:"dead_letters"`
}

// Writer collects messages and writes sessions. It is used by one goroutine; memory is bounded but for the ids of
// sessions without an end.
type Writer struct {
	o      Options
	held   map[string]*assemble.State
	order  []string
	bytes  int
	open   map[string]uint16 // sessions written without an end, with their revision
	side   stream.Batch
	counts Counts
	// pending is analysed and not yet written: the next flush writes it while it analyses. ids are its sessions.
	pending    stream.Batch
	pendingIDs map[string]bool
}

// New makes a writer.
func New(o Options) *Writer {
	if o.FlushSessions <= 0 {
		o.FlushSessions = 1000
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	return &Writer{o: o, held: map[string]*assemble.State{}, open: map[string]uint16{}}
}

// Counts says what was done so far.
func (w *Writer) Counts() Counts { return w.counts }

// Add takes messages, which belong to the writer afterwards, and may write. Identities and masks are made on all
// processors, so several messages at once are faster than one at a time.
func (w *Writer) Add(ctx context.Context, messages ...*schemas.Message) error {
	states := make([]*assemble.State, len(messages))
	group := errgroup.Group{}
	group.SetLimit(runtime.GOMAXPROCS(0))
	const share = 64
	for from := 0; from < len(messages); from += share {
		group.Go(func() error {
			for i := from; i < min(from+share, len(messages)); i++ {
				if states[i] = assemble.FromMessage(w.o.Hasher, w.o.Mask, messages[i]); states[i] == nil {
					w.o.Mask(messages[i])
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, m := range messages {
		w.counts.Messages++
		switch {
		case states[i] != nil:
			w.hold(states[i])
		case m.Order != nil:
			w.side.Orders = append(w.side.Orders, stream.Order{Order: *m.Order})
			w.counts.Orders++
		case m.Rating != nil:
			w.side.Ratings = append(w.side.Ratings, stream.Rating{Rating: *m.Rating})
			w.counts.Ratings++
		}
		if err := w.flushIfFull(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AddBad takes a line that is no message as a dead letter.
func (w *Writer) AddBad(ctx context.Context, d stream.DeadLetter) error {
	w.counts.Messages++
	w.counts.DeadLetters++
	w.side.DeadLetters = append(w.side.DeadLetters, d)
	return w.flushIfFull(ctx)
}

func (w *Writer) hold(s *assemble.State) {
	if known, ok := w.held[s.SessionID]; ok {
		before := known.Bytes()
		known.Add(s)
		w.bytes += known.Bytes() - before
		return
	}
	w.held[s.SessionID] = s
	w.order = append(w.order, s.SessionID)
	w.bytes += s.Bytes()
}

func (w *Writer) flushIfFull(ctx context.Context) error {
	side := len(w.side.Orders) + len(w.side.Ratings) + len(w.side.DeadLetters)
	if len(w.order) < w.o.FlushSessions && w.bytes < w.o.Memory && side < 10*w.o.FlushSessions {
		return nil
	}
	return w.flush(ctx)
}

// Finish writes what is held and ends the sessions of the input that have no end. Until it returns nil, what was added
// last may not be stored.
func (w *Writer) Finish(ctx context.Context) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	ids := make([]string, 0, len(w.open))
	for id := range w.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for len(ids) > 0 {
		n := min(len(ids), w.o.FlushSessions)
		for _, id := range ids[:n] {
			w.hold(assemble.SyntheticEnd(id, w.open[id]))
			w.counts.Ended++
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return w.writePending(ctx)
}

// flush analyses what is held and leaves it to be written by the next flush, while it writes what the one before left:
// the store and the analysis keep different processors busy.
func (w *Writer) flush(ctx context.Context) error {
	// A session that waits to be written must be stored before it is read again.
	if slices.ContainsFunc(w.order, func(id string) bool { return w.pendingIDs[id] }) {
		if err := w.writePending(ctx); err != nil {
			return err
		}
	}
	next := w.side
	both, inner := errgroup.WithContext(ctx)
	both.Go(func() error { return w.writePending(inner) })
	both.Go(func() error {
		if len(w.order) == 0 {
			return nil
		}
		sessions, err := w.differing(inner)
		if err != nil {
			return err
		}
		next.Sessions, err = w.analyse(inner, sessions)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	w.counts.Unchanged += len(w.order) - len(next.Sessions)
	w.pending, w.pendingIDs = next, make(map[string]bool, len(next.Sessions))
	for _, s := range next.Sessions {
		w.pendingIDs[s.State.SessionID] = true
		if s.State.Closed() {
			delete(w.open, s.State.SessionID)
		} else {
			w.open[s.State.SessionID] = s.State.Revision
		}
	}
	clear(w.held)
	w.order, w.bytes, w.side = w.order[:0], 0, stream.Batch{}
	return nil
}

// writePending writes what the last flush left.
func (w *Writer) writePending(ctx context.Context) error {
	b := &w.pending
	if len(b.Sessions)+len(b.Orders)+len(b.Ratings)+len(b.DeadLetters) > 0 {
		if err := w.o.Store.Write(ctx, *b); err != nil {
			return fmt.Errorf("cannot write to the store: %w", err)
		}
	}
	w.counts.Written += len(b.Sessions)
	w.pending, w.pendingIDs = stream.Batch{}, nil
	return nil
}

// differing reads what is stored and gives the joined states of sessions that are not stored as they are.
func (w *Writer) differing(ctx context.Context) ([]*assemble.State, error) {
	stored, err := w.o.Store.StoredVersions(ctx, w.order)
	if err != nil {
		return nil, fmt.Errorf("cannot read what is stored: %w", err)
	}
	var load []string
	var out []*assemble.State
	for _, id := range w.order {
		s, v := w.held[id], stored[id]
		revision := uint16(v.Version >> 20)
		switch {
		case v.Version == 0:
			out = append(out, s)
		case assemble.Covers(revision, v.Seen, s):
			closed := slices.ContainsFunc(v.Seen, func(e assemble.Element) bool { return e.Kind() == assemble.KindEnd })
			if !closed {
				w.open[id] = revision
			}
		default:
			load = append(load, id)
			out = append(out, s)
		}
	}
	states, err := w.o.Store.LoadStates(ctx, load)
	if err != nil {
		return nil, fmt.Errorf("cannot load stored sessions: %w", err)
	}
	for i, s := range out {
		if known := states[s.SessionID]; known != nil {
			known.Add(s)
			out[i] = known
		}
	}
	return out, nil
}

func (w *Writer) analyse(ctx context.Context, states []*assemble.State) ([]stream.Analysed, error) {
	out := make([]stream.Analysed, len(states))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range states {
		group.Go(func() error {
			out[i] = stream.Analysed{State: s, Analysis: w.o.Analyser.Analyse(s.Transcript())}
			return ctx.Err()
		})
	}
	return out, group.Wait()
}
