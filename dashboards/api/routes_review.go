package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/review"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// reviewing are the roles that take part in reviews; what each may do is decided by package review.
var reviewing = []access.Role{access.Admin, access.Supervisor, access.Agent}

func (a *API) reviewRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/sessions/{session_id}/review", Roles: reviewing, Summary: "Where the review of a session stands, what the caller may do, and who did what when",
			Response: Review{}, Handle: a.review,
		},
		{
			Method: http.MethodPost, Path: "/sessions/{session_id}/review", Roles: reviewing, Summary: "Take one action on a session or a hit: confirm, dismiss, appeal, uphold, overturn, score, done, reopen, note",
			Body: ReviewAction{}, Response: Review{}, Handle: a.act,
		},
		{
			Method: http.MethodPost, Path: "/reviews/bulk", Roles: deciders, Summary: "Take up to 500 actions, each by itself",
			Body: ReviewBulk{}, Response: ReviewResults{}, Handle: a.actBulk,
		},
		{
			Method: http.MethodPost, Path: "/reviews/assign", Roles: deciders, Summary: "Give sessions to reviewers: by hand, by ratio, or in turn",
			Body: ReviewBatch{}, Response: ReviewAssignments{}, Handle: a.assign, Timeout: time.Minute,
		},
		{
			Method: http.MethodGet, Path: "/reviews/reviewers", Roles: deciders, Summary: "Who may decide on sessions, and how much each has to do",
			Response: Reviewers{}, Handle: a.reviewers,
		},
		{
			Method: http.MethodGet, Path: "/reviews/queue", Roles: deciders, Summary: "What is left to review: closed sessions, by severity, experience and time",
			Filters: without(sessionFilters, "state", "reviewed"), Query: []Param{sortParam, {Name: "mine", Type: "text", Enum: []string{"mine", "open", "all"}, Default: "open",
				Doc: "mine: assigned to the caller; open: these and the flagged ones of nobody; all: also those of others"}},
			Paged: true, Response: Page[QueueRow]{}, Handle: a.reviewQueue,
		},
		{
			Method: http.MethodGet, Path: "/reviews/appeals", Roles: reviewing, Summary: "Appeals: those that wait longest first, of judged ones the latest judgement first; agents get their own",
			Filters: sessionFilters, Query: []Param{{Name: "judged", Type: "text", Enum: []string{"open", "judged", "all"}, Default: "open", Doc: "open appeals, judged ones, or all"}},
			Paged: true, Response: Page[AppealRow]{}, Handle: a.appeals,
		},
		{
			Method: http.MethodGet, Path: "/reviews/appealable", Roles: []access.Role{access.Agent}, Summary: "The caller's own hits that may be appealed against now, newest first, at most 200",
			Response: Appealables{}, Handle: a.appealable,
		},
		{
			Method: http.MethodPost, Path: "/sessions/{session_id}/hits/{hit_id}/case", Roles: deciders, Summary: "Make a dismissed hit into a test of its rule, and put the pack with it into use where publish is said",
			Body: MakeCase{}, Response: RuleCase{}, Handle: a.makeCase, Timeout: time.Minute,
		},
		{
			Method: http.MethodGet, Path: "/reviews/precision", Roles: staff, Summary: "How right each rule is by people's decisions",
			Query:    []Param{{Name: "from", Type: "day", Doc: "first day of the sessions"}, {Name: "to", Type: "day", Doc: "last day, inside"}},
			Response: RulePrecisions{}, Handle: a.precision,
		},
	}
}

// Review is where the review of a session stands.
type Review struct {
	SessionID  string        `json:"session_id"`
	Closed     bool          `json:"closed" doc:"an open session waits for its end"`
	LastEvent  string        `json:"last_event" doc:"send it as seen with the next action, so that two browsers notice each other"`
	Assignee   string        `json:"assignee"`
	AssignedAt *time.Time    `json:"assigned_at"`
	Done       bool          `json:"done" doc:"a reviewer has said that nothing is left to do"`
	Hits       []ReviewHit   `json:"hits"`
	Items      []ReviewItem  `json:"items" doc:"items of scorecards that people score"`
	Trail      []ReviewEvent `json:"trail" doc:"who did what when; agents see what is about them"`
}

// ReviewHit is the state of one hit.
type ReviewHit struct {
	HitID       string     `json:"hit_id"`
	RuleID      string     `json:"rule_id"`
	AgentID     string     `json:"agent_id"`
	State       string     `json:"state" enum:"undecided,confirmed,dismissed,appealed,upheld,overturned"`
	Final       bool       `json:"final" doc:"nothing follows"`
	Conflict    bool       `json:"conflict" doc:"the last decision had not seen the one before it; another one resolves it"`
	DecidedBy   string     `json:"decided_by,omitempty"`
	DecidedAt   *time.Time `json:"decided_at"`
	Appeals     int        `json:"appeals"`
	AppealUntil *time.Time `json:"appeal_until" doc:"until when its agent may appeal; null where there is nothing to appeal against"`
	Allowed     []string   `json:"allowed" doc:"what the caller may do now"`
}

// ReviewItem is an item that people score.
type ReviewItem struct {
	Item     string     `json:"item" doc:"scorecard.item"`
	Max      float64    `json:"max"`
	Points   *float64   `json:"points" doc:"null while nobody has scored it"`
	By       string     `json:"by,omitempty"`
	At       *time.Time `json:"at"`
	Conflict bool       `json:"conflict"`
}

// ReviewEvent is one line of the trail.
type ReviewEvent struct {
	EventID   string     `json:"event_id"`
	At        time.Time  `json:"at"`
	Actor     string     `json:"actor"`
	Action    string     `json:"action"`
	HitID     string     `json:"hit_id,omitempty"`
	Item      string     `json:"item,omitempty"`
	Points    *float64   `json:"points,omitempty"`
	Note      string     `json:"note,omitempty"`
	Final     bool       `json:"final,omitempty"`
	Until     *time.Time `json:"appeal_until,omitempty"`
	Assignee  string     `json:"assignee,omitempty"`
	Method    string     `json:"method,omitempty"`
	Conflict  bool       `json:"conflict" doc:"in conflict now"`
	Effective bool       `json:"effective" doc:"false where the state did not allow it when its turn came"`
}

// ReviewAction is what somebody wants to do.
type ReviewAction struct {
	Action string   `json:"action" enum:"confirm,dismiss,appeal,uphold,overturn,score,done,reopen,note"`
	HitID  string   `json:"hit_id,omitempty" doc:"of confirm, dismiss, appeal, uphold, overturn; may be given with note"`
	Note   string   `json:"note,omitempty" doc:"remark, at most 4000 bytes; an appeal needs it; personal data in it is masked"`
	Seen   string   `json:"seen,omitempty" doc:"last_event of the review that was shown; without it a decision counts as made without having seen any other, and is in conflict where there is one"`
	Final  bool     `json:"final,omitempty" doc:"uphold: no second appeal"`
	Item   string   `json:"item,omitempty" doc:"score: scorecard.item"`
	Points *float64 `json:"points,omitempty" doc:"score: 0 up to the item's max; null takes the points back"`
}

// ReviewBulk is many actions.
type ReviewBulk struct {
	Actions []BulkAction `json:"actions"`
}

// BulkAction is one of many.
type BulkAction struct {
	SessionID string `json:"session_id"`
	ReviewAction
}

// ReviewResults is what came of many actions.
type ReviewResults struct {
	Taken   int            `json:"taken"`
	Refused int            `json:"refused"`
	Results []ReviewResult `json:"results" doc:"in the order of the actions"`
}

// ReviewResult is what came of one action.
type ReviewResult struct {
	SessionID string `json:"session_id"`
	HitID     string `json:"hit_id,omitempty"`
	EventID   string `json:"event_id,omitempty"`
	State     string `json:"state,omitempty" doc:"of the hit, after it"`
	Conflict  bool   `json:"conflict"`
	Error     *Error `json:"error" doc:"why it was refused, null where it was taken"`
}

// ReviewBatch says which sessions are given to whom.
type ReviewBatch struct {
	Method      string        `json:"method" enum:"hand,ratio,round_robin"`
	Sessions    []string      `json:"sessions,omitempty" doc:"of hand: 1 to 500"`
	From        string        `json:"from,omitempty" doc:"ratio, round_robin: first day of the sessions"`
	To          string        `json:"to,omitempty" doc:"last day, inside"`
	FlaggedOnly bool          `json:"flagged_only,omitempty"`
	Sample      float64       `json:"sample,omitempty" doc:"part of the sessions that is taken, above 0 up to 1; 0 = all"`
	Reviewers   []ReviewShare `json:"reviewers" doc:"of hand one, whose user may be empty to take the sessions back"`
	Seed        uint64        `json:"seed,omitempty" doc:"the same seed over the same sessions gives the same assignment"`
	Again       bool          `json:"again,omitempty" doc:"also sessions that somebody else is to review"`
	DryRun      bool          `json:"dry_run,omitempty"`
}

// ReviewShare is what one reviewer gets.
type ReviewShare struct {
	User   string  `json:"user"`
	Weight float64 `json:"weight,omitempty" doc:"of ratio"`
}

// ReviewAssignments is who got what.
type ReviewAssignments struct {
	Sessions []ReviewAssignment `json:"sessions"`
	Counts   map[string]int     `json:"counts" doc:"by reviewer"`
}

// ReviewAssignment is one session with its reviewer.
type ReviewAssignment struct {
	SessionID string `json:"session_id"`
	Assignee  string `json:"assignee"`
	Before    string `json:"before,omitempty" doc:"who was to review it before"`
}

// Reviewers lists people who decide.
type Reviewers struct {
	Items []Reviewer `json:"items"`
}

// Reviewer is somebody who may decide on sessions.
type Reviewer struct {
	User     string `json:"user"`
	Name     string `json:"name"`
	Role     string `json:"role" enum:"admin,supervisor"`
	Assigned uint64 `json:"assigned" doc:"sessions that are left to review, of those the caller may see"`
}

// AppealRow is a hit that was appealed.
type AppealRow struct {
	SessionID string     `ch:"session_id" json:"session_id"`
	HitID     string     `ch:"hit_id" json:"hit_id"`
	RuleID    string     `json:"rule_id"`
	Severity  string     `json:"severity"`
	Points    float64    `json:"points"`
	Agent     string     `json:"agent_id"`
	Team      string     `json:"team"`
	Shop      string     `ch:"shop" json:"shop"`
	Day       Day        `ch:"session_day" json:"-"`
	Found     string     `json:"found" doc:"why the rule hit"`
	State     string     `ch:"state" json:"state" enum:"appealed,upheld,overturned"`
	Final     bool       `json:"final"`
	Conflict  bool       `json:"conflict"`
	Appeals   uint32     `json:"appeals"`
	Reason    string     `ch:"appeal_reason" json:"reason" doc:"what the agent says"`
	At        time.Time  `ch:"appealed_at" json:"appealed_at"`
	JudgedAt  *time.Time `ch:"judged_at" json:"judged_at"`
	Judgement string     `ch:"judgement" json:"judgement" doc:"what the judge says"`
	Allowed   []string   `json:"allowed" doc:"what the caller may do now; empty for who decided on the hit before"`
}

// Appealables lists hits that may be appealed against.
type Appealables struct {
	Items []Appealable `json:"items"`
}

// Appealable is a hit that its agent may appeal against.
type Appealable struct {
	SessionID string     `ch:"session_id" json:"session_id"`
	HitID     string     `ch:"hit_id" json:"hit_id"`
	RuleID    string     `ch:"rule_id" json:"rule_id"`
	Severity  string     `ch:"severity" json:"severity"`
	Points    float64    `ch:"points" json:"points"`
	Day       Day        `ch:"day" json:"day" doc:"of the session"`
	Found     string     `json:"found" doc:"why the rule hit"`
	State     string     `ch:"state" json:"state" enum:"undecided,confirmed,upheld"`
	Until     *time.Time `json:"appeal_until" doc:"null for ever"`
	LastEvent string     `json:"last_event" doc:"send it as seen with the appeal"`
}

// MakeCase asks for a test of a wrong hit.
type MakeCase struct {
	Want    string `json:"want,omitempty" doc:"the right outcome: pass, fail, na, present or absent; empty: the opposite of the wrong one"`
	Publish bool   `json:"publish,omitempty" doc:"put the pack with the test into use; the test itself may fail, that is what it is for"`
}

// RuleCase is a wrong hit as a test of its rule.
type RuleCase struct {
	RuleID      string               `json:"rule_id"`
	Want        string               `json:"want"`
	Got         string               `json:"got" doc:"what the rule says now"`
	Turns       int                  `json:"turns" doc:"turns left of the session"`
	Of          int                  `json:"of_turns"`
	YAML        string               `json:"yaml" doc:"an entry of the rule's tests"`
	Pack        string               `json:"pack"`
	PackVersion string               `json:"pack_version" doc:"in use when the test was made"`
	PackYAML    string               `json:"pack_yaml" doc:"the whole pack with the test, all else as it was"`
	Published   *rulestore.Published `json:"published" doc:"null where it was not asked for"`
}

// RulePrecisions lists rules.
type RulePrecisions struct {
	Items []RulePrecision `json:"items"`
}

// RulePrecision is how right a rule is.
type RulePrecision struct {
	RuleID    string   `ch:"rule_id" json:"rule_id"`
	Version   string   `ch:"rule_version" json:"rule_version"`
	Hits      uint64   `ch:"hits" json:"hits"`
	Confirmed uint64   `ch:"confirmed" json:"confirmed"`
	Dismissed uint64   `ch:"dismissed" json:"dismissed"`
	Conflicts uint64   `ch:"conflicts" json:"conflicts"`
	Appealed  uint64   `ch:"appealed" json:"appealed" doc:"appeals that wait"`
	Precision *float64 `ch:"precision" json:"precision" doc:"confirmed / (confirmed + dismissed); null while nothing is decided"`
}

// reviews is the service, or why there is none.
func (a *API) reviews() (*review.Service, error) {
	if a.Reviews == nil {
		return nil, Unavailable("this server takes no reviews")
	}
	return a.Reviews, nil
}

// reviewError makes a refusal into an error of the API.
func reviewError(err error) error {
	var e *review.Error
	if !errors.As(err, &e) {
		return err
	}
	status := map[review.Kind]int{review.NotFound: http.StatusNotFound, review.Forbidden: http.StatusForbidden, review.BadInput: http.StatusBadRequest}[e.Kind]
	if status == 0 {
		status = http.StatusConflict
	}
	bare := *e
	bare.Field = ""
	return &Error{status, string(e.Kind), bare.Error(), e.Field}
}

func (a *API) review(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	x, err := s.Load(r.Context(), r.Who, r.PathValue("session_id"))
	if err != nil {
		return nil, reviewError(err)
	}
	return reviewOf(s, r.Who, x), nil
}

// reviewOf is a session in review as somebody sees it: an agent sees the own hits.
func reviewOf(s *review.Service, who access.Identity, x *review.Session) *Review {
	out := &Review{SessionID: x.SessionID, Closed: x.Closed, LastEvent: x.Last, Done: x.Done}
	own := who.Is(access.Agent)
	if !own {
		out.Assignee, out.AssignedAt = x.Assignee, moment(x.AssignedAt)
	}
	for _, h := range x.ReviewSession.Hits {
		if own && h.AgentID != who.AgentID {
			continue
		}
		st := x.Hit(h.HitID)
		v := ReviewHit{HitID: h.HitID, RuleID: h.RuleID, AgentID: h.AgentID, State: st.State, Final: st.Final, Conflict: st.Conflict,
			DecidedBy: st.By, DecidedAt: moment(st.At), Appeals: st.Appeals, Allowed: s.Allowed(who, x, h.HitID)}
		if until, ok := s.AppealUntil(x, h.HitID); ok {
			v.AppealUntil = moment(until)
		}
		out.Hits = append(out.Hits, v)
	}
	for _, it := range x.ReviewSession.Items {
		if !it.Human {
			continue
		}
		v := ReviewItem{Item: it.Item, Max: it.Max}
		if st := x.State.Items[it.Item]; st != nil {
			v.Points, v.By, v.At, v.Conflict = st.Points, st.By, moment(st.At), st.Conflict
		}
		out.Items = append(out.Items, v)
	}
	for _, t := range s.Visible(who, x) {
		out.Trail = append(out.Trail, ReviewEvent{EventID: t.EventID, At: t.At, Actor: t.Actor, Action: t.Action, HitID: t.HitID, Item: t.Item, Points: t.Points, Note: t.Note,
			Final: t.Final, Until: t.Due, Assignee: t.Assignee, Method: t.Method, Conflict: t.Conflict, Effective: t.Effective})
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (b ReviewAction) action(session string) review.Action {
	return review.Action{SessionID: session, HitID: b.HitID, Action: b.Action, Note: b.Note, Seen: b.Seen, Final: b.Final, Item: b.Item, Points: b.Points}
}

func (a *API) act(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	x, err := s.Do(r.Context(), r.Who, Body[ReviewAction](r).action(r.PathValue("session_id")))
	if err != nil {
		return nil, reviewError(err)
	}
	return reviewOf(s, r.Who, x), nil
}

func (a *API) actBulk(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	b := Body[ReviewBulk](r)
	if len(b.Actions) == 0 {
		return nil, BadValue("actions", "there is none")
	}
	list := make([]review.Action, len(b.Actions))
	for i, x := range b.Actions {
		list[i] = x.action(x.SessionID)
	}
	results, err := s.Bulk(r.Context(), r.Who, list)
	if err != nil {
		return nil, reviewError(err)
	}
	out := &ReviewResults{}
	for i, x := range results {
		v := ReviewResult{SessionID: list[i].SessionID, HitID: list[i].HitID, EventID: x.EventID}
		if x.Err != nil {
			var e *Error
			if !errors.As(reviewError(x.Err), &e) {
				return nil, x.Err
			}
			v.Error = e
			out.Refused++
		} else {
			out.Taken++
			if v.HitID != "" {
				h := x.Session.Hit(v.HitID)
				v.State, v.Conflict = h.State, h.Conflict
			}
		}
		out.Results = append(out.Results, v)
	}
	return out, nil
}

func (a *API) assign(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	b := Body[ReviewBatch](r)
	batch := review.Batch{Method: b.Method, Sessions: b.Sessions, FlaggedOnly: b.FlaggedOnly, Sample: b.Sample, Seed: b.Seed, Again: b.Again, DryRun: b.DryRun}
	for _, day := range []struct {
		field, text string
		into        *time.Time
		add         int
	}{{"from", b.From, &batch.From, 0}, {"to", b.To, &batch.To, 1}} {
		if day.text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, day.text, a.Timezone)
		if err != nil {
			return nil, BadValue(day.field, "%q is no day; write one such as 2026-03-31", clip(day.text, 60))
		}
		*day.into = t.AddDate(0, 0, day.add)
	}
	for _, x := range b.Reviewers {
		batch.Shares = append(batch.Shares, review.Share{Reviewer: x.User, Weight: x.Weight})
	}
	list, err := s.Assign(r.Context(), r.Who, batch)
	if err != nil {
		return nil, reviewError(err)
	}
	out := &ReviewAssignments{Counts: map[string]int{}}
	for _, x := range list {
		out.Counts[x.Reviewer]++
		out.Sessions = append(out.Sessions, ReviewAssignment{x.SessionID, x.Reviewer, x.Before})
	}
	return out, nil
}

func (a *API) reviewers(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	scope, p := r.Scope.Where("team", "agent_ids")
	var left []Count
	if err := a.Warehouse.Conn().Select(r.Context(), &left, "SELECT assignee AS value, count() AS sessions FROM sessions WHERE assignee != '' AND NOT reviewed AND state = 'closed' AND "+scope+" GROUP BY value", params(p)...); err != nil {
		return nil, err
	}
	out := &Reviewers{}
	for _, id := range s.Reviewers() {
		x := Reviewer{User: id.User, Name: id.Name, Role: string(id.Role)}
		for _, c := range left {
			if c.Value == id.User {
				x.Assigned = c.Sessions
			}
		}
		out.Items = append(out.Items, x)
	}
	return out, nil
}

func (a *API) reviewQueue(r *Request) (any, error) {
	r.Filter = r.Filter.Closed().With("reviewed", "0")
	switch r.Get("mine") {
	case "mine":
		r.Filter = r.Filter.Within("assignee = {reviewer:String}", named("reviewer", r.Who.User))
	case "open":
		r.Filter = r.Filter.Within("assignee = {reviewer:String} OR assignee = '' AND flagged", named("reviewer", r.Who.User))
	default:
		r.Filter = r.Filter.Within("assignee != '' OR flagged")
	}
	return a.sessions(r)
}

func (a *API) appeals(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	on, p := r.Filter.Facts()
	where, first, with := "appeals > 0", "appealed_at", "1"
	switch r.Get("judged") {
	case "open":
		where += " AND standing = 'appealed'"
		with = "open_appeals > 0"
	case "judged":
		where += " AND standing IN ('upheld', 'overturned')"
		first = "judged_at DESC"
	}
	agents := ""
	if r.Who.Is(access.Agent) {
		agents = ", hit_agent AS agent"
		where += " AND agent = {own:String}"
		p = append(slices.Clone(p), named("own", r.Who.AgentID))
	}
	// Which hits these are, by few columns; the rest only of those that are shown.
	page, err := offsetPage(r, func(offset, limit int) (rows []AppealRow, err error) {
		err = a.Warehouse.Conn().Select(r.Context(), &rows, `SELECT h.session_id AS session_id, h.hit_id AS hit_id, toString(shop) AS shop, h.day AS session_day, toString(h.state) AS state,
				e.appeal_reason AS appeal_reason, e.appealed_at AS appealed_at, if(state = 'appealed', NULL, e.judged_at) AS judged_at, if(state = 'appealed', '', e.judgement) AS judgement
			FROM (SELECT session_id, day, shop, hit AS hit_id, standing AS state FROM (SELECT * FROM `+x.sessions(with+" AND "+on)+`)
				ARRAY JOIN hit_id AS hit, hit_state AS standing, hit_appeals AS appeals`+agents+` WHERE `+where+`) AS h
			INNER JOIN (
				SELECT session_id, hit_id, argMaxIf(note, event_id, action = 'appeal') AS appeal_reason, maxIf(at, action = 'appeal') AS appealed_at,
					toNullable(maxIf(at, action IN ('uphold', 'overturn'))) AS judged_at, argMaxIf(note, event_id, action IN ('uphold', 'overturn')) AS judgement
				FROM reviews WHERE effective AND action IN ('appeal', 'uphold', 'overturn') GROUP BY session_id, hit_id
			) AS e ON e.session_id = h.session_id AND e.hit_id = h.hit_id
			ORDER BY `+first+`, session_id, hit_id LIMIT {n:UInt64} OFFSET {skip:UInt64}`, params(p, []any{named("n", limit), named("skip", offset)})...)
		return rows, err
	})
	if err != nil || len(page.Items) == 0 {
		return page, err
	}
	var of listed
	for _, x := range page.Items {
		of.add(x.SessionID, x.Day)
	}
	var sessions map[string]*review.Session
	var texts map[string]*warehouse.SessionTexts
	q := a.reads(r.Context())
	q.run(func(ctx context.Context) (err error) {
		sessions, err = s.Listed(ctx, r.Who, x.cut, of.days, of.ids)
		return err
	})
	q.run(func(ctx context.Context) (err error) {
		texts, err = a.Warehouse.Texts(ctx, warehouse.HitTexts, of.ids)
		return err
	})
	if err := q.wait(); err != nil {
		return nil, err
	}
	page.Items = slices.DeleteFunc(page.Items, func(x AppealRow) bool {
		return sessions[x.SessionID] == nil || sessions[x.SessionID].Find(x.HitID) == nil
	})
	for i := range page.Items {
		x := &page.Items[i]
		session := sessions[x.SessionID]
		hit, standing := session.Find(x.HitID), session.Hit(x.HitID)
		x.RuleID, x.Severity, x.Points, x.Agent, x.Team = hit.RuleID, hit.Severity, hit.Points, hit.AgentID, session.Team
		x.Final, x.Conflict, x.Appeals, x.Allowed = standing.Final, standing.Conflict, uint32(standing.Appeals), s.Allowed(r.Who, session, x.HitID)
		if t := texts[x.SessionID]; t != nil {
			x.Found = t.Reason(x.HitID)
		}
	}
	return page, nil
}

// listed names the sessions of a list, each once, and the days that they lie on.
type listed struct{ ids, days []string }

func (l *listed) add(id string, day Day) {
	if !slices.Contains(l.ids, id) {
		l.ids = append(l.ids, id)
	}
	if d := day.String(); !slices.Contains(l.days, d) {
		l.days = append(l.days, d)
	}
}

// Bounds of what an agent may appeal against: how old a session is whose undecided hits are looked at, in days (more than any
// time to appeal, which runs from the session's end, so that nobody's whole past is read), and how many hits are looked at.
const (
	undecidedFor  = 60
	appealableOf  = 1000
	appealableMax = 200
)

func (a *API) appealable(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	on, p := r.Filter.Closed().Facts()
	var rows []Appealable
	if err := a.Warehouse.Conn().Select(r.Context(), &rows, fmt.Sprintf(`SELECT session_id, hit_id, toString(rule_id) AS rule_id, toString(severity) AS severity, points, day, toString(state) AS state
		FROM %s WHERE agent_id = {own:String} AND severity != 'info' AND (state IN ('confirmed', 'upheld') OR state = 'undecided' AND (day IS NULL OR day >= {since:Date}))
		ORDER BY day DESC, session_id, hit_id LIMIT %d`, x.hits("has(hit_agent, {own:String}) AND "+on), appealableOf),
		params(p, []any{named("own", r.Who.AgentID), named("since", a.Now().In(a.Timezone).AddDate(0, 0, -undecidedFor).Format(time.DateOnly))})...); err != nil {
		return nil, err
	}
	out := &Appealables{}
	if len(rows) == 0 {
		return out, nil
	}
	var of listed
	for _, x := range rows {
		of.add(x.SessionID, x.Day)
	}
	sessions, err := s.Listed(r.Context(), r.Who, x.cut, of.days, of.ids)
	if err != nil {
		return nil, err
	}
	var shown []string
	for _, x := range rows {
		session := sessions[x.SessionID]
		if session == nil || len(out.Items) == appealableMax || !slices.Contains(s.Allowed(r.Who, session, x.HitID), review.Appeal) {
			continue
		}
		x.LastEvent = session.Last
		if until, ok := s.AppealUntil(session, x.HitID); ok {
			x.Until = moment(until)
		}
		out.Items, shown = append(out.Items, x), append(shown, x.SessionID)
	}
	texts, err := a.Warehouse.Texts(r.Context(), warehouse.HitTexts, shown)
	if err != nil {
		return nil, err
	}
	for i := range out.Items {
		if x := &out.Items[i]; texts[x.SessionID] != nil {
			x.Found = texts[x.SessionID].Reason(x.HitID)
		}
	}
	return out, nil
}

func (a *API) precision(r *Request) (any, error) {
	where, p := "1", []any(nil)
	for name, op := range map[string]string{"from": ">=", "to": "<="} {
		if v := r.Get(name); v != "" {
			where += " AND day " + op + " {" + name + ":Date}"
			p = append(p, named(name, v))
		}
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	out := &RulePrecisions{}
	err = a.Warehouse.Conn().Select(r.Context(), &out.Items, `SELECT toString(rule_id) AS rule_id, toString(rule_version) AS rule_version, count() AS hits,
			countIf(state IN ('confirmed', 'upheld') AND NOT conflict) AS confirmed, countIf(state IN ('dismissed', 'overturned') AND NOT conflict) AS dismissed,
			countIf(conflict) AS conflicts, countIf(state = 'appealed' AND NOT conflict) AS appealed, if(confirmed + dismissed = 0, NULL, confirmed / (confirmed + dismissed)) AS precision
		FROM `+x.hits("state = 'closed' AND "+where)+" GROUP BY rule_id, rule_version ORDER BY rule_id, rule_version", p...)
	return out, err
}

func (a *API) makeCase(r *Request) (any, error) {
	s, err := a.reviews()
	if err != nil {
		return nil, err
	}
	use, err := a.inUse(r.Context())
	if err != nil {
		return nil, err
	}
	if a.Analyser == nil {
		return nil, Unavailable("this server has no analyser, which a test is made with")
	}
	b, analyser := Body[MakeCase](r), a.Analyser()
	c, err := s.Case(r.Context(), r.Who, r.PathValue("session_id"), r.PathValue("hit_id"), b.Want, use, analyser)
	if err != nil {
		return nil, reviewError(err)
	}
	out := &RuleCase{RuleID: c.Rule, Want: c.Want, Got: c.Got, Turns: c.Turns, Of: c.Of, YAML: c.YAML, Pack: c.Pack, PackVersion: c.PackVersion, PackYAML: string(c.PackYAML)}
	if !b.Publish {
		return out, nil
	}
	if err := access.Audit(r.Context(), access.ActionPublish, c.Pack, map[string]string{"case": r.PathValue("session_id"), "rule": c.Rule, "replaces": c.PackVersion}); err != nil {
		return nil, err
	}
	if out.Published, err = s.PublishCase(r.Context(), r.Who, c, a.Rules, use, analyser); err != nil {
		if refused := (*review.Error)(nil); errors.As(err, &refused) {
			return nil, reviewError(err)
		}
		return nil, storeError(err, "")
	}
	return out, nil
}
