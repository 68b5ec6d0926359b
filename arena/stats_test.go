package arena

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) && got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// stride makes numbers that any program can make again.
func stride(n, factor, modulus int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i * factor % modulus)
	}
	return out
}

// The wanted values are SciPy 1.17.1's, or counted by hand-written enumeration
// where SciPy has no exact answer (ties, zeros).
func TestWilcoxon(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b []float64
		w, p float64
	}{
		"Hollander and Wolfe, depression": {
			[]float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30},
			[]float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}, 40, 0.0390625,
		},
		"ties and a zero": {
			[]float64{125, 115, 130, 140, 140, 115, 140, 125, 140, 135},
			[]float64{110, 122, 125, 120, 140, 124, 123, 137, 135, 145}, 32, 0.64453125,
		},
		"normal, one zero": {stride(80, 37, 101), stride(80, 53, 89), 1890.5, 0.194477113951824},
		"equal":            {[]float64{1, 2, 3}, []float64{1, 2, 3}, 0, 1},
		"none":             {nil, nil, 0, 1},
		"one":              {[]float64{2}, []float64{1}, 1, 1},
	} {
		w, p := Wilcoxon(c.a, c.b)
		near(t, name+": w", w, c.w, 1e-12)
		near(t, name+": p", p, c.p, 1e-9)
	}
}

func TestMannWhitney(t *testing.T) {
	t.Parallel()
	round := func(xs []float64, d float64) []float64 {
		for i := range xs {
			xs[i] = math.RoundToEven(xs[i] / d)
		}
		return xs
	}
	for name, c := range map[string]struct {
		a, b []float64
		u, p float64
	}{
		"Hollander and Wolfe, permeability": {
			[]float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
			[]float64{1.15, 0.88, 0.90, 0.74, 1.21}, 35, 0.2544122544122544,
		},
		"ties":         {[]float64{1, 2, 2, 3, 4, 4, 5}, []float64{2, 4, 5, 6, 6, 7}, 7.5, 0.06293706293706294},
		"normal, ties": {round(stride(70, 37, 101), 7), round(stride(70, 53, 89), 6), 2356.5, 0.6976576274503306},
		"constant":     {[]float64{1, 1}, []float64{1, 1}, 2, 1},
		"infinite":     {[]float64{math.Inf(1), math.Inf(1), math.Inf(1)}, []float64{1, 2, 3}, 9, 0.1},
		"none":         {nil, []float64{1}, 0, 1},
	} {
		u, p := MannWhitney(c.a, c.b)
		near(t, name+": u", u, c.u, 1e-12)
		near(t, name+": p", p, c.p, 1e-9)
	}
}

// Of samples from one distribution, at most a share p has a p value of p.
func TestLevelsHold(t *testing.T) {
	t.Parallel()
	trials := 2000
	if testing.Short() {
		trials = 300
	}
	r := rand.New(rand.NewPCG(1, 2))
	var signed, sum int
	for range trials {
		a, b := make([]float64, 12), make([]float64, 12)
		for i := range a {
			a[i], b[i] = math.Floor(r.Float64()*8), math.Floor(r.Float64()*8)
		}
		if _, p := Wilcoxon(a, b); p <= 0.05 {
			signed++
		}
		if _, p := MannWhitney(a, b); p <= 0.05 {
			sum++
		}
	}
	// Three standard deviations of a binomial count with p = 0.05.
	most := int(0.05*float64(trials) + 3*math.Sqrt(0.05*0.95*float64(trials)))
	if signed > most || sum > most {
		t.Errorf("rejected %d and %d of %d, want at most %d", signed, sum, trials, most)
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	a, b := []float64{1, 2, 3, 4}, []float64{2, 3, 3, 9}
	// Pairs with a > b: (3,2), (4,2), (4,3), (4,3); ties: (2,2), (3,3), (3,3).
	near(t, "A12", A12(a, b), (4+1.5)/16, 1e-15)
	near(t, "delta", CliffsDelta(a, b), 2*5.5/16-1, 1e-15)
	near(t, "A12 the other way", A12(b, a), 1-5.5/16, 1e-15)
}

// Rounding base times of baseball players: Hollander and Wolfe, table 7.1.
var baseball = [][]float64{
	{5.40, 5.50, 5.55}, {5.85, 5.70, 5.75}, {5.20, 5.60, 5.50}, {5.55, 5.50, 5.40}, {5.90, 5.85, 5.70}, {5.45, 5.55, 5.60},
	{5.40, 5.40, 5.35}, {5.45, 5.50, 5.35}, {5.25, 5.15, 5.00}, {5.85, 5.80, 5.70}, {5.25, 5.20, 5.10}, {5.65, 5.55, 5.45},
	{5.60, 5.35, 5.45}, {5.05, 5.00, 4.95}, {5.50, 5.50, 5.40}, {5.45, 5.55, 5.50}, {5.55, 5.55, 5.35}, {5.45, 5.50, 5.55},
	{5.50, 5.45, 5.25}, {5.65, 5.60, 5.40}, {5.70, 5.65, 5.55}, {6.30, 6.30, 6.25},
}

func TestFriedman(t *testing.T) {
	t.Parallel()
	ranks, chi2, p, f, pf := Friedman(baseball)
	for i, want := range []float64{2.40909091, 2.13636364, 1.45454545} {
		near(t, "rank", ranks[i], want, 1e-8)
	}
	near(t, "chi2", chi2, 11.142857142857132, 1e-12)
	near(t, "p", p, 0.003805040775511383, 1e-10)
	near(t, "F", f, 7.121739130434773, 1e-12)
	near(t, "p of F", pf, 0.0021712983876075345, 1e-10)
	if _, chi2, p, _, _ := Friedman([][]float64{{1, 1}, {2, 2}}); chi2 != 0 || p != 1 {
		t.Errorf("all tie: chi2 %v, p %v", chi2, p)
	}
	if _, _, _, f, pf := Friedman([][]float64{{1, 2}, {1, 2}, {3, 4}}); !math.IsInf(f, 1) || pf != 0 {
		t.Errorf("perfect agreement: F %v, p %v", f, pf)
	}
}

// Demšar (2006), table 5: the critical values of the Nemenyi test at 0.05 and
// 0.10; SciPy's studentized range beyond ten.
func TestNemenyi(t *testing.T) {
	t.Parallel()
	q05 := []float64{1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164}
	q10 := []float64{1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920}
	check := func(k int, alpha, q, tolerance float64) {
		t.Helper()
		near(t, "q", NemenyiCD(k, 6, alpha)/math.Sqrt(float64(k*(k+1))/36), q, tolerance)
	}
	for i := range q05 {
		check(i+2, 0.05, q05[i], 4e-4)
		check(i+2, 0.10, q10[i], 6e-4) // the table has 2.855 for k = 9, the integral gives 2.8546
	}
	check(20, 0.05, 3.5437991315177815, 1e-6)
	check(50, 0.05, 3.9923432900094076, 1e-6)
	// Demšar's example: 4 classifiers, 14 data sets.
	near(t, "CD", NemenyiCD(4, 14, 0.05), 1.25, 5e-3)
}

func TestHolm(t *testing.T) {
	t.Parallel()
	// Computed by hand: sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1.
	got := Holm([]float64{0.01, 0.04, math.NaN(), 0.03, 0.005})
	want := []float64{0.03, 0.06, math.NaN(), 0.06, 0.02}
	for i := range want {
		if want[i] != want[i] {
			if got[i] == got[i] {
				t.Errorf("p[%d] = %v, want NaN", i, got[i])
			}
			continue
		}
		near(t, "p", got[i], want[i], 1e-12)
	}
}

func TestBootstrap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{1, 2, 7, 20} {
		b := NewBootstrap(n)
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = math.Floor(r.NormFloat64() * 5)
		}
		slices.Sort(xs) // the draws are of ranks there, of places here
		lo, hi := b.MedianInterval(xs)
		wantLo, wantHi := b.Interval(xs, Median)
		if lo != wantLo || hi != wantHi {
			t.Errorf("n=%d: [%v, %v], want [%v, %v]", n, lo, hi, wantLo, wantHi)
		}
	}
	// The interval covers the median of the population about as often as it says.
	covered := 0
	b := NewBootstrap(25)
	for range 400 {
		xs := make([]float64, 25)
		for i := range xs {
			xs[i] = r.NormFloat64()
		}
		if lo, hi := b.MedianInterval(xs); lo <= 0 && 0 <= hi {
			covered++
		}
	}
	if covered < 360 || covered > 396 {
		t.Errorf("covered %d of 400, want about 380", covered)
	}
	lo, hi := b.MedianInterval(append(make([]float64, 24), math.Inf(1)))
	if lo != 0 || hi != 0 {
		t.Errorf("one infinite value: [%v, %v]", lo, hi)
	}
}

// ONEBench: with nine tenths of the measurements missing the ranking is almost
// the full one, and nearer to it than that of the mean scores.
func TestSparseRanking(t *testing.T) {
	t.Parallel()
	const searchers, problems = 30, 40
	r := rand.New(rand.NewPCG(3, 4))
	var sparse, means float64
	const rounds = 10
	for range rounds {
		skill := make([]float64, searchers)
		for i := range skill {
			skill[i] = float64(i) / searchers * 4
		}
		full, few := NewContest(searchers), NewContest(searchers)
		sum, count := make([]float64, searchers), make([]float64, searchers)
		for range problems {
			hard, scale := 10*r.NormFloat64(), math.Exp(r.NormFloat64())
			all, seen := make([]float64, searchers), make([]float64, searchers)
			for i := range all {
				all[i] = hard + scale*(0.2*r.NormFloat64()-skill[i])
				seen[i] = math.NaN()
				if r.Float64() < 0.1 {
					seen[i] = all[i]
					sum[i] += all[i]
					count[i]++
				}
			}
			full.Add(all, 1)
			few.Add(seen, 1)
		}
		truth := full.Strengths()
		average := make([]float64, searchers)
		for i := range average {
			if count[i] > 0 {
				average[i] = -sum[i] / count[i]
			}
		}
		sparse += metric.Kendall(few.Strengths(), truth) / rounds
		means += metric.Kendall(average, truth) / rounds
	}
	t.Logf("Kendall's tau to the full ranking: %.3f from wins, %.3f from means", sparse, means)
	if sparse < 0.8 || sparse <= means {
		t.Errorf("tau %.3f from wins and %.3f from means; want at least 0.8 and more than from means", sparse, means)
	}
}

func TestStrengths(t *testing.T) {
	t.Parallel()
	// Two competitors: the odds are the ratio of wins, pseudo wins included.
	c := NewContest(2)
	c.Wins[0][1], c.Wins[1][0] = 30, 10
	s := c.Strengths()
	near(t, "log odds", s[0]-s[1], math.Log(30.01/10.01), 1e-8)
	// Never beaten, and never met: finite, and in parts of their own.
	c = NewContest(4)
	c.Wins[0][1], c.Wins[2][3] = 5, 5
	for _, x := range c.Strengths() {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Errorf("strengths %v", c.Strengths())
		}
	}
	if p := c.Parts(); p[0] != p[1] || p[2] != p[3] || p[0] == p[2] {
		t.Errorf("parts %v", p)
	}
}
