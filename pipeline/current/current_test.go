package current

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/schemas"
)

// part stands for rules and models alike: its version is all that an analysis shows of it.
type part string

func (p part) Version() string      { return string(p) }
func (p part) ModelVersion() string { return string(p) }
func (p part) Features(t *schemas.Transcript) *schemas.Features {
	return &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns))}
}
func (p part) Evaluate(*schemas.Transcript, *schemas.Features) schemas.Findings {
	return schemas.Findings{}
}

// source gives what its function says.
type source struct {
	name string
	look func() (Change, error)
}

func (s source) Name() string                         { return s.name }
func (s source) Look(context.Context) (Change, error) { return s.look() }

func rulesTo(v part) Change {
	return func(a *analyse.Analyser) *analyse.Analyser { return a.WithRules(v) }
}

func modelsTo(v part) Change {
	return func(a *analyse.Analyser) *analyse.Analyser { return a.WithFeatures(v) }
}

func newAnalyser(t *testing.T, o Options) *Analyser {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, err := New(analyse.New(part("m0"), part("r0"), nil), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func versions(a *Analyser) string {
	got := a.Analyse(&schemas.Transcript{})
	return got.RulesVersion + " " + got.ModelVersion
}

func TestRefresh(t *testing.T) {
	f := func(name, wantVersions, wantErrors string, looks ...func() (Change, error)) {
		t.Helper()
		var o Options
		for i, look := range looks {
			o.Sources = append(o.Sources, source{string(rune('a' + i)), look})
		}
		a := newAnalyser(t, o)
		a.Refresh(t.Context())
		var errs []string
		for _, s := range a.Status() {
			if s.Looked.IsZero() {
				t.Errorf("%s: source %s was not asked", name, s.Source)
			}
			errs = append(errs, s.Error)
		}
		if got := versions(a); got != wantVersions {
			t.Errorf("%s: in use %q, want %q", name, got, wantVersions)
		}
		if got := strings.Join(errs, "|"); got != wantErrors {
			t.Errorf("%s: errors %q, want %q", name, got, wantErrors)
		}
	}
	nothing := func() (Change, error) { return nil, nil }
	f("no source", "r0 m0", "")
	f("nothing new", "r0 m0", "", nothing)
	f("one new", "r1 m0", "|", func() (Change, error) { return rulesTo("r1"), nil }, nothing)
	f("both new", "r1 m1", "|", func() (Change, error) { return rulesTo("r1"), nil }, func() (Change, error) { return modelsTo("m1"), nil })
	f("one fails, the other is taken", "r0 m1", "no store|", func() (Change, error) { return nil, errors.New("no store") }, func() (Change, error) { return modelsTo("m1"), nil })
	f("a part of it is taken", "r1 m0", "pack x is broken", func() (Change, error) { return rulesTo("r1"), errors.New("pack x is broken") })
	f("a source panics", "r0 m1", "looking for a failed: boom|", func() (Change, error) { panic("boom") }, func() (Change, error) { return modelsTo("m1"), nil })
	f("a change panics", "r0 m1", "cannot put the newest part into use: boom|",
		func() (Change, error) { return func(*analyse.Analyser) *analyse.Analyser { panic("boom") }, nil },
		func() (Change, error) { return modelsTo("m1"), nil })
}

// value gives the one value of a metric.
func value(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric(); f.GetName() == name && len(m) == 1 {
			return m[0].GetGauge().GetValue() + m[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestReasonIsKeptAndReportedOnce: a source that keeps failing is in the status and the metrics all the time, in the
// log when it begins, when its reason changes and when it ends.
func TestReasonIsKeptAndReportedOnce(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	errs := []error{errors.New("broken"), errors.New("broken"), errors.New("worse"), nil, nil}
	i := 0
	a := newAnalyser(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Registerer: registry,
		Sources: []Source{source{"rules", func() (Change, error) { i++; return nil, errs[i-1] }}}})
	for _, e := range errs {
		a.Refresh(t.Context())
		want := ""
		failing := 0.0
		if e != nil {
			want, failing = e.Error(), 1
		}
		if got := a.Status()[0].Error; got != want {
			t.Errorf("look %d: status %q, want %q", i, got, want)
		}
		if got := value(t, registry, "tingke_analyser_source_failing"); got != failing {
			t.Errorf("look %d: failing %v, want %v", i, got, failing)
		}
	}
	if got := value(t, registry, "tingke_analyser_source_errors_total"); got != 3 {
		t.Errorf("%v errors counted, want 3", got)
	}
	for text, want := range map[string]int{"error=broken": 1, "error=worse": 1, "can be used again": 1} {
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is %d times in the log, want %d:\n%s", text, got, want, log.String())
		}
	}
}

// TestRun: the sources are asked at the interval, by a goroutine that ends with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		a := newAnalyser(t, Options{Every: 10 * time.Second, Sources: []Source{source{"rules", func() (Change, error) {
			n++
			return rulesTo(part("r" + string(rune('0'+n)))), nil
		}}}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		time.Sleep(9 * time.Second)
		if got := versions(a); got != "r0 m0" {
			t.Errorf("after 9 s: %s", got)
		}
		time.Sleep(16 * time.Second)
		if got := versions(a); got != "r2 m0" {
			t.Errorf("after 25 s: %s", got)
		}
		stop()
		<-done
	})
}

// TestOneAnalyserASession: whatever is swapped meanwhile, the parts of one analysis belong together.
func TestOneAnalyserASession(t *testing.T) {
	n := 0
	a := newAnalyser(t, Options{Sources: []Source{source{"both", func() (Change, error) {
		n++
		v := strings.Repeat("x", n%50)
		return func(a *analyse.Analyser) *analyse.Analyser {
			return a.WithRules(part("r" + v)).WithFeatures(part("m" + v))
		}, nil
	}}}})
	a.Refresh(t.Context())
	var running sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := a.Analyse(&schemas.Transcript{})
				if got.RulesVersion[1:] != got.ModelVersion[1:] {
					t.Errorf("rules %s with models %s", got.RulesVersion, got.ModelVersion)
					return
				}
			}
		})
	}
	for range 2000 {
		a.Refresh(t.Context())
	}
	close(stop)
	running.Wait()
}

// TestTheEndIsNoFailure: a look that the end of the process cuts short is not reported, and changes nothing.
func TestTheEndIsNoFailure(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	a := newAnalyser(t, Options{Sources: []Source{
		source{"first", func() (Change, error) { stop(); return rulesTo("r1"), context.Canceled }},
		source{"second", func() (Change, error) { t.Error("asked after the end"); return nil, nil }},
	}})
	a.Refresh(ctx)
	if got := versions(a); got != "r0 m0" || a.Status()[0].Error != "" {
		t.Errorf("in use %s, status %+v", got, a.Status())
	}
}
