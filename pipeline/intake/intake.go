// Package intake turns files into messages: it finds out a file's format, opens it and hands out one JSON message after
// another, each with the file and line it came from.
//
// JSONL is handed out line by line exactly as it stands in the file, broken lines included: decoding and judging them
// is the caller's job. Every other format (JSON arrays, CSV and XLSX with a column map, Parquet, Whisper JSON, WebVTT
// and SRT) goes through an adapter that builds session messages. Memory is bounded whatever the size of the input.
//
// It must not import the stream, the warehouse or the analysis.
package intake

import (
	"fmt"
	"io"
	"time"

	"github.com/tingke/tingke/schemas"
)

// Record is one input line or row on its way to a message: either Raw or Err is set.
type Record struct {
	// Raw is one JSON message without a line break; it is valid until the next call of Next. Of JSONL it is the line
	// as it stands in the file, even if broken.
	Raw []byte
	// File is the path as given to Open, "-" for standard input.
	File string
	// Line is the 1-based line, row or cue that the message starts at.
	Line int
	// Err says that this line or row cannot be made into a message; reading goes on. It is an *Error.
	Err error
}

// Reader hands out the records of one file. It is not safe for concurrent use.
type Reader interface {
	// Next gives the next record. At the end of the file the error is io.EOF. Any other error ends the file early (a
	// truncated archive, a failing disk): everything readable before it has been handed out by then, and every
	// further call gives the same error.
	Next() (Record, error)
	// Close gives back the file and any temporary files.
	Close() error
}

// Formats that Options.Format may name.
const (
	FormatJSONL   = "jsonl"   // one message a line
	FormatJSON    = "json"    // an array of messages, or messages one after another, over any number of lines
	FormatCSV     = "csv"     // with a column map; tab, semicolon and | separated as well
	FormatXLSX    = "xlsx"    // with a column map
	FormatParquet = "parquet" // one row a turn or one row a session
	FormatWhisper = "whisper" // JSON of openai-whisper, whisper.cpp, faster-whisper, WhisperX
	FormatVTT     = "vtt"     // WebVTT
	FormatSRT     = "srt"     // SubRip
)

// Formats lists the names that Options.Format may hold.
func Formats() []string {
	return []string{FormatJSONL, FormatJSON, FormatCSV, FormatXLSX, FormatParquet, FormatWhisper, FormatVTT, FormatSRT}
}

// Options say how to read a file. The zero value reads every format with its defaults.
type Options struct {
	// Format is one of Formats; "" decides by extension and content.
	Format string
	// Map says what the columns of CSV, XLSX and flat Parquet files mean. Without one the columns must carry the names
	// of the message fields (session_id, role, text, at ...).
	Map *ColumnMap
	// Session is what the adapters fill in where the file says nothing. Lines of JSONL and JSON are passed unchanged.
	Session Defaults
	// Speakers maps the speaker labels of calls (SPEAKER_00, a voice tag, a prefix such as 客服) to roles, before the
	// built-in names. The label "" is a segment without any speaker, "*" every label not named.
	Speakers map[string]schemas.Role
	// SpeakerOrder gives roles to the labels that neither Speakers nor the built-in names know, in order of their first
	// turn. Nil means agent, then customer; where Speakers names any label it means that all others are errors.
	SpeakerOrder []schemas.Role
	// Location is the zone of times that name none; nil means Asia/Shanghai. A column map may name another.
	Location *time.Location
	// Limits bound what one file may cost.
	Limits Limits
}

// Defaults are session fields given on the command line for files that do not hold them. Empty ones say nothing.
type Defaults struct {
	Channel    string
	Source     string
	Shop       string
	Business   string
	SkillGroup string
	Product    string
	CustomerID string
	AgentID    string
	AgentName  string
	Team       string
	// Revision is the session revision, 0..65535: a higher one replaces sessions read before with other roles or texts.
	Revision int
}

// fill sets the empty fields of a session's meta data.
func (d *Defaults) fill(m *schemas.Meta) {
	set := func(dst *string, v string) {
		if *dst == "" {
			*dst = v
		}
	}
	set(&m.Channel, d.Channel)
	set(&m.Source, d.Source)
	set(&m.Shop, d.Shop)
	set(&m.Business, d.Business)
	set(&m.SkillGroup, d.SkillGroup)
	set(&m.Product, d.Product)
	set(&m.CustomerID, d.CustomerID)
	set(&m.AgentID, d.AgentID)
	set(&m.AgentName, d.AgentName)
	set(&m.Team, d.Team)
	if m.Revision == 0 {
		m.Revision = d.Revision
	}
}

// Limits bound what one file may cost. A zero field means its default.
type Limits struct {
	// LineBytes is the longest line, CSV record or array element; a longer one becomes an Err record and is skipped
	// without being held. Default 16 MiB.
	LineBytes int
	// Ratio is the greatest decompressed : compressed ratio beyond the first RatioFloor bytes, against decompression
	// bombs; small files of equal lines pack very well. Default 250 beyond 16 MiB.
	Ratio      int64
	RatioFloor int64
	// DecompressedBytes is the most that one gzip or zstd file, or all parts of an XLSX file, may unpack to.
	// Default 64 GiB, of an XLSX file 4 GiB.
	DecompressedBytes int64
	// WholeBytes is the largest file of a format that is read as a whole: Whisper, WebVTT and SRT. Default 64 MiB.
	WholeBytes int64
	// ArchiveBytes is the largest XLSX file. Default 256 MiB.
	ArchiveBytes int64
	// GroupBytes is the memory for rows that wait for the other rows of their session; more go to a temporary file.
	// Default 64 MiB. It does not change what comes out.
	GroupBytes int64
}

func (l Limits) withDefaults() Limits {
	if l.LineBytes <= 0 {
		l.LineBytes = schemas.MaxMessageBytes
	}
	if l.Ratio <= 0 {
		l.Ratio = 250
	}
	if l.RatioFloor <= 0 {
		l.RatioFloor = 16 << 20
	}
	if l.DecompressedBytes <= 0 {
		l.DecompressedBytes = 64 << 30
	}
	if l.WholeBytes <= 0 {
		l.WholeBytes = 64 << 20
	}
	if l.ArchiveBytes <= 0 {
		l.ArchiveBytes = 256 << 20
	}
	if l.GroupBytes <= 0 {
		l.GroupBytes = 64 << 20
	}
	return l
}

// Error says what is wrong with one place of a file and what to do about it.
type Error struct {
	File    string
	Line    int    // 1-based; 0 where the error is about the file as a whole
	Column  int    // 1-based byte column in the line; 0 where unknown
	Field   string // column or message field; "" where none
	Problem string
	Hint    string
	Cause   error
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
		if e.Column > 0 {
			s += fmt.Sprintf(":%d", e.Column)
		}
	}
	if s != "" {
		s += ": "
	}
	if e.Field != "" {
		s += e.Field + ": "
	}
	s += e.Problem
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// Open opens a file for reading; "-" is standard input. Compression (gzip, zstd) is seen by content. An error says that
// nothing of the file can be read: it does not exist, is of an unknown kind, or lacks a column that the map names.
func Open(path string, opt Options) (Reader, error) {
	opt.Limits = opt.Limits.withDefaults()
	if opt.Location == nil {
		opt.Location = shanghai
	}
	src, err := openSource(path, opt.Limits)
	if err != nil {
		return nil, err
	}
	r, err := open(src, opt)
	if err != nil {
		src.close()
		return nil, err
	}
	return r, nil
}

func open(src *source, opt Options) (Reader, error) {
	format := opt.Format
	if format == "" {
		var err error
		if format, err = detect(src, opt.Map != nil); err != nil {
			return nil, err
		}
	}
	switch format {
	case FormatJSONL:
		return newLineReader(src, opt.Limits), nil
	case FormatJSON:
		return newValueReader(src, opt.Limits), nil
	case FormatCSV, FormatXLSX:
		t, times, err := openTable(src, withFormat(opt, format))
		if err != nil {
			return nil, err
		}
		r, err := newTableReader(src, t, opt, times)
		if err != nil {
			t.close()
			return nil, err
		}
		return r, nil
	case FormatParquet:
		return openParquet(src, opt)
	case FormatWhisper:
		return newWhisper(src, opt)
	case FormatVTT, FormatSRT:
		return newSubtitle(src, opt, format == FormatVTT)
	}
	return nil, &Error{File: src.name, Problem: fmt.Sprintf("unknown format %q", format), Hint: "one of " + fmt.Sprint(Formats())}
}

func withFormat(opt Options, format string) Options {
	opt.Format = format
	return opt
}

// openTable opens a CSV or XLSX file, as opt.Format says, and the parser for its times.
func openTable(src *source, opt Options) (table, *timeParser, error) {
	m := opt.Map
	if m == nil {
		m = &ColumnMap{}
	}
	times := newTimeParser(m, opt.Location)
	if opt.Format == FormatCSV {
		return newCSVTable(src, m.Encoding, m.Delimiter, opt.Limits), times, nil
	}
	t, err := newXLSXTable(src, m.Sheet, opt.Limits)
	if err != nil {
		return nil, nil, err
	}
	times.serial = t.serial
	return t, times, nil
}

// shanghai is the zone of times that name none; it has had no daylight saving since 1991.
var shanghai = func() *time.Location {
	if l, err := time.LoadLocation("Asia/Shanghai"); err == nil {
		return l
	}
	return time.FixedZone("Asia/Shanghai", 8*3600)
}()

// finished is the part of a Reader that repeats its final error.
type finished struct{ err error }

func (f *finished) end(err error) (Record, error) {
	if err == nil {
		err = io.EOF
	}
	f.err = err
	return Record{}, err
}
