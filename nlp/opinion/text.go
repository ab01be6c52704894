package opinion

import (
	"strings"
	"unicode"

	"github.com/tingke/tingke/nlp/textnorm"
)

// Normalise gives the form of a text by which mentions are equal: textnorm.Normalise without white space and
// punctuation, so that 贵吗 and 贵吗？？ are one. A text of nothing else keeps it. It is idempotent.
func Normalise(text string) string {
	norm := textnorm.Normalise(text).Text
	var b strings.Builder
	b.Grow(len(norm))
	runes := []rune(norm)
	for i, r := range runes {
		if keeps(runes, i, r) {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return strings.TrimSpace(norm)
	}
	return b.String()
}

// keeps says whether a character of a normalised text is more than punctuation: letters, digits, a sign between two
// digits (1.5, 10-20) or Latin letters, the brackets of a tag such as [怒].
func keeps(runes []rune, i int, r rune) bool {
	switch {
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return true
	case r == '[' || r == ']' || r == '%' || r == '+' || r == '#' || r == '_':
		return true
	case r == '.' || r == '-' || r == ':' || r == '/' || r == '~' || r == ',' || r == ' ':
		return i > 0 && i+1 < len(runes) && narrow(runes[i-1]) && narrow(runes[i+1])
	}
	return false
}

func narrow(r rune) bool {
	return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// Side is the polarity side of a mention: what is praised is never one opinion with what is asked or complained about.
func Side(polarity string) string {
	if polarity == "positive" {
		return "positive"
	}
	return "negative"
}

// families are the aspects that annotators and models mix up; mentions are compared within a family.
var families = map[string]string{
	"quality": "product", "spec": "product", "packaging": "product", "function": "product",
	"price": "money", "account": "money",
	"logistics": "delivery", "stock": "delivery",
	"aftersales": "order", "order": "order",
	"service": "service", "other": "other",
}

// Family is the group of an aspect within which mentions may be one opinion; an aspect of no family is its own.
func Family(aspect string) string {
	if f, ok := families[aspect]; ok {
		return f
	}
	return aspect
}
