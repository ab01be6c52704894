package export

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"
)

// requests are one export of each dataset, and of each way that changes its columns.
var requests = []Request{
	{Dataset: "opinions"}, {Dataset: "sessions"}, {Dataset: "hits"}, {Dataset: "mentions"}, {Dataset: "turns"}, {Dataset: "kpi"},
	{Dataset: "kpi", Options: url.Values{"by": {"day"}}}, {Dataset: "kpi", Options: url.Values{"level": {"teams"}}},
	{Dataset: "kpi", Options: url.Values{"level": {"shops"}, "by": {"day"}}}, {Dataset: "kpi", Options: url.Values{"level": {"channels"}}},
}

func mustFormat(t testing.TB, name string) Format {
	t.Helper()
	f, err := ParseFormat(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func start(t testing.TB, e *Exporter, r Request) *Job {
	t.Helper()
	j, err := e.Start(context.Background(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.Dataset, err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func written(t testing.TB, e *Exporter, r Request) (*Job, []byte) {
	t.Helper()
	j := start(t, e, r)
	var b bytes.Buffer
	if err := j.Write(context.Background(), &b); err != nil {
		t.Fatalf("%s as %s: %v", r.Dataset, r.Format.Name, err)
	}
	return j, b.Bytes()
}

// recorded are the rows of the query of a request, read once for all formats.
type recorded struct {
	d    *Dataset
	rows [][]Value
}

var records = map[string]*recorded{}

// replay gives recorded rows.
type replay struct{ rows [][]Value }

func (r *replay) next(values []Value) (bool, error) {
	if len(r.rows) == 0 {
		return false, nil
	}
	copy(values, r.rows[0])
	r.rows = r.rows[1:]
	return true, nil
}

func (r *replay) close() error { return nil }

// readBack writes the rows of a request in its format and gives what the query said, for the columns of the format.
func readBack(t testing.TB, e *Exporter, r Request) (j *Job, columns []*Column, want [][]Value, file []byte) {
	t.Helper()
	key := fmt.Sprint(r.Dataset, r.Options)
	rec := records[key]
	if rec == nil {
		first := start(t, e, r)
		rec = &recorded{d: first.d}
		var err error
		for ; first.more; first.more, err = first.next() {
			rec.rows = append(rec.rows, append([]Value{}, first.values...))
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(rec.rows) == 0 {
			t.Fatalf("%s has no rows: nothing is tested", r.Dataset)
		}
		records[key] = rec
	}
	j = &Job{e: e, r: r, d: rec.d, groupAt: -1, title: "标题", about: []string{"一", "二"}, rows: &replay{rec.rows}, values: make([]Value, len(rec.d.Columns))}
	j.more, _ = j.next()
	h := j.header()
	for k := range h.columns {
		columns = append(columns, h.column(k))
	}
	for _, row := range rec.rows {
		var values []Value
		for _, i := range h.columns {
			values = append(values, row[i])
		}
		want = append(want, values)
	}
	var b bytes.Buffer
	if err := j.Write(context.Background(), &b); err != nil {
		t.Fatalf("%s as %s: %v", r.Dataset, r.Format.Name, err)
	}
	return j, columns, want, b.Bytes()
}

// same compares the values read back from a file with those of the query.
func same(t *testing.T, what string, columns []*Column, want, got [][]Value) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s: %d rows were read back, want %d", what, len(got), len(want))
	}
	for i := range want {
		for k, c := range columns {
			w, g := want[i][k], got[i][k]
			if c.Type == Day {
				w.Time = time.Date(w.Time.Year(), w.Time.Month(), w.Time.Day(), 0, 0, 0, 0, time.UTC)
			}
			if w.Null != g.Null || w.Text != g.Text || w.Int != g.Int || math.Abs(w.Float-g.Float) > 1e-9 || !w.Null && !w.Time.Equal(g.Time) {
				t.Fatalf("%s: row %d, column %s: %+v, want %+v", what, i, c.Name, g, w)
			}
		}
	}
}

func eachRequest(t *testing.T, format string, f func(t *testing.T, e *Exporter, r Request)) {
	e := exporter(t)
	for _, r := range requests {
		r.Format = mustFormat(t, format)
		t.Run(fmt.Sprint(r.Dataset, r.Options), func(t *testing.T) { f(t, e, r) })
	}
}

func TestParquetReadsBack(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	eachRequest(t, "parquet", func(t *testing.T, e *Exporter, r Request) {
		_, columns, want, b := readBack(t, e, r)
		f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if about, ok := f.Lookup("tingke.columns"); !ok || !strings.Contains(about, columns[0].Title[0]) {
			t.Errorf("the file does not describe its columns: %q", about)
		}
		for k, field := range f.Schema().Fields() {
			if field.Name() != columns[k].Name {
				t.Errorf("column %d is %s, want %s", k, field.Name(), columns[k].Name)
			}
			if field.Optional() == columns[k].Type.text() {
				t.Errorf("column %s: optional = %v", field.Name(), field.Optional())
			}
			logical := fmt.Sprint(field.Type().LogicalType())
			for typ, name := range map[Type]string{Day: "DATE", Time: "TIMESTAMP", Money: "DECIMAL", Text: "STRING"} {
				if columns[k].Type == typ && !strings.Contains(strings.ToUpper(field.Type().String()+logical), name) {
					t.Errorf("column %s is %s %s, want %s", field.Name(), field.Type(), logical, name)
				}
			}
		}
		var got [][]Value
		rows := f.RowGroups()
		for _, g := range rows {
			reader := g.Rows()
			buf := make([]parquet.Row, 7)
			for {
				n, err := reader.ReadRows(buf)
				for _, row := range buf[:n] {
					values := make([]Value, len(columns))
					for _, v := range row {
						values[v.Column()] = parquetValue(columns[v.Column()], v)
					}
					got = append(got, values)
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			reader.Close()
		}
		same(t, "parquet", columns, want, got)
	})
}

func parquetValue(c *Column, v parquet.Value) Value {
	if v.IsNull() {
		return Value{Null: true}
	}
	switch {
	case c.Type.text():
		return Value{Text: string(v.ByteArray())}
	case c.Type == Integer || c.Type == Money:
		return Value{Int: v.Int64()}
	case c.Type == Bool:
		if v.Boolean() {
			return Value{Int: 1}
		}
		return Value{}
	case c.Type == Day:
		return Value{Time: time.Unix(int64(v.Int32())*86400, 0).UTC()}
	case c.Type == Time:
		return Value{Time: time.UnixMilli(v.Int64()).UTC()}
	}
	return Value{Float: v.Double()}
}

func TestArrowReadsBack(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	for _, format := range []string{"arrow", "arrows"} {
		t.Run(format, func(t *testing.T) {
			eachRequest(t, format, func(t *testing.T, e *Exporter, r Request) {
				_, columns, want, b := readBack(t, e, r)
				var got [][]Value
				schema := readArrow(t, format, b, func(record arrow.Record) { got = append(got, arrowRows(t, columns, record)...) })
				for k, field := range schema.Fields() {
					if field.Name != columns[k].Name || field.Type.ID() != arrowTypes[columns[k].Type].ID() {
						t.Errorf("column %d is %s %s, want %s %s", k, field.Name, field.Type, columns[k].Name, arrowTypes[columns[k].Type])
					}
					if i := field.Metadata.FindKey("title"); i < 0 || field.Metadata.Values()[i] != strings.ReplaceAll(columns[k].Title[0], "\n", " ") {
						t.Errorf("column %s has no title", field.Name)
					}
				}
				same(t, format, columns, want, got)
			})
		})
	}
}

func readArrow(t testing.TB, format string, b []byte, f func(arrow.Record)) *arrow.Schema {
	t.Helper()
	if format == "arrows" {
		r, err := ipc.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		for r.Next() {
			f(r.Record())
		}
		if r.Err() != nil && r.Err() != io.EOF {
			t.Fatal(r.Err())
		}
		return r.Schema()
	}
	r, err := ipc.NewFileReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range r.NumRecords() {
		record, err := r.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		f(record)
	}
	return r.Schema()
}

func arrowRows(t testing.TB, columns []*Column, record arrow.Record) [][]Value {
	t.Helper()
	out := make([][]Value, record.NumRows())
	for i := range out {
		out[i] = make([]Value, len(columns))
		for k, c := range columns {
			a, v := record.Column(k), &out[i][k]
			if a.IsNull(i) {
				v.Null = true
				continue
			}
			switch a := a.(type) {
			case *array.String:
				v.Text = a.Value(i)
			case *array.Dictionary:
				v.Text = a.Dictionary().(*array.String).Value(a.GetValueIndex(i))
			case *array.Int64:
				v.Int = a.Value(i)
			case *array.Decimal128:
				v.Int = int64(a.Value(i).LowBits())
			case *array.Float64:
				v.Float = a.Value(i)
			case *array.Date32:
				v.Time = a.Value(i).ToTime()
			case *array.Timestamp:
				v.Time = a.Value(i).ToTime(arrow.Millisecond)
			case *array.Boolean:
				if a.Value(i) {
					v.Int = 1
				}
			default:
				t.Fatalf("column %s is %T", c.Name, a)
			}
		}
	}
	return out
}

func TestJSONLReadsBack(t *testing.T) {
	eachRequest(t, "jsonl", func(t *testing.T, e *Exporter, r Request) {
		_, columns, want, b := readBack(t, e, r)
		var got [][]Value
		for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			row := make([]Value, len(columns))
			token := func() json.Token {
				x, err := d.Token()
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				return x
			}
			token()
			for k, c := range columns {
				if name := token(); name != c.Name {
					t.Fatalf("key %d is %v, want %s", k, name, c.Name)
				}
				row[k] = jsonValue(t, c, token())
			}
			got = append(got, row)
		}
		same(t, "jsonl", columns, want, got)
	})
}

func jsonValue(t testing.TB, c *Column, x json.Token) (v Value) {
	t.Helper()
	var err error
	switch x := x.(type) {
	case nil:
		v.Null = true
	case bool:
		if x {
			v.Int = 1
		}
	case json.Number:
		if c.Type == Integer {
			v.Int, err = x.Int64()
		} else {
			v.Float, err = x.Float64()
		}
	case string:
		switch c.Type {
		case Money:
			v.Int = cents(t, x)
		case Day:
			v.Time, err = time.Parse(time.DateOnly, x)
		case Time:
			v.Time, err = time.Parse(time.RFC3339, x)
		default:
			v.Text = x
		}
	}
	if err != nil {
		t.Fatalf("column %s: %v", c.Name, err)
	}
	return v
}

// cents reads a decimal as 1/10,000.
func cents(t testing.TB, s string) int64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(math.Round(f * 10_000))
}

func TestCSVReadsBack(t *testing.T) {
	eachRequest(t, "csv", func(t *testing.T, e *Exporter, r Request) {
		j, columns, want, b := readBack(t, e, r)
		text, ok := strings.CutPrefix(string(b), "\ufeff")
		if !ok {
			t.Error("no byte order mark: a spreadsheet program would guess the encoding")
		}
		if strings.Count(text, "\r\n") < len(want)+1 {
			t.Error("lines do not end in CR LF")
		}
		records, err := csv.NewReader(strings.NewReader(strings.ReplaceAll(text, "\r=1", "\\r=1"))).ReadAll() // Go's reader drops a CR
		if err != nil {
			t.Fatal(err)
		}
		h := j.header()
		for k, title := range records[0] {
			if !strings.HasPrefix(title, strings.ReplaceAll(columns[k].Title[0], "\n", " ")) {
				t.Errorf("title %d is %q, want %q", k, title, columns[k].Title[0])
			}
		}
		if len(records)-1 != len(want) {
			t.Fatalf("%d rows, want %d", len(records)-1, len(want))
		}
		for i, record := range records[1:] {
			for k, field := range record {
				c, v := columns[k], want[i][k]
				field = strings.ReplaceAll(field, "\\r", "\r")
				if risky(field) {
					t.Errorf("row %d, column %s: %q can become a formula", i, c.Name, field)
				}
				switch {
				case v.Null:
					if field != "" {
						t.Errorf("row %d, column %s: %q, want nothing", i, c.Name, field)
					}
				case c.In != 0:
					if v.Text != "" && field != "http://127.0.0.1:8080/sessions/"+v.Text+"#t1" && field != "http://127.0.0.1:8080/sessions/"+v.Text+"#t3" {
						t.Errorf("row %d, column %s: %q is no link to %q", i, c.Name, field, v.Text)
					}
				case c.Type.text():
					if got := Rearm(field); got != h.label(c, v.Text) {
						t.Errorf("row %d, column %s: %q, want %q", i, c.Name, got, h.label(c, v.Text))
					}
				case c.Type == Share || c.Type == Change:
					if got, err := strconv.ParseFloat(strings.TrimSuffix(field, "%"), 64); err != nil || math.Abs(got/100-v.Float) > .0001 {
						t.Errorf("row %d, column %s: %q, want %v", i, c.Name, field, v.Float)
					}
				case c.Type == Wait || c.Type == Span:
					if got, err := strconv.ParseFloat(field, 64); err != nil || math.Abs(got*1000-v.Float) > 1e-6 {
						t.Errorf("row %d, column %s: %q, want %v ms", i, c.Name, field, v.Float)
					}
				case c.Type == Money:
					if cents(t, field) != v.Int {
						t.Errorf("row %d, column %s: %q, want %d", i, c.Name, field, v.Int)
					}
				case c.Type == Time:
					if want := v.Time.In(shanghai).Format("2006-01-02 15:04:05"); field != want {
						t.Errorf("row %d, column %s: %q, want %s", i, c.Name, field, want)
					}
				}
			}
		}
	})
}

func TestXLSXReadsBack(t *testing.T) {
	eachRequest(t, "xlsx", func(t *testing.T, e *Exporter, r Request) {
		j, columns, want, b := readBack(t, e, r)
		f := openXLSX(t, b)
		h := j.header()
		sheet := f.GetSheetName(0)
		if last := f.GetSheetName(f.SheetCount - 1); last != "说明" {
			t.Errorf("the last sheet is %q, want 说明", last)
		}
		raw, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		shown, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw)-firstRow != len(want) {
			t.Fatalf("%d rows, want %d", len(raw)-firstRow, len(want))
		}
		at := func(rows [][]string, i, k int) string {
			if k >= len(rows[i]) {
				return ""
			}
			return rows[i][k]
		}
		for k, c := range columns {
			if got := at(raw, firstRow-1, k); !strings.HasPrefix(got, c.Title[0]) {
				t.Errorf("title %d is %q, want %q", k, got, c.Title[0])
			}
		}
		for i := range want {
			for k, c := range columns {
				v, got := want[i][k], at(raw, firstRow+i, k)
				number, _ := strconv.ParseFloat(got, 64)
				fail := func(want any) {
					t.Helper()
					t.Errorf("row %d, column %s: %q, want %v", i, c.Name, got, want)
				}
				switch {
				case v.Null:
					if got != "" {
						fail("nothing")
					}
				case c.Type.text():
					// XML has no control characters; a line break is a line feed there.
					if want := strings.NewReplacer("\x01", "\uFFFD", "\r", "\r").Replace(h.label(c, v.Text)); got != want {
						fail(fmt.Sprintf("%q", want))
					}
				case c.Type == Bool:
					if got != h.yesNo(v) {
						fail(h.yesNo(v))
					}
				case c.Type == Integer && number != float64(v.Int), c.Type == Money && math.Abs(number-float64(v.Int)/10_000) > 1e-9,
					c.Type == Wait && math.Abs(number-v.Float/1000) > 1e-9, c.Type == Span && math.Abs(number*86_400_000-v.Float) > 1e-3,
					(c.Type == Share || c.Type == Change || c.Type == Number) && math.Abs(number-v.Float) > 1e-9:
					fail(v)
				case c.Type == Share:
					if s := at(shown, firstRow+i, k); !strings.HasSuffix(s, "%") {
						t.Errorf("row %d, column %s shows %q, want a percentage", i, c.Name, s)
					}
				case c.Type == Day:
					if s := at(shown, firstRow+i, k); s != v.Time.Format(time.DateOnly) {
						t.Errorf("row %d, column %s shows %q, want %s", i, c.Name, s, v.Time.Format(time.DateOnly))
					}
				case c.Type == Time:
					if s := at(shown, firstRow+i, k); s != v.Time.In(shanghai).Format("2006-01-02 15:04:05") {
						t.Errorf("row %d, column %s shows %q, want %s", i, c.Name, s, v.Time.In(shanghai))
					}
				}
			}
		}
		noFormulas(t, b)
	})
}

func openXLSX(t testing.TB, b []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// noFormulas looks for formulas in all parts of a workbook.
func noFormulas(t testing.TB, b []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		x, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Name, "xl/worksheets/") && (bytes.Contains(x, []byte("<f>")) || bytes.Contains(x, []byte("<f "))) {
			t.Errorf("%s holds a formula", part.Name)
		}
	}
}
