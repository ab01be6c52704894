package schemas

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// analysisJSON is the line `tingke analyze --json` prints: session fields, then what was found.
type analysisJSON struct {
	Meta
	StartedAt    time.Time         `json:"started_at,omitzero"`
	EndedAt      time.Time         `json:"ended_at,omitzero"`
	State        string            `json:"state"`
	AgentIDs     []string          `json:"agent_ids"`
	Turns        []turnJSON        `json:"turns"`
	Mentions     []Mention         `json:"mentions"`
	Hits         []Hit             `json:"hits"`
	Outcomes     map[string]string `json:"outcomes"`
	Score        Opt[float64]      `json:"score"`
	Experience   float64           `json:"experience"`
	Scorecards   []Scorecard       `json:"scorecards"`
	Flagged      bool              `json:"flagged"`
	EmotionStart string            `json:"emotion_start"`
	EmotionEnd   string            `json:"emotion_end"`
	Rounds       []Round           `json:"rounds"`
	Facts        Facts             `json:"facts"`
	Coverage     []CoverageNote    `json:"coverage"`
	RulesVersion string            `json:"rules_version"`
	ModelVersion string            `json:"model_version"`
}

type turnJSON struct {
	Seq      int64        `json:"seq"`
	Role     Role         `json:"role"`
	AgentID  string       `json:"agent_id,omitempty"`
	At       time.Time    `json:"at,omitzero"`
	StartMS  Opt[int64]   `json:"start_ms,omitzero"`
	EndMS    Opt[int64]   `json:"end_ms,omitzero"`
	Auto     bool         `json:"auto,omitempty"`
	Text     string       `json:"text"`
	Emotion  Emotion      `json:"emotion"`
	Scores   EmotionScore `json:"scores"`
	Polarity float64      `json:"polarity"`
	Language string       `json:"language,omitempty"`
}

// MarshalText writes the stable key.
func (e Emotion) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// EmotionScore is a score vector that marshals to an object from emotion keys to scores.
type EmotionScore [EmotionCount]float32

// MarshalJSON writes {"satisfied":0.01,...,"neutral":0.9}, rounded to four places.
func (s EmotionScore) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 24*len(s))
	for i, v := range s {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		b = append(b, sep, '"')
		b = append(b, emotionKeys[i]...)
		b = append(b, '"', ':')
		b = strconv.AppendFloat(b, Round4(float64(v)), 'f', -1, 64)
	}
	return append(b, '}'), nil
}

// Round4 rounds to four places, the precision of every score that is printed.
func Round4(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// State is "closed", or "open" while the session is still going on.
func (a *Analysis) State() string {
	if a.Closed {
		return "closed"
	}
	return "open"
}

// MarshalJSON writes the one-line form that `tingke analyze --json` prints.
func (a *Analysis) MarshalJSON() ([]byte, error) {
	out := analysisJSON{
		Meta: a.Meta, StartedAt: a.StartedAt, EndedAt: a.EndedAt, State: a.State(),
		AgentIDs: list(a.AgentIDs), Turns: make([]turnJSON, len(a.Turns)), Mentions: list(a.Mentions),
		Hits: list(a.Findings.Hits), Outcomes: a.Findings.Outcomes, Score: a.Findings.Score,
		Experience: Round4(a.Experience), Scorecards: list(a.Findings.Scorecards), Flagged: a.Findings.Flagged,
		EmotionStart: a.EmotionStart, EmotionEnd: a.EmotionEnd, Rounds: list(a.Rounds), Facts: a.Facts,
		Coverage: list(a.Coverage), RulesVersion: a.RulesVersion, ModelVersion: a.ModelVersion,
	}
	out.Hits = slices.Clone(out.Hits)
	for i := range out.Hits {
		out.Hits[i].Evidence = list(out.Hits[i].Evidence)
	}
	if out.Outcomes == nil {
		out.Outcomes = map[string]string{}
	}
	for i := range a.Turns {
		t := &a.Turns[i]
		out.Turns[i] = turnJSON{
			Seq: t.Seq.V, Role: t.Role, AgentID: t.AgentID, At: t.At, StartMS: t.StartMS, EndMS: t.EndMS, Auto: t.Auto,
			Text: t.Text, Emotion: t.Emotion, Scores: EmotionScore(t.Scores), Polarity: Round4(float64(t.Polarity)), Language: t.Language,
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// list makes a nil list an empty one: readers of the line find [] rather than null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
