package export

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/schemas"
)

var shanghai = time.FixedZone("CST", 8*3600)

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

// hostile are texts that must neither become formulas nor break a file.
var hostile = []string{"=1+1", "=cmd|' /C calc'!A0", "+86 138", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1＋1", `"quoted", with comma`, "line\nbreak", "'=1",
	"_x0041_", "控制\x01字符", "表情😀", "a\x00b", "-5", " =1+1", "=HYPERLINK(\"http://evil\")", "<b>&amp;</b>"}

// session is a closed session of four turns with a hit and two mentions.
func session(i int, at time.Time) *schemas.Analysis {
	id := fmt.Sprintf("s-%03d", i)
	bad := hostile[i%len(hostile)]
	a := &schemas.Analysis{SessionID: id, Version: 1 << 28, Closed: true, StartedAt: at, EndedAt: at.Add(75 * time.Second), AgentIDs: []string{fmt.Sprintf("a%d", i%7)},
		Experience: -0.25, EmotionStart: "neutral", EmotionEnd: "angry", RulesVersion: "standard@1", ModelVersion: "test", Epoch: 1}
	a.Meta = schemas.Meta{SessionID: id, Channel: "chat", Shop: []string{"花漾", "安居"}[i%2], CustomerID: fmt.Sprintf("c%d", i%5), AgentID: a.AgentIDs[0], AgentName: "客服" + a.AgentIDs[0], Team: "一组"}
	for k, text := range []string{bad, "您好", "面膜B多少钱", "249元"} {
		x := schemas.AnalysedTurn{Emotion: schemas.Neutral}
		x.Seq, x.Role, x.Text, x.At = schemas.Some(int64(k+1)), schemas.Customer, text, at.Add(time.Duration(k)*25*time.Second)
		if k%2 == 1 {
			x.Role, x.AgentID = schemas.Agent, a.AgentIDs[0]
		}
		a.Turns = append(a.Turns, x)
	}
	a.Mentions = []schemas.Mention{
		{MentionID: "m" + id, Turn: 1, Text: bad, End: len(bad), Kind: "complaint", Aspect: "service", Valuable: true, Polarity: "negative", OpinionID: "00000000000000aa", Department: "客服部"},
		{MentionID: "n" + id, Turn: 3, Text: "面膜B多少钱", End: len("面膜B多少钱"), Kind: "question", Aspect: "price", Valuable: i%2 == 0, Product: "面膜B", Polarity: "neutral", OpinionID: "00000000000000bb", Department: "产品部"},
	}
	a.Rounds = []schemas.Round{
		{AgentID: a.AgentIDs[0], Turn: 1, Reply: schemas.Some(int64(2)), AskedAt: at, RepliedAt: at.Add(25 * time.Second), ReplyMS: schemas.Some(int64(25_000)), Customers: 1, Replies: 1, First: true},
		{AgentID: a.AgentIDs[0], Turn: 3, Reply: schemas.Some(int64(4)), AskedAt: at.Add(50 * time.Second), RepliedAt: at.Add(75 * time.Second), ReplyMS: schemas.Some(int64(25_000)), Customers: 1, Replies: 1},
	}
	a.Findings = schemas.Findings{Score: schemas.Some(70.0), Flagged: true, Outcomes: map[string]string{"forbidden": "present"}, Hits: []schemas.Hit{
		{HitID: "h" + id, RuleID: "forbidden", RuleVersion: "1", AgentID: a.AgentIDs[0], Outcome: "present", Severity: "critical", Points: -30, Reason: "用了" + bad,
			Evidence: []schemas.Evidence{{Turn: 3, Start: 0, End: len("面膜B")}, {Turn: 2, Start: 0, End: len("您好")}}}}}
	a.Facts = schemas.Facts{Turns: 4, CustomerTurns: 2, AgentTurns: 2, DurationMS: schemas.Some(int64(75_000)), FirstReplyMS: schemas.Some(int64(25_000)), Rounds: 2}
	return a
}

// sessions in the test warehouse, two a day from 2026-11-01 on.
const sessions = 40

// shared is the warehouse that most tests read.
var shared struct {
	sync.Once
	w *warehouse.Warehouse
}

func world(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	shared.Do(func() {
		w := warehousetest.Shared(t)
		if err := fill(context.Background(), w); err != nil {
			t.Fatal(err)
		}
		shared.w = w
	})
	if shared.w == nil {
		t.Skip("SKIPPED: there is no world to export")
	}
	return shared.w
}

func fill(ctx context.Context, w *warehouse.Warehouse) error {
	var b warehouse.Batch
	for i := range sessions {
		b.Analyses = append(b.Analyses, session(i, time.Date(2026, 11, 1+i/2, 9+i%2, 0, 0, 0, shanghai)))
	}
	paid := time.Date(2026, 11, 3, 12, 0, 0, 0, shanghai)
	amount, refund := "1249.5", "49.25"
	b.Orders = []schemas.Order{{OrderID: "o1", Shop: "花漾", Status: "paid", UpdatedAt: paid, CustomerID: "c0", AgentID: "a0", CreatedAt: paid, PaidAt: paid, Amount: amount, RefundAmount: refund}}
	if err := w.Write(ctx, b); err != nil {
		return err
	}
	events := []warehouse.OpinionEvent{
		{Action: "found", Epoch: 1, OpinionID: "00000000000000aa", Title: "=为什么态度差", Aspect: "service", Kind: "complaint", Polarity: "negative", Department: "客服部", Members: []string{"态度差"}},
		{Action: "found", Epoch: 1, OpinionID: "00000000000000bb", Title: "面膜B多少钱", Aspect: "price", Kind: "question", Product: "面膜B", Polarity: "negative", Department: "产品部", Members: []string{"多少钱"}},
	}
	fixed := time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	events = append(events, warehouse.OpinionEvent{Action: "status", Epoch: 1, OpinionID: "00000000000000bb", Status: "fixed", FixedOn: &fixed, Owner: "小李"})
	return w.AppendOpinionEvents(ctx, events)
}

func exporter(t testing.TB) *Exporter {
	t.Helper()
	return New(Options{DB: world(t).Conn(), Timezone: shanghai, Web: "http://127.0.0.1:8080", Now: func() time.Time { return time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC) }})
}
