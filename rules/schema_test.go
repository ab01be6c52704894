package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

// readEverything reads all packs and examples and gives the keys and values that the decoder knows.
func readEverything(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	o := Options{note: func(what string, names []string) {
		if list := sorted(names); !slices.Contains(known[what], list) {
			known[what] = append(known[what], list)
		}
	}}
	for _, text := range everyPack(t) {
		if _, err := LoadWith(o, Text("p.yaml", text)); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// everyPack gives the embedded packs, all examples of the manual and packs that use what these leave out.
func everyPack(t *testing.T) [][]byte {
	t.Helper()
	out := [][]byte{[]byte(everyKind), []byte(liveKinds), []byte(generate(40, 1))}
	for _, id := range EmbeddedPacks() {
		b, err := Embedded(id).read()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	for _, file := range manualFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range yamlBlock.FindAllSubmatch(b, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// TestSchemaKnowsWhatTheDecoderKnows: every set of keys and of values that the decoder reads stands in the schema under
// the decoder's name for it, and the schema has no operator that the decoder lacks.
func TestSchemaKnowsWhatTheDecoderKnows(t *testing.T) {
	var schema any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	inSchema := map[string][]string{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			title, _ := v["title"].(string)
			if p, ok := v["properties"].(map[string]any); ok && title != "" {
				inSchema["keys of "+title] = append(inSchema["keys of "+title], sorted(slices.Collect(maps.Keys(p))))
			}
			if list, ok := v["enum"].([]any); ok && title != "" {
				var names []string
				for _, x := range list {
					names = append(names, x.(string))
				}
				inSchema["values of "+title] = append(inSchema["values of "+title], sorted(names))
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(schema)
	read := readEverything(t)
	for what, lists := range read {
		if what == "keys of entity.is_not" || strings.HasPrefix(what, "keys of entity.") {
			what = "keys of entity.is" // one form for all
		}
		for _, names := range lists {
			if what == "values of want" {
				continue // those of the rule's own outcomes: a part of all
			}
			if !slices.Contains(inSchema[what], names) {
				t.Errorf("%s: the decoder reads [%s], the schema has %q", what, names, inSchema[what])
			}
		}
	}
	for _, name := range Operators() {
		if _, ok := operatorSchemas(nil, nil, nil, nil, nil)[name]; !ok {
			t.Errorf("operator %s is not in the schema", name)
		}
	}
	for name := range operatorSchemas(nil, nil, nil, nil, nil) {
		if operators[name] == nil {
			t.Errorf("the schema has an operator %s that the decoder lacks", name)
		}
	}
	if len(read) < 60 {
		t.Errorf("only %d sets of keys and values were read: the examples leave most of the language out", len(read))
	}
	golden(t, "../pack.schema.json", string(Schema()))
}

func sorted(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), " ") }

// TestPacksAreValidBySchema: every pack and example is valid, and stops being so with a key that nobody knows, wherever
// it stands.
func TestPacksAreValidBySchema(t *testing.T) {
	var s jsonschema.Schema
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text []byte) error {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		return resolved.Validate(plainJSON(v))
	}
	unknown := 0
	for i, text := range everyPack(t) {
		if err := validate(text); err != nil {
			t.Errorf("pack %d: %v\n%s", i, err, clip(string(text), 300))
			continue
		}
		if len(text) > 20_000 {
			continue // the same with an unknown key is tried on the small ones
		}
		places, err := Places(text)
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range places {
			if (i+k)%5 > 0 || p.Path == "" || !strings.HasPrefix(strings.TrimLeft(string(text[p.Start:p.End]), " "), "{") || strings.Contains(p.Path, "lists") ||
				strings.HasSuffix(p.Path, "attributes") || strings.HasSuffix(p.Path, "facts") || strings.HasSuffix(p.Path, "synonyms") {
				continue
			}
			wrong, err := Patch(text, p.Path+"/unheard_of", "1")
			if err != nil {
				t.Fatal(err)
			}
			if validate(wrong) == nil {
				t.Errorf("%s takes an unknown key: %s", p.Path, text[p.Start:p.End])
			}
			unknown++
		}
	}
	if unknown < 150 {
		t.Errorf("only %d unknown keys were tried", unknown)
	}
	for _, bad := range []string{
		"id: p\nversion: \"1\"\nrules: []\n", "id: P\nversion: \"1\"\nrules: [{}]\n", strings.Replace(oneRule("    forbid: {keyword: [a]}\n"), "minor", "mild", 1),
		oneRule("    forbid: {keyword: []}\n"), oneRule("    forbid: {in: {first: soon}, keyword: [a]}\n"), oneRule("    forbid: {keywrod: [a]}\n"), strings.Replace(oneRule(""), "-1", "5", 1),
	} {
		if validate([]byte(bad)) == nil {
			t.Errorf("valid by the schema:\n%s", bad)
		}
		if _, err := Load(Text("p.yaml", []byte(bad))); err == nil {
			t.Errorf("valid for the decoder:\n%s", bad)
		}
	}
}

// plainJSON gives YAML values the types of JSON.
func plainJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = plainJSON(x)
		}
		return v
	case map[any]any:
		out := map[string]any{}
		for k, x := range v {
			out[fmt.Sprint(k)] = plainJSON(x)
		}
		return out
	case []any:
		for i, x := range v {
			v[i] = plainJSON(x)
		}
		return v
	case int:
		return float64(v)
	case time.Time:
		return v.Format("2006-01-02")
	}
	return v
}
