package engine

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// childEnv makes the test binary a process that acquires the folder it names,
// says so, answers commands on stdin and ends with it.
const childEnv = "TINGKE_TEST_ENGINE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(dir string) error {
	ctx := context.Background()
	h, err := Acquire(ctx, dir, Options{})
	if err != nil {
		return err
	}
	defer h.Close()
	fmt.Println("owned:", h.Owned())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		b, err := simpleQuery(ctx, h.RoundTripper(), in.Text())
		if err != nil {
			return err
		}
		fmt.Println(strings.TrimSpace(string(b)))
	}
	return in.Err()
}

// childProcess is a running child.
type childProcess struct {
	t   *testing.T
	cmd *exec.Cmd
	in  interface {
		Write([]byte) (int, error)
		Close() error
	}
	out *bufio.Scanner
}

func startChild(t *testing.T, dir string) *childProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &childProcess{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
}

func (c *childProcess) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("the child process said nothing: %v", c.out.Err())
	}
	return c.out.Text()
}

func (c *childProcess) ask(sql string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, sql); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

func needLibrary(t testing.TB) {
	t.Helper()
	if _, err := FindLibrary(); err != nil {
		t.Skipf("SKIPPED, nothing of the embedded engine is tested: %v", err)
	}
}

// acquire returns a handle of an engine in a fresh folder.
func acquire(t testing.TB, opts Options) *Handle {
	t.Helper()
	needLibrary(t)
	h, err := Acquire(context.Background(), t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func open(t testing.TB, o *clickhouse.Options) driver.Conn {
	t.Helper()
	db, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// backend is one way to a ClickHouse.
type backend struct {
	name string
	db   driver.Conn
	rt   http.RoundTripper // nil for a server
}

// backends are the engine in this process, the same over loopback HTTP, and
// the server that CLICKHOUSE_DSN names.
func backends(t *testing.T) []backend {
	t.Helper()
	var out []backend
	if dsn := os.Getenv("CLICKHOUSE_DSN"); dsn != "" {
		o, err := clickhouse.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, backend{name: "server", db: open(t, o)})
	}
	if _, err := FindLibrary(); err != nil {
		if len(out) == 0 {
			needLibrary(t)
		}
		return out
	}
	h := acquire(t, Options{})
	c, err := dialEngine(context.Background(), h.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.closeIdle)
	return append(out,
		backend{"in process", open(t, h.ClientOptions()), h.RoundTripper()},
		backend{"loopback", open(t, clientOptions(c, 8)), c})
}

func forEach(t *testing.T, f func(t *testing.T, b backend)) {
	t.Helper()
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) { f(t, b) })
	}
}

// mustExec runs statements without a result.
func mustExec(t testing.TB, db driver.Conn, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if err := db.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}
