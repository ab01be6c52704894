package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// conn is a pooled connection of the engine. Its database and settings, named
// by key, are set once when it is opened and never changed after, so nothing
// needs resetting.
type conn struct {
	*cconn
	tag string // finds its statements in system.processes
	key string
}

// session is what a request asks of its connection.
type session struct {
	database string
	settings map[string]string
}

func (s session) key() string {
	var b strings.Builder
	b.WriteString(s.database)
	for _, k := range s.names() {
		fmt.Fprintf(&b, "\x00%s\x00%s", k, s.settings[k])
	}
	return b.String()
}

// names are the settings in order, readonly last: after it none can be set.
func (s session) names() []string {
	names := make([]string, 0, len(s.settings))
	for k := range s.settings {
		if k != "readonly" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	if _, ok := s.settings["readonly"]; ok {
		names = append(names, "readonly")
	}
	return names
}

// maxWait bounds the wait for a connection, so that requests which hold one
// and wait for another end with an error instead of never.
const maxWait = 60 * time.Second

// pool hands out a bounded number of connections.
type pool struct {
	in    *instance
	slots chan struct{} // one per connection in use

	mu     sync.Mutex
	idle   []*conn // least recently used first
	serial int
	closed bool
}

func newPool(in *instance, n int) *pool {
	return &pool{in: in, slots: make(chan struct{}, n)}
}

// acquire returns a connection in the session's state, waiting for a free one.
func (p *pool) acquire(ctx context.Context, s session) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		t := time.NewTimer(maxWait)
		defer t.Stop()
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-t.C:
			return nil, exceptionf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "All %d connections of the engine have been busy for %s; close results that are read no further, or raise Conns", cap(p.slots), maxWait)
		}
	}
	c, err := p.take(s)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

func (p *pool) take(s session) (*conn, error) {
	key := s.key()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, context.Cause(p.in.ending)
	}
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].key == key {
			c := p.idle[i]
			p.idle = slices.Delete(p.idle, i, i+1)
			p.mu.Unlock()
			return c, nil
		}
	}
	p.serial++
	tag := fmt.Sprintf("tingke-conn-%d", p.serial)
	p.mu.Unlock()

	cc, err := p.in.e.lib.open(p.in.e.args(tag))
	if err != nil {
		return nil, err
	}
	c := &conn{cconn: cc, tag: tag, key: key}
	if err := c.setup(s); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) setup(s session) error {
	run := func(sql string) error {
		r := c.query(sql, "Null", &params{})
		defer r.destroy()
		return r.err()
	}
	if err := run("USE " + quoteName(s.database)); err != nil {
		return err
	}
	for _, k := range s.names() {
		if !settingName(k) {
			return exceptionf(codeUnknownSetting, "UNKNOWN_SETTING", "Unknown setting %q", k)
		}
		if err := run("SET " + k + " = " + quoteString(s.settings[k])); err != nil {
			return err
		}
	}
	return nil
}

// release gives a connection back; one that is not clean is closed, and any
// future request gets a fresh one.
func (p *pool) release(c *conn, clean bool) {
	p.mu.Lock()
	var drop *conn
	switch {
	case !clean || p.closed:
		drop = c
	default:
		p.idle = append(p.idle, c)
		if len(p.idle) > cap(p.slots) {
			drop = p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
		}
	}
	p.mu.Unlock()
	if drop != nil {
		drop.close()
	}
	<-p.slots
}

// close waits for all connections and closes them.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}

func settingName(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) && s[i] != '.' || s[i] == '$' {
			return false
		}
	}
	return s != ""
}

var stringQuoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)

func quoteString(s string) string { return "'" + stringQuoter.Replace(s) + "'" }

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`", "\x00", `\0`).Replace(s) + "`"
}
