package rules

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// speedOp compares how fast is spoken, in characters per minute. Every Chinese character and digit counts one, a Latin
// word one.
type speedOp struct {
	cmp      compare
	mean     bool
	minChars int
}

func parseSpeed(d *decoder, n *yaml.Node, _ bool) operator {
	op := &speedOp{minChars: 10}
	f, ok := d.mapping(n, "speed", withCompare("of", "min_chars")...)
	if !ok {
		return op
	}
	op.cmp = d.compare(f, "speed", func(v *yaml.Node, what string) float64 { return d.float(v, what, 0, 100_000) })
	op.mean = d.oneOf(f.get("of"), "speed.of", "turn", "mean") == "mean"
	if v := f.get("min_chars"); v != nil {
		op.minChars = d.int(v, "speed.min_chars", 1, 10_000)
	}
	return op
}

func (op *speedOp) literals() ([]int32, bool) { return nil, false }

func (op *speedOp) eval(e *evaluation, s scope) result {
	var hits []hit
	missing := ""
	chars, ms, turns := 0, int64(0), 0
	fastest, slowest := 0.0, 0.0
	for _, i := range s.turns {
		text := e.text(i)
		if len(text) < op.minChars {
			continue
		}
		n := spokenUnits(text)
		if n < op.minChars {
			continue
		}
		from, to, ok := e.spoken(i)
		if !ok || to == from {
			missing = whyNoDurations
			continue
		}
		speed := float64(n) * 60_000 / float64(to-from)
		if turns == 0 || speed < slowest {
			slowest = speed
		}
		fastest = max(fastest, speed)
		chars, ms, turns = chars+n, ms+to-from, turns+1
		if !op.mean && op.cmp.holds(speed) {
			hits = append(hits, e.wholeTurn(i))
		}
	}
	if !op.mean {
		return e.told(findings(s, hits, missing), func() string {
			return fmt.Sprintf("%d turns at %.0f to %.0f characters a minute", turns, slowest, fastest)
		})
	}
	switch {
	case !s.complete:
		return result{truth: open}
	case missing != "":
		return result{truth: noData, why: missing}
	case ms == 0:
		return result{truth: noData, why: whyNoTurns}
	}
	mean := float64(chars) * 60_000 / float64(ms)
	r := result{}
	if op.cmp.holds(mean) {
		r.truth = yes
	}
	return e.told(r, func() string { return fmt.Sprintf("%.0f characters a minute over %d turns", mean, turns) })
}

// spokenUnits counts Chinese characters, digits and Latin words.
func spokenUnits(s string) int {
	n := 0
	inWord := false
	for _, r := range s {
		letter := r < 0x250 && content(r) && !(r >= '0' && r <= '9')
		switch {
		case letter && !inWord, !letter && content(r):
			n++
		}
		inWord = letter || inWord && r == '\''
	}
	return n
}

// overlapOp finds turns that begin while another side still speaks.
type overlapOp struct {
	delay, least int64    // ms
	of           roleMask // whom they interrupt
	times        int
}

func parseOverlap(d *decoder, n *yaml.Node, _ bool) operator {
	op := &overlapOp{least: 300, times: 1}
	f, ok := d.mapping(n, "overlap", "delay", "min", "of", "times")
	if !ok {
		return op
	}
	op.delay = d.duration(f.get("delay"), "overlap.delay")
	if v := f.get("min"); v != nil {
		op.least = d.duration(v, "overlap.min")
	}
	if v := f.get("of"); v != nil {
		op.of = d.parseRoles(v)
	}
	if v := f.get("times"); v != nil {
		op.times = d.int(v, "overlap.times", 1, schemas.MaxTurns)
	}
	return op
}

func (op *overlapOp) literals() ([]int32, bool) { return nil, false }

func (op *overlapOp) eval(e *evaluation, s scope) result {
	var hits []hit
	missing := ""
	longest := int64(0)
	// The stretch of each role that ends last: a turn is interrupted while it lasts.
	type stretch struct {
		role     schemas.Role
		from, to int64
	}
	var speaking [4]stretch
	k := 0
	for i := range e.t.Turns {
		from, to, ok := e.spoken(int32(i))
		for k < len(s.turns) && s.turns[k] < int32(i) {
			k++
		}
		in := k < len(s.turns) && s.turns[k] == int32(i)
		if !ok {
			missing = whyNoDurations
			continue
		}
		role := e.t.Turns[i].Role
		interrupts := false
		for _, x := range speaking {
			if !in || x.role == "" || x.role == role || op.of != maskAny && maskOf(x.role)&op.of == 0 || from < x.from {
				continue
			}
			if both := min(to, x.to) - from; both > 0 && both >= op.least && from-x.from >= op.delay {
				interrupts = true
				longest = max(longest, both)
			}
		}
		if interrupts {
			hits = append(hits, e.wholeTurn(int32(i)))
		}
		for j := range speaking {
			if speaking[j].role == role || speaking[j].role == "" {
				if speaking[j].role == "" || to > speaking[j].to {
					speaking[j] = stretch{role, from, to}
				}
				break
			}
		}
	}
	n := len(hits)
	if n < op.times {
		hits = nil
	}
	return e.told(findings(s, hits, missing), func() string {
		if n == 0 {
			return "nobody spoke at once"
		}
		return fmt.Sprintf("%d times, longest %s", n, spell(float64(longest)))
	})
}

// talkShareOp compares how much of what customer and agent say comes from one of them.
type talkShareOp struct {
	cmp    compare
	of     schemas.Role
	byTime bool
}

func parseTalkShare(d *decoder, n *yaml.Node, _ bool) operator {
	op := &talkShareOp{of: schemas.Agent}
	f, ok := d.mapping(n, "talk_share", withCompare("of", "by")...)
	if !ok {
		return op
	}
	op.cmp = d.compare(f, "talk_share", d.share)
	if d.oneOf(f.get("of"), "talk_share.of", "agent", "customer") == "customer" {
		op.of = schemas.Customer
	}
	op.byTime = d.oneOf(f.get("by"), "talk_share.by", "chars", "time") == "time"
	return op
}

func (op *talkShareOp) literals() ([]int32, bool) { return nil, false }

func (op *talkShareOp) eval(e *evaluation, s scope) result {
	if !s.complete {
		return result{truth: open}
	}
	var own, all int64
	for _, i := range s.turns {
		role := e.t.Turns[i].Role
		if role != schemas.Customer && role != schemas.Agent {
			continue
		}
		n := int64(contentChars(e.text(i)))
		if op.byTime {
			from, to, ok := e.spoken(i)
			if !ok {
				return result{truth: noData, why: whyNoDurations}
			}
			n = to - from
		}
		all += n
		if role == op.of {
			own += n
		}
	}
	if all == 0 {
		return result{truth: noData, why: whyNoTurns}
	}
	share := float64(own) / float64(all)
	r := result{}
	if op.cmp.holds(share) {
		r.truth = yes
	}
	return e.told(r, func() string { return fmt.Sprintf("%.0f%% by the %s", share*100, op.of) })
}
