package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tingke/tingke/dashboards/access"
)

// Bounds of jobs.
const (
	jobsAtOnce = 2 // of one kind, of everybody
	jobsKept   = 100
	jobAge     = 24 * time.Hour
)

// Job is long work that goes on after the request that began it.
type Job struct {
	ID     string     `json:"job_id"`
	Kind   string     `json:"kind"`
	Actor  string     `json:"actor"`
	Title  string     `json:"title"`
	State  string     `json:"state" enum:"running,done,failed,cancelled"`
	Done   int        `json:"done" doc:"of total, as far as it is known"`
	Total  int        `json:"total"`
	Began  time.Time  `json:"began"`
	Ended  *time.Time `json:"ended"`
	Error  string     `json:"error,omitempty"`
	Result any        `json:"result,omitempty" doc:"what came of it; only when asked for by its id"`
	cancel context.CancelFunc
}

// jobs are the jobs of this process. They end with it; whoever needs their result for longer keeps it.
type jobs struct {
	mu   sync.Mutex
	list []*Job
	wg   sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc
}

func newJobs() *jobs {
	j := &jobs{}
	j.ctx, j.stop = context.WithCancel(context.Background())
	return j
}

// Close cancels all jobs and waits until they have ended.
func (a *API) Close() {
	a.jobs.stop()
	a.jobs.wg.Wait()
}

// start runs work in the background; identity and audit log are those of the request. Work reports how far it is.
func (a *API) start(r *Request, kind, title string, total int, work func(ctx context.Context, progress func(done int)) (any, error)) (*Job, error) {
	j := a.jobs
	j.mu.Lock()
	defer j.mu.Unlock()
	running := 0
	for _, x := range j.list {
		if x.Kind == kind && x.State == "running" {
			running++
		}
	}
	if running >= jobsAtOnce {
		return nil, Busy("%d of these are running already; try again when one has ended", running)
	}
	if j.ctx.Err() != nil {
		return nil, Unavailable("the server is stopping")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(j.ctx)
	job := &Job{ID: id.String(), Kind: kind, Actor: r.Who.User, Title: title, State: "running", Total: total, Began: time.Now().UTC(), cancel: cancel}
	j.list = slices.DeleteFunc(j.list, func(x *Job) bool { return x.Ended != nil && time.Since(*x.Ended) > jobAge })
	if len(j.list) >= jobsKept {
		if i := slices.IndexFunc(j.list, func(x *Job) bool { return x.State != "running" }); i >= 0 {
			j.list = slices.Delete(j.list, i, i+1)
		}
	}
	j.list = append(j.list, job)
	snapshot := *job
	j.wg.Go(func() {
		defer cancel()
		result, err := runJob(ctx, work, func(done int) {
			j.mu.Lock()
			job.Done = done
			j.mu.Unlock()
		})
		j.mu.Lock()
		defer j.mu.Unlock()
		ended := time.Now().UTC()
		job.Ended, job.Result = &ended, result
		switch {
		case err == nil:
			job.State, job.Done = "done", max(job.Done, job.Total)
		case ctx.Err() != nil:
			job.State = "cancelled"
		default:
			job.State, job.Error = "failed", a.explain(&http.Request{Method: "JOB", URL: r.HTTP.URL}, err).Error()
		}
	})
	return &snapshot, nil
}

// runJob keeps a defect of one job from ending the process.
func runJob(ctx context.Context, work func(context.Context, func(int)) (any, error), progress func(int)) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, Conflict("the work failed: %v", p)
		}
	}()
	return work(ctx, progress)
}

// job finds a job that the caller may see: the own ones, for admins all.
func (a *API) job(r *Request) (*Job, error) {
	for _, x := range a.jobs.list {
		if x.ID == r.PathValue("job_id") && (x.Actor == r.Who.User || r.Who.Is(access.Admin)) {
			return x, nil
		}
	}
	return nil, NotFound("job")
}

func (a *API) jobRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/jobs", Roles: staff, Summary: "The caller's long work, latest first; for admins everybody's",
			Response: Page[Job]{}, Handle: func(r *Request) (any, error) {
				a.jobs.mu.Lock()
				defer a.jobs.mu.Unlock()
				p := &Page[Job]{}
				for _, x := range slices.Backward(a.jobs.list) {
					if x.Actor == r.Who.User || r.Who.Is(access.Admin) {
						c := *x
						c.Result = nil
						p.Items = append(p.Items, c)
					}
				}
				return p, nil
			},
		},
		{
			Method: http.MethodGet, Path: "/jobs/{job_id}", Roles: staff, Summary: "How far it is, and what came of it",
			Response: Job{}, Handle: func(r *Request) (any, error) {
				a.jobs.mu.Lock()
				defer a.jobs.mu.Unlock()
				x, err := a.job(r)
				if err != nil {
					return nil, err
				}
				return *x, nil
			},
		},
		{
			Method: http.MethodDelete, Path: "/jobs/{job_id}", Roles: staff, Summary: "Cancel it",
			Handle: func(r *Request) (any, error) {
				a.jobs.mu.Lock()
				defer a.jobs.mu.Unlock()
				x, err := a.job(r)
				if err != nil {
					return nil, err
				}
				x.cancel()
				return nil, nil
			},
		},
	}
}
