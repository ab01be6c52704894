package api

import (
	"context"
	"sync"
)

// maxMemo bounds how many results are remembered.
const maxMemo = 64

// memo remembers results of queries that name the moment they read (facts), so that a result holds as long as anybody asks
// about that moment: when anything is written, the next request asks about another one. Requests for the same result at
// the same time share one query.
type memo struct {
	mu    sync.Mutex
	known map[string]*memoEntry
	order []string // the oldest first
}

type memoEntry struct {
	done  chan struct{}
	value any
	err   error
}

// remember gives the result of a key, which must name all that the result depends on; what it gives is shared and must not
// be changed. Errors are not kept. The query goes on where the one who asked first has gone, for those who wait.
func remember[T any](ctx context.Context, m *memo, key string, load func(context.Context) (T, error)) (T, error) {
	var none T
	m.mu.Lock()
	e := m.known[key]
	if e == nil {
		e = &memoEntry{done: make(chan struct{})}
		if m.known == nil {
			m.known = map[string]*memoEntry{}
		}
		m.known[key] = e
		if m.order = append(m.order, key); len(m.order) > maxMemo {
			delete(m.known, m.order[0])
			m.order = m.order[1:]
		}
		m.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
		defer cancel()
		e.value, e.err = load(ctx)
		close(e.done)
		if e.err != nil {
			m.mu.Lock()
			if m.known[key] == e {
				delete(m.known, key)
			}
			m.mu.Unlock()
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
