//go:build race

package nlp

func init() { raceEnabled = true }
