//go:build faults

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/pipeline/broker"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// kafkaKind says which Kafka a deployment reads from.
type kafkaKind string

const (
	embedded kafkaKind = "embedded"
	real     kafkaKind = "apache"
)

const partitions = 4

// setup is what a case wants otherwise than most.
type setup struct {
	config      string           // more lines of the worker's configuration
	stream      string           // more settings of its stream section, such as "memory: 1MiB"
	engineEnv   []string         // of the engine's process
	kafka       string           // address of an Apache Kafka of its own
	prepareData func(dir string) // called with the folder of the engine's data before it is started
}

// deployment is one Kafka topic and one store, with the processes around them.
type deployment struct {
	dir      string
	setup    setup
	kind     kafkaKind
	addr     string // of Kafka
	topic    string
	dead     string
	group    string
	broker   *process // nil for Apache Kafka
	engine   *process // nil where CLICKHOUSE_DSN names a server
	dsn      string   // of that server, with a database of this deployment
	client   *kafka.Client
	producer *stream.Producer
	store    *warehouse.Warehouse
	workers  atomic.Int32
}

var deployments atomic.Int32

// deploy starts a Kafka and a store, without any worker.
func deploy(t *testing.T, kind kafkaKind, s setup) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir(), setup: s, kind: kind, topic: broker.TopicTranscripts, group: "tingke"}
	ctx := within(t, patience)
	if kind == embedded {
		d.broker = d.start(t, "broker", nil)
	} else {
		if d.addr = s.kafka; d.addr == "" {
			d.addr = apache.get(t)
		}
		d.topic = fmt.Sprintf("faults-%d-%d", os.Getpid(), deployments.Add(1))
		d.group = d.topic
		d.connect(t)
		d.createTopic(t)
		t.Cleanup(func() { d.deleteTopic(t) })
	}
	d.dead = d.topic + ".dead"
	if dsn := os.Getenv("CLICKHOUSE_DSN"); dsn != "" {
		d.ownDatabase(t, dsn)
	} else {
		if s.prepareData != nil {
			s.prepareData(filepath.Join(d.dir, "store"))
		}
		d.engine = d.start(t, "engine", s.engineEnv)
		d.engine.waitFor(t, "engine runs on")
	}
	if kind == embedded {
		d.broker.waitFor(t, "broker listens on")
		h, err := broker.Acquire(ctx, broker.Options{Dir: d.dir})
		if err != nil {
			t.Fatal(err)
		}
		if h.Hosted() {
			t.Fatal("the test hosts the broker itself, it must be a process of its own")
		}
		d.addr = h.Addr
		d.connect(t)
	}
	d.command(t, "migrate")
	log := slog.New(slog.DiscardHandler)
	var err error
	if d.producer, err = stream.NewProducer(stream.KafkaConfig{Brokers: []string{d.addr}, Topic: d.topic, DeadTopic: d.dead}, d.topic, log); err != nil {
		t.Fatal(err)
	}
	if d.store, err = warehouse.Open(ctx, warehouse.Config{DSN: d.dsn, Dir: d.dir, Timezone: "Asia/Shanghai", Logger: log}); err != nil {
		t.Fatal(err)
	}
	return d
}

// ownDatabase makes a database on the server of CLICKHOUSE_DSN.
func (d *deployment) ownDatabase(t *testing.T, dsn string) {
	t.Helper()
	admin, err := warehouse.Open(within(t, patience), warehouse.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("tingke_faults_%d_%d", os.Getpid(), deployments.Add(1))
	if err := admin.Conn().Exec(within(t, patience), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(admin.Conn().Exec(within(t, patience), "DROP DATABASE "+name), admin.Close()); err != nil {
			t.Error(err)
		}
	})
	if d.dsn, err = withDatabase(dsn, name); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(d.producer.Close(), d.store.Close()); err != nil {
		t.Error(err)
	}
	if d.engine != nil {
		d.stop(t, d.engine)
	}
	if d.broker != nil {
		d.stop(t, d.broker)
	}
}

// ownEngine skips a case that must have the engine in its hand.
func ownEngine(t *testing.T) {
	t.Helper()
	if os.Getenv("CLICKHOUSE_DSN") != "" {
		t.Skip("SKIPPED: this case breaks the engine's process, and CLICKHOUSE_DSN names a server that is not this suite's to break")
	}
}

func (d *deployment) send(t *testing.T, records []stream.Record) {
	t.Helper()
	if err := d.producer.Send(within(t, patience), records...); err != nil {
		t.Fatal(err)
	}
}

// settle waits until every message is committed and no session is open.
func (d *deployment) settle(t *testing.T) {
	t.Helper()
	var state string
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		var err error
		if state, err = d.pending(); err != nil {
			state = err.Error()
		} else if state == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not everything is processed after %s (TINGKE_SEED=%d): %s", patience, seed, state)
		}
	}
}

// pending says what is not processed yet, "" for nothing.
func (d *deployment) pending() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	committed, err := d.committed(ctx)
	if err != nil {
		return "", err
	}
	spans, err := d.spans(ctx)
	if err != nil {
		return "", err
	}
	for p, s := range spans {
		if at := max(committed[p], s.first); at != s.last {
			return fmt.Sprintf("partition %d is committed up to %d of %d", p, committed[p], s.last), nil
		}
	}
	var open uint64
	if err := d.store.Conn().QueryRow(ctx, "SELECT count() FROM sessions WHERE state = 'open'").Scan(&open); err != nil {
		return "", err
	}
	if open > 0 {
		return fmt.Sprintf("%d sessions are open", open), nil
	}
	return "", nil
}

// views reads the public views; the name of the topic is made the one that all Kafkas share.
func (d *deployment) views(t *testing.T) warehouse.Tables {
	t.Helper()
	views, err := d.store.Snapshot(within(t, patience), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range views {
		for i := range rows {
			rows[i] = strings.ReplaceAll(rows[i], `"topic":"`+d.topic+`"`, `"topic":"`+broker.TopicTranscripts+`"`)
		}
	}
	return views
}

// worker starts a stream worker and does not wait for it.
func (d *deployment) worker(t *testing.T, env ...string) *process {
	t.Helper()
	return d.start(t, "run", env)
}

// joined waits until a worker has its partitions.
func (p *process) joined(t *testing.T) *process {
	t.Helper()
	p.waitFor(t, "msg=generation")
	return p
}

// process is a running command of the built binary.
type process struct {
	name    string
	cmd     *exec.Cmd
	log     string
	metrics string // address of its health pages, "" for none
	done    chan error
}

func (d *deployment) start(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(d.dir, name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{name: name, log: log.Name(), done: make(chan error, 1)}
	p.cmd = exec.Command(binary(t), append([]string{name, "--dir", d.dir, "--config", d.configure(t, p)}, args...)...)
	p.cmd.Env = append(d.environment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start %s %s: %v", p.cmd.Path, name, err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, p.output())
		}
	})
	return p
}

// configure writes the configuration of one process: short times, and an address of its own for the health pages.
func (d *deployment) configure(t *testing.T, p *process) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.metrics = l.Addr().String()
	l.Close()
	text := fmt.Sprintf(`listen: {metrics: '%s'}
kafka: {topic: %s, dead_letter_topic: %s, group: %s, partitions: %d}
stream: {flush_every: 100ms, early_write: 300ms, idle: 4s, session_timeout: 2s, stop_timeout: 1s%s}
opinions: {rebuild_every: 0s}
refresh_every: 500ms
%s
`, p.metrics, d.topic, d.topic+".dead", d.group, partitions, prefixed(", ", d.setup.stream), d.setup.config)
	path := filepath.Join(d.dir, fmt.Sprintf("tingke-%d.yaml", d.workers.Add(1)))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// environment is that of this process with the deployment's own Kafka and store.
func (d *deployment) environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); name != "KAFKA_BROKERS" && name != "CLICKHOUSE_DSN" {
			env = append(env, kv)
		}
	}
	env = append(env, "TINGKE_KEY="+deploymentKey)
	if d.kind == real {
		env = append(env, "KAFKA_BROKERS="+d.addr)
	}
	if d.dsn != "" {
		env = append(env, "CLICKHOUSE_DSN="+d.dsn)
	}
	return env
}

// command runs one command of the program to its end and gives what it printed.
func (d *deployment) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, patience), binary(t), append(args, "--dir", d.dir, "--config", d.configure(t, &process{}))...)
	cmd.Env = d.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tingke %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (p *process) text() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// output is the end of what the process printed.
func (p *process) output() string {
	s := p.text()
	return s[max(0, len(s)-4000):]
}

// waitFor waits until the process has printed a text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	p.waitForMore(t, text, 1)
}

// waitForMore waits until the process has printed a text n times.
func (p *process) waitForMore(t *testing.T, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if strings.Count(p.text(), text) >= n {
			return
		}
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("%s ended with %v before it printed %q:\n%s", p.name, err, text, p.output())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not print %q %d times within %s:\n%s", p.name, text, n, patience, p.output())
		}
	}
}

// ready asks /readyz; the error is what it says.
func (p *process) ready() error {
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + p.metrics + "/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(string(bytes.TrimSpace(b)))
	}
	return nil
}

// unready waits until /readyz says so for a reason.
func (p *process) unready(t *testing.T, reason string) {
	t.Helper()
	var said error
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if said = p.ready(); said != nil && strings.Contains(said.Error(), reason) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz says %v, want %q\n%s", said, reason, p.output())
		}
	}
}

// becomesReady waits until /readyz is fine.
func (p *process) becomesReady(t *testing.T) {
	t.Helper()
	var said error
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if said = p.ready(); said == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz says %v\n%s", said, p.output())
		}
	}
}

// kill ends a process as kill -9 does.
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

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// diedBySIGKILL waits for a failpoint to strike.
func (p *process) diedBySIGKILL(t *testing.T, why string) {
	t.Helper()
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: %s ended with %v, want SIGKILL\n%s", why, p.name, err, p.output())
		}
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %s\n%s", why, patience, p.output())
	}
}

// stop ends a process as an operator would.
func (d *deployment) stop(t *testing.T, p *process) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case err := <-p.done:
		if err != nil {
			t.Fatalf("%s ended with %v\n%s", p.name, err, p.output())
		}
	case <-time.After(patience):
		t.Fatalf("%s did not end in time after SIGTERM\n%s", p.name, p.output())
	}
}

// connect makes the client through which the test itself looks at Kafka.
func (d *deployment) connect(t *testing.T) {
	transport := &kafka.Transport{MetadataTTL: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	d.client = &kafka.Client{Addr: kafka.TCP(d.addr), Timeout: time.Minute, Transport: transport}
}
