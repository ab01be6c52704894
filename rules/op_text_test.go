package rules

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

func TestWordOperators(t *testing.T) {
	f := func(body, want string, lines ...string) {
		t.Helper()
		if got, x := outcome(t, "    "+strings.ReplaceAll(body, "\n", "\n    ")+"\n", chat(lines...)); got != want {
			t.Errorf("%s over %q: got %s %v, want %s", body, lines, got, x.Notes, want)
		}
	}
	// Synonyms count as the word they stand for.
	const two = "forbid: {keyword: {n: 2, of: [退款, 投诉], synonyms: {退款: [退钱, 把钱还我]}}}"
	f(two, "present", "客户: 退钱，不然投诉")
	f(two, "absent", "客户: 退钱，我要退款")
	f("forbid: {keyword: {all: [退款, 投诉], synonyms: {退款: [退钱]}}}", "present", "客户: 退钱，不然投诉")
	f("forbid: {keyword: {all: [退款, 投诉], synonyms: {退款: [退钱]}}}", "absent", "客户: 投诉")
	f("forbid: {keyword: {any: [退款], synonyms: {退款: [退钱]}}}", "absent", "客户: 我不退钱")
	// Gaps inside a word.
	f("forbid: {keyword: {any: [加微信], gap: 2}}", "present", "客服: 加一下微.信")
	f("forbid: {keyword: {any: [加微信], gap: 2}}", "present", "客服: 加微信")
	f("forbid: {keyword: {any: [加微信], gap: 2}}", "absent", "客服: 加一下您的微信")
	f("forbid: {keyword: {any: [加微信], gap: 2}}", "absent", "客服: 加。微信")
	f("forbid: {keyword: {any: [投诉], gap: 1}}", "absent", "客户: 不投个诉")
	f("forbid: {in_clause: true, keyword: {any: [微信], gap: 2}}", "absent", "客服: 稍微，信不信")
	f("forbid: {keyword: {all: [加微信, 发红包], gap: 2}}", "present", "客服: 加你微信", "客服: 发个红包")
	f("forbid: {keyword: {all: [加微信, 发红包], gap: 2}}", "absent", "客服: 加你微信")
	// Whole words, and case.
	f("forbid: {keyword: {any: [vip], match: word}}", "present", "客户: 我是VIP会员")
	f("forbid: {keyword: {any: [IT], case: yes}}", "present", "客户: 做IT的")
	f("forbid: {keyword: {any: [IT], case: yes}}", "absent", "客户: it is ok")
	// Near.
	f("forbid: {near: {a: [退款], without: [运费], gap: 6}}", "present", "客服: 退款不包括其他费用")
	f("forbid: {near: {a: [退款], without: [运费], gap: 6}}", "absent", "客服: 退款不包括运费")
	f("forbid: {near: {a: [退款], without: [运费], gap: 6, ordered: yes}}", "present", "客服: 运费另算，退款")
	f("forbid: {near: {a: [加], b: [微信], gap: 2, unit: words}}", "present", "客服: 加vip888微信")
	f("forbid: {near: {a: [加], b: [微信], gap: 0, unit: words}}", "absent", "客服: 加我微信")
	// Repetition of others, and within a window.
	const parrot = "forbid: {in: {role: agent}, repeat: {target: customer, min_chars: 5}}"
	f(parrot, "present", "客户: 这个面膜含酒精吗", "客服: 这个面膜含酒精哦")
	f(parrot, "absent", "客服: 这个面膜含酒精哦", "客户: 这个面膜含酒精吗")
	f(parrot, "absent", "客服: 这个面膜含酒精哦", "客服: 这个面膜含酒精哦")
	f("forbid: {repeat: {target: other, min_chars: 5, times: 3}}", "present", "客户: 这个面膜含酒精吗", "客服: 这个面膜含酒精哦", "客服: 这个面膜含酒精哦")
	f("forbid: {repeat: {target: other, min_chars: 5, times: 3}}", "absent", "客户: 这个面膜含酒精吗", "客服: 这个面膜含酒精哦")
	f("forbid: {repeat: {window: 1, min_chars: 5}}", "absent", "客服: 这个面膜含酒精哦", "客户: 嗯", "客服: 这个面膜含酒精哦")
	f("forbid: {repeat: {window: 2, min_chars: 5}}", "present", "客服: 这个面膜含酒精哦", "客户: 嗯", "客服: 这个面膜含酒精哦")
}

func TestGappedWordsStayApart(t *testing.T) {
	_, x := outcome(t, "    forbid: {keyword: {any: [退款, 微信], gap: 2}}\n", chat("客户: 微信余额付的，已经退 款"))
	if len(x.Hits) != 1 || len(x.Hits[0].Evidence) != 2 || x.Hits[0].Evidence[0].End != len("微信") {
		t.Errorf("hits %+v", x.Hits)
	}
}

func TestWordsThatNobodyCutAreMissing(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {"+body+"}\n"))))
		tr := chat("客服: 加我微信")
		x := Literal{}.Features(tr)
		x.Turns[0].Cut = nil
		got := s.Evaluate(tr, x)
		if got.Outcomes["r"] != want {
			t.Errorf("%s: %s, want %s", body, got.Outcomes["r"], want)
		}
		if want == schemas.NA && (len(got.Notes) != 1 || got.Notes[0].Why != whyNoWords) {
			t.Errorf("%s: notes %v", body, got.Notes)
		}
	}
	f("keyword: {any: [微信], match: word}", schemas.NA)
	f("keyword: {none: [微信], match: word}", schemas.NA)
	f("near: {a: [加], b: [微信], unit: words}", schemas.NA)
	f("near: {a: [加], without: [微信], unit: words}", schemas.NA)
	f("keyword: {any: [退款], match: word}", schemas.Absent)
	f("near: {a: [加], b: [微信]}", schemas.Present)
}

func TestSlots(t *testing.T) {
	f := func(slots, text string, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte("lists: {商品: [面膜, 精华液, 洗面奶]}\n"+oneRule("    forbid: {slots: "+slots+"}\n"))))
		got := ""
		tr := chat("客户: " + text)
		if x := evaluate(t, s, tr); len(x.Hits) > 0 {
			ev := x.Hits[0].Evidence[0]
			got = text[ev.Start:ev.End]
		}
		if got != want {
			t.Errorf("%s over %s: found %q, want %q", slots, text, got, want)
		}
	}
	f("'我要[退/换]这个[商品]'", "那我要退这个面膜吧", "我要退这个面膜")
	f("'我要[退/换]这个[商品]'", "我要修这个面膜", "")
	f("'我要[退/换]这个[商品]'", "不是我要退这个面膜", "")
	f("{any: ['我要[退/换]这个[商品]'], negation: off}", "不是我要退这个面膜", "我要退这个面膜")
	f("'[退/换][个/一个]?货'", "能换货吗", "换货")
	f("'[商品]*[过敏/刺痛]'", "用了精华液脸上有点刺痛", "精华液脸上有点刺痛")
	f("'[商品]*[过敏/刺痛]'", "用了精华液，脸上有点刺痛", "")
	f("{any: ['[商品]*过敏'], gap: 2}", "面膜用了三天过敏", "")
	f("'满[数字]减[数字]'", "说好满三百减五十吗", "满三百减五十")
	f("'满[数字]减[数字]'", "满300减50", "满300减50")
	f("'[数字]天[内/之内]?到'", "说好三天到的", "三天到")
	f("{any: ['赔[数字]'], number: {over: 100}}", "要赔两百五", "赔两百五")
	f("{any: ['赔[数字]'], number: {over: 100}}", "要赔50", "")
	f("'等了[数字][个/整]?月'", "我等了两个月", "等了两个月")
	f("'保证*'", "我们保证明天一定到，放心", "保证明天一定到")
	f("{any: ['退这个[商品]'], between: 2}", "退这个破的面膜", "退这个破的面膜")
	f("'[a/b]x'", "cax", "")
}

func TestSlotErrors(t *testing.T) {
	f := func(slots, want string) {
		t.Helper()
		_, err := Load(Text("p.yaml", []byte("lists: {商品: [面膜]}\n"+oneRule("    forbid: {slots: "+slots+"}\n    note: <商品>\n"))))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", slots, err, want)
		}
	}
	f("'我要[退'", "] is missing")
	f("'我要[商晶]'", `did you mean "商品"?`)
	f("'[数字]'", "no word that must occur")
	f("'[退/换]?*'", "no word that must occur")
	f("{any: ['退货'], number: {over: 3}}", "no pattern has one")
	f("[]", "slots is empty")
	f("{gap: 3}", "slots needs any")
}
