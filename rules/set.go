package rules

import (
	"fmt"
	"strings"

	"github.com/tingke/tingke/schemas"
)

// Options change how packs are read. The zero value is the default.
type Options struct {
	// Normalise brings a word of a pack into the form of TurnFeatures.Norm.Text. The default folds width and case only;
	// a caller whose texts are folded from traditional to simplified characters gives the same function here.
	Normalise func(string) string
	// Encoder makes the vectors that the operator similar compares. Without one such rules are na, with the reason
	// "no_encoder".
	Encoder Encoder

	note func(what string, known []string)
}

// Set is a compiled group of packs. It is immutable and safe for concurrent use.
type Set struct {
	packs     []*pack
	rules     []*rule
	words     *automaton
	version   string
	flagBelow float64
	warnings  Problems
	// wakes[first[w]:first[w+1]] are the rules that word w wakes.
	first []int32
	wakes []int32
	// always are the rules looked at in every session.
	always      []int32
	askingKinds []uint8
	ear         *ear       // nil where no rule listens for sounds
	likes       *exemplars // nil where no rule compares meanings
	// marks gives the pseudo-word of a feature.
	emotionMarks [schemas.EmotionCount]int32
	kindMarks    map[string]int32
	entityMarks  map[string]int32
	// Outcomes of a session in which no rule wakes, and the notes of an open one. Shared: copied before a change.
	closedRest map[string]string
	openRest   map[string]string
	openNotes  []schemas.CoverageNote
	// early are the rules that may find something before the end of a session, a bit a rule.
	early []uint64
}

const defaultFlagBelow = 60

// Load reads and compiles packs; their order is the order of findings. All errors of all packs come back at once, as
// Problems.
func Load(sources ...Source) (*Set, error) { return LoadWith(Options{}, sources...) }

// LoadWith is Load with options.
func LoadWith(o Options, sources ...Source) (*Set, error) {
	if o.Normalise == nil {
		o.Normalise = foldText
	}
	s := &Set{flagBelow: defaultFlagBelow}
	table := &wordTable{ids: map[string]int32{}}
	var probs Problems
	if len(sources) == 0 {
		probs = append(probs, Problem{File: "rules", Severity: SeverityError, Message: "no rule pack given"})
	}
	byID := map[string]*rule{}
	packFiles := map[string]string{}
	for _, src := range sources {
		text, err := src.read()
		if err != nil {
			probs = append(probs, Problem{File: src.name, Severity: SeverityError, Message: err.Error()})
			continue
		}
		if len(text) > maxPackBytes {
			probs = append(probs, Problem{File: src.name, Severity: SeverityError, Message: fmt.Sprintf("the pack has %d bytes, more than %d", len(text), maxPackBytes)})
			continue
		}
		d := &decoder{file: src.name, fold: o.Normalise, words: table, encoder: o.Encoder, note: o.note}
		p := d.readPack(text)
		if p != nil {
			if other, ok := packFiles[p.id]; ok && p.id != "" {
				d.problemAt(p.at, "", "the pack %s is loaded twice, from %s too", p.id, other)
			}
			packFiles[p.id] = src.name
			for _, r := range p.rules {
				if other := byID[r.id]; other != nil && r.id != "" {
					d.problemAt(r.at, fmt.Sprintf("the other one is at %s:%d", other.file, other.at.line), "two rules have the id %s", r.id)
					continue
				}
				byID[r.id] = r
			}
			s.packs = append(s.packs, p)
			s.rules = append(s.rules, p.rules...)
			if p.flagBelow >= 0 {
				s.flagBelow = p.flagBelow
			}
			s.warnings = append(s.warnings, d.lint(p)...)
		}
		probs = append(probs, d.probs.sorted()...)
	}
	if len(probs) > 0 {
		return nil, probs
	}
	s.askingKinds = table.askingKinds()
	s.ear = newEar(table.sounds)
	if s.likes = table.likes; s.likes != nil {
		s.likes.finish()
	}
	table.finish()
	if err := table.check(); err != nil {
		return nil, Problems{{File: sources[0].name, Severity: SeverityError, Message: err.Error()}}
	}
	s.compile(table)
	return s, nil
}

// maxClasses bounds the distinct characters of all words: the automaton numbers them in 16 bits.
const maxClasses = 60_000

func (t *wordTable) check() error {
	seen := map[rune]bool{}
	for _, w := range t.words {
		for _, r := range w {
			seen[r] = true
		}
	}
	if len(seen) > maxClasses {
		return fmt.Errorf("the words of the packs use %d different characters, more than %d", len(seen), maxClasses)
	}
	return nil
}

// compile builds the automaton and what it needs to wake rules.
func (s *Set) compile(table *wordTable) {
	s.kindMarks, s.entityMarks = map[string]int32{}, map[string]int32{}
	for i := range s.emotionMarks {
		s.emotionMarks[i] = -1
	}
	for id, w := range table.words {
		kind, key, ok := strings.Cut(w, ":")
		if !ok || w[0] != 0 {
			continue
		}
		switch kind {
		case "\x00emotion":
			if em, ok := schemas.ParseEmotion(key); ok {
				s.emotionMarks[em] = int32(id)
			}
		case "\x00kind":
			s.kindMarks[key] = int32(id)
		case "\x00entity":
			s.entityMarks[key] = int32(id)
		}
	}
	s.words = newAutomaton(table.words)

	counts := make([]int32, len(table.words)+1)
	for _, r := range s.rules {
		for _, w := range r.words {
			counts[w+1]++
		}
	}
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
	for id, w := range table.words {
		if s.likes != nil && strings.HasPrefix(w, similarPrefix) && counts[id] < counts[id+1] {
			s.likes.wakes = true
		}
	}
	s.first = counts
	s.wakes = make([]int32, counts[len(counts)-1])
	fill := append([]int32(nil), counts...)
	s.closedRest = map[string]string{}
	s.openRest = map[string]string{}
	for i, r := range s.rules {
		for _, w := range r.words {
			s.wakes[fill[w]] = int32(i)
			fill[w]++
		}
		if r.always || r.applies != nil {
			s.always = append(s.always, int32(i))
		}
		if r.pack.quiet {
			continue
		}
		s.closedRest[r.id] = r.rest
		s.openRest[r.id] = schemas.NA
		s.openNotes = append(s.openNotes, schemas.CoverageNote{What: "rule:" + r.id, Why: whyOpen})
	}
	sortNotes(s.openNotes)
	s.early = make([]uint64, (len(s.rules)+63)/64)
	for i, r := range s.rules {
		if r.early() {
			s.early[i/64] |= 1 << (i % 64)
		}
	}
	versions := make([]string, len(s.packs))
	for i, p := range s.packs {
		versions[i] = p.id + "@" + p.fullVersion()
	}
	s.version = strings.Join(versions, ",")
}

// Version names the packs with their declared version and content hash: standard@1+0a1b2c3d, joined by commas.
func (s *Set) Version() string { return s.version }

// RuleInfo describes a rule to people and programs.
type RuleInfo struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Pack      string  `json:"pack"`
	Version   string  `json:"version"`
	Dimension string  `json:"dimension,omitempty"`
	Severity  string  `json:"severity"`
	Points    float64 `json:"points"`
	// Outcomes is "pass_fail" or "presence".
	Outcomes string `json:"outcomes"`
	// Item is scorecard.item, "" where the rule feeds none.
	Item string `json:"item,omitempty"`
	// Tests is the number of inline tests.
	Tests int    `json:"tests"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// Rules lists the rules in the order of their packs.
func (s *Set) Rules() []RuleInfo {
	out := make([]RuleInfo, len(s.rules))
	for i, r := range s.rules {
		out[i] = RuleInfo{ID: r.id, Name: r.name, Pack: r.pack.id, Version: r.pack.fullVersion(), Dimension: r.dimension, Severity: r.severity, Points: r.points,
			Outcomes: "pass_fail", Tests: len(r.tests), File: r.file, Line: r.at.line}
		if r.presence {
			out[i].Outcomes = "presence"
		}
		if r.item != nil {
			out[i].Item = r.card.id + "." + r.item.id
		}
	}
	return out
}
