package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Switch makes a run the active one for sessions that start in [From, To].
type Switch struct {
	RunID uint64 // 0 = back to live
	From  time.Time
	To    time.Time
	Actor string
}

// Switches are the switches so far, the latest first.
type Switches []Switch

// Run gives the active run of a session, by the same rule as the views: that of the latest switch that covers its
// start, else 0. A session without any time is in run 0.
func (s Switches) Run(startedAt time.Time) uint64 {
	if startedAt.IsZero() {
		return 0
	}
	for i := range s {
		if !startedAt.Before(s[i].From) && !startedAt.After(s[i].To) {
			return s[i].RunID
		}
	}
	return 0
}

// Switches gives the switches so far.
func (w *Warehouse) Switches(ctx context.Context) (Switches, error) {
	var out Switches
	err := w.query(w.reading(ctx), "SELECT run_id, `from`, `to`, actor FROM run_switches ORDER BY at DESC, run_id DESC", func(rows driver.Rows) error {
		var s Switch
		if err := rows.Scan(&s.RunID, &s.From, &s.To, &s.Actor); err != nil {
			return err
		}
		s.From, s.To = s.From.UTC(), s.To.UTC()
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read which runs are active: %w", err)
	}
	return out, nil
}

// SwitchRun adds a switch; the views show it at once.
func (w *Warehouse) SwitchRun(ctx context.Context, s Switch) error {
	in := &inserter[Switch]{table: "run_switches", bytes: func(*Switch) int { return 128 }}
	at := time.Now()
	in.add(
		scalar("at", func(*Switch) time.Time { return at }),
		scalar("run_id", func(s *Switch) *uint64 { return &s.RunID }),
		scalar("from", func(s *Switch) time.Time { return clampTime(s.From) }),
		scalar("to", func(s *Switch) time.Time { return clampTime(s.To) }),
		scalar("actor", func(s *Switch) *string { return &s.Actor }),
	)
	return insert(ctx, w, in, []*Switch{&s})
}
