package opinion

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Model is what opinions are made with: the space they are compared in and the words titles are made of. It is
// immutable and safe for concurrent use.
type Model struct {
	space *Space
	cut   Cutter
}

// NewModel makes a model. e may be nil: then only words are compared. cut may be nil: then titles are of characters.
func NewModel(e Encoder, cut Cutter) *Model { return &Model{space: NewSpace(e), cut: cut} }

// Version names everything that decides the result, beside the mentions.
func (m *Model) Version() string { return Version + "," + m.space.version }

// Version names the clustering, the assignment and the titles of this package.
const Version = "4"

// Snapshot is an immutable, numbered state of the registry of opinions. It is safe for concurrent use.
type Snapshot struct {
	model *Model
	epoch uint32
	least float32
	list  []Opinion
	// member finds an opinion by one of its members; the key is a hash of gate and text.
	member map[memberKey]int32
	gates  map[gate]*tree
	// items are the opinions of a gate in the order of its tree.
	items map[gate][]int32
}

type memberKey struct{ a, b uint64 }

// NewSnapshot makes the snapshot of an epoch. The opinions are not written to, and must not be afterwards.
func NewSnapshot(m *Model, epoch uint32, opinions []Opinion, o Options) *Snapshot {
	s := &Snapshot{model: m, epoch: epoch, least: o.granularity() * assignShare, list: slices.Clone(opinions),
		member: map[memberKey]int32{}, gates: map[gate]*tree{}, items: map[gate][]int32{}}
	slices.SortFunc(s.list, func(a, b Opinion) int { return strings.Compare(a.ID, b.ID) })
	dim := m.space.Dim()
	means := make([]float32, len(s.list)*dim)
	each(len(s.list), o.workers(), func(i int) { m.space.centre(means[i*dim:(i+1)*dim], s.list[i].Members) })
	for i := range s.list {
		op := &s.list[i]
		g := op.gate()
		s.items[g] = append(s.items[g], int32(i))
		for _, t := range op.Members {
			k := keyOf(g, t)
			if _, known := s.member[k]; !known {
				s.member[k] = int32(i)
			}
		}
	}
	gates := make([]gate, 0, len(s.items))
	for g := range s.items {
		gates = append(gates, g)
	}
	slices.SortFunc(gates, func(a, b gate) int {
		return cmp.Or(strings.Compare(a.product, b.product), strings.Compare(a.family, b.family), strings.Compare(a.side, b.side))
	})
	trees := make([]*tree, len(gates))
	each(len(gates), o.workers(), func(i int) {
		list := s.items[gates[i]]
		v := make([]float32, 0, len(list)*dim)
		for _, k := range list {
			v = append(v, means[int(k)*dim:int(k+1)*dim]...)
		}
		trees[i] = newTree(v, dim)
	})
	for i, g := range gates {
		s.gates[g] = trees[i]
	}
	return s
}

// centre writes the vector whose dot product with another is how much that one is alike to the texts as a group: their
// mean, divided by their spread.
func (s *Space) centre(dst []float32, texts []string) {
	var v []float32
	for _, t := range texts {
		v = s.Vector(v[:0], t)
		for k, x := range v {
			dst[k] += x
		}
	}
	centred(dst, len(texts))
}

// centred makes the centre of n vectors from their sum.
func centred(sum []float32, n int) {
	if n == 0 {
		return
	}
	mean := 1 / float32(n)
	scale(sum, mean/spread(dot(sum, sum)*mean*mean))
}

// assignShare of the granularity is what a mention must reach to be assigned.
const assignShare = 1

// reach is how far a search for the best opinion goes: the width of the search, and how many of the opinions found are
// compared exactly.
type reach struct{ beam, nearest int }

var (
	assignReach = reach{4, 6}
	// A registry grows rarely, and what is not found then becomes an opinion of its own.
	growReach = reach{24, 32}
)

// Epoch is the number of the snapshot.
func (s *Snapshot) Epoch() uint32 { return s.epoch }

// Opinions are the opinions of the snapshot, sorted by id; not to be written to.
func (s *Snapshot) Opinions() []Opinion { return s.list }

var searchers = sync.Pool{New: func() any { return new(assigner) }}

type assigner struct {
	searcher
	vector []float32
}

// Assign gives the opinion a mention belongs to, with its similarity, 0..1; "" where none fits. It is a pure function of
// the mention and the snapshot: a member goes to its opinion, anything else to the opinion that is most alike, if
// that reaches the granularity. Only opinions about the same product, aspect family and polarity side
// are looked at, through an index.
func (s *Snapshot) Assign(m Mention) (id string, score float64) { return s.assign(m, assignReach, nil) }

// assign does not know the crowd on the hot path: there c is nil, and bare texts need the whole granularity.
func (s *Snapshot) assign(m Mention, r reach, c *crowded) (id string, score float64) {
	g := m.gate()
	t := s.gates[g]
	if t == nil {
		return "", 0
	}
	norm := Normalise(m.Text)
	a := searchers.Get().(*assigner)
	defer searchers.Put(a)
	if i, ok := s.member[keyOf(g, norm)]; ok {
		return s.list[i].ID, 1
	}
	a.vector = s.model.space.Vector(a.vector[:0], norm)
	items := s.items[g]
	list := t.search(&a.searcher, a.vector, r.beam, r.nearest)
	if len(list) == 0 || !g.bare() && !hasPoint(norm) {
		return "", 0
	}
	best, above := list[0], list[0].sim-s.least
	if c != nil && g.bare() {
		margin := func(f found) float32 {
			return f.sim - s.least*open - (c.opinions[items[f.at]]+c.texts[g][norm])/2
		}
		best = slices.MaxFunc(list, func(x, y found) int { return cmp.Compare(margin(x), margin(y)) })
		above = margin(best)
	}
	if above < 0 {
		return "", 0
	}
	return s.list[items[best.at]].ID, float64(min(best.sim, 1))
}

// keyOf hashes gate and text to 128 bits (two FNV-1a hashes of different bases), so that members need no memory for
// their texts.
func keyOf(g gate, text string) memberKey {
	k := memberKey{14695981039346656037, 9650029242287828579}
	add := func(s string) {
		for i := 0; i < len(s); i++ {
			k.a = (k.a ^ uint64(s[i])) * 1099511628211
			k.b = (k.b ^ uint64(s[i])) * 0x9e3779b97f4a7c15
			k.b ^= k.b >> 29
		}
		k.a = (k.a ^ 0xff) * 1099511628211
		k.b = (k.b ^ 0xff) * 0x9e3779b97f4a7c15
	}
	add(g.product)
	add(g.family)
	add(g.side)
	add(text)
	return k
}
