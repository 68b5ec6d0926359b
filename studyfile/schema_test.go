package studyfile

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/source"
)

// validator checks JSON against the part of JSON Schema that Schema uses. It
// fails the test on a keyword it does not know, so nothing is skipped.
type validator struct {
	t    *testing.T
	root map[string]any
}

// check returns every way in which v is not what the schema s describes.
func (c validator) check(s any, v any, path string) (bad []string) {
	c.t.Helper()
	m, ok := s.(map[string]any)
	if !ok {
		c.t.Fatalf("%s: a schema is %T", path, s)
	}
	fail := func(format string, args ...any) { bad = append(bad, path+": "+fmt.Sprintf(format, args...)) }
	object, isObject := v.(map[string]any)
	list, isList := v.([]any)
	number, isNumber := v.(float64)
	text, isText := v.(string)
	for key, x := range m {
		switch key {
		case "$schema", "$defs", "title", "description", "default", "examples":
		case "$ref":
			name := strings.TrimPrefix(x.(string), "#/$defs/")
			def, ok := c.root["$defs"].(map[string]any)[name]
			if !ok {
				c.t.Fatalf("%s: no definition %s", path, x)
			}
			bad = append(bad, c.check(def, v, path)...)
		case "type":
			types, ok := x.([]any)
			if !ok {
				types = []any{x}
			}
			if !slices.ContainsFunc(types, func(t any) bool { return isType(v, t.(string)) }) {
				fail("%v is not of type %v", v, x)
			}
		case "enum":
			if !slices.ContainsFunc(x.([]any), func(e any) bool { return reflect.DeepEqual(e, v) }) {
				fail("%v is not one of %v", v, x)
			}
		case "const":
			if !reflect.DeepEqual(x, v) {
				fail("%v is not %v", v, x)
			}
		case "properties":
			for name, p := range x.(map[string]any) {
				if inside, ok := object[name]; ok {
					bad = append(bad, c.check(p, inside, path+"."+name)...)
				}
			}
		case "additionalProperties":
			known, _ := m["properties"].(map[string]any)
			for name, inside := range object {
				if _, ok := known[name]; ok {
					continue
				}
				if x == false {
					fail("unknown key %s", name)
				} else {
					bad = append(bad, c.check(x, inside, path+"."+name)...)
				}
			}
		case "required":
			for _, name := range x.([]any) {
				if _, ok := object[name.(string)]; isObject && !ok {
					fail("key %s is missing", name)
				}
			}
		case "items":
			for i, e := range list {
				bad = append(bad, c.check(x, e, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "minItems":
			if isList && float64(len(list)) < x.(float64) {
				fail("%d items", len(list))
			}
		case "maxItems":
			if isList && float64(len(list)) > x.(float64) {
				fail("%d items", len(list))
			}
		case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum":
			y := x.(float64)
			if isNumber && (key == "minimum" && number < y || key == "exclusiveMinimum" && number <= y || key == "maximum" && number > y || key == "exclusiveMaximum" && number >= y) {
				fail("%v beyond %s %v", number, key, y)
			}
		case "pattern":
			if isText && !regexp.MustCompile(x.(string)).MatchString(text) {
				fail("%q does not match %s", text, x)
			}
		case "anyOf":
			var all []string
			found := false
			for _, e := range x.([]any) {
				why := c.check(e, v, path)
				found = found || len(why) == 0
				all = append(all, why...)
			}
			if !found {
				fail("none of the alternatives: %s", strings.Join(all, "; "))
			}
		case "allOf":
			for _, e := range x.([]any) {
				bad = append(bad, c.check(e, v, path)...)
			}
		case "not":
			if len(c.check(x, v, path)) == 0 {
				fail("what must not be")
			}
		default:
			c.t.Fatalf("%s: the schema uses %q, which this test does not know", path, key)
		}
	}
	// "required" says nothing about what is no object.
	if m["required"] != nil && !isObject && m["type"] == nil && m["properties"] == nil {
		fail("not an object")
	}
	return bad
}

func isType(v any, name string) bool {
	switch x := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && x == math.Trunc(x)
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}

// load reads YAML as JSON values.
func load(t *testing.T, name string, text []byte) any {
	t.Helper()
	root, report := source.Parse(name, text)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(root.JSON(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func schema(t *testing.T) validator {
	t.Helper()
	text, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	c := validator{t: t}
	if err := json.Unmarshal(text, &c.root); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSchemaAcceptsStudyFiles(t *testing.T) {
	t.Parallel()
	c := schema(t)
	var files []string
	for _, pattern := range []string{"../examples/*.yaml", "../internal/cli/templates/*/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), "arena-") })
	if len(files) < 8 {
		t.Fatalf("found only the study files %v", files)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bad := c.check(c.root, load(t, name, text), ""); len(bad) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(bad, "\n"))
		}
	}
}

// TestSchemaAndReader gives the same files to both. What the schema accepts may
// still be wrong; what the reader accepts the schema must accept.
func TestSchemaAndReader(t *testing.T) {
	t.Parallel()
	c := schema(t)
	const tail = "\nobjectives: [minimize loss]\nproblem: {command: [echo], metrics: {loss: }}\n"
	cases := map[string]struct {
		text string
		good bool
	}{
		"plain":             {"space: {x: {int: [1, 3]}}" + tail, true},
		"bool":              {"space: {x: bool, y: {bool: , weights: [1, 2]}}" + tail, true},
		"case without more": {"space: {b: {choice: {skip: , conv: {k: {int: [1, 7]}}}, weights: {skip: 1, conv: 2}}}" + tail, true},
		"group":             {"space: {g: {k: {int: [1, 7]}, require: [k > 2]}, h: {group: {j: bool}, when: g.k > 3}}" + tail, true},
		"bare repeat":       {"space: {w: {repeat: 3, of: {int: [8, 64]}}}" + tail, true},
		"grammar":           {"space: {n: {grammar: {start: M, M: [{p: 0.7, use: c}, {use: [M, M], with: {a: bool}}]}, depth: 4}}" + tail, true},
		"subset":            {"space: {s: {subset: [a, b], size: [0, 1]}, p: {permutation: [a, b]}, c: {const: 3}}" + tail, true},
		"options":           {"space: {x: bool}\nsearch: {nsga2: {population: 20}}\nstop: {no_gain: 5, target: loss <= 3}\nprune: {median: {startup: 3}}" + tail, true},
		"both rules":        {"space: {x: bool}\nprune: {median: , curve: {chance: 0.1, warmup: 6}}" + tail, true},
		"curve":             {"space: {x: bool}\nprune: curve\nbudget: {full: 12.5}" + tail, true},
		"no rule":           {"space: {x: bool}\nprune: {}" + tail, false},
		"unknown rule":      {"space: {x: bool}\nprune: {mean: }" + tail, false},
		"no effort":         {"space: {x: bool}\nbudget: {full: 0}" + tail, false},
		"fidelity":          {"space: {x: bool}\nsearch: {asha: {eta: 4, source: tpe}}\nobjectives: [minimize loss]\nproblem: {command: [echo], metrics: {loss: }, fidelity: {name: epochs, min: 1, max: 27, resume: true}}\n", true},
		"fidelity, no max":  {"space: {x: bool}\nobjectives: [minimize loss]\nproblem: {command: [echo], metrics: {loss: }, fidelity: {name: epochs, min: 1}}\n", false},
		"epochs of a table": {"problem: {nasbench201: {epochs: 200}}\nobjectives: maximize accuracy\nsearch: halving\nlimits: [params_m <= 1]\nreject: true", true},
		"search null":       {"space: {x: bool}\nsearch: {random: }" + tail, true},
		"unknown key":       {"space: {x: bool}\nbudgte: {trials: 3}" + tail, false},
		"unknown kind":      {"space: {x: {integer: [1, 3]}}" + tail, false},
		"range of three":    {"space: {x: {int: [1, 3, 5]}}" + tail, false},
		"unknown method":    {"space: {x: bool}\nsearch: nsga9" + tail, false},
		"unknown option":    {"space: {x: bool}\nsearch: {nsga2: {size: 3}}" + tail, false},
		"text for number":   {"space: {x: bool}\nbudget: {trials: many}" + tail, false},
		"negative budget":   {"space: {x: bool}\nbudget: {trials: -1}" + tail, false},
		"no objectives":     {"problem: nasbench201", false},
		"unknown problem":   {"problem: nasbench2O1\nobjectives: [maximize accuracy]", false},
		"problem by name":   {"problem: nasbench201\nobjectives: maximize accuracy", true},
		"device":            {"problem: {nasbench201: {device: pixel2}, timeout: 3s}\nobjectives: maximize accuracy", true},
		"unknown device":    {"problem: {nasbench201: {device: pixel9}}\nobjectives: maximize accuracy", false},
	}
	for name, x := range cases {
		bad := c.check(c.root, load(t, name, []byte(x.text)), "")
		if x.good != (len(bad) == 0) {
			t.Errorf("%s: the schema says %q, want good %t", name, bad, x.good)
		}
		_, err := Parse("case.yaml", []byte(x.text))
		if x.good != (err == nil) {
			t.Errorf("%s: the reader says %v, want good %t", name, err, x.good)
		}
	}
}
