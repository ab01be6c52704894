package intake

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// xlsxTable reads one sheet of an XLSX workbook as a stream. It reads the parts itself: of a damaged sheet a general
// library gives what it likes and no error, and it holds pictures and all sheets in memory.
//
// Cells give their stored values: numbers and dates as the workbook holds them, not as it shows them.
type xlsxTable struct {
	src      *source
	x        *xmlReader
	part     io.Closer
	shared   []string
	cells    []string
	row      int
	date1904 bool
	done     bool
}

// Bounds of a workbook beside Limits: what Excel itself allows, and the memory for its shared strings.
const (
	maxSheetColumns    = 16_384
	maxSheetRows       = 1 << 20
	maxSharedBytes     = 256 << 20
	maxXMLDepth        = 100
	maxWorkbookBytes   = 16 << 20
	sharedStringOver   = 16
	defaultSheetUnpack = 4 << 30
)

func newXLSXTable(src *source, sheet string, lim Limits) (*xlsxTable, error) {
	file, size, cut, err := src.spool(lim.ArchiveBytes)
	if err == nil {
		err = cut
	}
	if err != nil {
		return nil, err
	}
	if size > lim.ArchiveBytes {
		return nil, &Error{File: src.name, Problem: fmt.Sprintf("is larger than %d bytes", lim.ArchiveBytes), Hint: "split it, or save it as CSV"}
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, &Error{File: src.name, Problem: "is truncated or no .xlsx file", Cause: err, Hint: "a workbook's table of contents stands at its end, nothing can be read without it; export it again"}
	}
	w := &workbook{src: src, zip: z, lim: lim}
	if err := w.guard(); err != nil {
		return nil, err
	}
	t, err := w.open(sheet)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.File = src.name
			return nil, e
		}
		return nil, &Error{File: src.name, Problem: "cannot read the workbook", Cause: err, Hint: "save it again with a spreadsheet program, or as CSV"}
	}
	return t, nil
}

func (t *xlsxTable) ragged() bool { return true }

func (t *xlsxTable) close() error {
	if t.part == nil {
		return nil
	}
	err := t.part.Close()
	t.part = nil
	return err
}

// serial turns a stored date into the time its cell shows.
func (t *xlsxTable) serial(x float64) (time.Time, error) {
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if t.date1904 {
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	days := int(x)
	return epoch.AddDate(0, 0, days).Add(time.Duration((x - float64(days)) * 24 * float64(time.Hour))), nil
}

// workbook finds the parts of a workbook.
type workbook struct {
	src *source
	zip *zip.Reader
	lim Limits
}

// guard refuses workbooks that say themselves that they unpack to too much; partReader holds them to it.
func (w *workbook) guard() error {
	most := min(w.lim.DecompressedBytes, defaultSheetUnpack)
	var sum uint64
	for _, f := range w.zip.File {
		sum += f.UncompressedSize64
		if sum > uint64(most) || f.UncompressedSize64 > uint64(most) {
			return &Error{File: w.src.name, Problem: fmt.Sprintf("unpacks to more than %d bytes", most), Hint: "split the workbook, or save the sheet as CSV"}
		}
	}
	return nil
}

// part opens a part as an XML stream; a missing one is nil.
func (w *workbook) part(name string) (*xmlReader, io.Closer, error) {
	for _, f := range w.zip.File {
		if !strings.EqualFold(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"), name) {
			continue
		}
		rc, err := f.Open()
		if err != nil {
			return nil, nil, fmt.Errorf("part %s: %w", name, err)
		}
		g := &guardReader{r: rc, in: &countReader{n: int64(f.CompressedSize64)}, lim: w.lim, name: w.src.name}
		return newXMLReader(g, w.lim.LineBytes), rc, nil
	}
	return nil, nil, nil
}

// walk calls f for every element of a small part.
func (w *workbook) walk(name string, f func(e xml.StartElement)) error {
	x, c, err := w.part(name)
	if err != nil || x == nil {
		return err
	}
	defer c.Close()
	for {
		t, err := x.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("part %s: %w", name, err)
		}
		if x.d.InputOffset() > maxWorkbookBytes {
			return fmt.Errorf("part %s is over %d bytes", name, maxWorkbookBytes)
		}
		if e, ok := t.(xml.StartElement); ok {
			f(e)
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (w *workbook) open(sheet string) (*xlsxTable, error) {
	book := "xl/workbook.xml"
	if err := w.walk("_rels/.rels", func(e xml.StartElement) {
		if e.Name.Local == "Relationship" && strings.HasSuffix(attr(e, "Type"), "/officeDocument") {
			book = resolve("", attr(e, "Target"))
		}
	}); err != nil {
		return nil, err
	}
	t := &xlsxTable{src: w.src}
	var names, ids []string
	if err := w.walk(book, func(e xml.StartElement) {
		switch e.Name.Local {
		case "sheet":
			names = append(names, attr(e, "name"))
			ids = append(ids, attr(e, "id"))
		case "workbookPr":
			v := attr(e, "date1904")
			t.date1904 = v == "1" || v == "true"
		}
	}); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, &Error{Problem: "is no .xlsx workbook or has no sheet", Hint: "save it again with a spreadsheet program, or as CSV"}
	}
	n := 0
	if sheet != "" {
		n = -1
		for i, name := range names {
			if name == sheet {
				n = i
			}
		}
		if i, err := strconv.Atoi(sheet); n < 0 && err == nil && i >= 1 && i <= len(names) {
			n = i - 1
		}
		if n < 0 {
			return nil, &Error{Problem: fmt.Sprintf("has no sheet %q", sheet), Hint: "the sheets are " + quoteAll(names)}
		}
	}
	dir, base := path.Split(book)
	targets := map[string]string{}
	shared := ""
	if err := w.walk(dir+"_rels/"+base+".rels", func(e xml.StartElement) {
		if e.Name.Local != "Relationship" {
			return
		}
		target := resolve(dir, attr(e, "Target"))
		targets[attr(e, "Id")] = target
		if strings.HasSuffix(attr(e, "Type"), "/sharedStrings") {
			shared = target
		}
	}); err != nil {
		return nil, err
	}
	if shared != "" {
		if err := t.readShared(w, shared); err != nil {
			return nil, err
		}
	}
	x, c, err := w.part(targets[ids[n]])
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, &Error{Problem: fmt.Sprintf("lacks the part of sheet %q", names[n]), Hint: "save it again with a spreadsheet program"}
	}
	t.x, t.part = x, c
	return t, nil
}

// resolve gives the name of a part from a relationship's target.
func resolve(dir, target string) string {
	target = strings.ReplaceAll(target, `\`, "/")
	if abs, ok := strings.CutPrefix(target, "/"); ok {
		return abs
	}
	return path.Join(dir, target)
}

func (t *xlsxTable) readShared(w *workbook, name string) error {
	x, c, err := w.part(name)
	if err != nil || x == nil {
		return err
	}
	defer c.Close()
	size := 0
	for {
		tok, err := x.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("part %s: %w", name, err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "si" {
			s, err := x.text("si")
			if err != nil {
				return fmt.Errorf("part %s: %w", name, err)
			}
			t.shared = append(t.shared, s)
			if size += len(s) + sharedStringOver; size > maxSharedBytes {
				return &Error{Problem: fmt.Sprintf("has more than %d bytes of different texts", maxSharedBytes), Hint: "split the workbook, or save the sheet as CSV"}
			}
		}
	}
}

func (t *xlsxTable) next() ([]string, int, error) {
	if t.done {
		return nil, t.row, io.EOF
	}
	for {
		tok, err := t.x.token()
		if err != nil {
			// The end of the part without the end of its root element is an error of the XML decoder.
			t.done = true
			if errors.Is(err, io.EOF) {
				return nil, t.row, io.EOF
			}
			return nil, t.row, t.broken(err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok || e.Name.Local != "row" {
			continue
		}
		t.row++
		if r := attr(e, "r"); r != "" {
			n, err := strconv.Atoi(r)
			if err != nil || n < t.row || n > maxSheetRows {
				t.done = true
				return nil, t.row, t.broken(fmt.Errorf("row number %q", clip(r)))
			}
			t.row = n
		}
		bad, err := t.readRow()
		if err != nil {
			t.done = true
			return nil, t.row, t.broken(err)
		}
		if bad != nil {
			return nil, t.row, rowError{bad}
		}
		return t.cells, t.row, nil
	}
}

func (t *xlsxTable) broken(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.File, e.Line = t.src.name, t.row
		return e
	}
	return &Error{File: t.src.name, Line: max(t.row, 1), Problem: "the sheet is damaged here", Cause: err, Hint: "the rows before have been read; save the workbook again with a spreadsheet program"}
}

// readRow reads the cells of a row up to its end.
func (t *xlsxTable) readRow() (*Error, error) {
	t.cells = t.cells[:0]
	size, col := 0, 0
	var bad *Error
	for {
		tok, err := t.x.token()
		if err != nil {
			return nil, noEOF(err)
		}
		switch e := tok.(type) {
		case xml.EndElement:
			if e.Name.Local == "row" {
				return bad, nil
			}
		case xml.StartElement:
			if e.Name.Local != "c" {
				continue
			}
			col++
			if ref := attr(e, "r"); ref != "" {
				if col = columnNumber(ref); col == 0 || col > maxSheetColumns {
					return nil, fmt.Errorf("cell reference %q", clip(ref))
				}
			}
			v, err := t.cell(attr(e, "t"))
			if err != nil {
				return nil, err
			}
			if size += len(v); size > t.x.limit {
				if bad == nil {
					bad = &Error{File: t.src.name, Line: t.row, Problem: fmt.Sprintf("the row is over the limit of %d bytes and was skipped", t.x.limit), Hint: "split it"}
				}
				t.cells = t.cells[:0]
				continue
			}
			if v == "" || bad != nil {
				continue
			}
			for len(t.cells) < col {
				t.cells = append(t.cells, "")
			}
			t.cells[col-1] = v
		}
	}
}

// cell reads the value of a cell up to its end.
func (t *xlsxTable) cell(kind string) (string, error) {
	var v string
	for {
		tok, err := t.x.token()
		if err != nil {
			return "", noEOF(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "v", "is":
				if v, err = t.x.text(e.Name.Local); err != nil {
					return "", err
				}
			}
		case xml.EndElement:
			if e.Name.Local != "c" {
				continue
			}
			if kind != "s" || v == "" {
				return v, nil
			}
			i, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil || i < 0 || i >= len(t.shared) {
				return "", fmt.Errorf("shared string %q of %d", clip(v), len(t.shared))
			}
			return t.shared[i], nil
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// columnNumber gives 28 for AB12, 0 where ref is no cell reference.
func columnNumber(ref string) int {
	n, i := 0, 0
	for i < len(ref) && i < 4 && ref[i] >= 'A' && ref[i] <= 'Z' {
		n = n*26 + int(ref[i]-'A') + 1
		i++
	}
	if i == len(ref) || ref[i] < '0' || ref[i] > '9' {
		return 0
	}
	return n
}

// xmlReader is an XML decoder that holds no more than one text of limit bytes.
type xmlReader struct {
	d     *xml.Decoder
	r     *tokenReader
	limit int
	depth int
}

// tokenReader refuses to read on when one token has become too long.
type tokenReader struct {
	r     io.Reader
	n     int // bytes since the last token
	limit int
	err   error // what stopped the reading; the decoder may say that the text it has so far is broken instead
}

// tokenSlack is what a token may be longer than its text, for its tag, and what the decoder reads ahead.
const tokenSlack = 64 << 10

func (t *tokenReader) Read(p []byte) (int, error) {
	if t.n > t.limit+tokenSlack {
		t.err = &Error{Problem: fmt.Sprintf("holds a text of more than %d bytes", t.limit), Hint: "split it"}
		return 0, t.err
	}
	n, err := t.r.Read(p)
	t.n += n
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

func newXMLReader(r io.Reader, limit int) *xmlReader {
	x := &xmlReader{r: &tokenReader{r: r, limit: limit}, limit: limit}
	x.d = xml.NewDecoder(x.r)
	return x
}

func (x *xmlReader) token() (xml.Token, error) {
	x.r.n = 0
	t, err := x.d.RawToken()
	if err != nil {
		if x.r.err != nil {
			return nil, x.r.err
		}
		if errors.Is(err, io.EOF) && x.depth > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > maxXMLDepth {
			return nil, errors.New("elements are nested too deeply")
		}
	case xml.EndElement:
		if x.depth--; x.depth < 0 {
			return nil, errors.New("an element ends that did not begin")
		}
	}
	return t, nil
}

// text gathers the text up to the end of the element name that has just begun, without phonetic readings.
func (x *xmlReader) text(name string) (string, error) {
	var b strings.Builder
	depth, phonetic := x.depth, 0
	for {
		t, err := x.token()
		if err != nil {
			return "", noEOF(err)
		}
		switch e := t.(type) {
		case xml.StartElement:
			if e.Name.Local == "rPh" && phonetic == 0 {
				phonetic = x.depth
			}
		case xml.EndElement:
			if x.depth < depth {
				if e.Name.Local != name {
					return "", fmt.Errorf("<%s> is closed by </%s>", name, clip(e.Name.Local))
				}
				return unescapeXLSX(b.String()), nil
			}
			if x.depth < phonetic {
				phonetic = 0
			}
		case xml.CharData:
			if phonetic > 0 {
				continue
			}
			if b.Len()+len(e) > x.limit {
				return "", &Error{Problem: fmt.Sprintf("holds a text of more than %d bytes", x.limit), Hint: "split it"}
			}
			b.Write(e)
		}
	}
}

var xlsxEscape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescapeXLSX takes back the escapes of characters that XML cannot hold, such as _x000D_.
func unescapeXLSX(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	return xlsxEscape.ReplaceAllStringFunc(s, func(m string) string {
		n, err := strconv.ParseUint(m[2:6], 16, 32)
		if err != nil {
			return m
		}
		return string(rune(n))
	})
}
