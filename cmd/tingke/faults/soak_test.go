//go:build faults

package faults

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

// flat says how far the median of a gauge in the last third of a run may be above that in the second: a share of it, and a
// little. The heap that the collector aims at is twice what is alive, whatever there is to do right now, where resident memory
// follows the moments of most work. What fills up to a bound, such as the alerts that are remembered (40 bytes a turn of these
// conversations), must have room in it; of ten minutes it tells a leak of 300 bytes a turn.
var flat = map[string]struct{ share, little float64 }{
	"go_memstats_next_gc_bytes":     {0.05, 16 << 20},
	"process_resident_memory_bytes": {0.1, 32 << 20},
	"go_goroutines":                 {0, 5},
	"process_open_fds":              {0, 5},
}

// growing names the gauges that are not flat over the samples of a run, in order.
func growing(taken []map[string]float64) (out []string) {
	third := len(taken) / 3
	median := func(part []map[string]float64, name string) float64 {
		var values []float64
		for _, s := range part {
			values = append(values, s[name])
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		second, last := median(taken[third:2*third], name), median(taken[2*third:], name)
		if most := second*(1+flat[name].share) + flat[name].little; last > most || second == 0 {
			out = append(out, fmt.Sprintf("%s grows: %.0f in the second third, %.0f in the last, at most %.0f is flat", name, second, last, most))
		}
	}
	return out
}

// TestSoakFails: what TestSoak looks at tells a leak from a worker that has more and less to do.
func TestSoakFails(t *testing.T) {
	f := func(want string, leak func(i int, s map[string]float64)) {
		t.Helper()
		var taken []map[string]float64
		for i := range 60 {
			busy := float64(i % 7) // more and less to do
			s := map[string]float64{"go_memstats_next_gc_bytes": (60 + busy) * (1 << 20), "process_resident_memory_bytes": (270 + busy) * (1 << 20), "go_goroutines": 68 + busy, "process_open_fds": 34 + busy/2}
			if i < 15 { // caches fill
				s["go_memstats_next_gc_bytes"] /= 2
			}
			leak(i, s)
			taken = append(taken, s)
		}
		if got := strings.Join(growing(taken), "\n"); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("growing: %q, want %q", got, want)
		}
	}
	f("", func(int, map[string]float64) {})
	f("", func(i int, s map[string]float64) {
		if i == 50 { // stands still for a moment
			s["go_memstats_next_gc_bytes"] *= 3
			s["process_resident_memory_bytes"] *= 2
		}
	})
	f("go_goroutines grows", func(i int, s map[string]float64) { s["go_goroutines"] += float64(i) / 3 })
	f("process_open_fds grows", func(i int, s map[string]float64) { s["process_open_fds"] += float64(i) / 3 })
	f("next_gc_bytes grows", func(i int, s map[string]float64) { s["go_memstats_next_gc_bytes"] += float64(i << 21) })
	f("resident_memory_bytes grows", func(i int, s map[string]float64) { s["process_resident_memory_bytes"] += float64(i * 5 << 20) })
	f("next_gc_bytes grows", func(i int, s map[string]float64) { delete(s, "go_memstats_next_gc_bytes") }) // nobody measures it
}

// TestSoak runs a worker at a steady load for TINGKE_SOAK (90s; make soak: 30m) and looks whether its memory, goroutines and open
// files stay as they are, and whether everything sent is stored.
func TestSoak(t *testing.T) {
	t.Parallel()
	lasts := 90 * time.Second
	if s := os.Getenv("TINGKE_SOAK"); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatalf("TINGKE_SOAK: %v", err)
		}
	}
	const turnsPerSecond = 200
	d := deploy(t, embedded, setup{})
	w := d.worker(t).joined(t)
	var samplesTaken []map[string]float64
	load := newLoad(t)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	every := lasts / 60
	for elapsed := time.Duration(0); elapsed < lasts; elapsed = time.Since(began) {
		<-tick.C
		due := int(elapsed.Seconds() * turnsPerSecond)
		if n := due - load.turns; n > 0 {
			d.send(t, load.next(n))
		}
		if len(samplesTaken) < int(elapsed/every) {
			s := w.gauges(t)
			samplesTaken = append(samplesTaken, s)
			t.Logf("%8s %8d turns  %4.0f MiB resident  heap goal %4.0f MiB  %4.0f goroutines  %4.0f files  %5.0f messages behind", elapsed.Round(time.Second), load.turns,
				s["process_resident_memory_bytes"]/(1<<20), s["go_memstats_next_gc_bytes"]/(1<<20), s["go_goroutines"], s["process_open_fds"], s["tingke_stream_lag_messages"])
		}
	}
	d.send(t, load.finish())
	d.settle(t)
	var sessions, turns uint64
	if err := d.store.Conn().QueryRow(within(t, patience), "SELECT count(), sum(turns) FROM sessions WHERE state = 'closed'").Scan(&sessions, &turns); err != nil {
		t.Fatal(err)
	}
	if int(sessions) != load.sessions || int(turns) != load.turns {
		t.Errorf("%d sessions and %d turns are stored, %d and %d were sent", sessions, turns, load.sessions, load.turns)
	}
	for _, g := range growing(samplesTaken) {
		t.Error(g)
	}
	d.stop(t, w)
	d.close(t)
}

// gauges reads the worker's metrics, those of several partitions added up.
func (p *process) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + p.metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		name, value, _ := strings.Cut(scan.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] += v
		}
	}
	return out
}

// load makes messages without end: fifty sessions at a time, turn by turn, in the words of the samples.
type load struct {
	sources  []*schemas.Session
	live     [50]struct{ source, number, turn int }
	sessions int // begun
	turns    int // made
}

func newLoad(t *testing.T) *load {
	t.Helper()
	lines, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	l := &load{}
	for _, raw := range lines {
		if m, err := schemas.Decode(raw); err == nil && m.Session != nil && len(m.Session.Turns) > 4 {
			l.sources = append(l.sources, m.Session)
		}
	}
	return l
}

// next makes n turns, with the ends of the sessions that they complete.
func (l *load) next(n int) []stream.Record {
	var out []stream.Record
	for range n {
		s := &l.live[l.turns%len(l.live)]
		if s.turn == 0 {
			s.source, s.number = l.sessions%len(l.sources), l.sessions
			l.sessions++
		}
		source := l.sources[s.source]
		turn := source.Turns[s.turn]
		s.turn++
		turn.Seq, turn.At, turn.StartMS, turn.EndMS = schemas.Some(int64(s.turn)), time.Now().UTC(), schemas.Opt[int64]{}, schemas.Opt[int64]{}
		id := fmt.Sprintf("soak-%d", s.number)
		out = append(out, stream.Record{Key: []byte(id), Value: (&schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: id, Turn: turn}}).AppendJSON(nil)})
		l.turns++
		if s.turn == len(source.Turns) {
			out = append(out, l.end(s.number))
			s.turn = 0
		}
	}
	return out
}

func (l *load) end(number int) stream.Record {
	id := fmt.Sprintf("soak-%d", number)
	return stream.Record{Key: []byte(id), Value: (&schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: id, At: time.Now().UTC()}}).AppendJSON(nil)}
}

// finish ends the sessions that still go on.
func (l *load) finish() []stream.Record {
	var out []stream.Record
	for i := range l.live {
		if l.live[i].turn > 0 {
			out = append(out, l.end(l.live[i].number))
		}
	}
	return out
}
