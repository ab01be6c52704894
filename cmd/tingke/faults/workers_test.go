//go:build faults

package faults

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/failpoint"
)

// TestKilledAtFailpoints: the worker dies once at every named place of a message's way. On the embedded broker TestKill of
// the program's own tests does that.
func TestKilledAtFailpoints(t *testing.T) {
	t.Parallel()
	on(t, real, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		d := deploy(t, k, setup{})
		names := failpoint.Names()
		parts := c.parts(2*len(names) + 1)
		for i, name := range names {
			w := d.worker(t, failpoint.Env+"="+string(name))
			d.send(t, parts[2*i])
			var second *process
			if name == failpoint.OnRebalance {
				w.joined(t) // it must have partitions to lose some
				second = d.worker(t)
			}
			d.send(t, parts[2*i+1])
			w.diedBySIGKILL(t, "failpoint "+string(name))
			if second != nil {
				second.kill(t)
			}
		}
		w := d.worker(t)
		d.send(t, parts[len(parts)-1])
		d.mustEqual(t, c)
		d.stop(t, w)
		d.close(t)
	})
}

// TestKilledAtMoments: the worker dies again and again, at moments that the seed decides: most of them at work, some while
// it starts or joins. On the embedded broker TestKill does that.
func TestKilledAtMoments(t *testing.T) {
	t.Parallel()
	const kills = 10
	on(t, real, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		rng := rngFor(t.Name())
		d := deploy(t, k, setup{})
		parts := c.parts(kills + 1)
		for i, part := range parts[:kills] {
			w := d.worker(t)
			pause := time.Duration(rng.IntN(2000)) * time.Millisecond
			if i%3 > 0 {
				w.joined(t)
				pause /= 4
			}
			d.send(t, part)
			time.Sleep(pause)
			w.kill(t)
		}
		w := d.worker(t)
		d.send(t, parts[kills])
		d.mustEqual(t, c)
		d.stop(t, w)
		d.close(t)
	})
}

// TestRebalances: up to three workers come, go and die while sessions go on, so that the turns of a session are read by
// several of them. Afterwards random rows are traced back to their messages.
func TestRebalances(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		rng := rngFor(t.Name())
		d := deploy(t, k, setup{})
		workers := []*process{d.worker(t).joined(t)}
		for i, chunk := range c.chunks {
			d.send(t, chunk)
			which := rng.IntN(len(workers))
			switch op := rng.IntN(5); {
			case i == 2 || i == 5: // two, then three, whatever the seed says
				workers = append(workers, d.worker(t).joined(t))
			case op == 0 && len(workers) < 3:
				workers = append(workers, d.worker(t))
			case op == 1 && len(workers) > 1:
				d.stop(t, workers[which].joined(t))
				workers = append(workers[:which], workers[which+1:]...)
			case op == 2 && len(workers) > 1:
				workers[which].kill(t)
				workers = append(workers[:which], workers[which+1:]...)
			default:
				time.Sleep(time.Duration(rng.IntN(600)) * time.Millisecond)
			}
		}
		d.mustEqual(t, c)
		d.traced(t)
		for _, w := range workers {
			d.stop(t, w)
		}
		d.close(t)
	})
}

// TestPausedWorker: a worker that stands still for longer than its session timeout wakes up in the middle of what it did,
// while another one has its partitions; then the other one stands still.
func TestPausedWorker(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		d := deploy(t, k, setup{})
		rng := rngFor(t.Name())
		first := d.worker(t).joined(t)
		next := 0
		send := func(n int) {
			for range n {
				d.send(t, c.chunks[next])
				next++
			}
		}
		send(4)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		first.signal(t, syscall.SIGSTOP)
		second := d.worker(t)
		send(4)
		all := fmt.Sprintf("partitions=\"%v\"", partitionIDs())
		second.waitFor(t, all)
		send(4)
		first.signal(t, syscall.SIGCONT)
		send(4)
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		second.signal(t, syscall.SIGSTOP)
		before := len(first.text())
		eventually(t, patience, "the first worker has all partitions again", func() bool {
			return len(first.text()) > before && containsAfter(first.text(), before, all)
		})
		send(4)
		second.signal(t, syscall.SIGCONT)
		send(len(c.chunks) - next)
		d.mustEqual(t, c)
		d.stop(t, first)
		d.stop(t, second)
		d.close(t)
	})
}
