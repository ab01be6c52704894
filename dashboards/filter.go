package dashboards

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/schemas"
)

// none is the value of a filter that asks for what is empty, such as sessions without a shop.
const none = "-"

// breach is the condition under which a hit is something that went wrong, rather than something worth a look.
const breach = "(outcome = 'fail' OR points < 0 OR severity IN ('minor', 'major', 'critical'))"

// Filter is a set of sessions as the address names it: values by name of the filter, checked.
type Filter struct {
	values map[string]string
	Page   int          // from 1
	scope  access.Scope // of the reader; the zero value is nothing
}

// condition is one filter: what its value may be, and what it says about the view sessions. A value is only ever a
// query parameter; SQL is fixed text.
type condition struct {
	name  string
	check func(string) bool
	sql   string
}

var conditions = []condition{
	{"state", oneOf("open", "closed"), "state = {state:String}"},
	{"flagged", oneOf("0", "1"), "flagged = ({flagged:String} = '1')"},
	{"severity", oneOf(schemas.Info, schemas.Minor, schemas.Major, schemas.Critical), "severity = {severity:String}"},
	{"shop", anything, "shop = {shop:String}"},
	{"team", anything, "team = {team:String}"},
	{"channel", anything, "channel = {channel:String}"},
	{"agent", anything, "has(agent_ids, {agent:String})"},
	{"rule", anything, "session_id IN (SELECT session_id FROM hits WHERE rule_id = {rule:String} AND " + breach + ")"},
	{"emotion", oneOf(schemas.EmotionKeys()...), "session_id IN (SELECT session_id FROM turns WHERE role = 'customer' AND emotion = {emotion:String})"},
	{"kind", oneOf(schemas.Kinds...), "session_id IN (SELECT session_id FROM mentions WHERE kind = {kind:String})"},
	{"aspect", oneOf(schemas.Aspects...), "session_id IN (SELECT session_id FROM mentions WHERE aspect = {aspect:String})"},
	{"from", isDay, "day >= {from:Date}"},
	{"to", isDay, "day <= {to:Date}"},
	{"undated", oneOf("1"), "day IS NULL AND {undated:String} = '1'"},
	{"q", anything, "session_id IN (SELECT session_id FROM turns WHERE text ILIKE {q:String})"},
}

// together are filters that speak of one thing: the hit of this agent, the mention of this kind about this aspect.
var together = []struct{ a, b, sql string }{
	{"rule", "agent", "session_id IN (SELECT session_id FROM hits WHERE rule_id = {rule:String} AND agent_id = {agent:String} AND " + breach + ")"},
	{"kind", "aspect", "session_id IN (SELECT session_id FROM mentions WHERE kind = {kind:String} AND aspect = {aspect:String})"},
}

func oneOf(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func anything(s string) bool { return len(s) <= 256 && utf8.ValidString(s) }

func isDay(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Year() >= 1970 && t.Year() < 2149 // what a Date holds
}

// parseFilter checks the address; the error is a *problem that names the wrong value.
func parseFilter(q url.Values) (Filter, error) {
	f := Filter{values: map[string]string{}, Page: 1}
	for _, c := range conditions {
		v := strings.TrimSpace(q.Get(c.name))
		if v == "" {
			continue
		}
		if !c.check(v) {
			return Filter{Page: 1}, &problem{http.StatusBadRequest, "bad_value", fmt.Sprintf("%s=%q", c.name, clip(v, 60))}
		}
		f.values[c.name] = v
	}
	if v := q.Get("page"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1_000_000 {
			return Filter{Page: 1}, &problem{http.StatusBadRequest, "bad_value", fmt.Sprintf("page=%q", clip(v, 60))}
		}
		f.Page = n
	}
	return f, nil
}

// Get is the value of a filter, empty where it is not set.
func (f Filter) Get(name string) string { return f.values[name] }

// Set says whether the filter leaves anything out.
func (f Filter) Set() bool { return len(f.values) > 0 }

// closed is the same filter over closed sessions only: figures about quality speak of nothing else.
func (f Filter) closed() Filter { return f.with("state", "closed") }

func (f Filter) with(name, value string) Filter {
	g := Filter{values: map[string]string{name: value}, Page: 1, scope: f.scope}
	for k, v := range f.values {
		if k != name {
			g.values[k] = v
		}
	}
	return g
}

// only is the filter without the values of other names.
func (f Filter) only(names ...string) Filter {
	g := Filter{values: map[string]string{}, Page: f.Page, scope: f.scope}
	for _, n := range names {
		if v := f.values[n]; v != "" {
			g.values[n] = v
		}
	}
	return g
}

// where is the condition on the view sessions with the values of its parameters: of what the reader may see, what the
// filter asks for.
func (f Filter) where() (string, []any) {
	inScope, args := f.scope.Where("team", "agent_ids")
	sql := []string{inScope}
	for _, c := range conditions {
		v, ok := f.values[c.name]
		if !ok {
			continue
		}
		sql = append(sql, c.sql)
		switch {
		case c.name == "q":
			v = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(v) + "%"
		case v == none:
			v = ""
		}
		args = append(args, clickhouse.Named(c.name, v))
	}
	for _, t := range together {
		if f.values[t.a] != "" && f.values[t.b] != "" {
			sql = append(sql, t.sql)
		}
	}
	return strings.Join(sql, " AND "), args
}

// ids is the same as a condition on session_id, for the other views.
func (f Filter) ids() (string, []any) {
	where, args := f.where()
	return "session_id IN (SELECT session_id FROM sessions WHERE " + where + ")", args
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
