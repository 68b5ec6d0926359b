package shape

import (
	"fmt"
	"strings"
	"testing"
)

const mixed = `{"space": {
	"lr":      {"float": [1e-4, 0.1], "log": true, "unit": "1/step"},
	"state":   {"choice": ["a", "b,c", "quo\"te"]},
	"tile":    {"ordinal": [8, 16, 32]},
	"mixed":   {"ordinal": [1, 2.5]},
	"fast":    "bool",
	"version": {"const": 3},
	"depth":   {"int": [1, 9], "step": 2, "when": "fast", "doc": "how deep"},
	"block":   {"choice": {"conv": {"k": {"int": [1, 7]}}, "skip": {}}},
	"stem":    {"k": {"int": [1, 7]}, "require": ["k > 1"]},
	"stages":  {"repeat": [1, 12], "of": {"w": {"int": [1, 9]}, "op": {"choice": {"x": {"y": "bool"}, "z": {}}}}},
	"widths":  {"repeat": 3, "of": {"int": [8, 64]}},
	"augment": {"subset": ["flip", "crop", "mix"], "size": [1, 2]},
	"order":   {"permutation": ["p", "q", "r"]},
	"net":     {"grammar": {"start": "M", "M": [{"p": 0.6, "use": "c"}, {"use": ["M", "M"]}]}, "depth": 5}
}, "require": ["tile <= 16"]}`

// TestParts reads a space with every kind of part.
func TestParts(t *testing.T) {
	t.Parallel()
	s, err := Read([]byte(mixed))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range s.Parts() {
		line := p.Path + " " + p.Kind + ": " + p.Domain
		if p.When != "" {
			line += " when " + p.When
		}
		if p.Low != p.High {
			line += fmt.Sprintf(" [%v %v]", p.Low, p.High)
		}
		got = append(got, strings.TrimSuffix(line, ": "))
	}
	want := []string{
		"lr float: 1e-4 … 0.1, logarithmic [0.0001 0.1]", `state categorical: one of a, b,c, quo"te`, "tile ordinal: 8, 16, 32, in order",
		"mixed ordinal: 1, 2.5, in order", "fast bool: true or false", "version const: always 3", "depth int: 1 … 9, whole, step 2 when fast [1 9]",
		"block choice: one of", "block.conv case", "block.conv.k int: 1 … 7, whole [1 7]", "block.skip case", "stem group", "stem.k int: 1 … 7, whole [1 7]",
		"stages repeat: 1 … 12 times [1 12]", "stages.w int: 1 … 9, whole [1 9]", "stages.op choice: one of", "stages.op.x case", "stages.op.x.y bool: true or false",
		"stages.op.z case", "widths repeat: 3 times", "widths int: 8 … 64, whole [8 64]", "augment subset: some of flip, crop, mix, size 1 … 2",
		"order permutation: any order of p, q, r", "net grammar: a grammar from M, at most 5 deep", "net.M rule: c (0.6) | M M",
	}
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		t.Errorf("parts\n%s\nwant\n%s", a, b)
	}
	if r := s.Requires(); len(r) != 1 || r[0] != "tile <= 16" {
		t.Errorf("constraints %q", r)
	}
	if _, err := Read([]byte("{")); err == nil {
		t.Error("half a space was read")
	}
	if s, err := Read(nil); err != nil || len(s.Parts()) != 0 {
		t.Errorf("no text: %v", err)
	}
}

// FuzzWalk gives the reader of designs anything at all.
func FuzzWalk(f *testing.F) {
	s, err := Read([]byte(mixed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"lr": 0.01, "state": "b,c", "tile": 8, "fast": true, "depth": 3, "block": {"conv": {"k": 3}}, "stages": [{"w": 1, "op": {"z": {}}}], "widths": [8, 9, 10]}`))
	f.Add([]byte(`{"block": {}, "stages": [1, {"w": 3, "op": null}], "widths": [[2]], "x\ty": {"a": [{}]}}`))
	f.Add([]byte(`{"block": {"conv": {}, "skip": {}}}`))
	f.Add([]byte(`[{"lr": "\"\\`))
	f.Fuzz(func(t *testing.T, design []byte) {
		n := 0
		err := s.Walk(design, func(p Place, value []byte) {
			n++
			if p.Part == nil || len(p.Key) == 0 {
				t.Errorf("a value without a place: %s", value)
			}
		})
		if err == nil && n > len(design) {
			t.Errorf("%d values in %d bytes", n, len(design))
		}
	})
}
