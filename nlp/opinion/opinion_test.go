package opinion

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/segment"
)

// model is the one in use.
var model = sync.OnceValue(func() *Model {
	seg, err := segment.New(segment.Options{})
	if err != nil {
		panic(err)
	}
	e, err := encoder.Default()
	if err != nil {
		panic(err)
	}
	return NewModel(e, seg)
})

// corpus makes invented mentions: things, points and ways to say them, so that there is something to group.
func corpus(n int, gated bool) []Mention {
	things := strings.Fields("面膜A 面膜B 口红 洗衣机 取暖器 破壁机 电饭煲 流量套餐 衬衫 连衣裙 坚果礼盒 咖啡机")
	points := strings.Fields("太贵 漏水 噪音大 掉色 不加热 味道刺鼻 包装破损 发货慢 尺码偏小 保质期短 充不进电 按键失灵")
	ways := []string{"%s%s", "你们的%s%s", "%s怎么这么%s", "为什么%s%s", "%s用了两天就%s了", "买的%s%s，怎么办", "%s%s能退吗"}
	aspects := strings.Fields("price quality quality quality function quality packaging logistics spec spec function function")
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]Mention, n)
	for i := range out {
		t, p := things[r.IntN(len(things))], r.IntN(len(points))
		out[i] = Mention{Text: fmt.Sprintf(ways[r.IntN(len(ways))], t, points[p])}
		if gated {
			out[i].Product, out[i].Aspect, out[i].Polarity, out[i].Kind = t, aspects[p], "negative", "complaint"
		}
	}
	return out
}

func shuffled(list []Mention, seed uint64) []Mention {
	out := append([]Mention(nil), list...)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// opinionsOf drops what refers to the places of the mentions.
func opinionsOf(groups []Group) []Opinion {
	out := make([]Opinion, len(groups))
	for i := range groups {
		out[i] = groups[i].Opinion
	}
	return out
}

func TestNormalise(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Normalise(in); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", in, got, want)
		}
		if got := Normalise(want); got != want {
			t.Errorf("Normalise is not idempotent: %q gives %q", want, got)
		}
	}
	f("為什麼這麼貴？？", "为什么这么贵")
	f(" 面膜Ｂ，贵 吗 ", "面膜b贵吗")
	f("要1.5米的，不要1。", "要1.5米的不要1")
	f("iPhone 15 能用吗", "iphone 15能用吗")
	f("？？？", "???")
	f("", "")
	f("太贵了[怒]", "太贵了[怒]")
}

func TestSeedCase(t *testing.T) {
	f := func(mentions ...Mention) {
		t.Helper()
		groups := model().Found(mentions, Options{})
		if len(groups) != 1 || groups[0].Title != "为什么面膜B贵" {
			t.Errorf("got %+v, want one opinion titled 为什么面膜B贵", groups)
		}
	}
	a, b := "为什么面膜B比面膜A贵了一百多块钱？", "面膜B这么贵，它贵在哪里？"
	f(Mention{Text: a}, Mention{Text: b})
	f(Mention{Text: a, Aspect: "price", Product: "面膜B", Polarity: "neutral", Kind: "question"},
		Mention{Text: b, Aspect: "price", Product: "面膜B", Polarity: "negative", Kind: "complaint"})
}

// What differs in product, aspect family or polarity side is never one opinion, whatever it says.
func TestGates(t *testing.T) {
	base := Mention{Text: "面膜太贵了", Aspect: "price", Product: "面膜B", Polarity: "negative"}
	f := func(change func(*Mention), want int) {
		t.Helper()
		other := base
		change(&other)
		if got := model().Found([]Mention{base, other}, Options{}); len(got) != want {
			t.Errorf("%+v and %+v are %d opinions, want %d", base, other, len(got), want)
		}
		s := NewSnapshot(model(), 1, opinionsOf(model().Found([]Mention{base}, Options{})), Options{})
		if id, _ := s.Assign(other); (id != "") != (want == 1) {
			t.Errorf("%+v is assigned to %q beside %+v", other, id, base)
		}
	}
	f(func(m *Mention) { m.Product = "面膜A" }, 2)
	f(func(m *Mention) { m.Aspect = "logistics" }, 2)
	f(func(m *Mention) { m.Polarity = "positive" }, 2)
	f(func(m *Mention) { m.Polarity = "neutral" }, 1)
	f(func(m *Mention) { m.Aspect = "account" }, 1)
}

func TestID(t *testing.T) {
	// Fixed for good: ids are stored.
	if got := ID("price", "面膜B", "negative", "面膜b贵"); got != "c6398543a01cd6c9" {
		t.Errorf("ID = %s", got)
	}
	if ID("a", "b", "", "") == ID("ab", "", "", "") {
		t.Error("parts run into each other")
	}
}

// The same set gives the same opinions in any order, with any number of workers, and again; also where neighbours come
// from the index.
func TestSetDecides(t *testing.T) {
	for _, gated := range []bool{false, true} {
		for _, full := range []int{3000, 50} {
			old := fullCompare
			fullCompare = full
			mentions := corpus(900, gated)
			want := opinionsOf(model().Found(mentions, Options{Workers: 1}))
			for seed, workers := range []int{1, 2, 8, 8} {
				got := opinionsOf(model().Found(shuffled(mentions, uint64(seed+1)), Options{Workers: workers}))
				if !reflect.DeepEqual(got, want) {
					t.Errorf("gated %v, index beyond %d, %d workers: another order gives other opinions", gated, full, workers)
				}
			}
			// Every mention is said twice: a set knows no repetition. Aspect and kind are those said most, which stay.
			if got := opinionsOf(model().Found(append(shuffled(mentions, 9), mentions...), Options{Workers: 2})); !reflect.DeepEqual(got, want) {
				t.Errorf("gated %v: repetition gives other opinions", gated)
			}
			fullCompare = old
		}
	}
}

func TestFoundCoversAll(t *testing.T) {
	mentions := corpus(500, true)
	seen := make([]int, len(mentions))
	ids := map[string]bool{}
	for _, g := range model().Found(mentions, Options{}) {
		if ids[g.ID] {
			t.Errorf("id %s twice", g.ID)
		}
		ids[g.ID] = true
		if len(g.Scores) != len(g.Mentions) {
			t.Fatalf("%d scores of %d mentions", len(g.Scores), len(g.Mentions))
		}
		for _, i := range g.Mentions {
			seen[i]++
			if mentions[i].Product != g.Product {
				t.Errorf("mention of %s in an opinion on %s", mentions[i].Product, g.Product)
			}
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("mention %d is in %d opinions", i, n)
		}
	}
	if got := model().Found(nil, Options{}); len(got) != 0 {
		t.Errorf("nothing gives %v", got)
	}
}

// What only asks or is polite is no opinion of its own and joins none; as a bare text it stays a text like any other.
func TestHasPoint(t *testing.T) {
	f := func(want bool, texts ...string) {
		t.Helper()
		for _, x := range texts {
			if HasPoint(x) != want {
				t.Errorf("HasPoint(%q) = %v", x, !want)
			}
		}
	}
	f(false, "我想问一下啊", "可以了吗", "在吗", "你好", "怎么回事啊", "为什么呀", "好的谢谢", "？？", "")
	f(true, "太贵了", "多少钱", "退货", "面膜太硬", "没收到", "坏了", "怎么还没到", "W", "x8能用吗")
	mentions := []Mention{{Text: "我想问一下啊", Aspect: "service"}, {Text: "我想问一下", Aspect: "service"}, {Text: "我想问一下", Aspect: ""}}
	if got := model().Found(mentions, Options{}); len(got) != 1 || len(got[0].Mentions) != 1 || got[0].Mentions[0] != 2 {
		t.Errorf("got %+v, want the bare text alone", got)
	}
	r, assigned := model().Grow(&Registry{}, mentions, Options{})
	if assigned[0].ID != "" || assigned[2].ID == "" {
		t.Errorf("assigned %+v", assigned)
	}
	if _, again := model().Grow(r, mentions, Options{}); !reflect.DeepEqual(ids(again), ids(assigned)) {
		t.Errorf("growing by the same gives %+v after %+v", again, assigned)
	}
}

func ids(list []Assigned) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

// A mention that stands alone joins the opinion it is nearest to within its gate.
func TestAdopt(t *testing.T) {
	f := func(fourth string, want int) {
		t.Helper()
		var list []Mention
		for _, x := range []string{"物流信息一直不更新", "物流信息不更新了", "物流信息没更新", fourth} {
			list = append(list, Mention{Text: x, Aspect: "logistics", Polarity: "negative"})
		}
		if got := model().Found(list, Options{}); len(got) != want {
			t.Errorf("%q: %d opinions, want %d: %+v", fourth, len(got), want, got)
		}
	}
	f("我的快递一直显示在路上没有更新", 1)
	f("什么时候发货", 2)
}

// A registry that grows keeps ids, titles and members; growing by what it knows changes nothing.
func TestGrow(t *testing.T) {
	t.Run("gated", func(t *testing.T) { testGrow(t, true) })
	t.Run("bare", func(t *testing.T) { testGrow(t, false) })
}

func testGrow(t *testing.T, gated bool) {
	mentions := shuffled(corpus(1000, gated), 3)
	first, before := model().Grow(&Registry{}, mentions[:800], Options{})
	if first.Epoch != 1 {
		t.Errorf("epoch %d, want 1", first.Epoch)
	}
	second, after := model().Grow(first, mentions, Options{Workers: 8})
	for i := range before {
		if before[i].ID != after[i].ID || before[i].Title != after[i].Title {
			t.Fatalf("%s was %v and is %v", mentions[i].Text, before[i], after[i])
		}
	}
	have := map[string]Opinion{}
	for _, o := range second.Opinions {
		have[o.ID] = o
	}
	for _, o := range first.Opinions {
		if n := have[o.ID]; n.Title != o.Title || len(n.Members) < len(o.Members) {
			t.Errorf("opinion %v became %v", o, n)
		}
	}
	// The order of the new ones does not matter.
	again, _ := model().Grow(first, shuffled(mentions, 7), Options{Workers: 1})
	if !reflect.DeepEqual(again, second) {
		t.Error("growing by the same set in another order gives another registry")
	}
	third, _ := model().Grow(second, mentions, Options{})
	if !reflect.DeepEqual(third, second) {
		t.Error("growing by what is known changes the registry")
	}
}

// Assignment depends on the snapshot alone, in any order of calls and of opinions.
func TestAssignIsPure(t *testing.T) {
	r, _ := model().Grow(&Registry{}, corpus(900, false), Options{})
	reversed := append([]Opinion(nil), r.Opinions...)
	rand.New(rand.NewPCG(5, 5)).Shuffle(len(reversed), func(i, j int) { reversed[i], reversed[j] = reversed[j], reversed[i] })
	a, b := NewSnapshot(model(), 1, r.Opinions, Options{Workers: 1}), NewSnapshot(model(), 1, reversed, Options{Workers: 8})
	probes := []Mention{{Text: "你们家洗衣机怎么噪音这么大"}, {Text: "口红会掉色吗"}, {Text: "今天天气不错"}, {Text: ""}, {Text: "取暖器不加热怎么回事"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, p := range probes {
				x, xs := a.Assign(p)
				y, ys := b.Assign(p)
				if x != y || xs != ys {
					t.Errorf("%q: %s %v and %s %v", p.Text, x, xs, y, ys)
				}
			}
		})
	}
	wg.Wait()
	if id, _ := a.Assign(probes[2]); id != "" {
		t.Errorf("%q fits %s", probes[2].Text, id)
	}
}

// The index finds what a scan finds.
func TestIndexAgainstScan(t *testing.T) {
	r, _ := model().Grow(&Registry{}, corpus(1000, false), Options{Granularity: .95})
	s := NewSnapshot(model(), 1, r.Opinions, Options{Granularity: .95})
	if len(s.list) < 300 {
		t.Fatalf("only %d opinions: nothing to search", len(s.list))
	}
	probes := corpus(3000, false)[1000:]
	hit, want := 0, 0
	for _, p := range probes {
		v := s.model.space.Vector(nil, Normalise(p.Text))
		g := p.gate()
		tr := s.gates[g]
		best := s.least
		for i := range s.items[g] {
			best = max(best, dot(v, tr.item(int32(i))))
		}
		if best == s.least {
			continue
		}
		want++
		if _, score := s.Assign(p); score >= float64(min(best, 1))-1e-6 {
			hit++
		}
	}
	if want == 0 || float64(hit) < .97*float64(want) {
		t.Errorf("the index finds the best opinion for %d of %d", hit, want)
	}
}

func TestRegistryFile(t *testing.T) {
	r, _ := model().Grow(&Registry{}, corpus(200, true), Options{})
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRegistry("r.jsonl", bytes.NewReader(b.Bytes()))
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read %v, error %v", got, err)
	}
	header := `{"format":"tingke.opinions","version":1,"epoch":1,"model":"m"}` + "\n"
	line := `{"id":"0123456789abcdef","title":"贵","side":"negative","members":["太贵"]}` + "\n"
	f := func(text, want string) {
		t.Helper()
		_, err := ReadRegistry("r.jsonl", strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	f(header+line, "")
	f("", "empty file")
	f("{}\n", "r.jsonl:1: format")
	f(strings.Replace(header, `"version":1`, `"version":9`, 1), "version 9")
	f(header+line+line, "r.jsonl:3: id 0123456789abcdef stands in line 2")
	f(header+strings.Replace(line, "0123", "012X", 1), "not 16 hex")
	f(header+strings.Replace(line, `"side"`, `"sdie"`, 1), "unknown field")
	f(header+strings.Replace(line, "negative", "bad", 1), "want positive or negative")
	f(header+strings.Replace(line, `["太贵"]`, `[]`, 1), "members is empty")
	f(header+strings.Replace(line, `["太贵"]`, `["太贵！"]`, 1), "not normalised")
	f(header+strings.Replace(line, `["太贵"]`, `["贵","太贵"]`, 1), "not sorted")
	f(header+strings.TrimSpace(line)+"{}\n", "more than one JSON value")
	f(header+"\n", "empty line")
	f(header+"{", "unexpected EOF")
}

func FuzzReadRegistry(f *testing.F) {
	f.Add(`{"format":"tingke.opinions","version":1,"epoch":1,"model":"m"}` + "\n" + `{"id":"0123456789abcdef","title":"贵","side":"negative","members":["太贵"]}`)
	f.Add("{}")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadRegistry("f", strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRegistry("f", &b); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}

func TestMeasure(t *testing.T) {
	f := func(got, want []int, f1, v, ari, single float64) {
		t.Helper()
		a := Measure(got, want)
		for _, x := range []struct {
			name      string
			got, want float64
		}{{"F1", a.F1, f1}, {"V", a.V, v}, {"ARI", a.ARI, ari}, {"singletons", a.Singletons, single}} {
			if d := x.got - x.want; d > 1e-4 || d < -1e-4 {
				t.Errorf("%v for %v: %s = %.4f, want %.4f", got, want, x.name, x.got, x.want)
			}
		}
	}
	f([]int{1, 1, 2, 2}, []int{7, 7, 8, 8}, 1, 1, 1, 0)
	f([]int{1, 2, 3, 4}, []int{7, 7, 8, 8}, 2./3, 2./3, 0, 1)
	f([]int{1, 1, 1, 1}, []int{7, 7, 8, 8}, 2./3, 0, 0, 0)
	// Values of scikit-learn's v_measure_score and adjusted_rand_score for the same lists.
	f([]int{0, 0, 1, 2}, []int{0, 0, 1, 1}, 6./7, .8, .5714, .5)
	f(nil, nil, 0, 0, 0, 0)
}
