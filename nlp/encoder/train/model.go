package train

import (
	"math"
	"math/rand/v2"
)

// model holds a vector for every feature. A text is the normalised sum of the vectors of its features.
type model struct {
	dim     int
	vectors []float32
	// squares sums the squared gradients of a row, for Adagrad.
	squares []float32
}

// newModel draws vectors of random direction; their lengths are the inverse document frequencies, so that an untrained
// model is a random projection of tf-idf.
func newModel(f *features, dim int, rng *rand.Rand, ngramScale float64) *model {
	m := &model{dim: dim, vectors: make([]float32, f.size()*dim), squares: make([]float32, f.size())}
	for row := range f.size() {
		idf := math.Log(float64(f.texts+1)/float64(f.count[row]+1)) / math.Log(float64(f.texts+1))
		if row >= len(f.pieces) {
			idf *= ngramScale
		}
		v := m.row(int32(row))
		for i := range v {
			v[i] = float32(rng.NormFloat64() * idf / math.Sqrt(float64(dim)))
		}
	}
	return m
}

func (m *model) row(r int32) []float32 { return m.vectors[int(r)*m.dim : (int(r)+1)*m.dim] }

// text is a forward pass: the rows that were not dropped, the unit vector, the length before normalisation, and the
// gradient of the loss to the unit vector.
type text struct {
	rows   []int32
	unit   []float32
	length float32
	grad   []float32
}

func (m *model) newText() *text {
	return &text{unit: make([]float32, m.dim), grad: make([]float32, m.dim)}
}

// forward reads rows into t, leaving out each with the probability drop.
func (m *model) forward(t *text, rows []int32, drop float32, rng *rand.Rand) {
	t.rows = t.rows[:0]
	for _, r := range rows {
		if drop == 0 || rng.Float32() >= drop {
			t.rows = append(t.rows, r)
		}
	}
	if len(t.rows) == 0 {
		t.rows = append(t.rows, rows...)
	}
	clear(t.unit)
	clear(t.grad)
	for _, r := range t.rows {
		v := m.row(r)
		u := t.unit[:len(v)]
		for i, x := range v {
			u[i] += x
		}
	}
	t.length = float32(math.Sqrt(float64(dot(t.unit, t.unit))))
	if t.length < 1e-6 {
		t.length = 1e-6
	}
	for i := range t.unit {
		t.unit[i] /= t.length
	}
}

// backward moves the vectors of t's rows against the gradient.
func (m *model) backward(t *text, rate float32) {
	along := dot(t.grad, t.unit)
	square := float32(0)
	for i := range t.grad {
		g := (t.grad[i] - along*t.unit[i]) / t.length
		t.grad[i] = g
		square += g * g
	}
	if square == 0 {
		return
	}
	square /= float32(m.dim)
	for _, r := range t.rows {
		m.squares[r] += square
		step := rate / float32(math.Sqrt(float64(m.squares[r])+1e-12))
		v := m.row(r)
		g := t.grad[:len(v)]
		for i := range v {
			v[i] -= step * g[i]
		}
	}
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func axpy(y []float32, a float32, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}
