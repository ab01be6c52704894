package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/schemas"
)

// OpinionRow is an opinion in a list. Counts are of the sessions that the caller may see and the filters let through;
// the trend is over all days.
type OpinionRow struct {
	ID         string   `ch:"opinion_id" json:"opinion_id"`
	Title      string   `ch:"title" json:"title"`
	Aspect     string   `ch:"aspect" json:"aspect"`
	Product    string   `ch:"product" json:"product"`
	Kind       string   `ch:"kind" json:"kind"`
	Polarity   string   `ch:"polarity" json:"polarity"`
	Department string   `ch:"department" json:"department"`
	Status     string   `ch:"status" json:"status" enum:"new,accepted,fixed,declined"`
	FixedOn    Day      `ch:"fixed_on" json:"fixed_on"`
	Owner      string   `ch:"owner" json:"owner"`
	Note       string   `ch:"note" json:"note"`
	Answer     string   `ch:"answer" json:"answer" doc:"approved answer"`
	FirstSeen  Day      `ch:"first_seen" json:"first_seen"`
	LastSeen   Day      `ch:"last_seen" json:"last_seen"`
	Mentions   uint64   `ch:"mentions" json:"mentions"`
	Sessions   uint64   `ch:"sessions" json:"sessions"`
	Customers  uint64   `ch:"customers" json:"customers"`
	Week       uint64   `ch:"week" json:"week" doc:"mentions in the 7 days up to the last day with any"`
	WeekBefore uint64   `ch:"week_before" json:"week_before"`
	Trend      string   `ch:"trend" json:"trend" enum:"new,rising,steady,fading,"`
	Spark      []uint64 `json:"spark" doc:"mentions of the 28 days up to the last day with any, oldest first"`
}

var opinionFilters = []string{"from", "to", "shop", "channel", "business", "team"}

var opinionSorts = map[string]string{
	"mentions": "mentions DESC", "sessions": "sessions DESC", "customers": "customers DESC", "week": "week DESC, mentions DESC",
	"first_seen": "first_seen DESC NULLS LAST", "last_seen": "last_seen DESC NULLS LAST", "title": "title",
}

var opinionParams = []Param{
	{Name: "aspect", Type: "text", Enum: schemas.Aspects, Repeated: true, Doc: "aspect of the opinion"},
	{Name: "kind", Type: "text", Enum: schemas.Kinds, Repeated: true, Doc: "kind of the opinion"},
	{Name: "product", Type: "text", Repeated: true, Doc: "product of the opinion; - for none"},
	{Name: "department", Type: "text", Repeated: true, Doc: "department that acts on it"},
	{Name: "status", Type: "text", Enum: opinions.Statuses, Repeated: true, Doc: "status"},
	{Name: "trend", Type: "text", Enum: []string{"new", "rising", "steady", "fading"}, Repeated: true, Doc: "trend"},
	{Name: "owner", Type: "text", Repeated: true, Doc: "who takes care of it; - for nobody"},
	{Name: "polarity", Type: "text", Enum: []string{"negative", "positive"}, Doc: "side"},
	{Name: "q", Type: "text", Doc: "words of the title"},
	{Name: "sort", Type: "text", Enum: []string{"mentions", "sessions", "customers", "week", "first_seen", "last_seen", "title"}, Default: "mentions", Doc: "order"},
}

func (a *API) opinionRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/opinions", Roles: staff, Summary: "What customers keep saying, with counts, trend and status",
			Filters: opinionFilters, Query: opinionParams, Paged: true, Response: Page[OpinionRow]{}, Handle: a.opinions,
		},
		{
			Method: http.MethodGet, Path: "/opinions/counts", Roles: staff, Summary: "How many opinions the filters let through, by trend, status, aspect, kind, department and product",
			Filters: opinionFilters, Query: except(opinionParams, "sort"), Response: OpinionCounts{}, Handle: a.opinionCounts,
		},
		{
			Method: http.MethodGet, Path: "/opinions/{opinion_id}", Roles: staff, Summary: "One opinion: days, quotes with replies, members, how consistently it is answered",
			Filters: opinionFilters, Response: OpinionDetail{}, Handle: a.opinion,
		},
		{
			Method: http.MethodGet, Path: "/opinions/{opinion_id}/quotes", Roles: staff, Summary: "All mentions of an opinion, newest first",
			Filters: opinionFilters, Paged: true, Response: Page[OpinionQuote]{}, Handle: a.opinionQuotes,
		},
		{
			Method: http.MethodGet, Path: "/opinions/{opinion_id}/customers", Roles: staff, Summary: "Customers who said it, by pseudonym, to call them back",
			Filters: opinionFilters, Paged: true, Response: Page[OpinionCustomer]{}, Handle: a.opinionCustomers,
		},
		{
			Method: http.MethodPatch, Path: "/opinions/{opinion_id}", Roles: opinionWriters, Summary: "Rename; set status, owner, note, department, approved answer (supervisors: only the answer)",
			Body: OpinionChange{}, Response: OpinionRow{}, Handle: a.changeOpinion,
		},
		{
			Method: http.MethodPost, Path: "/opinions/{opinion_id}/merge", Roles: opinionKeepers, Summary: "Let other opinions count for this one",
			Body: OpinionMerge{}, Response: OpinionRow{}, Timeout: 2 * time.Minute, Handle: a.mergeOpinions,
		},
		{
			Method: http.MethodPost, Path: "/opinions/{opinion_id}/split", Roles: opinionKeepers, Summary: "Move members to a new opinion, whose row is given back",
			Body: OpinionSplit{}, Response: OpinionRow{}, Timeout: 2 * time.Minute, Handle: a.splitOpinion,
		},
		{
			Method: http.MethodGet, Path: "/mentions", Roles: staff, Summary: "Mentions: the words in which customers ask, complain, praise, suggest; newest first",
			Filters: sessionFilters, Query: []Param{{Name: "valuable", Type: "bool", Doc: "whether one can act on it"}, {Name: "waiting", Type: "bool", Doc: "whether it belongs to no opinion yet"}},
			Paged: true, Response: Page[MentionRow]{}, Handle: a.mentions,
		},
	}
}

func except(list []Param, name string) []Param {
	var out []Param
	for _, p := range list {
		if p.Name != name {
			out = append(out, p)
		}
	}
	return out
}

// opinionSQL selects the rows of opinions with the counts of the sessions of a filter. Without any filter these are the
// rows of the view.
func opinionSQL(f filter.Filter, more string) (string, []any) {
	const head = "opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer"
	period := f.Only("from", "to")
	on, p := f.With("from").With("to").On("mentions")
	if on == "1" && !period.Set() {
		return "SELECT " + head + ", first_seen, last_seen, mentions, sessions, customers, week, week_before, trend FROM opinions WHERE " + more, nil
	}
	within := "1"
	if f.Get("from") != "" {
		within += " AND day >= {f_from:Date}"
		p = append(p, named("f_from", f.Get("from")))
	}
	if f.Get("to") != "" {
		within += " AND day <= {f_to:Date}"
		p = append(p, named("f_to", f.Get("to")))
	}
	return `WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS latest
		SELECT * FROM (
			SELECT ` + head + `, m.first_day AS first_seen, m.last_day AS last_seen, m.n AS mentions, m.s AS sessions, m.c AS customers, m.w AS week, m.v AS week_before,
				multiIf(m.first_day IS NULL, '', m.first_day > latest - 7, 'new', m.w >= 3 AND m.w >= 2 * m.v, 'rising', 2 * m.w <= m.v, 'fading', 'steady') AS trend
			FROM (SELECT ` + head + ` FROM opinions) AS o
			INNER JOIN (
				SELECT opinion_id AS id, min(day) AS first_day, max(day) AS last_day, countIf(` + within + `) AS n, uniqExactIf(session_id, ` + within + `) AS s,
					uniqExactIf(if(customer_id != '', concat('c', customer_id), concat('s', session_id)), ` + within + `) AS c,
					countIf(day > latest - 7) AS w, countIf(day > latest - 14 AND day <= latest - 7) AS v
				FROM mentions WHERE opinion_id != '' AND ` + on + ` GROUP BY opinion_id HAVING n > 0
			) AS m ON m.id = o.opinion_id
		) WHERE ` + more, params(p)
}

// opinionRows reads opinions; more is a condition of fixed text with its parameters.
func (a *API) opinionRows(r *Request, f filter.Filter, more, order string, limit, offset int, p ...any) ([]OpinionRow, error) {
	sql, fp := opinionSQL(f, more)
	var rows []OpinionRow
	if err := a.Warehouse.Conn().Select(r.Context(), &rows, fmt.Sprintf("%s ORDER BY %s, opinion_id LIMIT %d OFFSET %d", sql, order, limit, offset), params(fp, p)...); err != nil {
		return nil, err
	}
	return rows, a.sparks(r.Context(), f, rows)
}

// sparks fills in the mentions of the last 28 days.
func (a *API) sparks(ctx context.Context, f filter.Filter, rows []OpinionRow) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]string, len(rows))
	at := map[string]*OpinionRow{}
	for i := range rows {
		ids[i] = rows[i].ID
		rows[i].Spark = make([]uint64, 28)
		at[rows[i].ID] = &rows[i]
	}
	on, p := f.With("from").With("to").On("mentions")
	var days []struct {
		ID  string `ch:"opinion_id"`
		Ago int64  `ch:"ago"`
		N   uint64 `ch:"n"`
	}
	err := a.Warehouse.Conn().Select(ctx, &days, `WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS latest
		SELECT opinion_id, toInt64(ifNull(latest - day, 99)) AS ago, count() AS n FROM mentions WHERE day > latest - 28 AND opinion_id IN {ids:Array(String)} AND `+on+" GROUP BY opinion_id, ago", params(p, []any{named("ids", ids)})...)
	for _, d := range days {
		if x := at[d.ID]; x != nil && d.Ago >= 0 && d.Ago < 28 {
			x.Spark[27-d.Ago] = d.N
		}
	}
	return err
}

// opinionWhere makes the condition of the parameters of a list.
func opinionWhere(r *Request) (string, []any) {
	var sql []string
	var p []any
	for _, name := range []string{"aspect", "kind", "product", "department", "status", "trend", "owner", "polarity"} {
		values := r.All(name)
		if len(values) == 0 {
			continue
		}
		for i, v := range values {
			if v == filter.None {
				values[i] = ""
			}
		}
		sql = append(sql, name+" IN {o_"+name+":Array(String)}")
		p = append(p, named("o_"+name, values))
	}
	if q := r.Get("q"); q != "" {
		text, tp := filter.Text("title", q)
		sql, p = append(sql, text), append(p, tp...)
	}
	if len(sql) == 0 {
		return "1", nil
	}
	return strings.Join(sql, " AND "), p
}

func (a *API) opinions(r *Request) (any, error) {
	more, p := opinionWhere(r)
	page, err := offsetPage(r, func(offset, limit int) ([]OpinionRow, error) {
		return a.opinionRows(r, r.Filter.Only(opinionFilters...), more, opinionSorts[r.Get("sort")], limit, offset, p...)
	})
	if err != nil {
		return nil, err
	}
	sql, fp := opinionSQL(r.Filter.Only(opinionFilters...), more)
	page.Total = new(uint64)
	return page, a.Warehouse.Conn().QueryRow(r.Context(), "SELECT count() FROM ("+sql+")", params(fp, p)...).Scan(page.Total)
}

// OpinionCounts says what is among the opinions of a filter.
type OpinionCounts struct {
	Opinions uint64             `json:"opinions"`
	Mentions uint64             `json:"mentions"`
	By       map[string][]Tally `json:"by" doc:"by the name of a parameter: its values with the number of opinions and mentions"`
}

// Tally counts the opinions of a value.
type Tally struct {
	Value    string `ch:"value" json:"value"`
	Opinions uint64 `ch:"n" json:"opinions"`
	Mentions uint64 `ch:"m" json:"mentions"`
}

func (a *API) opinionCounts(r *Request) (any, error) {
	more, p := opinionWhere(r)
	sql, fp := opinionSQL(r.Filter.Only(opinionFilters...), more)
	names := []string{"trend", "status", "aspect", "kind", "department", "product", "owner"}
	var rows []struct {
		Name string `ch:"name"`
		Tally
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = "('" + n + "', " + n + ")"
	}
	if err := a.Warehouse.Conn().Select(r.Context(), &rows, "SELECT pair.1 AS name, pair.2 AS value, count() AS n, sum(mentions) AS m FROM ("+sql+") ARRAY JOIN ["+strings.Join(list, ", ")+"] AS pair GROUP BY name, value ORDER BY name, n DESC, value LIMIT 100 BY name", params(fp, p)...); err != nil {
		return nil, err
	}
	c := &OpinionCounts{By: map[string][]Tally{}}
	for _, n := range names {
		c.By[n] = []Tally{}
	}
	for _, x := range rows {
		c.By[x.Name] = append(c.By[x.Name], x.Tally)
		if x.Name == "status" {
			c.Opinions += x.Opinions
			c.Mentions += x.Mentions
		}
	}
	return c, nil
}

// MentionRow is a mention in a list.
type MentionRow struct {
	Mention
	SessionID string `ch:"session_id" json:"session_id"`
	Customer  string `ch:"customer_id" json:"customer_id" doc:"pseudonym"`
	Day       Day    `ch:"day" json:"day"`
	Shop      string `ch:"shop" json:"shop"`
}

const mentionColumns = "session_id, mention_id, seq, text, start, end, kind, aspect, valuable, product, polarity, opinion_id, department, customer_id, day, shop"

func (a *API) mentions(r *Request) (any, error) {
	// What a mention has itself is asked of the mention, not of its session.
	own := []string{"opinion", "kind", "aspect", "product"}
	sql, p := r.Filter.Only(without(sessionFilters, append(own, "q")...)...).On("mentions")
	columns := map[string]string{"opinion": "opinion_id"}
	for _, name := range own {
		if values := r.Filter.All(name); len(values) > 0 {
			for i, v := range values {
				if v == filter.None {
					values[i] = ""
				}
			}
			column := name
			if c := columns[name]; c != "" {
				column = c
			}
			sql += " AND " + column + " IN {m_" + name + ":Array(String)}"
			p = append(p, named("m_"+name, values))
		}
	}
	if q := r.Filter.Get("q"); q != "" {
		text, tp := filter.Text("text", q)
		sql, p = sql+" AND "+text, append(p, tp...)
	}
	if v := r.Get("valuable"); v != "" {
		sql += " AND valuable = ({m_valuable:String} = '1')"
		p = append(p, named("m_valuable", v))
	}
	if v := r.Get("waiting"); v != "" {
		sql += " AND (opinion_id = '') = ({m_waiting:String} = '1')"
		p = append(p, named("m_waiting", v))
	}
	page, err := offsetPage(r, func(offset, limit int) ([]MentionRow, error) {
		var rows []MentionRow
		return rows, a.Warehouse.Conn().Select(r.Context(), &rows, fmt.Sprintf("SELECT %s FROM mentions WHERE %s ORDER BY day DESC NULLS LAST, session_id, seq, start, mention_id LIMIT %d OFFSET %d", mentionColumns, sql, limit, offset), params(p)...)
	})
	if err != nil {
		return nil, err
	}
	page.Total = new(uint64)
	return page, a.Warehouse.Conn().QueryRow(r.Context(), "SELECT count() FROM mentions WHERE "+sql, params(p)...).Scan(page.Total)
}
