package emotion

import (
	"bytes"
	"fmt"
	"math"
	"sync"

	"github.com/tingke/tingke/nlp/linear"
	"github.com/tingke/tingke/nlp/models"
	"github.com/tingke/tingke/schemas"
)

// builtIn reads the model inside the binary once; scorers share it.
var builtIn = sync.OnceValues(func() (*linear.Model, error) {
	m, err := linear.Read(bytes.NewReader(models.Emotion))
	if err != nil {
		return nil, fmt.Errorf("built-in emotion model: %w", err)
	}
	return m, nil
})

// secondShare is the least probability of a further label.
const secondShare = 0.2

// judge lets the model decide over the features of a turn, hand-weighted ones among them.
func (s *Scorer) judge(t *Text, role schemas.Role, before *Text, raw *[emotions]float32, by *Result) Result {
	var d [Dense]float32
	dense(&d, t, role, before, raw, by)
	p := t.self
	if role != schemas.Customer {
		for i, v := range t.agentSide {
			p[i] += v
		}
	}
	if before != nil {
		for i, v := range before.before(s) {
			p[i] += v
		}
	} else {
		s.model.AddSparse(p[:], []uint64{aloneKey}, 1)
	}
	s.model.AddDense(p[:], d[:])
	linear.Softmax(p[:emotions], s.temperature[0])
	var r Result
	for e := range emotions {
		r.Scores[e] = p[e]
		if p[e] > r.Scores[r.Emotion] {
			r.Emotion = schemas.Emotion(e)
		}
	}
	r.setPolarity(s.sided(&p))
	if r.Emotion == schemas.Neutral {
		return r
	}
	r.Labels = append(r.Labels, schemas.EmotionLabel{Label: r.Emotion, Intensity: strength(p[r.Emotion], raw[r.Emotion])})
	for e := schemas.Emotion(0); e < schemas.Neutral; e++ {
		if e != r.Emotion && p[e] >= secondShare {
			r.Labels = append(r.Labels, schemas.EmotionLabel{Label: e, Intensity: strength(p[e], raw[e])})
		}
	}
	r.sortLabels()
	return r
}

// turnSide is how much the head of three classes has to say about the side, beside the head that knows only sides.
const turnSide = 0.2

// sided gives the polarity: how sure the model is that there is one, times which one. Both heads speak on the side.
func (s *Scorer) sided(p *part) float32 {
	c := p[polarityAt:signAt]
	toPositive := turnSide*(c[2]-c[0])/s.temperature[1] + (p[signAt+1]-p[signAt])/s.temperature[2]
	linear.Softmax(c, s.temperature[1])
	return (1 - c[1]) * float32(math.Tanh(float64(toPositive)/2))
}

// strength is the intensity of a label: how sure the model is of it, raised by words of degree and by many or strong cues.
func strength(p, raw float32) float32 {
	byCues := float32(1 - math.Exp(-0.5*float64(max(raw, 0))))
	return min(1, 0.5*p+0.5*max(byCues, 0.5*p))
}
