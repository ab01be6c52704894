package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/tingke/tingke/schemas"
)

// newWhisper reads the JSON of openai-whisper and the OpenAI API (segments), faster-whisper (segments, or the bare list),
// WhisperX (segments with speakers) and whisper.cpp (transcription).
func newWhisper(src *source, opt Options) (Reader, error) {
	b, err := readWhole(src, opt.Limits)
	if err != nil {
		return nil, err
	}
	var broken *json.SyntaxError
	if err := json.Unmarshal(b, new(json.RawMessage)); errors.As(err, &broken) {
		line := 1 + strings.Count(string(b[:min(int(broken.Offset), len(b))]), "\n")
		return nil, &Error{File: src.name, Line: line, Problem: "is broken or truncated JSON", Cause: err, Hint: "recognise the call again"}
	} else if err != nil {
		return nil, &Error{File: src.name, Line: 1, Problem: "is broken JSON", Cause: err}
	}
	root := gjson.ParseBytes(b)
	list := root.Get("segments")
	cpp := false
	switch {
	case root.IsArray():
		list = root
	case list.IsArray():
	case root.Get("transcription").IsArray():
		list, cpp = root.Get("transcription"), true
	default:
		return nil, &Error{File: src.name, Line: 1, Field: "segments", Problem: "is missing", Hint: "a Whisper result has segments (openai-whisper, faster-whisper, WhisperX) or transcription (whisper.cpp)"}
	}
	var segs []segment
	var problems []*Error
	n := 0
	list.ForEach(func(_, v gjson.Result) bool {
		n++
		s := segment{line: n}
		if bad := s.whisper(v, cpp); bad != nil {
			bad.Line = n
			problems = append(problems, bad)
			return true
		}
		if !s.labelled {
			s.label, s.text, s.labelled = prefixed(s.text, &opt)
		}
		segs = append(segs, s)
		return true
	})
	return newCall(src, opt, b, segs, problems)
}

func (s *segment) whisper(v gjson.Result, cpp bool) *Error {
	if !v.IsObject() || v.Get("text").Type != gjson.String {
		return &Error{Field: "segment", Problem: "has no text"}
	}
	s.text = strings.TrimSpace(v.Get("text").Str)
	if cpp {
		for _, t := range []struct {
			key string
			dst *schemas.Opt[int64]
		}{{"from", &s.start}, {"to", &s.end}} {
			if o := v.Get("offsets." + t.key); o.Type == gjson.Number {
				*t.dst = millis(o.Num / 1000)
			} else if o := v.Get("timestamps." + t.key); o.Type == gjson.String {
				ms, err := span(o.Str)
				if err != nil {
					return &Error{Field: "timestamps." + t.key, Problem: err.Error()}
				}
				*t.dst = schemas.Some(ms)
			}
		}
	} else {
		for _, t := range []struct {
			key string
			dst *schemas.Opt[int64]
		}{{"start", &s.start}, {"end", &s.end}} {
			switch o := v.Get(t.key); o.Type {
			case gjson.Null:
			case gjson.Number:
				*t.dst = millis(o.Num)
				if !t.dst.OK {
					return &Error{Field: t.key, Problem: fmt.Sprintf("%s is no time of a recording", clip(o.Raw)), Hint: "seconds from its start"}
				}
			default:
				return &Error{Field: t.key, Problem: fmt.Sprintf("%s is no number", clip(o.Raw)), Hint: "seconds from the start of the recording"}
			}
		}
	}
	switch sp := v.Get("speaker"); sp.Type {
	case gjson.String, gjson.Number:
		s.label = strings.TrimSpace(sp.String())
		s.labelled = s.label != "" && s.label != "?" // whisper.cpp writes ? where both channels speak
	default:
		s.label, s.labelled = majority(v.Get("words"))
	}
	s.confidence = whisperConfidence(v, cpp)
	return nil
}

// majority gives the speaker of most words: WhisperX leaves some segments without one of their own.
func majority(words gjson.Result) (string, bool) {
	counts := map[string]int{}
	best := ""
	words.ForEach(func(_, w gjson.Result) bool {
		if sp := w.Get("speaker"); sp.Type == gjson.String && sp.Str != "" {
			counts[sp.Str]++
			if n := counts[sp.Str]; n > counts[best] || n == counts[best] && sp.Str < best {
				best = sp.Str
			}
		}
		return true
	})
	return best, best != ""
}

// whisperConfidence is the mean probability of a segment's words or tokens, else exp(avg_logprob), else what the
// recogniser calls confidence.
func whisperConfidence(v gjson.Result, cpp bool) schemas.Opt[float64] {
	sum, n := 0.0, 0
	add := func(p gjson.Result) {
		if p.Type == gjson.Number && p.Num >= 0 && p.Num <= 1 {
			sum += p.Num
			n++
		}
	}
	if cpp {
		v.Get("tokens").ForEach(func(_, t gjson.Result) bool {
			if !strings.HasPrefix(t.Get("text").Str, "[_") { // marks such as [_BEG_]
				add(t.Get("p"))
			}
			return true
		})
	}
	if c := v.Get("confidence"); c.Type == gjson.Number && c.Num >= 0 && c.Num <= 1 {
		return schemas.Some(c.Num)
	}
	if n == 0 {
		v.Get("words").ForEach(func(_, w gjson.Result) bool {
			if p := w.Get("probability"); p.Exists() {
				add(p)
			} else {
				add(w.Get("score"))
			}
			return true
		})
	}
	x := 0.0
	switch lp := v.Get("avg_logprob"); {
	case n > 0:
		x = sum / float64(n)
	case lp.Type == gjson.Number:
		x = math.Exp(math.Min(lp.Num, 0))
	default:
		return schemas.Opt[float64]{}
	}
	return schemas.Some(math.Round(x*1e4) / 1e4)
}
