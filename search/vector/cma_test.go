package vector

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sphere(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return sum
}

func rosenbrock(x []float64) float64 {
	sum := 0.0
	for i := range len(x) - 1 {
		a, b := x[i+1]-x[i]*x[i], 1-x[i]
		sum += 100*a*a + b*b
	}
	return sum
}

func rastrigin(x []float64) float64 {
	sum := 10 * float64(len(x))
	for _, v := range x {
		sum += v*v - 10*math.Cos(2*math.Pi*v)
	}
	return sum
}

func ellipsoid(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Pow(1e6, float64(i)/float64(len(x)-1)) * v * v
	}
	return sum
}

// quick skips a statistical test that needs too many evaluations for the race
// detector and for -short.
func quick(t *testing.T) {
	t.Helper()
	if testing.Short() || raceEnabled {
		t.Skip("needs many evaluations")
	}
}

// spend runs a search for a number of evaluations or until the target is met,
// and returns the best loss and the evaluations made.
func spend(c Core, f func([]float64) float64, evaluations int, target float64) (best float64, used int) {
	best = math.Inf(1)
	n := c.Dim()
	var x, loss []float64
	at := make([]float64, n)
	for used < evaluations {
		k := c.Batch()
		x, loss = resize(x, k*n), resize(loss, k)
		first := c.Ask(x)
		for i := range loss {
			c.Decode(at, x[i*n:(i+1)*n])
			loss[i] = f(at)
			used++
			if best = min(best, loss[i]); best <= target {
				return best, used
			}
		}
		c.Tell(first, x, loss)
	}
	return best, used
}

func resize(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	return x[:n]
}

// cmaFrom begins at a random mean in [-r, r]ⁿ.
func cmaFrom(tb testing.TB, n int, r, sigma float64, seed uint64, restart Restart) *CMA {
	s := newSource(seed, "test/mean")
	mean := make([]float64, n)
	for i := range mean {
		mean[i] = (2*s.unit() - 1) * r
	}
	c, err := NewCMA(CMAOptions{Coordinates: make([]Coordinate, n), Mean: mean, Sigma: sigma, Restart: restart, Seed: seed})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// marginCMA searches 10 integers and 10 reals in [-10, 10].
func marginCMA(tb testing.TB, margin float64, seed uint64) *CMA {
	s := newSource(seed, "test/mean")
	mean := make([]float64, 20)
	for i := range mean {
		mean[i] = 20*s.unit() - 10
	}
	c, err := NewCMA(CMAOptions{
		Coordinates: append(Integers(10, -10, 10), Reals(10, -10, 10)...), Mean: mean, Sigma: 1.0 / 6, Margin: margin, Seed: seed,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestCMATargets holds evaluations to 1e-8 to those of pycma 4.5 and cmaes 0.13,
// means of 10 seeds from the same kind of start. The mean of five of our runs has
// a standard error of about 2 % on sphere and ellipsoid and 5 % on Rosenbrock's
// function, where one run in ten or so ends in the local minimum and is left out;
// the bound is 15 %, and 30 % there.
func TestCMATargets(t *testing.T) {
	t.Parallel()
	quick(t)
	for name, c := range map[string]struct {
		f         func([]float64) float64
		n         int
		reference float64 // the better of the two
		tolerance float64
	}{
		"sphere 10":     {sphere, 10, 1329, 1.15},
		"sphere 20":     {sphere, 20, 2540, 1.15},
		"ellipsoid 10":  {ellipsoid, 10, 4040, 1.15},
		"ellipsoid 20":  {ellipsoid, 20, 12964, 1.15},
		"rosenbrock 10": {rosenbrock, 10, 5169, 1.3},
	} {
		sum, hits := 0, 0
		for seed := range uint64(7) {
			best, used := spend(cmaFrom(t, c.n, 2, 1, seed, NoRestart), c.f, 30_000, 1e-8)
			if best <= 1e-8 {
				sum += used
				hits++
			}
		}
		if hits < 5 || float64(sum)/float64(hits) > c.tolerance*c.reference {
			t.Errorf("%s: %d of 7 runs reached the target, in %d evaluations on average; want 5 and at most %.0f", name, hits, sum/max(hits, 1), c.tolerance*c.reference)
		}
	}
}

// TestBoundOptimum: optima in the corner of the bounds and beyond are found as
// quickly as one inside.
func TestBoundOptimum(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func([]float64) float64{
		"linear":      func(x []float64) float64 { return x[0] + 2*x[1] + 3*x[2] + x[3] + x[4] },
		"mixed":       func(x []float64) float64 { return x[0] + 5*x[1] + 100*(x[2]-0.3)*(x[2]-0.3) + 1 - x[3] + x[4]*x[4] },
		"beyond":      func(x []float64) float64 { return sphereAt(x, -0.3) - 5*0.09 },
		"upper":       func(x []float64) float64 { return sphereAt(x, 1) },
		"unreachable": func(x []float64) float64 { return sphereAt(x, 1.4) - 5*0.4*0.4 },
	} {
		for seed := range uint64(5) {
			c, err := NewCMA(CMAOptions{Coordinates: Reals(5, 0, 1), Sigma: 0.2, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			inside := func(x []float64) float64 {
				for _, v := range x {
					if !(v >= 0 && v <= 1) {
						t.Fatalf("%s: evaluated at %v", name, x)
					}
				}
				return f(x)
			}
			if best, used := spend(c, inside, 2500, 1e-7); best > 1e-7 {
				t.Errorf("%s, seed %d: %v after %d evaluations, want 1e-7", name, seed, best, used)
			}
		}
	}
}

func sphereAt(x []float64, c float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += (v - c) * (v - c)
	}
	return sum
}

// TestMargin: with the margin no run is stuck on a wrong integer.
func TestMargin(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		if best, used := spend(marginCMA(t, 0, seed), sphere, 8000, 1e-8); best > 1e-8 {
			t.Errorf("seed %d: %v after %d evaluations", seed, best, used)
		}
	}
}

// TestMarginHolds: after every update each discrete coordinate leaves its level
// with at least nearly the margin's probability.
func TestMarginHolds(t *testing.T) {
	t.Parallel()
	c, err := NewCMA(CMAOptions{Coordinates: append(Integers(5, 0, 1), Integers(5, 0, 9)...), Margin: 0.05, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	n, k := c.Dim(), c.Batch()
	x, loss := make([]float64, n*k), make([]float64, k)
	at := make([]float64, n)
	for range 300 { // converge: every coordinate wants to be 1
		first := c.Ask(x)
		for i := range loss {
			c.Decode(at, x[i*n:(i+1)*n])
			loss[i] = sphereAt(at, 1)
		}
		c.Tell(first, x, loss)
	}
	const draws = 20_000
	off := make([]float64, n)
	one := make([]float64, n)
	for range draws {
		c.Ask(one)
		c.Decode(at, one)
		for i, v := range at {
			if v != 1 {
				off[i] += 1.0 / draws
			}
		}
	}
	for i, p := range off {
		if p < 0.04 || p > 0.2 {
			t.Errorf("coordinate %d leaves its level with probability %.3f, want about 0.05", i, p)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		c, err := NewCMA(CMAOptions{Coordinates: append(Categories(20, 5), Reals(5, -1, 1)...), Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		f := func(x []float64) float64 {
			sum := sphere(x[20:])
			for i, v := range x[:20] {
				if int(v) != i%5 {
					sum++
				}
			}
			return sum
		}
		if best, used := spend(c, f, 4000, 1e-8); best > 1e-8 {
			t.Errorf("seed %d: %v after %d evaluations", seed, best, used)
		}
		sum := 0.0
		for _, q := range c.q {
			if q < 0 {
				t.Errorf("probability %v", q)
			}
			sum += q
		}
		if math.Abs(sum-20) > 1e-9 {
			t.Errorf("20 distributions sum to %v", sum)
		}
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	quick(t)
	for name, restart := range map[string]Restart{"ipop": IPOP, "bipop": BIPOP} {
		c := cmaFrom(t, 5, 5, 1, 1, restart)
		if best, used := spend(c, rastrigin, 100_000, 1e-8); best > 1e-8 || c.Restarts() == 0 || c.Stopped() == "" {
			t.Errorf("%s: %v after %d evaluations and %d restarts (%s)", name, best, used, c.Restarts(), c.Stopped())
		}
	}
	c := cmaFrom(t, 5, 5, 1, 1, IPOP)
	spend(c, func([]float64) float64 { return 1 }, 3000, 0)
	if !strings.HasPrefix(c.Stopped(), "flat") {
		t.Errorf("a constant function ends with %q", c.Stopped())
	}
}

func TestSeparable(t *testing.T) {
	t.Parallel()
	quick(t)
	c, err := NewCMA(CMAOptions{Coordinates: Reals(200, -5, 5), Separable: true, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	f := func(x []float64) float64 {
		sum := 0.0
		for i, v := range x {
			sum += math.Pow(1e4, float64(i)/199) * (v - 1) * (v - 1)
		}
		return sum
	}
	if best, used := spend(c, f, 45_000, 1e-6); best > 1e-6 {
		t.Errorf("separable ellipsoid of 200 coordinates: %v after %d evaluations", best, used)
	}
}

// TestCMASurvives: lost, late, infinite, missing and foreign results, and losses
// that are all equal for a long time.
func TestCMASurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		coordinates := append(Reals(3, -1, 1), append(Integers(2, 0, 4), Categories(2, 3)...)...)
		if rapid.Bool().Draw(t, "unbounded") {
			coordinates = append(coordinates, Coordinate{})
		}
		c, err := NewCMA(CMAOptions{
			Coordinates: coordinates, Separable: rapid.Bool().Draw(t, "separable"),
			Restart: Restart(rapid.IntRange(0, 2).Draw(t, "restart")), Seed: rapid.Uint64().Draw(t, "seed"),
		})
		if err != nil {
			t.Fatal(err)
		}
		n := c.Dim()
		type point struct {
			number int64
			x      []float64
		}
		var waiting []point
		s := newSource(rapid.Uint64().Draw(t, "fates"), "test")
		constant := rapid.Bool().Draw(t, "constant")
		at := make([]float64, n)
		for range 600 {
			x := make([]float64, n)
			p := point{c.Ask(x), x}
			c.Decode(at, x)
			for i, v := range at {
				if !finite(v) || i < 3 && !(v >= -1 && v <= 1) || i >= 3 && i < 7 && v != math.Floor(v) {
					t.Fatalf("coordinate %d is %v", i, v)
				}
			}
			waiting = append(waiting, p)
			switch s.below(8) {
			case 0:
				continue
			case 1:
				waiting = waiting[:len(waiting)-1] // lost
				continue
			}
			k := s.below(len(waiting))
			p = waiting[k]
			waiting = slices.Delete(waiting, k, k+1)
			loss := []float64{sphere(p.x), math.Inf(1), math.NaN(), math.Inf(-1), 1e300, -1e300, 0, sphere(p.x)}[s.below(8)]
			if constant {
				loss = 1
			}
			number := p.number
			if s.below(10) == 0 {
				number = -1
			}
			c.Tell(number, p.x, []float64{loss})
		}
		if !finite(c.Sigma()) || slices.ContainsFunc(c.Mean(), func(v float64) bool { return !finite(v) }) {
			t.Fatalf("sigma %v, mean %v", c.Sigma(), c.Mean())
		}
	})
}

// TestInjection: a good point from elsewhere pulls the search there.
func TestInjection(t *testing.T) {
	t.Parallel()
	f := func(x []float64) float64 { return sphereAt(x, 40) }
	run := func(inject bool) int {
		c := cmaFrom(t, 10, 1, 0.3, 1, NoRestart)
		if inject {
			x := slices.Repeat([]float64{40}, 10)
			c.Tell(-1, x, []float64{0})
		}
		_, used := spend(c, f, 20_000, 1e-6)
		return used
	}
	if plain, helped := run(false), run(true); helped >= plain {
		t.Errorf("%d evaluations with the optimum told, %d without", helped, plain)
	}
}

func TestBend(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Float64Range(0, 1).Draw(t, "u")
		if v := bend(unbend(u)); math.Abs(v-u) > 1e-12 {
			t.Fatalf("bend(unbend(%v)) = %v", u, v)
		}
		w := rapid.Float64().Draw(t, "w")
		if v := bend(w); !(v >= 0 && v <= 1) {
			t.Fatalf("bend(%v) = %v", w, v)
		}
		x := rapid.Float64Range(-3, 3).Draw(t, "x")
		if d := math.Abs(bend(x) - bend(x+1e-6)); d > 1.0001e-6 {
			t.Fatalf("bend jumps by %v at %v", d, x)
		}
	})
}

// TestGolden pins the numbers: they must be the same on every platform.
func TestGolden(t *testing.T) {
	t.Parallel()
	got := ""
	for name, c := range map[string]func() (Core, error){
		"cma": func() (Core, error) {
			return NewCMA(CMAOptions{Coordinates: append(Reals(4, -1, 2), append(Integers(2, 0, 9), Categories(1, 4)...)...), Restart: IPOP, Seed: 7})
		},
		"de":  func() (Core, error) { return NewDE(DEOptions{Coordinates: Reals(5, -1, 2), Seed: 7}) },
		"pso": func() (Core, error) { return NewPSO(PSOOptions{Coordinates: Reals(5, -1, 2), Seed: 7}) },
	} {
		m, err := c()
		if err != nil {
			t.Fatal(err)
		}
		x, loss := Minimize(m, 2000, func(x []float64) float64 {
			sum := 0.0
			for i, v := range x {
				d := v - float64(i)/10
				sum += float64(d * d)
			}
			return sum
		})
		got = fmt.Sprintf("%s %x %x", name, math.Float64bits(x[0]), math.Float64bits(loss))
		if want := golden[name]; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

var golden = map[string]string{
	"cma": "cma 3e34819f50000000 3fe23d70a3d70a3e",
	"de":  "de bf223e44c3e76000 3e7b9f618c555b70",
	"pso": "pso bea04146dfe00000 3eb08082e42a4bb3",
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]func() error{
		"no coordinates": func() error { _, err := NewCMA(CMAOptions{}); return err },
		"mean: found 1 numbers, want 2": func() error {
			_, err := NewCMA(CMAOptions{Coordinates: Reals(2, 0, 1), Mean: []float64{1}})
			return err
		},
		"sigma: found NaN":     func() error { _, err := NewCMA(CMAOptions{Coordinates: Reals(2, 0, 1), Sigma: math.NaN()}); return err },
		"population: found 1":  func() error { _, err := NewCMA(CMAOptions{Coordinates: Reals(2, 0, 1), Population: 1}); return err },
		"bounds: found 2 to 1": func() error { _, err := NewCMA(CMAOptions{Coordinates: Reals(2, 2, 1)}); return err },
		"bounds: found none":   func() error { _, err := NewCMA(CMAOptions{Coordinates: []Coordinate{{Step: 1}}}); return err },
		"rising numbers": func() error {
			_, err := NewCMA(CMAOptions{Coordinates: []Coordinate{{High: 1, Cuts: []float64{0.5, 0.2}}}})
			return err
		},
		"de: found a category":       func() error { _, err := NewDE(DEOptions{Coordinates: Categories(1, 3)}); return err },
		"de: population: found 3":    func() error { _, err := NewDE(DEOptions{Coordinates: Reals(2, 0, 1), Population: 3}); return err },
		"pso: found no bounds":       func() error { _, err := NewPSO(PSOOptions{Coordinates: Reals(1, 0, 0)}); return err },
		"pso: inertia: found 1":      func() error { _, err := NewPSO(PSOOptions{Coordinates: Reals(1, 0, 1), Inertia: 1}); return err },
		"archive: cells: found none": func() error { _, err := NewArchive(ArchiveOptions{Dim: 1, Measures: 1}); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// BenchmarkCMA minimises Rosenbrock's function again and again, so that the
// search does not sit on the optimum.
func BenchmarkCMA(b *testing.B) {
	for _, n := range []int{10, 20, 40} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			c := cmaFrom(b, n, 2, 1, 1, NoRestart)
			k := c.Batch()
			x, loss := make([]float64, k*n), make([]float64, k)
			generations := 0
			b.ReportAllocs()
			for b.Loop() {
				if generations++; generations%1000 == 0 {
					c = cmaFrom(b, n, 2, 1, uint64(generations), NoRestart)
				}
				first := c.Ask(x)
				for i := range loss {
					loss[i] = rosenbrock(x[i*n : (i+1)*n])
				}
				c.Tell(first, x, loss)
			}
			b.ReportMetric(float64(generations*k)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
