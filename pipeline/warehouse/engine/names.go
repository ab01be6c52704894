package engine

import "strings"

// UsesName says whether SQL names one of these tables, whatever quotes,
// escapes, case, comments or databases surround the name, and which. A text
// that equals a name counts too: table functions take names as texts. It may
// say so of a column or an alias of that name, never the other way round. The
// names are in small letters; SQL that cannot be read is an error.
func UsesName(sql string, names ...string) (string, bool, error) {
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
			part = strings.TrimSpace(part)
			for _, n := range names {
				if part == n {
					return n, true, nil
				}
			}
		}
	}
}
