package metric

import "math"

// Knee returns the index of the row of points nearest to the ideal point, when
// every objective is measured from 0, its smallest value among the rows, to 1,
// its largest (Euclidean distance; the first of equals). points holds rows of m
// objectives, all to be minimised, usually a front. An objective without spread
// says nothing and is left out.
//
// Rows with NaN or an infinity are left out, unless there are no others: then
// it is the first row. It is -1 when there are no rows.
func Knee(points []float64, m int) int {
	n := rows(points, m, "Knee")
	if n == 0 {
		return -1
	}
	lo, hi := make([]float64, m), make([]float64, m)
	for k := range m {
		lo[k], hi[k] = math.Inf(1), math.Inf(-1)
	}
	good := make([]int, 0, n)
	for i := range n {
		row := points[i*m : i*m+m]
		if !(Score{Loss: row}).OK() {
			continue
		}
		good = append(good, i)
		for k, x := range row {
			lo[k], hi[k] = min(lo[k], x), max(hi[k], x)
		}
	}
	best, nearest := 0, math.Inf(1)
	for _, i := range good {
		sum := 0.0
		for k, x := range points[i*m : i*m+m] {
			if span := hi[k]/2 - lo[k]/2; span > 0 { // halves cannot overflow
				u := (x/2 - lo[k]/2) / span
				sum += float64(u * u)
			}
		}
		if sum < nearest {
			best, nearest = i, sum
		}
	}
	return best
}
