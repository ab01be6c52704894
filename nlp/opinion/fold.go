package opinion

import (
	"strings"
	"unicode"
)

// foldings bring ways of asking and saying the same to one form before n-grams are taken; a pair is what is said and
// what it counts as. Earlier pairs win. Upper-case letters are marks that no normalised text holds.
var foldings = [][2]string{
	// politeness and filling carry no point
	{"请问一下", ""}, {"请问下", ""}, {"请问", ""}, {"问一下", ""}, {"问下", ""}, {"想问", ""}, {"您好", ""}, {"你好", ""}, {"麻烦你", ""}, {"麻烦您", ""},
	{"谢谢", ""}, {"亲亲", ""}, {"亲爱的", ""}, {"我想知道", ""}, {"告诉我", ""}, {"帮我", ""}, {"帮忙", ""}, {"一下", ""}, {"这样子", ""}, {"你们家", ""}, {"你家", ""}, {"你们", ""}, {"咱们", ""},
	// why
	{"为什么", "W"}, {"为什麽", "W"}, {"为何", "W"}, {"为啥", "W"}, {"为甚么", "W"}, {"什么原因", "W"}, {"啥原因", "W"}, {"怎么回事", "W"}, {"咋回事", "W"}, {"怎么会", "W"},
	{"凭什么", "W"}, {"怎么这么", "W"}, {"怎么那么", "W"}, {"咋这么", "W"}, {"怎么还", "W还"}, {"怎么没", "W没"}, {"怎么不", "W不"}, {"怎么又", "W又"}, {"怎么老", "W老"},
	{"贵在哪里", "W贵"}, {"贵在哪儿", "W贵"}, {"贵在哪", "W贵"}, {"哪里贵", "W贵"}, {"好在哪里", "W好"}, {"好在哪", "W好"}, {"差在哪里", "W差"}, {"差在哪", "W差"},
	{"错在哪里", "W错"}, {"错在哪", "W错"}, {"出在哪里", "W"}, {"出在哪", "W"},
	// when, how long
	{"什么时候", "T"}, {"啥时候", "T"}, {"几时", "T"}, {"何时", "T"}, {"什么时间", "T"}, {"哪天", "T"}, {"几号", "T"}, {"几点", "T"}, {"多久", "T"}, {"多长时间", "T"}, {"几天", "T"},
	// how much
	{"多少钱", "C钱"}, {"多少", "C"}, {"几块钱", "C钱"},
	// how
	{"怎么样才能", "H"}, {"怎么样", "H"}, {"怎么办", "H"}, {"怎样", "H"}, {"如何", "H"}, {"怎么", "H"}, {"咋样", "H"}, {"咋办", "H"}, {"咋", "H"}, {"怎麽", "H"}, {"怎", "H"},
	// whether
	{"是不是", "是"}, {"能不能", "能"}, {"可不可以", "能"}, {"可以不可以", "能"}, {"可否", "能"}, {"能否", "能"}, {"是否", "是"}, {"会不会", "会"}, {"有没有", "有"}, {"要不要", "要"}, {"可以", "能"}, {"能够", "能"},
	// not
	{"没有", "没"}, {"无法", "不能"}, {"未能", "不能"}, {"不可以", "不能"}, {"不行", "不能"}, {"不了", "不能"}, {"还未", "没"}, {"尚未", "没"}, {"木有", "没"}, {"没能", "不能"},
	// the same thing
	{"退钱", "退款"}, {"返钱", "返现"}, {"啥", "什么"}, {"甚么", "什么"}, {"价钱", "价格"}, {"邮费", "运费"}, {"包邮", "免运费"}, {"物流", "快递"}, {"商品", "东西"}, {"产品", "东西"},
	{"这个", ""}, {"那个", ""}, {"这款", ""}, {"已经", ""}, {"现在", ""}, {"就是", ""}, {"然后", ""}, {"还是", ""}, {"给我", ""}, {"我的", ""}, {"我们", ""},
}

var folder = func() *strings.Replacer {
	var list []string
	for _, f := range foldings {
		list = append(list, f[0], f[1])
	}
	return strings.NewReplacer(list...)
}()

// fold gives what of a normalised text counts for comparison: without politeness, comparisons and amounts of them, and
// with one form for each way to ask.
func fold(norm string) string { return folder.Replace(plain(norm)) }

// spoken writes the marks of a folded text as the words an encoder knows.
var spoken = strings.NewReplacer("W", "为什么", "T", "什么时候", "C", "多少", "H", "怎么")

// judged are what a comparison ends in: 比面膜a贵.
const judged = "贵便高低大小慢快差重轻厚薄长短多少好"

// plain leaves out what a thing is compared with (比面膜a贵 is 贵) and by how much (贵了一百多块钱 is 贵): it is noise for
// what the mention is about.
func plain(norm string) string {
	if !strings.ContainsAny(norm, "比贵宜高低多少") {
		return norm
	}
	r := []rune(norm)
	out := make([]rune, 0, len(r))
	for i := 0; i < len(r); i++ {
		if r[i] == '比' && i > 0 && i+1 < len(r) && !strings.ContainsRune("较如例方价", r[i+1]) && r[i-1] != '对' && r[i-1] != '性' {
			if j := compared(r, i+1); j > 0 {
				i = j - 1
				continue
			}
		}
		out = append(out, r[i])
		if strings.ContainsRune("贵宜高低多少", r[i]) {
			i = amountEnd(r, i+1) - 1
		}
	}
	return string(out)
}

// compared gives where the judgement of a comparison begins, 0 for none near by.
func compared(r []rune, from int) int {
	for j := from + 1; j < len(r) && j <= from+8; j++ {
		if strings.ContainsRune(judged, r[j]) {
			return j
		}
	}
	return 0
}

// amountEnd gives the end of an amount of money that begins at from, else from.
func amountEnd(r []rune, from int) int {
	i, digits := from, 0
	if i < len(r) && r[i] == '了' {
		i++
	}
	for i < len(r) && (strings.ContainsRune("一二三四五六七八九十两几百千万多好", r[i]) || r[i] >= '0' && r[i] <= '9' || r[i] == '.') {
		i++
		digits++
	}
	if digits == 0 {
		return from
	}
	unit := i
	for i < len(r) && strings.ContainsRune("块元钱毛倍", r[i]) {
		i++
	}
	if i == unit {
		return from
	}
	return i
}

// light are characters that say little about the point; their n-grams count a fraction.
var light = func() map[rune]bool {
	m := map[rune]bool{}
	for _, r := range "的了呢吗啊呀吧嘛哦哈呵嗯么哪您你我他它这那就都也还再又很太个是在和与跟及到会要想去来给把被让对从用过着得地说请亲有能一" {
		m[r] = true
	}
	return m
}()

// pointless are the characters that a mention may be made of, beside light ones, and still say nothing to group it by:
// asking, agreeing, answering, calling the other side.
var pointless = func() map[rune]bool {
	m := map[rune]bool{}
	for _, r := range "问能行好可以知道想看帮查说讲请教咨询嗯哦噢喔额呃唉诶喂恩对没不客服亲人机什怎为样办回事情呗咯咋何谁该再见稍等等待下句话点这那些个件WTCH" {
		m[r] = true
	}
	return m
}()

// HasPoint says whether a text holds more than asking and politeness: 我想问一下啊, 可以了吗 and 在吗 do not, and are no
// opinion however many say them.
func HasPoint(text string) bool { return hasPoint(Normalise(text)) }

func hasPoint(norm string) bool {
	return strings.ContainsFunc(fold(norm), func(r rune) bool {
		if strings.ContainsRune("到用来", r) { // 还没到, 用不了
			return true
		}
		return (unicode.IsLetter(r) || unicode.IsDigit(r)) && !light[r] && !pointless[r]
	})
}
