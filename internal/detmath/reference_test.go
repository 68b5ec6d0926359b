package detmath

import (
	"math"
	"math/big"
)

// References in arbitrary precision, by plain series.

const refPrec = 2400 // enough for the cancellation in Phi(-38): e**(38**2/2*2) is 2083 bits

func ref(x float64) *big.Float { return new(big.Float).SetPrec(refPrec).SetFloat64(x) }

func tiny(term, sum *big.Float, bits int) bool {
	return term.Sign() == 0 || (sum.Sign() != 0 && term.MantExp(nil) < sum.MantExp(nil)-bits)
}

func refExp(x *big.Float) *big.Float {
	// e**x = (e**(x/2**n))**(2**n)
	n := max(0, x.MantExp(nil)+8)
	y := new(big.Float).SetPrec(refPrec).SetMantExp(x, -n)
	sum, term := ref(1), ref(1)
	for i := 1; ; i++ {
		term.Mul(term, y).Quo(term, ref(float64(i)))
		if tiny(term, sum, 400) {
			break
		}
		sum.Add(sum, term)
	}
	for range n {
		sum.Mul(sum, sum)
	}
	return sum
}

func refAtanhSeries(s *big.Float) *big.Float {
	s2 := new(big.Float).SetPrec(refPrec).Mul(s, s)
	sum, p := ref(0), new(big.Float).Copy(s)
	for i := 1; ; i += 2 {
		term := new(big.Float).SetPrec(refPrec).Quo(p, ref(float64(i)))
		if tiny(term, sum, 300) {
			return sum
		}
		sum.Add(sum, term)
		p.Mul(p, s2)
	}
}

var refLn2 = func() *big.Float {
	s := new(big.Float).SetPrec(refPrec).Quo(ref(1), ref(3))
	return s.Mul(ref(2), refAtanhSeries(s))
}()

func refLog(x *big.Float) *big.Float {
	m := new(big.Float).SetPrec(refPrec)
	k := x.MantExp(m)
	num, den := new(big.Float).Sub(m, ref(1)), new(big.Float).Add(m, ref(1))
	l := refAtanhSeries(num.Quo(num, den))
	l.Mul(l, ref(2))
	return l.Add(l, new(big.Float).SetPrec(refPrec).Mul(ref(float64(k)), refLn2))
}

var refSqrt2Pi = func() *big.Float {
	// pi by Machin's formula: 16 atan(1/5) - 4 atan(1/239)
	atan := func(n float64) *big.Float {
		sum, p := ref(0), new(big.Float).SetPrec(refPrec).Quo(ref(1), ref(n))
		for i := 1; ; i += 2 {
			t := new(big.Float).SetPrec(refPrec).Quo(p, ref(float64(i)))
			if tiny(t, sum, refPrec) {
				return sum
			}
			if i%4 == 1 {
				sum.Add(sum, t)
			} else {
				sum.Sub(sum, t)
			}
			p.Quo(p, ref(n*n))
		}
	}
	pi := new(big.Float).SetPrec(refPrec).Mul(ref(16), atan(5))
	pi.Sub(pi, new(big.Float).SetPrec(refPrec).Mul(ref(4), atan(239)))
	return pi.Mul(pi, ref(2)).Sqrt(pi)
}()

// refPhi is 1/2 + phi(x) * (x + x^3/3 + x^5/15 + ...).
func refPhi(x float64) *big.Float {
	x2 := new(big.Float).SetPrec(refPrec).Mul(ref(x), ref(x))
	sum, term := ref(x), ref(x)
	for i := 3; x != 0; i += 2 {
		term.Mul(term, x2).Quo(term, ref(float64(i)))
		if tiny(term, sum, refPrec-100) {
			break
		}
		sum.Add(sum, term)
	}
	// The exponential must be as precise as the cancellation is deep.
	n := max(0, x2.MantExp(nil)+8)
	y := new(big.Float).SetPrec(refPrec).SetMantExp(x2, -n-1)
	e, t := ref(1), ref(1)
	for i := 1; ; i++ {
		t.Mul(t, y).Quo(t, ref(float64(i)))
		if tiny(t, e, refPrec) {
			break
		}
		e.Add(e, t)
	}
	for range n {
		e.Mul(e, e)
	}
	sum.Quo(sum, e).Quo(sum, refSqrt2Pi)
	return sum.Add(sum, ref(0.5))
}

// ulps is the distance of got from want in units in the last place of want.
func ulps(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	if got == w {
		// Still up to half an ulp away, but correctly rounded.
		return 0
	}
	u := math.Nextafter(math.Abs(w), math.Inf(1)) - math.Abs(w)
	d := new(big.Float).SetPrec(refPrec).Sub(ref(got), want)
	f, _ := d.Quo(d, ref(u)).Float64()
	return math.Abs(f)
}

// relative is |got-want|/|want|.
func relative(got float64, want *big.Float) float64 {
	d := new(big.Float).SetPrec(refPrec).Sub(ref(got), want)
	f, _ := d.Quo(d, want).Float64()
	return math.Abs(f)
}
