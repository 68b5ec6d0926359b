package evolve

import (
	"math"
)

// lattice returns the points of the unit simplex whose m coordinates are
// multiples of 1/steps, a row each (Das and Dennis 1998).
func lattice(m, steps int) []float64 {
	var out []float64
	row := make([]float64, m)
	var fill func(at, left int)
	fill = func(at, left int) {
		if at == m-1 {
			row[at] = float64(left) / float64(steps)
			out = append(out, row...)
			return
		}
		for k := 0; k <= left; k++ {
			row[at] = float64(k) / float64(steps)
			fill(at+1, left-k)
		}
	}
	fill(0, steps)
	return out
}

// latticeSize is the number of points of a lattice, or limit+1 if there are
// more than limit.
func latticeSize(m, steps, limit int) int {
	n := 1
	for k := 1; k < m; k++ {
		n = n * (steps + k) / k
		if n > limit {
			return limit + 1
		}
	}
	return n
}

// latticeSteps returns the most steps of a lattice of at most limit points,
// at least 1.
func latticeSteps(m, limit int) int {
	if m == 1 {
		return 1
	}
	steps := 1
	for latticeSize(m, steps+1, limit) <= limit {
		steps++
	}
	return steps
}

// twoLayers returns a lattice and within it, halfway to the centre, another of
// inner steps, 0 for none (Deb and Jain 2014).
func twoLayers(m, outer, inner int) []float64 {
	out := lattice(m, outer)
	if inner > 0 {
		for _, x := range lattice(m, inner) {
			out = append(out, float64(x/2)+1/float64(2*m))
		}
	}
	return out
}

// A plane normalises objectives by the best values seen and by the plane
// through the extreme points of the front (Deb and Jain 2014, section IV-C;
// Blank, Deb and Roy 2019).
type plane struct {
	m       int
	ideal   []float64
	worst   []float64
	extreme []float64 // a row for each objective; the solution that is best when all others hardly count
	nadir   []float64
	started bool
	matrix  []float64
}

// see takes in feasible losses.
func (p *plane) see(row []float64) {
	if p.ideal == nil {
		p.ideal = append(p.ideal, row...)
		p.worst = append(p.worst, row...)
	}
	for j, x := range row {
		p.ideal[j], p.worst[j] = min(p.ideal[j], x), max(p.worst[j], x)
	}
}

// fit computes the nadir. front are the rows of the non-dominated front, all
// those of the population; both have been seen.
func (p *plane) fit(front []float64, all []float64) {
	m := p.m
	// Extreme points: the least achievement of each axis, those found before
	// included.
	if !p.started {
		p.extreme = append(p.extreme[:0], make([]float64, m*m)...)
		p.nadir = make([]float64, m)
	}
	for axis := range m {
		best := math.Inf(1)
		var at []float64
		if p.started {
			at = p.extreme[axis*m : axis*m+m]
			best = p.achievement(at, axis)
		}
		for i := 0; i < len(front); i += m {
			if a := p.achievement(front[i:i+m], axis); a < best {
				best, at = a, front[i:i+m]
			}
		}
		copy(p.extreme[axis*m:axis*m+m], at)
	}
	p.started = true
	if !p.intercepts() {
		for j := range m {
			p.nadir[j] = math.Inf(-1)
			for i := 0; i < len(front); i += m {
				p.nadir[j] = max(p.nadir[j], front[i+j])
			}
		}
	}
	for j := range m {
		if span := p.nadir[j] - p.ideal[j]; !(span > 1e-6*(p.worst[j]-p.ideal[j])) {
			p.nadir[j] = p.ideal[j]
			for i := 0; i < len(all); i += m {
				p.nadir[j] = max(p.nadir[j], all[i+j])
			}
		}
	}
}

// achievement is the distance of a row from an axis, the largest of its
// translated losses with all but one weighted a millionfold. Losses are scaled
// by the range seen, so that it does not depend on their units.
func (p *plane) achievement(row []float64, axis int) float64 {
	most := 0.0
	for j, x := range row {
		span := p.worst[j] - p.ideal[j]
		if !(span > 0) {
			continue
		}
		v := x/span - p.ideal[j]/span
		if v < 1e-3 {
			v = 0
		}
		if j != axis {
			v *= 1e6
		}
		most = max(most, v)
	}
	return most
}

// intercepts solves for the plane through the extreme points and reports
// whether it meets every axis at a sensible place.
func (p *plane) intercepts() bool {
	m := p.m
	w := m + 1
	a := append(p.matrix[:0], make([]float64, m*w)...)
	p.matrix = a
	span := func(j int) float64 { return p.worst[j] - p.ideal[j] }
	for i := range m {
		for j := range m {
			if span(j) > 0 {
				a[i*w+j] = p.extreme[i*m+j]/span(j) - p.ideal[j]/span(j)
			}
		}
		a[i*w+m] = 1
	}
	for c := range m { // elimination with pivots
		pivot := c
		for i := c + 1; i < m; i++ {
			if math.Abs(a[i*w+c]) > math.Abs(a[pivot*w+c]) {
				pivot = i
			}
		}
		if math.Abs(a[pivot*w+c]) < 1e-10 {
			return false
		}
		for j := range w {
			a[c*w+j], a[pivot*w+j] = a[pivot*w+j], a[c*w+j]
		}
		for i := range m {
			if i == c {
				continue
			}
			f := a[i*w+c] / a[c*w+c]
			for j := c; j < w; j++ {
				a[i*w+j] -= float64(f * a[c*w+j])
			}
		}
	}
	for j := range m {
		x := a[j*w+m] / a[j*w+j] // one over the intercept
		if !(x > 0) || !(1/x > 1e-6) || math.IsInf(1/x, 1) {
			return false
		}
		p.nadir[j] = min(p.ideal[j]+float64(span(j)/x), p.worst[j])
	}
	return true
}

// normal writes normalised losses.
func (p *plane) normal(row, dst []float64) {
	for j, x := range row {
		span := p.nadir[j]/2 - p.ideal[j]/2 // halves cannot overflow
		if dst[j] = 0; span > 0 {
			dst[j] = (x/2 - p.ideal[j]/2) / span
		}
	}
}
