// Package linear is the learner behind the built-in models: linear scores over hashed sparse features and a few dense
// ones, one softmax a head.
//
// A model has heads (say emotion and polarity), each with classes of its own; all heads share the table of features, so
// one look-up serves them all. Sparse features are 64-bit keys, mostly of character n-grams (see Grams); they carry no
// value of their own, a Group gives one value to many keys. A trained Model keeps the features that matter, with weights
// of one byte.
//
// Training is a function of the examples in their order, the options and the seed: the same input gives the same bytes.
// The package knows nothing of emotions or mentions and imports nothing of this module.
package linear

import (
	"fmt"
	"math"
)

// Head is one decision: exactly one of its classes is right.
type Head struct {
	Name    string   `json:"name"`
	Classes []string `json:"classes"`
}

// Limits of a model. Reading refuses what exceeds them before it takes memory for it.
const (
	MaxClasses = 32 // of all heads together
	MaxDense   = 1 << 12
	MaxSparse  = 1 << 22
)

// Meta says what a model is and where it comes from.
type Meta struct {
	// Name is what the model is for; Features the version of the code that makes its features. A program refuses a model
	// whose Features are not its own.
	Name     string `json:"name"`
	Features string `json:"features"`
	Heads    []Head `json:"heads"`
	Dense    int    `json:"dense"`
	Sparse   int    `json:"sparse"`
	// Data is the digest of the training data, Sources what it was, Date and Command as the trainer was told.
	Data    string         `json:"data"`
	Sources map[string]int `json:"sources,omitempty"`
	Date    string         `json:"date,omitempty"`
	Command string         `json:"command,omitempty"`
	Seed    uint64         `json:"seed"`
	// Figures are what was measured when the model was made, by name; Params what the model's user needs beside weights.
	Figures map[string]float64 `json:"figures,omitempty"`
	Params  map[string]float64 `json:"params,omitempty"`
	// Scales turn the bytes of each class into weights.
	Scales []float32 `json:"scales"`
}

func (m *Meta) classes() int {
	n := 0
	for _, h := range m.Heads {
		n += len(h.Classes)
	}
	return n
}

func (m *Meta) check() error {
	if len(m.Heads) == 0 {
		return fmt.Errorf("no heads")
	}
	seen := map[string]bool{}
	for _, h := range m.Heads {
		if h.Name == "" || len(h.Classes) < 2 || seen[h.Name] {
			return fmt.Errorf("head %q has %d classes or stands twice", h.Name, len(h.Classes))
		}
		seen[h.Name] = true
	}
	switch n := m.classes(); {
	case n > MaxClasses:
		return fmt.Errorf("%d classes, at most %d", n, MaxClasses)
	case m.Dense < 0 || m.Dense > MaxDense:
		return fmt.Errorf("%d dense features, at most %d", m.Dense, MaxDense)
	case m.Sparse < 0 || m.Sparse > MaxSparse:
		return fmt.Errorf("%d sparse features, at most %d", m.Sparse, MaxSparse)
	case len(m.Scales) != n:
		return fmt.Errorf("%d scales for %d classes", len(m.Scales), n)
	}
	for _, s := range m.Scales {
		if !(s >= 0) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("scale %v", s)
		}
	}
	return nil
}

// Model is a trained model. It is immutable and safe for concurrent use.
type Model struct {
	meta    Meta
	classes int
	words   int // 64-bit words of a row: eight weights each
	dense   []float32
	table   table
}

// Meta gives the metadata. Its slices and maps must not be written to.
func (m *Model) Meta() Meta { return m.meta }

// Classes is the number of classes of all heads together, the length of a score vector.
func (m *Model) Classes() int { return m.classes }

// Softmax turns the scores of one head into probabilities, in place; temperature flattens (above 1) or sharpens them.
func Softmax(scores []float32, temperature float32) {
	top := scores[0]
	for _, s := range scores {
		top = max(top, s)
	}
	var sum float64
	for i, s := range scores {
		p := math.Exp(float64((s - top) / temperature))
		scores[i] = float32(p)
		sum += p
	}
	for i := range scores {
		scores[i] = float32(float64(scores[i]) / sum)
	}
}
