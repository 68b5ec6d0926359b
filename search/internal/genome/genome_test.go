package genome

import (
	"errors"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

// TestMoveThenDesign: Move makes a point stand for a design, whatever it was
// before, and moves nothing the second time.
func TestMoveThenDesign(t *testing.T) {
	t.Parallel()
	for _, kind := range searchtest.Kinds() {
		sp := searchtest.Space(kind)
		for _, coding := range []Coding{Categories, Keys} {
			g, err := New(sp, coding)
			if kind == searchtest.Grammar {
				if !errors.Is(err, space.ErrNoLayout) {
					t.Errorf("New on a grammar: %v, want ErrNoLayout", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(kind, err)
			}
			r := rng.New(3, "genome", uint64(coding))
			x := make([]float64, len(g.Coordinates()))
			for range 300 {
				for i, c := range g.Coordinates() {
					x[i] = r.Float64() * float64(max(c.Options, 1))
				}
				if d, err := g.Design(x); err == nil && d.Space() != sp {
					t.Fatalf("%s: %v is of another space", kind, d)
				}
				d := sp.MustSample(r)
				if err := g.Move(x, d); err != nil {
					t.Fatal(kind, err)
				}
				e, err := g.Design(x)
				if err != nil || sp.Distance(d, e) > 1e-9 {
					t.Fatalf("%s, coding %d: %v after Move to %v: %v", kind, coding, e, d, err)
				}
				before := append([]float64(nil), x...)
				if err := g.Move(x, e); err != nil {
					t.Fatal(err)
				}
				for i := range x {
					if math.Abs(x[i]-before[i]) > 1e-6 {
						t.Fatalf("%s: coordinate %d moves from %v to %v though it stood for the design", kind, i, before[i], x[i])
					}
				}
			}
		}
	}
}

// TestCuts: the boundaries of discrete numbers are where the design changes.
func TestCuts(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Int("a", 1, 1000).Log(), space.Int("b", -3, 12).Step(3), space.Ordinal("c", 1, 2, 9),
		space.Float("d", 1, 64).Step(1).Log(), space.Repeat("r", 0, 5, space.Bool("")))
	g, err := New(sp, Categories)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, len(g.Coordinates()))
	for i, c := range g.Coordinates()[:5] { // the copies of the repeat may be inactive
		for k, cut := range c.Cuts {
			for j := range x {
				x[j] = 0.5
			}
			x[i] = cut - 1e-9
			a, err := g.Design(x)
			if err != nil {
				t.Fatal(err)
			}
			x[i] = cut + 1e-9
			b, err := g.Design(x)
			if err != nil {
				t.Fatal(err)
			}
			if a == b {
				t.Fatalf("coordinate %d, cut %d at %v: %v on both sides", i, k, cut, a)
			}
		}
	}
}
