package sample

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/search"
	"github.com/daedalus-search/daedalus/space"
)

// The number of primitive polynomials of degree s is phi(2^s - 1)/s.
func TestPrimitivesCount(t *testing.T) {
	t.Parallel()
	want := []int{1, 1, 2, 2, 6, 6, 18, 16, 48, 60, 176, 144, 630}
	got := make([]int, maxDegree)
	for _, p := range primitives() {
		degree := -1
		for q := p; q > 0; q >>= 1 {
			degree++
		}
		got[degree-1]++
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("primitive polynomials of degree %d: %d, want %d", i+1, got[i], want[i])
		}
	}
	if len(primitives()) != maxDims-1 {
		t.Errorf("%d polynomials, want %d", len(primitives()), maxDims-1)
	}
}

// Every one-dimensional projection of the first 2^k points, scrambled or not,
// has one point in each of 2^k equal intervals.
func TestSobolStratifies(t *testing.T) {
	t.Parallel()
	dims := maxDims
	if testing.Short() {
		dims = 100
	}
	for _, k := range []int{1, 4, 8} {
		for name, r := range map[string]*rand.Rand{"plain": nil, "scrambled": rng.New(3, "test", 0)} {
			seq := newSequence(dims, r)
			n := 1 << k
			hit := make([]bool, n*dims)
			u := make([]float64, dims)
			for range n {
				seq.next(u)
				for j, x := range u {
					at := j*n + int(x*float64(n))
					if hit[at] {
						t.Fatalf("%s, %d points: two in one interval of dimension %d", name, n, j)
					}
					hit[at] = true
				}
			}
		}
	}
}

// The quality parameter must agree with counting points in boxes.
func TestQualityCountsBoxes(t *testing.T) {
	t.Parallel()
	const m = 6
	seq := newSequence(24, nil)
	points := make([][]float64, 1<<m)
	for i := range points {
		points[i] = make([]float64, 24)
		seq.next(points[i])
	}
	rows := func(dim int) [14]uint16 {
		var v [columns]uint32
		directions(dim, initialNumbers(dim), &v)
		return rowsOf(&v)
	}
	for a := range 24 {
		for b := range a {
			// t is least such that boxes of 2^t points hold exactly as many.
			t0 := m
			for q := 0; q < m; q++ {
				fair := true
				for k1 := 0; k1 <= m-q; k1++ {
					k2 := m - q - k1
					count := make([]int, 1<<(m-q))
					for _, p := range points {
						count[int(p[a]*float64(int(1)<<k1))<<k2|int(p[b]*float64(int(1)<<k2))]++
					}
					for _, c := range count {
						fair = fair && c == 1<<q
					}
				}
				if fair {
					t0 = q
					break
				}
			}
			ra, rb := rows(a), rows(b)
			if got := quality(&ra, &rb, m); got != t0 {
				t.Errorf("dimensions %d and %d: t = %d, counting says %d", a, b, got, t0)
			}
		}
	}
}

// starDiscrepancy returns the largest difference between the volume of an
// anchored box and its share of points, over boxes whose corners are the
// componentwise maxima of random pairs and triples of points, in both the open
// and the closed form: a lower bound of the star discrepancy that is near it.
func starDiscrepancy(points [][]float64, r *rand.Rand) float64 {
	d, n := len(points[0]), len(points)
	worst := 0.0
	corner := make([]float64, d)
	for range 1500 {
		for j := range corner {
			// Coordinates of points, or the far wall.
			corner[j] = 1
			if k := r.IntN(n + n/2); k < n {
				corner[j] = max(points[k][j], points[r.IntN(n)][j])
			}
		}
		open, closed := 0, 0
		for _, p := range points {
			in, on := true, true
			for j, x := range p {
				in = in && x < corner[j]
				on = on && x <= corner[j]
			}
			if in {
				open++
			}
			if on {
				closed++
			}
		}
		volume := 1.0
		for _, c := range corner {
			volume *= c
		}
		worst = max(worst, volume-float64(open)/float64(n), float64(closed)/float64(n)-volume)
	}
	return worst
}

// warnock is the L2 star discrepancy in closed form (Warnock 1972).
func warnock(points [][]float64) float64 {
	d, n := len(points[0]), float64(len(points))
	sum := math.Pow(3, -float64(d))
	for _, p := range points {
		product := 1.0
		for _, x := range p {
			product *= (1 - x*x) / 2
		}
		sum -= 2 / n * product
		for _, q := range points {
			product := 1.0
			for j := range p {
				product *= 1 - max(p[j], q[j])
			}
			sum += product / n / n
		}
	}
	return math.Sqrt(sum)
}

func TestSobolDiscrepancy(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "test", 0)
	const n, d, sets = 256, 6, 20
	star, square := 0.0, 0.0
	for range sets {
		points := make([][]float64, n)
		for i := range points {
			points[i] = make([]float64, d)
			for j := range points[i] {
				points[i][j] = r.Float64()
			}
		}
		star += starDiscrepancy(points, r) / sets
		square += warnock(points) / sets
	}
	worstStar, worstSquare := 0.0, 0.0
	for seed := range uint64(8) {
		seq := newSequence(d, rng.New(seed, "test/sobol", 0))
		points := make([][]float64, n)
		for i := range points {
			points[i] = make([]float64, d)
			seq.next(points[i])
		}
		worstStar = max(worstStar, starDiscrepancy(points, r))
		worstSquare = max(worstSquare, warnock(points))
	}
	t.Logf("star discrepancy of %d points in %d dimensions: worst of 8 scrambles %.4f, mean of random sets %.4f; L2: %.5f, %.5f", n, d, worstStar, star, worstSquare, square)
	if worstStar >= star || worstSquare >= square {
		t.Errorf("discrepancies %.4f and %.5f, want below those of random points, %.4f and %.5f", worstStar, worstSquare, star, square)
	}
}

// The average of a scrambled point over seeds is the middle: each point is
// uniform, the first one too.
func TestScrambledPointIsUniform(t *testing.T) {
	t.Parallel()
	counts := make([]int, 8)
	u := make([]float64, 3)
	const seeds = 2000
	for seed := range uint64(seeds) {
		newSequence(3, rng.New(seed, "test/uniform", 0)).next(u)
		counts[int(u[2]*8)]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += float64((c-seeds/8)*(c-seeds/8)) / (seeds / 8)
	}
	if chi > 24.3 { // 99.9 % quantile of chi square with 7 degrees of freedom
		t.Errorf("eighths hit by the first point over seeds: %v, chi square %.1f", counts, chi)
	}
}

func TestSobolRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method search.Method
		space  *space.Space
		want   string
	}{
		"no space":   {Sobol{}, nil, "no space"},
		"grammar":    {Sobol{}, space.MustNew(space.Grammar("g", "E", space.Rule("E", space.Use("x"), space.Use("E", "E").P(0.2)))), "fixed number of coordinates"},
		"dimensions": {Sobol{}, space.MustNew(space.Repeat("r", 1, 1200, space.Bool(""))), "at most 1111"},
		"scramble":   {Sobol{Scramble: "owen"}, space.MustNew(space.Bool("b")), "linear or none"},
		"levels":     {Grid{Levels: -2}, space.MustNew(space.Bool("b")), "levels"},
		"grid":       {Grid{}, nil, "no space"},
		"random":     {Random{}, nil, "no space"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.method.New(search.Setup{Space: c.space})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, err := (Sobol{}).New(search.Setup{Space: space.MustNew(space.Repeat("r", 1, 1024, space.Bool("")))}); err != nil {
		t.Errorf("New on 1,025 coordinates: %v", err)
	}
}

// Grid must give exactly the lattice.
func TestGridIsComplete(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		space  *space.Space
		levels int
		want   int
	}{
		"product":     {space.MustNew(space.Float("f", 0, 1), space.Int("i", 1, 100), space.Int("few", 1, 7), space.Categorical("c", "a", "b")), 0, 5 * 5 * 7 * 2},
		"levels":      {space.MustNew(space.Float("f", 1, 10).Log(), space.Int("i", 1, 100)), 20, 400},
		"one level":   {space.MustNew(space.Float("f", 1, 10), space.Bool("b")), 1, 2},
		"choice":      {space.MustNew(space.Choice("c", space.Case("x", space.Float("b", 0, 1)), space.Case("y"), space.Case("z", space.Int("i", 1, 4)))), 0, 10},
		"repeat":      {space.MustNew(space.Repeat("r", 0, 3, space.Bool(""))), 0, 15},
		"subset":      {space.MustNew(space.Subset("s", 1, 2, 3, 4, 5).Size(1, 3)), 0, 25},
		"permutation": {space.MustNew(space.Permutation("p", 1, 2, 3, 4)), 0, 24},
		"grammar":     {space.MustNew(space.Grammar("g", "E", space.Rule("E", space.Use("x"), space.Use("y"), space.Use("E", "E").P(0.2))).Depth(3)), 0, 38},
		"point":       {space.MustNew(space.Float("f", 2, 2), space.Bool("b")), 0, 2},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Grid{Levels: c.levels}.New(search.Setup{Space: c.space, Seed: 5})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[space.Design]bool{}
			for range c.want {
				ps, err := s.Ask(1)
				if err != nil {
					t.Fatalf("Ask: %v after %d points, want %d", err, len(seen), c.want)
				}
				if seen[ps[0].Design] {
					t.Fatalf("%s twice", ps[0].Design)
				}
				seen[ps[0].Design] = true
			}
			if _, err := s.Ask(1); !errors.Is(err, search.ErrExhausted) {
				t.Errorf("Ask after %d points: %v, want ErrExhausted", c.want, err)
			}
		})
	}
}

func TestGridReachesBothEnds(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Float("rate", 1e-5, 1e-1).Log(), space.Int("n", 0, 1000))
	s, err := Grid{Levels: 3}.New(search.Setup{Space: sp})
	if err != nil {
		t.Fatal(err)
	}
	ps, err := s.Ask(9)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ps {
		a := p.Design.Decisions(nil)
		got = append(got, fmt.Sprintf("%.3g %v", a[0].Real, a[1].Param.Number(a[1].Index)))
	}
	slices.SortFunc(got, cmp.Compare)
	want := []string{"0.001 0", "0.001 1000", "0.001 500", "0.1 0", "0.1 1000", "0.1 500", "1e-05 0", "1e-05 1000", "1e-05 500"}
	if !slices.Equal(got, want) {
		t.Errorf("points %q, want %q", got, want)
	}
}

// The first points of a shuffled grid are a fair sample: over seeds, each point
// is among the first quarter as often as any other.
func TestGridTruncationIsUnbiased(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Ordinal("a", 1, 2, 3, 4), space.Subset("s", 1, 2, 3, 4, 5).Size(2, 2))
	counts := map[space.Design]int{}
	const seeds, points, first = 600, 40, 10
	for seed := range uint64(seeds) {
		s, err := Grid{}.New(search.Setup{Space: sp, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		ps, err := s.Ask(first)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			counts[p.Design]++
		}
	}
	chi, want := 0.0, float64(seeds*first)/points
	for _, c := range counts {
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	if len(counts) != points || chi > 72.1 { // 99.9 % quantile with 39 degrees of freedom
		t.Errorf("%d points reached, chi square %.1f, want %d and below 72.1", len(counts), chi, points)
	}
}

func TestGridSkipsForeign(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Bool("a"), space.Bool("b"))
	s, err := Grid{}.New(search.Setup{Space: sp})
	if err != nil {
		t.Fatal(err)
	}
	d := sp.MustSample(rng.New(1, "test", 0))
	s.Tell(search.Outcome{ID: -1, Design: d, Status: search.Complete})
	ps, err := s.Ask(10)
	if err != nil || len(ps) != 3 {
		t.Fatalf("Ask = %d proposals, %v, want the 3 designs that were not told", len(ps), err)
	}
	for _, p := range ps {
		if p.Design == d {
			t.Errorf("%s was told and is proposed", d)
		}
	}
}

// The prior is what random search draws from.
func TestRandomFollowsPrior(t *testing.T) {
	t.Parallel()
	sp := space.MustNew(space.Categorical("c", "a", "b", "c").Weights(6, 3, 1), space.Float("f", 0, 1))
	s, err := Random{}.New(search.Setup{Space: sp})
	if err != nil {
		t.Fatal(err)
	}
	ps, err := s.Ask(10_000)
	if err != nil {
		t.Fatal(err)
	}
	var got [3]int
	for _, p := range ps {
		got[p.Design.Decisions(nil)[0].Index]++
	}
	for i, want := range []int{6000, 3000, 1000} {
		if got[i] < want-250 || got[i] > want+250 {
			t.Errorf("option %d drawn %d times of 10000, want about %d", i, got[i], want)
		}
	}
}
