package opinion

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

// Cutter cuts a normalised text into words, as byte offsets in order; nlp/segment does.
type Cutter interface {
	Cut(norm string) []schemas.Span
}

const (
	// titleRunes is the longest title.
	titleRunes = 18
	// titleShare of the members must hold a word for it to stand in the title.
	titleShare = .5
	// titleMembers bounds the members a title is made from.
	titleMembers = 200
)

// word of the medoid.
type word struct {
	text  string
	role  wordRole
	share float64
	keep  bool
	says  bool // what it is about: a content word that is more than how much (150斤) or a named day (双十一)
}

type wordRole uint8

const (
	content  wordRole = iota
	filler            // politeness, particles, pronouns: never in a title
	question          // a question word
	negation          // belongs to the word after it
	degree            // 太, 很: belongs to the word after it
	glue              // 的, 和: stays between two words that stay
)

var roles = func() map[string]wordRole {
	m := map[string]wordRole{}
	add := func(r wordRole, list string) {
		for _, w := range strings.Fields(list) {
			m[w] = r
		}
	}
	add(filler, `恁 请问 问 问下 一下 想问 你好 您好 亲 亲亲 亲爱的 谢谢 麻烦 麻烦您 麻烦你 我 你 您 他 她 它 我们 你们 咱们 他们 人家 自己 我家 你家 你们家 这 那 这个 那个 这款 那款 这种 这样 那样 这么 那么
		啊 呀 呢 吗 嘛 吧 哦 噢 喔 哈 呵 嗯 哎 唉 诶 额 呃 哟 啦 咯 喽 么 了 着 过 地 就 都 也 还 又 再 才 却 已经 现在 刚 刚才 刚刚 一直 总是 然后 但是 可是 不过 因为 所以 如果 就是 其实 反正 到底 究竟 真的 真是 实在
		姐 哥 妹 小姐姐 老铁 老板 店家 商家 卖家 小二 掌柜 帮我 给我 想 要 想要 需要 希望 觉得 感觉 知道 看看 请 告诉 什么的 之类 等等 一个 个 几 些 一点 有点 有些 是 在 把 被 对 呗 嗎
		块 块钱 元 天 今天 昨天 明天 前天 多 大概 大约 差不多 左右`)
	add(question, `为什么 为何 为啥 怎么 怎样 怎么样 如何 咋 怎么办 什么时候 啥时候 几时 何时 多久 多长时间 几天 多少 多少钱 几 什么 啥 哪 哪个 哪里 哪儿 哪些 哪种 谁 能不能 可不可以 能否 可否 是否 是不是 有没有 会不会 能 可以 可 凭什么 怎么回事 要不要 多大 多重 多长`)
	add(negation, `不 没 没有 无 未 别 无法 不能 不会 不是 不让 不给 没法 不可以 不了 不到 不上 不起`)
	add(degree, `太 很 非常 特别 好 超 超级 挺 比较 最 更 越来越 这么 那么 十分 有点`)
	add(glue, `的 和 与 跟 或 比`)
	delete(m, "好")
	m["这么"], m["那么"], m["有点"] = filler, filler, degree
	return m
}()

// asks are the question words of a title by the sentence kind.
var asks = [...]string{kindWhy: "为什么", kindWhen: "什么时候", kindHow: "怎么"}

// Title makes the title of an opinion: the words its members share, in the order of the member nearest to all others,
// the reason asked for in front. It never takes over what a single member adds.
func (m *Model) Title(o *Opinion) string {
	members := o.Members
	if len(members) == 0 {
		return ""
	}
	if len(members) > titleMembers {
		members = members[:titleMembers]
	}
	ranked := m.ranked(members)
	speaking := slices.DeleteFunc(slices.Clone(ranked), func(t string) bool {
		return !slices.ContainsFunc(m.words(members, t), func(w word) bool { return w.says })
	})
	if len(speaking) == 0 {
		speaking = ranked[:1]
	}
	words := m.words(members, speaking[0])
	first, phrase := m.compose(o, members, speaking[0], words)
	if phrase {
		return first
	}
	// Where a denial stands alone, only a member that says it, too, tells what is denied.
	denial := denied(words)
	for _, t := range speaking[1:] {
		if title, phrase := m.compose(o, members, t, m.words(members, t)); phrase && strings.Contains(t, denial) && (denial == "" || strings.ReplaceAll(title, denial, "") != "") {
			return title
		}
	}
	if denial != "" {
		return first
	}
	// What they share is no phrase anywhere: the member nearest to all that is one says it whole.
	for _, t := range speaking {
		words := m.words(members, t)
		if whole := tidied(words); contents(words) > 2 && utf8.RuneCountInString(whole) <= titleRunes {
			return display(named(o.Product, whole), o.Product)
		}
	}
	return first
}

// fragment says whether the words that stay are no phrase: a number and one word of several (170 穿), single characters from
// different places (送 没到), or what is denied or asked of nothing (不出, 发没发).
func fragment(words []word) bool {
	var kept []*word
	var gap, number bool
	said := 0 // characters beside numbers
	for i := range words {
		w := &words[i]
		if !w.keep {
			continue
		}
		if counts(w.text) {
			number = true
		} else {
			said += utf8.RuneCountInString(w.text)
		}
		if len(kept) > 0 && !words[i-1].keep {
			gap = true
			if counts(words[i-1].text) && single(w) && single(kept[len(kept)-1]) { // 满 300 减 40
				return true
			}
		}
		kept = append(kept, w)
	}
	if number && said <= 3 && dropped(words) {
		return true
	}
	if len(kept) == 2 {
		return gap && single(kept[0]) && (single(kept[1]) || strings.HasPrefix(kept[1].text, "没") || strings.HasPrefix(kept[1].text, "不"))
	}
	return denied(words) != ""
}

// denied gives what the words that stay deny where they are one word that does and no more: 不出, and 没发 of 发没发; else nothing.
func denied(words []word) string {
	only := ""
	for _, w := range words {
		if w.keep && only != "" {
			return ""
		}
		if w.keep {
			only = w.text
		}
	}
	r := []rune(only)
	if len(r) == 3 && r[0] == r[2] && (r[1] == '不' || r[1] == '没') {
		return string(r[1:])
	}
	if len(r) == 2 && r[0] == '不' {
		return only
	}
	return ""
}

// single says whether a word is one character of content.
func single(w *word) bool { return w.role == content && utf8.RuneCountInString(w.text) == 1 }

// counts says whether a word begins with a number.
func counts(text string) bool { return strings.TrimLeft(text, numerals) != text }

// dropped says whether content of a member does not stay.
func dropped(words []word) bool {
	return slices.ContainsFunc(words, func(w word) bool { return w.says && !w.keep })
}

// contents counts the content words of a member.
func contents(words []word) int {
	n := 0
	for _, w := range words {
		if w.role == content || w.role == negation {
			n++
		}
	}
	return n
}

// Medoid gives the member with the greatest mean similarity with all; short ones win among nearly equal ones, then
// the smaller text.
func (m *Model) Medoid(members []string) string { return m.ranked(members)[0] }

// ranked gives the members, the medoid first, then in the order in which they would be it.
func (m *Model) ranked(members []string) []string {
	dim := m.space.Dim()
	mean := make([]float32, dim)
	v := make([]float32, 0, dim*len(members))
	for _, t := range members {
		v = m.space.Vector(v, t)
	}
	for i := range members {
		for k, x := range v[i*dim : (i+1)*dim] {
			mean[k] += x
		}
	}
	scale(mean, 1/float32(len(members)))
	type near struct {
		text string
		s    float32
	}
	list := make([]near, len(members))
	for i, t := range members {
		list[i] = near{t, dot(mean, v[i*dim:(i+1)*dim]) - .004*float32(utf8.RuneCountInString(t))}
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(b.s, a.s) })
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.text
	}
	return out
}

// compose makes the title from the words of the medoid, and says whether it is a phrase.
func (m *Model) compose(o *Opinion, members []string, medoid string, words []word) (title string, phrase bool) {
	asked := commonKind(members)
	lead := ""
	for i := range words {
		w := &words[i]
		switch w.role {
		case content:
			w.keep = w.share >= titleShare
		case question:
			// A question of another kind than most members ask is noise of the medoid.
			w.keep = kindOf(fold(w.text)) == asked && w.text != "什么" || w.share >= titleShare
		}
	}
	// Half of the members may share a quantity or a named day and nothing that says what it is about.
	bare := slices.ContainsFunc(words, func(w word) bool { return w.keep && w.role == content }) && !slices.ContainsFunc(words, func(w word) bool { return w.keep && w.says })
	if !slices.ContainsFunc(words, func(w word) bool { return w.keep && w.role == content }) {
		// Nothing is shared by half of the members: what the medoid says has to do.
		for i := range words {
			words[i].keep = words[i].keep || words[i].role == content
		}
	}
	if asked == kindWhy {
		lead = asks[kindWhy]
		for i := range words {
			if k := kindOf(fold(words[i].text)); k == kindWhy || k == kindHow {
				words[i].keep, words[i].role = false, filler
			}
		}
	}
	attach(words)
	body := join(words)
	phrase = lead != "" || !fragment(words)
	if bare && lead == "" {
		phrase = true
		body = tidied(words)
	} else if lead == "" && asked == kindPlain && asksWhether(words) && !hasQuestion(words) {
		body += "吗"
	}
	if lead != "" {
		for strings.HasPrefix(body, "的") {
			body = strings.TrimPrefix(body, "的")
		}
	}
	if utf8.RuneCountInString(body) < 2 || len(words) > 2 && utf8.RuneCountInString(body) < 3 && lead == "" {
		// Too little to be understood: the medoid without its politeness says it.
		body = tidied(words)
		phrase = phrase || utf8.RuneCountInString(body) > 3
		if utf8.RuneCountInString(body) < 2 {
			body = medoid // 还是想退
		}
	}
	if n := len(words) - 1; n > 0 && words[n].text == "了" && words[n-1].keep && lead == "" && utf8.RuneCountInString(body) <= 5 {
		body += "了" // 号封了
	}
	body = named(o.Product, body)
	title = lead + body
	if utf8.RuneCountInString(title) > titleRunes {
		title = shorten(words, lead, title)
	}
	if title == lead {
		title = medoid
	}
	return display(title, o.Product), phrase
}

var monthly = set("月 星期 礼拜 季度")

// links hold what stands left and right of them together: 停在武汉, 软了一半, 图片是豆沙, 微信把我拉黑. Pronouns do after those that
// take an object.
var links, takers, pronouns = set("在 是 还是 了 着 过 都 也 把 被 给 让 得 知道"), set("把 被 给 让"), set("我 你 您 他 她 它 我们 你们 人家")

// bridge keeps links between words that stay.
func bridge(words []word) {
	last := -1 // the last word that stays
	for i := range words {
		if !words[i].keep {
			continue
		}
		linked := last >= 0
		for k := last + 1; k < i && linked; k++ {
			linked = links[words[k].text] || k > last+1 && takers[words[k-1].text] && pronouns[words[k].text]
		}
		for k := last + 1; k < i && linked; k++ {
			words[k].keep = true
		}
		last = i
	}
}

// attach keeps what belongs to a word that stays: the verb of a complement that is denied (刷不出来) or of a modal (能退), the
// unit of a number (20块), what 哪 counts.
func attach(words []word) {
	if n := len(words) - 1; n > 1 && flatly(words) && words[n-2].keep && (words[n-1].text == "都" || words[n-1].text == "也") {
		words[n-1].keep, words[n].keep = true, true
	}
	for i := range words {
		w := &words[i]
		if !w.keep {
			continue
		}
		var next, before *word
		if i+1 < len(words) {
			next = &words[i+1]
		}
		if i > 0 {
			before = &words[i-1]
		}
		switch {
		case complements[w.text] && before != nil && before.text == "不":
			before.keep = true
			if i > 1 && words[i-2].role == content {
				words[i-2].keep = true
			}
		case strings.HasPrefix(w.text, "不") && complements[w.text[len("不"):]] && before != nil && before.role == content:
			before.keep = true
		case monthly[w.text] && before != nil && before.role == filler && strings.HasSuffix(before.text, "个"):
			before.keep = true // 这个 月
		case modals[w.text] && next != nil && next.role == content:
			next.keep = true
		case next == nil:
		case w.text == "哪" && before != nil && strings.HasSuffix(before.text, "在"):
			before.keep = true // 贵在 哪
		case (w.text == "哪" || w.text == "几") && next.role != content:
			next.keep = next.text == "一个" || next.text == "个" || next.text == "天" || next.text == "块" || next.text == "里"
		case w.text[len(w.text)-1] >= '0' && w.text[len(w.text)-1] <= '9':
			next.keep = next.keep || units[next.text]
		}
	}
}

var complements, modals, units, whether = set("出来 出去 进去 进来 上去 起来 过来 出 进 动 开 了 到 上 起 着 成"), set("能 可以 会 会不会 能不能 可不可以 要不要"),
	set("块 块钱 元 天 个 点 号 %"), set("吗 么 嘛 不 没 否 没有 不")

func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// asksWhether says whether the medoid ends as a question for yes or no does.
func asksWhether(words []word) bool {
	if flatly(words) {
		return false
	}
	for i := len(words) - 1; i > 0; i-- {
		if whether[words[i].text] {
			return !words[i].keep
		}
		if words[i].role != filler {
			return false
		}
	}
	return false
}

// flatly says whether the medoid denies at its end, as 连个解释都没有 does, which asks nothing.
func flatly(words []word) bool {
	n := len(words) - 1
	return n > 0 && strings.HasPrefix(words[n].text, "没") && slices.ContainsFunc(words[:n], func(w word) bool { return w.text == "都" || w.text == "也" })
}

// hasQuestion says whether a word that stays asks already; a modal alone does not (能退).
func hasQuestion(words []word) bool {
	return slices.ContainsFunc(words, func(w word) bool {
		return w.keep && (w.role == question && w.text != "能" && w.text != "可以" && w.text != "可" || strings.Contains(w.text, "不") && len(w.text) > len("不"))
	})
}

// tidied gives the medoid without politeness and particles at its ends.
func tidied(words []word) string {
	from, to := 0, len(words)
	for from < to && words[from].role == filler {
		from++
	}
	for to > from && (words[to-1].role == filler && words[to-1].text != "吗" || words[to-1].role == glue) {
		to--
	}
	var b strings.Builder
	for _, w := range words[from:to] {
		if !particles[w.text] {
			b.WriteString(w.text)
		}
	}
	return b.String()
}

var particles = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("啊 呀 呢 嘛 哦 噢 喔 哈 呵 嗯 哎 唉 诶 额 呃 哟 啦 咯 喽 请问 亲 你好 您好 谢谢 麻烦 一下 就是 然后 其实 到底 究竟 真的 真是 实在") {
		m[w] = true
	}
	return m
}()

// named puts the product in front of a title that does not name it; one that says the last part of its name (卫衣 of 连帽卫衣, b款
// of 面膜B) gets the whole name there.
func named(product, title string) string {
	if product == "" || strings.Contains(title, strings.ToLower(product)) || strings.Contains(title, product) || said(product, title) {
		return title
	}
	r := []rune(strings.ToLower(product))
	if last := r[len(r)-1]; latin(last) {
		if variant := string(last) + "款"; strings.Contains(title, variant) {
			return strings.Replace(title, variant, product, 1)
		}
	}
	for n := len(r) - 1; n > 1; n-- {
		if part := string(r[len(r)-n:]); strings.Contains(title, part) {
			return strings.Replace(title, part, product, 1)
		}
	}
	return product + title
}

// said says whether a title names the product by a part of its name (洗衣机 for 静洗滚筒洗衣机X8).
func said(product, title string) bool {
	r := []rune(product)
	for i := 0; i+3 <= len(r); i++ {
		if strings.Contains(title, strings.ToLower(string(r[i:i+3]))) {
			return true
		}
	}
	return false
}

// shorten cuts a title between two words.
func shorten(words []word, lead, title string) string {
	cut := lead
	for _, w := range words {
		if !w.keep {
			continue
		}
		if utf8.RuneCountInString(cut+w.text) > titleRunes {
			break
		}
		cut += w.text
	}
	if cut == lead {
		return string([]rune(title)[:titleRunes])
	}
	return cut
}

// join puts the words that stay together: with the negation or degree right before them, and the glue between two of
// them.
func join(words []word) string {
	for i := len(words) - 2; i >= 0; i-- {
		w, next := &words[i], &words[i+1]
		if (w.role == negation || w.role == degree && w.share >= titleShare/2) && next.keep {
			w.keep = true
		}
	}
	if n := len(words) - 1; n > 0 && words[n].role == negation && words[n].share >= titleShare && words[n-1].keep {
		words[n].keep = true // 连个解释都没有
	}
	for i := 0; i+1 < len(words); i++ { // 还没出库
		if words[i].text == "还" && words[i].share >= titleShare && words[i+1].keep && words[i+1].role == negation {
			words[i].keep = true
		}
	}
	for i := 1; i < len(words); i++ {
		switch words[i].text {
		case "不了", "不到", "不上", "不起": // belongs to the verb before it
			words[i].keep = words[i].keep || words[i-1].keep
			words[i-1].keep = words[i].keep
		case "啥", "什么": // 这个五块钱是啥
			words[i-1].keep = words[i-1].keep || words[i].keep && words[i-1].text == "是"
		case "好", "行": // 补个盖子就好
			words[i].keep = words[i].keep && words[i-1].text != "就"
		}
	}
	for i := 1; i+1 < len(words); i++ {
		if words[i].role == glue && words[i-1].keep && words[i+1].keep && words[i].text != "比" {
			words[i].keep = true
		}
	}
	bridge(words)
	var b strings.Builder
	said := map[string]bool{}
	for i, w := range words {
		if w.keep && i+1 < len(words) && w.role == content && words[i+1].keep && strings.HasPrefix(words[i+1].text, w.text) {
			continue // 这么贵 贵在哪
		}
		if w.keep && !(said[w.text] && w.role == content && !strings.HasSuffix(b.String(), "不")) {
			if end := b.String(); end != "" && digit(end[len(end)-1]) && digit(w.text[0]) {
				b.WriteByte(' ') // 160 98斤
			}
			b.WriteString(w.text)
			said[w.text] = true
		}
	}
	return b.String()
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// words cuts the medoid and says what each word is and how many members share it.
func (m *Model) words(members []string, medoid string) []word {
	folded := make([]string, len(members))
	for i, t := range members {
		folded[i] = fold(t)
	}
	var out []word
	for _, s := range m.spans(medoid) {
		text := medoid[s.Start:s.End]
		w := word{text: text, role: roles[text]}
		if w.role == content && !strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsLetter(r) && (!light[r] || strings.ContainsRune("用来到有", r)) || unicode.IsDigit(r)
		}) {
			w.role = filler
		}
		if strings.HasPrefix(text, "[") {
			w.role = filler
		}
		f := fold(text)
		n := 0
		for _, t := range folded {
			if f != "" && strings.Contains(t, f) {
				n++
			}
		}
		w.share = float64(n) / float64(len(members))
		before := ""
		if len(out) > 0 {
			before = out[len(out)-1].text
		}
		w.says = w.role == content && !measures(before, text)
		out = append(out, w)
	}
	return out
}

// spans cuts a text into words; a letter or number after a Chinese word that names a variant (面膜b) belongs to it.
func (m *Model) spans(text string) []schemas.Span {
	var spans []schemas.Span
	if m.cut != nil {
		spans = m.cut.Cut(text)
	} else {
		for i, r := range text {
			spans = append(spans, schemas.Span{Start: i, End: i + utf8.RuneLen(r)})
		}
	}
	spans = phrases(text, spans)
	out := spans[:0:0]
	for _, s := range spans {
		if k := len(out) - 1; k >= 0 && out[k].End == s.Start && variant(text[s.Start:s.End]) && !variant(text[out[k].Start:out[k].End]) &&
			roles[text[out[k].Start:out[k].End]] == content && s.Start-out[k].Start >= 6 {
			out[k].End = s.End
			continue
		}
		out = append(out, s)
	}
	return out
}

// phrases joins words that are one question or denial together: 什么 时候, 能 不 能.
func phrases(text string, spans []schemas.Span) []schemas.Span {
	out := spans[:0:0]
	for i := 0; i < len(spans); i++ {
		s := spans[i]
		for n := min(3, len(spans)-i); n > 1; n-- {
			whole := schemas.Span{Start: s.Start, End: spans[i+n-1].End}
			if r, ok := roles[text[whole.Start:whole.End]]; ok && (r == question || r == negation) {
				s = whole
				i += n - 1
				break
			}
		}
		out = append(out, s)
	}
	return out
}

// variant says whether a word is a single Latin letter, with or without digits.
func variant(w string) bool {
	return len(w) <= 3 && w[0] >= 'a' && w[0] <= 'z' && !strings.ContainsFunc(w[1:], func(r rune) bool { return r > '9' })
}

// display writes Latin letters as people do: those of the product as in the dictionary, single ones as capitals.
func display(title, product string) string {
	if product != "" {
		if i := strings.Index(title, strings.ToLower(product)); i >= 0 {
			return title[:i] + product + title[i+len(product):]
		}
		return title
	}
	r := []rune(title)
	latin := func(i int) bool {
		return i >= 0 && i < len(r) && r[i] < 0x80 && (unicode.IsLetter(r[i]) || unicode.IsDigit(r[i]))
	}
	for i := range r {
		if latin(i) && !latin(i-1) && (!latin(i+1) || unicode.IsDigit(r[i+1])) {
			r[i] = unicode.ToUpper(r[i])
		}
	}
	return string(r)
}

// commonKind is the sentence kind of most members, the first of several.
func commonKind(members []string) int {
	var count [kinds]int
	for _, t := range members {
		count[kindOf(fold(t))]++
	}
	best := 0
	for k, n := range count {
		if n > count[best] {
			best = k
		}
	}
	return best
}
