package realworld

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// Options choose a problem. The zero value works.
type Options struct {
	Problem string `yaml:"problem" default:"RE21" oneof:"RE21 RE22 RE23 RE24 RE25 RE31 RE32 RE33 RE34 RE35 RE36 RE37 RE41 RE42 RE61 RE91 CRE21 CRE22 CRE23 CRE24 CRE25 CRE31 CRE32 CRE51" doc:"name in the suite; CRE have limits: add violation <= 0"` // "" means RE21
}

// Names returns the problems in the order of the suite.
func Names() []string {
	var names []string
	for i := range problems {
		names = append(names, problems[i].re)
	}
	for i := range problems {
		if problems[i].cre != "" {
			names = append(names, problems[i].cre)
		}
	}
	return names
}

// An engineering problem. The functions get as many objectives as there are
// names; limits hold where g is at least 0.
type engineering struct {
	re, cre    string // names in the suite; "" if there is none with limits
	doc        string
	nodes      []space.Node
	objectives []metric.Metric
	limits     int
	f          func(x, f, g []float64)
}

// New makes the problem.
func (o Options) New() (problem.Problem, error) {
	if o.Problem == "" {
		o.Problem = "RE21"
	}
	i := slices.IndexFunc(problems[:], func(e engineering) bool { return e.re == o.Problem || e.cre == o.Problem })
	if i < 0 {
		return nil, fmt.Errorf("realworld: problem: found %q, want one of %s", o.Problem, strings.Join(Names(), ", "))
	}
	e := &problems[i]
	m := len(e.objectives)
	fn := vector.Function{
		Package: "realworld", Name: fmt.Sprintf("%s, %s", o.Problem, e.doc), Nodes: e.nodes, Metrics: slices.Clone(e.objectives),
		F: func(x, y []float64) {
			var g [12]float64
			e.f(x, y[:m], g[:e.limits])
			if e.limits == 0 {
				return
			}
			y[m] = 0
			for _, v := range g[:e.limits] {
				y[m] += max(0, -v)
			}
		},
	}
	for i := range fn.Metrics {
		fn.Metrics[i].Name, fn.Metrics[i].Direction = fmt.Sprintf("f%d", i+1), metric.Minimize
	}
	switch missed := "by how much the limits are missed in all"; {
	case o.Problem == e.cre:
		fn.Metrics = append(fn.Metrics, metric.Metric{Name: "violation", Doc: missed + "; bound it by violation <= 0"})
	case e.limits > 0:
		fn.Metrics = append(fn.Metrics, metric.Metric{Name: fmt.Sprintf("f%d", m+1), Direction: metric.Minimize, Doc: missed})
	}
	p, err := vector.New(fn)
	if err != nil {
		return nil, err
	}
	if e.re == "RE36" {
		return gears{p}, nil
	}
	return p, nil
}

// gears is the problem that can be enumerated, and has designs that are the
// same: the two driving gears may change places, and the two driven ones.
type gears struct{ *vector.Problem }

var (
	_ problem.Optimum   = gears{}
	_ problem.Canonical = gears{}
	_ problem.Batcher   = gears{}
)

const fewestTeeth, mostTeeth = 12, 60

// Key returns the same string for gears that are the same.
func (p gears) Key(d space.Design) string {
	x, err := p.Numbers(d)
	if err != nil {
		return d.String()
	}
	return fmt.Sprintf("%v %v/%v %v", max(x[2], x[3]), min(x[2], x[3]), max(x[0], x[1]), min(x[0], x[1]))
}

// Optimum returns the true front of a goal that asks for less of everything,
// with limits or without: all metrics rise with the distance of the ratio, so
// of the trains with the same largest gear the one with the nearest ratio is
// the best. Other goals are [errors.ErrUnsupported].
func (p gears) Optimum(_ context.Context, goal metric.Goal) ([]metric.Values, error) {
	ms := p.Metrics()
	if err := goal.Check(ms); err != nil {
		return nil, err
	}
	ok := true
	for _, o := range goal.Objectives {
		ok = ok && o.Target == nil && o.Direction == metric.Minimize
	}
	for _, l := range goal.Limits {
		ok = ok && (l.Op == metric.LessEqual || l.Op == metric.Less) && l.Soft == 0
	}
	if !ok {
		return nil, fmt.Errorf("realworld: the true front of gears for this goal: %w", errors.ErrUnsupported)
	}
	var front metric.Front[metric.Values]
	for _, y := range p.best() {
		v := make(metric.Values, len(ms))
		for i := range ms {
			v[ms[i].Name] = y[i]
		}
		front.Add(goal.Score(v), v)
	}
	var out []metric.Values
	for _, v := range front.All() {
		out = append(out, v)
	}
	return out, nil
}

// best returns the metrics of the best trains with each largest gear.
func (p gears) best() [][]float64 {
	var out [][]float64
	for size := fewestTeeth; size <= mostTeeth; size++ {
		var best []float64
		for a := fewestTeeth; a <= size; a++ {
			for b := fewestTeeth; b <= size; b++ {
				for c := fewestTeeth; c <= size; c++ {
					if a != size && b != size && c != size {
						continue // the largest is among three of the four, by symmetry
					}
					// Of the last gears the two about the ratio are enough.
					at := int(6.931 * float64(a*b) / float64(c))
					for _, d := range [...]int{at, at + 1} {
						y := p.At([]float64{float64(a), float64(b), float64(c), float64(min(max(d, fewestTeeth), size))})
						if best == nil || y[0] < best[0] {
							best = y
						}
					}
				}
			}
		}
		out = append(out, best)
	}
	return out
}
