package export

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// Rows of a row group: as many as fit these, so that memory stays bounded.
const (
	groupRows  = 100_000
	groupBytes = 32 << 20
)

// parquetSink writes typed columns in row groups of bounded size.
type parquetSink struct {
	h     *header
	w     *parquet.GenericWriter[any]
	rows  int
	bytes int
	one   []parquet.Row
}

// parquetTags are the Go type and the tag of each type of column.
var parquetTags = map[Type]struct {
	kind reflect.Type
	tag  string
}{
	Text:    {reflect.TypeFor[string](), ""},
	Name:    {reflect.TypeFor[string](), ",dict"},
	Label:   {reflect.TypeFor[string](), ",dict"},
	Integer: {reflect.TypeFor[int64](), ",optional"},
	Number:  {reflect.TypeFor[float64](), ",optional"},
	Share:   {reflect.TypeFor[float64](), ",optional"},
	Change:  {reflect.TypeFor[float64](), ",optional"},
	Money:   {reflect.TypeFor[int64](), ",optional,decimal(4:18)"},
	Amount:  {reflect.TypeFor[float64](), ",optional"},
	Wait:    {reflect.TypeFor[float64](), ",optional"},
	Span:    {reflect.TypeFor[float64](), ",optional"},
	Day:     {reflect.TypeFor[int32](), ",optional,date"},
	Time:    {reflect.TypeFor[int64](), ",optional,timestamp(millisecond)"},
	Bool:    {reflect.TypeFor[bool](), ",optional"},
}

func newParquet(w io.Writer, h *header) (*parquetSink, error) {
	// A struct made at run time, because a group of nodes would sort the columns by name.
	var fields []reflect.StructField
	for k, i := range h.columns {
		c := &h.dataset.Columns[i]
		t, ok := parquetTags[c.Type]
		if !ok {
			return nil, fmt.Errorf("column %s: type %d has no parquet type", c.Name, c.Type)
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", k), Type: t.kind, Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s%s,zstd"`, c.Name, t.tag))})
	}
	schema := parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface())
	about, err := json.Marshal(h.describe())
	if err != nil {
		return nil, fmt.Errorf("cannot describe the columns: %w", err)
	}
	return &parquetSink{h: h, one: make([]parquet.Row, 1), w: parquet.NewGenericWriter[any](w, schema,
		parquet.CreatedBy("tingke", "1", "export"), parquet.KeyValueMetadata("tingke.title", h.title), parquet.KeyValueMetadata("tingke.columns", string(about)))}, nil
}

// described is what a file for programs says of a column.
type described struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  string `json:"unit,omitempty"`
	Note  string `json:"note,omitempty"`
}

func (h *header) describe() []described {
	var out []described
	for _, i := range h.columns {
		c := &h.dataset.Columns[i]
		out = append(out, described{c.Name, h.columnTitle(c, ""), h.rawUnit(c), c.Note.In(h.lang)})
	}
	return out
}

// rawUnit is the unit of a column where values are written as they are stored.
func (h *header) rawUnit(c *Column) string { return h.unit(c, inMillis, inMillis) }

func (s *parquetSink) group(string) error { return nil }

func (s *parquetSink) row(values []Value) error {
	row := s.one[0][:0]
	for k, i := range s.h.columns {
		v, c := &values[i], &s.h.dataset.Columns[i]
		if c.Type.text() {
			s.bytes += len(v.Text)
			row = append(row, parquet.ByteArrayValue([]byte(v.Text)).Level(0, 0, k))
			continue
		}
		s.bytes += 8
		if v.Null {
			row = append(row, parquet.NullValue().Level(0, 0, k))
			continue
		}
		var p parquet.Value
		switch c.Type {
		case Integer, Money:
			p = parquet.Int64Value(v.Int)
		case Bool:
			p = parquet.BooleanValue(v.Int != 0)
		case Day:
			p = parquet.Int32Value(days(v.Time))
		case Time:
			p = parquet.Int64Value(v.Time.UnixMilli())
		default:
			p = parquet.DoubleValue(v.Float)
		}
		row = append(row, p.Level(0, 1, k))
	}
	s.one[0] = row
	if _, err := s.w.WriteRows(s.one); err != nil {
		return err
	}
	if s.rows++; s.rows < groupRows && s.bytes < groupBytes {
		return nil
	}
	s.rows, s.bytes = 0, 0
	return s.w.Flush()
}

func (s *parquetSink) close() error { return s.w.Close() }

func (s *parquetSink) abort() error { return nil }
