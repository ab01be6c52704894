package export

import (
	"archive/zip"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Bounds of a workbook.
const (
	sheetRows  = 1 << 20 // of a sheet, what spreadsheet programs open
	sheetBytes = 1 << 30 // of the texts of a sheet, far below what the archive can hold without extensions
	maxSheets  = 200
	maxLinks   = 10_000 // of a workbook; they are kept in memory
	maxCell    = 32_767 // UTF-16 units of a cell
)

// xlsxSink writes a workbook: a sheet for each group, more where the rows are too many for one, and one that explains the
// columns. No cell holds a formula, whatever its text.
type xlsxSink struct {
	h      *header
	out    io.Writer
	f      *excelize.File
	styles map[cellStyle]int
	sheets []sheetInfo
	taken  map[string]bool

	sw    *excelize.StreamWriter
	name  string // of the group, as it was asked for
	at    int    // last row written
	bytes int
	links int
	cut   int // cells that were shortened
	lost  int // links that were left out
	lines int // of the row that is being written
	cells []any
}

type sheetInfo struct {
	name string
	rows int
}

// cellStyle is how a cell looks.
type cellStyle struct {
	format  string // number format
	kind    string // title, about, header, text, link
	wrap    bool
	guarded bool // the text is marked as text, so that it stays one when somebody edits the cell
}

// firstRow is the row of the column titles: above it stand what this is, and its filter.
const firstRow = 4

func newXLSX(out io.Writer, h *header) (*xlsxSink, error) {
	s := &xlsxSink{h: h, out: out, f: excelize.NewFile(), styles: map[cellStyle]int{}, taken: map[string]bool{}}
	if s.h.limit <= 0 || s.h.limit > sheetRows {
		s.h.limit = sheetRows
	}
	err := s.f.SetDocProps(&excelize.DocProperties{Title: clip(h.title, 250), Creator: "Tingke 听客", Description: clip(strings.Join(h.about, "\n"), 250)})
	if err != nil {
		return nil, fmt.Errorf("cannot begin the workbook: %w", err)
	}
	return s, nil
}

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

const (
	headerColor = "1F4E78"
	bandColor   = "D9E2EC"
)

// style gives the number of a style, made when first asked for.
func (s *xlsxSink) style(c cellStyle) (int, error) {
	if id, ok := s.styles[c]; ok {
		return id, nil
	}
	x := &excelize.Style{Font: &excelize.Font{Family: "微软雅黑", Size: 10}, Alignment: &excelize.Alignment{Vertical: "top", WrapText: c.wrap}}
	x.Border = []excelize.Border{{Type: "bottom", Color: bandColor, Style: 1}}
	switch c.kind {
	case "title":
		x.Font.Bold, x.Font.Size, x.Border = true, 14, nil
	case "about":
		x.Font.Color, x.Border = "595959", nil
	case "header":
		x.Font.Bold, x.Font.Color = true, "FFFFFF"
		x.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{headerColor}}
		x.Alignment = &excelize.Alignment{Vertical: "center", Horizontal: "center", WrapText: true}
	case "center":
		x.Alignment.Horizontal = "center"
	case "link":
		x.Font.Color, x.Font.Underline = "0563C1", "single"
	}
	switch {
	case c.format != "":
		x.CustomNumFmt = &c.format
	case c.guarded:
		x.NumFmt = 49 // text
	}
	id, err := s.f.NewStyle(x)
	if err != nil {
		return 0, fmt.Errorf("cannot make a style: %w", err)
	}
	if c.guarded {
		// What an apostrophe typed in front does: the cell shows its text as it is and stays a text when it is edited.
		yes := true
		s.f.Styles.CellXfs.Xf[id].QuotePrefix = &yes
	}
	s.styles[c] = id
	return id, nil
}

// formats of the cells that are no text.
var numberFormats = map[Type]string{
	Integer: "#,##0", Number: "#,##0.0", Share: "0.0%", Change: "+0.0%;-0.0%;0.0%", Money: "#,##0.00", Amount: "#,##0.00", Wait: "#,##0.0", Span: "[m]:ss",
	Day: "yyyy-mm-dd", Time: "yyyy-mm-dd hh:mm:ss",
}

var widths = map[Type]float64{Text: 30, Name: 16, Label: 11, Integer: 10, Number: 10, Share: 11, Change: 10, Money: 13, Amount: 10, Wait: 13, Span: 11, Day: 12, Time: 20, Bool: 8}

func (s *xlsxSink) group(name string) error {
	if err := s.endSheet(); err != nil {
		return err
	}
	s.name = name
	return s.beginSheet()
}

// sheetName makes a name that a workbook takes and that it has not yet.
func (s *xlsxSink) sheetName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\`, r) || r < ' ' {
			return '_'
		}
		return r
	}, clean(name))
	if name = strings.Trim(name, "' "); name == "" {
		name = s.h.dataset.Title.In(s.h.lang)
	}
	for n := 1; ; n++ {
		suffix := ""
		if n > 1 {
			suffix = fmt.Sprintf(" (%d)", n)
		}
		full := cutUnits(name, 31-len(suffix)) + suffix
		if key := strings.ToLower(full); !s.taken[key] {
			s.taken[key] = true
			return full
		}
	}
}

// cutUnits cuts a text to n UTF-16 units.
func cutUnits(s string, n int) string {
	units := 0
	for i, r := range s {
		if units += utf16.RuneLen(r); units > n {
			return s[:i]
		}
	}
	return s
}

func (s *xlsxSink) beginSheet() error {
	if len(s.sheets) == maxSheets {
		return fmt.Errorf("the workbook would have more than %d sheets; narrow the filter, or use another format", maxSheets)
	}
	if len(s.sheets) == 0 {
		s.taken[strings.ToLower(s.notesName())] = true
	}
	name := s.sheetName(s.name)
	if len(s.sheets) == 0 {
		if err := s.f.SetSheetName(s.f.GetSheetName(0), name); err != nil {
			return err
		}
	} else if _, err := s.f.NewSheet(name); err != nil {
		return err
	}
	s.sheets = append(s.sheets, sheetInfo{name: name})
	if err := s.page(name); err != nil {
		return err
	}
	sw, err := s.f.NewStreamWriter(name)
	if err != nil {
		return fmt.Errorf("cannot begin the sheet %q: %w", name, err)
	}
	s.sw, s.bytes = sw, 0
	for i := range s.h.columns {
		if err := sw.SetColWidth(i+1, i+1, s.width(s.h.column(i))); err != nil {
			return err
		}
	}
	corner, err := excelize.CoordinatesToCellName(2, firstRow+1)
	if err != nil {
		return err
	}
	if err := sw.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: firstRow, TopLeftCell: corner, ActivePane: "bottomRight"}); err != nil {
		return err
	}
	return s.head(name)
}

// pageWidth is how many characters across a page of paper are still easy to read.
const pageWidth = 220

func (s *xlsxSink) width(c *Column) float64 {
	if c.Width > 0 {
		return c.Width
	}
	return widths[c.Type]
}

// page sets how a sheet prints: across, as few pages wide as can be read, with the titles and the first column on each.
func (s *xlsxSink) page(name string) error {
	yes, across, a4, any := true, "landscape", 9, 0
	pages := 1
	if name != s.notesName() {
		width := 0.0
		for i := range s.h.columns {
			width += s.width(s.h.column(i))
		}
		pages = int(math.Ceil(width / pageWidth))
	}
	if err := s.f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	if err := s.f.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &across, Size: &a4, FitToWidth: &pages, FitToHeight: &any}); err != nil {
		return err
	}
	no := false
	return s.f.SetSheetView(name, 0, &excelize.ViewOptions{ShowGridLines: &no})
}

// head writes what stands above the rows.
func (s *xlsxSink) head(name string) error {
	title, err := s.style(cellStyle{kind: "title", guarded: true})
	if err != nil {
		return err
	}
	about, err := s.style(cellStyle{kind: "about", guarded: true})
	if err != nil {
		return err
	}
	top, err := s.style(cellStyle{kind: "header", guarded: true})
	if err != nil {
		return err
	}
	text := s.h.title
	if s.name != "" {
		text += " · " + s.name
	}
	if err := s.sw.SetRow("A1", []any{excelize.Cell{StyleID: title, Value: s.cell(text)}}, excelize.RowOpts{Height: 24}); err != nil {
		return err
	}
	for i, line := range s.h.about {
		if i+2 >= firstRow {
			break // the notes have them all
		}
		if err := s.sw.SetRow(fmt.Sprintf("A%d", i+2), []any{excelize.Cell{StyleID: about, Value: s.cell(line)}}); err != nil {
			return err
		}
	}
	var titles []any
	lines := 1
	for i := range s.h.columns {
		c := s.h.column(i)
		title := c.Title.In(s.h.lang)
		if unit := s.h.unit(c, inSeconds, inMinutes); unit != "" {
			title += "\n" + fmt.Sprintf(Words{"（%s）", "(%s)"}[s.h.lang], unit)
		}
		lines = max(lines, 1+strings.Count(title, "\n"))
		titles = append(titles, excelize.Cell{StyleID: top, Value: title})
	}
	s.at = firstRow
	return s.sw.SetRow(fmt.Sprintf("A%d", firstRow), titles, excelize.RowOpts{Height: 8 + 14*float64(lines)})
}

// cell is a text as a cell holds it; what is too long ends in an ellipsis.
func (s *xlsxSink) cell(text string) string {
	text = clean(text)
	if len(text) <= maxCell {
		return text
	}
	if short := cutUnits(text, maxCell-1); len(short) < len(text) && utf16Len(text) > maxCell {
		s.cut++
		return short + "…"
	}
	return text
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func (s *xlsxSink) row(values []Value) error {
	if s.at == s.h.limit || s.bytes > sheetBytes {
		if err := s.endSheet(); err != nil {
			return err
		}
		if err := s.beginSheet(); err != nil {
			return err
		}
	}
	s.at++
	s.sheets[len(s.sheets)-1].rows++
	s.cells, s.lines = s.cells[:0], 1
	for _, i := range s.h.columns {
		v, err := s.value(i, values)
		if err != nil {
			return err
		}
		s.cells = append(s.cells, v)
	}
	at, err := excelize.CoordinatesToCellName(1, s.at)
	if err != nil {
		return err
	}
	var height []excelize.RowOpts
	if s.lines > 1 { // programs do not agree on who works out the height of a row
		height = []excelize.RowOpts{{Height: 3 + 13.5*float64(s.lines)}}
	}
	if err := s.sw.SetRow(at, s.cells, height...); err != nil {
		return fmt.Errorf("cannot write row %d: %w", s.at, err)
	}
	return nil
}

// mostLines bounds the height of a row; what is longer can still be read in the cell.
const mostLines = 12

// linesOf guesses how many lines a text takes in a cell of a width in characters, of which a Chinese one takes two.
func linesOf(text string, width float64) int {
	lines := 0
	for _, l := range strings.Split(text, "\n") {
		units := 0.0
		for _, r := range l {
			if units++; r >= 0x1100 {
				units += .9
			}
		}
		if lines += max(1, int(math.Ceil(units/(width-1)))); lines >= mostLines {
			return mostLines
		}
	}
	return lines
}

// value makes the cell of a column.
func (s *xlsxSink) value(i int, values []Value) (any, error) {
	c, v := &s.h.dataset.Columns[i], &values[i]
	look := cellStyle{format: numberFormats[c.Type], wrap: c.Wrap}
	if c.Format != "" {
		look.format = c.Format
	}
	if c.Type == Bool || c.Type == Day || c.Type == Time || c.Type == Label && !c.Wrap {
		look.kind = "center"
	}
	var x any
	switch {
	case v.Null:
	case c.Type.text():
		text := s.cell(s.h.label(c, v.Text))
		s.bytes += len(text)
		if text != "" {
			x = text
			look.guarded = risky(text)
			if c.Wrap {
				s.lines = max(s.lines, linesOf(text, s.width(c)))
			}
			if s.linked(c, values, v.Text) {
				look.kind = "link"
			}
		}
	case c.Type == Integer:
		x = v.Int
	case c.Type == Bool:
		x = s.h.yesNo(*v)
	case c.Type == Money:
		x = float64(v.Int) / 10_000
	case c.Type == Wait:
		x = v.Float / 1000
	case c.Type == Span:
		x = v.Float / 86_400_000
	case c.Type == Day:
		x = float64(days(v.Time) + dayOne)
	case c.Type == Time:
		t := v.Time.In(s.h.zone)
		x = float64(days(t)+dayOne) + float64(t.Sub(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())).Milliseconds())/86_400_000
	case !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0):
		x = v.Float
	}
	s.bytes += 24
	id, err := s.style(look)
	if err != nil {
		return nil, err
	}
	return excelize.Cell{StyleID: id, Value: x}, nil
}

// dayOne is 1970-01-01 as spreadsheets count days.
const dayOne = 25569

// linked makes the cell that is being written a link, as long as there are not too many.
func (s *xlsxSink) linked(c *Column, values []Value, text string) bool {
	url := s.h.linkOf(c, values, text)
	if url == "" || len(url) > 2000 {
		return false
	}
	if s.links == maxLinks {
		s.lost++
		return false
	}
	at, err := excelize.CoordinatesToCellName(len(s.cells)+1, s.at)
	if err != nil {
		return false
	}
	// The sheet is still open, so the link goes into the part that is written after the rows.
	if err := s.f.SetCellHyperLink(s.sheets[len(s.sheets)-1].name, at, url, "External"); err != nil {
		return false
	}
	s.links++
	return true
}

// endSheet completes the sheet that is open.
func (s *xlsxSink) endSheet() error {
	if s.sw == nil {
		return nil
	}
	name := s.sheets[len(s.sheets)-1].name
	last, err := excelize.CoordinatesToCellName(len(s.h.columns), max(s.at, firstRow+1))
	if err != nil {
		return err
	}
	if s.at == firstRow {
		about, err := s.style(cellStyle{kind: "about"})
		if err != nil {
			return err
		}
		if err := s.sw.SetRow(fmt.Sprintf("A%d", firstRow+1), []any{excelize.Cell{StyleID: about, Value: Words{"没有符合条件的数据", "Nothing matches"}[s.h.lang]}}); err != nil {
			return err
		}
	}
	if err := s.f.AutoFilter(name, fmt.Sprintf("A%d:%s", firstRow, last), nil); err != nil {
		return fmt.Errorf("cannot set the filter of sheet %q: %w", name, err)
	}
	quoted := "'" + strings.ReplaceAll(name, "'", "''") + "'"
	if err := s.f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("%s!$A:$A,%s!$%d:$%d", quoted, quoted, firstRow, firstRow), Scope: name}); err != nil {
		return err
	}
	if err := s.sw.Flush(); err != nil {
		return fmt.Errorf("cannot complete the sheet %q: %w", name, err)
	}
	s.sw = nil
	return nil
}

func (s *xlsxSink) notesName() string { return Words{"说明", "Notes"}[s.h.lang] }

func (s *xlsxSink) close() error {
	if len(s.sheets) == 0 {
		if err := s.group(""); err != nil {
			return err
		}
	}
	if err := s.endSheet(); err != nil {
		return err
	}
	if err := s.notes(); err != nil {
		return err
	}
	s.f.SetActiveSheet(0)
	// The library would hold the whole archive in memory before it gives it away.
	s.f.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(s.out) })
	if _, err := s.f.WriteToBuffer(); err != nil {
		return fmt.Errorf("cannot write the workbook: %w", err)
	}
	return s.abort()
}

func (s *xlsxSink) abort() error {
	if s.f == nil {
		return nil
	}
	if s.sw != nil { // its temporary file goes with the workbook
		_ = s.sw.Flush()
		s.sw = nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}

// notes is the sheet that says what the columns mean.
func (s *xlsxSink) notes() error {
	name := s.notesName()
	if _, err := s.f.NewSheet(name); err != nil {
		return err
	}
	if err := s.page(name); err != nil {
		return err
	}
	sw, err := s.f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	for i, w := range []float64{24, 12, 90} {
		if err := sw.SetColWidth(i+1, i+1, w); err != nil {
			return err
		}
	}
	at := 0
	line := func(look cellStyle, cells ...string) error {
		at++
		id, err := s.style(look)
		if err != nil {
			return err
		}
		row := make([]any, len(cells))
		for i, c := range cells {
			row[i] = excelize.Cell{StyleID: id, Value: s.cell(c)}
		}
		return sw.SetRow(fmt.Sprintf("A%d", at), row)
	}
	lang := s.h.lang
	steps := []func() error{func() error { return line(cellStyle{kind: "title", guarded: true}, s.h.title) }}
	lines := slices.Clone(s.h.about)
	for _, sheet := range s.sheets {
		lines = append(lines, fmt.Sprintf(Words{"工作表“%s”：%d 行", "Sheet “%s”: %d rows"}[lang], sheet.name, sheet.rows))
	}
	if s.cut > 0 {
		lines = append(lines, fmt.Sprintf(Words{"%d 个单元格超过 %d 个字符，已截短并以“…”结尾；完整内容请导出 csv、parquet 或 jsonl。", "%d cells were longer than %d characters and end in “…”; csv, parquet and jsonl have all of them."}[lang], s.cut, maxCell))
	}
	if s.lost > 0 {
		lines = append(lines, fmt.Sprintf(Words{"前 %d 个链接可以点击，其余 %d 个没有做成链接。", "The first %d links can be clicked, %d more were not made links."}[lang], maxLinks, s.lost))
	}
	for _, l := range lines {
		steps = append(steps, func() error { return line(cellStyle{kind: "about", guarded: true}, l) })
	}
	steps = append(steps, func() error { at++; return nil }, func() error {
		return line(cellStyle{kind: "header"}, Words{"列", "Column"}[lang], Words{"单位", "Unit"}[lang], Words{"含义", "Meaning"}[lang])
	})
	for i := range s.h.columns {
		c := s.h.column(i)
		unit := s.h.unit(c, inSeconds, inMinutes)
		if c.Type == Share || c.Type == Change {
			unit = "%"
		}
		steps = append(steps, func() error {
			return line(cellStyle{kind: "text", wrap: true}, s.h.columnTitle(c, ""), unit, c.Note.In(lang))
		})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return sw.Flush()
}
