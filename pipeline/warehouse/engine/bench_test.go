package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// benchBackends are the two ways to an embedded engine.
func benchBackends(b *testing.B, f func(b *testing.B, db driver.Conn)) {
	h := acquire(b, Options{})
	c, err := dialEngine(context.Background(), h.dir)
	if err != nil {
		b.Fatal(err)
	}
	defer c.closeIdle()
	b.Run("in-process", func(b *testing.B) { f(b, open(b, h.ClientOptions())) })
	b.Run("loopback", func(b *testing.B) { f(b, open(b, clientOptions(c, 8))) })
}

const benchTable = "CREATE OR REPLACE TABLE bench (session_id String, seq UInt32, role LowCardinality(String), at DateTime64(3, 'UTC'), text String, tags Array(LowCardinality(String)), score Float32) ENGINE = MergeTree ORDER BY (session_id, seq) SETTINGS index_granularity = 128"

func fillBench(b *testing.B, db driver.Conn, from, rows int) {
	b.Helper()
	batch, err := db.PrepareBatch(context.Background(), "INSERT INTO bench")
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := from; i < from+rows; i++ {
		if err := batch.Append(fmt.Sprintf("session-%08d", i/20), uint32(i%20), "agent", at.Add(time.Duration(i)*time.Second), "亲，您好，请问有什么可以帮您的呢", []string{"greeting"}, float32(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkInsert: rows/s of batches of 20,000 turns, the client's encoding
// included.
func BenchmarkInsert(b *testing.B) {
	benchBackends(b, func(b *testing.B, db driver.Conn) {
		mustExec(b, db, benchTable)
		const rows = 20_000
		n := 0
		for b.Loop() {
			fillBench(b, db, n*rows, rows)
			n++
		}
		b.ReportMetric(float64(n)*rows/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkPointQuery: all turns of one session among 50,000 sessions.
func BenchmarkPointQuery(b *testing.B) {
	benchBackends(b, func(b *testing.B, db driver.Conn) {
		mustExec(b, db, benchTable)
		for i := range 10 {
			fillBench(b, db, i*100_000, 100_000)
		}
		n := 0
		for b.Loop() {
			n++
			rows, err := db.Query(context.Background(), "SELECT seq, text FROM bench WHERE session_id = {id:String} ORDER BY seq", clickhouse.Named("id", fmt.Sprintf("session-%08d", n*7919%50_000)))
			if err != nil {
				b.Fatal(err)
			}
			got := 0
			for rows.Next() {
				got++
			}
			if err := rows.Close(); err != nil || got != 20 {
				b.Fatal(got, err)
			}
		}
	})
}

// BenchmarkRead: rows/s of a result of a million rows.
func BenchmarkRead(b *testing.B) {
	benchBackends(b, func(b *testing.B, db driver.Conn) {
		const rows = 1_000_000
		n := 0
		for b.Loop() {
			n++
			res, err := db.Query(context.Background(), "SELECT number, '亲，您好，请问有什么可以帮您的呢' AS text, ['a', 'b'] FROM numbers(1000000)")
			if err != nil {
				b.Fatal(err)
			}
			got := 0
			for res.Next() {
				got++
			}
			if err := res.Close(); err != nil || got != rows {
				b.Fatal(got, err)
			}
		}
		b.ReportMetric(float64(n)*rows/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkPing: what one request costs.
func BenchmarkPing(b *testing.B) {
	benchBackends(b, func(b *testing.B, db driver.Conn) {
		for b.Loop() {
			if err := db.Ping(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAppendBlocks: bytes/s of the way from the engine's blocks to a
// client's.
func BenchmarkAppendBlocks(b *testing.B) {
	src := sampleBlock(b, 65_000)
	b.SetBytes(int64(len(src)))
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = appendBlocks(dst[:0], src, 54460); err != nil {
			b.Fatal(err)
		}
	}
}
