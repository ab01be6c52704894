// Package httpd makes HTTP servers whose every resource has a bound, so that neither a slow client nor many of them can hold a
// process. All listeners of the program are made with it; it imports nothing of ours.
package httpd

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits bound a server. Zero fields mean the defaults, Unbounded takes a limit away: then its user says why.
type Limits struct {
	Header      time.Duration // until the header of a request is there; default 5 s
	Read        time.Duration // until the whole request is read; default 15 s
	Write       time.Duration // from the end of the header until the answer is written; default 60 s
	Idle        time.Duration // between two requests of a connection; default 60 s
	HeaderBytes int           // default 32 KiB
	BodyBytes   int64         // default 64 KiB; more is an error of the reader of the body
	Connections int           // open at once, more wait to be accepted; default 256
}

// Unbounded takes Read, Write or BodyBytes away.
const Unbounded = -1

func (l Limits) withDefaults() Limits {
	def := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Header, 5*time.Second)
	def(&l.Read, 15*time.Second)
	def(&l.Write, time.Minute)
	def(&l.Idle, time.Minute)
	if l.HeaderBytes == 0 {
		l.HeaderBytes = 32 << 10
	}
	if l.BodyBytes == 0 {
		l.BodyBytes = 64 << 10
	}
	if l.Connections == 0 {
		l.Connections = 256
	}
	return l
}

// Server is an http.Server with limits; Serve accepts within them. ReadTimeout and WriteTimeout are 0 where Unbounded.
type Server struct {
	http.Server
	Limits Limits // in effect
}

// New makes a server. What net/http has to say of connections goes to log at level.
func New(handler http.Handler, limits Limits, log *slog.Logger, level slog.Level) *Server {
	limits = limits.withDefaults()
	if limits.BodyBytes > 0 {
		handler = http.MaxBytesHandler(handler, limits.BodyBytes)
	}
	return &Server{Limits: limits, Server: http.Server{
		Handler: handler, ReadHeaderTimeout: limits.Header, ReadTimeout: max(0, limits.Read), WriteTimeout: max(0, limits.Write),
		IdleTimeout: limits.Idle, MaxHeaderBytes: limits.HeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), level),
	}}
}

// Serve is that of http.Server with at most Limits.Connections open at once.
func (s *Server) Serve(l net.Listener) error {
	return s.Server.Serve(&bounded{Listener: l, slots: make(chan struct{}, s.Limits.Connections), closed: make(chan struct{})})
}

// bounded accepts a connection only while fewer than its slots are open.
type bounded struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *bounded) Accept() (net.Conn, error) {
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
	return &conn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *bounded) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type conn struct {
	net.Conn
	release func()
}

func (c *conn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
