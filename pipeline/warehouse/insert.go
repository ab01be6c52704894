package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/schemas"
)

// Inserts are cut into pieces of at most this many rows and about this many bytes, so that one flush of long sessions
// needs no more memory than one of short ones.
const (
	maxInsertRows  = 10_000
	maxInsertBytes = 16 << 20
)

// tableColumn fills one column of a table from rows of type R.
type tableColumn[R any] struct {
	name string
	put  func(c driver.BatchColumn, r *R) error
}

// inserter fills the columns of a table. Its columns reuse their memory, so it is for one goroutine at a time.
//
// The columns hand the client pointers into the rows: boxing a pointer allocates nothing, boxing a string does. An
// inserter therefore must be cleared after use, or it would keep the rows alive.
type inserter[R any] struct {
	table   string
	columns []tableColumn[R]
	bytes   func(*R) int // about the size of a row
	prepare func(*R)     // called before the columns of a row; may be nil
	clear   []func()
}

// scalar is a column of one value a row.
func scalar[R, V any](name string, value func(*R) V) tableColumn[R] {
	return tableColumn[R]{name, func(c driver.BatchColumn, r *R) error { return c.AppendRow(value(r)) }}
}

// array adds a column with one value for each element of a slice of the row. V is one of the types whose slices the
// client takes without reflection: pointers to strings, numbers and times, or small integers and bools.
func array[R, E, V any](in *inserter[R], name string, elements func(*R) []E, value func(*E) V) {
	var scratch []V
	in.columns = append(in.columns, tableColumn[R]{name, func(c driver.BatchColumn, r *R) error {
		scratch = scratch[:0]
		list := elements(r)
		for i := range list {
			scratch = append(scratch, value(&list[i]))
		}
		return c.AppendRow(scratch)
	}})
	in.clear = append(in.clear, func() {
		clear(scratch[:cap(scratch)])
		if cap(scratch) > 1<<16 {
			scratch = nil
		}
	})
}

func (in *inserter[R]) add(columns ...tableColumn[R]) { in.columns = append(in.columns, columns...) }

func (in *inserter[R]) release() {
	for _, f := range in.clear {
		f()
	}
}

// piece is the number of rows that go into one statement, at least one.
func (in *inserter[R]) piece(rows []*R) int {
	n, bytes := 0, 0
	for n < len(rows) && n < maxInsertRows {
		bytes += in.bytes(rows[n])
		if n++; bytes >= maxInsertBytes {
			break
		}
	}
	return n
}

// insert writes rows, each piece in one statement. After an error some pieces may be in the table; all tables are made
// so that inserting again does no harm.
func insert[R any](ctx context.Context, w *Warehouse, in *inserter[R], rows []*R) error {
	defer in.release()
	for len(rows) > 0 {
		n := in.piece(rows)
		if err := insertPiece(ctx, w, in, rows[:n]); err != nil {
			return fmt.Errorf("cannot insert %d rows into %s: %w", n, in.table, err)
		}
		rows = rows[n:]
	}
	return nil
}

func insertPiece[R any](ctx context.Context, w *Warehouse, in *inserter[R], rows []*R) error {
	types, err := columnTypes(ctx, w, in)
	if err != nil {
		return err
	}
	var sql strings.Builder
	sql.WriteString("INSERT INTO " + in.table + " (")
	for i, c := range in.columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("`" + c.name + "`")
	}
	sql.WriteString(")")
	batch, err := w.conn.PrepareBatch(w.writing(ctx, clickhouse.WithColumnNamesAndTypes(types)), sql.String())
	if err != nil {
		return err
	}
	defer batch.Close()
	into := make([]driver.BatchColumn, len(in.columns))
	for i := range into {
		into[i] = batch.Column(i)
	}
	for _, r := range rows {
		if in.prepare != nil {
			in.prepare(r)
		}
		for i := range in.columns {
			if err := in.columns[i].put(into[i], r); err != nil {
				return fmt.Errorf("column %s: %w", in.columns[i].name, err)
			}
		}
	}
	return batch.Send()
}

// columnTypes asks once for the types of the columns that an inserter fills; the client would ask for every batch.
func columnTypes[R any](ctx context.Context, w *Warehouse, in *inserter[R]) ([]clickhouse.ColumnNameAndType, error) {
	w.mu.Lock()
	types := w.types[in.table]
	w.mu.Unlock()
	if types != nil {
		return types, nil
	}
	rows, err := w.conn.Query(ctx, "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = "+quote(in.table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	byName := map[string]string{}
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, err
		}
		byName[name] = typ
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, c := range in.columns {
		typ, ok := byName[c.name]
		if !ok {
			return nil, fmt.Errorf("table %s has no column %s: the schema is older than this program; run tingke migrate", in.table, c.name)
		}
		types = append(types, clickhouse.ColumnNameAndType{Name: c.name, Type: typ})
	}
	w.mu.Lock()
	w.types[in.table] = types
	w.mu.Unlock()
	return types, nil
}

// timeOf is a time for a nullable column: nil for the zero time.
func timeOf(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// optOf is a value for a nullable column: nil where absent.
func optOf[T any](o *schemas.Opt[T]) *T {
	if !o.OK {
		return nil
	}
	return &o.V
}

// quote writes a string literal.
func quote(s string) string {
	var b strings.Builder
	appendQuoted(&b, s)
	return b.String()
}

func appendQuoted(b *strings.Builder, s string) {
	b.WriteByte('\'')
	for i := range len(s) {
		switch s[i] {
		case '\\', '\'':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case 0:
			b.WriteString(`\0`)
		default:
			b.WriteByte(s[i])
		}
	}
	b.WriteByte('\'')
}
