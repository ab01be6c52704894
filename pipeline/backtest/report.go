package backtest

import (
	"cmp"
	"math"
	"slices"

	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Report says what a draft would have changed. A rule fires in a session where its outcome is fail or present.
type Report struct {
	Pack     string `json:"pack"`
	Live     string `json:"live"`  // version of the rules in use
	Draft    string `json:"draft"` // version with the draft
	Sessions int    `json:"sessions"`
	Turns    int    `json:"turns"`
	// FirstDay and LastDay are of the sessions' starts; "" where none has a time.
	FirstDay string       `json:"first_day,omitempty"`
	LastDay  string       `json:"last_day,omitempty"`
	Rules    []RuleReport `json:"rules"` // of the draft in its order, then those it no longer has
	Score    ScoreReport  `json:"score"`
	Flagged  Change       `json:"flagged"`
	Days     []DayReport  `json:"days"`
	Agents   []Agent      `json:"agents"` // the most changed first
}

// Change counts sessions in which something is so with the rules in use and with the draft.
type Change struct {
	Live  int `json:"live"`
	Draft int `json:"draft"`
	New   int `json:"new"`  // only with the draft
	Gone  int `json:"gone"` // only with the rules in use
	Same  int `json:"same"` // with both
}

func (c *Change) add(live, draft bool) {
	switch {
	case live && draft:
		c.Live++
		c.Draft++
		c.Same++
	case live:
		c.Live++
		c.Gone++
	case draft:
		c.Draft++
		c.New++
	}
}

// RuleReport is about one rule.
type RuleReport struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// State is "both", "new" where the rules in use have no such rule, "gone" where the draft has none.
	State    string  `json:"state"`
	Severity string  `json:"severity"`
	Points   float64 `json:"points"`
	Fires    Change  `json:"fires"`
	// LiveOutcomes and DraftOutcomes count sessions by outcome; sessions in which a rule is not reported are left out.
	LiveOutcomes  map[string]int `json:"live_outcomes"`
	DraftOutcomes map[string]int `json:"draft_outcomes"`
	Days          []RuleDay      `json:"days"`
	New           []Sample       `json:"new_samples"`
	Gone          []Sample       `json:"gone_samples"`
	Reviews       Reviews        `json:"reviews"`
}

// RuleDay is one day of a rule; days without a hit of either are left out.
type RuleDay struct {
	Day string `json:"day"` // "" for sessions without a time
	Change
}

// Sample is a session in which a rule fires with one of the two sets only.
type Sample struct {
	SessionID string  `json:"session_id"`
	HitID     string  `json:"hit_id"`
	AgentID   string  `json:"agent_id,omitempty"`
	Outcome   string  `json:"outcome"`
	Reason    string  `json:"reason"`
	Quotes    []Quote `json:"quotes"`

	order string // decides which samples are kept, the same for every order of sessions
}

// Quote is a turn that a hit rests on; Start and End are bytes of its masked text.
type Quote struct {
	Turn  int64        `json:"turn"`
	Role  schemas.Role `json:"role"`
	Text  string       `json:"text"`
	Start int          `json:"start"`
	End   int          `json:"end"`
}

// Reviews compares a rule with what reviewers decided about its hits. Precision and recall are over hits that a reviewer
// has decided; what nobody has looked at counts for neither.
type Reviews struct {
	// Confirmed is the number of this rule's hits that reviewers called right, Dismissed of those called wrong, found by
	// either set or by none any more.
	Confirmed int     `json:"confirmed"`
	Dismissed int     `json:"dismissed"`
	Live      Quality `json:"live"`
	Draft     Quality `json:"draft"`
}

// Quality is how one rule set stands to the decisions.
type Quality struct {
	Confirmed int `json:"confirmed"` // confirmed hits it finds
	Dismissed int `json:"dismissed"` // dismissed hits it finds
	// Precision is confirmed / (confirmed + dismissed); Recall is confirmed / all that were confirmed. Absent without any.
	Precision schemas.Opt[float64] `json:"precision,omitzero"`
	Recall    schemas.Opt[float64] `json:"recall,omitzero"`
}

// ScoreReport is about the scores of sessions that have one with both sets.
type ScoreReport struct {
	Sessions  int                  `json:"sessions"`
	LiveMean  schemas.Opt[float64] `json:"live_mean,omitzero"`
	DraftMean schemas.Opt[float64] `json:"draft_mean,omitzero"`
	Lower     int                  `json:"lower"` // sessions whose score falls
	Higher    int                  `json:"higher"`
}

// DayReport is one day of all sessions.
type DayReport struct {
	Day       string               `json:"day"`
	Sessions  int                  `json:"sessions"`
	Flagged   Change               `json:"flagged"`
	LiveMean  schemas.Opt[float64] `json:"live_mean,omitzero"`
	DraftMean schemas.Opt[float64] `json:"draft_mean,omitzero"`
}

// Agent is the effect on one agent: the mean over the sessions the agent took part in.
type Agent struct {
	AgentID   string  `json:"agent_id"`
	Sessions  int     `json:"sessions"`
	LiveMean  float64 `json:"live_mean"`
	DraftMean float64 `json:"draft_mean"`
	Change    float64 `json:"change"`
}

// means adds up scores of both sets.
type means struct {
	n           int
	live, draft float64
}

func (m *means) add(live, draft float64) { m.n++; m.live += live; m.draft += draft }

func (m *means) get() (live, draft schemas.Opt[float64]) {
	if m.n == 0 {
		return
	}
	return schemas.Some(round(m.live / float64(m.n))), schemas.Some(round(m.draft / float64(m.n)))
}

// round keeps three decimals: more would be noise.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// sum builds a report session by session, in their order.
type sum struct {
	o      *Options
	report *Report
	rules  map[string]*RuleReport
	days   map[string]*day
	agents map[string]*means
	scores means
}

type day struct {
	DayReport
	scores means
	rules  map[string]*Change
}

func newSum(o *Options) *sum {
	s := &sum{o: o, report: &Report{Pack: o.Pack, Live: o.Live.Version(), Draft: o.Draft.Version(), Days: []DayReport{}, Agents: []Agent{}},
		rules: map[string]*RuleReport{}, days: map[string]*day{}, agents: map[string]*means{}}
	add := func(r rules.RuleInfo, state string) {
		if r.Pack != o.Pack {
			return
		}
		if known := s.rules[r.ID]; known != nil {
			known.State = "both"
			return
		}
		s.rules[r.ID] = &RuleReport{ID: r.ID, Name: r.Name, State: state, Severity: r.Severity, Points: r.Points,
			LiveOutcomes: map[string]int{}, DraftOutcomes: map[string]int{}, Days: []RuleDay{}, New: []Sample{}, Gone: []Sample{}}
	}
	for _, r := range o.Draft.Rules() {
		add(r, "new")
	}
	for _, r := range o.Live.Rules() {
		add(r, "gone")
	}
	return s
}

func (s *sum) add(c *compared) {
	r := s.report
	r.Sessions++
	r.Turns += len(c.live.Turns)
	name := ""
	if !c.live.StartedAt.IsZero() {
		name = c.live.StartedAt.In(s.o.Zone).Format("2006-01-02")
		if r.FirstDay == "" || name < r.FirstDay {
			r.FirstDay = name
		}
		r.LastDay = max(r.LastDay, name)
	}
	d := s.days[name]
	if d == nil {
		d = &day{DayReport: DayReport{Day: name}, rules: map[string]*Change{}}
		s.days[name] = d
	}
	d.Sessions++
	live, draft := &c.live.Findings, &c.draft.Findings
	r.Flagged.add(live.Flagged, draft.Flagged)
	d.Flagged.add(live.Flagged, draft.Flagged)
	if live.Score.OK && draft.Score.OK {
		s.scores.add(live.Score.V, draft.Score.V)
		d.scores.add(live.Score.V, draft.Score.V)
		switch {
		case draft.Score.V < live.Score.V:
			r.Score.Lower++
		case draft.Score.V > live.Score.V:
			r.Score.Higher++
		}
		for _, id := range c.live.AgentIDs {
			m := s.agents[id]
			if m == nil {
				m = &means{}
				s.agents[id] = m
			}
			m.add(live.Score.V, draft.Score.V)
		}
	}
	decided := s.decided(c)
	for id, rule := range s.rules { // each rule has sums of its own: the order does not matter
		s.addRule(rule, c, d, decided[id])
	}
}

func fires(outcome string) bool { return outcome == schemas.Fail || outcome == schemas.Present }

func (s *sum) addRule(rule *RuleReport, c *compared, d *day, decisions []Decision) {
	was, is := c.live.Findings.Outcomes[rule.ID], c.draft.Findings.Outcomes[rule.ID]
	if was != "" {
		rule.LiveOutcomes[was]++
	}
	if is != "" {
		rule.DraftOutcomes[is]++
	}
	if fires(was) || fires(is) {
		rule.Fires.add(fires(was), fires(is))
		if d.rules[rule.ID] == nil {
			d.rules[rule.ID] = &Change{}
		}
		d.rules[rule.ID].add(fires(was), fires(is))
	}
	switch {
	case fires(is) && !fires(was):
		rule.New = s.keep(rule.New, c.draft, rule.ID)
	case fires(was) && !fires(is):
		rule.Gone = s.keep(rule.Gone, c.live, rule.ID)
	}
	for _, x := range decisions {
		foundLive, foundDraft := hasHit(c.live, rule.ID, x.HitID), hasHit(c.draft, rule.ID, x.HitID)
		if x.Right {
			rule.Reviews.Confirmed++
			rule.Reviews.Live.Confirmed += count(foundLive)
			rule.Reviews.Draft.Confirmed += count(foundDraft)
		} else {
			rule.Reviews.Dismissed++
			rule.Reviews.Live.Dismissed += count(foundLive)
			rule.Reviews.Draft.Dismissed += count(foundDraft)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func hasHit(a *schemas.Analysis, rule, id string) bool {
	return slices.ContainsFunc(a.Findings.Hits, func(h schemas.Hit) bool { return h.RuleID == rule && h.HitID == id })
}

// decided sorts decisions by the rule whose hit they are about. A hit_id is a hash of session, rule and the key of the
// first evidence turn, so the rule of a decision is found even where neither set has the hit any more.
func (s *sum) decided(c *compared) map[string][]Decision {
	if len(c.decisions) == 0 {
		return nil
	}
	byHit := map[string]Decision{}
	for _, d := range c.decisions {
		byHit[d.HitID] = d
	}
	out := map[string][]Decision{}
	for id := range s.rules {
		try := func(key schemas.TurnKey) {
			if d, ok := byHit[analyse.ID(c.live.SessionID, id, string(key))]; ok {
				out[id] = append(out[id], d)
			}
		}
		try("")
		for i := range c.live.Turns {
			try(c.live.Turns[i].Key)
		}
	}
	return out
}

// keep adds the session to the samples, of which those with the smallest hash stay: an even choice over the period that
// does not depend on the order of the sessions.
func (s *sum) keep(list []Sample, a *schemas.Analysis, rule string) []Sample {
	order := analyse.ID(a.SessionID, rule, "sample")
	if len(list) == s.o.Samples && order >= list[len(list)-1].order {
		return list
	}
	x := Sample{SessionID: a.SessionID, Quotes: []Quote{}, order: order}
	for _, h := range a.Findings.Hits {
		if h.RuleID != rule {
			continue
		}
		x.HitID, x.AgentID, x.Outcome, x.Reason = h.HitID, h.AgentID, h.Outcome, h.Reason
		for _, e := range h.Evidence {
			for i := range a.Turns {
				if t := &a.Turns[i]; t.Seq.V == e.Turn && len(x.Quotes) < 3 {
					x.Quotes = append(x.Quotes, Quote{e.Turn, t.Role, t.Text, e.Start, e.End})
				}
			}
		}
		break
	}
	at, _ := slices.BinarySearchFunc(list, order, func(s Sample, order string) int { return cmp.Compare(s.order, order) })
	list = slices.Insert(list, at, x)
	return list[:min(len(list), s.o.Samples)]
}

func (s *sum) finish() *Report {
	r := s.report
	var names []string
	for name := range s.days {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		d := s.days[name]
		d.LiveMean, d.DraftMean = d.scores.get()
		r.Days = append(r.Days, d.DayReport)
	}
	r.Score.Sessions = s.scores.n
	r.Score.LiveMean, r.Score.DraftMean = s.scores.get()
	seen := map[string]bool{}
	for _, info := range append(s.o.Draft.Rules(), s.o.Live.Rules()...) {
		rule := s.rules[info.ID]
		if rule == nil || info.Pack != r.Pack || seen[info.ID] {
			continue
		}
		seen[info.ID] = true
		for _, name := range names {
			if c := s.days[name].rules[info.ID]; c != nil {
				rule.Days = append(rule.Days, RuleDay{name, *c})
			}
		}
		rule.Reviews.finish()
		r.Rules = append(r.Rules, *rule)
	}
	for id, m := range s.agents {
		live, draft := m.get()
		r.Agents = append(r.Agents, Agent{id, m.n, live.V, draft.V, round(draft.V - live.V)})
	}
	slices.SortFunc(r.Agents, func(a, b Agent) int {
		return cmp.Or(-cmp.Compare(math.Abs(a.Change), math.Abs(b.Change)), cmp.Compare(a.AgentID, b.AgentID))
	})
	return r
}

func (r *Reviews) finish() {
	for _, q := range []*Quality{&r.Live, &r.Draft} {
		if n := q.Confirmed + q.Dismissed; n > 0 {
			q.Precision = schemas.Some(round(float64(q.Confirmed) / float64(n)))
		}
		if r.Confirmed > 0 {
			q.Recall = schemas.Some(round(float64(q.Confirmed) / float64(r.Confirmed)))
		}
	}
}
