package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// TestBenchDashboards: every GET of the API is asked or is said why not, a small store answers all of them, and a second
// run takes the store that is there.
func TestBenchDashboards(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	if _, err := engine.FindLibrary(); err != nil {
		t.Skipf("SKIPPED, bench dashboards is not run: %v", err)
	}
	config, err := loadConfig("", env())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{dir: t.TempDir(), config: config, json: true, log: slog.New(slog.DiscardHandler), getenv: env()}
	in := a.inWorld()
	s, built, err := in.openWorld(t.Context(), 2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if built == 0 {
		t.Error("the store was there already")
	}
	_, routes, stop, err := in.worldAPI(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, q := range dashboardQuestions {
		asked[q.route] = true
	}
	for _, r := range routes {
		if r.Method != http.MethodGet || asked[r.Path] || notAsked[r.Path] != "" || strings.HasPrefix(r.Path, "/exports/") {
			continue
		}
		t.Errorf("GET %s is neither among dashboardQuestions nor among notAsked", r.Path)
	}
	stop()
	checkMarks(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := a.benchDashboards(t.Context(), dashboardsBenchOptions{turns: 2000, seed: 1, clients: 2, requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Store.BuildS != 0 || r.Store.Turns < 1500 || r.Store.Parts["analyses"] < 5 || r.Store.Superseded < 0.03 || r.Store.Opinions == 0 || r.Store.Hits == 0 {
		t.Errorf("store %+v", r.Store)
	}
	for _, x := range r.Results {
		// Whether it is fast is not tested: on a busy machine an answer may come too late.
		if x.Problem != "" && !strings.Contains(x.Problem, "too_slow") || x.N != 1 || x.P95 < x.P50 {
			t.Errorf("%+v", x)
		}
	}
	if len(r.Results) != len(dashboardQuestions) {
		t.Errorf("%d results for %d questions", len(r.Results), len(dashboardQuestions))
	}
	if _, _, err := in.openWorld(t.Context(), 4000, 1); err == nil {
		t.Error("a store of another size was taken")
	}
}

// checkMarks holds the narrow views against the public ones, with a rerun that is shown for a part of the time.
func checkMarks(t *testing.T, s *store) {
	t.Helper()
	for _, sql := range []string{
		"INSERT INTO analyses SELECT * REPLACE (1 AS run_id, 12 AS score, false AS flagged) FROM analyses FINAL WHERE started_at BETWEEN '2026-10-01' AND '2026-10-20'",
		"INSERT INTO run_switches (at, run_id, `from`, `to`) VALUES (now64(6), 1, '2026-10-01 00:00:00', '2026-10-15 00:00:00')",
	} {
		if err := s.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	f := func(marks, public, columns string) {
		t.Helper()
		var n [2]uint64
		var sum [2]uint64
		for i, view := range []string{marks, public} {
			sql := "SELECT count(), sum(sipHash64(toString(tuple(" + columns + ")))) FROM " + view
			if err := s.Conn().QueryRow(t.Context(), sql).Scan(&n[i], &sum[i]); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		if n[0] != n[1] || sum[0] != sum[1] || n[0] == 0 {
			t.Errorf("%s has %d rows, %s %d, or they differ", marks, n[0], public, n[1])
		}
	}
	session := "session_id, started_at, ended_at, state, channel, source, shop, business, skill_group, product, customer_id, agent_id, agent_ids, turns, customer_turns, agent_turns, " +
		"rounds, unanswered, first_reply_ms, avg_reply_ms, score, experience, flagged, severity, emotion_start, emotion_end, day"
	f("session_marks", "sessions", session)
	f("session_heads", "sessions", session+", team")
	f("turn_marks", "turns", "session_id, position, toString(role), agent_id, text, toString(emotion), day, shop, closed")
	f("mention_marks", "mentions", "session_id, kind, aspect, valuable, product, customer_id, day, shop, closed")
	f("opinion_marks", "(SELECT * FROM mentions WHERE opinion_id != '')", "session_id, customer_id, shop, day, opinion_id")
	f("hit_marks", "hits", "session_id, hit_id, rule_id, agent_id, outcome, severity, points, day, shop, closed")
}
