package api

import (
	"context"
	"fmt"
	"testing"
)

// TestCountsBesideSessionsAreThoseOfTheView: what stands beside the queue is what the views count, column by column.
func TestCountsBesideSessionsAreThoseOfTheView(t *testing.T) {
	f := newFixture(t)
	for query, where := range map[string]string{"": "1", "?state=closed": "state = 'closed'", "?shop=nowhere": "0"} {
		got := get[Counts](t, f.api, "admin", Prefix+"/sessions/counts"+query)
		var sessions, flagged, open uint64
		if err := f.w.Conn().QueryRow(context.Background(), "SELECT count(), countIf(flagged), countIf(state = 'open') FROM sessions WHERE "+where).Scan(&sessions, &flagged, &open); err != nil {
			t.Fatal(err)
		}
		if got.Sessions != sessions || got.Flagged != flagged || got.Open != open {
			t.Errorf("%q: %d sessions, %d flagged, %d open, want %d, %d, %d", query, got.Sessions, got.Flagged, got.Open, sessions, flagged, open)
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
