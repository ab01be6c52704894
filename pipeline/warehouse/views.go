package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// View is a public view: a part of the contract with everybody who queries.
type View struct {
	Name string
	// Columns that the contract names, in order; a view may have more after them.
	Columns []string
	// Parameters are the names of the parameters of a parameterised view.
	Parameters []string

	key    string   // columns that order the rows; empty for definitions, which are not compared
	closed bool     // rows of open sessions are left out of a comparison
	skip   []string // columns left out of a comparison
}

// PublicViews lists the public views.
func PublicViews() []View {
	kpi := []string{"profile", "from", "to", "as_of"}
	figures := "received rounds avg_reply_ms first_reply_ms within_30s within_180s within_300s order_rate pre_order conversion sales net_sales basket " +
		"items_per_customer answer_ratio csat invite_rate score hit_rate appeal_rate appeal_won_rate is_final item_price"
	return []View{
		{Name: "sessions", key: "session_id", closed: true, skip: []string{"offset_min", "offset_max", "code_version", "run_id", "version"},
			Columns: strings.Fields("session_id started_at ended_at state channel shop business team agent_ids customer_id turns score experience flagged " +
				"emotion_start emotion_end rules_version model_version epoch run_id version topic partition offset_min offset_max code_version coverage")},
		{Name: "turns", key: "session_id, position", closed: true, Columns: strings.Fields("session_id seq role agent_id at text emotion polarity")},
		{Name: "mentions", key: "session_id, seq, start, mention_id", closed: true,
			Columns: strings.Fields("session_id seq mention_id text start end kind aspect valuable product polarity opinion_id department customer_id day shop")},
		{Name: "hits", key: "session_id, hit_id", closed: true,
			Columns: strings.Fields("session_id hit_id rule_id rule_version agent_id outcome severity points evidence_seqs reason decision day shop team")},
		{Name: "outcomes", key: "session_id, rule_id", closed: true, Columns: strings.Fields("session_id rule_id outcome")},
		{Name: "scorecard_items", key: "session_id, scorecard, item", closed: true, Columns: strings.Fields("session_id scorecard item points max outcome human")},
		{Name: "scorecards", key: "session_id, scorecard", closed: true, Columns: strings.Fields("session_id scorecard name score final_score unscored")},
		{Name: "rounds", key: "session_id, seq", closed: true, Columns: strings.Fields("session_id agent_id asked_at replied_at reply_ms")},
		{Name: "opinions", key: "opinion_id",
			Columns: strings.Fields("opinion_id title aspect product kind department status fixed_on owner first_seen mentions sessions customers trend")},
		{Name: "opinion_days", key: "opinion_id, day", Columns: strings.Fields("opinion_id day mentions sessions customers")},
		{Name: "orders", key: "order_id",
			Columns: strings.Fields("order_id shop status updated_at customer_id agent_id created_at paid_at amount items refund_amount attributes")},
		{Name: "ratings", key: "session_id", Columns: strings.Fields("session_id score max comment at attributes")},
		{Name: "reviews", key: "session_id, event_id", Columns: strings.Fields("session_id event_id seen hit_id actor action note at conflict")},
		{Name: "rule_days", key: "rule_id, rule_version, day", Columns: strings.Fields("rule_id rule_version day hits sessions confirmed dismissed conflicts appealed")},
		{Name: "rule_precision", key: "rule_id, rule_version", Columns: strings.Fields("rule_id rule_version hits confirmed dismissed conflicts appealed precision")},
		{Name: "alerts", key: "alert_id", skip: []string{"sent_at", "stored_at", "sent_to", "error"}, Columns: strings.Fields("alert_id session_id rule_id at sent_at state")},
		{Name: "dead_letters", key: "sha256", skip: strings.Fields("topic partition offset error raw_masked at"),
			Columns: strings.Fields("topic partition offset error raw_masked sha256 at")},
		{Name: "runs", key: "`from`, `to`, rules_version", skip: []string{"run_id", "created_at"}, Columns: strings.Fields("run_id rules_version from to state sessions")},
		{Name: "lost_ranges", key: "topic, partition, offset_from, offset_to", skip: []string{"at", "topic_id"}, Columns: strings.Fields("topic partition offset_from offset_to at acknowledged")},
		{Name: "kpi_profiles", Columns: strings.Fields("profile version opens closes cap_ms unanswered_ms automatic_only passed_on automatic_reply bot_waits within_of " +
			"lookback_days order_hours pay_hours sales_hours attribution lag_days verified note")},
		{Name: "agent_kpi", Parameters: kpi, Columns: strings.Fields("agent_id team shop day " + figures)},
		{Name: "team_kpi", Parameters: kpi, Columns: strings.Fields("team day " + figures)},
		{Name: "shop_kpi", Parameters: kpi, Columns: strings.Fields("shop day " + figures)},
		{Name: "channel_kpi", Parameters: kpi, Columns: strings.Fields("channel source day " + figures)},
	}
}

// Tables is what the public views show, each row as one line of text, in order.
type Tables map[string][]string

// Snapshot reads all public views in the form in which two warehouses are compared: rows of closed sessions only,
// ordered by key, without what depends on when, where and by which program a row was written; of dead letters only the
// set of hashes. Alerts depend on the order in which messages arrive and are left out where that differs. It holds
// everything in memory: it is for tests and checks, not for large warehouses.
func (w *Warehouse) Snapshot(ctx context.Context, reordered bool) (Tables, error) {
	out := Tables{}
	for _, v := range PublicViews() {
		if v.key == "" || reordered && v.Name == "alerts" {
			continue
		}
		var columns []string
		sql := "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = " + quote(v.Name) + " ORDER BY position"
		err := w.query(ctx, sql, func(rows driver.Rows) error {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			if !slices.Contains(v.skip, name) {
				columns = append(columns, "`"+name+"`")
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read the columns of view %s: %w", v.Name, err)
		}
		sql = "SELECT formatRowNoNewline('JSONEachRow', " + strings.Join(columns, ", ") + ") FROM " + v.Name
		if v.closed {
			sql += " WHERE session_id IN (SELECT session_id FROM sessions WHERE state = 'closed')"
		}
		rows := []string{}
		sql += " ORDER BY " + v.key
		if v.Name == "dead_letters" { // the same bytes sent twice are one
			sql += " LIMIT 1 BY sha256"
		}
		err = w.query(ctx, sql, func(r driver.Rows) error {
			var row string
			if err := r.Scan(&row); err != nil {
				return err
			}
			rows = append(rows, row)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read view %s: %w", v.Name, err)
		}
		out[v.Name] = rows
	}
	return out, nil
}

// Diff says where two snapshots differ, "" where they do not: for each view the counts and the first rows that only one
// of them has.
func (t Tables) Diff(o Tables) string {
	var b strings.Builder
	for _, v := range PublicViews() {
		a, c := t[v.Name], o[v.Name]
		if slices.Equal(a, c) {
			continue
		}
		fmt.Fprintf(&b, "%s: %d rows and %d rows\n", v.Name, len(a), len(c))
		only := func(sign string, have, other []string) {
			count := map[string]int{}
			for _, row := range other {
				count[row]++
			}
			shown := 0
			for _, row := range have {
				if count[row]--; count[row] < 0 && shown < 3 {
					fmt.Fprintf(&b, "  %s %s\n", sign, row)
					shown++
				}
			}
		}
		only("-", a, c)
		only("+", c, a)
	}
	return b.String()
}
