package analyse

// The analyser is immutable; what changes while a process runs (published rules, a newer registry, another dictionary)
// makes a new one from the old one. The old one stays usable for sessions under way.

// WithRules gives an analyser that differs in its rules only.
func (a *Analyser) WithRules(r Rules) *Analyser {
	b := *a
	b.rules = r
	return &b
}

// WithFeatures gives an analyser that differs in its language stages only.
func (a *Analyser) WithFeatures(f Featuriser) *Analyser {
	b := *a
	b.features = f
	return &b
}

// RulesVersion names the rules in use, as each analysis does.
func (a *Analyser) RulesVersion() string { return a.rules.Version() }

// ModelVersion names the models in use, as each analysis does.
func (a *Analyser) ModelVersion() string {
	if a.opinions == nil {
		return a.features.ModelVersion()
	}
	return a.features.ModelVersion() + ",opinions=" + a.opinions.Version()
}
