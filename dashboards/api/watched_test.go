package api

import (
	"fmt"
	"testing"
	"time"
)

func TestWatched(t *testing.T) {
	var w watched
	f := func(user, session string, at time.Duration, want bool) {
		t.Helper()
		if got := w.first(user, session, now.Add(at)); got != want {
			t.Errorf("%s opens %s after %v: first %v, want %v", user, session, at, got, want)
		}
	}
	f("qa", "s1", 0, true)
	f("qa", "s1", 5*time.Second, false)
	f("qa", "s2", 5*time.Second, true)
	f("pm", "s1", 5*time.Second, true)
	f("qa", "s1", watchedFor-time.Second, false)
	f("qa", "s1", watchedFor, true)
	w.forget("qa", "s1")
	f("qa", "s1", watchedFor, true)
	for i := range 2 * watchedMax {
		w.first("qa", fmt.Sprint(i), now)
	}
	if len(w.at) > watchedMax {
		t.Errorf("%d are remembered", len(w.at))
	}
}
