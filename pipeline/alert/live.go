package alert

import (
	"container/heap"
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// event is what happens to a live session.
type event struct {
	kind  eventKind
	id    string
	state *assemble.State // of arrived and loaded; nil of loaded where nothing is stored
	at    time.Time
	reset int64
}

type eventKind uint8

const (
	arrived eventKind = iota
	ended             // an end came: the rest is decided when the session is written
	dropped           // the worker does not hold it any more
	loaded            // what is stored of it
	wakeUp            // look at the resets
)

// Arrived implements stream.Watcher.
func (m *Manager) Arrived(s *assemble.State) {
	e := event{kind: arrived, id: s.SessionID, at: time.Now()}
	if s.Closed() {
		e.kind = ended
	} else {
		e.state = s.Clone()
	}
	m.push(e)
}

// Dropped implements stream.Watcher.
func (m *Manager) Dropped(sessionID string) { m.push(event{kind: dropped, id: sessionID}) }

// Reset implements stream.Watcher.
func (m *Manager) Reset() {
	m.resets.Add(1)
	m.since.Store(time.Now().UnixNano())
	m.push(event{kind: wakeUp})
}

// Wanted implements stream.Watcher: whoever is told of an alert opens its session.
func (m *Manager) Wanted() []string {
	m.pointing.Lock()
	defer m.pointing.Unlock()
	out := m.wanted
	m.wanted = nil
	return out
}

// push never waits: where the queue is full the session is not followed further, and what is to be said of it is said
// when it is written.
func (m *Manager) push(e event) {
	e.reset = m.resets.Load()
	select {
	case m.in <- e:
		return
	default:
	}
	if e.kind == wakeUp {
		return
	}
	m.metrics.dropped.WithLabelValues("queue").Inc()
	m.missing.Lock()
	defer m.missing.Unlock()
	if len(m.missed) < maxMissed {
		m.missed[e.id] = true
	}
	m.anyMiss.Store(true)
}

// decider follows live sessions. It belongs to the goroutine of run.
type decider struct {
	m        *Manager
	sessions map[string]*live
	order    *list.List // of *live, the longest untouched first
	turns    int
	timers   timers
	reset    int64
	touched  []*live
	out      []candidate
}

// live is one session that goes on.
type live struct {
	id      string
	place   *list.Element
	index   int // in timers, -1 for none
	wake    time.Time
	state   *assemble.State
	arrived time.Time // of the latest message
	lag     time.Duration
	asleep  bool // nothing is decided before the session is written
	young   bool // a message came that is not too old to alert
	loading bool
	loaded  bool // what is stored of it was asked for
	touched bool

	in       *chosen
	stream   *rules.Stream
	next     func(*schemas.TranscriptTurn) *schemas.TurnFeatures
	taken    int // turns of the state that the stream has
	grown    bool
	judgeAt  time.Time // not before
	nextSeq  int64
	gapSeq   int64 // the turn after the gap that is waited for
	gapSince time.Time
	forgiven int64           // gaps before this seq are no longer waited for
	waited   map[string]bool // rule and turn of the waits that were told
}

func newDecider(m *Manager) *decider {
	return &decider{m: m, sessions: map[string]*live{}, order: list.New()}
}

// drainAtOnce bounds the messages that are joined before their sessions are evaluated.
const drainAtOnce = 256

func (d *decider) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-d.m.in:
			d.take(e)
			for n := 1; n < drainAtOnce && len(d.m.in) > 0; n++ {
				d.take(<-d.m.in)
			}
		case <-timer.C:
		}
		now := time.Now()
		for len(d.timers) > 0 && !d.timers[0].wake.After(now) {
			d.touch(d.timers[0])
			heap.Pop(&d.timers)
		}
		for _, l := range d.touched {
			l.touched = false
			d.look(l, now)
		}
		d.touched = d.touched[:0]
		d.bound()
		if !d.give(ctx) {
			return
		}
		next := time.Hour
		if len(d.timers) > 0 {
			next = time.Until(d.timers[0].wake)
		}
		timer.Reset(max(0, next))
		d.m.metrics.live.Set(float64(len(d.sessions)))
	}
}

// give hands over what was decided.
func (d *decider) give(ctx context.Context) bool {
	if len(d.out) == 0 {
		return true
	}
	select {
	case d.m.decided <- d.out:
		d.out = nil
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *decider) take(e event) {
	if r := d.m.resets.Load(); r != d.reset {
		d.reset = r
		d.sessions, d.order, d.timers, d.touched, d.turns = map[string]*live{}, list.New(), nil, nil, 0
	}
	if e.reset != d.reset {
		return
	}
	d.miss()
	switch e.kind {
	case arrived:
		d.join(e)
	case ended:
		if l := d.sessions[e.id]; l != nil {
			d.sleep(l)
		} else {
			d.sleep(d.session(e.id))
		}
	case dropped:
		if l := d.sessions[e.id]; l != nil {
			d.remove(l)
		}
	case loaded:
		if l := d.sessions[e.id]; l != nil && !l.asleep {
			l.loading, l.loaded = false, true
			if e.state != nil {
				d.add(l, e.state)
			}
			if !l.asleep {
				d.touch(l)
			}
		}
	}
}

// miss puts to sleep the sessions of which the queue took no message.
func (d *decider) miss() {
	if !d.m.anyMiss.Load() {
		return
	}
	d.m.missing.Lock()
	missed := d.m.missed
	d.m.missed = map[string]bool{}
	full := len(missed) >= maxMissed
	d.m.anyMiss.Store(false)
	d.m.missing.Unlock()
	for id := range missed {
		d.sleep(d.session(id))
	}
	if full { // nobody knows which others
		for _, l := range d.sessions {
			d.sleep(l)
		}
	}
}

func (d *decider) session(id string) *live {
	l := d.sessions[id]
	if l == nil {
		l = &live{id: id, index: -1}
		l.place = d.order.PushBack(l)
		d.sessions[id] = l
	} else {
		d.order.MoveToBack(l.place)
	}
	return l
}

func (d *decider) join(e event) {
	l := d.session(e.id)
	if l.asleep {
		return
	}
	l.arrived = e.at
	for i := range e.state.Turns {
		at := e.state.Turns[i].At
		if at.IsZero() {
			l.young = true
		} else if age := e.at.Sub(at); age <= d.m.o.MaxAge {
			l.young = true
			l.lag = max(0, age)
		}
	}
	if d.add(l, e.state) && !l.asleep {
		d.touch(l)
	}
}

// add joins a state into that of a session and says whether it changed.
func (d *decider) add(l *live, s *assemble.State) bool {
	keys := make([]schemas.TurnKey, len(s.Turns))
	for i := range s.Turns {
		keys[i] = s.Turns[i].Key
	}
	if l.state == nil {
		l.state = s
		d.turns += len(s.Turns)
	} else {
		revision, meta, n := l.state.Revision, l.state.MetaHash, len(l.state.Turns)
		if !l.state.Add(s) {
			return false
		}
		d.turns += len(l.state.Turns) - n
		if l.stream != nil && (l.state.Revision != revision || l.state.MetaHash != meta || l.before(keys)) {
			l.restart()
		}
	}
	if l.state.Closed() {
		d.sleep(l)
	}
	return true
}

// before says whether one of the turns is among those that the stream has, or was.
func (l *live) before(keys []schemas.TurnKey) bool {
	if l.taken > len(l.state.Turns) {
		return true
	}
	for _, k := range keys {
		if i := lastIndex(l.state.Turns, k); i >= 0 && i < l.taken {
			return true
		}
	}
	return false
}

func lastIndex(turns []assemble.Turn, key schemas.TurnKey) int {
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Key == key {
			return i
		}
	}
	return -1
}

func (l *live) restart() {
	l.stream, l.next, l.taken, l.nextSeq, l.in = nil, nil, 0, 1, nil
}

// sleep stops following a session; its place stays, so that a late turn does not begin it anew.
func (d *decider) sleep(l *live) {
	if l.state != nil {
		d.turns -= len(l.state.Turns)
	}
	l.asleep, l.state, l.waited = true, nil, nil
	l.restart()
	d.unschedule(l)
}

func (d *decider) remove(l *live) {
	d.sleep(l)
	d.order.Remove(l.place)
	delete(d.sessions, l.id)
}

// bound keeps the memory within its limits: the sessions longest untouched are no longer followed.
func (d *decider) bound() {
	for e := d.order.Front(); e != nil && d.turns > maxLiveTurns; e = e.Next() {
		if l := e.Value.(*live); !l.asleep {
			d.sleep(l)
			d.m.metrics.dropped.WithLabelValues("memory").Inc()
		}
	}
	for len(d.sessions) > maxLive {
		d.remove(d.order.Front().Value.(*live))
	}
}

func (d *decider) touch(l *live) {
	if !l.touched {
		l.touched = true
		d.touched = append(d.touched, l)
	}
}

// look evaluates a session as far as it is contiguous.
func (d *decider) look(l *live, now time.Time) {
	if l.asleep || l.state == nil || !l.young || d.sessions[l.id] != l {
		return
	}
	c := d.m.rules()
	if c.choice == nil || !c.choice.Streams() {
		return
	}
	if l.in != c {
		if l.restart(); !l.begin(c) {
			return
		}
	}
	whole := d.advance(l, now)
	if l.grown {
		if now.Before(l.judgeAt) {
			d.schedule(l, l.judgeAt)
			return
		}
		l.grown = false
		hits := l.stream.Judge()
		l.judgeAt = now.Add(restAfter(l.stream.Turns()))
		for i := range hits {
			d.hit(l, &hits[i], now)
		}
	}
	if whole {
		d.waits(l, now)
	}
}

// restAfter is how long a session of so many turns is not evaluated again: the cost of one evaluation grows with its
// turns, so that of a session is bounded by time.
func restAfter(turns int) time.Duration {
	if turns <= 512 {
		return 0
	}
	return min(2*time.Second, time.Duration(turns/512)*100*time.Millisecond)
}

func (l *live) begin(c *chosen) bool {
	meta := l.state.Meta
	meta.SessionID = l.id
	if l.next = c.analyser.Live(meta); l.next == nil {
		return false
	}
	l.in, l.stream, l.taken, l.nextSeq = c, c.choice.Stream(meta), 0, 1
	return true
}

// advance gives the stream the turns up to the first gap that is still waited for, and says whether there was none.
func (d *decider) advance(l *live, now time.Time) bool {
	for l.taken < len(l.state.Turns) {
		t := &l.state.Turns[l.taken]
		if !l.contiguous(t) {
			if !l.loaded && !l.loading {
				select {
				case d.m.loads <- l.id:
					l.loading = true
				default:
					l.loaded = true // too many at once: the gap is waited for
				}
			}
			if l.loading && !t.Seq.OK {
				return false
			}
			if t.Seq.OK {
				if l.gapSince.IsZero() || l.gapSeq != t.Seq.V {
					l.gapSeq, l.gapSince = t.Seq.V, now
				}
				if until := l.gapSince.Add(d.m.o.GapWait); now.Before(until) {
					d.schedule(l, until)
					return false
				}
				l.forgiven, l.gapSince = t.Seq.V, time.Time{}
				d.m.metrics.gaps.Inc()
			}
		}
		turn := schemas.TranscriptTurn{Turn: t.Turn, Key: t.Key}
		if turn.Seq.OK {
			l.nextSeq = max(l.nextSeq, turn.Seq.V+1)
		} else {
			turn.Seq = schemas.Some(l.nextSeq)
			l.nextSeq++
		}
		l.grown = l.stream.Grow(turn, l.next(&turn)) || l.grown
		l.taken++
	}
	return true
}

// contiguous says whether nothing is missing before the next turn.
func (l *live) contiguous(t *assemble.Turn) bool {
	switch {
	case !t.Seq.OK:
		return l.taken > 0 || l.loaded // what has no seq shows no gap; only the store knows of earlier turns
	case l.taken == 0:
		return t.Seq.V <= 1 || t.Seq.V <= l.forgiven
	}
	return l.state.Turns[l.taken-1].Seq.V+1 == t.Seq.V || t.Seq.V <= l.forgiven
}

// hit makes an alert of what a rule found.
func (d *decider) hit(l *live, h *schemas.Hit, now time.Time) {
	info, _ := l.in.choice.Rule(h.RuleID)
	c := candidate{Alert: draft(d.meta(l), d.agent(l), h, info), arrived: l.arrived, ours: d.m.ours(l.state.Turns)}
	var turn *schemas.TranscriptTurn
	if len(h.Evidence) > 0 {
		turn = l.stream.Turn(h.Evidence[0].Turn)
		if asked := l.stream.Asked(h.Evidence[0].Turn); asked != nil && l.in.choice.AboutWaits(h.RuleID) {
			c.answered = string(asked.Key)
		}
	}
	rest(&c.Alert, turn, l.latest(now))
	d.out = append(d.out, c)
}

// waits tells of a customer who has waited too long and still does, or wakes when that will be.
func (d *decider) waits(l *live, now time.Time) {
	asked, limits, ok := l.in.choice.Waiting(l.stream)
	if !ok {
		return
	}
	// A topic that is read late brings the reply as late as it brought the question.
	base := asked.At.Add(l.lag)
	for _, limit := range limits {
		name := limit.RuleID + "\x00" + string(asked.Key)
		if l.waited[name] {
			continue
		}
		if due := base.Add(limit.After); now.Before(due) {
			d.schedule(l, due)
			continue
		}
		if l.waited == nil {
			l.waited = map[string]bool{}
		}
		l.waited[name] = true
		h, ok := l.in.choice.Overdue(l.stream, limit.RuleID, limit.After)
		if !ok {
			continue
		}
		info, _ := l.in.choice.Rule(limit.RuleID)
		c := candidate{Alert: draft(d.meta(l), d.agent(l), &h, info), arrived: now, ours: d.m.ours(l.state.Turns)}
		rest(&c.Alert, &asked, now)
		c.Kind, c.HitID, c.At = warehouse.AlertWaiting, "", asked.At.Add(limit.After)
		d.out = append(d.out, c)
	}
}

func (d *decider) meta(l *live) *schemas.Meta {
	meta := l.state.Meta
	meta.SessionID = l.id
	return &meta
}

// agent is the first agent who speaks.
func (d *decider) agent(l *live) string {
	i := slices.IndexFunc(l.state.Turns, func(t assemble.Turn) bool { return t.Role == schemas.Agent && t.AgentID != "" })
	if i < 0 {
		return ""
	}
	return l.state.Turns[i].AgentID
}

// latest is the time of the latest turn that has one.
func (l *live) latest(otherwise time.Time) time.Time {
	for i := len(l.state.Turns) - 1; i >= 0; i-- {
		if at := l.state.Turns[i].At; !at.IsZero() {
			return at
		}
	}
	return otherwise
}

// loader reads what is stored of sessions that this process has not seen from their beginning.
func (m *Manager) loader(ctx context.Context) {
	for {
		var ids []string
		select {
		case <-ctx.Done():
			return
		case id := <-m.loads:
			ids = append(ids, id)
		}
		for len(m.loads) > 0 && len(ids) < 100 {
			ids = append(ids, <-m.loads)
		}
		reset := m.resets.Load()
		states, err := m.o.Store.LoadStates(ctx, ids)
		if err != nil && ctx.Err() == nil {
			m.o.Log.Warn("cannot load what is stored of live sessions; alerts go by what came since", "sessions", len(ids), "error", err)
		}
		for _, id := range ids {
			select {
			case m.in <- event{kind: loaded, id: id, state: states[id], reset: reset}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// timers are sessions by when they are to be looked at.
type timers []*live

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].wake.Before(t[j].wake) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	l := x.(*live)
	l.index = len(*t)
	*t = append(*t, l)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	n := len(*t) - 1
	l := (*t)[n]
	(*t)[n] = nil
	*t = (*t)[:n]
	l.index = -1
	return l
}

// schedule wakes a session at a time, or earlier where it is to wake earlier.
func (d *decider) schedule(l *live, at time.Time) {
	switch {
	case l.index < 0:
		l.wake = at
		heap.Push(&d.timers, l)
	case at.Before(l.wake):
		l.wake = at
		heap.Fix(&d.timers, l.index)
	}
}

func (d *decider) unschedule(l *live) {
	if l.index >= 0 {
		heap.Remove(&d.timers, l.index)
	}
}
