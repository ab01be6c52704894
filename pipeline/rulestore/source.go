package rulestore

import (
	"context"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/current"
)

// source gives running processes the rules in use.
type source struct {
	store *Store
	mark  string // of the table when it was last read
	read  bool
	taken string // version of the set that was given last
	err   error  // why the newest publications are not in use
}

// Source looks for newer rules than those named by version, the version of the set that the process starts with.
func (s *Store) Source(version string) current.Source { return &source{store: s, taken: version} }

// Name implements current.Source.
func (*source) Name() string { return "rules" }

// Look implements current.Source. Nothing is compiled while the table stays as it is.
func (s *source) Look(ctx context.Context) (current.Change, error) {
	mark, err := s.store.w.RulePacksMark(ctx)
	if err != nil {
		return nil, err
	}
	if s.read && mark == s.mark {
		return nil, s.err
	}
	use, err := s.store.InUse(ctx)
	if err != nil {
		return nil, err
	}
	s.mark, s.read, s.err = mark, true, use.Err()
	if use.Set.Version() == s.taken {
		return nil, s.err
	}
	s.taken = use.Set.Version()
	return func(a *analyse.Analyser) *analyse.Analyser { return a.WithRules(use.Set) }, s.err
}
