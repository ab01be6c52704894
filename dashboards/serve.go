package dashboards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/httpd"
)

// requestTimeout bounds what a request may take; the API ends its own queries earlier.
const requestTimeout = 60 * time.Second

// maxConnections bounds the browsers at once; more of them wait.
const maxConnections = 256

// stopTimeout bounds what a stop waits for pages under way.
const stopTimeout = 5 * time.Second

// Server says where a site is served and to whom.
type Server struct {
	Addr string // host:port
	// Public lets other machines reach it: the address may be one of the network. Else only this machine may.
	Public bool
	// Hosts are the names by which others reach it; requests that name another host are refused. The loopback names and
	// the host of Addr always work.
	Hosts []string
	// Secure says that others reach it over https, through a proxy.
	Secure bool
	Log    *slog.Logger // nil is slog.Default()
}

// Serve serves handler until ctx ends, then lets pages under way finish. It is Listen and ServeListener in one.
func (s Server) Serve(ctx context.Context, handler http.Handler) error {
	l, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	return s.ServeListener(ctx, l, handler)
}

func (s Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// Listen opens the address. One that another machine can reach is refused where the server is not Public.
func (s Server) Listen(ctx context.Context) (net.Listener, error) {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, fmt.Errorf("web address %q is not host:port: %w; use for instance 127.0.0.1:8080", s.Addr, err)
	}
	if !s.Public {
		if err := s.checkLocal(ctx, host); err != nil {
			return nil, err
		}
	} else if !s.Secure {
		s.log().Warn("passwords and conversations go over the network in the clear: put a proxy with TLS before the pages and set listen.web_secure", "address", s.Addr)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, fmt.Errorf("cannot serve the pages on %q: %w; choose another address if something else uses it", s.Addr, err)
	}
	return l, nil
}

func (s Server) checkLocal(ctx context.Context, host string) error {
	refuse := func(why string) error {
		return fmt.Errorf("refusing to serve on %q: %s; use 127.0.0.1, or set listen.web_public and listen.web_hosts to let other machines in", s.Addr, why)
	}
	if host == "" {
		return refuse("without a host it listens on every address of this machine")
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return fmt.Errorf("cannot look up the web address %q: %w", s.Addr, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return refuse(ip.String() + " is not a loopback address")
		}
	}
	return nil
}

// ServeListener serves handler on a listener of Listen until ctx ends. It owns the listener. A request is answered only
// when its Host is a loopback name, one of Hosts or the host of Addr, so that a web site cannot read the pages by pointing
// its own name at this machine.
func (s Server) ServeListener(ctx context.Context, l net.Listener, handler http.Handler) error {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return errors.Join(fmt.Errorf("web address %q is not host:port: %w", s.Addr, err), l.Close())
	}
	// Routes bound their bodies themselves, each by what it takes.
	srv := httpd.New(onlyHost(append([]string{host}, s.Hosts...), handler), httpd.Limits{Write: requestTimeout, BodyBytes: httpd.Unbounded, Connections: maxConnections}, s.log(), slog.LevelWarn)
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
	err = srv.Serve(l)
	close(done)
	if stopErr := <-stopped; stopErr != nil {
		return stopErr
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the web server ended: %w", err)
	}
	return nil
}

// onlyHost refuses requests that name another host than the loopback names and the configured ones.
func onlyHost(configured []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		known := func(h string) bool { return h != "" && strings.EqualFold(host, h) }
		if !strings.EqualFold(host, "localhost") && !slices.ContainsFunc(configured, known) && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this server does not answer for this host; see listen.web_hosts of its configuration", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
