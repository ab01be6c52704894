// Package export writes what people asked for as files that other programs open: spreadsheets to forward (xlsx, csv) and
// tables to compute with (parquet, Arrow IPC, JSON lines).
//
// A Dataset says what its columns are called, mean and measure, once for all formats, and how they are selected from the
// public views. Rows stream from the query into the file: memory is bounded whatever the number of rows. What customers
// and agents wrote is hostile input: no text can become a formula, and every filter value reaches SQL as a query
// parameter. It must not import the API or cmd.
package export

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Lang is the language of titles, labels and notes.
type Lang int

// Languages.
const (
	Chinese Lang = iota
	English
)

// ParseLang reads zh, zh-CN, en and the like; "" is Chinese.
func ParseLang(s string) (Lang, error) {
	switch s = strings.ToLower(s); {
	case s == "" || s == "zh" || strings.HasPrefix(s, "zh-"):
		return Chinese, nil
	case s == "en" || strings.HasPrefix(s, "en-"):
		return English, nil
	}
	return 0, fmt.Errorf("language %q is neither zh nor en", s)
}

// Words are a text in the languages, in their order.
type Words [2]string

// In is the text in a language.
func (w Words) In(l Lang) string { return w[l] }

// Type is what a column holds, and thereby how each format writes it.
type Type int

// Types of columns. Null is a value of all but the texts, whose unknown is "".
const (
	Text    Type = iota // free text
	Name                // text with few different values, such as a shop
	Label               // a key that people read by name, see Column.Labels
	Integer             // whole number
	Number              // any number
	Share               // 0..1, read as a percentage
	Change              // relative change, read as a percentage with its sign: .5 = 50 % more
	Money               // four decimals, exact
	Amount              // money that was divided
	Wait                // milliseconds, read as seconds
	Span                // milliseconds, read as minutes and seconds
	Day                 // a day
	Time                // a moment
	Bool                // yes or no
)

func (t Type) text() bool { return t == Text || t == Name || t == Label }

// Column describes one column of a dataset.
type Column struct {
	// Name in parquet, Arrow and JSON, that of the view's column where there is one.
	Name string
	// Title is what people read above the column, Unit what it measures, Note what it means.
	Title, Unit, Note Words
	Type              Type
	// Labels is the set of names that the values of a Label have.
	Labels string
	// Many says that the text is several values, parted by commas.
	Many bool
	// Format of the number in a spreadsheet; "" takes that of the type.
	Format string
	// Width in characters of a spreadsheet; 0 takes that of the type. Wrap breaks long texts into lines.
	Width float64
	Wrap  bool
	// LinkTo says what the value opens: session, of which it is the id, or the one that the column LinkFrom names (its
	// turn is in the column of that name with _seq, else in the column seq).
	LinkTo, LinkFrom string
	// In are the formats that have the column; 0 is all.
	In audience
}

// audience are kinds of formats.
type audience int

const (
	inSheet audience = 1 << iota // workbooks
	inCSV
	inData // formats for programs
)

// Value is one value of a row. Which field counts follows from the type of the column.
type Value struct {
	Null  bool
	Text  string    // Text, Name, Label: valid UTF-8 without NUL
	Int   int64     // Integer; Bool: 0 or 1; Money: in 1/10,000
	Float float64   // Number, Share, Change, Amount, Wait, Span
	Time  time.Time // Day, Time
}

// Format is a file format.
type Format struct {
	Name      string
	Extension string
	MediaType string
	audience  audience
}

// Formats lists the formats.
var Formats = []Format{
	{"xlsx", ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", inSheet},
	{"csv", ".csv", "text/csv; charset=utf-8", inCSV},
	{"parquet", ".parquet", "application/vnd.apache.parquet", inData},
	{"arrow", ".arrow", "application/vnd.apache.arrow.file", inData},
	{"arrows", ".arrows", "application/vnd.apache.arrow.stream", inData},
	{"jsonl", ".jsonl", "application/x-ndjson", inData},
}

// FormatNames are the names of the formats.
func FormatNames() []string {
	var out []string
	for _, f := range Formats {
		out = append(out, f.Name)
	}
	return out
}

// ParseFormat finds a format by its name.
func ParseFormat(name string) (Format, error) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, fmt.Errorf("format %q is none of %s", name, strings.Join(FormatNames(), ", "))
	}
	return Formats[i], nil
}
