package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/synthetic"
	"github.com/daedalus-search/daedalus/space"
)

// maker is what the options of a problem without a space of its own can do.
type maker[P problem.Problem] interface{ New() (P, error) }

// made is a row of a problem whose options make it.
func made[P problem.Problem](name, doc, source string, options func() maker[P]) Problem {
	return Problem{
		Name: name, Doc: doc, Source: source, Options: func() any { return options() },
		New: func(o any, _ *space.Space, _ string) (problem.Problem, error) {
			p, err := o.(maker[P]).New()
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	}
}

// syntheticRows are the test functions with known optima.
func syntheticRows() []Problem {
	type function = maker[*synthetic.Problem]
	return []Problem{
		made("sphere", "sum of squares: the easiest test function", "De Jong 1975", func() function { return new(synthetic.Sphere) }),
		made("rosenbrock", "a curved valley", "Rosenbrock 1960", func() function { return new(synthetic.Rosenbrock) }),
		made("rastrigin", "a bowl full of local optima", "Rastrigin 1974", func() function { return new(synthetic.Rastrigin) }),
		made("branin", "two numbers, three global optima", "Branin 1972", func() function { return new(synthetic.Branin) }),
		made("zdt", "two objectives with a known front", "Zitzler, Deb and Thiele 2000", func() function { return new(synthetic.ZDT) }),
		made("zdt5", "two objectives over deceptive strings of bits", "Zitzler, Deb and Thiele 2000", func() maker[*synthetic.Keyed] { return new(synthetic.ZDT5) }),
		made("dtlz", "seven functions with any number of objectives", "Deb, Thiele, Laumanns and Zitzler 2002", func() function { return new(synthetic.DTLZ) }),
		made("dtlz2", "three and more objectives on a sphere", "Deb, Thiele, Laumanns and Zitzler 2002", func() function { return new(synthetic.DTLZ2) }),
		made("wfg", "nine functions with any number of objectives, biased, deceptive or not separable", "Huband, Hingston, Barone and While 2006", func() function { return new(synthetic.WFG) }),
		made("curves", "learning curves that cross, in a conditional space: a problem with fidelities", "ours", func() maker[*synthetic.CurvesProblem] { return new(synthetic.Curves) }),
		made("nk", "a rugged landscape of bits with tunable interactions", "Kauffman 1993", func() function { return new(synthetic.NK) }),
	}
}
