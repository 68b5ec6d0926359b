package vector

import (
	"fmt"
	"math"
	"testing"
)

// TestEigen checks A = Σ d·v·vᵀ and the orthogonality of the vectors, on
// matrices with a condition up to 1e14, with equal eigenvalues, and diagonal
// ones.
func TestEigen(t *testing.T) {
	t.Parallel()
	s := newSource(1, "eigen")
	for _, n := range []int{1, 2, 3, 5, 20, 61} {
		for _, spread := range []float64{0, 1, 14} {
			g := newEigen(n)
			b := make([]float64, n*n)
			s.normals(b)
			a := make([]float64, n*n)
			for k := range n { // Σ 10^(spread·k/n) b·bᵀ
				f := math.Pow(10, -spread*float64(k)/float64(n))
				for i := range n {
					for j := range n {
						a[i*n+j] += f * b[k*n+i] * b[k*n+j]
					}
				}
			}
			if spread == 0 {
				clear(a)
				for i := range n {
					a[i*n+i] = float64(i / 2)
				}
			}
			if !g.factor(a) {
				t.Fatalf("%d rows: no convergence", n)
			}
			norm := 0.0
			for _, x := range a {
				norm = max(norm, math.Abs(x))
			}
			for i := range n {
				for j := range i + 1 {
					sum, ortho := 0.0, 0.0
					for k := range n {
						sum += g.d[k] * g.vectors[k*n+i] * g.vectors[k*n+j]
						ortho += g.vectors[i*n+k] * g.vectors[j*n+k]
					}
					if i == j {
						ortho--
					}
					if math.Abs(sum-a[i*n+j]) > 1e-13*float64(n)*max(norm, 1) || math.Abs(ortho) > 1e-13*float64(n) {
						t.Fatalf("%d rows, spread %v: element %d,%d is %v, want %v; orthogonal to %v", n, spread, i, j, sum, a[i*n+j], ortho)
					}
				}
			}
		}
	}
	if newEigen(3).factor([]float64{math.NaN(), 0, 0, 1, 1, 0, 1, 1, 1}) {
		t.Error("NaN converges")
	}
}

func BenchmarkEigen(b *testing.B) {
	for _, n := range []int{10, 20, 40, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSource(1, "eigen")
			a := make([]float64, n*n)
			for range 2 * n {
				v := make([]float64, n)
				s.normals(v)
				for i := range n {
					axpy(v[i], v, a[i*n:(i+1)*n])
				}
			}
			g := newEigen(n)
			for b.Loop() {
				g.factor(a)
			}
		})
	}
}
