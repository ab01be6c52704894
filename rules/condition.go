package rules

import (
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// truth is the value of a condition. Yes and no stand whatever turns follow; open depends on turns still to come;
// noData could not be decided for want of data.
type truth uint8

const (
	no truth = iota
	yes
	open
	noData
)

// hit is one place where a condition holds: bytes [start, end) of the turn's normalised text, or of its masked text
// where masked is set.
type hit struct {
	turn, start, end int32
	masked           bool
	// support says that the place only completes the evidence: it comes after those the condition holds at, so that the
	// first place, which gives a finding its identity, stays the first as the session goes on.
	support bool
}

// result is a truth with its places; an absence that holds has none. why says what data is missing.
type result struct {
	truth truth
	hits  []hit
	why   string
	// value says what was measured or compared, for people: "45 s", "2 of 3 words". Operators fill it only while
	// evaluation.explaining is set, so that it costs nothing otherwise; the truth must not depend on it.
	value string
	// step says what a process that does not hold lacks, for the reason of a finding.
	step string
}

// operator is the leaf of a condition.
type operator interface {
	// eval looks at the turns of s. It must not keep s.turns.
	eval(e *evaluation, s scope) result
	// literals gives words of which at least one occurs wherever the operator holds; ok is false where it may hold
	// without any.
	literals() (words []int32, ok bool)
}

// logic is what a condition does with its parts.
type logic uint8

const (
	leaf logic = iota
	all
	anyOf
	none
	not
	atLeast
)

// unit is how far apart the parts of a condition may lie.
type unit uint8

const (
	unitScope unit = iota
	unitTurn
	unitClause
)

// condition is a compiled condition.
type condition struct {
	logic  logic
	op     operator
	kids   []*condition
	n      int
	unit   unit
	in     *span
	unless *condition
	// as says what the condition is to the one around it: trigger, expect, forbid, unless, all, reply_to.anchor ...
	as string
	// key is its operator or logic word, at where it stands.
	key string
	at  place
	// words are those of which one occurs wherever the condition has a hit or holds; worded is false where it may hold
	// without any.
	words  []int32
	worded bool
	// pre holds words of which one is in every turn where the condition can hold; nil where there are none.
	pre *wordSet
}

var logicKeys = map[string]logic{"all": all, "any": anyOf, "none": none, "not": not, "at_least": atLeast}

// modifiers stand beside the one operator of a condition.
var modifiers = []string{"in", "unless", "in_turn", "in_clause"}

func conditionKeys() []string {
	keys := append([]string(nil), modifiers...)
	for k := range logicKeys {
		keys = append(keys, k)
	}
	for k := range operators {
		keys = append(keys, k)
	}
	return keys
}

// parseCondition reads one condition: exactly one operator or logic word, and modifiers. anchored says whether ranges
// relative to a hit have one.
func (d *decoder) parseCondition(n *yaml.Node, what string, anchored bool) *condition {
	f, ok := d.openMapping(n, what)
	if !ok {
		return nil
	}
	clause, speaker := d.inClause, d.speaker
	defer func() { d.inClause, d.speaker = clause, speaker }()
	c := &condition{as: what, at: d.place(n)}
	main := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if contains(modifiers, key) || f.keys[key] != n.Content[i] {
			continue
		}
		_, isLogic := logicKeys[key]
		_, isOp := operators[key]
		switch {
		case !isLogic && !isOp:
			hint := didYouMean(key, conditionKeys())
			if alt := elsewhere[key]; alt != "" {
				hint = alt
			}
			d.errorf(n.Content[i], hint, "unknown operator")
		case main != "":
			d.errorf(n.Content[i], "put both under all: or any:", "a condition has one operator; this one has %s already", main)
		default:
			main = key
		}
	}
	if v := f.get("in"); v != nil {
		if c.in = d.parseSpan(v, anchored); c.in != nil && (c.in.roles != maskAny || c.in.where >= whereAfter) {
			d.speaker = c.in.roles
		}
	}
	if d.boolean(f.get("in_turn"), "in_turn", false) {
		c.unit = unitTurn
	}
	if d.boolean(f.get("in_clause"), "in_clause", false) {
		c.unit, d.inClause = unitClause, true
	}
	if v := f.get("unless"); v != nil {
		c.unless = d.parseCondition(v, "unless", true)
	}
	if main == "" {
		if len(f.keys) == 0 || allIn(f.keys, modifiers) {
			d.errorf(n, "such as keyword: [您好]", "%s has no operator", what)
		}
		return c
	}
	c.key = main
	v := f.get(main)
	if lg, ok := logicKeys[main]; ok {
		c.logic = lg
		d.parseLogic(c, main, v, anchored)
	} else {
		c.op = operators[main](d, v, anchored)
	}
	c.words, c.worded = c.findLiterals(d.words)
	if c.unit != unitScope && c.worded && c.local() && !d.words.marked(c.words) {
		c.pre = d.words.set(append([]int32(nil), c.words...))
	}
	return c
}

// local says that the parts of a condition look at no turns but the one they are given.
func (c *condition) local() bool {
	if _, ok := c.op.(anchoredOperator); ok {
		return false
	}
	for _, k := range c.kids {
		if k.in != nil || !k.local() {
			return false
		}
	}
	return true
}

func (d *decoder) parseLogic(c *condition, key string, v *yaml.Node, anchored bool) {
	list := v
	switch c.logic {
	case not:
		if kid := d.parseCondition(v, "not", anchored); kid != nil {
			c.kids = []*condition{kid}
		}
		return
	case atLeast:
		f, ok := d.mapping(v, "at_least", "n", "of")
		if !ok {
			return
		}
		c.n = d.int(f.get("n"), "at_least.n", 1, 1000)
		if f.get("n") == nil {
			d.errorf(f.node, "at_least: {n: 2, of: [...]}", "at_least needs n")
		}
		if list = f.get("of"); list == nil {
			d.errorf(f.node, "at_least: {n: 2, of: [...]}", "at_least needs of")
			return
		}
	}
	if list.Kind != yaml.SequenceNode {
		d.errorf(list, "one condition a line, each after a dash", "%s must be a list of conditions", key)
		return
	}
	if len(list.Content) == 0 {
		d.errorf(list, "", "%s is empty", key)
	}
	for _, it := range list.Content {
		if kid := d.parseCondition(it, key, anchored); kid != nil {
			c.kids = append(c.kids, kid)
		}
	}
	if c.logic == atLeast && c.n > len(c.kids) && len(c.kids) > 0 {
		d.errorf(list, "", "at_least asks for %d of %d conditions", c.n, len(c.kids))
	}
}

// elsewhere says how to write words that other systems have as operators.
var elsewhere = map[string]string{
	"role": "write in: {role: ...}", "keywords": "write keyword:",
	"and": "write all:", "or": "write any:", "within": "write in: {after: ...}", "times": "keyword has times", "words": "write keyword:",
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func allIn(keys map[string]*yaml.Node, list []string) bool {
	for k := range keys {
		if !contains(list, k) {
			return false
		}
	}
	return true
}

// literals gives words of which one occurs wherever the condition has a hit or holds.
func (c *condition) literals() ([]int32, bool) { return c.words, c.worded }

func (c *condition) findLiterals(t *wordTable) ([]int32, bool) {
	switch c.logic {
	case leaf:
		if c.op == nil {
			return nil, true
		}
		return c.op.literals()
	case all:
		var best []int32
		found, least := false, 0.0
		for _, k := range c.kids {
			if w, ok := k.literals(); ok {
				if f := t.frequency(w); !found || f < least {
					best, found, least = w, true, f
				}
			}
		}
		return best, found
	case anyOf, atLeast:
		var union []int32
		for _, k := range c.kids {
			w, ok := k.literals()
			if !ok {
				return nil, false
			}
			union = append(union, w...)
		}
		return union, true
	}
	return nil, false
}

// frequency guesses how often one of some words wakes a rule, to choose what to wait for: a feature of a turn or a single
// character comes often, longer words ever more seldom.
func (t *wordTable) frequency(ids []int32) float64 {
	sum := 0.0
	for _, id := range ids {
		w := t.words[id]
		switch n := utf8.RuneCountInString(w); {
		case w[0] == 0 || n == 1:
			sum++
		case n == 2:
			sum += 0.05
		case n == 3:
			sum += 0.01
		default:
			sum += 0.003
		}
	}
	return sum
}

// eval evaluates the condition over s; anchor is the hit that relative ranges count from, nil without one.
func (c *condition) eval(e *evaluation, s scope, anchor *hit) result {
	if e.trace != nil {
		return e.trace.follow(e, c, s, anchor)
	}
	return c.evaluate(e, s, anchor)
}

func (c *condition) evaluate(e *evaluation, s scope, anchor *hit) result {
	if c.in != nil {
		narrowed, isOpen, why := e.narrow(c.in, s, anchor)
		if why != "" {
			return result{truth: noData, why: why}
		}
		if isOpen {
			return result{truth: open}
		}
		s = narrowed
	}
	var r result
	was := e.truthOnly
	e.truthOnly = was && c.unless == nil // an exception may drop the first place but not the next
	if c.unit == unitScope {
		r = c.body(e, s, anchor)
	} else {
		r = c.byUnit(e, s, anchor)
	}
	e.truthOnly = was
	if c.unless != nil && r.truth == yes {
		value := r.value
		r = c.except(e, s, r)
		r.value = value
	}
	return r
}

// holds evaluates for the truth alone: evaluation stops at the first place.
func (c *condition) holds(e *evaluation, s scope, anchor *hit) result {
	was := e.truthOnly
	e.truthOnly = !e.explaining // people want to see the places too
	r := c.eval(e, s, anchor)
	e.truthOnly = was
	return r
}

// byUnit evaluates the parts turn by turn or clause by clause: it holds where all is true of one of them.
func (c *condition) byUnit(e *evaluation, s scope, anchor *hit) result {
	out := result{truth: no}
	isOpen, why := !s.complete, ""
	holds := false
	try := func(one scope) {
		var r result
		if e.trace == nil {
			r = c.body(e, one, anchor)
		} else {
			r = e.trace.part(e, c, one, anchor)
		}
		switch r.truth {
		case yes:
			holds = true
			if len(r.hits) == 0 {
				r.hits = []hit{e.place(one)}
			}
			if out.hits == nil {
				out.hits = r.hits[:len(r.hits):len(r.hits)]
			} else {
				out.hits = append(out.hits, r.hits...)
			}
		case open:
			isOpen = true
		case noData:
			why = r.why
		}
	}
	for _, i := range s.turns {
		if c.pre != nil && !e.explaining && !e.turnHas(i, c.pre, s) {
			continue
		}
		if holds && e.truthOnly {
			break
		}
		if c.unit == unitTurn {
			if s.to >= 0 {
				try(s)
			} else {
				try(e.one(i))
			}
			continue
		}
		for _, cl := range e.clauses(i) {
			if s.to >= 0 && (cl.start < s.from || cl.end > s.to) {
				continue
			}
			part := e.part(i, cl.start, cl.end)
			if c.pre != nil && !e.explaining && part.sig&c.pre.sig == 0 {
				continue
			}
			try(part)
			if holds && e.truthOnly {
				break
			}
		}
	}
	switch {
	case holds:
		out.truth = yes
	case why != "":
		return result{truth: noData, why: why}
	case isOpen:
		out.truth = open
	}
	return out
}

// place is the whole of a scope of one turn as a hit.
func (e *evaluation) place(s scope) hit {
	if s.to < 0 {
		return e.wholeTurn(s.turns[0])
	}
	return hit{turn: s.turns[0], start: s.from, end: s.to}
}

// body evaluates the operator or combines the parts over one scope.
func (c *condition) body(e *evaluation, s scope, anchor *hit) result {
	switch c.logic {
	case leaf:
		if c.op == nil {
			return result{}
		}
		if a, ok := c.op.(anchoredOperator); ok {
			return a.evalAnchored(e, s, anchor)
		}
		return c.op.eval(e, s)
	case not:
		r := c.kids[0].holds(e, s, anchor)
		switch r.truth {
		case yes:
			return result{truth: no}
		case no:
			return result{truth: yes}
		}
		return result{truth: r.truth, why: r.why}
	}
	var hits []hit
	var sure, maybe, missing, failed int
	why := ""
	for _, k := range c.kids {
		if e.truthOnly && c.logic == anyOf && sure > 0 {
			break
		}
		r := k.eval(e, s, anchor)
		switch r.truth {
		case yes:
			sure++
			if hits == nil {
				hits = r.hits[:len(r.hits):len(r.hits)]
			} else {
				hits = append(hits, r.hits...)
			}
		case open:
			maybe++
		case noData:
			missing++
			why = r.why
		case no:
			failed++
		}
		// One part decides: the others matter to people only.
		if !e.explaining && (c.logic == all && failed > 0 || c.logic == none && sure > 0) {
			return result{}
		}
	}
	if c.logic == all && failed > 0 || c.logic == none && sure > 0 {
		return result{}
	}
	need := 1
	switch c.logic {
	case all:
		need = len(c.kids)
	case atLeast:
		need = c.n
	case none:
		switch {
		case missing > 0:
			return result{truth: noData, why: why}
		case maybe > 0:
			return result{truth: open}
		}
		return result{truth: yes}
	}
	switch {
	case sure >= need:
		sortHits(hits)
		return result{truth: yes, hits: hits}
	case sure+maybe >= need:
		return result{truth: open}
	case sure+maybe+missing >= need:
		return result{truth: noData, why: why}
	}
	return result{}
}

// except drops the hits where the exception holds: in the hit's own turn, or wherever its own `in` says.
func (c *condition) except(e *evaluation, s scope, r result) result {
	if len(r.hits) == 0 {
		x := c.unless.holds(e, s, nil)
		switch x.truth {
		case yes:
			return result{}
		case open, noData:
			return result{truth: x.truth, why: x.why}
		}
		return r
	}
	kept := make([]hit, 0, len(r.hits))
	undecided, why := false, ""
	for i := range r.hits {
		h := &r.hits[i]
		over := e.one(h.turn)
		if s.to >= 0 {
			over = s // inside a turn or clause that a condition around this one looks at
		}
		if c.unit == unitClause {
			for _, cl := range e.clauses(h.turn) {
				if cl.start <= h.start && h.end <= cl.end {
					over = e.part(h.turn, cl.start, cl.end)
					break
				}
			}
		}
		x := c.unless.holds(e, over, h)
		switch x.truth {
		case no:
			kept = append(kept, *h)
		case open:
			undecided = true
		case noData:
			undecided, why = true, x.why
		}
	}
	switch {
	case len(kept) > 0:
		return result{truth: yes, hits: kept}
	case why != "":
		return result{truth: noData, why: why}
	case undecided || !s.complete:
		return result{truth: open}
	}
	return result{}
}

func sortHits(hits []hit) {
	if sort.SliceIsSorted(hits, func(i, j int) bool { return hitLess(hits[i], hits[j]) }) {
		return
	}
	sort.SliceStable(hits, func(i, j int) bool { return hitLess(hits[i], hits[j]) })
}

func hitLess(a, b hit) bool {
	if a.support != b.support {
		return b.support
	}
	if a.turn != b.turn {
		return a.turn < b.turn
	}
	return a.start < b.start
}

// found gives yes with hits, and without any no or, where the scope can still grow, open.
func foundIn(s scope, hits []hit) result {
	if len(hits) > 0 {
		return result{truth: yes, hits: hits}
	}
	if !s.complete {
		return result{truth: open}
	}
	return result{}
}
