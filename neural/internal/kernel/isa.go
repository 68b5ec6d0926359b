package kernel

// isa is a set of vector instructions.
type isa uint8

const (
	generic isa = iota
	avx2        // with FMA
	avx512
)

// use is the set that kernels are computed with. Tests change it.
var use = best()

// Instructions names the vector instructions that are used: "AVX-512", "AVX2", or
// "none" without GOEXPERIMENT=simd or on other processors.
func Instructions() string { return [...]string{"none", "AVX2", "AVX-512"}[use] }

// widths returns how many columns a panel of a product has, and the last one, if so
// many are left or fewer.
func (s isa) widths() (wide, narrow int) {
	switch s {
	case avx512:
		return 32, 16
	case avx2:
		return 16, 8
	}
	return 4, 4
}
