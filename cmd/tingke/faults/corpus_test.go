//go:build faults

package faults

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
	"github.com/tingke/tingke/testdata"
)

// chunksOf is how many parts a corpus has; a live session lasts over some of them.
const chunksOf = 24

// corpus is what is sent: chunks of messages, and what must come of them.
type corpus struct {
	name   string
	stream string // settings of the stream section without which an undisturbed run could not take it
	// prepare does what the deployment needs before the worker starts; nil for nothing.
	prepare func(t *testing.T, d *deployment)
	chunks  [][]stream.Record
	// What the messages say, computed without any stream: sessions with their number of turns, orders, ratings, and the
	// sums of the bad ones.
	states  map[string]*assemble.State
	orders  map[string]bool
	ratings map[string]bool
	bad     map[string]bool
}

func newCorpus(name string) *corpus {
	return &corpus{name: name, states: map[string]*assemble.State{}, orders: map[string]bool{}, ratings: map[string]bool{}, bad: map[string]bool{}}
}

var noMask = func(*schemas.Message) {}

var hasher = assemble.NewHasher([]byte(deploymentKey))

// add puts one message into a chunk and notes what it says.
func (c *corpus) add(chunk int, raw []byte) {
	c.put(chunk, c.record(raw))
}

func (c *corpus) put(chunk int, r stream.Record) {
	for len(c.chunks) <= chunk {
		c.chunks = append(c.chunks, nil)
	}
	c.chunks[chunk] = append(c.chunks[chunk], r)
}

func (c *corpus) record(raw []byte) stream.Record {
	r := stream.Record{Value: bytes.Clone(raw)}
	m, err := schemas.Decode(raw)
	if err != nil {
		sum := sha256.Sum256(raw)
		c.bad[hex.EncodeToString(sum[:])] = true
		r.Key = sum[:4] // partition by content, or the producer would spread them differently each time
		return r
	}
	r.Key = []byte(stream.KeyOf(m))
	switch {
	case m.Order != nil:
		c.orders[m.Order.OrderID] = true
	case m.Rating != nil:
		c.ratings[m.Rating.SessionID] = true
	default:
		s := assemble.FromMessage(hasher, noMask, m)
		if known := c.states[s.SessionID]; known != nil {
			known.Add(s)
		} else {
			c.states[s.SessionID] = s
		}
	}
	return r
}

// check holds views against what the messages say.
func (c *corpus) check(t *testing.T, views warehouse.Tables) {
	t.Helper()
	turns := 0
	for _, s := range c.states {
		turns += len(s.Turns)
	}
	for view, want := range map[string]int{"sessions": len(c.states), "turns": turns, "orders": len(c.orders), "ratings": len(c.ratings), "dead_letters": len(c.bad)} {
		if rows, compared := views[view]; compared && len(rows) != want {
			got := len(rows)
			t.Errorf("view %s has %d rows, the messages of corpus %s make %d", view, got, c.name, want)
		}
	}
	for _, row := range views["dead_letters"] {
		var l struct{ SHA256 string }
		if err := json.Unmarshal([]byte(row), &l); err != nil || !c.bad[l.SHA256] {
			t.Errorf("dead letter %s is of no bad message (%v)", row, err)
		}
	}
}

// live puts a session into chunks as it goes on: its meta data, its turns one by one, its end. One without an end is left
// to the idle time.
func (c *corpus) live(s *schemas.Session, at, spread int, withEnd bool) {
	last := chunksOf - 1
	place := func(k int) int { return min(last, at+k*spread/(len(s.Turns)+1)) }
	meta := &schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: s.Meta}}
	meta.Session.EndedAt = time.Time{}
	c.add(place(0), meta.AppendJSON(nil))
	for k, turn := range s.Turns {
		turn.Seq = schemas.Some(int64(k + 1))
		m := &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: s.SessionID, SessionRevision: s.Revision, Turn: turn}}
		c.add(place(k), m.AppendJSON(nil))
	}
	if withEnd {
		end := &schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: s.SessionID, SessionRevision: s.Revision, At: s.EndedAt}}
		c.add(place(len(s.Turns)), end.AppendJSON(nil))
	}
}

// samples reads the project's sample lines.
var samples = sync.OnceValues(func() (lines [][]byte, err error) {
	err = fs.WalkDir(testdata.Samples, "transcripts", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonl") {
			return err
		}
		b, err := fs.ReadFile(testdata.Samples, path)
		if err != nil {
			return err
		}
		scan := bufio.NewScanner(bytes.NewReader(b))
		scan.Buffer(nil, schemas.MaxMessageBytes)
		for scan.Scan() {
			if len(bytes.TrimSpace(scan.Bytes())) > 0 {
				lines = append(lines, bytes.Clone(scan.Bytes()))
			}
		}
		return scan.Err()
	})
	return lines, err
})

// mixed is the corpus of most cases: the sample sessions as live ones and, under other ids, as whole ones, orders,
// ratings, bad lines. All of its turns carry seq, so that their order of arrival does not count.
func mixed(t *testing.T) *corpus {
	t.Helper()
	c, err := mixedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var mixedOnce = sync.OnceValues(func() (*corpus, error) {
	lines, err := samples()
	if err != nil {
		return nil, err
	}
	c := newCorpus("mixed")
	rng := rngFor("corpus")
	for i, raw := range lines {
		m, err := schemas.Decode(raw)
		at := rng.IntN(chunksOf)
		switch {
		case err != nil || m.Session == nil:
			if m == nil || m.Order != nil || m.Rating != nil {
				c.add(at, raw)
			}
		case len(m.Session.Turns) > 0 && m.Session.Revision == 0:
			s := *m.Session
			if s.StartedAt.IsZero() { // a rerun is over a period, which all are in
				s.StartedAt = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
			}
			whole := s
			whole.SessionID += "-whole"
			for k := range whole.Turns {
				whole.Turns[k].Seq = schemas.Some(int64(k + 1))
			}
			c.add(at, (&schemas.Message{Type: schemas.TypeSession, Session: &whole}).AppendJSON(nil))
			c.live(&s, rng.IntN(chunksOf), 1+rng.IntN(8), i%10 > 0)
		}
	}
	for i := range chunksOf {
		c.add(i, fmt.Appendf(nil, `{"type":"session","broken":%d`, i))
	}
	return c, nil
})

// disorder gives the messages of a corpus in any order, some of them several times.
func (c *corpus) disorder(rng *rand.Rand) [][]stream.Record {
	var all []stream.Record
	for _, chunk := range c.chunks {
		for _, r := range chunk {
			for range 1 + rng.IntN(3)*rng.IntN(2) {
				all = append(all, r)
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return split(all, chunksOf)
}

// parts cuts the messages of a corpus, in their order, into n parts.
func (c *corpus) parts(n int) [][]stream.Record { return split(slices.Concat(c.chunks...), n) }

// split cuts records into n parts.
func split(all []stream.Record, n int) [][]stream.Record {
	out := make([][]stream.Record, 0, n)
	for i := range n {
		out = append(out, all[i*len(all)/n:(i+1)*len(all)/n])
	}
	return out
}
