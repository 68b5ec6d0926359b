//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"
	"unsafe"
)

// What differs between vectors of sixteen and of eight numbers.

type (
	f16 = archsimd.Float32x16
	f8  = archsimd.Float32x8
	i16 = archsimd.Int32x16
	i8  = archsimd.Int32x8
	m16 = archsimd.Mask32x16
	m8  = archsimd.Mask32x8
)

// Numbers of a vector.
const (
	n16 = 16
	n8  = 8
)

// first16 and first8 are masks of the first n lanes.
func first16(n int) m16 { return archsimd.Mask32x16FromBits(uint16(1<<max(min(n, 16), 0) - 1)) }

func first8(n int) m8 {
	return archsimd.LoadInt32x8((*[8]int32)(unsafe.Pointer(&ones[8-max(min(n, 8), 0)]))).ToMask()
}

var ones = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

func round16(x f16) f16 { return x.RoundToEvenScaled(0) }
func round8(x f8) f8    { return x.RoundToEven() }
func floor16(x f16) f16 { return x.FloorScaled(0) }
func floor8(x f8) f8    { return x.Floor() }
func ceil16(x f16) f16  { return x.CeilScaled(0) }
func ceil8(x f8) f8     { return x.Ceil() }

// sum16 and sum8 add the lanes, max16 and max8 take the largest.

func sum16(x f16) float32 { return sum8(x.GetLo().Add(x.GetHi())) }

func sum8(x f8) float32 {
	y := x.GetLo().Add(x.GetHi())
	y = y.AddPairs(y)
	return y.GetElem(0) + y.GetElem(1)
}

func max16(x f16) float32 { return max8(x.GetLo().Max(x.GetHi())) }

func max8(x f8) float32 {
	y := x.GetLo().Max(x.GetHi())
	return max(y.GetElem(0), y.GetElem(1), y.GetElem(2), y.GetElem(3))
}

func at(x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// index returns where the i-th number is.
func index(p unsafe.Pointer, i int) unsafe.Pointer { return unsafe.Add(p, i*4) }

// constants are vectors of one number, which load from memory for less than they are
// made of one.
var constants = func() (t [constantCount][16]float32) {
	set := func(k int, v ...float32) {
		for i, x := range v {
			for j := range t[k+i] {
				t[k+i][j] = x
			}
		}
	}
	set(kLog2e, log2e, ln2Hi, ln2Lo, 89, -104, -18, sqrtHalf, 1.17549435e-38, 1<<23)
	set(kHalf, 0.5, 1, 2, 3, 6, 1./6, 0.01, 23, posInf, negInf, nan, tanhCut, erfCut, 0.70710678118654752440, 0)
	set(kExp, expC[:]...)
	set(kLog, logC[:]...)
	set(kTanh, tanhC[:]...)
	set(kErf, erfC[:]...)
	set(kErfFar, erfD[:]...)
	return t
}()

// Places in constants.
const (
	kLog2e = iota
	kLn2Hi
	kLn2Lo
	kExpMax
	kExpMin
	kExpm1Min
	kSqrtHalf
	kNormal
	kTwo23
	kHalf
	kOne
	kTwo
	kThree
	kSix
	kSixth
	kHundredth
	k23
	kInf
	kNegInf
	kNaN
	kTanhCut
	kErfCut
	kSqrt1_2
	kZero
	kExp
	kLog          = kExp + 6
	kTanh         = kLog + 9
	kErf          = kTanh + 5
	kErfFar       = kErf + 6
	constantCount = kErfFar + 7
)

func k16(i int) f16 { return load16(unsafe.Pointer(&constants[i])) }
func k8(i int) f8   { return load8(unsafe.Pointer(&constants[i])) }

// run computes the strip.
func (t *strip) run() {
	switch use {
	case avx512:
		t.check()
		t.run16()
	case avx2:
		t.check()
		t.run8()
	default:
		t.generic()
	}
}

// check panics if a number lies outside of the slices, which the loops do not look at.
func (t *strip) check() {
	if t.rows < 1 || t.cols < 1 || t.cols > t.width {
		panic("kernel: an empty strip")
	}
	if k := len(t.at); k > 0 {
		_ = t.a[t.last+(t.rows-1)*t.aRow]
		_ = t.b[(k-1)*t.bRow+t.width-1]
	}
	_ = t.c[(t.rows-1)*t.cRow+t.cols-1]
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	switch use {
	case avx512:
		return dot16(a, b)
	case avx2:
		return dot8(a, b)
	}
	return genericDot(a, b)
}

func sum(x []float32) float32 {
	switch use {
	case avx512:
		return sumOf16(x)
	case avx2:
		return sumOf8(x)
	}
	return genericSum(x)
}

func squares(x []float32, m float32) float32 {
	switch use {
	case avx512:
		return squares16(x, m)
	case avx2:
		return squares8(x, m)
	}
	return genericSquares(x, m)
}

func largestOf(x []float32) float32 {
	switch use {
	case avx512:
		return largestOf16(x)
	case avx2:
		return largestOf8(x)
	}
	return genericLargest(x)
}

func addTo(to, x []float32) {
	x = x[:len(to)]
	done := 0
	switch use {
	case avx512:
		done = addTo16(to, x)
	case avx2:
		done = addTo8(to, x)
	}
	genericAddTo(to[done:], x[done:])
}

func addScaled(to, x []float32, f float32) {
	x = x[:len(to)]
	done := 0
	switch use {
	case avx512:
		done = addScaled16(to, x, f)
	case avx2:
		done = addScaled8(to, x, f)
	}
	genericAddScaled(to[done:], x[done:], f)
}

func addProduct(to, x, y []float32) {
	x, y = x[:len(to)], y[:len(to)]
	done := 0
	switch use {
	case avx512:
		done = addProduct16(to, x, y)
	case avx2:
		done = addProduct8(to, x, y)
	}
	genericAddProduct(to[done:], x[done:], y[done:])
}

func normRow(to, x, gamma, beta []float32, m, r float32) {
	x = x[:len(to)]
	if gamma != nil {
		gamma, beta = gamma[:len(to)], beta[:len(to)]
	}
	switch use {
	case avx512:
		normRow16(to, x, gamma, beta, m, r)
	case avx2:
		normRow8(to, x, gamma, beta, m, r)
	default:
		genericNormRow(to, x, gamma, beta, m, r)
	}
}

func addDeviations(acc, dy, x []float32, m, r float32) {
	dy, x = dy[:len(acc)], x[:len(acc)]
	done := 0
	switch use {
	case avx512:
		done = addDeviations16(acc, dy, x, m, r)
	case avx2:
		done = addDeviations8(acc, dy, x, m, r)
	}
	genericAddDeviations(acc[done:], dy[done:], x[done:], m, r)
}

// The following look only at the last number of what they read.

func columnSums(acc, x []float32, rows, n int) {
	_, _ = acc[n-1], x[rows*n-1]
	switch use {
	case avx512:
		columnSums16(acc, x, rows, n)
	case avx2:
		columnSums8(acc, x, rows, n)
	default:
		genericColumnSums(acc, x, rows, n)
	}
}

func columnMoments(acc, x, m []float32, rows, n int) {
	_, _, _ = acc[2*n-1], x[rows*n-1], m[n-1]
	switch use {
	case avx512:
		columnMoments16(acc, x, m, rows, n)
	case avx2:
		columnMoments8(acc, x, m, rows, n)
	default:
		genericColumnMoments(acc, x, m, rows, n)
	}
}

func columnProducts(acc, dy, x, m []float32, rows, n int) {
	_, _, _, _ = acc[2*n-1], dy[rows*n-1], x[rows*n-1], m[n-1]
	switch use {
	case avx512:
		columnProducts16(acc, dy, x, m, rows, n)
	case avx2:
		columnProducts8(acc, dy, x, m, rows, n)
	default:
		genericColumnProducts(acc, dy, x, m, rows, n)
	}
}

func centreScale(to, x, m, f, s []float32, rows, n int) {
	_, _, _, _, _ = to[rows*n-1], x[rows*n-1], m[n-1], f[n-1], s[n-1]
	switch use {
	case avx512:
		centreScale16(to, x, m, f, s, rows, n)
	case avx2:
		centreScale8(to, x, m, f, s, rows, n)
	default:
		genericCentreScale(to, x, m, f, s, rows, n)
	}
}

func normGradient(dx, dy, x, a, b, d, m []float32, rows, n int) {
	_, _, _, _, _, _, _ = dx[rows*n-1], dy[rows*n-1], x[rows*n-1], a[n-1], b[n-1], d[n-1], m[n-1]
	switch use {
	case avx512:
		normGradient16(dx, dy, x, a, b, d, m, rows, n)
	case avx2:
		normGradient8(dx, dy, x, a, b, d, m, rows, n)
	default:
		genericNormGradient(dx, dy, x, a, b, d, m, rows, n)
	}
}

// unaryBlock is how many numbers a function is computed of at a time, with what it
// needs in between on the stack.
const unaryBlock = 256

func (u Unary) vector(dst, x []float32) bool {
	if use == generic || u == Sin || u == Cos {
		return false
	}
	for len(x) >= unaryBlock {
		u.block(dst[:unaryBlock], x[:unaryBlock])
		dst, x = dst[unaryBlock:], x[unaryBlock:]
	}
	if n := len(x) &^ 15; n > 0 {
		u.block(dst[:n], x[:n])
		dst, x = dst[n:], x[n:]
	}
	if len(x) > 0 { // through the same loop, so that a number's place does not matter
		var from, to [16]float32
		copy(from[:], x)
		u.block(to[:], from[:])
		copy(dst, to[:])
	}
	return true
}

func (u Unary) block(dst, x []float32) {
	var room [unaryBlock]float32
	if use == avx512 {
		u.block16(at(dst), at(x), unsafe.Pointer(&room), len(x))
	} else {
		u.block8(at(dst), at(x), unsafe.Pointer(&room), len(x))
	}
}

func (o Binary) vector(dst, a, b []float32, as, bs int) int {
	switch use {
	case avx512:
		return o.vector16(dst, a, b, as, bs)
	case avx2:
		return o.vector8(dst, a, b, as, bs)
	}
	return 0
}

// vector compares by AVX-512, and returns how many numbers it did.
func (o Comparison) vector(dst []bool, a, b []float32, as, bs int) int {
	n := len(dst) &^ 15
	if use != avx512 || n == 0 {
		return 0
	}
	p, q := at(a), at(b)
	one := archsimd.BroadcastInt8x16(1)
	for i := 0; i < n; i += 16 {
		x, y := load16(p), load16(q)
		var m m16
		switch o {
		case Equal:
			m = x.Equal(y)
		case NotEqual:
			m = x.NotEqual(y)
		case Less:
			m = x.Less(y)
		case LessEqual:
			m = x.LessEqual(y)
		case Greater:
			m = x.Greater(y)
		default:
			m = x.GreaterEqual(y)
		}
		bytes := archsimd.Mask8x16FromBits(m.ToBits()).ToInt8x16().And(one)
		bytes.Store((*[16]int8)(unsafe.Pointer(&dst[i])))
		p, q = unsafe.Add(p, as*64), unsafe.Add(q, bs*64)
	}
	return n
}

func selectVector(dst []float32, which []bool, a, b []float32) int {
	n := len(dst) &^ 15
	if use != avx512 || n == 0 {
		return 0
	}
	var zero i16
	for i := 0; i < n; i += 16 {
		m := archsimd.LoadInt8x16((*[16]int8)(unsafe.Pointer(&which[i]))).ExtendToInt32().NotEqual(zero)
		store16(index(at(dst), i), load16(index(at(a), i)).Merge(load16(index(at(b), i)), m))
	}
	return n
}

func depthRow(dst, src, w []float32, at []int, c, pixels, srcStep, dstStep int) {
	_, _, _ = dst[(pixels-1)*dstStep+c-1], src[(pixels-1)*srcStep+largest(at)+c-1], w[len(at)*c-1]
	switch use {
	case avx512:
		depthRow16(dst, src, w, at, c, pixels, srcStep, dstStep)
	case avx2:
		depthRow8(dst, src, w, at, c, pixels, srcStep, dstStep)
	default:
		genericDepthRow(dst, src, w, at, c, pixels, srcStep, dstStep)
	}
}

func depthRowWeights(dw, src, dy []float32, c, taps, pixels, srcStep, tapStep int) {
	_, _, _ = dw[taps*c-1], src[(pixels-1)*srcStep+(taps-1)*tapStep+c-1], dy[pixels*c-1]
	switch use {
	case avx512:
		depthRowWeights16(dw, src, dy, c, taps, pixels, srcStep, tapStep)
	case avx2:
		depthRowWeights8(dw, src, dy, c, taps, pixels, srcStep, tapStep)
	default:
		genericDepthRowWeights(dw, src, dy, c, taps, pixels, srcStep, tapStep)
	}
}

func finishRows(c, add, bias []float32, rows, n, stride int, how clip) {
	_ = c[(rows-1)*stride+n-1]
	if add != nil {
		_ = add[(rows-1)*stride+n-1]
	}
	if bias != nil {
		_ = bias[n-1]
	}
	switch use {
	case avx512:
		finishRows16(c, add, bias, rows, n, stride, how)
	case avx2:
		finishRows8(c, add, bias, rows, n, stride, how)
	default:
		genericFinishRows(c, add, bias, rows, n, stride, how)
	}
}

func toLargest(grad, image, dy []float32, at []int) {
	last := largest(at) + len(dy) - 1
	_, _ = grad[last], image[last]
	done := 0
	switch use {
	case avx512:
		done = toLargest16(grad, image, dy, at)
	case avx2:
		done = toLargest8(grad, image, dy, at)
	}
	if done < len(dy) {
		genericToLargest(grad[done:], image[done:], dy[done:], at)
	}
}

func expShifted(dst, x []float32, shift float32) float32 {
	dst = dst[:len(x)]
	switch use {
	case avx512:
		return expShifted16(dst, x, shift)
	case avx2:
		return expShifted8(dst, x, shift)
	}
	return genericExpShifted(dst, x, shift)
}

// rowsVector computes the function of rows of n numbers and one row, which is on the
// left or on the right, and reports whether it did.
func (o Binary) rowsVector(dst, a, row []float32, n int, left bool) bool {
	if n < 8 || n > 512 || len(dst) == 0 { // long rows are as fast one by one
		return false
	}
	rows := len(dst) / n
	_, _, _ = dst[rows*n-1], a[rows*n-1], row[n-1]
	if left && (o == Sub || o == Div) {
		return false
	}
	switch use {
	case avx512:
		return o.rows16(dst, a, row, rows, n)
	case avx2:
		return o.rows8(dst, a, row, rows, n)
	}
	return false
}
