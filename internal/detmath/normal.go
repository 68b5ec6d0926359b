package detmath

import "math"

const (
	lnSqrt2Pi = 0.91893853320467274178032973640561763986139747363778
	ln2       = 0.69314718055994530941723212145817656807550013436026

	// Above tailStart = 1.25*sqrt(2) the upper tail has a form of its own.
	tailStart = 1.25 * sqrt2
)

// Coefficients of erf and erfc in FreeBSD's s_erf.c, which is
//
//	Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//	Permission to use, copy, modify, and distribute this software is freely
//	granted, provided that this notice is preserved.

// erfSmall is (erf(x)-x)/x for |x| < 0.84375, a function of z = x*x.
func erfSmall(z float64) float64 {
	r := mad(z, mad(z, mad(z, mad(z, -2.37630166566501626084e-05, -5.77027029648944159157e-03),
		-2.84817495755985104766e-02), -3.25042107247001499370e-01), 1.28379167095512558561e-01)
	s := mad(z, mad(z, mad(z, mad(z, mad(z, -3.96022827877536812320e-06, 1.32494738004321644526e-04),
		5.08130628187576562776e-03), 6.50222499887672944485e-02), 3.97917223959155352819e-01), 1)
	return r / s
}

// erx is erf(1) rounded to single precision.
const erx = 8.45062911510467529297e-01

// erfMiddle is erf(x) - erx for 0.84375 <= x < 1.25, a function of s = x-1.
func erfMiddle(s float64) float64 {
	p := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, -2.16637559486879084300e-03, 3.54783043256182359371e-02),
		-1.10894694282396677476e-01), 3.18346619901161753674e-01), -3.72207876035701323847e-01),
		4.14856118683748331666e-01), -2.36211856075265944077e-03)
	q := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, 1.19844998467991074170e-02, 1.36370839120290507362e-02),
		1.26171219808761642112e-01), 7.18286544141962662868e-02), 5.40397917702171048937e-01),
		1.06420880400844228286e-01), 1)
	return p / q
}

// erfcTail is log(erfc(x)*x) + x*x + 0.5625 for 1.25 <= x < 28, a function of
// s = 1/(x*x).
func erfcTail(s float64) float64 {
	const middle = 0.35 * 0.35
	if s > middle {
		r := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, -9.81432934416914548592e+00,
			-8.12874355063065934246e+01), -1.84605092906711035994e+02), -1.62396669462573470355e+02),
			-6.23753324503260060396e+01), -1.05586262253232909814e+01), -6.93858572707181764372e-01),
			-9.86494403484714822705e-03)
		q := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, -6.04244152148580987438e-02,
			6.57024977031928170135e+00), 1.08635005541779435134e+02), 4.29008140027567833386e+02),
			6.45387271733267880336e+02), 4.34565877475229228821e+02), 1.37657754143519042600e+02),
			1.96512716674392571292e+01), 1)
		return r / q
	}
	r := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, -4.83519191608651397019e+02,
		-1.02509513161107724954e+03), -6.37566443368389627722e+02), -1.60636384855821916062e+02),
		-1.77579549177547519889e+01), -7.99283237680523006574e-01), -9.86494292470009928597e-03)
	q := mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, mad(s, -2.24409524465858183362e+01,
		4.74528541206955367215e+02), 2.55305040643316442583e+03), 3.19985821950859553908e+03),
		1.53672958608443695994e+03), 3.25792512996573918826e+02), 3.03380607434824582924e+01), 1)
	return r / q
}

// erfHalf is erf(x/sqrt(2))/2 = Phi(x) - 1/2 for 0 <= x < tailStart.
func erfHalf(x float64) float64 {
	z := float64(x * rsqrt2)
	if z < 0.84375 {
		return float64(0.5 * mad(z, erfSmall(float64(z*z)), z))
	}
	return float64(0.5 * (erx + erfMiddle(z-1)))
}

// upper is 1 - Phi(x) for x >= tailStart.
func upper(x float64) float64 {
	if x > 38.6 {
		return 0 // below the smallest subnormal number
	}
	z := float64(x * rsqrt2)
	// x*x/2 loses digits that exp would magnify; so split x = h + (x-h) with
	// h*h exact.
	h := math.Float64frombits(math.Float64bits(x) &^ (1<<32 - 1))
	d := float64(float64((h-x)*(h+x)) * 0.5)
	a := mad(float64(-0.5*h), h, -0.5625)
	return float64(Exp(a)*Exp(d+erfcTail(1/float64(z*z)))) * 0.5 / z
}

// logUpper is log(1 - Phi(x)) for x >= tailStart.
func logUpper(x float64) float64 {
	z := float64(x * rsqrt2)
	if z < 28 {
		return mad(float64(-0.5*x), x, erfcTail(1/float64(z*z))-0.5625) - Log(float64(2*z))
	}
	// Abramowitz & Stegun 26.2.12.
	t := 1 / float64(x*x)
	series := float64(t * mad(t, mad(t, mad(t, mad(t, -945, 105), -15), 3), -1))
	return mad(float64(-0.5*x), x, Log1p(series)-lnSqrt2Pi) - Log(x)
}

// Phi returns the standard normal distribution function, the probability that
// a standard normal deviate is at most x. The lower tail keeps its relative
// accuracy down to the smallest numbers.
func Phi(x float64) float64 {
	switch {
	case x != x:
		return x
	case x <= -tailStart:
		return upper(-x)
	case x >= tailStart:
		return 1 - upper(x)
	case x < -0.5: // 0.5 - erfHalf would lose up to four bits
		return lowerMiddle(x)
	case x < 0:
		return 0.5 - erfHalf(-x)
	}
	return 0.5 + erfHalf(x)
}

// lowerMiddle is Phi(x) for -tailStart < x < -0.5, arranged as erfc is.
func lowerMiddle(x float64) float64 {
	z := float64(-x * rsqrt2)
	if z < 0.84375 {
		y := erfSmall(float64(z * z))
		return float64(0.5 * (0.5 - mad(z, y, z-0.5)))
	}
	return float64(0.5 * ((1 - erx) - erfMiddle(z-1)))
}

// LogPhi returns log(Phi(x)), finite for every finite x whose square is.
func LogPhi(x float64) float64 {
	switch {
	case x != x:
		return x
	case x <= -tailStart:
		if math.IsInf(x, -1) {
			return x
		}
		return logUpper(-x)
	case x >= tailStart:
		return Log1p(-upper(x))
	case x > 0.5:
		return Log1p(-lowerMiddle(-x))
	}
	return Log(Phi(x))
}

// LogNormInterval returns log(Phi(b) - Phi(a)), the log-probability that a
// standard normal deviate falls into [a, b]. It is stable for intervals far out
// in either tail and for narrow ones. The bounds may be infinite; for a >= b it
// is -Inf.
func LogNormInterval(a, b float64) float64 {
	if a != a || b != b {
		return math.NaN()
	}
	if a >= b {
		return math.Inf(-1)
	}
	if a > -b { // mirror, so that the interval leans to the left: |a| >= |b|
		a, b = -b, -a
	}
	m, h := float64(0.5*(a+b)), b-a
	if t := float64(h * math.Max(-m, 1)); t < 0.1 {
		// Too narrow for a difference: the midpoint density times h times
		// the Taylor series of its even derivatives (Hermite polynomials
		// over 2^n (n+1)!). The first term left out is below 1e-16.
		m2, h2 := float64(m*m), float64(h*h)
		c1 := (m2 - 1) / 24
		c2 := mad(m2, m2-6, 3) / 1920
		c3 := mad(m2, mad(m2, m2-15, 45), -15) / 322560
		series := float64(h2 * mad(h2, mad(h2, c3, c2), c1))
		return mad(-0.5, m2, Log(h)) - lnSqrt2Pi + Log1p(series)
	}
	if b <= 0 {
		la, lb := LogPhi(a), LogPhi(b)
		return lb + log1mExp(la-lb)
	}
	if a > -tailStart && b < tailStart {
		return Log(erfHalf(b) + erfHalf(-a))
	}
	return Log1p(-(Phi(a) + Phi(-b)))
}

// log1mExp is log(1 - exp(x)) for x < 0 (Mächler 2012).
func log1mExp(x float64) float64 {
	if x > -ln2 {
		return Log(-Expm1(x))
	}
	return Log1p(-Exp(x))
}

// PhiInv returns the standard normal quantile, the x with Phi(x) = p.
//
// PhiInv(0) = -Inf, PhiInv(1) = +Inf, and NaN outside [0, 1].
//
// The method is Wichura 1988, algorithm AS 241 (PPND16), Applied Statistics 37,
// 477-484, with its coefficients.
func PhiInv(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		num := mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 2.5090809287301226727e+3,
			3.3430575583588128105e+4), 6.7265770927008700853e+4), 4.5921953931549871457e+4),
			1.3731693765509461125e+4), 1.9715909503065514427e+3), 1.3314166789178437745e+2),
			3.3871328727963666080e0)
		den := mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 5.2264952788528545610e+3,
			2.8729085735721942674e+4), 3.9307895800092710610e+4), 2.1213794301586595867e+4),
			5.3941960214247511077e+3), 6.8718700749205790830e+2), 4.2313330701600911252e+1), 1)
		return float64(q*num) / den
	}
	if !(p > 0 && p < 1) {
		switch p {
		case 0:
			return math.Inf(-1)
		case 1:
			return math.Inf(1)
		}
		return math.NaN()
	}
	r := p
	if q > 0 {
		r = 1 - p
	}
	r = math.Sqrt(-Log(r))
	var num, den float64
	if r <= 5 {
		r -= 1.6
		num = mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 7.74545014278341407640e-4,
			2.27238449892691845833e-2), 2.41780725177450611770e-1), 1.27045825245236838258e0),
			3.64784832476320460504e0), 5.76949722146069140550e0), 4.63033784615654529590e0),
			1.42343711074968357734e0)
		den = mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 1.05075007164441684324e-9,
			5.47593808499534494600e-4), 1.51986665636164571966e-2), 1.48103976427480074590e-1),
			6.89767334985100004550e-1), 1.67638483018380384940e0), 2.05319162663775882187e0), 1)
	} else {
		r -= 5
		num = mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 2.01033439929228813265e-7,
			2.71155556874348757815e-5), 1.24266094738807843860e-3), 2.65321895265761230930e-2),
			2.96560571828504891230e-1), 1.78482653991729133580e0), 5.46378491116411436990e0),
			6.65790464350110377720e0)
		den = mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, mad(r, 2.04426310338993978564e-15,
			1.42151175831644588870e-7), 1.84631831751005468180e-5), 7.86869131145613259100e-4),
			1.48753612908506148525e-2), 1.36929880922735805310e-1), 5.99832206555887937690e-1), 1)
	}
	if q < 0 {
		return -num / den
	}
	return num / den
}
