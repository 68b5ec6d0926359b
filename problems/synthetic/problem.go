package synthetic

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// Problem is one of the functions. It is made by the New methods.
type Problem struct {
	name    string
	space   *space.Space
	metrics []metric.Metric

	// f computes the metrics of a design given by its decisions in order:
	// numbers, or 0 and 1.
	f func(x, y []float64)

	// front returns rows of metrics on the true front, nil if it is not known.
	front func(ctx context.Context) ([]float64, error)

	scratch sync.Pool // *scratch
}

type scratch struct {
	answers []space.Answer
	x, y    []float64
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Batcher   = (*Problem)(nil)
	_ problem.Optimum   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

func newProblem(name string, nodes []space.Node, metrics []metric.Metric) (*Problem, error) {
	s, err := space.New(nodes...)
	if err != nil {
		return nil, fmt.Errorf("synthetic: %s: %w", name, err)
	}
	p := &Problem{name: name, space: s, metrics: metrics}
	p.scratch.New = func() any { return &scratch{y: make([]float64, len(metrics))} }
	return p, nil
}

// Space returns what may be built.
func (p *Problem) Space() *space.Space { return p.space }

// Metrics returns the values of the function: f, or f1, f2 and so on, to be
// minimised; or fitness, to be maximised.
func (p *Problem) Metrics() []metric.Metric { return append([]metric.Metric(nil), p.metrics...) }

// Describe says what one evaluation is.
func (p *Problem) Describe() string { return "computes " + p.name }

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
	if d.Space() != p.space { // a part of the space, for example
		own, err := p.space.FromMap(d.Map())
		if err != nil {
			return nil, &problem.EvalError{Class: problem.ClassPermanent, Err: fmt.Errorf("synthetic: the design belongs to another space: %w", err)}
		}
		d = own
	}
	s.answers = d.Decisions(s.answers[:0])
	s.x = s.x[:0]
	for i := range s.answers {
		a := &s.answers[i]
		if a.Role == space.RoleReal {
			s.x = append(s.x, a.Real)
		} else {
			s.x = append(s.x, float64(a.Index))
		}
	}
	p.f(s.x, s.y)
	v := make(metric.Values, len(p.metrics))
	for i := range p.metrics {
		v[p.metrics[i].Name] = s.y[i]
	}
	return v, nil
}

// Optimum returns the true optimum, or points spread over the true front. It
// knows the goal that the metrics suggest, all of them in their directions
// without limits; others are [errors.ErrUnsupported].
func (p *Problem) Optimum(ctx context.Context, goal metric.Goal) ([]metric.Values, error) {
	if err := goal.Check(p.metrics); err != nil {
		return nil, err
	}
	ok := p.front != nil && len(goal.Limits) == 0 && len(goal.Objectives) == len(p.metrics)
	for _, o := range goal.Objectives {
		ok = ok && o.Target == nil && o.Direction == p.metrics[0].Direction // all have the same
	}
	if !ok {
		return nil, fmt.Errorf("synthetic: the true front of %s for this goal: %w", p.name, errors.ErrUnsupported)
	}
	rows, err := p.front(ctx)
	if err != nil {
		return nil, err
	}
	m := len(p.metrics)
	values := make([]metric.Values, len(rows)/m)
	for i := range values {
		v := make(metric.Values, m)
		for k := range p.metrics {
			v[p.metrics[k].Name] = rows[i*m+k]
		}
		values[i] = v
	}
	return values, nil
}

// dims returns n, or the default if it is 0, as long as it is in range.
func dims(what string, n, fallback, least, most int) (int, error) {
	if n == 0 {
		n = fallback
	}
	if n < least || n > most {
		return 0, fmt.Errorf("synthetic: %s: found %d, want %d to %d", what, n, least, most)
	}
	return n, nil
}

func floats(n int, lo, hi float64) []space.Node {
	nodes := make([]space.Node, n)
	for i := range nodes {
		nodes[i] = space.Float(fmt.Sprintf("x%d", i+1), lo, hi)
	}
	return nodes
}

// fixed is a front that takes no computing.
func fixed(rows ...float64) func(context.Context) ([]float64, error) {
	return func(context.Context) ([]float64, error) { return rows, nil }
}
