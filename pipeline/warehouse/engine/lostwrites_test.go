//go:build unix

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// refusedEnv makes TestRefusedWrites the process in which writes are refused: the limit counts for all of a process.
const refusedEnv = "TINGKE_TEST_REFUSED_WRITES"

// TestRefusedWrites: what the system refused to write is not acknowledged, and nothing acknowledged is lost by it.
func TestRefusedWrites(t *testing.T) {
	needLibrary(t)
	if os.Getenv(refusedEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRefusedWrites$", "-test.v")
		cmd.Env = append(os.Environ(), refusedEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRefusedWrites") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	ctx := context.Background()
	h := acquire(t, Options{})
	rt := h.RoundTripper()
	e := h.owner.engine
	run := func(sql string) error {
		_, err := simpleQuery(ctx, rt, sql)
		return err
	}
	insert := func(i int) error {
		return run(fmt.Sprintf("INSERT INTO t FORMAT TabSeparated\n%d\t%s\n", i, strings.Repeat(fmt.Sprint(i), 2000)))
	}
	current := func() *instance {
		in, err := e.instance(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	// another waits until the instance is replaced.
	another := func(than *instance) {
		t.Helper()
		for until := time.Now().Add(time.Minute); current() == than; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the engine does not start anew")
			}
		}
	}
	// Both may be tried again; the second is told where the engine starts anew already.
	ofWrites := func(err error) bool {
		var ex *Exception
		return errors.As(err, &ex) && (ex.Code == codeCannotWrite || ex.Code == codeNetworkError)
	}
	holds := func(want string) {
		t.Helper()
		if got := ask(t, rt, "SELECT count(), sum(length(s)), groupArray(a) FROM (SELECT * FROM t FINAL ORDER BY a)"); got != want {
			t.Errorf("the table holds %s, not %s", got, want)
		}
	}
	ask(t, rt, "CREATE TABLE t (a UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY a SETTINGS fsync_after_insert = 1")
	ask(t, rt, "SYSTEM STOP MERGES")
	for i := range 3 {
		if err := insert(i); err != nil {
			t.Fatal(err)
		}
	}

	// An insert, while a result is read.
	before := current()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+clientHost+"/", strings.NewReader("SELECT number FROM system.numbers"))
	if err != nil {
		t.Fatal(err)
	}
	endless, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer endless.Body.Close()
	refuseWrites(t, true)
	err = insert(3)
	refuseWrites(t, false)
	if !ofWrites(err) {
		t.Errorf("an insert that could not be written: %v", err)
	}
	another(before)
	if n, err := io.Copy(io.Discard, endless.Body); err == nil {
		t.Errorf("an endless result ended after %d bytes without an error", n)
	}
	holds("3\t6000\t[0,1,2]")
	if err := insert(3); err != nil {
		t.Errorf("the insert sent again: %v", err)
	}
	holds("4\t8000\t[0,1,2,3]")

	// What is refused is refused for its own reason, whatever else goes wrong.
	readonly := func() error {
		_, _, text := call(t, rt, http.MethodGet, "query="+url.QueryEscape("INSERT INTO t SELECT 9, ''"), nil)
		return newException(text)
	}
	refused := func(err error) bool {
		var ex *Exception
		return errors.As(err, &ex) && ex.Code == codeReadonly
	}
	damage := func() {
		t.Helper()
		refuseWrites(t, true)
		_, err := current().admin.ask("INSERT INTO "+Database+".t SELECT 9, 'never acknowledged'", &params{})
		refuseWrites(t, false)
		if err != nil {
			t.Errorf("the engine tells of writes that failed by itself now (%v): look whether lostwrites.go is still needed", err)
		}
	}
	before = current()
	damage()
	if err := readonly(); !refused(err) {
		t.Errorf("a statement refused while writes fail: %v", err)
	}
	another(before)

	// What waited for a connection of the instance that ends is answered by the next.
	before = current()
	for range cap(before.pool.slots) {
		before.pool.slots <- struct{}{}
	}
	waited := make(chan error, 6)
	for i := range cap(waited) {
		go func() {
			if i%2 == 0 {
				waited <- run("SELECT count() FROM t")
				return
			}
			err := readonly()
			if refused(err) {
				err = nil
			}
			waited <- err
		}()
	}
	time.Sleep(20 * time.Millisecond) // they wait now
	damage()
	<-before.ending.Done()
	for range cap(before.pool.slots) {
		<-before.pool.slots
	}
	for range cap(waited) {
		if err := <-waited; err != nil {
			t.Errorf("a statement that had not begun when the engine started anew: %v", err)
		}
	}
	holds("4\t8000\t[0,1,2,3]")

	// A merge by a statement; one in the background that a reader meets, and one that nobody does.
	for _, c := range []struct {
		name  string
		merge func() error
	}{
		{"statement", func() error { return run("OPTIMIZE TABLE t FINAL") }},
		{"reader", func() error {
			if _, err := current().admin.ask("OPTIMIZE TABLE "+Database+".t FINAL", &params{}); err != nil {
				return err
			}
			return run("SELECT sum(length(s)) FROM t")
		}},
		{"nobody", func() error {
			_, err := current().admin.ask("OPTIMIZE TABLE "+Database+".t FINAL", &params{})
			return err
		}},
	} {
		before := current()
		refuseWrites(t, true)
		err := c.merge()
		refuseWrites(t, false)
		switch {
		case c.name == "nobody" && err != nil:
			t.Errorf("the engine tells of writes that failed by itself now (%v): look whether lostwrites.go is still needed", err)
		case c.name == "reader" && err != nil:
			t.Errorf("a reader is not answered by the engine that has started anew: %v", err)
		case c.name == "statement" && !ofWrites(err):
			t.Errorf("a merge that could not be written: %v", err)
		}
		another(before)
		holds("4\t8000\t[0,1,2,3]")
	}
	// A part of separate files whose data are missing is read without an error, and merged. It is told where a read must be
	// sure, and what was merged from it is undone.
	ask(t, rt, "CREATE TABLE wide (a UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY a SETTINGS min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0")
	for i := range 3 {
		if i == 2 {
			ask(t, rt, "OPTIMIZE TABLE wide FINAL")
			time.Sleep(2 * mtimeLag)
		}
		ask(t, rt, fmt.Sprintf("INSERT INTO wide SELECT %d, repeat('w', 1000)", i))
	}
	before = current()
	for range cap(before.pool.slots) - 2 { // it cannot end, and background merges are as they may be in that time
		before.pool.slots <- struct{}{}
	}
	merge := func() {
		t.Helper()
		if _, err := before.admin.ask("OPTIMIZE TABLE "+Database+".wide FINAL", &params{}); err != nil {
			t.Error(err)
		}
	}
	refuseWrites(t, true)
	merge()
	refuseWrites(t, false)
	if _, err := before.admin.ask("INSERT INTO "+Database+".wide SELECT 3, 'never acknowledged'", &params{}); err != nil {
		t.Error(err)
	}
	merge()
	sure := make(chan string)
	for _, format := range []string{"TSV", "JSON"} { // a stream, and not
		go func() {
			query := url.Values{"select_sequential_consistency": {"1"}, "query": {"SELECT 'sum', sum(length(s)) FROM wide WHERE a < 3 FORMAT " + format}}
			status, _, text := call(t, rt, http.MethodPost, query.Encode(), nil)
			sure <- fmt.Sprint(status, text)
		}()
	}
	if whole, err := before.admin.ask("SELECT sum(length(s)) FROM "+Database+".wide", &params{}); err != nil || whole == "3018" {
		t.Errorf("a merge of damaged parts gives %s (%v): look whether lostwrites.go is still needed", whole, err)
	}
	for range cap(before.pool.slots) - 2 {
		<-before.pool.slots
	}
	another(before)
	for range 2 {
		got := <-sure
		right := strings.HasPrefix(got, "200") && strings.Contains(got, "3000")
		broken := strings.HasPrefix(got, "-1") && strings.Contains(got, "Code: 75") // a stream that had begun
		if !right && !broken {
			t.Errorf("a read that must be sure: %s", got)
		}
	}
	if got := ask(t, rt, "SELECT count(), sum(length(s)), any(a) FROM wide WHERE a < 3"); got != "3\t3000\t0" {
		t.Errorf("after a merge of damaged parts: %s", got)
	}

	laid := func(pattern string) int {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(e.opts.Path, "store", "*", "*", "detached", pattern))
		if err != nil {
			t.Error(err)
		}
		return len(list)
	}
	if inserts, merges := laid("broken-on-start_*"), laid("merged-of-broken_*"); inserts != 3 || merges < 5 {
		t.Errorf("laid aside: the parts of %d inserts, want 3, and %d merges, want 5 at least", inserts, merges)
	}
	if n := laid("*_all_1_2_2_*"); n > 0 {
		t.Error("a merge that was over before a write failed is undone")
	}
	ask(t, rt, "OPTIMIZE TABLE t FINAL")
	holds("4\t8000\t[0,1,2,3]")
}

// TestCannotStartAnew: whoever waits for an engine that cannot start is told so, and Close does not wait for it.
func TestCannotStartAnew(t *testing.T) {
	e := &Engine{opts: Options{Conns: 1}, lib: &library{connect: func(int32, unsafe.Pointer) unsafe.Pointer { return nil }}, log: slog.New(slog.DiscardHandler)}
	e.closing, e.shut = context.WithCancelCause(context.Background())
	in := &instance{e: e}
	in.ending, in.stop = context.WithCancelCause(e.closing)
	in.pool = newPool(in, 1)
	in.pool.slots <- struct{}{} // so that its end waits
	ended := make(chan *instance)
	go func() { ended <- e.anew(in) }()
	<-in.ending.Done()
	told := make(chan error)
	go func() {
		_, err := e.instance(context.Background())
		told <- err
	}()
	time.Sleep(20 * time.Millisecond) // it waits now
	<-in.pool.slots
	for _, what := range []string{"who waited", "who comes later"} {
		var err error
		select {
		case err = <-told:
		case <-time.After(time.Minute):
		}
		var ex *Exception
		if !errors.As(err, &ex) || ex.Code != codeNetworkError || !strings.Contains(ex.Message, "refused the connection") {
			t.Fatalf("%s is told %v", what, err)
		}
		go func() {
			_, err := e.instance(context.Background())
			told <- err
		}()
	}
	<-told
	e.shut(ErrClosed)
	if again := <-ended; again != nil {
		t.Error("an engine that cannot start has started")
	}
	if _, err := e.instance(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// refuseWrites lets every write of this process to a file fail, or none.
func refuseWrites(t *testing.T, on bool) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = l.Max
	if on {
		l.Cur = 0
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}
