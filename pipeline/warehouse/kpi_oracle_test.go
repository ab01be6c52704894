package warehouse

import (
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tingke/tingke/schemas"
)

// The oracle computes the KPIs of every profile from the messages alone, by the definitions of the figures and as
// naively as they can be written down. It shares no code with the views, the assembly or the analysis: it has its own
// idea of what a session, a round and a hit are.

// world is everything the oracle may read.
type world struct {
	messages []schemas.Message
	agents   []Agent
	reviews  []review
}

// review is a decision about the hit of a rule in a session.
type review struct{ session, rule, action string }

// Rules of the worlds: an agent's 滚 costs 30 points and is critical, an agent's 哦哦 costs 5 and is minor.
const worldRules = `
id: world
version: "1"
rules:
  - id: rude
    name: 辱骂
    severity: critical
    points: -30
    reason: "{text}"
    forbid: {in: {role: agent}, keyword: [滚]}
  - id: lazy
    name: 敷衍
    severity: minor
    points: -5
    reason: "{text}"
    forbid: {in: {role: agent}, keyword: [哦哦]}
`

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func dayOf(t time.Time) string { return t.In(shanghai).Format(time.DateOnly) }

// talk is a session as the oracle sees it.
type talk struct {
	schemas.Meta
	turns  []schemas.Turn
	closed bool
}

func talks(w world) []*talk {
	byID := map[string]*talk{}
	var ids []string
	get := func(id string) *talk {
		if byID[id] == nil {
			byID[id] = &talk{}
			byID[id].SessionID = id
			ids = append(ids, id)
		}
		return byID[id]
	}
	for _, m := range w.messages {
		switch {
		case m.Session != nil:
			s := get(m.Session.SessionID)
			s.Meta = m.Session.Meta
			if len(m.Session.Turns) > 0 {
				s.turns, s.closed = m.Session.Turns, true
			}
		case m.Turn != nil:
			s := get(m.Turn.SessionID)
			s.turns = append(s.turns, m.Turn.Turn)
		case m.End != nil:
			get(m.End.SessionID).closed = true
		}
	}
	var out []*talk
	for _, id := range ids {
		s := byID[id]
		s.turns = slices.Clone(s.turns)
		sort.SliceStable(s.turns, func(i, j int) bool { return s.turns[i].Seq.V < s.turns[j].Seq.V })
		out = append(out, s)
	}
	return out
}

// begin is the session instant T: started_at, else the time of the first turn that has one.
func (s *talk) begin() (time.Time, bool) {
	if !s.StartedAt.IsZero() {
		return s.StartedAt, true
	}
	for _, t := range s.turns {
		if !t.At.IsZero() {
			return t.At, true
		}
	}
	return time.Time{}, false
}

// said is when a turn was said: its time, else its place in the recording of a session whose start is known.
func (s *talk) said(t schemas.Turn, ms schemas.Opt[int64]) (time.Time, bool) {
	if !t.At.IsZero() {
		return t.At, true
	}
	if ms.OK && !s.StartedAt.IsZero() {
		return s.StartedAt.Add(time.Duration(ms.V) * time.Millisecond), true
	}
	return time.Time{}, false
}

func (s *talk) start(t schemas.Turn) (time.Time, bool) {
	if t.StartMS.OK {
		return s.said(t, t.StartMS)
	}
	return s.said(t, t.EndMS)
}

func (s *talk) speaker(t schemas.Turn) string {
	if t.AgentID != "" {
		return t.AgentID
	}
	return s.AgentID
}

func valid(t schemas.Turn) bool {
	return t.Role == schemas.Agent && !t.Auto && strings.TrimSpace(t.Text) != ""
}

func (s *talk) lastAgent() string {
	for i := len(s.turns) - 1; i >= 0; i-- {
		if s.turns[i].Role == schemas.Agent {
			return s.speaker(s.turns[i])
		}
	}
	return s.AgentID
}

func (s *talk) speakers() []string {
	var out []string
	for _, t := range s.turns {
		if t.Role == schemas.Agent && s.speaker(t) != "" && !slices.Contains(out, s.speaker(t)) {
			out = append(out, s.speaker(t))
		}
	}
	return out
}

// wait is a round.
type wait struct {
	first    bool
	asked    schemas.Turn
	reply    *schemas.Turn
	agent    string
	question []schemas.Turn // the customer's turns in it

	automatic bool          // somebody or something answered automatically while it waited
	before    string        // who spoke last before the answer
	bot       *schemas.Turn // the last turn of a bot while it waited
	afterBot  *schemas.Turn // the customer's first turn after it
}

func (s *talk) waits(p platform) []*wait {
	var out []*wait
	var now *wait
	answered, spoke := false, "" // a person has answered a question; who spoke last
	for i := range s.turns {
		t := s.turns[i]
		automatic := p.autoAnswers && answered && t.Role == schemas.Agent && t.Auto && strings.TrimSpace(t.Text) != ""
		switch {
		case t.Role == schemas.Customer && now == nil:
			now = &wait{first: len(out) == 0, asked: t, question: []schemas.Turn{t}, before: spoke}
			out = append(out, now)
		case t.Role == schemas.Customer:
			now.question = append(now.question, t)
		case (valid(t) || automatic) && now != nil:
			now.reply, now.agent, answered = &s.turns[i], s.speaker(t), true
			now = nil
		case now != nil && (t.Role == schemas.Bot || t.Role == schemas.Agent && t.Auto):
			now.automatic = true
		}
		if t.Role == schemas.Bot && now != nil {
			now.bot, now.afterBot = &s.turns[i], nil
		}
		if t.Role == schemas.Customer && now != nil && now.afterBot == nil {
			now.afterBot = &s.turns[i]
		}
		// Who speaks while the question waits; who spoke before it waits as well.
		if t.Role == schemas.Agent && now != nil {
			now.before = s.speaker(t)
		}
		if t.Role == schemas.Agent {
			spoke = s.speaker(t)
		}
	}
	if now != nil {
		now.agent = s.lastAgent()
	}
	return out
}

// finished is when the clock of a question starts: on calls when the customer stops speaking.
func (s *talk) finished(t schemas.Turn) (time.Time, bool) {
	if t.EndMS.OK {
		return s.said(t, t.EndMS)
	}
	return s.said(t, t.StartMS)
}

// until is how long it took from a turn to a reply, by the recording where both are in it.
func (s *talk) until(asked schemas.Turn, reply *schemas.Turn) (float64, bool) {
	if reply == nil {
		return 0, false
	}
	pos := func(a, b schemas.Opt[int64]) schemas.Opt[int64] {
		if a.OK {
			return a
		}
		return b
	}
	a, b := pos(asked.EndMS, asked.StartMS), pos(reply.StartMS, reply.EndMS)
	if a.OK && b.OK {
		return float64(max(0, b.V-a.V)), true
	}
	from, ok1 := s.finished(asked)
	to, ok2 := s.start(*reply)
	if !ok1 || !ok2 {
		return 0, false
	}
	return float64(max(0, to.Sub(from).Milliseconds())), true
}

// platform is how a profile deviates from generic, in the oracle's own words.
type platform struct {
	opens, closes int     // minutes of the local day between which a question counts in response figures; both 0 = always
	longest       float64 // ms: a longer wait counts as this in the mean; 0 = as it is
	unanswered    float64 // ms: what a question without an answer on its day counts in the mean; 0 = nothing
	autoIsNothing bool    // a question that only got automatic answers is in no response figure
	passing       bool    // who spoke last and left the answer to another has a question without an answer
	autoAnswers   bool    // once a person has answered, an automatic reply answers too
	afterBot      bool    // the first reply counts from when the bot has stopped
	perMessage    bool    // within_*: of all customer messages rather than of rounds
	perSession    bool    // within_*: of sessions, for each agent and day, with no later answer
	unpaid        bool    // conversion: an order counts before it is paid
	lag           int     // days until is_final
	attribution   string  // whose an order is: last (or ""), first or only
}

var platforms = map[string]platform{
	"generic": {lag: 4},
	"taobao":  {opens: 8 * 60, closes: 23 * 60, longest: 600_000, unanswered: 600_000, autoIsNothing: true, passing: true, lag: 4},
	"jd":      {opens: 9 * 60, closes: 23 * 60, perMessage: true, unpaid: true, lag: 1},
	"douyin":  {autoAnswers: true, afterBot: true, perSession: true, lag: 4},
	// Not of the program: worlds add them, for the rules of attribution that no platform uses.
	"first": {lag: 4, attribution: "first"},
	"only":  {lag: 4, attribution: "only"},
}

// open says whether a question of that time counts; one of unknown time only where every hour does.
func (p platform) open(t time.Time, known bool) bool {
	if p.closes == 0 {
		return true
	}
	t = t.In(shanghai)
	minute := t.Hour()*60 + t.Minute()
	return known && p.opens <= minute && minute < p.closes
}

// fact is one thing that counts for an agent on a day.
type fact struct {
	agent, team, shop, channel, source, day string
	kind                                    string // round, passed, message, reply, question, session, quality, hit, order
	session, customer, business             string
	ms                                      *float64 // the wait, for within_*
	mean, firstMS                           *float64 // what goes into avg_reply_ms and first_reply_ms
	timed, ordered, fresh, bought           bool
	rated, satisfied, invited               bool
	last, severe                            bool
	score                                   *float64
	appealed, decided, won                  bool
	sales, net                              *big.Rat
	pieces                                  *int64
	priced                                  *big.Rat // price x pieces of the items with a price
	pricedPieces                            int64
}

func money(s string) *big.Rat {
	if s == "" {
		return new(big.Rat)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("oracle: no amount: " + s)
	}
	return r
}

func (w world) team(session *talk, agent string, at time.Time, known bool) string {
	if session != nil && session.Team != "" {
		return session.Team
	}
	best := -1
	for i, a := range w.agents {
		if a.AgentID == agent && (!known || !a.ValidFrom.After(at)) && (best < 0 || a.ValidFrom.After(w.agents[best].ValidFrom)) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return w.agents[best].Team
}

func (w world) orders() []schemas.Order {
	rank := map[string]int{"created": 0, "paid": 1, "shipped": 2, "refunded": 3}
	latest := map[string]schemas.Order{}
	for _, m := range w.messages {
		if m.Order == nil {
			continue
		}
		old, seen := latest[m.Order.OrderID]
		if !seen || m.Order.UpdatedAt.After(old.UpdatedAt) || m.Order.UpdatedAt.Equal(old.UpdatedAt) && rank[m.Order.Status] > rank[old.Status] {
			latest[m.Order.OrderID] = *m.Order
		}
	}
	var out []schemas.Order
	for _, o := range latest {
		out = append(out, o)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].OrderID < out[j].OrderID })
	return out
}

func (w world) ratings() map[string]schemas.Rating {
	out := map[string]schemas.Rating{}
	for _, m := range w.messages {
		if m.Rating != nil {
			if old, seen := out[m.Rating.SessionID]; !seen || m.Rating.At.After(old.At) {
				out[m.Rating.SessionID] = *m.Rating
			}
		}
	}
	return out
}

func paid(o schemas.Order) bool { return !o.PaidAt.IsZero() && o.Status != "created" }

func (w world) facts(p platform) []fact {
	sessions, orders, ratings := talks(w), w.orders(), w.ratings()
	var out []fact
	for _, s := range sessions {
		begin, begun := s.begin()
		dated := func(t time.Time, ok bool) (string, bool) {
			if ok {
				return dayOf(t), true
			}
			return dayOf(begin), begun
		}
		add := func(f fact, day string, ok bool) {
			if !ok || f.agent == "" {
				return
			}
			f.day, f.session, f.shop, f.channel, f.source, f.business = day, s.SessionID, s.Shop, s.Channel, s.Source, s.Business
			f.team = w.team(s, f.agent, begin, begun)
			out = append(out, f)
		}
		customer := "session " + s.SessionID
		if s.CustomerID != "" {
			customer = "customer " + s.CustomerID
		}
		for _, r := range s.waits(p) {
			f := fact{kind: "round", agent: r.agent, customer: customer}
			asked, ok := s.finished(r.asked)
			day, dayOK := dated(asked, ok)
			open := p.open(asked, ok)
			if ms, answered := s.until(r.asked, r.reply); answered {
				f.ms, f.timed = &ms, true
				mean := ms
				if p.longest > 0 {
					mean = min(ms, p.longest)
				}
				if p.unanswered > 0 && dayOf(asked.Add(time.Duration(ms)*time.Millisecond)) != dayOf(asked) {
					mean = p.unanswered
				}
				f.mean = &mean
			} else if r.reply == nil && ok && !(p.autoIsNothing && r.automatic) {
				f.timed = true
				if p.unanswered > 0 {
					f.mean = &p.unanswered
				}
			}
			if r.first {
				from := r.asked
				switch {
				case p.afterBot && r.bot != nil && r.afterBot != nil:
					from = *r.afterBot
				case p.afterBot && r.bot != nil:
					from = *r.bot
				}
				if ms, ok := s.until(from, r.reply); ok {
					f.firstMS = &ms
				}
			}
			if !open {
				f.ms, f.mean, f.firstMS, f.timed = nil, nil, nil, false
			}
			if p.passing && open && r.reply != nil && r.before != r.agent {
				add(fact{kind: "passed", agent: r.before, timed: true, mean: &p.unanswered}, day, dayOK)
			}
			for _, q := range r.question {
				if at, ok := s.finished(q); p.perMessage && p.open(at, ok) {
					m := fact{kind: "message", agent: r.agent, timed: r.reply == nil && ok}
					if ms, answered := s.until(q, r.reply); answered {
						m.ms, m.timed = &ms, true
					}
					day, dayOK := dated(at, ok)
					add(m, day, dayOK)
				}
			}
			if s.CustomerID != "" {
				f.fresh = begun
				for _, o := range orders {
					if o.CustomerID != s.CustomerID || o.Shop != s.Shop || o.CreatedAt.IsZero() {
						continue
					}
					if dayOf(o.CreatedAt) == day {
						f.ordered = true
					}
					if begun && !o.CreatedAt.Before(begin.Add(-15*24*time.Hour)) && o.CreatedAt.Before(begin) {
						f.fresh = false
					}
				}
				for _, o := range orders {
					if f.fresh && o.CustomerID == s.CustomerID && o.Shop == s.Shop && !o.CreatedAt.IsZero() &&
						!o.CreatedAt.Before(begin) && !o.CreatedAt.After(begin.Add(24*time.Hour)) && (p.unpaid || paid(o) && !o.PaidAt.After(begin.Add(4*24*time.Hour))) {
						f.bought = true
					}
				}
			}
			add(f, day, dayOK)
		}
		// answer_ratio is the same in every profile.
		for _, r := range s.waits(platform{}) {
			for _, q := range r.question {
				day, ok := dated(s.start(q))
				add(fact{kind: "question", agent: r.agent}, day, ok)
			}
		}
		rude, lazy := "", ""
		for _, t := range s.turns {
			if valid(t) {
				day, ok := dated(s.start(t))
				add(fact{kind: "reply", agent: s.speaker(t)}, day, ok)
			}
			if t.Role == schemas.Agent && rude == "" && strings.Contains(t.Text, "滚") {
				rude = "by " + s.speaker(t)
			}
			if t.Role == schemas.Agent && lazy == "" && strings.Contains(t.Text, "哦哦") {
				lazy = "by " + s.speaker(t)
			}
		}
		f := fact{kind: "session", agent: s.lastAgent()}
		if r, ok := ratings[s.SessionID]; ok {
			f.rated, f.satisfied = true, r.Score/r.Max >= .8
		}
		f.invited = s.Attributes["invited"] == "true"
		add(f, dayOf(begin), begun)
		if !s.closed {
			continue
		}
		var score *float64
		if slices.ContainsFunc(s.turns, func(t schemas.Turn) bool { return t.Role == schemas.Agent }) {
			v := 100.0
			if rude != "" {
				v -= 30
			}
			if lazy != "" {
				v -= 5
			}
			score = &v
		}
		took := s.speakers()
		if a := s.lastAgent(); a != "" && !slices.Contains(took, a) {
			took = append(took, a)
		}
		for _, a := range took {
			add(fact{kind: "quality", agent: a, last: a == s.lastAgent(), score: score, severe: rude == "by "+a}, dayOf(begin), begun)
		}
		for rule, by := range map[string]string{"rude": rude, "lazy": lazy} {
			if by == "" {
				continue
			}
			f := fact{kind: "hit", agent: strings.TrimPrefix(by, "by ")}
			for _, r := range w.reviews {
				if r.session == s.SessionID && r.rule == rule {
					switch r.action {
					case "appeal":
						f.appealed = true
					case "uphold", "overturn":
						f.decided, f.won = true, r.action == "overturn"
					}
				}
			}
			f.decided = f.decided && f.appealed
			f.won = f.won && f.decided
			add(f, dayOf(begin), begun)
		}
	}
	for _, o := range orders {
		if !paid(o) {
			continue
		}
		created := o.CreatedAt
		if created.IsZero() {
			created = o.PaidAt
		}
		f := fact{kind: "order", agent: o.AgentID, shop: o.Shop, day: dayOf(o.PaidAt), customer: "customer " + o.CustomerID, sales: money(o.Amount)}
		f.net = new(big.Rat).Sub(f.sales, money(o.RefundAmount))
		if len(o.Items) > 0 {
			n := int64(0)
			for _, it := range o.Items {
				n += it.Qty
			}
			f.pieces = &n
		}
		f.priced = new(big.Rat)
		for _, it := range o.Items {
			if it.Price != "" {
				f.priced.Add(f.priced, new(big.Rat).Mul(money(it.Price), big.NewRat(it.Qty, 1)))
				f.pricedPieces += it.Qty
			}
		}
		var won *talk
		var wonAt time.Time
		several := false
		for _, s := range sessions {
			if o.AgentID != "" {
				if begin, ok := s.begin(); ok && slices.Contains(s.speakers(), o.AgentID) && !begin.After(created) && (won == nil || begin.After(wonAt)) {
					won, wonAt = s, begin
				}
				continue
			}
			if o.CustomerID == "" || s.CustomerID != o.CustomerID || s.Shop != o.Shop {
				continue
			}
			for _, t := range s.turns {
				at, ok := s.start(t)
				if !ok || !valid(t) || s.speaker(t) == "" || at.After(created) || at.Before(created.Add(-24*time.Hour)) {
					continue
				}
				several = several || f.agent != "" && f.agent != s.speaker(t)
				if won == nil || p.attribution != "first" && at.After(wonAt) || p.attribution == "first" && at.Before(wonAt) {
					won, wonAt, f.agent = s, at, s.speaker(t)
				}
			}
		}
		if several && p.attribution == "only" {
			continue
		}
		if f.agent == "" {
			continue
		}
		at, known := created, true
		if won != nil {
			f.session, f.channel, f.source, f.business = won.SessionID, won.Channel, won.Source, won.Business
			at, known = won.begin()
		}
		f.team = w.team(won, f.agent, at, known)
		out = append(out, f)
	}
	return out
}

// kpis gives the rows of a view between two days, each as "key: figure=value ...", sorted.
func (w world) kpis(profile, view, from, to, asOf string) []string {
	rows := map[string][]fact{}
	p := platforms[profile]
	for _, f := range w.facts(p) {
		if f.day < from || f.day > to {
			continue
		}
		key := map[string]string{
			"agent_kpi":   fmt.Sprintf("agent_id=%s team=%s shop=%s day=%s", f.agent, f.team, f.shop, f.day),
			"team_kpi":    fmt.Sprintf("team=%s day=%s", f.team, f.day),
			"shop_kpi":    fmt.Sprintf("shop=%s day=%s", f.shop, f.day),
			"channel_kpi": fmt.Sprintf("channel=%s source=%s day=%s", f.channel, f.source, f.day),
		}[view]
		rows[key] = append(rows[key], f)
	}
	var out []string
	for key, facts := range rows {
		out = append(out, key+figures(p, facts, view == "agent_kpi", asOf))
	}
	sort.Strings(out)
	return out
}

func figures(p platform, facts []fact, ofAgent bool, asOf string) string {
	count := func(is func(fact) bool) float64 {
		n := 0
		for _, f := range facts {
			if is(f) {
				n++
			}
		}
		return float64(n)
	}
	distinct := func(what func(fact) string, is func(fact) bool) float64 {
		seen := map[string]bool{}
		for _, f := range facts {
			if is(f) {
				seen[what(f)] = true
			}
		}
		return float64(len(seen))
	}
	mean := func(value func(fact) *float64) string {
		sum, n := 0.0, 0.0
		for _, f := range facts {
			if v := value(f); v != nil {
				sum, n = sum+*v, n+1
			}
		}
		return share(sum, n)
	}
	customers := func(is func(fact) bool) float64 { return distinct(func(f fact) string { return f.customer }, is) }
	sessions := func(is func(fact) bool) float64 { return distinct(func(f fact) string { return f.session }, is) }
	round := func(f fact) bool { return f.kind == "round" }
	within := func(limit float64) string {
		soon := func(f fact) bool { return f.ms != nil && *f.ms <= limit }
		switch {
		case p.perMessage:
			message := func(f fact) bool { return f.kind == "message" && f.timed }
			return share(count(func(f fact) bool { return message(f) && soon(f) }), count(message))
		case p.perSession:
			unit := func(f fact) string { return f.session + " " + f.agent + " " + f.day }
			all := distinct(unit, func(f fact) bool { return round(f) && f.timed })
			return share(all-distinct(unit, func(f fact) bool { return round(f) && f.timed && !soon(f) }), all)
		}
		return share(count(func(f fact) bool { return round(f) && soon(f) }), count(func(f fact) bool { return (round(f) || f.kind == "passed") && f.timed }))
	}
	order := func(f fact) bool { return f.kind == "order" }
	sales, net, pieces := new(big.Rat), new(big.Rat), 0.0
	for _, f := range facts {
		if order(f) {
			sales.Add(sales, f.sales)
			net.Add(net, f.net)
			if f.pieces != nil {
				pieces += float64(*f.pieces)
			}
		}
	}
	amount, _ := sales.Float64()
	rest, _ := net.Float64()
	received := customers(round)
	fresh := customers(func(f fact) bool { return round(f) && f.fresh })
	day, _ := time.Parse(time.DateOnly, facts[0].day)
	today, _ := time.Parse(time.DateOnly, asOf)
	var b strings.Builder
	put := func(name, value string) { fmt.Fprintf(&b, " %s=%s", name, value) }
	put("received", number(received))
	put("rounds", number(count(round)))
	put("avg_reply_ms", mean(func(f fact) *float64 { return f.mean }))
	put("first_reply_ms", mean(func(f fact) *float64 { return f.firstMS }))
	put("within_30s", within(30_000))
	put("within_180s", within(180_000))
	put("within_300s", within(300_000))
	put("order_rate", share(customers(func(f fact) bool { return round(f) && f.ordered }), received))
	put("pre_order", number(fresh))
	put("conversion", share(customers(func(f fact) bool { return round(f) && f.bought }), fresh))
	put("sales", number(amount))
	put("net_sales", number(rest))
	put("basket", share(amount, customers(order)))
	put("items_per_customer", share(pieces, customers(func(f fact) bool { return order(f) && f.pieces != nil })))
	put("answer_ratio", share(count(func(f fact) bool { return f.kind == "reply" }), count(func(f fact) bool { return f.kind == "question" })))
	put("csat", share(count(func(f fact) bool { return f.satisfied }), count(func(f fact) bool { return f.rated })))
	put("invite_rate", share(count(func(f fact) bool { return f.invited }), count(func(f fact) bool { return f.kind == "session" })))
	put("score", mean(func(f fact) *float64 {
		// A team's session counts once, with its last agent.
		if ofAgent || f.last {
			return f.score
		}
		return nil
	}))
	quality := func(f fact) bool { return f.kind == "quality" }
	put("hit_rate", share(sessions(func(f fact) bool { return quality(f) && f.severe }), sessions(quality)))
	put("appeal_rate", share(count(func(f fact) bool { return f.appealed }), count(func(f fact) bool { return f.kind == "hit" })))
	put("appeal_won_rate", share(count(func(f fact) bool { return f.won }), count(func(f fact) bool { return f.decided })))
	put("is_final", strconv.FormatBool(day.AddDate(0, 0, p.lag).Before(today)))
	price, n := new(big.Rat), int64(0)
	for _, f := range facts {
		if order(f) {
			price.Add(price, f.priced)
			n += f.pricedPieces
		}
	}
	v, _ := price.Float64()
	put("item_price", share(v, float64(n)))
	return b.String()
}

// share is null where nothing can be divided by.
func share(a, b float64) string {
	if b == 0 {
		return "null"
	}
	return number(a / b)
}

// number has nine digits: enough to tell two figures apart, few enough to forgive the order of a sum.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }
