package rules

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// bigramEncoder is a real, small encoder: the counts of hashed characters and pairs of characters.
type bigramEncoder struct{ dim int }

func (b bigramEncoder) Dim() int        { return b.dim }
func (b bigramEncoder) Version() string { return "bigrams" }
func (b bigramEncoder) Encode(dst []float32, text string) []float32 {
	from := len(dst)
	dst = append(dst, make([]float32, b.dim)...)
	v := dst[from:]
	prev := ""
	for _, r := range text {
		if !content(r) {
			prev = ""
			continue
		}
		for _, g := range []string{string(r), prev + string(r)} {
			h := fnv.New32a()
			h.Write([]byte(g))
			sign := float32(1)
			if h.Sum32()&1 == 1 {
				sign = -1
			}
			v[h.Sum32()>>1%uint32(b.dim)] += sign
		}
		prev = string(r)
	}
	if n := float32(math.Sqrt(float64(dot(v, v)))); n > 0 {
		for i := range v {
			v[i] /= n
		}
	}
	return dst
}

func loadEncoded(t testing.TB, yaml string) *Set {
	t.Helper()
	s, err := LoadWith(Options{Encoder: bigramEncoder{256}}, Text("p.yaml", []byte(yaml)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSimilar(t *testing.T) {
	f := func(body, want string, lines ...string) {
		t.Helper()
		if got := evaluate(t, loadEncoded(t, oneRule("    "+body+"\n")), chat(lines...)).Outcomes["r"]; got != want {
			t.Errorf("%s over %q: got %s, want %s", body, lines, got, want)
		}
	}
	f("forbid: {similar: [怎么退货啊]}", "present", "客户: 怎么退货呀")
	f("forbid: {similar: [怎么退货啊]}", "absent", "客户: 什么时候发货")
	f("forbid: {similar: {to: [怎么退货啊], min: 0.95}}", "absent", "客户: 怎么退货呀")
	f("forbid: {in: {role: agent}, similar: [怎么退货]}", "absent", "客户: 怎么退货")
	f("forbid: {similar: [怎么退货]}", "absent", "客户: 你好在吗我想问问，怎么退货")
	f("forbid: {similar: {to: [怎么退货], of: clause}}", "present", "客户: 你好在吗我想问问，怎么退货")
	f("forbid: {in_clause: true, all: [{similar: [怎么退货]}, {keyword: [退货]}]}", "present", "客户: 你好在吗我想问问，怎么退货")
	f("trigger: {in: {role: customer}, keyword: [退货]}\n    expect: {in: {role: agent, after: 1}, similar: [在订单里点申请售后]}", "pass", "客户: 怎么退货", "客服: 在订单里点申请售后哦")
	f("forbid: {reply_to: {anchor: {in: {role: customer}, keyword: [退货]}, within: 1, expect: {similar: [在订单里点申请售后]}}}", "absent", "客户: 怎么退货", "客服: 在订单里点申请售后哦")
	f("forbid: {in: {role: customer}, keyword: [退货], unless: {in: {role: agent, after: 1}, similar: [在订单里点申请售后]}}", "absent", "客户: 怎么退货", "客服: 在订单里点申请售后哦")
	f("forbid: {similar: [怎么退货]}", "absent", "客户: ")
}

func TestSimilarNeedsAnEncoder(t *testing.T) {
	got := evaluate(t, mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {similar: [怎么退货]}\n")))), chat("客户: 你好"))
	if got.Outcomes["r"] != schemas.NA || len(got.Notes) != 1 || got.Notes[0].Why != whyNoEncoder {
		t.Errorf("%v %v", got.Outcomes, got.Notes)
	}
	if _, err := LoadWith(Options{Encoder: bigramEncoder{64}}, Text("p.yaml", []byte(oneRule("    forbid: {similar: ['?!']}\n")))); err == nil || !strings.Contains(err.Error(), "knows nothing") {
		t.Errorf("a sentence without a vector: %v", err)
	}
}

// TestSketchesRuleOutNothingThatHolds compares the short way with the whole product, over sentences of real sessions.
func TestSketchesRuleOutNothingThatHolds(t *testing.T) {
	ts, fs := realSessions(t)
	enc := bigramEncoder{256}
	x := newExemplars(enc)
	var queries []string
	for i := range ts {
		for k := range fs[i].Turns {
			text := fs[i].Turns[k].Norm.Text
			switch {
			case contentChars(text) < 4:
			case len(x.texts) < 600 && k%3 == 0:
				if _, ok := x.add(text, 0.5+float32(len(x.texts)%5)/10, 0); !ok {
					t.Fatalf("no vector for %q", text)
				}
			case len(queries) < 1500:
				queries = append(queries, text)
			}
		}
	}
	x.finish()
	if x.basis == nil || len(queries) < 1000 {
		t.Fatalf("%d sentences, %d queries", len(x.texts), len(queries))
	}
	found := 0
	for _, q := range queries {
		v := enc.Encode(nil, q)
		got := map[int32]float32{}
		x.like(v, func(k int32, s float32) { got[k] = s })
		for k := range int32(len(x.texts)) {
			s := dot(v, x.row(k))
			if _, ok := got[k]; ok != (s >= x.floor[k]) {
				t.Fatalf("%q and %q: similarity %g, least %g, found %v", q, x.texts[k], s, x.floor[k], ok)
			}
		}
		found += len(got)
	}
	if found < 50 {
		t.Errorf("only %d similar pairs: the comparison proves little", found)
	}
}

func TestPinyin(t *testing.T) {
	f := func(pinyin, text, want string) {
		t.Helper()
		s := mustLoad(t, Text("p.yaml", []byte(oneRule("    forbid: {pinyin: "+pinyin+"}\n"))))
		got := ""
		if x := evaluate(t, s, chat("客服: "+text)); len(x.Hits) > 0 {
			ev := x.Hits[0].Evidence[0]
			got = text[ev.Start:ev.End]
		}
		if got != want {
			t.Errorf("%s over %s: found %q, want %q", pinyin, text, got, want)
		}
	}
	f("[加微信]", "您加微信吧", "加微信")
	f("[加微信]", "您加薇信吧", "加薇信")
	f("[加微信]", "您佳维信吧", "佳维信")
	f("[加微信]", "您加vx吧", "加vx")
	f("[加微信]", "您+vx吧", "+vx")
	f("[加微信]", "您加weixin吧", "加weixin")
	f("[加微信]", "您加 微.信 吧", "加 微.信")
	f("[加微]", "您可以加V哦", "加V")
	f("[加微信]", "您加一下信息", "")
	f("[加微信]", "加为，信", "")
	f("[加微信]", "不要加薇信", "")
	f("{any: [加微信], negation: off}", "不要加薇信", "加薇信")
	f("{any: [加微信], as_written: no}", "您加微信吧", "")
	f("{any: [加微信], as_written: no}", "您加威信吧", "加威信")
	f("{any: [微信], except: [威信]}", "很有威信", "")
	f("[微信]", "放卫星", "卫星") // xing is confused with xin: one confusion costs 0.5
	f("{any: [微信], distance: 0}", "放卫星", "")
	f("{any: [微信], penalty: 0.7}", "放卫星", "")
	f("[身份证]", "请报一下身粉正", "身粉正") // zheng
	f("[身份证]", "请报一下生粉政", "生粉政")
	f("{any: [身份证号码], distance: 1}", "请报一下身份真好妈", "身份真好妈")
	f("{any: [身份证号码], distance: 1}", "请报一下身份证卡号", "")
	f("{any: [人工客服], distance: 1}", "转人工克扶", "人工克扶")
	f("{any: [人工客服], distance: 1}", "转人工坐席", "")
	f("[四川]", "我在事创", "")
	f("[四川]", "我在市穿", "市穿")
	f("[银行]", "去银航", "银航")
	f("[银行]", "去银行", "银行")
	f("[扣扣]", "加我qq", "qq")
	f("[微信]", "请问为什么", "") // a rare reading of 信 is shen
	f("[加微]", "大家\"为\"什么", "")
	f("[荷兰]", "发南", "") // two confusions cost 1
	e := func(pinyin, want string) {
		t.Helper()
		_, err := Load(Text("p.yaml", []byte(oneRule("    forbid: {pinyin: "+pinyin+"}\n"))))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pinyin, err, want)
		}
	}
	e("[微]", "one syllable")
	e("[微2]", "without a sound")
	e("{any: [微信], distance: 1}", "too short for distance 1")
	e("{distance: 1}", "pinyin needs any")
}

func TestExplainedValues(t *testing.T) {
	s := loadEncoded(t, head+"  - {id: a, name: a, severity: info, reason: x, forbid: {pinyin: [加微信]}}\n  - {id: b, name: b, severity: info, reason: x, forbid: {similar: [怎么退货]}}\n")
	tr := chat("客户: 怎么退货呢", "客服: 您加薇星吧")
	e := pool.New().(*evaluation)
	e.start(s, tr, Literal{}.Features(tr))
	e.scan()
	e.explaining = true
	for k, want := range []string{"「加薇星」 like 加微信, distance 0.5", "similarity 0.91 to 「怎么退货」"} {
		if r := s.rules[k].forbid.eval(e, e.role(maskAny), nil); r.truth != yes || r.value != want {
			t.Errorf("value %q, want %q", r.value, want)
		}
	}
}

// BenchmarkSimilar shows what comparing meanings costs as its sentences grow; BenchmarkPinyin the same of sounds.
func BenchmarkSimilar(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			var y strings.Builder
			y.WriteString("id: p\nversion: \"1\"\nreport: found\nrules:\n")
			sentences := distinctSentences(b, n*5)
			for i := range n {
				fmt.Fprintf(&y, "  - {id: r%d, name: x, severity: info, reason: x, trigger: {in: {role: customer}, similar: ['%s']}}\n", i, strings.Join(sentences[i*5:i*5+5], "', '"))
			}
			benchmarkSet(b, loadEncoded(b, y.String()))
		})
	}
}

func BenchmarkPinyin(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			var y strings.Builder
			y.WriteString("id: p\nversion: \"1\"\nreport: found\nrules:\n")
			for i := range n {
				w := genThings[i%len(genThings)] + genActs[i/len(genThings)%len(genActs)]
				fmt.Fprintf(&y, "  - {id: r%d, name: x, severity: info, reason: x, trigger: {in: {role: customer}, pinyin: [%s]}}\n", i, w)
			}
			benchmarkSet(b, mustLoad(b, Text("p.yaml", []byte(y.String()))))
		})
	}
}

// distinctSentences takes customers' sentences from the real sessions.
func distinctSentences(b *testing.B, n int) []string {
	b.Helper()
	ts, fs := realSessions(b)
	seen := map[string]bool{}
	var out []string
	for i := range ts {
		for k := range fs[i].Turns {
			text := fs[i].Turns[k].Norm.Text
			if ts[i].Turns[k].Role != schemas.Customer || seen[text] || contentChars(text) < 4 || len([]rune(text)) > maxWordChars-4 || strings.ContainsAny(text, "'<>\\\n") {
				continue
			}
			seen[text] = true
			if out = append(out, text); len(out) == n {
				return out
			}
		}
	}
	for i := 0; len(out) < n; i++ {
		out = append(out, out[i]+genActs[i%len(genActs)])
	}
	return out
}
