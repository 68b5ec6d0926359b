// Package kernel computes on arrays of float32 in row-major order: matrix products,
// convolutions, pools, normalisations and what is done number by number, forwards
// and backwards. Images are examples×height×width×channels, kernels
// height×width×in×out.
//
// Built with GOEXPERIMENT=simd on amd64 the inner loops use AVX-512 or AVX2, whichever
// the processor has; see [Instructions]. Results do not depend on the number of
// threads: work is cut into parts by its size alone, and sums over parts are added in
// their order.
//
// Slices must have at least the sizes that the arguments say, and results must not
// overlap operands unless a function allows it; mistakes panic.
package kernel
