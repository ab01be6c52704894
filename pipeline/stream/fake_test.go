package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/schemas"
)

// memStore keeps what a ReplacingMergeTree would show: per session the row of the greatest version, of equal ones the
// latest. It is the reference that the tests compare; the store itself has tests of its own.
type memStore struct {
	mu          sync.Mutex
	states      map[string]*assemble.State
	analyses    map[string]*schemas.Analysis
	writtenAt   map[string]time.Time
	orders      map[string]Order
	ratings     map[string]Rating
	deadLetters map[string]DeadLetter
	lost        []LostRange
	writes      int // sessions written
	fault       func(call string) error
}

func newMemStore() *memStore {
	return &memStore{states: map[string]*assemble.State{}, analyses: map[string]*schemas.Analysis{}, writtenAt: map[string]time.Time{},
		orders: map[string]Order{}, ratings: map[string]Rating{}, deadLetters: map[string]DeadLetter{}}
}

func (s *memStore) failing(call string) error {
	if s.fault != nil {
		return s.fault(call)
	}
	return nil
}

func (s *memStore) StoredVersions(_ context.Context, ids []string) (map[string]StoredVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]StoredVersion{}
	for _, id := range ids {
		if st := s.states[id]; st != nil {
			out[id] = StoredVersion{Version: st.Version(), Seen: slices.Clone(st.Seen)}
		}
	}
	return out, s.failing("versions")
}

func (s *memStore) LoadStates(_ context.Context, ids []string) (map[string]*assemble.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]*assemble.State{}
	for _, id := range ids {
		if st := s.states[id]; st != nil {
			out[id] = st.Clone()
		}
	}
	return out, s.failing("load")
}

func (s *memStore) Write(_ context.Context, b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("before write"); err != nil {
		return err
	}
	for _, x := range b.Sessions {
		if x.Analysis == nil || x.Analysis.Version>>28 != x.State.Version() {
			return fmt.Errorf("session %s: analysis of version %d for a state of version %d", x.State.SessionID, x.Analysis.Version>>28, x.State.Version())
		}
		if old := s.analyses[x.State.SessionID]; old == nil || x.Analysis.Version >= old.Version {
			s.analyses[x.State.SessionID] = x.Analysis
		}
	}
	if err := s.failing("between inserts"); err != nil {
		return err
	}
	for _, x := range b.Sessions {
		id := x.State.SessionID
		s.writes++
		if old := s.states[id]; old == nil || x.State.Version() >= old.Version() {
			s.states[id] = x.State.Clone()
			s.writtenAt[id] = time.Now()
		}
	}
	for _, o := range b.Orders {
		if old, ok := s.orders[o.OrderID]; !ok || !o.UpdatedAt.Before(old.UpdatedAt) {
			s.orders[o.OrderID] = o
		}
	}
	for _, r := range b.Ratings {
		if old, ok := s.ratings[r.SessionID]; !ok || !r.At.Before(old.At) {
			s.ratings[r.SessionID] = r
		}
	}
	for _, d := range b.DeadLetters {
		s.deadLetters[fmt.Sprintf("%s/%d/%d", d.Topic, d.Partition, d.Offset)] = d
	}
	s.lost = append(s.lost, b.LostRanges...)
	return s.failing("after write")
}

func (s *memStore) OpenSessions(_ context.Context, topic string, partitions []int32, before time.Time, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, st := range s.states {
		if !st.Closed() && st.Origin.Topic == topic && slices.Contains(partitions, st.Origin.Partition) && s.writtenAt[id].Before(before) && len(out) < limit {
			out = append(out, id)
		}
	}
	return out, s.failing("open")
}

func (s *memStore) sessions() map[string]*assemble.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]*assemble.State{}
	for id, st := range s.states {
		out[id] = st.Clone()
	}
	return out
}

// plainAnalyser takes a transcript as it is, and panics on the words of a poisoned one.
type plainAnalyser struct{ poison string }

func (a plainAnalyser) Analyse(t *schemas.Transcript) *schemas.Analysis {
	for i := range t.Turns {
		if a.poison != "" && strings.Contains(t.Turns[i].Text, a.poison) {
			panic("poisoned")
		}
	}
	out := unanalysed(t)
	out.Coverage = t.Notes
	return out
}

var testHasher = assemble.NewHasher([]byte("a key of a test"))

func testMask(m *schemas.Message) {
	mask := func(s *string) { *s = testMaskText(*s) }
	switch {
	case m.Session != nil:
		mask(&m.Session.CustomerID)
		for i := range m.Session.Turns {
			mask(&m.Session.Turns[i].Text)
		}
	case m.Turn != nil:
		mask(&m.Turn.Text)
	case m.Order != nil:
		mask(&m.Order.CustomerID)
	}
}

func testMaskText(s string) string { return strings.ReplaceAll(s, "13800001111", "[电话x]") }

func testContext(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func testLog(t testing.TB) *slog.Logger {
	var out io.Writer = io.Discard
	if os.Getenv("TINGKE_TEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// cluster is the Kafka of one test: the embedded broker, or topics of its own on the servers of KAFKA_BROKERS.
type cluster struct {
	addr  string
	topic string // and the name of the group
}

func startBroker(t testing.TB, partitions int) *cluster {
	t.Helper()
	servers := os.Getenv("KAFKA_BROKERS")
	if servers == "" {
		b, err := broker.Start(testContext(t, 30*time.Second), broker.Options{Dir: t.TempDir(), Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return &cluster{b.Addr(), broker.TopicTranscripts}
	}
	c := &cluster{strings.Split(servers, ",")[0], fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	c.create(t, partitions)
	t.Cleanup(func() { c.delete(t) })
	return c
}

func (c *cluster) create(t testing.TB, partitions int) {
	t.Helper()
	eventually(t, "the topic is made", func() bool {
		resp, err := client(c).CreateTopics(testContext(t, 10*time.Second), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: c.topic, NumPartitions: partitions, ReplicationFactor: 1}}})
		return err == nil && resp.Errors[c.topic] == nil
	})
}

func (c *cluster) delete(t testing.TB) {
	t.Helper()
	eventually(t, "the topic is deleted", func() bool {
		resp, err := client(c).DeleteTopics(testContext(t, 10*time.Second), &kafka.DeleteTopicsRequest{Topics: []string{c.topic}})
		return err == nil && (resp.Errors[c.topic] == nil || errors.Is(resp.Errors[c.topic], kafka.UnknownTopicOrPartition))
	})
}

// testOptions are options with times that fit a test; nothing is idle and no open session is written early.
func testOptions(t testing.TB, c *cluster, store Store) Options {
	return Options{
		Kafka: KafkaConfig{Brokers: []string{c.addr}, Topic: c.topic, Group: c.topic}, Store: store, Analyser: plainAnalyser{}, Hasher: testHasher,
		Mask: testMask, MaskText: testMaskText,
		FlushEvery: 20 * time.Millisecond, EarlyWrite: time.Hour, Idle: time.Hour, PollEvery: 50 * time.Millisecond,
		RejoinDelay: 100 * time.Millisecond, SessionTimeout: 3 * time.Second, StopTimeout: 2 * time.Second, Log: testLog(t),
	}
}

// running is a worker with its Run.
type running struct {
	*Worker
	cancel context.CancelFunc
	done   chan error
}

func start(t testing.TB, o Options) *running {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{w, cancel, make(chan error, 1)}
	go func() { r.done <- w.Run(ctx) }()
	t.Cleanup(func() { r.cancel() })
	return r
}

func (r *running) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not stop")
	}
}

func (r *running) endInput(t testing.TB) Counts {
	t.Helper()
	c, err := r.EndInput(testContext(t, 60*time.Second))
	if err != nil {
		t.Fatalf("EndInput: %v (ready: %v)", err, r.Ready())
	}
	return c
}

// send produces lines as tingke send does; lines that do not decode get the key "bad".
func send(t testing.TB, c *cluster, lines ...string) {
	t.Helper()
	p, err := NewProducer(KafkaConfig{Brokers: []string{c.addr}}, c.topic, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var records []Record
	for _, l := range lines {
		key := "bad"
		if m, err := schemas.Decode([]byte(l)); err == nil {
			key = KeyOf(m)
		}
		records = append(records, Record{Key: []byte(key), Value: []byte(l)})
	}
	if err := p.Send(testContext(t, 30*time.Second), records...); err != nil {
		t.Fatal(err)
	}
}

// randomLines makes messages of n sessions: whole ones, live ones with and without end, repeated, corrected, with
// orders, ratings and meta data, in random order.
func randomLines(rng *rand.Rand, n int) []string {
	var lines []string
	at := func(s int) string { return fmt.Sprintf("2026-03-01T09:%02d:%02dZ", s/60%60, s%60) }
	for i := range n {
		id := fmt.Sprintf("s%d", i)
		turns := 1 + rng.IntN(8)
		live := rng.IntN(2) == 0
		var whole []string
		for j := range turns {
			role := []string{"customer", "agent"}[rng.IntN(2)]
			body := fmt.Sprintf(`"seq":%d,"role":%q,"text":"第%d句，电话13800001111","at":%q`, j+1, role, rng.IntN(100), at(j*7))
			if rng.IntN(10) == 0 {
				body = fmt.Sprintf(`"role":%q,"text":"无号%d","at":%q`, role, rng.IntN(5), at(j*7))
			}
			if live {
				lines = append(lines, fmt.Sprintf(`{"type":"turn","session_id":%q,%s}`, id, body))
				if rng.IntN(10) == 0 {
					lines = append(lines, fmt.Sprintf(`{"type":"turn","session_id":%q,"seq":%d,"role":"agent","text":"改","revision":1}`, id, j+1))
				}
			}
			whole = append(whole, "{"+body+"}")
		}
		switch {
		case !live:
			lines = append(lines, fmt.Sprintf(`{"type":"session","session_id":%q,"shop":"店","customer_id":"13800001111","turns":[%s]}`, id, strings.Join(whole, ",")))
			if rng.IntN(8) == 0 {
				lines = append(lines, fmt.Sprintf(`{"type":"session","session_id":%q,"revision":1,"turns":[%s]}`, id, whole[0]))
			}
		case rng.IntN(3) > 0:
			lines = append(lines, fmt.Sprintf(`{"type":"end","session_id":%q,"at":%q}`, id, at(turns*7)))
		}
		if live && rng.IntN(2) == 0 {
			lines = append(lines, fmt.Sprintf(`{"type":"session","session_id":%q,"shop":"直播店","turns":[]}`, id))
		}
		if rng.IntN(3) == 0 {
			lines = append(lines, fmt.Sprintf(`{"type":"order","order_id":"o%d","shop":"店","status":"paid","updated_at":%q,"customer_id":"c%d"}`, i, at(i), i%7))
		}
		if rng.IntN(3) == 0 {
			lines = append(lines, fmt.Sprintf(`{"type":"rating","session_id":%q,"score":%d,"max":5}`, id, 1+rng.IntN(5)))
		}
	}
	for range len(lines) / 5 { // sent twice
		lines = append(lines, lines[rng.IntN(len(lines))])
	}
	rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines
}

// want folds lines without any stream; every session is ended.
func want(t testing.TB, lines []string) (states map[string]*assemble.State, orders, ratings, bad int) {
	t.Helper()
	states = map[string]*assemble.State{}
	o, r, b := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, l := range lines {
		m, err := schemas.Decode([]byte(l))
		if err != nil {
			b[l] = true
			continue
		}
		if m.Order != nil {
			o[m.Order.OrderID] = true
		}
		if m.Rating != nil {
			r[m.Rating.SessionID] = true
		}
		s := assemble.FromMessage(testHasher, testMask, m)
		if s == nil {
			continue
		}
		if states[s.SessionID] == nil {
			states[s.SessionID] = &assemble.State{SessionID: s.SessionID}
		}
		states[s.SessionID].Add(s)
	}
	for id, s := range states {
		if !s.Closed() {
			s.Add(assemble.SyntheticEnd(id, s.Revision))
		}
	}
	return states, len(o), len(r), len(b)
}

// compare holds the store against the fold. The seen set and version may hold a synthetic end more, where a clock ended
// a session before its end came; the transcript must be the same.
func compare(t testing.TB, store *memStore, lines []string) {
	t.Helper()
	states, orders, ratings, bad := want(t, lines)
	got := store.sessions()
	if len(got) != len(states) {
		t.Errorf("%d sessions are stored, want %d", len(got), len(states))
	}
	for id, w := range states {
		g := got[id]
		if g == nil {
			t.Errorf("session %s is missing", id)
			continue
		}
		gt, wt := g.Transcript(), w.Transcript()
		gt.Version, gt.Origin, wt.Origin = wt.Version, schemas.Origin{}, schemas.Origin{}
		if !reflect.DeepEqual(gt, wt) {
			t.Errorf("session %s differs:\n got %+v\nwant %+v", id, gt, wt)
		}
		store.mu.Lock()
		a := store.analyses[id]
		store.mu.Unlock()
		if a.Version>>28 != g.Version() || a.Closed != g.Closed() || len(a.Turns) != len(g.Turns) {
			t.Errorf("session %s: the analysis is of version %d, the state %d", id, a.Version>>28, g.Version())
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.orders) != orders || len(store.ratings) != ratings {
		t.Errorf("%d orders and %d ratings are stored, want %d and %d", len(store.orders), len(store.ratings), orders, ratings)
	}
	sums := map[string]bool{}
	for _, d := range store.deadLetters {
		sums[d.SHA256] = true
	}
	if len(sums) != bad {
		t.Errorf("%d dead letters are stored, want %d", len(sums), bad)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

var errInjected = errors.New("injected failure")
