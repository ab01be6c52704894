package rerun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// shareSessions is the number of stored sessions of one task, of the period or not.
const shareSessions = 2_000

// Task is a range of sessions of a run for one worker.
type Task struct {
	Run uint64 `json:"run_id"`
	warehouse.IDRange
	Rate float64 `json:"rate,omitempty"` // turns per second of this worker, 0 for no limit
}

// ParseTask reads a task.
func ParseTask(b []byte) (t Task, err error) {
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("a task of a rerun cannot be read: %w", err)
	}
	if t.Run == 0 || t.Rate < 0 {
		return t, fmt.Errorf("a task of a rerun names run %d and rate %g", t.Run, t.Rate)
	}
	return t, nil
}

// Do judges the sessions of a task that the run does not hold yet. A run that is no longer running needs nothing.
func (r *Runner) Do(ctx context.Context, task Task) (int, error) {
	t, run, err := r.target(ctx, task.Run)
	if err != nil {
		return 0, err
	}
	if run.State != "running" {
		return 0, nil
	}
	if err := sameMakers(run, t); err != nil {
		return 0, err
	}
	behind, err := r.w.Behind(ctx, task.Run, run.From, run.To, task.IDRange)
	if err != nil {
		return 0, err
	}
	r.began, r.o.Rate = time.Now(), task.Rate
	return len(behind), r.bring(ctx, behind, func(*schemas.Transcript) (target, bool) { return t, true }, r.p.Turns, nil)
}

// Sharing says how a run is handed out to workers.
type Sharing struct {
	// Send hands tasks out.
	Send func(context.Context, []Task) error
	// Poll is how often the store is asked how far it is, 0 = 2 s; Again is after how long without progress a task is
	// handed out once more, 0 = 1 min.
	Poll, Again time.Duration
	// Idle is told that nothing has happened for so long; may be nil.
	Idle func(time.Duration)
}

// Share has workers judge every session of a run and returns when it holds all. What is done is seen in the store, so
// workers may die, and this process be killed and started again.
func (r *Runner) Share(ctx context.Context, id uint64, s Sharing) (*warehouse.Run, error) {
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
	if s.Poll <= 0 {
		s.Poll = 2 * time.Second
	}
	if s.Again <= 0 {
		s.Again = time.Minute
	}
	if run.State != "running" {
		run.State = "running"
		if err := r.w.PutRun(ctx, run); err != nil {
			return run, err
		}
	}
	if r.p.Total, err = r.w.CountStarted(ctx, run.From, run.To); err != nil {
		return run, err
	}
	type sent struct {
		at     time.Time
		behind int
	}
	out := map[string]*sent{} // by the start of the range
	moved := time.Now()
	for r.p.Pass = 1; ; r.p.Pass++ {
		left, tasks := 0, []Task{}
		for after := ""; ; {
			ids, more, err := r.w.NextRange(ctx, after, shareSessions)
			if err != nil {
				return run, err
			}
			if !more {
				break
			}
			after = ids.UpTo
			list, err := r.w.Behind(ctx, id, run.From, run.To, ids)
			if err != nil {
				return run, err
			}
			left += len(list)
			o := out[ids.After]
			if o == nil {
				o = &sent{}
				out[ids.After] = o
			}
			if len(list) != o.behind {
				o.behind, moved = len(list), time.Now()
				if !o.at.IsZero() {
					o.at = time.Now() // it is being worked on
				}
			}
			if len(list) > 0 && time.Since(o.at) > s.Again {
				o.at = time.Now()
				tasks = append(tasks, Task{id, ids, r.o.Rate})
			}
			if len(list) == 0 {
				o.at = time.Time{}
			}
		}
		r.p.Done = max(0, r.p.Total-left)
		r.o.Progress(r.p)
		if left == 0 {
			return run, r.Finish(ctx, run)
		}
		if len(tasks) > 0 {
			if err := s.Send(ctx, tasks); err != nil {
				return run, err
			}
		}
		if s.Idle != nil && time.Since(moved) > s.Again {
			s.Idle(time.Since(moved))
		}
		timer := time.NewTimer(s.Poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return run, ctx.Err()
		case <-timer.C:
		}
	}
}
