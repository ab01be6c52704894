package api

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

// TestCountsBesideSessionsAreThoseOfTheView: what stands beside the queue is what the views count, column by column.
func TestCountsBesideSessionsAreThoseOfTheView(t *testing.T) {
	f := newFixture(t)
	// Hits of every kind of outcome, severity and points, of one rule twice in a session, and of two rules; on some is decided.
	n := 0
	for _, outcome := range []string{"fail", "present"} {
		for _, severity := range []string{"info", "minor"} {
			for _, points := range []int{0, -5, 3} {
				sql := fmt.Sprintf(`INSERT INTO analyses SELECT * REPLACE ('kind-%d' AS session_id, ['2', '3', '4'] AS hit_id, ['rude', 'rude', 'praise'] AS hit_rule, ['1', '1', '1'] AS hit_rule_version, ['a1', 'a1', 'a1'] AS hit_agent,
					['%s', '%s', 'present'] AS hit_outcome, ['%s', '%s', 'info'] AS hit_severity, [%d, %d, 0] AS hit_points, ['x', 'x', 'x'] AS hit_reason, now64(3) AS written_at,
					[]::Array(UInt32) AS evidence_hit, []::Array(Int64) AS evidence_turn, []::Array(UInt32) AS evidence_start, []::Array(UInt32) AS evidence_end)
					FROM (SELECT * FROM analyses FINAL WHERE session_id = 'one-2')`, n, outcome, outcome, severity, severity, points, points)
				if err := f.w.Conn().Exec(context.Background(), sql); err != nil {
					t.Fatal(err)
				}
				for _, hit := range []string{"2", "3"}[:n%3] {
					if w := as(f.api, "admin", http.MethodPost, fmt.Sprintf("%s/sessions/kind-%d/review", Prefix, n), `{"action": "confirm", "hit_id": "`+hit+`"}`); w.Code != http.StatusOK {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
				}
				n++
			}
		}
	}
	const broken = "(outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical'))"
	for query, where := range map[string]string{"": "1", "?state=closed": "state = 'closed'", "?shop=nowhere": "0", "?rule=rude": "session_id IN (SELECT session_id FROM hits WHERE rule_id = 'rude' AND " + broken + ")",
		"?rule=praise": "session_id IN (SELECT session_id FROM hits WHERE rule_id = 'praise' AND " + broken + ")", "?rule=rude&decision=-": "session_id IN (SELECT session_id FROM hits WHERE rule_id = 'rude' AND decision = '' AND " + broken + ")"} {
		got := get[Counts](t, f.api, "admin", Prefix+"/sessions/counts"+query)
		var sessions, flagged, open uint64
		if err := f.w.Conn().QueryRow(context.Background(), "SELECT count(), countIf(flagged), countIf(state = 'open') FROM sessions WHERE "+where).Scan(&sessions, &flagged, &open); err != nil {
			t.Fatal(err)
		}
		if got.Sessions != sessions || got.Flagged != flagged || got.Open != open {
			t.Errorf("%q: %d sessions, %d flagged, %d open, want %d, %d, %d", query, got.Sessions, got.Flagged, got.Open, sessions, flagged, open)
		}
		within := " FROM hits WHERE " + broken + " AND session_id IN (SELECT session_id FROM sessions WHERE " + where + ")"
		var undecided uint64
		if err := f.w.Conn().QueryRow(context.Background(), "SELECT uniqExactIf(session_id, severity != 'info' AND decision = '')"+within).Scan(&undecided); err != nil {
			t.Fatal(err)
		}
		if got.Undecided != undecided || where == "1" && undecided == 0 {
			t.Errorf("%q: %d sessions wait for a decision, want %d", query, got.Undecided, undecided)
		}
		var rules []Count
		if err := f.w.Conn().Select(context.Background(), &rules, "SELECT toString(rule_id) AS value, uniqExact(session_id) AS sessions"+within+" GROUP BY value ORDER BY sessions DESC, value"); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.By["rule"]) != fmt.Sprint(rules) || where == "1" && len(rules) < 2 {
			t.Errorf("%q by rule: %v, want %v", query, got.By["rule"], rules)
		}
		for name, from := range map[string]string{
			"severity": "toString(severity)", "assignee": "assignee", "shop": "shop", "team": "team", "channel": "channel", "business": "business", "agent": "arrayJoin(agent_ids)",
		} {
			var want []Count
			if err := f.w.Conn().Select(context.Background(), &want, "SELECT "+from+" AS value, count() AS sessions FROM sessions WHERE "+where+" GROUP BY value ORDER BY sessions DESC, value LIMIT 50"); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got.By[name]) != fmt.Sprint(want) || where == "1" && len(want) == 0 {
				t.Errorf("%q by %s: %v, want %v", query, name, got.By[name], want)
			}
		}
	}
}

// TestBrokenRulesAreThoseOfTheView: the rules that agents broke, with the latest hits of each, are those of the view hits.
func TestBrokenRulesAreThoseOfTheView(t *testing.T) {
	f := newFixture(t)
	got := get[Page[BrokenRule]](t, f.api, "admin", Prefix+"/kpi/broken?from=2026-01-01&to=2026-12-31")
	if len(got.Items) == 0 {
		t.Fatal("no rule was broken")
	}
	for _, x := range got.Items {
		var hits, sessions uint64
		var latest []string
		if err := f.w.Conn().QueryRow(context.Background(), "SELECT count(), uniqExact(session_id), arraySlice(arrayMap(x -> x.3, arraySort(groupArray((-toInt32(assumeNotNull(day)), session_id, hit_id)))), 1, 3) FROM hits WHERE closed AND rule_id = '"+x.RuleID+
			"' AND (outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical')) AND day BETWEEN '2026-01-01' AND '2026-12-31'").Scan(&hits, &sessions, &latest); err != nil {
			t.Fatal(err)
		}
		var shown []string
		for _, h := range x.Latest {
			shown = append(shown, h.HitID)
			if h.Reason == "" && len(h.Seqs) == 0 {
				t.Errorf("%s: a hit without a reason: %+v", x.RuleID, h)
			}
		}
		if x.Hits != hits || x.Sessions != sessions || fmt.Sprint(shown) != fmt.Sprint(latest) {
			t.Errorf("%s: %d hits in %d sessions, latest %v, want %d, %d, %v", x.RuleID, x.Hits, x.Sessions, shown, hits, sessions, latest)
		}
	}
}
