// Package dashboards reads the warehouse and serves pages about it: an overview, the sessions, one session with
// everything that was found in it, the agents, and the views that anybody may query.
//
// It reads only the public views, so every figure on a page can be selected by anybody else too. It writes nothing but
// the audit log and knows nothing of Kafka, files or models; it must not import cmd. What customers, agents and shops are
// called is hostile input: pages are made by html/template and every value reaches SQL as a query parameter.
//
// Everything but the log-in page and the static files stands behind the log-in of package access, and every query about
// sessions is limited to those that the reader may see.
package dashboards

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// queryTimeout bounds the queries of one page.
const queryTimeout = 30 * time.Second

// Options are what the pages need.
type Options struct {
	// DB holds the public views. It is used by several requests at once and stays the caller's to close.
	DB driver.Conn
	// Timezone is the one times are shown in; nil is UTC. It should be the one the views count days in.
	Timezone *time.Location
	// RuleNames gives the names of rules to people by id, over the names of the standard pack; others show their id.
	RuleNames map[string]string
	// Access says who may come in. Its Page and Log are set here.
	Access access.Options
	// API answers below /api/, behind the same log-in; nil is none.
	API http.Handler
	// Log gets one line per failed request; nil is slog.Default().
	Log *slog.Logger
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

type site struct {
	Options
	pages  map[string]*template.Template
	styles string // address of the style sheet, with its hash
	static http.Handler
	gate   *access.Gate

	// offered is for readers who may see everything; for others the values are read each time.
	offered struct {
		sync.Mutex
		options
		at time.Time
	}
}

// New makes the handler of all pages and, where there is one, of the API, behind the log-in. It runs no query, so the
// schema may be made later; a page then says what is missing. The handler is safe for concurrent use and sets the security
// headers; what address it may be reached at is the business of Serve.
func New(o Options) (http.Handler, error) {
	s, err := newSite(o)
	if err != nil {
		return nil, err
	}
	o.Access.Page, o.Access.Log = s.loginPage, s.Log
	if s.gate, err = access.New(o.Access); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, h := range map[string]http.HandlerFunc{"/login": s.gate.Login, "/logout": s.gate.Logout, "/api/v1/login": s.gate.Login, "/api/v1/logout": s.gate.Logout} {
		mux.Handle(path, h)
	}
	mux.Handle("/static/", s.static)
	if o.API != nil {
		mux.Handle("/api/", o.API)
	}
	mux.Handle("/", s.pageMux())
	return guard(s.gate.Middleware(needsNoLogin, mux)), nil
}

// needsNoLogin names what is open to everybody.
func needsNoLogin(path string) bool {
	switch path {
	case "/login", "/logout", "/api/v1/login", "/api/v1/logout":
		return true
	}
	file, ok := strings.CutPrefix(path, "/static/")
	return ok && !strings.Contains(file, "/")
}

// newSite reads templates and static files.
func newSite(o Options) (*site, error) {
	if o.DB == nil {
		return nil, errors.New("dashboards: Options.DB is missing")
	}
	if o.Timezone == nil {
		o.Timezone = time.UTC
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &site{Options: o, pages: map[string]*template.Template{}}
	for _, name := range []string{"overview", "sessions", "session", "agents", "data", "error", "login"} {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("cannot read the template of page %s: %w", name, err)
		}
		s.pages[name] = t
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("cannot read the static files: %w", err)
	}
	css, err := fs.ReadFile(static, "style.css")
	if err != nil {
		return nil, fmt.Errorf("cannot read the style sheet: %w", err)
	}
	sum := sha256.Sum256(css)
	s.styles = "/static/style.css?v=" + hex.EncodeToString(sum[:6])
	files := http.StripPrefix("/static/", http.FileServerFS(static))
	s.static = onlyRead(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		files.ServeHTTP(w, r)
	}))
	return s, nil
}

// Who may read which pages. Everybody sees only the sessions of the own scope.
var (
	everybody = access.Roles
	staff     = []access.Role{access.Admin, access.Supervisor, access.Product, access.Analyst}
	quality   = []access.Role{access.Admin, access.Supervisor, access.Analyst}
)

// pageMux are the pages, for requests that have an Identity.
func (s *site) pageMux() http.Handler {
	mux := http.NewServeMux()
	overview := s.page("overview", staff, s.overview)
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		if id, ok := access.FromContext(r.Context()); ok && id.Role == access.Agent {
			http.Redirect(w, r, "/sessions", http.StatusSeeOther)
			return
		}
		overview.ServeHTTP(w, r)
	})
	mux.Handle("/sessions", s.page("sessions", everybody, s.sessions))
	mux.Handle("/sessions/{id}", s.page("session", everybody, s.session))
	mux.Handle("/agents", s.page("agents", quality, s.agents))
	mux.Handle("/data", s.page("data", staff, s.data))
	mux.Handle("/", s.page("error", everybody, func(context.Context, *page, *http.Request) error {
		return &problem{http.StatusNotFound, "no_page", ""}
	}))
	return onlyRead(mux)
}

// onlyRead lets only reading through.
func onlyRead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "these pages are only read: GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard forbids the browser everything the pages do not need.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // conversations do not belong in a cache
		next.ServeHTTP(w, r)
	})
}

// page is what every template sees.
type page struct {
	*site
	Name   string // of the template
	Title  string
	Filter Filter
	Body   any
	Who    access.Identity

	lang   int // index into words
	path   string
	values url.Values
}

// problem is an error for the reader: a status and the word that says what to do.
type problem struct {
	status int
	word   string
	detail string
}

func (p *problem) Error() string { return p.word + " " + p.detail }

// page renders what load puts into the page, or says what went wrong and what to do about it. It is for the roles.
func (s *site) page(name string, roles []access.Role, load func(context.Context, *page, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		id, _ := access.FromContext(ctx)
		p := s.newPage(name, id, r)
		status := http.StatusOK
		var err error
		switch {
		case p.values == nil:
			err = &problem{http.StatusBadRequest, "bad_address", ""}
		case !id.Is(roles...):
			err = &problem{http.StatusForbidden, "not_yours", ""}
		default:
			if p.Filter, err = parseFilter(p.values); err == nil {
				p.Filter.scope = id.Scope()
				err = load(ctx, p, r)
			}
		}
		if err != nil {
			if r.Context().Err() != nil {
				return // the reader has gone
			}
			pr := s.explain(err)
			if pr.status >= 500 {
				s.Log.Error("page failed", "page", name, "query", r.URL.RawQuery, "error", err)
			}
			status = pr.status
			p.Name, p.Title, p.Body = "error", p.T(pr.word), pr
		}
		s.render(w, status, p)
	})
}

// newPage is an empty page for the reader; its values are nil where the address is broken.
func (s *site) newPage(name string, id access.Identity, r *http.Request) *page {
	p := &page{site: s, Name: name, Who: id, path: r.URL.EscapedPath()}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p
	}
	if strings.HasPrefix(values.Get("lang"), "en") {
		p.lang = 1
	}
	p.values = values
	return p
}

func (s *site) render(w http.ResponseWriter, status int, p *page) {
	var b bytes.Buffer
	if err := s.pages[p.Name].Execute(&b, p); err != nil {
		s.Log.Error("page cannot be rendered", "page", p.Name, "error", err)
		http.Error(w, "the page cannot be rendered; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// Codes of ClickHouse for a schema that is not there, or older than this program.
const (
	codeUnknownIdentifier = 47
	codeUnknownTable      = 60
	codeUnknownDatabase   = 81
)

// explain turns an error into what the reader can do about it.
func (s *site) explain(err error) *problem {
	var pr *problem
	switch {
	case errors.As(err, &pr):
		return pr
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{http.StatusServiceUnavailable, "too_slow", ""}
	case slices.Contains([]int{codeUnknownIdentifier, codeUnknownTable, codeUnknownDatabase}, warehouse.ErrorCode(err)):
		return &problem{http.StatusServiceUnavailable, "no_schema", ""}
	}
	return &problem{http.StatusServiceUnavailable, "no_store", ""}
}

// Hint is the second line of a problem: what to do.
func (p *page) Hint(pr *problem) string { return p.T(pr.word+"_do", pr.detail) }

// Detail is what exactly is wrong, empty where the title says it all.
func (pr *problem) Detail() string { return pr.detail }

// Status is the HTTP status of the problem.
func (pr *problem) Status() int { return pr.status }
