package predict

import (
	"math"

	"github.com/daedalus-search/daedalus/predict/internal/vec"
)

// Dense linear algebra for Gaussian processes, with the same bits on every
// platform. Everything is made of scalar products of rows, eight at a time, so
// that a row that was read serves four others. Triangular matrices are packed by
// rows: row i begins at tri(i) and holds i+1 numbers, so that a row more is an
// append.

func tri(i int) int { return i * (i + 1) / 2 }

// long is the length from which on vector instructions pay.
const long = 24

func dot(a, b []float64) float64 {
	if len(a) >= long {
		return vec.Dot(a, b)
	}
	s := 0.0
	b = b[:len(a)]
	for i, x := range a {
		s += float64(x * b[i])
	}
	return s
}

// dots8 writes the products of two rows with four, row by row.
func dots8(s *[8]float64, a0, a1, b0, b1, b2, b3 []float64) {
	n := len(a0)
	a1, b0, b1, b2, b3 = a1[:n], b0[:n], b1[:n], b2[:n], b3[:n]
	if n >= long {
		s[0], s[4] = vec.Dot(a0, b0), vec.Dot(a1, b0)
		s[1], s[5] = vec.Dot(a0, b1), vec.Dot(a1, b1)
		s[2], s[6] = vec.Dot(a0, b2), vec.Dot(a1, b2)
		s[3], s[7] = vec.Dot(a0, b3), vec.Dot(a1, b3)
		return
	}
	var s00, s01, s02, s03, s10, s11, s12, s13 float64
	for k := range n {
		x, y := a0[k], a1[k]
		u := b0[k]
		s00 += float64(x * u)
		s10 += float64(y * u)
		u = b1[k]
		s01 += float64(x * u)
		s11 += float64(y * u)
		u = b2[k]
		s02 += float64(x * u)
		s12 += float64(y * u)
		u = b3[k]
		s03 += float64(x * u)
		s13 += float64(y * u)
	}
	*s = [8]float64{s00, s01, s02, s03, s10, s11, s12, s13}
}

// dots4 returns the products of a row with four.
func dots4(a, b0, b1, b2, b3 []float64) (s0, s1, s2, s3 float64) {
	n := len(a)
	b0, b1, b2, b3 = b0[:n], b1[:n], b2[:n], b3[:n]
	if n >= long {
		return vec.Dot(a, b0), vec.Dot(a, b1), vec.Dot(a, b2), vec.Dot(a, b3)
	}
	for k, x := range a {
		s0 += float64(x * b0[k])
		s1 += float64(x * b1[k])
		s2 += float64(x * b2[k])
		s3 += float64(x * b3[k])
	}
	return
}

// cholesky replaces the packed lower half of a symmetric matrix by its factor,
// from row "from" on: the rows before are a factor already. It reports whether
// the matrix is positive definite as far as rounding can tell.
func cholesky(l []float64, from, n int) bool {
	var s [8]float64
	i := from
	for ; i+1 < n; i += 2 {
		p, q := l[tri(i):tri(i)+i+1], l[tri(i+1):tri(i+1)+i+2]
		j := 0
		for ; j+4 <= i; j += 4 {
			r0, r1 := l[tri(j):tri(j)+j+1], l[tri(j+1):tri(j+1)+j+2]
			r2, r3 := l[tri(j+2):tri(j+2)+j+3], l[tri(j+3):tri(j+3)+j+4]
			dots8(&s, p[:j], q[:j], r0, r1, r2, r3)
			for e, row := range [2][]float64{p, q} {
				t := s[4*e : 4*e+4]
				x0 := (row[j] - t[0]) / r0[j]
				x1 := (row[j+1] - t[1] - float64(x0*r1[j])) / r1[j+1]
				x2 := (row[j+2] - t[2] - float64(x0*r2[j]) - float64(x1*r2[j+1])) / r2[j+2]
				x3 := (row[j+3] - t[3] - float64(x0*r3[j]) - float64(x1*r3[j+1]) - float64(x2*r3[j+2])) / r3[j+3]
				row[j], row[j+1], row[j+2], row[j+3] = x0, x1, x2, x3
			}
		}
		if !choleskyRow(l, p, j, i) || !choleskyRow(l, q, j, i+1) {
			return false
		}
	}
	return i >= n || choleskyRow(l, l[tri(i):tri(i)+i+1], 0, i)
}

// choleskyRow finishes row i from column j on.
func choleskyRow(l, row []float64, j, i int) bool {
	for ; j < i; j++ {
		r := l[tri(j) : tri(j)+j+1]
		row[j] = (row[j] - dot(row[:j], r[:j])) / r[j]
	}
	d := row[i] - dot(row[:i], row[:i])
	// Below this share of the diagonal the difference is made of rounding.
	if !(d > float64(row[i]*1e-14)) {
		return false
	}
	row[i] = math.Sqrt(d)
	return true
}

// forward solves L x = b in place.
func forward(l, b []float64) {
	n := len(b)
	i := 0
	for ; i+4 <= n; i += 4 {
		r0, r1 := l[tri(i):tri(i)+i+1], l[tri(i+1):tri(i+1)+i+2]
		r2, r3 := l[tri(i+2):tri(i+2)+i+3], l[tri(i+3):tri(i+3)+i+4]
		s0, s1, s2, s3 := dots4(b[:i], r0, r1, r2, r3)
		x0 := (b[i] - s0) / r0[i]
		x1 := (b[i+1] - s1 - float64(x0*r1[i])) / r1[i+1]
		x2 := (b[i+2] - s2 - float64(x0*r2[i]) - float64(x1*r2[i+1])) / r2[i+2]
		x3 := (b[i+3] - s3 - float64(x0*r3[i]) - float64(x1*r3[i+1]) - float64(x2*r3[i+2])) / r3[i+3]
		b[i], b[i+1], b[i+2], b[i+3] = x0, x1, x2, x3
	}
	for ; i < n; i++ {
		r := l[tri(i) : tri(i)+i+1]
		b[i] = (b[i] - dot(b[:i], r[:i])) / r[i]
	}
}

// backward solves Lᵀ x = b in place.
func backward(l, b []float64) {
	for i := len(b) - 1; i >= 0; i-- {
		r := l[tri(i) : tri(i)+i+1]
		x := b[i] / r[i]
		b[i] = x
		vec.Axpy(b[:i], -x, r[:i])
	}
}

// forwardMany solves L x = b in place for several b of n numbers each, which
// stand one after the other.
func forwardMany(l, b []float64, n int) {
	var s [8]float64
	for ; len(b) >= 4*n && n > 0; b = b[4*n:] {
		b0, b1, b2, b3 := b[:n], b[n:2*n], b[2*n:3*n], b[3*n:4*n]
		i := 0
		for ; i+1 < n; i += 2 {
			p, q := l[tri(i):tri(i)+i+1], l[tri(i+1):tri(i+1)+i+2]
			dots8(&s, p[:i], q[:i], b0, b1, b2, b3)
			u, v, w := p[i], q[i], q[i+1]
			for e, x := range [4][]float64{b0, b1, b2, b3} {
				first := (x[i] - s[e]) / u
				x[i] = first
				x[i+1] = (x[i+1] - s[4+e] - float64(first*v)) / w
			}
		}
		if i < n {
			p := l[tri(i) : tri(i)+i+1]
			s0, s1, s2, s3 := dots4(p[:i], b0, b1, b2, b3)
			b0[i], b1[i], b2[i], b3[i] = (b0[i]-s0)/p[i], (b1[i]-s1)/p[i], (b2[i]-s2)/p[i], (b3[i]-s3)/p[i]
		}
	}
	for ; len(b) >= n && n > 0; b = b[n:] {
		forward(l, b[:n])
	}
}

// inverse writes the packed lower half of (L Lᵀ)⁻¹ to dst. The scratch holds
// n*n numbers.
func inverse(dst, l, scratch []float64, n int) {
	var s [8]float64
	// Row j of u is column j of L⁻¹, which begins at place j.
	u := func(j int) []float64 { return scratch[j*n : j*n+n] }
	for j := 0; j < n; j += 4 {
		m := min(4, n-j)
		for c := range m {
			x := u(j + c)
			for k := range j + m {
				x[k] = 0
			}
			for i := j + c; i < j+m; i++ {
				r := l[tri(i) : tri(i)+i+1]
				b := 0.0
				if i == j+c {
					b = 1
				}
				x[i] = (b - dot(r[j:i], x[j:i])) / r[i]
			}
		}
		if m < 4 {
			break
		}
		b0, b1, b2, b3 := u(j), u(j+1), u(j+2), u(j+3)
		i := j + 4
		for ; i+1 < n; i += 2 {
			p, q := l[tri(i):tri(i)+i+1], l[tri(i+1):tri(i+1)+i+2]
			dots8(&s, p[j:i], q[j:i], b0[j:], b1[j:], b2[j:], b3[j:])
			a, b, c := p[i], q[i], q[i+1]
			for e, x := range [4][]float64{b0, b1, b2, b3} {
				first := -s[e] / a
				x[i] = first
				x[i+1] = -(s[4+e] + float64(first*b)) / c
			}
		}
		if i < n {
			p := l[tri(i) : tri(i)+i+1]
			s0, s1, s2, s3 := dots4(p[j:i], b0[j:], b1[j:], b2[j:], b3[j:])
			b0[i], b1[i], b2[i], b3[i] = -s0/p[i], -s1/p[i], -s2/p[i], -s3/p[i]
		}
	}
	// (i, j) is the product of columns i and j from place i on.
	i := 0
	for ; i+1 < n; i += 2 {
		p, q := u(i), u(i+1)
		pd, qd := dst[tri(i):tri(i)+i+1], dst[tri(i+1):tri(i+1)+i+2]
		j := 0
		for ; j+4 <= i+1; j += 4 {
			dots8(&s, p[i:], q[i:], u(j)[i:], u(j + 1)[i:], u(j + 2)[i:], u(j + 3)[i:])
			copy(pd[j:], s[:4])
			copy(qd[j:], s[4:])
		}
		for ; j <= i; j++ {
			pd[j] = dot(p[i:], u(j)[i:])
			qd[j] = dot(q[i:], u(j)[i:])
		}
		qd[i+1] = dot(q[i+1:], q[i+1:])
	}
	if i < n {
		p, pd := u(i), dst[tri(i):tri(i)+i+1]
		for j := range i + 1 {
			pd[j] = float64(p[i] * u(j)[i])
		}
	}
}
