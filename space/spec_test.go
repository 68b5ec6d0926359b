package space

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
)

// drawNodes draws a list of nodes of every kind, with conditions and
// constraints that most designs satisfy.
func drawNodes(t *rapid.T, depth int) []Node {
	names := []string{"a", "b", "c", "repeat", "step", "require", "x_1", "int"}
	var out []Node
	var numbers []string
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		n := drawNode(t, names[i*2+rapid.IntRange(0, 1).Draw(t, "name")], depth)
		if len(numbers) > 0 && rapid.IntRange(0, 2).Draw(t, "when") == 0 {
			n = n.When("`" + numbers[0] + "` < 40")
		}
		if rapid.IntRange(0, 4).Draw(t, "doc") == 0 {
			n = n.Doc(`says "what" it is <é>`).Unit("ms")
		}
		if n.kind == KindFloat || n.kind == KindInt {
			numbers = append(numbers, n.name)
			if rapid.IntRange(0, 5).Draw(t, "require") == 0 {
				out = append(out, Require(fmt.Sprintf("`%s` > -20 or `%s` == -21", n.name, n.name)))
			}
		}
		out = append(out, n)
	}
	return out
}

func drawNode(t *rapid.T, name string, depth int) Node {
	kinds := 8
	if depth > 0 {
		kinds = 13
	}
	weigh := func(n Node, k int) Node {
		if rapid.Bool().Draw(t, "weigh") {
			n.weights = rapid.SliceOfN(rapid.Float64Range(0.1, 5), k, k).Draw(t, "weights")
		}
		return n
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		lo := rapid.Float64Range(1e-6, 10).Draw(t, "lo")
		n := Float(name, lo, lo+rapid.Float64Range(0, 20).Draw(t, "width"))
		n.log = rapid.Bool().Draw(t, "log")
		if rapid.IntRange(0, 2).Draw(t, "stepped") == 0 {
			n = n.Step(rapid.SampledFrom([]float64{0.1, 0.25, 1, 3}).Draw(t, "step"))
		}
		return n
	case 1:
		n := Int(name, rapid.IntRange(-25, 3).Draw(t, "lo"), rapid.IntRange(3, 60).Draw(t, "hi"))
		if rapid.Bool().Draw(t, "stepped") {
			n = n.Step(float64(rapid.IntRange(1, 9).Draw(t, "step")))
		}
		return n
	case 2:
		return weigh(Ordinal(name, 1, 2.5, 1e20), 3)
	case 3:
		return weigh(Categorical[any](name, "relu", "it's", true, 7, "7", "", " é\n"), 7)
	case 4:
		return weigh(Bool(name), 2)
	case 5:
		return Const(name, rapid.SampledFrom([]any{5, "true", false, 1e300, 0.5}).Draw(t, "const"))
	case 6:
		n := Subset(name, "flip", "crop", "cutout", "mix")
		if rapid.Bool().Draw(t, "sized") {
			lo := rapid.IntRange(0, 3).Draw(t, "least")
			n = n.Size(lo, rapid.IntRange(lo, 4).Draw(t, "most"))
		}
		return n
	case 7:
		return Permutation(name, "dce", "inline", "unroll")
	case 8:
		return Int(name, 1, 1<<50)
	case 9:
		return weigh(Choice(name, Case("conv", drawNodes(t, depth-1)...), Case("skip"), Case("3x3 conv", drawNodes(t, depth-1)...)), 3)
	case 10:
		if rapid.IntRange(0, 5).Draw(t, "empty") == 0 {
			return Group(name)
		}
		return Group(name, drawNodes(t, depth-1)...)
	case 11:
		lo := rapid.IntRange(0, 2).Draw(t, "least")
		hi := rapid.IntRange(max(lo, 1), 3).Draw(t, "most")
		if rapid.Bool().Draw(t, "bare") {
			return Repeat(name, lo, hi, drawNode(t, "", depth-1))
		}
		return Repeat(name, lo, hi, drawNodes(t, depth-1)...)
	case 12:
		return Grammar(name, "M",
			Rule("M", Use("start").P(0.55), Use("M", "M"), Use("open", "M", "close").P(0.25)),
			Rule("start", Use("norm").Params(withoutRules(drawNodes(t, 0))...), Use("relu")))
	}
	return Grammar(name, "start", Rule("start", Use("start", "start"), Use("x"))).Depth(rapid.IntRange(1, 6).Draw(t, "depth"))
}

// drawAnySpace draws a space with at least one parameter.
func drawAnySpace(t *rapid.T) *Space {
	nodes := append(drawNodes(t, 2), Int("last", 0, 9))
	s, err := New(nodes...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func sampleOrSkip(t *rapid.T, s *Space, seed uint64) Design {
	d, err := s.Sample(rng.New(seed, "test", 0))
	if err != nil {
		var inf *InfeasibleError
		if !errors.As(err, &inf) {
			t.Fatal(err)
		}
		t.Skip("infeasible")
	}
	return d
}

func TestSpaceJSONRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawAnySpace(t)
		text, err := s.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("space.json", text)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if got := back.String(); got != string(text) {
			t.Fatalf("not canonical: %s", cmp.Diff(string(text), got))
		}
		// Constraints move to the end of their list, and nothing else changes.
		if want := MustNew(requiresLast(s.Nodes())...); !back.Equal(want) {
			t.Fatalf("not equal: %s", text)
		}
		d := sampleOrSkip(t, s, rapid.Uint64().Draw(t, "seed"))
		e, err := back.Adopt(d)
		if err != nil || e.Hash() != d.Hash() || e.String() != d.String() {
			t.Fatalf("%s\n%s\n%s: %v", text, d, e, err)
		}
	})
}

func requiresLast(nodes []Node) []Node {
	var out, last []Node
	for _, n := range nodes {
		if n.kind == kindRequire {
			last = append(last, n)
			continue
		}
		out = append(out, n.lists("", func(_ string, l []Node) []Node { return requiresLast(l) }))
	}
	return append(out, last...)
}

func TestSpaceJSONKeepsEverything(t *testing.T) {
	t.Parallel()
	const text = `{"space":{` +
		`"lr":{"float":[1e-05,0.1],"log":true,"unit":"1/step","doc":"learning rate"},` +
		`"tile":{"ordinal":[8,16,32],"weights":[1,2,1]},` +
		`"opt":{"choice":["O1","O2",3,true]},` +
		`"fast":{"bool":null,"weights":[1,3],"when":"opt == 'O1'"},` +
		`"version":{"const":2},` +
		`"big":{"int":[0,9007199254740992]},` +
		`"block":{"choice":{"conv":{"k":{"int":[1,7],"step":2},"require":["k > 1"]},"skip":{}},"weights":{"conv":2,"skip":1},"when":"fast"},` +
		`"stem":{"group":{"k":{"int":[1,7]}},"when":"fast"},` +
		`"head":{"k":"bool","` + "`int`" + `":"bool"},` +
		`"stages":{"repeat":[2,5],"of":{"w":{"int":[1,9]},"require":["w != 5"]}},` +
		`"widths":{"repeat":3,"of":{"int":[8,64]}},` +
		`"augment":{"subset":["flip","crop"],"size":[1,2]},` +
		`"passes":{"permutation":["dce","inline"]},` +
		`"net":{"grammar":{"start":"M","M":[{"p":0.75,"use":["c"],"with":{"units":{"ordinal":[16,32]}}},{"use":["M","M"]}]},"depth":9}},` +
		`"require":["tile * 2 <= 64","all(stages.w < 9)"]}`
	s, err := Parse("space.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, s.String()); diff != "" {
		t.Fatal(diff)
	}
}

// TestSpecFiles reads the files in testdata: NAME.yaml has the space in YAML
// and NAME.json its canonical form, or NAME.err what is wrong with it.
func TestSpecFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no test files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(filepath.Base(file), text)
			base := strings.TrimSuffix(file, ".yaml")
			got, golden := "", base+".json"
			if err != nil {
				golden = base + ".err"
				got = err.Error() + "\n"
			} else {
				got = s.String() + "\n"
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v\ngot:\n%s", err, got)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestReadPlacesMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, at, message string }{
		"range":           {"space:\n  lr: {float: [2, 1]}", "2:15", "high must be at least low"},
		"log":             {"space:\n  lr: {float: [0, 1], log: true}", "2:28", "a low bound above 0"},
		"word":            {"space: {lr: {flaot: [0, 1], log: true}}", "1:14", "did you mean `float`?"},
		"choice word":     {"space: {b: {chioce: {a: {}}, when: x}}", "1:13", "did you mean `choice`?"},
		"option":          {"space: {lr: {float: [0, 1], lgo: true}}", "1:29", "did you mean `log`?"},
		"constant":        {"space: {k: 5}", "1:12", "expected a parameter"},
		"list":            {"space: {k: [a, b]}", "1:12", "expected a parameter"},
		"empty map":       {"space: {k: {}}", "1:12", "found an empty map"},
		"foreign":         {"space: {k: {min: 0, max: 1}}", "1:12", "found a map with the keys `min`, `max`"},
		"reserved":        {"space: {stem: {x: bool}, int: {int: [0, 1]}}", "1:26", "which is a kind of parameter"},
		"no name":         {"space: {b: {choice: {c: {ordinal: [3, 5]}}}}", "1:26", "expected the name of a parameter"},
		"twice":           {"space: {k: {choice: [a, b, a]}}", "1:28", "stands in the list twice"},
		"weights":         {"space: {k: {choice: [a, b], weights: [1]}}", "1:38", "one for each of the 2 options"},
		"weight of":       {"space: {k: {choice: {a: , b: }, weights: {a: 1, bb: 2}}}", "1:49", "known are `a`, `b`"},
		"size":            {"space: {k: {subset: [a, b], size: [1, 3]}}", "1:35", "2 items"},
		"of":              {"space: {k: {repeat: 3}}", "1:21", "`of` is missing"},
		"in a repeat":     {"space: {k: {repeat: 3, of: {int: [3, 1]}}}", "1:34", "high must be at least low"},
		"when":            {"space: {a: bool, b: {int: [0, 1], when: c}}", "1:41", "no parameter is named c"},
		"when syntax":     {"space: {a: bool, b: {int: [0, 1], when: a ==}}", "1:41", "the end"},
		"when late":       {"space: {a: {int: [0, 1], when: b}, b: bool}", "1:32", "declared before"},
		"option of":       {"space: {a: {choice: [O1, O2]}, b: {int: [0, 1], when: a == O3}}", "1:55", "no option"},
		"require":         {"space: {a: {int: [0, 9]}}\nrequire:\n  - a > 1\n  - aa < 5", "4:5", "did you mean a"},
		"require inside":  {"space: {g: {a: {int: [0, 9]}, require: [a > 1, b < 5]}}", "1:48", "no parameter is named b"},
		"require in case": {"space: {g: {choice: {x: {a: bool, require: [q > 1]}}}}", "1:45", "no parameter is named q"},
		"require kind":    {"space: {require: {int: [0, 1]}}", "1:18", "backquotes"},
		"start":           {"space: {g: {grammar: {start: N, M: [{use: x}]}}}", "1:30", "expected one of `M`"},
		"symbols":         {"space: {g: {grammar: {start: M, M: [{use: M M}]}}}", "1:43", "a list of symbols"},
		"endless":         {"space: {g: {grammar: {start: M, M: [{use: [M, M]}, {p: 0.1, use: x}]}}}", "1:22", "grow by a factor"},
		"productions":     {"space: {g: {grammar: {start: M, M: [{p: 0.5, use: x}]}}}", "1:36", "sum to 1"},
		"nothing":         {"space: {}", "1:8", "at least one parameter"},
		"missing":         {"require: [a > 1]", "1:1", "`space` is missing"},
		"name":            {"space: {a-b: bool}", "1:9", "a letter or _"},
		"digits":          {"space: {a: {int: [0, 9007199254740993]}}", "1:22", "between -2^53 and 2^53"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("s.yaml", []byte(test.text))
			var r *source.Report
			if !errors.As(err, &r) {
				t.Fatalf("no report but %v", err)
			}
			all := r.Diagnostics()
			if len(all) != 1 {
				t.Errorf("%d diagnostics; want 1", len(all))
			}
			d := all[0]
			if at := fmt.Sprintf("%d:%d", d.Line, d.Column); at != test.at || !strings.Contains(d.Message+d.Note, test.message) {
				t.Errorf("got %s\nwant %s: … %s …", r.Error(), test.at, test.message)
			}
		})
	}
}

func FuzzParseSpace(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"space":{"a":{"repeat":[0,3],"of":"bool"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return
		}
		s, err := Parse("fuzz", text)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without text")
			}
			return
		}
		out, err := s.MarshalJSON()
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		back, err := Parse("again", out)
		if err != nil {
			t.Fatalf("cannot read what was written: %s\n%v", out, err)
		}
		if back.String() != string(out) {
			t.Fatalf("not canonical: %s", cmp.Diff(string(out), back.String()))
		}
	})
}

func BenchmarkParseSpace(b *testing.B) {
	text, err := mixed().MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("space.json", text); err != nil {
			b.Fatal(err)
		}
	}
}
