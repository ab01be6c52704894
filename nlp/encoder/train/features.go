package train

import (
	"cmp"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/encoder"
)

// vocabulary makes the pieces of the tokenizer from the texts: every Han character and sign seen, the frequent words of
// letters, and single letters and digits, so that nothing of these is unknown.
func vocabulary(texts []string, maxWords int) []string {
	chars, words := map[string]int{}, map[string]int{}
	for _, t := range texts {
		for i := 0; i < len(t); {
			r, size := utf8.DecodeRuneInString(t[i:])
			if !letter(r) {
				if !unicode.IsSpace(r) {
					chars[t[i:i+size]]++
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
			words[t[i:end]]++
			i = end
		}
	}
	pieces := []string{"[UNK]"}
	for c := range chars {
		if utf8.RuneLen([]rune(c)[0]) > 1 || c >= "!" {
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
		if words[w] < 3 || n == maxWords {
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

// newFeatures chooses the n-grams that at least min texts hold, at most limit.
func newFeatures(texts []string, maxWords int, kinds encoder.NgramKinds, min, limit int) (*features, error) {
	f := &features{kinds: kinds, rows: map[uint32]int32{}, texts: len(texts)}
	f.pieces = vocabulary(texts, maxWords)
	var err error
	if f.vocabulary, err = encoder.NewVocabulary(f.pieces, "[UNK]", maxWord, normalizer); err != nil {
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
		if n >= min {
			f.keys = append(f.keys, k)
		}
	}
	slices.SortFunc(f.keys, func(a, b uint32) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	if len(f.keys) > limit {
		f.keys = f.keys[:limit]
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
