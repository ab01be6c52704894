// Package failpoint lets a test kill the process at a named place, as kill -9 would: no deferred call runs, nothing is
// flushed. It is armed by the environment variable TINGKE_FAILPOINT = "name" or "name:n" (at the n-th visit, from 1)
// and costs one comparison otherwise.
//
// It imports nothing of this module, so every package may use it.
package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Env is the environment variable that arms a failpoint.
const Env = "TINGKE_FAILPOINT"

// Name is a place at which the process can be made to die.
type Name string

// The places, in the order in which a message passes them.
const (
	AfterDecode            Name = "after-decode"
	BeforeFlush            Name = "before-flush"
	BeforeDeadLetter       Name = "before-dead-letter-produce"
	AfterDeadLetter        Name = "after-dead-letter-produce" // produced, not yet in the table
	BeforeWrite            Name = "before-write"              // analysed, nothing inserted
	BetweenInserts         Name = "between-inserts"           // analyses inserted, transcripts not
	AfterWriteBeforeCommit Name = "after-write-before-commit"
	AfterCommit            Name = "after-commit"
	OnRebalance            Name = "on-rebalance" // a generation ends, its last flush has not begun
)

// AfterAlertStore is passed where alerts are stored and not yet given to their targets. It is no place of a message's way.
const AfterAlertStore Name = "after-alert-store"

// Places of reruns, which are none of a message's way either.
const (
	BeforeSwitch Name = "before-switch" // the run holds everything, the views still show what they showed
	AfterSwitch  Name = "after-switch"  // the views show the run, what came in between is not judged yet
	RerunWrite   Name = "rerun-write"   // a chunk of sessions is judged, not written
	EraseTable   Name = "erase-table"   // before the rows of a forgotten customer leave the next table
)

// others are the places that Names leaves out.
var others = []Name{AfterAlertStore, BeforeSwitch, AfterSwitch, RerunWrite, EraseTable}

// Names lists all places of a message's way, for a test that walks them.
func Names() []Name {
	return []Name{
		AfterDecode, BeforeFlush, BeforeDeadLetter, AfterDeadLetter, BeforeWrite, BetweenInserts,
		AfterWriteBeforeCommit, AfterCommit, OnRebalance,
	}
}

// armed is read from the environment once, at the first visit or check.
var armed = sync.OnceValues(func() (*point, error) { return parse(os.Getenv(Env)) })

type point struct {
	name  Name
	nth   int64
	visit atomic.Int64
}

func parse(s string) (*point, error) {
	if s == "" {
		return nil, nil
	}
	name, nth, counted := strings.Cut(s, ":")
	p := &point{name: Name(name), nth: 1}
	if !slices.Contains(Names(), p.name) && !slices.Contains(others, p.name) {
		return nil, fmt.Errorf("%s=%q: unknown failpoint; one of %v, optionally with :n", Env, s, slices.Concat(Names(), others))
	}
	if counted {
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s=%q: the visit after the colon must be a number from 1", Env, s)
		}
		p.nth = n
	}
	return p, nil
}

// Check says whether the environment names a failpoint that exists. Programs call it once at start, so that a spelling
// mistake in a test is not a test that passes.
func Check() error {
	_, err := armed()
	return err
}

// Hit kills the process if this failpoint is armed and due. It is safe for concurrent use.
func Hit(name Name) {
	p, err := armed()
	if err != nil || p == nil || p.name != name || p.visit.Add(1) != p.nth {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // the signal is on its way; nothing after this place may run
}
