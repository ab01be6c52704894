// Package train makes the encoder's model: it learns a vector for every token and n-gram from pairs of texts that mean the
// same. Training is deterministic for a seed, on one core.
package train

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/tingke/tingke/nlp/encoder"
)

const maxWord = 100

var normalizer = encoder.Normalizer{HandleChineseChars: true}

// Data is what a model is learned from.
type Data struct {
	Pairs    []Pair
	Classes  []Labelled
	Classes2 []Labelled
	Texts    []string
}

// Options are the choices of a training run.
type Options struct {
	Seed                                 uint64
	Dim                                  int
	Epochs                               int
	Rate                                 float32
	Drop                                 float32
	Kinds                                encoder.NgramKinds
	MinCount                             int
	MaxNgrams                            int
	NgramScale                           float64
	PairScale, GroupScale, ClassScale    float32
	PairWeight, GroupWeight, ClassWeight float32
	Batch                                int
	Log                                  func(format string, args ...any)
}

type trainer struct {
	o     Options
	f     *features
	m     *model
	rng   *rand.Rand
	pool  []*text
	cache map[string][]int32
}

func (t *trainer) rows(s string) []int32 {
	r, ok := t.cache[s]
	if !ok {
		r = t.f.of(s)
		t.cache[s] = r
	}
	return r
}

func (t *trainer) forward(i int, s string) *text {
	for len(t.pool) <= i {
		t.pool = append(t.pool, t.m.newText())
	}
	t.m.forward(t.pool[i], t.rows(s), t.o.Drop, t.rng)
	return t.pool[i]
}

// Vector encodes a text with the model in training.
func (t *trainer) vector(s string) []float32 {
	x := t.m.newText()
	t.m.forward(x, t.rows(s), 0, nil)
	return x.unit
}

func newTrainer(d *Data, o Options) (*trainer, error) {
	var texts []string
	for _, p := range d.Pairs {
		texts = append(texts, p.A, p.B)
	}
	for _, c := range d.Classes {
		texts = append(texts, c.Text)
	}
	for _, c := range d.Classes2 {
		texts = append(texts, c.Text)
	}
	texts = append(texts, d.Texts...)
	f, err := newFeatures(texts, 2000, o.Kinds, o.MinCount, o.MaxNgrams)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	t := &trainer{o: o, f: f, rng: rng, cache: map[string][]int32{}}
	t.m = newModel(f, o.Dim, rng, o.NgramScale)
	return t, nil
}

// step is one batch to be learned.
type step struct {
	kind     int
	from, to int
}

func (t *trainer) run(d *Data, after func(epoch int)) {
	o := t.o
	// Texts joined by pairs of equal meaning are one group and never repel each other.
	group := map[string]int{}
	var parent []int
	id := func(s string) int {
		i, ok := group[s]
		if !ok {
			i = len(parent)
			group[s] = i
			parent = append(parent, i)
		}
		return i
	}
	for _, p := range d.Pairs {
		a, b := id(p.A), id(p.B)
		if p.Same {
			parent[root(parent, a)] = root(parent, b)
		}
	}
	pairs := slices.Clone(d.Pairs)
	var same []Pair
	for _, p := range pairs {
		if p.Same {
			same = append(same, p)
		}
	}
	classes := [][]Labelled{slices.Clone(d.Classes), slices.Clone(d.Classes2)}
	classID := map[string]int{}
	for _, cs := range classes {
		for _, c := range cs {
			if _, ok := classID[c.Class]; !ok {
				classID[c.Class] = len(classID)
			}
		}
	}
	ones := make([]float32, 4*o.Batch+1000)
	for i := range ones {
		ones[i] = 1
	}
	for epoch := range o.Epochs {
		rate := o.Rate * (1 - float32(epoch)/float32(o.Epochs))
		t.rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		t.rng.Shuffle(len(same), func(i, j int) { same[i], same[j] = same[j], same[i] })
		var steps []step
		for i := 0; i+o.Batch <= len(pairs) && o.PairWeight > 0; i += o.Batch {
			steps = append(steps, step{0, i, i + o.Batch})
		}
		for i := 0; i+o.Batch <= len(same) && o.GroupWeight > 0; i += o.Batch {
			steps = append(steps, step{1, i, i + o.Batch})
		}
		for k, cs := range classes {
			if o.ClassWeight == 0 {
				continue
			}
			t.rng.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
			for i := 0; i+2*o.Batch <= len(cs); i += 2 * o.Batch {
				steps = append(steps, step{2 + k, i, i + 2*o.Batch})
			}
		}
		t.rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		var loss [4]float32
		var count [4]int
		for _, s := range steps {
			var x []*text
			switch s.kind {
			case 0, 1:
				from := pairs
				if s.kind == 1 {
					from = same
				}
				var a, b []*text
				var eq []bool
				var groups []int
				for i, p := range from[s.from:s.to] {
					a, b = append(a, t.forward(2*i, p.A)), append(b, t.forward(2*i+1, p.B))
					eq = append(eq, p.Same)
					x = append(x, a[i], b[i])
					groups = append(groups, root(parent, group[p.A]), root(parent, group[p.B]))
				}
				if s.kind == 0 {
					loss[0] += pairLoss(a, b, eq, o.PairScale, o.PairWeight)
				} else {
					loss[1] += groupLoss(x, groups, ones, o.GroupScale, o.GroupWeight)
				}
			default:
				var groups []int
				for i, c := range classes[s.kind-2][s.from:s.to] {
					x = append(x, t.forward(i, c.Text))
					groups = append(groups, classID[c.Class])
				}
				loss[s.kind] += groupLoss(x, groups, ones, o.ClassScale, o.ClassWeight)
			}
			count[s.kind]++
			for _, y := range x {
				t.m.backward(y, rate)
			}
		}
		msg := fmt.Sprintf("epoch %d", epoch+1)
		for k := range loss {
			if count[k] > 0 {
				msg += fmt.Sprintf(" %.3f", loss[k]/float32(count[k]))
			}
		}
		o.Log("%s", msg)
		if after != nil {
			after(epoch)
		}
	}
}
