package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Kinds of alerts.
const (
	AlertHit         = "hit"         // a rule found something
	AlertWaiting     = "waiting"     // a customer waits too long, and still does
	AlertCorrelation = "correlation" // hits over several sessions
)

// Why an alert is stored and not sent.
const (
	WithheldTooOld   = "too_old"
	WithheldCooldown = "cooldown"
)

// Events of alerts.
const (
	AlertSent         = "sent"
	AlertFailed       = "failed"
	AlertSuperseded   = "superseded"
	AlertRestored     = "restored"
	AlertAcknowledged = "acknowledged"
)

// Alert is one alert. The first part is written once, before anything is sent; the second is what happened to it, filled
// in by reads only.
type Alert struct {
	AlertID      string
	Kind         string
	SessionID    string
	RuleID       string
	RuleVersion  string
	Severity     string
	Title        string
	Reason       string
	Evidence     string  // masked text of the first turn
	EvidenceSeqs []int64 // may be empty
	EvidenceKey  string
	HitID        string
	Channel      string
	Shop         string
	Team         string // as the session names it; of reads, resolved
	AgentID      string
	SessionAgent string
	CustomerID   string
	At           time.Time // of the evidence
	StoredAt     time.Time
	Withheld     string
	Payload      string // what is sent, JSON

	State          string
	SentAt         *time.Time
	SentTo         string
	Error          string
	AcknowledgedAt *time.Time
	AcknowledgedBy string
	Note           string
}

// AlertMark is what is known of a stored alert, for deciding whether to send it.
type AlertMark struct {
	AlertID     string
	Kind        string
	RuleID      string
	HitID       string
	EvidenceKey string
	At          time.Time
	Withheld    string
	Sent        bool
	Superseded  bool
}

// AlertEvent is something that happened to an alert.
type AlertEvent struct {
	AlertID string
	Event   string
	Actor   string
	At      time.Time
	Detail  string
}

// StoreAlerts writes alerts. One that is stored already stays as it is: the identity says what it is about.
func (w *Warehouse) StoreAlerts(ctx context.Context, alerts []Alert) error {
	in := &inserter[Alert]{table: "alert_rows", bytes: func(a *Alert) int { return 512 + len(a.Payload) + len(a.Evidence) }}
	type A = Alert
	in.add(
		scalar("alert_id", func(a *A) *string { return &a.AlertID }),
		scalar("version", func(*A) uint64 { return 1 }),
		scalar("session_id", func(a *A) *string { return &a.SessionID }),
		scalar("rule_id", func(a *A) *string { return &a.RuleID }),
		scalar("severity", func(a *A) *string { return &a.Severity }),
		scalar("shop", func(a *A) *string { return &a.Shop }),
		scalar("agent_id", func(a *A) *string { return &a.AgentID }),
		scalar("at", func(a *A) time.Time { return clampTime(a.At) }),
		scalar("state", func(*A) string { return "stored" }),
		scalar("payload", func(a *A) *string { return &a.Payload }),
		scalar("kind", func(a *A) *string { return &a.Kind }),
		scalar("rule_version", func(a *A) *string { return &a.RuleVersion }),
		scalar("title", func(a *A) *string { return &a.Title }),
		scalar("reason", func(a *A) *string { return &a.Reason }),
		scalar("evidence", func(a *A) *string { return &a.Evidence }),
		scalar("evidence_seqs", func(a *A) []int64 { return a.EvidenceSeqs }),
		scalar("evidence_key", func(a *A) *string { return &a.EvidenceKey }),
		scalar("hit_id", func(a *A) *string { return &a.HitID }),
		scalar("channel", func(a *A) *string { return &a.Channel }),
		scalar("team", func(a *A) *string { return &a.Team }),
		scalar("session_agent", func(a *A) *string { return &a.SessionAgent }),
		scalar("customer_id", func(a *A) *string { return &a.CustomerID }),
		scalar("withheld", func(a *A) *string { return &a.Withheld }),
		scalar("stored_at", func(a *A) time.Time { return clampTime(a.StoredAt) }),
	)
	if err := insert(ctx, w, in, pointers(alerts)); err != nil {
		return fmt.Errorf("cannot store alerts: %w", err)
	}
	return nil
}

// AppendAlertEvents notes what happened to alerts.
func (w *Warehouse) AppendAlertEvents(ctx context.Context, events []AlertEvent) error {
	in := &inserter[AlertEvent]{table: "alert_events", bytes: func(e *AlertEvent) int { return 128 + len(e.Detail) }}
	type E = AlertEvent
	in.add(
		scalar("alert_id", func(e *E) *string { return &e.AlertID }),
		scalar("event", func(e *E) *string { return &e.Event }),
		scalar("actor", func(e *E) *string { return &e.Actor }),
		scalar("at", func(e *E) time.Time { return clampTime(e.At) }),
		scalar("detail", func(e *E) *string { return &e.Detail }),
	)
	if err := insert(ctx, w, in, pointers(events)); err != nil {
		return fmt.Errorf("cannot note what happened to alerts: %w", err)
	}
	return nil
}

// AlertMarks gives what is stored of the alerts of sessions, by session; sessions without any are left out.
func (w *Warehouse) AlertMarks(ctx context.Context, sessionIDs []string) (map[string][]AlertMark, error) {
	out := map[string][]AlertMark{}
	type place struct {
		session string
		index   int
	}
	places := map[string]place{}
	var ids []string
	err := eachIDs(sessionIDs, maxQueryIDs, func(list string) error {
		sql := "SELECT DISTINCT session_id, alert_id, kind, rule_id, hit_id, evidence_key, at, withheld FROM alert_rows WHERE session_id IN (" + list + ") ORDER BY session_id, at, alert_id LIMIT 1 BY alert_id"
		return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
			var session string
			var m AlertMark
			if err := rows.Scan(&session, &m.AlertID, &m.Kind, &m.RuleID, &m.HitID, &m.EvidenceKey, &m.At, &m.Withheld); err != nil {
				return err
			}
			m.At = m.At.UTC()
			places[m.AlertID] = place{session, len(out[session])}
			out[session] = append(out[session], m)
			ids = append(ids, m.AlertID)
			return nil
		})
	})
	if err == nil {
		err = eachIDs(ids, maxQueryIDs, func(list string) error {
			sql := "SELECT alert_id, countIf(event = 'sent') > 0, maxOrNullIf(written_at, event = 'superseded') AS s, maxOrNullIf(written_at, event = 'restored') AS r, " +
				"ifNull(s > r, s IS NOT NULL) FROM alert_events WHERE alert_id IN (" + list + ") GROUP BY alert_id"
			return w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
				var id string
				var sent, superseded uint8
				var s, r *time.Time
				if err := rows.Scan(&id, &sent, &s, &r, &superseded); err != nil {
					return err
				}
				p := places[id]
				m := &out[p.session][p.index]
				m.Sent, m.Superseded = sent > 0, superseded > 0
				return nil
			})
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the alerts of %d sessions: %w", len(sessionIDs), err)
	}
	return out, nil
}

// UnsentAlerts gives alerts of event times after since that should have been sent and were not: no target has taken them,
// and whoever decided or tried last did so before the time before. The oldest come first.
func (w *Warehouse) UnsentAlerts(ctx context.Context, since, before time.Time, limit int) ([]Alert, error) {
	sql := fmt.Sprintf("SELECT "+alertColumns+" FROM alerts WHERE alert_id IN (SELECT alert_id FROM alert_rows WHERE withheld = '' AND at > fromUnixTimestamp64Milli(%d) AND stored_at < fromUnixTimestamp64Milli(%d) "+
		"AND alert_id NOT IN (SELECT alert_id FROM alert_events WHERE event IN ('sent', 'superseded', 'acknowledged') OR event = 'failed' AND at >= fromUnixTimestamp64Milli(%d)) "+
		"ORDER BY at, alert_id LIMIT %d) ORDER BY at, alert_id", since.UnixMilli(), before.UnixMilli(), before.UnixMilli(), limit)
	return w.alerts(ctx, sql)
}

const alertColumns = "alert_id, kind, session_id, rule_id, rule_version, severity, title, reason, evidence, evidence_seqs, hit_id, channel, shop, team, agent_id, session_agent, customer_id, " +
	"at, stored_at, withheld, state, sent_at, sent_to, error, acknowledged_at, acknowledged_by, note"

// AlertQuery is what somebody wants to see: a condition over the columns of the view alerts, of this program's own text,
// with its parameters.
type AlertQuery struct {
	Where  string // "" for all
	Params []any  // clickhouse.Named
	Limit  int
	// Oldest gives the oldest first instead of the newest.
	Oldest bool
}

// Alerts gives alerts by time, the newest first.
func (w *Warehouse) Alerts(ctx context.Context, q AlertQuery) ([]Alert, error) {
	where := ""
	if q.Where != "" {
		where = " WHERE " + q.Where
	}
	order := "DESC"
	if q.Oldest {
		order = "ASC"
	}
	return w.alerts(ctx, fmt.Sprintf("SELECT %s FROM alerts%s ORDER BY at %s, alert_id %s LIMIT %d", alertColumns, where, order, order, q.Limit), q.Params...)
}

// AlertsByID gives the alerts of these ids in no order; unknown ones are left out.
func (w *Warehouse) AlertsByID(ctx context.Context, ids []string) ([]Alert, error) {
	var out []Alert
	err := eachIDs(ids, maxQueryIDs, func(list string) error {
		some, err := w.alerts(ctx, "SELECT "+alertColumns+" FROM alerts WHERE alert_id IN ("+list+")")
		out = append(out, some...)
		return err
	})
	return out, err
}

func (w *Warehouse) alerts(ctx context.Context, sql string, params ...any) ([]Alert, error) {
	rows, err := w.conn.Query(w.reading(ctx), sql, params...)
	if err != nil {
		return nil, fmt.Errorf("cannot read alerts: %w", err)
	}
	defer rows.Close()
	var out []Alert
	for rows.Next() {
		var a Alert
		if err := rows.Scan(&a.AlertID, &a.Kind, &a.SessionID, &a.RuleID, &a.RuleVersion, &a.Severity, &a.Title, &a.Reason, &a.Evidence, &a.EvidenceSeqs, &a.HitID, &a.Channel, &a.Shop, &a.Team,
			&a.AgentID, &a.SessionAgent, &a.CustomerID, &a.At, &a.StoredAt, &a.Withheld, &a.State, &a.SentAt, &a.SentTo, &a.Error, &a.AcknowledgedAt, &a.AcknowledgedBy, &a.Note); err != nil {
			return nil, fmt.Errorf("cannot read alerts: %w", err)
		}
		a.At, a.StoredAt = a.At.UTC(), a.StoredAt.UTC()
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read alerts: %w", err)
	}
	return out, nil
}

// AlertChange says that an alert was stored or that something happened to it.
type AlertChange struct {
	AlertID string
	At      time.Time // of the insert, by the clock of the store, microseconds
}

// AlertChanges gives what changed after a time of the store's clock, in order, at most limit, one entry an alert: the
// latest. It reads recent rows only. What was too old when it was decided is no news and left out.
func (w *Warehouse) AlertChanges(ctx context.Context, after time.Time, limit int) ([]AlertChange, error) {
	var out []AlertChange
	from := fmt.Sprintf("fromUnixTimestamp64Micro(%d)", after.UnixMicro())
	sql := fmt.Sprintf("SELECT alert_id, max(w) AS latest FROM (SELECT alert_id, written_at AS w FROM alert_rows WHERE written_at > %s AND withheld != 'too_old' UNION ALL "+
		"SELECT alert_id, written_at AS w FROM alert_events WHERE written_at > %s) GROUP BY alert_id ORDER BY latest, alert_id LIMIT %d", from, from, limit)
	err := w.query(w.reading(ctx), sql, func(rows driver.Rows) error {
		var c AlertChange
		if err := rows.Scan(&c.AlertID, &c.At); err != nil {
			return err
		}
		c.At = c.At.UTC()
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look for alerts: %w", err)
	}
	return out, nil
}

// Clock is the time by the clock of the store.
func (w *Warehouse) Clock(ctx context.Context) (time.Time, error) {
	var t time.Time
	if err := w.conn.QueryRow(ctx, "SELECT now64(6, 'UTC')").Scan(&t); err != nil {
		return t, fmt.Errorf("cannot read the clock of the store: %w", err)
	}
	return t.UTC(), nil
}

// HitCount is one line of a correlation: so many sessions' hits of an agent, a customer or a shop.
type HitCount struct {
	Key       string // agent_id, customer_id or shop
	Hits      uint64
	Sessions  uint64
	SessionID string // the latest
	Latest    time.Time
	Shop      string
	Team      string
	Agent     string
}

// CountHits counts the hits of rules in sessions that began after since, per agent, customer or shop, where there are at
// least min. A hit counts at the start of its session. Hits that reviewers dismissed do not count.
func (w *Warehouse) CountHits(ctx context.Context, per string, rules []string, since time.Time, min int) ([]HitCount, error) {
	key, ok := map[string]string{"agent": "h.agent_id", "customer": "s.customer_id", "shop": "s.shop"}[per]
	if !ok {
		return nil, fmt.Errorf("hits cannot be counted per %q", per)
	}
	sql := "SELECT " + key + " AS key, count() AS hits, uniqExact(h.session_id) AS sessions, argMax(h.session_id, (s.started_at, h.session_id)) AS session, assumeNotNull(max(s.started_at)) AS latest, " +
		"argMax(s.shop, (s.started_at, h.session_id)), argMax(s.team, (s.started_at, h.session_id)), argMax(h.agent_id, (s.started_at, h.session_id)) " +
		"FROM hits AS h INNER JOIN (SELECT session_id, started_at, shop, team, customer_id FROM sessions WHERE started_at > fromUnixTimestamp64Milli({since:Int64})) AS s ON s.session_id = h.session_id " +
		"WHERE has({rules:Array(String)}, h.rule_id) AND h.outcome IN ('fail', 'present') AND h.decision NOT IN ('dismiss', 'overturn') AND key != '' " +
		"GROUP BY key HAVING hits >= {min:UInt64} ORDER BY hits DESC, key LIMIT 1000"
	rows, err := w.conn.Query(ctx, sql, clickhouse.Named("since", fmt.Sprint(since.UnixMilli())), clickhouse.Named("rules", rules), clickhouse.Named("min", fmt.Sprint(min)))
	if err != nil {
		return nil, fmt.Errorf("cannot count hits: %w", err)
	}
	defer rows.Close()
	var out []HitCount
	for rows.Next() {
		var c HitCount
		if err := rows.Scan(&c.Key, &c.Hits, &c.Sessions, &c.SessionID, &c.Latest, &c.Shop, &c.Team, &c.Agent); err != nil {
			return nil, fmt.Errorf("cannot count hits: %w", err)
		}
		c.Latest = c.Latest.UTC()
		out = append(out, c)
	}
	return out, rows.Err()
}
