package vector

import (
	"math"
	"testing"

	"pgregory.net/rapid"

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

// measure runs the benchmark for 185 rounds, 99,900 evaluations, and returns mean
// and standard deviation over seeds of coverage in percent and QD-score.
func measure(tb testing.TB, kind string, seeds int) (coverage, score [2]float64) {
	var c, q []float64
	for seed := range seeds {
		l := illuminator(tb, kind, 20, uint64(seed))
		var r round
		for range 185 {
			r.step(l, 20)
		}
		c = append(c, 100*l.Archive().Coverage())
		q = append(q, l.Archive().QDScore(0))
	}
	return stats(c), stats(q)
}

func stats(x []float64) [2]float64 {
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
		square += v * v / float64(len(x))
	}
	return [2]float64{mean, math.Sqrt(max(square-mean*mean, 0))}
}

// TestProjection holds coverage and QD-score of the 20-D linear projection to
// those of pyribs 0.12 with the same settings, means of 20 seeds: MAP-Elites with
// Gaussian noise 52.1 % and 427,900, CMA-ME 69.4 % and 550,900, CMA-MAE 47.1 % and
// 424,300. The standard deviation of a run is at most 1.5 points and 10,600, so
// that the mean of six lies within 2.5 % with a probability above 99 %.
func TestProjection(t *testing.T) {
	t.Parallel()
	quick(t)
	const seeds = 6
	for kind, want := range map[string][2]float64{"map-elites": {52.1, 427_900}, "cma-me": {69.4, 550_900}, "cma-mae": {47.1, 424_300}} {
		coverage, score := measure(t, kind, seeds)
		t.Logf("%s: coverage %.1f %%, QD-score %.0f", kind, coverage[0], score[0])
		if coverage[0] < 0.975*want[0] || score[0] < 0.975*want[1] {
			t.Errorf("%s: coverage %.1f %% and QD-score %.0f, want at least %.1f %% and %.0f less 2.5 %%", kind, coverage[0], score[0], want[0], want[1])
		}
	}
}

// TestArchive compares the flat archive with that of package metric, and
// thresholds with their closed form: after k equal objectives f the threshold is
// (1-a)^k·t + (1-(1-a)^k)·f.
func TestArchive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		axes := []metric.Axis{{Low: 0, High: 1, Cells: 3}, {Low: -1, High: 1, Cells: 4}}
		g, err := metric.NewGrid[int](axes...)
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewArchive(ArchiveOptions{Cells: g, Dim: 1, Measures: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(1, 200).Draw(t, "points") {
			m := []float64{rapid.Float64Range(-0.5, 1.5).Draw(t, "u"), rapid.Float64Range(-1, 1).Draw(t, "v")}
			f := rapid.Float64Range(-5, 5).Draw(t, "objective")
			switch rapid.IntRange(0, 9).Draw(t, "fate") {
			case 0:
				m[0] = math.NaN()
			case 1:
				f = math.Inf(-1)
			}
			want := g.Add(f, m, i)
			if got, _ := a.Add([]float64{float64(i)}, m, f); got != want {
				t.Fatalf("Add(%v, %v) = %v, want %v", f, m, got, want)
			}
		}
		if a.Len() != g.Len() || math.Abs(a.QDScore(-5)-g.QDScore(-5)) > 1e-9 || a.Coverage() != g.Coverage() {
			t.Fatalf("%d cells with %v, want %d with %v", a.Len(), a.QDScore(-5), g.Len(), g.QDScore(-5))
		}
		for k := range a.Len() {
			cell, x, _, f := a.At(k)
			e, _ := g.At(cell)
			if e.Objective != f || float64(e.Item) != x[0] {
				t.Fatalf("cell %d holds %v with %v, want %v with %v", cell, x, f, e.Item, e.Objective)
			}
		}
		if best, ok := g.Best(); ok {
			if _, _, _, f := a.At(a.Best()); f != best.Objective {
				t.Fatalf("best is %v, want %v", f, best.Objective)
			}
		}
	})
	g, err := metric.NewGrid[int](metric.Axis{Low: 0, High: 1, Cells: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewArchive(ArchiveOptions{Cells: g, Dim: 1, Measures: 1, Rate: 0.1, Threshold: 2})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 20 {
		before := 2*math.Pow(0.9, float64(k)) + 7*(1-math.Pow(0.9, float64(k)))
		want := metric.Improved
		if k == 0 {
			want = metric.New
		}
		if status, gain := a.Add([]float64{0}, []float64{0.5}, 7); status != want || math.Abs(gain-(7-before)) > 1e-12 {
			t.Fatalf("Add %d = %v, %v, want %v, %v", k, status, gain, want, 7-before)
		}
	}
	if status, gain := a.Add([]float64{0}, []float64{0.5}, 3); status != metric.Rejected || gain >= 0 {
		t.Errorf("Add below the threshold = %v, %v", status, gain)
	}
}

// TestBandit: it goes where the success is, and follows when that moves.
func TestBandit(t *testing.T) {
	t.Parallel()
	b := NewBandit(4, 0, 0)
	s := newSource(1, "test")
	for good := range 4 {
		count := 0
		for k := range 2000 {
			arm := b.Choose()
			p := 0.05
			if arm == good {
				p = 0.6
			}
			reward := 0.0
			if s.unit() < p {
				reward = 1
			}
			if k%10 != 9 { // some are lost
				b.Reward(arm, reward)
			}
			if arm == good && k >= 1000 {
				count++
			}
		}
		if count < 700 {
			t.Errorf("the good arm %d was chosen %d times of the last 1000", good, count)
		}
	}
	for arm, want := range []bool{false, false, false, true} {
		if share, mean := b.Share(arm); (share > 0.5) != want || (mean > 0.4) != want {
			t.Errorf("arm %d: share %.2f, mean reward %.2f", arm, share, mean)
		}
	}
}

// TestIlluminatorSurvives: results in pieces, out of order, twice, late, never and
// from elsewhere, with a bandit.
func TestIlluminatorSurvives(t *testing.T) {
	t.Parallel()
	const n = 4
	a := projectionArchive(t, n, 1)
	es, err := NewImprovement(ImprovementOptions{Start: make([]float64, n), Batch: 6, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := NewIlluminator(a, es, NewGaussian(make([]float64, n), 0.5, 5, 2), NewIsoLine(make([]float64, n), 0.1, 0.2, 3, 3))
	l.Bandit(NewBandit(3, 0, 0))
	s := newSource(2, "test")
	m := make([]float64, 2)
	type point struct {
		number int64
		x      []float64
	}
	var waiting []point
	rounds := 30_000
	if testing.Short() || raceEnabled {
		rounds = 5000
	}
	for range rounds {
		x := make([]float64, n*(1+s.below(3)))
		first := l.Ask(x)
		for k := range len(x) / n {
			waiting = append(waiting, point{first + int64(k), x[k*n : (k+1)*n]})
		}
		for range 2 {
			k := s.below(len(waiting))
			p := waiting[k]
			f := projection(p.x, m)
			if s.below(20) == 0 {
				f = math.NaN()
			}
			number := p.number
			if s.below(20) == 0 {
				number = -1
			}
			l.Tell(number, p.x, []float64{f}, m)
			if s.below(3) > 0 {
				waiting[k] = waiting[len(waiting)-1]
				waiting = waiting[:len(waiting)-1]
			}
		}
		if len(waiting) > 200 {
			waiting = waiting[100:]
		}
	}
	if a.Coverage() < 0.02 {
		t.Errorf("coverage %.3f", a.Coverage())
	}
}
