// Package mention finds what a customer says about product, price, delivery, service and the rest: stretches of a turn
// with kind, aspect, product, polarity, and whether they name a point somebody could act on.
//
// Like emotion it is a deterministic cue engine over hand-written lexicons (lexicon/*.txt, format in package cue). What
// depends on the text alone is a Text value, free to be cached; Find adds the context and the shop each time.
//
// It imports the cue engine, textnorm and schemas; it must not import emotion or the facade above it.
package mention

import (
	"strings"
	"sync"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/schemas"
)

// ContextTurns is how many turns before a turn may give it the aspect it does not name.
const ContextTurns = 3

// Version names the rules and lexicons; it changes whenever a mention may change.
const Version = "cue-1"

// Finder finds mentions. It is immutable and safe for concurrent use.
type Finder struct {
	lex      *cue.Lexicon
	use      []tagUse
	products *Products
	pool     sync.Pool // of *reader
}

// New compiles the built-in lexicons. products may be nil.
func New(products *Products) (*Finder, error) {
	lex, err := compile()
	if err != nil {
		return nil, err
	}
	f := &Finder{lex: lex, use: useOfTags(lex), products: products}
	f.pool.New = func() any { return new(reader) }
	return f, nil
}

// Input is one turn.
type Input struct {
	Raw     string           // the masked text that offsets refer to
	Norm    schemas.NormText // its normalised form
	Role    schemas.Role     // only customers have mentions
	Shop    string           // whose products may be meant; "" = any
	Context []string         // normalised texts of the turns before, oldest first
	// Polarity is what is known of the feeling of the turn, -1..1: a stretch that names an aspect in a turn of clear
	// feeling is a complaint or praise although its own words judge nothing.
	Polarity float32
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
	return f.FindText(f.Text(in.Norm.Text), in, len(ctx), func(i int) *Text { return f.Text(ctx[i]) })
}

// FindText is Find for texts that have been read: t must be the reading of in.Norm.Text; in.Context is not looked at,
// before gives the reading of the i-th of n turns before, oldest first. It is called only where the turn itself leaves an
// aspect open.
func (f *Finder) FindText(t *Text, in Input, n int, before func(i int) *Text) []schemas.TurnMention {
	if len(t.candidates) == 0 || in.Role != schemas.Customer {
		return nil
	}
	out := make([]schemas.TurnMention, 0, len(t.candidates))
	for i := range t.candidates {
		c := &t.candidates[i]
		kind := c.kind
		if c.weak {
			switch {
			case t.firm:
				continue // the turn says something more clearly
			case in.Polarity < -clearFeeling:
				kind = complaint
			case in.Polarity > clearFeeling:
				kind = praise
			default:
				continue
			}
		}
		start, end := in.Norm.Orig(int(c.start)), in.Norm.Orig(int(c.end))
		if end <= start || len(out) > 0 && start < out[len(out)-1].End {
			continue
		}
		m := schemas.TurnMention{
			Text: in.Raw[start:end], Start: start, End: end,
			Kind: kindNames[kind], Aspect: schemas.Aspects[aspectOf(c, kind, t, n, before)], Valuable: c.valuable,
			Product: f.products.pick(c.products, in.Shop), Polarity: c.polarity(kind),
		}
		out = append(out, m)
	}
	return out
}

// aspectOf is what the candidate names, else what the rest of the turn is about, else what was spoken of before, else the
// usual one of its kind.
func aspectOf(c *candidate, k kind, t *Text, n int, before func(i int) *Text) int {
	if c.aspect >= 0 {
		return int(c.aspect)
	}
	if a := t.about(); a >= 0 {
		return a
	}
	for i := n - 1; i >= max(0, n-ContextTurns); i-- {
		if a := before(i).about(); a >= 0 {
			return a
		}
	}
	return defaultAspect[k]
}

// clearFeeling is the polarity from which a turn decides what its weak candidates are.
const clearFeeling = 0.35

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

func aspectIndex(name string) int {
	for i, a := range schemas.Aspects {
		if a == name {
			return i
		}
	}
	panic("mention: no aspect " + name)
}

var defaultAspect = [kinds]int{
	question: aspectIndex(schemas.AspectSpec), complaint: aspectIndex(schemas.AspectService), praise: aspectIndex(schemas.AspectQuality),
	suggestion: aspectIndex(schemas.AspectService), request: aspectIndex(schemas.AspectService), bug: aspectIndex(schemas.AspectFunction),
}

// candidate is a mention before context: offsets are bytes of the normalised text.
type candidate struct {
	start, end int32
	kind       kind
	weak       bool // names an aspect, says nothing of it: a mention only in a turn of clear feeling
	aspect     int8 // -1: not named
	valuable   bool
	good, bad  float32
	products   []int32 // entries of the product dictionary, by place
}

func (c *candidate) polarity(k kind) string {
	switch {
	case k == complaint || k == bug:
		return schemas.Negative
	case k == praise:
		return schemas.Positive
	case c.bad-c.good > 0.7:
		return schemas.Negative
	case c.good-c.bad > 1.2:
		return schemas.Positive
	}
	return schemas.NeutralPolarity
}

// trimmed are bytes that a span does not begin or end with.
const trimmed = " \t\r\n,.!?;:~。…，；：！？～、"

func trim(text string, start, end int) (int, int) {
	s := strings.TrimLeft(text[start:end], trimmed)
	start = end - len(s)
	return start, start + len(strings.TrimRight(s, trimmed))
}
