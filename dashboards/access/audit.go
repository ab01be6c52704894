package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Actions of the audit log. Others may be written too; these are the ones that must be.
const (
	ActionLogin       = "login"
	ActionLoginFailed = "login_failed"
	ActionLogout      = "logout"
	ActionOpenSession = "open_session"
	ActionExport      = "export"
	ActionPublish     = "publish_rules"
	ActionUser        = "change_user"
	ActionQuery       = "sql"
)

// Auditor keeps the audit log. *warehouse.Warehouse is one.
type Auditor interface {
	// AppendAudit writes the entries, all or none as far as the store can, before it returns.
	AppendAudit(ctx context.Context, entries ...warehouse.AuditEntry) error
}

type auditorKey struct{}

type auditor struct {
	Auditor
	address string
}

// WithAuditor is ctx whose Audit writes to a; address is that of the client.
func WithAuditor(ctx context.Context, a Auditor, address string) context.Context {
	return context.WithValue(ctx, auditorKey{}, auditor{a, address})
}

// Audit writes that the identity of ctx did action to object; detail, if not nil, is kept as JSON. It returns when the
// store has the entry: what must be audited is refused when Audit fails, never done without a trace.
func Audit(ctx context.Context, action, object string, detail any) error {
	return AuditEach(ctx, action, []string{object}, detail)
}

// AuditEach is Audit of several objects in one insert.
func AuditEach(ctx context.Context, action string, objects []string, detail any) error {
	a, ok := ctx.Value(auditorKey{}).(auditor)
	if !ok || a.Auditor == nil {
		return errors.New("there is no audit log to write to")
	}
	var text string
	if detail != nil {
		b, err := json.Marshal(detail)
		if err != nil {
			return fmt.Errorf("cannot write the audit log: %w", err)
		}
		text = string(b)
	}
	id, _ := FromContext(ctx)
	entries := make([]warehouse.AuditEntry, len(objects))
	for i, o := range objects {
		entries[i] = warehouse.AuditEntry{Actor: id.User, Action: action, Object: o, Detail: text, Address: a.address}
	}
	return a.AppendAudit(ctx, entries...)
}
