package stream

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// BenchmarkStream measures the way from topic to store without analysis, and with a store that costs nothing.
func BenchmarkStream(b *testing.B) {
	f := func(name string, lines func(i int) string) {
		b.Run(name, func(b *testing.B) {
			br := startBroker(b, 4)
			var all []string
			for i := range b.N {
				all = append(all, lines(i))
			}
			send(b, br, all...)
			o := testOptions(b, br, newMemStore())
			o.FlushEvery, o.PollEvery = time.Second, time.Second
			o.Log = slog.New(slog.DiscardHandler)
			w := start(b, o)
			b.ResetTimer()
			began := time.Now()
			c := w.endInput(b)
			b.ReportMetric(float64(c.Turns)/time.Since(began).Seconds(), "turns/s")
			b.ReportMetric(float64(c.Messages)/time.Since(began).Seconds(), "msgs/s")
			w.stop(b)
		})
	}
	text := strings.Repeat("为什么还没有发货呢，", 3)
	f("live", func(i int) string {
		return fmt.Sprintf(`{"type":"turn","session_id":"s%d","seq":%d,"role":"customer","text":%q,"at":"2026-03-01T09:00:00Z"}`, i/20, i%20+1, text)
	})
	var turns []string
	for i := range 20 {
		turns = append(turns, fmt.Sprintf(`{"seq":%d,"role":"customer","text":%q,"at":"2026-03-01T09:00:00Z"}`, i+1, text))
	}
	whole := strings.Join(turns, ",")
	f("whole", func(i int) string {
		return fmt.Sprintf(`{"type":"session","session_id":"s%d","turns":[%s]}`, i, whole)
	})
}
