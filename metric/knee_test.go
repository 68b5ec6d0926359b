package metric

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestKnee(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		m      int
		points []float64
		want   int
	}{
		"no rows":             {2, nil, -1},
		"one objective":       {1, []float64{3, 1, 2, 1}, 1},
		"a clear knee":        {2, []float64{0, 10, 1, 2, 10, 0}, 1},
		"scales do not count": {2, []float64{0, 1e9, 1e-9, 2e8, 1e-8, 0}, 1},
		"two rows":            {2, []float64{0, 1, 1, 0}, 0},
		"no spread":           {2, []float64{5, 2, 5, 1, 5, 3}, 1},
		"all equal":           {3, []float64{1, 1, 1, 1, 1, 1}, 0},
		"three objectives":    {3, []float64{0, 1, 1, 1, 0, 1, 1, 1, 0, 0.3, 0.3, 0.3}, 3},
		"bad rows":            {2, []float64{nan, 0, 0, -inf, 0, 10, inf, 0, 1, 2, 10, 0}, 4},
		"only bad rows":       {2, []float64{nan, 0, inf, 1}, 0},
		"one good row":        {2, []float64{nan, 0, 7, 7}, 1},
		"the whole range":     {2, []float64{-math.MaxFloat64, math.MaxFloat64, 0, -math.MaxFloat64 / 2, math.MaxFloat64, -math.MaxFloat64}, 1},
		"hardly any range":    {1, []float64{5e-324, 0}, 0}, // half of it is 0
	} {
		if got := Knee(c.points, c.m); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestKneeAgreesWithTheObviousLoop(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 4).Draw(t, "m")
		p := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), m, 40*m).Draw(t, "points")
		p = p[:len(p)/m*m]
		n := len(p) / m
		dist := func(i int) float64 {
			sum := 0.0
			for k := range m {
				lo, hi := math.Inf(1), math.Inf(-1)
				for j := range n {
					lo, hi = min(lo, p[j*m+k]), max(hi, p[j*m+k])
				}
				if hi > lo {
					sum += math.Pow((p[i*m+k]-lo)/(hi-lo), 2)
				}
			}
			return math.Sqrt(sum)
		}
		got := Knee(p, m)
		for i := range n {
			if dist(i) < dist(got)-1e-12 {
				t.Fatalf("row %d at %v, but row %d is at %v", got, dist(got), i, dist(i))
			}
		}
	})
}
