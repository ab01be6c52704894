package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/stream"
)

// ruleStore is what is published in the store beside the packs of the configuration.
func (a *app) ruleStore(s *store) (*rulestore.Store, error) {
	r, err := rulestore.New(s.Warehouse, a.config.Rules.Packs, a.loadRules)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return r, nil
}

// currentAnalyser makes the analyser of a process that has a store: what is published there is in use from the first
// session on, and, while Run of the result runs, from refresh_every after it was published. Packs named on the command
// line stay as they are.
func (a *app) currentAnalyser(ctx context.Context, s *store, packs []string, registry prometheus.Registerer) (*current.Analyser, error) {
	words, err := a.newDictionaries()
	if err != nil {
		return nil, err
	}
	base, err := a.newAnalyser(packs)
	if err != nil {
		return nil, err
	}
	sources, err := a.sources(s, base, packs)
	if err != nil {
		return nil, err
	}
	if words != nil {
		sources = append(sources, words)
	}
	c, err := current.New(base, current.Options{Sources: sources, Every: a.config.RefreshEvery, Log: a.log, Registerer: registry})
	if err != nil {
		return nil, err
	}
	c.Refresh(ctx)
	return c, nil
}

// sources are the parts of the analyser that may change while a process runs.
func (a *app) sources(s *store, base *analyse.Analyser, packs []string) ([]current.Source, error) {
	var out []current.Source
	if len(packs) == 0 {
		published, err := a.ruleStore(s)
		if err != nil {
			return nil, err
		}
		out = append(out, published.Source(base.RulesVersion()))
	}
	m, err := a.opinionModel()
	if err != nil {
		return nil, err
	}
	return append(out, opinions.NewSource(s.Warehouse, m)), nil
}

// worker is the stream worker with the analyser that it uses, which is renewed while it runs.
type worker struct {
	*stream.Worker
	analyser *current.Analyser
	opinions *opinions.Keeper
	alerts   *alerts // nil where they are turned off
	runs     *rerun.Runner
	// shares takes shares of reruns until its context is done.
	shares func(context.Context)
	// rebuildEvery is how often the opinions are rebuilt, 0 for never.
	rebuildEvery time.Duration
	log          *slog.Logger
}

// Run runs the worker, and beside it looks for newer rules and opinions and rebuilds the opinions, until ctx is done or the worker gives up.
func (w *worker) Run(ctx context.Context) error {
	looking, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { w.analyser.Run(looking) })
	running.Go(func() { rebuildOpinions(looking, w.opinions, w.rebuildEvery, w.log) })
	running.Go(func() { repairRuns(looking, w.runs, repairLook, w.log) })
	running.Go(func() { w.shares(looking) })
	var alerting sync.WaitGroup
	alertsCtx, stopAlerts := context.WithCancel(context.Background())
	if w.alerts != nil {
		alerting.Go(func() { w.alerts.Run(alertsCtx) })
	}
	err := w.Worker.Run(ctx)
	stopAlerts() // after the worker: its last flush still decides some
	alerting.Wait()
	if w.alerts != nil {
		err = errors.Join(err, w.alerts.close())
	}
	stop()
	running.Wait()
	return err
}

// Status is what /status shows.
func (w *worker) Status() any {
	u := w.analyser.InUse()
	return struct {
		RulesVersion string           `json:"rules_version"`
		ModelVersion string           `json:"model_version"`
		Epoch        uint32           `json:"epoch"`
		Sources      []current.Status `json:"sources"`
		Counts       stream.Counts    `json:"counts"`
	}{u.RulesVersion(), u.ModelVersion(), u.Epoch(), w.analyser.Status(), w.Counts()}
}
