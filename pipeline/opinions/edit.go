package opinions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Statuses are what an opinion's status may be.
var Statuses = []string{"new", "accepted", "fixed", "declined"}

// change runs f on the published registry and appends its events, made on the epoch in use.
func (k *Keeper) change(ctx context.Context, actor string, f func(*State) ([]warehouse.OpinionEvent, error)) error {
	return k.held(ctx, func(ctx context.Context) error {
		state, epoch, err := Load(ctx, k.w)
		if err != nil {
			return err
		}
		events, err := f(state)
		if err != nil || len(events) == 0 {
			return err
		}
		for i := range events {
			events[i].Epoch, events[i].Actor = epoch, actor
		}
		return k.w.AppendOpinionEvents(ctx, events)
	})
}

// Rename gives an opinion a title, which wins over any that the program makes.
func (k *Keeper) Rename(ctx context.Context, id, title, actor string) error {
	if title = strings.TrimSpace(title); title == "" {
		return errors.New("the title is empty")
	}
	return k.change(ctx, actor, func(s *State) ([]warehouse.OpinionEvent, error) {
		e, err := s.Find(id)
		if err != nil {
			return nil, err
		}
		return []warehouse.OpinionEvent{{Action: "rename", OpinionID: e.ID, Title: title}}, nil
	})
}

// Judgement is what people say of an opinion. What is nil or empty stays as it is; owner, note and answer are taken away by
// an empty text.
type Judgement struct {
	Status  string
	FixedOn *time.Time // with status fixed
	Owner   *string
	Note    *string
	Answer  *string
	// Department acts on it, instead of the one of its aspect.
	Department string
}

// Judge sets status, owner, note, approved answer and department.
func (k *Keeper) Judge(ctx context.Context, id string, j Judgement, actor string) error {
	if j.Status != "" && !slices.Contains(Statuses, j.Status) {
		return fmt.Errorf("status %q is none of %s", j.Status, strings.Join(Statuses, ", "))
	}
	if (j.Status == "fixed") != (j.FixedOn != nil) {
		return errors.New("status fixed and the day it was fixed on belong together")
	}
	if j == (Judgement{}) {
		return errors.New("nothing to set: give a status, an owner, a note, an answer or a department")
	}
	return k.change(ctx, actor, func(s *State) ([]warehouse.OpinionEvent, error) {
		e, err := s.Find(id)
		if err != nil {
			return nil, err
		}
		action := "note"
		if j.Status != "" {
			action = "status"
		}
		ev := warehouse.OpinionEvent{Action: action, OpinionID: e.ID, Status: j.Status, FixedOn: j.FixedOn, Department: j.Department}
		set := func(name string, to, v *string) {
			if v == nil {
				return
			}
			if *to = strings.TrimSpace(*v); *to == "" {
				ev.Cleared = append(ev.Cleared, name)
			}
		}
		set("owner", &ev.Owner, j.Owner)
		set("note", &ev.Note, j.Note)
		set("answer", &ev.Answer, j.Answer)
		return []warehouse.OpinionEvent{ev}, nil
	})
}

// Merge makes opinions count for another; every id that already counted for one of them is moved with it. Sessions are
// not rewritten.
func (k *Keeper) Merge(ctx context.Context, into string, ids []string, actor string) error {
	return k.change(ctx, actor, func(s *State) ([]warehouse.OpinionEvent, error) {
		target, err := s.Find(into)
		if err != nil {
			return nil, err
		}
		moved := map[string]bool{}
		for _, id := range ids {
			e, err := s.Find(id)
			if err != nil {
				return nil, err
			}
			if e.ID == target.ID {
				return nil, fmt.Errorf("opinion %s counts for %s already", id, target.ID)
			}
			moved[e.ID] = true
			for other, x := range s.Known {
				if x.Into == e.ID {
					moved[other] = true
				}
			}
		}
		var out []warehouse.OpinionEvent
		for _, id := range slices.Sorted(maps.Keys(moved)) {
			out = append(out, warehouse.OpinionEvent{Action: "merge", OpinionID: id, TargetID: target.ID})
		}
		return out, nil
	})
}

// Unmerge takes back the merge of opinions: each counts for itself again, with the mentions it has and with what counted for
// it when it was merged. It is as if the merge had not been: a merge changes no assignment, so what came in since has the id
// it would have had without. Sessions are not rewritten.
func (k *Keeper) Unmerge(ctx context.Context, ids []string, actor string) error {
	return k.change(ctx, actor, func(s *State) ([]warehouse.OpinionEvent, error) {
		back := map[string]string{} // opinion -> what it counts for then
		for _, id := range ids {
			e, err := s.named(id)
			if err != nil {
				return nil, err
			}
			switch {
			case e.Into == "":
				return nil, fmt.Errorf("opinion %s is merged into none", e.ID)
			case !e.assignable():
				return nil, fmt.Errorf("opinion %s cannot come back: it was founded anew or erased since, and its mentions have gone to others", e.ID)
			}
			back[e.ID] = ""
			for _, with := range s.with(e) {
				if _, itself := back[with]; !itself {
					back[with] = e.ID
				}
			}
		}
		var out []warehouse.OpinionEvent
		for _, id := range slices.Sorted(maps.Keys(back)) {
			out = append(out, warehouse.OpinionEvent{Action: "unmerge", OpinionID: id, TargetID: back[id]})
		}
		return out, nil
	})
}

// Split moves members of an opinion to a new one, whose id is given back, publishes the next epoch and analyses the
// opinion's sessions again. pick says which of its normalised members move; title may be empty.
func (k *Keeper) Split(ctx context.Context, id string, pick func(member string) bool, title, actor string) (newID string, r *Result, err error) {
	err = k.held(ctx, func(ctx context.Context) error {
		state, epoch, err := Load(ctx, k.w)
		if err != nil {
			return err
		}
		from, err := state.Find(id)
		if err != nil {
			return err
		}
		o := opinion.Opinion{Kind: from.Kind, Aspect: from.Aspect, Product: from.Product, Side: from.Side}
		for _, m := range from.Members {
			if pick(m) {
				o.Members = append(o.Members, m)
			}
		}
		switch len(o.Members) {
		case 0:
			return fmt.Errorf("no member of opinion %s is meant; `tingke opinions show %s` lists them", from.ID, from.ID)
		case len(from.Members):
			return fmt.Errorf("all members of opinion %s are meant: nothing would stay", from.ID)
		}
		taken := map[string]bool{}
		for known := range state.Known {
			taken[known] = true
		}
		o.ID = opinion.FreeID(&o, taken)
		if o.Title = title; title == "" {
			o.Title = k.o.Model.Title(&o)
		}
		event := k.founded(&o)
		event.Action, event.TargetID, event.Epoch, event.Actor = "split", from.ID, epoch+1, actor
		events := []warehouse.OpinionEvent{event}
		if title != "" {
			events = append(events, warehouse.OpinionEvent{Action: "rename", OpinionID: o.ID, Title: title, Epoch: epoch + 1, Actor: actor})
		}
		if err := k.w.AppendOpinionEvents(ctx, events); err != nil {
			return err
		}
		for i := range events {
			state.apply(&events[i])
		}
		next := NewSnapshot(k.o.Model, epoch+1, state)
		if err := k.publish(ctx, next, "split", actor, 1); err != nil {
			return err
		}
		sessions, err := k.w.SessionsOfOpinions(ctx, []string{from.ID})
		if err != nil {
			return err
		}
		newID = o.ID
		r = &Result{Epoch: epoch + 1, Founded: 1, Opinions: len(next.Opinions())}
		r.Sessions, err = k.reanalyse(ctx, sessions, next)
		return err
	})
	return newID, r, err
}

// Difference is how one opinion differs between two epochs.
type Difference struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Change string `json:"change"` // added, removed, members, title
	Before string `json:"before,omitempty"`
	// Added and Removed are members.
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Diff compares two lists of opinions, sorted by id.
func Diff(before, after []opinion.Opinion) []Difference {
	old, now := map[string]*opinion.Opinion{}, map[string]*opinion.Opinion{}
	ids := map[string]bool{}
	for i := range before {
		old[before[i].ID] = &before[i]
		ids[before[i].ID] = true
	}
	for i := range after {
		now[after[i].ID] = &after[i]
		ids[after[i].ID] = true
	}
	var out []Difference
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		a, b := old[id], now[id]
		switch {
		case a == nil:
			out = append(out, Difference{ID: id, Title: b.Title, Change: "added", Added: b.Members})
		case b == nil:
			out = append(out, Difference{ID: id, Title: a.Title, Change: "removed", Removed: a.Members})
		default:
			if added, removed := minus(b.Members, a.Members), minus(a.Members, b.Members); len(added)+len(removed) > 0 {
				out = append(out, Difference{ID: id, Title: b.Title, Change: "members", Added: added, Removed: removed})
			}
			if a.Title != b.Title {
				out = append(out, Difference{ID: id, Title: b.Title, Change: "title", Before: a.Title})
			}
		}
	}
	return out
}

// minus gives what a has and b has not; both are sorted.
func minus(a, b []string) []string {
	var out []string
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			out = append(out, x)
		}
	}
	return out
}

// At reads the opinions of an epoch.
func At(ctx context.Context, w *warehouse.Warehouse, epoch uint32) ([]opinion.Opinion, error) {
	latest, err := w.LatestOpinionEpoch(ctx)
	if err != nil {
		return nil, err
	}
	if epoch > latest.Epoch {
		return nil, fmt.Errorf("epoch %d is not published; the latest is %d", epoch, latest.Epoch)
	}
	events, err := w.OpinionEvents(ctx, epoch)
	if err != nil {
		return nil, err
	}
	return Fold(events).Opinions(), nil
}
