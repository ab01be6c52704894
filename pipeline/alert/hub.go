package alert

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Changes is what a Hub follows; *warehouse.Warehouse is one.
type Changes interface {
	AlertChanges(ctx context.Context, after time.Time, limit int) ([]warehouse.AlertChange, error)
	AlertsByID(ctx context.Context, ids []string) ([]warehouse.Alert, error)
	Clock(ctx context.Context) (time.Time, error)
}

// HubOptions of a Hub. Zero fields take the defaults named.
type HubOptions struct {
	Store                   Changes
	SessionURL, TakeoverURL string
	Every                   time.Duration // 250 ms: how often the store is looked at while somebody listens
	Subscribers             int           // 200: more are refused
	Buffer                  int           // 256: a reader that is so far behind is dropped
	Log                     *slog.Logger
}

// Hub shows alerts, and what happens to them, to browsers as they are stored, by whichever process. It looks at the store
// only while somebody listens. Run does the work; Subscribe is safe for concurrent use.
type Hub struct {
	o     HubOptions
	links Options
	wake  chan struct{}

	mu      sync.Mutex
	subs    map[*Subscription]bool
	running bool
	ended   bool
	begun   chan struct{} // closed while the store is followed: what is stored from then on is told
}

// Message is an alert as it is now.
type Message struct {
	// ID is the place in the sequence of changes: a reader that comes again with it gets what it missed.
	ID    string
	Alert warehouse.Alert
	Payload
}

// Why a subscription ended.
var (
	ErrSlow    = errors.New("slow: the reader is too far behind; come again with the last id")
	ErrStopped = errors.New("stopped: the server ends; come again with the last id")
	ErrFull    = errors.New("too many readers listen to alerts; try again later")
	// ErrGap says that more was missed than is told again: the reader must load the list anew.
	ErrGap = errors.New("gap: too much was missed; load the list of alerts")
)

// overlap is how long after others a change may become visible: clocks of inserts and the end of inserts differ.
const overlap = 2 * time.Second

// maxResume is how many missed changes are told again.
const maxResume = 1000

// maxLook is how many changes one look takes: more than one insert can bring, which all have one time.
const maxLook = 10_000

// NewHub makes a Hub; it starts nothing.
func NewHub(o HubOptions) *Hub {
	defaultTo(&o.Every, 250*time.Millisecond)
	defaultTo(&o.Subscribers, 200)
	defaultTo(&o.Buffer, 256)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Hub{o: o, links: Options{SessionURL: o.SessionURL, TakeoverURL: o.TakeoverURL}, wake: make(chan struct{}, 1), subs: map[*Subscription]bool{}, begun: make(chan struct{})}
}

// Payload is an alert as it is sent.
func (h *Hub) Payload(a *warehouse.Alert) Payload { return h.links.payloadOf(a) }

// Subscription is one reader. It belongs to one goroutine.
type Subscription struct {
	hub     *Hub
	allow   func(*warehouse.Alert) bool
	c       chan Message
	mu      sync.Mutex
	err     error
	backlog []Message
	seen    map[string]string // of the backlog: alert to id
}

// Subscribe listens to the alerts that allow lets through. lastID is the id of the last message that the reader has, ""
// for one that wants only what is to come. With ErrGap the subscription is good, but the reader must load the list.
func (h *Hub) Subscribe(ctx context.Context, lastID string, allow func(*warehouse.Alert) bool) (*Subscription, error) {
	s := &Subscription{hub: h, allow: allow, c: make(chan Message, h.o.Buffer)}
	h.mu.Lock()
	switch {
	case h.ended:
		h.mu.Unlock()
		return nil, ErrStopped
	case len(h.subs) >= h.o.Subscribers:
		h.mu.Unlock()
		return nil, ErrFull
	}
	h.subs[s] = true
	begun, running := h.begun, h.running
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
	if running {
		select {
		case <-begun:
		case <-ctx.Done():
			s.Close()
			return nil, ctx.Err()
		}
	}
	micros, err := strconv.ParseInt(lastID, 10, 64)
	if err != nil {
		return s, nil
	}
	after := time.UnixMicro(micros)
	missed, _, err := h.read(ctx, after.Add(-overlap), maxResume+1, nil)
	if err != nil {
		s.Close()
		return nil, err
	}
	if len(missed) > maxResume {
		return s, ErrGap
	}
	s.seen = map[string]string{}
	for _, m := range missed {
		s.seen[m.Alert.AlertID] = m.ID
		if allow(&m.Alert) {
			s.backlog = append(s.backlog, m)
		}
	}
	return s, nil
}

// Next gives the next message; the error is one of the reasons above, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (Message, error) {
	if len(s.backlog) > 0 {
		m := s.backlog[0]
		s.backlog = s.backlog[1:]
		return m, nil
	}
	for {
		select {
		case m, ok := <-s.c:
			if !ok {
				s.mu.Lock()
				defer s.mu.Unlock()
				return m, s.err
			}
			if s.seen[m.Alert.AlertID] == m.ID {
				continue
			}
			return m, nil
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() { s.end(ErrStopped) }

func (s *Subscription) end(why error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.endLocked(why)
}

// endLocked is called with the hub's lock.
func (s *Subscription) endLocked(why error) {
	if !s.hub.subs[s] {
		return
	}
	delete(s.hub.subs, s)
	s.mu.Lock()
	s.err = why
	s.mu.Unlock()
	close(s.c)
}

// Run follows the store until ctx is done; then all subscriptions end.
func (h *Hub) Run(ctx context.Context) {
	h.mu.Lock()
	h.running = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ended = true
		h.follows()
		for s := range h.subs {
			s.endLocked(ErrStopped)
		}
	}()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		h.follow(ctx)
	}
}

// follow looks at the store while somebody listens.
func (h *Hub) follow(ctx context.Context) {
	var mark time.Time
	told := map[string]time.Time{} // changes after mark - overlap that were told
	tick := time.NewTicker(h.o.Every)
	defer tick.Stop()
	var complained time.Time
	for ; h.listened(); h.wait(ctx, tick) {
		if ctx.Err() != nil {
			return
		}
		var err error
		if mark.IsZero() {
			if mark, err = h.begin(ctx, told); err == nil {
				h.mu.Lock()
				h.follows()
				h.mu.Unlock()
			}
		} else {
			var fresh []Message
			var more time.Time
			if fresh, more, err = h.read(ctx, mark.Add(-overlap), maxLook, told); err == nil {
				for i := range fresh {
					at := stamp(fresh[i].ID)
					told[fresh[i].Alert.AlertID] = at
					if at.After(mark) {
						mark = at
					}
					h.tell(fresh[i])
				}
				if !more.IsZero() { // a flood: what follows is more than what may still become visible before
					mark = more.Add(overlap)
				}
				for id, at := range told {
					if at.Before(mark.Add(-2 * overlap)) {
						delete(told, id)
					}
				}
			}
		}
		if err != nil && ctx.Err() == nil && time.Since(complained) > 10*time.Second {
			complained = time.Now()
			h.o.Log.Warn("cannot look for alerts, trying again", "error", err)
		}
	}
}

func (h *Hub) wait(ctx context.Context, tick *time.Ticker) {
	select {
	case <-ctx.Done():
	case <-tick.C:
	}
}

// begin gives the time from which on changes are told; those shortly before are noted as told.
func (h *Hub) begin(ctx context.Context, told map[string]time.Time) (mark time.Time, err error) {
	if mark, err = h.o.Store.Clock(ctx); err != nil {
		return time.Time{}, err
	}
	changes, err := h.o.Store.AlertChanges(ctx, mark.Add(-overlap), maxLook)
	if err != nil {
		return time.Time{}, err
	}
	for _, c := range changes {
		if !c.At.After(mark) {
			told[c.AlertID] = c.At
		}
	}
	return mark, nil
}

// follows says, under the lock, that whoever waits for the beginning need not any longer.
func (h *Hub) follows() {
	select {
	case <-h.begun:
	default:
		close(h.begun)
	}
}

// listened says whether anybody listens; where nobody does the next one waits for a new beginning.
func (h *Hub) listened() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) > 0 {
		return true
	}
	select {
	case <-h.begun:
		if !h.ended {
			h.begun = make(chan struct{})
		}
	default:
	}
	return false
}

func stamp(id string) time.Time {
	micros, _ := strconv.ParseInt(id, 10, 64)
	return time.UnixMicro(micros).UTC()
}

// read gives what changed after a time, in order, without what was told; where there is more than the limit, also the time
// after which.
func (h *Hub) read(ctx context.Context, after time.Time, limit int, told map[string]time.Time) (out []Message, more time.Time, err error) {
	changes, err := h.o.Store.AlertChanges(ctx, after, limit)
	if err != nil {
		return nil, more, err
	}
	if len(changes) == limit && changes[0].At.Before(changes[limit-1].At) {
		more = changes[limit-1].At.Add(-time.Microsecond) // others may be of the same one
	}
	at := map[string]time.Time{}
	var ids []string
	for _, c := range changes {
		if !told[c.AlertID].Equal(c.At) {
			at[c.AlertID] = c.At
			ids = append(ids, c.AlertID)
		}
	}
	if len(ids) == 0 {
		return nil, more, nil
	}
	alerts, err := h.o.Store.AlertsByID(ctx, ids)
	if err != nil {
		return nil, more, err
	}
	out = make([]Message, len(alerts))
	for i := range alerts {
		a := &alerts[i]
		out[i] = Message{ID: strconv.FormatInt(at[a.AlertID].UnixMicro(), 10), Alert: *a, Payload: h.links.payloadOf(a)}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := at[out[i].Alert.AlertID], at[out[j].Alert.AlertID]
		if !a.Equal(b) {
			return a.Before(b)
		}
		return out[i].Alert.AlertID < out[j].Alert.AlertID
	})
	return out, more, nil
}

// tell gives a message to everybody who may see it; it waits for nobody.
func (h *Hub) tell(m Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if !s.allow(&m.Alert) {
			continue
		}
		select {
		case s.c <- m:
		default:
			s.endLocked(ErrSlow)
		}
	}
}
