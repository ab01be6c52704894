package export

import (
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// source gives rows one after another.
type source interface {
	// next reads a row into values; false at the end.
	next(values []Value) (bool, error)
	close() error
}

// databaseTypes are what columns are cast to, so that each has one Go type whatever the view says.
var databaseTypes = map[Type]string{
	Text: "String", Name: "String", Label: "String", Integer: "Nullable(Int64)", Number: "Nullable(Float64)", Share: "Nullable(Float64)", Change: "Nullable(Float64)",
	Money: "Nullable(Int64)", Amount: "Nullable(Float64)", Wait: "Nullable(Float64)", Span: "Nullable(Float64)", Day: "Nullable(Date)", Time: "Nullable(DateTime64(3, 'UTC'))", Bool: "Nullable(Bool)",
}

// stored are the rows of a query whose columns are of databaseTypes.
type stored struct {
	rows driver.Rows
	scan []any
}

func newStored(rows driver.Rows, columns []Column) *stored {
	s := &stored{rows: rows}
	for i := range columns {
		switch c := &columns[i]; {
		case c.Type.text():
			s.scan = append(s.scan, new(string))
		case c.Type == Integer || c.Type == Money:
			s.scan = append(s.scan, new(*int64))
		case c.Type == Bool:
			s.scan = append(s.scan, new(*bool))
		case c.Type == Day || c.Type == Time:
			s.scan = append(s.scan, new(*time.Time))
		default:
			s.scan = append(s.scan, new(*float64))
		}
	}
	return s
}

func (s *stored) close() error { return s.rows.Close() }

func (s *stored) next(values []Value) (bool, error) {
	if !s.rows.Next() {
		return false, s.rows.Err()
	}
	for _, p := range s.scan { // NULL leaves a destination as it was
		switch p := p.(type) {
		case **int64:
			*p = nil
		case **bool:
			*p = nil
		case **time.Time:
			*p = nil
		case **float64:
			*p = nil
		}
	}
	if err := s.rows.Scan(s.scan...); err != nil {
		return false, err
	}
	for i, p := range s.scan {
		v := &values[i]
		*v = Value{}
		switch p := p.(type) {
		case *string:
			v.Text = clean(*p)
		case **int64:
			if v.Null = *p == nil; !v.Null {
				v.Int = **p
			}
		case **bool:
			if v.Null = *p == nil; !v.Null && **p {
				v.Int = 1
			}
		case **time.Time:
			if v.Null = *p == nil; !v.Null {
				v.Time = **p
			}
		case **float64:
			if v.Null = *p == nil; !v.Null {
				v.Float = **p
			}
		}
	}
	return true, nil
}
