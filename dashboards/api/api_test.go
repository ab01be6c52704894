package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// minePack is a pack that the tests publish.
const minePack = `id: mine
version: "1"
rules:
  - id: late # 太晚
    name: 开场问候
    severity: minor
    points: -2
    reason: "{searched}没有问候"
    expect:
      in: {role: agent, first: 1}
      keyword: [您好, 在的]
    tests:
      - {want: pass, turns: [{客户: 在吗}, {客服: 您好}]}
      - {want: fail, turns: [{客户: 在吗}, {客服: 说}]}
`

// newNames gives what stands for the $names of roleTable: things of the user's own are made anew.
func newNames(t testing.TB, f *fixture, user string, row string) *strings.Replacer {
	t.Helper()
	names := []string{"$pack", strings.Trim(quoteJSON(minePack), `"`)}
	if strings.Contains(row, "$o") {
		if f.opinions == nil {
			for _, o := range get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions").Items {
				f.opinions = append(f.opinions, o.ID)
			}
		}
		if len(f.opinions) == 0 {
			t.Fatal("the world has no opinions")
		}
		names = append(names, "$opinion", f.opinions[0], "$other", f.opinions[len(f.opinions)-1])
	}
	if strings.Contains(row, "$search") {
		id := "00000000-0000-7000-8000-000000000000"
		if w := as(f.api, user, http.MethodPost, Prefix+"/searches", `{"name":"x","target":"sessions","query":"flagged=1","shared":true}`); w.Code == http.StatusOK {
			var s SearchRow
			if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
				t.Fatal(err)
			}
			id = s.ID
		}
		names = append(names, "$search", id)
	}
	if strings.Contains(row, "$upload") {
		names = append(names, "$upload", newUpload(t, f, user))
	}
	if strings.Contains(row, "$job") {
		job, err := f.api.start(&Request{HTTP: httptest.NewRequest(http.MethodGet, "/", nil), Who: users[user]}, "test", "x", 1, func(context.Context, func(int)) (any, error) { return 1, nil })
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, "$job", job.ID)
	}
	return strings.NewReplacer(names...)
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestRoles asks for every route in every role, and without a log-in. What is allowed works, or is in conflict with what
// was done before; what is not is 403, whatever it asks for.
func TestRoles(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	f := newFixture(t)
	known := map[string]bool{}
	for _, row := range roleTable {
		known[row.route] = true
		method, _, _ := strings.Cut(row.route, " ")
		for _, role := range strings.Fields(all) {
			path, body := Prefix+row.path, row.body
			if strings.Contains(path+body, "$") {
				names := newNames(t, f, role, path+body)
				path, body = names.Replace(path), names.Replace(body)
			}
			w := as(f.api, role, method, path, body)
			f.settle()
			allowed := slices.Contains(strings.Fields(row.roles), role)
			switch {
			case !allowed && w.Code != http.StatusForbidden:
				t.Errorf("%s as %s: status %d, want 403: %s", row.route, role, w.Code, w.Body)
			case allowed && (w.Code < 200 || w.Code > 299) && w.Code != http.StatusConflict:
				t.Errorf("%s as %s: status %d, want 2xx: %s", row.route, role, w.Code, w.Body)
			}
		}
		if w := as(f.api, "", method, Prefix+row.path, row.body); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a log-in: status %d, want 401", row.route, w.Code)
		}
	}
	for _, r := range f.api.Routes() {
		if name := r.Method + " " + r.Path; !known[name] {
			t.Errorf("%s is not in roleTable: say who may call it", name)
		}
	}
	if f.log.Len() > 0 {
		t.Errorf("the log has\n%s", &f.log)
	}
}

// TestOpenAPI compares the description with the golden; -update writes it.
func TestOpenAPI(t *testing.T) {
	a, err := build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "openapi.json"
	if *update {
		if err := os.WriteFile(golden, a.openAPI, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.openAPI, want) {
		t.Errorf("%s is not what the routes say; go test ./dashboards/api -run TestOpenAPI -update", golden)
	}
	var doc struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(want, &doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if ids[op.OperationID] {
				t.Errorf("%s %s: operationId %s is not unique", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	// Every reference leads somewhere.
	for _, part := range strings.Split(string(want), `"$ref": "`)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		if name := strings.TrimPrefix(ref, "#/components/schemas/"); doc.Components.Schemas[name] == nil {
			t.Errorf("reference to %s, which is not there", ref)
		}
	}
}

func TestStrictInput(t *testing.T) {
	f := readFixture(t)
	bad := func(path string, status int, code, field string) {
		t.Helper()
		w := as(f.api, "admin", http.MethodGet, Prefix+path, "")
		var e errorBody
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v in %s", path, err, w.Body)
		}
		if w.Code != status || e.Error.Code != code || e.Error.Field != field || e.Error.Message == "" {
			t.Errorf("%s: %d %+v, want %d %s %s", path, w.Code, e.Error, status, code, field)
		}
	}
	bad("/sessions?nonsense=1", 400, "unknown_parameter", "nonsense")
	bad("/sessions?from=yesterday", 400, "bad_value", "from")
	bad("/sessions?from=2026-03-04&to=2026-03-01", 400, "bad_value", "to")
	bad("/sessions?severity=terrible", 400, "bad_value", "severity")
	bad("/sessions?flagged=yes", 400, "bad_value", "flagged")
	bad("/sessions?state=open&state=closed", 400, "bad_value", "state")
	bad("/sessions?score_min=NaN", 400, "bad_value", "score_min")
	bad("/sessions?limit=0", 400, "bad_value", "limit")
	bad("/sessions?limit=501", 400, "bad_value", "limit")
	bad("/sessions?limit=1&limit=2", 400, "bad_value", "limit")
	bad("/sessions?sort=random", 400, "bad_value", "sort")
	bad("/sessions?shop=%ff", 400, "bad_value", "shop")
	bad("/sessions?q="+strings.Repeat("a", 257), 400, "bad_value", "q")
	bad("/sessions?q=%zz", 400, "bad_query", "")
	bad("/sessions?cursor=abc", 400, "bad_cursor", "cursor")
	bad("/sessions/nothing", 404, "not_found", "")
	bad("/sessions/%ff", 404, "not_found", "")
	bad("/nowhere", 404, "no_route", "")
	if w := as(f.api, "admin", http.MethodDelete, Prefix+"/sessions", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET" {
		t.Errorf("DELETE /sessions: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := as(f.api, "admin", http.MethodGet, Prefix+"/me", "{}"); w.Code != http.StatusBadRequest {
		t.Errorf("a body where none is taken: %d", w.Code)
	}
}

// TestCursor walks the queue page by page in every order: each session comes once, as in one page, and a cursor of
// another list is refused.
func TestCursor(t *testing.T) {
	f := readFixture(t)
	for sort := range orders {
		if sort != "queue" && sort != "score" && testing.Short() {
			continue
		}
		whole := get[Page[QueueRow]](t, f.api, "admin", Prefix+"/sessions?limit=500&sort="+sort)
		if len(whole.Items) != len(world) || whole.Next != "" || *whole.Total != uint64(len(world)) {
			t.Fatalf("%s: %d sessions of %d, next %q", sort, len(whole.Items), len(world), whole.Next)
		}
		var ids []string
		next := ""
		for range len(world) + 1 {
			p := get[Page[QueueRow]](t, f.api, "admin", Prefix+"/sessions?limit=3&sort="+sort+"&cursor="+next)
			for _, x := range p.Items {
				ids = append(ids, x.ID)
			}
			if next = p.Next; next == "" {
				break
			}
			if w := as(f.api, "admin", http.MethodGet, Prefix+"/sessions?limit=3&shop=x&sort="+sort+"&cursor="+next, ""); w.Code != http.StatusBadRequest {
				t.Errorf("%s: a cursor of another list: status %d", sort, w.Code)
			}
		}
		var want []string
		for _, x := range whole.Items {
			want = append(want, x.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: pages give %v, one page %v", sort, ids, want)
		}
		for i, id := range want {
			if sort != "queue" && i != 1 {
				continue
			}
			n := get[Neighbours](t, f.api, "admin", Prefix+"/sessions/"+id+"/neighbours?sort="+sort)
			previous, following := "", ""
			if i > 0 {
				previous = want[i-1]
			}
			if i < len(want)-1 {
				following = want[i+1]
			}
			if n.Previous != previous || n.Next != following || !n.Listed {
				t.Errorf("%s: neighbours of %s are %+v, want %s and %s", sort, id, n, previous, following)
			}
		}
	}
	queue := get[Page[QueueRow]](t, f.api, "admin", Prefix+"/sessions?flagged=1")
	var got []string
	for _, x := range queue.Items {
		got = append(got, fmt.Sprint(x.ID, " ", x.Severity, " ", x.Rules))
	}
	if want := []string{"one-2 critical [ban]", "two-1 critical [ban]", "two-3 major [private]", "one-3 major [private]"}; !slices.Equal(got, want) {
		t.Errorf("the queue is %v, want %v", got, want)
	}
}

func TestTidy(t *testing.T) {
	f := func(v any, want string) {
		t.Helper()
		b, err := json.Marshal(tidy(v))
		if err != nil || string(b) != want {
			t.Errorf("%#v: %s %v, want %s", v, b, err, want)
		}
	}
	nan := math.NaN()
	f(struct{ A []int }{}, `{"A":[]}`)
	f(struct{ A map[string][]int }{}, `{"A":{}}`)
	f(struct{ A map[string][]int }{map[string][]int{"x": nil, "y": {1}}}, `{"A":{"x":[],"y":[1]}}`)
	f(struct {
		A map[string][]struct{ B []int }
	}{map[string][]struct{ B []int }{"x": {{}}}}, `{"A":{"x":[{"B":[]}]}}`)
	f(struct{ A *float64 }{&nan}, `{"A":null}`)
	f([]struct{ A []string }{{}}, `[{"A":[]}]`)
}
