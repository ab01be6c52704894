package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/memo"
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

// opinionSorts are the orders of opinions; the id decides between equals.
var opinionSorts = map[string]func(x, y *OpinionRow) int{
	"mentions": func(x, y *OpinionRow) int { return cmp.Compare(y.Mentions, x.Mentions) }, "sessions": func(x, y *OpinionRow) int { return cmp.Compare(y.Sessions, x.Sessions) },
	"customers": func(x, y *OpinionRow) int { return cmp.Compare(y.Customers, x.Customers) },
	"week": func(x, y *OpinionRow) int {
		return cmp.Or(cmp.Compare(y.Week, x.Week), cmp.Compare(y.Mentions, x.Mentions))
	},
	// The zero Day, of what was never said, comes last.
	"first_seen": func(x, y *OpinionRow) int { return y.FirstSeen.Compare(x.FirstSeen.Time) }, "last_seen": func(x, y *OpinionRow) int { return y.LastSeen.Compare(x.LastSeen.Time) },
	"title": func(x, y *OpinionRow) int { return cmp.Compare(x.Title, y.Title) },
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
			Method: http.MethodPatch, Path: "/opinions/{opinion_id}", Roles: opinionWriters, Summary: "Rename; set status, owner, note, department, approved answer, or take owner, note and answer away (supervisors: only the answer)",
			Body: OpinionChange{}, Response: OpinionRow{}, Handle: a.changeOpinion,
		},
		{
			Method: http.MethodPost, Path: "/opinions/{opinion_id}/merge", Roles: opinionKeepers, Summary: "Let other opinions count for this one",
			Body: OpinionMerge{}, Response: OpinionRow{}, Timeout: 2 * time.Minute, Handle: a.mergeOpinions,
		},
		{
			Method: http.MethodPost, Path: "/opinions/{opinion_id}/unmerge", Roles: opinionKeepers, Summary: "Take a merge back: the opinions count for themselves again",
			Body: OpinionUnmerge{}, Response: OpinionRow{}, Timeout: 2 * time.Minute, Handle: a.unmergeOpinions,
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

// opinionFigures is what is counted of an opinion: First and Last over all days, Mentions, Sessions and Customers over
// the period of the filter, the weeks up to the last day with any mention.
type opinionFigures struct {
	ID         string `ch:"id"`
	First      Day    `ch:"first_day"`
	Last       Day    `ch:"last_day"`
	Mentions   uint64 `ch:"n"`
	Sessions   uint64 `ch:"s"`
	Customers  uint64 `ch:"c"`
	Week       uint64 `ch:"w"`
	WeekBefore uint64 `ch:"v"`
	Fresh      bool   `ch:"fresh"` // first seen in the last week
}

// trend is the column of the view opinions.
func (x *opinionFigures) trend() string {
	switch {
	case x.First.IsZero():
		return ""
	case x.Fresh:
		return "new"
	case x.Week >= 3 && x.Week >= 2*x.WeekBefore:
		return "rising"
	case 2*x.Week <= x.WeekBefore:
		return "fading"
	}
	return "steady"
}

// saidSource gives rows of what was said in the sessions of a filter: opinion, day, session_id, customer_id, customer (its
// hash), shop, mentions. ids are the opinions, as sessions name them, that it is about; nil for all.
func (x facts) saidSource(f filter.Filter, ids []string) (string, []any) {
	only, about := "1", []any(nil)
	if ids != nil {
		only, about = "opinion IN {said:Array(String)}", []any{named("said", ids)}
	}
	if where, p, ok := f.OpinionFacts(); ok {
		return "(SELECT opinion, day, session_id, customer_id, customer, shop, mentions FROM opinion_facts WHERE " + x.cut.Live() + " AND " + only + " AND " + where + ")", params(p, about)
	}
	where, p := f.Facts()
	return `(SELECT opinion, day, session_id, customer_id, sipHash64(if(customer_id != '', concat('c', customer_id), concat('s', session_id))) AS customer, shop, 1 AS mentions
		FROM (SELECT day, session_id, customer_id, shop, mention_opinion FROM ` + x.sessions(where) + ") ARRAY JOIN mention_opinion AS opinion WHERE opinion != '' AND " + only + ")", params(p, about)
}

// opinionFigures counts opinions in the sessions of a filter; id, where it is not empty, only that one.
func (a *API) opinionFigures(ctx context.Context, x facts, known *registered, f filter.Filter, id string) (map[string]opinionFigures, error) {
	var ids []string
	if id != "" {
		ids = known.of(id)
	}
	source, p := x.saidSource(f.With("from").With("to"), ids)
	within := "1"
	if f.Get("from") != "" {
		within += " AND day >= {f_from:Date}"
		p = append(p, named("f_from", f.Get("from")))
	}
	if f.Get("to") != "" {
		within += " AND day <= {f_to:Date}"
		p = append(p, named("f_to", f.Get("to")))
	}
	p = params(p, known.merges())
	// One session may name two opinions that have been merged, so of those that were the sessions are told apart.
	sql := withMerged + `, (SELECT max(day) FROM opinion_facts WHERE ` + x.cut.Live() + `) AS latest, arrayDistinct(arrayConcat(merged.1, merged.2)) AS joined
		SELECT toString(` + mergedOpinion + `) AS id, min(day) AS first_day, max(day) AS last_day, sumIf(mentions, ` + within + `) AS n,
			` + distinctSessions(source, within) + ` AS s, uniqExactIf(customer, ` + within + `) AS c,
			sumIf(mentions, day > latest - 7) AS w, sumIf(mentions, day > latest - 14 AND day <= latest - 7) AS v, ifNull(min(day) > latest - 7, false)::Bool AS fresh
		FROM ` + source + " GROUP BY id"
	load := func(ctx context.Context) (map[string]opinionFigures, error) {
		var rows []opinionFigures
		err := a.Warehouse.Conn().Select(ctx, &rows, sql, p...)
		out := make(map[string]opinionFigures, len(rows))
		for _, x := range rows {
			out[x.ID] = x
		}
		return out, err
	}
	if id != "" {
		return load(ctx)
	}
	return memo.Remember(ctx, a.memo, fmt.Sprint(sql, p), nil, load)
}

// distinctSessions counts the sessions of an opinion: rows of opinion_facts are one a session as long as nothing was merged.
func distinctSessions(source, within string) string {
	if strings.Contains(source, "FROM opinion_facts") {
		return "uniqExactIf(session_id, " + within + " AND has(joined, opinion)) + countIf(" + within + " AND NOT has(joined, opinion))"
	}
	return "uniqExactIf(session_id, " + within + ")"
}

// opinionTable gives opinions, all unless id names one, with what is counted of them in the sessions of a filter. Without any
// filter these are the rows of the view opinions, else those that somebody said.
func (a *API) opinionTable(ctx context.Context, x facts, f filter.Filter, id string) ([]OpinionRow, error) {
	known, err := a.registered(ctx, x)
	if err != nil {
		return nil, err
	}
	heads := known.heads
	if id != "" {
		i, ok := known.at[id]
		if !ok {
			return nil, nil
		}
		heads = heads[i : i+1]
	}
	figures, err := a.opinionFigures(ctx, x, known, f, id)
	if err != nil {
		return nil, err
	}
	where, _ := f.Facts()
	out := make([]OpinionRow, 0, len(heads))
	for _, row := range heads {
		c := figures[row.ID]
		if c.Mentions == 0 && where != "1" {
			continue
		}
		row.FirstSeen, row.LastSeen, row.Mentions, row.Sessions, row.Customers, row.Week, row.WeekBefore, row.Trend = c.First, c.Last, c.Mentions, c.Sessions, c.Customers, c.Week, c.WeekBefore, c.trend()
		out = append(out, row)
	}
	return out, nil
}

// topOpinions are those of a trend that were said most in the last week, at most ten.
func topOpinions(all []OpinionRow, trend string) []OpinionRow {
	out := slices.DeleteFunc(slices.Clone(all), func(x OpinionRow) bool { return x.Trend != trend })
	slices.SortFunc(out, func(x, y OpinionRow) int { return cmp.Or(cmp.Compare(y.Week, x.Week), cmp.Compare(x.ID, y.ID)) })
	return out[:min(len(out), 10)]
}

// sparks fills in the mentions of the last 28 days.
func (a *API) sparks(ctx context.Context, x facts, f filter.Filter, lists ...[]OpinionRow) error {
	var ids []string
	at := map[string][]*OpinionRow{}
	for _, rows := range lists {
		for i := range rows {
			ids = append(ids, rows[i].ID)
			rows[i].Spark = make([]uint64, 28)
			at[rows[i].ID] = append(at[rows[i].ID], &rows[i])
		}
	}
	if len(ids) == 0 {
		return nil
	}
	latest := "(SELECT max(day) FROM opinion_facts WHERE " + x.cut.Live() + ")"
	known, err := a.registered(ctx, x)
	if err != nil {
		return err
	}
	source, p := x.saidSource(f.With("from").With("to"), known.of(ids...))
	var days []struct {
		ID  string `ch:"id"`
		Ago int64  `ch:"ago"`
		N   uint64 `ch:"n"`
	}
	err = a.Warehouse.Conn().Select(ctx, &days, withMerged+", "+latest+` AS latest
		SELECT toString(`+mergedOpinion+`) AS id, toInt64(ifNull(latest - day, 99)) AS ago, sum(mentions) AS n FROM `+source+" WHERE day > latest - 28 GROUP BY id, ago", params(p, known.merges())...)
	for _, d := range days {
		for _, x := range at[d.ID] {
			if d.Ago >= 0 && d.Ago < 28 {
				x.Spark[27-d.Ago] = d.N
			}
		}
	}
	return err
}

// opinionMatcher says which opinions the parameters of a list let through; trend, which is counted, is not looked at.
func opinionMatcher(r *Request) func(*OpinionRow) bool {
	wanted := map[string][]string{}
	for name := range opinionFields {
		for _, v := range r.All(name) {
			if v == filter.None {
				v = ""
			}
			wanted[name] = append(wanted[name], v)
		}
	}
	q := r.Get("q")
	return func(x *OpinionRow) bool {
		for name, values := range wanted {
			if !slices.Contains(values, opinionFields[name](x)) {
				return false
			}
		}
		return q == "" || len(filter.Find(x.Title, q)) > 0
	}
}

// opinionFields are what opinions are chosen by.
var opinionFields = map[string]func(*OpinionRow) string{
	"aspect": func(x *OpinionRow) string { return x.Aspect }, "kind": func(x *OpinionRow) string { return x.Kind }, "product": func(x *OpinionRow) string { return x.Product },
	"department": func(x *OpinionRow) string { return x.Department }, "status": func(x *OpinionRow) string { return x.Status }, "owner": func(x *OpinionRow) string { return x.Owner },
	"polarity": func(x *OpinionRow) string { return x.Polarity },
}

// listedOpinions are those that the parameters of a list let through.
func (a *API) listedOpinions(r *Request) ([]OpinionRow, facts, error) {
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, x, err
	}
	rows, err := a.opinionTable(r.Context(), x, r.Filter.Only(opinionFilters...), "")
	trends, matches := r.All("trend"), opinionMatcher(r)
	rows = slices.DeleteFunc(rows, func(x OpinionRow) bool {
		return !matches(&x) || len(trends) > 0 && !slices.Contains(trends, x.Trend)
	})
	return rows, x, err
}

func (a *API) opinions(r *Request) (any, error) {
	rows, x, err := a.listedOpinions(r)
	if err != nil {
		return nil, err
	}
	by := opinionSorts[r.Get("sort")]
	slices.SortFunc(rows, func(x, y OpinionRow) int { return cmp.Or(by(&x, &y), cmp.Compare(x.ID, y.ID)) })
	page, err := slicePage(r, rows)
	if err != nil {
		return nil, err
	}
	page.Items = slices.Clone(page.Items)
	return page, a.sparks(r.Context(), x, r.Filter.Only(opinionFilters...), page.Items)
}

// OpinionCounts says what is among the opinions of a filter.
type OpinionCounts struct {
	Opinions uint64             `json:"opinions"`
	Mentions uint64             `json:"mentions"`
	By       map[string][]Tally `json:"by" doc:"by the name of a parameter: its values with the number of opinions and mentions"`
}

// Tally counts the opinions of a value.
type Tally struct {
	Value    string `json:"value"`
	Opinions uint64 `json:"opinions"`
	Mentions uint64 `json:"mentions"`
}

// opinionTallies bounds the values of one name.
const opinionTallies = 100

func (a *API) opinionCounts(r *Request) (any, error) {
	all, _, err := a.listedOpinions(r)
	if err != nil {
		return nil, err
	}
	c := &OpinionCounts{By: map[string][]Tally{}}
	for _, name := range []string{"trend", "status", "aspect", "kind", "department", "product", "owner"} {
		value := opinionFields[name]
		if name == "trend" {
			value = func(x *OpinionRow) string { return x.Trend }
		}
		tallies := map[string]*Tally{}
		list := []Tally{}
		for i := range all {
			v := value(&all[i])
			if tallies[v] == nil {
				tallies[v] = &Tally{Value: v}
			}
			tallies[v].Opinions++
			tallies[v].Mentions += all[i].Mentions
		}
		for _, t := range tallies {
			list = append(list, *t)
		}
		slices.SortFunc(list, func(x, y Tally) int {
			return cmp.Or(cmp.Compare(y.Opinions, x.Opinions), cmp.Compare(x.Value, y.Value))
		})
		c.By[name] = list[:min(len(list), opinionTallies)]
	}
	for i := range all {
		c.Opinions++
		c.Mentions += all[i].Mentions
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

// mentionArrays are the names under which the condition on a mention knows the arrays of session_facts.
const mentionArrays = "(opinion, kind, aspect, product, valuable) -> "

func (a *API) mentions(r *Request) (any, error) {
	// What a mention has itself is asked of the mention, not of its session.
	own := []string{"opinion", "kind", "aspect", "product"}
	sessions := r.Filter.Only(without(sessionFilters, append(own, "q")...)...)
	inView, inArray := "1", "1"
	var p []any
	for _, name := range own {
		if values := r.Filter.All(name); len(values) > 0 {
			for i, v := range values {
				if v == filter.None {
					values[i] = ""
				}
			}
			if name == "opinion" {
				inView += " AND opinion_id IN {f_opinion:Array(String)}"
				inArray += " AND has(" + filter.Merged + ", opinion)"
			} else {
				inView += " AND " + name + " IN {f_" + name + ":Array(String)}"
				inArray += " AND " + name + " IN {f_" + name + ":Array(String)}"
			}
			p = append(p, named("f_"+name, values))
		}
	}
	if v := r.Get("valuable"); v != "" {
		inView += " AND valuable = ({m_valuable:String} = '1')"
		inArray += " AND valuable = ({m_valuable:String} = '1')"
		p = append(p, named("m_valuable", v))
	}
	if v := r.Get("waiting"); v != "" {
		inView += " AND (opinion_id = '') = ({m_waiting:String} = '1')"
		inArray += " AND (opinion = '') = ({m_waiting:String} = '1')"
		p = append(p, named("m_waiting", v))
	}
	if q := r.Filter.Get("q"); q != "" { // the copies do not have the words
		on, op := sessions.On("mentions")
		text, tp := filter.Text("text", q)
		return a.mentionPage(r, inView+" AND "+text+" AND "+on, params(p, tp, op))
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	where, fp := sessions.Facts()
	counted := "(SELECT session_id, day, arrayCount(" + mentionArrays + inArray + ", mention_opinion, mention_kind, mention_aspect, mention_product, mention_valuable) AS n FROM " + x.sessions(where) + ")"
	p = params(p, fp)
	page, err := offsetPage(r, func(offset, limit int) ([]MentionRow, error) {
		var in []struct {
			ID string `ch:"session_id"`
			N  uint64 `ch:"n"`
		}
		if err := a.Warehouse.Conn().Select(r.Context(), &in, fmt.Sprintf("SELECT session_id, toUInt64(n) AS n FROM %s WHERE n > 0 ORDER BY day DESC NULLS LAST, session_id LIMIT %d", counted, offset+limit), p...); err != nil {
			return nil, err
		}
		for len(in) > 0 && int(in[0].N) <= offset {
			offset -= int(in[0].N)
			in = in[1:]
		}
		var ids []string
		for n := 0; len(in) > 0 && n < offset+limit; in = in[1:] {
			ids = append(ids, in[0].ID)
			n += int(in[0].N)
		}
		if len(ids) == 0 {
			return nil, nil
		}
		return a.mentionRows(r, inView+" AND session_id IN {ids:Array(String)}", params(p, []any{named("ids", ids)}), limit, offset)
	})
	if err != nil {
		return nil, err
	}
	page.Total = new(uint64)
	return page, a.Warehouse.Conn().QueryRow(r.Context(), "SELECT toUInt64(sum(n)) FROM "+counted, p...).Scan(page.Total)
}

// mentionRows reads rows of the view.
func (a *API) mentionRows(r *Request, where string, p []any, limit, offset int) ([]MentionRow, error) {
	var rows []MentionRow
	return rows, a.Warehouse.Conn().Select(r.Context(), &rows, fmt.Sprintf("SELECT %s FROM mentions WHERE %s ORDER BY day DESC NULLS LAST, session_id, seq, start, mention_id LIMIT %d OFFSET %d", mentionColumns, where, limit, offset), p...)
}

// mentionPage is a page of the view.
func (a *API) mentionPage(r *Request, where string, p []any) (any, error) {
	page, err := offsetPage(r, func(offset, limit int) ([]MentionRow, error) { return a.mentionRows(r, where, p, limit, offset) })
	if err != nil {
		return nil, err
	}
	page.Total = new(uint64)
	return page, a.Warehouse.Conn().QueryRow(r.Context(), "SELECT count() FROM mentions WHERE "+where, p...).Scan(page.Total)
}
