package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Switch makes a run the active one for sessions that start in [From, To], whole milliseconds.
type Switch struct {
	At    time.Time // when it was made; SwitchRuns sets it
	RunID uint64    // 0 = back to live
	From  time.Time
	To    time.Time
	Actor string
	// Undoes is At of the switch that this one takes back, zero for none.
	Undoes time.Time
}

// Switches are the switches so far, the latest first.
type Switches []Switch

// Run gives the active run of a session, by the same rule as the views: that of the latest switch that covers its
// start, else 0. A session without any time is in run 0.
func (s Switches) Run(startedAt time.Time) uint64 {
	if startedAt.IsZero() {
		return 0
	}
	for i := range s {
		if !startedAt.Before(s[i].From) && !startedAt.After(s[i].To) {
			return s[i].RunID
		}
	}
	return 0
}

// Equal says whether two lists are the same switches.
func (s Switches) Equal(o Switches) bool {
	return slices.EqualFunc(s, o, func(a, b Switch) bool {
		return a.RunID == b.RunID && a.At.Equal(b.At) && a.From.Equal(b.From) && a.To.Equal(b.To)
	})
}

// Pieces cuts a period into the parts of which each has one active run, in order of time.
func (s Switches) Pieces(from, to time.Time) []Switch {
	const ms = time.Millisecond
	cuts := []time.Time{from}
	for i := range s {
		for _, at := range []time.Time{s[i].From, s[i].To.Add(ms)} {
			if at.After(from) && !at.After(to) {
				cuts = append(cuts, at)
			}
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	var out []Switch
	for i, at := range cuts {
		end := to
		if i+1 < len(cuts) {
			end = cuts[i+1].Add(-ms)
		}
		if end.Before(at) { // the same cut twice
			continue
		}
		run := s.Run(at)
		if n := len(out); n > 0 && out[n-1].RunID == run {
			out[n-1].To = end
			continue
		}
		out = append(out, Switch{RunID: run, From: at, To: end})
	}
	return out
}

// Standing are the switches that no later one takes back, without those that take one back: what people have switched to
// and may take back, the latest first.
func (s Switches) Standing() Switches {
	undone := map[int64]bool{}
	for i := range s {
		if !s[i].Undoes.IsZero() {
			undone[s[i].Undoes.UnixMicro()] = true
		}
	}
	var out Switches
	for i := range s {
		if s[i].Undoes.IsZero() && !undone[s[i].At.UnixMicro()] {
			out = append(out, s[i])
		}
	}
	return out
}

// Switches gives the switches so far.
func (w *Warehouse) Switches(ctx context.Context) (Switches, error) {
	var out Switches
	err := w.query(w.reading(ctx), "SELECT at, run_id, `from`, `to`, actor, undoes FROM run_switches ORDER BY at DESC, run_id DESC", func(rows driver.Rows) error {
		var s Switch
		if err := rows.Scan(&s.At, &s.RunID, &s.From, &s.To, &s.Actor, &s.Undoes); err != nil {
			return err
		}
		s.At, s.From, s.To, s.Undoes = s.At.UTC(), s.From.UTC(), s.To.UTC(), s.Undoes.UTC()
		if s.Undoes.Unix() == 0 {
			s.Undoes = time.Time{}
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read which runs are active: %w", err)
	}
	return out, nil
}

// SwitchRun adds a switch; the views show it at once.
func (w *Warehouse) SwitchRun(ctx context.Context, s Switch) error {
	return w.SwitchRuns(ctx, []Switch{s})
}

// SwitchRuns adds switches, whose periods must not overlap, in one statement: the views show all of them or none. They come
// after every switch so far, whatever the clocks say.
func (w *Warehouse) SwitchRuns(ctx context.Context, list []Switch) error {
	known, err := w.Switches(ctx)
	if err != nil {
		return err
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	if len(known) > 0 && !at.After(known[0].At) {
		at = known[0].At.Add(time.Microsecond)
	}
	in := &inserter[Switch]{table: "run_switches", bytes: func(*Switch) int { return 128 }}
	in.add(
		scalar("at", func(s *Switch) time.Time { return s.At }),
		scalar("run_id", func(s *Switch) *uint64 { return &s.RunID }),
		scalar("from", func(s *Switch) time.Time { return clampTime(s.From) }),
		scalar("to", func(s *Switch) time.Time { return clampTime(s.To) }),
		scalar("actor", func(s *Switch) *string { return &s.Actor }),
		scalar("undoes", func(s *Switch) time.Time { return clampTime(s.Undoes) }),
	)
	list = slices.Clone(list)
	for i := range list {
		list[i].At = at
	}
	return insert(ctx, w, in, pointers(list))
}

// Run is a rerun: other rules, models or opinions over the sessions of a period, whose rows lie beside the live ones.
type Run struct {
	ID           uint64
	Version      uint64 // counts its states
	State        string // running, done, failed or cancelled
	From, To     time.Time
	Sessions     uint64
	RulesVersion string
	ModelVersion string
	Epoch        uint32
	Filter       string // JSON, "" for all sessions
	Actor        string
	Note         string
	CreatedAt    time.Time
}

// RunPack is a rule pack of a run.
type RunPack struct {
	Name string
	YAML string
}

// Runs gives all runs, the latest first. That one is switched is said by the view runs, not here.
func (w *Warehouse) Runs(ctx context.Context) ([]Run, error) { return w.runs(ctx, "") }

// Run gives a run, nil where there is none of that id.
func (w *Warehouse) Run(ctx context.Context, id uint64) (*Run, error) {
	list, err := w.runs(ctx, fmt.Sprintf("WHERE run_id = %d", id))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

func (w *Warehouse) runs(ctx context.Context, where string) ([]Run, error) {
	var out []Run
	sql := "SELECT run_id, version, state, `from`, `to`, sessions, rules_version, model_version, epoch, filter, actor, note, created_at FROM run_rows FINAL " + where + " ORDER BY run_id DESC"
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var r Run
		if err := rows.Scan(&r.ID, &r.Version, &r.State, &r.From, &r.To, &r.Sessions, &r.RulesVersion, &r.ModelVersion, &r.Epoch, &r.Filter, &r.Actor, &r.Note, &r.CreatedAt); err != nil {
			return err
		}
		r.From, r.To, r.CreatedAt = r.From.UTC(), r.To.UTC(), r.CreatedAt.UTC()
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the runs: %w", err)
	}
	return out, nil
}

// PutRun stores the next state of a run.
func (w *Warehouse) PutRun(ctx context.Context, r *Run) error {
	r.Version++
	in := &inserter[Run]{table: "run_rows", bytes: func(r *Run) int { return 256 + len(r.Note) }}
	in.add(
		scalar("run_id", func(r *Run) *uint64 { return &r.ID }),
		scalar("version", func(r *Run) *uint64 { return &r.Version }),
		scalar("state", func(r *Run) *string { return &r.State }),
		scalar("from", func(r *Run) time.Time { return clampTime(r.From) }),
		scalar("to", func(r *Run) time.Time { return clampTime(r.To) }),
		scalar("sessions", func(r *Run) *uint64 { return &r.Sessions }),
		scalar("rules_version", func(r *Run) *string { return &r.RulesVersion }),
		scalar("model_version", func(r *Run) *string { return &r.ModelVersion }),
		scalar("epoch", func(r *Run) *uint32 { return &r.Epoch }),
		scalar("filter", func(r *Run) *string { return &r.Filter }),
		scalar("actor", func(r *Run) *string { return &r.Actor }),
		scalar("note", func(r *Run) *string { return &r.Note }),
		scalar("created_at", func(r *Run) time.Time { return clampTime(r.CreatedAt) }),
	)
	if err := insert(ctx, w, in, []*Run{r}); err != nil {
		return fmt.Errorf("cannot store run %d: %w", r.ID, err)
	}
	return nil
}

// AddRun stores a new run with its packs and gives it the next id. Packs come first: a run that is there is whole.
func (w *Warehouse) AddRun(ctx context.Context, r *Run, packs []RunPack) error {
	var last uint64
	if err := w.conn.QueryRow(w.reading(ctx), "SELECT greatest((SELECT max(run_id) FROM run_rows), (SELECT max(run_id) FROM run_packs), (SELECT max(run_id) FROM run_switches))").Scan(&last); err != nil {
		return fmt.Errorf("cannot read the runs: %w", err)
	}
	r.ID, r.Version = last+1, 0
	type row struct {
		RunPack
		position uint16
	}
	rows := make([]row, len(packs))
	for i, p := range packs {
		rows[i] = row{p, uint16(i)}
	}
	in := &inserter[row]{table: "run_packs", bytes: func(p *row) int { return 64 + len(p.YAML) }}
	in.add(
		scalar("run_id", func(*row) uint64 { return r.ID }),
		scalar("position", func(p *row) *uint16 { return &p.position }),
		scalar("name", func(p *row) *string { return &p.Name }),
		scalar("content", func(p *row) *string { return &p.YAML }),
	)
	if err := insert(ctx, w, in, pointers(rows)); err != nil {
		return fmt.Errorf("cannot store the rules of run %d: %w", r.ID, err)
	}
	return w.PutRun(ctx, r)
}

// RunPacks gives the rule packs of a run, in the order of evaluation.
func (w *Warehouse) RunPacks(ctx context.Context, id uint64) ([]RunPack, error) {
	var out []RunPack
	err := w.query(w.reading(ctx), fmt.Sprintf("SELECT name, content FROM run_packs FINAL WHERE run_id = %d ORDER BY position", id), func(rows driver.Rows) error {
		var p RunPack
		if err := rows.Scan(&p.Name, &p.YAML); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the rules of run %d: %w", id, err)
	}
	return out, nil
}

// IDRange bounds session ids: After < id <= UpTo. An empty bound is open.
type IDRange struct {
	After string `json:"after"`
	UpTo  string `json:"up_to"`
}

func (r IDRange) sql() string {
	where := "session_id > " + quote(r.After)
	if r.UpTo != "" {
		where += " AND session_id <= " + quote(r.UpTo)
	}
	return where
}

// NextRange gives the range of the next n stored sessions after an id, and whether there are any.
func (w *Warehouse) NextRange(ctx context.Context, after string, n int) (IDRange, bool, error) {
	r := IDRange{After: after}
	sql := fmt.Sprintf("SELECT max(session_id) FROM (SELECT session_id FROM transcripts WHERE session_id > %s ORDER BY session_id LIMIT %d)", quote(after), n)
	if err := w.conn.QueryRow(w.reading(ctx), sql).Scan(&r.UpTo); err != nil {
		return r, false, fmt.Errorf("cannot list the sessions: %w", err)
	}
	return r, r.UpTo != "", nil
}

// heads is one row a session: of its transcript tv, the version; of its analyses all as rs, (run, version, start), and
// the start that the newest has.
func heads(where string) string {
	return "SELECT session_id, max(t) AS tv, argMax(tuple(s), v).1 AS start, groupArrayIf((r, v, s), v > 0) AS rs FROM (" +
		"SELECT session_id, version AS t, 0::UInt64 AS r, 0::UInt64 AS v, NULL::Nullable(DateTime64(3, 'UTC')) AS s FROM transcripts WHERE " + where +
		" UNION ALL SELECT session_id, 0, run_id, version, started_at FROM analyses WHERE " + where + ") GROUP BY session_id"
}

func millis(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", clampTime(t).UnixMilli())
}

// Behind gives, in order, the sessions of a range of ids for which a run does not hold what is known of them: those that
// start in the period, or whose row in the run does, and whose transcript is newer than that row.
func (w *Warehouse) Behind(ctx context.Context, run uint64, from, to time.Time, ids IDRange) ([]string, error) {
	between := "BETWEEN " + millis(from) + " AND " + millis(to)
	sql := fmt.Sprintf("SELECT session_id FROM (SELECT session_id, tv, start, arrayMax(x -> x.2, arrayFilter(x -> x.1 = %d, rs)) AS rv, "+
		"arrayFirst(x -> x.1 = %d AND x.2 = rv, rs).3 AS rstart FROM (%s)) WHERE (ifNull(start %s, false) OR rv > 0 AND ifNull(rstart %s, false)) AND bitShiftRight(rv, 28) < tv ORDER BY session_id",
		run, run, heads(ids.sql()), between, between)
	return w.ids(ctx, sql)
}

// Stragglers gives, in order, the sessions of a range of ids of which the run that the views show for them does not hold
// what is known.
func (w *Warehouse) Stragglers(ctx context.Context, ids IDRange) ([]string, error) {
	sql := "WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches " +
		"SELECT session_id FROM (SELECT session_id, tv, rs, if(isNull(start), 0, tupleElement(arrayFirst(s -> start BETWEEN s.1 AND s.2, switches), 3)) AS shown FROM (" + heads(ids.sql()) +
		")) WHERE notEmpty(rs) AND bitShiftRight(arrayMax(x -> if(x.1 = shown, x.2, 0), rs), 28) < tv ORDER BY session_id"
	return w.ids(ctx, sql)
}

func (w *Warehouse) ids(ctx context.Context, sql string) ([]string, error) {
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
		return nil, fmt.Errorf("cannot compare runs with transcripts: %w", err)
	}
	return out, nil
}

// CountStarted counts the sessions that start in a period by any of their rows: about how many a rerun has to do.
func (w *Warehouse) CountStarted(ctx context.Context, from, to time.Time) (int, error) {
	var n uint64
	err := w.conn.QueryRow(w.reading(ctx), "SELECT uniqExact(session_id) FROM analyses WHERE started_at BETWEEN "+millis(from)+" AND "+millis(to)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("cannot count the sessions of the period: %w", err)
	}
	return int(n), nil
}

// CountRun counts the sessions of a run.
func (w *Warehouse) CountRun(ctx context.Context, run uint64) (uint64, error) {
	var n uint64
	if err := w.conn.QueryRow(w.reading(ctx), fmt.Sprintf("SELECT uniqExact(session_id) FROM analyses WHERE run_id = %d", run)).Scan(&n); err != nil {
		return 0, fmt.Errorf("cannot count the sessions of run %d: %w", run, err)
	}
	return n, nil
}

// ShownRow is a row of a session in a run, and its start there.
type ShownRow struct {
	RunID     uint64
	StartedAt time.Time
}

// RunRows gives in which runs the sessions have rows.
func (w *Warehouse) RunRows(ctx context.Context, ids []string) (map[string][]ShownRow, error) {
	out := map[string][]ShownRow{}
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		return w.query(w.reading(ctx), "SELECT session_id, run_id, started_at FROM analyses FINAL WHERE session_id IN ("+list+")", func(rows driver.Rows) error {
			var id string
			var r ShownRow
			var at *time.Time
			if err := rows.Scan(&id, &r.RunID, &at); err != nil {
				return err
			}
			r.StartedAt = utc(at)
			out[id] = append(out[id], r)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read in which runs %d sessions are: %w", len(ids), err)
	}
	return out, nil
}

// CopyToRun takes sessions over into a run as the views show them.
func (w *Warehouse) CopyToRun(ctx context.Context, run uint64, ids []string) error {
	var columns []string
	err := w.query(ctx, "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'analyses' AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') "+
		"AND name NOT IN ('run_id', 'written_at') ORDER BY position", func(rows driver.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		columns = append(columns, "`"+name+"`")
		return nil
	})
	if err == nil {
		err = eachIDs(ids, maxLoadIDs, func(list string) error {
			names := strings.Join(columns, ", ")
			return w.conn.Exec(w.writing(ctx), fmt.Sprintf("INSERT INTO analyses (run_id, %s) WITH (SELECT groupArray((`from`, `to`, run_id)) FROM (SELECT `from`, `to`, run_id FROM run_switches ORDER BY at DESC, run_id DESC)) AS switches "+
				"SELECT %d, %s FROM analyses FINAL WHERE session_id IN (%s) AND run_id = tupleElement(arrayFirst(s -> started_at BETWEEN s.1 AND s.2, switches), 3)", names, run, names, list))
		})
	}
	if err != nil {
		return fmt.Errorf("cannot take %d sessions over into run %d: %w", len(ids), run, err)
	}
	return nil
}

// StoreMarks change when a switch is made or somebody is forgotten.
type StoreMarks struct{ Switches, Forgotten string }

// Marks gives the marks of now, in one small query: writers ask before and after each write.
func (w *Warehouse) Marks(ctx context.Context) (StoreMarks, error) {
	var m StoreMarks
	err := w.conn.QueryRow(w.reading(ctx), "SELECT (SELECT concat(toString(count()), ' ', toString(max(at))) FROM run_switches), "+
		"concat((SELECT concat(toString(count()), ' ', toString(max(at))) FROM forgotten), ' ', (SELECT concat(toString(count()), ' ', toString(max(at))) FROM forgotten_sessions))").Scan(&m.Switches, &m.Forgotten)
	if err != nil {
		return m, fmt.Errorf("cannot read which runs are active: %w", err)
	}
	return m, nil
}
