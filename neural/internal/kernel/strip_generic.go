//go:build !(goexperiment.simd && amd64)

package kernel

// run computes the strip.
func (t *strip) run() { t.generic() }
