package warehouse

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/schemas"
)

// TestAlerts follows alerts through their events: what is sent, superseded, restored, acknowledged, and what is left over
// by a process that died.
func TestAlerts(t *testing.T) {
	w := migrated(t)
	ctx := context.Background()
	at := time.Now().UTC().Truncate(time.Millisecond)
	alert := func(id, session string, age time.Duration, withheld string) Alert {
		return Alert{AlertID: id, Kind: AlertHit, SessionID: session, RuleID: "forbidden", Severity: "critical", Title: "禁用语", EvidenceSeqs: []int64{3}, EvidenceKey: "s3",
			HitID: "h" + id, AgentID: "a1", SessionAgent: "a1", At: at.Add(-age), StoredAt: at, Withheld: withheld, Payload: "{}"}
	}
	mustExec(t, w, "INSERT INTO agents (agent_id, name, team, valid_from) VALUES ('a1', '小王', '一组', '2020-01-01 00:00:00')")
	if err := w.StoreAlerts(ctx, []Alert{alert("a", "s1", 0, ""), alert("b", "s1", time.Minute, ""), alert("c", "s2", time.Minute, WithheldCooldown), alert("d", "s2", time.Hour, "")}); err != nil {
		t.Fatal(err)
	}
	if err := w.StoreAlerts(ctx, []Alert{alert("a", "s1", 0, "")}); err != nil { // another worker decides the same
		t.Fatal(err)
	}
	event := func(id, kind, actor string, at time.Time) {
		t.Helper()
		if err := w.AppendAlertEvents(ctx, []AlertEvent{{AlertID: id, Event: kind, Actor: actor, At: at, Detail: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	state := func(id, want string) {
		t.Helper()
		list, err := w.AlertsByID(ctx, []string{id})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if list[0].State != want || list[0].Team != "一组" {
			t.Errorf("alert %s: state %q, team %q, want %q", id, list[0].State, list[0].Team, want)
		}
	}
	before := at.Add(time.Second)
	unsent := func(want ...string) {
		t.Helper()
		list, err := w.UnsentAlerts(ctx, at.Add(-15*time.Minute), before, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range list {
			got = append(got, a.AlertID)
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("unsent %v, want %v", got, want)
		}
	}
	state("a", "stored")
	unsent("b", "a")
	before = at
	unsent() // somebody may be sending them
	before = at.Add(time.Second)
	event("a", AlertSent, "w1", at)
	state("a", "sent")
	event("b", AlertFailed, "w1", at.Add(time.Second))
	state("b", "failed")
	unsent() // tried a moment ago
	before = at.Add(2 * time.Second)
	unsent("b")
	event("a", AlertAcknowledged, "li", at)
	state("a", "acknowledged")
	event("a", AlertSuperseded, "w1", at)
	state("a", "superseded")
	marks, err := w.AlertMarks(ctx, []string{"s1", "s2", "s3"})
	if err != nil || len(marks) != 2 || len(marks["s1"]) != 2 {
		t.Fatal(marks, err)
	}
	if m := marks["s1"][1]; m.AlertID != "a" || !m.Superseded || !m.Sent {
		t.Errorf("mark %+v", m)
	}
	event("a", AlertRestored, "w1", at)
	state("a", "acknowledged")
	event("a", AlertSuperseded, "w1", at)
	state("a", "superseded")

	list, err := w.Alerts(ctx, AlertQuery{Where: "session_id = {s:String}", Params: []any{clickhouse.Named("s", "s2")}, Limit: 10})
	if err != nil || len(list) != 2 || list[0].AlertID != "c" || list[0].Withheld != WithheldCooldown {
		t.Errorf("%+v %v", list, err)
	}
	changes, err := w.AlertChanges(ctx, time.Time{}, 10)
	if err != nil || len(changes) != 4 || changes[3].AlertID != "a" {
		t.Errorf("changes %+v %v", changes, err)
	}
	if more, err := w.AlertChanges(ctx, changes[3].At, 10); err != nil || len(more) != 0 {
		t.Errorf("changes after the last: %+v %v", more, err)
	}
}

// TestCountHits counts over sessions: per agent, customer and shop, by the rules asked for, within the time, without what
// reviewers dismissed.
func TestCountHits(t *testing.T) {
	w := migrated(t)
	ctx := context.Background()
	now := time.Now().UTC().Truncate(time.Second)
	session := func(id, agent, customer, shop string, age time.Duration, rules ...string) *schemas.Analysis {
		a := &schemas.Analysis{SessionID: id, Version: 1, Closed: true, StartedAt: now.Add(-age), Meta: schemas.Meta{SessionID: id, Shop: shop, CustomerID: customer, AgentID: agent, Team: "一组"}}
		for i, r := range rules {
			a.Findings.Hits = append(a.Findings.Hits, schemas.Hit{HitID: id + r + string(rune('0'+i)), RuleID: r, AgentID: agent, Outcome: schemas.Fail, Severity: schemas.Critical})
		}
		return a
	}
	write(t, w,
		session("s1", "a1", "c1", "x", time.Hour, "rude", "rude", "slow"),
		session("s2", "a1", "c2", "x", 2*time.Hour, "rude"),
		session("s3", "a2", "c1", "y", 3*time.Hour, "rude"),
		session("s4", "a1", "c1", "x", 48*time.Hour, "rude"),
		session("s5", "", "", "", time.Hour, "rude"),
	)
	f := func(per string, rules []string, min int, want ...string) {
		t.Helper()
		list, err := w.CountHits(ctx, per, rules, now.Add(-24*time.Hour), min)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range list {
			got = append(got, fmt.Sprintf("%s %d/%d %s", c.Key, c.Hits, c.Sessions, c.SessionID))
		}
		if !slices.Equal(got, want) {
			t.Errorf("per %s: %q, want %q", per, got, want)
		}
	}
	f("agent", []string{"rude"}, 1, "a1 3/2 s1", "a2 1/1 s3")
	f("agent", []string{"rude", "slow"}, 4, "a1 4/2 s1")
	f("customer", []string{"rude"}, 2, "c1 3/2 s1")
	f("shop", []string{"rude"}, 1, "x 3/2 s1", "y 1/1 s3")
	f("agent", []string{"nothing"}, 1)
	if _, err := w.CountHits(ctx, "day", []string{"rude"}, now, 1); err == nil {
		t.Error("hits are counted per anything")
	}
	list, err := w.CountHits(ctx, "agent", []string{"rude"}, now.Add(-24*time.Hour), 3)
	if err != nil || len(list) != 1 || list[0].Team != "一组" || list[0].Shop != "x" || !list[0].Latest.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v %v", list, err)
	}
}
