package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Overview is one day beside the day before and the same day a week before.
type Overview struct {
	Day       string         `json:"day"`
	Yesterday string         `json:"yesterday" doc:"the day before"`
	LastWeek  string         `json:"last_week" doc:"the same day a week before"`
	Latest    *string        `json:"latest_day" doc:"last day with a session, null without any"`
	Figures   []Figure       `json:"figures"`
	Emotions  []EmotionDay   `json:"emotions" doc:"of customer turns, the most frequent first"`
	Days      []DayCount     `json:"days" doc:"the 14 days up to it"`
	Hours     []HourCount    `json:"hours" doc:"sessions of the day by hour of their start"`
	Rules     []RuleCount    `json:"rules" doc:"rules broken most on that day, at most 10"`
	New       []OpinionRow   `json:"new_opinions" doc:"at most 10"`
	Rising    []OpinionRow   `json:"rising_opinions" doc:"at most 10"`
	Alerts    []AlertSummary `json:"alerts" doc:"of that day by severity"`
	Coming    bool           `json:"day_is_today" doc:"the day is not over yet"`
}

// Figure is a number of the overview.
type Figure struct {
	Name      string   `json:"name" doc:"sessions, open, flagged, undecided, turns, score, experience, or a figure of the KPI views"`
	Unit      string   `json:"unit" enum:"count,ms,ratio,points,money,mean"`
	Day       *float64 `json:"day"`
	Yesterday *float64 `json:"yesterday"`
	LastWeek  *float64 `json:"last_week"`
	View      string   `json:"view" doc:"view that it can be selected from"`
	Link      string   `json:"link" doc:"address in this API of the sessions behind it, without the prefix; empty where the role may not ask for it"`
}

// EmotionDay is how often an emotion was heard.
type EmotionDay struct {
	Emotion   string `json:"emotion"`
	Day       uint64 `json:"day" doc:"customer turns"`
	Yesterday uint64 `json:"yesterday"`
	LastWeek  uint64 `json:"last_week"`
	Link      string `json:"link"`
}

// DayCount is how much there was on a day.
type DayCount struct {
	Day      Day      `json:"day"`
	Sessions uint64   `json:"sessions"`
	Flagged  uint64   `json:"flagged"`
	Score    *float64 `json:"score"`
}

// HourCount is how much there was in an hour.
type HourCount struct {
	Hour     uint8  `ch:"hour" json:"hour"`
	Sessions uint64 `ch:"sessions" json:"sessions"`
	Flagged  uint64 `ch:"flagged_sessions" json:"flagged"`
}

// RuleCount is how often a rule was broken.
type RuleCount struct {
	Rule     string `ch:"rule_id" json:"rule_id"`
	Severity string `ch:"worst" json:"severity"`
	Sessions uint64 `ch:"sessions" json:"sessions"`
}

// AlertSummary counts alerts.
type AlertSummary struct {
	Severity string `ch:"severity" json:"severity"`
	Alerts   uint64 `ch:"alerts" json:"alerts"`
	Waiting  uint64 `ch:"waiting" json:"waiting" doc:"that are to be taken and nobody has; not those of old conversations, which are told to nobody"`
}

var overviewFilters = []string{"shop", "channel", "business", "team"}

func (a *API) overviewRoutes() []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/overview", Roles: staff, Summary: "One day beside the day before and a week before: volume, flags, emotions, replies, conversion, opinions, alerts",
		Filters: overviewFilters, Query: []Param{{Name: "day", Type: "day", Doc: "today where it is not given"}, profileParam},
		Response: Overview{}, Handle: a.overview,
	}}
}

// totalRow are the figures about the sessions of one day.
type totalRow struct {
	Day        time.Time `ch:"day"`
	Sessions   float64   `ch:"sessions"`
	Open       float64   `ch:"open_sessions"`
	Flagged    float64   `ch:"flagged_sessions"`
	Unreviewed float64   `ch:"unreviewed"`
	Turns      float64   `ch:"all_turns"`
	Score      *float64  `ch:"mean_score"`
	Experience *float64  `ch:"mean_experience"`
}

func dayBefore(day time.Time, n int) time.Time { return day.AddDate(0, 0, -n) }

func parseDay(s string) time.Time {
	t, _ := time.Parse(time.DateOnly, s) // checked by the framework
	return t
}

func (a *API) overview(r *Request) (any, error) {
	name := cmp.Or(r.Get("day"), a.today())
	day := parseDay(name)
	days := []time.Time{day, dayBefore(day, 1), dayBefore(day, 7)}
	o := &Overview{Day: name, Yesterday: days[1].Format(time.DateOnly), LastWeek: days[2].Format(time.DateOnly), Coming: name == a.today()}
	var list []string
	for _, d := range days {
		list = append(list, d.Format(time.DateOnly))
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	where, p := r.Filter.Facts()
	p = params(p, []any{named("days", list), named("first", list[2]), named("last", list[0])})
	var totals []totalRow
	var replies []replyRow
	shops := make([]shopDay, len(days))
	var emotions []struct {
		Emotion string    `ch:"emotion"`
		Day     time.Time `ch:"day"`
		Turns   uint64    `ch:"n"`
	}
	var latest []struct {
		Day *time.Time `ch:"latest"`
	}
	q := a.reads(r.Context())
	q.all(&totals, `SELECT assumeNotNull(day) AS day, toFloat64(count()) AS sessions, toFloat64(countIf(state = 'open')) AS open_sessions, toFloat64(countIf(flagged AND state = 'closed')) AS flagged_sessions,
		toFloat64(countIf(flagged AND NOT reviewed AND state = 'closed')) AS unreviewed, toFloat64(sum(turns)) AS all_turns, avgIf(score, state = 'closed') AS mean_score, toNullable(avgIf(experience, state = 'closed')) AS mean_experience
		FROM `+x.sessions("day BETWEEN {fortnight:Date} AND {last:Date} AND "+where)+" GROUP BY day ORDER BY day", params(p, []any{named("fortnight", dayBefore(day, 13).Format(time.DateOnly))})...)
	q.all(&emotions, `SELECT toString(emotion) AS emotion, assumeNotNull(day) AS day, sum(turns) AS n FROM (SELECT day, heard, heard_turns FROM `+x.sessions(daysOf(list)+" AND "+where)+`)
		ARRAY JOIN heard AS emotion, heard_turns AS turns GROUP BY emotion, day ORDER BY n DESC, emotion`, p...)
	q.all(&latest, "SELECT day AS latest FROM "+x.sessions("day IS NOT NULL AND "+where)+" ORDER BY day DESC LIMIT 1", p...)
	q.all(&o.Hours, fmt.Sprintf(`SELECT toHour(assumeNotNull(started_at), '%s') AS hour, count() AS sessions, countIf(flagged AND state = 'closed') AS flagged_sessions
		FROM %s GROUP BY hour ORDER BY hour`, a.Timezone.String(), x.sessions("day = {last:Date} AND "+where)), p...)
	q.all(&o.Rules, "SELECT toString(rule_id) AS rule_id, toString(argMax(severity, "+rank+")) AS worst, uniqExact(session_id) AS sessions FROM "+x.hits("day = {last:Date} AND state = 'closed' AND "+where)+
		" WHERE severity != 'info' AND "+filter.Breach+" GROUP BY rule_id ORDER BY sessions DESC, rule_id LIMIT 10", p...)
	alertsWhere, ap := alertFilter(r)
	q.all(&o.Alerts, fmt.Sprintf(`SELECT severity, count() AS alerts, countIf(`+openAlerts+`) AS waiting FROM alerts
		WHERE toDate(at, '%s') = {last:Date} AND %s GROUP BY severity ORDER BY %s DESC`, a.Timezone.String(), alertsWhere, rank), params(p, ap)...)
	q.all(&replies, "SELECT "+replyColumns+` FROM (SELECT round_agent, round_day, round_reply_ms, round_first, round_timed FROM `+x.sessions("until_day >= {first:Date} AND since_day <= {last:Date} AND "+where)+`)
		ARRAY JOIN round_agent AS agent, round_day AS day, round_reply_ms AS reply_ms, round_first AS first, round_timed AS timed WHERE agent != '' AND `+daysOf(list)+" GROUP BY day", p...)
	var fresh, rising []OpinionRow
	q.run(func(ctx context.Context) error {
		all, err := a.opinionTable(ctx, x, r.Filter, "")
		if err != nil {
			return err
		}
		fresh, rising = topOpinions(all, "new"), topOpinions(all, "rising")
		return nil
	})
	kpi, ok, err := a.kpiQuery(r, warehouse.KPIByShop)
	if err != nil {
		return nil, err
	}
	if ok {
		kpi.From, kpi.To, kpi.Days = days[len(days)-1], day, days
		q.run(func(ctx context.Context) error {
			rows, err := a.Warehouse.KPI(ctx, kpi)
			for i, d := range days {
				shops[i] = sumShops(slices.DeleteFunc(slices.Clone(rows), func(x warehouse.KPIRow) bool { return !sameDay(x.Day.Time, d) }))
			}
			return kpiError(err)
		})
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	if err := a.sparks(r.Context(), x, r.Filter, fresh, rising); err != nil {
		return nil, err
	}
	o.New, o.Rising = fresh, rising
	if len(latest) > 0 && latest[0].Day != nil {
		s := latest[0].Day.Format(time.DateOnly)
		o.Latest = &s
	}
	link := func(more ...string) string {
		f := r.Filter.With("from", name).With("to", name)
		for i := 0; i+1 < len(more); i += 2 {
			f = f.With(more[i], more[i+1])
		}
		return "/sessions?" + f.String()
	}
	index := func(d time.Time) int { return slices.IndexFunc(days, func(x time.Time) bool { return sameDay(x, d) }) }
	var total [3]totalRow
	for _, t := range totals {
		o.Days = append(o.Days, DayCount{Day{Time: t.Day}, uint64(t.Sessions), uint64(t.Flagged), t.Score})
		if i := index(t.Day); i >= 0 {
			total[i] = t
		}
	}
	var reply [3]replyRow
	for _, x := range replies {
		if i := index(*x.Day); i >= 0 {
			reply[i] = x
		}
	}
	add := func(figure, unit, view, link string, value func(i int) *float64) {
		o.Figures = append(o.Figures, Figure{figure, unit, value(0), value(1), value(2), view, link})
	}
	add("sessions", "count", "sessions", link(), func(i int) *float64 { return &total[i].Sessions })
	add("open", "count", "sessions", link("state", "open"), func(i int) *float64 { return &total[i].Open })
	add("flagged", "count", "sessions", link("state", "closed", "flagged", "1"), func(i int) *float64 { return &total[i].Flagged })
	add("unreviewed", "count", "sessions", link("state", "closed", "flagged", "1", "reviewed", "0"), func(i int) *float64 { return &total[i].Unreviewed })
	add("turns", "count", "sessions", link(), func(i int) *float64 { return &total[i].Turns })
	add("score", "points", "sessions", link("state", "closed"), func(i int) *float64 { return total[i].Score })
	add("experience", "mean", "sessions", link("state", "closed"), func(i int) *float64 { return total[i].Experience })
	add("rounds", "count", "rounds", a.kpiLink(r, "rounds", name), func(i int) *float64 { return &reply[i].Rounds })
	add("avg_reply_ms", "ms", "rounds", a.kpiLink(r, "avg_reply_ms", name), func(i int) *float64 { return reply[i].Mean })
	add("first_reply_ms", "ms", "rounds", a.kpiLink(r, "first_reply_ms", name), func(i int) *float64 { return reply[i].First })
	add("within_180s", "ratio", "rounds", a.kpiLink(r, "within_180s", name), func(i int) *float64 { return reply[i].Within })
	add("received", "count", "shop_kpi", a.kpiLink(r, "received", name), func(i int) *float64 { return &shops[i].received })
	add("conversion", "ratio", "shop_kpi", a.kpiLink(r, "conversion", name), func(i int) *float64 { return shops[i].conversion() })
	add("sales", "money", "shop_kpi", a.kpiLink(r, "sales", name), func(i int) *float64 { return &shops[i].sales })
	at := map[string]*EmotionDay{}
	var order []string
	for _, e := range emotions {
		x := at[e.Emotion]
		if x == nil {
			x = &EmotionDay{Emotion: e.Emotion, Link: link("emotion", e.Emotion)}
			at[e.Emotion] = x
			order = append(order, e.Emotion)
		}
		switch index(e.Day) {
		case 0:
			x.Day = e.Turns
		case 1:
			x.Yesterday = e.Turns
		case 2:
			x.LastWeek = e.Turns
		}
	}
	for _, e := range order {
		o.Emotions = append(o.Emotions, *at[e])
	}
	slices.SortStableFunc(o.Emotions, func(x, y EmotionDay) int { return cmp.Compare(y.Day, x.Day) })
	return o, nil
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

// replyRow are the figures about replies of one day: those of the view rounds, by the day of the question.
type replyRow struct {
	Day    *time.Time `ch:"day"`
	Rounds float64    `ch:"n"`
	Mean   *float64   `ch:"mean"`
	First  *float64   `ch:"first_mean"`
	Within *float64   `ch:"within"`
}

const replyColumns = `day, toFloat64(count()) AS n, avg(reply_ms) AS mean, avgIf(reply_ms, first) AS first_mean,
	countIf(reply_ms <= 180000) / nullIf(countIf(timed), 0) AS within`

// shopDay adds up the figures of shop_kpi of one day: customers of two shops count in both.
type shopDay struct {
	received, sales float64
	preOrder, won   float64
}

func sumShops(rows []warehouse.KPIRow) shopDay {
	var d shopDay
	for _, x := range rows {
		d.received += float64(x.Received)
		d.sales += x.Sales.InexactFloat64()
		if x.Conversion != nil {
			d.preOrder += float64(x.PreOrder)
			d.won += float64(x.PreOrder) * *x.Conversion
		}
	}
	return d
}

func (d shopDay) conversion() *float64 {
	if d.preOrder == 0 {
		return nil
	}
	c := d.won / d.preOrder
	return &c
}
