package detmath

import "math"

// Pow returns x**y.
//
// Powers of integers whose result is an integer below 2**53 are exact, and so
// are x**1; x**2 and x**0.5 are correctly rounded. The special cases are those
// of math.Pow.
func Pow(x, y float64) float64 {
	switch {
	case y == 0 || x == 1:
		return 1
	case y == 1:
		return x
	case x != x || y != y:
		return math.NaN()
	case y == 2:
		return float64(x * x)
	case y == -1:
		return 1 / x
	case y == 0.5 && x >= 0 && !math.IsInf(x, 0):
		return math.Sqrt(x) + 0 // Pow(-0, 0.5) is +0
	}
	if x == 0 {
		return powZero(x, y)
	}
	if math.IsInf(y, 0) {
		switch ax := math.Abs(x); {
		case ax == 1:
			return 1
		case (ax < 1) == (y > 0):
			return 0
		}
		return math.Inf(1)
	}
	if math.IsInf(x, 1) {
		if y < 0 {
			return 0
		}
		return x
	}
	if math.IsInf(x, -1) {
		return powZero(math.Copysign(0, -1), -y)
	}
	negative := false
	if x < 0 {
		whole, odd := parity(y)
		if !whole {
			return math.NaN()
		}
		negative = odd
		x = -x
	}
	z, ok := powWhole(x, y)
	if !ok {
		z = powPositive(x, y)
	}
	if negative {
		return -z
	}
	return z
}

// powZero is x**y for x = ±0 and y != 0.
func powZero(x, y float64) float64 {
	_, odd := parity(y)
	sign := 1.0
	if odd {
		sign = math.Copysign(1, x)
	}
	if y < 0 {
		return math.Copysign(math.Inf(1), sign)
	}
	return math.Copysign(0, sign)
}

// parity reports whether y is an integer, and whether it is odd.
func parity(y float64) (whole, odd bool) {
	if math.Floor(y) != y {
		return false, false
	}
	if math.Abs(y) >= 0x1p53 {
		return true, false
	}
	return true, int64(y)&1 == 1
}

// powWhole multiplies integers as long as nothing is rounded.
func powWhole(x, y float64) (float64, bool) {
	const exact = 0x1p53
	if x >= exact || y < 0 || y >= 64 || math.Floor(x) != x || math.Floor(y) != y {
		return 0, false
	}
	z := 1.0
	for n := int(y); ; {
		if n&1 == 1 {
			if z = float64(z * x); z >= exact {
				return 0, false
			}
		}
		if n >>= 1; n == 0 {
			return z, true
		}
		if x = float64(x * x); x >= exact {
			return 0, false
		}
	}
}

// powPositive is x**y for finite positive x, as exp(y*log(x)) with the
// logarithm and the product carried in two words, since the exponential
// magnifies their error up to 745 times.
func powPositive(x, y float64) float64 {
	m, k, _ := split(x)
	lh, ll := logPair(m, float64(k))
	if h := float64(lh * y); h != h || h > expOverflow+1 {
		return math.Inf(1)
	} else if h < expUnderflow-1 {
		return 0
	}
	h, l := twoProd(lh, y)
	l = mad(ll, y, l)
	h, l = quickTwoSum(h, l)
	switch {
	case h > expOverflow && h+l > expOverflow:
		return math.Inf(1)
	case h < expUnderflow:
		return 0
	}
	return expSum(h, l)
}

// logPair returns log(m * 2**k) to about 100 bits for m in [sqrt(1/2),
// sqrt(2)], as 2*atanh(s) = 2s + 2s^3/3 + ... at s = (m-1)/(m+1): the first two
// terms in two words, the rest, at most 2**-12 of the first, in one.
func logPair(m, k float64) (hi, lo float64) {
	f := m - 1 // exact
	dh, dl := twoSum(m, 1)
	sh := f / dh
	ph, pl := twoProd(sh, dh)
	sl := (((f - ph) - pl) - float64(sh*dl)) / dh

	// t = s*s, c = s*t/3
	th, tl := twoProd(sh, sh)
	tl += float64(2 * float64(sh*sl))
	ch, cl := twoProd(sh, th)
	cl += float64(sl*th) + float64(sh*tl)
	const thirdHi = 1.0 / 3
	const thirdLo = 0x1.5555555555555p-56 // 1/3 - thirdHi
	qh, ql := twoProd(ch, thirdHi)
	ql += float64(ch*thirdLo) + float64(cl*thirdHi)

	// s^5/5 + s^7/7 + ... + s^27/27; s*s <= 0.0295, so the next is below 2**-75.
	z := th
	tail := mad(z, mad(z, mad(z, mad(z, mad(z, mad(z, mad(z, mad(z, mad(z,
		mad(z, mad(z, 1.0/27, 1.0/25), 1.0/23), 1.0/21), 1.0/19), 1.0/17), 1.0/15), 1.0/13),
		1.0/11), 1.0/9), 1.0/7), 1.0/5)
	tail = float64(float64(ch*z) * tail)

	h, l := twoSum(sh, qh)
	l += (sl + ql) + tail
	h, l = float64(2*h), float64(2*l)
	// k*ln2Hi is exact: k has at most 11 bits.
	h2, l2 := twoSum(float64(k*ln2Hi), h)
	h3, l3 := twoSum(h2, float64(k*ln2Lo))
	l += l2 + l3 + float64(k*ln2Tail)
	return quickTwoSum(h3, l)
}

// ln2Tail is ln(2) - ln2Hi - ln2Lo, with ln2Lo's product in logPair rounded: the
// rounding is below 2**-85 for |k| <= 1100 and does not matter.
const ln2Tail = 1.16122272293625324218e-26

// twoSum returns the rounded sum and its error, for any a and b (Knuth).
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	bb := s - a
	return s, (a - (s - bb)) + (b - bb)
}

// quickTwoSum is twoSum for |a| >= |b| (Dekker 1971).
func quickTwoSum(a, b float64) (s, e float64) {
	s = a + b
	return s, b - (s - a)
}

// twoProd returns the rounded product and its error (Dekker 1971, with the
// operands halved by masking, which cannot overflow).
func twoProd(a, b float64) (p, e float64) {
	p = float64(a * b)
	ah := math.Float64frombits(math.Float64bits(a) &^ (1<<27 - 1))
	bh := math.Float64frombits(math.Float64bits(b) &^ (1<<27 - 1))
	al, bl := a-ah, b-bh
	e = ((float64(ah*bh) - p) + float64(ah*bl) + float64(al*bh)) + float64(al*bl)
	return p, e
}
