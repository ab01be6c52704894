package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/schemas"
)

// nlpLine is a line of input of the nlp commands; the id may be any JSON value and comes back as it was.
type nlpLine struct {
	ID      json.RawMessage `json:"id,omitempty"`
	Role    schemas.Role    `json:"role"`
	Text    *string         `json:"text"`
	Context []string        `json:"context"`
}

func (a *app) nlpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "nlp",
		Short: "Try and measure the language stages: JSON lines on standard input, JSON lines out",
		Example: "  echo '{\"id\":1,\"text\":\"面膜太贵了\"}' | tingke nlp segment\n" +
			"  echo '{\"id\":1,\"role\":\"customer\",\"text\":\"怎么还不发货\",\"context\":[]}' | tingke nlp emotion",
	}
	add := func(name, short, example string, stage func() (func(*nlpLine) any, error)) {
		c.AddCommand(&cobra.Command{
			Use: name, Short: short, Example: "  echo '" + example + "' | tingke nlp " + name, Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				f, err := stage()
				if err != nil {
					return err
				}
				return a.nlpLines(c.Context(), f)
			},
		})
	}
	add("segment", "Words of a text", `{"id":1,"text":"面膜太贵了"}`, func() (func(*nlpLine) any, error) {
		an, err := a.newNLP()
		if err != nil {
			return nil, err
		}
		return func(l *nlpLine) any {
			return struct {
				ID    json.RawMessage `json:"id,omitempty"`
				Words []string        `json:"words"`
			}{l.ID, notNil(an.Segment(*l.Text))}
		}, nil
	})
	add("emotion", "Emotion and polarity of a turn", `{"id":1,"role":"customer","text":"怎么还不发货","context":["agent: 亲，在的"]}`, func() (func(*nlpLine) any, error) {
		an, err := a.newNLP()
		if err != nil {
			return nil, err
		}
		return func(l *nlpLine) any { return emotionLine(an, l) }, nil
	})
	add("mentions", "Opinion mentions of a customer turn", `{"id":1,"role":"customer","text":"面膜太硬了，用起来不舒服"}`, func() (func(*nlpLine) any, error) {
		an, err := a.newNLP()
		if err != nil {
			return nil, err
		}
		return func(l *nlpLine) any { return mentionLine(an, l) }, nil
	})
	add("mask", "A text without personal data", `{"id":1,"text":"我电话13800138000"}`, func() (func(*nlpLine) any, error) {
		key, err := a.deploymentKey(false)
		if err != nil {
			return nil, err
		}
		m := mask.New(key, mask.Options{})
		return func(l *nlpLine) any {
			text, entities := m.Text(*l.Text)
			return struct {
				ID       json.RawMessage  `json:"id,omitempty"`
				Text     string           `json:"text"`
				Entities []schemas.Entity `json:"entities"`
			}{l.ID, text, notNil(entities)}
		}, nil
	})
	c.AddCommand(a.nlpSimilarityCommand())
	return c
}

func emotionLine(an *nlp.Analyser, l *nlpLine) any {
	r := an.Emotion(l.role(), *l.Text, l.Context)
	type label struct {
		Label     schemas.Emotion `json:"label"`
		Intensity float64         `json:"intensity"`
	}
	labels := make([]label, len(r.Labels))
	for i, x := range r.Labels {
		labels[i] = label{x.Label, schemas.Round4(float64(x.Intensity))}
	}
	return struct {
		ID            json.RawMessage      `json:"id,omitempty"`
		Emotion       schemas.Emotion      `json:"emotion"`
		Scores        schemas.EmotionScore `json:"scores"`
		Labels        []label              `json:"labels"`
		Polarity      float64              `json:"polarity"`
		PolarityClass string               `json:"polarity_class"`
	}{l.ID, r.Emotion, schemas.EmotionScore(r.Scores), labels, schemas.Round4(float64(r.Polarity)), r.PolarityClass}
}

func mentionLine(an *nlp.Analyser, l *nlpLine) any {
	type mention struct {
		Text     string `json:"text"`
		Start    int    `json:"start"`
		End      int    `json:"end"`
		Kind     string `json:"kind"`
		Aspect   string `json:"aspect"`
		Valuable bool   `json:"valuable"`
		Product  string `json:"product"`
		Polarity string `json:"polarity"`
	}
	mentions := []mention{}
	for _, m := range an.Mentions(l.role(), *l.Text, l.Context) {
		mentions = append(mentions, mention{m.Text, m.Start, m.End, m.Kind, m.Aspect, m.Valuable, m.Product, m.Polarity})
	}
	return struct {
		ID       json.RawMessage `json:"id,omitempty"`
		Mentions []mention       `json:"mentions"`
	}{l.ID, mentions}
}

// role is the speaker, a customer where the line names none.
func (l *nlpLine) role() schemas.Role {
	if l.Role == "" {
		return schemas.Customer
	}
	return l.Role
}

func notNil[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// nlpLines runs f over the lines of standard input, each with a text; see jsonLines.
func (a *app) nlpLines(ctx context.Context, f func(*nlpLine) any) error {
	return a.jsonLines(ctx, func(line []byte) (any, error) {
		var l nlpLine
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, err
		}
		if l.Text == nil {
			return nil, errors.New("text is missing")
		}
		return f(&l), nil
	})
}

// jsonLines runs f over the lines of standard input and prints what it makes of each as a line, in order. f is called from
// several goroutines. A bad line is named on standard error and left out.
func (a *app) jsonLines(ctx context.Context, f func(line []byte) (any, error)) error {
	type item struct {
		n    int
		line []byte
	}
	type result struct {
		out []byte
		err error
	}
	in := bufio.NewReaderSize(a.in, 1<<20)
	n := 0
	next := func() (item, bool, error) {
		for {
			line, err := in.ReadBytes('\n')
			if len(line) > schemas.MaxMessageBytes {
				return item{}, false, usagef("line %d is over the limit of %d bytes", n+1, schemas.MaxMessageBytes)
			}
			if len(line) == 0 || err != nil && !errors.Is(err, io.EOF) {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				return item{}, false, err
			}
			n++
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return item{n, line}, true, nil
			}
		}
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	bad := 0
	err := inOrderFrom(ctx, next, func(it item) result {
		v, err := f(it.line)
		if err != nil {
			return result{err: fmt.Errorf("line %d: %w", it.n, err)}
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return result{err: fmt.Errorf("line %d: %w", it.n, err)}
		}
		return result{out: b.Bytes()}
	}, func(r result) error {
		if r.err != nil {
			bad++
			fmt.Fprintln(a.err, r.err)
			return nil
		}
		_, err := out.Write(r.out)
		return err
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if bad > 0 {
		return usagef("%d lines were not understood", bad)
	}
	return nil
}
