package textnorm

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/schemas"
)

func TestNormalise(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Normalise(in).Text; got != want {
			t.Errorf("Normalise(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("您好，請問有什麼可以幫您？", "您好,请问有什么可以帮您?")
	f("ＡＢＣ１２３！", "abc123!")
	f("iPhone 15 Pro", "iphone 15 pro")
	f("為什麼還不發貨！！！！！！", "为什么还不发货!!!")
	f("妳們後臺綫上麪包喫了", "你们后台线上面包吃了")
	f("！!！!！", "!!!")
	f("。。。。。。", "。。。")
	f("嗯……………好", "嗯………好")
	f("a\u200bb\u2060c\ufeffd", "abcd")
	f("一\x00二\x01三\xff四", "一二三四")
	f("a\tb  c\u3000\u3000d\u00a0e", "a b c d e")
	f("一\r\n\r\n二\r三", "一\n二\n三")
	f("①②⑩⑳⑴⒈Ⅷ", "121020(1)1.viii")
	f("⒈...", "1...")
	f("１３８ ００１３", "138 0013")
	f("²³𝟙𝐕Ⓥ🅥", "231vvv")
	f("1️⃣加", "1加")
	f("😂😂", "[笑][笑]")
	f("😭😢😿😭😭", "[哭][哭][哭]")
	f("👍🏻👍🏿", "[赞][赞]")
	f("❤️‍🔥", "[爱心]")
	f("🤦🏽‍♀️好", "[捂脸]好")
	f("👨‍👩‍👧‍👦", "[表情]")
	f("🇨🇳🇨🇳", "[表情][表情]")
	f("[怒][OK]/:wave [電話x]", "[怒][ok]/:wave [电话x]")
	f("［怒］", "[怒]")
	f("😂]]]]", "[笑]]]]]")
	f("138****1234", "138****1234")
	f("￥199～299", "¥199~299")
	f("ÀÉ", "àé")
	f("★☆✓", "★☆✓")
	f("…\u200b…………", "………")
	f("，,，,", ",,,")
	f("~~~~~", "~~~")
	f("好的亲😊～～～～", "好的亲[开心]~~~")
}

func TestOffsets(t *testing.T) {
	f := func(in, part, want string) {
		t.Helper()
		n := Normalise(in)
		i := strings.Index(n.Text, part)
		if i < 0 {
			t.Fatalf("%q is not in %q", part, n.Text)
		}
		if got := in[n.Orig(i):n.Orig(i+len(part))]; got != want {
			t.Errorf("%q of %q comes from %q, want %q", part, in, got, want)
		}
	}
	f("為什麼😂貴", "[笑]", "😂")
	f("為什麼😂貴", "为什么", "為什麼")
	f("為什麼😂貴", "贵", "貴")
	f("ＡＢ１２", "b1", "Ｂ１")
	f("共⑳件", "20", "⑳")
	f("共⑳件", "件", "件")
	f("好!!!!!!吧", "吧", "吧")
	f("您好，在", ",", "，")
	if n := Normalise("您好，在"); n.Offsets == nil {
		t.Error("a changed text needs offsets")
	}
	if n := Normalise("您好。在 abc"); n.Offsets != nil {
		t.Error("an unchanged text needs no offsets")
	}
}

// TestEveryCharacter: each single character folds to something that folds to itself, and simplified characters that
// no table entry names stay.
func TestEveryCharacter(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		once := Normalise(string(r)).Text
		if twice := Normalise(once).Text; twice != once {
			t.Fatalf("U+%04X becomes %q, then %q", r, once, twice)
		}
		if c := Clean(string(r)); r != 0 && c != string(r) {
			t.Fatalf("Clean changes U+%04X", r)
		}
	}
	if n := utf8.RuneCountInString(variantPairs); n%2 != 0 || n < 5000 {
		t.Errorf("variantPairs holds %d characters", n)
	}
}

func TestClean(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("好的", "好的")
	f("\x00", "")
	f("好\x00的\xff\xfe吧\xe4\xb8", "好的吧")
	f("\uFFFD", "\uFFFD")
	f("\xed\xa0\x80x", "x")
}

func TestNumeral(t *testing.T) {
	f := func(in string, want float64) {
		t.Helper()
		if got, ok := Numeral(in); !ok || got != want {
			t.Errorf("Numeral(%q) = %v, %v, want %v", in, got, ok, want)
		}
	}
	f("0", 0)
	f("12", 12)
	f("１２", 12)
	f("3.5", 3.5)
	f("1,200", 1200)
	f("1,234,567.5", 1234567.5)
	f("零", 0)
	f("十", 10)
	f("十五", 15)
	f("二十", 20)
	f("一百二十三", 123)
	f("两百", 200)
	f("壹佰", 100)
	f("壹仟贰佰叁拾肆", 1234)
	f("一百零五", 105)
	f("一百二", 120)
	f("两千五", 2500)
	f("一万二", 12000)
	f("一万零二", 10002)
	f("三千零一十", 3010)
	f("十万", 100000)
	f("一百二十万", 1200000)
	f("3万", 30000)
	f("3万5", 35000)
	f("1.5万", 15000)
	f("1.5亿", 150000000)
	f("三亿五千万", 350000000)
	f("二〇二六", 2026)
	f("幺三八", 138)
	f("三点五", 3.5)
	f("三点一四", 3.14)
	f("一点五万", 15000)
	f("2w", 20000)
	f("3k", 3000)
	f("兩萬", 20000)

	bad := func(in string) {
		t.Helper()
		if got, ok := Numeral(in); ok {
			t.Errorf("Numeral(%q) = %v, want none", in, got)
		}
	}
	bad("")
	bad("万")
	bad("百")
	bad("好")
	bad("一百元")
	bad("1.2.3")
	bad("1,20")
	bad(",200")
	bad("点五")
	bad("三点")
	bad("一百二三")
	bad("3 5")
	bad(strings.Repeat("一", 100))
}

func check(t *testing.T, in string) {
	t.Helper()
	n := Normalise(in)
	if !utf8.ValidString(n.Text) {
		t.Fatalf("Normalise(%q) is not valid UTF-8", in)
	}
	if again := Normalise(n.Text); again.Text != n.Text || again.Offsets != nil {
		t.Fatalf("Normalise(%q) = %q, again %q", in, n.Text, again.Text)
	}
	checkOffsets(t, in, n)
	if c := Clean(in); !utf8.ValidString(c) || strings.Contains(c, "\x00") || Clean(c) != c || IsClean(in) != (c == in) {
		t.Fatalf("Clean(%q) = %q", in, c)
	}
}

func checkOffsets(t *testing.T, in string, n schemas.NormText) {
	t.Helper()
	if n.Offsets == nil {
		if n.Text != in {
			t.Fatalf("%q became %q without offsets", in, n.Text)
		}
		return
	}
	if n.Text == in {
		t.Fatalf("%q did not change but has offsets", in)
	}
	if len(n.Offsets) != len(n.Text)+1 || int(n.Offsets[len(n.Text)]) != len(in) {
		t.Fatalf("%d offsets for %d bytes, the last is %d of %d", len(n.Offsets), len(n.Text), n.Offsets[len(n.Offsets)-1], len(in))
	}
	for i, o := range n.Offsets {
		if i > 0 && o < n.Offsets[i-1] {
			t.Fatalf("offsets of %q fall at byte %d", in, i)
		}
		if int(o) < len(in) && !utf8.RuneStart(in[o]) && utf8.ValidString(in) {
			t.Fatalf("offset %d of %q is inside a character", i, in)
		}
	}
	for i := range n.Text {
		if _, size := utf8.DecodeRuneInString(n.Text[i:]); n.Offsets[i] != n.Offsets[i+size-1] {
			t.Fatalf("the bytes of one character of %q come from different places", n.Text)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"", "為什麼😂貴！！！！", "a\x00\xff好", "⒈....", "🇨🇳🇨", "👨‍👩‍👧‍👦", "1️⃣[[[[", "\r\n\r\r\n", "㎡㎡…\u200b…", "😂]]]]", "~～~～"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { check(t, in) })
}

func TestNoAllocation(t *testing.T) {
	plain := strings.Repeat("您好。请问这个什么时候发货 已经三天了, abc 123\n", 20)
	if n := testing.AllocsPerRun(100, func() { _ = Normalise(plain) }); n != 0 {
		t.Errorf("a normal text costs %v allocations, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = Clean(plain) }); n != 0 {
		t.Errorf("cleaning a clean text costs %v allocations, want 0", n)
	}
	mixed := "您好，這個什麼時候發貨？已經三天了！！！"
	if n := testing.AllocsPerRun(100, func() { _ = Normalise(mixed) }); n > 3 {
		t.Errorf("a changed text costs %v allocations, want at most 3", n)
	}
}

// TestLinear: eight times the text takes about eight times as long, and 1 MB of the worst kind well under a second.
func TestLinear(t *testing.T) {
	for _, unit := range []string{"為，Ａ", "😂", "!", "\xff", "\u200d", "👨‍", "⒈", "\r\n"} {
		big := strings.Repeat(unit, 1<<20/len(unit))
		start := time.Now()
		check(t, big)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("1 MB of %q takes %v", unit, d)
		}
	}
}

func BenchmarkNormalise(b *testing.B) {
	run := func(name, s string) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				_ = Normalise(s)
			}
		})
	}
	run("plain", "您好。请问这个什么时候发货 已经三天了")
	run("punctuation", "您好，请问这个什么时候发货？已经三天了！")
	run("traditional", "您好，請問這個什麼時候發貨？已經三天了！😂")
}
