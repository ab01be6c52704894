package opinion

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Options of clustering and assignment. The zero value takes the defaults.
type Options struct {
	// Workers is the number of goroutines, 0 = one a processor. It never changes a result.
	Workers int
	// Granularity is how much two groups of mentions must be alike to be one opinion, 0..1; 0 = the default. Higher gives
	// more and smaller opinions. For two mentions it is their similarity; bare texts join from open of it on, see crowding.
	Granularity float32
}

// Granularity is the default, tuned on public data: see nlp/README.md.
const Granularity = .73

// lone is the share of the granularity that suffices for a mention that is alone among those about the same product,
// aspect and side. Bare texts, of which nothing is known, have no such help.
const lone = .88

func (o Options) granularity() float32 {
	if o.Granularity > 0 {
		return o.Granularity
	}
	return Granularity
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Group is an opinion with the mentions it was made of.
type Group struct {
	Opinion
	Mentions []int // indices of the mentions given, ascending
	// Scores are their similarities with the opinion as a whole.
	Scores []float32
}

// item is a distinct mention: one normalised text within one gate.
type item struct {
	gate     gate
	norm     string
	mentions []int
}

func (x *item) compare(y *item) int {
	return cmp.Or(strings.Compare(x.gate.product, y.gate.product), strings.Compare(x.gate.family, y.gate.family),
		strings.Compare(x.gate.side, y.gate.side), strings.Compare(x.norm, y.norm))
}

// Found clusters mentions into opinions, sorted by id. Every mention is in one of them, save those whose aspect or
// product is known and that have no point (see HasPoint); opinions of a single mention are among them. The result depends on the set of mentions alone, so equal mentions count as one.
func (m *Model) Found(mentions []Mention, o Options) []Group {
	return m.found(mentions, o, m.crowdsOf(nil, mentions, o.workers()))
}

func (m *Model) found(mentions []Mention, o Options, c crowds) []Group {
	items := distinct(mentions, o.workers())
	dim := m.space.Dim()
	vectors := make([]float32, len(items)*dim)
	each(len(items), o.workers(), func(i int) { m.space.Vector(vectors[i*dim:i*dim], items[i].norm) })
	group := make([]int32, len(items))
	var parts [][2]int
	for from := 0; from < len(items); {
		to := from + 1
		for to < len(items) && items[to].gate == items[from].gate {
			to++
		}
		parts = append(parts, [2]int{from, to})
		from = to
	}
	// Within a gate the neighbours are searched by all workers; many small gates are worked on side by side.
	each(len(parts), o.workers(), func(i int) {
		from, to := parts[i][0], parts[i][1]
		workers := 1
		if to-from > len(items)/2 {
			workers = o.workers()
		}
		v := vectors[from*dim : to*dim]
		g := items[from].gate
		if g.bare() {
			crowd := make([]float32, to-from)
			for k := range crowd {
				crowd[k] = c[g][items[from+k].norm]
			}
			least := o.granularity() * open
			copy(group[from:to], agglomerate(v, dim, neighbours(v, dim, least, workers), least, crowd))
		} else {
			joined := group[from:to]
			copy(joined, agglomerate(v, dim, neighbours(v, dim, o.granularity(), workers), o.granularity(), nil))
			adopt(v, dim, joined, o.granularity()*lone, workers)
		}
		for k := range to - from {
			group[from+k] += int32(from)
		}
	})
	members := map[int32][]int32{}
	for i, g := range group {
		members[g] = append(members[g], int32(i))
	}
	heads := slices.Sorted(maps.Keys(members))
	out := make([]Group, len(heads))
	each(len(heads), o.workers(), func(i int) { out[i] = m.group(mentions, items, members[heads[i]], vectors) })
	slices.SortFunc(out, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (m *Model) group(mentions []Mention, items []item, members []int32, vectors []float32) Group {
	dim := m.space.Dim()
	g := Group{}
	aspects, kinds := map[string]int{}, map[string]int{}
	mean := make([]float32, dim)
	for _, i := range members {
		it := &items[i]
		g.Members = append(g.Members, it.norm)
		for _, k := range it.mentions {
			aspects[mentions[k].Aspect]++
			kinds[mentions[k].Kind]++
		}
		for k, v := range vectors[int(i)*dim : int(i+1)*dim] {
			mean[k] += v
		}
	}
	centred(mean, len(members))
	type scored struct {
		mention int
		score   float32
	}
	var list []scored
	for _, i := range members {
		s := dot(mean, vectors[int(i)*dim:int(i+1)*dim])
		for _, k := range items[i].mentions {
			list = append(list, scored{k, s})
		}
	}
	slices.SortFunc(list, func(a, b scored) int { return a.mention - b.mention })
	for _, s := range list {
		g.Mentions, g.Scores = append(g.Mentions, s.mention), append(g.Scores, s.score)
	}
	gate := items[members[0]].gate
	g.Aspect, g.Kind, g.Product, g.Side = commonest(aspects), commonest(kinds), gate.product, gate.side
	slices.Sort(g.Members)
	g.ID = ID(g.Aspect, g.Product, g.Side, g.Members[0])
	g.Title = m.Title(&g.Opinion)
	return g
}

// commonest gives the key counted most, the smallest of several.
func commonest(count map[string]int) string {
	best := ""
	for i, k := range slices.Sorted(maps.Keys(count)) {
		if i == 0 || count[k] > count[best] {
			best = k
		}
	}
	return best
}

// distinct gives the distinct mentions that may be opinions, sorted by gate and normalised text.
func distinct(mentions []Mention, workers int) []item {
	norms := make([]string, len(mentions))
	each(len(mentions), workers, func(i int) { norms[i] = Normalise(mentions[i].Text) })
	type key struct {
		gate gate
		norm string
	}
	at := make(map[key]int, len(mentions))
	var items []item
	for i := range mentions {
		k := key{mentions[i].gate(), norms[i]}
		if !k.gate.bare() && !hasPoint(k.norm) {
			continue
		}
		n, known := at[k]
		if !known {
			n = len(items)
			at[k] = n
			items = append(items, item{gate: k.gate, norm: k.norm})
		}
		items[n].mentions = append(items[n].mentions, i)
	}
	slices.SortFunc(items, func(a, b item) int { return a.compare(&b) })
	return items
}

const (
	// nearest bounds the neighbours of a vector beyond that.
	nearest   = 32
	foundBeam = 24
	// slack is how far below the granularity a pair may be and still lead two groups to each other.
	slack = .6
)

// fullCompare is the number of vectors up to which every pair is compared. A variable for the tests alone.
var fullCompare = 3000

// neighbours lists for every vector the later or nearest ones that it may be joined with.
func neighbours(v []float32, dim int, granularity float32, workers int) [][]int32 {
	n := len(v) / dim
	near := make([][]int32, n)
	least := granularity * slack
	if n <= fullCompare {
		each(n, workers, func(i int) {
			for j := i + 1; j < n; j++ {
				if dot(v[i*dim:(i+1)*dim], v[j*dim:(j+1)*dim]) >= least {
					near[i] = append(near[i], int32(j))
				}
			}
		})
		return near
	}
	t := newTree(v, dim)
	pool := sync.Pool{New: func() any { return new(searcher) }}
	each(n, workers, func(i int) {
		s := pool.Get().(*searcher)
		defer pool.Put(s)
		for _, f := range t.search(s, t.item(int32(i)), foundBeam, nearest+1) {
			if f.sim >= least && int(f.at) != i {
				near[i] = append(near[i], f.at)
			}
		}
	})
	return near
}

// each calls f with 0..n-1 on so many goroutines and returns when all have returned.
func each(n, workers int, f func(i int)) {
	if workers <= 1 || n <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
