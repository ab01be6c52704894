package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tingke/tingke/dashboards/filter"
)

// describe makes the OpenAPI 3.1 description of the routes. The same routes give the same bytes.
func describe(routes []Route) ([]byte, error) {
	s := &components{named: map[string]any{}, names: map[reflect.Type]string{}}
	paths := map[string]map[string]any{}
	failure := map[string]any{"description": "What is wrong and what to do", "content": jsonContent(s.of(reflect.TypeFor[errorBody]()))}
	for i := range routes {
		r := &routes[i]
		op := map[string]any{"operationId": operationID(r), "summary": r.Summary, "tags": []string{strings.Split(r.Path, "/")[1]}, "x-roles": r.Roles}
		if p := parameters(r); len(p) > 0 {
			op["parameters"] = p
		}
		switch {
		case r.Body != nil:
			op["requestBody"] = map[string]any{"required": true, "content": jsonContent(s.of(r.bodyType))}
		case r.RawBody != "":
			op["requestBody"] = map[string]any{"required": true, "content": map[string]any{r.RawBody: map[string]any{"schema": map[string]any{}}}}
		}
		answers := map[string]any{"default": failure}
		switch {
		case r.Produces != "":
			answers["200"] = map[string]any{"description": "OK", "content": map[string]any{r.Produces: map[string]any{"schema": map[string]any{}}}}
		case r.Response != nil:
			answers["200"] = map[string]any{"description": "OK", "content": jsonContent(s.of(reflect.TypeOf(r.Response)))}
		default:
			answers["204"] = map[string]any{"description": "Done"}
		}
		op["responses"] = answers
		path := Prefix + strings.ReplaceAll(r.Path, "...}", "}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(r.Method)] = op
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "Tingke", "version": "1",
			"description": "Conversations, findings, opinions and figures. Every list is cut to what the caller may see; a session outside of it is not found. Days are those of the configured timezone."},
		"paths": paths,
		"components": map[string]any{"schemas": s.named, "securitySchemes": map[string]any{
			"session": map[string]any{"type": "apiKey", "in": "cookie", "name": "tingke_session"},
			"token":   map[string]any{"type": "http", "scheme": "bearer"},
		}},
		"security": []any{map[string]any{"session": []string{}}, map[string]any{"token": []string{}}},
	}
	b, err := json.MarshalIndent(doc, "", " ")
	return append(b, '\n'), err
}

func jsonContent(schema map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

func operationID(r *Route) string {
	words := strings.FieldsFunc(strings.ToLower(r.Method)+r.Path, func(c rune) bool { return strings.ContainsRune("/{}._-", c) })
	for i := range words[1:] {
		words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
	}
	return strings.Join(words, "")
}

func parameters(r *Route) []any {
	var out []any
	for _, name := range r.inPath {
		out = append(out, map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	add := func(p Param) {
		schema := map[string]any{"type": "string"}
		switch p.Type {
		case "int":
			schema["type"] = "integer"
			if p.Min != 0 || p.Max != 0 {
				schema["minimum"], schema["maximum"] = p.Min, p.Max
			}
		case "number":
			schema["type"] = "number"
		case "day":
			schema["format"] = "date"
		case "bool":
			schema["enum"] = []string{"0", "1"}
		}
		if p.Enum != nil {
			schema["enum"] = p.Enum
		}
		if p.Default != "" {
			schema["default"] = p.Default
			if n, err := strconv.Atoi(p.Default); err == nil && p.Type == "int" {
				schema["default"] = n
			}
		}
		if p.Repeated {
			schema = map[string]any{"type": "array", "items": schema}
		}
		o := map[string]any{"name": p.Name, "in": "query", "description": p.Doc, "schema": schema}
		if p.Required {
			o["required"] = true
		}
		out = append(out, o)
	}
	for _, f := range filter.Fields() {
		if slices.Contains(r.Filters, f.Name) {
			add(Param{Name: f.Name, Type: f.Type, Enum: f.Enum, Repeated: f.Repeated, Doc: f.Doc})
		}
	}
	for _, p := range r.Query {
		add(p)
	}
	return out
}
