package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
)

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

var (
	admin   = Identity{User: "admin", Role: Admin}
	analyst = Identity{User: "analyst", Role: Analyst}
)

// hidden is what only an admin may read.
const hidden = "the reviewer said so"

// leaks are statements that read, or might read, what only an admin may. The first are plain, so that the test sees that
// the text can be read at all.
var leaks = []string{
	"SELECT * FROM audit_log",
	"SELECT * FROM audit",
	"SELECT * FROM reviews",
	"SELECT * FROM review_events",
	"select DETAIL from Audit_Log",
	"SELECT * FROM `audit_log`",
	"SELECT * FROM \"audit_log\"",
	"SELECT * FROM “audit_log”",
	"SELECT * FROM `\\x61udit_log`",
	"SELECT * FROM \"aud\\x69t_log\"",
	"SELECT * FROM audit_log AS sessions",
	"SELECT * FROM {db}.audit_log",
	"SELECT * FROM `{db}`.`audit_log`",
	"SELECT * FROM `{db}.audit_log`",
	"SELECT * FROM {db} . /* x */ audit_log",
	"SELECT * FROM {db}/**/./**/audit_log",
	"FROM audit_log SELECT *",
	"SELECT * FROM (SELECT * FROM audit_log)",
	"(SELECT detail FROM audit_log)",
	"WITH x AS (SELECT * FROM audit_log) SELECT * FROM x",
	"WITH (SELECT any(detail) FROM audit_log) AS x SELECT x",
	"SELECT (SELECT any(detail) FROM audit_log)",
	"SELECT detail FROM audit_log UNION ALL SELECT ''",
	"SELECT s.session_id, a.detail FROM sessions AS s RIGHT JOIN audit_log AS a ON a.object = s.session_id",
	"SELECT a.detail FROM numbers(1) AS n, audit_log AS a",
	"SELECT arrayJoin(groupArray(detail)) FROM audit_log",
	"SELECT 'x' IN (SELECT detail FROM audit_log)",
	"SELECT 'x' IN audit_log",
	"SELECT * FROM audit_log FINAL",
	"SELECT * FROM audit_log SAMPLE 1",
	"SELECT * FROM audit_log WHERE 1 -- reviews",
	"SELECT * FROM/*\n*/audit_log",
	"SELECT * FROM\u00a0audit_log",
	"SELECT * FROM merge(currentDatabase(), '^audit')",
	"SELECT * FROM merge('^aud' || 'it')",
	"SELECT * FROM remote('127.0.0.1', currentDatabase(), 'audit_log')",
	"SELECT * FROM cluster('default', {db}, audit_log)",
	"SELECT * FROM loop(audit_log)",
	"SELECT * FROM viewIfPermitted(SELECT * FROM audit_log ELSE null('x Int8'))",
	"SELECT * FROM view(SELECT * FROM audit_log)",
	"SELECT * FROM table('audit_log')",
	"SELECT * FROM identity('audit_log')",
	"SELECT * FROM mergeTreeIndex(currentDatabase(), 'audit_log')",
	"SELECT * FROM dictionary('audit_log')",
	"SELECT joinGet('audit_log', 'detail', 1)",
	"SELECT dictGet('audit_log', 'detail', 1)",
	"SELECT * FROM fuzzQuery('SELECT * FROM audit_log')",
	"SELECT * FROM eval('SELECT * FROM audit_log')",
	"SELECT * FROM {t:Identifier}",
	"SELECT * FROM system.query_log",
	"SELECT query FROM system.processes",
	"SELECT * FROM system.text_log",
	"SELECT * FROM information_schema.tables",
	"EXPLAIN SELECT * FROM audit_log",
	"EXPLAIN PLAN actions = 1 SELECT * FROM audit_log",
	"EXPLAIN SELECT (SELECT any(detail) FROM audit_log)",
	"EXPLAIN QUERY TREE SELECT (SELECT any(detail) FROM audit_log)",
	"DESCRIBE TABLE audit_log",
	"DESCRIBE (SELECT * FROM audit_log)",
	"SHOW CREATE TABLE audit_log",
	"SHOW CREATE VIEW reviews",
	"SHOW COLUMNS FROM audit_log",
	"EXISTS TABLE audit_log",
	"SELECT note FROM `reviews`",
	"SELECT r.note FROM hits AS h JOIN reviews AS r USING (session_id)",
}

// TestAnalystsSeeNoReviews runs every statement as an admin and looks whether it shows what only an admin may see: those
// must be refused to an analyst before they run. What is refused to everybody may be let through here.
func TestAnalystsSeeNoReviews(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := context.Background()
	if err := w.AppendAudit(ctx, warehouse.AuditEntry{Actor: "li", Action: ActionExport, Object: "s1", Detail: hidden}); err != nil {
		t.Fatal(err)
	}
	if err := w.Conn().Exec(ctx, "INSERT INTO review_events (session_id, event_id, actor, action, note) VALUES ('s1', '01', 'li', 'note', '"+hidden+"')"); err != nil {
		t.Fatal(err)
	}
	var db string
	if err := w.Conn().QueryRow(ctx, "SELECT currentDatabase()").Scan(&db); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, sql := range leaks {
		sql = strings.ReplaceAll(sql, "{db}", db)
		if err := MayQuery(admin, sql); err != nil {
			t.Errorf("an admin may not %s: %v", sql, err)
		}
		text, err := answer(ctx, w, sql)
		leaked := err == nil && strings.Contains(text, hidden)
		if leaked {
			shown++
		}
		refused := MayQuery(analyst, sql)
		if refused == nil && (leaked || err == nil) {
			t.Errorf("an analyst may %s", sql)
		}
		if refused != nil && !errors.Is(refused, ErrForbidden) {
			var ex *engine.Exception
			if !errors.As(refused, &ex) {
				t.Errorf("%s: %v", sql, refused)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d of the statements show anything: the test tries nothing", shown)
	}
	for _, sql := range []string{
		"SELECT * FROM sessions",
		"SELECT count() FROM turns WHERE text LIKE '%audit_log%' OR text ILIKE '%reviews%'",
		"SELECT decision, count() FROM hits GROUP BY decision",
		"WITH x AS (SELECT 1 AS a) SELECT a FROM x",
		"SELECT name FROM system.tables WHERE name LIKE '%opinion%'",
		"SELECT 1 AS reviewed, 2 AS auditor -- the audit of reviews",
		"SHOW TABLES",
		"DESCRIBE TABLE hits",
		"EXPLAIN SELECT * FROM sessions",
	} {
		if err := MayQuery(analyst, sql); err != nil {
			t.Errorf("an analyst may not %s: %v", sql, err)
		}
		text, err := answer(ctx, w, sql)
		if err != nil || strings.Contains(text, hidden) {
			t.Errorf("%s: %v %s", sql, err, text)
		}
	}
}

// answer is everything that a statement of a person gives.
func answer(ctx context.Context, w *warehouse.Warehouse, sql string) (string, error) {
	rows, err := w.UserQuery(ctx, sql, warehouse.Limits{})
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		v, err := rows.Values()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&out, v)
	}
	return out.String(), rows.Err()
}

func TestMayQuery(t *testing.T) {
	f := func(id Identity, want bool) {
		t.Helper()
		err := MayQuery(id, "SELECT 1")
		if (err == nil) != want || err != nil && !errors.Is(err, ErrForbidden) {
			t.Errorf("%+v: %v", id, err)
		}
	}
	f(admin, true)
	f(analyst, true)
	f(Identity{Role: Analyst, Teams: []string{"A"}}, false) // SQL sees all teams
	f(Identity{Role: Supervisor}, false)
	f(Identity{Role: Product}, false)
	f(Identity{Role: Agent, AgentID: "a"}, false)
	f(Identity{}, false)
	f(Identity{Role: "root"}, false)
}

// shows are the views that read what is hidden and show of it only what everybody may know, and the tables that hold
// nothing of it. A new one must be put here or get a name that AdminOnly knows.
var shows = []string{"hits", "sessions", "scorecards", "scorecard_items", "rule_days", "rule_precision",
	"session_fact_rows", "kpi_cells", "agent_kpi", "team_kpi", "shop_kpi", "channel_kpi"}

// TestEveryViewOfReviewsIsKnown looks for tables and views about reviews and audits that nobody has thought about.
func TestEveryViewOfReviewsIsKnown(t *testing.T) {
	w := warehousetest.Open(t)
	rows, err := w.Conn().Query(context.Background(), "SELECT name, as_select FROM system.tables WHERE database = currentDatabase()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	named := map[string]bool{}
	word := regexp.MustCompile(`\b(reviews|review_\w+|audit|audit_\w+)\b`)
	for rows.Next() {
		var name, sql string
		if err := rows.Scan(&name, &sql); err != nil {
			t.Fatal(err)
		}
		named[name] = true
		about := strings.Contains(name, "review") || strings.Contains(name, "audit") || word.MatchString(sql)
		if about && !AdminOnly(name) && !slices.Contains(shows, name) {
			t.Errorf("%s is about reviews or the audit log: may an analyst query it? Then add it to shows, else call it review_...\n%s", name, sql)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"reviews", "review_events", "audit", "audit_log"} {
		if !named[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestScopeInTheEngine: the condition finds what Allows allows, whatever teams and agents are called.
func TestScopeInTheEngine(t *testing.T) {
	w := warehousetest.Open(t)
	nasty := []string{"A", "", "a'b", `a\b`, "a\tb", "售后一组", `') OR 1=1 --`, `"`, "{x:String}", "a,b", "[A]", `\N`, "NULL"}
	for _, id := range []Identity{
		admin, analyst, {}, {Role: "root"}, {Role: Agent}, {Role: Agent, AgentID: "A", Sees: SeesOff},
		{Role: Supervisor, Teams: nasty[2:]}, {Role: Supervisor, Teams: nasty[:1]}, {Role: Product, Teams: []string{"A", `\N`}},
		{Role: Agent, AgentID: "A"}, {Role: Agent, AgentID: `') OR 1=1 --`}, {Role: Agent, AgentID: `a\b`}, {Role: Agent, AgentID: "a'b", Teams: nasty}, {Role: Agent, AgentID: "NULL"},
		{Role: Admin, Teams: []string{"A"}},
	} {
		s := id.Scope()
		where, args := s.Where("team", "agent_ids")
		for _, name := range nasty {
			b, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			literal := "'" + strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), "'", `\'`) + "'"
			var n uint64
			sql := "SELECT count() FROM (SELECT " + literal + " AS team, [" + literal + ", 'other'] AS agent_ids) WHERE " + where
			if err := w.Conn().QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
				t.Errorf("%+v, %s: %v", id, b, err)
				continue
			}
			if want := s.Allows(name, []string{name, "other"}); (n == 1) != want {
				t.Errorf("%+v, %s: found %d, allowed %v", id, b, n, want)
			}
		}
	}
}
