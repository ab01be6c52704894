package warehouse

import (
	"context"
	"fmt"
	"time"
)

// AuditEntry is one line of the audit log.
type AuditEntry struct {
	At      time.Time // when; the zero time is now
	Actor   string    // who: a user, or the command that ran
	Action  string    // what was done
	Object  string    // to what
	Detail  string    // further facts, JSON, "" for none
	Address string    // of the client, "" for commands
}

// AppendAudit adds entries to the audit log in one insert. When it returns without an error the store has them all.
func (w *Warehouse) AppendAudit(ctx context.Context, entries ...AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	rows := make([]*AuditEntry, len(entries))
	for i := range entries {
		e := entries[i]
		if e.At.IsZero() {
			e.At = now.Add(time.Duration(i) * time.Microsecond)
		}
		rows[i] = &e
	}
	in := &inserter[AuditEntry]{table: "audit_log", bytes: func(e *AuditEntry) int { return 128 + len(e.Detail) + len(e.Object) }}
	in.add(
		scalar("at", func(e *AuditEntry) time.Time { return e.At }),
		scalar("actor", func(e *AuditEntry) *string { return &e.Actor }),
		scalar("action", func(e *AuditEntry) *string { return &e.Action }),
		scalar("object", func(e *AuditEntry) *string { return &e.Object }),
		scalar("detail", func(e *AuditEntry) *string { return &e.Detail }),
		scalar("address", func(e *AuditEntry) *string { return &e.Address }),
	)
	if err := insert(ctx, w, in, rows); err != nil {
		return fmt.Errorf("cannot write the audit log: %w", err)
	}
	return nil
}
