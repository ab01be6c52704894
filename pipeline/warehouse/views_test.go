package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// sample is an analysed session in which every part is used.
func sample(id string) *schemas.Analysis {
	turn := func(seq int64, role schemas.Role, text string, e schemas.Emotion, s int) schemas.AnalysedTurn {
		t := schemas.AnalysedTurn{Language: "zh", Emotion: e, Polarity: float32(seq) / 8}
		t.Turn = schemas.Turn{Seq: schemas.Some(seq), Role: role, Text: text, At: monday.Add(time.Duration(s) * time.Second)}
		t.Key = schemas.SeqKey(seq)
		t.Scores[e] = 1
		return t
	}
	a := &schemas.Analysis{
		SessionID: id, Version: 1<<28 | 7, Epoch: 7, Closed: true, StartedAt: monday, EndedAt: monday.Add(time.Minute),
		Meta: schemas.Meta{SessionID: id, Channel: "chat", Source: "qianniu", Shop: "面膜店", Business: "aftersales", CustomerID: "c1", AgentID: "li",
			Attributes: map[string]string{"vip": "1", "invited": "true"}},
		AgentIDs: []string{"li", "wang"},
		Turns: []schemas.AnalysedTurn{
			turn(1, schemas.Customer, "太慢了，快递三天没动", schemas.Angry, 0),
			turn(2, schemas.Agent, "抱歉，马上查", schemas.Apologetic, 20),
			turn(3, schemas.Customer, "谢谢", schemas.Grateful, 50),
		},
		Mentions: []schemas.Mention{{MentionID: "m1", Turn: 1, Text: "快递三天没动", Start: 12, End: 30, Kind: schemas.KindComplaint, Aspect: schemas.AspectLogistics,
			Valuable: true, Polarity: schemas.Negative, OpinionID: "op1", Department: "物流"}},
		Rounds: []schemas.Round{
			{AgentID: "li", Turn: 1, Reply: schemas.Some[int64](2), AskedAt: monday, RepliedAt: monday.Add(20 * time.Second), ReplyMS: schemas.Some[int64](20_000), Customers: 1, Replies: 1, First: true},
			{AgentID: "li", Turn: 3, AskedAt: monday.Add(50 * time.Second), Customers: 1},
		},
		Findings: schemas.Findings{
			Hits: []schemas.Hit{
				{HitID: "h1", RuleID: "closing", RuleVersion: "3", AgentID: "li", Outcome: schemas.Fail, Severity: schemas.Minor, Points: -5, Reason: "no closing",
					Evidence: []schemas.Evidence{{Turn: 2, Start: 0, End: 6}, {Turn: 3, End: 6}}},
				{HitID: "h2", RuleID: "insult", RuleVersion: "3", AgentID: "wang", Outcome: schemas.Present, Severity: schemas.Critical, Points: -60},
			},
			Outcomes: map[string]string{"insult": schemas.Present, "closing": schemas.Fail, "greeting": schemas.NA},
			Score:    schemas.Some(35.0),
			Scorecards: []schemas.Scorecard{{ID: "service", Name: "服务", Score: schemas.Some(50.0), Items: []schemas.ScorecardItem{
				{ID: "polite", Points: schemas.Some(5.0), Max: 10, Outcome: schemas.Fail}, {ID: "warm", Max: 10, Outcome: schemas.NA, Human: true}}}},
			Flagged: true,
		},
		Experience: -0.25, EmotionStart: "angry", EmotionEnd: "grateful",
		Facts:        schemas.Facts{Turns: 3, CustomerTurns: 2, AgentTurns: 1, Rounds: 2, Unanswered: 1, DurationMS: schemas.Some[int64](50_000), FirstReplyMS: schemas.Some[int64](20_000), AvgReplyMS: schemas.Some(20_000.0), TalkShare: schemas.Some(0.25)},
		Coverage:     []schemas.CoverageNote{{What: "rule:response_time", Why: "no_timestamps"}, {What: "turns", Why: "nul_bytes", Count: 2}},
		RulesVersion: "standard@1", ModelVersion: "m1", Origin: schemas.Origin{Topic: "tingke.transcripts", Partition: 3, OffsetMin: 10, OffsetMax: 20},
	}
	return a
}

func write(t testing.TB, w *Warehouse, analyses ...*schemas.Analysis) {
	t.Helper()
	if err := w.Write(context.Background(), Batch{Analyses: analyses}); err != nil {
		t.Fatal(err)
	}
}

func snapshot(t testing.TB, w *Warehouse) Tables {
	t.Helper()
	s, err := w.Snapshot(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestViewsShowAllOfASession(t *testing.T) {
	w := migrated(t)
	open := sample("open")
	open.Closed = false
	write(t, w, sample("s1"), open)
	want := Tables{
		"sessions": {`{"session_id":"s1","started_at":"2026-03-02 10:00:00.000","ended_at":"2026-03-02 10:01:00.000","state":"closed","channel":"chat","shop":"面膜店","business":"aftersales","team":"","agent_ids":["li","wang"],"customer_id":"c1","turns":3,"score":35,"experience":-0.25,"flagged":true,"emotion_start":"angry","emotion_end":"grateful","rules_version":"standard@1","model_version":"m1","epoch":7,"topic":"tingke.transcripts","partition":3,` +
			`"coverage":[{"what":"rule:response_time","why":"no_timestamps","count":0},{"what":"turns","why":"nul_bytes","count":2}],"day":"2026-03-02","source":"qianniu","skill_group":"","product":"","agent_id":"li","severity":"critical","customer_turns":2,"agent_turns":1,"bot_turns":0,"duration_ms":50000,"first_reply_ms":20000,"avg_reply_ms":20000,"attributes":{"invited":"true","vip":"1"},"agent_name":"","max_reply_ms":null,"rounds":2,"unanswered":1,"talk_share":0.25,"silence_ms":null,"overlap_ms":null,"final_score":35,"reviewed":false,"assignee":"","open_appeals":0,"conflicts":0,"media_url":""}`},
		"turns": {
			`{"session_id":"s1","seq":1,"role":"customer","agent_id":"","at":"2026-03-02 10:00:00.000","text":"太慢了，快递三天没动","emotion":"angry","polarity":0.125,"auto":false,"start_ms":null,"end_ms":null,"confidence":null,"position":1,"day":"2026-03-02","shop":"面膜店","closed":true,"language":"zh"}`,
			`{"session_id":"s1","seq":2,"role":"agent","agent_id":"li","at":"2026-03-02 10:00:20.000","text":"抱歉，马上查","emotion":"apologetic","polarity":0.25,"auto":false,"start_ms":null,"end_ms":null,"confidence":null,"position":2,"day":"2026-03-02","shop":"面膜店","closed":true,"language":"zh"}`,
			`{"session_id":"s1","seq":3,"role":"customer","agent_id":"","at":"2026-03-02 10:00:50.000","text":"谢谢","emotion":"grateful","polarity":0.375,"auto":false,"start_ms":null,"end_ms":null,"confidence":null,"position":3,"day":"2026-03-02","shop":"面膜店","closed":true,"language":"zh"}`,
		},
		"mentions": {`{"session_id":"s1","seq":1,"mention_id":"m1","text":"快递三天没动","start":12,"end":30,"kind":"complaint","aspect":"logistics","valuable":true,"product":"","polarity":"negative","opinion_id":"op1","department":"物流","customer_id":"c1","day":"2026-03-02","shop":"面膜店","closed":true}`},
		"hits": {
			`{"session_id":"s1","hit_id":"h1","rule_id":"closing","rule_version":"3","agent_id":"li","outcome":"fail","severity":"minor","points":-5,"evidence_seqs":[2,3],"reason":"no closing","decision":"","day":"2026-03-02","shop":"面膜店","team":"","closed":true,"evidence":[{"seq":2,"start":0,"end":6},{"seq":3,"start":0,"end":6}],"state":"undecided","conflict":false,"final":false,"decided_at":null,"appeal_until":null,"appeals":0,"item":""}`,
			`{"session_id":"s1","hit_id":"h2","rule_id":"insult","rule_version":"3","agent_id":"wang","outcome":"present","severity":"critical","points":-60,"evidence_seqs":[],"reason":"","decision":"","day":"2026-03-02","shop":"面膜店","team":"","closed":true,"evidence":[],"state":"undecided","conflict":false,"final":false,"decided_at":null,"appeal_until":null,"appeals":0,"item":""}`,
		},
		"outcomes": {
			`{"session_id":"s1","rule_id":"closing","outcome":"fail","day":"2026-03-02","closed":true}`,
			`{"session_id":"s1","rule_id":"greeting","outcome":"na","day":"2026-03-02","closed":true}`,
			`{"session_id":"s1","rule_id":"insult","outcome":"present","day":"2026-03-02","closed":true}`,
		},
		"scorecard_items": {
			`{"session_id":"s1","scorecard":"service","item":"polite","points":5,"max":10,"outcome":"fail","human":false,"day":"2026-03-02","closed":true,"final_points":5,"weight":10,"locks":false}`,
			`{"session_id":"s1","scorecard":"service","item":"warm","points":null,"max":10,"outcome":"na","human":true,"day":"2026-03-02","closed":true,"final_points":null,"weight":10,"locks":false}`,
		},
		"rounds": {
			`{"session_id":"s1","agent_id":"li","asked_at":"2026-03-02 10:00:00.000","replied_at":"2026-03-02 10:00:20.000","reply_ms":20000,"seq":1,"reply_seq":2,"customer_turns":1,"valid_replies":1,"first":true,"day":"2026-03-02","shop":"面膜店","channel":"chat","source":"qianniu","customer_id":"c1","closed":true}`,
			`{"session_id":"s1","agent_id":"li","asked_at":"2026-03-02 10:00:50.000","replied_at":null,"reply_ms":null,"seq":3,"reply_seq":null,"customer_turns":1,"valid_replies":0,"first":false,"day":"2026-03-02","shop":"面膜店","channel":"chat","source":"qianniu","customer_id":"c1","closed":true}`,
		},
		"scorecards": {`{"session_id":"s1","scorecard":"service","name":"服务","score":50,"final_score":50,"unscored":1,"day":"2026-03-02","closed":true}`},
		"rule_days": {
			`{"rule_id":"closing","rule_version":"3","day":"2026-03-02","hits":1,"sessions":1,"confirmed":0,"dismissed":0,"conflicts":0,"appealed":0}`,
			`{"rule_id":"insult","rule_version":"3","day":"2026-03-02","hits":1,"sessions":1,"confirmed":0,"dismissed":0,"conflicts":0,"appealed":0}`,
		},
		"rule_precision": {
			`{"rule_id":"closing","rule_version":"3","hits":1,"confirmed":0,"dismissed":0,"conflicts":0,"appealed":0,"precision":null,"first_day":"2026-03-02","last_day":"2026-03-02"}`,
			`{"rule_id":"insult","rule_version":"3","hits":1,"confirmed":0,"dismissed":0,"conflicts":0,"appealed":0,"precision":null,"first_day":"2026-03-02","last_day":"2026-03-02"}`,
		},
		"opinion_days": {`{"opinion_id":"op1","day":"2026-03-02","mentions":2,"sessions":2,"customers":1}`},
		"opinions":     {}, "orders": {}, "ratings": {}, "reviews": {}, "alerts": {}, "dead_letters": {}, "runs": {}, "lost_ranges": {},
	}
	if d := snapshot(t, w).Diff(want); d != "" {
		t.Error(d)
	}
	if n := one[uint64](t, w, "SELECT count() FROM sessions WHERE state = 'open'"); n != 1 {
		t.Errorf("%d open sessions, want 1", n)
	}
	if s := one[[]uint8](t, w, "SELECT turn_scores FROM active_analyses WHERE session_id = 's1'"); len(s) != 3*int(schemas.EmotionCount) || s[schemas.Angry] != 255 || s[schemas.EmotionCount+schemas.Apologetic] != 255 {
		t.Errorf("scores %v", s)
	}
}

// TestTablesDoNotDependOnArrival writes growing versions of sessions in any order, in any batches, twice.
func TestTablesDoNotDependOnArrival(t *testing.T) {
	ctx := context.Background()
	var writes []Batch
	for i := range 20 {
		id := fmt.Sprintf("s%02d", i)
		for v := range 3 {
			a := sample(id)
			a.Version = uint64(v + 1)
			a.Closed = v == 2 || i%5 == 0
			a.Turns = a.Turns[:v+1]
			st := &assemble.State{SessionID: id, Seen: make([]assemble.Element, v+1)}
			writes = append(writes, Batch{States: []*assemble.State{st}, Analyses: []*schemas.Analysis{a}})
		}
		writes = append(writes, Batch{DeadLetters: []DeadLetter{{Topic: "t", Partition: int32(i % 2), Offset: int64(i), SHA256: fmt.Sprint(i % 15), At: monday}},
			LostRanges: []LostRange{{Topic: "t", Partition: 1, From: int64(i * 10), To: int64(i*10 + 5), At: monday}}})
	}
	var first Tables
	for seed := range uint64(3) {
		w := migrated(t)
		r := rand.New(rand.NewPCG(seed, 3))
		all := slices.Concat(writes, writes)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for len(all) > 0 {
			n := min(len(all), 1+r.IntN(60))
			var b Batch
			for _, o := range all[:n] {
				b.States = append(b.States, o.States...)
				b.Analyses = append(b.Analyses, o.Analyses...)
				b.DeadLetters = append(b.DeadLetters, o.DeadLetters...)
				b.LostRanges = append(b.LostRanges, o.LostRanges...)
			}
			if err := w.Write(ctx, b); err != nil {
				t.Fatal(err)
			}
			all = all[n:]
		}
		got := snapshot(t, w)
		if first == nil {
			first = got
			for view, n := range map[string]int{"sessions": 20, "turns": 60, "hits": 40, "dead_letters": 15, "lost_ranges": 20} {
				if len(got[view]) != n {
					t.Errorf("%s has %d rows, want %d", view, len(got[view]), n)
				}
			}
		} else if d := first.Diff(got); d != "" {
			t.Errorf("seed %d: the order of arrival shows:\n%s", seed, d)
		}
	}
}

func TestActiveRun(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	for day, id := range []string{"mon", "tue", "wed", "none"} {
		for run := range uint64(3) {
			a := sample(id)
			a.RunID, a.StartedAt = run, monday.AddDate(0, 0, day)
			if id == "none" {
				a.StartedAt = time.Time{}
			}
			a.EmotionEnd = fmt.Sprint(run)
			write(t, w, a)
		}
	}
	shown := func(want string) {
		t.Helper()
		got := one[string](t, w, "SELECT arrayStringConcat(arraySort(groupArray(concat(session_id, emotion_end))), ' ') FROM sessions")
		if got != want {
			t.Errorf("shown %q, want %q", got, want)
		}
		list, err := w.Switches(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var runs []string
		for day, id := range []string{"mon", "tue", "wed"} {
			runs = append(runs, fmt.Sprint(id, list.Run(monday.AddDate(0, 0, day))))
		}
		runs = append(runs, fmt.Sprint("none", list.Run(time.Time{})))
		slices.Sort(runs)
		if got := strings.Join(runs, " "); got != want {
			t.Errorf("Switches.Run says %q, want %q", got, want)
		}
	}
	to := func(run uint64, from, to int) {
		t.Helper()
		if err := w.SwitchRun(ctx, Switch{RunID: run, From: monday.AddDate(0, 0, from), To: monday.AddDate(0, 0, to), Actor: "me"}); err != nil {
			t.Fatal(err)
		}
	}
	shown("mon0 none0 tue0 wed0")
	to(1, 0, 1)
	shown("mon1 none0 tue1 wed0")
	to(2, 1, 2)
	shown("mon1 none0 tue2 wed2")
	to(0, 0, 9) // and back
	shown("mon0 none0 tue0 wed0")
	if n := one[uint64](t, w, "SELECT count() FROM turns"); n != 12 {
		t.Errorf("%d turns are shown, want 12", n)
	}
}

func TestTeamAsOfTheSession(t *testing.T) {
	ctx := context.Background()
	w := migrated(t)
	named, early, late, none, other := sample("named"), sample("early"), sample("late"), sample("none"), sample("other")
	named.Meta.Team = "own"
	early.StartedAt = monday.AddDate(0, -1, 0)
	late.StartedAt = monday.AddDate(0, 1, 0)
	none.StartedAt = time.Time{}
	other.Meta.AgentID = "" // the first agent who speaks
	other.AgentIDs = []string{"zhao", "li"}
	write(t, w, named, early, late, none, other)
	agents := []Agent{{AgentID: "li", Team: "wrong", ValidFrom: monday}, {AgentID: "li", Team: "B", ValidFrom: monday}, {AgentID: "li", Name: "李", Team: "A"},
		{AgentID: "li", Team: "C", ValidFrom: monday.AddDate(0, 0, 7)}, {AgentID: "zhao", Team: "Z", ValidFrom: monday.Add(time.Millisecond)}}
	if err := w.SaveAgents(ctx, agents); err != nil {
		t.Fatal(err)
	}
	list, err := w.Agents(ctx)
	if err != nil || len(list) != 4 || list[0] != agents[2] {
		t.Errorf("agents %+v, %v", list, err)
	}
	roster := NewRoster(list)
	for id, want := range map[string]string{"named": "own", "early": "A", "late": "C", "none": "C", "other": ""} {
		if got := one[string](t, w, "SELECT team FROM sessions WHERE session_id = "+quote(id)); got != want {
			t.Errorf("session %s: team %q, want %q", id, got, want)
		}
		if got := one[string](t, w, "SELECT any(team) FROM hits WHERE session_id = "+quote(id)); got != want {
			t.Errorf("hits of session %s: team %q, want %q", id, got, want)
		}
	}
	f := func(agent string, at time.Time, want string) {
		t.Helper()
		if a, ok := roster.At(agent, at); a.Team != want || ok != (want != "") {
			t.Errorf("%s at %s: %q %v, want %q", agent, at, a.Team, ok, want)
		}
	}
	f("li", monday.Add(-1), "A")
	f("li", monday, "B")
	f("li", monday.AddDate(0, 0, 7), "C")
	f("li", time.Time{}, "C")
	f("zhao", monday, "")
	f("nobody", monday, "")
}

func TestOpinions(t *testing.T) {
	w := migrated(t)
	day := func(id string, d int, opinion, customer string) *schemas.Analysis {
		a := sample(id)
		a.StartedAt = monday.AddDate(0, 0, d)
		a.Meta.CustomerID = customer
		a.Mentions[0].OpinionID = opinion
		return a
	}
	write(t, w, day("a", 0, "o1", "c1"), day("b", 20, "o1", "c1"), day("c", 20, "o2", ""), day("d", 20, "o2", ""), day("e", 20, "", "c2"), day("f", 12, "o3", "c3"))
	event := func(n int, action, opinion, target, title string) {
		mustExec(t, w, fmt.Sprintf("INSERT INTO opinion_events (event_id, at, action, opinion_id, target_id, title, aspect) VALUES ('%03d', now64(3), '%s', '%s', '%s', '%s', 'price')", n, action, opinion, target, title))
	}
	for i, id := range []string{"o1", "o2", "o3", "o4"} {
		event(i, "found", id, "", "title "+id)
	}
	event(10, "rename", "o1", "", "为什么贵")
	event(11, "title", "o1", "", "made later by the program")
	show := func(want ...string) {
		t.Helper()
		got := one[[]string](t, w, "SELECT groupArray(concat(opinion_id, ' ', title, ' ', toString(mentions), ' ', toString(sessions), ' ', toString(customers), ' ', trend)) FROM (SELECT * FROM opinions ORDER BY opinion_id)")
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	show("o1 为什么贵 2 2 1 steady", "o2 title o2 2 2 2 new", "o3 title o3 1 1 1 fading", "o4 title o4 0 0 0 ")
	event(12, "merge", "o2", "o1", "")
	show("o1 为什么贵 4 4 3 rising", "o3 title o3 1 1 1 fading", "o4 title o4 0 0 0 ")
	if got := one[string](t, w, "SELECT opinion_id FROM mentions WHERE session_id = 'c'"); got != "o1" {
		t.Errorf("a mention of a merged opinion counts for %q", got)
	}
}

func TestReviewsAndDecisions(t *testing.T) {
	w := migrated(t)
	write(t, w, sample("s"))
	event := func(id, seen, hit, action string) {
		mustExec(t, w, fmt.Sprintf("INSERT INTO review_events (session_id, event_id, seen, hit_id, actor, action, at) VALUES ('s', '%s', '%s', '%s', 'qa', '%s', now64(3))", id, seen, hit, action))
		if _, err := w.RepairReviews(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	decisions := func(want string) {
		t.Helper()
		if got := one[string](t, w, "SELECT arrayStringConcat(groupArray(concat(hit_id, '=', decision)), ' ') FROM (SELECT * FROM hits ORDER BY hit_id)"); got != want {
			t.Errorf("decisions %q, want %q", got, want)
		}
	}
	conflicts := func(want string) {
		t.Helper()
		if got := one[string](t, w, "SELECT arrayStringConcat(groupArray(event_id), ' ') FROM (SELECT * FROM reviews WHERE conflict ORDER BY event_id)"); got != want {
			t.Errorf("conflicts %q, want %q", got, want)
		}
	}
	decisions("h1= h2=")
	event("01", "", "h1", "dismiss")
	event("02", "01", "h1", "note")
	event("03", "01", "h2", "confirm")
	event("03", "01", "h2", "confirm") // sent twice
	decisions("h1=dismiss h2=confirm")
	conflicts("")
	event("04", "", "h1", "confirm") // had not seen 01
	decisions("h1=confirm h2=confirm")
	conflicts("04")
	event("05", "04", "h1", "dismiss")
	decisions("h1=dismiss h2=confirm")
	conflicts("")
	if n := one[uint64](t, w, "SELECT count() FROM reviews"); n != 5 {
		t.Errorf("%d reviews, want 5", n)
	}
}
