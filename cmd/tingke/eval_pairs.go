package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/encoder/train"
	"github.com/tingke/tingke/nlp/measure"
)

// evalPairs measures how well the cosine of two texts tells pairs of equal meaning from others.
func evalPairs(ctx context.Context, e *evalRun) error {
	enc, err := e.app.newEncoder()
	if err != nil {
		return err
	}
	pairSet := func(name, note string, target float64, pairs []train.Pair) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		same := make([]bool, len(pairs))
		ours, words := make([]float64, len(pairs)), tfidf(pairs)
		var va, vb []float32
		for i, p := range pairs {
			va, vb = enc.Encode(va[:0], p.A), enc.Encode(vb[:0], p.B)
			ours[i], same[i] = encoder.Cosine(va, vb), p.Same
		}
		return e.report(figure{
			Figure: name + " pair AUC", Target: target, Rows: len(pairs), Note: note,
			Baseline: measure.AUC(words, same), Than: "character tf-idf",
		}, measure.AUC(ours, same))
	}
	held, err := train.ReadHeldPairs(e.data)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		if err := e.skip("atec pair AUC", fmt.Errorf("%s is absent", filepath.Join(e.data, "data/atec"))); err != nil {
			return err
		}
	} else if err := pairSet("atec", "the groups of joined pairs that never train", 0.76, held); err != nil {
		return err
	}
	for _, s := range []struct {
		name   string
		target float64
	}{{"bq_corpus", 0.77}, {"lcqmc", 0}} {
		pairs, err := train.ReadPairs(filepath.Join(e.data, "data", s.name, "dev.jsonl"))
		if err != nil {
			err = e.skipIfAbsent(s.name+" pair AUC", err)
		} else {
			err = pairSet(s.name, "no row of this set trains", s.target, pairs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tfidf gives the cosines of the pairs' characters and couples of characters, weighed by the inverse document frequency
// in the same pairs: what needs no training.
func tfidf(pairs []train.Pair) []float64 {
	count := func(s string) map[string]float64 {
		m := map[string]float64{}
		r := []rune(s)
		for i := range r {
			m[string(r[i])]++
			if i > 0 {
				m[string(r[i-1:i+1])]++
			}
		}
		return m
	}
	documents := map[string]float64{}
	texts := make([][2]map[string]float64, len(pairs))
	for i, p := range pairs {
		texts[i] = [2]map[string]float64{count(p.A), count(p.B)}
		for _, t := range texts[i] {
			for g := range t {
				documents[g]++
			}
		}
	}
	n := float64(2 * len(pairs))
	dot := func(a, b map[string]float64) (s float64) {
		// In order of the grams, so that the sum is the same each time.
		for _, g := range slices.Sorted(maps.Keys(a)) {
			idf := math.Log((n + 1) / (documents[g] + 1))
			s += a[g] * b[g] * idf * idf
		}
		return s
	}
	scores := make([]float64, len(pairs))
	for i, t := range texts {
		if norm := math.Sqrt(dot(t[0], t[0]) * dot(t[1], t[1])); norm > 0 {
			scores[i] = dot(t[0], t[1]) / norm
		}
	}
	return scores
}
