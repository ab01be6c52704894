package linear

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Group gives one value to many sparse features: usually 1/sqrt(number of keys), so that long texts do not outweigh.
type Group struct {
	Keys  []uint64
	Value float32
}

// Target is what an example says about a head: the classes of which one is right, as bits, and how much that weighs. A
// Target without classes says nothing about its head. Several classes are a partial label: the likelihood of their sum
// is raised, whichever of them the model then prefers (as in marginal likelihood for superset labels).
//
// Among, if not 0, are the classes that were to choose from when the row was labelled, as bits, Classes among them: a
// review with stars says positive rather than negative, and nothing about neutral, whose score it leaves alone.
type Target struct {
	Classes uint32
	Among   uint32
	Weight  float32
}

// Example is one training row.
type Example struct {
	Sparse  []Group
	Dense   []float32
	Targets []Target // one a head
}

// Options of training. The zero value is refused: Heads are needed; the rest has defaults.
type Options struct {
	Heads  []Head
	Dense  int    // number of dense features of every example
	Seed   uint64 // of the order of the examples
	Epochs int    // default 8
	// Rate is the learning rate of Adagrad, with one accumulator a feature. Default 0.5.
	Rate float32
	// Decay pulls a weight towards 0 each time its feature is seen, in units of the learning rate. Default 1e-5.
	Decay float32
	// MinCount leaves out sparse features of fewer examples. Default 2.
	MinCount int
	// MaxSparse is how many sparse features are kept, those of the greatest weight; training then starts again with only
	// these. 0 = all.
	MaxSparse int
	// Omit are sparse features that take part in training but not in the model: the bias of a data source.
	Omit []uint64
	// Progress, if not nil, is told of each epoch.
	Progress func(pass, epoch int, loss float64)
}

func (o *Options) defaults() {
	if o.Epochs == 0 {
		o.Epochs = 8
	}
	if o.Rate == 0 {
		o.Rate = 0.5
	}
	if o.Decay == 0 {
		o.Decay = 1e-5
	}
	if o.MinCount == 0 {
		o.MinCount = 2
	}
}

// Trainer collects examples and fits a model. It belongs to one goroutine.
type Trainer struct {
	o        Options
	meta     Meta
	classes  int
	index    map[uint32]int32 // key -> number of the feature
	keys     []uint32
	counts   []int32 // examples of a feature
	seen     []int32 // the last example that held it
	examples []packed
}

// packed is an example with features by number.
type packed struct {
	features []int32
	groups   []span
	dense    []float32
	targets  []Target
}

type span struct {
	end   int32 // of the group, in features
	value float32
}

// NewTrainer makes a trainer.
func NewTrainer(o Options) (*Trainer, error) {
	o.defaults()
	t := &Trainer{o: o, index: map[uint32]int32{}}
	t.meta = Meta{Heads: o.Heads, Dense: o.Dense, Seed: o.Seed}
	t.meta.Scales = make([]float32, t.meta.classes())
	if err := t.meta.check(); err != nil {
		return nil, fmt.Errorf("cannot train: %w", err)
	}
	t.classes = t.meta.classes()
	return t, nil
}

// Add takes an example; it keeps Dense and Targets, which must not change afterwards.
func (t *Trainer) Add(e Example) error {
	if len(e.Dense) != t.o.Dense || len(e.Targets) != len(t.o.Heads) {
		return fmt.Errorf("cannot add example %d: %d dense features and %d targets, want %d and %d",
			len(t.examples), len(e.Dense), len(e.Targets), t.o.Dense, len(t.o.Heads))
	}
	for h, x := range e.Targets {
		if (x.Classes|x.Among)>>len(t.o.Heads[h].Classes) != 0 || x.Among != 0 && x.Classes&^x.Among != 0 || !(x.Weight >= 0) {
			return fmt.Errorf("cannot add example %d: head %s: target %+v", len(t.examples), t.o.Heads[h].Name, x)
		}
	}
	n := int32(len(t.examples))
	p := packed{dense: e.Dense, targets: e.Targets}
	for _, g := range e.Sparse {
		for _, key := range g.Keys {
			k := notZero(uint32(key))
			f, ok := t.index[k]
			if !ok {
				f = int32(len(t.keys))
				t.index[k] = f
				t.keys, t.counts, t.seen = append(t.keys, k), append(t.counts, 0), append(t.seen, -1)
			}
			if t.seen[f] != n {
				t.seen[f] = n
				t.counts[f]++
			}
			p.features = append(p.features, f)
		}
		p.groups = append(p.groups, span{int32(len(p.features)), g.Value})
	}
	p.features = slices.Clip(p.features)
	t.examples = append(t.examples, p)
	return nil
}

// Examples is the number of examples added.
func (t *Trainer) Examples() int { return len(t.examples) }

// Train fits the model. The examples are used up.
func (t *Trainer) Train() (*Model, error) {
	if len(t.examples) == 0 {
		return nil, errors.New("cannot train without examples")
	}
	omit := map[uint32]bool{}
	for _, k := range t.o.Omit {
		omit[notZero(uint32(k))] = true
	}
	t.keep(func(f int) bool { return int(t.counts[f]) >= t.o.MinCount || omit[t.keys[f]] })
	w := t.fit(1)
	if t.o.MaxSparse > 0 && len(t.keys) > t.o.MaxSparse {
		weight := make([]float32, len(t.keys))
		// A class is judged by its own measure: those of a head with many rows have greater weights.
		size := make([]float64, t.classes)
		for i, x := range w.sparse {
			size[i%t.classes] += float64(x) * float64(x)
		}
		norm := make([]float32, t.classes)
		for c := range norm {
			if size[c] > 0 {
				norm[c] = float32(1 / math.Sqrt(size[c]))
			}
		}
		for f := range weight {
			if omit[t.keys[f]] {
				weight[f] = math.MaxFloat32
				continue
			}
			// A rare feature of the same weight changes fewer decisions.
			for c, x := range w.sparse[f*t.classes:][:t.classes] {
				weight[f] = max(weight[f], norm[c]*x, -norm[c]*x)
			}
			weight[f] *= float32(math.Log1p(float64(t.counts[f])))
		}
		order := slices.Clone(weight)
		slices.Sort(order)
		least := order[len(order)-t.o.MaxSparse]
		left := t.o.MaxSparse
		t.keep(func(f int) bool {
			if weight[f] >= least && left > 0 {
				left--
				return true
			}
			return false
		})
		w = t.fit(2)
	}
	return t.model(w, omit), nil
}

// keep renumbers the features for which ok holds and forgets the others.
func (t *Trainer) keep(ok func(f int) bool) {
	to := make([]int32, len(t.keys))
	var keys []uint32
	var counts []int32
	for f := range t.keys {
		if to[f] = -1; ok(f) {
			to[f] = int32(len(keys))
			keys, counts = append(keys, t.keys[f]), append(counts, t.counts[f])
		}
	}
	t.keys, t.counts, t.seen, t.index = keys, counts, nil, nil
	for i := range t.examples {
		e := &t.examples[i]
		n, from := 0, 0
		for g := range e.groups {
			for _, f := range e.features[from:e.groups[g].end] {
				if k := to[f]; k >= 0 {
					e.features[n] = k
					n++
				}
			}
			from, e.groups[g].end = int(e.groups[g].end), int32(n)
		}
		e.features = e.features[:n]
	}
}

type weights struct {
	sparse, dense []float32 // rows of classes
}

// fit runs Adagrad (Duchi, Hazan, Singer 2011) over the softmax losses of the heads, with one accumulator a feature, and
// gives the mean of the weights at the ends of the later epochs.
func (t *Trainer) fit(pass int) weights {
	k := t.classes
	w := weights{make([]float32, len(t.keys)*k), make([]float32, t.o.Dense*k)}
	mean := weights{make([]float32, len(w.sparse)), make([]float32, len(w.dense))}
	const initial = 1e-3
	accSparse, accDense := fill(len(t.keys), initial), fill(t.o.Dense, initial)
	rng := rand.New(rand.NewPCG(t.o.Seed, uint64(pass)))
	order := make([]int32, len(t.examples))
	for i := range order {
		order[i] = int32(i)
	}
	scores, grad := make([]float32, k), make([]float32, k)
	averaged := 0
	for epoch := range t.o.Epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		loss := 0.0
		for _, i := range order {
			e := &t.examples[i]
			clear(scores)
			from := int32(0)
			for _, g := range e.groups {
				for _, f := range e.features[from:g.end] {
					addRow(scores, w.sparse[int(f)*k:][:k], g.value)
				}
				from = g.end
			}
			for d, v := range e.dense {
				if v != 0 {
					addRow(scores, w.dense[d*k:][:k], v)
				}
			}
			l, norm := t.gradient(e, scores, grad)
			if loss += l; norm == 0 {
				continue
			}
			from = 0
			for _, g := range e.groups {
				v := g.value
				for _, f := range e.features[from:g.end] {
					t.update(w.sparse[int(f)*k:][:k], grad, v, norm, &accSparse[f])
				}
				from = g.end
			}
			for d, v := range e.dense {
				if v != 0 {
					t.update(w.dense[d*k:][:k], grad, v, norm, &accDense[d])
				}
			}
		}
		if t.o.Progress != nil {
			t.o.Progress(pass, epoch+1, loss/float64(len(order)))
		}
		if epoch >= t.o.Epochs/2 {
			averaged++
			accumulate(mean.sparse, w.sparse)
			accumulate(mean.dense, w.dense)
		}
	}
	scale(mean.sparse, 1/float32(averaged))
	scale(mean.dense, 1/float32(averaged))
	return mean
}

func (t *Trainer) update(row, grad []float32, v, norm float32, acc *float32) {
	*acc += float32(v * v * norm)
	rate := t.o.Rate / float32(math.Sqrt(float64(*acc)))
	keep, by := 1-float32(rate*t.o.Decay), float32(rate*v)
	for c, g := range grad[:len(row)] {
		row[c] = float32(keep*row[c]) - float32(by*g)
	}
}

// gradient gives the loss of an example and the derivative of it by the scores, with its squared norm.
func (t *Trainer) gradient(e *packed, scores, grad []float32) (loss float64, norm float32) {
	at := 0
	for h := range t.o.Heads {
		n := len(t.o.Heads[h].Classes)
		p, g := scores[at:at+n], grad[at:at+n]
		at += n
		target := e.targets[h]
		if target.Classes == 0 || target.Weight == 0 {
			clear(g)
			continue
		}
		if target.Among != 0 {
			for c := range p {
				if target.Among>>c&1 == 0 {
					p[c] = never
				}
			}
		}
		Softmax(p, 1)
		right := float32(0)
		for c, x := range p {
			if target.Classes>>c&1 != 0 {
				right += x
			}
		}
		right = max(right, 1e-7)
		for c, x := range p {
			g[c] = x
			if target.Classes>>c&1 != 0 {
				g[c] -= x / right
			}
			g[c] *= target.Weight
			norm += float32(g[c] * g[c])
		}
		loss -= float64(target.Weight) * math.Log(float64(right))
	}
	return loss, norm
}

// never is the score of a class that is not to choose from.
const never = -1e9

// The products are rounded before they are added, so that processors with fused multiply-add give the same weights.

func addRow(to, row []float32, v float32) {
	for c, x := range row[:len(to)] {
		to[c] += float32(v * x)
	}
}

func accumulate(to, x []float32) {
	for i, v := range x {
		to[i] += v
	}
}

func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}

func fill(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// model turns weights into bytes: each class has the scale of its greatest weight.
func (t *Trainer) model(w weights, omit map[uint32]bool) *Model {
	k := t.classes
	meta := t.meta
	meta.Scales = make([]float32, k)
	type kept struct {
		key uint32
		f   int
	}
	var rows []kept
	for f, key := range t.keys {
		if omit[key] {
			continue
		}
		rows = append(rows, kept{key, f})
		for c, x := range w.sparse[f*k:][:k] {
			meta.Scales[c] = max(meta.Scales[c], x/127, -x/127)
		}
	}
	slices.SortFunc(rows, func(a, b kept) int { return int(int64(a.key) - int64(b.key)) })
	keys, quantised := make([]uint32, 0, len(rows)), make([]int8, 0, len(rows)*k)
	for _, r := range rows {
		row, any := w.sparse[r.f*k:][:k], false
		for c, x := range row {
			q := int8(0)
			if meta.Scales[c] > 0 {
				q = int8(math.RoundToEven(float64(x / meta.Scales[c])))
			}
			quantised = append(quantised, q)
			any = any || q != 0
		}
		if !any {
			quantised = quantised[:len(quantised)-k]
			continue
		}
		keys = append(keys, r.key)
	}
	return assemble(meta, w.dense, keys, quantised)
}

// assemble makes a model of its parts; keys ascend.
func assemble(meta Meta, dense []float32, keys []uint32, weights []int8) *Model {
	k := meta.classes()
	words := (k + 7) / 8
	meta.Sparse = len(keys)
	return &Model{meta: meta, classes: k, words: words, dense: dense, table: newTable(keys, weights, k, words)}
}
