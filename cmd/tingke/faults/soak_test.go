//go:build faults && soak

package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

// TestSoak runs a worker at a steady load for TINGKE_SOAK (30m) and looks whether its memory, goroutines and open files stay
// as they are: in the last third none may be above what it was in the second by more than a tenth and a little.
func TestSoak(t *testing.T) {
	lasts := 30 * time.Minute
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
			t.Logf("%8s %8d turns  %4.0f MiB resident  %4.0f goroutines  %4.0f files  %5.0f messages behind", elapsed.Round(time.Second), load.turns,
				s["process_resident_memory_bytes"]/(1<<20), s["go_goroutines"], s["process_open_fds"], s["tingke_stream_lag_messages"])
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
	third := len(samplesTaken) / 3
	most := func(part []map[string]float64, name string) (m float64) {
		for _, s := range part {
			m = max(m, s[name])
		}
		return m
	}
	for name, little := range map[string]float64{"process_resident_memory_bytes": 32 << 20, "go_goroutines": 16, "process_open_fds": 16} {
		second, last := most(samplesTaken[third:2*third], name), most(samplesTaken[2*third:], name)
		if last > second*1.1+little {
			t.Errorf("%s grows: at most %.0f in the second third, %.0f in the last", name, second, last)
		}
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
