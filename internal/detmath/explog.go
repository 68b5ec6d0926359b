package detmath

// The polynomials for Exp and Log and the reductions around them are those of
// FreeBSD's msun (e_exp.c, e_log.c), which the standard library also uses:
//
//	Copyright (C) 1993, 2004 by Sun Microsystems, Inc. All rights reserved.
//	Permission to use, copy, modify, and distribute this software is freely
//	granted, provided that this notice is preserved.

import "math"

const (
	ln2Hi  = 6.93147180369123816490e-01 // 0x3fe62e42fee00000: 21 trailing zero bits
	ln2Lo  = 1.90821492927058770002e-10 // 0x3dea39ef35793c76
	log2e  = 1.44269504088896338700e+00
	sqrt2  = 1.41421356237309504880168872420969807856967187537694
	rsqrt2 = 1 / sqrt2

	expOverflow  = 7.09782712893383973096e+02
	expUnderflow = -7.45133219101941108420e+02
)

// mad is a*b + c with two roundings on every platform.
func mad(a, b, c float64) float64 { return float64(a*b) + c }

// Exp returns e**x.
//
// Exp(+Inf) = +Inf, Exp(-Inf) = 0, Exp(NaN) = NaN. Results too large are +Inf,
// too small 0.
func Exp(x float64) float64 {
	switch {
	case x != x:
		return x
	case x > expOverflow:
		return math.Inf(1)
	case x < expUnderflow:
		return 0
	case -0x1p-28 < x && x < 0x1p-28:
		return 1 + x
	}
	return expSum(x, 0)
}

// expSum returns e**(x+lo) for |lo| much smaller than 1 and x inside the range
// that neither overflows nor underflows.
func expSum(x, lo float64) float64 {
	const shift = 0x1.8p52 // adding it rounds to an integer
	kf := mad(log2e, x, shift) - shift
	k := int(kf)
	hi := x - float64(kf*ln2Hi)
	return expReduced(hi, float64(kf*ln2Lo)-lo, k)
}

// expReduced returns 2**k * e**(hi-lo) for |hi-lo| <= ln(2)/2.
func expReduced(hi, lo float64, k int) float64 {
	const (
		p1 = 1.66666666666666657415e-01
		p2 = -2.77777777770155933842e-03
		p3 = 6.61375632143793436117e-05
		p4 = -1.65339022054652515390e-06
		p5 = 4.13813679705723846039e-08
	)
	r := hi - lo
	t := float64(r * r)
	c := r - float64(t*mad(t, mad(t, mad(t, mad(t, p5, p4), p3), p2), p1))
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	if -1021 <= k && k <= 1022 {
		return float64(y * math.Float64frombits(uint64(k+1023)<<52))
	}
	return math.Ldexp(y, k)
}

// Expm1 returns e**x - 1, accurate also where x is near zero.
func Expm1(x float64) float64 {
	// Kahan's correction: the rounding error of u = exp(x) cancels between
	// (u-1) and log(u).
	u := Exp(x)
	if u == 1 || x != x || math.IsInf(u, 1) {
		if u == 1 {
			return x
		}
		return u
	}
	um1 := u - 1
	if um1 == -1 || math.Abs(x) > 1 {
		return um1
	}
	return float64(um1*x) / Log(u)
}

// Log returns the natural logarithm of x.
//
// Log(+Inf) = +Inf, Log(0) = -Inf, Log(x < 0) = NaN, Log(NaN) = NaN.
func Log(x float64) float64 {
	const (
		l1 = 6.666666666666735130e-01
		l2 = 3.999999999940941908e-01
		l3 = 2.857142874366239149e-01
		l4 = 2.222219843214978396e-01
		l5 = 1.818357216161805012e-01
		l6 = 1.531383769920937332e-01
		l7 = 1.479819860511658591e-01
	)
	f, ki, ok := split(x)
	if !ok {
		return logSpecial(x)
	}
	f--
	k := float64(ki)
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	t1 := float64(s2 * mad(s4, mad(s4, mad(s4, l7, l5), l3), l1))
	t2 := float64(s4 * mad(s4, mad(s4, l6, l4), l2))
	hfsq := float64(float64(0.5*f) * f)
	return float64(k*ln2Hi) - ((hfsq - mad(s, hfsq+(t1+t2), float64(k*ln2Lo))) - f)
}

// split writes a positive finite x as m * 2**k with m in [sqrt(1/2), sqrt(2)).
func split(x float64) (m float64, k int, ok bool) {
	b := math.Float64bits(x)
	if b-1<<52 >= 0x7fe<<52 { // zero, subnormal, negative, infinite or NaN
		if !(x > 0) || b >= 0x7ff<<52 {
			return 0, 0, false
		}
		b = math.Float64bits(float64(x * 0x1p54))
		k = -54
	}
	// Adding the distance from sqrt(1/2) to 1 carries into the exponent
	// exactly when the mantissa is at least sqrt(2).
	const top = 0x3fe6a09e667f3bcd // sqrt(1/2)
	b += 0x3ff<<52 - top
	k += int(b>>52) - 0x3ff
	return math.Float64frombits(b&(1<<52-1) + top), k, true
}

func logSpecial(x float64) float64 {
	switch {
	case x == 0:
		return math.Inf(-1)
	case x < 0:
		return math.NaN()
	}
	return x // NaN and +Inf
}

// Log1p returns the natural logarithm of 1+x, accurate also where x is near
// zero.
func Log1p(x float64) float64 {
	u := 1 + x
	if u == 1 {
		return x
	}
	if u > 0x1p53 || u <= 0 || u != u {
		return Log(u)
	}
	return float64(Log(u)*x) / (u - 1) // Kahan's correction, as in Expm1
}

// Log2 returns the binary logarithm of x, exact for powers of two. Its special
// cases are those of Log.
func Log2(x float64) float64 {
	m, k, ok := split(x)
	if !ok {
		return logSpecial(x)
	}
	if m == 1 {
		return float64(k)
	}
	return mad(Log(m), log2e, float64(k))
}
