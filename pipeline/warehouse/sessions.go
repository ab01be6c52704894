package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ClosedSessions gives the ids of closed sessions after an id, in order, at most limit of them. They started at from or
// later and before to; a zero time leaves that side open. Sessions without any time are given where both are open.
func (w *Warehouse) ClosedSessions(ctx context.Context, from, to time.Time, after string, limit int) ([]string, error) {
	where := "closed AND session_id > " + quote(after)
	if !from.IsZero() {
		where += fmt.Sprintf(" AND started_at >= fromUnixTimestamp64Milli(%d)", from.UnixMilli())
	}
	if !to.IsZero() {
		where += fmt.Sprintf(" AND started_at < fromUnixTimestamp64Milli(%d)", to.UnixMilli())
	}
	var out []string
	err := w.query(w.reading(ctx), fmt.Sprintf("SELECT session_id FROM active_analyses WHERE %s ORDER BY session_id LIMIT %d", where, limit), func(rows driver.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the sessions of the period: %w", err)
	}
	return out, nil
}

// CountClosedSessions says how many sessions ClosedSessions would give in all.
func (w *Warehouse) CountClosedSessions(ctx context.Context, from, to time.Time) (int, error) {
	where := "closed"
	if !from.IsZero() {
		where += fmt.Sprintf(" AND started_at >= fromUnixTimestamp64Milli(%d)", from.UnixMilli())
	}
	if !to.IsZero() {
		where += fmt.Sprintf(" AND started_at < fromUnixTimestamp64Milli(%d)", to.UnixMilli())
	}
	var n uint64
	err := w.query(w.reading(ctx), "SELECT count() FROM active_analyses WHERE "+where, func(rows driver.Rows) error { return rows.Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("cannot count the sessions of the period: %w", err)
	}
	return int(n), nil
}

// Decision is what reviewers decided on a hit: confirm, dismiss, appeal, uphold or overturn. Conflict says that the last
// decision had not seen the one before it: then nothing can be concluded yet.
type Decision struct {
	HitID    string
	Action   string
	Conflict bool
}

// Decisions gives what was decided on each reviewed hit of these sessions, by session; hits in order. It is the fold of
// their events that the views hits and rule_precision show.
func (w *Warehouse) Decisions(ctx context.Context, ids []string) (map[string][]Decision, error) {
	out := map[string][]Decision{}
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "SELECT session_id, hit_id, decision, conflict FROM review_hits WHERE session_id IN (" + list + ") AND decision != '' ORDER BY session_id, hit_id"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var id string
			var d Decision
			if err := rows.Scan(&id, &d.HitID, &d.Action, &d.Conflict); err != nil {
				return err
			}
			out[id] = append(out[id], d)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the decisions of reviewers: %w", err)
	}
	return out, nil
}
