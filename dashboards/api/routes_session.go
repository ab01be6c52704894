package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
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
	EndedAt    *time.Time        `json:"ended_at"`
	Day        Day               `json:"day" doc:"day of the start"`
	Source     string            `json:"source"`
	SkillGroup string            `json:"skill_group"`
	MediaURL   string            `json:"media_url" doc:"the recording; turns say where they are in it (start_ms)"`
	RulesV     string            `json:"rules_version"`
	ModelV     string            `json:"model_version"`
	CodeV      string            `json:"code_version"`
	Epoch      uint32            `json:"epoch"`
	RunID      uint64            `json:"run_id"`
	Version    uint64            `json:"version"`
	Topic      string            `json:"topic" doc:"Kafka topic of the messages, empty for files"`
	Partition  int32             `json:"partition"`
	OffsetMin  int64             `json:"offset_min"`
	OffsetMax  int64             `json:"offset_max"`
	Duration   *int64            `json:"duration_ms"`
	First      *int64            `json:"first_reply_ms"`
	Avg        *float64          `json:"avg_reply_ms"`
	Longest    *int64            `json:"max_reply_ms"`
	RoundCount uint32            `json:"rounds"`
	Unanswered uint32            `json:"unanswered"`
	TalkShare  *float64          `json:"talk_share"`
	Silence    *int64            `json:"silence_ms"`
	Overlap    *int64            `json:"overlap_ms"`
	Attributes map[string]string `json:"attributes"`
}

// Turn is one utterance.
type Turn struct {
	Seq        int64      `json:"seq"`
	Position   uint32     `json:"position"`
	Role       string     `json:"role" enum:"customer,agent,bot,system"`
	Agent      string     `json:"agent_id"`
	At         *time.Time `json:"at"`
	StartMS    *int64     `json:"start_ms" doc:"calls: start in the recording"`
	EndMS      *int64     `json:"end_ms"`
	Text       string     `json:"text" doc:"masked"`
	Emotion    string     `json:"emotion"`
	Polarity   float32    `json:"polarity"`
	Auto       bool       `json:"auto" doc:"an automatic reply"`
	Confidence *float64   `json:"confidence" doc:"of the speech recognition"`
	Language   string     `json:"language"`
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
	ID       string     `json:"hit_id"`
	Rule     string     `json:"rule_id"`
	Name     string     `json:"rule_name" doc:"by the rules in use; empty for a rule that is gone"`
	Version  string     `json:"rule_version"`
	Agent    string     `json:"agent_id"`
	Outcome  string     `json:"outcome"`
	Severity string     `json:"severity"`
	Points   float64    `json:"points"`
	Reason   string     `json:"reason"`
	Decision string     `json:"decision" doc:"last decision, empty while undecided"`
	State    string     `json:"state" enum:"undecided,confirmed,dismissed,appealed,upheld,overturned"`
	Conflict bool       `json:"conflict" doc:"the last decision had not seen the one before it"`
	Final    bool       `json:"final" doc:"nothing follows"`
	Until    *time.Time `json:"appeal_until" doc:"until when the agent may appeal"`
	ItemOf   string     `json:"item" doc:"scorecard.item that it counts in instead of the score"`
	Evidence []Evidence `json:"evidence"`
}

// Outcome is what a rule said.
type Outcome struct {
	Rule    string `json:"rule_id"`
	Name    string `json:"rule_name"`
	Outcome string `json:"outcome" enum:"pass,fail,na,present,absent"`
}

// Item is an item of a scorecard.
type Item struct {
	Scorecard string   `json:"scorecard"`
	Item      string   `json:"item"`
	Points    *float64 `json:"points" doc:"null when not applicable or not yet scored"`
	Max       float64  `json:"max"`
	Outcome   string   `json:"outcome"`
	Human     bool     `json:"human" doc:"scored by a reviewer"`
	Final     *float64 `json:"final_points" doc:"without the hits that were dismissed or overturned"`
}

// Scorecard is what a scorecard adds up to.
type Scorecard struct {
	ID       string   `json:"scorecard"`
	Name     string   `json:"name"`
	Score    *float64 `json:"score" doc:"0..100 by the rules"`
	Final    *float64 `json:"final_score" doc:"without dismissed hits and with the points that people gave"`
	Unscored uint64   `json:"unscored" doc:"items that people are to score and have not"`
}

// Round is a wait of the customer.
type Round struct {
	Agent     string     `json:"agent_id"`
	Seq       int64      `json:"seq" doc:"turn it begins with"`
	Reply     *int64     `json:"reply_seq" doc:"turn that answers, null when unanswered"`
	MS        *int64     `json:"reply_ms"`
	AskedAt   *time.Time `json:"asked_at"`
	RepliedAt *time.Time `json:"replied_at"`
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

// readSession reads a session that the caller may see.
func (a *API) readSession(r *Request, id string) (*warehouse.Session, error) {
	s, err := a.Warehouse.Session(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if s == nil || !r.Scope.Allows(s.Team, s.AgentIDs) {
		return nil, NotFound("session")
	}
	return s, nil
}

func (a *API) session(r *Request) (any, error) {
	id := r.PathValue("session_id")
	s, err := a.readSession(r, id)
	if err != nil {
		return nil, err
	}
	// The page of an open session asks again every few seconds; somebody who watches it has opened it once.
	if s.Closed || a.watched.first(r.Who.User, id, a.Now()) {
		if err := access.Audit(r.Context(), access.ActionOpenSession, id, nil); err != nil {
			a.watched.forget(r.Who.User, id)
			return nil, err
		}
	}
	d := sessionDetail(s)
	var ratings []Rating
	q := a.reads(r.Context())
	q.all(&ratings, "SELECT score, max, comment, at FROM ratings WHERE session_id = {id:String}", named("id", id))
	if s.CustomerID != "" {
		// Orders lie in the order of their ids, which the inner query finds without merging what replaced what.
		q.all(&d.Orders, `SELECT order_id, shop, status, created_at, paid_at, amount, refund_amount, arrayMap(i -> concat(if(i.2 != '', i.2, i.1), ' × ', toString(i.3)), items) AS item_lines
			FROM orders WHERE order_id IN (SELECT order_id FROM order_rows WHERE customer_id = {customer:String}) AND customer_id = {customer:String} ORDER BY created_at DESC, order_id LIMIT 20`, named("customer", s.CustomerID))
	}
	q.run(func(ctx context.Context) error {
		x, err := a.facts(ctx)
		if err != nil {
			return err
		}
		names, err := a.agentNames(ctx, x)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(slices.Values(s.AgentIDs)) {
			if names[id] != "" {
				d.Agents = append(d.Agents, AgentName{id, names[id]})
			}
		}
		return a.titled(ctx, x, d)
	})
	if err := q.wait(); err != nil {
		return nil, err
	}
	if len(ratings) > 0 {
		d.Rating = &ratings[0]
	}
	return d, a.judge(r.Context(), d)
}

// sessionDetail is what the store says of a session, in the order of pages.
func sessionDetail(s *warehouse.Session) *SessionDetail {
	state := "open"
	if s.Closed {
		state = "closed"
	}
	d := &SessionDetail{Session: SessionHead{
		SessionRow: SessionRow{
			ID: s.SessionID, StartedAt: s.StartedAt, State: state, Channel: s.Channel, Shop: s.Shop, Business: s.Business, Team: s.Team, Agents: s.AgentIDs, AgentName: s.AgentName,
			Customer: s.CustomerID, Product: s.Product, Turns: s.Turns, Score: s.Score, Experience: s.Experience, Flagged: s.Flagged, Severity: s.Severity,
			EmotionStart: s.EmotionStart, EmotionEnd: s.EmotionEnd, FinalScore: s.FinalScore(), Reviewed: s.Reviewed(), Assignee: s.Review.Assignee, OpenAppeals: s.OpenAppeals(), Conflicts: s.ConflictCount(),
		},
		EndedAt: s.EndedAt, Day: s.Day, Source: s.Source, SkillGroup: s.SkillGroup, MediaURL: s.MediaURL, RulesV: s.RulesVersion, ModelV: s.ModelVersion, CodeV: s.CodeVersion,
		Epoch: s.Epoch, RunID: s.RunID, Version: s.Version, Topic: s.Topic, Partition: s.Partition, OffsetMin: s.OffsetMin, OffsetMax: s.OffsetMax,
		Duration: s.DurationMS, First: s.FirstMS, Avg: s.AvgMS, Longest: s.MaxMS, RoundCount: s.Rounds, Unanswered: s.Unanswered,
		TalkShare: s.TalkShare, Silence: s.SilenceMS, Overlap: s.OverlapMS, Attributes: s.Attributes,
	}}
	for i := range s.CoverageWhat {
		d.Coverage = append(d.Coverage, Covered{s.CoverageWhat[i], s.CoverageWhy[i], s.CoverageCount[i]})
	}
	for i := range s.TurnSeq {
		d.Turns = append(d.Turns, Turn{
			Seq: s.TurnSeq[i], Position: uint32(i + 1), Role: s.TurnRole[i], Agent: s.TurnAgent[i], At: s.TurnAt[i], StartMS: s.TurnStartMS[i], EndMS: s.TurnEndMS[i], Text: s.TurnText[i],
			Emotion: s.TurnEmotion[i], Polarity: s.TurnPolarity[i], Auto: s.TurnAuto[i], Confidence: s.TurnConfidence[i], Language: s.TurnLanguage[i],
		})
	}
	for i := range s.MentionID {
		d.Mentions = append(d.Mentions, Mention{
			ID: s.MentionID[i], Seq: s.MentionTurn[i], Text: s.MentionText[i], Start: s.MentionStart[i], End: s.MentionEnd[i], Kind: s.MentionKind[i], Aspect: s.MentionAspect[i],
			Valuable: s.MentionValuable[i], Product: s.MentionProduct[i], Polarity: s.MentionPolarity[i], Opinion: s.MentionOpinion[i], Department: s.MentionDepartment[i],
		})
	}
	slices.SortStableFunc(d.Mentions, func(x, y Mention) int {
		return cmp.Or(cmp.Compare(x.Seq, y.Seq), cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End))
	})
	for i, id := range s.HitID {
		h := Hit{
			ID: id, Rule: s.HitRule[i], Version: s.HitVersion[i], Agent: s.HitAgent[i], Outcome: s.HitOutcome[i], Severity: s.HitSeverity[i], Points: s.HitPoints[i], Reason: s.HitReason[i],
			State: "undecided", ItemOf: s.HitItem[i],
		}
		if at := slices.Index(s.Review.HitID, id); at >= 0 {
			h.Decision, h.Conflict, h.Final, h.Until = s.Review.HitDecision[at], s.Review.HitConflict[at], s.Review.HitFinal[at], s.Review.HitUntil[at]
			h.State = cmp.Or(s.Review.HitState[at], h.State)
		}
		for j, n := range s.EvidenceHit {
			if int(n) == i+1 {
				h.Evidence = append(h.Evidence, Evidence{s.EvidenceTurn[j], s.EvidenceStart[j], s.EvidenceEnd[j]})
			}
		}
		d.Hits = append(d.Hits, h)
	}
	slices.SortStableFunc(d.Hits, func(x, y Hit) int {
		return cmp.Or(-cmp.Compare(schemas.SeverityRank(x.Severity), schemas.SeverityRank(y.Severity)), cmp.Compare(x.Points, y.Points), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.ID, y.ID))
	})
	for i := range s.OutcomeRule {
		d.Outcomes = append(d.Outcomes, Outcome{Rule: s.OutcomeRule[i], Outcome: s.OutcomeValue[i]})
	}
	slices.SortStableFunc(d.Outcomes, func(x, y Outcome) int { return cmp.Compare(x.Rule, y.Rule) })
	items := s.Items()
	for _, x := range items {
		d.Items = append(d.Items, Item{x.Card, x.Item, x.Points, x.Max, x.Outcome, x.Human, x.Final})
	}
	slices.SortStableFunc(d.Items, func(x, y Item) int { return cmp.Or(cmp.Compare(x.Scorecard, y.Scorecard), cmp.Compare(x.Item, y.Item)) })
	for _, x := range s.Cards(items) {
		d.Cards = append(d.Cards, Scorecard{x.Card, x.Name, x.Score, x.Final, x.Unscored})
	}
	slices.SortStableFunc(d.Cards, func(x, y Scorecard) int { return cmp.Compare(x.ID, y.ID) })
	for i := range s.RoundTurn {
		d.Rounds = append(d.Rounds, Round{s.RoundAgent[i], s.RoundTurn[i], s.RoundReply[i], s.RoundMS[i], s.RoundAskedAt[i], s.RoundRepliedAt[i]})
	}
	slices.SortStableFunc(d.Rounds, func(x, y Round) int { return cmp.Compare(x.Seq, y.Seq) })
	return d
}

// titled resolves the merges of the opinions that a session mentions and adds their titles.
func (a *API) titled(ctx context.Context, x facts, d *SessionDetail) error {
	if !slices.ContainsFunc(d.Mentions, func(m Mention) bool { return m.Opinion != "" }) {
		return nil
	}
	known, err := a.registered(ctx, x)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range d.Mentions {
		m := &d.Mentions[i]
		if target, merged := known.merged[m.Opinion]; merged {
			m.Opinion = target
		}
		if title := known.title(m.Opinion); title != "" && !seen[m.Opinion] {
			seen[m.Opinion] = true
			d.Opinions = append(d.Opinions, OpinionRef{m.Opinion, title})
		}
	}
	slices.SortFunc(d.Opinions, func(x, y OpinionRef) int { return cmp.Compare(x.ID, y.ID) })
	return nil
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
