// Package review is what people decide on findings: confirm or dismiss a hit, appeal and judge, score the items that rules
// cannot, remark, assign and finish.
//
// Everything is an event that is appended and never changed; a state is the fold of the events in the order of their ids
// (Fold). The views review_hits, reviews, hits and sessions of the warehouse fold the same events in SQL; a test holds the
// two together. Two servers may append at once: each checks an action against what it has read, and the fold copes with
// what the other wrote meanwhile. A decision that had not seen the one before it is kept and is in conflict until
// another one comes; an action that the state does not allow when its turn comes has no effect.
//
// It imports the warehouse and access, and must not import the API or the pages.
package review

import (
	"cmp"
	"slices"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Event is one thing that somebody did.
type Event = warehouse.ReviewEvent

// Actions of events.
const (
	Confirm  = "confirm"
	Dismiss  = "dismiss"
	Appeal   = "appeal"
	Uphold   = "uphold"   // the appeal is lost, the hit stands
	Overturn = "overturn" // the appeal is won, the hit counts no longer
	Score    = "score"
	Assign   = "assign"
	Done     = "done"
	Reopen   = "reopen"
	Note     = "note"
)

// States of a hit.
const (
	Undecided  = "undecided"
	Confirmed  = "confirmed"
	Dismissed  = "dismissed"
	Appealed   = "appealed"
	Upheld     = "upheld"
	Overturned = "overturned"
)

var leadsTo = map[string]string{Confirm: Confirmed, Dismiss: Dismissed, Appeal: Appealed, Uphold: Upheld, Overturn: Overturned}

// maxAppeals is how often a hit can be appealed; the judgement of the last one is final.
const maxAppeals = 2

// HitState is what the events of a hit come to. Its zero value, with State Undecided, is that of a hit without any.
type HitState struct {
	State string
	// Final: the judgement ended it, nothing follows.
	Final bool
	// Conflict: the last decision had not seen the event before it, or had no effect.
	Conflict bool
	// By, At and Until are of the event that led to the state: who, when, and until when the agent may appeal against it.
	By    string
	At    time.Time
	Until *time.Time
	// Appeals that had an effect.
	Appeals int
	// Last is the last event of the hit, remarks aside; LastDecision that without appeals.
	Last, LastDecision string

	reviewers []string // who confirmed or dismissed
	judges    []string // who judged an appeal
	earlier   []string // of judges, those before the last appeal
}

// Void says that the hit counts no longer.
func (h *HitState) Void() bool { return h.State == Dismissed || h.State == Overturned }

// may says whether an action has an effect in the state. The service asks more of an action before it is appended; this is
// what holds for events that are there.
func (h *HitState) may(action string) bool {
	switch action {
	case Confirm, Dismiss:
		return h.State == Undecided || h.State == Confirmed || h.State == Dismissed
	case Appeal:
		return h.State == Undecided || h.State == Confirmed || h.State == Upheld && !h.Final
	case Uphold, Overturn: // over a judgement too: that is how a conflict of two judges ends
		return h.State == Appealed || h.State == Upheld || h.State == Overturned
	}
	return false
}

// apply adds the next event. It says whether the event had an effect.
func (h *HitState) apply(e *Event) bool {
	unseen := h.Last != "" && e.Seen < h.Last
	ok := h.may(e.Action)
	h.Last = e.EventID
	if e.Action != Appeal {
		h.LastDecision = e.EventID
		h.Conflict = unseen || !ok
		if e.Action == Confirm || e.Action == Dismiss {
			h.reviewers = append(h.reviewers, e.Actor)
		} else {
			h.judges = append(h.judges, e.Actor)
		}
	}
	if !ok {
		return false
	}
	h.State, h.By, h.At, h.Until = leadsTo[e.Action], e.Actor, e.At, nil
	switch e.Action {
	case Appeal:
		h.Appeals++
		h.earlier = slices.Clone(h.judges)
	case Uphold, Overturn:
		h.Final = e.Final
	}
	if h.State == Confirmed || h.State == Upheld && !h.Final {
		h.Until = e.Due
	}
	return true
}

// barred says that a person has taken part in what is appealed against, and so may not judge the appeal.
func (h *HitState) barred(user string) bool {
	return slices.Contains(h.reviewers, user) || slices.Contains(h.earlier, user)
}

// ItemState is what people gave an item of a scorecard.
type ItemState struct {
	Points   *float64 // nil: taken back
	By       string
	At       time.Time
	Conflict bool // given without having seen the points before
	Last     string
}

// TrailEntry is an event with what became of it.
type TrailEntry struct {
	Event
	// Conflict: this is the decision, or these the points, in conflict now.
	Conflict bool
	// Effective is false where the state of the hit did not allow it.
	Effective bool
}

// State is what the events of a session come to.
type State struct {
	Hits     map[string]*HitState  // by hit_id
	Items    map[string]*ItemState // by scorecard.item
	Assignee string
	// AssignedAt is zero while nobody is to review the session.
	AssignedAt time.Time
	Done       bool
	// Last is the last event of all.
	Last  string
	Trail []TrailEntry // in the order in which the events count
}

// Hit is the state of a hit.
func (s *State) Hit(id string) *HitState {
	if h := s.Hits[id]; h != nil {
		return h
	}
	return &HitState{State: Undecided}
}

// Fold gives what the events of one session come to. It depends neither on their order in the slice nor on repetition.
func Fold(events []Event) *State {
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.EventID, b.EventID) })
	events = slices.CompactFunc(events, func(a, b Event) bool { return a.EventID == b.EventID })
	s := &State{Hits: map[string]*HitState{}, Items: map[string]*ItemState{}}
	for i := range events {
		e := &events[i]
		s.Last = e.EventID
		t := TrailEntry{Event: *e, Effective: true}
		switch e.Action {
		case Confirm, Dismiss, Appeal, Uphold, Overturn:
			if e.HitID == "" {
				t.Effective = false
				break
			}
			h := s.Hits[e.HitID]
			if h == nil {
				h = &HitState{State: Undecided}
				s.Hits[e.HitID] = h
			}
			t.Effective = h.apply(e)
		case Score:
			if e.Item == "" {
				break
			}
			before := s.Items[e.Item]
			s.Items[e.Item] = &ItemState{e.Points, e.Actor, e.At, before != nil && e.Seen < before.Last, e.EventID}
		case Assign:
			s.Assignee, s.AssignedAt = e.Assignee, e.At
			if e.Assignee == "" {
				s.AssignedAt = time.Time{}
			}
		case Done, Reopen:
			s.Done = e.Action == Done
		}
		s.Trail = append(s.Trail, t)
	}
	for i := range s.Trail {
		t := &s.Trail[i]
		switch h, it := s.Hits[t.HitID], s.Items[t.Item]; {
		case t.Action == Score:
			t.Conflict = it != nil && it.Conflict && it.Last == t.EventID
		case h != nil:
			t.Conflict = h.Conflict && h.LastDecision == t.EventID
		}
	}
	return s
}
