// Package mention finds what a customer says about product, price, delivery, service and the rest: stretches of a turn
// with kind, aspect, product, polarity, and whether they name a point somebody could act on.
//
// A linear model decides, of the turn as a whole and of each of its clauses: over character n-grams, the turns before, and
// the evidence of hand-written cues and constructions (lexicon/*.txt, format in package cue). What depends on a text alone
// is a Text value, what a turn adds to those after it a Said value, both free to be cached; FindText adds them up.
//
// It imports the cue engine, linear, models, textnorm and schemas; it must not import emotion or the facade above it.
package mention

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/nlp/models"
	"github.com/tingke/tingke/schemas"
)

// ContextTurns is how many turns before a turn count.
const ContextTurns = 3

// version names the rules and lexicons; it changes whenever a mention may change although the model does not.
const version = "2"

// Finder finds mentions. It is immutable and safe for concurrent use.
type Finder struct {
	lex      *cue.Lexicon
	use      []tagUse
	model    *linear.Model
	settings settings
	products *Products
	pool     sync.Pool // of *reader
}

var builtIn = sync.OnceValues(func() (*linear.Model, error) {
	m, err := linear.Read(bytes.NewReader(models.Mention))
	if err != nil {
		return nil, fmt.Errorf("built-in mention model: %w", err)
	}
	return m, nil
})

// New makes a finder with the built-in model. products may be nil.
func New(products *Products) (*Finder, error) {
	m, err := builtIn()
	if err != nil {
		return nil, err
	}
	return NewWith(m, products)
}

// NewWith makes a finder with another model, such as one that was just trained. Without a model, nil, it makes training
// examples only.
func NewWith(m *linear.Model, products *Products) (*Finder, error) {
	lex, err := compile()
	if err != nil {
		return nil, err
	}
	f := &Finder{lex: lex, use: useOfTags(lex), model: m, products: products}
	if m != nil {
		if err := m.Expect(ModelName, Features); err != nil {
			return nil, err
		}
		if m.Classes() != classes || m.Meta().Dense != DenseCount {
			return nil, fmt.Errorf("the mention model has %d classes and %d dense features, this program needs %d and %d: train it again with tingke train mentions",
				m.Classes(), m.Meta().Dense, classes, DenseCount)
		}
		f.settings = settingsOf(m.Meta().Params)
	}
	f.pool.New = func() any { return new(reader) }
	return f, nil
}

// Version names what decides the mentions: the code, the lexicons and the built-in model.
func Version() string {
	m, err := builtIn()
	if err != nil {
		return version // New says what is wrong
	}
	return version + "-" + m.Meta().Data
}

// Meta says what the built-in model is, where it comes from, and what was measured when it was made.
func Meta() (linear.Meta, error) {
	m, err := builtIn()
	if err != nil {
		return linear.Meta{}, err
	}
	return m.Meta(), nil
}

// Input is one turn.
type Input struct {
	Raw     string           // the masked text that offsets refer to
	Norm    schemas.NormText // its normalised form
	Role    schemas.Role     // only customers have mentions
	Shop    string           // whose products may be meant; "" = any
	Context []Utterance      // the turns before, oldest first; at most ContextTurns count
}

// Utterance is a turn of the context.
type Utterance struct {
	Role schemas.Role
	Norm string // normalised text
}

// Find gives the mentions of a turn in order; their spans lie on character borders of Raw and do not overlap.
func (f *Finder) Find(in Input) []schemas.TurnMention {
	if in.Role != schemas.Customer {
		return nil
	}
	ctx := in.Context
	if len(ctx) > ContextTurns {
		ctx = ctx[len(ctx)-ContextTurns:]
	}
	var before [ContextTurns]*Said
	for i, u := range ctx {
		before[i] = f.Said(u.Norm, u.Role)
	}
	return f.FindText(f.Text(in.Norm.Text), in, before[:len(ctx)])
}

// kind of a mention, in the order of kindNames.
type kind int8

const (
	question kind = iota
	complaint
	praise
	suggestion
	request
	bug
	kinds
)

var kindNames = [kinds]string{
	schemas.KindQuestion, schemas.KindComplaint, schemas.KindPraise, schemas.KindSuggestion, schemas.KindRequest, schemas.KindBug,
}

// trimmed are bytes that a span does not begin or end with.
const trimmed = " \t\r\n,.!?;:~。…，；：！？～、"

func trim(text string, start, end int) (int, int) {
	s := strings.TrimLeft(text[start:end], trimmed)
	start = end - len(s)
	return start, start + len(strings.TrimRight(s, trimmed))
}
