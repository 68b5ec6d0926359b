package sample_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/search/sample"
	"github.com/daedalus-search/daedalus/space"
)

// cube is a space of n numbers in [0, 1].
func cube(n int) *space.Space {
	var nodes []space.Node
	for i := range n {
		nodes = append(nodes, space.Float(fmt.Sprintf("x%d", i), 0, 1))
	}
	return space.MustNew(nodes...)
}

func numbers(d space.Design) []float64 {
	var out []float64
	for _, a := range d.Decisions(nil) {
		out = append(out, a.Real)
	}
	return out
}

// Every coordinate of a hypercube of n points visits each of n slices once, in
// each hypercube of a sequence.
func TestLatinVisitsEverySlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, dims := rapid.IntRange(1, 40).Draw(t, "points"), rapid.IntRange(1, 6).Draw(t, "dims")
		s, err := sample.Latin{Points: n}.New(search.Setup{Space: cube(dims), Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		for cube := range 2 {
			ps, err := s.Ask(n)
			if err != nil {
				t.Fatal(err)
			}
			for j := range dims {
				visited := make([]bool, n)
				for _, p := range ps {
					slice := min(int(numbers(p.Design)[j]*float64(n)), n-1)
					if visited[slice] {
						t.Fatalf("hypercube %d: coordinate %d visits slice %d of %d twice", cube, j, slice, n)
					}
					visited[slice] = true
				}
			}
		}
	})
}

// Taking the best of several hypercubes spreads points.
func TestLatinMaximin(t *testing.T) {
	t.Parallel()
	const seeds = 40
	better := 0
	for seed := range uint64(seeds) {
		one, ten := closest(t, sample.Latin{Points: 20, Tries: 1}, seed), closest(t, sample.Latin{Points: 20, Tries: 50}, seed)
		if ten > one {
			better++
		}
	}
	// Under "no better" the chance of 30 of 40 is 0.001.
	if better < 30 {
		t.Errorf("the nearest points of 50 hypercubes' best are farther apart than one's in %d of %d seeds", better, seeds)
	}
}

func closest(t *testing.T, m sample.Latin, seed uint64) float64 {
	s, err := m.New(search.Setup{Space: cube(3), Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	ps, err := s.Ask(20)
	if err != nil {
		t.Fatal(err)
	}
	best := math.Inf(1)
	for i, p := range ps {
		for _, q := range ps[:i] {
			d := 0.0
			a, b := numbers(p.Design), numbers(q.Design)
			for j := range a {
				d += (a[j] - b[j]) * (a[j] - b[j])
			}
			best = min(best, d)
		}
	}
	return best
}

func drive(t *testing.T, s search.Searcher, n int, loss func(space.Design) float64) (best float64, at space.Design) {
	t.Helper()
	best = math.Inf(1)
	for range n {
		ps, err := s.Ask(1)
		if err != nil {
			t.Fatal(err)
		}
		l := loss(ps[0].Design)
		if l < best {
			best, at = l, ps[0].Design
		}
		s.Tell(search.Outcome{ID: ps[0].ID, Design: ps[0].Design, Status: search.Complete, Score: metric.Score{Loss: []float64{l}}})
	}
	return best, at
}

// Grids around the best shrink to the optimum of a smooth function, which one
// grid of as many points cannot come near.
func TestTwoPhaseRefines(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		s, err := sample.TwoPhase{}.New(search.Setup{Space: cube(2), Seed: seed, Budget: 200})
		if err != nil {
			t.Fatal(err)
		}
		best, _ := drive(t, s, 200, func(d space.Design) float64 {
			x := numbers(d)
			return math.Hypot(x[0]-0.317, x[1]-0.811)
		})
		if best > 0.005 { // the nearest point of a 14 × 14 grid is 0.03 away
			t.Errorf("seed %d: after 200 trials the best is %.4f away", seed, best)
		}
	}
}

// DGQ's use: 4-bit codes in groups whose scales are whole multiples of an 8-bit
// scale a channel. Twenty ratios for the groups and then eighty for the channel
// come within 15 % of all 1,600 pairs on average, at a sixteenth of their cost,
// and beat the ratios of 1 that clip nothing.
func TestTwoPhaseFindsCoupledScales(t *testing.T) {
	t.Parallel()
	var fine, coarse []any
	for i := range 20 {
		fine = append(fine, 1.01-0.21*float64(i)/19)
	}
	for i := range 80 {
		coarse = append(coarse, 1.01-0.81*float64(i)/79)
	}
	sp := space.MustNew(space.Ordinal("group", fine...), space.Ordinal("channel", coarse...))
	ratio, worse := 0.0, 0
	for seed := range uint64(20) {
		loss := quantized(seed)
		full := math.Inf(1)
		for d := range sp.All() {
			full = min(full, loss(d))
		}
		s, err := sample.TwoPhase{First: []string{"group"}, Others: "low", Levels: 80}.New(search.Setup{Space: sp, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := drive(t, s, 100, loss)
		ratio += got / full / 20
		plain, err := sp.FromMap(map[string]any{"group": 1.01, "channel": 1.01})
		if err != nil {
			t.Fatal(err)
		}
		if got > loss(plain) {
			worse++
		}
	}
	t.Logf("error of 20 + 80 evaluations over that of all 1,600: %.3f on average", ratio)
	if ratio > 1.15 || worse > 0 {
		t.Errorf("two phases end at %.3f of the full grid's error, worse than plain rounding in %d of 20 seeds; expected at most 1.15 and none", ratio, worse)
	}
}

// quantized returns the output error of a layer of one channel, 8 groups of 16
// weights, as a function of the two ratios by which its scales are clipped.
func quantized(seed uint64) func(space.Design) float64 {
	const groups, size, rows = 8, 16, 128
	r := rng.New(seed, "quantized", 0)
	w := make([]float64, groups*size)
	for i := range w {
		w[i] = r.NormFloat64() * (0.5 + float64(i/size)/groups)
	}
	x := make([]float64, rows*len(w))
	for i := range x {
		x[i] = r.NormFloat64()
		if i%17 == 0 {
			x[i] *= 4 // channels of activations with outliers
		}
	}
	return func(d space.Design) float64 {
		m := d.Map()
		fine, coarse := m["group"].(float64), m["channel"].(float64)
		top := 0.0
		for _, v := range w {
			top = max(top, math.Abs(v))
		}
		channel := top * coarse / 127
		e := make([]float64, len(w))
		for g := range groups {
			lo, hi := math.Inf(1), math.Inf(-1)
			for _, v := range w[g*size : (g+1)*size] {
				lo, hi = min(lo, v), max(hi, v)
			}
			scale := (hi - lo) * fine / 15
			k := max(1, math.Round(scale/channel))
			zero := math.Round(-lo * fine / scale)
			for i := g * size; i < (g+1)*size; i++ {
				code := min(max(math.Round(w[i]/(k*channel))+zero, 0), 15)
				e[i] = w[i] - min(max((code-zero)*k, -127), 127)*channel
			}
		}
		sum := 0.0
		for row := range rows {
			y := 0.0
			for i, v := range e {
				y += v * x[row*len(w)+i]
			}
			sum += y * y
		}
		return sum
	}
}

func TestTwoPhaseRefusesWhatItCannotFix(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Subset("s", "a", "b"), space.Float("x", 0, 1))
	if _, err := (sample.TwoPhase{First: []string{"x"}}).New(search.Setup{Space: sp}); err == nil {
		t.Error("a subset beside first is accepted")
	}
	if _, err := (sample.TwoPhase{First: []string{"y"}}).New(search.Setup{Space: cube(1)}); err == nil {
		t.Error("a first parameter that is not there is accepted")
	}
}
