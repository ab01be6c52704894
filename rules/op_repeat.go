package rules

import (
	"fmt"
	"math/bits"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// repeatOp finds sentences that are said again, nearly alike.
type repeatOp struct {
	minChars   int
	similarity float64
	times      int
	wholeTurn  bool
	except     *wordSet
	// window is how many turns of the session back a repetition counts, 0 for all.
	window int32
	// target is who said it before: 0 the speaker of the range itself.
	target roleMask
	other  bool // whoever is not the speaker
}

func parseRepeat(d *decoder, n *yaml.Node, _ bool) operator {
	op := &repeatOp{minChars: 8, similarity: 0.8, times: 2}
	f, ok := d.mapping(n, "repeat", "min_chars", "similarity", "times", "of", "except", "window", "target")
	if !ok {
		return op
	}
	if v := f.get("min_chars"); v != nil {
		op.minChars = d.int(v, "repeat.min_chars", 2, 1000)
	}
	if v := f.get("similarity"); v != nil {
		op.similarity = d.float(v, "repeat.similarity", 0.3, 1)
	}
	if v := f.get("times"); v != nil {
		op.times = d.int(v, "repeat.times", 2, 1000)
	}
	op.wholeTurn = d.oneOf(f.get("of"), "repeat.of", "sentence", "turn") == "turn"
	op.except = d.wordSet(d.wordList(f.get("except"), "repeat.except"))
	if v := f.get("window"); v != nil {
		op.window = int32(d.int(v, "repeat.window", 1, schemas.MaxTurns))
	}
	switch d.oneOf(f.get("target"), "repeat.target", "same", "other", "customer", "agent", "bot", "system") {
	case "other":
		op.other = true
	case "customer":
		op.target = maskCustomer
	case "agent":
		op.target = maskAgent
	case "bot":
		op.target = maskBot
	case "system":
		op.target = maskSystem
	}
	return op
}

func (op *repeatOp) literals() ([]int32, bool) { return nil, false }

// said is one sentence as repeatOp compares it.
type said struct {
	hit
	grams []uint32 // sorted, distinct pairs of neighbouring characters
	sig   uint64   // a bit for every pair, hashed
	first int32    // index of the sentence it repeats, itself where it repeats none
	count int32
	role  roleMask
	own   bool // said in the range, not only compared with
	again bool // it repeats another
}

// maxSaid bounds the sentences compared and maxPostings the earlier sentences looked at for one pair of characters, so
// that a session of 10,000 turns stays linear.
const (
	maxSaid     = 20_000
	maxPostings = 48
)

func (op *repeatOp) eval(e *evaluation, s scope) result {
	all, gramBuf := e.said[:0], e.grams[:0]
	defer func() { e.said, e.grams = all, gramBuf }()
	turns := s.turns
	if op.crossed() {
		turns = e.role(maskAny).turns // what others said before counts wherever the range begins
	}
	k := 0
	for _, i := range turns {
		for k < len(s.turns) && s.turns[k] < i {
			k++
		}
		own := k < len(s.turns) && s.turns[k] == i
		role := maskOf(e.t.Turns[i].Role)
		if !own && !op.other && op.target&role == 0 {
			continue
		}
		text := e.text(i)
		add := func(start, end int32) {
			if len(all) >= maxSaid || own && s.to >= 0 && (start < s.from || end > s.to) || int(end-start) < op.minChars || e.clauseHas(op.except, i, clause{start: start, end: end}) {
				return
			}
			var chars int
			from := len(gramBuf)
			gramBuf, chars = bigrams(text[start:end], gramBuf)
			if chars < op.minChars {
				gramBuf = gramBuf[:from]
				return
			}
			x := said{hit: hit{turn: i, start: start, end: end}, grams: gramBuf[from:len(gramBuf):len(gramBuf)], first: int32(len(all)), count: 1, role: role, own: own}
			for _, g := range x.grams {
				x.sig |= 1 << (g >> 26)
			}
			all = append(all, x)
		}
		if op.wholeTurn {
			add(0, int32(len(text)))
			continue
		}
		for _, c := range e.clauses(i) {
			add(c.start, c.end)
		}
	}
	value := func() string { return fmt.Sprintf("%d sentences compared", len(all)) }
	if len(all) < 2 {
		return e.told(foundIn(s, nil), value)
	}
	if len(all) <= maxPairwise {
		op.compareAll(all)
	} else {
		op.comparePosted(all)
	}
	// The sentences that complete a repetition come first, those they repeat after them: so the first place stays the
	// first whatever is repeated later.
	var hits, earlier []hit
	nth := make(map[int32]int, len(all))
	for k := range all {
		root := all[k].first
		if int(all[root].count) < op.times {
			continue
		}
		if nth[root] == 0 && op.crossed() {
			nth[root] = 1 // what another said, perhaps outside the range
		}
		if op.crossed() && !all[k].again {
			h := all[k].hit
			h.support = true
			earlier = append(earlier, h)
			continue
		}
		if nth[root]++; nth[root] >= op.times {
			hits = append(hits, all[k].hit)
		} else {
			h := all[k].hit
			h.support = true
			earlier = append(earlier, h)
		}
	}
	return e.told(foundIn(s, append(hits, earlier...)), value)
}

// crossed says that one role is compared with another.
func (op *repeatOp) crossed() bool { return op.other || op.target != 0 }

// comparable says whether the later sentence a may repeat the earlier b.
func (op *repeatOp) comparable(a, b *said) bool {
	if op.window > 0 && a.turn-b.turn > op.window {
		return false
	}
	switch {
	case op.other:
		return a.own && a.role != b.role
	case op.target != 0:
		return a.own && b.role&op.target != 0
	}
	return true
}

// maxPairwise is the number of sentences up to which each is compared with each; most sessions stay below.
const maxPairwise = 200

func (op *repeatOp) compareAll(all []said) {
	for k := range all {
		a := &all[k]
		best, bestSim := int32(-1), 0.0
		for j := range k {
			b := &all[j]
			if (op.window > 0 || op.crossed()) && !op.comparable(a, b) {
				continue
			}
			// Every bit of a signature that the other lacks is at least one pair that they do not share.
			most := min(len(a.grams)-bits.OnesCount64(a.sig&^b.sig), len(b.grams)-bits.OnesCount64(b.sig&^a.sig))
			if op.similar(most, len(a.grams), len(b.grams)) < op.similarity {
				continue
			}
			if sim := op.similar(shared(a.grams, b.grams), len(a.grams), len(b.grams)); sim > bestSim {
				best, bestSim = int32(j), sim
			}
		}
		op.join(all, k, best, bestSim)
	}
}

func (op *repeatOp) comparePosted(all []said) {
	posts := map[uint32][]int32{}
	common := map[int32]int{}
	for k := range all {
		clear(common)
		for _, g := range all[k].grams {
			for _, j := range posts[g] {
				common[j]++
			}
		}
		best, bestSim := int32(-1), 0.0
		for j, n := range common {
			if (op.window > 0 || op.crossed()) && !op.comparable(&all[k], &all[j]) {
				continue
			}
			if sim := op.similar(n, len(all[j].grams), len(all[k].grams)); sim > bestSim || sim == bestSim && j < best {
				best, bestSim = j, sim
			}
		}
		op.join(all, k, best, bestSim)
		for _, g := range all[k].grams {
			if p := posts[g]; len(p) < maxPostings {
				posts[g] = append(p, int32(k))
			}
		}
	}
}

// similar is the Dice coefficient of two sentences with n pairs in common. The shorter said again inside a longer
// sentence is a repetition too.
func (op *repeatOp) similar(n, a, b int) float64 {
	sim := 2 * float64(n) / float64(a+b)
	if short := min(a, b); short >= op.minChars-1 {
		sim = max(sim, float64(n)/float64(short)*0.9)
	}
	return sim
}

func (op *repeatOp) join(all []said, k int, best int32, sim float64) {
	if best >= 0 && sim >= op.similarity {
		root := all[best].first
		if op.crossed() {
			root = best
		}
		all[k].again = true
		all[k].first = root
		all[root].count++
	}
}

// shared counts the common members of two sorted lists.
func shared(a, b []uint32) int {
	n := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			n++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return n
}

// particles are left out when sentences are compared: 可以的哦 and 可以的呢 say the same.
const particles = "哦呢哈呀啊嗯哒呐喔啦嘛吖噢哟呦哇亲吧了的呗滴"

// bigrams appends the sorted distinct pairs of neighbouring characters of a sentence, without particles, punctuation
// and masked placeholders, and says how many characters it counts.
func bigrams(s string, to []uint32) ([]uint32, int) {
	from := len(to)
	chars := 0
	prev := rune(-1)
	depth := 0
	for _, r := range s {
		if r == '[' {
			depth++
			continue
		}
		if r == ']' && depth > 0 {
			depth--
			continue
		}
		if depth > 0 || !content(r) {
			continue
		}
		chars++
		if isParticle(r) {
			continue
		}
		if prev >= 0 {
			to = append(to, (uint32(prev)*0x9E3779B1^uint32(r))*0x85EBCA6B)
		}
		prev = r
	}
	grams := to[from:]
	slices.Sort(grams)
	grams = slices.Compact(grams)
	return to[:from+len(grams)], chars
}

// particleBits has a bit for the last eight bits of every particle: most characters are none at this look.
var particleSet, particleBits = func() (m map[rune]bool, bits [4]uint64) {
	m = map[rune]bool{}
	for _, r := range particles {
		m[r] = true
		bits[r>>6&3] |= 1 << (r & 63)
	}
	return m, bits
}()

func isParticle(r rune) bool { return particleBits[r>>6&3]>>(r&63)&1 != 0 && particleSet[r] }
