// Package opinions keeps the registry of opinions in the warehouse: an append-only log of events whose fold, up to a
// published epoch, is the immutable snapshot by which sessions are analysed. Rebuild founds new opinions from mentions
// that wait for one; people merge, split, rename and judge them.
//
// Merges and renames change what the views show and rewrite no session; what changes the assignment (founding, split)
// makes a new epoch, and only the sessions it concerns are analysed again.
package opinions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// State is the registry after some events.
type State struct {
	// Known are all opinions by id, with the title in force.
	Known map[string]*Entry
}

// Entry is one opinion of the registry.
type Entry struct {
	opinion.Opinion
	// Named: a person gave the title.
	Named bool
	// Into is the opinion it counts for since it was merged, "" for itself.
	Into string
	// Before are the opinions it counted for before, merge by merge: "" for itself, the latest last. Empty where it was not merged.
	Before []string
	// MergedBy and MergedAt tell of the latest merge.
	MergedBy string
	MergedAt time.Time
	// Active: mentions can be assigned to it.
	Active  bool
	Status  string
	FixedOn string
	Owner   string
	Note    string
	Answer  string
}

// Fold gives the state after events, which must be in order.
func Fold(events []warehouse.OpinionEvent) *State {
	s := &State{Known: map[string]*Entry{}}
	for i := range events {
		s.apply(&events[i])
	}
	return s
}

func (s *State) entry(id string) *Entry {
	e := s.Known[id]
	if e == nil {
		e = &Entry{Opinion: opinion.Opinion{ID: id}}
		s.Known[id] = e
	}
	return e
}

func (s *State) apply(ev *warehouse.OpinionEvent) {
	if ev.Action == "reset" {
		for _, e := range s.Known {
			e.Active = false
		}
		return
	}
	e := s.entry(ev.OpinionID)
	switch ev.Action {
	case "found", "split":
		e.Active, e.Into, e.Before, e.Members = true, "", nil, slices.Clone(ev.Members)
		e.Aspect, e.Product, e.Kind, e.Side = ev.Aspect, ev.Product, ev.Kind, ev.Polarity
		if !e.Named {
			e.Title = ev.Title
		}
		if from := s.Known[ev.TargetID]; ev.Action == "split" && from != nil {
			from.Members = slices.DeleteFunc(slices.Clone(from.Members), func(m string) bool {
				_, moved := slices.BinarySearch(ev.Members, m)
				return moved
			})
		}
	case "title":
		if !e.Named {
			e.Title = ev.Title
		}
	case "rename":
		e.Title, e.Named = ev.Title, true
	case "merge":
		e.Before = append(slices.Clone(e.Before), e.Into)
		e.Into, e.MergedBy, e.MergedAt = ev.TargetID, ev.Actor, ev.At
	case "unmerge":
		if e.Into = ev.TargetID; e.Into == "" {
			e.Before = nil
		} else if n := len(e.Before); n > 0 {
			e.Before = e.Before[:n-1]
		}
	case "retire":
		e.Active = false
	case "status":
		e.Status, e.FixedOn = ev.Status, ""
		if ev.FixedOn != nil {
			e.FixedOn = ev.FixedOn.Format("2006-01-02")
		}
	}
	set := func(name string, to *string, v string) {
		if v != "" || slices.Contains(ev.Cleared, name) {
			*to = v
		}
	}
	set("owner", &e.Owner, ev.Owner)
	set("note", &e.Note, ev.Note)
	set("answer", &e.Answer, ev.Answer)
}

// Opinions are those that mentions can be assigned to, sorted by id. Merged ones are among them: their mentions keep
// their id, and the views count them where they were merged into.
func (s *State) Opinions() []opinion.Opinion {
	var out []opinion.Opinion
	for _, id := range slices.Sorted(maps.Keys(s.Known)) {
		if e := s.Known[id]; e.assignable() {
			out = append(out, e.Opinion)
		}
	}
	return out
}

// Find gives the opinion of an id or of the beginning of one, where merged the one it counts for.
func (s *State) Find(id string) (*Entry, error) {
	found, err := s.named(id)
	if err != nil {
		return nil, err
	}
	for n := 0; found.Into != "" && s.Known[found.Into] != nil && n < len(s.Known); n++ {
		found = s.Known[found.Into]
	}
	return found, nil
}

// named gives the opinion of an id or of the beginning of one, merged or not.
func (s *State) named(id string) (*Entry, error) {
	var found *Entry
	for _, known := range slices.Sorted(maps.Keys(s.Known)) {
		if known == id {
			found = s.Known[known]
			break
		}
		if len(id) >= 4 && strings.HasPrefix(known, id) {
			if found != nil {
				return nil, fmt.Errorf("several opinions begin with %q: give more of the id", id)
			}
			found = s.Known[known]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is no opinion %q: `tingke opinions list` shows them", id)
	}
	return found, nil
}

// Part is an opinion that was merged into another, with what came along with it.
type Part struct {
	*Entry
	// With are the ids that counted for it when it was merged, and would again.
	With []string
	// Undo says whether the merge can be taken back: not where a full rebuild or an erasure has left nothing of the opinion
	// that mentions could be assigned to.
	Undo bool
}

// Parts are the opinions that count for id since they were merged, sorted by id.
func (s *State) Parts(id string) []Part {
	var out []Part
	for _, known := range slices.Sorted(maps.Keys(s.Known)) {
		if e := s.Known[known]; e.Into == id {
			out = append(out, Part{Entry: e, With: s.with(e), Undo: e.assignable()})
		}
	}
	return out
}

// assignable says whether mentions can be assigned to it.
func (e *Entry) assignable() bool { return e.Active && len(e.Members) > 0 }

// with gives the ids that counted for e when it was merged.
func (s *State) with(e *Entry) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(s.Known)) {
		if x := s.Known[id]; x.Into == e.Into && len(x.Before) > 0 && x.Before[len(x.Before)-1] == e.ID {
			out = append(out, id)
		}
	}
	return out
}

// Load reads the registry as it is published: its state and its epoch, 0 where there is none yet.
func Load(ctx context.Context, w *warehouse.Warehouse) (*State, uint32, error) {
	latest, err := w.LatestOpinionEpoch(ctx)
	if err != nil {
		return nil, 0, err
	}
	events, err := w.OpinionEvents(ctx, latest.Epoch)
	if err != nil {
		return nil, 0, err
	}
	return Fold(events), latest.Epoch, nil
}

// Snapshot assigns mentions of sessions by one epoch; it is what analyse.Analyser takes.
type Snapshot struct {
	*opinion.Snapshot
	version string
}

var (
	_ analyse.Opinions = Snapshot{}
	_ current.Source   = (*Source)(nil)
)

// NewSnapshot makes the snapshot of a state.
func NewSnapshot(m *opinion.Model, epoch uint32, s *State) Snapshot {
	return Snapshot{opinion.NewSnapshot(m, epoch, s.Opinions(), opinion.Options{}), m.Version()}
}

// Version names the models that assign.
func (s Snapshot) Version() string { return s.version }

// Assign implements analyse.Opinions.
func (s Snapshot) Assign(m schemas.TurnMention) (id string, score float64) {
	return s.Snapshot.Assign(opinion.Mention{Text: m.Text, Kind: m.Kind, Aspect: m.Aspect, Product: m.Product, Polarity: m.Polarity})
}

// Source looks for newer epochs: it implements current.Source.
type Source struct {
	w     *warehouse.Warehouse
	m     *opinion.Model
	epoch uint32
}

// NewSource makes a source; the first Look gives the published epoch, if there is one.
func NewSource(w *warehouse.Warehouse, m *opinion.Model) *Source { return &Source{w: w, m: m} }

// Name implements current.Source.
func (s *Source) Name() string { return "opinions" }

// Look implements current.Source.
func (s *Source) Look(ctx context.Context) (current.Change, error) {
	latest, err := s.w.LatestOpinionEpoch(ctx)
	if err != nil {
		return nil, err
	}
	if latest.Epoch <= s.epoch {
		return nil, nil
	}
	events, err := s.w.OpinionEvents(ctx, latest.Epoch)
	if err != nil {
		return nil, err
	}
	next := NewSnapshot(s.m, latest.Epoch, Fold(events))
	s.epoch = latest.Epoch
	return func(a *analyse.Analyser) *analyse.Analyser { return a.WithOpinions(next) }, nil
}
