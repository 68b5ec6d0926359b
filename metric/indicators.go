package metric

import (
	"math"
)

// The indicators compare a front with a reference front, both flat rows of m
// losses. They do not scale the objectives: bring these to similar ranges
// first. Without rows to judge the distances are +Inf; without reference rows
// they are NaN. NaN counts as +Inf in rows to judge.

// GD is the generational distance: the mean Euclidean distance from each row of
// points to the nearest reference row. Smaller is better; it does not see what
// is missing.
func GD(points, reference []float64, m int) float64 {
	rows(points, m, "GD")
	rows(reference, m, "GD")
	if len(reference) == 0 {
		return math.NaN()
	}
	if len(points) == 0 {
		return math.Inf(1)
	}
	return meanNearest(points, reference, m, euclid)
}

// IGD is the inverted generational distance: the mean Euclidean distance from
// each reference row to the nearest row of points. Smaller is better. It can
// prefer a dominated front; [IGDPlus] cannot.
func IGD(points, reference []float64, m int) float64 {
	return inverted(points, reference, m, euclid, "IGD")
}

// IGDPlus is IGD with the distance that counts only objectives in which the row
// is worse than the reference row (Ishibuchi et al., 2015), which makes it
// weakly Pareto compliant.
func IGDPlus(points, reference []float64, m int) float64 {
	return inverted(points, reference, m, func(reference, p []float64) float64 {
		d := 0.0
		for j, r := range reference {
			if x := p[j] - r; x > 0 {
				d += float64(x * x)
			}
		}
		return math.Sqrt(d)
	}, "IGDPlus")
}

func inverted(points, reference []float64, m int, dist func(a, b []float64) float64, fn string) float64 {
	rows(points, m, fn)
	rows(reference, m, fn)
	if len(reference) == 0 {
		return math.NaN()
	}
	if len(points) == 0 {
		return math.Inf(1)
	}
	return meanNearest(reference, clean(points), m, dist)
}

// clean replaces NaN by +Inf.
func clean(points []float64) []float64 {
	out := make([]float64, len(points))
	for i, x := range points {
		out[i] = nanLast(x)
	}
	return out
}

func meanNearest(from, to []float64, m int, dist func(a, b []float64) float64) float64 {
	sum := 0.0
	for i := 0; i < len(from); i += m {
		best := math.Inf(1)
		for k := 0; k < len(to); k += m {
			best = min(best, nanLast(dist(from[i:i+m], to[k:k+m])))
		}
		sum += best
	}
	return sum / float64(len(from)/m)
}

func euclid(a, b []float64) float64 {
	d := 0.0
	for j, x := range a {
		e := x - b[j]
		d += float64(e * e)
	}
	return math.Sqrt(d)
}

// AdditiveEpsilon is the smallest amount by which every row of points must be
// improved in every objective so that together they weakly dominate the
// reference (Zitzler et al., 2003). Smaller is better; it is 0 when points is
// the reference and negative when it is better throughout.
func AdditiveEpsilon(points, reference []float64, m int) float64 {
	rows(points, m, "AdditiveEpsilon")
	rows(reference, m, "AdditiveEpsilon")
	if len(reference) == 0 {
		return math.NaN()
	}
	worst := math.Inf(-1)
	for k := 0; k < len(reference); k += m {
		best := math.Inf(1)
		for i := 0; i < len(points); i += m {
			need := math.Inf(-1)
			for j := range m {
				need = max(need, nanLast(points[i+j]-reference[k+j]))
			}
			best = min(best, need)
		}
		worst = max(worst, best)
	}
	return worst
}

// Spread is Deb's Δ for two objectives (NSGA-II, 2002): the distances between
// neighbours on the front and from its ends to the ends of the reference front,
// and how unequal the former are,
//
//	Δ = (d_first + d_last + Σ|d_i - mean d|) / (d_first + d_last + (n-1) mean d)
//
// Smaller is better; 0 is an evenly spaced front that reaches both ends. Only
// the non-dominated rows of points count, equal ones once. With fewer than two
// of these it is 1, or 0 when that one is both ends of the reference.
func Spread(points, reference []float64) float64 {
	const m = 2
	rows(points, m, "Spread")
	rows(reference, m, "Spread")
	if len(reference) == 0 {
		return math.NaN()
	}
	if len(points) == 0 {
		return math.Inf(1)
	}
	p, r := sortedFront(points), sortedFront(reference)
	dFirst := euclid(p[:m], r[:m])
	dLast := euclid(p[len(p)-m:], r[len(r)-m:])
	n := len(p) / m
	gaps := make([]float64, 0, n-1)
	sum := 0.0
	for i := 1; i < n; i++ {
		d := euclid(p[(i-1)*m:i*m], p[i*m:(i+1)*m])
		gaps = append(gaps, d)
		sum += d
	}
	mean := 0.0
	if len(gaps) > 0 {
		mean = sum / float64(len(gaps))
	}
	uneven := 0.0
	for _, d := range gaps {
		uneven += math.Abs(d - mean)
	}
	total := dFirst + dLast + sum
	if total == 0 {
		return 0
	}
	return (dFirst + dLast + uneven) / total
}

// sortedFront returns the different non-dominated rows of two objectives by
// rising first objective.
func sortedFront(points []float64) []float64 {
	var o orderer
	var out []float64
	for _, i := range o.order(points, 2, 0, true) {
		x, y := nanLast(points[2*i]), nanLast(points[2*i+1])
		if k := len(out); k == 0 || y < out[k-1] {
			out = append(out, x, y)
		}
	}
	return out
}
