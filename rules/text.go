package rules

import (
	"strings"
	"unicode/utf8"
)

// foldText brings a word of a pack into the form of normalised texts as far as this package can: half width, lower
// case, runs of a punctuation mark at most three. Traditional characters stay; Options.Normalise replaces this function
// with the full normalisation.
func foldText(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' || c == 0xef || c == 0xe3 {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r >= 0xff01 && r <= 0xff5e:
		return foldRune(r - 0xff01 + '!')
	case r == 0x3000:
		return ' '
	}
	return r
}

// clause is a stretch of a text between punctuation marks, without them.
type clause struct {
	start, end int32
	asks       bool  // a question mark ends it
	question   uint8 // whether it is a question: 0 not yet known, 1 no, 2 yes
}

// stop says whether r ends a clause.
func stop(r rune) bool {
	switch r {
	case ',', '.', ';', '!', '?', '~', '\n', '。', '、', '…', '—', '|':
		return true
	}
	return false
}

// splitClauses appends the clauses of a normalised text. A space parts two Chinese stretches, as people write in chats,
// but not the words of a Latin one; a point inside a number or an address parts nothing.
func splitClauses(text string, to []clause) []clause {
	start, own := 0, len(to)
	flush := func(end int, asks bool) {
		for start < end && text[start] == ' ' {
			start++
		}
		e := end
		for e > start && text[e-1] == ' ' {
			e--
		}
		if e > start {
			to = append(to, clause{start: int32(start), end: int32(e), asks: asks})
		} else if asks && len(to) > own && strings.Trim(text[to[len(to)-1].end:end], " ,.!~?…。") == "" {
			to[len(to)-1].asks = true
		}
	}
	for i, r := range text {
		switch {
		case r == '?':
			flush(i, true)
			start = i + 1
		case r == '.' && i > 0 && i+1 < len(text) && isAlnum(text[i-1]) && isAlnum(text[i+1]):
		case stop(r):
			flush(i, false)
			start = i + utf8.RuneLen(r)
		case r == ' ' && i > 0 && i+1 < len(text) && !(text[i-1] < utf8.RuneSelf && text[i+1] < utf8.RuneSelf):
			flush(i, false)
			start = i + 1
		}
	}
	flush(len(text), false)
	return to
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
}

// latinEdge says whether the word [start, end) of text cuts a Latin word or number at one of its ends: "hi" in "this".
func latinEdge(text string, start, end int32) bool {
	if start > 0 && isAlnum(text[start]) && isAlnum(text[start-1]) && sameLatin(text[start], text[start-1]) {
		return true
	}
	return int(end) < len(text) && isAlnum(text[end-1]) && isAlnum(text[end]) && sameLatin(text[end-1], text[end])
}

// sameLatin: letters cut letters and digits cut digits, but 30s and v10 have a border inside.
func sameLatin(a, b byte) bool { return (a >= '0' && a <= '9') == (b >= '0' && b <= '9') }

// negators turn around what stands right after them in the same clause.
var negators = []string{
	"不", "没", "别", "未", "无", "勿", "莫", "甭", "非", "没有", "不是", "不会", "不想", "不要", "不用", "不必", "不能", "不再", "并非", "绝不",
	"never ", "not ", "no ", "don't ", "doesn't ", "didn't ", "won't ", "can't ", "without ",
}

// affirming are words with a negating character that negate nothing, and questions of the form A-not-A.
var affirming = []string{
	"不得不", "不能不", "不会不", "无不", "不仅", "不但", "不光", "不只", "不单", "不论", "不管", "无论", "不过", "不如", "不然", "不愧", "不断", "不久", "要不",
	"特别", "分别", "别人", "别的", "级别", "差别", "区别", "类别", "非常", "除非", "莫非", "差不多", "不好意思", "怎么不", "为什么不", "为何不", "为啥不", "干嘛不", "咋不",
	"是不是", "能不能", "会不会", "要不要", "可不可", "有没有", "对不起", "不禁", "不由", "不满", "不爽", "不错", "没错", "没事", "没关系", "没问题", "无法", "无语", "无奈",
}

// negationReach is how many characters may stand between a negator and what it negates: 不想再投诉, 没有要退货.
const negationReach = 3

// negated says whether the word at [start, end) of a normalised text is negated by what stands before it in its clause.
// Two negations make none.
func negated(text string, start int32) bool {
	from := int(start)
	for n := 0; from > 0 && n < negationReach+4; n++ {
		r, size := utf8.DecodeLastRuneInString(text[:from])
		if stop(r) || r == ' ' && (from < 2 || text[from-2] >= utf8.RuneSelf) {
			break
		}
		from -= size
	}
	before := text[from:start]
	if !mayNegate(before) {
		return false
	}
	count := 0
	skip := 0 // bytes already explained by a longer word
	for i := 0; i < len(before); {
		_, size := utf8.DecodeRuneInString(before[i:])
		if i >= skip {
			if w := longestPrefix(before[i:], affirming); w > 0 {
				skip = i + w
			} else if straddles(text, from+i, start) {
				skip = i + size
			} else if w := longestPrefix(before[i:], negators); w > 0 {
				if utf8.RuneCountInString(before[i+w:]) <= negationReach {
					count++
				}
				skip = i + w
			}
		}
		i += size
	}
	return count%2 == 1
}

// mayNegate says whether a stretch holds a character that some negator has; few do.
func mayNegate(s string) bool {
	for _, r := range s {
		switch r {
		case '不', '没', '别', '未', '无', '勿', '莫', '甭', '非', '\'', 'o':
			return true
		}
	}
	return false
}

// straddles says whether an affirming word begins at byte i and reaches into the word at start, such as 不好意思 around 好意思.
func straddles(text string, i int, start int32) bool {
	w := longestPrefix(text[i:], affirming)
	return w > 0 && i+w > int(start)
}

func longestPrefix(s string, words []string) int {
	best := 0
	for _, w := range words {
		if len(w) > best && strings.HasPrefix(s, w) {
			best = len(w)
		}
	}
	return best
}

// runeBorders widens bytes [start, end) to whole characters of s and keeps them inside it.
func runeBorders(s string, start, end int) (int, int) {
	start = min(max(start, 0), len(s))
	end = min(max(end, start), len(s))
	for start > 0 && start < len(s) && !utf8.RuneStart(s[start]) {
		start--
	}
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end++
	}
	return start, end
}
