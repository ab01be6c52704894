package schemas

// Features is what the NLP stages say about the turns of one transcript: Turns[i] belongs to Transcript.Turns[i].
type Features struct {
	Turns []TurnFeatures
	// Experience is the predicted satisfaction of the customer with the session, -1..1.
	Experience float64
	// Facts are the timings and counts of the whole conversation, for rules that ask for them; nil where nobody measured.
	Facts *Facts
	// ModelVersion names the models that made the features.
	ModelVersion string
	Notes        []CoverageNote
}

// TurnFeatures is what is known about one turn. All offsets are bytes of the masked text unless said otherwise.
type TurnFeatures struct {
	// Norm is the normalised text: width, case, traditional to simplified, emoji to tags.
	Norm NormText
	// Cut gives the words of the turn when they are asked for, see Words; nil = nobody can cut this turn.
	Cut WordSource
	// Emotion is the strongest label, the argmax of Scores.
	Emotion Emotion
	// Scores sum to 1, in the order of the Emotion constants.
	Scores [EmotionCount]float32
	// Labels are the primary emotion and any further ones with their intensity; empty when neutral.
	Labels []EmotionLabel
	// Polarity is -1..1; PolarityClass agrees with its sign beyond a dead zone the model states.
	Polarity      float32
	PolarityClass string
	// Language is what the turn is written in: "zh", "en", or "" where it has no words.
	Language string
	// Mentions are the opinion mentions of a customer turn.
	Mentions []TurnMention
	// Entities are what masking or the entity finder saw: masked placeholders, amounts, dates.
	Entities []Entity
}

// Words gives the words of Norm.Text in order, as byte offsets of Norm.Text; nil where nobody can cut the turn. Few ask, and cutting
// costs more than most other features, so it is done on the first call. It is safe for concurrent use; the result is shared and must
// not be written to.
func (t *TurnFeatures) Words() []Span {
	if t.Cut == nil {
		return nil
	}
	return t.Cut.Words()
}

// WordSource cuts one text into words.
type WordSource interface {
	Words() []Span
}

// CutWords are words that are there already.
type CutWords []Span

// Words gives the words.
func (w CutWords) Words() []Span { return w }

// NormText is a normalised text that remembers where each byte came from.
type NormText struct {
	Text string
	// Offsets maps byte i of Text to a byte of the original; it has len(Text)+1 entries. Nil means the texts are equal.
	Offsets []int32
}

// Orig gives the byte of the original text that byte i of Text came from; i may be len(Text).
func (n NormText) Orig(i int) int {
	if n.Offsets == nil {
		return i
	}
	return int(n.Offsets[i])
}

// Span is a half-open byte range.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// EmotionLabel is one emotion of a turn with its intensity, 0..1.
type EmotionLabel struct {
	Label     Emotion
	Intensity float32
}

// Entity is a thing found in a text, as byte offsets.
type Entity struct {
	Type  string `json:"type"` // phone, id_card, bank_card, plate, email, wechat, qq, address, name, order, parcel, amount, date ...
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// TurnMention is an opinion mention inside one turn; offsets are bytes of the masked text.
type TurnMention struct {
	Text     string
	Start    int
	End      int
	Kind     string
	Aspect   string
	Valuable bool
	Product  string
	Polarity string
	// OpinionID is the opinion the mention was assigned to, "" while it waits for one; OpinionScore is how well it fits, 0..1.
	OpinionID    string
	OpinionScore float32
}
