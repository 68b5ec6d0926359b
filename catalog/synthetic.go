package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/synthetic"
	"github.com/daedalus-search/daedalus/space"
)

// maker is what the options of every test function can do.
type maker interface {
	New() (*synthetic.Problem, error)
}

// syntheticRows are the test functions with known optima.
func syntheticRows() []Problem {
	row := func(name, doc, source string, options func() any) Problem {
		return Problem{
			Name: name, Doc: doc, Source: source, Options: options,
			New: func(o any, _ *space.Space, _ string) (problem.Problem, error) { return o.(maker).New() },
		}
	}
	return []Problem{
		row("sphere", "sum of squares: the easiest test function", "De Jong 1975", func() any { return new(synthetic.Sphere) }),
		row("rosenbrock", "a curved valley", "Rosenbrock 1960", func() any { return new(synthetic.Rosenbrock) }),
		row("rastrigin", "a bowl full of local optima", "Rastrigin 1974", func() any { return new(synthetic.Rastrigin) }),
		row("branin", "two numbers, three global optima", "Branin 1972", func() any { return new(synthetic.Branin) }),
		row("zdt", "two objectives with a known front", "Zitzler, Deb and Thiele 2000", func() any { return new(synthetic.ZDT) }),
		row("dtlz2", "three and more objectives on a sphere", "Deb, Thiele, Laumanns and Zitzler 2002", func() any { return new(synthetic.DTLZ2) }),
		row("nk", "a rugged landscape of bits with tunable interactions", "Kauffman 1993", func() any { return new(synthetic.NK) }),
	}
}
