package backtest

import (
	"context"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Pages of the walk over a store: ids are light, transcripts are not.
const (
	idPage      = 20_000
	sessionPage = 500
)

// Stored walks over the closed sessions of a warehouse that started in a period, with the decisions on them, in the
// order of their ids. Sessions that come or change meanwhile may be seen or not.
type Stored struct {
	w        *warehouse.Warehouse
	from, to time.Time
	ids      []string
	last     string
	done     bool
	page     []Session
}

// NewStored makes a walk from a time up to, not including, another; zero times leave the period open.
func NewStored(w *warehouse.Warehouse, from, to time.Time) *Stored {
	return &Stored{w: w, from: from, to: to}
}

// Next gives the next session, false after the last. It is for one goroutine.
func (s *Stored) Next(ctx context.Context) (Session, bool, error) {
	for len(s.page) == 0 {
		if s.done {
			return Session{}, false, nil
		}
		if err := s.fill(ctx); err != nil {
			return Session{}, false, err
		}
	}
	x := s.page[0]
	s.page[0] = Session{}
	s.page = s.page[1:]
	return x, true, nil
}

func (s *Stored) fill(ctx context.Context) error {
	if len(s.ids) == 0 {
		var err error
		if s.ids, err = s.w.ClosedSessions(ctx, s.from, s.to, s.last, idPage); err != nil {
			return err
		}
		if len(s.ids) == 0 {
			s.done = true
			return nil
		}
		s.last = s.ids[len(s.ids)-1]
	}
	n := min(sessionPage, len(s.ids))
	part := s.ids[:n]
	s.ids = s.ids[n:]
	states, err := s.w.LoadStates(ctx, part)
	if err != nil {
		return err
	}
	decisions, err := s.w.Decisions(ctx, part)
	if err != nil {
		return err
	}
	s.page = s.page[:0]
	for _, id := range part {
		state := states[id]
		if state == nil {
			continue // erased between the two queries
		}
		x := Session{Transcript: state.Transcript()}
		for _, d := range decisions[id] {
			if d.Conflict {
				continue
			}
			switch d.Action {
			case "confirm", "uphold":
				x.Decisions = append(x.Decisions, Decision{d.HitID, true})
			case "dismiss", "overturn":
				x.Decisions = append(x.Decisions, Decision{d.HitID, false})
			}
		}
		s.page = append(s.page, x)
	}
	return nil
}
