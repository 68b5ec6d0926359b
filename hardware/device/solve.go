package device

import (
	"math"
	"slices"
)

// solvePositive solves ax = b for a symmetric positive matrix. It spoils a and b,
// and returns b. Directions in which a says nothing get 0.
func solvePositive(a, b []float64) []float64 {
	decompose(a, len(b))
	substitute(a, b)
	return b
}

// decompose makes of a symmetric positive matrix its lower triangle by Cholesky.
func decompose(a []float64, n int) {
	for j := range n {
		row := a[j*n : j*n+j]
		d := a[j*n+j]
		least := float64(1e-12 * d)
		for _, v := range row {
			d -= float64(v * v)
		}
		if !(d > least) {
			d = math.MaxFloat64
		}
		root := math.Sqrt(d)
		a[j*n+j] = root
		for i := j + 1; i < n; i++ {
			s := a[i*n+j]
			for k, v := range row {
				s -= float64(a[i*n+k] * v)
			}
			a[i*n+j] = s / root
		}
	}
}

// substitute solves with what decompose made.
func substitute(a, b []float64) {
	n := len(b)
	for i := range n {
		s := b[i]
		for k, v := range a[i*n : i*n+i] {
			s -= float64(v * b[k])
		}
		b[i] = s / a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		s := b[i]
		for k := i + 1; k < n; k++ {
			s -= float64(a[k*n+i] * b[k])
		}
		b[i] = s / a[i*n+i]
	}
}

func dot(a, b []float64) (s float64) {
	for i, v := range a {
		s += float64(v * b[i])
	}
	return s
}

// nonNegative minimises xᵀax/2 − bᵀx + ridge/2·Σx² over x ≥ 0, the last of x
// without ridge, by cyclic coordinate descent.
func nonNegative(a, b []float64, ridge float64) []float64 {
	n := len(b)
	x := make([]float64, n)
	slope := slices.Clone(b) // b − ax
	for range 5000 {
		most, size := 0.0, 0.0
		for j := range n {
			d := a[j*n+j]
			extra := ridge
			if j == n-1 {
				extra = 0
			}
			if !(d+extra > 0) {
				continue
			}
			next := max(0, x[j]+(slope[j]-float64(extra*x[j]))/(d+extra))
			step := next - x[j]
			if step == 0 {
				continue
			}
			x[j] = next
			for k, v := range a[j*n : (j+1)*n] {
				slope[k] -= float64(v * step)
			}
			most, size = max(most, math.Abs(step)), max(size, next)
		}
		if most <= float64(1e-10*size) {
			break
		}
	}
	return x
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return (s[n/2-1] + s[n/2]) / 2
}
