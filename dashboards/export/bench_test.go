package export

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkWrite writes 1.2 million turns of 100 characters, more than a sheet takes, and reports the greatest heap.
func BenchmarkWrite(b *testing.B) {
	const rows = 1_200_000
	for _, format := range FormatNames() {
		b.Run(format, func(b *testing.B) {
			var m runtime.MemStats
			most := uint64(0)
			for b.Loop() {
				j := synthetic(b, format, &endless{most: rows, text: strings.Repeat("您好，请问有什么可以", 10), after: func(n int) error {
					if n%20_000 == 0 {
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapInuse)
					}
					return nil
				}})
				if err := j.Write(context.Background(), io.Discard); err != nil {
					b.Fatal(err)
				}
				if j.Rows() != rows {
					b.Fatalf("%d rows", j.Rows())
				}
			}
			b.ReportMetric(float64(most)/(1<<20), "MiB-heap")
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
