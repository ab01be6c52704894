package nlp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/schemas"
)

// analysers are shared by the tests: each takes a quarter of a second to make.
var analysers = map[int]*Analyser{}

// newAnalyser gives an analyser with room for so many texts. Tests share it, so its counts may be any.
func newAnalyser(t testing.TB, entries int) *Analyser {
	t.Helper()
	if a := analysers[entries]; a != nil {
		return a
	}
	a, err := New(Options{CacheEntries: entries, ProductList: []mention.Product{{Name: "面膜B", Aliases: []string{"B款"}, Shop: "花漾"}}})
	if err != nil {
		t.Fatal(err)
	}
	analysers[entries] = a
	return a
}

var sampleLines = []string{
	"您好，欢迎光临", "在吗", "为什么面膜B比面膜A贵了一百多块钱？", "亲，面膜B用的是进口原液哦", "你们的面膜太硬了，用起来不舒服", "非常抱歉给您带来不便",
	"都五天了怎么还没發貨！！！😡", "稍等，我帮您催一下", "好的，谢谢", "还有其他可以帮您的吗", "没有了，谢谢", "感谢您的支持，祝您生活愉快", "", "[电话x]", "ＡＢＣ　１２３元", "退款吧",
	"9月3号能到吗", "呵呵", "The delivery is too slow",
}

func sampleTranscript(seed uint64, n int) *schemas.Transcript {
	r := rand.New(rand.NewPCG(seed, 1))
	t := &schemas.Transcript{Meta: schemas.Meta{SessionID: fmt.Sprint(seed), Shop: "花漾"}}
	roles := []schemas.Role{schemas.Customer, schemas.Agent, schemas.Customer, schemas.Agent, schemas.Bot, schemas.System}
	for range n {
		turn := schemas.Turn{Role: roles[r.IntN(len(roles))], Text: sampleLines[r.IntN(len(sampleLines))]}
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: turn})
	}
	return t
}

// withWords cuts every turn, so that results can be compared whole.
func withWords(f *schemas.Features) *schemas.Features {
	for i := range f.Turns {
		f.Turns[i].Cut = schemas.CutWords(f.Turns[i].Words())
	}
	return f
}

// TestCacheChangesNothing is the promise that a cache, of any size, never shows in a result.
func TestCacheChangesNothing(t *testing.T) {
	features := func(a *Analyser, in *schemas.Transcript) *schemas.Features { return withWords(a.Features(in)) }
	off, small, large := newAnalyser(t, 0), newAnalyser(t, 3), newAnalyser(t, 10_000)
	for seed := range uint64(40) {
		in := sampleTranscript(seed, 30)
		want := features(off, in)
		for _, a := range []*Analyser{small, large, large} {
			if got := features(a, in); !reflect.DeepEqual(got, want) {
				t.Fatalf("session %d: with the cache %+v, without %+v", seed, got, want)
			}
		}
	}
	st := large.CacheStats()
	if st.Hits == 0 || st.Misses == 0 || st.Entries == 0 || st.Entries > 10_000 {
		t.Errorf("stats %+v", st)
	}
	if st := off.CacheStats(); st.Hits != 0 || st.Entries != 0 {
		t.Errorf("stats without a cache %+v", st)
	}
}

func TestCacheIsBounded(t *testing.T) {
	a := newAnalyser(t, 256)
	for i := range 5000 {
		a.Emotion(schemas.Customer, fmt.Sprint("第", i, "句"), nil)
	}
	if n := a.CacheStats().Entries; n > 256 {
		t.Errorf("%d entries of 256", n)
	}
}

func TestConcurrent(t *testing.T) {
	a := newAnalyser(t, 64)
	in := sampleTranscript(7, 60)
	want := withWords(a.Features(in))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 30 {
				if got := withWords(a.Features(in)); !reflect.DeepEqual(got, want) {
					t.Error("results differ between goroutines")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestFeatures(t *testing.T) {
	a := newAnalyser(t, 100)
	turn := func(role schemas.Role, text string) schemas.TranscriptTurn {
		return schemas.TranscriptTurn{Turn: schemas.Turn{Role: role, Text: text}}
	}
	f := a.Features(&schemas.Transcript{
		Meta: schemas.Meta{Shop: "花漾"},
		Turns: []schemas.TranscriptTurn{
			turn(schemas.Customer, "為什麼面膜Ｂ這麼貴？"), turn(schemas.Agent, "请问还有其他可以帮您的吗"), turn(schemas.Customer, "没有了，谢谢"),
			turn(schemas.System, "垃圾，骗子"), turn(schemas.Agent, "快递太慢了"),
		},
	})
	m := f.Turns[0].Mentions
	if len(m) != 1 || m[0].Product != "面膜B" || m[0].Aspect != schemas.AspectPrice || m[0].Text != "為什麼面膜Ｂ這麼貴" {
		t.Errorf("mentions of the first turn: %+v", m)
	}
	if f.Turns[0].Norm.Text != "为什么面膜b这么贵?" || len(f.Turns[0].Words()) == 0 {
		t.Errorf("norm %q, words %v", f.Turns[0].Norm.Text, f.Turns[0].Words())
	}
	if e := f.Turns[2].Emotion; e != schemas.Grateful {
		t.Errorf("没有了，谢谢 after an offer: %s", e)
	}
	if e := f.Turns[3].Emotion; e != schemas.Neutral || f.Turns[3].Scores[schemas.Neutral] != 1 {
		t.Errorf("a system notice: %s", e)
	}
	if len(f.Turns[4].Mentions) != 0 {
		t.Errorf("an agent's turn has mentions: %v", f.Turns[4].Mentions)
	}
	if f.ModelVersion != a.ModelVersion() || !strings.Contains(f.ModelVersion, "products=") {
		t.Errorf("model version %q", f.ModelVersion)
	}
}

func TestExperience(t *testing.T) {
	a := newAnalyser(t, 0)
	f := func(lines ...string) float64 {
		in := &schemas.Transcript{}
		for _, l := range lines {
			role, text, _ := strings.Cut(l, ": ")
			in.Turns = append(in.Turns, schemas.TranscriptTurn{Turn: schemas.Turn{Role: schemas.Role(role), Text: text}})
		}
		e := a.Features(in).Experience
		if e < -1 || e > 1 {
			t.Errorf("%v: experience %v", lines, e)
		}
		return e
	}
	good := f("customer: 我的快递到哪了", "agent: 帮您查了，今天下午到", "customer: 太好了，谢谢你")
	flat := f("customer: 这个多少钱", "agent: 九十九", "customer: 哦")
	bad := f("customer: 这个多少钱", "agent: 自己看", "customer: 什么态度，我要投诉你们")
	rescued := f("customer: 气死我了，怎么还不发货", "agent: 抱歉，马上给您补发，另外补偿十元", "customer: 好吧，谢谢你，处理得很快，满意")
	spoilt := f("customer: 谢谢，处理得很快，满意", "agent: 亲，刚才看错了，不能退", "customer: 气死我了，骗子")
	if !(good > flat && flat > bad && rescued > bad && rescued > spoilt) {
		t.Errorf("good %.2f, flat %.2f, bad %.2f, rescued %.2f, spoilt %.2f", good, flat, bad, rescued, spoilt)
	}
	if e := f("agent: 您好"); e != 0 {
		t.Errorf("without a customer: %v", e)
	}
	if e := f(); e != 0 {
		t.Errorf("empty session: %v", e)
	}
}

func TestLines(t *testing.T) {
	a := newAnalyser(t, 0)
	if r := a.Emotion(schemas.Customer, "没有了，谢谢", []string{"agent: 还有什么可以帮您"}); r.Emotion != schemas.Grateful {
		t.Errorf("emotion %s", r.Emotion)
	}
	if m := a.Mentions(schemas.Customer, "快递太慢了", nil); len(m) != 1 || m[0].Aspect != schemas.AspectLogistics {
		t.Errorf("mentions %v", m)
	}
	if m := a.Mentions(schemas.Agent, "快递太慢了", nil); len(m) != 0 {
		t.Errorf("an agent's mentions %v", m)
	}
	if w := strings.Join(a.Segment("面膜太貴了😡"), "|"); w != "面膜|太貴|了|😡" && w != "面膜|太|貴|了|😡" {
		t.Errorf("words %s", w)
	}
}

func TestNewErrors(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		a, err := New(o)
		if err == nil {
			a.Close()
			t.Errorf("%+v: no error", o)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %q does not say %q", o, err, want)
		}
	}
	bad := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(bad, []byte("products:\n  - nmae: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(Options{CacheEntries: -1}, "CacheEntries")
	f(Options{Products: "none.yaml"}, "none.yaml")
	f(Options{Products: bad}, "nmae")
	f(Options{ProductList: []mention.Product{{}}}, "name")
	f(Options{UserDict: []string{"none.txt"}}, "none.txt")
}

func TestEntities(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		var got []string
		for _, e := range entities(text) {
			got = append(got, e.Type+":"+text[e.Start:e.End])
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("")
	f("我电话[电话x]，地址[地址x]", "phone:[电话x]", "address:[地址x]")
	f("[怒][数字x]", "number:[数字x]")
	f("[电话x", "")
	f("一共99.5元", "amount:99.5元")
	f("贵了100块钱", "amount:100块钱")
	f("￥1,299 的那款", "amount:￥1,299")
	f("12月3号之前能到吗", "date:12月3号")
	f("2026年1月2日下单", "date:2026年1月2日")
	f("2026-01-02下单", "date:2026-01-02")
	f("明天到，昨天拍的", "date:明天", "date:昨天")
	f("3号楼", "")
	f("3号发", "date:3号")
	f("买2送1")
	f("第3天")
}

// TestHardTexts gives every entry point texts nobody writes.
func TestHardTexts(t *testing.T) {
	a := newAnalyser(t, 10)
	for _, text := range []string{
		"", " ", "\x00", "\xff\xfe\xfd", "😀👨‍👩‍👧", "[", "[[[[x]", "[电话x", strings.Repeat("怎么还不发货！", 50_000), strings.Repeat("1", 1<<20), strings.Repeat("@", 1<<17),
		strings.Repeat("[", 1<<18), "مرحبا שלום 안녕 ひらがな", strings.Repeat("😡", 1<<16),
	} {
		start := time.Now()
		ctx := []string{"agent: " + text, text, "customer: "}
		a.Emotion(schemas.Customer, text, ctx)
		a.Segment(text)
		checkTurn(t, text, a.Mentions(schemas.Customer, text, ctx))
		f := a.Features(&schemas.Transcript{Turns: []schemas.TranscriptTurn{{Turn: schemas.Turn{Role: schemas.Customer, Text: text}}}})
		for _, e := range f.Turns[0].Entities {
			if e.Start < 0 || e.End <= e.Start || e.End > len(text) {
				t.Errorf("%.20q: entity %v", text, e)
			}
		}
		if d := time.Since(start); d > time.Minute {
			t.Errorf("%.20q (%d bytes) took %v", text, len(text), d)
		}
	}
}

func checkTurn(t testing.TB, text string, ms []schemas.TurnMention) {
	t.Helper()
	last := 0
	for _, m := range ms {
		if m.Start < last || m.End <= m.Start || m.End > len(text) || text[m.Start:m.End] != m.Text {
			t.Errorf("%.20q: mention %+v", text, m)
		}
		last = m.End
	}
}

func FuzzEntities(f *testing.F) {
	for _, s := range []string{"[电话x]99元", "2026-1-2", "￥3", "今天", "3月\xff", "1,2,3.", "[x]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, e := range entities(text) {
			if e.Start < last || e.End <= e.Start || e.End > len(text) || e.Type == "" {
				t.Fatalf("%q: %v", text, e)
			}
			last = e.End
		}
	})
}

// raceEnabled says that the race detector is on, under which pools forget what they hold.
var raceEnabled bool

// TestAllocations keeps the hot path from growing: per turn, the cache off and on.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("allocation budgets hold without the race detector")
	}
	in := sampleTranscript(3, 40)
	f := func(entries int, most float64) {
		a := newAnalyser(t, entries)
		a.Features(in)
		if got := testing.AllocsPerRun(20, func() { a.Features(in) }) / float64(len(in.Turns)); got > most {
			t.Errorf("%.1f allocations a turn with room for %d texts, at most %.1f are allowed", got, entries, most)
		}
	}
	f(0, 10)
	f(10_000, 1)
}
