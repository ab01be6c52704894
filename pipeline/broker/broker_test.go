package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func testCtx(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func produce(t *testing.T, addr string, values ...string) {
	t.Helper()
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: TopicTranscripts, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchBytes: maxBatchBytes, BatchTimeout: time.Millisecond}
	defer w.Close()
	var msgs []kafka.Message
	for _, v := range values {
		msgs = append(msgs, kafka.Message{Key: []byte("one"), Value: []byte(v)})
	}
	if err := w.WriteMessages(testCtx(t), msgs...); err != nil {
		t.Fatal(err)
	}
}

// consume reads n values of the transcripts topic through a group and commits them.
func consume(t *testing.T, addr, group string, n int) []string {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, GroupID: group, Topic: TopicTranscripts,
		MaxBytes: maxBatchBytes, MaxWait: 2 * time.Second, JoinGroupBackoff: 100 * time.Millisecond, StartOffset: kafka.FirstOffset})
	defer r.Close()
	var out []string
	for range n {
		m, err := r.FetchMessage(testCtx(t))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(m.Value))
		if err := r.CommitMessages(testCtx(t), m); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestRestartKeepsRecordsAndOffsets(t *testing.T) {
	dir := t.TempDir()
	b, err := Start(testCtx(t), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	produce(t, b.Addr(), "a", "b", "c")
	if got := consume(t, b.Addr(), "g", 2); strings.Join(got, "") != "ab" {
		t.Fatalf("read %q", got)
	}
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = Start(testCtx(t), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Addr() != addr {
		t.Errorf("address is %s after a restart, was %s", b.Addr(), addr)
	}
	produce(t, b.Addr(), "d")
	if got := consume(t, b.Addr(), "g", 2); strings.Join(got, "") != "cd" {
		t.Errorf("read %q after a restart, want c and d", got)
	}
	stat, err := os.Stat(filepath.Join(dir, infoFile))
	if err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("broker.json: %v, %v", stat, err)
	}
}

func TestLargestMessage(t *testing.T) {
	b, err := Start(testCtx(t), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	big := strings.Repeat("x", 16<<20)
	produce(t, b.Addr(), big, "small")
	if got := consume(t, b.Addr(), "g", 2); got[0] != big || got[1] != "small" {
		t.Errorf("read %d and %d bytes", len(got[0]), len(got[1]))
	}
}

// TestKill lets a child process, which is this test binary, host the broker, kills it, and takes over.
func TestKill(t *testing.T) {
	if dir := os.Getenv("TINGKE_TEST_BROKER_DIR"); dir != "" {
		b, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKill$")
	cmd.Env = append(os.Environ(), "TINGKE_TEST_BROKER_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if _, err := io.ReadAtLeast(out, buf, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(testCtx(t), Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second host gets %v", err)
	}
	h, err := Acquire(testCtx(t), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if h.Hosted() {
		t.Fatal("two processes host one broker")
	}
	produce(t, h.Addr, "a", "b", "c")
	if got := consume(t, h.Addr, "g", 1); got[0] != "a" {
		t.Fatalf("read %q", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	h2, err := Acquire(testCtx(t), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer h2.Close()
	if !h2.Hosted() || h2.Addr != h.Addr {
		t.Errorf("after the kill: hosted %v on %s, was %s", h2.Hosted(), h2.Addr, h.Addr)
	}
	if got := consume(t, h2.Addr, "g", 2); strings.Join(got, "") != "bc" {
		t.Errorf("read %q after the kill, want b and c", got)
	}
}

func TestValidate(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		err := o.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Validate(%+v) = %v, want %q", o, err, want)
		}
	}
	f(Options{Dir: "d"}, "")
	f(Options{}, "no folder")
	f(Options{Dir: "d", Addr: "127.0.0.1:9092"}, "")
	f(Options{Dir: "d", Addr: "0.0.0.0:9092"}, "not on 127.0.0.1")
	f(Options{Dir: "d", Addr: "localhost"}, "missing port")
	f(Options{Dir: "d", Partitions: -1}, "partitions")
}
