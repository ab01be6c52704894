package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// TestShufflesRepetitionsSplits: whatever the order, however often, over however many workers, what is stored is the
// fold of the messages.
func TestShufflesRepetitionsSplits(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			t.Parallel()
			b := startBroker(t, 4)
			store := newMemStore()
			rng := rand.New(rand.NewPCG(uint64(workers), 3))
			lines := randomLines(rng, 300)
			lines = append(lines, "{broken", `{"type":"turn","session_id":"x"}`, `{"type":"nonsense"}`)
			var ws []*running
			for range workers {
				ws = append(ws, start(t, testOptions(t, b, store)))
			}
			for i := 0; i < len(lines); i += 97 {
				send(t, b, lines[i:min(i+97, len(lines))]...)
			}
			endAll(t, ws, 4)
			compare(t, store, lines)
			for _, w := range ws {
				w.stop(t)
			}

			// The same again through another group: nothing is new, nothing is written.
			store.mu.Lock()
			writes := store.writes
			store.mu.Unlock()
			o := testOptions(t, b, store)
			o.Kafka.Group += ".again"
			w := start(t, o)
			c := w.endInput(t)
			w.stop(t)
			if c.Written != 0 || store.writes != writes {
				t.Errorf("read again: %d sessions written, %d writes", c.Written, store.writes-writes)
			}
			if c.Messages != int64(len(lines)) || c.DeadLetters != 3 {
				t.Errorf("read again: %+v of %d lines", c, len(lines))
			}
			compare(t, store, lines)
		})
	}
}

// endAll ends the input once the workers hold all partitions between them.
func endAll(t testing.TB, ws []*running, partitions int) {
	t.Helper()
	eventually(t, "all partitions are assigned", func() bool {
		n := 0
		for _, w := range ws {
			n += len(w.Partitions())
		}
		return n == partitions
	})
	var wg sync.WaitGroup
	for _, w := range ws {
		wg.Go(func() {
			if _, err := w.EndInput(testContext(t, 60*time.Second)); err != nil {
				t.Errorf("EndInput: %v (ready: %v)", err, w.Ready())
			}
		})
	}
	wg.Wait()
}

// TestRebalancesAndRestarts: workers come and go in the middle of sessions.
func TestRebalancesAndRestarts(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 4)
	store := newMemStore()
	rng := rand.New(rand.NewPCG(9, 9))
	lines := randomLines(rng, 400)
	o := testOptions(t, b, store)
	ws := []*running{start(t, o)}
	for i := 0; i < len(lines); i += 150 {
		send(t, b, lines[i:min(i+150, len(lines))]...)
		time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
		switch rng.IntN(3) {
		case 0:
			ws = append(ws, start(t, o))
		case 1:
			i := rng.IntN(len(ws))
			ws[i].stop(t)
			ws = append(ws[:i], ws[i+1:]...)
			if len(ws) == 0 {
				ws = append(ws, start(t, o))
			}
		}
	}
	endAll(t, ws, 4)
	compare(t, store, lines)
}

// TestDyingWorkers: a worker whose last flush is cut off commits nothing of it; a store that fails at any place makes
// the worker repeat, not lose.
func TestDyingWorkers(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 2)
	store := newMemStore()
	rng := rand.New(rand.NewPCG(4, 2))
	lines := append(randomLines(rng, 300), "not json", "[]")
	var mu sync.Mutex
	failing := 0.0
	store.fault = func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if rng.Float64() < failing {
			return errInjected
		}
		return nil
	}
	setFailing := func(p float64) { mu.Lock(); failing = p; mu.Unlock() }
	for i := 0; i < len(lines); i += 200 {
		send(t, b, lines[i:min(i+200, len(lines))]...)
		o := testOptions(t, b, store)
		o.StopTimeout = 20 * time.Millisecond
		o.EarlyWrite = 50 * time.Millisecond
		setFailing(0.6)
		w := start(t, o)
		time.Sleep(200 * time.Millisecond)
		setFailing(1) // nothing of the last flush gets through
		w.stop(t)
	}
	setFailing(0.3)
	w := start(t, testOptions(t, b, store))
	w.endInput(t)
	w.stop(t)
	compare(t, store, lines)
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	long := `{"type":"turn","session_id":"s","text":"13800001111` + strings.Repeat("好", 4000) + `"}`
	send(t, b, `{"type":"end","session_id":"s"}`, "{broken 13800001111", long)
	w := start(t, testOptions(t, b, store))
	c := w.endInput(t)
	w.stop(t)
	if c.DeadLetters != 2 || c.Messages != 3 || len(store.deadLetters) != 2 {
		t.Fatalf("counts %+v, %d rows", c, len(store.deadLetters))
	}
	row := store.deadLetters[b.topic+"/0/1"]
	if row.RawMasked != "{broken [电话x]" || row.Error == "" || len(row.SHA256) != 64 || row.At.IsZero() {
		t.Errorf("row %+v", row)
	}
	row = store.deadLetters[b.topic+"/0/2"]
	if len(row.RawMasked) > 4096 || len(row.RawMasked) < 4090 || !strings.Contains(row.RawMasked, "[电话x]") || !strings.Contains(row.Error, "role") {
		t.Errorf("row of a long message: %d bytes, error %q", len(row.RawMasked), row.Error)
	}
	got := readTopic(t, b, b.topic+".dead", 2)
	if string(got[0].Value) != "{broken 13800001111" || string(got[1].Value) != long {
		t.Errorf("the topic has %d and %d bytes", len(got[0].Value), len(got[1].Value))
	}
	headers := map[string]string{}
	for _, h := range got[1].Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers[HeaderTopic] != b.topic || headers[HeaderPartition] != "0" || headers[HeaderOffset] != "2" || headers[HeaderError] != row.Error {
		t.Errorf("headers %v", headers)
	}
}

func TestTooManyDeadLetters(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	var lines []string
	for i := range 999 {
		lines = append(lines, fmt.Sprint("bad ", i))
	}
	send(t, b, lines...)
	w := start(t, testOptions(t, b, store))
	if c := w.endInput(t); c.DeadLetters != 999 {
		t.Fatalf("counts %+v", c)
	}
	if err := w.Healthy(); err != nil {
		t.Fatalf("999 bad messages stop the worker: %v", err)
	}
	send(t, b, "bad again")
	select {
	case err := <-w.done:
		if !errors.Is(err, ErrTooManyDeadLetters) {
			t.Fatalf("the worker ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the worker goes on after 1,000 bad messages of 1,000")
	}
	if w.Healthy() == nil || w.Ready() == nil {
		t.Error("a stopped worker is healthy or ready")
	}
	if len(store.deadLetters) != 1000 {
		t.Errorf("%d dead letters are stored", len(store.deadLetters))
	}
	if _, err := w.EndInput(testContext(t, time.Second)); err == nil {
		t.Error("EndInput of a stopped worker says nothing")
	}
	// Half bad is not more than half.
	o := testOptions(t, b, store)
	d := newDeadLetters(&Worker{o: o})
	d.w.o.setDefaults()
	for i := range 5000 {
		if err := d.note(i%2 == 0); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

func turnLine(id string, seq int) string {
	return fmt.Sprintf(`{"type":"turn","session_id":%q,"seq":%d,"role":"customer","text":"第%d句"}`, id, seq, seq)
}

func TestEarlyWriteMovesTheOffset(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	o.EarlyWrite = 100 * time.Millisecond
	w := start(t, o)
	send(t, b, turnLine("s", 1), turnLine("s", 2))
	eventually(t, "the open session is written", func() bool {
		s := store.sessions()["s"]
		return s != nil && len(s.Turns) == 2 && !s.Closed()
	})
	eventually(t, "the offset moves", func() bool { return committed(t, b) == 2 })
	send(t, b, turnLine("s", 3))
	eventually(t, "the next turn joins what is in memory", func() bool { return len(store.sessions()["s"].Turns) == 3 })
	send(t, b, `{"type":"end","session_id":"s"}`)
	eventually(t, "the session closes", func() bool { return store.sessions()["s"].Closed() })
	w.stop(t)
	compare(t, store, []string{turnLine("s", 1), turnLine("s", 2), turnLine("s", 3), `{"type":"end","session_id":"s"}`})
}

// wanting is a watcher that wants what it is given.
type wanting struct {
	noWatcher
	ids chan string
}

func (w *wanting) Wanted() []string {
	select {
	case id := <-w.ids:
		return []string{id}
	default:
		return nil
	}
}

func TestWantedSessionsAreWrittenAtOnce(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	o.EarlyWrite = time.Hour
	watcher := &wanting{ids: make(chan string, 1)}
	o.Watcher = watcher
	w := start(t, o)
	watcher.ids <- "s" // before its first message is read
	send(t, b, turnLine("other", 1), turnLine("s", 1))
	eventually(t, "the wanted session is written", func() bool { return store.sessions()["s"] != nil })
	send(t, b, turnLine("s", 2))
	eventually(t, "so is what comes later", func() bool { s := store.sessions()["s"]; return len(s.Turns) == 2 && !s.Closed() })
	if s := store.sessions()["other"]; s != nil {
		t.Errorf("a session that nobody wants is written after %d turns", len(s.Turns))
	}
	ends := []string{`{"type":"end","session_id":"s"}`, `{"type":"end","session_id":"other"}`}
	send(t, b, ends...)
	eventually(t, "both end", func() bool { s := store.sessions(); return s["s"].Closed() && s["other"] != nil && s["other"].Closed() })
	w.stop(t)
	compare(t, store, append(ends, turnLine("s", 1), turnLine("s", 2), turnLine("other", 1)))
}

func TestIdleSessionsEnd(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 2)
	store := newMemStore()
	o := testOptions(t, b, store)
	o.EarlyWrite = 50 * time.Millisecond
	w := start(t, o)
	send(t, b, turnLine("gone", 1))
	eventually(t, "the open session is written", func() bool { return store.sessions()["gone"] != nil })
	w.stop(t) // nobody holds it in memory any more

	o.Idle = 300 * time.Millisecond
	o.EarlyWrite = time.Hour
	w = start(t, o)
	send(t, b, turnLine("idle", 1))
	eventually(t, "both sessions end", func() bool {
		s := store.sessions()
		return s["gone"].Closed() && s["idle"] != nil && s["idle"].Closed()
	})
	eventually(t, "both are counted", func() bool { return w.Counts().Ended == 2 })
	// A late turn of a session that has ended is written without waiting for an end.
	send(t, b, turnLine("idle", 2))
	eventually(t, "the late turn is written", func() bool { return len(store.sessions()["idle"].Turns) == 2 })
	w.stop(t)
	compare(t, store, []string{turnLine("gone", 1), turnLine("idle", 1), turnLine("idle", 2)})
}

// TestEvictionChangesNothing: with room for a handful of sessions the result is the same.
func TestEvictionChangesNothing(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 3)
	store := newMemStore()
	rng := rand.New(rand.NewPCG(5, 5))
	lines := randomLines(rng, 300)
	o := testOptions(t, b, store)
	o.Memory = 20 << 10
	w := start(t, o)
	send(t, b, lines...)
	w.endInput(t)
	w.stop(t)
	compare(t, store, lines)
	if c := w.Counts(); c.Written <= 300 {
		t.Errorf("nothing was put out of memory: %+v", c)
	}
}

func TestPoisonedSession(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	o.Analyser = plainAnalyser{poison: "毒"}
	w := start(t, o)
	send(t, b, `{"type":"session","session_id":"p","turns":[{"role":"customer","text":"毒"}]}`,
		`{"type":"session","session_id":"q","turns":[{"role":"customer","text":"好"}]}`)
	c := w.endInput(t)
	w.stop(t)
	if c.Panics != 1 || c.Written != 2 {
		t.Errorf("counts %+v", c)
	}
	notes := store.analyses["p"].Coverage
	if len(notes) == 0 || notes[0] != (schemas.CoverageNote{What: "analysis", Why: WhyPanic}) {
		t.Errorf("coverage %v", notes)
	}
	if len(store.analyses["q"].Coverage) != 0 {
		t.Errorf("coverage of the sound session %v", store.analyses["q"].Coverage)
	}
}

// TestStandby: of two workers on one partition the second waits, and takes over.
func TestStandby(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	o := testOptions(t, b, store)
	first := start(t, o)
	eventually(t, "the first worker reads", func() bool { return len(first.Partitions()) == 1 })
	second := start(t, o)
	eventually(t, "the second worker joins", func() bool { return second.Ready() == nil })
	idle, busy := second, first
	if len(second.Partitions()) == 1 {
		idle, busy = first, second
	}
	time.Sleep(500 * time.Millisecond) // long enough to leave the group for nothing
	if n := len(idle.Partitions()); n != 0 {
		t.Fatalf("the standby has %d partitions", n)
	}
	if c := idle.endInput(t); c != (Counts{}) {
		t.Errorf("the standby has done %+v", c)
	}
	send(t, b, turnLine("s", 1))
	eventually(t, "the turn is read", func() bool { return busy.Counts().Turns == 1 })
	busy.stop(t)
	eventually(t, "the standby takes over", func() bool { return len(idle.Partitions()) == 1 })
	idle.endInput(t)
	compare(t, store, []string{turnLine("s", 1)})
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	b := startBroker(t, 1)
	store := newMemStore()
	var mu sync.Mutex
	down := true
	store.fault = func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return errInjected
		}
		return nil
	}
	w, err := New(testOptions(t, b, store))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Ready(); err == nil || w.Healthy() != nil {
		t.Errorf("before Run: ready %v, healthy %v", err, w.Healthy())
	}
	r := start(t, testOptions(t, b, store))
	eventually(t, "it is ready", func() bool { return r.Ready() == nil })
	send(t, b, `{"type":"session","session_id":"q","turns":[{"role":"customer","text":"好"}]}`)
	eventually(t, "a failing store shows", func() bool { return r.Ready() != nil && strings.Contains(r.Ready().Error(), "injected") })
	if err := r.Healthy(); err != nil {
		t.Errorf("a failing store is ill health: %v", err)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	eventually(t, "it is ready again", func() bool { return r.Ready() == nil })
	eventually(t, "nothing was lost", func() bool { return store.sessions()["q"] != nil })
	r.stop(t)
}
