// Package alert tells people of a finding while the session still goes on.
//
// A Manager follows live sessions beside the stream worker (it is its stream.Watcher), evaluates the chosen rules on every
// contiguous prefix of a session, stores what it decides and then gives it to targets: webhooks, DingTalk, Kafka. A Hub
// follows the store and serves browsers, in any process. README.md of this folder says what is sent, when, and how a
// receiver checks it.
//
// What it guarantees: an alert is stored before it is sent, has the same id whoever decides it, and is sent at least once
// while it is younger than the age limit; what the live path misses (its queues are bounded) is decided when the session
// is written, before the analysis is. The stream never waits for a target.
//
// It must not import dashboards or the embedded engine.
package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Store is where alerts are kept; *warehouse.Warehouse is one. All methods are safe to repeat and for concurrent use.
type Store interface {
	LoadStates(ctx context.Context, sessionIDs []string) (map[string]*assemble.State, error)
	AlertMarks(ctx context.Context, sessionIDs []string) (map[string][]warehouse.AlertMark, error)
	StoreAlerts(ctx context.Context, alerts []warehouse.Alert) error
	AppendAlertEvents(ctx context.Context, events []warehouse.AlertEvent) error
	UnsentAlerts(ctx context.Context, since, before time.Time, limit int) ([]warehouse.Alert, error)
	AlertsByID(ctx context.Context, ids []string) ([]warehouse.Alert, error)
	CountHits(ctx context.Context, per string, rules []string, since time.Time, min int) ([]warehouse.HitCount, error)
}

// Options of a Manager. Zero durations take the defaults named.
type Options struct {
	Store Store
	// Analyser gives the analyser in use.
	Analyser func() *analyse.Analyser

	// MinSeverity is the least severity of rules that alert; Rules alert whatever theirs is, Mute never.
	MinSeverity string
	Rules, Mute []string
	Cooldown    time.Duration // 0 for none: after an alert, further ones of the rule in that session are stored, not sent, for so long in event time
	MaxAge      time.Duration // 15 min: older alerts are stored, not sent
	GapWait     time.Duration // 2 s: how long a missing seq is waited for
	// SessionURL and TakeoverURL are templates of links: {session_id} stands for the escaped id. "" leaves the link out.
	SessionURL, TakeoverURL string

	Targets      []Lane
	Correlations []Correlation
	// Lease takes the right to do what one process does at a time; the function given back is nil where another has it.
	// Nil: this process is alone.
	Lease func(ctx context.Context, name string, d time.Duration) (release func(), err error)

	// Process names this process in the trail of alerts.
	Process string
	Log     *slog.Logger // slog.Default() where nil
	// Registerer takes the metrics tingke_alert_*; nil for none.
	Registerer prometheus.Registerer
}

// Validate reports everything that is wrong, by the keys of tingke.yaml.
func (o *Options) Validate() error {
	var errs []error
	bad := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("alerts."+format, args...))
		}
	}
	bad(schemas.SeverityRank(o.MinSeverity) < 0 && o.MinSeverity != SeverityNone, "min_severity: %q is unknown, one of info, minor, major, critical, none", o.MinSeverity)
	bad(o.Cooldown < 0, "cooldown: must not be negative")
	bad(o.MaxAge < 0, "max_age: must be above 0")
	bad(o.GapWait < 0, "gap_wait: must be above 0")
	for key, u := range map[string]string{"session_url": o.SessionURL, "takeover_url": o.TakeoverURL} {
		p, err := url.Parse(strings.ReplaceAll(u, sessionHole, "x"))
		bad(u != "" && (err != nil || p.Scheme == ""), "%s: %q is no address", key, u)
		bad(u != "" && !strings.Contains(u, sessionHole), "%s: has no %s", key, sessionHole)
	}
	names := map[string]bool{}
	for _, l := range o.Targets {
		bad(l.Name == "", "targets: one has no name")
		bad(names[l.Name], "targets: two are named %q", l.Name)
		bad(strings.ContainsAny(l.Name, ", "), "targets: %q: a name has neither commas nor spaces", l.Name)
		bad(l.PerMinute == 1 || l.PerMinute < 0, "targets: %s: rate %d: at least 2, one of them is for digests; 0 for no limit", l.Name, l.PerMinute)
		names[l.Name] = true
	}
	ids := map[string]bool{}
	for _, c := range o.Correlations {
		bad(c.ID == "" || ids[c.ID], "correlations: every one needs an id of its own, %q is none", c.ID)
		bad(len(c.Rules) == 0, "correlations: %s: rules is empty", c.ID)
		bad(!slices.Contains([]string{"agent", "customer", "shop"}, c.Per), "correlations: %s: per: %q is unknown, one of agent, customer, shop", c.ID, c.Per)
		bad(c.Count < 1, "correlations: %s: count: must be at least 1", c.ID)
		bad(c.Within < time.Minute, "correlations: %s: within: must be at least 1m", c.ID)
		bad(schemas.SeverityRank(c.Severity) < 0, "correlations: %s: severity: %q is unknown, one of info, minor, major, critical", c.ID, c.Severity)
		ids[c.ID] = true
	}
	return errors.Join(errs...)
}

// SeverityNone as Options.MinSeverity lets only the named rules alert.
const SeverityNone = "none"

const sessionHole = "{session_id}"

// Bounds of what is held in memory.
const (
	queueEvents   = 8192    // messages not looked at yet
	maxLiveTurns  = 100_000 // turns of live sessions, about 1 KiB each
	maxLive       = 200_000 // live sessions
	maxBook       = 50_000  // sessions whose alerts are remembered
	maxMissed     = 10_000  // sessions of which a message was missed
	queueDecided  = 16      // groups of alerts not stored yet, each of at most as many messages as are joined at once
	queueResults  = 4096    // outcomes of sending not stored yet
	maxEvidence   = 200     // characters of the quoted turn
	storeAttempts = 100 * time.Millisecond
)

// Manager decides and sends alerts. It implements stream.Watcher. Run does the work; the other methods are safe for
// concurrent use.
type Manager struct {
	o       Options
	metrics *metrics
	chosen  atomic.Pointer[chosen]

	in      chan event
	loads   chan string
	decided chan []candidate
	results chan result
	resets  atomic.Int64
	since   atomic.Int64 // when the partitions of now were taken over, unix nanoseconds

	missing sync.Mutex
	missed  map[string]bool
	anyMiss atomic.Bool

	keeping sync.Mutex
	book    *book

	sending  sync.Mutex
	inflight map[string]bool
	stopped  atomic.Bool
	lanes    []*lane

	pointing sync.Mutex
	wanted   []string // sessions of alerts that people were told of, for Wanted
}

// maxWanted bounds the sessions that wait to be asked for by Wanted; the others are written as late as any.
const maxWanted = 10_000

// chosen are the rules that alert, of one analyser.
type chosen struct {
	analyser *analyse.Analyser
	choice   *rules.Choice // nil where its rules are of another kind
}

// New makes a Manager; it starts nothing.
func New(o Options) (*Manager, error) {
	if o.MinSeverity == "" {
		o.MinSeverity = schemas.Major
	}
	if o.Store == nil || o.Analyser == nil {
		return nil, errors.New("alert: a store and an analyser are needed")
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	defaultTo(&o.MaxAge, 15*time.Minute)
	defaultTo(&o.GapWait, 2*time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	m := &Manager{
		o: o, in: make(chan event, queueEvents), loads: make(chan string, 1024), decided: make(chan []candidate, queueDecided), results: make(chan result, queueResults),
		missed: map[string]bool{}, book: newBook(), inflight: map[string]bool{},
	}
	var err error
	if m.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, err
	}
	m.since.Store(time.Now().UnixNano())
	for _, t := range o.Targets {
		m.lanes = append(m.lanes, newLane(t, m))
	}
	return m, nil
}

func defaultTo[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// StopWithin is how long Run goes on after its context, to store and send what is decided.
const StopWithin = 3 * time.Second

// Run decides, stores and sends until ctx is done; then it gives what is on its way a moment. What is not sent by then is
// sent by whoever looks for it next.
func (m *Manager) Run(ctx context.Context) {
	work, cut := context.WithCancel(context.Background())
	defer cut()
	var deciding, storing, sending, reporting sync.WaitGroup
	deciding.Go(func() { newDecider(m).run(ctx) })
	deciding.Go(func() { m.loader(ctx) })
	deciding.Go(func() { m.sweeper(ctx) })
	deciding.Go(func() { m.correlator(ctx) })
	storing.Go(func() { m.keeper(work) })
	for _, l := range m.lanes {
		sending.Go(func() { l.run(work) })
	}
	reporting.Go(func() { m.reporter(work) })
	<-ctx.Done()
	time.AfterFunc(StopWithin, cut)
	deciding.Wait()
	close(m.decided)
	storing.Wait()
	m.keeping.Lock() // who stores now may still send; nobody does afterwards
	m.stopped.Store(true)
	m.keeping.Unlock()
	for _, l := range m.lanes {
		l.close()
	}
	sending.Wait()
	close(m.results)
	reporting.Wait()
}

// rules gives the rules that alert, of the analyser in use.
func (m *Manager) rules() *chosen {
	a := m.o.Analyser()
	if c := m.chosen.Load(); c != nil && c.analyser == a {
		return c
	}
	c := &chosen{analyser: a}
	if set, ok := a.Rules().(*rules.Set); ok {
		c.choice = set.Choose(m.wants)
	}
	m.chosen.Store(c)
	return c
}

func (m *Manager) wants(r rules.RuleInfo) bool {
	switch {
	case slices.Contains(m.o.Mute, r.ID):
		return false
	case slices.Contains(m.o.Rules, r.ID):
		return true
	}
	return m.o.MinSeverity != SeverityNone && schemas.SeverityRank(r.Severity) >= schemas.SeverityRank(m.o.MinSeverity)
}

// candidate is an alert that is not known to be new.
type candidate struct {
	warehouse.Alert
	// ours says that the session began here: nobody else can have decided anything about it.
	ours bool
	// answered is, of a hit about a late reply, the key of the customer's turn that waited for it.
	answered string
	arrived  time.Time // of the message that brought it
}

// foreign is how far the clocks of those who send turns may be ahead of this one.
const foreign = time.Minute

// ours says whether all of a session happened since this process has its partition: what is stored of its alerts, this
// process has stored.
func (m *Manager) ours(turns []assemble.Turn) bool {
	since := time.Unix(0, m.since.Load()).Add(foreign)
	for i := range turns {
		if !turns[i].At.After(since) {
			return false
		}
	}
	return len(turns) > 0
}

// ID is the identity of an alert: 16 hex digits of a hash over session, rule and the key of the first turn it rests on
// ("s" and its seq), "" for a finding of absence.
func ID(sessionID, ruleID, turnKey string) string {
	return analyse.ID("alert", sessionID, ruleID, turnKey)
}

// draft fills in what an alert says of its session.
func draft(meta *schemas.Meta, sessionAgent string, h *schemas.Hit, rule rules.RuleInfo) warehouse.Alert {
	a := warehouse.Alert{
		Kind: warehouse.AlertHit, SessionID: meta.SessionID, RuleID: h.RuleID, RuleVersion: h.RuleVersion, Severity: h.Severity, Title: rule.Name, Reason: h.Reason, HitID: h.HitID,
		Channel: meta.Channel, Shop: meta.Shop, Team: meta.Team, AgentID: h.AgentID, SessionAgent: cmp.Or(meta.AgentID, sessionAgent, h.AgentID), CustomerID: meta.CustomerID,
	}
	for _, e := range h.Evidence {
		if n := len(a.EvidenceSeqs); n == 0 || a.EvidenceSeqs[n-1] != e.Turn {
			a.EvidenceSeqs = append(a.EvidenceSeqs, e.Turn)
		}
	}
	return a
}

// rest says on which turn an alert rests and when it happened.
func rest(a *warehouse.Alert, turn *schemas.TranscriptTurn, otherwise time.Time) {
	a.At = otherwise
	if turn != nil {
		a.EvidenceKey = string(turn.Key)
		a.Evidence = cut(turn.Text, maxEvidence)
		if !turn.At.IsZero() {
			a.At = turn.At
		}
	}
	a.AlertID = ID(a.SessionID, a.RuleID, a.EvidenceKey)
}

// cut keeps the first n characters.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}
