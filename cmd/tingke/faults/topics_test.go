//go:build faults

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/broker/apachekafka"
	"github.com/tingke/tingke/pipeline/stream"
)

func containsAfter(s string, from int, part string) bool {
	return strings.Contains(s[min(from, len(s)):], part)
}

// TestBrokerRestarted: the broker is killed, and later ended properly, while messages are sent and sessions go on.
func TestBrokerRestarted(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		if k == real && os.Getenv("KAFKA_BROKERS") != "" {
			t.Skip("SKIPPED: KAFKA_BROKERS names servers that are not this suite's to restart")
		}
		c := mixed(t)
		var own *apachekafka.Kafka
		s := setup{}
		if k == real {
			apache.get(t) // or skips
			var err error
			if own, err = apachekafka.Start(within(t, patience), t.TempDir()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(own.Kill)
			s.kafka = own.Addr
		}
		d := deploy(t, k, s)
		end := func(hard bool) {
			switch {
			case own != nil && hard:
				own.Kill()
			case own != nil:
				own.Stop()
			case hard:
				d.broker.kill(t)
			default:
				d.stop(t, d.broker)
			}
		}
		again := func() {
			if own != nil {
				if err := own.Restart(within(t, patience)); err != nil {
					t.Fatal(err)
				}
				return
			}
			d.broker = d.start(t, "broker", nil)
			d.broker.waitFor(t, "broker listens on "+d.addr)
		}
		w := d.worker(t).joined(t)
		for i, chunk := range c.chunks {
			if i == 8 || i == 16 {
				end(i == 8)
				time.AfterFunc(500*time.Millisecond, again)
			}
			d.send(t, chunk) // waits for the broker
		}
		d.mustEqual(t, c)
		d.stop(t, w)
		d.close(t)
	})
}

// lostRange is a row of the view lost_ranges.
type lostRange struct {
	Partition int   `json:"partition"`
	From      int64 `json:"offset_from"`
	To        int64 `json:"offset_to"`
}

func (d *deployment) lostRanges(t *testing.T) map[lostRange]bool {
	t.Helper()
	out := map[lostRange]bool{}
	for _, row := range d.views(t)["lost_ranges"] {
		var l lostRange
		if err := json.Unmarshal([]byte(row), &l); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		out[l] = true
	}
	return out
}

// victims are whole sessions that get lost: they must be in no view afterwards.
func victims(name string, n int) []stream.Record {
	var out []stream.Record
	for i := range n {
		id := fmt.Sprintf("victim-%s-%d", name, i)
		out = append(out, stream.Record{Key: []byte(id), Value: fmt.Appendf(nil, `{"session_id":%q,"turns":[{"role":"customer","text":"没人读到我"}]}`, id)})
	}
	return out
}

// consumed waits until everything in the topic is committed.
func (d *deployment) consumed(t *testing.T) map[int]int64 {
	t.Helper()
	var out map[int]int64
	eventually(t, patience, "everything is committed", func() bool {
		ctx := within(t, time.Minute)
		committed, err := d.committed(ctx)
		if err != nil {
			return false
		}
		spans, err := d.spans(ctx)
		if err != nil {
			return false
		}
		for p, s := range spans {
			if committed[p] != s.last {
				return false
			}
		}
		out = committed
		return true
	})
	return out
}

// TestTopicTruncated: messages are deleted before they are read, while nobody reads and while the worker stands still.
// What is lost is reported to the offset, the worker is not ready until somebody acknowledges it, and everything else is
// as if nothing had happened.
func TestTopicTruncated(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		d := deploy(t, k, setup{})
		w := d.worker(t)
		want := map[lostRange]bool{}
		lose := func(name string) {
			before := d.consumed(t)
			if name == "away" {
				d.stop(t, w)
			} else {
				w.signal(t, syscall.SIGSTOP)
				// What it has asked for already is answered with nothing, rather than with what is to be lost.
				time.Sleep(time.Second)
			}
			d.send(t, victims(name, 40))
			for p, s := range d.truncate(t) {
				if s.last > before[p] {
					want[lostRange{p, before[p], s.last - 1}] = true
				}
			}
			if name == "away" {
				w = d.worker(t)
			} else {
				w.signal(t, syscall.SIGCONT)
			}
			w.unready(t, "deleted before they were read")
			eventually(t, patience, "the lost ranges are stored", func() bool { return len(d.lostRanges(t)) >= len(want) })
			if out := d.command(t, "doctor", "--acknowledge-lost", "the fault suite"); !strings.Contains(out, "lost ranges acknowledged") {
				t.Errorf("doctor says %s", out)
			}
			w.becomesReady(t)
		}
		for i, chunk := range c.chunks {
			d.send(t, chunk)
			switch i {
			case 7:
				lose("away")
			case 15:
				lose("asleep")
			}
		}
		d.mustEqual(t, c)
		if got := d.lostRanges(t); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("lost ranges %v, want %v", got, want)
		}
		d.stop(t, w)
		d.close(t)
	})
}

// TestTopicMadeAnew: the topic is deleted and made again under a live worker, under one that sleeps and that Kafka expels
// meanwhile, and while nobody reads, and the new one is longer than the old one at once. It is noticed, reported and read
// from its start.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		d := deploy(t, k, setup{})
		w := d.worker(t).joined(t)
		parts := c.parts(6)
		anew := func(name string, first, then [][]stream.Record) {
			for _, p := range first {
				d.send(t, p)
			}
			d.consumed(t)
			switch name {
			case "away":
				d.stop(t, w)
			case "asleep":
				w.signal(t, syscall.SIGSTOP)
				eventually(t, patience, "Kafka expels the worker", func() bool { return d.members(t) == 0 })
			}
			d.deleteTopic(t)
			d.createTopic(t)
			for _, p := range then {
				d.send(t, p)
			}
			switch name {
			case "away":
				w = d.worker(t)
			case "asleep":
				w.signal(t, syscall.SIGCONT)
			}
			if name != "away" { // Kafka forgets the commits together with the topic: a worker that starts has nothing to notice
				w.waitFor(t, "the topic was deleted and made again")
				w.unready(t, "deleted before they were read")
				eventually(t, patience, "all four partitions are reported", func() bool { return len(d.lostRanges(t)) >= partitions })
				d.command(t, "doctor", "--acknowledge-lost", "the fault suite")
				w.becomesReady(t)
			}
		}
		anew("asleep", parts[:1], parts[1:3])
		anew("away", nil, parts[3:5])
		anew("live", nil, parts[5:])
		d.mustEqual(t, c)
		d.stop(t, w)
		d.close(t)
	})
}
