package warehouse

import (
	"context"
	"fmt"
	"testing"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

// benchBatch is n sessions of twelve turns with all that is found in them.
func benchBatch(n, turns, round int) Batch {
	var b Batch
	for i := range n {
		id := fmt.Sprintf("session-%d-%08d", round, i)
		a := sample(id)
		one := a.Turns
		a.Turns = nil
		st := &assemble.State{SessionID: id, MetaHash: 5, Meta: a.Meta, EndHash: 6}
		for j := range turns {
			t := one[j%3]
			t.Seq, t.Key = schemas.Some(int64(j)), schemas.SeqKey(int64(j))
			a.Turns = append(a.Turns, t)
			st.Turns = append(st.Turns, assemble.Turn{Turn: t.Turn, Key: t.Key, Hash: assemble.Element(4 * (j + 9))})
			st.Seen = append(st.Seen, assemble.Element(4*(j+9)))
		}
		b.Analyses = append(b.Analyses, a)
		b.States = append(b.States, st)
	}
	return b
}

// BenchmarkWrite writes batches of 1,000 analysed sessions of twelve turns.
func BenchmarkWrite(b *testing.B) {
	const sessions, turns = 1000, 12
	w := migrated(b)
	batch := benchBatch(sessions, turns, 0)
	if err := w.Write(context.Background(), batch); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := w.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*sessions*turns)/b.Elapsed().Seconds(), "turns/s")
}

// BenchmarkReadBeforeWrite asks for 1,000 sessions that are not stored, and for 1,000 that are, among 200,000.
func BenchmarkReadBeforeWrite(b *testing.B) {
	ctx := context.Background()
	w := migrated(b)
	for round := range 20 {
		if err := w.Write(ctx, Batch{States: benchBatch(10_000, 12, round).States}); err != nil {
			b.Fatal(err)
		}
	}
	known, unknown := make([]string, 1000), make([]string, 1000)
	for i := range known {
		known[i] = fmt.Sprintf("session-%d-%08d", i%20, (i*7919)%10_000)
		unknown[i] = known[i] + "x"
	}
	for name, ids := range map[string][]string{"unknown": unknown, "known": known} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.StoredVersions(ctx, ids); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got, err := w.LoadStates(ctx, known); err != nil || len(got) != 1000 {
				b.Fatal(len(got), err)
			}
		}
	})
}
