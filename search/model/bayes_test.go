package model_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/model"
	"github.com/daedalus-search/daedalus/search/searchtest"
	"github.com/daedalus-search/daedalus/space"
)

func TestGPLaws(t *testing.T) {
	t.Parallel()
	small, trials := model.GP{Candidates: 12, Rows: 20}, 1600
	if gpRace || testing.Short() {
		trials = 0 // measures time
	}
	searchtest.Run(t, small, searchtest.Trials(trials))
}

func TestGPOptions(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1))
	for want, c := range map[string]struct {
		o     model.GP
		setup search.Setup
	}{
		"space":       {model.GP{}, search.Setup{}},
		"acquisition": {model.GP{Acquisition: "ehvi"}, search.Setup{Space: sp}},
		"logei":       {model.GP{Acquisition: "logei"}, search.Setup{Space: sp, Objectives: 2}},
		"parego":      {model.GP{Acquisition: "nehvi"}, search.Setup{Space: sp, Objectives: 5}},
		"startup":     {model.GP{Startup: -1}, search.Setup{Space: sp}},
		"candidates":  {model.GP{Candidates: -1}, search.Setup{Space: sp}},
		"rows":        {model.GP{Rows: 3}, search.Setup{Space: sp}},
		"kernel":      {model.GP{Kernel: "x"}, search.Setup{Space: sp}},
		"prior":       {model.GP{Prior: "x"}, search.Setup{Space: sp}},
		"warp":        {model.GP{Warp: "x"}, search.Setup{Space: sp}},
		"batch":       {model.GP{Batch: "x"}, search.Setup{Space: sp}},
		"noise":       {model.GP{Noise: 2}, search.Setup{Space: sp}},
		"kappa":       {model.GP{Kappa: -1}, search.Setup{Space: sp}},
	} {
		if _, err := c.o.New(c.setup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v; expected an error about %s", err, want)
		}
	}
}

// Branin's function within 0.01 of the optimum in 40 evaluations.
func TestGPBranin(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", -5, 10), space.Float("y", 0, 15))
	seeds, good := 12, 0
	if testing.Short() || gpRace {
		seeds = 4
	}
	for seed := range seeds {
		s := gpStart(t, model.GP{Candidates: 200}, search.Setup{Space: sp, Seed: uint64(seed)})
		best := gpDrive(t, s, 40, func(d space.Design) float64 {
			v := gpValues(d)
			a := v[1] - 5.1/(4*math.Pi*math.Pi)*v[0]*v[0] + 5/math.Pi*v[0] - 6
			return a*a + 10*(1-1/(8*math.Pi))*math.Cos(v[0]) + 10
		})
		if best-0.397887 < 0.01 {
			good++
		}
	}
	if 2*good <= seeds {
		t.Errorf("%d of %d runs come within 0.01 of the optimum, want more than half", good, seeds)
	}
}

// A limit that half the space breaks is learned, and no proposal is a repeat.
func TestGPLimits(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("x", 0, 1), space.Float("y", 0, 1), space.Categorical("c", "a", "b"))
	s := gpStart(t, model.GP{Candidates: 300}, search.Setup{Space: sp, Limits: true, Seed: 3})
	best := math.Inf(1)
	seen := map[space.Design]bool{}
	for range 50 {
		p, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		d := p[0].Design
		if seen[d] {
			t.Errorf("%s was proposed before", d)
		}
		seen[d] = true
		a := d.Decisions(nil)
		o := gpOutcome(p[0], a[0].Real+a[1].Real+float64(a[2].Index))
		o.Score.Violation = max(0.8-a[0].Real, 0) + max(0.3-a[1].Real, 0) // the corner of least loss breaks it
		if a[2].Index == 0 && a[1].Real > 0.9 {
			o.Status, o.Score = search.Failed, metric.Score{}
		}
		if o.Status == search.Complete && o.Score.Violation == 0 {
			best = min(best, o.Score.Loss[0])
		}
		s.Tell(o)
	}
	// Random designs come to 1.3 or so.
	if best > 1.15 {
		t.Errorf("the best feasible loss is %v, want about 1.1", best)
	}
}

// Every combination of options runs, on numbers, categories and conditions.
func TestGPVariants(t *testing.T) {
	t.Parallel()
	for _, kind := range []searchtest.Kind{searchtest.Flat, searchtest.Conditional} {
		sp := searchtest.Space(kind)
		for i, o := range []model.GP{
			{Acquisition: "ucb", Kernel: "product"}, {Warp: "power", InputWarp: true}, {Warp: "none", Prior: "vizier"},
			{Batch: "believer", Noise: 0.01}, {Batch: "liar"}, {Acquisition: "parego"}, {Acquisition: "ehvi"}, {Acquisition: "nehvi"},
		} {
			o.Candidates = 40
			setup := search.Setup{Space: sp, Seed: uint64(i), Objectives: 1}
			if i >= 5 {
				setup.Objectives = 2
			}
			s := gpStart(t, o, setup)
			r := rng.New(uint64(i), "variants", 0)
			modelled := 0
			for range 12 {
				ps, err := s.Ask(2)
				if err != nil {
					t.Fatalf("%+v: %v", o, err)
				}
				for _, p := range ps {
					if p.Operator == "gp" {
						modelled++
					}
					s.Tell(gpOutcome(p, []float64{r.Float64(), r.Float64()}[:setup.Objectives]...))
				}
			}
			if modelled < 10 {
				t.Errorf("%+v: %d of 24 proposals come from the model", o, modelled)
			}
		}
	}
}

// Equivalent designs are not proposed twice, nor those that are not admitted.
func TestGPKeyAndAdmit(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Int("a", 0, 9), space.Int("b", 0, 9))
	sum := func(d space.Design) int {
		a := d.Decisions(nil)
		return a[0].Index + a[1].Index
	}
	s := gpStart(t, model.GP{Candidates: 40}, search.Setup{
		Space: sp, Seed: 1,
		Key:   func(d space.Design) string { return string(rune('a' + sum(d))) },
		Admit: func(d space.Design) bool { return sum(d) != 7 },
	})
	seen := map[int]bool{}
	for {
		p, err := s.Ask(1)
		if err != nil {
			break
		}
		k := sum(p[0].Design)
		if seen[k] || k == 7 {
			t.Fatalf("%s was proposed, whose key %d was before or is not admitted", p[0].Design, k)
		}
		seen[k] = true
		s.Tell(gpOutcome(p[0], float64(k)))
	}
	if len(seen) != 18 {
		t.Errorf("%d keys were proposed, want all 18 that are admitted", len(seen))
	}
}

// Refit changes what Ask does only through the model, and the same calls give
// the same proposals.
func TestGPRefit(t *testing.T) {
	t.Parallel()
	sp := searchtest.Space(searchtest.Flat)
	run := func() string {
		s := gpStart(t, model.GP{Candidates: 60}, search.Setup{Space: sp, Seed: 4})
		var out strings.Builder
		r := rng.New(1, "refit", 0)
		for i := range 40 {
			p, err := s.Ask(1 + i%2)
			if err != nil {
				t.Fatal(err)
			}
			s.(search.Refitter).Refit()
			for _, p := range p {
				out.WriteString(p.Design.String())
				s.Tell(gpOutcome(p, r.Float64()))
			}
		}
		return out.String()
	}
	if first, again := run(), run(); first != again {
		t.Error("the same calls gave other proposals")
	}
}

// BenchmarkGPAsk is an ask when hyperparameters are as they are.
func BenchmarkGPAsk(b *testing.B) {
	for _, c := range []struct{ n, objectives int }{{100, 1}, {480, 1}, {480, 2}, {100, 3}, {480, 3}} {
		b.Run(fmt.Sprintf("%dx20, %d objectives", c.n, c.objectives), func(b *testing.B) {
			var nodes []space.Node
			for i := range 20 {
				nodes = append(nodes, space.Float(string(rune('a'+i)), -5, 5))
			}
			sp := space.MustNew(nodes...)
			s := gpStart(b, model.GP{}, search.Setup{Space: sp, Objectives: c.objectives})
			r := rng.New(1, "bench", 0)
			f := func(d space.Design) []float64 {
				y := make([]float64, c.objectives)
				for j := range y {
					for _, x := range gpValues(d) {
						y[j] += (x - float64(j)) * (x - float64(j))
					}
				}
				return y
			}
			for i := range c.n {
				d := sp.MustSample(r)
				s.Tell(search.Outcome{ID: int64(-1 - i), Design: d, Status: search.Complete, Score: metric.Score{Loss: f(d)}})
			}
			s.(search.Refitter).Refit()
			for b.Loop() {
				p, err := s.Ask(1)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.Tell(gpOutcome(p[0], f(p[0].Design)...))
				s.(search.Refitter).Refit()
				b.StartTimer()
			}
		})
	}
}
