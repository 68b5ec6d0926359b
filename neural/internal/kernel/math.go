package kernel

import "math"

var (
	posInf = float32(math.Inf(1))
	negInf = float32(math.Inf(-1))
	nan    = float32(math.NaN())
)

// Constants of the functions below, which the vector forms share. exp and log are
// those of Cephes 2.8 (expf.c, logf.c, tanhf.c, S. Moshier), which err by at most
// about one unit in the last place; erf is N. Juffa's.
const (
	log2e    = 1.44269504088896341
	ln2Hi    = 0.693359375
	ln2Lo    = -2.12194440e-4
	expMax   = 88.72283  // exp of more is infinite
	expMin   = -103.9721 // exp of less is 0
	sqrtHalf = 0.707106781186547524
)

var (
	expC  = [...]float32{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}
	logC  = [...]float32{7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1}
	tanhC = [...]float32{-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1}
	erfC  = [...]float32{-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1}                  // below erfCut
	erfD  = [...]float32{-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1} // above
)

const (
	erfCut  = 0.927734375
	tanhCut = 0.625
)

// polynomial is Σ c[i]·x^(n−1−i).
func polynomial(x float32, c []float32) float32 {
	y := c[0]
	for _, v := range c[1:] {
		y = y*x + v
	}
	return y
}

// twoTo returns 2ⁿ for n in −126 to 127.
func twoTo(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// reduce returns n and exp(r)−1 for x = n·ln 2 + r, |r| ≤ ln 2/2.
func reduce(x float32) (n int32, e float32) {
	k := float32(math.RoundToEven(float64(x * log2e)))
	r := x - k*ln2Hi
	r -= k * ln2Lo
	return int32(k), polynomial(r, expC[:])*r*r + r
}

func exp32(x float32) float32 {
	switch {
	case x > expMax:
		return posInf
	case x < expMin:
		return 0
	case x != x:
		return x
	}
	n, e := reduce(x)
	half := n >> 1
	return (e + 1) * twoTo(half) * twoTo(n-half)
}

func expm132(x float32) float32 {
	switch {
	case x > expMax:
		return posInf
	case x < -18:
		return -1
	case x != x:
		return x
	}
	n, e := reduce(x)
	half := n >> 1
	a, b := twoTo(half), twoTo(n-half)
	if n == 0 {
		return e
	}
	return (e*a + (a - 1/b)) * b
}

func log32(x float32) float32 {
	switch {
	case x < 0 || x != x:
		return nan
	case x == 0:
		return negInf
	case x == posInf:
		return x
	}
	e := int32(0)
	if x < 1.17549435e-38 {
		x *= 1 << 23
		e = -23
	}
	bits := math.Float32bits(x)
	e += int32(bits>>23) - 126
	m := math.Float32frombits(bits&0x7fffff | 0x3f000000) // in ½ to 1
	if m < sqrtHalf {
		e--
		m += m
	}
	m--
	z := m * m
	y := polynomial(m, logC[:]) * m * z
	k := float32(e)
	y += k * ln2Lo
	y -= 0.5 * z
	return m + y + k*ln2Hi
}

func log1p32(x float32) float32 {
	u := 1 + x
	if u == 1 || u == posInf {
		return x
	}
	return log32(u) * (x / (u - 1))
}

func tanh32(x float32) float32 {
	a := max(x, -x)
	if a < tanhCut {
		z := x * x
		return polynomial(z, tanhC[:])*z*x + x
	}
	y := 1 - 2/(exp32(a+a)+1)
	if x < 0 {
		return -y
	}
	return y
}

func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

func erf32(x float32) float32 {
	a, s := max(x, -x), x*x
	if a <= erfCut {
		return polynomial(s, erfC[:])*x + x
	}
	y := 1 - exp32(polynomial(a, erfD[:])*a-a)
	if x < 0 {
		return -y
	}
	return y
}
