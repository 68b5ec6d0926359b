package synthetic

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// most is the largest number of dimensions.
const most = 10_000

func single(name string, nodes []space.Node, optimum float64, f func(x []float64) float64) (*Problem, error) {
	return newProblem(name, nodes, vector.Objectives(1), func(x, y []float64) { y[0] = f(x) }, vector.Front(optimum))
}

// Sphere is the sum of squares on [-5.12, 5.12]^n; its minimum is 0 at 0.
type Sphere struct {
	Dims int `yaml:"dims" default:"2" min:"1" max:"10000" doc:"number of dimensions"` // 0 means 2
}

// New makes the problem.
func (o Sphere) New() (*Problem, error) {
	n, err := dims("sphere: dims", o.Dims, 2, 1, most)
	if err != nil {
		return nil, err
	}
	return single(fmt.Sprintf("the sphere function in %d dimensions", n), vector.Floats(n, -5.12, 5.12), 0, func(x []float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v * v)
		}
		return sum
	})
}

// Rosenbrock is the banana valley Σ 100(x[i+1]-x[i]²)² + (1-x[i])² on
// [-5, 10]^n; its minimum is 0 at 1 (Rosenbrock 1960).
type Rosenbrock struct {
	Dims int `yaml:"dims" default:"2" min:"2" max:"10000" doc:"number of dimensions"` // 0 means 2
}

// New makes the problem.
func (o Rosenbrock) New() (*Problem, error) {
	n, err := dims("rosenbrock: dims", o.Dims, 2, 2, most)
	if err != nil {
		return nil, err
	}
	return single(fmt.Sprintf("Rosenbrock's function in %d dimensions", n), vector.Floats(n, -5, 10), 0, func(x []float64) float64 {
		sum := 0.0
		for i := range len(x) - 1 {
			a, b := x[i+1]-float64(x[i]*x[i]), 1-x[i]
			sum += float64(100*a*a) + float64(b*b)
		}
		return sum
	})
}

// Rastrigin is 10n + Σ x² - 10 cos 2πx on [-5.12, 5.12]^n, with about 11^n
// local minima; the best is 0 at 0 (Rastrigin 1974).
type Rastrigin struct {
	Dims int `yaml:"dims" default:"2" min:"1" max:"10000" doc:"number of dimensions"` // 0 means 2
}

// New makes the problem.
func (o Rastrigin) New() (*Problem, error) {
	n, err := dims("rastrigin: dims", o.Dims, 2, 1, most)
	if err != nil {
		return nil, err
	}
	return single(fmt.Sprintf("Rastrigin's function in %d dimensions", n), vector.Floats(n, -5.12, 5.12), 0, func(x []float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v*v) + float64(10*(1-math.Cos(2*math.Pi*v)))
		}
		return sum
	})
}

// Branin is the Branin-Hoo function on [-5, 10] × [0, 15], with three equal
// minima of 0.397887 (Branin 1972).
type Branin struct{}

// New makes the problem.
func (Branin) New() (*Problem, error) {
	nodes := []space.Node{space.Float("x1", -5, 10), space.Float("x2", 0, 15)}
	// At (π, 2.275) the square vanishes and the rest is 10/(8π).
	return single("the Branin-Hoo function", nodes, 10/(8*math.Pi), func(x []float64) float64 {
		const b, c, t = 5.1 / (4 * math.Pi * math.Pi), 5 / math.Pi, 1 / (8 * math.Pi)
		a := x[1] - float64(b*x[0]*x[0]) + float64(c*x[0]) - 6
		return float64(a*a) + float64(10*(1-t)*math.Cos(x[0])) + 10
	})
}
