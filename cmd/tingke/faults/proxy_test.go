//go:build faults

package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fault is what the way to the store does to requests.
type fault struct {
	delay          time.Duration // before each request
	bytesPerSecond int           // of bodies, both ways; 0 for no bound
	refuseWrites   bool          // inserts are answered with TABLE_IS_READ_ONLY
	loseAnswers    bool          // every third insert is done, and the connection ends before the answer
	breakInserts   bool          // of every third insert only a half arrives
}

// storeProxy stands between the workers and the engine.
type storeProxy struct {
	mu     sync.Mutex
	f      fault
	n      int // inserts
	engine http.Handler

	refused, lost, broken atomic.Int64
}

func (p *storeProxy) set(f fault) {
	p.mu.Lock()
	p.f = f
	p.mu.Unlock()
}

// proxy puts itself between the engine and whoever connects from now on: engine.json names its address.
func (d *deployment) proxy(t *testing.T) *storeProxy {
	t.Helper()
	path := filepath.Join(d.dir, "engine.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(b, &info); err != nil {
		t.Fatal(err)
	}
	addr := info["address"].(string)
	p := &storeProxy{engine: &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr}) // and the Host header, which the engine checks
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
	}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	info["address"] = strings.TrimPrefix(server.URL, "http://")
	if b, err = json.Marshal(info); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *storeProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	insert := strings.HasPrefix(strings.TrimSpace(r.URL.Query().Get("query")), "INSERT")
	p.mu.Lock()
	f := p.f
	if insert {
		p.n++
	}
	third := p.n%3 == 0
	p.mu.Unlock()
	select {
	case <-time.After(f.delay):
	case <-r.Context().Done():
		return
	}
	switch {
	case insert && f.refuseWrites:
		p.refused.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // an error is the worker's going away
		w.Header().Set("X-ClickHouse-Exception-Code", "242")
		http.Error(w, "Code: 242. DB::Exception: Table is in readonly mode (TABLE_IS_READ_ONLY)", http.StatusInternalServerError)
		return
	case insert && f.loseAnswers && third:
		p.lost.Add(1)
		p.engine.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case insert && f.breakInserts && third:
		p.broken.Add(1)
		r.Body = &half{ReadCloser: r.Body}
	}
	if f.bytesPerSecond > 0 {
		r.Body = &trickle{ReadCloser: r.Body, perSecond: f.bytesPerSecond}
		w = &slowWriter{ResponseWriter: w, perSecond: f.bytesPerSecond}
	}
	// Else the server closes the request's body as the answer begins, and where Go's transport has not yet looked whether more
	// follows it than was declared, it takes that for a failed write and ends the connection: one answer in a thousand on a busy
	// machine broke off (golang/go#40747).
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		panic(err)
	}
	p.engine.ServeHTTP(w, r)
}

// half is a body that breaks off after its first kilobyte.
type half struct {
	io.ReadCloser
	n int
}

func (h *half) Read(b []byte) (int, error) {
	if h.n >= 1024 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := h.ReadCloser.Read(b[:min(len(b), 1024-h.n)])
	h.n += n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // shorter ones break at their end
	}
	return n, err
}

// trickle is a body that comes slowly.
type trickle struct {
	io.ReadCloser
	perSecond int
}

func (s *trickle) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b[:min(len(b), 4096)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(s.perSecond))
	return n, err
}

// slowWriter is an answer that goes slowly.
type slowWriter struct {
	http.ResponseWriter
	perSecond int
}

func (s *slowWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(s.perSecond))
	return s.ResponseWriter.Write(b)
}

// Unwrap lets the proxy flush.
func (s *slowWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
