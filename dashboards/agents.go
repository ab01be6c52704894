package dashboards

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"
)

// smallTeam is the size below which a mean says too much about the single person: such a team is compared with all.
const smallTeam = 5

// tally is what is counted of one agent, or added up over several.
type tally struct {
	Sessions uint64  `ch:"sessions"`
	Flagged  uint64  `ch:"flagged_sessions"`
	Scored   uint64  `ch:"scored"`
	ScoreSum float64 `ch:"score_sum"`
	Rounds   uint64  `ch:"rounds"`
	Within   uint64  `ch:"within"`
	Firsts   uint64  `ch:"firsts"`
	FirstSum int64   `ch:"first_sum"`
}

// Score is the mean score, nil without one.
func (t tally) Score() *float64 { return mean(t.ScoreSum, t.Scored) }

// First is the mean time to the first reply in ms, nil without one.
func (t tally) First() *float64 { return mean(float64(t.FirstSum), t.Firsts) }

func mean(sum float64, n uint64) *float64 {
	if n == 0 {
		return nil
	}
	v := sum / float64(n)
	return &v
}

func (t *tally) add(o tally) {
	t.Sessions += o.Sessions
	t.Flagged += o.Flagged
	t.Scored += o.Scored
	t.ScoreSum += o.ScoreSum
	t.Rounds += o.Rounds
	t.Within += o.Within
	t.Firsts += o.Firsts
	t.FirstSum += o.FirstSum
}

type agentRow struct {
	tally
	Agent  string `ch:"agent"`
	Name   string
	Team   string `ch:"latest_team"`
	Rule   string // most frequent hit
	Hits   uint64 // sessions with it
	Beside *tally
}

type team struct {
	tally
	Team   string
	Small  bool
	Agents []*agentRow
}

type agentsBody struct {
	All     tally
	Teams   []*team
	Options options
}

func (s *site) agents(ctx context.Context, p *page, _ *http.Request) error {
	p.Title = p.T("agents")
	p.Filter = p.Filter.only("from", "to", "shop", "channel")
	b := &agentsBody{}
	p.Body = b
	where, args := p.Filter.closed().where()
	ids, _ := p.Filter.closed().ids()
	var rows, rounds []agentRow
	var hits []struct {
		Agent string `ch:"agent_id"`
		Rule  string `ch:"rule_id"`
		N     uint64 `ch:"sessions"`
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(queriesAtOnce)
	g.Go(func() error {
		return s.DB.Select(gctx, &rows, `SELECT agent, argMax(team, (ifNull(started_at, toDateTime64(0, 3, 'UTC')), team)) AS latest_team, count() AS sessions,
			countIf(flagged) AS flagged_sessions, count(score) AS scored, ifNull(sum(score), 0) AS score_sum
			FROM sessions ARRAY JOIN agent_ids AS agent WHERE agent != '' AND `+where+` GROUP BY agent ORDER BY agent`, args...)
	})
	g.Go(func() error {
		return s.DB.Select(gctx, &rounds, `SELECT agent_id AS agent, count() AS rounds, countIf(reply_ms <= 180000) AS within,
			countIf(first AND reply_ms IS NOT NULL) AS firsts, ifNull(sumIf(reply_ms, first), 0) AS first_sum
			FROM rounds WHERE agent_id != '' AND `+ids+` GROUP BY agent`, args...)
	})
	g.Go(func() error {
		return s.DB.Select(gctx, &hits, `SELECT agent_id, rule_id, uniqExact(session_id) AS sessions FROM hits WHERE agent_id != '' AND severity != 'info' AND `+breach+` AND `+ids+`
			GROUP BY agent_id, rule_id ORDER BY agent_id, sessions DESC, rule_id LIMIT 1 BY agent_id`, args...)
	})
	g.Go(func() (err error) { b.Options, err = s.options(gctx, p); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	byAgent := map[string]*agentRow{}
	for i := range rows {
		r := &rows[i]
		byAgent[r.Agent] = r
		r.Name = b.Options.Names[r.Agent]
	}
	for _, r := range rounds {
		if a := byAgent[r.Agent]; a != nil {
			a.add(r.tally)
		}
	}
	for _, h := range hits {
		if a := byAgent[h.Agent]; a != nil {
			a.Rule, a.Hits = h.Rule, h.N
		}
	}
	byTeam := map[string]*team{}
	for i := range rows {
		r := &rows[i]
		t := byTeam[r.Team]
		if t == nil {
			t = &team{Team: r.Team}
			byTeam[r.Team] = t
			b.Teams = append(b.Teams, t)
		}
		t.Agents = append(t.Agents, r)
		t.add(r.tally)
		b.All.add(r.tally)
	}
	slices.SortFunc(b.Teams, func(x, y *team) int { return cmp.Compare(x.Team, y.Team) })
	for _, t := range b.Teams {
		t.Small = len(t.Agents) < smallTeam
		for _, a := range t.Agents {
			a.Beside = &t.tally
			if t.Small {
				a.Beside = &b.All
			}
		}
		slices.SortStableFunc(t.Agents, func(x, y *agentRow) int { return cmp.Compare(orNothing(y.Score()), orNothing(x.Score())) })
	}
	return nil
}

func orNothing(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}
