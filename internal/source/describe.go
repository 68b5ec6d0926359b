package source

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Field describes one option, in the words of its tags.
type Field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // text, bool, int, float, duration, map, any, "list of …" or "map of …"
	Default  string   `json:"default,omitempty"`
	Doc      string   `json:"doc,omitempty"`
	Min      string   `json:"min,omitempty"` // ">0" means more than 0
	Max      string   `json:"max,omitempty"` // "<1" means less than 1
	OneOf    []string `json:"oneof,omitempty"`
	Required bool     `json:"required,omitempty"`
	Fields   []Field  `json:"fields,omitempty"` // of a nested struct, or of the elements of a list or map
}

// Describe returns the fields of a tagged struct (or a pointer to one, which
// may be nil), for help texts. See [Decode] for the tags.
func Describe(options any) []Field {
	return describe(structType(options, "Describe"), nil)
}

func structType(options any, caller string) reflect.Type {
	t := reflect.TypeOf(options)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("source: %s of %T, want a struct", caller, options))
	}
	return t
}

// describe keeps the types it is inside of, since types may be recursive.
func describe(t reflect.Type, inside []reflect.Type) []Field {
	if slices.Contains(inside, t) {
		return nil
	}
	inside = append(slices.Clone(inside), t)
	var out []Field
	for _, f := range fieldsOf(t) {
		d := Field{
			Name: f.name, Type: typeName(f.typ), Default: f.fallback, Doc: f.doc,
			Min: f.limits.min, Max: f.limits.max, OneOf: f.limits.oneOf, Required: f.required,
		}
		if e := element(f.typ); e.Kind() == reflect.Struct && typeName(e) == "map" {
			d.Fields = describe(e, inside)
		}
		out = append(out, d)
	}
	return out
}

// JSONSchema returns a JSON Schema (draft 2020-12) of a tagged struct, which
// editors use to complete and check files. See [Decode] for the tags.
//
// The result can be embedded in a larger schema; add "$schema" at its root.
func JSONSchema(options any) map[string]any {
	return schemaOfStruct(structType(options, "JSONSchema"), nil)
}

func schemaOfStruct(t reflect.Type, inside []reflect.Type) map[string]any {
	s := map[string]any{"type": "object"}
	if slices.Contains(inside, t) {
		return s
	}
	inside = append(slices.Clone(inside), t)
	properties := map[string]any{}
	var required []string
	for _, f := range fieldsOf(t) {
		p := schemaOf(f.typ, &f.limits, inside)
		if f.doc != "" {
			p["description"] = f.doc
		}
		if f.hasFall {
			p["default"] = f.defaultPlain()
		}
		if f.required {
			required = append(required, f.name)
		}
		properties[f.name] = p
	}
	s["properties"] = properties
	s["additionalProperties"] = false
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func (f *field) defaultPlain() any {
	if n := typeName(f.typ); n == "text" || n == "duration" {
		return f.fallback
	}
	v, _ := Parse("default of "+f.name, []byte(f.fallback))
	return v.Plain()
}

func schemaOf(t reflect.Type, b *bounds, inside []reflect.Type) map[string]any {
	s := map[string]any{}
	isText := t != valueType && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(textType)
	switch {
	case t == valueType:
		return s
	case t == durationType:
		s["type"] = "string"
		s["pattern"] = `^\+?([0-9]*\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+$`
		s["examples"] = []string{"30s", "2m", "1h30m"}
	case isText:
		s["type"] = []string{"string", "number", "boolean"}
	default:
		switch t.Kind() {
		case reflect.Pointer:
			s = schemaOf(t.Elem(), b, inside)
			switch k := s["type"].(type) {
			case string:
				s["type"] = []string{k, "null"}
			case []string:
				if !slices.Contains(k, "null") {
					s["type"] = append(slices.Clone(k), "null")
				}
			}
			if e, ok := s["enum"].([]any); ok {
				s["enum"] = append(slices.Clone(e), nil)
			}
			return s
		case reflect.Struct:
			return schemaOfStruct(t, inside)
		case reflect.Slice:
			return map[string]any{"type": "array", "items": schemaOf(t.Elem(), b, inside)}
		case reflect.Map:
			return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), b, inside)}
		case reflect.Interface:
			return s
		case reflect.String:
			s["type"] = "string"
		case reflect.Bool:
			s["type"] = "boolean"
		case reflect.Float32, reflect.Float64:
			s["type"] = "number"
		default:
			s["type"] = "integer"
			if strings.HasPrefix(t.Kind().String(), "uint") {
				s["minimum"] = 0.0
			}
		}
	}
	if isNumber(t) && t != durationType {
		for _, l := range b.limits {
			word := map[rune]string{'[': "minimum", ']': "maximum", '(': "exclusiveMinimum", ')': "exclusiveMaximum"}[l.bound]
			s[word] = l.x
			if word == "exclusiveMinimum" {
				delete(s, "minimum")
			}
		}
	}
	if len(b.oneOf) > 0 {
		words := make([]any, len(b.oneOf))
		for i, w := range b.oneOf {
			words[i] = w
			if kind, _ := resolve(w); t != durationType && !isText && t.Kind() != reflect.String && kind != String {
				words[i] = (&Value{kind: kind, text: w}).Plain()
			}
		}
		s["enum"] = words
	}
	return s
}
