// Package external is the problem that somebody else evaluates: a program on
// another machine, a laboratory, a person. The study asks and is told
// (study.Ask and study.Tell, daedalus ask and daedalus tell); running it is
// refused.
package external

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/command"
	"github.com/daedalus-search/daedalus/space"
)

// Options say what will be measured.
type Options struct {
	// Metrics is what Tell will be given.
	Metrics []metric.Metric
	// MetricUnits is how a study file writes Metrics: a map from names to units.
	MetricUnits *source.Value `yaml:"metrics,required" doc:"the name of each metric that will be told, with its unit; no unit means dimensionless"`
	// Noisy says that the same design may give other values.
	Noisy bool `yaml:"noisy" default:"false" doc:"the same design may give other values"`
	// Fidelity says that designs can be measured with less than the full effort;
	// nil means that they cannot.
	Fidelity *command.Effort `yaml:"fidelity" doc:"designs can be measured with less effort than a full evaluation takes"`
}

// Problem is a space and the names of what is measured elsewhere.
type Problem struct {
	options Options
	space   *space.Space
}

var (
	_ problem.Problem   = (*Problem)(nil)
	_ problem.Noisy     = (*Problem)(nil)
	_ problem.Resumer   = (*Problem)(nil)
	_ problem.Describer = (*Problem)(nil)
)

// New makes the problem. It needs a space and at least one metric.
func New(s *space.Space, o Options) (*Problem, error) {
	if s == nil {
		return nil, errors.New("external: found no space, want what may be built")
	}
	if len(o.Metrics) == 0 && o.MetricUnits != nil {
		var err error
		if o.Metrics, err = command.ReadMetrics(o.MetricUnits); err != nil {
			return nil, err
		}
	}
	if len(o.Metrics) == 0 {
		return nil, errors.New("external: found no metrics, want at least one name with its unit, such as {yield: g}")
	}
	if err := errors.Join(o.Fidelity.Check(s, o.Metrics)...); err != nil {
		return nil, fmt.Errorf("external: %w", err)
	}
	return &Problem{options: o, space: s}, nil
}

// Space implements [problem.Problem].
func (p *Problem) Space() *space.Space { return p.space }

// Metrics implements [problem.Problem].
func (p *Problem) Metrics() []metric.Metric { return slices.Clone(p.options.Metrics) }

// Noisy implements [problem.Noisy].
func (p *Problem) Noisy() bool { return p.options.Noisy }

// Describe implements [problem.Describer].
func (p *Problem) Describe() string { return "is done elsewhere, by ask and tell" }

// Evaluate always fails: nothing here can measure a design.
func (p *Problem) Evaluate(context.Context, space.Design, problem.Reporter) (metric.Values, error) {
	return nil, &problem.EvalError{
		Class: problem.ClassPermanent,
		Err:   errors.New("this problem is evaluated elsewhere: use daedalus ask and daedalus tell, or give the study a command"),
	}
}

// Fidelity implements [problem.Graded].
func (p *Problem) Fidelity() problem.Fidelity { return p.options.Fidelity.Fidelity() }

// EvaluateAt always fails, as Evaluate does.
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, _ float64, r problem.Reporter) (metric.Values, error) {
	return p.Evaluate(ctx, d, r)
}

// Resume always fails, as Evaluate does.
func (p *Problem) Resume(ctx context.Context, d space.Design, _, _ float64, r problem.Reporter) (metric.Values, error) {
	return p.Evaluate(ctx, d, r)
}
