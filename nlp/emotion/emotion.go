// Package emotion says what a speaker expresses in a turn: twelve emotions or neutral, with intensities, and a polarity.
//
// It is a deterministic cue engine: hand-written lexicons (lexicon/*.txt, see package cue for the format) give evidence,
// negation, degree, conditions and questions change it, and role and the turns before weigh it. What depends on the text
// alone is a Text value, made once and free to be cached; Score adds role and context each time. A trained model can
// later add to the same raw scores or take their place behind the same functions.
//
// It imports the cue engine, textnorm and schemas; it must not import mention or the facade above it.
package emotion

import (
	"sync"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

// Utterance is a turn of the context.
type Utterance struct {
	Role schemas.Role
	Norm string // normalised text
}

// Input is one turn to score.
type Input struct {
	Norm    string // normalised text
	Role    schemas.Role
	Context []Utterance // oldest first, at most the last three count
}

// Result is what a turn expresses.
type Result struct {
	// Scores sum to 1.
	Scores [schemas.EmotionCount]float32
	// Emotion is the argmax of Scores; of equal scores the first.
	Emotion schemas.Emotion
	// Labels are Emotion and any further emotion that is nearly as strong, strongest first; empty when neutral.
	Labels []schemas.EmotionLabel
	// Polarity is -1..1. PolarityClass agrees with its sign; within DeadZone of 0 it is neutral.
	Polarity      float32
	PolarityClass string
}

// DeadZone is the size of the polarity below which a turn is of neutral polarity.
const DeadZone = 0.1

// ContextTurns is how many turns before the scored one count.
const ContextTurns = 3

// Version names the rules and lexicons; it changes whenever a score may change.
const Version = "cue-1"

// Scorer scores turns. It is immutable and safe for concurrent use.
type Scorer struct {
	lex  *cue.Lexicon
	tag  tags
	pool sync.Pool // of *cue.Reading
}

// New compiles the built-in lexicons.
func New() (*Scorer, error) {
	lex, err := compile()
	if err != nil {
		return nil, err
	}
	s := &Scorer{lex: lex, tag: findTags(lex)}
	s.pool.New = func() any { return new(cue.Reading) }
	return s, nil
}

// Score scores one turn from its normalised text.
func (s *Scorer) Score(in Input) Result {
	ctx := in.Context
	if len(ctx) > ContextTurns {
		ctx = ctx[len(ctx)-ContextTurns:]
	}
	var turns [ContextTurns]Turn
	for i, u := range ctx {
		turns[i] = Turn{Role: u.Role, Text: s.Text(u.Norm)}
	}
	return s.ScoreText(s.Text(in.Norm), in.Role, turns[:len(ctx)])
}

// Turn is a turn of the context whose text has been read.
type Turn struct {
	Role schemas.Role
	Text *Text
}
