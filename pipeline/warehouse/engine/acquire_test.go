package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func ask(t *testing.T, rt http.RoundTripper, sql string) string {
	t.Helper()
	b, err := simpleQuery(context.Background(), rt, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.TrimSpace(string(b))
}

func TestOpenCloseOpen(t *testing.T) {
	needLibrary(t)
	ctx := context.Background()
	dir := t.TempDir()
	for i := range 3 {
		e, err := Open(ctx, Options{Path: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, Options{Path: t.TempDir()}); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), dir) {
			t.Errorf("second engine: %v", err)
		}
		ask(t, e.RoundTripper(), "CREATE TABLE IF NOT EXISTS t (a UInt64) ENGINE = MergeTree ORDER BY a")
		ask(t, e.RoundTripper(), "CREATE DICTIONARY IF NOT EXISTS d (a UInt64, b UInt8 DEFAULT 7) PRIMARY KEY a SOURCE(CLICKHOUSE(QUERY 'SELECT a, 9 AS b FROM "+Database+".t')) LAYOUT(FLAT()) LIFETIME(0)")
		ask(t, e.RoundTripper(), fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		if got := ask(t, e.RoundTripper(), "SELECT count() FROM t"); got != fmt.Sprint(i+1) {
			t.Errorf("round %d: %s rows", i, got)
		}
		ask(t, e.RoundTripper(), "SYSTEM RELOAD DICTIONARY d")
		if got := ask(t, e.RoundTripper(), fmt.Sprintf("SELECT dictGet('d', 'b', %d), dictGet('d', 'b', 99)", i)); got != "9\t7" {
			t.Errorf("round %d: dictionary gives %s", i, got)
		}
		// The tracker is off by some 50 MiB most of the time, more than a small store holds, and by 110 MiB now and then.
		const held = 256 << 20
		ask(t, e.RoundTripper(), fmt.Sprintf("CREATE TABLE m ENGINE = Memory AS SELECT number FROM numbers(%d)", held/8))
		n, err := e.MemoryTracking(ctx)
		for until := time.Now().Add(10 * time.Second); err == nil && n < held/4 && time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
			n, err = e.MemoryTracking(ctx)
		}
		if err != nil || n < held/4 || n > 1<<30 {
			t.Errorf("memory %d, error %v", n, err)
		}
		ask(t, e.RoundTripper(), "DROP TABLE m SYNC")
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := simpleQuery(ctx, e.RoundTripper(), "SELECT 1"); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if _, err := Open(ctx, Options{}); err == nil {
		t.Error("opened without a path")
	}
	if _, err := Open(ctx, Options{Path: dir, Library: os.Args[0]}); err == nil {
		t.Error("opened the test binary as a library")
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	needLibrary(t)
	h, err := Acquire(context.Background(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	remote, err := dialEngine(context.Background(), h.dir)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 2)
	ended := make(chan error, 2)
	for _, rt := range []http.RoundTripper{h.RoundTripper(), remote} {
		go func() {
			req, err := http.NewRequest(http.MethodPost, "http://"+clientHost+"/", strings.NewReader("SELECT number FROM system.numbers"))
			if err != nil {
				started <- err
				return
			}
			res, err := rt.RoundTrip(req)
			started <- err
			if err != nil {
				return
			}
			defer res.Body.Close()
			buf := make([]byte, 1<<20)
			for err == nil {
				_, err = res.Body.Read(buf)
			}
			ended <- err
		}()
	}
	for range 2 {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("ended without an error")
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
}

func TestHandlesShareOneEngine(t *testing.T) {
	h := acquire(t, Options{})
	again, err := Acquire(context.Background(), h.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !h.Owned() || !again.Owned() || again.owner != h.owner {
		t.Error("the second handle has another engine")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if got := ask(t, h.RoundTripper(), "SELECT 1"); got != "1" {
		t.Error("the first handle lost its engine")
	}
	if _, err := Acquire(context.Background(), t.TempDir(), Options{}); !errors.Is(err, ErrRunning) {
		t.Errorf("another folder: %v", err)
	}
	st, err := os.Stat(filepath.Join(h.dir, infoFile))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("engine.json: %v, error %v", st.Mode(), err)
	}
}

func TestOtherProcessesReachTheOwner(t *testing.T) {
	h := acquire(t, Options{})
	ask(t, h.RoundTripper(), "CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a")
	c := startChild(t, h.dir)
	if got := c.line(); got != "owned: false" {
		t.Fatal(got)
	}
	if _, err := fmt.Fprintln(c.in, "INSERT INTO t VALUES ('客服')"); err != nil {
		t.Fatal(err)
	}
	if got := c.line(); got != "" {
		t.Fatal(got)
	}
	if got := c.ask("SELECT count() FROM t"); got != "1" {
		t.Error(got)
	}
	if got := ask(t, h.RoundTripper(), "SELECT a FROM t"); got != "客服" {
		t.Error(got)
	}
}

// TestOneOwnerOfManyStarters: processes that start at once, after an owner
// that was killed, end with one owner and see the same data.
func TestOneOwnerOfManyStarters(t *testing.T) {
	needLibrary(t)
	dir := t.TempDir()
	first := startChild(t, dir)
	if got := first.line(); got != "owned: true" {
		t.Fatal(got)
	}
	first.ask("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	first.ask("INSERT INTO t SELECT number FROM numbers(100000)")
	first.cmd.Process.Kill()
	first.cmd.Wait()

	var mu sync.Mutex
	owners := 0
	var wg sync.WaitGroup
	for range 4 {
		c := startChild(t, dir)
		wg.Go(func() {
			line := c.line()
			mu.Lock()
			if line == "owned: true" {
				owners++
			}
			mu.Unlock()
			if got := c.ask("SELECT count() FROM t"); got != "100000" {
				t.Errorf("%s: %s rows", line, got)
			}
		})
	}
	wg.Wait()
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
}

// TestKilledOwner: data that were inserted survive kill -9 of the process that
// runs the engine; a client says what happened, and finds the next owner.
func TestKilledOwner(t *testing.T) {
	needLibrary(t)
	ctx := context.Background()
	dir := t.TempDir()
	c := startChild(t, dir)
	if got := c.line(); got != "owned: true" {
		t.Fatal(got)
	}
	client, err := Acquire(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if client.Owned() {
		t.Fatal("two owners")
	}
	db := open(t, client.ClientOptions())
	mustExec(t, db, "CREATE TABLE t (a UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY a")
	const rows = 50_000
	var acked uint64
	for b := range 5 {
		batch, err := db.PrepareBatch(ctx, "INSERT INTO t")
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := batch.Append(uint64(b*rows+i), "亲，您好"); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		acked += rows
	}
	if _, err := client.MemoryTracking(ctx); err != nil {
		t.Errorf("memory: %v", err)
	}
	running, err := db.Query(ctx, "SELECT number FROM system.numbers")
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
	for running.Next() {
	}
	if err := running.Err(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(c.cmd.Process.Pid)) {
		t.Errorf("a result cut off by the kill: %v", err)
	}
	running.Close()

	err = db.Exec(ctx, "SELECT 1")
	if !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), fmt.Sprint(c.cmd.Process.Pid)) || !strings.Contains(err.Error(), dir) {
		t.Errorf("after the kill: %v", err)
	}

	next, err := Acquire(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if !next.Owned() {
		t.Fatal("the dead process still owns the engine")
	}
	var n, sum uint64
	if err := db.QueryRow(ctx, "SELECT count(), sum(a) FROM t FINAL").Scan(&n, &sum); err != nil || n != acked || sum != acked*(acked-1)/2 {
		t.Errorf("old client: %d rows with sum %d of %d, error %v", n, sum, acked, err)
	}
}

func TestAcquireWaitsForAnAnswer(t *testing.T) {
	needLibrary(t)
	dir := t.TempDir()
	lock, err := takeLock(filepath.Join(dir, lockFile))
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := Acquire(ctx, dir, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent owner: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, infoFile), []byte(`{"address":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryAcquire(context.Background(), dir, Options{}); !errors.Is(err, errNotYet) || !strings.Contains(err.Error(), infoFile) {
		t.Errorf("a broken engine.json: %v", err)
	}
}

func TestHostRefusesStrangers(t *testing.T) {
	info := hostInfo{Address: "127.0.0.1:4567", Token: "secret"}
	reached := 0
	h := hostHandler(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		reached++
		return response(http.StatusOK, "text/plain"), nil
	}), info)
	f := func(method, host, key, value string, want int) {
		t.Helper()
		r := httptest.NewRequest(method, "http://"+host+"/?query=SELECT+1", nil)
		if key != "" {
			r.Header.Set(key, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s %s %s %s: status %d, want %d", method, host, key, value, w.Code, want)
		}
	}
	f("POST", "127.0.0.1:4567", tokenHeader, "secret", 200)
	f("POST", "localhost:4567", "Authorization", "Bearer secret", 200)
	f("POST", "127.0.0.1:4567", "", "", 403)
	f("POST", "127.0.0.1:4567", tokenHeader, "secre", 403)
	f("POST", "127.0.0.1:4567", tokenHeader, "secret1", 403)
	f("POST", "127.0.0.1:4567", "Authorization", "secret", 403)
	f("POST", "evil.example:4567", tokenHeader, "secret", 403)
	f("POST", "127.0.0.1", tokenHeader, "secret", 403)
	f("DELETE", "127.0.0.1:4567", tokenHeader, "secret", 405)
	if reached != 2 {
		t.Errorf("%d requests came through", reached)
	}
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFindLibrary(t *testing.T) {
	root := t.TempDir()
	put := func(parts ...string) string {
		t.Helper()
		p := filepath.Join(append([]string{root}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	f := func(env string, starts, system []string, want string) {
		t.Helper()
		got, err := findLibrary(env, starts, system)
		if got != want || (err == nil) != (want != "") || err != nil && (!errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make deps") || !strings.Contains(err.Error(), LibraryEnv)) {
			t.Errorf("%q, %v, %v: got %q, %v, want %q", env, starts, system, got, err, want)
		}
	}
	bin, deep, sys := filepath.Join(root, "app", "bin"), filepath.Join(root, "work", "a", "b"), filepath.Join(root, "lib")
	f("", []string{bin, deep}, []string{sys}, "")
	inSystem := put("lib", libraryFile)
	f("", []string{bin, deep}, []string{sys}, inSystem)
	inWork := put("work", ".cache", "chdb", "node_modules", "@chdb", packageNames()[0], libraryFile)
	f("", []string{bin, deep}, []string{sys}, inWork)
	inApp := put("app", ".cache", "chdb", "node_modules", "@chdb", packageNames()[1], libraryFile)
	f("", []string{bin, deep}, []string{sys}, inApp)
	f(inSystem, []string{bin, deep}, []string{sys}, inSystem)
	f(filepath.Join(root, "none"), []string{bin, deep}, []string{sys}, "")
	f(root, []string{bin, deep}, []string{sys}, "")
}

func TestExceptions(t *testing.T) {
	f := func(text string, code, status int, message string) {
		t.Helper()
		e := newException(text)
		if e.Code != code || e.status() != status || e.Error() != message {
			t.Errorf("%q: %d, %d, %q", text, e.Code, e.status(), e.Message)
		}
	}
	f("Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)\n", 60, 404, "Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)")
	f("Error: Code: 62. DB::Exception: x", 62, 400, "Code: 62. DB::Exception: x")
	f("Code: 999999. DB::NetException: x", 999999, 500, "Code: 999999. DB::NetException: x")
	f("no code at all", 0, 500, "no code at all")
}

// clickhouse.Options of an engine are complete: a client needs nothing else.
func TestClientOptions(t *testing.T) {
	h := acquire(t, Options{Conns: 3})
	o := h.ClientOptions()
	if o.MaxOpenConns != 3 || o.Protocol != clickhouse.HTTP {
		t.Errorf("options %+v", o)
	}
	db := clickhouse.OpenDB(o)
	defer db.Close()
	var name string
	if err := db.QueryRow("SELECT currentDatabase()").Scan(&name); err != nil || name != Database {
		t.Errorf("database %q, error %v", name, err)
	}
}
