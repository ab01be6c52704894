package cue

import "unicode/utf8"

// Clause is a stretch of text between punctuation, in bytes, without the punctuation that ends it.
type Clause struct {
	Start, End int32
	// Stop is the strongest mark after it: '?', '!', '.', ',', ' ' or 0 at the end of the text.
	Stop byte
}

// Mark is an entry found in a text.
type Mark struct {
	Start, End int32 // bytes
	First      int32 // index of its first character
	Last       int32 // index of the character after its last
	Entry      int32
	Clause     int32
	Inner      bool // an additive entry inside a longer one
}

// Fired is a construction found in a text.
type Fired struct {
	Construction int32
	Clause       int32 // of its last element
	From, To     int32 // marks: index of the first and the last element
}

// Reading is what a lexicon finds in one text. It is reused from text to text and belongs to one goroutine.
type Reading struct {
	lex     *Lexicon
	Text    string
	Runes   int
	Clauses []Clause // at least one
	Marks   []Mark
	Fired   []Fired
	present tagSet
}

// maxMarks bounds the work on one text: texts of a megabyte are lawful, and their first thousands of cues say enough.
const maxMarks = 4096

// Read splits text into clauses, finds entries and constructions, and overwrites r with them. The text must be
// normalised; r refers to it until the next Read. It is deterministic and linear in the length of the text.
func (l *Lexicon) Read(text string, r *Reading) {
	r.lex, r.Text = l, text
	r.Clauses, r.Marks, r.Fired = r.Clauses[:0], r.Marks[:0], r.Fired[:0]
	r.present = tagSet{}
	r.split()
	furthest, shielded, n := 0, false, int32(0)
	clause := int32(0)
	for i := 0; i < len(text); {
		c, w := decode(text, i)
		for int(clause)+1 < len(r.Clauses) && int32(i) >= r.Clauses[clause+1].Start {
			clause++
		}
		if c == '@' || c == 'h' {
			// Names and addresses say nothing, whatever words they are made of.
			if skip := reference(text[i:]); skip > 0 {
				n += int32(utf8.RuneCountInString(text[i : i+skip]))
				i += skip
				continue
			}
		}
		if len(r.Marks) < maxMarks {
			f := l.trie.longest(text, i, c, w, l.layers)
			if f.over >= 0 {
				r.mark(f.over, i, f.overlayEnds, n, clause, false)
			}
			switch {
			case f.best < 0:
			case f.end > furthest:
				furthest, shielded = f.end, l.entries[f.best].shield
				r.mark(f.best, i, f.end, n, clause, false)
				if f.inner >= 0 && !shielded {
					r.mark(f.inner, i, f.innerEnd, n, clause, true)
				}
			case !shielded && l.layers[f.best] == additive:
				r.mark(f.best, i, f.end, n, clause, true)
			case !shielded && f.inner >= 0:
				r.mark(f.inner, i, f.innerEnd, n, clause, true)
			}
		}
		i += w
		n++
	}
	r.Runes = int(n)
	r.fire()
}

func (r *Reading) mark(e int32, start, end int, first, clause int32, inner bool) {
	entry := &r.lex.entries[e]
	r.Marks = append(r.Marks, Mark{
		Start: int32(start), End: int32(end), First: first, Last: first + entry.runes, Entry: e, Clause: clause, Inner: inner,
	})
	for _, t := range entry.tags {
		r.present.add(t.tag)
	}
}

// reference gives the length of an @name or a web address at the start of s, or 0.
func reference(s string) int {
	limit := 0
	switch {
	case s[0] == '@':
		limit = 24 // characters; a name is not longer
	case len(s) > 7 && (s[:7] == "http://" || s[:5] == "https"):
		limit = 200
	default:
		return 0
	}
	n := 0
	for i, r := range s {
		if r == ' ' || r == ',' || r == '!' || r == '?' && limit < 100 || r == '。' || r == ';' || r == '\n' || i > 0 && (r == '@' || r == ':' && s[0] == '@') {
			return i
		}
		if limit > 100 && r >= 0x2e80 {
			return i
		}
		if n++; n > limit {
			return 0 // no name
		}
	}
	return len(s)
}

// Has says whether a mark carries the tag.
func (r *Reading) Has(m *Mark, t Tag) bool {
	for _, w := range r.lex.entries[m.Entry].tags {
		if w.tag == t {
			return true
		}
	}
	return false
}

// Present says whether any mark of the text carries the tag.
func (r *Reading) Present(t Tag) bool { return r.present.has(t) }

// EachTag calls f with every tag of a mark and its weight.
func (r *Reading) EachTag(m *Mark, f func(Tag, float32)) {
	for _, w := range r.lex.entries[m.Entry].tags {
		f(w.tag, w.weight)
	}
}

// TagsOf gives the number of tags of a mark; TagAt the i-th with its weight.
func (r *Reading) TagsOf(m *Mark) int { return len(r.lex.entries[m.Entry].tags) }

// TagAt gives the i-th tag of a mark with its weight.
func (r *Reading) TagAt(m *Mark, i int) (Tag, float32) {
	w := r.lex.entries[m.Entry].tags[i]
	return w.tag, w.weight
}

// Out gives what a construction is evidence for, and whom it is limited to.
func (l *Lexicon) Out(construction int32) (Tag, float32, Role) {
	c := &l.constructions[construction]
	return c.out.tag, c.out.weight, c.role
}

// split finds the clauses.
func (r *Reading) split() {
	text := r.Text
	start := 0
	i := 0
	for i < len(text) {
		w := 1
		stop := byte(0)
		if c := text[i]; c < utf8.RuneSelf {
			stop = r.asciiStop(i)
		} else {
			var x rune
			x, w = decode(text, i)
			switch x {
			case '。', '…', '︒':
				stop = '.'
			case '，', '；', '～', '、':
				stop = ','
			case '！':
				stop = '!'
			case '？':
				stop = '?'
			}
			if x == '、' {
				stop = 0
			}
		}
		if stop == 0 {
			i += w
			continue
		}
		if i > start {
			r.Clauses = append(r.Clauses, Clause{int32(start), int32(i), stop})
		} else if n := len(r.Clauses); n > 0 {
			// More punctuation after the same clause.
			r.Clauses[n-1].Stop = stronger(r.Clauses[n-1].Stop, stop)
		}
		i += w
		start = i
	}
	if start < len(text) {
		r.Clauses = append(r.Clauses, Clause{int32(start), int32(len(text)), 0})
	}
	if len(r.Clauses) == 0 {
		r.Clauses = append(r.Clauses, Clause{0, int32(len(text)), 0}) // nothing but punctuation
	}
}

// asciiStop classifies the ASCII character at i: a stop inside a number, an address or between Latin words is none.
func (r *Reading) asciiStop(i int) byte {
	text := r.Text
	switch c := text[i]; c {
	case '?', '!', '\n':
		if c == '\n' {
			return '.'
		}
		return c
	case ',', ';', '~':
		if i > 0 && i+1 < len(text) && isDigit(text[i-1]) && isDigit(text[i+1]) {
			return 0
		}
		return ','
	case '.':
		if i > 0 && i+1 < len(text) && isASCIIWord(text[i-1]) && isASCIIWord(text[i+1]) {
			return 0
		}
		return '.'
	case ' ':
		if i > 0 && i+1 < len(text) && isASCIIWord(text[i-1]) && isASCIIWord(text[i+1]) {
			return 0
		}
		return ' '
	}
	return 0
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func stronger(a, b byte) byte {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

func rank(stop byte) int {
	switch stop {
	case '!':
		return 5
	case '?':
		return 4
	case '.':
		return 3
	case ',':
		return 2
	case ' ':
		return 1
	}
	return 0
}

// fire finds the constructions.
func (r *Reading) fire() {
	l := r.lex
	for i := range r.Marks {
		for _, w := range l.entries[r.Marks[i].Entry].tags {
			for _, ci := range l.byTag[w.tag] {
				c := &l.constructions[ci]
				if intersects(&c.absent, &r.present) || !r.placed(&c.elements[0], &r.Marks[i]) {
					continue
				}
				last, ok := r.match(c, 1, i)
				if !ok {
					continue
				}
				clause := r.Marks[last].Clause
				if !r.fired(ci, clause) {
					r.Fired = append(r.Fired, Fired{ci, clause, int32(i), int32(last)})
				}
			}
		}
	}
}

func (r *Reading) fired(ci, clause int32) bool {
	for _, f := range r.Fired {
		if f.Construction == ci && f.Clause == clause {
			return true
		}
	}
	return false
}

// match finds elements[k:] after mark i and gives the mark of the last one.
func (r *Reading) match(c *construction, k, i int) (int, bool) {
	if k == len(c.elements) {
		return i, true
	}
	e, from := &c.elements[k], &r.Marks[i]
	for j := i + 1; j < len(r.Marks); j++ {
		m := &r.Marks[j]
		if !e.cross && m.Clause != from.Clause || int(m.First-from.Last) > e.gap {
			break
		}
		if m.First < from.Last || !r.lex.entries[m.Entry].has(&e.tags) || !r.placed(e, m) {
			continue
		}
		if last, ok := r.match(c, k+1, j); ok {
			return last, true
		}
	}
	if e.optional {
		return r.match(c, k+1, i)
	}
	return 0, false
}

// placed says whether a mark stands where its element asks. One character may follow at an end: a particle.
func (r *Reading) placed(e *element, m *Mark) bool {
	if !e.start && !e.end && !e.turnStart && !e.turnEnd {
		return true
	}
	c := r.Clauses[m.Clause]
	if (e.start || e.turnStart) && m.Start != c.Start || e.turnStart && m.Clause != 0 {
		return false
	}
	if (e.end || e.turnEnd) && utf8.RuneCountInString(r.Text[min(m.End, c.End):c.End]) > 1 {
		return false
	}
	return !e.turnEnd || int(m.Clause) == len(r.Clauses)-1
}

func intersects(a, b *tagSet) bool {
	for i := range a {
		if a[i]&b[i] != 0 {
			return true
		}
	}
	return false
}
