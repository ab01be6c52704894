package cue

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const sample = `
[good]
好 好吃*2 不错
[shield]
好像 好的
[neg]
不
[why]
为什么
[bad 1.5; strong]
差
[english]
ok not_bad
=> urgent 2 : why ..6 "还没" ..4 "发货"
=> end 1 : good $
=> start 1 : ^ good
=> over 1 : good ; ..5 bad
=> lonely 1 : good !bad
=> maybe 1 : why good? bad
@agent => side 1 : good
`

func compileSample(t testing.TB) *Lexicon {
	l, err := Compile(strings.ToLower, Source{"sample", sample})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// found lists the entries found with their first tag, and the constructions.
func found(l *Lexicon, text string) string {
	var r Reading
	l.Read(text, &r)
	var out []string
	for i := range r.Marks {
		m := &r.Marks[i]
		s := text[m.Start:m.End]
		if r.TagsOf(m) > 0 {
			t, _ := r.TagAt(m, 0)
			s += "/" + l.TagName(t)
		}
		out = append(out, s)
	}
	for _, f := range r.Fired {
		t, _, role := l.Out(f.Construction)
		s := "=>" + l.TagName(t)
		if role == OnlyAgent {
			s = "@agent" + s
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestRead(t *testing.T) {
	l := compileSample(t)
	f := func(text, want string) {
		t.Helper()
		if got := found(l, text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("", "")
	f("好像没人", "好像/shield")
	f("好吃", "好吃/good =>end =>start =>lonely @agent=>side")
	f("真好,但是差", `好/good 差/bad =>end =>over @agent=>side`)
	f("为什么今天还没给我发货", `为什么/why 还没/"还没" 发货/"发货" =>urgent`)
	f("为什么这个东西到了今天还没发货", `为什么/why 还没/"还没" 发货/"发货"`)
	f("为什么,还没发货", `为什么/why 还没/"还没" 发货/"发货"`)
	f("为什么好差", "为什么/why 好/good 差/bad =>maybe =>end =>over @agent=>side")
	f("为什么差", "为什么/why 差/bad =>maybe")
	f("look ok", "ok/english")
	f("booking", "")
	f("not bad", "not bad/english")
	f("@好的公司 差", "差/bad")
	f("a@b", "")
	f("见 http://x.cn/ok?a=ok 差", "差/bad")
	f("?!", "")
}

func TestClauses(t *testing.T) {
	l := compileSample(t)
	f := func(text string, want string) {
		t.Helper()
		var r Reading
		l.Read(text, &r)
		var out []string
		for _, c := range r.Clauses {
			s := text[c.Start:c.End]
			if c.Stop != 0 {
				s += string(c.Stop)
			}
			out = append(out, s)
		}
		if got := strings.Join(out, "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("", "")
	f("一,二。三", "一,|二.|三")
	f("好的 谢谢", "好的 |谢谢")
	f("ios 17 更新", "ios 17 |更新")
	f("3.5元,1,000块", "3.5元,|1,000块")
	f("怎么?!。还不来", "怎么!|还不来")
	f("??", "??")
	f("。好", "好")
	f("a、b", "a、b")
}

func TestCompileErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := Compile(strings.ToLower, Source{"f", text})
		if err == nil {
			t.Errorf("%q: no error", text)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %q does not say %q", text, err, w)
			}
		}
	}
	f("好", "f:1", "before the first")
	f("[a\n好", "f:1")
	f("[a x]\n好", "f:1", "no weight")
	f("[a 1 2]\n好", "f:1")
	f("[a]\n好*y\n[b]\n=> c 1 : d", "f:2", `tag "d"`)
	f("[a]\n好\n=> c 1 a", "f:3", "=> tag weight")
	f("[a]\n好\n=> c x : a", "f:3", "no weight")
	f("[a]\n好\n=> c 1 : a ..z a", "f:3", "gap")
	f(`[a]`+"\n好\n"+`=> c 1 : "好`, "f:3", "quotation")
	f("[a]\n好\n=> c 1 : $ a", "f:3")
	f("[a]\n好\n=> c 1 : a ..4", "f:3", "nothing follows")
	f("[a]\n好\n=> c 1 : a? a", "f:3", "not optional")
	f("[a]\n好\n@boss => c 1 : a", "f:3", "@boss")
	f("[a]\n好\n=> c 1 : a||b", "f:3", "empty alternative")
	f("[a]\n"+strings.Repeat("好", 60), "f:2", "longer")
}

func TestTagPanicsOnUnknown(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	compileSample(t).Tag("none")
}

func TestCommonCompiles(t *testing.T) {
	l, err := Compile(strings.ToLower, Common())
	if err != nil {
		t.Fatal(err)
	}
	if l.Entries() < 1000 {
		t.Errorf("only %d entries", l.Entries())
	}
}

func FuzzRead(f *testing.F) {
	l := compileSample(f)
	for _, s := range []string{"", "好吃,差", "为什么还没发货?!", "@a好 差", "http://好", "\xff好\xf0\x9f", "[数字x]3.5,6 a b", "???"} {
		f.Add(s)
	}
	var r Reading
	f.Fuzz(func(t *testing.T, text string) {
		l.Read(text, &r)
		at := int32(0)
		for _, c := range r.Clauses {
			if c.Start < at || c.End < c.Start || int(c.End) > len(text) {
				t.Fatalf("clause %v of %q", c, text)
			}
			at = c.End
		}
		last := int32(-1)
		for _, m := range r.Marks {
			if m.Start < last || m.End <= m.Start || int(m.End) > len(text) || int(m.Clause) >= len(r.Clauses) || m.Last <= m.First {
				t.Fatalf("mark %v of %q", m, text)
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[m.Start:m.End]) {
				t.Fatalf("mark %v cuts a character of %q", m, text)
			}
			last = m.Start
		}
		if utf8.ValidString(text) && r.Runes != utf8.RuneCountInString(text) {
			t.Fatalf("%d characters of %q", r.Runes, text)
		}
	})
}
