package analyse

import "github.com/tingke/tingke/schemas"

// Features gives what the language stages see in a session, for those who ask the rules themselves: explanations,
// backtests. It is pure; where the stages fail it gives neutral features, as Analyse does.
func (a *Analyser) Features(t *schemas.Transcript) *schemas.Features {
	f, _ := a.featuresOf(t) // of a failure Analyse makes a note
	return f
}
