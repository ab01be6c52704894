package rerun

import (
	"cmp"
	"context"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/schemas"
)

// Report says what differs between two judgements of the same sessions, A and B: a rule fires in a session where its
// outcome is fail or present. Open sessions are left out: their judgement is provisional.
type Report struct {
	A        Side      `json:"a"`
	B        Side      `json:"b"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Sessions int       `json:"sessions"` // closed ones that both have
	Turns    int       `json:"turns"`
	OnlyA    int       `json:"only_a"` // sessions that the other does not have
	OnlyB    int       `json:"only_b"`
	// Changed are sessions whose score, flag, hits or opinions differ.
	Changed  int             `json:"changed"`
	Score    ScoreChange     `json:"score"`
	Flagged  Change          `json:"flagged"`
	Rules    []RuleChange    `json:"rules"`
	Days     []DayChange     `json:"days"`
	Agents   []AgentChange   `json:"agents"`   // the most changed first
	Opinions []OpinionChange `json:"opinions"` // the most changed first, those that changed
	Mentions Counts          `json:"mentions"`
}

// Side is one of the two judgements.
type Side struct {
	Run          uint64   `json:"run_id"`
	DryRun       bool     `json:"dry_run,omitempty"` // not stored
	RulesVersion []string `json:"rules_versions"`
	ModelVersion []string `json:"model_versions"`
}

// Counts are numbers on both sides.
type Counts struct {
	A int `json:"a"`
	B int `json:"b"`
}

// Change counts sessions in which something is so on either side.
type Change struct {
	Counts
	New  int `json:"new"`  // in B only
	Gone int `json:"gone"` // in A only
	Same int `json:"same"` // in both
}

func (c *Change) add(a, b bool) {
	switch {
	case a && b:
		c.A++
		c.B++
		c.Same++
	case a:
		c.A++
		c.Gone++
	case b:
		c.B++
		c.New++
	}
}

// ScoreChange is about the sessions that have a score on both sides.
type ScoreChange struct {
	Sessions int                  `json:"sessions"`
	A        schemas.Opt[float64] `json:"a,omitzero"` // mean
	B        schemas.Opt[float64] `json:"b,omitzero"`
	Lower    int                  `json:"lower"`
	Higher   int                  `json:"higher"`
}

// RuleChange is about one rule.
type RuleChange struct {
	ID        string         `json:"rule_id"`
	Fires     Change         `json:"fires"`
	OutcomesA map[string]int `json:"outcomes_a"` // sessions by outcome
	OutcomesB map[string]int `json:"outcomes_b"`
	Days      []RuleDay      `json:"days"` // those with a session in which it fires
	New       []Sample       `json:"new_samples"`
	Gone      []Sample       `json:"gone_samples"`
}

// RuleDay is one day of a rule; "" for sessions without a time.
type RuleDay struct {
	Day string `json:"day"`
	Change
}

// DayChange is one day of all sessions.
type DayChange struct {
	Day      string               `json:"day"`
	Sessions int                  `json:"sessions"`
	Flagged  Change               `json:"flagged"`
	A        schemas.Opt[float64] `json:"score_a,omitzero"`
	B        schemas.Opt[float64] `json:"score_b,omitzero"`
}

// AgentChange is the effect on the mean score of the sessions that an agent took part in.
type AgentChange struct {
	AgentID  string  `json:"agent_id"`
	Sessions int     `json:"sessions"`
	A        float64 `json:"score_a"`
	B        float64 `json:"score_b"`
	Change   float64 `json:"change"`
}

// OpinionChange counts the mentions of an opinion, merges resolved.
type OpinionChange struct {
	ID    string `json:"opinion_id"`
	Title string `json:"title"`
	Counts
}

// Sample is a session in which a rule fires on one side only.
type Sample struct {
	SessionID string `json:"session_id"`
	HitID     string `json:"hit_id"`
	AgentID   string `json:"agent_id,omitempty"`
	Outcome   string `json:"outcome"`
	Reason    string `json:"reason"`
	Turn      int64  `json:"turn,omitempty"`
	Role      string `json:"role,omitempty"`
	Text      string `json:"text,omitempty"`
	Start     uint32 `json:"start,omitempty"`
	End       uint32 `json:"end,omitempty"`

	order uint64 // decides which samples are kept, the same for every order of sessions
}

type means struct {
	n    int
	a, b float64
}

func (m *means) add(a, b float64) { m.n++; m.a += a; m.b += b }

func (m *means) get() (a, b schemas.Opt[float64]) {
	if m == nil || m.n == 0 {
		return
	}
	return schemas.Some(round(m.a / float64(m.n))), schemas.Some(round(m.b / float64(m.n)))
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// sum builds a report pair by pair.
type sum struct {
	report   *Report
	zone     *time.Location
	samples  int
	rules    map[string]*RuleChange
	ruleDays map[string]map[string]*Change
	days     map[string]*DayChange
	dayMeans map[string]*means
	agents   map[string]*means
	opinions map[string]*Counts
	scores   means
	versions [4]map[string]bool
}

func newSum(zone *time.Location, samples int) *sum {
	s := &sum{report: &Report{}, zone: zone, samples: samples, rules: map[string]*RuleChange{}, ruleDays: map[string]map[string]*Change{}, days: map[string]*DayChange{},
		dayMeans: map[string]*means{}, agents: map[string]*means{}, opinions: map[string]*Counts{}}
	for i := range s.versions {
		s.versions[i] = map[string]bool{}
	}
	return s
}

func fires(outcome string) bool { return outcome == schemas.Fail || outcome == schemas.Present }

func (s *sum) add(a, b *warehouse.Judged) {
	r := s.report
	switch {
	case a == nil:
		r.OnlyB++
		return
	case b == nil:
		r.OnlyA++
		return
	case !a.Closed || !b.Closed:
		return
	}
	for i, v := range []string{a.RulesVersion, b.RulesVersion, a.ModelVersion, b.ModelVersion} {
		s.versions[i][v] = true
	}
	r.Sessions++
	r.Turns += int(b.Turns)
	day := ""
	if !b.StartedAt.IsZero() {
		day = b.StartedAt.In(s.zone).Format(time.DateOnly)
	}
	d := s.days[day]
	if d == nil {
		d = &DayChange{Day: day}
		s.days[day], s.dayMeans[day] = d, &means{}
	}
	d.Sessions++
	r.Flagged.add(a.Flagged, b.Flagged)
	d.Flagged.add(a.Flagged, b.Flagged)
	changed := a.Flagged != b.Flagged || (a.Score == nil) != (b.Score == nil)
	if a.Score != nil && b.Score != nil {
		s.scores.add(*a.Score, *b.Score)
		s.dayMeans[day].add(*a.Score, *b.Score)
		switch {
		case *b.Score < *a.Score:
			r.Score.Lower++
			changed = true
		case *b.Score > *a.Score:
			r.Score.Higher++
			changed = true
		}
		for _, id := range b.AgentIDs {
			if s.agents[id] == nil {
				s.agents[id] = &means{}
			}
			s.agents[id].add(*a.Score, *b.Score)
		}
	}
	for rule := range a.Outcomes {
		s.rule(rule, day, a, b)
	}
	for rule := range b.Outcomes {
		if _, both := a.Outcomes[rule]; !both {
			s.rule(rule, day, a, b)
		}
	}
	r.Mentions.A += a.Mentions
	r.Mentions.B += b.Mentions
	count := func(id string) *Counts {
		if s.opinions[id] == nil {
			s.opinions[id] = &Counts{}
		}
		return s.opinions[id]
	}
	for _, id := range a.Opinions {
		count(id).A++
	}
	for _, id := range b.Opinions {
		count(id).B++
	}
	hits := func(j *warehouse.Judged) []string {
		var out []string
		for _, h := range j.Hits {
			out = append(out, h.HitID)
		}
		slices.Sort(out)
		return out
	}
	if changed || !slices.Equal(a.Opinions, b.Opinions) || !slices.Equal(hits(a), hits(b)) {
		r.Changed++
	}
}

func (s *sum) rule(id, day string, a, b *warehouse.Judged) {
	x := s.rules[id]
	if x == nil {
		x = &RuleChange{ID: id, OutcomesA: map[string]int{}, OutcomesB: map[string]int{}, Days: []RuleDay{}, New: []Sample{}, Gone: []Sample{}}
		s.rules[id], s.ruleDays[id] = x, map[string]*Change{}
	}
	was, is := a.Outcomes[id], b.Outcomes[id]
	if was != "" {
		x.OutcomesA[was]++
	}
	if is != "" {
		x.OutcomesB[is]++
	}
	if !fires(was) && !fires(is) {
		return
	}
	x.Fires.add(fires(was), fires(is))
	if s.ruleDays[id][day] == nil {
		s.ruleDays[id][day] = &Change{}
	}
	s.ruleDays[id][day].add(fires(was), fires(is))
	switch {
	case fires(is) && !fires(was):
		x.New = s.keep(x.New, b, id)
	case fires(was) && !fires(is):
		x.Gone = s.keep(x.Gone, a, id)
	}
}

// keep adds a session to the samples, of which those with the smallest hash stay: an even choice over the period.
func (s *sum) keep(list []Sample, j *warehouse.Judged, rule string) []Sample {
	h := fnv.New64a()
	h.Write([]byte(rule + "\x00" + j.SessionID))
	order := h.Sum64()
	if len(list) == s.samples && (len(list) == 0 || order >= list[len(list)-1].order) {
		return list
	}
	x := Sample{SessionID: j.SessionID, Outcome: j.Outcomes[rule], order: order}
	for _, hit := range j.Hits {
		if hit.RuleID == rule {
			x.HitID, x.AgentID, x.Reason, x.Turn, x.Start, x.End = hit.HitID, hit.AgentID, hit.Reason, hit.Turn, hit.Start, hit.End
			break
		}
	}
	at, _ := slices.BinarySearchFunc(list, order, func(s Sample, order uint64) int { return cmp.Compare(s.order, order) })
	list = slices.Insert(list, at, x)
	return list[:min(len(list), s.samples)]
}

// finish sorts what was summed and reads the texts of the samples and the titles of the opinions.
func (s *sum) finish(ctx context.Context, w *warehouse.Warehouse) (*Report, error) {
	r := s.report
	r.Score.Sessions = s.scores.n
	r.Score.A, r.Score.B = s.scores.get()
	r.A.RulesVersion, r.B.RulesVersion = sortedKeys(s.versions[0]), sortedKeys(s.versions[1])
	r.A.ModelVersion, r.B.ModelVersion = sortedKeys(s.versions[2]), sortedKeys(s.versions[3])
	r.Days, r.Agents, r.Rules, r.Opinions = []DayChange{}, []AgentChange{}, []RuleChange{}, []OpinionChange{}
	for _, day := range sortedKeys(s.days) {
		d := s.days[day]
		d.A, d.B = s.dayMeans[day].get()
		r.Days = append(r.Days, *d)
	}
	for id, m := range s.agents {
		a, b := m.get()
		r.Agents = append(r.Agents, AgentChange{id, m.n, a.V, b.V, round(b.V - a.V)})
	}
	slices.SortFunc(r.Agents, func(a, b AgentChange) int {
		return cmp.Or(-cmp.Compare(math.Abs(a.Change), math.Abs(b.Change)), cmp.Compare(a.AgentID, b.AgentID))
	})
	var ids []string
	for _, id := range sortedKeys(s.rules) {
		x := s.rules[id]
		for _, day := range sortedKeys(s.ruleDays[id]) {
			x.Days = append(x.Days, RuleDay{day, *s.ruleDays[id][day]})
		}
		for _, sample := range slices.Concat(x.New, x.Gone) {
			ids = append(ids, sample.SessionID)
		}
		r.Rules = append(r.Rules, *x)
	}
	texts, err := w.TurnTexts(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range r.Rules {
		for _, list := range [][]Sample{r.Rules[i].New, r.Rules[i].Gone} {
			for k := range list {
				if x := &list[k]; x.Turn != 0 {
					said := texts[x.SessionID][x.Turn]
					x.Role, x.Text = said.Role, said.Text
				}
			}
		}
	}
	titles, err := w.OpinionTitles(ctx, sortedKeys(s.opinions))
	if err != nil {
		return nil, err
	}
	merged := map[string]*OpinionChange{}
	for id, c := range s.opinions {
		target, title := titles[id][0], titles[id][1]
		if merged[target] == nil {
			merged[target] = &OpinionChange{ID: target, Title: title}
		}
		merged[target].A += c.A
		merged[target].B += c.B
	}
	for _, id := range sortedKeys(merged) {
		if o := merged[id]; o.A != o.B {
			r.Opinions = append(r.Opinions, *o)
		}
	}
	slices.SortStableFunc(r.Opinions, func(a, b OpinionChange) int { return max(b.B-b.A, b.A-b.B) - max(a.B-a.A, a.A-a.B) })
	return r, nil
}

// Compare tells what differs between two stored runs over the sessions that start in a period; run 0 is the live one.
func Compare(ctx context.Context, w *warehouse.Warehouse, a, b uint64, from, to time.Time, zone *time.Location, samples int) (*Report, error) {
	s := newSum(zone, samples)
	s.report.A.Run, s.report.B.Run, s.report.From, s.report.To = a, b, from, to
	err := w.RunPairs(ctx, a, b, from, to, func(x, y *warehouse.Judged) error {
		s.add(x, y)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, w)
}

// judged is what is compared of an analysis that is not stored.
func judged(a *schemas.Analysis) *warehouse.Judged {
	j := &warehouse.Judged{SessionID: a.SessionID, RunID: a.RunID, Closed: a.Closed, StartedAt: a.StartedAt, AgentIDs: a.AgentIDs, Turns: uint32(len(a.Turns)),
		Flagged: a.Findings.Flagged, Outcomes: a.Findings.Outcomes, Mentions: len(a.Mentions), RulesVersion: a.RulesVersion, ModelVersion: a.ModelVersion}
	if a.Findings.Score.OK {
		v := a.Findings.Score.V
		j.Score = &v
	}
	for _, h := range a.Findings.Hits {
		x := warehouse.JudgedHit{HitID: h.HitID, RuleID: h.RuleID, AgentID: h.AgentID, Outcome: h.Outcome, Reason: h.Reason}
		if len(h.Evidence) > 0 {
			e := h.Evidence[0]
			x.Turn, x.Start, x.End = e.Turn, uint32(e.Start), uint32(e.End)
		}
		j.Hits = append(j.Hits, x)
	}
	for _, m := range a.Mentions {
		if m.OpinionID != "" {
			j.Opinions = append(j.Opinions, m.OpinionID)
		}
	}
	return j
}
