package rules

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/tingke/tingke/schemas"
)

// maxEvidence bounds the places listed with one hit.
const maxEvidence = 20

// report turns verdicts into hits, score, scorecards and the flag.
func (e *evaluation) report(verdicts []verdict, out *schemas.Findings) {
	points := 0.0
	zero := false
	severe := false
	for i := range verdicts {
		v := &verdicts[i]
		if !v.breach && len(v.places) == 0 {
			continue
		}
		hits := e.hitsOf(v)
		out.Hits = append(out.Hits, hits...)
		if !v.breach {
			continue
		}
		if v.rule.item == nil {
			sum := 0.0
			for _, h := range hits {
				sum += h.Points
			}
			points += sum
		}
		zero = zero || v.rule.critical == criticalWhole
		severe = severe || schemas.SeverityRank(v.rule.severity) >= schemas.SeverityRank(schemas.Major)
	}
	if len(e.role(maskAgent).turns) > 0 {
		score := min(max(100+points, 0), 100)
		if zero {
			score = 0
		}
		out.Score = schemas.Some(score)
	}
	out.Flagged = severe || out.Score.OK && out.Score.V < e.set.flagBelow
	for _, p := range e.set.packs {
		for _, c := range p.scorecards {
			out.Scorecards = append(out.Scorecards, e.scorecard(c, verdicts, zero))
		}
	}
}

// hitsOf gives the hits of a verdict: one, or with count: each one for every turn.
func (e *evaluation) hitsOf(v *verdict) []schemas.Hit {
	r := v.rule
	groups := [][]hit{v.places}
	if r.each && len(v.places) > 1 {
		groups = groups[:0]
		from := 0
		for i := 1; i <= len(v.places); i++ {
			if i == len(v.places) || v.places[i].turn != v.places[from].turn {
				groups = append(groups, v.places[from:i])
				from = i
			}
		}
	}
	hits := make([]schemas.Hit, 0, len(groups))
	spent := 0.0
	for _, g := range groups {
		p := r.points
		if r.cap < 0 {
			p = max(p, r.cap-spent)
			spent += p
		}
		if !v.breach {
			p = 0
		}
		hits = append(hits, e.hit(v, g, p))
	}
	return hits
}

func (e *evaluation) hit(v *verdict, places []hit, points float64) schemas.Hit {
	r := v.rule
	h := schemas.Hit{RuleID: r.id, RuleVersion: r.pack.fullVersion(), Outcome: v.outcome, Severity: r.severity, Points: points}
	switch {
	case v.breach:
		h.Weight = schemas.HitWeight{Takes: r.takes(), Cap: r.cap, Item: r.itemRef, Critical: criticalNames[r.critical]}
	case r.item != nil: // an achievement: without it the item would be lower
		h.Weight = schemas.HitWeight{Takes: -r.takes(), Item: r.itemRef}
	}
	var key schemas.TurnKey
	for i, p := range places {
		if i == maxEvidence {
			break
		}
		start, end := e.original(p)
		ev := schemas.Evidence{Turn: e.t.Turns[p.turn].Seq.V, Start: start, End: end}
		if n := len(h.Evidence); n == 0 || h.Evidence[n-1] != ev { // two conditions may rest on the same words
			h.Evidence = append(h.Evidence, ev)
		}
	}
	switch {
	case len(places) == 0:
		h.AgentID = e.nearestAgent(v.searched, 0)
	case e.t.Turns[places[0].turn].Role == schemas.Agent:
		h.AgentID = e.agentOf(places[0].turn)
	default:
		h.AgentID = e.nearestAgent(v.searched, places[0].turn)
	}
	if len(places) > 0 {
		key = e.t.Turns[places[0].turn].Key
	}
	h.HitID = hitID(e.t.Meta.SessionID, r.id, string(key))
	h.Reason = r.reason.fill(func(hole string) string {
		switch hole {
		case "name":
			return r.name
		case "count":
			return strconv.Itoa(max(len(places), 1))
		case "agent":
			return h.AgentID
		case "step":
			return v.step
		case "searched":
			c := r.expect
			if c == nil {
				c = r.forbid
			}
			if c == nil {
				return "整个会话"
			}
			return c.in.chinese()
		case "turn":
			if len(h.Evidence) > 0 {
				return strconv.FormatInt(h.Evidence[0].Turn, 10)
			}
		case "text":
			if len(h.Evidence) > 0 {
				ev := h.Evidence[0]
				return quote(e.t.Turns[places[0].turn].Text[ev.Start:ev.End])
			}
		}
		return ""
	})
	return h
}

// original maps a place to bytes of the masked text, on character borders.
func (e *evaluation) original(p hit) (int, int) {
	text := e.t.Turns[p.turn].Text
	start, end := int(p.start), int(p.end)
	if !p.masked && !e.noFeatures {
		norm := e.f.Turns[p.turn].Norm
		if norm.Offsets != nil && len(norm.Offsets) <= max(start, end) {
			return 0, len(text) // offsets that do not fit their text
		}
		start, end = norm.Orig(start), norm.Orig(end)
	}
	return runeBorders(text, start, end)
}

// hitID is 16 hex digits of SHA-256 over session, rule and turn key, each with its length before it.
func hitID(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// scorecard adds up the items of one card. Items that are na, and those scored by people, leave the denominator.
func (e *evaluation) scorecard(c *scorecard, verdicts []verdict, zero bool) schemas.Scorecard {
	out := schemas.Scorecard{ID: c.id, Name: c.name}
	got, best := 0.0, 0.0
	group := false
	for _, it := range c.items {
		x := schemas.ScorecardItem{ID: it.id, Max: it.max, Human: it.human, Outcome: schemas.NA, Weight: it.weight, Base: it.max}
		if !it.human {
			e.item(c, it, verdicts, &x, &group)
			if x.Outcome != schemas.NA {
				got += it.share(x.Points.V)
				best += it.weight
			}
		}
		out.Items = append(out.Items, x)
	}
	if best > 0 {
		score := math.Round(got/best*1000) / 10
		if zero || group {
			score = 0
		}
		out.Score = schemas.Some(score)
	}
	return out
}

// takes is what a broken rule takes off the score, or off its item: there all of it where the rule names no points.
func (r *rule) takes() float64 {
	if r.item != nil && (!r.hasPoints || r.critical == criticalItem) {
		return -r.item.max
	}
	return r.points
}

// criticalNames are the words of packs for what a critical rule sets to 0.
var criticalNames = [...]string{notCritical: "", criticalItem: "item", criticalGroup: "group", criticalWhole: "whole"}

// share is what the points of an item are worth in its card.
func (it *item) share(points float64) float64 {
	if it.weight == it.max {
		return points
	}
	return points / it.max * it.weight
}

// item combines the rules of one item: any broken one lowers it, and it is na where all of them are.
func (e *evaluation) item(c *scorecard, it *item, verdicts []verdict, x *schemas.ScorecardItem, group *bool) {
	points, failed := it.max, false
	for _, r := range e.set.rules {
		if r.card != c || r.item != it {
			continue
		}
		outcome := r.rest
		if !e.closed {
			outcome = schemas.NA
		}
		for i := range verdicts {
			if verdicts[i].rule == r {
				outcome = verdicts[i].outcome
				break
			}
		}
		bad := itemBroken(r, outcome)
		if r.observes() && outcome != schemas.NA { // its hit is worth something, what is not there is no hit
			x.Base += r.takes()
			x.Locked = x.Locked || bad && r.critical == criticalGroup
		}
		switch {
		case outcome == schemas.NA:
			continue
		case x.Outcome == schemas.NA:
			x.Outcome = schemas.Pass
		}
		if !bad {
			continue
		}
		failed = true
		if r.hasPoints {
			points += r.points
		} else {
			points = 0
		}
		if r.critical == criticalItem {
			points = 0
		}
		*group = *group || r.critical == criticalGroup
	}
	if x.Outcome == schemas.NA {
		return
	}
	if failed {
		x.Outcome = schemas.Fail
	}
	x.Points = schemas.Some(max(points, 0))
}
