package textnorm

import "testing"

func TestLanguage(t *testing.T) {
	f := func(want, text string) {
		t.Helper()
		if got := Language(text); got != want {
			t.Errorf("Language(%q) = %q, want %q", text, got, want)
		}
	}
	f(Chinese, "面膜太贵了")
	f(Chinese, "iPhone 15 Pro Max 有货吗")
	f(English, "Where is my order?")
	f(English, "THANKS!!!")
	f(English, "ok")
	f(English, "ok [笑]")
	f("", "")
	f("", "   ")
	f("", "123 456")
	f("", "？？？")
	f("", "😀")
	f("", "[怒][电话x]")
	f("", "a 1 b")
	f("", "привет")
	f(Chinese, "[没有关上的括号 hello")
	f(English, "[never closed")
	f(English, "café is nice")
	f("", "\xff\xfe")
	if n := testing.AllocsPerRun(100, func() { Language("where is my order [笑]") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
