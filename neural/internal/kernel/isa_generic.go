//go:build !(goexperiment.simd && amd64) || race

package kernel

// best is none with the race detector too: it does not see what vectors read and write,
// and takes loads of which a mask leaves out the numbers beyond a slice for mistakes.
func best() isa { return generic }
