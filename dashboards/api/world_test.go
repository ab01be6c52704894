package api

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// testOptions are those of the API of tests.
func testOptions(t testing.TB, w *warehouse.Warehouse, log *slog.Logger) Options {
	t.Helper()
	return Options{Warehouse: w, Timezone: shanghai, Now: func() time.Time { return now }, Log: log}
}

// told is one session of the world in short.
type told struct {
	id, team, agent, shop string
	at                    time.Time
	lines                 []string // customer and agent in turn
	emotion               schemas.Emotion
	severity              string // of a hit of rule "ban" on the agent's first line; "" for none
	kind, aspect          string // of a mention: the whole first line
	open                  bool
}

// Day one and two of the world.
var (
	dayOne = time.Date(2026, 3, 2, 10, 0, 0, 0, shanghai)
	dayTwo = dayOne.AddDate(0, 0, 1)
)

// world is two teams in two shops: team 一组 with the agents a1 and a2, team 二组 with b1. Ids of sessions begin with
// their team, one- or two-, so that a leak is seen.
var world = []told{
	{id: "one-1", team: "一组", agent: "a1", shop: "花漾", at: dayOne, lines: []string{"面膜B多少钱", "249元哦", "太貴了，能便宜點嗎"}, emotion: schemas.Confused, kind: "question", aspect: "price"},
	{id: "one-2", team: "一组", agent: "a1", shop: "花漾", at: dayOne.Add(time.Hour), lines: []string{"快递怎么还没到", "不关我的事", "你们太过分了"}, emotion: schemas.Angry, severity: schemas.Critical, kind: "complaint", aspect: "logistics"},
	{id: "one-3", team: "一组", agent: "a2", shop: "花漾", at: dayTwo, lines: []string{"面膜B多少钱", "亲，加V信详聊", "好的"}, emotion: schemas.Neutral, severity: schemas.Major, kind: "question", aspect: "price"},
	{id: "one-4", team: "一组", agent: "a2", shop: "森野", at: dayTwo.Add(time.Minute), lines: []string{"在吗", "在的亲", "谢谢ABC"}, emotion: schemas.Grateful},
	{id: "one-5", team: "一组", agent: "a1", shop: "花漾", at: dayTwo.Add(2 * time.Hour), lines: []string{"人呢"}, emotion: schemas.Urgent, open: true},
	{id: "two-1", team: "二组", agent: "b1", shop: "森野", at: dayOne.Add(time.Minute), lines: []string{"帐篷漏水怎么办", "你自己看说明书", "什么态度"}, emotion: schemas.Angry, severity: schemas.Critical, kind: "complaint", aspect: "quality"},
	{id: "two-2", team: "二组", agent: "b1", shop: "森野", at: dayTwo, lines: []string{"帐篷多少钱", "399元", "好的，谢谢"}, emotion: schemas.Grateful, kind: "question", aspect: "price"},
	{id: "two-3", team: "二组", agent: "b1", shop: "花漾", at: dayTwo.Add(time.Hour), lines: []string{"面膜B多少钱", "加我微信", "嗯"}, emotion: schemas.Neutral, severity: schemas.Major, kind: "question", aspect: "price"},
}

// analysis is a told session as the warehouse takes it.
func (x told) analysis() *schemas.Analysis {
	a := &schemas.Analysis{SessionID: x.id, Version: 1 << 28, Closed: !x.open, StartedAt: x.at, EndedAt: x.at.Add(time.Minute), AgentIDs: []string{x.agent},
		EmotionStart: "neutral", EmotionEnd: x.emotion.String(), RulesVersion: "test@1", ModelVersion: "test", Experience: 0.4}
	a.Meta = schemas.Meta{SessionID: x.id, Channel: "chat", Source: "t", Shop: x.shop, Business: "presales", CustomerID: "c-" + x.id, AgentID: x.agent, AgentName: "名" + x.agent, Team: x.team, MediaURL: "https://media.example/" + x.id}
	for i, text := range x.lines {
		turn := schemas.AnalysedTurn{Emotion: schemas.Neutral}
		turn.Seq, turn.Role, turn.Text, turn.At = schemas.Some(int64(i+1)), schemas.Customer, text, x.at.Add(time.Duration(i)*20*time.Second)
		if i%2 == 1 {
			turn.Role, turn.AgentID = schemas.Agent, x.agent
		}
		if i == len(x.lines)-1 {
			turn.Emotion = x.emotion
		}
		a.Turns = append(a.Turns, turn)
	}
	if len(x.lines) > 1 {
		a.Rounds = []schemas.Round{{AgentID: x.agent, Turn: 1, Reply: schemas.Some(int64(2)), AskedAt: x.at, RepliedAt: x.at.Add(20 * time.Second), ReplyMS: schemas.Some(int64(20000)), Customers: 1, Replies: 1, First: true}}
		a.Facts.FirstReplyMS, a.Facts.AvgReplyMS = schemas.Some(int64(20000)), schemas.Some(20000.0)
	}
	a.Facts.Turns, a.Facts.Rounds = len(a.Turns), len(a.Rounds)
	if x.kind != "" {
		a.Mentions = []schemas.Mention{{MentionID: "m-" + x.id, Turn: 1, Text: x.lines[0], End: len(x.lines[0]), Kind: x.kind, Aspect: x.aspect, Valuable: true, Polarity: "neutral"}}
	}
	a.Findings.Score = schemas.Some(100.0)
	a.Findings.Outcomes = map[string]string{"ban": "absent"}
	if x.severity != "" {
		points := map[string]float64{schemas.Major: -30, schemas.Critical: -60}[x.severity]
		a.Findings.Hits = []schemas.Hit{{HitID: "h-" + x.id, RuleID: "ban", RuleVersion: "test@1", AgentID: x.agent, Outcome: "present", Severity: x.severity, Points: points,
			Evidence: []schemas.Evidence{{Turn: 2, Start: 0, End: len(x.lines[1])}}, Reason: "said it"}}
		a.Findings.Score, a.Findings.Flagged, a.Findings.Outcomes["ban"], a.Experience = schemas.Some(100+points), true, "present", -0.5
	}
	return a
}

// fill writes the world.
func fill(t testing.TB, w *warehouse.Warehouse) {
	t.Helper()
	var b warehouse.Batch
	for _, x := range world {
		b.Analyses = append(b.Analyses, x.analysis())
	}
	for i, x := range world {
		b.Orders = append(b.Orders, schemas.Order{OrderID: fmt.Sprintf("o-%s", x.id), CustomerID: "c-" + x.id, Shop: x.shop, AgentID: x.agent, Status: "paid",
			CreatedAt: x.at.Add(time.Hour), PaidAt: x.at.Add(2 * time.Hour), UpdatedAt: x.at.Add(2 * time.Hour)})
		if i%2 == 0 {
			b.Ratings = append(b.Ratings, schemas.Rating{SessionID: x.id, Score: 4, Max: 5, Comment: "还行", At: x.at.Add(time.Hour)})
		}
	}
	if err := w.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}
