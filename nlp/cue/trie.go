package cue

import (
	"sort"
	"unicode/utf8"
)

// Trie finds the longest of many texts at a place of another text, at a cost that does not grow with their number. It
// is immutable and safe for concurrent use. A text that begins with a Latin letter or digit matches whole words only.
type Trie struct {
	// root holds the node of every first character below 0x10000 (0: none); the other edges stand in an open-addressing
	// table keyed by node and character. The terminal of a node is the value of the text that ends there, or -1.
	root  []uint32
	edges []edge
	mask  uint64
	nodes []node
}

// edge leads on from a node; key 0 is a free place of the table.
type edge struct {
	key uint64
	to  uint32
}

// node is what is known of a place in the trie, in one piece: a walk waits for memory once a character.
type node struct {
	// next has the bit r % 64 for every character r that leads on: most walks end at this look.
	next     uint64
	terminal int32
	word     bool // the text that ends there begins with a Latin letter or digit
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
	type step struct {
		node uint32
		r    rune
	}
	edges := map[step]uint32{}
	t.nodes = []node{{terminal: -1}}
	// In sorted order, so that the same texts give the same trie.
	sorted := make([]string, 0, len(texts))
	for text := range texts {
		if text != "" {
			sorted = append(sorted, text)
		}
	}
	sort.Strings(sorted)
	for _, text := range sorted {
		at := uint32(0)
		for _, r := range text {
			next, ok := edges[step{at, r}]
			if !ok {
				next = uint32(len(t.nodes))
				t.nodes = append(t.nodes, node{terminal: -1})
				edges[step{at, r}] = next
			}
			at = next
		}
		t.nodes[at].terminal, t.nodes[at].word = texts[text], isASCIIWord(text[0])
	}
	size := 64
	for size < 3*len(edges) {
		size *= 2
	}
	t.root = make([]uint32, 0x10000)
	t.edges, t.mask = make([]edge, size), uint64(size-1)
	for e, n := range edges {
		t.nodes[e.node].next |= 1 << (e.r & 63)
		if e.node == 0 && e.r < 0x10000 {
			t.root[e.r] = n
			continue
		}
		k := edgeKey(e.node, e.r)
		i := edgeHash(k) & t.mask
		for t.edges[i].key != 0 {
			i = (i + 1) & t.mask
		}
		t.edges[i] = edge{k, n}
	}
}

// step follows an edge that the bits of the node do not rule out; 0 is nowhere.
func (t *Trie) step(node uint32, r rune) uint32 {
	k := edgeKey(node, r)
	for i := edgeHash(k) & t.mask; ; i = (i + 1) & t.mask {
		switch e := &t.edges[i]; e.key {
		case k:
			return e.to
		case 0:
			return 0
		}
	}
}

// decode gives the character at byte i and its width, as utf8.DecodeRuneInString does, without a call for Chinese ones.
func decode(text string, i int) (rune, int) {
	c := text[i]
	if c < utf8.RuneSelf {
		return rune(c), 1
	}
	if c > 0xe0 && c < 0xed && i+2 < len(text) {
		if b, d := text[i+1], text[i+2]; b&0xc0 == 0x80 && d&0xc0 == 0x80 {
			return rune(c&0x0f)<<12 | rune(b&0x3f)<<6 | rune(d&0x3f), 3
		}
	}
	return utf8.DecodeRuneInString(text[i:])
}

func isASCIIWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// Longest gives the value of the longest text that stands at byte i of text and where it ends, or -1.
func (t *Trie) Longest(text string, i int) (value int32, end int) {
	if i >= len(text) {
		return -1, 0
	}
	r, w := decode(text, i)
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
	var at uint32
	if first < 0x10000 {
		at = t.root[first]
	} else {
		at = t.step(0, first)
	}
	f := finds{best: -1, inner: -1, over: -1}
	if at == 0 {
		return f
	}
	for j := i + width; ; {
		n := &t.nodes[at]
		if v := n.terminal; v >= 0 && (!n.word || wholeWord(text, i, j)) {
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
		r, w := decode(text, j)
		if n.next>>(r&63)&1 == 0 {
			break
		}
		if at = t.step(at, r); at == 0 {
			break
		}
		j += w
	}
	return f
}

func wholeWord(text string, i, j int) bool {
	return (i == 0 || !isASCIIWord(text[i-1])) && (j == len(text) || !isASCIIWord(text[j]) || !isASCIIWord(text[j-1]))
}
