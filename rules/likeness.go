package rules

import "math"

// Encoder turns a normalised text into a vector. It must be pure, deterministic and safe for concurrent use.
type Encoder interface {
	// Dim is the length of the vectors.
	Dim() int
	// Encode appends the vector of text to dst, of length 1, or all zeros where it knows nothing of the text.
	Encode(dst []float32, text string) []float32
	// Version names the model.
	Version() string
}

// exemplars are the sentences of all similar operators, each once, with their vectors in one matrix.
type exemplars struct {
	enc   Encoder
	dim   int
	ids   map[string]int32
	texts []string
	vecs  []float32 // dim a row
	floor []float32 // least similarity that any operator asks of the sentence
	marks [][]int32 // of the operators that use the sentence
	roles roleMask  // whose turns are looked at; maskAny where anybody's
	any   bool
	turns bool // some operator compares whole turns
	parts bool // some operator compares clauses
	wakes bool // some rule waits for a similarity
	// A short sketch of each vector rules out most sentences: its first coordinates in a basis that holds most of their
	// length, and the length of the rest. By Cauchy and Schwarz, q.x <= sketch(q).sketch(x) + rest(q) rest(x); the first
	// half of a sketch is tried before the whole.
	basis        []float32 // sketchDim rows of dim
	heads, tails []sketch  // apart, as most sentences are ruled out by the first alone
}

// sketch is half of the coordinates of a vector along the main axes, how long what is left out so far is, and what the
// sentence asks for.
type sketch struct {
	at          [sketchDim / 2]float32
	rest, floor float32
}

const (
	// sketchDim is the length of a sketch; sketchFrom is the number of sentences from which sketches pay.
	sketchDim  = 32
	sketchFrom = 128
	// maxExemplars bounds the sentences of all packs.
	maxExemplars = 50_000
	// slack covers the rounding of sums of 32-bit products, so that a sketch never rules out what holds.
	slack = 1e-4
)

func newExemplars(enc Encoder) *exemplars {
	return &exemplars{enc: enc, dim: enc.Dim(), ids: map[string]int32{}}
}

// add encodes a sentence, once; ok is false where the encoder knows nothing of it.
func (x *exemplars) add(text string, floor float32, mark int32) (id int32, ok bool) {
	id, known := x.ids[text]
	if !known {
		v := x.enc.Encode(make([]float32, 0, x.dim), text)
		if len(v) != x.dim || dot(v, v) < 0.5 {
			return 0, false
		}
		id = int32(len(x.texts))
		x.ids[text] = id
		x.texts = append(x.texts, text)
		x.vecs = append(x.vecs, v...)
		x.floor = append(x.floor, floor)
		x.marks = append(x.marks, nil)
	}
	x.floor[id] = min(x.floor[id], floor)
	x.marks[id] = append(x.marks[id], mark)
	return id, true
}

func (x *exemplars) row(k int32) []float32 { return x.vecs[int(k)*x.dim : (int(k)+1)*x.dim] }

// finish makes the sketches.
func (x *exemplars) finish() {
	n := len(x.texts)
	if n < sketchFrom || x.dim <= 2*sketchDim {
		return
	}
	x.basis = x.principal()
	x.heads, x.tails = make([]sketch, n), make([]sketch, n)
	for k := range n {
		x.heads[k], x.tails[k] = x.project(x.row(int32(k)))
		x.heads[k].floor = x.floor[k] - slack
	}
}

// principal approximates the main axes of the sentences by orthogonal iteration (Golub and Van Loan, Matrix
// Computations, section 8.2) over an even sample of them. Any orthonormal basis would do; this one leaves little rest.
func (x *exemplars) principal() []float32 {
	const sample, rounds = 512, 4
	n := len(x.texts)
	step := max(1, n/sample)
	basis := make([]float32, sketchDim*x.dim)
	for i := range sketchDim {
		copy(basis[i*x.dim:], x.row(int32(i*(n/sketchDim))))
	}
	orthonormal(basis, x.dim)
	for range rounds {
		next := make([]float32, len(basis))
		for k := 0; k < n; k += step {
			v := x.row(int32(k))
			for i := range sketchDim {
				c := dot(basis[i*x.dim:(i+1)*x.dim], v)
				to := next[i*x.dim : (i+1)*x.dim]
				for j := range to {
					to[j] += c * v[j]
				}
			}
		}
		basis = next
		orthonormal(basis, x.dim)
	}
	return basis
}

// orthonormal makes the rows of a matrix orthogonal and of length 1 (Gram and Schmidt, twice for accuracy); rows that
// depend on those before them become unit vectors of the axes or zero.
func orthonormal(m []float32, dim int) {
	for i := 0; i < len(m)/dim; i++ {
		v := m[i*dim : (i+1)*dim]
		for range 2 {
			for k := range i {
				u := m[k*dim : (k+1)*dim]
				c := dot(u, v)
				for j := range v {
					v[j] -= c * u[j]
				}
			}
			if length := float32(math.Sqrt(float64(dot(v, v)))); length > 1e-6 {
				for j := range v {
					v[j] /= length
				}
			} else {
				clear(v)
			}
		}
	}
}

// project makes the sketch of a vector.
func (x *exemplars) project(v []float32) (head, tail sketch) {
	left := dot(v, v)
	along := func(to *sketch, from int) {
		for i := range to.at {
			c := dot(x.basis[(from+i)*x.dim:(from+i+1)*x.dim], v)
			left -= c * c
			to.at[i] = c
		}
		to.rest = float32(math.Sqrt(float64(max(left, 0))))
	}
	along(&head, 0)
	along(&tail, sketchDim/2)
	return head, tail
}

// like calls f for every sentence that is near enough to v for some operator.
func (x *exemplars) like(v []float32, f func(k int32, score float32)) {
	if x.basis == nil {
		for k := range int32(len(x.texts)) {
			if s := dot(v, x.row(k)); s >= x.floor[k] {
				f(k, s)
			}
		}
		return
	}
	head, tail := x.project(v)
	for k := range x.heads {
		h := &x.heads[k]
		near := dotHalf(&head.at, &h.at)
		if near+head.rest*h.rest < h.floor {
			continue
		}
		if t := &x.tails[k]; near+dotHalf(&tail.at, &t.at)+tail.rest*t.rest < h.floor {
			continue
		}
		if s := dot(v, x.row(int32(k))); s >= x.floor[k] {
			f(int32(k), s)
		}
	}
}

// dotHalf is dot for the halves of sketches.
func dotHalf(a, b *[sketchDim / 2]float32) float32 {
	var s0, s1, s2, s3 float32
	for i := 0; i < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return (s0 + s1) + (s2 + s3)
}

// dot is the inner product of two vectors of one length, summed in a fixed order.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+3 < len(a); i += 4 {
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

// alike is a stretch of a turn that is similar to a sentence.
type alike struct {
	exemplar   int32
	score      float32
	start, end int32
	part       bool // a clause, not the whole turn
}

// likeness is what was compared of one session.
type likeness struct {
	of     []likedTurn
	all    []alike
	vector []float32
}

type likedTurn struct {
	done     bool
	from, to int32
}

func (l *likeness) reset() { l.of, l.all = l.of[:0], l.all[:0] }

// likedIn gives what a turn is similar to, compared once a session.
func (e *evaluation) likedIn(i int32) []alike {
	st := &e.senses.likeness
	for len(st.of) <= int(i) {
		st.of = append(st.of, likedTurn{})
	}
	if t := st.of[i]; t.done {
		return st.all[t.from:t.to]
	}
	x := e.set.likes
	from := int32(len(st.all))
	text := e.text(i)
	compare := func(start, end int32, part bool) {
		if contentChars(text[start:end]) == 0 {
			return
		}
		st.vector = x.enc.Encode(st.vector[:0], text[start:end])
		if len(st.vector) != x.dim {
			return
		}
		x.like(st.vector, func(k int32, score float32) {
			st.all = append(st.all, alike{k, score, start, end, part})
		})
	}
	if x.turns {
		compare(0, int32(len(text)), false)
	}
	if x.parts {
		for _, c := range e.clauses(i) {
			compare(c.start, c.end, true)
		}
	}
	st.of[i] = likedTurn{true, from, int32(len(st.all))}
	return st.all[from:]
}

// compareTurn compares the next turn where a rule waits for that, and wakes the rule.
func (e *evaluation) compareTurn(i int32) {
	x := e.set.likes
	if !x.any && maskOf(e.t.Turns[i].Role)&x.roles == 0 {
		return
	}
	for _, a := range e.likedIn(i) {
		for _, mark := range x.marks[a.exemplar] {
			e.wake(mark)
		}
	}
}
