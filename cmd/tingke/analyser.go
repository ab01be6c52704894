package main

import (
	"github.com/tingke/tingke/nlp"
	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/textnorm"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/rules"
)

// newNLP makes the configured language stages.
func (a *app) newNLP() (*nlp.Analyser, error) {
	an, err := nlp.New(nlp.Options{UserDict: a.config.NLP.UserDict, Products: a.config.NLP.Products, CacheEntries: a.config.NLP.CacheEntries})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return an, nil
}

// newRules loads rule packs: those named, else those of the configuration.
func (a *app) newRules(packs []string) (*rules.Set, error) {
	if len(packs) == 0 {
		packs = a.config.Rules.Packs
	}
	sources := make([]rules.Source, len(packs))
	for i, p := range packs {
		sources[i] = rules.Find(p)
	}
	set, err := a.loadRules(sources...)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return set, nil
}

// loadRules compiles packs; their words are normalised as the texts are, so that a pack may be written in traditional
// characters or full width. Texts are compared by meaning with the configured encoder.
func (a *app) loadRules(sources ...rules.Source) (*rules.Set, error) {
	enc, err := a.newEncoder()
	if err != nil {
		return nil, err
	}
	return rules.LoadWith(rules.Options{Normalise: func(s string) string { return textnorm.Normalise(s).Text }, Encoder: enc}, sources...)
}

// newAnalyser joins the language stages and the rules to the pure function that analyses sessions.
func (a *app) newAnalyser(packs []string) (*analyse.Analyser, error) {
	set, err := a.newRules(packs)
	if err != nil {
		return nil, err
	}
	an, err := a.newNLP()
	if err != nil {
		return nil, err
	}
	return analyse.New(an, set, a.config.Departments), nil
}

// masker masks messages with the deployment's key.
func (a *app) masker(key []byte) assemble.Masker { return mask.New(key, mask.Options{}).Message }
