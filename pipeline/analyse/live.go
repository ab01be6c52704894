package analyse

import "github.com/tingke/tingke/schemas"

// liveFeaturiser is a Featuriser that can also take a session turn by turn.
type liveFeaturiser interface {
	Live(schemas.Meta) func(*schemas.TranscriptTurn) schemas.TurnFeatures
}

// Live begins a session that comes turn by turn: each call gives the features of the next turn as the rules are asked
// with them, nil where the language stages fail. The function belongs to one goroutine. It is nil where the language
// stages only take whole sessions.
func (a *Analyser) Live(meta schemas.Meta) func(*schemas.TranscriptTurn) *schemas.TurnFeatures {
	lf, ok := a.features.(liveFeaturiser)
	if !ok {
		return nil
	}
	next := lf.Live(meta)
	return func(turn *schemas.TranscriptTurn) (f *schemas.TurnFeatures) {
		defer func() {
			if recover() != nil {
				f = nil // the analysis of the whole session says what is wrong
			}
		}()
		one := schemas.Features{Turns: []schemas.TurnFeatures{next(turn)}}
		_ = a.assign(&one)
		return &one.Turns[0]
	}
}

// Rules are the rules in use.
func (a *Analyser) Rules() Rules { return a.rules }
