package dashboards

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// queriesAtOnce bounds what one page asks of the store at the same time.
const queriesAtOnce = 4

// maxDays bounds the columns of the chart of days.
const maxDays = 92

type overviewBody struct {
	Totals   totals
	Rounds   roundTotals
	Emotions []emotionRow
	Most     uint64 // turns of the most frequent emotion other than neutral
	Rules    []ruleRow
	Mentions mentionTable
	Quotes   []*quoteGroup
	Days     []dayRow
	DaysCut  bool
	Peak     uint64
	Undated  uint64
	Shops    []shopRow
	Options  options
}

type totals struct {
	Any      uint64   `ch:"any"`
	Open     uint64   `ch:"open"`
	Sessions uint64   `ch:"sessions"`
	Turns    uint64   `ch:"turns"`
	Flagged  uint64   `ch:"flagged_sessions"`
	Score    *float64 `ch:"mean_score"`
}

type roundTotals struct {
	Rounds     uint64   `ch:"rounds"`
	Within     uint64   `ch:"within"`
	Unanswered uint64   `ch:"unanswered"`
	Reply      *float64 `ch:"mean_reply"`
}

type emotionRow struct {
	Emotion  string `ch:"emotion"`
	Turns    uint64 `ch:"turns"`
	Sessions uint64 `ch:"sessions"`
}

type ruleRow struct {
	Rule     string  `ch:"rule_id"`
	Severity string  `ch:"worst"`
	Sessions uint64  `ch:"sessions"`
	Points   float64 `ch:"lost"`
	Judged   uint64  // sessions in which the rule applied
}

type mentionCell struct {
	Kind     string `ch:"kind"`
	Aspect   string `ch:"aspect"`
	Mentions uint64 `ch:"mentions"`
	Sessions uint64 `ch:"sessions"`
}

type mentionTable struct {
	Kinds []string
	Rows  []mentionLine
	Most  uint64
}

type mentionLine struct {
	Aspect string
	Cells  []mentionCell
}

type quote struct {
	Kind    string `ch:"kind"`
	Aspect  string `ch:"aspect"`
	Text    string `ch:"text"`
	Session string `ch:"session_id"`
	Seq     int64  `ch:"seq"`
}

type quoteGroup struct {
	mentionCell
	Quotes []quote
}

type dayRow struct {
	Day      string `ch:"on"`
	Sessions uint64 `ch:"sessions"`
	Flagged  uint64 `ch:"flagged_sessions"`
}

type shopRow struct {
	Shop     string   `ch:"shop"`
	Sessions uint64   `ch:"sessions"`
	Flagged  uint64   `ch:"flagged_sessions"`
	Score    *float64 `ch:"mean_score"`
	Reply    *float64 `ch:"mean_first"`
}

func (s *site) overview(ctx context.Context, p *page, _ *http.Request) error {
	p.Title = p.T("overview")
	p.Filter = p.Filter.only("from", "to", "shop", "channel")
	b := &overviewBody{}
	p.Body = b
	all, allArgs := p.Filter.where()
	where, args := p.Filter.closed().where()
	ids, _ := p.Filter.closed().ids()
	var cells []mentionCell
	var quotes []quote
	var judged []ruleRow
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(queriesAtOnce)
	read := func(dest any, sql string, args []any) {
		g.Go(func() error { return s.DB.Select(gctx, dest, sql, args...) })
	}
	g.Go(func() error {
		return s.DB.QueryRow(gctx, `SELECT count() AS any, countIf(state = 'open') AS open, countIf(state = 'closed') AS sessions, sumIf(turns, state = 'closed') AS turns,
			countIf(flagged AND state = 'closed') AS flagged_sessions, avgIf(score, state = 'closed') AS mean_score FROM sessions WHERE `+all, allArgs...).ScanStruct(&b.Totals)
	})
	g.Go(func() error {
		return s.DB.QueryRow(gctx, `SELECT count() AS rounds, countIf(reply_ms <= 180000) AS within, countIf(reply_seq IS NULL) AS unanswered, avg(reply_ms) AS mean_reply
			FROM rounds WHERE agent_id != '' AND `+ids, args...).ScanStruct(&b.Rounds)
	})
	read(&b.Emotions, `SELECT emotion, count() AS turns, uniqExact(session_id) AS sessions FROM turns WHERE role = 'customer' AND `+ids+` GROUP BY emotion ORDER BY turns DESC, emotion`, args)
	read(&b.Rules, `SELECT rule_id, argMax(severity, indexOf(['info', 'minor', 'major', 'critical'], severity)) AS worst, uniqExact(session_id) AS sessions, sum(points) AS lost
		FROM hits WHERE `+breach+` AND `+ids+` GROUP BY rule_id ORDER BY sessions DESC, rule_id LIMIT 20`, args)
	read(&judged, `SELECT rule_id, count() AS sessions FROM outcomes WHERE outcome != 'na' AND `+ids+` GROUP BY rule_id`, args)
	read(&cells, `SELECT kind, aspect, count() AS mentions, uniqExact(session_id) AS sessions FROM mentions WHERE `+ids+` GROUP BY kind, aspect ORDER BY mentions DESC, kind, aspect`, args)
	// Of what is worth acting on the words in the middle: the longest ramble, the shortest say nothing.
	read(&quotes, `SELECT kind, aspect, text, any(session_id) AS session_id, any(seq) AS seq FROM (SELECT * FROM mentions WHERE valuable AND `+ids+` ORDER BY session_id, seq, start)
		GROUP BY kind, aspect, text ORDER BY kind, aspect, abs(toInt64(lengthUTF8(text)) - 16), text LIMIT 3 BY kind, aspect`, args)
	read(&b.Days, `SELECT ifNull(toString(day), '') AS on, count() AS sessions, countIf(flagged) AS flagged_sessions FROM sessions WHERE `+where+` GROUP BY day ORDER BY day NULLS LAST`, args)
	read(&b.Shops, `SELECT shop, count() AS sessions, countIf(flagged) AS flagged_sessions, avg(score) AS mean_score, avg(first_reply_ms) AS mean_first
		FROM sessions WHERE `+where+` GROUP BY shop ORDER BY sessions DESC, shop LIMIT 50`, args)
	g.Go(func() (err error) { b.Options, err = s.options(gctx, p); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range b.Emotions {
		if e.Emotion != "neutral" {
			b.Most = max(b.Most, e.Turns)
		}
	}
	for i := range b.Rules {
		for _, j := range judged {
			if j.Rule == b.Rules[i].Rule {
				b.Rules[i].Judged = j.Sessions
			}
		}
	}
	b.Mentions = tabulate(cells)
	for _, c := range cells {
		group := &quoteGroup{mentionCell: c}
		for _, q := range quotes {
			if q.Kind == c.Kind && q.Aspect == c.Aspect {
				group.Quotes = append(group.Quotes, q)
			}
		}
		if len(group.Quotes) > 0 && len(b.Quotes) < 6 {
			b.Quotes = append(b.Quotes, group)
		}
	}
	b.fillDays()
	return nil
}

// tabulate makes rows of aspects and columns of kinds, both by how often they come.
func tabulate(cells []mentionCell) mentionTable {
	var t mentionTable
	byKind, byAspect := map[string]uint64{}, map[string]uint64{}
	at := map[[2]string]mentionCell{}
	for _, c := range cells {
		byKind[c.Kind] += c.Mentions
		byAspect[c.Aspect] += c.Mentions
		at[[2]string{c.Kind, c.Aspect}] = c
		t.Most = max(t.Most, c.Sessions)
	}
	t.Kinds = byCount(byKind)
	for _, a := range byCount(byAspect) {
		line := mentionLine{Aspect: a}
		for _, k := range t.Kinds {
			line.Cells = append(line.Cells, at[[2]string{k, a}])
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

func byCount(m map[string]uint64) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b string) int {
		if m[a] != m[b] {
			return int(int64(m[b]) - int64(m[a]))
		}
		if a < b {
			return -1
		}
		return 1
	})
	return out
}

// fillDays takes the sessions without a day out of the list, puts in the days without a session, and keeps the latest.
func (b *overviewBody) fillDays() {
	if n := len(b.Days); n > 0 && b.Days[n-1].Day == "" {
		b.Undated = b.Days[n-1].Sessions
		b.Days = b.Days[:n-1]
	}
	if len(b.Days) == 0 {
		return
	}
	last, err := time.Parse(time.DateOnly, b.Days[len(b.Days)-1].Day)
	if err != nil {
		return // toString of a Date is always one
	}
	known := map[string]dayRow{}
	for _, d := range b.Days {
		known[d.Day] = d
	}
	first := b.Days[0].Day
	var days []dayRow
	for i := range maxDays {
		day := last.AddDate(0, 0, -i).Format(time.DateOnly)
		if day < first {
			break
		}
		d := known[day]
		d.Day = day
		b.Peak = max(b.Peak, d.Sessions)
		days = append(days, d)
	}
	slices.Reverse(days)
	b.DaysCut = days[0].Day > first
	b.Days = days
}

// options are the values the filters offer.
type options struct {
	Shops    []string `ch:"shops"`
	Teams    []string `ch:"teams"`
	Channels []string `ch:"channels"`
	Agents   []string `ch:"agents"`
	Rules    []string
	Names    map[string]string // of agents by id
}

// optionsAge is how long the values the filters offer are kept: they change seldom, and every page shows them.
const optionsAge = 10 * time.Second

// options gives the values the filters offer to the reader of the page, not older than optionsAge. The result is shared
// and must not be changed.
func (s *site) options(ctx context.Context, p *page) (options, error) {
	if !p.Filter.scope.All() {
		return s.readOptions(ctx, p.Filter.only())
	}
	s.offered.Lock()
	defer s.offered.Unlock()
	if !s.offered.at.IsZero() && time.Since(s.offered.at) < optionsAge {
		return s.offered.options, nil
	}
	o, err := s.readOptions(ctx, p.Filter.only())
	if err == nil && len(o.Channels) > 0 {
		s.offered.options, s.offered.at = o, time.Now()
	}
	return o, err
}

func (s *site) readOptions(ctx context.Context, all Filter) (options, error) {
	var o options
	where, args := all.where()
	ids, _ := all.ids()
	err := s.DB.QueryRow(ctx, `SELECT arraySort(groupUniqArray(500)(shop)) AS shops, arraySort(groupUniqArray(500)(team)) AS teams,
		arraySort(groupUniqArray(500)(channel)) AS channels, arraySort(groupUniqArrayArray(500)(agent_ids)) AS agents FROM sessions WHERE `+where, args...).ScanStruct(&o)
	if err != nil {
		return o, err
	}
	if err := s.DB.QueryRow(ctx, `SELECT arraySort(groupUniqArray(500)(rule_id)) FROM hits WHERE `+breach+` AND `+ids, args...).Scan(&o.Rules); err != nil {
		return o, err
	}
	o.Names, err = s.agentNames(ctx, where, args)
	return o, err
}

// agentNames are the names of agents by id, each as its latest session has it.
func (s *site) agentNames(ctx context.Context, where string, args []any) (map[string]string, error) {
	var rows []struct {
		Agent string `ch:"agent"`
		Name  string `ch:"latest"`
	}
	err := s.DB.Select(ctx, &rows, `SELECT if(agent_id != '', agent_id, agent_ids[1]) AS agent, argMax(agent_name, (ifNull(started_at, toDateTime64(0, 3, 'UTC')), agent_name)) AS latest
		FROM sessions WHERE agent_name != '' AND `+where+` GROUP BY agent`, args...)
	names := make(map[string]string, len(rows))
	for _, r := range rows {
		names[r.Agent] = r.Name
	}
	return names, err
}
