package warehouse

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/schemas"
)

func TestMigrateIsIdempotent(t *testing.T) {
	ctx := context.Background()
	cfg := config(t)
	w := open(t, cfg)
	for range 3 {
		if err := w.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := one[uint64](t, w, "SELECT count() FROM schema_migrations"); int(n) != len(schemas.Migrations()) {
		t.Errorf("%d migrations are recorded, want %d", n, len(schemas.Migrations()))
	}
	// A crash between the statements of a file and its record makes them run again.
	mustExec(t, w, "TRUNCATE TABLE schema_migrations")
	if err := w.Write(ctx, Batch{Ratings: []schemas.Rating{{SessionID: "s", Score: 5, Max: 5}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if n := one[uint64](t, w, "SELECT count() FROM ratings"); n != 1 {
		t.Errorf("%d ratings after migrating again, want 1", n)
	}
}

// TestSessionsAreFoundByIndex: the views read one session through the filter of its id, or its granule of every part is read.
func TestSessionsAreFoundByIndex(t *testing.T) {
	w := open(t, config(t))
	if err := w.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustExec(t, w, "INSERT INTO analyses (session_id) VALUES ('a'), ('c')")
	for _, view := range []string{"sessions", "turns", "mentions", "hits", "rounds"} {
		plan := one[string](t, w, "SELECT arrayStringConcat(groupArray(explain), '\n') FROM (EXPLAIN indexes = 1 SELECT * FROM "+view+" WHERE session_id = 'b')")
		if !strings.Contains(plan, "Name: by_session") {
			t.Errorf("%s of a session does not use the index:\n%s", view, plan)
		}
	}
}

func TestEveryMigrationStatementIsRepeatable(t *testing.T) {
	replacing := map[string]bool{} // tables in which a row that is inserted again is one
	for _, m := range schemas.Migrations() {
		for _, sql := range splitStatements(m.SQL) {
			ok := false
			for _, prefix := range []string{"CREATE TABLE IF NOT EXISTS ", "CREATE OR REPLACE VIEW ", "DROP VIEW IF EXISTS "} {
				ok = ok || strings.HasPrefix(sql, prefix)
			}
			if name, ok := strings.CutPrefix(sql, "CREATE TABLE IF NOT EXISTS "); ok && strings.Contains(sql, "ReplacingMergeTree") {
				replacing[strings.Fields(name)[0]] = true
			}
			if name, into := strings.CutPrefix(sql, "INSERT INTO "); into {
				ok = replacing[strings.Fields(name)[0]]
			}
			for _, prefix := range []string{"TRUNCATE TABLE IF EXISTS ", "DROP TABLE IF EXISTS "} {
				if name, found := strings.CutPrefix(sql, prefix); found { // only what the program makes anew by itself
					ok = slices.Contains(nodeCopies, strings.Fields(name)[0])
				}
			}
			if strings.HasPrefix(sql, "ALTER TABLE ") {
				ok = strings.Contains(sql, "IF NOT EXISTS") || strings.Contains(sql, "MODIFY ") || strings.Contains(sql, "MATERIALIZE INDEX ") || strings.Contains(sql, "MATERIALIZE COLUMN ")
			}
			if !ok {
				t.Errorf("%s: %.80q may fail when it runs again", m.Name, sql)
			}
			// A copy for pages is replaced as a whole, a partition each, and no row of it replaces another.
			copied := strings.Contains(sql, "MergeTree PARTITION BY base ORDER BY") && !strings.Contains(sql, "ReplacingMergeTree")
			if strings.Contains(sql, "PARTITION BY") && !strings.Contains(sql, "OVER (PARTITION BY") && !copied || strings.Contains(sql, "MATERIALIZED VIEW") {
				t.Errorf("%s: %.80q: rows in different partitions never merge, and a materialised view counts replaced rows twice", m.Name, sql)
			}
		}
	}
}

func TestMigrateRefusesAChangedFile(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	changed := schemas.Migrations()
	changed[1].Checksum = strings.Repeat("0", 64)
	err := w.migrate(ctx, changed)
	if err == nil || !strings.Contains(err.Error(), changed[1].Name) || !strings.Contains(err.Error(), "was changed after it was applied") {
		t.Errorf("error %v, want one that names %s", err, changed[1].Name)
	}
	// A newer program's migration is none of ours.
	mustExec(t, w, "INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, '9999_future.sql', 'x')")
	if err := w.Migrate(ctx); err != nil {
		t.Errorf("an older program beside a newer schema: %v", err)
	}
}

const migrateChild = "TINGKE_TEST_MIGRATE_CHILD"

// migrateInChild migrates the database that stdin names, once it is told to go.
func migrateInChild(dir string) int {
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	ctx := context.Background()
	w, err := Open(ctx, Config{Dir: dir, Database: in.Text(), DSN: os.Getenv("TINGKE_TEST_DSN"), Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		defer w.Close()
		fmt.Println("ready")
		in.Scan()
		err = w.Migrate(ctx)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("done")
	return 0
}

func TestMigrateFromSeveralProcesses(t *testing.T) {
	cfg := config(t)
	w := open(t, cfg)
	const n = 5
	var children []*bufio.Scanner
	var starts []func()
	for range n {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), migrateChild+"="+cfg.Dir, "TINGKE_TEST_DSN="+cfg.DSN)
		if cfg.DSN != "" {
			cmd.Env = append(cmd.Env, migrateChild+"=server")
		}
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		fmt.Fprintln(in, cfg.Database)
		s := bufio.NewScanner(out)
		if s.Scan(); s.Text() != "ready" {
			t.Fatalf("the child process says %q", s.Text())
		}
		children = append(children, s)
		starts = append(starts, func() { fmt.Fprintln(in, "go") })
	}
	for _, start := range starts {
		start()
	}
	if err := w.Migrate(context.Background()); err != nil { // and this process too
		t.Error(err)
	}
	for _, s := range children {
		if s.Scan(); s.Text() != "done" {
			t.Errorf("a child process says %q", s.Text())
		}
	}
	// Who came second found everything applied: nothing ran twice.
	if n := one[uint64](t, w, "SELECT count() FROM schema_migrations"); int(n) != len(schemas.Migrations()) {
		t.Errorf("%d migrations are recorded, want %d", n, len(schemas.Migrations()))
	}
	if n := one[uint64](t, w, "SELECT count() FROM schema_locks FINAL WHERE state = 1"); n != 0 {
		t.Errorf("%d locks are still held", n)
	}
}

func TestEveryColumnHasAComment(t *testing.T) {
	w := migrated(t)
	columns := map[string][]string{}
	rows, err := w.Conn().Query(context.Background(), "SELECT table, name, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	internal := []string{"active_analyses", "active_sessions", "opinion_redirects", "session_heads", "session_fact_rows", "turn_fact_rows", "session_text_rows", "kpi_input_rows", "turn_marks", "mention_marks", "opinion_marks", "hit_marks", "review_folds"} // views of our own
	for rows.Next() {
		var table, name, comment string
		if err := rows.Scan(&table, &name, &comment); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], name)
		if comment == "" && !slices.Contains(internal, table) {
			t.Errorf("column %s.%s has no comment", table, name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, v := range PublicViews() {
		if v.Parameters != nil {
			continue
		}
		if got := columns[v.Name]; len(got) < len(v.Columns) || !slices.Equal(got[:len(v.Columns)], v.Columns) {
			t.Errorf("view %s has the columns %v, want first %v", v.Name, got, v.Columns)
		}
	}
}

func TestTimezone(t *testing.T) {
	ctx := context.Background()
	cfg := config(t)
	w := open(t, cfg)
	if err := w.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	mustExec(t, w, "INSERT INTO analyses (session_id, closed, started_at) VALUES ('s', true, '2026-03-01 18:30:00')")
	day := func(w *Warehouse, want string) {
		t.Helper()
		if got := one[string](t, w, "SELECT toString(day) FROM sessions"); got != want {
			t.Errorf("day %s, want %s", got, want)
		}
	}
	day(w, "2026-03-02") // 02:30 in Shanghai
	cfg.Timezone = "Europe/London"
	london := open(t, cfg)
	if err := london.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	day(london, "2026-03-01")
	fresh := config(t)
	fresh.Timezone = "Europe/London"
	born := open(t, fresh)
	if err := born.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	// Without the name of the database, which is what they differ in.
	views := "SELECT arrayStringConcat(arraySort(groupArray(replaceAll(create_table_query, currentDatabase(), ''))), char(10)) FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
	if one[string](t, london, views) != one[string](t, born, views) {
		t.Error("views that moved to another timezone are not those of a warehouse that was made with it")
	}
	cfg.Timezone = ""
	kept := open(t, cfg)
	if err := kept.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	day(kept, "2026-03-01")

	for _, bad := range []string{"Mars/Olympus", "x'); DROP TABLE analyses; --", "Local"} {
		cfg.Timezone = bad
		if _, err := Open(ctx, cfg); err == nil || !strings.Contains(err.Error(), "timezone") {
			t.Errorf("timezone %q: error %v", bad, err)
		}
	}
}

func TestFsyncFollowsTheConfiguration(t *testing.T) {
	ctx := context.Background()
	cfg := config(t)
	w := open(t, cfg)
	if err := w.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	off := func() uint64 {
		return one[uint64](t, w, "SELECT countIf(create_table_query LIKE '%fsync_after_insert = 0%') FROM system.tables WHERE database = currentDatabase()")
	}
	if n := one[uint64](t, w, "SELECT countIf(create_table_query LIKE '%fsync_after_insert = 1, fsync_part_directory = 1%') FROM system.tables WHERE database = currentDatabase()"); int(n) != len(fsyncTables) {
		t.Errorf("%d tables are written through to the disk, want %d", n, len(fsyncTables))
	}
	cfg.NoFsync = true
	if err := open(t, cfg).Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if n := off(); int(n) != len(fsyncTables) {
		t.Errorf("%d tables have fsync off, want %d", n, len(fsyncTables))
	}
}

func TestSplitStatements(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		if got := splitStatements(in); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("")
	f("-- only ; this\n")
	f("A;B", "A", "B")
	f("A -- x; y\n B;\n;C", "A \n B", "C")
	f("A 'x;-- \\'y' `a;b`; C", "A 'x;-- \\'y' `a;b`", "C")
	f("A 'it''s;'", "A 'it''s;'")
	f("A; -- end", "A")
}
