package nb201test_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/evolve"
	"github.com/daedalus-search/daedalus/search/local"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// nk is an NK landscape (Kauffman and Levin 1987): 20 bits, each of which
// contributes by itself and its k successors.
type nk struct {
	k     int
	table [20][]float64
}

func newNK(seed uint64, k int) *nk {
	f := &nk{k: k}
	for i := range f.table {
		f.table[i] = make([]float64, 2<<k)
		for p := range f.table[i] {
			z := seed*1_000_003 + uint64(i)*1009 + uint64(p) + 0x9E3779B97F4A7C15
			z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
			z = (z ^ z>>27) * 0x94D049BB133111EB
			f.table[i][p] = float64((z^z>>31)>>11) / (1 << 53)
		}
	}
	return f
}

// value returns the fitness of a design of [bitSpace]; x_0 is the top bit of 20.
func (f *nk) value(x uint32) float64 {
	sum := 0.0
	for i := range f.table {
		p := 0
		for j := range f.k + 1 {
			p = p<<1 | int(x>>(19-(i+j)%20)&1)
		}
		sum += f.table[i][p]
	}
	return sum / 20
}

func bitSpace() *space.Space {
	var nodes []space.Node
	for i := range 20 {
		nodes = append(nodes, space.Bool(fmt.Sprintf("x%d", i)))
	}
	return space.MustNew(nodes...)
}

func bitsOf(d space.Design) (x uint32) {
	for _, a := range d.Decisions(nil) {
		x = x<<1 | uint32(a.Index)
	}
	return x
}

// nkOptima are the optima of seed 1 by exhaustive search, for k = 0, 2, 6.
var nkOptima = map[int]struct {
	value float64
	at    uint32
}{
	0: {0.745041, 0b01000011111101001011},
	2: {0.746373, 0b10011110011011010000},
	6: {0.789036, 0b11100101100010011000},
}

func TestNKValues(t *testing.T) {
	t.Parallel()
	for k, want := range map[int]float64{0: 0.583304, 2: 0.377516, 6: 0.402095} {
		f := newNK(1, k)
		for x, want := range map[uint32]float64{0: 0.533339, 1<<20 - 1: want, nkOptima[k].at: nkOptima[k].value} {
			if got := f.value(x); math.Abs(got-want) > 1e-6 {
				t.Errorf("NK(20,%d)(%020b) = %.6f, want %.6f", k, x, got, want)
			}
		}
	}
}

// TestNK reproduces the mean best of 300 different evaluations over 40 seeds,
// in percent of the optimum. Annealing and local search may be better than the
// numbers: they pass through known designs for nothing, restart, and try new
// edits first.
func TestNK(t *testing.T) {
	t.Parallel()
	sp := bitSpace()
	seeds, tolerance := 40, 1.2
	if testing.Short() || raceEnabled {
		seeds, tolerance = 10, 2.5
	}
	tests := []struct {
		name    string
		method  search.Method
		want    map[int]float64
		atLeast bool
	}{
		{"random", sample.Random{}, map[int]float64{0: 93.7, 2: 91.8, 6: 85.8}, false},
		{"regularized", evolve.Regularized{Population: 20, Sample: 5}, map[int]float64{0: 99.9, 2: 99.2, 6: 92.7}, false},
		{"local search", local.LocalSearch{}, map[int]float64{0: 100, 2: 98.5, 6: 93.2}, true},
		{"annealing", local.Annealing{Temperature: 0.03, Cooling: 0.99}, map[int]float64{0: 100, 2: 99.0, 6: 91.6}, true},
	}
	for _, c := range tests {
		for _, k := range []int{0, 2, 6} {
			f, sum := newNK(1, k), 0.0
			for seed := range seeds {
				s, err := c.method.New(search.Setup{Space: sp, Seed: uint64(seed)})
				if err != nil {
					t.Fatal(err)
				}
				seen, best := map[uint32]bool{}, 0.0
				for asks := 0; len(seen) < 300 && asks < 30_000; asks++ {
					ps, err := s.Ask(1)
					if err != nil {
						t.Fatal(err)
					}
					x := bitsOf(ps[0].Design)
					seen[x] = true
					best = max(best, f.value(x))
					s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{-f.value(x)}}})
				}
				sum += 100 * best / nkOptima[k].value
			}
			got := sum / float64(seeds)
			t.Logf("%-14s NK(20,%d)  %.1f %% of the optimum (%.1f)", c.name, k, got, c.want[k])
			if off := got - c.want[k]; off < -tolerance || off > tolerance && !c.atLeast {
				t.Errorf("%s on NK(20,%d): %.2f %% of the optimum on average, want %.1f ± %.1f", c.name, k, got, c.want[k], tolerance)
			}
		}
	}
}

// On a separable landscape first improvement visits each bit twice at most.
func TestClimbSolvesSeparableLandscape(t *testing.T) {
	t.Parallel()
	f, sp := newNK(1, 0), bitSpace()
	for seed := range uint64(50) {
		s, err := local.LocalSearch{}.New(search.Setup{Space: sp, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		best := 0.0
		for range 1 + 2*20 {
			ps, err := s.Ask(1)
			if err != nil {
				t.Fatal(err)
			}
			v := f.value(bitsOf(ps[0].Design))
			best = max(best, v)
			s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{-v}}})
		}
		if math.Abs(best-nkOptima[0].value) > 1e-6 {
			t.Errorf("seed %d: best of the first climb %.6f, want the optimum %.6f", seed, best, nkOptima[0].value)
		}
	}
}
