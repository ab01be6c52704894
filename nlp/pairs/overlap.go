package pairs

import (
	"slices"
	"sync"
	"unicode"

	"github.com/tingke/tingke/nlp/textnorm"
)

// Limit is the overlap above which a row must not train a model.
const Limit = 0.8

// fewGrams is the number of 3-grams below which a text is found inside others by chance.
const fewGrams = 6

// TooClose says whether text is a near copy of a member: Overlap above Limit.
func TooClose(text string) bool {
	v, _ := Overlap(text)
	return v > Limit
}

// Overlap is the greatest overlap of text with a member of a pair, 0..1, and that member's text ("" at 0).
//
// The overlap of two texts is that of their sets of character 3-grams, after normalising and leaving out everything but
// letters, digits and symbols such as emoji: the size of the intersection by the size of the smaller set, so that a
// member inside a longer row counts as found. Where the smaller set has fewer than six 3-grams (seven characters), the
// size of the larger set divides instead. A text of one or two characters is one gram. Of equally close members the
// first one in the file is named. Safe for concurrent use; the cost grows with the text, not with the pairs.
func Overlap(text string) (float64, string) {
	return members().overlap(text)
}

type index struct {
	texts []string
	sizes []int
	posts map[gram][]int32 // members that hold a gram
}

type gram [3]rune

var members = sync.OnceValue(func() *index {
	x := &index{posts: map[gram][]int32{}}
	seen := map[string]bool{}
	for _, p := range All() {
		for _, text := range []string{p.A.Text, p.B.Text} {
			if seen[text] {
				continue
			}
			seen[text] = true
			grams := gramsOf(text)
			for _, g := range grams {
				x.posts[g] = append(x.posts[g], int32(len(x.texts)))
			}
			x.texts = append(x.texts, text)
			x.sizes = append(x.sizes, len(grams))
		}
	}
	return x
})

func (x *index) overlap(text string) (best float64, member string) {
	grams := gramsOf(text)
	shared := map[int32]int{}
	for _, g := range grams {
		for _, m := range x.posts[g] {
			shared[m]++
		}
	}
	at := int32(-1)
	for m, n := range shared {
		by := min(len(grams), x.sizes[m])
		if by < fewGrams {
			by = max(len(grams), x.sizes[m])
		}
		if v := float64(n) / float64(by); v > best || v == best && m < at {
			best, at = v, m
		}
	}
	if at < 0 {
		return 0, ""
	}
	return best, x.texts[at]
}

// gramsOf gives the distinct 3-grams of a text, sorted.
func gramsOf(text string) []gram {
	var runes []rune
	for _, r := range textnorm.Normalise(text).Text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsSymbol(r) {
			runes = append(runes, r)
		}
	}
	var out []gram
	switch {
	case len(runes) == 0:
		return nil
	case len(runes) < 3:
		var g gram
		copy(g[:], runes)
		return []gram{g}
	}
	for i := 2; i < len(runes); i++ {
		out = append(out, gram{runes[i-2], runes[i-1], runes[i]})
	}
	slices.SortFunc(out, func(a, b gram) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(out)
}
