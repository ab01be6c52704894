package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/schemas"
)

var (
	root  = access.Identity{User: "root", Role: access.Admin}
	lead  = access.Identity{User: "lead", Role: access.Supervisor, Teams: []string{"A"}}
	lead2 = access.Identity{User: "lead2", Role: access.Supervisor, Teams: []string{"A"}}
	leadB = access.Identity{User: "leadB", Role: access.Supervisor, Teams: []string{"B"}}
	pm    = access.Identity{User: "pm", Role: access.Product}
	data  = access.Identity{User: "data", Role: access.Analyst}
	li    = access.Identity{User: "li.na", Role: access.Agent, AgentID: "li", Sees: access.SeesOwn}
	wang  = access.Identity{User: "wang.wu", Role: access.Agent, AgentID: "wang", Sees: access.SeesOwn}
	zhao  = access.Identity{User: "zhao", Role: access.Agent, AgentID: "zhao", Sees: access.SeesOwn}
	blind = access.Identity{User: "blind", Role: access.Agent, AgentID: "li", Sees: access.SeesOff}
)

// session has the hits h1 of li (major, -30) and h2 of wang (minor, -5, feeds service.polite) and a human item.
func session(id, team string) *schemas.Analysis {
	a := &schemas.Analysis{SessionID: id, Version: 1 << 28, Closed: true, StartedAt: monday, EndedAt: monday.Add(time.Hour), AgentIDs: []string{"li", "wang"}}
	a.Meta = schemas.Meta{SessionID: id, Team: team, AgentID: "li"}
	a.Findings = schemas.Findings{Score: schemas.Some(70.0), Flagged: true, Outcomes: map[string]string{},
		Hits: []schemas.Hit{
			{HitID: id + "h1", RuleID: "forbidden", RuleVersion: "1+a", AgentID: "li", Outcome: schemas.Present, Severity: schemas.Major, Points: -30, Weight: schemas.HitWeight{Takes: -30}},
			{HitID: id + "h2", RuleID: "greeting", RuleVersion: "1+a", AgentID: "wang", Outcome: schemas.Fail, Severity: schemas.Minor, Points: -5, Weight: schemas.HitWeight{Takes: -5, Item: "service.polite"}},
		},
		Scorecards: []schemas.Scorecard{{ID: "service", Name: "服务", Score: schemas.Some(50.0), Items: []schemas.ScorecardItem{
			{ID: "polite", Points: schemas.Some(5.0), Max: 10, Weight: 10, Base: 10, Outcome: schemas.Fail}, {ID: "warm", Max: 10, Weight: 10, Base: 10, Outcome: schemas.NA, Human: true}}}},
	}
	return a
}

// desk is a service over a world with a clock.
type desk struct {
	*Service
	t   *testing.T
	w   *warehouse.Warehouse
	now time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, w: warehousetest.Open(t), now: monday.Add(24 * time.Hour)}
	open := session("open", "A")
	open.Closed = false
	if err := d.w.Write(context.Background(), warehouse.Batch{Analyses: []*schemas.Analysis{session("a", "A"), session("b", "B"), open}}); err != nil {
		t.Fatal(err)
	}
	masker := mask.New([]byte("key"), mask.Options{})
	people := map[string]access.Identity{}
	for _, p := range []access.Identity{root, lead, lead2, leadB, pm, li} {
		people[p.User] = p
	}
	var err error
	d.Service, err = New(Options{Warehouse: d.w, AppealDays: 7, Now: func() time.Time { return d.now },
		Mask:     func(s string) string { m, _ := masker.Text(s); return m },
		Reviewer: func(user string) (access.Identity, bool) { id, ok := people[user]; return id, ok }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// do takes an action on a page that has seen everything, and says what came of it: the state of the hit, or the kind of
// the error.
func (d *desk) do(who access.Identity, a Action) string {
	d.t.Helper()
	if a.SessionID == "" {
		a.SessionID = "a"
	}
	d.now = d.now.Add(time.Minute)
	if a.Seen == "" {
		events, err := d.w.ReviewEvents(context.Background(), []string{a.SessionID})
		if err != nil {
			d.t.Fatal(err)
		}
		if list := events[a.SessionID]; len(list) > 0 {
			a.Seen = list[len(list)-1].EventID
		}
	} else if a.Seen == "nothing" {
		a.Seen = ""
	}
	x, err := d.Do(context.Background(), who, a)
	var e *Error
	switch {
	case errors.As(err, &e):
		if e.Message == "" {
			d.t.Errorf("%s of %s: an error without a message", a.Action, who.User)
		}
		return string(e.Kind)
	case err != nil:
		d.t.Fatal(err)
	}
	h := x.Hit(a.HitID)
	s := h.State
	if h.Final {
		s += " final"
	}
	if h.Conflict {
		s += " conflict"
	}
	return s
}

func (d *desk) expect(want string, who access.Identity, a Action) {
	d.t.Helper()
	if got := d.do(who, a); got != want {
		d.t.Errorf("%s %s of %s: %s, want %s", a.Action, a.HitID, who.User, got, want)
	}
}

// one reads a figure.
func one[T any](t *testing.T, w *warehouse.Warehouse, sql string) T {
	t.Helper()
	var v T
	if err := w.Conn().QueryRow(context.Background(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// TestTransitions tries every action of every role in every state of a hit.
func TestTransitions(t *testing.T) {
	d := newDesk(t)
	paths := []struct {
		state string
		way   []string // who:action
	}{
		{Undecided, nil},
		{Confirmed, []string{"lead:confirm"}},
		{Dismissed, []string{"lead:dismiss"}},
		{Appealed, []string{"lead:confirm", "li:appeal"}},
		{Upheld, []string{"lead:confirm", "li:appeal", "lead2:uphold"}},
		{"appealed again", []string{"lead:confirm", "li:appeal", "lead2:uphold", "li:appeal"}},
		{"upheld for good", []string{"lead:confirm", "li:appeal", "lead2:uphold!"}},
		{Overturned, []string{"lead:confirm", "li:appeal", "lead2:overturn"}},
	}
	// want lists what is allowed, all else must be refused with the allowed actions named.
	want := map[string]string{
		Undecided:         "root:confirm root:dismiss lead:confirm lead:dismiss lead2:confirm lead2:dismiss li:appeal",
		Confirmed:         "root:dismiss lead:dismiss lead2:dismiss li:appeal",
		Dismissed:         "root:confirm lead:confirm lead2:confirm",
		Appealed:          "root:uphold root:overturn lead2:uphold lead2:overturn",
		Upheld:            "li:appeal",
		"appealed again":  "root:uphold root:overturn", // lead decided, lead2 judged
		"upheld for good": "",
		Overturned:        "",
	}
	who := map[string]access.Identity{"root": root, "lead": lead, "lead2": lead2, "leadB": leadB, "pm": pm, "data": data, "li": li, "wang": wang, "zhao": zhao, "blind": blind}
	var names []string
	for n := range who {
		names = append(names, n)
	}
	slices.Sort(names)
	ctx := context.Background()
	n := 0
	var batch warehouse.Batch
	type trial struct{ id, state, name, action string }
	var trials []trial
	for _, p := range paths {
		for _, name := range names {
			for _, action := range []string{Confirm, Dismiss, Appeal, Uphold, Overturn} {
				n++
				id := fmt.Sprintf("t%03d", n)
				trials = append(trials, trial{id, p.state, name, action})
				batch.Analyses = append(batch.Analyses, session(id, "A"))
			}
		}
	}
	if err := d.w.Write(ctx, batch); err != nil {
		t.Fatal(err)
	}
	// The ways there, a step of all sessions at a time.
	last := map[string]string{}
	for step := range 4 {
		for _, name := range []string{"lead", "lead2", "li"} {
			var acts []Action
			for _, x := range trials {
				i := slices.IndexFunc(paths, func(p struct {
					state string
					way   []string
				}) bool {
					return p.state == x.state
				})
				if way := paths[i].way; step < len(way) {
					actor, action, _ := strings.Cut(way[step], ":")
					if actor == name {
						acts = append(acts, Action{SessionID: x.id, HitID: x.id + "h1", Action: strings.TrimSuffix(action, "!"), Final: strings.HasSuffix(action, "!"), Note: "因为", Seen: last[x.id]})
					}
				}
			}
			for len(acts) > 0 {
				part := acts[:min(len(acts), maxBulk)]
				acts = acts[len(part):]
				results, err := d.Bulk(ctx, who[name], part)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range results {
					if r.Err != nil {
						t.Fatalf("%s %s: %v", part[i].SessionID, part[i].Action, r.Err)
					}
					last[part[i].SessionID] = r.EventID
				}
			}
		}
	}
	for _, name := range names {
		var acts []Action
		var of []trial
		for _, x := range trials {
			if x.name == name {
				of = append(of, x)
				acts = append(acts, Action{SessionID: x.id, HitID: x.id + "h1", Action: x.action, Note: "因为", Seen: last[x.id]})
			}
		}
		results, err := d.Bulk(ctx, who[name], acts)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			x := of[i]
			allowed := slices.Contains(strings.Fields(want[x.state]), name+":"+x.action)
			if (r.Err == nil) != allowed {
				t.Errorf("%s: %s of %s: %v, want allowed %v", x.state, x.action, name, r.Err, allowed)
			}
			var e *Error
			if r.Err != nil && (!errors.As(r.Err, &e) || e.Message == "") {
				t.Errorf("%s: %s of %s: %v", x.state, x.action, name, r.Err)
			}
			if e != nil && e.Kind == NotAllowed {
				for _, w := range strings.Fields(want[x.state]) {
					if actor, action, _ := strings.Cut(w, ":"); actor == name && !slices.Contains(e.Allowed, action) {
						t.Errorf("%s: %s of %s: %v does not name %s", x.state, x.action, name, e, action)
					}
				}
			}
			// What may be known from the error: nothing to those who do not see the session or the hit.
			if name == "leadB" || name == "zhao" || name == "blind" || name == "wang" && x.action == Appeal {
				if e == nil || e.Kind != NotFound {
					t.Errorf("%s: %s of %s: %v, want not found", x.state, x.action, name, r.Err)
				}
			}
		}
	}
}

func TestWorkflow(t *testing.T) {
	d := newDesk(t)
	w := d.w
	score := func(want string) {
		t.Helper()
		if got := one[string](t, w, "SELECT concat(toString(score), ' ', toString(final_score), ' ', toString(reviewed), ' ', toString(open_appeals), ' ', toString(conflicts)) FROM sessions WHERE session_id = 'a'"); got != want {
			t.Errorf("session: %s, want %s", got, want)
		}
	}
	score("70 70 false 0 0")
	d.expect("confirmed", lead, Action{HitID: "ah1", Action: Confirm, Note: "确实说了"})
	score("70 70 true 0 0")
	d.expect(string(BadInput), li, Action{HitID: "ah1", Action: Appeal}) // no reason
	d.expect("appealed", li, Action{HitID: "ah1", Action: Appeal, Note: "客户先骂人"})
	score("70 70 true 1 0")
	d.expect(string(Forbidden), lead, Action{HitID: "ah1", Action: Overturn}) // the own decision
	d.expect("upheld", lead2, Action{HitID: "ah1", Action: Uphold})
	d.expect("appealed", li, Action{HitID: "ah1", Action: Appeal, Note: "请看第二轮"})
	d.expect(string(Forbidden), lead2, Action{HitID: "ah1", Action: Overturn})
	d.expect("overturned final", root, Action{HitID: "ah1", Action: Overturn})
	score("70 100 true 0 0")
	d.expect(string(NotAllowed), root, Action{HitID: "ah1", Action: Uphold})

	// Scorecards: a dismissed hit, and points of a person.
	cards := func(want string) {
		t.Helper()
		if got := one[string](t, w, "SELECT concat(toString(score), ' ', toString(final_score), ' ', toString(unscored)) FROM scorecards WHERE session_id = 'a'"); got != want {
			t.Errorf("scorecard: %s, want %s", got, want)
		}
	}
	five, ten, more, less := 5.0, 10.0, 10.5, -1.0
	cards("50 50 1")
	d.expect("dismissed", lead, Action{HitID: "ah2", Action: Dismiss})
	cards("50 100 1")
	d.expect("undecided", lead, Action{Action: Score, Item: "service.warm", Points: &five})
	cards("50 75 0")
	d.expect(string(BadInput), lead, Action{Action: Score, Item: "service.warm", Points: &more})
	d.expect(string(BadInput), lead, Action{Action: Score, Item: "service.warm", Points: &less})
	d.expect(string(BadInput), lead, Action{Action: Score, Item: "service.polite", Points: &five}) // rules do that
	d.expect(string(BadInput), lead, Action{Action: Score, Item: "service.none", Points: &five})
	d.expect(string(Forbidden), li, Action{Action: Score, Item: "service.warm", Points: &ten})
	d.expect("undecided", lead, Action{Action: Score, Item: "service.warm", Points: &ten})
	cards("50 100 0")
	d.expect("undecided", lead, Action{Action: Score, Item: "service.warm"}) // taken back
	cards("50 100 1")

	// Open sessions wait, other teams and other people's sessions are not there.
	d.expect(string(NotAllowed), lead, Action{SessionID: "open", HitID: "openh1", Action: Confirm})
	d.expect(string(NotFound), leadB, Action{HitID: "ah1", Action: Note, Note: "x"})
	d.expect(string(NotFound), lead, Action{SessionID: "b", HitID: "bh1", Action: Confirm})
	d.expect(string(NotFound), lead, Action{HitID: "bh1", Action: Confirm})
	d.expect(string(NotFound), zhao, Action{Action: Note, Note: "x"})
	d.expect(string(Forbidden), pm, Action{Action: Note, Note: "x"})
	d.expect(string(BadInput), lead, Action{HitID: "ah1", Action: "delete"})
	d.expect(string(BadInput), lead, Action{HitID: "ah1", Action: Confirm, Seen: "0190"})
	d.expect(string(BadInput), lead, Action{HitID: "ah2", Action: Confirm, Final: true})
	d.expect(string(BadInput), lead, Action{HitID: "ah1", Action: Note, Note: strings.Repeat("啊", maxNote)})

	d.expect("undecided", lead, Action{SessionID: "a", Action: Reopen})
	d.expect("undecided", root, Action{SessionID: "b", Action: Done})
	if got := one[bool](t, w, "SELECT reviewed FROM sessions WHERE session_id = 'b'"); !got {
		t.Error("a finished session is not reviewed")
	}
	if got := one[string](t, w, "SELECT concat(toString(confirmed), toString(dismissed)) FROM rule_precision WHERE rule_id = 'forbidden'"); got != "01" {
		t.Errorf("precision counts %s", got)
	}
	// Agents see the trail of their own hits, and no assignment.
	if _, err := d.Assign(context.Background(), lead, Batch{Method: ByHand, Sessions: []string{"a"}, Shares: []Share{{Reviewer: "lead2"}}}); err != nil {
		t.Fatal(err)
	}
	x, err := d.Load(context.Background(), wang, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Visible(wang, x) {
		if e.HitID == "ah1" || e.Action == Assign {
			t.Errorf("wang sees %s of %s", e.Action, e.HitID)
		}
	}
	if a, b := len(d.Visible(wang, x)), len(d.Visible(lead, x)); a == 0 || b != len(x.Trail) || a >= b {
		t.Errorf("%d and %d events are seen of %d", a, b, len(x.Trail))
	}
}

// TestTwoBrowsers has two reviewers decide on the page they both opened before.
func TestTwoBrowsers(t *testing.T) {
	d := newDesk(t)
	precision := func(want string) {
		t.Helper()
		if got := one[string](t, d.w, "SELECT concat(toString(confirmed), ' ', toString(dismissed), ' ', toString(conflicts)) FROM rule_precision WHERE rule_id = 'forbidden'"); got != want {
			t.Errorf("confirmed, dismissed, conflicts: %s, want %s", got, want)
		}
	}
	d.expect("confirmed", lead, Action{HitID: "ah1", Action: Confirm, Seen: "nothing"})
	d.expect("dismissed conflict", lead2, Action{HitID: "ah1", Action: Dismiss, Seen: "nothing"})
	precision("0 0 1")
	if got := one[string](t, d.w, "SELECT arrayStringConcat(groupArray(concat(actor, ' ', action)), ',') FROM reviews WHERE conflict"); got != "lead2 dismiss" {
		t.Errorf("in conflict: %q", got)
	}
	d.expect("dismissed", lead, Action{HitID: "ah1", Action: Dismiss}) // has seen both, and agrees
	precision("0 1 0")
	if n := one[uint64](t, d.w, "SELECT count() FROM reviews"); n != 3 {
		t.Errorf("%d events, all are kept: want 3", n)
	}
	// The same decision of two who do not know of each other is kept too.
	d.expect("confirmed", lead, Action{HitID: "ah2", Action: Confirm, Seen: "nothing"})
	d.expect("confirmed conflict", lead2, Action{HitID: "ah2", Action: Confirm, Seen: "nothing"})
	d.expect("confirmed", lead, Action{HitID: "ah2", Action: Confirm})
	d.expect(string(NotAllowed), lead, Action{HitID: "ah2", Action: Confirm}) // nothing to say any more
}

// TestTwoServers has an event of another server, whose clock is ahead, come between.
func TestTwoServers(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	ahead := "ffffffff-ffff-7fff-bfff-fffffffffff0"
	if err := d.w.AppendReviewEvents(ctx, []Event{{SessionID: "a", EventID: ahead, HitID: "ah1", Actor: "other", Action: Confirm, At: d.now}}); err != nil {
		t.Fatal(err)
	}
	d.expect("dismissed", lead, Action{HitID: "ah1", Action: Dismiss, Seen: ahead})
	d.expect("confirmed", lead2, Action{HitID: "ah1", Action: Confirm})
	if _, err := nextID("ffffffff-ffff-7fff-bfff-ffffffffffff"); err == nil {
		t.Error("an id after the last")
	}
}

// TestServersAtOnce has several servers decide on the same sessions at the same time: nothing is lost, and the states that
// the views read are those of all events.
func TestServersAtOnce(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	var group errgroup.Group
	people := []access.Identity{root, lead, lead2, {User: "lead3", Role: access.Supervisor}}
	for _, who := range people {
		group.Go(func() error {
			for i := range 6 {
				a := Action{SessionID: []string{"a", "b"}[i%2], Action: []string{Confirm, Dismiss, Note}[i%3], Note: "并发"}
				a.HitID = a.SessionID + []string{"h1", "h2"}[i/2%2]
				_, err := d.Do(ctx, who, a)
				var refused *Error
				if err != nil && !errors.As(err, &refused) {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	n, folded := one[uint64](t, d.w, "SELECT count() FROM reviews WHERE action != 'note'"), one[uint64](t, d.w, "SELECT sum(version) FROM review_states FINAL")
	if n != folded || n < 8 {
		t.Errorf("%d events, %d in the states", n, folded)
	}
	if n := one[uint64](t, d.w, "SELECT count() FROM (SELECT session_id, arraySort(hit_states) FROM review_folds EXCEPT SELECT session_id, arraySort(hit_states) FROM review_states FINAL)"); n != 0 {
		t.Errorf("%d states are not the fold", n)
	}
}

func TestAppealDeadline(t *testing.T) {
	d := newDesk(t)
	ended := monday.Add(time.Hour)
	until := func(who access.Identity, hit, want string) {
		t.Helper()
		x, err := d.Load(context.Background(), who, "a")
		if err != nil {
			t.Fatal(err)
		}
		at, ok := d.AppealUntil(x, hit)
		got := "never"
		if ok {
			got = at.Format(time.DateTime)
		}
		if got != want {
			t.Errorf("%s may be appealed until %s, want %s", hit, got, want)
		}
	}
	// An undecided hit: seven days after the end of its session, to the second.
	until(li, "ah1", "2026-03-09 03:00:00")
	d.now = ended.AddDate(0, 0, 7).Add(-time.Minute + time.Second) // do goes on a minute
	d.expect(string(TooLate), li, Action{HitID: "ah1", Action: Appeal, Note: "不公平"})
	d.now = ended.AddDate(0, 0, 7).Add(-time.Minute)
	d.expect("appealed", li, Action{HitID: "ah1", Action: Appeal, Note: "不公平"})
	until(li, "ah1", "never") // it is appealed
	// A confirmed one: seven days after the decision, whatever the configuration says later.
	d.now = ended.AddDate(0, 1, 0)
	d.expect("confirmed", lead, Action{HitID: "ah2", Action: Confirm})
	decided := d.now
	d.o.AppealDays = 1
	until(wang, "ah2", decided.AddDate(0, 0, 7).Format(time.DateTime))
	d.now = decided.AddDate(0, 0, 7)
	d.expect(string(TooLate), wang, Action{HitID: "ah2", Action: Appeal, Note: "不公平"})
	d.now = decided.AddDate(0, 0, 7).Add(-time.Minute)
	d.expect("appealed", wang, Action{HitID: "ah2", Action: Appeal, Note: "不公平"})
	d.now = decided.AddDate(0, 2, 0) // to judge there is time
	d.expect("overturned final", lead2, Action{HitID: "ah2", Action: Overturn})
}

// TestNotes: what people write is masked, and kept as it is otherwise.
func TestNotes(t *testing.T) {
	d := newDesk(t)
	f := func(note, want string) {
		t.Helper()
		x, err := d.Do(context.Background(), lead, Action{SessionID: "a", Action: Note, Note: note})
		if err != nil {
			t.Fatal(err)
		}
		got := one[string](t, d.w, "SELECT argMax(note, event_id) FROM reviews")
		if got != want || x.Trail[len(x.Trail)-1].Note != want {
			t.Errorf("%q is kept as %q, want %q", note, got, want)
		}
	}
	f(`'); DROP TABLE review_events; --`, `'); DROP TABLE review_events; --`)
	f(`<script>alert("x")</script>`, `<script>alert("x")</script>`)
	f(`\' OR 1=1 {a:String} %s ${x}`, `\' OR 1=1 {a:String} %s ${x}`)
	f("=HYPERLINK(\"http://evil\")\n第二行", "=HYPERLINK(\"http://evil\")\n第二行")
	f("客户电话13812345678，已回访", "客户电话[电话x]，已回访")
	d.expect(string(BadInput), lead, Action{Action: Note, Note: "  \n "})
	d.expect(string(BadInput), lead, Action{Action: Note, Note: "a\x00b"})
	d.expect(string(BadInput), lead, Action{Action: Note, Note: "\xff"})
	for _, hit := range []string{"' OR 1=1 --", "ah1' OR '1'='1", "\x00", "%"} {
		d.expect(string(NotFound), lead, Action{HitID: hit, Action: Confirm})
		d.expect(string(NotFound), lead, Action{SessionID: hit, HitID: "ah1", Action: Confirm})
	}
}

// TestRerun: a decision follows its hit into another run and another version, and counts no more where the hit is gone.
func TestRerun(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	d.expect("dismissed", lead, Action{HitID: "ah1", Action: Dismiss})
	d.expect("confirmed", lead, Action{HitID: "ah2", Action: Confirm})
	next := session("a", "A")
	next.RunID, next.Version = 1, 1<<28
	next.Findings.Hits = next.Findings.Hits[:1]
	next.Findings.Hits[0].RuleVersion, next.Findings.Hits[0].Weight.Takes, next.Findings.Hits[0].Points = "2+b", -45, -45
	next.Findings.Score = schemas.Some(55.0)
	if err := d.w.Write(ctx, warehouse.Batch{Analyses: []*schemas.Analysis{next}}); err != nil {
		t.Fatal(err)
	}
	if err := d.w.SwitchRun(ctx, warehouse.Switch{RunID: 1, From: monday.AddDate(0, 0, -1), To: monday.AddDate(0, 0, 1), Actor: "me"}); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, d.w, "SELECT concat(toString(score), ' ', toString(final_score)) FROM sessions WHERE session_id = 'a'"); got != "55 100" {
		t.Errorf("scores %s", got)
	}
	if got := one[[]string](t, d.w, "SELECT arraySort(groupArray(concat(rule_id, ' ', rule_version, ' ', toString(confirmed), toString(dismissed)))) FROM rule_precision"); !slices.Equal(got, []string{"forbidden 2+b 01"}) {
		t.Errorf("precision %q", got)
	}
	if n := one[uint64](t, d.w, "SELECT count() FROM reviews WHERE hit_id = 'ah2'"); n != 1 {
		t.Errorf("%d events of the hit that is gone, want 1", n)
	}
	d.expect(string(NotFound), lead, Action{HitID: "ah2", Action: Dismiss})
	decisions, err := d.w.Decisions(ctx, []string{"a", "b"})
	if err != nil || len(decisions["a"]) != 2 || decisions["a"][0] != (warehouse.Decision{HitID: "ah1", Action: Dismiss}) {
		t.Errorf("decisions %+v, %v", decisions, err)
	}
}

func TestAssign(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t)
	var batch warehouse.Batch
	for i := range 60 {
		a := session(fmt.Sprintf("m%02d", i), []string{"A", "B"}[i%2])
		a.StartedAt = monday.AddDate(0, 0, 10)
		a.Findings.Flagged = i%3 != 0
		batch.Analyses = append(batch.Analyses, a)
	}
	if err := d.w.Write(ctx, batch); err != nil {
		t.Fatal(err)
	}
	from, to := monday.AddDate(0, 0, 9), monday.AddDate(0, 0, 11)
	count := func(list []Assignment) string {
		n := map[string]int{}
		for _, a := range list {
			n[a.Reviewer]++
		}
		return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(n), "map["), "]")
	}
	run := func(want string, who access.Identity, b Batch) []Assignment {
		t.Helper()
		list, err := d.Assign(ctx, who, b)
		if err != nil {
			t.Fatal(err)
		}
		if got := count(list); got != want {
			t.Errorf("%s: %s, want %s", b.Method, got, want)
		}
		return list
	}
	ab := []Share{{Reviewer: "lead", Weight: 2}, {Reviewer: "lead2", Weight: 1}}
	dry := Batch{Method: RoundRobin, From: from, To: to, Shares: ab, Seed: 7, DryRun: true}
	first := run("lead:15 lead2:15", root, dry) // neither may see team B
	if again := run("lead:15 lead2:15", root, dry); !slices.Equal(first, again) {
		t.Error("the same seed gives another assignment")
	}
	dry.Seed = 8
	if other := run("lead:15 lead2:15", root, dry); slices.Equal(first, other) {
		t.Error("another seed gives the same assignment")
	}
	dry.Method = ByRatio
	run("lead:20 lead2:10", root, dry)
	dry.Sample = 0.2
	run("lead:4 lead2:2", lead, dry) // a fifth of the 30 of team A, rounded up
	dry.Sample, dry.FlaggedOnly = 0, true
	run("lead:13 lead2:7", lead, dry)
	run("leadB:30", root, Batch{Method: RoundRobin, From: from, To: to, Shares: []Share{{Reviewer: "leadB"}}, DryRun: true})
	run("leadB:29 root:31", root, Batch{Method: RoundRobin, From: from, To: to, Shares: []Share{{Reviewer: "leadB"}, {Reviewer: "root"}}, Seed: 3, DryRun: true})
	run("", lead, Batch{Method: RoundRobin, From: to, Shares: ab})
	if n := one[uint64](t, d.w, "SELECT count() FROM reviews"); n != 0 {
		t.Errorf("a dry run wrote %d events", n)
	}
	run("lead:15 lead2:15", lead, Batch{Method: RoundRobin, From: from, To: to, Shares: ab})
	run("", lead, Batch{Method: RoundRobin, From: from, To: to, Shares: ab}) // all are given
	run("lead2:30", lead, Batch{Method: RoundRobin, From: from, To: to, Shares: ab[1:], Again: true})
	if n := one[uint64](t, d.w, "SELECT count() FROM sessions WHERE assignee = 'lead2' AND team = 'A'"); n != 30 {
		t.Errorf("%d sessions for lead2, want 30", n)
	}
	run(":1", lead, Batch{Method: ByHand, Sessions: []string{"m00"}, Shares: []Share{{}}}) // taken back
	if got := one[string](t, d.w, "SELECT assignee FROM sessions WHERE session_id = 'm00'"); got != "" {
		t.Errorf("m00 is still of %q", got)
	}
	refused := func(want Kind, who access.Identity, b Batch) {
		t.Helper()
		_, err := d.Assign(ctx, who, b)
		var e *Error
		if !errors.As(err, &e) || e.Kind != want {
			t.Errorf("%+v: %v, want %s", b, err, want)
		}
	}
	refused(Forbidden, li, dry)
	refused(Forbidden, data, dry)
	refused(NotFound, lead, Batch{Method: ByHand, Sessions: []string{"m01"}, Shares: ab[:1]})    // of team B
	refused(BadInput, root, Batch{Method: ByHand, Sessions: []string{"m01"}, Shares: ab[:1]})    // lead may not see it
	refused(BadInput, root, Batch{Method: ByHand, Sessions: []string{"m01"}, Shares: ab})        // two
	refused(BadInput, root, Batch{Method: ByHand, Shares: ab[:1]})                               // none
	refused(BadInput, root, Batch{Method: "chance", Shares: ab[:1]})                             //
	refused(BadInput, root, Batch{Method: RoundRobin, Shares: []Share{{Reviewer: "li.na"}}})     // an agent
	refused(BadInput, root, Batch{Method: RoundRobin, Shares: []Share{{Reviewer: "nobody"}}})    //
	refused(BadInput, root, Batch{Method: ByRatio, Shares: []Share{{Reviewer: "lead"}}})         // no weight
	refused(BadInput, root, Batch{Method: RoundRobin, Shares: slices.Repeat(ab[:1], 2)})         // twice
	refused(BadInput, root, Batch{Method: RoundRobin, Shares: ab, Sample: 1.5})                  //
	refused(NotAllowed, root, Batch{Method: ByHand, Sessions: []string{"open"}, Shares: ab[:1]}) //
}
