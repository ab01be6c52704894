package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/review"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// banHit is the hit of the rule ban in one-2.
var banHit = analyse.ID("one-2", "ban", string(schemas.SeqKey(2)))

// newReviews takes reviews for the API of tests; of personal data it knows one number.
func newReviews(t testing.TB, w *warehouse.Warehouse) *review.Service {
	t.Helper()
	s, err := review.New(review.Options{Warehouse: w, Mask: func(s string) string { return strings.ReplaceAll(s, "13812345678", "[电话x]") }, Now: func() time.Time { return now },
		Users: func() []access.Identity { return slices.Collect(maps.Values(users)) },
		Reviewer: func(user string) (access.Identity, bool) {
			for _, u := range users {
				if u.User == user {
					return u, true
				}
			}
			return access.Identity{}, false
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hitOf is the hit of a session that is more than info.
func hitOf(t testing.TB, f *fixture, session string) string {
	t.Helper()
	for _, h := range get[Review](t, f.api, "admin", Prefix+"/sessions/"+session+"/review").Hits {
		if h.RuleID != "price" {
			return h.HitID
		}
	}
	t.Fatalf("%s has no hit", session)
	return ""
}

// TestReviewJourney goes the way of a hit through the hands of people, by HTTP alone.
func TestReviewJourney(t *testing.T) {
	f := newFixture(t)
	const path = Prefix + "/sessions/one-2/review"
	state := func(r Review) string {
		if len(r.Hits) != 1 {
			t.Fatalf("hits %+v", r.Hits)
		}
		h := r.Hits[0]
		return fmt.Sprintf("%s final %v conflict %v allowed %s", h.State, h.Final, h.Conflict, strings.Join(h.Allowed, ","))
	}
	seen := ""
	hits := strings.NewReplacer("HIT-one-2", hitOf(t, f, "one-2"), "HIT-two-1", hitOf(t, f, "two-1"))
	act := func(user, body, want string) Review {
		t.Helper()
		r := send[Review](t, f.api, user, http.MethodPost, path, strings.ReplaceAll(hits.Replace(body), "SEEN", seen))
		if got := state(r); got != want {
			t.Errorf("%s %s: %s, want %s", user, body, got, want)
		}
		seen = r.LastEvent
		return r
	}
	refused := func(user, path, body string, status int, code, field string) {
		t.Helper()
		w := as(f.api, user, http.MethodPost, path, hits.Replace(body))
		var e errorBody
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != status || e.Error.Code != code || e.Error.Field != field || e.Error.Message == "" {
			t.Errorf("%s %s: %d %s, want %d %s %s", user, body, w.Code, w.Body, status, code, field)
		}
	}
	appeals := func(user, query string) []AppealRow {
		t.Helper()
		return get[Page[AppealRow]](t, f.api, user, Prefix+"/reviews/appeals"+query).Items
	}
	if got := state(get[Review](t, f.api, "agent", path)); got != "undecided final false conflict false allowed appeal" {
		t.Errorf("at first: %s", got)
	}
	appealable := func(want string) {
		t.Helper()
		var got []string
		for _, x := range get[Appealables](t, f.api, "agent", Prefix+"/reviews/appealable").Items {
			got = append(got, fmt.Sprint(x.SessionID, " ", x.RuleID, " ", x.State, " ", x.Until != nil, " ", x.LastEvent == seen))
		}
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("the agent may appeal against %q, want %q", text, want)
		}
	}
	appealable("one-2 ban undecided true true")
	act("team-one", `{"action": "confirm", "hit_id": "HIT-one-2", "note": "确实"}`, "confirmed final false conflict false allowed dismiss")
	appealable("one-2 ban confirmed true true")
	refused("team-one", path, `{"action": "confirm", "hit_id": "HIT-one-2", "seen": "`+seen+`"}`, 409, "not_allowed", "")
	refused("agent", path, `{"action": "appeal", "hit_id": "HIT-one-2"}`, 400, "bad_value", "note")
	refused("agent", path, `{"action": "dismiss", "hit_id": "HIT-one-2"}`, 403, "forbidden", "")
	refused("agent", Prefix+"/sessions/two-1/review", `{"action": "appeal", "hit_id": "HIT-two-1", "note": "x"}`, 404, "not_found", "")
	refused("team-one", Prefix+"/sessions/two-1/review", `{"action": "confirm", "hit_id": "HIT-two-1"}`, 404, "not_found", "")
	refused("team-one", path, `{"action": "confirm", "hit_id": "HIT-two-1"}`, 404, "not_found", "")
	refused("team-one", path, `{"action": "confirm", "hit_id": "' OR 1=1 --"}`, 404, "not_found", "")
	refused("team-one", path, `{"action": "note", "note": "x", "session_id": "two-1"}`, 400, "unknown_field", "session_id")
	refused("team-one", path, `{"action": "erase"}`, 400, "bad_value", "action")
	refused("team-one", path, `{"action": "note", "note": "x", "seen": "zzz"}`, 400, "bad_value", "seen")
	act("agent", `{"action": "appeal", "hit_id": "HIT-one-2", "note": "客户13812345678 <b>先骂人</b>", "seen": "SEEN"}`, "appealed final false conflict false allowed ")
	appealable("")
	if a := appeals("agent", ""); len(a) != 1 || a[0].Reason != "客户[电话x] <b>先骂人</b>" || len(a[0].Allowed) != 0 || a[0].JudgedAt != nil {
		t.Errorf("the agent sees %+v", a)
	}
	if a := appeals("team-one", ""); len(a) != 1 || len(a[0].Allowed) != 0 {
		t.Errorf("who decided sees %+v", a)
	}
	if a := appeals("admin", ""); len(a) != 1 || strings.Join(a[0].Allowed, ",") != "uphold,overturn" {
		t.Errorf("the admin sees %+v", a)
	} else if x, want := a[0], "one-2 ban critical -60 a1 一组 花漾 客服推诿（不关我的事） 1 false false"; fmt.Sprint(x.SessionID, " ", x.RuleID, " ", x.Severity, " ", x.Points, " ", x.Agent, " ", x.Team, " ", x.Shop, " ", x.Found, " ", x.Appeals, " ", x.Final, " ", x.Conflict) != want {
		t.Errorf("the appeal is %+v, want %s", x, want)
	}
	if a := appeals("admin", "?team=%E4%BA%8C%E7%BB%84"); len(a) != 0 {
		t.Errorf("team two sees %+v", a)
	}
	refused("team-one", path, `{"action": "overturn", "hit_id": "HIT-one-2"}`, 403, "forbidden", "")
	r := act("admin", `{"action": "overturn", "hit_id": "HIT-one-2", "note": "说得对", "seen": "SEEN"}`, "overturned final true conflict false allowed ")
	if len(r.Trail) != 3 || r.Trail[1].Actor != "sq" || r.Trail[2].Note != "说得对" {
		t.Errorf("trail %+v", r.Trail)
	}
	if a := appeals("admin", ""); len(a) != 0 {
		t.Errorf("judged and open: %+v", a)
	}
	if a := appeals("agent", "?judged=judged"); len(a) != 1 || a[0].State != "overturned" || a[0].Judgement != "说得对" || a[0].JudgedAt == nil {
		t.Errorf("judged: %+v", a)
	}
	d := get[SessionDetail](t, f.api, "admin", Prefix+"/sessions/one-2")
	if s := d.Session; *s.Score != 40 || *s.FinalScore != 100 || !s.Reviewed || d.Hits[0].State != "overturned" {
		t.Errorf("session %+v, hit %+v", s.SessionRow, d.Hits[0])
	}
	for _, p := range get[RulePrecisions](t, f.api, "analyst", Prefix+"/reviews/precision").Items {
		if p.RuleID == "ban" && (p.Hits != 2 || p.Confirmed != 0 || p.Dismissed != 1 || *p.Precision != 0) {
			t.Errorf("precision %+v", p)
		}
	}
	if p := get[RulePrecisions](t, f.api, "analyst", Prefix+"/reviews/precision?from=2026-03-03").Items; len(p) != 2 || p[1].RuleID != "private" || p[1].Hits != 2 || p[1].Precision != nil {
		t.Errorf("precision of a day %+v", p)
	}
	if f.log.Len() > 0 {
		t.Errorf("the log has\n%s", &f.log)
	}
}

func TestReviewQueue(t *testing.T) {
	f := newFixture(t)
	queue := func(user, query string) string {
		t.Helper()
		var ids []string
		for _, x := range get[Page[QueueRow]](t, f.api, user, Prefix+"/reviews/queue"+query).Items {
			ids = append(ids, strings.TrimSuffix(x.ID+"="+x.Assignee, "="))
		}
		return strings.Join(ids, " ")
	}
	expect := func(user, query, want string) {
		t.Helper()
		if got := queue(user, query); got != want {
			t.Errorf("queue of %s%s: %s, want %s", user, query, got, want)
		}
	}
	expect("supervisor", "", "one-2 two-1 two-3 one-3")
	expect("team-one", "", "one-2 one-3")
	expect("supervisor", "?mine=mine", "")
	out := send[ReviewAssignments](t, f.api, "supervisor", http.MethodPost, Prefix+"/reviews/assign", `{"method": "hand", "sessions": ["one-2", "one-1"], "reviewers": [{"user": "sup1"}]}`)
	if out.Counts["sup1"] != 2 || len(out.Sessions) != 2 {
		t.Errorf("assigned %+v", out)
	}
	if list := fmt.Sprint(get[Reviewers](t, f.api, "supervisor", Prefix+"/reviews/reviewers").Items); list != "[{root Root admin 0} {sup Sup supervisor 0} {sup1 Sup One supervisor 2}]" {
		t.Errorf("reviewers %s", list)
	}
	expect("supervisor", "", "two-1 two-3 one-3")
	expect("supervisor", "?mine=all", "one-2=sup1 two-1 two-3 one-3 one-1=sup1")
	expect("team-one", "?mine=mine", "one-2=sup1 one-1=sup1")
	expect("team-one", "", "one-2=sup1 one-3 one-1=sup1")
	expect("team-one", "?shop=%E6%A3%AE%E9%87%8E", "")
	if w := as(f.api, "team-one", http.MethodPost, Prefix+"/reviews/assign", `{"method": "hand", "sessions": ["two-1"], "reviewers": [{"user": "sup1"}]}`); w.Code != http.StatusNotFound {
		t.Errorf("a session of another team: %d %s", w.Code, w.Body)
	}
	if w := as(f.api, "supervisor", http.MethodPost, Prefix+"/reviews/assign", `{"method": "ratio", "from": "soon", "reviewers": [{"user": "sup1", "weight": 1}]}`); w.Code != http.StatusBadRequest {
		t.Errorf("a day that is none: %d %s", w.Code, w.Body)
	}
	// Many at once: what is refused does not hold up the rest, and what is decided leaves the queue.
	hits := strings.NewReplacer("HIT-one-2", hitOf(t, f, "one-2"), "HIT-two-1", hitOf(t, f, "two-1"), "HIT-one-3", hitOf(t, f, "one-3"))
	r := send[ReviewResults](t, f.api, "team-one", http.MethodPost, Prefix+"/reviews/bulk", hits.Replace(`{"actions": [
		{"session_id": "one-2", "action": "confirm", "hit_id": "HIT-one-2"},
		{"session_id": "two-1", "action": "confirm", "hit_id": "HIT-two-1"},
		{"session_id": "one-3", "action": "dismiss", "hit_id": "HIT-one-3", "note": "误判"},
		{"session_id": "one-1", "action": "done"},
		{"session_id": "one-3", "action": "uphold", "hit_id": "HIT-one-3"}]}`))
	if r.Taken != 3 || r.Refused != 2 || r.Results[1].Error.Code != "not_found" || r.Results[4].Error.Code != "not_allowed" || r.Results[2].State != "dismissed" {
		t.Errorf("bulk %+v", r)
	}
	expect("team-one", "?mine=all", "")
	expect("supervisor", "?mine=all", "two-1 two-3")
	// The pages of the queue join up.
	p := get[Page[QueueRow]](t, f.api, "supervisor", Prefix+"/reviews/queue?limit=1")
	q := get[Page[QueueRow]](t, f.api, "supervisor", Prefix+"/reviews/queue?limit=1&cursor="+p.Next)
	if len(p.Items) != 1 || len(q.Items) != 1 || p.Items[0].ID+q.Items[0].ID != "two-1two-3" || q.Next != "" || *p.Total != 2 {
		t.Errorf("pages %+v %+v", p, q)
	}
	many := strings.Repeat(`{"session_id": "one-1", "action": "note", "note": "x"},`, 501)
	if w := as(f.api, "supervisor", http.MethodPost, Prefix+"/reviews/bulk", `{"actions": [`+strings.TrimSuffix(many, ",")+`]}`); w.Code != http.StatusBadRequest {
		t.Errorf("501 actions: %d", w.Code)
	}
}

// TestCaseOfADismissedHit makes a wrong hit into a test of its rule, which then stands in the pack in use.
func TestCaseOfADismissedHit(t *testing.T) {
	f := newFixture(t)
	hit := hitOf(t, f, "one-2")
	if hit != banHit {
		t.Errorf("the hit is %s, want %s", hit, banHit)
	}
	path := Prefix + "/sessions/one-2/hits/" + hit + "/case"
	status := func(user, path, body string, want int) {
		t.Helper()
		if w := as(f.api, user, http.MethodPost, path, body); w.Code != want {
			t.Errorf("%s %s: %d %s, want %d", user, body, w.Code, w.Body, want)
		}
	}
	status("supervisor", path, `{}`, http.StatusConflict) // nobody has said that it is wrong
	send[Review](t, f.api, "supervisor", http.MethodPost, Prefix+"/sessions/one-2/review", `{"action": "dismiss", "hit_id": "`+hit+`"}`)
	status("supervisor", path, `{"want": "perhaps"}`, http.StatusBadRequest)
	status("supervisor", Prefix+"/sessions/one-2/hits/nothing/case", `{}`, http.StatusNotFound)
	status("analyst", path, `{}`, http.StatusForbidden)
	c := send[RuleCase](t, f.api, "team-one", http.MethodPost, path, `{}`)
	if c.RuleID != "ban" || c.Want != "absent" || c.Got != "present" || c.Turns != 1 || c.Of != 3 || c.Pack != "test" || c.Published != nil {
		t.Errorf("case %+v", c)
	}
	if !strings.Contains(c.YAML, "不关我的事") || strings.Contains(c.YAML, "快递") || !strings.Contains(c.PackYAML, "# 最严重") || !strings.Contains(c.PackYAML, "误判 one-2") {
		t.Errorf("test %s\nin %s", c.YAML, c.PackYAML)
	}
	if text := get[PackText](t, f.api, "supervisor", Prefix+"/rules/packs/test").YAML; strings.Contains(text, "误判") {
		t.Error("the test is published unasked")
	}
	c = send[RuleCase](t, f.api, "supervisor", http.MethodPost, path, `{"publish": true}`)
	if c.Published == nil || c.Published.Pack != "test" || c.Published.Replaces != c.PackVersion {
		t.Errorf("published %+v", c.Published)
	}
	if text := get[PackText](t, f.api, "supervisor", Prefix+"/rules/packs/test").YAML; text != c.PackYAML {
		t.Errorf("in use is\n%s", text)
	}
	status("supervisor", path, `{}`, http.StatusConflict) // it is there already
}

// Open appeals come in the order in which they were made, judged ones the latest judgement first, on pages of any size.
func TestAppealsInOrder(t *testing.T) {
	f := newFixture(t)
	began := now
	t.Cleanup(func() { now = began })
	act := func(user, action, session string) {
		t.Helper()
		now = now.Add(time.Minute)
		send[Review](t, f.api, user, http.MethodPost, Prefix+"/sessions/"+session+"/review", fmt.Sprintf(`{"action": %q, "hit_id": %q, "note": "%s %s"}`, action, hitOf(t, f, session), action, session))
	}
	listed := func(judged string, want ...string) {
		t.Helper()
		for _, limit := range []int{1, 2, 50} {
			var got []string
			for next := ""; ; {
				page := get[Page[AppealRow]](t, f.api, "admin", fmt.Sprintf("%s/reviews/appeals?judged=%s&limit=%d&cursor=%s", Prefix, judged, limit, next))
				for _, x := range page.Items {
					if x.Reason != "appeal "+x.SessionID || x.State != "appealed" && !strings.HasSuffix(x.Judgement, " "+x.SessionID) {
						t.Errorf("%+v", x)
					}
					got = append(got, x.SessionID)
				}
				if next = page.Next; next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %q, want %q", judged, limit, got, want)
			}
		}
	}
	for i := range 5 {
		sql := fmt.Sprintf("INSERT INTO analyses SELECT * REPLACE ('more-%d' AS session_id, now64(3) AS written_at) FROM (SELECT * FROM analyses FINAL WHERE session_id = 'one-2')", i)
		if err := f.w.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []string{"3", "1", "4", "0", "2"} {
		act("agent", "appeal", "more-"+i)
	}
	listed("open", "more-3", "more-1", "more-4", "more-0", "more-2")
	for _, x := range [][2]string{{"0", "uphold"}, {"4", "overturn"}, {"3", "uphold"}, {"2", "overturn"}} {
		act("admin", x[1], "more-"+x[0])
	}
	listed("open", "more-1")
	listed("judged", "more-2", "more-3", "more-4", "more-0")
	listed("all", "more-3", "more-1", "more-4", "more-0", "more-2")
}
