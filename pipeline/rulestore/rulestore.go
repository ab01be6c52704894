// Package rulestore decides which rules are in use: the packs of the configuration, and those that supervisors published
// into the warehouse. It publishes packs, takes them out of use, rolls them back, and is the source from which running
// processes take new rules (package current).
//
// What is in use is a function of the configuration and of the table rule_packs alone, so that all processes agree,
// whether they ran when something was published or started later. Of each pack the latest publication that can be used
// counts: one that does not compile, alone or with the others, never replaces one that does, and the reason is given.
package rulestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
)

// Compile loads packs, with the options of this deployment.
type Compile func(...rules.Source) (*rules.Set, error)

// Store is the packs of one warehouse and one configuration. It is safe for concurrent use.
type Store struct {
	w          *warehouse.Warehouse // nil where only Configured and With are asked
	compile    Compile
	configured []configured

	mu    sync.Mutex
	alone map[string]error // by pack and hash: what came of compiling a publication on its own
	last  *InUse           // and what it was made of; pages ask for it all the time
	made  [sha256.Size]byte
}

type configured struct {
	id     string
	origin string
	source rules.Source
}

// Where a pack in use comes from.
const (
	OriginBuiltIn   = "built in"
	OriginPublished = "published"
)

// New makes a Store over the packs of the configuration: ids of built-in packs, or paths of YAML files. They must
// compile together; the error is then that of compile.
func New(w *warehouse.Warehouse, packs []string, compile Compile) (*Store, error) {
	s := &Store{w: w, compile: compile, alone: map[string]error{}}
	var sources []rules.Source
	for _, name := range packs {
		sources = append(sources, rules.Find(name))
	}
	if _, err := compile(sources...); err != nil {
		return nil, err
	}
	for i, name := range packs {
		set, err := compile(sources[i])
		if err != nil {
			return nil, err
		}
		id, _ := identity(set)
		c := configured{id: id, origin: "file " + name, source: sources[i]}
		if id == name {
			c.origin = OriginBuiltIn
		}
		s.configured = append(s.configured, c)
	}
	return s, nil
}

// identity gives id and full version of a set of one pack.
func identity(set *rules.Set) (id, version string) {
	id, version, _ = strings.Cut(set.Version(), "@")
	return id, version
}

// Pack is one pack in use.
type Pack struct {
	ID      string    `json:"id"`
	Version string    `json:"version"` // as in rule_version of hits
	Origin  string    `json:"origin"`  // "built in", "file PATH" or "published"
	Author  string    `json:"author,omitempty"`
	Note    string    `json:"note,omitempty"`
	At      time.Time `json:"at,omitzero"` // when it was published
	source  rules.Source
}

// YAML reads the text of the pack.
func (p Pack) YAML() ([]byte, error) { return p.source.YAML() }

// InUse is what a process uses that names no other rules. Several callers may hold the same one: it must not be changed.
type InUse struct {
	Set   *rules.Set
	Packs []Pack // in the order of evaluation: those of the configuration, then others by id
	// Problems say which publications are newer than what is in use, and why they are not.
	Problems []Problem
}

// RuleNames gives the names of the rules by id.
func (u *InUse) RuleNames() map[string]string {
	names := map[string]string{}
	for _, r := range u.Set.Rules() {
		names[r.ID] = r.Name
	}
	return names
}

// Problem is a publication that cannot be used.
type Problem struct {
	Pack    string    `json:"pack"`
	Version string    `json:"version"`
	Author  string    `json:"author"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
}

func (p Problem) Error() string {
	return fmt.Sprintf("version %s of the rule pack %s, published %s by %s, cannot be used: %s",
		p.Version, p.Pack, p.At.Format(time.RFC3339), orUnknown(p.Author), p.Reason)
}

func orUnknown(author string) string {
	if author == "" {
		return "unknown"
	}
	return author
}

// Err joins the problems, nil without any.
func (u *InUse) Err() error {
	var errs []error
	for _, p := range u.Problems {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// maxHistory bounds how far back a usable publication of a pack is looked for.
const maxHistory = 50

// candidate is a published pack on its way into the set: its history and the row chosen of it.
type candidate struct {
	rows   []warehouse.RulePack // the latest first
	at     int                  // chosen row; rows[at:] is empty where none is usable
	source rules.Source
}

func (c *candidate) row() *warehouse.RulePack {
	if c == nil || c.at >= len(c.rows) || !c.rows[c.at].Active {
		return nil
	}
	return &c.rows[c.at]
}

// InUse reads what is published and gives the rules in use. An error means that the store could not be read;
// publications that cannot be used are Problems.
func (s *Store) InUse(ctx context.Context) (*InUse, error) {
	rows, err := s.w.RulePacks(ctx, "", maxHistory)
	if err != nil {
		return nil, err
	}
	made, err := s.madeOf(rows)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	last, same := s.last, made == s.made
	s.mu.Unlock()
	if last != nil && same {
		return last, nil
	}
	out, err := s.choose(ctx, rows)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.made = out, made
	return out, nil
}

// madeOf names all that decides which rules are in use: what is published, and the texts of the configured packs, which
// may be files.
func (s *Store) madeOf(rows []warehouse.RulePack) (key [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, r := range rows {
		fmt.Fprintf(h, "%q %q %q %q %q %v %d\n", r.Pack, r.Version, r.Hash, r.Author, r.Note, r.Active, r.At.UnixNano())
	}
	for _, c := range s.configured {
		text, err := c.source.YAML()
		if err != nil {
			return key, err
		}
		fmt.Fprintf(h, "%q %d\n", c.id, len(text))
		h.Write(text)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

func (s *Store) choose(ctx context.Context, rows []warehouse.RulePack) (*InUse, error) {
	byPack := map[string]*candidate{}
	var ids []string
	for _, r := range rows {
		c := byPack[r.Pack]
		if c == nil {
			c = &candidate{}
			byPack[r.Pack] = c
			ids = append(ids, r.Pack)
		}
		c.rows = append(c.rows, r)
	}
	sort.Strings(ids)
	out := &InUse{}
	var err error
	for _, id := range ids {
		if err := s.settle(ctx, byPack[id], out); err != nil {
			return nil, err
		}
	}
	if out.Set, err = s.compile(s.arrange(byPack, ids, out)...); err != nil {
		if err := s.untangle(ctx, byPack, ids, out); err != nil {
			return nil, err
		}
	}
	s.versions(out)
	return out, nil
}

// untangle finds what compiles together where packs that compile alone clash, such as by a rule id used twice. The
// packs are added in the order in which they were published: one that clashes with what was there before gives way to
// its own older text.
func (s *Store) untangle(ctx context.Context, byPack map[string]*candidate, ids []string, out *InUse) error {
	var waiting []*candidate
	for _, id := range ids {
		if byPack[id].row() != nil {
			waiting = append(waiting, byPack[id])
		}
	}
	sort.SliceStable(waiting, func(i, j int) bool { return waiting[i].row().At.Before(waiting[j].row().At) })
	accepted := map[string]*candidate{}
	var err error
	if out.Set, err = s.compile(s.arrange(accepted, ids, out)...); err != nil {
		return fmt.Errorf("the packs of the configuration do not compile together: %w", err)
	}
	for _, c := range waiting {
		for c.row() != nil {
			accepted[c.row().Pack] = c
			set, err := s.compile(s.arrange(accepted, ids, out)...)
			if err == nil {
				out.Set = set
				break
			}
			delete(accepted, c.row().Pack)
			out.problem(c.row(), "with the other packs in use: "+err.Error())
			c.at++
			if err := s.settle(ctx, c, out); err != nil {
				return err
			}
		}
	}
	s.arrange(accepted, ids, out)
	return nil
}

// Configured is what is in use where nothing is published; it does not ask the warehouse, which may be nil.
func (s *Store) Configured() (*InUse, error) {
	out := &InUse{}
	var err error
	if out.Set, err = s.compile(s.arrange(nil, nil, out)...); err != nil {
		return nil, err
	}
	s.versions(out)
	return out, nil
}

// settle moves a candidate to its latest row that compiles alone, or that takes the pack out of use.
func (s *Store) settle(ctx context.Context, c *candidate, out *InUse) error {
	for ; c.row() != nil; c.at++ {
		text, err := s.w.RulePackContent(ctx, *c.row())
		if err != nil {
			return err
		}
		c.source = rules.Text(sourceName(c.row()), []byte(text))
		if err := s.compileAlone(c.row(), text, c.source); err == nil {
			return nil
		} else {
			out.problem(c.row(), err.Error())
		}
	}
	return nil
}

// sourceName stands for the file in the errors of a publication.
func sourceName(p *warehouse.RulePack) string { return p.Pack + "@" + p.Version }

// compileAlone checks one publication; it remembers the answer, which depends on the text alone.
func (s *Store) compileAlone(row *warehouse.RulePack, text string, source rules.Source) error {
	sum := sha256.Sum256([]byte(text))
	key := row.Pack + "\x00" + row.Version + "\x00" + row.Hash + "\x00" + string(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	err, known := s.alone[key]
	if known {
		return err
	}
	err = func() error {
		if got := hex.EncodeToString(sum[:]); row.Hash != "" && row.Hash != got {
			return fmt.Errorf("its text does not have the hash it was published with (%.12s, not %.12s)", got, row.Hash)
		}
		set, err := s.compile(source)
		if err != nil {
			return err
		}
		if id, _ := identity(set); id != row.Pack {
			return fmt.Errorf("it was published as %s but its text says id: %s", row.Pack, id)
		}
		return nil
	}()
	if len(s.alone) > 1000 {
		clear(s.alone)
	}
	s.alone[key] = err
	return err
}

func (u *InUse) problem(row *warehouse.RulePack, reason string) {
	u.Problems = append(u.Problems, Problem{Pack: row.Pack, Version: row.Version, Author: row.Author, At: row.At, Reason: reason})
}

// arrange lists the packs in use: those of the configuration in their order, a publication in the place of the one of
// its id, then the other publications by id.
func (s *Store) arrange(byPack map[string]*candidate, ids []string, out *InUse) []rules.Source {
	out.Packs = out.Packs[:0]
	published := func(id string) (Pack, bool) {
		c := byPack[id]
		row := c.row()
		if row == nil {
			return Pack{}, false
		}
		return Pack{ID: id, Version: row.Version, Origin: OriginPublished, Author: row.Author, Note: row.Note, At: row.At, source: c.source}, true
	}
	own := map[string]bool{}
	for _, c := range s.configured {
		own[c.id] = true
		p, ok := published(c.id)
		if !ok {
			p = Pack{ID: c.id, Origin: c.origin, source: c.source}
		}
		out.Packs = append(out.Packs, p)
	}
	for _, id := range ids {
		if p, ok := published(id); ok && !own[id] {
			out.Packs = append(out.Packs, p)
		}
	}
	return sourcesOf(out.Packs)
}

func sourcesOf(packs []Pack) []rules.Source {
	out := make([]rules.Source, len(packs))
	for i, p := range packs {
		out[i] = p.source
	}
	return out
}

// versions fills in what only the compiled set knows of packs of the configuration.
func (s *Store) versions(out *InUse) {
	for i, part := range splitVersions(out.Set.Version(), out.Packs) {
		out.Packs[i].Version = part
	}
}

// splitVersions cuts the version of a set, "a@1+x,b@2+y", into those of its packs.
func splitVersions(all string, packs []Pack) []string {
	out := make([]string, len(packs))
	for i, p := range packs {
		all = strings.TrimPrefix(all, p.ID+"@")
		end := len(all)
		if i+1 < len(packs) {
			if n := strings.Index(all, ","+packs[i+1].ID+"@"); n >= 0 {
				end = n
			}
		}
		out[i] = all[:end]
		all = strings.TrimPrefix(all[end:], ",")
	}
	return out
}
