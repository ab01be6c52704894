package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrGone is returned, wrapped, for requests to an engine in another process
// that has ended. The handle stays good: it finds an engine started again by
// any process, this one too, with Acquire.
var ErrGone = errors.New("the process that ran the engine is gone")

// remote sends requests to the engine of another process.
type remote struct {
	dir       string
	transport *http.Transport

	mu   sync.Mutex
	info hostInfo
}

// dialEngine connects to the engine that dir/engine.json names and checks that
// it answers.
func dialEngine(ctx context.Context, dir string) (*remote, error) {
	info, err := readInfo(dir)
	if err != nil {
		return nil, err
	}
	c := &remote{dir: dir, info: info, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+clientHost+"/ping", nil)
	if err != nil {
		return nil, err
	}
	res, err := c.send(req, info)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 4096)); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", info.Address, res.Status)
	}
	return c, nil
}

func (c *remote) closeIdle() { c.transport.CloseIdleConnections() }

func (c *remote) send(req *http.Request, info hostInfo) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host, out.URL.User, out.Host = "http", info.Address, nil, info.Address
	out.Header.Del("Authorization")
	out.Header.Set(tokenHeader, info.Token)
	res, err := c.transport.RoundTrip(out)
	if err == nil {
		res.Body = &remoteBody{res.Body, req.Context(), info.PID}
	}
	return res, err
}

// remoteBody says in its errors whose connection broke.
type remoteBody struct {
	io.ReadCloser
	ctx context.Context
	pid int
}

func (b *remoteBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.ctx.Err() == nil {
		err = fmt.Errorf("the engine of process %d broke off its answer: %w", b.pid, err)
	}
	return n, err
}

// RoundTrip implements http.RoundTripper. When the engine's process has ended
// it looks for a new one in engine.json.
func (c *remote) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	info := c.info
	c.mu.Unlock()
	res, err := c.send(req, info)
	if err == nil && res.StatusCode != http.StatusForbidden {
		return res, nil
	}
	if req.Context().Err() != nil {
		if err == nil {
			return res, nil
		}
		return nil, err
	}
	var op *net.OpError
	dialFailed := errors.As(err, &op) && op.Op == "dial"
	fresh, rerr := readInfo(c.dir)
	if rerr != nil || fresh.Address == info.Address && fresh.Token == info.Token {
		switch {
		case err == nil:
			return res, nil
		case dialFailed || rerr != nil:
			return nil, fmt.Errorf("%w: process %d no longer answers at %s for %q; start it again, or any tingke command that opens this folder (%w)", ErrGone, info.PID, info.Address, c.dir, err)
		}
		return nil, fmt.Errorf("the engine of process %d broke the connection; the statement may have run or not: %w", info.PID, err)
	}
	c.mu.Lock()
	c.info = fresh
	c.mu.Unlock()
	// Only a request that surely did not run and whose body can be sent again
	// is repeated here; the next one goes to the new process in any case.
	refused := dialFailed || err == nil
	if refused && (req.Body == nil || req.GetBody != nil) {
		if err == nil {
			res.Body.Close()
		}
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			if again.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		return c.send(again, fresh)
	}
	if err == nil {
		return res, nil
	}
	return nil, fmt.Errorf("%w: process %d ended, process %d runs the engine of %q now; try again (%w)", ErrGone, info.PID, fresh.PID, c.dir, err)
}
