package mask

import (
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/textnorm"
)

// signs say what kinds of characters a text holds: a cheap look that spares most texts any search.
type signs struct {
	bits     uint8
	digits   int // 0-9 of any style
	numerals int // Chinese digits
	places   int // characters that end parts of addresses
}

const (
	signDigit uint8 = 1 << iota
	signAt
	signName
	signPlace
	signNumeral
	signLatin
	signBracket
)

func (s signs) has(bits uint8) bool { return s.bits&bits != 0 }

// worth says whether a search could find anything.
func (s signs) worth() bool {
	return s.bits&(signAt|signName|signBracket|signLatin) != 0 || s.digits >= minPlateDigits || s.digits+s.numerals >= minDigits || s.places >= minPlaces
}

const (
	// spokenDigits are the characters people speak digits with, in call transcripts and to get round filters.
	spokenDigits = "零〇○洞幺一二三四五六七八九两壹贰叁肆伍陆柒捌玖"
	// minDigits is the fewest digits of any number, minPlateDigits of a number plate or an account, minPlaces the fewest
	// parts of an address.
	minDigits      = 7
	minPlateDigits = 2
	minPlaces      = 2
	// minSpoken is the least number of spoken digits in a row that are read as a number.
	minSpoken = 7
	// nameSigns are the second characters of the pairs that announce a name.
	nameSigns = "叫姓名人主字件生士姐太"
	// placeSigns end parts of an address.
	placeSigns = "省市区县旗镇乡村路街道巷弄号栋幢楼座元室层组苑园城庄屯厦"
)

// classes maps every character of the basic plane to its sign.
var classes [0x10000]uint8

var prepare = sync.OnceFunc(func() {
	own := map[rune]uint8{'@': signAt, '[': signBracket}
	for _, r := range spokenDigits {
		own[r] |= signNumeral
	}
	for _, r := range nameSigns {
		own[r] |= signName
	}
	for _, r := range placeSigns {
		own[r] |= signPlace
	}
	for r := range rune(0x10000) {
		f := textnorm.Fold(r)
		bits := own[f]
		if isDigit(f) {
			bits |= signDigit
		}
		classes[r] = bits
	}
	// Accounts that are words of letters follow one of these.
	for _, r := range "微威薇维vVwWｖＶｗＷ" {
		classes[r] |= signLatin
	}
})

// scan looks at every character once.
func scan(s string) signs {
	var g signs
	last := '\n'
	for i := 0; i < len(s); {
		c := s[i]
		var r rune
		switch {
		case c < utf8.RuneSelf:
			r = rune(c)
			i++
		case c >= 0xe1 && c <= 0xec && i+2 < len(s):
			r = rune(c&0x0f)<<12 | rune(s[i+1]&0x3f)<<6 | rune(s[i+2]&0x3f)
			i += 3
		default:
			var size int
			r, size = utf8.DecodeRuneInString(s[i:])
			i += size
			if r >= 0x1d400 && r < 0x1d800 || r >= 0x1f130 && r < 0x1f190 {
				g.bits |= signDigit
				g.digits++
			}
			if r > 0xffff {
				continue
			}
		}
		bits := classes[r&0xffff]
		before := last
		last = r
		if bits == 0 {
			continue
		}
		if bits&signName != 0 && !namePair(textnorm.Fold(before), textnorm.Fold(r)) {
			bits &^= signName
		}
		g.bits |= bits
		if bits&signNumeral != 0 {
			g.numerals++
		}
		if bits&signDigit != 0 {
			g.digits++
		}
		if bits&signPlace != 0 {
			g.places++
		}
	}
	return g
}

// namePair says whether two characters announce a name.
func namePair(a, b rune) bool {
	switch b {
	case '叫':
		return a == '我' || a == '字'
	case '姓':
		return a == '我' || a == '贵'
	case '名':
		return a == '姓' || a == '户'
	case '人':
		return a == '件' || a == '货' || a == '系' || a == '卡' || a == '收' || a == '款'
	case '主':
		return a == '机' || a == '户'
	case '字':
		return a == '名'
	case '件':
		return a == '收'
	case '生':
		return a == '先'
	case '士':
		return a == '女'
	case '姐':
		return a == '小'
	case '太':
		return a == '太'
	}
	return false
}

// view is a text folded for matching: half-width, lower case, simplified, without zero-width characters, spoken digits as
// digits, and every placeholder and every find as marks. r[i] came from the bytes off[i] up to off[i+1].
type view struct {
	r      []rune
	off    []int32
	found  []span
	marks  bool // the text held placeholders
	spoken bool // spoken digits were read
	runs   []run
	r2     []rune
	off2   []int32
}

// markBase is where marks begin, in the private use area: mark(k) stands for a piece of personal data of kind k.
const markBase = 0xe100

func mark(k kind) rune { return markBase + rune(k) }

func isMark(r rune) bool { return r >= markBase && r < markBase+0x20 }

// stray replaces private-use characters of the text itself.
const stray = 0xe0ff

func (v *view) release() {
	const keep = 64 << 10 // do not keep the memory of a huge text
	if cap(v.r) <= keep {
		views.Put(v)
	}
}

func (v *view) build(s string, g signs) {
	v.r, v.off, v.found = v.r[:0], v.off[:0], v.found[:0]
	v.marks, v.spoken = false, false
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && c != '[' && c >= ' ' && c != 0x7f {
			r := rune(c)
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			v.add(r, i)
			i++
			continue
		}
		if c == '[' && g.has(signBracket) {
			if label, size := placeholder(s[i:]); size > 0 {
				k := labels[label].kind
				if k == none {
					k = other
				}
				v.add(mark(k), i)
				v.marks = true
				i += size
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			v.add(stray, i)
		case r >= 0xe000 && r < 0xf900:
			v.add(stray, i)
		case r == '\n' || r == '\r':
			v.add('\n', i)
		case textnorm.Ignorable(r):
		default:
			v.add(textnorm.Fold(r), i)
		}
		i += size
	}
	v.off = append(v.off, int32(len(s)))
	if g.numerals >= 3 && (g.numerals >= minSpoken || g.has(signDigit)) {
		v.readSpoken()
	}
}

func (v *view) add(r rune, at int) {
	v.r = append(v.r, r)
	v.off = append(v.off, int32(at))
}

// at gives the character at i, a newline beyond the ends.
func (v *view) at(i int) rune {
	if i < 0 || i >= len(v.r) {
		return '\n'
	}
	return v.r[i]
}

// claim notes a find of the characters i up to j and hides them from later searches.
func (v *view) claim(i, j int, k kind) {
	v.found = append(v.found, span{int(v.off[i]), int(v.off[j]), k})
	for n := i; n < j; n++ {
		v.r[n] = mark(k)
	}
}

func (v *view) sortFound() {
	slices.SortFunc(v.found, func(a, b span) int { return a.start - b.start })
}

// match says whether text stands at i.
func (v *view) match(i int, text []rune) bool {
	if i < 0 || i+len(text) > len(v.r) {
		return false
	}
	for n, r := range text {
		if v.r[i+n] != r {
			return false
		}
	}
	return true
}

// spokenValue gives the digit that a character speaks.
var spokenValue = map[rune]rune{
	'零': '0', '〇': '0', '○': '0', '洞': '0', '幺': '1', '一': '1', '壹': '1', '二': '2', '两': '2', '贰': '2', '三': '3', '叁': '3',
	'四': '4', '肆': '4', '五': '5', '伍': '5', '六': '6', '陆': '6', '七': '7', '柒': '7', '八': '8', '捌': '8', '九': '9', '玖': '9',
}

// readSpoken turns runs of at least minSpoken spoken digits, with plain ones and short pauses between, into digits.
// "三个零" in such a run counts as three digits.
func (v *view) readSpoken() {
	v.r2, v.off2 = v.r2[:0], v.off2[:0]
	for i := 0; i < len(v.r); {
		j, digits, spoken := v.spokenRun(i)
		if spoken < 3 || digits < minSpoken {
			j = max(j, i+1)
			v.r2 = append(v.r2, v.r[i:j]...)
			v.off2 = append(v.off2, v.off[i:j]...)
			i = j
			continue
		}
		v.spoken = true
		for i < j {
			n, d := v.repeated(i)
			step := 3
			if n == 0 {
				n, d, step = 1, v.r[i], 1
				if s, ok := spokenValue[d]; ok {
					d = s
				}
			}
			for range n {
				v.r2 = append(v.r2, d)
				v.off2 = append(v.off2, v.off[i])
			}
			i += step
		}
	}
	if v.spoken {
		v.off2 = append(v.off2, v.off[len(v.r)])
		v.r, v.r2 = v.r2, v.r
		v.off, v.off2 = v.off2, v.off
	}
}

// spokenRun gives the end of the run of digits at i and how many digits it holds, and how many of them are spoken.
func (v *view) spokenRun(i int) (end, digits, spoken int) {
	end = i
	for at := i; at < len(v.r); {
		r := v.r[at]
		if n, _ := v.repeated(at); n > 0 {
			digits += n
			spoken += n
			at += 3
			end = at
			continue
		}
		_, ok := spokenValue[r]
		switch {
		case ok:
			digits++
			spoken++
		case isDigit(r):
			digits++
		case at > i && at-end < 3 && (r == '嗯' || r == '啊' || r == '呃' || r == '哦' || r == ' ' || r == ',' || r == '、' || r == '-' || r == '。' || r == '.'):
			at++
			continue
		default:
			return end, digits, spoken
		}
		at++
		end = at
	}
	return end, digits, spoken
}

// repeated reads "三个零" at i: how often, and the digit.
func (v *view) repeated(i int) (n int, digit rune) {
	if v.at(i+1) != '个' {
		return 0, 0
	}
	c := spokenValue[v.at(i)]
	if c < '2' || c > '4' {
		return 0, 0
	}
	digit = v.at(i + 2)
	if s, ok := spokenValue[digit]; ok {
		digit = s
	}
	if !isDigit(digit) {
		return 0, 0
	}
	return int(c - '0'), digit
}
