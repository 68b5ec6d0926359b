package vector

import (
	"fmt"
	"math"
	"sort"
)

// A Coordinate says what one number of a point may be. The zero value is any
// real number.
type Coordinate struct {
	// Low and High bound the number; both 0 means unbounded.
	Low, High float64
	// Step above 0 makes the number one of Low, Low+Step, …, High.
	Step float64
	// Cuts, rising and between Low and High, divide the range into intervals
	// whose points all mean the same; the middle of an interval stands for it.
	Cuts []float64
	// Options above 0 makes the number one of 0, 1, …, Options-1 without an
	// order among them.
	Options int
}

// Reals returns n coordinates between low and high; both 0 means unbounded.
func Reals(n int, low, high float64) []Coordinate {
	out := make([]Coordinate, n)
	for i := range out {
		out[i] = Coordinate{Low: low, High: high}
	}
	return out
}

// Integers returns n coordinates that are whole numbers from low to high.
func Integers(n, low, high int) []Coordinate {
	out := make([]Coordinate, n)
	for i := range out {
		out[i] = Coordinate{Low: float64(low), High: float64(high), Step: 1}
	}
	return out
}

// Categories returns n coordinates that are one of a number of options each.
func Categories(n, options int) []Coordinate {
	out := make([]Coordinate, n)
	for i := range out {
		out[i] = Coordinate{Options: options}
	}
	return out
}

// maxCuts bounds the boundaries that are kept of a stepped coordinate; one with
// more is treated as real and rounded.
const maxCuts = 1 << 12

// numeric is a coordinate that has an order, scaled to [0, 1] if it is bounded.
type numeric struct {
	at      int     // in the point
	low     float64 //
	scale   float64 // of the range
	bounded bool
	cuts    []float64 // scaled; nil for a real number
	step    float64   // in the point's units
	high    float64
}

// category is a coordinate without an order.
type category struct {
	at     int // in the point
	from   int // in the probabilities
	number int // of options
}

// compile checks coordinates and divides them by kind.
func compile(cs []Coordinate) (num []numeric, cats []category, err error) {
	if len(cs) == 0 {
		return nil, nil, fmt.Errorf("vector: found no coordinates, want at least one")
	}
	from := 0
	for i, c := range cs {
		fail := func(field string, found any, want string) error {
			return fmt.Errorf("vector: coordinate %d: %s: found %v, want %s", i, field, found, want)
		}
		if c.Options > 0 {
			cats = append(cats, category{at: i, from: from, number: c.Options})
			from += c.Options
			continue
		}
		n := numeric{at: i, low: c.Low, scale: 1, bounded: c.Low != 0 || c.High != 0, step: c.Step, high: c.High}
		switch {
		case c.Options < 0:
			return nil, nil, fail("options", c.Options, "at least 1, or 0 for a number")
		case !finite(c.Low) || !finite(c.High) || !finite(c.High-c.Low) || c.Low > c.High:
			return nil, nil, fail("bounds", fmt.Sprintf("%v to %v", c.Low, c.High), "finite numbers with low <= high")
		case !(c.Step >= 0) || !finite(c.Step):
			return nil, nil, fail("step", c.Step, "a number above 0, or 0 for a real number")
		case (c.Step > 0 || len(c.Cuts) > 0) && !n.bounded:
			return nil, nil, fail("bounds", "none", "low and high, since the coordinate is discrete")
		case c.Step > 0 && len(c.Cuts) > 0:
			return nil, nil, fail("step and cuts", "both", "one of them")
		case !sort.Float64sAreSorted(c.Cuts) || len(c.Cuts) > 0 && !(c.Cuts[0] >= c.Low && c.Cuts[len(c.Cuts)-1] <= c.High):
			return nil, nil, fail("cuts", c.Cuts, "rising numbers between low and high")
		}
		if n.bounded {
			if n.scale = c.High - c.Low; n.scale == 0 {
				n.scale = 1
			}
		}
		if c.Step > 0 {
			if levels := (c.High-c.Low)/c.Step + 1; levels < maxCuts {
				n.cuts = []float64{}
				for k := range int(levels+1e-9) - 1 {
					n.cuts = append(n.cuts, (float64(k)+0.5)*c.Step/n.scale)
				}
			}
		}
		for _, x := range c.Cuts {
			n.cuts = append(n.cuts, (x-c.Low)/n.scale)
		}
		num = append(num, n)
	}
	return num, cats, nil
}

func (n *numeric) scaled(x float64) float64 { return (x - n.low) / n.scale }

func (n *numeric) point(u float64) float64 { return n.low + float64(u*n.scale) }

// level returns the number of cuts below u.
func (n *numeric) level(u float64) int {
	lo, hi := 0, len(n.cuts)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); u > n.cuts[mid] {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// snap returns the value, in the point's units, that the scaled u stands for.
func (n *numeric) snap(u float64) float64 {
	if n.cuts == nil {
		x := n.point(u)
		if n.step > 0 {
			x = n.low + float64(math.Floor((x-n.low)/n.step+0.5)*n.step)
			return min(max(x, n.low), n.high)
		}
		return x
	}
	k := n.level(u)
	if n.step > 0 {
		return n.low + float64(float64(k)*n.step)
	}
	a, b := 0.0, 1.0
	if k > 0 {
		a = n.cuts[k-1]
	}
	if k < len(n.cuts) {
		b = n.cuts[k]
	}
	return n.point((a + b) / 2)
}

// bendWidth is how far from a bound, as a share of the range, the map of bend
// begins to curve.
const bendWidth = 0.05

// bend maps any scaled number to [0, 1]: the identity inside, a parabola that
// touches the bound within bendWidth on either side of it, and mirror images
// beyond, so that an optimum on a bound is a smooth one, as in pycma.
func bend(u float64) float64 {
	const a = bendWidth
	if u >= a && u <= 1-a {
		return u
	}
	if !finite(u) {
		return 0.5
	}
	if u < -a || u > 1+a { // mirror into [-a, 1+a]
		const period = 2 + 4*a
		u += a
		u -= float64(period * math.Floor(u/period))
		if u > period/2 {
			u = period - u
		}
		u = min(max(u-a, -a), 1+a) // rounding of large numbers
	}
	switch {
	case u < a:
		t := u + a
		return float64(t*t) / (4 * a)
	case u > 1-a:
		t := 1 + a - u
		return 1 - float64(t*t)/(4*a)
	}
	return u
}

// unbend is the inverse of bend on [0, 1].
func unbend(u float64) float64 {
	const a = bendWidth
	switch {
	case u < a:
		return math.Sqrt(4*a*max(u, 0)) - a
	case u > 1-a:
		return 1 + a - math.Sqrt(4*a*max(1-u, 0))
	}
	return u
}

func finite(x float64) bool { return x-x == 0 }
