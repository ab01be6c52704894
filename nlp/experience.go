package nlp

import (
	"math"

	"github.com/tingke/tingke/schemas"
)

const experienceVersion = "course-1"

// valence is how a customer in this emotion feels about the session.
var valence = [schemas.EmotionCount]float64{
	schemas.Satisfied: 1, schemas.Grateful: 0.9, schemas.Hopeful: 0.2, schemas.Apologetic: 0.1, schemas.Surprised: -0.1,
	schemas.Confused: -0.25, schemas.Urgent: -0.4, schemas.Worried: -0.3, schemas.Disappointed: -0.8, schemas.Aggrieved: -0.7,
	schemas.Angry: -1, schemas.Annoyed: -0.8,
}

// course follows the customer's emotions and the agent's part through a session.
type course struct {
	turns    []float64 // valence of each customer turn
	agent    int
	lastRole schemas.Role
}

func (c *course) add(role schemas.Role, x *textFeatures, f *schemas.TurnFeatures) {
	c.lastRole = role
	if role != schemas.Customer {
		c.agent++
		return
	}
	var v float64
	for e, p := range f.Scores {
		v += valence[e] * float64(p)
	}
	c.turns = append(c.turns, v)
}

// experience weighs the end most: people judge a session by how it ends.
func (c *course) experience() float64 {
	if len(c.turns) == 0 {
		return 0
	}
	var sum, weights float64
	for i, v := range c.turns {
		w := math.Pow(0.6, float64(len(c.turns)-1-i))
		sum += w * v
		weights += w
	}
	return math.Tanh(1.5 * sum / weights)
}
