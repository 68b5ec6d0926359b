// Package problem says what can be searched: a space, what is measured, and
// how to measure one design.
//
// [Problem] is the whole obligation. More ability is a separate small
// interface that a problem may also implement and that the study finds by type
// assertion: [Batcher], [Graded], [Resumer], [Estimator], [Canonical], [Verifier],
// [Optimum], [Noisy], [Serial], [Keeper], [Preparer], [Finisher], [Referencer], [Assessor], [Drawer], [Exporter], [Labeler],
// [Describer].
package problem

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// A Problem is what can be searched. Evaluate must be safe for concurrent use.
type Problem interface {
	// Space returns what may be built. It returns the same space every time.
	Space() *space.Space

	// Metrics names what Evaluate measures, with units.
	Metrics() []metric.Metric

	// Evaluate measures one design. It returns promptly when ctx is cancelled.
	// It reports intermediate results to r, which may be nil, and stops with
	// [ErrPruned] when r says so. A design that cannot be built is an
	// [*InfeasibleError]; any other error is a failure, classified by [ClassOf].
	Evaluate(ctx context.Context, d space.Design, r Reporter) (metric.Values, error)
}

// A Reporter receives intermediate results of one evaluation.
type Reporter interface {
	// Report records values at a step (an epoch, an iteration), counted from 1.
	// It returns [ErrPruned] if the evaluation should stop.
	Report(step int64, v metric.Values) error
}

// ErrPruned is returned by an evaluation that stopped early because its
// intermediate results looked bad.
var ErrPruned = errors.New("problem: pruned")

// An InfeasibleError says that a design cannot be built or measured, which is
// a fact about the design and not a failure of the evaluator. It is never
// retried.
type InfeasibleError struct{ Reason string }

func (e *InfeasibleError) Error() string { return "infeasible: " + e.Reason }

// A Class groups failures by what can be done about them.
type Class string

// Classes of failure.
const (
	ClassTransient Class = "transient" // may succeed when tried again: lost connection, busy device
	ClassTimeout   Class = "timeout"   // the evaluation took longer than allowed
	ClassCrash     Class = "crash"     // the evaluator died or returned a failure
	ClassOutput    Class = "output"    // the evaluator's answer could not be understood
	ClassDesign    Class = "design"    // the design is why, and no other attempt helps it: training diverged, too little memory
	ClassPermanent Class = "permanent" // trying again cannot help: program not found, no permission
)

// An EvalError is a failure with its class and what the evaluator left behind.
type EvalError struct {
	Class    Class
	Err      error
	ExitCode int    // of a program; 0 if it did not exit by itself
	Stderr   string // the tail of what it wrote to standard error
}

func (e *EvalError) Error() string { return e.Err.Error() }

// Unwrap returns the underlying error.
func (e *EvalError) Unwrap() error { return e.Err }

// ClassOf returns the class of a failure: that of an [*EvalError] in its
// chain, timeout for [context.DeadlineExceeded], and crash otherwise.
func ClassOf(err error) Class {
	var e *EvalError
	switch {
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	}
	return ClassCrash
}

// A Batcher measures many designs at once, far cheaper than one by one. Such
// problems are evaluated in batches on one goroutine; one that is [Graded] too
// is asked for partial evaluations one by one, on the same goroutine.
type Batcher interface {
	// EvaluateBatch measures every design; out has the length of designs.
	EvaluateBatch(ctx context.Context, designs []space.Design, out []Result)
}

// A Result is the answer of a [Batcher] for one design.
type Result struct {
	Values metric.Values
	Err    error
}

// A Canonical problem knows when two designs are the same thing: equal keys
// mean equal measurements.
type Canonical interface{ Key(d space.Design) string }

// A Verifier measures the designs of the final front in a way that is too
// expensive, or not allowed, during the search: full training, test data, real
// hardware.
type Verifier interface {
	VerifyMetrics() []metric.Metric

	// Verify returns these metrics, or none for a design that a [Finisher] has not
	// finished yet.
	Verify(ctx context.Context, d space.Design) (metric.Values, error)
}

// An Optimum problem knows the truth: the values, as Evaluate and Verify would
// return them, of every design on the true front for a goal.
type Optimum interface {
	Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error)
}

// A Noisy problem may return different values for the same design. Its
// measurements are not served from the cache unless the study says so.
type Noisy interface{ Noisy() bool }

// A Serial problem takes turns inside, because an evaluation uses the whole machine.
// Its evaluations run one by one unless the study says otherwise.
type Serial interface{ Serial() bool }

// A Keeper keeps between runs what was costly to make: trained weights, a table of
// measurements.
type Keeper interface {
	// Keep names the folder for it, which may not exist yet, before anything else is
	// asked of the problem. Without it nothing outlives the process.
	Keep(folder string)
}

// A Preparer has something costly to do before the first evaluation, such as
// training what all of them share. An evaluation that comes first does it too,
// but silently.
type Preparer interface {
	// Prepare returns when evaluations can begin. It says now and then what it is
	// at, and how much of it is done. It returns promptly when ctx is cancelled
	// and may be called again.
	Prepare(ctx context.Context, progress func(doing string, done, all int)) error
}

// A Finisher does something costly with the designs of the front when a search has
// ended: trains them in full. After that they can be verified and exported.
type Finisher interface {
	// Finish returns when all of them are finished; those that were finished before
	// cost nothing. Otherwise it is as [Preparer.Prepare].
	Finish(ctx context.Context, front []space.Design, progress func(doing string, done, all int)) error
}

// A Referencer knows what people would use without a search, to compare with.
type Referencer interface {
	// References returns it. What takes long belongs into Finish; before that there
	// may be none.
	References(ctx context.Context) ([]Reference, error)
}

// A Reference is something that is known, and measured as designs are, but need not
// be in the space: a network that somebody designed by hand.
type Reference struct {
	Name   string        `json:"name"`
	Values metric.Values `json:"values"` // some of what Evaluate and Verify return
}

// An Assessor has found out something besides the measurements: how sure it is
// of them, what they are worth.
type Assessor interface {
	// Assess returns what there is to tell when a search has ended with these
	// designs on its front.
	Assess(ctx context.Context, front []space.Design) ([]Finding, error)
}

// A Finding is a table for people.
type Finding struct {
	Title   string     `json:"title"`
	Columns []Column   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Notes   []string   `json:"notes,omitempty"` // sentences below the table
}

// A Column of a [Finding]; numbers stand to the right.
type Column struct {
	Name   string `json:"name"`
	Unit   string `json:"unit,omitempty"`
	Number bool   `json:"number,omitempty"`
}

// A Drawer draws a design as a standalone SVG document.
type Drawer interface {
	Draw(w io.Writer, d space.Design) error
}

// An Exporter writes a design as something that runs elsewhere.
type Exporter interface {
	// Formats names what Export can write, such as "json" or "onnx".
	Formats() []string
	Export(w io.Writer, d space.Design, format string) error
}

// A Labeler has a short form of a design for tables, such as "3x3 skip 1x1".
type Labeler interface{ Label(d space.Design) string }

// A Describer says in one line what one evaluation does or runs.
type Describer interface{ Describe() string }

// Func makes a problem of a space, its metrics and a plain function.
func Func(s *space.Space, metrics []metric.Metric, evaluate func(ctx context.Context, d space.Design, r Reporter) (metric.Values, error)) Problem {
	return &funcProblem{space: s, metrics: metrics, evaluate: evaluate}
}

type funcProblem struct {
	space    *space.Space
	metrics  []metric.Metric
	evaluate func(context.Context, space.Design, Reporter) (metric.Values, error)
}

func (p *funcProblem) Space() *space.Space      { return p.space }
func (p *funcProblem) Metrics() []metric.Metric { return p.metrics }

func (p *funcProblem) Evaluate(ctx context.Context, d space.Design, r Reporter) (v metric.Values, err error) {
	defer func() {
		if x := recover(); x != nil {
			v, err = nil, &EvalError{Class: ClassCrash, Err: fmt.Errorf("the evaluation function panicked: %v", x)}
		}
	}()
	return p.evaluate(ctx, d, r)
}
