package vector

import (
	"fmt"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
)

// projection is the linear projection benchmark with the sphere (Fontaine et al.
// 2020, section V): the objective is that of a shifted sphere as a percentage,
// the measures are the sums of the halves of the point, each coordinate clipped
// by c = 5.12/x beyond ±5.12.
func projection(x []float64, measures []float64) float64 {
	const shift = 5.12 * 0.4
	const worst = (5.12 + shift) * (5.12 + shift)
	sum := 0.0
	measures[0], measures[1] = 0, 0
	half := len(x) / 2
	for h, part := range [2][]float64{x[:half], x[half:]} {
		m := 0.0
		for _, v := range part {
			d := v - shift
			sum += d * d
			if v > 5.12 || v < -5.12 {
				v = 5.12 / v
			}
			m += v
		}
		measures[h] = m
	}
	return (1 - sum/(worst*float64(len(x)))) * 100
}

func projectionArchive(tb testing.TB, n int, rate float64) *Archive {
	bound := float64(n) / 2 * 5.12
	g, err := metric.NewGrid[struct{}](metric.Axis{Low: -bound, High: bound, Cells: 100}, metric.Axis{Low: -bound, High: bound, Cells: 100})
	if err != nil {
		tb.Fatal(err)
	}
	a, err := NewArchive(ArchiveOptions{Cells: g, Dim: n, Measures: 2, Rate: rate})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// illuminator makes the search of the benchmark: 15 emitters of 36 points with a
// standard deviation of 0.5, from the origin.
func illuminator(tb testing.TB, kind string, n int, seed uint64) *Illuminator {
	rate := 1.0
	if kind == "cma-mae" {
		rate = 0.01
	}
	a := projectionArchive(tb, n, rate)
	var es []Emitter
	for i := range 15 {
		s := seed*1000 + uint64(i)
		switch kind {
		case "map-elites":
			es = append(es, NewGaussian(make([]float64, n), 0.5, 36, s))
		case "iso-line":
			es = append(es, NewIsoLine(make([]float64, n), 0.5, 0.2, 36, s))
		case "cma-me", "cma-mae":
			e, err := NewImprovement(ImprovementOptions{Start: make([]float64, n), Sigma: 0.5, Batch: 36, Annealing: kind == "cma-mae", Seed: s})
			if err != nil {
				tb.Fatal(err)
			}
			es = append(es, e)
		}
	}
	return NewIlluminator(a, es...)
}

type round struct {
	x, f, m []float64
}

func (r *round) step(l *Illuminator, n int) {
	k := l.Batch()
	r.x, r.f, r.m = resize(r.x, k*n), resize(r.f, k), resize(r.m, 2*k)
	first := l.Ask(r.x)
	for i := range r.f {
		r.f[i] = projection(r.x[i*n:(i+1)*n], r.m[2*i:2*i+2])
	}
	l.Tell(first, r.x, r.f, r.m)
}

func BenchmarkIlluminate(b *testing.B) {
	const n = 20
	for _, kind := range []string{"map-elites", "iso-line", "cma-me", "cma-mae"} {
		b.Run(kind, func(b *testing.B) {
			l := illuminator(b, kind, n, 1)
			var r round
			rounds := 0
			b.ReportAllocs()
			for b.Loop() {
				if rounds++; rounds%185 == 0 {
					b.StopTimer()
					l = illuminator(b, kind, n, uint64(rounds))
					b.StartTimer()
				}
				r.step(l, n)
			}
			b.ReportMetric(float64(rounds*540)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}

func TestProbeQD(t *testing.T) {
	const n = 20
	for _, kind := range []string{"map-elites", "iso-line", "cma-me", "cma-mae"} {
		cov, cov2, qd, qd2 := 0.0, 0.0, 0.0, 0.0
		for seed := range 20 {
			l := illuminator(t, kind, n, uint64(seed))
			var r round
			for range 185 {
				r.step(l, n)
			}
			c, q := l.Archive().Coverage()*100, l.Archive().QDScore(0)
			cov += c / 20
			cov2 += c * c / 20
			qd += q / 20
			qd2 += q * q / 20
		}
		fmt.Printf("%s: coverage %.1f ± %.1f, QD %.0f ± %.0f\n", kind, cov, math.Sqrt(cov2-cov*cov), qd, math.Sqrt(qd2-qd*qd))
	}
}
