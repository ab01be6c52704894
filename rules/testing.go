package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/schemas"
)

// Featuriser makes the features that tests of rules are evaluated with. What a test states about a turn (emotion,
// polarity) replaces what it says.
type Featuriser interface {
	Features(*schemas.Transcript) *schemas.Features
}

// Literal is the least featuriser: normalised text by width and case, a word a character, every turn neutral. Tests whose rules look at
// emotions state them.
type Literal struct{}

// Features gives one neutral feature row a turn.
func (Literal) Features(t *schemas.Transcript) *schemas.Features {
	f := &schemas.Features{Turns: make([]schemas.TurnFeatures, len(t.Turns)), ModelVersion: "literal"}
	for i := range t.Turns {
		x := &f.Turns[i]
		x.Norm = literalNorm(t.Turns[i].Text)
		x.Cut = schemas.CutWords(literalWords(x.Norm.Text))
		x.Emotion = schemas.Neutral
		x.Scores[schemas.Neutral] = 1
		x.PolarityClass = schemas.NeutralPolarity
	}
	return f
}

// literalWords cuts a text into runs of Latin letters and digits and single other characters.
func literalWords(s string) []schemas.Span {
	var out []schemas.Span
	for i := 0; i < len(s); {
		_, w := utf8.DecodeRuneInString(s[i:])
		j := i + w
		for isAlnum(s[i]) && j < len(s) && isAlnum(s[j]) {
			j++
		}
		if s[i] != ' ' {
			out = append(out, schemas.Span{Start: i, End: j})
		}
		i = j
	}
	return out
}

func literalNorm(s string) schemas.NormText {
	folded := foldText(s)
	if folded == s {
		return schemas.NormText{Text: s}
	}
	n := schemas.NormText{Text: folded, Offsets: make([]int32, 0, len(folded)+1)}
	for i, r := range s {
		for range len(string(foldRune(r))) {
			n.Offsets = append(n.Offsets, int32(i))
		}
	}
	n.Offsets = append(n.Offsets, int32(len(s)))
	return n
}

// ruleTest is one inline test.
type ruleTest struct {
	name    string
	want    string
	hits    []int64 // seqs of the evidence, nil where the test does not say
	known   bool    // a known gap: the rule does not manage it yet
	open    bool    // the session is still going on
	meta    schemas.Meta
	facts   *schemas.Facts
	turns   []testTurn
	line    int
	hasHits bool
}

type testTurn struct {
	turn     schemas.Turn
	emotion  *schemas.Emotion
	polarity *float32
	mentions []schemas.TurnMention
	entities []schemas.Entity
}

var testRoles = map[string]schemas.Role{
	"客户": schemas.Customer, "客服": schemas.Agent, "机器人": schemas.Bot, "系统": schemas.System,
	"customer": schemas.Customer, "agent": schemas.Agent, "bot": schemas.Bot, "system": schemas.System,
}

func (d *decoder) readTest(n *yaml.Node, r *rule) *ruleTest {
	f, ok := d.mapping(n, "a test", "name", "want", "hits", "gap", "open", "session", "turns")
	if !ok {
		return nil
	}
	t := &ruleTest{line: n.Line, name: d.str(f.get("name"), "name")}
	outcomes := []string{schemas.Pass, schemas.Fail, schemas.NA}
	if r.presence {
		outcomes = []string{schemas.Present, schemas.Absent, schemas.NA}
	}
	if f.get("want") == nil {
		d.errorf(n, strings.Join(outcomes, ", "), "the test does not say what it wants")
	}
	t.want = d.oneOf(f.get("want"), "want", outcomes...)
	t.known = d.boolean(f.get("gap"), "gap", false)
	t.open = d.boolean(f.get("open"), "open", false)
	if v := f.get("hits"); v != nil {
		t.hasHits = true
		for _, it := range d.items(v, "hits") {
			t.hits = append(t.hits, int64(d.int(it, "hits", 1, schemas.MaxTurns)))
		}
	}
	if v := f.get("session"); v != nil {
		t.meta, t.facts = d.readTestMeta(v)
	}
	v := f.get("turns")
	if v == nil {
		d.errorf(n, "turns: [客户: ..., 客服: ...], one a line", "the test has no turns")
		return t
	}
	for _, it := range d.items(v, "turns") {
		if x, ok := d.readTestTurn(it); ok {
			t.turns = append(t.turns, x)
		}
	}
	if t.hasHits {
		for _, h := range t.hits {
			if int(h) > len(t.turns) {
				d.errorf(f.get("hits"), "turns count from 1", "the test has no turn %d", h)
			}
		}
	}
	return t
}

// testStart is when the session of a test that says how long it lasts began.
var testStart = time.Date(2026, 11, 11, 9, 0, 0, 0, packZone)

func (d *decoder) readTestMeta(v *yaml.Node) (m schemas.Meta, facts *schemas.Facts) {
	f, ok := d.mapping(v, "session", append([]string{"attributes", "facts", "lasts"}, fieldNames...)...)
	if !ok {
		return m, nil
	}
	if v := f.get("lasts"); v != nil {
		m.StartedAt = testStart
		m.EndedAt = testStart.Add(time.Duration(d.duration(v, "session.lasts")) * time.Millisecond)
	}
	if v := f.get("facts"); v != nil {
		facts = &schemas.Facts{}
		if g, ok := d.openMapping(v, "session.facts"); ok {
			for name, x := range g.vals {
				d.setFact(facts, g.keys[name], x)
			}
		}
	}
	for name, to := range map[string]*string{
		"channel": &m.Channel, "source": &m.Source, "shop": &m.Shop, "business": &m.Business, "skill_group": &m.SkillGroup, "product": &m.Product,
		"customer_id": &m.CustomerID, "agent_id": &m.AgentID, "agent_name": &m.AgentName, "team": &m.Team,
	} {
		*to = d.str(f.get(name), "session."+name)
	}
	if v := f.get("attributes"); v != nil {
		if g, ok := d.openMapping(v, "session.attributes"); ok {
			m.Attributes = map[string]string{}
			for name, val := range g.vals {
				m.Attributes[name] = d.str(val, "session.attributes."+name)
			}
		}
	}
	return m, facts
}

// setFact sets one fact of a test by its name in the analysed session.
func (d *decoder) setFact(f *schemas.Facts, key, value *yaml.Node) {
	if !slices.Contains(factNames, key.Value) {
		d.errorf(key, didYouMean(key.Value, factNames), "there is no fact of this name")
		return
	}
	x := d.float(value, "session.facts."+key.Value, 0, 1e12)
	b, err := json.Marshal(map[string]float64{key.Value: x})
	if err == nil {
		err = json.Unmarshal(b, f)
	}
	if err != nil {
		d.errorf(value, "", "session.facts.%s must be a whole number", key.Value)
	}
}

func (d *decoder) readTestTurn(n *yaml.Node) (testTurn, bool) {
	var x testTurn
	known := []string{"emotion", "polarity", "at", "until", "auto", "agent_id", "mention", "entity"}
	for k := range testRoles {
		known = append(known, k)
	}
	f, ok := d.mapping(n, "a turn", known...)
	if !ok {
		return x, false
	}
	found := false
	for key, v := range f.vals {
		role, isRole := testRoles[key]
		if !isRole {
			continue
		}
		if found {
			d.errorf(n, "", "a turn has one speaker")
		}
		found = true
		x.turn.Role = role
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
			continue // an empty turn is lawful
		}
		x.turn.Text = d.str(v, key)
	}
	if !found {
		d.errorf(n, "客户: or 客服: and what was said", "the turn has no speaker")
		return x, false
	}
	if v := f.get("emotion"); v != nil {
		if em, ok := schemas.ParseEmotion(d.oneOf(v, "emotion", schemas.EmotionKeys()...)); ok {
			x.emotion = &em
		}
	}
	if v := f.get("polarity"); v != nil {
		p := float32(d.float(v, "polarity", -1, 1))
		x.polarity = &p
	}
	if v := f.get("at"); v != nil {
		x.turn.StartMS = schemas.Some(d.duration(v, "at"))
	}
	if v := f.get("until"); v != nil {
		x.turn.EndMS = schemas.Some(d.duration(v, "until"))
	}
	x.turn.Auto = d.boolean(f.get("auto"), "auto", false)
	x.turn.AgentID = d.str(f.get("agent_id"), "agent_id")
	if v := f.get("mention"); v != nil {
		if g, ok := d.mapping(v, "mention", "kind", "aspect", "polarity", "product", "valuable", "opinion", "score"); ok {
			x.mentions = append(x.mentions, schemas.TurnMention{
				Text: x.turn.Text, End: len(x.turn.Text),
				Kind:     d.oneOf(g.get("kind"), "mention.kind", schemas.Kinds...),
				Aspect:   d.oneOf(g.get("aspect"), "mention.aspect", schemas.Aspects...),
				Polarity: d.oneOf(g.get("polarity"), "mention.polarity", schemas.Negative, schemas.NeutralPolarity, schemas.Positive),
				Product:  d.str(g.get("product"), "mention.product"), Valuable: d.boolean(g.get("valuable"), "mention.valuable", false),
				OpinionID: d.str(g.get("opinion"), "mention.opinion"), OpinionScore: float32(d.float(g.get("score"), "mention.score", 0, 1)),
			})
		}
	}
	if v := f.get("entity"); v != nil && v.Kind == yaml.MappingNode {
		if g, ok := d.mapping(v, "entity", "type", "text"); ok {
			text := d.str(g.get("text"), "entity.text")
			at := strings.Index(x.turn.Text, text)
			if at < 0 {
				d.errorf(g.get("text"), "", "the turn does not say this")
				at = 0
				text = ""
			}
			x.entities = append(x.entities, schemas.Entity{Type: d.str(g.get("type"), "entity.type"), Start: at, End: at + len(text)})
		}
		return x, true
	}
	for _, kind := range d.strs(f.get("entity"), "entity") {
		x.entities = append(x.entities, schemas.Entity{Type: kind, End: len(x.turn.Text)})
	}
	return x, true
}

// TestResult is what came of one inline test.
type TestResult struct {
	Rule string `json:"rule"`
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	// OK: the test held, or it is a known gap that is still there.
	OK bool `json:"ok"`
	// Known marks a known gap.
	Known bool   `json:"known,omitempty"`
	Want  string `json:"want"`
	Got   string `json:"got"`
	// Diff says what differs, "" where OK.
	Diff string `json:"diff,omitempty"`
}

// Test runs the inline tests of all rules with features from fz; Literal{} serves where tests state their emotions.
func (s *Set) Test(fz Featuriser) []TestResult {
	var out []TestResult
	for _, r := range s.rules {
		for i, t := range r.tests {
			out = append(out, s.runTest(r, t, i, fz))
		}
	}
	return out
}

// session makes the conversation of a test and its features.
func (t *ruleTest) session(id string, fz Featuriser) (*schemas.Transcript, *schemas.Features) {
	tr := &schemas.Transcript{Closed: !t.open, Meta: t.meta}
	tr.Meta.SessionID = id
	for k, x := range t.turns {
		x.turn.Seq = schemas.Some(int64(k + 1))
		tr.Turns = append(tr.Turns, schemas.TranscriptTurn{Turn: x.turn, Key: schemas.SeqKey(int64(k + 1))})
	}
	f := fz.Features(tr)
	if t.facts != nil {
		own := *f
		own.Facts = t.facts
		f = &own
	}
	for k, x := range t.turns {
		if k < len(f.Turns) {
			x.state(&f.Turns[k])
		}
	}
	return tr, f
}

func (s *Set) runTest(r *rule, t *ruleTest, index int, fz Featuriser) TestResult {
	res := TestResult{Rule: r.id, Name: t.name, File: r.file, Line: t.line, Known: t.known, Want: t.want}
	if res.Name == "" {
		res.Name = fmt.Sprintf("#%d", index+1)
	}
	tr, f := t.session(fmt.Sprintf("%s/%d", r.id, index+1), fz)
	got := s.Evaluate(tr, f)
	res.Got = got.Outcomes[r.id]
	var seqs []int64
	for _, h := range got.Hits {
		if h.RuleID == r.id {
			for _, ev := range h.Evidence {
				if !slices.Contains(seqs, ev.Turn) {
					seqs = append(seqs, ev.Turn)
				}
			}
		}
	}
	slices.Sort(seqs)
	switch {
	case res.Got != t.want:
		res.Diff = fmt.Sprintf("want %s, got %s", t.want, res.Got)
		if len(seqs) > 0 {
			res.Diff += fmt.Sprintf(" at turn %v", seqs)
		}
		for _, n := range got.Notes {
			if n.What == "rule:"+r.id {
				res.Diff += " (" + n.Why + ")"
			}
		}
	case t.hasHits && !slices.Equal(seqs, t.hits):
		res.Diff = fmt.Sprintf("want evidence in turns %v, got %v", t.hits, seqs)
	}
	res.OK = res.Diff == ""
	if t.known {
		if res.OK {
			res.Diff = "the known gap is closed: take gap: true away"
		} else {
			res.Diff = ""
		}
		res.OK = !res.OK
	}
	return res
}

// state puts what a test says about a turn over its features.
func (x testTurn) state(f *schemas.TurnFeatures) {
	if x.emotion != nil {
		f.Emotion = *x.emotion
		f.Scores = [schemas.EmotionCount]float32{}
		f.Scores[f.Emotion] = 1
		f.Labels = nil
		if f.Emotion != schemas.Neutral {
			f.Labels = []schemas.EmotionLabel{{Label: f.Emotion, Intensity: 1}}
		}
	}
	if x.polarity != nil {
		f.Polarity = *x.polarity
		switch {
		case f.Polarity < -0.2:
			f.PolarityClass = schemas.Negative
		case f.Polarity > 0.2:
			f.PolarityClass = schemas.Positive
		default:
			f.PolarityClass = schemas.NeutralPolarity
		}
	}
	if x.mentions != nil {
		f.Mentions = x.mentions
	}
	if x.entities != nil {
		f.Entities = x.entities
	}
}
