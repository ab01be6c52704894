package intake

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeFormat turns a format of the column map into a Go layout. Letters, repeated for the width: y year, M month,
// d day, H hour, m minute, s second, S fraction, a morning or afternoon (h hour then), X offset; text in ” stands for itself.
// unix and unix_ms are counts since 1970.
func timeFormat(f string) (string, error) {
	switch f {
	case "unix", "unix_ms":
		return f, nil
	}
	var b strings.Builder
	for i := 0; i < len(f); {
		c := f[i]
		if c == '\'' {
			end := strings.IndexByte(f[i+1:], '\'')
			if end < 0 {
				return "", fmt.Errorf("format %q has an open quote", f)
			}
			b.WriteString(f[i+1 : i+1+end])
			i += end + 2
			continue
		}
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			b.WriteByte(c)
			i++
			continue
		}
		n := 1
		for i+n < len(f) && f[i+n] == c {
			n++
		}
		layout, ok := timeLetters[f[i:i+n]]
		if !ok && c == 'S' && n <= 9 {
			layout, ok = strings.Repeat("0", n), true
		}
		if !ok && f[i] == 'T' && n == 1 {
			layout, ok = "T", true
		}
		if !ok {
			return "", fmt.Errorf("format %q has unknown letters %q", f, f[i:i+n])
		}
		b.WriteString(layout)
		i += n
	}
	return b.String(), nil
}

var timeLetters = map[string]string{
	"yyyy": "2006", "yy": "06", "MM": "01", "M": "1", "dd": "02", "d": "2", "HH": "15", "H": "15", "hh": "03", "h": "3",
	"mm": "04", "m": "4", "ss": "05", "s": "5", "a": "PM", "X": "Z07:00", "XXX": "Z07:00",
}

// Seconds may carry a fraction whatever the layout says: time.Parse takes it.
var builtinLayouts = []string{
	time.RFC3339, "2006-1-2 15:4:5", "2006/1/2 15:4:5", "2006-1-2T15:4:5", "2006-1-2 15:4", "2006/1/2 15:4", "2006.1.2 15:4:5",
	"2006年1月2日 15:4:5", "2006年1月2日 15:4", "2006年1月2日15:4:5", "2006年1月2日15时4分5秒", "2006-1-2 15:4:5Z07:00", "2006-1-2", "2006/1/2", "2006年1月2日", "20060102150405",
}

var clockLayouts = []string{"15:4:5", "15:4"}

// timeParser reads the times of one table.
type timeParser struct {
	layouts []string
	loc     *time.Location
	// serial turns the number of a spreadsheet's date cell into a time; nil where the table is no spreadsheet.
	serial func(float64) (time.Time, error)
	last   int // the layout that matched last, tried first
}

func newTimeParser(m *ColumnMap, loc *time.Location) *timeParser {
	p := &timeParser{loc: loc}
	if m != nil && m.Location != nil {
		p.loc = m.Location
	}
	if m != nil {
		for _, f := range m.TimeFormats {
			if l, err := timeFormat(f); err == nil { // checked when the map was read
				p.layouts = append(p.layouts, l)
			}
		}
	}
	p.layouts = append(p.layouts, builtinLayouts...)
	return p
}

// parse reads a time; base gives the day where the value is only a time of day, its zero value refuses that.
func (p *timeParser) parse(s string, base time.Time) (time.Time, error) {
	if p.last < len(p.layouts) {
		if t, ok := p.layout(p.layouts[p.last], s); ok {
			return t, nil
		}
	}
	for i, l := range p.layouts {
		if i == p.last {
			continue
		}
		if t, ok := p.layout(l, s); ok {
			p.last = i
			return t, nil
		}
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(x) {
		switch {
		case p.serial != nil && x >= 1 && x < 2_958_466: // up to 9999-12-31
			t, err := p.serial(x)
			if err != nil {
				return time.Time{}, fmt.Errorf("%q is no date: %w", s, err)
			}
			return p.wall(t.Round(time.Millisecond)), nil
		case x >= 1e9 && x < 1e10: // seconds since 1970, from 2001 on
			return time.UnixMilli(int64(math.Round(x * 1e3))).UTC(), nil
		case x >= 1e12 && x < 1e13:
			return time.UnixMilli(int64(x)).UTC(), nil
		}
	}
	for _, l := range clockLayouts {
		if t, err := time.Parse(l, s); err == nil {
			if base.IsZero() {
				return time.Time{}, fmt.Errorf("%q is a time of day without its day", s)
			}
			b := base.In(p.loc)
			return time.Date(b.Year(), b.Month(), b.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), p.loc).UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time of a known form", clip(s))
}

func (p *timeParser) layout(l, s string) (time.Time, bool) {
	switch l {
	case "unix", "unix_ms":
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(x) || math.Abs(x) > 2e14 {
			return time.Time{}, false
		}
		if l == "unix" {
			x *= 1e3
		}
		return time.UnixMilli(int64(math.Round(x))).UTC(), true
	}
	t, err := time.ParseInLocation(l, s, p.loc)
	if err != nil {
		return time.Time{}, false
	}
	return t.Round(time.Millisecond).UTC(), true
}

// wall reads the clock face of t as one in the parser's zone.
func (p *timeParser) wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), p.loc).UTC()
}

// span reads a point of a recording: seconds (12.5) or a clock (00:01:02,500), in milliseconds.
func span(s string) (int64, error) {
	s = strings.TrimSpace(s)
	parts := strings.Split(strings.Replace(s, ",", ".", 1), ":")
	if len(parts) > 3 {
		return 0, fmt.Errorf("%q is no time of a recording", clip(s))
	}
	var ms float64
	for i, part := range parts {
		x, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(x) || x < 0 || x > 1e9 || i < len(parts)-1 && x != math.Trunc(x) {
			return 0, fmt.Errorf("%q is no time of a recording", clip(s))
		}
		ms = ms*60 + x*1e3
	}
	if ms > 1<<40 {
		return 0, fmt.Errorf("%q is no time of a recording", clip(s))
	}
	return int64(math.Round(ms)), nil
}

// clip shortens a value for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	i := most
	for i > 0 && s[i]&0xc0 == 0x80 {
		i--
	}
	return s[:i] + "…"
}
