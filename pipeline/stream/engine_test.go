package stream

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/schemas"
)

// engineStore is the warehouse as a Store.
type engineStore struct{ *warehouse.Warehouse }

func (s engineStore) StoredVersions(ctx context.Context, ids []string) (map[string]StoredVersion, error) {
	stored, err := s.Warehouse.StoredVersions(ctx, ids)
	out := make(map[string]StoredVersion, len(stored))
	for id, v := range stored {
		out[id] = StoredVersion{Version: v.Version, Seen: v.Seen}
	}
	return out, err
}

func (s engineStore) UnacknowledgedLostRanges(ctx context.Context) (int, error) {
	lost, err := s.UnacknowledgedLost(ctx)
	return len(lost), err
}

func (s engineStore) Write(ctx context.Context, b Batch) error {
	var w warehouse.Batch
	for _, x := range b.Sessions {
		w.States = append(w.States, x.State)
		w.Analyses = append(w.Analyses, x.Analysis)
	}
	for _, o := range b.Orders {
		w.Orders = append(w.Orders, o.Order)
	}
	for _, r := range b.Ratings {
		w.Ratings = append(w.Ratings, r.Rating)
	}
	for _, d := range b.DeadLetters {
		w.DeadLetters = append(w.DeadLetters, warehouse.DeadLetter(d))
	}
	for _, l := range b.LostRanges {
		w.LostRanges = append(w.LostRanges, warehouse.LostRange(l))
	}
	return s.Warehouse.Write(ctx, w)
}

// TestEngine runs the worker against the real ClickHouse engine: what comes back from its tables is the fold of the
// messages, after workers came and went, sessions were written early and put out of memory.
func TestEngine(t *testing.T) {
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED, the worker is not tested against the real engine: %v", err)
	}
	ctx := testContext(t, 2*time.Minute)
	w, err := warehouse.Open(ctx, warehouse.Config{Dir: t.TempDir(), Logger: testLog(t), CodeVersion: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	store := engineStore{w}
	b := startBroker(t, 4)
	lines := append(randomLines(rand.New(rand.NewPCG(21, 12)), 200), "bad one", "bad two")
	o := testOptions(t, b, store)
	o.FlushEvery, o.EarlyWrite, o.Memory = 200*time.Millisecond, 500*time.Millisecond, 200<<10
	first := start(t, o)
	send(t, b, lines[:len(lines)/2]...)
	second := start(t, o)
	send(t, b, lines[len(lines)/2:]...)
	time.Sleep(300 * time.Millisecond)
	first.stop(t)
	endAll(t, []*running{second}, 4)
	second.stop(t)

	check := func() {
		t.Helper()
		states, orders, ratings, bad := want(t, lines)
		var ids []string
		for id := range states {
			ids = append(ids, id)
		}
		got, err := store.LoadStates(ctx, ids)
		if err != nil {
			t.Fatal(err)
		}
		for id, s := range states {
			if got[id] == nil {
				t.Fatalf("session %s is missing", id)
			}
			g, w := got[id].Transcript(), s.Transcript()
			g.Version, g.Origin, w.Origin = w.Version, schemas.Origin{}, schemas.Origin{}
			if !reflect.DeepEqual(g, w) {
				t.Fatalf("session %s differs:\n got %+v\nwant %+v", id, g, w)
			}
		}
		for sql, want := range map[string]int{
			"SELECT count() FROM sessions":                         len(states),
			"SELECT count() FROM sessions WHERE state = 'open'":    0,
			"SELECT count() FROM orders":                           orders,
			"SELECT count() FROM ratings":                          ratings,
			"SELECT uniqExact(sha256) FROM dead_letters":           bad,
			"SELECT toUInt64(sum(turns)) FROM sessions":            turnsOf(states),
			"SELECT count() FROM turns":                            turnsOf(states),
			"SELECT countIf(text LIKE '%13800001111%') FROM turns": 0,
		} {
			var n uint64
			if err := w.Conn().QueryRow(ctx, sql).Scan(&n); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			if int(n) != want {
				t.Errorf("%s gives %d, want %d", sql, n, want)
			}
		}
	}
	check()

	// Everything once more, through another group: nothing is written.
	o.Kafka.Group += ".again"
	o.EarlyWrite, o.Memory = time.Hour, 0
	again := start(t, o)
	if c := again.endInput(t); c.Written != 0 || c.Messages != int64(len(lines)) {
		t.Errorf("read again: %+v of %d lines", c, len(lines))
	}
	again.stop(t)
	check()
}

func turnsOf(states map[string]*assemble.State) int {
	n := 0
	for _, s := range states {
		n += len(s.Turns)
	}
	return n
}
