package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// single makes the step of a node by itself.
func (c *compiler) single(n *node, st *step) {
	s := c.slot(n)
	to := ref{slot: s}
	st.outs = []out{{slot: s, bytes: byteSize(n.shape)}}
	st.name(n.op.String(), n.shape)
	from := func(i int) ref {
		v := c.about[n.id].operands[i]
		return ref{c.slot(v.base), v.from}
	}
	size := n.size()
	switch {
	case c.about[n.id].copied:
		st.name("Copy by "+n.op.String(), n.shape)
		st.run = c.copyStep(n.shape.DType, c.about[n.id].operands[0], to, 0, dense(n.dims()))
	case size == 0:
		st.run = func(*run) {}
	case elementwise(n.op):
		st.run = c.element(n, to)
	case isReduction(n.op):
		x := n.attr.(reduction)
		if k, ok := reductions.get(n.op); ok && n.shape.DType == dtypes.Float32 {
			a := from(0)
			st.run = func(r *run) {
				kernel.Reduce(r.pool, k, at[float32](r, to, size), at[float32](r, a, x.outer*x.mid*x.inner), x.outer, x.mid, x.inner)
			}
			break
		}
		st.run = reduceStep(n, from(0), to)
	default:
		c.operation(n, st, from, to)
	}
}

// name is what a profile calls the step. The words are joined when somebody asks.
func (s *step) name(op string, shape shapes.Shape) {
	shape = makeShape(shape.DType, shape.Dimensions)
	s.label = func() string { return op + " " + shapeString(shape) }
}

// operation makes the step of anything but element-wise nodes, reductions and copies.
func (c *compiler) operation(n *node, st *step, from func(i int) ref, to ref) {
	size := n.size()
	switch n.op {
	case compute.OpTypePad:
		c.pad(n, st, from(1), to)
	case compute.OpTypeConcatenate:
		axis := n.attr.(ints)[0]
		strides := dense(n.dims())
		var parts []func(r *run)
		offset := 0
		for _, v := range c.about[n.id].operands {
			parts = append(parts, c.copyStep(n.shape.DType, v, to, offset, strides))
			offset += v.dims[axis] * strides[axis]
		}
		st.run = func(r *run) {
			for _, p := range parts {
				p(r)
			}
		}
	case compute.OpTypeDynamicSlice, compute.OpTypeDynamicUpdateSlice:
		c.dynamic(n, st, from, to)
	case compute.OpTypeDotGeneral:
		c.dot(n, st, to)
	case compute.OpTypeArgMinMax:
		st.run = argStep(n, from(0), to)
	case compute.OpTypeGather:
		st.run = gatherStep(n, from(0), from(1), to)
	case compute.OpTypeScatterSum, compute.OpTypeScatterMax, compute.OpTypeScatterMin:
		a := from(0)
		if a.from == 0 && n.in[0].size() == c.about[n.id].operands[0].base.size() {
			st.outs[0].reuse = []int{a.slot}
		}
		st.run = scatterStep(n, a, from(1), from(2), to)
	case compute.OpTypeReduceWindow:
		st.run = windowStep(n, from(0), to)
	case opMoments:
		a, rows, cols := from(0), n.in[0].dims()[0], n.in[0].dims()[1]
		st.name("Moments", n.in[0].shape)
		st.run = func(r *run) {
			out := at[float32](r, to, 2*cols)
			kernel.MeanVariance(r.pool, out[:cols], out[cols:], at[float32](r, a, rows*cols), rows, cols)
		}
	case opConv:
		c.conv(n, st, from, to)
	case opConvAny:
		st.name("ConvGeneral any", n.shape)
		st.run = anyConvStep(n, from(0), from(1), to)
	case opWindow:
		p := n.attr.(pool)
		w := p.Window
		a, x := from(0), n.in[0].size()
		shape := makeShape(n.shape.DType, n.dims())
		st.label = func() string {
			kind, form := "sum", ""
			if p.max {
				kind = "max"
			}
			if p.form != forward {
				form = " gradient"
			}
			return fmt.Sprintf("Window %s %d×%d%s %s", kind, w.R, w.S, form, shapeString(shape))
		}
		switch {
		case p.form == forward && p.max:
			st.run = func(r *run) { w.MaxForward(r.pool, at[float32](r, to, size), at[float32](r, a, x)) }
		case p.form == forward:
			st.run = func(r *run) { w.SumForward(r.pool, at[float32](r, to, size), at[float32](r, a, x)) }
		case p.max:
			b, y := from(1), n.in[1].size()
			st.run = func(r *run) {
				w.MaxBackward(r.pool, at[float32](r, to, size), at[float32](r, b, y), at[float32](r, a, x))
			}
		default:
			st.run = func(r *run) { w.SumBackward(r.pool, at[float32](r, to, size), at[float32](r, a, x)) }
		}
	default:
		panic(fmt.Sprintf("no step for %s", n.op))
	}
}

// copyStep copies a view to a place in an array with these strides.
func (c *compiler) copyStep(t dtypes.DType, v *view, to ref, offset int, strides []int) func(r *run) {
	w := c.part(v)
	return func(r *run) { copyAt(r, t, &w, to, offset, strides) }
}

// arrayPart is a view of the array in a slot, which has so many numbers.
type arrayPart struct {
	slot, size, from int
	dims, strides    []int
}

func (c *compiler) part(v *view) arrayPart {
	return arrayPart{c.slot(v.base), v.base.size(), v.from, slices.Clone(v.dims), slices.Clone(v.strides)}
}

// copyAt copies part of an array.
func copyAt(r *run, t dtypes.DType, v *arrayPart, to ref, offset int, strides []int) {
	if product(v.dims) == 0 {
		return
	}
	end := offset + 1
	for a, d := range v.dims {
		end += (d - 1) * strides[a]
	}
	switch typeSize(t) {
	case 1:
		copyNumbers[uint8](r, to, end, offset, strides, v)
	case 4:
		copyNumbers[uint32](r, to, end, offset, strides, v)
	default:
		copyNumbers[uint64](r, to, end, offset, strides, v)
	}
}

func copyNumbers[T any](r *run, to ref, end, offset int, strides []int, v *arrayPart) {
	dst, src := at[T](r, to, end), at[T](r, ref{slot: v.slot}, v.size)
	if rows, cols, batch, ok := transposition(v.dims, strides, v.strides); ok && offset == 0 && v.from == 0 && batch*rows*cols == v.size {
		kernel.Transpose(r.pool, dst, src, batch, rows, cols)
		return
	}
	kernel.Copy(r.pool, dst, offset, strides, src, v.from, v.strides, v.dims)
}

// transposition recognises the exchange of two neighbouring axes, after merging: of
// batch×rows×cols in order.
func transposition(dims, to, from []int) (rows, cols, batch int, ok bool) {
	type axis struct{ n, to, from int }
	var axes []axis
	for a, d := range dims {
		if d == 1 {
			continue
		}
		if k := len(axes) - 1; k >= 0 && axes[k].to == d*to[a] && axes[k].from == d*from[a] {
			axes[k] = axis{axes[k].n * d, to[a], from[a]}
			continue
		}
		axes = append(axes, axis{d, to[a], from[a]})
	}
	batch = 1
	if len(axes) == 3 {
		batch = axes[0].n
		if axes[0].to != axes[1].n*axes[2].n || axes[0].from != axes[0].to {
			return 0, 0, 0, false
		}
		axes = axes[1:]
	}
	if len(axes) != 2 || axes[1].to != 1 || axes[0].to != axes[1].n || axes[0].from != 1 || axes[1].from != axes[0].n {
		return 0, 0, 0, false
	}
	return axes[1].n, axes[0].n, batch, true
}

func (c *compiler) pad(n *node, st *step, fill, to ref) {
	p := n.attr.(pads)
	v := *c.about[n.id].operands[0]
	v.dims, v.strides = slices.Clone(v.dims), slices.Clone(v.strides)
	strides := dense(n.dims())
	offset := 0
	steps := make([]int, len(p))
	for a, q := range p {
		step := q.Interior + 1
		// Where the padding is negative, numbers fall off.
		skip, start := 0, q.Start
		if start < 0 {
			skip = (-start + step - 1) / step
			start += skip * step
		}
		v.from += skip * v.strides[a]
		v.dims[a] = max(0, min(v.dims[a]-skip, (n.dims()[a]-start+step-1)/step))
		offset += start * strides[a]
		steps[a] = step * strides[a]
	}
	body := c.copyStep(n.shape.DType, &v, to, offset, steps)
	size := n.size()
	switch typeSize(n.shape.DType) {
	case 1:
		st.run = func(r *run) { kernel.Fill(r.pool, at[uint8](r, to, size), at[uint8](r, fill, 1)[0]); body(r) }
	case 4:
		st.run = func(r *run) { kernel.Fill(r.pool, at[uint32](r, to, size), at[uint32](r, fill, 1)[0]); body(r) }
	default:
		st.run = func(r *run) { kernel.Fill(r.pool, at[uint64](r, to, size), at[uint64](r, fill, 1)[0]); body(r) }
	}
}

// dynamic slices, or updates a slice, where the numbers at run time say.
func (c *compiler) dynamic(n *node, st *step, from func(i int) ref, to ref) {
	t := n.shape.DType
	if n.op == compute.OpTypeDynamicSlice {
		v := c.part(c.about[n.id].operands[0])
		starts := from(1)
		whole, sizes := n.in[0].dims(), n.dims()
		strides := dense(sizes)
		st.run = func(r *run) {
			w := v
			w.dims = sizes
			for a, s := range at[int64](r, starts, len(sizes)) {
				w.from += int(max(0, min(s, int64(whole[a]-sizes[a])))) * v.strides[a]
			}
			copyAt(r, t, &w, to, 0, strides)
		}
		return
	}
	v := c.about[n.id].operands[1]
	old := from(0)
	if old.from == 0 && n.size() == c.about[n.id].operands[0].base.size() {
		st.outs[0].reuse = []int{old.slot}
	}
	strides, bytes := dense(n.dims()), int(byteSize(n.shape))
	keep := func(r *run) {
		if r.vals[old.slot] != r.vals[to.slot] {
			k := old.from * typeSize(t)
			copy(numbers[byte](r.vals[to.slot], 0, bytes), numbers[byte](r.vals[old.slot], k, bytes))
		}
	}
	offset := 0
	if fixed, ok := n.attr.(ints); ok {
		for a, s := range fixed {
			offset += max(0, min(s, n.dims()[a]-v.dims[a])) * strides[a]
		}
		update := c.copyStep(t, v, to, offset, strides)
		st.run = func(r *run) { keep(r); update(r) }
		return
	}
	starts, dims, w := from(2), n.dims(), c.part(v)
	st.run = func(r *run) {
		keep(r)
		offset := 0
		for a, s := range at[int64](r, starts, len(dims)) {
			offset += int(max(0, min(s, int64(dims[a]-w.dims[a])))) * strides[a]
		}
		copyAt(r, t, &w, to, offset, strides)
	}
}

// conv makes the step of a convolution or one of its gradients.
func (c *compiler) conv(n *node, st *step, from func(i int) ref, to ref) {
	a := n.attr.(convolution)
	o := a.Conv
	x, w, size := from(0), from(1), n.size()
	nx, nw := n.in[0].size(), n.in[1].size()
	st.label = func() string {
		kind, form := "Conv", [...]string{"", " by input", " by weight"}[a.form]
		if o.Groups > 1 {
			kind = "Grouped conv"
		}
		if o.Depthwise() {
			kind = "Depthwise conv"
		}
		return fmt.Sprintf("%s %d×%d%s [%d %d %d %d]→[%d %d %d]", kind, o.R, o.S, form, o.N, o.H, o.W, o.C, o.OutH, o.OutW, o.K)
	}
	switch a.form {
	case forward:
		st.run = func(r *run) {
			o.Forward(r.pool, at[float32](r, to, size), at[float32](r, x, nx), at[float32](r, w, nw))
		}
	case backwardInput:
		st.run = func(r *run) {
			o.BackwardInput(r.pool, at[float32](r, to, size), at[float32](r, x, nx), at[float32](r, w, nw))
		}
	case backwardWeight:
		st.run = func(r *run) {
			o.BackwardWeight(r.pool, at[float32](r, to, size), at[float32](r, x, nx), at[float32](r, w, nw))
		}
	}
}
