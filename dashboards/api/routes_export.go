package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/export"
	"github.com/tingke/tingke/dashboards/filter"
)

// Bounds of exports over HTTP. What takes longer is for the command line.
const (
	exportTimeout = 15 * time.Minute
	exportsAtOnce = 4
	exportsByOne  = 2
	// exportStall is how long a reader may take no byte.
	exportStall = time.Minute
)

// exportRoles says who may export what: product managers what customers say, agents nothing.
var exportRoles = map[string][]access.Role{
	"opinions": staff,
	"mentions": staff,
	"sessions": {access.Admin, access.Supervisor, access.Analyst},
	"hits":     {access.Admin, access.Supervisor, access.Analyst},
	"turns":    {access.Admin, access.Supervisor, access.Analyst},
	"kpi":      {access.Admin, access.Supervisor, access.Analyst},
}

// ExportInfo is a dataset that the caller may export.
type ExportInfo struct {
	Dataset string         `json:"dataset"`
	Title   string         `json:"title"`
	Formats []string       `json:"formats"`
	Filters []string       `json:"filters" doc:"filters it takes"`
	Options []ExportOption `json:"options"`
	Split   string         `json:"split,omitempty" doc:"what it can be split by"`
	Columns []ExportColumn `json:"columns" doc:"those of the default options"`
}

// ExportOption is a choice beside the filters.
type ExportOption struct {
	Name     string   `json:"name"`
	Enum     []string `json:"enum,omitempty"`
	Default  string   `json:"default,omitempty"`
	Repeated bool     `json:"repeated"`
	Doc      string   `json:"doc"`
}

// ExportColumn is a column of an export.
type ExportColumn struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Note  string `json:"note"`
}

func (a *API) exportRoutes() []Route {
	x := &exports{api: a, by: map[string]int{}}
	routes := []Route{{
		Method: http.MethodGet, Path: "/exports", Roles: staff, Summary: "What the caller can export, in which formats, with which columns",
		Query: []Param{exportLang}, Response: []ExportInfo{}, Handle: x.list,
	}}
	for _, d := range export.Datasets() {
		query := []Param{{Name: "format", Type: "text", Enum: export.FormatNames(), Default: "xlsx", Doc: "file format: xlsx and csv are for people, the others for programs"}, exportLang}
		if d.Group != "" {
			query = append(query, Param{Name: "split", Type: "text", Enum: []string{d.Group}, Doc: "a sheet for each, in formats without sheets a file for each in a zip archive"})
		}
		for _, o := range d.Options {
			query = append(query, Param{Name: o.Name, Type: "text", Enum: o.Enum, Default: o.Default, Repeated: o.Repeated, Doc: o.Doc})
		}
		routes = append(routes, Route{
			Method: http.MethodGet, Path: "/exports/" + d.Name, Roles: exportRoles[d.Name], Summary: "Download " + d.Title.In(export.English) + " as a file; the export is written to the audit log",
			Filters: exportFilters(d), Query: query, Produces: "application/octet-stream", Timeout: exportTimeout,
			Handle: func(r *Request) (any, error) { return x.start(r, d) },
		})
	}
	return routes
}

var exportLang = Param{Name: "lang", Type: "text", Enum: []string{"zh", "zh-CN", "en"}, Default: "zh", Doc: "language of titles and names"}

// exportFilters are the shared filters of a dataset, without those that it has as options of its own.
func exportFilters(d *export.Dataset) []string {
	var names []string
	for _, f := range filter.Fields() {
		if d.Takes(f.Name) && !slices.ContainsFunc(d.Options, func(o export.Option) bool { return o.Name == f.Name }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// exports runs the exports of an API.
type exports struct {
	api *API

	mu sync.Mutex
	n  int
	by map[string]int
}

// enter takes a place among the exports under way; the result gives it back.
func (x *exports) enter(who string) (func(), error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.n >= exportsAtOnce || x.by[who] >= exportsByOne {
		return nil, Busy("%d exports run already; wait for one to end", x.n)
	}
	x.n++
	x.by[who]++
	return sync.OnceFunc(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.n--
		if x.by[who]--; x.by[who] == 0 {
			delete(x.by, who)
		}
	}), nil
}

func (x *exports) list(r *Request) (any, error) {
	lang, err := export.ParseLang(r.Get("lang"))
	if err != nil {
		return nil, BadValue("lang", "%v", err)
	}
	out := []ExportInfo{}
	for _, d := range export.Datasets() {
		if !r.Who.Is(exportRoles[d.Name]...) {
			continue
		}
		info := ExportInfo{Dataset: d.Name, Title: d.Title.In(lang), Formats: export.FormatNames(), Filters: exportFilters(d), Split: d.Group}
		for _, o := range d.Options {
			info.Options = append(info.Options, ExportOption{o.Name, o.Enum, o.Default, o.Repeated, o.Doc})
		}
		for _, c := range d.Described() {
			info.Columns = append(info.Columns, ExportColumn{c.Name, strings.ReplaceAll(c.Title.In(lang), "\n", " "), c.Note.In(lang)})
		}
		out = append(out, info)
	}
	return out, nil
}

// start begins the query, so that its errors are still told as JSON, and writes the audit log before any byte leaves.
func (x *exports) start(r *Request, d *export.Dataset) (_ any, err error) {
	format, err := export.ParseFormat(r.Get("format"))
	if err != nil {
		return nil, BadValue("format", "%v", err)
	}
	lang, err := export.ParseLang(r.Get("lang"))
	if err != nil {
		return nil, BadValue("lang", "%v", err)
	}
	options := url.Values{}
	for _, o := range d.Options {
		options[o.Name] = r.All(o.Name)
	}
	q := export.Request{Dataset: d.Name, Format: format, Lang: lang, Filter: r.Filter, Options: options, Split: r.Get("split"), By: r.Who.Name, Web: origin(r.HTTP)}
	if r.Who.Role != access.Admin && len(r.Who.Teams) > 0 {
		q.Teams = r.Who.Teams
	}
	leave, err := x.enter(r.Who.User)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			leave()
		}
	}()
	if err := access.Audit(r.Context(), access.ActionExport, d.Name, map[string]any{"format": format.Name, "filter": r.Filter.String(), "options": options.Encode(), "split": q.Split}); err != nil {
		return nil, fmt.Errorf("cannot write the audit log, so nothing is exported: %w", err)
	}
	_, names, err := x.api.ruleNames(r.Context())
	if err != nil {
		return nil, err
	}
	exporter := export.New(export.Options{DB: x.api.Warehouse.Conn(), Timezone: x.api.Timezone, Now: x.api.Now, RuleNames: names})
	job, err := exporter.Start(r.Context(), q)
	if err != nil {
		return nil, exportError(err)
	}
	return &download{job, leave, d.Name}, nil
}

func exportError(err error) error {
	var wrong *export.RequestError
	if errors.As(err, &wrong) {
		return BadValue(wrong.Field, "%s", wrong.Problem)
	}
	return err
}

// origin is the address under which the caller sees the pages, for links.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// download is an export on its way.
type download struct {
	job   *export.Job
	leave func()
	name  string
}

// Respond implements Responder.
func (d *download) Respond(w http.ResponseWriter, r *http.Request) error {
	defer d.leave()
	defer d.job.Close()
	h := w.Header()
	h.Set("Content-Type", d.job.MediaType())
	h.Set("Content-Disposition", attachment(d.name+d.job.Extension(), d.job.Title()+d.job.Extension()))
	err := d.job.Write(r.Context(), &patient{w, http.NewResponseController(w)})
	if err != nil { // answered as JSON where nothing was sent yet
		h.Del("Content-Disposition")
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	return exportError(err)
}

// attachment names a file for a browser: plain for old ones, the whole name by RFC 5987.
func attachment(plain, name string) string {
	return fmt.Sprintf("attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, strings.ReplaceAll(url.QueryEscape(name), "+", "%20"))
}

// patient gives a reader time for each part, rather than for the whole, which may be large.
type patient struct {
	w http.ResponseWriter
	c *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.c.SetWriteDeadline(time.Now().Add(exportStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}
