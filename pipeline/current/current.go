// Package current holds the analyser that a process uses at the moment, and replaces it while sessions are being
// analysed: published rule packs, a newer registry of opinions, a changed dictionary.
//
// An Analyser of this package is what the stream worker, batch and demo are given. Each session is analysed by exactly
// one immutable analyse.Analyser, the one in use when its analysis began. New ones are built off the hot path by the
// goroutine that calls Run; the analysing goroutines only load a pointer.
//
// It must not import the warehouse or the stream: where parts come from is known to the sources.
package current

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/schemas"
)

// DefaultEvery is how often the sources are asked.
const DefaultEvery = 10 * time.Second

// lookTimeout bounds one look of one source, so that a store that hangs holds up neither the other sources nor the end
// of the process.
const lookTimeout = time.Minute

// Change puts a newer part into an analyser: it gives a new one and leaves its argument as it is.
type Change func(*analyse.Analyser) *analyse.Analyser

// Source is a part of the analyser that may change while the process runs.
type Source interface {
	// Name is short and constant, for logs and metrics: "rules", "opinions".
	Name() string
	// Look does all the work of reading and compiling what is newer than what it gave last, and gives nil where nothing
	// is. With an error, what was in use stays; a Change beside an error is taken, the error then says what could not be.
	// The error is kept and reported until a Look gives none, so a source must give it again while it lasts. Look is
	// called by one goroutine at a time.
	Look(context.Context) (Change, error)
}

// Options of an Analyser.
type Options struct {
	Sources []Source
	// Every is how often they are asked; 0 = DefaultEvery.
	Every time.Duration
	// Log is slog.Default() where nil.
	Log *slog.Logger
	// Registerer takes the metrics tingke_analyser_*; nil for none.
	Registerer prometheus.Registerer
}

// Analyser analyses sessions with what is in use. It is safe for concurrent use.
type Analyser struct {
	p       atomic.Pointer[analyse.Analyser]
	o       Options
	metrics *metrics

	looking sync.Mutex // held by Refresh
	mu      sync.Mutex
	status  []Status // of Options.Sources
}

// Status says how one source stands.
type Status struct {
	Source string `json:"source"`
	// Changes is how often a newer part was taken.
	Changes int `json:"changes"`
	// Changed is when the last one was taken, zero for never.
	Changed time.Time `json:"changed,omitzero"`
	// Looked is when the source was last asked.
	Looked time.Time `json:"looked,omitzero"`
	// Error is why the newest part is not in use, "" where it is.
	Error string `json:"error,omitempty"`
}

// New makes an Analyser that uses first until a source gives something newer. It asks no source: Refresh does, and Run.
func New(first *analyse.Analyser, o Options) (*Analyser, error) {
	if o.Every <= 0 {
		o.Every = DefaultEvery
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &Analyser{o: o, status: make([]Status, len(o.Sources))}
	var names []string
	for i, s := range o.Sources {
		a.status[i].Source = s.Name()
		names = append(names, s.Name())
	}
	var err error
	if a.metrics, err = newMetrics(o.Registerer, names); err != nil {
		return nil, err
	}
	a.p.Store(first)
	return a, nil
}

// Analyse analyses one session with the analyser in use now.
func (a *Analyser) Analyse(t *schemas.Transcript) *schemas.Analysis { return a.p.Load().Analyse(t) }

// InUse gives the analyser in use now, for callers that analyse several sessions alike.
func (a *Analyser) InUse() *analyse.Analyser { return a.p.Load() }

// Status says how the sources stand, in their order.
func (a *Analyser) Status() []Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Status(nil), a.status...)
}

// Run asks the sources every Options.Every until ctx is done.
func (a *Analyser) Run(ctx context.Context) {
	if len(a.o.Sources) == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(a.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.Refresh(ctx)
		}
	}
}

// Refresh asks every source once and puts what is newer into use, all of it in one step. It is called before the first
// session, so that a process starts with what is published.
func (a *Analyser) Refresh(ctx context.Context) {
	a.looking.Lock()
	defer a.looking.Unlock()
	old := a.p.Load()
	next := old
	var changed []int
	for i, s := range a.o.Sources {
		change, err := look(ctx, s)
		if ctx.Err() != nil {
			return // the process ends; a source cut short says nothing about its part
		}
		var applied *analyse.Analyser
		if change != nil {
			if applied, err = apply(change, next, err); applied != nil {
				next = applied
				changed = append(changed, i)
			}
		}
		a.note(i, err)
	}
	if next == old {
		return
	}
	a.p.Store(next)
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range changed {
		st := &a.status[i]
		st.Changes++
		st.Changed = now
		a.metrics.swaps.WithLabelValues(st.Source).Inc()
		a.o.Log.Info("a newer part of the analysis is in use", "source", st.Source, "rules", next.RulesVersion(), "models", next.ModelVersion())
	}
}

// note keeps what came of a look and reports what is new about it.
func (a *Analyser) note(i int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := &a.status[i]
	st.Looked = time.Now()
	text := ""
	if err != nil {
		text = err.Error()
		a.metrics.errors.WithLabelValues(st.Source).Inc()
	}
	switch {
	case text == st.Error:
	case text == "":
		a.o.Log.Info("the newest part of the analysis can be used again", "source", st.Source)
	default:
		a.o.Log.Error("the newest part of the analysis cannot be used; what was in use stays", "source", st.Source, "error", text)
	}
	st.Error = text
	failing := 0.0
	if text != "" {
		failing = 1
	}
	a.metrics.failing.WithLabelValues(st.Source).Set(failing)
}

// look keeps a defect of one source from ending the process.
func look(ctx context.Context, s Source) (c Change, err error) {
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("looking for %s failed: %v", s.Name(), p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return s.Look(ctx)
}

func apply(c Change, a *analyse.Analyser, before error) (out *analyse.Analyser, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("cannot put the newest part into use: %v", p)
		}
	}()
	return c(a), before
}
