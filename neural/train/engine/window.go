package engine

import (
	"math"

	"github.com/gomlx/compute"

	"github.com/daedalus-search/daedalus/neural"
)

// A window slides over the height and width of images.
type window struct {
	size, stride [2]int
	dilation     int
	before       [2]int // what "same" padding adds on each side
	out          [2]int
}

func convWindow(o neural.Conv, out neural.Shape) window {
	return window{
		size: [2]int{o.Kernel, o.KernelWide}, stride: [2]int{o.Stride, o.StrideWide}, dilation: o.Dilation,
		before: [2]int{o.Pad.Sides(o.Kernel, o.Dilation), o.Pad.Sides(o.KernelWide, o.Dilation)},
		out:    [2]int{out[1], out[2]},
	}
}

func poolWindow(kernel, stride int, pad neural.Padding, out neural.Shape) window {
	side := pad.Sides(kernel, 1)
	return window{size: [2]int{kernel, kernel}, stride: [2]int{stride, stride}, dilation: 1, before: [2]int{side, side}, out: [2]int{out[1], out[2]}}
}

// reach is how many pixels the kernel spans, and spread how many the places of the
// result do.
func (n window) reach(axis int) int  { return n.dilation*(n.size[axis]-1) + 1 }
func (n window) spread(axis int) int { return n.stride[axis]*(n.out[axis]-1) + 1 }

// same is the padding on both sides.
func (n window) same() [][2]int {
	return [][2]int{{n.before[0], n.before[0]}, {n.before[1], n.before[1]}}
}

// back is the padding of the result, with its strides as holes, for which the kernel
// gives the image's size.
func (n window) back(x *tensor) [][2]int {
	var pads [2][2]int
	for i := range pads {
		low := n.reach(i) - 1 - n.before[i]
		pads[i] = [2]int{low, x.dims[1+i] + n.reach(i) - 1 - n.spread(i) - low}
	}
	return pads[:]
}

// each calls f with where in the image, after padding, each place of the kernel
// begins.
func (n window) each(f func(y, x int)) {
	for y := range n.size[0] {
		for x := range n.size[1] {
			f(y*n.dilation, x*n.dilation)
		}
	}
}

// shifts returns for each place of the kernel the pixels that it sees.
func (n window) shifts(w *writer, x *tensor, edge float64) (all []*tensor) {
	pads := make([]compute.PadAxis, 4)
	for i := range 2 {
		pads[1+i] = compute.PadAxis{Start: n.before[i], End: max(0, n.spread(i)+n.reach(i)-1-x.dims[1+i]-n.before[i])}
	}
	p := w.pad(x, edge, pads)
	n.each(func(top, left int) {
		all = append(all, w.slice(p, []int{0, top, left, 0}, []int{p.dims[0], top + n.spread(0), left + n.spread(1), p.dims[3]}, []int{1, n.stride[0], n.stride[1], 1}))
	})
	return all
}

// The axes of images, kernels and results: batch×height×width×channels and
// height×width×in×out.
var convAxes = compute.ConvolveAxesConfig{
	InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
	KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
	OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
}

// conv convolves x with a kernel of height×width×channels/groups×out.
func (w *writer) conv(n window, groups int, x, kernel *tensor) *tensor {
	if !w.native {
		return w.convByProducts(n, groups, x, kernel)
	}
	dilations := []int{n.dilation, n.dilation}
	return w.custom(func() *tensor {
		return w.convGeneral(x, kernel, convAxes, n.stride[:], n.same(), nil, dilations, groups, 1, x.dims[0], n.out[0], n.out[1], kernel.last())
	}, func(d *tensor) {
		if x.grad {
			w.receive(x, w.convToInput(n, groups, x, kernel, d))
		}
		if kernel.grad {
			// The batch is what is summed over, and channels are examples. A group's
			// channels meet its part of the result only: groups of the batch.
			axes := compute.ConvolveAxesConfig{
				InputBatch: 3, InputSpatial: []int{1, 2}, InputChannels: 0,
				KernelSpatial: []int{1, 2}, KernelInputChannels: 0, KernelOutputChannels: 3,
				OutputBatch: 2, OutputSpatial: []int{0, 1}, OutputChannels: 3,
			}
			var pads [2][2]int
			for i := range pads {
				pads[i] = [2]int{n.before[i], n.spread(i) + n.reach(i) - 1 - x.dims[1+i] - n.before[i]}
			}
			w.receive(kernel, w.convGeneral(x, d, axes, dilations, pads[:], nil, n.stride[:], 1, groups, kernel.dims...))
		}
	}, x, kernel)
}

// convToInput is the gradient of the image: the gradient of the result, with holes
// for the strides, convolved with the kernel reversed, its in and out exchanged.
func (w *writer) convToInput(n window, groups int, x, kernel, d *tensor) *tensor {
	axes := convAxes
	turned := w.unary(func(v compute.Value) (compute.Value, error) { return w.f.Reverse(v, 0, 1) }, kernel)
	if groups == 1 {
		axes.KernelInputChannels, axes.KernelOutputChannels = 3, 2
	} else {
		h, v, in, out := kernel.dims[0], kernel.dims[1], kernel.dims[2], kernel.dims[3]
		turned = w.reshape(turned, h, v, in, groups, out/groups)
		turned = w.transpose(turned, 0, 1, 4, 3, 2)
		turned = w.reshape(turned, h, v, out/groups, groups*in)
	}
	return w.convGeneral(d, turned, axes, []int{1, 1}, n.back(x), n.stride[:], []int{n.dilation, n.dilation}, groups, 1, x.dims...)
}

func (w *writer) convGeneral(x, kernel *tensor, axes compute.ConvolveAxesConfig, strides []int, pads [][2]int, holes, dilations []int, groups, batchGroups int, dims ...int) *tensor {
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.ConvGeneral(x.v, kernel.v, axes, strides, pads, holes, dilations, groups, batchGroups)
	return w.is(v, err, dims...)
}

// convByProducts is a convolution for backends that have none, or none that is fast: a
// product of the kernel with what it sees at each place, or depthwise a sum over the
// kernel's places.
func (w *writer) convByProducts(n window, groups int, x, kernel *tensor) *tensor {
	views := n.shifts(w, x, 0)
	in, out := kernel.dims[2], kernel.dims[3]
	if in == 1 && groups == out {
		k := w.reshape(kernel, len(views), 1, 1, 1, out)
		var sum *tensor
		for i, v := range views {
			t := w.mul(v, w.reshape(w.part(k, 0, i, i+1), 1, 1, 1, out))
			if sum == nil {
				sum = t
			} else {
				sum = w.add(sum, t)
			}
		}
		return sum
	}
	places := x.dims[0] * n.out[0] * n.out[1]
	seen := w.concat(3, views...)
	if groups == 1 {
		seen = w.reshape(seen, places, len(views)*in)
		y := w.dot(seen, []int{1}, nil, w.reshape(kernel, len(views)*in, out), []int{0}, nil)
		return w.reshape(y, x.dims[0], n.out[0], n.out[1], out)
	}
	seen = w.reshape(seen, places, len(views), groups, in)
	y := w.dot(seen, []int{1, 3}, []int{2}, w.reshape(kernel, len(views), in, groups, out/groups), []int{0, 1}, []int{2})
	return w.reshape(w.transpose(y, 1, 0, 2), x.dims[0], n.out[0], n.out[1], out)
}

// maxPool is the largest number of each window; the gradient goes to the first of
// them.
func (w *writer) maxPool(n window, x *tensor) *tensor {
	if !w.native {
		var top *tensor
		for _, v := range n.shifts(w, x, math.Inf(-1)) {
			if top == nil {
				top = v
			} else {
				top = w.max(top, v)
			}
		}
		return top
	}
	size, strides := []int{1, n.size[0], n.size[1], 1}, []int{1, n.stride[0], n.stride[1], 1}
	pads := [][2]int{{}, n.same()[0], n.same()[1], {}}
	return w.custom(func() *tensor {
		return w.reduceWindow(x, compute.ReduceOpMax, size, strides, nil, pads, x.dims[0], n.out[0], n.out[1], x.dims[3])
	}, func(d *tensor) {
		if w.err == nil {
			v, err := w.f.SelectAndScatterMax(x.v, d.v, size, strides, pads)
			w.receive(x, w.is(v, err, x.dims...))
		}
	}, x)
}

// avgPool is the mean of the numbers of each window that lie in the image.
func (w *writer) avgPool(n window, x *tensor) *tensor {
	var sum *tensor
	if !w.native {
		for _, v := range n.shifts(w, x, 0) {
			if sum == nil {
				sum = v
			} else {
				sum = w.add(sum, v)
			}
		}
	} else {
		size := []int{1, n.size[0], n.size[1], 1}
		sum = w.custom(func() *tensor {
			pads := [][2]int{{}, n.same()[0], n.same()[1], {}}
			return w.reduceWindow(x, compute.ReduceOpSum, size, []int{1, n.stride[0], n.stride[1], 1}, nil, pads, x.dims[0], n.out[0], n.out[1], x.dims[3])
		}, func(d *tensor) {
			pads := [][2]int{{}, n.back(x)[0], n.back(x)[1], {}}
			w.receive(x, w.reduceWindow(d, compute.ReduceOpSum, size, []int{1, 1, 1, 1}, []int{1, n.stride[0], n.stride[1], 1}, pads, x.dims...))
		}, x)
	}
	shares, equal := n.shares(x)
	if equal {
		return w.scale(sum, float64(shares[0]))
	}
	return w.mul(sum, w.constant(shares, 1, n.out[0], n.out[1], 1))
}

// shares is 1 divided by the pixels that each window sees, and whether all see as many.
func (n window) shares(x *tensor) (shares []float32, equal bool) {
	inside := func(i, p int) int {
		from := p*n.stride[i] - n.before[i]
		return min(from+n.size[i], x.dims[1+i]) - max(from, 0)
	}
	equal = true
	for p := range n.out[0] {
		for q := range n.out[1] {
			shares = append(shares, 1/float32(inside(0, p)*inside(1, q)))
			equal = equal && shares[len(shares)-1] == shares[0]
		}
	}
	return shares, equal
}

func (w *writer) reduceWindow(x *tensor, op compute.ReduceOpType, size, strides, holes []int, pads [][2]int, dims ...int) *tensor {
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.ReduceWindow(x.v, op, size, strides, holes, nil, pads)
	return w.is(v, err, dims...)
}
