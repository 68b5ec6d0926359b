package cpu

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Nodes are made here in their simplest form.

func makeShape(t dtypes.DType, dims []int) shapes.Shape {
	return shapes.Shape{DType: t, Dimensions: slices.Clone(dims)}
}

// shapeOf is makeShape for a node, which goes when the computation is compiled.
func (f *Function) shapeOf(t dtypes.DType, dims []int) shapes.Shape {
	return shapes.Shape{DType: t, Dimensions: f.ofInts.copyOf(dims)}
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func (f *Function) reshape(x *node, dims []int) *node {
	if x.op == compute.OpTypeReshape {
		x = x.in[0]
	}
	if slices.Equal(x.dims(), dims) {
		return x
	}
	if x.op == compute.OpTypeBroadcastInDim && x.in[0].size() == 1 {
		return f.broadcast(f.reshape(x.in[0], nil), dims, nil)
	}
	return f.add(compute.OpTypeReshape, f.shapeOf(x.shape.DType, dims), nil, x)
}

// broadcast repeats x: its axis i is axis axes[i] of the result.
func (f *Function) broadcast(x *node, dims, axes []int) *node {
	if slices.Equal(x.dims(), dims) {
		return x
	}
	if x.size() == 1 {
		x = f.reshape(x, nil)
		axes = nil
	}
	if x.size() == product(dims) {
		return f.reshape(x, dims)
	}
	if x.op == compute.OpTypeBroadcastInDim {
		inner := x.attr.(ints)
		through := make([]int, len(inner))
		for i, a := range inner {
			through[i] = axes[a]
		}
		return f.broadcast(x.in[0], dims, through)
	}
	return f.add(compute.OpTypeBroadcastInDim, f.shapeOf(x.shape.DType, dims), ints(slices.Clone(axes)), x)
}

// broadcastTo repeats a scalar, or the axes of size 1 of an array of the same rank.
func (f *Function) broadcastTo(x *node, dims []int) *node {
	if len(x.dims()) == 0 {
		return f.broadcast(x, dims, nil)
	}
	return f.broadcast(x, dims, upTo(len(dims)))
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (f *Function) transpose(x *node, perm []int) *node {
	if x.op == compute.OpTypeTranspose {
		inner := x.attr.(ints)
		through := make([]int, len(perm))
		for i, a := range perm {
			through[i] = inner[a]
		}
		x, perm = x.in[0], through
	}
	dims := make([]int, len(perm))
	last, straight := -1, true
	for i, a := range perm {
		dims[i] = x.dims()[a]
		if dims[i] != 1 { // where axes of size 1 go does not matter
			straight = straight && a > last
			last = a
		}
	}
	if straight {
		return f.reshape(x, dims)
	}
	if v := scalarOf(x); v != nil {
		return f.broadcast(v, dims, nil)
	}
	if y := f.exchanged(x, perm, dims); y != nil {
		return y
	}
	return f.add(compute.OpTypeTranspose, f.shapeOf(x.shape.DType, dims), ints(slices.Clone(perm)), x)
}

// exchanged returns a transposed product as the product of its operands the other way round,
// if that is what it is.
func (f *Function) exchanged(x *node, perm, dims []int) *node {
	if x.op != compute.OpTypeDotGeneral {
		return nil
	}
	c := x.attr.(contraction)
	batch := len(c.lhsBatch)
	lhs := len(x.in[0].dims()) - batch - len(c.lhsSum)
	rhs := len(x.in[1].dims()) - batch - len(c.rhsSum)
	for i, p := range perm {
		want := i
		switch {
		case i >= batch+rhs:
			want = i - rhs
		case i >= batch:
			want = i + lhs
		}
		if p != want {
			return nil
		}
	}
	return f.add(x.op, f.shapeOf(x.shape.DType, dims), contraction{c.rhsSum, c.rhsBatch, c.lhsSum, c.lhsBatch}, x.in[1], x.in[0])
}

// scalarOf returns the scalar that x repeats, or nil.
func scalarOf(x *node) *node {
	if x.op == compute.OpTypeBroadcastInDim && len(x.in[0].dims()) == 0 {
		return x.in[0]
	}
	return nil
}

func (f *Function) reverse(x *node, axes []int) *node {
	set := make([]bool, len(x.dims()))
	for _, a := range axes {
		set[a] = !set[a]
	}
	if x.op == compute.OpTypeReverse {
		for _, a := range x.attr.(ints) {
			set[a] = !set[a]
		}
		x = x.in[0]
	}
	var left ints
	for a, on := range set {
		if on && x.dims()[a] > 1 {
			left = append(left, a)
		}
	}
	if len(left) == 0 || scalarOf(x) != nil {
		return x
	}
	return f.add(compute.OpTypeReverse, f.shapeOf(x.shape.DType, x.dims()), left, x)
}

// part is a slice: starts and steps.
type part struct{ starts, strides ints }

func (p part) key(b []byte) []byte { return p.strides.key(p.starts.key(b)) }

func (f *Function) slice(x *node, starts, limits, strides []int) *node {
	dims := make([]int, len(starts))
	p := part{starts: slices.Clone(starts), strides: make(ints, len(starts))}
	all := true
	for a := range starts {
		p.strides[a] = 1
		if len(strides) > 0 {
			p.strides[a] = strides[a]
		}
		dims[a] = (limits[a] - starts[a] + p.strides[a] - 1) / p.strides[a]
		if dims[a] == 1 {
			p.strides[a] = 1
		}
		all = all && dims[a] == x.dims()[a]
	}
	if all {
		return x
	}
	if v := scalarOf(x); v != nil {
		return f.broadcast(v, dims, nil)
	}
	if x.op == compute.OpTypeSlice {
		inner := x.attr.(part)
		for a := range p.starts {
			p.starts[a] = inner.starts[a] + p.starts[a]*inner.strides[a]
			p.strides[a] *= inner.strides[a]
		}
		x = x.in[0]
	}
	return f.add(compute.OpTypeSlice, f.shapeOf(x.shape.DType, dims), p, x)
}

// pads is how much a pad adds.
type pads []compute.PadAxis

func (p pads) key(b []byte) []byte {
	for _, a := range p {
		b = ints{a.Start, a.End, a.Interior}.key(b)
	}
	return b
}

func (f *Function) pad(x, fill *node, axes []compute.PadAxis) *node {
	p := make(pads, len(x.dims()))
	copy(p, axes)
	dims := make([]int, len(p))
	same := true
	for a, d := range x.dims() {
		dims[a] = d + p[a].Start + p[a].End + max(d-1, 0)*p[a].Interior
		if d <= 1 {
			p[a].Interior = 0
		}
		same = same && p[a] == compute.PadAxis{}
	}
	if same {
		return x
	}
	if w := f.padOfWindow(x, fill, p, dims); w != nil {
		return w
	}
	return f.add(compute.OpTypePad, f.shapeOf(x.shape.DType, dims), p, x, fill)
}

func (f *Function) concatenate(xs []*node, axis int) *node {
	if len(xs) == 1 {
		return xs[0]
	}
	if x := f.concatenateConvs(xs, axis); x != nil {
		return x
	}
	dims := slices.Clone(xs[0].dims())
	for _, x := range xs[1:] {
		dims[axis] += x.dims()[axis]
	}
	if x := f.undoSplit(xs, axis, dims); x != nil {
		return x
	}
	return f.add(compute.OpTypeConcatenate, f.shapeOf(xs[0].shape.DType, dims), ints{axis}, xs...)
}

// undoSplit returns the array that the operands are the slices of, or nil.
func (f *Function) undoSplit(xs []*node, axis int, dims []int) *node {
	at := 0
	for _, x := range xs {
		if x.op != compute.OpTypeSlice || x.in[0] != xs[0].in[0] || !slices.Equal(x.in[0].dims(), dims) {
			return nil
		}
		p := x.attr.(part)
		for a := range p.starts {
			want := 0
			if a == axis {
				want = at
			}
			if p.starts[a] != want || p.strides[a] != 1 {
				return nil
			}
		}
		at += x.dims()[axis]
	}
	return xs[0].in[0]
}

// hoisted computes an element-wise operation before a broadcast that all operands have in
// common; scalars go with any. It returns nil if there is none.
func (f *Function) hoisted(xs []*node, op func([]*node) *node) *node {
	var common *node
	for _, x := range xs {
		if x.op != compute.OpTypeBroadcastInDim {
			return nil
		}
		if len(x.in[0].dims()) == 0 {
			continue
		}
		if common != nil && (!slices.Equal(common.attr.(ints), x.attr.(ints)) ||
			!slices.Equal(common.in[0].dims(), x.in[0].dims())) {
			return nil
		}
		common = x
	}
	inner := make([]*node, len(xs))
	for i, x := range xs {
		inner[i] = x.in[0]
	}
	if common == nil {
		return f.broadcast(op(inner), xs[0].dims(), nil)
	}
	return f.broadcast(op(inner), xs[0].dims(), common.attr.(ints))
}

// number returns a scalar constant as a number.
func (n *node) number() (float32, bool) {
	if n.op != compute.OpTypeConstant || len(n.dims()) > 0 {
		return 0, false
	}
	return n.value()
}

// unary adds an element-wise operation.
func (f *Function) unary(op compute.OpType, x *node) *node {
	if y := f.hoisted([]*node{x}, func(in []*node) *node { return f.unary(op, in[0]) }); y != nil {
		return y
	}
	t := x.shape.DType
	switch op {
	case compute.OpTypeIsFinite, compute.OpTypeIsNaN:
		t = dtypes.Bool
	}
	if v, ok := x.number(); ok {
		if y, ok := fold(op, v); ok {
			return f.splat(dtypes.Float32, float64(y), nil)
		}
	}
	if y := f.indicator(op, x); y != nil {
		return y
	}
	if op == compute.OpTypeNeg && x.op == compute.OpTypeNeg || op == compute.OpTypeLogicalNot && x.op == compute.OpTypeLogicalNot {
		return x.in[0]
	}
	return f.add(op, f.shapeOf(t, x.dims()), nil, x)
}

// fold computes an operation of float32 numbers.
func fold(op compute.OpType, v ...float32) (float32, bool) {
	out := []float32{0}
	if u, ok := unaries.get(op); ok && len(v) == 1 {
		u.Apply(out, v)
		return out[0], true
	}
	if b, ok := binaries.get(op); ok && len(v) == 2 {
		return b.Of(v[0], v[1]), true
	}
	return 0, false
}

// indicator recognises GoMLX's ways to write x ≥ 0 and x ≤ 0 as a number: sign(sign(x)+1)
// and sign(1−sign(x)). They differ for NaN only, where ours is 0.
func (f *Function) indicator(op compute.OpType, x *node) *node {
	if op != compute.OpTypeSign || x.shape.DType != dtypes.Float32 || x.op != compute.OpTypeAdd && x.op != compute.OpTypeSub {
		return nil
	}
	a, b := x.in[0], x.in[1]
	zero := f.splat(dtypes.Float32, 0, nil)
	switch {
	case x.op == compute.OpTypeAdd && a.op == compute.OpTypeSign && b.is(1):
		return f.convert(f.binary(compute.OpTypeGreaterOrEqual, a.in[0], zero), dtypes.Float32)
	case x.op == compute.OpTypeSub && b.op == compute.OpTypeSign && a.is(1):
		return f.convert(f.binary(compute.OpTypeLessOrEqual, b.in[0], zero), dtypes.Float32)
	}
	return nil
}

// mask returns the booleans of which x is the number, 1 or 0; or nil.
func (x *node) mask() *node {
	if x.op == compute.OpTypeConvertDType && x.in[0].shape.DType == dtypes.Bool {
		return x.in[0]
	}
	return nil
}

// binary adds an element-wise operation of operands that are broadcast to each other.
func (f *Function) binary(op compute.OpType, a, b *node) *node {
	dims := a.dims()
	if len(dims) == 0 {
		dims = b.dims()
	} else if len(b.dims()) > 0 {
		dims = slices.Clone(dims)
		for i, d := range b.dims() {
			if dims[i] == 1 {
				dims[i] = d
			}
		}
	}
	a, b = f.broadcastTo(a, dims), f.broadcastTo(b, dims)
	if y := f.hoisted([]*node{a, b}, func(in []*node) *node { return f.binary(op, in[0], in[1]) }); y != nil {
		return y
	}
	t := a.shape.DType
	if comparison(op) {
		return f.add(op, f.shapeOf(dtypes.Bool, dims), nil, a, b)
	}
	if t == dtypes.Float32 {
		if y := f.simpler(op, a, b); y != nil {
			return y
		}
	}
	switch op {
	case compute.OpTypeAdd, compute.OpTypeMul, compute.OpTypeMax, compute.OpTypeMin:
		// One order, so that equal nodes are found: constants second.
		if isSplat(a) || a.id > b.id && !isSplat(b) {
			a, b = b, a
		}
	}
	return f.add(op, f.shapeOf(t, dims), nil, a, b)
}

// simpler returns a simpler form of an operation of float32 numbers, or nil.
func (f *Function) simpler(op compute.OpType, a, b *node) *node {
	x, okX := a.value()
	y, okY := b.value()
	if okX && okY {
		if v, ok := fold(op, x, y); ok {
			return f.splat(dtypes.Float32, float64(v), a.dims())
		}
	}
	switch op {
	case compute.OpTypeAdd:
		switch {
		case okX && x == 0:
			return b
		case okY && y == 0:
			return a
		case b.op == compute.OpTypeNeg:
			return f.binary(compute.OpTypeSub, a, b.in[0])
		case a.op == compute.OpTypeNeg:
			return f.binary(compute.OpTypeSub, b, a.in[0])
		}
	case compute.OpTypeSub:
		switch {
		case okY && y == 0:
			return a
		case okX && x == 0:
			return f.unary(compute.OpTypeNeg, b)
		case b.op == compute.OpTypeNeg:
			return f.binary(compute.OpTypeAdd, a, b.in[0])
		case okX && x == 1 && b.mask() != nil:
			return f.convert(f.unary(compute.OpTypeLogicalNot, b.mask()), dtypes.Float32)
		}
	case compute.OpTypeMul:
		switch {
		case okX && x == 1:
			return b
		case okY && y == 1:
			return a
		case okX && x == -1:
			return f.unary(compute.OpTypeNeg, b)
		case okY && y == -1:
			return f.unary(compute.OpTypeNeg, a)
		case a.mask() != nil:
			return f.where(a.mask(), b, f.splat(dtypes.Float32, 0, nil))
		case b.mask() != nil:
			return f.where(b.mask(), a, f.splat(dtypes.Float32, 0, nil))
		}
	case compute.OpTypeDiv, compute.OpTypePow:
		switch {
		case okY && y == 1:
			return a
		case op == compute.OpTypePow && okY && y == 2:
			return f.binary(compute.OpTypeMul, a, a)
		case op == compute.OpTypePow && okY && y == 0.5:
			return f.unary(compute.OpTypeSqrt, a)
		}
	}
	return nil
}

func isSplat(n *node) bool {
	_, ok := n.value()
	return ok
}

// convert changes the type of numbers.
func (f *Function) convert(x *node, t dtypes.DType) *node {
	if x.shape.DType == t {
		return x
	}
	if n := x; n.op == compute.OpTypeBroadcastInDim {
		return f.broadcast(f.convert(n.in[0], t), x.dims(), n.attr.(ints))
	} else if n.op == compute.OpTypeReshape && n.size() == 1 {
		return f.reshape(f.convert(n.in[0], t), x.dims())
	} else if n.op == compute.OpTypeConstant && n.size() == 1 {
		shape := f.shapeOf(t, x.dims())
		flat := flatOf(&array{words: make([]uint64, 8)}, t, 1)
		convertNumbers(flat, n.attr.(constant).flat)
		return f.add(compute.OpTypeConstant, shape, constant{flat})
	}
	return f.add(compute.OpTypeConvertDType, f.shapeOf(t, x.dims()), nil, x)
}

// where chooses.
func (f *Function) where(cond, a, b *node) *node {
	dims := cond.dims()
	for _, x := range []*node{a, b} {
		if len(x.dims()) > 0 {
			dims = x.dims()
		}
	}
	cond, a, b = f.broadcastTo(cond, dims), f.broadcastTo(a, dims), f.broadcastTo(b, dims)
	if a == b {
		return a
	}
	if y := f.hoisted([]*node{cond, a, b}, func(in []*node) *node { return f.where(in[0], in[1], in[2]) }); y != nil {
		return y
	}
	return f.add(compute.OpTypeWhere, f.shapeOf(a.shape.DType, dims), nil, cond, a, b)
}

// reduction is the attribute of the reductions.
type reduction struct {
	outer, mid, inner int // x is outer×mid×inner; mid is reduced
}

func (r reduction) key(b []byte) []byte { return ints{r.outer, r.mid, r.inner}.key(b) }

// reduce folds axes. Any set of axes becomes a series of reductions of the middle of
// three axes.
func (f *Function) reduce(op compute.OpType, x *node, axes []int) *node {
	rank := len(x.dims())
	set := make([]bool, rank)
	for _, a := range axes {
		set[a] = true
	}
	if len(axes) == 0 {
		for a := range set {
			set[a] = true
		}
	}
	var dims []int // of the result
	count := 1
	for a, d := range x.dims() {
		if !set[a] {
			dims = append(dims, d)
		} else {
			count *= d
		}
	}
	if v := scalarOf(x); v != nil && op == compute.OpTypeReduceSum && x.shape.DType == dtypes.Float32 && count > 0 {
		return f.broadcast(f.binary(compute.OpTypeMul, v, f.splat(dtypes.Float32, float64(count), nil)), dims, nil)
	}
	// Merge neighbours that are both kept or both reduced; axes of size 1 are neither.
	type run struct {
		n       int
		reduced bool
	}
	var runs []run
	for a, d := range x.dims() {
		if d == 1 {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].reduced == set[a] {
			runs[k].n *= d
			continue
		}
		runs = append(runs, run{d, set[a]})
	}
	last := -1
	for i, r := range runs {
		if r.reduced {
			last = i
		}
	}
	if last < 0 {
		return f.reshape(x, dims)
	}
	// Reduce the last reduced run, then what is left.
	outer, inner := 1, 1
	var left []int
	var leftAxes []int
	for i, r := range runs {
		switch {
		case i < last:
			outer *= r.n
		case i > last:
			inner *= r.n
		}
		if i != last {
			if r.reduced {
				leftAxes = append(leftAxes, len(left))
			}
			left = append(left, r.n)
		}
	}
	r := reduction{outer, runs[last].n, inner}
	var shape []int
	if outer > 1 {
		shape = append(shape, outer)
	}
	if inner > 1 {
		shape = append(shape, inner)
	}
	in := []int{r.mid}
	if inner > 1 {
		in = append(in, inner)
	}
	if outer > 1 {
		in = append([]int{outer}, in...)
	}
	y := f.add(op, f.shapeOf(x.shape.DType, shape), r, f.reshape(x, in))
	if len(leftAxes) > 0 {
		return f.reshape(f.reduce(op, f.reshape(y, left), leftAxes), dims)
	}
	return f.reshape(y, dims)
}
