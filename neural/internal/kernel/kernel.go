// Package kernel computes on arrays of float32 in row-major order: matrix products,
// convolutions, pools, normalisations and what is done number by number, forwards
// and backwards. Images are examples×height×width×channels, kernels
// height×width×in×out.
//
// Built with GOEXPERIMENT=simd on amd64 the inner loops use AVX-512 or AVX2, whichever
// the processor has. Results do not depend on the number of threads.
package kernel
