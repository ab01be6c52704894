package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// Sizes of the world of `bench dashboards` that do not grow with it.
const (
	worldAgents    = 200
	worldTeams     = 12
	worldShops     = 20
	worldDays      = 90
	worldOpinions  = 3000
	worldTemplates = 16_000 // conversations that are analysed; about 240,000 texts
)

// worldEnd is the last day: fixed, so that the same seed is the same store whenever it is made.
var worldEnd = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

// world makes the sessions of a store. A few thousand generated conversations are analysed by the real pipeline; each
// session of the world is one of them with its own identity, time, agent, shop and customer, so that what was found is as
// often and as unevenly spread as the analysis finds it. Session i depends on the seed and i alone. A world is safe for
// concurrent use.
type world struct {
	seed      uint64
	sessions  int
	customers int
	templates []*schemas.Analysis
	opinions  []warehouse.OpinionEvent // found events, in the order of their numbers
	young     map[string]bool          // opinions first heard of in the last week
	hours     []float64                // cumulated share of the sessions by hour
}

// newWorld analyses the templates. turns is how many turns the store is to have, about.
func newWorld(turns int, seed uint64, analyse func(*schemas.Transcript) *schemas.Analysis, hasher *assemble.Hasher, mask assemble.Masker) *world {
	w := &world{seed: seed, young: map[string]bool{}}
	n := max(20, min(worldTemplates, turns/15/4))
	c := newCorpus(seed)
	messages := make([]*schemas.Message, n)
	for i := range messages {
		messages[i] = worldConversation(c, i)
	}
	w.templates = make([]*schemas.Analysis, n)
	parallel(n, func(i int) {
		s := assemble.FromMessage(hasher, mask, messages[i])
		s.Add(assemble.SyntheticEnd(s.SessionID, s.Revision))
		w.templates[i] = analyse(s.Transcript())
	})
	total := 0
	for _, t := range w.templates {
		total += len(t.Turns)
	}
	w.sessions = max(1, turns*n/total)
	w.customers = max(1, w.sessions*5/11)
	w.found()
	w.calendar()
	return w
}

// Short things that customers say between what they want: most turns of real chats.
var worldFillers = []string{
	"好的", "嗯", "嗯嗯", "好", "哦", "这样啊", "行", "知道了", "可以", "稍等", "我看看", "在的", "对", "是的", "好的我等等", "那我先看看{p}", "{n}号那个", "我拍的是{p}", "订单尾号{n}", "{m}件",
	"我在{c}", "给{w}用的", "嗯 {p}", "我的是{n}那款", "昨天{n}分左右下的单", "好的 我{d}天后再来看",
}

// Indexes into corpusCustomer of what is a question rather than a complaint.
var worldQuestions = []int{0, 1, 2, 3, 9, 10, 13, 15, 16, 17, 18, 23, 25, 26, 30, 32}

// worldConversation is a chat as they go: a greeting, a few wishes among short answers, an apology where one is due, a
// closing. It uses the slots of the corpus.
func worldConversation(c *corpus, i int) *schemas.Message {
	m := c.session(i)
	s := m.Session
	s.Business = []string{"presales", "aftersales", "insales", ""}[i%4]
	angry := c.rng.IntN(5) == 0
	sorry := false
	for k := range s.Turns {
		t := &s.Turns[k]
		switch {
		case t.Role == schemas.Agent && k == len(s.Turns)-1 && c.rng.IntN(10) < 8:
			t.Text = "感谢您的支持，请问还有其他可以帮到您的吗，祝您生活愉快，再见"
		case t.Role == schemas.Agent:
			if t.Text = c.fill(c.pick(corpusAgent)); k < 2 && c.rng.IntN(10) < 9 {
				t.Text = "您好，很高兴为您服务，请问有什么可以帮您"
			} else if sorry && c.rng.IntN(4) > 0 {
				t.Text = "非常抱歉给您带来不便，" + t.Text
			}
			sorry = false
		case c.rng.IntN(100) < 48:
			t.Text = c.fill(c.pick(worldFillers))
		case angry && c.rng.IntN(2) == 0:
			t.Text, sorry = c.fill(c.pick(corpusCustomer)), true
		case c.rng.IntN(12) == 0:
			t.Text = c.fill("谢谢你啊 {p}{g}")
		default:
			t.Text = c.fill(corpusCustomer[worldQuestions[c.rng.IntN(len(worldQuestions))]])
		}
	}
	return m
}

// found gives most mentions worth acting on an opinion: a few large ones and many small ones for each aspect and side.
func (w *world) found() {
	groups := map[string][]*schemas.Mention{}
	for _, t := range w.templates {
		for k := range t.Mentions {
			if m := &t.Mentions[k]; m.Valuable {
				groups[m.Aspect+"/"+m.Polarity] = append(groups[m.Aspect+"/"+m.Polarity], m)
			}
		}
	}
	var names []string
	all := 0
	for name, list := range groups {
		names = append(names, name)
		all += len(list)
	}
	slices.Sort(names)
	for _, name := range names {
		list := groups[name]
		r := rand.New(rand.NewPCG(w.seed, hash64(name)))
		here := max(1, worldOpinions*len(list)/max(1, all))
		first := len(w.opinions)
		zipf := rand.NewZipf(r, 1.15, 4, uint64(here-1))
		for k := range here {
			m := list[r.IntN(len(list))]
			w.opinions = append(w.opinions, warehouse.OpinionEvent{
				Action: "found", Epoch: 1, OpinionID: fmt.Sprintf("%016x", hash64(fmt.Sprintf("%d %s %d", w.seed, name, k))), Title: m.Text, Aspect: m.Aspect,
				Product: m.Product, Kind: m.Kind, Polarity: m.Polarity, Department: m.Department, Actor: "bench",
			})
			w.young[w.opinions[len(w.opinions)-1].OpinionID] = r.IntN(25) == 0
		}
		for _, m := range list {
			if m.OpinionID = ""; r.IntN(20) < 17 {
				m.OpinionID = w.opinions[first+int(zipf.Uint64())].OpinionID
			}
		}
	}
}

// calendar spreads sessions over days and hours: fewer at night, more on some days.
func (w *world) calendar() {
	r := rand.New(rand.NewPCG(w.seed, 11))
	sum := 0.0
	for range worldDays {
		day := 0.7 + 0.6*r.Float64()
		if r.IntN(30) == 0 {
			day *= 2.5
		}
		for hour := range 24 {
			local := (hour + 8 + 16) % 24 // the first hour of a day is midnight in Shanghai
			sum += day * (0.05 + math.Exp(-math.Pow(float64(local-15)/5.5, 2)))
			w.hours = append(w.hours, sum)
		}
	}
	for i := range w.hours {
		w.hours[i] /= sum
	}
}

// at is the start of session i: sessions are numbered in the order of their starts, nearly.
func (w *world) at(i int, r *rand.Rand) time.Time {
	share := (float64(i) + 0.5) / float64(w.sessions)
	hour, _ := slices.BinarySearch(w.hours, share)
	hour = min(hour, len(w.hours)-1)
	before := 0.0
	if hour > 0 {
		before = w.hours[hour-1]
	}
	within := (share - before) / (w.hours[hour] - before)
	start := worldEnd.AddDate(0, 0, -worldDays)
	return start.Add(time.Duration((float64(hour)+within)*float64(time.Hour)) + time.Duration(r.IntN(60_000))*time.Millisecond).Truncate(time.Millisecond)
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func (w *world) id(kind, i uint64) string {
	r := rand.New(rand.NewPCG(w.seed^kind, i))
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], r.Uint64())
	binary.LittleEndian.PutUint32(b[8:], r.Uint32())
	return hex.EncodeToString(b[:])
}

func agentName(k int) string { return fmt.Sprintf("agent-%03d", k) }
func teamName(k int) string  { return fmt.Sprintf("团队%02d", k%worldTeams) }
func shopName(k int) string  { return fmt.Sprintf("店铺%02d旗舰店", k%worldShops) }

// agents are the imported agents: team and name, some moved once.
func (w *world) agents() []warehouse.Agent {
	var out []warehouse.Agent
	for k := range worldAgents {
		out = append(out, warehouse.Agent{AgentID: agentName(k), Name: fmt.Sprintf("客服%03d", k), Team: teamName(k)})
		if k%15 == 0 {
			out = append(out, warehouse.Agent{AgentID: agentName(k), Name: fmt.Sprintf("客服%03d", k), Team: teamName(k + 1), ValidFrom: worldEnd.AddDate(0, 0, -30)})
		}
	}
	return out
}

// facts are what belongs to a session beside its analysis.
type facts struct {
	orders  []schemas.Order
	ratings []schemas.Rating
	reviews []warehouse.ReviewEvent
	alerts  []warehouse.Alert
}

func (f *facts) add(o facts) {
	f.orders = append(f.orders, o.orders...)
	f.ratings = append(f.ratings, o.ratings...)
	f.reviews = append(f.reviews, o.reviews...)
	f.alerts = append(f.alerts, o.alerts...)
}

// session makes session i. later is a version of it that replaces the first: one message more.
func (w *world) session(i int, later bool) (*schemas.Analysis, facts) {
	r := rand.New(rand.NewPCG(w.seed, uint64(i)<<8|3))
	t := w.templates[r.IntN(len(w.templates))]
	a := *t
	a.SessionID = w.id(1, uint64(i))
	if later {
		a.Version += 1 << 28
	}
	agent := int(float64(worldAgents) * math.Pow(r.Float64(), 1.3)) // some have more to do than others
	agents := []string{agentName(agent)}
	if r.IntN(12) == 0 {
		agents = append(agents, agentName((agent+7)%worldAgents))
	}
	customer := r.IntN(w.customers)
	shop := shopName(agent)
	if r.IntN(5) == 0 {
		shop = shopName(r.IntN(worldShops))
	}
	at := w.at(i, r)
	shift := at.Sub(t.StartedAt)
	a.Meta.SessionID, a.Meta.Shop, a.Meta.AgentID = a.SessionID, shop, agents[0]
	a.Meta.CustomerID = "cu_" + w.id(2, uint64(customer)) + fmt.Sprintf("%08x", customer)
	a.Meta.Channel = []string{"chat", "chat", "chat", "chat", "chat", "chat", "app", "app", "call", "email"}[r.IntN(10)]
	a.Meta.Source = []string{"qianniu", "web", "app"}[r.IntN(3)]
	if i%2 == 0 {
		a.Meta.Team = teamName(agent)
	}
	a.Meta.StartedAt, a.StartedAt, a.EndedAt = at, at, t.EndedAt.Add(shift)
	a.Meta.EndedAt = a.EndedAt
	a.Origin = schemas.Origin{Topic: "tingke.transcripts", Partition: int32(i % 8), OffsetMin: int64(i) * 16, OffsetMax: int64(i)*16 + 15}
	a.Closed = i < w.sessions-w.sessions/300
	if r.IntN(20) == 0 {
		a.Meta.Attributes = map[string]string{"invited": "true"}
	}
	half := len(t.Turns) / 2
	speaker := func(k int) string { return agents[min(len(agents)-1, k/max(1, half))] }
	a.Turns = slices.Clone(t.Turns)
	bySeq := make(map[int64]int, len(a.Turns))
	a.AgentIDs = nil
	for k := range a.Turns {
		x := &a.Turns[k]
		bySeq[x.Seq.V] = k
		x.At = x.At.Add(shift)
		if x.Role == schemas.Agent {
			if x.AgentID = speaker(k); !slices.Contains(a.AgentIDs, x.AgentID) {
				a.AgentIDs = append(a.AgentIDs, x.AgentID)
			}
		}
	}
	a.Rounds = slices.Clone(t.Rounds)
	for k := range a.Rounds {
		x := &a.Rounds[k]
		x.AskedAt = x.AskedAt.Add(shift)
		place := bySeq[x.Turn]
		if x.Reply.OK {
			x.RepliedAt, place = x.RepliedAt.Add(shift), bySeq[x.Reply.V]
		}
		if x.AgentID != "" {
			x.AgentID = speaker(place)
		}
	}
	a.Mentions = slices.Clone(t.Mentions)
	for k := range a.Mentions {
		x := &a.Mentions[k]
		x.MentionID = fmt.Sprintf("%016x", hash64(a.SessionID)+uint64(k))
		if x.OpinionID != "" && at.Before(worldEnd.AddDate(0, 0, -7)) && w.young[x.OpinionID] {
			x.OpinionID = ""
		}
	}
	a.Findings.Hits = slices.Clone(t.Findings.Hits)
	for k := range a.Findings.Hits {
		x := &a.Findings.Hits[k]
		x.HitID = fmt.Sprintf("%016x", hash64(a.SessionID)-uint64(k)-1)
		x.AgentID = agents[0]
		if len(x.Evidence) > 0 {
			x.AgentID = speaker(bySeq[x.Evidence[0].Turn])
		}
	}
	return &a, w.facts(&a, r)
}

// facts makes what follows a session: an order, a rating, decisions of reviewers, an alert.
func (w *world) facts(a *schemas.Analysis, r *rand.Rand) facts {
	var f facts
	if r.IntN(100) < 18 {
		created := a.StartedAt.Add(time.Duration(r.IntN(20*3600)) * time.Second)
		price := 20 + r.IntN(480)
		qty := 1 + r.IntN(3)
		o := schemas.Order{
			OrderID: "o" + a.SessionID, Shop: a.Meta.Shop, Status: "created", CustomerID: a.Meta.CustomerID, CreatedAt: created, UpdatedAt: created,
			Amount: fmt.Sprintf("%d.00", price*qty), Items: []schemas.OrderItem{{SKU: fmt.Sprintf("sku-%d", price), Name: "商品", Qty: int64(qty), Price: fmt.Sprintf("%d.00", price)}},
		}
		if r.IntN(10) < 3 {
			o.AgentID = a.Meta.AgentID
		}
		if r.IntN(100) < 85 {
			o.Status, o.PaidAt = "paid", created.Add(time.Duration(r.IntN(3600))*time.Second)
			if o.UpdatedAt = o.PaidAt; r.IntN(15) == 0 {
				o.Status, o.RefundAmount = "refunded", o.Amount
			}
		}
		f.orders = append(f.orders, o)
	}
	if a.Closed && r.IntN(4) == 0 {
		f.ratings = append(f.ratings, schemas.Rating{SessionID: a.SessionID, Score: float64(1 + int(5*math.Sqrt(r.Float64()))), Max: 5, At: a.EndedAt})
	}
	event := func(action, hit, actor string, after time.Duration) string {
		at := a.EndedAt.Add(after)
		id := fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", at.UnixMilli()>>16, at.UnixMilli()&0xffff, r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
		f.reviews = append(f.reviews, warehouse.ReviewEvent{SessionID: a.SessionID, EventID: id, HitID: hit, Actor: actor, Action: action, At: at})
		return id
	}
	reviewer := fmt.Sprintf("supervisor%d", r.IntN(6))
	for _, h := range a.Findings.Hits {
		if h.Severity != schemas.Major && h.Severity != schemas.Critical || !a.Closed {
			continue
		}
		if r.IntN(200) == 0 && len(h.Evidence) > 0 {
			f.alerts = append(f.alerts, warehouse.Alert{
				AlertID: "a" + h.HitID, Kind: warehouse.AlertHit, SessionID: a.SessionID, RuleID: h.RuleID, RuleVersion: h.RuleVersion, Severity: h.Severity, Title: h.RuleID,
				Reason: h.Reason, HitID: h.HitID, Channel: a.Meta.Channel, Shop: a.Meta.Shop, Team: a.Meta.Team, AgentID: h.AgentID, SessionAgent: a.Meta.AgentID,
				CustomerID: a.Meta.CustomerID, At: a.StartedAt, StoredAt: a.StartedAt.Add(time.Second), EvidenceSeqs: []int64{h.Evidence[0].Turn},
			})
		}
		if r.IntN(100) >= 8 {
			continue
		}
		decision := "confirm"
		if r.IntN(10) < 3 {
			decision = "dismiss"
		}
		event(decision, h.HitID, reviewer, time.Hour)
		if decision == "confirm" && r.IntN(10) == 0 {
			event("appeal", h.HitID, h.AgentID, 5*time.Hour)
			if r.IntN(3) > 0 {
				event([]string{"uphold", "overturn"}[r.IntN(2)], h.HitID, "supervisor9", 9*time.Hour)
			}
		}
	}
	if a.Findings.Flagged && a.Closed && r.IntN(30) == 0 {
		event("assign", "", reviewer, 30*time.Minute)
		f.reviews[len(f.reviews)-1].Assignee = fmt.Sprintf("supervisor%d", r.IntN(6))
		f.reviews[len(f.reviews)-1].Method = "ratio"
	}
	return f
}

// superseded says whether session i was written once more: one in twenty.
func (w *world) superseded(i int) bool {
	return rand.New(rand.NewPCG(w.seed, uint64(i)<<8|5)).IntN(20) == 0
}

// edits are what people did to the opinions since they were founded.
func (w *world) edits() []warehouse.OpinionEvent {
	r := rand.New(rand.NewPCG(w.seed, 13))
	var out []warehouse.OpinionEvent
	for i, o := range w.opinions {
		switch r.IntN(25) {
		case 0:
			out = append(out, warehouse.OpinionEvent{Action: "rename", Epoch: 1, OpinionID: o.OpinionID, Title: strings.ToUpper(o.Title) + "（汇总）", Actor: "product"})
		case 1, 2:
			out = append(out, warehouse.OpinionEvent{Action: "status", Epoch: 1, OpinionID: o.OpinionID, Status: []string{"accepted", "declined"}[r.IntN(2)], Owner: "product", Actor: "product"})
		case 3:
			if i > 0 && w.opinions[i-1].Aspect == o.Aspect {
				out = append(out, warehouse.OpinionEvent{Action: "merge", Epoch: 1, OpinionID: o.OpinionID, TargetID: w.opinions[i-1].OpinionID, Actor: "product"})
			}
		}
	}
	return out
}
