package evolve

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/searchtest"
)

// dtlz2 is the function of Deb, Thiele, Laumanns and Zitzler (2002) with three
// objectives.
func dtlz2(x, y []float64) {
	r := 1.0
	for _, v := range x[2:] {
		r += (v - 0.5) * (v - 0.5)
	}
	sin0, cos0 := math.Sincos(x[0] * math.Pi / 2)
	sin1, cos1 := math.Sincos(x[1] * math.Pi / 2)
	y[0], y[1], y[2] = r*cos0*cos1, r*cos0*sin1, r*sin0
}

// play asks and tells by batches and returns the losses of the searcher's
// population.
func play(tb testing.TB, m search.Method, setup search.Setup, evaluations, batch int, f func(x, y []float64)) []float64 {
	tb.Helper()
	s, err := m.New(setup)
	if err != nil {
		tb.Fatal(err)
	}
	var x []float64
	for done := 0; done < evaluations; {
		ps, err := s.Ask(min(batch, evaluations-done))
		if err != nil {
			tb.Fatal(err)
		}
		var outcomes []search.Outcome
		for _, p := range ps {
			y := make([]float64, max(setup.Objectives, 1))
			x = p.Design.Numbers(x[:0])
			f(x, y)
			outcomes = append(outcomes, search.Outcome{ID: p.ID, Design: p.Design, Status: search.Complete, Score: metric.Score{Loss: y}})
		}
		s.Tell(outcomes...)
		done += len(ps)
	}
	switch s := s.(type) {
	case *nsga2:
		return s.losses
	case *nsga3:
		return s.losses
	case *genetic:
		return s.losses
	case *moead:
		return s.losses
	case *smsemoa:
		return s.volumes.rows
	}
	tb.Fatalf("no population of %T", s)
	return nil
}

// sphereFront is the true front of DTLZ2 at the reference lines.
func sphereFront(points []float64, m int) []float64 {
	out := slices.Clone(points)
	for i := 0; i < len(out); i += m {
		norm := 0.0
		for _, x := range out[i : i+m] {
			norm += x * x
		}
		for j := range m {
			out[i+j] /= math.Sqrt(norm)
		}
	}
	return out
}

// After 400 generations on DTLZ2 with 91 reference points the mean distance from
// the points of the true front on the reference lines to the nearest survivor is
// below 0.02; over seeds it is 0.0012 ± 0.0003.
func TestNSGA3OnDTLZ2(t *testing.T) {
	t.Parallel()
	seeds := 3
	if testing.Short() || raceEnabled {
		seeds = 1
	}
	target := sphereFront(lattice(3, 12), 3)
	for seed := range seeds {
		got := play(t, NSGA3{}, search.Setup{Space: reals(12), Objectives: 3, Seed: uint64(seed)}, 400*92, 92, dtlz2)
		igd := metric.IGD(got, target, 3)
		t.Logf("seed %d: IGD %.5f of %d", seed, igd, len(got)/3)
		if igd > 0.02 {
			t.Errorf("seed %d: IGD %.5f, want below 0.02", seed, igd)
		}
	}
}

// NSGA-III leaves fewer reference lines without a survivor than NSGA-II.
func TestNSGA3SpreadsBetterThanNSGA2(t *testing.T) {
	t.Parallel()
	lines := sphereFront(lattice(3, 12), 3)
	empty := func(losses []float64) int {
		used := map[int32]bool{}
		for i := 0; i < len(losses); i += 3 {
			k, _ := nearestLine(lines, losses[i:i+3])
			used[k] = true
		}
		return len(lines)/3 - len(used)
	}
	setup := search.Setup{Space: reals(12), Objectives: 3, Seed: 1}
	two := empty(play(t, NSGA2{Population: 92}, setup, 100*92, 92, dtlz2))
	three := empty(play(t, NSGA3{}, setup, 100*92, 92, dtlz2))
	t.Logf("lines without a survivor: %d of NSGA-II, %d of NSGA-III", two, three)
	if three >= two/2 {
		t.Errorf("%d lines without a survivor, want fewer than half of NSGA-II's %d", three, two)
	}
}

func TestLattice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ m, steps, want int }{{1, 1, 1}, {2, 99, 100}, {3, 12, 91}, {4, 7, 120}, {5, 6, 210}, {8, 3, 120}, {10, 3, 220}} {
		p := lattice(c.m, c.steps)
		if len(p) != c.want*c.m || latticeSize(c.m, c.steps, maxPoints) != c.want {
			t.Errorf("lattice(%d, %d) has %d points, counted %d, want %d", c.m, c.steps, len(p)/c.m, latticeSize(c.m, c.steps, maxPoints), c.want)
		}
		for i := 0; i < len(p); i += c.m {
			sum := 0.0
			for _, x := range p[i : i+c.m] {
				sum += x
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Fatalf("point %v sums to %v", p[i:i+c.m], sum)
			}
		}
	}
	if got := latticeSize(20, 40, 1000); got != 1001 {
		t.Errorf("latticeSize above its limit = %d, want 1001", got)
	}
	for _, c := range []struct{ m, want int }{{8, 156}, {10, 275}, {15, 135}} { // Deb and Jain 2014, table I
		if got := len(referencePoints(c.m, 0, 0, maxPoints)) / c.m; got != c.want {
			t.Errorf("%d reference points of %d objectives, want %d", got, c.m, c.want)
		}
	}
}

// The plane through extreme points is found whatever the scales, and without
// one the worst of the front serves.
func TestPlane(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "plane", 0)
	for _, scale := range []float64{1e-12, 1, 1e12} {
		p := plane{m: 3}
		var rows []float64
		for range 300 {
			a, b := r.Float64(), r.Float64()
			if a+b > 1 {
				a, b = 1-a, 1-b
			}
			rows = append(rows, scale*a, 1000*scale*b+5, 0.001*scale*(1-a-b))
		}
		rows = append(rows, scale, 5, 0, 0, 1000*scale+5, 0, 0, 5, 0.001*scale)
		for i := 0; i < len(rows); i += 3 {
			p.see(rows[i : i+3])
		}
		p.fit(rows, rows)
		for j, want := range []float64{scale, 1000*scale + 5, 0.001 * scale} {
			if math.Abs(p.nadir[j]-want) > 1e-3*want {
				t.Errorf("scale %g: nadir %v of objective %d, want %v", scale, p.nadir[j], j, want)
			}
		}
	}
	p := plane{m: 2}
	p.see([]float64{1, 1})
	p.fit([]float64{1, 1}, []float64{1, 1})
	x := make([]float64, 2)
	if p.normal([]float64{1, 1}, x); x[0] != 0 || x[1] != 0 {
		t.Errorf("a single point is normalised to %v, want zeros", x)
	}
}

func TestNSGA3Laws(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]NSGA3{"default": {}, "small": {Population: 6, Crossover: 0.5, Mutation: 0.3}, "layers": {Partitions: 2, Inner: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchtest.Run(t, o)
		})
	}
}

func TestNSGA3New(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o          NSGA3
		objectives int
		budget     int64
		want       int
	}{{NSGA3{}, 3, 0, 92}, {NSGA3{}, 2, 0, 100}, {NSGA3{}, 1, 0, 4}, {NSGA3{}, 3, 100, 16}, {NSGA3{Population: 50}, 3, 0, 50}, {NSGA3{}, 8, 0, 156}} {
		s, err := c.o.New(search.Setup{Space: reals(3), Objectives: c.objectives, Budget: c.budget})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.(*nsga3).Batch(); got != c.want {
			t.Errorf("%+v with %d objectives and budget %d: population %d, want %d", c.o, c.objectives, c.budget, got, c.want)
		}
	}
	for _, c := range []struct {
		o    NSGA3
		m    int
		want string
	}{
		{NSGA3{Population: 1}, 3, "nsga3: population: found 1, want 2 to 100000, or 0 for the default"},
		{NSGA3{Partitions: -1}, 3, "nsga3: partitions: found -1, want 0 to 1000"},
		{NSGA3{Partitions: 1000}, 5, "nsga3: partitions: found 1000, want at most 100000 reference points with 5 objectives"},
		{NSGA3{Screen: "some"}, 3, `nsga3: screen: found "some", want all, start or none`},
	} {
		if _, err := c.o.New(search.Setup{Space: reals(3), Objectives: c.m}); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", fmt.Sprint(c.o), err, c.want)
		}
	}
}
