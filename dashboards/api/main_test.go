package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

// now is the clock of the tests: the evening of the second day of the world.
var now = time.Date(2026, 3, 3, 20, 0, 0, 0, shanghai)

// fixture is the world of world_test.go behind an API, made once for all tests that only read.
type fixture struct {
	w   *warehouse.Warehouse
	api *API
	log bytes.Buffer

	opinions []string // ids, the most frequent first; read when they are asked for
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := fixtureOn(t, warehousetest.Open(t))
	t.Cleanup(f.settle)
	return f
}

func fixtureOn(t testing.TB, w *warehouse.Warehouse) *fixture {
	t.Helper()
	f := &fixture{w: w}
	fill(t, f.w)
	f.api = newAPI(t, f.w, &f.log)
	return f
}

// settle waits until the jobs that requests began have ended.
func (f *fixture) settle() { f.api.jobs.wg.Wait() }

var (
	readOnce sync.Once
	readOnly *fixture
)

// readFixture gives the fixture that all tests share which only read.
func readFixture(t testing.TB) *fixture {
	t.Helper()
	readOnce.Do(func() { readOnly = fixtureOn(t, warehousetest.Shared(t)) })
	if readOnly == nil {
		t.Skip("SKIPPED: there is no world to read")
	}
	return readOnly
}

func newAPI(t testing.TB, w *warehouse.Warehouse, log io.Writer) *API {
	t.Helper()
	a, err := New(testOptions(t, w, slog.New(slog.NewTextHandler(log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// users of the tests by name: one of each role who sees everything the role may see, and two that are held to a team.
var users = map[string]access.Identity{
	"admin":      {User: "root", Name: "Root", Role: access.Admin},
	"supervisor": {User: "sup", Name: "Sup", Role: access.Supervisor},
	"product":    {User: "pm", Name: "Pm", Role: access.Product},
	"analyst":    {User: "ana", Name: "Ana", Role: access.Analyst},
	"agent":      {User: "sq", Name: "苏晴", Role: access.Agent, AgentID: "a1", Sees: access.SeesOwn},
	"team-one":   {User: "sup1", Name: "Sup One", Role: access.Supervisor, Teams: []string{"一组"}},
	"pm-one":     {User: "pm1", Name: "Pm One", Role: access.Product, Teams: []string{"一组"}},
	"agent-team": {User: "sq2", Name: "苏晴", Role: access.Agent, AgentID: "a1", Teams: []string{"一组"}, Sees: access.SeesTeam},
}

// auditLog keeps what handlers audit.
type auditLog struct {
	mu      sync.Mutex
	entries []warehouse.AuditEntry
	err     error // what writing fails with
}

func (l *auditLog) AppendAudit(_ context.Context, entries ...warehouse.AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
	return l.err
}

// as makes a request as a user; body is JSON, "" for none.
func as(h http.Handler, user, method, path, body string) *httptest.ResponseRecorder {
	media := "application/json"
	if strings.HasPrefix(body, "--part") {
		media = "multipart/form-data; boundary=part"
	}
	return asWith(h, &auditLog{}, user, method, path, media, body)
}

func asWith(h http.Handler, log *auditLog, user, method, path, media, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", media)
	}
	ctx := r.Context()
	if user != "" {
		ctx = access.WithIdentity(ctx, users[user])
	}
	ctx = access.WithAuditor(ctx, log, "127.0.0.1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(ctx))
	return w
}

// get asks as a user and decodes the answer, which must be 200.
func get[T any](t testing.TB, h http.Handler, user, path string) T {
	t.Helper()
	return send[T](t, h, user, http.MethodGet, path, "")
}

func send[T any](t testing.TB, h http.Handler, user, method, path, body string) T {
	t.Helper()
	var out T
	w := as(h, user, method, path, body)
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s as %s: status %d: %s", method, path, user, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s as %s: %v in %s", method, path, user, err, w.Body)
	}
	return out
}
