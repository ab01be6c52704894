package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tingke/tingke/dashboards/filter"
)

// nasty is what somebody may put where a value goes.
var nasty = []string{
	"'", `"`, "`", `\`, `\'`, "' OR '1'='1", "x' OR 1=1 --", "1); DROP TABLE analyses; --", "' UNION SELECT * FROM audit_log --",
	"{f_shop:Array(String)}", "{x:String}", "?", "$1", "%", "_", "%%", "\\%", "a\tb", "a\nb", "a\rb", "a\x00b", "[", "]", "['x']", "']", "','",
	"(", ")", "[[", "NULL", "\\N", "/*", "--", "#", ";", "😀", "\u202e", "\ufeff", "０", strings.Repeat("'", 200), strings.Repeat("面", 80), "<script>", "../../etc/passwd",
}

// TestInjection puts every nasty string into every filter, against the real engine: nothing fails, and as nothing is
// called so, nothing is found. What is no such value at all is refused, not passed on.
func TestInjection(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	f := readFixture(t)
	ctx := t.Context()
	find := func(from string, values []string, where string, params []any) {
		t.Helper()
		var n uint64
		if err := f.w.Conn().QueryRow(ctx, "SELECT count() FROM "+from+" WHERE "+where, params...).Scan(&n); err != nil {
			t.Errorf("%q on %s: %v", values, from, err)
		} else if n != 0 {
			t.Errorf("%q finds %d rows of %s", values, n, from)
		}
	}
	// Several values are one list, whose parts must not run into each other; one of them alone is enough to break out.
	for _, x := range filter.Fields() {
		var good []string
		for _, s := range nasty {
			if _, err := filter.Parse(url.Values{x.Name: {s}}); err == nil { // others are refused: an enumeration, a day, a number
				good = append(good, s)
			}
		}
		lists := [][]string{}
		if x.Repeated {
			for ; len(good) > 0; good = good[min(40, len(good)):] {
				lists = append(lists, good[:min(40, len(good))])
			}
		} else {
			for _, s := range good {
				lists = append(lists, []string{s})
			}
		}
		for _, values := range lists {
			p, err := filter.Parse(url.Values{x.Name: values})
			if err != nil {
				t.Fatal(err)
			}
			where, params := p.Where()
			find("sessions", values, where, params)
			if x.Repeated {
				on, params := p.On("hits")
				find("hits", values, on, params)
			}
		}
	}
	// The parameters that routes have of their own, and parts of the path.
	for _, path := range []string{"/opinions?product=", "/opinions?department=", "/opinions?owner=", "/opinions?q=", "/turns?q=", "/mentions?q=", "/sessions/", "/opinions/", "/rules/packs/", "/sessions/one-1/explain?rule="} {
		for i, s := range nasty {
			if i%4 != 0 && !strings.HasSuffix(path, "/") {
				continue // all of them went through the filters
			}
			escape := url.QueryEscape
			if strings.HasSuffix(path, "/") {
				escape = url.PathEscape
			}
			w := as(f.api, "admin", http.MethodGet, Prefix+path+escape(s), "")
			found := false
			if w.Code == http.StatusOK {
				var page Page[json.RawMessage]
				if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
					t.Fatal(err)
				}
				found = len(page.Items) > 0
			}
			if w.Code >= 500 || found {
				t.Errorf("%s%q: status %d: %s", path, s, w.Code, clip(w.Body.String(), 300))
			}
		}
	}
	if f.log.Len() > 0 {
		t.Errorf("the log has\n%s", clip(f.log.String(), 2000))
	}
}

// foreign is what nobody of team 一组 may read: ids of sessions, agents, customers, orders and hits of team 二组, its name,
// and words that were said only there.
var foreign = regexp.MustCompile(`two-[0-9]|"b1"|名b1|二组|帐篷|说明书|399元`)

// either is this and what an agent may not read of colleagues.
var either = regexp.MustCompile(foreign.String() + `|one-[34]|"a2"|名a2|谢谢ABC`)

// TestScope asks for every GET route as somebody who is held to a team, and as an agent, with and without filters that ask
// for what is foreign: nothing of it occurs in an answer.
func TestScope(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	f := newFixture(t)
	if !foreign.MatchString(as(f.api, "admin", http.MethodGet, Prefix+"/sessions", "").Body.String()) {
		t.Fatal("the foreign words do not occur at all: the test sees nothing")
	}
	ask := func(user, path string, never *regexp.Regexp) {
		t.Helper()
		w := as(f.api, user, http.MethodGet, Prefix+path, "")
		if w.Code >= 500 {
			t.Errorf("GET %s as %s: status %d: %s", path, user, w.Code, w.Body)
		}
		body := w.Body.String()
		if w.Code == http.StatusOK && never.MatchString(body) {
			i := never.FindStringIndex(body)[0]
			t.Errorf("GET %s as %s tells %q", path, user, clip(body[max(0, i-80):], 200))
		}
	}
	for _, row := range roleTable {
		method, _, _ := strings.Cut(row.route, " ")
		if method != http.MethodGet || strings.Contains(row.route, "openapi") {
			continue
		}
		path := row.path
		if strings.Contains(path, "$") {
			path = newNames(t, f, "supervisor", path).Replace(path)
		}
		if strings.Contains(row.route, "/stream") {
			continue // its own test
		}
		ask("team-one", path, foreign)
		ask("agent", path, either)
	}
	for _, more := range []string{"/sessions?team=二组", "/sessions?agent=b1", "/sessions?shop=森野", "/sessions?customer=c-two-1", "/turns?q=帐篷", "/turns?agent=b1&role=agent", "/mentions?q=帐篷",
		"/kpi?by=agent&whole=1&like=1&from=2026-03-01&to=2026-03-31", "/kpi/broken?agent=b1&from=2026-03-01&to=2026-03-31",
		"/kpi?by=agent&agent=b1&from=2026-03-01&to=2026-03-31", "/kpi?by=team&team=二组&from=2026-03-01&to=2026-03-31", "/kpi?by=shop&from=2026-03-01&to=2026-03-31",
		"/kpi/sessions?figure=rounds&by=team&from=2026-03-01&to=2026-03-31", "/kpi/sessions?figure=sales&team=二组&from=2026-03-01&to=2026-03-31",
		"/opinions?q=面膜", "/overview?day=2026-03-02&team=二组"} {
		ask("team-one", encodeQuery(more), foreign)
	}
	for _, more := range []string{"/sessions", "/opinions", "/opinions?q=面膜", "/turns?q=帐篷", "/overview?day=2026-03-02", "/rules", "/filters"} {
		ask("pm-one", encodeQuery(more), foreign)
	}
	for _, more := range []string{"/sessions?agent=a2", "/kpi?by=agent&agent=a2&from=2026-03-01&to=2026-03-31", "/kpi/sessions?figure=rounds&from=2026-03-01&to=2026-03-31",
		"/kpi?whole=1&like=1&from=2026-03-01&to=2026-03-31", "/kpi/trend?whole=1&agent=a2&from=2026-03-01&to=2026-03-31", "/kpi/broken?agent=a2&from=2026-03-01&to=2026-03-31"} {
		ask("agent", encodeQuery(more), either)
		ask("agent-team", encodeQuery(more), either)
	}
	// A session of another team is not there; neither is one of a colleague.
	for user, ids := range map[string][]string{"team-one": {"two-1", "two-2", "nothing"}, "pm-one": {"two-1"}, "agent": {"two-1", "one-3", "one-4"}} {
		for _, id := range ids {
			for _, part := range []string{"", "/neighbours", "/explain?rule=ban"} {
				if w := as(f.api, user, http.MethodGet, Prefix+"/sessions/"+id+part, ""); w.Code != http.StatusNotFound {
					t.Errorf("session %s%s as %s: status %d, want 404", id, part, user, w.Code)
				}
			}
		}
	}
	// An opinion that nobody of the team has said is not there for the team.
	said := get[Page[OpinionRow]](t, f.api, "team-one", Prefix+"/opinions?q="+url.QueryEscape("面膜"))
	all := get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions?q="+url.QueryEscape("面膜"))
	if len(said.Items) != 1 || len(all.Items) != 1 || said.Items[0].Mentions != 2 || all.Items[0].Mentions != 3 {
		t.Errorf("the question of the price counts %+v for the team, %+v for all", said.Items, all.Items)
	}
}

func encodeQuery(path string) string {
	p, q, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(q)
	if err != nil {
		panic(err)
	}
	return p + "?" + values.Encode()
}
