package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// benchAllResult is what `bench all --json` prints: the results of the other benchmarks, those that were asked for.
type benchAllResult struct {
	Pipeline   *benchResult       `json:"pipeline,omitempty"`
	Stages     *benchStagesResult `json:"stages,omitempty"`
	Rules      *benchRulesResult  `json:"rules,omitempty"`
	Opinions   *opinionsBench     `json:"opinions,omitempty"`
	Alerts     *benchAlertsResult `json:"alerts,omitempty"`
	Dashboards *dashboardsBench   `json:"dashboards,omitempty"`
	// Load is that of the machine before each section, by its name: 1, 5 and 15 minutes.
	Load     map[string]string `json:"load"`
	Seconds  float64           `json:"seconds"`
	Problems map[string]string `json:"problems,omitempty"` // sections that failed, by name
}

type benchAllOptions struct {
	only        []string
	pipeline    benchOptions
	rules       benchRulesOptions
	alerts      benchAlertsOptions
	dashboards  dashboardsBenchOptions
	opinions    []int
	opinionsFor time.Duration
	seed        uint64
}

var benchSections = []string{"pipeline", "stages", "rules", "opinions", "alerts", "dashboards"}

func (a *app) benchAllCommand() *cobra.Command {
	o := benchAllOptions{}
	c := &cobra.Command{
		Use:   "all",
		Short: "Every benchmark in one run",
		Long: "Runs the other benchmarks one after the other, each as its own command would with these flags: pipeline (floor, full path,\n" +
			"ratio, memory over time), stages (cost of each stage, rate of inserts), rules, opinions, alerts (latency), dashboards\n" +
			"(queries of the web app, over a store that is kept in DIR/bench-dashboards). What a busy machine does to the clock is\n" +
			"told by the load before each section; processor times stand beside. Exit status 1 when a section failed.",
		Example: "  tingke bench all --json\n  tingke bench all --dashboard-turns 10000000\n  tingke bench all --only pipeline,stages --sessions 2000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range o.only {
				if !slices.Contains(benchSections, name) {
					return usagef("--only %s: sections are %s", name, strings.Join(benchSections, ", "))
				}
			}
			o.pipeline.seed, o.rules.seed, o.alerts.seed, o.dashboards.seed = o.seed, o.seed, o.seed, o.seed
			r, err := a.benchAll(c.Context(), o)
			if err != nil {
				return err
			}
			out := json.NewEncoder(a.out)
			if !a.json {
				out.SetIndent("", "  ")
			}
			if err := out.Encode(r); err != nil {
				return err
			}
			if len(r.Problems) > 0 {
				return findingsf("sections failed: %v", r.Problems)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.only, "only", nil, "sections, of "+strings.Join(benchSections, ", ")+" (all)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything that is generated")
	f.IntVar(&o.pipeline.sessions, "sessions", 6000, "pipeline: sessions a round; stages and rules take a quarter and a half of them")
	f.IntVar(&o.pipeline.rounds, "rounds", 3, "pipeline and stages: rounds")
	f.IntVar(&o.pipeline.rules, "rules", 200, "pipeline and stages: generated rules, beside the standard pack")
	f.IntSliceVar(&o.rules.sizes, "rule-sizes", []int{10, 100, 1_000}, "rules: numbers of rules")
	f.IntVar(&o.rules.rounds, "rule-rounds", 15, "rules: rounds, each with every size")
	f.IntSliceVar(&o.opinions, "opinion-sizes", opinionsBenchSizes, "opinions: numbers of opinions")
	f.DurationVar(&o.opinionsFor, "opinion-round", time.Second, "opinions: length of a round")
	f.IntVar(&o.alerts.rate, "alert-rate", 500, "alerts: turns a second")
	f.IntVar(&o.alerts.seconds, "alert-seconds", 40, "alerts: how long, after a start of 5 s that is not counted")
	f.IntVar(&o.alerts.background, "alert-background", 20_000, "alerts: sessions stored before")
	f.IntVar(&o.dashboards.turns, "dashboard-turns", 1_000_000, "dashboards: turns in the store, about")
	f.IntVar(&o.dashboards.clients, "dashboard-clients", 8, "dashboards: clients at once")
	f.IntVar(&o.dashboards.requests, "dashboard-requests", 16, "dashboards: requests of each query")
	o.alerts.every = 25
	return c
}

// benchAll runs the sections; one that fails is reported and the others run.
func (a *app) benchAll(ctx context.Context, o benchAllOptions) (*benchAllResult, error) {
	r := &benchAllResult{Load: map[string]string{}, Problems: map[string]string{}}
	began := time.Now()
	var err error
	sections := map[string]func(){
		"pipeline": func() { r.Pipeline, err = a.benchPipeline(ctx, o.pipeline) },
		"stages": func() {
			r.Stages, err = a.benchStages(ctx, benchStagesOptions{
				sessions: max(1, o.pipeline.sessions/4), rounds: o.pipeline.rounds, rules: o.pipeline.rules, seed: o.seed,
			})
		},
		"rules": func() {
			o.rules.sessions = max(1, o.pipeline.sessions/2)
			r.Rules, err = a.benchRules(o.rules)
		},
		"opinions":   func() { r.Opinions, err = a.benchOpinions(o.opinionsFor, o.seed, o.opinions) },
		"alerts":     func() { r.Alerts, err = a.benchAlerts(ctx, o.alerts) },
		"dashboards": func() { r.Dashboards, err = a.benchDashboards(ctx, o.dashboards) },
	}
	for _, name := range benchSections {
		if len(o.only) > 0 && !slices.Contains(o.only, name) {
			continue
		}
		a.progress("bench %s", name)
		r.Load[name] = loadAverage()
		resetPeakRSS()
		err = nil
		if sections[name](); err != nil {
			r.Problems[name] = err.Error()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// resetPeakRSS makes peakRSS count from now on. Where the system does not allow it, the peak is that of all sections so far.
func resetPeakRSS() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
