package warehouse

import (
	"math"
	"slices"

	"github.com/tingke/tingke/schemas"
)

// findings holds the parts of one analysis that are not slices of it already, while its row is written.
type findings struct {
	scores    []uint8
	evidence  []hitEvidence
	scorecard []scorecardItem
	rules     []string // sorted
	values    []string // of rules
}

type hitEvidence struct {
	hit uint32 // counted from 1
	*schemas.Evidence
}

type scorecardItem struct {
	card *string
	*schemas.ScorecardItem
}

func (f *findings) prepare(a *schemas.Analysis) {
	f.scores = f.scores[:0]
	for i := range a.Turns {
		for _, s := range a.Turns[i].Scores {
			f.scores = append(f.scores, uint8(math.Round(255*float64(min(max(s, 0), 1)))))
		}
	}
	f.evidence = f.evidence[:0]
	hits := a.Findings.Hits
	for i := range hits {
		for j := range hits[i].Evidence {
			f.evidence = append(f.evidence, hitEvidence{uint32(i + 1), &hits[i].Evidence[j]})
		}
	}
	f.scorecard = f.scorecard[:0]
	cards := a.Findings.Scorecards
	for i := range cards {
		for j := range cards[i].Items {
			f.scorecard = append(f.scorecard, scorecardItem{&cards[i].ID, &cards[i].Items[j]})
		}
	}
	f.outcomes(a.Findings.Outcomes)
}

// outcomes lists the outcomes by rule. Sessions of one run have the same rules, so the order of the last one is tried
// before sorting: with a thousand rules that is most of the work of a row.
func (f *findings) outcomes(m map[string]string) {
	f.values = f.values[:0]
	if len(f.rules) == len(m) {
		for _, rule := range f.rules {
			v, ok := m[rule]
			if !ok {
				break
			}
			f.values = append(f.values, v)
		}
		if len(f.values) == len(m) {
			return
		}
	}
	f.rules, f.values = f.rules[:0], f.values[:0]
	for rule := range m {
		f.rules = append(f.rules, rule)
	}
	slices.Sort(f.rules)
	for _, rule := range f.rules {
		f.values = append(f.values, m[rule])
	}
}

func findingColumns(in *inserter[schemas.Analysis]) {
	type A = schemas.Analysis
	f := &findings{}
	in.prepare = f.prepare
	in.clear = append(in.clear, func() {
		clear(f.evidence[:cap(f.evidence)])
		clear(f.scorecard[:cap(f.scorecard)])
		clear(f.values[:cap(f.values)])
	})
	in.add(
		scalar("turn_scores", func(*A) []uint8 { return f.scores }),
	)

	type H = schemas.Hit
	hits := func(a *A) []H { return a.Findings.Hits }
	array(in, "hit_id", hits, func(h *H) *string { return &h.HitID })
	array(in, "hit_rule", hits, func(h *H) *string { return &h.RuleID })
	array(in, "hit_rule_version", hits, func(h *H) *string { return &h.RuleVersion })
	array(in, "hit_agent", hits, func(h *H) *string { return &h.AgentID })
	array(in, "hit_outcome", hits, func(h *H) *string { return &h.Outcome })
	array(in, "hit_severity", hits, func(h *H) *string { return &h.Severity })
	array(in, "hit_points", hits, func(h *H) *float64 { return &h.Points })
	array(in, "hit_reason", hits, func(h *H) *string { return &h.Reason })
	array(in, "hit_takes", hits, func(h *H) *float64 { return &h.Weight.Takes })
	array(in, "hit_cap", hits, func(h *H) *float64 { return &h.Weight.Cap })
	array(in, "hit_item", hits, func(h *H) *string { return &h.Weight.Item })
	array(in, "hit_critical", hits, func(h *H) *string { return &h.Weight.Critical })

	evidence := func(*A) []hitEvidence { return f.evidence }
	array(in, "evidence_hit", evidence, func(e *hitEvidence) uint32 { return e.hit })
	array(in, "evidence_turn", evidence, func(e *hitEvidence) *int64 { return &e.Turn })
	array(in, "evidence_start", evidence, func(e *hitEvidence) uint32 { return count(e.Start) })
	array(in, "evidence_end", evidence, func(e *hitEvidence) uint32 { return count(e.End) })

	array(in, "outcome_rule", func(*A) []string { return f.rules }, func(s *string) *string { return s })
	array(in, "outcome_value", func(*A) []string { return f.values }, func(s *string) *string { return s })

	type C = schemas.Scorecard
	cards := func(a *A) []C { return a.Findings.Scorecards }
	array(in, "scorecard_id", cards, func(c *C) *string { return &c.ID })
	array(in, "scorecard_name", cards, func(c *C) *string { return &c.Name })
	array(in, "scorecard_score", cards, func(c *C) *float64 { return optOf(&c.Score) })
	items := func(*A) []scorecardItem { return f.scorecard }
	array(in, "item_scorecard", items, func(i *scorecardItem) *string { return i.card })
	array(in, "item_id", items, func(i *scorecardItem) *string { return &i.ID })
	array(in, "item_points", items, func(i *scorecardItem) *float64 { return optOf(&i.Points) })
	array(in, "item_max", items, func(i *scorecardItem) *float64 { return &i.Max })
	array(in, "item_outcome", items, func(i *scorecardItem) *string { return &i.Outcome })
	array(in, "item_human", items, func(i *scorecardItem) bool { return i.Human })
	array(in, "item_weight", items, func(i *scorecardItem) *float64 { return &i.Weight })
	array(in, "item_base", items, func(i *scorecardItem) *float64 { return &i.Base })
	array(in, "item_locked", items, func(i *scorecardItem) bool { return i.Locked })

	type N = schemas.CoverageNote
	notes := func(a *A) []N { return a.Coverage }
	array(in, "coverage_what", notes, func(n *N) *string { return &n.What })
	array(in, "coverage_why", notes, func(n *N) *string { return &n.Why })
	array(in, "coverage_count", notes, func(n *N) uint32 { return count(n.Count) })
}
