package rules

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// roleMask is a set of roles; 0 is any role.
type roleMask uint8

const (
	maskCustomer roleMask = 1 << iota
	maskAgent
	maskBot
	maskSystem
	maskAny roleMask = 0
)

func maskOf(r schemas.Role) roleMask {
	switch r {
	case schemas.Customer:
		return maskCustomer
	case schemas.Agent:
		return maskAgent
	case schemas.Bot:
		return maskBot
	case schemas.System:
		return maskSystem
	}
	return 0
}

func (m roleMask) chinese() string {
	var parts []string
	for _, r := range []struct {
		m roleMask
		s string
	}{{maskCustomer, "客户"}, {maskAgent, "客服"}, {maskBot, "机器人"}, {maskSystem, "系统"}} {
		if m&r.m != 0 {
			parts = append(parts, r.s)
		}
	}
	if len(parts) == 0 {
		return "会话"
	}
	return strings.Join(parts, "和")
}

// where is the place of a range.
type where uint8

const (
	whereAll where = iota
	whereFirst
	whereLast
	whereTurns
	whereAfter
	whereBefore
	whereAround
	whereSame
)

var whereNames = map[string]where{"first": whereFirst, "last": whereLast, "after": whereAfter, "before": whereBefore, "around": whereAround}

// span is a range as written under `in`: which turns a condition looks at.
type span struct {
	roles roleMask
	where where
	n     int   // turns of the roles; -1 for all
	ms    int64 // time instead of turns, -1 where turns count
	same  bool  // the anchor's own turn too
	// from and to are the first and last turn of whereTurns, from 1; below 0 they count from the end, -1 is the last.
	from, to int
}

// fromEnd says that a range of turns is known only when the session is closed.
func (s *span) fromEnd() bool { return s.from < 0 || s.to < -1 }

// chinese says which turns were searched, for the reason of an absence.
func (s *span) chinese() string {
	if s == nil {
		return "整个会话"
	}
	who := s.roles.chinese()
	amount := fmt.Sprintf("%d句", s.n)
	if s.ms >= 0 {
		amount = fmt.Sprintf("%g秒", float64(s.ms)/1000)
	}
	switch s.where {
	case whereFirst:
		return who + "最初" + amount
	case whereLast:
		return who + "最后" + amount
	case whereTurns:
		return fmt.Sprintf("%s第%d至%d句", who, s.from, s.to)
	case whereAfter:
		if s.n < 0 && s.ms < 0 {
			return "其后" + who + "的话"
		}
		return "其后" + who + amount
	case whereBefore:
		if s.n < 0 && s.ms < 0 {
			return "此前" + who + "的话"
		}
		return "此前" + who + amount
	case whereAround:
		return "前后" + who + amount
	case whereSame:
		return "同一句"
	}
	if s.roles == maskAny {
		return "整个会话"
	}
	return who + "的全部发言"
}

// english says which turns a range means, for explanations.
func (s *span) english() string {
	var who []string
	for _, r := range []struct {
		m roleMask
		s string
	}{{maskCustomer, "customer"}, {maskAgent, "agent"}, {maskBot, "bot"}, {maskSystem, "system"}} {
		if s.roles&r.m != 0 {
			who = append(who, r.s)
		}
	}
	text := strings.Join(who, " and ")
	if text == "" {
		text = "all"
	}
	amount := fmt.Sprintf("%d turns", s.n)
	switch {
	case s.ms >= 0:
		amount = fmt.Sprintf("%g seconds", float64(s.ms)/1000)
	case s.n == 1:
		amount = "1 turn"
	case s.n < 0:
		amount = "all turns"
	}
	switch s.where {
	case whereFirst:
		text += ", first " + amount
	case whereLast:
		text += ", last " + amount
	case whereTurns:
		text += fmt.Sprintf(", turns %d to %d of them", s.from, s.to)
	case whereAfter:
		text += ", " + amount + " after the hit"
	case whereBefore:
		text += ", " + amount + " before the hit"
	case whereAround:
		text += ", " + amount + " around the hit"
	case whereSame:
		return text + ", the hit's own turn"
	default:
		return text + " turns"
	}
	if s.same {
		text += " and its own"
	}
	return text
}

// parseSpan reads `in`. anchored says whether the condition has a hit to be relative to.
func (d *decoder) parseSpan(n *yaml.Node, anchored bool) *span {
	f, ok := d.mapping(n, "in", "role", "first", "last", "turns", "after", "before", "around", "same_turn")
	if !ok {
		return nil
	}
	s := &span{n: -1, ms: -1}
	if r := f.get("role"); r != nil {
		s.roles = d.parseRoles(r)
	}
	for _, key := range []string{"first", "last", "after", "before", "around"} {
		v := f.get(key)
		if v == nil {
			continue
		}
		if s.where != whereAll {
			d.errorf(f.key(key), "nest two conditions to combine ranges", "in has two ranges")
			continue
		}
		s.where = whereNames[key]
		relative := s.where >= whereAfter
		if relative && !anchored {
			d.errorf(f.key(key), "before, after and around count from the rule's trigger, from the anchor of reply_to, or inside unless from the hit", "there is no hit to count from here")
		}
		switch {
		case v.Kind == yaml.ScalarNode && v.Value == "all" && relative:
		case v.Kind == yaml.ScalarNode && isCount(v.Value):
			s.n = d.int(v, "in."+key, 1, schemas.MaxTurns)
		case v.Kind == yaml.ScalarNode && v.Tag != "!!null":
			s.ms = d.duration(v, "in."+key)
		default:
			d.errorf(v, "a number of turns such as 2, or a time span such as 30s", "in.%s is empty", key)
		}
	}
	if v := f.get("turns"); v != nil {
		if s.where != whereAll {
			d.errorf(f.key("turns"), "nest two conditions to combine ranges", "in has two ranges")
		}
		s.where = whereTurns
		s.from, s.to = d.turnRange(v)
	}
	if v := f.get("same_turn"); v != nil {
		s.same = d.boolean(v, "in.same_turn", false)
		if s.same && !anchored {
			d.errorf(f.key("same_turn"), "", "there is no hit whose turn could be meant")
		}
		if s.same && s.where == whereAll {
			s.where = whereSame
		} else if s.same && s.where < whereAfter {
			d.errorf(f.key("same_turn"), "use it alone or with after, before, around", "same_turn does not go with first or last")
		}
	}
	return s
}

// turnRange reads 3..5, 3..-1 (from the third on), -3..-1 (the last three) or 2 (the second).
func (d *decoder) turnRange(n *yaml.Node) (from, to int) {
	a, b, two := strings.Cut(d.str(n, "in.turns"), "..")
	if !two {
		b = a
	}
	from, err := strconv.Atoi(strings.TrimSpace(a))
	to, err2 := strconv.Atoi(strings.TrimSpace(b))
	switch {
	case err != nil || err2 != nil || from == 0 || to == 0 || max(from, to) > schemas.MaxTurns || min(from, to) < -schemas.MaxTurns:
		d.errorf(n, "3..5, 3..-1 from the third on, -3..-1 the last three", "in.turns must be turns from 1, or below 0 from the end")
		return 1, -1
	case (from > 0) == (to > 0) && from > to:
		d.errorf(n, "", "in.turns ends before it begins")
	}
	return from, to
}

func isCount(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func (d *decoder) parseRoles(n *yaml.Node) roleMask {
	var m roleMask
	for _, it := range d.items(n, "role") {
		switch d.oneOf(it, "role", "customer", "agent", "bot", "system", "any") {
		case "customer":
			m |= maskCustomer
		case "agent":
			m |= maskAgent
		case "bot":
			m |= maskBot
		case "system":
			m |= maskSystem
		}
	}
	return m
}

// scope is a stretch of the session that a condition is evaluated over: turns by index, and inside a single turn
// perhaps only some bytes of it.
type scope struct {
	turns []int32
	// from and to bound the normalised text of a single turn; to < 0 is the whole turn.
	from, to int32
	// complete says that further turns at the end of the session cannot add to the scope.
	complete bool
	// Of a part of a turn: its matches are [first, last) of all, and sig has a bit for each (wordSet.sig).
	first, last int32
	sig         uint64
}

// one is the scope of a single turn.
func (e *evaluation) one(i int32) scope {
	return scope{turns: e.role(maskAny).turns[i : i+1], to: -1, complete: true}
}

// part is the scope of some bytes of a turn.
func (e *evaluation) part(i, from, to int32) scope {
	s := e.one(i)
	s.from, s.to = from, to
	lo, hi := e.matchAt[i], e.matchAt[i+1]
	// Matches are in the order of their ends.
	for lo < hi && e.matches[lo].end <= from {
		lo++
	}
	s.first = lo
	for lo < hi && e.matches[lo].end <= to {
		s.sig |= 1 << (e.matches[lo].pattern & 63)
		lo++
	}
	s.last = lo
	return s
}

// matchesIn gives the matches of a turn that may lie in the scope; their starts remain to be looked at.
func (e *evaluation) matchesIn(turn int32, s scope) []found {
	if s.to >= 0 {
		return e.matches[s.first:s.last]
	}
	return e.matches[e.matchAt[turn]:e.matchAt[turn+1]]
}

// narrow applies a range. why is set where the range cannot be found (no timestamps); open where it depends on turns
// still to come.
func (e *evaluation) narrow(s *span, in scope, anchor *hit) (out scope, open bool, why string) {
	base := in
	if s.where >= whereAfter {
		base = e.role(s.roles)
	} else if s.roles != maskAny {
		base = e.only(in, s.roles)
	}
	t := base.turns
	switch s.where {
	case whereAll:
		return base, false, ""
	case whereFirst:
		if s.ms < 0 {
			if len(t) >= s.n {
				base.turns, base.complete = t[:s.n], true
			}
			return base, false, ""
		}
		if len(e.t.Turns) == 0 {
			return base, false, ""
		}
		start, ok := e.clock(0)
		if !ok {
			return base, false, whyNoTimes
		}
		k := 0
		for k < len(t) {
			at, ok := e.clock(t[k])
			if !ok {
				return base, false, whyNoTimes
			}
			if at > start+s.ms {
				base.complete = true
				break
			}
			k++
		}
		base.turns = t[:k]
		return base, false, ""
	case whereTurns:
		if s.fromEnd() && !e.closed {
			return base, true, ""
		}
		from, to := s.from-1, s.to
		if s.from < 0 {
			from = len(t) + s.from
		}
		if s.to < 0 {
			to = len(t) + s.to + 1
		} else if to <= len(t) {
			base.complete = true
		}
		from, to = min(max(from, 0), len(t)), min(max(to, 0), len(t))
		base.turns = t[from:max(from, to)]
		return base, false, ""
	case whereLast:
		if !e.closed {
			return base, true, ""
		}
		if s.ms < 0 {
			base.turns = t[max(0, len(t)-s.n):]
			return base, false, ""
		}
		if len(e.t.Turns) == 0 {
			return base, false, ""
		}
		end, ok := e.clock(int32(len(e.t.Turns) - 1))
		if !ok {
			return base, false, whyNoTimes
		}
		k := len(t)
		for k > 0 {
			at, ok := e.clock(t[k-1])
			if !ok {
				return base, false, whyNoTimes
			}
			if at < end-s.ms {
				break
			}
			k--
		}
		base.turns = t[k:]
		return base, false, ""
	case whereSame:
		if s.roles != maskAny && maskOf(e.t.Turns[anchor.turn].Role)&s.roles == 0 {
			return scope{complete: true, to: -1}, false, ""
		}
		return e.one(anchor.turn), false, ""
	}
	// Relative ranges: the turns before and after the anchor, by number or time.
	at := sort.Search(len(t), func(i int) bool { return t[i] >= anchor.turn })
	next := at
	if next < len(t) && t[next] == anchor.turn {
		next++
	}
	lo, hi := at, next
	if !s.same {
		if s.where == whereAfter {
			lo = next
		} else if s.where == whereBefore {
			hi = at
		}
	}
	complete := true
	if s.where != whereBefore {
		var why string
		if hi, complete, why = e.reach(t, next, s, anchor.turn); why != "" {
			return base, false, why
		}
	}
	if s.where != whereAfter {
		var why string
		if lo, why = e.reachBack(t, at, s, anchor.turn); why != "" {
			return base, false, why
		}
	}
	if s.where == whereAround && !s.same && at != next {
		// The anchor's own turn lies in the middle: leave it out.
		joined := make([]int32, 0, hi-lo)
		joined = append(append(joined, t[lo:at]...), t[next:hi]...)
		return scope{turns: joined, to: -1, complete: complete}, false, ""
	}
	return scope{turns: t[lo:hi], to: -1, complete: complete}, false, ""
}

// reach gives the end of the turns after an anchor.
func (e *evaluation) reach(t []int32, next int, s *span, anchor int32) (hi int, complete bool, why string) {
	if s.ms < 0 {
		if s.n < 0 || next+s.n > len(t) {
			return len(t), e.closed, ""
		}
		return next + s.n, true, ""
	}
	from, ok := e.clock(anchor)
	if !ok {
		return 0, false, whyNoTimes
	}
	// The first turn of anybody that is later shows that the time has passed, whatever follows it.
	end, complete := int32(len(e.t.Turns)), e.closed
	for i := anchor + 1; i < end; i++ {
		if at, ok := e.clock(i); ok && at > from+s.ms {
			end, complete = i, true
		}
	}
	for hi = next; hi < len(t) && t[hi] < end; hi++ {
		if _, ok := e.clock(t[hi]); !ok {
			return 0, false, whyNoTimes
		}
	}
	return hi, complete, ""
}

func (e *evaluation) reachBack(t []int32, at int, s *span, anchor int32) (lo int, why string) {
	if s.ms < 0 {
		if s.n < 0 {
			return 0, ""
		}
		return max(0, at-s.n), ""
	}
	from, ok := e.clock(anchor)
	if !ok {
		return 0, whyNoTimes
	}
	for lo = at; lo > 0; lo-- {
		t0, ok := e.clock(t[lo-1])
		if !ok {
			return 0, whyNoTimes
		}
		if t0 < from-s.ms {
			break
		}
	}
	return lo, ""
}

// role gives all turns of the roles; the result is shared and must not be written to.
func (e *evaluation) role(m roleMask) scope {
	if e.byRole[m&15] == nil {
		turns := make([]int32, 0, len(e.t.Turns))
		for i := range e.t.Turns {
			if m == maskAny || maskOf(e.t.Turns[i].Role)&m != 0 {
				turns = append(turns, int32(i))
			}
		}
		e.byRole[m&15] = turns
	}
	return scope{turns: e.byRole[m&15], to: -1, complete: e.closed}
}

// only keeps the turns of a scope that belong to the roles.
func (e *evaluation) only(s scope, m roleMask) scope {
	if len(s.turns) == len(e.t.Turns) {
		r := e.role(m)
		r.complete = s.complete
		return r
	}
	all := true
	for _, i := range s.turns {
		if maskOf(e.t.Turns[i].Role)&m == 0 {
			all = false
			break
		}
	}
	if all {
		return s
	}
	kept := make([]int32, 0, len(s.turns))
	for _, i := range s.turns {
		if maskOf(e.t.Turns[i].Role)&m != 0 {
			kept = append(kept, i)
		}
	}
	s.turns = kept
	return s
}

// clock gives a turn's start on the session's clock in ms: of the recording where the first turn has that, else of day.
// The first turn decides for all, so that no turn to come can change what the turns so far say.
func (e *evaluation) clock(i int32) (int64, bool) {
	t := &e.t.Turns[i]
	if e.recorded() {
		return t.StartMS.V, t.StartMS.OK
	}
	if t.At.IsZero() {
		return 0, false
	}
	return t.At.UnixMilli(), true
}

// clockEnd is the end of a turn, its start where no end is known.
func (e *evaluation) clockEnd(i int32) (int64, bool) {
	if t := &e.t.Turns[i]; e.recorded() && t.StartMS.OK && t.EndMS.OK {
		return max(t.EndMS.V, t.StartMS.V), true
	}
	return e.clock(i)
}

func (e *evaluation) recorded() bool { return len(e.t.Turns) > 0 && e.t.Turns[0].StartMS.OK }

const whyNoTimes = "no_timestamps"
