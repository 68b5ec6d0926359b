package space

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// flatNodes are simple parameters of every kind, in groups too.
func flatNodes() []Node {
	return []Node{
		Float("rate", 1e-4, 1).Log(), Float("x", -1, 3), Float("point", 2, 2), Int("units", 1, 500), Int("depth", 1, 64).Log(), Float("step", 0, 1).Step(0.25),
		Const("version", 1), Group("g", Ordinal("kernel", 1, 3, 5, 7, 9), Categorical("act", "a", "b", "c"), Bool("norm")), Categorical("one", "only"),
		Categorical("opt", "a", "b", "c", "d").Weights(4, 2, 1, 1),
	}
}

func realNodes(n int) (nodes []Node) {
	for i := range n {
		nodes = append(nodes, Float(fmt.Sprint("x", i), 0, 1))
	}
	return nodes
}

// crooked is the same space in a form that is not flat: with a constraint that
// always holds.
func crooked(nodes []Node) *Space {
	return MustNew(append(nodes, Bool("crooked"), Require("crooked or not crooked"))...)
}

// Numbers and decisions of a flat space are those that a walk finds.
func TestFlatReadsAsWalked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := MustNew(flatNodes()...)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		d := s.MustSample(r)
		got, numbers := d.Decisions(nil), d.Numbers(nil)
		w, tr := s.walk(), trace{s: d.trace}
		for i := 0; w.step(); i++ {
			want := Answer{Decision: w.decision()}
			want.Index, want.Real = w.follow(&tr)
			if got[i] != want {
				t.Fatalf("decision %d is %+v, walked %+v", i, got[i], want)
			}
			x := want.Real
			if want.N > 0 {
				x = float64(want.Index)
				if k := want.Param.Kind; k == KindInt || k == KindFloat {
					x = want.Param.Number(want.Index)
				}
			}
			if numbers[i] != x {
				t.Fatalf("number %d is %v, want %v", i, numbers[i], x)
			}
		}
		s.free(w)
		if len(got) != len(numbers) {
			t.Fatalf("%d decisions and %d numbers", len(got), len(numbers))
		}
	})
}

// Numbers of every kind of decision, in walking order.
func TestNumbers(t *testing.T) {
	t.Parallel()
	s := MustNew(
		Choice("block", Case("conv", Int("groups", 2, 8)), Case("skip")), Repeat("stages", 1, 3, Float("width", 0, 1)),
		Subset("s", "a", "b", "c").Size(1, 2), Float("stepped", 0, 1).Step(0.25))
	d, err := s.ParseJSON([]byte(`{"block":{"type":"conv","groups":5},"stages":[{"width":0.5},{"width":0.75}],"s":["b"],"stepped":0.5}`))
	if err != nil {
		d, err = s.ParseJSON([]byte(`{"block":{"conv":{"groups":5}},"stages":[{"width":0.5},{"width":0.75}],"s":["b"],"stepped":0.5}`))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Numbers(nil), []float64{0, 5, 2, 0.5, 0.75, 1, 0, 1, 0.5}; !slices.Equal(got, want) {
		t.Errorf("Numbers of %v = %v, want %v", d, got, want)
	}
}

// Equal designs have equal digests and others different ones.
func TestDigest(t *testing.T) {
	t.Parallel()
	spaces := []*Space{MustNew(flatNodes()...), MustNew(realNodes(30)...), MustNew(Bool("a"), Bool("b"), Int("c", 0, 300)), MustNew(Repeat("r", 0, 20, Bool("")))}
	for _, s := range spaces {
		r := rand.New(rand.NewPCG(1, 2))
		seen := map[[2]uint64]Design{}
		for range 20_000 {
			d := s.MustSample(r)
			if other, ok := seen[d.Digest()]; ok && other != d {
				t.Fatalf("%v and %v have the same digest", d, other)
			}
			seen[d.Digest()] = d
			if e := (Design{space: s, trace: string([]byte(d.trace))}); e.Digest() != d.Digest() {
				t.Fatalf("the digest of %v changes", d)
			}
		}
	}
	// Single bits spread over the whole.
	s := spaces[1]
	d := s.MustSample(rand.New(rand.NewPCG(3, 4)))
	for bit := range 8 * len(d.trace) {
		b := []byte(d.trace)
		b[bit/8] ^= 1 << (bit % 8)
		e := Design{space: s, trace: string(b)}
		x, y := d.Digest(), e.Digest()
		changed := 0
		for i := range x {
			for v := x[i] ^ y[i]; v != 0; v &= v - 1 {
				changed++
			}
		}
		if changed < 30 || changed > 98 { // 64 ± 6 standard deviations
			t.Fatalf("bit %d changes %d bits of the digest, want about 64", bit, changed)
		}
	}
}

// Children that a Breeder makes of a flat space have the distribution of Cross
// and Mutate on a space that is not, decision by decision: the same two-sample
// Kolmogorov-Smirnov test on each, at about 1e-6.
func TestBreederHasTheLawOfCrossAndMutate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nodes []Node
		cross Crossover
		m     Mutation
	}{
		"blend":   {flatNodes(), Crossover{Eta: 15}, Mutation{Rate: 0.3, Eta: 20}},
		"uniform": {flatNodes(), Crossover{}, Mutation{Rate: 0.1}},
		"rate":    {flatNodes(), Crossover{Rate: 0.2, Eta: 2.5}, Mutation{Rate: 0.5, Eta: 5}},
		"always":  {flatNodes(), Crossover{Eta: 30}, Mutation{Rate: 1, Eta: 20}},
		"reals":   {realNodes(5), Crossover{Eta: 15}, Mutation{Rate: 0.2, Eta: 20}},
		"normal":  {realNodes(70), Crossover{Rate: 0.7, Eta: 15}, Mutation{Rate: 0.2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flat, slow := MustNew(c.nodes...), crooked(c.nodes)
			if flat.flat().nodes == nil || slow.flat().nodes != nil {
				t.Fatal("the spaces are not what they should be")
			}
			r := rand.New(rand.NewPCG(5, 6))
			n := 3000
			if testing.Short() {
				n = 500
			}
			for range 2 {
				x, y := flat.MustSample(r), flat.MustSample(r)
				lift := func(d Design) Design { return Design{space: slow, trace: d.trace + "\x00"} }
				b := flat.Breeder(c.cross, c.m)
				var got, want [][]float64
				for i := range n {
					d, _ := b.Child(r, x, y)
					if i%50 == 0 {
						if back, err := flat.ParseJSON(d.AppendJSON(nil)); err != nil || back != d {
							t.Fatalf("child %v: %v", d, err)
						}
					}
					got = append(got, d.Numbers(nil))
					e := slow.Mutate(r, slow.Cross(r, lift(x), lift(y), c.cross), c.m)
					want = append(want, e.Numbers(nil))
				}
				for k := range got[0] {
					if ks := distance(got, want, k); ks > 2.7*math.Sqrt(2/float64(n)) {
						t.Errorf("decision %d of children of %v and %v: distributions differ by %.3f", k, x, y, ks)
					}
				}
			}
		})
	}
}

// distance is the largest difference of two empirical distribution functions.
func distance(a, b [][]float64, k int) float64 {
	column := func(rows [][]float64) []float64 {
		var x []float64
		for _, row := range rows {
			x = append(x, row[k])
		}
		slices.Sort(x)
		return x
	}
	x, y := column(a), column(b)
	worst, i, j := 0.0, 0, 0
	for i < len(x) && j < len(y) {
		v := min(x[i], y[j])
		for i < len(x) && x[i] == v {
			i++
		}
		for j < len(y) && y[j] == v {
			j++
		}
		worst = max(worst, math.Abs(float64(i)/float64(len(x))-float64(j)/float64(len(y))))
	}
	return worst
}

// A Breeder works on every space, and without a rate changes one decision on
// average.
func TestBreederOnAnySpace(t *testing.T) {
	t.Parallel()
	spaces := map[string]*Space{
		"flat": MustNew(flatNodes()...), "reals": MustNew(realNodes(30)...),
		"selection": MustNew(Subset("s", 1, 2, 3, 4).Size(1, 3), Permutation("p", 1, 2, 3, 4), Bool("b")),
		"repeat":    MustNew(Repeat("r", 1, 5, Categorical("op", "a", "b"), Float("w", 0, 1))),
	}
	for name, s := range spaces {
		r := rand.New(rand.NewPCG(7, 8))
		b := s.Breeder(Crossover{Eta: 15}, Mutation{Eta: 20})
		changed := 0
		for range 2000 {
			x, y := s.MustSample(r), s.MustSample(r)
			d, _ := b.Child(r, x, y)
			if back, err := s.ParseJSON(d.AppendJSON(nil)); err != nil || back != d {
				t.Fatalf("%s: child %v: %v", name, d, err)
			}
			m, hit := b.Mutant(r, x)
			if hit != (m != x) && name != "flat" && name != "reals" { // a step may round to the old number
				t.Fatalf("%s: mutant %v of %v, changed: %v", name, m, x, hit)
			}
			if hit {
				changed++
			}
		}
		// One decision on average: 1 - (1-1/n)^n of the mutants differ, 63 % of many
		// decisions.
		if changed < 1100 || changed > 1700 {
			t.Errorf("%s: %d of 2000 mutants differ, want about two thirds", name, changed)
		}
	}
}

func TestDecisionSites(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		nodes []Node
		want  int
	}{
		"numbers":       {[]Node{Float("a", 0, 1), Int("b", 0, 3), Float("c", 2, 2)}, 2},
		"subset":        {[]Node{Subset("s", 1, 2, 3, 4).Size(2, 3), Bool("b")}, 2},
		"fixed subset":  {[]Node{Subset("s", 1, 2, 3, 4).Size(2, 2), Subset("t", 1, 2, 3).Size(1, 1)}, 2},
		"permutation":   {[]Node{Permutation("p", 1, 2, 3, 4), Permutation("q", 1, 2)}, 2},
		"row of orders": {[]Node{Repeat("r", 3, 3, Permutation("p", 1, 2, 3))}, 3},
		"row of sets":   {[]Node{Repeat("r", 2, 2, Subset("s", 1, 2, 3).Size(1, 2))}, 2},
		"single option": {[]Node{Categorical("c", "x"), Bool("b")}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 1))
			sp := MustNew(tt.nodes...)
			for range 50 {
				d := sp.MustSample(r)
				if got := decisionSites(d.Decisions(nil)); got != tt.want {
					t.Fatalf("decisionSites(%v) = %d, want %d", d, got, tt.want)
				}
			}
		})
	}
}

// The powers of distribution indexes agree with package math.
func TestPower(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	for _, n := range []float64{1, 2, 3.5, 6, 16, 21, 31, 64, 65, 101, 1001} {
		p := powerOf(n)
		for range 200 {
			x := 2 * r.Float64()
			if got, want := p.raise(x), math.Pow(x, n); math.Abs(got-want) > 1e-12*want {
				t.Fatalf("%v to the power %v = %v, want %v", x, n, got, want)
			}
			if got, want := p.root(x), math.Pow(x, 1/n); math.Abs(got-want) > 1e-14*want {
				t.Fatalf("root %v of %v = %v, want %v", n, x, got, want)
			}
		}
		if p.root(0) != 0 {
			t.Errorf("root %v of 0 = %v", n, p.root(0))
		}
	}
}

func BenchmarkBreeder(b *testing.B) {
	for name, s := range map[string]*Space{"reals": MustNew(realNodes(30)...), "flat": MustNew(flatNodes()...)} {
		b.Run(name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			x, y := s.MustSample(r), s.MustSample(r)
			breed := s.Breeder(Crossover{Eta: 15}, Mutation{Eta: 20})
			b.ReportAllocs()
			for b.Loop() {
				breed.Child(r, x, y)
			}
		})
	}
}
