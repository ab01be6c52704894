package rules

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// realSessions reads the research conversations that lie beside the project, as far as they are there.
func realSessions(tb testing.TB) ([]*schemas.Transcript, []*schemas.Features) {
	tb.Helper()
	var ts []*schemas.Transcript
	var fs_ []*schemas.Features
	for _, set := range []string{"jddc_sample", "stc3_helpdesk", "ecd_sample"} {
		b, err := os.ReadFile("../../shared/data/" + set + "/dev.jsonl")
		if errors.Is(err, fs.ErrNotExist) {
			tb.Skipf("the research data set %s is not beside the project", set)
		}
		if err != nil {
			tb.Fatal(err)
		}
		sc := bufio.NewScanner(bytes.NewReader(b))
		sc.Buffer(nil, 16<<20)
		for sc.Scan() {
			var s struct {
				ID    string         `json:"session_id"`
				Turns []schemas.Turn `json:"turns"`
			}
			if err := json.Unmarshal(sc.Bytes(), &s); err != nil {
				tb.Fatal(err)
			}
			t := &schemas.Transcript{Closed: true}
			t.Meta.SessionID = s.ID
			for i, x := range s.Turns {
				x.Seq = schemas.Some(int64(i + 1))
				t.Turns = append(t.Turns, schemas.TranscriptTurn{Turn: x, Key: schemas.SeqKey(int64(i + 1))})
			}
			ts = append(ts, t)
			fs_ = append(fs_, Literal{}.Features(t))
		}
	}
	return ts, fs_
}

func benchmarkSet(b *testing.B, s *Set) {
	ts, fs := realSessions(b)
	turns, hit := 0, 0
	for i, t := range ts {
		turns += len(t.Turns)
		if len(s.Evaluate(t, fs[i]).Hits) > 0 {
			hit++
		}
	}
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	for range b.N {
		for i, t := range ts {
			s.Evaluate(t, fs[i])
		}
	}
	// Processor time, not the clock: other work on the machine must not change the figure.
	b.ReportMetric(float64(turns)*float64(b.N)/(cpuTime(b)-before).Seconds(), "turns/cpu-s")
	b.ReportMetric(float64(hit)/float64(len(ts)), "hit_share")
	b.ReportMetric(0, "ns/op")
}

func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGenerated shows what the number of rules costs: 1,000 rules should run at 0.8 of the speed of 10 or more.
func BenchmarkGenerated(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) { benchmarkSet(b, mustLoad(b, Generate(n, 1))) })
	}
}

func BenchmarkStandard(b *testing.B) { benchmarkSet(b, mustLoad(b, Embedded("standard"))) }
