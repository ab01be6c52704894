//go:build faults

// Package faults breaks what Tingke runs on and looks whether anything of it shows: the built binary, with broker, engine
// and workers as processes of their own, is killed, paused, cut off, starved and fed with rubbish. Every case ends in
// the same question: do the public views equal those of a run that nothing disturbed, and do the dead letters account
// for every bad message?
//
// README.md beside this file says which cases there are, what they run against and how a failure is repeated.
package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/broker/apachekafka"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// deploymentKey is the key of all deployments of a run: identities and pseudonyms must be the same in all.
const deploymentKey = "the key of all deployments of the fault suite"

// patience bounds every wait for something that must come to be: long enough for a machine that does much else, since a
// test that passes never waits for it.
const patience = 4 * time.Minute

// seed decides the corpus and the moments of all faults; TINGKE_SEED repeats a run.
var seed uint64

func TestMain(m *testing.M) {
	os.Exit(func() int {
		seed = uint64(time.Now().UnixNano())
		if s := os.Getenv("TINGKE_SEED"); s != "" {
			if _, err := fmt.Sscan(s, &seed); err != nil {
				fmt.Fprintf(os.Stderr, "TINGKE_SEED=%q is no number: %v\n", s, err)
				return 1
			}
		}
		fmt.Printf("TINGKE_SEED=%d\n", seed)
		defer apache.stop()
		return m.Run()
	}())
}

// rngFor gives a case its own random numbers, so that a case alone meets the faults it met among the others.
func rngFor(name string) *rand.Rand {
	var n uint64
	for _, c := range []byte(name) {
		n = n*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, n))
}

// binary is the built program.
func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("TINGKE_BIN")
	if path == "" {
		path = filepath.Join("..", "..", "..", "bin", "tingke")
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("cannot find the program: %v (make build makes it; TINGKE_BIN names another)", err)
	}
	return path
}

// reference is the views of an undisturbed run over a corpus, made once, by whoever asks first. It is checked against the
// corpus itself: a reference that lost something would agree with a run that lost the same.
type reference struct {
	once  sync.Once
	views warehouse.Tables
}

var references sync.Map // name -> *reference

// undisturbed gives the views of an undisturbed run over a corpus, on embedded parts.
func undisturbed(t *testing.T, c *corpus) warehouse.Tables {
	t.Helper()
	v, _ := references.LoadOrStore(c.name, &reference{})
	r := v.(*reference)
	r.once.Do(func() {
		d := deploy(t, embedded, setup{stream: c.stream})
		if c.prepare != nil {
			c.prepare(t, d)
		}
		w := d.worker(t)
		for _, chunk := range c.chunks {
			d.send(t, chunk)
		}
		d.settle(t)
		views := d.views(t)
		d.stop(t, w)
		d.close(t)
		c.check(t, views)
		r.views = views
	})
	if r.views == nil {
		t.Fatalf("the undisturbed run over corpus %s failed", c.name)
	}
	return r.views
}

// mustEqual waits until everything is processed and holds the views against those of the undisturbed run; lost ranges
// are looked at by the cases that make some, runs by none: their periods are those of a rerun.
// The views of but are left out.
func (d *deployment) mustEqual(t *testing.T, c *corpus, but ...string) {
	t.Helper()
	want := maps.Clone(undisturbed(t, c))
	d.settle(t)
	got := d.views(t)
	for _, view := range append(but, "lost_ranges", "runs") {
		delete(want, view)
		delete(got, view)
	}
	if diff := want.Diff(got); diff != "" {
		t.Fatalf("the views differ from those of the undisturbed run (TINGKE_SEED=%d, go test -run '^%s$'):\n%s", seed, t.Name(), diff)
	}
	c.check(t, got)
	d.deadTopicHolds(t, c)
}

// onEachKafka runs a case against the embedded broker and against Apache Kafka.
func onEachKafka(t *testing.T, f func(t *testing.T, k kafkaKind)) {
	for _, k := range []kafkaKind{embedded, real} {
		on(t, k, f)
	}
}

// on runs a case against one of them.
func on(t *testing.T, k kafkaKind, f func(t *testing.T, k kafkaKind)) {
	t.Run(string(k), func(t *testing.T) {
		t.Parallel()
		f(t, k)
	})
}

// apache is the real Kafka that all cases share, each with topics of its own; it is started by the first.
var apache sharedKafka

type sharedKafka struct {
	once sync.Once
	k    *apachekafka.Kafka
	dir  string
	err  error
}

// get gives the address of the real Kafka, or skips loudly.
func (s *sharedKafka) get(t *testing.T) string {
	t.Helper()
	if servers := os.Getenv("KAFKA_BROKERS"); servers != "" {
		return strings.Split(servers, ",")[0]
	}
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if s.dir, s.err = os.MkdirTemp("", "apachekafka-"); s.err == nil {
			s.k, s.err = apachekafka.Start(ctx, s.dir)
		}
	})
	if errors.Is(s.err, apachekafka.ErrMissing) {
		t.Skipf("SKIPPED, this case is NOT run against real Apache Kafka: %v", s.err)
	} else if s.err != nil {
		t.Fatal(s.err)
	}
	return s.k.Addr
}

func (s *sharedKafka) stop() {
	if s.k != nil {
		s.k.Stop()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for something that must come to be.
func eventually(t testing.TB, d time.Duration, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}
