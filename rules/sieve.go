package rules

import "regexp/syntax"

// grams is a Bloom filter, with one hash, of the characters of a text and of their pairs: a clear bit says that nothing
// which shares it occurs.
type grams [8]uint64

func (g *grams) add(bit uint16)      { g[bit/64] |= 1 << (bit % 64) }
func (g *grams) has(bit uint16) bool { return g[bit/64]>>(bit%64)&1 != 0 }

func (g *grams) meets(o *grams) bool {
	for i := range g {
		if g[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

func charBit(r rune) uint16    { return uint16(uint32(r) * 0x9E3779B1 >> 23) }
func pairBit(a, b rune) uint16 { return uint16((uint32(a)*0x85EBCA6B ^ uint32(b)) * 0x9E3779B1 >> 23) }

func gramsOf(text string) (g grams) {
	before := rune(-1)
	for _, r := range text {
		g.add(charBit(r))
		g.add(pairBit(before, r))
		before = r
	}
	return g
}

// sieve turns away texts that an expression cannot match, without running it: of the texts with one of its words most do
// not match, and a run costs as much as a hundred looks. It has an entry for every way the expression can match; an empty
// sieve lets everything through.
type sieve []needed

// needed is what stands in every match of one way: all of all, in any order, and one of each of any.
type needed struct {
	all []uint16
	any []grams
}

func (s sieve) passes(text *grams) bool {
	for i := range s {
		if s[i].met(text) {
			return true
		}
	}
	return len(s) == 0
}

func (n *needed) met(text *grams) bool {
	for _, bit := range n.all {
		if !text.has(bit) {
			return false
		}
	}
	for i := range n.any {
		if !text.meets(&n.any[i]) {
			return false
		}
	}
	return true
}

const (
	maxWays  = 32 // an expression with more is not sieved
	maxClass = 48 // members of a character class that asks for something
)

// newSieve makes the sieve of a parsed expression.
func newSieve(re *syntax.Regexp) sieve {
	var ways []*syntax.Regexp
	var split func(*syntax.Regexp)
	split = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpCapture:
			split(re.Sub[0])
		case syntax.OpAlternate:
			for _, sub := range re.Sub {
				split(sub)
			}
		default:
			ways = append(ways, re)
		}
	}
	split(re)
	if len(ways) > maxWays {
		return nil
	}
	s := make(sieve, len(ways))
	for i, way := range ways {
		p := partsOf(way)
		if p.empty() {
			return nil
		}
		// Pairs are rarer than characters: they come first.
		s[i].all = append(p.pairs, p.chars...)
		for _, list := range p.any {
			var g grams
			for _, bit := range list {
				g.add(bit)
			}
			s[i].any = append(s[i].any, g)
		}
	}
	return s
}

// parts are the bits of what stands in every match of an expression: pairs and characters, and lists of which one does.
type parts struct {
	pairs, chars []uint16
	any          [][]uint16
}

func (p *parts) empty() bool { return len(p.pairs)+len(p.chars)+len(p.any) == 0 }

// best is the rarest part, as a list of which one stands in every match; nil where there is none.
func (p *parts) best() []uint16 {
	switch {
	case len(p.pairs) > 0:
		return p.pairs[:1]
	case len(p.chars) > 0:
		return p.chars[:1]
	}
	var best []uint16
	for _, list := range p.any {
		if best == nil || len(list) < len(best) {
			best = list
		}
	}
	return best
}

func partsOf(re *syntax.Regexp) (p parts) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return p
		}
		for i, r := range re.Rune {
			p.chars = append(p.chars, charBit(r))
			if i > 0 {
				p.pairs = append(p.pairs, pairBit(re.Rune[i-1], r))
			}
		}
	case syntax.OpCharClass:
		var list []uint16
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] >= maxClass-rune(len(list)) {
				return p
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				list = append(list, charBit(r))
			}
		}
		if len(list) > 0 {
			p.any = append(p.any, list)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return partsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return partsOf(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			x := partsOf(sub)
			p.pairs, p.chars, p.any = append(p.pairs, x.pairs...), append(p.chars, x.chars...), append(p.any, x.any...)
		}
	case syntax.OpAlternate:
		var list []uint16
		for _, sub := range re.Sub {
			x := partsOf(sub)
			best := x.best()
			if best == nil {
				return p
			}
			list = append(list, best...)
		}
		p.any = append(p.any, list)
	}
	return p
}
