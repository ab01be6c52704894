package rules

import (
	"encoding/json"

	"github.com/tingke/tingke/schemas"
)

// object is a JSON Schema or a part of one.
type object = map[string]any

// Schema is the JSON Schema (2020-12) of a rule pack, for editors that complete and check YAML. It is made from the tables
// of the decoder where it has such, and a test holds the rest to what the decoder reads. It knows keys, values and forms;
// what needs more than one place at once (a list that does not exist, a range without a trigger) is for Load to find.
func Schema() []byte {
	b, err := json.MarshalIndent(packSchema(), "", " ")
	if err != nil {
		panic(err) // of maps of strings and numbers: cannot happen
	}
	return append(b, '\n')
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func either(forms ...object) object { return object{"anyOf": forms} }

// mappingOf is a mapping with these keys and no others. title is what the decoder calls it.
func mappingOf(title string, properties object, required ...string) object {
	o := object{"title": title, "type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func listOf(item object) object { return object{"type": "array", "items": item, "minItems": 1} }

// oneOrMore is a list, or its only entry.
func oneOrMore(item object) object { return either(item, listOf(item)) }

func oneOfValues(title string, values ...string) object {
	return object{"title": title, "enum": values}
}

func someOf(title string, values ...string) object { return oneOrMore(oneOfValues(title, values...)) }

func integer(lo, hi int) object { return object{"type": "integer", "minimum": lo, "maximum": hi} }

func number(lo, hi float64) object { return object{"type": "number", "minimum": lo, "maximum": hi} }

// compared adds the comparisons, each with a bound of this form, to the keys of an operator.
func compared(bound object, more object) object {
	out := object{}
	for _, key := range compareKeys {
		out[key] = bound
	}
	for key, v := range more {
		out[key] = v
	}
	return out
}

// fieldsOf are the fields of a session, each of this form, and more.
func fieldsOf(form object, more object) object {
	out := object{}
	for _, name := range fieldNames {
		out[name] = form
	}
	for key, v := range more {
		out[key] = v
	}
	return out
}

func packSchema() object {
	text, flag, words, condition, duration := ref("text"), ref("flag"), ref("words"), ref("condition"), ref("duration")
	id := object{"type": "string", "pattern": idForm.String()}
	turns := integer(1, schemas.MaxTurns)
	texts := oneOrMore(text)

	conditionKeys := object{
		"in":        ref("in"),
		"unless":    condition,
		"in_turn":   flag,
		"in_clause": flag,
		"all":       listOf(condition),
		"any":       listOf(condition),
		"none":      listOf(condition),
		"not":       condition,
		"at_least":  mappingOf("at_least", object{"n": integer(1, 1000), "of": listOf(condition)}, "n", "of"),
	}
	for name, form := range operatorSchemas(text, flag, words, condition, duration) {
		if summary := OperatorSummary(name); summary != "" {
			form["description"] = summary
		}
		conditionKeys[name] = form
	}

	roles := object{}
	for name := range testRoles {
		roles[name] = object{"type": []string{"string", "number", "boolean", "null"}, "description": "what was said; nothing is an empty turn"}
	}
	turn := object{
		"emotion": oneOfValues("emotion", schemas.EmotionKeys()...), "polarity": number(-1, 1), "at": duration, "until": duration, "auto": flag, "agent_id": text,
		"mention": oneOrMore(mappingOf("mention", mentionKeys(text, flag, object{"opinion": text, "score": number(0, 1)}))),
		"entity":  oneOrMore(either(text, mappingOf("entity", object{"type": text, "text": text}, "type"))),
	}
	for name, form := range roles {
		turn[name] = form
	}

	out := mappingOf("a pack", object{
		"id": id, "name": text, "version": object{"type": []string{"string", "number"}}, "description": text,
		"flag_below": number(0, 100), "report": oneOfValues("report", "all", "found"),
		"lists":      object{"type": "object", "additionalProperties": words, "description": "words shared by name: <name> stands for them"},
		"scorecards": listOf(ref("scorecard")), "rules": listOf(ref("rule")),
	}, "id", "version", "rules")
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out["$defs"] = object{
		"text":     object{"type": []string{"string", "number", "boolean"}},
		"flag":     object{"enum": []any{true, false, "true", "false", "yes", "no", "on", "off"}},
		"duration": object{"type": []string{"string", "integer"}, "pattern": `^\s*([0-9.]+(ms|s|m|h|us|µs|ns))+\s*$|^0$`, "description": "such as 30s, 2m or 1500ms"},
		"words":    oneOrMore(text),
		"roles":    someOf("role", "customer", "agent", "bot", "system", "any"),
		"in": mappingOf("in", object{
			"role": ref("roles"), "first": ref("reach"), "last": ref("reach"), "after": ref("reachAll"), "before": ref("reachAll"), "around": ref("reachAll"), "same_turn": flag,
			"turns": object{"type": []string{"string", "integer"}, "pattern": `^\s*-?[0-9]+\s*(\.\.\s*-?[0-9]+\s*)?$`, "description": "3..5, or -3..-1 for the last three"},
		}),
		"reach":     either(turns, duration),
		"reachAll":  either(turns, duration, object{"const": "all"}),
		"condition": object{"title": "a condition", "type": "object", "properties": conditionKeys, "additionalProperties": false, "minProperties": 1},
		"scorecard": mappingOf("a scorecard", object{
			"id": id, "name": text,
			"items": listOf(mappingOf("an item", object{"id": id, "name": text, "max": number(0, 1000), "weight": number(0, 1000), "human": flag}, "id", "max")),
		}, "id", "items"),
		"rule": mappingOf("a rule", object{
			"id": id, "name": text, "dimension": text, "note": text,
			"severity": oneOfValues("severity", schemas.Info, schemas.Minor, schemas.Major, schemas.Critical),
			"points":   number(-100, 0), "item": object{"type": "string", "pattern": `^[^.]+\.[^.]+$`}, "count": oneOfValues("count", "once", "each"), "cap": number(-1000, 0),
			"critical": oneOfValues("critical", "item", "group", "whole"),
			"applies":  mappingOf("applies", fieldsOf(texts, object{"attributes": object{"type": "object", "additionalProperties": texts}, "from": ref("day"), "to": ref("day")})),
			"trigger":  condition, "expect": condition, "forbid": condition,
			"which":   either(object{"enum": []string{"each", "any", "first", "last"}}, turns),
			"outcome": oneOfValues("outcome", "pass_fail", "presence"),
			"reason":  text, "tests": listOf(ref("test")),
		}, "id", "name", "severity", "reason"),
		"day": object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`},
		"test": mappingOf("a test", object{
			"name": text, "want": oneOfValues("want", schemas.Pass, schemas.Fail, schemas.NA, schemas.Present, schemas.Absent),
			"hits": oneOrMore(turns), "gap": flag, "open": flag,
			"session": mappingOf("session", fieldsOf(text, object{
				"attributes": object{"type": "object", "additionalProperties": text}, "lasts": duration, "facts": object{"type": "object", "additionalProperties": text},
			})),
			"turns": listOf(ref("turn")),
		}, "want", "turns"),
		"turn": mappingOf("a turn", turn),
	}
	return out
}

func mentionKeys(text, flag object, more object) object {
	out := object{
		"kind": someOf("mention.kind", schemas.Kinds...), "aspect": someOf("mention.aspect", schemas.Aspects...),
		"polarity": someOf("mention.polarity", schemas.Negative, schemas.NeutralPolarity, schemas.Positive), "product": oneOrMore(text), "valuable": flag,
	}
	for key, v := range more {
		out[key] = v
	}
	return out
}

// operatorSchemas gives the form of every operator's value.
func operatorSchemas(text, flag, words, condition, duration object) map[string]object {
	emotions := func(title string) object { return someOf(title, schemas.EmotionKeys()...) }
	polarities := func(title string) object {
		return someOf(title, schemas.Negative, schemas.NeutralPolarity, schemas.Positive)
	}
	times := func(title string) object { return mappingOf(title, compared(duration, nil)) }
	share := object{"anyOf": []object{number(0, 1), {"type": "string", "pattern": `^[0-9.]+ ?[%％]?$`}}}
	shares := func(title string) object { return mappingOf(title, compared(share, nil)) }
	numbers := func(title string) object { return mappingOf(title, compared(object{"type": "number"}, nil)) }
	turns := integer(1, schemas.MaxTurns)
	within := either(turns, duration)
	value := either(text, listOf(text), mappingOf("entity.is", object{"field": text}, "field"))
	entity := object{"type": oneOrMore(text), "none": flag, "is": value, "is_not": value}
	for _, key := range compareKeys {
		entity[key] = value
	}
	opinion := mentionKeys(text, flag, object{"id": oneOrMore(text), "min": number(0, 1)})
	delete(opinion, "kind")
	delete(opinion, "aspect")
	return map[string]object{
		"keyword": either(words, mappingOf("keyword", object{
			"any": words, "all": words, "none": words, "of": words, "n": integer(1, 1000), "times": integer(1, 10_000), "negation": flag,
			"synonyms": object{"type": "object", "additionalProperties": words}, "gap": integer(0, 1000), "match": oneOfValues("keyword.match", "part", "word"), "case": flag,
		})),
		"regex": either(words, mappingOf("regex", object{"any": words, "not_regex": words}, "any")),
		"near": mappingOf("near", object{"a": words, "b": words, "without": words, "gap": integer(0, 1000), "unit": oneOfValues("near.unit", "chars", "words"),
			"ordered": flag, "negation": flag}, "a"),
		"slots": either(words, mappingOf("slots", object{"any": words, "gap": integer(1, 100), "between": integer(0, 20), "number": numbers("slots.number"), "negation": flag}, "any")),
		"pinyin": either(words, mappingOf("pinyin", object{"any": words, "distance": number(0, 3), "penalty": number(0, 1), "as_written": flag, "except": words,
			"negation": flag}, "any")),
		"similar":  either(words, mappingOf("similar", object{"to": words, "min": number(0.3, 1), "of": oneOfValues("similar.of", "turn", "clause")}, "to")),
		"question": either(object{"enum": []any{true, "true", "any"}}, mappingOf("question", object{"except": words})),
		"substance": mappingOf("substance", object{
			"min_chars": integer(1, 10_000), "except": words, "questions": flag,
		}),
		"repeat": mappingOf("repeat", object{"min_chars": integer(2, 1000), "similarity": number(0.3, 1), "times": integer(2, 1000), "of": oneOfValues("repeat.of", "sentence", "turn"),
			"except": words, "window": within, "target": oneOfValues("repeat.target", "same", "other", "customer", "agent", "bot", "system")}),
		"emotion": either(emotions("emotion"), mappingOf("emotion", object{"any": emotions("emotion"), "min": number(0, 1), "also": flag, "streak": integer(1, 1000),
			"from": emotions("emotion.from"), "to": emotions("emotion.to"), "within": turns})),
		"polarity":       either(polarities("polarity"), mappingOf("polarity", compared(number(-1, 1), nil))),
		"polarity_shift": mappingOf("polarity_shift", object{"turns": turns, "begin": numbers("polarity_shift.begin"), "end": numbers("polarity_shift.end"), "delta": numbers("polarity_shift.delta")}),
		"mention":        mappingOf("mention", mentionKeys(text, flag, nil)),
		"kind":           either(someOf("kind", schemas.Kinds...)),
		"aspect":         either(someOf("aspect", schemas.Aspects...)),
		"opinion":        either(oneOrMore(text), mappingOf("opinion", opinion, "id")),
		"entity":         either(oneOrMore(text), mappingOf("entity", entity, "type")),
		"reply_to":       mappingOf("reply_to", object{"anchor": condition, "role": ref("roles"), "within": within, "expect": condition}, "anchor", "expect"),
		"process": mappingOf("process", object{
			"steps": listOf(mappingOf("a step", object{"name": text, "do": condition, "optional": flag, "max_gap": turns}, "name", "do")),
		}, "steps"),
		"sequence":   mappingOf("sequence", object{"of": listOf(condition), "within": within}, "of"),
		"turn_count": mappingOf("turn_count", compared(integer(0, schemas.MaxTurns), nil)),
		"response_time": mappingOf("response_time", compared(duration, object{
			"of": oneOfValues("response_time.of", "each", "any", "first", "adjacent"), "by": oneOfValues("response_time.by", "agent", "customer"),
		})),
		"silence": mappingOf("silence", compared(duration, object{
			"speakers": oneOfValues("silence.speakers", "same", "different"), "before": ref("roles"), "own": times("silence.own"), "at_end": flag,
		})),
		"silence_total": mappingOf("silence_total", compared(duration, object{"percent": shares("silence_total.percent"), "times": turns, "longer_than": duration, "except": words})),
		"hold":          mappingOf("hold", compared(duration, object{"percent": shares("hold.percent"), "times": turns, "longer_than": duration, "words": words}), "words"),
		"speed":         mappingOf("speed", compared(number(0, 1e15), object{"of": oneOfValues("speed.of", "turn", "mean"), "min_chars": integer(1, 10_000)})),
		"overlap":       mappingOf("overlap", object{"delay": duration, "min": duration, "of": ref("roles"), "times": turns}),
		"talk_share":    mappingOf("talk_share", compared(share, object{"of": oneOfValues("talk_share.of", "agent", "customer"), "by": oneOfValues("talk_share.by", "chars", "time")})),
		"duration":      mappingOf("duration", compared(duration, nil)),
		"field": mappingOf("field", compared(object{"type": "number"}, object{
			"name": text, "is": oneOrMore(text), "is_not": oneOrMore(text), "contains": oneOrMore(text), "exists": flag,
		}), "name"),
	}
}
