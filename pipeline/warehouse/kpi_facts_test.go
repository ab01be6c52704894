package warehouse

import (
	"testing"
	"time"
)

func TestKPIDayIsDue(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	f := func(what string, d kpiDay, age time.Duration, want bool) {
		t.Helper()
		d.at = now.Add(-age)
		if got := d.due(now); got != want {
			t.Errorf("%s: due %t, want %t", what, got, want)
		}
	}
	f("never made", kpiDay{}, 0, true)
	f("made, nothing changed", kpiDay{made: 1, took: time.Minute}, time.Hour, false)
	f("older than its rows may be", kpiDay{made: 1}, 6*24*time.Hour, true)
	f("changed, quick to make", kpiDay{made: 1, took: 900 * time.Millisecond, stale: true}, 0, true)
	f("changed just now, slow to make", kpiDay{made: 1, took: 5 * time.Second, stale: true}, 99*time.Second, false)
	f("changed a while ago", kpiDay{made: 1, took: 5 * time.Second, stale: true}, 101*time.Second, true)
	f("changed, takes minutes", kpiDay{made: 1, took: 5 * time.Minute, stale: true}, 11*time.Minute, true)
}
