package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// libchdb 26.7 takes no notice when the system refuses a write to a file, because the disk is full or broken: where a
// ClickHouse server throws, it only counts. An insert is then acknowledged whose files are empty, and a merge puts an
// empty part in the place of whole ones. Seen in the machine code (the branch that leaves the loop around write where errno
// is not EINTR) and by RLIMIT_FSIZE and a full tmpfs, TestRefusedWrites.
//
// So each statement that writes, and each that fails, asks the count before it is answered (2 ms), and keep asks it in
// between for the sake of merges. As soon as one write has failed, nothing that writes is acknowledged and the engine starts
// anew: whatever it loads it holds against the sizes that the part's list of files names, lays damaged parts aside as
// detached/broken-on-start_*, and takes up again the parts that a damaged one was merged from, which stay on disk for eight
// minutes (old_parts_lifetime). What is lost then has not been acknowledged. Starting anew takes some 60 ms, works on a full
// disk, and ends what runs with an error that may be tried again.
//
// A part of separate files of which some are empty is read without an error, as default values. So what was merged from one
// before the engine ended looks whole and is not: layAside takes away what has been merged since the count was last known to
// stand still, as detached/merged-of-broken_*, and the sources are taken up again too. For the same reason a read that a
// write depends on asks the count (select_sequential_consistency, by which elsewhere too nothing stored is missed).
//
// A statement that had not begun, and one that only reads and has given nothing yet, is answered by the next start.

const (
	// checkEvery is how soon a merge that failed is seen: far sooner than the parts it was made from are removed.
	checkEvery = 2 * time.Second
	// startEvery is the time between tries to start anew.
	startEvery = time.Second
	// tableRoom is what must be free for a statement that changes tables: what such a statement writes cannot be laid aside,
	// an empty definition is a lost table.
	tableRoom = 8 << 20
	// mergedFrom bounds for how long a merge can be undone: half the time that its sources are kept.
	mergedFrom = 4 * time.Minute
	// mtimeLag is how much the time of a file may lie before that of the clock: a tick of the kernel.
	mtimeLag = 20 * time.Millisecond
)

// failedWrites are the writes to files that had failed in this process when its last instance ended. The library counts on
// from one start to the next.
var failedWrites atomic.Uint64

// countFailures is the number of writes to files that failed in this process so far.
func (in *instance) countFailures() (uint64, error) {
	n, err := in.watch.ask("SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'", &params{})
	if err != nil {
		return 0, fmt.Errorf("cannot ask the engine for its failed writes: %w", err)
	}
	if n == "" { // what never happened has no row
		return 0, nil
	}
	return strconv.ParseUint(n, 10, 64)
}

// checkWrites returns an error when a write to a file has failed since the instance started, and has it replaced.
func (in *instance) checkWrites() error {
	asked := time.Now()
	n, err := in.countFailures()
	switch {
	case err != nil && in.ending.Err() != nil:
		return context.Cause(in.ending)
	case err != nil:
		return err
	case n == in.failures:
		in.stoodStill(asked)
		return nil
	}
	in.failing.Store(true)
	select {
	case in.damaged <- struct{}{}:
	default: // it is known
	}
	return exceptionf(codeCannotWrite, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "%d writes to %q failed: the disk is full or broken; nothing of this statement counts, make room and send it again", n-in.failures, in.e.opts.Path)
}

// stoodStill notes that no write had failed by a time.
func (in *instance) stoodStill(by time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if by.After(in.sound) {
		in.sound = by
	}
}

// replaced waits until the instance ends, where a write has failed; otherwise, and where ctx ends first, it reports false.
func (in *instance) replaced(ctx context.Context) bool {
	if !in.failing.Load() && in.ending.Err() == nil {
		return false
	}
	select {
	case <-in.ending.Done():
		return true
	case <-ctx.Done():
		return false
	}
}

// blame is what a statement that failed is told: err, or that writes have failed, for then it may have met a damaged part.
func (in *instance) blame(err error) error {
	var ex *Exception
	if failed := in.checkWrites(); errors.As(failed, &ex) && ex.Code == codeCannotWrite {
		return failed
	}
	return err
}

// checkRoom refuses a statement that changes tables on a disk that is nearly full.
func (in *instance) checkRoom() error {
	s, err := in.watch.ask("SELECT min(free_space) FROM system.disks", &params{})
	if err != nil {
		return fmt.Errorf("cannot ask the engine for free space: %w", err)
	}
	free, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return fmt.Errorf("cannot read the engine's free space: %w", err)
	}
	if free < tableRoom {
		return exceptionf(codeNotEnoughSpace, "NOT_ENOUGH_SPACE", "Cannot change tables: %d bytes are free for %q, and %d are needed; make room", free, in.e.opts.Path, tableRoom)
	}
	return nil
}

// keep looks after the engine until Close, and ends its last instance.
func (e *Engine) keep(in *instance) {
	defer close(e.kept)
	t := time.NewTicker(checkEvery)
	defer t.Stop()
	for {
		select {
		case <-e.closing.Done():
			if err := in.end(ErrClosed); err != nil {
				e.log.Error("merges may have read damaged parts", "path", e.opts.Path, "error", err)
			}
			return
		case <-t.C:
			if err := in.checkWrites(); err != nil && len(in.damaged) == 0 {
				e.log.Warn("cannot look whether the engine's writes failed", "error", err)
			}
		case <-in.damaged:
			if in = e.anew(in); in == nil {
				return
			}
		}
	}
}

// anew replaces an instance; nil means that Close came first.
func (e *Engine) anew(in *instance) *instance {
	ready := make(chan struct{})
	e.mu.Lock()
	e.now, e.ready, e.err = nil, ready, nil
	e.mu.Unlock()
	began := time.Now()
	e.log.Error("the engine's writes fail, it starts anew", "path", e.opts.Path, "do", "make room on the disk, or look after it")
	err := in.end(exceptionf(codeNetworkError, "NETWORK_ERROR", "The engine starts anew because writes to %q failed: the disk is full or broken; send the statement again", e.opts.Path))
	told := false
	for tries := 1; ; tries++ {
		var next *instance
		if err == nil {
			next, err = e.start()
		}
		var ex *Exception
		if errors.As(err, &ex) && ex.Code == codeCannotWrite && tries < maxTries {
			// Writes failed as the last instance ended or this one began. Another try is soon over, and nobody need be told.
			e.log.Warn("writes failed while the engine started anew, trying again", "path", e.opts.Path, "error", err)
			err = in.layAside()
			continue
		}
		e.mu.Lock()
		e.now, e.err = next, err
		e.mu.Unlock()
		if !told {
			close(ready)
			told = true
		}
		if err == nil {
			e.log.Info("the engine has started anew; what was damaged is laid aside under detached", "path", e.opts.Path, "took", time.Since(began))
			return next
		}
		e.log.Error("the engine cannot be started anew, trying again", "path", e.opts.Path, "error", err)
		select {
		case <-e.closing.Done():
			return nil
		case <-time.After(startEvery):
		}
		err = in.layAside()
	}
}

// partDir is the folder of a part: partition, first and last block, level, and the version of the mutation that made it.
var partDir = regexp.MustCompile(`^[^_]+_(\d+)_(\d+)_(\d+)(_\d+)?$`)

// inserted reports whether an insert made a part: of one block, and of level 1 where it was sorted and freed of replaced rows.
func inserted(m []string) bool {
	return m[1] == m[2] && (m[3] == "0" || m[3] == "1") && m[4] == ""
}

// layAside takes away what was merged since writes were last known not to fail, if they have failed in the meantime. The
// library must not run.
func (in *instance) layAside() error {
	if !in.failing.Load() {
		return nil
	}
	path := in.e.opts.Path
	since := in.sound.Round(0).Add(-mtimeLag) // by the clock of the files
	dirs, err := filepath.Glob(filepath.Join(path, "store", "*", "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		m := partDir.FindStringSubmatch(filepath.Base(dir))
		if m == nil || inserted(m) {
			continue
		}
		// The list of its files is a part's last. The time of the folder is that of the whole second.
		fi, err := os.Stat(filepath.Join(dir, "checksums.txt"))
		switch {
		case errors.Is(err, fs.ErrNotExist): // the library sees that it is damaged
		case err != nil:
			return fmt.Errorf("cannot look at a part: %w", err)
		case !fi.ModTime().After(since):
		case time.Since(since) > mergedFrom:
			in.e.log.Error("a merge may have read a damaged part, and is too old to be undone", "part", dir, "writes_failed_after", since)
		default:
			detached := filepath.Join(filepath.Dir(dir), "detached")
			if err := os.MkdirAll(detached, 0o750); err != nil {
				return fmt.Errorf("cannot lay a part aside: %w", err)
			}
			if err := os.Rename(dir, filepath.Join(detached, fmt.Sprintf("merged-of-broken_%s_%d", filepath.Base(dir), time.Now().UnixMilli()))); err != nil {
				return fmt.Errorf("cannot lay a part aside: %w", err)
			}
		}
	}
	return nil
}

// instance is what answers requests now. While the engine starts anew it waits for the first try, and gives the error of one
// that failed.
func (e *Engine) instance(ctx context.Context) (*instance, error) {
	if e.closing.Err() != nil {
		return nil, ErrClosed
	}
	e.mu.Lock()
	in, ready, err := e.now, e.ready, e.err
	e.mu.Unlock()
	switch {
	case in != nil:
		return in, nil
	case err != nil:
		return nil, exceptionf(codeNetworkError, "NETWORK_ERROR", "The engine on %q cannot be started anew: %v; that is tried every %s", e.opts.Path, err, startEvery)
	}
	select {
	case <-ready:
		return e.instance(ctx)
	case <-ctx.Done():
		return nil, fmt.Errorf("the engine's answer was not awaited: %w", context.Cause(ctx))
	case <-e.closing.Done():
		return nil, ErrClosed
	}
}
