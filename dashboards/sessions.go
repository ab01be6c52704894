package dashboards

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"
)

const perPage = 50

type sessionRow struct {
	ID         string     `ch:"session_id"`
	StartedAt  *time.Time `ch:"started_at"`
	State      string     `ch:"state"`
	Channel    string     `ch:"channel"`
	Shop       string     `ch:"shop"`
	Team       string     `ch:"team"`
	Agents     []string   `ch:"agent_ids"`
	Turns      uint32     `ch:"turns"`
	Score      *float64   `ch:"score"`
	Experience float64    `ch:"experience"`
	Flagged    bool       `ch:"flagged"`
	Severity   string     `ch:"severity"`
	Start      string     `ch:"emotion_start"`
	End        string     `ch:"emotion_end"`
	Text       string     // what the customer opens with, or the first turn that holds what was searched for
	Rules      []string
}

type sessionsBody struct {
	Total   uint64
	Pages   int
	Rows    []sessionRow
	Options options
	Any     bool // whether sessions may be there that the filter leaves out, or are
}

func (s *site) sessions(ctx context.Context, p *page, _ *http.Request) error {
	p.Title = p.T("sessions")
	b := &sessionsBody{}
	p.Body = b
	where, args := p.Filter.where()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(queriesAtOnce)
	g.Go(func() error {
		return s.DB.QueryRow(gctx, "SELECT count() FROM sessions WHERE "+where, args...).Scan(&b.Total)
	})
	g.Go(func() (err error) { b.Options, err = s.options(gctx, p); return err })
	g.Go(func() error {
		sql := fmt.Sprintf(`SELECT session_id, started_at, state, channel, shop, team, agent_ids, turns, score, experience, flagged, severity, emotion_start, emotion_end
			FROM sessions WHERE %s
			ORDER BY indexOf(['info', 'minor', 'major', 'critical'], severity) DESC, experience, started_at DESC NULLS LAST, session_id
			LIMIT %d OFFSET %d`, where, perPage, (p.Filter.Page-1)*perPage)
		return s.DB.Select(gctx, &b.Rows, sql, args...)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	b.Any = b.Total > 0 || p.Filter.Set()
	b.Pages = (int(b.Total) + perPage - 1) / perPage
	if p.Filter.Page > max(b.Pages, 1) {
		return &problem{http.StatusNotFound, "no_such_list", fmt.Sprint(b.Pages)}
	}
	return s.describe(ctx, p.Filter, b.Rows)
}

// describe adds to the rows of a list a line of text and the rules that were broken.
func (s *site) describe(ctx context.Context, f Filter, rows []sessionRow) error {
	if len(rows) == 0 {
		return nil
	}
	byID := map[string]*sessionRow{}
	var names []string
	var args []any
	for i := range rows {
		name := fmt.Sprintf("id%d", i)
		byID[rows[i].ID] = &rows[i]
		names = append(names, "{"+name+":String}")
		args = append(args, clickhouse.Named(name, rows[i].ID))
	}
	ids := "session_id IN (" + strings.Join(names, ", ") + ")"
	wanted := "role = 'customer' AND text != ''"
	textArgs := args
	if f.Get("q") != "" {
		_, q := f.only("q").where()
		wanted, textArgs = "text ILIKE {q:String}", append(textArgs[:len(textArgs):len(textArgs)], q...)
	}
	var texts []struct {
		ID   string `ch:"session_id"`
		Text string `ch:"line"`
	}
	if err := s.DB.Select(ctx, &texts, "SELECT session_id, argMin(text, position) AS line FROM turns WHERE "+wanted+" AND "+ids+" GROUP BY session_id", textArgs...); err != nil {
		return err
	}
	for _, t := range texts {
		if r := byID[t.ID]; r != nil {
			r.Text = t.Text
		}
	}
	var hits []struct {
		ID    string   `ch:"session_id"`
		Rules []string `ch:"rules"`
	}
	if err := s.DB.Select(ctx, &hits, "SELECT session_id, arraySort(groupUniqArray(rule_id)) AS rules FROM hits WHERE "+breach+" AND severity != 'info' AND "+ids+" GROUP BY session_id", args...); err != nil {
		return err
	}
	for _, h := range hits {
		if r := byID[h.ID]; r != nil {
			r.Rules = h.Rules
		}
	}
	return nil
}
