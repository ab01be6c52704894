package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Judged is what the rules and the registry of opinions said of a session in one run: what two runs are compared by.
type Judged struct {
	SessionID    string
	RunID        uint64
	Closed       bool
	StartedAt    time.Time
	AgentIDs     []string
	Turns        uint32
	Score        *float64
	Flagged      bool
	Outcomes     map[string]string // by rule
	Hits         []JudgedHit
	Opinions     []string // of each mention that has one, merges not resolved
	Mentions     int
	RulesVersion string
	ModelVersion string
}

// JudgedHit is a hit of a session; Turn is the seq of its first evidence, Start and End the place in its text, all 0
// without any.
type JudgedHit struct {
	HitID, RuleID, AgentID, Outcome, Reason string
	Turn                                    int64
	Start, End                              uint32
}

const judgedColumns = "session_id, run_id, closed, started_at, agent_ids, fact_turns, score, flagged, outcome_rule, outcome_value, hit_id, hit_rule, hit_agent, hit_outcome, hit_reason, " +
	"arrayMap(i -> evidence_turn[indexOf(evidence_hit, i)], arrayEnumerate(hit_id)), arrayMap(i -> evidence_start[indexOf(evidence_hit, i)], arrayEnumerate(hit_id)), " +
	"arrayMap(i -> evidence_end[indexOf(evidence_hit, i)], arrayEnumerate(hit_id)), arrayFilter(o -> o != '', mention_opinion), length(mention_id), rules_version, model_version"

func scanJudged(rows driver.Rows) (*Judged, error) {
	var (
		j                                                    Judged
		at                                                   *time.Time
		rules, values, ids, hitRules, agents, words, reasons []string
		turns                                                []int64
		starts, ends                                         []uint32
		mentions                                             uint64
	)
	if err := rows.Scan(&j.SessionID, &j.RunID, &j.Closed, &at, &j.AgentIDs, &j.Turns, &j.Score, &j.Flagged, &rules, &values, &ids, &hitRules, &agents, &words, &reasons,
		&turns, &starts, &ends, &j.Opinions, &mentions, &j.RulesVersion, &j.ModelVersion); err != nil {
		return nil, err
	}
	j.StartedAt, j.Mentions = utc(at), int(mentions)
	j.Outcomes = make(map[string]string, len(rules))
	for i, r := range rules {
		j.Outcomes[r] = values[i]
	}
	for i := range ids {
		j.Hits = append(j.Hits, JudgedHit{ids[i], hitRules[i], agents[i], words[i], reasons[i], turns[i], starts[i], ends[i]})
	}
	return &j, nil
}

const switchList = "WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches "

// isShown holds of rows that the views show, in a query that begins with switchList.
const isShown = "run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)"

// ShownJudged gives what the views show of sessions; unknown ones are left out.
func (w *Warehouse) ShownJudged(ctx context.Context, ids []string) (map[string]*Judged, error) {
	out := map[string]*Judged{}
	err := eachIDs(ids, maxLoadIDs, func(list string) error {
		return w.query(w.reading(ctx), switchList+"SELECT "+judgedColumns+" FROM analyses FINAL WHERE session_id IN ("+list+") AND "+isShown, func(rows driver.Rows) error {
			j, err := scanJudged(rows)
			if err == nil {
				out[j.SessionID] = j
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read %d sessions: %w", len(ids), err)
	}
	return out, nil
}

// RunPairs calls f with the rows of two runs over the sessions that start in a period, in the order of the ids; where one
// run has no row of a session it is nil.
func (w *Warehouse) RunPairs(ctx context.Context, a, b uint64, from, to time.Time, f func(a, b *Judged) error) error {
	sql := fmt.Sprintf("SELECT "+judgedColumns+" FROM analyses FINAL WHERE run_id IN (%d, %d) AND started_at BETWEEN %s AND %s ORDER BY session_id, run_id", a, b, millis(from), millis(to))
	var first, second *Judged
	give := func() error {
		if first == nil && second == nil {
			return nil
		}
		x, y := first, second
		first, second = nil, nil
		return f(x, y)
	}
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		j, err := scanJudged(rows)
		if err != nil {
			return err
		}
		if first != nil && first.SessionID != j.SessionID || second != nil && second.SessionID != j.SessionID {
			if err := give(); err != nil {
				return err
			}
		}
		if j.RunID == a {
			first = j
		} else {
			second = j
		}
		return nil
	})
	if err == nil {
		err = give()
	}
	if err != nil {
		return fmt.Errorf("cannot compare runs %d and %d: %w", a, b, err)
	}
	return nil
}

// PeriodSessions gives the ids of a range whose shown rows start in a period, in order, with further conditions on
// columns: a column holds one of the values.
func (w *Warehouse) PeriodSessions(ctx context.Context, from, to time.Time, ids IDRange, in map[string][]string) ([]string, error) {
	where := isShown + " AND started_at BETWEEN " + millis(from) + " AND " + millis(to) + " AND " + ids.sql()
	for _, column := range sortedKeys(in) {
		if len(in[column]) > 0 {
			where += " AND " + column + " IN (" + quoteAll(in[column]) + ")"
		}
	}
	return w.ids(ctx, switchList+"SELECT session_id FROM analyses FINAL WHERE "+where+" ORDER BY session_id")
}

// TurnTexts gives texts of turns by session and seq.
func (w *Warehouse) TurnTexts(ctx context.Context, ids []string) (map[string]map[int64]Said, error) {
	out := map[string]map[int64]Said{}
	err := eachIDs(ids, maxLoadIDs, func(list string) error {
		return w.query(w.reading(ctx), "SELECT session_id, turn_seq, turn_role, turn_text FROM analyses WHERE session_id IN ("+list+") ORDER BY version", func(rows driver.Rows) error {
			var id string
			var seqs []int64
			var roles, texts []string
			if err := rows.Scan(&id, &seqs, &roles, &texts); err != nil {
				return err
			}
			m := make(map[int64]Said, len(seqs))
			for i, s := range seqs {
				m[s] = Said{roles[i], texts[i]}
			}
			out[id] = m
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read turns: %w", err)
	}
	return out, nil
}

// Said is a turn: who spoke, and the masked text.
type Said struct{ Role, Text string }

// OpinionTitles gives the titles of opinions, merges resolved: by id the one it counts for, and its title.
func (w *Warehouse) OpinionTitles(ctx context.Context, ids []string) (map[string][2]string, error) {
	out := map[string][2]string{}
	if len(ids) == 0 {
		return out, nil
	}
	list := quoteAll(ids)
	sql := strings.ReplaceAll("SELECT i.id, if(r.target_id != '', r.target_id, i.id) AS target, o.title FROM (SELECT arrayJoin([LIST]) AS id) AS i "+
		"LEFT JOIN opinion_redirects AS r ON r.opinion_id = i.id LEFT JOIN (SELECT opinion_id, title FROM opinions) AS o ON o.opinion_id = if(r.target_id != '', r.target_id, i.id)", "LIST", list)
	err := w.query(ctx, sql, func(rows driver.Rows) error {
		var id, target, title string
		if err := rows.Scan(&id, &target, &title); err != nil {
			return err
		}
		out[id] = [2]string{target, title}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the titles of opinions: %w", err)
	}
	return out, nil
}
