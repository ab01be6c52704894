package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// TestSessionIsThatOfTheViews: the page of a session reads one row instead of eight views, and says the same.
func TestSessionIsThatOfTheViews(t *testing.T) {
	f := newFixture(t)
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{
		"enable_named_columns_in_function_tuple": 1, "date_time_output_format": "iso", "output_format_json_quote_64bit_integers": 0, "output_format_json_quote_decimals": 1,
	}))
	rows := func(sql string, args ...any) []any {
		t.Helper()
		var lines []struct {
			Line string `ch:"line"`
		}
		if err := f.w.Conn().Select(ctx, &lines, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		out := []any{}
		for _, l := range lines {
			out = append(out, plain(t, []byte(l.Line)))
		}
		return out
	}
	var ids []string
	for _, id := range rows("SELECT toJSONString(session_id) AS line FROM sessions ORDER BY session_id") {
		ids = append(ids, id.(string))
	}
	// Something of everything that changes what is shown: decisions, an appeal, a merge.
	var hits []struct {
		Session string `ch:"session_id"`
		Hit     string `ch:"hit_id"`
	}
	if err := f.w.Conn().Select(ctx, &hits, "SELECT session_id, hit_id FROM hits WHERE closed ORDER BY session_id, hit_id"); err != nil {
		t.Fatal(err)
	}
	acts := []string{"dismiss", "confirm", "dismiss", "dismiss"}
	for i, h := range hits {
		if i%3 != 2 {
			w := as(f.api, "admin", http.MethodPost, Prefix+"/sessions/"+h.Session+"/review", `{"action":"`+acts[i%len(acts)]+`","hit_id":"`+h.Hit+`","note":"x"}`)
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %s", h.Session, w.Body)
			}
		}
	}
	for _, sql := range []string{
		"INSERT INTO opinion_events (event_id, action, opinion_id, title) SELECT concat(max(event_id), '1'), 'found', 'other', '另一个' FROM opinion_events",
		"INSERT INTO opinion_events (event_id, action, opinion_id, target_id) SELECT concat(max(event_id), '2'), 'merge', (SELECT any(opinion_id) FROM opinion_heads WHERE opinion_id != 'other'), 'other' FROM opinion_events",
	} {
		if err := f.w.Conn().Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for _, id := range ids {
		var d map[string]json.RawMessage
		body := as(f.api, "admin", http.MethodGet, Prefix+"/sessions/"+id, "").Body.Bytes()
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatalf("%s: %v in %s", id, err, body)
		}
		same := func(part, view, columns, order string) {
			t.Helper()
			want := rows("SELECT toJSONString(tuple("+columns+")) AS line FROM "+view+" WHERE session_id = {id:String} ORDER BY "+order, named("id", id))
			got, _ := plain(t, d[part]).([]any)
			for _, g := range got {
				for name := range g.(map[string]any) {
					if !strings.Contains(", "+columns+",", ", "+name+",") && !strings.Contains(columns, " AS "+name) {
						delete(g.(map[string]any), name) // what only the rules know
					}
				}
			}
			seen[part] += len(want)
			equal(t, id+" "+part, got, want)
		}
		same("turns", "turns", "seq, position, role, agent_id, at, start_ms, end_ms, text, emotion, polarity, auto, confidence, language", "position")
		same("mentions", "mentions", "mention_id, seq, text, start, end, kind, aspect, valuable, product, polarity, opinion_id, department", "seq, start, end")
		same("hits", "hits", "hit_id, rule_id, rule_version, agent_id, outcome, severity, points, reason, decision, state, conflict, final, appeal_until, item, evidence", rank+" DESC, points, rule_id, hit_id")
		same("outcomes", "outcomes", "rule_id, outcome", "rule_id")
		same("scorecard_items", "scorecard_items", "scorecard, item, points, max, outcome, human, final_points", "scorecard, item")
		same("scorecards", "scorecards", "scorecard, name, score, final_score, unscored", "scorecard")
		same("rounds", "rounds", "agent_id, seq, reply_seq, reply_ms, asked_at, replied_at", "seq")
		same("opinions", "(SELECT DISTINCT session_id, m.opinion_id AS opinion_id, title FROM mentions AS m INNER JOIN opinion_heads AS h ON h.opinion_id = m.opinion_id)", "opinion_id, title", "opinion_id")
		head := plain(t, d["session"])
		want := rows("SELECT toJSONString(tuple("+sessionColumns+`, ended_at, day, source, skill_group, rules_version, model_version, code_version, epoch, run_id, version, media_url, topic, partition, offset_min, offset_max,
			duration_ms, first_reply_ms, avg_reply_ms, max_reply_ms, rounds, unanswered, talk_share, silence_ms, overlap_ms, attributes)) AS line FROM sessions WHERE session_id = {id:String}`, named("id", id))
		equal(t, id+" session", []any{head}, want)
		if head.(map[string]any)["reviewed"] == true {
			seen["reviewed"]++
		}
	}
	for _, part := range []string{"turns", "mentions", "hits", "outcomes", "scorecard_items", "scorecards", "rounds", "opinions", "reviewed"} {
		if seen[part] == 0 {
			t.Errorf("no session has any %s: the test sees nothing", part)
		}
	}
}

// plain decodes JSON with times as they are printed in Go.
func plain(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		case string:
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return at.UTC().Format(time.RFC3339Nano)
			}
		}
		return v
	}
	return walk(v)
}

func equal(t *testing.T, what string, got, want []any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, the view has %d", what, len(got), len(want))
		return
	}
	for i := range want {
		g, _ := json.Marshal(got[i])
		w, _ := json.Marshal(want[i])
		if !bytes.Equal(g, w) {
			t.Errorf("%s, row %d:\n got  %s\n want %s", what, i, g, w)
		}
	}
}
