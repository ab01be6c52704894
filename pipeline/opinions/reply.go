package opinions

import (
	"math"
	"regexp"
	"strings"

	"github.com/tingke/tingke/nlp/opinion"
)

// courtesies are what agents say beside an answer: calling, greeting, offering help, asking to wait, agreeing, thanks,
// regrets, farewell; and the placeholders of masked data.
var courtesies = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`\[[^\[\]]{1,5}x\]`,
	`(亲爱|尊敬)[的哒滴]?(客户|顾客|朋友|用户|商家|会员)?|亲+|[您你]们?好|(早上|上午|中午|下午|晚上)好|hello|哈喽|哈啰`, `在(的|呢|哦|哈|线)+`,
	`欢迎([您你]|再次|下次)*(光临|咨询|来到|惠顾).*`, `(高兴|乐意|荣幸|竭诚)(能|可以)?[为给][您你](服务|效劳|解答).*`,
	`(请问)?([您你]|暂时|这边)*还?有(其他|其它|别的|什么|啥).*(帮|效劳|服务|需要|问题|处理).*|请问([您你]是)?(咨询|需要).*(问题|处理|帮).*|请讲|[您你]说`,
	`(稍微|耐心|再|请)(等待|等)|稍等|稍候|一会儿?|片刻|\S{1,3}分钟|不要(离开|下线)`,
	`(正在|马上|这就|立即|立刻|现在|先|来)*([帮为给][您你])?(核实|查询|查看|查|看)(看|一)*(下|看)?`,
	`好的|好[哒滴呢嘞]|行|收到|明白|了解|知道|没事|没关系|放心`, `谢谢|多谢|感谢.*|不?客气|应该的|祝[您你].*|再见|拜拜|晚安`,
	`(真的?|非常|很|十分|实在|深表|万分)*(抱歉|对不起|不好意思|歉意)|(带来|造成|添)[了的您你]*(不便|麻烦|困扰)|久等|(希望|望)?[您你]?(多多)?(谅解|理解|见谅|包涵|体谅)|(理解|体会)[您你]的.*`,
}, "|"))

// filling may be left of a clause that holds courtesies and nothing else.
const filling = "的了呢吗啊呀吧嘛哦哈呵嗯恩么哪您你我让辛苦麻烦这那就都也还再请问给为帮一下去看先哟呐喔啦咯喽哒滴儿边小妹子们很~- []"

// calling stands before and after what an agent says.
var calling = regexp.MustCompile(`^(亲爱[的哒滴]?|亲+|[您你]好)+|[哦呢呀哈]*((亲爱|尊敬)[的哒滴]?(客户|顾客|朋友)?|亲+)$`)

// answered gives the clauses of a reply that say more than courtesies; "" where nothing was answered (您好，请稍等).
func answered(reply string) string {
	var said []string
	for _, clause := range strings.FieldsFunc(reply, func(r rune) bool { return strings.ContainsRune("\n\r\t 　,，.。!！?？~～、;；…", r) }) {
		if strings.Trim(courtesies.ReplaceAllString(clause, ""), filling) != "" {
			said = append(said, calling.ReplaceAllString(clause, ""))
		}
	}
	return strings.Join(said, " ")
}

// answer is what two replies are compared by.
type answer struct {
	norm    string
	couples map[[2]rune]bool
	numbers map[string]bool
	denies  bool
}

// Two replies say the same where they mean much the same to the encoder and are worded alike, both deny something or
// neither does, and, where numbers stand in both, they share one. Chosen on labelled pairs of real replies: by the encoder
// alone, which is made for short questions, no threshold tells replies that agree from replies about the same matter
// (nlp/README.md has the figures).
const (
	sameMeaning = .55
	sameWords   = .2
)

var (
	placeholder = regexp.MustCompile(`\[[^\[\]]*\]`)
	numeral     = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)
	denial      = regexp.MustCompile(`[不没无未别]`)
	// undenied words hold such a character and deny nothing.
	undenied = regexp.MustCompile(`不错|不同|是不是|能不能|有没有|要不要|会不会|可不可以|无理由|无纺布|无线|别的|区别|特别`)
	// unspecific characters stand in replies of any sort.
	unspecific = regexp.MustCompile(`[的了呢哦哈亲您你这边是吗啊呀嘛吧]`)
)

func newAnswer(text string) *answer {
	a := &answer{norm: opinion.Normalise(text), couples: map[[2]rune]bool{}, numbers: map[string]bool{}}
	bare := placeholder.ReplaceAllString(a.norm, "#")
	for _, n := range numeral.FindAllString(bare, -1) {
		a.numbers[n] = true
	}
	a.denies = denial.MatchString(undenied.ReplaceAllString(bare, ""))
	words := []rune(unspecific.ReplaceAllString(bare, ""))
	if len(words) < 2 {
		words = append([]rune{0}, []rune(bare)...)
	}
	for i := 1; i < len(words); i++ {
		a.couples[[2]rune{words[i-1], words[i]}] = true
	}
	return a
}

// likeness gives how much two answers mean the same, 0..1; 0 for answers that do not say the same.
func likeness(m *opinion.Model, a, b *answer) float64 {
	if a.norm == b.norm {
		return 1
	}
	if a.denies != b.denies || len(a.numbers) > 0 && len(b.numbers) > 0 && shared(a.numbers, b.numbers) == 0 {
		return 0
	}
	if float64(shared(a.couples, b.couples)) < sameWords*math.Sqrt(float64(len(a.couples)*len(b.couples))) {
		return 0
	}
	if s := m.Similarity(a.norm, b.norm); s >= sameMeaning {
		return s
	}
	return 0
}

// shared counts the keys that two sets have in common.
func shared[K comparable](a, b map[K]bool) int {
	n := 0
	for k := range a {
		if b[k] {
			n++
		}
	}
	return n
}
