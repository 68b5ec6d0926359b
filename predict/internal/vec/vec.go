// Package vec holds the inner loops of the predictors: dot products, squared
// distances and sums of scaled rows.
//
// Results have the same bits on every platform. A sum runs in 16 lanes, element
// i in lane i mod 16, which are added in one fixed order; no product is fused
// with a sum. The AVX code for amd64 and the plain Go do the same operations in
// the same order, which a test checks. The build tag noasm leaves the assembly
// out.
package vec

// lanes is how many partial sums a sum has.
const lanes = 16

// Dot returns the scalar product of a and b, which are equally long.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	n := len(a) &^ (lanes - 1)
	s := 0.0
	if n > 0 {
		s = dot64(a[:n], b[:n])
	}
	for i := n; i < len(a); i++ {
		s += float64(a[i] * b[i])
	}
	return s
}

// Dot32 is [Dot] in single precision.
func Dot32(a, b []float32) float32 {
	b = b[:len(a)]
	n := len(a) &^ (lanes - 1)
	var s float32
	if n > 0 {
		s = dot32(a[:n], b[:n])
	}
	for i := n; i < len(a); i++ {
		s += float32(a[i] * b[i])
	}
	return s
}

// Distance32 returns the squared Euclidean distance between a and b, which are
// equally long.
func Distance32(a, b []float32) float32 {
	b = b[:len(a)]
	n := len(a) &^ (lanes - 1)
	var s float32
	if n > 0 {
		s = distance32(a[:n], b[:n])
	}
	for i := n; i < len(a); i++ {
		d := a[i] - b[i]
		s += float32(d * d)
	}
	return s
}

// Prefetch asks the processor for the first 512 bytes of x, which is not empty
// and will soon be read.
func Prefetch(x []float32) { prefetch(&x[0]) }

// chunk is after how many numbers [Within32] compares.
const chunk = 256

// Within32 returns the squared Euclidean distance between a and b, or a number
// above limit as soon as the distance is known to be.
func Within32(a, b []float32, limit float32) float32 {
	b = b[:len(a)]
	var s float32
	for len(a) > chunk {
		if s += distance32(a[:chunk], b[:chunk]); s > limit {
			return s
		}
		a, b = a[chunk:], b[chunk:]
	}
	return s + Distance32(a, b)
}

// Axpy adds s times x to dst, which are equally long.
func Axpy(dst []float64, s float64, x []float64) {
	x = x[:len(dst)]
	n := len(dst) &^ 3
	if n > 0 {
		axpy64(dst[:n], x[:n], s)
	}
	for i := n; i < len(dst); i++ {
		dst[i] += float64(s * x[i])
	}
}

// Axpy4 adds s[0] times row 0 of x to dst, then s[1] times row 1, and so on to
// row 3. Rows of x are as long as dst and stand one after the other.
func Axpy4(dst []float64, s *[4]float64, x []float64) {
	d := len(dst)
	x = x[:4*d]
	n := d &^ 3
	if n > 0 {
		axpy4(dst[:n], x, d, s)
	}
	for i := n; i < d; i++ {
		v := dst[i] + float64(s[0]*x[i])
		v += float64(s[1] * x[i+d])
		v += float64(s[2] * x[i+2*d])
		dst[i] = v + float64(s[3]*x[i+3*d])
	}
}

// sum64 adds the lanes in the order in which the assembly does.
func sum64(s *[lanes]float64) float64 {
	var r [4]float64
	for i := range r {
		r[i] = (s[i] + s[i+4]) + (s[i+8] + s[i+12])
	}
	return (r[0] + r[2]) + (r[1] + r[3])
}

func sum32(s *[lanes]float32) float32 {
	var r [8]float32
	for i := range r {
		r[i] = s[i] + s[i+8]
	}
	var q [4]float32
	for i := range q {
		q[i] = r[i] + r[i+4]
	}
	return (q[0] + q[2]) + (q[1] + q[3])
}

func plainDot64(a, b []float64) float64 {
	var s [lanes]float64
	for ; len(a) >= lanes; a, b = a[lanes:], b[lanes:] {
		x, y := (*[lanes]float64)(a), (*[lanes]float64)(b)
		for i := range lanes {
			s[i] += float64(x[i] * y[i])
		}
	}
	return sum64(&s)
}

func plainDot32(a, b []float32) float32 {
	var s [lanes]float32
	for ; len(a) >= lanes; a, b = a[lanes:], b[lanes:] {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		for i := range lanes {
			s[i] += float32(x[i] * y[i])
		}
	}
	return sum32(&s)
}

func plainDistance32(a, b []float32) float32 {
	var s [lanes]float32
	for ; len(a) >= lanes; a, b = a[lanes:], b[lanes:] {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		for i := range lanes {
			d := x[i] - y[i]
			s[i] += float32(d * d)
		}
	}
	return sum32(&s)
}

func plainAxpy64(dst, x []float64, s float64) {
	for i, v := range x {
		dst[i] += float64(s * v)
	}
}

func plainAxpy4(dst, x []float64, stride int, s *[4]float64) {
	x0, x1, x2, x3 := x[:len(dst)], x[stride:][:len(dst)], x[2*stride:][:len(dst)], x[3*stride:][:len(dst)]
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	for i := range dst {
		v := dst[i] + float64(s0*x0[i])
		v += float64(s1 * x1[i])
		v += float64(s2 * x2[i])
		dst[i] = v + float64(s3*x3[i])
	}
}
