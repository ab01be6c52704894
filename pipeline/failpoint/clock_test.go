package failpoint

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestClockOffset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	f := func(text string, want time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := clockOffset(path); got != want {
			t.Errorf("%q makes the clock %s wrong, want %s", text, got, want)
		}
	}
	f("5h\n", 5*time.Hour)
	f("-90s", -90*time.Second)
	f("", 0)
	f("tomorrow", 0)
	if got := clockOffset(path + ".missing"); got != 0 {
		t.Errorf("a missing file makes the clock %s wrong", got)
	}
	if d := time.Since(Now()); d < 0 || d > time.Minute {
		t.Errorf("without %s the clock is %s off", ClockEnv, d)
	}
}
