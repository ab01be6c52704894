package api

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// components makes JSON Schemas of Go types; named structs become components.
type components struct {
	named map[string]any
	names map[reflect.Type]string
}

var generic = regexp.MustCompile(`^(\w+)\[(?:.*[./])?(\w+)\]$`)

// name of the component of a struct type.
func (s *components) name(t reflect.Type) string {
	n := t.Name()
	if m := generic.FindStringSubmatch(n); m != nil {
		n = m[2] + m[1]
	}
	n = strings.ToUpper(n[:1]) + n[1:]
	for used, other := range s.names { // of another package
		if other == n && used != t {
			path := strings.Split(t.PkgPath(), "/")
			p := path[len(path)-1]
			return strings.ToUpper(p[:1]) + p[1:] + n
		}
	}
	return n
}

// of gives the schema of a type.
func (s *components) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[Day]():
		return map[string]any{"type": []string{"string", "null"}, "format": "date"}
	case reflect.TypeFor[decimal.Decimal]():
		return map[string]any{"type": "string", "description": "a decimal number"}
	case reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	}
	if strings.HasPrefix(t.Name(), "Opt[") && t.Kind() == reflect.Struct { // a value or null
		if v, ok := t.FieldByName("V"); ok {
			return nullable(s.of(v.Type))
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nullable(s.of(t.Elem()))
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if t.Name() == "" {
			return s.object(t)
		}
		n, ok := s.names[t]
		if !ok {
			n = s.name(t)
			s.names[t] = n
			s.named[n] = nil // being made: a type may hold itself
			s.named[n] = s.object(t)
		}
		return map[string]any{"$ref": "#/components/schemas/" + n}
	}
	return map[string]any{} // any
}

func nullable(schema map[string]any) map[string]any {
	if t, ok := schema["type"].(string); ok {
		schema["type"] = []string{t, "null"}
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

func (s *components) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	required := []string{}
	s.fields(t, properties, &required)
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// fields adds the fields of a struct as encoding/json sees them.
func (s *components) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && tag == "" {
			e := f.Type
			if e.Kind() == reflect.Pointer {
				e = e.Elem()
			}
			if e.Kind() == reflect.Struct {
				s.fields(e, properties, required)
				continue
			}
		}
		if tag == "" {
			tag = f.Name
		}
		p := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			if _, ref := p["$ref"]; ref {
				p = map[string]any{"allOf": []any{p}}
			}
			p["description"] = doc
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			p["enum"] = strings.Split(enum, ",")
		}
		properties[tag] = p
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, tag)
		}
	}
}
