package api

import (
	"sync"
	"time"
)

// Bounds of watched.
const (
	watchedFor = 10 * time.Minute
	watchedMax = 10_000
)

// watched remembers who opened which live session of late. It is safe for concurrent use.
type watched struct {
	mu sync.Mutex
	at map[[2]string]time.Time // by user and session
}

// first says whether the user has not opened the session within the last watchedFor, and remembers that it is open now.
func (w *watched) first(user, session string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]string{user, session}
	if at, ok := w.at[key]; ok && now.Sub(at) < watchedFor {
		return false
	}
	if w.at == nil || len(w.at) >= watchedMax {
		w.at = map[[2]string]time.Time{}
	}
	w.at[key] = now
	return true
}

// forget takes back what first remembered.
func (w *watched) forget(user, session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.at, [2]string{user, session})
}
