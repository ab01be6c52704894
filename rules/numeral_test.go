package rules

import "testing"

func TestNumerals(t *testing.T) {
	f := func(s string, want float64, size int) {
		t.Helper()
		if v, n := numeralAt(s); v != want || n != size {
			t.Errorf("%s: got %g of %d bytes, want %g of %d", s, v, n, want, size)
		}
	}
	f("300", 300, 3)
	f("1,299.50元", 1299.5, 8)
	f("1,29", 1, 1)
	f("3万", 30_000, 4)
	f("2.5千克", 2500, 6)
	f("三百", 300, 6)
	f("一百二", 120, 9)
	f("一百二十", 120, 12)
	f("一百零二块", 102, 12)
	f("两万三千五", 23_500, 15)
	f("三万五", 35_000, 9)
	f("十", 10, 3)
	f("十五天", 15, 6)
	f("二十", 20, 6)
	f("二零二六年", 2026, 12)
	f("三点五", 3.5, 9)
	f("三点", 3, 3)
	f("半", 0.5, 3)
	f("一亿两千万", 120_000_000, 15)
	f("贰佰", 200, 6)
	f("百货", 0, 0)
	f("千万别", 0, 0)
	f("好", 0, 0)
	f("", 0, 0)
	g := func(s string, want float64, ok bool) {
		t.Helper()
		if v, got := numberIn(s); v != want || got != ok {
			t.Errorf("%s: got %g %v, want %g %v", s, v, got, want, ok)
		}
	}
	g("￥299元", 299, true)
	g("一共三百块", 300, true) // 一 of 一共 must not win
	g("没有", 0, false)
}

func FuzzNumerals(f *testing.F) {
	for _, s := range []string{"一百二十三万零五", "1,299.5万", "亿万", "十十十", "点五", "零零零", "一千千千万亿"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, n := numeralAt(s); n < 0 || n > len(s) || v != v {
			t.Fatalf("%q: %g of %d bytes", s, v, n)
		}
		numberIn(s)
	})
}
