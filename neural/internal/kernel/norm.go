package kernel

import "math"

// momentRows is how many rows the mean and the variance are computed of at a time.
const momentRows = 256

// MeanVariance computes the mean and the variance, divided by rows, of each of n
// columns. Blocks of rows are joined as Chan, Golub and LeVeque (1983) do, so that a
// large mean does not spoil a small variance.
func MeanVariance(p *Pool, mean, variance, x []float32, rows, n int) {
	blocks := (rows + momentRows - 1) / momentRows
	parts := min(16, blocks, max(1, rows*n/chunk))
	if parts == 1 {
		room := wideBuffer(2 * n)
		defer dropWide(room)
		moments(*room, x, rows, n, 0, blocks)
		finish(mean, variance, *room, rows, n)
		return
	}
	room := wideBuffer(parts * 2 * n)
	defer dropWide(room)
	p.For(parts, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			moments((*room)[i*2*n:][:2*n], x, rows, n, i*blocks/parts, (i+1)*blocks/parts)
		}
	})
	to := (*room)[:2*n]
	count := min(rows, blocks/parts*momentRows)
	for i := 1; i < parts; i++ {
		from := i * blocks / parts * momentRows
		more := min(rows, (i+1)*blocks/parts*momentRows) - from
		for c := range n {
			joinMoments(&to[c], &to[n+c], (*room)[i*2*n+c], (*room)[i*2*n+n+c], from, more)
		}
		count += more
	}
	finish(mean, variance, to, rows, n)
}

// moments computes means and sums of squared deviations of blocks of rows.
func moments(to []float64, x []float32, rows, n, lo, hi int) {
	clear(to)
	room := buffer(3 * n)
	defer drop(room)
	acc, centre := (*room)[:2*n], (*room)[2*n:3*n]
	count := 0
	for b := lo; b < hi; b++ {
		from := b * momentRows
		k := min(momentRows, rows-from)
		if b == lo {
			clear(centre)
			columnSums(centre, x[from*n:], k, n)
			Mul.ApplyRight(centre, centre, 1/float32(k))
		} else {
			for c, m := range to[:n] {
				centre[c] = float32(m)
			}
		}
		clear(acc)
		columnMoments(acc, x[from*n:], centre, k, n)
		for c := range n {
			d := float64(acc[c]) / float64(k) // of the mean from the centre
			joinMoments(&to[c], &to[n+c], float64(centre[c])+d, float64(acc[n+c])-d*float64(acc[c]), count, k)
		}
		count += k
	}
}

// joinMoments joins the moments of more numbers to those of count.
func joinMoments(mean, squares *float64, m, s float64, count, more int) {
	d, all := m-*mean, float64(count+more)
	*mean += d * float64(more) / all
	*squares += s + d*d*float64(count)*float64(more)/all
}

func finish(mean, variance []float32, moments []float64, rows, n int) {
	for c := range n {
		mean[c] = float32(moments[c])
		variance[c] = float32(max(0, moments[n+c]) / float64(rows))
	}
}

// BatchNormForward computes (x − mean)/√(variance + epsilon)·gamma + beta for columns.
// Without gamma or beta, nil, they are 1 and 0. dst may be x.
func BatchNormForward(p *Pool, dst, x []float32, rows, n int, mean, variance, gamma, beta []float32, epsilon float32) {
	room := buffer(2 * n)
	defer drop(room)
	factor, summand := (*room)[:n], (*room)[n:]
	for c := range factor {
		f := 1 / math.Sqrt(float64(variance[c])+float64(epsilon))
		if gamma != nil {
			f *= float64(gamma[c])
		}
		factor[c], summand[c] = float32(f), 0
	}
	if beta != nil {
		copy(summand, beta[:n])
	}
	CentreScale(p, dst, x, mean, factor, summand, rows, n)
}

// CentreScale computes (x − centre)·factor + summand for columns. dst may be x.
func CentreScale(p *Pool, dst, x, centre, factor, summand []float32, rows, n int) {
	if p == nil || rows*n <= 2*chunk {
		centreScale(dst, x, centre, factor, summand, rows, n)
		return
	}
	p.For(rows, grain(n), func(lo, hi int) { centreScale(dst[lo*n:], x[lo*n:], centre, factor, summand, hi-lo, n) })
}

// BatchNormBackward computes the gradients by x, gamma and beta from that by the
// result, where mean and variance are those of x: exactly, through both. Any of dx,
// dgamma and dbeta may be nil, and gamma too.
func BatchNormBackward(p *Pool, dx, dgamma, dbeta, dy, x []float32, rows, n int, mean, variance, gamma []float32, epsilon float32) {
	wide := wideBuffer(2 * n)
	defer dropWide(wide)
	sums(p, *wide, rows, n, func(acc []float32, lo, hi int) {
		columnProducts(acc, dy[lo*n:], x[lo*n:], mean, hi-lo, n)
	})
	room := buffer(3 * n)
	defer drop(room)
	a, b, d := (*room)[:n], (*room)[n:2*n], (*room)[2*n:3*n]
	for c := range n {
		r := 1 / math.Sqrt(float64(variance[c])+float64(epsilon))
		beta, scaled := (*wide)[c], (*wide)[n+c]*r
		if dbeta != nil {
			dbeta[c] = float32(beta)
		}
		if dgamma != nil {
			dgamma[c] = float32(scaled)
		}
		f := r
		if gamma != nil {
			f *= float64(gamma[c])
		}
		a[c], b[c], d[c] = float32(f), float32(-f*r*scaled/float64(rows)), float32(-f*beta/float64(rows))
	}
	if dx == nil {
		return
	}
	p.For(rows, grain(n), func(lo, hi int) {
		normGradient(dx[lo*n:], dy[lo*n:], x[lo*n:], a, b, d, mean, hi-lo, n)
	})
}

// LayerNormForward normalises each of the rows, with gamma and beta for columns, and
// keeps each row's mean and 1/√(variance + epsilon), if mean and inverse are not nil.
func LayerNormForward(p *Pool, dst, mean, inverse, x []float32, rows, n int, gamma, beta []float32, epsilon float32) {
	if p == nil || rows*n <= 2*chunk {
		layerRows(dst, mean, inverse, x, n, gamma, beta, epsilon, 0, rows)
		return
	}
	p.For(rows, grain(n), func(lo, hi int) { layerRows(dst, mean, inverse, x, n, gamma, beta, epsilon, lo, hi) })
}

func layerRows(dst, mean, inverse, x []float32, n int, gamma, beta []float32, epsilon float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		row, to := x[i*n:][:n], dst[i*n:][:n]
		m := SumOf.row(row) / float32(n)
		v := squares(row, m) / float32(n)
		r := float32(1 / math.Sqrt(float64(v)+float64(epsilon)))
		normRow(to, row, gamma, beta, m, r)
		if mean != nil {
			mean[i] = m
		}
		if inverse != nil {
			inverse[i] = r
		}
	}
}

// LayerNormBackward computes the gradients by x, gamma and beta from that by the
// result and what LayerNormForward kept. Any of the gradients may be nil, and gamma.
func LayerNormBackward(p *Pool, dx, dgamma, dbeta, dy, x []float32, rows, n int, gamma, mean, inverse []float32) {
	if dgamma != nil || dbeta != nil {
		wide := wideBuffer(2 * n)
		sums(p, *wide, rows, n, func(acc []float32, lo, hi int) {
			columnSums(acc[:n], dy[lo*n:], hi-lo, n)
			for i := lo; i < hi; i++ {
				addDeviations(acc[n:], dy[i*n:], x[i*n:], mean[i], inverse[i])
			}
		})
		for c := range n {
			if dbeta != nil {
				dbeta[c] = float32((*wide)[c])
			}
			if dgamma != nil {
				dgamma[c] = float32((*wide)[n+c])
			}
		}
		dropWide(wide)
	}
	if dx == nil {
		return
	}
	p.For(rows, grain(n), func(lo, hi int) {
		room := buffer(n)
		defer drop(room)
		for i := lo; i < hi; i++ {
			layerGradient(dx[i*n:][:n], dy[i*n:][:n], x[i*n:][:n], gamma, *room, mean[i], inverse[i])
		}
	})
}

// layerGradient computes r·(g − mean(g) − z·mean(g·z)) for g = dy·gamma and z the
// normalised row.
func layerGradient(dx, dy, x, gamma, z []float32, m, r float32) {
	normRow(z, x, nil, nil, m, r)
	g := dy
	if gamma != nil {
		Mul.Apply(dx, dy, gamma)
		g = dx
	}
	n := float32(len(dx))
	a, b := SumOf.row(g)/n, dot(g, z)/n
	// r·g − r·a − (r·b)·z
	Mul.ApplyRight(z, z, -r*b)
	Sub.ApplyRight(z, z, r*a)
	if gamma == nil {
		copy(dx, dy)
	}
	Mul.ApplyRight(dx, dx, r)
	addTo(dx, z)
}

// SoftmaxForward makes each of the rows positive with sum 1. dst may be x.
func SoftmaxForward(p *Pool, dst, x []float32, rows, n int) {
	if p == nil || rows*n <= chunk {
		softmaxRows(dst, x, n, 0, rows)
		return
	}
	p.For(rows, grain(n), func(lo, hi int) { softmaxRows(dst, x, n, lo, hi) })
}

func softmaxRows(dst, x []float32, n, lo, hi int) {
	for i := lo; i < hi; i++ {
		to := dst[i*n:][:n]
		row := x[i*n:][:n]
		Mul.ApplyRight(to, to, 1/expShifted(to, row, largestOf(row)))
	}
}

// SoftmaxBackward computes the gradient by x from that by the result y. dx may be dy.
func SoftmaxBackward(p *Pool, dx, dy, y []float32, rows, n int) {
	p.For(rows, grain(n), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, to := y[i*n:][:n], dx[i*n:][:n]
			Sub.ApplyRight(to, dy[i*n:][:n], dot(dy[i*n:][:n], row))
			Mul.Apply(to, to, row)
		}
	})
}
