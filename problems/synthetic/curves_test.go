package synthetic_test

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/problems/synthetic"
)

func TestCurvesConformance(t *testing.T) {
	t.Parallel()
	p, err := synthetic.Curves{Noise: 0.1}.New()
	if err != nil {
		t.Fatal(err)
	}
	problemtest.Run(t, p)
}

// The first epoch correlates with the last as the options say, and the final
// loss has mean 1 and deviation 0.1.
func TestCurvesCorrelation(t *testing.T) {
	t.Parallel()
	for _, rho := range []float64{-1, 0, 0.5, 1} {
		for _, seed := range []uint64{1, 2, 3} {
			p, err := synthetic.Curves{Correlation: &rho, Seed: &seed}.New()
			if err != nil {
				t.Fatal(err)
			}
			r := rng.New(seed, "test", 0)
			const n = 2000
			first, last := make([]float64, n), make([]float64, n)
			mean, square := 0.0, 0.0
			for i := range n {
				d := p.Space().MustSample(r)
				a, err := p.EvaluateAt(t.Context(), d, 1.0/27, nil)
				if err != nil {
					t.Fatal(err)
				}
				b, err := p.Evaluate(t.Context(), d, nil)
				if err != nil {
					t.Fatal(err)
				}
				first[i], last[i] = a["loss"], b["loss"]
				mean += b["loss"] / n
				square += b["loss"] * b["loss"] / n
			}
			sd := math.Sqrt(square - mean*mean)
			if got := metric.Spearman(first, last); math.Abs(got-rho) > 0.1 {
				t.Errorf("seed %d: rank correlation %.3f, want %v", seed, got, rho)
			}
			if math.Abs(mean-1) > 0.015 || math.Abs(sd-0.1) > 0.01 {
				t.Errorf("seed %d: mean %.3f and deviation %.3f, want 1 and 0.1", seed, mean, sd)
			}
		}
	}
}

func TestCurvesRefusals(t *testing.T) {
	t.Parallel()
	two := 2.0
	for name, o := range map[string]synthetic.Curves{
		"epochs": {Epochs: 1}, "correlation": {Correlation: &two}, "noise": {Noise: -1},
	} {
		if _, err := o.New(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
