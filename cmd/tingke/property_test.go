package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// TestViewsDoNotDependOnTheRoute: the same messages in another order, repeated, split over restarts of the worker, or
// through two workers at once leave the public views as one worker and one pass in order leave them. The messages are
// the samples' sessions whose turns all carry seq, with orders, ratings and bad lines.
func TestViewsDoNotDependOnTheRoute(t *testing.T) {
	worlds := 5
	if testing.Short() {
		worlds = 2 // one of them with two workers
	}
	p := newRoutes(t)
	want := p.travel(t, route{records: p.records, workers: 1, restarts: 0})
	if len(want["sessions"]) < 80 || len(want["hits"]) < 100 || len(want["dead_letters"]) != 5 || len(want["orders"]) < 40 {
		t.Fatalf("the control run has %d sessions, %d hits, %d dead letters, %d orders: too few to prove anything",
			len(want["sessions"]), len(want["hits"]), len(want["dead_letters"]), len(want["orders"]))
	}
	seed := uint64(time.Now().UnixNano())
	for world := range worlds {
		rng := rand.New(rand.NewPCG(seed, uint64(world)))
		r := route{workers: 1 + world%2, restarts: rng.IntN(3)}
		for _, rec := range p.records {
			for range 1 + rng.IntN(3)*rng.IntN(2) {
				r.records = append(r.records, rec)
			}
		}
		rng.Shuffle(len(r.records), func(a, b int) { r.records[a], r.records[b] = r.records[b], r.records[a] })
		got := p.travel(t, r)
		if diff := want.Diff(got); diff != "" {
			t.Fatalf("seed %d world %d (%d messages, %d workers, %d restarts): the views differ from those of one pass in order\n%s",
				seed, world, len(r.records), r.workers, r.restarts, diff)
		}
	}
}

// route is how messages come to the store.
type route struct {
	records  []stream.Record
	workers  int
	restarts int
}

// routes is what all routes share: the messages and one store that is emptied between them.
type routes struct {
	records []stream.Record
	store   *store
	app     *app
	rules   stream.Analyser
	key     []byte
}

func newRoutes(t *testing.T) *routes {
	t.Helper()
	p := &routes{key: []byte("the key of the property test"), app: testApp(t)}
	ctx := context.Background()
	var err error
	if p.store, err = p.app.openStore(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if p.rules, err = p.app.newAnalyser(nil); err != nil {
		t.Fatal(err)
	}
	sessions := newSessionSet(p.key, nil)
	type sent struct {
		id  string
		rec stream.Record
	}
	var all []sent
	err = eachLine(ctx, []string{filepath.Join("..", "..", "testdata", "transcripts")}, intake.Options{}, func(l *line) error {
		s := sent{rec: stream.Record{Value: bytes.Clone(l.raw)}}
		if l.msg != nil {
			s.rec.Key = []byte(stream.KeyOf(l.msg))
			if l.msg.Order == nil && l.msg.Rating == nil {
				s.id = stream.KeyOf(l.msg)
				sessions.add(l.msg)
			}
		} else {
			// Without a key the producer would spread bad lines differently; their topic and partition do not count.
			s.rec.Key = []byte("bad")
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	numbered := func(id string) bool {
		for _, turn := range sessions.states[id].Turns {
			if !turn.Seq.OK {
				return false
			}
		}
		return true
	}
	for _, s := range all {
		if s.id == "" || numbered(s.id) {
			p.records = append(p.records, s.rec)
		}
	}
	return p
}

// travel empties the store, sends the messages of a route through a broker of its own and gives the views.
func (p *routes) travel(t *testing.T, r route) warehouse.Tables {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for _, table := range []string{"transcripts", "analyses", "order_rows", "rating_rows", "dead_letter_rows", "lost_range_rows"} {
		if err := p.store.Conn().Exec(ctx, "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	b, err := broker.Start(ctx, broker.Options{Dir: t.TempDir(), Partitions: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	kafka := stream.KafkaConfig{Brokers: []string{b.Addr()}}
	producer, err := stream.NewProducer(kafka, "", p.app.log)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	part := (len(r.records) + r.restarts) / (r.restarts + 1)
	for from := 0; from < len(r.records); from += part {
		p.work(ctx, t, kafka, r.workers, func() {
			if err := producer.Send(ctx, r.records[from:min(from+part, len(r.records))]...); err != nil {
				t.Fatal(err)
			}
		}, from+part >= len(r.records))
	}
	tables, err := p.store.Snapshot(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// work runs workers while send sends; the last time the input ends, before it they are only stopped.
func (p *routes) work(ctx context.Context, t *testing.T, kafka stream.KafkaConfig, n int, send func(), last bool) {
	t.Helper()
	run, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	workers := make([]*stream.Worker, n)
	for i := range workers {
		m := mask.New(p.key, mask.Options{})
		w, err := stream.New(stream.Options{
			Kafka: kafka, Store: p.store, Analyser: p.rules, Hasher: assemble.NewHasher(p.key), Mask: m.Message,
			MaskText: func(s string) string { return m.Raw([]byte(s)) }, FlushEvery: 50 * time.Millisecond, FlushSessions: 40,
			SessionTimeout: 6 * time.Second, StopTimeout: 3 * time.Second, RejoinDelay: 200 * time.Millisecond, Log: p.app.log,
		})
		if err != nil {
			t.Fatal(err)
		}
		workers[i] = w
		running.Go(func() {
			if err := w.Run(run); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got := 0
		for _, w := range workers {
			if len(w.Partitions()) > 0 {
				got++
			}
		}
		if got == n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d workers have partitions after a minute", got, n)
		}
	}
	send()
	if !last {
		return
	}
	var ends sync.WaitGroup
	for i, w := range workers {
		ends.Go(func() {
			if _, err := w.EndInput(ctx); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	ends.Wait()
}

// TestBatchWritesWhatTheStreamWrites: files through the batch writer give the rows that Kafka gives, but for where they
// came from.
func TestBatchWritesWhatTheStreamWrites(t *testing.T) {
	p := newRoutes(t)
	ctx := context.Background()
	want := p.travel(t, route{records: p.records, workers: 1})
	for _, table := range []string{"transcripts", "analyses", "order_rows", "rating_rows", "dead_letter_rows"} {
		if err := p.store.Conn().Exec(ctx, "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	var lines bytes.Buffer
	for _, r := range p.records {
		lines.Write(r.Value)
		lines.WriteByte('\n')
	}
	a := *p.app
	a.getenv = env("TINGKE_KEY", string(p.key))
	path := writeFile(t, "all.jsonl", lines.String())
	if err := a.batch(ctx, p.store, []string{path}, intake.Options{}, nil); err == nil {
		t.Error("bad lines in the input were not reported")
	}
	got, err := p.store.Snapshot(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []string{"turns", "mentions", "hits", "outcomes", "rounds", "orders", "ratings", "dead_letters"} {
		if fmt.Sprint(got[view]) != fmt.Sprint(want[view]) {
			t.Errorf("view %s differs:\n%s", view, warehouse.Tables{view: want[view]}.Diff(warehouse.Tables{view: got[view]}))
		}
	}
	if len(got["sessions"]) != len(want["sessions"]) {
		t.Errorf("%d sessions, the stream wrote %d", len(got["sessions"]), len(want["sessions"]))
	}
}

// testApp is an app with defaults, a folder of its own and no environment.
func testApp(t *testing.T) *app {
	t.Helper()
	c, err := loadConfig("", env())
	if err != nil {
		t.Fatal(err)
	}
	var sink bytes.Buffer
	return &app{dir: t.TempDir(), config: c, log: slog.New(slog.DiscardHandler), in: &bytes.Buffer{}, out: &sink, err: &sink, getenv: env()}
}
