package opinion

import (
	"math"
	"slices"
)

// How the granularity of bare texts follows the crowd: see crowding. Chosen on public data: see nlp/README.md.
const (
	// open is the share of the granularity that suffices where no more texts are near than elsewhere.
	open       = .89
	crowdShare = .35
	// A text counts as one neighbour far above crowdMiddle and as none far below.
	crowdMiddle = .5
	crowdSlope  = 12
)

// crowding gives for each of n vectors by how much more than others it must be alike to join one: crowdShare times the
// logarithm of the number of its neighbours to the mean of all, where that is more than none.
//
// One granularity does not suit bare texts about everything: where hundreds say nearly the same, near texts are still
// different questions, and where few say anything of the kind, far ones are the same. This corrects for hubs as local
// scaling does (Zelnik-Manor and Perona 2004); the mean makes it independent of how many texts there are. Beyond
// fullCompare vectors, neighbours are counted among a third as many, evenly spaced, so that the cost grows with n alone.
func crowding(v []float32, dim, workers int) []float32 {
	n := len(v) / dim
	sample := n
	if n > fullCompare {
		sample = fullCompare / 3
	}
	around := make([]float64, n)
	each(n, workers, func(i int) {
		var sum float64
		for k := range sample {
			j := k * n / sample
			s := dot(v[i*dim:(i+1)*dim], v[j*dim:(j+1)*dim])
			sum += 1 / (1 + math.Exp(-crowdSlope*(float64(s)-crowdMiddle)))
		}
		around[i] = max(1, sum*float64(n)/float64(sample))
	})
	var mean float64
	for _, a := range around {
		mean += a / float64(n)
	}
	out := make([]float32, n)
	for i, a := range around {
		out[i] = float32(crowdShare * max(0, math.Log(a/mean)))
	}
	return out
}

// crowds holds the crowding of bare texts by gate and normalised text.
type crowds map[gate]map[string]float32

// crowdsOf measures the crowds of all bare texts among opinions and mentions, each text once.
func (m *Model) crowdsOf(opinions []Opinion, mentions []Mention, workers int) crowds {
	texts := map[gate][]string{}
	for i := range opinions {
		if g := opinions[i].gate(); g.bare() {
			texts[g] = append(texts[g], opinions[i].Members...)
		}
	}
	for i := range mentions {
		if g := mentions[i].gate(); g.bare() {
			texts[g] = append(texts[g], Normalise(mentions[i].Text))
		}
	}
	out := crowds{}
	dim := m.space.Dim()
	for g, list := range texts { // each gate by itself: the order does not matter
		slices.Sort(list)
		list = slices.Compact(list)
		v := make([]float32, len(list)*dim)
		each(len(list), workers, func(i int) { m.space.Vector(v[i*dim:i*dim], list[i]) })
		by := make(map[string]float32, len(list))
		for i, c := range crowding(v, dim, workers) {
			by[list[i]] = c
		}
		out[g] = by
	}
	return out
}

// crowded is what a registry that grows knows of the crowd: that of texts, and the mean of each opinion's members.
type crowded struct {
	texts    crowds
	opinions []float32
}

// of is the mean crowding of texts of a gate; 0 for a gate that is not bare.
func (c crowds) of(g gate, texts []string) float32 {
	by := c[g]
	if by == nil {
		return 0
	}
	var sum float32
	for _, t := range texts {
		sum += by[t]
	}
	return sum / float32(len(texts))
}
