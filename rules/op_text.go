package rules

import (
	"fmt"
	"slices"
	"unicode"

	"go.yaml.in/yaml/v3"
)

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
	return e.told(foundIn(s, hits), func() string { return places(len(hits)) })
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
	most := 0
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
		most = max(most, chars)
		if chars >= op.minChars {
			hits = append(hits, first)
			if e.truthOnly {
				break
			}
		}
	}
	return e.told(foundIn(s, hits), func() string {
		return fmt.Sprintf("at most %d characters of substance in a turn, asked for %d", most, op.minChars)
	})
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
