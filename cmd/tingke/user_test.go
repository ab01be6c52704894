package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// heldStore is a folder whose engine runs for the whole test, so that commands need not start it.
func heldStore(t *testing.T) (string, *store) {
	t.Helper()
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	dir := t.TempDir()
	a := &app{dir: dir, err: io.Discard, getenv: env()}
	var err error
	if a.config, err = loadConfig("", a.getenv); err != nil {
		t.Fatal(err)
	}
	a.log = a.newLog(logLevels["error"])
	s, err := a.openStore(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir, s
}

func TestUserCommands(t *testing.T) {
	dir, s := heldStore(t)
	const password = "correct horse battery"
	run := func(want int, stdin string, args ...string) (string, string) {
		t.Helper()
		out, stderr, code := tingke(t, stdin, append(append([]string{"user"}, args...), "--dir", dir)...)
		if code != want {
			t.Errorf("user %v: code %d, want %d\n%s%s", args, code, want, out, stderr)
		}
		return out, stderr
	}
	bad := func(want, stdin string, args ...string) {
		t.Helper()
		if _, stderr := run(exitUsage, stdin, args...); !strings.Contains(stderr, want) {
			t.Errorf("user %v: %q, want %q", args, stderr, want)
		}
	}
	run(0, "", "list")
	bad("required flag", password, "add", "li")
	bad("is unknown, one of admin", password, "add", "li", "--role", "king")
	bad("no password on standard input", "", "add", "li", "--role", "admin")
	bad("at least 10 characters", "short\n", "add", "li", "--role", "admin")
	bad("role agent needs agent_id", password, "add", "li", "--role", "agent")
	bad("an admin sees all teams", password, "add", "li", "--role", "admin", "--team", "A")
	bad("a name to log in with", password, "add", "li wang", "--role", "admin")
	bad("unknown flag", password, "add", "li", "--role", "admin", "--password", password) // it would stay in the shell's history
	bad("there is no user", password, "password", "li")
	bad("there is no user", "", "disable", "li")
	if _, err := os.Stat(filepath.Join(dir, "users.yaml")); err == nil {
		t.Error("a refused user made a file")
	}

	out, _ := run(0, password+"\n", "add", "Li", "--role", "supervisor", "--team", "A,售后一组", "--name", "李", "--json")
	var r userResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.User.User != "li" || len(r.User.Teams) != 2 || r.Password != "" || strings.Contains(out, password) {
		t.Errorf("%s %v", out, err)
	}
	bad("exists already", password, "add", "li", "--role", "admin")
	out, _ = run(0, "", "add", "zhao", "--role", "agent", "--agent-id", "a17", "--generate", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Password) < 20 {
		t.Errorf("%s %v", out, err)
	}
	bad("--name to make", "", "token", "li")
	bad("--expires", "", "token", "li", "--name", "x", "--expires", "soon")
	bad("--expires", "", "token", "li", "--name", "x", "--expires", "-3d")
	bad("has no token", "", "token", "li", "--revoke", "x")
	out, _ = run(0, "", "token", "li", "--name", "reports", "--expires", "90d", "--json")
	r = userResult{}
	if err := json.Unmarshal([]byte(out), &r); err != nil || !strings.HasPrefix(r.Token, "tingke_") || r.Made.Expires.Sub(r.Made.Created).Round(time.Hour) < 89*24*time.Hour {
		t.Errorf("%s %v", out, err)
	}
	bad("has a token", "", "token", "li", "--name", "reports")
	file, err := os.ReadFile(filepath.Join(dir, "users.yaml"))
	if err != nil || bytes.Contains(file, []byte(password)) || bytes.Contains(file, []byte(r.Token)) {
		t.Errorf("a secret stands in the file: %v\n%s", err, file)
	}
	out, _ = run(0, "", "list")
	for _, want := range []string{"李", "A, 售后一组", "reports (…" + r.Token[len(r.Token)-4:] + ", until ", "agent a17"} {
		if !strings.Contains(out, want) {
			t.Errorf("list: no %q in\n%s", want, out)
		}
	}
	if out, _ = run(0, "", "list", "--json"); strings.Contains(out, "argon2id") || strings.Contains(out, "sha256") || strings.Count(out, "\n") != 2 {
		t.Errorf("list --json: %s", out)
	}
	run(0, "", "disable", "li")
	if out, _ = run(0, "", "list"); !strings.Contains(out, "disabled") {
		t.Errorf("list: %s", out)
	}
	run(0, "", "enable", "li")
	run(0, "another password\n", "password", "li")
	run(0, "", "token", "li", "--revoke", "reports")
	var audited []string
	if err := s.Conn().QueryRow(context.Background(), "SELECT groupArray(concat(object, ' ', JSONExtractString(detail, 'what'))) FROM (SELECT * FROM audit WHERE action = 'change_user' ORDER BY at)").Scan(&audited); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(audited, "; "); got != "li add; zhao add; li token reports; li disable; li enable; li password; li revoke token reports" {
		t.Errorf("audited %s", got)
	}
	if err := os.Chmod(filepath.Join(dir, "users.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	bad("chmod 600", "", "list")
	bad("chmod 600", "", "disable", "li")
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestServeWithUsers starts the server as the shell would: without users it says how to make the first; one who is made
// while it runs can log in, and is out when disabled.
func TestServeWithUsers(t *testing.T) {
	dir, _ := heldStore(t)
	config := writeFile(t, "tingke.yaml", "listen:\n  web: 127.0.0.1:0\nlog:\n  level: error\n")
	ctx, cancel := context.WithCancel(context.Background())
	stderr := &buffer{}
	ended := make(chan int, 1)
	go func() {
		a := &app{in: strings.NewReader(""), out: io.Discard, err: stderr, getenv: env()}
		ended <- a.run(ctx, []string{"serve", "--dir", dir, "--config", config})
	}()
	defer func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d: %s", code, stderr)
		}
	}()
	var base string
	for i := 0; base == ""; i++ {
		if m := regexp.MustCompile(`pages on (http://\S+)`).FindStringSubmatch(stderr.String()); m != nil {
			base = m[1]
		}
		if i > 600 {
			t.Fatalf("the server did not start: %s", stderr)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !strings.Contains(stderr.String(), "tingke user add NAME --role admin") {
		t.Errorf("no hint how to make the first user: %s", stderr)
	}
	cookie := ""
	ask := func(method, path, body string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequest(method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("Cookie", cookie)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b), res.Header
	}
	const password = "correct horse battery"
	login := fmt.Sprintf(`{"user": "li", "password": %q}`, password)
	if code, body, _ := ask("POST", "/api/v1/login", login); code != http.StatusServiceUnavailable || !strings.Contains(body, "tingke user add") {
		t.Errorf("log-in without users: %d %s", code, body)
	}
	if _, stderr, code := tingke(t, password, "user", "add", "li", "--role", "admin", "--dir", dir); code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	if code, _, _ := ask("GET", "/api/v1/sessions", ""); code != http.StatusUnauthorized {
		t.Errorf("sessions without log-in: %d", code)
	}
	code, _, header := ask("POST", "/api/v1/login", login)
	if code != http.StatusOK {
		t.Fatalf("log-in: %d", code)
	}
	cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
	if code, body, _ := ask("GET", "/api/v1/me", ""); code != 200 || !strings.Contains(body, `"user":"li"`) {
		t.Errorf("me: %d %s", code, body)
	}
	if code, _, _ := ask("GET", "/api/v1/sessions", ""); code != 200 {
		t.Errorf("sessions: %d", code)
	}
	if _, stderr, code := tingke(t, "", "user", "disable", "li", "--dir", dir); code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	if code, _, _ := ask("GET", "/api/v1/me", ""); code != http.StatusUnauthorized {
		t.Errorf("disabled, but still in: %d", code)
	}
}

func TestDemoUsers(t *testing.T) {
	dir, s := heldStore(t)
	var stderr bytes.Buffer
	a := &app{dir: dir, out: io.Discard, err: &stderr, getenv: env()}
	var err error
	if a.config, err = loadConfig("", a.getenv); err != nil {
		t.Fatal(err)
	}
	a.log = a.newLog(logLevels["error"])
	if err := a.demoUsers(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	users, err := access.ReadUsers(filepath.Join(dir, "users.yaml"))
	if err != nil || len(users) != 4 { // an empty store knows no agent
		t.Fatalf("%d users, %v", len(users), err)
	}
	for _, u := range users {
		if !regexp.MustCompile(fmt.Sprintf(`\n  %s +\w{5}-\w{5}-\w{5}-\w{5}\n`, u.User)).MatchString(stderr.String()) {
			t.Errorf("%s and its password are not printed:\n%s", u.User, stderr.String())
		}
	}
	stderr.Reset()
	if err := a.demoUsers(context.Background(), s); err != nil || !strings.Contains(stderr.String(), "tingke user password NAME") {
		t.Errorf("a second demo: %v %s", err, stderr.String())
	}
}
