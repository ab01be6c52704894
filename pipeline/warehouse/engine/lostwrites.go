package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

const (
	// checkEvery is how soon a merge that failed is seen: far sooner than the parts it was made from are removed.
	checkEvery = 2 * time.Second
	// startEvery is the time between tries to start anew.
	startEvery = time.Second
	// tableRoom is what must be free for a statement that changes tables: what such a statement writes cannot be laid aside,
	// an empty definition is a lost table.
	tableRoom = 8 << 20
)

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
	n, err := in.countFailures()
	switch {
	case err != nil && in.ending.Err() != nil:
		return context.Cause(in.ending)
	case err != nil:
		return err
	case n == in.failures:
		return nil
	}
	select {
	case in.damaged <- struct{}{}:
	default: // it is known
	}
	return exceptionf(codeCannotWrite, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", "%d writes to %q failed: the disk is full or broken; nothing of this statement counts, make room and send it again", n-in.failures, in.e.opts.Path)
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
			in.end(ErrClosed)
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
	in.end(exceptionf(codeNetworkError, "NETWORK_ERROR", "The engine starts anew because writes to %q failed: the disk is full or broken; send the statement again", e.opts.Path))
	for first := true; ; first = false {
		in, err := e.start()
		e.mu.Lock()
		e.now, e.err = in, err
		e.mu.Unlock()
		if first {
			close(ready)
		}
		if err == nil {
			e.log.Info("the engine has started anew; what was damaged is laid aside under detached/broken-on-start_*", "path", e.opts.Path, "took", time.Since(began))
			return in
		}
		e.log.Error("the engine cannot be started anew, trying again", "path", e.opts.Path, "error", err)
		select {
		case <-e.closing.Done():
			return nil
		case <-time.After(startEvery):
		}
	}
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
