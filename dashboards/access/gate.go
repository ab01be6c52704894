package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Options are what a Gate needs.
type Options struct {
	Users *Users
	Audit Auditor

	// Secure says that people reach the server over https only, through a proxy: cookies are then never sent otherwise.
	Secure bool
	// Hosts are the names of the server for others, for browsers too old to say where a request comes from.
	Hosts []string
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Sees says what agents see; "" is SeesOwn.
	Sees Sees
	// Idle and Lifetime end a log-in session; 0 is 2 and 12 hours.
	Idle, Lifetime time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Gate lets in who may come in. It is safe for concurrent use.
type Gate struct {
	Options
	sessions        *scs.SessionManager
	secure          *scs.SessionManager // the same, with cookies for https only
	store           *sessionStore
	passwords       *checker
	addresses, user *limitTable
	origins         *http.CrossOriginProtection
	recheck         time.Duration // how often a request that lasts is looked at again
}

// recheckEvery is how long a stream of events outlives the rights of its reader at most.
const recheckEvery = 5 * time.Second

// Names of the cookie. The prefix makes browsers refuse one that was set by another host or without https.
const (
	cookieName       = "tingke_session"
	secureCookieName = "__Host-tingke_session"
)

// Keys of a log-in session.
const (
	sessionUser        = "user"
	sessionFingerprint = "fingerprint"
)

// New makes a gate.
func New(o Options) (*Gate, error) {
	if o.Users == nil || o.Audit == nil {
		return nil, errors.New("access: Options.Users and Options.Audit are needed")
	}
	if o.Sees == "" {
		o.Sees = SeesOwn
	}
	if o.Idle <= 0 {
		o.Idle = 2 * time.Hour
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 12 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	g := &Gate{Options: o, origins: http.NewCrossOriginProtection(), recheck: recheckEvery,
		addresses: newLimitTable(addressEvery, addressBurst), user: newLimitTable(userEvery, userBurst)}
	for _, h := range o.Hosts {
		if err := g.origins.AddTrustedOrigin("https://" + h); err != nil {
			return nil, fmt.Errorf("access: host %q: %w", h, err)
		}
	}
	var err error
	if g.passwords, err = newChecker(); err != nil {
		return nil, err
	}
	g.store = newSessionStore(o.Idle, o.Lifetime, o.Now)
	m := scs.New()
	m.Store, m.HashTokenInStore, m.Lifetime = g.store, true, o.Lifetime
	m.Cookie.Name, m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Persist = cookieName, true, http.SameSiteLaxMode, false
	g.sessions = m
	s := *m
	s.Cookie.Name, s.Cookie.Secure = secureCookieName, true
	g.secure = &s
	return g, nil
}

// manager is the one whose cookies fit the request.
func (g *Gate) manager(r *http.Request) *scs.SessionManager {
	if g.Secure || r.TLS != nil {
		return g.secure
	}
	return g.sessions
}

// Middleware lets requests through that bring a log-in session or an API token, with their Identity and the audit log in
// the context. Others get 401 as JSON. A request that another web site makes
// with the cookie is refused. The context of a request that lasts, such as a stream, ends soon after the session, the token
// or the rights of its user. open, which may be nil, says which paths need no log-in; below it there is no Identity.
func (g *Gate) Middleware(open func(path string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := g.Address(r)
		ctx := WithAuditor(r.Context(), g.Audit, address)
		bearer := r.Header.Get("Authorization") != ""
		if !bearer {
			if err := g.origins.Check(r); err != nil {
				writeError(w, http.StatusForbidden, "cross_origin", "this request comes from another web site")
				return
			}
		}
		if open != nil && open(r.URL.Path) {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		w.Header().Add("Vary", "Cookie, Authorization")
		w.Header().Set("Cache-Control", "no-store")
		var id Identity
		var ok bool
		if bearer {
			id, ok = g.byToken(r)
		} else {
			ctx, id, ok = g.bySession(ctx, r)
		}
		g.auditUsers(ctx)
		switch {
		case !ok && bearer:
			w.Header().Set("WWW-Authenticate", `Bearer realm="tingke", error="invalid_token"`)
			writeError(w, http.StatusUnauthorized, "unauthenticated", "this API token is unknown, expired or of a disabled user")
		case !ok:
			g.askLogin(w)
		case id.Role == Agent && id.Sees == SeesOff:
			writeError(w, http.StatusForbidden, "agents_off", "agents may not use these pages here (agents_see: off)")
		default:
			ctx, cancel := context.WithCancel(WithIdentity(ctx, id))
			defer cancel()
			stop := every(g.recheck, func() bool {
				now, ok := g.again(r, bearer)
				if !ok || !reflect.DeepEqual(now, id) {
					cancel()
					return false
				}
				return true
			})
			defer stop()
			next.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

// again tells whose request it is by now, without counting as use of a session.
func (g *Gate) again(r *http.Request, bearer bool) (Identity, bool) {
	if bearer {
		return g.byToken(r)
	}
	_, id, ok := g.bySession(onlyLook(context.Background()), r)
	return id, ok
}

// every calls f each so often until it says false or stop is called. A call of f may still run when stop returns.
func every(d time.Duration, f func() bool) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	over := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(d, func() {
		if !f() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !over {
			timer.Reset(d)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// byToken finds whose API token the request brings.
func (g *Gate) byToken(r *http.Request) (Identity, bool) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, tokenPrefix) {
		return Identity{}, false
	}
	owner, ok := g.Users.current().byToken[sha256.Sum256([]byte(secret))]
	if !ok || owner.user.Disabled || !owner.token.Expires.IsZero() && !g.Now().Before(owner.token.Expires) {
		return Identity{}, false
	}
	return owner.user.identity(g.Sees, true), true
}

// bySession finds whose log-in session the request brings; the context gets the session. Role and teams are those of the
// users file now, not those of the log-in.
func (g *Gate) bySession(ctx context.Context, r *http.Request) (context.Context, Identity, bool) {
	m := g.manager(r)
	c, err := r.Cookie(m.Cookie.Name)
	if err != nil || c.Value == "" {
		return ctx, Identity{}, false
	}
	loaded, err := m.Load(ctx, c.Value)
	if err != nil {
		g.Log.Error("cannot read a log-in session", "error", err)
		return ctx, Identity{}, false
	}
	name := m.GetString(loaded, sessionUser)
	if name == "" {
		return loaded, Identity{}, false
	}
	user, ok := g.Users.Lookup(name)
	if !ok || user.Disabled || user.fingerprint() != m.GetString(loaded, sessionFingerprint) {
		if err := m.Destroy(loaded); err != nil {
			g.Log.Error("cannot end a log-in session", "error", err)
		}
		return loaded, Identity{}, false
	}
	return loaded, user.identity(g.Sees, false), true
}

// auditUsers writes what a reload of the users file changed. It is not what the request did, so the request goes on when
// it cannot be written.
func (g *Gate) auditUsers(ctx context.Context) {
	for _, c := range g.Users.Changes() {
		if err := Audit(WithIdentity(ctx, Identity{User: "users file"}), ActionUser, c.User, c); err != nil {
			g.Log.Error("a change of the users file is not in the audit log", "user", c.User, "what", c.What, "error", err)
		}
	}
}

// askLogin answers a request of nobody.
func (g *Gate) askLogin(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="tingke"`)
	if g.Users.Empty() {
		writeError(w, http.StatusUnauthorized, "no_users", g.noUsers())
		return
	}
	writeError(w, http.StatusUnauthorized, "unauthenticated", "log in, or send an API token: Authorization: Bearer ...")
}

func (g *Gate) noUsers() string {
	return fmt.Sprintf("there are no users yet; make the first one where the server runs: tingke user add NAME --role admin (users file %s)", g.Users.Path())
}

// writeError is an error in the form of the API.
func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// Address is that of the client: of the connection, or what a trusted proxy says it is.
func (g *Gate) Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	trusted := func(s string) bool {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return false
		}
		for _, p := range g.Proxies {
			if p.Contains(a.Unmap()) {
				return true
			}
		}
		return false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(host); i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		host = a.Unmap().WithZone("").String()
	}
	return host
}
