package api

import (
	"fmt"
	"testing"

	"github.com/tingke/tingke/pipeline/warehouse"
)

const inMarch = "from=2026-03-01&to=2026-03-31"

// Agent a2 works in two shops: one row whole, two rows otherwise, and the whole row is what both have.
func TestWholeAgents(t *testing.T) {
	f := readFixture(t)
	parts := get[KPITable](t, f.api, "admin", Prefix+"/kpi?"+inMarch)
	whole := get[KPITable](t, f.api, "admin", Prefix+"/kpi?whole=1&"+inMarch)
	rounds := map[string]uint64{}
	for _, r := range parts.Rows {
		rounds[r.AgentID] += r.Rounds
	}
	got, want, sum := "", "", uint64(0)
	for _, r := range whole.Rows {
		got += fmt.Sprintf("%s%s %s %d %d; ", r.Team, r.Shop, r.AgentID+"@"+r.MainTeam, r.TeamSize, r.Rounds)
		sum += r.Rounds
	}
	for _, agent := range []struct {
		id, team string
		size     int
	}{{"a1", "一组", 2}, {"a2", "一组", 2}, {"b1", "二组", 1}} {
		want += fmt.Sprintf(" %s@%s %d %d; ", agent.id, agent.team, agent.size, rounds[agent.id])
	}
	if got != want {
		t.Errorf("agents whole\ngot  %s\nwant %s", got, want)
	}
	if whole.All == nil || whole.Agents != 3 || whole.All.Rounds != sum || len(whole.Teams) != 0 {
		t.Errorf("everybody: %+v of %d agents, want %d rounds of 3; teams %+v, want none of fewer than %d agents", whole.All, whole.Agents, sum, whole.Teams, leastTeam)
	}
	if len(whole.Rows[0].Like) != 0 {
		t.Errorf("like for like was not asked for: %v", whole.Rows[0].Like)
	}
	alike := get[KPITable](t, f.api, "admin", Prefix+"/kpi?whole=1&like=1&"+inMarch)
	if l := alike.Rows[0]; l.AgentID != "a1" || l.Like["score"] == nil || *l.Like["score"] != 70 || l.Covered["score"] != 0.5 {
		t.Errorf("a1 like for like: %v, covered %v", l.Like, l.Covered)
	}
	if parts.All != nil {
		t.Errorf("rows by team and shop come with %+v", parts.All)
	}
	team := get[KPITable](t, f.api, "team-one", Prefix+"/kpi?whole=1&"+inMarch)
	if team.All == nil || team.Agents != 2 || team.All.Rounds != rounds["a1"]+rounds["a2"] {
		t.Errorf("somebody of team one sees %+v of %d agents together, want those of a1 and a2", team.All, team.Agents)
	}
	if own := get[KPITable](t, f.api, "agent", Prefix+"/kpi?whole=1&"+inMarch); own.All != nil || len(own.Rows) != 1 {
		t.Errorf("an agent sees %d rows and of everybody %+v", len(own.Rows), own.All)
	}
	trend := get[KPITrend](t, f.api, "admin", Prefix+"/kpi/trend?whole=1&agent=a2&"+inMarch)
	if len(trend.Days) != 1 || trend.Days[0].Rounds != rounds["a2"] {
		t.Errorf("a2 day by day: %+v", trend.Days)
	}
}

func TestMainTeam(t *testing.T) {
	got := mainTeams([]warehouse.KPIRow{
		{AgentID: "a", Rounds: 9}, {AgentID: "a", Team: "y", Rounds: 2}, {AgentID: "a", Team: "x", Rounds: 1}, {AgentID: "a", Team: "x", Shop: "s", Rounds: 1},
		{AgentID: "b", Rounds: 1},
	})
	if got["a"] != "x" || got["b"] != "" || len(got) != 2 {
		t.Errorf("main teams %v, want a: x (of as many rounds as y, the first by name), b: none", got)
	}
}

func TestBrokenRules(t *testing.T) {
	f := readFixture(t)
	brief := func(user, query string) string {
		s := ""
		for _, b := range get[Page[BrokenRule]](t, f.api, user, Prefix+"/kpi/broken?"+inMarch+query).Items {
			s += fmt.Sprintf("%s %s %d/%d:", b.RuleID, b.Severity, b.Hits, b.Sessions)
			for _, x := range b.Latest {
				s += " " + x.SessionID + "@" + x.Agent
			}
			s += "; "
		}
		return s
	}
	g := func(user, query, want string) {
		t.Helper()
		if got := brief(user, query); got != want {
			t.Errorf("broken rules for %s %s\ngot  %s\nwant %s", user, query, got, want)
		}
	}
	g("admin", "", "ban critical 2/2: one-2@a1 two-1@b1; price info 2/2: one-3@a2 two-3@b1; private major 2/2: one-3@a2 two-3@b1; ")
	g("admin", "&agent=a1", "ban critical 1/1: one-2@a1; ")
	g("admin", "&agent=a1&agent=a2&team=二组", "")
	g("team-one", "", "ban critical 1/1: one-2@a1; price info 1/1: one-3@a2; private major 1/1: one-3@a2; ")
	g("agent", "&agent=a2", "ban critical 1/1: one-2@a1; ")
}
