package vector

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func medians(t *testing.T, seeds, evaluations int, f func([]float64) float64, c func(seed uint64) (Core, error)) float64 {
	t.Helper()
	var out []float64
	for seed := range uint64(seeds) {
		m, err := c(seed)
		if err != nil {
			t.Fatal(err)
		}
		_, loss := Minimize(m, evaluations, f)
		out = append(out, loss)
	}
	slices.Sort(out)
	return out[seeds/2]
}

// TestDE runs Rosenbrock's function of 10 coordinates in [-5, 5] for 50,000
// evaluations. With F = 0.5 and CR = 0.9 a population of 50 comes to about 4 in
// this implementation and in a textbook one in another language (medians of 11
// seeds: 3.8 and 4.4, by the treatment of bounds); the bound is a factor of 3 to
// either side of 1.7, which the method card reports. Adaptive parameters are far
// better.
func TestDE(t *testing.T) {
	t.Parallel()
	quick(t)
	plain := medians(t, 9, 50_000, rosenbrock, func(seed uint64) (Core, error) {
		return NewDE(DEOptions{Coordinates: Reals(10, -5, 5), Population: 50, F: 0.5, CR: 0.9, Seed: seed})
	})
	if plain < 1.7/3 || plain > 1.7*3 {
		t.Errorf("DE/rand/1/bin: median %v, want 0.57 to 5.1", plain)
	}
	adaptive := medians(t, 9, 50_000, rosenbrock, func(seed uint64) (Core, error) {
		return NewDE(DEOptions{Coordinates: Reals(10, -5, 5), Seed: seed})
	})
	if adaptive > 1 {
		t.Errorf("jDE: median %v, want at most 1", adaptive)
	}
}

// TestPSO holds a swarm of 30 to the method card: on the sphere of 10 coordinates
// in ±5.12 both topologies come below 1e-12 in 20,000 evaluations, the global one
// first; neither solves Rastrigin's function in 40,000, both come to about 6.
func TestPSO(t *testing.T) {
	t.Parallel()
	quick(t)
	swarm := func(ring bool) func(seed uint64) (Core, error) {
		return func(seed uint64) (Core, error) {
			return NewPSO(PSOOptions{Coordinates: Reals(10, -5.12, 5.12), Ring: ring, Seed: seed})
		}
	}
	global, ring := medians(t, 9, 20_000, sphere, swarm(false)), medians(t, 9, 20_000, sphere, swarm(true))
	if global > 1e-12 || ring > 1e-12 || global > ring {
		t.Errorf("sphere: median %v with the global best and %v with a ring, want both below 1e-12 and the first below the second", global, ring)
	}
	for _, r := range []bool{false, true} {
		if got := medians(t, 9, 40_000, rastrigin, swarm(r)); got < 2 || got > 12 {
			t.Errorf("Rastrigin, ring %v: median %v, want 2 to 12", r, got)
		}
	}
}

// TestPopulationsSurvive: lost, late, bad and foreign results.
func TestPopulationsSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		coordinates := append(Reals(3, -1, 1), Integers(2, 0, 4)...)
		seed := rapid.Uint64().Draw(t, "seed")
		var c Core
		var err error
		if rapid.Bool().Draw(t, "de") {
			c, err = NewDE(DEOptions{Coordinates: coordinates, Population: 6, Seed: seed})
		} else {
			c, err = NewPSO(PSOOptions{Coordinates: coordinates, Particles: 5, Ring: rapid.Bool().Draw(t, "ring"), Seed: seed})
		}
		if err != nil {
			t.Fatal(err)
		}
		s := newSource(seed, "test")
		x := make([]float64, 4*c.Dim())
		at := make([]float64, c.Dim())
		for range 300 {
			first := c.Ask(x)
			c.Decode(at, x[:c.Dim()])
			for i, v := range at {
				if i < 3 && !(v >= -1 && v <= 1) || i >= 3 && (v != math.Floor(v) || v < 0 || v > 4) {
					t.Fatalf("coordinate %d is %v", i, v)
				}
			}
			for k := range 4 {
				p := x[k*c.Dim() : (k+1)*c.Dim()]
				loss := []float64{sphere(p), math.Inf(1), math.NaN(), 1, sphere(p)}[s.below(5)]
				switch s.below(5) {
				case 0: // lost
				case 1:
					c.Tell(-1, p, []float64{loss})
				case 2:
					c.Tell(first+1000, p, []float64{loss})
				default:
					c.Tell(first+int64(k), p, []float64{loss})
				}
			}
			if s.below(100) == 0 {
				c.Scatter()
			}
		}
	})
}

func BenchmarkPopulations(b *testing.B) {
	const n = 20
	de, _ := NewDE(DEOptions{Coordinates: Reals(n, -5, 5)})
	pso, _ := NewPSO(PSOOptions{Coordinates: Reals(n, -5, 5)})
	for name, c := range map[string]Core{"de": de, "pso": pso} {
		b.Run(name, func(b *testing.B) {
			k := c.Batch()
			x, loss := make([]float64, k*n), make([]float64, k)
			rounds := 0
			for b.Loop() {
				first := c.Ask(x)
				for i := range loss {
					loss[i] = rastrigin(x[i*n : (i+1)*n])
				}
				c.Tell(first, x, loss)
				rounds++
			}
			b.ReportMetric(float64(rounds*k)/b.Elapsed().Seconds(), "evaluations/s")
		})
	}
}
