package warehouse

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

var roleCodes = map[schemas.Role]int8{schemas.Customer: 0, schemas.Agent: 1, schemas.Bot: 2, schemas.System: 3}

// roleCode is the number of a role in the tables. Decoding lets no other role through; one made by hand is kept as
// system, which neither starts nor answers anything.
func roleCode(r schemas.Role) int8 {
	if code, ok := roleCodes[r]; ok {
		return code
	}
	return roleCodes[schemas.System]
}

// count clamps a count or an offset, which is never negative, to its column.
func count(n int) uint32 { return uint32(max(0, min(n, math.MaxUint32))) }

// sortedMap gives the client a map in the order of its keys, so that equal maps are equal bytes in the table.
type sortedMap struct {
	m    map[string]string
	keys []string
	i    int
}

var _ chcolumn.IterableOrderedMap = (*sortedMap)(nil)

// attributes is a map for a column.
func attributes(m map[string]string) *sortedMap {
	s := &sortedMap{m: m, i: -1}
	if len(m) > 0 {
		s.keys = slices.Sorted(maps.Keys(m))
	}
	return s
}

// Put is of the client's interface, for reading.
func (s *sortedMap) Put(any, any) {}

// Iterator is the map itself: it is read once.
func (s *sortedMap) Iterator() chcolumn.MapIterator { return s }

func (s *sortedMap) Next() bool { s.i++; return s.i < len(s.keys) }
func (s *sortedMap) Key() any   { return s.keys[s.i] }
func (s *sortedMap) Value() any { return s.m[s.keys[s.i]] }

// metaColumns are the columns that transcripts and analyses share.
func metaColumns[R any](meta func(*R) *schemas.Meta) []tableColumn[R] {
	return []tableColumn[R]{
		scalar("updated_at", func(r *R) *time.Time { return timeOf(&meta(r).UpdatedAt) }),
		scalar("channel", func(r *R) *string { return &meta(r).Channel }),
		scalar("source", func(r *R) *string { return &meta(r).Source }),
		scalar("shop", func(r *R) *string { return &meta(r).Shop }),
		scalar("business", func(r *R) *string { return &meta(r).Business }),
		scalar("skill_group", func(r *R) *string { return &meta(r).SkillGroup }),
		scalar("product", func(r *R) *string { return &meta(r).Product }),
		scalar("customer_id", func(r *R) *string { return &meta(r).CustomerID }),
		scalar("agent_id", func(r *R) *string { return &meta(r).AgentID }),
		scalar("agent_name", func(r *R) *string { return &meta(r).AgentName }),
		scalar("team", func(r *R) *string { return &meta(r).Team }),
		scalar("media_url", func(r *R) *string { return &meta(r).MediaURL }),
		scalar("attributes", func(r *R) *sortedMap { return attributes(meta(r).Attributes) }),
	}
}

// turnColumns are the columns of turns that transcripts and analyses share.
func turnColumns[R, E any](in *inserter[R], turns func(*R) []E, turn func(*E) *schemas.Turn) {
	array(in, "turn_role", turns, func(e *E) int8 { return roleCode(turn(e).Role) })
	array(in, "turn_agent", turns, func(e *E) *string { return &turn(e).AgentID })
	array(in, "turn_text", turns, func(e *E) *string { return &turn(e).Text })
	array(in, "turn_start_ms", turns, func(e *E) *int64 { return optOf(&turn(e).StartMS) })
	array(in, "turn_end_ms", turns, func(e *E) *int64 { return optOf(&turn(e).EndMS) })
	array(in, "turn_confidence", turns, func(e *E) *float64 { return optOf(&turn(e).Confidence) })
	array(in, "turn_auto", turns, func(e *E) bool { return turn(e).Auto })
	array(in, "turn_at", turns, func(e *E) *time.Time { return timeOf(&turn(e).At) })
}

func stateInserter() *inserter[assemble.State] {
	type S = assemble.State
	in := &inserter[S]{table: "transcripts", bytes: func(s *S) int {
		n := 512 + 8*len(s.Seen)
		for i := range s.Turns {
			n += 128 + len(s.Turns[i].Text)
		}
		return n
	}}
	in.add(
		scalar("session_id", func(s *S) *string { return &s.SessionID }),
		scalar("version", func(s *S) uint64 { return s.Version() }),
		scalar("revision", func(s *S) *uint16 { return &s.Revision }),
		scalar("closed", func(s *S) bool { return s.Closed() }),
		scalar("meta_hash", func(s *S) *uint64 { return (*uint64)(&s.MetaHash) }),
		scalar("meta_repairs", func(s *S) *uint16 { return (*uint16)(&s.Meta.Repairs) }),
		scalar("started_at", func(s *S) *time.Time { return timeOf(&s.Meta.StartedAt) }),
		scalar("ended_at", func(s *S) *time.Time { return timeOf(&s.Meta.EndedAt) }),
		scalar("end_at", func(s *S) *time.Time { return timeOf(&s.EndAt) }),
		scalar("end_hash", func(s *S) *uint64 { return (*uint64)(&s.EndHash) }),
		scalar("truncated", func(s *S) bool { return s.Truncated }),
		scalar("topic", func(s *S) *string { return &s.Origin.Topic }),
		scalar("partition", func(s *S) *int32 { return &s.Origin.Partition }),
		scalar("offset_min", func(s *S) *int64 { return &s.Origin.OffsetMin }),
		scalar("offset_max", func(s *S) *int64 { return &s.Origin.OffsetMax }),
	)
	in.add(metaColumns(func(s *S) *schemas.Meta { return &s.Meta })...)
	array(in, "seen", func(s *S) []assemble.Element { return s.Seen }, func(e *assemble.Element) *uint64 { return (*uint64)(e) })
	turns := func(s *S) []assemble.Turn { return s.Turns }
	turnColumns(in, turns, func(t *assemble.Turn) *schemas.Turn { return &t.Turn })
	array(in, "turn_key", turns, func(t *assemble.Turn) *string { return (*string)(&t.Key) })
	array(in, "turn_hash", turns, func(t *assemble.Turn) *uint64 { return (*uint64)(&t.Hash) })
	array(in, "turn_seq", turns, func(t *assemble.Turn) *int64 { return optOf(&t.Seq) })
	array(in, "turn_revision", turns, func(t *assemble.Turn) int64 { return int64(t.Revision) })
	array(in, "turn_attributes", turns, func(t *assemble.Turn) string { return attributesText(t.Attributes) })
	array(in, "turn_repairs", turns, func(t *assemble.Turn) *uint16 { return (*uint16)(&t.Repairs) })
	array(in, "turn_position", turns, func(t *assemble.Turn) *int32 { return &t.Position })
	array(in, "turn_order_at", turns, func(t *assemble.Turn) *time.Time { return timeOf(&t.OrderAt) })
	return in
}

// attributesText is a JSON object with sorted keys, "" for none.
func attributesText(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic("warehouse: strings always encode: " + err.Error())
	}
	return string(b)
}

func analysisInserter(codeVersion string) *inserter[schemas.Analysis] {
	type A = schemas.Analysis
	in := &inserter[A]{table: "analyses", bytes: func(a *A) int {
		n := 1024 + 256*(len(a.Mentions)+len(a.Rounds)+len(a.Findings.Hits))
		for i := range a.Turns {
			n += 160 + len(a.Turns[i].Text)
		}
		return n
	}}
	in.add(
		scalar("session_id", func(a *A) *string { return &a.SessionID }),
		scalar("run_id", func(a *A) *uint64 { return &a.RunID }),
		scalar("version", func(a *A) *uint64 { return &a.Version }),
		scalar("epoch", func(a *A) *uint32 { return &a.Epoch }),
		scalar("closed", func(a *A) *bool { return &a.Closed }),
		scalar("started_at", func(a *A) *time.Time { return timeOf(&a.StartedAt) }),
		scalar("ended_at", func(a *A) *time.Time { return timeOf(&a.EndedAt) }),
		scalar("revision", func(a *A) uint16 { return uint16(a.Meta.Revision) }),
		scalar("score", func(a *A) *float64 { return optOf(&a.Findings.Score) }),
		scalar("flagged", func(a *A) *bool { return &a.Findings.Flagged }),
		scalar("severity", func(a *A) string { return strongest(a.Findings.Hits) }),
		scalar("experience", func(a *A) *float64 { return &a.Experience }),
		scalar("emotion_start", func(a *A) *string { return &a.EmotionStart }),
		scalar("emotion_end", func(a *A) *string { return &a.EmotionEnd }),
		scalar("rules_version", func(a *A) *string { return &a.RulesVersion }),
		scalar("model_version", func(a *A) *string { return &a.ModelVersion }),
		scalar("code_version", func(*A) *string { return &codeVersion }),
		scalar("topic", func(a *A) *string { return &a.Origin.Topic }),
		scalar("partition", func(a *A) *int32 { return &a.Origin.Partition }),
		scalar("offset_min", func(a *A) *int64 { return &a.Origin.OffsetMin }),
		scalar("offset_max", func(a *A) *int64 { return &a.Origin.OffsetMax }),
		scalar("fact_turns", func(a *A) uint32 { return count(a.Facts.Turns) }),
		scalar("fact_customer_turns", func(a *A) uint32 { return count(a.Facts.CustomerTurns) }),
		scalar("fact_agent_turns", func(a *A) uint32 { return count(a.Facts.AgentTurns) }),
		scalar("fact_bot_turns", func(a *A) uint32 { return count(a.Facts.BotTurns) }),
		scalar("fact_duration_ms", func(a *A) *int64 { return optOf(&a.Facts.DurationMS) }),
		scalar("fact_first_reply_ms", func(a *A) *int64 { return optOf(&a.Facts.FirstReplyMS) }),
		scalar("fact_avg_reply_ms", func(a *A) *float64 { return optOf(&a.Facts.AvgReplyMS) }),
		scalar("fact_max_reply_ms", func(a *A) *int64 { return optOf(&a.Facts.MaxReplyMS) }),
		scalar("fact_rounds", func(a *A) uint32 { return count(a.Facts.Rounds) }),
		scalar("fact_unanswered", func(a *A) uint32 { return count(a.Facts.Unanswered) }),
		scalar("fact_talk_share", func(a *A) *float64 { return optOf(&a.Facts.TalkShare) }),
		scalar("fact_silence_ms", func(a *A) *int64 { return optOf(&a.Facts.SilenceMS) }),
		scalar("fact_overlap_ms", func(a *A) *int64 { return optOf(&a.Facts.OverlapMS) }),
	)
	in.add(metaColumns(func(a *A) *schemas.Meta { return &a.Meta })...)
	array(in, "agent_ids", func(a *A) []string { return a.AgentIDs }, func(s *string) *string { return s })

	type T = schemas.AnalysedTurn
	turns := func(a *A) []T { return a.Turns }
	turnColumns(in, turns, func(t *T) *schemas.Turn { return &t.Turn })
	array(in, "turn_seq", turns, func(t *T) *int64 { return &t.Seq.V })
	array(in, "turn_key", turns, func(t *T) *string { return (*string)(&t.Key) })
	array(in, "turn_valid", turns, func(t *T) bool { return analyse.ValidReply(&t.Turn) })
	array(in, "turn_emotion", turns, func(t *T) int8 { return int8(min(t.Emotion, schemas.Neutral)) })
	array(in, "turn_polarity", turns, func(t *T) *float32 { return &t.Polarity })
	array(in, "turn_language", turns, func(t *T) *string { return &t.Language })

	type M = schemas.Mention
	mentions := func(a *A) []M { return a.Mentions }
	array(in, "mention_id", mentions, func(m *M) *string { return &m.MentionID })
	array(in, "mention_turn", mentions, func(m *M) *int64 { return &m.Turn })
	array(in, "mention_text", mentions, func(m *M) *string { return &m.Text })
	array(in, "mention_start", mentions, func(m *M) uint32 { return count(m.Start) })
	array(in, "mention_end", mentions, func(m *M) uint32 { return count(m.End) })
	array(in, "mention_kind", mentions, func(m *M) *string { return &m.Kind })
	array(in, "mention_aspect", mentions, func(m *M) *string { return &m.Aspect })
	array(in, "mention_valuable", mentions, func(m *M) bool { return m.Valuable })
	array(in, "mention_product", mentions, func(m *M) *string { return &m.Product })
	array(in, "mention_polarity", mentions, func(m *M) *string { return &m.Polarity })
	array(in, "mention_opinion", mentions, func(m *M) *string { return &m.OpinionID })
	array(in, "mention_department", mentions, func(m *M) *string { return &m.Department })

	type R = schemas.Round
	rounds := func(a *A) []R { return a.Rounds }
	array(in, "round_agent", rounds, func(r *R) *string { return &r.AgentID })
	array(in, "round_turn", rounds, func(r *R) *int64 { return &r.Turn })
	array(in, "round_reply", rounds, func(r *R) *int64 { return optOf(&r.Reply) })
	array(in, "round_asked_at", rounds, func(r *R) *time.Time { return timeOf(&r.AskedAt) })
	array(in, "round_replied_at", rounds, func(r *R) *time.Time { return timeOf(&r.RepliedAt) })
	array(in, "round_reply_ms", rounds, func(r *R) *int64 { return optOf(&r.ReplyMS) })
	array(in, "round_customers", rounds, func(r *R) uint32 { return count(r.Customers) })
	array(in, "round_replies", rounds, func(r *R) uint32 { return count(r.Replies) })
	array(in, "round_first", rounds, func(r *R) bool { return r.First })

	findingColumns(in)
	addKPIColumns(in)
	return in
}

func strongest(hits []schemas.Hit) string {
	best := ""
	for i := range hits {
		if schemas.SeverityRank(hits[i].Severity) > schemas.SeverityRank(best) {
			best = hits[i].Severity
		}
	}
	return best
}
