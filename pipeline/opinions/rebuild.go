package opinions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// Keeper changes the registry. Its methods take a lease, so that one process at a time does.
type Keeper struct {
	w *warehouse.Warehouse
	o Options
}

// Options of a Keeper.
type Options struct {
	Model *opinion.Model
	// Analyser gives the analyser in use, with which sessions are analysed again.
	Analyser func() *analyse.Analyser
	// Live judges sessions as the run does that is active for them, and writes them; nil: run by run with Analyser alone.
	Live Live
	// Departments maps an aspect to its department; nil = schemas.DefaultDepartments.
	Departments map[string]string
	// Founders is the number of mentions that found an opinion, 0 = 2. A single mention waits for others.
	Founders int
	// Workers is the number of goroutines, 0 = one a processor. It changes no result.
	Workers int
	Log     *slog.Logger
}

// Live is the way of sessions into the store where runs are switched and customers forgotten; package rerun has it.
type Live interface {
	// Refresh looks which runs are active.
	Refresh(context.Context) error
	// AnalyseWith analyses a session with an analyser, and with the rules of the run that is active for it.
	AnalyseWith(*analyse.Analyser, *schemas.Transcript) *schemas.Analysis
	// Write stores analyses, but for those of forgotten customers.
	Write(context.Context, warehouse.Batch) error
}

// direct is the way where nobody reruns anything.
type direct struct {
	w        *warehouse.Warehouse
	switches warehouse.Switches
}

func (d *direct) Refresh(ctx context.Context) (err error) {
	d.switches, err = d.w.Switches(ctx)
	return err
}

func (d *direct) AnalyseWith(an *analyse.Analyser, t *schemas.Transcript) *schemas.Analysis {
	a := an.Analyse(t)
	a.RunID = d.switches.Run(a.StartedAt)
	return a
}

func (d *direct) Write(ctx context.Context, b warehouse.Batch) error { return d.w.Write(ctx, b) }

// NewKeeper makes a Keeper.
func NewKeeper(w *warehouse.Warehouse, o Options) *Keeper {
	if o.Departments == nil {
		o.Departments = schemas.DefaultDepartments
	}
	if o.Founders <= 0 {
		o.Founders = 2
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Live == nil {
		o.Live = &direct{w: w}
	}
	return &Keeper{w: w, o: o}
}

// ErrBusy: another process is changing the registry.
var ErrBusy = errors.New("another process is changing the registry of opinions; try again when it is done")

const (
	leaseName = "opinions"
	leaseFor  = 2 * time.Minute
	renewEach = 30 * time.Second
	// chunk is the number of sessions analysed again at a time.
	chunk = 200
	// maxRounds bounds the foundings of one rebuild; two or three are usual.
	maxRounds = 20
)

// held runs f while holding the lease, which is renewed beside it.
func (k *Keeper) held(ctx context.Context, f func(context.Context) error) error {
	l, err := k.w.TryLease(ctx, leaseName, leaseFor)
	if err != nil {
		return err
	}
	if l == nil {
		return ErrBusy
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(renewEach)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := l.Renew(ctx, leaseFor); err != nil && ctx.Err() == nil {
					cancel(fmt.Errorf("cannot renew the lease of the registry: %w", err))
					return
				}
			}
		}
	}()
	err = f(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-done
	l.Release(ctx)
	return err
}

// Result is what a change of the registry did.
type Result struct {
	Epoch    uint32 `json:"epoch"` // in use afterwards
	Mentions int    `json:"mentions"`
	// Founded are the opinions added, Retired those that a full rebuild took out.
	Founded  int `json:"founded"`
	Retired  int `json:"retired,omitempty"`
	Opinions int `json:"opinions"`
	// Waiting are the mentions that belong to no opinion afterwards, without those that have no point.
	Waiting int `json:"waiting"`
	// Sessions were analysed again.
	Sessions int  `json:"sessions"`
	DryRun   bool `json:"dry_run,omitempty"`
	// New are the opinions founded.
	New []opinion.Opinion `json:"-"`
}

// distinct is a mention with where it was said.
type distinct struct {
	opinion.Mention
	opinionID string
	sessions  []string
}

// mentions reads what is to be clustered, in a fixed order: sorted, not as it comes out of the store.
func (k *Keeper) mentions(ctx context.Context, waiting bool) ([]distinct, error) {
	type key struct {
		m         opinion.Mention
		opinionID string
	}
	at := map[key]int{}
	var out []distinct
	err := k.w.OpinionMentions(ctx, waiting, func(m warehouse.OpinionMention) error {
		x := key{opinion.Mention{Text: m.Text, Kind: m.Kind, Aspect: m.Aspect, Product: m.Product, Polarity: m.Polarity}, m.OpinionID}
		i, ok := at[x]
		if !ok {
			i = len(out)
			at[x] = i
			out = append(out, distinct{Mention: x.m, opinionID: m.OpinionID})
		}
		out[i].sessions = append(out[i].sessions, m.SessionID)
		return nil
	})
	slices.SortFunc(out, func(a, b distinct) int {
		for _, c := range []int{strings.Compare(a.Text, b.Text), strings.Compare(a.Aspect, b.Aspect), strings.Compare(a.Product, b.Product),
			strings.Compare(a.Polarity, b.Polarity), strings.Compare(a.Kind, b.Kind), strings.Compare(a.opinionID, b.opinionID)} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return out, err
}

// Rebuild founds opinions on mentions that wait, or, with full, founds all of them anew on all mentions; then it
// publishes the next epoch and analyses again the sessions whose mentions it changes. Where nothing is to be founded no
// epoch is made. What it founds depends on the set of mentions and, unless full, on the registry.
func (k *Keeper) Rebuild(ctx context.Context, full, dryRun bool, actor string) (r *Result, err error) {
	if dryRun {
		return k.rebuild(ctx, full, true, actor)
	}
	err = k.held(ctx, func(ctx context.Context) error {
		r, err = k.rebuild(ctx, full, false, actor)
		return err
	})
	return r, err
}

func (k *Keeper) rebuild(ctx context.Context, full, dryRun bool, actor string) (*Result, error) {
	latest, err := k.w.LatestOpinionEpoch(ctx)
	if err != nil {
		return nil, err
	}
	// What a rebuild that died appended to the next epoch is adopted: its opinions are good ones.
	events, err := k.w.OpinionEvents(ctx, latest.Epoch+1)
	if err != nil {
		return nil, err
	}
	state := Fold(events)
	adopted := len(events) > 0 && slices.ContainsFunc(events, func(e warehouse.OpinionEvent) bool { return e.Epoch > latest.Epoch })
	list, err := k.mentions(ctx, !full)
	if err != nil {
		return nil, err
	}
	r := &Result{Epoch: latest.Epoch, DryRun: dryRun}
	for i := range list {
		r.Mentions += len(list[i].sessions)
	}
	before := NewSnapshot(k.o.Model, latest.Epoch, state)
	after, apply := before, func(events []warehouse.OpinionEvent) {
		for i := range events {
			events[i].Epoch, events[i].Actor = latest.Epoch+1, actor
			state.apply(&events[i])
		}
	}
	var found []warehouse.OpinionEvent
	if full {
		found = k.foundAll(state, list)
		apply(found)
		after = NewSnapshot(k.o.Model, latest.Epoch+1, state)
	}
	// A mention that fits no opinion may fit one founded now, and the rest may found others among themselves. It goes on
	// until nothing is founded, so that a second rebuild of the same mentions changes nothing.
	for range maxRounds {
		more := k.foundWaiting(after, state, list)
		if len(more) == 0 {
			break
		}
		apply(more)
		found = append(found, more...)
		after = NewSnapshot(k.o.Model, latest.Epoch+1, state)
	}
	if full && slices.EqualFunc(before.Opinions(), after.Opinions(), func(a, b opinion.Opinion) bool { return a.ID == b.ID && slices.Equal(a.Members, b.Members) }) {
		found, after = nil, before
	}
	if len(found) > 0 || adopted {
		r.Epoch++
		if after.Epoch() != r.Epoch {
			after = NewSnapshot(k.o.Model, r.Epoch, state)
		}
	}
	old := map[string]bool{}
	for _, o := range before.Opinions() {
		old[o.ID] = true
	}
	for _, o := range after.Opinions() {
		if !old[o.ID] {
			r.New = append(r.New, o)
		}
		delete(old, o.ID)
	}
	r.Founded, r.Retired = len(r.New), len(old)
	r.Opinions = len(after.Opinions())
	sessions := map[string]bool{}
	for i := range list {
		id, _ := after.Snapshot.Assign(list[i].Mention)
		if id == "" && opinion.HasPoint(list[i].Text) {
			r.Waiting += len(list[i].sessions)
		}
		if id != list[i].opinionID {
			for _, s := range list[i].sessions {
				sessions[s] = true
			}
		}
	}
	r.Sessions = len(sessions)
	if dryRun {
		return r, nil
	}
	if r.Epoch > latest.Epoch {
		if err := k.w.AppendOpinionEvents(ctx, found); err != nil {
			return nil, err
		}
		cause := "rebuild"
		if full {
			cause = "full"
		}
		if err := k.publish(ctx, after, cause, actor, r.Founded); err != nil {
			return nil, err
		}
	}
	n, err := k.reanalyse(ctx, slices.Sorted(maps.Keys(sessions)), after)
	r.Sessions = n
	return r, err
}

func (k *Keeper) publish(ctx context.Context, s Snapshot, cause, actor string, founded int) error {
	return k.w.PublishOpinionEpoch(ctx, warehouse.OpinionEpoch{Epoch: s.Epoch(), At: time.Now().UTC().Truncate(time.Millisecond), Cause: cause, Actor: actor,
		Founded: uint32(founded), Opinions: uint32(len(s.Opinions())), Model: s.Version()})
}

// foundWaiting clusters the mentions that fit no opinion.
func (k *Keeper) foundWaiting(s Snapshot, state *State, list []distinct) []warehouse.OpinionEvent {
	var rest []opinion.Mention
	for i := range list {
		if id, _ := s.Snapshot.Assign(list[i].Mention); id == "" {
			for range list[i].sessions {
				rest = append(rest, list[i].Mention)
			}
		}
	}
	taken := map[string]bool{}
	for id := range state.Known {
		taken[id] = true
	}
	var out []warehouse.OpinionEvent
	for _, g := range k.o.Model.Found(rest, opinion.Options{Workers: k.o.Workers}) {
		if len(g.Mentions) < k.o.Founders {
			continue
		}
		g.ID = opinion.FreeID(&g.Opinion, taken)
		taken[g.ID] = true
		out = append(out, k.founded(&g.Opinion))
	}
	return out
}

func (k *Keeper) founded(o *opinion.Opinion) warehouse.OpinionEvent {
	return warehouse.OpinionEvent{Action: "found", OpinionID: o.ID, Title: o.Title, Aspect: o.Aspect, Product: o.Product, Kind: o.Kind,
		Polarity: o.Side, Department: k.o.Departments[o.Aspect], Members: o.Members}
}

// foundAll founds everything anew. What people decided stays: merges between opinions that are founded again, and the
// title, status, owner, note and answer of one that is not go to the one that took most of its members.
func (k *Keeper) foundAll(state *State, list []distinct) []warehouse.OpinionEvent {
	var all []opinion.Mention
	for i := range list {
		for range list[i].sessions {
			all = append(all, list[i].Mention)
		}
	}
	again := map[string]bool{}
	var found []opinion.Opinion
	owner := map[string][]string{} // of a member: the new opinions that have it
	for _, g := range k.o.Model.Found(all, opinion.Options{Workers: k.o.Workers}) {
		if len(g.Mentions) < k.o.Founders {
			continue
		}
		found = append(found, g.Opinion)
		again[g.ID] = true
		for _, m := range g.Members {
			owner[m] = append(owner[m], g.ID)
		}
	}
	out := []warehouse.OpinionEvent{{Action: "reset"}}
	for i := range found {
		out = append(out, k.founded(&found[i]))
	}
	goes := map[string]string{} // retired opinion -> where most of its members are
	for _, id := range slices.Sorted(maps.Keys(state.Known)) {
		if e := state.Known[id]; !again[id] && e.Into == "" {
			votes := map[string]int{}
			for _, m := range e.Members {
				for _, to := range owner[m] {
					votes[to]++
				}
			}
			best := ""
			for _, to := range slices.Sorted(maps.Keys(votes)) {
				if best == "" || votes[to] > votes[best] {
					best = to
				}
			}
			goes[id] = best
		}
	}
	for _, id := range slices.Sorted(maps.Keys(state.Known)) {
		e := state.Known[id]
		target := e.Into
		if to, moved := goes[target]; moved {
			target = to
		}
		switch {
		case again[id] && target != "" && target != id && again[target]: // merged by a person, and founded again
			out = append(out, warehouse.OpinionEvent{Action: "merge", OpinionID: id, TargetID: target})
		case again[id]:
		case e.Into != "": // merged before
			if target != e.Into && target != "" {
				out = append(out, warehouse.OpinionEvent{Action: "merge", OpinionID: id, TargetID: target})
			}
		case goes[id] == "":
			out = append(out, warehouse.OpinionEvent{Action: "retire", OpinionID: id})
		default:
			out = append(out, warehouse.OpinionEvent{Action: "merge", OpinionID: id, TargetID: goes[id]})
			out = append(out, carried(e, state.Known[goes[id]], goes[id])...)
		}
	}
	return out
}

// carried gives what people said of an opinion to the one that took its place, unless that has its own.
func carried(from, to *Entry, id string) []warehouse.OpinionEvent {
	var out []warehouse.OpinionEvent
	if from.Named && (to == nil || !to.Named) {
		out = append(out, warehouse.OpinionEvent{Action: "rename", OpinionID: id, Title: from.Title})
	}
	if from.Status != "" && (to == nil || to.Status == "") {
		e := warehouse.OpinionEvent{Action: "status", OpinionID: id, Status: from.Status}
		if at, err := time.Parse("2006-01-02", from.FixedOn); err == nil {
			e.FixedOn = &at
		}
		out = append(out, e)
	}
	if to == nil && (from.Owner != "" || from.Note != "" || from.Answer != "") {
		out = append(out, warehouse.OpinionEvent{Action: "note", OpinionID: id, Owner: from.Owner, Note: from.Note, Answer: from.Answer})
	}
	return out
}

// reanalyse analyses sessions by a snapshot and stores what is newer than what is stored. A session that got further
// messages meanwhile has a greater version and stays.
func (k *Keeper) reanalyse(ctx context.Context, ids []string, s Snapshot) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if err := k.o.Live.Refresh(ctx); err != nil {
		return 0, err
	}
	analyser := k.o.Analyser().WithOpinions(s)
	done := 0
	for part := range slices.Chunk(ids, chunk) {
		states, err := k.w.LoadStates(ctx, part)
		if err != nil {
			return done, err
		}
		analyses := make([]*schemas.Analysis, len(part))
		group := errgroup.Group{}
		group.SetLimit(k.o.Workers)
		for i, id := range part {
			if states[id] == nil {
				continue
			}
			group.Go(func() error {
				analyses[i] = k.o.Live.AnalyseWith(analyser, states[id].Transcript())
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return done, err
		}
		analyses = slices.DeleteFunc(analyses, func(a *schemas.Analysis) bool { return a == nil })
		if err := k.o.Live.Write(ctx, warehouse.Batch{Analyses: analyses}); err != nil {
			return done, fmt.Errorf("cannot store sessions analysed by epoch %d: %w", s.Epoch(), err)
		}
		done += len(analyses)
	}
	return done, nil
}
