package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/memo"
	"github.com/tingke/tingke/pipeline/rulestore"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
)

// RuleRow is a rule in use with what became of its hits.
type RuleRow struct {
	rules.RuleInfo
	Hits      uint64   `json:"hits" doc:"in the period, of sessions the caller may see"`
	Sessions  uint64   `json:"sessions"`
	Outcomes  Outcomes `json:"outcomes" doc:"what the rule said of the sessions of the period"`
	Confirmed uint64   `json:"confirmed" doc:"hits of the period that people upheld"`
	Dismissed uint64   `json:"dismissed"`
	Precision *float64 `json:"precision" doc:"confirmed / (confirmed + dismissed); null while nothing is decided"`
	Last      *string  `json:"last_day" doc:"day of its last hit in the period"`
}

// Outcomes counts outcomes.
type Outcomes struct {
	Pass    uint64 `json:"pass"`
	Fail    uint64 `json:"fail"`
	NA      uint64 `json:"na"`
	Present uint64 `json:"present"`
	Absent  uint64 `json:"absent"`
}

// RuleList are the rules in use.
type RuleList struct {
	Packs    []rulestore.Pack    `json:"packs" doc:"in the order of evaluation"`
	Version  string              `json:"version" doc:"of all packs together, as sessions carry it"`
	Problems []rulestore.Problem `json:"problems" doc:"publications that are newer than what is in use, and why they are not"`
	Rules    []RuleRow           `json:"rules"`
}

// PackText is the text of a pack.
type PackText struct {
	Pack    string   `json:"pack"`
	Version string   `json:"version"`
	Origin  string   `json:"origin" doc:"built in, file, or published"`
	YAML    string   `json:"yaml"`
	Rules   []string `json:"rules" doc:"ids of its rules"`
}

// Publication is a version of a pack in its history.
type Publication struct {
	Pack    string    `json:"pack"`
	Version string    `json:"version"`
	Author  string    `json:"author"`
	Note    string    `json:"note"`
	At      time.Time `json:"at"`
	Active  bool      `json:"active" doc:"false: it took the pack out of use"`
	InUse   bool      `json:"in_use"`
	Problem string    `json:"problem,omitempty" doc:"why it cannot be used"`
}

var (
	ruleReaders = staff
	ruleWriters = deciders
)

func (a *API) ruleRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/rules", Roles: ruleReaders, Summary: "Rules and packs in use, with hits and precision in a period",
			Filters: []string{"from", "to", "shop", "channel", "business", "team"}, Response: RuleList{}, Handle: a.rules,
		},
		{
			Method: http.MethodGet, Path: "/rules/packs/{pack}", Roles: ruleReaders, Summary: "The text of a pack: the one in use, or a published version",
			Query: []Param{{Name: "version", Type: "text", Doc: "a published version; the one in use where it is not given"}}, Response: PackText{}, Handle: a.packText,
		},
		{
			Method: http.MethodGet, Path: "/rules/history", Roles: ruleReaders, Summary: "What was published, by whom and why, and which of it is in use",
			Query: []Param{{Name: "pack", Type: "text", Doc: "only this pack"}}, Paged: true, Response: Page[Publication]{}, Handle: a.ruleHistory,
		},
		{
			Method: http.MethodGet, Path: "/rules/packs/{pack}/diff", Roles: ruleReaders, Summary: "What differs between two versions of a pack, line by line",
			Query:    []Param{{Name: "from", Type: "text", Doc: "published version; empty for the one in use"}, {Name: "to", Type: "text", Doc: "published version; empty for the one in use"}},
			Response: Diff{}, Handle: a.packDiff,
		},
		{
			Method: http.MethodPost, Path: "/rules/packs", Roles: ruleWriters, Summary: "Publish a pack: it must compile with the others in use, and its tests must hold unless force is said",
			Body: Publish{}, Response: rulestore.Published{}, MaxBody: 8 << 20, Timeout: time.Minute, Handle: a.publish,
		},
		{
			Method: http.MethodPost, Path: "/rules/packs/{pack}/rollback", Roles: ruleWriters, Summary: "Publish an older version again",
			Body: Rollback{}, Response: rulestore.Published{}, Timeout: time.Minute, Handle: a.rollback,
		},
		{
			Method: http.MethodPost, Path: "/rules/packs/{pack}/withdraw", Roles: ruleWriters, Summary: "Take a published pack out of use; one of the configuration counts again",
			Body: Withdraw{}, Response: rulestore.Published{}, Timeout: time.Minute, Handle: a.withdraw,
		},
	}
}

// inUse reads which rules are in use.
func (a *API) inUse(ctx context.Context) (*rulestore.InUse, error) {
	if a.Rules == nil {
		return nil, Unavailable("there are no rules here: this process has no rule store")
	}
	return a.Rules.InUse(ctx)
}

// ruleNames gives the rules in use and their names by id; nil and none where there are no rules here.
func (a *API) ruleNames(ctx context.Context) (*rules.Set, map[string]string, error) {
	if a.Rules == nil {
		return nil, map[string]string{}, nil
	}
	use, err := a.Rules.InUse(ctx)
	if err != nil {
		return nil, nil, err
	}
	return use.Set, use.RuleNames(), nil
}

func (a *API) rules(r *Request) (any, error) {
	use, err := a.inUse(r.Context())
	if err != nil {
		return nil, err
	}
	type hitRow struct {
		Rule      string     `ch:"rule_id"`
		Hits      uint64     `ch:"n"`
		Sessions  uint64     `ch:"s"`
		Confirmed uint64     `ch:"yes"`
		Dismissed uint64     `ch:"no"`
		Last      *time.Time `ch:"last_day"`
	}
	type ruleCounts struct {
		hits     []hitRow
		outcomes []struct {
			Rule    string `ch:"rule_id"`
			Outcome string `ch:"outcome"`
			N       uint64 `ch:"n"`
		}
	}
	x, err := a.facts(r.Context())
	if err != nil {
		return nil, err
	}
	where, p := r.Filter.Closed().Facts()
	counted, err := memo.Remember(r.Context(), a.memo, fmt.Sprint("rules", x.sessions(where), p), nil, func(ctx context.Context) (*ruleCounts, error) {
		c := new(ruleCounts)
		q := a.reads(ctx)
		q.all(&c.hits, `SELECT toString(rule_id) AS rule_id, count() AS n, uniqExact(session_id) AS s, countIf(state IN ('confirmed', 'upheld') AND NOT conflict) AS yes,
			countIf(state IN ('dismissed', 'overturned') AND NOT conflict) AS no, max(day) AS last_day FROM `+x.hits(where)+" GROUP BY rule_id", params(p)...)
		q.all(&c.outcomes, "SELECT toString(rule_id) AS rule_id, toString(outcome) AS outcome, count() AS n FROM (SELECT outcome_rule, outcome_value FROM "+x.sessions(where)+") ARRAY JOIN outcome_rule AS rule_id, outcome_value AS outcome GROUP BY rule_id, outcome", params(p)...)
		return c, q.wait()
	})
	if err != nil {
		return nil, err
	}
	out := &RuleList{Packs: use.Packs, Problems: use.Problems, Version: use.Set.Version()}
	for i := range out.Packs {
		out.Packs[i].Origin = originOf(out.Packs[i])
	}
	at := map[string]*RuleRow{}
	infos := use.Set.Rules()
	out.Rules = make([]RuleRow, len(infos))
	for i, info := range infos {
		info.File = filepath.Base(info.File) // where files lie on the server is nobody's business
		out.Rules[i].RuleInfo = info
		at[info.ID] = &out.Rules[i]
	}
	for _, h := range counted.hits {
		x := at[h.Rule]
		if x == nil {
			continue
		}
		x.Hits, x.Sessions, x.Confirmed, x.Dismissed = h.Hits, h.Sessions, h.Confirmed, h.Dismissed
		if n := h.Confirmed + h.Dismissed; n > 0 {
			precision := float64(h.Confirmed) / float64(n)
			x.Precision = &precision
		}
		if h.Last != nil {
			day := h.Last.Format(time.DateOnly)
			x.Last = &day
		}
	}
	for _, o := range counted.outcomes {
		if x := at[o.Rule]; x != nil {
			switch o.Outcome {
			case "pass":
				x.Outcomes.Pass = o.N
			case "fail":
				x.Outcomes.Fail = o.N
			case "na":
				x.Outcomes.NA = o.N
			case "present":
				x.Outcomes.Present = o.N
			case "absent":
				x.Outcomes.Absent = o.N
			}
		}
	}
	return out, nil
}

// originOf says where a pack comes from, without the path of a file.
func originOf(p rulestore.Pack) string {
	if strings.HasPrefix(p.Origin, "file ") {
		return "file"
	}
	return p.Origin
}

// textOf gives the text of a pack: of a published version, or of the one in use where version is "".
func (a *API) textOf(ctx context.Context, pack, version string) (*PackText, error) {
	if a.Rules == nil {
		return nil, Unavailable("there are no rules here: this process has no rule store")
	}
	if version != "" {
		row, err := a.Rules.Find(ctx, pack, version)
		if err != nil {
			return nil, storeError(err, "version")
		}
		return &PackText{Pack: pack, Version: row.Version, Origin: rulestore.OriginPublished, YAML: row.Content}, nil
	}
	use, err := a.Rules.InUse(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range use.Packs {
		if p.ID != pack {
			continue
		}
		text, err := p.YAML()
		if err != nil {
			return nil, err
		}
		t := &PackText{Pack: pack, Version: p.Version, Origin: originOf(p), YAML: string(text)}
		for _, x := range use.Set.Rules() {
			if x.Pack == pack {
				t.Rules = append(t.Rules, x.ID)
			}
		}
		return t, nil
	}
	return nil, NotFound("pack in use")
}

// storeError makes what the rule store refuses an error for the caller; failures of the warehouse stay what they are.
func storeError(err error, field string) error {
	var problems rules.Problems
	var failed rulestore.FailedTests
	switch {
	case err == nil:
		return nil
	case errors.As(err, &problems), errors.As(err, &failed):
		return &Error{http.StatusUnprocessableEntity, "not_valid", err.Error(), "yaml"}
	case errors.Is(err, rulestore.ErrNotPublished):
		return NotFound("published pack")
	case warehouse.ErrorCode(err) != 0, warehouse.IsTransient(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &Error{http.StatusBadRequest, "bad_value", err.Error(), field}
}

func (a *API) packText(r *Request) (any, error) {
	return a.textOf(r.Context(), r.PathValue("pack"), r.Get("version"))
}

func (a *API) ruleHistory(r *Request) (any, error) {
	use, err := a.inUse(r.Context())
	if err != nil {
		return nil, err
	}
	rows, err := a.Rules.History(r.Context(), r.Get("pack"))
	if err != nil {
		return nil, err
	}
	list := make([]Publication, len(rows))
	for i, x := range rows {
		list[i] = Publication{Pack: x.Pack, Version: x.Version, Author: x.Author, Note: x.Note, At: x.At, Active: x.Active}
		list[i].InUse = slices.ContainsFunc(use.Packs, func(p rulestore.Pack) bool {
			return p.ID == x.Pack && p.At.Equal(x.At) && p.Version == x.Version
		})
		for _, p := range use.Problems {
			if p.Pack == x.Pack && p.At.Equal(x.At) && p.Version == x.Version {
				list[i].Problem = p.Reason
			}
		}
	}
	slices.SortStableFunc(list, func(x, y Publication) int { return y.At.Compare(x.At) })
	return slicePage(r, list)
}

func (a *API) packDiff(r *Request) (any, error) {
	from, err := a.textOf(r.Context(), r.PathValue("pack"), r.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := a.textOf(r.Context(), r.PathValue("pack"), r.Get("to"))
	if err != nil {
		return nil, err
	}
	return &Diff{From: from.Version, To: to.Version, Lines: diffLines(from.YAML, to.YAML)}, nil
}

// Publish is a pack to be put into use.
type Publish struct {
	YAML  string `json:"yaml"`
	Note  string `json:"note" doc:"what was changed and why, for the history"`
	Force bool   `json:"force,omitempty" doc:"publish though tests fail"`
	// Base is the version that the text was made from: another one in use by now is a conflict.
	Base string `json:"base,omitempty" doc:"version that the text was made from; another one in use by now is a conflict"`
}

// Check implements the check of bodies.
func (p *Publish) Check() error {
	if strings.TrimSpace(p.YAML) == "" {
		return &Error{http.StatusBadRequest, "missing", "is needed", "yaml"}
	}
	return checkNote(p.Note)
}

func checkNote(note string) error {
	if len(note) > maxNote {
		return BadValue("note", "is longer than %d bytes", maxNote)
	}
	return nil
}

func (a *API) publish(r *Request) (any, error) {
	b := Body[Publish](r)
	ctx := r.Context()
	use, err := a.inUse(ctx)
	if err != nil {
		return nil, err
	}
	set, err := a.compile(draftName, b.YAML)
	if err != nil {
		return nil, storeError(err, "yaml")
	}
	id, _, _ := strings.Cut(set.Version(), "@")
	if b.Base != "" {
		for _, p := range use.Packs {
			if p.ID == id && p.Version != b.Base {
				return nil, Conflict("version %s of %s is in use by now, and this text was made from %s: look at the difference first", p.Version, id, b.Base)
			}
		}
	}
	// Written before it happens: what must be audited is not done without a trace.
	if err := access.Audit(ctx, access.ActionPublish, set.Version(), map[string]any{"note": b.Note, "force": b.Force}); err != nil {
		return nil, err
	}
	d := rulestore.Draft{Name: draftName, YAML: []byte(b.YAML), Author: r.Who.User, Note: b.Note, Force: b.Force}
	if a.Analyser != nil {
		d.Features = a.Analyser()
	}
	out, err := a.Rules.Publish(ctx, d)
	return out, storeError(err, "yaml")
}

// Rollback names the version that is to be in use again.
type Rollback struct {
	Version string `json:"version"`
	Note    string `json:"note"`
}

// Check implements the check of bodies.
func (b *Rollback) Check() error {
	if b.Version == "" || len(b.Version) > 200 {
		return &Error{http.StatusBadRequest, "missing", "is needed", "version"}
	}
	return checkNote(b.Note)
}

func (a *API) rollback(r *Request) (any, error) {
	b := Body[Rollback](r)
	if _, err := a.inUse(r.Context()); err != nil {
		return nil, err
	}
	if err := access.Audit(r.Context(), access.ActionPublish, r.PathValue("pack"), map[string]any{"rollback": b.Version, "note": b.Note}); err != nil {
		return nil, err
	}
	out, err := a.Rules.Rollback(r.Context(), r.PathValue("pack"), b.Version, r.Who.User, b.Note)
	return out, storeError(err, "version")
}

// Withdraw says why.
type Withdraw struct {
	Note string `json:"note"`
}

// Check implements the check of bodies.
func (b *Withdraw) Check() error { return checkNote(b.Note) }

func (a *API) withdraw(r *Request) (any, error) {
	b := Body[Withdraw](r)
	if _, err := a.inUse(r.Context()); err != nil {
		return nil, err
	}
	if err := access.Audit(r.Context(), access.ActionPublish, r.PathValue("pack"), map[string]any{"withdraw": true, "note": b.Note}); err != nil {
		return nil, err
	}
	out, err := a.Rules.Withdraw(r.Context(), r.PathValue("pack"), r.Who.User, b.Note)
	return out, storeError(err, "pack")
}
