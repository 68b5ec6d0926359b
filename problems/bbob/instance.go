package bbob

import (
	"math"
	"slices"
)

// An instance is a function with its shift and rotations. Matrices are stored
// row by row.
type instance struct {
	which, n int
	fopt     float64
	xopt     []float64 // the optimum
	shift    []float64 // of the transformation; usually the optimum
	q, r     []float64 // rotations, with the scales between or beside them multiplied in
	scale    []float64 // of each coordinate
	peaks    []peak    // of 21 and 22
}

// A peak of Gallagher's functions.
type peak struct {
	height       float64
	bonus        float64   // by how much farther away it may be than a peak of height 1
	where, scale []float64 // where it is after the rotation; 1/width²
}

// uniform returns n numbers in (0, 1): the generator of Park and Miller (1988)
// with a shuffle of Bays and Durham, as the first version of BBOB used it.
func uniform(n int, seed int64) []float64 {
	next := func(s int64) int64 {
		if s = 16807*(s%127773) - 2836*(s/127773); s < 0 {
			s += 1<<31 - 1
		}
		return s
	}
	s := max(seed, -seed, 1)
	var deck [32]int64
	for i := 39; i >= 0; i-- {
		s = next(s)
		if i < len(deck) {
			deck[i] = s
		}
	}
	out, last := make([]float64, n), deck[0]
	for i := range out {
		s = next(s)
		card := last / 67108865
		last, deck[card] = deck[card], s
		if out[i] = float64(last) / 2.147483647e9; out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}

// normal returns n normal deviates.
func normal(n int, seed int64) []float64 {
	u := uniform(2*n, seed)
	out := make([]float64, n)
	for i := range out {
		if out[i] = math.Sqrt(-2*math.Log(u[i])) * math.Cos(2*math.Pi*u[n+i]); out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}

// rotation returns a random orthogonal matrix, whose columns are made
// orthonormal one after the other.
func rotation(n int, seed int64) []float64 {
	g := normal(n*n, seed)
	for i := range n {
		a := g[i*n : (i+1)*n] // column i
		for j := range i {
			b := g[j*n : (j+1)*n]
			dot := 0.0
			for k := range a {
				dot += float64(a[k] * b[k])
			}
			for k := range a {
				a[k] -= float64(dot * b[k])
			}
		}
		norm := 0.0
		for _, v := range a {
			norm += float64(v * v)
		}
		norm = math.Sqrt(norm)
		for k := range a {
			a[k] /= norm
		}
	}
	out := make([]float64, n*n)
	for i := range n {
		for j := range n {
			out[i*n+j] = g[j*n+i]
		}
	}
	return out
}

// product returns a · diag(s) · b.
func product(a, s, b []float64) []float64 {
	n := len(s)
	out := make([]float64, n*n)
	for i := range n {
		for k := range n {
			v := float64(a[i*n+k] * s[k])
			for j := range n {
				out[i*n+j] += float64(v * b[k*n+j])
			}
		}
	}
	return out
}

// scaled multiplies row i by s[i].
func scaled(s, a []float64) []float64 {
	n := len(s)
	out := slices.Clone(a)
	for i := range out {
		out[i] *= s[i/n]
	}
	return out
}

// powers returns base^(i/(n-1)) for i = 0 … n-1.
func powers(base float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Pow(base, float64(i)/float64(n-1))
	}
	return out
}

// round rounds halves up.
func round(x float64) float64 { return math.Floor(x + 0.5) }

func newInstance(which, n, number int) *instance {
	in := &instance{which: which, n: n}
	base := which
	switch which { // these share the random numbers of their simpler relatives
	case 4:
		base = 3
	case 18:
		base = 17
	}
	seed := int64(base) + 10000*int64(number)
	a, b := normal(1, seed)[0], normal(1, seed+1)[0]
	in.fopt = min(1000, max(-1000, round(100*100*a/b)/100))

	in.xopt = uniform(n, seed)
	for i, u := range in.xopt {
		if in.xopt[i] = 8*math.Floor(1e4*u)/1e4 - 4; in.xopt[i] == 0 {
			in.xopt[i] = -1e-5
		}
	}
	in.shift = in.xopt
	q := func() []float64 { return rotation(n, seed) }
	r := func() []float64 { return rotation(n, seed+1_000_000) }
	switch which {
	case 2:
		in.scale = powers(1e6, n)
	case 3:
		in.scale = powers(math.Sqrt(10), n)
	case 4:
		in.scale = powers(math.Sqrt(10), n)
		for i := 0; i < n; i += 2 {
			in.xopt[i] = math.Abs(in.xopt[i])
		}
	case 5:
		in.scale = powers(10, n)
		for i, v := range in.xopt {
			in.xopt[i] = math.Copysign(5, v)
		}
	case 6, 13:
		in.q = product(r(), powers(math.Sqrt(10), n), q())
	case 7:
		in.r, in.q = scaled(powers(math.Sqrt(10), n), q()), r()
		in.scale = powers(100, n)
	case 8:
		for i := range in.xopt {
			in.xopt[i] *= 0.75
		}
	case 9, 19:
		in.q = q()
		f := max(1, math.Sqrt(float64(n))/8)
		in.xopt = make([]float64, n)
		for i := range in.q {
			in.xopt[i%n] += float64(0.5 / f * in.q[i])
			in.q[i] *= f
		}
	case 10:
		in.r, in.scale = r(), powers(1e6, n)
	case 11, 14:
		in.r = r()
	case 12:
		in.r = r()
		in.xopt = uniform(n, seed+1_000_000)
		for i, u := range in.xopt {
			if in.xopt[i] = 8*math.Floor(1e4*u)/1e4 - 4; in.xopt[i] == 0 {
				in.xopt[i] = -1e-5
			}
		}
		in.shift = in.xopt
	case 15:
		in.r = r()
		in.q = product(in.r, powers(math.Sqrt(10), n), q())
	case 16:
		in.r = r()
		in.q = product(in.r, powers(0.1, n), q())
	case 17, 18:
		condition := map[int]float64{17: 10, 18: 1000}[which]
		in.r = r()
		in.q = scaled(powers(math.Sqrt(condition), n), q())
	case 20:
		in.scale = powers(math.Sqrt(10), n)
		for i, u := range uniform(n, seed) {
			in.xopt[i] = math.Copysign(4.2096874637/2, u-0.5)
		}
	case 21:
		in.gallagher(101, seed)
	case 22:
		in.gallagher(21, seed)
	case 23:
		in.q = product(r(), powers(10, n), q())
	case 24:
		in.q = product(r(), powers(10, n), q())
		for i, g := range normal(n, seed) {
			in.xopt[i] = math.Copysign(1.25, g)
		}
	}
	return in
}

// gallagher makes the peaks, the highest first.
func (in *instance) gallagher(count int, seed int64) {
	n := in.n
	width, first := 10.0, math.Sqrt(1000)
	if count == 21 {
		width, first = 9.8, 1000
	}
	in.r = rotation(n, seed)
	order := ranking(uniform(count-1, seed))
	where := uniform(n*count, seed)
	in.peaks = make([]peak, count)
	for i := range in.peaks {
		p := &in.peaks[i]
		condition := first
		p.height = 10
		if i > 0 {
			condition = math.Pow(1000, float64(order[i-1])/float64(count-2))
			p.height = float64(i-1)/float64(count-2)*8 + 1.1
		}
		p.bonus = 2 * float64(n) * math.Log(p.height)
		p.scale = make([]float64, n)
		for j, k := range ranking(uniform(n, seed+1000*int64(i))) {
			p.scale[j] = math.Pow(condition, float64(k)/float64(n-1)-0.5)
		}
		x := make([]float64, n)
		for j := range x {
			x[j] = float64(width*where[i*n+j]) - width/2
			if i == 0 {
				x[j] *= 0.8
			}
		}
		if i == 0 {
			in.xopt = x
		}
		p.where = make([]float64, n)
		turn(in.r, x, p.where)
	}
}

// ranking returns the places of the numbers in rising order.
func ranking(u []float64) []int {
	order := make([]int, len(u))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case u[a] < u[b]:
			return -1
		case u[a] > u[b]:
			return 1
		}
		return 0
	})
	return order
}

// turn writes m · x to z.
func turn(m, x, z []float64) {
	n := len(x)
	for i := range z {
		row := m[i*n : (i+1)*n]
		sum := 0.0
		for j, v := range x {
			sum += float64(row[j] * v)
		}
		z[i] = sum
	}
}
