package review

import (
	"fmt"
	"strings"
)

// Kind says what is wrong with an action.
type Kind string

// Kinds of errors.
const (
	NotFound   Kind = "not_found"   // no such session or hit, or not one that the caller may see
	Forbidden  Kind = "forbidden"   // somebody else may do it
	NotAllowed Kind = "not_allowed" // the state does not allow it; Allowed says what it does
	TooLate    Kind = "too_late"    // the time to appeal is over
	BadInput   Kind = "bad_value"   // Field says which
)

// Error is an action that was refused; nothing was written.
type Error struct {
	Kind    Kind
	Field   string // of BadInput
	Message string
	// State is that of the hit, and Allowed the actions that the caller may take in it; of NotAllowed.
	State   string
	Allowed []string
}

func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Kind == NotAllowed {
		if len(e.Allowed) == 0 {
			return s + "; nothing more can be done with it"
		}
		return s + "; you may " + strings.Join(e.Allowed, ", ")
	}
	return s
}

func bad(field, format string, args ...any) error {
	return &Error{Kind: BadInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &Error{Kind: Forbidden, Message: fmt.Sprintf(format, args...)}
}

func notFound(what, id string) error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("there is no %s %q", what, id)}
}
