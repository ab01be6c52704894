package alert

import (
	"container/list"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// mark is what is known of an alert of a session.
type mark struct {
	warehouse.AlertMark
	queued bool // this process has given it to its targets
}

// marks are the alerts of one session.
type marks struct {
	session string
	byID    map[string]*mark
	sent    map[string][]*mark // by rule, without those withheld
	place   *list.Element
}

func (b *marks) add(k *mark) {
	b.byID[k.AlertID] = k
	if k.Withheld == "" {
		b.sent[k.RuleID] = append(b.sent[k.RuleID], k)
	}
}

// book remembers the alerts of sessions, the least recently used are forgotten. It is not safe for concurrent use.
type book struct {
	sessions map[string]*marks
	order    *list.List
	forgot   bool // some were put out of it: what it does not have may be stored
}

func newBook() *book { return &book{sessions: map[string]*marks{}, order: list.New()} }

func (b *book) get(id string) *marks {
	k := b.sessions[id]
	if k != nil {
		b.order.MoveToBack(k.place)
	}
	return k
}

func (b *book) put(id string, stored []warehouse.AlertMark) *marks {
	k := &marks{session: id, byID: map[string]*mark{}, sent: map[string][]*mark{}}
	for _, s := range stored {
		k.add(&mark{AlertMark: s})
	}
	k.place = b.order.PushBack(k)
	b.sessions[id] = k
	return k
}

func (b *book) forget(id string) {
	if k := b.sessions[id]; k != nil {
		b.order.Remove(k.place)
		delete(b.sessions, id)
	}
}

func (b *book) bound() {
	for len(b.sessions) > maxBook {
		b.forgot = true
		b.forget(b.order.Front().Value.(*marks).session)
	}
}

// closed is a session that has ended, as far as its alerts are compared with it.
type closed struct {
	session string
	ours    bool            // as of a candidate
	hits    map[string]bool // by hit id
	// waits says of the keys of customers' turns, by rule, that their wait ended in a hit of the rule, or never ended.
	waits func(rule, key string) bool
}

// Analysed implements stream.Watcher: what the live path missed, and what only the end can tell, is decided here.
func (m *Manager) Analysed(ctx context.Context, sessions []stream.Watched) error {
	in := m.rules()
	if in.choice == nil {
		return nil
	}
	now := time.Now()
	var out []candidate
	var over []closed
	for i := range sessions {
		a := sessions[i].Analysis
		if slices.ContainsFunc(a.Coverage, func(n schemas.CoverageNote) bool { return n.What == "analysis" }) {
			continue // it says nothing of what it would have found
		}
		n := len(out)
		out = m.fromAnalysis(in, a, now, out)
		for ours := len(out) > n && m.ours(sessions[i].State.Turns); n < len(out); n++ {
			out[n].ours = ours
		}
		if a.Closed && !sessions[i].Whole {
			c := closedOf(a)
			c.ours = m.ours(sessions[i].State.Turns)
			over = append(over, c)
		}
	}
	if len(out) == 0 && len(over) == 0 {
		return nil
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return a.At.Compare(b.At) })
	return m.keep(ctx, out, over)
}

// fromAnalysis adds the alerts of an analysis.
func (m *Manager) fromAnalysis(in *chosen, a *schemas.Analysis, now time.Time, out []candidate) []candidate {
	for i := range a.Findings.Hits {
		h := &a.Findings.Hits[i]
		rule, ok := in.choice.Rule(h.RuleID)
		if !ok {
			continue
		}
		agent := ""
		if len(a.AgentIDs) > 0 {
			agent = a.AgentIDs[0]
		}
		meta := a.Meta
		meta.SessionID = a.SessionID
		c := candidate{Alert: draft(&meta, agent, h, rule), arrived: now}
		var turn *schemas.TranscriptTurn
		if len(h.Evidence) > 0 {
			turn = turnOf(a, h.Evidence[0].Turn)
			if in.choice.AboutWaits(h.RuleID) {
				for _, r := range a.Rounds {
					if asked := turnOf(a, r.Turn); r.Reply.OK && r.Reply.V == h.Evidence[0].Turn && asked != nil {
						c.answered = string(asked.Key)
					}
				}
			}
		}
		rest(&c.Alert, turn, over(a, now))
		out = append(out, c)
	}
	return out
}

// over is when a session ended, or its latest turn was.
func over(a *schemas.Analysis, otherwise time.Time) time.Time {
	if !a.EndedAt.IsZero() {
		return a.EndedAt
	}
	for i := len(a.Turns) - 1; i >= 0; i-- {
		if at := a.Turns[i].At; !at.IsZero() {
			return at
		}
	}
	return otherwise
}

func turnOf(a *schemas.Analysis, seq int64) *schemas.TranscriptTurn {
	for i := range a.Turns {
		if a.Turns[i].Seq.V == seq {
			return &a.Turns[i].TranscriptTurn
		}
	}
	return nil
}

func closedOf(a *schemas.Analysis) closed {
	c := closed{session: a.SessionID, hits: make(map[string]bool, len(a.Findings.Hits))}
	for _, h := range a.Findings.Hits {
		c.hits[h.HitID] = true
	}
	c.waits = func(rule, key string) bool {
		for _, r := range a.Rounds {
			asked := turnOf(a, r.Turn)
			if asked == nil || string(asked.Key) != key {
				continue
			}
			if !r.Reply.OK {
				return true
			}
			for _, h := range a.Findings.Hits {
				if h.RuleID == rule && slices.ContainsFunc(h.Evidence, func(e schemas.Evidence) bool { return e.Turn == r.Reply.V }) {
					return true
				}
			}
		}
		return false
	}
	return c
}

// keeper stores what the live path decided.
func (m *Manager) keeper(work context.Context) {
	for group := range m.decided {
		for more := true; more && len(group) < 1000; {
			select {
			case next, ok := <-m.decided:
				if more = ok; ok {
					group = append(group, next...)
				}
			default:
				more = false
			}
		}
		for attempt := 0; ; attempt++ {
			err := m.keep(work, group, nil)
			if err == nil {
				break
			}
			if work.Err() == nil {
				m.metrics.storeErrors.Inc()
				m.o.Log.Error("cannot store alerts, trying again", "alerts", len(group), "error", err, "attempt", attempt+1)
			}
			if pause(work, min(5*time.Second, storeAttempts<<min(attempt, 6))) != nil {
				// Their sessions are not written either: whoever reads the messages again decides them again.
				m.metrics.dropped.WithLabelValues("stopping").Add(float64(len(group)))
				break
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// keep stores the candidates that are new, sends them, and compares ended sessions with their alerts. After an error
// nothing is remembered and the call may be repeated.
func (m *Manager) keep(ctx context.Context, list []candidate, ended []closed) (err error) {
	m.keeping.Lock()
	defer m.keeping.Unlock()
	now := time.Now()
	if err := m.recall(ctx, list, ended, now); err != nil {
		return err
	}
	var used []string
	defer func() {
		if err != nil { // the book runs ahead of the store
			for _, id := range used {
				m.book.forget(id)
			}
		}
	}()
	var fresh []warehouse.Alert
	var send []candidate
	for i := range list {
		c := &list[i]
		b := m.book.get(c.SessionID)
		if b == nil { // the store was not asked
			b = m.book.put(c.SessionID, nil)
			if !c.ours {
				defer m.book.forget(c.SessionID)
			}
		}
		used = append(used, c.SessionID)
		if k := b.byID[c.AlertID]; k != nil {
			if k.Withheld == "" && !k.Sent && !k.queued && !k.Superseded && now.Sub(k.At) <= m.o.MaxAge {
				// Somebody stored it and died.
				k.queued = true
				send = append(send, *c)
				m.metrics.recovered.Inc()
			}
			continue
		}
		if c.answered != "" {
			if k := b.byID[ID(c.SessionID, c.RuleID, c.answered)]; k != nil && k.Kind == warehouse.AlertWaiting {
				continue // it was told while the customer waited
			}
		}
		c.StoredAt = now.UTC()
		c.Withheld = m.withhold(b, c, now)
		c.Payload = string(m.payload(&c.Alert))
		fresh = append(fresh, c.Alert)
		b.add(&mark{queued: true, AlertMark: warehouse.AlertMark{AlertID: c.AlertID, Kind: c.Kind, RuleID: c.RuleID, HitID: c.HitID,
			EvidenceKey: c.EvidenceKey, At: c.At, Withheld: c.Withheld}})
		m.metrics.decided.WithLabelValues(c.Kind).Inc()
		if c.Withheld != "" {
			m.metrics.withheld.WithLabelValues(c.Withheld).Inc()
		} else {
			send = append(send, *c)
		}
	}
	if len(fresh) > 0 {
		if err := m.o.Store.StoreAlerts(ctx, fresh); err != nil {
			return err
		}
		for i := range send {
			m.metrics.stored.Observe(time.Since(send[i].arrived).Seconds())
		}
		failpoint.Hit(failpoint.AfterAlertStore)
	}
	if err := m.compare(ctx, ended, now, &used); err != nil {
		return err
	}
	m.pointing.Lock()
	for i := range send {
		if len(m.wanted) < maxWanted && send[i].SessionID != "" {
			m.wanted = append(m.wanted, send[i].SessionID)
		}
	}
	m.pointing.Unlock()
	for i := range send {
		m.send(&send[i])
	}
	m.book.bound()
	return nil
}

// recall reads the alerts of sessions that the book does not have and that others can have decided about. Those of sessions whose alerts are all too old to be
// sent are not needed: storing one again changes nothing.
func (m *Manager) recall(ctx context.Context, list []candidate, ended []closed, now time.Time) error {
	var ids []string
	ask := func(id string, ours bool) {
		if m.book.sessions[id] == nil && (!ours || m.book.forgot) && !slices.Contains(ids[max(0, len(ids)-8):], id) {
			ids = append(ids, id)
		}
	}
	for i := range list {
		if now.Sub(list[i].At) <= m.o.MaxAge {
			ask(list[i].SessionID, list[i].ours)
		}
	}
	for i := range ended {
		ask(ended[i].session, ended[i].ours)
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	stored, err := m.o.Store.AlertMarks(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m.book.put(id, stored[id])
	}
	return nil
}

// withhold says why an alert is not sent.
func (m *Manager) withhold(b *marks, c *candidate, now time.Time) string {
	if now.Sub(c.At) > m.o.MaxAge {
		return warehouse.WithheldTooOld
	}
	for _, k := range b.sent[c.RuleID] {
		if c.At.Sub(k.At).Abs() < m.o.Cooldown {
			return warehouse.WithheldCooldown
		}
	}
	return ""
}

// compare marks the alerts of ended sessions whose hit is not there, and takes the mark away where it is there again.
func (m *Manager) compare(ctx context.Context, ended []closed, now time.Time, used *[]string) error {
	var events []warehouse.AlertEvent
	for i := range ended {
		c := &ended[i]
		b := m.book.get(c.session)
		if b == nil {
			continue
		}
		*used = append(*used, c.session)
		for _, k := range b.byID {
			there := c.hits[k.HitID]
			switch k.Kind {
			case warehouse.AlertCorrelation:
				continue
			case warehouse.AlertWaiting:
				there = c.waits(k.RuleID, k.EvidenceKey)
			}
			if there != k.Superseded {
				continue
			}
			e := warehouse.AlertEvent{AlertID: k.AlertID, Event: warehouse.AlertSuperseded, Actor: m.o.Process, At: now.UTC()}
			if there {
				e.Event = warehouse.AlertRestored
			}
			k.Superseded = !there
			events = append(events, e)
			m.metrics.superseded.WithLabelValues(e.Event).Inc()
		}
	}
	if len(events) == 0 {
		return nil
	}
	return m.o.Store.AppendAlertEvents(ctx, events)
}

// send gives an alert to its targets, whose queues take it or do not: it never waits. What none takes is tried again later.
func (m *Manager) send(c *candidate) {
	if m.stopped.Load() {
		return
	}
	j := &job{alert: c.Alert, arrived: c.arrived, queued: time.Now(), m: m, left: 1}
	if j.alert.Payload == "" {
		j.alert.Payload = string(m.payload(&j.alert))
	}
	m.sending.Lock()
	known := m.inflight[j.alert.AlertID]
	m.inflight[j.alert.AlertID] = true
	m.sending.Unlock()
	if known {
		return
	}
	taken := false
	for _, l := range m.lanes {
		if (l.o.Wants == nil || l.o.Wants(&j.alert)) && l.offer(j) {
			taken = true
		}
	}
	if r, last := j.release(); last {
		if taken {
			select {
			case m.results <- r:
				return
			default: // it will be tried again, with the same id
			}
		}
		m.sending.Lock()
		delete(m.inflight, j.alert.AlertID)
		m.sending.Unlock()
	}
}

// result is what came of sending an alert so far.
type result struct {
	id     string
	sent   []string  // targets that took it
	at     time.Time // when the first did
	failed string    // why the last one that failed did; "" where none tried to the end
	last   bool      // nobody tries any more
}

// reporter stores what came of sending.
func (m *Manager) reporter(work context.Context) {
	for r := range m.results {
		group := []result{r}
		for more := true; more && len(group) < 1000; {
			select {
			case next, ok := <-m.results:
				if more = ok; ok {
					group = append(group, next)
				}
			default:
				more = false
			}
		}
		now := time.Now().UTC()
		var events []warehouse.AlertEvent
		for _, r := range group {
			e := warehouse.AlertEvent{AlertID: r.id, Event: warehouse.AlertSent, Actor: m.o.Process, At: r.at, Detail: strings.Join(r.sent, ",")}
			switch {
			case len(r.sent) > 0:
			case r.failed == "" || !r.last:
				continue
			default:
				e.Event, e.At, e.Detail = warehouse.AlertFailed, now, cut(r.failed, 500)
			}
			events = append(events, e)
		}
		for attempt := 0; len(events) > 0; attempt++ {
			err := m.o.Store.AppendAlertEvents(work, events)
			if err == nil {
				break
			}
			if work.Err() == nil {
				m.metrics.storeErrors.Inc()
				m.o.Log.Error("cannot note that alerts were sent, trying again", "alerts", len(group), "error", err, "attempt", attempt+1)
			}
			if pause(work, min(5*time.Second, storeAttempts<<min(attempt, 6))) != nil {
				break // they will be sent again
			}
		}
		m.sending.Lock()
		for _, r := range group {
			if r.last {
				delete(m.inflight, r.id)
			}
		}
		m.sending.Unlock()
	}
}

// Times of looking for alerts that nobody sent.
const (
	sweepEvery = 30 * time.Second
	leaseFor   = 2 * time.Minute
)

// sweeper sends what a process that died had stored, and what no target took a while ago.
func (m *Manager) sweeper(ctx context.Context) {
	if len(m.lanes) == 0 {
		return
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := m.once(ctx, "alerts-unsent", m.sweep); err != nil && ctx.Err() == nil {
			m.o.Log.Warn("cannot look for alerts that were not sent", "error", err)
		}
	}
}

func (m *Manager) sweep(ctx context.Context) error {
	now := time.Now()
	list, err := m.o.Store.UnsentAlerts(ctx, now.Add(-m.o.MaxAge), now.Add(-giveUp-sweepEvery), 500)
	if err != nil {
		return err
	}
	for i := range list {
		m.metrics.recovered.Inc()
		m.send(&candidate{Alert: list[i], arrived: now})
	}
	return nil
}

// once runs f where this process holds the lease of it.
func (m *Manager) once(ctx context.Context, name string, f func(context.Context) error) error {
	if m.o.Lease == nil {
		return f(ctx)
	}
	release, err := m.o.Lease(ctx, name, leaseFor)
	if err != nil || release == nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, leaseFor)
	defer cancel()
	return f(ctx)
}
