package predict

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
)

// The eigenvectors of random symmetric matrices are orthonormal and rebuild
// the matrix.
func TestLinEigen(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 4, 7, 20, 61} {
		r := rng.New(1, "eigen", uint64(n))
		a := make([]float64, n*n)
		for i := range n {
			for j := range i + 1 {
				a[i*n+j] = rng.Norm(r)
				if n == 7 && j%2 == 0 { // rank-deficient, with repeated zeros
					a[i*n+j] = 0
				}
				a[j*n+i] = a[i*n+j]
			}
		}
		d, q := linEigen(append([]float64(nil), a...), n)
		for i := range n {
			for j := range n {
				rebuilt, dot := 0.0, 0.0
				for k := range n {
					rebuilt += d[k] * q[k*n+i] * q[k*n+j]
					dot += q[i*n+k] * q[j*n+k]
				}
				want := 0.0
				if i == j {
					want = 1
				}
				if math.Abs(rebuilt-a[i*n+j]) > 1e-12*float64(n) || math.Abs(dot-want) > 1e-13*float64(n) {
					t.Fatalf("n=%d: number %d,%d is %v, want %v; product of vectors %v, want %v", n, i, j, rebuilt, a[i*n+j], dot, want)
				}
			}
		}
	}
}

// The FLEXI reference rows of the method card.
func TestFlexiReference(t *testing.T) {
	f := loadFlexi(t)
	for _, c := range []struct {
		name string
		l    Learner
		n    int
	}{
		{"ridge1", Ridge{Lambda: 1}, 50}, {"ridge1", Ridge{Lambda: 1}, 100}, {"ridge1", Ridge{Lambda: 1}, 200}, {"ridge1", Ridge{Lambda: 1}, 400},
		{"ridge", Ridge{}, 50}, {"ridge", Ridge{}, 200},
		{"elastic", ElasticNet{}, 50}, {"elastic", ElasticNet{}, 200},
		{"knn", Neighbors{Uniform: true}, 50}, {"knn", Neighbors{Uniform: true}, 100}, {"knn", Neighbors{Uniform: true}, 200}, {"knn", Neighbors{Uniform: true}, 400},
		{"knnw", Neighbors{}, 50}, {"knnw", Neighbors{}, 200},
	} {
		test := 300
		if c.n == 400 {
			test = 100
		}
		for _, seeds := range []int{5, 50} {
			t.Logf("%s %d %d %+.3v", c.name, c.n, seeds, meanQuality(t, f.Table, c.l, c.n, test, seeds))
		}
	}
}
