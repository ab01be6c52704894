package engine

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestGuardReadsAsTheEngineDoes holds the guard against the engine's own
// parser: over texts put together from what lexers stumble over, nothing that
// the guard lets through is anything but one reading statement to the engine,
// and nothing that the bridge takes for one statement is several.
func TestGuardReadsAsTheEngineDoes(t *testing.T) {
	h := acquire(t, Options{})
	c, err := h.owner.engine.now.pool.acquire(context.Background(), session{database: Database})
	if err != nil {
		t.Fatal(err)
	}
	defer h.owner.engine.now.pool.release(c, true)

	pieces := []string{
		"SELECT", "SELECT 1", " 1", " 'a'", "'", "''", `\`, `\'`, "\"", "`", "``", "$$", "$a$", "$", "/*", "*/", "/* x */", "--", "//", "#", "# ", "#!", "\n", " ", "\t",
		"\u00a0", "\u3000", "\u200b", "\u2028", "\ufeff", "\x0b", "“", "”", "‘", "’", ";", "; DROP TABLE t", " INTO OUTFILE '/x'", " INTO", " OUTFILE", "/**/", " AS a", ",", "(", ")",
		" FROM", " FROM t", " FROM system", ".", "one", " system.one", " file('x')", " FROM file", "file", "('x')", " UNION ALL SELECT 2", " FORMAT JSON", " SETTINGS a = 1",
		"x'41'", "0x1", "1e", "1.", ".1", "1_0", "-", "+", "N", "b'1'", "INSERT INTO t VALUES (1)", "WITH 1 AS x", " PARALLEL WITH", " TRUNCATE t", "@", "@@a", "?", ":", "::", "->", "|", "||", "!", "!=", "~", "\\G", "é", "客", "\x00",
	}
	starts := []string{"SELECT 1", "SELECT ", "WITH 1 AS x SELECT x", "SELECT 'a'", "(SELECT 1", "SELECT /*", "SELECT `a`", "EXPLAIN SELECT 1", "DESCRIBE t", "SHOW TABLES", ""}
	rnd := rand.New(rand.NewPCG(1, 2))
	passed, one := 0, 0
	for range 10_000 {
		var b strings.Builder
		b.WriteString(starts[rnd.IntN(len(starts))])
		for range 1 + rnd.IntN(7) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		sql := b.String()
		class, n, err := c.analyse(sql)
		if err != nil {
			t.Fatal(err)
		}
		if CheckUserSQL(sql) == nil && class != classUnknown {
			passed++
			if class != classReadOnly || n != 1 {
				t.Errorf("%q passes the guard; to the engine it is %d statements of class %d", sql, n, class)
			}
		}
		if st, err := parseStatement(sql); err == nil && !st.insert && class != classUnknown {
			one++
			if n != 1 && !strings.Contains(sql, "PARALLEL WITH") {
				t.Errorf("%q passes as one statement; to the engine it is %d", sql, n)
			}
			if st.selects() && class == classControl {
				t.Errorf("%q writes a file and passes", sql)
			}
		}
	}
	if passed < 150 || one < 150 {
		t.Errorf("only %d texts passed the guard and %d the bridge: the test says little", passed, one)
	}
}

// TestGuardSeesTheEnginesNames: whatever spelling hides it, a table or function
// that the engine would read is seen.
func TestGuardSeesTheEnginesNames(t *testing.T) {
	h := acquire(t, Options{})
	rt := h.RoundTripper()
	rnd := rand.New(rand.NewPCG(3, 4))
	quote := func(s string) string {
		var b strings.Builder
		q := "`\""[rnd.IntN(2)]
		b.WriteByte(q)
		for i := range len(s) {
			if rnd.IntN(3) == 0 {
				b.WriteString(`\x` + string("0123456789abcdef"[s[i]>>4]) + string("0123456789ABCDEF"[s[i]&15]))
			} else {
				b.WriteByte(s[i])
			}
		}
		b.WriteByte(q)
		return b.String()
	}
	blank := func() string {
		return []string{"", " ", "\n", "/* ' */", "-- `\n", "\u00a0", "\u3000", "// \"\n", "#! x\n"}[rnd.IntN(9)]
	}
	name := func(s string) string {
		if rnd.IntN(2) == 0 {
			return s
		}
		return quote(s)
	}
	parsed := 0
	for range 3000 {
		var sql string
		if rnd.IntN(2) == 0 {
			sql = "SELECT * FROM " + blank() + name("system") + blank() + "." + blank() + name("processes")
		} else {
			sql = "SELECT * FROM " + blank() + name("file") + blank() + "(" + blank() + "'/etc/passwd')"
		}
		if rnd.IntN(2) == 0 {
			sql = "SELECT $$'$$, '\\'', `'`, " + "(" + sql + ")"
		}
		if CheckUserSQL(sql) != nil {
			continue
		}
		got := ask(t, rt, "SELECT isNotNull(formatQueryOrNull("+quoteString(sql)+"))")
		if got == "1" {
			t.Errorf("%q passes the guard", sql)
		}
		parsed++
	}
	if parsed > 0 {
		t.Logf("%d texts passed that the engine cannot parse", parsed)
	}
}
