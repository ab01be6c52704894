//go:build kill

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// kills is how often the worker dies at a seeded moment, beside once at every failpoint.
const kills = 50

// patience bounds every wait for something that must come to be; a test that passes never waits for it.
const patience = 4 * time.Minute

// TestKill: broker and engine are processes of their own; the worker, the built binary, is killed with SIGKILL at seeded
// moments and at every failpoint while messages come in. When an undisturbed worker has caught up, the public views must
// equal those of a run in which nothing was killed. TINGKE_SEED repeats a failed run.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TINGKE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TINGKE_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	chunks, closed := killInput(t, rng, kills+2*len(failpoint.Names()))

	control := newDeployment(t)
	for _, c := range chunks {
		control.send(t, c)
	}
	worker := control.worker(t)
	want := control.settled(t, worker, closed)
	control.stop(t, worker)
	control.close(t)
	if n := len(want["turns"]); n < 3000 {
		t.Fatalf("the control run has only %d turns", n)
	}

	killed := newDeployment(t)
	next := 0
	send := func() {
		killed.send(t, chunks[next])
		next++
	}
	for i := range kills {
		w := killed.worker(t)
		pause := time.Duration(rng.IntN(3000)) * time.Millisecond
		if i%3 > 0 { // most die at work, some while they start or join
			w.waitFor(t, "msg=generation")
			pause /= 3
		}
		send()
		time.Sleep(pause)
		w.kill(t)
		if i%10 == 9 {
			t.Logf("killed %d times, the last after %s", i+1, pause)
		}
	}
	for _, name := range failpoint.Names() {
		w := killed.worker(t, failpoint.Env+"="+string(name))
		send()
		var second *process
		if name == failpoint.OnRebalance {
			w.waitFor(t, "msg=generation") // it must have partitions to lose some
			second = killed.worker(t)
		}
		send()
		w.diedBySIGKILL(t, name)
		if second != nil {
			second.kill(t)
		}
	}
	for ; next < len(chunks); next++ {
		killed.send(t, chunks[next])
	}
	worker = killed.worker(t)
	worker.waitFor(t, "msg=generation") // with nothing left to do, the views may be right before it has started
	got := killed.settledAs(t, want)
	killed.stop(t, worker)
	killed.close(t)
	if diff := want.Diff(got); diff != "" {
		t.Fatalf("the views differ from those of the control run (TINGKE_SEED=%d):\n%s", seed, diff)
	}
}

// killInput gives n chunks of messages and the number of sessions that end: generated sessions in live form, shuffled
// within each chunk, some of them repeated, with the samples and their bad lines among them.
func killInput(t *testing.T, rng *rand.Rand, n int) (chunks [][]stream.Record, closed int) {
	t.Helper()
	sessions := newSessionSet([]byte(killKey), nil)
	chunks = make([][]stream.Record, n)
	put := func(i int, raw []byte, m *schemas.Message) {
		r := stream.Record{Value: bytes.Clone(raw)}
		if m != nil {
			r.Key = []byte(stream.KeyOf(m))
			sessions.add(m)
		}
		chunks[i] = append(chunks[i], r)
		if rng.IntN(20) == 0 {
			again := rng.IntN(n)
			chunks[again] = append(chunks[again], r)
		}
	}
	gen := newCorpus(rng.Uint64())
	for i := range 300 {
		s := gen.session(i).Session
		at := rng.IntN(n)
		spread := 1 + rng.IntN(6) // chunks over which the session lasts
		place := func(k int) int { return min(n-1, at+k*spread/(len(s.Turns)+1)) }
		meta := &schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: s.Meta}}
		meta.Session.EndedAt = time.Time{}
		put(place(0), meta.AppendJSON(nil), meta)
		for k, turn := range s.Turns {
			m := &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: s.SessionID, Turn: turn}}
			put(place(k), m.AppendJSON(nil), m)
		}
		end := &schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: s.SessionID, At: s.EndedAt}}
		put(place(len(s.Turns)), end.AppendJSON(nil), end)
	}
	i := 0
	err := eachLine(context.Background(), []string{filepath.Join("..", "..", "testdata", "transcripts")}, intake.Options{}, func(l *line) error {
		put(i%n, l.raw, l.msg)
		i++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range chunks {
		rng.Shuffle(len(c), func(a, b int) { c[a], c[b] = c[b], c[a] })
		c = append(c, stream.Record{Value: []byte(fmt.Sprintf(`{"type":"session","broken":%d`, i))})
		chunks[i] = c
	}
	for _, id := range sessions.order {
		if sessions.states[id].Closed() {
			closed++
		}
	}
	return chunks, closed
}

const killKey = "the key of both deployments of the kill test"

// deployment is a folder with a broker and an engine, each a process of its own.
type deployment struct {
	dir, config    string
	broker, engine *process
	producer       *stream.Producer
	store          *warehouse.Warehouse
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir()}
	d.config = filepath.Join(d.dir, "tingke.yaml")
	err := os.WriteFile(d.config, []byte("listen: {metrics: '127.0.0.1:0'}\nstream: {flush_every: 100ms, session_timeout: 2s, stop_timeout: 1s}\nlog: {level: debug}\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	d.broker, d.engine = d.start(t, "broker"), d.start(t, "engine")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d.broker.waitFor(t, "broker listens on")
	d.engine.waitFor(t, "engine runs on")
	h, err := broker.Acquire(ctx, broker.Options{Dir: d.dir})
	if err != nil {
		t.Fatal(err)
	}
	if h.Hosted() {
		t.Fatal("the test hosts the broker itself, it must be a process of its own")
	}
	log := slog.New(slog.DiscardHandler)
	if d.producer, err = stream.NewProducer(stream.KafkaConfig{Brokers: []string{h.Addr}}, "", log); err != nil {
		t.Fatal(err)
	}
	if d.store, err = warehouse.Open(ctx, warehouse.Config{Dir: d.dir, Timezone: "Asia/Shanghai", Logger: log}); err != nil {
		t.Fatal(err)
	}
	if err := d.store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(d.producer.Close(), d.store.Close()); err != nil {
		t.Error(err)
	}
	d.stop(t, d.engine)
	d.stop(t, d.broker)
}

func (d *deployment) send(t *testing.T, records []stream.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.producer.Send(ctx, records...); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) worker(t *testing.T, env ...string) *process {
	t.Helper()
	return d.start(t, "run", env...)
}

// settled waits until so many sessions are closed and nothing changes any more.
func (d *deployment) settled(t *testing.T, worker *process, closed int) warehouse.Tables {
	t.Helper()
	var last warehouse.Tables
	for deadline := time.Now().Add(patience); ; {
		now := d.snapshot(t)
		if len(now["sessions"]) == closed && last != nil && last.Diff(now) == "" {
			return now
		}
		last = now
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are closed after %s, want %d\n%s", len(now["sessions"]), patience, closed, worker.output())
		}
		time.Sleep(3 * time.Second)
	}
}

// settledAs waits until the views are as wanted, and gives what they are when patience has run out.
func (d *deployment) settledAs(t *testing.T, want warehouse.Tables) warehouse.Tables {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		now := d.snapshot(t)
		if want.Diff(now) == "" || time.Now().After(deadline) {
			return now
		}
		time.Sleep(time.Second)
	}
}

func (d *deployment) snapshot(t *testing.T) warehouse.Tables {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tables, err := d.store.Snapshot(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// process is a running command of the built binary.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan error
}

func (d *deployment) start(t *testing.T, name string, env ...string) *process {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin", "tingke"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(d.dir, name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{name: name, log: log.Name(), done: make(chan error, 1)}
	p.cmd = exec.Command(bin, name, "--dir", d.dir, "--config", d.config)
	p.cmd.Env = append(append(os.Environ(), "TINGKE_KEY="+killKey), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v (make build makes it)", bin, err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func (p *process) output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(b) > 4000 {
		b = b[len(b)-4000:]
	}
	return string(b)
}

// waitFor waits until the process has printed a text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if b, err := os.ReadFile(p.log); err == nil && bytes.Contains(b, []byte(text)) {
			return
		}
	}
	t.Fatalf("%s did not print %q within %s:\n%s", p.name, text, patience, p.output())
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	select {
	case err := <-p.done:
		t.Fatalf("%s ended by itself before it was killed: %v\n%s", p.name, err, p.output())
	default:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// diedBySIGKILL waits for the failpoint to strike.
func (p *process) diedBySIGKILL(t *testing.T, name failpoint.Name) {
	t.Helper()
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("failpoint %s: the worker ended with %v, want SIGKILL\n%s", name, err, p.output())
		}
	case <-time.After(patience):
		t.Fatalf("failpoint %s was not reached within %s\n%s", name, patience, p.output())
	}
}

// stop ends a process as an operator would.
func (d *deployment) stop(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			t.Fatalf("%s ended with %v\n%s", p.name, err, p.output())
		}
	case <-time.After(patience):
		t.Fatalf("%s did not end within %s of SIGTERM\n%s", p.name, patience, p.output())
	}
}
