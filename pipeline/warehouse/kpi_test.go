package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/schemas"
)

// said makes an analysed session of lines "role seconds": who speaks, seconds after the start.
func said(id, agent, customer string, start time.Time, lines ...string) *schemas.Analysis {
	t := &schemas.Transcript{Meta: schemas.Meta{SessionID: id, Channel: "chat", Source: "qianniu", Shop: "x", AgentID: agent, CustomerID: customer}}
	a := &schemas.Analysis{SessionID: id, Version: 1, Closed: true, StartedAt: start, Meta: t.Meta}
	for i, line := range lines {
		var role string
		var s int
		if _, err := fmt.Sscan(line, &role, &s); err != nil {
			panic(err)
		}
		turn := schemas.TranscriptTurn{Turn: schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Role(role), Text: "。", At: start.Add(time.Duration(s) * time.Second)}}
		t.Turns = append(t.Turns, turn)
		a.Turns = append(a.Turns, schemas.AnalysedTurn{TranscriptTurn: turn})
		if turn.Role == schemas.Agent && len(a.AgentIDs) == 0 {
			a.AgentIDs = []string{agent}
			a.Findings.Score = schemas.Some(80.0)
		}
	}
	a.Rounds = analyse.Rounds(t)
	return a
}

func TestKPI(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	ctx := context.Background()
	w := migrated(t)
	tuesday := monday.AddDate(0, 0, 1)
	invited := said("s3", "li", "", monday, "customer 0", "agent 60")
	invited.Meta.Attributes = map[string]string{"invited": "true"}
	invited.Findings = schemas.Findings{Score: schemas.Some(35.0), Hits: []schemas.Hit{{HitID: "h", RuleID: "insult", AgentID: "li", Severity: schemas.Critical, Outcome: schemas.Present}}}
	open := said("s7", "li", "c9", monday.AddDate(0, 0, 5), "customer 0", "agent 1")
	open.Closed, open.Findings.Score = false, schemas.Some(1.0)
	midnight := monday.Add(6*time.Hour - 10*time.Second) // in Shanghai
	write(t, w,
		said("s1", "li", "c1", monday, "customer 0", "agent 20", "customer 60", "agent 300"),
		said("s2", "li", "c2", monday, "customer 0"),
		invited,
		said("s4", "wang", "c1", tuesday, "customer 0", "agent 10"),
		said("s5", "", "c5", monday, "customer 0", "bot 1"),
		said("s6", "zhao", "c6", midnight, "customer 0", "agent 20"),
		open,
	)
	err := w.Write(ctx, Batch{
		Orders: []schemas.Order{
			{OrderID: "o1", Shop: "x", Status: "paid", UpdatedAt: monday, CustomerID: "c1", CreatedAt: monday.Add(time.Hour), PaidAt: monday.Add(2 * time.Hour), Amount: "100", Items: []schemas.OrderItem{{Qty: 2}}},
			{OrderID: "o2", Shop: "x", Status: "created", UpdatedAt: monday, CustomerID: "c2", CreatedAt: monday.AddDate(0, 0, -3)},
			{OrderID: "o3", Shop: "x", Status: "refunded", UpdatedAt: tuesday, AgentID: "wang", CreatedAt: tuesday.Add(time.Hour), PaidAt: tuesday.Add(time.Hour), Amount: "50", RefundAmount: "20"},
			{OrderID: "o4", Shop: "other", Status: "paid", UpdatedAt: monday, CustomerID: "c1", CreatedAt: monday.Add(time.Hour), PaidAt: monday.Add(2 * time.Hour), Amount: "7"}, // of nobody
		},
		Ratings: []schemas.Rating{{SessionID: "s2", Score: 2, Max: 5}, {SessionID: "s3", Score: 5, Max: 5}, {SessionID: "unknown", Score: 1, Max: 5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SaveAgents(ctx, []Agent{{AgentID: "li", Team: "A"}}); err != nil {
		t.Fatal(err)
	}
	for i, action := range []string{"confirm", "appeal", "overturn"} {
		mustExec(t, w, fmt.Sprintf("INSERT INTO review_events (session_id, event_id, hit_id, action, at) VALUES ('s3', '%d', 'h', '%s', now64(3))", i, action))
	}

	// Planning a view takes seconds, so each is read once, whole, and its columns are looked at where its rows are.
	tables := map[string][]string{}
	for _, v := range PublicViews() {
		if v.Parameters == nil {
			continue
		}
		rows, err := w.UserQuery(ctx, "SELECT * FROM "+v.Name+"(profile = 'generic', from = '2026-03-01', to = '2026-03-05', as_of = '2026-03-07')", Limits{})
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		var names []string
		for _, c := range rows.Columns() {
			names = append(names, c.Name)
		}
		if strings.Join(names, " ") != strings.Join(v.Columns, " ") {
			t.Errorf("%s has the columns %v, want %v", v.Name, names, v.Columns)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for i, name := range names {
				v, _ := json.Marshal(values[i])
				fmt.Fprintf(&b, "%s=%s ", name, v)
			}
			tables[v.Name] = append(tables[v.Name], strings.TrimSpace(b.String()))
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		rows.Close()
	}
	// The rows whose text matches where are want.
	f := func(view, where string, want string) {
		t.Helper()
		var out []string
		for _, row := range tables[view] {
			if regexp.MustCompile(where).MatchString(row + " ") {
				out = append(out, row)
			}
		}
		if got := strings.Join(out, "\n"); got != want {
			t.Errorf("%s where %s:\ngot  %s\nwant %s", view, where, got, want)
		}
	}
	li := `received=3 rounds=4 avg_reply_ms=106666.66666666667 first_reply_ms=40000 within_30s=0.25 within_180s=0.5 within_300s=0.75 order_rate=0.3333333333333333 ` +
		`pre_order=1 conversion=1 sales="100" net_sales="100" basket=100 items_per_customer=2 answer_ratio=0.75 csat=0.5 invite_rate=0.3333333333333333 ` +
		`score=57.5 hit_rate=0.3333333333333333 appeal_rate=1 appeal_won_rate=1 is_final=true item_price=null`
	wang := `received=1 rounds=1 avg_reply_ms=10000 first_reply_ms=10000 within_30s=1 within_180s=1 within_300s=1 order_rate=0 ` +
		`pre_order=0 conversion=null sales="50" net_sales="30" basket=50 items_per_customer=null answer_ratio=1 csat=null invite_rate=0 ` +
		`score=80 hit_rate=0 appeal_rate=null appeal_won_rate=null is_final=false item_price=null`
	f("agent_kpi", `^agent_id="li" `, `agent_id="li" team="A" shop="x" day="2026-03-02" `+li)
	f("agent_kpi", `^agent_id="wang" `, `agent_id="wang" team="" shop="x" day="2026-03-03" `+wang)
	f("team_kpi", `^team="A" `, `team="A" day="2026-03-02" `+li)
	for _, row := range tables["agent_kpi"] {
		if !regexp.MustCompile(`^agent_id="(li|wang|zhao)" `).MatchString(row) {
			t.Errorf("agent_kpi has a row of nobody: %s", row)
		}
	}
	// Asked before midnight, answered after: the round counts on the first day, the reply on the second.
	f("agent_kpi", `^agent_id="zhao" .*day="2026-03-02"`, `agent_id="zhao" team="" shop="x" day="2026-03-02" received=1 rounds=1 avg_reply_ms=20000 first_reply_ms=20000 within_30s=1 within_180s=1 within_300s=1 order_rate=0 `+
		`pre_order=1 conversion=0 sales="0" net_sales="0" basket=null items_per_customer=null answer_ratio=0 csat=null invite_rate=0 score=80 hit_rate=0 appeal_rate=null appeal_won_rate=null is_final=true item_price=null`)
	f("agent_kpi", `^agent_id="zhao" .*day="2026-03-03"`, `agent_id="zhao" team="" shop="x" day="2026-03-03" received=0 rounds=0 avg_reply_ms=null first_reply_ms=null within_30s=null within_180s=null within_300s=null order_rate=null `+
		`pre_order=0 conversion=null sales="0" net_sales="0" basket=null items_per_customer=null answer_ratio=null csat=null invite_rate=null score=null hit_rate=null appeal_rate=null appeal_won_rate=null is_final=false item_price=null`)
	// The shop's customers are counted once, whoever received them.
	f("shop_kpi", `day="2026-03-02"`, `shop="x" day="2026-03-02" received=4 rounds=5 avg_reply_ms=85000 first_reply_ms=33333.333333333336 within_30s=0.4 within_180s=0.6 within_300s=0.8 order_rate=0.25 `+
		`pre_order=2 conversion=0.5 sales="100" net_sales="100" basket=100 items_per_customer=2 answer_ratio=0.6 csat=0.5 invite_rate=0.25 score=65 hit_rate=0.25 appeal_rate=1 appeal_won_rate=1 is_final=true item_price=null`)
	f("channel_kpi", `day="2026-03-03" .* sales="([^0]|0[^"])`, strings.Replace(`channel="chat" source="qianniu" day="2026-03-03" `+wang, "answer_ratio=1", "answer_ratio=2", 1))

	if _, err := w.UserQuery(ctx, "SELECT * FROM agent_kpi(profile = 'taobo', from = '2026-03-01', to = '2026-03-05', as_of = '2026-03-07')", Limits{}); err == nil || !strings.Contains(err.Error(), "unknown KPI profile") {
		t.Errorf("an unknown profile gives %v", err)
	}
}
