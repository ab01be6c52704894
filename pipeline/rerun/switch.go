package rerun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// Switched says what a switch did.
type Switched struct {
	// Runs are the runs shown for the parts of the period now, in order of time.
	Runs []warehouse.Switch `json:"-"`
	From time.Time          `json:"from"`
	To   time.Time          `json:"to"`
	// Caught are the sessions that got messages since the run was done and were judged before the switch, or right after.
	Caught int `json:"caught_up"`
}

// Switch makes a run the one that the views show for the sessions that start in its period. What came since the run was
// done is judged first; the switch itself is one insert, so that views show all of it or nothing. It may be killed at any
// moment and be called again.
func (r *Runner) Switch(ctx context.Context, id uint64, actor string) (*Switched, error) {
	if id == 0 {
		return nil, errors.New("run 0 is the live one; --back takes switches back")
	}
	var out *Switched
	err := r.held(ctx, leaseRuns, leaseWait, func(ctx context.Context) error {
		_, run, err := r.target(ctx, id)
		if err != nil {
			return err
		}
		if run.State != "done" {
			return fmt.Errorf("run %d is %s, only a run that is done can be shown; go on with: tingke rerun --run %d", id, run.State, id)
		}
		pieces := []warehouse.Switch{{RunID: id, From: run.From, To: run.To, Actor: actor}}
		out, err = r.show(ctx, pieces)
		return err
	})
	return out, err
}

// ErrNothingToTakeBack: no switch stands.
var ErrNothingToTakeBack = errors.New("no switch stands that could be taken back")

// Back takes the latest switch back that stands: the views show for its period what they showed before, with what came
// since.
func (r *Runner) Back(ctx context.Context, actor string) (*Switched, error) {
	var out *Switched
	err := r.held(ctx, leaseRuns, leaseWait, func(ctx context.Context) error {
		all, err := r.w.Switches(ctx)
		if err != nil {
			return err
		}
		standing := all.Standing()
		if len(standing) == 0 {
			return ErrNothingToTakeBack
		}
		last := standing[0]
		pieces := standing[1:].Pieces(last.From, last.To)
		for i := range pieces {
			pieces[i].Actor, pieces[i].Undoes = actor, last.At
		}
		out, err = r.show(ctx, pieces)
		return err
	})
	return out, err
}

// show brings the runs of the pieces up to date, switches to them and looks once more for what came in between.
func (r *Runner) show(ctx context.Context, pieces []warehouse.Switch) (*Switched, error) {
	out := &Switched{Runs: pieces, From: pieces[0].From, To: pieces[len(pieces)-1].To}
	catch := func() error {
		for _, p := range pieces {
			t, _, err := r.target(ctx, p.RunID)
			if err != nil {
				return err
			}
			n, err := r.catchUp(ctx, t, p.From, p.To, nil)
			out.Caught += n
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := catch(); err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.BeforeSwitch)
	if err := r.w.SwitchRuns(ctx, pieces); err != nil {
		return nil, fmt.Errorf("cannot switch: %w", err)
	}
	failpoint.Hit(failpoint.AfterSwitch)
	if err := r.o.Live.Refresh(ctx); err != nil {
		return out, err
	}
	if err := catch(); err != nil {
		return out, fmt.Errorf("the switch is made, but not all that came meanwhile is judged (the worker does that, and tingke doctor counts it): %w", err)
	}
	return out, nil
}

// CountStragglers counts the sessions whose shown run does not hold what is known of them: those that were being written
// when something was killed between a switch and the look after it.
func CountStragglers(ctx context.Context, w *warehouse.Warehouse) (int, error) {
	n := 0
	r := &Runner{w: w}
	err := r.eachRange(ctx, func(ids warehouse.IDRange) error {
		list, err := w.Stragglers(ctx, ids)
		n += len(list)
		return err
	})
	return n, err
}

// Repair judges and writes the sessions whose shown run does not hold what is known of them, and removes what a writer that
// was killed has left of forgotten customers. It gives the number of sessions.
func (r *Runner) Repair(ctx context.Context) (int, error) {
	k, err := r.o.Live.refresh(ctx)
	if err != nil {
		return 0, err
	}
	n, err := r.o.Live.sweep(ctx, k)
	if err != nil || len(k.switches) == 0 {
		return n, err
	}
	err = r.eachRange(ctx, func(ids warehouse.IDRange) error {
		list, err := r.w.Stragglers(ctx, ids)
		if err != nil {
			return err
		}
		n += len(list)
		return r.bring(ctx, list, func(t *schemas.Transcript) (target, bool) {
			run := k.run(t)
			j := k.judges[run]
			base := r.o.Live.base()
			if j != nil && j.filter.Match(&t.Meta) {
				return target{run, base.WithRules(j.rules), nil}, true
			}
			return target{run, base, nil}, true
		}, r.p.Turns, nil)
	})
	return n, err
}

// repairEvery is how often stragglers are looked for where neither a switch nor a tombstone was made.
const repairEvery = time.Hour

// RepairDue is Repair where it has not been done by this Runner since the last switch or tombstone, or for an hour. Of
// several processes one does it; the others get ErrBusy and try again at their next call.
func (r *Runner) RepairDue(ctx context.Context) (n int, err error) {
	marks, err := r.w.Marks(ctx)
	if err != nil {
		return 0, err
	}
	if marks == r.repaired.marks && time.Since(r.repaired.at) < repairEvery {
		return 0, nil
	}
	err = r.held(ctx, leaseRepair, 0, func(ctx context.Context) error {
		n, err = r.Repair(ctx)
		return err
	})
	if err == nil {
		r.repaired.marks, r.repaired.at = marks, time.Now()
	}
	return n, err
}
