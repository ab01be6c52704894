package nlp

import (
	"testing"

	"github.com/tingke/tingke/schemas"
)

// TestLanguage: every turn says its language, and an English one has a polarity all the same.
func TestLanguage(t *testing.T) {
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	f := func(text, language, polarity string) {
		t.Helper()
		tr := &schemas.Transcript{Turns: []schemas.TranscriptTurn{{Turn: schemas.Turn{Role: schemas.Customer, Text: text}}}}
		got := a.Features(tr).Turns[0]
		if got.Language != language || polarity != "" && got.PolarityClass != polarity {
			t.Errorf("%q: %s and %s, want %s and %s", text, got.Language, got.PolarityClass, language, polarity)
		}
	}
	f("快递太慢了", "zh", schemas.Negative)
	f("This is terrible, I want a refund", "en", schemas.Negative)
	f("The quality is great, thank you", "en", schemas.Positive)
	f("it is not good at all", "en", schemas.Negative)
	f("I am very disappointed with the late delivery", "en", schemas.Negative)
	f("When does it open?", "en", schemas.NeutralPolarity)
	f("excellent service!", "en", schemas.Positive)
	f("iphone 有货吗", "zh", schemas.NeutralPolarity)
	f("12345", "", "")
}
