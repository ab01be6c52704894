package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/pipeline/failpoint"
)

// ForgottenSessions are the hashes of the sessions whose messages are no longer taken.
func (w *Warehouse) ForgottenSessions(ctx context.Context) (map[string]bool, error) {
	list, err := w.ids(ctx, "SELECT DISTINCT hash FROM forgotten_sessions")
	if err != nil {
		return nil, fmt.Errorf("cannot read which sessions are forgotten: %w", err)
	}
	out := make(map[string]bool, len(list))
	for _, h := range list {
		out[h] = true
	}
	return out, nil
}

// ForgetSessions notes sessions, by hash, whose messages are no longer to be taken.
func (w *Warehouse) ForgetSessions(ctx context.Context, at time.Time, hashes ...string) error {
	in := &inserter[string]{table: "forgotten_sessions", bytes: func(*string) int { return 128 }}
	in.add(
		scalar("hash", func(s *string) *string { return s }),
		scalar("at", func(*string) time.Time { return clampTime(at) }),
	)
	return insert(ctx, w, in, pointers(hashes))
}

// SessionsOfCustomers gives the sessions of which any row names one of the customers, in order.
func (w *Warehouse) SessionsOfCustomers(ctx context.Context, customers []string) ([]string, error) {
	list := quoteAll(customers)
	return w.ids(ctx, "SELECT DISTINCT session_id FROM (SELECT session_id FROM transcripts WHERE customer_id IN ("+list+") UNION ALL SELECT session_id FROM analyses WHERE customer_id IN ("+list+")) ORDER BY session_id")
}

// RecentSessions gives the sessions without a customer that were written since a time, in order.
func (w *Warehouse) RecentSessions(ctx context.Context, since time.Time) ([]string, error) {
	return w.ids(ctx, "SELECT DISTINCT session_id FROM transcripts WHERE customer_id = '' AND written_at >= "+millis(since)+" ORDER BY session_id")
}

// MentionTexts gives the distinct texts of mentions in all runs: of the sessions named, or of all others.
func (w *Warehouse) MentionTexts(ctx context.Context, sessions []string, others bool) ([]string, error) {
	if !others {
		seen := map[string]bool{}
		err := eachIDs(sessions, maxQueryIDs, func(list string) error {
			texts, err := w.ids(ctx, "SELECT DISTINCT text FROM (SELECT mention_text FROM analyses WHERE session_id IN ("+list+")) ARRAY JOIN mention_text AS text")
			for _, t := range texts {
				seen[t] = true
			}
			return err
		})
		return sortedKeys(seen), err
	}
	skip := map[string]bool{}
	for _, s := range sessions {
		skip[s] = true
	}
	seen := map[string]bool{}
	err := w.query(w.reading(ctx), "SELECT session_id, mention_text FROM analyses WHERE notEmpty(mention_text)", func(rows driver.Rows) error {
		var id string
		var texts []string
		if err := rows.Scan(&id, &texts); err != nil {
			return err
		}
		if !skip[id] {
			for _, t := range texts {
				seen[t] = true
			}
		}
		return nil
	})
	return sortedKeys(seen), err
}

// RemoveMembers takes texts out of what opinions were founded on, and the titles that the program made of opinions that
// have no others.
func (w *Warehouse) RemoveMembers(ctx context.Context, texts []string) error {
	for part := range slices.Chunk(texts, 500) {
		array := "[" + quoteAll(part) + "]"
		sql := "ALTER TABLE opinion_events UPDATE title = if(action IN ('found', 'title', 'split') AND empty(arrayFilter(m -> NOT has(" + array + ", m), members)), '', title), " +
			"members = arrayFilter(m -> NOT has(" + array + ", m), members) WHERE hasAny(members, " + array + ")"
		if err := w.mutate(ctx, sql); err != nil {
			return fmt.Errorf("cannot take texts out of the registry of opinions: %w", err)
		}
	}
	return nil
}

// eraseIDs is the number of sessions of one mutation, in whose text their ids stand.
const eraseIDs = 200

// EraseCounts are the rows that were removed or changed, by table.
type EraseCounts map[string]uint64

// Erase removes everything about sessions and customers (pseudonyms) from every table that has a column session_id or
// customer_id, whichever a later migration may bring, and from those that hold either inside a text. The files of the store
// are written anew without it before Erase returns. It may be repeated.
func (w *Warehouse) Erase(ctx context.Context, sessions, customers []string) (EraseCounts, error) {
	out := EraseCounts{}
	tables, err := w.personal(ctx)
	if err != nil {
		return nil, err
	}
	for len(sessions) > 0 || len(customers) > 0 {
		n := min(eraseIDs, len(sessions))
		if err := w.erase(ctx, tables, sessions[:n], customers, out); err != nil {
			return out, fmt.Errorf("cannot erase: %w", err)
		}
		sessions, customers = sessions[n:], nil
	}
	return out, nil
}

// personal gives the tables that say by a column of their own whom a row is about.
func (w *Warehouse) personal(ctx context.Context) (map[string][]string, error) {
	out := map[string][]string{}
	err := w.query(ctx, "SELECT c.table, c.name FROM system.columns AS c INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table "+
		"WHERE c.database = currentDatabase() AND t.engine LIKE '%MergeTree' AND c.name IN ('session_id', 'customer_id') ORDER BY 1, 2", func(rows driver.Rows) error {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		out[table] = append(out[table], column)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the tables: %w", err)
	}
	return out, nil
}

func (w *Warehouse) erase(ctx context.Context, tables map[string][]string, sessions, customers []string, out EraseCounts) error {
	in := func(column string, list []string) string {
		if len(list) == 0 {
			return "false"
		}
		return column + " IN (" + quoteAll(list) + ")"
	}
	where := func(columns []string) string {
		var parts []string
		for _, c := range columns {
			list := sessions
			if c == "customer_id" {
				list = customers
			}
			parts = append(parts, in(c, list))
		}
		return strings.Join(parts, " OR ")
	}
	do := func(table, where, sql string) error {
		failpoint.Hit(failpoint.EraseTable)
		var n uint64
		if err := w.conn.QueryRow(ctx, "SELECT count() FROM "+table+" WHERE "+where).Scan(&n); err != nil || n == 0 {
			return err
		}
		if err := w.mutate(ctx, "ALTER TABLE "+table+" "+sql+" WHERE "+where); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		out[table] += n
		return nil
	}
	// What is found by way of another table goes before that.
	alerts, err := w.ids(ctx, "SELECT alert_id FROM alert_rows WHERE "+where(tables["alert_rows"]))
	if err != nil {
		return err
	}
	if err := do("alert_events", in("alert_id", alerts), "DELETE"); err != nil {
		return err
	}
	var quoted []string // as values of JSON or SQL: a bare id may be a part of anything
	for _, id := range slices.Concat(sessions, customers) {
		quoted = append(quoted, `"`+id+`"`, `'`+id+`'`)
	}
	inside := func(column string) string {
		var parts []string
		for part := range slices.Chunk(quoted, 200) {
			parts = append(parts, "multiSearchAny("+column+", ["+quoteAll(part)+"])")
		}
		return strings.Join(parts, " OR ")
	}
	if err := do("dead_letter_rows", inside("raw_masked"), "DELETE"); err != nil {
		return err
	}
	if err := do("audit_log", in("object", slices.Concat(sessions, customers))+" OR "+inside("object")+" OR "+inside("detail"), "UPDATE object = '(forgotten)', detail = ''"); err != nil {
		return err
	}
	for _, c := range customers {
		if err := do("saved_searches", "position(query, "+quote(c)+") > 0", "DELETE"); err != nil {
			return err
		}
	}
	names := sortedKeys(tables)
	// Transcripts last: they say which sessions are a customer's, should this be cut short.
	slices.SortStableFunc(names, func(a, b string) int { return boolInt(a == "transcripts") - boolInt(b == "transcripts") })
	for _, table := range names {
		if err := do(table, where(tables[table]), "DELETE"); err != nil {
			return err
		}
	}
	return nil
}

// mutate runs an ALTER that rewrites parts, and waits for it on all replicas.
func (w *Warehouse) mutate(ctx context.Context, sql string) error {
	return w.conn.Exec(ctx, sql+" SETTINGS mutations_sync = 2")
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func quoteAll(list []string) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		appendQuoted(&b, v)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
