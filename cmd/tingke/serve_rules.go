package main

import (
	"context"
	"sync"

	"github.com/tingke/tingke/dashboards/api"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/current"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/rules"
)

// judging is what the API explains and tries rules with, and changes opinions by.
type judging struct {
	analyser *current.Analyser
	keeper   *opinions.Keeper
}

// newJudging makes it for a process without a worker. It looks for newer rules and opinions until the function that is
// given back is called.
func (a *app) newJudging(ctx context.Context, s *store) (*judging, func(), error) {
	an, err := a.currentAnalyser(ctx, s, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	k, err := a.keeper(s, an.InUse)
	if err != nil {
		return nil, nil, err
	}
	looking, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { an.Run(looking) })
	return &judging{an, k}, func() {
		stop()
		running.Wait()
	}, nil
}

// options puts it into those of the API.
func (j *judging) options(a *app, s *store) (func(*api.Options), error) {
	packs, err := a.ruleStore(s)
	if err != nil {
		return nil, err
	}
	enc, err := a.newEncoder()
	if err != nil {
		return nil, err
	}
	model, err := a.opinionModel()
	if err != nil {
		return nil, err
	}
	key, err := a.deploymentKey(false)
	if err != nil {
		return nil, err
	}
	return func(o *api.Options) {
		o.Rules, o.Analyser, o.Sources = packs, j.analyser.InUse, j.analyser.Status
		o.RuleOptions = rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }, Encoder: enc}
		o.Opinions, o.OpinionModel, o.Mask = j.keeper, model, a.masker(key)
	}, nil
}
