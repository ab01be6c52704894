package schemas

import "time"

// Analysis is one analysed session: the output of the pure function (transcript, rules, models, registry epoch).
// Equal inputs give equal bytes; it holds no processing times.
type Analysis struct {
	SessionID string
	// Version is transcripts.version << 28 | epoch: a re-analysis under a newer epoch or of a larger transcript wins.
	Version uint64
	// Epoch numbers the snapshot of the opinion registry used, 28 bits.
	Epoch   uint32
	RunID   uint64 // 0 = live
	Closed  bool
	Meta    Meta
	EndedAt time.Time
	// StartedAt is Meta.StartedAt, else the time of the first turn that has one.
	StartedAt time.Time
	// AgentIDs are the distinct agents in order of their first turn.
	AgentIDs   []string
	Turns      []AnalysedTurn
	Mentions   []Mention
	Rounds     []Round
	Findings   Findings
	Experience float64 // -1..1, predicted customer satisfaction
	// EmotionStart and EmotionEnd are the emotions of the customer's first and last turn, "" without one.
	EmotionStart string
	EmotionEnd   string
	Facts        Facts
	Coverage     []CoverageNote
	RulesVersion string
	ModelVersion string
	Origin       Origin
}

// AnalysedTurn is a turn with its emotion.
type AnalysedTurn struct {
	TranscriptTurn
	Emotion  Emotion
	Scores   [EmotionCount]float32
	Polarity float32
	// Language is "zh", "en", or "" where the turn has no words.
	Language string
}

// Mention is an opinion mention of a session. MentionID = 16 hex of a hash over session, turn key, start and text.
type Mention struct {
	MentionID  string `json:"mention_id"`
	Turn       int64  `json:"turn"` // seq of the turn
	Text       string `json:"text"`
	Start      int    `json:"start"` // bytes of the masked turn text
	End        int    `json:"end"`
	Kind       string `json:"kind"`
	Aspect     string `json:"aspect"`
	Valuable   bool   `json:"valuable"`
	Product    string `json:"product"`
	Polarity   string `json:"polarity"`
	OpinionID  string `json:"opinion_id"` // "" while waiting
	Department string `json:"department"`
}

// Findings is what the rules say about one session.
type Findings struct {
	Hits       []Hit
	Outcomes   map[string]string // rule id -> pass | fail | na | present | absent
	Score      Opt[float64]      // 0..100; absent without an agent turn
	Scorecards []Scorecard
	Flagged    bool
	Notes      []CoverageNote
}

// Hit is one finding of a rule that costs points or is worth a look.
type Hit struct {
	// HitID = 16 hex of a hash over session, rule and turn key of the first evidence, so it survives reruns and late turns.
	HitID       string     `json:"hit_id"`
	RuleID      string     `json:"rule_id"`
	RuleVersion string     `json:"rule_version"`
	AgentID     string     `json:"agent_id"` // of the evidence; of an absence, the agent nearest the searched range
	Outcome     string     `json:"outcome"`
	Severity    string     `json:"severity"`
	Points      float64    `json:"points"`
	Evidence    []Evidence `json:"evidence"`
	Reason      string     `json:"reason"`
	// Weight lets a score be worked out again without this hit. The zero value weighs nothing.
	Weight HitWeight `json:"-"`
}

// HitWeight is how a hit bears on score and scorecards. The hits of one rule in a session together take
// max(n x Takes, Cap) off the score where Cap is below 0, else n x Takes; or, where Item is set, Takes once off that item.
type HitWeight struct {
	Takes    float64 // <= 0; of an achievement that feeds an item above 0: what the item would lack without it
	Cap      float64 // <= 0, 0 = none
	Item     string  // scorecard.item, "" for none
	Critical string  // what it sets to 0: "item", "group" (the scorecard), "whole" (score and all scorecards), or ""
}

// Evidence is the place a hit rests on: a turn (its seq) and bytes of its masked text.
type Evidence struct {
	Turn  int64 `json:"turn"`
	Start int   `json:"start"`
	End   int   `json:"end"`
}

// Scorecard is a group of scored items.
type Scorecard struct {
	ID    string          `json:"id"`
	Name  string          `json:"name"`
	Score Opt[float64]    `json:"score"` // 0..100; absent when every item is na
	Items []ScorecardItem `json:"items"`
}

// ScorecardItem is one item of a scorecard; a human item is scored in review.
type ScorecardItem struct {
	ID      string       `json:"id"`
	Points  Opt[float64] `json:"points"`
	Max     float64      `json:"max"`
	Outcome string       `json:"outcome"`
	Human   bool         `json:"human,omitempty"`
	// Weight is the share of the item in its scorecard.
	Weight float64 `json:"-"`
	// Base is what the item would reach without any hit; it may be below 0, which counts as 0.
	Base float64 `json:"-"`
	// Locked: something that is no hit (an observation that is absent) sets the whole scorecard to 0.
	Locked bool `json:"-"`
}

// Round is a customer's wait for an agent: from the first customer turn after the start or after a valid reply to the
// next valid reply (role agent, not automatic, text not blank). It belongs to the replying agent, an unanswered one to
// the last agent. On calls it starts at end_ms of the customer's first turn, else at its start_ms.
type Round struct {
	AgentID   string     `json:"agent_id"`
	Turn      int64      `json:"turn"`                // seq of the customer's first turn
	Reply     Opt[int64] `json:"reply,omitzero"`      // seq of the valid reply
	AskedAt   time.Time  `json:"asked_at,omitzero"`   // zero without a time
	RepliedAt time.Time  `json:"replied_at,omitzero"` // zero when unanswered or without a time
	ReplyMS   Opt[int64] `json:"reply_ms,omitzero"`   // never negative
	Customers int        `json:"customer_turns"`      // customer turns in the round
	Replies   int        `json:"valid_replies"`       // valid replies up to the next round
	First     bool       `json:"first,omitempty"`     // the session's first round
}

// Facts are measured timings and counts of the conversation itself, never of its processing.
type Facts struct {
	Turns         int          `json:"turns"`
	CustomerTurns int          `json:"customer_turns"`
	AgentTurns    int          `json:"agent_turns"`
	BotTurns      int          `json:"bot_turns"`
	DurationMS    Opt[int64]   `json:"duration_ms,omitzero"`
	FirstReplyMS  Opt[int64]   `json:"first_reply_ms,omitzero"`
	AvgReplyMS    Opt[float64] `json:"avg_reply_ms,omitzero"`
	MaxReplyMS    Opt[int64]   `json:"max_reply_ms,omitzero"`
	Rounds        int          `json:"rounds"`
	Unanswered    int          `json:"unanswered_rounds"`
	TalkShare     Opt[float64] `json:"agent_talk_share,omitzero"` // agent characters / all characters of customer and agent
	SilenceMS     Opt[int64]   `json:"silence_ms,omitzero"`       // calls: sum of gaps between consecutive turns
	OverlapMS     Opt[int64]   `json:"overlap_ms,omitzero"`       // calls: sum of time both spoke
}
