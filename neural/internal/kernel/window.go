package kernel

// A Window is a pool: R×S windows that move over N images of H×W pixels and C
// channels and give OutH×OutW pixels. What lies outside of the image counts as
// nothing. Window (p, q) begins at p·StrideH − Top and q·StrideW − Left.
type Window struct {
	N, H, W, C, R, S, StrideH, StrideW, Top, Left, OutH, OutW int
}

// rows calls f for all rows of the results.
func (o *Window) rows(p *Pool, f func(lo, hi int)) {
	p.For(o.N*o.OutH, grain(o.OutW*o.C*o.R), f)
}

// images calls f for parts of the images.
func (o *Window) images(p *Pool, f func(lo, hi int)) { p.For(o.N, grain(o.H*o.W*o.C), f) }

// inside returns the rows and columns of the image that a window covers.
func (o *Window) inside(y, x int) (h0, h1, w0, w1 int) {
	h, w := y*o.StrideH-o.Top, x*o.StrideW-o.Left
	return max(h, 0), min(h+o.R, o.H), max(w, 0), min(w+o.S, o.W)
}

// MaxForward takes the largest number of every window; of a window that covers no
// pixel, −∞.
func (o *Window) MaxForward(p *Pool, dst, x []float32) {
	if p == nil {
		o.maxRows(dst, x, 0, o.N*o.OutH)
		return
	}
	o.rows(p, func(lo, hi int) { o.maxRows(dst, x, lo, hi) })
}

func (o *Window) maxRows(dst, x []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		n, y := i/o.OutH, i%o.OutH
		for q := range o.OutW {
			to := dst[(i*o.OutW+q)*o.C:][:o.C]
			h0, h1, w0, w1 := o.inside(y, q)
			first := true
			for h := h0; h < h1; h++ {
				for w := w0; w < w1; w++ {
					src := x[((n*o.H+h)*o.W+w)*o.C:][:o.C]
					if first {
						copy(to, src)
						first = false
						continue
					}
					Max.Apply(to, to, src)
				}
			}
			if first {
				fill(to, negInf)
			}
		}
	}
}

// MaxBackward computes the gradient by x: that of every window goes to the first of
// its largest numbers.
func (o *Window) MaxBackward(p *Pool, dx, dy, x []float32) {
	o.images(p, func(lo, hi int) { o.maxBack(dx, dy, x, lo, hi) })
}

func (o *Window) maxBack(dx, dy, x []float32, lo, hi int) {
	room := integers(o.R * o.S)
	defer dropIntegers(room)
	for n := lo; n < hi; n++ {
		image, grad := x[n*o.H*o.W*o.C:][:o.H*o.W*o.C], dx[n*o.H*o.W*o.C:][:o.H*o.W*o.C]
		clear(grad)
		for y := range o.OutH {
			for q := range o.OutW {
				at := (*room)[:0]
				h0, h1, w0, w1 := o.inside(y, q)
				for h := h0; h < h1; h++ {
					for w := w0; w < w1; w++ {
						at = append(at, (h*o.W+w)*o.C)
					}
				}
				if len(at) > 0 {
					toLargest(grad, image, dy[((n*o.OutH+y)*o.OutW+q)*o.C:][:o.C], at)
				}
			}
		}
	}
}

// genericToLargest adds dy, of as many channels, to the first of the largest numbers at
// some pixels; NaN counts as the largest.
func genericToLargest(grad, image, dy []float32, at []int) {
	for c, g := range dy {
		best := at[0] + c
		for _, k := range at[1:] {
			if v, b := image[k+c], image[best]; v > b || v != v && b == b {
				best = k + c
			}
		}
		grad[best] += g
	}
}

// SumForward adds the numbers of every window.
func (o *Window) SumForward(p *Pool, dst, x []float32) {
	if p == nil {
		o.sumRows(dst, x, 0, o.N*o.OutH)
		return
	}
	o.rows(p, func(lo, hi int) { o.sumRows(dst, x, lo, hi) })
}

// side returns the windows of a row whose column s is inside, where windows move by one
// column, and the column of the image that the first of them covers with it.
func (o *Window) side(s int) (q0, q1, w int) {
	q0 = max(o.Left-s, 0)
	return q0, min(o.W+o.Left-s, o.OutW), q0 - o.Left + s
}

func (o *Window) sumRows(dst, x []float32, lo, hi int) {
	for i := lo; i < hi; i++ {
		n, y := i/o.OutH, i%o.OutH
		if o.StrideW == 1 { // whole rows at a time, in the same order
			clear(dst[i*o.OutW*o.C:][:o.OutW*o.C])
			h0, h1, _, _ := o.inside(y, 0)
			for h := h0; h < h1; h++ {
				for s := range o.S {
					if q0, q1, w := o.side(s); q0 < q1 {
						addTo(dst[(i*o.OutW+q0)*o.C:][:(q1-q0)*o.C], x[((n*o.H+h)*o.W+w)*o.C:])
					}
				}
			}
			continue
		}
		for q := range o.OutW {
			to := dst[(i*o.OutW+q)*o.C:][:o.C]
			clear(to)
			h0, h1, w0, w1 := o.inside(y, q)
			for h := h0; h < h1; h++ {
				for w := w0; w < w1; w++ {
					addTo(to, x[((n*o.H+h)*o.W+w)*o.C:])
				}
			}
		}
	}
}

// SumBackward computes the gradient by x: every number gets that of all windows which
// cover it.
func (o *Window) SumBackward(p *Pool, dx, dy []float32) {
	o.images(p, func(lo, hi int) {
		for n := lo; n < hi; n++ {
			grad := dx[n*o.H*o.W*o.C:][:o.H*o.W*o.C]
			clear(grad)
			for y := range o.OutH {
				if o.StrideW == 1 { // whole rows at a time, in the same order
					h0, h1, _, _ := o.inside(y, 0)
					for h := h0; h < h1; h++ {
						for s := o.S - 1; s >= 0; s-- {
							if q0, q1, w := o.side(s); q0 < q1 {
								addTo(grad[(h*o.W+w)*o.C:][:(q1-q0)*o.C], dy[((n*o.OutH+y)*o.OutW+q0)*o.C:])
							}
						}
					}
					continue
				}
				for q := range o.OutW {
					from := dy[((n*o.OutH+y)*o.OutW+q)*o.C:][:o.C]
					h0, h1, w0, w1 := o.inside(y, q)
					for h := h0; h < h1; h++ {
						for w := w0; w < w1; w++ {
							addTo(grad[(h*o.W+w)*o.C:][:o.C], from)
						}
					}
				}
			}
		}
	})
}

// Counts writes how many pixels of the image each of the OutH×OutW windows covers.
func (o *Window) Counts(to []int) {
	for y := range o.OutH {
		for q := range o.OutW {
			h0, h1, w0, w1 := o.inside(y, q)
			to[y*o.OutW+q] = max(0, h1-h0) * max(0, w1-w0)
		}
	}
}
