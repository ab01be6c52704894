package rules

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"testing"
)

// TestSieve: a sieve may let through what does not match, never the other way round, and it does turn texts away.
func TestSieve(t *testing.T) {
	f := func(expr, text string, want bool) {
		t.Helper()
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		g := gramsOf(text)
		if got := newSieve(tree.Simplify()).passes(&g); got != want {
			t.Errorf("%s on %s: passes is %v, want %v", expr, text, got, want)
		}
	}
	f("怎么.{0,6}不", "怎么还不发", true)
	f("怎么.{0,6}不", "怎么还没发", false)
	f("怎么.{0,6}不", "么怎不", false) // the pair is missing
	f("(怎么|咋)(只|才)", "咋才这点", true)
	f("(怎么|咋)(只|才)", "咋发货", false)
	f("投诉|举报你", "举报了你", false)
	f("投诉|举报你", "要投诉", true)
	f("投诉|.*", "好的", true) // one way asks for nothing
	f("(?i)ABC", "abc", true)
	f("A?好{2}", "好", true) // how often is not asked
	f("[一-龥]买", "买", true)
}

// TestSieveNeverHides holds sieves against expressions and texts made at random of few characters.
func TestSieveNeverHides(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	pieces := []string{"不", "好", "天", "发货", "[天月]", "[^天]", ".{0,2}", "(好|不)", "(好|发货|)", "(天)?", "好+", "(发|货){2}", "^", "$", "a*"}
	chars := []rune("不好天发货月a ")
	hidden, matched := 0, 0
	for range 1000 {
		expr := ""
		for range 1 + rng.IntN(5) {
			if expr += pieces[rng.IntN(len(pieces))]; rng.IntN(6) == 0 {
				expr += "|"
			}
		}
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			continue
		}
		re, s := regexp.MustCompile(expr), newSieve(tree.Simplify())
		plain := regexp.MustCompile(withoutGroups(tree).String())
		for range 20 {
			text := make([]rune, rng.IntN(9))
			for i := range text {
				text[i] = chars[rng.IntN(len(chars))]
			}
			x := string(text)
			g := gramsOf(x)
			at := re.FindStringIndex(x)
			if other := plain.FindStringIndex(x); (at == nil) != (other == nil) || at != nil && (at[0] != other[0] || at[1] != other[1]) {
				t.Fatalf("%s on %q: %v with groups, %v without", expr, x, at, other)
			}
			switch passes := s.passes(&g); {
			case at != nil && !passes:
				t.Fatalf("%s matches %q, which its sieve hides", expr, x)
			case at != nil:
				matched++
			case !passes:
				hidden++
			}
		}
	}
	if hidden < 300 || matched < 300 {
		t.Errorf("%d texts hidden, %d matched: the test says nothing", hidden, matched)
	}
}
