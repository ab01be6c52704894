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

// handWorld is a world with what the paper says of it: lines "[profile] [@view] name day: figure=value ...", names of the
// world left out, "-" for the empty name, "*" for the name of the world, "none" where there is no row.
type handWorld struct {
	what string
	hand *hand
	want []string
}

// TestKPIByHand: worlds small enough to be worked out on paper. Both the views and the oracle have to say what the
// paper says; the numbers in the comments are the working.
func TestKPIByHand(t *testing.T) {
	if testing.Short() {
		t.Skip("long: what it covers is in the engine, which the race detector does not see")
	}
	// Planning a view with parameters takes seconds. The statement that the program makes of it is faster; that both say
	// the same in every profile is left to TestSlowKPIByHand.
	checkKPIByHand(t, func(profile, view string) bool { return profile == "generic" || profile == "jd" && view == "agent_kpi" })
}

// checkKPIByHand reads those figures through the public views for which throughView is true, the others as the program does.
func checkKPIByHand(t *testing.T, throughView func(profile, view string) bool) {
	t.Helper()
	from, to, asOf := "2026-03-01", "2026-03-08", "2026-03-09"
	var all world
	worlds := handWorlds()
	for _, x := range worlds {
		all.messages = append(all.messages, x.hand.messages...)
		all.agents = append(all.agents, x.hand.agents...)
		all.reviews = append(all.reviews, x.hand.reviews...)
	}
	w := migrated(t)
	addProfiles(t, w)
	if err := w.SaveAgents(context.Background(), all.agents); err != nil {
		t.Fatal(err)
	}
	addReviews(t, w, all.reviews, load(t, w, worldAnalyser(t), all.messages))
	said := map[[2]string]map[string][]string{}
	for _, x := range worlds {
		for _, line := range x.want {
			key, figures, _ := strings.Cut(line, ": ")
			words := strings.Fields(key)
			profile, view, column := "generic", "agent_kpi", "agent_id"
			if _, ok := platforms[words[0]]; ok {
				profile, words = words[0], words[1:]
			}
			if strings.HasPrefix(words[0], "@") {
				column = words[0][1:]
				view, words = column+"_kpi", words[1:]
			}
			name, day := x.hand.name+strings.Trim(words[0], "*-"), words[1]
			if words[0] == "-" {
				name = ""
			}
			tables := said[[2]string{profile, view}]
			if tables == nil {
				read := kpiTextRows
				if throughView(profile, view) {
					read = kpiRows
				}
				tables = map[string][]string{"oracle": all.kpis(profile, view, from, to, asOf), "view": read(t, w, profile, view, from, to, asOf)}
				said[[2]string{profile, view}] = tables
			}
			for source, rows := range tables {
				row := ""
				for _, r := range rows {
					if strings.HasPrefix(r, column+"="+name+" ") && strings.Contains(r, " day=2026-03-"+day+" ") {
						row += r + " "
					}
				}
				for _, figure := range strings.Fields(figures) {
					if figure == "none" && row == "" {
						continue
					}
					if !strings.Contains(" "+row, " "+figure+" ") {
						t.Errorf("%s: the %s says of %s\n%s\nwhich has no %s", x.what, source, key, row, figure)
					}
				}
			}
		}
	}
}

func handWorlds() []handWorld {
	var out []handWorld
	f := func(what string, build func(h *hand), want ...string) {
		h := &hand{name: fmt.Sprintf("h%d", len(out)+1)}
		build(h)
		out = append(out, handWorld{what, h, want})
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

	f("item price is by piece, of items that name a price", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		o := h.order("o1", "c", "paid", "11:00:00", "11:05:00", "100", "", 0)
		o.Items = []schemas.OrderItem{{Qty: 3, Price: "10"}, {Qty: 1, Price: "50.5"}, {Qty: 6}}
		// (3 x 10 + 50.5) / 4 = 20.125; ten pieces for one customer
	}, "li 02: item_price=20.125 items_per_customer=10 basket=100", "@shop shop 02: item_price=20.125", "taobao li 02: item_price=20.125")

	f("one customer, two agents, one team: distinct within the row asked for", func(h *hand) {
		h.talk("s1", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|在的").Team = h.name + "T"
		h.talk("s2", "c", "wang", "customer|11:00:00|在吗", "wang|11:00:30|滚").Team = h.name + "T"
		// li 1, wang 1, the team, shop and channel 1; 10 s and 30 s; scores 100 and 70
	}, "li 02: received=1 score=100 hit_rate=0", "wang 02: received=1 score=70 hit_rate=1",
		"@team T 02: received=1 rounds=2 avg_reply_ms=20000 score=85 hit_rate=0.5", "@shop shop 02: received=1 rounds=2 score=85", "@channel * 02: received=1 rounds=2")

	f("a session with two agents counts once for the team, with its last agent", func(h *hand) {
		h.talk("s1", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|滚", "customer|10:00:20|好", "wang|10:00:30|在的").Team = h.name + "T"
		// 70 for both agents; the critical hit is li's; the team has one session with one
	}, "li 02: score=70 hit_rate=1 invite_rate=null", "wang 02: score=70 hit_rate=0 invite_rate=0", "@team T 02: score=70 hit_rate=1 invite_rate=0")

	f("whose an order is: the last, the first or the only agent of the day before", func(h *hand) {
		h.talk("s1", "c", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		h.talk("s2", "c", "wang", "customer|12:00:00|在吗", "wang|12:00:10|在的")
		h.talk("s3", "d", "li", "customer|12:00:00|在吗", "li|12:00:10|在的", "li|12:10:00|再见")
		h.order("o1", "c", "paid", "12:30:00", "12:31:00", "80", "", 0)
		h.order("o2", "d", "paid", "12:05:00", "12:31:00", "7", "", 0)
	}, "wang 02: sales=80", "li 02: sales=7", "first wang 02: sales=0", "first li 02: sales=87", "only wang 02: sales=0", "only li 02: sales=7")

	f("limits are inside: 15 days, 24 hours and 4 days, 30, 180 and 300 seconds", func(h *hand) {
		for _, c := range []string{"c1", "c2", "c3", "c4", "c5"} {
			h.talk("s"+c, c, "li", "customer|10:00:00|在吗", "li|10:00:30|在的", "customer|11:00:00|好", "li|11:03:00|嗯", "customer|12:00:00|好", "li|12:05:00|嗯")
		}
		h.order("o1", "c1", "created", "-15 10:00:00", "", "9", "", 0)            // 15 days before: not new
		h.order("o2", "c2", "created", "-15 04:00:00", "", "9", "", 0)            // six hours more: new
		h.order("o3", "c3", "paid", "10:00:00", "+4 10:00:00", "9", "", 0)        // at the very start, paid after 4 days: new, converts
		h.order("o4", "c4", "created", "10:10:00", "10:11:00", "9", "", 0)        // has a time of payment, but is not paid
		h.order("o5", "c5", "paid", "+1 10:00:00", "+4 10:00:00.001", "9", "", 0) // paid a millisecond late
		// of four new ones c3 converts; each wait is a third of the rounds
	}, "li 02: received=5 pre_order=4 conversion=0.25 within_30s=0.333333333 within_180s=0.666666667 within_300s=1")

	f("taobao: a wait counts ten minutes at most, and an unanswered question counts as that", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "customer|10:00:20|有货吗", "li|10:12:00|有的", "customer|10:20:00|好", "li|10:20:10|嗯", "customer|11:00:00|还在吗")
		// 720 s count 600, 10 s, unanswered 600: 1,210 / 3 s; one of three within 3 minutes. Generic: (720 + 10) / 2
	}, "taobao li 02: rounds=3 avg_reply_ms=403333.333 first_reply_ms=720000 within_180s=0.333333333", "li 02: rounds=3 avg_reply_ms=365000 within_180s=0.333333333",
		"taobao @shop shop 02: rounds=3 avg_reply_ms=403333.333")

	f("taobao: a question that only got automatic answers is in neither numerator nor denominator", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li!|10:00:01|您好，请稍等")
		h.talk("s2", "c2", "li", "customer|10:00:00|在吗", "bot|10:00:01|您好")
		h.talk("s3", "c3", "li", "customer|10:00:00|在吗", "li!|10:00:01|您好，请稍等", "li|10:00:20|在的")
		h.talk("s4", "c4", "li", "li!|09:59:00|欢迎", "customer|10:00:00|在吗")
		// s3 was answered by a person in 20 s, s4 not at all: 600 s
	}, "taobao li 02: received=4 rounds=4 avg_reply_ms=310000 within_30s=0.5", "li 02: avg_reply_ms=20000 within_30s=0.25")

	f("taobao: questions from 08:00 to 23:00", func(h *hand) {
		for i, asked := range []string{"07:59:59", "08:00:00", "22:59:59", "23:00:00"} {
			at := clockTime(asked).Add(time.Duration(i+1) * 10 * time.Second).In(shanghai).Format(time.TimeOnly)
			h.talk(fmt.Sprint("s", i), fmt.Sprint("c", i), "li", "customer|"+asked+"|在吗", "li|"+at+"|在的")
		}
		// 10, 20, 30 and 40 s: the second and third are inside; jd opens at 09:00: the third
	}, "taobao li 02: received=4 rounds=4 avg_reply_ms=25000 first_reply_ms=25000 within_30s=1", "li 02: avg_reply_ms=25000 within_30s=0.75",
		"jd li 02: avg_reply_ms=30000 first_reply_ms=30000 within_30s=1")

	f("taobao: who passes a customer on without an answer has an unanswered question", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|退货", "li|10:00:10|帮您转接", "customer|10:00:30|好", "wang|10:01:30|您好")
		// li: 10 s, and 600 s for what wang answered after 60 s
	}, "taobao li 02: rounds=1 received=1 avg_reply_ms=305000 within_180s=0.5", "taobao wang 02: rounds=1 avg_reply_ms=60000 within_180s=1", "li 02: avg_reply_ms=10000 within_180s=1",
		"taobao @shop shop 02: rounds=2 avg_reply_ms=223333.333 within_180s=0.666666667")

	f("taobao: across midnight is a question without an answer on its day, and outside the hours at last", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|22:59:00|在吗", "li|+1 00:00:20|在的")
		h.talk("s2", "c2", "li", "customer|23:59:50|在吗", "li|+1 00:00:20|在的")
	}, "taobao li 02: rounds=2 avg_reply_ms=600000 within_30s=0", "li 02: rounds=2 avg_reply_ms=1855000 within_30s=0.5", "taobao li 03: rounds=0 avg_reply_ms=null")

	f("jd: of all messages of customers, those answered in time", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "customer|10:00:20|有货吗", "customer|10:00:50|急", "li|10:01:00|有的", "customer|12:00:00|好的")
		// 60, 40 and 10 s, and one without an answer: one of four within 30 s, three of four within 3 minutes
	}, "jd li 02: rounds=2 avg_reply_ms=60000 within_30s=0.25 within_180s=0.75", "li 02: within_30s=0 within_180s=0.5")

	f("jd: an order counts before it is paid, and a day later all is known", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|+4 10:00:00|在吗", "li|+4 10:00:10|在的")
		h.talk("s2", "c2", "li", "customer|+4 10:00:00|在吗", "li|+4 10:00:10|在的")
		h.order("o1", "c1", "created", "+4 11:00:00", "", "9", "", 0)
		h.order("o2", "c2", "created", "+5 10:00:01", "", "9", "", 0)
		// o2 came a second after the 24 hours
	}, "jd li 06: pre_order=2 conversion=0.5 is_final=true", "li 06: pre_order=2 conversion=0 is_final=false", "taobao li 06: conversion=0 is_final=false")

	f("douyin: the welcome is no reply, an automatic answer after a person's is one", func(h *hand) {
		h.talk("s", "c", "li", "customer|10:00:00|在吗", "li!|10:00:01|欢迎光临", "li|10:01:00|在的", "customer|10:02:00|多久到", "li!|10:02:05|三天内", "customer|10:03:00|好", "li|10:03:25|谢谢")
		// 60, 5 and 25 s. Generic: 60 s and from 10:02:00 to 10:03:25
	}, "douyin li 02: rounds=3 avg_reply_ms=30000 first_reply_ms=60000 within_30s=0 within_180s=1", "li 02: rounds=2 avg_reply_ms=72500 first_reply_ms=60000 within_30s=0",
		"taobao li 02: rounds=2 avg_reply_ms=72500", "jd li 02: rounds=2 within_30s=0.333333333")

	f("douyin: time with a bot is not waited for a person", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "bot|10:00:01|您好", "customer|10:05:00|转人工", "li|10:05:20|在的")
		h.talk("s2", "c2", "li", "customer|10:00:00|在吗", "bot|10:00:30|为您转接", "li|10:01:10|在的")
		// 20 s from 转人工, 40 s from the bot's word; waited for are 320 and 70 s
	}, "douyin li 02: avg_reply_ms=195000 first_reply_ms=30000 within_180s=0.5", "li 02: avg_reply_ms=195000 first_reply_ms=195000")

	f("douyin: sessions in which nobody waited longer", func(h *hand) {
		h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li|10:01:00|在的", "customer|10:02:00|好", "li|10:05:20|谢谢")
		h.talk("s2", "c2", "li", "customer|10:00:00|在吗", "li|10:00:10|在的")
		// 60 and 200 s, 10 s: one of two sessions, two of three rounds
	}, "douyin li 02: within_180s=0.5 within_300s=1", "li 02: within_180s=0.666666667", "douyin @channel * 02: within_180s=0.5")
	return out
}

// addProfiles adds the profiles that only worlds have.
func addProfiles(t *testing.T, w *Warehouse) {
	t.Helper()
	mustExec(t, w, "INSERT INTO kpi_profile_rows (profile, attribution) VALUES ('first', 'first'), ('only', 'only')")
}
