package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A Factor is what may have made trials good or bad, such as one parameter:
// its value in every trial.
type Factor struct {
	// NaN where a trial does not have the parameter. Of numbers only the order
	// counts, so their scale does not matter, and infinities are the ends.
	Values []float64
	// The values are names, such as the numbers of the cases of a choice: they
	// are equal or not, and no two are near each other.
	Unordered bool
}

// Importance returns how much each factor by itself tells the best trials from
// the rest, as shares that sum to 1: [Explained] of each over the sum. All are 0
// when no factor tells anything; look at Explained to see whether a large share
// is one of much or of almost nothing. [BestQuantile] says which trials are
// best; the usual share is 0.1.
//
// It is PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently
// Quantifying Hyperparameter Importance in Arbitrary Subspaces", IJCAI 2023) of
// the best trials against all trials given. Like every variance by one factor
// it sees no factor that matters only together with others, and it speaks of
// what was tried: the best trials stand out only from what they are compared
// with. To ask about part of the trials, give only those.
func Importance(factors []Factor, best []bool) []float64 {
	out := make([]float64, len(factors))
	var w factorWork
	sum := 0.0
	for i, f := range factors {
		out[i] = w.explained(f, best, "Importance")
		sum += out[i]
	}
	if sum > 0 {
		for i := range out {
			out[i] /= sum
		}
	}
	return out
}

// Explained returns which part of the variance of "is among the best" the
// factor explains by itself: 1 when its value decides it, 0 when it tells no
// more than chance. It is 0 for a factor with one value, when no trial or every
// trial is best, and when there are so many values for so few trials that
// nothing can be told.
//
// With gamma the share of the best trials and p the densities of the factor's
// values, the marginal variance of PED-ANOVA is
//
//	v = gamma² ∫ (p_best(x)/p_all(x) - 1)² p_all(x) dx
//
// and Explained is v / (gamma (1-gamma)), with three choices of its own:
//
//   - Both densities are made with the same kernel. Then gamma p_best/p_all is a
//     weighted mean of zeros and ones, so v cannot exceed gamma (1-gamma) and
//     needs no prior against small p_all.
//   - Numbers are replaced by their ranks, equal ones by the middle of theirs. v
//     does not change when x is bent, and ranks give the fine grid to where the
//     trials are. The normal kernel has the width 0.3 n^(-1/3) of the n trials
//     that have the factor. Names are counted without any kernel, and absence is
//     one more name; to leave out whether a factor is there at all, give only
//     the trials that have it.
//   - What v is expected to be if the best were drawn by lot is taken off, as in
//     the adjusted R² and Kelley's epsilon², so that a factor of many values does
//     not win by their number alone.
func Explained(f Factor, best []bool) float64 {
	var w factorWork
	return w.explained(f, best, "Explained")
}

// rankGrid is how many cells the ranks of a number are put into.
const rankGrid = 100

// A factorCell counts the trials whose values fall together.
type factorCell struct {
	all, best float64
	at        int // place of their ranks, 0..rankGrid-1
}

type factorWork struct {
	order orderer
	value []float64 // of the trials that have the factor
	best  []bool
	cells []factorCell
}

func (w *factorWork) explained(f Factor, best []bool, fn string) float64 {
	n := len(best)
	if len(f.Values) != n {
		panic(fmt.Sprintf("metric: %s: found %d values, want %d as there are trials", fn, len(f.Values), n))
	}
	var total, absent factorCell
	w.value, w.best = w.value[:0], w.best[:0]
	for i, x := range f.Values {
		total.count(best[i])
		if x != x {
			absent.count(best[i])
		} else {
			w.value, w.best = append(w.value, x), append(w.best, best[i])
		}
	}
	share := total.best / total.all
	if !(share > 0 && share < 1) {
		return 0
	}
	// The sum of squares between the cells, and how many numbers are free in it.
	between, free := 0.0, -1.0
	add := func(all, best, numbers float64) {
		d := best/all - share
		between += float64(all * float64(d*d))
		free += numbers
	}
	w.count()
	switch {
	case f.Unordered:
		for _, c := range w.cells {
			add(c.all, c.best, 1)
		}
	case len(w.value) > 0:
		w.smooth(add)
	}
	if absent.all > 0 {
		add(absent.all, absent.best, 1)
	}
	left := float64(n-1) - free
	if left < 1 {
		return 0
	}
	rest := 1 - between/float64(total.best*(1-share))
	return min(max(1-float64(rest*float64(n-1))/left, 0), 1)
}

func (c *factorCell) count(best bool) {
	c.all++
	if best {
		c.best++
	}
}

// count makes one cell of every value, in rising order.
func (w *factorWork) count() {
	w.cells = w.cells[:0]
	idx := w.order.order(w.value, 1, 0, false)
	n := len(idx)
	for i := 0; i < n; {
		var c factorCell
		j := i
		for ; j < n && w.value[idx[j]] == w.value[idx[i]]; j++ {
			c.count(w.best[idx[j]])
		}
		c.at = (i + j) * rankGrid / (2 * n) // their ranks are i..j-1
		w.cells = append(w.cells, c)
		i = j
	}
}

// smooth joins the cells that share a place and calls add with the smoothed
// counts of each. Kernels reach only places where there is a trial, and each
// sums to 1 over these. The last number is the cell's part in the trace of the
// smoother, which is how many numbers a smoothed curve is free to choose.
func (w *factorWork) smooth(add func(all, best, numbers float64)) {
	k := 0
	for _, c := range w.cells[1:] {
		if last := &w.cells[k]; c.at == last.at {
			last.all += c.all
			last.best += c.best
		} else {
			k++
			w.cells[k] = c
		}
	}
	cells := w.cells[:k+1]
	width := float64(0.3*rankGrid) * power(float64(len(w.value)), -1.0/3)
	var kernel [rankGrid]float64
	for d := range kernel {
		z := float64(d) / width
		kernel[d] = detmath.Exp(float64(-0.5 * float64(z*z)))
	}
	mass := make([]float64, len(cells))
	for i, c := range cells {
		for _, x := range cells {
			mass[i] += kernel[max(c.at-x.at, x.at-c.at)]
		}
	}
	for _, x := range cells {
		var all, best, square float64
		for i, c := range cells {
			k := kernel[max(c.at-x.at, x.at-c.at)] / mass[i]
			all += float64(c.all * k)
			best += float64(c.best * k)
			square += float64(c.all * float64(k*k))
		}
		add(all, best, square/all)
	}
}

// BestQuantile reports of every row whether it is among the best share of them,
// such as 0.1: feasible rows by whole non-dominated fronts, of the front that
// does not fit the least crowded ([CrowdingDistance] over its different rows),
// then infeasible ones by rising violation. With one objective these are the
// smallest losses. With n violations, losses holds n rows of m.
//
// Rows that are equal in this order are marked together or not at all, whichever
// comes nearer to the share, but never none; so the result does not depend on
// the order of the rows. Rows with a loss or a violation that is not finite (a
// failed or missing measurement) count as rows and are never marked. A share
// that is not above 0 marks none.
//
// 100,000 rows of up to three objectives take less than 0.1 s; from four on it
// grows with the product of the rows and the size of the fronts kept.
func BestQuantile(losses []float64, m int, violations []float64, share float64) []bool {
	n := len(violations)
	if m < 0 || len(losses) != n*m {
		panic(fmt.Sprintf("metric: BestQuantile: found %d losses, want %d rows of %d", len(losses), n, m))
	}
	b := bestQuantile{best: make([]bool, n)}
	if !(share > 0) {
		return b.best
	}
	b.need = int(math.Ceil(float64(min(share, 1) * float64(n))))
	var feasible, infeasible []int32
	for i, v := range violations {
		switch s := (Score{losses[i*m : i*m+m], v}); {
		case !s.OK():
		case s.Feasible():
			feasible = append(feasible, int32(i))
		default:
			infeasible = append(infeasible, int32(i))
		}
	}
	b.takeFronts(losses, m, feasible)
	slices.SortFunc(infeasible, func(i, j int32) int { return cmp.Compare(violations[i], violations[j]) })
	b.takeRuns(infeasible, func(i, j int) bool { return violations[infeasible[i]] == violations[infeasible[j]] })
	return b.best
}

type bestQuantile struct {
	best       []bool
	need, have int
	done       bool
}

// take marks rows that are equal, or is done.
func (b *bestQuantile) take(group []int32) {
	if n := len(group); b.done || b.have > 0 && b.have+n-b.need > b.need-b.have {
		b.done = true
		return
	}
	for _, i := range group {
		b.best[i] = true
	}
	b.have += len(group)
	b.done = b.have >= b.need
}

// takeRuns takes runs of equal neighbours.
func (b *bestQuantile) takeRuns(rows []int32, equal func(i, j int) bool) {
	for i := 0; i < len(rows) && !b.done; {
		j := i + 1
		for j < len(rows) && equal(i, j) {
			j++
		}
		b.take(rows[i:j])
		i = j
	}
}

func (b *bestQuantile) takeFronts(losses []float64, m int, rows []int32) {
	if len(rows) == 0 {
		return
	}
	if m == 0 {
		b.take(rows)
		return
	}
	points := make([]float64, 0, len(rows)*m)
	for _, i := range rows {
		points = append(points, losses[int(i)*m:int(i)*m+m]...)
	}
	ranks := leadingFronts(points, m, b.need)
	var size []int
	for _, r := range ranks {
		for int(r) >= len(size) {
			size = append(size, 0)
		}
		if r >= 0 {
			size[r]++
		}
	}
	whole := 0 // how many fronts fit
	for held := 0; whole < len(size) && held+size[whole] <= b.need; whole++ {
		held += size[whole]
	}
	var front, split []int32
	for k, r := range ranks {
		if r >= 0 && int(r) < whole {
			front = append(front, rows[k])
		} else if int(r) == whole {
			split = append(split, rows[k])
		}
	}
	if whole > 0 {
		b.take(front)
	}
	b.takeCrowded(losses, m, split)
}

// takeCrowded takes the members of a front, the least crowded first. Rows that
// are equal count as one and go together.
func (b *bestQuantile) takeCrowded(losses []float64, m int, front []int32) {
	if len(front) == 0 || b.done {
		return
	}
	slices.SortFunc(front, func(i, j int32) int { return compareRows(losses, m, 0, true, i, j) })
	var different []int32
	of := make([]int32, len(front)) // which of the different rows
	at := make([]int32, len(front))
	for k, i := range front {
		if k == 0 || !sameRow(losses, m, i, front[k-1]) {
			different = append(different, i)
		}
		of[k], at[k] = int32(len(different)-1), int32(k)
	}
	dist := CrowdingDistance(losses, m, different, nil)
	slices.SortStableFunc(at, func(i, j int32) int { return cmp.Compare(dist[of[j]], dist[of[i]]) })
	order := make([]int32, len(front))
	for k, i := range at {
		order[k] = front[i]
	}
	b.takeRuns(order, func(i, j int) bool { return dist[of[at[i]]] == dist[of[at[j]]] })
}

// leadingFronts is NonDominatedSort of the fronts that the best need rows are
// in; rows behind them may get -1. From four objectives on it is the same
// algorithm without the members of fronts that are behind enough others.
func leadingFronts(points []float64, m, need int) []int32 {
	if m < 4 {
		return NonDominatedSort(points, m, nil)
	}
	ranks := make([]int32, len(points)/m)
	var o orderer
	idx := o.order(points, m, 0, true)
	var front [][]int32 // different rows, those first that dominated lately
	var size []int      // rows of each front
	held := 0           // rows of all these fronts
	dominated := func(f []int32, p []float64) bool {
		for k, j := range f {
			if noWorse(points[int(j)*m:int(j)*m+m], p) {
				copy(f[1:k+1], f[:k])
				f[0] = j
				return true
			}
		}
		return false
	}
	for k, i := range idx {
		rank := int32(-1)
		if k > 0 && sameRow(points, m, i, idx[k-1]) {
			rank = ranks[idx[k-1]]
		} else {
			p := points[int(i)*m : int(i)*m+m]
			lo, hi := 0, len(front)
			if held >= need { // no front may be added
				hi--
				if dominated(front[hi], p) {
					lo = hi + 1
				}
			}
			for lo < hi {
				mid := int(uint(lo+hi) >> 1)
				if dominated(front[mid], p) {
					lo = mid + 1
				} else {
					hi = mid
				}
			}
			if lo == len(front) && held < need {
				front, size = append(front, nil), append(size, 0)
			}
			if lo < len(front) {
				front[lo] = append(front[lo], i)
				rank = int32(lo)
			}
		}
		ranks[i] = rank
		if rank < 0 || int(rank) >= len(front) {
			continue
		}
		size[rank]++
		held++
		for last := len(size) - 1; held-size[last] >= need; last-- {
			held -= size[last]
			front, size = front[:last], size[:last]
		}
	}
	return ranks
}

// HypergeometricTail returns the probability that drawn trials, taken by lot out
// of all trials, contain hits or more of the marked ones:
//
//	P(X >= hits) = Σ_{k >= hits} C(marked, k) C(all-marked, drawn-k) / C(all, drawn)
//
// It is the one-sided exact test of Fisher: with drawn the number of the best
// trials, marked that of the trials with some value and hits that of the trials
// with both, a small probability says that the best share the value more often
// than chance would have it. Who looks at many values must expect the smallest
// of their probabilities to be small.
//
// The terms are summed as multiples of one near the largest, so nothing can
// overflow, nothing cancels, and the time goes with the standard deviation of X,
// not with the number of trials. Probabilities below 1e-300 may come out as 0.
// NaN when marked or drawn is negative or above all.
func HypergeometricTail(all, marked, drawn, hits int) float64 {
	if marked < 0 || drawn < 0 || marked > all || drawn > all {
		return math.NaN()
	}
	low, high := max(0, drawn-(all-marked)), min(marked, drawn)
	switch {
	case hits <= low:
		return 1
	case hits > high:
		return 0
	}
	// ratio is the term at k+1 over the term at k; it falls with k.
	ratio := func(k int) float64 {
		up := float64(float64(marked-k) * float64(drawn-k))
		return up / float64(float64(k+1)*float64(all-marked-drawn+k+1))
	}
	start := int((float64(marked) + 1) / (float64(all) + 2) * (float64(drawn) + 1))
	start = min(max(start, low), high)
	// Terms this small against the sum that counts cannot change its last bit.
	const tiny = 0x1p-70
	tail, below := 0.0, 0.0
	for k, term := start, 1.0; ; k++ {
		if k >= hits {
			tail += term
		} else {
			below += term
		}
		if k == high || term < 1e-300 || k >= hits && term < float64(tiny*tail) {
			break
		}
		term = float64(term * ratio(k))
	}
	for k, term := start, 1.0; k > low; {
		k--
		term = float64(term / ratio(k))
		if k >= hits {
			tail += term
		} else {
			below += term
		}
		if term < float64(tiny*(tail+below)) {
			break
		}
	}
	return tail / (tail + below)
}
