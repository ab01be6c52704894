package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naive finds by looking for every pattern at every place.
func naive(patterns []string, text string) []string {
	var got []string
	for i := range text {
		for p, pattern := range patterns {
			if strings.HasPrefix(text[i:], pattern) {
				got = append(got, fmt.Sprintf("%d:%d-%d", p, i, i+len(pattern)))
			}
		}
	}
	slices.Sort(got)
	return got
}

func automatonFinds(patterns []string, text string) []string {
	var got []string
	for _, m := range newAutomaton(patterns).find(text, nil) {
		got = append(got, fmt.Sprintf("%d:%d-%d", m.pattern, m.start, m.end))
	}
	slices.Sort(got)
	return got
}

func TestAutomatonFindsWhatNaiveSearchFinds(t *testing.T) {
	f := func(text string, patterns ...string) {
		t.Helper()
		if got, want := automatonFinds(patterns, text), naive(patterns, text); !slices.Equal(got, want) {
			t.Errorf("%q in %q: got %v, want %v", patterns, text, got, want)
		}
	}
	f("")
	f("没有规则")
	f("您好,请稍等", "您好", "好", "稍等", "等")
	f("在的在的亲", "在的", "的在的", "的在的亲", "亲")
	f("ushers", "he", "she", "his", "hers")
	f("abcabd", "abd", "abc", "bc", "c", "abcabd")
	f("😀好😀", "😀", "好😀")
	f("投诉投诉", "投诉")
	f("差\xff评差评", "差评")
	f("ab", "abc", "b")
	f("aaaa", "a", "aa", "aaa")

	rng := rand.New(rand.NewPCG(1, 2))
	letters := []rune("亲在的您好请稍等ab😀")
	word := func(n int) string {
		var b strings.Builder
		for range 1 + rng.IntN(n) {
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	for range 400 {
		var patterns []string
		for range rng.IntN(30) {
			if w := word(5); !slices.Contains(patterns, w) {
				patterns = append(patterns, w)
			}
		}
		f(word(40), patterns...)
	}
}

func FuzzAutomaton(f *testing.F) {
	f.Add("您好,请稍等", "您好 稍等 等")
	f.Add("ushers", "he she his hers")
	f.Fuzz(func(t *testing.T, text, words string) {
		text, words = strings.ToValidUTF8(text, ""), strings.ToValidUTF8(words, "")
		var patterns []string
		for _, w := range strings.Fields(words) {
			if !slices.Contains(patterns, w) {
				patterns = append(patterns, w)
			}
		}
		if got, want := automatonFinds(patterns, text), naive(patterns, text); !slices.Equal(got, want) {
			t.Errorf("%q in %q: got %v, want %v", patterns, text, got, want)
		}
	})
}
