//go:build kpimutation

package warehouse

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestKPIMutations changes one definition of the views after the other and wants the worlds to notice each. It is slow and
// of use only when the views or the worlds change: go test -tags kpimutation -run KPIMutations ./pipeline/warehouse
func TestKPIMutations(t *testing.T) {
	from, to, asOf := "2026-03-01", "2026-03-08", "2026-03-09"
	w := migrated(t)
	addProfiles(t, w)
	var all world
	add := func(one world) {
		all.messages = append(all.messages, one.messages...)
		all.agents = append(all.agents, one.agents...)
		all.reviews = append(all.reviews, one.reviews...)
	}
	for _, x := range handWorlds() {
		add(x.hand.world)
	}
	for seed := range uint64(120) {
		add(randomKPIWorld(seed))
	}
	if err := w.SaveAgents(context.Background(), all.agents); err != nil {
		t.Fatal(err)
	}
	addReviews(t, w, all.reviews, load(t, w, worldAnalyser(t), all.messages))
	want := map[string][]string{}
	f := func(profile, view, old, new string) {
		t.Helper()
		texts := kpiTexts()
		key := profile + " " + view
		if want[key] == nil {
			want[key] = all.kpis(profile, view, from, to, asOf)
			if !slices.Equal(kpiTextRows(t, w, profile, view, from, to, asOf), want[key]) {
				t.Fatalf("%s differs without any change", key)
			}
		}
		name := ""
		for _, n := range []string{"kpi_cells", "kpi_rows"} {
			if strings.Contains(texts[n], old) {
				name = n
			}
		}
		if name == "" {
			t.Errorf("nothing to change: %s", old)
			return
		}
		kept := texts[name]
		texts[name] = strings.Replace(kept, old, new, 1)
		got := kpiTextRows(t, w, profile, view, from, to, asOf)
		texts[name] = kept
		if slices.Equal(got, want[key]) {
			t.Errorf("SURVIVED %s: %q for %q", key, new, old)
		} else {
			t.Logf("killed %s: %q for %q", key, new, old)
		}
	}
	g := func(old, new string) { t.Helper(); f("generic", "agent_kpi", old, new) }
	g("m.1 >= started_at - toIntervalDay", "m.1 >= started_at - toIntervalHour(12) - toIntervalDay")
	g("AND m.1 < started_at, o.made", "AND m.1 <= started_at + 1, o.made")
	g("m.1 <= started_at + toIntervalHour(p.order_hours)", "m.1 < started_at + toIntervalHour(p.order_hours)")
	g("m.2 <= started_at + toIntervalHour(p.pay_hours)", "m.2 < started_at + toIntervalHour(p.pay_hours)")
	g("if(status = 'created', NULL, paid_at)", "paid_at")
	g("rounds > 0 AND has(order_days, cell_day) AS ordered", "rounds > 0 AND notEmpty(order_days) AS ordered")
	g("satisfaction >= 0.8", "satisfaction > 0.8")
	g("x <= 30000", "x < 30000")
	g("x <= 180000", "x < 180000")
	g("x <= 300000", "x < 200000")
	g("'major', 'critical'", "'minor', 'major', 'critical'")
	g("AND status != 'created' AND paid_at", "AND paid_at")
	g("toDecimal128(sales - ifNull(refund_amount, 0), 4)", "sales")
	g("x.1 <= o.created AND", "")
	g("x.1 >= o.created - toIntervalHour(p.sales_hours)", "x.1 > o.created - toIntervalHour(p.sales_hours + 1)")
	g("who[1], who[-1]", "who[-1], who[1]")
	g("o.created_key >= s.started_key", "o.created_key < s.started_key")
	g("f.own_team != '', f.own_team, g.team", "1, f.own_team, g.team")
	g("f.team_at >= g.valid_from", "f.team_at < g.valid_from")
	g("concat('s', session_id)", "'s'")
	g("quality AND sessions AS last, if(quality", "quality AND sessions AS last, if(sessions")
	g("HAVING countIf(action = 'appeal') > 0", "HAVING count() > 0")
	g("decisions > 0 AND final = 'overturn'", "decisions > 0")
	g("isNull(price), 0, n", "isNull(price), n, n")
	g("sum(replies) / nullIf(sum(questions), 0)", "sum(questions) / nullIf(sum(replies), 0)")
	g("isNotNull(w) OR NOT k AND isNotNull(a) AND (p.automatic_only", "isNotNull(w) AND (p.automatic_only")
	f("generic", "team_kpi", "{by:String} = 'agent' OR last", "1")
	f("generic", "team_kpi", "uniqExactIf(session_id, quality)", "countIf(quality)")
	f("generic", "shop_kpi", "uniqExactIf(customer, f.rounds > 0) AS received", "countIf(f.rounds > 0) AS received")
	f("generic", "channel_kpi", "uniqExactIf(customer, orders > 0)", "sum(orders)")
	tb := func(old, new string) { t.Helper(); f("taobao", "agent_kpi", old, new) }
	tb("p.cap_ms > 0 AND w > p.cap_ms", "false")
	tb("p.unanswered_ms = 0 OR NOT p.automatic_only AND excused", "p.unanswered_ms = 0")
	tb("(p.automatic_only OR NOT excused)", "true")
	tb(">= p.opens[", "> p.opens[")
	tb("< p.closes[", "<= p.closes[")
	tb("arrayMap(x -> toUInt8(0), passed_agent)", "arrayMap(x -> toUInt8(1), passed_agent)")
	f("jd", "agent_kpi", "p.pay_hours = 0 OR", "")
	f("jd", "agent_kpi", "message_open),\n", "kpi_message_answered),\n")
	f("douyin", "agent_kpi", "timed > 0 AND soon_180 = timed", "soon_180 > 0")
	f("douyin", "agent_kpi", "if(p.bot_waits, x_ms", "if(true, x_ms")
	f("only", "agent_kpi", "p.attribution != 'only' OR", "true OR")
}
