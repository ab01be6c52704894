package mention

import (
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/schemas"
)

// ModelName and Features say which model this code reads: Features changes whenever a feature does.
const (
	ModelName = "mention"
	Features  = "mention-1"
)

// none is the class, of each head, of a stretch that is no mention.
const none = "none"

// Heads are the decisions about a turn and about each of its clauses. Their last class is no mention.
func Heads() []linear.Head {
	return []linear.Head{
		{Name: "kind", Classes: append(append([]string{}, kindNames[:]...), none)},
		{Name: "aspect", Classes: append(append([]string{}, schemas.Aspects[:]...), none)},
		{Name: "valuable", Classes: []string{"yes", "no", none}},
	}
}

// Places of the heads in a row of scores.
const (
	kindAt     = 0
	aspectAt   = kindAt + int(kinds) + 1
	valuableAt = aspectAt + maxAspects + 1
	classes    = valuableAt + 3
)

type scores [classes]float32

func (s *scores) add(o *scores, by float32) {
	for i, v := range o {
		s[i] += float32(by * v)
	}
}

// nothing is the probability that this is no mention: the mean of the heads' softmax of their last class.
func (s *scores) nothing() float64 {
	sum := 0.0
	for _, head := range [...][]float32{s[kindAt:aspectAt], s[aspectAt:valuableAt], s[valuableAt:]} {
		last := head[len(head)-1]
		all := 0.0
		for _, v := range head {
			all += math.Exp(float64(v - last))
		}
		sum += 1 / all
	}
	return sum / 3
}

// The n-grams of what is judged, of the turn around a clause, and of the turns before, apart by who spoke. Of a turn
// before, its beginning and end say enough.
var (
	gramsOfText     = linear.Grams{Min: 1, Max: 3, Seed: 1}
	gramsAround     = linear.Grams{Min: 1, Max: 1, Seed: 2}
	gramsOfCustomer = linear.Grams{Min: 1, Max: 2, Seed: 3, Limit: 48}
	gramsOfOthers   = linear.Grams{Min: 1, Max: 2, Seed: 4, Limit: 48}
)

// Values of the groups, set by cross-validation; those of n-grams are divided by the root of their number.
const (
	weightText   = 2.5
	weightAround = 1
	weightBefore = 1
	weightLength = 0.5
)

// fading is what a turn before counts, the last one first. Turns further back only tell the product.
var fading = [...]float32{1, 0.5}

var (
	keyFirst  = []uint64{linear.Key("nothing before")}
	keyClause = []uint64{linear.Key("clause")}
)

const longestCounted = 12

// lengthKeys are for lengths in characters up to longestCounted, then for powers of two.
var lengthKeys = func() (keys [longestCounted + 1 + 33][]uint64) {
	for i := range keys {
		keys[i] = []uint64{linear.Key("length " + string(rune('A'+i)))}
	}
	return keys
}()

func lengthKey(runes int) []uint64 {
	if runes <= longestCounted {
		return lengthKeys[runes]
	}
	return lengthKeys[longestCounted+bits.Len32(uint32(runes>>4))+1]
}

// DenseCount is the number of dense features of an example: aspects, kinds and further evidence of the cues.
const DenseCount = maxAspects + int(kinds) + 14

// dense takes in the evidence of a clause; of several clauses the strongest counts.
func (c *clause) dense(d *[DenseCount]float32) {
	at := 0
	put := func(v, full float32) {
		d[at] = max(d[at], min(v, full)/full)
		at++
	}
	for _, v := range c.aspects {
		put(v, 3)
	}
	for _, v := range c.kinds {
		put(v, 4)
	}
	for _, v := range [...]float32{c.canYou, c.rant, c.point, c.pos, c.bad, c.noMention, c.reproach} {
		put(v, 3)
	}
	for _, v := range [...]bool{c.concrete, c.self, c.asks, c.formQ, c.bare, c.cause, c.digits} {
		if v {
			put(1, 3)
		} else {
			put(0, 3)
		}
	}
}

// sink takes features: of a model their weights at once, for training the features themselves.
type sink struct {
	model   *linear.Model
	scores  *scores
	example *linear.Example
}

func (s *sink) sparse(keys []uint64, value float32) {
	if len(keys) == 0 {
		return
	}
	if s.example != nil {
		s.example.Sparse = append(s.example.Sparse, linear.Group{Keys: append([]uint64(nil), keys...), Value: value})
		return
	}
	s.model.AddSparse(s.scores[:], keys, value)
}

func (s *sink) grams(r *reader, g linear.Grams, text string, weight float32) {
	r.keys = g.Keys(r.keys[:0], text)
	s.sparse(r.keys, weight/float32(math.Sqrt(float64(max(1, len(r.keys))))))
}

func (s *sink) dense(d *[DenseCount]float32) {
	if s.example != nil {
		s.example.Dense = append([]float32(nil), d[:]...)
		return
	}
	s.model.AddDense(s.scores[:], d[:])
}

// turn gives the features of the whole text, from its own words.
func (r *reader) turn(s *sink) {
	s.grams(r, gramsOfText, r.Text, weightText)
	s.sparse(lengthKey(r.Runes), weightLength)
	r.evidence = [DenseCount]float32{}
	for i := range r.clauses {
		r.clauses[i].dense(&r.evidence)
	}
	s.dense(&r.evidence)
}

// around gives the features that a clause has from the text it stands in; they are the same for all clauses.
func (r *reader) around(s *sink) {
	s.grams(r, gramsAround, r.Text, weightAround)
	s.sparse(keyClause, 1)
}

// part gives the features of a clause, from its own words.
func (r *reader) part(s *sink, p *part) {
	text := r.Text[p.start:p.end]
	s.grams(r, gramsOfText, text, weightText)
	s.sparse(lengthKey(utf8.RuneCountInString(text)), weightLength)
	r.evidence = [DenseCount]float32{}
	r.clauses[p.clause].dense(&r.evidence)
	s.dense(&r.evidence)
}

// before gives the features of a turn before; at 0 stands the last one.
func (r *reader) before(s *sink, norm string, role schemas.Role, at int) {
	g := gramsOfOthers
	if role == schemas.Customer {
		g = gramsOfCustomer
	}
	s.grams(r, g, norm, weightBefore*fading[at])
}
