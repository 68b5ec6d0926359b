package metric

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestIndicatorsOnKnownFronts(t *testing.T) {
	t.Parallel()
	line := []float64{0, 4, 1, 3, 2, 2, 3, 1, 4, 0}
	shifted := []float64{1, 5, 2, 4, 3, 3, 4, 2, 5, 1}
	for name, c := range map[string]struct{ got, want float64 }{
		"GD to itself":       {GD(line, line, 2), 0},
		"IGD to itself":      {IGD(line, line, 2), 0},
		"IGD+ to itself":     {IGDPlus(line, line, 2), 0},
		"eps to itself":      {AdditiveEpsilon(line, line, 2), 0},
		"spread of itself":   {Spread(line, line), 0},
		"GD of one":          {GD([]float64{3, 6}, line, 2), math.Sqrt(2*2 + 3*3 + 0)},
		"IGD of one":         {IGD([]float64{0, 0}, []float64{3, 4, 0, 1}, 2), 3},
		"IGD+ of a better":   {IGDPlus([]float64{0, 0}, line, 2), 0},
		"IGD+ one objective": {IGDPlus([]float64{2, 0}, []float64{0, 5}, 2), 2},
		"IGD+ shifted":       {IGDPlus(shifted, line, 2), math.Sqrt2},
		"eps shifted":        {AdditiveEpsilon(shifted, line, 2), 1},
		"eps better":         {AdditiveEpsilon(line, shifted, 2), -1},
		"eps of nothing":     {AdditiveEpsilon(nil, line, 2), math.Inf(1)},
		"IGD of nothing":     {IGD(nil, line, 2), math.Inf(1)},
		"spread of one end":  {Spread([]float64{0, 4}, line), 1},
		// gaps 1√2 and 3√2, ends reached: (0+0+2·√2)/(4√2)
		"spread uneven":            {Spread([]float64{0, 4, 1, 3, 4, 0}, line), 0.5},
		"spread drops dominated":   {Spread([]float64{0, 4, 1, 3, 4, 0, 4, 4, 1, 3}, line), 0.5},
		"spread misses both ends":  {Spread([]float64{1, 3, 2, 2, 3, 1}, line), 0.5},
		"IGD with NaN rows is Inf": {IGD([]float64{math.NaN(), 0}, line, 2), math.Inf(1)},
	} {
		if !near(c.got, c.want, 1) {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
	for name, got := range map[string]float64{
		"GD": GD(line, nil, 2), "IGD": IGD(line, nil, 2), "IGD+": IGDPlus(line, nil, 2),
		"eps": AdditiveEpsilon(line, nil, 2), "spread": Spread(line, nil),
	} {
		if got == got {
			t.Errorf("%s without a reference = %v, want NaN", name, got)
		}
	}
}

// IGD+ and epsilon must not get worse when rows are added, and a front that
// weakly dominates another is never judged worse.
func TestIndicatorsAreWeaklyParetoCompliant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 3).Draw(t, "m")
		draw := func(name string, lo int) []float64 {
			n := rapid.IntRange(lo, 8).Draw(t, name)
			return rapid.SliceOfN(rapid.Float64Range(0, 4), n*m, n*m).Draw(t, name)
		}
		ref, p := draw("reference", 1), draw("points", 1)
		better := make([]float64, len(p))
		for i, x := range p {
			better[i] = x - rapid.Float64Range(0, 1).Draw(t, "gain")
		}
		more := append(better, draw("more", 0)...)
		if a, b := IGDPlus(p, ref, m), IGDPlus(more, ref, m); b > a+1e-12 {
			t.Fatalf("IGD+ rose from %v to %v", a, b)
		}
		if a, b := AdditiveEpsilon(p, ref, m), AdditiveEpsilon(more, ref, m); b > a {
			t.Fatalf("epsilon rose from %v to %v", a, b)
		}
	})
}

func TestReferencePoint(t *testing.T) {
	t.Parallel()
	got := ReferencePoint([]float64{0, 7, math.NaN(), 10, 7, math.NaN(), math.Inf(1), 7, math.NaN()}, 3)
	if got[0] != 11 || got[1] != 8 || got[2] == got[2] {
		t.Errorf("ReferencePoint = %v, want [11 8 NaN]", got)
	}
}

func bruteKendall(a, b []float64) float64 {
	var num, na, nb float64
	for i := range a {
		for j := range i {
			x, y := sign(a[i]-a[j]), sign(b[i]-b[j])
			num += x * y
			na += x * x
			nb += y * y
		}
	}
	return num / math.Sqrt(na*nb)
}

func sign(x float64) float64 {
	if x > 0 {
		return 1
	} else if x < 0 {
		return -1
	}
	return 0
}

func drawLists(t *rapid.T) (a, b []float64) {
	coord := rapid.Map(rapid.IntRange(0, 6), func(i int) float64 { return float64(i) })
	if rapid.Bool().Draw(t, "real") {
		coord = rapid.Float64Range(-1, 1)
	}
	n := rapid.IntRange(0, 80).Draw(t, "n")
	return rapid.SliceOfN(coord, n, n).Draw(t, "a"), rapid.SliceOfN(coord, n, n).Draw(t, "b")
}

func TestRankCorrelationsAgreeWithDefinition(t *testing.T) {
	t.Parallel()
	same := func(a, b float64) bool { return a != a && b != b || near(a, b, 1) }
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawLists(t)
		if got, want := Kendall(a, b), bruteKendall(a, b); !same(got, want) {
			t.Fatalf("Kendall = %v, want %v", got, want)
		}
		// Spearman is Pearson's r of the ranks.
		rank := func(x []float64) []float64 {
			r := make([]float64, len(x))
			for i := range x {
				r[i] = 0.5
				for j := range x {
					r[i] += (1 + sign(x[i]-x[j])) / 2
				}
			}
			return r
		}
		ra, rb := rank(a), rank(b)
		var sa, sb float64
		for i := range ra {
			sa += ra[i] / float64(len(ra))
			sb += rb[i] / float64(len(rb))
		}
		var sab, saa, sbb float64
		for i := range ra {
			sab += (ra[i] - sa) * (rb[i] - sb)
			saa += (ra[i] - sa) * (ra[i] - sa)
			sbb += (rb[i] - sb) * (rb[i] - sb)
		}
		want := sab / math.Sqrt(saa*sbb)
		if saa < 1e-9 || sbb < 1e-9 {
			want = math.NaN()
		}
		if got := Spearman(a, b); !same(got, want) {
			t.Fatalf("Spearman = %v, want %v", got, want)
		}
	})
}

func TestRankCorrelationsOnKnownLists(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, c := range map[string]struct{ got, want float64 }{
		// scipy.stats documents kendalltau([12,2,1,12,2], [1,4,7,1,0]) = -0.4714045
		"Kendall with ties": {Kendall([]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}), -0.4714045207910316},
		"Kendall same":      {Kendall([]float64{1, 2, 3}, []float64{10, 20, 30}), 1},
		"Kendall reversed":  {Kendall([]float64{1, 2, 3}, []float64{3, 2, 1}), -1},
		"Kendall constant":  {Kendall([]float64{1, 1, 1}, []float64{3, 2, 1}), nan},
		"Kendall NaN":       {Kendall([]float64{1, nan}, []float64{3, 2}), nan},
		"Kendall one":       {Kendall([]float64{1}, []float64{3}), nan},
		// scipy.stats documents spearmanr([1,2,3,4,5], [5,6,7,8,7]) = 0.8207826817
		"Spearman with ties": {Spearman([]float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}), 0.8207826816681233},
		"Spearman constant":  {Spearman([]float64{1, 1}, []float64{5, 6}), nan},
		"top 2 of 4":         {PrecisionAtK([]float64{4, 3, 2, 1}, []float64{10, 1, 9, 2}, 2), 0.5},
		"all":                {PrecisionAtK([]float64{4, 3, 2, 1}, []float64{1, 2, 3, 4}, 9), 1},
		"tied predictions":   {PrecisionAtK([]float64{1, 1, 1, 1}, []float64{1, 2, 3, 4}, 1), 0.25},
		"tied truth":         {PrecisionAtK([]float64{4, 3, 2, 1}, []float64{7, 7, 7, 1}, 1), 1},
		"k 0":                {PrecisionAtK([]float64{4}, []float64{7}, 0), nan},
	} {
		if !near(c.got, c.want, 1) && !(c.got != c.got && c.want != c.want) {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
}

func TestPrecisionAtKIgnoresOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawLists(t)
		if len(a) == 0 {
			return
		}
		k := rapid.IntRange(1, len(a)).Draw(t, "k")
		got := PrecisionAtK(a, b, k)
		if !(got >= 0 && got <= 1) || PrecisionAtK(a, a, k) != 1 {
			t.Fatalf("PrecisionAtK = %v", got)
		}
		perm := rapid.Permutation(seq(len(a))).Draw(t, "perm")
		pa, pb := make([]float64, len(a)), make([]float64, len(b))
		for i, j := range perm {
			pa[i], pb[i] = a[j], b[j]
		}
		if other := PrecisionAtK(pa, pb, k); other != got {
			t.Fatalf("%v, but %v in another order", got, other)
		}
	})
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
