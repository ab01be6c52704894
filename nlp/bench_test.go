package nlp

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tingke/tingke/nlp/mention"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/schemas"
)

// sampleTurns are the turns of the sample conversations.
func sampleTurns(tb testing.TB) []*schemas.Transcript {
	files, err := filepath.Glob("../testdata/transcripts/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Skip("no sample transcripts")
	}
	var out []*schemas.Transcript
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		in := bufio.NewScanner(f)
		in.Buffer(nil, schemas.MaxMessageBytes)
		for in.Scan() {
			var s struct {
				Turns []struct {
					Role schemas.Role `json:"role"`
					Text string       `json:"text"`
				} `json:"turns"`
			}
			if json.Unmarshal(in.Bytes(), &s) != nil || len(s.Turns) == 0 {
				continue // bad lines are part of the samples
			}
			t := new(schemas.Transcript)
			for _, x := range s.Turns {
				t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: schemas.Turn{Role: x.Role, Text: x.Text}})
			}
			out = append(out, t)
		}
		f.Close()
	}
	return out
}

// BenchmarkStages times each stage over all sample turns; ns/turn is the figure to compare. cut is the yardstick.
func BenchmarkStages(b *testing.B) {
	a := newAnalyser(b, 0)
	sessions := sampleTurns(b)
	var norms []schemas.NormText
	var roles []schemas.Role
	var raw []string
	for _, s := range sessions {
		for _, t := range s.Turns {
			raw = append(raw, t.Text)
			norms = append(norms, textnorm.Normalise(t.Text))
			roles = append(roles, t.Role)
		}
	}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(raw)), "ns/turn")
		})
	}
	run("normalise", func() {
		for _, t := range raw {
			textnorm.Normalise(t)
		}
	})
	run("cut", func() {
		for _, n := range norms {
			a.seg.Cut(n.Text)
		}
	})
	run("emotion", func() {
		for i, n := range norms {
			a.emo.ScoreText(a.emo.Text(n.Text), roles[i], nil)
		}
	})
	run("mentions", func() {
		for i, n := range norms {
			if roles[i] == schemas.Customer {
				said := [1]*mention.Said{}
				before := said[:0]
				if i > 0 && roles[i-1] != schemas.Customer {
					said[0] = a.men.Said(norms[i-1].Text, roles[i-1])
					before = said[:]
				}
				a.men.FindText(a.men.Text(n.Text), mention.Input{Raw: raw[i], Norm: n, Role: roles[i]}, before)
			}
		}
	})
	run("entities", func() {
		for _, t := range raw {
			entities(t)
		}
	})
	run("features", func() {
		for _, s := range sessions {
			a.Features(s)
		}
	})
	cached := newAnalyser(b, 100_000)
	run("features-cached", func() {
		for _, s := range sessions {
			cached.Features(s)
		}
	})
}
