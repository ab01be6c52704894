package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tingke/tingke/schemas"
)

// ScoreTrail is the way from 100 to a session's score, line by line, and how each scorecard adds up.
type ScoreTrail struct {
	Lines []ScoreLine `json:"lines"`
	// Score is that of the findings; Why says why there is none.
	Score schemas.Opt[float64] `json:"score"`
	Why   string               `json:"why,omitempty"`
	// Flagged and FlaggedBy: whether a person should look, and the reasons.
	Flagged    bool        `json:"flagged"`
	FlaggedBy  []string    `json:"flagged_by,omitempty"`
	Scorecards []CardTrail `json:"scorecards,omitempty"`
}

// ScoreLine is one step towards the score: a hit, or what bounds the sum.
type ScoreLine struct {
	RuleID   string  `json:"rule_id,omitempty"`
	Name     string  `json:"name,omitempty"`
	Severity string  `json:"severity,omitempty"`
	HitID    string  `json:"hit_id,omitempty"`
	Turns    []int64 `json:"turns,omitempty"`
	Points   float64 `json:"points"`
	// Note says what else happened: a cap, a critical rule, a scorecard item that takes the points.
	Note string `json:"note,omitempty"`
	// Total is the sum so far.
	Total float64 `json:"total"`
}

// CardTrail is how a scorecard adds up.
type CardTrail struct {
	ID    string               `json:"id"`
	Name  string               `json:"name"`
	Score schemas.Opt[float64] `json:"score"`
	Items []ItemTrail          `json:"items"`
	// Sum and Best are what the counting items reach and could reach, by weight.
	Sum  float64 `json:"sum"`
	Best float64 `json:"best"`
	Note string  `json:"note,omitempty"`
}

// ItemTrail is one item of a scorecard. Counts is false where it left the denominator.
type ItemTrail struct {
	ID      string               `json:"id"`
	Name    string               `json:"name"`
	Points  schemas.Opt[float64] `json:"points"`
	Max     float64              `json:"max"`
	Weight  float64              `json:"weight"`
	Outcome string               `json:"outcome"`
	Counts  bool                 `json:"counts"`
	Rules   []ItemRule           `json:"rules,omitempty"`
	Note    string               `json:"note,omitempty"`
}

// ItemRule is what a rule says to an item.
type ItemRule struct {
	RuleID  string  `json:"rule_id"`
	Name    string  `json:"name"`
	Outcome string  `json:"outcome"`
	Points  float64 `json:"points"` // taken off the item's max
}

// ScoreTrail tells how the score, the flag and the scorecards of findings of this set came about. The last Total of the
// lines is the score.
func (s *Set) ScoreTrail(f *schemas.Findings) ScoreTrail {
	byID := make(map[string]*rule, len(s.rules))
	for _, r := range s.rules {
		byID[r.id] = r
	}
	tr := ScoreTrail{Score: f.Score, Flagged: f.Flagged}
	total := 100.0
	tr.Lines = []ScoreLine{{Note: "every session begins with", Points: 100, Total: total}}
	var whole []*rule
	for _, h := range f.Hits {
		r := byID[h.RuleID]
		if r == nil || h.Outcome == schemas.Present && r.observes() {
			continue
		}
		line := ScoreLine{RuleID: r.id, Name: r.name, Severity: r.severity, HitID: h.HitID, Points: h.Points}
		for _, ev := range h.Evidence {
			if !slices.Contains(line.Turns, ev.Turn) {
				line.Turns = append(line.Turns, ev.Turn)
			}
		}
		switch {
		case r.item != nil:
			line.Points = 0
			line.Note = fmt.Sprintf("counts in the scorecard item %s.%s instead", r.card.id, r.item.id)
		case h.Points != r.points:
			line.Note = fmt.Sprintf("%g points, bounded by the rule's cap of %g", r.points, r.cap)
		}
		if r.critical == criticalWhole && !slices.Contains(whole, r) {
			whole = append(whole, r)
		}
		total += line.Points
		line.Total = total
		tr.Lines = append(tr.Lines, line)
		if schemas.SeverityRank(r.severity) >= schemas.SeverityRank(schemas.Major) {
			if by := "a " + r.severity + " hit of " + r.id; !slices.Contains(tr.FlaggedBy, by) {
				tr.FlaggedBy = append(tr.FlaggedBy, by)
			}
		}
	}
	if bounded := min(max(total, 0), 100); bounded != total {
		tr.Lines = append(tr.Lines, ScoreLine{Points: bounded - total, Total: bounded, Note: "a score lies between 0 and 100"})
		total = bounded
	}
	for _, r := range whole {
		tr.Lines = append(tr.Lines, ScoreLine{RuleID: r.id, Name: r.name, Severity: r.severity, Points: -total, Note: "critical: whole sets the score to 0"})
		total = 0
	}
	if !f.Score.OK {
		tr.Why, tr.Lines = "no agent turn", nil
	} else if f.Score.V < s.flagBelow {
		tr.FlaggedBy = append(tr.FlaggedBy, fmt.Sprintf("a score below %g", s.flagBelow))
	}
	k := 0
	for _, p := range s.packs {
		for _, c := range p.scorecards {
			if k < len(f.Scorecards) {
				tr.Scorecards = append(tr.Scorecards, s.cardTrail(c, &f.Scorecards[k], f, whole))
			}
			k++
		}
	}
	return tr
}

func (s *Set) cardTrail(c *scorecard, got *schemas.Scorecard, f *schemas.Findings, whole []*rule) CardTrail {
	tr := CardTrail{ID: c.id, Name: c.name, Score: got.Score}
	var notes []string
	for k, it := range c.items {
		if k >= len(got.Items) {
			break
		}
		g := &got.Items[k]
		x := ItemTrail{ID: it.id, Name: it.name, Points: g.Points, Max: it.max, Weight: it.weight, Outcome: g.Outcome, Counts: g.Outcome != schemas.NA && g.Points.OK}
		switch {
		case it.human && !x.Counts:
			x.Note = "scored by people, so it leaves the denominator here"
		case !x.Counts:
			x.Note = "nothing to judge, so it leaves the denominator"
		}
		if x.Counts {
			tr.Sum += it.share(g.Points.V)
			tr.Best += it.weight
		}
		for _, r := range s.rules {
			if r.item != it || r.card != c {
				continue
			}
			ir := ItemRule{RuleID: r.id, Name: r.name, Outcome: f.Outcomes[r.id]}
			if ir.Outcome == "" { // a pack that reports only what it found
				if ir.Outcome = r.rest; !x.Counts {
					ir.Outcome = schemas.NA
				}
			}
			if itemBroken(r, ir.Outcome) {
				switch {
				case r.critical == criticalItem:
					ir.Points = -it.max
					x.Note = "critical: item, set to 0 by " + r.id
				case r.hasPoints:
					ir.Points = r.points
				default:
					ir.Points = -it.max
				}
				if r.critical == criticalGroup {
					notes = append(notes, "critical: group, set to 0 by "+r.id)
				}
			}
			x.Rules = append(x.Rules, ir)
		}
		tr.Items = append(tr.Items, x)
	}
	for _, r := range whole {
		notes = append(notes, "critical: whole, set to 0 by "+r.id)
	}
	if tr.Best == 0 {
		notes = []string{"no item counts, so the card has no score"}
	}
	tr.Note = strings.Join(notes, "; ")
	return tr
}

// itemBroken says whether an outcome of a rule lowers its item. An observation feeds an item as an achievement: seen is
// good.
func itemBroken(r *rule, outcome string) bool {
	if r.observes() {
		return outcome == schemas.Absent
	}
	return outcome == schemas.Fail || outcome == schemas.Present
}

// Text writes the trail for reading in a terminal.
func (tr *ScoreTrail) Text() string {
	var b strings.Builder
	if tr.Why != "" {
		fmt.Fprintf(&b, "score: none (%s)\n", tr.Why)
	}
	for _, l := range tr.Lines {
		fmt.Fprintf(&b, "%7g  ", l.Points)
		if l.RuleID != "" {
			fmt.Fprintf(&b, "%s %s", l.RuleID, l.Name)
			if len(l.Turns) > 0 {
				fmt.Fprintf(&b, ", turn %s", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(l.Turns)), ", "), "[]"))
			}
			if l.Note != "" {
				b.WriteString(": ")
			}
		}
		fmt.Fprintf(&b, "%s  = %g\n", l.Note, l.Total)
	}
	if tr.Score.OK {
		fmt.Fprintf(&b, "score %g\n", tr.Score.V)
	}
	if tr.Flagged {
		fmt.Fprintf(&b, "flagged: %s\n", strings.Join(tr.FlaggedBy, "; "))
	}
	for _, c := range tr.Scorecards {
		fmt.Fprintf(&b, "scorecard %s %s: ", c.ID, c.Name)
		if c.Score.OK {
			fmt.Fprintf(&b, "%g (%g of %g)", c.Score.V, c.Sum, c.Best)
		} else {
			b.WriteString("none")
		}
		if c.Note != "" {
			fmt.Fprintf(&b, ", %s", c.Note)
		}
		b.WriteByte('\n')
		for _, it := range c.Items {
			points := "-"
			if it.Points.OK {
				points = fmt.Sprintf("%g", it.Points.V)
			}
			fmt.Fprintf(&b, "  %s %s: %s of %g, %s", it.ID, it.Name, points, it.Max, it.Outcome)
			if it.Weight != it.Max {
				fmt.Fprintf(&b, ", weight %g", it.Weight)
			}
			if it.Note != "" {
				fmt.Fprintf(&b, " (%s)", it.Note)
			}
			b.WriteByte('\n')
			for _, r := range it.Rules {
				fmt.Fprintf(&b, "    %g %s %s: %s\n", r.Points, r.RuleID, r.Name, r.Outcome)
			}
		}
	}
	return b.String()
}
