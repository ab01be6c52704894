package engine

import "strings"

// UsesName says whether SQL names a table that is one of those meant, whatever
// quotes, escapes, case, comments or databases surround the name, and which. A
// text that equals a name counts too: table functions take names as texts. It
// may say so of a column or an alias of that name, never the other way round.
// meant gets names in small letters. SQL that cannot be read is an error.
func UsesName(sql string, meant func(name string) bool) (string, bool, error) {
	lx := lexer{sql: sql}
	for {
		t, ok, err := lx.next()
		if err != nil || !ok {
			return "", false, err
		}
		if t.kind == tokPunct {
			continue
		}
		for part := range strings.SplitSeq(strings.ToLower(t.text), ".") {
			if part = strings.TrimSpace(part); meant(part) {
				return part, true, nil
			}
		}
	}
}
