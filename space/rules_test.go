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

func TestRules(t *testing.T) {
	s := ruled()
	r := rng.New(1, "t", 0)
	w := newWalker(s)
	seen := map[string]bool{}
	for i := range 3000 {
		d := s.MustSample(r)
		if i < 3 {
			t.Log(d)
		}
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
	tries, rejected := s.Rejections()
	t.Log(len(seen), tries, rejected)
}

func TestRuleErrors(t *testing.T) {
	_, err := New(Int("a", 1, 3), Int("b", 1, 3).When("c == 2"), Int("c", 1, 2), Require("a + d > 2"), Require("a +"), Require("1 > 2"))
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	for _, want := range []string{"declared before", "d", "never hold"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
