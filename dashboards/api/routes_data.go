package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// Limits of SQL that a person types.
const (
	sqlTime = 20 * time.Second
	sqlRows = 10_000
)

var sqlRoles = []access.Role{access.Admin, access.Analyst}

// DataView is a public view.
type DataView struct {
	Name       string       `json:"name"`
	Comment    string       `json:"comment"`
	Parameters []string     `json:"parameters" doc:"of a view with parameters, such as agent_kpi(profile = 'generic', ...)"`
	Columns    []DataColumn `json:"columns"`
	Sample     string       `json:"sample" doc:"SQL to start from"`
	AdminOnly  bool         `json:"admin_only"`
}

// DataColumn is a column of a view.
type DataColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type" doc:"ClickHouse type; empty for views with parameters"`
	Comment string `json:"comment"`
}

// DataViews are all public views and queries to start from.
type DataViews struct {
	Views   []DataView `json:"views"`
	Samples []Sample   `json:"samples"`
	Connect []Connect  `json:"connect" doc:"how other tools reach the data"`
}

// Sample is a query that people may start from.
type Sample struct {
	ID  string `json:"id"`
	SQL string `json:"sql"`
}

// Connect is a way to the data.
type Connect struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// SQL is a statement.
type SQL struct {
	SQL   string `json:"sql"`
	Limit int    `json:"limit,omitempty" doc:"most rows given back; 1,000 where it is not given, at most 10,000"`
}

// Check implements the check of bodies.
func (s *SQL) Check() error {
	if strings.TrimSpace(s.SQL) == "" {
		return &Error{http.StatusBadRequest, "missing", "is needed", "sql"}
	}
	if s.Limit < 0 || s.Limit > sqlRows {
		return BadValue("limit", "lies between 1 and %d", sqlRows)
	}
	if s.Limit == 0 {
		s.Limit = 1000
	}
	return nil
}

// SQLResult is what a statement gave.
type SQLResult struct {
	Columns   []warehouse.Column `json:"columns"`
	Rows      [][]any            `json:"rows" doc:"values in the order of the columns"`
	Truncated bool               `json:"truncated" doc:"there are more rows than the limit"`
	MS        int64              `json:"ms"`
}

// RunRow is a rerun.
type RunRow struct {
	ID      uint64    `ch:"run_id" json:"run_id"`
	RulesV  string    `ch:"rules_version" json:"rules_version"`
	ModelV  string    `ch:"model_version" json:"model_version"`
	From    time.Time `ch:"from" json:"from"`
	To      time.Time `ch:"to" json:"to"`
	State   string    `ch:"state" json:"state" enum:"running,done,switched,failed,cancelled"`
	Session uint64    `ch:"sessions" json:"sessions"`
	Epoch   uint32    `ch:"epoch" json:"epoch"`
	Actor   string    `ch:"actor" json:"actor"`
	Note    string    `ch:"note" json:"note"`
	Created time.Time `ch:"created_at" json:"created_at"`
}

// DeadLetter is a message that could not be taken.
type DeadLetter struct {
	Topic     string    `ch:"topic" json:"topic"`
	Partition int32     `ch:"partition" json:"partition"`
	Offset    int64     `ch:"offset" json:"offset"`
	Error     string    `ch:"error" json:"error"`
	Raw       string    `ch:"raw_masked" json:"raw_masked"`
	SHA256    string    `ch:"sha256" json:"sha256"`
	At        time.Time `ch:"at" json:"at"`
}

// Health is how the pipeline stands.
type Health struct {
	Now         time.Time        `json:"now"`
	Sessions    uint64           `json:"sessions"`
	Open        uint64           `json:"open"`
	Latest      *time.Time       `json:"latest_turn" doc:"time of the latest utterance"`
	DeadLetters []DeadLetterSum  `json:"dead_letters" doc:"of the last 7 days by topic and error"`
	Lost        []LostRange      `json:"lost_ranges" doc:"offsets that were deleted before they were read, the latest 50"`
	Sources     []current.Status `json:"sources" doc:"parts of the analysis that may change while the process runs"`
	RulesV      string           `json:"rules_version"`
	ModelV      string           `json:"model_version"`
	Epoch       uint32           `json:"epoch"`
}

// DeadLetterSum counts dead letters.
type DeadLetterSum struct {
	Topic string    `ch:"topic" json:"topic"`
	Error string    `ch:"error" json:"error"`
	Count uint64    `ch:"n" json:"count"`
	Last  time.Time `ch:"last_at" json:"last_at"`
}

// LostRange are offsets that were never read.
type LostRange struct {
	Topic        string    `ch:"topic" json:"topic"`
	TopicID      string    `ch:"topic_id" json:"topic_id" doc:"hex; a topic that is deleted and made again has another. Empty where Kafka tells none"`
	Partition    int32     `ch:"partition" json:"partition"`
	From         int64     `ch:"offset_from" json:"offset_from"`
	To           int64     `ch:"offset_to" json:"offset_to"`
	At           time.Time `ch:"at" json:"at"`
	Acknowledged bool      `ch:"acknowledged" json:"acknowledged"`
	By           string    `ch:"acknowledged_by" json:"acknowledged_by"`
}

func (a *API) dataRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/data/views", Roles: staff, Summary: "The public views with their columns and what they mean, sample queries, how to connect other tools",
			Response: DataViews{}, Handle: a.dataViews,
		},
		{
			Method: http.MethodPost, Path: "/data/sql", Roles: sqlRoles, Summary: "Run one read-only statement, within limits of time, memory and rows",
			Body: SQL{}, Response: SQLResult{}, MaxBody: 256 << 10, Timeout: sqlTime + 10*time.Second, Handle: a.runSQL,
		},
		{
			Method: http.MethodGet, Path: "/data/runs", Roles: sqlRoles, Summary: "Reruns over past periods, latest first",
			Paged: true, Response: Page[RunRow]{}, Handle: a.runs,
		},
		{
			Method: http.MethodGet, Path: "/data/dead-letters", Roles: sqlRoles, Summary: "Messages that could not be taken, latest first",
			Paged: true, Response: Page[DeadLetter]{}, Handle: a.deadLetters,
		},
		{
			Method: http.MethodGet, Path: "/data/health", Roles: sqlRoles, Summary: "How the pipeline stands: what came last, dead letters, lost offsets, what is in use",
			Response: Health{}, Handle: a.health,
		},
	}
}

var samples = []Sample{
	{"flagged", "SELECT session_id, shop, score, severity\nFROM sessions\nWHERE flagged AND state = 'closed'\nORDER BY score"},
	{"rules", "SELECT rule_id, severity, uniqExact(session_id) AS sessions\nFROM hits\nWHERE closed\nGROUP BY rule_id, severity\nORDER BY sessions DESC"},
	{"opinions", "SELECT title, aspect, product, mentions, customers, trend\nFROM opinions\nORDER BY mentions DESC\nLIMIT 50"},
	{"complaints", "SELECT aspect, product, count() AS mentions, uniqExact(customer_id) AS customers, groupArray(3)(text) AS quotes\nFROM mentions\nWHERE kind = 'complaint' AND valuable\nGROUP BY aspect, product\nORDER BY mentions DESC"},
	{"replies", "SELECT agent_id, count() AS rounds, avg(reply_ms) / 1000 AS reply_s, countIf(reply_ms <= 180000) / count() AS within_180s\nFROM rounds\nWHERE closed AND agent_id != ''\nGROUP BY agent_id\nORDER BY agent_id"},
	{"kpi", "SELECT agent_id, day, received, avg_reply_ms, conversion, csat, score\nFROM agent_kpi(profile = 'generic', from = today() - 30, to = today(), as_of = today())\nORDER BY agent_id, day"},
	{"text", "SELECT session_id, seq, text\nFROM turns\nWHERE role = 'customer' AND text ILIKE '%多少钱%'\nLIMIT 100"},
}

var connect = []Connect{
	{"sql", `tingke sql --json "SELECT * FROM sessions LIMIT 10"`},
	{"http", `curl -H "Authorization: Bearer TOKEN" -H "Content-Type: application/json" -d '{"sql": "SELECT count() FROM sessions"}' http://HOST/api/v1/data/sql`},
	{"clickhouse", `clickhouse-client --host SERVER --database tingke --user READER --query "SELECT * FROM sessions LIMIT 10"`},
}

func (a *API) dataViews(r *Request) (any, error) {
	var columns []struct {
		View    string `ch:"table"`
		Name    string `ch:"name"`
		Type    string `ch:"type"`
		Comment string `ch:"comment"`
	}
	if err := a.Warehouse.Conn().Select(r.Context(), &columns, "SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"); err != nil {
		return nil, err
	}
	out := &DataViews{Samples: samples, Connect: connect}
	for _, v := range warehouse.PublicViews() {
		x := DataView{Name: v.Name, Parameters: v.Parameters, AdminOnly: access.MayQuery(access.Identity{Role: access.Analyst}, "SELECT 1 FROM "+v.Name) != nil}
		for _, c := range columns {
			if c.View == v.Name {
				x.Columns = append(x.Columns, DataColumn{c.Name, c.Type, c.Comment})
			}
		}
		x.Sample = "SELECT *\nFROM " + v.Name
		if len(v.Parameters) > 0 {
			for _, c := range v.Columns {
				if !slices.ContainsFunc(x.Columns, func(d DataColumn) bool { return d.Name == c }) {
					x.Columns = append(x.Columns, DataColumn{Name: c})
				}
			}
			x.Sample += "(profile = 'generic', from = today() - 30, to = today(), as_of = today())"
		}
		x.Sample += "\nLIMIT 100"
		if len(x.Columns) > 0 {
			out.Views = append(out.Views, x)
		}
	}
	return out, nil
}

func (a *API) runSQL(r *Request) (any, error) {
	b := Body[SQL](r)
	ctx := r.Context()
	if err := access.MayQuery(r.Who, b.SQL); err != nil {
		if errors.Is(err, access.ErrForbidden) {
			return nil, Forbidden("%s", err)
		}
		return nil, sqlError(err)
	}
	if err := access.Audit(ctx, access.ActionQuery, clip(b.SQL, 2000), nil); err != nil {
		return nil, err
	}
	began := time.Now()
	rows, err := a.Warehouse.UserQuery(ctx, b.SQL, warehouse.Limits{Time: sqlTime})
	if err != nil {
		return nil, sqlError(err)
	}
	defer rows.Close()
	out := &SQLResult{Columns: rows.Columns()}
	for rows.Next() {
		if len(out.Rows) == b.Limit {
			out.Truncated = true
			break
		}
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, values)
	}
	if err := rows.Err(); err != nil && !out.Truncated {
		return nil, sqlError(err)
	}
	out.MS = time.Since(began).Milliseconds()
	return out, nil
}

// sqlError tells the author of a statement what is wrong with it.
func sqlError(err error) error {
	var e *engine.Exception
	if errors.As(err, &e) || warehouse.ErrorCode(err) != 0 {
		if warehouse.ErrorCode(err) == codeTimeout {
			return &Error{http.StatusServiceUnavailable, "too_slow", fmt.Sprintf("the statement took longer than %s; narrow it down", sqlTime), "sql"}
		}
		return &Error{http.StatusBadRequest, "bad_sql", clip(err.Error(), 2000), "sql"}
	}
	return err
}

func (a *API) runs(r *Request) (any, error) {
	return offsetPage(r, func(offset, limit int) ([]RunRow, error) {
		var out []RunRow
		return out, a.Warehouse.Conn().Select(r.Context(), &out, fmt.Sprintf("SELECT run_id, rules_version, model_version, `from`, `to`, state, sessions, epoch, actor, note, created_at FROM runs ORDER BY created_at DESC, run_id DESC LIMIT %d OFFSET %d", limit, offset))
	})
}

// wholeOnly refuses who is held to some teams: what it shows belongs to none.
func wholeOnly(r *Request) error {
	if !r.Scope.All() {
		return Forbidden("this shows messages of all teams, and you may see %s", strings.Join(r.Who.Teams, ", "))
	}
	return nil
}

func (a *API) deadLetters(r *Request) (any, error) {
	if err := wholeOnly(r); err != nil {
		return nil, err
	}
	return offsetPage(r, func(offset, limit int) ([]DeadLetter, error) {
		var out []DeadLetter
		return out, a.Warehouse.Conn().Select(r.Context(), &out, fmt.Sprintf("SELECT topic, `partition`, `offset`, error, raw_masked, sha256, at FROM dead_letters ORDER BY at DESC, topic, `partition`, `offset` DESC LIMIT %d OFFSET %d", limit, offset))
	})
}

func (a *API) health(r *Request) (any, error) {
	if err := wholeOnly(r); err != nil {
		return nil, err
	}
	h := &Health{Now: a.Now().UTC()}
	var totals struct {
		Sessions uint64     `ch:"n"`
		Open     uint64     `ch:"open_sessions"`
		Latest   *time.Time `ch:"latest"`
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	q := a.reads(r.Context())
	q.one(&totals, "SELECT count() AS n, countIf(state = 'open') AS open_sessions, max(ifNull(ended_at, started_at)) AS latest FROM "+x.sessions("1"))
	q.all(&h.DeadLetters, "SELECT topic, error, count() AS n, max(at) AS last_at FROM dead_letters WHERE at > now() - INTERVAL 7 DAY GROUP BY topic, error ORDER BY n DESC, topic, error LIMIT 50")
	q.all(&h.Lost, "SELECT topic, topic_id, `partition`, offset_from, offset_to, at, acknowledged, acknowledged_by FROM lost_ranges ORDER BY at DESC, topic, `partition`, offset_from, topic_id LIMIT 50")
	if err := q.wait(); err != nil {
		return nil, err
	}
	h.Sessions, h.Open, h.Latest = totals.Sessions, totals.Open, totals.Latest
	if a.Sources != nil {
		h.Sources = a.Sources()
	}
	if a.Analyser != nil {
		an := a.Analyser()
		h.RulesV, h.ModelV, h.Epoch = an.RulesVersion(), an.ModelVersion(), an.Epoch()
	}
	return h, nil
}
