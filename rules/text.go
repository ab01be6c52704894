package rules

import (
	"strings"
	"unicode"
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
	asks       bool // a question mark ends it
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
	start := 0
	flush := func(end int, asks bool) {
		for start < end && text[start] == ' ' {
			start++
		}
		e := end
		for e > start && text[e-1] == ' ' {
			e--
		}
		if e > start {
			to = append(to, clause{int32(start), int32(e), asks})
		} else if asks && len(to) > 0 && strings.Trim(text[to[len(to)-1].end:end], " ,.!~?…。") == "" {
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
	if before == "" {
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

// asking are words that make a clause a question wherever they stand in it.
var asking = []string{
	"为什么", "为啥", "为何", "怎么", "怎样", "咋", "什么", "啥", "哪", "谁", "多少", "多久", "多长", "多大", "多重", "多高", "多远", "多宽", "多厚", "多快", "如何", "是否", "可否", "能否", "有无",
	"几个", "几天", "几点", "几号", "几件", "几款", "几月", "几次", "几时", "几位", "几米", "几斤", "几种", "几年", "几块", "几元", "几层", "几楼", "几套", "几箱", "几包", "几瓶", "几盒", "几双", "几支", "几分钟", "几小时", "几月份", "第几",
	"what", "why", "when", "where", "which", "who", "how",
}

// notAsking hold an asking word without asking.
var notAsking = []string{
	"没什么", "什么的", "什么都", "什么也", "啥都", "啥也", "怎么都", "怎么也", "怎么着", "哪怕", "哪里哪里", "好几", "十几", "这几", "那几", "过几", "前几", "后几", "等了几", "有几天了", "几天了", "谁都", "谁也", "谁知道", "多少都", "多少有", "多少会", "无论", "不管", "不论",
	"没怎么", "不怎么", "怎么说呢", "不知怎么", "任何", "哪位都", "如何如何", "看怎么", "怎么回事都", "等什么的", "有什么问题随时", "有什么问题可以", "有什么问题再", "有什么需要随时", "有什么不明白", "有任何",
	"如果", "要是", "假如", "倘若", "somehow", "however", "whenever", "whatever",
}

// isQuestion says whether a clause of a normalised text asks something: by its mark, its last particle, a question word
// or the form A-not-A. A lone mark, 在吗 and the like ask nothing.
func isQuestion(s string, mark bool) bool {
	chars := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			chars++
		}
	}
	if chars < 2 || isCall(s) {
		return false
	}
	if mark {
		return true
	}
	t := strings.TrimRight(s, " )]」』”\"'哈啊呀哦亲^_-")
	for _, p := range []string{"吗", "嘛", "么", "不", "没", "没有", "吧", "呢"} {
		if !strings.HasSuffix(t, p) {
			continue
		}
		head := strings.TrimSuffix(t, p)
		switch p {
		case "吗":
			return true
		case "么":
			if !hasAnySuffix(head, "那", "这", "要", "多") {
				return true
			}
		case "嘛":
			if hasAnySuffix(head, "是", "有", "得", "的", "了", "以", "对", "行", "能", "会", "到", "货") && !strings.Contains(head, "就是") {
				return true
			}
		case "不", "没", "没有":
			// 行不, 到了没: what is left is a statement, not a negation of its own.
			if p != "没有" && utf8.RuneCountInString(head) >= 2 && hasAnySuffix(head, "以", "行", "能", "会", "好", "对", "有", "了", "到", "货", "邮", "用", "退", "换") && !strings.HasSuffix(head, "都") {
				return true
			}
		}
	}
	if aNotA(s) {
		return true
	}
	rest := s
	for _, w := range notAsking {
		if strings.Contains(rest, w) {
			if w == "如果" || w == "要是" || w == "假如" || w == "倘若" || w == "无论" || w == "不管" || w == "不论" {
				return false
			}
			rest = strings.ReplaceAll(rest, w, " ")
		}
	}
	for _, w := range asking {
		i := strings.Index(rest, w)
		if i < 0 || w[0] < utf8.RuneSelf && latinEdge(rest, int32(i), int32(i+len(w))) {
			continue
		}
		return true
	}
	return false
}

// isCall says whether a clause only calls for attention.
func isCall(s string) bool {
	t := strings.Trim(s, " 亲啊呀哦呢您你好请问老板店家客服")
	switch t {
	case "在", "在吗", "在么", "在嘛", "在不在", "在不", "在线吗", "在没", "在没有", "有人吗", "有人么", "有人没", "有人在吗", "有人在么", "有人不", "人呢", "人工", "有没有人", "hello", "hi":
		return true
	}
	return false
}

func hasAnySuffix(s string, suffixes ...string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

// aNotA finds 能不能, 有没有, 是不是 and any other verb or adjective repeated around 不 or 没.
func aNotA(s string) bool {
	var a, b rune
	for _, r := range s {
		if a == r && (b == '不' || b == '没') && unicode.Is(unicode.Han, r) && r != '不' && r != '没' {
			return true
		}
		a, b = b, r
	}
	return false
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
