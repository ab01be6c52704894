package stream

import (
	"container/list"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
)

// ref is a message that is in no written state yet.
type ref struct {
	offsets *offsets
	offset  int64
}

// entry is a session held in memory.
type entry struct {
	id      string
	state   *assemble.State   // nil until folded first
	pending []*assemble.State // messages not folded into state yet
	refs    []ref             // messages not in a written state
	since   time.Time         // arrival of the first of refs
	touched time.Time         // arrival of the latest message
	part    *partition        // of the latest message
	joined  bool              // what is stored of it was looked at
	queued  bool              // in table.ready
	end     bool              // is to get a synthetic end
	wanted  bool              // somebody looks at it: it does not wait for the early write
	bytes   int
	place   *list.Element
}

// Sizes for the estimate of memory: an entry with its map and list cells, a message with its reference.
const (
	entryBytes = 400
	refBytes   = 24
)

// maxUnfolded bounds the messages of a session that wait to be joined.
const maxUnfolded = 64

// table holds the sessions of a worker's partitions, the least recently touched first. It is not safe for concurrent
// use.
type table struct {
	sessions map[string]*entry
	order    *list.List // of *entry, by touched
	ready    []*entry   // closed or to be closed, to write at the next flush
	fresh    []*entry   // new and open: what is stored of them is not known
	bytes    int
	dropped  func(id string) // a session has left the table
}

func newTable(dropped func(id string)) *table {
	return &table{sessions: map[string]*entry{}, order: list.New(), dropped: dropped}
}

// entry gives the session, new if need be.
func (t *table) entry(id string, now time.Time) *entry {
	e := t.sessions[id]
	if e == nil {
		e = &entry{id: id, bytes: entryBytes + len(id), touched: now}
		e.place = t.order.PushBack(e)
		t.sessions[id] = e
		t.bytes += e.bytes
	}
	return e
}

// add joins the state of one message and says whether the one before it came from the same partition.
func (t *table) add(s *assemble.State, r ref, part *partition, now time.Time) (samePartition bool) {
	e := t.entry(s.SessionID, now)
	isNew := e.state == nil && len(e.pending) == 0
	t.order.MoveToBack(e.place)
	samePartition = e.part == nil || e.part == part
	e.touched, e.part = now, part
	if len(e.refs) == 0 {
		e.since = now
	}
	e.refs = append(e.refs, r)
	e.pending = append(e.pending, s)
	n := s.Bytes() + refBytes
	e.bytes += n
	t.bytes += n
	if len(e.pending) >= maxUnfolded {
		t.fold(e)
	}
	switch {
	case s.Closed():
		t.queue(e)
	case isNew:
		t.fresh = append(t.fresh, e)
	}
	return samePartition
}

// queue has a session written at the next flush.
func (t *table) queue(e *entry) {
	if !e.queued {
		e.queued = true
		t.ready = append(t.ready, e)
	}
}

// takeReady gives the sessions to write at this flush.
func (t *table) takeReady() []*entry {
	ready := t.ready
	t.ready = nil
	live := ready[:0]
	for _, e := range ready {
		e.queued = false
		if t.sessions[e.id] == e {
			live = append(live, e)
		}
	}
	return live
}

// takeFresh gives the open sessions that nothing is known of yet.
func (t *table) takeFresh() []*entry {
	fresh := t.fresh
	t.fresh = nil
	live := fresh[:0]
	for _, e := range fresh {
		if t.sessions[e.id] == e && !e.joined && !e.queued {
			live = append(live, e)
		}
	}
	return live
}

// fold joins the messages that wait into the session's state.
func (t *table) fold(e *entry) {
	if len(e.pending) > 0 {
		s := assemble.Fold(e.pending)
		if e.state == nil {
			e.state = s
		} else {
			e.state.Add(s)
		}
		e.pending = nil
	}
	if e.state == nil {
		e.state = &assemble.State{SessionID: e.id}
	}
	t.measure(e)
}

// measure estimates the size of a folded session anew.
func (t *table) measure(e *entry) {
	n := entryBytes + len(e.id) + e.state.Bytes() + refBytes*cap(e.refs)
	t.bytes += n - e.bytes
	e.bytes = n
}

// finish notes that everything of a session is in a written state.
func (t *table) finish(e *entry) {
	for _, r := range e.refs {
		r.offsets.finish(r.offset)
	}
	e.refs = nil
}

// drop takes a session out of memory.
func (t *table) drop(e *entry) {
	if t.sessions[e.id] == e {
		delete(t.sessions, e.id)
		t.order.Remove(e.place)
		t.bytes -= e.bytes
		t.dropped(e.id)
	}
}
