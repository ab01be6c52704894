// Package encoder turns a short text into a vector whose cosine with another text's vector says how much the two mean the
// same. It is a static embedding: every token and n-gram of the text has a learned vector, and the text's is their
// normalised sum.
//
// A model is a folder: tokenizer.json (Hugging Face format), model.safetensors and config.json. The built-in one is made
// by `tingke train encoder`; any folder of this kind, such as a model2vec one, can take its place. The tokenizer is
// loaded through sugarme/tokenizer; texts are cut by a vocabulary compiled from it, which gives the same tokens thirty
// times faster.
//
// It imports nlp/textnorm, never rules or pipeline.
package encoder

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/sugarme/tokenizer"

	encodermodel "github.com/tingke/tingke/nlp/models/encoder"
	"github.com/tingke/tingke/nlp/textnorm"
)

// Encoder makes vectors. It is immutable and safe for concurrent use; equal texts give equal vectors on every machine.
type Encoder struct {
	version    string
	dim        int
	vocabulary *Vocabulary
	library    *tokenizer.Tokenizer
	kinds      NgramKinds
	ngrams     *table
	// One of the two holds the vectors: tokens first, then n-grams.
	bytes  *byteRows
	floats []float32
	// rows maps tokens to vectors where they are not one to one.
	rows   []int32
	tokens int
	sums   sync.Pool
}

// Default gives the built-in encoder, which is loaded once.
func Default() (*Encoder, error) { return loadDefault() }

var loadDefault = sync.OnceValues(func() (*Encoder, error) {
	e, err := OpenFS(encodermodel.Files)
	if err != nil {
		return nil, fmt.Errorf("cannot load the built-in encoder: %w", err)
	}
	return e, nil
})

// Open loads the encoder in a folder. Whatever is wrong with the folder is an error that names the file.
func Open(dir string) (*Encoder, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("is a file; give the folder that holds tokenizer.json and model.safetensors")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open encoder %q: %w", dir, err)
	}
	e, err := OpenFS(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("cannot open encoder %q: %w", dir, err)
	}
	return e, nil
}

// Dim is the number of elements of a vector.
func (e *Encoder) Dim() int { return e.dim }

// Version is a digest of the model's files: encoders of equal versions give equal vectors.
func (e *Encoder) Version() string { return e.version }

// Encode appends the vector of a text to dst: Dim elements of length 1, or all zero for a text without any known token.
// The text is normalised first (see textnorm), which costs nothing where it is already normal.
func (e *Encoder) Encode(dst []float32, text string) []float32 {
	text = textnorm.Normalise(text).Text
	at := len(dst)
	for range e.dim {
		dst = append(dst, 0)
	}
	out := dst[at:]
	if e.bytes != nil {
		s := e.sums.Get().(*sum)
		s.reset(e.dim / 8)
		e.features(text, func(row int32) { s.add(e.bytes, row) })
		if s.all+s.rows > 0 {
			normaliseInts(out, s.result(e.dim))
		}
		e.sums.Put(s)
		return dst
	}
	e.features(text, func(row int32) {
		v := e.floats[int(row)*e.dim : (int(row)+1)*e.dim]
		for i := range out {
			out[i] += v[i]
		}
	})
	normaliseFloats(out)
	return dst
}

// features calls add with the rows of all tokens and n-grams of a normalised text.
func (e *Encoder) features(text string, add func(int32)) {
	w := window{kinds: e.kinds}
	ngram := func(k uint32) {
		if row := e.ngrams.find(k); row >= 0 {
			add(int32(e.tokens) + row)
		}
	}
	c := cutter{v: e.vocabulary, text: text}
	var buf [64]Token
	for {
		n := c.fill(buf[:])
		if n == 0 {
			break
		}
		for _, t := range buf[:n] {
			row := t.ID
			if e.rows != nil {
				row = e.rows[row]
			}
			if t.ID != e.vocabulary.unknown {
				add(row)
			}
			if e.ngrams != nil {
				w.push(t.ID, ngram)
			}
		}
	}
	if e.ngrams != nil {
		w.end(ngram)
	}
}

func normaliseInts(out []float32, sums []int32) {
	var square int64
	for _, x := range sums {
		square += int64(x) * int64(x)
	}
	if square == 0 {
		return
	}
	inverse := 1 / math.Sqrt(float64(square))
	for i, x := range sums {
		out[i] = float32(float64(x) * inverse)
	}
}

func normaliseFloats(out []float32) {
	var square float64
	for _, x := range out {
		// The conversion keeps the compiler from fusing the product into the sum, which would round differently.
		square += float64(float64(x) * float64(x))
	}
	if square == 0 {
		return
	}
	inverse := 1 / math.Sqrt(square)
	for i, x := range out {
		out[i] = float32(float64(x) * inverse)
	}
}

// Cosine is the similarity of two vectors of Encode, -1..1; summed in one order, so that it is the same everywhere.
func Cosine(a, b []float32) float64 {
	var s float64
	for i := range a {
		s += float64(float64(a[i]) * float64(b[i]))
	}
	return max(-1, min(1, s))
}
