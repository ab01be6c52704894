package access

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Bounds of log-in sessions at once. The oldest one ends where a user has more; where the server has more, nobody else
// can log in until some end.
const (
	maxSessions     = 10_000
	maxUserSessions = 20
)

// sessionStore keeps log-in sessions in memory for the session manager, which hands it hashes of the tokens. A session
// ends idle after it was last asked for, and at its lifetime. Only log-ins put sessions here, so that requests of nobody
// cost no memory. It is safe for concurrent use.
type sessionStore struct {
	idle, lifetime time.Duration
	now            func() time.Time
	max            int

	mu       sync.Mutex
	sessions map[string]*storedSession
}

type storedSession struct {
	data          []byte
	user          string
	created, used time.Time
}

func newSessionStore(idle, lifetime time.Duration, now func() time.Time) *sessionStore {
	return &sessionStore{idle: idle, lifetime: lifetime, now: now, max: maxSessions, sessions: map[string]*storedSession{}}
}

func (s *sessionStore) over(x *storedSession, now time.Time) bool {
	return now.Sub(x.used) >= s.idle || now.Sub(x.created) >= s.lifetime
}

// Find gives the data of a session that has not ended and counts as its use.
func (s *sessionStore) Find(token string) ([]byte, bool, error) { return s.find(token, true) }

func (s *sessionStore) find(token string, use bool) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.sessions[token]
	if !ok {
		return nil, false, nil
	}
	now := s.now()
	if s.over(x, now) {
		delete(s.sessions, token)
		return nil, false, nil
	}
	if use {
		x.used = now
	}
	return x.data, true, nil
}

type ownerKey struct{}

// withOwner is ctx whose commit makes a session of the user.
func withOwner(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, ownerKey{}, user)
}

// Commit is of the manager's interface; the manager calls CommitCtx.
func (s *sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// CommitCtx keeps a session of the owner that ctx names. The expiry of the manager is not looked at: its clock is not
// ours. A session that has ended is not brought back by a request that was under way.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, data []byte, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if x, ok := s.sessions[token]; ok {
		x.data = data
		return nil
	}
	user, ok := ctx.Value(ownerKey{}).(string)
	if !ok {
		return errors.New("the log-in session has ended")
	}
	var mine []string
	for t, x := range s.sessions {
		if x.user == user {
			mine = append(mine, t)
		}
	}
	if len(mine) >= maxUserSessions {
		delete(s.sessions, slices.MinFunc(mine, func(a, b string) int { return s.sessions[a].created.Compare(s.sessions[b].created) }))
	}
	if len(s.sessions) >= s.max {
		s.sweep(now)
		if len(s.sessions) >= s.max {
			return errBusy
		}
	}
	s.sessions[token] = &storedSession{data: data, user: user, created: now, used: now}
	return nil
}

// Delete ends a session.
func (s *sessionStore) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
	return nil
}

type lookKey struct{}

// onlyLook is ctx whose look-ups do not count as use of a session.
func onlyLook(ctx context.Context) context.Context { return context.WithValue(ctx, lookKey{}, true) }

// FindCtx is Find, without the use where ctx is onlyLook's.
func (s *sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return s.find(token, ctx.Value(lookKey{}) == nil)
}

// DeleteCtx is Delete.
func (s *sessionStore) DeleteCtx(_ context.Context, token string) error { return s.Delete(token) }

func (s *sessionStore) sweep(now time.Time) {
	for t, x := range s.sessions {
		if s.over(x, now) {
			delete(s.sessions, t)
		}
	}
}

func (s *sessionStore) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
