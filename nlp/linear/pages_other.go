//go:build !linux

package linear

// makeWords gives n zero words.
func makeWords(n int) []uint64 { return make([]uint64, n) }
