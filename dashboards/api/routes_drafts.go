package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/ruleform"
	"github.com/tingke/tingke/pipeline/backtest"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// draftName stands for the file in messages about a text that a person writes.
const draftName = "draft.yaml"

// Bounds of work on drafts.
const (
	maxYAML          = 8 << 20
	maxBacktest      = 200_000 // sessions
	maxExplained     = 30      // rules of one try
	maxPastedTurns   = 500
	emptyPackYAML    = "id: %s\nversion: \"1\"\nrules: []\n"
	draftPack        = "custom"
	maxSearchedWords = 20
)

// Draft is the text of a pack that is being written.
type Draft struct {
	YAML string `json:"yaml"`
}

// Check implements the check of bodies.
func (d *Draft) Check() error {
	if strings.TrimSpace(d.YAML) == "" {
		return &Error{http.StatusBadRequest, "missing", "is needed", "yaml"}
	}
	return nil
}

// Lint is what the author of a pack should know.
type Lint struct {
	OK       bool          `json:"ok" doc:"no errors; there may be warnings"`
	Problems []LintProblem `json:"problems"`
	Pack     string        `json:"pack,omitempty"`
	Version  string        `json:"version,omitempty"`
	Rules    []DraftRule   `json:"rules"`
}

// LintProblem is one thing wrong, with its place.
type LintProblem struct {
	Line     int    `json:"line" doc:"from 1; 0 for the text as a whole"`
	Column   int    `json:"column" doc:"from 1, in characters"`
	Text     string `json:"text,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	Severity string `json:"severity" enum:"error,warning"`
}

// DraftRule is a rule of a draft.
type DraftRule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Line int    `json:"line"`
	Form string `json:"form,omitempty" doc:"the form that it can be changed by, empty for none"`
}

func (a *API) draftRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/rules/lint", Roles: ruleReaders, Summary: "What is wrong with the text of a pack, with places, alone and with the packs in use",
			Body: Draft{}, Response: Lint{}, MaxBody: maxYAML, Handle: a.lint,
		},
		{
			Method: http.MethodPost, Path: "/rules/test", Roles: ruleReaders, Summary: "Run the tests in the text of a pack",
			Body: Draft{}, Response: TestRun{}, MaxBody: maxYAML, Handle: a.testDraft,
		},
		{
			Method: http.MethodPost, Path: "/rules/try", Roles: ruleReaders, Summary: "Judge a pasted conversation by a draft, or by the rules in use, and explain every rule",
			Body: Try{}, Response: Tried{}, MaxBody: maxYAML, Handle: a.try,
		},
		{
			Method: http.MethodPost, Path: "/rules/backtest", Roles: []access.Role{access.Admin, access.Supervisor, access.Analyst}, Summary: "Run a draft beside the rules in use over a stored period, as a job",
			Body: Backtest{}, Response: Job{}, MaxBody: maxYAML, Handle: a.backtest,
		},
		{
			Method: http.MethodGet, Path: "/rules/forms", Roles: ruleReaders, Summary: "Forms of common rules: their fields, with an example each",
			Response: Page[ruleform.Form]{}, Handle: func(*Request) (any, error) {
				return &Page[ruleform.Form]{Items: ruleform.Forms()}, nil
			},
		},
		{
			Method: http.MethodPost, Path: "/rules/forms/apply", Roles: ruleReaders, Summary: "Put a rule that was filled in into the text of a pack; what the form does not speak of stays, comments too",
			Body: FormApply{}, Response: FormApplied{}, MaxBody: maxYAML, Handle: a.applyForm,
		},
		{
			Method: http.MethodPost, Path: "/rules/forms/read", Roles: ruleReaders, Summary: "The form of a rule in the text of a pack, and its values",
			Body: FormRead{}, Response: FormValues{}, MaxBody: maxYAML, Handle: a.readForm,
		},
		{
			Method: http.MethodPost, Path: "/searches/draft", Roles: ruleReaders, Summary: "A rule made of the words of a search, as a form to go on with and as text",
			Body: SearchDraft{}, Response: FormApplied{}, Handle: a.searchDraft,
		},
		{
			Method: http.MethodGet, Path: "/sessions/{session_id}/explain", Roles: everybody, Summary: "Why a rule says what it says of a stored session: every condition with its value",
			Query: []Param{{Name: "rule", Type: "text", Required: true, Doc: "which"}}, Response: SessionExplanation{}, Handle: a.explainSession,
		},
	}
}

func (a *API) compile(name, yaml string) (*rules.Set, error) {
	return rules.LoadWith(a.RuleOptions, rules.Text(name, []byte(yaml)))
}

func lintProblems(list rules.Problems) []LintProblem {
	out := make([]LintProblem, len(list))
	for i, p := range list {
		severity := p.Severity
		if severity == "" {
			severity = rules.SeverityError
		}
		out[i] = LintProblem{p.Line, p.Column, p.Text, p.Message, p.Hint, severity}
	}
	return out
}

func (a *API) lint(r *Request) (any, error) { return a.lintText(r.Context(), Body[Draft](r).YAML) }

func (a *API) lintText(ctx context.Context, yaml string) (*Lint, error) {
	out := &Lint{Problems: lintProblems(rules.Lint(a.RuleOptions, rules.Text(draftName, []byte(yaml))))}
	set, err := a.compile(draftName, yaml)
	if err != nil {
		var problems rules.Problems
		if len(out.Problems) == 0 && errors.As(err, &problems) {
			out.Problems = lintProblems(problems)
		}
		return out, nil
	}
	out.OK = true
	out.Pack, out.Version, _ = strings.Cut(set.Version(), "@")
	for _, x := range set.Rules() {
		d := DraftRule{ID: x.ID, Name: x.Name, Line: x.Line}
		if form, _, err := ruleform.Recognise([]byte(yaml), x.ID); err == nil && form != nil {
			d.Form = form.ID
		}
		out.Rules = append(out.Rules, d)
	}
	if a.Rules == nil {
		return out, nil
	}
	use, err := a.Rules.InUse(ctx)
	if err != nil {
		return nil, err
	}
	var problems rules.Problems
	if _, err := a.Rules.With(use, out.Pack, rules.Text(draftName, []byte(yaml))); errors.As(err, &problems) {
		out.OK = false
		out.Problems = append(out.Problems, lintProblems(problems)...)
	}
	return out, nil
}

// TestRun are the tests of a draft.
type TestRun struct {
	OK      bool               `json:"ok"`
	Results []rules.TestResult `json:"results"`
}

// analyser gives what features are made with.
func (a *API) featuriser() (rules.Featuriser, error) {
	if a.Analyser == nil {
		return nil, Unavailable("conversations cannot be judged here: this process has no analyser")
	}
	return a.Analyser(), nil
}

func (a *API) testDraft(r *Request) (any, error) {
	set, err := a.compile(draftName, Body[Draft](r).YAML)
	if err != nil {
		return nil, storeError(err, "yaml")
	}
	f, err := a.featuriser()
	if err != nil {
		return nil, err
	}
	out := &TestRun{OK: true, Results: set.Test(f)}
	for _, t := range out.Results {
		out.OK = out.OK && t.OK
	}
	return out, nil
}

// Try is a conversation to be judged.
type Try struct {
	YAML  string `json:"yaml,omitempty" doc:"text of a pack; the rules in use where it is not given"`
	Rule  string `json:"rule,omitempty" doc:"explain only this rule; all that found something, and the first others, where it is not given"`
	Text  string `json:"text,omitempty" doc:"a conversation, one utterance a line: 客户: ..., 客服: ..., with or without a time such as 10:00:05 in front"`
	Turns []struct {
		Role    string   `json:"role" enum:"customer,agent,bot,system"`
		Text    string   `json:"text"`
		Seconds *float64 `json:"seconds,omitempty" doc:"when, from the start"`
	} `json:"turns,omitempty" doc:"the same in parts"`
	Business string `json:"business,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Shop     string `json:"shop,omitempty"`
}

// Tried is what came of it.
type Tried struct {
	Turns        []TriedTurn          `json:"turns"`
	Hits         []schemas.Hit        `json:"hits"`
	Outcomes     map[string]string    `json:"outcomes"`
	Score        schemas.Opt[float64] `json:"score"`
	Flagged      bool                 `json:"flagged"`
	Trail        rules.ScoreTrail     `json:"trail"`
	Explanations []rules.Explanation  `json:"explanations"`
}

// TriedTurn is an utterance with what was recognised.
type TriedTurn struct {
	Seq      int64   `json:"seq"`
	Role     string  `json:"role"`
	Text     string  `json:"text" doc:"masked"`
	Emotion  string  `json:"emotion"`
	Polarity float32 `json:"polarity"`
}

// Check implements the check of bodies.
func (t *Try) Check() error {
	if (strings.TrimSpace(t.Text) == "") == (len(t.Turns) == 0) {
		return &Error{http.StatusBadRequest, "missing", "paste a conversation, or give its turns", "text"}
	}
	if len(t.Turns) > maxPastedTurns || len(t.Text) > 1<<20 {
		return BadValue("turns", "are more than %d", maxPastedTurns)
	}
	return nil
}

func (a *API) try(r *Request) (any, error) {
	b := Body[Try](r)
	t, err := b.transcript(a)
	if err != nil {
		return nil, err
	}
	f, err := a.featuriser()
	if err != nil {
		return nil, err
	}
	var set *rules.Set
	if b.YAML != "" {
		if set, err = a.compile(draftName, b.YAML); err != nil {
			return nil, storeError(err, "yaml")
		}
	} else {
		use, err := a.inUse(r.Context())
		if err != nil {
			return nil, err
		}
		set = use.Set
	}
	features := f.Features(t)
	found := set.Evaluate(t, features)
	out := &Tried{Hits: found.Hits, Outcomes: found.Outcomes, Score: found.Score, Flagged: found.Flagged, Trail: set.ScoreTrail(&found)}
	for i := range t.Turns {
		x := &t.Turns[i]
		out.Turns = append(out.Turns, TriedTurn{int64(i + 1), string(x.Role), x.Text, features.Turns[i].Emotion.String(), features.Turns[i].Polarity})
		if x.Seq.OK {
			out.Turns[i].Seq = x.Seq.V
		}
	}
	hit := map[string]bool{}
	for _, h := range found.Hits {
		hit[h.RuleID] = true
	}
	explain := func(id string) error {
		x, err := set.Explain(t, features, id)
		if err != nil {
			return BadValue("rule", "%s", err)
		}
		out.Explanations = append(out.Explanations, x)
		return nil
	}
	if b.Rule != "" {
		return out, explain(b.Rule)
	}
	for _, first := range []bool{true, false} {
		for _, x := range set.Rules() {
			if hit[x.ID] == first && len(out.Explanations) < maxExplained {
				if err := explain(x.ID); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// speakers are the names that pasted conversations give to the sides.
var speakers = map[string]schemas.Role{
	"客户": schemas.Customer, "顾客": schemas.Customer, "买家": schemas.Customer, "用户": schemas.Customer, "customer": schemas.Customer, "c": schemas.Customer, "q": schemas.Customer,
	"客服": schemas.Agent, "坐席": schemas.Agent, "卖家": schemas.Agent, "店员": schemas.Agent, "agent": schemas.Agent, "a": schemas.Agent,
	"机器人": schemas.Bot, "bot": schemas.Bot, "系统": schemas.System, "system": schemas.System,
}

// pasted is when a pasted conversation without a date took place: any day will do, and it must not depend on the clock.
var pasted = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// transcript makes a masked transcript of what was pasted.
func (t *Try) transcript(a *API) (*schemas.Transcript, error) {
	s := &schemas.Session{}
	s.SessionID, s.Business, s.Channel, s.Shop, s.AgentID = "pasted", t.Business, t.Channel, t.Shop, "agent"
	for i, x := range t.Turns {
		turn := schemas.Turn{Role: schemas.Role(x.Role), Text: x.Text}
		if speakers[x.Role] != turn.Role || x.Role == "" {
			return nil, BadValue("turns", "turn %d: %q is none of customer, agent, bot, system", i+1, clip(x.Role, 40))
		}
		if x.Seconds != nil {
			if *x.Seconds < 0 || *x.Seconds > 86400 || !finite(*x.Seconds) {
				return nil, BadValue("turns", "turn %d: seconds lie between 0 and 86400", i+1)
			}
			turn.At = pasted.Add(time.Duration(*x.Seconds * float64(time.Second)))
		}
		s.Turns = append(s.Turns, turn)
	}
	for n, line := range strings.Split(t.Text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		at, rest := clockTime(line)
		name, text, ok := cutColon(rest)
		role := speakers[strings.ToLower(strings.TrimSpace(name))]
		switch {
		case ok && role != "":
			s.Turns = append(s.Turns, schemas.Turn{Role: role, Text: strings.TrimSpace(text), At: at})
		case len(s.Turns) > 0: // goes on
			s.Turns[len(s.Turns)-1].Text += "\n" + line
		default:
			return nil, BadValue("text", "line %d does not say who speaks: begin it with 客户: or 客服:", n+1)
		}
	}
	if len(s.Turns) > maxPastedTurns {
		return nil, BadValue("text", "has more than %d utterances", maxPastedTurns)
	}
	for i := range s.Turns {
		s.Turns[i].Seq = schemas.Some(int64(i + 1))
		if s.Turns[i].Role == schemas.Agent {
			s.Turns[i].AgentID = "agent"
		}
	}
	return a.closedTranscript(&schemas.Message{Type: "session", Session: s}), nil
}

func cutColon(s string) (name, text string, ok bool) {
	i := strings.IndexAny(s, ":：")
	if i < 0 {
		return "", s, false
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[:i], s[i+size:], true
}

// clockTime takes a time such as 10:00:05, with or without brackets, off the beginning of a line.
func clockTime(line string) (time.Time, string) {
	first, rest, ok := strings.Cut(line, " ")
	if !ok {
		return time.Time{}, line
	}
	first = strings.Trim(first, "[]()")
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, first); err == nil {
			return pasted.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second), rest
		}
	}
	return time.Time{}, line
}

// Backtest is a draft and a period.
type Backtest struct {
	YAML    string `json:"yaml"`
	From    string `json:"from" doc:"first day"`
	To      string `json:"to" doc:"last day, inside"`
	Samples int    `json:"samples,omitempty" doc:"sessions shown of each rule that fire newly, and that fire no more; 5 where it is not given"`
}

// Check implements the check of bodies.
func (b *Backtest) Check() error {
	if strings.TrimSpace(b.YAML) == "" {
		return &Error{http.StatusBadRequest, "missing", "is needed", "yaml"}
	}
	from, err := time.Parse(time.DateOnly, b.From)
	if err != nil {
		return BadValue("from", "is no day such as 2026-03-01")
	}
	to, err := time.Parse(time.DateOnly, b.To)
	if err != nil || to.Before(from) {
		return BadValue("to", "is no day such as 2026-03-31, not before from")
	}
	if b.Samples < 0 || b.Samples > 50 {
		return BadValue("samples", "lies between 0 and 50")
	}
	return nil
}

func (a *API) backtest(r *Request) (any, error) {
	b := Body[Backtest](r)
	ctx := r.Context()
	if _, err := a.featuriser(); err != nil {
		return nil, err
	}
	use, err := a.inUse(ctx)
	if err != nil {
		return nil, err
	}
	alone, err := a.compile(draftName, b.YAML)
	if err != nil {
		return nil, storeError(err, "yaml")
	}
	id, _, _ := strings.Cut(alone.Version(), "@")
	draft, err := a.Rules.With(use, id, rules.Text(draftName, []byte(b.YAML)))
	if err != nil {
		return nil, storeError(err, "yaml")
	}
	from, _ := time.ParseInLocation(time.DateOnly, b.From, a.Timezone)
	to, _ := time.ParseInLocation(time.DateOnly, b.To, a.Timezone)
	to = to.AddDate(0, 0, 1)
	n, err := a.Warehouse.CountClosedSessions(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if n > maxBacktest {
		return nil, BadValue("from", "the period has %d sessions, more than %d; take a shorter one, or run tingke rules backtest", n, maxBacktest)
	}
	next := backtest.NewStored(a.Warehouse, from, to).Next
	if !r.Scope.All() {
		if next, n, err = a.scopedSessions(r, b, next); err != nil {
			return nil, err
		}
	}
	o := backtest.Options{Pack: id, Live: use.Set, Draft: draft, Base: a.Analyser(), Samples: b.Samples, Zone: a.Timezone, Workers: 1}
	return a.start(r, "backtest", fmt.Sprintf("%s, %s to %s", alone.Version(), b.From, b.To), n, func(ctx context.Context, progress func(int)) (any, error) {
		o.Progress = progress
		return backtest.Run(ctx, o, next)
	})
}

// scopedSessions lets only those sessions through that the caller may see.
func (a *API) scopedSessions(r *Request, b *Backtest, next func(context.Context) (backtest.Session, bool, error)) (func(context.Context) (backtest.Session, bool, error), int, error) {
	where, p := r.Filter.With("from", b.From).With("to", b.To).Closed().Where()
	var ids []struct {
		ID string `ch:"session_id"`
	}
	if err := a.Warehouse.Conn().Select(r.Context(), &ids, "SELECT session_id FROM sessions WHERE "+where, p...); err != nil {
		return nil, 0, err
	}
	seen := make(map[string]bool, len(ids))
	for _, x := range ids {
		seen[x.ID] = true
	}
	return func(ctx context.Context) (backtest.Session, bool, error) {
		for {
			s, ok, err := next(ctx)
			if err != nil || !ok || seen[s.Transcript.Meta.SessionID] {
				return s, ok, err
			}
		}
	}, len(ids), nil
}
