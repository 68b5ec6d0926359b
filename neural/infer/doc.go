// Package infer computes networks fast, in pure Go: for latency where there is no other
// runtime, and for scores of networks that were not trained.
//
//	n, err := infer.Compile(g, w, infer.Options{})
//	out, err := n.Run(image)     // image: channels×height×width
//
// A network is compiled once for a batch size. Batch normalisation is multiplied into
// the convolution or linear operator before it, which also adds a residual and applies
// an activation while its result is in the cache; results that are not needed at the
// same time share their memory. Run allocates nothing with one thread.
//
// Arithmetic is in float32 with AVX-512 or AVX2 if the program was built with
// GOEXPERIMENT=simd, see [Instructions]. Results agree with package reference to a few
// units in the sixth digit, and do not depend on the number of threads.
package infer
