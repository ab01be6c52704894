package dashboards

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/access/accesstest"
)

// TestRolesAndPages: every role against every page.
func TestRolesAndPages(t *testing.T) {
	_, w := worldPages(t)
	f := func(role access.Role, overview, sessions, session, agents, data, nothing int) {
		t.Helper()
		id := accesstest.Identity(role)
		if role == "" {
			id = access.Identity{}
		}
		h := handlerAs(t, w, id, &accesstest.Log{})
		for path, want := range map[string]int{"/": overview, "/sessions": sessions, sessionURL("good-00"): session, "/agents": agents, "/data": data, "/nothing": nothing} {
			if code, _ := get(t, h, path); code != want {
				t.Errorf("%s at %s: status %d, want %d", role, path, code, want)
			}
		}
	}
	f(access.Admin, 200, 200, 200, 200, 200, 404)
	f(access.Supervisor, 200, 200, 200, 200, 200, 404)
	f(access.Analyst, 200, 200, 200, 200, 200, 404)
	f(access.Product, 200, 200, 200, 403, 200, 404)
	f(access.Agent, 303, 200, 200, 403, 403, 404)
	f("", 403, 403, 403, 403, 403, 403)
	f("root", 403, 403, 403, 403, 403, 403)
}

// TestScopeOfPages: what somebody may not see is not there, on no page, under no filter, by no id.
func TestScopeOfPages(t *testing.T) {
	_, w := worldPages(t)
	q := url.QueryEscape
	one := handlerAs(t, w, accesstest.Identity(access.Supervisor, "一组"), &accesstest.Log{})
	other := handlerAs(t, w, accesstest.Identity(access.Supervisor, "二组", `一组' OR 1=1 --`), &accesstest.Log{})
	a2 := accesstest.Identity(access.Agent)
	a2.AgentID = "a2"
	agent := handlerAs(t, w, a2, &accesstest.Log{})
	off := a2
	off.Sees = access.SeesOff
	nobody := handlerAs(t, w, off, &accesstest.Log{})

	sessions := func(h http.Handler, query string, want int) {
		t.Helper()
		body := page200(t, h, "/sessions?"+query)
		text := fmt.Sprintf(">%d 个会话", want)
		if want == 0 {
			text = "没有" // there are none at all, or none that match
		}
		if !strings.Contains(body, text) {
			t.Errorf("%s: not %d sessions\n%s", query, want, body)
		}
	}
	sessions(one, "", 65) // all but the one of another team and the one of none
	sessions(one, "team="+q(evil), 0)
	sessions(one, "team=-", 0)
	sessions(one, "shop="+q(evil), 0)
	sessions(one, "agent="+q(evil), 0)
	sessions(one, "q="+q("script"), 0)
	sessions(one, "rule="+q(evil), 0)
	sessions(other, "", 0)
	sessions(other, "team="+q("一组"), 0)
	sessions(agent, "", 3)
	sessions(agent, "agent=a1", 0)
	sessions(agent, "team="+q("一组"), 3)
	sessions(nobody, "", 0)

	opens := func(h http.Handler, id string, want int) {
		t.Helper()
		code, body := get(t, h, sessionURL(id))
		if code != want {
			t.Errorf("session %q: status %d, want %d", id, code, want)
		}
		if want == 404 && strings.Contains(body, "爱买不买") {
			t.Errorf("session %q shows its text", id)
		}
	}
	opens(one, "bad-0", 200)
	opens(one, evilID, 404)
	opens(one, "undated", 404)
	opens(other, "bad-0", 404)
	opens(agent, "bad-0", 200)
	opens(agent, "good-00", 404)
	opens(nobody, "bad-0", 404)

	// Neither figures nor the values that filters offer tell of others.
	page200(t, one, "/", "<b>64</b>")
	for _, path := range []string{"/", "/sessions", "/agents"} {
		if body := page200(t, one, path); strings.Contains(body, "onmouseover") {
			t.Errorf("%s names what is of another team", path)
		}
		if body := page200(t, other, path); strings.Contains(body, "苏晴") || strings.Contains(body, "花漾") {
			t.Errorf("%s names what is of another team", path)
		}
	}
	if body := page200(t, agent, "/sessions"); strings.Contains(body, "苏晴") {
		t.Error("an agent is told of another one")
	}
}

func TestOpenedSessionsAreAudited(t *testing.T) {
	_, w := worldPages(t)
	log := &accesstest.Log{}
	h := handlerAs(t, w, accesstest.Identity(access.Analyst), log)
	page200(t, h, sessionURL("bad-0"))
	get(t, h, sessionURL("unknown"))
	page200(t, h, "/sessions")
	if e := log.Entries(); len(e) != 1 || e[0].Actor != "analyst" || e[0].Action != access.ActionOpenSession || e[0].Object != "bad-0" || e[0].Address == "" {
		t.Errorf("audited %+v", e)
	}
	log.Down(true)
	if code, body := get(t, h, sessionURL("bad-0")); code != 503 || strings.Contains(body, "爱买不买") || !strings.Contains(body, "审计日志") {
		t.Errorf("without an audit log: status %d\n%s", code, body)
	}
}

// TestSite walks through the whole site as a browser does: log-in page, log-in, page, log-out.
func TestSite(t *testing.T) {
	_, w := worldPages(t)
	path := filepath.Join(t.TempDir(), "users.yaml")
	users, err := access.OpenUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	api := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := access.FromContext(r.Context())
		fmt.Fprintf(rw, "api for %s", id.User)
	})
	site, err := New(Options{DB: w.Conn(), Timezone: shanghai, Log: slog.New(slog.DiscardHandler), API: api, Access: access.Options{Users: users, Audit: access.NewAuditLog(w)}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(site)
	defer server.Close()
	var cookie string
	do := func(method, target, body string, want int, texts ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("%s %s: status %d, want %d\n%s", method, target, res.StatusCode, want, b)
		}
		for _, x := range texts {
			if !strings.Contains(string(b), x) {
				t.Errorf("%s %s: no %q in\n%s", method, target, x, b)
			}
		}
		if !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'self'") || strings.Contains(string(b), "<script") || strings.Contains(string(b), "style=") {
			t.Errorf("%s %s: no policy, or something that it forbids", method, target)
		}
		return res
	}
	do("GET", "/login", "", 200, "还没有用户", "tingke user add NAME --role admin", path)
	do("GET", "/login?lang=en&next=%2Fagents", "", 200, "There are no users yet", `value="/agents"`, `lang="en"`)
	do("GET", "/static/style.css", "", 200)
	do("GET", "/static/icon.svg", "", 200)
	do("GET", "/api/v1/me", "", 401, "no_users")
	hash, err := access.HashPassword("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if err := access.EditUsers(path, func([]access.User) ([]access.User, error) {
		return []access.User{{User: "li", Name: `<script>"'`, Role: access.Admin, Password: hash}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if to := do("GET", "/agents?shop=x", "", 303).Header.Get("Location"); to != "/login?next=%2Fagents%3Fshop%3Dx" {
		t.Errorf("sent to %q", to)
	}
	do("GET", "/api/v1/me", "", 401, "unauthenticated")
	do("POST", "/login", url.Values{"user": {evil}, "password": {evil}, "next": {`"><b>`}}.Encode(), 401, "用户名或密码不对", "&lt;script&gt;", `value="/"`)
	do("POST", "/login?lang=en", url.Values{"user": {"li"}, "password": {"nope"}}.Encode(), 401, "User or password is wrong")
	res := do("POST", "/login", url.Values{"user": {"li"}, "password": {"correct horse battery"}, "next": {"/agents"}}.Encode(), 303)
	if to := res.Header.Get("Location"); to != "/agents" || len(res.Cookies()) != 1 {
		t.Fatalf("sent to %q with %v", to, res.Cookies())
	}
	cookie = res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	do("GET", "/agents", "", 200, "&lt;script&gt;", "退出", `action="/logout"`)
	do("GET", "/api/v1/me", "", 200, "api for li")
	do("POST", "/sessions", "", 405)
	do("GET", "/nothing", "", 404)
	do("POST", "/logout", "", 303)
	do("GET", "/agents", "", 303)
	do("GET", "/api/v1/me", "", 401)

	if _, err := New(Options{DB: w.Conn()}); err == nil {
		t.Error("a site without users has no error")
	}
}

func TestBrokenUsersFileIsShownToAdmins(t *testing.T) {
	_, w := worldPages(t)
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := access.EditUsers(path, func([]access.User) ([]access.User, error) {
		return []access.User{{User: "li", Role: access.Admin}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	users, err := access.OpenUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	gate, err := access.New(access.Options{Users: users, Audit: &accesstest.Log{}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSite(Options{DB: w.Conn()})
	if err != nil {
		t.Fatal(err)
	}
	s.gate = gate
	if err := os.WriteFile(path, []byte("users: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(role access.Role, want bool) {
		t.Helper()
		body := page200(t, accesstest.As(accesstest.Identity(role), &accesstest.Log{}, s.pageMux()), "/data")
		if got := strings.Contains(body, "users.yaml:1: users is no list"); got != want {
			t.Errorf("%s: shown %v, want %v", role, got, want)
		}
	}
	f(access.Admin, true)
	f(access.Analyst, false)
}
