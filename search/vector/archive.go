package vector

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
)

// Cells divides a behaviour space. [metric.Grid] and [metric.CVT] implement it.
type Cells interface {
	// Cells is the number of cells; Cell returns the one that the measures fall
	// into, or false if they fall into none.
	Cells() int
	Cell(measures []float64) (cell int, ok bool)
}

// ArchiveOptions configures an [Archive].
type ArchiveOptions struct {
	Cells    Cells // of the behaviour space
	Dim      int   // numbers in a point
	Measures int   // numbers in a point's measures

	// Rate in (0, 1] says how far the threshold of a cell moves to the objective
	// of a point that passes it; 0 means 1, at which the threshold is the elite's
	// objective, as in MAP-Elites and CMA-ME.
	Rate float64
	// Threshold is that of empty cells. It must be set, to the lowest objective
	// worth having, if Rate is below 1; at a rate of 1 cells begin with none.
	Threshold float64
}

// An Archive keeps the best point of every cell of a behaviour space in flat
// buffers, and for each cell a threshold that decides what counts as progress
// (Fontaine and Nikolaidis 2023, Covariance matrix adaptation MAP-annealing,
// algorithm 1). The elites are the best points seen whatever the thresholds:
// they are CMA-MAE's result archive.
//
// The objective is maximised.
type Archive struct {
	cells     Cells
	dim, m    int
	rate      float64
	floor     float64
	slot      []int32 // by cell: slot + 1, or 0 when empty
	cell      []int32 // by slot, in the order of first occupation
	x         []float64
	measures  []float64
	objective []float64
	threshold []float64 // by slot, while the rate is below 1
	visited   []bool    // by slot: something passed the threshold
	best      int
}

// NewArchive makes an empty archive.
func NewArchive(o ArchiveOptions) (*Archive, error) {
	switch {
	case o.Cells == nil || o.Cells.Cells() < 1:
		return nil, fmt.Errorf("vector: archive: cells: found none, want a metric.Grid or metric.CVT")
	case o.Dim < 1 || o.Measures < 1:
		return nil, fmt.Errorf("vector: archive: found points of %d numbers with %d measures, want at least 1 of each", o.Dim, o.Measures)
	case !(o.Rate >= 0 && o.Rate <= 1):
		return nil, fmt.Errorf("vector: archive: rate: found %v, want a number above 0 and at most 1, or 0 for 1", o.Rate)
	case !finite(o.Threshold):
		return nil, fmt.Errorf("vector: archive: threshold: found %v, want a finite number", o.Threshold)
	}
	a := &Archive{cells: o.Cells, dim: o.Dim, m: o.Measures, rate: o.Rate, floor: o.Threshold, slot: make([]int32, o.Cells.Cells())}
	if a.rate == 0 {
		a.rate = 1
	}
	return a, nil
}

// Add offers a point and says what became of it: [metric.New] if it is the first
// of its cell to pass the threshold, [metric.Improved] if it passes a later one,
// [metric.Rejected] otherwise; gain is the objective less the threshold, and the
// objective itself for a cell without one. Numbers that are not finite, and
// measures outside the cells, are rejected with a gain of -Inf.
func (a *Archive) Add(x, measures []float64, objective float64) (status metric.Status, gain float64) {
	if !finite(objective) {
		return metric.Rejected, math.Inf(-1)
	}
	cell, ok := a.cells.Cell(measures)
	if !ok {
		return metric.Rejected, math.Inf(-1)
	}
	s := int(a.slot[cell]) - 1
	if s < 0 {
		s = len(a.cell)
		a.slot[cell] = int32(s + 1)
		a.cell = append(a.cell, int32(cell))
		a.x = append(a.x, x...)
		a.measures = append(a.measures, measures...)
		a.objective = append(a.objective, objective)

		if objective > a.objective[a.best] {
			a.best = s
		}
		if a.rate == 1 {
			return metric.New, objective
		}
		a.threshold = append(a.threshold, a.floor)
		a.visited = append(a.visited, false)
		return a.pass(s, objective)
	}
	old := a.objective[s]
	if objective > old {

		a.objective[s] = objective
		copy(a.x[s*a.dim:(s+1)*a.dim], x)
		copy(a.measures[s*a.m:(s+1)*a.m], measures)
		if objective > a.objective[a.best] {
			a.best = s
		}
	}
	if a.rate < 1 {
		return a.pass(s, objective)
	}
	if objective > old {
		return metric.Improved, objective - old
	}
	return metric.Rejected, objective - old
}

// pass compares an objective with the threshold of a slot and moves it.
func (a *Archive) pass(s int, objective float64) (metric.Status, float64) {
	gain := objective - a.threshold[s]
	if !(gain > 0) {
		return metric.Rejected, gain
	}
	a.threshold[s] += float64(a.rate * gain)
	if !a.visited[s] {
		a.visited[s] = true
		return metric.New, gain
	}
	return metric.Improved, gain
}

// Len returns the number of occupied cells, Cells that of all, Coverage their
// ratio.
func (a *Archive) Len() int          { return len(a.cell) }
func (a *Archive) Cells() int        { return len(a.slot) }
func (a *Archive) Coverage() float64 { return float64(len(a.cell)) / float64(len(a.slot)) }

// QDScore sums objective - offset over the occupied cells.
func (a *Archive) QDScore(offset float64) float64 {
	sum := 0.0
	for _, f := range a.objective {
		sum += f - offset
	}
	return sum
}

// At returns the elite of the k-th cell to be occupied: its cell, point,
// measures and objective. The slices are the archive's own.
func (a *Archive) At(k int) (cell int, x, measures []float64, objective float64) {
	return int(a.cell[k]), a.x[k*a.dim : (k+1)*a.dim : (k+1)*a.dim], a.measures[k*a.m : (k+1)*a.m : (k+1)*a.m], a.objective[k]
}

// Best returns the position of the elite with the largest objective for
// [Archive.At], or -1.
func (a *Archive) Best() int {
	if len(a.cell) == 0 {
		return -1
	}
	return a.best
}

// elite returns the point of a random elite, or nil.
func (a *Archive) elite(r *source) []float64 {
	if len(a.cell) == 0 {
		return nil
	}
	k := r.below(len(a.cell)) * a.dim
	return a.x[k : k+a.dim]
}
