// Package filter is the set of sessions that a page, an export, a search or a bench asks for: one language of filters,
// checked, and turned into SQL conditions on the public views.
//
// A value reaches SQL only as a query parameter; the SQL is fixed text. It must not import the API or the warehouse.
package filter

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/schemas"
)

// None is the value of a filter that asks for what is empty, such as sessions without a shop, or undecided hits.
const None = "-"

// Breach is the condition on hits under which a hit is something that went wrong, rather than something worth a look.
const Breach = "(outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical'))"

// Bounds of one filter.
const (
	maxValues = 50  // of one name
	maxBytes  = 256 // of one value
)

// Decisions are what the filter decision may ask for.
var Decisions = []string{"confirm", "dismiss", "appeal", "uphold", "overturn"}

// Field describes one filter to those who fill it in.
type Field struct {
	Name     string
	Type     string   // text, day, number, bool
	Enum     []string // of a text that is one of few
	Repeated bool     // may be given several times; any of the values will do
	Doc      string
}

// field is a filter with its condition on the view sessions; the conditions of those without one are made in where. The
// condition on session_facts is the same where no other is in factSQL.
type field struct {
	Field
	sql string
}

// factSQL are the conditions on the table session_facts of what its rows know and those of sessions do not.
var factSQL = map[string]string{
	"emotion": "hasAny(heard, {f_emotion:Array(String)})",
	"product": "(product IN {f_product:Array(String)} OR hasAny(mention_product, {f_product:Array(String)}))",
}

var fields = []field{
	{Field{Name: "from", Type: "day", Doc: "first day, by the start of the session"}, "day >= {f_from:Date}"},
	{Field{Name: "to", Type: "day", Doc: "last day, inside"}, "day <= {f_to:Date}"},
	{Field{Name: "state", Type: "text", Enum: []string{"open", "closed"}, Doc: "open or closed sessions"}, "state = {f_state:String}"},
	{Field{Name: "flagged", Type: "bool", Doc: "whether the session goes to the review queue"}, "flagged = ({f_flagged:String} = '1')"},
	{Field{Name: "severity", Type: "text", Enum: []string{schemas.Info, schemas.Minor, schemas.Major, schemas.Critical}, Repeated: true, Doc: "strongest severity of the session"}, "severity IN {f_severity:Array(String)}"},
	{Field{Name: "channel", Type: "text", Repeated: true, Doc: "channel"}, "channel IN {f_channel:Array(String)}"},
	{Field{Name: "shop", Type: "text", Repeated: true, Doc: "shop"}, "shop IN {f_shop:Array(String)}"},
	{Field{Name: "business", Type: "text", Enum: []string{"presales", "insales", "aftersales", "followup", None}, Repeated: true, Doc: "business"}, "business IN {f_business:Array(String)}"},
	{Field{Name: "team", Type: "text", Repeated: true, Doc: "team of the session"}, "team IN {f_team:Array(String)}"},
	{Field{Name: "agent", Type: "text", Repeated: true, Doc: "agent who took part; with rule or decision the agent of the hit"}, "hasAny(agent_ids, {f_agent:Array(String)})"},
	{Field{Name: "customer", Type: "text", Doc: "pseudonym of the customer"}, "customer_id = {f_customer:String}"},
	{Field{Name: "score_min", Type: "number", Doc: "lowest score"}, "score >= {f_score_min:Float64}"},
	{Field{Name: "score_max", Type: "number", Doc: "highest score"}, "score <= {f_score_max:Float64}"},
	{Field{Name: "rule", Type: "text", Repeated: true, Doc: "rule that was broken"}, ""},
	{Field{Name: "decision", Type: "text", Enum: append(slices.Clone(Decisions), None), Repeated: true, Doc: "decision on a hit; - for undecided"}, ""},
	{Field{Name: "reviewed", Type: "bool", Doc: "whether nothing is left to review"}, "reviewed = ({f_reviewed:String} = '1')"},
	{Field{Name: "assignee", Type: "text", Repeated: true, Doc: "who is to review it; - for nobody"}, "assignee IN {f_assignee:Array(String)}"},
	{Field{Name: "appeal", Type: "bool", Doc: "whether an appeal waits for a judgement"}, "(open_appeals > 0) = ({f_appeal:String} = '1')"},
	{Field{Name: "conflict", Type: "bool", Doc: "whether decisions on a hit are in conflict"}, "(conflicts > 0) = ({f_conflict:String} = '1')"},
	{Field{Name: "emotion", Type: "text", Enum: schemas.EmotionKeys(), Repeated: true, Doc: "emotion of a customer turn"}, "session_id IN (SELECT session_id FROM turns WHERE role = 'customer' AND emotion IN {f_emotion:Array(String)})"},
	{Field{Name: "opinion", Type: "text", Repeated: true, Doc: "opinion that was mentioned"}, ""},
	{Field{Name: "kind", Type: "text", Enum: schemas.Kinds, Repeated: true, Doc: "kind of a mention"}, ""},
	{Field{Name: "aspect", Type: "text", Enum: schemas.Aspects, Repeated: true, Doc: "aspect of a mention"}, ""},
	{Field{Name: "product", Type: "text", Repeated: true, Doc: "product that the session is about or that a mention names"}, "(product IN {f_product:Array(String)} OR session_id IN (SELECT session_id FROM mentions WHERE product IN {f_product:Array(String)}))"},
	{Field{Name: "q", Type: "text", Doc: "words of a turn, taken literally; case, width and traditional characters do not matter"}, ""},
}

var byName = func() map[string]field {
	m := make(map[string]field, len(fields))
	for _, f := range fields {
		m[f.Name] = f
	}
	return m
}()

// Fields lists the filters in the order in which a form shows them.
func Fields() []Field {
	out := make([]Field, len(fields))
	for i, f := range fields {
		out[i] = f.Field
	}
	return out
}

// Has says whether there is a filter of that name.
func Has(name string) bool { return byName[name].Name != "" }

// Error is a value that a filter does not take.
type Error struct {
	Field   string
	Problem string
}

func (e *Error) Error() string { return e.Field + ": " + e.Problem }

// Filter is a checked set of filters. The zero value lets everything through. It is immutable and safe for concurrent
// use.
type Filter struct {
	values map[string][]string
	within []condition
	said   string
}

type condition struct {
	sql    string
	params []any
}

// Parse checks the filters among the values of an address; names that are no filter are left alone, empty values say
// nothing. The error is an *Error.
func Parse(q url.Values) (Filter, error) {
	f := Filter{values: map[string][]string{}}
	for _, c := range fields {
		var values []string
		for _, v := range q[c.Name] {
			if v == "" {
				continue
			}
			if problem := c.check(v); problem != "" {
				return Filter{}, &Error{c.Name, problem}
			}
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1 && !c.Repeated:
			return Filter{}, &Error{c.Name, "is given twice; give one value"}
		case len(values) > maxValues:
			return Filter{}, &Error{c.Name, fmt.Sprintf("has %d values; give at most %d", len(values), maxValues)}
		}
		slices.Sort(values)
		f.values[c.Name] = values
	}
	if from, to := f.Get("from"), f.Get("to"); from != "" && to != "" && from > to {
		return Filter{}, &Error{"to", fmt.Sprintf("%s is before from, %s", to, from)}
	}
	return f, nil
}

func (c field) check(v string) string {
	if len(v) > maxBytes {
		return fmt.Sprintf("is longer than %d bytes", maxBytes)
	}
	if !utf8.ValidString(v) {
		return "is not UTF-8"
	}
	switch {
	case c.Type == "day":
		t, err := time.Parse(time.DateOnly, v)
		if err != nil || t.Year() < 1970 || t.Year() >= 2149 { // what a Date holds
			return fmt.Sprintf("%q is no day; write one such as 2026-03-31", clip(v))
		}
	case c.Type == "number":
		if x, err := strconv.ParseFloat(v, 64); err != nil || x < -1e9 || x > 1e9 || x != x || strings.ContainsAny(v, "xXpP_") {
			return fmt.Sprintf("%q is no number", clip(v))
		}
	case c.Type == "bool":
		if v != "0" && v != "1" {
			return fmt.Sprintf("%q is neither 0 nor 1", clip(v))
		}
	case c.Enum != nil:
		if !slices.Contains(c.Enum, v) {
			return fmt.Sprintf("%q is none of %s", clip(v), strings.Join(c.Enum, ", "))
		}
	}
	return ""
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// Get is the first value of a filter, empty where it is not set.
func (f Filter) Get(name string) string {
	if v := f.values[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// All are the values of a filter.
func (f Filter) All(name string) []string { return slices.Clone(f.values[name]) }

// Set says whether the filter itself leaves anything out; what Within adds does not count.
func (f Filter) Set() bool { return len(f.values) > 0 }

// With is the same filter with other values for one name, which must be a filter and the values good ones: it is for
// values that the program knows. No value takes the filter away.
func (f Filter) With(name string, values ...string) Filter {
	g := f
	g.values = maps.Clone(f.values)
	if g.values == nil {
		g.values = map[string][]string{}
	}
	delete(g.values, name)
	if len(values) > 0 {
		g.values[name] = slices.Clone(values)
	}
	return g
}

// Closed is the same filter over closed sessions only: figures about quality speak of nothing else.
func (f Filter) Closed() Filter { return f.With("state", "closed") }

// Only is the filter without the values of other names.
func (f Filter) Only(names ...string) Filter {
	g := f
	g.values = map[string][]string{}
	for _, n := range names {
		if v := f.values[n]; len(v) > 0 {
			g.values[n] = v
		}
	}
	return g
}

// Within adds a condition on the view sessions that is no part of the address, such as what a user may see. The SQL is
// fixed text; the names of its parameters must not begin with f_.
func (f Filter) Within(sql string, params ...any) Filter {
	if sql == "" || sql == "1" {
		return f
	}
	f.within = append(slices.Clone(f.within), condition{sql, params})
	return f
}

// Said is the same filter that looks for words in the table turn_facts, in its rows of a condition, which is fixed text.
func (f Filter) Said(rows string) Filter {
	f.said = rows
	return f
}

// Query gives the values as an address has them, without what Within added.
func (f Filter) Query() url.Values {
	q := url.Values{}
	for k, v := range f.values {
		q[k] = slices.Clone(v)
	}
	return q
}

// String is the encoded query, sorted by name.
func (f Filter) String() string { return f.Query().Encode() }

// Where is the condition on the view sessions, with its parameters.
func (f Filter) Where() (string, []any) {
	b := builder{f: f}
	for _, c := range fields {
		if f.values[c.Name] != nil && c.sql != "" {
			b.add(c.sql, c.Name)
		}
	}
	b.among("hits", []string{"rule", "decision"}, "agent")
	b.among("mentions", []string{"opinion", "kind", "aspect"}, "product")
	if q := f.Get("q"); q != "" {
		sql, params := Text("text", q)
		b.sql = append(b.sql, "session_id IN (SELECT session_id FROM turn_marks WHERE "+sql+")")
		b.params = append(b.params, params...)
	}
	for _, w := range f.within {
		b.sql = append(b.sql, "("+w.sql+")")
		b.params = append(b.params, w.params...)
	}
	if len(b.sql) == 0 {
		return "1", nil
	}
	return strings.Join(b.sql, " AND "), b.params
}

// Turns is the condition on the rows of the table turn_facts that speak of the days of the filter.
func (f Filter) Turns() (string, []any) {
	b := builder{f: f}
	for name, sql := range map[string]string{"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}"} {
		if f.values[name] != nil {
			b.add(sql, name)
		}
	}
	return strings.Join(append(b.sql, "1"), " AND ") + f.newest(), b.params
}

// newest bounds the rows of turn_facts by their order; the days themselves are still to be asked for.
func (f Filter) newest() string {
	var sql string
	if f.Get("from") != "" {
		sql += " AND newest <= -toInt32({f_from:Date})"
	}
	if f.Get("to") != "" {
		sql += " AND newest >= -toInt32({f_to:Date})"
	}
	return sql
}

// Facts is the condition of Where on the rows of the table session_facts, which hold hits and mentions as arrays. A filter
// with words must know which turns to look in (Said).
func (f Filter) Facts() (string, []any) {
	b := builder{f: f}
	for _, c := range fields {
		if f.values[c.Name] == nil {
			continue
		}
		if sql := factSQL[c.Name]; sql != "" {
			b.add(sql, c.Name)
		} else if c.sql != "" {
			b.add(c.sql, c.Name)
		}
	}
	if f.values["rule"] != nil && f.values["decision"] == nil && f.values["agent"] == nil { // no hit by itself is asked for
		b.add("hasAny(broken, {f_rule:Array(String)})", "rule")
	} else {
		b.within([]string{"rule", "decision"}, "agent", map[string]string{"rule": "hit_rule", "decision": "hit_decision", "agent": "hit_agent"},
			"("+hitBreach+")", "hit_outcome", "hit_points", "hit_severity")
	}
	b.within([]string{"opinion", "kind", "aspect"}, "", map[string]string{"opinion": "mention_opinion", "kind": "mention_kind", "aspect": "mention_aspect"}, "")
	if q := f.Get("q"); q != "" {
		sql, params := Words(q)
		b.sql = append(b.sql, "cityHash64(session_id) IN (SELECT session FROM turn_facts WHERE "+f.said+" AND "+sql+f.newest()+")")
		b.params = append(b.params, params...)
	}
	for _, w := range f.within {
		b.sql = append(b.sql, "("+w.sql+")")
		b.params = append(b.params, w.params...)
	}
	if len(b.sql) == 0 {
		return "1", nil
	}
	return strings.Join(b.sql, " AND "), b.params
}

// OpinionFacts is the same condition on the rows of the table opinion_facts; false where these do not know what it asks for.
func (f Filter) OpinionFacts() (string, []any, bool) {
	b := builder{f: f}
	for _, c := range fields {
		if f.values[c.Name] == nil {
			continue
		}
		sql := direct["opinion_facts"][c.Name]
		if sql == "" {
			return "", nil, false
		}
		b.add(sql, c.Name)
	}
	return strings.Join(append(b.sql, "1"), " AND "), b.params, len(f.within) == 0
}

// hitBreach is Breach inside of arrayExists over the hits of a row.
const hitBreach = "x_hit_outcome = 'fail' OR x_hit_points < 0 OR x_hit_severity IN ('minor', 'major', 'critical')"

// Merged is an array of the opinions, as sessions name them, that count for those of the filter opinion.
const Merged = "(SELECT arrayConcat(groupArrayIf(opinion_id, target_id IN {f_opinion:Array(String)}), arrayFilter(x -> NOT has(groupArray(opinion_id), x), {f_opinion:Array(String)})) FROM opinion_redirects)"

// within asks for one element of arrays that run alike of which all the filters speak, as among does for rows of a view.
func (b *builder) within(names []string, also string, arrays map[string]string, more string, moreArrays ...string) {
	var sql, list []string
	for _, n := range append(slices.Clone(names), also) {
		if n == "" || b.f.values[n] == nil || n == also && len(sql) == 0 {
			continue
		}
		list = append(list, arrays[n])
		wanted := "{f_" + n + ":Array(String)}"
		if n == "opinion" {
			wanted = Merged
		}
		// The sessions with one of the values are found by one array; only of these the others are read.
		b.sql = append(b.sql, "hasAny("+arrays[n]+", "+wanted+")")
		sql = append(sql, "has("+wanted+", x_"+arrays[n]+")")
		b.param(n)
	}
	if len(sql) == 0 {
		return
	}
	if more != "" {
		sql, list = append(sql, more), append(list, moreArrays...)
	}
	b.sql = append(b.sql, "arrayExists((x_"+strings.Join(list, ", x_")+") -> "+strings.Join(sql, " AND ")+", "+strings.Join(list, ", ")+")")
}

// direct are the conditions that a view or copy with a row per part of a session can decide by its own columns.
var direct = map[string]map[string]string{
	"turns":           {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "state": "closed = ({f_state:String} = 'closed')", "shop": "shop IN {f_shop:Array(String)}"},
	"mentions":        {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "state": "closed = ({f_state:String} = 'closed')", "shop": "shop IN {f_shop:Array(String)}"},
	"hits":            {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "state": "closed = ({f_state:String} = 'closed')", "shop": "shop IN {f_shop:Array(String)}", "team": "team IN {f_team:Array(String)}"},
	"outcomes":        {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "state": "closed = ({f_state:String} = 'closed')"},
	"scorecard_items": {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "state": "closed = ({f_state:String} = 'closed')"},
	"opinion_facts":   {"from": "day >= {f_from:Date}", "to": "day <= {f_to:Date}", "shop": "shop IN {f_shop:Array(String)}"},
	"rounds":          {"state": "closed = ({f_state:String} = 'closed')", "shop": "shop IN {f_shop:Array(String)}", "channel": "channel IN {f_channel:Array(String)}"},
}

// On is the condition on another view with a column session_id: the rows of the sessions that Where lets through. What
// the view's own columns can decide is decided there, which reads much less.
func (f Filter) On(view string) (string, []any) {
	own := direct[view]
	b := builder{f: f}
	rest := len(f.within) > 0
	for _, c := range fields {
		if f.values[c.Name] == nil {
			continue
		}
		if sql := own[c.Name]; sql != "" {
			b.add(sql, c.Name)
		} else {
			rest = true
		}
	}
	if !rest {
		if len(b.sql) == 0 {
			return "1", nil
		}
		return strings.Join(b.sql, " AND "), b.params
	}
	where, params := f.Where()
	return strings.Join(append(b.sql, "session_id IN (SELECT session_id FROM sessions WHERE "+where+")"), " AND "), params
}

type builder struct {
	f      Filter
	sql    []string
	params []any
	named  map[string]bool
}

// add adds a condition on one filter.
func (b *builder) add(sql, name string) {
	b.sql = append(b.sql, sql)
	b.param(name)
}

// param adds the value of a filter as a parameter.
func (b *builder) param(name string) {
	if b.named[name] {
		return
	}
	if b.named == nil {
		b.named = map[string]bool{}
	}
	b.named[name] = true
	values := b.f.All(name)
	for i, v := range values {
		if v == None {
			values[i] = ""
		}
	}
	if byName[name].Repeated {
		b.params = append(b.params, clickhouse.Named("f_"+name, values))
		return
	}
	b.params = append(b.params, clickhouse.Named("f_"+name, values[0]))
}

// columns of hits and mentions by the filter that asks for them.
var columns = map[string]string{"rule": "rule_id", "decision": "decision", "agent": "agent_id", "opinion": "opinion_id", "kind": "kind", "aspect": "aspect", "product": "product"}

// among asks for one row of a view that all the filters speak of: the hit of this rule by this agent, the complaint about
// this aspect. The filter also joins in only where one of the others is set.
func (b *builder) among(view string, names []string, also string) {
	var sql []string
	for _, n := range names {
		if b.f.values[n] != nil {
			sql = append(sql, columns[n]+" IN {f_"+n+":Array(String)}")
			b.param(n)
		}
	}
	if len(sql) == 0 {
		return
	}
	if b.f.values[also] != nil && also != "product" {
		sql = append(sql, columns[also]+" IN {f_"+also+":Array(String)}")
		b.param(also)
	}
	if view == "hits" {
		sql = append(sql, Breach)
	}
	b.sql = append(b.sql, "session_id IN (SELECT session_id FROM "+view+" WHERE "+strings.Join(sql, " AND ")+")")
}
