//go:build unix

package engine

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestGoKeepsItsSignals: the library installs no handlers over Go's.
func TestGoKeepsItsSignals(t *testing.T) {
	h := acquire(t, Options{})
	ask(t, h.RoundTripper(), "SELECT 1")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a nil pointer is no panic any more")
			}
		}()
		var e *Engine
		_ = e.opts
	}()
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		c := make(chan os.Signal, 1)
		signal.Notify(c, sig)
		if err := syscall.Kill(os.Getpid(), sig.(syscall.Signal)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c:
		case <-time.After(5 * time.Second):
			t.Errorf("%v does not arrive", sig)
		}
		signal.Stop(c)
	}
}
