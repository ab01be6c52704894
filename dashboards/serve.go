package dashboards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxConnections bounds the browsers at once; more of them wait.
const maxConnections = 256

// stopTimeout bounds what a stop waits for pages under way.
const stopTimeout = 5 * time.Second

// Serve serves handler on addr until ctx ends, then lets pages under way finish. It is Listen and ServeListener in one.
func Serve(ctx context.Context, addr string, handler http.Handler, log *slog.Logger) error {
	l, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	return ServeListener(ctx, l, addr, handler, log)
}

// Listen opens addr. The pages have no log-in, so an address that another machine can reach is refused.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("web address %q is not host:port: %w; use for instance 127.0.0.1:8080", addr, err)
	}
	refuse := func(why string) error {
		return fmt.Errorf("refusing to serve on %q: %s, and the pages show conversations without a log-in; use 127.0.0.1, and reach it from elsewhere through an SSH tunnel", addr, why)
	}
	if host == "" {
		return nil, refuse("without a host it listens on every address of this machine")
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("cannot look up the web address %q: %w", addr, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return nil, refuse(ip.String() + " is not a loopback address")
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the pages on %q: %w; choose another address if something else uses it", addr, err)
	}
	return l, nil
}

// ServeListener serves handler on a listener of Listen until ctx ends; addr is what Listen was given. It owns the
// listener. A request is answered only when its Host is a loopback name or the host of addr, so that a web site cannot
// read the pages by pointing its own name at this machine.
func ServeListener(ctx context.Context, l net.Listener, addr string, handler http.Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.Default()
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.Join(fmt.Errorf("web address %q is not host:port: %w", addr, err), l.Close())
	}
	srv := &http.Server{
		Handler:           onlyHost(host, handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      queryTimeout + 30*time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(bound); err != nil {
			stopped <- errors.Join(fmt.Errorf("pages under way were cut off: %w", err), srv.Close())
		}
	}()
	err = srv.Serve(&boundedListener{Listener: l, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})})
	close(done)
	if stopErr := <-stopped; stopErr != nil {
		return stopErr
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the web server ended: %w", err)
	}
	return nil
}

// onlyHost refuses requests that name another host.
func onlyHost(configured string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		if !strings.EqualFold(host, "localhost") && !strings.EqualFold(host, configured) && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this server answers for localhost only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// boundedListener accepts a connection only while fewer than its slots are open.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
