package vector

import (
	"errors"
	"fmt"
	"math"
)

// DEOptions configures a [DE]. Coordinates are needed and must be bounded
// numbers.
type DEOptions struct {
	Coordinates []Coordinate
	// Population is how many points live; 0 means five a coordinate, at least 20
	// and at most 200.
	Population int
	// F weights the difference of two points and CR is the share of coordinates
	// taken from the mutant; where one is 0 it adapts (jDE).
	F, CR float64
	Seed  uint64
}

// DE is differential evolution, DE/rand/1/bin (Storn and Price 1997): a trial is
// point a plus F times the difference of points b and c, crossed with the target
// it may replace. Unless F and CR are given, every point has its own, drawn anew
// with probability 0.1 and kept by success (jDE; Brest, Greiner, Bošković,
// Mernik and Žumer 2006).
//
// A better trial replaces its target at once rather than at the end of a
// generation, which needs no synchronisation and is a little greedier than the
// original. A coordinate beyond a bound is drawn between the bound and a's. Trials
// whose result never comes leave their target as it is. When all points have
// come together, within 1e-12 of the ranges, all but the best are drawn anew.
type DE struct {
	o    DEOptions
	num  []numeric
	rand source
	n    int
	size int

	asked  int64
	x      []float64 // scaled, by slot
	loss   []float64
	filled []bool
	full   int
	f, cr  []float64 // of the living
	tf, tc []float64 // of each slot's latest trial
	trial  []int64   // its number
	told   int
}

// NewDE makes a search.
func NewDE(o DEOptions) (*DE, error) {
	num, err := numbers("de", o.Coordinates)
	if err != nil {
		return nil, err
	}
	var errs []error
	fail := func(field string, found any, want string) {
		errs = append(errs, fmt.Errorf("vector: de: %s: found %v, want %s", field, found, want))
	}
	if o.Population != 0 && (o.Population < 4 || o.Population > 1<<20) {
		fail("population", o.Population, "4 to 1048576, or 0 for the default")
	}
	if !(o.F >= 0 && o.F <= 2) {
		fail("f", o.F, "a number above 0 and at most 2, or 0 to adapt")
	}
	if !(o.CR >= 0 && o.CR <= 1) {
		fail("cr", o.CR, "a share above 0, or 0 to adapt")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n := len(num)
	d := &DE{o: o, num: num, n: n, rand: newSource(o.Seed, "vector/de"), size: o.Population}
	if d.size == 0 {
		d.size = min(max(20, 5*n), 200)
	}
	d.x, d.loss, d.filled = make([]float64, d.size*n), make([]float64, d.size), make([]bool, d.size)
	d.f, d.cr = make([]float64, d.size), make([]float64, d.size)
	d.tf, d.tc, d.trial = make([]float64, d.size), make([]float64, d.size), make([]int64, d.size)
	for i := range d.f {
		d.f[i], d.cr[i] = o.F, o.CR
		if o.F == 0 {
			d.f[i] = 0.5
		}
		if o.CR == 0 {
			d.cr[i] = 0.9
		}
	}
	return d, nil
}

// numbers compiles coordinates that must be bounded numbers.
func numbers(method string, cs []Coordinate) ([]numeric, error) {
	num, cats, err := compile(cs)
	if err != nil {
		return nil, err
	}
	if len(cats) > 0 {
		return nil, fmt.Errorf("vector: %s: found a category at coordinate %d, want numbers: give each option a number and take the option of the largest", method, cats[0].at)
	}
	for i := range num {
		if !num[i].bounded {
			return nil, fmt.Errorf("vector: %s: found no bounds at coordinate %d, want low and high", method, num[i].at)
		}
	}
	return num, nil
}

// Dim returns the length of a point, Batch the population.
func (d *DE) Dim() int   { return d.n }
func (d *DE) Batch() int { return d.size }

// Started reports whether every place of the population was asked for.
func (d *DE) Started() bool { return d.asked >= int64(d.size) }

// Ask implements [Core]. The first points are random.
func (d *DE) Ask(x []float64) (first int64) {
	if len(x)%d.n != 0 {
		panic(fmt.Sprintf("vector: found %d numbers, want points of %d", len(x), d.n))
	}
	first = d.asked
	for ; len(x) > 0; x = x[d.n:] {
		d.draw(x[:d.n])
	}
	return first
}

func (d *DE) draw(x []float64) {
	i := int(d.asked % int64(d.size))
	d.trial[i] = d.asked
	d.asked++
	if !d.filled[i] || d.full < 4 {
		for j := range x {
			x[j] = d.num[j].point(d.rand.unit())
		}
		return
	}
	f, cr := d.f[i], d.cr[i]
	if d.o.F == 0 && d.rand.unit() < 0.1 {
		f = 0.1 + float64(0.8*d.rand.unit())
	}
	if d.o.CR == 0 && d.rand.unit() < 0.1 {
		cr = d.rand.unit()
	}
	d.tf[i], d.tc[i] = f, cr
	a := d.other(i, i, i)
	b := d.other(i, a, a)
	c := d.other(i, a, b)
	n := d.n
	xi, xa, xb, xc := d.x[i*n:(i+1)*n], d.x[a*n:(a+1)*n], d.x[b*n:(b+1)*n], d.x[c*n:(c+1)*n]
	always := d.rand.below(n)
	for j := range x {
		u := xi[j]
		if j == always || d.rand.unit() < cr {
			u = xa[j] + float64(f*(xb[j]-xc[j]))
			if u < 0 {
				u = float64(xa[j] * d.rand.unit())
			} else if u > 1 {
				u = xa[j] + float64((1-xa[j])*d.rand.unit())
			}
		}
		x[j] = d.num[j].point(u)
	}
}

// other draws a filled slot that is none of three; there are at least four.
func (d *DE) other(i, a, b int) int {
	for {
		if k := d.rand.below(d.size); k != i && k != a && k != b && d.filled[k] {
			return k
		}
	}
}

// Decode implements [Core].
func (d *DE) Decode(dst, x []float64) { decode(d.num, dst, x) }

// Encode implements [Core].
func (d *DE) Encode(dst, x []float64) { copy(dst, x) }

func decode(num []numeric, dst, x []float64) {
	for j := range num {
		if k := &num[j]; k.cuts == nil && k.step == 0 {
			dst[j] = x[j]
		} else {
			dst[j] = k.snap(k.scaled(x[j]))
		}
	}
}

// Tell implements [Core]. Points from elsewhere replace the worst if they are
// better.
func (d *DE) Tell(first int64, x, loss []float64) {
	if len(x) != len(loss)*d.n {
		panic(fmt.Sprintf("vector: found %d numbers for %d losses, want points of %d", len(x), len(loss), d.n))
	}
	for k, f := range loss {
		number := first
		if first >= 0 {
			number += int64(k)
		}
		d.tell(number, x[k*d.n:(k+1)*d.n], f)
	}
}

func (d *DE) tell(number int64, x []float64, f float64) {
	if f != f || number >= d.asked {
		return
	}
	i := 0
	if number >= 0 {
		i = int(number % int64(d.size))
	} else {
		for k := range d.size {
			if !d.filled[k] {
				i = k
				break
			}
			if d.loss[k] > d.loss[i] {
				i = k
			}
		}
	}
	if !d.filled[i] {
		d.filled[i] = true
		d.full++
	} else if f > d.loss[i] {
		d.converge()
		return
	}
	if number >= 0 && d.trial[i] == number && d.tf[i] > 0 {
		d.f[i], d.cr[i] = d.tf[i], d.tc[i]
	}
	d.loss[i] = f
	for j, v := range x {
		d.x[i*d.n+j] = d.num[j].scaled(v)
	}
	d.converge()
}

// converge scatters a population that has come together, now and then.
func (d *DE) converge() {
	if d.told++; d.told%d.size != 0 || d.full < d.size {
		return
	}
	best := d.best()
	for k, v := range d.x {
		if math.Abs(v-d.x[best*d.n+k%d.n]) > 1e-12 {
			return
		}
	}
	d.Scatter()
}

func (d *DE) best() int {
	best := -1
	for k, f := range d.loss {
		if d.filled[k] && (best < 0 || f < d.loss[best]) {
			best = k
		}
	}
	return best
}

// Scatter implements [Core].
func (d *DE) Scatter() {
	best := d.best()
	d.full = 0
	for k := range d.filled {
		if k != best {
			d.filled[k], d.tf[k] = false, 0
		} else {
			d.full = 1
		}
	}
}
