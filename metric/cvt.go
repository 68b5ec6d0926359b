package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// CVTConfig describes a [CVT].
type CVTConfig struct {
	Axes       []Axis  // the ranges of the measures; the number of cells on each is ignored
	Cells      int     // 0 means 1000
	Samples    int     // uniform points that place the cells; 0 means 50 a cell and at most 100,000
	Iterations int     // of k-means at most; 0 means 20
	Outside    Outside // ClipOutside by default
}

// A CVT is an [Archive] whose cells are those of a centroidal Voronoi
// tessellation (Vassiliades et al., 2018): k-means spreads the centroids over
// the behaviour space, and measures belong to the nearest one. The number of
// cells does not grow with the number of measures as a grid's does.
//
// Distances are taken after scaling every axis to 0..1. A k-d tree finds the
// nearest centroid in about O(log n) for few measures.
type CVT[T any] struct {
	elites[T]
	axes    []Axis
	outside Outside
	tree    kdTree
	unit    []float64 // buffer
}

// NewCVT makes an empty archive. The same configuration and generator state
// give the same cells.
func NewCVT[T any](c CVTConfig, r *rand.Rand) (*CVT[T], error) {
	if c.Cells == 0 {
		c.Cells = 1000
	}
	if c.Cells < 1 || c.Cells > maxCells {
		return nil, fmt.Errorf("cvt: found %d cells, want 1 to %d", c.Cells, maxCells)
	}
	if c.Samples == 0 {
		c.Samples = max(c.Cells, min(50*c.Cells, 100_000))
	}
	if c.Samples < c.Cells {
		return nil, fmt.Errorf("cvt: found %d samples for %d cells, want at least one sample a cell, better 50", c.Samples, c.Cells)
	}
	if c.Iterations == 0 {
		c.Iterations = 20
	}
	if c.Iterations < 0 {
		return nil, fmt.Errorf("cvt: found %d iterations, want 0 for the default or more", c.Iterations)
	}
	a, err := emptyCVT[T](c.Axes, c.Cells, c.Outside)
	if err != nil {
		return nil, err
	}
	a.tree = newKDTree(kmeans(r, c.Cells, a.dim, c.Samples, c.Iterations), a.dim)
	return a, nil
}

// NewCVTFromCentroids makes an empty archive with given cells: rows of one
// number per axis, in the measures' own units.
func NewCVTFromCentroids[T any](axes []Axis, centroids []float64) (*CVT[T], error) {
	if len(axes) == 0 || len(centroids) == 0 || len(centroids)%len(axes) != 0 {
		return nil, fmt.Errorf("cvt: found %d numbers as centroids of %d axes, want one or more rows of one number per axis", len(centroids), len(axes))
	}
	a, err := emptyCVT[T](axes, len(centroids)/len(axes), ClipOutside)
	if err != nil {
		return nil, err
	}
	unit := make([]float64, len(centroids))
	for i, x := range centroids {
		ax := axes[i%a.dim]
		if !(x >= ax.Low && x <= ax.High) {
			return nil, fmt.Errorf("cvt: centroid %d: found %v on axis %d, want a number from %v to %v", i/a.dim+1, x, i%a.dim+1, ax.Low, ax.High)
		}
		unit[i] = (x - ax.Low) / (ax.High - ax.Low)
	}
	a.tree = newKDTree(unit, a.dim)
	return a, nil
}

func emptyCVT[T any](axes []Axis, cells int, outside Outside) (*CVT[T], error) {
	if len(axes) == 0 {
		return nil, fmt.Errorf("cvt: found no axis, want at least one")
	}
	for i, a := range axes {
		if err := a.check(i); err != nil {
			return nil, fmt.Errorf("cvt: %w", err)
		}
	}
	if cells > maxCells {
		return nil, fmt.Errorf("cvt: found %d cells, want at most %d", cells, maxCells)
	}
	a := &CVT[T]{axes: slices.Clone(axes), outside: outside, unit: make([]float64, len(axes))}
	a.dim = len(axes)
	a.slot = make([]int32, cells)
	return a, nil
}

// Axes returns the axes.
func (a *CVT[T]) Axes() []Axis { return slices.Clone(a.axes) }

// Centroid returns the centre of a cell in the measures' own units.
func (a *CVT[T]) Centroid(cell int) []float64 {
	out := make([]float64, a.dim)
	for i, ax := range a.axes {
		out[i] = ax.Low + float64(a.tree.points[cell*a.dim+i]*(ax.High-ax.Low))
	}
	return out
}

// Cell returns the cell of the measures; ok is false for NaN, and for measures
// beyond the axes with RefuseOutside. Like Add it is not safe for concurrent
// use.
func (a *CVT[T]) Cell(measures []float64) (cell int, ok bool) {
	cell, status := a.cellOf(measures)
	return cell, status == New
}

func (a *CVT[T]) cellOf(measures []float64) (int, Status) {
	checkMeasures(measures, a.dim)
	for i := range a.axes {
		ax := &a.axes[i]
		x := measures[i]
		if !(x >= ax.Low && x <= ax.High) {
			if x != x {
				return 0, Rejected
			}
			if a.outside == RefuseOutside {
				return 0, OutOfRange
			}
			x = min(max(x, ax.Low), ax.High)
		}
		a.unit[i] = (x - ax.Low) / (ax.High - ax.Low)
	}
	return a.tree.nearest(a.unit, -1), New
}

// Add offers an item; see [Archive].
func (a *CVT[T]) Add(objective float64, measures []float64, item T) Status {
	cell, status := a.cellOf(measures)
	if status != New {
		return status
	}
	if !finite(objective) {
		return Rejected
	}
	return a.add(cell, objective, measures, item)
}

// kmeans places k centroids among uniform samples of the unit cube by Lloyd's
// algorithm, from the first k samples on. A centroid that loses all its samples
// stays where it is.
func kmeans(r *rand.Rand, k, dim, samples, iterations int) []float64 {
	x := make([]float64, samples*dim)
	for i := range x {
		x[i] = r.Float64()
	}
	centre := slices.Clone(x[:k*dim])
	owner := make([]int32, samples)
	for i := range owner {
		owner[i] = -1
	}
	sum, count := make([]float64, k*dim), make([]int, k)
	for range iterations {
		tree := newKDTree(centre, dim)
		clear(sum)
		clear(count)
		moved := false
		for i := range owner {
			p := x[i*dim : i*dim+dim]
			// The old centroid is near already, which cuts most of the search.
			c := tree.nearest(p, owner[i])
			moved = moved || int32(c) != owner[i]
			owner[i] = int32(c)
			count[c]++
			for j, v := range p {
				sum[c*dim+j] += v
			}
		}
		if !moved {
			break
		}
		for c, n := range count {
			if n > 0 {
				for j := range dim {
					centre[c*dim+j] = sum[c*dim+j] / float64(n)
				}
			}
		}
	}
	return centre
}

// A kdTree finds the nearest of its points. Its nodes are the points in an order
// in which the middle of every range splits it.
type kdTree struct {
	points []float64
	dim    int
	order  []int32
	axis   []int8
}

func newKDTree(points []float64, dim int) kdTree {
	n := len(points) / dim
	t := kdTree{points: points, dim: dim, order: make([]int32, n), axis: make([]int8, n)}
	for i := range t.order {
		t.order[i] = int32(i)
	}
	t.build(0, n)
	return t
}

// build splits at the median of the widest axis.
func (t *kdTree) build(lo, hi int) {
	if hi-lo < 2 {
		return
	}
	best, width := 0, -1.0
	for j := range min(t.dim, 127) {
		a, b := math.Inf(1), math.Inf(-1)
		for _, i := range t.order[lo:hi] {
			x := t.points[int(i)*t.dim+j]
			a, b = min(a, x), max(b, x)
		}
		if b-a > width {
			best, width = j, b-a
		}
	}
	slices.SortFunc(t.order[lo:hi], func(i, k int32) int {
		x, y := t.points[int(i)*t.dim+best], t.points[int(k)*t.dim+best]
		if x < y {
			return -1
		} else if x > y {
			return 1
		}
		return int(i) - int(k)
	})
	mid := int(uint(lo+hi) >> 1)
	t.axis[mid] = int8(best)
	t.build(lo, mid)
	t.build(mid+1, hi)
}

// nearest returns the index of the nearest point, the smallest one of a tie.
// guess is a point likely to be near, or -1; it changes nothing but the time.
func (t *kdTree) nearest(q []float64, guess int32) int {
	best, dist := guess, math.Inf(1)
	if guess >= 0 {
		dist = squared(t.points[int(guess)*t.dim:int(guess)*t.dim+t.dim], q)
	}
	t.search(0, len(t.order), q, &best, &dist)
	return int(best)
}

func (t *kdTree) search(lo, hi int, q []float64, best *int32, dist *float64) {
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		i := t.order[mid]
		p := t.points[int(i)*t.dim : int(i)*t.dim+t.dim]
		if d := squared(p, q); d < *dist || d == *dist && i < *best {
			*best, *dist = i, d
		}
		if hi-lo == 1 {
			return
		}
		j := t.axis[mid]
		d := q[j] - p[j]
		near, far := [2]int{lo, mid}, [2]int{mid + 1, hi}
		if d > 0 {
			near, far = far, near
		}
		t.search(near[0], near[1], q, best, dist)
		if float64(d*d) > *dist {
			return
		}
		lo, hi = far[0], far[1]
	}
}

// squared is the squared Euclidean distance.
func squared(a, b []float64) float64 {
	d := 0.0
	for i, x := range a {
		e := x - b[i]
		d += float64(e * e)
	}
	return d
}
