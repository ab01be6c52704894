package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// sink writes one file of one format. Its methods are called in the order group (row row ...) group ... close; a sink
// that cannot hold groups gets one. It does not close what it writes to.
type sink interface {
	// group begins a sheet for the rows that follow.
	group(name string) error
	// row writes a row; the values are the caller's again afterwards.
	row(values []Value) error
	// close completes the file.
	close() error
	// abort gives back what the sink holds beside its output; after close it does nothing.
	abort() error
}

// header is what a file says of itself beside its rows.
type header struct {
	dataset *Dataset
	columns []int // of the dataset that the format has
	lang    Lang
	zone    *time.Location
	title   string   // of the whole, such as 客户观点 2026-11-01 至 2026-11-07
	about   []string // lines below it: filters, when and by whom it was made
	labels  func(set, key string) string
	link    func(c *Column, id string, turn int64) string // "" where there is no address to link to
	limit   int                                           // rows of a sheet
}

// column is the k-th column of the file.
func (h *header) column(k int) *Column { return &h.dataset.Columns[h.columns[k]] }

func newSink(f Format, w io.Writer, h *header) (sink, error) {
	switch f.Name {
	case "xlsx":
		return newXLSX(w, h)
	case "csv":
		return newCSV(w, h), nil
	case "parquet":
		return newParquet(w, h)
	case "arrow":
		return newArrowFile(w, h)
	case "arrows":
		return newArrowStream(w, h, true)
	case "jsonl":
		return newJSONL(w, h), nil
	}
	return nil, fmt.Errorf("format %q cannot be written", f.Name)
}

// label is what people read instead of a key, several of them parted by commas in the language of the file.
func (h *header) label(c *Column, text string) string {
	if c.Labels == "" || text == "" {
		if c.Many && h.lang == Chinese {
			return strings.ReplaceAll(text, ",", "、")
		}
		return text
	}
	if !c.Many {
		return h.labels(c.Labels, text)
	}
	parts := strings.Split(text, ",")
	for i, p := range parts {
		parts[i] = h.labels(c.Labels, p)
	}
	return strings.Join(parts, Words{"、", ", "}[h.lang])
}

// columnTitle is what stands above a column, with its unit.
func (h *header) columnTitle(c *Column, unit string) string {
	title := strings.ReplaceAll(c.Title.In(h.lang), "\n", " ")
	if unit == "" {
		return title
	}
	return fmt.Sprintf(Words{"%s（%s）", "%s (%s)"}[h.lang], title, unit)
}

// unit is the unit of a column where a span of time is written in the given one.
func (h *header) unit(c *Column, wait, span Words) string {
	switch c.Type {
	case Wait:
		return wait.In(h.lang)
	case Span:
		return span.In(h.lang)
	}
	return c.Unit.In(h.lang)
}

var (
	inMillis  = Words{"毫秒", "ms"}
	inSeconds = Words{"秒", "s"}
	inMinutes = Words{"分:秒", "m:ss"}
)

// linkOf is the address that a value of a column opens, "" for none.
func (h *header) linkOf(c *Column, values []Value, text string) string {
	if c.LinkTo == "" {
		return ""
	}
	id, turnColumn := text, c.Name+"_seq"
	if c.LinkFrom != "" {
		id, turnColumn = h.text(values, c.LinkFrom), c.LinkFrom+"_seq"
	}
	turn := int64(0)
	for i := range h.dataset.Columns {
		if name := h.dataset.Columns[i].Name; name == turnColumn || name == "seq" {
			turn = values[i].Int
		}
	}
	return h.link(c, id, turn)
}

// text is the value of the column of that name.
func (h *header) text(values []Value, name string) string {
	for i := range h.dataset.Columns {
		if h.dataset.Columns[i].Name == name {
			return values[i].Text
		}
	}
	return ""
}

func (h *header) yesNo(v Value) string {
	if v.Int != 0 {
		return Words{"是", "yes"}[h.lang]
	}
	return Words{"否", "no"}[h.lang]
}

// money writes 1/10,000 as a decimal without needless zeros.
func money(v int64) string {
	sign := ""
	u := uint64(v)
	if v < 0 {
		sign, u = "-", -u
	}
	s := fmt.Sprintf("%s%d.%04d", sign, u/10000, u%10000)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// csvSink writes RFC 4180 with a UTF-8 byte order mark, by which spreadsheet programs know the encoding.
type csvSink struct {
	h     *header
	w     *bufio.Writer
	begun bool
	buf   []byte
}

func newCSV(w io.Writer, h *header) *csvSink {
	return &csvSink{h: h, w: bufio.NewWriterSize(w, 1<<16)}
}

func (s *csvSink) group(string) error {
	if s.begun {
		return nil
	}
	s.begun = true
	if _, err := s.w.WriteString("\ufeff"); err != nil {
		return err
	}
	s.buf = s.buf[:0]
	for k, i := range s.h.columns {
		c := &s.h.dataset.Columns[i]
		s.field(k, s.h.columnTitle(c, s.h.unit(c, inSeconds, inSeconds)))
	}
	return s.flush()
}

// field appends a field, quoted where RFC 4180 asks for it, and where a program might cut blanks off.
func (s *csvSink) field(i int, text string) {
	if i > 0 {
		s.buf = append(s.buf, ',')
	}
	if text == "" || !strings.ContainsAny(text, ",\"\r\n\t ;'") {
		s.buf = append(s.buf, text...)
		return
	}
	s.buf = append(s.buf, '"')
	s.buf = append(s.buf, strings.ReplaceAll(text, `"`, `""`)...)
	s.buf = append(s.buf, '"')
}

func (s *csvSink) flush() error {
	_, err := s.w.Write(append(s.buf, '\r', '\n'))
	return err
}

func (s *csvSink) row(values []Value) error {
	s.buf = s.buf[:0]
	for k, i := range s.h.columns {
		s.field(k, s.text(i, values))
	}
	return s.flush()
}

// text is a value as people read it.
func (s *csvSink) text(i int, values []Value) string {
	c, v := &s.h.dataset.Columns[i], values[i]
	if v.Null {
		return ""
	}
	switch c.Type {
	case Integer:
		return strconv.FormatInt(v.Int, 10)
	case Number:
		return decimals(v.Float, 4)
	case Share, Change:
		return strconv.FormatFloat(100*v.Float, 'f', 2, 64) + "%"
	case Money:
		return money(v.Int)
	case Amount:
		return strconv.FormatFloat(v.Float, 'f', 2, 64)
	case Wait, Span:
		return decimals(v.Float/1000, 3)
	case Day:
		return v.Time.Format(time.DateOnly)
	case Time:
		return v.Time.In(s.h.zone).Format("2006-01-02 15:04:05")
	case Bool:
		return s.h.yesNo(v)
	}
	if c.LinkTo != "" && c.LinkFrom == "" && c.In != 0 { // stands for the link that a workbook has in a cell
		if u := s.h.linkOf(c, values, v.Text); u != "" {
			return u
		}
	}
	return Disarm(s.h.label(c, v.Text))
}

// decimals writes a number with at most n decimals.
func decimals(f float64, n int) string {
	s := strconv.FormatFloat(f, 'f', n, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

func (s *csvSink) close() error { return s.w.Flush() }
func (s *csvSink) abort() error { return nil }

// clean takes out what no text file should hold: NUL bytes and what is no UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// jsonSink writes one object a line, keys in the order of the columns.
type jsonSink struct {
	h    *header
	w    *bufio.Writer
	keys [][]byte
	buf  []byte
}

func newJSONL(w io.Writer, h *header) *jsonSink {
	s := &jsonSink{h: h, w: bufio.NewWriterSize(w, 1<<16)}
	for _, i := range h.columns {
		s.keys = append(s.keys, []byte(strconv.Quote(h.dataset.Columns[i].Name)+":"))
	}
	return s
}

func (s *jsonSink) group(string) error { return nil }

func (s *jsonSink) row(values []Value) error {
	s.buf = append(s.buf[:0], '{')
	for k, i := range s.h.columns {
		if k > 0 {
			s.buf = append(s.buf, ',')
		}
		s.buf = append(s.buf, s.keys[k]...)
		if err := s.value(&s.h.dataset.Columns[i], &values[i]); err != nil {
			return err
		}
	}
	_, err := s.w.Write(append(s.buf, '}', '\n'))
	return err
}

func (s *jsonSink) value(c *Column, v *Value) error {
	switch {
	case v.Null:
		s.buf = append(s.buf, "null"...)
		return nil
	case c.Type == Integer:
		s.buf = strconv.AppendInt(s.buf, v.Int, 10)
		return nil
	case c.Type == Bool:
		s.buf = strconv.AppendBool(s.buf, v.Int != 0)
		return nil
	}
	var x any = v.Text
	switch c.Type {
	case Number, Share, Change, Amount, Wait, Span:
		if math.IsNaN(v.Float) || math.IsInf(v.Float, 0) {
			s.buf = append(s.buf, "null"...)
			return nil
		}
		x = v.Float
	case Money: // a text, as money is in messages
		x = money(v.Int)
	case Day:
		x = v.Time.Format(time.DateOnly)
	case Time:
		x = v.Time.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(x); err != nil {
		return fmt.Errorf("column %s: %w", c.Name, err)
	}
	s.buf = append(s.buf, strings.TrimSuffix(b.String(), "\n")...)
	return nil
}

func (s *jsonSink) close() error { return s.w.Flush() }
func (s *jsonSink) abort() error { return nil }
