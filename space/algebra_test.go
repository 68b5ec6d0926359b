package space

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// everyDesign lists the designs of a small discrete space by walking it along
// every sequence of options.
func everyDesign(tb testing.TB, s *Space) []Design {
	tb.Helper()
	var out []Design
	for prefix := []int{}; ; {
		w := s.Walk()
		var ns []int
		for i := 0; ; i++ {
			d, ok := w.Next()
			if !ok {
				break
			}
			if d.N == 0 {
				tb.Fatal("a real number")
			}
			if i == len(prefix) {
				prefix = append(prefix, 0)
			}
			for prefix[i] < d.N && !w.Legal(prefix[i]) {
				prefix[i]++
			}
			if prefix[i] == d.N {
				prefix = prefix[:i]
				break
			}
			ns = append(ns, d.N)
			w.Choose(prefix[i])
		}
		if d, err := w.Design(); err == nil && len(ns) == len(prefix) {
			out = append(out, d)
		}
		if len(out) > 50_000 {
			tb.Fatal("too many designs")
		}
		// The next prefix: options that are not legal are skipped above.
		for len(prefix) > 0 && (len(prefix) > len(ns) || prefix[len(prefix)-1]+1 >= ns[len(prefix)-1]) {
			prefix = prefix[:len(prefix)-1]
		}
		if len(prefix) == 0 {
			return out
		}
		prefix[len(prefix)-1]++
	}
}

// texts returns the designs that keep accepts as sorted JSON.
func texts(designs []Design, keep func(m map[string]any) bool) []string {
	var out []string
	for _, d := range designs {
		if keep == nil || keep(d.Map()) {
			out = append(out, d.String())
		}
	}
	slices.Sort(out)
	return out
}

// governed is a small space with conditions and constraints of most forms.
func governed() *Space {
	return MustNew(
		Categorical("opt", "O1", "O2", "O3").Weights(1, 2, 3),
		Ordinal("tile", 8, 16, 32),
		Int("unroll", 1, 4).When("opt == O3"),
		Bool("fast").When("opt != O2"),
		Choice("block",
			Case("conv", Ordinal("k", 3, 5), Require("k * 8 <= tile or fast")),
			Case("skip")),
		Repeat("w", 1, 2, Int("", 1, 2)),
		Subset("aug", "a", "b", "c").Size(1, 2),
		Require("tile * unroll <= 64"),
		Require("block.conv.k == 3 => opt in [O1, O3]"),
		Require("active(block.conv.k) or tile < 32"),
	)
}

func TestFixAgreesWithBruteForce(t *testing.T) {
	t.Parallel()
	s := governed()
	all := everyDesign(t, s)
	tests := map[string]struct {
		path  string
		value any
		keep  func(m map[string]any) bool
	}{
		"categorical that rules name": {"opt", "O2", func(m map[string]any) bool { return m["opt"] == "O2" }},
		"option of a condition":       {"opt", "O3", func(m map[string]any) bool { return m["opt"] == "O3" }},
		"ordinal":                     {"tile", 16, func(m map[string]any) bool { return m["tile"] == 16.0 }},
		"conditional":                 {"unroll", 2, func(m map[string]any) bool { return m["unroll"] == nil || m["unroll"] == 2.0 }},
		"bool":                        {"fast", false, func(m map[string]any) bool { return m["fast"] == nil || m["fast"] == false }},
		"case":                        {"block", "conv", func(m map[string]any) bool { return m["block"].(map[string]any)["conv"] != nil }},
		"case without what rules name": {"block", "skip", func(m map[string]any) bool {
			return m["block"].(map[string]any)["skip"] != nil
		}},
		"inside a case": {"block.conv.k", 5, func(m map[string]any) bool {
			c, _ := m["block"].(map[string]any)["conv"].(map[string]any)
			return c == nil || c["k"] == 5.0
		}},
		"count": {"w", 2, func(m map[string]any) bool { return len(m["w"].([]any)) == 2 }},
		"element": {"w[]", 2, func(m map[string]any) bool {
			return !slices.Contains(m["w"].([]any), any(1.0))
		}},
		"subset": {"aug", []string{"c", "a"}, func(m map[string]any) bool {
			return cmp.Equal(m["aug"], []any{"a", "c"})
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fixed, err := s.Fix(test.path, test.value)
			if err != nil {
				t.Fatal(err)
			}
			got := everyDesign(t, fixed)
			want := texts(all, test.keep)
			if diff := cmp.Diff(want, texts(got, nil)); diff != "" || len(want) == 0 {
				t.Fatal(len(want), diff)
			}
			for _, d := range got {
				back, err := s.Adopt(d)
				if err != nil || back.String() != d.String() {
					t.Fatalf("%s: %v", d, err)
				}
				again, err := fixed.Adopt(back)
				if err != nil || again != d {
					t.Fatalf("%s: %v", d, err)
				}
			}
			if _, err := Parse("", []byte(fixed.String())); err != nil {
				t.Fatal(err)
			}
		})
	}
	if fixed, _ := s.Fix("tile", 16); fixed.Nodes()[1].Kind() != KindConst {
		t.Error("a fixed ordinal is no constant")
	}
}

func TestRestrictAgreesWithBruteForce(t *testing.T) {
	t.Parallel()
	s := governed()
	all := everyDesign(t, s)
	tests := map[string]struct {
		space func() (*Space, error)
		keep  func(m map[string]any) bool
	}{
		"categorical":      {func() (*Space, error) { return s.Restrict("opt", "O3", "O1") }, func(m map[string]any) bool { return m["opt"] != "O2" }},
		"unnamed by rules": {func() (*Space, error) { return s.Restrict("opt", "O1", "O2", "O3") }, nil},
		"ordinal":          {func() (*Space, error) { return s.Restrict("tile", 8, 32) }, func(m map[string]any) bool { return m["tile"] != 16.0 }},
		"int":              {func() (*Space, error) { return s.Restrict("unroll", 4, 1) }, func(m map[string]any) bool { return m["unroll"] != 2.0 && m["unroll"] != 3.0 }},
		"bool":             {func() (*Space, error) { return s.Restrict("fast", true) }, func(m map[string]any) bool { return m["fast"] != false }},
		"case": {func() (*Space, error) { return s.Restrict("block", "skip") }, func(m map[string]any) bool {
			return m["block"].(map[string]any)["skip"] != nil
		}},
		"subset": {func() (*Space, error) { return s.Restrict("aug", "a", "c") }, func(m map[string]any) bool {
			return !slices.Contains(m["aug"].([]any), any("b"))
		}},
		"range": {func() (*Space, error) { return s.RestrictRange("unroll", 1.5, 3.5) }, func(m map[string]any) bool {
			return m["unroll"] != 1.0 && m["unroll"] != 4.0
		}},
		"range of an ordinal": {func() (*Space, error) { return s.RestrictRange("tile", 9, 99) }, func(m map[string]any) bool { return m["tile"] != 8.0 }},
		"range of a repeat":   {func() (*Space, error) { return s.RestrictRange("w", 0, 1) }, func(m map[string]any) bool { return len(m["w"].([]any)) == 1 }},
		"range of elements": {func() (*Space, error) { return s.RestrictRange("w[]", 2, 2) }, func(m map[string]any) bool {
			return !slices.Contains(m["w"].([]any), any(1.0))
		}},
		"sizes": {func() (*Space, error) { return s.RestrictRange("aug", 2, 3) }, func(m map[string]any) bool { return len(m["aug"].([]any)) == 2 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part, err := test.space()
			if err != nil {
				t.Fatal(err)
			}
			got := everyDesign(t, part)
			if diff := cmp.Diff(texts(all, test.keep), texts(got, nil)); diff != "" || len(got) == 0 {
				t.Fatal(diff)
			}
			for _, d := range got {
				back, err := s.Adopt(d)
				if err != nil || back.Hash() != d.Hash() {
					t.Fatalf("%s: the hash changed, or %v", d, err)
				}
			}
		})
	}
}

func TestSplitIsAPartition(t *testing.T) {
	t.Parallel()
	s := governed()
	all := everyDesign(t, s)
	for _, path := range []string{"opt", "tile", "block", "w"} {
		slices_, err := s.Split(path)
		if err != nil {
			t.Fatal(err)
		}
		var union []Design
		for _, part := range slices_ {
			union = append(union, everyDesign(t, part.Space)...)
		}
		if diff := cmp.Diff(texts(all, nil), texts(union, nil)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	one, err := MustNew(Bool("x")).Split("x")
	if err != nil || len(one) != 2 || one[1].Value != true {
		t.Error(one, err)
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	s := governed()
	joined, err := Join(Part{"left", s}, Part{"right", MustNew(Int("tile", 1, 9), Bool("odd").When("tile % 2 == 1"))})
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "test", 0)
	for range 300 {
		d := joined.MustSample(r)
		m := d.Map()
		left, err := s.FromMap(m["left"].(map[string]any))
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		right := m["right"].(map[string]any)
		if _, odd := right["odd"]; odd != (int(right["tile"].(float64))%2 == 1) {
			t.Fatal(d)
		}
		if _, err := joined.ParseJSON([]byte(`{"left":` + left.String() + `,"right":{"tile":2}}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Join(Part{"a", s}, Part{"a", s}); err == nil {
		t.Error("two parts of one name")
	}
	if _, err := Join(Part{Name: "a"}); err == nil {
		t.Error("no space")
	}
}

func TestExtendKeepsDesigns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path    string
		options []any
	}{
		"categorical": {"opt", []any{"O4", "O0"}},
		"ordinal":     {"tile", []any{24, 64, 4}},
		"subset":      {"aug", []any{"d"}},
		"case":        {"block", []any{Case("pool", Int("size", 2, 3)), "none"}},
		"inside":      {"block.conv.k", []any{7}},
	}
	s := governed()
	all := everyDesign(t, s)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more, err := s.Extend(test.path, test.options...)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				e, err := more.Adopt(d)
				if err != nil || e.Hash() != d.Hash() || e.String() != d.String() {
					t.Fatalf("%s: %v", d, err)
				}
			}
			if n := len(everyDesign(t, more)); n <= len(all) {
				t.Errorf("%d designs; had %d", n, len(all))
			}
		})
	}
	more, _ := s.Extend("tile", 24, 4)
	if p, _ := more.Lookup("tile"); !cmp.Equal(p.Labels, []any{4.0, 8.0, 16.0, 24.0, 32.0}) {
		t.Error(p.Labels)
	}
	more, _ = s.Extend("opt", "O4")
	if p, _ := more.Lookup("opt"); p.Weight(3) != 0.25 {
		t.Error("weight", p.Weight(3))
	}
	if more, err := MustNew(Subset("x", 1, 2)).Extend("x", 3); err != nil || len(everyDesign(t, more)) != 8 {
		t.Error(err)
	}
}

func TestShrinkHoldsItsDesigns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawAnySpace(t)
		if rapid.IntRange(0, 3).Draw(t, "ruled") == 0 {
			s = governed()
		}
		seed := rapid.Uint64().Draw(t, "seed")
		var around []Design
		for i := range rapid.IntRange(1, 4).Draw(t, "designs") {
			around = append(around, sampleOrSkip(t, s, seed+uint64(i)))
		}
		factor := rapid.SampledFrom([]float64{0, 0.1, 0.5, 2}).Draw(t, "factor")
		part, err := s.Shrink(around, factor)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range around {
			e, err := part.Adopt(d)
			if err != nil || e.String() != d.String() {
				t.Fatalf("%s\nis not in\n%s\n%v", d, part, err)
			}
		}
		for i := range 5 {
			d := sampleOrSkip(t, part, seed+uint64(i))
			if _, err := s.Adopt(d); err != nil {
				t.Fatalf("%s\nis not in\n%s\n%v", d, s, err)
			}
		}
	})
}

func TestShrink(t *testing.T) {
	t.Parallel()
	s := MustNew(
		Float("x", 0, 10), Float("lr", 1e-4, 1).Log(), Int("n", 0, 100).Step(10), Ordinal("k", 1, 2, 3, 4, 5),
		Categorical("act", "relu", "gelu", "silu").Weights(1, 2, 3), Bool("se"),
		Choice("b", Case("p", Int("z", 0, 9)), Case("q", Int("z", 0, 9)), Case("r")),
		Repeat("w", 0, 8, Int("", 0, 20)))
	parse := func(text string) Design {
		d, err := s.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	part, err := s.Shrink([]Design{
		parse(`{"x":4,"lr":0.01,"n":40,"k":3,"act":"silu","se":true,"b":{"p":{"z":3}},"w":[5,7]}`),
		parse(`{"x":5,"lr":0.01,"n":50,"k":3,"act":"relu","se":true,"b":{"r":{}},"w":[6]}`),
	}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	lr, _ := part.Lookup("lr")
	if lr.Lo < 0.00099 || lr.Lo > 0.00101 || lr.Hi < 0.099 || lr.Hi > 0.101 {
		t.Error(lr.Lo, lr.Hi)
	}
	got := part.String()
	if _, rest, ok := strings.Cut(got, `"n":`); ok {
		got = rest
	}
	want := `{"int":[20,70],"step":10},"k":{"ordinal":[2,3,4]},"act":{"choice":["relu","silu"],"weights":[1,3]},"se":{"choice":[true]},` +
		`"b":{"choice":{"p":{"z":{"int":[1,5]}},"r":{}}},"w":{"repeat":[0,4],"of":{"int":[0,12]}}}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if x, _ := part.Lookup("x"); x.Lo != 1.5 || x.Hi != 7.5 {
		t.Error(x.Lo, x.Hi)
	}
}

func TestCutsOfDecimalSteps(t *testing.T) {
	t.Parallel()
	s := MustNew(Float("x", 0, 2).Step(0.1), Repeat("w", 1, 2, Repeat("", 1, 2, Float("", 0, 1))), Repeat("b", 1, 2, Choice("", Case("c", Int("k", 0, 9)))))
	part, err := s.RestrictRange("x", 0.25, 1.75)
	if err != nil {
		t.Fatal(err)
	}
	if part, err = part.RestrictRange("w[][]", 0.5, 0.5); err != nil {
		t.Fatal(err)
	}
	if part, err = part.Fix("w[]", 2); err != nil {
		t.Fatal(err)
	}
	if part, err = part.Fix("b.c.k", 7); err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "test", 0)
	seen := map[any]bool{}
	for range 500 {
		d := part.MustSample(r)
		e, err := s.Adopt(d)
		if err != nil || e.String() != d.String() {
			t.Fatal(d, e, err)
		}
		m := d.Map()
		seen[m["x"]] = true
		for _, row := range m["w"].([]any) {
			if !cmp.Equal(row, []any{0.5, 0.5}) {
				t.Fatal(d)
			}
		}
		if !strings.Contains(d.String(), `"b":[{"c":{"k":7}}`) {
			t.Fatal(d)
		}
	}
	if len(seen) != 15 { // 0.3, 0.4, … 1.7
		t.Error(seen)
	}
	if _, err := s.Restrict("x", 0.3, 0.7); err != nil {
		t.Error(err)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	a, b := governed(), governed()
	d := a.MustSample(rng.New(1, "test", 0))
	e, err := b.Adopt(d)
	if err != nil || e.Space() != b || e.Hash() != d.Hash() || !a.Equal(b) {
		t.Error(e, err)
	}
	if f, _ := a.Adopt(e); f != d {
		t.Error("not the same design")
	}
	var bad *DesignError
	if _, err := MustNew(Int("other", 0, 1)).Adopt(d); !errors.As(err, &bad) {
		t.Error(err)
	}
	if _, err := a.Adopt(Design{}); !errors.As(err, &bad) {
		t.Error(err)
	}
	c, err := a.Fix("tile", 8)
	if err != nil || a.Equal(c) {
		t.Error(err)
	}
}

func TestAlgebraMistakes(t *testing.T) {
	t.Parallel()
	s := MustNew(
		Float("lr", 0, 1), Int("units", 16, 64).Step(8), Categorical("opt", "adam", "sgd"),
		Choice("block", Case("conv", Ordinal("kernel", 3, 5)), Case("skip")),
		Repeat("stages", 1, 3, Int("width", 1, 9)), Permutation("order", "a", "b"), Subset("aug", "a", "b").Size(1, 2),
		Group("stem", Const("k", 1)), Ordinal("level", "low", "high"))
	err := func(_ any, err error) error { return err }
	tests := map[string]struct {
		err  error
		want string
	}{
		"misspelt path":      {err(s.Fix("untis", 16)), "space: untis: no parameter of this path; expected units"},
		"end of a path":      {err(s.Fix("kernel", 3)), "expected block.conv.kernel"},
		"unknown path":       {err(s.Fix("zzz", 3)), "expected one of lr, units"},
		"off the grid":       {err(s.Fix("units", 17)), "space: units: 17; expected a whole number in [16, 64] in steps of 8"},
		"out of range":       {err(s.Fix("lr", 2)), "space: lr: 2; expected a number in [0, 1]"},
		"option":             {err(s.Restrict("opt", "adma")), `space: opt: "adma"; expected adam`},
		"no values":          {err(s.Restrict("opt")), "no values"},
		"case":               {err(s.Fix("block", "con")), `"con"; expected conv`},
		"count":              {err(s.Fix("stages", 9)), "in [1, 3]"},
		"group":              {err(s.Fix("stem", 1)), "a group, which cannot be fixed"},
		"constant":           {err(s.Fix("stem.k", 1)), "a const, which cannot be fixed"},
		"permutation":        {err(s.Fix("order", []string{"b", "a"})), "a permutation, which cannot be fixed"},
		"size":               {err(s.Fix("aug", []string{})), "0 items; expected 1 to 2"},
		"empty range":        {err(s.RestrictRange("units", 17, 23)), "holds none of its values"},
		"range of words":     {err(s.RestrictRange("level", 0, 1)), "see Restrict"},
		"wrong way":          {err(s.RestrictRange("lr", 1, 0)), "low <= high"},
		"split a real":       {err(s.Split("lr")), "a real number"},
		"split in a repeat":  {err(s.Split("stages.width")), "several times"},
		"extend a number":    {err(s.Extend("lr", 2)), "a float, which cannot be extended"},
		"extend twice":       {err(s.Extend("opt", "sgd")), "value sgd twice"},
		"extend by a value":  {err(s.Extend("block", 5)), "space.Case"},
		"shrink around none": {err(s.Shrink(nil, 1)), "at least one"},
		"shrink factor":      {err(s.Shrink([]Design{s.MustSample(rng.New(1, "t", 0))}, -1)), "at least 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
				t.Errorf("got %v\nwant … %s …", test.err, test.want)
			}
		})
	}
}

// TestFixRandomSpaces fixes each parameter of random spaces to a value that a
// design has there.
func TestFixRandomSpaces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawAnySpace(t)
		d := sampleOrSkip(t, s, rapid.Uint64().Draw(t, "seed"))
		for _, a := range d.Decisions(nil) {
			path := a.Param.Path
			at, err := s.locate(path)
			if err != nil || at.repeated || at.node.kind != a.Param.Kind || a.Param.Name == "" || a.Role == RoleInclude || a.Role == RolePlace || a.Role == RoleSize {
				continue
			}
			var v any = a.Real
			if a.Param.N > 0 {
				v = a.Param.Label(a.Index)
			}
			fixed, err := s.Fix(path, v)
			if err != nil {
				t.Fatalf("%s = %v in %s: %v", path, v, s, err)
			}
			e, err := fixed.Adopt(d)
			if err != nil || e.String() != d.String() {
				t.Fatalf("%s\nis not in\n%s\n%v", d, fixed, err)
			}
			f := sampleOrSkip(t, fixed, 1)
			if back, err := s.Adopt(f); err != nil || back.String() != f.String() {
				t.Fatalf("%s\nis not in\n%s\n%v", f, s, err)
			}
		}
	})
}

func BenchmarkAdopt(b *testing.B) {
	for _, same := range []bool{true, false} {
		b.Run(fmt.Sprintf("equal=%v", same), func(b *testing.B) {
			s, o := mixed(), mixed()
			if !same {
				var err error
				if o, err = s.Extend("opt", "O4"); err != nil {
					b.Fatal(err)
				}
			}
			d := s.MustSample(rng.New(1, "test", 0))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Adopt(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
