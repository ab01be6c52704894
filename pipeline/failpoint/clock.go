package failpoint

import (
	"os"
	"strings"
	"sync"
	"time"
)

// ClockEnv is the environment variable that makes the wall clock of the process wrong: it names a file that holds how
// much, such as -3h. The file may change while the process runs, so that the clock jumps.
const ClockEnv = "TINGKE_CLOCK"

// clockFile is read from the environment once, at the first look at the clock.
var clockFile = sync.OnceValue(func() string { return os.Getenv(ClockEnv) })

// Now is time.Now, as wrong as ClockEnv says. Times that are compared with those of other machines come from here; what
// is only measured within the process does not: there Go's clock is monotonic and does not jump. It is safe for
// concurrent use.
func Now() time.Time {
	path := clockFile()
	if path == "" {
		return time.Now()
	}
	return time.Now().Add(clockOffset(path))
}

// clockOffset is 0 while the file cannot be read, which a test that writes it anew may hit.
func clockOffset(path string) time.Duration {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	d, err := time.ParseDuration(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return d
}
