package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// KPISmallTeam is the number of agents below which a team's mean says too much about single people and is not shown.
const KPISmallTeam = 5

// KPIBesideFigures are the figures that are told beside others: ratios and means whose parts add up over sessions. Of
// conversion the parts are sessions here, not distinct customers.
var KPIBesideFigures = []string{"avg_reply_ms", "first_reply_ms", "within_180s", "conversion", "answer_ratio", "csat", "score", "hit_rate"}

// KPIBeside is one figure of an agent beside those of others, in one period. Nil is undefined.
type KPIBeside struct {
	AgentID string   `json:"agent_id"`
	Team    string   `json:"team"` // the agent's team with the most of the figure's denominator
	Figure  string   `json:"figure"`
	Own     *float64 `json:"own"`
	// TeamMean is the figure of all the team's agents together, nil for teams of fewer than KPISmallTeam agents.
	TeamMean *float64 `json:"team_mean"`
	// Like is what the figure would be had the other agents handled the agent's sessions, like for like.
	Like *float64 `json:"like"`
	// Covered is the part of the agent's denominator that others have anything alike to, 0..1; Like speaks of it only.
	Covered float64 `json:"covered"`
}

// KPIBesides compares each agent of the query (its Agents, else all) with the team and, like for like, with the other
// agents whom Teams, Shops, Channels and Businesses let through. Rows are in the order of agent and figure.
//
// Like for like is indirect standardisation (as in epidemiology, for instance Breslow and Day 1987, Statistical Methods in
// Cancer Research II, chapter 2): with strata s of the same shop, business and aspect of the first opinion mention, n and d
// the agent's numerator and denominator and N and D those of everybody in s,
//
//	like = sum over s with D > d of d * (N - n) / (D - d), divided by the sum of d over the same s.
func (w *Warehouse) KPIBesides(ctx context.Context, q KPIQuery) ([]KPIBeside, error) {
	agents := q.Agents
	q.Agents, q.By = nil, KPIByAgent
	params, err := q.params()
	if err != nil {
		return nil, err
	}
	sql, err := w.kpiSQL(ctx, "kpi_strata", q.Profile, q.From, q.To, q.Days...)
	if err != nil {
		return nil, err
	}
	rows, err := w.conn.Query(ctx, sql, params...)
	if err != nil {
		return nil, fmt.Errorf("cannot compare agents: %w", err)
	}
	defer rows.Close()
	var list []kpiStratum
	for rows.Next() {
		s := kpiStratum{top: make([]float64, len(KPIBesideFigures)), bottom: make([]float64, len(KPIBesideFigures))}
		if err := rows.Scan(&s.agent, &s.team, &s.key[0], &s.key[1], &s.key[2], &s.top, &s.bottom); err != nil {
			return nil, fmt.Errorf("cannot compare agents: %w", err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot compare agents: %w", err)
	}
	return besides(list, agents), nil
}

// kpiStratum is what an agent has of each figure among sessions of one shop, business and aspect.
type kpiStratum struct {
	agent, team string
	key         [3]string
	top, bottom []float64 // by KPIBesideFigures
}

type fraction struct{ top, bottom float64 }

func (f fraction) value() *float64 {
	if f.bottom == 0 {
		return nil
	}
	v := f.top / f.bottom
	return &v
}

func besides(list []kpiStratum, agents []string) []KPIBeside {
	members := map[string]map[string]bool{}
	byAgent := map[string]bool{}
	for _, s := range list {
		if members[s.team] == nil {
			members[s.team] = map[string]bool{}
		}
		members[s.team][s.agent] = true
		byAgent[s.agent] = true
	}
	var out []KPIBeside
	for i, figure := range KPIBesideFigures {
		all, teams := map[[3]string]fraction{}, map[string]fraction{}
		own, mine := map[string]fraction{}, map[[4]string]fraction{}
		inTeam := map[[2]string]float64{}
		add := func(f fraction, s *kpiStratum) fraction { return fraction{f.top + s.top[i], f.bottom + s.bottom[i]} }
		for j := range list {
			s := &list[j]
			stratum := [4]string{s.agent, s.key[0], s.key[1], s.key[2]}
			all[s.key], teams[s.team], own[s.agent], mine[stratum] = add(all[s.key], s), add(teams[s.team], s), add(own[s.agent], s), add(mine[stratum], s)
			inTeam[[2]string{s.agent, s.team}] += s.bottom[i]
		}
		like, covered := map[string]fraction{}, map[string]float64{}
		strata := make([][4]string, 0, len(mine))
		for k := range mine {
			strata = append(strata, k)
		}
		slices.SortFunc(strata, func(a, b [4]string) int { return slices.Compare(a[:], b[:]) }) // sums in a fixed order
		for _, k := range strata {
			m, a := mine[k], all[[3]string{k[1], k[2], k[3]}]
			if a.bottom > m.bottom && m.bottom > 0 {
				f := like[k[0]]
				like[k[0]] = fraction{f.top + m.bottom*(a.top-m.top)/(a.bottom-m.bottom), f.bottom + m.bottom}
				covered[k[0]] += m.bottom
			}
		}
		for agent := range byAgent {
			if len(agents) > 0 && !slices.Contains(agents, agent) {
				continue
			}
			b := KPIBeside{AgentID: agent, Figure: figure, Own: own[agent].value(), Like: like[agent].value()}
			best := -1.0
			for team, people := range members {
				if n := inTeam[[2]string{agent, team}]; people[agent] && (n > best || n == best && team < b.Team) {
					b.Team, best = team, n
				}
			}
			if b.Team != "" && len(members[b.Team]) >= KPISmallTeam {
				b.TeamMean = teams[b.Team].value()
			}
			if d := own[agent].bottom; d > 0 {
				b.Covered = covered[agent] / d
			}
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b KPIBeside) int { return cmp.Compare(a.AgentID, b.AgentID) })
	return out
}
