package main

import "testing"

// TestCorpusTextsDiffer: at most a quarter of the benchmark's texts repeat, or the cache would flatter the figures.
func TestCorpusTextsDiffer(t *testing.T) {
	gen := newCorpus(1)
	distinct, texts := map[string]bool{}, 0
	for i := range 20_000 {
		for _, turn := range gen.session(i).Session.Turns {
			distinct[turn.Text] = true
			texts++
		}
	}
	if share := float64(len(distinct)) / float64(texts); share < 0.75 {
		t.Errorf("distinct share %.3f of %d texts, want at least 0.75", share, texts)
	}
	if a, b := newCorpus(7).session(3), newCorpus(7).session(3); string(a.AppendJSON(nil)) != string(b.AppendJSON(nil)) {
		t.Error("the same seed gives different sessions")
	}
}
