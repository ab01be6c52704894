// Package api is the HTTP API under /api/v1: everything that people decide on, as JSON, for the web app and for programs.
//
// Each area is a file with a method that returns its routes; a Route says who may call it, what it takes and what it
// gives, and the OpenAPI description is made from that. The framework checks the role, the parameters and the body
// strictly before a handler runs: what a route does not declare is refused. A handler gets a Request whose Filter is
// already bound to what its caller may see; a session outside of it is not found.
//
// The package reads the public views, so every figure can be selected by anybody with SQL too. It knows neither log-ins
// nor cookies: who makes a request is in its context (access.FromContext), put there by the caller. It must not import
// cmd or the pages.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/review"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/memo"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/upload"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
)

// Prefix is where the API lives.
const Prefix = "/api/v1"

// Bounds of a request, where a route says nothing else.
const (
	defaultTimeout = 30 * time.Second
	defaultMaxBody = 1 << 20
)

// Options are what the routes need. What is nil is not there: its routes answer 503 and say what is missing.
type Options struct {
	// Warehouse holds the views. It stays the caller's to close.
	Warehouse *warehouse.Warehouse
	// Timezone is the one that days are counted in; nil is UTC. It should be the one of the views.
	Timezone *time.Location
	// Opinions changes the registry of opinions; nil leaves it as it is.
	Opinions *opinions.Keeper
	// OpinionModel says which replies are alike; nil says nothing about answers.
	OpinionModel *opinion.Model
	// Reviews takes decisions, appeals and assignments; nil takes none.
	Reviews *review.Service
	// Rules are the packs in use; nil has none.
	Rules *rulestore.Store
	// RuleOptions are those with which packs are compiled.
	RuleOptions rules.Options
	// Analyser gives the analyser in use, to explain and to try rules; nil does neither.
	Analyser func() *analyse.Analyser
	// Mask masks conversations that people paste, as those that come in are; nil leaves them as they are.
	Mask assemble.Masker
	// Sources tells how the parts of the analyser stand that may change; nil says nothing.
	Sources func() []current.Status
	// Alerts shows alerts as they come; nil shows none. Its Run is the caller's.
	Alerts *alert.Hub
	// Uploads takes files to import; nil takes none.
	Uploads *upload.Service
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets one line per failed request; nil is slog.Default().
	Log *slog.Logger
}

// API answers requests. It is safe for concurrent use. Close ends the long work that it began.
type API struct {
	Options
	jobs    *jobs
	memo    *memo.Memo
	watched watched
	routes  []Route
	mux     *http.ServeMux
	openAPI []byte
}

// New makes the API. It runs no query.
func New(o Options) (*API, error) {
	if o.Warehouse == nil {
		return nil, errors.New("api: Options.Warehouse is missing")
	}
	return build(o)
}

func build(o Options) (*API, error) {
	if o.Timezone == nil {
		o.Timezone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &API{Options: o, jobs: newJobs(), memo: new(memo.Memo), mux: http.NewServeMux()}
	a.routes = a.allRoutes()
	for i := range a.routes {
		if err := a.routes[i].prepare(); err != nil {
			return nil, err
		}
		r := &a.routes[i]
		a.mux.Handle(r.Method+" "+Prefix+r.Path, a.handler(r))
	}
	a.mux.HandleFunc("GET "+Prefix+"/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		if _, ok := access.FromContext(r.Context()); !ok {
			a.fail(w, r, errNoLogin)
			return
		}
		header(w)
		_, _ = w.Write(a.openAPI)
	})
	a.mux.HandleFunc("/", a.unknown)
	var err error
	a.openAPI, err = describe(a.routes)
	return a, err
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Routes lists all routes, for tests and documentation.
func (a *API) Routes() []Route { return slices.Clone(a.routes) }

// handler runs one route.
func (a *API) handler(route *Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		ctx := hr.Context()
		if !route.Endless {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, route.Timeout)
			defer cancel()
		}
		hr = hr.WithContext(ctx)
		out, err := a.call(w, hr, route)
		if err == nil {
			err = a.reply(w, hr, out)
		}
		if err != nil {
			a.fail(w, hr, err)
		}
	})
}

func (a *API) call(w http.ResponseWriter, hr *http.Request, route *Route) (any, error) {
	who, ok := access.FromContext(hr.Context())
	if !ok {
		return nil, errNoLogin
	}
	if !who.Is(route.Roles...) {
		return nil, &Error{http.StatusForbidden, "forbidden", fmt.Sprintf("the role %s may not do this", who.Role), ""}
	}
	r, err := a.request(w, hr, route, who)
	if err != nil {
		return nil, err
	}
	return route.Handle(r)
}

// Responder is a result that writes itself, such as a file or a stream of events. An error is answered with a status
// where nothing was written yet, else it cuts the connection, so that half a file is never taken for a whole one.
type Responder interface {
	Respond(w http.ResponseWriter, r *http.Request) error
}

// written remembers whether an answer has begun.
type written struct {
	http.ResponseWriter
	begun bool
}

func (w *written) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *written) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *written) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (a *API) reply(w http.ResponseWriter, r *http.Request, out any) error {
	header(w)
	switch x := out.(type) {
	case nil:
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return nil
	case Responder:
		ww := &written{ResponseWriter: w}
		err := x.Respond(ww, r)
		if err != nil && ww.begun {
			a.Log.Error("answer broken off", "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler)
		}
		return err
	}
	b, err := json.Marshal(tidy(out))
	if err != nil {
		return fmt.Errorf("cannot encode the answer: %w", err)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(b, '\n'))
	return nil
}

// header sets what every answer has. Conversations do not belong in a cache, and nothing here is a page.
func header(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// unknown answers what no route matches.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.fail(w, r, &Error{http.StatusMethodNotAllowed, "method_not_allowed", "use " + strings.Join(allowed, " or "), ""})
		return
	}
	a.fail(w, r, &Error{http.StatusNotFound, "no_route", "there is no such address; " + Prefix + "/openapi.json lists all", ""})
}

// tidy makes lists that are nil into empty ones, so that a reader need not tell the two apart, and numbers that JSON does
// not have (the mean of nothing) into null.
func tidy(v any) any {
	in := reflect.ValueOf(v)
	if in.Kind() != reflect.Pointer {
		p := reflect.New(in.Type())
		p.Elem().Set(in)
		in = p
	}
	tidyValue(in)
	return in.Interface()
}

func tidyValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if e := v.Elem(); e.Kind() == reflect.Float64 && v.CanSet() && !finite(e.Float()) {
			v.SetZero()
			return
		}
		tidyValue(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if e := v.Elem(); e.Kind() == reflect.Pointer || e.Kind() == reflect.Struct || e.Kind() == reflect.Slice {
			if e.Kind() == reflect.Pointer {
				tidyValue(e)
			} else if v.CanSet() {
				p := reflect.New(e.Type())
				p.Elem().Set(e)
				tidyValue(p.Elem())
				v.Set(p.Elem())
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				tidyValue(f)
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			if v.CanSet() && v.Type() != reflect.TypeFor[json.RawMessage]() && v.Type().Elem().Kind() != reflect.Uint8 {
				v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			}
			return
		}
		switch v.Type().Elem().Kind() {
		case reflect.Pointer, reflect.Struct, reflect.Slice, reflect.Interface:
			for i := range v.Len() {
				tidyValue(v.Index(i))
			}
		}
	case reflect.Map:
		if v.IsNil() {
			if v.CanSet() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			return
		}
		if e := v.Type().Elem(); e.Kind() == reflect.Slice && e.Elem().Kind() != reflect.Uint8 {
			for _, k := range v.MapKeys() {
				if e := v.MapIndex(k); e.IsNil() {
					v.SetMapIndex(k, reflect.MakeSlice(e.Type(), 0, 0))
				} else {
					tidyValue(e)
				}
			}
		}
	}
}

func finite(f float64) bool { return f-f == 0 }
