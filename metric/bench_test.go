package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

func randomPoints(n, m int) []float64 {
	r := rand.New(rand.NewPCG(1, uint64(n*m)))
	p := make([]float64, n*m)
	for i := range p {
		p[i] = r.Float64()
	}
	return p
}

// frontPoints are mutually non-dominated: on a simplex or, for two objectives,
// a falling line.
func frontPoints(n, m int) []float64 {
	r := rand.New(rand.NewPCG(2, uint64(n*m)))
	p := make([]float64, 0, n*m)
	for range n {
		sum, at := 0.0, len(p)
		for range m {
			x := -math.Log(1 - r.Float64())
			p = append(p, x)
			sum += x
		}
		for j := range m {
			p[at+j] /= sum
		}
	}
	return p
}

func BenchmarkNonDominatedSort(b *testing.B) {
	for name, c := range map[string]struct{ n, m int }{
		"2000x2": {2000, 2}, "10000x3": {10000, 3}, "1000x5": {1000, 5},
	} {
		b.Run(name, func(b *testing.B) {
			p := randomPoints(c.n, c.m)
			var ranks []int32
			b.ReportAllocs()
			for b.Loop() {
				ranks = NonDominatedSort(p, c.m, ranks)
			}
		})
	}
}

func BenchmarkCrowdingDistance(b *testing.B) {
	b.Run("1000x3", func(b *testing.B) {
		p := frontPoints(1000, 3)
		var d []float64
		b.ReportAllocs()
		for b.Loop() {
			d = CrowdingDistance(p, 3, nil, d)
		}
	})
}

func BenchmarkHypervolume(b *testing.B) {
	for name, c := range map[string]struct{ n, m int }{
		"1000x2": {1000, 2}, "1000x3": {1000, 3}, "100000x3": {100000, 3}, "200x4": {200, 4}, "100x5": {100, 5},
	} {
		b.Run(name, func(b *testing.B) {
			p := frontPoints(c.n, c.m)
			ref := make([]float64, c.m)
			for i := range ref {
				ref[i] = 1.1
			}
			b.ReportAllocs()
			for b.Loop() {
				Hypervolume(p, c.m, ref)
			}
		})
	}
}

func BenchmarkFront(b *testing.B) {
	run := func(p []float64, m int) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var f Front[int]
				for i := 0; i < len(p)/m; i++ {
					f.Add(Score{Loss: p[i*m : i*m+m]}, i)
				}
			}
		}
	}
	b.Run("100000x2", run(frontPoints(100000, 2), 2)) // every point stays
	b.Run("100000x2-random", run(randomPoints(100000, 2), 2))
	b.Run("10000x3-random", run(randomPoints(10000, 3), 3))
}

func BenchmarkHypervolumeHistory(b *testing.B) {
	run := func(p []float64, m int) func(*testing.B) {
		return func(b *testing.B) {
			ref := make([]float64, m)
			for i := range ref {
				ref[i] = 1.1
			}
			for b.Loop() {
				h, _ := NewHypervolumeHistory(ref)
				for i := 0; i < len(p)/m; i++ {
					h.Add(Score{Loss: p[i*m : i*m+m]})
				}
			}
		}
	}
	b.Run("100000x2", run(frontPoints(100000, 2), 2))
	b.Run("10000x3-random", run(randomPoints(10000, 3), 3))
}

func BenchmarkGridAdd(b *testing.B) {
	g, err := NewGrid[int](Axis{Low: 0, High: 1, Cells: 100}, Axis{Low: 0, High: 1, Cells: 100})
	if err != nil {
		b.Fatal(err)
	}
	p := randomPoints(1<<14, 3)
	for i := 0; i < len(p); i += 3 {
		g.Add(p[i], p[i+1:i+3], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := i & (1<<14 - 1) * 3
		g.Add(p[at]+float64(i), p[at+1:at+3], i)
		i++
	}
}

func BenchmarkCVTAdd(b *testing.B) {
	c, err := NewCVT[int](CVTConfig{Axes: []Axis{{High: 1}, {High: 1}}}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		b.Fatal(err)
	}
	p := randomPoints(1<<14, 3)
	for i := 0; i < len(p); i += 3 {
		c.Add(p[i], p[i+1:i+3], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := i & (1<<14 - 1) * 3
		c.Add(p[at]+float64(i), p[at+1:at+3], i)
		i++
	}
}

func BenchmarkNewCVT(b *testing.B) {
	for b.Loop() {
		if _, err := NewCVT[int](CVTConfig{Axes: []Axis{{High: 1}, {High: 1}}}, rand.New(rand.NewPCG(1, 2))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKendall(b *testing.B) {
	b.Run("15625", func(b *testing.B) {
		p := randomPoints(15625, 2)
		for b.Loop() {
			Kendall(p[:15625], p[15625:])
		}
	})
}

func BenchmarkGoalScore(b *testing.B) {
	g := mustGoal(b, []string{"maximize accuracy", "minimize latency_ms"}, []string{"params_m <= 1", "energy <= 3 soft -0.07"})
	v := Values{"accuracy": 0.9, "latency_ms": 3, "params_m": 0.5, "energy": 4}
	b.ReportAllocs()
	for b.Loop() {
		g.Score(v)
	}
}

func BenchmarkImportance(b *testing.B) {
	for _, c := range []struct {
		name       string
		factors, n int
	}{
		{"8x10000", 8, 10000}, {"23x100000", 23, 100000}, {"300x1000", 300, 1000},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := randomPoints(c.n, c.factors)
			factors := make([]Factor, c.factors)
			for d := range factors {
				factors[d] = Factor{Values: p[d*c.n : d*c.n+c.n], Unordered: d%4 == 3}
				if d%4 >= 2 { // whole numbers and names
					for i, x := range factors[d].Values {
						factors[d].Values[i] = math.Floor(8 * x)
					}
				}
			}
			best := make([]bool, c.n)
			for i := range best {
				best[i] = factors[0].Values[i]+factors[1].Values[i] < 0.45
			}
			b.ReportAllocs()
			for b.Loop() {
				Importance(factors, best)
			}
		})
	}
}

func BenchmarkBestQuantile(b *testing.B) {
	for _, c := range []struct {
		name string
		n, m int
	}{
		{"100000x1", 100000, 1}, {"100000x2", 100000, 2}, {"100000x3", 100000, 3}, {"100000x4", 100000, 4}, {"100000x6", 100000, 6},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := randomPoints(c.n, c.m)
			violations := make([]float64, c.n)
			b.ReportAllocs()
			for b.Loop() {
				BestQuantile(p, c.m, violations, 0.1)
			}
		})
	}
}

func BenchmarkHypergeometricTail(b *testing.B) {
	for b.Loop() {
		HypergeometricTail(1_000_000, 500_000, 100_000, 50_300)
	}
}
