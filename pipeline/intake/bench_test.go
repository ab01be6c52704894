package intake

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/tingke/tingke/schemas"
)

// BenchmarkRead reads 40,000 turns of 30 characters from each format; MB/s are of the file.
func BenchmarkRead(b *testing.B) {
	const sessions, turns = 4000, 10
	text := strings.Repeat("这是一句不长不短的话", 3)
	var csv, jsonl bytes.Buffer
	csv.WriteString("session_id,role,text,at\n")
	book := excelize.NewFile()
	defer book.Close()
	sheet, err := book.NewStreamWriter("Sheet1")
	if err != nil {
		b.Fatal(err)
	}
	sheet.SetRow("A1", []any{"session_id", "role", "text", "at"})
	var all []schemas.Session
	for i := range sessions {
		all = append(all, schemas.Session{Meta: schemas.Meta{SessionID: fmt.Sprint("s", i)}})
	}
	for j := range turns {
		for i := range sessions {
			said := fmt.Sprintf("%d-%d %s", i, j, text)
			fmt.Fprintf(&csv, "s%d,agent,%s,2026-11-02 10:%02d:00\n", i, said, j)
			sheet.SetRow(fmt.Sprintf("A%d", j*sessions+i+2), []any{fmt.Sprint("s", i), "agent", said, fmt.Sprintf("2026-11-02 10:%02d:00", j)})
			all[i].Turns = append(all[i].Turns, schemas.Turn{Role: schemas.Agent, Text: said})
		}
	}
	if err := sheet.Flush(); err != nil {
		b.Fatal(err)
	}
	var xlsx, parq bytes.Buffer
	if err := book.Write(&xlsx); err != nil {
		b.Fatal(err)
	}
	if err := WriteParquet(&parq, all); err != nil {
		b.Fatal(err)
	}
	for i := range all {
		jsonl.Write(append(appendSession(nil, &all[i].Meta, all[i].Turns), '\n'))
	}
	for _, f := range []struct {
		name  string
		b     []byte
		limit int64
	}{{"a.jsonl", jsonl.Bytes(), 0}, {"a.jsonl.gz", gz(jsonl.Bytes()), 0}, {"a.csv", csv.Bytes(), 0}, {"spill.csv", csv.Bytes(), 1 << 20}, {"a.xlsx", xlsx.Bytes(), 0}, {"a.parquet", parq.Bytes(), 0}} {
		path := b.TempDir() + "/" + f.name
		if err := os.WriteFile(path, f.b, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(f.b)))
			for b.Loop() {
				r, err := Open(path, Options{Limits: Limits{GroupBytes: f.limit}})
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					rec, err := r.Next()
					if err != nil {
						break
					}
					if rec.Err != nil {
						b.Fatal(rec.Err)
					}
					n++
				}
				r.Close()
				if n != sessions {
					b.Fatalf("%d sessions", n)
				}
			}
			b.ReportMetric(sessions*turns*float64(b.N)/b.Elapsed().Seconds(), "turns/s")
		})
	}
}
