package metric

import (
	"cmp"
	"math"
	"slices"
)

// A Score is the judgement on one design, made by [Goal.Score].
type Score struct {
	Loss      []float64 // one per objective, all to be minimised
	Violation float64   // sum of the normalised misses of the hard limits; 0 means feasible
}

// Feasible reports whether every hard limit holds.
func (s Score) Feasible() bool { return s.Violation <= 0 }

// OK reports whether everything was measured: all numbers are finite.
func (s Score) OK() bool {
	for _, x := range s.Loss {
		if !finite(x) {
			return false
		}
	}
	return finite(s.Violation)
}

// Dominates reports whether a is better than b: feasible beats infeasible; of
// two infeasible ones the smaller violation wins; of two feasible ones a must
// be no worse in every objective and better in one. NaN counts as +Inf. It is
// a strict partial order; scores with different numbers of objectives are not
// comparable by their losses.
func Dominates(a, b Score) bool {
	fa, fb := a.Feasible(), b.Feasible()
	switch {
	case fa != fb:
		return fa
	case !fa:
		return nanLast(a.Violation) < nanLast(b.Violation)
	}
	return paretoDominates(a.Loss, b.Loss)
}

// Compare orders scores totally and in agreement with [Dominates]: feasible
// first, then by violation, then by the losses from the first objective on. It
// returns -1 when a comes first, 0 for a tie, +1 otherwise.
func Compare(a, b Score) int {
	fa, fb := a.Feasible(), b.Feasible()
	switch {
	case fa && !fb:
		return -1
	case fb && !fa:
		return 1
	case !fa:
		if c := cmp.Compare(nanLast(a.Violation), nanLast(b.Violation)); c != 0 {
			return c
		}
	}
	return slices.CompareFunc(a.Loss, b.Loss, func(x, y float64) int {
		return cmp.Compare(nanLast(x), nanLast(y))
	})
}

// RankScores gives every score the index of its front under [Dominates]:
// feasible scores by [NonDominatedSort], then the infeasible ones by rising
// violation, equal violations together. ranks is used when it is long enough.
// All scores must have the same number of objectives.
func RankScores(scores []Score, ranks []int32) []int32 {
	ranks = resize(ranks, len(scores))
	var feasible, infeasible []int32
	m := -1
	for i, s := range scores {
		if m >= 0 && len(s.Loss) != m {
			panic("metric: RankScores: scores with different numbers of objectives")
		}
		m = len(s.Loss)
		if s.Feasible() {
			feasible = append(feasible, int32(i))
		} else {
			infeasible = append(infeasible, int32(i))
		}
	}
	next := int32(0)
	if len(feasible) > 0 {
		if m == 0 {
			for _, i := range feasible {
				ranks[i] = 0
			}
			next = 1
		} else {
			points := make([]float64, 0, len(feasible)*m)
			for _, i := range feasible {
				points = append(points, scores[i].Loss...)
			}
			for k, r := range NonDominatedSort(points, m, nil) {
				ranks[feasible[k]] = r
				next = max(next, r+1)
			}
		}
	}
	slices.SortFunc(infeasible, func(i, j int32) int {
		return cmp.Or(cmp.Compare(nanLast(scores[i].Violation), nanLast(scores[j].Violation)), cmp.Compare(i, j))
	})
	for k, i := range infeasible {
		if k > 0 && nanLast(scores[i].Violation) > nanLast(scores[infeasible[k-1]].Violation) {
			next++
		}
		ranks[i] = next
	}
	return ranks
}

// paretoDominates is Pareto dominance with NaN as +Inf.
func paretoDominates(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	better := false
	for i, x := range a {
		x, y := nanLast(x), nanLast(b[i])
		if x > y {
			return false
		}
		better = better || x < y
	}
	return better
}

func nanLast(x float64) float64 {
	if x != x {
		return math.Inf(1)
	}
	return x
}

// resize returns a slice of length n, reusing s where it can.
func resize[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}
