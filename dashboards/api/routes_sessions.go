package api

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/memo"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// SessionRow is a session in a list.
type SessionRow struct {
	ID           string     `ch:"session_id" json:"session_id"`
	StartedAt    *time.Time `ch:"started_at" json:"started_at"`
	State        string     `ch:"state" json:"state" enum:"open,closed"`
	Channel      string     `ch:"channel" json:"channel"`
	Shop         string     `ch:"shop" json:"shop"`
	Business     string     `ch:"business" json:"business"`
	Team         string     `ch:"team" json:"team"`
	Agents       []string   `ch:"agent_ids" json:"agent_ids"`
	AgentName    string     `ch:"agent_name" json:"agent_name"`
	Customer     string     `ch:"customer_id" json:"customer_id" doc:"pseudonym"`
	Product      string     `ch:"product" json:"product"`
	Turns        uint32     `ch:"turns" json:"turns"`
	Score        *float64   `ch:"score" json:"score" doc:"0..100, by the machine"`
	Experience   float64    `ch:"experience" json:"experience" doc:"predicted satisfaction of the customer, -1..1"`
	Flagged      bool       `ch:"flagged" json:"flagged"`
	Severity     string     `ch:"severity" json:"severity" doc:"strongest severity, empty without a hit"`
	EmotionStart string     `ch:"emotion_start" json:"emotion_start"`
	EmotionEnd   string     `ch:"emotion_end" json:"emotion_end"`
	FinalScore   *float64   `ch:"final_score" json:"final_score" doc:"without the hits that were dismissed or overturned"`
	Reviewed     bool       `ch:"reviewed" json:"reviewed" doc:"nothing is left to review"`
	Assignee     string     `ch:"assignee" json:"assignee" doc:"who is to review it, empty for nobody"`
	OpenAppeals  uint32     `ch:"open_appeals" json:"open_appeals"`
	Conflicts    uint32     `ch:"conflicts" json:"conflicts" doc:"hits whose decisions are in conflict"`
}

// QueueRow is a session in the review queue.
type QueueRow struct {
	SessionRow
	Text      string   `json:"text" doc:"what the customer opens with, or the first turn that holds the words searched for"`
	TextSeq   int64    `json:"text_seq"`
	Rules     []string `json:"rules" doc:"rules that were broken, not only info"`
	Hits      uint64   `json:"hits" doc:"of these"`
	Undecided uint64   `json:"undecided" doc:"hits of these without a decision"`
}

const sessionColumns = "session_id, started_at, state, channel, shop, business, team, agent_ids, agent_name, customer_id, product, turns, score, experience, flagged, severity, emotion_start, emotion_end, final_score, reviewed, assignee, open_appeals, conflicts"

// started is the start as a number; sessions without one come last.
const started = "toFloat64(toUnixTimestamp64Milli(assumeNotNull(started_at)))"

// orders are the orders of the queue: expressions that all ascend. The session id comes last, so that no two are alike.
var orders = map[string][]string{
	"queue":      {"toFloat64(-" + rank + ")", "experience", "if(isNull(started_at), 1e300, -" + started + ")"},
	"newest":     {"if(isNull(started_at), 1e300, -" + started + ")"},
	"oldest":     {"if(isNull(started_at), 1e300, " + started + ")"},
	"score":      {"ifNull(score, 1e300)"},
	"experience": {"experience"},
	"longest":    {"toFloat64(-toInt64(turns))"},
}

var sortParam = Param{Name: "sort", Type: "text", Enum: []string{"queue", "newest", "oldest", "score", "experience", "longest"}, Default: "queue",
	Doc: "queue is by severity, then by experience, then by time"}

// queueKey is where a session stands in an order.
type queueKey struct {
	Keys []float64 `json:"k"`
	ID   string    `json:"id"`
}

func (a *API) sessionRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/sessions", Roles: everybody, Summary: "Sessions, as the review queue orders them unless another order is asked for",
			Filters: sessionFilters, Query: []Param{sortParam}, Paged: true, Response: Page[QueueRow]{}, Handle: a.sessions,
		},
		{
			Method: http.MethodGet, Path: "/sessions/counts", Roles: everybody, Summary: "How many sessions the filters let through, by what they may be filtered by further",
			Filters: sessionFilters, Response: Counts{}, Handle: a.sessionCounts,
		},
		{
			Method: http.MethodGet, Path: "/sessions/{session_id}", Roles: everybody, Summary: "One session with everything that was found in it",
			Response: SessionDetail{}, Handle: a.session,
		},
		{
			Method: http.MethodGet, Path: "/sessions/{session_id}/neighbours", Roles: everybody, Summary: "The sessions before and after it in the list of the filters",
			Filters: sessionFilters, Query: []Param{sortParam}, Response: Neighbours{}, Handle: a.neighbours,
		},
		{
			Method: http.MethodGet, Path: "/filters", Roles: everybody, Summary: "Values that the filters offer: shops, teams, channels, agents, rules",
			Response: Offered{}, Handle: a.offered,
		},
	}
}

// order gives the key expressions of an order, and its clause.
func order(sort string) (keys []string, ascending, descending string) {
	keys = orders[sort]
	var up, down []string
	for _, k := range append(slices.Clone(keys), "session_id") {
		up, down = append(up, k), append(down, k+" DESC")
	}
	return keys, strings.Join(up, ", "), strings.Join(down, ", ")
}

// beyond is the condition that a session stands after (or before) a key.
func beyond(keys []string, k queueKey, op string) (string, []any, error) {
	if len(k.Keys) != len(keys) {
		return "", nil, &Error{http.StatusBadRequest, "bad_cursor", "take the cursor from the page before", "cursor"}
	}
	var p []any
	var values []string
	for i, v := range k.Keys {
		name := fmt.Sprintf("k%d", i)
		values = append(values, "{"+name+":Float64}")
		p = append(p, named(name, strconv.FormatFloat(v, 'g', -1, 64)))
	}
	values = append(values, "{kid:String}")
	return fmt.Sprintf("(%s, session_id) %s (%s)", strings.Join(keys, ", "), op, strings.Join(values, ", ")), append(p, named("kid", k.ID)), nil
}

func (a *API) sessions(r *Request) (any, error) {
	keys := orders[r.Get("sort")]
	f, err := a.said(r)
	if err != nil {
		return nil, err
	}
	where, p := f.Facts()
	var after queueKey
	more, err := r.Cursor(&after)
	if err != nil {
		return nil, err
	}
	rest := "1"
	if more {
		sql, kp, err := beyond(keys, after, ">")
		if err != nil {
			return nil, err
		}
		rest, p = sql, append(p, kp...)
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	// First which sessions and how many there are, by few columns; then what is shown of these.
	var found struct {
		Total uint64      `ch:"n"`
		IDs   []string    `ch:"ids"`
		Days  []string    `ch:"days"`
		Keys  [][]float64 `ch:"keys"`
	}
	n := len(keys)
	var places []string
	for i := range keys {
		places = append(places, fmt.Sprintf("k.%d", i+1))
	}
	err = a.Warehouse.Conn().QueryRow(r.Context(), fmt.Sprintf(`SELECT n, arrayMap(k -> k.%d, first) AS ids, arrayMap(k -> k.%d, first) AS days, arrayMap(k -> [%s], first) AS keys FROM (
			SELECT count() AS n, groupArraySortedIf(%d)((%s, session_id, ifNull(toString(day), '')), %s) AS first FROM %s)`,
		n+1, n+2, strings.Join(places, ", "), r.Limit+1, strings.Join(keys, ", "), rest, x.sessions(where)), params(p)...).ScanStruct(&found)
	if err != nil {
		return nil, err
	}
	page := &Page[QueueRow]{Total: &found.Total}
	ids, days := found.IDs, map[string]bool{}
	if len(ids) > r.Limit {
		ids = ids[:r.Limit]
		if page.Next, err = r.Next(queueKey{found.Keys[r.Limit-1], ids[r.Limit-1]}); err != nil {
			return nil, err
		}
	}
	for _, d := range found.Days[:len(ids)] {
		days[d] = true
	}
	page.Items, err = a.describeRows(r.Context(), x, r.Filter.Get("q"), ids, days)
	return page, err
}

// describeRows reads rows by their ids, in the order of the ids; days are those that they lie on.
func (a *API) describeRows(ctx context.Context, x facts, q string, ids []string, days map[string]bool) ([]QueueRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	on := "session_id IN {ids:Array(String)}"
	if !days[""] {
		on = daysOf(slices.Sorted(maps.Keys(days))) + " AND " + on
	}
	list := []any{named("ids", ids)}
	var rows []struct {
		SessionRow
		Text      string   `ch:"opening"`
		Seq       int64    `ch:"opening_seq"`
		Rules     []string `ch:"rules"`
		Hits      uint64   `ch:"hits"`
		Undecided uint64   `ch:"undecided"`
	}
	var texts map[string]*warehouse.SessionTexts
	const rules = "arrayDistinct(arrayFilter((rule, outcome, points, severity) -> severity != 'info' AND " + filter.Breach + ", hit_rule, hit_outcome, hit_points, hit_severity))"
	const counts = "arrayCount((outcome, points, severity, decision) -> severity != 'info' AND " + filter.Breach
	qs := a.reads(ctx)
	qs.all(&rows, "SELECT "+sessionColumns+", opening, opening_seq, arraySort("+rules+") AS rules, toUInt64("+counts+", hit_outcome, hit_points, hit_severity, hit_decision)) AS hits, toUInt64("+
		counts+" AND decision = '', hit_outcome, hit_points, hit_severity, hit_decision)) AS undecided FROM "+x.sessions(on), list...)
	if q != "" {
		qs.run(func(ctx context.Context) (err error) {
			texts, err = a.Warehouse.Texts(ctx, warehouse.TurnTexts, ids)
			return err
		})
	}
	if err := qs.wait(); err != nil {
		return nil, err
	}
	byID := map[string]*QueueRow{}
	out := make([]QueueRow, len(ids))
	for i, id := range ids {
		byID[id] = &out[i]
	}
	for _, y := range rows {
		if x := byID[y.ID]; x != nil {
			*x = QueueRow{SessionRow: y.SessionRow, Rules: y.Rules, Hits: y.Hits, Undecided: y.Undecided}
			if q == "" {
				x.Text, x.TextSeq = clip(y.Text, 200), y.Seq
			}
		}
	}
	for id, t := range texts {
		if at := slices.IndexFunc(t.TurnText, func(text string) bool { return len(filter.Find(text, q)) > 0 }); at >= 0 {
			byID[id].Text, byID[id].TextSeq = clip(t.TurnText[at], 200), t.TurnSeq[at]
		}
	}
	return out, nil
}

// Count is how many sessions have a value.
type Count struct {
	Value    string `ch:"value" json:"value"`
	Sessions uint64 `ch:"sessions" json:"sessions"`
}

// Counts says what is among the sessions of a filter.
type Counts struct {
	Sessions  uint64             `json:"sessions"`
	Flagged   uint64             `json:"flagged"`
	Open      uint64             `json:"open"`
	Undecided uint64             `json:"undecided" doc:"sessions with a broken rule, not only info, that nobody has decided on"`
	By        map[string][]Count `json:"by" doc:"by the name of a filter: its values with the number of sessions, most first, at most 50"`
}

// countedBy are the filters that a list of sessions is counted by: columns of a row, and arrays of it.
var (
	countedBy     = []string{"severity", "assignee", "shop", "team", "channel", "business"}
	countedArrays = map[string]string{"agent": "agent_ids", "rule": "broken"}
)

func (a *API) sessionCounts(r *Request) (any, error) {
	f, err := a.said(r)
	if err != nil {
		return nil, err
	}
	where, p := f.Facts()
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	c := &Counts{By: map[string][]Count{}}
	var counted []struct {
		Set       uint64 `ch:"missing"`
		Value     string `ch:"value"`
		Sessions  uint64 `ch:"n"`
		Flagged   uint64 `ch:"flagged_sessions"`
		Open      uint64 `ch:"open_sessions"`
		Undecided uint64 `ch:"waiting"`
	}
	q := a.reads(r.Context())
	// All columns in one pass: of the columns that a row is not grouped by the bit in missing is set and the value empty.
	columns := strings.Join(countedBy, ", ")
	q.all(&counted, "SELECT toUInt64(grouping("+columns+")) AS missing, concat("+columns+") AS value, count() AS n, countIf(flagged) AS flagged_sessions, countIf(state = 'open') AS open_sessions, countIf(undecided) AS waiting FROM "+
		x.sessions(where)+" GROUP BY GROUPING SETS ((), ("+strings.Join(countedBy, "), (")+")) ORDER BY n DESC, value LIMIT 50 BY missing", params(p)...)
	by := map[string]*[]Count{}
	for name, values := range countedArrays {
		list := new([]Count)
		by[name] = list
		q.all(list, fmt.Sprintf("SELECT toString(arrayJoin(%s)) AS value, count() AS sessions FROM %s GROUP BY value ORDER BY sessions DESC, value LIMIT 50", values, x.sessions(where)), params(p)...)
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	for name, list := range by {
		c.By[name] = *list
	}
	for _, name := range countedBy {
		c.By[name] = nil
	}
	whole := uint64(1)<<len(countedBy) - 1
	for _, x := range counted {
		if x.Set == whole {
			c.Sessions, c.Flagged, c.Open, c.Undecided = x.Sessions, x.Flagged, x.Open, x.Undecided
			continue
		}
		name := countedBy[len(countedBy)-1-bits.TrailingZeros64(whole&^x.Set)]
		c.By[name] = append(c.By[name], Count{x.Value, x.Sessions})
	}
	return c, nil
}

// Neighbours are the sessions beside one in a list.
type Neighbours struct {
	Previous string `json:"previous,omitempty"`
	Next     string `json:"next,omitempty"`
	Listed   bool   `json:"listed" doc:"whether the session itself is in the list"`
}

func (a *API) neighbours(r *Request) (any, error) {
	id := r.PathValue("session_id")
	keys, ascending, descending := order(r.Get("sort"))
	scope, sp := r.Scope.Where("team", "agent_ids")
	var found []struct {
		Day  Day       `ch:"day"`
		Keys []float64 `ch:"keys"`
	}
	ctx := r.Context()
	if err := a.Warehouse.Conn().Select(ctx, &found, fmt.Sprintf("SELECT day, [%s] AS keys FROM session_heads WHERE session_id = {id:String} AND %s", strings.Join(keys, ", "), scope), params([]any{named("id", id)}, sp)...); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, NotFound("session")
	}
	x, err := a.facts(ctx)
	if err != nil {
		return nil, err
	}
	f, err := a.said(r)
	if err != nil {
		return nil, err
	}
	where, p := f.Facts()
	n := &Neighbours{}
	key := queueKey{found[0].Keys, id}
	var listed uint64
	var previous, next []struct {
		ID string `ch:"session_id"`
	}
	q := a.reads(ctx)
	for _, side := range []struct {
		op, order string
		dest      any
	}{{"<", descending, &previous}, {">", ascending, &next}} {
		sql, kp, err := beyond(keys, key, side.op)
		if err != nil {
			return nil, err
		}
		q.all(side.dest, fmt.Sprintf("SELECT session_id FROM %s ORDER BY %s LIMIT 1", x.sessions(where+" AND "+sql), side.order), params(p, kp)...)
	}
	self := "session_id = {id:String} AND " + where
	if !found[0].Day.IsZero() {
		self = daysOf([]string{found[0].Day.String()}) + " AND " + self
	}
	q.value(&listed, "SELECT count() FROM "+x.sessions(self), params(p, []any{named("id", id)})...)
	if err := q.wait(); err != nil {
		return nil, err
	}
	if len(previous) > 0 {
		n.Previous = previous[0].ID
	}
	if len(next) > 0 {
		n.Next = next[0].ID
	}
	n.Listed = listed > 0
	return n, nil
}

// Offered are the values that filters offer.
type Offered struct {
	Shops    []string          `json:"shops"`
	Teams    []string          `json:"teams"`
	Channels []string          `json:"channels"`
	Products []string          `json:"products"`
	Agents   []AgentName       `json:"agents"`
	Rules    []string          `json:"rules"`
	Names    map[string]string `json:"rule_names" doc:"names by id, of all rules in use"`
	First    *string           `json:"first_day" doc:"day of the first session"`
	Last     *string           `json:"last_day" doc:"day of the last session"`
	Fields   []FilterField     `json:"fields" doc:"all filters and what they take"`
}

// AgentName is an agent with the name of the latest session.
type AgentName struct {
	ID   string `ch:"agent" json:"agent_id"`
	Name string `ch:"latest" json:"name"`
}

// FilterField describes a filter.
type FilterField struct {
	Name     string   `json:"name"`
	Type     string   `json:"type" enum:"text,day,number,bool"`
	Values   []string `json:"values,omitempty" doc:"the only values it takes"`
	Repeated bool     `json:"repeated"`
	Doc      string   `json:"doc"`
}

func (a *API) offered(r *Request) (any, error) {
	where, p := r.Filter.Facts()
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	out, err := a.offeredValues(r.Context(), x, r.Scope, r.Who.AgentID, where, p)
	if err != nil {
		return nil, err
	}
	if _, out.Names, err = a.ruleNames(r.Context()); err != nil {
		return nil, err
	}
	for _, f := range filter.Fields() {
		out.Fields = append(out.Fields, FilterField{f.Name, f.Type, f.Enum, f.Repeated, f.Doc})
	}
	return out, nil
}

// offeredValues reads what lists offer, at most settle old; the result is the caller's own.
func (a *API) offeredValues(ctx context.Context, x facts, scope access.Scope, agent, where string, p []any) (*Offered, error) {
	seen, sp := scope.Where("team", "agent_ids")
	own := "1"
	if agent != "" {
		own = "agent = {own:String}"
		sp = append(slices.Clone(sp), named("own", agent))
	}
	out, err := memo.Remember(ctx, a.memo, a.settled("offered", x, where, p, seen, sp), nil, func(ctx context.Context) (*Offered, error) {
		var o struct {
			Shops    []string `ch:"shops"`
			Teams    []string `ch:"teams"`
			Channels []string `ch:"channels"`
			Products []string `ch:"products"`
			Rules    []string `ch:"rules"`
			First    *string  `ch:"first_day"`
			Last     *string  `ch:"last_day"`
		}
		out := &Offered{}
		q := a.reads(ctx)
		q.one(&o, `SELECT arraySort(groupUniqArray(500)(toString(shop))) AS shops, arraySort(groupUniqArray(500)(toString(team))) AS teams, arraySort(groupUniqArray(500)(toString(channel))) AS channels,
			arraySort(groupUniqArrayIf(500)(toString(product), product != '')) AS products, arraySort(groupUniqArrayArray(2000)(broken)) AS rules, toString(min(day)) AS first_day, toString(max(day)) AS last_day FROM `+x.sessions(where), params(p)...)
		q.all(&out.Agents, `SELECT toString(agent) AS agent, argMax(if(agent = if(agent_id != '', agent_id, agent_ids[1]), toString(agent_name), ''), (agent_name != '' AND agent = if(agent_id != '', agent_id, agent_ids[1]), ifNull(started_at, toDateTime64(0, 3, 'UTC')), agent_name)) AS latest
			FROM (SELECT agent_ids, agent_id, agent_name, started_at FROM `+x.sessions(seen)+`) ARRAY JOIN agent_ids AS agent WHERE agent != '' AND `+own+` GROUP BY agent ORDER BY agent LIMIT 2000`, params(sp)...)
		if err := q.wait(); err != nil {
			return nil, err
		}
		out.Shops, out.Teams, out.Channels, out.Products, out.Rules, out.First, out.Last = o.Shops, o.Teams, o.Channels, o.Products, o.Rules, o.First, o.Last
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	mine := *out
	return &mine, nil
}
