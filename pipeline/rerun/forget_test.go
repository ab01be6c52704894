package rerun

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/forget"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// chat is a session with a customer, as live messages whose meta data come last.
func chat(id, customer, agent string, at time.Time, texts ...string) (out []*schemas.Message) {
	for i, text := range texts {
		turn := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Customer, Text: text, At: at.Add(time.Duration(i) * time.Minute)}
		if i%2 == 1 {
			turn.Role, turn.AgentID = schemas.Agent, agent
		}
		out = append(out, &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: id, Turn: turn}})
	}
	return append(out,
		&schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: id, At: at.Add(time.Hour)}},
		&schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: schemas.Meta{SessionID: id, CustomerID: customer, AgentID: agent, Shop: "店铺1", StartedAt: at}}},
		&schemas.Message{Type: schemas.TypeRating, Rating: &schemas.Rating{SessionID: id, Score: 1, Max: 5, Comment: "评价" + texts[0], At: at}},
		&schemas.Message{Type: schemas.TypeOrder, Order: &schemas.Order{OrderID: "order-" + id, Shop: "店铺1", CustomerID: customer, Status: "paid", UpdatedAt: at, CreatedAt: at, PaidAt: at, Amount: "12.00"}})
}

// TestForgetRemovesEverything: after forgetting a customer no table and no view, of any run, holds the pseudonym, an id of
// a session or a word of the customer's; nothing of others is missing; and everything sent once more, new messages of old
// sessions and new sessions are refused.
func TestForgetRemovesEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	ctx := context.Background()
	p := newPlace(t, "standard")
	w, l := p.w, p.live()
	day := time.Date(2026, 10, 2, 12, 0, 0, 0, time.UTC)
	const (
		mine   = "鹦鹉螺面膜收到就是破的，我要退货，太差了"
		shared = "收到的面膜破了，我要退货"
	)
	victim := slices.Concat(chat("victim-1", "客户甲", "a1", day, mine, "不知道，你自己看", shared, "加我微信"),
		chat("victim-2", "客户甲", "a1", day.Add(time.Hour), "鹦鹉螺面膜什么时候发货，都三天了", "您好"))
	others := chat("other-1", "客户乙", "a1", day.Add(2*time.Hour), shared, "非常抱歉给您带来不便", "太贵了，能便宜点吗", "加我微信")
	both := slices.Concat(victim, others)
	if err := deliver(ctx, w, l, both); err != nil {
		t.Fatal(err)
	}
	pseudonym := mask.New(testKey, mask.Options{}).Pseudonym("客户甲")

	// A run that holds them too, opinions founded on their words, reviews, alerts, dead letters, audit entries, a search.
	r := p.runner(nil)
	run, _, err := r.Start(ctx, Request{From: periodFrom, To: periodTo, Packs: packsOf(t, "standard", "presale")}, false)
	if err == nil {
		_, err = r.Work(ctx, run.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	texts, err := w.MentionTexts(ctx, []string{"victim-1", "victim-2"}, false)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := w.MentionTexts(ctx, []string{"victim-1", "victim-2"}, true)
	if err != nil || len(theirs) == 0 {
		t.Fatalf("the other customer has %d mentions (%v)", len(theirs), err)
	}
	var own, common []string
	for _, x := range texts {
		if n := opinion.Normalise(x); slices.Contains(theirs, x) {
			common = append(common, n)
		} else {
			own = append(own, n)
		}
	}
	if len(own) == 0 || len(common) == 0 {
		t.Fatalf("of the customer's mentions %q none is the customer's own, or none is shared", texts)
	}
	slices.Sort(own)
	everyone := slices.Sorted(slices.Values(slices.Concat(own, common)))
	err = w.AppendOpinionEvents(ctx, []warehouse.OpinionEvent{
		{Epoch: 1, Action: "found", OpinionID: "op-own", Title: own[0], Aspect: "quality", Kind: "complaint", Polarity: "negative", Members: own},
		{Epoch: 1, Action: "found", OpinionID: "op-both", Title: "面膜破了", Aspect: "quality", Kind: "complaint", Polarity: "negative", Members: everyone},
	})
	if err == nil {
		err = w.PublishOpinionEpoch(ctx, warehouse.OpinionEpoch{Epoch: 1, At: day, Cause: "rebuild", Opinions: 2})
	}
	if err == nil {
		err = w.AppendReviewEvents(ctx, []warehouse.ReviewEvent{{SessionID: "victim-1", EventID: "0191-1", Actor: "qa", Action: "note", Note: "客户说" + mine, At: day}})
	}
	if err == nil {
		err = w.StoreAlerts(ctx, []warehouse.Alert{{AlertID: "alert-1", Kind: warehouse.AlertHit, SessionID: "victim-1", CustomerID: pseudonym, Evidence: mine, At: day, StoredAt: day, Payload: mine}})
	}
	if err == nil {
		err = w.AppendAlertEvents(ctx, []warehouse.AlertEvent{{AlertID: "alert-1", Event: warehouse.AlertSent, At: day}})
	}
	bad := []warehouse.DeadLetter{{Topic: "t", Offset: 1, Error: "role: unknown", SHA256: "x", At: day, RawMasked: `{"type":"turn","session_id":"victim-1","role":"boss","text":"` + mine + `"}`},
		{Topic: "t", Offset: 2, Error: "score: missing", SHA256: "y", At: day, RawMasked: `{"customer_id":"` + pseudonym + `"`}}
	if err == nil {
		err = l.Write(ctx, warehouse.Batch{DeadLetters: bad})
	}
	if err == nil {
		err = w.AppendAudit(ctx, warehouse.AuditEntry{Actor: "qa", Action: "open_session", Object: "victim-1"})
	}
	if err == nil {
		err = w.SaveSearch(ctx, warehouse.SavedSearch{SearchID: "s1", Owner: "qa", Target: "sessions", Query: "customer=" + pseudonym, At: day})
	}
	if err != nil {
		t.Fatal(err)
	}
	needles := append([]string{pseudonym, "victim-1", "victim-2", "鹦鹉螺", "客户甲", "alert-1"}, own...)
	if found := p.grep(t, true, needles); len(found) < 25 {
		t.Fatalf("before, only %d tables and views hold something of the customer: too few to prove anything: %q", len(found), found)
	}

	// A worker that does not know of it yet holds messages of the customer in its hands.
	stale := p.live()
	if err := stale.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	result, err := forget.Customer(ctx, w, testKey, pseudonym)
	if err != nil {
		t.Fatal(err)
	}
	if result.Sessions != 2 || result.Members != len(own) || result.Rows["analyses"] < 4 || result.Rows["order_rows"] != 2 {
		t.Errorf("forgotten were %+v", result)
	}
	clean := func(when string) {
		t.Helper()
		if found := p.grep(t, when == "at the end", needles); len(found) > 0 {
			t.Fatalf("%s there still is %q", when, found)
		}
	}
	clean("after forgetting")
	check := newPlace(t, "standard")
	if err := deliver(ctx, check.w, check.live(), others); err != nil {
		t.Fatal(err)
	}
	want, got := check.views(t), p.views(t)
	delete(want, "opinions")
	titles := got["opinions"]
	delete(got, "opinions")
	if d := want.Diff(got); d != "" {
		t.Errorf("what others said is not as it was:\n%s", d)
	}
	if len(titles) != 1 || !strings.Contains(titles[0], "op-both") {
		t.Errorf("opinions are %s, want the one that the other customer founded too", titles)
	}

	if err := deliver(ctx, w, stale, both); err != nil { // a replay, by a worker whose analyses were made before
		t.Fatal(err)
	}
	if err := stale.Write(ctx, warehouse.Batch{DeadLetters: bad}); err != nil {
		t.Fatal(err)
	}
	clean("after everything was sent again")
	late := chat("victim-1", "", "a1", day, mine, "您好")[:1] // a turn alone does not name its customer
	late = append(late, chat("victim-3", "客户甲", "a1", day.AddDate(0, 0, 5), "鹦鹉螺面膜好用吗", "您好")...)
	if err := deliver(ctx, w, p.live(), late); err != nil {
		t.Fatal(err)
	}
	needles = append(needles, "victim-3")
	clean("after new messages")

	// Turns of a session whose customer nobody knows yet are stored, and go when its meta data name the customer.
	unnamed := chat("victim-4", "客户甲", "a1", day, "鹦鹉螺在吗", "您好")
	needles = append(needles, "victim-4")
	if err := deliver(ctx, w, p.live(), unnamed[:2]); err != nil {
		t.Fatal(err)
	}
	if len(p.grep(t, false, []string{"victim-4"})) == 0 {
		t.Fatal("turns without a customer were not stored")
	}
	if err := deliver(ctx, w, p.live(), unnamed[2:]); err != nil {
		t.Fatal(err)
	}
	clean("after the meta data of a session named the customer")
	clean("at the end")
}

// TestForgetRacesWithAWriter: what a writer puts in after the tombstone, without having known it, is removed by its look
// after the write; what one leaves that was killed before that look, by Repair.
func TestForgetRacesWithAWriter(t *testing.T) {
	ctx := context.Background()
	p := newPlace(t, "standard")
	pseudonym := mask.New(testKey, mask.Options{}).Pseudonym("客户甲")
	messages := chat("victim-1", "客户甲", "a1", periodFrom.Add(time.Hour), "鹦鹉螺面膜多少钱", "您好")
	// The write happens in the store, the look after it does not.
	killed := p.live()
	k := &known{}
	killed.known.Store(k)
	if err := deliver(ctx, p.w, killed, messages[:2]); err != nil {
		t.Fatal(err)
	}
	if err := p.w.Forget(ctx, time.Now(), pseudonym); err != nil {
		t.Fatal(err)
	}
	if err := p.w.ForgetSessions(ctx, time.Now(), forget.Hash(testKey, "victim-1")); err != nil {
		t.Fatal(err)
	}
	if len(p.grep(t, false, []string{"victim-1", "鹦鹉螺"})) == 0 {
		t.Fatal("nothing was stored")
	}
	if n, err := p.runner(nil).RepairDue(ctx); err != nil || n != 1 {
		t.Fatalf("%d sessions were mended (%v), want 1", n, err)
	}
	if found := p.grep(t, false, []string{"victim-1", "鹦鹉螺"}); len(found) > 0 {
		t.Errorf("after the repair there still is %q", found)
	}
}

// grep gives the tables, with views also the views, that have a row which holds one of the words, but for the tombstones.
func (p *place) grep(t *testing.T, views bool, words []string) (found []string) {
	t.Helper()
	ctx := context.Background()
	kind := "AND engine LIKE '%MergeTree'"
	if views {
		kind = ""
	}
	var names []string
	rows, err := p.w.Conn().Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name != 'forgotten' "+kind+" ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, w := range words {
		list = append(list, "'"+strings.ReplaceAll(w, "'", "\\'")+"'")
	}
	parameters := map[string]string{"kpi_cells": "(profile = 'generic', from = '2026-09-30', to = '2026-10-10')"}
	for _, v := range warehouse.PublicViews() {
		if v.Parameters != nil {
			parameters[v.Name] = "(profile = 'generic', from = '2026-09-30', to = '2026-10-10', as_of = '2026-10-20')"
		}
	}
	for _, name := range names {
		var n uint64
		sql := fmt.Sprintf("SELECT countIf(multiSearchAny(row, [%s])) FROM (SELECT formatRowNoNewline('JSONEachRow', *) AS row FROM %s%s)", strings.Join(list, ", "), name, parameters[name])
		if err := p.w.Conn().QueryRow(ctx, sql).Scan(&n); err != nil {
			if strings.Contains(err.Error(), "NUMBER_OF_ARGUMENTS_DOESNT_MATCH") || strings.Contains(err.Error(), "UNKNOWN_QUERY_PARAMETER") {
				continue // a view for the program, with parameters of its own, over tables that are looked at
			}
			t.Fatalf("%s: %v", name, err)
		}
		if n > 0 {
			found = append(found, name)
		}
	}
	return found
}
