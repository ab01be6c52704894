package nlp

import (
	"math"
	"strings"

	"github.com/tingke/tingke/nlp/emotion"
	"github.com/tingke/tingke/schemas"
)

const experienceVersion = "course-1"

// valence is how a customer in this emotion feels about the session.
var valence = [schemas.EmotionCount]float64{
	schemas.Satisfied: 1, schemas.Grateful: 0.9, schemas.Hopeful: 0.2, schemas.Apologetic: 0.1, schemas.Surprised: -0.1,
	schemas.Confused: -0.25, schemas.Urgent: -0.4, schemas.Worried: -0.3, schemas.Disappointed: -0.8, schemas.Aggrieved: -0.7,
	schemas.Angry: -1, schemas.Annoyed: -0.8,
}

// Weights of what is seen beside the emotions.
const (
	decay      = 0.65 // of the weight from a customer turn to the one before
	gain       = 1.5
	thanked    = 0.35  // the customer's last turn holds thanks, whatever its emotion
	settled    = 0.15  // the customer's last turn is only an acknowledgement
	unanswered = -0.15 // the customer's last turn got no reply
	rude       = -0.2  // an agent's turn is angry or annoyed, at most twice
)

// course follows the customer's emotions and the agents' part through a session.
type course struct {
	sum, weights float64 // of the customer's turns so far, the last one counting most
	customer     bool    // there was a customer turn
	open         bool    // the last turn is the customer's
	last         *emotion.Text
	rude         int
}

func (c *course) add(role schemas.Role, x *textFeatures, f *schemas.TurnFeatures) {
	if role != schemas.Customer {
		if strings.TrimSpace(x.norm.Text) != "" {
			c.open = false
		}
		if f.Emotion == schemas.Angry || f.Emotion == schemas.Annoyed {
			c.rude++
		}
		return
	}
	var v float64
	for e, p := range f.Scores {
		v += valence[e] * float64(p)
	}
	c.sum, c.weights = decay*c.sum+v, decay*c.weights+1
	c.customer, c.open, c.last = true, true, x.emotion
}

// experience is the weighted mean of the customer's turns, the end counting most, moved by how the session ends.
func (c *course) experience() float64 {
	if !c.customer {
		return 0
	}
	e := gain * c.sum / c.weights
	if c.last.Thanks() {
		e += thanked
	} else if c.last.OnlyAcknowledges() {
		e += settled
	}
	if c.open && !c.last.Thanks() {
		e += unanswered
	}
	e += rude * float64(min(c.rude, 2))
	return math.Tanh(e)
}
