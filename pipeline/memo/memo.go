// Package memo remembers results of queries that name the moment they read.
package memo

import (
	"context"
	"sync"
	"time"
)

const (
	most = 64               // results that are remembered
	wait = 30 * time.Second // longest query
)

// Memo remembers results of queries that name the moment they read, so that a result holds as long as anybody asks about
// that moment: when anything is written, the next request asks about another one. Requests for the same result at the same
// time share one query. The zero value is ready; it is safe for concurrent use.
type Memo struct {
	mu    sync.Mutex
	known map[string]*entry
	order []string // the oldest first
}

type entry struct {
	done  chan struct{}
	value any
	err   error
}

// Remember gives the result of a key, which must name all that the result depends on; what it gives is shared and must not
// be changed. Errors are not kept, nor are results that keep, where it is given, refuses. The query goes on where the one
// who asked first has gone, for those who wait.
func Remember[T any](ctx context.Context, m *Memo, key string, keep func(T) bool, load func(context.Context) (T, error)) (T, error) {
	var none T
	m.mu.Lock()
	e := m.known[key]
	if e == nil {
		e = &entry{done: make(chan struct{})}
		if m.known == nil {
			m.known = map[string]*entry{}
		}
		m.known[key] = e
		if m.order = append(m.order, key); len(m.order) > most {
			delete(m.known, m.order[0])
			m.order = m.order[1:]
		}
		m.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
		defer cancel()
		e.value, e.err = load(ctx)
		close(e.done)
		if e.err != nil || keep != nil && !keep(e.value.(T)) {
			m.mu.Lock()
			if m.known[key] == e {
				delete(m.known, key)
			}
			m.mu.Unlock()
		}
		if e.err != nil {
			return none, e.err
		}
		return e.value.(T), nil
	}
	m.mu.Unlock()
	select {
	case <-e.done:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if e.err != nil {
		return none, e.err
	}
	return e.value.(T), nil
}
