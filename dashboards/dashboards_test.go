package dashboards

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/access/accesstest"
)

// TestSite walks through the whole site as a browser does: the app, which anybody may load, log-in, API, log-out.
func TestSite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	users, err := access.OpenUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := access.FromContext(r.Context())
		fmt.Fprintf(w, "api for %s %v", id.User, ok)
	})
	log := &accesstest.Log{}
	site, err := New(Options{API: api, Access: access.Options{Users: users, Audit: log, Log: slog.New(slog.DiscardHandler)}})
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
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
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
		if want != 0 && res.StatusCode != want {
			t.Errorf("%s %s: status %d, want %d\n%s", method, target, res.StatusCode, want, b)
		}
		for _, x := range texts {
			if !strings.Contains(string(b), x) {
				t.Errorf("%s %s: no %q in\n%s", method, target, x, b)
			}
		}
		h := res.Header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self'") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s %s: headers %v", method, target, h)
		}
		return res
	}
	// The app is 501 in a program that was built without it: what counts is that it is no 401 and no data of anybody.
	for _, p := range []string{"/", "/login", "/sessions/s-1"} {
		if res := do("GET", p, "", 0); res.StatusCode != 200 && res.StatusCode != 501 {
			t.Errorf("the app at %s: status %d", p, res.StatusCode)
		}
	}
	do("POST", "/sessions", "", 405)
	do("GET", "/api/v1/me", "", 401, "no_users", "tingke user add NAME --role admin")
	hash, err := access.HashPassword("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if err := access.EditUsers(path, func([]access.User) ([]access.User, error) {
		return []access.User{{User: "li", Role: access.Admin, Password: hash}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/api/v1/me", "/api", "/api/", "/api/v1/login/x", "/api/v1/LOGIN", "/api/v1/sessions", "/api/v1/openapi.json"} {
		do("GET", p, "", 401)
	}
	do("POST", "/api/v1/login", `{"user": "li", "password": "nope"}`, 401, "wrong_login")
	do("POST", "/api/v1/login", `{"user": "<script>", "password": "<script>"}`, 401, "wrong_login")
	res := do("POST", "/api/v1/login", `{"user": "li", "password": "correct horse battery"}`, 200, `"role":"admin"`)
	if len(res.Cookies()) != 1 {
		t.Fatalf("cookies %v", res.Cookies())
	}
	cookie = res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	if got := do("GET", "/api/v1/me", "", 200, "api for li true").Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("what the API says may be kept: %q", got)
	}
	do("POST", "/api/v1/logout", "", 204)
	do("GET", "/api/v1/me", "", 401)

	if _, err := New(Options{API: api}); err == nil {
		t.Error("a site without users has no error")
	}
	if _, err := New(Options{Access: access.Options{Users: users, Audit: log}}); err == nil {
		t.Error("a site without an API has no error")
	}
}
