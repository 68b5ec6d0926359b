package kernel

// Depthwise convolutions go through the channels of a pixel, which lie together.

// depthBlock computes rows of an image.
func (t *taps) depthBlock(dst, src []float32, rows int) {
	for y := range rows {
		depthRow(dst[y*t.everyH*t.dstW*t.dstC:], src[y*t.stepH*t.width*t.srcC:], t.b, t.at, t.srcC, t.w, t.stepW*t.srcC, t.everyW*t.dstC)
	}
}

// genericDepthRow computes pixels of c channels, which are so far apart:
//
//	dst[q·dstStep] = Σₜ src[q·srcStep + at[t]]·w[t·c]
func genericDepthRow(dst, src, w []float32, at []int, c, pixels, srcStep, dstStep int) {
	for q := range pixels {
		to := dst[q*dstStep:][:c]
		clear(to)
		for t, k := range at {
			genericAddProduct(to, src[q*srcStep+k:], w[t*c:])
		}
	}
}

// depthWeights adds the gradient of rows of an image, which may be padded and is so
// many pixels wide.
func (o *Conv) depthWeights(dw, src, dy []float32, rows, width int) {
	for y := range rows {
		for r := range o.R {
			from := src[(y*o.StrideH+r*o.DilationH)*width*o.C:]
			depthRowWeights(dw[r*o.S*o.C:][:o.S*o.C], from, dy[y*o.OutW*o.C:], o.C, o.S, o.OutW, o.StrideW*o.C, o.DilationW*o.C)
		}
	}
}

// genericDepthRowWeights adds products of dy and pixels, c numbers each:
//
//	dw[s·c] += Σ_q src[q·srcStep + s·tapStep]·dy[q·c]
func genericDepthRowWeights(dw, src, dy []float32, c, taps, pixels, srcStep, tapStep int) {
	for s := range taps {
		for q := range pixels {
			genericAddProduct(dw[s*c:][:c], src[q*srcStep+s*tapStep:], dy[q*c:])
		}
	}
}
