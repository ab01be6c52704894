package rerun

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/warehousetest"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

func TestMain(m *testing.M) { os.Exit(warehousetest.Main(m)) }

var testKey = []byte("the key of the tests of reruns")

// stages are the real language stages, made once.
var stages = sync.OnceValues(func() (*nlp.Analyser, error) { return nlp.New(nlp.Options{}) })

func compile(sources ...rules.Source) (*rules.Set, error) {
	return rules.LoadWith(rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }}, sources...)
}

// analyserOf gives the real analyser with built-in packs.
func analyserOf(t testing.TB, packs ...string) *analyse.Analyser {
	t.Helper()
	n, err := stages()
	if err != nil {
		t.Fatal(err)
	}
	var sources []rules.Source
	for _, p := range packs {
		sources = append(sources, rules.Embedded(p))
	}
	set, err := compile(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return analyse.New(n, set, nil)
}

func packsOf(t testing.TB, names ...string) []warehouse.RunPack {
	t.Helper()
	var out []warehouse.RunPack
	for _, n := range names {
		yaml, err := rules.Embedded(n).YAML()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, warehouse.RunPack{Name: n, YAML: string(yaml)})
	}
	return out
}

// The period of the rerun in the worlds: its ends lie among the turns of sessions.
var (
	periodFrom = time.Date(2026, 10, 2, 9, 0, 0, 0, time.UTC)
	periodTo   = time.Date(2026, 10, 3, 9, 0, 0, 0, time.UTC).Add(-time.Millisecond)
)

var customerSays = []string{"在吗", "这款面膜多少钱", "敏感肌能用吗", "能便宜点吗", "太贵了，别家才卖99", "怎么还不发货，都三天了", "收到的破了，我要退货", "太差了，我要投诉你们", "那我再想想", "谢谢，很满意",
	"加我微信聊吧", "什么时候到货", "帮我推荐一款", "退款还没到账", "孕妇可以用吗"}

var agentSays = []string{"您好，很高兴为您服务", "亲，这款现在活动价128元", "请问您是什么肤质呢", "建议您选温和的那款", "非常抱歉给您带来不便", "这边帮您查一下物流", "加我微信给你优惠", "不知道，你自己看", "还有什么可以帮您",
	"亲，价格高一点是因为含有玻尿酸", "祝您生活愉快"}

// world are live messages of sessions around the ends of the period: meta data, turns and ends, each its own message. In
// half of the sessions the meta data name no start, so that it is the time of the first turn that has come so far.
func world(rng *rand.Rand, n int) (messages []*schemas.Message) {
	for i := range n {
		id := fmt.Sprintf("s%03d", i)
		at := periodFrom.Add(time.Duration(rng.IntN(40*3600)-8*3600) * time.Second)
		if i%4 == 0 { // at an end of the period
			at = []time.Time{periodFrom, periodTo}[rng.IntN(2)].Add(time.Duration(rng.IntN(600)-500) * time.Second)
		}
		meta := schemas.Meta{SessionID: id, Channel: []string{"chat", "call"}[rng.IntN(2)], Shop: fmt.Sprintf("店铺%d", rng.IntN(3)), CustomerID: fmt.Sprintf("c%d", rng.IntN(n)), AgentID: fmt.Sprintf("a%d", rng.IntN(4))}
		if i%2 == 0 {
			meta.StartedAt = at
		}
		messages = append(messages, &schemas.Message{Type: schemas.TypeSession, Session: &schemas.Session{Meta: meta}})
		turns := 2 + rng.IntN(8)
		for k := range turns {
			turn := schemas.Turn{Seq: schemas.Some(int64(k + 1)), Role: schemas.Customer, Text: customerSays[rng.IntN(len(customerSays))], At: at}
			if k%2 == 1 {
				turn.Role, turn.Text, turn.AgentID = schemas.Agent, agentSays[rng.IntN(len(agentSays))], meta.AgentID
			}
			at = at.Add(time.Duration(5+rng.IntN(120)) * time.Second)
			messages = append(messages, &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: id, Turn: turn}})
		}
		messages = append(messages, &schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: id, At: at}})
	}
	rng.Shuffle(len(messages), func(a, b int) { messages[a], messages[b] = messages[b], messages[a] })
	return messages
}

// deliver brings messages to the store as the worker does: it reads what is stored, joins, analyses, writes.
func deliver(ctx context.Context, w *warehouse.Warehouse, l *Live, messages []*schemas.Message) error {
	masker := mask.New(testKey, mask.Options{})
	var b warehouse.Batch
	var of []*schemas.Message
	for _, m := range messages {
		switch {
		case m.Order != nil:
			o := *m.Order
			masker.Message(&schemas.Message{Type: m.Type, Order: &o})
			b.Orders = append(b.Orders, o)
		case m.Rating != nil:
			r := *m.Rating
			masker.Message(&schemas.Message{Type: m.Type, Rating: &r})
			b.Ratings = append(b.Ratings, r)
		default:
			of = append(of, m)
		}
	}
	states := fold(of...)
	stored, err := w.LoadStates(ctx, sortedKeys(states))
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(states) {
		s := states[id]
		if known := stored[id]; known != nil {
			if assemble.Covers(known.Revision, known.Seen, s) {
				continue
			}
			known.Add(s)
			s = known
		}
		b.States = append(b.States, s)
		b.Analyses = append(b.Analyses, l.Analyse(s.Transcript()))
	}
	return l.Write(ctx, b)
}

// place is a warehouse with what works on it.
type place struct {
	w    *warehouse.Warehouse
	base *analyse.Analyser
}

func newPlace(t *testing.T, packs ...string) *place {
	t.Helper()
	return &place{warehousetest.Open(t), analyserOf(t, packs...)}
}

func (p *place) live() *Live {
	return NewLive(p.w, func() *analyse.Analyser { return p.base }, compile, testKey, nil)
}

func (p *place) runner(progress func(Progress)) *Runner {
	return New(Options{Live: p.live(), Chunk: 4, Progress: progress, Epoch: func(context.Context, uint32) (*analyse.Analyser, error) { return p.base, nil }})
}

// views gives the public views but for the list of runs, and the figures of agents beside them.
func (p *place) views(t *testing.T) warehouse.Tables {
	t.Helper()
	ctx := context.Background()
	tables, err := p.w.Snapshot(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	delete(tables, "runs")
	var kpi []string
	rows, err := p.w.Conn().Query(ctx, "SELECT formatRowNoNewline('JSONEachRow', *) FROM agent_kpi(profile = 'generic', from = '2026-09-30', to = '2026-10-06', as_of = '2026-10-20') ORDER BY ALL")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		kpi = append(kpi, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	tables["agent_kpi"] = kpi
	return tables
}

// control is what a store shows into which the messages came at once, each session judged by chosen rules.
func control(t *testing.T, messages []*schemas.Message, choose func(*schemas.Transcript) *analyse.Analyser) warehouse.Tables {
	t.Helper()
	p := &place{w: warehousetest.Open(t)}
	ctx := context.Background()
	states := fold(messages...)
	var b warehouse.Batch
	for _, id := range sortedKeys(states) {
		tr := states[id].Transcript()
		b.States = append(b.States, states[id])
		b.Analyses = append(b.Analyses, choose(tr).Analyse(tr))
	}
	if err := p.w.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	return p.views(t)
}

// fold joins messages of sessions to their states.
func fold(messages ...*schemas.Message) map[string]*assemble.State {
	hasher, masker := assemble.NewHasher(testKey), mask.New(testKey, mask.Options{})
	states := map[string]*assemble.State{}
	for _, m := range messages {
		c := *m
		if m.Session != nil {
			s := *m.Session
			c.Session = &s
		}
		if m.Turn != nil {
			x := *m.Turn
			c.Turn = &x
		}
		s := assemble.FromMessage(hasher, masker.Message, &c)
		if known := states[s.SessionID]; known != nil {
			known.Add(s)
		} else {
			states[s.SessionID] = s
		}
	}
	return states
}

func values(m map[string]*assemble.State) (out []*assemble.State) {
	for _, id := range sortedKeys(m) {
		out = append(out, m[id])
	}
	return out
}
