//go:build !noasm

package vec

// useAVX says whether processor and system know 256-bit registers.
var useAVX = hasAVX()

//go:noescape
func hasAVX() bool

// The lengths that the assembly is given are positive multiples of 16, for
// axpy of 4.

//go:noescape
func dot64AVX(a, b *float64, n int) float64

//go:noescape
func dot32AVX(a, b *float32, n int) float32

//go:noescape
func distance32AVX(a, b *float32, n int) float32

//go:noescape
func axpy64AVX(dst, x *float64, n int, s float64)

//go:noescape
func axpy4AVX(dst, x *float64, n, stride int, s *[4]float64)

//go:noescape
func prefetch(p *float32)

func dot64(a, b []float64) float64 {
	if useAVX {
		return dot64AVX(&a[0], &b[0], len(a))
	}
	return plainDot64(a, b)
}

func dot32(a, b []float32) float32 {
	if useAVX {
		return dot32AVX(&a[0], &b[0], len(a))
	}
	return plainDot32(a, b)
}

func distance32(a, b []float32) float32 {
	if useAVX {
		return distance32AVX(&a[0], &b[0], len(a))
	}
	return plainDistance32(a, b)
}

func axpy64(dst, x []float64, s float64) {
	if useAVX {
		axpy64AVX(&dst[0], &x[0], len(dst), s)
		return
	}
	plainAxpy64(dst, x, s)
}

func axpy4(dst, x []float64, stride int, s *[4]float64) {
	if useAVX {
		axpy4AVX(&dst[0], &x[0], len(dst), stride, s)
		return
	}
	plainAxpy4(dst, x, stride, s)
}
