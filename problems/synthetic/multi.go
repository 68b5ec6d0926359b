package synthetic

import (
	"context"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/problems/internal/vector"
	"github.com/daedalus-search/daedalus/space"
)

// frontPoints is about how many points of a true front Optimum returns.
const frontPoints = 500

// ZDT is one of the bi-objective functions ZDT1 (convex front), ZDT2
// (concave), ZDT3 (in five pieces), ZDT4 (with 21^(n-1) local fronts) and ZDT6
// (concave, and few designs near it) of Zitzler, Deb and Thiele (2000). All are
// on [0, 1]^n, except that ZDT4 has every variable but the first on [-5, 5].
// ZDT5 is over bits and has a type of its own.
type ZDT struct {
	Function int `yaml:"function" default:"1" oneof:"1 2 3 4 6" doc:"which function: 1 convex, 2 concave, 3 in pieces, 4 with many local fronts, 6 sparse near its front"` // 0 means 1
	Dims     int `yaml:"dims" default:"0" min:"0" max:"10000" doc:"number of dimensions; 0 means 30 for the functions 1 to 3 and 10 for 4 and 6"`                          // 0 means the paper's
}

// New makes the problem.
func (o ZDT) New() (*Problem, error) {
	which, err := dims("zdt: function", o.Function, 1, 1, 6)
	if err != nil {
		return nil, err
	}
	if which == 5 {
		return nil, fmt.Errorf("synthetic: zdt: function: found 5, want 1, 2, 3, 4 or 6; the fifth is over bits and called zdt5")
	}
	fallback := 30
	if which >= 4 {
		fallback = 10
	}
	n, err := dims("zdt: dims", o.Dims, fallback, 2, most)
	if err != nil {
		return nil, err
	}
	nodes := vector.Floats(n, 0, 1)
	if which == 4 {
		copy(nodes[1:], vector.Floats(n, -5, 5)[1:])
	}
	first := func(x float64) float64 { return x }
	if which == 6 {
		first = func(x float64) float64 {
			s := math.Sin(6 * math.Pi * x)
			return 1 - float64(math.Exp(-4*x)*cube(float64(s*s)))
		}
	}
	second := func(f1, g float64) float64 {
		r := f1 / g
		switch which {
		case 1, 4:
			return g * (1 - math.Sqrt(r))
		case 2, 6:
			return g * (1 - float64(r*r))
		}
		return g * (1 - math.Sqrt(r) - float64(r*math.Sin(10*math.Pi*f1)))
	}
	f := func(x, y []float64) {
		sum := 0.0
		g := 0.0
		switch which {
		case 4:
			for _, v := range x[1:] {
				sum += float64(v*v) - float64(10*math.Cos(4*math.Pi*v))
			}
			g = 1 + float64(10*(n-1)) + sum
		default:
			for _, v := range x[1:] {
				sum += v
			}
			sum /= float64(n - 1)
			if which == 6 {
				sum = math.Sqrt(math.Sqrt(sum))
			}
			g = 1 + float64(9*sum)
		}
		y[0] = first(x[0])
		y[1] = second(y[0], g)
	}
	front := func(context.Context) ([]float64, error) {
		k, lo := frontPoints, 0.0
		switch which {
		case 3:
			k *= 4 // most of the curve is dominated
		case 6:
			lo = first(lowestZDT6())
		}
		rows := make([]float64, 0, 2*k)
		for i := range k {
			f1 := lo + float64((1-lo)*float64(i))/float64(k-1)
			rows = append(rows, f1, second(f1, 1))
		}
		return vector.NonDominated(rows, 2), nil
	}
	return newProblem(fmt.Sprintf("ZDT%d in %d dimensions", which, n), nodes, vector.Objectives(2), f, front)
}

func cube(x float64) float64 { return float64(x*x) * x }

// lowestZDT6 returns the x where ZDT6's first objective is least: where
// tan 6πx = 9π, since there the derivative of e^(-4x) sin^6 6πx vanishes.
func lowestZDT6() float64 { return math.Atan(9*math.Pi) / (6 * math.Pi) }

// ZDT5 is the deceptive one of the ZDT functions (Zitzler, Deb and Thiele
// 2000): a string of 30 bits and ten or any number of strings of five, of which
// only the numbers of ones count. A string of five is best full and otherwise
// leads away from there.
type ZDT5 struct {
	Strings int `yaml:"strings" default:"11" min:"2" max:"1000" doc:"number of strings: one of 30 bits, the others of 5"` // 0 means 11
}

// New makes the problem.
func (o ZDT5) New() (*Keyed, error) {
	m, err := dims("zdt5: strings", o.Strings, 11, 2, 1000)
	if err != nil {
		return nil, err
	}
	nodes := make([]space.Node, 30+5*(m-1))
	for i := range nodes {
		nodes[i] = space.Bool(fmt.Sprintf("x%d", i+1))
	}
	ones := func(x []float64) (n float64) {
		for _, b := range x {
			n += b
		}
		return n
	}
	f := func(x, y []float64) {
		g := 0.0
		for i := 30; i < len(x); i += 5 {
			u := ones(x[i : i+5])
			if u < 5 {
				g += 2 + u
			} else {
				g++
			}
		}
		y[0] = 1 + ones(x[:30])
		y[1] = g / y[0]
	}
	rows := make([]float64, 0, 62)
	for f1 := 1.0; f1 <= 31; f1++ {
		rows = append(rows, f1, float64(m-1)/f1)
	}
	p, err := newProblem(fmt.Sprintf("ZDT5 with %d strings of bits", m), nodes, vector.Objectives(2), f, vector.Front(rows...))
	if err != nil {
		return nil, err
	}
	return &Keyed{Solved: p, Name: func(dst []byte, x []float64) []byte {
		dst = append(dst, 'A'+byte(ones(x[:30])))
		for i := 30; i < len(x); i += 5 {
			dst = append(dst, '0'+byte(ones(x[i:i+5])))
		}
		return dst
	}}, nil
}

// Keyed is a [Problem] that knows which designs are the same thing.
type Keyed = vector.Keyed

// DTLZ is one of the functions DTLZ1 to DTLZ7 on [0, 1]^n with any number of
// objectives (Deb, Thiele, Laumanns and Zitzler 2002). The front is a simplex
// for 1, the positive part of the unit sphere for 2 to 4, a curve for 5 and 6
// and 2^(objectives-1) pieces for 7. With more than three objectives the fronts
// of 5 and 6 are not the curve that they were meant to be (Huband et al. 2006)
// and not known here.
type DTLZ struct {
	Function   int `yaml:"function" default:"2" min:"1" max:"7" doc:"which function: 1 plane front, 2 to 4 sphere, 5 and 6 curve, 7 pieces; 1 and 3 have many local fronts"` // 0 means 2
	Objectives int `yaml:"objectives" default:"3" min:"2" max:"20" doc:"number of objectives"`                                                                               // 0 means 3
	Dims       int `yaml:"dims" default:"0" min:"0" max:"10000" doc:"number of dimensions; 0 means objectives + 9, or + 4 for function 1 and + 19 for 7"`                    // 0 means the paper's
}

// New makes the problem.
func (o DTLZ) New() (*Problem, error) {
	which, err := dims("dtlz: function", o.Function, 2, 1, 7)
	if err != nil {
		return nil, err
	}
	m, err := dims("dtlz: objectives", o.Objectives, 3, 2, 20)
	if err != nil {
		return nil, err
	}
	n, err := dims("dtlz: dims", o.Dims, m+map[int]int{1: 5, 7: 20}[which]+map[bool]int{true: 10}[which != 1 && which != 7]-1, m, most)
	if err != nil {
		return nil, err
	}
	f := func(x, y []float64) {
		tail := x[m-1:]
		switch which {
		case 1:
			linear(x, y, 0.5*(1+rugged(tail)))
		case 2:
			spherical(x, y, 1+bowl(tail))
		case 3:
			spherical(x, y, 1+rugged(tail))
		case 4:
			for i, v := range x[:m-1] {
				x[i] = math.Pow(v, 100)
			}
			spherical(x, y, 1+bowl(tail))
		case 5, 6:
			g := 0.0
			if which == 5 {
				g = bowl(tail)
			} else {
				for _, v := range tail {
					g += math.Pow(v, 0.1)
				}
			}
			for i, v := range x[1 : m-1] { // half of an angle is at 45° where g is 0
				x[1+i] = (1 + float64(2*g*v)) / (2 * (1 + g))
			}
			spherical(x, y, 1+g)
		case 7:
			pieces(x, y, 1+9*mean(tail))
		}
	}
	var front func(context.Context) ([]float64, error)
	switch {
	case (which == 5 || which == 6) && m > 3: // not known
	default:
		front = func(context.Context) ([]float64, error) { return frontDTLZ(which, m), nil }
	}
	return newProblem(fmt.Sprintf("DTLZ%d with %d objectives in %d dimensions", which, m, n), vector.Floats(n, 0, 1), vector.Objectives(m), f, front)
}

// rugged is the distance of DTLZ1 and DTLZ3, with 11^k - 1 local optima.
func rugged(x []float64) float64 {
	sum := float64(len(x))
	for _, v := range x {
		d := v - 0.5
		sum += float64(d*d) - math.Cos(20*math.Pi*d)
	}
	return 100 * sum
}

// bowl is the distance of DTLZ2, DTLZ4 and DTLZ5.
func bowl(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64((v - 0.5) * (v - 0.5))
	}
	return sum
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// linear puts r times a point of the simplex at y, by the first coordinates.
func linear(x, y []float64, r float64) {
	m := len(y)
	for i := range m {
		f := r
		for _, v := range x[:m-1-i] {
			f *= v
		}
		if i > 0 {
			f *= 1 - x[m-1-i]
		}
		y[i] = f
	}
}

// spherical puts r times a point of the sphere at y, whose angles are the
// first coordinates in units of 90°. The last objective has the first angle
// alone.
func spherical(x, y []float64, r float64) {
	m := len(y)
	for i := range m {
		f := r
		for _, a := range x[:m-1-i] {
			f *= math.Cos(a * math.Pi / 2)
		}
		if i > 0 {
			f *= math.Sin(x[m-1-i] * math.Pi / 2)
		}
		y[i] = f
	}
}

// pieces is DTLZ7: the first objectives are coordinates.
func pieces(x, y []float64, g float64) {
	m := len(y)
	h := float64(m)
	for i, v := range x[:m-1] {
		y[i] = v
		h -= v / (1 + g) * (1 + math.Sin(3*math.Pi*v))
	}
	y[m-1] = (1 + g) * h
}

func frontDTLZ(which, m int) []float64 {
	var rows []float64
	switch which {
	case 5, 6:
		if m == 3 {
			for i := range frontPoints {
				s, c := math.Sincos(math.Pi / 2 * float64(i) / (frontPoints - 1))
				rows = append(rows, c*math.Sqrt2/2, c*math.Sqrt2/2, s)
			}
			return rows
		}
	case 7:
		// A coordinate where x (1 + sin 3πx) is no larger than at a smaller x
		// gains nothing; all others together are the front.
		var good []float64
		high := math.Inf(-1)
		for i := range 4 * frontPoints {
			x := float64(i) / (4*frontPoints - 1)
			if v := x * (1 + math.Sin(3*math.Pi*x)); v > high {
				high, good = v, append(good, x)
			}
		}
		x, y := make([]float64, m), make([]float64, m)
		for _, u := range vector.Spread(m-1, frontPoints) {
			for i, v := range u {
				x[i] = good[int(math.Round(v*float64(len(good)-1)))]
			}
			pieces(x, y, 1)
			rows = append(rows, y...)
		}
		return rows
	}
	for _, p := range vector.Lattice(m, frontPoints) {
		r := 0.5
		if which != 1 {
			norm := 0.0
			for _, v := range p {
				norm += float64(v * v)
			}
			r = 1 / math.Sqrt(norm)
		}
		for _, v := range p {
			rows = append(rows, r*v)
		}
	}
	return rows
}

// DTLZ2 is [DTLZ] with function 2, the positive part of the unit sphere.
type DTLZ2 struct {
	Objectives int `yaml:"objectives" default:"3" min:"2" max:"20" doc:"number of objectives"`                      // 0 means 3
	Dims       int `yaml:"dims" default:"0" min:"0" max:"10000" doc:"number of dimensions; 0 means objectives + 9"` // 0 means Objectives + 9
}

// New makes the problem.
func (o DTLZ2) New() (*Problem, error) {
	return DTLZ{Function: 2, Objectives: o.Objectives, Dims: o.Dims}.New()
}
