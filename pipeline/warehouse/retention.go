package warehouse

import (
	"context"
	"fmt"
)

// Retention says for how many days rows are kept; 0 keeps them for ever. ClickHouse removes older ones when it merges
// parts, so some stay a few hours longer.
type Retention struct {
	Sessions    int // conversations and what was found in them, in every run, with their ratings, reviews and alerts: days after the conversation
	Orders      int // days after the last message of the order
	DeadLetters int // days after they were put aside
	Audit       int // days after the entry
}

// expiries are the tables that a retention holds for and the time that it counts from.
var expiries = []struct {
	table, from string
	days        func(Retention) int
	unset       int // what the table has while nothing was ever applied
}{
	{"transcripts", "ifNull(ended_at, ifNull(end_at, ifNull(started_at, written_at)))", func(r Retention) int { return r.Sessions }, 0},
	{"analyses", "ifNull(ended_at, ifNull(started_at, written_at))", func(r Retention) int { return r.Sessions }, 0},
	// Copies, which do not notice what goes from the table that they copy.
	{"turn_facts", "kept_from", func(r Retention) int { return r.Sessions }, 0},
	{"session_texts", "kept_from", func(r Retention) int { return r.Sessions }, 0},
	{"kpi_inputs", "kept_from", func(r Retention) int { return r.Sessions }, 0},
	{"session_facts", "kept_from", func(r Retention) int { return r.Sessions }, 0},
	{"opinion_facts", "kept_from", func(r Retention) int { return r.Sessions }, 0},
	{"rating_rows", "ifNull(at, written_at)", func(r Retention) int { return r.Sessions }, 0},
	{"review_events", "at", func(r Retention) int { return r.Sessions }, 0},
	{"alert_rows", "at", func(r Retention) int { return r.Sessions }, 0},
	{"alert_events", "at", func(r Retention) int { return r.Sessions }, 0},
	{"order_rows", "updated_at", func(r Retention) int { return r.Orders }, 0},
	{"dead_letter_rows", "written_at", func(r Retention) int { return r.DeadLetters }, 30},
	{"audit_log", "at", func(r Retention) int { return r.Audit }, 0},
}

// ApplyRetention makes the tables keep their rows for so long. What a table has already is not set again; a change makes
// ClickHouse look through the table once, in the background.
func (w *Warehouse) ApplyRetention(ctx context.Context, r Retention) error {
	stored, err := w.storedSettings(ctx)
	if err != nil {
		return err
	}
	for _, e := range expiries {
		name, days := "retention "+e.table, e.days(r)
		was := e.unset
		if v, ok := stored[name]; ok {
			if _, err := fmt.Sscan(v, &was); err != nil {
				return fmt.Errorf("setting %q of the warehouse is %q, which is no number of days", name, v)
			}
		}
		if was == days {
			continue
		}
		sql := fmt.Sprintf("ALTER TABLE %s MODIFY TTL toDateTime(%s) + INTERVAL %d DAY", e.table, e.from, days)
		if days == 0 {
			sql = "ALTER TABLE " + e.table + " REMOVE TTL"
		}
		if err := w.retryDDL(ctx, sql); err != nil {
			return fmt.Errorf("cannot keep the rows of %s for %d days: %w", e.table, days, err)
		}
		if err := w.conn.Exec(w.writing(ctx), fmt.Sprintf("INSERT INTO settings (name, value) VALUES (%s, '%d')", quote(name), days)); err != nil {
			return fmt.Errorf("cannot store the retention of %s: %w", e.table, err)
		}
		w.log.Info("rows are kept for another time", "table", e.table, "days", days)
	}
	return nil
}
