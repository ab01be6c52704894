package opinions

import (
	"slices"
	"testing"
)

// Replies are of the sample conversations in testdata.
func TestConsistency(t *testing.T) {
	f := func(name string, want Answers, approved string, replies ...string) {
		t.Helper()
		var quotes []Quote
		for _, r := range replies {
			q := Quote{Reply: r}
			if q.Breaks = r[0] == '!'; q.Breaks {
				q.Reply = r[1:]
			}
			quotes = append(quotes, q)
		}
		for range 2 { // in whatever order they come
			if got := Consistency(model(), quotes, approved); got != want {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			slices.Reverse(quotes)
		}
	}
	lot := []string{"!你加我薇 hy_wanghao88，私下转给你便宜50", "亲，这边查询到原价就是279的呢", "您好呀～区别主要三点：膜布、精华量、修护成分，B都更好一些，价格也就上去了\n您是想自己用还是送人呢？",
		"亲可能是您没领券呢", "您好，200份可以走团购价138一份，含税", "那推荐您改畅享套餐59，40G流量加100分钟通话，比您现在的129省70块", "您好，活动火爆，请您稍后再试", "是真的"}
	f("nothing in common", Answers{Replies: 8}, "", lot...)
	f("two of nine agree", Answers{9, 2. / 9, "亲可能是您没领券呢"}, "", append(lot, "亲，您可能没有领券哦")...)
	f("in other words", Answers{3, 2. / 3, "亲已经发货改不了哦"}, "", "改不了", "亲已经发货改不了哦", "您报一下订单尾号")
	f("another number", Answers{Replies: 2}, "", "拍下后72小时内发货哦", "拍下后48小时内发货哦")
	f("one number shared", Answers{2, 1, "亲，价格249元，送3片"}, "", "亲，价格249元，送3片", "价格249元的哦")
	f("the same thing, something else about it", Answers{Replies: 2}, "", "这款面膜适合敏感肌", "这款面膜今天有活动")
	f("opposites with a word in common", Answers{Replies: 2}, "", "有货的，今天就发", "没有货了哦")

	f("courtesies are no answer", Answers{}, "", "亲，在的", "您好", "稍等", "亲亲您好，欢迎光临花漾美妆旗舰店，很高兴为您服务呢", "非常抱歉给您带来不便", "好的亲，这边帮您看一下呢")
	f("courtesies do not make two replies alike", Answers{Replies: 2}, "", "亲亲您好，欢迎光临，很高兴为您服务呢\n面膜B是明星款哦", "亲亲您好，欢迎光临，很高兴为您服务呢\n活动已经结束了")
	f("a single answer", Answers{Replies: 1}, "", "亲亲您好", "没有活动")

	f("what breaks a rule is no answer to compare with", Answers{3, 1, "加微信可以便宜50元哦"}, "", "!加微信可以便宜50元", "!加微信可以便宜50元呢", "加微信可以便宜50元哦")
	f("nor where all agree on it", Answers{Replies: 2}, "", "!加微信便宜50元", "!加微信便宜50元哦")

	f("approved", Answers{3, 1. / 3, "B款精华含量更高"}, "B款精华含量更高", "亲，B款的精华含量更高呢", "定价公司定的", "亲可能是您没领券呢")
	f("words that deny nothing", Answers{2, 1, "亲，支持退货的，七天内"}, "", "支持七天无理由退货", "亲，支持退货的，七天内")
	f("approved, and no answer counts", Answers{}, "B款精华含量更高", "亲，在的")
}
