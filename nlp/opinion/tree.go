package opinion

import (
	"cmp"
	"math"
	"slices"
)

// tree finds the vectors nearest to one in about the same time whatever their number: every inner node parts its
// vectors among up to fanout children by k-means, and a search follows only the best few nodes of each level. It is
// made in a fixed order from the vectors alone, and immutable.
type tree struct {
	dim     int
	vectors []float32
	nodes   []treeNode
	centres []float32 // dim numbers of each node, of length 1; only while the tree is made
	// Sketches of nodes and items: searching looks at these, a twentieth of the memory, and at the vectors of the best.
	nodeSketches, itemSketches []int8
}

type treeNode struct {
	first, children int32   // child nodes, none in a leaf
	items           []int32 // of a leaf
}

const (
	leafSize   = 16
	fanout     = 8
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
	t.nodeSketches = make([]int8, 0, len(t.nodes)*sketchDim)
	for n := range t.nodes {
		t.nodeSketches = sketch(t.nodeSketches, t.centre(int32(n)))
	}
	t.centres = nil
	t.itemSketches = make([]int8, 0, len(all)*sketchDim)
	for _, i := range all {
		t.itemSketches = sketch(t.itemSketches, t.item(i))
	}
	return t
}

// sketchDim is the number of components of a sketch.
const sketchDim = 64

// sketch appends the sketch of a vector: each component is added, with a sign of its own, to one of sketchDim sums
// (count sketch, Charikar et al. 2002), so that the dot product of two sketches is about that of the vectors.
func sketch(dst []int8, v []float32) []int8 {
	var sums [sketchDim]float32
	for i, x := range v {
		if uint32(i)*2654435761>>31 == 1 {
			x = -x
		}
		sums[i%sketchDim] += x
	}
	for _, x := range sums {
		dst = append(dst, int8(max(-127, min(127, math.Round(float64(x)*256)))))
	}
	return dst
}

func sketchDot(a, b []int8) int32 {
	a, b = a[:sketchDim], b[:sketchDim]
	var s0, s1, s2, s3 int32
	for i := 0; i < sketchDim; i += 4 {
		s0 += int32(a[i]) * int32(b[i])
		s1 += int32(a[i+1]) * int32(b[i+1])
		s2 += int32(a[i+2]) * int32(b[i+2])
		s3 += int32(a[i+3]) * int32(b[i+3])
	}
	return s0 + s1 + s2 + s3
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
type searcher struct {
	sketch      []int8
	front, next []rough
	best        []found
}

// rough is a node or an item with about its similarity to what is searched.
type rough struct {
	at  int32
	sim int32
}

func roughly(x, y rough) int {
	if c := cmp.Compare(y.sim, x.sim); c != 0 {
		return c
	}
	return cmp.Compare(x.at, y.at)
}

// search gives about the k nearest items of the beam best leaves on the way down, best first. The list is the
// searcher's.
func (t *tree) search(s *searcher, q []float32, beam, k int) []found {
	s.sketch = sketch(s.sketch[:0], q)
	s.front = append(s.front[:0], rough{})
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
				s.next = append(s.next, rough{c, sketchDot(s.sketch, t.nodeSketches[int(c)*sketchDim:])})
			}
		}
		s.next = top(s.next, beam)
		s.front, s.next = s.next, s.front
	}
	s.next = s.next[:0]
	for _, f := range s.front {
		for _, i := range t.nodes[f.at].items {
			s.next = append(s.next, rough{i, sketchDot(s.sketch, t.itemSketches[int(i)*sketchDim:])})
		}
	}
	s.next = top(s.next, k)
	s.best = s.best[:0]
	for _, r := range s.next {
		s.best = append(s.best, found{r.at, dot(q, t.item(r.at))})
	}
	slices.SortFunc(s.best, better)
	return s.best
}

// top keeps the k best of a list, in order, in place: each is put where it belongs among the k, which are few.
func top(list []rough, k int) []rough {
	n := 0
	for _, r := range list {
		if n == k && roughly(r, list[n-1]) > 0 {
			continue
		}
		at := n
		if n == k {
			at--
		} else {
			n++
		}
		for at > 0 && roughly(r, list[at-1]) < 0 {
			list[at] = list[at-1]
			at--
		}
		list[at] = r
	}
	return list[:n]
}
