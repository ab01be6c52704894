package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ReviewEvent is one thing that somebody did to a session or to a hit of it; the table is append-only. Fields that an
// action does not use are empty.
type ReviewEvent struct {
	SessionID string
	EventID   string // UUIDv7: the events of a session count in this order
	Seen      string // last event that the page had shown to the actor
	HitID     string // "" for the session as a whole
	Actor     string
	Action    string   // confirm, dismiss, appeal, uphold, overturn, score, assign, done, reopen, note
	Item      string   // score: scorecard.item
	Points    *float64 // score: nil takes earlier points back
	Note      string   // masked
	Final     bool     // uphold, overturn: nothing follows
	Due       *time.Time
	Assignee  string // assign: "" for nobody
	Method    string // assign: hand, ratio, round_robin
	At        time.Time
}

const reviewColumns = "session_id, event_id, seen, hit_id, actor, action, item, points, note, final, due, assignee, method, at"

// ReviewEvents gives the events of sessions in the order in which they count.
func (w *Warehouse) ReviewEvents(ctx context.Context, ids []string) (map[string][]ReviewEvent, error) {
	out := map[string][]ReviewEvent{}
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "SELECT " + reviewColumns + " FROM review_events FINAL WHERE session_id IN (" + list + ") ORDER BY session_id, event_id"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var e ReviewEvent
			if err := rows.Scan(&e.SessionID, &e.EventID, &e.Seen, &e.HitID, &e.Actor, &e.Action, &e.Item, &e.Points, &e.Note, &e.Final, &e.Due, &e.Assignee, &e.Method, &e.At); err != nil {
				return err
			}
			e.At = e.At.UTC()
			if e.Due != nil {
				*e.Due = e.Due.UTC()
			}
			out[e.SessionID] = append(out[e.SessionID], e)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the reviews of %d sessions: %w", len(ids), err)
	}
	return out, nil
}

// AppendReviewEvents appends events, which must have their ids, and brings the states that the views show up to date.
// Appending one again changes nothing. After an error the events may be there and the states may lag behind;
// RepairReviews mends that, and so does the next event of the session.
func (w *Warehouse) AppendReviewEvents(ctx context.Context, events []ReviewEvent) error {
	in := &inserter[ReviewEvent]{table: "review_events", bytes: func(e *ReviewEvent) int { return 256 + len(e.Note) }}
	type E = ReviewEvent
	in.add(
		scalar("session_id", func(e *E) *string { return &e.SessionID }),
		scalar("event_id", func(e *E) *string { return &e.EventID }),
		scalar("seen", func(e *E) *string { return &e.Seen }),
		scalar("hit_id", func(e *E) *string { return &e.HitID }),
		scalar("actor", func(e *E) *string { return &e.Actor }),
		scalar("action", func(e *E) *string { return &e.Action }),
		scalar("item", func(e *E) *string { return &e.Item }),
		scalar("points", func(e *E) *float64 { return e.Points }),
		scalar("note", func(e *E) *string { return &e.Note }),
		scalar("final", func(e *E) bool { return e.Final }),
		scalar("due", func(e *E) *time.Time { return e.Due }),
		scalar("assignee", func(e *E) *string { return &e.Assignee }),
		scalar("method", func(e *E) *string { return &e.Method }),
		scalar("at", func(e *E) time.Time { return e.At }),
	)
	for i := range events {
		if events[i].EventID == "" || events[i].SessionID == "" {
			return fmt.Errorf("review event %d has no id or no session", i+1)
		}
	}
	if err := insert(ctx, w, in, pointers(events)); err != nil {
		return fmt.Errorf("cannot append %d review events: %w", len(events), err)
	}
	seen := map[string]bool{}
	var ids []string
	for i := range events {
		if id := events[i].SessionID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return w.foldReviews(ctx, ids)
}

// foldReviews writes the states of sessions anew from all of their events. It must be called after an append: whoever
// appends last then sees, and counts, the events of everybody.
func (w *Warehouse) foldReviews(ctx context.Context, ids []string) error {
	const columns = "session_id, version, hit_states, void_hits, decided_hits, appealed_hits, conflict_hits, scored_items, scored_points, assignee, done"
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "INSERT INTO review_states (" + columns + ", folded_at) SELECT " + columns + ", now64(3) FROM review_folds WHERE session_id IN (" + list + ")"
		if w.cfg.Replicated {
			ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1}))
		}
		return w.conn.Exec(ctx, sql)
	})
	if err != nil {
		return fmt.Errorf("the reviews of %d sessions are stored, but their states could not be brought up to date: %w", len(ids), err)
	}
	return nil
}

// RepairReviews brings up to date the states of all sessions with events that no state has counted: those of a process
// that ended between the two. It says how many there were.
func (w *Warehouse) RepairReviews(ctx context.Context) (int, error) {
	var ids []string
	sql := "SELECT e.session_id FROM (SELECT session_id, uniqExact(event_id) AS n FROM review_events WHERE action IN ('assign', 'done', 'reopen') OR action = 'score' AND item != '' " +
		"OR hit_id != '' AND action IN ('confirm', 'dismiss', 'appeal', 'uphold', 'overturn') GROUP BY session_id) AS e " +
		"LEFT JOIN (SELECT session_id, version FROM review_states FINAL) AS s ON s.session_id = e.session_id WHERE e.n != s.version ORDER BY e.session_id"
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("cannot look for reviews whose states lag behind: %w", err)
	}
	return len(ids), w.foldReviews(ctx, ids)
}

// ReviewHit is a hit as a review needs it.
type ReviewHit struct {
	HitID       string
	RuleID      string
	RuleVersion string
	AgentID     string
	Outcome     string
	Severity    string
	Points      float64
}

// ReviewItem is an item of a scorecard as a review needs it.
type ReviewItem struct {
	Item  string // scorecard.item
	Max   float64
	Human bool
}

// ReviewSession is what a review needs to know of a session: whose it is, and what there is to decide on. It is that of
// the active run.
type ReviewSession struct {
	SessionID string
	Team      string
	AgentIDs  []string
	Closed    bool
	StartedAt time.Time // zero where unknown
	EndedAt   time.Time // zero where unknown
	Hits      []ReviewHit
	Items     []ReviewItem
}

// ReviewSessions gives what reviews need of sessions; unknown ones are left out.
func (w *Warehouse) ReviewSessions(ctx context.Context, ids []string) (map[string]*ReviewSession, error) {
	out := map[string]*ReviewSession{}
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		sql := "SELECT session_id, team, agent_ids, closed, started_at, ended_at, hit_id, hit_rule, hit_rule_version, hit_agent, hit_outcome, hit_severity, hit_points, " +
			"item_scorecard, item_id, item_max, item_human FROM active_sessions WHERE session_id IN (" + list + ")"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var (
				s                                              ReviewSession
				started, ended                                 *time.Time
				hits, rules, versions, agents, outcomes, sever []string
				cards, items                                   []string
				points, maxima                                 []float64
				human                                          []bool
			)
			if err := rows.Scan(&s.SessionID, &s.Team, &s.AgentIDs, &s.Closed, &started, &ended, &hits, &rules, &versions, &agents, &outcomes, &sever, &points,
				&cards, &items, &maxima, &human); err != nil {
				return err
			}
			s.StartedAt, s.EndedAt = utc(started), utc(ended)
			for i := range hits {
				s.Hits = append(s.Hits, ReviewHit{hits[i], rules[i], versions[i], agents[i], outcomes[i], sever[i], points[i]})
			}
			for i := range items {
				s.Items = append(s.Items, ReviewItem{cards[i] + "." + items[i], maxima[i], human[i]})
			}
			out[s.SessionID] = &s
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read %d sessions for review: %w", len(ids), err)
	}
	return out, nil
}

// ListedSessions gives what reviews need of sessions but for the items of scorecards, from session_facts at a moment, where
// days are those that the sessions lie on ("" for none): for lists, since ReviewSessions costs a second for a page of sessions
// of a large store.
func (w *Warehouse) ListedSessions(ctx context.Context, cut FactsCut, days, ids []string) (map[string]*ReviewSession, error) {
	var rows []struct {
		SessionID string     `ch:"session_id"`
		Team      string     `ch:"team"`
		AgentIDs  []string   `ch:"agent_ids"`
		State     string     `ch:"state"`
		StartedAt *time.Time `ch:"started_at"`
		EndedAt   *time.Time `ch:"ended_at"`
		HitID     []string   `ch:"hit_id"`
		Rule      []string   `ch:"hit_rule"`
		Version   []string   `ch:"hit_version"`
		Agent     []string   `ch:"hit_agent"`
		Outcome   []string   `ch:"hit_outcome"`
		Severity  []string   `ch:"hit_severity"`
		Points    []float64  `ch:"hit_points"`
	}
	on := "session_id IN {ids:Array(String)}"
	if !slices.Contains(days, "") {
		on = "day IN {days:Array(Date)} AND " + on
	}
	sql := "SELECT session_id, team, agent_ids, state, started_at, ended_at, hit_id, hit_rule, hit_version, hit_agent, hit_outcome, hit_severity, hit_points FROM session_facts WHERE " + cut.Live() + " AND " + on
	if err := w.conn.Select(ctx, &rows, sql, clickhouse.Named("ids", ids), clickhouse.Named("days", days)); err != nil {
		return nil, fmt.Errorf("cannot read %d sessions for review: %w", len(ids), err)
	}
	out := map[string]*ReviewSession{}
	for _, x := range rows {
		s := &ReviewSession{SessionID: x.SessionID, Team: x.Team, AgentIDs: x.AgentIDs, Closed: x.State == "closed", StartedAt: utc(x.StartedAt), EndedAt: utc(x.EndedAt)}
		for i, id := range x.HitID {
			s.Hits = append(s.Hits, ReviewHit{id, x.Rule[i], x.Version[i], x.Agent[i], x.Outcome[i], x.Severity[i], x.Points[i]})
		}
		out[x.SessionID] = s
	}
	return out, nil
}

// Assignable is a session that may be given to a reviewer.
type Assignable struct {
	SessionID string
	Team      string
	Flagged   bool
	Assignee  string
}

// AssignableSessions gives the closed sessions that started in a period (from and to inside; a zero time leaves that side
// open) and that nobody has reviewed, in the order of their ids, at most limit of them. Those assigned already are left
// out unless again is set.
func (w *Warehouse) AssignableSessions(ctx context.Context, from, to time.Time, flaggedOnly, again bool, teams []string, limit int) ([]Assignable, error) {
	where := []string{"state = 'closed'", "NOT reviewed"}
	if !from.IsZero() {
		where = append(where, fmt.Sprintf("started_at >= fromUnixTimestamp64Milli(%d)", from.UnixMilli()))
	}
	if !to.IsZero() {
		where = append(where, fmt.Sprintf("started_at < fromUnixTimestamp64Milli(%d)", to.UnixMilli()))
	}
	if flaggedOnly {
		where = append(where, "flagged")
	}
	if !again {
		where = append(where, "assignee = ''")
	}
	if len(teams) > 0 {
		var b strings.Builder
		for i, t := range teams {
			if i > 0 {
				b.WriteByte(',')
			}
			appendQuoted(&b, t)
		}
		where = append(where, "team IN ("+b.String()+")")
	}
	var out []Assignable
	sql := fmt.Sprintf("SELECT session_id, team, flagged, assignee FROM sessions WHERE %s ORDER BY session_id LIMIT %d", strings.Join(where, " AND "), limit)
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var a Assignable
		if err := rows.Scan(&a.SessionID, &a.Team, &a.Flagged, &a.Assignee); err != nil {
			return err
		}
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look for sessions to assign: %w", err)
	}
	return out, nil
}
