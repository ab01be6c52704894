package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// keywordOp finds words.
type keywordOp struct {
	mode     logic // anyOf, all, none, atLeast
	set      *wordSet
	n        int // distinct words that must occur (all, atLeast)
	times    int // total occurrences that must be there
	negation bool
	// same gives the word that a synonym stands for.
	same map[int32]int32
	// token asks that a match begins and ends where words of the segmentation do.
	token bool
	// written holds words as the pack writes them, where upper and lower case count.
	written map[int32]string
	// gapped are the words where characters may stand between their own; set then holds one character of each.
	gapped []gappedWord
	// first is a word that must occur with its synonyms (all).
	first []int32
}

// gappedWord is a word whose characters may have at most gap others between two neighbours.
type gappedWord struct {
	id     int32 // its own number, for counting different words
	chars  []rune
	anchor int   // the index of the character that the automaton looks for
	at     int32 // the pattern of that character
	gap    int
}

func parseKeyword(d *decoder, n *yaml.Node, _ bool) operator {
	op := &keywordOp{mode: anyOf, times: 1, negation: true, set: &wordSet{}}
	if n.Kind != yaml.MappingNode {
		op.set = d.wordSet(d.wordList(n, "keyword"))
		return op
	}
	f, _ := d.mapping(n, "keyword", "any", "all", "none", "n", "of", "times", "negation", "synonyms", "gap", "match", "case")
	modes := 0
	var words []string
	var list *yaml.Node
	for key, mode := range map[string]logic{"any": anyOf, "all": all, "none": none, "of": atLeast} {
		if v := f.get(key); v != nil {
			modes++
			op.mode, list = mode, v
			words = d.wordList(v, "keyword."+key)
		}
	}
	if modes != 1 {
		d.errorf(n, "keyword: [words], or any:, all:, none:, or n: with of:", "keyword needs exactly one list of words")
	}
	if op.n = len(words); op.mode == atLeast {
		if op.n = d.int(f.get("n"), "keyword.n", 1, 1000); f.get("n") == nil {
			d.errorf(f.key("of"), "", "keyword.of needs n, the number of different words")
		} else if op.n > len(words) && len(words) > 0 {
			d.errorf(f.get("n"), "", "keyword.n is more than the %d words", len(words))
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
	op.token = d.oneOf(f.get("match"), "keyword.match", "part", "word") == "word"
	groups := d.synonyms(f.get("synonyms"), words)
	if v := f.get("gap"); v != nil {
		op.readGapped(d, v, words, groups)
		return op
	}
	op.set, op.same = d.grouped(words, groups)
	if op.mode == all && len(words) > 0 {
		op.first = []int32{d.words.id(words[0])}
		for _, w := range groups[words[0]] {
			op.first = append(op.first, d.words.id(w))
		}
	}
	if d.boolean(f.get("case"), "keyword.case", false) && list != nil {
		op.written = map[int32]string{}
		for _, it := range d.items(list, "keyword") {
			if _, ref := listRef(it.Value); ref {
				d.errorf(it, "write the words here", "with case: yes a shared list cannot be used")
				continue
			}
			if w, ok := d.word(it, it.Value); ok {
				op.written[d.words.id(w)] = strings.TrimSpace(it.Value)
			}
		}
	}
	return op
}

// synonyms reads which further words stand for a word of the list.
func (d *decoder) synonyms(n *yaml.Node, words []string) map[string][]string {
	groups := map[string][]string{}
	if n == nil {
		return groups
	}
	f, ok := d.openMapping(n, "keyword.synonyms")
	if !ok {
		return groups
	}
	for name, v := range f.vals {
		w, ok := d.word(f.keys[name], name)
		if !ok {
			continue
		}
		if !slices.Contains(words, w) {
			d.errorf(f.keys[name], didYouMean(w, words), "synonyms of a word that is not in the list")
			continue
		}
		groups[w] = d.wordList(v, "keyword.synonyms."+name)
	}
	return groups
}

// grouped makes the set of words and synonyms, and which word each synonym stands for.
func (d *decoder) grouped(words []string, groups map[string][]string) (*wordSet, map[int32]int32) {
	all := slices.Clone(words)
	var same map[int32]int32
	for _, w := range words {
		for _, s := range groups[w] {
			all = append(all, s)
			if same == nil {
				same = map[int32]int32{}
			}
			same[d.words.id(s)] = d.words.id(w)
		}
	}
	for _, w := range words {
		delete(same, d.words.id(w))
	}
	return d.wordSet(all), same
}

func (op *keywordOp) readGapped(d *decoder, v *yaml.Node, words []string, groups map[string][]string) {
	gap := d.int(v, "keyword.gap", 1, 20)
	var anchors []string
	add := func(w string, id int32) {
		g := gappedWord{id: id, chars: []rune(w), gap: gap}
		if len(g.chars) < 2 {
			d.errorf(v, "leave gap out, or write longer words", "the word %s has no room for a gap", w)
			return
		}
		g.anchor = rarest(g.chars)
		a := string(g.chars[g.anchor])
		g.at = d.words.id(a)
		anchors = append(anchors, a)
		op.gapped = append(op.gapped, g)
	}
	for k, w := range words {
		from := len(anchors)
		add(w, int32(k))
		for _, s := range groups[w] {
			add(s, int32(k))
		}
		if k == 0 && op.mode == all {
			for _, a := range anchors[from:] {
				op.first = append(op.first, d.words.id(a))
			}
		}
	}
	op.set = d.wordSet(anchors)
}

// everyday are the characters that occur most in customer service: others find a word at less cost.
const everyday = "的一是了不我你您有在这个好亲们可以下要到吗哦呢请么没什货为时就会还发那来说给能上也多天看都样人快对请问客服收大后小出家里年月日号元"

// rarest chooses the character that stands in the fewest texts: any that is not an everyday one.
func rarest(chars []rune) int {
	for i, r := range chars {
		if r > utf8.RuneSelf && !strings.ContainsRune(everyday, r) {
			return i
		}
	}
	for i, r := range chars {
		if content(r) && !strings.ContainsRune(everyday, r) {
			return i
		}
	}
	return 0
}

func (op *keywordOp) literals() ([]int32, bool) {
	switch op.mode {
	case none:
		return nil, false
	case all:
		if op.first != nil {
			return op.first, true
		}
		return op.set.ids[:min(1, len(op.set.ids))], true
	}
	return op.set.ids, true
}

// whyNoWords: nobody cut the text into words.
const whyNoWords = "no_words"

func (op *keywordOp) eval(e *evaluation, s scope) result {
	var hits []hit
	var seen []int32
	count := 0
	missing := ""
	for _, i := range s.turns {
		first := len(hits)
		op.each(e, i, s, func(m found) bool {
			if op.token {
				ok, words := e.onBorders(i, m.start, m.end)
				if !words {
					missing = whyNoWords
				}
				if !ok {
					return true
				}
			}
			if w, ok := op.written[m.pattern]; ok && w != e.asWritten(hit{turn: i, start: m.start, end: m.end}) {
				return true
			}
			if op.mode == all || op.mode == atLeast {
				id := m.pattern
				if w, ok := op.same[id]; ok {
					id = w
				}
				if !slices.Contains(seen, id) {
					seen = append(seen, id)
				}
			}
			// Matches come by their end; one inside or overlapping the last of this turn makes it longer.
			if k := len(hits) - 1; k >= first && m.start < hits[k].end {
				hits[k].start, hits[k].end = min(hits[k].start, m.start), max(hits[k].end, m.end)
				return true
			}
			hits = append(hits, hit{turn: i, start: m.start, end: m.end})
			count++
			return op.mode != none && !(e.truthOnly && op.mode == anyOf && count >= op.times)
		})
		if op.mode == none && len(hits) > 0 {
			break
		}
		if e.truthOnly && op.mode == anyOf && count >= op.times {
			return result{truth: yes, hits: hits}
		}
	}
	value := func() string {
		if op.mode == all || op.mode == atLeast {
			return fmt.Sprintf("%d of %d words", len(seen), op.n)
		}
		return places(count)
	}
	if op.mode == none {
		r := result{}
		switch {
		case count > 0:
		case missing != "":
			return result{truth: noData, why: missing}
		case !s.complete:
			r.truth = open
		default:
			r.truth = yes
		}
		return e.told(r, value)
	}
	enough := hits
	if count < op.times || (op.mode == all || op.mode == atLeast) && len(seen) < op.n {
		enough = nil
	}
	return e.told(findings(s, enough, missing), value)
}

// each calls f for the occurrences of the words in a turn, inside the scope.
func (op *keywordOp) each(e *evaluation, turn int32, s scope, f func(found) bool) {
	if op.gapped == nil {
		e.occurrences(op.set, turn, s, op.negation, f)
		return
	}
	if !e.turnHas(turn, op.set, s) {
		return
	}
	text := e.text(turn)
	from, to := int32(0), int32(len(text))
	if s.to >= 0 {
		from, to = s.from, s.to
	}
	var matches []found
	for k := range op.gapped {
		g := &op.gapped[k]
		for _, m := range e.matchesIn(turn, s) {
			if m.pattern != g.at || m.start < from || m.end > to {
				continue
			}
			start, end, ok := g.around(text, m, from, to)
			if !ok || latinEdge(text, start, end) || op.negation && negated(text, start) {
				continue
			}
			matches = append(matches, found{pattern: g.id, start: start, end: end})
		}
	}
	// In the order of their ends, as the automaton gives them.
	slices.SortStableFunc(matches, func(a, b found) int { return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start)) })
	for _, m := range matches {
		if !f(m) {
			return
		}
	}
}

// around reads the rest of the word backwards and forwards from its anchor.
func (g *gappedWord) around(text string, m found, from, to int32) (start, end int32, ok bool) {
	start, end = m.start, m.end
	for k := g.anchor - 1; k >= 0; k-- {
		found := false
		at := start
		for n := 0; n <= g.gap && at > from; n++ {
			r, w := utf8.DecodeLastRuneInString(text[from:at])
			at -= int32(w)
			if r == g.chars[k] {
				start, found = at, true
				break
			}
			if sentenceEnd(r) {
				break
			}
		}
		if !found {
			return 0, 0, false
		}
	}
	for k := g.anchor + 1; k < len(g.chars); k++ {
		found := false
		at := end
		for n := 0; n <= g.gap && at < to; n++ {
			r, w := utf8.DecodeRuneInString(text[at:to])
			at += int32(w)
			if r == g.chars[k] {
				end, found = at, true
				break
			}
			if sentenceEnd(r) {
				break
			}
		}
		if !found {
			return 0, 0, false
		}
	}
	return start, end, true
}

// sentenceEnd says whether a gap may not reach over r. A comma or point inside a word is an evasion: 微.信.
func sentenceEnd(r rune) bool {
	return r == '。' || r == '!' || r == '?' || r == '\n'
}

// onBorders says whether bytes [start, end) of a turn begin and end at borders of its words; words is false where the
// text was not cut into words.
func (e *evaluation) onBorders(turn, start, end int32) (ok, words bool) {
	spans := e.words(turn)
	if len(spans) == 0 {
		return false, false
	}
	k, _ := slices.BinarySearchFunc(spans, int(start), func(w schemas.Span, at int) int { return w.Start - at })
	if k == len(spans) || spans[k].Start != int(start) {
		return false, true
	}
	for k < len(spans) && spans[k].End < int(end) {
		k++
	}
	return k < len(spans) && spans[k].End == int(end), true
}

// asWritten is the masked text of a place, before normalisation.
func (e *evaluation) asWritten(h hit) string {
	start, end := e.original(h)
	return e.t.Turns[h.turn].Text[start:end]
}
