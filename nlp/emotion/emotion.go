// Package emotion says what a speaker expresses in a turn: twelve emotions or neutral, with intensities, and a polarity.
//
// A linear model over hashed features (package linear) decides. What it weighs are character n-grams of the turn and of the
// turn before, and what a cue engine makes of the turn: hand-written lexicons (lexicon/*.txt, see package cue for the
// format) give evidence, negation, degree, conditions and questions change it, and role and the turns before weigh it.
// What depends on the text alone is a Text value, made once and free to be cached; ScoreText adds role and context.
//
// It imports the cue engine, linear, models, textnorm and schemas; it must not import mention or the facade above it.
package emotion

import (
	"fmt"
	"sync"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/nlp/linear"
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
const DeadZone = 0.3

// ContextTurns is how many turns before the scored one count.
const ContextTurns = 3

// Version names the rules and lexicons; it changes whenever a score may change.
const Version = "linear-1"

// Scorer scores turns. It is immutable and safe for concurrent use.
type Scorer struct {
	lex      *cue.Lexicon
	tag      tags
	tagKeys  []uint64
	model    *linear.Model
	training bool
	pool     sync.Pool // of *scratch

	temperature [3]float32 // by head
}

// New compiles the built-in lexicons and takes the built-in model.
func New() (*Scorer, error) {
	m, err := builtIn()
	if err != nil {
		return nil, err
	}
	return NewWith(m)
}

// NewWith takes another model.
func NewWith(m *linear.Model) (*Scorer, error) {
	if err := m.Expect(ModelName, Features); err != nil {
		return nil, fmt.Errorf("cannot use emotion model: %w", err)
	}
	s, err := NewCues()
	if err != nil {
		return nil, err
	}
	s.model, s.training = m, false
	meta := m.Meta()
	if meta.Dense != Dense || m.Classes() != outputs {
		return nil, fmt.Errorf("cannot use emotion model: %d dense features and %d classes, want %d and %d", meta.Dense, m.Classes(), Dense, outputs)
	}
	for i, h := range meta.Heads {
		s.temperature[i] = 1
		if t := meta.Params["temperature_"+h.Name]; t > 0 {
			s.temperature[i] = float32(t)
		}
	}
	return s, nil
}

// NewCues makes a scorer that goes by the hand-written lexicons alone: what the model is trained upon, and compared with.
func NewCues() (*Scorer, error) {
	lex, err := compile()
	if err != nil {
		return nil, err
	}
	s := &Scorer{lex: lex, tag: findTags(lex), tagKeys: tagKeys(lex), training: true}
	s.pool.New = func() any { return new(scratch) }
	return s, nil
}

// Score scores one turn from its normalised text.
func (s *Scorer) Score(in Input) Result {
	var turns [ContextTurns]Turn
	return s.ScoreText(s.Text(in.Norm), in.Role, s.contextOf(in.Context, &turns))
}

func (s *Scorer) contextOf(ctx []Utterance, turns *[ContextTurns]Turn) []Turn {
	if len(ctx) > ContextTurns {
		ctx = ctx[len(ctx)-ContextTurns:]
	}
	for i, u := range ctx {
		turns[i] = Turn{Role: u.Role, Text: s.Text(u.Norm)}
	}
	return turns[:len(ctx)]
}

// Turn is a turn of the context whose text has been read.
type Turn struct {
	Role schemas.Role
	Text *Text
}
