package linear

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var toyHeads = []Head{{"colour", []string{"red", "green", "blue"}}, {"size", []string{"small", "big"}}}

// toyTrainer holds a task that words decide, with a source that lies about the colour.
func toyTrainer(t testing.TB, o Options, n int) *Trainer {
	t.Helper()
	o.Heads, o.Dense = toyHeads, 2
	tr, err := NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	g := Grams{Min: 1, Max: 2}
	for range n {
		colour, size := rng.IntN(3), rng.IntN(2)
		keys := g.Keys(nil, toyText(rng, colour))
		e := Example{
			Sparse:  []Group{{keys, 1 / float32(math.Sqrt(float64(len(keys))))}},
			Dense:   []float32{1, float32(2*size-1) + float32(rng.NormFloat64())/4},
			Targets: []Target{{Classes: 1 << colour, Weight: 1}, {Classes: 1 << size, Weight: 1}},
		}
		if err := tr.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

func toyText(rng *rand.Rand, colour int) string {
	words := [][]string{{"苹果", "番茄", "国旗"}, {"草地", "树叶", "青蛙"}, {"天空", "海洋", "蓝莓"}}[colour]
	return fmt.Sprintf("这是%s吧%d", words[rng.IntN(3)], rng.IntN(100))
}

func toyScores(m *Model, text string, dense []float32) []float32 {
	keys := Grams{Min: 1, Max: 2}.Keys(nil, text)
	s := make([]float32, m.Classes())
	m.AddSparse(s, keys, 1/float32(math.Sqrt(float64(len(keys)))))
	m.AddDense(s, dense)
	return s
}

func argmax(x []float32) int {
	best := 0
	for i := range x {
		if x[i] > x[best] {
			best = i
		}
	}
	return best
}

func train(t testing.TB, tr *Trainer) *Model {
	t.Helper()
	m, err := tr.Train()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLearns(t *testing.T) {
	f := func(name string, o Options, least float64) {
		t.Helper()
		m := train(t, toyTrainer(t, o, 600))
		rng := rand.New(rand.NewPCG(8, 8))
		right := 0
		for range 300 {
			colour, size := rng.IntN(3), rng.IntN(2)
			s := toyScores(m, toyText(rng, colour), []float32{1, float32(2*size-1) + float32(rng.NormFloat64())/4})
			if argmax(s[:3]) == colour && argmax(s[3:]) == size {
				right++
			}
		}
		if got := float64(right) / 300; got < least {
			t.Errorf("%s: both heads right in %.2f of the rows, want %.2f", name, got, least)
		}
	}
	f("defaults", Options{}, 0.98)
	f("few features", Options{MaxSparse: 40}, 0.98)
	f("another seed", Options{Seed: 99}, 0.98)
}

// TestPartialLabels: a label that names two classes teaches what both share, and leaves the choice to other rows.
func TestPartialLabels(t *testing.T) {
	tr, err := NewTrainer(Options{Heads: toyHeads[:1], MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	add := func(word string, classes uint32, n int) {
		for range n {
			if err := tr.Add(Example{Sparse: []Group{{[]uint64{Key(word)}, 1}}, Targets: []Target{{Classes: classes, Weight: 1}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("a", 0b001, 20)
	add("b", 0b011, 20)
	add("c", 0b100, 20)
	m := train(t, tr)
	s := make([]float32, 3)
	m.AddSparse(s, []uint64{Key("b")}, 1)
	Softmax(s, 1)
	if s[0]+s[1] < 0.9 {
		t.Errorf("red or green: %v, want nearly 1 together", s)
	}
}

// TestAmong: a label chosen among two classes tells them apart and leaves the third alone.
func TestAmong(t *testing.T) {
	tr, err := NewTrainer(Options{Heads: toyHeads[:1], MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		x := Target{Classes: 1 << (i % 2), Among: 0b011, Weight: 1}
		if err := tr.Add(Example{Sparse: []Group{{[]uint64{Key([]string{"r", "g"}[i%2])}, 1}}, Targets: []Target{x}}); err != nil {
			t.Fatal(err)
		}
	}
	m := train(t, tr)
	s := make([]float32, 3)
	m.AddSparse(s, []uint64{Key("r")}, 1)
	if s[2] != 0 || s[0] <= s[1] {
		t.Errorf("scores %v, want the first above the second and nothing for the third", s)
	}
	if err := tr.Add(Example{Targets: []Target{{Classes: 4, Among: 3, Weight: 1}}}); err == nil {
		t.Error("a label outside its choice was taken")
	}
}

// TestOmit: a feature that stands for the source takes part in training and is not in the model.
func TestOmit(t *testing.T) {
	source := Key("source")
	tr, err := NewTrainer(Options{Heads: toyHeads[1:], MinCount: 1, Omit: []uint64{source}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		e := Example{Sparse: []Group{{[]uint64{Key("x"), source}, 1}}, Targets: []Target{{Classes: 1, Weight: 1}}}
		if i%2 == 0 {
			e = Example{Sparse: []Group{{[]uint64{Key("x")}, 1}}, Targets: []Target{{Classes: 2, Weight: 1}}}
		}
		if err := tr.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	m := train(t, tr)
	s := make([]float32, 2)
	m.AddSparse(s, []uint64{source}, 1)
	if s[0] != 0 || s[1] != 0 {
		t.Errorf("the source still scores %v", s)
	}
	m.AddSparse(s, []uint64{Key("x")}, 1)
	if s[1] < s[0]+1 {
		t.Errorf("x scores %v: the source's bias was not taken off", s)
	}
}

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func toyModel(t testing.TB) *Model {
	return train(t, toyTrainer(t, Options{Epochs: 3, MinCount: 1}, 60)).SetMeta(Meta{Name: "toy", Features: "1", Date: "2026-11-21", Figures: map[string]float64{"accuracy": 1}})
}

func TestDeterministic(t *testing.T) {
	if a, b := encode(t, toyModel(t)), encode(t, toyModel(t)); !bytes.Equal(a, b) {
		t.Error("the same rows and seed give different bytes")
	}
	a := encode(t, train(t, toyTrainer(t, Options{Seed: 1}, 60)))
	if b := encode(t, train(t, toyTrainer(t, Options{Seed: 2}, 60))); bytes.Equal(a, b) {
		t.Error("the seed changes nothing")
	}
}

func TestRoundTrip(t *testing.T) {
	m := toyModel(t)
	raw := encode(t, m)
	back, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, back), raw) {
		t.Error("a model that is read and written again has other bytes")
	}
	for _, text := range []string{"这是苹果吧1", "树叶", ""} {
		a, b := toyScores(m, text, []float32{1, 0.5}), toyScores(back, text, []float32{1, 0.5})
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%q: %v before, %v after", text, a, b)
		}
	}
	if back.Meta().Date != "2026-11-21" || back.Meta().Figures["accuracy"] != 1 {
		t.Errorf("metadata lost: %+v", back.Meta())
	}
}

func TestReadRefuses(t *testing.T) {
	raw := encode(t, toyModel(t))
	f := func(name string, b []byte, want string) {
		t.Helper()
		if _, err := Read(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	f("empty", nil, "ends early")
	f("another file", []byte("PK\x03\x04 something else entirely"), "not a model file")
	f("half", raw[:len(raw)/2], "ends early")
	f("last byte missing", raw[:len(raw)-1], "ends early")
	f("one byte more", append(bytes.Clone(raw), 0), "after the end")
	damaged := bytes.Clone(raw)
	damaged[len(damaged)/2] ^= 0x20
	f("damaged", damaged, "damaged")
	version := bytes.Clone(raw)
	version[len(magic)]++
	f("version", version, "version 2")

	path := filepath.Join(t.TempDir(), "m.bin")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, "toy", "2"); err == nil || !strings.Contains(err.Error(), "m.bin") || !strings.Contains(err.Error(), "train") {
		t.Errorf("wrong features: %v", err)
	}
	if _, err := Load(path, "toy", "1"); err != nil {
		t.Error(err)
	}
}

// TestLongSums crosses the border at which lanes are flushed, with rows of one, two and three words.
func TestLongSums(t *testing.T) {
	for _, classes := range []int{3, 8, 13, 16, 20} {
		names := make([]string, classes)
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		keys, w := []uint32{}, []int8{}
		for k := range 700 {
			keys = append(keys, uint32(k*3+1))
			for c := range classes {
				w = append(w, int8((k*31+c*17)%255-127))
			}
		}
		scales := make([]float32, classes)
		for i := range scales {
			scales[i] = 1
		}
		m := assemble(Meta{Heads: []Head{{"h", names}}, Scales: scales}, nil, keys, w)
		for _, n := range []int{1, 255, 256, 257, 512, 700} {
			scores, many := make([]float32, classes), make([]uint64, n)
			want := make([]float32, classes)
			for i := range many {
				many[i] = uint64(keys[i])
				for c := range classes {
					want[c] += float32(w[i*classes+c])
				}
			}
			m.AddSparse(scores, many, 1)
			if fmt.Sprint(scores) != fmt.Sprint(want) {
				t.Fatalf("%d classes, %d keys: %v, want %v", classes, n, scores, want)
			}
		}
	}
}

func TestGrams(t *testing.T) {
	count := func(g Grams, text string) int { return len(g.Keys(nil, text)) }
	f := func(got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	f(count(Grams{Min: 1, Max: 1}, "好"), 3)
	f(count(Grams{Min: 1, Max: 4}, "好的"), 4+3+2+1)
	f(count(Grams{Min: 2, Max: 3}, ""), 1)
	f(fmt.Sprint(Grams{Max: 3}.Keys(nil, "等了12天")) == fmt.Sprint(Grams{Max: 3}.Keys(nil, "等了987天")), true)
	f(fmt.Sprint(Grams{Max: 3}.Keys(nil, "啊啊啊啊啊啊")) == fmt.Sprint(Grams{Max: 3}.Keys(nil, "啊啊啊")), true)
	f(fmt.Sprint(Grams{Max: 3, Seed: 1}.Keys(nil, "好")) == fmt.Sprint(Grams{Max: 3, Seed: 2}.Keys(nil, "好")), false)
	f(count(Grams{Min: 1, Max: 1}, strings.Repeat("一二", 1<<19)), 2000+3)
}

func FuzzRead(f *testing.F) {
	raw := encode(f, toyModel(f))
	f.Add(raw)
	f.Add(raw[:40])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		s := make([]float32, m.Classes())
		m.AddSparse(s, Grams{Max: 3}.Keys(nil, "这是苹果吧"), 1)
		m.AddDense(s, make([]float32, m.Meta().Dense))
	})
}

func FuzzGrams(f *testing.F) {
	f.Add("怎么还不发货??", 1, 4)
	f.Add("\xff\xfe", 0, 9)
	f.Fuzz(func(t *testing.T, text string, least, most int) {
		n := len(Grams{Min: least, Max: most}.Keys(nil, text))
		if most > 0 && n > 8*(len(text)+2) {
			t.Errorf("%d keys of %d bytes", n, len(text))
		}
	})
}

func BenchmarkScore(b *testing.B) {
	m := train(b, toyTrainer(b, Options{Epochs: 2, MinCount: 1}, 2000))
	text := "您好，我想问一下这个苹果什么时候可以发货呢，等了三天了"
	g := Grams{Min: 1, Max: 4}
	var keys []uint64
	scores := make([]float32, m.Classes())
	b.ReportAllocs()
	for b.Loop() {
		keys = g.Keys(keys[:0], text)
		m.AddSparse(scores, keys, 0.1)
	}
}
