package segment

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

func newTest(t testing.TB, o Options) *Segmenter {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestWords(t *testing.T) {
	s := newTest(t, Options{})
	f := func(in string, want ...string) {
		t.Helper()
		if got := s.Words(in); fmt.Sprint(got) != fmt.Sprint(want) || len(got) != len(want) {
			t.Errorf("Words(%q) = %q, want %q", in, got, want)
		}
	}
	f("")
	f("   \n")
	f("運費險怎麼退", "運費險", "怎麼", "退")
	f("7天无理由退货吗", "7天无理由退货", "吗")
	f("面膜B比面膜A贵", "面膜", "B", "比", "面膜", "A", "贵")
	f("我的订单号是[订单x][怒]", "我", "的", "订单号", "是", "[订单x]", "[怒]")
	f("好😂😂", "好", "😂", "😂")
	f("T恤起球！！！！！", "T恤", "起球", "！", "！", "！！！")
	f("iPhone15 99.9元", "iPhone15", "99.9", "元")
	f("转\x00人工\xff客服", "转", "人工客服")
	f("[]] [a b] [", "[", "]", "]", "[", "a", "b", "]", "[")
}

func TestUserWords(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "user.txt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "请问星河闪耀款蓝莓爆珠还有吗"
	has := func(s *Segmenter, word string) bool {
		return strings.Contains("/"+strings.Join(s.Words(text), "/")+"/", "/"+word+"/")
	}
	write("\uFEFF# 产品\n星河闪耀款 5000 nz\r\n\n")
	s := newTest(t, Options{UserDict: []string{file}, Words: []string{"蓝莓爆珠"}})
	if !has(s, "星河闪耀款") || !has(s, "蓝莓爆珠") {
		t.Errorf("user words are cut: %q", s.Words(text))
	}
	if err := s.Swap(Options{Words: []string{"爆珠"}}); err != nil {
		t.Fatal(err)
	}
	if has(s, "蓝莓爆珠") || !has(s, "爆珠") {
		t.Errorf("words of the old dictionary are left after a swap: %q", s.Words(text))
	}
	write("好词\n两个 三个 四个 五个\n词 0 n\n词 -5\n词 abc n\n")
	err := s.Swap(Options{UserDict: []string{file, filepath.Join(dir, "none.txt")}})
	if err == nil {
		t.Fatal("a bad user dictionary was taken")
	}
	for _, want := range []string{file + ":2:", file + ":3:", file + ":4:", file + ":5:", "none.txt"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s:\n%v", want, err)
		}
	}
	if !has(s, "爆珠") {
		t.Error("a failed swap changed the dictionary")
	}
}

func TestDictDir(t *testing.T) {
	dir := t.TempDir()
	dict, model, err := baseDict("")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkDict(dict); err != nil {
		t.Errorf("the built-in dictionary: %v", err)
	}
	if err := checkModel(model); err != nil {
		t.Errorf("the built-in model: %v", err)
	}
	f := func(dict, model, want string) {
		t.Helper()
		for name, text := range map[string]string{dictName: dict, modelName: model} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := New(Options{DictDir: dir})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	m := string(model)
	f("", m, dictName+": it is empty")
	f("一 5 m\n二 5\n", m, dictName+":2:")
	f("一 5 m\n二 0 m\n", m, dictName+":2:")
	f("一 5 m\n", "", "0 lines")
	f("一 5 m\n", "1 2 3\n", "want 4")
	f("一 5 m\n", strings.Replace(m, "耀:", "耀", 1), "character:weight")
	if _, err := New(Options{DictDir: filepath.Join(dir, "none")}); err == nil {
		t.Error("a missing folder was taken")
	}
	if err := os.WriteFile(filepath.Join(dir, dictName), []byte("星河 5 n\n闪耀 5 n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, modelName), model, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newTest(t, Options{DictDir: dir})
	if got := fmt.Sprint(s.Words("星河闪耀")); got != "[星河 闪耀]" {
		t.Errorf("with an own dictionary: %s", got)
	}
}

// TestShared: equal dictionaries are one instance, and the last holder frees it.
func TestShared(t *testing.T) {
	a, b := newTest(t, Options{Words: []string{"词甲"}}), newTest(t, Options{Words: []string{"词甲 2000 n"}})
	e := a.current.Load()
	if b.current.Load() != e {
		t.Error("equal dictionaries make two instances")
	}
	a.Close()
	if e.refs.Load() != 1 || fmt.Sprint(b.Words("词甲")) != "[词甲]" {
		t.Error("closing one segmenter took the instance from the other")
	}
	b.Close()
	if e.refs.Load() != 0 || e.retain() {
		t.Error("the instance lives on without a holder")
	}
	if got := b.Cut("一 二"); len(got) != 2 {
		t.Errorf("after Close: %v", got)
	}
}

func TestSwapUnderLoad(t *testing.T) {
	s := newTest(t, Options{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if n := len(s.Cut("请问这个面膜什么时候发货")); n < 3 || n > 8 {
					t.Errorf("%d words", n)
					return
				}
			}
		})
	}
	for i := range 3 {
		if err := s.Swap(Options{Words: []string{fmt.Sprintf("词%d", i)}}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// TestBuiltIn: what is inside the binary is what came with the module.
func TestBuiltIn(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yanyiwu/gojieba").Output()
	if err != nil {
		t.Skipf("cannot ask go for the module's folder: %v", err)
	}
	dict, model, err := baseDict("")
	if err != nil {
		t.Fatal(err)
	}
	for name, have := range map[string][]byte{dictName: dict, modelName: model} {
		want, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "deps/cppjieba/dict", name))
		if err != nil {
			t.Skipf("the module is not in the module cache: %v", err)
		}
		if string(have) != string(want) {
			t.Errorf("%s differs from the module's: run go generate ./nlp/segment", name)
		}
	}
}

func TestDomainWords(t *testing.T) {
	words, err := wordsOf(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(words) < 400 {
		t.Errorf("only %d domain words", len(words))
	}
	s := newTest(t, Options{})
	for _, w := range words {
		if got := s.Cut(w.word); len(got) != 1 {
			t.Errorf("domain word %s is cut into %d", w.word, len(got))
		}
	}
}

// covers checks what Cut promises.
func covers(t *testing.T, text string, spans []schemas.Span) {
	t.Helper()
	at := 0
	skipped := func(to int) {
		for at < to {
			r, size := utf8.DecodeRuneInString(text[at:])
			if !(r == utf8.RuneError && size == 1) && r != 0 && !unicode.IsSpace(r) {
				t.Fatalf("%q at byte %d of %q lies in no word: %v", r, at, text, spans)
			}
			at += size
		}
	}
	for _, sp := range spans {
		if sp.Start < at || sp.End <= sp.Start || sp.End > len(text) {
			t.Fatalf("span %v of %q: %v", sp, text, spans)
		}
		skipped(sp.Start)
		if !utf8.ValidString(text[sp.Start:sp.End]) || strings.ContainsFunc(text[sp.Start:sp.End], unicode.IsSpace) {
			t.Fatalf("word %q of %q", text[sp.Start:sp.End], text)
		}
		at = sp.End
	}
	skipped(len(text))
}

func FuzzCut(f *testing.F) {
	s := newTest(f, Options{})
	for _, seed := range []string{"", "您好", "a\x00b\xffc", "[笑][ 笑][[a]]", "\u3000 \u2028x\u0085", "👨‍👩‍👧好\U0010ffff", "7天无理由\r\n退货", "3.5.5..", "\u00c5\u0300"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		covers(t, text, s.Cut(text))
		n := textnorm.Normalise(text).Text
		covers(t, n, s.Cut(n))
		for _, w := range s.Words(text) {
			if w == "" {
				t.Fatalf("empty word of %q", text)
			}
		}
	})
}

func TestLongText(t *testing.T) {
	s := newTest(t, Options{})
	for _, unit := range []string{"请问什么时候发货", "a", "1", "好，", "😂", " "} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		start := time.Now()
		covers(t, text, s.Cut(text))
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("1 MB of %q takes %v", unit, d)
		}
	}
}

const shared = "../../../shared/data"

// TestF1 prints word F1 against hand-segmented text and holds it at what gojieba reaches.
func TestF1(t *testing.T) {
	s := newTest(t, Options{})
	f := func(file string, floor float64) {
		fh, err := os.Open(filepath.Join(shared, "segmentation", file))
		if err != nil {
			t.Skipf("SKIPPED, no segmentation figures: %v", err)
		}
		defer fh.Close()
		var both, gold, ours int
		sc := bufio.NewScanner(fh)
		sc.Buffer(nil, 1<<20)
		for n := 0; sc.Scan() && n < 4000; n++ {
			want := strings.Fields(sc.Text())
			ends := map[[2]int]bool{}
			at := 0
			for _, w := range want {
				ends[[2]int{at, at + len(w)}] = true
				at += len(w)
			}
			text := strings.Join(want, "")
			at = 0
			for _, w := range s.Words(text) {
				if ends[[2]int{at, at + len(w)}] {
					both++
				}
				at += len(w)
				ours++
			}
			gold += len(want)
		}
		f1 := 2 * float64(both) / float64(gold+ours)
		t.Logf("%s: F1 %.3f (%d words)", file, f1, gold)
		if f1 < floor {
			t.Errorf("%s: F1 %.3f, want at least %.3f", file, f1, floor)
		}
	}
	f("dev.sxu_train.txt", .70)
	f("dev.weibo_wtb.txt", .70)
	f("dev.medical_forum_amttl.txt", .70)
}

func BenchmarkCut(b *testing.B) {
	s := newTest(b, Options{})
	texts := []string{"您好,请问有什么可以帮您?", "我昨天拍的面膜怎么还没发货", "亲,现在下单今天就能发出哦", "这个比上次买的贵了一百多块钱", "好的,麻烦您了", "退货运费险怎么用,差价能退吗"}
	bytes := 0
	for _, x := range texts {
		bytes += len(x)
	}
	b.SetBytes(int64(bytes / len(texts)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_ = s.Cut(texts[i%len(texts)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "utterances/s")
}

func TestAllocations(t *testing.T) {
	s := newTest(t, Options{})
	// gojieba grows its slice of words by doubling: a few allocations for a turn of 30 characters.
	if n := testing.AllocsPerRun(200, func() { _ = s.Cut("我昨天拍的面膜怎么还没发货,麻烦您帮我催一下快递吧") }); n > 9 {
		t.Errorf("%v allocations a text, want at most 9", n)
	}
}
