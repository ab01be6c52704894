package warehouse

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// hand writes worlds in short lines. Times are "15:04:05" of 2 March 2026 in Shanghai; "+1 15:04:05" is the day after.
type hand struct {
	world
	name string
}

func clockTime(s string) time.Time {
	days := 0
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		if _, err := fmt.Sscanf(s, "%d %s", &days, &s); err != nil {
			panic(err)
		}
	}
	t, err := time.ParseInLocation(time.DateTime, "2026-03-02 "+s, shanghai)
	if err != nil {
		panic(err)
	}
	return t.AddDate(0, 0, days).UTC()
}

// talk adds a session of lines "who|time|text"; who is customer, an agent's name, or a name with ! for an automatic
// reply. It starts with its first turn.
func (h *hand) talk(id, customer, agent string, lines ...string) *schemas.Session {
	s := &schemas.Session{Meta: schemas.Meta{SessionID: h.name + id, Channel: h.name, Shop: h.name + "shop", CustomerID: h.name + customer, AgentID: h.name + agent}}
	if customer == "" {
		s.CustomerID = ""
	}
	for i, line := range lines {
		parts := strings.SplitN(line, "|", 3)
		t := schemas.Turn{Seq: schemas.Some(int64(i + 1)), Role: schemas.Agent, At: clockTime(parts[1]), Text: parts[2]}
		switch who := parts[0]; who {
		case "customer", "bot":
			t.Role = schemas.Role(who)
		default:
			t.AgentID, t.Auto = h.name+strings.TrimSuffix(who, "!"), strings.HasSuffix(who, "!")
		}
		s.Turns = append(s.Turns, t)
	}
	h.messages = append(h.messages, schemas.Message{Type: schemas.TypeSession, Session: s})
	return s
}

func (h *hand) order(id, customer, status, created, paid, amount, refund string, pieces int64) *schemas.Order {
	o := &schemas.Order{OrderID: h.name + id, Shop: h.name + "shop", Status: status, UpdatedAt: clockTime("+5 00:00:00"), CustomerID: h.name + customer, CreatedAt: clockTime(created), Amount: amount, RefundAmount: refund}
	if paid != "" {
		o.PaidAt = clockTime(paid)
	}
	if pieces > 0 {
		o.Items = []schemas.OrderItem{{Qty: pieces}}
	}
	h.messages = append(h.messages, schemas.Message{Type: schemas.TypeOrder, Order: o})
	return o
}

// TestKPIByHand: worlds small enough to be worked out on paper. Both the views and the oracle have to say what the
// paper says; the numbers in the comments are the working.
func TestKPIByHand(t *testing.T) {
	w := migrated(t)
	an := worldAnalyser(t)
	from, to, asOf := "2026-03-01", "2026-03-08", "2026-03-09"
	n := 0
	f := func(what string, build func(h *hand), want ...string) {
		t.Helper()
		n++
		h := &hand{name: fmt.Sprintf("h%d", n)}
		build(h)
		if err := w.SaveAgents(context.Background(), h.agents); err != nil {
			t.Fatal(err)
		}
		addReviews(t, w, h.reviews, load(t, w, an, h.messages))
		said := map[string][]string{"oracle": h.kpis("agent_kpi", from, to, asOf), "view": kpiRows(t, w, "agent_kpi", from, to, asOf)}
		for _, line := range want {
			// "agent day: figure=value ..." with the names of the world left out
			key, figures, _ := strings.Cut(line, ": ")
			agent, day, _ := strings.Cut(key, " ")
			for source, rows := range said {
				row := ""
				for _, r := range rows {
					if strings.HasPrefix(r, "agent_id="+h.name+agent+" ") && strings.Contains(r, " day=2026-03-"+day+" ") {
						row += r + " "
					}
				}
				for _, x := range strings.Fields(figures) {
					if !strings.Contains(" "+row, " "+x+" ") {
						t.Errorf("%s: the %s says of %s\n%s\nwhich has no %s", what, source, key, row, x)
					}
				}
			}
		}
	}

	f("several customer messages before one reply start the clock once, with the first", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "customer|10:00:20|这款有货吗", "customer|10:00:40|在不在", "li|10:01:00|有的", "li|10:01:05|今天发货")
		// one round of 60 s; two replies to three customer turns
	}, "li 02: received=1 rounds=1 avg_reply_ms=60000 first_reply_ms=60000 within_30s=0 within_180s=1 answer_ratio=0.666666667")

	f("an automatic reply answers nothing", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "li!|10:00:01|您好，请稍等", "li|10:03:20|在的")
		// 200 s: outside 180, inside 300; one reply to one customer turn
	}, "li 02: rounds=1 avg_reply_ms=200000 within_180s=0 within_300s=1 answer_ratio=1")

	f("a transfer: each round belongs to who replies, the unanswered one to the last agent", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|退货", "li|10:00:10|帮您转接", "customer|10:00:30|好", "wang|10:01:30|您好", "customer|10:02:00|在吗")
		// li: 10 s; wang: 60 s and one unanswered
	}, "li 02: rounds=1 avg_reply_ms=10000 within_30s=1 received=1", "wang 02: rounds=2 avg_reply_ms=60000 first_reply_ms=null within_180s=0.5 received=1 answer_ratio=0.5")

	f("across midnight the round lies on the day of the question, the reply on its own", func(h *hand) {
		h.talk("s", "c", "li", "customer|23:59:50|在吗", "li|+1 00:00:20|在的")
	}, "li 02: rounds=1 avg_reply_ms=30000 within_30s=1 answer_ratio=0 received=1", "li 03: rounds=0 received=0 avg_reply_ms=null answer_ratio=null")

	f("refunds lower net sales, not sales", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		h.order("o1", "c", "refunded", "11:00:00", "11:05:00", "100", "100", 2)
		h.order("o2", "c", "paid", "12:00:00", "12:05:00", "50.5", "", 1)
		// 150.5 from one customer with three pieces; 50.5 are left. She was new, ordered within a day and paid: 1 of 1
	}, "li 02: sales=150.5 net_sales=50.5 basket=150.5 items_per_customer=3 order_rate=1 pre_order=1 conversion=1")

	f("without ratings there is no satisfaction", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		s := h.talk("s2", "c2", "wang", "customer|10:00:00|在吗", "wang|10:00:10|在的")
		s.Attributes = map[string]string{"invited": "true"}
		for i, score := range []float64{4, 3.9} {
			h.messages = append(h.messages, schemas.Message{Type: schemas.TypeRating, Rating: &schemas.Rating{SessionID: s.SessionID, Score: score, Max: 5, At: clockTime(fmt.Sprintf("11:0%d:00", i))}})
		}
		// wang's latest rating is 3.9 / 5 = .78: not satisfied
	}, "li 02: csat=null invite_rate=0", "wang 02: csat=0 invite_rate=1")

	f("an order before the consultation makes no new customer", func(h *hand) {
		h.talk("s1", "old", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		h.talk("s2", "new", "li", "customer|10:10:00|在吗", "li|10:10:10|在的")
		h.order("o1", "old", "created", "-14 10:00:00", "", "9", "", 0)
		h.order("o2", "old", "paid", "15:00:00", "15:01:00", "20", "", 0)
		h.order("o3", "new", "paid", "-16 10:00:00", "-16 10:01:00", "7", "", 0)
		h.order("o4", "new", "paid", "+1 10:10:00", "+4 10:10:00", "30", "", 0)
		// old ordered 14 days before, new only 16 days before: one of two counts. Her order came 24 h later to the second
		// and was paid on the fourth day to the second: it converts. Only old ordered on the day itself: 1 of 2
	}, "li 02: received=2 pre_order=1 conversion=1 order_rate=0.5 sales=20")

	f("of two agents before one order the last valid reply within 24 hours wins", func(h *hand) {
		h.talk("s1", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		h.talk("s2", "c", "wang", "customer|12:00:00|在吗", "wang|12:00:10|在的", "zhao!|12:05:00|活动提醒")
		h.talk("s3", "late", "li", "customer|-1 10:00:00|在吗", "li|-1 10:00:10|在的")
		h.order("o1", "c", "paid", "12:30:00", "12:31:00", "80", "", 0)
		h.order("o2", "late", "paid", "10:00:11", "10:01:00", "60", "", 0)
		own := h.order("o3", "c", "shipped", "13:00:00", "13:01:00", "5", "", 0)
		own.AgentID = h.name + "li"
		// o1 is wang's (zhao's reply was automatic); o2 came a second after the 24 hours: nobody's; o3 names li
	}, "wang 02: sales=80 basket=80", "li 02: sales=5 basket=5 items_per_customer=null")

	f("calls count from the end of the question, and an interruption waits for nothing", func(h *hand) {
		s := h.talk("s", "c", "li", "customer|10:00:00|喂", "li|10:00:00|您好", "customer|10:00:00|我要查话费", "li|10:00:00|好的")
		s.StartedAt = clockTime("10:00:00")
		for i, ms := range [][2]int64{{0, 2500}, {4000, 6000}, {7000, 12000}, {11000, 15000}} {
			s.Turns[i].At, s.Turns[i].StartMS, s.Turns[i].EndMS = time.Time{}, schemas.Some(ms[0]), schemas.Some(ms[1])
		}
		// 4.0 - 2.5 = 1.5 s, and 11 - 12 < 0 counts 0: mean 0.75 s
	}, "li 02: rounds=2 avg_reply_ms=750 first_reply_ms=1500 within_30s=1 answer_ratio=1")

	f("scores, hits and appeals", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li|10:00:10|滚")
		h.talk("s2", "c2", "li", "customer|10:00:00|在吗", "li|10:00:10|哦哦")
		h.talk("s3", "c3", "li", "customer|10:00:00|在吗", "li|10:00:10|您好")
		h.reviews = []review{{h.name + "s1", "rude", "appeal"}, {h.name + "s1", "rude", "overturn"}}
		// 70, 95, 100: mean 88.333; one of three sessions has a major or critical hit; one of two hits was appealed, and won
	}, "li 02: score=88.3333333 hit_rate=0.333333333 appeal_rate=0.5 appeal_won_rate=1")

	f("teams follow the agent over time, and what a session says comes first", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		h.talk("s2", "c2", "li", "customer|14:00:00|在吗", "li|14:00:10|在的")
		h.talk("s3", "c3", "wang", "customer|14:00:00|在吗", "wang|14:00:10|在的").Team = h.name + "own"
		h.agents = []Agent{{AgentID: h.name + "li", Team: h.name + "A"}, {AgentID: h.name + "li", Team: h.name + "B", ValidFrom: clockTime("12:00:00")}, {AgentID: h.name + "wang", Team: h.name + "A"}}
		// li changes at noon: one row for each team
	}, "li 02: team=h11A team=h11B", "wang 02: team=h11own")

	f("what nobody answers for is in no row, and a bot's answer is none", func(h *hand) {
		h.talk("s1", "c1", "", "customer|10:00:00|在吗", "bot|10:00:01|您好").AgentID = ""
		h.talk("s2", "", "li", "customer|10:00:00|", "bot|10:00:01|您好", "li|10:00:30|  ", "li|10:00:40|您发的图收到了")
		// a picture starts the round, a blank text does not end it: 40 s; a session without a customer_id is one customer
	}, "li 02: received=1 rounds=1 avg_reply_ms=40000 pre_order=0 conversion=null")
}
