package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// pack is one compiled rule pack.
type pack struct {
	id, name, version string
	hash              string // 8 hex of SHA-256 of the YAML text
	flagBelow         float64
	quiet             bool // report: found
	scorecards        []*scorecard
	rules             []*rule
	at                place
	text              string // the YAML text without a byte order mark
	file              string
	lists             map[string][]string
}

// fullVersion is declared version and content hash.
func (p *pack) fullVersion() string { return p.version + "+" + p.hash }

// scorecard is a group of scored items.
type scorecard struct {
	id, name string
	items    []*item
	line     int
}

// item is one item of a scorecard.
type item struct {
	id, name string
	max      float64
	weight   float64 // share of the card; max where the pack says nothing else
	human    bool
}

// critical is what a broken rule sets to 0.
type critical uint8

const (
	notCritical critical = iota
	criticalItem
	criticalGroup
	criticalWhole
)

// rule is one compiled rule.
type rule struct {
	pack      *pack
	file      string
	at        place
	id, name  string
	dimension string
	severity  string
	points    float64
	hasPoints bool
	each      bool    // every place counts, not only the first
	cap       float64 // least sum of points with each, 0 for none
	card      *scorecard
	item      *item
	itemRef   string // scorecard.item, "" for none
	critical  critical
	applies   *applies
	trigger   *condition
	expect    *condition
	forbid    *condition
	which     which
	presence  bool // present / absent instead of pass / fail
	reason    reason
	tests     []*ruleTest

	// words is what wakes the rule; always where it must be looked at in every session.
	words  []int32
	always bool
	// rest is the outcome while it sleeps in a closed session.
	rest string
}

// which chooses among the hits of a trigger.
type which struct {
	kind whichKind
	n    int
}

type whichKind uint8

const (
	whichEach whichKind = iota
	whichAny
	whichLast
	whichNth
)

// observes says that the rule only reports where something occurs.
func (r *rule) observes() bool { return r.expect == nil && r.forbid == nil }

var (
	idForm      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,31}$`)
)

const idHint = "small letters, digits and _, beginning with a letter"

// readPack reads a whole pack.
func (d *decoder) readPack(text []byte) *pack {
	root := d.parseYAML(text)
	if root == nil {
		return nil
	}
	f, ok := d.mapping(root, "a pack", "id", "name", "version", "description", "flag_below", "report", "lists", "scorecards", "rules")
	if !ok {
		return nil
	}
	sum := sha256.Sum256(text)
	p := &pack{hash: hex.EncodeToString(sum[:4]), at: d.place(root), text: d.doc.text, file: d.file, flagBelow: -1}
	p.id = d.identifier(f, "id", "the pack")
	p.name = d.str(f.get("name"), "name")
	d.str(f.get("description"), "description")
	if v := f.get("version"); v == nil {
		d.errorf(root, `version: "1"`, "the pack has no version")
	} else if p.version = d.str(v, "version"); p.version != "" && !versionForm.MatchString(p.version) {
		d.errorf(v, "such as 2026.11.1", "a version has letters, digits, points and dashes")
	}
	if v := f.get("flag_below"); v != nil {
		p.flagBelow = d.float(v, "flag_below", 0, 100)
	}
	p.quiet = d.oneOf(f.get("report"), "report", "all", "found") == "found"
	d.lists = map[string]*list{}
	if v := f.get("lists"); v != nil {
		d.readLists(v)
	}
	if v := f.get("scorecards"); v != nil {
		for _, it := range d.items(v, "scorecards") {
			if c := d.readScorecard(it); c != nil {
				for _, other := range p.scorecards {
					if other.id == c.id && c.id != "" {
						d.errorf(it, fmt.Sprintf("first at line %d", other.line), "two scorecards have the id %s", c.id)
					}
				}
				p.scorecards = append(p.scorecards, c)
			}
		}
	}
	v := f.get("rules")
	if v == nil {
		d.errorf(root, "", "the pack has no rules")
		return p
	}
	for _, it := range d.items(v, "rules") {
		if r := d.readRule(it, p); r != nil {
			p.rules = append(p.rules, r)
		}
	}
	p.lists = make(map[string][]string, len(d.lists))
	for name, l := range d.lists {
		p.lists[name] = l.words
	}
	return p
}

func (d *decoder) identifier(f fields, key, what string) string {
	v := f.get(key)
	if v == nil {
		d.errorf(f.node, "", "%s has no %s", what, key)
		return ""
	}
	s := d.str(v, key)
	if s != "" && !idForm.MatchString(s) {
		d.errorf(v, idHint, "not a valid %s", key)
	}
	return s
}

func (d *decoder) readLists(v *yaml.Node) {
	f, ok := d.openMapping(v, "lists")
	if !ok {
		return
	}
	var names []string
	for name, n := range f.vals {
		d.lists[name] = &list{node: n}
		names = append(names, name)
		if strings.ContainsAny(name, "<>") || name == "" {
			d.errorf(f.keys[name], "", "a list's name has no < or >")
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if l := d.lists[name]; l.state == 0 {
			d.listWords(f.vals[name], name)
			l.used = false
		}
	}
}

func (d *decoder) readScorecard(n *yaml.Node) *scorecard {
	f, ok := d.mapping(n, "a scorecard", "id", "name", "items")
	if !ok {
		return nil
	}
	c := &scorecard{line: n.Line, id: d.identifier(f, "id", "the scorecard"), name: d.str(f.get("name"), "name")}
	v := f.get("items")
	if v == nil {
		d.errorf(n, "", "the scorecard has no items")
		return c
	}
	for _, it := range d.items(v, "items") {
		g, ok := d.mapping(it, "an item", "id", "name", "max", "weight", "human")
		if !ok {
			continue
		}
		x := &item{id: d.identifier(g, "id", "the item"), name: d.str(g.get("name"), "name"), human: d.boolean(g.get("human"), "human", false)}
		if m := g.get("max"); m == nil {
			d.errorf(it, "its points at best", "the item has no max")
		} else if x.max = d.float(m, "max", 0, 1000); x.max == 0 {
			d.errorf(m, "", "max must be more than 0")
		}
		x.weight = x.max
		if w := g.get("weight"); w != nil {
			if x.weight = d.float(w, "weight", 0, 1000); x.weight == 0 {
				d.errorf(w, "leave the item out, or make it human: true", "weight must be more than 0")
			}
		}
		for _, other := range c.items {
			if other.id == x.id && x.id != "" {
				d.errorf(g.key("id"), "", "two items have the id %s", x.id)
			}
		}
		c.items = append(c.items, x)
	}
	return c
}

var ruleKeys = []string{
	"id", "name", "dimension", "severity", "points", "item", "count", "cap", "critical", "applies",
	"trigger", "which", "expect", "forbid", "outcome", "reason", "tests", "note",
}

func (d *decoder) readRule(n *yaml.Node, p *pack) *rule {
	f, ok := d.mapping(n, "a rule", ruleKeys...)
	if !ok {
		return nil
	}
	r := &rule{pack: p, file: d.file, at: d.place(n)}
	r.id = d.identifier(f, "id", "the rule")
	if r.name = d.str(f.get("name"), "name"); r.name == "" {
		d.errorf(n, "what people see, such as 开场白", "the rule has no name")
	}
	r.dimension = d.str(f.get("dimension"), "dimension")
	d.str(f.get("note"), "note")
	r.severity = d.oneOf(f.get("severity"), "severity", schemas.Info, schemas.Minor, schemas.Major, schemas.Critical)
	if f.get("severity") == nil {
		d.errorf(n, "info, minor, major or critical", "the rule has no severity")
	}
	d.readConditions(r, f)
	d.readScoring(r, f, p)
	if v := f.get("applies"); v != nil {
		r.applies = d.readApplies(v)
	}
	r.reason = d.readReason(f.get("reason"))
	if f.get("reason") == nil {
		d.errorf(n, "one sentence for the reviewer, such as 客服没有问候", "the rule has no reason")
	}
	if v := f.get("tests"); v != nil {
		for _, it := range d.items(v, "tests") {
			if t := d.readTest(it, r); t != nil {
				r.tests = append(r.tests, t)
			}
		}
	}
	d.settle(r)
	return r
}

func (d *decoder) readConditions(r *rule, f fields) {
	if v := f.get("trigger"); v != nil {
		r.trigger = d.parseCondition(v, "trigger", false)
	}
	anchored := f.get("trigger") != nil
	if v := f.get("expect"); v != nil {
		r.expect = d.parseCondition(v, "expect", anchored)
	}
	if v := f.get("forbid"); v != nil {
		r.forbid = d.parseCondition(v, "forbid", anchored)
		if f.get("expect") != nil {
			d.errorf(f.key("forbid"), "write two rules, or put not: into expect", "a rule has expect or forbid, not both")
		}
	}
	if f.get("trigger") == nil && f.get("expect") == nil && f.get("forbid") == nil {
		d.errorf(f.node, "trigger, expect or forbid", "the rule looks at nothing")
	}
	if v := f.get("which"); v != nil {
		if !anchored {
			d.errorf(f.key("which"), "", "which chooses among the hits of a trigger; the rule has none")
		}
		switch s := d.str(v, "which"); {
		case s == "each":
		case s == "any":
			r.which.kind = whichAny
		case s == "first":
			r.which = which{whichNth, 1}
		case s == "last":
			r.which.kind = whichLast
		case isCount(s):
			r.which = which{whichNth, d.int(v, "which", 1, schemas.MaxTurns)}
		case s != "":
			d.errorf(v, "each, any, first, last or a number", "which has no such value")
		}
	}
	r.presence = f.get("expect") == nil && (f.get("forbid") == nil || f.get("trigger") == nil)
	if v := f.get("outcome"); v != nil {
		switch d.oneOf(v, "outcome", "pass_fail", "presence") {
		case "pass_fail":
			if f.get("expect") == nil && f.get("forbid") == nil {
				d.errorf(v, "add expect or forbid", "a rule with only a trigger cannot pass or fail")
			}
			r.presence = false
		case "presence":
			r.presence = true
		}
	}
}

func (d *decoder) readScoring(r *rule, f fields, p *pack) {
	if v := f.get("points"); v != nil {
		r.points, r.hasPoints = d.float(v, "points", -100, 0), true
		if r.severity == schemas.Info && r.points != 0 && f.get("item") == nil {
			d.errorf(v, "use severity minor, or points 0", "a rule of severity info costs nothing")
		}
		if f.get("expect") == nil && f.get("forbid") == nil && r.points != 0 {
			d.errorf(v, "use forbid for what must not happen", "a rule with only a trigger observes and costs nothing")
		}
	}
	if d.oneOf(f.get("count"), "count", "once", "each") == "each" {
		r.each = true
	}
	if v := f.get("cap"); v != nil {
		r.cap = d.float(v, "cap", -1000, 0)
		if !r.each {
			d.errorf(f.key("cap"), "add count: each", "cap bounds rules that count each place")
		}
	}
	if v := f.get("item"); v != nil {
		ref := d.str(v, "item")
		cardID, itemID, _ := strings.Cut(ref, ".")
		var known []string
		for _, c := range p.scorecards {
			for _, x := range c.items {
				known = append(known, c.id+"."+x.id)
				if c.id == cardID && x.id == itemID {
					r.card, r.item, r.itemRef = c, x, ref
				}
			}
		}
		switch {
		case r.item == nil && ref != "":
			hint := didYouMean(ref, known)
			if len(known) == 0 {
				hint = "the pack has no scorecards"
			}
			d.errorf(v, hint, "no scorecard item of this name (scorecard.item)")
		case r.item != nil && r.item.human:
			d.errorf(v, "", "the item is scored by people; no rule feeds it")
		}
	}
	switch d.oneOf(f.get("critical"), "critical", "item", "group", "whole") {
	case "item":
		r.critical = criticalItem
	case "group":
		r.critical = criticalGroup
	case "whole":
		r.critical = criticalWhole
	}
	if (r.critical == criticalItem || r.critical == criticalGroup) && f.get("item") == nil {
		d.errorf(f.get("critical"), "add item:, or use whole", "the rule feeds no scorecard item")
	}
}

// applies limits a rule to some sessions.
type applies struct {
	fields     map[string][]string
	names      []string
	from, till time.Time
}

func (d *decoder) readApplies(n *yaml.Node) *applies {
	f, ok := d.mapping(n, "applies", append([]string{"attributes", "from", "to"}, fieldNames...)...)
	if !ok {
		return nil
	}
	a := &applies{fields: map[string][]string{}}
	for _, name := range fieldNames {
		if v := f.get(name); v != nil {
			a.fields[name] = d.strs(v, "applies."+name)
		}
	}
	if v := f.get("attributes"); v != nil {
		if g, ok := d.openMapping(v, "applies.attributes"); ok {
			for name, vals := range g.vals {
				a.fields[attributePrefix+name] = d.strs(vals, "applies.attributes."+name)
			}
		}
	}
	for name := range a.fields {
		a.names = append(a.names, name)
	}
	sort.Strings(a.names)
	a.from = d.date(f.get("from"), "applies.from")
	if a.till = d.date(f.get("to"), "applies.to"); !a.till.IsZero() {
		a.till = a.till.AddDate(0, 0, 1) // the day itself is inside
	}
	if !a.from.IsZero() && !a.till.IsZero() && !a.from.Before(a.till) {
		d.errorf(f.get("to"), "", "the period ends before it begins")
	}
	return a
}

// packZone is the zone of the days in packs.
var packZone = time.FixedZone("UTC+8", 8*3600)

func (d *decoder) date(n *yaml.Node, what string) time.Time {
	if n == nil {
		return time.Time{}
	}
	t, err := time.ParseInLocation("2006-01-02", n.Value, packZone)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.errorf(n, "such as 2026-11-01", "%s must be a day", what)
		return time.Time{}
	}
	return t
}

func (a *applies) match(t *schemas.Transcript) bool {
	for _, name := range a.names {
		if !slices.Contains(a.fields[name], metaField(&t.Meta, name)) {
			return false
		}
	}
	return a.inPeriod(t)
}

func (a *applies) inPeriod(t *schemas.Transcript) bool {
	if a.from.IsZero() && a.till.IsZero() {
		return true
	}
	at := startOf(t)
	return !at.IsZero() && !at.Before(a.from) && (a.till.IsZero() || at.Before(a.till))
}

// startOf is when a session began, the time of its first turn that has one where nothing else is known.
func startOf(t *schemas.Transcript) time.Time {
	at := t.Meta.StartedAt
	for i := 0; at.IsZero() && i < len(t.Turns); i++ {
		at = t.Turns[i].At
	}
	return at
}

// settle works out when a rule wakes and what it says while it sleeps.
func (d *decoder) settle(r *rule) {
	r.rest = schemas.Absent
	first := r.trigger
	switch {
	case r.trigger != nil && !r.observes():
		r.rest = schemas.NA
	case r.forbid != nil:
		first = r.forbid
		if !r.presence {
			r.rest = schemas.Pass
		}
	case r.trigger == nil:
		first = r.expect
	}
	if first == nil {
		r.always = true
		return
	}
	words, ok := first.literals()
	if r.trigger == nil && r.forbid == nil {
		ok = false // what is expected may be absent: there is nothing to wait for
	}
	if !ok {
		r.always = true
		return
	}
	slices.Sort(words)
	r.words = slices.Compact(slices.Clone(words))
}

// reason is a template: texts with a placeholder after each, the last without one.
type reason struct {
	parts []string
	holes []string
}

var placeholders = []string{"name", "text", "turn", "count", "agent", "searched", "step"}

var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

func (d *decoder) readReason(n *yaml.Node) reason {
	s := d.str(n, "reason")
	var r reason
	at := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		name := s[m[2]:m[3]]
		if !slices.Contains(placeholders, name) {
			d.errorf(n, didYouMean(name, placeholders), "reason has no placeholder {%s}", name)
		}
		r.parts = append(r.parts, s[at:m[0]])
		r.holes = append(r.holes, name)
		at = m[1]
	}
	r.parts = append(r.parts, s[at:])
	return r
}

func (r reason) fill(value func(string) string) string {
	if len(r.holes) == 0 {
		return r.parts[0]
	}
	var b strings.Builder
	for i, hole := range r.holes {
		b.WriteString(r.parts[i])
		b.WriteString(value(hole))
	}
	b.WriteString(r.parts[len(r.holes)])
	return b.String()
}

// lightPoints sums what the info and minor rules of a pack can cost together.
func (p *pack) lightPoints() float64 {
	sum := 0.0
	for _, r := range p.rules {
		if schemas.SeverityRank(r.severity) <= schemas.SeverityRank(schemas.Minor) && r.item == nil {
			sum += math.Max(math.Abs(r.points), math.Abs(r.cap))
		}
	}
	return sum
}
