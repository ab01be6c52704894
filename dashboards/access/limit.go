package access

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Log-ins that one address and one user may fail: so many at once, then one each so often. A success costs nothing.
const (
	addressBurst = 20
	addressEvery = 6 * time.Second
	userBurst    = 10
	userEvery    = 30 * time.Second
)

// limitBuckets is the number of limiters in a table. Keys share them by a secret hash, so that the table has one size
// however many addresses somebody has, and nobody can choose whom to share with.
const limitBuckets = 1 << 14

// limitTable limits events by key. It is safe for concurrent use.
type limitTable struct {
	every time.Duration
	burst int
	seed  maphash.Seed

	mu      sync.Mutex
	buckets [limitBuckets]*rate.Limiter
}

func newLimitTable(every time.Duration, burst int) *limitTable {
	return &limitTable{every: every, burst: burst, seed: maphash.MakeSeed()}
}

// take spends one event of the key. Where none is left, wait says how long until there is one; else undo gives it back.
func (t *limitTable) take(key string, now time.Time) (undo func(), wait time.Duration) {
	i := maphash.String(t.seed, key) % limitBuckets
	t.mu.Lock()
	l := t.buckets[i]
	if l == nil {
		l = rate.NewLimiter(rate.Every(t.every), t.burst)
		t.buckets[i] = l
	}
	t.mu.Unlock()
	r := l.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return nil, d
	}
	return func() { r.CancelAt(now) }, 0
}

// addressKey is what the limit counts: an address, of IPv6 the network of one subscriber.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
