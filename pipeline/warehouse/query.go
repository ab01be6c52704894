package warehouse

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// Limits bound a query of a person. Zero fields mean the defaults of engine.UserSettings.
type Limits struct {
	Time   time.Duration
	Memory int64 // bytes
	Rows   int64 // of the result
	Bytes  int64 // of the result
}

// Column is a column of a result.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // ClickHouse type
}

// Rows is a result that is read row by row. It is for one goroutine and must be closed.
type Rows struct {
	rows    driver.Rows
	columns []Column
	dest    []any
}

// UserQuery runs one statement that a person typed: read only, within limits, without reach to files, other hosts or
// system tables beyond tables, columns, parts and functions. A refused statement is an *engine.Exception.
func (w *Warehouse) UserQuery(ctx context.Context, sql string, limits Limits) (*Rows, error) {
	if err := engine.CheckUserSQL(sql); err != nil {
		return nil, err
	}
	settings := clickhouse.Settings{}
	for name, value := range engine.UserSettings() {
		settings[name] = value
	}
	if limits.Time > 0 {
		settings["max_execution_time"] = max(1, int64(math.Ceil(limits.Time.Seconds())))
	}
	for name, value := range map[string]int64{"max_memory_usage": limits.Memory, "max_result_rows": limits.Rows, "max_result_bytes": limits.Bytes} {
		if value > 0 {
			settings[name] = value
		}
	}
	rows, err := w.conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), sql)
	if err != nil {
		return nil, err
	}
	r := &Rows{rows: rows}
	for _, t := range rows.ColumnTypes() {
		r.columns = append(r.columns, Column{t.Name(), t.DatabaseTypeName()})
		r.dest = append(r.dest, reflect.New(t.ScanType()).Interface())
	}
	return r, nil
}

// Columns are the columns of the result.
func (r *Rows) Columns() []Column { return r.columns }

// Next goes to the next row; false at the end or on an error, which Err tells.
func (r *Rows) Next() bool { return r.rows.Next() }

// Values gives the current row as values that encode to JSON: numbers, bools, texts, nil, lists and objects. Times are
// RFC 3339, days 2006-01-02, decimals texts; a number that JSON has not (NaN, infinite) is nil.
func (r *Rows) Values() ([]any, error) {
	for _, d := range r.dest { // NULL leaves some destinations as they were
		reflect.ValueOf(d).Elem().SetZero()
	}
	if err := r.rows.Scan(r.dest...); err != nil {
		return nil, err
	}
	out := make([]any, len(r.dest))
	for i, d := range r.dest {
		out[i] = plain(reflect.ValueOf(d).Elem(), r.columns[i].Type)
	}
	return out, nil
}

// Err is the error that ended Next.
func (r *Rows) Err() error { return r.rows.Err() }

// Close ends the query.
func (r *Rows) Close() error { return r.rows.Close() }

// plain makes a value of the client into one of JSON.
func plain(v reflect.Value, typ string) any {
	switch x := v.Interface().(type) {
	case nil:
		return nil
	case time.Time:
		return plainTime(x, typ)
	case *time.Time:
		if x == nil {
			return nil
		}
		return plainTime(*x, typ)
	case decimal.Decimal:
		return x.String()
	case *decimal.Decimal:
		if x == nil {
			return nil
		}
		return x.String()
	case fmt.Stringer: // UUID, addresses
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil
		}
		return x.String()
	case []byte:
		list := make([]any, len(x)) // Array(UInt8), not text
		for i, b := range x {
			list[i] = b
		}
		return list
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem(), typ)
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil
		}
		return v.Interface()
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i), typ)
		}
		return list
	case reflect.Map:
		object := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			object[fmt.Sprint(it.Key().Interface())] = plain(it.Value(), typ)
		}
		return object
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Interface()
	}
	return fmt.Sprint(v.Interface())
}

func plainTime(t time.Time, typ string) string {
	if strings.Contains(typ, "Date") && !strings.Contains(typ, "DateTime") {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}
