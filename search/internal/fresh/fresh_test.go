package fresh_test

import (
	"errors"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/internal/fresh"
	"github.com/daedalus-search/daedalus/space"
)

func TestListCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		space *space.Space
		want  int
	}{
		"product":     {space.MustNew(space.Bool("a"), space.Int("b", 1, 5), space.Ordinal("c", 1, 2, 3)), 30},
		"choice":      {space.MustNew(space.Choice("c", space.Case("x", space.Bool("b")), space.Case("y"), space.Case("z", space.Int("i", 1, 4)))), 7},
		"repeat":      {space.MustNew(space.Repeat("r", 0, 3, space.Bool(""))), 15},
		"subset":      {space.MustNew(space.Subset("s", 1, 2, 3, 4, 5).Size(1, 3)), 25},
		"permutation": {space.MustNew(space.Permutation("p", 1, 2, 3, 4)), 24},
		"grammar":     {space.MustNew(space.Grammar("g", "E", space.Rule("E", space.Use("x"), space.Use("y"), space.Use("E", "E").P(0.2))).Depth(3)), 38},
		"point":       {space.MustNew(space.Float("f", 2, 2), space.Bool("b")), 2},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, ok := fresh.List(c.space, 1000)
			if !ok || len(all) != c.want {
				t.Fatalf("List = %d designs, %v, want %d", len(all), ok, c.want)
			}
			seen := map[space.Design]bool{}
			for _, d := range all {
				if seen[d] {
					t.Fatalf("List gives %s twice", d)
				}
				seen[d] = true
			}
			if _, ok := fresh.List(c.space, c.want-1); ok {
				t.Errorf("List of at most %d succeeded on %d designs", c.want-1, c.want)
			}
			// The source gives each exactly once and then ends.
			src := fresh.New(c.space, rng.New(1, "test", 0))
			clear(seen)
			for range c.want {
				d, err := src.Next(func(d space.Design) bool { return seen[d] })
				if err != nil || seen[d] {
					t.Fatalf("Next = %s, %v after %d designs", d, err, len(seen))
				}
				seen[d] = true
			}
			if d, err := src.Next(func(d space.Design) bool { return seen[d] }); !errors.Is(err, search.ErrExhausted) {
				t.Errorf("Next = %s, %v, want ErrExhausted", d, err)
			}
		})
	}
}

func TestListRefusesReals(t *testing.T) {
	t.Parallel()
	if all, ok := fresh.List(space.MustNew(space.Float("f", 0, 1)), 1000); ok {
		t.Errorf("List of a real range = %d designs, want none", len(all))
	}
}

// A prior that almost always returns the same design must not starve the rest.
func TestSkewedPrior(t *testing.T) {
	t.Parallel()
	var nodes []space.Node
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		nodes = append(nodes, space.Categorical(n, 1, 2, 3, 4, 5).Weights(1e6, 1, 1, 1, 1))
	}
	src := fresh.New(space.MustNew(nodes...), rng.New(1, "test", 0))
	seen := map[space.Design]bool{}
	for range 200 {
		d, err := src.Next(func(d space.Design) bool { return seen[d] })
		if err != nil || seen[d] {
			t.Fatalf("Next = %s, %v after %d designs; want a new one", d, err, len(seen))
		}
		seen[d] = true
	}
}
