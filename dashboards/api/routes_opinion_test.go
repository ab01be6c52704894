package api

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// What was set is taken away by an empty value; a title and a department are not.
func TestOpinionTakenAway(t *testing.T) {
	f := newFixture(t)
	path := Prefix + "/opinions/" + get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions").Items[0].ID
	check := func(user, body, owner, note, answer string) {
		t.Helper()
		row := send[OpinionRow](t, f.api, user, http.MethodPatch, path, body)
		read := get[OpinionDetail](t, f.api, "analyst", path).OpinionRow
		want := [3]string{owner, note, answer}
		if got := [3]string{row.Owner, row.Note, row.Answer}; got != want {
			t.Errorf("%s answers %q, want %q", body, got, want)
		}
		if got := [3]string{read.Owner, read.Note, read.Answer}; got != want {
			t.Errorf("after %s %q is read, want %q", body, got, want)
		}
	}
	check("product", `{"owner":"王敏","note":"等新批次","answer":"249元"}`, "王敏", "等新批次", "249元")
	check("product", `{"status":"accepted"}`, "王敏", "等新批次", "249元")
	check("product", `{"owner":""}`, "", "等新批次", "249元")
	check("supervisor", `{"answer":" "}`, "", "等新批次", "")
	check("product", `{"note":"","owner":"李雷"}`, "李雷", "", "")
	for _, body := range []string{`{"title":" "}`, `{"department":""}`, `{}`} {
		if w := as(f.api, "product", http.MethodPatch, path, body); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", body, w.Code)
		}
	}
	if w := as(f.api, "supervisor", http.MethodPatch, path, `{"owner":""}`); w.Code != http.StatusForbidden {
		t.Errorf("a supervisor takes the owner away: status %d, want 403", w.Code)
	}
}

// A reply that breaks a rule is no answer that others are compared with, until a person has dismissed the hit.
func TestOpinionAnswers(t *testing.T) {
	f := newFixture(t)
	path := Prefix + "/opinions/" + get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions").Items[0].ID
	check := func(want opinions.Answers, agents ...AgentAnswers) {
		t.Helper()
		if got := get[OpinionDetail](t, f.api, "supervisor", path).Answers; got.Answers != want || !slices.Equal(got.Agents, agents) {
			t.Errorf("answers %+v, want %+v %+v", got, want, agents)
		}
	}
	// 249元哦, 亲，加V信详聊 and 加V信哦: the two that agree break a rule.
	check(opinions.Answers{Replies: 3})
	send[any](t, f.api, "supervisor", http.MethodPost, Prefix+"/sessions/two-3/review", `{"action": "dismiss", "hit_id": "`+hitOf(t, f, "two-3")+`", "note": "误判"}`)
	check(opinions.Answers{Replies: 3, Consistent: 2. / 3, Against: "加V信哦"}, AgentAnswers{"a1", 1, 0}, AgentAnswers{"a2", 1, 1}, AgentAnswers{"b1", 1, 1})
	send[any](t, f.api, "supervisor", http.MethodPatch, path, `{"answer":"您好，249元"}`)
	check(opinions.Answers{Replies: 3, Consistent: 1. / 3, Against: "您好，249元"}, AgentAnswers{"a1", 1, 1}, AgentAnswers{"a2", 1, 0}, AgentAnswers{"b1", 1, 0})
}

// What was merged is shown with who did and what it counts, and comes back as it was.
func TestOpinionUnmerge(t *testing.T) {
	f := newFixture(t)
	other, ctx := Prefix+"/opinions/", context.Background()
	// The world has one opinion. What only one customer of the other team says founds one of its own by being put into the registry.
	if err := f.w.AppendOpinionEvents(ctx, []warehouse.OpinionEvent{{Epoch: 2, Action: "found", OpinionID: "00000000000000cc", Title: "帐篷漏水", Kind: "complaint",
		Aspect: "quality", Polarity: "negative", Members: []string{opinion.Normalise("帐篷漏水怎么办")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.api.Opinions.Rebuild(ctx, false, false, "test"); err != nil {
		t.Fatal(err)
	}
	list := get[Page[OpinionRow]](t, f.api, "admin", Prefix+"/opinions").Items
	if len(list) != 2 || list[1].Mentions != 1 {
		t.Fatalf("opinions %+v", list)
	}
	stays, goes := list[0], list[1]
	send[OpinionRow](t, f.api, "product", http.MethodPatch, other+goes.ID, `{"title":"另一个","owner":"王敏"}`)
	goes = get[OpinionDetail](t, f.api, "product", other+goes.ID).OpinionRow
	merged := send[OpinionRow](t, f.api, "product", http.MethodPost, other+stays.ID+"/merge", `{"ids":["`+goes.ID+`"]}`)
	if merged.Mentions != stays.Mentions+goes.Mentions {
		t.Errorf("merged: %d mentions, want %d and %d", merged.Mentions, stays.Mentions, goes.Mentions)
	}
	d := get[OpinionDetail](t, f.api, "product", other+goes.ID)
	if d.ID != stays.ID || !slices.Equal(d.Merged, []string{goes.ID}) || len(d.Parts) != 1 {
		t.Fatalf("the merged one is shown as %+v", d)
	}
	if p := d.Parts[0]; p.ID != goes.ID || p.Title != "另一个" || p.Mentions != goes.Mentions || p.By != "pm" || p.At.IsZero() || !p.Undo || len(p.With) != 0 {
		t.Errorf("part %+v", p)
	}
	if d := get[OpinionDetail](t, f.api, "team-one", other+stays.ID); len(d.Parts) != 0 {
		t.Errorf("what only the other team heard is shown: %+v", d.Parts)
	}
	for body, code := range map[string]int{`{"ids":["` + stays.ID + `"]}`: 409, `{"ids":["0000000000000000"]}`: 400, `{"ids":[]}`: 400, `{"ids":["x"]}`: 400} {
		if w := as(f.api, "product", http.MethodPost, other+stays.ID+"/unmerge", body); w.Code != code {
			t.Errorf("%s: status %d, want %d", body, w.Code, code)
		}
	}
	log := &auditLog{}
	if w := asWith(f.api, log, "product", http.MethodPost, other+stays.ID+"/unmerge", "application/json", `{"ids":["`+goes.ID+`"]}`); w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if len(log.entries) != 1 || log.entries[0].Action != "unmerge_opinions" || log.entries[0].Object != stays.ID {
		t.Errorf("audited: %+v", log.entries)
	}
	for _, want := range []OpinionRow{stays, goes} {
		got := get[OpinionDetail](t, f.api, "product", other+want.ID)
		if got.ID != want.ID || got.Mentions != want.Mentions || got.Title != want.Title || got.Owner != want.Owner || got.Sessions != want.Sessions || len(got.Parts) != 0 || len(got.Merged) != 0 {
			t.Errorf("after the undo %+v, want %+v", got, want)
		}
	}
	if w := as(f.api, "product", http.MethodPost, other+stays.ID+"/unmerge", `{"ids":["`+goes.ID+`"]}`); w.Code != http.StatusConflict {
		t.Errorf("a second undo: status %d, want 409", w.Code)
	}
}
