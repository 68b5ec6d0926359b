package evolve

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/daedalus-search/daedalus/metric"
)

// volumes keeps, of a set of rows, the volume within a reference point that each
// alone dominates. A row that comes or goes changes that of another only if no
// third row dominates what the two dominate together, so that few are computed
// anew: those of two and three objectives exactly, by a sweep that ends where
// nothing is left, of four by the hypervolume of what is clipped, of more from
// random points.
type volumes struct {
	m      int
	ref    []float64
	rows   []float64 // sorted by the last objective
	ids    []int64
	alone  []float64 // volume of each
	points []float64 // of the unit cube, from five objectives on

	clip  []float64
	stale []bool
	xs    []float64 // staircase
	ys    []float64
}

// samples is how many random points estimate a volume.
const samples = 1000

func newVolumes(m int, r *rand.Rand) *volumes {
	v := &volumes{m: m}
	if m > 4 {
		v.points = make([]float64, samples*m)
		for i := range v.points {
			v.points[i] = float64(r.Uint64()>>11) * 0x1p-53
		}
	}
	return v
}

func (v *volumes) len() int { return len(v.ids) }

func (v *volumes) row(i int) []float64 { return v.rows[i*v.m : i*v.m+v.m] }

// refer moves the reference point.
func (v *volumes) refer(ref []float64) {
	v.ref = append(v.ref[:0], ref...)
	for i := range v.alone {
		v.alone[i] = v.measure(i)
	}
}

// clear takes all rows out.
func (v *volumes) clear() { v.rows, v.ids, v.alone = v.rows[:0], v.ids[:0], v.alone[:0] }

// add takes a row in and returns its place.
func (v *volumes) add(row []float64, id int64) int {
	m := v.m
	at := 0
	for at < len(v.ids) && v.rows[at*m+m-1] <= row[m-1] {
		at++
	}
	v.rows = slices.Insert(v.rows, at*m, row...)
	v.ids = slices.Insert(v.ids, at, id)
	v.alone = slices.Insert(v.alone, at, 0)
	v.touch(at)
	for i, s := range v.stale {
		if s || i == at {
			v.alone[i] = v.measure(i)
		}
	}
	return at
}

// remove takes the row at a place out.
func (v *volumes) remove(at int) {
	v.touch(at)
	v.rows = slices.Delete(v.rows, at*v.m, at*v.m+v.m)
	v.ids = slices.Delete(v.ids, at, at+1)
	v.alone = slices.Delete(v.alone, at, at+1)
	v.stale = slices.Delete(v.stale, at, at+1)
	for i, s := range v.stale {
		if s {
			v.alone[i] = v.measure(i)
		}
	}
}

// touch marks the rows whose volume depends on the one at a place.
func (v *volumes) touch(at int) {
	n := len(v.ids)
	v.stale = slices.Grow(v.stale[:0], n)[:n]
	for i := range n {
		v.stale[i] = i != at && v.touches(i, at)
	}
}

// touches reports whether no third row dominates what two dominate together. It
// looks at those next to the second first, which are likeliest to.
func (v *volumes) touches(i, at int) bool {
	n, m := len(v.ids), v.m
	p, q := v.row(at), v.row(i)
	lo, hi := at-1, at+1
	for lo >= 0 || hi < n {
		if lo >= 0 {
			if lo != i && below(v.rows[lo*m:lo*m+m], p, q) {
				return false
			}
			lo--
		}
		if hi < n {
			if hi != i && below(v.rows[hi*m:hi*m+m], p, q) {
				return false
			}
			hi++
		}
	}
	return true
}

// below reports whether a is in no objective worse than both others.
func below(a, p, q []float64) bool {
	for j, x := range a {
		if x > p[j] && x > q[j] {
			return false
		}
	}
	return true
}

// measure returns the volume that the row at a place alone dominates.
func (v *volumes) measure(at int) float64 {
	p := v.row(at)
	for j, x := range p {
		if !(x < v.ref[j]) {
			return 0
		}
	}
	switch v.m {
	case 1:
		next := v.ref[0]
		for i, x := range v.rows {
			if i != at {
				next = min(next, x)
			}
		}
		return max(next-p[0], 0)
	case 2:
		return v.measure2(at, p)
	case 3:
		return v.measure3(at, p)
	}
	return v.measureN(at, p)
}

// measure2 is the rectangle between the neighbours.
func (v *volumes) measure2(at int, p []float64) float64 {
	x, y := v.ref[0], v.ref[1]
	for i := 0; i < len(v.rows); i += 2 {
		if i == 2*at {
			continue
		}
		a, b := v.rows[i], v.rows[i+1]
		switch {
		case a <= p[0] && b <= p[1]:
			return 0
		case a <= p[0]:
			y = min(y, b)
		case b <= p[1]:
			x = min(x, a)
		}
	}
	area := float64((x - p[0]) * (y - p[1]))
	// What lies inside is dominated by p, and of that only it is left.
	v.xs, v.ys = append(v.xs[:0], x), append(v.ys[:0], p[1])
	for i := 0; i < len(v.rows); i += 2 {
		if a, b := v.rows[i], v.rows[i+1]; i != 2*at && a > p[0] && b > p[1] && a < x && b < y {
			area -= v.step(a, b, y)
		}
	}
	return area
}

// step adds a corner to the staircase, whose last corner ends it, and returns
// the area that it covers and that was not covered. top bounds the area.
func (v *volumes) step(x, y, top float64) float64 {
	lo := 0
	for v.xs[lo] < x {
		top = v.ys[lo]
		lo++
	}
	if top <= y || v.xs[lo] == x && v.ys[lo] <= y {
		return 0
	}
	gain, end, left := 0.0, lo, x
	for end < len(v.xs)-1 && v.ys[end] >= y {
		gain += float64((v.xs[end] - left) * (top - y))
		left, top = v.xs[end], v.ys[end]
		end++
	}
	gain += float64((v.xs[end] - left) * (top - y))
	v.xs, v.ys = slices.Replace(v.xs, lo, end, x), slices.Replace(v.ys, lo, end, y)
	return gain
}

// measure3 sweeps along the third objective and keeps of the others the area
// that is covered of the quadrant that p dominates.
func (v *volumes) measure3(at int, p []float64) float64 {
	rx, ry := v.ref[0], v.ref[1]
	v.xs, v.ys = append(v.xs[:0], rx), append(v.ys[:0], math.Inf(-1))
	free := float64((rx - p[0]) * (ry - p[1]))
	whole, z, volume := free, p[2], 0.0
	for i := 0; i < len(v.rows); i += 3 {
		if i == 3*at {
			continue
		}
		a, b, c := v.rows[i], v.rows[i+1], v.rows[i+2]
		if c >= v.ref[2] {
			break
		}
		if a >= rx || b >= ry {
			continue
		}
		if a <= p[0] && b <= p[1] { // nothing is left from here on
			if c <= p[2] {
				return 0
			}
			return volume + float64(max(free, 0)*(c-z))
		}
		gain := v.step(max(a, p[0]), max(b, p[1]), ry)
		if gain == 0 {
			continue
		}
		if c > z {
			volume += float64(free * (c - z))
			z = c
		}
		if free -= gain; free <= 1e-15*whole { // but for rounding
			return volume
		}
	}
	return volume + float64(free*(v.ref[2]-z))
}

// measureN clips the others to what p dominates, keeps those that matter, and
// measures them or shoots at them.
func (v *volumes) measureN(at int, p []float64) float64 {
	m := v.m
	v.clip = v.clip[:0]
next:
	for i := 0; i < len(v.rows); i += m {
		if i == at*m {
			continue
		}
		base := len(v.clip)
		covers := true
		for j, x := range v.rows[i : i+m] {
			if x >= v.ref[j] {
				v.clip = v.clip[:base]
				continue next
			}
			x = max(x, p[j])
			covers = covers && x == p[j]
			v.clip = append(v.clip, x)
		}
		if covers {
			return 0
		}
		last := v.clip[base : base+m]
		for k := 0; k < base; k += m {
			if weakly(v.clip[k:k+m], last) {
				v.clip = v.clip[:base]
				continue next
			}
		}
		kept := 0
		for k := 0; k < base; k += m {
			if !weakly(last, v.clip[k:k+m]) {
				copy(v.clip[kept:kept+m], v.clip[k:k+m])
				kept += m
			}
		}
		copy(v.clip[kept:kept+m], last)
		v.clip = v.clip[:kept+m]
	}
	box := 1.0
	if m == 4 {
		for j, x := range p {
			box *= v.ref[j] - x
		}
		return max(box-metric.Hypervolume(v.clip, m, v.ref), 0)
	}
	// Nothing is p's alone beyond a row that is no worse in all other objectives.
	top := slices.Clone(v.ref)
	for k := 0; k < len(v.clip); k += m {
		above, axis := 0, 0
		for j, x := range v.clip[k : k+m] {
			if x > p[j] {
				above, axis = above+1, j
			}
		}
		if above == 1 {
			top[axis] = min(top[axis], v.clip[k+axis])
		}
	}
	for j, x := range p {
		box *= top[j] - x
	}
	hits := 0
	u := make([]float64, m)
shots:
	for i := 0; i < len(v.points); i += m {
		for j := range m {
			u[j] = p[j] + float64(v.points[i+j]*(top[j]-p[j]))
		}
		for k := 0; k < len(v.clip); k += m {
			if weakly(v.clip[k:k+m], u) {
				continue shots
			}
		}
		hits++
	}
	return float64(box*float64(hits)) / samples
}

// weakly reports whether a is no worse than b in every objective.
func weakly(a, b []float64) bool {
	for j, x := range a {
		if x > b[j] {
			return false
		}
	}
	return true
}
