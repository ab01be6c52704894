package encoder

import (
	"math"
	"strings"
	"sync"
	"testing"
)

func builtin(t testing.TB) *Encoder {
	e, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEncode(t *testing.T) {
	e := builtin(t)
	f := func(text string, length float64) {
		t.Helper()
		v := e.Encode([]float32{7}, text)
		if len(v) != e.Dim()+1 || v[0] != 7 {
			t.Fatalf("Encode(%q) gives %d elements after %v, want %d after 7", text, len(v)-1, v[0], e.Dim())
		}
		if got := math.Sqrt(Cosine2(v[1:])); math.Abs(got-length) > 1e-5 {
			t.Errorf("Encode(%q) has length %v, want %v", text, got, length)
		}
	}
	f("", 0)
	f("   \n", 0)
	f("\xff\xfe", 0)
	f("为什么面膜B贵", 1)
	f("我", 1)
	f("where is my card?", 1)
	f(strings.Repeat("快递怎么还没到", 10_000), 1)
}

// Cosine2 is the squared length, which Cosine bounds at 1.
func Cosine2(v []float32) (s float64) {
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return s
}

func TestEncodeMeaning(t *testing.T) {
	e := builtin(t)
	f := func(a, same, other string) {
		t.Helper()
		va, vs, vo := e.Encode(nil, a), e.Encode(nil, same), e.Encode(nil, other)
		if s, o := Cosine(va, vs), Cosine(va, vo); s <= o {
			t.Errorf("%q: %.3f with %q, %.3f with %q", a, s, same, o, other)
		}
	}
	f("为什么面膜B比面膜A贵了一百多块钱？", "面膜B这么贵，它贵在哪里？", "面膜B什么时候发货")
	f("怎么还不发货", "什么时候能给我发货", "怎么退货")
	f("我要找人工客服", "帮我转人工", "我要退款")
	f("运费谁出", "邮费由谁承担", "什么时候到货")
}

// Full width, traditional characters and case say the same.
func TestEncodeNormalises(t *testing.T) {
	e := builtin(t)
	a, b := e.Encode(nil, "面膜B贵嗎？ＯＫ"), e.Encode(nil, "面膜b贵吗?ok")
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("element %d is %v and %v", i, a[i], b[i])
		}
	}
}

func TestEncodeConcurrent(t *testing.T) {
	e := builtin(t)
	texts := []string{"怎么还不发货", "我要退款", "", "面膜b为什么贵", strings.Repeat("好", 1000)}
	var want [][]float32
	for _, s := range texts {
		want = append(want, e.Encode(nil, s))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var v []float32
			for i := range 500 {
				k := i % len(texts)
				v = e.Encode(v[:0], texts[k])
				for j := range v {
					if v[j] != want[k][j] {
						t.Errorf("%q: element %d differs", texts[k], j)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestAllocations(t *testing.T) {
	e := builtin(t)
	v := make([]float32, 0, e.Dim())
	for _, s := range short {
		if n := testing.AllocsPerRun(100, func() { v = e.Encode(v[:0], s) }); n > 0 {
			t.Errorf("%q: %v allocations", s, n)
		}
	}
}

// short are texts of the length that customers write; the mean of the shops' chats is 13 characters.
var short = []string{
	"为什么面膜b比面膜a贵了一百多块钱?", "怎么还不发货", "我要退款,什么时候能到账", "这个有没有大一码的", "快递三天了还没有到",
	"你好,在吗", "能不能便宜一点啊", "地址写错了,帮我改一下", "买一送一的赠品怎么没有收到", "质量太差了,用了两次就坏了",
}

func BenchmarkEncode(b *testing.B) {
	e := builtin(b)
	v := make([]float32, 0, e.Dim())
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		v = e.Encode(v[:0], short[i%len(short)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}
