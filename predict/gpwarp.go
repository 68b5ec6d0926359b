package predict

import (
	"cmp"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// A Warp is a rising transformation of targets that makes them easier to model,
// and ends with mean 0 and variance 1 where they vary at all.
type Warp struct {
	kind   warpKind
	lambda float64
	unit   float64 // what targets are divided by first
	centre float64 // mean after the transformation
	scale  float64 // standard deviation after it
	bent   bool    // not a line
	knots  []float64
	values []float64
}

type warpKind uint8

const (
	warpLine warpKind = iota
	warpBoxCox
	warpYeoJohnson
	warpRank
)

// moments returns mean and standard deviation, the latter 1 if there is none.
func moments(y []float64) (mean, sd float64) {
	n := float64(len(y))
	for _, v := range y {
		mean += v / n
	}
	for _, v := range y {
		sd += float64((v-mean)*(v-mean)) / n
	}
	sd = math.Sqrt(sd)
	if !(sd > float64(1e-12*math.Abs(mean)) && sd > 1e-300) || math.IsInf(sd, 0) {
		sd = 1
	}
	if math.IsInf(mean, 0) || math.IsNaN(mean) {
		mean = y[0]
	}
	return mean, sd
}

// Standardize returns the line that gives targets mean 0 and variance 1.
func Standardize(y []float64) Warp {
	if m := largest(y); m > 1e100 { // squares would overflow
		w := Warp{unit: m, scale: 1}
		x := make([]float64, len(y))
		for i, v := range y {
			x[i] = v / m
		}
		mean, sd := moments(x)
		w.unit, w.centre, w.scale = 1, mean*m, sd*m
		return w
	}
	mean, sd := moments(y)
	return Warp{unit: 1, centre: mean, scale: sd}
}

func largest(y []float64) float64 {
	m := 0.0
	for _, v := range y {
		m = max(m, math.Abs(v))
	}
	return m
}

// PowerWarp returns the power transformation under which targets look most
// normal by likelihood, as HEBO has it (Cowen-Rivers et al. 2022): that of Box
// and Cox if all targets are positive, else that of Yeo and Johnson. With fewer
// than three different targets, or where the transformation would leave them
// nearly constant, it is [Standardize].
func PowerWarp(y []float64) Warp {
	distinct := slices.Clone(y)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	_, sd := moments(y)
	if len(distinct) < 3 || largest(y) > 1e100 || sd < 1e-100 {
		return Standardize(y)
	}
	w := Warp{kind: warpBoxCox, unit: sd, scale: 1, bent: true}
	if distinct[0] <= 0 {
		w.kind = warpYeoJohnson
	}
	// The likelihood has one maximum; golden section on [-3, 5].
	x := make([]float64, len(y))
	score := func(lambda float64) float64 {
		w.lambda = lambda
		jacobian := 0.0
		for i, v := range y {
			x[i] = w.power(v / w.unit)
			jacobian += w.slope(v / w.unit)
		}
		n := float64(len(y))
		mean, v := 0.0, 0.0
		for _, u := range x {
			mean += u / n
		}
		for _, u := range x {
			v += float64((u-mean)*(u-mean)) / n
		}
		s := -float64(0.5*n*detmath.Log(v)) + jacobian
		if math.IsNaN(s) || math.IsInf(s, 1) {
			return math.Inf(-1)
		}
		return s
	}
	const golden = 0.6180339887498949
	a, b := -3.0, 5.0
	c, d := b-golden*(b-a), a+golden*(b-a)
	fc, fd := score(c), score(d)
	for range 40 {
		if fc > fd {
			b, d, fd = d, c, fc
			c = b - float64(golden*(b-a))
			fc = score(c)
		} else {
			a, c, fc = c, d, fd
			d = a + float64(golden*(b-a))
			fd = score(d)
		}
	}
	w.lambda = float64(0.5 * (a + b))
	for i, v := range y {
		x[i] = w.power(v / w.unit)
	}
	mean, s := moments(x)
	lo, hi := slices.Min(x), slices.Max(x)
	if math.IsNaN(mean) || math.IsInf(mean, 0) || math.IsInf(s, 0) || !(hi-lo > 1e-6) {
		return Standardize(y)
	}
	w.centre, w.scale = mean, s
	return w
}

// power is the transformation of one number.
func (w *Warp) power(x float64) float64 {
	l := w.lambda
	switch {
	case w.kind == warpBoxCox:
		return boxCox(x, l)
	case x >= 0:
		return boxCox(x+1, l)
	}
	return -boxCox(1-x, 2-l)
}

func boxCox(x, l float64) float64 {
	if math.Abs(l) < 1e-9 {
		return detmath.Log(x)
	}
	return detmath.Expm1(float64(l*detmath.Log(x))) / l
}

// slope is the logarithm of the derivative.
func (w *Warp) slope(x float64) float64 {
	l := w.lambda
	switch {
	case w.kind == warpBoxCox:
		return float64((l - 1) * detmath.Log(x))
	case x >= 0:
		return float64((l - 1) * detmath.Log1p(x))
	}
	return float64((1 - l) * detmath.Log1p(-x))
}

// HalfRankWarp keeps the better half of targets to be minimised, and gives those
// beyond the median what their ranks would be worth in a normal distribution
// with the spread of the better half (Song et al. 2024, Vizier). So a few awful
// results do not set the scale, and how awful they are is forgotten.
func HalfRankWarp(y []float64) Warp {
	x := slices.Clone(y)
	slices.Sort(x)
	n := len(x)
	if n < 3 || x[0] == x[n-1] || largest(x[:(n+1)/2]) > 1e100 {
		return Standardize(y)
	}
	median := x[(n-1)/2]
	sum, count := 0.0, 0
	for _, v := range x {
		if v <= median {
			sum += float64((v - median) * (v - median))
			count++
		}
	}
	sd := math.Sqrt(sum / float64(count))
	if !(sd > float64(1e-12*math.Abs(median)) && sd > 1e-300) {
		// The better half is all the same: any spread will do.
		sd = min(x[n-1]-median, 1e100)
	}
	w := Warp{kind: warpRank, unit: 1, scale: 1, bent: true}
	for i := 0; i < n; {
		j := i
		for j < n && x[j] == x[i] {
			j++
		}
		v := x[i]
		if v > median {
			share := (float64(i+j) * 0.5) / float64(n) // middle of the ranks of equals
			v = median + float64(sd*detmath.PhiInv(share))
		}
		if k := len(w.values); k == 0 || v > w.values[k-1] {
			w.knots, w.values = append(w.knots, x[i]), append(w.values, v)
		}
		i = j
	}
	all := make([]float64, 0, n)
	for _, v := range y {
		all = append(all, w.rank(v))
	}
	w.centre, w.scale = moments(all)
	return w
}

// rank interpolates between the knots; beyond them it goes on with slope one
// below and stops above.
func (w *Warp) rank(x float64) float64 {
	i, found := slices.BinarySearch(w.knots, x)
	switch {
	case found:
		return w.values[i]
	case i == 0:
		return w.values[0] + (x - w.knots[0])
	case i == len(w.knots):
		return w.values[i-1]
	}
	t := (x - w.knots[i-1]) / (w.knots[i] - w.knots[i-1])
	return w.values[i-1] + float64(t*(w.values[i]-w.values[i-1]))
}

// Apply transforms a target.
func (w *Warp) Apply(y float64) float64 {
	x := y
	switch w.kind {
	case warpBoxCox, warpYeoJohnson:
		x = w.power(y / w.unit)
	case warpRank:
		x = w.rank(y)
	}
	return (x - w.centre) / w.scale
}

// Invert returns the target that is transformed into x, or the nearest there
// is.
func (w *Warp) Invert(x float64) float64 {
	x = w.centre + float64(x*w.scale)
	switch w.kind {
	case warpBoxCox:
		return w.unit * boxCoxInverse(x, w.lambda)
	case warpYeoJohnson:
		if x >= 0 {
			return w.unit * (boxCoxInverse(x, w.lambda) - 1)
		}
		return w.unit * (1 - boxCoxInverse(-x, 2-w.lambda))
	case warpRank:
		i, found := slices.BinarySearch(w.values, x)
		switch {
		case found:
			return w.knots[i]
		case i == 0:
			return w.knots[0] + (x - w.values[0])
		case i == len(w.values):
			return w.knots[i-1]
		}
		t := (x - w.values[i-1]) / (w.values[i] - w.values[i-1])
		return w.knots[i-1] + float64(t*(w.knots[i]-w.knots[i-1]))
	}
	return x
}

// boxCoxInverse is finite: where the transformation has a bound, numbers beyond
// are taken for one just within.
func boxCoxInverse(x, l float64) float64 {
	if math.Abs(l) < 1e-9 {
		return detmath.Exp(min(x, 300))
	}
	base := cmp.Or(float64(l*x), 0) + 1
	return detmath.Exp(min(detmath.Log(max(base, 1e-6))/l, 300))
}
