package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tingke/tingke/pipeline/memo"
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
// agents whom Teams, Shops, Channels and Businesses let through. Rows are in the order of agent and figure; they are shared with
// others who ask the same and must not be changed.
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
	// As KPI: the statement names the making of each day that it reads.
	return memo.Remember(ctx, &w.kpi.memo, fmt.Sprint(sql, params, agents), func(list []KPIBeside) bool { return len(list) <= kpiRemembered }, func(ctx context.Context) ([]KPIBeside, error) {
		list, err := w.kpiStrata(ctx, sql, params)
		if err != nil {
			return nil, fmt.Errorf("cannot compare agents: %w", err)
		}
		return besides(list, agents), nil
	})
}

func (w *Warehouse) kpiStrata(ctx context.Context, sql string, params []any) ([]kpiStratum, error) {
	rows, err := w.conn.Query(ctx, sql, params...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []kpiStratum
	for rows.Next() {
		s := kpiStratum{top: make([]float64, len(KPIBesideFigures)), bottom: make([]float64, len(KPIBesideFigures))}
		if err := rows.Scan(&s.agent, &s.team, &s.key[0], &s.key[1], &s.key[2], &s.top, &s.bottom); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// kpiStratum is what an agent has of each figure among sessions of one shop, business and aspect.
type kpiStratum struct {
	agent, team      string
	key              [3]string
	top, bottom      []float64 // by KPIBesideFigures
	who, stratum, in int       // numbers of agent, key and team, in their order
}

type fraction struct{ top, bottom float64 }

func (f fraction) value() *float64 {
	if f.bottom == 0 {
		return nil
	}
	v := f.top / f.bottom
	return &v
}

// besides compares agents by what each has in each stratum; list is put in order. Names become numbers first: there are hundreds of
// thousands of strata in a large centre, and each is looked up for each figure.
func besides(list []kpiStratum, agents []string) []KPIBeside {
	who, names := ranks(list, func(s *kpiStratum) string { return s.agent }, strings.Compare)
	in, teamNames := ranks(list, func(s *kpiStratum) string { return s.team }, strings.Compare)
	stratum, keys := ranks(list, func(s *kpiStratum) [3]string { return s.key }, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	for i := range list {
		s := &list[i]
		s.who, s.stratum, s.in = who[s.agent], stratum[s.key], in[s.team]
	}
	slices.SortFunc(list, func(a, b kpiStratum) int { // sums in a fixed order
		return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.stratum, b.stratum), cmp.Compare(a.in, b.in))
	})
	members := make([]int, len(teamNames))
	teamsOf := make([][]int, len(names))
	for i := range list {
		s := &list[i]
		if of := &teamsOf[s.who]; !slices.Contains(*of, s.in) {
			*of = append(*of, s.in)
			members[s.in]++
		}
	}
	for _, of := range teamsOf {
		slices.Sort(of)
	}
	out := make([]KPIBeside, len(names)*len(KPIBesideFigures))
	for i, figure := range KPIBesideFigures {
		all, teams, own, like := make([]fraction, len(keys)), make([]fraction, len(teamNames)), make([]fraction, len(names)), make([]fraction, len(names))
		inTeam := map[[2]int]float64{}
		for j := range list {
			s := &list[j]
			for _, f := range []*fraction{&all[s.stratum], &teams[s.in], &own[s.who]} {
				f.top += s.top[i]
				f.bottom += s.bottom[i]
			}
			inTeam[[2]int{s.who, s.in}] += s.bottom[i]
		}
		for j := 0; j < len(list); {
			first := &list[j]
			var mine fraction
			for ; j < len(list) && list[j].who == first.who && list[j].stratum == first.stratum; j++ {
				mine.top += list[j].top[i]
				mine.bottom += list[j].bottom[i]
			}
			if a, f := all[first.stratum], &like[first.who]; a.bottom > mine.bottom && mine.bottom > 0 {
				f.top += mine.bottom * (a.top - mine.top) / (a.bottom - mine.bottom)
				f.bottom += mine.bottom
			}
		}
		for who, name := range names {
			b := KPIBeside{AgentID: name, Figure: figure, Own: own[who].value(), Like: like[who].value()}
			best, most := 0, -1.0
			for _, t := range teamsOf[who] {
				if n := inTeam[[2]int{who, t}]; n > most {
					best, most = t, n
				}
			}
			b.Team = teamNames[best]
			if b.Team != "" && members[best] >= KPISmallTeam {
				b.TeamMean = teams[best].value()
			}
			if d := own[who].bottom; d > 0 {
				b.Covered = like[who].bottom / d
			}
			out[who*len(KPIBesideFigures)+i] = b
		}
	}
	if len(agents) == 0 {
		return out
	}
	return slices.DeleteFunc(out, func(b KPIBeside) bool { return !slices.Contains(agents, b.AgentID) })
}

// ranks numbers the values of a field in their order.
func ranks[K comparable](list []kpiStratum, field func(*kpiStratum) K, compare func(a, b K) int) (map[K]int, []K) {
	rank := map[K]int{}
	for i := range list {
		rank[field(&list[i])] = 0
	}
	values := slices.SortedFunc(maps.Keys(rank), compare)
	for i, v := range values {
		rank[v] = i
	}
	return rank, values
}
