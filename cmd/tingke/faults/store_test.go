//go:build faults

package faults

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// TestEngineKilled: the engine dies in the middle of inserts and is started again by somebody.
func TestEngineKilled(t *testing.T) {
	t.Parallel()
	ownEngine(t)
	c := mixed(t)
	rng := rngFor(t.Name())
	d := deploy(t, embedded, setup{})
	w := d.worker(t).joined(t)
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		if i%5 == 2 {
			time.Sleep(time.Duration(rng.IntN(250)) * time.Millisecond)
			d.engine.kill(t)
			if i == 7 {
				w.unready(t, "store:")
			}
			d.engine = d.start(t, "engine", nil)
			d.engine.waitFor(t, "engine runs on")
		}
	}
	d.mustEqual(t, c)
	w.becomesReady(t)
	d.stop(t, w)
	d.close(t)
}

// TestSlowStore: every call of the store takes long and its data trickle, so that a flush takes longer than a worker may
// take to give its partitions away, and longer than its session timeout. Workers come and go meanwhile.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	ownEngine(t)
	c := mixed(t)
	d := deploy(t, embedded, setup{})
	p := d.proxy(t)
	first := d.worker(t).joined(t)
	p.set(fault{delay: 700 * time.Millisecond, bytesPerSecond: 100 << 10})
	var second *process
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		switch i {
		case 6:
			second = d.worker(t).joined(t)
		case 14:
			d.stop(t, first)
			p.set(fault{delay: 1500 * time.Millisecond, bytesPerSecond: 40 << 10})
		case 18:
			first = d.worker(t)
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.set(fault{delay: 20 * time.Millisecond})
	d.mustEqual(t, c)
	d.stop(t, first)
	d.stop(t, second)
	d.close(t)
}

// TestStoreRefusesWrites: the store answers reads and refuses inserts, longer than a session timeout; TINGKE_LONG=1 makes
// it the minute of a bad day. Then every third insert is done and its answer lost, and every third breaks off half-way.
func TestStoreRefusesWrites(t *testing.T) {
	t.Parallel()
	ownEngine(t)
	c := mixed(t)
	d := deploy(t, embedded, setup{})
	p := d.proxy(t)
	w := d.worker(t).joined(t)
	refusing := 8 * time.Second
	if os.Getenv("TINGKE_LONG") != "" {
		refusing = time.Minute
	}
	for i, chunk := range c.chunks {
		switch i {
		case 4:
			p.set(fault{refuseWrites: true})
		case 8:
			w.unready(t, "store:")
			time.Sleep(refusing)
			if n := p.refused.Load(); n == 0 {
				t.Error("no write was refused: the fault did not happen")
			}
			p.set(fault{})
		case 9:
			w.becomesReady(t)
			p.set(fault{loseAnswers: true})
		case 16:
			p.set(fault{breakInserts: true})
		}
		d.send(t, chunk)
		time.Sleep(150 * time.Millisecond)
	}
	eventually(t, patience, "inserts broke", func() bool { return p.lost.Load() > 0 && p.broken.Load() > 0 })
	p.set(fault{})
	d.mustEqual(t, c)
	w.becomesReady(t)
	d.stop(t, w)
	d.close(t)
}

// TestDiskFull: the disk of the engine fills up and is given room again. It needs the right to mount a small file system.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	ownEngine(t)
	c := mixed(t)
	var disk string
	d := deploy(t, embedded, setup{prepareData: func(dir string) {
		disk = dir
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := mount(dir, "400m"); err != nil {
			t.Skipf("SKIPPED, a full disk is NOT tested: cannot mount a small file system (%v); run it as root", err)
		}
		t.Cleanup(func() {
			if err := unmount(dir); err != nil {
				t.Error(err)
			}
		})
	}})
	w := d.worker(t).joined(t)
	filler := filepath.Join(disk, "filler")
	full := func() {
		t.Helper()
		fill(t, filler)
		// A definition that could not be written would be a lost table.
		err := d.store.Conn().Exec(within(t, patience), "ALTER TABLE transcripts MODIFY COMMENT 'on a full disk'")
		if warehouse.ErrorCode(err) != 243 {
			t.Errorf("a table is changed on a full disk: %v", err)
		}
	}
	empty := func() {
		t.Helper()
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		switch i {
		case 6:
			full()
		case 10:
			w.unready(t, "store:")
			empty()
			w.becomesReady(t)
		case 14: // full again, and the worker is killed in it
			full()
		case 17:
			w.unready(t, "store:")
			w.kill(t)
			w = d.worker(t)
		case 19:
			empty()
		}
	}
	d.mustEqual(t, c)
	d.stop(t, w)
	d.close(t)
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; size /= 2 {
		block := make([]byte, size)
		for {
			if _, err = f.Write(block); err != nil {
				break
			}
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk does not fill up: %v", err)
	}
}
