package bbob

import (
	"fmt"
	"slices"

	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// Options choose a function. The zero value works.
type Options struct {
	Function int  `yaml:"function" default:"1" min:"1" max:"24" doc:"which function: 1 to 5 separable, 6 to 9 moderate, 10 to 14 ill-conditioned, 15 to 19 multimodal, 20 to 24 weakly structured"` // 0 means 1
	Dims     int  `yaml:"dims" default:"10" min:"2" max:"40" doc:"number of dimensions; with mixed a multiple of 5"`                                                                                // 0 means 10
	Instance int  `yaml:"instance" default:"1" min:"1" max:"100000" doc:"COCO's number of the shifts and rotations"`                                                                                // 0 means 1
	Mixed    bool `yaml:"mixed" default:"false" doc:"make four fifths of the variables whole numbers with 2, 4, 8 and 16 values, as in bbob-mixint"`
}

// Functions is the number of functions.
const Functions = 24

const maxDims = 40

// names are the functions as the report calls them.
var names = [Functions]string{
	"sphere", "separable ellipsoid", "separable Rastrigin", "Büche-Rastrigin", "linear slope",
	"attractive sector", "step ellipsoid", "Rosenbrock", "rotated Rosenbrock",
	"ellipsoid", "discus", "bent cigar", "sharp ridge", "different powers",
	"Rastrigin", "Weierstrass", "Schaffers F7", "ill-conditioned Schaffers F7", "Griewank-Rosenbrock F8F2",
	"Schwefel", "Gallagher's 101 peaks", "Gallagher's 21 peaks", "Katsuura", "Lunacek bi-Rastrigin",
}

// mixedScale are the factors by which bbob-mixint evens out difficulties.
var mixedScale = [Functions]float64{
	1, 1e-3, 1e-1, 1e-1, 1, 1e-2, 1, 1e-2, 1e-2, 1e-3, 1e-2, 1e-4,
	1e-1, 1, 1e-1, 1, 10, 1, 10, 1e-1, 1, 1, 10, 1e-1,
}

// Problem is one function in one instance.
type Problem struct {
	*vector.Solved
	best  []float64
	value float64
}

// New makes the problem.
func (o Options) New() (*Problem, error) {
	which, err := vector.Whole("bbob: function", o.Function, 1, 1, Functions)
	if err != nil {
		return nil, err
	}
	n, err := vector.Whole("bbob: dims", o.Dims, 10, 2, maxDims)
	if err != nil {
		return nil, err
	}
	number, err := vector.Whole("bbob: instance", o.Instance, 1, 1, 100_000)
	if err != nil {
		return nil, err
	}
	if o.Mixed && n%5 != 0 {
		return nil, fmt.Errorf("bbob: dims: found %d, want a multiple of 5 for mixed variables", n)
	}
	in := newInstance(which, n, number)
	f := vector.Function{
		Package: "bbob", Name: fmt.Sprintf("the BBOB function %d, %s, in %d dimensions, instance %d", which, names[which-1], n, number),
		Nodes: vector.Floats(n, -5, 5), Metrics: vector.Objectives(1),
		F: func(x, y []float64) { y[0] = in.f(x) + in.fopt },
	}
	p := &Problem{best: slices.Clone(in.xopt), value: in.fopt}
	if o.Mixed {
		scale := mixedScale[which-1]
		f.Name += ", over mixed variables"
		from, step := make([]float64, n), make([]float64, n)
		for i := range n * 4 / 5 {
			levels := 2 << (i / (n / 5))
			f.Nodes[i] = space.Int(fmt.Sprintf("x%d", i+1), 0, levels-1)
			from[i], step[i], p.best[i] = grid(levels, in.xopt[i])
		}
		f.F = func(x, y []float64) {
			for i := range step {
				if step[i] > 0 {
					x[i] = from[i] + float64(step[i]*x[i])
				}
			}
			y[0] = float64(scale * (in.f(x) + in.fopt))
		}
		p.value *= scale
	}
	p.Solved, err = vector.NewSolved(f, vector.Front(p.value))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// grid puts levels values at equal distances between -4 and 4, ends excluded,
// and shifts them so that the one nearest to the optimum meets it. It returns
// the first value, the distance and which value is the optimum.
func grid(levels int, xopt float64) (from, step, best float64) {
	step = 8 / float64(levels+1)
	from = -4 + step
	best = min(max(round((xopt-from)/step+1e-7), 0), float64(levels-1))
	return from - (from + float64(step*best) - xopt), step, best
}

// Best returns the vector with the least value, in the order of the space: the
// one that the definition names, for some functions have more than one.
func (p *Problem) Best() []float64 { return slices.Clone(p.best) }

// Value returns the least value.
func (p *Problem) Value() float64 { return p.value }
