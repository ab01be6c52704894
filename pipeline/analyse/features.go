package analyse

import "github.com/tingke/tingke/schemas"

// Features gives what the rules are asked with, for those who ask them themselves: explanations, backtests. It is pure;
// where the language stages fail it gives neutral features, as Analyse does.
func (a *Analyser) Features(t *schemas.Transcript) *schemas.Features {
	f, _ := a.featuresOf(t) // of a failure Analyse makes a note
	_ = a.assign(f)
	return f
}
