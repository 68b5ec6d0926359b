package library_test

import (
	"context"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/space"
)

// Beam is a design: a cantilever of rectangular section that carries a load.
type Beam struct {
	Material string  `space:"choice steel aluminium"`
	WidthMM  float64 `space:"float 10..60"`
	HeightMM float64 `space:"float 10..120"`
	Ribs     int     `space:"int 0..4" when:"material == aluminium"`
}

// Five lines to a front: a struct, a function, two objectives, a limit, a
// budget.
func Example() {
	front, err := daedalus.Search(context.Background(), func(_ context.Context, b Beam) (metric.Values, error) {
		density, stiffness := 7850.0, 210e9
		if b.Material == "aluminium" {
			density, stiffness = 2700, 70e9*(1+0.1*float64(b.Ribs))
		}
		w, h := b.WidthMM/1e3, b.HeightMM/1e3
		return metric.Values{
			"mass_kg": density * w * h * 1.5 * (1 + 0.05*float64(b.Ribs)),
			"bend_mm": 1e3 * 800 * math.Pow(1.5, 3) / (3 * stiffness * w * math.Pow(h, 3) / 12),
		}, nil
	}, daedalus.Options{
		Objectives: []string{"minimize mass_kg", "minimize bend_mm"},
		Limits:     []string{"bend_mm <= 5"},
		Trials:     600, Seed: 1, Parallel: 2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	lightest := front[0]
	fmt.Println("more than ten trade-offs:", len(front) > 10)
	fmt.Println("the lightest is made of", lightest.Config.Material)
	fmt.Println("it bends at most 5 mm:", lightest.Values["bend_mm"] <= 5)
	// Output:
	// more than ten trade-offs: true
	// the lightest is made of aluminium
	// it bends at most 5 mm: true
}

// Or drive the loop yourself: ask, evaluate wherever you like, tell.
func Example_askTell() {
	sp := space.MustNew(
		space.Float("x", -2, 2),
		space.Choice("shape",
			space.Case("bowl", space.Float("tilt", 0, 1)),
			space.Case("flat")),
	)
	goal := metric.Goal{Objectives: []metric.Objective{{Metric: "height", Direction: metric.Minimize}}}
	s, err := evolve.Regularized{Population: 20}.New(search.Setup{Space: sp, Seed: 7})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := math.Inf(1)
	for range 300 {
		proposals, err := s.Ask(1)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, p := range proposals {
			var d struct {
				X     float64
				Shape struct{ Bowl *struct{ Tilt float64 } }
			}
			if err := p.Design.Decode(&d); err != nil {
				fmt.Println(err)
				return
			}
			height := 1.0
			if d.Shape.Bowl != nil {
				height = (d.X-1)*(d.X-1) + d.Shape.Bowl.Tilt
			}
			best = min(best, height)
			s.Tell(search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: goal.Score(metric.Values{"height": height})})
		}
	}
	fmt.Println("below 0.05:", best < 0.05)
	// Output:
	// below 0.05: true
}
