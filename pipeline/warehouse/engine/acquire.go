package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// startTimeout bounds the wait for another process that is just starting the
// engine, or just ending.
const startTimeout = 30 * time.Second

// Handle is a way to the engine of a folder: in this process, or in the one
// that runs it. It is safe for concurrent use.
type Handle struct {
	dir   string
	conns int
	rt    http.RoundTripper
	owner *owner // nil when another process runs the engine
	idle  func() // closes idle network connections
	once  sync.Once
	err   error
}

// owner is the engine this process runs, with all its handles.
type owner struct {
	dir    string
	refs   int
	engine *Engine
	host   *host
	lock   *os.File
}

var owned struct {
	sync.Mutex
	m map[string]*owner
}

// Acquire returns a way to the engine of dir. Where no process runs it, this
// one does, on dir/store, until the last of its handles is closed, and tells
// others in dir/engine.json; else the handle goes to the one that runs it,
// over loopback HTTP.
//
// opts counts where this process starts the engine; opts.Path is not used.
// This process can run the engine of one folder at a time (ErrRunning).
func Acquire(ctx context.Context, dir string, opts Options) (*Handle, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot acquire the engine of %q: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the engine's folder: %w", err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	if opts.Conns <= 0 {
		opts.Conns = DefaultConns
	}
	deadline := time.Now().Add(startTimeout)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		h, err := tryAcquire(ctx, abs, opts)
		if err == nil || !errors.Is(err, errNotYet) {
			return h, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot acquire the engine of %q: another process holds %s, but no engine answers: %w; end that process and try again", dir, filepath.Join(abs, lockFile), err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot acquire the engine of %q: %w", dir, context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

// errNotYet: another process holds the lock and does not answer.
var errNotYet = errors.New("not ready")

func tryAcquire(ctx context.Context, dir string, opts Options) (*Handle, error) {
	owned.Lock()
	defer owned.Unlock()
	if o := owned.m[dir]; o != nil {
		o.refs++
		return o.handle(opts.Conns), nil
	}
	lock, err := takeLock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	if lock == nil {
		c, err := dialEngine(ctx, dir)
		if err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("cannot acquire the engine of %q: %w", dir, context.Cause(ctx))
			}
			return nil, fmt.Errorf("%w: %w", errNotYet, err)
		}
		return &Handle{dir: dir, conns: opts.Conns, rt: c, idle: c.closeIdle}, nil
	}
	o, err := startOwner(ctx, dir, lock, opts)
	if err != nil {
		lock.Close()
		return nil, err
	}
	if owned.m == nil {
		owned.m = map[string]*owner{}
	}
	owned.m[dir] = o
	return o.handle(opts.Conns), nil
}

func startOwner(ctx context.Context, dir string, lock *os.File, opts Options) (*owner, error) {
	// What is left of an owner that was killed would send others astray.
	if err := os.Remove(filepath.Join(dir, infoFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove a stale %s: %w", infoFile, err)
	}
	opts.Path = filepath.Join(dir, storeFolder)
	e, err := Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	h, err := startHost(e)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := writeInfo(dir, h.info); err != nil {
		return nil, errors.Join(err, h.close(), e.Close())
	}
	return &owner{dir: dir, refs: 1, engine: e, host: h, lock: lock}, nil
}

func (o *owner) handle(conns int) *Handle {
	return &Handle{dir: o.dir, conns: conns, rt: o.engine.RoundTripper(), owner: o}
}

// RoundTripper is the transport for ClickHouse HTTP requests; their host is
// replaced, their path and address do not matter.
func (h *Handle) RoundTripper() http.RoundTripper { return h.rt }

// Owned reports whether this process runs the engine.
func (h *Handle) Owned() bool { return h.owner != nil }

// MemoryTracking is Engine.MemoryTracking of the engine, wherever it runs.
func (h *Handle) MemoryTracking(ctx context.Context) (int64, error) {
	return memoryTracking(ctx, h.rt)
}

// ClientOptions are the options with which clickhouse.Open and
// clickhouse.OpenDB reach the engine. Callers may change the number of
// connections and add settings; compression must stay off.
func (h *Handle) ClientOptions() *clickhouse.Options { return clientOptions(h.rt, h.conns) }

// ClientOptions are as Handle.ClientOptions.
func (e *Engine) ClientOptions() *clickhouse.Options {
	return clientOptions(e.RoundTripper(), e.opts.Conns)
}

func clientOptions(rt http.RoundTripper, conns int) *clickhouse.Options {
	return &clickhouse.Options{
		Protocol:     clickhouse.HTTP,
		Addr:         []string{clientHost},
		Auth:         clickhouse.Auth{Database: Database},
		Compression:  &clickhouse.Compression{Method: clickhouse.CompressionNone},
		MaxOpenConns: conns,
		MaxIdleConns: conns,
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) {
			return rt, nil
		},
	}
}

// Close gives the handle back; the last one of the process that runs the
// engine stops it. Close clients before it. Close is idempotent.
func (h *Handle) Close() error {
	h.once.Do(func() {
		if h.owner == nil {
			h.idle()
			return
		}
		owned.Lock()
		defer owned.Unlock()
		o := h.owner
		if o.refs--; o.refs > 0 {
			return
		}
		delete(owned.m, o.dir)
		h.err = o.stop()
	})
	return h.err
}

func (o *owner) stop() error {
	err := os.Remove(filepath.Join(o.dir, infoFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	o.engine.shut(ErrClosed) // ends what the host still serves
	err = errors.Join(err, o.host.close(), o.engine.Close())
	return errors.Join(err, o.lock.Close())
}
