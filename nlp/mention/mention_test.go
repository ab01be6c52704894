package mention

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

var shared = sync.OnceValues(func() (*Finder, error) {
	p, err := NewProducts([]Product{
		{Name: "面膜A", Aliases: []string{"A款面膜", "A款"}, Shop: "花漾"},
		{Name: "面膜B", Aliases: []string{"B款面膜", "B款", "面末b"}, Shop: "花漾"},
		{Name: "洗衣机X8", Aliases: []string{"洗衣机", "X8"}, Shop: "安居"},
		{Name: "小白洗衣机", Aliases: []string{"洗衣机"}, Shop: "白家"},
	})
	if err != nil {
		return nil, err
	}
	return New(p)
})

func finder(t testing.TB) *Finder {
	f, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func find(f *Finder, text, shop string, context ...string) []schemas.TurnMention {
	in := Input{Raw: text, Norm: textnorm.Normalise(text), Role: schemas.Customer, Shop: shop}
	for _, c := range context {
		role, text, ok := strings.Cut(c, ": ")
		if !ok {
			role, text = string(schemas.Agent), c
		}
		in.Context = append(in.Context, Utterance{schemas.Role(role), textnorm.Normalise(text).Text})
	}
	return f.Find(in)
}

// show writes mentions as kind/aspect, with ! where they are valuable.
func show(ms []schemas.TurnMention) string {
	var out []string
	for _, m := range ms {
		s := m.Kind + "/" + m.Aspect
		if m.Valuable {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestRulings holds the rulings on mentions, each on sentences of our own.
func TestRulings(t *testing.T) {
	fd := finder(t)
	f := func(text, want string, context ...string) {
		t.Helper()
		ms := find(fd, text, "", context...)
		if got := show(ms); got != want {
			t.Errorf("%q: got %q, want %q %v", text, got, want, ms)
		}
	}
	// Seeds.
	f("为什么面膜B比面膜A贵了一百多块钱？", "question/price!")
	f("面膜B这么贵，它贵在哪里？", "question/price!")
	f("太差了", "complaint/quality")
	f("你们的面膜太硬了，用起来不舒服", "complaint/quality!")
	// No mentions.
	f("你好", "")
	f("在吗", "")
	f("好的，谢谢", "")
	f("嗯嗯 知道了", "")
	f("[订单x]", "")
	f("已经寄回了", "")
	f("已签收", "")
	f("气死我了", "")
	f("滚", "")
	f("我等会再看看", "")
	// Kinds.
	f("这个充电要多久", "question/spec!")
	f("保质期到什么时候", "question/spec!")
	f("快递太慢了", "complaint/logistics!")
	f("质量很满意", "praise/quality!")
	f("地址写错了能改吗", "request/order!")
	f("能不能给点优惠", "request/price!")
	f("能发顺丰吗", "question/logistics!")
	f("发顺丰可以吗", "request/logistics!")
	f("怎么还没发货", "complaint/logistics!")
	f("软件一打开就闪退", "bug/function!")
	f("从昨天开始没信号", "bug/function!")
	f("网速太慢了", "complaint/function!")
	f("充不进电了", "bug/quality!")
	f("建议增加夜间模式", "suggestion/function!")
	// Valuable or not.
	f("快点", "request/logistics", "什么时候能送到")
	f("麻烦处理下", "request/service")
	f("太过分了", "complaint/service")
	f("欺骗消费者", "complaint/service")
	f("好吃", "praise/quality")
	f("我要转人工", "request/service!")
	// Aspects.
	f("什么时候补货", "question/stock!")
	f("有大一号的吗", "question/stock!")
	f("包裹里少了一件", "complaint/logistics!")
	f("发错货了", "complaint/logistics!")
	f("退货的运费谁出", "question/aftersales!")
	f("邮费多少", "question/price!")
	f("发票抬头开公司的", "request/order!")
	f("套餐怎么又扣了二十块", "complaint/account!")
	f("优惠券用不了", "complaint/price!")
	f("刚买就降价了", "complaint/price!")
	f("有赠品吗", "question/packaging!")
	f("买一送一吗", "question/price!")
	f("退款怎么还没到账", "complaint/aftersales!")
	f("付不了款", "bug/order!")
	f("打客服电话一直没人接", "complaint/service!")
	f("尺码拍错了", "request/order!")
	f("和上一款有什么区别", "question/spec!")
	f("颜色跟照片差好多", "complaint/quality!")
	f("为什么", "question/price", "这款多少钱", "券不能叠加的哦")
	// Several.
	f("味道不错，就是快递太慢", "praise/quality! complaint/logistics!")
}

func TestOnlyCustomers(t *testing.T) {
	fd := finder(t)
	for _, role := range []schemas.Role{schemas.Agent, schemas.Bot, schemas.System} {
		text := "快递太慢了"
		if ms := fd.Find(Input{Raw: text, Norm: schemas.NormText{Text: text}, Role: role}); len(ms) != 0 {
			t.Errorf("%s: %v", role, ms)
		}
	}
}

func TestProducts(t *testing.T) {
	fd := finder(t)
	f := func(text, shop, want string) {
		t.Helper()
		ms := find(fd, text, shop)
		if len(ms) == 0 || ms[0].Product != want {
			t.Errorf("%q in %q: got %v, want product %q", text, shop, ms, want)
		}
	}
	f("为什么面膜B比面膜A贵了一百多块钱？", "", "面膜B")
	f("面膜Ｂ太硬了", "花漾", "面膜B")
	f("b款面膜太硬了", "花漾", "面膜B")
	f("面膜太硬了", "花漾", "")
	f("面膜B太硬了", "安居", "")
	f("洗衣机漏水", "安居", "洗衣机X8")
	f("洗衣机漏水", "白家", "小白洗衣机")
	f("洗衣机漏水", "", "洗衣机X8")
	f("X80太吵了", "安居", "")
}

// TestComparedProducts: the subject is the product that is judged, not the one it is compared with.
func TestComparedProducts(t *testing.T) {
	fd := finder(t)
	f := func(text, want string) {
		t.Helper()
		ms := find(fd, text, "花漾")
		if len(ms) == 0 || ms[len(ms)-1].Product != want {
			t.Errorf("%q: got %+v, want product %q in the last one", text, ms, want)
		}
	}
	f("为什么面膜B比面膜A贵了一百多块钱？", "面膜B")
	f("跟面膜A比面膜B太贵了", "面膜B")
	f("和面膜A相比，面膜B太硬了", "面膜B")
	f("面膜A没有面膜B好用", "面膜A")
	f("比起面膜B，面膜A太薄了", "面膜A")
	f("面膜A不错，面膜B太硬了", "面膜B")
	f("面膜A和面膜B有什么区别", "面膜A")
	f("比面膜A贵太多了", "面膜A")
}

// TestProductFromContext: a product is taken from the turns before only where these leave no doubt.
func TestProductFromContext(t *testing.T) {
	fd := finder(t)
	f := func(text, want string, context ...string) {
		t.Helper()
		ms := find(fd, text, "花漾", context...)
		if len(ms) == 0 || ms[0].Product != want {
			t.Errorf("%q after %q: got %+v, want product %q", text, context, ms, want)
		}
	}
	f("太硬了", "面膜B", "agent: 您收到的面膜B用着怎么样")
	f("这款用着不舒服，敷一会儿就往下掉，还有股怪味", "面膜B", "customer: 我买了面膜B", "agent: 好的亲，您说")
	f("多少钱", "面膜A", "agent: 您看的是面膜A哦")
	f("这个多少钱", "", "agent: 面膜A和面膜B都有货")
	f("太硬了", "", "customer: 面膜A", "agent: 面膜A和面膜B都有货")
	f("太硬了", "", "agent: 您收到的货怎么样")
	f("太硬了", "面膜A", "customer: 面膜B先不说", "agent: 那面膜A呢")
	f("面膜A太硬了", "面膜A", "agent: 您收到的面膜B用着怎么样")
	f("快递太慢了，等了好几天都没有人给我打电话", "", "agent: 您收到的面膜B用着怎么样")
	f("太硬了", "", "customer: 面膜B", "agent: 亲", "customer: 在吗", "agent: 在的", "agent: 您说")
}

func TestReadProducts(t *testing.T) {
	f := func(content string, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadProducts(path)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", content, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: got %v, want it to say %q and the path", content, err, want)
		}
	}
	f("", "")
	f("products: []", "")
	f("products:\n  - name: 甲\n    aliases: [乙]\n    shop: 丙", "")
	f("products:\n  - nmae: 甲", "nmae")
	f("products:\n  - aliases: [乙]", "products[0].name")
	f("products:\n  - name: 甲\n    aliases: ['']", "products[0].aliases[0]")
	f("products: [", "yaml")
	if _, err := ReadProducts(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("no error for a missing file")
	}
}

func TestSampleProducts(t *testing.T) {
	if list, err := ReadProducts("../../testdata/products.yaml"); err != nil || len(list) == 0 {
		t.Errorf("%d products, %v", len(list), err)
	}
}

// checkSpans holds what every answer guarantees about places.
func checkSpans(text string, ms []schemas.TurnMention) error {
	last := 0
	for _, m := range ms {
		if m.Start < last || m.End <= m.Start || m.End > len(text) || text[m.Start:m.End] != m.Text {
			return fmt.Errorf("mention %+v after byte %d", m, last)
		}
		if utf8.ValidString(text) && !utf8.ValidString(m.Text) {
			return fmt.Errorf("mention %+v cuts a character", m)
		}
		last = m.End
	}
	return nil
}

func TestHardTexts(t *testing.T) {
	fd := finder(t)
	for _, text := range []string{
		"", " ", "??", "\xff\xfe快递太慢", "快递太慢\x00了", strings.Repeat("快递太慢了，", 30_000), strings.Repeat("a", 1<<20),
		"ＡＢＣ快遞太慢了😡😡😡😡😡，價格好貴", "mixed 快递 slow 質量很差 poor quality", strings.Repeat("慢", 1<<18),
	} {
		if err := checkSpans(text, find(fd, text, "")); err != nil {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	fd := finder(f)
	for _, s := range []string{"面膜B太硬了，用起来不舒服", "快遞太慢😡", "\xff慢", "@甲 慢 http://a.b/c", "为什么？？？贵！"} {
		f.Add(s, "券不能用")
	}
	f.Fuzz(func(t *testing.T, text, before string) {
		if err := checkSpans(text, find(fd, text, "", before)); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func BenchmarkText(b *testing.B) {
	fd := finder(b)
	text := textnorm.Normalise("你好，我上周买的那个电饭煲怎么还没发货啊，都等了五天了，麻烦帮我催一下").Text
	b.ReportAllocs()
	for b.Loop() {
		fd.Text(text)
	}
}
