// Package predict learns metrics of designs from designs that were measured.
//
// A [Learner] is a method with its options; its zero value works. Fit makes a
// [Model] of a [Table], whose rows are designs as numbers and whose target is
// one metric:
//
//	model, err := predict.Ridge{}.Fit(ctx, table, seed)
//	model.Predict(rows, mean, sd)
//
// Rows come from an [Encoder]: [Decisions] for trees, [OneHot] for the rest. A
// model is immutable and safe for concurrent use. [Boosted] is the one to start
// with, [Bagged] and [Forest] where the deviation matters, with the loss [Rank]
// where only the order does, and [Ridge] what to compare with. [CrossValidate]
// says how good a learner is, [Conformal] makes intervals that keep their level,
// [Multi] learns several metrics, [Save] and [Load] keep a model. Package
// predicttest holds the laws that every learner passes.
package predict

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/space"
)

// A Learner is a method of regression with its options.
type Learner interface {
	// Fit learns from a table that [Table.Validate] accepts. It is a function of
	// its arguments: the same table and seed give the same model on every
	// machine. It returns promptly when ctx is cancelled.
	Fit(ctx context.Context, t *Table, seed uint64) (Model, error)
}

// A Model predicts the target of rows.
type Model interface {
	// Predict writes the prediction of every row to mean and its standard
	// deviation to sd, which may be nil. A model that does not know how sure it
	// is writes NaN to sd. Rows stand one after the other, as in [Table.X].
	Predict(rows, mean, sd []float64)
}

// A Column describes one number of a row.
type Column struct {
	Name string
	// Levels is 0 for a number. Otherwise the column holds one of the
	// categories 0, 1, …, Levels−1, which have no order.
	Levels int
}

// A Table is what a [Learner] learns from.
type Table struct {
	Columns []Column
	X       []float64 // row by row; NaN where a value is missing
	Y       []float64 // the target, one a row, finite
	Weight  []float64 // of the rows, positive; nil means 1 each
}

// Rows returns the number of rows.
func (t *Table) Rows() int { return len(t.Y) }

// Row returns row i, which must not be changed.
func (t *Table) Row(i int) []float64 {
	n := len(t.Columns)
	return t.X[i*n : (i+1)*n : (i+1)*n]
}

// Add appends a row.
func (t *Table) Add(x []float64, y float64) {
	t.X, t.Y = append(t.X, x...), append(t.Y, y)
	if t.Weight != nil {
		t.Weight = append(t.Weight, 1)
	}
}

// Select returns a table of the given rows, in that order.
func (t *Table) Select(rows []int) *Table {
	out := &Table{Columns: t.Columns, X: make([]float64, 0, len(rows)*len(t.Columns)), Y: make([]float64, 0, len(rows))}
	for _, i := range rows {
		out.X, out.Y = append(out.X, t.Row(i)...), append(out.Y, t.Y[i])
		if t.Weight != nil {
			out.Weight = append(out.Weight, t.Weight[i])
		}
	}
	return out
}

// ErrNoRows is returned for a table without rows.
var ErrNoRows = errors.New("predict: a table without rows; expected at least one")

// Validate says what is wrong with a table, naming the row and the column.
func (t *Table) Validate() error {
	n, d := len(t.Y), len(t.Columns)
	switch {
	case n == 0:
		return ErrNoRows
	case d == 0:
		return errors.New("predict: a table without columns; expected at least one")
	case len(t.X) != n*d:
		return fmt.Errorf("predict: %d numbers for %d rows of %d columns; expected %d", len(t.X), n, d, n*d)
	case t.Weight != nil && len(t.Weight) != n:
		return fmt.Errorf("predict: %d weights for %d rows", len(t.Weight), n)
	}
	for i, y := range t.Y {
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return fmt.Errorf("predict: the target of row %d is %v; expected a finite number", i, y)
		}
		if t.Weight != nil && !(t.Weight[i] > 0 && t.Weight[i] <= math.MaxFloat64) {
			return fmt.Errorf("predict: the weight of row %d is %v; expected a positive number", i, t.Weight[i])
		}
		for j, x := range t.Row(i) {
			if math.IsInf(x, 0) {
				return fmt.Errorf("predict: row %d, column %q is %v; expected a finite number, or NaN where there is none", i, t.Columns[j].Name, x)
			}
			if l := t.Columns[j].Levels; l > 0 && !math.IsNaN(x) && (x < 0 || x >= float64(l) || x != math.Trunc(x)) {
				return fmt.Errorf("predict: row %d, column %q is %v; expected a category from 0 to %d", i, t.Columns[j].Name, x, l-1)
			}
		}
	}
	return nil
}

// An Encoder turns designs into rows.
type Encoder interface {
	Columns() []Column
	// Encode appends the row of a design to dst.
	Encode(dst []float64, d space.Design) ([]float64, error)
}
