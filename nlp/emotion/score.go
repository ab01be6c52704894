package emotion

import (
	"math"
	"slices"

	"github.com/tingke/tingke/schemas"
)

// Weights of the decision. They were set by hand against the definitions of the labels.
const (
	neutralBase      = 1.0 // what an emotion must exceed
	neutralBaseAgent = 1.25
	sharpness        = 2.2  // of the softmax over raw scores
	noEvidence       = -0.8 // of an emotion that nothing speaks for
	secondLabel      = 0.55
	agentDamping     = 0.6 // of feelings an agent's words suggest: most are formulas
)

// ScoreText adds role and context to what the text says. ctx is oldest first; only the last ContextTurns count.
func (s *Scorer) ScoreText(t *Text, role schemas.Role, ctx []Turn) Result {
	if len(ctx) > ContextTurns {
		ctx = ctx[len(ctx)-ContextTurns:]
	}
	raw := s.weigh(t, role, ctx)
	r := finish(t, role, raw)
	if s.model == nil {
		r.label(raw)
		return r
	}
	return s.judge(t, role, last(ctx, role), &raw, &r)
}

// weigh gives the hand-weighted raw scores of a turn.
func (s *Scorer) weigh(t *Text, role schemas.Role, ctx []Turn) [schemas.EmotionCount]float32 {
	raw := t.feelings
	if role == schemas.Customer {
		s.customer(t, ctx, &raw)
	} else {
		s.agent(t, ctx, &raw)
	}
	return raw
}

// last gives the last turn of the context when the other side spoke it.
func last(ctx []Turn, role schemas.Role) *Text {
	if len(ctx) == 0 {
		return nil
	}
	c := ctx[len(ctx)-1]
	if (c.Role == schemas.Customer) == (role == schemas.Customer) {
		return nil
	}
	return c.Text
}

func (s *Scorer) customer(t *Text, ctx []Turn, raw *[schemas.EmotionCount]float32) {
	raw[schemas.Neutral] = neutralBase
	if t.hasSide {
		for e := range raw {
			add(&raw[e], t.customer[e])
		}
	}
	before := last(ctx, schemas.Customer)
	raw[schemas.Grateful] = s.thanks(t, before, raw)
	apology := t.sorry
	if t.sorryCustomer > apology {
		apology = t.sorryCustomer
	}
	if apology > 0 {
		// 不好意思 before a question or a request is only polite.
		if t.flags&(fQuestion|fRequest) != 0 && t.content > 6 && t.sorryCustomer == 0 {
			apology *= 0.5
		}
		add(&raw[schemas.Apologetic], apology)
	}
	if t.flags&fLoneMark != 0 && t.asks > 0 {
		add(&raw[schemas.Surprised], 1.3)
	}
	// Shouting strengthens what is already negative.
	if t.bangs > 0 || t.asks > 0 {
		k := 1 + 0.08*float32(min(t.bangs+t.asks, 3))
		for _, e := range []schemas.Emotion{schemas.Angry, schemas.Urgent, schemas.Annoyed, schemas.Surprised, schemas.Confused} {
			raw[e] *= k
		}
	}
	// Sarcasm: praise beside a failing.
	if t.flags&fSarcasm != 0 && t.bad > 0.8 {
		add(&raw[schemas.Annoyed], 0.8)
		raw[schemas.Satisfied] *= 0.4
	}
	// Judgements carry feeling when they prevail.
	if d := t.pos - t.bad; d > 0 && raw[schemas.Satisfied] > 0 {
		raw[schemas.Satisfied] += 0.15 * min(d, 3)
	} else if d < 0 {
		raw[schemas.Satisfied] *= 0.5
		if raw[schemas.Disappointed] > 0 {
			raw[schemas.Disappointed] += 0.1 * min(-d, 3)
		}
	}
	if t.flags&fQuestion != 0 && raw[schemas.Satisfied] < 2 {
		raw[schemas.Satisfied] *= 0.6
	}
	if t.flags&fNoneLeft != 0 && t.content == 0 {
		raw[schemas.Satisfied] *= 0.5 // 没有啦 with a smile
	}
	// Giving up in so many words, or a bare 好吧 after a refusal.
	if t.giveUp > 0 && t.content > 12 {
		raw[schemas.Disappointed] *= 0.6
	}
}

// thanks decides whether thanks are the point of a customer's turn.
func (s *Scorer) thanks(t *Text, before *Text, raw *[schemas.EmotionCount]float32) float32 {
	g := raw[schemas.Grateful]
	if t.thanksFull > 0 {
		add(&g, t.thanksFull)
	}
	if t.thanks == 0 {
		return g
	}
	th := t.thanks
	offered := before != nil && before.flags&fMoreOffer != 0
	switch {
	case t.flags&fNoneLeft != 0 && t.flags&(fQuestion|fRequest) != 0 && t.content > 8:
		th *= 0.4
	case t.flags&fNoneLeft != 0 && (offered || t.content <= 4 && t.flags&fNoThanks == 0):
	case t.flags&fNoThanks != 0 && !offered:
		th *= 0.3
	case t.flags&fSarcasm != 0 && t.bad > 0.5:
		th *= 0.3
	case t.content > 3 && (t.pos >= 0.9 || raw[schemas.Satisfied] >= 1) && t.bad < t.pos+0.6 && t.flags&fQuestion == 0:
		// Thanks with a reason outweigh what else the story holds.
		for _, e := range []schemas.Emotion{schemas.Satisfied, schemas.Urgent, schemas.Annoyed, schemas.Surprised, schemas.Confused, schemas.Aggrieved, schemas.Disappointed} {
			raw[e] *= 0.7
		}
	case t.flags&fReport != 0 && t.content > 0 && t.content <= 14 && t.thanksFull == 0:
		th *= 0.35
	case t.content <= 3:
	case t.flags&(fQuestion|fRequest) != 0:
		th *= 0.4
	case t.flags&fThanksTail != 0 && t.content > 12:
		th *= 0.4
	case t.content > 25:
		th *= 0.55
	case t.content > 12:
		th *= 0.7
	}
	add(&g, th)
	return g
}

func (s *Scorer) agent(t *Text, ctx []Turn, raw *[schemas.EmotionCount]float32) {
	for e := range raw {
		raw[e] *= agentDamping
	}
	if t.hasSide {
		for e := range raw {
			add(&raw[e], t.agent[e])
		}
	}
	raw[schemas.Neutral] = neutralBaseAgent
	raw[schemas.Hopeful] *= 0.6
	raw[schemas.Urgent] *= 0.5
	raw[schemas.Disappointed] *= 0.5
	raw[schemas.Surprised] *= 0.8
	g := raw[schemas.Grateful]
	if t.thanksFull > 0 {
		add(&g, t.thanksFull)
	}
	if t.thanks > 0 {
		th := t.thanks
		// Thanks hung on an instruction or a report are only polite.
		if t.flags&(fRateWish|fClosing) == 0 && (t.flags&fInstruct != 0 && t.content > 6 || t.flags&fThanksTail != 0 && t.content > 6) {
			th *= 0.35
		}
		add(&g, th)
	}
	apology := max(t.sorry, t.sorryAgent)
	if t.sorry > 0 && t.sorryAgent > 0 {
		apology += 0.5
	}
	raw[schemas.Apologetic] += apology
	// An apology outweighs the thanks of the same formula.
	if apology > 1.5 && g > 0 {
		g = min(g, raw[schemas.Apologetic]-0.3)
	}
	raw[schemas.Grateful] = g
}

// finish turns raw scores into the result.
func finish(t *Text, role schemas.Role, raw [schemas.EmotionCount]float32) Result {
	var r Result
	var sum float64
	top := raw[0]
	for _, v := range raw {
		top = max(top, v)
	}
	var p [schemas.EmotionCount]float64
	for e, v := range raw {
		if v <= 0 {
			v = noEvidence
		}
		p[e] = math.Exp(float64(sharpness * (v - top)))
		sum += p[e]
	}
	for e := range p {
		r.Scores[e] = float32(p[e] / sum)
		if r.Scores[e] > r.Scores[r.Emotion] {
			r.Emotion = schemas.Emotion(e)
		}
	}
	r.setPolarity(polarity(t, role, &r))
	return r
}

func (r *Result) setPolarity(p float32) {
	r.Polarity = p
	switch {
	case p > DeadZone:
		r.PolarityClass = schemas.Positive
	case p < -DeadZone:
		r.PolarityClass = schemas.Negative
	default:
		r.PolarityClass = schemas.NeutralPolarity
	}
}

// label lists the emotions of a hand-weighted turn.
func (r *Result) label(raw [schemas.EmotionCount]float32) {
	if r.Emotion == schemas.Neutral {
		return
	}
	r.Labels = append(r.Labels, schemas.EmotionLabel{Label: r.Emotion, Intensity: intensity(raw[r.Emotion])})
	for e := schemas.Emotion(0); e < schemas.Neutral; e++ {
		if e != r.Emotion && raw[e] > neutralBase && raw[e] >= secondLabel*raw[r.Emotion] {
			r.Labels = append(r.Labels, schemas.EmotionLabel{Label: e, Intensity: intensity(raw[e])})
		}
	}
	r.sortLabels()
}

func (r *Result) sortLabels() {
	slices.SortStableFunc(r.Labels[1:], func(a, b schemas.EmotionLabel) int {
		switch {
		case a.Intensity > b.Intensity:
			return -1
		case a.Intensity < b.Intensity:
			return 1
		}
		return 0
	})
}

// intensity maps a raw score to 0..1: the weight at which an emotion just beats neutral is about .4.
func intensity(raw float32) float32 {
	return float32(1 - math.Exp(-0.5*float64(raw)))
}

var signs = [schemas.EmotionCount]float32{
	schemas.Satisfied: 1, schemas.Grateful: 1, schemas.Hopeful: 0.6, schemas.Urgent: -0.6, schemas.Worried: -0.6,
	schemas.Disappointed: -1, schemas.Aggrieved: -0.9, schemas.Angry: -1, schemas.Annoyed: -0.9,
}

// polarity joins the signs of the emotions with the judgements.
func polarity(t *Text, role schemas.Role, r *Result) float32 {
	var p float32
	for e, v := range r.Scores {
		p += signs[e] * v
	}
	judged := t.pos - t.bad
	if role != schemas.Customer {
		// An agent's words of failing report the customer's; an apology has neutral polarity.
		judged *= 0.3
		if r.Emotion == schemas.Apologetic || r.Emotion == schemas.Neutral {
			return 0
		}
	}
	p = 1.2*p + 0.35*judged
	return float32(math.Tanh(float64(p)))
}
