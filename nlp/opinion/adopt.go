package opinion

import (
	"maps"
	"slices"
	"sync"
)

// adopt gives vectors that are alone in their group to the group of several that they are most alike, if they are at
// least so much alike; those that no group takes join among themselves where they are that much alike. group holds the
// smallest index of each one's group and is changed. Groups of several are compared as they were before, so the order
// does not matter.
//
// Two groups that many mentions share must be alike to be one, for a wrong join spoils both; a mention that stands
// alone is of no use to anybody, and one doubtful member among many does little harm.
func adopt(vectors []float32, dim int, group []int32, least float32, workers int) {
	members := map[int32][]int32{}
	for i, g := range group {
		members[g] = append(members[g], int32(i))
	}
	heads, alone := []int32{}, []int32{}
	for _, g := range slices.Sorted(maps.Keys(members)) {
		if len(members[g]) > 1 {
			heads = append(heads, g)
		} else {
			alone = append(alone, g)
		}
	}
	if len(alone) == 0 {
		return
	}
	centres := make([]float32, len(heads)*dim)
	each(len(heads), workers, func(i int) {
		c := centres[i*dim : (i+1)*dim]
		for _, k := range members[heads[i]] {
			for j, v := range vectors[int(k)*dim : int(k+1)*dim] {
				c[j] += v
			}
		}
		centred(c, len(members[heads[i]]))
	})
	if len(heads) > 0 {
		t := newTree(centres, dim)
		pool := sync.Pool{New: func() any { return new(searcher) }}
		each(len(alone), workers, func(i int) {
			s := pool.Get().(*searcher)
			defer pool.Put(s)
			k := alone[i]
			if f := t.search(s, vectors[int(k)*dim:int(k+1)*dim], growReach.beam, growReach.nearest); len(f) > 0 && f[0].sim >= least {
				group[k] = heads[f[0].at]
			}
		})
		alone = slices.DeleteFunc(alone, func(k int32) bool { return group[k] != k })
	}
	rest := make([]float32, 0, len(alone)*dim)
	for _, k := range alone {
		rest = append(rest, vectors[int(k)*dim:int(k+1)*dim]...)
	}
	for i, g := range agglomerate(rest, dim, neighbours(rest, dim, least, workers), least, nil) {
		group[alone[i]] = alone[g]
	}
}
