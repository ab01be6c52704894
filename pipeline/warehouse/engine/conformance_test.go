package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
)

// These tests say what the pipeline takes for granted of a ClickHouse. They
// run alike against the embedded engine and a server.

func TestTypesConformance(t *testing.T) {
	ctx := context.Background()
	at := time.Date(2026, 3, 1, 23, 59, 59, 123_000_000, time.UTC)
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	text := "我要投诉！\t'\"`\\ \x00 😀"
	long := strings.Repeat("很长的话 ", 3000)
	str := func(s string) *string { return &s }
	cases := []struct {
		typ    string
		values []any // as sent and as read
	}{
		{"String", []any{"", text, long, strings.Repeat("x", 127), strings.Repeat("x", 128)}},
		{"FixedString(3)", []any{"abc", "客"}},
		{"UInt8", []any{uint8(0), uint8(255)}},
		{"UInt16", []any{uint16(0), uint16(math.MaxUint16)}},
		{"UInt32", []any{uint32(0), uint32(math.MaxUint32)}},
		{"UInt64", []any{uint64(0), uint64(math.MaxUint64)}},
		{"Int8", []any{int8(-128), int8(127)}},
		{"Int16", []any{int16(math.MinInt16), int16(1)}},
		{"Int32", []any{int32(math.MinInt32), int32(1)}},
		{"Int64", []any{int64(math.MinInt64), int64(1)}},
		{"Float32", []any{float32(-1.5), float32(0)}},
		{"Float64", []any{math.Pi, math.Inf(1)}},
		{"Bool", []any{true, false}},
		{"Date", []any{day}},
		{"DateTime('UTC')", []any{at.Truncate(time.Second)}},
		{"DateTime64(3, 'UTC')", []any{at, at.Add(-time.Millisecond)}},
		{"Decimal(18, 2)", []any{decimal.RequireFromString("1999.99"), decimal.RequireFromString("-0.01")}},
		{"Decimal(38, 4)", []any{decimal.RequireFromString("12345678901234567890.1234")}},
		{"Enum8('open' = 1, 'closed, (really)' = 2)", []any{"open", "closed, (really)"}},
		{"Enum16('a' = -5, 'b' = 1000)", []any{"a", "b"}},
		{"LowCardinality(String)", []any{"jd", "taobao", "jd", ""}},
		{"LowCardinality(Nullable(String))", []any{str("jd"), (*string)(nil), str("")}},
		{"Nullable(String)", []any{str("x"), (*string)(nil), str("")}},
		{"Nullable(UInt64)", []any{(*uint64)(nil)}},
		{"Nullable(DateTime64(3, 'UTC'))", []any{&at, (*time.Time)(nil)}},
		{"Array(String)", []any{[]string{"a", text}, []string{}, []string{"b"}}},
		{"Array(UInt64)", []any{[]uint64{1, 2, 3}, []uint64{}}},
		{"Array(LowCardinality(String))", []any{[]string{}, []string{}, []string{}}},
		{"Array(LowCardinality(String)) ", []any{[]string{"a", "b", "a"}, []string{}}},
		{"Array(Nullable(String))", []any{[]*string{str("a"), nil}}},
		{"Array(Array(UInt8))", []any{[][]uint8{{1, 2}, {}, {3}}, [][]uint8{}}},
		{"Array(Array(String))", []any{[][]string{{"a"}, {"b", text}}}},
		{"Map(String, String)", []any{map[string]string{"渠道": "chat", "k": text}, map[string]string{}}},
		{"Map(LowCardinality(String), Array(UInt32))", []any{map[string][]uint32{"a": {1, 2}, "b": {}}}},
		{"Tuple(String, UInt64)", []any{[]any{"a", uint64(7)}}},
		{"Tuple(turn UInt32, start_s Decimal(9, 3), text LowCardinality(String))", []any{
			map[string]any{"turn": uint32(3), "start_s": decimal.RequireFromString("1.5"), "text": "好"}}},
		{"Array(Tuple(a String, b Array(Float32)))", []any{[]map[string]any{{"a": "x", "b": []float32{1, 2}}, {"a": "", "b": []float32{}}}}},
	}
	forEach(t, func(t *testing.T, b backend) {
		for i, c := range cases {
			table := fmt.Sprintf("t_types_%d", i)
			mustExec(t, b.db, "DROP TABLE IF EXISTS "+table,
				fmt.Sprintf("CREATE TABLE %s (id UInt32, v %s, after UInt8 DEFAULT 42) ENGINE = MergeTree ORDER BY id", table, c.typ))
			batch, err := b.db.PrepareBatch(ctx, "INSERT INTO "+table+" (id, v)")
			if err != nil {
				t.Fatalf("%s: %v", c.typ, err)
			}
			for j, v := range c.values {
				if err := batch.Append(uint32(j), v); err != nil {
					t.Fatalf("%s: %v", c.typ, err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatalf("%s: %v", c.typ, err)
			}
			rows, err := b.db.Query(ctx, "SELECT v, after FROM "+table+" ORDER BY id")
			if err != nil {
				t.Fatalf("%s: %v", c.typ, err)
			}
			n := 0
			for ; rows.Next(); n++ {
				got := reflect.New(reflect.TypeOf(c.values[n]))
				var after uint8
				if err := rows.Scan(got.Interface(), &after); err != nil {
					t.Fatalf("%s: %v", c.typ, err)
				}
				if g := got.Elem().Interface(); !same(g, c.values[n]) || after != 42 {
					t.Errorf("%s: got %#v, after %d, want %#v", c.typ, g, after, c.values[n])
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil || n != len(c.values) {
				t.Errorf("%s: %d rows, want %d, error %v", c.typ, n, len(c.values), err)
			}
			mustExec(t, b.db, "DROP TABLE "+table)
		}
	})
}

func same(a, b any) bool {
	if d, ok := a.(decimal.Decimal); ok {
		return d.Equal(b.(decimal.Decimal))
	}
	if m, ok := a.(map[string]any); ok {
		for k, v := range b.(map[string]any) {
			if !same(m[k], v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

func TestEmptyResultHasColumns(t *testing.T) {
	ctx := context.Background()
	forEach(t, func(t *testing.T, b backend) {
		mustExec(t, b.db, "DROP TABLE IF EXISTS t_empty", "CREATE TABLE t_empty (a String, b Array(LowCardinality(String))) ENGINE = MergeTree ORDER BY a")
		f := func(sql string, args []any, want string) {
			t.Helper()
			rows, err := b.db.Query(ctx, sql, args...)
			if err != nil {
				t.Errorf("%s: %v", sql, err)
				return
			}
			defer rows.Close()
			var types []string
			for _, c := range rows.ColumnTypes() {
				types = append(types, c.DatabaseTypeName())
			}
			if got := fmt.Sprint(rows.Columns(), types); got != want || rows.Next() || rows.Err() != nil {
				t.Errorf("%s: %s, error %v, want %s and no row", sql, got, rows.Err(), want)
			}
		}
		f("SELECT * FROM t_empty", nil, "[a b] [String Array(LowCardinality(String))]")
		f("SELECT * FROM t_empty -- the end", nil, "[a b] [String Array(LowCardinality(String))]")
		f("WITH 1 AS x SELECT a, x AS y FROM t_empty WHERE a = {v:String} SETTINGS max_threads = 1", []any{clickhouse.Named("v", "k")}, "[a y] [String UInt8]")
		f("SELECT 1 AS one FROM t_empty UNION ALL SELECT 2 FROM t_empty;", nil, "[one] [UInt8]")
		f("SHOW TABLES LIKE 'no such table'", nil, "[name] [String]")
		var n uint64
		if err := b.db.QueryRow(ctx, "SELECT length(a) FROM t_empty").Scan(&n); err == nil || !strings.Contains(err.Error(), "no rows") {
			t.Errorf("QueryRow of nothing: %v", err)
		}
		mustExec(t, b.db, "DROP TABLE t_empty")
	})
}

func TestParametersConformance(t *testing.T) {
	ctx := context.Background()
	forEach(t, func(t *testing.T, b backend) {
		f := func(typ string, in any, want string) {
			t.Helper()
			var got string
			err := b.db.QueryRow(ctx, "SELECT toString({v:"+typ+"})", clickhouse.Named("v", in)).Scan(&got)
			if err != nil || got != want {
				t.Errorf("%s %#v: got %q, want %q, error %v", typ, in, got, want, err)
			}
		}
		f("String", "我要'投诉' \\ \t \n\"", "我要'投诉' \\ \t \n\"")
		f("String", "", "")
		f("String", "'; DROP TABLE x", "'; DROP TABLE x")
		f("UInt64", uint64(math.MaxUint64), "18446744073709551615")
		f("Int32", -5, "-5")
		f("Array(String)", []string{"a", "b'c", "客\\"}, `['a','b\'c','客\\']`)
		f("Array(UInt64)", []uint64{1, 2}, "[1,2]")
		f("Date", "2026-03-01", "2026-03-01")
		f("DateTime64(3, 'UTC')", time.Date(2026, 3, 1, 1, 2, 3, 4e6, time.UTC), "2026-03-01 01:02:03.004")
		var got string
		if err := b.db.QueryRow(ctx, "SELECT concat(?, '|', $$?$$)", "x'y").Scan(&got); err == nil && !strings.HasPrefix(got, "x'y|") {
			t.Errorf("positional: %q", got)
		}
		err := b.db.QueryRow(ctx, "SELECT {missing:String}").Scan(&got)
		wantCode(t, err, 456)
	})
}

func wantCode(t *testing.T, err error, code int32) {
	t.Helper()
	var ex *clickhouse.Exception
	if !errors.As(err, &ex) || ex.Code != code {
		t.Errorf("error %v, want a ClickHouse exception with code %d", err, code)
	}
}

func TestErrorsConformance(t *testing.T) {
	ctx := context.Background()
	forEach(t, func(t *testing.T, b backend) {
		f := func(sql string, code int32) {
			t.Helper()
			_, err := b.db.Query(ctx, sql)
			wantCode(t, err, code)
			wantCode(t, b.db.Exec(ctx, sql), code)
		}
		f("SELECT * FROM no_such_table", 60)
		f("SELEC 1", 62)
		f("SELECT no_such_column", 47)
		f("SELECT * FROM no_such_db.t", 81)
		f("SELECT throwIf(1)", 395)
		f("CREATE TABLE bad (a NoSuchType) ENGINE = Memory", 50)
		f("INSERT INTO no_such_table VALUES (1)", 60)
		f("DROP TABLE no_such_table", 60)

		// An error after rows have been sent is not an early end.
		rows, err := b.db.Query(ctx, "SELECT number, throwIf(number = 500000) FROM numbers(1000000)")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n == 0 || n > 500000 {
			t.Errorf("%d rows before the error", n)
		}
		wantCode(t, rows.Err(), 395)
		rows.Close()
		if err := b.db.Ping(ctx); err != nil {
			t.Errorf("after the errors: %v", err)
		}
	})
}

func TestSettingsAreOfOneQuery(t *testing.T) {
	forEach(t, func(t *testing.T, b backend) {
		get := func(ctx context.Context) (threads, block string) {
			t.Helper()
			if err := b.db.QueryRow(ctx, "SELECT toString(getSetting('max_threads')), toString(getSetting('max_block_size'))").Scan(&threads, &block); err != nil {
				t.Fatal(err)
			}
			return threads, block
		}
		ctx := context.Background()
		threads, block := get(ctx)
		with := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 7, "max_block_size": 1234}))
		for range 20 {
			if x, y := get(with); x != "7" || y != "1234" {
				t.Fatalf("settings are %s, %s", x, y)
			}
			if x, y := get(ctx); x != threads || y != block {
				t.Fatalf("settings stay %s, %s", x, y)
			}
		}
		_, err := b.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1})), "SELECT 1")
		wantCode(t, err, 115)
		ro := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"readonly": 1, "max_result_rows": 10}))
		wantCode(t, b.db.Exec(ro, "CREATE TABLE t_ro (a UInt8) ENGINE = Memory"), 164)
		_, err = b.db.Query(ro, "SELECT 1 SETTINGS max_result_rows = 100")
		wantCode(t, err, 164)
		if err := b.db.Exec(ctx, "CREATE TABLE t_ro (a UInt8) ENGINE = Memory"); err != nil {
			t.Errorf("readonly stays: %v", err)
		}
		mustExec(t, b.db, "DROP TABLE t_ro")
	})
}

func TestBigResultAndCancel(t *testing.T) {
	forEach(t, func(t *testing.T, b backend) {
		ctx := context.Background()
		rows, err := b.db.Query(ctx, "SELECT number, repeat('客', 20) FROM numbers(1000000)")
		if err != nil {
			t.Fatal(err)
		}
		var n, last uint64
		var s string
		for ; rows.Next(); n++ {
			if err := rows.Scan(&last, &s); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || n != 1_000_000 || last != n-1 {
			t.Fatalf("%d rows to %d, error %v", n, last, err)
		}

		f := func(name, sql string) {
			t.Helper()
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(100*time.Millisecond, cancel)
			start := time.Now()
			rows, err := b.db.Query(ctx, sql)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error %v", name, err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s: ended only after %v", name, d)
			}
		}
		f("while it computes", "SELECT max(cityHash64(number)) FROM numbers(1000000000000)")
		f("while it streams", "SELECT number FROM system.numbers")
		deadline, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if err := b.db.Exec(deadline, "SELECT sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1 FORMAT Null"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline: %v", err)
		}
		if err := b.db.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestBatchInsertsConformance(t *testing.T) {
	forEach(t, func(t *testing.T, b backend) {
		ctx := context.Background()
		mustExec(t, b.db, "DROP TABLE IF EXISTS t_batch", "CREATE TABLE t_batch (id UInt64, text String, tags Array(LowCardinality(String)), m Map(String, String)) ENGINE = MergeTree ORDER BY id")
		const writers, each = 2, 100_000
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				batch, err := b.db.PrepareBatch(ctx, "INSERT INTO t_batch")
				if err != nil {
					t.Error(err)
					return
				}
				for i := range each {
					if err := batch.Append(uint64(w*each+i), "亲，您好，请问有什么可以帮您", []string{"a", "b"}, map[string]string{"k": "v"}); err != nil {
						t.Error(err)
						return
					}
				}
				if err := batch.Send(); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { // readers at the same time
				for range 20 {
					var n uint64
					if err := b.db.QueryRow(ctx, "SELECT count() FROM t_batch WHERE has(tags, 'b')").Scan(&n); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var n, sum uint64
		if err := b.db.QueryRow(ctx, "SELECT count(), sum(id) FROM t_batch").Scan(&n, &sum); err != nil || n != writers*each || sum != n*(n-1)/2 {
			t.Errorf("%d rows with sum %d, error %v", n, sum, err)
		}
		mustExec(t, b.db, "DROP TABLE t_batch")
	})
}

func TestSchemaConformance(t *testing.T) {
	forEach(t, func(t *testing.T, b backend) {
		ctx := context.Background()
		mustExec(t, b.db,
			"DROP DICTIONARY IF EXISTS d_teams", "DROP VIEW IF EXISTS v_param", "DROP TABLE IF EXISTS t_repl", "DROP TABLE IF EXISTS t_teams",
			"CREATE TABLE t_repl (session_id String COMMENT 'the session', version UInt64, is_deleted UInt8, text String, INDEX grams text TYPE text(tokenizer = ngrams(2)) GRANULARITY 1) ENGINE = ReplacingMergeTree(version, is_deleted) ORDER BY session_id SETTINGS index_granularity = 128 COMMENT 'sessions'",
			"INSERT INTO t_repl VALUES ('a', 1, 0, '旧'), ('b', 1, 0, '在')",
			"INSERT INTO t_repl VALUES ('a', 2, 0, '我要投诉'), ('b', 2, 1, '')",
			"INSERT INTO t_repl VALUES ('a', 1, 0, '更旧')",
			"CREATE VIEW v_param AS SELECT session_id, text FROM t_repl FINAL WHERE session_id >= {from:String} AND session_id <= {to:String}",
			"CREATE TABLE t_teams (agent_id String, valid_from Date, valid_to Date, team String) ENGINE = MergeTree ORDER BY agent_id",
			"INSERT INTO t_teams VALUES ('张三', '2026-01-01', '2026-02-01', '一组'), ('张三', '2026-02-02', '2026-12-31', '二组')",
			"CREATE DICTIONARY d_teams (agent_id String, valid_from Date, valid_to Date, team String) PRIMARY KEY agent_id SOURCE(CLICKHOUSE(TABLE 't_teams')) LAYOUT(COMPLEX_KEY_RANGE_HASHED()) RANGE(MIN valid_from MAX valid_to) LIFETIME(0)",
		)
		f := func(sql, want string, args ...any) {
			t.Helper()
			var got string
			if err := b.db.QueryRow(ctx, sql, args...).Scan(&got); err != nil || got != want {
				t.Errorf("%s: got %q, want %q, error %v", sql, got, want, err)
			}
		}
		f("SELECT arrayStringConcat(groupArray(text), ',') FROM t_repl FINAL", "我要投诉")
		f("SELECT text FROM v_param(from = 'a', to = 'z')", "我要投诉")
		f("SELECT text FROM v_param(from = {f:String}, to = {t:String})", "我要投诉", clickhouse.Named("f", "a"), clickhouse.Named("t", "z"))
		f("SELECT dictGet('d_teams', 'team', tuple('张三'), toDate('2026-03-01'))", "二组")
		f("SELECT comment FROM system.columns WHERE table = 't_repl' AND name = 'session_id' AND database = currentDatabase()", "the session")
		f("SELECT comment FROM system.tables WHERE name = 't_repl' AND database = currentDatabase()", "sessions")
		f("SELECT toString(count()) FROM t_repl FINAL WHERE text LIKE '%投诉%'", "1")
		mustExec(t, b.db, "ALTER TABLE t_repl ADD COLUMN extra LowCardinality(String) DEFAULT 'x' COMMENT 'added'", "OPTIMIZE TABLE t_repl FINAL")
		f("SELECT extra FROM t_repl LIMIT 1", "x")
		mustExec(t, b.db, "DROP DICTIONARY d_teams", "DROP VIEW v_param", "DROP TABLE t_repl", "DROP TABLE t_teams")
	})
}
