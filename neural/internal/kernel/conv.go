package kernel

// A Conv is a convolution of N images of H×W pixels and C channels with K kernels of
// R×S, which give OutH×OutW pixels. Pixel (p, q) of the result reads pixels
// p·StrideH + r·DilationH − Top and q·StrideW + s·DilationW − Left; what lies outside
// of the image is 0. Top and Left may be negative.
type Conv struct {
	N, H, W, C, K, R, S, StrideH, StrideW, DilationH, DilationW, Top, Left, OutH, OutW, Groups int
}

// Depthwise reports whether every channel has one kernel of its own.
func (o *Conv) Depthwise() bool { return o.Groups == o.C && o.K == o.C && o.C > 1 }

// point reports whether the convolution is a product of matrices.
func (o *Conv) point() bool {
	return o.R == 1 && o.S == 1 && o.StrideH == 1 && o.StrideW == 1 && o.Top == 0 && o.Left == 0 && o.Groups == 1 && o.OutH == o.H && o.OutW == o.W
}

// Forward computes the convolution of x into dst. The weight w is R×S×C/Groups×K.
func (o *Conv) Forward(p *Pool, dst, x, w []float32) {
	switch {
	case o.Depthwise():
		o.forward(p, dst, x, w, nil)
	case o.point():
		MatMul(p, dst, o.N*o.H*o.W, o.K, o.C, x, false, w, false, false)
	default:
		room := buffer(o.packedSize())
		o.pack(*room, w)
		o.forward(p, dst, x, *room, nil)
		drop(room)
	}
}

// BackwardInput computes the gradient of the convolution by x from that by its result.
func (o *Conv) BackwardInput(p *Pool, dx, dy, w []float32) {
	switch {
	case o.point():
		MatMul(p, dx, o.N*o.H*o.W, o.C, o.K, dy, false, w, true, false)
	default:
		o.backwardInput(p, dx, dy, w)
	}
}

// BackwardWeight computes the gradient of the convolution by w from that by its
// result.
func (o *Conv) BackwardWeight(p *Pool, dw, x, dy []float32) {
	switch {
	case o.point():
		MatMul(p, dw, o.C, o.K, o.N*o.H*o.W, x, true, dy, false, false)
	default:
		o.backwardWeight(p, dw, x, dy)
	}
}

// taps is a sum over shifted pixels, as which a convolution and its gradient by the
// image are computed:
//
//	dst[n, toH + y·everyH, toW + x·everyW] = Σₜ src[n, y·stepH + dy[t], x·stepW + dx[t]] · B[t]
//
// with a matrix B of in×out for each group of channels.
type taps struct {
	dst, src                   []float32
	srcH, srcW, srcC           int
	dstH, dstW, dstC           int
	toH, toW, everyH, everyW   int
	h, w                       int // pixels of an image that are computed
	stepH, stepW               int
	dy, dx                     []int
	groups, in, out            int
	b                          []float32 // panels of each group after each other
	top, left, bottom, right   int       // the least and largest of dy and dx
	wide, narrow, panels, rows int
	at                         []int // where in the padded image the numbers of a pixel lie
	depth                      bool  // every channel is a group; b has a row of channels for each tap
	copied                     bool  // into a padded image
	width                      int   // of it, or of src
	images                     int
	end                        *Epilogue // of results that lie together; may be nil
}

// panelled returns how many numbers panels of a matrix take.
func panelled(rows, cols int) int {
	wide, _ := use.widths()
	return rows * ((cols + wide - 1) / wide * wide)
}

// do computes images.
func (t *taps) do(p *Pool) {
	t.wide, t.narrow = use.widths()
	t.panels = (t.out + t.wide - 1) / t.wide
	t.top, t.bottom, t.left, t.right = t.dy[0], t.dy[0], t.dx[0], t.dx[0]
	for i, y := range t.dy {
		t.top, t.bottom = min(t.top, y), max(t.bottom, y)
		t.left, t.right = min(t.left, t.dx[i]), max(t.right, t.dx[i])
	}
	t.copied = t.top < 0 || t.left < 0 || (t.h-1)*t.stepH+t.bottom >= t.srcH || (t.w-1)*t.stepW+t.right >= t.srcW
	t.width = t.srcW
	if t.copied {
		t.width = (t.w-1)*t.stepW + t.right - t.left + 1
	}
	t.rows = min(t.h, max(1, chunk/(t.stepH*t.width*t.srcC)))
	room := integers(len(t.dy) * t.in)
	defer dropIntegers(room)
	t.at = *room
	for i, y := range t.dy {
		from := ((y-t.top)*t.width + t.dx[i] - t.left) * t.srcC
		for c := range t.in {
			t.at[i*t.in+c] = from + c
		}
	}
	blocks := t.images * ((t.h + t.rows - 1) / t.rows)
	if p == nil || blocks == 1 {
		t.blocks(0, blocks)
		return
	}
	share(p, *t, blocks)
}

func share(p *Pool, t taps, blocks int) { p.For(blocks, 1, t.blocks) }

// blocks computes blocks of rows of images.
func (t *taps) blocks(lo, hi int) {
	var room *[]float32
	if t.copied {
		room = buffer(((t.rows-1)*t.stepH + t.bottom - t.top + 1) * t.width * t.srcC)
		defer drop(room)
	}
	each := (t.h + t.rows - 1) / t.rows
	for i := lo; i < hi; i++ {
		n, y0 := i/each, i%each*t.rows
		rows := min(t.rows, t.h-y0)
		src := t.src[n*t.srcH*t.srcW*t.srcC:][:t.srcH*t.srcW*t.srcC]
		top := y0*t.stepH + t.top
		if t.copied {
			height := (rows-1)*t.stepH + t.bottom - t.top + 1
			pad(*room, height, t.width, src, t.srcH, t.srcW, t.srcC, top, t.left)
			src = *room
		} else {
			src = src[(top*t.srcW+t.left)*t.srcC:]
		}
		to := ((n*t.dstH+t.toH+y0*t.everyH)*t.dstW + t.toW) * t.dstC
		dst := t.dst[to:]
		if t.depth {
			t.depthBlock(dst, src, rows)
		} else {
			t.block(dst, src, rows)
		}
		if t.end != nil {
			t.end.finish(dst, to, 0, rows*t.w, t.dstC, t.dstC)
		}
	}
}

// pad copies height×width pixels of an image, from a row and column on that may lie
// outside of it, where zeros are.
func pad(to []float32, height, width int, src []float32, h, w, c, top, left int) {
	from, end := max(0, -left), max(0, min(width, w-left))
	for y := range height {
		row := to[y*width*c:][:width*c]
		if y+top < 0 || y+top >= h || from >= end {
			clear(row)
			continue
		}
		clear(row[:from*c])
		copy(row[from*c:end*c], src[((y+top)*w+left+from)*c:])
		clear(row[end*c:])
	}
}

// block computes rows of an image.
func (t *taps) block(dst, src []float32, rows int) {
	s := strip{aRow: t.stepW * t.srcC, cRow: t.everyW * t.dstC, rows: t.w}
	k := len(t.at)
	size := t.panels * t.wide * k
	for g := range t.groups {
		for i := range t.panels {
			j := i * t.wide
			s.cols, s.width = min(t.wide, t.out-j), t.wide
			if s.cols <= t.narrow {
				s.width = t.narrow
			}
			s.bRow = s.width
			b := t.b[g*size+j*k:]
			for from := 0; from < k; from += stepK {
				s.at = t.at[from:min(from+stepK, k)]
				s.last = largest(s.at)
				s.b = b[from*s.width:]
				s.add = from > 0
				for y := range rows {
					s.a = src[y*t.stepH*t.width*t.srcC+g*t.in:]
					s.c = dst[y*t.everyH*t.dstW*t.dstC+g*t.out+j:]
					s.run()
				}
			}
		}
	}
}

func largest(x []int) int {
	m := x[0]
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// packedSize is how many numbers the weight takes in panels.
func (o *Conv) packedSize() int { return o.Groups * panelled(o.R*o.S*o.C/o.Groups, o.K/o.Groups) }

// pack copies the weight into panels.
func (o *Conv) pack(to, w []float32) {
	wide, narrow := use.widths()
	rows, cols := o.R*o.S*o.C/o.Groups, o.K/o.Groups
	for g := range o.Groups {
		m := Gemm{N: cols, K: rows, B: o.K}
		m.packPanels(to[g*panelled(rows, cols):], w[g*cols:], 0, cols, wide, narrow, 0, (cols+wide-1)/wide)
	}
}

// forward computes the convolution with a packed weight, or a depthwise one, and an
// epilogue that may be nil.
func (o *Conv) forward(p *Pool, dst, x, packed []float32, e *Epilogue) {
	at := integers(2 * o.R * o.S)
	defer dropIntegers(at)
	dy, dx := (*at)[:0:o.R*o.S], (*at)[o.R*o.S:o.R*o.S]
	for r := range o.R {
		for s := range o.S {
			dy, dx = append(dy, r*o.DilationH-o.Top), append(dx, s*o.DilationW-o.Left)
		}
	}
	t := taps{
		dst: dst, src: x, images: o.N, srcH: o.H, srcW: o.W, srcC: o.C, dstH: o.OutH, dstW: o.OutW, dstC: o.K,
		everyH: 1, everyW: 1, h: o.OutH, w: o.OutW, stepH: o.StrideH, stepW: o.StrideW,
		dy: dy, dx: dx, groups: o.Groups, in: o.C / o.Groups, out: o.K / o.Groups, b: packed, depth: o.Depthwise(), end: e,
	}
	t.do(p)
}

// backwardInput computes the pixels of the image in as many parts as the strides
// multiply to. Those of a part have the same taps: of the kernel's rows r those for
// which (y + Top − r·DilationH) is divided by StrideH, and of the columns likewise.
func (o *Conv) backwardInput(p *Pool, dx, dy, w []float32) {
	in, out := o.C/o.Groups, o.K/o.Groups
	size := o.R * o.S * o.C
	if !o.Depthwise() {
		size = o.Groups * panelled(o.R*o.S*out, in)
	}
	room := buffer(size)
	defer drop(room)
	at := integers(4 * o.R * o.S)
	defer dropIntegers(at)
	for h := range min(o.StrideH, o.H) {
		for v := range min(o.StrideW, o.W) {
			n := o.R * o.S
			ty, tx, tr, ts := (*at)[:0:n], (*at)[n:n:2*n], (*at)[2*n:2*n:3*n], (*at)[3*n:3*n]
			for r := range o.R {
				for s := range o.S {
					y, x := h+o.Top-r*o.DilationH, v+o.Left-s*o.DilationW
					if y%o.StrideH == 0 && x%o.StrideW == 0 {
						ty, tx, tr, ts = append(ty, y/o.StrideH), append(tx, x/o.StrideW), append(tr, r), append(ts, s)
					}
				}
			}
			t := taps{
				dst: dx, src: dy, images: o.N, srcH: o.OutH, srcW: o.OutW, srcC: o.K, dstH: o.H, dstW: o.W, dstC: o.C,
				toH: h, toW: v, everyH: o.StrideH, everyW: o.StrideW, h: (o.H - h + o.StrideH - 1) / o.StrideH, w: (o.W - v + o.StrideW - 1) / o.StrideW,
				stepH: 1, stepW: 1, dy: ty, dx: tx, groups: o.Groups, in: out, out: in, b: *room, depth: o.Depthwise(),
			}
			if len(ty) == 0 {
				t.zero(p)
				continue
			}
			if !t.depth {
				o.packTurned(*room, w, tr, ts)
			} else {
				for i := range tr {
					copy((*room)[i*o.C:][:o.C], w[(tr[i]*o.S+ts[i])*o.C:])
				}
			}
			t.do(p)
		}
	}
}

// packTurned copies the kernels of some taps into panels, with in and out exchanged.
func (o *Conv) packTurned(to, w []float32, r, s []int) {
	wide, narrow := use.widths()
	in, out := o.C/o.Groups, o.K/o.Groups
	k := len(r) * out
	for g := range o.Groups {
		d := to[g*panelled(k, in):]
		for j := 0; j < in; j += wide {
			cols, width := min(wide, in-j), wide
			if cols <= narrow {
				width = narrow
			}
			for i := range r {
				from := ((r[i]*o.S+s[i])*in+j)*o.K + g*out
				packTurned(d[j*k+i*out*width:], w[from:], o.K, out, cols, width)
			}
		}
	}
}

// zero clears the pixels that no tap reaches.
func (t *taps) zero(p *Pool) {
	p.For(t.images*t.h, grain(t.w*t.dstC), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := t.dst[((i/t.h*t.dstH+t.toH+i%t.h*t.everyH)*t.dstW+t.toW)*t.dstC:]
			for x := range t.w {
				clear(row[x*t.everyW*t.dstC:][:t.dstC])
			}
		}
	})
}

// weightParts is into how many parts the images are cut for the gradient by the
// weight, whose sums are then added in their order.
const weightParts = 8

// backwardWeight computes products of the image, transposed, with dy: for every tap
// in×out.
func (o *Conv) backwardWeight(p *Pool, dw, x, dy []float32) {
	size := o.R * o.S * o.C / o.Groups * o.K
	parts := min(weightParts, o.N)
	if parts <= 1 {
		o.weightPart(dw, x, dy, 0, o.N)
		return
	}
	room := buffer((parts - 1) * size)
	defer drop(room)
	p.For(parts, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to := dw
			if i > 0 {
				to = (*room)[(i-1)*size:]
			}
			o.weightPart(to[:size], x, dy, i*o.N/parts, (i+1)*o.N/parts)
		}
	})
	p.For(size, chunk, func(lo, hi int) {
		for i := range parts - 1 {
			addTo(dw[lo:hi], (*room)[i*size+lo:][:hi-lo])
		}
	})
}

// weightPart computes the gradient of some images.
func (o *Conv) weightPart(dw, x, dy []float32, lo, hi int) {
	clear(dw)
	wide, narrow := use.widths()
	in, out := o.C/o.Groups, o.K/o.Groups
	top, left := -o.Top, -o.Left
	bottom, right := top+(o.R-1)*o.DilationH, left+(o.S-1)*o.DilationW
	padded := top < 0 || left < 0 || (o.OutH-1)*o.StrideH+bottom >= o.H || (o.OutW-1)*o.StrideW+right >= o.W
	width := o.W
	if padded {
		width = (o.OutW-1)*o.StrideW + right - left + 1
	}
	// as many rows of pixels at a time as the sums are long that a tile is held for
	rows := min(o.OutH, max(1, stepK/o.OutW))
	height := (rows-1)*o.StrideH + bottom - top + 1
	var image, panel *[]float32
	if padded {
		image = buffer(height * width * o.C)
		defer drop(image)
	}
	direct := out%narrow == 0 || o.Depthwise()
	if !direct {
		panel = buffer(rows * o.OutW * wide)
		defer drop(panel)
	}
	offsets := integers(rows * o.OutW)
	defer dropIntegers(offsets)
	for i := range *offsets {
		(*offsets)[i] = (i/o.OutW*o.StrideH*width + i%o.OutW*o.StrideW) * o.C
	}
	// rows of dw beside each other are read from numbers beside each other
	together := 1
	if o.DilationW == 1 && o.Groups == 1 {
		together = o.S
	}
	for n := lo; n < hi; n++ {
		for y := 0; y < o.OutH; y += rows {
			k := min(rows, o.OutH-y) * o.OutW
			src := x[n*o.H*o.W*o.C:][:o.H*o.W*o.C]
			if padded {
				pad(*image, (min(rows, o.OutH-y)-1)*o.StrideH+bottom-top+1, width, src, o.H, o.W, o.C, y*o.StrideH+top, left)
				src = *image
			} else {
				src = src[((y*o.StrideH+top)*o.W+left)*o.C:]
			}
			grad := dy[(n*o.OutH+y)*o.OutW*o.K:]
			if o.Depthwise() {
				o.depthWeights(dw, src, grad, min(rows, o.OutH-y), width)
				continue
			}
			s := strip{aRow: 1, at: (*offsets)[:k], last: (*offsets)[k-1], cRow: o.K, add: true, rows: together * in}
			for g := range o.Groups {
				for j := 0; j < out; j += wide {
					s.cols, s.width = min(wide, out-j), wide
					if s.cols <= narrow {
						s.width = narrow
					}
					if s.b, s.bRow = grad[g*out+j:], o.K; !direct {
						packStraight(*panel, s.b, o.K, k, s.cols, s.width)
						s.b, s.bRow = *panel, s.width
					}
					for r := range o.R {
						for c := 0; c < o.S; c += together {
							s.a = src[(r*o.DilationH*width+c*o.DilationW)*o.C+g*in:]
							s.c = dw[(r*o.S+c)*in*o.K+g*out+j:]
							s.run()
						}
					}
				}
			}
		}
	}
}
