package intake

import (
	"bufio"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/tingke/tingke/schemas"
)

// groupRow is a turn that waits for the other turns of its session.
type groupRow struct {
	Group string // session id, or the values of the columns that sessions are cut from
	Key   int64  // milliseconds since 1970 where sessions are cut by time, else 0
	Line  int
	Turn  schemas.Turn
	Meta  *schemas.Meta // nil when it says nothing that the rows above it do not
}

func compareRows(a, b *groupRow) int {
	if c := strings.Compare(a.Group, b.Group); c != 0 {
		return c
	}
	switch {
	case a.Key != b.Key:
		if a.Key < b.Key {
			return -1
		}
		return 1
	case a.Line != b.Line:
		return a.Line - b.Line
	}
	return 0
}

// grouper brings the rows of a session together however they are scattered over a file: an external merge sort. Rows
// are held up to a bound; beyond it they are sorted and written to a temporary file, and the files are merged at the
// end. What comes out does not depend on the bound but for the order of the sessions, which is that of their first row
// as long as all rows fit.
type grouper struct {
	limit int64
	cut   bool // groups are cut into sessions later on, so that every row keeps its meta data
	rows  []groupRow
	bytes int64
	order map[string]int           // groups in memory by first appearance
	meta  map[string]*schemas.Meta // of a group in memory: all that its rows said so far; if cut, of its last row per role
	runs  []*run
}

func newGrouper(limit int64, cut bool) *grouper {
	return &grouper{limit: limit, cut: cut, order: map[string]int{}, meta: map[string]*schemas.Meta{}}
}

// rowOverhead is about what a row takes in memory beside its texts.
const rowOverhead = 400

// add takes a row; rows come in order of their lines.
func (g *grouper) add(r groupRow) error {
	if _, ok := g.order[r.Group]; !ok {
		g.order[r.Group] = len(g.order)
		g.bytes += int64(2*len(r.Group)) + 200
	}
	g.share(&r)
	g.rows = append(g.rows, r)
	g.bytes += int64(turnCost(&r.Turn)) + rowOverhead
	if g.bytes < g.limit {
		return nil
	}
	return g.spill()
}

// share drops or shares meta data that the rows of a session repeat.
func (g *grouper) share(r *groupRow) {
	key := r.Group
	if g.cut {
		key += "\x00" + string(r.Turn.Role)
	}
	known, ok := g.meta[key]
	switch {
	case !ok && g.cut:
		g.meta[key] = r.Meta
	case !ok:
		whole := *r.Meta
		whole.Attributes = maps.Clone(r.Meta.Attributes)
		g.meta[key] = &whole
		g.bytes += metaCost(r.Meta)
	case g.cut && sameMeta(known, r.Meta):
		r.Meta = known
		return
	case g.cut:
		g.meta[key] = r.Meta
	default:
		before := *known
		before.Attributes = maps.Clone(known.Attributes)
		merge(known, r.Meta)
		if sameMeta(&before, known) {
			r.Meta = nil
			return
		}
	}
	g.bytes += metaCost(r.Meta)
}

func metaCost(m *schemas.Meta) int64 {
	n := 600
	for k, v := range m.Attributes {
		n += len(k) + len(v) + 100
	}
	return int64(n)
}

func sameMeta(a, b *schemas.Meta) bool {
	return a.SessionID == b.SessionID && a.Revision == b.Revision && a.Channel == b.Channel && a.Source == b.Source && a.Shop == b.Shop &&
		a.Business == b.Business && a.SkillGroup == b.SkillGroup && a.Product == b.Product && a.CustomerID == b.CustomerID &&
		a.AgentID == b.AgentID && a.AgentName == b.AgentName && a.Team == b.Team && a.MediaURL == b.MediaURL &&
		a.UpdatedAt.Equal(b.UpdatedAt) && a.StartedAt.Equal(b.StartedAt) && a.EndedAt.Equal(b.EndedAt) && maps.Equal(a.Attributes, b.Attributes)
}

func (g *grouper) spill() error {
	slices.SortFunc(g.rows, func(a, b groupRow) int { return compareRows(&a, &b) })
	r, err := writeRun(g.rows)
	if err != nil {
		return err
	}
	g.runs = append(g.runs, r)
	clear(g.rows)
	g.rows, g.bytes = g.rows[:0], 0
	clear(g.order)
	clear(g.meta)
	return nil
}

// sorted ends the adding; the rows then come from next.
func (g *grouper) sorted() (rowSource, error) {
	if len(g.runs) == 0 {
		slices.SortFunc(g.rows, func(a, b groupRow) int {
			if x, y := g.order[a.Group], g.order[b.Group]; x != y {
				return x - y
			}
			return compareRows(&a, &b)
		})
		return &memoryRows{rows: g.rows}, nil
	}
	if len(g.rows) > 0 {
		if err := g.spill(); err != nil {
			return nil, err
		}
	}
	m := &mergeRows{}
	for _, r := range g.runs {
		if err := r.rewind(); err != nil {
			return nil, err
		}
		if err := r.advance(); err != nil {
			return nil, err
		}
		m.runs = append(m.runs, r)
	}
	heap.Init(m)
	return m, nil
}

func (g *grouper) close() error {
	var errs []error
	for _, r := range g.runs {
		errs = append(errs, r.f.Close())
	}
	g.runs, g.rows = nil, nil
	return errors.Join(errs...)
}

// rowSource gives rows in order of group, key and line; io.EOF ends it.
type rowSource interface {
	next() (*groupRow, error)
}

type memoryRows struct {
	rows []groupRow
	i    int
}

func (m *memoryRows) next() (*groupRow, error) {
	if m.i == len(m.rows) {
		return nil, io.EOF
	}
	m.i++
	return &m.rows[m.i-1], nil
}

// run is one sorted temporary file.
type run struct {
	f    *os.File
	dec  *gob.Decoder
	row  *groupRow
	left int
}

func writeRun(rows []groupRow) (*run, error) {
	f, err := os.CreateTemp("", "tingke-intake-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a temporary file for sorting rows by session: %w", err)
	}
	os.Remove(f.Name()) // the open file stays, and nothing is left behind by a kill
	w := bufio.NewWriterSize(f, 64<<10)
	enc := gob.NewEncoder(w)
	for i := range rows {
		if err = enc.Encode(&rows[i]); err != nil {
			break
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write a temporary file for sorting rows by session: %w", err)
	}
	return &run{f: f, left: len(rows)}, nil
}

func (r *run) rewind() error {
	if _, err := r.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("cannot read back a temporary file: %w", err)
	}
	r.dec = gob.NewDecoder(bufio.NewReaderSize(r.f, 64<<10))
	return nil
}

// advance reads the next row; row is nil at the end.
func (r *run) advance() error {
	r.row = nil
	if r.left == 0 {
		return nil
	}
	r.left--
	row := &groupRow{}
	if err := r.dec.Decode(row); err != nil {
		return fmt.Errorf("cannot read back a temporary file: %w", err)
	}
	r.row = row
	return nil
}

// mergeRows merges sorted runs; it is a heap of them by their next row.
type mergeRows struct{ runs []*run }

func (m *mergeRows) Len() int           { return len(m.runs) }
func (m *mergeRows) Less(i, j int) bool { return compareRows(m.runs[i].row, m.runs[j].row) < 0 }
func (m *mergeRows) Swap(i, j int)      { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *mergeRows) Push(x any)         { m.runs = append(m.runs, x.(*run)) }
func (m *mergeRows) Pop() any {
	r := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return r
}

func (m *mergeRows) next() (*groupRow, error) {
	if len(m.runs) == 0 {
		return nil, io.EOF
	}
	r := m.runs[0]
	row := r.row
	if err := r.advance(); err != nil {
		return nil, err
	}
	if r.row == nil {
		heap.Pop(m)
	} else {
		heap.Fix(m, 0)
	}
	return row, nil
}
