package export

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// formulaStarts are what spreadsheet programs may take for the beginning of a formula, in full width and small forms
// too: East Asian input converts these.
const formulaStarts = "=+-@＝＋－＠﹦﹢﹣﹫"

// plainNumber is text that a program may read as a number, which does no harm.
var plainNumber = regexp.MustCompile(`^[+-]?\d+(?:[.,]\d+)*%?$`)

// risky says whether a spreadsheet program could take a text for a formula: it begins with one of the characters, also
// behind blanks, tabs, line breaks or invisible characters, which some programs cut off.
func risky(s string) bool {
	if s == "" {
		return false
	}
	if c := s[0]; c == '\t' || c == '\r' || c == '\n' {
		return true
	}
	t := strings.TrimLeftFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
	r, _ := utf8.DecodeRuneInString(t)
	return t != "" && strings.ContainsRune(formulaStarts, r) && !plainNumber.MatchString(s)
}

// Disarm makes a text safe for a format that has no types, such as CSV: what could be a formula gets an apostrophe in
// front, the sign for text that spreadsheet programs know. Everything else stays as it is. Rearm undoes it.
func Disarm(s string) string {
	if risky(s) || strings.HasPrefix(s, "'") && risky(strings.TrimLeft(s, "'")) {
		return "'" + s
	}
	return s
}

// Rearm gives the text that Disarm made safe.
func Rearm(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && risky(strings.TrimLeft(rest, "'")) {
		return rest
	}
	return s
}
