package dashboards

import (
	"context"
	"net/http"
	"slices"

	"github.com/tingke/tingke/pipeline/warehouse"
)

type viewColumns struct {
	View    string
	Columns []column
}

type column struct {
	View    string `ch:"table"`
	Name    string `ch:"name"`
	Type    string `ch:"type"`
	Comment string `ch:"comment"`
}

// sample is a query that people may start from.
type sample struct{ Title, SQL string }

var samples = []sample{
	{"sample_flagged", "SELECT session_id, shop, score, severity\nFROM sessions\nWHERE flagged AND state = 'closed'\nORDER BY score"},
	{"sample_rules", "SELECT rule_id, severity, uniqExact(session_id) AS sessions\nFROM hits\nWHERE closed\nGROUP BY rule_id, severity\nORDER BY sessions DESC"},
	{"sample_opinions", "SELECT aspect, kind, count() AS mentions, uniqExact(session_id) AS sessions, groupArray(3)(text) AS quotes\nFROM mentions\nWHERE valuable\nGROUP BY aspect, kind\nORDER BY mentions DESC"},
	{"sample_reply", "SELECT agent_id, count() AS rounds, avg(reply_ms) / 1000 AS reply_s, countIf(reply_ms <= 180000) / count() AS within_180s\nFROM rounds\nWHERE closed AND agent_id != ''\nGROUP BY agent_id\nORDER BY agent_id"},
	{"sample_text", "SELECT session_id, seq, text\nFROM turns\nWHERE role = 'customer' AND text ILIKE '%多少钱%'"},
}

type dataBody struct {
	Views   []viewColumns
	Samples []sample
}

func (s *site) data(ctx context.Context, p *page, _ *http.Request) error {
	p.Title = p.T("data")
	var columns []column
	if err := s.DB.Select(ctx, &columns, "SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"); err != nil {
		return err
	}
	b := &dataBody{Samples: samples}
	p.Body = b
	for _, v := range warehouse.PublicViews() {
		x := viewColumns{View: v.Name}
		for _, c := range columns {
			if c.View == v.Name {
				x.Columns = append(x.Columns, c)
			}
		}
		if len(x.Columns) > 0 {
			b.Views = append(b.Views, x)
		}
	}
	if !slices.ContainsFunc(b.Views, func(x viewColumns) bool { return x.View == "sessions" }) {
		return &problem{http.StatusServiceUnavailable, "no_schema", ""}
	}
	return nil
}
