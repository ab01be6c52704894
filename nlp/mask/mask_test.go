package mask

import (
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

var masker = New([]byte("a key for tests"), Options{ServiceNumbers: []string{"021-6888 6888"}})

func TestText(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, _ := masker.Text(in)
		if got != want {
			t.Errorf("Text(%q)\n got %q\nwant %q", in, got, want)
		}
		if again, _ := masker.Text(got); again != got {
			t.Errorf("Text(%q) = %q, again %q", in, got, again)
		}
	}
	same := func(in string) { t.Helper(); f(in, in) }

	// Telephone numbers.
	f("我电话13812345678", "我电话[电话x]")
	f("138 1234 5678收", "[电话x]收")
	f("138-1234-5678", "[电话x]")
	f("１３８１２３４５６７８", "[电话x]")
	f("138，1234，5678", "[电话x]")
	f("138。1234。5678", "[电话x]")
	f("1 3 8 1 2 3 4 5 6 7 8", "[电话x]")
	f("138\u200b1234\u200b5678", "[电话x]")
	f("+86 138 1234 5678", "[电话x]")
	f("8613812345678", "[电话x]")
	f("拨010-63923300转8001找我", "拨[电话x]找我")
	f("(0571)88881234", "[电话x]")
	f("0571 8888 1234", "[电话x]")
	f("02164567890", "[电话x]")
	f("联系电话63923300", "联系电话[电话x]")
	f("幺三八幺二三四五六七八", "[电话x]")
	f("我号码是一三八 零零幺三 八零零零，记一下", "我号码是[电话x]，记一下")
	f("幺三八三个零幺三八两个零", "[电话x]")
	f("幺三八，嗯零零幺三，啊八零零零", "[电话x]")
	f("13812345678和13912345678", "[电话x]和[电话x]")
	f("房间2603 13812345678", "房间2603 [电话x]")

	// Service numbers and other numbers stay.
	same("打10086或者10010投诉，12315也行，95588、955 88，110报警")
	same("400-820-8820，4008208820，800-820-8820，95561234，021-68886888")
	same("1069012345678发的短信")
	same("99.9元3件，满200-20，11.11，2026-11-21 15:04:05，20261121，9:00-18:00")
	same("iPhone15ProMax 256g，型号a12345678，尺码185/100A，1080*2340")
	same("商品528105689823和44265219693有什么区别")
	same("商品编号100012043978，货号6901234567892")
	same("三百五十块，一二三四五，二〇二六年，十一十二月都行")
	same("零点零零一，一一一，三三两两的")
	same("编号1234567的活动")

	// Cards.
	f("身份证11010519491231002X", "身份证[证件x]")
	f("11010519491231002x", "[证件x]")
	f("110105 19491231 002X", "[证件x]")
	f("身份证号：110105491231002", "身份证号：[证件x]")
	f("护照号E12345678", "护照号[证件x]")
	f("卡号6222021234567890128", "卡号[银行卡x]")
	f("4111 1111 1111 1111", "[银行卡x]")
	f("4111111111111111转账", "[银行卡x]转账")
	same("4111111111111112这个码")

	// Plates, mail, accounts.
	f("车牌京A12345停在门口", "车牌[车牌x]停在门口")
	f("沪AD12345、粤B·8H9K0", "[车牌x]、[车牌x]")
	f("发到zhang.san@example.com.cn吧", "发到[邮箱x]吧")
	f("支付宝是12345678@QQ.com", "支付宝是[邮箱x]")
	f("12345678@qq、com", "[邮箱x]")
	f("加我微信zhangsan_88", "加我微信[微信x]")
	f("微信号：wangxiaoming", "微信号：[微信x]")
	f("加VX:abc12345", "加VX:[微信x]")
	f("微信13812345678", "微信[微信x]")
	f("QQ：123456789，加一下", "QQ：[QQx]，加一下")
	f("扣扣号是1234567", "扣扣号是[QQx]")
	same("微信支付和QQ登录都不行，关注微信公众号")
	same("在线QQ：800010000客服")
	same("@中国电信客服 微信EMUI客服都不理我")
	same("苏宁A1")

	// Names.
	f("我叫张伟", "我叫[姓名x]")
	f("收件人：欧阳娜娜，电话13812345678", "收件人：[姓名x]，电话[电话x]")
	f("收货人改成美桦 电话13812345678", "收货人改成[姓名x] 电话[电话x]")
	f("姓名王小明手机13812345678", "姓名[姓名x]手机[电话x]")
	f("尊敬的李先生您好", "尊敬的[姓名x]先生您好")
	f("请问是王女士吗", "请问是[姓名x]女士吗")
	f("我姓刘", "我姓[姓名x]")
	f("陈桂花13812345678", "[姓名x][电话x]")
	f("13812345678，赵一", "[电话x]，[姓名x]")
	same("我叫了外卖，我叫快递来取")
	same("小姐姐在吗，女士内衣有吗，对于女士来说，各位女士")
	same("收件人电话错了，收货人信息不对，姓名和地址都要改，联系人是谁")
	same("名字就叫香菇菜，名字来源于小说，姓名和资料都对，用户名和密码忘了")
	same("我先生不在家，男士女士都能穿")
	f("谢谢13812345678谢谢", "谢谢[电话x]谢谢")

	// Addresses.
	f("地址是浙江省杭州市余杭区文一西路969号3栋2单元501室", "地址是[地址x]")
	f("寄到朝阳区建国路88号院2号楼1203", "寄到[地址x]")
	f("江苏省徐州市沛县龙固镇前三里村，张三", "[地址x]，[姓名x]")
	f("阳光小区9栋2单元703室", "[地址x]")
	same("我是江苏徐州的，发到上海市要几天")
	same("小区门口的超市，这条路很远，线路问题，网路不通，上市公司，地区不同")
	same("改成5号发货，3楼有电梯，8层的，二期什么时候")
	same("发现网络弱区详细地址（**市**区***路**号**层）")

	// Orders and parcels.
	f("订单号 73211016892804 怎么还没到", "订单号 [订单x] 怎么还没到")
	f("订单编号:2026112100012345678", "订单编号:[订单x]")
	f("699727522910862783怎么还没发货", "[订单x]怎么还没发货")
	f("快递单号SF1234567890123", "快递单号[单号x]")
	f("YT8812345678901没动静", "[单号x]没动静")
	f("运单号 773012345678901", "运单号 [单号x]")
	f("EA123456789CN", "[单号x]")

	// What is masked already stays.
	same("[电话x] [姓名x] [数字x]号 [订单x][地址x]")
	f("[姓名x]13812345678[地址x]", "[姓名x][电话x][地址x]")
	same("")
	same("好的，谢谢")
	f("a\x00b\xff13812345678", "a\x00b\xff[电话x]")
}

func TestEntities(t *testing.T) {
	text, got := masker.Text("[金额x]打13812345678找[神秘x]")
	want := []schemas.Entity{{Type: "amount", Start: 0, End: 9}, {Type: "phone", Start: 12, End: 21}, {Type: "masked", Start: 24, End: 33}}
	if text != "[金额x]打[电话x]找[神秘x]" || len(got) != len(want) {
		t.Fatalf("%q %v", text, got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("entity %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestPseudonym(t *testing.T) {
	a := masker.Pseudonym("customer-1")
	if len(a) != 35 || !strings.HasPrefix(a, "cu_") || strings.Contains(a, "customer") {
		t.Errorf("pseudonym %q", a)
	}
	if masker.Pseudonym(a) != a {
		t.Error("the pseudonym of a pseudonym is another one")
	}
	if masker.Pseudonym("customer-2") == a || masker.Pseudonym("customer-1") != a {
		t.Error("pseudonyms do not tell customers apart")
	}
	if other := New([]byte("another key"), Options{}); other.Pseudonym("customer-1") == a || other.Pseudonym(a) == a {
		t.Error("another key must give other pseudonyms")
	}
	if masker.Pseudonym("") != "" {
		t.Error("an empty id stays empty")
	}
}

// sample is a message of every kind with personal data in every field that may hold some.
func sample(text string) []*schemas.Message {
	attributes := func() map[string]string {
		return map[string]string{
			"note": text, "receiver_name": "张伟", "phone": "13812345678", "buyer_id": "buyer 7", "手机号": "138 1234 5678", "product_name": "面膜",
			"extra": `{"phone":13812345678,"list":["` + strings.NewReplacer(`"`, "", `\`, "").Replace(strings.ToValidUTF8(strings.Map(printable, text), "")) + `"],"n":5}`, "empty": "", "hotline": "10086",
		}
	}
	return []*schemas.Message{
		{Type: "session", Session: &schemas.Session{
			Meta: schemas.Meta{SessionID: "s1", CustomerID: "customer-1", AgentID: "a1", AgentName: "王芳", Team: "一组", Shop: "店", Product: "面膜",
				MediaURL: "https://u:p@media.example/a.mp3?token=abc&phone=13812345678&t=5#frag", Attributes: attributes()},
			Turns: []schemas.Turn{{Role: "customer", Text: text, Attributes: attributes()}, {Role: "agent", AgentID: "a1", Text: "收到13812345678"}},
		}},
		{Type: "turn", Turn: &schemas.LiveTurn{SessionID: "s1", Turn: schemas.Turn{Role: "customer", Text: text, Attributes: attributes()}}},
		{Type: "end", End: &schemas.End{SessionID: "s1"}},
		{Type: "order", Order: &schemas.Order{OrderID: "202611210001", CustomerID: "customer-1", AgentID: "a1", Items: []schemas.OrderItem{{SKU: "1", Name: "给" + text}}, Attributes: attributes()}},
		{Type: "rating", Rating: &schemas.Rating{SessionID: "s1", Comment: text, Attributes: attributes()}},
	}
}

func printable(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}

func TestMessage(t *testing.T) {
	text := "我叫张伟，电话13812345678，身份证11010519491231002X"
	for _, msg := range sample(text) {
		masker.Message(msg)
		all := dump(msg)
		for _, secret := range []string{"张伟", "13812345678", "138 1234 5678", "11010519491231002X", "customer-1", "buyer 7", "abc", "u:p"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s still holds %q: %s", msg.Type, secret, all)
			}
		}
		if s := msg.Session; s != nil {
			if s.SessionID != "s1" || s.AgentID != "a1" || s.AgentName != "王芳" || s.Team != "一组" || s.Shop != "店" || s.Product != "面膜" {
				t.Errorf("masking changed what has to stay: %+v", s.Meta)
			}
			if s.MediaURL != "https://media.example/a.mp3?token=x&phone=x&t=5" {
				t.Errorf("media_url is %s", s.MediaURL)
			}
			if s.Attributes["product_name"] != "面膜" || s.Attributes["hotline"] != "10086" || s.Attributes["receiver_name"] != "[姓名x]" || s.Attributes["phone"] != "[电话x]" {
				t.Errorf("attributes are %v", s.Attributes)
			}
			if want := `"phone":"[电话x]"`; !strings.Contains(s.Attributes["extra"], want) || !strings.Contains(s.Attributes["extra"], `"n":5`) {
				t.Errorf("nested attribute is %s", s.Attributes["extra"])
			}
			if s.CustomerID != masker.Pseudonym("customer-1") || s.Attributes["buyer_id"] != masker.Pseudonym("buyer 7") {
				t.Error("ids are no pseudonyms")
			}
		}
		if o := msg.Order; o != nil && (o.OrderID != "202611210001" || o.CustomerID != masker.Pseudonym("customer-1")) {
			t.Errorf("order %+v", o)
		}
	}
	masker.Message(&schemas.Message{})
}

func TestMediaURL(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := masker.mediaURL(in); got != want || masker.mediaURL(got) != got {
			t.Errorf("mediaURL(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("https://a.example/x.wav", "https://a.example/x.wav")
	f("https://a.example/x.wav?id=5&b=", "https://a.example/x.wav?id=5&b=")
	f("https://a.example/x.wav?X-Amz-Signature=abc&Expires=1&id=5", "https://a.example/x.wav?X-Amz-Signature=x&Expires=x&id=5")
	f("https://a.example/x.wav?caller=138%201234%205678", "https://a.example/x.wav?caller=x")
	f("%zz?token=abc", "%zz")
	f("oss://bucket/x.wav#token", "oss://bucket/x.wav")
	f("http://u:p@h.example/x.wav?\x00&token=abc", "h.example/x.wav")
	f("http://u:p@h.example:a/x.wav", "h.example:a/x.wav")
	f("http://u:p@h.example:a/x.wav#@", "h.example:a/x.wav")
}

func TestRaw(t *testing.T) {
	f := func(in string, absent, present string) {
		t.Helper()
		got := masker.Raw([]byte(in))
		for _, secret := range strings.Split(absent, "|") {
			if strings.Contains(got, secret) {
				t.Errorf("Raw(%q) = %q still holds %q", in, got, secret)
			}
		}
		for _, p := range strings.Split(present, "|") {
			if !strings.Contains(got, p) {
				t.Errorf("Raw(%q) = %q, without %q", in, got, p)
			}
		}
		if again := masker.Raw([]byte(got)); again != got {
			t.Errorf("Raw(%q) = %q, again %q", in, got, again)
		}
	}
	f(`{"type":"turn","session_id":"s1","role":"boss","text":"我叫张伟13812345678","customer_id":"c 9"}`, "张伟|13812345678|c 9", `"session_id":"s1"|cu_`)
	f(`{"type":"session","session_id":"13812345678","turns":[{"role":"agent","text":"13812345678"},13912345678]}`, `"text":"138|13912345678`, `"session_id":"13812345678"`)
	f(`{"customer_id":"c 9","text":"13812345678`, "c 9|13812345678", "[电话x]")
	f(`{"customer_name": "张伟" "phone":"13812345678"`, "张伟|13812345678", "[姓名x]")
	f(`{"text":"\u6211\u53eb\u5f20\u4f1f 1\u0033812345678`, "张伟|13812345678|u0033", "[电话x]|[姓名x]")
	f("no json 13812345678\xff", "13812345678", "[电话x]|\uFFFD")
	f(`[1,2]`, "cu_", "[1,2]")
}

// raceEnabled says that the race detector is on, under which pools forget what they hold.
var raceEnabled bool

func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("allocation budgets hold without the race detector")
	}
	f := func(text string, budget float64) {
		t.Helper()
		if n := testing.AllocsPerRun(100, func() { masker.Text(text) }); n > budget {
			t.Errorf("%q costs %v allocations, want at most %v", text, n, budget)
		}
	}
	f("亲，这款面膜现在活动价很划算，喜欢可以直接拍哦", 0)
	f("好的收到谢谢，什么时候发货呢", 0)
	f("满99减10元，3天内发货，2026年生产", 0)
	f("我电话13812345678，麻烦改一下", 12)
}

func BenchmarkText(b *testing.B) {
	run := func(name, text string) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				masker.Text(text)
			}
		})
	}
	run("plain", "亲，这款面膜现在活动价很划算，喜欢可以直接拍哦")
	run("digits", "满99减10元，3天内发货，2026年生产")
	run("phone", "我电话13812345678，麻烦改一下")
	run("address", "地址是浙江省杭州市余杭区文一西路969号3栋2单元501室，张伟收，电话13812345678")
}
