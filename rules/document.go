package rules

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document finds the bytes of YAML nodes in their text. The YAML reader says where a node begins but not where it ends,
// so the ends are worked out here; Patch checks what it made of them by reading the result again.
type document struct {
	text  string
	lines []int // byte where each line begins
	// The last place found, since places are mostly asked for in order and lines may be long.
	line, col, at int
}

func newDocument(text string) *document {
	d := &document{text: text, lines: []int{0}}
	for i := 0; i < len(text); {
		if n := lineBreak(text, i); n > 0 {
			i += n
			d.lines = append(d.lines, i)
			continue
		}
		i++
	}
	return d
}

// lineBreak gives the length of the line break at byte i, 0 where there is none. YAML counts the breaks of Unicode too.
func lineBreak(s string, i int) int {
	switch s[i] {
	case '\n':
		return 1
	case '\r':
		if i+1 < len(s) && s[i+1] == '\n' {
			return 2
		}
		return 1
	case 0xc2:
		if strings.HasPrefix(s[i:], "\u0085") {
			return 2
		}
	case 0xe2:
		if strings.HasPrefix(s[i:], "\u2028") || strings.HasPrefix(s[i:], "\u2029") {
			return 3
		}
	}
	return 0
}

// offset gives the byte of a line and column, both from 1, columns in characters.
func (d *document) offset(line, col int) int {
	if line < 1 || line > len(d.lines) {
		return len(d.text)
	}
	at, c := d.lines[line-1], 1
	if line == d.line && col >= d.col {
		at, c = d.at, d.col
	}
	for ; c < col && at < len(d.text); c++ {
		_, size := utf8.DecodeRuneInString(d.text[at:])
		at += size
	}
	d.line, d.col, d.at = line, c, at
	return at
}

// lineStart is the byte where the line of byte i begins, lineEnd where it ends, before its break.
func (d *document) lineStart(i int) int {
	lo, hi := 0, len(d.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; d.lines[mid] <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	return d.lines[lo]
}

func (d *document) lineEnd(i int) int {
	for i < len(d.text) && lineBreak(d.text, i) == 0 {
		i++
	}
	return i
}

// span gives the bytes of a node. indent is the indentation of the block collection around it.
func (d *document) span(n *yaml.Node, indent int) (start, end int) {
	start = d.offset(n.Line, n.Column)
	at := start
	if n.Style&yaml.TaggedStyle != 0 {
		for at < len(d.text) && d.text[at] != ' ' && lineBreak(d.text, at) == 0 {
			at++
		}
		at = d.skipSpace(at)
	}
	switch n.Kind {
	case yaml.MappingNode, yaml.SequenceNode:
		if n.Style&yaml.FlowStyle == 0 {
			if len(n.Content) == 0 {
				return start, at
			}
			_, end = d.span(n.Content[len(n.Content)-1], n.Column-1)
			return start, max(end, at)
		}
		at = min(at+1, len(d.text))
		if len(n.Content) > 0 {
			_, e := d.span(n.Content[len(n.Content)-1], indent)
			at = max(at, e)
		}
		for at = d.skipSpace(at); at < len(d.text) && d.text[at] != ']' && d.text[at] != '}'; at = d.skipSpace(at) {
			at++
		}
		return start, min(at+1, len(d.text))
	case yaml.ScalarNode:
		return start, d.scalarEnd(n, at, indent)
	}
	return start, at
}

// skipSpace passes over white space, line breaks and comments.
func (d *document) skipSpace(at int) int {
	for at < len(d.text) {
		switch c := d.text[at]; {
		case c == ' ' || c == '\t':
			at++
		case c == '#' && (at == 0 || strings.IndexByte(" \t\r\n", d.text[at-1]) >= 0):
			at = d.lineEnd(at)
		default:
			n := lineBreak(d.text, at)
			if n == 0 {
				return at
			}
			at += n
		}
	}
	return at
}

func (d *document) scalarEnd(n *yaml.Node, at, indent int) int {
	s := d.text
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for at++; at < len(s) && s[at] != '"'; at++ {
			if s[at] == '\\' {
				at++
			}
		}
		return min(at+1, len(s))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for at++; at < len(s); at++ {
			if s[at] == '\'' {
				if at+1 >= len(s) || s[at+1] != '\'' {
					break
				}
				at++
			}
		}
		return min(at+1, len(s))
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return d.blockEnd(at, indent)
	}
	return d.plainEnd(n.Value, at)
}

// blockEnd is the end of a literal or folded text whose header stands at byte at.
func (d *document) blockEnd(at, indent int) int {
	end := d.lineEnd(at)
	header := d.text[at:end]
	keep := strings.HasPrefix(header[1:], "+") || len(header) > 2 && header[2] == '+'
	least := indent + 1
	detect := !strings.ContainsAny(header[:min(3, len(header))], "123456789")
	for next := end; next < len(d.text); {
		next += lineBreak(d.text, next)
		stop := d.lineEnd(next)
		spaces := 0
		for next+spaces < stop && d.text[next+spaces] == ' ' {
			spaces++
		}
		switch {
		case next+spaces == stop: // a blank line
			if keep {
				end = stop
			}
		case spaces < least:
			return end
		default:
			if detect {
				least, detect = spaces, false
			}
			end = stop
		}
		if stop >= len(d.text) {
			break
		}
		next = stop
	}
	return end
}

// plainEnd walks along a text without quotes; a line break inside it reads as a space, blank lines as breaks.
func (d *document) plainEnd(value string, at int) int {
	s := d.text
	if strings.HasPrefix(s[at:], value) {
		return at + len(value)
	}
	i, j := at, 0
	for i < len(s) && j < len(value) {
		run, breaks := i, 0
		for run < len(s) {
			if n := lineBreak(s, run); n > 0 {
				breaks++
				run += n
			} else if s[run] == ' ' || s[run] == '\t' {
				run++
			} else {
				break
			}
		}
		switch {
		case breaks == 0:
			if s[i] != value[j] {
				return i
			}
			i++
			j++
		case breaks == 1:
			i, j = run, j+1
		default:
			i, j = run, j+breaks-1
		}
	}
	return i
}
