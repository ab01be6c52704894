package schemas

import "encoding/json"

// Opt is a value that may be absent; its zero value is absent. It marshals to the value or to null, and with the
// tag option omitzero an absent one is left out.
type Opt[T any] struct {
	V  T
	OK bool
}

// Some makes a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, OK: true} }

// IsZero says whether the value is absent; encoding/json uses it for omitzero.
func (o Opt[T]) IsZero() bool { return !o.OK }

// Or gives the value, or fallback where it is absent.
func (o Opt[T]) Or(fallback T) T {
	if o.OK {
		return o.V
	}
	return fallback
}

// MarshalJSON writes the value, or null where it is absent.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.OK {
		return []byte("null"), nil
	}
	return json.Marshal(o.V)
}

// UnmarshalJSON reads the value; null makes it absent.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	o.OK = true
	return json.Unmarshal(b, &o.V)
}
