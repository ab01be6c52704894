package rules

import (
	"fmt"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseOperator reads the value of an operator's key.
type parseOperator func(d *decoder, n *yaml.Node, anchored bool) operator

// operators are all operators of the language by their key.
var operators map[string]parseOperator

func init() {
	operators = map[string]parseOperator{
		"keyword": parseKeyword, "regex": parseRegex, "slots": parseSlots, "near": parseNear, "pinyin": parsePinyin, "similar": parseSimilar,
		"question": parseQuestion, "substance": parseSubstance, "repeat": parseRepeat,
		"emotion": parseEmotion, "polarity": parsePolarity, "polarity_shift": parsePolarityShift,
		"mention": parseMention, "kind": parseKind, "aspect": parseAspect, "opinion": parseOpinion, "entity": parseEntity,
		"reply_to": parseReplyTo, "process": parseProcess, "sequence": parseSequence,
		"turn_count": parseTurnCount, "response_time": parseResponseTime, "silence": parseSilence, "silence_total": parseSilenceTotal, "hold": parseHold,
		"speed": parseSpeed, "overlap": parseOverlap, "talk_share": parseTalkShare, "duration": parseDuration, "field": parseField,
	}
}

// atEnd are the operators that decide nothing before the session is closed. All others are stream-safe: once one is
// true on a prefix of the session, it is true on every extension, and what is not yet decided is open.
var atEnd = map[string]bool{"talk_share": true, "polarity_shift": true}

// Operators lists the operators of the language, sorted.
func Operators() []string {
	names := make([]string, 0, len(operators))
	for name := range operators {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// anchoredOperator is an operator with conditions inside, which may look at the anchor of the whole.
type anchoredOperator interface {
	operator
	evalAnchored(e *evaluation, s scope, anchor *hit) result
}

// nestingOperator is an operator with conditions inside, in the order of the text.
type nestingOperator interface {
	conditions() []*condition
}

// findings turns the places an operator found into its result. missing says that some of what it should have looked at
// had no data: places found all the same stand, but without any nothing is known.
func findings(s scope, hits []hit, missing string) result {
	if len(hits) == 0 && missing != "" {
		return result{truth: noData, why: missing}
	}
	return foundIn(s, hits)
}

// told adds what an operator measured while the session is explained.
func (e *evaluation) told(r result, value func() string) result {
	if e.explaining && r.value == "" {
		r.value = value()
	}
	return r
}

// places counts them for people.
func places(n int) string {
	switch n {
	case 0:
		return "no place"
	case 1:
		return "1 place"
	}
	return fmt.Sprintf("%d places", n)
}

// quoted names the texts of some places for people: 「投诉」「差评」.
func (e *evaluation) quoted(hits []hit) string {
	const most = 5
	var parts []string
	seen := map[string]bool{}
	for _, h := range hits {
		text := e.text(h.turn)
		if h.masked {
			text = e.t.Turns[h.turn].Text
		}
		start, end := runeBorders(text, int(h.start), int(h.end))
		q := quote(text[start:end])
		if seen[q] {
			continue
		}
		seen[q] = true
		if len(parts) == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, "「"+q+"」")
	}
	return strings.Join(parts, "")
}

// span of time for people, from milliseconds.
func spell(ms float64) string {
	switch s := ms / 1000; {
	case s < 10:
		return fmt.Sprintf("%.3g s", s)
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	default:
		return fmt.Sprintf("%.3g min", s/60)
	}
}
