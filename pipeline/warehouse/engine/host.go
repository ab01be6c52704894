package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/httpd"
)

const (
	tokenHeader     = "X-ClickHouse-Key"
	hostRequests    = 64  // requests served at once; further ones get 503
	hostConnections = 256 // open at once, most of them idle
	ioTimeout       = 2 * time.Minute
	infoFile        = "engine.json"
	lockFile        = "lock"
	storeFolder     = "store"
	maxHeaderSize   = maxURL + 64<<10
)

// hostInfo is the content of engine.json: how other processes reach the
// engine. Whoever can read the file can do everything with the data.
type hostInfo struct {
	Address string    `json:"address"`
	Token   string    `json:"token"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
}

// host serves an engine on a loopback port.
type host struct {
	info   hostInfo
	server *httpd.Server
	done   chan error
}

// startHost listens and serves; the caller writes engine.json after it.
func startHost(e *Engine) (*host, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen for other processes: %w", err)
	}
	h := &host{
		info: hostInfo{Address: ln.Addr().String(), Token: rand.Text() + rand.Text(), PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Millisecond)},
		done: make(chan error, 1),
	}
	// Inserts and results may take long and be large: each read and each write has a deadline of its own (ioTimeout).
	h.server = httpd.New(hostHandler(e.RoundTripper(), h.info), httpd.Limits{
		Read: httpd.Unbounded, Write: httpd.Unbounded, BodyBytes: httpd.Unbounded, Idle: 2 * time.Minute,
		HeaderBytes: maxHeaderSize, Connections: hostConnections,
	}, e.log, slog.LevelDebug)
	go func() { h.done <- h.server.Serve(ln) }()
	return h, nil
}

func (h *host) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = h.server.Close()
	}
	if serr := <-h.done; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// hostHandler lets requests through to rt that come for this host, so that no
// web page can reach it under another name, and with the token.
func hostHandler(rt http.RoundTripper, info hostInfo) http.Handler {
	_, port, _ := net.SplitHostPort(info.Address)
	slots := make(chan struct{}, hostRequests)
	refuse := func(w http.ResponseWriter, ex *Exception) {
		w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(ex.Code))
		http.Error(w, ex.Message, ex.status())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "127.0.0.1:"+port && r.Host != "localhost:"+port {
			refuse(w, exceptionf(codeAuthenticationFails, "AUTHENTICATION_FAILED", "Authentication failed: this engine is not host %q", r.Host))
			return
		}
		token := r.Header.Get(tokenHeader)
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			token = bearer
		}
		if subtle.ConstantTimeCompare([]byte(token), []byte(info.Token)) != 1 {
			refuse(w, exceptionf(codeAuthenticationFails, "AUTHENTICATION_FAILED", "Authentication failed: wrong or missing token; it stands in engine.json"))
			return
		}
		if r.URL.Path == "/ping" {
			io.WriteString(w, "Ok.\n")
			return
		}
		if r.Method != http.MethodPost && r.Method != http.MethodGet {
			http.Error(w, "only GET and POST", http.StatusMethodNotAllowed)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			refuse(w, exceptionf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries: %d", hostRequests))
			return
		}
		serveRoundTrip(w, r, rt)
	})
}

// serveRoundTrip answers r with what rt answers, as it comes.
func serveRoundTrip(w http.ResponseWriter, r *http.Request, rt http.RoundTripper) {
	rc := http.NewResponseController(w)
	req := r.Clone(r.Context())
	req.Body = &timedBody{r.Body, rc}
	res, err := rt.RoundTrip(req)
	if err != nil {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		http.Error(w, "Code: 210. DB::Exception: "+err.Error()+" (NETWORK_ERROR)", http.StatusServiceUnavailable)
		return
	}
	defer res.Body.Close()
	for k, vs := range res.Header {
		w.Header()[k] = vs
	}
	if res.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(res.ContentLength))
	}
	w.WriteHeader(res.StatusCode)
	buf := make([]byte, 256<<10)
	for {
		n, err := res.Body.Read(buf)
		if n > 0 {
			rc.SetWriteDeadline(time.Now().Add(ioTimeout)) //nolint:errcheck // not every writer has one
			if _, werr := w.Write(buf[:n]); werr != nil {
				return // the client is gone, the request's context ends the statement
			}
			if res.ContentLength < 0 {
				rc.Flush() //nolint:errcheck // the next write tells
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			// The frame with the exception is out; without an end of the body
			// nobody takes the part for the whole.
			rc.Flush() //nolint:errcheck // the connection breaks anyway
			panic(http.ErrAbortHandler)
		}
	}
}

// timedBody gives each read of a body its own deadline, for the whole may
// take long.
type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.rc.SetReadDeadline(time.Now().Add(ioTimeout)) //nolint:errcheck // not every reader has one
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.rc.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	}
	return n, err
}

// readInfo reads engine.json of dir.
func readInfo(dir string) (hostInfo, error) {
	var info hostInfo
	b, err := os.ReadFile(filepath.Join(dir, infoFile))
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return info, fmt.Errorf("cannot read %s: %w", filepath.Join(dir, infoFile), err)
	}
	if _, _, err := net.SplitHostPort(info.Address); err != nil || info.Token == "" {
		return info, fmt.Errorf("cannot read %s: it names no address or token", filepath.Join(dir, infoFile))
	}
	return info, nil
}

// writeInfo writes engine.json so that a reader sees all of it or nothing.
func writeInfo(dir string, info hostInfo) error {
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, infoFile+".*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", infoFile, err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, infoFile))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", infoFile, err)
	}
	return nil
}
