package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/schemas"
)

// The page of a session needs the rows of eight views. Each view is planned anew for each query, which takes the engine ten
// times as long as to read the session, so Session reads the row behind them once and says what they say: the views stay
// the contract, and TestSessionIsThatOfTheViews holds this file to them.

// Session is what is known of one session and what reviewers made of it, as the views sessions, turns, mentions, rounds,
// hits, outcomes, scorecard_items and scorecards have it. Arrays of one prefix run alike.
type Session struct {
	SessionID  string            `ch:"session_id"`
	StartedAt  *time.Time        `ch:"started_at"`
	EndedAt    *time.Time        `ch:"ended_at"`
	Day        Day               `ch:"day"`
	Closed     bool              `ch:"closed"`
	Channel    string            `ch:"channel"`
	Source     string            `ch:"source"`
	Shop       string            `ch:"shop"`
	Business   string            `ch:"business"`
	SkillGroup string            `ch:"skill_group"`
	Product    string            `ch:"product"`
	CustomerID string            `ch:"customer_id"`
	AgentID    string            `ch:"agent_id"`
	AgentName  string            `ch:"agent_name"`
	Team       string            `ch:"team"`
	AgentIDs   []string          `ch:"agent_ids"`
	MediaURL   string            `ch:"media_url"`
	Attributes map[string]string `ch:"attributes"`

	Score        *float64 `ch:"score"`
	Flagged      bool     `ch:"flagged"`
	Severity     string   `ch:"severity"`
	Experience   float64  `ch:"experience"`
	EmotionStart string   `ch:"emotion_start"`
	EmotionEnd   string   `ch:"emotion_end"`
	RulesVersion string   `ch:"rules_version"`
	ModelVersion string   `ch:"model_version"`
	CodeVersion  string   `ch:"code_version"`
	Epoch        uint32   `ch:"epoch"`
	RunID        uint64   `ch:"run_id"`
	Version      uint64   `ch:"version"`
	Topic        string   `ch:"topic"`
	Partition    int32    `ch:"partition"`
	OffsetMin    int64    `ch:"offset_min"`
	OffsetMax    int64    `ch:"offset_max"`

	Turns      uint32   `ch:"fact_turns"`
	DurationMS *int64   `ch:"fact_duration_ms"`
	FirstMS    *int64   `ch:"fact_first_reply_ms"`
	AvgMS      *float64 `ch:"fact_avg_reply_ms"`
	MaxMS      *int64   `ch:"fact_max_reply_ms"`
	Rounds     uint32   `ch:"fact_rounds"`
	Unanswered uint32   `ch:"fact_unanswered"`
	TalkShare  *float64 `ch:"fact_talk_share"`
	SilenceMS  *int64   `ch:"fact_silence_ms"`
	OverlapMS  *int64   `ch:"fact_overlap_ms"`

	CoverageWhat  []string `ch:"coverage_what"`
	CoverageWhy   []string `ch:"coverage_why"`
	CoverageCount []uint32 `ch:"coverage_count"`

	TurnSeq        []int64      `ch:"turn_seq"`
	TurnRole       []string     `ch:"turn_role"`
	TurnAgent      []string     `ch:"turn_agent"` // of an agent turn without one the agent of the session
	TurnText       []string     `ch:"turn_text"`
	TurnAt         []*time.Time `ch:"turn_at"`
	TurnStartMS    []*int64     `ch:"turn_start_ms"`
	TurnEndMS      []*int64     `ch:"turn_end_ms"`
	TurnConfidence []*float64   `ch:"turn_confidence"`
	TurnAuto       []bool       `ch:"turn_auto"`
	TurnEmotion    []string     `ch:"turn_emotion"`
	TurnPolarity   []float32    `ch:"turn_polarity"`
	TurnLanguage   []string     `ch:"languages"`

	MentionID         []string `ch:"mention_id"`
	MentionTurn       []int64  `ch:"mention_turn"`
	MentionText       []string `ch:"mention_text"`
	MentionStart      []uint32 `ch:"mention_start"`
	MentionEnd        []uint32 `ch:"mention_end"`
	MentionKind       []string `ch:"mention_kind"`
	MentionAspect     []string `ch:"mention_aspect"`
	MentionValuable   []bool   `ch:"mention_valuable"`
	MentionProduct    []string `ch:"mention_product"`
	MentionPolarity   []string `ch:"mention_polarity"`
	MentionOpinion    []string `ch:"mention_opinion"` // merges not resolved
	MentionDepartment []string `ch:"mention_department"`

	RoundAgent     []string     `ch:"round_agent"`
	RoundTurn      []int64      `ch:"round_turn"`
	RoundReply     []*int64     `ch:"round_reply"`
	RoundMS        []*int64     `ch:"round_reply_ms"`
	RoundAskedAt   []*time.Time `ch:"round_asked_at"`
	RoundRepliedAt []*time.Time `ch:"round_replied_at"`

	HitID       []string  `ch:"hit_id"`
	HitRule     []string  `ch:"hit_rule"`
	HitVersion  []string  `ch:"hit_rule_version"`
	HitAgent    []string  `ch:"hit_agent"`
	HitOutcome  []string  `ch:"hit_outcome"`
	HitSeverity []string  `ch:"hit_severity"`
	HitPoints   []float64 `ch:"hit_points"`
	HitReason   []string  `ch:"hit_reason"`
	HitItem     []string  `ch:"items"`
	HitTakes    []float64 `ch:"takes"`
	HitCap      []float64 `ch:"caps"`
	HitCritical []string  `ch:"criticals"`

	EvidenceHit   []uint32 `ch:"evidence_hit"` // number of the hit, from 1
	EvidenceTurn  []int64  `ch:"evidence_turn"`
	EvidenceStart []uint32 `ch:"evidence_start"`
	EvidenceEnd   []uint32 `ch:"evidence_end"`

	OutcomeRule  []string `ch:"outcome_rule"`
	OutcomeValue []string `ch:"outcome_value"`

	CardID    []string   `ch:"scorecard_id"`
	CardName  []string   `ch:"scorecard_name"`
	CardScore []*float64 `ch:"scorecard_score"`

	ItemCard    []string   `ch:"item_scorecard"`
	ItemID      []string   `ch:"item_id"`
	ItemPoints  []*float64 `ch:"item_points"` // by the rules
	ItemMax     []float64  `ch:"item_max"`
	ItemOutcome []string   `ch:"item_outcome"`
	ItemHuman   []bool     `ch:"item_human"`
	ItemWeight  []float64  `ch:"weights"`
	ItemBase    []float64  `ch:"bases"`
	ItemLocked  []bool     `ch:"locked"`

	Review SessionReview
}

// SessionReview is what reviewers made of a session: its row of review_states, empty without one.
type SessionReview struct {
	HitID       []string     `ch:"hit_id"`
	HitState    []string     `ch:"state"`
	HitDecision []string     `ch:"decision"`
	HitConflict []bool       `ch:"conflict"`
	HitFinal    []bool       `ch:"final"`
	HitUntil    []*time.Time `ch:"appeal_until"`
	Void        []string     `ch:"void_hits"`
	Decided     []string     `ch:"decided_hits"`
	Appealed    []string     `ch:"appealed_hits"`
	Conflicts   []string     `ch:"conflict_hits"`
	ScoredItem  []string     `ch:"scored_items"`
	ScoredPoint []float64    `ch:"scored_points"`
	Assignee    string       `ch:"assignee"`
	Done        bool         `ch:"done"`
}

const sessionColumns = `session_id, started_at, ended_at, toDate(started_at, (SELECT any(value) FROM settings FINAL WHERE name = 'timezone')) AS day, closed, channel, source, shop, business, skill_group, product, customer_id, agent_id, agent_name, team, agent_ids,
	media_url, attributes, score, flagged, severity, experience, emotion_start, emotion_end, rules_version, model_version, code_version, epoch, run_id, version, topic, partition, offset_min, offset_max,
	fact_turns, fact_duration_ms, fact_first_reply_ms, fact_avg_reply_ms, fact_max_reply_ms, fact_rounds, fact_unanswered, fact_talk_share, fact_silence_ms, fact_overlap_ms,
	coverage_what, coverage_why, coverage_count,
	turn_seq, turn_role, turn_agent, turn_text, turn_at, turn_start_ms, turn_end_ms, turn_confidence, turn_auto, turn_emotion, turn_polarity, arrayResize(turn_language, length(turn_seq)) AS languages,
	mention_id, mention_turn, mention_text, mention_start, mention_end, mention_kind, mention_aspect, mention_valuable, mention_product, mention_polarity, mention_department, mention_opinion,
	round_agent, round_turn, round_reply, round_reply_ms, round_asked_at, round_replied_at,
	hit_id, hit_rule, hit_rule_version, hit_agent, hit_outcome, hit_severity, hit_points, hit_reason, arrayResize(hit_item, length(hit_id)) AS items,
	if(length(hit_takes) = length(hit_id), hit_takes, hit_points) AS takes, arrayResize(hit_cap, length(hit_id)) AS caps, arrayResize(hit_critical, length(hit_id)) AS criticals,
	evidence_hit, evidence_turn, evidence_start, evidence_end, outcome_rule, outcome_value, scorecard_id, scorecard_name, scorecard_score,
	item_scorecard, item_id, item_points, item_max, item_outcome, item_human,
	arrayMap((w, m) -> if(w > 0, w, m), arrayResize(item_weight, length(item_id)), item_max) AS weights, arrayResize(item_base, length(item_id)) AS bases, arrayResize(item_locked, length(item_id)) AS locked`

const sessionReviewColumns = "hit_states.hit_id AS hit_id, hit_states.state AS state, hit_states.decision AS decision, hit_states.conflict AS conflict, hit_states.final AS final, " +
	"hit_states.appeal_until AS appeal_until, void_hits, decided_hits, appealed_hits, conflict_hits, scored_items, scored_points, assignee, done"

// Session reads what the views show of one session; nil where they show none. It is safe for concurrent use.
func (w *Warehouse) Session(ctx context.Context, id string) (*Session, error) {
	// One row has no work for two threads.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1}))
	var list []Session
	var reviews []SessionReview
	g, gctx := errgroup.WithContext(ctx)
	byID := clickhouse.Named("id", id)
	g.Go(func() error {
		return w.conn.Select(gctx, &list, switchList+"SELECT "+sessionColumns+" FROM analyses FINAL WHERE session_id = {id:String} AND "+isShown, byID)
	})
	g.Go(func() error {
		return w.conn.Select(gctx, &reviews, "SELECT "+sessionReviewColumns+" FROM review_states FINAL WHERE session_id = {id:String}", byID)
	})
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("cannot read the session: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	s := &list[0]
	if len(reviews) > 0 {
		s.Review = reviews[0]
	}
	for i, role := range s.TurnRole {
		if role == string(schemas.Agent) && s.TurnAgent[i] == "" {
			s.TurnAgent[i] = s.AgentID
		}
	}
	if agent := s.agent(); agent != "" && (s.Team == "" || s.AgentName == "") {
		var known []struct {
			Name string `ch:"name"`
			Team string `ch:"team"`
		}
		sql := "SELECT name, team FROM agents FINAL WHERE agent_id = {agent:String}"
		args := []any{clickhouse.Named("agent", agent)}
		if s.StartedAt != nil {
			sql += " AND valid_from <= fromUnixTimestamp64Milli({at:Int64})"
			args = append(args, clickhouse.Named("at", s.StartedAt.UnixMilli()))
		}
		if err := w.conn.Select(ctx, &known, sql+" ORDER BY valid_from DESC LIMIT 1", args...); err != nil {
			return nil, fmt.Errorf("cannot read whose the session is: %w", err)
		}
		if len(known) > 0 {
			s.Team, s.AgentName = cmp.Or(s.Team, known[0].Team), cmp.Or(s.AgentName, known[0].Name)
		}
	}
	return s, nil
}

// agent is the agent by whom the team of the session is known.
func (s *Session) agent() string {
	if s.AgentID == "" && len(s.AgentIDs) > 0 {
		return s.AgentIDs[0]
	}
	return s.AgentID
}

// voided says whether the hit of a number, from 0, counts no longer.
func (s *Session) voided(i int) bool { return slices.Contains(s.Review.Void, s.HitID[i]) }

// anyVoid says whether a hit of the session counts no longer.
func (s *Session) anyVoid() bool {
	return slices.ContainsFunc(s.HitID, func(h string) bool { return slices.Contains(s.Review.Void, h) })
}

// FinalScore is the score without the hits that were dismissed or overturned, as final_score of sessions: where nothing
// was, what the rules made it.
func (s *Session) FinalScore() *float64 {
	if s.Score == nil || !s.anyVoid() {
		return s.Score
	}
	total := 100.0
	count := map[string]float64{}
	for i, r := range s.HitRule {
		if !s.voided(i) {
			count[r]++
		}
	}
	seen := map[string]bool{}
	for i, r := range s.HitRule {
		if s.voided(i) {
			continue
		}
		switch {
		case s.HitCritical[i] == "whole":
			total += -1e9
		case s.HitItem[i] != "":
		case s.HitCap[i] >= 0:
			total += s.HitTakes[i]
		case !seen[r]: // the hits of a rule that counts each place share its cap
			total += max(s.HitTakes[i]*count[r], s.HitCap[i])
		}
		seen[r] = true
	}
	total = max(0, min(100, total))
	return &total
}

// Reviewed says whether nothing is left to review, as in sessions: a reviewer said so, or every major or critical hit is
// decided, or where there is none every hit that costs points.
func (s *Session) Reviewed() bool {
	if s.Review.Done {
		return true
	}
	severe := slices.Contains(s.HitSeverity, schemas.Major) || slices.Contains(s.HitSeverity, schemas.Critical)
	some := false
	for i, h := range s.HitID {
		weighty := s.HitPoints[i] < 0
		if severe {
			weighty = s.HitSeverity[i] == schemas.Major || s.HitSeverity[i] == schemas.Critical
		}
		if weighty && !slices.Contains(s.Review.Decided, h) {
			return false
		}
		some = some || weighty
	}
	return some
}

// OpenAppeals counts the hits with an open appeal, ConflictCount those whose last decision is in conflict.
func (s *Session) OpenAppeals() uint32   { return s.among(s.Review.Appealed) }
func (s *Session) ConflictCount() uint32 { return s.among(s.Review.Conflicts) }

func (s *Session) among(hits []string) uint32 {
	n := uint32(0)
	for _, h := range s.HitID {
		if slices.Contains(hits, h) {
			n++
		}
	}
	return n
}

// SessionItem is a row of scorecard_items.
type SessionItem struct {
	Card, Item  string
	Points      *float64 // of a human item those that the reviewer gave
	Max, Weight float64
	Outcome     string
	Human       bool
	Final       *float64 // without the hits that were dismissed or overturned
	locks       bool
}

// Items are the items of the scorecards in the order of the analysis, as scorecard_items has them.
func (s *Session) Items() []SessionItem {
	out := make([]SessionItem, len(s.ItemID))
	void := s.anyVoid()
	for i := range out {
		x := SessionItem{Card: s.ItemCard[i], Item: s.ItemID[i], Points: s.ItemPoints[i], Max: s.ItemMax[i], Weight: s.ItemWeight[i], Outcome: s.ItemOutcome[i], Human: s.ItemHuman[i]}
		place := x.Card + "." + x.Item
		if x.Human {
			x.Points = nil
			if at := slices.Index(s.Review.ScoredItem, place); at >= 0 {
				given := min(x.Max, s.Review.ScoredPoint[at])
				x.Points = &given
			}
		}
		x.Final = x.Points
		if !x.Human && x.Points != nil && void {
			left := s.ItemBase[i]
			seen := map[string]bool{}
			for j, r := range s.HitRule {
				if s.voided(j) {
					continue
				}
				if s.HitItem[j] == place && !seen[r] {
					left += s.HitTakes[j]
				}
				seen[r] = true
			}
			left = max(0, left)
			x.Final = &left
		}
		for j := range s.HitID {
			if !s.voided(j) && (s.HitCritical[j] == "whole" || s.HitCritical[j] == "group" && strings.HasPrefix(s.HitItem[j], x.Card+".")) {
				x.locks = true
			}
		}
		for j, c := range s.ItemCard {
			x.locks = x.locks || c == x.Card && s.ItemLocked[j]
		}
		out[i] = x
	}
	return out
}

// SessionCard is a row of scorecards.
type SessionCard struct {
	Card, Name string
	Score      *float64 // 0..100 by the rules
	Final      *float64 // without dismissed and overturned hits and with the points that people gave
	Unscored   uint64   // items that people are to score and have not
}

// Cards are the scorecards that have items, in the order of the analysis, as scorecards has them.
func (s *Session) Cards(items []SessionItem) []SessionCard {
	var out []SessionCard
	for i, id := range s.CardID {
		c := SessionCard{Card: id, Name: s.CardName[i], Score: s.CardScore[i]}
		best, got := 0.0, 0.0
		some, locked := false, false
		for _, x := range items {
			if x.Card != id {
				continue
			}
			some, locked = true, locked || x.locks
			if x.Human && x.Points == nil {
				c.Unscored++
			}
			if x.Final == nil {
				continue
			}
			best += x.Weight
			if x.Weight == x.Max {
				got += *x.Final
			} else {
				got += *x.Final / x.Max * x.Weight
			}
		}
		if !some {
			continue
		}
		if best != 0 {
			final := 0.0
			if !locked {
				final = math.Floor(got/best*1000+0.5) / 10
			}
			c.Final = &final
		}
		out = append(out, c)
	}
	return out
}
