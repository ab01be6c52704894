package segment

import (
	"runtime"
	"testing"
	"time"
)

// TestForgottenSegmenterGivesItsMemoryBack: a segmenter that nobody closed lets its dictionary go with itself.
func TestForgottenSegmenterGivesItsMemoryBack(t *testing.T) {
	alive := func() int {
		engines.Lock()
		defer engines.Unlock()
		return len(engines.m)
	}
	before := alive()
	s, err := New(Options{Words: []string{"无人认领的词"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Version() == "" || alive() != before+1 {
		t.Fatalf("version %q, %d dictionaries after %d", s.Version(), alive(), before)
	}
	s = nil
	for range 200 {
		runtime.GC()
		if alive() == before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d dictionaries are alive, %d were", alive(), before)
}
