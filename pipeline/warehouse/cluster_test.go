package warehouse

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// shardedBy are the tables that grow with the sessions, with what their shard follows from. A row that replaces another must
// meet it, so the key is a function of the sorting key.
var shardedBy = map[string]string{
	"transcripts": "session_id", "analyses": "session_id", "rating_rows": "session_id", "review_events": "session_id",
	"review_states": "session_id", "alert_rows": "alert_id", "order_rows": "order_id",
}

// nodeCopies are what pages read; each node would have its own.
var nodeCopies = []string{"session_facts", "opinion_facts", "turn_facts", "session_texts", "kpi_inputs", "kpi_facts", "fact_moves", "fact_bases"}

// TestClusterFileFollowsTheSchema: schemas/cluster.sql makes every table of the migrations with its columns, its key and its
// settings, once, and nothing else. The engine parses each statement and runs those for one node without the replication.
func TestClusterFileFollowsTheSchema(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	if w.Handle() == nil {
		t.Skip("makes databases of its own, on the embedded engine only")
	}
	b, err := os.ReadFile("../../schemas/cluster.sql")
	if err != nil {
		t.Fatal(err)
	}
	statements := splitStatements(string(b))
	for _, s := range statements {
		if err := w.Conn().Exec(ctx, "EXPLAIN AST "+s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}

	type table struct{ engine, sorting, columns string }
	read := func(database string) map[string]table {
		t.Helper()
		out := map[string]table{}
		err := w.query(ctx, "SELECT t.name, t.engine_full, t.sorting_key FROM system.tables AS t WHERE t.database = "+quote(database)+" AND t.engine LIKE '%MergeTree'", func(rows driver.Rows) error {
			var name string
			var x table
			if err := rows.Scan(&name, &x.engine, &x.sorting); err != nil {
				return err
			}
			out[name] = x
			return nil
		})
		if err == nil {
			err = w.query(ctx, "SELECT table, name || ' ' || type || ' ' || default_kind || ' ' || default_expression || ' ' || comment FROM system.columns WHERE database = "+quote(database)+" ORDER BY table, position", func(rows driver.Rows) error {
				var name, column string
				if err := rows.Scan(&name, &column); err != nil {
					return err
				}
				if x, ok := out[name]; ok {
					x.columns += column + "\n"
					out[name] = x
				}
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	mine := one[string](t, w, "SELECT currentDatabase()")
	tables := read(mine)
	engineParts := regexp.MustCompile(`^(\w+)(?:\((\w+)\))?(.*)$`)
	var want []string
	for name, x := range tables {
		m := engineParts.FindStringSubmatch(x.engine)
		rest := strings.NewReplacer(" SETTINGS index_granularity = 8192, ", " SETTINGS ", ", index_granularity = 8192", "", " SETTINGS index_granularity = 8192", "").Replace(m[3])
		replicated := func(path, replica string) string {
			args := "'/clickhouse/tables/" + path + "/tingke/" + name + "', '" + replica + "'"
			if m[2] != "" {
				args += ", " + m[2]
			}
			return "Replicated" + m[1] + "(" + args + ")" + rest
		}
		create := func(database, engine string) {
			want = append(want, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.%s ON CLUSTER '{cluster}' AS tingke_one.%s\nENGINE = %s", database, name, name, engine))
		}
		switch key := shardedBy[name]; {
		case key != "":
			if !slices.Contains(strings.Split(x.sorting, ", "), key) {
				t.Errorf("table %s: rows of one key (%s) may have several %s and so lie in several shards, where they never replace each other", name, x.sorting, key)
			}
			create("tingke_shard", replicated("{shard}", "{replica}"))
			create("tingke", fmt.Sprintf("Distributed('{cluster}', 'tingke_shard', '%s', cityHash64(%s))", name, key))
		case slices.Contains(nodeCopies, name):
			plain := m[1]
			if m[2] != "" {
				plain += "(" + m[2] + ")"
			}
			create("tingke", plain+rest)
		default:
			create("tingke", replicated("all", "{shard}-{replica}"))
		}
	}
	for _, s := range want {
		if n := len(slices.DeleteFunc(slices.Clone(statements), func(x string) bool { return x != s })); n != 1 {
			t.Errorf("schemas/cluster.sql has this %d times, want once:\n%s;", n, s)
		}
	}
	rest := regexp.MustCompile(`^(CREATE DATABASE IF NOT EXISTS tingke|INSERT INTO tingke\.(schema_migrations|settings|kpi_profile_rows) SELECT|CREATE SETTINGS PROFILE|GRANT ON CLUSTER)`)
	for _, s := range statements {
		if !slices.Contains(want, s) && !rest.MatchString(s) {
			t.Errorf("schemas/cluster.sql has a statement that no migration knows:\n%s;", s)
		}
	}

	// For one node: what is replicated without its Keeper, and no Distributed tables, which need a cluster.
	names := map[string]string{"tingke_one.": mine + "."}
	for _, database := range []string{"tingke_shard", "tingke"} {
		own := mine + "_" + database
		mustExec(t, w, "CREATE DATABASE "+own+" ENGINE = Atomic")
		t.Cleanup(func() { mustExec(t, w, "DROP DATABASE "+own+" SYNC") })
		names[database+"."] = own + "."
	}
	replica := regexp.MustCompile(`Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, (\w+))?\)`)
	for _, s := range statements {
		if !strings.HasPrefix(s, "CREATE TABLE") || strings.Contains(s, "Distributed(") {
			continue
		}
		s = strings.ReplaceAll(s, " ON CLUSTER '{cluster}'", "")
		s = replica.ReplaceAllString(s, "$1($2)")
		for from, to := range names {
			s = strings.ReplaceAll(s, " "+from, " "+to)
		}
		mustExec(t, w, s)
	}
	made := read(mine + "_tingke")
	maps.Copy(made, read(mine+"_tingke_shard"))
	for name, x := range tables {
		got := made[name]
		got.engine = strings.Replace(got.engine, "Tree()", "Tree", 1)
		if got.columns != x.columns || got.sorting != x.sorting || !sameSettings(got.engine, x.engine) {
			t.Errorf("table %s is\n%+v, want\n%+v", name, got, x)
		}
	}
}

// sameSettings compares engines without the order of their settings.
func sameSettings(a, b string) bool {
	parts := func(s string) string {
		engine, settings, _ := strings.Cut(s, " SETTINGS ")
		return engine + " " + strings.Join(sorted(strings.Split(settings, ", ")), ", ")
	}
	return parts(a) == parts(b)
}
