package api

import (
	"context"
	"strings"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// facts is one moment of the copies that pages read (warehouse.Facts): what the views say, in an order that suits pages.
// Its methods give what stands behind FROM; conditions are those of filter.Facts.
type facts struct{ cut warehouse.FactsCut }

// facts brings the copies up to what is written by now.
func (a *API) facts(ctx context.Context) (facts, error) {
	cut, err := a.Warehouse.Facts(ctx)
	return facts{cut}, err
}

// said tells the filter of a request, where it asks for words, in which turns they are to be looked for.
func (a *API) said(r *Request) (filter.Filter, error) {
	if r.Filter.Get("q") == "" {
		return r.Filter, nil
	}
	cut, err := a.Warehouse.TurnFacts(r.Context())
	return r.Filter.Said(cut.Live()), err
}

// sessions are rows of the view sessions, with hits and mentions as arrays.
func (x facts) sessions(where string) string {
	return "session_facts WHERE " + x.cut.Live() + " AND (" + where + ")"
}

// hits are rows of the view hits in the sessions of a condition.
func (x facts) hits(where string) string {
	return `(SELECT session_id, started_at, day, shop, team, channel, state AS session_state, hit_id AS h0, hit_rule AS h1, hit_version AS h2, hit_agent AS h3, hit_outcome AS h4, hit_severity AS h5, hit_points AS h6,
			hit_decision AS h7, hit_state AS h8, hit_conflict AS h9, hit_appeals AS h10 FROM ` + x.sessions(where) + `)
		ARRAY JOIN h0 AS hit_id, h1 AS rule_id, h2 AS rule_version, h3 AS agent_id, h4 AS outcome, h5 AS severity, h6 AS points, h7 AS decision, h8 AS state, h9 AS conflict, h10 AS appeals`
}

// opinions is an expression of the opinion that an opinion counts for.
const mergedOpinion = "if(empty(merged.1), opinion, transform(opinion, arrayPushBack(merged.1, ''), arrayPushBack(merged.2, ''), opinion))"

// withMerged names the merges for mergedOpinion; its parameters are those of registered.merges.
const withMerged = "WITH ({m_from:Array(String)}, {m_to:Array(String)}) AS merged "

// days is a condition that lets the engine find rows by their days.
func daysOf(list []string) string { return "day IN ('" + strings.Join(list, "', '") + "')" }
