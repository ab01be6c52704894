package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// AlertRow is an alert as it is now.
type AlertRow struct {
	AlertID        string     `json:"alert_id"`
	Kind           string     `json:"kind" enum:"hit,waiting,correlation"`
	State          string     `json:"state" enum:"stored,sent,failed,acknowledged,superseded"`
	SessionID      string     `json:"session_id"`
	RuleID         string     `json:"rule_id"`
	RuleVersion    string     `json:"rule_version"`
	Severity       string     `json:"severity"`
	Title          string     `json:"title" doc:"name of the rule"`
	Reason         string     `json:"reason"`
	Evidence       string     `json:"evidence" doc:"masked text of the first turn it rests on"`
	EvidenceSeqs   []int64    `json:"evidence_seqs"`
	HitID          string     `json:"hit_id" doc:"the hit it announces; empty for waiting and correlation"`
	At             time.Time  `json:"at" doc:"time of the evidence"`
	StoredAt       time.Time  `json:"stored_at"`
	SentAt         *time.Time `json:"sent_at"`
	SentTo         string     `json:"sent_to" doc:"targets that took it"`
	Error          string     `json:"error" doc:"why the last target that failed did"`
	Withheld       string     `json:"withheld" doc:"why it is not sent: too_old or cooldown; empty where it is"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	AcknowledgedBy string     `json:"acknowledged_by"`
	Note           string     `json:"note"`
	Channel        string     `json:"channel"`
	Shop           string     `json:"shop"`
	Team           string     `json:"team"`
	AgentID        string     `json:"agent_id"`
	CustomerID     string     `json:"customer_id" doc:"pseudonym"`
	SessionURL     string     `json:"session_url"`
	TakeoverURL    string     `json:"takeover_url" doc:"where somebody can step in; empty where nothing is configured"`
}

// AlertCounts are alerts that nobody has taken, for a badge.
type AlertCounts struct {
	Open       uint64            `json:"open" doc:"sent or to be sent, neither acknowledged nor superseded, of the last day"`
	BySeverity map[string]uint64 `json:"by_severity"`
}

// Acknowledge is the body of taking an alert.
type Acknowledge struct {
	Note string `json:"note,omitempty"`
}

// Check implements the check of bodies.
func (b *Acknowledge) Check() error {
	if utf8.RuneCountInString(b.Note) > 1000 {
		return BadValue("note", "is longer than 1000 characters")
	}
	return nil
}

// alertReaders see alerts: agents do not, nor do product managers, for whom opinions are made.
var alertReaders = []access.Role{access.Admin, access.Supervisor, access.Analyst}

// alertQuery are the filters of alerts. They are the columns of the view, not those of sessions: an alert is there before
// its session is.
var alertQuery = []Param{
	{Name: "alert_state", Type: "text", Enum: []string{"stored", "sent", "failed", "acknowledged", "superseded"}, Repeated: true},
	{Name: "alert_kind", Type: "text", Enum: []string{warehouse.AlertHit, warehouse.AlertWaiting, warehouse.AlertCorrelation}, Repeated: true},
	{Name: "severity", Type: "text", Enum: []string{"info", "minor", "major", "critical"}, Repeated: true},
	{Name: "rule", Type: "text", Repeated: true},
	{Name: "shop", Type: "text", Repeated: true},
	{Name: "team", Type: "text", Repeated: true},
	{Name: "agent", Type: "text", Repeated: true},
	{Name: "session", Type: "text", Doc: "session_id"},
	{Name: "from", Type: "day", Doc: "first day, by the time of the evidence"},
	{Name: "to", Type: "day", Doc: "last day, inside"},
	{Name: "open", Type: "bool", Doc: "1: only what nobody has taken: neither withheld, acknowledged nor superseded"},
}

// alertStream is how long a stream lasts at most, seconds: whoever reads on comes again and is asked anew who he is.
const alertStream = 900

func (a *API) alertRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/alerts", Roles: alertReaders, Summary: "Alerts, the newest first",
			Query: alertQuery, Paged: true, Response: Page[AlertRow]{}, Handle: a.alerts,
		},
		{
			Method: http.MethodGet, Path: "/alerts/counts", Roles: alertReaders, Summary: "Alerts of the last day that nobody has taken",
			Response: AlertCounts{}, Handle: a.alertCounts,
		},
		{
			Method: http.MethodGet, Path: "/alerts/stream", Roles: alertReaders,
			Summary: "Alerts and what happens to them as server-sent events: alert (an alert as it is now; the same one may come twice), reload (too much was missed: load the list), bye (why the stream ends; come again with the last id)",
			Query: []Param{{Name: "wait", Type: "int", Min: 0, Max: alertStream, Default: strconv.Itoa(alertStream), Doc: "seconds after which the stream ends; 0: what was missed since Last-Event-ID, then the end"},
				{Name: "last_event_id", Type: "text", Doc: "for clients that cannot send the header Last-Event-ID"}},
			Produces: "text/event-stream", Endless: true, Handle: a.alertEvents,
		},
		{
			Method: http.MethodGet, Path: "/alerts/{alert_id}", Roles: alertReaders, Summary: "One alert", Response: AlertRow{}, Handle: a.alert,
		},
		{
			Method: http.MethodPost, Path: "/alerts/{alert_id}/acknowledge", Roles: deciders, Summary: "Say that you take care of an alert",
			Body: Acknowledge{}, Response: AlertRow{}, Handle: a.acknowledge,
		},
	}
}

var errNoAlerts = Unavailable("alerts are not shown by this process")

func (a *API) alertRow(x *warehouse.Alert) AlertRow {
	p := a.Alerts.Payload(x)
	return AlertRow{
		AlertID: x.AlertID, Kind: x.Kind, State: x.State, SessionID: x.SessionID, RuleID: x.RuleID, RuleVersion: x.RuleVersion, Severity: x.Severity, Title: x.Title,
		Reason: x.Reason, Evidence: x.Evidence, EvidenceSeqs: x.EvidenceSeqs, HitID: x.HitID, At: x.At, StoredAt: x.StoredAt, SentAt: x.SentAt, SentTo: x.SentTo,
		Error: x.Error, Withheld: x.Withheld, AcknowledgedAt: x.AcknowledgedAt, AcknowledgedBy: x.AcknowledgedBy, Note: x.Note, Channel: x.Channel, Shop: x.Shop,
		Team: x.Team, AgentID: x.AgentID, CustomerID: x.CustomerID, SessionURL: p.SessionURL, TakeoverURL: p.TakeoverURL,
	}
}

// alertScope is what the caller may see of alerts.
func alertScope(r *Request) (string, []any) {
	return r.Scope.Where("team", "[agent_id, session_agent]")
}

// alertFilter is the condition on the view alerts of what the caller may see and the filters ask for.
func alertFilter(r *Request) (string, []any) {
	sql, p := alertScope(r)
	for _, name := range []string{"shop", "channel", "team"} {
		if r.Filter.Get(name) != "" {
			sql += " AND " + name + " IN {alert_" + name + ":Array(String)}"
			p = append(slices.Clone(p), named("alert_"+name, r.Filter.All(name)))
		}
	}
	return sql, p
}

// Compared as a whole: ClickHouse turns a comparison of withheld with the empty text into the size of a column that the
// view does not have.
const openAlerts = "concat(withheld, '') = '' AND state IN ('stored', 'sent', 'failed')"

// alertKey is where an alert stands in the list.
type alertKey struct {
	At int64  `json:"at"` // ms
	ID string `json:"id"`
}

func (a *API) alerts(r *Request) (any, error) {
	if a.Alerts == nil {
		return nil, errNoAlerts
	}
	where, p := alertScope(r)
	conditions := []string{where}
	add := func(sql string, named ...any) {
		conditions = append(conditions, sql)
		p = append(p, named...)
	}
	for name, column := range map[string]string{"alert_state": "state", "alert_kind": "kind", "severity": "severity", "rule": "rule_id", "shop": "shop", "team": "team", "agent": "agent_id"} {
		if list := r.All(name); len(list) > 0 {
			add("has({f_"+name+":Array(String)}, "+column+")", named("f_"+name, list))
		}
	}
	if id := r.Get("session"); id != "" {
		add("session_id = {f_session:String}", named("f_session", id))
	}
	for name, op := range map[string]string{"from": ">=", "to": "<"} {
		if day := r.Get(name); day != "" {
			at, err := time.ParseInLocation(time.DateOnly, day, a.Timezone)
			if err != nil {
				return nil, BadValue(name, "is no day")
			}
			if name == "to" {
				at = at.AddDate(0, 0, 1)
			}
			add("at "+op+" fromUnixTimestamp64Milli({f_"+name+":Int64})", named("f_"+name, strconv.FormatInt(at.UnixMilli(), 10)))
		}
	}
	if r.Get("open") == "1" {
		add(openAlerts)
	}
	var key alertKey
	next, err := r.Cursor(&key)
	if err != nil {
		return nil, err
	}
	if next {
		add("(at, alert_id) < (fromUnixTimestamp64Milli({k_at:Int64}), {k_id:String})", named("k_at", strconv.FormatInt(key.At, 10)), named("k_id", key.ID))
	}
	list, err := a.Warehouse.Alerts(r.Context(), warehouse.AlertQuery{Where: strings.Join(conditions, " AND "), Params: p, Limit: r.Limit + 1})
	if err != nil {
		return nil, err
	}
	page := &Page[AlertRow]{}
	for i := range list {
		if i == r.Limit {
			last := &list[i-1]
			if page.Next, err = r.Next(alertKey{last.At.UnixMilli(), last.AlertID}); err != nil {
				return nil, err
			}
			break
		}
		page.Items = append(page.Items, a.alertRow(&list[i]))
	}
	return page, nil
}

func (a *API) alertCounts(r *Request) (any, error) {
	where, p := alertScope(r)
	var rows []struct {
		Severity string `ch:"severity"`
		N        uint64 `ch:"n"`
	}
	p = append(p, named("since", strconv.FormatInt(a.Now().Add(-24*time.Hour).UnixMilli(), 10)))
	err := a.Warehouse.Conn().Select(r.Context(), &rows, "SELECT severity, count() AS n FROM alerts WHERE "+where+" AND "+openAlerts+" AND at > fromUnixTimestamp64Milli({since:Int64}) GROUP BY severity", p...)
	if err != nil {
		return nil, err
	}
	c := &AlertCounts{BySeverity: map[string]uint64{}}
	for _, row := range rows {
		c.BySeverity[row.Severity] += row.N
		c.Open += row.N
	}
	return c, nil
}

// oneAlert reads an alert that the caller may see.
func (a *API) oneAlert(r *Request) (*warehouse.Alert, error) {
	if a.Alerts == nil {
		return nil, errNoAlerts
	}
	where, p := alertScope(r)
	list, err := a.Warehouse.Alerts(r.Context(), warehouse.AlertQuery{Where: "alert_id = {id:String} AND " + where, Params: append(p, named("id", r.PathValue("alert_id"))), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, NotFound("alert")
	}
	return &list[0], nil
}

func (a *API) alert(r *Request) (any, error) {
	x, err := a.oneAlert(r)
	if err != nil {
		return nil, err
	}
	return a.alertRow(x), nil
}

func (a *API) acknowledge(r *Request) (any, error) {
	x, err := a.oneAlert(r)
	if err != nil {
		return nil, err
	}
	switch {
	case x.AcknowledgedAt != nil && x.AcknowledgedBy != r.Who.User:
		return nil, Conflict("%s has taken it already", x.AcknowledgedBy)
	case x.AcknowledgedAt == nil:
		e := warehouse.AlertEvent{AlertID: x.AlertID, Event: warehouse.AlertAcknowledged, Actor: r.Who.User, At: a.Now().UTC(), Detail: Body[Acknowledge](r).Note}
		if err := a.Warehouse.AppendAlertEvents(r.Context(), []warehouse.AlertEvent{e}); err != nil {
			return nil, err
		}
		if x, err = a.oneAlert(r); err != nil {
			return nil, err
		}
	}
	return a.alertRow(x), nil
}

func (a *API) alertEvents(r *Request) (any, error) {
	if a.Alerts == nil {
		return nil, errNoAlerts
	}
	last := r.Get("last_event_id")
	if h := r.HTTP.Header.Get("Last-Event-ID"); h != "" {
		last = h
	}
	scope := r.Scope
	sub, err := a.Alerts.Subscribe(r.Context(), last, func(x *warehouse.Alert) bool { return scope.Allows(x.Team, []string{x.AgentID}) })
	reload := errors.Is(err, alert.ErrGap)
	switch {
	case errors.Is(err, alert.ErrFull):
		return nil, Busy("%s", err)
	case errors.Is(err, alert.ErrStopped):
		return nil, Unavailable("%s", err)
	case err != nil && !reload:
		return nil, err
	}
	return &eventStream{a, sub, reload, time.Duration(r.Int("wait")) * time.Second}, nil
}

// eventStream writes alerts as server-sent events.
type eventStream struct {
	a      *API
	sub    *alert.Subscription
	reload bool
	wait   time.Duration
}

// Times of a stream of events.
const (
	heartbeat    = 15 * time.Second // proxies cut what is silent
	writeTimeout = 10 * time.Second // a reader that takes nothing for so long is gone
)

// Respond implements Responder.
func (s *eventStream) Respond(w http.ResponseWriter, r *http.Request) error {
	defer s.sub.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	write := func(text string) error {
		// Without deadlines of its own the server's would end the stream; some writers have none.
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return nil
	}
	begin := ": alerts\nretry: 2000\n\n"
	if s.reload {
		begin += "event: reload\ndata: {}\n\n"
	}
	if write(begin) != nil {
		return nil // the reader is gone
	}
	until := time.Now().Add(s.wait)
	for {
		ctx, cancel := context.WithTimeout(r.Context(), min(heartbeat, max(0, time.Until(until))))
		m, err := s.sub.Next(ctx)
		cancel()
		text := ""
		switch {
		case r.Context().Err() != nil:
			return nil
		case err == nil:
			b, err := json.Marshal(tidy(s.a.alertRow(&m.Alert)))
			if err != nil {
				return err
			}
			text = fmt.Sprintf("id: %s\nevent: alert\ndata: %s\n\n", m.ID, b)
		case errors.Is(err, context.DeadlineExceeded) && time.Now().Before(until):
			text = ": beat\n\n"
		default:
			reason := "over: come again with the last id"
			if !errors.Is(err, context.DeadlineExceeded) {
				reason = err.Error()
			}
			b, _ := json.Marshal(map[string]string{"reason": reason})
			_ = write("event: bye\ndata: " + string(b) + "\n\n") // the reader may be gone
			return nil
		}
		if write(text) != nil {
			return nil
		}
	}
}
