package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// instance is the engine from one start of the library to its end, of which an Engine may see several.
type instance struct {
	e     *Engine
	pool  *pool
	admin control // for KILL QUERY
	watch control // looks for writes that failed

	failures uint64        // writes that had failed before it started
	failing  atomic.Bool   // a write has failed
	damaged  chan struct{} // asks keep for another instance
	mu       sync.Mutex
	sound    time.Time       // until then no write had failed
	ending   context.Context // done when end begins, with the cause that requests are told
	stop     context.CancelCauseFunc
}

// control is a connection for the engine's own questions, open for the whole life of an instance.
type control struct {
	sync.Mutex
	conn *cconn
}

// ask runs a statement without a result, or with one value.
func (c *control) ask(sql string, p *params) (string, error) {
	c.Lock()
	defer c.Unlock()
	if c.conn == nil {
		return "", ErrClosed
	}
	r := c.conn.query(sql, "TSVRaw", p)
	defer r.destroy()
	if err := r.err(); err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(r.bytes()), "\n"), nil
}

func (c *control) close() {
	c.Lock()
	defer c.Unlock()
	if c.conn != nil {
		c.conn.close()
	}
	c.conn = nil
}

// start runs the library on the engine's folder. What it finds damaged there it lays aside (lostwrites.go).
func (e *Engine) start() (*instance, error) {
	began := time.Now()
	in := &instance{e: e, damaged: make(chan struct{}, 1), failures: failedWrites.Load(), sound: began}
	in.ending, in.stop = context.WithCancelCause(e.closing)
	in.pool = newPool(in, e.opts.Conns)
	if err := in.open(); err != nil {
		return nil, errors.Join(err, in.end(err))
	}
	e.log.Debug("engine started", "path", e.opts.Path, "library", goString(e.lib.version()), "memory_bytes", e.opts.MemoryBytes, "took", time.Since(began))
	return in, nil
}

func (in *instance) open() (err error) {
	if in.admin.conn, err = in.e.lib.open(in.e.args("admin")); err != nil {
		return err
	}
	if in.watch.conn, err = in.e.lib.open(in.e.args("watch")); err != nil {
		return err
	}
	// The library writes down who runs it, and does without where that fails.
	if fi, err := os.Stat(filepath.Join(in.e.opts.Path, "status")); err == nil && fi.Size() == 0 {
		in.failures++
	}
	if _, err = in.admin.ask("CREATE DATABASE IF NOT EXISTS "+Database+" ENGINE = Atomic", &params{}); err != nil {
		return err
	}
	return in.checkWrites()
}

// end cancels what runs, waits for it and stops the library. Requests are told the cause. Where writes have failed, what may
// be damaged without looking so is laid aside; the error says that this failed.
func (in *instance) end(cause error) error {
	in.stop(cause)
	in.pool.close()
	if n, err := in.countFailures(); err == nil {
		if n != in.failures {
			in.failing.Store(true)
		}
		failedWrites.Store(n)
	}
	in.watch.close()
	in.admin.close()
	return in.layAside()
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

// kill asks the engine to cancel what runs on the connection with this tag.
func (in *instance) kill(tag string) {
	_, err := in.admin.ask("KILL QUERY WHERE Settings['log_comment'] = {tag:String} FORMAT Null", makeParams(map[string]string{"tag": tag}))
	if err != nil {
		in.e.log.Warn("cannot cancel a query", "error", err)
	}
}

// cancellable runs f, an operation on conn, and cancels the statement inside
// the engine when ctx ends first. It returns when f has returned.
func (in *instance) cancellable(ctx context.Context, c *conn, f func()) {
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
			in.kill(c.tag)
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
