//go:build !(goexperiment.simd && amd64)

package kernel

func dot(a, b []float32) float32           { return genericDot(a, b) }
func addTo(to, x []float32)                { genericAddTo(to, x) }
func addScaled(to, x []float32, f float32) { genericAddScaled(to, x, f) }
func addProduct(to, x, y []float32)        { genericAddProduct(to, x, y) }

func sum(x []float32) float32                            { return genericSum(x) }
func squares(x []float32, m float32) float32             { return genericSquares(x, m) }
func largestOf(x []float32) float32                      { return genericLargest(x) }
func normRow(to, x, gamma, beta []float32, m, r float32) { genericNormRow(to, x, gamma, beta, m, r) }
func addDeviations(acc, dy, x []float32, m, r float32)   { genericAddDeviations(acc, dy, x, m, r) }
func columnSums(acc, x []float32, rows, n int)           { genericColumnSums(acc, x, rows, n) }
func columnMoments(acc, x, m []float32, rows, n int)     { genericColumnMoments(acc, x, m, rows, n) }
func columnProducts(acc, dy, x, m []float32, rows, n int) {
	genericColumnProducts(acc, dy, x, m, rows, n)
}
func centreScale(to, x, m, f, s []float32, rows, n int) { genericCentreScale(to, x, m, f, s, rows, n) }
func normGradient(dx, dy, x, a, b, d, m []float32, rows, n int) {
	genericNormGradient(dx, dy, x, a, b, d, m, rows, n)
}
func (u Unary) vector(dst, x []float32) bool                           { return false }
func (o Binary) vector(dst, a, b []float32, as, bs int) int            { return 0 }
func (o Comparison) vector(dst []bool, a, b []float32, as, bs int) int { return 0 }
func selectVector(dst []float32, which []bool, a, b []float32) int     { return 0 }

func depthRow(dst, src, w []float32, at []int, c, pixels, srcStep, dstStep int) {
	genericDepthRow(dst, src, w, at, c, pixels, srcStep, dstStep)
}

func depthRowWeights(dw, src, dy []float32, c, taps, pixels, srcStep, tapStep int) {
	genericDepthRowWeights(dw, src, dy, c, taps, pixels, srcStep, tapStep)
}

func finishRows(c, add, bias []float32, rows, n, stride int, how clip) {
	genericFinishRows(c, add, bias, rows, n, stride, how)
}

func toLargest(grad, image, dy []float32, at []int) { genericToLargest(grad, image, dy, at) }

func expShifted(dst, x []float32, shift float32) float32 { return genericExpShifted(dst, x, shift) }

func (o Binary) rowsVector(dst, a, b []float32, n int, left bool) bool { return false }
