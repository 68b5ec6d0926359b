package model

import "math"

// fastExp returns e**x for -700 <= x <= 0 to a relative error below 1e-8, which
// is plenty for the terms of a mixture, in a third of the time that the last
// bits take. It has the same bits on every platform.
func fastExp(x float64) float64 {
	const (
		log2e = 1.44269504088896338700e+00
		ln2   = 0.69314718055994530941723212145817656807550013436026
	)
	k := int(float64(x*log2e) - 0.5)
	r := x - float64(float64(k)*ln2)
	// The Taylor series on |r| <= ln(2)/2.
	p := 1.0/720 + float64(r*(1.0/5040))
	p = 1.0/120 + float64(r*p)
	p = 1.0/24 + float64(r*p)
	p = 1.0/6 + float64(r*p)
	p = 0.5 + float64(r*p)
	p = 1 + float64(r*p)
	p = 1 + float64(r*p)
	return float64(p * math.Float64frombits(uint64(k+1023)<<52))
}
