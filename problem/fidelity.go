package problem

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A Fidelity says with how much effort a design can be measured: for how many
// epochs it is trained, on what part of the data, at which resolution. The zero
// value says that there is only the full effort.
//
// Amounts are in the problem's unit, from Min to Max. The engine counts in
// shares: an amount as a part of Max, in (0, 1]; where a share is stored, 0
// means full too. Intermediate results are reported by step in the unit of the
// amount, so that step Max is the end of a full evaluation.
type Fidelity struct {
	Name   string    // what effort is counted in, such as "epochs"
	Min    float64   // least amount, above 0
	Max    float64   // amount of a full evaluation
	Levels []float64 // the only amounts there are, rising, from Min to Max; nil means all between
	Whole  bool      // amounts are whole numbers

	// Fixed is the share of a full evaluation's cost that every evaluation takes
	// whatever its amount: loading data, compiling. The rest of the cost is in
	// proportion to the amount.
	Fixed float64

	// Resumes says that an evaluation goes on from where an earlier one of the
	// same design ended, and costs only the difference; see [Resumer].
	Resumes bool
}

// Graded reports whether there are efforts below the full one.
func (f Fidelity) Graded() bool { return f.Max > 0 }

// Check returns everything that is wrong with a fidelity, nil for the zero
// value.
func (f Fidelity) Check() error {
	if f.Name == "" && f.Min == 0 && f.Max == 0 && len(f.Levels) == 0 {
		return nil
	}
	var errs []error
	bad := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("fidelity: %s: found %v, want %s", field, found, want))
	}
	amount := func(field string, x float64) {
		switch {
		case !(x > 0) || math.IsInf(x, 0):
			bad(field, x, "a finite number above 0")
		case f.Whole && x != math.Trunc(x):
			bad(field, x, "a whole number")
		}
	}
	if f.Name == "" {
		bad("name", `""`, "what effort is counted in, such as epochs")
	}
	amount("min", f.Min)
	amount("max", f.Max)
	if f.Min >= f.Max {
		bad("max", f.Max, fmt.Sprintf("more than the least amount, %v", f.Min))
	}
	for i, x := range f.Levels {
		amount("levels", x)
		if i > 0 && x <= f.Levels[i-1] {
			bad("levels", f.Levels, "rising amounts")
			break
		}
	}
	if n := len(f.Levels); n > 0 && (f.Levels[0] != f.Min || f.Levels[n-1] != f.Max) {
		bad("levels", f.Levels, fmt.Sprintf("amounts from %v to %v", f.Min, f.Max))
	}
	if !(f.Fixed >= 0 && f.Fixed < 1) {
		bad("fixed", f.Fixed, "a share from 0 to below 1")
	}
	return errors.Join(errs...)
}

// Full reports whether a share stands for a full evaluation.
func Full(share float64) bool { return !(share > 0 && share < 1) }

// Amount returns the amount that a share stands for, the nearest there is; of
// two as near the larger.
func (f Fidelity) Amount(share float64) float64 {
	if Full(share) {
		return f.Max
	}
	x := share * f.Max
	if len(f.Levels) > 0 {
		best := f.Levels[0]
		for _, l := range f.Levels[1:] {
			if math.Abs(l-x) <= math.Abs(best-x) {
				best = l
			}
		}
		return best
	}
	if f.Whole {
		x = math.Floor(x + 0.5)
	}
	return min(max(x, f.Min), f.Max)
}

// Share returns an amount as a part of a full evaluation, 1 without a fidelity.
func (f Fidelity) Share(amount float64) float64 {
	if !f.Graded() {
		return 1
	}
	return min(amount/f.Max, 1)
}

// Snap returns the nearest share at which a design can be measured.
func (f Fidelity) Snap(share float64) float64 { return f.Share(f.Amount(share)) }

// Cost returns what an evaluation costs, a full one from the start being 1. It
// goes on from an earlier one that ended at the share from, if that is above 0
// and the fidelity resumes.
func (f Fidelity) Cost(from, share float64) float64 {
	if Full(share) {
		share = 1
	}
	if f.Resumes && from > 0 {
		share = max(share-from, 0)
	}
	return f.Fixed + float64((1-f.Fixed)*share)
}

// A Graded problem can be measured with part of the effort, which is cheaper
// and says less: after fewer epochs, on less data. Search methods of package
// search/fidelity begin with many designs at little effort and go on with the
// best.
type Graded interface {
	// Fidelity describes the efforts there are. A problem whose options decide
	// whether it is graded returns the zero value if it is not.
	Fidelity() Fidelity

	// EvaluateAt is Evaluate with a share of the effort, one that
	// [Fidelity.Snap] returns. With 1 it is Evaluate. The metrics are the same
	// at every share.
	EvaluateAt(ctx context.Context, d space.Design, share float64, r Reporter) (metric.Values, error)
}

// A Resumer is a [Graded] problem that goes on from where an earlier evaluation
// of the same design ended, if its Fidelity says that it resumes. What it needs
// for that it keeps in [Trial.Checkpoint], which belongs to the design and
// outlives the process, or can do without.
type Resumer interface {
	Graded

	// Resume is EvaluateAt for a design whose evaluation at the smaller share
	// from has ended, with the same values. If what that left behind is gone it
	// begins anew.
	Resume(ctx context.Context, d space.Design, from, share float64, r Reporter) (metric.Values, error)
}

// An Estimator knows some metrics without measuring: parameters, operations,
// area. Searchers ask before they propose, so that designs which cannot meet a
// limit cost no evaluation.
type Estimator interface {
	// Estimates names the metrics that Estimate returns, which are some of
	// Metrics.
	Estimates() []string

	// Estimate returns these metrics as Evaluate would at any fidelity, in
	// microseconds. A design that is known not to be buildable is an
	// [*InfeasibleError].
	Estimate(d space.Design) (metric.Values, error)
}

// FidelityOf returns the fidelity of a problem, the zero value if it is not
// [Graded].
func FidelityOf(p Problem) Fidelity {
	if g, ok := p.(Graded); ok {
		return g.Fidelity()
	}
	return Fidelity{}
}
