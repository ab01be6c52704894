package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/tingke/tingke/dashboards/filter"
)

func mustFilter(t testing.TB, query string) filter.Filter {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := filter.Parse(q)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFiguresAreThoseOfTheViews compares exports with queries of their own.
func TestFiguresAreThoseOfTheViews(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	e := exporter(t)
	f := func(what string, r Request, column, sql string) {
		t.Helper()
		var want float64
		if err := world(t).Conn().QueryRow(context.Background(), sql).Scan(&want); err != nil {
			t.Fatal(err)
		}
		j := start(t, e, r)
		at := slices.IndexFunc(j.d.Columns, func(c Column) bool { return c.Name == column })
		got, n := 0.0, 0
		var err error
		for ; j.more; j.more, err = j.next() {
			n++
			switch v := j.values[at]; {
			case j.d.Columns[at].Type == Integer || j.d.Columns[at].Type == Bool:
				got += float64(v.Int)
			case j.d.Columns[at].Type == Money:
				got += float64(v.Int) / 10_000
			default:
				got += v.Float
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if got != want || n == 0 {
			t.Errorf("%s: the sum of %s is %v over %d rows, want %v", what, column, got, n, want)
		}
	}
	f("opinions", Request{Dataset: "opinions"}, "mentions", "SELECT toFloat64(sum(mentions)) FROM opinions")
	f("opinions", Request{Dataset: "opinions"}, "week", "SELECT toFloat64(sum(week)) FROM opinions")
	f("opinions of a period", Request{Dataset: "opinions", Filter: mustFilter(t, "from=2026-11-05&to=2026-11-06")}, "mentions",
		"SELECT toFloat64(count()) FROM mentions WHERE day BETWEEN '2026-11-05' AND '2026-11-06' AND opinion_id != ''")
	f("opinions of a kind", Request{Dataset: "opinions", Options: url.Values{"kind": {"complaint"}}}, "customers",
		"SELECT toFloat64(uniqExact(customer_id)) FROM mentions WHERE opinion_id = '00000000000000aa'")
	f("opinions of two departments", Request{Dataset: "opinions", Options: url.Values{"department": {"产品部", "客服部"}}}, "sessions", "SELECT toFloat64(sum(sessions)) FROM opinions")
	f("sessions of a shop", Request{Dataset: "sessions", Filter: mustFilter(t, "shop=安居")}, "final_score", "SELECT sum(final_score) FROM sessions WHERE shop = '安居'")
	f("mentions of an aspect", Request{Dataset: "mentions", Filter: mustFilter(t, "aspect=price"), Options: url.Values{"valuable": {"1"}}}, "valuable",
		"SELECT toFloat64(count()) FROM mentions WHERE aspect = 'price' AND valuable")
	f("turns that hold a text", Request{Dataset: "turns", Filter: mustFilter(t, "q=面膜B"), Options: url.Values{"role": {"customer"}}}, "seq",
		"SELECT toFloat64(sum(seq)) FROM turns WHERE text LIKE '%面膜B%' AND role = 'customer'")
	f("hits of an agent", Request{Dataset: "hits", Filter: mustFilter(t, "rule=forbidden&agent=a3")}, "points", "SELECT sum(points) FROM hits WHERE agent_id = 'a3'")
	f("figures", Request{Dataset: "kpi"}, "sales", "SELECT 1249.5")
	f("figures beside those of the team", Request{Dataset: "kpi", Filter: mustFilter(t, "agent=a3")}, "team_avg_reply_ms", "SELECT 2 * 25000.0")
	f("figures of a period", Request{Dataset: "kpi", Filter: mustFilter(t, "from=2026-11-03&to=2026-11-04")}, "rounds",
		"SELECT toFloat64(count()) FROM rounds WHERE toDate(asked_at, 'Asia/Shanghai') BETWEEN '2026-11-03' AND '2026-11-04'")
}

func TestEvidence(t *testing.T) {
	j := start(t, exporter(t), Request{Dataset: "hits", Filter: mustFilter(t, "from=2026-11-01&to=2026-11-01")})
	h := j.header()
	if got := h.text(j.values, "evidence"); got != "面膜B … 您好" {
		t.Errorf("evidence = %q", got)
	}
	if got := h.text(j.values, "reason"); !strings.HasPrefix(got, "用了") {
		t.Errorf("reason = %q", got)
	}
}

func TestRequestErrors(t *testing.T) {
	e := exporter(t)
	f := func(field string, r Request) {
		t.Helper()
		_, err := e.Start(context.Background(), r)
		var wrong *RequestError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%+v: %v, want an error about %s", r, err, field)
		}
	}
	f("dataset", Request{Dataset: "secrets"})
	f("split", Request{Dataset: "opinions", Split: "owner"})
	f("split", Request{Dataset: "sessions", Split: "department"})
	f("status", Request{Dataset: "opinions", Options: url.Values{"status": {"x"}}})
	f("nothing", Request{Dataset: "opinions", Options: url.Values{"nothing": {"x"}}})
	f("q", Request{Dataset: "opinions", Options: url.Values{"q": {"a", "b"}}})
	f("owner", Request{Dataset: "opinions", Options: url.Values{"owner": {strings.Repeat("x", 300)}}})
	f("emotion", Request{Dataset: "kpi", Filter: mustFilter(t, "emotion=angry")})
	f("team", Request{Dataset: "kpi", Filter: mustFilter(t, "team=二组"), Teams: []string{"一组"}})
}

// TestInjection puts SQL into every filter and option: nothing but an empty result or an error of the request comes of it.
func TestInjection(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	e := exporter(t)
	for _, evil := range []string{`\' OR 1=1 --`, "{x:String}');DROP TABLE transcripts;--"} {
		for _, d := range Datasets() {
			q := url.Values{}
			for _, f := range filter.Fields() {
				if f.Type == "text" && f.Enum == nil && d.Takes(f.Name) && !slices.ContainsFunc(d.Options, func(o Option) bool { return o.Name == f.Name }) {
					q.Set(f.Name, evil)
				}
			}
			options := url.Values{}
			for _, o := range d.Options {
				if o.Enum == nil {
					options.Set(o.Name, evil)
				}
			}
			narrowed, err := filter.Parse(q)
			if err != nil {
				t.Fatal(err)
			}
			j, err := e.Start(context.Background(), Request{Dataset: d.Name, Filter: narrowed, Options: options, Format: mustFormat(t, "jsonl")})
			if err != nil {
				t.Errorf("%s with %q: %v", d.Name, evil, err)
				continue
			}
			if j.more {
				t.Errorf("%s with %q has rows", d.Name, evil)
			}
			j.Close()
		}
	}
}

func TestRowLimitMakesFurtherSheets(t *testing.T) {
	e := exporter(t)
	e = New(Options{DB: e.o.DB, Timezone: shanghai, SheetRows: firstRow + 15, Web: e.o.Web})
	_, b := written(t, e, Request{Dataset: "sessions", Format: mustFormat(t, "xlsx")})
	f := openXLSX(t, b)
	if got, want := f.GetSheetList(), []string{"会话质检", "会话质检 (2)", "会话质检 (3)", "说明"}; !slices.Equal(got, want) {
		t.Fatalf("sheets %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for i, want := range []int{15, 15, sessions - 30} {
		rows, err := f.GetRows(f.GetSheetName(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != firstRow+want || rows[firstRow-1][0] != "会话" {
			t.Errorf("sheet %d has %d rows and the title %q", i, len(rows)-firstRow, rows[firstRow-1][0])
		}
		for _, r := range rows[firstRow:] {
			seen[r[0]] = true
		}
		panes, err := f.GetPanes(f.GetSheetName(i))
		if err != nil || !panes.Freeze || panes.YSplit != firstRow {
			t.Errorf("sheet %d: the titles do not stay: %+v %v", i, panes, err)
		}
		if ok, link, err := f.GetCellHyperLink(f.GetSheetName(i), fmt.Sprintf("A%d", firstRow+1)); !ok || !strings.HasPrefix(link, "http://127.0.0.1:8080/sessions/s-") || err != nil {
			t.Errorf("sheet %d: the session is no link: %v %q %v", i, ok, link, err)
		}
	}
	if len(seen) != sessions {
		t.Errorf("%d different sessions, want %d", len(seen), sessions)
	}
	filters := 0
	for _, n := range f.GetDefinedName() {
		if strings.Contains(n.Name, "_FilterDatabase") {
			filters++
		}
	}
	if filters != 3 {
		t.Errorf("%d sheets have a filter, want 3", filters)
	}
}

func TestSplit(t *testing.T) {
	e := exporter(t)
	_, b := written(t, e, Request{Dataset: "opinions", Format: mustFormat(t, "xlsx"), Split: "department"})
	f := openXLSX(t, b)
	if got, want := f.GetSheetList(), []string{"产品部", "客服部", "说明"}; !slices.Equal(got, want) {
		t.Errorf("sheets %q, want %q", got, want)
	}
	dir := t.TempDir()
	j := start(t, e, Request{Dataset: "opinions", Format: mustFormat(t, "csv"), Split: "department"})
	files, err := j.WriteFile(context.Background(), filepath.Join(dir, "观点.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, "观点-产品部.csv"), filepath.Join(dir, "观点-客服部.csv")}; !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Errorf("%s has %d rows: %v", name, len(rows), err)
		}
	}
}

// endless gives rows until the context of the test ends them.
type endless struct {
	columns []Column
	n       int
	most    int
	after   func(n int) error
	text    string
}

func (s *endless) next(values []Value) (bool, error) {
	if s.n == s.most {
		return false, nil
	}
	s.n++
	if s.after != nil {
		if err := s.after(s.n); err != nil {
			return false, err
		}
	}
	for i := range s.columns {
		values[i] = Value{Int: int64(s.n), Float: float64(s.n)}
		if s.columns[i].Type.text() {
			values[i] = Value{Text: s.text}
			if s.columns[i].Type != Text {
				values[i].Text = fmt.Sprint("n", s.n%1000)
			}
		}
	}
	return true, nil
}

func (s *endless) close() error { return nil }

// synthetic is an export of turns that needs no store.
func synthetic(t testing.TB, format string, s *endless) *Job {
	t.Helper()
	d := *turnsData
	s.columns = d.Columns
	j := &Job{e: New(Options{Timezone: shanghai}), r: Request{Dataset: d.Name, Format: mustFormat(t, format)}, d: &d, title: "对话", groupAt: -1, rows: s, values: make([]Value, len(d.Columns))}
	var err error
	if j.more, err = j.next(); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestNothingPartial: an export that ends early leaves no file, neither under its name nor under another.
func TestNothingPartial(t *testing.T) {
	broken := errors.New("the query broke off")
	for _, format := range FormatNames() {
		for _, how := range []string{"cancel", "error"} {
			dir := t.TempDir()
			path := filepath.Join(dir, "out"+mustFormat(t, format).Extension)
			if err := os.WriteFile(path, []byte("the one before"), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			j := synthetic(t, format, &endless{most: 1 << 30, text: "说的话", after: func(n int) error {
				if n == 5000 && how == "cancel" {
					cancel()
				}
				if n == 5000 && how == "error" {
					return broken
				}
				return nil
			}})
			_, err := j.WriteFile(ctx, path)
			cancel()
			if want := map[string]error{"cancel": context.Canceled, "error": broken}[how]; !errors.Is(err, want) {
				t.Errorf("%s %s: %v, want %v", format, how, err, want)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := os.ReadFile(path); len(entries) != 1 || string(b) != "the one before" {
				t.Errorf("%s %s leaves %v, %d bytes", format, how, entries, len(b))
			}
		}
	}
}

// TestMemoryIsBounded: ten times the rows take no more memory.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	peak := func(format string, rows int) uint64 {
		t.Helper()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		base, most := m.HeapInuse, uint64(0)
		j := synthetic(t, format, &endless{most: rows, text: strings.Repeat("您好，请问有什么可以帮您", 8), after: func(n int) error {
			if n%2000 == 0 {
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
			return nil
		}})
		if err := j.Write(context.Background(), io.Discard); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&m)
		return max(most, m.HeapInuse) - min(base, max(most, m.HeapInuse))
	}
	for _, format := range FormatNames() {
		if most := peak(format, 60_000); most > 160<<20 {
			t.Errorf("%s takes %d MiB for 60,000 rows of 300 bytes", format, most>>20)
		}
	}
}

// TestLongTexts: a cell holds what a spreadsheet program takes, and the notes say what was cut.
func TestLongTexts(t *testing.T) {
	j := synthetic(t, "xlsx", &endless{most: 2, text: strings.Repeat("长", maxCell+10)})
	var b bytes.Buffer
	if err := j.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	f := openXLSX(t, b.Bytes())
	at := slices.IndexFunc(turnsData.Columns, func(c Column) bool { return c.Name == "text" })
	rows, err := f.GetRows(f.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	if got := []rune(rows[firstRow][at]); len(got) != maxCell || got[len(got)-1] != '…' {
		t.Errorf("the cell has %d characters", len(got))
	}
	notes, err := f.GetRows("说明")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(notes), "4 个单元格超过") { // the text and the session of two rows
		t.Errorf("the notes do not say what was cut: %v", notes)
	}
}

// TestArrowDictionaries: few values are a dictionary, the same in all batches of a file; too many are plain text.
func TestArrowDictionaries(t *testing.T) {
	for _, format := range []string{"arrow", "arrows"} {
		j := synthetic(t, format, &endless{most: 3*batchRows + 1, text: "说的话"})
		var b bytes.Buffer
		if err := j.Write(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(turnsData.Columns, func(c Column) bool { return c.Name == "shop" })
		batches, rows := 0, 0
		readArrow(t, format, b.Bytes(), func(r arrow.Record) {
			batches++
			rows += int(r.NumRows())
			d, ok := r.Column(at).(*array.Dictionary)
			if !ok || d.Dictionary().Len() > 1000 {
				t.Errorf("%s: the shop is %s", format, r.Column(at).DataType())
			}
		})
		if rows != 3*batchRows+1 || batches < 4 {
			t.Errorf("%s: %d rows in %d batches", format, rows, batches)
		}
	}
}

func TestSheetNames(t *testing.T) {
	s := &xlsxSink{h: &header{dataset: opinionsData}, taken: map[string]bool{"说明": true}}
	f := func(in, want string) {
		t.Helper()
		if got := s.sheetName(in); got != want {
			t.Errorf("sheetName(%q) = %q, want %q", in, got, want)
		}
	}
	f("产品", "产品")
	f("产品", "产品 (2)")
	f("a/b:c", "a_b_c")
	f("A/B:C", "A_B_C (2)")
	f("'=1'", "=1")
	f("", "客户观点")
	f("说明", "说明 (2)")
	f(strings.Repeat("长", 40), strings.Repeat("长", 31))
	f(strings.Repeat("长", 40), strings.Repeat("长", 27)+" (2)")
}
