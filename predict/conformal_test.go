package predict_test

import (
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/predict"
	"github.com/daedalus-search/daedalus/predict/predicttest"
)

func TestConformalLaws(t *testing.T) {
	quick := predict.Boosted{Trees: 30}
	if raceOn {
		quick.Trees = 8
	}
	for name, c := range map[string]predict.Conformal{
		"cv+":        {Learner: quick, Folds: 4},
		"split":      {Learner: quick, Split: true, Level: 0.8},
		"normalised": {Learner: predict.Forest{Trees: 15}, Folds: 3, Normalised: true},
		"both":       {Learner: predict.Forest{Trees: 15}, Split: true, Normalised: true, Level: 0.75},
	} {
		if (raceOn || testing.Short()) && name != "cv+" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			predicttest.Run(t, c, predicttest.AtLeast(9))
		})
	}
}

// TestConformalCovers checks the coverage on noise whose size depends on the
// row. With 40 tables of 100 rows to predict and a level of 0.9, the mean
// coverage has a standard deviation below 0.01 for each method; bounds are three
// of them away.
func TestConformalCovers(t *testing.T) {
	table := func(n int, seed uint64) *predict.Table {
		r := rng.New(seed, "conformal", 0)
		tb := &predict.Table{Columns: []predict.Column{{Name: "a"}, {Name: "b"}}}
		for range n {
			a, b := r.Float64(), r.Float64()
			tb.Add([]float64{a, b}, a+(0.1+b)*rng.Norm(r))
		}
		return tb
	}
	for name, c := range map[string]struct {
		o        predict.Conformal
		least    float64
		most     float64
		adaptive bool
	}{
		"cv+":        {predict.Conformal{Learner: predict.Boosted{Trees: 20}, Folds: 5}, 0.87, 0.95, false},
		"split":      {predict.Conformal{Learner: predict.Boosted{Trees: 20}, Split: true}, 0.87, 0.94, false},
		"normalised": {predict.Conformal{Learner: predict.Forest{Trees: 20, MinLeaf: 5}, Split: true, Normalised: true}, 0.87, 0.94, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, all := 0.0, 0.0
			narrow, wide := 0.0, 0.0
			tables := uint64(40)
			if raceOn || testing.Short() {
				tables = 6
				c.least, c.most = c.least-0.04, c.most+0.04
			}
			for seed := range tables {
				tb, probe := table(150, seed), table(100, 1000+seed)
				m, err := c.o.Fit(t.Context(), tb, seed)
				if err != nil {
					t.Fatal(err)
				}
				lo, hi := make([]float64, 100), make([]float64, 100)
				m.(*predict.ConformalModel).Interval(probe.X, lo, hi)
				for i, y := range probe.Y {
					all++
					if lo[i] <= y && y <= hi[i] {
						held++
					}
					if probe.Row(i)[1] < 0.5 {
						narrow += hi[i] - lo[i]
					} else {
						wide += hi[i] - lo[i]
					}
				}
			}
			if got := held / all; got < c.least || got > c.most {
				t.Errorf("the intervals hold %.3f of the targets; expected %v to %v", got, c.least, c.most)
			}
			if c.adaptive && wide < 1.3*narrow {
				t.Errorf("intervals are %.2f times as wide where the noise is three times as large; expected 1.3 at least", wide/narrow)
			}
		})
	}
}

// TestSplitQuantile compares the half-width with its definition.
func TestSplitQuantile(t *testing.T) {
	tb := predicttest.Table(40, 1)
	m, err := predict.Conformal{Learner: predict.Boosted{Trees: 5}, Split: true, Share: 0.5, Level: 0.9}.Fit(t.Context(), tb, 3)
	if err != nil {
		t.Fatal(err)
	}
	lo, hi, mean := make([]float64, 40), make([]float64, 40), make([]float64, 40)
	m.(*predict.ConformalModel).Interval(tb.X, lo, hi)
	m.Predict(tb.X, mean, nil)
	var misses []float64
	for _, i := range rng.New(3, "predict/conformal", 0).Perm(40)[:20] {
		misses = append(misses, math.Abs(tb.Y[i]-mean[i]))
	}
	slices.Sort(misses)
	if want, got := misses[18], (hi[0]-lo[0])/2; math.Abs(got-want) > 1e-12 { // ⌈21·0.9⌉ = 19th
		t.Errorf("half-width %v; expected %v", got, want)
	}
}

// TestAdaptiveFollows checks that adaptive intervals keep their level when the
// misses grow tenfold, where fixed ones lose it.
func TestAdaptiveFollows(t *testing.T) {
	r := rng.New(1, "adaptive", 0)
	a := predict.Adaptive{}
	var first []float64
	held, fixed, after := 0.0, 0.0, 0.0
	for i := range 2000 {
		miss := math.Abs(rng.Norm(r))
		if i >= 500 {
			miss *= 1 + 9*float64(i-500)/1500
		}
		in := a.Observe(miss)
		if i < 500 {
			first = append(first, miss)
			continue
		}
		if i == 500 {
			slices.Sort(first)
		}
		after++
		if in {
			held++
		}
		if miss <= first[450] {
			fixed++
		}
	}
	if got := held / after; got < 0.87 || got > 0.93 {
		t.Errorf("adaptive intervals held %.3f; expected 0.87 to 0.93", got)
	}
	if got := fixed / after; got > 0.6 {
		t.Errorf("fixed intervals held %.3f; the drift of this test is too weak", got)
	}
}
