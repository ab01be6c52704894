package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/filter"
)

// Route is one address of the API.
type Route struct {
	Method  string        // GET reads, the others write
	Path    string        // under Prefix, a pattern of net/http such as /sessions/{id}
	Roles   []access.Role // who may call it
	Summary string        // one sentence
	// Filters are the names of shared filters it takes; Request.Filter holds them.
	Filters []string
	// Query are its other parameters; any that is not declared is refused.
	Query []Param
	// Paged routes take limit and cursor.
	Paged bool
	// Body is the zero value of what the JSON body holds, nil for a route without one. The handler gets it by Body. A
	// type with a method Check() error is checked.
	Body any
	// RawBody is the media type of a body that the handler reads itself, from Request.HTTP.Body.
	RawBody string
	// MaxBody bounds the body, bytes; 0 is 1 MiB.
	MaxBody int64
	// Response is the zero value of the answer; nil for 204.
	Response any
	// Produces is the media type of an answer that is no JSON.
	Produces string
	// Timeout bounds the handler; 0 is 30 s. Endless routes have none: streams of events.
	Timeout time.Duration
	Endless bool
	// Handle answers. It runs only for a caller with one of the roles and with checked input; nil is answered by 204, a
	// Responder writes itself, anything else is encoded as JSON.
	Handle func(*Request) (any, error)

	bodyType reflect.Type
	params   map[string]Param
	inPath   []string
}

// Param is a query parameter.
type Param struct {
	Name     string
	Type     string // text, int, number, day, bool (0 or 1)
	Enum     []string
	Default  string
	Required bool
	Repeated bool
	Min, Max int // of an int; both 0 for no bounds
	Doc      string
}

// maxParam bounds one value of a parameter, bytes.
const maxParam = 4096

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 500
)

var pathName = regexp.MustCompile(`\{([a-z_]+)(\.\.\.)?\}`)

// prepare checks a route and works out what it takes.
func (r *Route) prepare() error {
	name := r.Method + " " + r.Path
	if len(r.Roles) == 0 || r.Handle == nil || r.Summary == "" {
		return fmt.Errorf("route %s lacks roles, a handler or a summary", name)
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	if r.MaxBody == 0 {
		r.MaxBody = defaultMaxBody
	}
	if r.Body != nil {
		r.bodyType = reflect.TypeOf(r.Body)
	}
	r.params = map[string]Param{}
	for _, f := range r.Filters {
		if !filter.Has(f) {
			return fmt.Errorf("route %s: there is no filter %q", name, f)
		}
	}
	if r.Paged {
		r.Query = append(slices.Clone(r.Query),
			Param{Name: "limit", Type: "int", Min: 1, Max: maxLimit, Default: strconv.Itoa(defaultLimit), Doc: "most items of one answer"},
			Param{Name: "cursor", Type: "text", Doc: "next of the answer before"})
	}
	for _, p := range r.Query {
		if r.params[p.Name].Name != "" || slices.Contains(r.Filters, p.Name) {
			return fmt.Errorf("route %s: parameter %s is declared twice", name, p.Name)
		}
		r.params[p.Name] = p
	}
	for _, m := range pathName.FindAllStringSubmatch(r.Path, -1) {
		r.inPath = append(r.inPath, m[1])
	}
	return nil
}

// Request is what a handler gets. It lives as long as the handler runs.
type Request struct {
	HTTP  *http.Request
	Who   access.Identity
	Scope access.Scope
	// Filter holds the filters of the address and the scope: whatever is selected by it is what the caller may see.
	Filter filter.Filter
	// Limit is the size of a page.
	Limit int

	query url.Values
	body  any
	route *Route
}

// request checks what came in.
func (a *API) request(w http.ResponseWriter, hr *http.Request, route *Route, who access.Identity) (*Request, error) {
	r := &Request{HTTP: hr, Who: who, Scope: who.Scope(), route: route}
	for _, name := range route.inPath {
		if v := hr.PathValue(name); v == "" || len(v) > maxParam || !utf8.ValidString(v) {
			return nil, NotFound(strings.TrimSuffix(name, "_id"))
		}
	}
	var err error
	if r.query, err = url.ParseQuery(hr.URL.RawQuery); err != nil {
		return nil, &Error{http.StatusBadRequest, "bad_query", "the address is not well formed", ""}
	}
	for name, values := range r.query {
		if slices.Contains(route.Filters, name) {
			continue
		}
		p, ok := route.params[name]
		if !ok {
			return nil, &Error{http.StatusBadRequest, "unknown_parameter", "this route takes no such parameter", clip(name, 60)}
		}
		if err := p.check(values); err != nil {
			return nil, err
		}
	}
	for _, p := range route.params {
		if p.Required && r.query.Get(p.Name) == "" {
			return nil, &Error{http.StatusBadRequest, "missing", "is needed", p.Name}
		}
		if p.Default != "" && r.query.Get(p.Name) == "" {
			r.query.Set(p.Name, p.Default)
		}
	}
	filters := url.Values{} // a route may have a parameter of its own with the name of a filter
	for _, name := range route.Filters {
		filters[name] = r.query[name]
	}
	if r.Filter, err = filter.Parse(filters); err != nil {
		return nil, err
	}
	sql, params := r.Scope.Where("team", "agent_ids")
	r.Filter = r.Filter.Within(sql, params...)
	if route.Paged {
		r.Limit = r.Int("limit")
	}
	hr.Body = http.MaxBytesReader(w, hr.Body, route.MaxBody)
	if route.bodyType != nil {
		return r, r.decode()
	}
	if route.RawBody == "" {
		if n, _ := io.ReadFull(hr.Body, make([]byte, 1)); n > 0 {
			return nil, &Error{http.StatusBadRequest, "unexpected_body", "this route takes no body", ""}
		}
	} else if media, _, err := mime.ParseMediaType(hr.Header.Get("Content-Type")); err != nil || media != route.RawBody {
		return nil, &Error{http.StatusUnsupportedMediaType, "media_type", "send " + route.RawBody, ""}
	}
	return r, nil
}

func (p Param) check(values []string) error {
	if len(values) > 1 && !p.Repeated || len(values) > 100 {
		return BadValue(p.Name, "is given too often")
	}
	for _, v := range values {
		switch {
		case v == "":
			continue
		case len(v) > maxParam || !utf8.ValidString(v):
			return BadValue(p.Name, "is too long or not UTF-8")
		case p.Enum != nil:
			if !slices.Contains(p.Enum, v) {
				return BadValue(p.Name, "%q is none of %s", clip(v, 60), strings.Join(p.Enum, ", "))
			}
		case p.Type == "int":
			n, err := strconv.Atoi(v)
			if err != nil || (p.Min != 0 || p.Max != 0) && (n < p.Min || n > p.Max) {
				return BadValue(p.Name, "%q is no whole number from %d to %d", clip(v, 60), p.Min, p.Max)
			}
		case p.Type == "number":
			if f, err := strconv.ParseFloat(v, 64); err != nil || !finite(f) {
				return BadValue(p.Name, "%q is no number", clip(v, 60))
			}
		case p.Type == "day":
			if t, err := time.Parse(time.DateOnly, v); err != nil || t.Year() < 1970 || t.Year() >= 2149 {
				return BadValue(p.Name, "%q is no day; write one such as 2026-03-31", clip(v, 60))
			}
		case p.Type == "bool":
			if v != "0" && v != "1" {
				return BadValue(p.Name, "%q is neither 0 nor 1", clip(v, 60))
			}
		}
	}
	return nil
}

// decode reads the JSON body strictly: one value, no unknown fields.
func (r *Request) decode() error {
	if media, _, err := mime.ParseMediaType(r.HTTP.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &Error{http.StatusUnsupportedMediaType, "media_type", "send application/json", ""}
	}
	b, err := io.ReadAll(r.HTTP.Body)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return &Error{http.StatusBadRequest, "bad_body", "the body cannot be read", ""}
	}
	p := reflect.New(r.route.bodyType)
	if err := strictJSON(b, p.Interface()); err != nil {
		return err
	}
	if c, ok := p.Interface().(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return err
		}
	}
	r.body = p.Interface()
	return nil
}

func strictJSON(b []byte, into any) error {
	if !utf8.Valid(b) {
		return &Error{http.StatusBadRequest, "bad_body", "the body is not UTF-8", ""}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var typed *json.UnmarshalTypeError
	switch {
	case err == nil:
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return &Error{http.StatusBadRequest, "bad_body", "there is more than one value in the body", ""}
		}
		return nil
	case errors.As(err, &typed):
		return &Error{http.StatusBadRequest, "bad_value", fmt.Sprintf("a %s does not go here", typed.Value), typed.Field}
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name, _ := strconv.Unquote(strings.TrimPrefix(err.Error(), "json: unknown field "))
		return &Error{http.StatusBadRequest, "unknown_field", "there is no such field", clip(name, 60)}
	}
	return &Error{http.StatusBadRequest, "bad_body", "the body is no JSON: " + clip(err.Error(), 120), ""}
}

// Body is the decoded body; T must be the type of Route.Body.
func Body[T any](r *Request) *T { return r.body.(*T) }

// Context ends when the caller has gone or the time of the route is over.
func (r *Request) Context() context.Context { return r.HTTP.Context() }

// PathValue is a part of the path.
func (r *Request) PathValue(name string) string { return r.HTTP.PathValue(name) }

// Get is a checked query parameter, its default where it is not given.
func (r *Request) Get(name string) string { return r.query.Get(name) }

// All are the values of a repeated query parameter.
func (r *Request) All(name string) []string {
	return slices.DeleteFunc(slices.Clone(r.query[name]), func(v string) bool { return v == "" })
}

// Int is a checked query parameter of type int.
func (r *Request) Int(name string) int {
	n, _ := strconv.Atoi(r.query.Get(name))
	return n
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
