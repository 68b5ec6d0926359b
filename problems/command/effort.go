package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/space"
)

// An Effort says with how much effort a program can measure a design. A study
// file writes
//
//	fidelity: {name: epochs, min: 1, max: 27, resume: true}
//
// The program finds the amount under that name among the parameters of the
// design.
type Effort struct {
	Name   string    `yaml:"name,required" doc:"what effort is counted in, such as epochs; the program finds the amount under this name in the design"`
	Min    float64   `yaml:"min,required" min:">0" doc:"least amount"`
	Max    float64   `yaml:"max,required" min:">0" doc:"amount of a full evaluation"`
	Levels []float64 `yaml:"levels" doc:"the only amounts there are, from min to max; without it all between, whole ones if min and max are"`
	Fixed  float64   `yaml:"fixed" default:"0" min:"0" max:"<1" doc:"share of the cost of a full evaluation that every evaluation takes, such as loading data"`
	Resume bool      `yaml:"resume" default:"false" doc:"the program goes on from what it left in the design's checkpoint folder"`
}

// Fidelity returns the effort in the engine's terms, the zero value for nil.
func (e *Effort) Fidelity() problem.Fidelity {
	if e == nil {
		return problem.Fidelity{}
	}
	whole := true
	for _, x := range append([]float64{e.Min, e.Max}, e.Levels...) {
		whole = whole && x == math.Trunc(x)
	}
	return problem.Fidelity{
		Name: e.Name, Min: e.Min, Max: e.Max, Levels: slices.Clone(e.Levels), Whole: whole, Fixed: e.Fixed, Resumes: e.Resume,
	}
}

// Check returns everything that is wrong with the effort for designs of a space
// and programs that print metrics.
func (e *Effort) Check(s *space.Space, metrics []metric.Metric) (errs []error) {
	if e == nil {
		return nil
	}
	if err := e.Fidelity().Check(); err != nil {
		errs = append(errs, err)
	}
	if s != nil && slices.ContainsFunc(s.Nodes(), func(n space.Node) bool { return n.Name() == e.Name }) {
		errs = append(errs, fmt.Errorf("fidelity: found the name %q, want another one: the space has a parameter of that name", e.Name))
	}
	return errs
}

// amount returns an amount as programs read it.
func amount(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// withAmount adds an amount to the JSON of a design.
func withAmount(design []byte, name string, x float64) []byte {
	key, err := json.Marshal(name)
	if err != nil {
		return design // cannot be: the name is text
	}
	head := slices.Concat([]byte("{"), key, []byte(": "), []byte(amount(x)))
	rest := bytes.TrimSpace(design[1:])
	if len(rest) > 0 && rest[0] != '}' {
		head = append(head, ", "...)
	}
	return append(head, rest...)
}

// Fidelity implements [problem.Graded].
func (p *Problem) Fidelity() problem.Fidelity { return p.options.Fidelity.Fidelity() }

// EvaluateAt implements [problem.Graded].
func (p *Problem) EvaluateAt(ctx context.Context, d space.Design, share float64, r problem.Reporter) (metric.Values, error) {
	return p.evaluate(ctx, d, 0, share, r)
}

// Resume implements [problem.Resumer].
func (p *Problem) Resume(ctx context.Context, d space.Design, from, share float64, r problem.Reporter) (metric.Values, error) {
	return p.evaluate(ctx, d, from, share, r)
}
