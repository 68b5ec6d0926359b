package predict

import (
	"math"

	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// linEigen returns the eigenvalues of the symmetric n×n matrix a and, row by
// row, its eigenvectors, in no particular order. It overwrites a. The matrix is
// made tridiagonal by Householder reflections, then diagonal by QL steps with
// implicit shifts (Golub and Van Loan, Matrix Computations, §8.3), with the
// same bits on every platform.
func linEigen(a []float64, n int) (values, vectors []float64) {
	d, e := make([]float64, n), make([]float64, n)
	q := make([]float64, n*n) // transposed: a row is a vector
	for i := range n {
		q[i*n+i] = 1
	}
	v, p := make([]float64, n), make([]float64, n)
	reflectors := make([][]float64, 0, n)
	for k := 0; k < n-2; k++ {
		// The reflection H = 1 − v vᵀ that clears column k below k+1.
		x := v[k+1 : n]
		norm := 0.0
		for i := range x {
			x[i] = a[(k+1+i)*n+k]
			norm += float64(x[i] * x[i])
		}
		norm = math.Sqrt(norm)
		if norm == 0 {
			reflectors = append(reflectors, nil)
			e[k] = 0
			continue
		}
		if x[0] < 0 {
			norm = -norm
		}
		e[k] = -norm
		x[0] += norm
		scale := 1 / math.Sqrt(float64(norm*x[0]))
		for i := range x {
			x[i] *= scale // now vᵀv = 2
		}
		// A − v wᵀ − w vᵀ with p = Av and w = p − v(vᵀp)/2.
		m := len(x)
		u := p[:m]
		for i := range m {
			u[i] = vec.Dot(a[(k+1+i)*n+k+1:(k+2+i)*n], x)
		}
		half := float64(vec.Dot(u, x) / 2)
		vec.Axpy(u, -half, x)
		for i := range m {
			row := a[(k+1+i)*n+k+1 : (k+2+i)*n]
			vec.Axpy(row, -x[i], u)
			vec.Axpy(row, -u[i], x)
		}
		reflectors = append(reflectors, append([]float64(nil), x...))
	}
	for i := range n {
		d[i] = a[i*n+i]
	}
	if n > 1 {
		e[n-2] = a[(n-1)*n+n-2]
	}
	// Row i of q is eᵢᵀ H₀H₁…, so the transposed product is built from the left:
	// vectors = Zᵀ Qᵀ, where QL rotations act on rows.
	for k := len(reflectors) - 1; k >= 0; k-- {
		x := reflectors[k]
		if x == nil {
			continue
		}
		for i := k + 1; i < n; i++ {
			row := q[i*n+k+1 : (i+1)*n]
			vec.Axpy(row, -vec.Dot(row, x), x)
		}
	}
	for l := range n {
		for iter := 0; ; iter++ {
			m := l
			for ; m < n-1; m++ {
				s := math.Abs(d[m]) + math.Abs(d[m+1])
				if math.Abs(e[m]) <= float64(0x1p-52*s) {
					break
				}
			}
			if m == l || iter == 100 {
				break
			}
			g := (d[l+1] - d[l]) / float64(2*e[l])
			r := linHypot(g, 1)
			if g < 0 {
				r = -r
			}
			g = d[m] - d[l] + e[l]/(g+r)
			s, c, shift := 1.0, 1.0, 0.0
			i := m - 1
			for ; i >= l; i-- {
				f, b := float64(s*e[i]), float64(c*e[i])
				r = linHypot(f, g)
				e[i+1] = r
				if r == 0 {
					d[i+1] -= shift
					e[m] = 0
					break
				}
				s, c = f/r, g/r
				g = d[i+1] - shift
				r = float64((d[i]-g)*s) + float64(2*float64(c*b))
				shift = float64(s * r)
				d[i+1] = g + shift
				g = float64(c*r) - b
				x, y := q[i*n:(i+1)*n], q[(i+1)*n:(i+2)*n]
				for k, xk := range x {
					yk := y[k]
					y[k] = float64(s*xk) + float64(c*yk)
					x[k] = float64(c*xk) - float64(s*yk)
				}
			}
			if i >= l {
				continue
			}
			d[l] -= shift
			e[l] = g
			e[m] = 0
		}
	}
	return d, q
}

func linHypot(a, b float64) float64 {
	a, b = math.Abs(a), math.Abs(b)
	if a < b {
		a, b = b, a
	}
	if a == 0 {
		return 0
	}
	return float64(a * math.Sqrt(1+float64((b/a)*(b/a))))
}
