package textnorm

import (
	"unicode"
	"unicode/utf8"
)

// Fold gives the normal form of one character where that is one character too: half-width, lower case, simplified, digits
// of any style as 0-9. It is what Normalise does to a character, without emoji, expansions and dropping.
func Fold(r rune) rune { return fold(r) }

// Ignorable says whether Normalise drops a character: control, zero-width, formatting.
func Ignorable(r rune) bool { return dropped(r) }

// fold gives the normal form of a character that stays one character.
func fold(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		switch r {
		case '\t', '\v', '\f':
			return ' '
		case '\r':
			return '\n'
		}
		return r
	case r >= 0x3400 && r <= 0x9fff:
		return simplify(r)
	case r >= 0xff01 && r <= 0xff5e: // full-width ASCII
		return fold(r - 0xff01 + '!')
	case r == 0x85, r == 0x2028, r == 0x2029:
		return '\n'
	case r == 0x3000, r == 0xa0, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f, r == 0x1680:
		return ' '
	}
	if d, ok := digit(r); ok {
		return d
	}
	if l, ok := letter(r); ok {
		return l
	}
	if to, ok := marks[r]; ok {
		return to
	}
	return unicode.ToLower(r)
}

// marks are further width variants.
var marks = map[rune]rune{
	'｡': '。', '｢': '「', '｣': '」', '､': '、', '･': '·', '￠': '¢', '￡': '£', '￢': '¬', '￥': '¥', '〜': '~', '∼': '~', '︿': '^',
	'﹐': ',', '﹑': '、', '﹒': '.', '﹔': ';', '﹕': ':', '﹖': '?', '﹗': '!', '﹙': '(', '﹚': ')', '﹟': '#', '﹠': '&', '﹡': '*',
	'﹢': '+', '﹣': '-', '﹤': '<', '﹥': '>', '﹦': '=', '﹩': '$', '﹪': '%', '﹫': '@', '−': '-', '‐': '-', '‑': '-', '⁄': '/', '∕': '/',
}

// digit folds superscript, subscript, circled and mathematical digits.
func digit(r rune) (rune, bool) {
	switch {
	case r == 0xb2 || r == 0xb3:
		return r - 0xb2 + '2', true
	case r == 0xb9:
		return '1', true
	case r == 0x2070, r == 0x24ea, r == 0x24ff:
		return '0', true
	case r >= 0x2074 && r <= 0x2079:
		return r - 0x2070 + '0', true
	case r >= 0x2080 && r <= 0x2089:
		return r - 0x2080 + '0', true
	case r >= 0x2460 && r <= 0x2468: // circled 1-9
		return r - 0x2460 + '1', true
	case r >= 0x24f5 && r <= 0x24fd: // double circled
		return r - 0x24f5 + '1', true
	case r >= 0x2776 && r <= 0x277e, r >= 0x2780 && r <= 0x2788, r >= 0x278a && r <= 0x2792: // dingbat circled
		return (r-0x2776)%10 + '1', true
	case r >= 0x1d7ce && r <= 0x1d7ff: // mathematical
		return (r-0x1d7ce)%10 + '0', true
	}
	return 0, false
}

// letter folds circled, squared and mathematical Latin letters.
func letter(r rune) (rune, bool) {
	switch {
	case r >= 0x24b6 && r <= 0x24e9:
		return (r-0x24b6)%26 + 'a', true
	case r >= 0x1f130 && r <= 0x1f149:
		return r - 0x1f130 + 'a', true
	case r >= 0x1f150 && r <= 0x1f169:
		return r - 0x1f150 + 'a', true
	case r >= 0x1f170 && r <= 0x1f189:
		return r - 0x1f170 + 'a', true
	case r >= 0x1d400 && r <= 0x1d6a3:
		return (r-0x1d400)%26 + 'a', true
	}
	return 0, false
}

// expansion gives the text of characters that stand for several: circled 10-20, bracketed and dotted numbers, Roman
// numerals; "" for every other character.
func expansion(r rune) string {
	switch {
	case r >= 0x2469 && r <= 0x2473: // circled 10-20
		return numbers[r-0x2469+10]
	case r >= 0x24eb && r <= 0x24f4: // negative circled 11-20
		return numbers[r-0x24eb+11]
	case r == 0x24fe, r == 0x277f, r == 0x2789, r == 0x2793, r == 0x1f51f:
		return numbers[10]
	case r >= 0x2474 && r <= 0x2487: // (1)-(20)
		return bracketed[r-0x2474+1]
	case r >= 0x2488 && r <= 0x249b: // 1.-20.
		return dotted[r-0x2488+1]
	case r >= 0x2160 && r <= 0x216b:
		return roman[r-0x2160]
	case r >= 0x2170 && r <= 0x217b:
		return roman[r-0x2170]
	case r == '㎡':
		return "m2"
	case r == '㎏':
		return "kg"
	case r == '㎝':
		return "cm"
	case r == '㎜':
		return "mm"
	case r == '№':
		return "no"
	}
	return ""
}

var (
	numbers   = [...]string{10: "10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20"}
	bracketed = [...]string{1: "(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "(7)", "(8)", "(9)", "(10)", "(11)", "(12)", "(13)", "(14)", "(15)", "(16)", "(17)", "(18)", "(19)", "(20)"}
	dotted    = [...]string{1: "1.", "2.", "3.", "4.", "5.", "6.", "7.", "8.", "9.", "10.", "11.", "12.", "13.", "14.", "15.", "16.", "17.", "18.", "19.", "20."}
	roman     = [...]string{"i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"}
)

const (
	firstHan = 0x3400
	lastHan  = 0x9fff
)

// simplified holds the simplified form of every character of the basic plane that has one, else 0.
var simplified = func() *[lastHan - firstHan + 1]uint16 {
	t := new([lastHan - firstHan + 1]uint16)
	from := rune(-1)
	for _, r := range variantPairs {
		if from < 0 {
			from = r
			continue
		}
		t[from-firstHan] = uint16(r)
		from = -1
	}
	return t
}()

// simplify gives the simplified form of a character; r must lie in firstHan..lastHan.
func simplify(r rune) rune {
	if to := simplified[r-firstHan]; to != 0 {
		return rune(to)
	}
	return r
}
