package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// table hands out the rows of a CSV, XLSX or flat Parquet file.
type table interface {
	// next gives the next row and its 1-based line or row number; the cells are valid until the next call. A *rowError
	// concerns that row alone, io.EOF is the end, any other error ends the table early.
	next() (cells []string, line int, err error)
	// ragged says whether rows may be shorter than the header, because trailing empty cells are not stored.
	ragged() bool
	close() error
}

// rowError is an error of one row; the table goes on behind it.
type rowError struct{ e *Error }

func (r rowError) Error() string { return r.e.Error() }
func (r rowError) Unwrap() error { return r.e }

var encodings = []string{"auto", "utf-8", "gb18030", "gbk", "gb2312", "utf-16le", "utf-16be"}

// decoded gives a reader of UTF-8 for a CSV file. Bytes that are wrong in UTF-8 are passed on.
func decoded(br *bufio.Reader, encoding string) *bufio.Reader {
	head, _ := br.Peek(3)
	bom := ""
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		br.Discard(3)
		bom = "utf-8"
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		bom = "utf-16le"
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		bom = "utf-16be"
	}
	if encoding == "" || encoding == "auto" {
		encoding = bom
	}
	wrap := func(t transform.Transformer) *bufio.Reader {
		return bufio.NewReaderSize(transform.NewReader(br, t), 64<<10)
	}
	switch encoding {
	case "utf-8":
		return br
	case "gb18030", "gbk", "gb2312":
		return wrap(simplifiedchinese.GB18030.NewDecoder())
	case "utf-16le":
		return wrap(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	case "utf-16be":
		return wrap(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder())
	}
	return bufio.NewReaderSize(&guessReader{br: br}, 64<<10)
}

// guessReader decides between UTF-8 and GB18030 where the first byte beyond ASCII stands, by what follows there.
type guessReader struct {
	br *bufio.Reader
	r  io.Reader // once decided
}

func (g *guessReader) Read(p []byte) (int, error) {
	if g.r != nil {
		return g.r.Read(p)
	}
	if _, err := g.br.Peek(1); err != nil {
		return 0, err
	}
	b, _ := g.br.Peek(min(g.br.Buffered(), len(p)))
	n := 0
	for n < len(b) && b[n] < 0x80 {
		n++
	}
	if n > 0 {
		return g.br.Read(p[:n])
	}
	sample, err := g.br.Peek(64 << 10)
	if looksGB(sample, err != nil) {
		g.r = transform.NewReader(g.br, simplifiedchinese.GB18030.NewDecoder())
	} else {
		g.r = g.br
	}
	return g.r.Read(p)
}

// looksGB says whether b is GB18030 rather than UTF-8; whole says that nothing follows b.
func looksGB(b []byte, whole bool) bool {
	if !whole { // a character may be cut off at the end
		for i := 0; i < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b); i++ {
			b = b[:len(b)-1]
		}
	}
	if utf8.Valid(b) {
		return false
	}
	// Chinese UTF-8 with a few damaged bytes is GB18030 of sorts as well, so validity there proves nothing; but hardly any
	// pair of GB18030 bytes is a UTF-8 character.
	good, bad := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		b = b[n:]
	}
	return bad > good
}

// csvTable reads CSV as spreadsheets and shops write it: RFC 4180, and quotes inside unquoted cells are text. A quote that
// is never closed costs its own line, not the rest of the file.
type csvTable struct {
	src   *source
	s     lineScanner
	comma byte
	cells []string
	buf   []byte    // the record being read
	ends  []int     // ends of its cells in buf
	ahead []csvLine // lines read for a quote that did not close, to be read again
	lines int       // 1-based number of the last line handed out by line()
	// rewinds bounds how often lines may be read again, so that a file of stray quotes costs no quadratic time.
	rewinds int
}

const maxRewinds = 64

// csvLine is a line read ahead, or what was wrong with it.
type csvLine struct {
	text []byte
	line int
	err  error
}

// lineOverhead is about what a kept line costs beside its text.
const lineOverhead = 64

func newCSVTable(src *source, encoding, delimiter string, lim Limits) *csvTable {
	br := decoded(src.br, encoding)
	t := &csvTable{src: src, s: lineScanner{r: br, limit: lim.LineBytes}, rewinds: maxRewinds}
	if delimiter != "" {
		t.comma = delimiter[0]
	} else {
		t.comma = sniffDelimiter(br, src.ext())
	}
	return t
}

// sniffDelimiter takes the separator that the first line with any holds most often outside quotes.
func sniffDelimiter(br *bufio.Reader, ext string) byte {
	// The first line may lie in the reader's buffer only after a read.
	br.Peek(1)
	b, _ := br.Peek(min(br.Size(), 32<<10))
	counts := map[byte]int{}
	quoted := false
	for _, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\n' && len(counts) > 0:
			b = nil
		case c == ',' || c == '\t' || c == ';' || c == '|':
			counts[c]++
		}
		if b == nil {
			break
		}
	}
	best, most := byte(','), 0
	if ext == ".tsv" {
		best = '\t'
	}
	for _, c := range []byte(",\t;|") {
		if counts[c] > most {
			best, most = c, counts[c]
		}
	}
	return best
}

func (t *csvTable) ragged() bool { return false }
func (t *csvTable) close() error { return nil }

// line gives the next line, from those read ahead first.
func (t *csvTable) line() ([]byte, error) {
	if len(t.ahead) > 0 {
		l := t.ahead[0]
		t.ahead = t.ahead[1:]
		t.lines = l.line
		return l.text, l.err
	}
	l, long, size, err := t.s.next()
	if err != nil {
		return nil, err
	}
	t.lines = t.s.line
	if long {
		return nil, rowError{tooLong(t.src.name, t.lines, "line", size, t.s.limit).(*Error)}
	}
	return l, nil
}

func (t *csvTable) next() ([]string, int, error) {
	t.buf, t.ends = t.buf[:0], t.ends[:0]
	l, err := t.line()
	if err != nil {
		return nil, t.lines, t.wrap(err)
	}
	start := t.lines
	if t.parse(l, false) {
		return t.split(), start, nil
	}
	// A quoted cell goes on in the next line. The lines are kept, so that they can be read again.
	var kept []csvLine
	size := len(l)
	for size <= t.s.limit {
		l, err := t.line()
		if err != nil && !errors.As(err, new(rowError)) {
			if !errors.Is(err, io.EOF) {
				return nil, start, t.wrap(err)
			}
			break
		}
		kept = append(kept, csvLine{bytes.Clone(l), t.lines, err})
		if err != nil {
			break
		}
		size += len(l) + lineOverhead
		t.buf = append(t.buf, '\n')
		if t.parse(l, true) {
			return t.split(), start, nil
		}
	}
	if t.rewinds == 0 {
		return nil, start, &Error{File: t.src.name, Line: start, Problem: "too many quotes are not closed", Hint: "is the delimiter right? reading stopped here"}
	}
	t.rewinds--
	t.ahead = append(kept, t.ahead...)
	return nil, start, rowError{&Error{File: t.src.name, Line: start, Field: fmt.Sprintf("column #%d", len(t.ends)+1), Problem: "a quote is not closed",
		Hint: `double the quotes inside a quoted cell, "" for "; the line was left out`}}
}

func (t *csvTable) wrap(err error) error {
	if errors.Is(err, io.EOF) || errors.As(err, new(rowError)) {
		return err
	}
	return t.src.readError(t.lines+1, err)
}

// parse takes one line into the record; inQuote says that it continues a quoted cell. It is false when the line ends
// inside quotes.
func (t *csvTable) parse(l []byte, inQuote bool) bool {
	i := 0
	for {
		if !inQuote && i < len(l) && l[i] == '"' {
			inQuote = true
			i++
		}
		if inQuote {
			for {
				j := bytes.IndexByte(l[i:], '"')
				if j < 0 {
					t.buf = append(t.buf, l[i:]...)
					return false
				}
				t.buf = append(t.buf, l[i:i+j]...)
				i += j + 1
				if i < len(l) && l[i] == '"' {
					t.buf = append(t.buf, '"')
					i++
					continue
				}
				if i == len(l) || l[i] == t.comma {
					break
				}
				t.buf = append(t.buf, '"') // a quote inside a quoted cell that nobody doubled
			}
			inQuote = false
		} else {
			j := bytes.IndexByte(l[i:], t.comma)
			if j < 0 {
				j = len(l) - i
			}
			t.buf = append(t.buf, l[i:i+j]...)
			i += j
		}
		t.ends = append(t.ends, len(t.buf))
		if i == len(l) {
			return true
		}
		i++ // the separator
		if i == len(l) {
			t.ends = append(t.ends, len(t.buf))
			return true
		}
	}
}

// split makes the cells: one string for the whole record, cut into its cells.
func (t *csvTable) split() []string {
	all := string(t.buf)
	t.cells = t.cells[:0]
	from := 0
	for _, end := range t.ends {
		t.cells = append(t.cells, all[from:end])
		from = end
	}
	return t.cells
}

// cleanCell takes off what exports put around a cell so that spreadsheets leave it alone: ="123", a leading ' or tab; and
// NUL, which no name or id can hold.
func cleanCell(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	s = strings.TrimSpace(s)
	if len(s) >= 3 && strings.HasPrefix(s, `="`) && strings.HasSuffix(s, `"`) {
		s = strings.TrimSpace(s[2 : len(s)-1])
	}
	if len(s) > 1 && s[0] == '\'' && s[1] >= '0' && s[1] <= '9' {
		s = s[1:]
	}
	return s
}
