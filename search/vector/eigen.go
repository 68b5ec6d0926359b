package vector

import "math"

// eigen finds the eigenvalues and eigenvectors of symmetric matrices of one
// size: Householder's reduction to tridiagonal form and the implicit QL method
// (Golub and Van Loan, Matrix Computations, 8.3). Eigenvectors are kept as rows,
// so that every loop runs along memory.
type eigen struct {
	n       int
	a       []float64 // work
	v, p    []float64
	beta    []float64
	d, e    []float64 // diagonal, which becomes the eigenvalues, and beside it
	vectors []float64 // n rows
}

func newEigen(n int) *eigen {
	return &eigen{
		n: n, a: make([]float64, n*n), v: make([]float64, n), p: make([]float64, n),
		beta: make([]float64, n), d: make([]float64, n), e: make([]float64, n), vectors: make([]float64, n*n),
	}
}

// factor decomposes the symmetric matrix c, of which it reads the lower
// triangle. It reports false if the iteration does not converge, as with numbers
// that are not finite.
func (g *eigen) factor(c []float64) bool {
	g.reduce(c)
	return g.iterate()
}

// reduce brings the matrix to tridiagonal form and sets vectors to the
// transposed product of the reflections.
func (g *eigen) reduce(c []float64) {
	n, a := g.n, g.a
	for i := range n {
		for j := range i + 1 {
			a[i*n+j] = c[i*n+j]
			a[j*n+i] = c[i*n+j]
		}
	}
	for k := range max(n-2, 0) {
		// The reflection I - beta·v·vᵀ clears row k beyond the second diagonal;
		// v is kept in that row.
		m := n - k - 1
		v := a[k*n+k+1 : k*n+n]
		rest := dot(v[1:], v[1:])
		if rest == 0 {
			g.beta[k], g.e[k] = 0, v[0]
			continue
		}
		norm := math.Sqrt(float64(v[0]*v[0]) + rest)
		if v[0] > 0 {
			norm = -norm
		}
		g.e[k] = norm
		v[0] -= norm
		beta := 2 / (float64(v[0]*v[0]) + rest)
		g.beta[k] = beta
		// A ← A - v·wᵀ - w·vᵀ with p = beta·A·v and w = p - beta/2·(pᵀv)·v.
		p := g.p[:m]
		sum := 0.0
		for i := range p {
			row := a[(k+1+i)*n+k+1 : (k+1+i)*n+n]
			p[i] = float64(beta * dot(row, v))
			sum += float64(p[i] * v[i])
		}
		half := 0.5 * float64(beta*sum)
		for i, x := range v {
			p[i] -= float64(half * x)
		}
		for i := range p {
			row := a[(k+1+i)*n+k+1 : (k+1+i)*n+n : (k+1+i)*n+n]
			vi, wi := v[i], p[i]
			w := p[:len(row)]
			u := v[:len(row)]
			for j := range row {
				row[j] -= float64(vi*w[j]) + float64(wi*u[j])
			}
		}
	}
	for i := range n {
		g.d[i] = a[i*n+i]
	}
	if n > 1 {
		g.e[n-2] = a[(n-2)*n+n-1]
	}
	g.e[n-1] = 0

	z := g.vectors
	clear(z)
	for i := range n {
		z[i*n+i] = 1
	}
	for k := n - 3; k >= 0; k-- {
		beta := g.beta[k]
		if beta == 0 {
			continue
		}
		v := a[k*n+k+1 : k*n+n]
		for i := k + 1; i < n; i++ {
			row := z[i*n+k+1 : i*n+n]
			axpy(-beta*dot(row, v), v, row)
		}
	}
}

// iterate diagonalises the tridiagonal form.
func (g *eigen) iterate() bool {
	n, d, e, z := g.n, g.d, g.e, g.vectors
	scale := 0.0
	for l := range n {
		scale = max(scale, math.Abs(d[l])+math.Abs(e[l]))
		for try := 0; ; try++ {
			m := l
			for m < n-1 && math.Abs(e[m]) > 0x1p-53*scale {
				m++
			}
			if m == l {
				break
			}
			if try == 50 {
				return false
			}
			shift := (d[l+1] - d[l]) / (2 * e[l])
			r := math.Sqrt(float64(shift*shift) + 1)
			if shift < 0 {
				r = -r
			}
			h := d[m] - d[l] + e[l]/(shift+r)
			s, c, p := 1.0, 1.0, 0.0
			i := m - 1
			for ; i >= l; i-- {
				f, b := float64(s*e[i]), float64(c*e[i])
				r = math.Sqrt(float64(f*f) + float64(h*h))
				e[i+1] = r
				if r == 0 { // it splits
					d[i+1] -= p
					e[m] = 0
					break
				}
				s, c = f/r, h/r
				h = d[i+1] - p
				r = float64((d[i]-h)*s) + 2*float64(c*b)
				p = float64(s * r)
				d[i+1] = h + p
				h = float64(c*r) - b
				rotate(z[(i+1)*n:(i+2)*n], z[i*n:(i+1)*n], c, s)
			}
			if r == 0 && i >= l {
				continue
			}
			d[l] -= p
			e[l] = h
			e[m] = 0
		}
	}
	return scale-scale == 0
}

// rotate turns two rows: x ← s·y + c·x, y ← c·y - s·x.
func rotate(x, y []float64, c, s float64) {
	y = y[:len(x)]
	for k, xk := range x {
		yk := y[k]
		x[k] = float64(s*yk) + float64(c*xk)
		y[k] = float64(c*yk) - float64(s*xk)
	}
}

// dot is the inner product, in four sums.
func dot(x, y []float64) float64 {
	y = y[:len(x)]
	var a, b, c, d float64
	for len(x) >= 4 && len(y) >= 4 {
		a += float64(x[0] * y[0])
		b += float64(x[1] * y[1])
		c += float64(x[2] * y[2])
		d += float64(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	for i := range x {
		a += float64(x[i] * y[i])
	}
	return (a + b) + (c + d)
}

// axpy adds a·x to y.
func axpy(a float64, x, y []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float64(a * v)
	}
}
