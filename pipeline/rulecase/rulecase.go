// Package rulecase makes a wrong hit into a test of its rule: the smallest excerpt of the session that still gives the
// same wrong outcome, with the outcome that is wanted instead.
package rulecase

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Case is an inline test of a rule.
type Case struct {
	Rule string
	Name string
	Want string // the outcome that is right
	Got  string // the outcome the rule gave when the case was made
	// Turns is the number of turns left, Of that of the session.
	Turns, Of int
	state     state
}

// state is an excerpt of a session with what a test may state about it.
type state struct {
	open  bool
	meta  schemas.Meta
	turns []turn
}

type turn struct {
	role     schemas.Role
	text     string
	at       schemas.Opt[int64] // ms from the start
	auto     bool
	agent    string
	emotion  *schemas.Emotion
	polarity *float32
	mention  *schemas.TurnMention
	entities []string
	keep     bool // the right outcome may rest on it
}

// opposite is what a wrong outcome most likely should have been.
var opposite = map[string]string{schemas.Fail: schemas.Pass, schemas.Present: schemas.Absent}

// Make makes a case of a wrong hit of a session. want is the right outcome, "" for the opposite one. features are the
// language stages. The excerpt gives the same outcome with them and, where that can be had, without any, so that the
// test does not change with the models: what the rule needs of emotions, mentions or times is stated in it.
func Make(set *rules.Set, t *schemas.Transcript, f *schemas.Features, hit schemas.Hit, want string, features rules.Featuriser) (*Case, error) {
	if want == "" {
		want = opposite[hit.Outcome]
	}
	if want == "" || want == hit.Outcome {
		return nil, fmt.Errorf("the hit's outcome is %s: name another one that is right", hit.Outcome)
	}
	s := &shrinker{set: set, hit: hit, evaluations: maxEvaluations}
	if len(hit.Evidence) > 0 {
		for i := range t.Turns {
			if t.Turns[i].Seq.V == hit.Evidence[0].Turn {
				s.text = t.Turns[i].Text
			}
		}
	}
	kept := map[int64]bool{}
	if want == schemas.Pass {
		kept = searched(set, t, f, hit)
	}
	var start state
	found := false
	for _, with := range [][]rules.Featuriser{{features, rules.Literal{}}, {features}} {
		for mention := range 4 { // a test can state one mention a turn; which of them the rule looks at is tried
			s.features = with
			start = whole(t, f, mention)
			for i := range start.turns {
				start.turns[i].keep = kept[t.Turns[i].Seq.V]
			}
			if s.holds(start) {
				found = true
				break
			}
		}
		if found {
			break
		}
	}
	if !found {
		return nil, errors.New("the hit does not come out of the session again as a test would evaluate it: it depends on something that tests cannot state")
	}
	end := s.shrink(start)
	return &Case{Rule: hit.RuleID, Name: "误判 " + t.Meta.SessionID, Want: want, Got: hit.Outcome, Turns: len(end.turns), Of: len(t.Turns), state: end}, nil
}

// searched gives the turns, by seq, in which the rule looked for what it expects after the first evidence of the hit. One
// of them is what the rule fails to see: without it the outcome would be the same and right.
func searched(set *rules.Set, t *schemas.Transcript, f *schemas.Features, hit schemas.Hit) map[int64]bool {
	out := map[int64]bool{}
	x, err := set.Explain(t, f, hit.RuleID)
	if err != nil {
		return out
	}
	var walk func(steps []rules.Step)
	walk = func(steps []rules.Step) {
		for _, s := range steps {
			for _, r := range s.Searched {
				for seq := r.From; seq <= r.To; seq++ {
					out[seq] = true
				}
			}
			walk(s.Steps)
		}
	}
	if len(x.TriggerHits) == 0 {
		walk(x.Conditions)
	}
	for _, h := range x.TriggerHits {
		if len(hit.Evidence) > 0 && h.Turn == hit.Evidence[0].Turn {
			walk(h.Steps)
		}
	}
	return out
}

// whole is the session with everything stated.
func whole(t *schemas.Transcript, f *schemas.Features, mention int) state {
	s := state{open: !t.Closed, meta: t.Meta}
	// Who the customer was does not belong into a file that people pass on.
	s.meta.CustomerID, s.meta.AgentName, s.meta.MediaURL = "", "", ""
	var first time.Time
	for i := range t.Turns {
		x, tf := &t.Turns[i], &f.Turns[i]
		n := turn{role: x.Role, text: x.Text, auto: x.Auto, agent: x.AgentID, emotion: &tf.Emotion}
		switch {
		case x.StartMS.OK:
			n.at = x.StartMS
		case !x.At.IsZero():
			if first.IsZero() {
				first = x.At
			}
			if d := x.At.Sub(first); d >= 0 {
				n.at = schemas.Some(d.Milliseconds())
			}
		}
		p := float32(schemas.Round4(float64(tf.Polarity)))
		n.polarity = &p
		if len(tf.Mentions) > 0 {
			n.mention = &tf.Mentions[min(mention, len(tf.Mentions)-1)]
		}
		for _, e := range tf.Entities {
			if !slices.Contains(n.entities, e.Type) {
				n.entities = append(n.entities, e.Type)
			}
		}
		s.turns = append(s.turns, n)
	}
	return s
}

// maxEvaluations bounds the work on very long sessions; the excerpt is then larger than it need be.
const maxEvaluations = 4000

// shrinker takes away from a state whatever the hit does not need.
type shrinker struct {
	set         *rules.Set
	features    []rules.Featuriser
	hit         schemas.Hit
	text        string // of the turn with the first evidence, "" for an absence
	evaluations int
}

// holds says that the rule gives the same wrong outcome, at the same sentence, with every featuriser.
func (s *shrinker) holds(x state) bool {
	for _, fz := range s.features {
		if s.evaluations--; s.evaluations < 0 {
			return false
		}
		t, f := x.transcript(fz)
		got := s.set.Evaluate(t, f)
		if got.Outcomes[s.hit.RuleID] != s.hit.Outcome || !s.sameHit(t, &got) {
			return false
		}
	}
	return true
}

func (s *shrinker) sameHit(t *schemas.Transcript, got *schemas.Findings) bool {
	for _, h := range got.Hits {
		if h.RuleID != s.hit.RuleID {
			continue
		}
		if s.text == "" && len(h.Evidence) == 0 {
			return true
		}
		if s.text != "" && len(h.Evidence) > 0 && t.Turns[h.Evidence[0].Turn-1].Text == s.text {
			return true
		}
	}
	return false
}

// transcript is the session as a test evaluates it.
func (x *state) transcript(fz rules.Featuriser) (*schemas.Transcript, *schemas.Features) {
	t := &schemas.Transcript{Closed: !x.open, Meta: x.meta, Turns: make([]schemas.TranscriptTurn, len(x.turns))}
	for i, n := range x.turns {
		seq := int64(i + 1)
		t.Turns[i] = schemas.TranscriptTurn{Key: schemas.SeqKey(seq), Turn: schemas.Turn{Seq: schemas.Some(seq), Role: n.role, Text: n.text, StartMS: n.at, Auto: n.auto, AgentID: n.agent}}
	}
	f := fz.Features(t)
	for i, n := range x.turns {
		n.put(&f.Turns[i])
	}
	return t, f
}

// put states what a turn says over its features, as the tests of rules do.
func (n *turn) put(f *schemas.TurnFeatures) {
	if n.emotion != nil {
		f.Emotion = *n.emotion
		f.Scores = [schemas.EmotionCount]float32{}
		f.Scores[f.Emotion] = 1
		f.Labels = nil
		if f.Emotion != schemas.Neutral {
			f.Labels = []schemas.EmotionLabel{{Label: f.Emotion, Intensity: 1}}
		}
	}
	if n.polarity != nil {
		f.Polarity = *n.polarity
		switch {
		case f.Polarity < -0.2:
			f.PolarityClass = schemas.Negative
		case f.Polarity > 0.2:
			f.PolarityClass = schemas.Positive
		default:
			f.PolarityClass = schemas.NeutralPolarity
		}
	}
	if n.mention != nil {
		m := *n.mention
		m.Text, m.Start, m.End = n.text, 0, len(n.text)
		f.Mentions = []schemas.TurnMention{m}
	}
	if n.entities != nil {
		f.Entities = nil
		for _, e := range n.entities {
			f.Entities = append(f.Entities, schemas.Entity{Type: e, End: len(n.text)})
		}
	}
}

func (s *shrinker) shrink(x state) state {
	try := func(change func(*state)) {
		y := x
		y.turns = slices.Clone(x.turns)
		change(&y)
		if s.holds(y) {
			x = y
		}
	}
	each := func(change func(*turn)) func(*state) {
		return func(y *state) {
			for i := range y.turns {
				change(&y.turns[i])
			}
		}
	}
	drops := []func(*turn){
		func(n *turn) { n.at = schemas.Opt[int64]{} },
		func(n *turn) { n.auto = false },
		func(n *turn) { n.agent = "" },
		func(n *turn) { n.entities = nil },
		func(n *turn) { n.mention = nil },
		func(n *turn) { n.polarity = nil },
		func(n *turn) { n.emotion = nil },
	}
	try(func(y *state) { y.meta = schemas.Meta{SessionID: y.meta.SessionID} })
	for _, drop := range fieldDrops {
		try(func(y *state) { drop(&y.meta) })
	}
	for _, key := range sortedKeys(x.meta.Attributes) {
		try(func(y *state) {
			kept := map[string]string{}
			for k, v := range y.meta.Attributes {
				if k != key {
					kept[k] = v
				}
			}
			y.meta.Attributes = kept
		})
	}
	for _, drop := range drops {
		try(each(drop))
	}
	// Large runs of turns first, then smaller ones, then single ones until no turn can go.
	for size := len(x.turns) / 2; size >= 1; {
		before := len(x.turns)
		for from := len(x.turns) - size; from > -size; from -= size {
			lo := max(from, 0)
			hi := min(from+size, len(x.turns))
			if lo < hi && hi-lo < len(x.turns) {
				try(func(y *state) {
					rest := slices.DeleteFunc(slices.Clone(y.turns[lo:hi]), func(n turn) bool { return !n.keep })
					y.turns = slices.Replace(y.turns, lo, hi, rest...)
				})
			}
		}
		if size > 1 || len(x.turns) == before {
			size /= 2
		}
	}
	for i := range x.turns {
		for _, drop := range drops {
			try(func(y *state) { drop(&y.turns[i]) })
		}
	}
	return x
}

// fieldDrops empty the fields of a session one by one.
var fieldDrops = []func(*schemas.Meta){
	func(m *schemas.Meta) { m.Channel = "" },
	func(m *schemas.Meta) { m.Source = "" },
	func(m *schemas.Meta) { m.Shop = "" },
	func(m *schemas.Meta) { m.Business = "" },
	func(m *schemas.Meta) { m.SkillGroup = "" },
	func(m *schemas.Meta) { m.Product = "" },
	func(m *schemas.Meta) { m.AgentID = "" },
	func(m *schemas.Meta) { m.Team = "" },
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// YAML writes the case as an entry of tests.
func (c *Case) YAML() (string, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	put(root, "name", str(c.Name))
	put(root, "want", str(c.Want))
	if c.state.open {
		put(root, "open", plain("!!bool", "true"))
	}
	if s := c.session(); len(s.Content) > 0 {
		put(root, "session", s)
	}
	turns := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range c.state.turns {
		turns.Content = append(turns.Content, c.state.turns[i].node())
	}
	put(root, "turns", turns)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(root), enc.Close()); err != nil {
		return "", fmt.Errorf("cannot write the test: %w", err)
	}
	return b.String(), nil
}

func (c *Case) session() *yaml.Node {
	m := &c.state.meta
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, x := range []struct{ key, value string }{
		{"channel", m.Channel}, {"source", m.Source}, {"shop", m.Shop}, {"business", m.Business}, {"skill_group", m.SkillGroup},
		{"product", m.Product}, {"agent_id", m.AgentID}, {"team", m.Team},
	} {
		if x.value != "" {
			put(n, x.key, str(x.value))
		}
	}
	if len(m.Attributes) > 0 {
		a := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, k := range sortedKeys(m.Attributes) {
			put(a, k, str(m.Attributes[k]))
		}
		put(n, "attributes", a)
	}
	return n
}

var speakers = map[schemas.Role]string{schemas.Customer: "客户", schemas.Agent: "客服", schemas.Bot: "机器人", schemas.System: "系统"}

func (n *turn) node() *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	put(out, speakers[n.role], str(n.text))
	if n.at.OK {
		put(out, "at", str((time.Duration(n.at.V) * time.Millisecond).String()))
	}
	if n.auto {
		put(out, "auto", plain("!!bool", "true"))
	}
	if n.agent != "" {
		put(out, "agent_id", str(n.agent))
	}
	if n.emotion != nil {
		put(out, "emotion", str(n.emotion.String()))
	}
	if n.polarity != nil {
		put(out, "polarity", plain("!!float", fmt.Sprint(*n.polarity)))
	}
	if m := n.mention; m != nil {
		x := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		put(x, "kind", str(m.Kind))
		put(x, "aspect", str(m.Aspect))
		if m.Polarity != "" {
			put(x, "polarity", str(m.Polarity))
		}
		if m.Product != "" {
			put(x, "product", str(m.Product))
		}
		if m.Valuable {
			put(x, "valuable", plain("!!bool", "true"))
		}
		put(out, "mention", x)
	}
	if len(n.entities) > 0 {
		x := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, e := range n.entities {
			x.Content = append(x.Content, str(e))
		}
		put(out, "entity", x)
	}
	return out
}

func put(n *yaml.Node, key string, value *yaml.Node) { n.Content = append(n.Content, str(key), value) }

// str is a text; the encoder quotes it where it must.
func str(s string) *yaml.Node {
	var n yaml.Node
	n.SetString(s)
	if strings.Contains(s, "\n") { // a block would not fit into a flow mapping
		n.Style = yaml.DoubleQuotedStyle
	}
	return &n
}

func plain(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// AddTo puts the case at the end of the tests of its rule in the text of a pack and keeps everything else as it is.
func (c *Case) AddTo(pack []byte) ([]byte, error) {
	entry, err := c.YAML()
	if err != nil {
		return nil, err
	}
	places, err := rules.Places(pack)
	if err != nil {
		return nil, err
	}
	path := "rules/" + c.Rule
	has := func(path string) bool {
		return slices.ContainsFunc(places, func(p rules.Place) bool { return p.Path == path })
	}
	switch {
	case !has(path):
		return nil, fmt.Errorf("the pack has no rule %s", c.Rule)
	case has(path + "/tests"):
		return rules.Patch(pack, path+"/tests/-", entry)
	}
	return rules.Patch(pack, path+"/tests", "- "+strings.ReplaceAll(strings.TrimRight(entry, "\n"), "\n", "\n  ")+"\n")
}
