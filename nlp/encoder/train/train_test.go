package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/nlp/data"
	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/pairs"
)

// synthetic says the same things in two ways each: things of one group never share a character but the common ones.
func synthetic(n int) *Data {
	rng := rand.New(rand.NewPCG(3, 4))
	d := &Data{Texts: []string{"面膜面膜面膜"}}
	say := func(meaning, way int) string {
		return normal(fmt.Sprintf("请问%c%c的吗", rune(0x4e00+2*meaning+way), rune(0x5e00+rng.IntN(40))))
	}
	for range n {
		m, other := rng.IntN(20), rng.IntN(20)
		d.Pairs = append(d.Pairs, Pair{say(m, 0), say(m, 1), true})
		if other != m {
			d.Pairs = append(d.Pairs, Pair{say(m, 0), say(other, 1), false})
		}
	}
	return d
}

func small() Options {
	o := Defaults()
	o.Dim, o.Epochs, o.Batch, o.MinCount = 16, 4, 32, 2
	return o
}

func trained(t *testing.T, d *Data, o Options) (map[string][]byte, *encoder.Encoder) {
	tr, err := newTrainer(d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.run(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	files, err := tr.files()
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoder.FromFiles(files[encoder.ConfigFile], files[encoder.TokenizerFile], files[encoder.TensorFile])
	if err != nil {
		t.Fatal(err)
	}
	// What was written encodes as what was trained, but for the rounding to bytes.
	for _, p := range d.Pairs[:20] {
		v, w := tr.vector(p.A), e.Encode(nil, p.A)
		if c := dot(v, w); c < 0.995 {
			t.Fatalf("%q: the written model's vector has cosine %v with the trained one", p.A, c)
		}
	}
	return files, e
}

// Equal data, options and seed give equal files; another seed does not.
func TestTrainDeterministic(t *testing.T) {
	a, _ := trained(t, synthetic(200), small())
	b, _ := trained(t, synthetic(200), small())
	o := small()
	o.Seed = 2
	c, _ := trained(t, synthetic(200), o)
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs between two equal runs", name)
		}
	}
	if bytes.Equal(a[encoder.TensorFile], c[encoder.TensorFile]) {
		t.Error("the seed has no part in the vectors")
	}
}

// Training finds out which characters mean the same, though texts of a pair share no more than others do.
func TestTrainLearns(t *testing.T) {
	d := synthetic(600)
	d.HeldPairs = synthetic(900).Pairs[1200:]
	auc := func(o Options) float64 {
		_, e := trained(t, d, o)
		return measureHeld(e, d)[0].Value
	}
	o := small()
	o.Rate = 1e-9
	before := auc(o)
	if after := auc(small()); after < 0.95 || before > 0.7 {
		t.Errorf("AUC %.3f untrained, %.3f trained: want below .7 and above .95", before, after)
	}
}

// What is kept back shares no text with what trains, and no near copy of a minimal pair trains.
func TestSplit(t *testing.T) {
	const dir = "../../../../shared"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no research data beside the checkout: ", err)
	}
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Missing) > 0 || len(d.Pairs) < 40_000 || len(d.HeldPairs) < 3_000 || len(d.HeldClusters) < 50 {
		t.Fatalf("missing %v, %d pairs, %d held, %d clusters held", d.Missing, len(d.Pairs), len(d.HeldPairs), len(d.HeldClusters))
	}
	g := newGroups()
	for _, p := range d.Pairs {
		g.join(p.A, p.B)
	}
	for _, p := range d.HeldPairs {
		for _, s := range []string{p.A, p.B} {
			if _, seen := g.ids[s]; seen {
				t.Fatalf("a text trains and is measured: %q", s)
			}
		}
	}
	for _, c := range d.HeldClusters {
		for _, s := range c {
			if _, seen := g.ids[s]; seen {
				t.Fatalf("a text trains and its cluster is measured: %q", s)
			}
		}
	}
	for i, c := range d.Classes {
		for _, l := range c {
			if data.Held(l.Text) {
				t.Fatalf("a held text trains: %q", l.Text)
			}
			if i == 0 && pairs.TooClose(l.Text) {
				t.Fatalf("a near copy of a minimal pair trains: %q", l.Text)
			}
		}
	}
	held, err := ReadHeldPairs(dir)
	if err != nil || !slices.Equal(held, d.HeldPairs) {
		t.Errorf("ReadHeldPairs gives %d pairs, Read %d (%v)", len(held), len(d.HeldPairs), err)
	}
}

// Without data, the project's own rows train, and what is missing is named.
func TestReadWithoutData(t *testing.T) {
	d, err := Read(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Missing) != len(sources) || len(d.Pairs) > 0 || len(d.Classes) != 1 || len(d.Classes[0]) < 500 {
		t.Errorf("missing %v, %d pairs, %d lists of classes", d.Missing, len(d.Pairs), len(d.Classes))
	}
}

// A near copy of a minimal pair never trains, as a pair or as a text with a class.
func TestRefusal(t *testing.T) {
	near := ""
	for _, p := range pairs.All() {
		if s := normal(p.A.Text) + "呢"; len(s) > 30 && pairs.TooClose(s) && !data.Held(s) {
			near = s
			break
		}
	}
	if near == "" {
		t.Fatal("no minimal pair is long enough")
	}
	dir := t.TempDir()
	write := func(name string, rows ...any) {
		path := filepath.Join(dir, "data", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		for _, r := range rows {
			if err := json.NewEncoder(&b).Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	type pair struct {
		A     string `json:"a"`
		B     string `json:"b"`
		Label int    `json:"label"`
	}
	var rows []any
	for i := range 20 {
		rows = append(rows, pair{fmt.Sprintf("第%d个问题怎么办", i), fmt.Sprintf("第%d个问题如何处理", i), 1})
	}
	write("bustm/dev.jsonl", append(rows, pair{near, "别的", 0}, pair{"另外的", near, 1})...)
	write("cic_intent/dev.jsonl", map[string]string{"text": near, "intent": "x"}, map[string]string{"text": "还有别的问题没有解决", "intent": "x"})
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.Refused != 1 || len(d.Pairs)+len(d.HeldPairs) != 20 {
		t.Errorf("%d texts refused, %d pairs left, want 1 and 20", d.Refused, len(d.Pairs)+len(d.HeldPairs))
	}
	for _, c := range d.Classes {
		for _, l := range c {
			if l.Text == near {
				t.Error("a near copy of a minimal pair trains as a text with a class")
			}
		}
	}
	write("bustm/dev.jsonl", "no row")
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "dev.jsonl:1") {
		t.Errorf("a wrong row: %v", err)
	}
}

func TestVocabulary(t *testing.T) {
	got := vocabulary([]string{"ok好,ok x", "ok😀"}, []string{"罕", "贵贵贵zz"})
	for _, want := range []string{unknown, "ok", "好", ",", "😀", "贵", "a", "##z", "0", "##9"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, not := range []string{"罕", "zz", " ", ""} {
		if slices.Contains(got, not) {
			t.Errorf("%q is there", not)
		}
	}
	if got[0] != unknown || !slices.IsSorted(got[1:]) {
		t.Error("pieces are not in order")
	}
}

func TestFigures(t *testing.T) {
	f := func(found, class string, bcubed, v, ari float64) {
		t.Helper()
		ids := func(s string) (out []int) {
			for _, c := range strings.Fields(s) {
				out = append(out, int(c[0]))
			}
			return out
		}
		a, b := ids(found), ids(class)
		for i, x := range [][2]float64{{BCubed(a, b), bcubed}, {VMeasure(a, b), v}, {ARI(a, b), ari}} {
			if math.Abs(x[0]-x[1]) > 5e-4 {
				t.Errorf("%s against %s: figure %d is %.4f, want %.4f", found, class, i, x[0], x[1])
			}
		}
	}
	f("a a b b", "x x y y", 1, 1, 1)
	f("a a b c", "x x y y", 6.0/7, 0.8, 0.5714)
	f("a a a a", "x x y y", 2.0/3, 0, 0)
	f("a a b c", "x x x y", 0.8, 0.7018, 0.3333)
}

// Average linkage equals the direct definition.
func TestAverageLink(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		n := 2 + rng.IntN(12)
		vectors := make([][]float32, n)
		for i := range vectors {
			v := make([]float32, 4)
			for k := range v {
				v[k] = float32(rng.NormFloat64())
			}
			axpy(v, 1/float32(math.Sqrt(float64(dot(v, v))))-1, slices.Clone(v))
			vectors[i] = v
		}
		clusters := make([][]int, n)
		for i := range clusters {
			clusters[i] = []int{i}
		}
		var want []float64
		for len(clusters) > 1 {
			best, bi, bj := math.Inf(-1), 0, 0
			for i := range clusters {
				for j := range i {
					var s float64
					for _, a := range clusters[i] {
						for _, b := range clusters[j] {
							s += float64(dot(vectors[a], vectors[b]))
						}
					}
					if s /= float64(len(clusters[i]) * len(clusters[j])); s > best {
						best, bi, bj = s, i, j
					}
				}
			}
			want = append(want, best)
			clusters[bj] = append(clusters[bj], clusters[bi]...)
			clusters = slices.Delete(clusters, bi, bi+1)
		}
		got := averageLink(vectors)
		for i, m := range got {
			if math.Abs(m.similarity-want[i]) > 1e-5 {
				t.Fatalf("merge %d at %v, want %v", i, m.similarity, want[i])
			}
		}
	}
}

// The gradients of the losses are those that finite differences give.
func TestGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const n, dim = 6, 8
	texts := make([]*text, n)
	for i := range texts {
		texts[i] = &text{unit: make([]float32, dim), grad: make([]float32, dim)}
		for k := range dim {
			texts[i].unit[k] = float32(rng.NormFloat64()) / 3
		}
	}
	f := func(name string, loss func() float32) {
		t.Helper()
		for _, x := range texts {
			clear(x.grad)
		}
		loss()
		var want [n][dim]float32
		for i, x := range texts {
			copy(want[i][:], x.grad)
		}
		for i, x := range texts {
			for k := range dim {
				const h = 1e-2
				at := x.unit[k]
				x.unit[k] = at + h
				up := loss()
				x.unit[k] = at - h
				down := loss()
				x.unit[k] = at
				if got := (up - down) / (2 * h); math.Abs(float64(got-want[i][k])) > 0.02*(1+math.Abs(float64(got))) {
					t.Errorf("%s: gradient of text %d, element %d is %v, finite differences give %v", name, i, k, want[i][k], got)
				}
			}
		}
	}
	f("rank", func() float32 {
		return rankLoss(texts[:3], texts[3:], []bool{true, false, true}, 3, 1)
	})
	f("threshold", func() float32 { return thresholdLoss(texts, []int{1, 2, 1, 1, 2, 3}, 3, 0.4, 0.5, 1) })
	f("group", func() float32 { return groupLoss(texts, []int{1, 2, 1, 1, 2, 3}, 3, 1) })
}

// The built-in model reaches what is asked for on pairs that it did not see.
func TestBuiltinFigures(t *testing.T) {
	const dir = "../../../../shared"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIPPED: no research data beside the checkout: ", err)
	}
	e, err := encoder.Default()
	if err != nil {
		t.Fatal(err)
	}
	held, err := ReadHeldPairs(dir)
	if err != nil {
		t.Fatal(err)
	}
	transfer, err := ReadPairs(dir + "/data/bq_corpus/dev.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	clusters, err := ReadClusters(dir + "/data/bq_corpus/clusters.dev.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, d *Data, figure int, least float64) {
		t.Helper()
		got := measureHeld(e, d)[figure].Value
		t.Logf("%s: %.3f", name, got)
		if got < least {
			t.Errorf("%s: %.3f, want %.2f", name, got, least)
		}
	}
	f("atec pairs, AUC", &Data{HeldPairs: held}, 0, 0.79)
	f("bq pairs, AUC", &Data{HeldPairs: transfer}, 0, 0.78)
	f("bq clusters, B-cubed F1", &Data{HeldClusters: clusters}, 0, 0.42)
}
