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
const Version = "1"

// Snapshot is an immutable, numbered state of the registry of opinions. It is safe for concurrent use.
type Snapshot struct {
	model *Model
	space *Space // seen from the middle of all members
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
	first := make([]int, len(s.list)+1) // of each opinion, its first member among all
	for i := range s.list {
		first[i+1] = first[i] + len(s.list[i].Members)
	}
	vectors := make([]float32, first[len(s.list)]*dim)
	each(len(s.list), o.workers(), func(i int) {
		at := vectors[first[i]*dim : first[i]*dim]
		for _, t := range s.list[i].Members {
			at = m.space.raw(at, t)
		}
	})
	s.space = m.space.centred(vectors)
	means := make([]float32, len(s.list)*dim)
	each(len(s.list), o.workers(), func(i int) {
		mean := means[i*dim : (i+1)*dim]
		for k := first[i]; k < first[i+1]; k++ {
			v := vectors[k*dim : (k+1)*dim]
			s.space.shift(v)
			for j, x := range v {
				mean[j] += x
			}
		}
		// Not brought to length 1: the dot product with a vector is the mean similarity with the members.
		scale(mean, 1/float32(max(1, first[i+1]-first[i])))
	})
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

// assignShare of the granularity is what a mention must reach to be assigned.
const assignShare = 1

// assignBeam is the width of the search.
const assignBeam = 8

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
// the mention and the snapshot: a member goes to its opinion, anything else to the opinion with the greatest mean
// similarity, if that reaches the granularity. Only opinions about the same product, aspect family and polarity side
// are looked at, through an index.
func (s *Snapshot) Assign(m Mention) (id string, score float64) {
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
	a.vector = s.space.Vector(a.vector[:0], norm)
	items := s.items[g]
	best := found{at: -1, sim: s.least}
	t.search(&a.searcher, a.vector, assignBeam, func(i int32, sim float32) {
		if sim > best.sim || sim == best.sim && (best.at < 0 || i < best.at) {
			best = found{i, sim}
		}
	})
	if best.at < 0 {
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

// Found clusters mentions that fit no opinion of the snapshot, seen as the snapshot sees them.
func (s *Snapshot) Found(mentions []Mention, o Options) []Group {
	if len(s.list) == 0 {
		return s.model.Found(mentions, o)
	}
	return s.model.found(s.space, mentions, o)
}
