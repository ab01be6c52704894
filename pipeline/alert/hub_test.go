package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// changing is a store whose changes become visible when the test says so, which need not be in their order.
type changing struct {
	mu      sync.Mutex
	visible []warehouse.AlertChange
	looked  int
}

func (c *changing) show(id string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.visible = append(c.visible, warehouse.AlertChange{AlertID: id, At: at.UTC()})
}

func (c *changing) AlertChanges(_ context.Context, after time.Time, limit int) ([]warehouse.AlertChange, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked++
	latest := map[string]time.Time{}
	for _, v := range c.visible {
		if v.At.After(after) && v.At.After(latest[v.AlertID]) {
			latest[v.AlertID] = v.At
		}
	}
	var out []warehouse.AlertChange
	for id, at := range latest {
		out = append(out, warehouse.AlertChange{AlertID: id, At: at})
	}
	slices.SortFunc(out, func(a, b warehouse.AlertChange) int { return a.At.Compare(b.At) })
	return out[:min(len(out), limit)], nil
}

func (c *changing) AlertsByID(_ context.Context, ids []string) ([]warehouse.Alert, error) {
	var out []warehouse.Alert
	for _, id := range ids {
		out = append(out, warehouse.Alert{AlertID: id, SessionID: "s", Team: id[:1]})
	}
	return out, nil
}

func (c *changing) Clock(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

func everything(*warehouse.Alert) bool { return true }

func TestHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &changing{}
		h := NewHub(HubOptions{Store: store, Subscribers: 2})
		ctx, cancel := context.WithCancel(context.Background())
		go h.Run(ctx)
		defer func() {
			cancel()
			synctest.Wait()
		}()
		time.Sleep(time.Minute)
		if store.looked != 0 {
			t.Errorf("the store was looked at %d times although nobody listens", store.looked)
		}
		store.show("a0", time.Now().Add(-time.Second)) // before anybody listened
		sub, err := h.Subscribe(ctx, "", func(a *warehouse.Alert) bool { return a.Team == "a" })
		if err != nil {
			t.Fatal(err)
		}
		next := func(s *Subscription, want string) string {
			t.Helper()
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			m, err := s.Next(ctx)
			if err != nil && want != "" || err == nil && m.AlertID != want {
				t.Fatalf("%s %v, want %q", m.AlertID, err, want)
			}
			return m.ID
		}
		time.Sleep(time.Second)
		now := time.Now()
		store.show("a2", now)
		store.show("b1", now)
		last := next(sub, "a2")
		store.show("a1", now.Add(-500*time.Millisecond)) // its insert took longer
		next(sub, "a1")
		store.show("a2", time.Now()) // something happened to it
		next(sub, "a2")
		next(sub, "")

		two, err := h.Subscribe(ctx, last, everything)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Subscribe(ctx, "", everything); !errors.Is(err, ErrFull) {
			t.Errorf("%v, want %v", err, ErrFull)
		}
		// What it may have missed comes first: what changed last is told with its latest change.
		for _, want := range []string{"a1", "b1", "a2"} {
			next(two, want)
		}
		next(two, "")
		two.Close()
		for i := range maxResume + 10 {
			store.show(fmt.Sprintf("c%d", i), time.Now())
		}
		if two, err = h.Subscribe(ctx, last, everything); !errors.Is(err, ErrGap) {
			t.Errorf("%v, want %v", err, ErrGap)
		}
		two.Close()

		// A flood is told to the end, in pieces.
		flood, err := h.Subscribe(ctx, "", func(a *warehouse.Alert) bool { return a.Team == "f" })
		if err != nil {
			t.Fatal(err)
		}
		now = time.Now()
		const many = 2*maxLook + 500
		for i := range many {
			store.show(fmt.Sprintf("%c%d", "xf"[i/(many-100)], i), now.Add(time.Duration(i)*time.Microsecond))
		}
		for range 100 {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			if _, err := flood.Next(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		flood.Close()
		sub.Close()
		if _, err := sub.Next(ctx); !errors.Is(err, ErrStopped) {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		looked := store.looked
		time.Sleep(time.Minute)
		if store.looked != looked {
			t.Error("the store is looked at although nobody listens any more")
		}
		// Somebody comes again.
		if sub, err = h.Subscribe(ctx, "", everything); err != nil {
			t.Fatal(err)
		}
		store.show("d1", time.Now().Add(time.Millisecond))
		next(sub, "d1")
		cancel()
		synctest.Wait()
		if _, err := sub.Next(context.Background()); !errors.Is(err, ErrStopped) {
			t.Errorf("%v, want %v", err, ErrStopped)
		}
		if _, err := h.Subscribe(context.Background(), "", everything); !errors.Is(err, ErrStopped) {
			t.Errorf("%v, want %v", err, ErrStopped)
		}
	})
}
