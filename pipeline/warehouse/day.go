package warehouse

import (
	"fmt"
	"time"
)

// Day is a day of the configured timezone, in JSON as 2026-03-31; the zero Day is null.
type Day struct{ time.Time }

// Scan implements sql.Scanner.
func (d *Day) Scan(v any) error {
	switch t := v.(type) {
	case nil:
		*d = Day{}
	case time.Time:
		*d = Day{t}
	case *time.Time:
		if *d = (Day{}); t != nil {
			*d = Day{*t}
		}
	default:
		return fmt.Errorf("a %T is no day", v)
	}
	return nil
}

// String is the day, empty for the zero Day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// MarshalJSON implements json.Marshaler.
func (d Day) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + d.String() + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Day) UnmarshalJSON(b []byte) error {
	*d = Day{}
	if string(b) == "null" {
		return nil
	}
	t, err := time.Parse(`"2006-01-02"`, string(b))
	if err != nil {
		return fmt.Errorf("%s is no day: %w", b, err)
	}
	*d = Day{t}
	return nil
}
