package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckUserSQL(t *testing.T) {
	yes := func(sql string) {
		t.Helper()
		if err := CheckUserSQL(sql); err != nil {
			t.Errorf("%q is refused: %v", sql, err)
		}
	}
	yes("SELECT 1")
	yes("  -- agents\n SELECT count() FROM sessions WHERE text LIKE '%into outfile%';")
	yes("WITH 5 AS n SELECT * FROM turns LIMIT n")
	yes("(SELECT 1) UNION ALL (SELECT 2)")
	yes("SELECT format('{}', file), url, input FROM messages")
	yes("SELECT * FROM system.tables, system . `columns`")
	yes(`SELECT count() FROM "system"."parts"`)
	yes("SELECT name FROM system.functions")
	yes("DESCRIBE TABLE sessions")
	yes("SHOW CREATE VIEW agent_kpi")
	yes("SHOW FULL TABLES")
	yes("EXISTS TABLE sessions")
	yes("EXPLAIN indexes = 1 SELECT 1")
	yes("SELECT * FROM agent_kpi(profile = 'generic', from = '2026-01-01', to = '2026-01-31', as_of = today())")
	yes("SELECT number FROM numbers(10) WHERE number IN (1, 2)")
	yes("SELECT $$ INTO OUTFILE ; $$, '/* ', x'41'")
	yes("SELECT 'a' AS `总数/天`")
	yes("SELECT avg(score) AS format FROM sessions")
	yes("SELECT settings, format FROM t")

	no := func(sql, because string) {
		t.Helper()
		if err := CheckUserSQL(sql); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(because)) {
			t.Errorf("%q: error %v, want one with %q", sql, err, because)
		}
	}
	no("", "empty")
	no("-- nothing", "empty")
	no("SELECT 1; SELECT 2", "more than one statement")
	no("SELECT 1;;DROP TABLE sessions", "more than one statement")
	no("SELECT 1 PARALLEL WITH SELECT 2", "more than one statement")
	for _, sql := range []string{
		"INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE t (a Int8) ENGINE = Memory", "ALTER TABLE t DELETE WHERE 1",
		"SET readonly = 0", "USE system", "SYSTEM SHUTDOWN", "KILL QUERY WHERE 1", "GRANT ALL ON *.* TO x", "OPTIMIZE TABLE t", "BACKUP DATABASE x TO File('x')",
		"COPY t TO 'x'", "EXECUTE AS x SELECT 1", "ATTACH TABLE t", "RENAME TABLE a TO b", "TRUNCATE TABLE t", "WATCH v", "SHOW PROCESSLIST", "SHOW GRANTS",
		"SHOW CREATE DICTIONARY d", "DESCRIBE FILESYSTEM CACHE 'x'", "bla", "`SELECT` 1", "'SELECT'", ")", "(", "EXPLAIN",
	} {
		no(sql, "other than SELECT")
	}
	no("WITH 1 AS x INSERT INTO t SELECT x", "INSERT")
	no("EXPLAIN INSERT INTO t VALUES (1)", "EXPLAIN")

	for _, sql := range []string{
		"SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1 into outfile '/tmp/x'", "SELECT 1 InTo/**/OutFile'/tmp/x'", "SELECT 1 INTO\u00a0OUTFILE '/tmp/x'",
		"SELECT 1 INTO -- x\n OUTFILE '/tmp/x'", "SELECT 1 INTO // x\n OUTFILE '/tmp/x'", "SELECT 1 INTO\u3000\u200bOUTFILE '/tmp/x'", "SELECT 1 INTO\n#! x\nOUTFILE ‘/tmp/x’",
		"SELECT '\\'' INTO OUTFILE '/tmp/x'", "SELECT '''' INTO OUTFILE '/tmp/x'", "SELECT $a$ ' $a$ INTO OUTFILE '/tmp/x'", "SELECT `'` INTO OUTFILE '/tmp/x'",
		"SELECT ‘'’ INTO OUTFILE '/tmp/x'", "SELECT * FROM t FROM INFILE 'x'",
	} {
		no(sql, "file")
	}
	no("SELECT 1 /* /* */ ' */ INTO OUTFILE '/tmp/x' -- '", "comment inside a comment")

	for _, f := range []string{
		"file('/etc/passwd')", "FILE('/etc/passwd')", "File /**/ ('/etc/passwd')", "`file`('/etc/passwd')", `"f\x69le"('/etc/passwd')`, "url('http://127.0.0.1')",
		"executable('id', 'TSV', 'a String')", "s3('http://x')", "remote('h', system.one)", "remoteSecure('h', 'a.b')", "mysql('h', 'a', 'b', 'c', 'd')", "postgresql('h')",
		"hdfs('x')", "jdbc('x')", "odbc('x')", "sqlite('x', 'y')", "mongodb('x')", "redis('x')", "input('a String')", "merge('system', '.*')", "cluster('default', system.one)",
		"iceberg('x')", "deltaLake('x')", "azureBlobStorage('x')", "gcs('x')", "eval('SELECT 1')", "viewExplain('EXPLAIN', '', (SELECT 1))", "mergeTreeIndex('a', 'b')", "filesystem('/')",
	} {
		no("SELECT * FROM "+f, "function")
		no("SELECT 1 FROM (SELECT * FROM t JOIN "+f+" AS x ON 1)", "function")
	}
	no("SELECT file('/etc/passwd')", "function file")
	no("SELECT * APPLY(file) FROM (SELECT '/etc/passwd')", "function file")
	no("SELECT * APPLY file FROM (SELECT '/etc/passwd')", "function file")
	no("SELECT arrayMap(x -> file(x), ['/etc/passwd'])", "function file")
	no("SELECT reverseDNSQuery('x')", "function")

	for _, table := range []string{
		"system.processes", "system.query_log", "SYSTEM.users", "`system`.processes", `"system" . "processes"`, "system/**/./**/processes", "`sys\\x74em`.`processes`",
		"`system.processes`", "system.tables_x", "system.`tables `", "information_schema.tables", "INFORMATION_SCHEMA.columns", "system.one", "“system”.“processes”",
	} {
		no("SELECT * FROM "+table, "system")
		no("SELECT 1 WHERE 1 IN ("+table+")", "system")
	}
	no("SHOW TABLES FROM system", "system")
	no("SHOW CREATE TABLE system.users", "system")
	no("DESCRIBE system.processes", "system")
	no("SELECT * FROM {t:Identifier}", "parameter")
	no("SELECT * FROM '/etc/passwd'", "text in place")
	no("SELECT * FROM `/etc/passwd`", "path")

	no("SELECT 1 SETTINGS readonly = 0", "SETTINGS")
	no("SELECT 1 settings/**/max_memory_usage=0", "SETTINGS")
	no("SELECT * FROM (SELECT 1 SETTINGS readonly = 0)", "SETTINGS")
	no("SELECT 1 FORMAT JSON", "FORMAT")

	no("SELECT 'x", "without its closing")
	no("SELECT 1 /* x", "without")
	no("SELECT “x", "without")
	no("SELECT 1 \x00", "unexpected")
	no("SELECT é", "unexpected")
	no("SELECT 1,\n  'a' , file('x')", "line 2, column 9")
}

// TestGuardKnowsTheEnginesFunctions fails when an engine brings table
// functions that nobody has judged.
func TestGuardKnowsTheEnginesFunctions(t *testing.T) {
	h := acquire(t, Options{})
	harmless := wordSet(`numbers numbers_mt zeros zeros_mt primes generaterandom generateseries generate_series
		values sqlstandardvalues view null format dictionary`)
	b, err := simpleQuery(context.Background(), h.RoundTripper(), "SELECT lower(name) FROM system.table_functions")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(b)) {
		if !harmless[name] && !forbiddenFunctions[name] {
			t.Errorf("table function %s is neither forbidden nor known to be harmless", name)
		}
	}
}

// TestReadOnlyHoldsWithoutTheGuard: what people type goes through the guard
// first; these hold where something slips through it.
func TestReadOnlyHoldsWithoutTheGuard(t *testing.T) {
	h := acquire(t, Options{})
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.tsv")
	q := url.Values{}
	for k, v := range UserSettings() {
		q.Set(k, fmt.Sprint(v))
	}
	f := func(sql string, want int) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "http://x/?"+q.Encode(), strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		res, err := h.RoundTripper().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if (res.StatusCode == http.StatusOK && err == nil) != (want == 0) || want != 0 && !strings.Contains(string(body), fmt.Sprintf("Code: %d. DB::Exception: ", want)) {
			t.Errorf("%s: status %d, error %v, want code %d: %.200q", sql, res.StatusCode, err, want, body)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s: wrote a file", sql)
		}
	}
	f("SELECT count() FROM numbers(1000)", 0)
	f("SELECT count() FROM system.tables", 0)
	f("SHOW TABLES", 0)
	f("SELECT * FROM file('"+secret+"')", 164)
	f("SELECT * FROM '"+secret+"'", 60)
	f("SELECT * FROM default.`"+secret+"`", 164)
	f("SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'a String')", 164)
	f("SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv', 'CSV', 'a String')", 164)
	f("SELECT * FROM executable('id', 'TSV', 'a String')", 164)
	f("SELECT * FROM remote('127.0.0.1:1', system.one)", 164)
	f("SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", 164)
	f("SELECT * FROM sqlite('"+secret+"', 'x')", 164)
	f("SELECT 1 INTO OUTFILE '"+out+"'", 48)
	f("SELECT 1 into/**/outfile '"+out+"'", 48)
	f("SELECT 1 INTO\u00a0OUTFILE '"+out+"'", 48)
	f("INSERT INTO FUNCTION file('"+out+"') SELECT 1", 164)
	f("SELECT 1 SETTINGS readonly = 0", 164)
	f("SELECT 1 SETTINGS max_memory_usage = 0", 164)
	f("SET readonly = 0", 164)
	f("CREATE TABLE x (a Int8) ENGINE = Memory", 164)
	f("SELECT 1; DROP TABLE x", 62)
	f("SYSTEM DROP MARK CACHE", 164)
	f("SELECT number FROM numbers(2000000)", 396)
	f("SELECT groupArray(number) FROM numbers(100000000)", 241)
	f("SELECT count() FROM system.numbers", 158)
	f("KILL QUERY WHERE 1", 164)
}

func FuzzCheckUserSQL(f *testing.F) {
	for _, s := range []string{"SELECT 1", "SELECT '\\x41' /* */ -- \n", "$a$x$a$", "“”‘’", "SELECT `a`.\"b\" FROM system.tables", "0x1p-3 1e+5 a.1", "/* /* */ */", "INSERT INTO t FORMAT Native\n\x00\xff", "SELECT \\", "'\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		err := CheckUserSQL(sql)
		st, perr := parseStatement(sql)
		if err == nil && perr != nil {
			t.Errorf("%q passes the guard but cannot be read: %v", sql, perr)
		}
		if err == nil && (st.insert || st.sticky() && st.verb != "SELECT" && st.verb != "WITH" && st.verb != "FROM" && st.verb != "DESC" && st.verb != "DESCRIBE" && st.verb != "EXISTS" && st.verb != "SHOW" && st.verb != "EXPLAIN") {
			t.Errorf("%q passes the guard as %s", sql, st.verb)
		}
	})
}
