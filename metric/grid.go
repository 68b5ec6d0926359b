package metric

import "fmt"

// A Grid is an [Archive] whose cells are the boxes of a regular grid. Cell
// numbers run along the last axis first.
type Grid[T any] struct {
	elites[T]
	axes    []Axis
	scale   []float64 // cells per unit
	Outside Outside   // ClipOutside by default; set it before the first Add
}

// maxCells bounds the memory of an archive: four bytes a cell.
const maxCells = 1 << 26

// NewGrid makes an empty grid. It has as many dimensions as axes are given.
func NewGrid[T any](axes ...Axis) (*Grid[T], error) {
	if len(axes) == 0 {
		return nil, fmt.Errorf("grid: found no axis, want at least one")
	}
	g := &Grid[T]{axes: append([]Axis(nil), axes...)}
	cells := 1
	for i, a := range axes {
		if err := a.check(i); err != nil {
			return nil, fmt.Errorf("grid: %w", err)
		}
		if a.Cells < 1 || a.Cells > maxCells/cells {
			return nil, fmt.Errorf("grid: axis %d (%s): found %d cells after %d from the axes before it, want at least 1 and at most %d in all; use a CVT for many measures",
				i+1, a.Name, a.Cells, cells, maxCells)
		}
		cells *= a.Cells
		g.scale = append(g.scale, float64(a.Cells)/(a.High-a.Low))
	}
	g.dim = len(axes)
	g.slot = make([]int32, cells)
	return g, nil
}

// Axes returns the axes.
func (g *Grid[T]) Axes() []Axis { return append([]Axis(nil), g.axes...) }

// Cell returns the cell of the measures; ok is false for NaN, and for measures
// beyond the axes when Outside is RefuseOutside.
func (g *Grid[T]) Cell(measures []float64) (cell int, ok bool) {
	cell, status := g.cellOf(measures)
	return cell, status == New
}

// cellOf returns New, Rejected or OutOfRange beside the cell.
func (g *Grid[T]) cellOf(measures []float64) (int, Status) {
	checkMeasures(measures, g.dim)
	cell := 0
	for i := range g.axes {
		a := &g.axes[i]
		x := measures[i]
		if !(x >= a.Low && x <= a.High) {
			if x != x {
				return 0, Rejected
			}
			if g.Outside == RefuseOutside {
				return 0, OutOfRange
			}
			x = min(max(x, a.Low), a.High)
		}
		// The small shift, also pyribs', keeps a value on a boundary in the
		// upper cell when it comes out an ulp low.
		k := int(float64((x-a.Low)*g.scale[i]) + 1e-6)
		cell = cell*a.Cells + min(k, a.Cells-1)
	}
	return cell, New
}

// Bounds returns the box of a cell, as low and high values along the axes.
func (g *Grid[T]) Bounds(cell int) (low, high []float64) {
	low, high = make([]float64, g.dim), make([]float64, g.dim)
	for i := g.dim - 1; i >= 0; i-- {
		a := g.axes[i]
		k := cell % a.Cells
		cell /= a.Cells
		w := (a.High - a.Low) / float64(a.Cells)
		low[i], high[i] = a.Low+float64(float64(k)*w), a.Low+float64(float64(k+1)*w)
	}
	return low, high
}

// Add offers an item; see [Archive].
func (g *Grid[T]) Add(objective float64, measures []float64, item T) Status {
	cell, status := g.cellOf(measures)
	if status != New {
		return status
	}
	if !finite(objective) {
		return Rejected
	}
	return g.add(cell, objective, measures, item)
}

func checkMeasures(measures []float64, dim int) {
	if len(measures) != dim {
		panic(fmt.Sprintf("metric: found %d measures, want %d", len(measures), dim))
	}
}
