package warehouse

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAudit(t *testing.T) {
	w := migrated(t)
	ctx := context.Background()
	at := time.Date(2026, 5, 1, 8, 0, 0, 123456000, time.UTC)
	if err := w.AppendAudit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.AppendAudit(ctx,
		AuditEntry{At: at, Actor: "li", Action: "export", Object: "o'\\\n1", Detail: `{"rows":3}`, Address: "192.0.2.1"},
		AuditEntry{Actor: "li", Action: "login"}, AuditEntry{Actor: "li", Action: "logout"}); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, w, "SELECT toJSONString(tuple(*)) FROM audit WHERE action = 'export'"); got != `["2026-05-01 08:00:00.123456","li","export","o'\\\n1","{\"rows\":3}","192.0.2.1"]` {
		t.Error(got)
	}
	// Entries of one call keep their order, and their time is that of the call.
	if got := one[[]string](t, w, "SELECT groupArray(action) FROM (SELECT action FROM audit WHERE at > now() - 60 ORDER BY at)"); strings.Join(got, " ") != "login logout" {
		t.Error(got)
	}
	if err := w.Conn().Exec(ctx, "DROP TABLE audit_log"); err != nil {
		t.Fatal(err)
	}
	if err := w.AppendAudit(ctx, AuditEntry{Actor: "li"}); err == nil || !strings.Contains(err.Error(), "cannot write the audit log") {
		t.Errorf("without a table: %v", err)
	}
}

// TestReadmeListsTheAudit: the view is for admins and so no public one, but it is described as those are.
func TestReadmeListsTheAudit(t *testing.T) {
	w := migrated(t)
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "### audit\n")
	if !ok {
		t.Fatalf("%s has no section audit", readme)
	}
	section, _, _ = strings.Cut(section, "\n### ")
	for _, c := range one[[]string](t, w, "SELECT groupArray(concat('| `', name, '` | ', type, ' | ', comment, ' |')) FROM system.columns WHERE database = currentDatabase() AND table = 'audit'") {
		if !strings.Contains(section, c) {
			t.Errorf("%s does not say\n%s", readme, c)
		}
	}
}
