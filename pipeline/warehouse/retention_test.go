package warehouse

import (
	"context"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// TestRetention: rows older than the retention go, younger ones stay, and 0 keeps everything that is left.
func TestRetention(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	old, young := sample("old"), sample("young")
	now := time.Now().UTC().Truncate(time.Millisecond)
	old.StartedAt, old.EndedAt = now.AddDate(0, 0, -100), now.AddDate(0, 0, -100)
	young.StartedAt, young.EndedAt = now.AddDate(0, 0, -10), now.AddDate(0, 0, -10)
	write(t, w, old, young)
	if err := w.Write(ctx, Batch{
		Orders:  []schemas.Order{{OrderID: "o1", Status: "paid", UpdatedAt: now.AddDate(-2, 0, 0)}, {OrderID: "o2", Status: "paid", UpdatedAt: now}},
		Ratings: []schemas.Rating{{SessionID: "old", Score: 1, Max: 5, At: now.AddDate(0, 0, -99)}, {SessionID: "young", Score: 1, Max: 5, At: now}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.TurnFacts(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Facts(ctx); err != nil {
		t.Fatal(err)
	}
	for _, k := range []*factsKeeper{&w.texts, &w.inputs} {
		if _, err := w.upToDate(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	f := func(r Retention, sessions, orders, ratings uint64) {
		t.Helper()
		for range 2 { // the second time there is nothing to do
			if err := w.ApplyRetention(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		mustExec(t, w, "OPTIMIZE TABLE analyses FINAL", "OPTIMIZE TABLE order_rows FINAL", "OPTIMIZE TABLE rating_rows FINAL")
		for _, table := range []string{"turn_facts", "session_texts", "kpi_inputs", "session_facts", "opinion_facts"} {
			mustExec(t, w, "OPTIMIZE TABLE "+table+" FINAL")
			if n := one[uint64](t, w, "SELECT uniqExact(session_id) FROM "+table); n != sessions {
				t.Errorf("%+v leaves %d sessions in %s, want %d", r, n, table, sessions)
			}
		}
		if s, o, n := one[uint64](t, w, "SELECT count() FROM sessions"), one[uint64](t, w, "SELECT count() FROM orders"), one[uint64](t, w, "SELECT count() FROM ratings"); s != sessions || o != orders || n != ratings {
			t.Errorf("%+v leaves %d sessions, %d orders, %d ratings, want %d, %d, %d", r, s, o, n, sessions, orders, ratings)
		}
	}
	f(Retention{DeadLetters: 30}, 2, 2, 2)
	f(Retention{Sessions: 365, DeadLetters: 30}, 2, 2, 2)
	f(Retention{Sessions: 90, Orders: 3650, DeadLetters: 7, Audit: 10}, 1, 2, 1)
	f(Retention{Sessions: 90, Orders: 365, DeadLetters: 7}, 1, 1, 1)
	f(Retention{}, 1, 1, 1)
	if n := one[uint64](t, w, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('analyses', 'order_rows', 'dead_letter_rows', 'audit_log') AND create_table_query LIKE '% TTL %'"); n != 0 {
		t.Errorf("%d tables still have a TTL", n)
	}
}
