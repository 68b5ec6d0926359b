package kernel

// genericDot and its kin are what vectors do where there are none.

func genericDot(a, b []float32) float32 {
	var s, t, u, v float32
	for len(a) >= 4 && len(b) >= 4 {
		s += a[0] * b[0]
		t += a[1] * b[1]
		u += a[2] * b[2]
		v += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s += x * b[i]
	}
	return s + t + (u + v)
}

func genericAddTo(to, x []float32) {
	x = x[:len(to)]
	for i := range to {
		to[i] += x[i]
	}
}

// genericAddScaled adds f·x.
func genericAddScaled(to, x []float32, f float32) {
	x = x[:len(to)]
	for i := range to {
		to[i] += f * x[i]
	}
}

// genericAddProduct adds x·y, number by number.
func genericAddProduct(to, x, y []float32) {
	x, y = x[:len(to)], y[:len(to)]
	for i := range to {
		to[i] += x[i] * y[i]
	}
}

func genericSum(x []float32) float32 {
	var s, t, u, v float32
	for len(x) >= 4 {
		s += x[0]
		t += x[1]
		u += x[2]
		v += x[3]
		x = x[4:]
	}
	for _, y := range x {
		s += y
	}
	return s + t + (u + v)
}

// genericSquares adds (x − m)².
func genericSquares(x []float32, m float32) float32 {
	var s, t float32
	for len(x) >= 2 {
		d, e := x[0]-m, x[1]-m
		s += d * d
		t += e * e
		x = x[2:]
	}
	for _, y := range x {
		s += (y - m) * (y - m)
	}
	return s + t
}

func genericLargest(x []float32) float32 {
	m := negInf
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// genericNormRow computes (x − m)·r·gamma + beta.
func genericNormRow(to, x, gamma, beta []float32, m, r float32) {
	x = x[:len(to)]
	if gamma == nil {
		for i, v := range x {
			to[i] = (v - m) * r
		}
		return
	}
	gamma, beta = gamma[:len(to)], beta[:len(to)]
	for i, v := range x {
		to[i] = (v-m)*r*gamma[i] + beta[i]
	}
}

// genericAddDeviations adds dy·(x − m)·r.
func genericAddDeviations(acc, dy, x []float32, m, r float32) {
	dy, x = dy[:len(acc)], x[:len(acc)]
	for i := range acc {
		acc[i] += dy[i] * ((x[i] - m) * r)
	}
}

// The following go through rows of n numbers.

// genericColumnSums adds the rows.
func genericColumnSums(acc, x []float32, rows, n int) {
	for r := range rows {
		for k, v := range x[r*n : r*n+n] {
			acc[k] += v
		}
	}
}

// genericColumnMoments adds x − m, and its squares.
func genericColumnMoments(acc, x, m []float32, rows, n int) {
	to, squares := acc[:n], acc[n:2*n]
	for r := range rows {
		for k, v := range x[r*n : r*n+n] {
			d := v - m[k]
			to[k] += d
			squares[k] += d * d
		}
	}
}

// genericColumnProducts adds dy, and dy·(x − m).
func genericColumnProducts(acc, dy, x, m []float32, rows, n int) {
	to, products := acc[:n], acc[n:2*n]
	for r := range rows {
		for k, v := range x[r*n : r*n+n] {
			d := dy[r*n+k]
			to[k] += d
			products[k] += d * (v - m[k])
		}
	}
}

// genericCentreScale computes (x − m)·f + s.
func genericCentreScale(to, x, m, f, s []float32, rows, n int) {
	for r := range rows {
		for k, v := range x[r*n : r*n+n] {
			to[r*n+k] = (v-m[k])*f[k] + s[k]
		}
	}
}

// genericNormGradient computes a·dy + b·(x − m) + d.
func genericNormGradient(dx, dy, x, a, b, d, m []float32, rows, n int) {
	for r := range rows {
		for k, v := range x[r*n : r*n+n] {
			dx[r*n+k] = a[k]*dy[r*n+k] + b[k]*(v-m[k]) + d[k]
		}
	}
}

// genericExpShifted computes exp(x − shift), and returns the sum.
func genericExpShifted(dst, x []float32, shift float32) float32 {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = exp32(v - shift)
	}
	return genericSum(dst)
}
