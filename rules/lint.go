package rules

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"sort"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// Lint reads packs as LoadWith does and gives everything worth telling their author: errors, or where there are none
// the warnings. None of either is a clean pack.
func Lint(o Options, sources ...Source) Problems {
	s, err := LoadWith(o, sources...)
	if err == nil {
		return s.Warnings()
	}
	if probs, ok := err.(Problems); ok {
		return probs
	}
	return Problems{{File: "rules", Message: err.Error(), Severity: SeverityError}}
}

// Warnings are what is lawful but probably not meant, such as a rule without tests or one that matches everything. They
// are worked out when asked for.
func (s *Set) Warnings() []Problem {
	out := append(Problems(nil), s.warnings...)
	out = append(out, s.everywhere()...)
	order := map[string]int{}
	for i, p := range s.packs {
		order[p.file] = i
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.File != b.File {
			return order[a.File] < order[b.File]
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return out
}

// maxLight is what the info and minor rules of a pack may cost together, so that they cannot flag a session: with the
// threshold of 60, less than 40.
const maxLight = 40

// lint notes what the text of a pack shows to be wrong or useless.
func (d *decoder) lint(p *pack) Problems {
	out := d.warnings
	at := func(w place, text, hint, format string, args ...any) {
		out = append(out, Problem{File: d.file, Line: w.line, Column: w.column, Text: text, Message: fmt.Sprintf(format, args...), Hint: hint, Severity: SeverityWarning})
	}
	if sum := p.lightPoints(); sum >= maxLight {
		at(place{line: 1, column: 1}, "", fmt.Sprintf("below %d they cannot flag a session alone", maxLight), "the info and minor rules of pack %s can cost %g points together", p.id, sum)
	}
	var names []string
	for name, l := range d.lists {
		if !l.used {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		n := d.lists[name].node
		at(place{line: n.Line, column: n.Column}, name, "", "no rule uses this list")
	}
	for _, c := range p.scorecards {
		for _, it := range c.items {
			if !it.human && !slices.ContainsFunc(p.rules, func(r *rule) bool { return r.item == it }) {
				at(place{line: c.line, column: 1}, c.id+"."+it.id, "name it in a rule's item:, or make it human: true", "no rule feeds this item, so it never counts")
			}
		}
	}
	for _, r := range p.rules {
		r.lint(func(hint, format string, args ...any) { at(r.at, r.id, hint, format, args...) })
	}
	return out
}

func (r *rule) lint(warn func(hint, format string, args ...any)) {
	light := schemas.SeverityRank(r.severity) <= schemas.SeverityRank(schemas.Minor)
	absence := r.trigger == nil && r.expect != nil
	switch {
	case light && r.critical == criticalWhole:
		warn("use severity major or critical", "a rule of severity %s sets the whole score to 0 and so flags the session", r.severity)
	case light && r.each && r.cap == 0 && r.points != 0 && r.item == nil:
		warn("add cap:", "count: each without a cap lets a rule of severity %s flag a session alone", r.severity)
	}
	if absence && !light {
		warn("use severity minor; or name what must be answered in a trigger", "a session is flagged where something is merely not said, as in most real sessions")
	}
	if absence {
		for _, hole := range r.reason.holes {
			if hole == "text" || hole == "turn" {
				warn("{searched} says where was looked", "the reason's {%s} is always empty: the rule reports something that was not said", hole)
			}
		}
	}
	if len(r.tests) == 0 {
		warn("", "the rule has no tests")
		return
	}
	finds, rests := false, false
	for _, t := range r.tests {
		if t.want == schemas.Fail || t.want == schemas.Present {
			finds = true
		} else {
			rests = true
		}
	}
	switch {
	case !finds:
		warn("add a session that breaks it", "no test shows what the rule finds")
	case !rests:
		warn("add a near miss: a session that looks like it and is not", "no test shows what the rule leaves alone")
	}
}

const (
	maxRegexChars = 4_000
	// maxRegexSize bounds the steps of an expression: for every character of a text, RE2 may have to follow all of them.
	maxRegexSize = 5_000
)

// checkRegex refuses expressions that would be slow on every text, and warns of those that match every text.
func (d *decoder) checkRegex(n *yaml.Node, tree *syntax.Regexp) bool {
	if len(n.Value) > maxRegexChars {
		d.errorf(n, "put words into a list and use keyword, which costs the same for any number of words", "the expression has more than %d bytes", maxRegexChars)
		return false
	}
	if size := regexSize(tree); size > maxRegexSize {
		d.errorf(n, "use smaller repeat counts, or near", "the expression is too large: about %d steps for every character, at most %d", size, maxRegexSize)
		return false
	}
	return true
}

// regexSize counts the steps of an expression with its repeats written out, at most a little more than the bound.
func regexSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/16
	}
	for _, sub := range re.Sub {
		size += regexSize(sub)
		if size > maxRegexSize {
			return size
		}
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

// anyText are texts without anything in common: what matches all of them matches everything.
var anyText = []string{"好", "a", "7", "嗯嗯", "[笑]", "什么时候发货", "ok", "!"}

// matchesAny warns of an expression that says nothing about a text.
func (d *decoder) matchesAny(n *yaml.Node, re *regexp.Regexp) {
	for _, s := range anyText {
		if !re.MatchString(s) {
			return
		}
	}
	d.warnf(n, "name what must be there; for any content use substance or turn_count", "the expression matches every text")
}

// ordinary are conversations in which nothing is wrong: their sides say plain things, in turn, the customer first.
var ordinary = [][]string{
	{"这款面膜一盒几片", "您好，一盒是五片的哦", "保质期多久呢", "三年的，近期生产的", "好的谢谢", "不客气，祝您生活愉快"},
	{"我的快递到哪里了", "在的亲，这边帮您看一下", "嗯", "包裹昨天已经到杭州了，预计明天送达", "知道了", "好的，有问题随时联系我"},
	{"在吗", "在的，请讲", "想换一个大一点的尺码", "可以换的，您在订单里提交申请就行", "运费谁出", "七天内换货运费我们承担"},
	{"hi", "hello, how can I help", "where is my order", "it was sent on Monday", "ok thanks", "you are welcome"},
	{"流量用完了怎么办", "您好，可以加一个叠加包，十元两个G", "多少天有效", "当月有效", "帮我开一个", "已经为您开通"},
	{"我要补开发票", "好的，把抬头发给我", "某某公司", "收到，三天内寄出", "麻烦了", "应该的"},
	{"空调不制冷", "非常抱歉，给您安排师傅上门", "什么时候", "明天上午九点到十二点", "行", "已经登记好了"},
	{"我要买两件", "满两百减二十", "那我拍两件", "好", "付款了", "看到您的订单了，今天发"},
	{"鞋子收到了，很喜欢", "谢谢您的支持", "下次还来", "欢迎再来哦", "再见", "再见"},
	{"网连不上", "重启一下路由器试试", "好了", "太好了", "谢谢", "很高兴帮到您"},
}

// everywhere warns of rules that find something in nearly every ordinary conversation.
func (s *Set) everywhere() Problems {
	found := make([]int, len(s.rules))
	for i, lines := range ordinary {
		t := &schemas.Transcript{Closed: true, Meta: schemas.Meta{SessionID: fmt.Sprint("ordinary-", i), AgentID: "a"}}
		at := int64(0)
		for k, text := range lines {
			turn := schemas.Turn{Seq: schemas.Some(int64(k + 1)), Role: schemas.Customer, Text: text, StartMS: schemas.Some(at), EndMS: schemas.Some(at + 800)}
			if k%2 == 1 {
				turn.Role = schemas.Agent
			}
			t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: turn, Key: schemas.SeqKey(int64(k + 1))})
			at += int64(1_000 << ((i + k) % 9))
		}
		hits := map[string]bool{}
		for _, h := range s.Evaluate(t, Literal{}.Features(t)).Hits {
			hits[h.RuleID] = hits[h.RuleID] || len(h.Evidence) > 0
		}
		for k, r := range s.rules {
			if hits[r.id] {
				found[k]++
			}
		}
	}
	var out Problems
	for k, r := range s.rules {
		if found[k]*10 >= len(ordinary)*9 {
			out = append(out, Problem{File: r.file, Line: r.at.line, Column: r.at.column, Text: r.id, Severity: SeverityWarning,
				Message: fmt.Sprintf("the rule finds something in %d of %d ordinary conversations", found[k], len(ordinary)), Hint: "say more closely what it looks for"})
		}
	}
	return out
}
