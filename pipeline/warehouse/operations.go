package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DeadLetters gives the newest dead letters, at most limit of them.
func (w *Warehouse) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	var out []DeadLetter
	sql := fmt.Sprintf("SELECT topic, partition, offset, error, raw_masked, sha256, at FROM dead_letters ORDER BY at DESC, topic, partition, offset LIMIT %d", limit)
	err := w.query(ctx, sql, func(rows driver.Rows) error {
		var d DeadLetter
		if err := rows.Scan(&d.Topic, &d.Partition, &d.Offset, &d.Error, &d.RawMasked, &d.SHA256, &d.At); err != nil {
			return err
		}
		d.At = d.At.UTC()
		out = append(out, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the dead letters: %w", err)
	}
	return out, nil
}

// UnacknowledgedLost gives the lost ranges that no operator has acknowledged; while there are any, the worker is not
// ready.
func (w *Warehouse) UnacknowledgedLost(ctx context.Context) ([]LostRange, error) {
	var out []LostRange
	err := w.query(ctx, "SELECT topic, topic_id, partition, offset_from, offset_to, at FROM lost_ranges WHERE NOT acknowledged ORDER BY topic, partition, offset_from, topic_id", func(rows driver.Rows) error {
		var l LostRange
		if err := rows.Scan(&l.Topic, &l.TopicID, &l.Partition, &l.From, &l.To, &l.At); err != nil {
			return err
		}
		l.At = l.At.UTC()
		out = append(out, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the lost ranges: %w", err)
	}
	return out, nil
}

// AcknowledgeLost marks all lost ranges of now as acknowledged and says how many there were. One that is reported
// again by a replay stays acknowledged.
func (w *Warehouse) AcknowledgeLost(ctx context.Context, by string) (int, error) {
	lost, err := w.UnacknowledgedLost(ctx)
	if err != nil || len(lost) == 0 {
		return 0, err
	}
	in := lostRangeInserter()
	for i, c := range in.columns {
		switch c.name {
		case "acknowledged":
			in.columns[i] = scalar(c.name, func(*LostRange) uint8 { return 1 })
		case "acknowledged_by":
			in.columns[i] = scalar(c.name, func(*LostRange) *string { return &by })
		}
	}
	if err := insert(ctx, w, in, pointers(lost)); err != nil {
		return 0, err
	}
	return len(lost), nil
}

// Forget notes customers, by pseudonym, whose messages are no longer to be taken.
func (w *Warehouse) Forget(ctx context.Context, at time.Time, pseudonyms ...string) error {
	in := &inserter[string]{table: "forgotten", bytes: func(*string) int { return 128 }}
	in.add(
		scalar("pseudonym", func(s *string) *string { return s }),
		scalar("at", func(*string) time.Time { return clampTime(at) }),
	)
	return insert(ctx, w, in, pointers(pseudonyms))
}

// Forgotten gives those of the pseudonyms that are forgotten, with the time of it; all of them for nil.
func (w *Warehouse) Forgotten(ctx context.Context, pseudonyms []string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	scan := func(rows driver.Rows) error {
		var p string
		var at time.Time
		if err := rows.Scan(&p, &at); err != nil {
			return err
		}
		out[p] = at.UTC()
		return nil
	}
	var err error
	if pseudonyms == nil {
		err = w.query(w.reading(ctx), "SELECT pseudonym, at FROM forgotten FINAL", scan)
	} else {
		err = eachIDs(pseudonyms, maxQueryIDs, func(list string) error {
			return w.query(w.reading(ctx), "SELECT pseudonym, at FROM forgotten FINAL WHERE pseudonym IN ("+list+")", scan)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read who is forgotten: %w", err)
	}
	return out, nil
}
