package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// errNotStreamed: the engine can run the statement, but not as a stream.
var errNotStreamed = errors.New("not a streaming statement")

// resultStream is the body of a streamed result: each Read that finds its
// buffer empty fetches the engine's next chunk, so memory is bounded by one
// chunk whatever the size of the result.
//
// An error after the first chunk is framed into the body the way a server
// does it, so that clients show the exception, and returned by Read.
type resultStream struct {
	b        bridge
	ctx      context.Context
	native   bool
	sure     bool
	revision uint64
	tag      string // of the error frame

	mu      sync.Mutex // held while the engine works
	conn    *conn
	stream  result
	release func() // ends the request's context; nil before it is this stream's task
	buf     []byte
	off     int
	err     error // returned when buf is read
}

// stream starts a SELECT and fetches its first chunk, so that most errors come
// before any output. On an error the connection is given back, but for
// errNotStreamed.
func (b bridge) stream(ctx context.Context, c *conn, r *request, release func()) (*resultStream, error) {
	s := &resultStream{b: b, ctx: ctx, conn: c, native: r.outputFormat() == "Native", sure: r.sure, revision: r.revision, tag: rand.Text()[:16]}
	var err error
	if err = ctx.Err(); err != nil {
		b.in.pool.release(c, true)
		return nil, err
	}
	b.in.cancellable(ctx, c, func() {
		s.stream = c.stream(r.sql, r.format, r.params)
		err = s.stream.err()
	})
	if err != nil {
		s.stream.destroy()
		var ex *Exception
		if errors.As(err, &ex) && strings.Contains(ex.Message, "Streaming query is not supported") {
			return nil, errNotStreamed
		}
		b.in.pool.release(c, false)
		return nil, err
	}
	s.fetch()
	if s.err != nil && s.err != io.EOF {
		return nil, s.err
	}
	if s.err == io.EOF && len(s.buf) == 0 && s.native {
		// The connection is back in the pool; the columns are asked for on
		// another one in the same state.
		if s.buf, err = b.emptyHeader(ctx, r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		release()
		return s, nil
	}
	unwatch := context.AfterFunc(ctx, s.abandon)
	s.release = func() {
		unwatch()
		release()
	}
	return s, nil
}

func (b bridge) emptyHeader(ctx context.Context, r *request) (head []byte, err error) {
	c, err := b.in.pool.acquire(ctx, r.session)
	if err != nil {
		return nil, err
	}
	b.in.cancellable(ctx, c, func() { head, err = b.header(c, r) })
	err = cancelled(ctx, err)
	b.in.pool.release(c, err == nil)
	return head, err
}

// fetch reads the next chunk into buf, or sets err and ends the stream. The
// caller holds mu, or is alone.
func (s *resultStream) fetch() {
	s.buf, s.off = s.buf[:0], 0
	var err error
	end := false
	s.b.in.cancellable(s.ctx, s.conn, func() {
		chunk := s.conn.fetch(s.stream)
		defer chunk.destroy()
		if err = chunk.err(); err != nil {
			return
		}
		data := chunk.bytes()
		end = len(data) == 0
		if s.native {
			s.buf, err = appendBlocks(s.buf, data, s.revision)
		} else {
			s.buf = append(s.buf, data...)
		}
	})
	switch {
	case (err != nil || end) && s.ctx.Err() != nil: // see cancelled
		s.finish(fmt.Errorf("the engine's answer was not awaited: %w", context.Cause(s.ctx)), false)
	case err != nil:
		s.buf = s.buf[:0]
		s.finish(err, false)
	case end && s.sure:
		if err = s.b.in.checkWrites(); err == nil {
			err = io.EOF
		}
		s.finish(err, true)
	case end:
		s.finish(io.EOF, true)
	}
}

// finish gives everything back, once; err is what Read returns from now on.
func (s *resultStream) finish(err error, clean bool) {
	if s.conn == nil {
		return
	}
	s.err = err
	if !clean {
		s.conn.cancel(s.stream)
	}
	s.stream.destroy()
	s.b.in.pool.release(s.conn, clean)
	s.conn = nil
	if s.release != nil {
		s.release()
	}
}

// abandon runs when the context ends while nobody reads.
func (s *resultStream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.buf, s.off = nil, 0
		s.finish(fmt.Errorf("the engine's answer was not awaited: %w", context.Cause(s.ctx)), false)
	}
}

// Read implements io.Reader.
func (s *resultStream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.off == len(s.buf) {
		if s.err != nil {
			return 0, s.err
		}
		s.fetch()
		var ex *Exception
		if errors.As(s.err, &ex) {
			s.buf = s.frame(ex)
		}
	}
	n := copy(p, s.buf[s.off:])
	s.off += n
	return n, nil
}

// frame is an exception inside a result that has begun.
func (s *resultStream) frame(ex *Exception) []byte {
	msg := ex.Message
	if len(msg) > 15<<10 { // readers look at 16 KiB
		msg = msg[:15<<10]
	}
	return fmt.Appendf(nil, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", s.tag, msg, len(msg)+1, s.tag)
}

// Close ends the statement if it still runs.
func (s *resultStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(errClosedBody, false)
	s.buf, s.off = nil, 0
	if s.err == nil || s.err == io.EOF {
		s.err = errClosedBody
	}
	return nil
}

var errClosedBody = errors.New("read of a closed result of the engine")
