package api

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine/enginetest"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// told is one session of the world in short.
type told struct {
	id, team, agent, shop string
	at                    time.Time
	lines                 []string // customer and agent in turn
	emotion               schemas.Emotion
	kind, aspect          string // of a mention: the whole first line; empty for none
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
	{id: "one-2", team: "一组", agent: "a1", shop: "花漾", at: dayOne.Add(time.Hour), lines: []string{"快递怎么还没到", "不关我的事", "你们太过分了"}, emotion: schemas.Angry, kind: "complaint", aspect: "logistics"},
	{id: "one-3", team: "一组", agent: "a2", shop: "花漾", at: dayTwo, lines: []string{"面膜B多少钱", "亲，加V信详聊", "好的"}, emotion: schemas.Neutral, kind: "question", aspect: "price"},
	{id: "one-4", team: "一组", agent: "a2", shop: "森野", at: dayTwo.Add(time.Minute), lines: []string{"在吗", "在的亲", "谢谢ABC"}, emotion: schemas.Grateful},
	{id: "one-5", team: "一组", agent: "a1", shop: "花漾", at: dayTwo.Add(2 * time.Hour), lines: []string{"人呢"}, emotion: schemas.Urgent, open: true},
	{id: "two-1", team: "二组", agent: "b1", shop: "森野", at: dayOne.Add(time.Minute), lines: []string{"帐篷漏水怎么办", "你自己看说明书", "什么态度"}, emotion: schemas.Angry, kind: "complaint", aspect: "quality"},
	{id: "two-2", team: "二组", agent: "b1", shop: "森野", at: dayTwo, lines: []string{"帐篷多少钱", "399元", "好的，谢谢"}, emotion: schemas.Grateful},
	{id: "two-3", team: "二组", agent: "b1", shop: "花漾", at: dayTwo.Add(time.Hour), lines: []string{"面膜B多少钱", "加V信哦", "嗯"}, emotion: schemas.Neutral, kind: "question", aspect: "price"},
}

// testPack is the pack in use.
const testPack = `id: test
name: 测试
version: "1"
scorecards:
  - id: service
    name: 服务
    items:
      - {id: words, name: 用语, max: 60}
      - {id: manner, name: 语气, max: 40, human: true}
rules:
  - id: ban # 最严重
    name: 推诿
    severity: critical
    points: -60
    reason: "客服推诿（{text}）"
    forbid: {in: {role: agent}, keyword: [不关我的事, 你自己看]}
    tests:
      - {want: present, turns: [{客服: 不关我的事}]}
      - {want: absent, turns: [{客服: 您好}]}
  - id: private
    name: 私下联系
    severity: major
    points: -30
    reason: "客服引导私下联系（{text}）"
    forbid: {in: {role: agent}, keyword: [加v信]}
    tests:
      - {want: present, turns: [{客服: 加V信}]}
  - id: price
    name: 报价
    severity: info
    item: service.words
    reason: "没有报价"
    trigger: {in: {role: customer}, keyword: [多少钱]}
    expect: {in: {role: agent, after: 1}, regex: '[0-9]+元'}
    tests:
      - {want: pass, turns: [{客户: 多少钱}, {客服: 9元}]}
`

// stage makes the features of told sessions: the mention and the emotion that the story says, nothing of a model.
type stage struct{}

func (stage) ModelVersion() string { return "m" }

func (stage) Features(t *schemas.Transcript) *schemas.Features {
	f := rules.Literal{}.Features(t)
	for _, x := range world {
		if x.id != t.Meta.SessionID || len(t.Turns) == 0 {
			continue
		}
		f.Turns[len(t.Turns)-1].Emotion = x.emotion
		if x.kind != "" {
			text := t.Turns[0].Text
			f.Turns[0].Mentions = []schemas.TurnMention{{Text: text, End: len(text), Kind: x.kind, Aspect: x.aspect, Valuable: true, Polarity: "negative"}}
		}
	}
	return f
}

// characters cuts a text into its characters, which is enough for titles of tests.
type characters struct{}

func (characters) Cut(text string) []schemas.Span {
	var out []schemas.Span
	for i, r := range text {
		out = append(out, schemas.Span{Start: i, End: i + utf8.RuneLen(r)})
	}
	return out
}

// engines are what the process behind an API has.
type engines struct {
	ruleOptions rules.Options
	store       *rulestore.Store
	analyser    *analyse.Analyser
	model       *opinion.Model
	keeper      *opinions.Keeper
}

func newEngines(t testing.TB, w *warehouse.Warehouse) *engines {
	t.Helper()
	enc, err := encoder.Default()
	if err != nil {
		t.Fatal(err)
	}
	e := &engines{ruleOptions: rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }}}
	compile := func(s ...rules.Source) (*rules.Set, error) { return rules.LoadWith(e.ruleOptions, s...) }
	dir := enginetest.Folder(t) // a fixture may live longer than the test that made it
	path := dir + "/test.yaml"
	if err := os.WriteFile(path, []byte(testPack), 0o600); err != nil {
		t.Fatal(err)
	}
	if e.store, err = rulestore.New(w, []string{path}, compile); err != nil {
		t.Fatal(err)
	}
	use, err := e.store.InUse(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	e.analyser = analyse.New(stage{}, use.Set, nil)
	e.model = opinion.NewModel(enc, characters{})
	e.keeper = opinions.NewKeeper(w, opinions.Options{Model: e.model, Analyser: func() *analyse.Analyser { return e.analyser }, Workers: 1, Log: slog.New(slog.DiscardHandler)})
	return e
}

// testOptions are those of the API of tests. A file of routes that needs more adds its field here.
func testOptions(t testing.TB, w *warehouse.Warehouse, log *slog.Logger) Options {
	t.Helper()
	e := newEngines(t, w)
	return Options{Warehouse: w, Reviews: newReviews(t, w), Alerts: newHub(w), Timezone: shanghai, Now: func() time.Time { return now }, Log: log,
		Rules: e.store, RuleOptions: e.ruleOptions, Analyser: func() *analyse.Analyser { return e.analyser }, OpinionModel: e.model, Opinions: e.keeper, Uploads: newUploads(t, w, e)}
}

// message is a told session as it comes in.
func (x told) message(t testing.TB) *schemas.Message {
	t.Helper()
	s := &schemas.Session{}
	s.SessionID, s.Channel, s.Source, s.Shop, s.Business, s.CustomerID, s.AgentID, s.AgentName, s.Team = x.id, "chat", "t", x.shop, "presales", "c-"+x.id, x.agent, "名"+x.agent, x.team
	s.StartedAt, s.MediaURL = x.at, "https://media.example/"+x.id
	for i, text := range x.lines {
		turn := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Customer, Text: text, At: x.at.Add(time.Duration(i) * 20 * time.Second)}
		if i%2 == 1 {
			turn.Role, turn.AgentID = schemas.Agent, x.agent
		}
		s.Turns = append(s.Turns, turn)
	}
	return &schemas.Message{Type: "session", Session: s}
}

// fill writes the world and groups what was said into opinions.
func fill(t testing.TB, w *warehouse.Warehouse) {
	t.Helper()
	ctx := context.Background()
	e := newEngines(t, w)
	hasher := assemble.NewHasher([]byte("key of the test, long enough for it"))
	var b warehouse.Batch
	for i, x := range world {
		state := assemble.FromMessage(hasher, func(*schemas.Message) {}, x.message(t))
		if x.open {
			state = openState(t, hasher, x)
		}
		b.States = append(b.States, state)
		b.Analyses = append(b.Analyses, e.analyser.Analyse(state.Transcript()))
		b.Orders = append(b.Orders, schemas.Order{OrderID: fmt.Sprintf("o-%s", x.id), CustomerID: "c-" + x.id, Shop: x.shop, AgentID: x.agent, Status: "paid", Amount: "249.00",
			CreatedAt: x.at.Add(time.Hour), PaidAt: x.at.Add(2 * time.Hour), UpdatedAt: x.at.Add(2 * time.Hour), Items: []schemas.OrderItem{{SKU: "1", Name: "面膜B", Qty: 1, Price: "249.00"}}})
		if i%2 == 0 {
			b.Ratings = append(b.Ratings, schemas.Rating{SessionID: x.id, Score: 4, Max: 5, Comment: "还行", At: x.at.Add(time.Hour)})
		}
	}
	storeAlerts(t, w)
	if err := w.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	r, err := e.keeper.Rebuild(ctx, false, false, "test")
	if err != nil {
		t.Fatal(err)
	}
	if r.Founded == 0 {
		t.Fatalf("no opinions were founded: %+v", r)
	}
}

// openState is a session that has not ended: its turns came one by one.
func openState(t testing.TB, h *assemble.Hasher, x told) *assemble.State {
	t.Helper()
	whole := x.message(t)
	meta := *whole.Session
	turns := meta.Turns
	meta.Turns = []schemas.Turn{}
	state := assemble.FromMessage(h, func(*schemas.Message) {}, &schemas.Message{Type: "session", Session: &meta})
	for i := range turns {
		state = assemble.Union(state, assemble.FromMessage(h, func(*schemas.Message) {}, &schemas.Message{Type: "turn", Turn: &schemas.LiveTurn{SessionID: x.id, Turn: turns[i]}}))
	}
	return state
}
