package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tingke/tingke/schemas"
)

// Tables that must be there before any migration.
const (
	createMigrationTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
    number     UInt32 COMMENT 'Number of the migration',
    name       String COMMENT 'File',
    checksum   String COMMENT 'SHA-256 of the file, hex',
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When it was applied'
) ENGINE = {{replicated}}ReplacingMergeTree(applied_at) ORDER BY number
COMMENT 'Migrations that were applied'`

	createLockTable = `CREATE TABLE IF NOT EXISTS schema_locks (
    holder String COMMENT 'One try of one process',
    state  UInt8 COMMENT '1 = held, 2 = given back; the greatest wins',
    at     DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When'
) ENGINE = {{replicated}}ReplacingMergeTree(state) ORDER BY holder
TTL toDateTime(at) + INTERVAL 1 DAY
COMMENT 'Who migrates now'`
)

// lockLease bounds how long a process that died while migrating keeps others out. A migration takes seconds; were one
// to take longer, two processes would run the same harmless statements.
const lockLease = time.Minute

// fsyncTables have the settings that {{fsync}} stands for.
var fsyncTables = []string{"transcripts", "analyses", "order_rows", "rating_rows", "dead_letter_rows", "lost_range_rows", "forgotten", "forgotten_sessions", "run_packs", "review_events"}

// Migrate brings the schema to this program's version and applies the configured timezone and fsync. It is safe to
// call at each start and from several processes at once. A migration whose file was changed after it was applied is
// an error; migrations of a newer program are left alone.
func (w *Warehouse) Migrate(ctx context.Context) error {
	return w.migrate(ctx, schemas.Migrations())
}

func (w *Warehouse) migrate(ctx context.Context, migrations []schemas.Migration) error {
	for _, sql := range []string{createMigrationTable, createLockTable} {
		if err := w.retryDDL(ctx, w.fill(sql, "", "")); err != nil {
			return fmt.Errorf("cannot prepare the migration of the schema: %w", err)
		}
	}
	plan, err := w.plan(ctx, migrations)
	if err != nil || plan.done() {
		return err
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if plan, err = w.plan(ctx, migrations); err != nil { // another process may have done it meanwhile
		return err
	}
	return w.apply(ctx, plan)
}

// plan is what is to be done.
type plan struct {
	missing []schemas.Migration // not applied
	again   []schemas.Migration // applied with another timezone
	refsync bool

	timezone, fsync string
	store           bool // the settings are not what is stored
}

func (p plan) done() bool { return len(p.missing) == 0 && len(p.again) == 0 && !p.refsync && !p.store }

func (w *Warehouse) plan(ctx context.Context, migrations []schemas.Migration) (plan, error) {
	applied := map[int]string{}
	rows, err := w.conn.Query(w.reading(ctx), "SELECT number, name, checksum FROM schema_migrations FINAL ORDER BY number")
	if err != nil {
		return plan{}, fmt.Errorf("cannot read which migrations were applied: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var number uint32
		var name, checksum string
		if err := rows.Scan(&number, &name, &checksum); err != nil {
			return plan{}, fmt.Errorf("cannot read which migrations were applied: %w", err)
		}
		applied[int(number)] = checksum
		i := slices.IndexFunc(migrations, func(m schemas.Migration) bool { return m.Number == int(number) })
		switch {
		case i < 0:
			w.log.Warn("the schema is newer than this program", "migration", name)
		case migrations[i].Checksum != checksum:
			return plan{}, fmt.Errorf("migration %s was changed after it was applied (applied %.12s, now %.12s): put the file back and add a new one; "+
				"where the data do not matter, start with an empty database or folder", migrations[i].Name, checksum, migrations[i].Checksum)
		}
	}
	if err := rows.Err(); err != nil {
		return plan{}, fmt.Errorf("cannot read which migrations were applied: %w", err)
	}

	stored := map[string]string{}
	if len(applied) > 0 {
		if stored, err = w.storedSettings(ctx); err != nil {
			return plan{}, err
		}
	}
	p := plan{timezone: w.cfg.Timezone, fsync: "1"}
	if p.timezone == "" {
		p.timezone = stored["timezone"]
	}
	if p.timezone == "" {
		p.timezone = DefaultTimezone
	}
	if w.cfg.NoFsync {
		p.fsync = "0"
	}
	p.store = stored["timezone"] != p.timezone || stored["fsync"] != p.fsync
	p.refsync = stored["fsync"] != "" && stored["fsync"] != p.fsync
	for _, m := range migrations {
		_, ok := applied[m.Number]
		switch {
		case !ok:
			p.missing = append(p.missing, m)
		case stored["timezone"] != p.timezone && (len(p.again) > 0 || strings.Contains(m.SQL, "{{timezone}}")):
			// All after the first: a later one may make a view of an earlier one anew.
			p.again = append(p.again, m)
		}
	}
	return p, nil
}

func (w *Warehouse) storedSettings(ctx context.Context) (map[string]string, error) {
	rows, err := w.conn.Query(w.reading(ctx), "SELECT name, value FROM settings FINAL")
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings of the warehouse: %w", err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("cannot read the settings of the warehouse: %w", err)
		}
		out[name] = value
	}
	return out, rows.Err()
}

func (w *Warehouse) apply(ctx context.Context, p plan) error {
	run := func(m schemas.Migration) error {
		for i, sql := range splitStatements(m.SQL) {
			if err := w.retryDDL(ctx, w.fill(sql, p.timezone, p.fsync)); err != nil {
				return fmt.Errorf("migration %s, statement %d (%.60q): %w", m.Name, i+1, sql, err)
			}
		}
		return nil
	}
	for _, m := range p.again {
		if err := run(m); err != nil {
			return err
		}
		w.log.Info("views made anew", "migration", m.Name, "timezone", p.timezone)
	}
	for _, m := range p.missing {
		if err := run(m); err != nil {
			return err
		}
		sql := fmt.Sprintf("INSERT INTO schema_migrations (number, name, checksum) VALUES (%d, %s, %s)", m.Number, quote(m.Name), quote(m.Checksum))
		if err := w.conn.Exec(w.writing(ctx), sql); err != nil {
			return fmt.Errorf("cannot record migration %s: %w", m.Name, err)
		}
		w.log.Info("migration applied", "migration", m.Name)
	}
	if p.refsync {
		for _, table := range fsyncTables {
			sql := "ALTER TABLE " + table + " MODIFY SETTING fsync_after_insert = " + p.fsync + ", fsync_part_directory = " + p.fsync
			if err := w.retryDDL(ctx, sql); err != nil {
				return fmt.Errorf("cannot change fsync of table %s: %w", table, err)
			}
		}
	}
	if p.store {
		sql := fmt.Sprintf("INSERT INTO settings (name, value) VALUES ('timezone', %s), ('fsync', %s)", quote(p.timezone), quote(p.fsync))
		if err := w.conn.Exec(w.writing(ctx), sql); err != nil {
			return fmt.Errorf("cannot store the settings of the warehouse: %w", err)
		}
	}
	return nil
}

func (w *Warehouse) fill(sql, timezone, fsync string) string {
	replicated := ""
	if w.cfg.Replicated {
		replicated = "Replicated"
	}
	return strings.NewReplacer("{{timezone}}", timezone, "{{fsync}}", fsync, "{{replicated}}", replicated).Replace(sql)
}

// retryDDL runs a statement that may meet another process doing the same.
func (w *Warehouse) retryDDL(ctx context.Context, sql string) error {
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		err := w.conn.Exec(ctx, sql)
		code := ErrorCode(err)
		// TABLE_ALREADY_EXISTS and UNKNOWN_TABLE come of two processes that replace one view.
		if err == nil || code != 57 && code != 60 && !IsTransient(err) || wait > 2*time.Second {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// lock waits until no other process migrates. A try is a row; it holds the lock when, after it was inserted, no other
// live row is there. Of two tries at least the later inserted one sees the other, so never both hold it; when both
// give way, chance decides who comes first the next time.
func (w *Warehouse) lock(ctx context.Context) (unlock func(), err error) {
	others := func(holder string) (n uint64, err error) {
		sql := fmt.Sprintf("SELECT count() FROM schema_locks FINAL WHERE state = 1 AND holder != %s AND at > now64(6) - INTERVAL %d SECOND", quote(holder), int(lockLease.Seconds()))
		err = w.conn.QueryRow(w.reading(ctx), sql).Scan(&n)
		return n, err
	}
	set := func(ctx context.Context, holder string, state int) error {
		return w.conn.Exec(w.writing(ctx), fmt.Sprintf("INSERT INTO schema_locks (holder, state) VALUES (%s, %d)", quote(holder), state))
	}
	deadline := time.Now().Add(2 * lockLease)
	for {
		n, err := others("")
		if err == nil && n == 0 {
			holder := uuid.NewString()
			if err = set(ctx, holder, 1); err == nil {
				n, err = others(holder)
			}
			release := func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				defer cancel()
				if err := set(ctx, holder, 2); err != nil {
					w.log.Warn("cannot give the schema lock back; it ends by itself", "after", lockLease, "error", err)
				}
			}
			if err == nil && n == 0 {
				return release, nil
			}
			release()
		}
		if err != nil && !IsTransient(err) {
			return nil, fmt.Errorf("cannot lock the schema: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot lock the schema: another process has been migrating it for %s", 2*lockLease)
		}
		if err := sleep(ctx, 20*time.Millisecond+time.Duration(rand.Int64N(int64(200*time.Millisecond)))); err != nil {
			return nil, fmt.Errorf("cannot lock the schema: %w", err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// splitStatements cuts a file at the semicolons outside quotes and comments, and drops the comments.
func splitStatements(sql string) []string {
	var out []string
	var b strings.Builder
	end := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			out = append(out, s)
		}
		b.Reset()
	}
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '-' && strings.HasPrefix(sql[i:], "--"):
			n := strings.IndexByte(sql[i:], '\n')
			if n < 0 {
				n = len(sql) - i
			}
			i += n - 1
		case c == '\'' || c == '`' || c == '"':
			j := i + 1
			for j < len(sql) && sql[j] != c {
				if sql[j] == '\\' {
					j++
				}
				j++
			}
			j = min(j, len(sql)-1)
			b.WriteString(sql[i : j+1])
			i = j
		case c == ';':
			end()
		default:
			b.WriteByte(c)
		}
	}
	end()
	return out
}
