// Package engine runs the real ClickHouse engine inside the process: libchdb,
// loaded at run time without cgo, behind an http.RoundTripper that speaks the
// ClickHouse HTTP protocol, so that clickhouse-go reaches it without a socket.
//
// One process runs the engine of a folder; Acquire finds it for all others,
// over loopback HTTP with a token.
//
// The package knows nothing of tables, sessions or rules; it must not import
// other packages of this module.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// Options says how to run the engine. The zero value of a field means its
// default.
type Options struct {
	Path           string // folder of the data, made where absent; Acquire sets it
	Library        string // libchdb; default FindLibrary()
	MemoryBytes    int64  // bound on the engine's own allocations; default 2 GiB
	MarkCacheBytes int64  // default 256 MiB
	Conns          int    // statements at once, further ones wait; default 16
	Logger         *slog.Logger
}

// Defaults of Options.
const (
	DefaultMemoryBytes    = 2 << 30
	DefaultMarkCacheBytes = 256 << 20
	DefaultConns          = 16
)

// Database is where tables are unless a request names another database. It is
// not the engine's own "default", which is laid over the host's files: there
// the table x.csv is the file of that name.
const Database = "tingke"

var (
	// ErrRunning is returned by Open while this process runs another engine:
	// the library has one state for the whole process.
	ErrRunning = errors.New("this process already runs an engine")
	// ErrClosed is returned, wrapped, for requests after or during Close.
	ErrClosed = errors.New("the embedded engine is closed")
)

var running struct {
	sync.Mutex
	path string
}

// Engine is a running engine. It is safe for concurrent use.
type Engine struct {
	opts Options
	lib  *library
	log  *slog.Logger

	closing context.Context // done, with cause ErrClosed, when Close begins
	shut    context.CancelCauseFunc
	once    sync.Once
	kept    chan struct{} // closed when keep has returned

	mu    sync.Mutex
	now   *instance     // answers requests; nil while the engine starts anew
	ready chan struct{} // closed when the first try to start anew has ended
	err   error         // why the last try to start anew failed
}

// Open starts the engine on opts.Path. One engine can run in a process; after
// Close another one can be opened, on the same or another path.
func Open(ctx context.Context, opts Options) (*Engine, error) {
	if opts.Path == "" {
		return nil, errors.New("cannot open the engine: no path for its data")
	}
	path, err := filepath.Abs(opts.Path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the engine on %q: %w", opts.Path, err)
	}
	opts.Path = path
	if opts.Library == "" {
		if opts.Library, err = FindLibrary(); err != nil {
			return nil, err
		}
	}
	if opts.MemoryBytes <= 0 {
		opts.MemoryBytes = DefaultMemoryBytes
	}
	if opts.MarkCacheBytes <= 0 {
		opts.MarkCacheBytes = DefaultMarkCacheBytes
	}
	if opts.Conns <= 0 {
		opts.Conns = DefaultConns
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	running.Lock()
	defer running.Unlock()
	if running.path != "" {
		return nil, fmt.Errorf("cannot open the engine on %q: %w, on %q; close that one first, or use engine.Acquire, which shares it", path, ErrRunning, running.path)
	}
	lib, err := loadLibrary(opts.Library)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the engine's folder: %w", err)
	}
	e := &Engine{opts: opts, lib: lib, log: opts.Logger, kept: make(chan struct{})}
	e.closing, e.shut = context.WithCancelCause(context.Background())
	if e.now, err = e.start(); err != nil {
		return nil, fmt.Errorf("cannot start the engine on %q: %w; is another process using this folder, or does it hold data of another version?", path, err)
	}
	go e.keep(e.now)
	running.path = path
	return e, nil
}

// RoundTripper returns a transport that answers ClickHouse HTTP requests from
// the engine, without any network. It is safe for concurrent use; a response
// body must be closed, and holds one of the engine's connections until it is
// read to its end or closed.
func (e *Engine) RoundTripper() http.RoundTripper { return transport{e} }

// MemoryTracking is the number of bytes that the engine accounts for itself
// now, which MemoryBytes bounds; the process's resident size is larger.
func (e *Engine) MemoryTracking(ctx context.Context) (int64, error) {
	return memoryTracking(ctx, e.RoundTripper())
}

// Close cancels what runs, waits for it and stops the engine. All data
// inserted stay on disk. Close is idempotent.
func (e *Engine) Close() error {
	e.once.Do(func() {
		e.shut(ErrClosed)
		<-e.kept
		running.Lock()
		running.path = ""
		running.Unlock()
		e.log.Debug("engine stopped", "path", e.opts.Path)
	})
	return nil
}
