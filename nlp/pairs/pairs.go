// Package pairs holds minimal pairs: two utterances that differ by a word, a mark, the speaker or the turn before, and
// therefore in label. A classifier that goes by keywords gives both members the same label; one that reads does not.
//
// The pairs (pairs.tsv) were written by hand for this project before any model was trained. They test, they never train:
// whatever trains a model asks TooClose about every row and refuses those that are near copies of a member.
//
// Labels are those of the label definitions: the emotion of the turn or the class of its polarity, whichever Field names.
//
// It imports only textnorm and the standard library.
package pairs

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed pairs.tsv
var file string

// Fields that may decide a pair.
const (
	Emotion  = "emotion"  // one of the twelve emotions or neutral
	Polarity = "polarity" // positive, neutral or negative
)

// Phenomena lists what the pairs are about.
var Phenomena = []string{
	"negation", "double_negation", "degree", "rhetorical_question", "conditional", "sarcasm", "polite_formula",
	"thanks_brush_off", "emoji_punctuation", "role",
}

// Member is one utterance of a pair.
type Member struct {
	Role    string   // customer or agent
	Context []string // "role: text", oldest first; mostly empty
	Text    string
	Label   string
}

// Pair is two utterances that differ little in form and by their label in meaning.
type Pair struct {
	ID         string
	Phenomenon string
	// Field says what Label of the members is: Emotion or Polarity.
	Field string
	A, B  Member
}

var load = sync.OnceValues(func() ([]Pair, error) { return parse(file) })

// All returns the pairs in the order of the file. The caller must not change them. It is safe for concurrent use.
func All() []Pair {
	list, err := load()
	if err != nil {
		panic(err) // the file is part of the program, a test reads it
	}
	return list
}

const columns = 11

// parse reads a table with a heading line; all bad lines are told at once.
func parse(table string) ([]Pair, error) {
	var list []Pair
	var errs []string
	for n, line := range strings.Split(strings.TrimSuffix(table, "\n"), "\n") {
		if n == 0 {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != columns {
			errs = append(errs, fmt.Sprintf("line %d: %d columns instead of %d", n+1, len(f), columns))
			continue
		}
		list = append(list, Pair{ID: f[0], Phenomenon: f[1], Field: f[2], A: member(f[3:7]), B: member(f[7:11])})
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("cannot read pairs.tsv: %s", strings.Join(errs, "; "))
	}
	return list, nil
}

func member(f []string) Member {
	m := Member{Role: f[0], Text: f[2], Label: f[3]}
	if f[1] != "" {
		m.Context = strings.Split(f[1], " || ")
	}
	return m
}
