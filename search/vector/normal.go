package vector

import (
	"math"
	"math/bits"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
)

// A source draws numbers for the inner loops: the generator is in the struct
// rather than behind an interface, and its numbers have the same bits on every
// platform. It is xoshiro256++ (Blackman and Vigna 2021, Scrambled linear
// pseudorandom number generators).
type source struct{ a, b, c, d uint64 }

func newSource(seed uint64, purpose string) source {
	hi, lo := rng.State(seed, purpose, 0)
	hi2, lo2 := rng.State(seed, purpose, 1)
	return source{hi, lo, hi2, lo2 | 1}
}

func (s *source) next() uint64 {
	out := bits.RotateLeft64(s.a+s.d, 23) + s.a
	t := s.b << 17
	s.c ^= s.a
	s.d ^= s.b
	s.b ^= s.c
	s.a ^= s.d
	s.c ^= t
	s.d = bits.RotateLeft64(s.d, 45)
	return out
}

// unit returns a uniform number in [0, 1).
func (s *source) unit() float64 { return float64(s.next()>>11) * 0x1p-53 }

// below returns a uniform whole number in [0, n).
func (s *source) below(n int) int {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int(hi)
}

// The ziggurat of Marsaglia and Tsang (2000, The ziggurat method for generating
// random variables) with 256 layers of equal area under exp(-x²/2), and the
// layer and the number taken from different bits, as Doornik (2005) asks.
const (
	zigLayers = 256
	zigEdge   = 3.6541528853610088 // where the tail begins
	zigArea   = 0.00492867323399   // of a layer
)

var zigX, zigY, zigScale [zigLayers + 1]float64 // zigScale[i] is zigX[i]·2^-55

// zigFast bounds the mantissas that lie in layer i+1 too, and so need no test.
var zigFast [zigLayers]int64

func init() {
	density := func(x float64) float64 { return detmath.Exp(-0.5 * float64(x*x)) }
	zigX[0], zigX[1] = zigArea/density(zigEdge), zigEdge
	for i := 2; i < zigLayers; i++ {
		zigX[i] = math.Sqrt(-2 * detmath.Log(zigArea/zigX[i-1]+density(zigX[i-1])))
	}
	for i := range zigX {
		zigY[i] = density(zigX[i])
		zigScale[i] = zigX[i] * 0x1p-55
	}
	for i := range zigFast {
		zigFast[i] = int64(zigX[i+1] / zigX[i] * 0x1p55)
	}
}

// normal returns a standard normal deviate.
func (s *source) normal() float64 {
	u := s.next()
	i := u & (zigLayers - 1)
	m := int64(u) >> 8 // 56 bits with the sign
	if x := float64(float64(m) * zigScale[i]); m < zigFast[i] && m > -zigFast[i] {
		return x
	}
	return s.normalSlow(m, i)
}

// normals fills x with standard normal deviates.
func (s *source) normals(x []float64) {
	t := *s
	for k := range x {
		u := t.next()
		i := u & (zigLayers - 1)
		m := int64(u) >> 8
		if m < zigFast[i] && m > -zigFast[i] {
			x[k] = float64(float64(m) * zigScale[i])
			continue
		}
		x[k] = t.normalSlow(m, i)
	}
	*s = t
}

// normalSlow decides about a point in the wedge of a layer or in the tail.
func (s *source) normalSlow(m int64, i uint64) float64 {
	for {
		x := float64(float64(m) * zigScale[i])
		switch {
		case m < zigFast[i] && m > -zigFast[i]:
			return x
		case i == 0:
			// Marsaglia's tail: x beyond the edge, by two exponentials.
			for {
				a := -detmath.Log(1-s.unit()) / zigEdge
				b := -detmath.Log(1 - s.unit())
				if b+b > float64(a*a) {
					if m < 0 {
						return -zigEdge - a
					}
					return zigEdge + a
				}
			}
		case zigY[i]+float64(s.unit()*(zigY[i+1]-zigY[i])) < detmath.Exp(-0.5*float64(x*x)):
			return x
		}
		u := s.next()
		i, m = u&(zigLayers-1), int64(u)>>8
	}
}
