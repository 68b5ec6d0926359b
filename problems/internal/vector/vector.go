// Package vector makes problems of functions of vectors: the decisions of a
// flat space, read as numbers, go in and the metrics come out. Every suite of
// test functions is built on it.
//
// [Problem] evaluates. [Solved] knows the true front besides, and [Keyed] also
// which designs are the same thing.
package vector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// A Function is what a problem is made of.
type Function struct {
	Package string // starts its errors
	Name    string // goes on after "computes"
	Nodes   []space.Node
	Metrics []metric.Metric

	// F writes the metrics of x to y, both of fixed length. The decisions of a
	// design come in order: real and whole numbers and numeric ordinals as their
	// value, everything else as the number of the option, so that false is 0.
	// It must be safe for concurrent use and may change x.
	F func(x, y []float64)
}

// Problem computes a function. It is safe for concurrent use.
type Problem struct {
	fn      Function
	space   *space.Space
	levels  [][]float64 // of each decision: the number that an option stands for; nil for a real number
	scratch sync.Pool   // *scratch
}

type scratch struct {
	answers []space.Answer
	x, y    []float64
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
	_ problem.Optimum   = (*Solved)(nil)
	_ problem.Canonical = (*Keyed)(nil)
)

// New makes a problem. Every design of its space must have the same decisions.
func New(f Function) (*Problem, error) {
	s, err := space.New(f.Nodes...)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", f.Package, f.Name, err)
	}
	p := &Problem{fn: f, space: s}
	for _, q := range s.Params() {
		var levels []float64
		for i := range q.N {
			v := float64(i)
			switch x := q.Label(i).(type) {
			case float64:
				v = x
			case bool: // false stands before true
			}
			levels = append(levels, v)
		}
		p.levels = append(p.levels, levels)
	}
	p.scratch.New = func() any { return &scratch{y: make([]float64, len(f.Metrics))} }
	return p, nil
}

// Space returns what may be built.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns what the function computes.
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.fn.Metrics) }

// Describe says what one evaluation is.
func (p *Problem) Describe() string { return "computes " + p.fn.Name }

// Evaluate computes the function.
func (p *Problem) Evaluate(ctx context.Context, d space.Design, _ problem.Reporter) (metric.Values, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	return p.evaluate(d, s)
}

// EvaluateBatch computes the function for many designs.
func (p *Problem) EvaluateBatch(ctx context.Context, designs []space.Design, out []problem.Result) {
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	for i, d := range designs {
		if err := ctx.Err(); err != nil {
			out[i] = problem.Result{Err: err}
			continue
		}
		v, err := p.evaluate(d, s)
		out[i] = problem.Result{Values: v, Err: err}
	}
}

func (p *Problem) evaluate(d space.Design, s *scratch) (metric.Values, error) {
	var err error
	if s.x, err = p.numbers(d, s); err != nil {
		return nil, err
	}
	p.fn.F(s.x, s.y)
	v := make(metric.Values, len(s.y))
	for i := range p.fn.Metrics {
		v[p.fn.Metrics[i].Name] = s.y[i]
	}
	return v, nil
}

// numbers reads the decisions of a design into s.x.
func (p *Problem) numbers(d space.Design, s *scratch) ([]float64, error) {
	if d.Space() != p.space { // a part of the space, for example
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return s.x, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("%s: the design belongs to another space: %w", p.fn.Package, err)}
		}
		d = own
	}
	s.answers = d.Decisions(s.answers[:0])
	x := s.x[:0]
	for i := range s.answers {
		a := &s.answers[i]
		if a.Role == space.RoleReal {
			x = append(x, a.Real)
		} else {
			x = append(x, p.levels[i][a.Index])
		}
	}
	return x, nil
}

// Numbers returns the decisions of a design as [Function].F gets them.
func (p *Problem) Numbers(d space.Design) ([]float64, error) {
	return p.numbers(d, new(scratch))
}

// At computes the function at a vector.
func (p *Problem) At(x []float64) []float64 {
	y := make([]float64, len(p.fn.Metrics))
	p.fn.F(slices.Clone(x), y)
	return y
}

// Into computes the function at a vector, which it may change, into y.
func (p *Problem) Into(x, y []float64) { p.fn.F(x, y) }

// Design returns the design whose decisions read as x; the nearest option is
// taken where there is none.
func (p *Problem) Design(x []float64) (space.Design, error) {
	if len(x) != len(p.levels) {
		return space.Design{}, fmt.Errorf("%s: found %d numbers, want %d", p.fn.Package, len(x), len(p.levels))
	}
	w := p.space.Walk()
	for i := 0; ; i++ {
		if _, ok := w.Next(); !ok {
			break
		}
		levels := p.levels[i]
		if levels == nil {
			w.ChooseReal(x[i])
			continue
		}
		best := 0
		for k, v := range levels {
			if math.Abs(v-x[i]) < math.Abs(levels[best]-x[i]) {
				best = k
			}
		}
		w.Choose(best)
	}
	return w.Design()
}

// Solved is a problem with a known front.
type Solved struct {
	*Problem
	// Front returns rows of all metrics on the true front of the goal that the
	// metrics suggest; nil if it is not known.
	Front func(ctx context.Context) ([]float64, error)
}

// NewSolved makes a problem with a known front.
func NewSolved(f Function, front func(ctx context.Context) ([]float64, error)) (*Solved, error) {
	p, err := New(f)
	if err != nil {
		return nil, err
	}
	return &Solved{Problem: p, Front: front}, nil
}

// Optimum returns the true optimum, or points spread over the true front. It
// knows the goal that the metrics suggest: all that have a direction, in that
// direction, without limits. Others are [errors.ErrUnsupported].
func (p *Solved) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	ms := p.fn.Metrics
	if err := goal.Check(ms); err != nil {
		return nil, err
	}
	wanted := 0
	for _, m := range ms {
		if m.Direction != 0 {
			wanted++
		}
	}
	ok := p.Front != nil && len(goal.Limits) == 0 && len(goal.Objectives) == wanted
	for _, o := range goal.Objectives {
		i := slices.IndexFunc(ms, func(m metric.Metric) bool { return m.Name == o.Metric })
		ok = ok && o.Target == nil && o.Direction == ms[i].Direction
	}
	if !ok {
		return nil, fmt.Errorf("%s: the true front of %s for this goal: %w", p.fn.Package, p.fn.Name, errors.ErrUnsupported)
	}
	rows, err := p.Front(ctx)
	if err != nil {
		return nil, err
	}
	m := len(ms)
	values := make([]metric.Values, len(rows)/m)
	for i := range values {
		v := make(metric.Values, m)
		for k := range ms {
			v[ms[k].Name] = rows[i*m+k]
		}
		values[i] = v
	}
	return values, nil
}

// Keyed is a problem with designs that are the same thing.
type Keyed struct {
	*Solved
	// Name appends what a vector is: equal names mean equal metrics.
	Name func(dst []byte, x []float64) []byte
}

// Key returns the same string for designs that are the same thing.
func (p *Keyed) Key(d space.Design) string {
	s := p.scratch.Get().(*scratch)
	defer p.scratch.Put(s)
	x, err := p.numbers(d, s)
	s.x = x
	if err != nil {
		return d.String()
	}
	return string(p.Name(nil, x))
}

// Front wraps rows that take no computing.
func Front(rows ...float64) func(context.Context) ([]float64, error) {
	return func(context.Context) ([]float64, error) { return rows, nil }
}

// NonDominated returns the rows of m losses that no other row dominates.
func NonDominated(rows []float64, m int) []float64 {
	var out []float64
	for _, i := range metric.NonDominated(rows, m) {
		out = append(out, rows[i*m:(i+1)*m]...)
	}
	return out
}

// Objectives are m losses without a unit, f1, f2 and so on; one alone is f.
func Objectives(m int) []metric.Metric {
	if m == 1 {
		return []metric.Metric{{Name: "f", Direction: metric.Minimize, Doc: "value of the function"}}
	}
	ms := make([]metric.Metric, m)
	for i := range ms {
		ms[i] = metric.Metric{Name: fmt.Sprintf("f%d", i+1), Direction: metric.Minimize, Doc: "objective"}
	}
	return ms
}

// Floats are n real numbers x1, x2 and so on.
func Floats(n int, lo, hi float64) []space.Node {
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i+1), lo, hi)
	}
	return nodes
}

// Whole returns n, or the default if it is 0, as long as it is in range.
func Whole(what string, n, fallback, least, most int) (int, error) {
	if n == 0 {
		n = fallback
	}
	if n < least || n > most {
		return 0, fmt.Errorf("%s: found %d, want %d to %d", what, n, least, most)
	}
	return n, nil
}

// Lattice returns the points with m coordinates that are multiples of 1/steps
// and sum to 1, with the largest steps that gives at most about most points
// (Das and Dennis 1998).
func Lattice(m, most int) [][]float64 {
	count := func(steps int) int {
		n := 1
		for i := 1; i < m && n < 1<<40; i++ {
			n = n * (steps + i) / i
		}
		return n
	}
	steps := 1
	for count(steps+1) <= most {
		steps++
	}
	var out [][]float64
	point := make([]float64, m)
	var fill func(k, left int)
	fill = func(k, left int) {
		if k == m-1 {
			point[k] = float64(left) / float64(steps)
			out = append(out, slices.Clone(point))
			return
		}
		for v := range left + 1 {
			point[k] = float64(v) / float64(steps)
			fill(k+1, left-v)
		}
	}
	fill(0, steps)
	return out
}

// Spread returns n points spread evenly over [0, 1]^d: equal steps for d = 1,
// else the corners if they are few and then multiples, modulo 1, of the powers
// of 1/g with g^(d+1) = g + 1 (Roberts 2018).
func Spread(d, n int) [][]float64 {
	out := make([][]float64, 0, n)
	if d == 1 {
		for i := range n {
			out = append(out, []float64{float64(i) / float64(n-1)})
		}
		return out
	}
	if d < 8 {
		for c := range 1 << d {
			p := make([]float64, d)
			for i := range p {
				p[i] = float64(c >> i & 1)
			}
			out = append(out, p)
		}
	}
	g := 1.0
	for range 60 {
		g = math.Pow(1+g, 1/float64(d+1))
	}
	for k := 1; len(out) < n; k++ {
		p := make([]float64, d)
		a := 1.0
		for i := range p {
			a /= g
			_, p[i] = math.Modf(0.5 + float64(a*float64(k)))
		}
		out = append(out, p)
	}
	return out
}
