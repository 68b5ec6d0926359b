package space

import (
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

func ruled() *Space {
	return MustNew(
		Categorical("opt", "O1", "O2", "O3"),
		Ordinal("tile", 8, 16, 32, 64),
		Int("unroll", 1, 16).Log().When("opt == O3"),
		Int("big", 0, 100000),
		Float("x", 0, 1),
		Bool("fast"),
		Group("extra", Int("n", 1, 3), Bool("deep").When("n >= 2")).When("fast"),
		Repeat("stages", 1, 4,
			Int("width", 8, 64).Step(8),
			Int("depth", 1, 4),
			Bool("last").When("depth > 2"),
			Require("width * depth <= 128")),
		Require("tile * unroll <= 256"),
		Require("big <= 1000 * x"),
		Require("sum(stages.width) <= 160"),
		Require("stages[0].width <= 32"),
		Require("len(stages) >= 2"),
		Require("extra.n != 3"),
	)
}

// TestConstraintsHold checks every operation on a space with conditions and
// constraints of each kind against the values of the design.
func TestConstraintsHold(t *testing.T) {
	t.Parallel()
	s := ruled()
	r := rng.New(1, "t", 0)
	w := newWalker(s)
	seen := map[string]bool{}
	for i := range 500 {
		d := s.MustSample(r)
		m := d.Map()
		if u, ok := m["unroll"]; ok != (m["opt"] == "O3") {
			t.Fatal("unroll active", d)
		} else if ok && u.(float64)*m["tile"].(float64) > 256 {
			t.Fatal("constraint", d)
		}
		if m["big"].(float64) > 1000*m["x"].(float64) {
			t.Fatal("big", d)
		}
		sum := 0.0
		stages := m["stages"].([]any)
		for _, st := range stages {
			o := st.(map[string]any)
			sum += o["width"].(float64)
			if o["width"].(float64)*o["depth"].(float64) > 128 {
				t.Fatal("inner", d)
			}
			if _, ok := o["last"]; ok != (o["depth"].(float64) > 2) {
				t.Fatal("when inside a repeat", d)
			}
		}
		if sum > 160 || len(stages) < 2 || stages[0].(map[string]any)["width"].(float64) > 32 {
			t.Fatal("aggregates", d)
		}
		if e, ok := m["extra"].(map[string]any); ok != m["fast"].(bool) || ok && e["n"] == 3.0 {
			t.Fatal("extra", d)
		}
		if e, err := s.ParseJSON(d.AppendJSON(nil)); err != nil || e != d {
			t.Fatal(err, d)
		}
		for k := range 4 {
			x := s.Mutate(r, d, Mutation{Sites: k})
			if !s.valid(w, x.trace) {
				t.Fatal("mutant", x)
			}
			seen[x.trace] = true
		}
		o := s.MustSample(r)
		if x := s.Cross(r, d, o, Crossover{Eta: float64(i % 2 * 15)}); !s.valid(w, x.trace) {
			t.Fatal("child", x)
		}
		if i < 50 {
			for x := range s.Neighbors(d) {
				if !s.valid(w, x.trace) {
					t.Fatal("neighbour", x)
				}
			}
		}
	}
	if len(seen) < 1000 {
		t.Errorf("%d different mutants of 500 designs", len(seen))
	}
	fresh := ruled()
	for range 500 {
		fresh.MustSample(r)
	}
	if tries, rejected := fresh.Rejections(); rejected*20 > tries {
		t.Errorf("%d of %d samples rejected: propagation should leave few", rejected, tries)
	}
}

// TestConstraintPlace: a constraint holds wherever its place is inactive, even
// if it only speaks about names outside.
func TestConstraintPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nodes []Node
		want  int64
	}{
		"case":        {[]Node{Int("a", 1, 4), Choice("k", Case("x", Require("a <= 1")), Case("y"))}, 5},
		"case before": {[]Node{Choice("k", Case("x", Int("n", 1, 2), Require("a <= n and n < 2")), Case("y")), Int("a", 1, 4)}, 5},
		"group":       {[]Node{Int("a", 1, 4), Group("g", Bool("b"), Require("a <= 2")).When("a >= 2")}, 3},
		"no copies":   {[]Node{Int("a", 1, 4), Repeat("r", 0, 1, Bool("b"), Require("a <= 2"))}, 8},
		"every copy":  {[]Node{Int("a", 1, 3), Repeat("r", 2, 2, Int("w", 1, 3), Require("w <= a"))}, 14},
		"first copy":  {[]Node{Repeat("r", 1, 3, Int("w", 1, 3), Require("w <= r[0].w"))}, 23},
	} {
		s, err := New(c.nodes...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n, exact := s.Count()
		listed := int64(0)
		for range s.All() {
			listed++
		}
		if n.Int64() != c.want || !exact || listed != c.want {
			t.Errorf("%s: Count() = %v, %v and All lists %d; expected %d", name, n, exact, listed, c.want)
		}
	}
}

func TestRuleErrors(t *testing.T) {
	t.Parallel()
	_, err := New(Int("a", 1, 3), Int("b", 1, 3).When("c == 2"), Int("c", 1, 2), Require("a + d > 2"), Require("a +"), Require("1 > 2"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"declared before", "d", "never hold"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestPassedCopies: a constraint inside a repeat cannot wait for what is decided
// when its copy is gone.
func TestPassedCopies(t *testing.T) {
	t.Parallel()
	for _, nodes := range [][]Node{
		{Repeat("r", 1, 2, Int("w", 1, 3), Require("w <= later")), Int("later", 1, 3)},
		{Repeat("r", 3, 3, Int("w", 1, 3), Require("w <= r[2].w"))},
	} {
		if _, err := New(nodes...); err == nil || !strings.Contains(err.Error(), "declared before the repeat") {
			t.Errorf("New() = %v; expected an error about the order", err)
		}
	}
}

// TestInexactLogarithm: interval arithmetic leaves room around a logarithm; a
// constraint must still be decided exactly, also inside a repeat.
func TestInexactLogarithm(t *testing.T) {
	t.Parallel()
	s := MustNew(Repeat("r", 2, 2, Ordinal("w", 4, 8, 16), Require("log2(w) < 3")))
	if n, exact := s.Count(); n.Int64() != 1 || !exact {
		t.Errorf("Count() = %v, %v; expected 1, true", n, exact)
	}
	if _, err := s.ParseJSON([]byte(`{"r":[{"w":8},{"w":4}]}`)); err == nil {
		t.Error("log2(8) < 3 was accepted")
	}
}
