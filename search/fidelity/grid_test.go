package fidelity_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/fidelity"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// rounds asks and tells until nothing is left or n proposals were made. It returns
// the designs measured at each rung, in order.
func rounds(t *testing.T, m search.Method, setup search.Setup, n int) map[float64][]space.Design {
	t.Helper()
	s := open(t, m, setup)
	out := map[float64][]space.Design{}
	for range n {
		ps, err := s.Ask(1)
		if errors.Is(err, search.ErrExhausted) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		amount := math.Round(setup.Fidelity.Max * share(ps[0]))
		out[amount] = append(out[amount], ps[0].Design)
		s.Tell(done(ps[0], truth(ps[0].Design)))
	}
	return out
}

// All points of a small grid begin, each once, and the one that is measured in
// full is the best of them all.
func TestHalvingGridIsComplete(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1), space.Int("y", 1, 3), space.Choice("z", space.Case("none"), space.Case("some", space.Float("w", 1, 9))))
	want := map[space.Design]bool{}
	g := open(t, sample.Grid{}, search.Setup{Space: sp, Seed: 9})
	for {
		ps, err := g.Ask(1)
		if err != nil {
			break
		}
		want[ps[0].Design] = true
	}
	if len(want) != 5*3*(1+5) {
		t.Fatalf("the grid has %d points", len(want))
	}
	for seed := range uint64(5) {
		setup := search.Setup{Space: sp, Fidelity: epochs(27), Seed: seed}
		got := rounds(t, fidelity.HalvingGrid{Finals: -1}, setup, 1000)
		begun, best := map[space.Design]bool{}, math.Inf(1)
		for _, d := range got[1] {
			if begun[d] || !want[d] {
				t.Fatalf("%s is not of the grid, or was begun twice", d)
			}
			begun[d] = true
			best = min(best, truth(d))
		}
		if n := fmt.Sprint(len(got[1]), len(got[3]), len(got[9]), len(got[27])); n != "90 30 10 3" {
			t.Errorf("%s designs at the rungs, want 90 30 10 3", n)
		}
		if truth(got[27][0]) != best {
			t.Errorf("the first in full has %v, the best point %v", truth(got[27][0]), best)
		}
	}
}

// A budget that is too small for the grid is used for as many points as come to
// an end within it.
func TestHalvingGridFitsItsBudget(t *testing.T) {
	t.Parallel()
	var nodes []space.Node
	for i := range 6 {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), 0, 1))
	}
	sp := space.MustNew(nodes...)
	resumes := problem.Fidelity{Name: "epochs", Min: 1, Max: 27, Whole: true, Resumes: true}
	anew := resumes
	anew.Resumes = false
	for name, c := range map[string]struct {
		method fidelity.HalvingGrid
		setup  search.Setup
		want   string
	}{
		// n + ⌊n/3⌋ + ⌊n/9⌋ + ⌊n/27⌋ + 1 ≤ 100 up to n = 68.
		"trials": {fidelity.HalvingGrid{}, search.Setup{Fidelity: resumes, Budget: 100}, "68 22 7 3"},
		// n + 3⌊n/3⌋ + 9⌊n/9⌋ + 27⌊n/27⌋ ≤ (9 - 1) · 27 epochs up to n = 54.
		"effort": {fidelity.HalvingGrid{}, search.Setup{Fidelity: anew, Effort: 9}, "54 18 6 3"},
		// From checkpoints n + 2⌊n/3⌋ + 6⌊n/9⌋ + 18⌊n/27⌋ ≤ (8 - 1) · 27 up to n = 67.
		"resumed":      {fidelity.HalvingGrid{}, search.Setup{Fidelity: resumes, Effort: 8}, "67 22 7 3"},
		"named":        {fidelity.HalvingGrid{Designs: 30, Finals: -1}, search.Setup{Fidelity: resumes, Budget: 44}, "30 10 3 1"},
		"nothing said": {fidelity.HalvingGrid{Finals: -1}, search.Setup{Fidelity: resumes}, "27 9 3 1"},
	} {
		c.setup.Space, c.setup.Seed = sp, 3
		most := int(c.setup.Budget)
		if most == 0 {
			most = map[string]int{"effort": 81, "resumed": 99, "nothing said": 40}[name]
		}
		got := rounds(t, c.method, c.setup, most)
		if n := fmt.Sprint(len(got[1]), len(got[3]), len(got[9]), len(got[27])); n != c.want {
			t.Errorf("%s: %s designs at the rungs, want %s", name, n, c.want)
		}
	}
}

func TestHalvingGridRefusals(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1))
	for want, c := range map[string]struct {
		m     fidelity.HalvingGrid
		setup search.Setup
	}{
		"halving-grid: designs: found -1": {fidelity.HalvingGrid{Designs: -1}, search.Setup{Space: sp, Fidelity: epochs(27)}},
		"levels: found -2":                {fidelity.HalvingGrid{Levels: -2}, search.Setup{Space: sp, Fidelity: epochs(27)}},
		"halving-grid: fidelity":          {fidelity.HalvingGrid{}, search.Setup{Space: sp}},
		"halving-grid: eta":               {fidelity.HalvingGrid{Eta: 0.5}, search.Setup{Space: sp, Fidelity: epochs(27)}},
	} {
		if _, err := c.m.New(c.setup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
