//go:build slow

package warehouse

import "testing"

// TestSlowKPIEqualsOracle: 500 worlds, every view, every profile.
func TestSlowKPIEqualsOracle(t *testing.T) { checkKPIWorlds(t, 500, 250, true) }

// TestSlowKPIByHand: what the paper says is in the public views themselves, in every profile.
func TestSlowKPIByHand(t *testing.T) {
	checkKPIByHand(t, func(string, string) bool { return true })
}

// TestSlowOrdersAndRatingsDoNotDependOnArrival compares every view in every order of arrival.
func TestSlowOrdersAndRatingsDoNotDependOnArrival(t *testing.T) { checkOrdersAndRatings(t, 6, 6) }
