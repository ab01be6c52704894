package warehouse

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/schemas"
)

// grantsFile gives the statements of schemas/grants.sql.
func grantsFile(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../schemas/grants.sql")
	if err != nil {
		t.Fatal(err)
	}
	return splitStatements(string(b))
}

// grantsOf gives the objects of each role and privilege.
func grantsOf(t *testing.T, statements []string) map[string]map[string][]string {
	t.Helper()
	out := map[string]map[string][]string{}
	grant := regexp.MustCompile(`(?s)^GRANT\s+(.*?)\s+TO (\w+) WITH REPLACE OPTION$`)
	element := regexp.MustCompile(`([A-Z][A-Z ]*(?:, [A-Z][A-Z ]*)*) ON ([\w.*]+)`)
	for _, s := range statements {
		m := grant.FindStringSubmatch(s)
		if m == nil {
			if strings.HasPrefix(s, "GRANT") && !regexp.MustCompile(`^GRANT tingke_\w+ TO tingke_\w+$`).MatchString(s) {
				t.Errorf("%q: a role's privileges stand in one statement WITH REPLACE OPTION, so that what is taken out of the file is taken from the role", s)
			}
			continue
		}
		if out[m[2]] != nil {
			t.Errorf("role %s has two statements; the second replaces the first", m[2])
		}
		out[m[2]] = map[string][]string{}
		for _, e := range element.FindAllStringSubmatch(m[1], -1) {
			for _, privilege := range strings.Split(e[1], ", ") {
				out[m[2]][privilege] = append(out[m[2]][privilege], strings.TrimPrefix(e[2], "tingke."))
			}
		}
	}
	return out
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

// TestGrantsFollowTheSchema: each role of schemas/grants.sql has what the program does with the tables that there are, and
// nothing that is not public reaches people.
func TestGrantsFollowTheSchema(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	statements := grantsFile(t)
	grants := grantsOf(t, statements)

	var data []string
	for _, v := range PublicViews() {
		if v.Name != "reviews" { // who judged, by name
			data = append(data, v.Name)
		}
	}
	var board []string
	b, err := os.ReadFile("../../dashboards/grafana/boards/tingke.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?:FROM|JOIN) ([a-z_]+)`).FindAllStringSubmatch(string(b), -1) {
		board = append(board, m[1])
	}
	slices.Sort(board)
	board = slices.Compact(board)

	// What the sources write, delete from and truncate.
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sources = append(sources, "../../cmd/tingke/key.go")
	written := map[string]bool{}
	for _, f := range sources {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`INSERT INTO ([a-z_]+)|table: *"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			written[m[1]+m[2]] = true
		}
	}
	personal, err := w.personal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var ttl []string
	for _, e := range expiries {
		ttl = append(ttl, e.table)
	}
	without := func(set map[string]bool, names ...string) []string {
		set = maps.Clone(set)
		for _, n := range names {
			if !set[n] {
				t.Errorf("nothing writes %s", n)
			}
			delete(set, n)
		}
		return sortedKeys(set)
	}
	insideMigrations, emptied, dropped := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, m := range schemas.Migrations() {
		for _, s := range splitStatements(m.SQL) {
			if rest, ok := strings.CutPrefix(s, "INSERT INTO "); ok {
				insideMigrations[strings.Fields(rest)[0]] = true
			}
			if rest, ok := strings.CutPrefix(s, "TRUNCATE TABLE IF EXISTS "); ok {
				emptied[strings.Fields(rest)[0]] = true
			}
			if rest, ok := strings.CutPrefix(s, "DROP TABLE IF EXISTS "); ok {
				dropped[strings.Fields(rest)[0]] = true
			}
		}
	}

	f := func(role, privilege string, want ...string) {
		t.Helper()
		got := grants[role][privilege]
		if len(slices.Compact(sorted(got))) != len(got) {
			t.Errorf("%s: %s names something twice", role, privilege)
		}
		if !slices.Equal(sorted(got), sorted(want)) {
			t.Errorf("%s has %s on\n%v, want\n%v", role, privilege, sorted(got), sorted(want))
		}
		delete(grants[role], privilege)
	}
	f("tingke_data", "SELECT", data...)
	f("tingke_audit", "SELECT", "reviews", "audit")
	f("tingke_grafana", "SELECT", board...)
	f("tingke_views", "SELECT", "*")
	f("tingke_read", "SELECT", "*", "system.parts")
	f("tingke_write", "INSERT", without(written, "schema_migrations", "forgotten", "forgotten_sessions")...)
	f("tingke_write", "ALTER DELETE", "session_facts", "opinion_facts", "turn_facts", "session_texts", "kpi_inputs", "fact_moves")
	f("tingke_write", "CREATE TABLE", "schema_migrations", "schema_locks")
	for _, p := range []string{"CREATE TABLE", "CREATE VIEW", "DROP VIEW", "ALTER TABLE", "ALTER VIEW"} {
		f("tingke_migrate", p, "*")
	}
	f("tingke_migrate", "INSERT", append(without(insideMigrations, "settings"), "schema_migrations", "schema_locks", "settings")...)
	f("tingke_migrate", "TRUNCATE", sortedKeys(emptied)...)
	f("tingke_migrate", "DROP TABLE", sortedKeys(dropped)...)
	f("tingke_operate", "INSERT", "forgotten", "forgotten_sessions")
	f("tingke_operate", "ALTER DELETE", append(sortedKeys(personal), "alert_events", "dead_letter_rows", "saved_searches")...)
	f("tingke_operate", "ALTER UPDATE", "opinion_events", "audit_log")
	f("tingke_operate", "TRUNCATE", "session_facts", "opinion_facts", "turn_facts", "session_texts", "kpi_inputs", "fact_moves", "fact_bases")
	f("tingke_operate", "ALTER TTL", ttl...)
	for role, rest := range grants {
		if len(rest) > 0 {
			t.Errorf("%s has more than it should: %v", role, rest)
		}
	}

	// The views that people may read run as the definer, and no other.
	definer := regexp.MustCompile(`^ALTER TABLE tingke\.(\w+) MODIFY SQL SECURITY DEFINER DEFINER = tingke_views$`)
	var switched []string
	for _, s := range statements {
		if m := definer.FindStringSubmatch(s); m != nil {
			switched = append(switched, m[1])
		} else if strings.HasPrefix(s, "ALTER") {
			t.Errorf("%q is none of the statements that this test knows", s)
		}
	}
	if want := sorted(append(data, "reviews", "audit")); !slices.Equal(sorted(switched), want) {
		t.Errorf("views with a definer\n%v, want\n%v", sorted(switched), want)
	}
	for _, v := range board {
		if !slices.Contains(switched, v) {
			t.Errorf("the board reads %s, which has no definer", v)
		}
	}
}

// TestGrantsLimitPeople: the limits of people with a client of their own are those of people who ask through Tingke.
func TestGrantsLimitPeople(t *testing.T) {
	i := slices.IndexFunc(grantsFile(t), func(s string) bool { return strings.HasPrefix(s, "CREATE SETTINGS PROFILE") })
	profile := grantsFile(t)[i]
	for name := range engine.UserSettings() {
		if !regexp.MustCompile(`\b` + name + ` = `).MatchString(profile) {
			t.Errorf("the settings profile does not set %s", name)
		}
	}
	if !strings.HasSuffix(profile, "TO tingke_data, tingke_audit, tingke_grafana") {
		t.Error("the settings profile does not hold for everybody who may only read")
	}
}

// TestGrantsRunOnTheEngine: the engine parses each statement, and public views still answer once they have a definer.
func TestGrantsRunOnTheEngine(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	for _, s := range grantsFile(t) {
		if err := w.Conn().Exec(ctx, "EXPLAIN AST "+s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if strings.HasPrefix(s, "ALTER TABLE") {
			s = strings.ReplaceAll(strings.ReplaceAll(s, "tingke.", ""), "= tingke_views", "= CURRENT_USER")
			if err := w.Conn().Exec(ctx, s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
	}
	for _, v := range PublicViews() {
		if text := one[string](t, w, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = "+quote(v.Name)); !strings.Contains(text, "SQL SECURITY DEFINER") {
			t.Errorf("view %s has no definer: %.200s", v.Name, text)
		}
	}
	for _, from := range []string{"sessions", "hits", "agent_kpi(profile = 'generic', from = '2026-03-01', to = '2026-03-02', as_of = '2026-03-02')"} {
		one[uint64](t, w, "SELECT count() FROM "+from)
	}
}
