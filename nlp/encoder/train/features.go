package train

import (
	"cmp"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/encoder"
)

const (
	unknown = "[UNK]"
	// maxWords bounds the words of letters in the vocabulary, which at least minWord texts of those that train hold.
	maxWords = 2000
	minWord  = 3
	// minChar is how often a character of the other texts must be seen.
	minChar = 3
)

// vocabulary makes the pieces of the tokenizer: every character of the texts, the frequent ones of the others, the
// frequent words of letters, and single letters and digits, so that nothing of these is unknown.
func vocabulary(texts, others []string) []string {
	chars, words := map[string]int{}, map[string]int{}
	for k, t := range append(slices.Clone(texts), others...) {
		for i := 0; i < len(t); {
			r, size := utf8.DecodeRuneInString(t[i:])
			if !letter(r) {
				if !unicode.IsSpace(r) {
					if k < len(texts) {
						chars[t[i:i+size]] += minChar
					} else {
						chars[t[i:i+size]]++
					}
				}
				i += size
				continue
			}
			end := i
			for end < len(t) {
				r, size := utf8.DecodeRuneInString(t[end:])
				if !letter(r) {
					break
				}
				end += size
			}
			if k < len(texts) {
				words[t[i:end]]++
			}
			i = end
		}
	}
	pieces := []string{unknown}
	for c, n := range chars {
		if n >= minChar {
			pieces = append(pieces, c)
		}
	}
	for r := 'a'; r <= 'z'; r++ {
		pieces = append(pieces, string(r), "##"+string(r))
	}
	for r := '0'; r <= '9'; r++ {
		pieces = append(pieces, string(r), "##"+string(r))
	}
	frequent := slices.SortedFunc(maps.Keys(words), func(a, b string) int {
		return cmp.Or(words[b]-words[a], cmp.Compare(a, b))
	})
	n := 0
	for _, w := range frequent {
		if words[w] < minWord || n == maxWords {
			break
		}
		if len(w) > 1 && w[0] >= 'a' && w[0] <= 'z' {
			pieces = append(pieces, w)
			n++
		}
	}
	slices.Sort(pieces[1:])
	return slices.Compact(pieces)
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }

// features turns texts into rows of the table of vectors: first the tokens, then the n-grams.
type features struct {
	vocabulary *encoder.Vocabulary
	pieces     []string
	kinds      encoder.NgramKinds
	keys       []uint32
	rows       map[uint32]int32
	// count is how many of the texts the features were made from hold the row.
	count []int
	texts int
}

// newFeatures chooses the n-grams: the most frequent ones that at least o.MinCount texts hold.
//
// The characters and words of others are known too, with vectors that training leaves as they were drawn: two texts that
// share such a character are still a little more alike.
func newFeatures(texts, others []string, o Options) (*features, error) {
	kinds := o.Ngrams
	f := &features{kinds: kinds, rows: map[uint32]int32{}, texts: len(texts)}
	f.pieces = vocabulary(texts, others)
	var err error
	if f.vocabulary, err = encoder.NewVocabulary(f.pieces, unknown, maxWord, normalizer); err != nil {
		return nil, err
	}
	counts, last := map[uint32]int{}, map[uint32]int{}
	var tokens []encoder.Token
	for i, t := range texts {
		tokens = f.vocabulary.Tokens(tokens[:0], t)
		kinds.Ngrams(tokens, func(k uint32) {
			if last[k] != i+1 {
				last[k] = i + 1
				counts[k]++
			}
		})
	}
	for k, n := range counts {
		if n >= o.MinCount {
			f.keys = append(f.keys, k)
		}
	}
	slices.SortFunc(f.keys, func(a, b uint32) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	if len(f.keys) > o.MaxNgrams {
		f.keys = f.keys[:o.MaxNgrams]
	}
	f.index()
	f.count = make([]int, f.size())
	seen := map[int32]bool{}
	for _, t := range texts {
		clear(seen)
		for _, row := range f.of(t) {
			if !seen[row] {
				seen[row] = true
				f.count[row]++
			}
		}
	}
	return f, nil
}

func (f *features) index() {
	clear(f.rows)
	for i, k := range f.keys {
		f.rows[k] = int32(len(f.pieces) + i)
	}
}

func (f *features) size() int { return len(f.pieces) + len(f.keys) }

// of gives the rows of a text.
func (f *features) of(text string) []int32 {
	tokens := f.vocabulary.Tokens(nil, text)
	rows := make([]int32, 0, 4*len(tokens))
	for _, t := range tokens {
		rows = append(rows, t.ID)
	}
	f.kinds.Ngrams(tokens, func(k uint32) {
		if row, ok := f.rows[k]; ok {
			rows = append(rows, row)
		}
	})
	return rows
}
