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

func TestWordsThatNobodyCutAreMissing(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {"+body+"}\n"))))
		tr := chat("客服: 加我微信")
		x := Literal{}.Features(tr)
		x.Turns[0].Words = nil
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
