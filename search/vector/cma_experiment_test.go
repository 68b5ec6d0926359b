//go:build experiment

package vector

import (
	"slices"
	"testing"
)

// TestCMAExperiment prints evaluations to 1e-8 on the functions that other
// implementations were measured on: a mean drawn from [-2, 2]ⁿ and a standard
// deviation of 1, unbounded; Rastrigin's function with restarts, from [-5, 5]ⁿ
// and 3. The numbers and those of cmaes and pycma are in docs/benchmarks.md.
func TestCMAExperiment(t *testing.T) {
	const seeds = 20
	for _, n := range []int{10, 20, 40} {
		for _, c := range []struct {
			name string
			f    func([]float64) float64
		}{{"sphere", sphere}, {"rosenbrock", rosenbrock}, {"ellipsoid", ellipsoid}} {
			var used []int
			missed := 0
			for seed := range uint64(seeds) {
				best, k := spend(cmaFrom(t, n, 2, 1, seed, NoRestart), c.f, 400_000, 1e-8)
				if best > 1e-8 {
					missed++
					continue
				}
				used = append(used, k)
			}
			sum := 0
			for _, k := range used {
				sum += k
			}
			t.Logf("%s, %d coordinates: mean %d evaluations, %d of %d missed the target", c.name, n, sum/len(used), missed, seeds)
		}
	}
	for _, n := range []int{10, 20} {
		for name, restart := range map[string]Restart{"ipop": IPOP, "bipop": BIPOP} {
			var used []int
			missed, sum := 0, 0
			for seed := range uint64(seeds) {
				best, k := spend(cmaFrom(t, n, 5, 3, seed, restart), rastrigin, 400_000, 1e-8)
				if best > 1e-8 {
					missed++
				}
				used = append(used, k)
				sum += k
			}
			slices.Sort(used)
			t.Logf("rastrigin, %d coordinates, %s: mean %d, median %d evaluations, %d of %d missed the target", n, name, sum/seeds, used[seeds/2], missed, seeds)
		}
	}
}

func TestMarginExperiment(t *testing.T) {
	const seeds = 30
	for _, c := range []struct {
		name string
		f    func([]float64) float64
	}{{"sphere", sphere}, {"ellipsoid", ellipsoid}} {
		for _, margin := range []float64{0, -1} {
			stuck, sum := 0, 0
			for seed := range uint64(seeds) {
				best, k := spend(marginCMA(t, margin, seed), c.f, 20_000, 1e-8)
				if best > 1e-8 {
					stuck++
				}
				sum += k
			}
			t.Logf("%s of 10 integers and 10 reals, margin %v: %d of %d stuck after 20,000 evaluations, mean %d", c.name, margin, stuck, seeds, sum/seeds)
		}
	}
}
