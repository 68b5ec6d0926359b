package metric

import (
	"math"
	"slices"
)

// Best returns the rows that no other row [Dominates], in rising order: with n
// violations, losses holds n rows of m. While no row is feasible these are the
// rows with the smallest violation. Rows with a loss or a violation that is not
// finite (a failed or missing measurement) are left out.
//
// It is what a [Front] keeps of the same scores, at once.
func Best(losses []float64, m int, violations []float64) []int {
	var at []int
	least := math.Inf(1)
	for i, v := range violations {
		if slices.ContainsFunc(losses[i*m:(i+1)*m], func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
			continue
		}
		switch {
		case v < least:
			least = v
			at = append(at[:0], i)
		case v == least && !math.IsInf(v, 0):
			at = append(at, i)
		}
	}
	if least != 0 {
		return at
	}
	points := make([]float64, 0, len(at)*m)
	for _, i := range at {
		points = append(points, losses[i*m:(i+1)*m]...)
	}
	keep := NonDominated(points, m)
	for k, j := range keep {
		keep[k] = at[j]
	}
	return keep
}
