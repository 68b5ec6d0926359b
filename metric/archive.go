package metric

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// An Archive keeps the best item of every cell of a behaviour space (Mouret
// and Clune, "Illuminating search spaces by mapping elites", 2015). What is best
// is a question of one objective, which is maximised; what a cell is, of the
// measures. [Grid] and [CVT] implement it.
//
// Laws: an item enters exactly when its cell is empty or holds a smaller
// objective; so no call lowers an elite's objective, Len or the coverage.
type Archive[T any] interface {
	// Add offers an item. An objective that is not finite and measures with NaN
	// are rejected. measures is copied.
	Add(objective float64, measures []float64, item T) Status

	// Len returns the number of occupied cells, Cells the number of all.
	Len() int
	Cells() int

	// Cell returns the cell of the measures; ok is false where Add would not
	// take them.
	Cell(measures []float64) (cell int, ok bool)

	// Coverage is Len divided by Cells.
	Coverage() float64

	// QDScore sums objective - offset over the occupied cells. With the offset
	// at the lowest possible objective, every new cell raises it.
	QDScore(offset float64) float64

	// Best returns the elite with the largest objective, the first to reach it.
	Best() (Elite[T], bool)

	// At returns the elite of a cell.
	At(cell int) (Elite[T], bool)

	// Elites yields the elites in order of their cells.
	Elites() iter.Seq[Elite[T]]

	// Sample returns an item drawn uniformly from the occupied cells in O(1);
	// false when there is none.
	Sample(r *rand.Rand) (T, bool)
}

var (
	_ Archive[int] = (*Grid[int])(nil)
	_ Archive[int] = (*CVT[int])(nil)
)

// Status says what became of an item offered to an [Archive]. The first three
// values are those of pyribs.
type Status int8

const (
	Rejected   Status = iota // not better than its cell's elite, or not a number
	Improved                 // replaced its cell's elite
	New                      // first in its cell
	OutOfRange               // refused by the policy RefuseOutside
)

func (s Status) String() string {
	switch s {
	case Rejected:
		return "rejected"
	case Improved:
		return "improved"
	case New:
		return "new"
	case OutOfRange:
		return "out of range"
	}
	return fmt.Sprintf("Status(%d)", int8(s))
}

// Outside says what an archive does with measures beyond its axes.
type Outside int8

const (
	ClipOutside   Outside = iota // count them to the nearest cell, as pyribs does
	RefuseOutside                // do not take them: OutOfRange
)

// An Axis is one measure of an archive.
type Axis struct {
	Name      string
	Low, High float64 // the range that is divided into cells
	Cells     int     // number of cells; a CVT ignores it
}

func (a Axis) check(i int) error {
	name := fmt.Sprintf("axis %d", i+1)
	if a.Name != "" {
		name += fmt.Sprintf(" (%s)", a.Name)
	}
	if !finite(a.Low) || !finite(a.High) || !(a.Low < a.High) || !finite(a.High-a.Low) {
		return fmt.Errorf("%s: found the range %v to %v, want finite numbers with low < high", name, a.Low, a.High)
	}
	return nil
}

// An Elite is the best item of one cell.
type Elite[T any] struct {
	Cell      int
	Objective float64
	Measures  []float64 // a copy
	Item      T
}

// elites stores the occupied cells. Slots are filled in order of first
// occupation and never emptied, so one can be drawn in O(1).
type elites[T any] struct {
	dim       int
	slot      []int32 // by cell: slot + 1, or 0 when empty
	cell      []int32 // by slot
	objective []float64
	measures  []float64
	items     []T
	best      int
}

func (e *elites[T]) add(cell int, objective float64, measures []float64, item T) Status {
	s := int(e.slot[cell]) - 1
	if s < 0 {
		s = len(e.items)
		e.slot[cell] = int32(s + 1)
		e.cell = append(e.cell, int32(cell))
		e.objective = append(e.objective, objective)
		e.measures = append(e.measures, measures...)
		e.items = append(e.items, item)
		if objective > e.objective[e.best] {
			e.best = s
		}
		return New
	}
	if !(objective > e.objective[s]) {
		return Rejected
	}
	e.objective[s] = objective
	copy(e.measures[s*e.dim:], measures)
	e.items[s] = item
	if objective > e.objective[e.best] {
		e.best = s
	}
	return Improved
}

// Len returns the number of occupied cells.
func (e *elites[T]) Len() int { return len(e.items) }

// Cells returns the number of cells.
func (e *elites[T]) Cells() int { return len(e.slot) }

// Coverage returns the share of cells that are occupied.
func (e *elites[T]) Coverage() float64 { return float64(len(e.items)) / float64(len(e.slot)) }

// QDScore returns the sum of objective - offset over the occupied cells.
func (e *elites[T]) QDScore(offset float64) float64 {
	sum := 0.0
	for _, x := range e.objective {
		sum += x - offset
	}
	return sum
}

// Best returns the elite with the largest objective.
func (e *elites[T]) Best() (Elite[T], bool) {
	if len(e.items) == 0 {
		return Elite[T]{}, false
	}
	return e.elite(e.best), true
}

// At returns the elite of a cell.
func (e *elites[T]) At(cell int) (Elite[T], bool) {
	if cell < 0 || cell >= len(e.slot) || e.slot[cell] == 0 {
		return Elite[T]{}, false
	}
	return e.elite(int(e.slot[cell]) - 1), true
}

// Elites yields the elites in order of their cells.
func (e *elites[T]) Elites() iter.Seq[Elite[T]] {
	return func(yield func(Elite[T]) bool) {
		for _, s := range e.slot {
			if s > 0 && !yield(e.elite(int(s)-1)) {
				return
			}
		}
	}
}

// Sample returns an item drawn uniformly from the occupied cells.
func (e *elites[T]) Sample(r *rand.Rand) (T, bool) {
	if len(e.items) == 0 {
		var zero T
		return zero, false
	}
	return e.items[r.IntN(len(e.items))], true
}

func (e *elites[T]) elite(s int) Elite[T] {
	return Elite[T]{
		Cell: int(e.cell[s]), Objective: e.objective[s], Item: e.items[s],
		Measures: append([]float64(nil), e.measures[s*e.dim:s*e.dim+e.dim]...),
	}
}
