package lbfgs_test

import (
	"context"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/lbfgs"
)

func rosenbrock(x, g []float64) float64 {
	clear(g)
	y := 0.0
	for i := range len(x) - 1 {
		a, b := 1-x[i], x[i+1]-x[i]*x[i]
		y += a*a + 100*b*b
		g[i] += -2*a - 400*x[i]*b
		g[i+1] += 200 * b
	}
	return y
}

func box(n int, lo, hi float64) (a, b []float64) {
	for range n {
		a, b = append(a, lo), append(b, hi)
	}
	return a, b
}

func TestMinimize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 5, 20} {
		x, _ := box(n, -1.2, 0)
		lo, hi := box(n, -5, 5)
		if y := lbfgs.Minimize(context.Background(), rosenbrock, x, lo, hi, 500); y > 1e-4 {
			t.Errorf("%d dimensions: Rosenbrock's function ends at %v", n, y)
		}
	}
	// The minimum on the bound x_0 = 0.5 is at x_1 = 0.25.
	x, lo, hi := []float64{-1, 1}, []float64{-2, -2}, []float64{0.5, 2}
	y := lbfgs.Minimize(context.Background(), rosenbrock, x, lo, hi, 200)
	if math.Abs(x[0]-0.5) > 1e-6 || math.Abs(x[1]-0.25) > 1e-3 || math.Abs(y-0.25) > 1e-3 {
		t.Errorf("in a box it ends at %v with %v, want 0.25 at [0.5 0.25]", x, y)
	}
}

func TestMinimizeOdd(t *testing.T) {
	t.Parallel()
	lo, hi := []float64{-1}, []float64{1}
	x := []float64{0.5}
	if y := lbfgs.Minimize(context.Background(), func(_, g []float64) float64 { return math.NaN() }, x, lo, hi, 10); !math.IsInf(y, 1) || x[0] != 0.5 {
		t.Errorf("a function without values ends at %v with %v", x, y)
	}
	// A wall: not defined left of 0.2.
	y := lbfgs.Minimize(context.Background(), func(x, g []float64) float64 {
		g[0] = 1
		if x[0] < 0.2 {
			return math.Inf(1)
		}
		return x[0]
	}, x, lo, hi, 100)
	if y < 0.2 || y > 0.35 {
		t.Errorf("before a wall at 0.2 it ends at %v", y)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x[0] = 0.9
	if lbfgs.Minimize(ctx, func(x, g []float64) float64 { g[0] = 2 * x[0]; return x[0] * x[0] }, x, lo, hi, 100); x[0] != 0.9 {
		t.Errorf("after cancelling it moved to %v", x)
	}
}
