// Package train makes the encoder's model: it learns a vector for every token and n-gram from pairs of texts that mean the
// same, from pairs that look alike but do not, and from texts of the same intent. Training runs on one core and is
// deterministic: equal data, options and seed give equal files.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tingke/tingke/nlp/encoder"
)

// maxWord is the longest word that is cut into pieces.
const maxWord = 100

// normalizer leaves texts as they are, except that each Han character is a word: texts come normalised (textnorm).
var normalizer = encoder.Normalizer{HandleChineseChars: true}

// Options are the choices of a run. Defaults gives those of the built-in model.
type Options struct {
	Seed uint64
	// Dim is the length of a vector, a multiple of 8.
	Dim int
	// Epochs is how often all pairs are seen. The vectors of the last Average epochs are averaged.
	Epochs, Average int
	// Rate is the first step of Adagrad; it falls to zero in a straight line.
	Rate float32
	// Drop is the share of features left out of a text each time.
	Drop float32
	// Ngrams says which n-grams are features; those that MinCount texts hold, at most MaxNgrams.
	Ngrams              encoder.NgramKinds
	MinCount, MaxNgrams int
	// NgramScale is the length of an n-gram's first vector to a token's of equal frequency.
	NgramScale float64
	// Batch is the number of pairs that are compared at once.
	Batch int
	// RankScale, GroupScale and ClassScale are the inverse temperatures of the losses, the weights their shares.
	RankScale, GroupScale, ClassScale    float32
	RankWeight, GroupWeight, ClassWeight float32
	// CleanAfter is the number of epochs after which texts are left out whose class is not among the CleanRank nearest.
	CleanAfter, CleanRank int
	// The cosine that is to part texts of one group from others is Threshold for every source, so that one granularity
	// suits them all; this loss has its scale and weight, and what couples of different groups weigh in it.
	Threshold, ThresholdScale, ThresholdWeight float32
	Balance, ClassBalance                      float32
	// Log is told of each epoch; nil for nobody.
	Log func(line string)
}

// Defaults are the options of the built-in model; they were chosen on the part of the data that is kept back.
func Defaults() Options {
	return Options{
		Seed: 1, Dim: 192, Epochs: 6, Average: 3, Rate: 0.02, Drop: 0.2,
		Ngrams: encoder.NgramKinds{Order: 2}, MinCount: 3, MaxNgrams: 18_000, NgramScale: 0.7, Batch: 128,
		RankScale: 20, GroupScale: 20, ClassScale: 10, RankWeight: 0.3, GroupWeight: 1, ClassWeight: 1,
		Threshold: 0.65, ThresholdScale: 14, ThresholdWeight: 0.5, Balance: 0.5, ClassBalance: 0.1,
	}
}

func (o *Options) validate() error {
	if o.Dim <= 0 || o.Dim%8 != 0 || o.Dim > 512 {
		return fmt.Errorf("the dimension is %d: a multiple of 8 up to 512 is needed", o.Dim)
	}
	if o.Epochs < 1 || o.Average < 0 || o.Average > o.Epochs || o.Batch < 2 {
		return errors.New("at least one epoch and two pairs a batch are needed, and not more epochs to average than there are")
	}
	return nil
}

// trainer is a run.
type trainer struct {
	o   Options
	f   *features
	m   *model
	rng *rand.Rand
	// pool holds the texts of a batch, cache the features of all texts.
	pool  []*text
	cache map[string][]int32
	log   func(string, ...any)
}

func newTrainer(d *Data, o Options) (*trainer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	var texts []string
	for _, p := range d.Pairs {
		texts = append(texts, p.A, p.B)
	}
	for _, c := range d.Classes {
		for _, l := range c {
			texts = append(texts, l.Text)
		}
	}
	if len(texts) == 0 {
		return nil, errors.New("there is nothing to learn from")
	}
	f, err := newFeatures(texts, d.Texts, o)
	if err != nil {
		return nil, err
	}
	t := &trainer{o: o, f: f, rng: rand.New(rand.NewPCG(o.Seed, 1)), cache: map[string][]int32{}}
	t.log = func(format string, args ...any) {
		if o.Log != nil {
			o.Log(fmt.Sprintf(format, args...))
		}
	}
	t.m = newModel(f, o.Dim, t.rng, o.NgramScale)
	return t, nil
}

// rows gives the features of a text.
func (t *trainer) rows(s string) []int32 {
	r, ok := t.cache[s]
	if !ok {
		r = t.f.of(s)
		t.cache[s] = r
	}
	return r
}

// forward encodes the i-th text of a batch.
func (t *trainer) forward(i int, s string) *text {
	for len(t.pool) <= i {
		t.pool = append(t.pool, t.m.newText())
	}
	t.m.forward(t.pool[i], t.rows(s), t.o.Drop, t.rng)
	return t.pool[i]
}

// vector encodes a text with the model as it is.
func (t *trainer) vector(s string) []float32 {
	x := t.m.newText()
	t.m.forward(x, t.rows(s), 0, nil)
	return x.unit
}

// batch is a stretch of a list that is learned at once: of all pairs, of those of equal meaning, or of a list of classes.
type batch struct {
	kind, from, to int
}

const (
	allPairs = iota
	samePairs
	classTexts
)

// run trains for all epochs and calls after each.
func (t *trainer) run(ctx context.Context, d *Data, after func(epoch int)) error {
	o := t.o
	g := newGroups()
	pairs, same := slices.Clone(d.Pairs), []Pair(nil)
	for _, p := range pairs {
		g.id(p.A)
		g.id(p.B)
		if p.Same {
			// Texts joined by pairs of equal meaning never repel each other.
			g.join(p.A, p.B)
			same = append(same, p)
		}
	}
	classes := make([][]Labelled, len(d.Classes))
	classID := map[string]int{}
	for k, c := range d.Classes {
		classes[k] = slices.Clone(c)
		for _, l := range c {
			if _, ok := classID[l.Class]; !ok {
				classID[l.Class] = len(classID)
			}
		}
	}
	var average []float32
	for epoch := range o.Epochs {
		if o.CleanRank > 0 && epoch == o.CleanAfter {
			for k := range classes {
				before := len(classes[k])
				classes[k] = t.clean(classes[k])
				t.log("%d of %d texts keep their class", len(classes[k]), before)
			}
		}
		rate := o.Rate * (1 - float32(epoch)/float32(o.Epochs))
		shuffle(t.rng, pairs)
		shuffle(t.rng, same)
		var batches []batch
		cut := func(kind, rows, size int) {
			size = min(size, rows)
			for i := 0; size > 1 && i+size <= rows; i += size {
				batches = append(batches, batch{kind, i, i + size})
			}
		}
		cut(allPairs, len(pairs), o.Batch)
		cut(samePairs, len(same), o.Batch)
		for k := range classes {
			shuffle(t.rng, classes[k])
			cut(classTexts+k, len(classes[k]), 2*o.Batch)
		}
		shuffle(t.rng, batches)
		var loss [3]float64
		var count [3]float64
		for _, b := range batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			kind := min(b.kind, classTexts)
			var texts []*text
			var l float32
			switch kind {
			case classTexts:
				texts, l = t.learnClasses(classes[b.kind-classTexts][b.from:b.to], classID)
			case samePairs:
				texts, l = t.learnPairs(same[b.from:b.to], g)
			default:
				texts, l = t.learnPairs(pairs[b.from:b.to], g)
			}
			loss[kind] += float64(l)
			count[kind]++
			for _, x := range texts {
				t.m.backward(x, rate)
			}
		}
		for k := range loss {
			loss[k] /= max(1, count[k])
		}
		t.log("epoch %d of %d: loss of pairs %.3f, of equal pairs %.3f, of classes %.3f", epoch+1, o.Epochs, loss[0], loss[1], loss[2])
		if epoch >= o.Epochs-o.Average {
			if average == nil {
				average = make([]float32, len(t.m.vectors))
			}
			axpy(average, 1/float32(o.Average), t.m.vectors)
			if epoch == o.Epochs-1 {
				copy(t.m.vectors, average)
			}
		}
		if after != nil {
			after(epoch)
		}
	}
	return nil
}

func shuffle[T any](rng *rand.Rand, s []T) {
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// learnPairs ranks pairs of equal meaning above the others, and draws their texts together and all others of the batch
// apart.
func (t *trainer) learnPairs(pairs []Pair, g *groups) (texts []*text, loss float32) {
	a, b := make([]*text, len(pairs)), make([]*text, len(pairs))
	same := make([]bool, len(pairs))
	var group []int
	for i, p := range pairs {
		a[i], b[i], same[i] = t.forward(2*i, p.A), t.forward(2*i+1, p.B), p.Same
		texts = append(texts, a[i], b[i])
		group = append(group, g.of(p.A), g.of(p.B))
	}
	loss = rankLoss(a, b, same, t.o.RankScale, t.o.RankWeight)
	loss += groupLoss(texts, group, t.o.GroupScale, t.o.GroupWeight)
	loss += thresholdLoss(texts, group, t.o.ThresholdScale, t.o.Threshold, t.o.Balance, t.o.ThresholdWeight)
	return texts, loss
}

func (t *trainer) learnClasses(rows []Labelled, id map[string]int) (texts []*text, loss float32) {
	var group []int
	for i, r := range rows {
		texts = append(texts, t.forward(i, r.Text))
		group = append(group, id[r.Class])
	}
	loss = groupLoss(texts, group, t.o.ClassScale, t.o.ClassWeight)
	loss += thresholdLoss(texts, group, t.o.ThresholdScale, t.o.Threshold, t.o.ClassBalance, t.o.ThresholdWeight)
	return texts, loss
}

// clean leaves out texts whose class is not among the CleanRank whose centres are nearest: its label is likely wrong. A
// text has no part in the centre it is compared with.
func (t *trainer) clean(rows []Labelled) []Labelled {
	centres := map[string][]float32{}
	var names []string
	vectors := make([][]float32, len(rows))
	for i, r := range rows {
		vectors[i] = t.vector(r.Text)
		if centres[r.Class] == nil {
			centres[r.Class] = make([]float32, t.m.dim)
			names = append(names, r.Class)
		}
		axpy(centres[r.Class], 1, vectors[i])
	}
	length := func(v []float32) float32 { return float32(math.Sqrt(float64(dot(v, v)))) }
	rest := make([]float32, t.m.dim)
	var kept []Labelled
	for i, r := range rows {
		copy(rest, centres[r.Class])
		axpy(rest, -1, vectors[i])
		own := dot(rest, vectors[i]) / max(length(rest), 1e-6)
		above := 0
		for _, n := range names {
			if n != r.Class && dot(centres[n], vectors[i])/max(length(centres[n]), 1e-6) > own {
				above++
			}
		}
		if above < t.o.CleanRank {
			kept = append(kept, r)
		}
	}
	return kept
}
