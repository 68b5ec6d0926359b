//go:build !amd64 || noasm

package vec

func dot64(a, b []float64) float64                      { return plainDot64(a, b) }
func dot32(a, b []float32) float32                      { return plainDot32(a, b) }
func distance32(a, b []float32) float32                 { return plainDistance32(a, b) }
func axpy64(dst, x []float64, s float64)                { plainAxpy64(dst, x, s) }
func axpy4(dst, x []float64, stride int, s *[4]float64) { plainAxpy4(dst, x, stride, s) }
func prefetch(*float32)                                 {}
