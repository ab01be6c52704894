package mask

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

func dump(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	s := string(b)
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(s)
}

// holds checks what masking promises of any text.
func holds(t *testing.T, in string) {
	t.Helper()
	got, entities := masker.Text(in)
	again, entities2 := masker.Text(got)
	if again != got || len(entities) != len(entities2) {
		t.Fatalf("Text(%q)\n is %q\n then %q", in, got, again)
	}
	if utf8.ValidString(in) && !utf8.ValidString(got) {
		t.Fatalf("Text(%q) = %q is not valid UTF-8", in, got)
	}
	at := 0
	for _, e := range entities {
		if e.Start < at || e.End <= e.Start || e.End > len(got) || e.Type == "" || got[e.Start] != '[' || got[e.End-1] != ']' {
			t.Fatalf("entity %v of %q", e, got)
		}
		at = e.End
	}
	// Apart from placeholders, what is left stands in the text in the same order.
	rest := in
	at = 0
	piece := func(s string) {
		i := strings.Index(rest, s)
		if i < 0 {
			t.Fatalf("Text(%q) = %q: %q is not from the text", in, got, s)
		}
		rest = rest[i+len(s):]
	}
	for _, e := range entities {
		piece(got[at:e.Start])
		at = e.End
	}
	piece(got[at:])
}

func FuzzText(f *testing.F) {
	for _, s := range []string{
		"", "我叫张伟，电话138 1234 5678", "[电话x][x]13812345678x]", "幺三八三个零幺三八四个零", "浙江省杭州市余杭区文一西路969号3栋2单元501室张伟收", "a@qq、com微信：abc_123", "京A12345京A1234挂",
		"11010519491231002Xx", "SF1234567890123-1-1", "\xff\x00１３８", "6222 0212 3456 7890 128", "订单123456789012345678901234567890", "+86 010-63923300-12345转8", "姓名:姓名:[姓名x]先生", "𝟏𝟑𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { holds(t, in) })
}

func FuzzMessage(f *testing.F) {
	f.Add("我叫张伟，电话13812345678", `{"a":"13812345678"}`, "https://a.example/?token=1")
	f.Add("[电话x]", "[1,\"张伟13812345678\"]", "%zz@?#")
	f.Add("", `{"phone":{"x":[13812345678,1.5e3]}}`, "http://u:p@h/p?k=v#f")
	f.Fuzz(func(t *testing.T, text, value, link string) {
		for _, msg := range sample(text) {
			if s := msg.Session; s != nil {
				s.Attributes["v"], s.Attributes["nick"], s.MediaURL, s.CustomerID = value, value, link, value
			}
			masker.Message(msg)
			once := dump(msg)
			masker.Message(msg)
			if twice := dump(msg); twice != once {
				t.Fatalf("masked once\n%s\ntwice\n%s", once, twice)
			}
		}
		if once := masker.Raw([]byte(value)); masker.Raw([]byte(once)) != once {
			t.Fatalf("Raw(%q) = %q, then %q", value, once, masker.Raw([]byte(once)))
		}
	})
}

// TestAnyMix masks random mixes of the pieces that matter.
func TestAnyMix(t *testing.T) {
	pieces := strings.Split("138|1234|5678|13812345678|0571|88881234|+86|11010519491231002|X|6222021234567890128|京A|12345|@|qq|.com|、|，|。| |-|:|微信|QQ|我叫|张|张伟|先生|女士|收|姓名|收件人|地址|浙江省|杭州市|余杭区|文一西路|969号|3栋|2单元|501室|阳光小区|龙固镇|订单|订单号|单号|SF|[电话x]|[地址x]|[姓名x]|[数字x]|[|x]|]|幺|三|八|零|个|二|的|是|改成|元|\n|\u200b|１|Ａ|和|电话|身份证|卡号|村|路|街道|号|室", "|")
	r := rand.New(rand.NewPCG(1, 2))
	for range 60_000 {
		var b strings.Builder
		for range 1 + r.IntN(14) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		holds(t, b.String())
	}
}

// TestLinear: four times the text takes about four times as long, whatever it is made of; quadratic work would take
// sixteen times.
func TestLinear(t *testing.T) {
	best := func(text string) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 3 {
			start := time.Now()
			masker.Text(text)
			least = min(least, time.Since(start))
		}
		return least
	}
	for _, unit := range []string{"1", "1 ", "138-", "幺", "三个零", "张", "张伟", "浙江省", "路", "区路号", "a@", "微信", "[", "[电话x]", "我叫", "先生", "138123456781", "京A", "村，", "3栋", "收", "\u200b1", "qq"} {
		text := strings.Repeat(unit, 1<<17/len(unit))
		holds(t, text)
		var short, long time.Duration
		// What is quadratic is so every time; a busy machine is not.
		for range 8 {
			if short, long = best(strings.Repeat(unit, 1<<15/len(unit))), best(text); long <= 10*short {
				break
			}
		}
		if long > 10*short {
			t.Errorf("128 KiB of %q take %v, 32 KiB %v: more than linear", unit, long, short)
		}
	}
}

func TestMessageTwice(t *testing.T) {
	for _, text := range []string{"我叫张伟，电话13812345678", "寄到朝阳区建国路88号院2号楼1203，李雷收", ""} {
		for _, msg := range sample(text) {
			masker.Message(msg)
			once := dump(msg)
			masker.Message(msg)
			if dump(msg) != once {
				t.Errorf("masking a masked message changed it:\n%s\n%s", once, dump(msg))
			}
		}
	}
	var _ schemas.Message
}
