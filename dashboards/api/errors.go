package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// Error is an error for the caller. Message says in words what is wrong and what to do; Code is for programs; Field names
// the parameter or the field of the body at fault, if one is.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code" doc:"what is wrong, for programs"`
	Message string `json:"message" doc:"what is wrong and what to do"`
	Field   string `json:"field,omitempty" doc:"parameter or field at fault"`
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// errorBody is the JSON of every error.
type errorBody struct {
	Error Error `json:"error"`
}

var errNoLogin = &Error{http.StatusUnauthorized, "no_login", "log in, or send an API token", ""}

// BadValue is an error about one parameter or field.
func BadValue(field, format string, args ...any) error {
	return &Error{http.StatusBadRequest, "bad_value", fmt.Sprintf(format, args...), field}
}

// NotFound says that there is no such thing, or that the caller may not know of it: the two look the same.
func NotFound(what string) error {
	return &Error{http.StatusNotFound, "not_found", "there is no such " + what, ""}
}

// Conflict says that what is there does not go together with what is asked.
func Conflict(format string, args ...any) error {
	return &Error{http.StatusConflict, "conflict", fmt.Sprintf(format, args...), ""}
}

// Forbidden says that the caller may not do it, where the role alone does not tell.
func Forbidden(format string, args ...any) error {
	return &Error{http.StatusForbidden, "forbidden", fmt.Sprintf(format, args...), ""}
}

// Unavailable says that this deployment does not have what the route needs.
func Unavailable(format string, args ...any) error {
	return &Error{http.StatusServiceUnavailable, "unavailable", fmt.Sprintf(format, args...), ""}
}

// Busy says that too many of the same are under way.
func Busy(format string, args ...any) error {
	return &Error{http.StatusTooManyRequests, "busy", fmt.Sprintf(format, args...), ""}
}

// Codes of ClickHouse for a schema that is not there, or older than this program.
const (
	codeUnknownIdentifier = 47
	codeUnknownTable      = 60
	codeUnknownDatabase   = 81
	codeTimeout           = 159
)

// explain makes any error one for the caller. What the caller can do nothing about is logged and not told.
func (a *API) explain(r *http.Request, err error) *Error {
	var e *Error
	var bad *filter.Error
	var large *http.MaxBytesError
	code := warehouse.ErrorCode(err)
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &bad):
		return &Error{http.StatusBadRequest, "bad_value", bad.Problem, bad.Field}
	case errors.As(err, &large):
		return &Error{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", large.Limit), ""}
	case errors.Is(err, context.DeadlineExceeded), code == codeTimeout:
		return &Error{http.StatusServiceUnavailable, "too_slow", "this took too long; ask for a shorter period or fewer sessions", ""}
	}
	a.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "query", r.URL.RawQuery, "error", err)
	switch {
	case slices.Contains([]int{codeUnknownIdentifier, codeUnknownTable, codeUnknownDatabase}, code):
		return &Error{http.StatusServiceUnavailable, "no_schema", "the warehouse has no tables yet, or those of another version; run tingke migrate", ""}
	case warehouse.IsTransient(err), errors.Is(err, engine.ErrGone):
		return &Error{http.StatusServiceUnavailable, "no_store", "the warehouse cannot be reached now; try again", ""}
	}
	return &Error{http.StatusInternalServerError, "internal", "something failed here; the log of the server says what", ""}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(context.Cause(r.Context()), context.Canceled) {
		return // the reader has gone
	}
	e := a.explain(r, err)
	b, err := json.Marshal(errorBody{*e})
	if err != nil {
		a.Log.Error("error cannot be encoded", "error", err)
		return
	}
	header(w)
	w.WriteHeader(e.Status)
	_, _ = w.Write(append(b, '\n'))
}
