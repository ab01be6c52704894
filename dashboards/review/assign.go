package review

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Methods of assigning.
const (
	ByHand     = "hand"
	ByRatio    = "ratio"
	RoundRobin = "round_robin"
)

// maxBatch bounds one assignment.
const maxBatch = 10_000

// Share is what one reviewer gets of a batch.
type Share struct {
	Reviewer string
	// Weight of ByRatio: a reviewer with 2 gets twice as much as one with 1. RoundRobin takes all alike.
	Weight float64
}

// Batch says which sessions are given to whom.
type Batch struct {
	Method string // hand, ratio, round_robin
	// Sessions of ByHand. The other methods take the closed sessions of the period that nobody has reviewed or is to review.
	Sessions []string
	From, To time.Time // To is outside; zero leaves the side open
	// FlaggedOnly leaves out what the rules see no reason to look at.
	FlaggedOnly bool
	// Sample is the part of them that is taken, above 0 up to 1; 0 is all.
	Sample float64
	// Shares of ByRatio and RoundRobin; one for ByHand, whose reviewer may be "" to take the sessions back.
	Shares []Share
	// Seed of the choice and of the order: the same seed over the same sessions gives the same assignment.
	Seed uint64
	// Again also takes sessions that somebody else is to review already.
	Again bool
	// DryRun writes nothing.
	DryRun bool
}

// Assignment is a session with who is to review it.
type Assignment struct {
	SessionID string
	Reviewer  string
	Before    string // who was to review it before
}

// Assign gives sessions to reviewers. Those outside of what who, or the reviewer, may see are left out of a period, and
// refused where they are named.
func (s *Service) Assign(ctx context.Context, who access.Identity, b Batch) ([]Assignment, error) {
	if !who.Is(access.Admin, access.Supervisor) {
		return nil, forbidden("the role %s does not assign", who.Role)
	}
	if err := s.checkBatch(who, &b); err != nil {
		return nil, err
	}
	var list []warehouse.Assignable
	var known map[string]*Session
	var err error
	if b.Method == ByHand {
		if known, err = s.load(ctx, who, b.Sessions); err != nil {
			return nil, err
		}
		scope := s.scopeOf(b.Shares[0].Reviewer)
		for _, id := range b.Sessions {
			x := known[id]
			switch {
			case x == nil:
				return nil, notFound("session", id)
			case !x.Closed:
				return nil, &Error{Kind: NotAllowed, Message: "the session " + id + " is still open"}
			case b.Shares[0].Reviewer != "" && !scope.Allows(x.Team, x.AgentIDs):
				return nil, bad("reviewer", "%s may not see the session %s of team %s", b.Shares[0].Reviewer, id, x.Team)
			}
			list = append(list, warehouse.Assignable{SessionID: id, Team: x.Team, Assignee: x.Assignee})
		}
	} else {
		var teams []string
		if !who.Scope().All() {
			teams = who.Teams
		}
		if list, err = s.o.Warehouse.AssignableSessions(ctx, b.From, b.To, b.FlaggedOnly, b.Again, teams, maxBatch+1); err != nil {
			return nil, err
		}
		if len(list) > maxBatch {
			return nil, bad("from", "these are more than %d sessions; take a shorter period", maxBatch)
		}
	}
	out := s.distribute(list, &b)
	if b.DryRun || len(out) == 0 {
		return out, nil
	}
	ids := make([]string, 0, len(out))
	for _, a := range out {
		ids = append(ids, a.SessionID)
	}
	events, err := s.o.Warehouse.ReviewEvents(ctx, ids)
	if err != nil {
		return nil, err
	}
	now := s.o.Now().UTC().Truncate(time.Millisecond)
	write := make([]Event, len(out))
	for i, a := range out {
		last := ""
		if list := events[a.SessionID]; len(list) > 0 {
			last = list[len(list)-1].EventID
		}
		id, err := nextID(last)
		if err != nil {
			return nil, err
		}
		write[i] = Event{SessionID: a.SessionID, EventID: id, Seen: last, Actor: who.User, Action: Assign, Assignee: a.Reviewer, Method: b.Method, At: now}
	}
	return out, s.o.Warehouse.AppendReviewEvents(ctx, write)
}

func (s *Service) checkBatch(who access.Identity, b *Batch) error {
	switch {
	case b.Method != ByHand && b.Method != ByRatio && b.Method != RoundRobin:
		return bad("method", "%q is none of hand, ratio, round_robin", b.Method)
	case b.Method == ByHand && len(b.Shares) != 1:
		return bad("reviewers", "by hand there is one reviewer")
	case b.Method == ByHand && (len(b.Sessions) == 0 || len(b.Sessions) > maxBulk):
		return bad("sessions", "name 1 to %d sessions", maxBulk)
	case b.Method != ByHand && len(b.Sessions) > 0:
		return bad("sessions", "only the method hand takes sessions")
	case len(b.Shares) == 0 || len(b.Shares) > 200:
		return bad("reviewers", "name 1 to 200 reviewers")
	case math.IsNaN(b.Sample) || b.Sample < 0 || b.Sample > 1:
		return bad("sample", "%g is not between 0 and 1", b.Sample)
	case b.Method == ByHand && b.Sample != 0:
		return bad("sample", "the sessions are named, there is nothing to draw")
	}
	slices.Sort(b.Sessions)
	b.Sessions = slices.Compact(b.Sessions)
	seen := map[string]bool{}
	for _, x := range b.Shares {
		switch {
		case x.Reviewer == "" && b.Method != ByHand:
			return bad("reviewers", "a reviewer has no name")
		case seen[x.Reviewer]:
			return bad("reviewers", "%s is there twice", x.Reviewer)
		case math.IsNaN(x.Weight) || math.IsInf(x.Weight, 0) || x.Weight < 0 || b.Method == ByRatio && x.Weight == 0:
			return bad("weight", "%g of %s is no weight; write a number above 0", x.Weight, x.Reviewer)
		}
		seen[x.Reviewer] = true
		if s.o.Reviewer == nil || x.Reviewer == "" {
			continue
		}
		if id, ok := s.o.Reviewer(x.Reviewer); !ok || !id.Is(access.Admin, access.Supervisor) {
			return bad("reviewers", "%s is no admin or supervisor", x.Reviewer)
		}
	}
	return nil
}

// Reviewers are the users who may decide on sessions, by name.
func (s *Service) Reviewers() []access.Identity {
	var out []access.Identity
	if s.o.Users != nil {
		for _, id := range s.o.Users() {
			if id.Is(access.Admin, access.Supervisor) {
				out = append(out, id)
			}
		}
	}
	slices.SortFunc(out, func(a, b access.Identity) int { return strings.Compare(a.User, b.User) })
	return out
}

// scopeOf is what a reviewer may see.
func (s *Service) scopeOf(user string) access.Scope {
	if s.o.Reviewer == nil {
		return access.Identity{Role: access.Admin}.Scope()
	}
	id, _ := s.o.Reviewer(user) // nobody sees nothing
	return id.Scope()
}

// distribute draws the sample and gives each session of it to the reviewer who is furthest behind the own share, among
// those who may see it (Sainte-Laguë's divisors: (given + 1/2) / weight). Equal ones follow in their order.
func (s *Service) distribute(list []warehouse.Assignable, b *Batch) []Assignment {
	if b.Method != ByHand {
		slices.SortFunc(list, func(a, c warehouse.Assignable) int {
			return cmp.Or(cmp.Compare(draw(b.Seed, a.SessionID), draw(b.Seed, c.SessionID)), strings.Compare(a.SessionID, c.SessionID))
		})
		if b.Sample > 0 {
			list = list[:int(math.Ceil(b.Sample*float64(len(list))))]
		}
	}
	scopes := make([]access.Scope, len(b.Shares))
	given := make([]float64, len(b.Shares))
	for i, x := range b.Shares {
		scopes[i] = s.scopeOf(x.Reviewer)
	}
	var out []Assignment
	for _, a := range list {
		best, load := -1, 0.0
		for i, x := range b.Shares {
			if x.Reviewer != "" && !scopes[i].Allows(a.Team, nil) {
				continue
			}
			weight := 1.0
			if b.Method == ByRatio {
				weight = x.Weight
			}
			if l := (given[i] + 0.5) / weight; best < 0 || l < load {
				best, load = i, l
			}
		}
		if best < 0 {
			continue
		}
		given[best]++
		out = append(out, Assignment{a.SessionID, b.Shares[best].Reviewer, a.Assignee})
	}
	return out
}

// draw is a number of a session that depends on the seed only.
func draw(seed uint64, session string) uint64 {
	h := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), session...))
	return binary.BigEndian.Uint64(h[:8])
}

// Visible are the events that somebody may see: of an agent those on own hits and those on the session that are no
// assignment.
func (s *Service) Visible(who access.Identity, x *Session) []TrailEntry {
	if !who.Is(access.Agent) {
		return x.Trail
	}
	var out []TrailEntry
	for _, t := range x.Trail {
		if t.Action == Assign || t.Action == Done || t.Action == Reopen {
			continue
		}
		if t.HitID != "" {
			if h := x.Find(t.HitID); h == nil || h.AgentID != who.AgentID {
				continue
			}
		}
		out = append(out, t)
	}
	return out
}
