package warehouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/pipeline/memo"
)

// The cells of kpi_cells belong to one day each, and a day is worked out from the sessions, orders, ratings and reviews
// around it. So each day that is asked for is kept, until something that may matter for it has been written, and a while
// longer where it takes long to make (kpiDay.due).

// kpiKeeper knows which cells in kpi_facts count. The token of its channel is held by whoever makes cells or finds out
// what has changed.
type kpiKeeper struct {
	token chan struct{} // of one
	state factsState
	days  map[string]map[string]kpiDay // by profile and day
	memo  memo.Memo                    // figures of cells that count
}

type kpiDay struct {
	made  uint64
	at    time.Time
	took  time.Duration // to make them
	stale bool          // something has been written that may change them
}

// due says whether the cells have to be made anew. Where making them takes long, they may lag behind what is written: a
// store into which sessions flow all the time would else make them for each page that is opened.
func (d kpiDay) due(now time.Time) bool {
	age := now.Sub(d.at)
	return d.made == 0 || age > kpiKept || d.stale && (d.took < kpiQuick || age > min(kpiShare*d.took, kpiLagMax))
}

const (
	kpiKept   = 5 * 24 * time.Hour     // how long cells count; those in the table live longer
	kpiSmall  = 100_000                // sessions and their versions; with fewer nothing is ever behind
	kpiQuick  = 300 * time.Millisecond // what takes less neither
	kpiShare  = 20                     // at most one part in so many of the time goes into making cells of a day
	kpiLagMax = 10 * time.Minute
)

// kpiTables are what cells are worked out from. Of the first four it is known which days a change may touch.
var kpiTables = []string{"analyses", "order_rows", "rating_rows", "review_events", "agents", "run_switches", "settings", "kpi_profile_rows"}

const kpiColumnList = `agent_id, shop, channel, source, business, day, session_id, customer, rounds, answered, mean_ms, firsts, first_ms, units, units_30, units_180, units_300, ordered, is_fresh, is_bought,
	replies, questions, sessions, rated, satisfied, invited, quality, last, score, severe, hits, appealed, decided, won, order_id, orders, sales, net, pieces, priced, priced_pieces, aspect, team`

// kpiCounted is what kpi_rows reads of the cells: it counts customers and sessions, for which their hashes do.
var kpiCounted = strings.Replace(strings.Replace(kpiColumnList, "session_id, customer,", "session_key AS session_id, customer_key AS customer,", 1), ", order_id,", ",", 1)

// kpiSource makes the cells of days that are missing and gives what stands in place of the view kpi_cells. cells is the
// text of that view for the profile; days are in order.
func (w *Warehouse) kpiSource(ctx context.Context, profile, timezone, cells, columns string, days []string) (string, error) {
	k := &w.kpi
	select {
	case k.token <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-k.token }()
	now, err := w.tablesState(ctx, kpiTables)
	if err != nil {
		return "", err
	}
	if err := w.forgetKPIDays(ctx, timezone, now); err != nil {
		return "", err
	}
	k.state = now
	kept := k.days[profile]
	if kept == nil {
		kept = map[string]kpiDay{}
		k.days[profile] = kept
	}
	var missing []string
	for _, day := range days {
		if kept[day].due(now.at) {
			missing = append(missing, day)
		}
	}
	if len(missing) > 0 {
		cut, err := w.upToDate(ctx, &w.inputs)
		if err != nil {
			return "", err
		}
		if cells, err = kpiFromInputs(cells, cut.Live()); err != nil {
			return "", err
		}
		made := uint64(now.at.UnixMilli())<<16 | uint64(rand.Uint32()&0xffff)
		sql := strings.NewReplacer("{from:Date}", "toDate('"+missing[0]+"')", "{to:Date}", "toDate('"+missing[len(missing)-1]+"')").Replace(cells)
		sql = fmt.Sprintf("INSERT INTO kpi_facts (profile, made, %s) SELECT %s, %d, %s FROM (WITH %s) WHERE day IN ('%s')", kpiColumnList, quote(profile), made, kpiColumnList, sql, strings.Join(missing, "', '"))
		// What was begun is finished for the next who asks, also where this one has gone.
		making, cancel := context.WithTimeout(context.WithoutCancel(ctx), factsTimeout)
		began := time.Now()
		err = w.conn.Exec(making, sql)
		cancel()
		if err != nil {
			return "", fmt.Errorf("cannot work out figures of %s to %s: %w", missing[0], missing[len(missing)-1], err)
		}
		took := time.Since(began)
		if now.tables["analyses"].rows < kpiSmall {
			took = 0 // a busy machine, not a large store
		}
		for _, day := range missing {
			kept[day] = kpiDay{made: made, at: now.at, took: took}
		}
	}
	byMade := map[uint64][]string{}
	for _, day := range days {
		byMade[kept[day].made] = append(byMade[kept[day].made], day)
	}
	parts := []string{"0"} // of a period without days
	for made, days := range byMade {
		parts = append(parts, fmt.Sprintf("made = %d AND day IN ('%s')", made, strings.Join(days, "', '")))
	}
	slices.Sort(parts)
	return fmt.Sprintf("(SELECT %s FROM kpi_facts WHERE profile = %s AND day IN ('%s') AND (%s))", columns, quote(profile), strings.Join(days, "', '"), strings.Join(parts, " OR ")), nil
}

// forgetKPIDays marks the days that something written since the last look may change.
func (w *Warehouse) forgetKPIDays(ctx context.Context, timezone string, now factsState) error {
	k := &w.kpi
	all := k.days == nil
	changed := false
	for i, t := range kpiTables {
		was, is := k.state.tables[t], now.tables[t]
		all = all || is.mutated != was.mutated || is.block < was.block || i >= 4 && is.block != was.block
		changed = changed || is.block != was.block
	}
	if all {
		k.days = map[string]map[string]kpiDay{}
		return nil
	}
	if !changed {
		return nil
	}
	since := fmt.Sprintf("fromUnixTimestamp64Milli(%d)", k.state.at.Add(-factsOverlap).UnixMilli())
	sessions := fmt.Sprintf(`(SELECT session_id FROM analyses WHERE written_at >= %s UNION ALL SELECT session_id FROM rating_rows WHERE written_at >= %s UNION ALL SELECT session_id FROM review_events WHERE at >= %s)`, since, since, since)
	orders := "(SELECT order_id FROM order_rows WHERE written_at >= " + since + ")"
	// Cells of versions that are gone count too: what they said of a day is no longer so. An order matters for sessions that
	// began up to order_hours before it.
	var first *time.Time
	err := w.conn.QueryRow(w.reading(ctx), fmt.Sprintf(`SELECT min(d) FROM (
			SELECT toNullable(toDate32(min(kpi_since), '%[1]s')) AS d FROM analyses WHERE session_id IN %[2]s
			UNION ALL SELECT toNullable(toDate32(min(day))) FROM kpi_facts WHERE session_id IN %[2]s HAVING count() > 0
			UNION ALL SELECT toNullable(toDate32(min(day))) FROM kpi_facts WHERE order_id != '' AND order_id IN %[3]s HAVING count() > 0
			UNION ALL SELECT toDate32(min(least(ifNull(created_at, paid_at), ifNull(paid_at, created_at))), '%[1]s') - (SELECT toUInt32(max(order_hours) / 24) + 1 FROM kpi_profile_rows) FROM order_rows WHERE order_id IN %[3]s
		)`, timezone, sessions, orders)).Scan(&first)
	switch {
	case err != nil:
		return errors.Join(errors.New("cannot find out which figures have changed"), err)
	case first == nil:
		k.days = map[string]map[string]kpiDay{}
		return nil
	}
	from := first.AddDate(0, 0, -2).Format(time.DateOnly)
	for _, days := range k.days {
		for day, d := range days {
			if day >= from {
				d.stale = true
				days[day] = d
			}
		}
	}
	return nil
}

// tablesState says how tables stand.
func (w *Warehouse) tablesState(ctx context.Context, tables []string) (factsState, error) {
	s := factsState{tables: map[string]factsTable{}}
	err := w.query(w.listing(ctx), `SELECT table, toInt64(max(max_block_number)), toInt64(max(if(data_version > max_block_number, data_version, 0))), sum(rows), now64(3)
		FROM system.parts WHERE active AND database = currentDatabase() AND table IN ('`+strings.Join(tables, "', '")+"') GROUP BY table", func(rows driver.Rows) error {
		var name string
		var t factsTable
		if err := rows.Scan(&name, &t.block, &t.mutated, &t.rows, &s.at); err != nil {
			return err
		}
		s.tables[name] = t
		return nil
	})
	return s, err
}
