package train

import (
	"math"
	"slices"
)

// merge is a step of average linkage: two clusters, each named by any member, and their mean cosine.
type merge struct {
	a, b       int
	similarity float64
}

// averageLink clusters unit vectors by mean cosine between clusters (nearest-neighbour chains, so O(n²)); merges name
// their clusters by any member.
func averageLink(vectors [][]float32) []merge {
	n := len(vectors)
	sim := make([]float32, n*n)
	for i := range n {
		for j := i + 1; j < n; j++ {
			s := dot(vectors[i], vectors[j])
			sim[i*n+j], sim[j*n+i] = s, s
		}
	}
	size := make([]float32, n)
	live := make([]int, n)
	for i := range size {
		size[i], live[i] = 1, i
	}
	var merges []merge
	var chain []int
	for len(live) > 1 {
		if len(chain) == 0 {
			chain = append(chain, live[0])
		}
		top := chain[len(chain)-1]
		best, at := float32(math.Inf(-1)), -1
		row := sim[top*n : (top+1)*n]
		if len(chain) > 1 {
			at = chain[len(chain)-2]
			best = row[at]
		}
		for _, j := range live {
			if j != top && row[j] > best {
				best, at = row[j], j
			}
		}
		if len(chain) > 1 && at == chain[len(chain)-2] {
			chain = chain[:len(chain)-2]
			a, b := top, at
			merges = append(merges, merge{a, b, float64(best)})
			for _, j := range live {
				if j != a && j != b {
					s := (size[a]*sim[a*n+j] + size[b]*sim[b*n+j]) / (size[a] + size[b])
					sim[a*n+j], sim[j*n+a] = s, s
				}
			}
			size[a] += size[b]
			live = slices.DeleteFunc(live, func(x int) bool { return x == b })
			continue
		}
		chain = append(chain, at)
	}
	slices.SortStableFunc(merges, func(x, y merge) int {
		switch {
		case x.similarity > y.similarity:
			return -1
		case x.similarity < y.similarity:
			return 1
		}
		return 0
	})
	return merges
}

// cut gives the clusters of n texts after the merges above a similarity.
func cut(n int, merges []merge, least float64) []int {
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	for _, m := range merges {
		if m.similarity < least {
			break
		}
		parent[root(parent, m.a)] = root(parent, m.b)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = root(parent, i)
	}
	return out
}

func root(parent []int, i int) int {
	for parent[i] != i {
		parent[i] = parent[parent[i]]
		i = parent[i]
	}
	return i
}

// crossing counts the texts in each pair of (found cluster, class), and in each cluster and class.
func crossing(found, class []int) (both map[[2]int]float64, a, b map[int]float64) {
	both, a, b = map[[2]int]float64{}, map[int]float64{}, map[int]float64{}
	for i := range found {
		both[[2]int{found[i], class[i]}]++
		a[found[i]]++
		b[class[i]]++
	}
	return both, a, b
}

// BCubed gives the B-cubed F1 of clusters against classes (Bagga and Baldwin 1998).
func BCubed(found, class []int) float64 {
	both, a, b := crossing(found, class)
	var p, r float64
	for i := range found {
		n := both[[2]int{found[i], class[i]}]
		p += n / a[found[i]]
		r += n / b[class[i]]
	}
	return 2 * p * r / (p + r) / float64(len(found))
}

// VMeasure is the harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007).
func VMeasure(found, class []int) float64 {
	both, a, b := crossing(found, class)
	n := float64(len(found))
	var joint, ha, hb float64
	for i := range found {
		joint -= math.Log(both[[2]int{found[i], class[i]}]/n) / n
		ha -= math.Log(a[found[i]]/n) / n
		hb -= math.Log(b[class[i]]/n) / n
	}
	if ha+hb == 0 {
		return 1
	}
	return 2 * (ha + hb - joint) / (ha + hb)
}

// ARI is the Rand index adjusted for chance (Hubert and Arabie 1985).
func ARI(found, class []int) float64 {
	both, a, b := crossing(found, class)
	couples := func(n float64) float64 { return n * (n - 1) / 2 }
	var index, sa, sb float64
	for _, n := range both {
		index += couples(n)
	}
	for _, n := range a {
		sa += couples(n)
	}
	for _, n := range b {
		sb += couples(n)
	}
	expected := sa * sb / couples(float64(len(found)))
	return (index - expected) / ((sa+sb)/2 - expected)
}
