package rulestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
)

// Draft is a pack to be published.
type Draft struct {
	// Name stands for the file in errors.
	Name   string
	YAML   []byte
	Author string
	Note   string
	// Features makes the features with which the pack's tests run; nil leaves the tests out.
	Features rules.Featuriser
	// Force publishes though tests fail. A pack that does not compile is never published.
	Force bool
}

// FailedTests are the tests of a draft that do not hold.
type FailedTests []rules.TestResult

func (f FailedTests) Error() string {
	lines := make([]string, len(f))
	for i, t := range f {
		lines[i] = fmt.Sprintf("%s:%d: rule %s, test %s: %s", t.File, t.Line, t.Rule, t.Name, t.Diff)
	}
	return strings.Join(lines, "\n")
}

// Published is what came of publishing.
type Published struct {
	Pack    string `json:"pack"`
	Version string `json:"version"`
	// Replaces is the version that was in use before, "" for none.
	Replaces string `json:"replaces,omitempty"`
	// Unchanged: exactly this text is published and in use already, nothing was written.
	Unchanged bool `json:"unchanged,omitempty"`
	// Withdrawn: the pack was taken out of use.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Failed are the tests that do not hold, with Force.
	Failed   FailedTests     `json:"failed_tests,omitempty"`
	Warnings []rules.Problem `json:"-"`
}

// Publish checks a draft and puts it into use: processes that look at the store take it within seconds. The errors are
// rules.Problems where it does not compile, alone or with the other packs in use, and FailedTests.
func (s *Store) Publish(ctx context.Context, d Draft) (*Published, error) {
	set, err := s.compile(rules.Text(d.Name, d.YAML))
	if err != nil {
		return nil, err
	}
	out := &Published{Warnings: set.Warnings()}
	out.Pack, out.Version = identity(set)
	now, err := s.InUse(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.With(now, out.Pack, rules.Text(d.Name, d.YAML)); err != nil {
		return nil, err
	}
	if d.Features != nil {
		for _, r := range set.Test(d.Features) {
			if !r.OK {
				out.Failed = append(out.Failed, r)
			}
		}
		if len(out.Failed) > 0 && !d.Force {
			return nil, out.Failed
		}
	}
	return out, s.append(ctx, now, out, warehouse.RulePack{Content: string(d.YAML), Author: d.Author, Note: d.Note, Active: true})
}

// append writes one row, unless it would change nothing.
func (s *Store) append(ctx context.Context, now *InUse, out *Published, row warehouse.RulePack) error {
	for _, p := range now.Packs {
		if p.ID == out.Pack {
			out.Replaces = p.Version
			out.Unchanged = row.Active && p.Origin == OriginPublished && p.Version == out.Version && !now.pending(p.ID)
		}
	}
	if out.Unchanged {
		return nil
	}
	sum := sha256.Sum256([]byte(row.Content))
	row.Pack, row.Version, row.Hash = out.Pack, out.Version, hex.EncodeToString(sum[:])
	_, err := s.w.AppendRulePack(ctx, row)
	return err
}

// pending says that a newer publication of the pack is there which cannot be used.
func (u *InUse) pending(pack string) bool {
	for _, p := range u.Problems {
		if p.Pack == pack {
			return true
		}
	}
	return false
}

// With compiles a pack with the others in use, in the place of the one of its id.
func (s *Store) With(now *InUse, id string, source rules.Source) (*rules.Set, error) {
	packs := append([]Pack(nil), now.Packs...)
	found := false
	for i := range packs {
		if packs[i].ID == id {
			packs[i].source, found = source, true
		}
	}
	if !found {
		packs = append(packs, Pack{ID: id, source: source})
	}
	return s.compile(sourcesOf(packs)...)
}

// History gives the publications of a pack, the latest first, without their text.
func (s *Store) History(ctx context.Context, pack string) ([]warehouse.RulePack, error) {
	return s.w.RulePacks(ctx, pack, 10_000)
}

// ErrNotPublished: the warehouse has no publication of the pack.
var ErrNotPublished = errors.New("nothing of this id was published")

// Find gives the publication of a pack that a user's word names, with its text: its whole version (2+0a1b2c3d), the
// hash alone, or the declared version where only one text has it.
func (s *Store) Find(ctx context.Context, pack, version string) (warehouse.RulePack, error) {
	rows, err := s.History(ctx, pack)
	if err != nil {
		return warehouse.RulePack{}, err
	}
	if len(rows) == 0 {
		return warehouse.RulePack{}, fmt.Errorf("rule pack %s: %w", pack, ErrNotPublished)
	}
	var found *warehouse.RulePack
	var known []string
	for i := range rows {
		r := &rows[i]
		if !r.Active {
			continue
		}
		cut := strings.LastIndex(r.Version, "+")
		declared, hash := r.Version, ""
		if cut >= 0 {
			declared, hash = r.Version[:cut], r.Version[cut+1:]
		}
		known = append(known, r.Version)
		switch {
		case r.Version == version, hash != "" && hash == version:
			return s.withContent(ctx, *r)
		case declared != version:
		case found != nil && found.Version != r.Version:
			return warehouse.RulePack{}, fmt.Errorf("rule pack %s has several texts of version %s: name one of them as in `tingke rules history %s`, such as %s", pack, version, pack, r.Version)
		default:
			found = r
		}
	}
	if found == nil {
		return warehouse.RulePack{}, fmt.Errorf("rule pack %s has no published version %s, only %s", pack, version, strings.Join(unique(known), ", "))
	}
	return s.withContent(ctx, *found)
}

func (s *Store) withContent(ctx context.Context, r warehouse.RulePack) (warehouse.RulePack, error) {
	var err error
	r.Content, err = s.w.RulePackContent(ctx, r)
	return r, err
}

func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Rollback publishes an older text of a pack again. Its tests are not run: it has been in use before, and who rolls back
// is in a hurry. It must compile with the other packs in use.
func (s *Store) Rollback(ctx context.Context, pack, version, author, note string) (*Published, error) {
	row, err := s.Find(ctx, pack, version)
	if err != nil {
		return nil, err
	}
	if note == "" {
		note = "rolled back to the text of " + row.At.Format("2006-01-02 15:04:05") + " UTC"
	}
	return s.Publish(ctx, Draft{Name: sourceName(&row), YAML: []byte(row.Content), Author: author, Note: note})
}

// Withdraw takes a published pack out of use. A pack of the configuration with its id counts again.
func (s *Store) Withdraw(ctx context.Context, pack, author, note string) (*Published, error) {
	rows, err := s.w.RulePacks(ctx, pack, 1)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("rule pack %s: %w", pack, ErrNotPublished)
	}
	out := &Published{Pack: pack, Version: rows[0].Version, Withdrawn: true}
	if !rows[0].Active {
		out.Unchanged = true
		return out, nil
	}
	now, err := s.InUse(ctx)
	if err != nil {
		return nil, err
	}
	return out, s.append(ctx, now, out, warehouse.RulePack{Author: author, Note: note})
}
