package metric

import (
	"math"
	"slices"
	"sync"
)

// hvWork holds the buffers of the hypervolume kernels.
type hvWork struct {
	order orderer
	rows  []float64
	steps []pair
	stair staircase
	level [][]float64 // one pair of buffers for every dimension of the recursion
}

var hvPool = sync.Pool{New: func() any { return new(hvWork) }}

// Hypervolume returns the exact volume that the rows of points, m objectives
// each and all to be minimised, dominate within the reference point ref. Rows
// that are not strictly better than ref in every objective contribute nothing,
// nor do rows with NaN; dominated and equal rows are allowed. The result is
// +Inf when a contributing row or ref is infinite, and NaN when ref has a NaN.
//
// Two and three objectives take O(n log n) for the sweep (Fonseca et al.,
// 2006); more use WFG (While et al., 2012) down to three, so four take
// O(n² log n) and the time grows steeply with every further objective.
func Hypervolume(points []float64, m int, ref []float64) float64 {
	checkRef(points, m, ref, "Hypervolume")
	w := hvPool.Get().(*hvWork)
	defer hvPool.Put(w)
	inside, special := w.inside(points, m, ref)
	if special != 0 {
		return special
	}
	return w.volume(inside, m, ref)
}

func checkRef(points []float64, m int, ref []float64, fn string) {
	rows(points, m, fn)
	if len(ref) != m {
		panic("metric: " + fn + ": the reference point needs as many numbers as there are objectives")
	}
}

// inside copies the rows that contribute. special is the result when it is not
// a plain volume: NaN or +Inf.
func (w *hvWork) inside(points []float64, m int, ref []float64) (kept []float64, special float64) {
	open := false
	for _, r := range ref {
		if r != r {
			return nil, math.NaN()
		}
		open = open || math.IsInf(r, 1)
	}
	kept = w.rows[:0]
	for ; len(points) >= m; points = points[m:] {
		p := points[:m]
		if !strictlyInside(p, ref) {
			continue
		}
		for _, x := range p {
			open = open || math.IsInf(x, -1)
		}
		kept = append(kept, p...)
	}
	w.rows = kept
	if open && len(kept) > 0 {
		return nil, math.Inf(1)
	}
	return kept, 0
}

func strictlyInside(p, ref []float64) bool {
	for k, x := range p {
		if !(x < ref[k]) { // also NaN
			return false
		}
	}
	return true
}

// volume is the hypervolume of finite rows that all lie inside ref.
func (w *hvWork) volume(p []float64, m int, ref []float64) float64 {
	if len(p) == 0 {
		return 0
	}
	switch m {
	case 1:
		return ref[0] - slices.Min(p)
	case 2:
		return w.volume2(p, ref)
	case 3:
		return w.volume3(p, ref)
	}
	return w.volumeN(p, m, ref)
}

func (w *hvWork) volume2(p, ref []float64) float64 {
	idx := w.order.order(p, 2, 0, true)
	v, top := 0.0, ref[1]
	for _, i := range idx {
		if y := p[2*i+1]; y < top {
			v += float64((ref[0] - p[2*i]) * (top - y))
			top = y
		}
	}
	return v
}

// bigStair is the number of rows from which a sorted slice could cost more in
// moves than the chunked staircase costs in bookkeeping.
const bigStair = 1 << 13

// volume3 sweeps along the third objective and keeps the area that the rows met
// so far dominate in the plane of the first two.
func (w *hvWork) volume3(p, ref []float64) float64 {
	n := len(p) / 3
	idx := w.order.order(p, 3, 2, false)
	var area, v float64
	below := p[3*idx[0]+2]
	if n >= bigStair {
		w.stair.reset()
		for _, i := range idx {
			q := p[3*i : 3*i+3 : 3*i+3]
			_, gain := w.stair.insert(q[0], q[1], 0, ref[0], ref[1], false)
			w.stair.removed = w.stair.removed[:0]
			if gain > 0 {
				v += float64(area * (q[2] - below))
				below = q[2]
				area += gain
			}
		}
		return v + float64(area*(ref[2]-below))
	}
	// Sentinels: the step to the left of all rows and the one below all.
	s := append(w.steps[:0], pair{math.Inf(-1), ref[1]}, pair{ref[0], math.Inf(-1)})
	for _, i := range idx {
		q := p[3*i : 3*i+3 : 3*i+3]
		x, y, z := q[0], q[1], q[2]
		lo, k := 1, len(s)-1
		for k > 0 { // first step with x' >= x
			half := k >> 1
			if s[lo+half].y < x {
				lo += half + 1
				k -= half + 1
			} else {
				k = half
			}
		}
		top := s[lo-1].z
		if top <= y || s[lo].y == x && s[lo].z <= y {
			continue
		}
		gain, left, end := 0.0, x, lo
		for s[end].z >= y {
			gain += float64((s[end].y - left) * (top - y))
			left, top = s[end].y, s[end].z
			end++
		}
		gain += float64((s[end].y - left) * (top - y))
		v += float64(area * (z - below))
		below = z
		area += gain
		if end == lo {
			s = append(s, pair{})
			copy(s[lo+1:], s[lo:])
		} else if end > lo+1 {
			s = s[:lo+1+copy(s[lo+1:], s[end:])]
		}
		s[lo] = pair{x, y}
	}
	w.steps = s
	return v + float64(area*(ref[2]-below))
}

// volumeN adds up what each row covers beyond the rows that are better in the
// last objective. There the last objective no longer matters, which takes one
// dimension off.
func (w *hvWork) volumeN(p []float64, m int, ref []float64) float64 {
	for len(w.level) < 2*m+2 {
		w.level = append(w.level, nil)
	}
	idx := w.order.order(p, m, m-1, false)
	sorted := w.level[2*m][:0]
	for _, i := range idx {
		sorted = append(sorted, p[int(i)*m:int(i)*m+m]...)
	}
	w.level[2*m] = sorted
	d := m - 1
	v := 0.0
	for at := 0; at < len(sorted); at += m {
		q := sorted[at : at+m]
		box := 1.0
		for j := range d {
			box *= ref[j] - q[j]
		}
		limited := w.level[2*m+1][:0]
		covered := false
		for b := 0; b < at && !covered; b += m {
			k := len(limited)
			covered = true
			for j := range d {
				x := max(sorted[b+j], q[j])
				covered = covered && x == q[j]
				limited = append(limited, x)
			}
			if d > 3 {
				limited = pruneLast(limited, d, k)
			}
		}
		w.level[2*m+1] = limited
		if covered {
			continue // dominated, or equal to an earlier row
		}
		if rest := box - w.volume(limited, d, ref[:d]); rest > 0 {
			v += float64(rest * (ref[d] - q[d]))
		}
	}
	return v
}

// pruneLast keeps limited free of dominated rows when its last row, at k, was
// just added.
func pruneLast(limited []float64, d, k int) []float64 {
	last := limited[k : k+d]
	for b := 0; b < k; b += d {
		if noWorse(limited[b:b+d], last) {
			return limited[:k]
		}
	}
	out := 0
	for b := 0; b < k; b += d {
		if !noWorse(last, limited[b:b+d]) {
			copy(limited[out:], limited[b:b+d])
			out += d
		}
	}
	copy(limited[out:], last)
	return limited[:out+d]
}

// exclusive is the volume that q covers and the rows of p do not; all are
// finite and inside ref.
func (w *hvWork) exclusive(q, p []float64, m int, ref []float64) float64 {
	for len(w.level) < 2 {
		w.level = append(w.level, nil)
	}
	limited := w.level[0][:0]
	for b := 0; b < len(p); b += m {
		covered := true
		for j := range m {
			x := max(p[b+j], q[j])
			covered = covered && x == q[j]
			limited = append(limited, x)
		}
		if covered {
			w.level[0] = limited
			return 0
		}
	}
	w.level[0] = limited
	box := 1.0
	for j, x := range q {
		box *= ref[j] - x
	}
	return max(box-w.volume(limited, m, ref), 0)
}

// HypervolumeContributions returns for every row the volume that only this row
// covers: [Hypervolume] of all rows less that without it. Dominated rows, rows
// that occur twice, rows beyond ref and rows with NaN contribute 0. Where both
// volumes are infinite the result is NaN.
//
// Two objectives take O(n log n) when no row is dominated, three O(n² log n).
func HypervolumeContributions(points []float64, m int, ref []float64) []float64 {
	checkRef(points, m, ref, "HypervolumeContributions")
	out := make([]float64, len(points)/m)
	var at []int
	var p []float64
	special := !allFinite(ref)
	for i := range out {
		if q := points[i*m : i*m+m]; strictlyInside(q, ref) {
			at = append(at, i)
			p = append(p, q...)
			special = special || !allFinite(q)
		}
	}
	// Only what is dominated by one member of the front alone can take over
	// volume from it, and of that only what nothing else dominates.
	ranks := NonDominatedSort(p, m, nil)
	k, onlyFront := 0, true
	for i, r := range ranks {
		if r <= 1 {
			at[k], ranks[k] = at[i], r
			copy(p[k*m:k*m+m], p[i*m:i*m+m])
			onlyFront = onlyFront && r == 0
			k++
		}
	}
	at, ranks, p = at[:k], ranks[:k], p[:k*m]
	w := hvPool.Get().(*hvWork)
	defer hvPool.Put(w)
	if m == 2 && onlyFront && !special {
		idx := w.order.order(p, 2, 0, true)
		for j, i := range idx {
			x, y := ref[0], ref[1]
			if j > 0 {
				y = p[2*idx[j-1]+1]
			}
			if j+1 < k {
				x = p[2*idx[j+1]]
			}
			out[at[i]] = max(float64((x-p[2*i])*(y-p[2*i+1])), 0)
		}
		return out
	}
	rest := make([]float64, 0, len(p))
	for i, r := range ranks {
		if r != 0 {
			continue
		}
		rest = append(append(rest[:0], p[:i*m]...), p[i*m+m:]...)
		if special {
			out[at[i]] = Hypervolume(p, m, ref) - Hypervolume(rest, m, ref)
		} else {
			out[at[i]] = w.exclusive(p[i*m:i*m+m], rest, m, ref)
		}
	}
	return out
}

func allFinite(p []float64) bool {
	for _, x := range p {
		if !finite(x) {
			return false
		}
	}
	return true
}
