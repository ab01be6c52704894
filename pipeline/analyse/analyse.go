// Package analyse is the pure function at the heart of the pipeline: (transcript, rules, models, registry epoch) ->
// analysed session. The same input gives the same bytes in stream, batch, rerun and test: it does no input or output,
// reads no clock and must import neither the warehouse nor the stream.
package analyse

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"sort"

	"github.com/tingke/tingke/schemas"
)

// Featuriser gives the features of a transcript. It must be pure and safe for concurrent use.
type Featuriser interface {
	Features(*schemas.Transcript) *schemas.Features
	ModelVersion() string
}

// Rules evaluates the rules in use. It must be pure and safe for concurrent use.
type Rules interface {
	Evaluate(*schemas.Transcript, *schemas.Features) schemas.Findings
	Version() string
}

// Opinions is one epoch of the registry of opinions: an immutable snapshot. It must be pure and safe for concurrent use.
type Opinions interface {
	// Epoch numbers the snapshot, 28 bits.
	Epoch() uint32
	// Assign gives the opinion that a mention belongs to, "" where none fits, and how well it fits, 0..1.
	Assign(schemas.TurnMention) (id string, score float64)
	// Version names the models that assign.
	Version() string
}

// Analyser analyses sessions. It is immutable and safe for concurrent use.
type Analyser struct {
	features    Featuriser
	rules       Rules
	departments map[string]string
	opinions    Opinions // nil: mentions wait
}

// New makes an Analyser. departments maps an aspect to the department that acts on it; nil means
// schemas.DefaultDepartments.
func New(f Featuriser, r Rules, departments map[string]string) *Analyser {
	if departments == nil {
		departments = schemas.DefaultDepartments
	}
	return &Analyser{features: f, rules: r, departments: departments}
}

// WithOpinions gives an Analyser that assigns mentions by another epoch of the registry.
func (a *Analyser) WithOpinions(o Opinions) *Analyser {
	b := *a
	b.opinions = o
	return &b
}

// Epoch is the epoch of the registry in use, 0 without one.
func (a *Analyser) Epoch() uint32 {
	if a.opinions == nil {
		return 0
	}
	return a.opinions.Epoch()
}

// assign finds the opinions of the mentions, before the rules are asked: they may ask for them. A mention without a
// point to act on belongs to none.
func (a *Analyser) assign(f *schemas.Features) (err error) {
	if a.opinions == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the assignment failed: %v", p)
		}
	}()
	for i := range f.Turns {
		for k := range f.Turns[i].Mentions {
			m := &f.Turns[i].Mentions[k]
			if !m.Valuable {
				continue
			}
			id, score := a.opinions.Assign(*m)
			m.OpinionID, m.OpinionScore = id, float32(score)
		}
	}
	return nil
}

// Analyse analyses one assembled session. It never fails: what cannot be said is absent and noted in Coverage.
func (a *Analyser) Analyse(t *schemas.Transcript) *schemas.Analysis {
	out := &schemas.Analysis{
		SessionID:    t.Meta.SessionID,
		Epoch:        a.Epoch(),
		Version:      t.Version<<28 | uint64(a.Epoch()),
		Closed:       t.Closed,
		Meta:         t.Meta,
		EndedAt:      endedAt(t),
		StartedAt:    StartedAt(t),
		AgentIDs:     agentIDs(t),
		RulesVersion: a.rules.Version(),
		ModelVersion: a.ModelVersion(),
		Origin:       t.Origin,
		Coverage:     append([]schemas.CoverageNote(nil), t.Notes...),
	}
	f, err := a.featuresOf(t)
	if err != nil {
		out.Coverage = append(out.Coverage, schemas.CoverageNote{What: "features", Why: err.Error()})
	}
	if err := a.assign(f); err != nil {
		out.Coverage = append(out.Coverage, schemas.CoverageNote{What: "opinions", Why: err.Error()})
	}
	out.Coverage = append(out.Coverage, f.Notes...)
	out.Experience = clean(f.Experience)
	out.Turns = make([]schemas.AnalysedTurn, len(t.Turns))
	for i := range t.Turns {
		tf := &f.Turns[i]
		out.Turns[i] = schemas.AnalysedTurn{TranscriptTurn: t.Turns[i], Emotion: tf.Emotion, Scores: tf.Scores, Polarity: tf.Polarity, Language: tf.Language}
		if t.Turns[i].Role == schemas.Customer {
			if out.EmotionStart == "" {
				out.EmotionStart = tf.Emotion.String()
			}
			out.EmotionEnd = tf.Emotion.String()
		}
		for _, m := range tf.Mentions {
			out.Mentions = append(out.Mentions, a.mention(t, i, m))
		}
	}
	out.Rounds = Rounds(t)
	out.Facts = facts(t, out.Rounds)
	known := *f // the caller's features stay as they are
	known.Facts = &out.Facts
	findings, err := a.evaluate(t, &known)
	if err != nil {
		out.Coverage = append(out.Coverage, schemas.CoverageNote{What: "rules", Why: err.Error()})
	}
	out.Findings = findings
	out.Coverage = tidy(append(out.Coverage, findings.Notes...))
	out.Findings.Notes = nil
	return out
}

// featuresOf keeps a defect in one model from stopping the stream: the session is stored without features and says so.
func (a *Analyser) featuresOf(t *schemas.Transcript) (f *schemas.Features, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the models failed: %v", p)
		}
		if f == nil || len(f.Turns) != len(t.Turns) {
			f = &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns))}
			for i := range f.Turns {
				tf := &f.Turns[i]
				tf.Norm.Text = t.Turns[i].Text
				tf.Emotion, tf.Scores[schemas.Neutral], tf.PolarityClass = schemas.Neutral, 1, schemas.NeutralPolarity
			}
		}
	}()
	return a.features.Features(t), nil
}

func (a *Analyser) evaluate(t *schemas.Transcript, f *schemas.Features) (out schemas.Findings, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = schemas.Findings{Outcomes: map[string]string{}}, fmt.Errorf("the rules failed: %v", p)
		}
	}()
	return a.rules.Evaluate(t, f), nil
}

func (a *Analyser) mention(t *schemas.Transcript, i int, m schemas.TurnMention) schemas.Mention {
	turn := &t.Turns[i]
	return schemas.Mention{
		MentionID: ID(t.Meta.SessionID, string(turn.Key), fmt.Sprint(m.Start), m.Text),
		Turn:      turn.Seq.V, Text: m.Text, Start: m.Start, End: m.End,
		Kind: m.Kind, Aspect: m.Aspect, Valuable: m.Valuable, Product: m.Product, Polarity: m.Polarity,
		Department: a.departments[m.Aspect], OpinionID: m.OpinionID,
	}
}

// ID is 16 hex digits of SHA-256 over the parts, each preceded by its length.
func ID(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// clean keeps a model's slip (NaN, infinite, out of range) out of the warehouse.
func clean(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return math.Max(-1, math.Min(1, v))
}

// tidy sorts the notes and adds up equal ones, so that the coverage does not depend on the order of discovery.
func tidy(notes []schemas.CoverageNote) []schemas.CoverageNote {
	sort.SliceStable(notes, func(i, j int) bool {
		if notes[i].What != notes[j].What {
			return notes[i].What < notes[j].What
		}
		return notes[i].Why < notes[j].Why
	})
	out := notes[:0]
	for _, n := range notes {
		if k := len(out) - 1; k >= 0 && out[k].What == n.What && out[k].Why == n.Why {
			out[k].Count += n.Count
			continue
		}
		out = append(out, n)
	}
	return out
}
