package synthetic

import (
	"context"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/metric"
)

func objectives(m int) []metric.Metric {
	ms := make([]metric.Metric, m)
	for i := range ms {
		ms[i] = metric.Metric{Name: fmt.Sprintf("f%d", i+1), Direction: metric.Minimize, Doc: "objective"}
	}
	return ms
}

// frontPoints is about how many points of a true front Optimum returns.
const frontPoints = 500

// ZDT is one of the bi-objective functions ZDT1 (convex front), ZDT2 (concave)
// and ZDT3 (in five pieces) on [0, 1]^n (Zitzler, Deb and Thiele 2000).
type ZDT struct {
	Function int `yaml:"function" default:"1" oneof:"1 2 3" doc:"which function: 1 convex, 2 concave, 3 in pieces"` // 0 means 1
	Dims     int `yaml:"dims" default:"30" min:"2" max:"10000" doc:"number of dimensions"`                          // 0 means 30
}

// New makes the problem.
func (o ZDT) New() (*Problem, error) {
	which, err := dims("zdt: function", o.Function, 1, 1, 3)
	if err != nil {
		return nil, err
	}
	n, err := dims("zdt: dims", o.Dims, 30, 2, most)
	if err != nil {
		return nil, err
	}
	p, err := newProblem(fmt.Sprintf("ZDT%d in %d dimensions", which, n), floats(n, 0, 1), objectives(2))
	if err != nil {
		return nil, err
	}
	second := func(f1, g float64) float64 {
		r := f1 / g
		switch which {
		case 1:
			return g * (1 - math.Sqrt(r))
		case 2:
			return g * (1 - float64(r*r))
		}
		return g * (1 - math.Sqrt(r) - float64(r*math.Sin(10*math.Pi*f1)))
	}
	p.f = func(x, y []float64) {
		sum := 0.0
		for _, v := range x[1:] {
			sum += v
		}
		g := 1 + float64(9*sum)/float64(len(x)-1)
		y[0], y[1] = x[0], second(x[0], g)
	}
	p.front = func(context.Context) ([]float64, error) {
		k := frontPoints
		if which == 3 {
			k *= 4 // most of the curve is dominated
		}
		rows := make([]float64, 0, 2*k)
		for i := range k {
			f1 := float64(i) / float64(k-1)
			rows = append(rows, f1, second(f1, 1))
		}
		return nonDominated(rows, 2), nil
	}
	return p, nil
}

func nonDominated(rows []float64, m int) []float64 {
	var out []float64
	for _, i := range metric.NonDominated(rows, m) {
		out = append(out, rows[i*m:(i+1)*m]...)
	}
	return out
}

// DTLZ2 has any number of objectives and the positive part of the unit sphere
// as its front (Deb, Thiele, Laumanns and Zitzler 2002).
type DTLZ2 struct {
	Objectives int `yaml:"objectives" default:"3" min:"2" max:"20" doc:"number of objectives"`                      // 0 means 3
	Dims       int `yaml:"dims" default:"0" min:"0" max:"10000" doc:"number of dimensions; 0 means objectives + 9"` // 0 means Objectives + 9
}

// New makes the problem.
func (o DTLZ2) New() (*Problem, error) {
	m, err := dims("dtlz2: objectives", o.Objectives, 3, 2, 20)
	if err != nil {
		return nil, err
	}
	n, err := dims("dtlz2: dims", o.Dims, m+9, m, most)
	if err != nil {
		return nil, err
	}
	p, err := newProblem(fmt.Sprintf("DTLZ2 with %d objectives in %d dimensions", m, n), floats(n, 0, 1), objectives(m))
	if err != nil {
		return nil, err
	}
	p.f = func(x, y []float64) {
		r := 1.0
		for _, v := range x[m-1:] {
			r += float64((v - 0.5) * (v - 0.5))
		}
		for i := range m { // the last objective has the first angle alone
			f := r
			for _, a := range x[:m-1-i] {
				f *= math.Cos(a * math.Pi / 2)
			}
			if i > 0 {
				f *= math.Sin(x[m-1-i] * math.Pi / 2)
			}
			y[i] = f
		}
	}
	p.front = func(context.Context) ([]float64, error) {
		steps := 1
		for lattice(m, steps+1) <= frontPoints {
			steps++
		}
		var rows []float64
		point := make([]float64, m)
		var fill func(k, left int)
		fill = func(k, left int) {
			if k == m-1 {
				point[k] = float64(left)
				norm := 0.0
				for _, v := range point {
					norm += float64(v * v)
				}
				norm = math.Sqrt(norm)
				for _, v := range point {
					rows = append(rows, v/norm)
				}
				return
			}
			for v := range left + 1 {
				point[k] = float64(v)
				fill(k+1, left-v)
			}
		}
		fill(0, steps)
		return rows, nil
	}
	return p, nil
}

// lattice is the number of points with m coordinates that sum to steps.
func lattice(m, steps int) int {
	n := 1
	for i := 1; i < m; i++ {
		n = n * (steps + i) / i
		if n > 1<<40 {
			break
		}
	}
	return n
}
