package api

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/schemas"
)

// SessionDetail is one session with everything that was found in it.
type SessionDetail struct {
	Session   SessionHead  `json:"session"`
	Turns     []Turn       `json:"turns" doc:"in order"`
	Mentions  []Mention    `json:"mentions"`
	Hits      []Hit        `json:"hits" doc:"the severest first"`
	Outcomes  []Outcome    `json:"outcomes" doc:"what every rule said, also where it found nothing"`
	Items     []Item       `json:"scorecard_items"`
	Cards     []Scorecard  `json:"scorecards"`
	Rounds    []Round      `json:"rounds" doc:"waits of the customer"`
	Trail     []TrailLine  `json:"trail" doc:"the way from 100 to the score, line by line; empty without a score"`
	FlaggedBy []string     `json:"flagged_by" doc:"why it is flagged; empty where the rules are no longer those of the session"`
	Orders    []Order      `json:"orders" doc:"of the customer, newest first, at most 20"`
	Rating    *Rating      `json:"rating"`
	Agents    []AgentName  `json:"agents" doc:"names of the agents who took part"`
	Coverage  []Covered    `json:"coverage" doc:"what was skipped or mended and why"`
	Opinions  []OpinionRef `json:"opinions" doc:"titles of the opinions mentioned"`
}

// SessionHead is what is known of the session as a whole.
type SessionHead struct {
	SessionRow
	EndedAt    *time.Time        `ch:"ended_at" json:"ended_at"`
	Day        Day               `ch:"day" json:"day" doc:"day of the start"`
	Source     string            `ch:"source" json:"source"`
	SkillGroup string            `ch:"skill_group" json:"skill_group"`
	MediaURL   string            `ch:"media_url" json:"media_url" doc:"the recording; turns say where they are in it (start_ms)"`
	RulesV     string            `ch:"rules_version" json:"rules_version"`
	ModelV     string            `ch:"model_version" json:"model_version"`
	CodeV      string            `ch:"code_version" json:"code_version"`
	Epoch      uint32            `ch:"epoch" json:"epoch"`
	RunID      uint64            `ch:"run_id" json:"run_id"`
	Version    uint64            `ch:"version" json:"version"`
	Topic      string            `ch:"topic" json:"topic" doc:"Kafka topic of the messages, empty for files"`
	Partition  int32             `ch:"partition" json:"partition"`
	OffsetMin  int64             `ch:"offset_min" json:"offset_min"`
	OffsetMax  int64             `ch:"offset_max" json:"offset_max"`
	Duration   *int64            `ch:"duration_ms" json:"duration_ms"`
	First      *int64            `ch:"first_reply_ms" json:"first_reply_ms"`
	Avg        *float64          `ch:"avg_reply_ms" json:"avg_reply_ms"`
	Longest    *int64            `ch:"max_reply_ms" json:"max_reply_ms"`
	RoundCount uint32            `ch:"rounds" json:"rounds"`
	Unanswered uint32            `ch:"unanswered" json:"unanswered"`
	TalkShare  *float64          `ch:"talk_share" json:"talk_share"`
	Silence    *int64            `ch:"silence_ms" json:"silence_ms"`
	Overlap    *int64            `ch:"overlap_ms" json:"overlap_ms"`
	Attributes map[string]string `ch:"attributes" json:"attributes"`
	What       []string          `ch:"coverage_what" json:"-"`
	Why        []string          `ch:"coverage_why" json:"-"`
	Count      []uint32          `ch:"coverage_count" json:"-"`
}

// Turn is one utterance.
type Turn struct {
	Seq        int64      `ch:"seq" json:"seq"`
	Position   uint32     `ch:"position" json:"position"`
	Role       string     `ch:"role" json:"role" enum:"customer,agent,bot,system"`
	Agent      string     `ch:"agent_id" json:"agent_id"`
	At         *time.Time `ch:"at" json:"at"`
	StartMS    *int64     `ch:"start_ms" json:"start_ms" doc:"calls: start in the recording"`
	EndMS      *int64     `ch:"end_ms" json:"end_ms"`
	Text       string     `ch:"text" json:"text" doc:"masked"`
	Emotion    string     `ch:"emotion" json:"emotion"`
	Polarity   float32    `ch:"polarity" json:"polarity"`
	Auto       bool       `ch:"auto" json:"auto" doc:"an automatic reply"`
	Confidence *float64   `ch:"confidence" json:"confidence" doc:"of the speech recognition"`
	Language   string     `ch:"language" json:"language"`
}

// Mention is an opinion mention.
type Mention struct {
	ID         string `ch:"mention_id" json:"mention_id"`
	Seq        int64  `ch:"seq" json:"seq"`
	Text       string `ch:"text" json:"text"`
	Start      uint32 `ch:"start" json:"start" doc:"first byte in the text of the turn"`
	End        uint32 `ch:"end" json:"end" doc:"byte after the last"`
	Kind       string `ch:"kind" json:"kind"`
	Aspect     string `ch:"aspect" json:"aspect"`
	Valuable   bool   `ch:"valuable" json:"valuable"`
	Product    string `ch:"product" json:"product"`
	Polarity   string `ch:"polarity" json:"polarity"`
	Opinion    string `ch:"opinion_id" json:"opinion_id" doc:"empty while waiting"`
	Department string `ch:"department" json:"department"`
}

// Evidence is a place that a hit rests on.
type Evidence struct {
	Seq   int64  `json:"seq"`
	Start uint32 `json:"start" doc:"first byte in the text of the turn"`
	End   uint32 `json:"end" doc:"byte after the last"`
}

// Hit is a finding of a rule.
type Hit struct {
	ID       string     `ch:"hit_id" json:"hit_id"`
	Rule     string     `ch:"rule_id" json:"rule_id"`
	Name     string     `json:"rule_name" doc:"by the rules in use; empty for a rule that is gone"`
	Version  string     `ch:"rule_version" json:"rule_version"`
	Agent    string     `ch:"agent_id" json:"agent_id"`
	Outcome  string     `ch:"outcome" json:"outcome"`
	Severity string     `ch:"severity" json:"severity"`
	Points   float64    `ch:"points" json:"points"`
	Reason   string     `ch:"reason" json:"reason"`
	Decision string     `ch:"decision" json:"decision" doc:"last decision, empty while undecided"`
	State    string     `ch:"state" json:"state" enum:"undecided,confirmed,dismissed,appealed,upheld,overturned"`
	Conflict bool       `ch:"conflict" json:"conflict" doc:"the last decision had not seen the one before it"`
	Final    bool       `ch:"final" json:"final" doc:"nothing follows"`
	Until    *time.Time `ch:"appeal_until" json:"appeal_until" doc:"until when the agent may appeal"`
	ItemOf   string     `ch:"item" json:"item" doc:"scorecard.item that it counts in instead of the score"`
	Evidence []Evidence `json:"evidence"`
	Seqs     []int64    `ch:"seqs" json:"-"`
	Starts   []uint32   `ch:"starts" json:"-"`
	Ends     []uint32   `ch:"ends" json:"-"`
}

// Outcome is what a rule said.
type Outcome struct {
	Rule    string `ch:"rule_id" json:"rule_id"`
	Name    string `json:"rule_name"`
	Outcome string `ch:"outcome" json:"outcome" enum:"pass,fail,na,present,absent"`
}

// Item is an item of a scorecard.
type Item struct {
	Scorecard string   `ch:"scorecard" json:"scorecard"`
	Item      string   `ch:"item" json:"item"`
	Points    *float64 `ch:"points" json:"points" doc:"null when not applicable or not yet scored"`
	Max       float64  `ch:"max" json:"max"`
	Outcome   string   `ch:"outcome" json:"outcome"`
	Human     bool     `ch:"human" json:"human" doc:"scored by a reviewer"`
	Final     *float64 `ch:"final_points" json:"final_points" doc:"without the hits that were dismissed or overturned"`
}

// Scorecard is what a scorecard adds up to.
type Scorecard struct {
	ID       string   `ch:"scorecard" json:"scorecard"`
	Name     string   `ch:"name" json:"name"`
	Score    *float64 `ch:"score" json:"score" doc:"0..100 by the rules"`
	Final    *float64 `ch:"final_score" json:"final_score" doc:"without dismissed hits and with the points that people gave"`
	Unscored uint64   `ch:"unscored" json:"unscored" doc:"items that people are to score and have not"`
}

// Round is a wait of the customer.
type Round struct {
	Agent     string     `ch:"agent_id" json:"agent_id"`
	Seq       int64      `ch:"seq" json:"seq" doc:"turn it begins with"`
	Reply     *int64     `ch:"reply_seq" json:"reply_seq" doc:"turn that answers, null when unanswered"`
	MS        *int64     `ch:"reply_ms" json:"reply_ms"`
	AskedAt   *time.Time `ch:"asked_at" json:"asked_at"`
	RepliedAt *time.Time `ch:"replied_at" json:"replied_at"`
}

// TrailLine is one step towards the score.
type TrailLine struct {
	Rule     string  `json:"rule_id,omitempty"`
	Name     string  `json:"rule_name,omitempty"`
	Severity string  `json:"severity,omitempty"`
	Hit      string  `json:"hit_id,omitempty"`
	Seqs     []int64 `json:"seqs,omitempty"`
	Points   float64 `json:"points"`
	Note     string  `json:"note,omitempty"`
	Total    float64 `json:"total" doc:"the sum so far; of the last line the score"`
}

// Order is an order of the customer.
type Order struct {
	ID        string           `ch:"order_id" json:"order_id"`
	Shop      string           `ch:"shop" json:"shop"`
	Status    string           `ch:"status" json:"status" enum:"created,paid,shipped,refunded"`
	CreatedAt *time.Time       `ch:"created_at" json:"created_at"`
	PaidAt    *time.Time       `ch:"paid_at" json:"paid_at"`
	Amount    *decimal.Decimal `ch:"amount" json:"amount"`
	Refund    *decimal.Decimal `ch:"refund_amount" json:"refund_amount"`
	Items     []string         `ch:"item_lines" json:"items" doc:"name × quantity"`
}

// Rating is the customer's rating.
type Rating struct {
	Score   float64    `ch:"score" json:"score"`
	Max     float64    `ch:"max" json:"max"`
	Comment string     `ch:"comment" json:"comment"`
	At      *time.Time `ch:"at" json:"at"`
}

// Covered is something that was skipped or mended.
type Covered struct {
	What  string `json:"what"`
	Why   string `json:"why"`
	Count uint32 `json:"count" doc:"how often, 0 = not counted"`
}

// OpinionRef names an opinion.
type OpinionRef struct {
	ID    string `ch:"opinion_id" json:"opinion_id"`
	Title string `ch:"title" json:"title"`
}

const headColumns = sessionColumns + `, ended_at, day, source, skill_group, rules_version, model_version, code_version, epoch, run_id, version, media_url, topic, partition, offset_min, offset_max,
	duration_ms, first_reply_ms, avg_reply_ms, max_reply_ms, rounds, unanswered, talk_share, silence_ms, overlap_ms, attributes,
	arrayMap(c -> c.1, coverage) AS coverage_what, arrayMap(c -> c.2, coverage) AS coverage_why, arrayMap(c -> c.3, coverage) AS coverage_count`

const (
	turnColumns = "seq, position, role, agent_id, at, start_ms, end_ms, text, emotion, polarity, auto, confidence, language"
	hitColumns  = `hit_id, rule_id, rule_version, agent_id, outcome, severity, points, reason, decision, state, conflict, final, appeal_until, item,
		arrayMap(e -> e.1, evidence) AS seqs, arrayMap(e -> e.2, evidence) AS starts, arrayMap(e -> e.3, evidence) AS ends`
)

// head reads the head of a session that the caller may see.
func (a *API) head(r *Request, id string) (*SessionHead, error) {
	sql, p := r.Scope.Where("team", "agent_ids")
	var heads []SessionHead
	if err := a.Warehouse.Conn().Select(r.Context(), &heads, "SELECT "+headColumns+" FROM sessions WHERE session_id = {id:String} AND "+sql, params([]any{named("id", id)}, p)...); err != nil {
		return nil, err
	}
	if len(heads) == 0 {
		return nil, NotFound("session")
	}
	return &heads[0], nil
}

func (a *API) session(r *Request) (any, error) {
	id := r.PathValue("session_id")
	head, err := a.head(r, id)
	if err != nil {
		return nil, err
	}
	// The page of an open session asks again every few seconds; somebody who watches it has opened it once.
	if head.State != "open" || a.watched.first(r.Who.User, id, a.Now()) {
		if err := access.Audit(r.Context(), access.ActionOpenSession, id, nil); err != nil {
			a.watched.forget(r.Who.User, id)
			return nil, err
		}
	}
	d := &SessionDetail{Session: *head}
	byID := named("id", id)
	var ratings []Rating
	q := a.reads(r.Context())
	q.all(&d.Turns, "SELECT "+turnColumns+" FROM turns WHERE session_id = {id:String} ORDER BY position", byID)
	q.all(&d.Mentions, "SELECT mention_id, seq, text, start, end, kind, aspect, valuable, product, polarity, opinion_id, department FROM mentions WHERE session_id = {id:String} ORDER BY seq, start, end", byID)
	q.all(&d.Hits, "SELECT "+hitColumns+" FROM hits WHERE session_id = {id:String} ORDER BY "+rank+" DESC, points, rule_id, hit_id", byID)
	q.all(&d.Outcomes, "SELECT rule_id, outcome FROM outcomes WHERE session_id = {id:String} ORDER BY rule_id", byID)
	q.all(&d.Items, "SELECT scorecard, item, points, max, outcome, human, final_points FROM scorecard_items WHERE session_id = {id:String} ORDER BY scorecard, item", byID)
	q.all(&d.Rounds, "SELECT agent_id, seq, reply_seq, reply_ms, asked_at, replied_at FROM rounds WHERE session_id = {id:String} ORDER BY seq", byID)
	q.all(&ratings, "SELECT score, max, comment, at FROM ratings WHERE session_id = {id:String}", byID)
	if head.Customer != "" {
		q.all(&d.Orders, `SELECT order_id, shop, status, created_at, paid_at, amount, refund_amount, arrayMap(i -> concat(if(i.2 != '', i.2, i.1), ' × ', toString(i.3)), items) AS item_lines
			FROM orders WHERE customer_id = {customer:String} ORDER BY created_at DESC, order_id LIMIT 20`, named("customer", head.Customer))
	}
	if len(head.Agents) > 0 {
		q.run(func(ctx context.Context) error {
			x, err := a.facts(ctx)
			if err != nil {
				return err
			}
			return a.Warehouse.Conn().Select(ctx, &d.Agents, `SELECT toString(if(agent_id != '', agent_id, agent_ids[1])) AS agent, argMax(toString(agent_name), (ifNull(started_at, toDateTime64(0, 3, 'UTC')), agent_name)) AS latest
				FROM `+x.sessions("agent_name != '' AND has({agents:Array(String)}, if(agent_id != '', agent_id, agent_ids[1]))")+" GROUP BY agent ORDER BY agent", named("agents", head.Agents))
		})
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	// Views are planned anew for each request, which costs more than to read one session: what is not there is not asked for.
	q = a.reads(r.Context())
	if len(d.Items) > 0 {
		q.all(&d.Cards, "SELECT scorecard, name, score, final_score, unscored FROM scorecards WHERE session_id = {id:String} ORDER BY scorecard", byID)
	}
	var opinions []string
	for _, m := range d.Mentions {
		if m.Opinion != "" {
			opinions = append(opinions, m.Opinion)
		}
	}
	if len(opinions) > 0 {
		q.all(&d.Opinions, "SELECT opinion_id, title FROM opinion_heads WHERE opinion_id IN {opinions:Array(String)} ORDER BY opinion_id", named("opinions", opinions))
	}
	if err := q.wait(); err != nil {
		return nil, err
	}
	if len(ratings) > 0 {
		d.Rating = &ratings[0]
	}
	for i := range head.What {
		d.Coverage = append(d.Coverage, Covered{head.What[i], head.Why[i], head.Count[i]})
	}
	for i := range d.Hits {
		h := &d.Hits[i]
		for j := range h.Seqs {
			h.Evidence = append(h.Evidence, Evidence{h.Seqs[j], h.Starts[j], h.Ends[j]})
		}
	}
	return d, a.judge(r.Context(), d)
}

// judge adds what only the rules know: names, and how the score came about where they are still those of the session.
func (a *API) judge(ctx context.Context, d *SessionDetail) error {
	f := schemas.Findings{Flagged: d.Session.Flagged}
	if d.Session.Score != nil {
		f.Score = schemas.Some(*d.Session.Score)
	}
	set, names, err := a.ruleNames(ctx)
	if err != nil {
		return err
	}
	for i := range d.Hits {
		h := &d.Hits[i]
		h.Name = names[h.Rule]
		x := schemas.Hit{HitID: h.ID, RuleID: h.Rule, RuleVersion: h.Version, AgentID: h.Agent, Outcome: h.Outcome, Severity: h.Severity, Points: h.Points, Reason: h.Reason}
		for _, e := range h.Evidence {
			x.Evidence = append(x.Evidence, schemas.Evidence{Turn: e.Seq, Start: int(e.Start), End: int(e.End)})
		}
		f.Hits = append(f.Hits, x)
	}
	for i := range d.Outcomes {
		d.Outcomes[i].Name = names[d.Outcomes[i].Rule]
	}
	if !f.Score.OK {
		return nil
	}
	if set != nil && set.Version() == d.Session.RulesV {
		trail := set.ScoreTrail(&f)
		for _, l := range trail.Lines {
			d.Trail = append(d.Trail, TrailLine{l.RuleID, l.Name, l.Severity, l.HitID, l.Turns, l.Points, l.Note, l.Total})
		}
		d.FlaggedBy = trail.FlaggedBy
		return nil
	}
	// Other rules than those in use: what the hits cost, and what else there was.
	total := 100.0
	d.Trail = []TrailLine{{Points: 100, Total: total, Note: "every session begins with"}}
	for _, h := range d.Hits {
		if h.Points != 0 {
			total += h.Points
			line := TrailLine{Rule: h.Rule, Name: h.Name, Severity: h.Severity, Hit: h.ID, Points: h.Points, Total: total}
			for _, e := range h.Evidence {
				line.Seqs = append(line.Seqs, e.Seq)
			}
			d.Trail = append(d.Trail, line)
		}
	}
	if total != f.Score.V {
		d.Trail = append(d.Trail, TrailLine{Points: f.Score.V - total, Total: f.Score.V, Note: "by the rules of that time, which are no longer in use"})
	}
	return nil
}
