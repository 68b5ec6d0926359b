package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hostile files are small and ask for much. Each must be refused, soon.
func TestHostile(t *testing.T) {
	t.Parallel()
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	merges := "m0: &m0 {k: " + strings.Repeat("x", 1000) + "}\n"
	for i := 1; i < 40; i++ {
		merges += fmt.Sprintf("m%d: &m%d {a: *m%d, b: *m%d}\n", i, i, i-1, i-1)
	}
	deepAlias := "d0: &d0 [1]\n"
	for i := 1; i < 100; i++ {
		deepAlias += fmt.Sprintf("d%d: &d%d [*d%d]\n", i, i, i-1)
	}
	var keys strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	var indented strings.Builder
	for i := range 1400 {
		indented.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, c := range map[string]struct{ text, want string }{
		"billion laughs":   {laughs, "once aliases are resolved"},
		"doubling maps":    {merges, "once aliases are resolved"},
		"deep aliases":     {deepAlias, "too deeply"},
		"open brackets":    {strings.Repeat("[", 40_000), "too deeply"},
		"json brackets":    {strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000), "too deeply"},
		"open braces":      {strings.Repeat("{a: ", 10_000), "too deeply"},
		"dashes":           {strings.Repeat("- ", 20_000) + "a", "too deeply"},
		"question marks":   {strings.Repeat("? ", 20_000) + "a", "too deeply"},
		"anchors":          {strings.Repeat("&a ", 20_000) + "a", "too deeply"},
		"tags":             {strings.Repeat("!a ", 20_000) + "a", "too deeply"},
		"indentation":      {indented.String(), "too deeply"},
		"many keys":        {keys.String(), "too large: more than 50000"},
		"many elements":    {strings.Repeat("- 1\n", 100_000), "too large: more than 50000"},
		"blank lines":      {"a: |\n" + strings.Repeat(" \n", 300_000), "blank lines"},
		"too many bytes":   {strings.Repeat("a", MaxSize+1), "too large"},
		"not UTF-8":        {"a: \xff", "UTF-8"},
		"zero byte":        {"a: \x00", "control character"},
		"long quoted keys": {`{"` + strings.Repeat(`\u0001`, 150_000) + `": x, y: ` + strings.Repeat("z", 100_000) + "}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, r := Parse("f", []byte(c.text))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if c.want == "" {
				return
			}
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse gives %v, want an error about %q", err, c.want)
			} else if len(err.Error()) > 2000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}

// A file in JSON of the largest size is read, quickly and on one line too.
func TestLargeJSON(t *testing.T) {
	t.Parallel()
	text := "[" + strings.Repeat(`{"design":[1,2,3],"x":0.125},`, 30_000) + "1]"
	v, r := Parse("trials.json", []byte(text))
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	last := v.list[len(v.list)-1]
	if v.Len() != 30_001 || last.Column() != len(text)-1 {
		t.Errorf("read %d elements, the last in column %d; want 30001, %d", v.Len(), last.Column(), len(text)-1)
	}
	if got := string(v.JSON()); got != text {
		t.Error("JSON() differs from the JSON that was read")
	}
	if v.size != len(text) {
		t.Errorf("size %d, want %d", v.size, len(text))
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"objectives", "limits", "budget", "space", "problem", "metrics", "population_size", "int", "of"}
	for word, want := range map[string]string{
		"objectvies": "objectives", "Objectives": "objectives", "limit": "limits", "bugdet": "budget",
		"population-size": "population_size", "popul": "population_size", "ints": "int", "sapce": "space",
		"metric": "metrics", "xyz": "", "": "", "o": "", "qu": "", "p": "",
	} {
		got, ok := Nearest(word, known)
		if got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", word, got, ok, want)
		}
	}
}

// slowDistance is the definition of the restricted distance, by recursion.
func slowDistance(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) + len(b)
	}
	i, j := len(a)-1, len(b)-1
	cost := 1
	if a[i] == b[j] {
		cost = 0
	}
	d := min(slowDistance(a[:i], b)+1, slowDistance(a, b[:j])+1, slowDistance(a[:i], b[:j])+cost)
	if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
		d = min(d, slowDistance(a[:i-1], b[:j-1])+1)
	}
	return d
}

func TestDistance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SliceOfN(rapid.SampledFrom([]rune("abc")), 0, 6)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := distance(a, b), slowDistance(a, b); got != want {
			t.Fatalf("distance(%q, %q) = %d, want %d", string(a), string(b), got, want)
		}
	})
}

// tree draws plain data, which is written by encoding/json as the oracle.
func tree(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		top := 6
		if depth == 0 {
			top = 4
		}
		switch rapid.IntRange(0, top).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Int64().Draw(t, "int")
		case 3:
			f := rapid.Float64().Draw(t, "float")
			if f == math.Trunc(f) {
				f += 0.5 // encoding/json writes 1.0 as 1, an Int
			}
			if f == math.Trunc(f) {
				f = 0.5
			}
			return f
		case 4:
			return rapid.String().Draw(t, "string")
		case 5:
			return rapid.SliceOfN(tree(depth-1), 0, 4).Draw(t, "list")
		}
		return rapid.MapOfN(rapid.String(), tree(depth-1), 0, 4).Draw(t, "map")
	})
}

func TestPlainAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := tree(3).Draw(t, "tree")
		text, err := json.MarshalIndent(want, "", " ")
		if err != nil {
			t.Skip(err)
		}
		v, r := Parse("t.json", text)
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, v.Plain()); d != "" {
			t.Fatalf("%s\n%s", text, d)
		}
		var compact any
		if err := json.Unmarshal(v.JSON(), &compact); err != nil {
			t.Fatalf("JSON() is not JSON: %v", err)
		}
		if got := v.JSON(); v.size != len(got) {
			t.Fatalf("size %d, JSON has %d bytes", v.size, len(got))
		}
	})
}

// Every scalar that plain YAML text can hold keeps its kind when written as
// JSON and read again.
func TestResolve(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Kind{
		"": Null, "~": Null, "NULL": Null, "nULL": String, "true": Bool, "tRUE": String, "yes": String, "off": String,
		"1": Int, "-0": Int, "+12": Int, "017": Int, "0x1F": Int, "0o17": Int, "0o8": String, "0x": String, "-0x1": String, "0X1": String,
		"1.": Float, ".5": Float, "-.5": Float, "1e3": Float, "1E-3": Float, "+1.5e+3": Float, "1e": String, ".": String, "e1": String,
		".inf": Float, "+.INF": Float, "-.Inf": Float, "--.inf": String, "inf": String, "1_000": String, "0b1": String, "1.2.3": String, "-": String,
	} {
		got, ok := resolve(text)
		if got != want || !ok {
			t.Errorf("resolve(%q) = %v, %v, want %v", text, got, ok, want)
		}
		v := &Value{kind: got, text: text}
		again, r := Parse("", v.JSON())
		if r.Failed() || again.Kind() != want {
			t.Errorf("%q written as %s is read as %v, want %v", text, v.JSON(), again.Kind(), want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	var r Report
	if r.Err() != nil || len(r.Diagnostics()) != 0 {
		t.Error("a new report is not empty")
	}
	v, _ := Parse("f", []byte("a: 1\nb: 2\n"))
	r.Warnf(v.Get("b"), "odd")
	if r.Err() != nil {
		t.Error("a warning is an error")
	}
	r.Errorf(v.Get("a"), "wrong")
	r.Errorf(v.Get("a"), "wrong")
	var own *Report
	if !errors.As(fmt.Errorf("reading: %w", r.Err()), &own) || len(own.Diagnostics()) != 2 {
		t.Errorf("want the report back, with two diagnostics: %v", r.Err())
	}
	if ds := r.Diagnostics(); ds[0].Message != "wrong" || ds[1].Message != "odd" {
		t.Errorf("not sorted: %v", ds)
	}
	var other Report
	other.Merge(&r)
	other.Merge(nil)
	other.Add(Diagnostic{File: "g", Message: "elsewhere"})
	if n := len(other.Diagnostics()); n != 3 {
		t.Errorf("merged report has %d, want 3", n)
	}
	empty, err := json.Marshal(&Report{})
	if err != nil || string(empty) != "[]" {
		t.Errorf("empty report is %s, %v, want []", empty, err)
	}
}

// A value that is not there is read in silence, by every accessor.
func TestNilValue(t *testing.T) {
	t.Parallel()
	var v *Value
	var r Report
	v.Str(&r)
	v.Word(&r, "a")
	v.Int(&r)
	v.Float(&r)
	v.Bool(&r)
	v.Duration(&r)
	v.List(&r)
	v.Map(&r)
	v.Fields(&r)
	v.Required(&r, "a")
	v.OneOf(&r, "a")
	v.AtMostOne(&r, "a")
	if v.Get("a").Get("b") != nil || v.Has("a") || v.Len() != 0 || v.Line() != 0 || v.Text() != "" || v.Plain() != nil || string(v.JSON()) != "null" {
		t.Error("a nil value has something")
	}
	if len(r.Diagnostics()) != 0 {
		t.Errorf("reported %v", r.Err())
	}
}

func TestIntLimitsAreExact(t *testing.T) {
	t.Parallel()
	v, _ := Parse("", []byte("9007199254740993")) // 2⁵³+1, which float64 rounds to 2⁵³
	if _, ok := v.Int(new(Report), AtMost(1<<53)); ok {
		t.Error("2⁵³+1 is not at most 2⁵³")
	}
	if n, ok := v.Int(new(Report), AtLeast(1<<53), Above(math.Inf(-1))); !ok || n != 1<<53+1 {
		t.Errorf("Int = %d, %v", n, ok)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	fields := Describe((*scriptOptions)(nil))
	var got []string
	for _, f := range fields {
		got = append(got, fmt.Sprint(f.Name, "|", f.Type, "|", f.Default, "|", f.Min, "|", f.Max, "|", f.OneOf, "|", f.Required, "|", len(f.Fields)))
	}
	want := []string{
		"seed|int|7|||[]|false|0", "name|text||||[]|true|0", "trials|int|100|1|100000|[]|false|0", "small|int||||[]|false|0",
		"timeout|duration|30s|1s||[]|false|0", "layers|list of int|[64, 64]|1||[]|false|0", "fast|bool|true|||[]|false|0",
		"target|float||||[]|false|0", "inner|map||||[]|false|2", "units|map of text||||[]|false|0", "tile|int|8|||[8 16 32]|false|0",
		"any|any||||[]|false|0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestJSONSchema(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(JSONSchema(scriptOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"additionalProperties":false,"properties":{"any":{},"fast":{"default":true,"type":"boolean"},` +
		`"inner":{"additionalProperties":false,"properties":{"kind":{"default":"sgd","enum":["sgd","adam","lion"],"type":"string"},` +
		`"rate":{"default":0.1,"exclusiveMinimum":0,"maximum":1,"type":"number"}},"type":"object"},` +
		`"layers":{"default":[64,64],"items":{"minimum":1,"type":"integer"},"type":"array"},"name":{"description":"of the study","type":"string"},` +
		`"seed":{"default":7,"description":"of everything random","minimum":0,"type":"integer"},"small":{"type":"integer"},` +
		`"target":{"type":["number","null"]},"tile":{"default":8,"enum":[8,16,32],"type":"integer"},` +
		`"timeout":{"default":"30s","examples":["30s","2m","1h30m"],"pattern":"^\\+?([0-9]*\\.?[0-9]*(ns|us|µs|μs|ms|s|m|h))+$","type":"string"},` +
		`"trials":{"default":100,"maximum":100000,"minimum":1,"type":"integer"},` +
		`"units":{"additionalProperties":{"type":["string","null"]},"type":"object"}},"required":["name"],"type":"object"}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

// Mistakes in tags are the program's, and panic at first use.
func TestBadTagsPanic(t *testing.T) {
	t.Parallel()
	type recursive struct {
		Next *recursive `yaml:"next"`
	}
	if f := Describe(recursive{}); len(f) != 1 || f[0].Fields != nil {
		t.Errorf("recursive type gives %v", f)
	}
	for name, options := range map[string]any{
		"default of the wrong type": &struct {
			A int `yaml:"a" default:"x"`
		}{},
		"default out of range": &struct {
			A int `yaml:"a" default:"1" min:"2"`
		}{},
		"default not listed": &struct {
			A string `yaml:"a" default:"x" oneof:"a b"`
		}{},
		"bound of text": &struct {
			A string `yaml:"a" min:"2"`
		}{},
		"bound that is no number": &struct {
			A int `yaml:"a" max:"many"`
		}{},
		"channel": &struct {
			A chan int `yaml:"a"`
		}{},
		"same name twice": &struct {
			A int `yaml:"a"`
			B int `yaml:"a"`
		}{},
		"unknown option": &struct {
			A int `yaml:"a,omitempty"`
		}{},
		"not a struct": new(int),
	} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.HasPrefix(fmt.Sprint(p), "source: ") {
					t.Errorf("%s: recovered %v, want a panic of this package", name, p)
				}
			}()
			Decode(new(Report), nil, options)
		}()
	}
}

type level int

func (l *level) UnmarshalText(text []byte) error {
	i := slices.Index([]string{"low", "high"}, string(text))
	if i < 0 {
		return fmt.Errorf("a level is low or high")
	}
	*l = level(i)
	return nil
}

func TestDecodeSpecialTypes(t *testing.T) {
	t.Parallel()
	type options struct {
		Level  level            `yaml:"level" default:"high"`
		Levels []level          `yaml:"levels"`
		Raw    *Value           `yaml:"raw"`
		Waits  []time.Duration  `yaml:"waits" max:"1h"`
		Nested map[string]inner `yaml:"nested"`
		F32    float32          `yaml:"f32"`
	}
	v, r := Parse("f", []byte("levels: [low, high, mid]\nraw: {a: 1}\nwaits: [1s, 2h]\nnested: {x: {rate: 1}}\nf32: 1e39"))
	var o options
	if Decode(r, v, &o) {
		t.Error("want mistakes")
	}
	if o.Level != 1 || o.Levels[1] != 1 || o.Raw.Get("a").Text() != "1" || o.Waits[0] != time.Second || o.Nested["x"] != (inner{"sgd", 1}) {
		t.Errorf("decoded %+v", o)
	}
	var got []string
	for _, d := range r.Diagnostics() {
		got = append(got, fmt.Sprintf("%d:%d %s", d.Line, d.Column, d.Message))
	}
	want := []string{
		`1:21 "mid": a level is low or high`,
		`3:13 expected a duration at most 1h0m0s, found "2h"`,
		`5:6 expected a number that fits 32 bits, found 1e39`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, {y: z}]\n", "{\"a\": [1, 2.5e3, null, true, \"\\u00e9\"]}", "x: &a {b: 1}\ny: {<<: *a, c: 2}\n",
		"- |\n  text\n- >-\n  more\n- 'q'\n- \"d\\n\"\n", "? a\n: b\n", "{? {? ", "|0#\n", "*-0", "&{0", "0::", "!!float 1\n", "a: \"\\x7f\\ufffd\"",
		"# c\n---\na: ~\n...\n", "a: .inf\nb: -.5\nc: 0x1f\nd: 5.\n", "\ufeff{}", "a:\n- b\n-\n", "a: {b, c: }", "[a: 1, b]", "a: !!str\n", "'a'\n\n\nb",
		"- -\n", "a: \r\n b: 1\r", "{\"a\":1}x", "\"a\": 1", "[1] # c", "a: \"x\n\n  y\"", "%TAG ! x\n---\n!a b",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		// A test that never returns cannot fail, so end the process.
		watchdog := time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("still reading %q", text)) })
		v, r := Parse("f", text)
		watchdog.Stop()
		_ = r.Error()
		if v == nil {
			if !r.Failed() {
				t.Fatal("nothing read, and nothing reported")
			}
			return
		}
		wellPlaced(t, v)
		if r.Failed() {
			return
		}
		written := v.JSON()
		if v.size != len(written) || !json.Valid(written) {
			t.Fatalf("size %d, JSON %q", v.size, written)
		}
		again, r := Parse("f.json", written)
		if err := r.Err(); err != nil {
			t.Fatalf("cannot read back %s: %v", written, err)
		}
		if d := difference(v, again); d != "" {
			t.Fatalf("read back differently at %s: %s", d, written)
		}
	})
}

func wellPlaced(t *testing.T, v *Value) {
	if v.Line() < 1 || v.Column() < 1 {
		t.Fatalf("%s %q at %d:%d", v.kind, v.text, v.Line(), v.Column())
	}
	for _, e := range v.list {
		wellPlaced(t, e)
	}
	for _, e := range v.entries {
		wellPlaced(t, e.Key)
		wellPlaced(t, e.Value)
	}
}

func difference(a, b *Value) string {
	if a.kind != b.kind || len(a.list) != len(b.list) || len(a.entries) != len(b.entries) {
		return fmt.Sprintf("%d:%d", b.line, b.column)
	}
	if a.kind == String && a.text != b.text {
		return "text " + a.text
	}
	if a.kind < String && string(a.JSON()) != string(b.JSON()) {
		return "scalar " + a.text
	}
	for i := range a.list {
		if d := difference(a.list[i], b.list[i]); d != "" {
			return d
		}
	}
	for i := range a.entries {
		if a.entries[i].Name() != b.entries[i].Name() {
			return "key " + a.entries[i].Name()
		}
		if d := difference(a.entries[i].Value, b.entries[i].Value); d != "" {
			return d
		}
	}
	return ""
}

func BenchmarkParse(b *testing.B) {
	var y strings.Builder
	for i := range 100 {
		fmt.Fprintf(&y, "tile%d: {ordinal: [8, 16, 32, 64], when: opt == O3}\n", i)
	}
	v, _ := Parse("", []byte(y.String()))
	for name, text := range map[string][]byte{"yaml": []byte(y.String()), "json": v.JSON()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				Parse("", text)
			}
		})
	}
}
