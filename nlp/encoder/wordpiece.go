package encoder

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Token is a piece of a text: an entry of the vocabulary and the bytes it stands for.
type Token struct {
	ID         int32
	Start, End int
}

// Normalizer says which steps of the BertNormalizer of a tokenizer.json come before the pieces are looked up. The zero
// value takes the text as it is.
type Normalizer struct {
	CleanText, HandleChineseChars, Lowercase, StripAccents bool
}

// Vocabulary is the compiled form of a WordPiece tokenizer with Bert's pre-tokenizer: white space and punctuation part
// words, every Han character is a word (where the normalizer says so), and a word is cut greedily into its longest known
// pieces. It is immutable and safe for concurrent use, and cuts a text without allocating.
type Vocabulary struct {
	normalizer Normalizer
	// single is the piece of a character that is a word of its own, -1 for none, for the blocks of Han characters.
	single []int32
	first  trie
	next   trie
	// unknown stands for a word that cannot be cut.
	unknown int32
	maxWord int
	size    int
}

const (
	hanFirst = 0x4e00
	hanLast  = 0x9fff
	// continuation marks a piece that does not begin a word; sugarme/tokenizer knows no other.
	continuation = "##"
)

// NewVocabulary compiles pieces, whose ids are their places in the list. unknown must be one of them. Words of more than
// maxWord characters are unknown.
func NewVocabulary(pieces []string, unknown string, maxWord int, n Normalizer) (*Vocabulary, error) {
	v := &Vocabulary{normalizer: n, unknown: -1, maxWord: maxWord, size: len(pieces), single: make([]int32, hanLast-hanFirst+1)}
	for i := range v.single {
		v.single[i] = -1
	}
	v.first.init()
	v.next.init()
	for id, p := range pieces {
		if p == unknown {
			v.unknown = int32(id)
		}
		if p == "" {
			return nil, fmt.Errorf("token %d is empty", id)
		}
		if len(p) > len(continuation) && p[:len(continuation)] == continuation {
			v.next.add(p[len(continuation):], int32(id))
		}
		// A piece that looks like a continuation may begin a word too: ## is made of punctuation, so only where
		// nothing parts it off before, which costs nothing to allow.
		v.first.add(p, int32(id))
		if r, size := utf8.DecodeRuneInString(p); size == len(p) && r >= hanFirst && r <= hanLast {
			v.single[r-hanFirst] = int32(id)
		}
	}
	if v.unknown < 0 {
		return nil, fmt.Errorf("the vocabulary lacks the unknown token %q", unknown)
	}
	if maxWord <= 0 {
		return nil, errors.New("max_input_chars_per_word must be positive")
	}
	return v, nil
}

// Size gives the number of pieces.
func (v *Vocabulary) Size() int { return v.size }

// Tokens appends the tokens of a text to dst. Offsets are bytes of text.
func (v *Vocabulary) Tokens(dst []Token, text string) []Token {
	c := cutter{v: v, text: text}
	var buf [64]Token
	for {
		n := c.fill(buf[:])
		if n == 0 {
			return dst
		}
		dst = append(dst, buf[:n]...)
	}
}

// cutter walks over a text.
type cutter struct {
	v    *Vocabulary
	text string
	pos  int
	// pieces are those of a word that the normalizer changed and that did not yet fit into a buffer.
	pieces []Token
}

// fill puts the next tokens into buf and gives their number, 0 at the end.
func (c *cutter) fill(buf []Token) int {
	n := 0
	for n < len(buf) {
		if len(c.pieces) > 0 {
			k := copy(buf[n:], c.pieces)
			n, c.pieces = n+k, c.pieces[k:]
			continue
		}
		if c.pos >= len(c.text) {
			break
		}
		r, size := rune(c.text[c.pos]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(c.text[c.pos:])
			if r >= hanFirst && r <= hanLast && c.v.normalizer.HandleChineseChars {
				id := c.v.single[r-hanFirst]
				if id < 0 {
					id = c.v.unknown
				}
				buf[n] = Token{id, c.pos, c.pos + size}
				n++
				c.pos += size
				continue
			}
		}
		class := c.v.class(r)
		if class == classSpace || class == classDropped {
			c.pos += size
			continue
		}
		end, plain := c.pos+size, c.v.plain(r, size)
		for class == classWord && end < len(c.text) {
			r, size := rune(c.text[end]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(c.text[end:])
			}
			if class := c.v.class(r); class == classSpace || class == classAlone {
				break
			}
			plain = plain && c.v.plain(r, size)
			end += size
		}
		if plain {
			if k := c.v.pieces(buf[n:], c.text, c.pos, end); k > 0 {
				n += k
				c.pos = end
				continue
			}
			if n > 0 {
				// The rest of buf is too small for the word.
				break
			}
		}
		c.pieces = c.v.word(nil, c.text, c.pos, end)
		c.pos = end
	}
	return n
}

type class uint8

const (
	classWord class = iota
	classSpace
	classAlone
	classDropped
)

// asciiClass holds the class of ASCII characters, without the dropping of control characters.
var asciiClass = func() (t [utf8.RuneSelf]class) {
	for r := range t {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f':
			t[r] = classSpace
		case r >= '!' && r <= '/', r >= ':' && r <= '@', r >= '[' && r <= '`', r >= '{' && r <= '~':
			t[r] = classAlone
		}
	}
	return t
}()

// class sorts a character as BertNormalizer and BertPreTokenizer do in sugarme/tokenizer, which strips the accents that
// are characters of their own: é stays é.
func (v *Vocabulary) class(r rune) class {
	if r < utf8.RuneSelf {
		if v.normalizer.CleanText && (r < ' ' || r == 0x7f) && r != '\t' && r != '\n' && r != '\r' {
			return classDropped
		}
		return asciiClass[r]
	}
	if v.normalizer.CleanText && (r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf)) {
		return classDropped
	}
	if v.normalizer.StripAccents && unicode.Is(unicode.Mn, r) {
		return classDropped
	}
	if unicode.Is(unicode.P, r) || v.normalizer.HandleChineseChars && han(r) {
		return classAlone
	}
	return classWord
}

// han is what BERT calls a Chinese character, as sugarme/tokenizer finds it: its table lists the rare characters of
// U+3400..4DBF out of order, so that they are letters to it.
func han(r rune) bool {
	switch {
	case r < hanFirst:
		return false
	case r <= hanLast, r >= 0xf900 && r <= 0xfaff, r >= 0x20000 && r <= 0x2a6df,
		r >= 0x2a700 && r <= 0x2ceaf, r >= 0x2f800 && r <= 0x2fa1f:
		return true
	}
	return false
}

// plain says whether the normalizer leaves a character as it is.
func (v *Vocabulary) plain(r rune, size int) bool {
	if r < utf8.RuneSelf {
		return !v.normalizer.Lowercase || r < 'A' || r > 'Z'
	}
	return !v.normalizer.Lowercase && !v.normalizer.StripAccents && !v.normalizer.CleanText && (r != utf8.RuneError || size > 1)
}

// pieces cuts a word that the normalizer leaves as it is; 0 = the pieces do not fit into buf.
func (v *Vocabulary) pieces(buf []Token, text string, start, end int) int {
	if len(buf) == 0 {
		return 0
	}
	n, at := 0, start
	t := &v.first
	if end-start > v.maxWord && utf8.RuneCountInString(text[start:end]) > v.maxWord {
		at = end
		buf[0], n = Token{v.unknown, start, end}, 1
	}
	for at < end {
		id, length := t.longest(text[at:end])
		if length == 0 {
			buf[0] = Token{v.unknown, start, end}
			return 1
		}
		if n == len(buf) {
			return 0
		}
		buf[n] = Token{id, at, at + length}
		n++
		at += length
		t = &v.next
	}
	return n
}

// word cuts text[start:end], a word with characters that the normalizer may change, and appends its pieces.
func (v *Vocabulary) word(dst []Token, text string, start, end int) []Token {
	// from holds, for each byte of the normalised word and its end, the byte of text it came from; to the end of that
	// character.
	var letters []byte
	var from, to []int
	runes := 0
	put := func(r rune, at, size int) {
		n := len(letters)
		letters = utf8.AppendRune(letters, r)
		for range len(letters) - n {
			from, to = append(from, at), append(to, at+size)
		}
		runes++
	}
	for at := start; at < end; {
		r, size := utf8.DecodeRuneInString(text[at:end])
		if v.class(r) != classDropped {
			if v.normalizer.Lowercase {
				r = unicode.ToLower(r)
			}
			put(r, at, size)
		}
		at += size
	}
	if runes == 0 {
		return dst
	}
	unknown := Token{v.unknown, from[0], to[len(to)-1]}
	if runes > v.maxWord {
		return append(dst, unknown)
	}
	n := len(dst)
	t := &v.first
	for at := 0; at < len(letters); {
		id, length := t.longest(string(letters[at:]))
		if length == 0 {
			return append(dst[:n], unknown)
		}
		dst = append(dst, Token{id, from[at], to[at+length-1]})
		at += length
		t = &v.next
	}
	return dst
}

// trie finds the longest of a set of strings at the start of a text.
type trie struct {
	// ids of the string that ends at a node, -1 for none.
	ids []int32
	// edges from (node, byte) to the next node.
	edges map[uint32]int32
	// root holds the edges of node 0.
	root [256]int32
}

func (t *trie) init() { t.ids, t.edges = []int32{-1}, map[uint32]int32{} }

func (t *trie) step(node int32, c byte) int32 {
	if node == 0 {
		return t.root[c]
	}
	return t.edges[uint32(node)<<8|uint32(c)]
}

func (t *trie) add(s string, id int32) {
	node := int32(0)
	for i := range len(s) {
		next := t.step(node, s[i])
		if next == 0 {
			next = int32(len(t.ids))
			t.ids = append(t.ids, -1)
			if node == 0 {
				t.root[s[i]] = next
			} else {
				t.edges[uint32(node)<<8|uint32(s[i])] = next
			}
		}
		node = next
	}
	t.ids[node] = id
}

// longest gives the id and length of the longest entry that s starts with; length 0 for none. Entries are whole
// characters, so that the length is one too.
func (t *trie) longest(s string) (id int32, length int) {
	node := int32(0)
	for i := range len(s) {
		if node = t.step(node, s[i]); node == 0 {
			break
		}
		if t.ids[node] >= 0 {
			id, length = t.ids[node], i+1
		}
	}
	return id, length
}
