package main

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/nlp/encoder"
)

// newEncoder loads the configured encoder.
func (a *app) newEncoder() (*encoder.Encoder, error) {
	if a.config.NLP.Encoder == "" {
		return encoder.Default()
	}
	e, err := encoder.Open(a.config.NLP.Encoder)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return e, nil
}

func (a *app) nlpSimilarityCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "similarity",
		Short: "How much two texts mean the same, -1 to 1",
		Example: "  echo '{\"a\":\"面膜B为什么贵\",\"b\":\"面膜B贵在哪里\"}' | tingke nlp similarity\n" +
			"  # Each line comes back with its score; further fields stay.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := a.newEncoder()
			if err != nil {
				return err
			}
			return a.jsonLines(c.Context(), func(line []byte) (any, error) { return similarityLine(e, line) })
		},
	}
}

func similarityLine(e *encoder.Encoder, line []byte) (any, error) {
	var pair struct{ A, B *string }
	if err := json.Unmarshal(line, &pair); err != nil {
		return nil, err
	}
	if pair.A == nil || pair.B == nil {
		return nil, errors.New("a or b is missing")
	}
	var out map[string]any
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, err
	}
	out = make(map[string]any, len(fields)+1)
	for k, v := range fields {
		out[k] = v
	}
	out["score"] = math.Round(1e6*encoder.Cosine(e.Encode(nil, *pair.A), e.Encode(nil, *pair.B))) / 1e6
	return out, nil
}
