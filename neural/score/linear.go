package score

import (
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// cholesky replaces the lower half of a symmetric matrix of n rows by L with A = L·Lᵀ, and
// reports whether A is positive definite: whether every pivot is more than what rounding
// makes of zero.
func cholesky(a []float64, n int) bool {
	most := 0.0
	for i := range n {
		most = max(most, a[i*n+i])
	}
	least := most * float64(n) * 0x1p-50
	for j := range n {
		row := a[j*n:][:n]
		d := row[j]
		for _, x := range row[:j] {
			d -= float64(x * x)
		}
		if !(d > least) {
			return false
		}
		row[j] = math.Sqrt(d)
		for i := j + 1; i < n; i++ {
			other := a[i*n:][:n]
			s := other[j]
			for k, x := range row[:j] {
				s -= float64(x * other[k])
			}
			other[j] = s / row[j]
		}
	}
	return true
}

// logDet is the logarithm of the determinant of L·Lᵀ.
func logDet(l []float64, n int) (sum float64) {
	for i := range n {
		sum += 2 * detmath.Log(l[i*n+i])
	}
	return sum
}

// traceInverse is the trace of the inverse of L·Lᵀ: the sum of the squares of L⁻¹.
func traceInverse(l []float64, n int) (sum float64) {
	x := make([]float64, n) // a column of L⁻¹
	for j := range n {
		for i := j; i < n; i++ {
			v := 0.0
			if i == j {
				v = 1
			}
			for k := j; k < i; k++ {
				v -= float64(l[i*n+k] * x[k])
			}
			x[i] = v / l[i*n+i]
			sum += float64(x[i] * x[i])
		}
	}
	return sum
}

// eigenvalues returns the eigenvalues of a symmetric matrix of n rows, which it
// overwrites, by Jacobi's rotations (Golub and Van Loan, section 8.5).
func eigenvalues(a []float64, n int) []float64 {
	for range 60 {
		off, all := 0.0, 0.0
		for i := range n {
			for j := range n {
				if all += float64(a[i*n+j] * a[i*n+j]); i != j {
					off += float64(a[i*n+j] * a[i*n+j])
				}
			}
		}
		if off <= all*0x1p-104 {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				if a[p*n+q] == 0 {
					continue
				}
				tau := (a[q*n+q] - a[p*n+p]) / (2 * a[p*n+q])
				t := 1 / (math.Abs(tau) + math.Sqrt(1+float64(tau*tau)))
				if tau < 0 {
					t = -t
				}
				c := 1 / math.Sqrt(1+float64(t*t))
				s := t * c
				for k := range n {
					x, y := a[k*n+p], a[k*n+q]
					a[k*n+p], a[k*n+q] = float64(c*x)-float64(s*y), float64(s*x)+float64(c*y)
				}
				for k := range n {
					x, y := a[p*n+k], a[q*n+k]
					a[p*n+k], a[q*n+k] = float64(c*x)-float64(s*y), float64(s*x)+float64(c*y)
				}
			}
		}
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = a[i*n+i]
	}
	return v
}
