// Package lbfgs minimises a smooth function in a box, with the same steps on
// every platform.
//
// It is L-BFGS (Liu and Nocedal 1989) with steps that are projected into the box
// and shortened until they gain enough (Armijo). Coordinates that stand at a
// bound and would leave the box rest (Bertsekas 1982).
//
//	x := []float64{3, -2}
//	y := lbfgs.Minimize(ctx, rosenbrock, x, []float64{-5, -5}, []float64{5, 5}, 100)
package lbfgs

import (
	"context"
	"math"
)

func dot(a, b []float64) float64 {
	s := 0.0
	for i, x := range a {
		s += float64(x * b[i])
	}
	return s
}

// Minimize looks for a minimum of f in the box from lo to hi and returns its
// value there. x is the start and then the result; f writes its gradient to g,
// and may be +Inf where it is not defined. The search ends after so many steps,
// when a step gains next to nothing, or when ctx is cancelled. It returns +Inf,
// and leaves x alone, if f is not finite at the start.
func Minimize(ctx context.Context, f func(x, g []float64) float64, x, lo, hi []float64, steps int) float64 {
	const memory = 8
	n := len(x)
	g, nx, ng, dir := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	var ss, ys [][]float64
	var rho []float64
	var a [memory]float64
	y := f(x, g)
	if math.IsInf(y, 0) || math.IsNaN(y) {
		return math.Inf(1)
	}
	stuck := func(i int) bool { return x[i] <= lo[i] && g[i] > 0 || x[i] >= hi[i] && g[i] < 0 }
	for range steps {
		if ctx.Err() != nil {
			break
		}
		norm := 0.0
		for i := range dir {
			dir[i] = -g[i]
			if stuck(i) {
				dir[i] = 0
			}
			norm = max(norm, math.Abs(dir[i]))
		}
		if norm < 1e-4 {
			break
		}
		k := len(ss)
		for i := k - 1; i >= 0; i-- {
			a[i] = rho[i] * dot(ss[i], dir)
			for c, v := range ys[i] {
				dir[c] -= float64(a[i] * v)
			}
		}
		if k > 0 {
			scale := 1 / (rho[k-1] * dot(ys[k-1], ys[k-1]))
			for c := range dir {
				dir[c] *= scale
			}
		} else {
			for c := range dir {
				dir[c] /= max(norm, 1)
			}
		}
		for i := range k {
			b := a[i] - float64(rho[i]*dot(ys[i], dir))
			for c, v := range ss[i] {
				dir[c] += float64(b * v)
			}
		}
		slope, far := 0.0, 0.0
		for i := range dir {
			if stuck(i) {
				dir[i] = 0
			}
			slope += float64(dir[i] * g[i])
			far = max(far, math.Abs(dir[i]))
		}
		if !(slope < 0) {
			if k == 0 {
				break
			}
			ss, ys, rho = nil, nil, nil // start over from the gradient
			continue
		}
		step := min(1, 3/far)
		ny := math.Inf(1)
		ok := false
		for range 12 {
			moved := 0.0
			for i := range nx {
				nx[i] = min(max(x[i]+float64(step*dir[i]), lo[i]), hi[i])
				moved += float64(g[i] * (nx[i] - x[i]))
			}
			ny = f(nx, ng)
			if ny <= y+float64(1e-4*moved) && moved < 0 {
				ok = true
				break
			}
			step *= 0.35
		}
		if !ok {
			if k == 0 {
				break
			}
			ss, ys, rho = nil, nil, nil
			continue
		}
		s, q := make([]float64, n), make([]float64, n)
		for i := range s {
			s[i], q[i] = nx[i]-x[i], ng[i]-g[i]
		}
		if sq := dot(s, q); sq > float64(1e-10*dot(q, q)) {
			if len(ss) == memory {
				ss, ys, rho = ss[1:], ys[1:], rho[1:]
			}
			ss, ys, rho = append(ss, s), append(ys, q), append(rho, 1/sq)
		}
		gain := y - ny
		copy(x, nx)
		copy(g, ng)
		y = ny
		if gain < float64(1e-6*(1+math.Abs(y))) {
			break
		}
	}
	return y
}
