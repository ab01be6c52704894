package export

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/dashboards/filter"
)

// maxGroups bounds the sheets or files that a split may make.
const maxGroups = 60

// Options are what an Exporter needs.
type Options struct {
	// DB holds the public views.
	DB driver.Conn
	// Timezone is the one that times are shown in, that of the views' days; nil is UTC.
	Timezone *time.Location
	// Web is the address of the pages that links lead to, such as http://127.0.0.1:8080; "" makes none.
	Web string
	// RuleNames gives the names of rules to people by id, over those of the standard pack.
	RuleNames map[string]string
	// SheetRows is the number of rows of a sheet before the next begins, for tests; 0 is what programs open.
	SheetRows int
	// Now is the time that files say they were made at; nil is time.Now.
	Now func() time.Time
}

// Exporter writes datasets. It is safe for concurrent use.
type Exporter struct{ o Options }

// New makes an Exporter.
func New(o Options) *Exporter {
	if o.Timezone == nil {
		o.Timezone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Web = strings.TrimSuffix(o.Web, "/")
	return &Exporter{o}
}

// Request says what to write.
type Request struct {
	Dataset string
	Format  Format
	Lang    Lang
	// Filter is the set of sessions, with what the asker may see.
	Filter filter.Filter
	// Options are those of the dataset, by name; see Dataset.Options.
	Options url.Values
	// Split makes a sheet, or a file, of each value of the dataset's column of that name; "" does not.
	Split string
	// Teams bound the figures of people that the asker may see; nil is all. Other datasets are bounded by Filter.
	Teams []string
	// By is who asks, for the notes.
	By string
	// Web is the address that links lead to, over that of the Exporter.
	Web string
	// Progress, if not nil, is told the rows written so far, now and then, by the goroutine that writes.
	Progress func(rows int64)

	from, to, asOf string // days: the period, also where the filter leaves it open, and today
}

// RequestError is a mistake of the one who asks; Field names what to change.
type RequestError struct {
	Field, Problem string
}

func (e *RequestError) Error() string { return e.Field + ": " + e.Problem }

// Result says what was written.
type Result struct {
	Dataset string   `json:"dataset"`
	Format  string   `json:"format"`
	Rows    int64    `json:"rows"`
	Files   []string `json:"files,omitempty"`
}

// Job is an export whose query has begun: its first row is there, or an error of the query was told. It is for one
// goroutine and must be closed.
type Job struct {
	e       *Exporter
	r       Request
	d       *Dataset
	title   string
	about   []string
	rows    source
	values  []Value
	more    bool
	groupAt int // column of the split, -1 for none
	n       int64
}

// Start checks the request and begins its query. Errors of the request are *RequestError.
func (e *Exporter) Start(ctx context.Context, r Request) (_ *Job, err error) {
	d, err := dataset(&r)
	if err != nil {
		return nil, err
	}
	j := &Job{e: e, r: r, d: d, groupAt: -1}
	if r.Split != "" {
		if r.Split != d.Group {
			return nil, &RequestError{"split", fmt.Sprintf("%q is nothing to split %s by%s", r.Split, d.Name, map[bool]string{true: "; only " + d.Group, false: ""}[d.Group != ""])}
		}
		j.groupAt = slices.IndexFunc(d.Columns, func(c Column) bool { return c.Name == d.Group })
	}
	if err := j.describe(ctx); err != nil {
		return nil, err
	}
	sql, params := j.sql()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		// Sorting and grouping go to disk before they take the engine's memory.
		"max_bytes_before_external_sort": 256 << 20, "max_bytes_before_external_group_by": 512 << 20, "readonly": 2,
	}))
	rows, err := e.o.DB.Query(ctx, sql, params...)
	if err != nil {
		return nil, fmt.Errorf("cannot select %s: %w", d.Name, err)
	}
	j.rows, j.values = newStored(rows, d.Columns), make([]Value, len(d.Columns))
	if j.more, err = j.next(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// Close ends the query.
func (j *Job) Close() error {
	if j.rows == nil {
		return nil
	}
	err := j.rows.close()
	j.rows = nil
	return err
}

// Rows is the number of rows written so far.
func (j *Job) Rows() int64 { return j.n }

// sql wraps the query of the dataset so that the columns have the types of databaseTypes.
func (j *Job) sql() (string, []any) {
	from, params := j.d.from(&j.r)
	var list []string
	for i := range j.d.Columns {
		c := &j.d.Columns[i]
		x := "`" + c.Name + "`"
		switch {
		case c.Type.text():
			x = fmt.Sprintf("ifNull(CAST(%s AS Nullable(String)), '')", x)
		case c.Type == Money: // as a whole number of 1/10,000
			x = fmt.Sprintf("CAST(CAST(%s AS Nullable(Decimal(18, 4))) * 10000 AS Nullable(Int64))", x)
		default:
			x = fmt.Sprintf("CAST(%s AS %s)", x, databaseTypes[c.Type])
		}
		list = append(list, x+" AS c"+strconv.Itoa(i))
	}
	order := j.d.order
	if j.groupAt >= 0 {
		order = "`" + j.d.Group + "`, " + order
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + from + ") ORDER BY " + order, params
}

// next reads a row into values; false at the end.
func (j *Job) next() (bool, error) {
	ok, err := j.rows.next(j.values)
	if err != nil {
		return false, fmt.Errorf("cannot select %s: %w", j.d.Name, err)
	}
	return ok, nil
}

// group is the name of the sheet or file that the current row belongs to.
func (j *Job) group(h *header) string {
	if j.groupAt < 0 {
		return ""
	}
	if name := h.label(&j.d.Columns[j.groupAt], j.values[j.groupAt].Text); name != "" {
		return name
	}
	return Words{"未分配", "none"}[j.r.Lang]
}

func (j *Job) header() *header {
	web := j.e.o.Web
	if j.r.Web != "" {
		web = strings.TrimSuffix(j.r.Web, "/")
	}
	var columns []int
	for i := range j.d.Columns {
		if in := j.d.Columns[i].In; in == 0 || in&j.r.Format.audience != 0 {
			columns = append(columns, i)
		}
	}
	return &header{
		columns: columns, dataset: j.d, lang: j.r.Lang, zone: j.e.o.Timezone, title: j.title, about: j.about, limit: j.e.o.SheetRows,
		labels: func(set, key string) string { return label(j.r.Lang, j.e.o.RuleNames, set, key) },
		link: func(c *Column, id string, turn int64) string {
			if web == "" || id == "" || c.LinkTo != "session" {
				return ""
			}
			u := web + "/sessions/" + url.PathEscape(id)
			if turn > 0 {
				u += "#t" + strconv.FormatInt(turn, 10)
			}
			return u
		},
	}
}

// each writes the rows; open gives the sink for a group and is called for each new one, with done for the one before.
func (j *Job) each(ctx context.Context, h *header, open func(group string) (sink, error)) error {
	var s sink
	var err error
	group, groups, told := "", 0, time.Now()
	for ; j.more; j.more, err = j.next() {
		if err != nil {
			return err
		}
		if g := j.group(h); s == nil || g != group {
			if groups++; groups > maxGroups {
				return &RequestError{"split", fmt.Sprintf("there are more than %d groups; narrow the filter, or export without split", maxGroups)}
			}
			if s, err = open(g); err != nil {
				return err
			}
			group = g
		}
		if err := s.row(j.values); err != nil {
			return err
		}
		j.n++
		if j.n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if j.r.Progress != nil && time.Since(told) > 200*time.Millisecond {
				told = time.Now()
				j.r.Progress(j.n)
			}
		}
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s == nil {
		_, err = open("")
	}
	return err
}

// perFile says whether each group becomes a file of its own.
func (j *Job) perFile() bool { return j.groupAt >= 0 && j.r.Format.Name != "xlsx" }

// Extension is that of the file that WriteTo writes: .zip where there is one file for each group.
func (j *Job) Extension() string {
	if j.perFile() {
		return ".zip"
	}
	return j.r.Format.Extension
}

// MediaType is that of the file that WriteTo writes.
func (j *Job) MediaType() string {
	if j.perFile() {
		return "application/zip"
	}
	return j.r.Format.MediaType
}

// Title names the export in the language of the request, such as 客户观点 2026-11-01 至 2026-11-07.
func (j *Job) Title() string { return j.title }

// Write writes the export to w. After an error what was written is no complete file.
func (j *Job) Write(ctx context.Context, w io.Writer) (err error) {
	var files *zip.Writer
	out := func(string) (io.Writer, error) { return w, nil }
	if j.perFile() {
		files = zip.NewWriter(w)
		out = func(group string) (io.Writer, error) {
			return files.CreateHeader(&zip.FileHeader{Name: fileName(j.title+" "+group) + j.r.Format.Extension, Method: zip.Deflate, Modified: j.e.o.Now()})
		}
	}
	if err := j.write(ctx, out); err != nil {
		return err
	}
	if files != nil {
		return files.Close()
	}
	return nil
}

// write writes the rows into the outputs that out gives for each group; of formats with sheets there is one for all.
func (j *Job) write(ctx context.Context, out func(group string) (io.Writer, error)) (err error) {
	h := j.header()
	var s sink
	defer func() {
		if s != nil {
			err = errors.Join(err, s.abort())
		}
	}()
	err = j.each(ctx, h, func(group string) (sink, error) {
		if s == nil || j.perFile() {
			if s != nil {
				if err := s.close(); err != nil {
					return nil, err
				}
				s = nil
			}
			w, err := out(group)
			if err != nil {
				return nil, err
			}
			if s, err = newSink(j.r.Format, w, h); err != nil {
				return nil, err
			}
		}
		return s, s.group(group)
	})
	if err != nil {
		return err
	}
	return s.close()
}

// WriteFile writes the export to path, with a group in the name of each file where there are several. A file is there
// when it is complete, and only then; one of that name is replaced. Files are readable by their owner only.
func (j *Job) WriteFile(ctx context.Context, path string) (_ []string, err error) {
	var temp *os.File
	var names, temps []string
	defer func() {
		for _, t := range temps {
			_ = os.Remove(t) // those renamed are gone
		}
	}()
	done := func() error {
		if temp == nil {
			return nil
		}
		err := errors.Join(temp.Sync(), temp.Close())
		temp = nil
		return err
	}
	err = j.write(ctx, func(group string) (io.Writer, error) {
		if err := done(); err != nil {
			return nil, err
		}
		name := path
		if group != "" && j.perFile() {
			ext := filepath.Ext(path)
			name = strings.TrimSuffix(path, ext) + "-" + fileName(group) + ext
		}
		if slices.Contains(names, name) {
			return nil, &RequestError{"split", fmt.Sprintf("two groups would be written to %q", name)}
		}
		temp, err = os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
		if err != nil {
			return nil, fmt.Errorf("cannot write %q: %w", name, err)
		}
		names, temps = append(names, name), append(temps, temp.Name())
		return temp, nil
	})
	if err = errors.Join(err, done()); err != nil {
		return nil, err
	}
	for i := range names {
		if err := os.Rename(temps[i], names[i]); err != nil {
			return nil, fmt.Errorf("cannot write %q: %w", names[i], err)
		}
	}
	return names, nil
}

// fileName makes a text into a name that every file system takes.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, clean(s))
	s = strings.Trim(s, ". ")
	for len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "")
	}
	if s == "" {
		s = "_"
	}
	return s
}
