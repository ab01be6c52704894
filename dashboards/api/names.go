package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tingke/tingke/pipeline/memo"
)

// Names and titles stand on every page and change seldom, so they are read whole and shared between requests.

// settle is how long what lists offer (agents and their names, values of filters) may lag behind the store.
const settle = time.Minute

// settled is a key of memo for what may lag by settle.
func (a *API) settled(what string, x facts, more ...any) string {
	return fmt.Sprint(what, x.cut.Base, a.Now().Truncate(settle).Unix(), more)
}

// agentNames gives the name of each agent in the latest session that has one, at most settle old. It is shared and must not
// be changed.
func (a *API) agentNames(ctx context.Context, x facts) (map[string]string, error) {
	return memo.Remember(ctx, a.memo, a.settled("names", x), nil, func(ctx context.Context) (map[string]string, error) {
		var list []AgentName
		err := a.Warehouse.Conn().Select(ctx, &list, `SELECT toString(if(agent_id != '', agent_id, agent_ids[1])) AS agent, argMax(toString(agent_name), (ifNull(started_at, toDateTime64(0, 3, 'UTC')), agent_name)) AS latest
			FROM `+x.sessions("agent_name != ''")+" GROUP BY agent LIMIT 10000")
		out := make(map[string]string, len(list))
		for _, n := range list {
			out[n.ID] = n.Name
		}
		return out, err
	})
}

// registered is what the registry of opinions says at a moment: the opinions without figures, and which of those that
// sessions name count for them. It is shared and must not be changed.
type registered struct {
	heads    []OpinionRow
	at       map[string]int // of heads, by id
	merged   map[string]string
	from, to []string // merged, as arrays
}

func (a *API) registered(ctx context.Context, x facts) (*registered, error) {
	return memo.Remember(ctx, a.memo, "registered"+x.cut.Opinions, nil, func(ctx context.Context) (*registered, error) {
		out := &registered{at: map[string]int{}, merged: map[string]string{}}
		var gone []struct {
			ID     string `ch:"opinion_id"`
			Target string `ch:"target_id"`
		}
		q := a.reads(ctx)
		q.all(&out.heads, "SELECT opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer FROM opinion_heads")
		q.all(&gone, "SELECT opinion_id, target_id FROM opinion_redirects ORDER BY opinion_id")
		if err := q.wait(); err != nil {
			return nil, err
		}
		for i, o := range out.heads {
			out.at[o.ID] = i
		}
		for _, o := range gone {
			out.merged[o.ID] = o.Target
			out.from, out.to = append(out.from, o.ID), append(out.to, o.Target)
		}
		return out, nil
	})
}

// title is that of an opinion, empty for one that is not there.
func (o *registered) title(id string) string {
	if i, ok := o.at[id]; ok {
		return o.heads[i].Title
	}
	return ""
}

// of are the opinions, as sessions name them, that count for some: these and what was merged into them.
func (o *registered) of(ids ...string) []string {
	out := slices.Clone(ids)
	for i, target := range o.to {
		if slices.Contains(ids, target) {
			out = append(out, o.from[i])
		}
	}
	return out
}

// merges are the parameters of withMerged.
func (o *registered) merges() []any { return []any{named("m_from", o.from), named("m_to", o.to)} }
