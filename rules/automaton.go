package rules

import "unicode/utf8"

// automaton is an Aho-Corasick automaton over characters: one pass over a text finds every occurrence of every pattern.
// Characters that occur in no pattern share class 0; transitions lie in a double array, so a step is one look-up
// whatever the number of patterns. It is immutable after newAutomaton and safe for concurrent use.
type automaton struct {
	low    []uint16        // class of characters below len(low)
	high   map[rune]uint16 // class of the others
	base   []int32
	check  []int32
	fail   []int32
	out    []int32 // pattern that ends in the state, -1 for none
	outUp  []int32 // next state along the fail links that ends a pattern, 0 for none
	length []int32 // bytes of pattern i
	// pairs has a bit for every (hashed) pair of first two characters of the patterns; single for classes that are a
	// whole pattern. At the root, where a walk over ordinary text spends its time, a clear bit passes the character over.
	pairs    []uint64
	single   []bool
	patterns int
}

// pairBits is the size of the table of pairs: 2^18 bits are 32 KiB, which stays in the first-level cache.
const pairBits = 18

func pairHash(a, b uint16) uint32 {
	return (uint32(a)*0x9E3779B1 ^ uint32(b)*0x85EBCA6B) >> (32 - pairBits)
}

// found is one occurrence of a pattern: the bytes [start, end) of the text.
type found struct {
	pattern    int32
	start, end int32
}

// newAutomaton compiles distinct, non-empty patterns; pattern i is reported as i.
func newAutomaton(patterns []string) *automaton {
	a := &automaton{low: make([]uint16, 0x10000), high: map[rune]uint16{}, length: make([]int32, len(patterns)), patterns: len(patterns)}
	classes := uint16(0)
	class := func(r rune) uint16 {
		if c := a.class(r); c != 0 {
			return c
		}
		classes++
		if int(r) < len(a.low) {
			a.low[r] = classes
		} else {
			a.high[r] = classes
		}
		return classes
	}
	// The trie, breadth first below: children as sibling lists, which the double array replaces.
	type node struct {
		child, next int32
		class       uint16
		pattern     int32
	}
	trie := []node{{pattern: -1}}
	edges := map[uint64]int32{}
	a.pairs = make([]uint64, 1<<pairBits/64)
	a.single = make([]bool, 1, 1024)
	for i, p := range patterns {
		a.length[i] = int32(len(p))
		at := int32(0)
		var first uint16
		depth := 0
		for _, r := range p {
			c := class(r)
			depth++
			if depth == 1 {
				first = c
			} else if depth == 2 {
				h := pairHash(first, c)
				a.pairs[h/64] |= 1 << (h % 64)
			}
			next, ok := edges[uint64(at)<<16|uint64(c)]
			if !ok {
				next = int32(len(trie))
				edges[uint64(at)<<16|uint64(c)] = next
				trie = append(trie, node{next: trie[at].child, class: c, pattern: -1})
				trie[at].child = next
			}
			at = next
		}
		for len(a.single) <= int(classes) {
			a.single = append(a.single, false)
		}
		if depth == 1 {
			a.single[first] = true
		}
		trie[at].pattern = int32(i)
	}
	for len(a.single) <= int(classes) {
		a.single = append(a.single, false)
	}

	size := len(trie) + int(classes) + 2
	a.base, a.check = make([]int32, size), make([]int32, size)
	for i := range a.check {
		a.check[i] = -1
	}
	grow := func(n int) {
		for len(a.check) <= n {
			a.base = append(a.base, 0)
			a.check = append(a.check, -1)
		}
	}
	a.check[0] = 0
	state := make([]int32, len(trie)) // double-array state of a trie node
	order := make([]int32, 0, len(trie))
	order = append(order, 0)
	free := int32(1) // no free cell lies below
	var kids []int32
	for q := 0; q < len(order); q++ {
		n := order[q]
		kids = kids[:0]
		lowest := uint16(0)
		for k := trie[n].child; k != 0; k = trie[k].next {
			kids = append(kids, k)
			if lowest == 0 || trie[k].class < lowest {
				lowest = trie[k].class
			}
		}
		if len(kids) == 0 {
			continue
		}
		for int(free) < len(a.check) && a.check[free] >= 0 {
			free++
		}
		b := max(free-int32(lowest), 0)
		for tries := 0; ; b++ {
			fits := true
			for _, k := range kids {
				at := int(b) + int(trie[k].class)
				grow(at)
				if a.check[at] >= 0 {
					fits = false
					break
				}
			}
			if fits {
				break
			}
			// A node with many children searches past a crowded stretch instead of cell by cell.
			if tries++; tries > 4096 {
				b, tries = int32(len(a.check)), 0
			}
		}
		s := state[n]
		a.base[s] = b
		for _, k := range kids {
			at := b + int32(trie[k].class)
			a.check[at] = s
			state[k] = at
			order = append(order, k)
		}
	}

	n := len(a.check)
	a.fail, a.out, a.outUp = make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range a.out {
		a.out[i] = -1
	}
	for _, t := range order {
		s := state[t]
		a.out[s] = trie[t].pattern
		for k := trie[t].child; k != 0; k = trie[k].next {
			ks := state[k]
			if t == 0 {
				continue
			}
			f := a.fail[s]
			for {
				if next, ok := a.step(f, trie[k].class); ok {
					a.fail[ks] = next
					break
				}
				if f == 0 {
					break
				}
				f = a.fail[f]
			}
		}
	}
	for _, t := range order[1:] {
		s := state[t]
		f := a.fail[s]
		if a.out[f] >= 0 {
			a.outUp[s] = f
		} else {
			a.outUp[s] = a.outUp[f]
		}
	}
	return a
}

func (a *automaton) class(r rune) uint16 {
	if int(r) < len(a.low) {
		return a.low[r]
	}
	if len(a.high) == 0 {
		return 0
	}
	return a.high[r]
}

func (a *automaton) step(s int32, c uint16) (int32, bool) {
	at := int(a.base[s]) + int(c)
	if c != 0 && at < len(a.check) && a.check[at] == s && at != 0 {
		return int32(at), true
	}
	return 0, false
}

// find appends every occurrence of every pattern in text, in the order of their ends; longer before shorter at one end.
func (a *automaton) find(text string, to []found) []found {
	if a.patterns == 0 {
		return to
	}
	s := int32(0)
	i := 0
	// next is the class of the character at i where it was already read, -1 where not.
	next, nextLen := -1, 0
	for i < len(text) {
		var c uint16
		var size int
		if next >= 0 {
			c, size = uint16(next), nextLen
			next = -1
		} else {
			c, size = a.classAt(text, i)
		}
		if c == 0 {
			s = 0
			i += size
			continue
		}
		i += size
		if s == 0 && !a.single[c] {
			if i >= len(text) {
				break
			}
			c2, size2 := a.classAt(text, i)
			next, nextLen = int(c2), size2
			h := pairHash(c, c2)
			if c2 == 0 || a.pairs[h/64]&(1<<(h%64)) == 0 {
				continue
			}
		}
		for {
			if t, ok := a.step(s, c); ok {
				s = t
				break
			}
			if s == 0 {
				break
			}
			s = a.fail[s]
		}
		if a.out[s] < 0 && a.outUp[s] == 0 {
			continue
		}
		for o := s; o != 0; o = a.outUp[o] {
			if p := a.out[o]; p >= 0 {
				to = append(to, found{p, int32(i) - a.length[p], int32(i)})
			}
		}
	}
	return to
}

func (a *automaton) classAt(text string, i int) (uint16, int) {
	b := text[i]
	if b < utf8.RuneSelf {
		return a.low[b], 1
	}
	if b&0xf0 == 0xe0 && i+2 < len(text) {
		if b1, b2 := text[i+1], text[i+2]; b1&0xc0 == 0x80 && b2&0xc0 == 0x80 {
			if r := uint32(b&0x0f)<<12 | uint32(b1&0x3f)<<6 | uint32(b2&0x3f); r >= 0x800 && (r < 0xd800 || r > 0xdfff) {
				return a.low[r], 3
			}
		}
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	return a.class(r), size
}
