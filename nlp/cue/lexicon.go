package cue

import "unicode/utf8"

const (
	maxEntryBytes = 120
	tagWords      = MaxTags / 64
)

type tagSet [tagWords]uint64

func (s *tagSet) add(t Tag)      { s[t/64] |= 1 << (t % 64) }
func (s *tagSet) has(t Tag) bool { return s[t/64]&(1<<(t%64)) != 0 }
func (s *tagSet) union(o tagSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

type weighted struct {
	tag    Tag
	weight float32
}

type entry struct {
	tags   []weighted
	runes  int32
	layer  layer
	shield bool // carries the tag shield: nothing inside it counts
}

func (e *entry) give(w weighted) {
	for i, t := range e.tags {
		if t.tag == w.tag {
			if w.weight != 0 {
				e.tags[i].weight = w.weight
			}
			return
		}
	}
	e.tags = append(e.tags, w)
}

func (e *entry) has(s *tagSet) bool {
	for _, t := range e.tags {
		if s.has(t.tag) {
			return true
		}
	}
	return false
}

// Role limits a construction to a speaker.
type Role uint8

// The limits.
const (
	AnyRole Role = iota
	OnlyCustomer
	OnlyAgent
)

type element struct {
	tags               tagSet
	gap                int // characters between the end of the previous element and the start of this one
	cross, optional    bool
	start, end         bool // at the border of a clause
	turnStart, turnEnd bool
}

type construction struct {
	out      weighted
	elements []element
	absent   tagSet
	role     Role
	file     string
	line     int
}

// Lexicon is a compiled set of entries and constructions.
type Lexicon struct {
	tagOf         map[string]Tag
	tagNames      []string
	given         []uint8
	entries       []entry
	constructions []construction
	byTag         [][]int32 // constructions whose first element has the tag

	trie   Trie
	layers []layer // by entry
}

// Tags is the number of tags: the length of Reading.Evidence.
func (l *Lexicon) Tags() int { return len(l.tagNames) }

// Entries is the number of different entries.
func (l *Lexicon) Entries() int { return len(l.entries) }

// Tag finds a tag by name; it panics for a name the files do not give, which is a mistake of the program.
func (l *Lexicon) Tag(name string) Tag {
	t, ok := l.tagOf[name]
	if !ok {
		panic("cue: the lexicon gives no tag " + name)
	}
	return t
}

// TagName gives the name of a tag.
func (l *Lexicon) TagName(t Tag) string { return l.tagNames[t] }

func (l *Lexicon) build(texts map[string]int32) {
	l.trie.build(texts)
	for t, e := range texts {
		l.entries[e].runes = int32(utf8.RuneCountInString(t))
	}
	shield, hasShield := l.tagOf["shield"]
	l.layers = make([]layer, len(l.entries))
	for i := range l.entries {
		e := &l.entries[i]
		l.layers[i] = e.layer
		for _, t := range e.tags {
			e.shield = e.shield || hasShield && t.tag == shield
		}
	}
	l.byTag = make([][]int32, len(l.tagNames))
	for i, c := range l.constructions {
		for t := range l.tagNames {
			if c.elements[0].tags.has(Tag(t)) {
				l.byTag[t] = append(l.byTag[t], int32(i))
			}
		}
	}
}
