package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

const packText = `id: own
version: "%s"
rules:
  - id: gift
    name: 赠品
    severity: major
    points: -20
    reason: "提到{text}"
    forbid: {in: {role: agent}, keyword: [%s]}
%s`

const more = `  - id: %s
    name: 问候
    severity: minor
    points: -5
    reason: 没有问候
    expect: {in: {role: agent}, keyword: [您好]}
`

type literal struct{ rules.Literal }

func (literal) ModelVersion() string { return "literal" }

func load(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, err := rules.Load(rules.Text("own.yaml", []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func session(id, agent string, day int, texts ...string) Session {
	t := &schemas.Transcript{Closed: true}
	t.Meta.SessionID, t.Meta.AgentID = id, agent
	if day > 0 {
		t.Meta.StartedAt = time.Date(2026, 10, day, 1, 0, 0, 0, time.UTC)
	}
	for i, x := range texts {
		seq := int64(i + 1)
		t.Turns = append(t.Turns, schemas.TranscriptTurn{Key: schemas.SeqKey(seq), Turn: schemas.Turn{Seq: schemas.Some(seq), Role: schemas.Agent, Text: x}})
	}
	return Session{Transcript: t}
}

func run(t *testing.T, o Options, sessions []Session) *Report {
	t.Helper()
	if o.Base == nil {
		o.Base = analyse.New(literal{}, o.Live, nil)
	}
	o.Pack = "own"
	i := 0
	r, err := Run(t.Context(), o, func(context.Context) (Session, bool, error) {
		if i == len(sessions) {
			return Session{}, false, nil
		}
		i++
		return sessions[i-1], true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReport: every figure of a backtest over five sessions, computed by hand.
func TestReport(t *testing.T) {
	live := load(t, fmt.Sprintf(packText, "1", "赠品, 返现", fmt.Sprintf(more, "old_hello")))
	draft := load(t, fmt.Sprintf(packText, "2", "赠品, 红包", fmt.Sprintf(more, "hello")))
	sessions := []Session{
		session("s1", "a1", 1, "您好", "有赠品"),     // both
		session("s2", "a1", 1, "您好", "返现"),      // gone
		session("s3", "a2", 2, "您好", "嗯", "红包"), // new
		session("s4", "a2", 2, "您好"),            // neither
		session("s5", "a3", 0, "哦"),             // no greeting, no time
	}
	hit := func(session string, seq int64) string {
		return analyse.ID(session, "gift", string(schemas.SeqKey(seq)))
	}
	sessions[0].Decisions = []Decision{{hit("s1", 2), true}}
	sessions[1].Decisions = []Decision{{hit("s2", 2), false}, {analyse.ID("s2", "old_hello", ""), true}} // the second is found by neither
	sessions[2].Decisions = []Decision{{hit("s3", 3), true}, {"unknown", true}}
	// The day of s1 and s2 is 2 October in the zone of the report.
	zone := time.FixedZone("east", 23*3600+3599)
	r := run(t, Options{Live: live, Draft: draft, Zone: zone}, sessions)

	check := func(what string, got, want any) {
		t.Helper()
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: got %s, want %s", what, a, b)
		}
	}
	some := schemas.Some[float64]
	check("sessions", []any{r.Sessions, r.Turns, r.FirstDay, r.LastDay}, []any{5, 9, "2026-10-02", "2026-10-03"})
	var ids []string
	for _, x := range r.Rules {
		ids = append(ids, x.ID+" "+x.State)
	}
	check("rules", ids, []string{"gift both", "hello new", "old_hello gone"})
	gift, hello, old := r.Rules[0], r.Rules[1], r.Rules[2]
	check("gift", gift.Fires, Change{Live: 2, Draft: 2, New: 1, Gone: 1, Same: 1})
	check("gift by day", gift.Days, []RuleDay{{"2026-10-02", Change{2, 1, 0, 1, 1}}, {"2026-10-03", Change{0, 1, 1, 0, 0}}})
	check("gift outcomes", []any{gift.LiveOutcomes, gift.DraftOutcomes}, []any{map[string]int{"present": 2, "absent": 3}, map[string]int{"present": 2, "absent": 3}})
	check("new rule", []any{hello.Fires, hello.LiveOutcomes, hello.DraftOutcomes}, []any{Change{Draft: 1, New: 1}, map[string]int{}, map[string]int{"pass": 4, "fail": 1}})
	check("rule that goes", old.Fires, Change{Live: 1, Gone: 1})
	check("day of no time", hello.Days, []RuleDay{{"", Change{Draft: 1, New: 1}}})
	// Scores: s1 80 80, s2 80 100, s3 100 80, s4 100 100, s5 95 95.
	check("score", r.Score, ScoreReport{Sessions: 5, LiveMean: some(91), DraftMean: some(91), Lower: 1, Higher: 1})
	check("flagged", r.Flagged, Change{Live: 2, Draft: 2, New: 1, Gone: 1, Same: 1})
	check("agents", r.Agents, []Agent{{"a1", 2, 80, 90, 10}, {"a2", 2, 100, 90, -10}, {"a3", 1, 95, 95, 0}})
	check("days", r.Days[1], DayReport{"2026-10-02", 2, Change{2, 1, 0, 1, 1}, some(80), some(90)})
	// In use: s1 right, s2 wrong, s3 not found. Draft: s1 and s3 right.
	check("reviews", gift.Reviews, Reviews{Confirmed: 2, Dismissed: 1, Live: Quality{1, 1, some(.5), some(.5)}, Draft: Quality{2, 0, some(1), some(1)}})
	check("a confirmed hit that nobody finds", old.Reviews, Reviews{Confirmed: 1, Live: Quality{Recall: some(0)}, Draft: Quality{Recall: some(0)}})
	check("sample", gift.New, []Sample{{SessionID: "s3", HitID: hit("s3", 3), AgentID: "a2", Outcome: "present", Reason: "提到红包", Quotes: []Quote{{3, schemas.Agent, "红包", 0, 6}}}})
	check("samples that go", gift.Gone[0].SessionID, "s2")
}

// TestDeterministic: neither workers nor the order of sessions change counts and samples.
func TestDeterministic(t *testing.T) {
	live := load(t, fmt.Sprintf(packText, "1", "返现", ""))
	draft := load(t, fmt.Sprintf(packText, "2", "赠品", ""))
	var sessions []Session
	for i := range 700 {
		sessions = append(sessions, session(fmt.Sprintf("s%03d", i), fmt.Sprintf("a%d", i%7), 1+i%28, "您好", []string{"赠品", "返现", "嗯"}[i%3]))
	}
	report := func(workers int, sessions []Session) string {
		t.Helper()
		seen := 0
		r := run(t, Options{Live: live, Draft: draft, Workers: workers, Samples: 3, Progress: func(n int) { seen = n }}, sessions)
		if seen != 700 || len(r.Rules[0].New) != 3 || r.Rules[0].Fires.New != 234 {
			t.Errorf("%d sessions seen, %d samples, %+v", seen, len(r.Rules[0].New), r.Rules[0].Fires)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := report(1, sessions)
	if got := report(8, sessions); got != want {
		t.Errorf("with 8 workers\n%s\nwith 1\n%s", got, want)
	}
	slices.Reverse(sessions)
	if got := report(4, sessions); got != want {
		t.Errorf("reversed\n%s\nwas\n%s", got, want)
	}
}

func TestErrorsEndTheRun(t *testing.T) {
	set := load(t, fmt.Sprintf(packText, "1", "返现", ""))
	broken := errors.New("the store is gone")
	o := Options{Pack: "own", Live: set, Draft: set, Base: analyse.New(literal{}, set, nil)}
	if _, err := Run(t.Context(), o, func(context.Context) (Session, bool, error) { return Session{}, false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Run(ctx, o, func(context.Context) (Session, bool, error) {
		cancel()
		return session("s", "a", 1, "您好"), true, nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Run(t.Context(), Options{}, nil); err == nil {
		t.Error("no error without rules")
	}
}
