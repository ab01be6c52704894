package opinion

import (
	"math"
	"strings"
	"sync"
	"unicode"
)

// Encoder turns a normalised text into a vector of Dim numbers, of length 1, appended to dst; a text it knows nothing
// of may give zeros. It must be pure and safe for concurrent use. Version names the model.
type Encoder interface {
	Dim() int
	Encode(dst []float32, text string) []float32
	Version() string
}

// Space is where mentions are compared: a text becomes one vector of the encoder's numbers, hashed n-grams of its
// folded words, and what kind of sentence it is; the dot product of two vectors is their similarity, 1 for equal texts.
// It is immutable and safe for concurrent use.
type Space struct {
	enc        Encoder
	encDim     int
	we, wl, wk float32 // square roots of the shares of encoder, n-grams and sentence kind
	version    string
}

// Shares of the three parts in the similarity of two texts.
type shares struct{ encoder, lexical, kind float64 }

var (
	withEncoder    = shares{.94, .06, 0}
	withoutEncoder = shares{0, .9, .1}
)

const (
	lexicalDim = 128
	kindDim    = kindAffirmed + 1
)

// NewSpace makes a space; without an encoder only n-grams and sentence kinds are compared.
func NewSpace(e Encoder) *Space {
	if e == nil {
		return newSpace(nil, withoutEncoder)
	}
	return newSpace(e, withEncoder)
}

func newSpace(e Encoder, w shares) *Space {
	s := &Space{enc: e, version: "lexical"}
	if e != nil {
		s.encDim, s.version = e.Dim(), e.Version()
	}
	root := func(v float64) float32 { return float32(math.Sqrt(v)) }
	s.we, s.wl, s.wk = root(w.encoder), root(w.lexical), root(w.kind)
	return s
}

// Dim is the number of components of a vector.
func (s *Space) Dim() int { return s.encDim + lexicalDim + kindDim }

var scratch = sync.Pool{New: func() any { return new([]float32) }}

// Vector appends the vector of a normalised text to dst.
func (s *Space) Vector(dst []float32, norm string) []float32 {
	from := len(dst)
	bare := plain(norm)
	folded := folder.Replace(countless(bare))
	if s.enc != nil {
		// The sum of both readings: as it was said, and folded. Either alone does worse.
		dst = s.enc.Encode(dst, bare)
		meant := scratch.Get().(*[]float32)
		*meant = s.enc.Encode((*meant)[:0], spoken.Replace(folded))
		for i, v := range *meant {
			dst[from+i] += v
		}
		scratch.Put(meant)
		unit(dst[from:])
		scale(dst[from:], s.we)
	}
	at := len(dst)
	dst = append(dst, make([]float32, lexicalDim+kindDim)...)
	lexical(dst[at:at+lexicalDim], folded, s.wl)
	kind(dst[at+lexicalDim:], folded, s.wk)
	unit(dst[from:])
	return dst
}

// lexical adds the hashed 1-, 2- and 3-grams of a folded text, with a sign from the hash so that collisions cancel.
func lexical(dst []float32, folded string, weight float32) {
	var prev, prev2 rune
	var w1, w2 float32
	for _, r := range folded {
		if !(unicode.IsLetter(r) || unicode.IsDigit(r)) {
			prev, prev2 = 0, 0
			continue
		}
		w := float32(1)
		if light[r] {
			w = .25
		}
		put(dst, uint64(r), .7*w)
		if prev != 0 {
			put(dst, uint64(prev)<<21|uint64(r), (w+w1)/2)
			if prev2 != 0 {
				put(dst, uint64(prev2)<<42|uint64(prev)<<21|uint64(r), .5*(w+w1+w2)/3)
			}
		}
		prev2, prev, w2, w1 = prev, r, w1, w
	}
	if n := norm(dst); n > 0 {
		scale(dst, weight/n)
	}
}

func put(dst []float32, key uint64, w float32) {
	h := (key ^ key>>29) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	i := h >> 40 % lexicalDim
	if h&1 == 0 {
		w = -w
	}
	dst[i] += w
}

// Kinds of sentences, by what a folded text asks for.
const (
	kindPlain = iota
	kindWhy
	kindWhen
	kindAmount
	kindHow
	kindDenied // not a kind: components of a vector that say whether something is denied
	kindAffirmed
	kinds = kindDenied
)

// kindOf gives the kind of a folded text: why wins over all others, else the first question word.
func kindOf(folded string) int {
	k := kindPlain
	for i := 0; i < len(folded); i++ {
		switch folded[i] {
		case 'W':
			return kindWhy
		case 'T', 'C', 'H':
			if k == kindPlain {
				k = map[byte]int{'T': kindWhen, 'C': kindAmount, 'H': kindHow}[folded[i]]
			}
		}
	}
	return k
}

// kind writes what sort of sentence it is, and whether it denies something.
func kind(dst []float32, folded string, weight float32) {
	dst[kindOf(folded)] = .8 * weight
	if strings.ContainsAny(folded, "不没无未") {
		dst[kindDenied] = .6 * weight
	} else {
		dst[kindAffirmed] = .6 * weight
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

func norm(v []float32) float32 { return float32(math.Sqrt(float64(dot(v, v)))) }

func scale(v []float32, f float32) {
	for i := range v {
		v[i] *= f
	}
}

func unit(v []float32) {
	if n := norm(v); n > 0 {
		scale(v, 1/n)
	}
}

// Similarity of two normalised texts, as opinions see them: at most 1, about 0 for texts that have nothing in common.
func (m *Model) Similarity(a, b string) float64 {
	return float64(dot(m.space.Vector(nil, a), m.space.Vector(nil, b)))
}
