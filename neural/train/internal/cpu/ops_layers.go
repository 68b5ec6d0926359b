package cpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// form is which of its three computations a layer does.
type form int

const (
	forward form = iota
	backwardInput
	backwardWeight
)

// convolution is the attribute of opConv. Its operands are x and w, dy and w, or x and
// dy, in the layouts of [kernel.Conv].
type convolution struct {
	form form
	kernel.Conv
}

func (c convolution) key(b []byte) []byte {
	o := c.Conv
	return ints{int(c.form), o.N, o.H, o.W, o.C, o.K, o.R, o.S, o.StrideH, o.StrideW, o.DilationH, o.DilationW,
		o.Top, o.Left, o.OutH, o.OutW, o.Groups}.key(b)
}

// anyConv is the attribute of opConvAny, whose operands are [batch, spatial…, channels]
// and [spatial…, in, out].
type anyConv struct {
	strides, low, inDilation, kernelDilation ints
	groups                                   int
}

func (c anyConv) key(b []byte) []byte {
	b = ints{c.groups}.key(b)
	return c.kernelDilation.key(c.inDilation.key(c.low.key(c.strides.key(b))))
}

// orOnes returns x, or ones.
func orOnes(x []int, n int) []int {
	if len(x) > 0 {
		return x
	}
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func allOnes(x []int) bool {
	for _, v := range x {
		if v != 1 {
			return false
		}
	}
	return true
}

// ConvGeneral implements the operation of [compute.StandardOps].
//
// What GoMLX makes the gradients of a convolution of is recognised: by the input, a
// convolution with the reversed kernel whose channels are exchanged, of the gradient
// with stride−1 zeros between its pixels; by the kernel, one whose batch is the channels,
// whose channels are the batch, and whose kernel is the gradient.
func (f *Function) ConvGeneral(input, filter compute.Value, axes compute.ConvolveAxesConfig, strides []int, paddings [][2]int,
	inputDilations, kernelDilations []int, channelGroups, batchGroups int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeConvGeneral
	in, err := f.values(op, input, filter)
	if err != nil {
		return nil, err
	}
	channelGroups, batchGroups = max(channelGroups, 1), max(batchGroups, 1)
	shape, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.ConvGeneral(in[0].shape, in[1].shape, axes, strides, paddings, inputDilations, kernelDilations,
			channelGroups, batchGroups)
	})
	if err != nil {
		return nil, err
	}
	if in[0].shape.DType != dtypes.Float32 || in[1].shape.DType != dtypes.Float32 {
		return nil, fmt.Errorf("%w: cpu: convolution of %s with %s, only float32 is supported", compute.ErrNotImplemented,
			in[0].shape, in[1].shape)
	}
	c := conv{f: f, lhs: in[0], rhs: in[1], axes: axes, out: shape.Dimensions, rank: len(axes.InputSpatial),
		channelGroups: channelGroups, batchGroups: batchGroups}
	c.strides, c.inDil, c.kDil = orOnes(strides, c.rank), orOnes(inputDilations, c.rank), orOnes(kernelDilations, c.rank)
	c.low = make([]int, c.rank)
	for i, p := range paddings {
		c.low[i] = p[0]
	}
	return c.node(), nil
}

// conv is a convolution that is being recognised.
type conv struct {
	f                          *Function
	lhs, rhs                   *node
	axes                       compute.ConvolveAxesConfig
	out                        []int
	rank                       int // spatial axes
	strides, low, inDil, kDil  []int
	channelGroups, batchGroups int
}

func (c *conv) node() *node {
	a := c.axes
	straight := order(a.InputBatch, a.InputSpatial, a.InputChannels)
	turned := order(a.InputChannels, a.InputSpatial, a.InputBatch)
	switch {
	case c.batchGroups > 1 && allOnes(c.inDil) && c.rank <= 2:
		return c.byWeight(turned)
	case c.rank > 2 || !allOnes(c.inDil) && !allOnes(c.strides) || c.batchGroups > 1:
		return c.any()
	case !allOnes(c.inDil):
		return c.byInput(straight)
	case c.channelGroups == 1 && !slices.IsSorted(straight) && (slices.IsSorted(turned) || c.largeKernel()):
		return c.byWeight(turned)
	case allOnes(c.strides) && c.reversed():
		return c.byInput(straight)
	}
	return c.plain(straight)
}

func order(first int, middle []int, last int) []int {
	return append(append([]int{first}, middle...), last)
}

// largeKernel says whether the kernel is larger than the result, as in a gradient by
// the kernel.
func (c *conv) largeKernel() bool {
	k, o := 1, 1
	for i, a := range c.axes.KernelSpatial {
		k *= c.rhs.dims()[a]
		o *= c.out[c.axes.OutputSpatial[i]]
	}
	return k > o
}

// reversed says whether the kernel is one that was reversed, or that has a single
// pixel and its channels exchanged.
func (c *conv) reversed() bool {
	pixel := true
	for _, a := range c.axes.KernelSpatial {
		pixel = pixel && c.rhs.dims()[a] == 1
	}
	if pixel {
		return c.channelGroups == 1 && c.axes.KernelInputChannels > c.axes.KernelOutputChannels
	}
	if c.rhs.op != compute.OpTypeReverse {
		return false
	}
	for _, a := range c.axes.KernelSpatial {
		if c.rhs.dims()[a] > 1 && !slices.Contains(c.rhs.attr.(ints), a) {
			return false
		}
	}
	return true
}

// square returns values for two spatial axes; images of one axis have height 1.
func (c *conv) square(v []int, one int) (int, int) {
	if c.rank == 1 {
		return one, v[0]
	}
	return v[0], v[1]
}

// spatial returns the sizes of axes.
func (c *conv) spatial(dims, axes []int) (int, int) {
	v := make([]int, len(axes))
	for i, a := range axes {
		v[i] = dims[a]
	}
	return c.square(v, 1)
}

// images returns x with its axes so that they are images; a single spatial axis gets a
// height.
func (c *conv) images(x *node, perm []int) *node {
	x = c.f.transpose(x, perm)
	if c.rank == 1 {
		x = c.f.reshape(x, []int{x.dims()[0], 1, x.dims()[1], x.dims()[2]})
	}
	return x
}

// kernel does the same with spatial axes first.
func (c *conv) kernel(x *node, spatial []int, in, out int) *node {
	x = c.f.transpose(x, append(slices.Clone(spatial), in, out))
	if c.rank == 1 {
		x = c.f.reshape(x, append([]int{1}, x.dims()...))
	}
	return x
}

// result orders the axes of a result whose axes are now batch, spatial and channels, or
// spatial, batch and channels.
func (c *conv) result(y *node, spatialFirst bool) *node {
	a := c.axes
	if c.rank == 1 {
		d := y.dims()
		if spatialFirst {
			y = c.f.reshape(y, d[1:])
		} else {
			y = c.f.reshape(y, []int{d[0], d[2], d[3]})
		}
	}
	perm := make([]int, c.rank+2)
	at := 0
	if !spatialFirst {
		perm[a.OutputBatch] = at
		at++
	}
	for _, s := range a.OutputSpatial {
		perm[s] = at
		at++
	}
	if spatialFirst {
		perm[a.OutputBatch] = at
		at++
	}
	perm[a.OutputChannels] = at
	return c.f.transpose(y, perm)
}

func (c *conv) plain(straight []int) *node {
	x := c.images(c.lhs, straight)
	w := c.kernel(c.rhs, c.axes.KernelSpatial, c.axes.KernelInputChannels, c.axes.KernelOutputChannels)
	var o kernel.Conv
	o.N, o.H, o.W, o.C = x.dims()[0], x.dims()[1], x.dims()[2], x.dims()[3]
	o.R, o.S, o.K = w.dims()[0], w.dims()[1], w.dims()[3]
	o.StrideH, o.StrideW = c.square(c.strides, 1)
	o.DilationH, o.DilationW = c.square(c.kDil, 1)
	o.Top, o.Left = c.square(c.low, 0)
	o.OutH, o.OutW = c.spatial(c.out, c.axes.OutputSpatial)
	o.Groups = c.channelGroups
	y := c.f.add(opConv, c.f.shapeOf(dtypes.Float32, []int{o.N, o.OutH, o.OutW, o.K}), convolution{forward, o}, x, w)
	return c.result(y, false)
}

// byInput: with u = oh·stride for pixel oh of the operand, and the kernel reversed,
// r = R−1−r′, pixel y of the result gets lhs[oh]·w[r′] where
// y = oh·stride − Top + r′·dilation with Top = (R−1)·dilation − low.
func (c *conv) byInput(straight []int) *node {
	a := c.axes
	dy := c.images(c.lhs, straight)
	w := c.kernel(c.f.reverse(c.rhs, a.KernelSpatial), a.KernelSpatial, a.KernelOutputChannels, a.KernelInputChannels)
	var o kernel.Conv
	o.N, o.OutH, o.OutW, o.K = dy.dims()[0], dy.dims()[1], dy.dims()[2], dy.dims()[3]
	o.R, o.S = w.dims()[0], w.dims()[1]
	o.H, o.W = c.spatial(c.out, a.OutputSpatial)
	o.C = c.out[a.OutputChannels]
	o.StrideH, o.StrideW = c.square(c.inDil, 1)
	o.DilationH, o.DilationW = c.square(c.kDil, 1)
	lowH, lowW := c.square(c.low, 0)
	o.Top, o.Left = (o.R-1)*o.DilationH-lowH, (o.S-1)*o.DilationW-lowW
	o.Groups = c.channelGroups
	if g := o.Groups; g > 1 { // [R, S, g·C, K] → [R, S, C, g·K]
		w = c.f.reshape(w, []int{o.R, o.S, g, o.C / g, o.K / g})
		w = c.f.reshape(c.f.transpose(w, []int{0, 1, 3, 2, 4}), []int{o.R, o.S, o.C / g, o.K})
	}
	dx := c.f.add(opConv, c.f.shapeOf(dtypes.Float32, []int{o.N, o.H, o.W, o.C}), convolution{backwardInput, o}, dy, w)
	return c.result(dx, false)
}

// byWeight: pixel r of the result is Σ x[oh·stride + r·dilation − low]·dy[oh], where the
// operand's channels are its images and its batch is its channels.
func (c *conv) byWeight(turned []int) *node {
	a := c.axes
	x := c.images(c.lhs, turned)
	dy := c.images(c.rhs, order(a.KernelInputChannels, a.KernelSpatial, a.KernelOutputChannels))
	var o kernel.Conv
	o.N, o.H, o.W, o.C = x.dims()[0], x.dims()[1], x.dims()[2], x.dims()[3]
	o.OutH, o.OutW, o.K = dy.dims()[1], dy.dims()[2], dy.dims()[3]
	o.R, o.S = c.spatial(c.out, a.OutputSpatial)
	o.StrideH, o.StrideW = c.square(c.kDil, 1)
	o.DilationH, o.DilationW = c.square(c.strides, 1)
	o.Top, o.Left = c.square(c.low, 0)
	o.Groups = c.batchGroups
	dw := c.f.add(opConv, c.f.shapeOf(dtypes.Float32, []int{o.R, o.S, o.C / o.Groups, o.K}), convolution{backwardWeight, o}, x, dy)
	return c.result(dw, true)
}

// any is a convolution in no form that is fast.
func (c *conv) any() *node {
	a := c.axes
	x := c.f.transpose(c.lhs, order(a.InputBatch, a.InputSpatial, a.InputChannels))
	w := c.f.transpose(c.rhs, append(slices.Clone(a.KernelSpatial), a.KernelInputChannels, a.KernelOutputChannels))
	if g := c.batchGroups; g > 1 {
		// Groups of the batch are groups of channels.
		d := x.dims()
		split := append([]int{g, d[0] / g}, d[1:]...)
		perm := append([]int{1}, upTo(len(split))[2:len(split)-1]...)
		perm = append(perm, 0, len(split)-1)
		merged := append([]int{d[0] / g}, d[1:len(d)-1]...)
		x = c.f.reshape(c.f.transpose(c.f.reshape(x, split), perm), append(merged, g*d[len(d)-1]))
	}
	dims := []int{c.out[a.OutputBatch]}
	for _, s := range a.OutputSpatial {
		dims = append(dims, c.out[s])
	}
	dims = append(dims, c.out[a.OutputChannels])
	at := anyConv{slices.Clone(c.strides), slices.Clone(c.low), slices.Clone(c.inDil), slices.Clone(c.kDil),
		max(c.channelGroups, c.batchGroups)}
	y := c.f.add(opConvAny, c.f.shapeOf(dtypes.Float32, dims), at, x, w)
	perm := make([]int, len(dims))
	perm[a.OutputBatch], perm[a.OutputChannels] = 0, len(dims)-1
	for i, s := range a.OutputSpatial {
		perm[s] = i + 1
	}
	return c.f.transpose(y, perm)
}

// concatenateConvs recognises the gradients of a grouped convolution, which GoMLX
// computes group by group, and returns the one that they are together, or nil.
func (f *Function) concatenateConvs(xs []*node, axis int) *node {
	first, ok := xs[0].attr.(convolution)
	if !ok || axis != 3 || first.form == forward || first.Groups != 1 {
		return nil
	}
	for _, x := range xs[1:] {
		if c, ok := x.attr.(convolution); !ok || c != first {
			return nil
		}
	}
	a, b := f.joined(xs, 0), f.joined(xs, 1)
	if a == nil || b == nil {
		return nil
	}
	c := first
	c.Groups = len(xs)
	c.C *= len(xs)
	c.K *= len(xs)
	dims := slices.Clone(xs[0].dims())
	dims[3] *= len(xs)
	return f.add(opConv, f.shapeOf(dtypes.Float32, dims), c, a, b)
}

// joined returns the array whose consecutive slices along the last axis are the operands
// i of the nodes, or nil.
func (f *Function) joined(xs []*node, i int) *node {
	x := xs[0].in[i]
	if x.op != compute.OpTypeSlice {
		return nil
	}
	p, dims := x.attr.(part), x.dims()
	last := len(dims) - 1
	for k, o := range xs {
		y := o.in[i]
		if y.op != compute.OpTypeSlice || y.in[0] != x.in[0] || !slices.Equal(y.dims(), dims) {
			return nil
		}
		q := y.attr.(part)
		if !slices.Equal(p.strides, q.strides) || q.strides[last] != 1 || !slices.Equal(p.starts[:last], q.starts[:last]) ||
			q.starts[last] != p.starts[last]+k*dims[last] {
			return nil
		}
	}
	limits := make([]int, len(dims))
	for a := range limits {
		n := dims[a]
		if a == last {
			n *= len(xs)
		}
		limits[a] = p.starts[a] + (n-1)*p.strides[a] + 1
	}
	return f.slice(x.in[0], p.starts, limits, p.strides)
}

// pool is the attribute of opWindow. Its operands are x; dy; or x and dy.
type pool struct {
	form form
	max  bool
	kernel.Window
}

func (p pool) key(b []byte) []byte {
	w := p.Window
	k := ints{int(p.form), w.N, w.H, w.W, w.C, w.R, w.S, w.StrideH, w.StrideW, w.Top, w.Left, w.OutH, w.OutW}
	if p.max {
		k = append(k, 1)
	}
	return k.key(b)
}

// windows is the attribute of ReduceWindow in its general form.
type windows struct {
	op                                           compute.ReduceOpType
	sizes, strides, low, inDilation, winDilation ints
}

func (w windows) key(b []byte) []byte {
	b = ints{int(w.op)}.key(b)
	return w.winDilation.key(w.inDilation.key(w.low.key(w.strides.key(w.sizes.key(b)))))
}

// flat returns a window over at most two neighbouring axes as one over images, of x with
// the dimensions dims.
func flat(dims, out, sizes, strides, low []int) (kernel.Window, bool) {
	first, last := -1, -1
	for a := range dims {
		if sizes[a] != 1 || strides[a] != 1 || low[a] != 0 || out[a] != dims[a] {
			if first < 0 {
				first = a
			}
			last = a
		}
	}
	if first < 0 {
		first, last = 0, 0
	}
	if last > first+1 {
		return kernel.Window{}, false
	}
	w := kernel.Window{N: product(dims[:first]), H: 1, W: dims[last], C: product(dims[last+1:]), R: 1, S: sizes[last],
		StrideH: 1, StrideW: strides[last], Left: low[last], OutH: 1, OutW: out[last]}
	if last > first {
		w.H, w.R, w.StrideH, w.Top, w.OutH = dims[first], sizes[first], strides[first], low[first], out[first]
	}
	return w, true
}

// ReduceWindow implements the operation of [compute.StandardOps].
func (f *Function) ReduceWindow(input compute.Value, reduce compute.ReduceOpType, sizes, strides, inputDilations,
	windowDilations []int, paddings [][2]int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeReduceWindow
	in, err := f.values(op, input)
	if err != nil {
		return nil, err
	}
	x := in[0]
	shape, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.ReduceWindow(x.shape, sizes, strides, inputDilations, windowDilations, paddings)
	})
	if err != nil {
		return nil, err
	}
	if x.shape.DType == dtypes.Bool || reduce == compute.ReduceOpUndefined {
		return nil, fmt.Errorf("%w: cpu: ReduceWindow %s of %s", compute.ErrNotImplemented, reduce, x.shape)
	}
	rank := len(x.dims())
	w := windows{op: reduce, sizes: slices.Clone(orOnes(sizes, rank)), low: make(ints, rank)}
	w.strides = slices.Clone(w.sizes)
	if len(strides) > 0 {
		w.strides = slices.Clone(strides)
	}
	w.inDilation, w.winDilation = slices.Clone(orOnes(inputDilations, rank)), slices.Clone(orOnes(windowDilations, rank))
	for a, p := range paddings {
		w.low[a] = p[0]
	}
	if y := f.sumOfDilated(x, w, shape.Dimensions); y != nil {
		return y, nil
	}
	if x.shape.DType == dtypes.Float32 && allOnes(w.inDilation) && allOnes(w.winDilation) && x.size() > 0 {
		if k, ok := flat(x.dims(), shape.Dimensions, w.sizes, w.strides, w.low); ok {
			switch reduce {
			case compute.ReduceOpSum:
				if y := f.sumBackward(x, w, shape.Dimensions); y != nil {
					return y, nil
				}
				return f.add(opWindow, f.shapeOf(dtypes.Float32, shape.Dimensions), pool{forward, false, k}, x), nil
			case compute.ReduceOpMax:
				return f.add(opWindow, f.shapeOf(dtypes.Float32, shape.Dimensions), pool{forward, true, k}, x), nil
			case compute.ReduceOpMin:
				y := f.add(opWindow, f.shapeOf(dtypes.Float32, shape.Dimensions), pool{forward, true, k},
					f.unary(compute.OpTypeNeg, x))
				return f.unary(compute.OpTypeNeg, y), nil
			}
		}
	}
	return f.add(op, f.shapeOf(x.shape.DType, shape.Dimensions), w, x), nil
}

// sumBackward recognises the gradient of sums over windows: sums over windows, at every
// pixel, of the gradient with stride−1 zeros between its pixels and window−1 around it.
func (f *Function) sumBackward(x *node, w windows, dims []int) *node {
	if x.op != compute.OpTypePad || !x.in[1].is(0) || !allOnes(w.strides) {
		return nil
	}
	v, p := x.in[0], x.attr.(pads)
	strides := make([]int, len(p))
	for a, q := range p {
		strides[a] = q.Interior + 1
		if q.Start < 0 || q.End < 0 || q.Start+q.End+1 != w.sizes[a] || q.Start+w.low[a] != w.sizes[a]-1 ||
			dims[a] != (v.dims()[a]-1)*strides[a]+w.sizes[a] {
			return nil
		}
	}
	back, ok := flat(dims, v.dims(), w.sizes, strides, make([]int, len(p)))
	if !ok {
		return nil
	}
	return f.add(opWindow, f.shapeOf(dtypes.Float32, dims), pool{backwardInput, false, back}, v)
}

// sumOfDilated recognises the same gradient, with the zeros between pixels as a dilation of
// the operand: window element j at pixel y sees pixel oh where y = oh·stride − Top + j′,
// with j′ = window−1−j and Top = window−1−low.
func (f *Function) sumOfDilated(x *node, w windows, dims []int) *node {
	if w.op != compute.ReduceOpSum || x.shape.DType != dtypes.Float32 || allOnes(w.inDilation) || !allOnes(w.strides) ||
		!allOnes(w.winDilation) || x.size() == 0 {
		return nil
	}
	top := make([]int, len(dims))
	for a := range top {
		top[a] = w.sizes[a] - 1 - w.low[a]
	}
	back, ok := flat(dims, x.dims(), w.sizes, w.inDilation, top)
	if !ok {
		return nil
	}
	return f.add(opWindow, f.shapeOf(dtypes.Float32, dims), pool{backwardInput, false, back}, x)
}

// padOfWindow lets the gradient of sums over windows fall on an array that is padded, or
// cut, at its edges.
func (f *Function) padOfWindow(x, fill *node, p pads, dims []int) *node {
	w, ok := x.attr.(pool)
	if !ok || w.form != backwardInput || w.max || !fill.is(0) {
		return nil
	}
	// Its own two axes are the same two as in flat, if the sizes before them agree.
	first := -1
	for a := range dims {
		if product(x.dims()[:a]) == w.N && a+1 < len(dims) && x.dims()[a] == w.H && x.dims()[a+1] == w.W &&
			product(x.dims()[a+2:]) == w.C {
			first = a
			break
		}
	}
	if first < 0 {
		return nil
	}
	for a, q := range p {
		if q.Interior != 0 || a != first && a != first+1 && q != (compute.PadAxis{}) {
			return nil
		}
	}
	w.Top -= p[first].Start
	w.Left -= p[first+1].Start
	w.H, w.W = dims[first], dims[first+1]
	if w.H <= 0 || w.W <= 0 {
		return nil
	}
	return f.add(opWindow, f.shapeOf(dtypes.Float32, dims), w, x.in[0])
}

func (f *Function) selectAndScatter(op compute.OpType, operand, source compute.Value, sizes, strides []int,
	paddings [][2]int) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(op, operand, source)
	if err != nil {
		return nil, err
	}
	x, dy := in[0], in[1]
	shape, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.ReduceWindow(x.shape, sizes, strides, nil, nil, paddings)
	})
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape.Dimensions, dy.dims()) {
		return nil, fmt.Errorf("cpu: %s: windows over %s give %v, the source is %s", op, x.shape, shape.Dimensions, dy.shape)
	}
	rank := len(x.dims())
	size := orOnes(sizes, rank)
	stride := size
	if len(strides) > 0 {
		stride = strides
	}
	low := make([]int, rank)
	for a, p := range paddings {
		low[a] = p[0]
	}
	k, ok := flat(x.dims(), dy.dims(), size, stride, low)
	if !ok || x.shape.DType != dtypes.Float32 || dy.shape.DType != dtypes.Float32 {
		return nil, fmt.Errorf("%w: cpu: %s of %s with windows %v; only float32 and windows over two neighbouring axes are supported",
			compute.ErrNotImplemented, op, x.shape, size)
	}
	if op == compute.OpTypeSelectAndScatterMin {
		x = f.unary(compute.OpTypeNeg, x)
	}
	return f.add(opWindow, f.shapeOf(dtypes.Float32, x.dims()), pool{backwardInput, true, k}, x, dy), nil
}

// SelectAndScatterMax implements the operation of [compute.StandardOps].
func (f *Function) SelectAndScatterMax(operand, source compute.Value, sizes, strides []int, paddings [][2]int) (v compute.Value, err error) {
	defer rescue(&err)
	return f.selectAndScatter(compute.OpTypeSelectAndScatterMax, operand, source, sizes, strides, paddings)
}

// SelectAndScatterMin implements the operation of [compute.StandardOps].
func (f *Function) SelectAndScatterMin(operand, source compute.Value, sizes, strides []int, paddings [][2]int) (v compute.Value, err error) {
	defer rescue(&err)
	return f.selectAndScatter(compute.OpTypeSelectAndScatterMin, operand, source, sizes, strides, paddings)
}

// normalisation is a batch normalisation that is taken apart.
type normalisation struct {
	f       *Function
	x       *node
	axis    int // of features
	others  []int
	count   float64 // numbers per feature
	epsilon float64
}

func (f *Function) normalisation(op compute.OpType, epsilon float32, axis int, values ...compute.Value) (*normalisation, []*node, error) {
	in, err := f.values(op, values...)
	if err != nil {
		return nil, nil, err
	}
	x := in[0]
	if axis < 0 || axis >= len(x.dims()) {
		return nil, nil, fmt.Errorf("cpu: %s: feature axis %d of %s", op, axis, x.shape)
	}
	n := &normalisation{f: f, x: x, axis: axis, epsilon: float64(epsilon)}
	for a := range x.dims() {
		if a != axis {
			n.others = append(n.others, a)
		}
	}
	features := x.dims()[axis]
	n.count = float64(x.size() / max(features, 1))
	for i, v := range in {
		whole := i == 0 || op == compute.OpTypeBatchNormGradient && i == 4
		if v.shape.DType != dtypes.Float32 {
			return nil, nil, fmt.Errorf("%w: cpu: %s of %s, only float32 is supported", compute.ErrNotImplemented, op, v.shape)
		}
		if whole && !slices.Equal(v.dims(), x.dims()) || !whole && !slices.Equal(v.dims(), []int{features}) {
			return nil, nil, fmt.Errorf("cpu: %s: operand %d is %s, for %s with %d features", op, i+1, v.shape, x.shape, features)
		}
	}
	return n, in, nil
}

// wide repeats a number per feature over the array.
func (n *normalisation) wide(v *node) *node { return n.f.broadcast(v, n.x.dims(), []int{n.axis}) }

// sum sums over all but the features.
func (n *normalisation) sum(v *node) *node {
	if len(n.others) == 0 {
		return v
	}
	return n.f.reduce(compute.OpTypeReduceSum, v, n.others)
}

func (n *normalisation) scalar(v float64) *node { return n.f.splat(dtypes.Float32, v, nil) }

// rstd is 1/√(variance+ε).
func (n *normalisation) rstd(variance *node) *node {
	return n.f.unary(compute.OpTypeRsqrt, n.f.binary(compute.OpTypeAdd, variance, n.scalar(n.epsilon)))
}

// apply is (x−mean)·rstd·scale + offset.
func (n *normalisation) apply(scale, offset, mean, variance *node) *node {
	f := n.f
	factor := f.binary(compute.OpTypeMul, n.rstd(variance), scale)
	centred := f.binary(compute.OpTypeSub, n.x, n.wide(mean))
	return f.binary(compute.OpTypeAdd, f.binary(compute.OpTypeMul, centred, n.wide(factor)), n.wide(offset))
}

// BatchNormForInference implements the operation of [compute.StandardOps].
func (f *Function) BatchNormForInference(operand, scale, offset, mean, variance compute.Value, epsilon float32, axis int) (v compute.Value, err error) {
	defer rescue(&err)
	n, in, err := f.normalisation(compute.OpTypeBatchNormForInference, epsilon, axis, operand, scale, offset, mean, variance)
	if err != nil {
		return nil, err
	}
	return n.apply(in[1], in[2], in[3], in[4]), nil
}

// BatchNormForTraining implements the operation of [compute.StandardOps].
func (f *Function) BatchNormForTraining(operand, scale, offset compute.Value, epsilon float32, axis int) (normalised, batchMean,
	batchVariance compute.Value, err error) {
	defer rescue(&err)
	n, in, err := f.normalisation(compute.OpTypeBatchNormForTraining, epsilon, axis, operand, scale, offset)
	if err != nil {
		return nil, nil, nil, err
	}
	x, features := n.x, n.x.dims()[axis]
	perm := append(slices.Clone(n.others), axis) // features last
	rows := f.reshape(f.transpose(x, perm), []int{int(n.count), features})
	moments := f.add(opMoments, f.shapeOf(dtypes.Float32, []int{2, features}), nil, rows)
	row := func(i int) *node {
		return f.reshape(f.slice(moments, []int{i, 0}, []int{i + 1, features}, nil), []int{features})
	}
	mean, variance := row(0), row(1)
	return n.apply(in[1], in[2], mean, variance), mean, variance, nil
}

// BatchNormGradient implements the operation of [compute.StandardOps]. With x̂ = (x−mean)·rstd
// it is (Ioffe and Szegedy 2015, section 3)
//
//	dx = scale·rstd·(dy − Σdy/n − x̂·Σ(dy·x̂)/n), dscale = Σ(dy·x̂), doffset = Σdy
func (f *Function) BatchNormGradient(operand, scale, mean, variance, gradOutput compute.Value, epsilon float32, axis int) (
	gradOperand, gradScale, gradOffset compute.Value, err error) {
	defer rescue(&err)
	n, in, err := f.normalisation(compute.OpTypeBatchNormGradient, epsilon, axis, operand, scale, mean, variance, gradOutput)
	if err != nil {
		return nil, nil, nil, err
	}
	mul := func(a, b *node) *node { return f.binary(compute.OpTypeMul, a, b) }
	dy := in[4]
	centred := f.binary(compute.OpTypeSub, n.x, n.wide(in[2]))
	offset := n.sum(dy)
	rstd := n.rstd(in[3])
	dscale := mul(n.sum(mul(dy, centred)), rstd)
	each := n.scalar(1 / math.Max(n.count, 1))
	factor := mul(in[1], rstd)
	ofX := mul(mul(dscale, rstd), each)
	inner := f.binary(compute.OpTypeSub, dy, mul(centred, n.wide(ofX)))
	inner = f.binary(compute.OpTypeSub, inner, n.wide(mul(offset, each)))
	return mul(inner, n.wide(factor)), dscale, offset, nil
}
