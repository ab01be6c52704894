package emotion

import (
	"math"

	"github.com/tingke/tingke/nlp/cue"
	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/schemas"
)

// Features names the code that makes the model's features. It changes whenever a key or a dense feature changes its
// meaning; a model made for others is refused.
const Features = "emotion-features-1"

// ModelName is the name of the model in its file.
const ModelName = "emotion"

// Heads are the decisions of the model: the emotion, the class of the polarity, and its sign where there is one. Sign has a head of
// its own because reviews with stars teach it well and know no neutral.
func Heads() []linear.Head {
	return []linear.Head{
		{Name: "emotion", Classes: schemas.EmotionKeys()},
		{Name: "polarity", Classes: []string{schemas.Negative, schemas.NeutralPolarity, schemas.Positive}},
		{Name: "sign", Classes: []string{schemas.Negative, schemas.Positive}},
	}
}

const (
	emotions = int(schemas.EmotionCount)
	// Where the classes of the further heads stand.
	polarityAt = emotions
	signAt     = emotions + 3
	outputs    = emotions + 5
)

// The sparse features are character n-grams of the turn, tags and constructions that the lexicons find in it, the same
// tags crossed with the side for agents, and short n-grams of the turn before when the other side spoke it. Each kind is
// a group of its own with the value 1/sqrt(count).
var (
	textGrams   = linear.Grams{Min: 1, Max: 4, Seed: 1}
	beforeGrams = linear.Grams{Min: 1, Max: 2, Seed: 3}
	aloneKey    = linear.Key("no turn of the other side before")
)

// part is what a group adds to the scores of a text.
type part [outputs]float32

// keyed are the sparse keys of a text, by group. It is scratch space.
type keyed struct {
	text, tags, agent, before []uint64
}

// Marks carry their state in their key.
const (
	markFlipped uint64 = 1 << (20 + iota)
	markInCondition
	markInQuestion
	markInLastClause
	markAfter
	markFired
	markAgent
	markEnds
	markPattern
)

// tagKey is the key of a tag, which its name decides, so that new entries of the lexicons leave the others as they are.
func tagKeys(l *cue.Lexicon) []uint64 {
	keys := make([]uint64, l.Tags())
	for i := range keys {
		keys[i] = linear.Key("tag " + l.TagName(cue.Tag(i)))
	}
	return keys
}

// mark notes the tags of a mark with what holds at its place.
func (w *walker) mark(m *cue.Mark, flip bool, st *clauseState) {
	k, r := w.keys, w.r
	state := uint64(0)
	if flip {
		state |= markFlipped
	}
	if st.cond {
		state |= markInCondition
	}
	if st.question {
		state |= markInQuestion
	}
	first := uint64(0)
	if w.before != 0 && w.previous == 0 {
		// The first mark of a clause stands to the last one of the clause before.
		defer func() { k.tags = append(k.tags, linear.Cross(first, markEnds^w.before)) }()
	}
	for i := range r.TagsOf(m) {
		tag, _ := r.TagAt(m, i)
		key := w.s.tagKeys[tag]
		k.tags = append(k.tags, key)
		if state != 0 {
			k.tags = append(k.tags, linear.Cross(key, state))
		}
		if int(m.Clause) == len(r.Clauses)-1 {
			k.tags = append(k.tags, linear.Cross(key, markInLastClause|state))
		}
		if w.previous != 0 {
			k.tags = append(k.tags, linear.Cross(key, markAfter^w.previous))
			if w.previous2 != 0 {
				k.tags = append(k.tags, linear.Cross(key, markPattern^linear.Cross(w.previous, w.previous2)))
			}
		}
		k.agent = append(k.agent, linear.Cross(key, markAgent))
		if i == 0 {
			first = key
		}
	}
	w.previous, w.previous2 = first, w.previous
}

// keysOf fills in the other keys of a text, once its marks are walked.
func (w *walker) otherKeys(norm string) {
	k, r := w.keys, w.r
	k.text = textGrams.Keys(k.text, norm)
	for i := range r.Fired {
		tag, weight, _ := w.s.lex.Out(r.Fired[i].Construction)
		key := linear.Cross(w.s.tagKeys[tag], markFired)
		k.tags = append(k.tags, key, linear.Cross(key, uint64(weight*10)))
		k.agent = append(k.agent, linear.Cross(key, markAgent))
	}
}

func (k *keyed) reset() {
	k.text, k.tags, k.agent, k.before = k.text[:0], k.tags[:0], k.agent[:0], k.before[:0]
}

func groupValue(n int) float32 { return float32(1 / math.Sqrt(float64(max(n, 1)))) }

// Dense features, in this order.
const (
	denseBias   = 0
	denseAgent  = 1
	denseRaw    = 2 // the hand-weighted raw scores, with role and context
	denseShare  = denseRaw + emotions
	denseSide   = denseShare + emotions // the raw scores again, of agents only
	denseText   = denseSide + emotions  // raw scores of the text alone
	denseForm   = denseText + emotions
	formCount   = 18
	denseFlags  = denseForm + formCount
	denseBefore = denseFlags + 2*flagCount // flags again, of agents only
	// Dense is the number of dense features.
	Dense = denseBefore + emotions + flagCount
)

// squash brings a raw weight into -1..1.
func squash(x float32) float32 { return x / (1 + max(x, -x)) }

func logOf(n int32, by float32) float32 { return float32(math.Log1p(float64(n))) / by }

func ones(to []float32, f flags) {
	for i := range to {
		if f>>i&1 != 0 {
			to[i] = 1
		}
	}
}

// dense fills in the dense features of a turn from its hand-weighted result.
func dense(d *[Dense]float32, t *Text, role schemas.Role, before *Text, raw *[emotions]float32, r *Result) {
	agent := role != schemas.Customer
	d[denseBias] = 1
	for e := range emotions {
		d[denseRaw+e] = squash(raw[e])
		d[denseShare+e] = r.Scores[e]
		d[denseText+e] = squash(t.feelings[e])
		if agent {
			d[denseSide+e] = d[denseRaw+e]
		}
	}
	f := d[denseForm:denseFlags]
	f[0], f[1], f[2], f[3], f[4] = squash(t.pos), squash(t.bad), squash(t.pos-t.bad), squash(t.thanks), squash(t.thanksFull)
	f[5], f[6], f[7], f[8] = squash(t.sorry), squash(t.sorryAgent), squash(t.sorryCustomer), squash(t.giveUp)
	f[9], f[10] = logOf(t.runes, 4), logOf(t.content, 4)
	if t.content == 0 {
		f[11] = 1
	}
	if t.content <= 4 {
		f[12] = 1
	}
	f[13], f[14], f[15] = squash(float32(t.bangs)), squash(float32(t.asks)), logOf(int32(t.clauses), 3)
	if t.clauses == 1 {
		f[16] = 1
	}
	f[17] = r.Polarity
	ones(d[denseFlags:denseFlags+flagCount], t.flags)
	if agent {
		d[denseAgent] = 1
		ones(d[denseFlags+flagCount:denseBefore], t.flags)
	}
	if before != nil {
		for e := range emotions {
			d[denseBefore+e] = squash(before.feelings[e])
		}
		ones(d[denseBefore+emotions:Dense], before.flags)
	}
}

// Example makes the features of a turn for training. They are those that scoring makes.
func (s *Scorer) Example(in Input) ([]linear.Group, []float32) {
	var k keyed
	t := s.read(in.Norm, &k)
	var turns [ContextTurns]Turn
	ctx := s.contextOf(in.Context, &turns)
	group := func(keys []uint64) linear.Group { return linear.Group{Keys: keys, Value: groupValue(len(keys))} }
	out := []linear.Group{group(k.text), group(k.tags)}
	if in.Role != schemas.Customer {
		out = append(out, group(k.agent))
	}
	before := last(ctx, in.Role)
	if before != nil {
		out = append(out, group(beforeGrams.Keys(nil, in.Context[len(in.Context)-1].Norm)))
	} else {
		out = append(out, group([]uint64{aloneKey}))
	}
	raw := s.weigh(t, in.Role, ctx)
	r := finish(t, in.Role, raw)
	d := new([Dense]float32)
	dense(d, t, in.Role, before, &raw, &r)
	return out, d[:]
}
