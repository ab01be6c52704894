// Package backtest runs a draft of a rule pack beside the rules in use over past sessions and tells what would change:
// how often each rule fires, day by day, with samples; scores, flags and agents; and what reviewers decided on the hits.
//
// It writes nothing. The report is a function of the sessions, in their order, and of the two rule sets: it does not
// depend on the number of workers. Memory is bounded by the number of rules, days and agents, not of sessions.
package backtest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Session is one past session.
type Session struct {
	Transcript *schemas.Transcript
	// Decisions are what reviewers decided on hits of the session.
	Decisions []Decision
}

// Decision is a reviewer's last word on a hit: whether it was right.
type Decision struct {
	HitID string
	Right bool
}

// Options of a Run.
type Options struct {
	// Pack is the id of the pack that is drafted: its rules are compared.
	Pack string
	// Live are the rules in use, Draft the same with the draft in the place of its pack.
	Live, Draft *rules.Set
	// Base is the analyser in use; its language stages and its opinions are used with both.
	Base *analyse.Analyser
	// Samples bounds the sessions shown of each rule that fire newly, and that fire no more; 0 = 5.
	Samples int
	// Workers is the number of goroutines; 0 = one a processor.
	Workers int
	// Zone is that of the days; nil = UTC.
	Zone *time.Location
	// Progress is called now and then with the number of sessions done; may be nil.
	Progress func(done int)
}

// chunk is how many sessions are held at once.
const chunk = 256

// Run reads sessions from next until it says false, and compares. An error of next ends it.
func Run(ctx context.Context, o Options, next func(context.Context) (Session, bool, error)) (*Report, error) {
	if o.Live == nil || o.Draft == nil || o.Base == nil {
		return nil, errors.New("backtest: both rule sets and the analyser in use are needed")
	}
	if o.Samples <= 0 {
		o.Samples = 5
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	sum := newSum(&o)
	sessions := make([]Session, 0, chunk)
	results := make([]compared, chunk)
	for more := true; more; {
		sessions = sessions[:0]
		for len(sessions) < chunk {
			s, ok, err := next(ctx)
			if err != nil {
				return nil, err
			}
			if more = ok; !ok {
				break
			}
			sessions = append(sessions, s)
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(o.Workers)
		for i := range sessions {
			group.Go(func() error {
				results[i] = compare(&o, &sessions[i])
				return ctx.Err()
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		for i := range sessions {
			sum.add(&results[i])
			results[i] = compared{}
		}
		if o.Progress != nil && len(sessions) > 0 {
			o.Progress(sum.report.Sessions)
		}
	}
	return sum.finish(), nil
}

// compared is what came of one session.
type compared struct {
	live, draft *schemas.Analysis
	decisions   []Decision
}

// once gives the features of the one session they were made for, so that they are made once for both sets.
type once struct {
	f       *schemas.Features
	version string
}

func (o once) Features(*schemas.Transcript) *schemas.Features { return o.f }
func (o once) ModelVersion() string                           { return o.version }

func compare(o *Options, s *Session) compared {
	base := o.Base.WithFeatures(once{o.Base.Features(s.Transcript), o.Base.ModelVersion()})
	return compared{
		live:      base.WithRules(o.Live).Analyse(s.Transcript),
		draft:     base.WithRules(o.Draft).Analyse(s.Transcript),
		decisions: s.Decisions,
	}
}
