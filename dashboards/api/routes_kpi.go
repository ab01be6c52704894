package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/warehouse"
)

var profileParam = Param{Name: "profile", Type: "text", Enum: warehouse.KPIProfileNames, Default: "generic", Doc: "how figures are computed"}

// leastTeam is the number of agents from which a team's mean says something about others than the one asked for.
const leastTeam = 5

// defaultDays is the length of a period whose first day is not given.
const defaultDays = 30

// KPITable is figures with what they are compared with.
type KPITable struct {
	By      string             `json:"by" enum:"agent,team,shop,channel"`
	Profile string             `json:"profile"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	Rows    []KPILine          `json:"rows" doc:"pooled over the period: customers are distinct in it"`
	Teams   []warehouse.KPIRow `json:"teams" doc:"by agent: the teams of the rows, pooled over the period; all shops together"`
	Figures []string           `json:"figures" doc:"names of the figures, in order"`
	// All is what everybody whom the caller may see has together.
	All    *warehouse.KPIRow `json:"all" doc:"with whole=1: all agents of the filters together; null for agents, who see no more than their team"`
	Agents int               `json:"agents" doc:"with whole=1: how many agents that is"`
}

// KPILine is one row with the values that make it comparable.
type KPILine struct {
	warehouse.KPIRow
	Name     string `json:"name" doc:"of the agent"`
	TeamSize int    `json:"team_size" doc:"by agent: agents of the team with figures in the period; a mean of fewer than 5 is not shown"`
	// Like is the mean of all agents on the same shops, of those figures that are ratios and means.
	Like map[string]*float64 `json:"like_for_like" doc:"by agent: mean of the agents of the same shop, weighted alike, without the agent; null for fewer than 5. With whole=1 and like=1: what the figure would be had the other agents handled the agent's sessions, by shop, business and aspect"`
	// MainTeam and Covered come with whole=1, where a row has no team of its own.
	MainTeam string             `json:"main_team" doc:"with whole=1: the agent's team with the most rounds; team_size speaks of it"`
	Covered  map[string]float64 `json:"covered" doc:"with whole=1 and like=1: the part of the agent's sessions, 0..1, that like_for_like speaks of: those that others have any alike to"`
}

// KPITrend is figures day by day.
type KPITrend struct {
	By      string             `json:"by"`
	Profile string             `json:"profile"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	Days    []warehouse.KPIRow `json:"days" doc:"one row for each object and day with any fact"`
	Team    []warehouse.KPIRow `json:"team_days" doc:"by agent: the same days of the agent's team, where it has 5 agents or more"`
}

func (a *API) kpiRoutes() []Route {
	period := []string{"from", "to", "shop", "channel", "business", "team"}
	by := Param{Name: "by", Type: "text", Enum: []string{"agent", "team", "shop", "channel"}, Default: "agent", Doc: "what a row speaks of"}
	whole := Param{Name: "whole", Type: "bool", Doc: "1: teams and shops together: by agent one row for each agent, by team one for everybody"}
	like := Param{Name: "like", Type: "bool", Doc: "1: with whole=1, like_for_like and covered too"}
	return []Route{
		{
			Method: http.MethodGet, Path: "/kpi", Roles: quality, Summary: "Figures of agents, teams, shops or channels over a period, beside the team's mean",
			Filters: append([]string{"agent"}, period...), Query: []Param{by, profileParam, whole, like}, Response: KPITable{}, Handle: a.kpi,
		},
		{
			Method: http.MethodGet, Path: "/kpi/trend", Roles: quality, Summary: "The same figures day by day",
			Filters: append([]string{"agent"}, period...), Query: []Param{by, profileParam, whole}, Response: KPITrend{}, Handle: a.kpiTrend,
		},
		{
			Method: http.MethodGet, Path: "/kpi/sessions", Roles: quality, Summary: "What one figure is made of: sessions, orders, hits; those that spoil it first",
			Filters: append([]string{"agent"}, period...), Query: []Param{by, profileParam, {Name: "figure", Type: "text", Enum: warehouse.KPIFigures, Required: true, Doc: "which"}},
			Paged: true, Response: Page[warehouse.KPISession]{}, Handle: a.kpiSessions,
		},
		{
			Method: http.MethodGet, Path: "/kpi/rules", Roles: quality, Summary: "Hits of a rule day by day before and after a day, such as that of a training",
			Filters: append([]string{"agent", "rule"}, period...), Query: []Param{{Name: "date", Type: "day", Required: true, Doc: "the marked day; it counts as after"}},
			Response: Recurrence{}, Handle: a.recurrence,
		},
		{
			Method: http.MethodGet, Path: "/kpi/broken", Roles: quality, Summary: "Rules that agents broke in closed sessions, most often first, with the latest hits of each",
			Filters: append([]string{"agent"}, period...), Response: Page[BrokenRule]{}, Handle: a.brokenRules,
		},
	}
}

// period is the period of a request: to is today where it is not given, from 30 days before.
func (a *API) period(f filter.Filter) (from, to time.Time, err error) {
	to = parseDay(cmp.Or(f.Get("to"), a.today()))
	from = to.AddDate(0, 0, 1-defaultDays)
	if s := f.Get("from"); s != "" {
		from = parseDay(s)
	}
	if from.After(to) {
		return from, to, BadValue("from", "is after to")
	}
	if to.Sub(from) > 2*366*24*time.Hour {
		return from, to, BadValue("from", "is more than two years before to")
	}
	return from, to, nil
}

// kpiQuery makes the query of a request, narrowed to what the caller may see; false where that is nothing.
func (a *API) kpiQuery(r *Request, by warehouse.KPIBy) (q warehouse.KPIQuery, ok bool, err error) {
	q = warehouse.KPIQuery{By: by, Profile: r.Get("profile"), AsOf: parseDay(a.today()), Whole: r.Get("whole") == "1"}
	if q.From, q.To, err = a.period(r.Filter); err != nil {
		return q, false, err
	}
	list := func(name string) []string {
		values := r.Filter.All(name)
		for i, v := range values {
			if v == filter.None {
				values[i] = ""
			}
		}
		return values
	}
	q.Agents, q.Teams, q.Shops, q.Channels, q.Businesses = list("agent"), list("team"), list("shop"), list("channel"), list("business")
	switch {
	case r.Scope.All():
	case r.Who.Role == access.Agent:
		if r.Who.AgentID == "" || r.Who.Sees == access.SeesOff {
			return q, false, nil
		}
		q.Agents, ok = narrow(q.Agents, []string{r.Who.AgentID})
		return q, ok, nil
	default:
		q.Teams, ok = narrow(q.Teams, r.Who.Teams)
		return q, ok, nil
	}
	return q, true, nil
}

// narrow gives the values of a filter that are allowed; an empty filter asks for all that are. False for none: an empty
// list would let everything through.
func narrow(asked, allowed []string) ([]string, bool) {
	if len(asked) == 0 {
		return slices.Clone(allowed), len(allowed) > 0
	}
	asked = slices.DeleteFunc(slices.Clone(asked), func(v string) bool { return !slices.Contains(allowed, v) })
	return asked, len(asked) > 0
}

func kpiError(err error) error {
	if warehouse.IsUnknownProfile(err) {
		return BadValue("profile", "there is no such profile")
	}
	return err
}

// kpiLink is the address of what a figure of one day is made of, empty for who may not ask for it.
func (a *API) kpiLink(r *Request, figure, day string) string {
	if !r.Who.Is(quality...) {
		return ""
	}
	v := r.Filter.Query()
	for k, s := range map[string]string{"figure": figure, "from": day, "to": day, "by": "shop", "profile": cmp.Or(r.Get("profile"), "generic")} {
		v[k] = []string{s}
	}
	return "/kpi/sessions?" + url.Values(v).Encode()
}

func (a *API) kpi(r *Request) (any, error) {
	by := warehouse.KPIBy(r.Get("by"))
	q, ok, err := a.kpiQuery(r, by)
	if err != nil {
		return nil, err
	}
	t := &KPITable{By: string(by), Profile: r.Get("profile"), From: q.From.Format(time.DateOnly), To: q.To.Format(time.DateOnly), Figures: warehouse.KPIFigures}
	if r.Who.Role == access.Agent && by != warehouse.KPIByAgent {
		return nil, Forbidden("agents see their own figures beside the team's: by=agent")
	}
	if !ok {
		return t, nil
	}
	q.Pool = true
	var rows, teams, all, total []warehouse.KPIRow
	var names map[string]string
	var beside []warehouse.KPIBeside
	rs := a.reads(r.Context())
	read := func(into *[]warehouse.KPIRow, q warehouse.KPIQuery) {
		rs.run(func(ctx context.Context) (err error) {
			*into, err = a.Warehouse.KPI(ctx, q)
			return kpiError(err)
		})
	}
	read(&rows, q)
	if by == warehouse.KPIByAgent {
		x, err := a.facts(r.Context())
		if err != nil {
			return nil, err
		}
		// Who is compared with: everybody of the same teams and shops, whoever was asked for.
		others := q
		others.Agents, others.Whole = nil, false
		if r.Who.Role == access.Agent {
			others.Teams, _ = narrow(nil, r.Who.Teams)
		}
		if r.Scope.All() || len(others.Teams) > 0 {
			read(&all, others)
			team := others
			team.By = warehouse.KPIByTeam
			read(&teams, team)
			if q.Whole && r.Get("like") == "1" {
				alike := others
				alike.Agents = q.Agents
				rs.run(func(ctx context.Context) (err error) {
					beside, err = a.Warehouse.KPIBesides(ctx, alike)
					return kpiError(err)
				})
			}
			if q.Whole && r.Who.Role != access.Agent {
				everybody := team
				everybody.Whole = true
				read(&total, everybody)
			}
		}
		rs.run(func(ctx context.Context) (err error) {
			names, err = a.agentNames(ctx, x)
			return err
		})
	}
	if err := rs.wait(); err != nil {
		return nil, err
	}
	size := teamSizes(all)
	seen := map[string]bool{}
	main := mainTeams(all)
	shops := shopMeansOf(all)
	for _, x := range rows {
		l := KPILine{KPIRow: x, Name: names[x.AgentID], TeamSize: len(size[x.Team])}
		switch {
		case by == warehouse.KPIByAgent && q.Whole:
			l.MainTeam = main[x.AgentID]
			l.TeamSize = len(size[l.MainTeam])
			l.Like, l.Covered = besideOf(beside, x.AgentID)
			seen[l.MainTeam] = true
		case by == warehouse.KPIByAgent:
			l.Like = shops.alike(&x)
			seen[x.Team] = true
		}
		t.Rows = append(t.Rows, l)
	}
	if len(total) > 0 {
		t.All, t.Agents = &total[0], len(main)
	}
	for _, x := range teams {
		if seen[x.Team] && len(size[x.Team]) >= leastTeam {
			t.Teams = append(t.Teams, x)
		}
	}
	return t, nil
}

// means are the figures that have a mean over agents.
var means = map[string]func(*warehouse.KPIRow) *float64{
	"avg_reply_ms": func(x *warehouse.KPIRow) *float64 { return x.AvgReplyMS }, "first_reply_ms": func(x *warehouse.KPIRow) *float64 { return x.FirstReplyMS },
	"within_30s": func(x *warehouse.KPIRow) *float64 { return x.Within30s }, "within_180s": func(x *warehouse.KPIRow) *float64 { return x.Within180s },
	"within_300s": func(x *warehouse.KPIRow) *float64 { return x.Within300s }, "order_rate": func(x *warehouse.KPIRow) *float64 { return x.OrderRate },
	"conversion": func(x *warehouse.KPIRow) *float64 { return x.Conversion }, "basket": func(x *warehouse.KPIRow) *float64 { return x.Basket },
	"items_per_customer": func(x *warehouse.KPIRow) *float64 { return x.ItemsPerCustomer }, "answer_ratio": func(x *warehouse.KPIRow) *float64 { return x.AnswerRatio },
	"csat": func(x *warehouse.KPIRow) *float64 { return x.CSAT }, "invite_rate": func(x *warehouse.KPIRow) *float64 { return x.InviteRate },
	"score": func(x *warehouse.KPIRow) *float64 { return x.Score }, "hit_rate": func(x *warehouse.KPIRow) *float64 { return x.HitRate },
	"appeal_rate": func(x *warehouse.KPIRow) *float64 { return x.AppealRate }, "appeal_won_rate": func(x *warehouse.KPIRow) *float64 { return x.AppealWonRate },
}

// shopMeans adds up figures by shop, and by shop and agent.
type shopMeans map[[3]string]meanOf

type meanOf struct {
	n   int
	sum float64
}

func shopMeansOf(all []warehouse.KPIRow) shopMeans {
	m := shopMeans{}
	for i := range all {
		for name, value := range means {
			if v := value(&all[i]); v != nil {
				for _, key := range [][3]string{{name, all[i].Shop}, {name, all[i].Shop, "a" + all[i].AgentID}} {
					m[key] = meanOf{m[key].n + 1, m[key].sum + *v}
				}
			}
		}
	}
	return m
}

// alike gives the mean of the figures of the other agents of the same shop, each agent counting once; null where fewer
// than leastTeam have the figure.
func (m shopMeans) alike(x *warehouse.KPIRow) map[string]*float64 {
	out := map[string]*float64{}
	for name := range means {
		all, own := m[[3]string{name, x.Shop}], m[[3]string{name, x.Shop, "a" + x.AgentID}]
		out[name] = nil
		if n := all.n - own.n; n >= leastTeam {
			mean := (all.sum - own.sum) / float64(n)
			out[name] = &mean
		}
	}
	return out
}

func (a *API) kpiTrend(r *Request) (any, error) {
	by := warehouse.KPIBy(r.Get("by"))
	q, ok, err := a.kpiQuery(r, by)
	if err != nil {
		return nil, err
	}
	if r.Who.Role == access.Agent && by != warehouse.KPIByAgent {
		return nil, Forbidden("agents see their own figures beside the team's: by=agent")
	}
	t := &KPITrend{By: string(by), Profile: r.Get("profile"), From: q.From.Format(time.DateOnly), To: q.To.Format(time.DateOnly)}
	if !ok {
		return t, nil
	}
	if t.Days, err = a.Warehouse.KPI(r.Context(), q); err != nil {
		return nil, kpiError(err)
	}
	if by != warehouse.KPIByAgent || len(q.Agents) == 0 {
		return t, nil
	}
	teams := map[string]bool{}
	days := t.Days
	if q.Whole {
		parts := q
		parts.Whole, parts.Pool = false, true
		if days, err = a.Warehouse.KPI(r.Context(), parts); err != nil {
			return nil, kpiError(err)
		}
	}
	for _, d := range days {
		teams[d.Team] = true
	}
	others := q
	others.Agents, others.Teams, others.Whole = nil, nil, false
	for team := range teams {
		if r.Scope.All() || slices.Contains(r.Who.Teams, team) {
			others.Teams = append(others.Teams, team)
		}
	}
	if len(others.Teams) == 0 {
		return t, nil
	}
	pool := others
	pool.Pool = true
	members, err := a.Warehouse.KPI(r.Context(), pool)
	if err != nil {
		return nil, kpiError(err)
	}
	size := teamSizes(members)
	others.By = warehouse.KPIByTeam
	if days, err = a.Warehouse.KPI(r.Context(), others); err != nil {
		return nil, kpiError(err)
	}
	for _, d := range days {
		if len(size[d.Team]) >= leastTeam {
			t.Team = append(t.Team, d)
		}
	}
	return t, nil
}

func (a *API) kpiSessions(r *Request) (any, error) {
	by := warehouse.KPIBy(r.Get("by"))
	q, ok, err := a.kpiQuery(r, by)
	if err != nil {
		return nil, err
	}
	if r.Who.Role == access.Agent && by != warehouse.KPIByAgent {
		return nil, Forbidden("agents see their own figures: by=agent")
	}
	if !ok {
		return &Page[warehouse.KPISession]{}, nil
	}
	return offsetPage(r, func(offset, limit int) ([]warehouse.KPISession, error) {
		rows, err := a.Warehouse.KPISessions(r.Context(), q, r.Get("figure"), limit, offset)
		return rows, kpiError(err)
	})
}

// Recurrence is how often rules hit before and after a day.
type Recurrence struct {
	Date   string           `json:"date"`
	From   string           `json:"from"`
	To     string           `json:"to"`
	Before RecurrencePart   `json:"before"`
	After  RecurrencePart   `json:"after" doc:"the marked day and later"`
	Days   []RecurrenceDay  `json:"days"`
	Agents []RecurrenceWhom `json:"agents" doc:"the agents with hits, most first, at most 200"`
}

// RecurrencePart is one side of the day.
type RecurrencePart struct {
	Days     int      `json:"days" doc:"days of the period on this side"`
	Sessions uint64   `json:"sessions" doc:"closed sessions of the filters"`
	Hits     uint64   `json:"hits"`
	With     uint64   `json:"sessions_with" doc:"sessions with a hit"`
	Rate     *float64 `json:"rate" doc:"sessions with a hit among the sessions"`
}

// RecurrenceDay is one day.
type RecurrenceDay struct {
	Day      Day    `ch:"day" json:"day"`
	Sessions uint64 `ch:"sessions" json:"sessions"`
	Hits     uint64 `ch:"hits" json:"hits"`
	With     uint64 `ch:"hit_sessions" json:"sessions_with"`
}

// RecurrenceWhom is one agent.
type RecurrenceWhom struct {
	Agent  string `ch:"agent_id" json:"agent_id"`
	Before uint64 `ch:"before" json:"hits_before"`
	After  uint64 `ch:"after" json:"hits_after"`
}

func (a *API) recurrence(r *Request) (any, error) {
	from, to, err := a.period(r.Filter)
	if err != nil {
		return nil, err
	}
	date := parseDay(r.Get("date"))
	f := r.Filter.With("rule").With("from", from.Format(time.DateOnly)).With("to", to.Format(time.DateOnly)).Closed()
	rules, agents := r.Filter.All("rule"), r.Filter.All("agent")
	if len(rules) == 0 {
		return nil, &Error{http.StatusBadRequest, "missing", "is needed: which rule", "rule"}
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	where, p := f.Facts()
	hp := p
	hit := "rule_id IN {rules:Array(String)} AND " + filter.Breach
	hp = params(hp, []any{named("rules", rules), named("date", r.Get("date"))})
	if r.Who.Role == access.Agent {
		agents = []string{r.Who.AgentID}
	}
	if len(agents) > 0 {
		hit += " AND agent_id IN {agents:Array(String)}"
		hp = append(hp, named("agents", agents))
	}
	var sessions, hits []RecurrenceDay
	out := &Recurrence{Date: r.Get("date"), From: from.Format(time.DateOnly), To: to.Format(time.DateOnly)}
	q := a.reads(r.Context())
	q.all(&sessions, "SELECT assumeNotNull(day) AS day, count() AS sessions FROM "+x.sessions(where)+" GROUP BY day ORDER BY day", params(p)...)
	q.all(&hits, "SELECT assumeNotNull(day) AS day, count() AS hits, uniqExact(session_id) AS hit_sessions FROM "+x.hits(where)+" WHERE "+hit+" GROUP BY day", hp...)
	q.all(&out.Agents, "SELECT toString(agent_id) AS agent_id, countIf(day < {date:Date}) AS before, countIf(day >= {date:Date}) AS after FROM "+x.hits(where)+" WHERE agent_id != '' AND "+hit+" GROUP BY agent_id ORDER BY before + after DESC, agent_id LIMIT 200", hp...)
	if err := q.wait(); err != nil {
		return nil, err
	}
	out.Before.Days = max(0, min(int(date.Sub(from).Hours()/24), int(to.Sub(from).Hours()/24)+1))
	out.After.Days = int(to.Sub(from).Hours()/24) + 1 - out.Before.Days
	for _, s := range sessions {
		for _, h := range hits {
			if sameDay(h.Day.Time, s.Day.Time) {
				s.Hits, s.With = h.Hits, h.With
			}
		}
		out.Days = append(out.Days, s)
		part := &out.Before
		if !s.Day.Before(date) {
			part = &out.After
		}
		part.Sessions += s.Sessions
		part.Hits += s.Hits
		part.With += s.With
	}
	for _, part := range []*RecurrencePart{&out.Before, &out.After} {
		if part.Sessions > 0 {
			rate := float64(part.With) / float64(part.Sessions)
			part.Rate = &rate
		}
	}
	return out, nil
}
