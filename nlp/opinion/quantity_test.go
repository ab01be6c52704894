package opinion

import "testing"

func TestCountless(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := countless(in); got != want {
			t.Errorf("countless(%q) = %q, want %q", in, got, want)
		}
	}
	f("满300减40", "满减")
	f("体重110斤穿什么码", "体重穿什么码")
	f("流量30个g吧", "流量g吧")
	f("要1.5米的杆子", "要的杆子")
	f("p50能用吗", "p50能用吗") // a name
	f("5mini装", "mini装")
	f("我150斤", "我150斤")     // likewise
	f("48小时内发货", "48小时内发货") // how long is the point
	f("9月1号发货", "月号发货")     // that it is a date, not which
	f("一百多块钱", "一百多块钱")
}

// Mentions are one opinion by what they say: a number that they share, or that both name one, does not make them one.
func TestNumbersDoNotJoin(t *testing.T) {
	f := func(aspect string, want int, texts ...string) {
		t.Helper()
		var mentions []Mention
		for _, s := range texts {
			mentions = append(mentions, Mention{Text: s, Aspect: aspect, Polarity: "negative"})
		}
		if got := model().Found(mentions, Options{}); len(got) != want {
			t.Errorf("%q are %d opinions, want %d", texts, len(got), want)
		}
		s := NewSnapshot(model(), 1, opinionsOf(model().Found(mentions[:1], Options{})), Options{})
		if id, _ := s.Assign(mentions[1]); (id != "") != (want == 1) {
			t.Errorf("%q is assigned to %q beside %q", texts[1], id, texts[0])
		}
	}
	f("price", 5, "哪里不满足啊 满300减40", "流量30个G吧", "两个面膜价格差110 有啥区别值这个钱", "充100送50的页面点进去是404", "公司团购200份有优惠吗")
	f("aftersales", 2, "200块换来个下不为例", "收我押金200")
	f("spec", 2, "5斤大概多少个", "体重110斤穿什么码")
	f("spec", 1, "体重110斤穿什么码", "体重150斤穿什么码")
	f("account", 1, "这个月怎么多扣了40", "这个月怎么多扣了20块")
}
