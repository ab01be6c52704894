package access

import (
	"context"
	"sync"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// auditEvery is how far apart inserts into the audit log are at least: each makes a part of the table, and somebody who
// guesses passwords must not make more than the store can merge.
const auditEvery = 100 * time.Millisecond

// auditTimeout bounds one insert.
const auditTimeout = 10 * time.Second

// auditPiece is how many entries one insert takes at most.
const auditPiece = 1000

// AuditLog writes the entries of requests that run at once in one insert. Each caller waits until its entries are stored,
// so that what is audited is never done without a trace; a lone caller does not wait for others.
type AuditLog struct {
	store Auditor
	mu    sync.Mutex
	next  *auditBatch
	last  time.Time // of the latest insert
	busy  bool      // an insert runs, or waits for its time
}

type auditBatch struct {
	entries []warehouse.AuditEntry
	done    chan struct{}
	err     error
}

// NewAuditLog makes a log over a store; *warehouse.Warehouse is one.
func NewAuditLog(store Auditor) *AuditLog { return &AuditLog{store: store} }

// AppendAudit returns when the entries are stored, or with the reason why not. After ctx has ended they may be stored all
// the same.
func (l *AuditLog) AppendAudit(ctx context.Context, entries ...warehouse.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	l.mu.Lock()
	for l.next != nil && len(l.next.entries) >= auditPiece {
		full := l.next
		l.mu.Unlock()
		select {
		case <-full.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		l.mu.Lock()
	}
	if l.next == nil {
		l.next = &auditBatch{done: make(chan struct{})}
	}
	b := l.next
	for i, e := range entries {
		if e.At.IsZero() {
			e.At = now.Add(time.Duration(i) * time.Microsecond)
		}
		b.entries = append(b.entries, e)
	}
	lead := !l.busy
	l.busy = true
	l.mu.Unlock()
	if lead {
		go l.run(context.WithoutCancel(ctx))
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run inserts until nothing waits. It belongs to the callers that wait for it and ends with the last of them.
func (l *AuditLog) run(ctx context.Context) {
	for {
		l.mu.Lock()
		wait := time.Until(l.last.Add(auditEvery))
		l.mu.Unlock()
		time.Sleep(wait)
		l.mu.Lock()
		b := l.next
		l.next = nil
		if b == nil {
			l.busy = false
			l.mu.Unlock()
			return
		}
		l.last = time.Now()
		l.mu.Unlock()
		bound, cancel := context.WithTimeout(ctx, auditTimeout)
		b.err = l.store.AppendAudit(bound, b.entries...)
		cancel()
		close(b.done)
	}
}
