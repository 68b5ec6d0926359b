package arena

import (
	"maps"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/studyfile"
)

type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of arena files, by which editors
// complete and check them. It is made from the catalog, as that of study files.
func Schema() map[string]any {
	parts, definitions := studyfile.Parts()
	seeds := func(doc string) object {
		return object{"description": doc, "anyOf": []any{
			object{"type": "integer", "minimum": 1},
			object{"type": "array", "items": object{"type": "integer", "minimum": 0}, "minItems": 1},
		}}
	}
	texts := object{"anyOf": []any{object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}}}}
	label := object{"type": "string", "description": "name in tables and plots"}
	budget := source.JSONSchema(budgetOptions{})
	trials := object{"type": "object", "additionalProperties": false, "properties": object{"trials": budget["properties"].(object)["trials"]}}
	beside := object{
		"label": label, "budget": trials,
		"measures": object{"type": "array", "items": source.JSONSchema(Measure{}), "minItems": 1, "description": "the behaviour space of a quality-diversity problem"},
		"floor":    object{"type": "number", "description": "the objective from which quality-diversity counts"},
	}
	with := func(more object) object {
		properties := maps.Clone(beside)
		maps.Copy(properties, more)
		return properties
	}
	question := with(object{
		"problem": parts["problem"], "space": parts["space"], "require": parts["require"], "limits": parts["limits"],
		"objectives": object{"description": "what to optimise; may be left out where the problem leaves no doubt", "anyOf": texts["anyOf"]},
	})
	long := object{"type": "object", "required": []string{"problem"}, "additionalProperties": false, "properties": question}
	file := object{"type": "object", "required": []string{"study"}, "additionalProperties": false, "properties": with(object{
		"study": object{"type": "string", "description": "a study file, whose problem, objectives and limits are taken"},
	})}
	problems := []any{long, file}
	for _, form := range definitions["problem"].(object)["anyOf"].([]any) {
		f := form.(object)
		if f["enum"] != nil {
			problems = append(problems, f)
			continue
		}
		// {NAME: options} with our own keys beside it.
		own, _ := f["properties"].(object)
		if own["command"] != nil {
			continue // its keys would stand among ours: it takes problem:
		}
		short := maps.Clone(question)
		delete(short, "problem")
		maps.Copy(short, own)
		problems = append(problems, object{"type": "object", "required": f["required"], "additionalProperties": false, "properties": short})
	}
	var searchers []any
	for _, form := range parts["search"].(object)["anyOf"].([]any) {
		f := form.(object)
		if f["enum"] == nil {
			f = maps.Clone(f)
			properties := maps.Clone(f["properties"].(object))
			properties["label"] = label
			f["properties"] = properties
		}
		searchers = append(searchers, f)
	}
	searchers = append(searchers, object{
		"type": "object", "required": []string{"peer"}, "additionalProperties": false,
		"properties": object{"label": label, "peer": source.JSONSchema(Peer{})},
	})
	many := func(doc string, forms []any) object {
		one := object{"anyOf": forms}
		return object{"description": doc, "anyOf": append([]any{object{"type": "array", "items": one, "minItems": 1}}, forms...)}
	}
	lottery := source.JSONSchema(lotteryOptions{})
	properties := lottery["properties"].(object)
	properties["seeds"] = seeds("seeds of each setting; by default the first three")
	properties["problems"] = object{"description": "labels of the problems; by default all", "anyOf": texts["anyOf"]}
	properties["searchers"] = object{"description": "labels of the searchers, each with the space of its options or nothing", "anyOf": []any{
		object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}},
		object{"type": "object", "additionalProperties": object{"$ref": "#/$defs/nodes"}},
	}}
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Daedalus arena file",
		"description": "Search methods raced on problems, with several seeds.",
		"type":        "object",
		"properties": object{
			"arena":     object{"type": "string", "pattern": fileName.String(), "description": "name of the arena and of its files; by default the name of this file"},
			"problems":  many("what is searched", problems),
			"searchers": many("who searches; random search always does", searchers),
			"seeds":     seeds("how many seeds, from 1 on, or which; 20 by default"),
			"budget":    budget,
			"parallel":  object{"type": "integer", "minimum": 1, "maximum": 10_000, "description": "runs at once; by default all cores"},
			"lottery":   object{"description": "sweep the searchers' own options", "anyOf": []any{lottery, object{"type": "null"}}},
		},
		"required":             []string{"problems", "searchers"},
		"additionalProperties": false,
		"$defs":                definitions,
	}
}
