package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// tableReader turns the rows of a table into session messages.
type tableReader struct {
	finished
	src  *source
	t    table
	p    *plan
	opt  Options
	line int // of the header
	base string

	queue []Record // ready records, errors of one row before its session
	group *grouper
	rows  rowSource
	cut   error // what ended the table early
	b     *builder
	next1 *groupRow // the row read beyond the end of a session
}

// newTableReader reads the header of a table and binds the map to it.
func newTableReader(src *source, t table, opt Options, times *timeParser) (*tableReader, error) {
	r := &tableReader{src: src, t: t, opt: opt, base: src.base}
	m := opt.Map
	header, line, err := readHeader(src, t, m)
	if err != nil {
		return nil, err
	}
	if m == nil {
		m = impliedMap(header)
	}
	r.line = line
	if r.p, err = bind(src.name, max(line, 1), m, header, &r.opt, times); err != nil {
		return nil, err
	}
	r.opt.Session = r.opt.Session.or(m.Defaults)
	r.group = newGrouper(opt.Limits.GroupBytes, m.Gap > 0)
	r.b = &builder{opt: &r.opt, file: src.name, limit: partBytes}
	return r, nil
}

// or completes the defaults with others.
func (d Defaults) or(o Defaults) Defaults {
	var m schemas.Meta
	d.fill(&m)
	o.fill(&m)
	return Defaults{Channel: m.Channel, Source: m.Source, Shop: m.Shop, Business: m.Business, SkillGroup: m.SkillGroup, Product: m.Product,
		CustomerID: m.CustomerID, AgentID: m.AgentID, AgentName: m.AgentName, Team: m.Team, Revision: m.Revision}
}

// readHeader reads on to the row with the column names.
func readHeader(src *source, t table, m *ColumnMap) ([]string, int, error) {
	want := 1
	if m != nil {
		want = m.HeaderRow
	}
	if want == 0 {
		return nil, 0, nil
	}
	for {
		cells, line, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, 0, &Error{File: src.name, Line: max(line, 1), Problem: fmt.Sprintf("has no row %d with the column names", want), Hint: "is the file empty? header_row of the column map says which row holds the names"}
		case err != nil && (line >= want || !errors.As(err, new(rowError))):
			var e *Error
			if errors.As(err, &e) {
				return nil, 0, e
			}
			return nil, 0, err
		}
		if line < want {
			continue
		}
		header := slices.Clone(cells)
		for i, c := range header {
			header[i] = strings.Clone(cleanCell(c))
		}
		for len(header) > 0 && header[len(header)-1] == "" {
			header = header[:len(header)-1]
		}
		return header, line, nil
	}
}

func (r *tableReader) Close() error {
	return errors.Join(r.group.close(), r.t.close(), r.src.close())
}

func (r *tableReader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	if r.rows == nil {
		rec, err := r.read()
		if err == nil {
			return rec, nil
		}
		if !errors.Is(err, io.EOF) {
			r.cut = err
		}
		if r.rows, err = r.group.sorted(); err != nil {
			return r.end(&Error{File: r.src.name, Problem: "cannot group its rows by session", Cause: err})
		}
	}
	return r.session()
}

// read reads rows until one gives a record; the error is io.EOF when all rows wait in the grouper.
func (r *tableReader) read() (Record, error) {
	for {
		if len(r.queue) > 0 {
			rec := r.queue[0]
			r.queue = r.queue[1:]
			return rec, nil
		}
		cells, line, err := r.t.next()
		if err != nil {
			var row rowError
			if errors.As(err, &row) {
				return Record{File: r.src.name, Line: line, Err: row.e}, nil
			}
			return Record{}, err
		}
		if blank(cells) || r.p.skipped(cells) {
			continue
		}
		if bad := r.fits(cells); bad != nil {
			return r.bad(line, bad), nil
		}
		if r.p.m.Layout == LayoutSessions {
			r.transcriptRow(cells, line)
			continue
		}
		row, bad := r.turnRow(cells, line)
		if bad != nil {
			return r.bad(line, bad), nil
		}
		if err := r.group.add(row); err != nil {
			return Record{}, &Error{File: r.src.name, Line: line, Problem: "cannot group its rows by session", Cause: err}
		}
	}
}

func (r *tableReader) bad(line int, bad *rowProblem) Record {
	return Record{File: r.src.name, Line: line, Err: r.p.error(line, bad)}
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// fits refuses rows whose cells have shifted: a separator inside an unquoted text, or a line break.
func (r *tableReader) fits(cells []string) *rowProblem {
	n := len(r.p.header)
	if n == 0 || len(cells) == n || len(cells) < n && r.t.ragged() || len(cells) > n && blank(cells[n:]) {
		return nil
	}
	hint := "put texts that hold the separator or line breaks in double quotes"
	if r.t.ragged() {
		hint = "name the column in the header or empty the cells beyond it"
	}
	return &rowProblem{"", fmt.Sprintf("the row has %d cells, the header %d", len(cells), n), hint}
}

// turnRow makes a row of layout turns.
func (r *tableReader) turnRow(cells []string, line int) (groupRow, *rowProblem) {
	m, bad := r.p.meta(cells)
	if bad != nil {
		return groupRow{}, bad
	}
	t, bad := r.p.turn(cells, m)
	if bad != nil {
		return groupRow{}, bad
	}
	row := groupRow{Group: m.SessionID, Line: line, Turn: t, Meta: m}
	if r.p.m.Gap == 0 {
		if m.SessionID == "" {
			return row, &rowProblem{"session_id", "is empty", "every row needs the id of its session; or group by time with session: {by: [customer column], gap: 30m}"}
		}
		return row, nil
	}
	if t.At.IsZero() {
		return row, &rowProblem{"at", "is empty", "sessions are cut by time here, so every row needs one"}
	}
	row.Key = t.At.UnixMilli()
	var group strings.Builder
	for _, i := range r.p.by {
		if i < len(cells) {
			group.WriteString(cleanCell(cells[i]))
		}
		group.WriteByte(0)
	}
	row.Group = group.String()
	return row, nil
}

// session gives the next message of the grouped rows.
func (r *tableReader) session() (Record, error) {
	for {
		row := r.next1
		r.next1 = nil
		if row == nil {
			var err error
			if row, err = r.rows.next(); err != nil && !errors.Is(err, io.EOF) {
				return r.end(&Error{File: r.src.name, Problem: "cannot group its rows by session", Cause: err})
			}
		}
		if row == nil {
			if rec, ok := r.b.finish(); ok {
				return rec, nil
			}
			if r.cut != nil {
				return r.end(r.cut)
			}
			return r.end(io.EOF)
		}
		if r.b.open && (row.Group != r.b.group || r.p.m.Gap > 0 && row.Key-r.b.lastKey > r.p.m.Gap.Milliseconds()) {
			rec, ok := r.b.finish()
			r.next1 = row
			if ok {
				return rec, nil
			}
			continue
		}
		if rec, ok := r.b.add(row, r.p.m.Gap > 0); ok {
			return rec, nil
		}
	}
}

// builder gathers the rows of one session and makes its messages.
type builder struct {
	opt   *Options
	file  string
	limit int

	open    bool
	group   string
	lastKey int64
	meta    schemas.Meta
	metas   []metaLine // waiting until the first message, in any order of lines
	turns   []schemas.Turn
	lines   []int
	bytes   int
	parts   int
	number  bool // turns get a seq: the session takes several messages and has turns without a time
	seq     int64
	buf     []byte
}

type metaLine struct {
	line int
	meta *schemas.Meta
}

// add takes a row of the open session, or opens one; ok says that a part of the session is ready.
func (b *builder) add(row *groupRow, byTime bool) (rec Record, ok bool) {
	if !b.open {
		buf, turns, lines, metas := b.buf, b.turns[:0], b.lines[:0], b.metas[:0]
		*b = builder{opt: b.opt, file: b.file, limit: b.limit, open: true, group: row.Group, buf: buf, turns: turns, lines: lines, metas: metas}
		if byTime {
			b.meta.SessionID = sessionID("gap", row.Group, row.Turn.At.UTC().Format(time.RFC3339Nano))
		}
	}
	if row.Meta != nil {
		b.metas = append(b.metas, metaLine{row.Line, row.Meta})
	}
	b.turns = append(b.turns, row.Turn)
	b.lines = append(b.lines, row.Line)
	b.bytes += turnCost(&row.Turn)
	b.lastKey = row.Key
	if b.bytes < b.limit {
		return Record{}, false
	}
	return b.flush(false), true
}

// finish gives the last message of the open session, if there is one.
func (b *builder) finish() (Record, bool) {
	if !b.open {
		return Record{}, false
	}
	b.open = false
	if len(b.turns) == 0 {
		return Record{}, false
	}
	return b.flush(true), true
}

func (b *builder) flush(last bool) Record {
	if b.parts == 0 {
		// The meta data stay as they are from the first message on, so that all messages agree.
		slices.SortStableFunc(b.metas, func(x, y metaLine) int { return x.line - y.line })
		for _, m := range b.metas {
			merge(&b.meta, m.meta)
		}
		b.opt.Session.fill(&b.meta)
		if last {
			b.newestFirst()
		}
		b.number = !last && slices.ContainsFunc(b.turns, untimed) &&
			!slices.ContainsFunc(b.turns, func(t schemas.Turn) bool { return t.Seq.OK })
	}
	b.parts++
	if b.number {
		for i := range b.turns {
			b.seq++
			b.turns[i].Seq = schemas.Some(b.seq)
		}
	}
	b.buf = appendSession(b.buf[:0], &b.meta, b.turns)
	rec := Record{Raw: b.buf, File: b.file, Line: slices.Min(b.lines)}
	clear(b.turns)
	b.turns, b.lines, b.metas, b.bytes = b.turns[:0], b.lines[:0], b.metas[:0], 0
	return rec
}

// newestFirst turns the rows round where the file has them from the last to the first: the order of a session's turns is
// that of their times, but turns of the same second keep the order of the message.
func (b *builder) newestFirst() {
	type row struct {
		turn schemas.Turn
		line int
	}
	rows := make([]row, len(b.turns))
	for i := range rows {
		if b.turns[i].Seq.OK || b.turns[i].At.IsZero() {
			return
		}
		rows[i] = row{b.turns[i], b.lines[i]}
	}
	slices.SortFunc(rows, func(x, y row) int { return x.line - y.line })
	falls := false
	for i := 1; i < len(rows); i++ {
		switch rows[i].turn.At.Compare(rows[i-1].turn.At) {
		case 1:
			return
		case -1:
			falls = true
		}
	}
	if !falls {
		return
	}
	slices.Reverse(rows)
	for i, x := range rows {
		b.turns[i], b.lines[i] = x.turn, x.line
	}
}
