package rules

import (
	"fmt"
	"testing"

	"github.com/tingke/tingke/schemas"
)

// BenchmarkStream is what a live session costs a turn: sessions of ordinary length, and of the greatest.
func BenchmarkStream(b *testing.B) {
	s := mustLoad(b, Embedded("standard"))
	for _, n := range []int{20, 200, 2_000} {
		b.Run(fmt.Sprintf("turns=%d", n), func(b *testing.B) {
			m := newSessionMaker(b, 5)
			tr, f := m.session(n)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				st := s.Stream(schemas.Meta{SessionID: "s"})
				for i := range tr.Turns {
					st.Add(tr.Turns[i], &f.Turns[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "us/turn")
		})
	}
}
