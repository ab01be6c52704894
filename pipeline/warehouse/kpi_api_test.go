package warehouse

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/tingke/tingke/schemas"
)

// apiWorld is small and has something behind every figure.
func apiWorld(t *testing.T) *Warehouse {
	t.Helper()
	w := migrated(t)
	h := &hand{name: "a"}
	h.talk("s1", "c1", "li", "customer|10:00:00|在吗", "li|10:00:10|滚").Business = "presales"
	h.talk("s2", "c2", "li", "customer|10:00:00|在吗", "li|10:05:00|您好", "customer|10:06:00|好").Attributes = map[string]string{"invited": "true"}
	h.talk("s3", "c1", "wang", "customer|+1 10:00:00|在吗", "wang|+1 10:00:20|哦哦").Team = "aT"
	h.order("o1", "c1", "paid", "11:00:00", "11:05:00", "100", "", 2).Items[0].Price = "45"
	h.order("o2", "c1", "refunded", "+1 11:00:00", "+1 11:05:00", "50", "20", 1)
	h.messages = append(h.messages, schemas.Message{Type: schemas.TypeRating, Rating: &schemas.Rating{SessionID: "as1", Score: 5, Max: 5}},
		schemas.Message{Type: schemas.TypeRating, Rating: &schemas.Rating{SessionID: "as3", Score: 3, Max: 5}})
	h.reviews = []review{{"as1", "rude", "appeal"}, {"as1", "rude", "overturn"}}
	addReviews(t, w, h.reviews, load(t, w, worldAnalyser(t), h.messages))
	return w
}

func march(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }

func TestKPIQueries(t *testing.T) {
	ctx := context.Background()
	w := apiWorld(t)
	all := KPIQuery{By: KPIByAgent, From: march(1), To: march(8), AsOf: march(9)}
	rows, err := w.KPI(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	brief := func(rows []KPIRow) string {
		s := ""
		for _, r := range rows {
			s += fmt.Sprintf("%s|%s|%s|%s|%s %s: %d %d %s; ", r.AgentID, r.Team, r.Shop, r.Channel, r.Source, r.Day.Format(time.DateOnly), r.Received, r.Rounds, r.Sales)
		}
		return s
	}
	f := func(what string, change func(*KPIQuery), want string) {
		t.Helper()
		q := all
		change(&q)
		rows, err := w.KPI(ctx, q)
		if got := brief(rows); err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", what, err, got, want)
		}
	}
	f("agents by day", func(*KPIQuery) {}, "ali||ashop|| 2026-03-02: 2 3 100; awang|aT|ashop|| 2026-03-03: 1 1 50; ")
	f("one agent", func(q *KPIQuery) { q.Agents = []string{"awang"} }, "awang|aT|ashop|| 2026-03-03: 1 1 50; ")
	f("those without a team", func(q *KPIQuery) { q.By, q.Teams = KPIByTeam, []string{""} }, "|||| 2026-03-02: 2 3 100; ")
	f("a business", func(q *KPIQuery) { q.Businesses = []string{"presales"} }, "ali||ashop|| 2026-03-02: 1 1 100; ")
	f("shops, the period pooled: c1 counts once", func(q *KPIQuery) { q.By, q.Pool = KPIByShop, true }, "||ashop|| 2026-03-01: 2 4 150; ")
	f("channels", func(q *KPIQuery) { q.By, q.Channels, q.Pool = KPIByChannel, []string{"a", "b"}, true }, "|||a| 2026-03-01: 2 4 150; ")
	f("agents whole", func(q *KPIQuery) { q.Whole, q.Pool = true, true }, "ali|||| 2026-03-01: 2 3 100; awang|||| 2026-03-01: 1 1 50; ")
	f("everybody", func(q *KPIQuery) { q.By, q.Whole, q.Pool = KPIByTeam, true, true }, "|||| 2026-03-01: 2 4 150; ")
	f("everybody of a team", func(q *KPIQuery) { q.By, q.Whole, q.Pool, q.Teams = KPIByTeam, true, true, []string{"aT"} }, "|||| 2026-03-01: 1 1 50; ")
	f("an injection finds nobody", func(q *KPIQuery) { q.Shops = []string{"' OR 1=1 --", `\'] OR 1`} }, "")
	f("a day without facts", func(q *KPIQuery) { q.From, q.To = march(5), march(5) }, "")

	q := all
	q.Profile = "ebay"
	if _, err := w.KPI(ctx, q); !IsUnknownProfile(err) {
		t.Errorf("an unknown profile gives %v", err)
	}
	if _, err := w.KPISessions(ctx, q, "csat", 9, 0); !IsUnknownProfile(err) {
		t.Errorf("an unknown profile gives %v", err)
	}
	if _, err := w.KPISessions(ctx, all, "nonsense", 9, 0); err == nil {
		t.Error("an unknown figure is no error")
	}
	for _, q := range []KPIQuery{{By: "x", From: march(1), To: march(2), AsOf: march(2)}, {By: KPIByTeam}} {
		if _, err := w.KPI(ctx, q); err == nil {
			t.Errorf("%+v is no error", q)
		}
	}

	// What is behind a figure adds up to it.
	li := rows[0]
	q = all
	q.Agents = []string{"ali"}
	g := func(figure, want string, value float64) {
		t.Helper()
		list, err := w.KPISessions(ctx, q, figure, 10, 0)
		got, bottom, top, sum := "", 0.0, 0.0, 0.0
		for _, s := range list {
			got += fmt.Sprintf("%s%s %d/%d ", s.SessionID, s.Object, s.Top, s.Bottom)
			bottom, top = bottom+float64(s.Bottom), top+float64(s.Top)
			if s.Value != nil {
				sum += *s.Value
			}
		}
		if err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", figure, err, got, want)
		}
		for _, v := range []float64{top / bottom, sum / bottom, sum, bottom} {
			if math.Abs(v-value) < 1e-9 {
				return
			}
		}
		t.Errorf("%s is %v, which is not what its sessions come to: %v of %v, %v", figure, value, top, bottom, sum)
	}
	g("rounds", "as1 1/1 as2 2/2 ", float64(li.Rounds))
	g("avg_reply_ms", "as2 1/1 as1 1/1 ", *li.AvgReplyMS)
	g("first_reply_ms", "as2 1/1 as1 1/1 ", *li.FirstReplyMS)
	g("within_180s", "as2 0/2 as1 1/1 ", *li.Within180s)
	g("order_rate", "as2 0/2 as1 1/1 ", 1./3) // rounds; the figure counts customers
	g("conversion", "as2 0/2 as1 1/1 ", 1./3)
	g("sales", "as1ao1 1/1 ", li.Sales.InexactFloat64())
	g("item_price", "as1ao1 2/2 ", *li.ItemPrice)
	g("answer_ratio", "as2 1/2 as1 1/1 ", *li.AnswerRatio)
	g("csat", "as1 1/1 ", *li.CSAT)
	g("invite_rate", "as1 0/1 as2 1/1 ", *li.InviteRate)
	g("score", "as2 1/1 as1 1/1 ", *li.Score)
	g("hit_rate", "as1 1/1 as2 0/1 ", *li.HitRate)
	if *li.ItemPrice != 45 || *li.AppealRate != 1 || *li.AppealWonRate != 1 || !li.IsFinal {
		t.Errorf("figures of li: %+v", li)
	}
	if list, err := w.KPISessions(ctx, q, "appeal_rate", 10, 0); err != nil || len(list) != 1 || list[0].SessionID != "as1" || list[0].Top != 1 {
		t.Errorf("hits behind appeal_rate: %+v, %v", list, err)
	}
	if list, err := w.KPISessions(ctx, q, "rounds", 1, 1); err != nil || len(list) != 1 || list[0].SessionID != "as2" || list[0].CustomerID == "" {
		t.Errorf("the second session behind rounds: %+v, %v", list, err)
	}
}

func TestKPIBesides(t *testing.T) {
	// Two strata. li: 2 of 4 and 1 of 1; wang and zhao: 3 of 4 and 0 of 5 (alike to the first and the second). Had the
	// others handled li's sessions: (4 x 3/4 + 1 x 0/5) / 5 = 0.6.
	stratum := func(agent, shop string, top, bottom float64) kpiStratum {
		s := kpiStratum{agent: agent, team: "T", key: [3]string{shop, "presales", "price"}, top: make([]float64, len(KPIBesideFigures)), bottom: make([]float64, len(KPIBesideFigures))}
		s.top[2], s.bottom[2] = top, bottom
		return s
	}
	list := []kpiStratum{stratum("li", "x", 2, 4), stratum("li", "y", 1, 1), stratum("wang", "x", 3, 4), stratum("zhao", "y", 0, 5)}
	find := func(list []KPIBeside, agent, figure string) KPIBeside {
		for _, b := range list {
			if b.AgentID == agent && b.Figure == figure {
				return b
			}
		}
		t.Fatalf("no %s of %s", figure, agent)
		return KPIBeside{}
	}
	b := find(besides(list, []string{"li"}), "li", "within_180s")
	if *b.Own != .6 || math.Abs(*b.Like-.6) > 1e-12 || b.Covered != 1 || b.Team != "T" || b.TeamMean != nil {
		t.Errorf("li beside others: %+v, own %v, like %v", b, *b.Own, *b.Like)
	}
	// A stratum of li alone is not covered; five agents make a team whose mean is shown: (2 + 1 + 3) / (14 + 5 + 1 + 1).
	list = append(list, stratum("li", "z", 0, 5), stratum("qian", "x", 0, 1), stratum("sun", "x", 0, 1))
	b = find(besides(list, nil), "li", "within_180s")
	if b.Covered != .5 || b.TeamMean == nil || *b.TeamMean != 6./21 {
		t.Errorf("li beside a team of five: %+v", b)
	}
	if b := find(besides(list, nil), "li", "csat"); b.Own != nil || b.Like != nil || b.TeamMean != nil || b.Covered != 0 {
		t.Errorf("without ratings: %+v", b)
	}

	// The same from the store: wang and li have nothing alike but the shop.
	w := apiWorld(t)
	got, err := w.KPIBesides(context.Background(), KPIQuery{From: march(1), To: march(8), AsOf: march(9), Agents: []string{"awang"}})
	if err != nil || len(got) != len(KPIBesideFigures) {
		t.Fatalf("%+v, %v", got, err)
	}
	// wang lost 5 points; li has one session of no business, of 100.
	if b := find(got, "awang", "score"); *b.Own != 95 || *b.Like != 100 || b.Covered != 1 {
		t.Errorf("wang beside li: %+v", b)
	}
}
