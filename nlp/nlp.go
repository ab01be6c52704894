// Package nlp turns the turns of a transcript into features: normalised text, words, emotion, polarity, mentions,
// entities, and the customer's predicted satisfaction with the session.
//
// The stages are packages of their own: textnorm, segment, mask, emotion, mention; cue is the engine of the last two.
// This package joins them behind one Analyser with a bounded cache. It must not import rules or pipeline.
package nlp

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/tingke/tingke/nlp/emotion"
	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/models"
	"github.com/tingke/tingke/nlp/segment"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// Options configure an Analyser. The zero value works: built-in dictionaries, no products, no cache.
type Options struct {
	// UserDict are files of further words, one a line.
	UserDict []string
	// DictDir is a folder with another base dictionary for the segmenter; "" = the built-in one.
	DictDir string
	// Products is a YAML file of products with aliases and shops; "" = none.
	Products string
	// ProductList are further products, after those of the file.
	ProductList []mention.Product
	// CacheEntries bounds the number of texts whose features are kept; 0 turns the cache off. An entry takes about 1 KB.
	CacheEntries int
}

// Analyser makes features. It is safe for concurrent use; equal input gives equal output, with or without the cache.
type Analyser struct {
	seg     *segment.Segmenter
	emo     *emotion.Scorer
	men     *mention.Finder
	cache   *cache
	version string
}

// New makes an analyser. It takes about half a second, most of it for the segmenter's dictionary. Close gives the
// memory back.
func New(o Options) (*Analyser, error) {
	if o.CacheEntries < 0 {
		return nil, errors.New("nlp: CacheEntries is negative")
	}
	list := []mention.Product(nil)
	if o.Products != "" {
		var err error
		if list, err = mention.ReadProducts(o.Products); err != nil {
			return nil, err
		}
	}
	list = append(list, o.ProductList...)
	products, err := mention.NewProducts(list)
	if err != nil {
		return nil, fmt.Errorf("cannot use product list: %w", err)
	}
	a := &Analyser{cache: newCache(o.CacheEntries)}
	if a.emo, err = emotion.New(); err != nil {
		return nil, err
	}
	if a.men, err = mention.New(products); err != nil {
		return nil, err
	}
	if a.seg, err = segment.New(segment.Options{DictDir: o.DictDir, UserDict: o.UserDict}); err != nil {
		return nil, err
	}
	a.version = modelVersion(list) + a.seg.Version()
	return a, nil
}

// Close gives the dictionaries back. No call may be under way.
func (a *Analyser) Close() { a.seg.Close() }

// ModelVersion names everything that decides the features: the rules and lexicons of each stage, its model file by the first
// 8 hex of its SHA-256, and the products.
func (a *Analyser) ModelVersion() string { return a.version }

func modelVersion(products []mention.Product) string {
	v := "emotion=" + emotion.Version + "+" + digest(models.Emotion) + ",mention=" + mention.Version() + "+" + digest(models.Mention) + ",experience=" + experienceVersion
	if len(products) == 0 {
		return v
	}
	h := fnv.New64a()
	for _, p := range products {
		fmt.Fprintf(h, "%q%q%q", p.Name, p.Aliases, p.Shop)
	}
	return v + ",products=" + strconv.FormatUint(h.Sum64(), 16)
}

func digest(model []byte) string {
	sum := sha256.Sum256(model)
	return hex.EncodeToString(sum[:4])
}

// CacheStats says how often a text was found in the cache.
type CacheStats struct {
	Hits, Misses uint64
	Entries      int
}

// CacheStats gives the counts since New. They never influence a result.
func (a *Analyser) CacheStats() CacheStats { return a.cache.stats() }

// Features makes the features of all turns. It is a pure function of the transcript's roles, texts and shop. Norm, words
// and Entities of a turn may be shared with other results: they must not be written to.
func (a *Analyser) Features(t *schemas.Transcript) *schemas.Features {
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns)), ModelVersion: a.version}
	course := course{}
	var context window
	for i := range t.Turns {
		turn := &t.Turns[i]
		x := a.turn(turn, t.Meta.Shop, &context, &f.Turns[i])
		if turn.Role != schemas.System {
			course.add(turn.Role, x, &f.Turns[i])
		}
	}
	f.Experience = course.experience()
	return f
}

// turn makes the features of the next turn and takes it into the context of those that follow.
func (a *Analyser) turn(turn *schemas.TranscriptTurn, shop string, context *window, out *schemas.TurnFeatures) *textFeatures {
	x := a.text(turn.Text)
	out.Norm, out.Cut, out.Entities, out.Language = x.norm, x, x.entities, x.language
	if turn.Role == schemas.System {
		// A notice of the platform: nobody speaks.
		out.Emotion, out.PolarityClass = schemas.Neutral, schemas.NeutralPolarity
		out.Scores[schemas.Neutral] = 1
		return x
	}
	r := a.emo.ScoreText(x.emotion, turn.Role, context.emotions())
	out.Emotion, out.Scores, out.Labels = r.Emotion, r.Scores, r.Labels
	out.Polarity, out.PolarityClass = r.Polarity, r.PolarityClass
	if turn.Role == schemas.Customer {
		out.Mentions = a.men.FindText(x.mention(a.men), mention.Input{
			Raw: turn.Text, Norm: x.norm, Role: turn.Role, Shop: shop,
		}, context.said(a.men))
	}
	context.push(turn.Role, x)
	return x
}

// Live begins a session that comes turn by turn: each call of the function gives the features of the next turn, those that
// Features gives it. It remembers the last few turns only and belongs to one goroutine. Of meta only the shop counts.
func (a *Analyser) Live(meta schemas.Meta) func(*schemas.TranscriptTurn) schemas.TurnFeatures {
	var context window
	return func(turn *schemas.TranscriptTurn) (out schemas.TurnFeatures) {
		a.turn(turn, meta.Shop, &context, &out)
		return out
	}
}

// Emotion scores one turn. context is the turns before it, oldest first, each as "customer: ..." or "agent: ...".
func (a *Analyser) Emotion(role schemas.Role, text string, context []string) emotion.Result {
	w := a.window(context)
	return a.emo.ScoreText(a.text(text).emotion, role, w.emotions())
}

// Mentions finds the mentions of one turn; context is as for Emotion.
func (a *Analyser) Mentions(role schemas.Role, text string, context []string) []schemas.TurnMention {
	if role != schemas.Customer {
		return nil
	}
	w := a.window(context)
	x := a.text(text)
	return a.men.FindText(x.mention(a.men), mention.Input{Raw: text, Norm: x.norm, Role: role}, w.said(a.men))
}

// Segment gives the words of a text as they stand in it, not normalised.
func (a *Analyser) Segment(text string) []string {
	norm := textnorm.Normalise(text)
	spans := a.seg.Cut(norm.Text)
	words := make([]string, 0, len(spans))
	for _, s := range spans {
		if from, to := norm.Orig(s.Start), norm.Orig(s.End); to > from {
			words = append(words, text[from:to])
		}
	}
	return words
}

// window holds the turns before the one in hand, oldest first.
type window struct {
	n     int
	roles [emotion.ContextTurns]schemas.Role
	texts [emotion.ContextTurns]*textFeatures
	emo   [emotion.ContextTurns]emotion.Turn
	says  [emotion.ContextTurns]*mention.Said
}

func (w *window) push(role schemas.Role, x *textFeatures) {
	if w.n == len(w.texts) {
		copy(w.roles[:], w.roles[1:])
		copy(w.texts[:], w.texts[1:])
		w.n--
	}
	w.roles[w.n], w.texts[w.n] = role, x
	w.n++
}

func (w *window) emotions() []emotion.Turn {
	for i := range w.n {
		w.emo[i] = emotion.Turn{Role: w.roles[i], Text: w.texts[i].emotion}
	}
	return w.emo[:w.n]
}

// said gives what the turns of the window add to the mentions of the turn in hand.
func (w *window) said(f *mention.Finder) []*mention.Said {
	for i := range w.n {
		w.says[i] = w.texts[i].said(f, w.roles[i])
	}
	return w.says[:w.n]
}

// window reads the lines of a context; a line that names no role is the other side's.
func (a *Analyser) window(context []string) *window {
	w := new(window)
	if n := len(context); n > emotion.ContextTurns {
		context = context[n-emotion.ContextTurns:]
	}
	for _, line := range context {
		role, text := schemas.Agent, line
		if r, t, ok := strings.Cut(line, ": "); ok && slices.Contains(contextRoles, schemas.Role(r)) {
			role, text = schemas.Role(r), t
		}
		w.push(role, a.text(text))
	}
	return w
}

var contextRoles = []schemas.Role{schemas.Customer, schemas.Agent, schemas.Bot, schemas.System}
