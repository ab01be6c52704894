package engine

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokWord   tokenKind = iota // bare word: keyword, name, or a name's part
	tokQuoted                  // quoted name: `x`, "x", “x”
	tokString                  // 'x', ‘x’, $$x$$
	tokNumber
	tokPunct // one ASCII character
)

// token is one lexical unit of ClickHouse SQL. Comments and blanks are none.
type token struct {
	kind  tokenKind
	text  string // a name's or string's value without quotes and escapes
	start int    // byte offsets in the SQL
	end   int
}

// is reports whether the token is this keyword or character; quoted names and
// strings never are.
func (t token) is(s string) bool {
	return (t.kind == tokWord || t.kind == tokPunct) && strings.EqualFold(t.text, s)
}

// name reports whether the token can name a column, table or function.
func (t token) name() bool { return t.kind == tokWord || t.kind == tokQuoted }

// lexer walks over SQL the way the engine's own lexer does. It errs on the
// strict side: what it cannot read is an error, never skipped.
type lexer struct {
	sql    string
	pos    int
	nested bool // a comment stood in a comment
}

func (lx *lexer) fail(at int, format string, args ...any) error {
	line := 1 + strings.Count(lx.sql[:at], "\n")
	col := 1 + utf8.RuneCountInString(lx.sql[strings.LastIndexByte(lx.sql[:at], '\n')+1:at])
	return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error at line %d, column %d: %s", line, col, fmt.Sprintf(format, args...))
}

// next returns the next token, false at the end of the text.
func (lx *lexer) next() (token, bool, error) {
	if err := lx.skipBlank(); err != nil {
		return token{}, false, err
	}
	if lx.pos >= len(lx.sql) {
		return token{}, false, nil
	}
	start := lx.pos
	c := lx.sql[start]
	mk := func(kind tokenKind, text string) (token, bool, error) {
		return token{kind: kind, text: text, start: start, end: lx.pos}, true, nil
	}
	switch {
	case c == '\'' || c == '"' || c == '`':
		text, err := lx.quoted(c)
		if err != nil {
			return token{}, false, err
		}
		if c == '\'' {
			return mk(tokString, text)
		}
		return mk(tokQuoted, text)
	case isWordStart(c):
		for lx.pos < len(lx.sql) && isWordByte(lx.sql[lx.pos]) {
			lx.pos++
		}
		return mk(tokWord, lx.sql[start:lx.pos])
	case c >= '0' && c <= '9':
		lx.number()
		return mk(tokNumber, lx.sql[start:lx.pos])
	case c == '$':
		if text, ok := lx.heredoc(); ok {
			return mk(tokString, text)
		}
		lx.pos++
		for lx.pos < len(lx.sql) && isWordByte(lx.sql[lx.pos]) {
			lx.pos++
		}
		return mk(tokWord, lx.sql[start:lx.pos])
	case c < utf8.RuneSelf && c > ' ' && c != 0x7f:
		lx.pos++
		return mk(tokPunct, lx.sql[start:lx.pos])
	}
	for _, q := range []struct {
		open, close string
		kind        tokenKind
	}{{"‘", "’", tokString}, {"“", "”", tokQuoted}} {
		if strings.HasPrefix(lx.sql[start:], q.open) {
			body := lx.sql[start+len(q.open):]
			n := strings.Index(body, q.close)
			if n < 0 {
				return token{}, false, lx.fail(start, "%s without %s", q.open, q.close)
			}
			lx.pos = start + len(q.open) + n + len(q.close)
			return mk(q.kind, body[:n])
		}
	}
	r, _ := utf8.DecodeRuneInString(lx.sql[start:])
	return token{}, false, lx.fail(start, "unexpected character %q outside quotes", r)
}

// skipBlank passes white space, Unicode's too, and comments.
func (lx *lexer) skipBlank() error {
	for lx.pos < len(lx.sql) {
		rest := lx.sql[lx.pos:]
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u180e' || r == '\u200c' || r == '\u200d':
			lx.pos += n
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				lx.pos += i + 1
			} else {
				lx.pos = len(lx.sql)
			}
		case strings.HasPrefix(rest, "/*"):
			if err := lx.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// skipComment passes a comment, which can hold others.
func (lx *lexer) skipComment() error {
	start := lx.pos
	depth := 0
	for lx.pos < len(lx.sql) {
		switch rest := lx.sql[lx.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			if depth++; depth == 2 {
				lx.nested = true
			}
			lx.pos += 2
		case strings.HasPrefix(rest, "*/"):
			lx.pos += 2
			if depth--; depth == 0 {
				return nil
			}
		default:
			lx.pos++
		}
	}
	return lx.fail(start, "comment /* without */")
}

// quoted reads a text in quotes q; a doubled quote and a backslash escape.
func (lx *lexer) quoted(q byte) (string, error) {
	start := lx.pos
	var b strings.Builder
	i := start + 1
	for i < len(lx.sql) {
		switch c := lx.sql[i]; {
		case c == q && i+1 < len(lx.sql) && lx.sql[i+1] == q:
			b.WriteByte(q)
			i += 2
		case c == q:
			lx.pos = i + 1
			return b.String(), nil
		case c == '\\' && i+1 < len(lx.sql):
			i += unescape(&b, lx.sql[i+1:]) + 1
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", lx.fail(start, "%c without its closing %c", q, q)
}

// unescape writes the character that an escape after a backslash stands for
// and returns the length of the escape.
func unescape(b *strings.Builder, s string) int {
	hex := func(c byte) int {
		return strings.IndexByte("0123456789abcdef", c|0x20)
	}
	switch s[0] {
	case 'x':
		if len(s) >= 3 && hex(s[1]) >= 0 && hex(s[2]) >= 0 {
			b.WriteByte(byte(hex(s[1])<<4 | hex(s[2])))
			return 3
		}
		b.WriteString(`\x`)
	case 'N':
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case '0':
		b.WriteByte(0)
	case 'a':
		b.WriteByte('\a')
	case 'b':
		b.WriteByte('\b')
	case 'e':
		b.WriteByte(0x1b)
	case 'f':
		b.WriteByte('\f')
	case 'v':
		b.WriteByte('\v')
	default:
		b.WriteByte(s[0])
	}
	return 1
}

// heredoc reads $tag$ text $tag$.
func (lx *lexer) heredoc() (string, bool) {
	rest := lx.sql[lx.pos:]
	n := 1
	for n < len(rest) && isWordByte(rest[n]) && rest[n] != '$' {
		n++
	}
	if n >= len(rest) || rest[n] != '$' {
		return "", false
	}
	tag := rest[:n+1]
	i := strings.Index(rest[len(tag):], tag)
	if i < 0 {
		return "", false
	}
	lx.pos += len(tag) + i + len(tag)
	return rest[len(tag) : len(tag)+i], true
}

// number reads digits with what may stand in a number: 0x1F, 1.5e-3, 1_000.
func (lx *lexer) number() {
	for lx.pos < len(lx.sql) {
		c := lx.sql[lx.pos]
		sign := (c == '+' || c == '-') && lx.pos > 0 && (lx.sql[lx.pos-1]|0x20 == 'e' || lx.sql[lx.pos-1]|0x20 == 'p') &&
			lx.pos+1 < len(lx.sql) && lx.sql[lx.pos+1] >= '0' && lx.sql[lx.pos+1] <= '9'
		if !isWordByte(c) && c != '.' && !sign {
			return
		}
		lx.pos++
	}
}

func isWordStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWordByte(c byte) bool  { return isWordStart(c) || c >= '0' && c <= '9' || c == '$' }

// statement is what the bridge needs to know of an SQL text.
type statement struct {
	tokens []token
	verb   string // first keyword in capitals, after opening brackets
	format string // explicit output format, "" for none

	// of an INSERT with data behind it
	insert     bool   // data follows, in the format dataFormat
	head       string // the INSERT without FORMAT and data
	dataFormat string
	dataAt     int // where inline data begins in the SQL
}

// parseStatement reads one statement. It refuses several, and the clauses that
// read or write files of the host.
func parseStatement(sql string) (*statement, error) {
	st := &statement{}
	lx := lexer{sql: sql}
	depth := 0
	ended, query := false, false
	for {
		t, ok, err := lx.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if t.is(";") {
			ended = len(st.tokens) > 0
			continue
		}
		if ended {
			return nil, exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed): send one statement at a time")
		}
		st.tokens = append(st.tokens, t)
		if st.verb == "" && t.kind == tokWord {
			st.verb = strings.ToUpper(t.text)
		}
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
		}
		n := len(st.tokens)
		if n > 1 && (t.is("OUTFILE") && st.tokens[n-2].is("INTO") || t.is("INFILE") && st.tokens[n-2].is("FROM")) {
			return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "%s %s is not allowed", strings.ToUpper(st.tokens[n-2].text), strings.ToUpper(t.text))
		}
		// INSERT ... SELECT has no data behind it, but may name a column format.
		query = query || depth == 0 && (t.is("SELECT") || t.is("WITH"))
		if st.verb == "INSERT" && !query && depth == 0 && n > 2 && st.tokens[n-2].is("FORMAT") && t.kind == tokWord {
			st.insert, st.dataFormat = true, t.text
			st.head = strings.TrimSpace(sql[:st.tokens[n-2].start])
			st.dataAt = lx.pos
			return st, nil
		}
	}
	if len(st.tokens) == 0 {
		return nil, exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error: empty query")
	}
	st.findFormat()
	if last := st.tokens[len(st.tokens)-1]; st.verb == "INSERT" && last.is("VALUES") {
		st.insert, st.dataFormat, st.dataAt = true, "Values", last.end
		st.head = strings.TrimSpace(sql[:last.start])
	}
	return st, nil
}

// findFormat looks for FORMAT name at the end, before SETTINGS.
func (st *statement) findFormat() {
	depth := 0
	for i, t := range st.tokens {
		switch {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
		case depth == 0 && i > 0 && t.is("FORMAT") && i+1 < len(st.tokens) && st.tokens[i+1].name():
			if i+2 == len(st.tokens) || st.tokens[i+2].is("SETTINGS") {
				st.format = st.tokens[i+1].text
			}
		}
	}
}

// selects reports whether the statement is a SELECT, which can be streamed.
func (st *statement) selects() bool {
	return st.verb == "SELECT" || st.verb == "WITH" || st.verb == "FROM"
}

// changesTables reports whether the statement writes what says which tables there are and how they are made.
func (st *statement) changesTables() bool {
	switch st.verb {
	case "CREATE", "ALTER", "RENAME", "EXCHANGE", "ATTACH", "DETACH", "UPDATE", "DELETE":
		return true
	}
	return false
}

// sticky reports whether the statement changes the session it runs in.
func (st *statement) sticky() bool {
	switch st.verb {
	case "SET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK", "EXECUTE":
		return true
	}
	for _, t := range st.tokens[:min(len(st.tokens), 5)] {
		if t.is("TEMPORARY") || t.is("TEMP") {
			return true
		}
	}
	return false
}
