package vector

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/problem/problemtest"
	"github.com/daedalus-search/daedalus/space"
)

// A function of every kind of decision gets numbers for numbers and the place
// of an option for everything else.
func TestDecisionsAreNumbers(t *testing.T) {
	t.Parallel()
	var last []float64
	p, err := NewSolved(Function{
		Package: "vector", Name: "a test",
		Nodes:   []space.Node{space.Float("a", 0, 1), space.Int("b", 5, 9), space.Ordinal("c", 0.5, 2, 8), space.Categorical("d", "x", "y"), space.Bool("e"), space.Float("f", 1, 2).Step(0.25)},
		Metrics: []metric.Metric{{Name: "sum", Direction: metric.Minimize}, {Name: "kind"}},
		F: func(x, y []float64) {
			last = slices.Clone(x)
			y[0], y[1] = x[0]+x[1]+x[2]+x[5], x[3]
		},
	}, Front(6.5, 0))
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Space().ParseJSON([]byte(`{"a":0.25,"b":7,"c":8,"d":"y","e":true,"f":1.75}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Evaluate(t.Context(), d, nil)
	if want := []float64{0.25, 7, 8, 1, 1, 1.75}; err != nil || !slices.Equal(last, want) || v["sum"] != 17 || v["kind"] != 1 {
		t.Errorf("%v, %v; the function got %v, want %v", v, err, last, want)
	}
	if back, err := p.Design(last); err != nil || back != d {
		t.Errorf("Design(%v) = %v, %v, want %v", last, back, err, d)
	}
	if near, err := p.Design([]float64{0.25, 7.4, 7, 0.8, 0.6, 1.7}); err != nil || near != d {
		t.Errorf("the nearest design is %v, %v, want %v", near, err, d)
	}
	if _, err := p.Design([]float64{1}); err == nil {
		t.Error("a vector too short gave no error")
	}
	if _, err := p.Optimum(t.Context(), metric.Goal{Objectives: []metric.Objective{{Metric: "kind", Direction: metric.Minimize}}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a goal that is not suggested: %v", err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	p, err := NewSolved(Function{Package: "vector", Name: "a test", Nodes: Floats(3, 0, 1), Metrics: Objectives(2), F: func(x, y []float64) { y[0], y[1] = x[0], 1-x[0] }},
		Front(0, 1, 0.5, 0.5, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	problemtest.Run(t, p)
	problemtest.Run(t, &Keyed{Solved: p, Name: func(dst []byte, x []float64) []byte {
		return append(dst, byte(math.Float64bits(x[0])), byte(math.Float64bits(x[0])>>8), byte(math.Float64bits(x[0])>>16), byte(math.Float64bits(x[0])>>24))
	}})
}

func TestPointsAreSpread(t *testing.T) {
	t.Parallel()
	for _, m := range []int{2, 3, 5, 10} {
		points := Lattice(m, 500)
		if len(points) > 500 || len(points) < 50 {
			t.Errorf("%d points with %d coordinates, want about 500", len(points), m)
		}
		for _, p := range points {
			sum := 0.0
			for _, v := range p {
				sum += v
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Fatalf("%v sums to %v", p, sum)
			}
		}
	}
	for _, d := range []int{1, 2, 3, 9} {
		const n = 1000
		points := Spread(d, n)
		if len(points) != n {
			t.Fatalf("%d points, want %d", len(points), n)
		}
		for i := range d { // each coordinate has about as many points in each tenth
			var tenths [10]int
			for _, p := range points {
				tenths[min(int(10*p[i]), 9)]++
			}
			for k, c := range tenths {
				if c < 75 || c > 125 {
					t.Errorf("%d dimensions: %d of %d points in tenth %d of coordinate %d", d, c, n, k, i)
				}
			}
		}
	}
}
