package warehouse

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

func TestKPIDayIsDue(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	f := func(what string, d kpiDay, age time.Duration, want bool) {
		t.Helper()
		d.at = now.Add(-age)
		if got := d.due(now); got != want {
			t.Errorf("%s: due %t, want %t", what, got, want)
		}
	}
	f("never made", kpiDay{}, 0, true)
	f("made, nothing changed", kpiDay{made: 1, took: time.Minute}, time.Hour, false)
	f("older than its rows may be", kpiDay{made: 1}, 6*24*time.Hour, true)
	f("changed, quick to make", kpiDay{made: 1, took: 200 * time.Millisecond, stale: true}, 0, true)
	f("changed just now, slow to make", kpiDay{made: 1, took: 5 * time.Second, stale: true}, 99*time.Second, false)
	f("changed a while ago", kpiDay{made: 1, took: 5 * time.Second, stale: true}, 101*time.Second, true)
	f("changed, takes minutes", kpiDay{made: 1, took: 5 * time.Minute, stale: true}, 11*time.Minute, true)
}

// TestCellsOfTheCopyAreTheViews: cells that the program makes from its copy of the sessions are those of the view, after
// anything that changes sessions.
func TestCellsOfTheCopyAreTheViews(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	ctx := context.Background()
	w := migrated(t)
	addProfiles(t, w)
	var all world
	for seed := range uint64(30) {
		one := randomKPIWorld(1000 + seed)
		all.messages, all.agents, all.reviews = append(all.messages, one.messages...), append(all.agents, one.agents...), append(all.reviews, one.reviews...)
	}
	if err := w.SaveAgents(ctx, all.agents); err != nil {
		t.Fatal(err)
	}
	an := worldAnalyser(t)
	cells := func(step, profile string) { t.Helper(); sameCells(t, w, step, profile, 50) }
	half := len(all.messages) / 2
	addReviews(t, w, all.reviews, load(t, w, an, all.messages[:half]))
	cells("half of the messages", "generic")
	analyses := load(t, w, an, all.messages)
	for _, profile := range []string{"generic", "taobao", "jd", "douyin", "first", "only"} {
		cells("all messages", profile)
	}
	mustExec(t, w, "INSERT INTO analyses SELECT * REPLACE (7 AS run_id, 12 AS score, [] AS hit_id, [] AS hit_agent, [] AS hit_severity) FROM analyses FINAL WHERE started_at BETWEEN '2026-03-02 00:00:00' AND '2026-03-02 23:00:00'")
	cells("a run that is not shown", "generic")
	mustExec(t, w, "INSERT INTO run_switches (at, run_id, `from`, `to`) VALUES (now64(6), 7, '2026-03-02 00:00:00', '2026-03-02 23:00:00')")
	cells("a run switched", "generic")
	if err := w.Write(ctx, Batch{Orders: []schemas.Order{{OrderID: "late", Shop: "x", Status: "paid", UpdatedAt: monday.AddDate(0, 1, 0), AgentID: analyses[0].Meta.AgentID, CreatedAt: monday.Add(time.Hour), PaidAt: monday.Add(2 * time.Hour), Amount: "9"}}}); err != nil {
		t.Fatal(err)
	}
	cells("a late order", "generic")
	if _, err := w.Erase(ctx, []string{analyses[1].SessionID, analyses[2].SessionID}, nil); err != nil {
		t.Fatal(err)
	}
	cells("sessions forgotten", "generic")
}

// sameCells compares the cells of the first days of March with those of the view, of which there are so many at least.
func sameCells(t *testing.T, w *Warehouse, step, profile string, least int) {
	t.Helper()
	ctx := context.Background()
	if _, err := w.KPI(ctx, KPIQuery{By: KPIByTeam, Profile: profile, From: march(1), To: march(8), AsOf: march(9)}); err != nil {
		t.Fatalf("%s: %v", step, err)
	}
	counts := "false"
	for day, d := range w.kpi.days[profile] {
		counts += fmt.Sprintf(" OR day = '%s' AND made = %d", day, d.made)
	}
	got := oracleRows(t, w, "SELECT "+kpiColumnList+" FROM kpi_facts WHERE profile = "+quote(profile)+" AND ("+counts+") AND customer_key = cityHash64(customer) AND session_key = cityHash64(session_id)")
	want := oracleRows(t, w, "SELECT "+kpiColumnList+" FROM kpi_cells(profile = "+quote(profile)+", from = '2026-03-01', to = '2026-03-08')")
	if !slices.Equal(got, want) || len(want) < least {
		t.Errorf("%s, %s: %d cells, the view has %d\n%v", step, profile, len(got), len(want), diffRows(got, want))
	}
}

// TestOrdersFindTheLatestSession: an order that names its agent belongs to the agent's latest session before it, whether or
// not all such agents have one in the week before.
func TestOrdersFindTheLatestSession(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	talk := func(id, agent, team string, day int) *schemas.Analysis {
		a := said(id, agent, "c"+id, march(day).Add(9*time.Hour), "customer 0", "agent 20")
		a.Meta.Team = team
		return a
	}
	order := func(id, agent string, day int) schemas.Order {
		at := march(day).Add(10 * time.Hour)
		return schemas.Order{OrderID: id, Shop: "x", Status: "paid", UpdatedAt: at, AgentID: agent, CreatedAt: at, PaidAt: at, Amount: "9"}
	}
	f := func(step string, want ...string) {
		t.Helper()
		sameCells(t, w, step, "generic", len(want))
		rows, err := w.KPISessions(ctx, KPIQuery{By: KPIByAgent, From: march(1), To: march(8), AsOf: march(9)}, "sales", 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range rows {
			got = append(got, x.Object+" "+x.SessionID+" "+x.Team)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: orders of %q, want %q", step, got, want)
		}
	}
	write(t, w, talk("old", "li", "A", -12), talk("week", "li", "B", 1), talk("after", "li", "C", 6), talk("wang", "wang", "A", 4), talk("zhao", "zhao", "Z", -20))
	if err := w.Write(ctx, Batch{Orders: []schemas.Order{order("o1", "li", 5), order("o2", "wang", 7)}}); err != nil {
		t.Fatal(err)
	}
	f("all in the week before", "o1 week B", "o2 wang A")
	if err := w.Write(ctx, Batch{Orders: []schemas.Order{order("o3", "zhao", 5), order("o4", "nobody", 5)}}); err != nil {
		t.Fatal(err)
	}
	f("some long before", "o1 week B", "o2 wang A", "o3 zhao Z", "o4  ")
}
