//go:build race

package mask

func init() { raceEnabled = true }
