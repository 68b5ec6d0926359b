package cpu

import (
	"slices"

	"github.com/gomlx/compute"
)

// A view is numbers of an array in another order: number i of it, i over dims, is
// number from + Σ iₐ·strides[a] of base. Bases are nodes that are computed.
type view struct {
	base          *node
	from          int
	dims, strides []int
}

// dense returns the strides of numbers that lie in order.
func dense(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for a := len(dims) - 1; a >= 0; a-- {
		s[a] = n
		n *= dims[a]
	}
	return s
}

// isDense says whether the numbers lie in order, from wherever.
func (v *view) isDense() bool {
	n := 1
	for a := len(v.dims) - 1; a >= 0; a-- {
		if v.dims[a] != 1 && v.strides[a] != n {
			return false
		}
		n *= v.dims[a]
	}
	return true
}

// whole says whether the view is all of its base, in order.
func (v *view) whole() bool { return v.from == 0 && v.isDense() && product(v.dims) == v.base.size() }

// repeatsOne says whether the view is one number again and again.
func (v *view) repeatsOne() bool {
	for a, d := range v.dims {
		if d != 1 && v.strides[a] != 0 {
			return false
		}
	}
	return true
}

// merged returns the view with as few axes as possible.
func (v *view) merged() (dims, strides []int) {
	for a, d := range v.dims {
		if d == 1 {
			continue
		}
		if k := len(dims) - 1; k >= 0 && strides[k] == d*v.strides[a] {
			dims[k] *= d
			strides[k] = v.strides[a]
			continue
		}
		dims, strides = append(dims, d), append(strides, v.strides[a])
	}
	return dims, strides
}

// reshaped returns the view with other dimensions, if that is one.
func (v *view) reshaped(dims []int) (view, bool) {
	out := view{base: v.base, from: v.from, dims: dims, strides: make([]int, len(dims))}
	if v.isDense() {
		out.strides = dense(dims)
		return out, true
	}
	// Every merged axis must be a run of the new axes.
	from, steps := v.merged()
	k, left := len(from)-1, 1
	stride := 0
	if k >= 0 {
		left, stride = from[k], steps[k]
	}
	for a := len(dims) - 1; a >= 0; a-- {
		if dims[a] == 1 {
			continue
		}
		for left == 1 {
			if k--; k < 0 {
				return view{}, false
			}
			left, stride = from[k], steps[k]
		}
		if left%dims[a] != 0 {
			return view{}, false
		}
		out.strides[a] = stride
		stride *= dims[a]
		left /= dims[a]
	}
	return out, true
}

// isView says whether an operation only reorders numbers.
func isView(op compute.OpType) bool {
	switch op {
	case compute.OpTypeReshape, compute.OpTypeBroadcastInDim, compute.OpTypeTranspose, compute.OpTypeReverse, compute.OpTypeSlice:
		return true
	}
	return false
}

// view returns a node as a view. If a reshape of it is none, what is reshaped must be
// copied.
func (c *compiler) view(n *node) *view {
	if v := c.about[n.id].view; v != nil {
		return v
	}
	v := c.newView(n)
	c.about[n.id].view = v
	return v
}

func (c *compiler) newView(n *node) *view {
	if !isView(n.op) || c.about[n.id].copied {
		return c.ownView(n)
	}
	x := c.view(n.in[0])
	v := &c.ofViews.take(1)[0]
	*v = view{base: x.base, from: x.from, dims: n.dims(), strides: c.ofInts.take(len(n.dims()))}
	switch n.op {
	case compute.OpTypeReshape:
		r, ok := x.reshaped(n.dims())
		if !ok {
			r, _ = c.denseView(n.in[0]).reshaped(n.dims())
		}
		return &r
	case compute.OpTypeBroadcastInDim:
		for i, a := range n.attr.(ints) {
			if x.dims[i] == n.dims()[a] {
				v.strides[a] = x.strides[i]
			}
		}
	case compute.OpTypeTranspose:
		for a, p := range n.attr.(ints) {
			v.strides[a] = x.strides[p]
		}
	case compute.OpTypeReverse:
		copy(v.strides, x.strides)
		for _, a := range n.attr.(ints) {
			v.from += (x.dims[a] - 1) * x.strides[a]
			v.strides[a] = -x.strides[a]
		}
	case compute.OpTypeSlice:
		p := n.attr.(part)
		for a := range v.strides {
			v.from += p.starts[a] * x.strides[a]
			v.strides[a] = p.strides[a] * x.strides[a]
		}
	}
	return v
}

// ownView is the view of all numbers of a node in order.
func (c *compiler) ownView(n *node) *view {
	v := &c.ofViews.take(1)[0]
	*v = view{base: n, dims: n.dims(), strides: c.ofInts.take(len(n.dims()))}
	size := 1
	for a := len(v.dims) - 1; a >= 0; a-- {
		v.strides[a] = size
		size *= v.dims[a]
	}
	return v
}

// denseView returns a view in order, for which the numbers are copied if need be.
func (c *compiler) denseView(n *node) *view {
	if v := c.view(n); v.isDense() {
		return v
	}
	if c.about[n.id].source == nil {
		c.about[n.id].copied = true
		c.about[n.id].source = c.view(n) // what is copied
		c.order = append(c.order, n)
	}
	return c.ownView(n)
}

// like says whether two views are of the same numbers.
func (v *view) like(o *view) bool {
	return v.base == o.base && v.from == o.from && slices.Equal(v.dims, o.dims) && slices.Equal(v.strides, o.strides)
}
