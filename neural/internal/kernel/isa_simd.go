//go:build goexperiment.simd && amd64 && !race

package kernel

import "simd/archsimd"

func best() isa {
	switch x := archsimd.X86; {
	case x.AVX512():
		return avx512
	case x.AVX2() && x.FMA():
		return avx2
	}
	return generic
}
