package rules

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// asking are words that make a clause a question wherever they stand in it.
var asking = []string{
	"为什么", "为啥", "为何", "怎么", "怎样", "咋", "什么", "啥", "哪", "谁", "多少", "多久", "多长", "多大", "多重", "多高", "多远", "多宽", "多厚", "多快", "如何", "是否", "可否", "能否", "有无",
	"几个", "几天", "几点", "几号", "几件", "几款", "几月", "几次", "几时", "几位", "几米", "几斤", "几种", "几年", "几块", "几元", "几层", "几楼", "几套", "几箱", "几包", "几瓶", "几盒", "几双", "几支", "几分钟", "几小时", "几月份", "第几",
	"what", "why", "when", "where", "which", "who", "how",
}

// notAsking hold an asking word without asking.
var notAsking = []string{
	"没什么", "什么的", "什么都", "什么也", "啥都", "啥也", "怎么都", "怎么也", "怎么着", "哪怕", "哪里哪里", "好几", "十几", "这几", "那几", "过几", "前几", "后几", "等了几", "有几天了", "几天了", "谁都", "谁也", "谁知道", "多少都", "多少有", "多少会",
	"没怎么", "不怎么", "怎么说呢", "不知怎么", "任何", "哪位都", "如何如何", "看怎么", "怎么回事都", "等什么的", "有什么问题随时", "有什么问题可以", "有什么问题再", "有什么需要随时", "有什么不明白", "有任何",
	"somehow", "however", "whenever", "whatever",
}

// conditional words make the asking words of their clause no question: 如果有什么问题.
var conditional = []string{"如果", "要是", "假如", "倘若", "无论", "不管", "不论"}

// Kinds of words that decide whether a clause asks, by word of the automaton.
const (
	wordAsks uint8 = iota + 1
	wordAsksNot
	wordConditional
)

// askingKinds numbers the words of questions among the words of the automaton.
func (t *wordTable) askingKinds() []uint8 {
	if !t.needAsking {
		return nil
	}
	kinds := map[int32]uint8{}
	for kind, words := range map[uint8][]string{wordAsks: asking, wordAsksNot: notAsking, wordConditional: conditional} {
		for _, w := range words {
			kinds[t.id(w)] = kind
		}
	}
	out := make([]uint8, len(t.words))
	for id, kind := range kinds {
		out[id] = kind
	}
	return out
}

// isQuestion says whether a clause asks something: by its mark, its last particle, a question word or the form
// A-not-A. A lone mark, 在吗 and the like ask nothing.
func (e *evaluation) isQuestion(turn int32, c *clause) bool {
	text := e.text(turn)
	s := text[c.start:c.end]
	if contentChars(s) < 2 {
		return false
	}
	if c.asks || endsAsking(s) || aNotA(s) {
		return !isCall(s)
	}
	if e.set.askingKinds == nil {
		return false
	}
	matches := e.matches[e.matchAt[turn]:e.matchAt[turn+1]]
	asks := false
	for _, m := range matches {
		if m.start < c.start || m.end > c.end || int(m.pattern) >= len(e.set.askingKinds) {
			continue
		}
		switch e.set.askingKinds[m.pattern] {
		case wordConditional:
			return false
		case wordAsks:
			asks = asks || !latinEdge(text, m.start, m.end) && !e.explained(matches, m)
		}
	}
	return asks && !isCall(s)
}

// explained says whether an asking word is part of a phrase that asks nothing.
func (e *evaluation) explained(matches []found, m found) bool {
	for _, x := range matches {
		if x.start <= m.start && x.end > m.start && int(x.pattern) < len(e.set.askingKinds) && e.set.askingKinds[x.pattern] == wordAsksNot {
			return true
		}
	}
	return false
}

// endsAsking says whether the last particle of a clause makes it a question.
func endsAsking(s string) bool {
	t := strings.TrimRight(s, " )]」』”\"'哈啊呀哦亲^_-")
	if !hasAnySuffix(t, "吗", "嘛", "么", "不", "没", "有") {
		return false
	}
	for _, p := range []string{"吗", "嘛", "么", "不", "没", "没有"} {
		if !strings.HasSuffix(t, p) {
			continue
		}
		head := strings.TrimSuffix(t, p)
		switch p {
		case "吗":
			return true
		case "么":
			if !hasAnySuffix(head, "那", "这", "要", "多", "什", "怎") {
				return true
			}
		case "嘛":
			if hasAnySuffix(head, "是", "有", "得", "的", "了", "以", "对", "行", "能", "会", "到", "货") && !strings.Contains(head, "就是") {
				return true
			}
		case "不", "没":
			// 行不, 到了没: what is left is a statement, not a negation of its own.
			if hasAnySuffix(head, "以", "行", "能", "会", "好", "对", "有", "了", "到", "货", "邮", "用", "退", "换") && !strings.HasSuffix(head, "都") {
				return true
			}
		case "没有":
			if utf8.RuneCountInString(head) >= 2 && hasAnySuffix(head, "了", "货", "到") && !strings.HasSuffix(head, "为了") {
				return true
			}
		}
	}
	return false
}

// isCall says whether a clause only calls for attention.
func isCall(s string) bool {
	if len(s) > 48 {
		return false
	}
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
