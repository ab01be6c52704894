package opinion

import (
	"math"
	"sort"
)

// Agreement says how well a clustering agrees with labels. All figures are of the items, not of distinct texts.
type Agreement struct {
	Items int `json:"items"`
	// Precision, Recall and F1 are B-cubed (Bagga and Baldwin 1998): for each item the share of its cluster that has its
	// label and the share of its label that is in its cluster, averaged over items; F1 is their harmonic mean.
	Precision float64 `json:"b3_precision"`
	Recall    float64 `json:"b3_recall"`
	F1        float64 `json:"b3_f1"`
	// V is the V-measure (Rosenberg and Hirschberg 2007), the harmonic mean of homogeneity and completeness.
	V float64 `json:"v_measure"`
	// ARI is the Rand index adjusted for chance (Hubert and Arabie 1985).
	ARI        float64 `json:"ari"`
	Clusters   int     `json:"clusters"`
	Labels     int     `json:"labels"`
	Singletons float64 `json:"singletons"` // share of the items that are alone in their cluster
}

// Measure compares a clustering with labels; item i is in cluster got[i] and has label want[i].
func Measure(got, want []int) Agreement {
	a := Agreement{Items: len(got)}
	if len(got) == 0 {
		return a
	}
	type cell struct{ c, k int }
	both := map[cell]int{}
	clusters, labels := map[int]int{}, map[int]int{}
	for i := range got {
		both[cell{got[i], want[i]}]++
		clusters[got[i]]++
		labels[want[i]]++
	}
	cells := make([]cell, 0, len(both))
	for c := range both {
		cells = append(cells, c)
	}
	sort.Slice(cells, func(i, j int) bool {
		if cells[i].c != cells[j].c {
			return cells[i].c < cells[j].c
		}
		return cells[i].k < cells[j].k
	})
	n := float64(len(got))
	var joint, pairs float64 // sum of p log p over cells, pairs together in both
	for _, c := range cells {
		m := float64(both[c])
		a.Precision += m * m / float64(clusters[c.c])
		a.Recall += m * m / float64(labels[c.k])
		joint -= m / n * math.Log(m/n)
		pairs += m * (m - 1) / 2
	}
	a.Precision /= n
	a.Recall /= n
	a.F1 = harmonic(a.Precision, a.Recall)
	hc, pc, alone := entropy(clusters, n)
	hk, pk, _ := entropy(labels, n)
	a.Clusters, a.Labels = len(clusters), len(labels)
	a.Singletons = alone / n
	// homogeneity = 1 - H(K|C)/H(K), completeness = 1 - H(C|K)/H(C)
	homogeneity, completeness := 1.0, 1.0
	if hk > 0 {
		homogeneity = 1 - (joint-hc)/hk
	}
	if hc > 0 {
		completeness = 1 - (joint-hk)/hc
	}
	a.V = harmonic(homogeneity, completeness)
	all := n * (n - 1) / 2
	if expected, top := pc*pk/math.Max(all, 1), (pc+pk)/2; top != expected {
		a.ARI = (pairs - expected) / (top - expected)
	} else {
		a.ARI = 1
	}
	return a
}

// entropy gives the entropy of a partition, the pairs it joins and its singletons.
func entropy(sizes map[int]int, n float64) (h, pairs, alone float64) {
	list := make([]int, 0, len(sizes))
	for _, m := range sizes {
		list = append(list, m)
	}
	sort.Ints(list)
	for _, size := range list {
		m := float64(size)
		h -= m / n * math.Log(m/n)
		pairs += m * (m - 1) / 2
		if size == 1 {
			alone++
		}
	}
	return h, pairs, alone
}

func harmonic(a, b float64) float64 {
	if a+b <= 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
