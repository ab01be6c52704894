//go:build faults

package faults

import (
	"context"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/schemas"
)

// traced is one piece of evidence of a hit with what its row says of where it comes from.
type traced struct {
	SessionID string `ch:"session_id"`
	RuleID    string `ch:"rule_id"`
	Seq       int64  `ch:"seq"`
	Words     string `ch:"words"`
	Topic     string `ch:"topic"`
	Partition int32  `ch:"partition"`
	OffsetMin int64  `ch:"offset_min"`
	OffsetMax int64  `ch:"offset_max"`
	Rules     string `ch:"rules_version"`
	Model     string `ch:"model_version"`
	Code      string `ch:"code_version"`
}

// evidenceIsInTheTopic takes random rows of hits, goes to the messages that their sessions name (topic, partition, offsets)
// and finds the words of the evidence in the turn they are said to be of.
func (d *deployment) evidenceIsInTheTopic(t *testing.T) {
	t.Helper()
	ctx := within(t, patience)
	var rows []traced
	const sql = `SELECT h.session_id AS session_id, h.rule_id AS rule_id, h.e.1 AS seq, substring(t.text, h.e.2 + 1, h.e.3 - h.e.2) AS words,
		s.topic AS topic, s.partition AS partition, s.offset_min AS offset_min, s.offset_max AS offset_max,
		s.rules_version AS rules_version, s.model_version AS model_version, s.code_version AS code_version
		FROM (SELECT session_id, hit_id, rule_id, e FROM hits ARRAY JOIN evidence AS e) AS h
		JOIN turns AS t ON t.session_id = h.session_id AND t.seq = h.e.1
		JOIN sessions AS s ON s.session_id = h.session_id
		WHERE h.e.3 > h.e.2 ORDER BY cityHash64(h.hit_id, h.e.1, ?) LIMIT 60`
	if err := d.store.Conn().Select(ctx, &rows, sql, seed); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range rows {
		if r.Topic != d.topic || r.OffsetMin > r.OffsetMax || r.Rules == "" || r.Model == "" || r.Code == "" {
			t.Errorf("a hit cannot be traced: %+v", r)
			continue
		}
		if strings.Contains(r.Words, "[") { // masked: the topic holds what stands behind the placeholder
			continue
		}
		if !d.said(ctx, t, r) {
			t.Errorf("the messages %d to %d of partition %d do not hold the evidence %q of rule %s: turn %d of session %s",
				r.OffsetMin, r.OffsetMax, r.Partition, r.Words, r.RuleID, r.Seq, r.SessionID)
		}
		found++
	}
	if found < 30 {
		t.Errorf("only %d pieces of evidence were looked for: too few to prove anything", found)
	}
}

// said looks for the words of a piece of evidence in the messages its session is made of.
func (d *deployment) said(ctx context.Context, t *testing.T, r traced) bool {
	t.Helper()
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{d.addr}, Topic: r.Topic, Partition: int(r.Partition), MaxBytes: 32 << 20})
	defer reader.Close()
	if err := reader.SetOffset(r.OffsetMin); err != nil {
		t.Fatal(err)
	}
	for {
		raw, err := reader.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := schemas.Decode(raw.Value); err == nil {
			switch {
			case m.Turn != nil && m.Turn.SessionID == r.SessionID && m.Turn.Seq.V == r.Seq && strings.Contains(m.Turn.Text, r.Words):
				return true
			case m.Session != nil && m.Session.SessionID == r.SessionID:
				for _, turn := range m.Session.Turns {
					if turn.Seq.V == r.Seq && strings.Contains(turn.Text, r.Words) {
						return true
					}
				}
			}
		}
		if raw.Offset >= r.OffsetMax {
			return false
		}
	}
}
