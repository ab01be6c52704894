//go:build faults

package rerun

const worlds = 20
