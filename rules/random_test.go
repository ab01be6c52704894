package rules

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// sessionMaker makes random sessions out of the turns of all inline tests of the embedded packs and the manual's pages,
// with the emotions, mentions and entities stated there: what the rules were written for, in any order.
type sessionMaker struct {
	rng   *rand.Rand
	turns []testTurn
	metas []schemas.Meta
}

func newSessionMaker(tb testing.TB, seed uint64) *sessionMaker {
	tb.Helper()
	m := &sessionMaker{rng: rand.New(rand.NewPCG(seed, 11)), metas: []schemas.Meta{{AgentID: "a0"}}}
	for _, s := range append(docSets(tb), mustLoad(tb, embeddedSources()...)) {
		for _, r := range s.rules {
			for _, t := range r.tests {
				m.turns = append(m.turns, t.turns...)
				if t.meta.Channel != "" || t.meta.Attributes != nil || t.meta.Business != "" || t.meta.Product != "" {
					m.metas = append(m.metas, t.meta)
				}
			}
		}
	}
	return m
}

func embeddedSources() []Source {
	var out []Source
	for _, id := range EmbeddedPacks() {
		out = append(out, Embedded(id))
	}
	return out
}

// docSets are the packs of the manual's examples.
func docSets(tb testing.TB) []*Set {
	tb.Helper()
	var out []*Set
	for _, file := range manualFiles(tb) {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for i, m := range yamlBlock.FindAllSubmatch(b, -1) {
			s, err := Load(Text(fmt.Sprintf("%s example %d", file, i+1), m[1]))
			if err != nil {
				continue // README's own test reports it
			}
			out = append(out, s)
		}
	}
	return out
}

// session makes a session of n turns; about half of them have times, and some of these a recording's.
func (m *sessionMaker) session(n int) (*schemas.Transcript, *schemas.Features) {
	tr := &schemas.Transcript{Closed: true, Meta: m.metas[m.rng.IntN(len(m.metas))]}
	tr.Meta.SessionID = fmt.Sprintf("random-%d", m.rng.Uint32())
	timed, dated := m.rng.IntN(2) == 0, m.rng.IntN(2) == 0
	at := int64(0)
	picked := make([]testTurn, n)
	for i := range n {
		x := m.turns[m.rng.IntN(len(m.turns))]
		if i > 0 && m.rng.IntN(8) == 0 {
			x = picked[m.rng.IntN(i)] // said again
		}
		if m.rng.IntN(4) == 0 {
			em, p := schemas.Emotion(m.rng.IntN(int(schemas.EmotionCount))), float32(m.rng.Float64()*2-1)
			x.emotion, x.polarity = &em, &p
		}
		picked[i] = x
		turn := x.turn
		turn.StartMS, turn.EndMS = schemas.Opt[int64]{}, schemas.Opt[int64]{}
		if timed {
			at += int64(m.rng.IntN(60_000))
			if dated {
				turn.At = time.UnixMilli(1_800_000_000_000 + at)
			}
			if m.rng.IntN(10) > 0 { // now and then a turn has the time of day only, or none
				turn.StartMS = schemas.Some(at)
				if m.rng.IntN(2) == 0 {
					turn.EndMS = schemas.Some(at + int64(m.rng.IntN(20_000)))
				}
			}
		}
		turn.Seq = schemas.Some(int64(i + 1))
		if turn.Role == schemas.Agent && m.rng.IntN(3) == 0 {
			turn.AgentID = "a1"
		}
		tr.Turns = append(tr.Turns, schemas.TranscriptTurn{Turn: turn, Key: schemas.SeqKey(int64(i + 1))})
	}
	f := Literal{}.Features(tr)
	for i := range picked {
		picked[i].state(&f.Turns[i])
	}
	return tr, f
}

// prefix is the open session of the first n turns.
func prefix(t *schemas.Transcript, f *schemas.Features, n int) (*schemas.Transcript, *schemas.Features) {
	return &schemas.Transcript{Meta: t.Meta, Turns: t.Turns[:n]}, &schemas.Features{Turns: f.Turns[:n], ModelVersion: f.ModelVersion}
}

// manualFiles are the pages with examples.
func manualFiles(tb testing.TB) []string {
	tb.Helper()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		tb.Fatal(err)
	}
	return append([]string{"README.md"}, pages...)
}
