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
	"time"
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
	opts  Options
	lib   *library
	log   *slog.Logger
	pool  *pool
	admin struct { // for KILL QUERY; open for the engine's whole life
		sync.Mutex
		conn *cconn
	}

	closing context.Context // done, with cause ErrClosed, when Close begins
	shut    context.CancelCauseFunc
	once    sync.Once
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
	start := time.Now()
	e := &Engine{opts: opts, lib: lib, log: opts.Logger}
	e.admin.conn, err = lib.open(e.args("admin"))
	if err != nil {
		return nil, fmt.Errorf("cannot start the engine on %q: %w; is another process using this folder, or does it hold data of another version?", path, err)
	}
	if err := e.prepare(); err != nil {
		e.admin.conn.close()
		return nil, fmt.Errorf("cannot prepare the engine on %q: %w", path, err)
	}
	e.closing, e.shut = context.WithCancelCause(context.Background())
	e.pool = newPool(e, opts.Conns)
	running.path = path
	e.log.Debug("engine started", "path", path, "library", goString(lib.version()), "memory_bytes", opts.MemoryBytes, "took", time.Since(start))
	return e, nil
}

func (e *Engine) prepare() error {
	r := e.admin.conn.query("CREATE DATABASE IF NOT EXISTS "+Database+" ENGINE = Atomic", "Null", &params{})
	defer r.destroy()
	return r.err()
}

// args are the command line of a connection. Server options count for the
// first one only, query settings for each.
func (e *Engine) args(tag string) []string {
	cache := e.opts.MemoryBytes / 16
	return []string{
		"clickhouse",
		"--path=" + e.opts.Path,
		fmt.Sprintf("--max_server_memory_usage=%d", e.opts.MemoryBytes),
		fmt.Sprintf("--mark_cache_size=%d", e.opts.MarkCacheBytes),
		// These caches default to gigabytes each.
		fmt.Sprintf("--primary_index_cache_size=%d", cache),
		fmt.Sprintf("--index_mark_cache_size=%d", cache),
		fmt.Sprintf("--unique_key_index_cache_size_bytes=%d", cache),
		fmt.Sprintf("--vector_similarity_index_cache_size=%d", cache),
		fmt.Sprintf("--text_index_tokens_cache_size=%d", cache),
		fmt.Sprintf("--text_index_header_cache_size=%d", cache),
		fmt.Sprintf("--text_index_postings_cache_size=%d", cache),
		fmt.Sprintf("--parquet_metadata_cache_size=%d", cache),
		// As on a server: a statement has a verb, and the host's time zone
		// changes no result.
		"--implicit_select=0",
		"--session_timezone=UTC",
		// Small inserts would wait for others to join them.
		"--async_insert=0",
		// A sort with a limit over a view with a join fails with it (NOT_FOUND_COLUMN_IN_BLOCK, 26.7).
		"--query_plan_optimize_lazy_materialization=0",
		"--log_comment=" + tag,
	}
}

// RoundTripper returns a transport that answers ClickHouse HTTP requests from
// the engine, without any network. It is safe for concurrent use; a response
// body must be closed, and holds one of the engine's connections until it is
// read to its end or closed.
func (e *Engine) RoundTripper() http.RoundTripper { return bridge{e} }

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
		e.pool.close()
		e.admin.Lock()
		e.admin.conn.close()
		e.admin.conn = nil
		e.admin.Unlock()
		running.Lock()
		running.path = ""
		running.Unlock()
		e.log.Debug("engine stopped", "path", e.opts.Path)
	})
	return nil
}

// kill asks the engine to cancel what runs on the connection with this tag.
func (e *Engine) kill(tag string) {
	e.admin.Lock()
	defer e.admin.Unlock()
	if e.admin.conn == nil {
		return
	}
	r := e.admin.conn.query("KILL QUERY WHERE Settings['log_comment'] = {tag:String}", "Null", makeParams(map[string]string{"tag": tag}))
	if err := r.err(); err != nil {
		e.log.Warn("cannot cancel a query", "error", err)
	}
	r.destroy()
}

// cancellable runs f, an operation on conn, and cancels the statement inside
// the engine when ctx ends first. It returns when f has returned.
func (e *Engine) cancellable(ctx context.Context, c *conn, f func()) {
	if ctx.Done() == nil {
		f()
		return
	}
	done := make(chan struct{})
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		// The statement may not be registered yet, so one KILL is not enough.
		for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
			select {
			case <-done:
				return
			default:
			}
			e.kill(c.tag)
			select {
			case <-done:
				return
			case <-time.After(wait):
			}
		}
	})
	f()
	close(done)
	if !stop() {
		<-killed // no KILL may hit the connection's next statement
	}
}
