package rules

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// slotsOp finds patterns with slots: 我要[退/换]这个[商品], 满[数字]*减[数字].
type slotsOp struct {
	patterns []slotPattern
	negation bool
	numbers  *compare
	words    []int32
}

// slotPattern is a row of parts; the automaton looks for the anchor, the others are read from there.
type slotPattern struct {
	parts  []slotPart
	anchor int
	set    *wordSet
	rest   bool // the rest of the clause belongs to the match
}

// slotPart is one part of a pattern: one of some words, or a number.
type slotPart struct {
	words    map[string]bool
	lengths  []int // distinct lengths of the words in bytes, longest first
	number   bool
	optional bool
	gap      int // characters that may stand before it
}

// maxVariants bounds the words that neighbouring parts are multiplied out to.
const maxVariants = 64

func parseSlots(d *decoder, n *yaml.Node, _ bool) operator {
	op := &slotsOp{negation: true}
	list := n
	gap, between := 6, 0
	if n.Kind == yaml.MappingNode {
		f, _ := d.mapping(n, "slots", "any", "gap", "between", "number", "negation")
		if list = f.get("any"); list == nil {
			d.errorf(n, "slots: {any: ['我要[退/换]这个[商品]']}", "slots needs any")
			return op
		}
		if v := f.get("gap"); v != nil {
			gap = d.int(v, "slots.gap", 1, 100)
		}
		if v := f.get("between"); v != nil {
			between = d.int(v, "slots.between", 0, 20)
		}
		if v := f.get("number"); v != nil {
			op.numbers = d.compareIn(v, "slots.number", d.number)
		}
		op.negation = d.boolean(f.get("negation"), "slots.negation", true)
	}
	numbers := false
	for _, it := range d.items(list, "slots") {
		p, ok := d.slotPattern(it, gap, between)
		if !ok {
			continue
		}
		for _, part := range p.parts {
			numbers = numbers || part.number
		}
		op.patterns = append(op.patterns, p)
		op.words = append(op.words, p.set.ids...)
	}
	if op.numbers != nil && !numbers && len(op.patterns) > 0 {
		d.errorf(list, "[数字] stands for a number", "slots.number compares numbers, but no pattern has one")
	}
	return op
}

// slotPattern reads one pattern: text, [a/b] one of some words, [name] one of a shared list, [数字] a number, ? after a
// slot makes it optional, * stands for up to gap characters and at the end for the rest of the clause.
func (d *decoder) slotPattern(n *yaml.Node, gap, between int) (p slotPattern, ok bool) {
	s := d.str(n, "slots")
	if s == "" {
		return p, false
	}
	before := len(d.probs)
	next := 0 // gap before the part to come
	add := func(part slotPart) {
		part.gap = next
		next = between
		p.parts = append(p.parts, part)
	}
	text := func(t string) {
		if t = strings.TrimSpace(t); t == "" {
			return
		}
		if w, ok := d.word(n, t); ok {
			add(slotPart{words: map[string]bool{w: true}})
		}
	}
	for s != "" {
		i := strings.IndexAny(s, "[*")
		if i < 0 {
			text(s)
			break
		}
		text(s[:i])
		if s[i] == '*' {
			s = strings.TrimLeft(s[i:], "*")
			if s == "" {
				p.rest = true
			}
			next = gap
			continue
		}
		end := strings.IndexByte(s[i:], ']')
		if end < 0 {
			d.errorf(n, "", "a slot is not closed: ] is missing")
			return p, false
		}
		rest, optional := strings.CutPrefix(s[i+end+1:], "?")
		part := d.slot(n, s[i+1:i+end], optional)
		part.optional, s = optional, rest
		add(part)
	}
	if len(d.probs) > before {
		return p, false
	}
	p.multiply()
	best := 0
	for k := range p.parts {
		part := &p.parts[k]
		part.sortLengths()
		if part.number || part.optional {
			continue
		}
		if shortest := part.lengths[len(part.lengths)-1]; shortest > best {
			best, p.anchor = shortest, k
		}
	}
	if best == 0 {
		d.errorf(n, "", "the pattern has no word that must occur")
		return p, false
	}
	words := make([]string, 0, len(p.parts[p.anchor].words))
	for w := range p.parts[p.anchor].words {
		words = append(words, w)
	}
	slices.Sort(words)
	p.set = d.wordSet(words)
	return p, true
}

func (d *decoder) slot(n *yaml.Node, inside string, optional bool) slotPart {
	inside = strings.TrimSpace(inside)
	if inside == "数字" || inside == "number" {
		return slotPart{number: true}
	}
	part := slotPart{words: map[string]bool{}}
	if name := strings.Trim(inside, "<>"); d.lists[name] != nil {
		for _, w := range d.listWords(n, name) {
			part.words[w] = true
		}
		return part
	}
	choices := strings.Split(inside, "/")
	if len(choices) < 2 && !optional {
		var known []string
		for k := range d.lists {
			known = append(known, k)
		}
		d.errorf(n, didYouMean(inside, append(known, "数字")), "the slot [%s] is neither a list of the pack nor words parted by /", clip(inside, 40))
		return part
	}
	for _, c := range choices {
		if w, ok := d.word(n, c); ok {
			part.words[w] = true
		}
	}
	return part
}

// multiply joins neighbouring words without a gap, so that single characters become words that occur more rarely.
func (p *slotPattern) multiply() {
	out := p.parts[:0]
	for _, part := range p.parts {
		if k := len(out) - 1; k >= 0 && part.gap == 0 && !part.number && !out[k].number && !part.optional && !out[k].optional && len(part.words)*len(out[k].words) <= maxVariants {
			joined := make(map[string]bool, len(part.words)*len(out[k].words))
			for a := range out[k].words {
				for b := range part.words {
					joined[a+b] = true
				}
			}
			out[k].words = joined
			continue
		}
		out = append(out, part)
	}
	p.parts = out
}

func (s *slotPart) sortLengths() {
	for w := range s.words {
		if !slices.Contains(s.lengths, len(w)) {
			s.lengths = append(s.lengths, len(w))
		}
	}
	slices.Sort(s.lengths)
	slices.Reverse(s.lengths)
}

func (op *slotsOp) literals() ([]int32, bool) { return op.words, true }

func (op *slotsOp) eval(e *evaluation, s scope) result {
	var hits []hit
	for _, i := range s.turns {
		text := ""
		first := len(hits)
		for k := range op.patterns {
			p := &op.patterns[k]
			e.occurrences(p.set, i, s, false, func(m found) bool {
				if text == "" {
					text = e.text(i)
					if s.to >= 0 {
						text = text[:s.to]
					}
				}
				h, ok := op.read(p, text, m, max(s.from, 0))
				if ok && !(op.negation && negated(text, h.start)) {
					h.turn = i
					hits = append(hits, h)
				}
				return !(ok && e.truthOnly)
			})
		}
		sortHits(hits[first:])
		hits = distinct(hits, first)
		if e.truthOnly && len(hits) > 0 {
			break
		}
	}
	return e.told(foundIn(s, hits), func() string { return places(len(hits)) })
}

// distinct drops, from hits[first:] in order, those that lie inside the one before them.
func distinct(hits []hit, first int) []hit {
	n := first
	for k := first; k < len(hits); k++ {
		if n > first && hits[k].start < hits[n-1].end {
			hits[n-1].end = max(hits[n-1].end, hits[k].end)
			continue
		}
		hits[n] = hits[k]
		n++
	}
	return hits[:n]
}

// read reads the parts of a pattern backwards and forwards from its anchor.
func (op *slotsOp) read(p *slotPattern, text string, m found, from int32) (hit, bool) {
	r := slotReader{parts: p.parts, numbers: op.numbers, text: text, from: int(from)}
	start, ok := r.back(p.anchor, int(m.start))
	if !ok {
		return hit{}, false
	}
	end, ok := r.ahead(p.anchor+1, int(m.end))
	if !ok || latinEdge(text, int32(start), int32(end)) {
		return hit{}, false
	}
	if p.rest {
		for end < len(text) {
			r, w := utf8.DecodeRuneInString(text[end:])
			if stop(r) {
				break
			}
			end += w
		}
	}
	return hit{start: int32(start), end: int32(end)}, true
}

// slotReader reads the parts of one pattern around one anchor.
type slotReader struct {
	parts   []slotPart
	numbers *compare
	text    string
	from    int // nothing before this byte belongs to the range
	steps   int
}

// maxSlotSteps bounds the ways tried, so that a pattern of many wide gaps cannot stop the stream; real ones take some tens.
const maxSlotSteps = 5000

func (r *slotReader) takes(v float64) bool { return r.numbers == nil || r.numbers.holds(v) }

// ahead reads part k and all after it from byte at on; it gives the end of the match.
func (r *slotReader) ahead(k, at int) (int, bool) {
	if k == len(r.parts) {
		return at, true
	}
	part := &r.parts[k]
	for n := 0; ; n++ {
		if r.steps++; r.steps > maxSlotSteps {
			return 0, false
		}
		if part.number {
			if v, size := numeralAt(r.text[at:]); size > 0 && r.takes(v) {
				if end, ok := r.ahead(k+1, at+size); ok {
					return end, true
				}
			}
		}
		for _, l := range part.lengths {
			if at+l <= len(r.text) && part.words[r.text[at:at+l]] {
				if end, ok := r.ahead(k+1, at+l); ok {
					return end, true
				}
			}
		}
		if n == 0 && part.optional {
			if end, ok := r.ahead(k+1, at); ok {
				return end, true
			}
		}
		if n == part.gap || at == len(r.text) {
			return 0, false
		}
		c, w := utf8.DecodeRuneInString(r.text[at:])
		if stop(c) {
			return 0, false
		}
		at += w
	}
}

// back reads the parts before part k, which begins at byte at; it gives the start of the match.
func (r *slotReader) back(k, at int) (int, bool) {
	if k == 0 {
		return at, true
	}
	part, gap := &r.parts[k-1], r.parts[k].gap
	for n := 0; ; n++ {
		if r.steps++; r.steps > maxSlotSteps {
			return 0, false
		}
		if part.number {
			if v, size := numeralBefore(r.text[r.from:at]); size > 0 && r.takes(v) {
				if start, ok := r.back(k-1, at-size); ok {
					return start, true
				}
			}
		}
		for _, l := range part.lengths {
			if at-l >= r.from && part.words[r.text[at-l:at]] {
				if start, ok := r.back(k-1, at-l); ok {
					return start, true
				}
			}
		}
		if n == 0 && part.optional {
			if start, ok := r.back(k-1, at); ok {
				return start, true
			}
		}
		if n == gap || at <= r.from {
			return 0, false
		}
		c, w := utf8.DecodeLastRuneInString(r.text[r.from:at])
		if stop(c) {
			return 0, false
		}
		at -= w
	}
}

// numeralBefore reads the number that ends where s does, the longest there is.
func numeralBefore(s string) (value float64, size int) {
	at := len(s)
	for steps := 0; at > 0 && steps < 24; steps++ {
		r, w := utf8.DecodeLastRuneInString(s[:at])
		_, digit := numeralDigits[r]
		_, unit := numeralUnits[r]
		if !digit && !unit && !(r >= '0' && r <= '9') && r != '.' && r != ',' && r != '点' && r != '半' {
			break
		}
		at -= w
		if v, n := numeralAt(s[at:]); n == len(s)-at {
			value, size = v, n
		}
	}
	return value, size
}
