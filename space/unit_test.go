package space

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// TestUnitIsInverse: FromUnit undoes Unit on every kind of space that has
// coordinates, and leaves the coordinates of inactive parameters alone.
func TestUnitIsInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpace(t, rapid.Bool().Draw(t, "rules"), true, false, 1<<20)
		if s.census().total.Sign() == 0 {
			return
		}
		unitIsInverse(t, s, rapid.Uint64().Draw(t, "seed"))
	})
}

func TestUnitIsInverseByKind(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*Space{
		"numbers": MustNew(
			Float("a", -1, 3), Float("b", 1e-5, 10).Log(), Float("c", 0, 1).Step(0.125), Int("d", -5, 90).Step(5),
			Int("e", 1, 4000).Log(), Int("wide", 1, 1<<30).Log(), Float("f", 1, 64).Step(1).Log(), Float("point", 2, 2)),
		"weights":    MustNew(Categorical("c", 1, 2, 3, 4).Weights(0.7, 0.1, 0.1, 0.1), Bool("b").Weights(9, 1), Ordinal("o", 1, 3, 9), Choice("k", Case("x", Int("n", 1, 9)), Case("y")).Weights(0.9, 0.1)),
		"selections": MustNew(Subset("s", 1, 2, 3, 4, 5).Size(1, 4), Subset("two", 1, 2, 3, 4).Size(2, 2), Permutation("p", 1, 2, 3, 4, 5)),
		"repeats":    MustNew(Repeat("r", 0, 4, Int("w", 1, 9), Repeat("q", 1, 3, Bool("")))),
		"rules": MustNew(Int("x", 1, 32), Int("y", 1, 32), Float("z", 0, 1), Bool("t"), Int("u", 1, 5).When("t"),
			Require("x * y <= 100"), Require("z <= 0.5 or t")),
	} {
		t.Run(name, func(t *testing.T) { unitIsInverse(t, s, 7) })
	}
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func unitIsInverse(t failer, s *Space, seed uint64) {
	t.Helper()
	r := rng.New(seed, "unit", 0)
	dims, err := s.Dims()
	if err != nil {
		t.Fatalf("Dims: %v", err)
	}
	const mark = 0.123456789
	u := make([]float64, dims)
	for range 50 {
		d, err := s.Sample(r)
		if err != nil {
			return
		}
		for i := range u {
			u[i] = mark
		}
		if err := s.Unit(d, u); err != nil {
			t.Fatalf("Unit(%v): %v", d, err)
		}
		kept := 0
		for i, x := range u {
			if !(x >= 0 && x <= 1) {
				t.Fatalf("Unit(%v): coordinate %d = %v", d, i, x)
			}
			if x == mark {
				kept++
			}
		}
		if asked := len(d.Decisions(nil)); kept < dims-asked {
			t.Fatalf("Unit(%v) writes %d of %d coordinates for %d decisions", d, dims-kept, dims, asked)
		}
		e, err := s.FromUnit(u)
		if err != nil {
			t.Fatalf("FromUnit(Unit(%v)): %v", d, err)
		}
		a, b := d.Decisions(nil), e.Decisions(nil)
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			same = a[i].Site == b[i].Site && a[i].Index == b[i].Index && math.Abs(a[i].Real-b[i].Real) <= 1e-9*max(1, math.Abs(a[i].Real))
		}
		if !same {
			t.Fatalf("FromUnit(Unit(%v)) = %v", d, e)
		}
	}
}

func TestUnitErrors(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "unit", 0)
	g := MustNew(Grammar("g", "E", Rule("E", Use("x"), Use("E", "E"))).Depth(3))
	if err := g.Unit(g.MustSample(r), nil); !errors.Is(err, ErrNoLayout) {
		t.Errorf("Unit on a grammar: %v, want ErrNoLayout", err)
	}
	s := MustNew(Bool("a"), Bool("b"))
	if err := s.Unit(s.MustSample(r), make([]float64, 3)); err == nil {
		t.Error("Unit with 3 coordinates for 2: no error")
	}
}

func BenchmarkUnit(b *testing.B) {
	var nodes []Node
	for i := range 20 {
		nodes = append(nodes, Float(string(rune('a'+i)), 0, 1))
	}
	s := MustNew(nodes...)
	d := s.MustSample(rng.New(1, "unit", 0))
	u := make([]float64, 20)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Unit(d, u); err != nil {
			b.Fatal(err)
		}
	}
}
