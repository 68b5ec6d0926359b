package space

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// TestCountAllBrute: All lists exactly the designs that brute force finds, each
// once, and Count says how many.
func TestCountAllBrute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpace(t, true, false, true, 2000)
		want := map[string]bool{}
		for _, m := range brute(s.decls, nil) {
			want[canonical(m)] = true
		}
		n, exact := s.Count()
		if n == nil || !exact || n.Int64() != int64(len(want)) {
			t.Fatalf("Count() = %v, %v; brute force finds %d", n, exact, len(want))
		}
		seen := map[string]bool{}
		hashes := map[Hash]bool{}
		for d := range s.All() {
			j := canonical(d.Map())
			if seen[j] {
				t.Fatalf("All yields %s twice", j)
			}
			if !want[j] {
				t.Fatalf("All yields %s, which brute force does not find", j)
			}
			if e, err := s.ParseJSON([]byte(j)); err != nil || e != d {
				t.Fatalf("ParseJSON(%s) = %v, %v", j, e, err)
			}
			if hashes[d.Hash()] {
				t.Fatalf("%s has the hash of another design", j)
			}
			seen[j], hashes[d.Hash()] = true, true
		}
		if len(seen) != len(want) {
			for j := range want {
				if !seen[j] {
					t.Fatalf("All yields %d designs of %d; %s is missing", len(seen), len(want), j)
				}
			}
		}
	})
}

// TestParseJSONFilters: ParseJSON accepts exactly what brute force with every
// constraint finds, out of the designs of the space without its constraints.
func TestParseJSONFilters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpace(t, true, false, false, 300)
		want := map[string]bool{}
		for _, m := range brute(s.decls, nil) {
			want[canonical(m)] = true
		}
		for _, m := range brute(unconstrained(s.decls), nil) {
			j := canonical(m)
			_, err := s.ParseJSON([]byte(j))
			var infeasible *InfeasibleError
			if (err == nil) != want[j] || err != nil && !errors.As(err, &infeasible) {
				t.Fatalf("ParseJSON(%s) = %v; allowed: %v", j, err, want[j])
			}
		}
	})
}

func unconstrained(decls []decl) []decl {
	nodes := func(in []Node) []Node {
		var out []Node
		for _, d := range unconstrained(declsOf(in)) {
			out = append(out, Node{d})
		}
		return out
	}
	var out []decl
	for _, d := range decls {
		if d.kind == kindRequire {
			continue
		}
		d.nodes = nodes(d.nodes)
		cases := d.cases
		d.cases = nil
		for _, c := range cases {
			d.cases = append(d.cases, Branch{c.Name, nodes(c.Nodes)})
		}
		out = append(out, d)
	}
	return out
}

// TestLaws holds the operations on designs to what their comments promise.
func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ruled := rapid.Bool().Draw(t, "rules")
		grammars := rapid.Bool().Draw(t, "grammars")
		s := drawSpace(t, ruled, true, grammars, 1<<20)
		r := rng.New(rapid.Uint64().Draw(t, "seed"), "laws", 0)
		d, err := s.Sample(r)
		if s.census().total.Sign() == 0 {
			var e *InfeasibleError
			if !errors.As(err, &e) {
				t.Fatalf("Sample() = %v, %v in a space without designs", d, err)
			}
			if _, err := s.SampleUniform(r); !errors.As(err, &e) || !e.Proven {
				t.Fatalf("SampleUniform() = %v in a space without designs", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		valid := func(what string, x Design) {
			t.Helper()
			j := x.AppendJSON(nil)
			if y, err := s.ParseJSON(j); err != nil || y != x {
				t.Fatalf("%s: %s reads as %v, %v", what, j, y, err)
			}
			if (x == d) != (x.Hash() == d.Hash()) {
				t.Fatalf("%s: %v and %v: hashes %v and %v", what, x, d, x.Hash(), d.Hash())
			}
		}
		valid("Sample", d)
		for range 4 {
			o := s.MustSample(r)
			valid("Sample", o)
			if u, err := s.SampleUniform(r); err != nil {
				t.Fatal(err)
			} else {
				valid("SampleUniform", u)
			}
			m := s.Mutate(r, d, Mutation{})
			valid("Mutate", m)
			if m == d && s.plain && s.census().shape.list(s.root).n.Cmp(one) > 0 {
				t.Fatalf("Mutate(%v) changed nothing", d)
			}
			valid("Mutate sites", s.Mutate(r, d, Mutation{Sites: 3, Eta: 20}))
			valid("Mutate rate", s.Mutate(r, d, Mutation{Rate: 0.5}))
			valid("Cross", s.Cross(r, d, o, Crossover{}))
			valid("Cross blend", s.Cross(r, d, o, Crossover{Eta: 15}))
			distances(t, s, d, o)
			distances(t, s, d, m)
			coordinates(t, s, o)
			if dims, err := s.Dims(); err == nil {
				u := make([]float64, dims)
				for i := range u {
					u[i] = r.Float64()
				}
				x, err := s.FromUnit(u)
				var e *InfeasibleError
				switch {
				case err == nil:
					valid("FromUnit", x)
				case s.plain || !errors.As(err, &e):
					t.Fatal(err)
				}
			}
			if x := replay(t, s, o); x != o {
				t.Fatalf("walking by the decisions of %v gives %v", o, x)
			}
		}
		seen := map[Design]bool{d: true}
		for x := range s.Neighbors(d) {
			if seen[x] {
				t.Fatalf("Neighbors(%v) yields %v twice, or itself", d, x)
			}
			seen[x] = true
			valid("Neighbors", x)
		}
	})
}

func distances(t *rapid.T, s *Space, a, b Design) {
	t.Helper()
	x, y := s.Distance(a, b), s.Distance(b, a)
	if math.Abs(x-y) > 1e-12 || x < 0 || x > 1 || (x == 0) != (a == b) || s.Distance(a, a) != 0 {
		t.Fatalf("Distance(%v, %v) = %v and %v", a, b, x, y)
	}
}

// coordinates checks that features determine a design where they should.
func coordinates(t *rapid.T, s *Space, d Design) {
	t.Helper()
	x, err := s.Encode(d, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Features()
	if err != nil || len(f) != len(x) {
		t.Fatalf("%d features for %d names: %v", len(x), len(f), err)
	}
	for i, v := range x {
		if f[i].Kind != FeatureCount && !(v >= 0 && v <= 1) {
			t.Fatalf("%s = %v", f[i].Name, v)
		}
	}
	if _, err := s.Dims(); err != nil {
		if !errors.Is(err, ErrNoLayout) {
			t.Fatal(err)
		}
		return
	}
	e, err := s.FromFeatures(x)
	if err != nil || s.Distance(d, e) > 1e-9 {
		t.Fatalf("FromFeatures(Encode(%v)) = %v, %v", d, e, err)
	}
}

// replay builds a design again through the public walker.
func replay(t *rapid.T, s *Space, d Design) Design {
	t.Helper()
	w := s.Walk()
	for _, a := range d.Decisions(nil) {
		q, ok := w.Next()
		if !ok || q.Site != a.Site || q.Param != a.Param || q.N != a.N {
			t.Fatalf("asked %+v; expected %+v", q, a.Decision)
		}
		if a.N == 0 {
			w.ChooseReal(a.Real)
		} else {
			if !w.Legal(a.Index) {
				t.Fatalf("%s: option %d of %v is not legal", a.Param.Path, a.Index, d)
			}
			w.Choose(a.Index)
		}
	}
	if _, ok := w.Next(); ok {
		t.Fatalf("more decisions than %v has", d)
	}
	x, err := w.Design()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestUnitInverse: Nearest undoes Unit at every decision.
func TestUnitInverse(t *testing.T) {
	t.Parallel()
	s := MustNew(
		Int("a", -3, 9), Int("b", 1, 1000).Log(), Int("wide", 1, 1<<40).Log(), Float("c", -1, 1).Step(0.125), Float("d", 1, 64).Step(1).Log(),
		Ordinal("e", 1, 2, 9), Categorical("f", "x", "y", "z"), Bool("g"), Float("h", 2, 5), Float("i", 1e-6, 1e3).Log(),
		Repeat("r", 0, 7, Int("", 0, 1)), Subset("s", 1, 2, 3), Permutation("p", 1, 2, 3),
	)
	r := rng.New(3, "unit", 0)
	for range 300 {
		for _, a := range s.MustSample(r).Decisions(nil) {
			u := a.Unit(a.Index, a.Real)
			i, x := a.Nearest(u)
			if !(u >= 0 && u <= 1) || i != a.Index || math.Abs(x-a.Real) > 1e-12*math.Abs(a.Real) {
				t.Fatalf("%s: Nearest(Unit(%d, %v)) = Nearest(%v) = %d, %v", a.Param.Path, a.Index, a.Real, u, i, x)
			}
		}
	}
}

// chiSquare fails the test if counts are unlikely under the expected shares.
// The bound is the mean plus 5 standard deviations of the statistic; by its
// normal approximation corrected as by Wilson and Hilferty (1931) a correct
// sampler exceeds it with a probability below 1e-5 for the sizes used here, and
// the seed is fixed.
func chiSquare(t *testing.T, what string, counts []int, share []float64) {
	t.Helper()
	n := 0
	for _, c := range counts {
		n += c
	}
	x := 0.0
	for i, c := range counts {
		e := share[i] * float64(n)
		x += (float64(c) - e) * (float64(c) - e) / e
	}
	k := float64(len(counts) - 1)
	z := (math.Cbrt(x/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	if z > 4.3 {
		t.Errorf("%s: chi-square %.1f with %v degrees of freedom (z = %.1f)", what, x, k, z)
	}
}

// TestSampleUniformIsUniform compares with full enumeration.
func TestSampleUniformIsUniform(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*Space{
		"choice":                 MustNew(Choice("c", Case("a", Int("x", 1, 5), Bool("y")), Case("b"), Case("d", Subset("s", 1, 2, 3).Size(1, 2)))),
		"repeat":                 MustNew(Repeat("r", 0, 3, Ordinal("k", 3, 5), Choice("z", Case("u", Bool("v")), Case("w")))),
		"subset and permutation": MustNew(Subset("s", 1, 2, 3, 4).Size(1, 3), Permutation("p", 1, 2, 3)),
		"grammar":                MustNew(Grammar("g", "E", Rule("E", Use("x").P(0.9), Use("E", "E"), Use("f").Params(Int("n", 1, 2)))).Depth(3)),
		"conditions":             MustNew(Int("a", 1, 4), Int("b", 1, 5).When("a >= 3"), Bool("c").When("b == 2"), Group("g", Int("d", 1, 3)).When("a == 1")),
		"constraints": MustNew(Int("a", 1, 6), Int("b", 1, 6), Require("a * b <= 12"), Repeat("r", 1, 3, Int("w", 1, 4)),
			Require("sum(r.w) <= 5"), Choice("k", Case("x", Int("n", 1, 3), Require("n != a")), Case("y"))),
		// A constraint and a condition on a real number cannot be counted.
		"rejection": MustNew(Int("a", 1, 4), Int("b", 1, 4), Float("x", 0, 1), Require("a + b <= 5 or x > 2")),
	} {
		var all []Design
		index := map[string]int{}
		key := func(d Design) string {
			if s.Enumerable() == nil {
				return d.trace
			}
			m := d.Map()
			delete(m, "x")
			return canonical(m)
		}
		if s.Enumerable() == nil {
			for d := range s.All() {
				index[key(d)] = len(all)
				all = append(all, d)
			}
		} else {
			for range 2000 {
				d := s.MustSample(rng.New(1, "rejection", uint64(len(all))))
				if _, ok := index[key(d)]; !ok {
					index[key(d)] = len(index)
				}
				all = append(all, d)
			}
			all = all[:len(index)]
		}
		r := rng.New(11, "uniform", 0)
		counts := make([]int, len(all))
		share := make([]float64, len(all))
		for i := range share {
			share[i] = 1 / float64(len(all))
		}
		for range 20 * len(all) {
			d, err := s.SampleUniform(r)
			if err != nil {
				t.Fatal(name, err)
			}
			counts[index[key(d)]]++
		}
		chiSquare(t, fmt.Sprintf("%s: %d designs", name, len(all)), counts, share)
	}
}

// TestUniformWithRealCondition: where a condition asks a real number, discrete
// designs are weighted by the prior of the numbers they go with.
func TestUniformWithRealCondition(t *testing.T) {
	t.Parallel()
	s := MustNew(Float("x", 0, 1), Int("a", 1, 4).When("x < 0.5"))
	r := rng.New(12, "uniform", 0)
	counts := make([]int, 5)
	for range 4000 {
		d, err := s.SampleUniform(r)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := d.Map()["a"].(float64)
		counts[int(a)]++
	}
	// Half of the numbers go with one design, the other half with four.
	chiSquare(t, "x < 0.5", counts, []float64{0.2, 0.2, 0.2, 0.2, 0.2})
}

// TestPrior: options come as often as their prior says, at every decision.
func TestPrior(t *testing.T) {
	t.Parallel()
	s := MustNew(
		Categorical("c", "a", "b", "d").Weights(1, 2, 5), Int("log", 1, 40).Log(), Float("step", 1, 4).Step(0.5).Log(),
		Choice("k", Case("x", Bool("b").Weights(3, 1)), Case("y")).Weights(0.7, 0.3), Repeat("r", 0, 3, Int("", 1, 3)),
		Subset("s", 1, 2, 3, 4).Size(0, 3), Permutation("p", 1, 2, 3, 4),
		Grammar("g", "E", Rule("E", Use("x").P(0.7), Use("E", "E"), Use("y"))),
	)
	r := rng.New(5, "prior", 0)
	counts := map[uint64][]int{}
	of := map[uint64]Decision{}
	for range 6000 {
		for _, a := range s.MustSample(r).Decisions(nil) {
			if counts[a.Site] == nil {
				counts[a.Site], of[a.Site] = make([]int, a.N), a.Decision
			}
			counts[a.Site][a.Index]++
		}
	}
	for site, c := range counts {
		d, n := of[site], 0
		share := make([]float64, d.N)
		for i := range share {
			n += c[i]
			switch d.Role {
			case RoleInclude:
				share[i] = 0 // depends on what was included before
			case RoleSize, RolePlace:
				share[i] = 1 / float64(d.N)
			default:
				share[i] = d.Param.Weight(i)
			}
		}
		if d.Role == RoleInclude || n < 1000 || d.N < 2 {
			continue
		}
		chiSquare(t, fmt.Sprintf("%s, item %d", d.Param.Path, d.Item), c, share)
	}
	// Each size is equally likely, then each subset of that size.
	sizes := make([]int, 4)
	first := make([]int, 4)
	for range 6000 {
		items := s.MustSample(r).Map()["s"].([]any)
		sizes[len(items)]++
		if len(items) == 1 {
			first[int(items[0].(float64))-1]++
		}
	}
	quarter := []float64{0.25, 0.25, 0.25, 0.25}
	chiSquare(t, "subset sizes", sizes, quarter)
	chiSquare(t, "subsets of one item", first, quarter)
}

// TestPriorUnderConstraints: propagation draws from the prior among the options
// that are left.
func TestPriorUnderConstraints(t *testing.T) {
	t.Parallel()
	s := MustNew(Bool("on"), Categorical("c", 1, 2, 3, 4).Weights(1, 2, 3, 4), Int("n", 1, 1000), Require("c >= 2"), Require("n > 600"))
	r := rng.New(6, "prior", 0)
	c, n := make([]int, 3), make([]int, 4)
	for range 4000 {
		m := s.MustSample(r).Map()
		c[int(m["c"].(float64))-2]++
		n[int(m["n"].(float64)-601)/100]++
	}
	chiSquare(t, "c", c, []float64{2. / 9, 3. / 9, 4. / 9})
	chiSquare(t, "n", n, []float64{0.25, 0.25, 0.25, 0.25})
	if _, rejected := s.Rejections(); rejected > 0 {
		t.Errorf("%d designs rejected", rejected)
	}
}

// TestSampleReachesAll: sampling, mutation and crossover reach every design.
func TestSampleReachesAll(t *testing.T) {
	t.Parallel()
	s := MustNew(Int("a", 1, 3), Choice("c", Case("x", Bool("b")), Case("y", Subset("s", 1, 2, 3).Size(1, 2))), Repeat("r", 0, 2, Ordinal("", 1, 2)),
		Int("d", 1, 2).When("a == 2"), Require("a != 3 or c == x"))
	all := map[Design]bool{}
	for d := range s.All() {
		all[d] = true
	}
	for name, next := range map[string]func(r *rand.Rand, d Design) Design{
		"Sample": func(r *rand.Rand, _ Design) Design { return s.MustSample(r) },
		"Mutate": func(r *rand.Rand, d Design) Design { return s.Mutate(r, d, Mutation{}) },
		"Uniform": func(r *rand.Rand, _ Design) Design {
			d, err := s.SampleUniform(r)
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
	} {
		r := rng.New(9, "reach", 0)
		d := s.MustSample(r)
		seen := map[Design]bool{}
		for range 100 * len(all) {
			d = next(r, d)
			if !all[d] {
				t.Fatalf("%s: %v is not one of the designs", name, d)
			}
			seen[d] = true
		}
		if len(seen) != len(all) {
			t.Errorf("%s reaches %d of %d designs", name, len(seen), len(all))
		}
	}
}
