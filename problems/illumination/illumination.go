// Package illumination holds problems of quality-diversity search: besides an
// objective they measure what a design is like, and the aim is a good design
// for every kind.
//
//	p, err := illumination.Projection{Objective: "sphere", Dims: 20}.New()
//	v, err := p.Evaluate(ctx, design, nil) // {"objective": …, "measure1": …, "measure2": …}
//
// [Projection] and [Arm] are the benchmarks of the pyribs library and of the
// papers that it implements. Objectives are scaled so that 100 is the best, and
// the ranges of the measures are those of [Problem.Ranges].
package illumination

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// Problem is one of the problems. Its metrics are objective, to be maximised,
// and measure1 and measure2, which are neither good nor bad.
type Problem struct {
	*vector.Solved
	reach float64
}

// Ranges returns the least and the largest value of both measures.
func (p *Problem) Ranges() [2][2]float64 {
	return [2][2]float64{{-p.reach, p.reach}, {-p.reach, p.reach}}
}

func newProblem(name, objective, measure1, measure2 string, reach float64, nodes []space.Node, f func(x, y []float64), best []float64) (*Problem, error) {
	within := fmt.Sprintf(", from %.4g to %.4g", -reach, reach)
	y := make([]float64, 3)
	f(append([]float64(nil), best...), y)
	y[0] = 100 // without what rounding took
	p, err := vector.NewSolved(vector.Function{
		Package: "illumination", Name: name, Nodes: nodes, F: f,
		Metrics: []metric.Metric{
			{Name: "objective", Direction: metric.Maximize, Doc: objective},
			{Name: "measure1", Doc: measure1 + within},
			{Name: "measure2", Doc: measure2 + within},
		},
	}, vector.Front(y...))
	if err != nil {
		return nil, err
	}
	return &Problem{Solved: p, reach: reach}, nil
}

// Projection is the linear projection of Fontaine, Togelius, Nikolaidis and
// Hoover, "Covariance Matrix Adaptation for the Rapid Illumination of Behavior
// Space" (GECCO 2020), on which pyribs is measured. The objective is the sphere
// or Rastrigin function, shifted by 2.048 in every coordinate and scaled so that
// 100 is its optimum and 0 its value where all coordinates are -5.12. The
// measures are the sums of the first and of the second half of the coordinates,
// where a coordinate x beyond ±5.12 counts as 5.12/x. Most designs have small
// sums: the corners of the measures are hard to reach.
//
// The original is without bounds. A coordinate at a bound of 10.24 counts 0.5,
// so that little of what is cut off could have been of use.
type Projection struct {
	Objective string  `yaml:"objective" default:"sphere" oneof:"sphere rastrigin" doc:"function to optimise"`                // "" means sphere
	Dims      int     `yaml:"dims" default:"20" min:"2" max:"10000" doc:"number of dimensions"`                              // 0 means 20
	Bound     float64 `yaml:"bound" default:"10.24" min:"2.048" max:"1e6" doc:"coordinates lie between minus this and this"` // 0 means 10.24
}

// New makes the problem.
func (o Projection) New() (*Problem, error) {
	n, err := vector.Whole("illumination: projection: dims", o.Dims, 20, 2, 10_000)
	if err != nil {
		return nil, err
	}
	if o.Bound == 0 {
		o.Bound = 10.24
	}
	const edge, shift = 5.12, 5.12 * 0.4
	if !(o.Bound >= shift && o.Bound <= 1e6) {
		return nil, fmt.Errorf("illumination: projection: bound: found %v, want 2.048 to 1e6", o.Bound)
	}
	term := func(d float64) float64 { return float64(d * d) }
	switch o.Objective {
	case "", "sphere":
		o.Objective = "sphere"
	case "rastrigin":
		term = func(d float64) float64 { return float64(d*d) + float64(10*(1-math.Cos(2*math.Pi*d))) }
	default:
		return nil, fmt.Errorf("illumination: projection: objective: found %q, want sphere or rastrigin", o.Objective)
	}
	worst := float64(n) * term(-edge-shift)
	f := func(x, y []float64) {
		sum := 0.0
		var half [2]float64
		for i, v := range x {
			sum += term(v - shift)
			if v < -edge || v > edge {
				v = edge / v
			}
			k := 0
			if i >= n/2 {
				k = 1
			}
			half[k] += v
		}
		y[0], y[1], y[2] = 100*(worst-sum)/worst, half[0], half[1]
	}
	best := make([]float64, n)
	for i := range best {
		best[i] = shift
	}
	return newProblem(fmt.Sprintf("the linear projection of the %s function in %d dimensions", o.Objective, n), "shifted "+o.Objective+" function: 100 at its optimum, 0 at -5.12, less beyond",
		"sum of the first half of the coordinates", "sum of the others", edge*float64(n)/2, vector.Floats(n, -o.Bound, o.Bound), f, best)
}

// Arm is the arm in the plane whose joints are to reach every point (Cully,
// Clune, Tarapore and Mouret, "Robots that can adapt like animals", Nature
// 2015; Vassiliades and Mouret 2018). Every link has length 1, and the angles
// between links are in radians. The objective is how equal the angles are: 100
// less their variance in parts of its largest value, π². The measures are where
// the end of the arm is.
type Arm struct {
	Joints int `yaml:"joints" default:"12" min:"2" max:"10000" doc:"number of joints"` // 0 means 12
}

// New makes the problem.
func (o Arm) New() (*Problem, error) {
	n, err := vector.Whole("illumination: arm: joints", o.Joints, 12, 2, 10_000)
	if err != nil {
		return nil, err
	}
	nodes := vector.Floats(n, -math.Pi, math.Pi)
	for i := range nodes {
		nodes[i] = nodes[i].Unit("rad")
	}
	f := func(x, y []float64) {
		mean := 0.0
		for _, v := range x {
			mean += v
		}
		mean /= float64(n)
		spread, angle := 0.0, 0.0
		var at [2]float64
		for _, v := range x {
			spread += float64((v - mean) * (v - mean))
			angle += v
			s, c := math.Sincos(angle)
			at[0] += c
			at[1] += s
		}
		y[0], y[1], y[2] = 100*(1-spread/float64(n)/(math.Pi*math.Pi)), at[0], at[1]
	}
	return newProblem(fmt.Sprintf("the arm with %d joints", n), "how equal the angles are, from 0 to 100", "x of the end of the arm", "y of the end of the arm",
		float64(n), nodes, f, make([]float64, n))
}
