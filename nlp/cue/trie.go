package cue

import (
	"sort"
	"unicode/utf8"
)

// Trie finds the longest of many texts at a place of another text, at a cost that does not grow with their number. It
// is immutable and safe for concurrent use. A text that begins with a Latin letter or digit matches whole words only.
type Trie struct {
	// root holds the node of every first character below 0x10000 (0: none); the other edges stand in an open-addressing
	// table keyed by node and character. terminal[node] is the value of the text that ends there, or -1.
	root []uint32
	keys []uint64
	vals []uint32
	mask uint64
	// next[node] has the bit r % 64 for every character r that leads on from node: most walks end at this look.
	next     []uint64
	terminal []int32
	word     []bool // by node: the text that ends there begins with a Latin letter or digit
}

// NewTrie makes a trie of the texts; each has its value.
func NewTrie(texts map[string]int32) *Trie {
	t := new(Trie)
	t.build(texts)
	return t
}

func edgeKey(node uint32, r rune) uint64 { return uint64(node)<<21 | uint64(r) + 1 }

func edgeHash(k uint64) uint64 { return k * 0x9E3779B97F4A7C15 >> 32 }

func (t *Trie) build(texts map[string]int32) {
	type edge struct {
		node uint32
		r    rune
	}
	edges := map[edge]uint32{}
	t.terminal, t.word = []int32{-1}, []bool{false}
	// In sorted order, so that the same texts give the same trie.
	sorted := make([]string, 0, len(texts))
	for text := range texts {
		if text != "" {
			sorted = append(sorted, text)
		}
	}
	sort.Strings(sorted)
	for _, text := range sorted {
		node := uint32(0)
		for _, r := range text {
			next, ok := edges[edge{node, r}]
			if !ok {
				next = uint32(len(t.terminal))
				t.terminal, t.word = append(t.terminal, -1), append(t.word, false)
				edges[edge{node, r}] = next
			}
			node = next
		}
		t.terminal[node], t.word[node] = texts[text], isASCIIWord(text[0])
	}
	size := 64
	for size < 3*len(edges) {
		size *= 2
	}
	t.root = make([]uint32, 0x10000)
	t.keys, t.vals, t.mask = make([]uint64, size), make([]uint32, size), uint64(size-1)
	t.next = make([]uint64, len(t.terminal))
	for e, n := range edges {
		t.next[e.node] |= 1 << (e.r & 63)
		if e.node == 0 && e.r < 0x10000 {
			t.root[e.r] = n
			continue
		}
		k := edgeKey(e.node, e.r)
		i := edgeHash(k) & t.mask
		for t.keys[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.keys[i], t.vals[i] = k, n
	}
}

func (t *Trie) step(node uint32, r rune) uint32 {
	if t.next[node]&(1<<(r&63)) == 0 {
		return 0
	}
	k := edgeKey(node, r)
	for i := edgeHash(k) & t.mask; ; i = (i + 1) & t.mask {
		switch t.keys[i] {
		case k:
			return t.vals[i]
		case 0:
			return 0
		}
	}
}

func isASCIIWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// Longest gives the value of the longest text that stands at byte i of text and where it ends, or -1.
func (t *Trie) Longest(text string, i int) (value int32, end int) {
	if i >= len(text) {
		return -1, 0
	}
	r, w := rune(text[i]), 1
	if r >= utf8.RuneSelf {
		r, w = utf8.DecodeRuneInString(text[i:])
	}
	f := t.longest(text, i, r, w, nil)
	return f.best, f.end
}

// layer says how an entry lives with others at its place.
type layer uint8

const (
	plain    layer = iota // the longest hides those inside it
	additive              // counts inside a longer one too
	overlay               // is found beside whatever else stands there, and hides nothing
)

// finds are the values at a place, -1 for none, and where they end.
type finds struct {
	best, inner, over          int32
	end, innerEnd, overlayEnds int
}

// longest is Longest for a caller who has decoded the first character. Where layers are given, by value, best is the
// longest that is no overlay, inner the longest additive one shorter than that, over the longest overlay.
func (t *Trie) longest(text string, i int, first rune, width int, layers []layer) finds {
	var node uint32
	if first < 0x10000 {
		node = t.root[first]
	} else {
		node = t.step(0, first)
	}
	f := finds{best: -1, inner: -1, over: -1}
	if node == 0 {
		return f
	}
	for j := i + width; ; {
		if v := t.terminal[node]; v >= 0 && (!t.word[node] || wholeWord(text, i, j)) {
			switch {
			case layers == nil:
				f.best, f.end = v, j
			case layers[v] == overlay:
				f.over, f.overlayEnds = v, j
			default:
				if f.best >= 0 && layers[f.best] == additive {
					f.inner, f.innerEnd = f.best, f.end
				}
				f.best, f.end = v, j
			}
		}
		if j >= len(text) {
			break
		}
		r, w := rune(text[j]), 1
		if r >= utf8.RuneSelf {
			r, w = utf8.DecodeRuneInString(text[j:])
		}
		if node = t.step(node, r); node == 0 {
			break
		}
		j += w
	}
	return f
}

func wholeWord(text string, i, j int) bool {
	return (i == 0 || !isASCIIWord(text[i-1])) && (j == len(text) || !isASCIIWord(text[j]) || !isASCIIWord(text[j-1]))
}
