package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tingke/tingke/dashboards/filter"
	"github.com/tingke/tingke/pipeline/rulestore"
)

// TestRuleJourney is what a supervisor does: a rule by form, linted, tried, backtested, published, compared, rolled back.
func TestRuleJourney(t *testing.T) {
	f := newFixture(t)
	sup := func(method, path, body string) string {
		t.Helper()
		w := as(f.api, "supervisor", method, Prefix+path, body)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	text := get[PackText](t, f.api, "supervisor", Prefix+"/rules/packs/test")
	if text.YAML != testPack || !slices.Equal(text.Rules, []string{"ban", "private", "price"}) {
		t.Fatalf("the pack in use is %+v", text)
	}
	values := `{"id":"late","name":"开场问候","severity":"minor","points":-2,"first":1,"words":["您好","在的"],"reason":"没有问候"}`
	made := send[FormApplied](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/forms/apply", `{"form":"must_say","values":`+values+`,"yaml":`+quoteJSON(text.YAML)+`}`)
	if !made.Lint.OK || !strings.Contains(made.YAML, "# 最严重") || !strings.HasPrefix(made.YAML, strings.TrimRight(testPack, "\n")) {
		t.Fatalf("the pack with the rule: %+v\n%s", made.Lint, made.YAML)
	}
	read := send[FormValues](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/forms/read", `{"yaml":`+quoteJSON(made.YAML)+`,"rule":"late"}`)
	if read.Form != "must_say" || read.Values["first"] != 1.0 {
		t.Errorf("the form of the rule is %+v", read)
	}
	bad := send[Lint](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/lint", `{"yaml":`+quoteJSON(strings.Replace(made.YAML, "critical", "terrible", 1))+`}`)
	if bad.OK || len(bad.Problems) == 0 || bad.Problems[0].Line != 13 || bad.Problems[0].Severity != "error" {
		t.Errorf("a wrong severity on line 13: %+v", bad)
	}
	tried := send[Tried](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/try", `{"yaml":`+quoteJSON(made.YAML)+`,"text":"10:00:01 客户：在吗\n客服: 不关我的事\n真的"}`)
	if len(tried.Turns) != 2 || tried.Outcomes["ban"] != "present" || tried.Outcomes["late"] != "fail" || len(tried.Explanations) != 4 || !tried.Score.OK || tried.Score.V != 38 {
		t.Errorf("tried: %+v", tried)
	}
	job := send[Job](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/backtest", `{"yaml":`+quoteJSON(made.YAML)+`,"from":"2026-03-01","to":"2026-03-31"}`)
	f.settle()
	report := sup(http.MethodGet, "/jobs/"+job.ID, "")
	for _, want := range []string{`"state":"done"`, `"sessions":7`, `"id":"late"`, `"two-1"`} {
		if !strings.Contains(report, want) {
			t.Errorf("the backtest has no %s: %s", want, clip(report, 1500))
		}
	}
	job = send[Job](t, f.api, "team-one", http.MethodPost, Prefix+"/rules/backtest", `{"yaml":`+quoteJSON(made.YAML)+`,"from":"2026-03-01","to":"2026-03-31"}`)
	f.settle()
	if own := as(f.api, "team-one", http.MethodGet, Prefix+"/jobs/"+job.ID, "").Body.String(); !strings.Contains(own, `"sessions":4`) || foreign.MatchString(own) {
		t.Errorf("the backtest of a team: %s", clip(own, 1500))
	}
	if w := as(f.api, "supervisor", http.MethodGet, Prefix+"/jobs/"+job.ID, ""); w.Code != http.StatusNotFound {
		t.Errorf("somebody else's job: %d", w.Code)
	}
	log := &auditLog{}
	publish := `{"yaml":` + quoteJSON(made.YAML) + `,"note":"开场","base":"` + text.Version + `"}`
	if w := asWith(f.api, log, "supervisor", http.MethodPost, Prefix+"/rules/packs", "application/json", publish); w.Code != http.StatusOK {
		t.Fatalf("publish: %d %s", w.Code, w.Body)
	}
	if len(log.entries) != 1 || log.entries[0].Action != "publish_rules" || log.entries[0].Actor != "sup" {
		t.Errorf("the audit log has %+v", log.entries)
	}
	if w := as(f.api, "supervisor", http.MethodPost, Prefix+"/rules/packs", publish); w.Code != http.StatusConflict {
		t.Errorf("publishing on an old base: %d %s", w.Code, w.Body)
	}
	if w := as(f.api, "supervisor", http.MethodPost, Prefix+"/rules/packs", `{"yaml":`+quoteJSON(strings.Replace(testPack, "want: absent", "want: present", 1))+`,"note":""}`); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("publishing with a failing test: %d %s", w.Code, w.Body)
	}
	history := get[Page[Publication]](t, f.api, "supervisor", Prefix+"/rules/history?pack=test")
	if len(history.Items) != 1 || !history.Items[0].InUse || history.Items[0].Author != "sup" || history.Items[0].Note != "开场" {
		t.Fatalf("history: %+v", history.Items)
	}
	next := strings.Replace(made.YAML, "points: -2", "points: -4", 1)
	sup(http.MethodPost, "/rules/packs", `{"yaml":`+quoteJSON(next)+`,"note":"扣四分"}`)
	diff := get[Diff](t, f.api, "supervisor", Prefix+"/rules/packs/test/diff?from="+url.QueryEscape(history.Items[0].Version))
	var changed []string
	for _, l := range diff.Lines {
		if l.Change != "same" {
			changed = append(changed, l.Change+strings.TrimSpace(l.Text))
		}
	}
	if !slices.Equal(changed, []string{"removedpoints: -2", "addedpoints: -4"}) {
		t.Errorf("the difference is %q", changed)
	}
	back := send[rulestore.Published](t, f.api, "supervisor", http.MethodPost, Prefix+"/rules/packs/test/rollback", `{"version":"`+history.Items[0].Version+`","note":""}`)
	if back.Version != history.Items[0].Version {
		t.Errorf("rolled back to %+v", back)
	}
	sup(http.MethodPost, "/rules/packs/test/withdraw", `{"note":"够了"}`)
	if again := get[PackText](t, f.api, "supervisor", Prefix+"/rules/packs/test"); again.YAML != testPack {
		t.Errorf("after withdrawing, %s is in use", again.Version)
	}
}

// TestSessionDetail: what is told of a session is what the views say, and the trail ends at the score.
func TestSessionDetail(t *testing.T) {
	f := readFixture(t)
	log := &auditLog{}
	w := asWith(f.api, log, "supervisor", http.MethodGet, Prefix+"/sessions/one-2", "", "")
	if w.Code != http.StatusOK || len(log.entries) != 1 || log.entries[0].Action != "open_session" || log.entries[0].Object != "one-2" {
		t.Fatalf("status %d, audit %+v", w.Code, log.entries)
	}
	d := get[SessionDetail](t, f.api, "supervisor", Prefix+"/sessions/one-2")
	if len(d.Turns) != 3 || len(d.Hits) != 1 || d.Hits[0].Name != "推诿" || d.Session.MediaURL != "https://media.example/one-2" || d.Session.Day.String() != "2026-03-02" {
		t.Errorf("detail: %+v", d)
	}
	if e := d.Hits[0].Evidence; len(e) != 1 || d.Turns[1].Text[e[0].Start:e[0].End] != "不关我的事" {
		t.Errorf("evidence: %+v", e)
	}
	if n := len(d.Trail); n == 0 || d.Session.Score == nil || d.Trail[n-1].Total != *d.Session.Score || *d.Session.Score != 40 {
		t.Errorf("trail: %+v, score %v", d.Trail, d.Session.Score)
	}
	if !slices.Equal(d.FlaggedBy, []string{"a critical hit of ban", "a score below 60"}) {
		t.Errorf("flagged by %q", d.FlaggedBy)
	}
	if len(d.Orders) != 1 || len(d.Rounds) == 0 || len(d.Agents) != 1 || d.Agents[0].Name != "名a1" {
		t.Errorf("orders %+v, rounds %+v, agents %+v", d.Orders, d.Rounds, d.Agents)
	}
	x := get[SessionExplanation](t, f.api, "agent", Prefix+"/sessions/one-2/explain?rule=ban")
	if !x.Same || x.Stored == "" {
		t.Errorf("explanation: %+v", x)
	}
}

// TestSearch finds words whatever their case, width and script, and says where they stand.
func TestSearch(t *testing.T) {
	f := readFixture(t)
	for q, want := range map[string]string{"abc": "谢谢ABC", "ＡＢＣ": "谢谢ABC", "太贵了": "太貴了，能便宜點嗎", "能便宜点吗": "太貴了，能便宜點嗎", "加v信": "亲，加V信详聊"} {
		p := get[TurnPage](t, f.api, "admin", Prefix+"/turns?q="+url.QueryEscape(q))
		var texts []string
		for _, x := range p.Items {
			texts = append(texts, x.Text)
			if len(x.Spans) != 1 || !slices.Equal(filter.Find(x.Text[x.Spans[0].Start:x.Spans[0].End], q), []filter.Span{{Start: 0, End: x.Spans[0].End - x.Spans[0].Start}}) {
				t.Errorf("%s in %q stands at %+v", q, x.Text, x.Spans)
			}
		}
		if !slices.Contains(texts, want) {
			t.Errorf("%s finds %q, want %s", q, texts, want)
		}
	}
	for _, q := range []string{"_", "%", "a", "太貴太貴"} {
		if p := get[TurnPage](t, f.api, "admin", Prefix+"/turns?q="+url.QueryEscape(q)); q != "a" && p.Total != 0 {
			t.Errorf("%q finds %d", q, p.Total)
		}
	}
	seen := map[string]bool{}
	next := ""
	for range 10 {
		p := get[TurnPage](t, f.api, "admin", Prefix+"/turns?limit=5&role=customer&cursor="+next)
		for _, x := range p.Items {
			key := x.SessionID + " " + x.Text
			if seen[key] {
				t.Errorf("%s comes twice", key)
			}
			seen[key] = true
		}
		if next = p.Next; next == "" {
			if int(p.Total) != len(seen) {
				t.Errorf("%d of %d", len(seen), p.Total)
			}
			break
		}
	}
	draft := send[FormApplied](t, f.api, "supervisor", http.MethodPost, Prefix+"/searches/draft", `{"words":["加V信","太貴了"],"role":"agent"}`)
	if !draft.Lint.OK || len(draft.Lint.Problems) > 0 {
		t.Errorf("the rule of a search: %+v\n%s", draft.Lint, draft.YAML)
	}
}
