package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/schemas"
)

// Stored is what a stored state has seen, without its texts.
type Stored struct {
	Version uint64 // revision << 20 | number of elements
	Seen    []assemble.Element
}

// Lists of ids go into the text of a query, which ClickHouse takes up to 256 KiB.
const (
	maxQueryIDs   = 2_000
	maxQueryBytes = 160 << 10
)

// eachIDs runs f with lists of quoted ids that fit a query.
func eachIDs(ids []string, maxIDs int, f func(list string) error) error {
	var b strings.Builder
	n := 0
	for i, id := range ids {
		if n > 0 {
			b.WriteByte(',')
		}
		appendQuoted(&b, id)
		n++
		if n < maxIDs && b.Len() < maxQueryBytes && i < len(ids)-1 {
			continue
		}
		if err := f(b.String()); err != nil {
			return err
		}
		b.Reset()
		n = 0
	}
	return nil
}

// query runs f for each row.
func (w *Warehouse) query(ctx context.Context, sql string, f func(driver.Rows) error) error {
	rows, err := w.conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := f(rows); err != nil {
			rows.Close()
			return err
		}
	}
	if err := rows.Err(); err != nil {
		rows.Close()
		return err
	}
	return rows.Close()
}

// StoredVersions gives what is stored of the sessions, without texts; unknown ones are left out.
func (w *Warehouse) StoredVersions(ctx context.Context, ids []string) (map[string]Stored, error) {
	out := make(map[string]Stored)
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "SELECT session_id, version, seen FROM transcripts FINAL WHERE session_id IN (" + list + ")"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var id string
			var version uint64
			var seen []uint64
			if err := rows.Scan(&id, &version, &seen); err != nil {
				return err
			}
			out[id] = Stored{version, elements(seen)}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what is stored of %d sessions: %w", len(ids), err)
	}
	return out, nil
}

func elements(seen []uint64) []assemble.Element {
	if len(seen) == 0 {
		return nil
	}
	out := make([]assemble.Element, len(seen))
	for i, e := range seen {
		out[i] = assemble.Element(e)
	}
	return out
}

// AnalysisVersion is the version of one stored analysis.
type AnalysisVersion struct {
	RunID   uint64
	Version uint64 // transcript version << 28 | epoch
}

// AnalysisVersions gives the versions of the stored analyses, one for each run that has one, by run.
func (w *Warehouse) AnalysisVersions(ctx context.Context, ids []string) (map[string][]AnalysisVersion, error) {
	out := make(map[string][]AnalysisVersion)
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "SELECT session_id, run_id, version FROM analyses FINAL WHERE session_id IN (" + list + ") ORDER BY session_id, run_id"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var id string
			var v AnalysisVersion
			if err := rows.Scan(&id, &v.RunID, &v.Version); err != nil {
				return err
			}
			out[id] = append(out[id], v)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read which analyses are stored of %d sessions: %w", len(ids), err)
	}
	return out, nil
}

// OpenSessions finds sessions that were written open and not written again since before, whose messages came from
// these partitions of the topic (all of it where partitions is nil). At most limit ids are given, in order.
func (w *Warehouse) OpenSessions(ctx context.Context, topic string, partitions []int32, before time.Time, limit int) ([]string, error) {
	where := "NOT closed AND topic = " + quote(topic)
	if partitions != nil {
		if len(partitions) == 0 {
			return nil, nil
		}
		list := make([]string, len(partitions))
		for i, p := range partitions {
			list[i] = fmt.Sprint(p)
		}
		where += " AND partition IN (" + strings.Join(list, ", ") + ")"
	}
	sql := fmt.Sprintf("SELECT session_id FROM transcripts FINAL WHERE %s AND written_at < fromUnixTimestamp64Milli(%d) ORDER BY session_id LIMIT %d", where, before.UnixMilli(), limit)
	var out []string
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		out = append(out, id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look for open sessions: %w", err)
	}
	return out, nil
}

// maxLoadIDs bounds one query for whole states, texts and all.
const maxLoadIDs = 1_000

const stateColumns = "session_id, revision, seen, meta_hash, meta_repairs, updated_at, channel, source, shop, business, skill_group, product, " +
	"customer_id, agent_id, agent_name, team, started_at, ended_at, media_url, attributes, end_at, end_hash, truncated, " +
	"topic, partition, offset_min, offset_max, " +
	"turn_key, turn_hash, turn_seq, turn_role, turn_agent, turn_text, turn_at, turn_start_ms, turn_end_ms, turn_confidence, turn_auto, " +
	"turn_revision, turn_attributes, turn_repairs, turn_order_at, turn_position"

// LoadStates gives the whole stored states; unknown ones are left out. The states belong to the caller.
//
// It reads without FINAL, which costs several times more over so many columns, and takes the greatest version itself.
// Two rows of one version that have seen different messages, from two workers at odds, are joined: so nothing that was
// stored is lost.
func (w *Warehouse) LoadStates(ctx context.Context, ids []string) (map[string]*assemble.State, error) {
	out := make(map[string]*assemble.State)
	err := eachIDs(ids, maxLoadIDs, func(list string) error {
		return w.query(w.reading(ctx), "SELECT "+stateColumns+" FROM transcripts WHERE session_id IN ("+list+")", func(rows driver.Rows) error {
			s, err := scanState(rows)
			if err != nil {
				return err
			}
			switch old := out[s.SessionID]; {
			case old == nil || old.Version() < s.Version():
				out[s.SessionID] = s
			case old.Version() == s.Version() && !slices.Equal(old.Seen, s.Seen):
				out[s.SessionID] = assemble.Union(old, s)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot load %d sessions: %w", len(ids), err)
	}
	return out, nil
}

func scanState(rows driver.Rows) (*assemble.State, error) {
	var (
		s                                         assemble.State
		m                                         = &s.Meta
		seen, hashes                              []uint64
		metaHash, endHash                         uint64
		repairs                                   uint16
		updated, started, ended, end              *time.Time
		keys, roles, agents, texts, attributeText []string
		seqs, starts, ends                        []*int64
		ats, orderAts                             []*time.Time
		confidences                               []*float64
		autos                                     []bool
		revisions                                 []int64
		turnRepairs                               []uint16
		positions                                 []int32
	)
	err := rows.Scan(&s.SessionID, &s.Revision, &seen, &metaHash, &repairs, &updated, &m.Channel, &m.Source, &m.Shop, &m.Business, &m.SkillGroup, &m.Product,
		&m.CustomerID, &m.AgentID, &m.AgentName, &m.Team, &started, &ended, &m.MediaURL, &m.Attributes, &end, &endHash, &s.Truncated,
		&s.Origin.Topic, &s.Origin.Partition, &s.Origin.OffsetMin, &s.Origin.OffsetMax,
		&keys, &hashes, &seqs, &roles, &agents, &texts, &ats, &starts, &ends, &confidences, &autos,
		&revisions, &attributeText, &turnRepairs, &orderAts, &positions)
	if err != nil {
		return nil, err
	}
	n := len(keys)
	for _, l := range []int{len(hashes), len(seqs), len(roles), len(agents), len(texts), len(ats), len(starts), len(ends), len(confidences),
		len(autos), len(revisions), len(attributeText), len(turnRepairs), len(orderAts), len(positions)} {
		if l != n {
			return nil, fmt.Errorf("session %q: its turn columns differ in length", s.SessionID)
		}
	}
	s.Seen = elements(seen)
	s.MetaHash, s.EndHash, s.EndAt = assemble.Element(metaHash), assemble.Element(endHash), utc(end)
	m.Repairs, m.UpdatedAt, m.StartedAt, m.EndedAt = schemas.Repair(repairs), utc(updated), utc(started), utc(ended)
	if s.MetaHash != 0 { // of a session message these are the state's own
		m.SessionID, m.Revision = s.SessionID, int(s.Revision)
	}
	if len(m.Attributes) == 0 {
		m.Attributes = nil
	}
	if n == 0 {
		return &s, nil
	}
	s.Turns = make([]assemble.Turn, n)
	for i := range s.Turns {
		t := &s.Turns[i]
		t.Key, t.Hash, t.OrderAt, t.Position = schemas.TurnKey(keys[i]), assemble.Element(hashes[i]), utc(orderAts[i]), positions[i]
		t.Seq, t.Role, t.AgentID, t.Text, t.At = opt(seqs[i]), schemas.Role(roles[i]), agents[i], texts[i], utc(ats[i])
		t.StartMS, t.EndMS, t.Confidence, t.Auto = opt(starts[i]), opt(ends[i]), opt(confidences[i]), autos[i]
		t.Revision, t.Repairs = int(revisions[i]), schemas.Repair(turnRepairs[i])
		if attributeText[i] != "" {
			if err := json.Unmarshal([]byte(attributeText[i]), &t.Attributes); err != nil {
				return nil, fmt.Errorf("session %q: attributes of turn %s: %w", s.SessionID, t.Key, err)
			}
		}
	}
	return &s, nil
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func opt[T any](p *T) schemas.Opt[T] {
	if p == nil {
		return schemas.Opt[T]{}
	}
	return schemas.Some(*p)
}
