// Package accesstest helps tests of what stands behind package access: identities of every role, and an audit log in
// memory. It is for tests only.
package accesstest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Identity is a user of the role: a supervisor of the teams given (all where none is), an agent with the id "a1" and the
// first team.
func Identity(role access.Role, teams ...string) access.Identity {
	id := access.Identity{User: string(role), Name: string(role), Role: role, Teams: teams, Sees: access.SeesOwn}
	if role == access.Agent {
		id.AgentID = "a1"
	}
	return id
}

// As serves next as the identity, with the audit log.
func As(id access.Identity, log *Log, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(Context(r.Context(), id, log)))
	})
}

// Context is ctx of a request by the identity.
func Context(ctx context.Context, id access.Identity, log *Log) context.Context {
	return access.WithAuditor(access.WithIdentity(ctx, id), log, "192.0.2.1")
}

// Log is an audit log in memory. It is safe for concurrent use; the zero value is ready.
type Log struct {
	mu      sync.Mutex
	entries []warehouse.AuditEntry
	down    bool
}

// AppendAudit keeps the entries.
func (l *Log) AppendAudit(_ context.Context, entries ...warehouse.AuditEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errors.New("cannot write the audit log: the store is down")
	}
	l.entries = append(l.entries, entries...)
	return nil
}

// Down makes the log refuse entries, as when the store is down.
func (l *Log) Down(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// Entries are those so far.
func (l *Log) Entries() []warehouse.AuditEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}
