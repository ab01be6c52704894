package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

const secret = "correct horse battery"

// memoryLog is an audit log in memory.
type memoryLog struct {
	sync.Mutex
	entries []warehouse.AuditEntry
	down    bool
}

func (l *memoryLog) AppendAudit(_ context.Context, e ...warehouse.AuditEntry) error {
	l.Lock()
	defer l.Unlock()
	if l.down {
		return errors.New("the store is down")
	}
	l.entries = append(l.entries, e...)
	return nil
}

// lines are the entries so far, as actor action object, and forgets them.
func (l *memoryLog) lines() []string {
	l.Lock()
	defer l.Unlock()
	var out []string
	for _, e := range l.entries {
		out = append(out, strings.TrimSpace(e.Actor+" "+e.Action+" "+e.Object+" "+e.Address))
	}
	l.entries = nil
	return out
}

// world is a gate over a users file, with a clock that the test moves, in front of a page that says whose request it is.
type world struct {
	t    *testing.T
	gate *Gate
	log  *memoryLog
	path string
	now  time.Time
	h    http.Handler
}

// hashOnce is a hash of secret that is as cheap as a users file may hold.
var hashOnce = sync.OnceValues(func() (string, error) {
	h := newHash()
	h.memory, h.time = minHashMemory, minHashTime
	h.key = h.derive(secret, keyBytes)
	return h.String(), nil
})

func newWorld(t *testing.T, change func(*Options), users ...User) *world {
	t.Helper()
	w := &world{t: t, log: &memoryLog{}, path: filepath.Join(t.TempDir(), "users.yaml"), now: time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)}
	if users != nil {
		w.write(users...)
	}
	u, err := OpenUsers(w.path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Users: u, Audit: w.log, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	if w.gate, err = New(o); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/login", w.gate.Login)
	mux.HandleFunc("/api/v1/logout", w.gate.Logout)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		id, ok := FromContext(r.Context())
		fmt.Fprintf(rw, "%s %s %v %v %v", id.User, id.Role, id.Teams, id.Token, ok)
	})
	w.h = w.gate.Middleware(func(p string) bool {
		return slices.Contains([]string{"/api/v1/login", "/api/v1/logout"}, p)
	}, mux)
	return w
}

func (w *world) write(users ...User) {
	w.t.Helper()
	hash, err := hashOnce()
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range users {
		if users[i].Password == "" {
			users[i].Password = hash
		}
	}
	if err := EditUsers(w.path, func([]User) ([]User, error) { return users, nil }); err != nil {
		w.t.Fatal(err)
	}
}

// request makes one and sends it.
func (w *world) send(method, target string, body string, headers ...string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec.Result()
}

func (w *world) login(user, password string, headers ...string) *http.Response {
	body, err := json.Marshal(Credentials{User: user, Password: password})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send("POST", "/api/v1/login", string(body), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// cookie is that of a log-in that succeeds, as a header.
func (w *world) cookie(user string) string {
	w.t.Helper()
	res := w.login(user, secret)
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		w.t.Fatalf("log-in of %s: status %d, %d cookies", user, res.StatusCode, len(res.Cookies()))
	}
	c := res.Cookies()[0]
	return c.Name + "=" + c.Value
}

// as asks for a page with a cookie and gives what the page says, or the status.
func (w *world) as(cookie string) string {
	w.t.Helper()
	return w.page("Cookie", cookie)
}

func (w *world) page(headers ...string) string {
	w.t.Helper()
	res := w.send("GET", "/page", "", headers...)
	if res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.StatusCode)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func TestLogin(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Supervisor, Teams: []string{"A"}}, User{User: "out", Role: Analyst, Disabled: true})
	f := func(user, password string, status int, audit ...string) {
		t.Helper()
		res := w.login(user, password)
		if res.StatusCode != status {
			t.Errorf("log-in of %q with %q: status %d, want %d", user, password, res.StatusCode, status)
		}
		if (status == http.StatusOK) != (len(res.Cookies()) == 1) {
			t.Errorf("log-in of %q with %q: cookies %v", user, password, res.Cookies())
		}
		if got := w.log.lines(); !slices.Equal(got, audit) {
			t.Errorf("log-in of %q with %q: audited %q, want %q", user, password, got, audit)
		}
	}
	f("li", secret, 200, "li login li 192.0.2.1")
	f(" LI ", secret, 200, "li login li 192.0.2.1")
	f("li", "wrong", 401, "login_failed li 192.0.2.1")
	f("li", "", 401, "login_failed li 192.0.2.1")
	f("li", strings.Repeat("x", MaxPassword+1), 401, "login_failed li 192.0.2.1")
	f("out", secret, 401, "login_failed out 192.0.2.1")
	f("nobody", secret, 401, "login_failed unknown user 192.0.2.1")
	f("my password by mistake", secret, 401, "login_failed unknown user 192.0.2.1")
	f("", "", 401, "login_failed unknown user 192.0.2.1")

	w.log.down = true
	f("li", secret, 503)
}

func TestLoginAnswersAlike(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Analyst}, User{User: "out", Role: Analyst, Disabled: true})
	read := func(user, password string) string {
		res := w.send("POST", "/api/v1/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password), "Content-Type", "application/json")
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.StatusCode, res.Header, string(b))
	}
	want := read("li", "wrong password")
	for _, got := range []string{read("nobody", secret), read("out", secret), read("out", "wrong")} {
		if got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	// Unknown and disabled users cost one hash of the same parameters, as others do.
	for _, user := range []string{"li", "nobody", "out", ""} {
		before := w.gate.passwords.checked.Load()
		read(user, "wrong password")
		if n := w.gate.passwords.checked.Load() - before; n != 1 {
			t.Errorf("a log-in of %q made %d hashes, want 1", user, n)
		}
	}
	made, err := HashPassword(secret)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := parseHash(made)
	if err != nil {
		t.Fatal(err)
	}
	if u := w.gate.passwords.unknown; hash.memory != u.memory || hash.time != u.time || hash.threads != u.threads || len(hash.key) != len(u.key) || len(hash.salt) != len(u.salt) {
		t.Errorf("unknown users are checked with %s, known ones with %s", u, hash)
	}
}

func TestLoginJSON(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Name: "李", Role: Supervisor, Teams: []string{"A"}})
	f := func(body, contentType string, status int, want string) {
		t.Helper()
		res := w.send("POST", "/api/v1/login", body, "Content-Type", contentType)
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status || !strings.Contains(string(b), want) || !json.Valid(b) {
			t.Errorf("%s: %d %s, want %d %s", body, res.StatusCode, b, status, want)
		}
	}
	f(`{"user":"li","password":"`+secret+`"}`, "application/json", 200, `"name":"李","role":"supervisor","teams":["A"]`)
	f(`{"user":"li","password":"`+secret+`"}`, "application/json; charset=utf-8", 200, `"user":"li"`)
	f(`{"user":"li","password":"nope"}`, "application/json", 401, `"wrong_login"`)
	f(`{"user":"li","password":"nope","next":"/"}`, "application/json", 400, `"bad_request"`)
	f(`{"user":"li"}{}`, "application/json", 400, `"bad_request"`)
	f(`[`, "application/json", 400, `"bad_request"`)
	f(`{"user":"`+strings.Repeat("x", maxLoginBody)+`"}`, "application/json", 400, `"bad_request"`)
	f(`user=li&password=`+secret, "application/x-www-form-urlencoded", 415, `"bad_request"`)
}

func TestSessions(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Supervisor, Teams: []string{"A"}})
	c := w.cookie("li")
	const li = "li supervisor [A] false true"
	f := func(cookie, want string) {
		t.Helper()
		if got := w.as(cookie); got != want {
			t.Errorf("cookie %.40q: %s, want %s", cookie, got, want)
		}
	}
	f(c, li)
	f("", "401")
	name, token, _ := strings.Cut(c, "=")
	f(name+"=", "401")
	f(name+"=x", "401")
	f(name+"="+token[:len(token)-1], "401")            // guessed
	f(name+"="+strings.Repeat("A", len(token)), "401") // forged
	f(name+"="+strings.Repeat("x", 20_000), "401")     // huge
	f(secureCookieName+"="+token, "401")               // another name
	f(name+"="+base64Of(w.gate.store), "401")          // what the store keeps is no cookie
	f(name+"=../../users.yaml%00", "401")              // nonsense
	f("other=1; "+c, li)                               // beside others
	if n := w.gate.store.len(); n != 1 {
		t.Errorf("%d sessions kept, want 1: forged cookies make none", n)
	}

	// Idle and absolute lifetime.
	w.now = w.now.Add(w.gate.Idle - time.Second)
	f(c, li)
	w.now = w.now.Add(w.gate.Idle - time.Second)
	f(c, li) // the last use counts
	w.now = w.now.Add(w.gate.Idle)
	f(c, "401")
	c = w.cookie("li")
	for range 12 {
		w.now = w.now.Add(time.Hour - time.Second)
		f(c, li)
	}
	w.now = w.now.Add(13 * time.Second)
	f(c, "401")

	// A log-in ends the session that the browser had, under a new id: a planted cookie is worth nothing.
	c = w.cookie("li")
	res := w.login("li", secret, "Cookie", c)
	next := res.Cookies()[0]
	if next.Name+"="+next.Value == c {
		t.Error("the log-in kept the id of the session")
	}
	f(c, "401")
	planted := cookieName + "=" + strings.Repeat("p", 43)
	res = w.login("li", secret, "Cookie", planted)
	f(planted, "401")
	f(cookieName+"="+res.Cookies()[0].Value, li)

	// Log-out, by POST only.
	c = w.cookie("li")
	if res := w.send("GET", "/api/v1/logout", "", "Cookie", c); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET /logout: %d", res.StatusCode)
	}
	f(c, li)
	w.log.lines()
	res = w.send("POST", "/api/v1/logout", "", "Cookie", c)
	if res.StatusCode != http.StatusNoContent || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("log-out: %d, cookies %v", res.StatusCode, res.Cookies())
	}
	if got := w.log.lines(); !slices.Equal(got, []string{"li logout li 192.0.2.1"}) {
		t.Errorf("audited %q", got)
	}
	f(c, "401")
	if res := w.send("POST", "/api/v1/logout", ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("log-out of nobody: %d", res.StatusCode)
	}
}

// base64Of is the key under which the store keeps its first session.
func base64Of(s *sessionStore) string {
	for k := range s.sessions {
		return url.QueryEscape(k)
	}
	return ""
}

// TestEndedSessionStaysEnded lets a request that was under way at log-out finish after it.
func TestEndedSessionStaysEnded(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Admin})
	c := w.cookie("li")
	entered, release := make(chan struct{}), make(chan struct{})
	slow := w.gate.Middleware(nil, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		fmt.Fprint(rw, "done")
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequest("GET", "/slow", nil)
		r.Header.Set("Cookie", c)
		slow.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-entered
	w.send("POST", "/api/v1/logout", "", "Cookie", c)
	close(release)
	<-done
	if got := w.as(c); got != "401" || w.gate.store.len() != 0 {
		t.Errorf("after log-out: %s, %d sessions", got, w.gate.store.len())
	}
}

func TestCookies(t *testing.T) {
	f := func(secure bool, target, name string, wantSecure bool) {
		t.Helper()
		w := newWorld(t, func(o *Options) { o.Secure = secure }, User{User: "li", Role: Admin})
		r := httptest.NewRequest("POST", target, strings.NewReader(fmt.Sprintf(`{"user":"li","password":%q}`, secret)))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		res := rec.Result()
		if len(res.Cookies()) != 1 {
			t.Fatalf("%s: status %d, cookies %v", target, res.StatusCode, res.Cookies())
		}
		c := res.Cookies()[0]
		if c.Name != name || c.Secure != wantSecure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 40 {
			t.Errorf("%s: %v", target, c)
		}
		if !strings.Contains(res.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: Cache-Control %q", target, res.Header.Get("Cache-Control"))
		}
	}
	f(false, "http://localhost/api/v1/login", cookieName, false)
	f(true, "http://localhost/api/v1/login", secureCookieName, true)
	f(false, "https://localhost/api/v1/login", secureCookieName, true)
}

func TestUsersChangeWhileLoggedIn(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Supervisor, Teams: []string{"A"}}, User{User: "wang", Role: Admin})
	token, bearer, err := NewToken("bi", w.now, w.now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	li := User{User: "li", Role: Supervisor, Teams: []string{"A"}, Tokens: []Token{token}}
	w.write(li)
	c := w.cookie("li")
	f := func(what, wantCookie, wantToken string) {
		t.Helper()
		if got := w.as(c); got != wantCookie {
			t.Errorf("%s: cookie gives %s, want %s", what, got, wantCookie)
		}
		if got := w.page("Authorization", "Bearer "+bearer); got != wantToken {
			t.Errorf("%s: token gives %s, want %s", what, got, wantToken)
		}
	}
	f("as written", "li supervisor [A] false true", "li supervisor [A] true true")
	li.Role, li.Teams = Analyst, nil
	w.write(li)
	f("another role", "li analyst [] false true", "li analyst [] true true")
	good, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path, []byte("users:\n  - user: li\n    role: king\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("a broken file", "li analyst [] false true", "li analyst [] true true")
	if err := w.gate.Users.Problem(); err == nil || !strings.Contains(err.Error(), "users.yaml:3: role \"king\"") {
		t.Errorf("the reason: %v", err)
	}
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	f("no file", "li analyst [] false true", "li analyst [] true true")
	if err := w.gate.Users.Problem(); err == nil {
		t.Error("a missing file is no problem")
	}
	if err := os.WriteFile(w.path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	f("a file for all to read", "li analyst [] false true", "li analyst [] true true")
	if err := w.gate.Users.Problem(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("the reason: %v", err)
	}
	if err := os.Chmod(w.path, 0o600); err != nil {
		t.Fatal(err)
	}
	f("the good file again", "li analyst [] false true", "li analyst [] true true")
	if err := w.gate.Users.Problem(); err != nil {
		t.Error(err)
	}
	li.Disabled = true
	w.write(li)
	f("disabled", "401", "401")
	li.Disabled = false
	w.write(li)
	f("enabled again: the session is over, the token is not", "401", "li analyst [] true true")
	c = w.cookie("li")
	if li.Password, err = HashPassword("another password"); err != nil {
		t.Fatal(err)
	}
	li.Tokens = nil
	w.write(li)
	f("another password, token revoked", "401", "401")
	li.Password, li.Tokens = "", []Token{token}
	w.write(li)
	w.now = w.now.Add(24 * time.Hour)
	f("token expired", "401", "401")
	w.write()
	f("removed", "401", "401")

	// Changes of the file are audited, whoever made them.
	var changes []string
	for _, e := range w.log.entries {
		if e.Action == ActionUser {
			changes = append(changes, e.Actor+" "+e.Object+" "+e.Detail)
		}
	}
	for _, want := range []string{`users file li {"what":["tokens"]}`, `users file wang {"what":["removed"]}`, `users file li {"what":["role","teams"]}`,
		`users file li {"what":["disabled"]}`, `users file li {"what":["password","tokens"]}`, `users file li {"what":["removed"]}`} {
		if !slices.Contains(changes, want) {
			t.Errorf("not audited: %s\nin %q", want, changes)
		}
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t, nil, User{User: "x", Role: Admin})
	token, bearer, err := NewToken("bi", w.now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.write(User{User: "li", Role: Analyst, Tokens: []Token{token}})
	const li = "li analyst [] true true"
	f := func(header, want string) {
		t.Helper()
		if got := w.page("Authorization", header); got != want {
			t.Errorf("Authorization %.40q: %s, want %s", header, got, want)
		}
	}
	f("Bearer "+bearer, li)
	f("bearer "+bearer, li)
	f("Bearer "+bearer+" ", "401")
	f("Bearer", "401")
	f("Bearer ", "401")
	f("Basic "+bearer, "401")
	f("Bearer "+token.Hash, "401")
	f("Bearer "+strings.TrimPrefix(bearer, tokenPrefix), "401")
	f("Bearer "+bearer[:len(bearer)-1], "401")
	f("Bearer "+tokenPrefix+strings.Repeat("A", 43), "401")
	w.now = w.now.Add(100 * 365 * 24 * time.Hour)
	f("Bearer "+bearer, li)
	if token.LastFour != bearer[len(bearer)-4:] || strings.Contains(token.Hash, bearer) {
		t.Errorf("token %+v", token)
	}
	// A request with both is by the token; a bad token does not fall back to the cookie.
	c := w.cookie("li")
	if got := w.page("Authorization", "Bearer "+bearer, "Cookie", c); got != li {
		t.Errorf("both: %s", got)
	}
	if got := w.page("Authorization", "Bearer nonsense", "Cookie", c); got != "401" {
		t.Errorf("bad token with a cookie: %s", got)
	}
}

func TestWithoutLogin(t *testing.T) {
	w := newWorld(t, nil, User{User: "li", Role: Admin})
	res := w.send("GET", "/api/v1/sessions", "")
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != 401 || body.Error.Code != "unauthenticated" || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("API: %d %v %v %v", res.StatusCode, body, res.Header, err)
	}
	for _, p := range []string{"/api/v1/login/", "/api/v1/LOGIN", "/api/v1/login/../page", "//api/v1/login", "/api/v1/login/x", "/login"} {
		if res := w.send("GET", p, ""); res.StatusCode == 200 {
			t.Errorf("%s needs no log-in", p)
		}
	}
}

func TestNoUsers(t *testing.T) {
	w := newWorld(t, nil)
	res := w.send("GET", "/api/v1/me", "")
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != 401 || !strings.Contains(string(b), "tingke user add NAME --role admin") {
		t.Errorf("%d %s", res.StatusCode, b)
	}
	if res := w.login("li", secret); res.StatusCode != 503 {
		t.Errorf("log-in without users: %d", res.StatusCode)
	}
	w.write(User{User: "li", Role: Admin}) // made while the server runs
	w.cookie("li")
}

func TestCrossSite(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Hosts = []string{"qa.example.com"} }, User{User: "li", Role: Admin})
	token, bearer, err := NewToken("bi", w.now, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w.write(User{User: "li", Role: Admin, Tokens: []Token{token}})
	c := w.cookie("li")
	f := func(method, path string, want int, headers ...string) {
		t.Helper()
		if res := w.send(method, path, "", headers...); res.StatusCode != want {
			t.Errorf("%s %s %q: %d, want %d", method, path, headers, res.StatusCode, want)
		}
	}
	f("POST", "/page", 200, "Cookie", c)
	f("POST", "/page", 200, "Cookie", c, "Sec-Fetch-Site", "same-origin")
	f("POST", "/page", 200, "Cookie", c, "Origin", "http://example.com") // httptest's host
	f("POST", "/page", 200, "Cookie", c, "Origin", "https://qa.example.com")
	f("POST", "/page", 403, "Cookie", c, "Sec-Fetch-Site", "cross-site")
	f("POST", "/page", 403, "Cookie", c, "Sec-Fetch-Site", "same-site")
	f("POST", "/page", 403, "Cookie", c, "Origin", "https://evil.example")
	f("POST", "/page", 403, "Cookie", c, "Origin", "null")
	f("DELETE", "/api/v1/x", 403, "Cookie", c, "Sec-Fetch-Site", "cross-site")
	f("GET", "/page", 200, "Cookie", c, "Sec-Fetch-Site", "cross-site") // a link
	f("POST", "/api/v1/login", 403, "Sec-Fetch-Site", "cross-site")     // into somebody else's account
	f("POST", "/api/v1/logout", 403, "Cookie", c, "Sec-Fetch-Site", "cross-site")
	f("POST", "/page", 200, "Authorization", "Bearer "+bearer, "Origin", "https://evil.example") // no cookie is used
	f("POST", "/page", 401, "Authorization", "Bearer x", "Cookie", c, "Origin", "https://evil.example")
}

func TestAddress(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, User{User: "li", Role: Admin})
	f := func(remote, forwarded, want string) {
		t.Helper()
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		if got := w.gate.Address(r); got != want {
			t.Errorf("%s, forwarded %q: %s, want %s", remote, forwarded, got, want)
		}
	}
	f("192.0.2.7:1", "", "192.0.2.7")
	f("192.0.2.7:1", "198.51.100.1", "192.0.2.7") // no proxy of ours: it may say what it likes
	f("10.0.0.1:1", "198.51.100.1", "198.51.100.1")
	f("10.0.0.1:1", "6.6.6.6, 198.51.100.1", "198.51.100.1") // what the client sent itself
	f("10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.2.3.4", "198.51.100.1")
	f("10.0.0.1:1", "nonsense\r\n", "10.0.0.1")
	f("10.0.0.1:1", "", "10.0.0.1")
	f("[::1]:1", "1.2.3.4", "::1")
}

func TestAgentsOff(t *testing.T) {
	agent := User{User: "a", Role: Agent, AgentID: "a1"}
	token, bearer, err := NewToken("x", time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	agent.Tokens = []Token{token}
	w := newWorld(t, func(o *Options) { o.Sees = SeesOff }, agent, User{User: "li", Role: Admin})
	if res := w.login("a", secret); res.StatusCode != 403 {
		t.Errorf("log-in of an agent: %d", res.StatusCode)
	}
	if got := w.page("Authorization", "Bearer "+bearer); got != "403" {
		t.Errorf("token of an agent: %s", got)
	}
	w.cookie("li")
}

// TestStreamsEndWithTheirRights: a request that lasts ends when its user is disabled, gets another role, logs out, when
// the token is revoked, or the session is over; and a stream does not keep an idle session alive.
func TestStreamsEndWithTheirRights(t *testing.T) {
	li := User{User: "li", Role: Supervisor, Teams: []string{"A"}}
	token, bearer, err := NewToken("bi", time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	li.Tokens = []Token{token}
	f := func(what string, byToken bool, change func(w *world)) {
		t.Helper()
		w := newWorld(t, nil, li)
		var mu sync.Mutex // of the clock, which the rechecks read
		w.gate.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return w.now }
		w.gate.store.now = w.gate.Now
		w.gate.recheck = 5 * time.Millisecond
		cookie := w.cookie("li")
		entered, ended := make(chan struct{}), make(chan struct{})
		h := w.gate.Middleware(nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			close(ended)
		}))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r := httptest.NewRequest("GET", "/stream", nil).WithContext(ctx)
		if byToken {
			r.Header.Set("Authorization", "Bearer "+bearer)
		} else {
			r.Header.Set("Cookie", cookie)
		}
		go h.ServeHTTP(httptest.NewRecorder(), r)
		<-entered
		select {
		case <-ended:
			t.Errorf("%s: ended before", what)
		case <-time.After(30 * time.Millisecond):
		}
		mu.Lock()
		change(w)
		mu.Unlock()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the stream goes on", what)
		}
	}
	f("disabled", false, func(w *world) { u := li; u.Disabled = true; w.write(u) })
	f("disabled", true, func(w *world) { u := li; u.Disabled = true; w.write(u) })
	f("other teams", false, func(w *world) { u := li; u.Teams = []string{"B"}; w.write(u) })
	f("token revoked", true, func(w *world) { u := li; u.Tokens = nil; w.write(u) })
	f("idle", false, func(w *world) { w.now = w.now.Add(w.gate.Idle) })
	f("logged out", false, func(w *world) {
		w.gate.store.mu.Lock()
		clear(w.gate.store.sessions)
		w.gate.store.mu.Unlock()
	})
}
