package opinion

import (
	"container/heap"
	"math"
)

// agglomerate joins the two groups that are most alike (see spread) until no two reach min and the mean of their crowding
// beyond it, that of a group being the mean of its members; nil for none. vectors are n of dim numbers
// each, of length 1; near[i] lists the candidates of i, only pairs linked by candidates of their members are joined. The
// result gives each vector the smallest index of its group. Ties go to the smaller indices, and sums are taken in the
// order of joining, so it depends on the input alone.
func agglomerate(vectors []float32, dim int, near [][]int32, min float32, crowding []float32) []int32 {
	n := len(near)
	group := make([]int32, n) // of each node: the node it was joined to, or itself
	sums := make([][]float32, n)
	size := make([]int32, n)
	crowd := make([]float32, n) // of each group: the sum over its members
	copy(crowd, crowding)
	root := make([]float32, n) // see spread
	stamp := make([]int32, n)
	links := make([]map[int32]struct{}, n)
	for i := range n {
		group[i] = int32(i)
		sums[i] = vectors[i*dim : (i+1)*dim]
		size[i], root[i] = 1, 1
	}
	link := func(a, b int32) {
		if links[a] == nil {
			links[a] = map[int32]struct{}{}
		}
		links[a][b] = struct{}{}
	}
	var q queue
	for i := range near {
		for _, j := range near[i] {
			a, b := int32(i), j
			if a == b {
				continue
			}
			if a > b {
				a, b = b, a
			}
			if _, known := links[a][b]; known {
				continue
			}
			link(a, b)
			link(b, a)
			if s := dot(sums[a], sums[b]) - (crowd[a]+crowd[b])/2; s >= min {
				q = append(q, pair{s, a, b, 0, 0})
			}
		}
	}
	heap.Init(&q)
	owned := make([]bool, n)
	for len(q) > 0 {
		p := heap.Pop(&q).(pair)
		a, b := p.a, p.b
		if group[a] != a || group[b] != b || stamp[a] != p.sa || stamp[b] != p.sb {
			continue
		}
		// b joins a, the smaller index.
		if !owned[a] {
			sums[a], owned[a] = append([]float32(nil), sums[a]...), true
		}
		for i, v := range sums[b] {
			sums[a][i] += v
		}
		size[a] += size[b]
		crowd[a] += crowd[b]
		root[a] = spread(dot(sums[a], sums[a]) / float32(size[a]) / float32(size[a]))
		group[b], sums[b] = a, nil
		stamp[a]++
		for c := range links[b] { // order does not matter: it only fills sets
			delete(links[c], b)
			if c != a {
				link(a, c)
				link(c, a)
			}
		}
		links[b] = nil
		delete(links[a], b)
		for c := range links[a] { // order does not matter: the queue has a total order
			s := dot(sums[a], sums[c]) / float32(size[a]) / float32(size[c]) / (root[a] * root[c])
			s -= (crowd[a]/float32(size[a]) + crowd[c]/float32(size[c])) / 2
			if s < min {
				continue
			}
			x, y := a, c
			if x > y {
				x, y = y, x
			}
			heap.Push(&q, pair{s, x, y, stamp[x], stamp[y]})
		}
	}
	for i := range group {
		g := group[i]
		for group[g] != g {
			g = group[g]
		}
		group[i] = g
	}
	return group
}

// spread is the cube root of how alike the members of a group are: the mean over all couples, each with itself among
// them; 1 for a single one. The mean similarity of two groups divided by their spreads is how much they are alike, which
// lies between average linkage (no division) and the cosine of their centres (square roots). Average linkage leaves an
// opinion that people word in many ways in pieces, since two of its pieces are no more alike than its own members are;
// centres alone swallow what is merely near.
func spread(inner float32) float32 {
	return float32(math.Cbrt(float64(max(inner, 1e-6))))
}

// pair is a possible join with the stamps of its groups when it was weighed.
type pair struct {
	sim    float32
	a, b   int32
	sa, sb int32
}

type queue []pair

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	x, y := q[i], q[j]
	if x.sim != y.sim {
		return x.sim > y.sim
	}
	if x.a != y.a {
		return x.a < y.a
	}
	return x.b < y.b
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(v any)   { *q = append(*q, v.(pair)) }
func (q *queue) Pop() any {
	old := *q
	v := old[len(old)-1]
	*q = old[:len(old)-1]
	return v
}
