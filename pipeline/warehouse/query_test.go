package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

func TestUserQuery(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	write(t, w, sample("s1"))
	f := func(sql, want string) {
		t.Helper()
		rows, err := w.UserQuery(ctx, sql, Limits{})
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			return
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			b, err := json.Marshal(values)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			out = append(out, string(b))
		}
		if got := strings.Join(out, " "); rows.Err() != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", sql, got, rows.Err(), want)
		}
	}
	f("SELECT session_id, turns, score, flagged, started_at, day, agent_ids FROM sessions", `["s1",3,35,true,"2026-03-02T10:00:00Z","2026-03-02",["li","wang"]]`)
	f("SELECT emotion, count() FROM turns GROUP BY emotion ORDER BY emotion LIMIT 2", `["grateful",1] ["apologetic",1]`)
	f("SELECT coverage, attributes FROM sessions", `[[{"count":0,"what":"rule:response_time","why":"no_timestamps"},{"count":2,"what":"turns","why":"nul_bytes"}],{"invited":"true","vip":"1"}]`)
	f("SELECT 18446744073709551615, toDecimal64(1.50, 2), nan, 1/0, NULL, toUUID('00000000-0000-0000-0000-000000000001'), [NULL, 1]", `[18446744073709551615,"1.5",null,null,null,"00000000-0000-0000-0000-000000000001",[null,1]]`)
	f("SELECT number, if(number = 1, NULL, toString(number)), if(number = 1, NULL, toDate('2026-01-01') + number) FROM numbers(3)", `[0,"0","2026-01-01"] [1,null,null] [2,"2","2026-01-03"]`)
	f("SELECT toDateTime64('2026-01-01 00:00:00.5', 3, 'Asia/Shanghai'), toIPv4('10.0.0.1'), [toUInt8(1), 2], map('a', [1.5])", `["2026-01-01T00:00:00.5+08:00","10.0.0.1",[1,2],{"a":[1.5]}]`)
	f("SELECT 1 WHERE 0", "")
	f("SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'hits'", `["hits"]`)

	no := func(sql string, limits Limits, code int) {
		t.Helper()
		rows, err := w.UserQuery(ctx, sql, limits)
		if err == nil {
			for rows.Next() {
			}
			err = errors.Join(rows.Err(), rows.Close())
		}
		if ErrorCode(err) != code {
			t.Errorf("%s: error %v, want code %d", sql, err, code)
		}
	}
	no("INSERT INTO rating_rows (session_id) VALUES ('x')", Limits{}, 497)
	no("SELECT * FROM file('/etc/passwd', 'LineAsString')", Limits{}, 497)
	no("SELECT 1 INTO OUTFILE '/tmp/tingke_test_outfile'", Limits{}, 497)
	no("SELECT * FROM url('http://127.0.0.1:1/')", Limits{}, 497)
	no("SELECT * FROM system.settings", Limits{}, 497)
	no("SELECT 1; SELECT 2", Limits{}, 497)
	no("SELECT 1 SETTINGS max_execution_time = 0", Limits{}, 497)
	no("SELECT number FROM numbers(100)", Limits{Rows: 10}, 396)
	no("SELECT sum(sipHash64(number)) FROM numbers(900000000)", Limits{Time: time.Second}, 159)
	no("SELECT groupArray(number) FROM numbers(100000000)", Limits{Memory: 10 << 20}, 241)
	no("SELECT * FROM nothing", Limits{}, 60)

	var refused *engine.Exception
	if _, err := w.UserQuery(ctx, "DROP TABLE analyses", Limits{}); !errors.As(err, &refused) {
		t.Errorf("a refused statement gives %v", err)
	}
	if n := one[uint64](t, w, "SELECT count() FROM sessions"); n != 1 {
		t.Errorf("%d sessions are left", n)
	}
}
