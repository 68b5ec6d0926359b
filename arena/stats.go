package arena

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
)

// The tests are two-sided. Their null distributions are exact, ties included,
// up to the sizes below and normal beyond, corrected for ties and continuity.
const (
	exactSigned = 60   // differences of [Wilcoxon]
	exactSum    = 4000 // product of the sample sizes of [MannWhitney], about two times 60
)

// Wilcoxon is the signed-rank test of paired samples (Wilcoxon 1945): whether
// the differences a - b are symmetric around 0. Zero differences are ranked and
// then dropped (Pratt 1959). w is the sum of the ranks of positive differences,
// p is 1 when all are zero.
func Wilcoxon(a, b []float64) (w, p float64) {
	if len(a) != len(b) {
		panic("arena: Wilcoxon: samples of different lengths")
	}
	size := make([]float64, len(a))
	for i := range a {
		size[i] = math.Abs(a[i] - b[i])
	}
	ranks := metric.Ranks(size)
	var used []float64 // ranks of non-zero differences
	sum := 0.0
	for i, r := range ranks {
		if size[i] == 0 {
			continue
		}
		used = append(used, r)
		sum += r
		if a[i] > b[i] {
			w += r
		}
	}
	if len(used) == 0 {
		return 0, 1
	}
	if len(used) <= exactSigned {
		// Ranks are halves, so twice a rank is whole: count the subsets by sum.
		total := int(math.Round(2 * sum))
		dist := make([]float64, total+1)
		dist[0] = 1
		top := 0
		for _, r := range used {
			k := int(math.Round(2 * r))
			top += k
			for s := top; s >= 0; s-- {
				with := 0.0
				if s >= k {
					with = dist[s-k]
				}
				dist[s] = (dist[s] + with) / 2
			}
		}
		return w, tails(dist, int(math.Round(2*w)))
	}
	mean, variance := sum/2, 0.0
	for _, r := range used {
		variance += r * r / 4 // the exact variance, ties and zeros included
	}
	return w, normalP(w-mean, math.Sqrt(variance))
}

// tails is the two-sided probability of a value as far out as at.
func tails(dist []float64, at int) float64 {
	low, high := 0.0, 0.0
	for s, p := range dist {
		if s <= at {
			low += p
		}
		if s >= at {
			high += p
		}
	}
	return min(1, 2*min(low, high))
}

// normalP is the two-sided probability of a distance from the mean, with the
// correction for continuity.
func normalP(distance, sigma float64) float64 {
	if sigma == 0 {
		return 1
	}
	z := max(math.Abs(distance)-0.5, 0) / sigma
	return math.Erfc(z / math.Sqrt2)
}

// MannWhitney is the rank-sum test of independent samples (Mann and Whitney
// 1947). u counts the pairs in which a is larger, ties as half.
func MannWhitney(a, b []float64) (u, p float64) {
	m, n := len(a), len(b)
	if m == 0 || n == 0 {
		return 0, 1
	}
	ranks := metric.Ranks(slices.Concat(a, b))
	sum := 0.0
	for _, r := range ranks[:m] {
		sum += r
	}
	u = sum - float64(m*(m+1))/2
	if m*n <= exactSum {
		// dist[k][s] counts the samples of k observations with twice the rank sum
		// s, each divided by what there are of that size at the end.
		total := 0
		for _, r := range ranks {
			total += int(math.Round(2 * r))
		}
		dist := make([][]float64, m+1)
		for k := range dist {
			dist[k] = make([]float64, total+1)
		}
		dist[0][0] = 1
		top := 0
		for i, r := range ranks {
			d := int(math.Round(2 * r))
			top += d
			for k := min(i+1, m); k >= 1; k-- {
				// Hypergeometric weights keep the numbers small: dist[k] is the
				// probability among samples of size k of the first i+1.
				take := float64(k) / float64(i+1)
				for s := top; s >= 0; s-- {
					with := 0.0
					if s >= d {
						with = dist[k-1][s-d]
					}
					leave := 0.0
					if k <= i {
						leave = dist[k][s]
					}
					dist[k][s] = leave*(1-take) + with*take
				}
			}
		}
		return u, tails(dist[m], int(math.Round(2*sum)))
	}
	ties := 0.0
	sorted := slices.Clone(ranks)
	slices.Sort(sorted)
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	all := float64(m + n)
	variance := float64(m) * float64(n) / 12 * (all + 1 - ties/(all*(all-1)))
	return u, normalP(u-float64(m)*float64(n)/2, math.Sqrt(max(variance, 0)))
}

// A12 is Vargha and Delaney's effect size (2000): the probability that a draw
// from a is larger than one from b, ties as half. 0.5 means no difference; 0.56,
// 0.64 and 0.71 are the conventional bounds of small, medium and large.
func A12(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, r := range metric.Ranks(slices.Concat(a, b))[:len(a)] {
		sum += r
	}
	return (sum - float64(len(a)*(len(a)+1))/2) / float64(len(a)*len(b))
}

// CliffsDelta is P(a > b) - P(a < b), from -1 to 1 (Cliff 1993).
func CliffsDelta(a, b []float64) float64 { return 2*A12(a, b) - 1 }

// Friedman tests whether k treatments (columns) differ over n blocks (rows) by
// their ranks within each block, lower values first (Friedman 1937), with the
// correction for ties. ranks are the mean ranks of the treatments; chi2 and its
// p have k-1 degrees of freedom. f and pf are Iman and Davenport's less
// conservative form (1980); with perfect agreement f is +Inf.
func Friedman(rows [][]float64) (ranks []float64, chi2, p, f, pf float64) {
	n := len(rows)
	if n == 0 || len(rows[0]) < 2 {
		return nil, 0, 1, 0, 1
	}
	k := len(rows[0])
	ranks = make([]float64, k)
	ties := 0.0
	for _, row := range rows {
		rs := metric.Ranks(row)
		for j, r := range rs {
			ranks[j] += r / float64(n)
		}
		slices.Sort(rs)
		for i := 0; i < k; {
			j := i
			for j < k && rs[j] == rs[i] {
				j++
			}
			t := float64(j - i)
			ties += t*t*t - t
			i = j
		}
	}
	nf, kf := float64(n), float64(k)
	between := 0.0
	for _, r := range ranks {
		d := r - (kf+1)/2
		between += d * d
	}
	correction := 1 - ties/(nf*(kf*kf*kf-kf))
	if correction <= 0 { // all tie everywhere
		return ranks, 0, 1, 0, 1
	}
	chi2 = 12 * nf / (kf * (kf + 1)) * between / correction
	p = distuv.ChiSquared{K: kf - 1}.Survival(chi2)
	if n == 1 {
		return ranks, chi2, p, math.NaN(), math.NaN()
	}
	if rest := nf*(kf-1) - chi2; rest > 1e-12*nf*kf {
		f = (nf - 1) * chi2 / rest
		pf = distuv.F{D1: kf - 1, D2: (kf - 1) * (nf - 1)}.Survival(f)
	} else {
		f, pf = math.Inf(1), 0
	}
	return ranks, chi2, p, f, pf
}

// NemenyiCD is the critical difference of mean ranks of k treatments over n
// blocks: pairs further apart differ at level alpha, all pairs together
// (Nemenyi 1963; Demšar 2006, equation 4).
func NemenyiCD(k, n int, alpha float64) float64 {
	if k < 2 || n < 1 {
		return math.NaN()
	}
	lo, hi := 0.0, 50.0
	for range 80 {
		mid := (lo + hi) / 2
		if 1-rangeCDF(mid, k) > alpha {
			lo = mid
		} else {
			hi = mid
		}
	}
	q := (lo + hi) / 2 / math.Sqrt2
	return q * math.Sqrt(float64(k*(k+1))/(6*float64(n)))
}

// rangeCDF is the distribution function of the range of k standard normal
// deviates, the studentized range with infinite degrees of freedom:
// k ∫ φ(z) (Φ(z) - Φ(z-q))^(k-1) dz, by Simpson's rule.
func rangeCDF(q float64, k int) float64 {
	const from, to, steps = -8.5, 8.5, 1200
	h := (to - from) / steps
	sum := 0.0
	for i := range steps + 1 {
		z := from + float64(i)*h
		d := (math.Erf(z/math.Sqrt2) - math.Erf((z-q)/math.Sqrt2)) / 2
		v := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi) * math.Pow(d, float64(k-1))
		switch {
		case i == 0 || i == steps:
			sum += v
		case i%2 == 1:
			sum += 4 * v
		default:
			sum += 2 * v
		}
	}
	return min(float64(k)*sum*h/3, 1)
}

// Holm adjusts p values of a family of tests so that each may be compared with
// the level of the family (Holm 1979). NaN stands for a test that was not made.
func Holm(ps []float64) []float64 {
	order := make([]int, 0, len(ps))
	for i, p := range ps {
		if p == p {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case ps[i] < ps[j]:
			return -1
		case ps[i] > ps[j]:
			return 1
		}
		return 0
	})
	out := slices.Clone(ps)
	worst := 0.0
	for k, i := range order {
		worst = max(worst, min(1, ps[i]*float64(len(order)-k)))
		out[i] = worst
	}
	return out
}

// Median returns the middle of the numbers, the mean of the middle two if their
// count is even; NaN without numbers. -Inf and +Inf are numbers.
func Median(xs []float64) float64 { return quantile(slices.Sorted(slices.Values(xs)), 0.5) }

// quantile interpolates between sorted numbers (type 7 of Hyndman and Fan).
func quantile(sorted []float64, q float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	at := q * float64(n-1)
	i := min(int(at), n-1)
	lo, hi := sorted[i], sorted[min(i+1, n-1)]
	if w := at - float64(i); w > 0 && lo != hi {
		return lo + w*(hi-lo)
	}
	return lo
}

// trimmed is the mean without the lowest and the highest tenth.
func trimmed(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	cut := len(sorted) / 10
	return mean(sorted[cut : len(sorted)-cut])
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// bootstraps is the number of resamples behind every interval.
const bootstraps = 1000

// A Bootstrap draws the resamples of samples of one size once, so that intervals
// that belong together are made of the same draws.
type Bootstrap struct {
	n     int
	draws [][]int32
}

// NewBootstrap prepares resampling of n observations.
func NewBootstrap(n int) *Bootstrap {
	r := rng.New(uint64(n), "arena/bootstrap", 0)
	b := &Bootstrap{n: n, draws: make([][]int32, bootstraps)}
	for i := range b.draws {
		d := make([]int32, n)
		for k := range d {
			d[k] = int32(r.IntN(n))
		}
		b.draws[i] = d
	}
	return b
}

// Interval returns the 95 % percentile interval of a statistic of the numbers
// (Efron 1979).
func (b *Bootstrap) Interval(xs []float64, statistic func([]float64) float64) (low, high float64) {
	if b.n == 0 || len(xs) != b.n {
		return math.NaN(), math.NaN()
	}
	sample := make([]float64, b.n)
	values := make([]float64, len(b.draws))
	for i, d := range b.draws {
		for k, j := range d {
			sample[k] = xs[j]
		}
		values[i] = statistic(sample)
	}
	slices.Sort(values)
	return quantile(values, 0.025), quantile(values, 0.975)
}

// MedianInterval is Interval for the median, much faster.
func (b *Bootstrap) MedianInterval(xs []float64) (low, high float64) {
	if b.n == 0 || len(xs) != b.n {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(xs))
	if sorted[0] == sorted[b.n-1] {
		return sorted[0], sorted[0]
	}
	// The median of a resample is found by counting how often each rank occurs.
	counts := make([]int32, b.n)
	values := make([]float64, len(b.draws))
	below, above := (b.n-1)/2, b.n/2
	for i, d := range b.draws {
		clear(counts)
		for _, j := range d {
			counts[j]++
		}
		seen, lo := 0, 0
		for seen += int(counts[0]); seen <= below; seen += int(counts[lo]) {
			lo++
		}
		hi := lo
		if seen <= above { // the upper middle is the next rank that occurs
			for hi++; counts[hi] == 0; hi++ {
			}
		}
		values[i] = sorted[lo]
		if sorted[lo] != sorted[hi] {
			values[i] = sorted[lo]/2 + sorted[hi]/2
		}
	}
	slices.Sort(values)
	return quantile(values, 0.025), quantile(values, 0.975)
}

// Difference is the 95 % percentile interval of a statistic of two independent
// samples, both resampled.
func Difference(a, b []float64, statistic func(a, b []float64) float64) (low, high float64) {
	if len(a) == 0 || len(b) == 0 {
		return math.NaN(), math.NaN()
	}
	r := rng.New(uint64(len(a)), "arena/difference", uint64(len(b)))
	x, y := make([]float64, len(a)), make([]float64, len(b))
	values := make([]float64, bootstraps)
	for i := range values {
		for k := range x {
			x[k] = a[r.IntN(len(a))]
		}
		for k := range y {
			y[k] = b[r.IntN(len(b))]
		}
		values[i] = statistic(x, y)
	}
	slices.Sort(values)
	return quantile(values, 0.025), quantile(values, 0.975)
}
