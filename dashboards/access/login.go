package access

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxLoginBody bounds what a log-in sends.
const maxLoginBody = 8 << 10

// Credentials are the body of a log-in over the API.
type Credentials struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Login begins a log-in session: POST with Credentials as JSON, answered with the Identity. It must stand behind
// Middleware, as an open path.
func (g *Gate) Login(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		writeError(w, http.StatusMethodNotAllowed, "method_not_allowed", "log in by POST")
		return
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "bad_request", "send the credentials as application/json")
		return
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLoginBody))
	dec.DisallowUnknownFields()
	var c Credentials
	if err := dec.Decode(&c); err != nil {
		writeError(w, http.StatusBadRequest, "bad_request", "the body is no object with user and password: "+err.Error())
		return
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		writeError(w, http.StatusBadRequest, "bad_request", "the body has more than one object")
		return
	}
	id, f := g.login(w, r, c)
	if f != nil {
		f.header(w)
		writeError(w, f.status, f.code, f.message)
		return
	}
	writeJSON(w, http.StatusOK, id)
}

// failure is why a log-in is refused.
type failure struct {
	status        int
	code, message string
	wait          time.Duration
}

func (f *failure) header(w http.ResponseWriter) {
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.wait/time.Second)+1))
	}
}

// login checks the credentials and begins a session. What it answers does not tell an unknown user from a wrong password.
func (g *Gate) login(w http.ResponseWriter, r *http.Request, c Credentials) (Identity, *failure) {
	if g.Users.Empty() {
		return Identity{}, &failure{status: http.StatusServiceUnavailable, code: "no_users", message: g.noUsers()}
	}
	name := strings.ToLower(strings.TrimSpace(c.User))
	now := g.Now()
	undoAddress, wait := g.addresses.take(addressKey(g.Address(r)), now)
	if wait == 0 {
		var undoUser func()
		if undoUser, wait = g.user.take(name, now); wait == 0 {
			return g.verify(w, r, name, c.Password, func() { undoAddress(); undoUser() })
		}
		undoAddress()
	}
	return Identity{}, &failure{status: http.StatusTooManyRequests, code: "rate_limited", wait: wait,
		message: "too many failed log-ins; try again later"}
}

func (g *Gate) verify(w http.ResponseWriter, r *http.Request, name, password string, undo func()) (Identity, *failure) {
	user, known := g.Users.Lookup(name)
	g.auditUsers(r.Context())
	var hash *passwordHash
	if known && !user.Disabled {
		hash = user.hash
	}
	ok, err := false, error(nil)
	if len(password) <= MaxPassword {
		ok, err = g.passwords.check(r.Context(), hash, password)
	}
	if err != nil {
		undo()
		return Identity{}, &failure{status: http.StatusServiceUnavailable, code: "busy", message: "too many people log in at once; try again", wait: time.Second}
	}
	if !ok {
		// What was typed in place of a user may be a password: names that are none are not kept.
		object := "unknown user"
		if known {
			object = name
		}
		if err := Audit(r.Context(), ActionLoginFailed, object, nil); err != nil {
			g.Log.Error("a failed log-in is not in the audit log", "user", object, "address", g.Address(r), "error", err)
		}
		return Identity{}, &failure{status: http.StatusUnauthorized, code: "wrong_login", message: "user or password is wrong"}
	}
	undo()
	id := user.identity(g.Sees, false)
	if id.Role == Agent && id.Sees == SeesOff {
		return Identity{}, &failure{status: http.StatusForbidden, code: "agents_off", message: "agents may not use these pages here (agents_see: off)"}
	}
	if err := Audit(WithIdentity(r.Context(), id), ActionLogin, name, nil); err != nil {
		g.Log.Error("a log-in was refused because the audit log cannot be written", "user", name, "error", err)
		return Identity{}, &failure{status: http.StatusServiceUnavailable, code: "no_audit", message: "the audit log cannot be written, so nobody can log in; try again later"}
	}
	if err := g.begin(w, r, user); err != nil {
		g.Log.Error("a log-in session cannot begin", "user", name, "error", err)
		return Identity{}, &failure{status: http.StatusServiceUnavailable, code: "busy", message: "too many people are logged in; try again later", wait: time.Minute}
	}
	return id, nil
}

// begin makes a session with an id that nobody can have known before, and ends the one that the browser had.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, user *User) error {
	m := g.manager(r)
	var old string
	if c, err := r.Cookie(m.Cookie.Name); err == nil {
		old = c.Value
	}
	ctx, err := m.Load(withOwner(r.Context(), user.User), old)
	if err != nil {
		return err
	}
	if err := m.RenewToken(ctx); err != nil {
		return err
	}
	if err := m.Clear(ctx); err != nil {
		return err
	}
	m.Put(ctx, sessionUser, user.User)
	m.Put(ctx, sessionFingerprint, user.fingerprint())
	token, expiry, err := m.Commit(ctx)
	if err != nil {
		return err
	}
	m.WriteSessionCookie(ctx, w, token, expiry)
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

// Logout ends the log-in session of the request, by POST only. It must stand behind Middleware, as an open path: who is
// not logged in is answered alike.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		writeError(w, http.StatusMethodNotAllowed, "method_not_allowed", "log out by POST")
		return
	}
	if r.Header.Get("Authorization") == "" {
		g.end(w, r)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (g *Gate) end(w http.ResponseWriter, r *http.Request) {
	ctx, id, ok := g.bySession(context.WithoutCancel(r.Context()), r)
	m := g.manager(r)
	if ok {
		if err := Audit(WithIdentity(ctx, id), ActionLogout, id.User, nil); err != nil {
			g.Log.Error("a log-out is not in the audit log", "user", id.User, "error", err)
		}
		if err := m.Destroy(ctx); err != nil {
			g.Log.Error("cannot end a log-in session", "error", err)
		}
	}
	m.WriteSessionCookie(ctx, w, "", time.Time{})
	w.Header().Set("Cache-Control", "no-store")
}
