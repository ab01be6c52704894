package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/tingke/tingke/schemas"
)

// ParquetSession is the layout with one row a session. Files of other tools may leave out columns, order them otherwise
// and use other widths and time units; columns that are no field become attributes.
type ParquetSession struct {
	SessionID  string            `parquet:"session_id"`
	Revision   int32             `parquet:"revision,optional"`
	UpdatedAt  *time.Time        `parquet:"updated_at,optional,timestamp(millisecond)"`
	Channel    string            `parquet:"channel,optional,dict"`
	Source     string            `parquet:"source,optional,dict"`
	Shop       string            `parquet:"shop,optional,dict"`
	Business   string            `parquet:"business,optional,dict"`
	SkillGroup string            `parquet:"skill_group,optional,dict"`
	Product    string            `parquet:"product,optional,dict"`
	CustomerID string            `parquet:"customer_id,optional"`
	AgentID    string            `parquet:"agent_id,optional,dict"`
	AgentName  string            `parquet:"agent_name,optional,dict"`
	Team       string            `parquet:"team,optional,dict"`
	StartedAt  *time.Time        `parquet:"started_at,optional,timestamp(millisecond)"`
	EndedAt    *time.Time        `parquet:"ended_at,optional,timestamp(millisecond)"`
	MediaURL   string            `parquet:"media_url,optional"`
	Attributes map[string]string `parquet:"attributes,optional"`
	Turns      []ParquetTurn     `parquet:"turns,list"`
}

// ParquetTurn is a turn in ParquetSession.
type ParquetTurn struct {
	Seq        *int64            `parquet:"seq,optional"`
	Role       string            `parquet:"role,dict"`
	AgentID    string            `parquet:"agent_id,optional,dict"`
	Text       string            `parquet:"text"`
	At         *time.Time        `parquet:"at,optional,timestamp(millisecond)"`
	StartMS    *int64            `parquet:"start_ms,optional"`
	EndMS      *int64            `parquet:"end_ms,optional"`
	Confidence *float64          `parquet:"confidence,optional"`
	Auto       bool              `parquet:"auto,optional"`
	Revision   int32             `parquet:"revision,optional"`
	Attributes map[string]string `parquet:"attributes,optional"`
}

// ParquetRow is the flat layout with one row a turn; session fields repeat, and a column map may give other names.
type ParquetRow struct {
	SessionID  string     `parquet:"session_id,dict"`
	Role       string     `parquet:"role,dict"`
	Text       string     `parquet:"text"`
	Seq        *int64     `parquet:"seq,optional"`
	At         *time.Time `parquet:"at,optional,timestamp(millisecond)"`
	StartMS    *int64     `parquet:"start_ms,optional"`
	EndMS      *int64     `parquet:"end_ms,optional"`
	Confidence *float64   `parquet:"confidence,optional"`
	Auto       bool       `parquet:"auto,optional"`
	Channel    string     `parquet:"channel,optional,dict"`
	Shop       string     `parquet:"shop,optional,dict"`
	CustomerID string     `parquet:"customer_id,optional,dict"`
	AgentID    string     `parquet:"agent_id,optional,dict"`
	AgentName  string     `parquet:"agent_name,optional,dict"`
	Team       string     `parquet:"team,optional,dict"`
}

// WriteParquet writes sessions as Parquet in the layout ParquetSession, compressed with zstd. It writes row groups as
// it goes; w is not closed.
func WriteParquet(w io.Writer, sessions []schemas.Session) error {
	pw := parquet.NewGenericWriter[ParquetSession](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(20_000))
	row := make([]ParquetSession, 1)
	for i := range sessions {
		row[0] = parquetSession(&sessions[i])
		if _, err := pw.Write(row); err != nil {
			return fmt.Errorf("cannot write session %q as Parquet: %w", sessions[i].SessionID, err)
		}
	}
	if err := pw.Close(); err != nil {
		return fmt.Errorf("cannot write Parquet: %w", err)
	}
	return nil
}

func parquetSession(s *schemas.Session) ParquetSession {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	p := ParquetSession{
		SessionID: s.SessionID, Revision: int32(s.Revision), UpdatedAt: at(s.UpdatedAt), Channel: s.Channel, Source: s.Source, Shop: s.Shop,
		Business: s.Business, SkillGroup: s.SkillGroup, Product: s.Product, CustomerID: s.CustomerID, AgentID: s.AgentID, AgentName: s.AgentName,
		Team: s.Team, StartedAt: at(s.StartedAt), EndedAt: at(s.EndedAt), MediaURL: s.MediaURL, Attributes: s.Attributes,
	}
	p.Turns = make([]ParquetTurn, len(s.Turns))
	for i := range s.Turns {
		t := &s.Turns[i]
		p.Turns[i] = ParquetTurn{Seq: ptr(t.Seq), Role: string(t.Role), AgentID: t.AgentID, Text: t.Text, At: at(t.At), StartMS: ptr(t.StartMS),
			EndMS: ptr(t.EndMS), Confidence: ptr(t.Confidence), Auto: t.Auto, Revision: int32(t.Revision), Attributes: t.Attributes}
	}
	return p
}

func ptr[T any](o schemas.Opt[T]) *T {
	if !o.OK {
		return nil
	}
	return &o.V
}

// Bounds of a Parquet file beside Limits.
const (
	maxParquetFile = 64 << 30
	parquetBatch   = 64 // rows read at a time
)

// openParquet decides between the layouts: a column turns means one row a session.
func openParquet(src *source, opt Options) (Reader, error) {
	file, size, cut, err := src.spool(maxParquetFile)
	if err == nil {
		err = cut
	}
	if err != nil {
		return nil, err
	}
	rows, err := openParquetRows(src, file, size)
	if err != nil {
		return nil, err
	}
	if rows.root.child("turns") != nil {
		return &parquetSessions{src: src, rows: rows, opt: opt}, nil
	}
	if opt.Map != nil { // the names of the columns stand in the schema, whatever the map says of rows above them
		m := *opt.Map
		m.HeaderRow = 1
		opt.Map = &m
	}
	times := newTimeParser(opt.Map, opt.Location)
	return newTableReader(src, newParquetTable(rows, times.loc), opt, times)
}

// parquetRows reads the rows of a file as nested values.
type parquetRows struct {
	src    *source
	root   *parquetNode
	file   *parquet.File
	groups []parquet.RowGroup
	rows   parquet.Rows
	batch  []parquet.Row
	have   int
	next0  int
	row    int // 1-based, of the last row handed out
	err    error
}

func openParquetRows(src *source, file *os.File, size int64) (r *parquetRows, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some damaged files
			r, err = nil, parquetError(src, 0, fmt.Errorf("damaged: %v", p))
		}
	}()
	if err := checkFooter(file, size); err != nil {
		return nil, parquetError(src, 0, err)
	}
	f, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, parquetError(src, 0, err)
	}
	root, err := parquetTree(f.Schema())
	if err != nil {
		return nil, parquetError(src, 0, err)
	}
	return &parquetRows{src: src, root: root, file: f, groups: f.RowGroups(), batch: make([]parquet.Row, parquetBatch)}, nil
}

func parquetError(src *source, row int, err error) error {
	e := &Error{File: src.name, Line: row, Problem: "cannot read the Parquet file further", Cause: err, Hint: "the rows before have been read; write or copy it again"}
	if row == 0 {
		e.Problem, e.Hint = "is truncated or no Parquet file", "its table of contents stands at its end, nothing can be read without it; write or copy it again"
	}
	return e
}

// next gives the next row as a map; io.EOF is the end.
func (r *parquetRows) next() (row map[string]any, err error) {
	if r.err != nil {
		return nil, r.err
	}
	defer func() {
		if p := recover(); p != nil {
			row, err = nil, parquetError(r.src, r.row+1, fmt.Errorf("damaged: %v", p))
		}
		r.err = err
	}()
	for r.next0 == r.have {
		if r.rows == nil {
			if len(r.groups) == 0 {
				if want := r.file.NumRows(); int64(r.row) < want {
					return nil, parquetError(r.src, r.row+1, fmt.Errorf("%d rows of %d are missing", want-int64(r.row), want))
				}
				return nil, io.EOF
			}
			if err := checkPages(r.file, len(r.file.RowGroups())-len(r.groups)); err != nil {
				return nil, parquetError(r.src, r.row+1, err)
			}
			r.rows = r.groups[0].Rows()
			r.groups = r.groups[1:]
		}
		n, err := r.rows.ReadRows(r.batch)
		r.have, r.next0 = n, 0
		if n > 0 {
			break
		}
		if err == nil {
			err = io.ErrNoProgress
		}
		if !errors.Is(err, io.EOF) {
			return nil, parquetError(r.src, r.row+1, err)
		}
		if err := r.rows.Close(); err != nil {
			return nil, parquetError(r.src, r.row+1, err)
		}
		r.rows = nil
	}
	cols := make([][]parquet.Value, r.root.leaves)
	for _, v := range r.batch[r.next0] {
		c := v.Column()
		if c < 0 || c >= len(cols) {
			return nil, parquetError(r.src, r.row+1, fmt.Errorf("value of column %d of %d", c, len(cols)))
		}
		cols[c] = append(cols[c], v)
	}
	r.next0++
	r.row++
	m, _ := r.root.group(cols, 0, 0).(map[string]any)
	return m, nil
}

func (r *parquetRows) close() error {
	if r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows = nil
	defer func() { recover() }() // what a damaged file left half open
	return rows.Close()
}

// parquetSessions is the reader of the layout with one row a session.
type parquetSessions struct {
	finished
	src  *source
	rows *parquetRows
	opt  Options
	buf  []byte
}

func (r *parquetSessions) Close() error { return errors.Join(r.rows.close(), r.src.close()) }

func (r *parquetSessions) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	row, err := r.rows.next()
	if err != nil {
		return r.end(err)
	}
	rec := Record{File: r.src.name, Line: r.rows.row}
	if s, ok := row["turns"].(string); ok { // lists written as JSON text
		if !strings.HasPrefix(s, "[") || !json.Valid([]byte(s)) {
			rec.Err = &Error{File: r.src.name, Line: rec.Line, Field: "turns", Problem: "is a text that is no JSON list", Hint: `such as [{"role":"customer","text":"..."}]`}
			return rec, nil
		}
		row["turns"] = json.RawMessage(s)
	}
	if row["turns"] == nil {
		row["turns"] = []any{}
	}
	d := r.opt.Session
	for name, v := range map[string]string{"channel": d.Channel, "source": d.Source, "shop": d.Shop, "business": d.Business, "skill_group": d.SkillGroup,
		"product": d.Product, "customer_id": d.CustomerID, "agent_id": d.AgentID, "agent_name": d.AgentName, "team": d.Team} {
		if have, _ := row[name].(string); have == "" && v != "" {
			row[name] = v
		}
	}
	if row["revision"] == nil && d.Revision > 0 {
		row["revision"] = int64(d.Revision)
	}
	if row["type"] == nil {
		row["type"] = schemas.TypeSession
	}
	r.buf = appendAny(r.buf[:0], row)
	if len(r.buf) > r.opt.Limits.LineBytes {
		rec.Err = tooLong(r.src.name, rec.Line, "row", int64(len(r.buf)), r.opt.Limits.LineBytes)
		return rec, nil
	}
	rec.Raw = r.buf
	return rec, nil
}

// appendAny appends a nested value as JSON; absent fields are left out and invalid UTF-8 is passed on.
func appendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case json.RawMessage:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAny(b, e)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		first := true
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if v[k] == nil {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendString(b, k), ':')
			b = appendAny(b, v[k])
		}
		return append(b, '}')
	}
	return appendString(b, fmt.Sprint(v))
}

// parquetTable is the flat layout as a table.
type parquetTable struct {
	rows   *parquetRows
	header []string
	sent   bool
	cells  []string
}

func newParquetTable(rows *parquetRows, loc *time.Location) *parquetTable {
	t := &parquetTable{rows: rows}
	for _, n := range rows.root.children {
		n.local(loc)
		t.header = append(t.header, n.name)
	}
	t.cells = make([]string, len(t.header))
	return t
}

func (t *parquetTable) ragged() bool { return false }
func (t *parquetTable) close() error { return t.rows.close() }

func (t *parquetTable) next() ([]string, int, error) {
	if !t.sent {
		t.sent = true
		return t.header, 1, nil // the names stand for row 1 of other tables; the rows are counted on their own
	}
	row, err := t.rows.next()
	if err != nil {
		return nil, t.rows.row, err
	}
	for i, name := range t.header {
		switch v := row[name].(type) {
		case nil:
			t.cells[i] = ""
		case string:
			t.cells[i] = v
		default:
			t.cells[i] = string(appendAny(nil, v))
		}
	}
	return t.cells, t.rows.row, nil
}
