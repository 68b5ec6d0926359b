package vector

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// rank returns the order of the losses, equal ones as they came.
func rank(loss []float64, order []int32) []int32 {
	if len(loss) <= 48 {
		for i, f := range loss {
			order = append(order, int32(i))
			k := i
			for ; k > 0 && loss[order[k-1]] > f; k-- {
				order[k] = order[k-1]
			}
			order[k] = int32(i)
		}
		return order
	}
	for i := range loss {
		order = append(order, int32(i))
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(loss[a], loss[b]) })
	return order
}

// learn updates mean, paths, covariances and step size by the collected points
// in the given order.
func (c *CMA) learn(order []int32, s *strategy) {
	n := c.n
	c.generation++
	if n == 0 {
		return
	}
	// Steps from the mean, in units of the step size, in the order of rank.
	used := min(len(s.w), len(order))
	ys := slices.Grow(c.steps[:0], used*n)[:used*n]
	c.steps = ys
	inverse := 1 / c.sigma
	for r, i := range order[:used] {
		x, y := c.xs[int(i)*n:int(i+1)*n], ys[r*n:(r+1)*n]
		for k, m := range c.mean {
			y[k] = float64((x[k] - m) * inverse)
		}
		if c.late[i] {
			c.shorten(y)
		}
	}
	yw := c.shift
	clear(yw)
	for r := range min(s.mu, used) {
		axpy(s.w[r], ys[r*n:(r+1)*n], yw)
	}
	for i, y := range yw {
		c.mean[i] += float64(c.sigma * y)
	}

	// Step-size path, in the coordinates in which the distribution is round.
	z := c.whiten(yw)
	decay := 1 - s.cs
	length := 0.0
	for i := range z {
		c.ps[i] = float64(decay*c.ps[i]) + float64(s.rootS*z[i])
		length += float64(c.ps[i] * c.ps[i])
	}
	seen := 1 - detmath.Pow(decay, 2*float64(c.generation))
	heavy := 1.0
	if length/seen >= s.boundHS2 {
		heavy = 0
	}
	decay = 1 - s.cc
	for i := range yw {
		c.pc[i] = float64(decay*c.pc[i]) + float64(heavy*float64(s.rootC*yw[i]))
	}

	// Negative steps count by their direction only.
	weights := append(c.weights[:0], s.w[:used]...)
	c.weights = weights
	for r := s.mu; r < used; r++ {
		q := c.norm2(ys[r*n : (r+1)*n])
		weights[r] *= float64(n) / (q + 1e-300)
	}
	keep := 1 - s.c1 - float64(s.cmu*s.decay)
	if heavy == 0 {
		keep += float64(s.c1 * float64(s.cc*(2-s.cc)))
	}
	if c.o.Separable {
		for j := range c.c {
			sum := float64(keep*c.c[j]) + float64(s.c1*float64(c.pc[j]*c.pc[j]))
			for r, wr := range weights {
				y := ys[r*n+j]
				sum += float64(float64(s.cmu*wr) * float64(y*y))
			}
			c.c[j] = max(sum, 1e-30)
		}
	} else {
		for r := range weights {
			weights[r] *= s.cmu
		}
		c.blend(keep, s.c1, weights, ys)
	}

	root := math.Sqrt(length)
	c.sigma *= detmath.Exp(min(1, s.cs/s.ds*(root/chi(n)-1)))
	if c.sigma = min(max(c.sigma, 1e-150), 1e150); !finite(c.sigma) {
		c.sigma = c.sigma0
	}
	c.stale++
	if c.o.Separable {
		lo, hi := slices.Min(c.c), slices.Max(c.c)
		c.maxCond = hi / lo
		if c.rescale(hi); !finite(c.maxCond) {
			c.round()
		}
		for j, v := range c.c {
			c.d[j] = math.Sqrt(v)
		}
	} else if c.stale >= c.gap {
		c.decompose()
	}
	c.keepMargin()
}

// blend sets the lower triangle of C to keep·C + c1·pc·pcᵀ + Σ w·y·yᵀ.
func (c *CMA) blend(keep, c1 float64, weights, ys []float64) {
	n := c.n
	for i := range n {
		row := c.c[i*n : i*n+i+1]
		a := float64(c1 * c.pc[i])
		pc := c.pc[:len(row)]
		for j := range row {
			row[j] = float64(keep*row[j]) + float64(a*pc[j])
		}
		r := 0
		for ; r+2 <= len(weights); r += 2 {
			y, v := ys[r*n:r*n+i+1], ys[(r+1)*n:(r+1)*n+i+1]
			y, v = y[:len(row)], v[:len(row)]
			a, b := float64(weights[r]*y[i]), float64(weights[r+1]*v[i])
			for j := range row {
				row[j] += float64(a*y[j]) + float64(b*v[j])
			}
		}
		for ; r < len(weights); r++ {
			y := ys[r*n : r*n+i+1]
			axpy(float64(weights[r]*y[i]), y, row)
		}
	}
}

// whiten returns B·D⁻¹·Bᵀ·y in a buffer.
func (c *CMA) whiten(y []float64) []float64 {
	n := c.n
	out := c.y[:n]
	if c.o.Separable {
		for i, d := range c.d {
			out[i] = y[i] / d
		}
		return out
	}
	clear(out)
	for k := range n {
		v := c.eig.vectors[k*n : (k+1)*n]
		axpy(dot(v, y)/c.d[k], v, out)
	}
	return out
}

// norm2 returns the squared length of y where the distribution is round.
func (c *CMA) norm2(y []float64) float64 {
	sum := 0.0
	if c.o.Separable {
		for i, d := range c.d {
			t := y[i] / d
			sum += float64(t * t)
		}
		return sum
	}
	n := c.n
	for k := range n {
		t := dot(c.eig.vectors[k*n:(k+1)*n], y) / c.d[k]
		sum += float64(t * t)
	}
	return sum
}

// shorten scales a step that the distribution would hardly make.
func (c *CMA) shorten(y []float64) {
	n := float64(c.n)
	limit := math.Sqrt(n) + 2*n/(n+2)
	if q := c.norm2(y); q > float64(limit*limit) {
		f := limit / math.Sqrt(q)
		for i := range y {
			y[i] *= f
		}
	}
}

// decompose brings eigenvectors and the factor for sampling up to date.
func (c *CMA) decompose() {
	c.stale = 0
	n := c.n
	if !c.eig.factor(c.c) {
		c.maxCond = math.Inf(1)
		c.round()
		return
	}
	lo, hi := math.Inf(1), 0.0
	for _, v := range c.eig.d {
		lo, hi = min(lo, v), max(hi, v)
	}
	if !(lo > hi*1e-18) { // rounding, or a matrix that is not positive
		floor := hi * 1e-18
		for k, v := range c.eig.d {
			c.eig.d[k] = max(v, floor)
		}
		lo = floor
	}
	if c.maxCond = hi / lo; !(hi > 0) {
		c.round()
		return
	}
	if f := c.rescale(hi); f != 1 {
		for k := range c.eig.d {
			c.eig.d[k] *= f
		}
	}
	for k, v := range c.eig.d {
		c.d[k] = math.Sqrt(v)
	}
	for k := range n {
		v := c.eig.vectors[k*n : (k+1)*n]
		for i, x := range v {
			c.bd[i*n+k] = float64(x * c.d[k])
		}
	}
}

// rescale moves a common factor of the covariances into the step size when it
// has drifted far, as it does where the losses are equal, and returns what the
// covariances were multiplied by.
func (c *CMA) rescale(largest float64) float64 {
	if largest > 1e-8 && largest < 1e8 || !finite(1/largest) {
		return 1
	}
	f := 1 / largest
	for i := range c.c {
		c.c[i] *= f
	}
	root := math.Sqrt(largest)
	for i := range c.pc {
		c.pc[i] /= root
	}
	c.sigma = min(max(c.sigma*root, 1e-150), 1e150)
	return f
}
