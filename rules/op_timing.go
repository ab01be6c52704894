package rules

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// responseTimeOp finds replies that came too late (or soon).
type responseTimeOp struct {
	cmp compare
	by  schemas.Role
	// of is "each": from the other side's first unanswered turn to the next valid reply; "first": the first of these
	// only; "adjacent": from the turn right before the reply, where the other side spoke it.
	of string
}

func parseResponseTime(d *decoder, n *yaml.Node, _ bool) operator {
	op := &responseTimeOp{by: schemas.Agent, of: "each"}
	f, ok := d.mapping(n, "response_time", withCompare("of", "by")...)
	if !ok {
		return op
	}
	if of := d.oneOf(f.get("of"), "response_time.of", "each", "any", "first", "adjacent"); of != "" && of != "any" {
		op.of = of
	}
	if d.oneOf(f.get("by"), "response_time.by", "agent", "customer") == "customer" {
		op.by = schemas.Customer
	}
	op.cmp = d.compare(f, "response_time", d.millis)
	return op
}

func (op *responseTimeOp) literals() ([]int32, bool) { return nil, false }

func (op *responseTimeOp) eval(e *evaluation, s scope) result {
	asker := schemas.Customer
	if op.by == schemas.Customer {
		asker = schemas.Agent
	}
	asked := int32(-1)
	var hits []hit
	missing := ""
	rounds, least, most := 0, 0.0, 0.0
	inScope := func(i int32) bool { _, ok := slices.BinarySearch(s.turns, i); return ok }
	for i := range e.t.Turns {
		t := &e.t.Turns[i]
		switch t.Role {
		case asker:
			if asked < 0 || op.of == "adjacent" {
				asked = int32(i)
			}
			continue
		case op.by:
		default:
			if op.of == "adjacent" {
				asked = -1
			}
			continue
		}
		if asked < 0 || t.Auto || strings.TrimSpace(t.Text) == "" {
			continue
		}
		if inScope(int32(i)) || inScope(asked) {
			from, ok := e.clockEnd(asked)
			to, ok2 := e.clock(int32(i))
			if !ok || !ok2 {
				missing = whyNoTimes
			} else {
				wait := float64(max(0, to-from))
				if rounds == 0 || wait < least {
					least = wait
				}
				most = max(most, wait)
				rounds++
				if op.cmp.holds(wait) {
					hits = append(hits, e.wholeTurn(int32(i)))
				}
			}
		}
		asked = -1
		if op.of == "first" {
			s.complete = true
			break
		}
	}
	return e.told(findings(s, hits, missing), func() string {
		if rounds == 0 {
			return "no timed reply"
		}
		return fmt.Sprintf("%d timed replies after %s to %s", rounds, spell(least), spell(most))
	})
}

// silenceOp finds gaps between the end of a turn and the start of the next.
type silenceOp struct {
	cmp compare
	// speakers is "same" or "different" where it matters who spoke before and after; before is who spoke before.
	speakers string
	before   roleMask
	// own bounds the duration of the turn that ends the silence.
	own *compare
	// atEnd looks at the gap between the last turn and the end of the session.
	atEnd bool
}

func parseSilence(d *decoder, n *yaml.Node, _ bool) operator {
	op := &silenceOp{}
	f, ok := d.mapping(n, "silence", withCompare("speakers", "before", "own", "at_end")...)
	if !ok {
		return op
	}
	op.cmp = d.compare(f, "silence", d.millis)
	op.speakers = d.oneOf(f.get("speakers"), "silence.speakers", "same", "different")
	if v := f.get("before"); v != nil {
		op.before = d.parseRoles(v)
	}
	if v := f.get("own"); v != nil {
		op.own = d.compareIn(v, "silence.own", d.millis)
	}
	op.atEnd = d.boolean(f.get("at_end"), "silence.at_end", false)
	if op.atEnd && (op.own != nil || op.speakers != "") {
		d.errorf(f.key("at_end"), "leave speakers and own out", "after the last turn nobody speaks")
	}
	return op
}

func (op *silenceOp) literals() ([]int32, bool) { return nil, false }

func (op *silenceOp) eval(e *evaluation, s scope) result {
	if op.atEnd {
		return op.last(e, s)
	}
	var hits []hit
	missing := ""
	longest := 0.0
	for _, i := range s.turns {
		if i == 0 {
			continue
		}
		was, is := e.t.Turns[i-1].Role, e.t.Turns[i].Role
		if op.before != maskAny && maskOf(was)&op.before == 0 || op.speakers != "" && (op.speakers == "same") != (was == is) {
			continue
		}
		end, ok := e.clockEnd(i - 1)
		start, ok2 := e.clock(i)
		if !ok || !ok2 {
			missing = whyNoTimes
			continue
		}
		gap := float64(max(0, start-end))
		longest = max(longest, gap)
		if !op.cmp.holds(gap) {
			continue
		}
		if op.own != nil {
			from, to, ok := e.spoken(i)
			if !ok {
				missing = whyNoDurations
				continue
			}
			if !op.own.holds(float64(to - from)) {
				continue
			}
		}
		hits = append(hits, e.wholeTurn(i))
	}
	return e.told(findings(s, hits, missing), func() string { return "longest silence " + spell(longest) })
}

// last looks at the gap after the last turn.
func (op *silenceOp) last(e *evaluation, s scope) result {
	if !e.closed {
		return result{truth: open}
	}
	n := int32(len(e.t.Turns))
	if n == 0 || len(s.turns) == 0 || s.turns[len(s.turns)-1] != n-1 || op.before != maskAny && maskOf(e.t.Turns[n-1].Role)&op.before == 0 {
		return result{}
	}
	ended := e.t.EndedAt
	if ended.IsZero() {
		ended = e.t.Meta.EndedAt
	}
	if ended.IsZero() {
		return result{truth: noData, why: whyNoEnd}
	}
	t := &e.t.Turns[n-1]
	var gap int64
	switch {
	case e.recorded() && !e.t.Meta.StartedAt.IsZero():
		end, _ := e.clockEnd(n - 1)
		gap = ended.Sub(e.t.Meta.StartedAt).Milliseconds() - end
	case !t.At.IsZero():
		gap = ended.Sub(t.At).Milliseconds()
	default:
		return result{truth: noData, why: whyNoTimes}
	}
	r := result{}
	if op.cmp.holds(float64(max(0, gap))) {
		r = result{truth: yes, hits: []hit{e.wholeTurn(n - 1)}}
	}
	return e.told(r, func() string { return spell(float64(max(0, gap))) + " after the last turn" })
}

const (
	whyNoDurations = "no_durations" // turns without start_ms and end_ms
	whyNoEnd       = "no_end_time"
)

// spoken gives start and end of a turn in the recording; ok is false where either is unknown.
func (e *evaluation) spoken(i int32) (from, to int64, ok bool) {
	t := &e.t.Turns[i]
	if !t.StartMS.OK || !t.EndMS.OK || t.EndMS.V < t.StartMS.V {
		return 0, 0, false
	}
	return t.StartMS.V, t.EndMS.V, true
}

// gapsOp sums stretches of time over its range: silences between turns, or holds from a turn that asks to wait to the
// next turn of the same side.
type gapsOp struct {
	what    string
	total   *compare // ms
	percent *compare // share of the time from the first start to the last end
	times   int      // at least so many stretches
	least   float64  // ms; shorter stretches do not count
	words   *wordSet // of a silence: where they were said before it, it does not count; of a hold: what asks to wait
	hold    bool
}

func parseSilenceTotal(d *decoder, n *yaml.Node, _ bool) operator {
	op := &gapsOp{what: "silence_total"}
	op.parse(d, n, "except")
	return op
}

func parseHold(d *decoder, n *yaml.Node, _ bool) operator {
	op := &gapsOp{what: "hold", hold: true}
	op.parse(d, n, "words")
	return op
}

func (op *gapsOp) parse(d *decoder, n *yaml.Node, words string) {
	f, ok := d.mapping(n, op.what, withCompare("percent", "times", "longer_than", words)...)
	if !ok {
		return
	}
	if compares(f) {
		c := d.compare(f, op.what, d.millis)
		op.total = &c
	}
	if v := f.get("percent"); v != nil {
		op.percent = d.compareIn(v, op.what+".percent", d.share)
	}
	if v := f.get("times"); v != nil {
		op.times = d.int(v, op.what+".times", 1, schemas.MaxTurns)
	}
	op.least = d.millis(f.get("longer_than"), op.what+".longer_than")
	if v := f.get(words); v != nil {
		op.words = d.wordSet(d.wordList(v, op.what+"."+words))
	} else if op.hold {
		d.errorf(n, "words: [稍等, 请等]", "hold needs words, what an agent says who asks to wait")
	}
	if op.total == nil && op.percent == nil && op.times == 0 {
		d.errorf(n, "over: 60s, times: 3 or percent: {over: 30%%}", "%s has nothing to compare with", op.what)
	}
}

func (op *gapsOp) literals() ([]int32, bool) {
	// A hold that must be there needs its words; one that must be short may be absent.
	if op.hold && op.words != nil && (op.times > 0 || op.total != nil && op.total.hasLo && (op.total.lo > 0 || op.total.loOpen)) {
		return op.words.ids, true
	}
	return nil, false
}

func (op *gapsOp) eval(e *evaluation, s scope) result {
	var hits []hit
	missing := ""
	sum, count := 0.0, 0
	add := func(from, to int32, fromEnd, toEnd bool) {
		start, ok := e.clock(from)
		if fromEnd {
			start, ok = e.clockEnd(from)
		}
		end, ok2 := e.clock(to)
		if toEnd {
			end, ok2 = e.clockEnd(to)
		}
		if !ok || !ok2 {
			missing = whyNoTimes
			return
		}
		gap := float64(max(0, end-start))
		if gap == 0 || gap < op.least {
			return
		}
		sum += gap
		count++
		if op.hold {
			hits = append(hits, e.wholeTurn(from))
		} else {
			hits = append(hits, e.wholeTurn(to))
		}
	}
	pending := false
	if op.hold {
		pending = op.holds(e, s, add)
	} else {
		for _, i := range s.turns {
			if i > 0 && !e.turnSays(i-1, op.words) {
				add(i-1, i, true, false)
			}
		}
	}
	complete := s.complete && !pending && missing == ""
	r := result{truth: yes, hits: hits}
	judge := func(holds, growing, beyond bool) {
		switch {
		case holds && (complete || growing):
		case complete || beyond:
			r.truth = no
		case r.truth == yes:
			r.truth = open
		}
	}
	if op.total != nil {
		judge(op.total.holds(sum), !op.total.hasHi, op.total.beyond(sum))
	}
	if op.times > 0 {
		judge(count >= op.times, true, false)
	}
	length := 0.0
	if op.percent != nil {
		if length = e.length(); length <= 0 {
			missing, length = whyNoTimes, 1
		}
		// The share falls and rises as the session goes on.
		complete = complete && e.closed
		judge(op.percent.holds(sum/length), false, false)
	}
	if r.truth == open && missing != "" {
		return result{truth: noData, why: missing}
	}
	if r.truth != yes {
		r.hits = nil
	}
	return e.told(r, func() string {
		value := fmt.Sprintf("%d stretches, %s in all", count, spell(sum))
		if length > 0 {
			value += fmt.Sprintf(", %.0f%% of %s", sum/length*100, spell(length))
		}
		return value
	})
}

// holds finds the stretches from a turn that asks to wait to the next turn of the same role that says more than that;
// pending says that one has not ended yet.
func (op *gapsOp) holds(e *evaluation, s scope, add func(from, to int32, fromEnd, toEnd bool)) (pending bool) {
	busy := int32(-1)
	for _, i := range s.turns {
		if i < busy || !e.turnSays(i, op.words) {
			continue
		}
		role := e.t.Turns[i].Role
		back := int32(-1)
		for j := i + 1; int(j) < len(e.t.Turns); j++ {
			if t := &e.t.Turns[j]; t.Role == role && strings.TrimSpace(t.Text) != "" && !e.turnSays(j, op.words) {
				back = j
				break
			}
		}
		switch {
		case back >= 0:
			add(i, back, true, false)
			busy = back
		case !e.closed:
			return true
		default:
			add(i, int32(len(e.t.Turns)-1), true, true)
			return false
		}
	}
	return false
}

// turnSays says whether a word of the set occurs in a turn.
func (e *evaluation) turnSays(i int32, w *wordSet) bool {
	if w == nil || len(w.ids) == 0 {
		return false
	}
	for _, m := range e.matches[e.matchAt[i]:e.matchAt[i+1]] {
		if w.has(m.pattern) && !latinEdge(e.text(i), m.start, m.end) {
			return true
		}
	}
	return false
}

// length is the time from the first start to the last end in ms, 0 without times.
func (e *evaluation) length() float64 {
	if len(e.t.Turns) == 0 {
		return 0
	}
	from, ok := e.clock(0)
	if !ok {
		return 0
	}
	var to int64
	for i := range e.t.Turns {
		end, ok := e.clockEnd(int32(i))
		if !ok {
			return 0
		}
		to = max(to, end)
	}
	return float64(to - from)
}

// durationOp compares the time from the first turn of its range to the end of the last.
type durationOp struct{ cmp compare }

func parseDuration(d *decoder, n *yaml.Node, _ bool) operator {
	op := &durationOp{}
	if f, ok := d.mapping(n, "duration", compareKeys...); ok {
		op.cmp = d.compare(f, "duration", d.millis)
	}
	return op
}

func (op *durationOp) literals() ([]int32, bool) { return nil, false }

func (op *durationOp) eval(e *evaluation, s scope) result {
	length := 0.0
	switch {
	case len(s.turns) > 0:
		from, ok := e.clock(s.turns[0])
		var to int64
		for _, i := range s.turns {
			end, ok2 := e.clockEnd(i)
			ok = ok && ok2
			to = max(to, end)
		}
		if ok {
			length = float64(to - from)
			break
		}
		if m := &e.t.Meta; e.closed && len(s.turns) == len(e.t.Turns) && !m.StartedAt.IsZero() && m.EndedAt.After(m.StartedAt) {
			length = float64(m.EndedAt.Sub(m.StartedAt).Milliseconds())
			break
		}
		return result{truth: noData, why: whyNoTimes}
	case s.complete:
		return result{truth: noData, why: whyNoTurns}
	}
	return e.told(growing(s, op.cmp, length), func() string { return spell(length) })
}

const whyNoTurns = "no_turns"

// growing judges a figure that further turns can only raise.
func growing(s scope, cmp compare, v float64) result {
	holds := cmp.holds(v)
	switch {
	case holds && (s.complete || !cmp.hasHi):
		return result{truth: yes}
	case s.complete || cmp.beyond(v):
		return result{}
	}
	return result{truth: open}
}
