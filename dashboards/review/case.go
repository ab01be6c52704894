package review

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/rulecase"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Case is a wrong hit made into a test of its rule. The test fails until the rule is mended.
type Case struct {
	Rule        string
	Want, Got   string // the outcome that is right, and the one of the rule
	Turns, Of   int    // turns left of the session, and of the whole
	YAML        string // the entry of tests
	Pack        string // id of the pack of the rule
	PackVersion string // that is in use
	PackYAML    []byte // its text with the test at the end of those of the rule, all else as it was
	name        string
}

// Case makes a hit that was dismissed or overturned into a test of its rule, with the rules in use and the language stages
// of an analyser. want is the outcome that is right, "" for the opposite one.
func (s *Service) Case(ctx context.Context, who access.Identity, session, hit, want string, use *rulestore.InUse, a *analyse.Analyser) (*Case, error) {
	if !who.Is(access.Admin, access.Supervisor) {
		return nil, forbidden("the role %s does not write rules", who.Role)
	}
	if want != "" && !slices.Contains([]string{schemas.Pass, schemas.Fail, schemas.NA, schemas.Present, schemas.Absent}, want) {
		return nil, bad("want", "%q is no outcome: pass, fail, na, present or absent", want)
	}
	x, err := s.Load(ctx, who, session)
	if err != nil {
		return nil, err
	}
	if x.Find(hit) == nil {
		return nil, notFound("hit", hit)
	}
	if h := x.Hit(hit); !h.Void() {
		return nil, &Error{Kind: NotAllowed, State: h.State, Allowed: s.Allowed(who, x, hit), Message: "the hit is " + h.State + "; only one that is dismissed or overturned is wrong"}
	}
	states, err := s.o.Warehouse.LoadStates(ctx, []string{session})
	if err != nil {
		return nil, err
	}
	if states[session] == nil {
		return nil, notFound("session", session)
	}
	t := states[session].Transcript()
	features := a.Features(t)
	found := a.WithRules(use.Set).Analyse(t).Findings
	i := slices.IndexFunc(found.Hits, func(h schemas.Hit) bool { return h.HitID == hit })
	if i < 0 {
		return nil, &Error{Kind: NotAllowed, Message: "the rules in use do not find this hit any more: there is nothing to mend"}
	}
	made, err := rulecase.Make(use.Set, t, features, found.Hits[i], want, a)
	if err != nil {
		return nil, bad("want", "no test can be made: %s", err)
	}
	out := &Case{Rule: made.Rule, Want: made.Want, Got: made.Got, Turns: made.Turns, Of: made.Of, name: made.Name}
	if out.YAML, err = made.YAML(); err != nil {
		return nil, err
	}
	for _, r := range use.Set.Rules() {
		if r.ID == made.Rule {
			out.Pack = r.Pack
		}
	}
	for _, p := range use.Packs {
		if p.ID != out.Pack {
			continue
		}
		text, err := p.YAML()
		if err != nil {
			return nil, err
		}
		out.PackVersion = p.Version
		if strings.Contains(string(text), "name: "+made.Name+"\n") {
			return nil, &Error{Kind: NotAllowed, Message: fmt.Sprintf("the pack %s has a test of this session already", p.ID)}
		}
		if out.PackYAML, err = made.AddTo(text); err != nil {
			return nil, bad("", "the test does not fit into the pack %s: %s", p.ID, err)
		}
	}
	return out, nil
}

// PublishCase puts the pack with the test into use as its next version. The new test may fail, that is what it is for; where
// another one of the pack does, nothing is published.
func (s *Service) PublishCase(ctx context.Context, who access.Identity, c *Case, store *rulestore.Store, use *rulestore.InUse, a *analyse.Analyser) (*rulestore.Published, error) {
	if !who.Is(access.Admin, access.Supervisor) {
		return nil, forbidden("the role %s does not publish rules", who.Role)
	}
	file := c.Pack + ".yaml"
	set, err := store.With(use, c.Pack, rules.Text(file, c.PackYAML))
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, r := range set.Rules() {
		own[r.ID] = r.Pack == c.Pack
	}
	for _, r := range set.Test(a) {
		if own[r.Rule] && !r.OK && (r.Rule != c.Rule || r.Name != c.name) {
			return nil, &Error{Kind: NotAllowed, Message: fmt.Sprintf("the test %q of rule %s in the pack %s does not hold; mend it first", r.Name, r.Rule, c.Pack)}
		}
	}
	return store.Publish(ctx, rulestore.Draft{Name: file, YAML: c.PackYAML, Author: who.User, Note: fmt.Sprintf("回归用例：%s %s", c.Rule, c.name), Features: a, Force: true})
}
