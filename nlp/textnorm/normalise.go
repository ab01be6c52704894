// Package textnorm brings a chat or speech text into one form before it is cut into words and scored: half-width
// letters and punctuation, lower case, simplified characters, emoji as tags such as [笑], bounded repetition, no control
// or zero-width characters. The result remembers where each byte came from.
//
// It imports only schemas and the standard library.
package textnorm

import (
	"unicode"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

//go:generate go run gen_variants.go -in TSCharacters.txt

// maxRun bounds how often the same punctuation mark or emoji tag stands in a row: three still say "emphatic", more say
// nothing else.
const maxRun = 3

// Normalise folds width, case and traditional characters, turns emoji into tags, digits of any style into 0-9, bounds
// runs of the same punctuation or emoji at three and of white space at one, and drops control characters, zero-width
// characters and invalid UTF-8. Tags that are text already, such as [怒], /:wave or [电话x], stay.
//
// It is idempotent, runs in linear time and is safe for concurrent use. A text that is already normal is returned as it
// is, without allocating; then Offsets is nil. Else every byte of a character in Text maps to the first byte of the
// character of s it came from, and the last entry is len(s).
func Normalise(s string) schemas.NormText {
	n := normaliser{in: s}
	for n.pos < len(s) {
		if n.plain() {
			continue
		}
		r, size := utf8.DecodeRuneInString(s[n.pos:])
		if r == utf8.RuneError && size == 1 {
			n.change()
			n.pos++
			continue
		}
		n.rune(r, size)
	}
	if n.out == nil {
		return schemas.NormText{Text: s}
	}
	n.offsets = append(n.offsets, int32(len(s)))
	return schemas.NormText{Text: string(n.out), Offsets: n.offsets}
}

// normaliser walks over in. While out is nil, in[:pos] is its own normal form.
type normaliser struct {
	in      string
	pos     int
	out     []byte
	offsets []int32
	// last is what was put out last, a character or the negative of an emoji class, and run how often in a row.
	last rune
	run  int
}

// plain passes over one ASCII character or one character of the common CJK block, and says whether it could.
func (n *normaliser) plain() bool {
	c := n.in[n.pos]
	if c < utf8.RuneSelf {
		if !asciiPlain[c] {
			return false
		}
		n.last, n.run = rune(c), 1
		if n.out != nil {
			n.out = append(n.out, c)
			n.offsets = append(n.offsets, int32(n.pos))
		}
		n.pos++
		return true
	}
	// E4..E9 lead the characters U+4000..U+9FFF.
	if c < 0xe4 || c > 0xe9 || n.pos+2 >= len(n.in) {
		return false
	}
	c1, c2 := n.in[n.pos+1], n.in[n.pos+2]
	if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 {
		return false
	}
	r := rune(c&0x0f)<<12 | rune(c1&0x3f)<<6 | rune(c2&0x3f)
	to := simplify(r)
	if to != r {
		n.change()
	}
	n.last, n.run = to, 1
	if n.out != nil {
		n.out = utf8.AppendRune(n.out, to)
		p := int32(n.pos)
		n.offsets = append(n.offsets, p, p, p)
	}
	n.pos += 3
	return true
}

// rune handles any character.
func (n *normaliser) rune(r rune, size int) {
	if dropped(r) || r == '\r' && n.pos+1 < len(n.in) && n.in[n.pos+1] == '\n' {
		n.change()
		n.pos += size
		return
	}
	if class := emojiClass(r); class != 0 {
		n.change()
		if n.again(-rune(class), maxRun) {
			n.text(emojiTags[class])
		}
		n.pos += emojiLen(n.in[n.pos:], r, size)
		return
	}
	if text := expansion(r); text != "" {
		n.change()
		for _, c := range text {
			if n.again(c, runLimit(c)) {
				n.text(string(c))
			}
		}
		n.pos += size
		return
	}
	to := fold(r)
	ok := n.again(to, runLimit(to))
	if !ok || to != r {
		n.change()
	}
	if ok && n.out != nil {
		var b [utf8.UTFMax]byte
		for _, c := range b[:utf8.EncodeRune(b[:], to)] {
			n.out = append(n.out, c)
			n.offsets = append(n.offsets, int32(n.pos))
		}
	}
	n.pos += size
}

// again notes that x comes next and says whether it may, under a bound of limit in a row; 0 is no bound.
func (n *normaliser) again(x rune, limit int) bool {
	if x != n.last {
		n.last, n.run = x, 1
		return true
	}
	if limit > 0 && n.run >= limit {
		return false
	}
	n.run++
	return true
}

// text puts out a text that stands for the character at pos.
func (n *normaliser) text(s string) {
	n.out = append(n.out, s...)
	for range len(s) {
		n.offsets = append(n.offsets, int32(n.pos))
	}
}

// change is called before the first difference: it copies what was equal so far.
func (n *normaliser) change() {
	if n.out != nil {
		return
	}
	n.out = make([]byte, 0, len(n.in)+8)
	n.offsets = make([]int32, 0, len(n.in)+9)
	n.out = append(n.out, n.in[:n.pos]...)
	start := int32(0)
	for i := range n.pos {
		if utf8.RuneStart(n.in[i]) {
			start = int32(i)
		}
		n.offsets = append(n.offsets, start)
	}
}

// Clean takes out NUL bytes and invalid UTF-8, which C libraries cannot take. A clean text is returned as it is.
func Clean(s string) string {
	i := firstDirty(s)
	if i == len(s) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i < len(s) {
		out = append(out, s[:i]...)
		_, size := utf8.DecodeRuneInString(s[i:])
		s = s[i+size:]
		i = firstDirty(s)
	}
	return string(append(out, s...))
}

// IsClean says whether a text has neither NUL bytes nor invalid UTF-8.
func IsClean(s string) bool { return firstDirty(s) == len(s) }

func firstDirty(s string) int {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c == 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(s)
}

// dropped says whether a character has no meaning in a text: control, formatting, zero-width.
func dropped(r rune) bool {
	switch {
	case r < 0x20:
		return r != '\n' && r != '\t' && r != '\r' && r != '\v' && r != '\f'
	case r == 0x7f:
		return true
	case r < 0xad:
		return r >= 0x80 && r < 0xa0 && r != 0x85
	case r >= 0xfe00 && r <= 0xfe0f: // variation selectors
		return true
	case r == 0x20e3, r == 0x034f, r == 0x3164, r == 0x115f, r == 0x1160: // keycap, joiner, Hangul fillers
		return true
	case r >= 0x1f3fb && r <= 0x1f3ff: // skin tones
		return true
	case r >= 0xe0000 && r <= 0xe0fff: // tags and further variation selectors
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// runLimit gives how often a character may stand in a row, 0 = without limit. Asterisks and underscores are left
// alone, people mask numbers with them; brackets too, they belong to tags.
func runLimit(r rune) int {
	switch r {
	case ' ', '\n':
		return 1
	case '*', '_', '+', '#', '/', '\\', '@', '&', '%', '[', ']':
		return 0
	case '~', '^', '=', '<', '>', '|', '`', '$', '¥':
		return maxRun
	}
	if r < utf8.RuneSelf {
		if r > ' ' && r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return maxRun
		}
		return 0
	}
	if unicode.IsPunct(r) {
		return maxRun
	}
	return 0
}

// asciiPlain marks the ASCII characters that always stay as they are.
var asciiPlain = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		r := rune(c)
		t[c] = !dropped(r) && fold(r) == r && runLimit(r) == 0
	}
	return t
}()
