package rules

import (
	"slices"
	"strings"

	"github.com/tingke/tingke/schemas"
)

// Bounds of an explanation, so that a session of 10,000 turns gives a page and not a book.
const (
	maxExplained = 30 // hits of a trigger explained in full
	maxParts     = 24 // turns or clauses shown for one condition
	maxQuotes    = 20 // places quoted for one condition
	maxListed    = 20 // words shown of one list
)

// trace collects what every condition of one rule said of one session. It belongs to one evaluation.
type trace struct {
	steps *[]Step // where the next step goes
	pack  *pack
	root  []Step
	hits  []TriggerHit
	// more counts the hits of the trigger that are not shown.
	more int
	next int // the hit of which the next step speaks
}

// follow evaluates a condition and notes what came of it and of its parts.
func (tr *trace) follow(e *evaluation, c *condition, s scope, anchor *hit) result {
	outer := tr.steps
	var kids []Step
	tr.steps = &kids
	r := c.evaluate(e, s, anchor)
	tr.steps = outer
	st := Step{As: c.as, Operator: c.key, Line: c.at.line, Column: c.at.column, YAML: tr.pack.text[c.at.start:c.at.end],
		Truth: truthNames[r.truth], Why: r.why, Value: r.value, Steps: kids}
	if c.in != nil {
		if narrowed, _, why := e.narrow(c.in, s, anchor); why == "" {
			s = narrowed
		}
		st.Range = c.in.english()
	}
	st.Searched = e.seqRanges(s.turns)
	st.Growing = !s.complete
	if s.to >= 0 && len(s.turns) == 1 {
		q := e.quoteOf(hit{turn: s.turns[0], start: s.from, end: s.to})
		st.Part = &q
	}
	for i, h := range r.hits {
		if i == maxQuotes {
			st.MoreEvidence = len(r.hits) - i
			break
		}
		st.Evidence = append(st.Evidence, e.quoteOf(h))
	}
	if c.logic == leaf {
		st.Lists = tr.listsIn(st.YAML)
	}
	for i := len(kids) - 1; i >= 0; i-- {
		st.MoreParts += kids[i].dropped
	}
	*outer = append(*outer, st)
	return r
}

// part evaluates a condition over one turn or clause. Parts are kept where they say most: where it holds, then where most
// of its conditions hold.
func (tr *trace) part(e *evaluation, c *condition, s scope, anchor *hit) result {
	outer := tr.steps
	var kids []Step
	tr.steps = &kids
	r := c.body(e, s, anchor)
	tr.steps = outer
	if r.truth == no && len(kids) == 0 {
		return r // of an operator without parts the range says enough
	}
	p := hit{turn: s.turns[0], start: s.from, end: s.to}
	if s.to < 0 {
		p = e.wholeTurn(s.turns[0])
	}
	q := e.quoteOf(p)
	st := Step{As: "in_clause", Truth: truthNames[r.truth], Why: r.why, Value: r.value, Part: &q, Steps: kids}
	if c.unit == unitTurn {
		st.As = "in_turn"
	}
	*outer = append(*outer, st)
	if list := *outer; len(list) > 2*maxParts {
		// Keep the best half, in the order of the session.
		order := make([]int, len(list))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return list[b].weight() - list[a].weight() })
		kept := order[:maxParts]
		slices.Sort(kept)
		dropped := 0
		for i := range list {
			dropped += list[i].dropped
		}
		best := make([]Step, 0, 2*maxParts+1)
		for _, i := range kept {
			x := list[i]
			x.dropped = 0
			best = append(best, x)
		}
		best[0].dropped = dropped + len(list) - len(kept)
		*outer = best
	}
	return r
}

// weight ranks the parts of a condition by how much of it holds there.
func (st *Step) weight() int {
	n := 0
	for i := range st.Steps {
		if st.Steps[i].Truth == truthNames[yes] {
			n++
		}
	}
	if st.Truth != truthNames[no] {
		n += 1000
	}
	return n
}

// anchors notes the hits of the trigger, and which of them the rule looks at.
func (tr *trace) anchors(e *evaluation, hits, chosen []hit) {
	for i, h := range hits {
		if len(tr.hits) == maxExplained {
			tr.more = len(hits) - i
			break
		}
		x := TriggerHit{Quote: e.quoteOf(h), turn: h.turn, Became: "not looked at"}
		if slices.ContainsFunc(chosen, func(c hit) bool { return c.turn == h.turn }) {
			x.Became = "not reached"
		}
		tr.hits = append(tr.hits, x)
	}
	tr.next = 0
	tr.aim(e, chosen)
}

// aim points the next steps at the next hit that the rule looks at; beyond those shown nothing is noted.
func (tr *trace) aim(e *evaluation, _ []hit) {
	for tr.next < len(tr.hits) && tr.hits[tr.next].Became != "not reached" {
		tr.next++
	}
	if tr.next == len(tr.hits) {
		e.trace, e.explaining = nil, false
		return
	}
	tr.steps = &tr.hits[tr.next].Steps
}

// became notes what came of a hit of the trigger.
func (tr *trace) became(e *evaluation, a *hit, r result, broke bool) {
	if tr.next >= len(tr.hits) || tr.hits[tr.next].turn != a.turn {
		return
	}
	x := &tr.hits[tr.next]
	switch {
	case broke:
		x.Became = "broken"
	case r.truth == open:
		x.Became = "open"
	case r.truth == noData:
		x.Became, x.Why = schemas.NA, r.why
	default:
		x.Became = "met"
	}
	tr.next++
	tr.aim(e, nil)
}

// resume goes on with noting after the hits of a trigger.
func (tr *trace) resume(e *evaluation) {
	e.trace, e.explaining = tr, true
	tr.steps = &tr.root
}

// quoteOf gives a place with its words, in the masked text.
func (e *evaluation) quoteOf(h hit) Quote {
	t := &e.t.Turns[h.turn]
	start, end := e.original(h)
	return Quote{Turn: t.Seq.V, Role: string(t.Role), Start: start, End: end, Text: strings.ToValidUTF8(clip(t.Text[start:end], 200), "�")}
}

// seqRanges gives the numbers of turns as ranges.
func (e *evaluation) seqRanges(turns []int32) []TurnRange {
	var out []TurnRange
	for k, i := range turns {
		seq := e.t.Turns[i].Seq.V
		if k > 0 && turns[k-1] == i-1 {
			out[len(out)-1].To = seq
			continue
		}
		out = append(out, TurnRange{From: seq, To: seq})
	}
	return out
}

// listsIn gives the words behind the lists that a stretch of YAML names.
func (tr *trace) listsIn(yaml string) []WordList {
	var out []WordList
	for name, words := range tr.pack.lists {
		if strings.Contains(yaml, "<"+name+">") {
			out = append(out, WordList{Name: name, Words: words[:min(len(words), maxListed)], Total: len(words)})
		}
	}
	slices.SortFunc(out, func(a, b WordList) int { return strings.Compare(a.Name, b.Name) })
	return out
}

var truthNames = [...]string{no: "no", yes: "yes", open: "open", noData: "na"}
