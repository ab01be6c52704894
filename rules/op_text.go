package rules

import (
	"math/bits"
	"slices"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseOperator reads the value of an operator's key.
type parseOperator func(d *decoder, n *yaml.Node, anchored bool) operator

// operators are all operators of the language by their key.
var operators map[string]parseOperator

func init() {
	operators = map[string]parseOperator{
		"keyword": parseKeyword, "regex": parseRegex, "near": parseNear, "question": parseQuestion, "substance": parseSubstance, "repeat": parseRepeat,
		"emotion": parseEmotion, "polarity": parsePolarity, "mention": parseMention, "entity": parseEntity,
		"reply_to": parseReplyTo, "turn_count": parseTurnCount, "response_time": parseResponseTime, "silence": parseSilence, "field": parseField,
	}
}

// anchoredOperator is an operator with conditions inside, which may look at the anchor of the whole.
type anchoredOperator interface {
	operator
	evalAnchored(e *evaluation, s scope, anchor *hit) result
}

// wordSet is a set of words of the automaton.
type wordSet struct {
	ids []int32 // sorted
	sig uint64  // bit id & 63 of every id
	// bits answers has at once where the automaton is small; nil where it is large.
	bits []uint64
}

// wordSet makes a set; the table finishes it when all words are known.
func (d *decoder) wordSet(words []string) *wordSet {
	ids := make([]int32, 0, len(words))
	for _, w := range words {
		ids = append(ids, d.words.id(w))
	}
	return d.words.set(ids)
}

func (t *wordTable) set(ids []int32) *wordSet {
	slices.Sort(ids)
	w := &wordSet{ids: slices.Compact(ids)}
	for _, id := range w.ids {
		w.sig |= 1 << (id & 63)
	}
	t.sets = append(t.sets, w)
	return w
}

// maxBits is the number of words up to which sets are bit sets: a few hundred bytes each.
const maxBits = 8192

// finish gives the sets their bits.
func (t *wordTable) finish() {
	if len(t.words) > maxBits {
		return
	}
	for _, w := range t.sets {
		w.bits = make([]uint64, (len(t.words)+63)/64)
		for _, id := range w.ids {
			w.bits[id/64] |= 1 << (id % 64)
		}
	}
}

func (w *wordSet) has(id int32) bool {
	if w.bits != nil {
		return w.bits[id/64]&(1<<(id%64)) != 0
	}
	if len(w.ids) <= 8 {
		for _, x := range w.ids {
			if x == id {
				return true
			}
		}
		return false
	}
	_, ok := slices.BinarySearch(w.ids, id)
	return ok
}

// occurrences calls f for every match of the set in a turn, inside the bytes of the scope; f returns false to stop.
// Matches that cut a Latin word are none; with negation, those that are negated are none either.
func (e *evaluation) occurrences(w *wordSet, turn int32, s scope, negation bool, f func(m found) bool) {
	if s.to >= 0 && s.sig&w.sig == 0 {
		return
	}
	text := ""
	for _, m := range e.matchesIn(turn, s) {
		if !w.has(m.pattern) || s.to >= 0 && (m.start < s.from || m.end > s.to) {
			continue
		}
		if text == "" {
			text = e.text(turn)
		}
		if latinEdge(text, m.start, m.end) || negation && negated(text, m.start) {
			continue
		}
		if !f(m) {
			return
		}
	}
}

// keywordOp finds words.
type keywordOp struct {
	mode     logic // anyOf, all, none, atLeast
	set      *wordSet
	n        int // distinct words that must occur (atLeast)
	times    int // total occurrences that must be there
	negation bool
}

func parseKeyword(d *decoder, n *yaml.Node, _ bool) operator {
	op := &keywordOp{mode: anyOf, times: 1, negation: true, set: &wordSet{}}
	if n.Kind != yaml.MappingNode {
		op.set = d.wordSet(d.wordList(n, "keyword"))
		return op
	}
	f, _ := d.mapping(n, "keyword", "any", "all", "none", "n", "of", "times", "negation")
	modes := 0
	for key, mode := range map[string]logic{"any": anyOf, "all": all, "none": none, "of": atLeast} {
		if v := f.get(key); v != nil {
			modes++
			op.mode = mode
			op.set = d.wordSet(d.wordList(v, "keyword."+key))
		}
	}
	if modes != 1 {
		d.errorf(n, "keyword: [words], or any:, all:, none:, or n: with of:", "keyword needs exactly one list of words")
	}
	if op.mode == atLeast {
		if op.n = d.int(f.get("n"), "keyword.n", 1, 1000); f.get("n") == nil {
			d.errorf(f.key("of"), "", "keyword.of needs n, the number of different words")
		} else if op.n > len(op.set.ids) && len(op.set.ids) > 0 {
			d.errorf(f.get("n"), "", "keyword.n is more than the %d words", len(op.set.ids))
		}
	} else if f.get("n") != nil {
		d.errorf(f.key("n"), "keyword: {n: 2, of: [...]}", "keyword.n goes with of")
	}
	if v := f.get("times"); v != nil {
		op.times = d.int(v, "keyword.times", 1, 10_000)
		if op.mode == none {
			d.errorf(f.key("times"), "", "keyword.times does not go with none")
		}
	}
	op.negation = d.boolean(f.get("negation"), "keyword.negation", true)
	return op
}

func (op *keywordOp) literals() ([]int32, bool) {
	switch op.mode {
	case none:
		return nil, false
	case all:
		return op.set.ids[:min(1, len(op.set.ids))], true
	}
	return op.set.ids, true
}

func (op *keywordOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var seen []int32
	count := 0
	for _, i := range s.turns {
		first := len(hits)
		e.occurrences(op.set, i, s, op.negation, func(m found) bool {
			if op.mode == all || op.mode == atLeast {
				if !slices.Contains(seen, m.pattern) {
					seen = append(seen, m.pattern)
				}
			}
			// Matches come by their end; one inside or overlapping the last of this turn makes it longer.
			if k := len(hits) - 1; k >= first && m.start < hits[k].end {
				hits[k].start, hits[k].end = min(hits[k].start, m.start), m.end
				return true
			}
			hits = append(hits, hit{turn: i, start: m.start, end: m.end})
			count++
			return op.mode != none && !(e.truthOnly && op.mode == anyOf && count >= op.times)
		})
		if op.mode == none && len(hits) > 0 {
			return result{}
		}
		if e.truthOnly && op.mode == anyOf && count >= op.times {
			return result{truth: yes, hits: hits}
		}
	}
	switch op.mode {
	case none:
		if !s.complete {
			return result{truth: open}
		}
		return result{truth: yes}
	case all:
		if len(seen) < len(op.set.ids) {
			hits = nil
		}
	case atLeast:
		if len(seen) < op.n {
			hits = nil
		}
	}
	if count < op.times {
		hits = nil
	}
	return foundIn(s, hits)
}

// nearOp finds a word of a and a word of b with at most gap characters between them.
type nearOp struct {
	a, b     *wordSet
	gap      int
	ordered  bool
	negation bool
}

func parseNear(d *decoder, n *yaml.Node, _ bool) operator {
	op := &nearOp{gap: 5, negation: true, a: &wordSet{}, b: &wordSet{}}
	f, ok := d.mapping(n, "near", "a", "b", "gap", "ordered", "negation")
	if !ok {
		return op
	}
	for _, key := range []string{"a", "b"} {
		if f.get(key) == nil {
			d.errorf(n, "near: {a: [...], b: [...], gap: 5}", "near needs %s", key)
		}
	}
	op.a, op.b = d.wordSet(d.wordList(f.get("a"), "near.a")), d.wordSet(d.wordList(f.get("b"), "near.b"))
	if v := f.get("gap"); v != nil {
		op.gap = d.int(v, "near.gap", 0, 1000)
	}
	op.ordered = d.boolean(f.get("ordered"), "near.ordered", false)
	op.negation = d.boolean(f.get("negation"), "near.negation", true)
	return op
}

func (op *nearOp) literals() ([]int32, bool) {
	if len(op.b.ids) < len(op.a.ids) {
		return op.b.ids, true
	}
	return op.a.ids, true
}

func (op *nearOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var as, bs []found
	for _, i := range s.turns {
		as, bs = as[:0], bs[:0]
		e.occurrences(op.a, i, s, op.negation, func(m found) bool { as = append(as, m); return true })
		if len(as) == 0 {
			continue
		}
		e.occurrences(op.b, i, s, false, func(m found) bool { bs = append(bs, m); return true })
		text := e.text(i)
		last := int32(-1)
		for _, a := range as {
			for _, b := range bs {
				x, y := a, b
				if b.start < a.start {
					if op.ordered {
						continue
					}
					x, y = b, a
				}
				if y.start < x.end || int(y.start-x.end) > op.gap*utf8.UTFMax || utf8.RuneCountInString(text[x.end:y.start]) > op.gap || x.start < last {
					continue
				}
				hits = append(hits, hit{turn: i, start: x.start, end: y.end})
				if e.truthOnly {
					return result{truth: yes, hits: hits}
				}
				last = y.end
			}
		}
	}
	return foundIn(s, hits)
}

// questionOp finds clauses that ask something.
type questionOp struct {
	except *wordSet
}

func parseQuestion(d *decoder, n *yaml.Node, _ bool) operator {
	op := &questionOp{}
	d.words.needAsking = true
	if n.Kind == yaml.ScalarNode && (n.Value == "true" || n.Value == "any") {
		return op
	}
	f, ok := d.mapping(n, "question", "except")
	if ok {
		op.except = d.wordSet(d.wordList(f.get("except"), "question.except"))
	}
	return op
}

func (op *questionOp) literals() ([]int32, bool) { return nil, false }

func (op *questionOp) eval(e *evaluation, s scope) result {
	var hits []hit
	for _, i := range s.turns {
		for k, c := range e.clauses(i) {
			if s.to >= 0 && (c.start < s.from || c.end > s.to) {
				continue
			}
			if e.asks(i, k) && !e.clauseHas(op.except, i, c) {
				hits = append(hits, hit{turn: i, start: c.start, end: c.end})
				if e.truthOnly {
					return result{truth: yes, hits: hits}
				}
			}
		}
	}
	return foundIn(s, hits)
}

func (e *evaluation) clauseHas(w *wordSet, turn int32, c clause) bool {
	if w == nil || len(w.ids) == 0 {
		return false
	}
	for _, m := range e.matches[e.matchAt[turn]:e.matchAt[turn+1]] {
		if m.start >= c.start && m.end <= c.end && w.has(m.pattern) {
			return true
		}
	}
	return false
}

// substanceOp holds where enough is said beside stock phrases: characters of the clauses that hold none of the words.
type substanceOp struct {
	minChars  int
	except    *wordSet
	questions bool
}

func parseSubstance(d *decoder, n *yaml.Node, _ bool) operator {
	op := &substanceOp{minChars: 1, questions: true}
	f, ok := d.mapping(n, "substance", "min_chars", "except", "questions")
	if !ok {
		return op
	}
	if v := f.get("min_chars"); v != nil {
		op.minChars = d.int(v, "substance.min_chars", 1, 10_000)
	}
	op.except = d.wordSet(d.wordList(f.get("except"), "substance.except"))
	op.questions = d.boolean(f.get("questions"), "substance.questions", true)
	d.words.needAsking = d.words.needAsking || !op.questions
	return op
}

func (op *substanceOp) literals() ([]int32, bool) { return nil, false }

func (op *substanceOp) eval(e *evaluation, s scope) result {
	var hits []hit
	for _, i := range s.turns {
		text := e.text(i)
		chars := 0
		var first hit
		for k, c := range e.clauses(i) {
			if s.to >= 0 && (c.start < s.from || c.end > s.to) || e.clauseHas(op.except, i, c) {
				continue
			}
			if !op.questions && e.asks(i, k) {
				continue
			}
			if chars == 0 {
				first = hit{turn: i, start: c.start, end: c.end}
			}
			chars += contentChars(text[c.start:c.end])
		}
		if chars >= op.minChars {
			hits = append(hits, first)
			if e.truthOnly {
				break
			}
		}
	}
	return foundIn(s, hits)
}

// contentChars counts letters, characters and digits.
func contentChars(s string) int {
	n := 0
	for _, r := range s {
		if content(r) {
			n++
		}
	}
	return n
}

// content says whether a character is a letter or digit; the common Chinese block is answered at once.
func content(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 0x7f && (unicode.IsLetter(r) || unicode.IsDigit(r)) || r >= 'A' && r <= 'Z'
}

// repeatOp finds sentences that are said again, nearly alike.
type repeatOp struct {
	minChars   int
	similarity float64
	times      int
	wholeTurn  bool
	except     *wordSet
}

func parseRepeat(d *decoder, n *yaml.Node, _ bool) operator {
	op := &repeatOp{minChars: 8, similarity: 0.8, times: 2}
	f, ok := d.mapping(n, "repeat", "min_chars", "similarity", "times", "of", "except")
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
	for _, i := range s.turns {
		text := e.text(i)
		add := func(start, end int32) {
			if len(all) >= maxSaid || s.to >= 0 && (start < s.from || end > s.to) || int(end-start) < op.minChars || e.clauseHas(op.except, i, clause{start: start, end: end}) {
				return
			}
			var chars int
			from := len(gramBuf)
			gramBuf, chars = bigrams(text[start:end], gramBuf)
			if chars < op.minChars {
				gramBuf = gramBuf[:from]
				return
			}
			x := said{hit: hit{turn: i, start: start, end: end}, grams: gramBuf[from:len(gramBuf):len(gramBuf)], first: int32(len(all)), count: 1}
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
	if len(all) < 2 {
		return foundIn(s, nil)
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
		if nth[root]++; nth[root] >= op.times {
			hits = append(hits, all[k].hit)
		} else {
			earlier = append(earlier, all[k].hit)
		}
	}
	return foundIn(s, append(hits, earlier...))
}

// maxPairwise is the number of sentences up to which each is compared with each; most sessions stay below.
const maxPairwise = 200

func (op *repeatOp) compareAll(all []said) {
	for k := range all {
		a := &all[k]
		best, bestSim := int32(-1), 0.0
		for j := range k {
			b := &all[j]
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

var particleSet = func() map[rune]bool {
	m := map[rune]bool{}
	for _, r := range particles {
		m[r] = true
	}
	return m
}()

func isParticle(r rune) bool { return particleSet[r] }
