package access

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRateLimit(t *testing.T) {
	var users []User
	for i := range 40 {
		users = append(users, User{User: fmt.Sprintf("u%d", i), Role: Analyst})
	}
	try := func(w *world, user, password, address string) int {
		r := httptest.NewRequest("POST", "/api/v1/login", strings.NewReader(fmt.Sprintf(`{"user":%q,"password":%q}`, user, password)))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		if rec.Code == 429 && rec.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return rec.Code
	}
	t.Run("one user from many addresses", func(t *testing.T) {
		w := newWorld(t, nil, users...)
		for i := range userBurst {
			if got := try(w, "u0", "wrong", fmt.Sprintf("198.51.100.%d:1", i)); got != 401 {
				t.Fatalf("failure %d: %d", i, got)
			}
		}
		if got := try(w, "u0", secret, "198.51.100.200:1"); got != 429 {
			t.Errorf("after %d failures: %d", userBurst, got)
		}
		if got := try(w, "u1", secret, "198.51.100.200:1"); got != 200 {
			t.Errorf("another user: %d", got)
		}
		w.now = w.now.Add(userEvery)
		if got := try(w, "u0", secret, "198.51.100.200:1"); got != 200 {
			t.Errorf("later: %d", got)
		}
	})
	t.Run("many users from one address", func(t *testing.T) {
		w := newWorld(t, nil, users...)
		for i := range addressBurst {
			if got := try(w, fmt.Sprintf("u%d", i), "wrong", fmt.Sprintf("[2001:db8::%x]:1", i)); got != 401 {
				t.Fatalf("failure %d: %d", i, got)
			}
		}
		if got := try(w, "u39", secret, "[2001:db8::ffff:1]:9"); got != 429 {
			t.Errorf("the same network: %d", got)
		}
		if got := try(w, "u39", secret, "[2001:db8:1::1]:9"); got != 200 {
			t.Errorf("another network: %d", got)
		}
	})
	t.Run("unknown users are limited alike", func(t *testing.T) {
		w := newWorld(t, nil, users...)
		for i := range userBurst {
			if got := try(w, "nobody", "wrong", fmt.Sprintf("198.51.100.%d:1", i)); got != 401 {
				t.Fatalf("failure %d: %d", i, got)
			}
		}
		if got := try(w, "nobody", "wrong", "198.51.100.200:1"); got != 429 {
			t.Errorf("after %d failures: %d", userBurst, got)
		}
	})
	t.Run("success costs nothing", func(t *testing.T) {
		w := newWorld(t, nil, users...)
		for i := range addressBurst + userBurst {
			if got := try(w, "u0", secret, "198.51.100.1:1"); got != 200 {
				t.Fatalf("log-in %d: %d", i, got)
			}
		}
		if n := w.gate.store.len(); n != maxUserSessions {
			t.Errorf("%d sessions of one user, want %d", n, maxUserSessions)
		}
	})
}

func TestLimitTableIsBounded(t *testing.T) {
	l := newLimitTable(time.Minute, 2)
	now := time.Now()
	allowed := 0
	for i := range 10 * limitBuckets {
		if _, wait := l.take(fmt.Sprintf("198.51.%d", i), now); wait == 0 {
			allowed++
		}
	}
	if allowed > 2*limitBuckets {
		t.Errorf("%d attempts passed, the table holds %d", allowed, 2*limitBuckets)
	}
}

func TestSessionStoreIsBounded(t *testing.T) {
	now := time.Now()
	s := newSessionStore(time.Hour, 2*time.Hour, func() time.Time { return now })
	s.max = 100
	for i := range s.max {
		if err := s.CommitCtx(withOwner(context.Background(), fmt.Sprint("u", i)), fmt.Sprint(i), nil, now); err != nil {
			t.Fatal(err)
		}
	}
	one := withOwner(context.Background(), "late")
	if err := s.CommitCtx(one, "late", nil, now); !errors.Is(err, errBusy) || s.len() != s.max {
		t.Errorf("%v, %d sessions", err, s.len())
	}
	now = now.Add(time.Hour)
	if err := s.CommitCtx(one, "late", nil, now); err != nil || s.len() != 1 {
		t.Errorf("%v, %d sessions: those that ended make room", err, s.len())
	}
	if err := s.CommitCtx(context.Background(), "revived", nil, now); err == nil {
		t.Error("a session without an owner was kept")
	}
}

func TestPasswordChecksAreBounded(t *testing.T) {
	c, err := newChecker()
	if err != nil {
		t.Fatal(err)
	}
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for range cap(c.waiting) {
		waiting.Go(func() { _, _ = c.check(ctx, nil, "x") })
	}
	for len(c.waiting) < cap(c.waiting) {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.check(ctx, nil, "x"); !errors.Is(err, errBusy) {
		t.Errorf("one more waits: %v", err)
	}
	cancel()
	waiting.Wait()
}
