package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// memStore keeps alerts in memory, by the rules of the tables: a row is written once, events are appended.
type memStore struct {
	mu      sync.Mutex
	rows    map[string]warehouse.Alert
	written int // rows inserted, repeated ones too
	asked   int // calls of AlertMarks
	events  []warehouse.AlertEvent
	by      map[string][]string // alerts of a session
	states  map[string]*assemble.State
	counts  []warehouse.HitCount
	fail    error
	hang    chan struct{}
}

func newMemStore() *memStore {
	return &memStore{rows: map[string]warehouse.Alert{}, states: map[string]*assemble.State{}, by: map[string][]string{}}
}

func (s *memStore) enter() error {
	if s.hang != nil {
		<-s.hang
	}
	s.mu.Lock()
	return s.fail
}

func (s *memStore) LoadStates(_ context.Context, ids []string) (map[string]*assemble.State, error) {
	err := s.enter()
	defer s.mu.Unlock()
	out := map[string]*assemble.State{}
	for _, id := range ids {
		if st := s.states[id]; st != nil {
			out[id] = st.Clone()
		}
	}
	return out, err
}

func (s *memStore) has(id string, events ...string) (last time.Time, ok bool) {
	for _, e := range s.events {
		if e.AlertID == id && slices.Contains(events, e.Event) {
			last, ok = e.At, true
		}
	}
	return last, ok
}

func (s *memStore) superseded(id string) bool {
	out := false
	for _, e := range s.events {
		if e.AlertID == id && (e.Event == warehouse.AlertSuperseded || e.Event == warehouse.AlertRestored) {
			out = e.Event == warehouse.AlertSuperseded
		}
	}
	return out
}

func (s *memStore) AlertMarks(_ context.Context, ids []string) (map[string][]warehouse.AlertMark, error) {
	err := s.enter()
	defer s.mu.Unlock()
	s.asked++
	out := map[string][]warehouse.AlertMark{}
	for _, id := range ids {
		for _, alertID := range s.by[id] {
			a := s.rows[alertID]
			_, sent := s.has(a.AlertID, warehouse.AlertSent)
			out[a.SessionID] = append(out[a.SessionID], warehouse.AlertMark{AlertID: a.AlertID, Kind: a.Kind, RuleID: a.RuleID, HitID: a.HitID, EvidenceKey: a.EvidenceKey,
				At: a.At, Withheld: a.Withheld, Sent: sent, Superseded: s.superseded(a.AlertID)})
		}
	}
	return out, err
}

func (s *memStore) StoreAlerts(_ context.Context, alerts []warehouse.Alert) error {
	if err := s.enter(); err != nil {
		s.mu.Unlock()
		return err
	}
	defer s.mu.Unlock()
	for _, a := range alerts {
		if _, known := s.rows[a.AlertID]; !known {
			s.by[a.SessionID] = append(s.by[a.SessionID], a.AlertID)
		}
		s.rows[a.AlertID] = a
		s.written++
	}
	return nil
}

func (s *memStore) AppendAlertEvents(_ context.Context, events []warehouse.AlertEvent) error {
	err := s.enter()
	defer s.mu.Unlock()
	if err == nil {
		s.events = append(s.events, events...)
	}
	return err
}

func (s *memStore) UnsentAlerts(_ context.Context, since, before time.Time, limit int) ([]warehouse.Alert, error) {
	err := s.enter()
	defer s.mu.Unlock()
	var out []warehouse.Alert
	for _, a := range s.rows {
		_, done := s.has(a.AlertID, warehouse.AlertSent, warehouse.AlertSuperseded, warehouse.AlertAcknowledged)
		failed, tried := s.has(a.AlertID, warehouse.AlertFailed)
		if a.Withheld == "" && a.At.After(since) && a.StoredAt.Before(before) && !done && !(tried && !failed.Before(before)) && len(out) < limit {
			out = append(out, a)
		}
	}
	return out, err
}

func (s *memStore) AlertsByID(_ context.Context, ids []string) ([]warehouse.Alert, error) {
	err := s.enter()
	defer s.mu.Unlock()
	var out []warehouse.Alert
	for _, id := range ids {
		if a, ok := s.rows[id]; ok {
			out = append(out, a)
		}
	}
	return out, err
}

func (s *memStore) CountHits(context.Context, string, []string, time.Time, int) ([]warehouse.HitCount, error) {
	err := s.enter()
	defer s.mu.Unlock()
	return s.counts, err
}

// state is what the view says of an alert.
func (s *memStore) state(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.superseded(id):
		return "superseded"
	}
	if _, ok := s.has(id, warehouse.AlertSent); ok {
		return "sent"
	}
	if _, ok := s.has(id, warehouse.AlertFailed); ok {
		return "failed"
	}
	return "stored"
}

// all gives the rows by id.
func (s *memStore) all() []warehouse.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []warehouse.Alert
	for _, a := range s.rows {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].AlertID < out[j].AlertID })
	return out
}

// features are those of the literal text.
type features struct{}

func (features) ModelVersion() string { return "test" }

func (features) Features(t *schemas.Transcript) *schemas.Features {
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns))}
	live := features{}.Live(t.Meta)
	for i := range t.Turns {
		f.Turns[i] = live(&t.Turns[i])
	}
	return f
}

func (features) Live(schemas.Meta) func(*schemas.TranscriptTurn) schemas.TurnFeatures {
	return func(t *schemas.TranscriptTurn) schemas.TurnFeatures {
		f := schemas.TurnFeatures{Norm: schemas.NormText{Text: t.Text}, Emotion: schemas.Neutral, PolarityClass: schemas.NeutralPolarity}
		f.Scores[schemas.Neutral] = 1
		return f
	}
}

// testPack: a forbidden word, a promise to be kept within two turns, a late reply, each word anew, an absence; the last is
// too light to alert.
const testPack = `id: live
version: "1"
rules:
  - {id: rude, name: 禁用语, severity: critical, points: -20, reason: "{text}", forbid: {in: {role: agent}, keyword: [滚]}}
  - {id: sorry, name: 未致歉, severity: major, points: -5, reason: x, trigger: {in: {role: customer}, keyword: [投诉]}, expect: {in: {role: agent, after: 2}, keyword: [抱歉]}}
  - {id: slow, name: 回复慢, severity: major, points: -5, reason: x, forbid: {response_time: {over: 30s}}}
  - {id: each, name: 每次, severity: major, points: -1, cap: -3, count: each, reason: x, forbid: {in: {role: agent}, keyword: [催]}}
  - {id: bye, name: 未道别, severity: major, points: -1, reason: x, expect: {in: {role: agent}, keyword: [再见]}}
  - {id: light, name: 轻微, severity: minor, points: -1, reason: x, forbid: {in: {role: agent}, keyword: [哦]}}
`

func testAnalyser(t testing.TB) *analyse.Analyser {
	t.Helper()
	set, err := rules.Load(rules.Text("live.yaml", []byte(testPack)))
	if err != nil {
		t.Fatal(err)
	}
	return analyse.New(features{}, set, nil)
}

var testHasher = assemble.NewHasher([]byte("key of the tests of alerts"))

// message makes the state of one line.
func message(t testing.TB, line string) *assemble.State {
	t.Helper()
	m, err := schemas.Decode([]byte(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return assemble.FromMessage(testHasher, nil, m)
}

func turn(id string, seq int, role, text string, at time.Time) string {
	return fmt.Sprintf(`{"type":"turn","session_id":%q,"seq":%d,"role":%q,"text":%q,"at":%q}`, id, seq, role, text, at.UTC().Format(time.RFC3339Nano))
}

func end(id string, at time.Time) string {
	return fmt.Sprintf(`{"type":"end","session_id":%q,"at":%q}`, id, at.UTC().Format(time.RFC3339Nano))
}

// collector is a target that keeps what it gets.
type collector struct {
	mu    sync.Mutex
	got   []Delivery
	at    []time.Time
	fail  error
	block bool
}

func (c *collector) Send(ctx context.Context, d Delivery) error {
	if c.block {
		<-ctx.Done()
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.got = append(c.got, d)
	c.at = append(c.at, time.Now())
	return nil
}

func (c *collector) list() []Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

var errTest = errors.New("it fails")

// running is a Manager with its Run.
type running struct {
	*Manager
	t    testing.TB
	stop func()
}

func start(t testing.TB, o Options) *running {
	t.Helper()
	if o.Analyser == nil {
		a := testAnalyser(t)
		o.Analyser = func() *analyse.Analyser { return a }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	var once sync.Once
	return &running{m, t, func() {
		once.Do(func() {
			cancel()
			<-done
		})
	}}
}

func (r *running) send(lines ...string) {
	r.t.Helper()
	for _, l := range lines {
		r.Arrived(message(r.t, l))
	}
}

// write does what the worker does with the session: it joins the lines, analyses, tells the manager.
func (r *running) write(whole bool, lines ...string) error {
	r.t.Helper()
	var s *assemble.State
	for _, l := range lines {
		if one := message(r.t, l); s == nil {
			s = one
		} else {
			s.Add(one)
		}
	}
	a := r.o.Analyser().Analyse(s.Transcript())
	return r.Analysed(context.Background(), []stream.Watched{{Analysed: stream.Analysed{State: s, Analysis: a}, Whole: whole}})
}

// rulesOf lists what is stored as rule:seq, sorted; withheld ones in brackets.
func rulesOf(s *memStore) []string {
	var out []string
	for _, a := range s.all() {
		name := a.RuleID + ":" + a.EvidenceKey
		if a.Kind == warehouse.AlertWaiting {
			name = "waiting " + name
		}
		if a.Withheld != "" {
			name = "(" + name + " " + a.Withheld + ")"
		}
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func wantRules(t testing.TB, s *memStore, want ...string) {
	t.Helper()
	sort.Strings(want)
	if got := rulesOf(s); !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
}
