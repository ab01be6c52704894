package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// Target takes alerts. Send is given either one alert or a digest, as JSON and decoded; it returns within its context and
// may be called by several goroutines. An error is tried again unless it is a PermanentError; its text must hold no
// secret.
type Target interface {
	Send(ctx context.Context, d Delivery) error
}

// Delivery is what a target is given: Alert or Digest, the other is nil. Key is the session, "" of a digest.
type Delivery struct {
	ID     string // of the alert, or made of those of the digest
	Key    string
	Body   []byte
	Alert  *Payload
	Digest *Digest
}

// PermanentError is one that sending again does not mend.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

func (e *PermanentError) Unwrap() error { return e.Err }

// BusyError is the answer of a target that wants to be left alone for a while.
type BusyError struct {
	For time.Duration
	Err error
}

func (e *BusyError) Error() string { return e.Err.Error() }

func (e *BusyError) Unwrap() error { return e.Err }

// Lane is a target with its limits. Zero fields take the defaults named.
type Lane struct {
	Name   string
	Target Target
	// PerMinute is how much is sent in any minute, 0 for no limit. One of them is kept for a digest of what is beyond.
	PerMinute int
	Parallel  int           // 1: so many are under way at once
	Queue     int           // 1,000: so many wait; what is beyond is tried again later
	Timeout   time.Duration // 5 s, of one attempt
	// Wants says which alerts go there; nil for all.
	Wants func(*warehouse.Alert) bool
}

// Times of sending.
const (
	giveUp      = 2 * time.Minute // after so long an alert is left to be tried again later
	firstPause  = 500 * time.Millisecond
	lastPause   = 30 * time.Second
	digestAfter = 10 * time.Second // the least age of a digest's first alert
	maxDigest   = 10_000
)

// job is an alert on its way to one or several targets.
type job struct {
	alert   warehouse.Alert
	arrived time.Time
	queued  time.Time
	m       *Manager

	mu     sync.Mutex
	left   int // who has it
	sent   []string
	at     time.Time // when the first target took it
	failed string
}

// errStopping says that the process ends before a target was asked.
var errStopping = errors.New("the process is stopping")

// done notes what came of one target.
func (j *job) done(l *lane, err error) {
	j.mu.Lock()
	switch {
	case err == nil:
		if len(j.sent) == 0 {
			j.at = time.Now().UTC()
		}
		j.sent = append(j.sent, l.o.Name)
		slices.Sort(j.sent)
	case !errors.Is(err, errStopping):
		j.failed = l.o.Name + ": " + err.Error()
	}
	j.mu.Unlock()
	if r, last := j.release(); last || err == nil {
		j.m.results <- r
	}
}

// release lets go of the job and gives what came of it so far; last says that nobody has it any more.
func (j *job) release() (r result, last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.left--
	return result{id: j.alert.AlertID, sent: slices.Clone(j.sent), at: j.at, failed: j.failed, last: j.left == 0}, j.left == 0
}

// lane sends to one target. Its queue is bounded; a target that is slow or fails holds up nobody else.
type lane struct {
	o     Lane
	m     *Manager
	queue chan *job
	ended sync.Once
	slots chan struct{}
}

func newLane(o Lane, m *Manager) *lane {
	defaultTo(&o.Parallel, 1)
	defaultTo(&o.Queue, 1000)
	defaultTo(&o.Timeout, 5*time.Second)
	return &lane{o: o, m: m, queue: make(chan *job, o.Queue), slots: make(chan struct{}, o.Parallel)}
}

var errQueueFull = errors.New("the queue of the target is full")

// offer says whether the queue took the job; it never waits.
func (l *lane) offer(j *job) bool {
	j.mu.Lock()
	j.left++
	j.mu.Unlock()
	select {
	case l.queue <- j:
		return true
	default:
		j.mu.Lock()
		j.left--
		j.mu.Unlock()
		l.m.metrics.dropped.WithLabelValues(l.o.Name).Inc()
		return false
	}
}

func (l *lane) close() { l.ended.Do(func() { close(l.queue) }) }

// run sends until the queue is closed and empty, or ctx is done.
func (l *lane) run(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	rate := limiter{max: l.o.PerMinute}
	var held []*job
	var since time.Time // of the first of held
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	start := func(jobs []*job) bool {
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			fail(l, jobs, errStopping)
			return false
		}
		rate.use(time.Now())
		sending.Go(func() {
			defer func() { <-l.slots }()
			l.deliver(ctx, jobs)
		})
		return true
	}
	for {
		var due <-chan time.Time
		if len(held) > 0 {
			at := rate.free(time.Now(), 0)
			if least := since.Add(digestAfter); at.Before(least) {
				at = least
			}
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			fail(l, held, errStopping)
			for {
				select {
				case j, ok := <-l.queue:
					if !ok {
						return
					}
					j.done(l, errStopping)
				default:
					return
				}
			}
		case j, ok := <-l.queue:
			switch now := time.Now(); {
			case !ok:
				if len(held) > 0 {
					start(held)
				}
				return
			case len(held) == 0 && !rate.free(now, 1).After(now):
				start([]*job{j})
			case len(held) >= maxDigest:
				l.m.metrics.dropped.WithLabelValues(l.o.Name).Inc()
				j.done(l, errQueueFull)
			default:
				if len(held) == 0 {
					since = now
				}
				held = append(held, j)
			}
		case <-due:
			jobs := held
			held = nil
			start(jobs)
		}
	}
}

func fail(l *lane, jobs []*job, err error) {
	for _, j := range jobs {
		j.done(l, err)
	}
}

// limiter counts what was sent in the last minute.
type limiter struct {
	max  int // 0 for no limit
	sent []time.Time
}

func (r *limiter) use(now time.Time) {
	if r.max > 0 {
		r.sent = append(r.sent, now)
		if n := len(r.sent) - r.max; n > 0 {
			r.sent = append(r.sent[:0], r.sent[n:]...)
		}
	}
}

// free is when something may be sent so that reserve more may be in the same minute.
func (r *limiter) free(now time.Time, reserve int) time.Time {
	n := len(r.sent) - (r.max - reserve)
	if r.max == 0 || n < 0 {
		return now
	}
	return r.sent[n].Add(time.Minute)
}

// deliver sends one alert, or several as a digest, until it is taken or given up.
func (l *lane) deliver(ctx context.Context, jobs []*job) {
	d := l.delivery(jobs)
	began := jobs[0].queued // while a target is away those behind get one attempt each
	for attempt := 0; ; attempt++ {
		err := l.attempt(ctx, d)
		if err == nil {
			l.m.metrics.sent.WithLabelValues(l.o.Name).Add(float64(len(jobs)))
			if d.Digest != nil {
				l.m.metrics.digests.WithLabelValues(l.o.Name).Inc()
			}
			for _, j := range jobs {
				l.m.metrics.latency.WithLabelValues(l.o.Name).Observe(time.Since(j.arrived).Seconds())
				j.done(l, nil)
			}
			return
		}
		wait := min(lastPause, firstPause<<min(attempt, 8))
		wait = wait/2 + rand.N(wait/2+1)
		var busy *BusyError
		if errors.As(err, &busy) {
			wait = max(wait, busy.For)
		}
		var permanent *PermanentError
		if errors.As(err, &permanent) || time.Since(began)+wait > giveUp || pause(ctx, wait) != nil {
			l.m.metrics.failed.WithLabelValues(l.o.Name).Add(float64(len(jobs)))
			l.m.o.Log.Error("a target does not take alerts", "target", l.o.Name, "alerts", len(jobs), "attempts", attempt+1, "error", err)
			if ctx.Err() != nil {
				err = errStopping
			}
			fail(l, jobs, err)
			return
		}
		l.m.metrics.retries.WithLabelValues(l.o.Name).Inc()
	}
}

// attempt keeps a defect of a target, or one that does not return, from holding the lane for good.
func (l *lane) attempt(ctx context.Context, d Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PermanentError{fmt.Errorf("sending failed: %v", p)}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	return l.o.Target.Send(ctx, d)
}

func (l *lane) delivery(jobs []*job) Delivery {
	if len(jobs) == 1 {
		a := &jobs[0].alert
		p := l.m.o.payloadOf(a)
		return Delivery{ID: a.AlertID, Key: a.SessionID, Body: []byte(a.Payload), Alert: &p}
	}
	d := &Digest{Schema: Schema, Type: "digest", Count: len(jobs), ByRule: map[string]int{}}
	names := map[string]int{}
	for _, j := range jobs {
		a := &j.alert
		d.ByRule[a.RuleID]++
		names[orID(a.Title, a.RuleID)]++
		d.AlertIDs = append(d.AlertIDs, a.AlertID)
		if len(d.Alerts) < digestShows {
			d.Alerts = append(d.Alerts, l.m.o.payloadOf(a))
		}
		if d.From.IsZero() || a.At.Before(d.From) {
			d.From = a.At.UTC()
		}
		if a.At.After(d.To) {
			d.To = a.At.UTC()
		}
	}
	d.Text = fmt.Sprintf("%d more alerts: %s", d.Count, tally(names))
	b, err := json.Marshal(d)
	if err != nil { // a value of these types always encodes
		panic(err)
	}
	return Delivery{ID: ID("digest", "", strings.Join(d.AlertIDs, ",")), Body: b, Digest: d}
}

func orID(title, id string) string {
	if title == "" {
		return id
	}
	return title
}

// tally writes counts, the greatest first.
func tally(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for n := range counts {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		if counts[names[i]] != counts[names[j]] {
			return counts[names[i]] > counts[names[j]]
		}
		return names[i] < names[j]
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, counts[n])
	}
	return strings.Join(names, ", ")
}
