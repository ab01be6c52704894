package review

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// DefaultAppealDays is how long an agent may appeal where the configuration says nothing else.
const DefaultAppealDays = 7

// Bounds of one call.
const (
	maxNote = 4000 // bytes of a remark or a reason
	maxBulk = 500  // actions
)

// Options of a Service.
type Options struct {
	Warehouse *warehouse.Warehouse
	// AppealDays is how many days after a decision (of an undecided hit: after the end of its session) the agent may
	// appeal; 0 is DefaultAppealDays. It holds for decisions from now on: each carries its own date.
	AppealDays int
	// Mask takes personal data out of remarks before they are stored. It must be given: what people write about a session
	// is kept as long as the session.
	Mask func(string) string
	// Reviewer gives the identity of a user, false for one who does not exist or is disabled. With it, sessions are
	// assigned only to people who may decide on them; nil takes every name.
	Reviewer func(user string) (access.Identity, bool)
	// Users gives the users there are, disabled ones left out; nil knows none.
	Users func() []access.Identity
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Service takes actions of people. It is safe for concurrent use, and several servers may run one each.
type Service struct{ o Options }

// New makes a Service.
func New(o Options) (*Service, error) {
	if o.Warehouse == nil || o.Mask == nil {
		return nil, errors.New("review: the warehouse and the masking of remarks are needed")
	}
	if o.AppealDays < 0 {
		return nil, fmt.Errorf("review: %d days to appeal", o.AppealDays)
	}
	if o.AppealDays == 0 {
		o.AppealDays = DefaultAppealDays
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o}, nil
}

// Session is a session in review: what there is to decide on, and what was decided.
type Session struct {
	*warehouse.ReviewSession
	*State
}

// Load gives a session that somebody may see.
func (s *Service) Load(ctx context.Context, who access.Identity, session string) (*Session, error) {
	all, err := s.load(ctx, who, []string{session})
	if err != nil {
		return nil, err
	}
	if all[session] == nil {
		return nil, notFound("session", session)
	}
	return all[session], nil
}

// load leaves out sessions that are not there or that who may not see.
func (s *Service) load(ctx context.Context, who access.Identity, ids []string) (map[string]*Session, error) {
	facts, err := s.o.Warehouse.ReviewSessions(ctx, ids)
	if err != nil {
		return nil, err
	}
	return s.folded(ctx, who, facts)
}

// folded adds the events of the sessions that somebody may see.
func (s *Service) folded(ctx context.Context, who access.Identity, facts map[string]*warehouse.ReviewSession) (map[string]*Session, error) {
	scope := who.Scope()
	var seen []string
	for id, f := range facts {
		if scope.Allows(f.Team, f.AgentIDs) {
			seen = append(seen, id)
		}
	}
	slices.Sort(seen)
	events, err := s.o.Warehouse.ReviewEvents(ctx, seen)
	if err != nil {
		return nil, err
	}
	out := map[string]*Session{}
	for _, id := range seen {
		out[id] = &Session{facts[id], Fold(events[id])}
	}
	return out, nil
}

// Find gives a hit of the session as it is analysed now, nil where there is none.
func (x *Session) Find(hit string) *warehouse.ReviewHit {
	for i := range x.ReviewSession.Hits {
		if h := &x.ReviewSession.Hits[i]; h.HitID == hit {
			return h
		}
	}
	return nil
}

// AppealUntil is until when the agent of a hit may appeal: false where there is nothing to appeal against. The zero time
// is for ever: an undecided hit of a session without any time.
func (s *Service) AppealUntil(x *Session, hit string) (time.Time, bool) {
	h := x.Hit(hit)
	switch {
	case !x.Closed || x.Find(hit) == nil || h.Final || !h.may(Appeal) || h.Appeals >= maxAppeals:
		return time.Time{}, false
	case h.State == Undecided:
		end := x.EndedAt
		if end.IsZero() {
			end = x.StartedAt
		}
		if end.IsZero() {
			return end, true
		}
		return end.AddDate(0, 0, s.o.AppealDays), true
	case h.Until != nil:
		return *h.Until, true
	}
	return h.At.AddDate(0, 0, s.o.AppealDays), true
}

// Allowed gives what somebody may do with a hit now, in a fixed order. Remarks are always possible and not among them.
func (s *Service) Allowed(who access.Identity, x *Session, hit string) []string {
	out := []string{}
	h, found := x.Hit(hit), x.Find(hit)
	if found == nil || !x.Closed {
		return out
	}
	switch {
	case who.Is(access.Agent):
		if until, ok := s.AppealUntil(x, hit); ok && who.AgentID != "" && found.AgentID == who.AgentID && (until.IsZero() || !s.o.Now().After(until)) {
			out = append(out, Appeal)
		}
	case who.Is(access.Admin, access.Supervisor):
		switch h.State {
		case Undecided:
			out = append(out, Confirm, Dismiss)
		case Confirmed:
			if h.Conflict {
				out = append(out, Confirm)
			}
			out = append(out, Dismiss)
		case Dismissed:
			out = append(out, Confirm)
			if h.Conflict {
				out = append(out, Dismiss)
			}
		case Appealed:
			if !h.barred(who.User) {
				out = append(out, Uphold, Overturn)
			}
		case Upheld, Overturned:
			if h.Conflict && !h.barred(who.User) {
				out = append(out, Uphold, Overturn)
			}
		}
	}
	return out
}

// Action is what somebody wants to do. Fields that it does not use must be empty.
type Action struct {
	SessionID string
	HitID     string
	Action    string
	Note      string // remark; of an appeal the reason, which it needs
	// Seen is the last event that the page had shown (Session.Last), "" for none.
	Seen string
	// Final ends it: of uphold. Overturn and the judgement of a second appeal always do.
	Final bool
	// Item is the scorecard.item of score, Points what it gets; nil takes the points back.
	Item   string
	Points *float64
}

// Do takes one action and gives the session after it.
func (s *Service) Do(ctx context.Context, who access.Identity, a Action) (*Session, error) {
	results, err := s.Bulk(ctx, who, []Action{a})
	if err != nil {
		return nil, err
	}
	return results[0].Session, results[0].Err
}

// Result is what came of one action. Err is an *Error where it was refused.
type Result struct {
	Session *Session
	EventID string
	Err     error
}

// Bulk takes actions in their order, each by itself: those that are refused do not hold up the others. The error is one
// of the store; then none, or all that were not refused, are taken: ask again what is there.
func (s *Service) Bulk(ctx context.Context, who access.Identity, actions []Action) ([]Result, error) {
	if len(actions) > maxBulk {
		return nil, bad("", "%d actions at once; send at most %d", len(actions), maxBulk)
	}
	var ids []string
	for _, a := range actions {
		if !slices.Contains(ids, a.SessionID) {
			ids = append(ids, a.SessionID)
		}
	}
	sessions, err := s.load(ctx, who, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Result, len(actions))
	var events []Event
	for i, a := range actions {
		x := sessions[a.SessionID]
		if x == nil {
			out[i].Err = notFound("session", a.SessionID)
			continue
		}
		e, err := s.event(who, x, a)
		if err != nil {
			out[i].Err = err
			continue
		}
		events = append(events, *e)
		out[i].EventID = e.EventID
		next := make([]Event, 0, len(x.Trail)+1)
		for _, t := range x.Trail {
			next = append(next, t.Event)
		}
		x.State = Fold(append(next, *e))
	}
	if len(events) > 0 {
		if err := s.o.Warehouse.AppendReviewEvents(ctx, events); err != nil {
			return nil, err
		}
	}
	for i, a := range actions {
		if out[i].Err == nil {
			out[i].Session = sessions[a.SessionID]
		}
	}
	return out, nil
}

// event checks an action against the state and makes its event.
func (s *Service) event(who access.Identity, x *Session, a Action) (*Event, error) {
	now := s.o.Now().UTC().Truncate(time.Millisecond)
	note := strings.TrimSpace(a.Note)
	switch {
	case who.User == "":
		return nil, forbidden("nobody is logged in")
	case len(note) > maxNote:
		return nil, bad("note", "has %d bytes; write at most %d", len(note), maxNote)
	case !utf8.ValidString(note) || strings.ContainsRune(note, 0):
		return nil, bad("note", "is not UTF-8 text")
	case a.Seen != "" && !slices.ContainsFunc(x.Trail, func(t TrailEntry) bool { return t.EventID == a.Seen }):
		return nil, bad("seen", "the session has no event %q; send the last one that was shown, or none", a.Seen)
	}
	id, err := nextID(x.Last)
	if err != nil {
		return nil, err
	}
	e := &Event{SessionID: a.SessionID, EventID: id, Seen: a.Seen, HitID: a.HitID, Actor: who.User, Action: a.Action, Note: s.o.Mask(note), At: now}
	if a.Final && a.Action != Uphold && a.Action != Overturn {
		return nil, bad("final", "only a judgement can be final")
	}
	if (a.Item != "" || a.Points != nil) && a.Action != Score {
		return nil, bad("item", "points belong to the action score")
	}
	switch a.Action {
	case Confirm, Dismiss, Uphold, Overturn, Appeal:
		if err := s.checkHit(who, x, a); err != nil {
			return nil, err
		}
		h := x.Hit(a.HitID)
		if a.Action == Appeal && note == "" {
			return nil, bad("note", "an appeal needs a reason")
		}
		e.Final = a.Action == Overturn || a.Action == Uphold && (a.Final || h.Appeals >= maxAppeals)
		if a.Action == Confirm || a.Action == Uphold && !e.Final {
			due := now.AddDate(0, 0, s.o.AppealDays)
			e.Due = &due
		}
	case Score:
		if err := checkScore(who, x, a); err != nil {
			return nil, err
		}
		e.Item, e.Points = a.Item, a.Points
	case Done, Reopen:
		switch {
		case !who.Is(access.Admin, access.Supervisor):
			return nil, forbidden("the role %s does not review", who.Role)
		case a.HitID != "":
			return nil, bad("hit_id", "a session is finished as a whole")
		case !x.Closed:
			return nil, &Error{Kind: NotAllowed, Message: "the session is still open"}
		}
	case Note:
		switch {
		case !who.Is(access.Admin, access.Supervisor, access.Agent):
			return nil, forbidden("the role %s does not take part in reviews", who.Role)
		case note == "":
			return nil, bad("note", "is empty")
		}
		if a.HitID == "" {
			break
		}
		if h := x.Find(a.HitID); h == nil || who.Is(access.Agent) && h.AgentID != who.AgentID {
			return nil, notFound("hit", a.HitID)
		}
	default:
		return nil, bad("action", "%q is none of confirm, dismiss, appeal, uphold, overturn, score, done, reopen, note", a.Action)
	}
	return e, nil
}

// checkHit checks an action on a hit.
func (s *Service) checkHit(who access.Identity, x *Session, a Action) error {
	h, found := x.Hit(a.HitID), x.Find(a.HitID)
	if found == nil {
		return notFound("hit", a.HitID)
	}
	switch {
	case a.Action == Appeal && !who.Is(access.Agent):
		return forbidden("only the agent of a hit appeals, not the role %s", who.Role)
	case a.Action == Appeal && (who.AgentID == "" || found.AgentID != who.AgentID):
		return notFound("hit", a.HitID) // that of a colleague in the same session
	case a.Action != Appeal && !who.Is(access.Admin, access.Supervisor):
		return forbidden("the role %s does not decide", who.Role)
	case !x.Closed:
		return &Error{Kind: NotAllowed, State: h.State, Message: "the session is still open and its findings may change; wait for its end"}
	}
	allowed := s.Allowed(who, x, a.HitID)
	if slices.Contains(allowed, a.Action) {
		return nil
	}
	// The same decision by somebody who has not seen that it was taken is kept, as any other.
	if (a.Action == Confirm && h.State == Confirmed || a.Action == Dismiss && h.State == Dismissed) && a.Seen < h.Last {
		return nil
	}
	switch {
	case a.Action == Appeal && h.may(Appeal) && h.Appeals < maxAppeals:
		until, _ := s.AppealUntil(x, a.HitID)
		return &Error{Kind: TooLate, State: h.State, Message: "the time to appeal ended on " + until.Format(time.DateTime) + " UTC"}
	case (a.Action == Uphold || a.Action == Overturn) && h.barred(who.User) && (h.State == Appealed || h.Conflict):
		return forbidden("nobody judges an appeal against the own decision; ask a colleague")
	}
	message := fmt.Sprintf("the hit is %s, which does not allow %s", h.State, a.Action)
	if h.Final {
		message = fmt.Sprintf("the hit is %s for good", h.State)
	}
	return &Error{Kind: NotAllowed, State: h.State, Allowed: allowed, Message: message}
}

func checkScore(who access.Identity, x *Session, a Action) error {
	switch {
	case !who.Is(access.Admin, access.Supervisor):
		return forbidden("the role %s does not score", who.Role)
	case a.HitID != "":
		return bad("hit_id", "an item is scored, not a hit")
	case !x.Closed:
		return &Error{Kind: NotAllowed, Message: "the session is still open"}
	}
	i := slices.IndexFunc(x.ReviewSession.Items, func(it warehouse.ReviewItem) bool { return it.Item == a.Item })
	if i < 0 {
		return bad("item", "the session has no scorecard item %q; write scorecard.item", a.Item)
	}
	it := x.ReviewSession.Items[i]
	switch {
	case !it.Human:
		return bad("item", "%s is scored by rules; dismiss the hit that is wrong", a.Item)
	case a.Points != nil && (math.IsNaN(*a.Points) || *a.Points < 0 || *a.Points > it.Max):
		return bad("points", "%g is not between 0 and %g", *a.Points, it.Max)
	}
	return nil
}

// nextID makes an id of an event that counts after last: a clock that is behind that of another server must not put a
// decision before the one it was made on.
func nextID(last string) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("cannot make an id of a review event: %w", err)
	}
	if last == "" || id.String() > last {
		return id.String(), nil
	}
	before, err := uuid.Parse(last)
	if err != nil {
		return "", fmt.Errorf("the last event of the session has the id %q, which is no UUID: %w", last, err)
	}
	for i := len(before) - 1; i > 8; i-- { // the bits after the variant
		if before[i]++; before[i] != 0 {
			return before.String(), nil
		}
	}
	return "", fmt.Errorf("no id comes after %q", last)
}

// Listed gives those of the sessions of a list that somebody may see, as Load does but for the items of scorecards. The copy
// that the list was read from is cut, and days are those of its sessions, "" for none.
func (s *Service) Listed(ctx context.Context, who access.Identity, cut warehouse.FactsCut, days, ids []string) (map[string]*Session, error) {
	facts, err := s.o.Warehouse.ListedSessions(ctx, cut, days, ids)
	if err != nil {
		return nil, err
	}
	return s.folded(ctx, who, facts)
}
