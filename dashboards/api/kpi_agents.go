package api

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// teamSizes are the agents of each team that have figures.
func teamSizes(rows []warehouse.KPIRow) map[string]map[string]bool {
	size := map[string]map[string]bool{}
	for _, x := range rows {
		if size[x.Team] == nil {
			size[x.Team] = map[string]bool{}
		}
		size[x.Team][x.AgentID] = true
	}
	return size
}

// mainTeams are the teams in which agents have the most rounds; sessions without a team count only where there is no other.
func mainTeams(rows []warehouse.KPIRow) map[string]string {
	rounds := map[string]map[string]uint64{}
	for _, x := range rows {
		if rounds[x.AgentID] == nil {
			rounds[x.AgentID] = map[string]uint64{}
		}
		rounds[x.AgentID][x.Team] += x.Rounds
	}
	out := map[string]string{}
	for agent, teams := range rounds {
		names := make([]string, 0, len(teams))
		for team := range teams {
			names = append(names, team)
		}
		out[agent] = slices.MinFunc(names, func(x, y string) int {
			if (x == "") != (y == "") {
				return cmp.Compare(y, x)
			}
			return cmp.Or(cmp.Compare(teams[y], teams[x]), cmp.Compare(x, y))
		})
	}
	return out
}

// besideOf are the figures of others, like for like, for one agent, and how much of the agent's sessions they cover.
func besideOf(list []warehouse.KPIBeside, agent string) (like map[string]*float64, covered map[string]float64) {
	like, covered = map[string]*float64{}, map[string]float64{}
	i, _ := slices.BinarySearchFunc(list, agent, func(b warehouse.KPIBeside, agent string) int { return cmp.Compare(b.AgentID, agent) })
	for _, b := range list[i:] {
		if b.AgentID != agent {
			break
		}
		like[b.Figure], covered[b.Figure] = b.Like, b.Covered
	}
	return like, covered
}

// BrokenRule is a rule with the hits that agents got by it.
type BrokenRule struct {
	RuleID    string      `ch:"rule_id" json:"rule_id"`
	Severity  string      `ch:"worst" json:"severity" doc:"strongest of the hits"`
	Hits      uint64      `ch:"hits" json:"hits"`
	Sessions  uint64      `ch:"hit_sessions" json:"sessions"`
	Dismissed uint64      `ch:"dismissed" json:"dismissed" doc:"hits of these that people dismissed or overturned"`
	Latest    []BrokenHit `json:"latest" doc:"the latest hits, at most 3"`
}

// BrokenHit is one hit of a rule.
type BrokenHit struct {
	RuleID    string  `ch:"rule_id" json:"-"`
	SessionID string  `ch:"session_id" json:"session_id"`
	HitID     string  `ch:"hit_id" json:"hit_id"`
	Day       Day     `ch:"hit_day" json:"day"`
	Agent     string  `ch:"agent_id" json:"agent_id"`
	Seqs      []int64 `ch:"evidence_seqs" json:"evidence_seqs"`
	Reason    string  `ch:"reason" json:"reason"`
	Decision  string  `ch:"decision" json:"decision"`
}

// latestHits is how many hits a rule shows as examples.
const latestHits = 3

func (a *API) brokenRules(r *Request) (any, error) {
	from, to, err := a.period(r.Filter)
	if err != nil {
		return nil, err
	}
	// A hit belongs to one agent, so hits of colleagues in the agent's sessions are left out.
	agents := r.Filter.All("agent")
	if r.Who.Role == access.Agent {
		agents = []string{r.Who.AgentID}
	}
	on, p := r.Filter.With("agent").With("from", from.Format(time.DateOnly)).With("to", to.Format(time.DateOnly)).Closed().Facts()
	where := filter.Breach
	if len(agents) > 0 {
		for i, v := range agents {
			if v == filter.None {
				agents[i] = ""
			}
		}
		on += " AND hasAny(hit_agent, {agents:Array(String)})"
		where += " AND agent_id IN {agents:Array(String)}"
		p = params(p, []any{named("agents", agents)})
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	page := &Page[BrokenRule]{}
	var latest []BrokenHit
	q := a.reads(r.Context())
	q.all(&page.Items, "SELECT toString(rule_id) AS rule_id, toString(argMax(severity, "+rank+")) AS worst, count() AS hits, uniqExact(session_id) AS hit_sessions, countIf(decision IN ('dismiss', 'overturn')) AS dismissed FROM "+
		x.hits(on)+" WHERE "+where+" GROUP BY rule_id ORDER BY hits DESC, rule_id LIMIT 200", p...)
	q.all(&latest, fmt.Sprintf(`SELECT toString(rule_id) AS rule_id, x.2 AS session_id, x.3 AS hit_id, toDate(-x.1) AS hit_day, x.4 AS agent_id, x.5 AS decision FROM (
			SELECT rule_id, groupArraySorted(%d)((-toInt32(assumeNotNull(day)), session_id, hit_id, toString(agent_id), toString(decision))) AS best FROM %s WHERE %s GROUP BY rule_id)
		ARRAY JOIN best AS x`, latestHits, x.hits(on), where), p...)
	if err := q.wait(); err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range latest {
		ids = append(ids, l.SessionID)
	}
	texts, err := a.Warehouse.Texts(r.Context(), warehouse.HitTexts, ids)
	if err != nil {
		return nil, err
	}
	for i := range page.Items {
		for _, x := range latest {
			if x.RuleID == page.Items[i].RuleID {
				if t := texts[x.SessionID]; t != nil {
					x.Reason, x.Seqs = t.Reason(x.HitID), t.Evidence(x.HitID)
				}
				page.Items[i].Latest = append(page.Items[i].Latest, x)
			}
		}
	}
	return page, nil
}
