package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tingke/tingke/schemas"
)

// TextParts says which parts of SessionTexts are read.
type TextParts int

// Parts of SessionTexts; several are joined with |.
const (
	TurnTexts TextParts = 1 << iota
	MentionTexts
	HitTexts
)

// SessionTexts is what was said in a session, as the views turns, mentions and hits have it. Arrays of one prefix run alike;
// those of parts that were not asked for are empty.
type SessionTexts struct {
	SessionID  string `ch:"session_id"`
	Day        Day    `ch:"day"`
	Shop       string `ch:"shop"`
	CustomerID string `ch:"customer_id"`

	TurnSeq      []int64      `ch:"turn_seq"`
	TurnRole     []string     `ch:"turn_role"`
	TurnAgent    []string     `ch:"turn_agent"`
	TurnText     []string     `ch:"turn_text"`
	TurnAt       []*time.Time `ch:"turn_at"`
	TurnAuto     []bool       `ch:"turn_auto"`
	TurnEmotion  []string     `ch:"turn_emotion"`
	TurnPolarity []float32    `ch:"turn_polarity"`

	MentionTurn    []int64  `ch:"mention_turn"`
	MentionStart   []uint32 `ch:"mention_start"`
	MentionText    []string `ch:"mention_text"`
	MentionOpinion []string `ch:"mention_opinion"` // merges not resolved

	HitID        []string `ch:"hit_id"`
	HitReason    []string `ch:"hit_reason"`
	EvidenceHit  []uint32 `ch:"evidence_hit"` // number of the hit, from 1
	EvidenceTurn []int64  `ch:"evidence_turn"`
}

// Reason is why a rule hit, empty for a hit that is not there.
func (s *SessionTexts) Reason(hit string) string {
	if i := slices.Index(s.HitID, hit); i >= 0 {
		return s.HitReason[i]
	}
	return ""
}

// Evidence gives the turns that a hit stands on, as evidence_seqs of hits.
func (s *SessionTexts) Evidence(hit string) []int64 {
	i := slices.Index(s.HitID, hit)
	seqs := []int64{}
	for j, h := range s.EvidenceHit {
		if int(h) == i+1 {
			seqs = append(seqs, s.EvidenceTurn[j])
		}
	}
	return seqs
}

// ReplyTo gives what the agent said after a turn, up to the customer's next one: the valid replies joined by line feeds, who
// spoke the first of them, and their numbers.
func (s *SessionTexts) ReplyTo(seq int64) (reply, agent string, seqs []int64) {
	var lines []string
	for i := slices.Index(s.TurnSeq, seq) + 1; i > 0 && i < len(s.TurnSeq); i++ {
		if s.TurnRole[i] == string(schemas.Customer) && len(lines) > 0 {
			break
		}
		if s.TurnRole[i] == string(schemas.Agent) && !s.TurnAuto[i] && strings.TrimSpace(s.TurnText[i]) != "" {
			lines, seqs = append(lines, s.TurnText[i]), append(seqs, s.TurnSeq[i])
			agent = cmp.Or(agent, s.TurnAgent[i])
		}
	}
	return strings.Join(lines, "\n"), agent, seqs
}

// Texts reads what was said in sessions, by id; sessions that are not there are left out. It is for the few sessions that a
// page shows: ids beyond some thousands belong to an export. It is safe for concurrent use.
func (w *Warehouse) Texts(ctx context.Context, parts TextParts, ids []string) (map[string]*SessionTexts, error) {
	out := map[string]*SessionTexts{}
	if len(ids) == 0 {
		return out, nil
	}
	cut, err := w.upToDate(ctx, &w.texts)
	if err != nil {
		return nil, err
	}
	columns := []string{"session_id, day, shop, customer_id"}
	for part, list := range map[TextParts]string{
		TurnTexts:    "turn_seq, turn_role, turn_agent, turn_text, turn_at, turn_auto, turn_emotion, turn_polarity",
		MentionTexts: "mention_turn, mention_start, mention_text, mention_opinion",
		HitTexts:     "hit_id, hit_reason, evidence_hit, evidence_turn",
	} {
		if parts&part != 0 {
			columns = append(columns, list)
		}
	}
	var rows []SessionTexts
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM session_texts WHERE " + cut.Live() + " AND session_id IN {ids:Array(String)}"
	if err := w.conn.Select(ctx, &rows, sql, clickhouse.Named("ids", ids)); err != nil {
		return nil, fmt.Errorf("cannot read what was said in %d sessions: %w", len(ids), err)
	}
	for i := range rows {
		out[rows[i].SessionID] = &rows[i]
	}
	return out, nil
}
