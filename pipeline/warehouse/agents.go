package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Agent is an agent's name and team from a time on, until the agent's next row.
type Agent struct {
	AgentID   string
	Name      string
	Team      string
	ValidFrom time.Time // zero = ever
}

// SaveAgents stores agents; a row for the same agent and time replaces the one before. The views show the new teams at
// once, for past sessions too.
func (w *Warehouse) SaveAgents(ctx context.Context, agents []Agent) error {
	type A = Agent
	in := &inserter[A]{table: "agents", bytes: func(*A) int { return 256 }}
	in.add(
		scalar("agent_id", func(a *A) *string { return &a.AgentID }),
		scalar("name", func(a *A) *string { return &a.Name }),
		scalar("team", func(a *A) *string { return &a.Team }),
		scalar("valid_from", func(a *A) time.Time { return clampTime(a.ValidFrom) }),
	)
	// One statement stamps all its rows with one time, so the last row for a key must be alone.
	last := make(map[string]int, len(agents))
	key := func(a *A) string { return a.AgentID + "\x00" + clampTime(a.ValidFrom).UTC().String() }
	for i := range agents {
		last[key(&agents[i])] = i
	}
	var rows []*A
	for i := range agents {
		if last[key(&agents[i])] == i {
			rows = append(rows, &agents[i])
		}
	}
	return insert(ctx, w, in, rows)
}

// Agents gives the imported agents by agent and time.
func (w *Warehouse) Agents(ctx context.Context) ([]Agent, error) {
	var out []Agent
	err := w.query(ctx, "SELECT agent_id, name, team, valid_from FROM agents FINAL ORDER BY agent_id, valid_from", func(rows driver.Rows) error {
		var a Agent
		if err := rows.Scan(&a.AgentID, &a.Name, &a.Team, &a.ValidFrom); err != nil {
			return err
		}
		if a.ValidFrom = a.ValidFrom.UTC(); a.ValidFrom.UnixMilli() == 0 {
			a.ValidFrom = time.Time{}
		}
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the agents: %w", err)
	}
	return out, nil
}

// Roster answers who was in which team when. It is safe for concurrent use.
type Roster struct{ byAgent map[string][]Agent }

// NewRoster makes a roster of agents in any order.
func NewRoster(agents []Agent) *Roster {
	r := &Roster{map[string][]Agent{}}
	for _, a := range agents {
		r.byAgent[a.AgentID] = append(r.byAgent[a.AgentID], a)
	}
	for _, list := range r.byAgent {
		slices.SortStableFunc(list, func(a, b Agent) int { return a.ValidFrom.Compare(b.ValidFrom) })
	}
	return r
}

// At gives the agent's row at a time, by the same rule as the views: the last one that had begun; at the zero time the
// last of all.
func (r *Roster) At(agentID string, at time.Time) (Agent, bool) {
	list := r.byAgent[agentID]
	n := len(list)
	if !at.IsZero() {
		n, _ = slices.BinarySearchFunc(list, at, func(a Agent, t time.Time) int {
			return cmp.Or(a.ValidFrom.Compare(t), -1) // those that begin at t have begun
		})
	}
	if n == 0 {
		return Agent{}, false
	}
	return list[n-1], true
}
