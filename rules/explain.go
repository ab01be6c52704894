package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tingke/tingke/schemas"
)

// Explanation says why a rule says what it says of one session: every condition with its place in the pack, where it
// looked, what it found and what came of it.
type Explanation struct {
	SessionID string `json:"session_id"`
	RuleID    string `json:"rule_id"`
	Name      string `json:"name"`
	// Version is the full version of the rule's pack.
	Pack     string  `json:"pack"`
	Version  string  `json:"version"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Column   int     `json:"column"`
	Severity string  `json:"severity"`
	Outcome  string  `json:"outcome"`
	Why      string  `json:"why,omitempty"` // of na: what is missing, "open", or "does_not_apply"
	Summary  string  `json:"summary"`       // how the outcome follows, one sentence
	Points   float64 `json:"points"`        // what the rule costs this session
	// Applies is what the rule demands of a session; nil where it takes every one.
	Applies []FieldCheck `json:"applies,omitempty"`
	// Conditions is the trigger, or the only condition of a rule without one.
	Conditions []Step `json:"conditions"`
	// TriggerHits are the hits of the trigger, each with what was expected or forbidden after it.
	TriggerHits     []TriggerHit `json:"trigger_hits,omitempty"`
	MoreTriggerHits int          `json:"more_trigger_hits,omitempty"`
	// Hits are what the rule reports.
	Hits  []schemas.Hit `json:"hits"`
	Score ScoreTrail    `json:"score"`
}

// Step is one condition, evaluated at one place.
type Step struct {
	// As says what it is to the condition around it: trigger, expect, forbid, unless, all, any, not, in_clause ...
	As       string `json:"as"`
	Operator string `json:"operator,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	YAML     string `json:"yaml,omitempty"`
	// Range is where the condition asks to look, in words; Searched the turns looked at; Growing says that turns still to
	// come may join them. Part is the clause or turn looked at, where it is only one.
	Range    string      `json:"range,omitempty"`
	Searched []TurnRange `json:"searched,omitempty"`
	Growing  bool        `json:"growing,omitempty"`
	Part     *Quote      `json:"part,omitempty"`
	// Truth is yes, no, open (turns still to come decide) or na (Why says what is missing).
	Truth string `json:"truth"`
	Why   string `json:"why,omitempty"`
	// Value is what was measured or compared, in words.
	Value        string     `json:"value,omitempty"`
	Evidence     []Quote    `json:"evidence,omitempty"`
	MoreEvidence int        `json:"more_evidence,omitempty"`
	Lists        []WordList `json:"lists,omitempty"`
	// Steps are the parts of the condition; MoreParts counts turns or clauses that are not shown, of those where least holds.
	Steps     []Step `json:"steps,omitempty"`
	MoreParts int    `json:"more_parts,omitempty"`

	dropped int
}

// TriggerHit is a hit of the trigger and what became of it: "met", "broken", "open", "na", "not looked at" (which: asks
// for another one) or "not reached" (an earlier one is still open).
type TriggerHit struct {
	Quote
	Became string `json:"became"`
	Why    string `json:"why,omitempty"`
	Steps  []Step `json:"steps,omitempty"`

	turn int32
}

// Quote is a place with its words: a turn and bytes of its masked text.
type Quote struct {
	Turn  int64  `json:"turn"`
	Role  string `json:"role"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	Text  string `json:"text"`
}

// TurnRange is a run of neighbouring turns by seq, both ends inside.
type TurnRange struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// WordList is a shared list that a condition names, with its first words.
type WordList struct {
	Name  string   `json:"name"`
	Words []string `json:"words"`
	Total int      `json:"total"`
}

// FieldCheck is one demand of applies.
type FieldCheck struct {
	Field string   `json:"field"`
	Want  []string `json:"want"`
	Got   string   `json:"got"`
	Holds bool     `json:"holds"`
}

// Explain evaluates one rule over one session and tells every condition with its value, and how the session's score came
// about. It agrees with Evaluate and is as pure; it is slower and meant for one rule at a time. Explanations are bounded:
// what is left out is counted.
func (s *Set) Explain(t *schemas.Transcript, f *schemas.Features, ruleID string) (Explanation, error) {
	if t == nil {
		return Explanation{}, errors.New("there is no session to explain")
	}
	at := slices.IndexFunc(s.rules, func(r *rule) bool { return r.id == ruleID })
	if at < 0 {
		var ids []string
		for _, r := range s.rules {
			ids = append(ids, r.id)
		}
		return Explanation{}, fmt.Errorf("no rule %q in %s (%s)", ruleID, s.version, didYouMean(ruleID, ids))
	}
	r := s.rules[at]
	found := s.Evaluate(t, f)
	x := Explanation{SessionID: t.Meta.SessionID, RuleID: r.id, Name: r.name, Pack: r.pack.id, Version: r.pack.fullVersion(),
		File: r.file, Line: r.at.line, Column: r.at.column, Severity: r.severity, Score: s.ScoreTrail(&found)}
	for _, h := range found.Hits {
		if h.RuleID == r.id {
			x.Hits = append(x.Hits, h)
			if r.item == nil {
				x.Points += h.Points
			}
		}
	}

	e := new(evaluation)
	e.start(s, t, f)
	e.scan()
	tr := &trace{pack: r.pack}
	tr.steps = &tr.root
	e.trace, e.explaining = tr, true
	v := e.judge(r)
	x.Outcome, x.Why = v.outcome, v.why
	x.Conditions, x.TriggerHits, x.MoreTriggerHits = tr.root, tr.hits, tr.more
	if r.applies != nil {
		x.Applies = r.applies.checks(t)
		if !r.applies.match(t) {
			x.Why = "does_not_apply"
		}
	}
	x.Summary = summary(r, &x)
	return x, nil
}

// summary says in a sentence how the outcome follows from the conditions.
func summary(r *rule, x *Explanation) string {
	truth := ""
	if len(x.Conditions) > 0 {
		truth = x.Conditions[0].Truth
	}
	count := map[string]int{}
	for _, h := range x.TriggerHits {
		count[h.Became]++
	}
	switch {
	case x.Why == "does_not_apply":
		return "the rule does not apply to this session"
	case x.Why == whyOpen:
		return "the session is open and turns still to come decide"
	case x.Why != "":
		return "what the rule needs is missing: " + x.Why
	case len(x.Conditions) == 0:
		return "the range has no turn, so there is nothing to look at"
	case r.observes() && truth == truthNames[yes]:
		return "the trigger occurs"
	case r.trigger != nil && truth == truthNames[no]:
		return "the trigger does not occur"
	case r.trigger != nil && len(x.TriggerHits) > 0:
		return fmt.Sprintf("of %d hits of the trigger %d met, %d broken, %d open, %d not looked at", len(x.TriggerHits)+x.MoreTriggerHits, count["met"], count["broken"], count["open"]+count["not reached"], count["not looked at"])
	case r.forbid != nil && truth == truthNames[yes]:
		return "what is forbidden occurs"
	case r.forbid != nil:
		return "what is forbidden does not occur"
	case truth == truthNames[yes]:
		return "what is expected is there"
	}
	return "what is expected is not there"
}

// checks tells each demand on a session.
func (a *applies) checks(t *schemas.Transcript) []FieldCheck {
	var out []FieldCheck
	for _, name := range a.names {
		got := metaField(&t.Meta, name)
		out = append(out, FieldCheck{Field: name, Want: a.fields[name], Got: got, Holds: slices.Contains(a.fields[name], got)})
	}
	if !a.from.IsZero() || !a.till.IsZero() {
		c := FieldCheck{Field: "day", Holds: a.inPeriod(t)}
		if !a.from.IsZero() {
			c.Want = append(c.Want, "from "+a.from.Format("2006-01-02"))
		}
		if !a.till.IsZero() {
			c.Want = append(c.Want, "to "+a.till.AddDate(0, 0, -1).Format("2006-01-02"))
		}
		if at := startOf(t); !at.IsZero() {
			c.Got = at.In(packZone).Format("2006-01-02")
		}
		out = append(out, c)
	}
	return out
}

// Text writes the explanation for reading in a terminal.
func (x *Explanation) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s), %s@%s, %s:%d:%d\n", x.RuleID, x.Name, x.Severity, x.Pack, x.Version, x.File, x.Line, x.Column)
	fmt.Fprintf(&b, "session %s: %s", x.SessionID, x.Outcome)
	if x.Why != "" {
		fmt.Fprintf(&b, " (%s)", x.Why)
	}
	fmt.Fprintf(&b, ", %s\n", x.Summary)
	for _, h := range x.Hits {
		fmt.Fprintf(&b, "  %g points, agent %s: %s\n", h.Points, orNobody(h.AgentID), h.Reason)
	}
	for _, c := range x.Applies {
		fmt.Fprintf(&b, "applies: %s is %q, wanted %s: %s\n", c.Field, c.Got, strings.Join(c.Want, ", "), yesNo(c.Holds))
	}
	for i := range x.Conditions {
		x.Conditions[i].text(&b, x.File, "", nil)
	}
	for i := range x.TriggerHits {
		h := &x.TriggerHits[i]
		fmt.Fprintf(&b, "hit %d: %s: %s", i+1, h.Quote, h.Became)
		if h.Why != "" {
			fmt.Fprintf(&b, " (%s)", h.Why)
		}
		b.WriteByte('\n')
		for k := range h.Steps {
			h.Steps[k].text(&b, x.File, "  ", nil)
		}
	}
	if x.MoreTriggerHits > 0 {
		fmt.Fprintf(&b, "... and %d further hits\n", x.MoreTriggerHits)
	}
	b.WriteString(x.Score.Text())
	return b.String()
}

func (q Quote) String() string {
	return fmt.Sprintf("turn %d %s 「%s」", q.Turn, q.Role, quote(q.Text))
}

// text writes a step; around is the part of the session that the step outside it named already.
func (st *Step) text(b *strings.Builder, file, pad string, around *Quote) {
	fmt.Fprintf(b, "%s%s", pad, st.As)
	if st.Operator != "" && st.Operator != st.As {
		fmt.Fprintf(b, " %s", st.Operator)
	}
	fmt.Fprintf(b, ": %s", strings.ToUpper(st.Truth))
	if st.Why != "" {
		fmt.Fprintf(b, " (%s)", st.Why)
	}
	if st.Value != "" {
		fmt.Fprintf(b, ", %s", st.Value)
	}
	if st.Part != nil && (around == nil || *around != *st.Part) {
		fmt.Fprintf(b, " in %s", *st.Part)
	}
	b.WriteByte('\n')
	pad += "  "
	if st.YAML != "" {
		fmt.Fprintf(b, "%s%s:%d:%d  %s\n", pad, file, st.Line, st.Column, clip(strings.Join(strings.Fields(st.YAML), " "), 120))
	}
	if st.Range != "" || st.Truth != truthNames[yes] && st.Part == nil {
		where := st.Range
		if where == "" {
			where = "the turns given"
		}
		fmt.Fprintf(b, "%ssearched %s: %s", pad, where, rangesText(st.Searched))
		if st.Growing {
			b.WriteString(", and turns to come")
		}
		b.WriteByte('\n')
	}
	for _, l := range st.Lists {
		fmt.Fprintf(b, "%s<%s>: %s", pad, l.Name, strings.Join(l.Words, ", "))
		if l.Total > len(l.Words) {
			fmt.Fprintf(b, " ... %d words", l.Total)
		}
		b.WriteByte('\n')
	}
	for _, q := range st.Evidence {
		fmt.Fprintf(b, "%sfound %s\n", pad, q)
	}
	if st.MoreEvidence > 0 {
		fmt.Fprintf(b, "%s... and %d further places\n", pad, st.MoreEvidence)
	}
	if st.Operator == "" && st.weight() == 0 {
		return // a part of the session where nothing holds
	}
	for i := range st.Steps {
		st.Steps[i].text(b, file, pad, st.Part)
	}
	if st.MoreParts > 0 {
		fmt.Fprintf(b, "%s... and %d further places where less holds\n", pad, st.MoreParts)
	}
}

func rangesText(list []TurnRange) string {
	if len(list) == 0 {
		return "no turn"
	}
	var parts []string
	for i, r := range list {
		switch {
		case i == 30:
			parts = append(parts, fmt.Sprintf("... %d runs", len(list)))
		case i > 30:
		case r.From == r.To:
			parts = append(parts, fmt.Sprint(r.From))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", r.From, r.To))
		}
	}
	return "turns " + strings.Join(parts, ", ")
}

func orNobody(agent string) string {
	if agent == "" {
		return "unknown"
	}
	return agent
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
