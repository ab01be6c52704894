package engine

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Exception is an error of the engine, such as a syntax error or a full disk.
type Exception struct {
	Code    int    // ClickHouse error code, 0 when the engine gave none
	Message string // full text, with "Code: N. DB::Exception: "
}

func (e *Exception) Error() string { return e.Message }

// ClickHouse error codes this package makes or tells apart.
const (
	codeCannotWrite         = 75
	codeNotEnoughSpace      = 243
	codeSyntaxError         = 62
	codeUnknownSetting      = 115
	codeReadonly            = 164
	codeNotImplemented      = 48
	codeBadArguments        = 36
	codeAuthenticationFails = 516
	codeTooManyQueries      = 202
	codeNetworkError        = 210
	codeAccessDenied        = 497
)

var codeRe = regexp.MustCompile(`Code: (\d+)\. DB::`)

// newException reads the code out of the library's error text.
func newException(text string) *Exception {
	text = strings.TrimSpace(text)
	e := &Exception{Message: text}
	if loc := codeRe.FindStringSubmatchIndex(text); loc != nil {
		e.Code, _ = strconv.Atoi(text[loc[2]:loc[3]])
		e.Message = text[loc[0]:]
	}
	return e
}

func exceptionf(code int, name, format string, args ...any) *Exception {
	return &Exception{Code: code, Message: fmt.Sprintf("Code: %d. DB::Exception: %s (%s)", code, fmt.Sprintf(format, args...), name)}
}

// status is the HTTP status a ClickHouse server answers for such an error.
func (e *Exception) status() int {
	switch e.Code {
	case codeAuthenticationFails, codeAccessDenied, 192, 193, 194:
		return http.StatusForbidden
	case 62, 36, 6, 20, 26, 27, 38, 41, 43, 44, 45, 50, 53, 69, 70, 72, 115, 117, 130, 131, 164, 386, 457:
		return http.StatusBadRequest
	case 46, 47, 48, 60, 81, 82, 16:
		return http.StatusNotFound
	case 202:
		return http.StatusServiceUnavailable
	case 159:
		return http.StatusRequestTimeout
	}
	return http.StatusInternalServerError
}
