package rerun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

const (
	// rangeSessions is the number of sessions whose versions are compared at a time, and of one message of a shared rerun.
	rangeSessions = 100_000
	// defaultChunk is the default of Options.Chunk.
	defaultChunk = 200
	// chunkTurns cuts a chunk of long sessions when it is written.
	chunkTurns = 20_000
	// maxPasses bounds how often what came meanwhile is looked for, before and after a switch.
	maxPasses = 10
	// noteEvery is how often a run says in the store how far it is.
	noteEvery = 5 * time.Second
)

// Progress says how far a rerun is.
type Progress struct {
	Done  int // sessions
	Total int // sessions of the period, about
	Turns int
	Pass  int // from 1; further ones look for what came meanwhile
}

// Options of a Runner.
type Options struct {
	// Live is the way of live writes; its base analyser judges sessions of no run.
	Live *Live
	// Epoch gives an analyser with the models in use and the registry of opinions as of an epoch.
	Epoch func(ctx context.Context, epoch uint32) (*analyse.Analyser, error)
	// Rate is the greatest number of turns per second, 0 for as fast as it goes.
	Rate float64
	// Workers is the number of sessions judged at once, 0 = one a processor. It changes no result.
	Workers int
	// Chunk is the number of sessions loaded, judged and written together, 0 = 200.
	Chunk    int
	Progress func(Progress) // called after each chunk; may be nil
	Log      *slog.Logger
}

// Runner works on runs. It is for one goroutine.
type Runner struct {
	o        Options
	repaired struct {
		marks warehouse.StoreMarks
		at    time.Time
	}
	w     *warehouse.Warehouse
	began time.Time
	p     Progress
	noted time.Time
}

// New makes a Runner.
func New(o Options) *Runner {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Chunk <= 0 {
		o.Chunk = defaultChunk
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return &Runner{o: o, w: o.Live.w}
}

// Request is what a new run is to be.
type Request struct {
	From, To time.Time // of the starts of its sessions, both inside, in milliseconds
	Filter   Filter
	Packs    []warehouse.RunPack
	Epoch    uint32
	Actor    string
	Note     string
}

// Leases: one is held while runs are made and switched, one while stragglers are mended.
const (
	leaseRuns   = "runs"
	leaseRepair = "repair runs"
	// leaseFor is how long a process that was killed keeps others out; a person who starts the command again waits so long.
	leaseFor  = 30 * time.Second
	leaseWait = 45 * time.Second
)

// ErrBusy: another process is making or switching a run.
var ErrBusy = errors.New("another process is starting or switching a run; try again in a moment")

// held runs f under a lease, which is renewed beside it. It waits so long for the lease.
func (r *Runner) held(ctx context.Context, name string, wait time.Duration, f func(context.Context) error) error {
	var l *warehouse.Lease
	for began := time.Now(); ; {
		var err error
		if l, err = r.w.TryLease(ctx, name, leaseFor); err != nil {
			return err
		}
		if l != nil {
			break
		}
		if time.Since(began) >= wait {
			return ErrBusy
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	var err error
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(leaseFor / 4)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := l.Renew(ctx, leaseFor); err != nil && ctx.Err() == nil {
					cancel(fmt.Errorf("cannot renew the lease of %s: %w", name, err))
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

// Start makes a run, or gives the unfinished one of the same request where there is one and fresh is not asked for. The
// packs must compile.
func (r *Runner) Start(ctx context.Context, q Request, fresh bool) (run *warehouse.Run, resumed bool, err error) {
	sources := make([]rules.Source, len(q.Packs))
	for i, p := range q.Packs {
		sources[i] = rules.Text(p.Name, []byte(p.YAML))
	}
	set, err := r.o.Live.compile(sources...)
	if err != nil {
		return nil, false, err
	}
	base, err := r.o.Epoch(ctx, q.Epoch)
	if err != nil {
		return nil, false, err
	}
	want := warehouse.Run{State: "running", From: q.From, To: q.To, RulesVersion: set.Version(), ModelVersion: base.ModelVersion(), Epoch: q.Epoch, Filter: q.Filter.String(),
		Actor: q.Actor, Note: q.Note, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	err = r.held(ctx, leaseRuns, leaseWait, func(ctx context.Context) error {
		if !fresh {
			known, err := r.w.Runs(ctx)
			if err != nil {
				return err
			}
			for i := range known {
				k := &known[i]
				if k.State == "running" && k.From.Equal(want.From) && k.To.Equal(want.To) && k.RulesVersion == want.RulesVersion && k.ModelVersion == want.ModelVersion &&
					k.Epoch == want.Epoch && k.Filter == want.Filter {
					run, resumed = k, true
					return nil
				}
			}
		}
		run = &want
		return r.w.AddRun(ctx, run, q.Packs)
	})
	return run, resumed, err
}

// target says how the sessions of one run are made.
type target struct {
	run   uint64
	base  *analyse.Analyser
	judge *judge // nil: the base judges all
}

// target finds how a run makes its rows; run 0 with the analyser in use.
func (r *Runner) target(ctx context.Context, id uint64) (target, *warehouse.Run, error) {
	if id == 0 {
		return target{base: r.o.Live.base()}, nil, nil
	}
	run, err := r.w.Run(ctx, id)
	if err != nil {
		return target{}, nil, err
	}
	if run == nil {
		return target{}, nil, fmt.Errorf("there is no run %d: tingke runs list shows them", id)
	}
	packs, err := r.w.RunPacks(ctx, id)
	if err != nil {
		return target{}, nil, err
	}
	j, err := newJudge(run, packs, r.o.Live.compile)
	if err != nil {
		return target{}, nil, err
	}
	base, err := r.o.Epoch(ctx, run.Epoch)
	return target{run: id, base: base, judge: j}, run, err
}

// Work judges every session of the period of a run that it does not hold yet, until it holds all. It may be killed and
// called again, and several processes may work on one run: the rows are the same. The run is done then.
func (r *Runner) Work(ctx context.Context, id uint64) (*warehouse.Run, error) {
	t, run, err := r.target(ctx, id)
	if err != nil {
		return nil, err
	}
	if run == nil {
		return nil, errors.New("run 0 is the live one")
	}
	if err := sameMakers(run, t); err != nil {
		return run, err
	}
	if run.State == "cancelled" {
		return run, fmt.Errorf("run %d was cancelled: start another", id)
	}
	if r.p.Total, err = r.w.CountStarted(ctx, run.From, run.To); err != nil {
		return run, err
	}
	have, err := r.w.CountRun(ctx, id)
	if err != nil {
		return run, err
	}
	r.p.Done = int(have)
	run.State = "running"
	_, err = r.catchUp(ctx, t, run.From, run.To, func() error {
		if time.Since(r.noted) < noteEvery {
			return nil
		}
		r.noted = time.Now()
		run.Sessions = uint64(r.p.Done)
		return r.w.PutRun(ctx, run)
	})
	if err != nil {
		return run, err // it can go on: the run stays as it is
	}
	return run, r.Finish(ctx, run)
}

// sameMakers refuses to go on with other rules or models than a run began with.
func sameMakers(run *warehouse.Run, t target) error {
	if v := t.judge.rules.Version(); v != run.RulesVersion {
		return fmt.Errorf("run %d began with the rules %s, and this program reads them as %s: start another run", run.ID, run.RulesVersion, v)
	}
	if v := t.base.ModelVersion(); v != run.ModelVersion {
		return fmt.Errorf("run %d began with the models %s, and this program has %s: start another run, or go on with the program and the dictionaries that began it", run.ID, run.ModelVersion, v)
	}
	return nil
}

// Finish notes that a run holds all its sessions.
func (r *Runner) Finish(ctx context.Context, run *warehouse.Run) (err error) {
	if run.Sessions, err = r.w.CountRun(ctx, run.ID); err != nil {
		return err
	}
	run.State = "done"
	return r.w.PutRun(ctx, run)
}

// Fail notes why a run was given up, also where ctx is done.
func (r *Runner) Fail(ctx context.Context, run *warehouse.Run, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	run.State, run.Note = "failed", why.Error()
	return r.w.PutRun(ctx, run)
}

// catchUp makes the rows of a target whose transcripts are newer, for the sessions that start in a period, until there is
// none. Live traffic may go on for ever: what is left after maxPasses is for the next look.
func (r *Runner) catchUp(ctx context.Context, t target, from, to time.Time, note func() error) (int, error) {
	done := 0
	r.began = time.Now()
	turns := r.p.Turns
	for pass := 1; pass <= maxPasses; pass++ {
		r.p.Pass = pass
		found := 0
		err := r.eachRange(ctx, func(ids warehouse.IDRange) error {
			behind, err := r.w.Behind(ctx, t.run, from, to, ids)
			if err != nil {
				return err
			}
			found += len(behind)
			return r.bring(ctx, behind, func(m *schemas.Transcript) (target, bool) { return t, true }, turns, note)
		})
		if err != nil {
			return done, err
		}
		if done += found; found == 0 {
			return done, nil
		}
	}
	return done, nil
}

func (r *Runner) eachRange(ctx context.Context, f func(warehouse.IDRange) error) error {
	for after := ""; ; {
		ids, more, err := r.w.NextRange(ctx, after, rangeSessions)
		if err != nil || !more {
			return err
		}
		if err := f(ids); err != nil {
			return err
		}
		after = ids.UpTo
	}
}

// loaded are sessions on their way from the store.
type loaded struct {
	states map[string]*assemble.State
	ids    []string
}

// bring judges sessions and writes them to the runs that choose gives. The next are loaded meanwhile.
func (r *Runner) bring(ctx context.Context, ids []string, choose func(*schemas.Transcript) (target, bool), turnsBefore int, note func() error) error {
	group, work := errgroup.WithContext(ctx)
	next := make(chan loaded, 1)
	group.Go(func() error {
		defer close(next)
		for part := range slices.Chunk(ids, r.o.Chunk) {
			states, err := r.w.LoadStates(work, part)
			if err != nil {
				return err
			}
			select {
			case next <- loaded{states, part}:
			case <-work.Done():
				return work.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for l := range next {
			if err := r.judgeChunk(work, l, choose); err != nil {
				return err
			}
			r.o.Progress(r.p)
			if err := r.throttle(work, turnsBefore); err != nil {
				return err
			}
			if note != nil {
				if err := note(); err != nil {
					return err
				}
			}
		}
		return work.Err()
	})
	return group.Wait()
}

// throttle waits until the turns since the beginning are no more than the rate allows.
func (r *Runner) throttle(ctx context.Context, turnsBefore int) error {
	if r.o.Rate <= 0 {
		return nil
	}
	due := time.Duration(float64(r.p.Turns-turnsBefore) / r.o.Rate * float64(time.Second))
	wait := due - time.Since(r.began)
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (r *Runner) judgeChunk(ctx context.Context, l loaded, choose func(*schemas.Transcript) (target, bool)) error {
	analyses := make([]*schemas.Analysis, 0, len(l.ids))
	copies := map[uint64][]string{}
	var jobs []func()
	for _, id := range l.ids {
		s := l.states[id]
		if s == nil {
			continue // erased meanwhile
		}
		t := s.Transcript()
		to, ok := choose(t)
		if !ok {
			continue
		}
		r.p.Done++
		if to.judge != nil && !to.judge.filter.Match(&t.Meta) {
			copies[to.run] = append(copies[to.run], id)
			continue
		}
		r.p.Turns += len(t.Turns)
		at := len(analyses)
		analyses = append(analyses, nil)
		jobs = append(jobs, func() {
			analyses[at] = r.analyse(to, t)
		})
	}
	group := errgroup.Group{}
	group.SetLimit(r.o.Workers)
	for _, job := range jobs {
		group.Go(func() error { job(); return ctx.Err() })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	failpoint.Hit(failpoint.RerunWrite)
	for len(analyses) > 0 {
		n, turns := 0, 0
		for n < len(analyses) && (n == 0 || turns+len(analyses[n].Turns) <= chunkTurns) {
			turns += len(analyses[n].Turns)
			n++
		}
		if err := r.o.Live.Write(ctx, warehouse.Batch{Analyses: analyses[:n:n]}); err != nil {
			return fmt.Errorf("cannot store judged sessions: %w", err)
		}
		analyses = analyses[n:]
	}
	for _, run := range sortedRuns(copies) {
		if err := r.w.CopyToRun(ctx, run, copies[run]); err != nil {
			return err
		}
	}
	return nil
}

func sortedRuns(m map[uint64][]string) []uint64 {
	var out []uint64
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// analyse judges a session for a target. The analysis keeps defects of models and rules to the session; what still
// panics keeps it in the run, without findings and with the reason.
func (r *Runner) analyse(to target, t *schemas.Transcript) (a *schemas.Analysis) {
	defer func() {
		if p := recover(); p != nil {
			r.o.Log.Error("the analysis of a session panicked", "session_id", t.Meta.SessionID, "panic", p)
			a = &schemas.Analysis{SessionID: t.Meta.SessionID, RunID: to.run, Version: t.Version << 28, Closed: t.Closed, Meta: t.Meta, StartedAt: analyse.StartedAt(t),
				EndedAt: t.EndedAt, Origin: t.Origin, Coverage: append([]schemas.CoverageNote{{What: "analysis", Why: "panic"}}, t.Notes...)}
		}
	}()
	an := to.base
	if to.judge != nil {
		an = an.WithRules(to.judge.rules)
	}
	a = an.Analyse(t)
	a.RunID = to.run
	return a
}

// DryRun judges the sessions of a request and tells what differs from what the views show. It writes nothing.
func (r *Runner) DryRun(ctx context.Context, q Request, zone *time.Location, samples int) (*Report, error) {
	sources := make([]rules.Source, len(q.Packs))
	for i, p := range q.Packs {
		sources[i] = rules.Text(p.Name, []byte(p.YAML))
	}
	set, err := r.o.Live.compile(sources...)
	if err != nil {
		return nil, err
	}
	base, err := r.o.Epoch(ctx, q.Epoch)
	if err != nil {
		return nil, err
	}
	to := target{base: base.WithRules(set)}
	s := newSum(zone, samples)
	s.report.From, s.report.To, s.report.B.DryRun = q.From, q.To, true
	if r.p.Total, err = r.w.CountStarted(ctx, q.From, q.To); err != nil {
		return nil, err
	}
	r.began, r.p.Pass = time.Now(), 1
	in := map[string][]string{"shop": q.Filter.Shop, "channel": q.Filter.Channel, "business": q.Filter.Business, "source": q.Filter.Source}
	err = r.eachRange(ctx, func(ids warehouse.IDRange) error {
		list, err := r.w.PeriodSessions(ctx, q.From, q.To, ids, in)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(list, r.o.Chunk) {
			if err := r.dryChunk(ctx, part, to, s); err != nil {
				return err
			}
			r.o.Progress(r.p)
			if err := r.throttle(ctx, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, r.w)
}

func (r *Runner) dryChunk(ctx context.Context, ids []string, to target, s *sum) error {
	shown, err := r.w.ShownJudged(ctx, ids)
	if err != nil {
		return err
	}
	states, err := r.w.LoadStates(ctx, ids)
	if err != nil {
		return err
	}
	made := make([]*schemas.Analysis, len(ids))
	group := errgroup.Group{}
	group.SetLimit(r.o.Workers)
	for i, id := range ids {
		if states[id] == nil || shown[id] == nil {
			continue
		}
		group.Go(func() error {
			made[i] = r.analyse(to, states[id].Transcript())
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		if made[i] == nil {
			continue
		}
		s.add(shown[id], judged(made[i]))
		s.report.A.Run = max(s.report.A.Run, shown[id].RunID)
		r.p.Done++
		r.p.Turns += len(made[i].Turns)
	}
	return nil
}
