package studyfile

import (
	"maps"
	"slices"

	"github.com/daedalus-search/daedalus/catalog"
	"github.com/daedalus-search/daedalus/internal/source"
)

// object is a JSON Schema, or a part of one.
type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of study files, by which
// editors complete and check them. It is made from the catalog, so it knows
// every problem and search method with its options. What only the reader can
// know (names in expressions, metrics of a problem) it leaves open.
func Schema() map[string]any {
	s := object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Daedalus study file",
		"description": "What may be built, what is measured, what counts, and how long to look.",
		"type":        "object",
		"properties": object{
			"study":      object{"type": "string", "pattern": studyName.String(), "description": "name of the study and of its files; by default the name of this file"},
			"problem":    object{"$ref": "#/$defs/problem"},
			"space":      object{"$ref": "#/$defs/nodes", "description": "what may be built: a parameter a line"},
			"require":    texts("constraints between parameters, known before anything is measured, such as tile * unroll <= 256"),
			"objectives": texts("what to optimise: maximize NAME, minimize NAME or target NAME VALUE"),
			"limits":     texts("what must hold, such as latency_ms <= 5; with \"soft -0.07\" behind it a limit is a trade-off"),
			"search":     searchSchema(),
			"budget":     with(source.JSONSchema(budgetOptions{}), "description", "what may be spent, over all runs together"),
			"stop":       stopSchema(),
			"prune": object{
				"description": "stop evaluations that look bad, by the intermediate results they report",
				"anyOf": []any{
					object{"enum": []any{"median", "curve"}},
					pruneSchema("median"), pruneSchema("curve"),
				},
			},
			"reject":     object{"type": "boolean", "default": false, "description": "designs that free estimates show to miss a limit are infeasible at no cost, instead of measured"},
			"parallel":   object{"type": "integer", "minimum": 1, "maximum": 100_000, "description": "evaluations at once; by default all cores"},
			"async":      object{"type": "boolean", "default": false, "description": "tell results as they come: faster with uneven evaluations, not reproducible"},
			"duplicates": object{"enum": []any{"reuse", "evaluate"}, "default": "reuse", "description": "what to do with a design that was measured before"},
			"seed":       object{"type": "integer", "minimum": 0, "default": 0, "description": "the same seed gives the same search"},
			"enqueue":    object{"type": "array", "items": object{"type": "object"}, "description": "designs to try first"},
			"export":     texts("formats in which every design of the front is written at the end, such as onnx or svg"),
			"warm_start": object{"type": "string", "description": "another study file or .db on the same space, whose trials come first"},
		},
		"required":             []string{"problem", "objectives"},
		"additionalProperties": false,
		"$defs":                with(spaceSchema(), "problem", problemSchema()),
	}
	return s
}

func with(s object, key string, value any) object {
	s[key] = value
	return s
}

// pruneSchema describes the rules of prune, of which one must be there.
func pruneSchema(required string) object {
	return object{"type": "object", "properties": object{
		"median": orNull(source.JSONSchema(medianOptions{}), "end a trial that is worse than the median of the others at the same step"),
		"curve":  orNull(source.JSONSchema(curveOptions{}), "end a trial whose learning curve will hardly reach the best"),
	}, "required": []string{required}, "additionalProperties": false}
}

func orNull(options object, doc string) object {
	return object{"description": doc, "anyOf": []any{options, object{"type": "null"}}}
}

func texts(doc string) object {
	return object{"description": doc, "anyOf": []any{
		object{"type": "string"},
		object{"type": "array", "items": object{"type": "string"}},
	}}
}

func problemSchema() object {
	engine := source.JSONSchema(engineOptions{})["properties"].(map[string]any)
	var names []any
	var forms []any
	for _, p := range catalog.Problems() {
		options := source.JSONSchema(p.Options())
		options["description"] = p.Doc
		if _, ok := p.Options().(catalog.Wrapper); ok {
			options["properties"].(map[string]any)["of"] = object{"$ref": "#/$defs/problem", "description": "the problem that it stands for"}
		}
		if p.Name == "command" { // its options stand beside it
			properties := maps.Clone(engine)
			maps.Copy(properties, options["properties"].(map[string]any))
			options["properties"] = properties
			required, _ := options["required"].([]string)
			if !slices.Contains(required, "command") {
				required = append(slices.Clone(required), "command")
			}
			options["required"] = required
			forms = append(forms, options)
			continue
		}
		names = append(names, p.Name)
		properties := maps.Clone(engine)
		if options["required"] == nil {
			properties[p.Name] = object{"description": p.Doc, "anyOf": []any{options, object{"type": "null"}}}
		} else {
			properties[p.Name] = options
		}
		forms = append(forms, object{
			"type": "object", "properties": properties, "required": []string{p.Name}, "additionalProperties": false,
		})
	}
	return object{
		"description": "what is searched: a built-in problem or your own command",
		"anyOf":       append([]any{object{"enum": names}}, forms...),
	}
}

func searchSchema() object {
	names := []any{"auto"}
	var forms []any
	for _, s := range catalog.Searchers() {
		names = append(names, s.Name)
		options := source.JSONSchema(s.Options())
		options["description"] = s.Doc
		forms = append(forms, object{
			"type": "object", "properties": object{s.Name: object{"description": s.Doc, "anyOf": []any{options, object{"type": "null"}}}},
			"required": []string{s.Name}, "additionalProperties": false,
		})
	}
	return object{
		"description": "the search method; auto chooses one and says why",
		"default":     "auto",
		"anyOf":       append([]any{object{"enum": names}}, forms...),
	}
}

func stopSchema() object {
	s := source.JSONSchema(stopOptions{})
	s["description"] = "when to stop before the budget is spent"
	s["properties"].(map[string]any)["target"] = texts("conditions such as accuracy >= 94; stop when one feasible design meets all of them")
	return s
}

// spaceSchema defines the nodes of a space, in the words of space/spec.go.
func spaceSchema() object {
	ref := func(name string) object { return object{"$ref": "#/$defs/" + name} }
	literal := object{"type": []string{"string", "number", "boolean"}}
	literals := object{"type": "array", "items": literal, "minItems": 1}
	positive := object{"type": "number", "exclusiveMinimum": 0}
	weights := object{
		"description": "prior weights of the options, in order or by name",
		"anyOf": []any{
			object{"type": "array", "items": positive},
			object{"type": "object", "additionalProperties": positive},
		},
	}
	pair := func(kind string) object {
		return object{"type": "array", "items": object{"type": kind}, "minItems": 2, "maxItems": 2}
	}
	count := object{"anyOf": []any{object{"type": "integer", "minimum": 0}, pair("integer")}}
	node := func(word, doc string, value object, extra object) object {
		value = maps.Clone(value)
		value["description"] = doc
		properties := object{
			word:   value,
			"unit": object{"type": "string", "description": "unit, for tables"},
			"doc":  object{"type": "string", "description": "one line"},
			"when": object{"type": "string", "description": "active only where this holds, such as opt == O3"},
		}
		maps.Copy(properties, extra)
		return object{"type": "object", "properties": properties, "required": []string{word}, "additionalProperties": false}
	}
	number := func(kind string) object {
		return object{
			"log":  object{"type": "boolean", "default": false, "description": "even on a logarithmic scale"},
			"step": object{"type": kind, "exclusiveMinimum": 0, "description": "only multiples of this above the lower end"},
		}
	}
	production := object{
		"type": "object", "required": []string{"use"}, "additionalProperties": false,
		"properties": object{
			"p":    object{"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "probability; what is not stated is shared by the rest"},
			"use":  object{"anyOf": []any{object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}, "minItems": 1}}},
			"with": ref("nodes"),
		},
	}
	words := []string{"float", "int", "ordinal", "choice", "bool", "const", "group", "repeat", "subset", "permutation", "grammar"}
	none := make([]any, len(words))
	for i, w := range words {
		none[i] = object{"required": []string{w}}
	}
	return object{
		"nodes": object{
			"type":                 []string{"object", "null"},
			"properties":           object{"require": texts("constraints between the parameters here")},
			"additionalProperties": ref("node"),
		},
		"node": object{"anyOf": []any{
			object{"const": "bool"},
			node("float", "a real number in [low, high]", pair("number"), number("number")),
			node("int", "a whole number in [low, high]", pair("integer"), number("integer")),
			node("ordinal", "one of several values in order", literals, object{"weights": weights}),
			node("choice", "one of several values, or of several cases with parameters of their own",
				object{"anyOf": []any{literals, object{"type": "object", "additionalProperties": ref("nodes")}}}, object{"weights": weights}),
			node("bool", "true or false", object{"type": "null"}, object{"weights": weights}),
			node("const", "a value that every design carries", literal, nil),
			node("group", "parameters under a common name", ref("nodes"), nil),
			node("repeat", "how often: [least, most] or one number", count, object{"of": object{"anyOf": []any{ref("nodes"), ref("node")}}}),
			node("subset", "some of these items", literals, object{"size": count}),
			node("permutation", "these items in any order", literals, nil),
			node("grammar", "a derivation from the start symbol", object{
				"type": "object", "required": []string{"start"}, "properties": object{"start": object{"type": "string"}},
				"additionalProperties": object{"type": "array", "items": production},
			}, object{"depth": object{"type": "integer", "minimum": 1, "description": "deepest derivation"}}),
			with(object{"allOf": []any{ref("nodes")}, "not": object{"anyOf": none}}, "description", "a group: parameters under a common name"),
		}},
	}
}
