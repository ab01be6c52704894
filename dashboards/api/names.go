package api

import (
	"context"
	"fmt"
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

// opinionTitles are the titles of all opinions and where merged ones went. They are shared and must not be changed.
type opinionTitles struct{ titles, merged map[string]string }

func (a *API) opinionTitles(ctx context.Context, x facts) (*opinionTitles, error) {
	return memo.Remember(ctx, a.memo, "titles"+x.cut.Opinions, nil, func(ctx context.Context) (*opinionTitles, error) {
		var list []OpinionRef
		var gone []struct {
			ID     string `ch:"opinion_id"`
			Target string `ch:"target_id"`
		}
		q := a.reads(ctx)
		q.all(&list, "SELECT opinion_id, title FROM opinion_heads")
		q.all(&gone, "SELECT opinion_id, target_id FROM opinion_redirects")
		if err := q.wait(); err != nil {
			return nil, err
		}
		out := &opinionTitles{make(map[string]string, len(list)), make(map[string]string, len(gone))}
		for _, o := range list {
			out.titles[o.ID] = o.Title
		}
		for _, o := range gone {
			out.merged[o.ID] = o.Target
		}
		return out, nil
	})
}
