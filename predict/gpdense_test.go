package predict

import (
	"fmt"
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// spd returns a random positive definite matrix, full and packed.
func spd(n int, seed uint64) (full [][]float64, packed []float64) {
	r := rng.New(seed, "spd", uint64(n))
	g := make([][]float64, n)
	for i := range g {
		g[i] = make([]float64, n)
		for j := range g[i] {
			g[i][j] = rng.Norm(r)
		}
	}
	full = make([][]float64, n)
	for i := range full {
		full[i] = make([]float64, n)
		for j := range full[i] {
			full[i][j] = dot(g[i], g[j])
			if i == j {
				full[i][j] += 1
			}
		}
		packed = append(packed, full[i][:i+1]...)
	}
	return full, packed
}

func TestDense(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 32, 41, 63} {
		full, l := spd(n, 1)
		if !cholesky(l, 0, n) {
			t.Fatalf("%d: a positive definite matrix has no factor", n)
		}
		for i := range n {
			for j := range i + 1 {
				if got := dot(l[tri(i):tri(i)+j+1], l[tri(j):tri(j)+j+1]); math.Abs(got-full[i][j]) > 1e-10*float64(n) {
					t.Fatalf("%d: L Lᵀ at %d, %d is %v, want %v", n, i, j, got, full[i][j])
				}
			}
		}
		// A factor in two parts is the same to the last rounding or so.
		_, two := spd(n, 1)
		k := n / 2
		if !cholesky(two, 0, k) || !cholesky(two, k, n) {
			t.Fatalf("%d: no factor in two parts", n)
		}
		for i := range l {
			if math.Abs(l[i]-two[i]) > 1e-11*float64(n) {
				t.Fatalf("%d: the factor in two parts differs at %d: %v and %v", n, i, l[i], two[i])
			}
		}
		inv := make([]float64, tri(n))
		inverse(inv, l, make([]float64, n*n), n)
		for i := range n {
			for j := range n {
				sum := 0.0
				for k := range n {
					a, b := max(i, k), min(i, k)
					sum += inv[tri(a)+b] * full[k][j]
				}
				if i == j {
					sum--
				}
				if math.Abs(sum) > 1e-8 {
					t.Fatalf("%d: K⁻¹K at %d, %d is off by %v", n, i, j, sum)
				}
			}
		}
		r := rng.New(2, "rhs", uint64(n))
		many := make([]float64, 7*n)
		for i := range many {
			many[i] = rng.Norm(r)
		}
		want := append([]float64(nil), many...)
		forwardMany(l, many, n)
		for b := range 7 {
			x := want[b*n : (b+1)*n]
			rhs := append([]float64(nil), x...)
			forward(l, x)
			for i := range x {
				if math.Abs(x[i]-many[b*n+i]) > 1e-9 {
					t.Fatalf("%d: forwardMany differs from forward at %d of %d", n, i, b)
				}
			}
			backward(l, x)
			for i := range n {
				if got := dot(full[i], x); math.Abs(got-rhs[i]) > 1e-8 {
					t.Fatalf("%d: K x = %v at %d, want %v", n, got, i, rhs[i])
				}
			}
		}
	}
	if bad := []float64{1, 2, 1}; cholesky(bad, 0, 2) {
		t.Error("an indefinite matrix has a factor")
	}
}

func BenchmarkDense(b *testing.B) {
	for _, n := range []int{100, 300, 500, 1000} {
		_, a := spd(n, 1)
		l := append([]float64(nil), a...)
		b.Run(fmt.Sprintf("cholesky%d", n), func(b *testing.B) {
			for b.Loop() {
				copy(l, a)
				cholesky(l, 0, n)
			}
		})
		inv, scratch := make([]float64, tri(n)), make([]float64, n*n)
		b.Run(fmt.Sprintf("inverse%d", n), func(b *testing.B) {
			for b.Loop() {
				inverse(inv, l, scratch, n)
			}
		})
		rhs := make([]float64, 64*n)
		b.Run(fmt.Sprintf("solve64x%d", n), func(b *testing.B) {
			for b.Loop() {
				for i := range rhs {
					rhs[i] = float64(i % 7)
				}
				forwardMany(l, rhs, n)
			}
		})
	}
}
