//go:build !faults

package rerun

// worlds is the number of worlds of the property test; with the tag faults there are more.
const worlds = 1
