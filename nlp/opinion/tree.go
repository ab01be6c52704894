package opinion

import (
	"cmp"
	"slices"
)

// tree finds the vectors nearest to one in about the same time whatever their number: every inner node parts its
// vectors among up to fanout children by k-means, and a search follows only the best few nodes of each level. It is
// made in a fixed order from the vectors alone, and immutable.
type tree struct {
	dim     int
	vectors []float32
	nodes   []treeNode
	centres []float32 // dim numbers of each node, of length 1
}

type treeNode struct {
	first, children int32   // child nodes, none in a leaf
	items           []int32 // of a leaf
}

const (
	leafSize   = 16
	fanout     = 16
	lloydSteps = 4
	// lloydSample bounds the vectors that place the centres of a node.
	lloydSample = 2048
)

// newTree indexes n = len(vectors)/dim vectors.
func newTree(vectors []float32, dim int) *tree {
	t := &tree{dim: dim, vectors: vectors, nodes: make([]treeNode, 1), centres: make([]float32, dim)}
	all := make([]int32, len(vectors)/dim)
	for i := range all {
		all[i] = int32(i)
	}
	t.part(0, all)
	return t
}

func (t *tree) item(i int32) []float32   { return t.vectors[int(i)*t.dim : int(i+1)*t.dim] }
func (t *tree) centre(n int32) []float32 { return t.centres[int(n)*t.dim : int(n+1)*t.dim] }

// part makes node at over items, with its children.
func (t *tree) part(at int32, items []int32) {
	if len(items) <= leafSize {
		t.nodes[at].items = items
		return
	}
	k := min(fanout, (len(items)+leafSize-1)/leafSize)
	centres := t.place(items, k)
	groups := make([][]int32, k)
	for _, i := range items {
		c := nearestCentre(centres, t.dim, t.item(i))
		groups[c] = append(groups[c], i)
	}
	groups = slices.DeleteFunc(groups, func(g []int32) bool { return len(g) == 0 })
	if len(groups) == 1 { // equal vectors: nothing to tell them apart by
		groups = slices.Collect(slices.Chunk(items, (len(items)+k-1)/k))
	}
	first := int32(len(t.nodes))
	t.nodes[at].first, t.nodes[at].children = first, int32(len(groups))
	for _, g := range groups {
		t.nodes = append(t.nodes, treeNode{})
		t.centres = append(t.centres, t.mean(g)...)
	}
	for i, g := range groups {
		t.part(first+int32(i), g)
	}
}

// place gives k centres by Lloyd's algorithm from evenly spaced items.
func (t *tree) place(items []int32, k int) []float32 {
	sample := items
	if len(items) > lloydSample {
		sample = make([]int32, lloydSample)
		for i := range sample {
			sample[i] = items[i*len(items)/lloydSample]
		}
	}
	centres := make([]float32, 0, k*t.dim)
	for i := range k {
		centres = append(centres, t.item(sample[(2*i+1)*len(sample)/(2*k)])...)
	}
	groups := make([][]int32, k)
	for range lloydSteps {
		for i := range groups {
			groups[i] = groups[i][:0]
		}
		for _, i := range sample {
			c := nearestCentre(centres, t.dim, t.item(i))
			groups[c] = append(groups[c], i)
		}
		for c, g := range groups {
			if len(g) > 0 {
				copy(centres[c*t.dim:], t.mean(g))
			}
		}
	}
	return centres
}

func (t *tree) mean(items []int32) []float32 {
	m := make([]float32, t.dim)
	for _, i := range items {
		for k, v := range t.item(i) {
			m[k] += v
		}
	}
	unit(m)
	return m
}

func nearestCentre(centres []float32, dim int, v []float32) int {
	best, at := float32(-2), 0
	for c := 0; c*dim < len(centres); c++ {
		if s := dot(v, centres[c*dim:(c+1)*dim]); s > best {
			best, at = s, c
		}
	}
	return at
}

// found is a node or an item with its similarity to what is searched.
type found struct {
	at  int32
	sim float32
}

func better(x, y found) int {
	if c := cmp.Compare(y.sim, x.sim); c != 0 {
		return c
	}
	return cmp.Compare(x.at, y.at)
}

// searcher holds the working memory of searches; it is used by one goroutine at a time.
type searcher struct{ front, next []found }

// search calls visit with the items of the beam best leaves on the way down.
func (t *tree) search(s *searcher, q []float32, beam int, visit func(item int32, sim float32)) {
	s.front = append(s.front[:0], found{})
	for inner := true; inner; {
		inner = false
		s.next = s.next[:0]
		for _, f := range s.front {
			n := &t.nodes[f.at]
			if n.children == 0 {
				s.next = append(s.next, f)
				continue
			}
			inner = true
			for c := n.first; c < n.first+n.children; c++ {
				s.next = append(s.next, found{c, dot(q, t.centre(c))})
			}
		}
		if len(s.next) > beam {
			slices.SortFunc(s.next, better)
			s.next = s.next[:beam]
		}
		s.front, s.next = s.next, s.front
	}
	for _, f := range s.front {
		for _, i := range t.nodes[f.at].items {
			visit(i, dot(q, t.item(i)))
		}
	}
}
