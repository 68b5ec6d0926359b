package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// supported are the operations besides the element-wise ones.
var supported = []compute.OpType{
	compute.OpTypeParameter, compute.OpTypeConstant, compute.OpTypeIdentity, compute.OpTypeReduceWindow,
	compute.OpTypeBatchNormForInference, compute.OpTypeBatchNormForTraining, compute.OpTypeBatchNormGradient,
	compute.OpTypeArgMinMax, compute.OpTypeBroadcastInDim, compute.OpTypeConcatenate,
	compute.OpTypeConvGeneral, compute.OpTypeDot, compute.OpTypeDotGeneral, compute.OpTypeDynamicSlice,
	compute.OpTypeDynamicUpdateSlice, compute.OpTypeGather, compute.OpTypeIota, compute.OpTypePad, compute.OpTypeReal,
	compute.OpTypeReduceMax, compute.OpTypeReduceMin, compute.OpTypeReduceProduct, compute.OpTypeReduceSum,
	compute.OpTypeReduceLogicalAnd, compute.OpTypeReduceLogicalOr,
	compute.OpTypeReshape, compute.OpTypeReverse, compute.OpTypeScatterMax, compute.OpTypeScatterMin,
	compute.OpTypeScatterSum, compute.OpTypeSelectAndScatterMax, compute.OpTypeSelectAndScatterMin,
	compute.OpTypeSlice, compute.OpTypeTranspose, compute.OpTypeOptimizationBarrier, compute.OpTypeSchedulingBarrier,
}

// Identity returns x.
func (f *Function) Identity(x compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(compute.OpTypeIdentity, x)
	if err != nil {
		return nil, err
	}
	return in[0], nil
}

// Real returns x, which is real.
func (f *Function) Real(x compute.Value) (compute.Value, error) { return f.Identity(x) }

// OptimizationBarrier returns the operands.
func (f *Function) OptimizationBarrier(operands ...compute.Value) ([]compute.Value, error) {
	if _, err := f.values(compute.OpTypeOptimizationBarrier, operands...); err != nil {
		return nil, err
	}
	return slices.Clone(operands), nil
}

// SchedulingBarrier returns the operand.
func (f *Function) SchedulingBarrier(operand compute.Value, dependencies ...compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	if _, err := f.values(compute.OpTypeSchedulingBarrier, append(slices.Clone(dependencies), operand)...); err != nil {
		return nil, err
	}
	return operand, nil
}

// ConvertDType implements the operation of [compute.StandardOps].
func (f *Function) ConvertDType(x compute.Value, t dtypes.DType) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(compute.OpTypeConvertDType, x)
	if err != nil {
		return nil, err
	}
	if err := checkType(t); err != nil {
		return nil, err
	}
	return f.convert(in[0], t), nil
}

// Where implements the operation of [compute.StandardOps].
func (f *Function) Where(cond, onTrue, onFalse compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeWhere
	in, err := f.values(op, cond, onTrue, onFalse)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.Where(in[0].shape, in[1].shape, in[2].shape)
	}); err != nil {
		return nil, err
	}
	return f.where(in[0], in[1], in[2]), nil
}

// Clamp implements the operation of [compute.StandardOps].
func (f *Function) Clamp(lo, x, hi compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	atLeast, err := f.Max(x, lo)
	if err != nil {
		return nil, err
	}
	return f.Min(atLeast, hi)
}

// Reshape implements the operation of [compute.StandardOps].
func (f *Function) Reshape(x compute.Value, dims ...int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeReshape
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.Reshape(in[0].shape, dims) }); err != nil {
		return nil, err
	}
	return f.reshape(in[0], dims), nil
}

// BroadcastInDim implements the operation of [compute.StandardOps].
func (f *Function) BroadcastInDim(x compute.Value, output shapes.Shape, axes []int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeBroadcastInDim
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		return output, shapeinference.BroadcastInDim(in[0].shape, output, axes, nil)
	}); err != nil {
		return nil, err
	}
	if !slices.IsSorted(axes) {
		return nil, fmt.Errorf("cpu: the axes %v of a broadcast are not in order", axes)
	}
	return f.broadcast(in[0], output.Dimensions, axes), nil
}

// Transpose implements the operation of [compute.StandardOps].
func (f *Function) Transpose(x compute.Value, perm ...int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeTranspose
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.Transpose(in[0].shape, perm) }); err != nil {
		return nil, err
	}
	return f.transpose(in[0], perm), nil
}

// checkAxes says whether all are axes of x.
func checkAxes(op compute.OpType, x *node, axes ...int) error {
	for _, a := range axes {
		if a < 0 || a >= len(x.dims()) {
			return fmt.Errorf("cpu: %s of axis %d of %s", op, a, x.shape)
		}
	}
	return nil
}

// Reverse implements the operation of [compute.StandardOps].
func (f *Function) Reverse(x compute.Value, axes ...int) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(compute.OpTypeReverse, x)
	if err != nil {
		return nil, err
	}
	if err := checkAxes(compute.OpTypeReverse, in[0], axes...); err != nil {
		return nil, err
	}
	return f.reverse(in[0], axes), nil
}

// Slice implements the operation of [compute.StandardOps].
func (f *Function) Slice(x compute.Value, starts, limits, strides []int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeSlice
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	limits = slices.Clone(limits)
	for a, l := range limits {
		if l == shapes.DynamicDim && a < len(in[0].dims()) {
			limits[a] = in[0].dims()[a]
		}
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.Slice(in[0].shape, starts, limits, orOnes(strides, len(starts)))
	}); err != nil {
		return nil, err
	}
	return f.slice(in[0], starts, limits, strides), nil
}

// Pad implements the operation of [compute.StandardOps].
func (f *Function) Pad(x, fill compute.Value, axes ...compute.PadAxis) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypePad
	in, err := f.values(op, x, fill)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.Pad(in[0].shape, axes...) }); err != nil {
		return nil, err
	}
	if in[1].size() != 1 || in[1].shape.DType != in[0].shape.DType {
		return nil, fmt.Errorf("cpu: Pad of %s with %s", in[0].shape, in[1].shape)
	}
	return f.pad(in[0], f.reshape(in[1], nil), axes), nil
}

// Concatenate implements the operation of [compute.StandardOps].
func (f *Function) Concatenate(axis int, operands ...compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeConcatenate
	in, err := f.values(op, operands...)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		all := make([]shapes.Shape, len(in))
		for i, n := range in {
			all[i] = n.shape
		}
		return shapeinference.Concatenate(all, axis)
	}); err != nil {
		return nil, err
	}
	return f.concatenate(in, axis), nil
}

// Iota implements the operation of [compute.StandardOps].
func (f *Function) Iota(shape shapes.Shape, axis int) (v compute.Value, err error) {
	defer rescue(&err)
	if _, err := f.values(compute.OpTypeIota); err != nil {
		return nil, err
	}
	if err := checkType(shape.DType); err != nil {
		return nil, err
	}
	if axis < 0 || axis >= shape.Rank() || shape.IsDynamic() {
		return nil, fmt.Errorf("cpu: Iota along axis %d of %s", axis, shape)
	}
	// Numbers along one axis, repeated along the others.
	n := shape.Dimensions[axis]
	line := f.add(compute.OpTypeIota, f.shapeOf(shape.DType, []int{n}), nil)
	return f.broadcast(line, shape.Dimensions, []int{axis}), nil
}

func (f *Function) reduceOp(op compute.OpType, x compute.Value, axes []int) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	if err := checkAxes(op, in[0], axes...); err != nil {
		return nil, err
	}
	logical := op == compute.OpTypeReduceLogicalAnd || op == compute.OpTypeReduceLogicalOr
	if logical != (in[0].shape.DType == dtypes.Bool) {
		return nil, fmt.Errorf("cpu: %s of %s", op, in[0].shape)
	}
	return f.reduce(op, in[0], axes), nil
}

// ReduceSum implements the operation of [compute.StandardOps].
func (f *Function) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceSum, x, axes)
}

// ReduceProduct implements the operation of [compute.StandardOps].
func (f *Function) ReduceProduct(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceProduct, x, axes)
}

// ReduceMax implements the operation of [compute.StandardOps].
func (f *Function) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceMax, x, axes)
}

// ReduceMin implements the operation of [compute.StandardOps].
func (f *Function) ReduceMin(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceMin, x, axes)
}

// ReduceLogicalAnd implements the operation of [compute.StandardOps].
func (f *Function) ReduceLogicalAnd(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceLogicalAnd, x, axes)
}

// ReduceLogicalOr implements the operation of [compute.StandardOps].
func (f *Function) ReduceLogicalOr(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduceOp(compute.OpTypeReduceLogicalOr, x, axes)
}

// extreme is the attribute of ArgMinMax.
type extreme struct {
	axis int
	min  bool
}

func (e extreme) key(b []byte) []byte {
	if e.min {
		return ints{e.axis, 1}.key(b)
	}
	return ints{e.axis}.key(b)
}

// ArgMinMax implements the operation of [compute.StandardOps].
func (f *Function) ArgMinMax(x compute.Value, axis int, t dtypes.DType, isMin bool) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeArgMinMax
	in, err := f.values(op, x)
	if err != nil {
		return nil, err
	}
	if err := checkType(t); err != nil {
		return nil, err
	}
	shape, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.ArgMinMax(in[0].shape, axis, t) })
	if err != nil {
		return nil, err
	}
	if in[0].dims()[axis] == 0 {
		return nil, fmt.Errorf("cpu: ArgMinMax over no numbers, axis %d of %s", axis, in[0].shape)
	}
	return f.add(op, f.shapeOf(t, shape.Dimensions), extreme{axis, isMin}, in[0]), nil
}

// contraction is the attribute of DotGeneral.
type contraction struct{ lhsSum, lhsBatch, rhsSum, rhsBatch ints }

func (c contraction) key(b []byte) []byte {
	return c.rhsBatch.key(c.rhsSum.key(c.lhsBatch.key(c.lhsSum.key(b))))
}

// DotGeneral implements the operation of [compute.StandardOps].
func (f *Function) DotGeneral(lhs compute.Value, lhsSum, lhsBatch []int, rhs compute.Value, rhsSum, rhsBatch []int,
	config compute.DotGeneralConfig) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeDotGeneral
	in, err := f.values(op, lhs, rhs)
	if err != nil {
		return nil, err
	}
	t := in[0].shape.DType
	for _, want := range []dtypes.DType{config.AccumulatorDType, config.OutputDType} {
		if want != dtypes.InvalidDType && want != t {
			return nil, fmt.Errorf("%w: cpu: DotGeneral of %s that accumulates in or returns %s",
				compute.ErrNotImplemented, t, want)
		}
	}
	if t == dtypes.Bool {
		return nil, fmt.Errorf("%w: cpu: DotGeneral of booleans", compute.ErrNotImplemented)
	}
	shape, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.DotGeneral(in[0].shape, lhsSum, lhsBatch, in[1].shape, rhsSum, rhsBatch, config)
	})
	if err != nil {
		return nil, err
	}
	c := contraction{slices.Clone(lhsSum), slices.Clone(lhsBatch), slices.Clone(rhsSum), slices.Clone(rhsBatch)}
	return f.add(op, f.shapeOf(t, shape.Dimensions), c, in...), nil
}

// starts returns one array of the start indices as int64, or nil if they are all
// constant, and then the constants.
func (f *Function) starts(op compute.OpType, x *node, indices []compute.Value) (*node, []int, error) {
	in, err := f.values(op, indices...)
	if err != nil {
		return nil, nil, err
	}
	if len(in) != len(x.dims()) {
		return nil, nil, fmt.Errorf("cpu: %s: %d start indices for %s", op, len(in), x.shape)
	}
	fixed := make([]int, 0, len(in))
	for i, n := range in {
		if n.size() != 1 || !n.shape.DType.IsInt() {
			return nil, nil, fmt.Errorf("cpu: %s: start index %d is %s, not an integer", op, i, n.shape)
		}
		n = f.convert(f.reshape(n, []int{1}), dtypes.Int64)
		in[i] = n
		for n.op == compute.OpTypeReshape || n.op == compute.OpTypeBroadcastInDim {
			n = n.in[0]
		}
		if n.op == compute.OpTypeConstant {
			fixed = append(fixed, int(n.attr.(constant).flat.([]int64)[0]))
		}
	}
	if len(fixed) == len(in) {
		return nil, fixed, nil
	}
	return f.concatenate(in, 0), nil, nil
}

// DynamicSlice implements the operation of [compute.StandardOps].
func (f *Function) DynamicSlice(operand compute.Value, startIndices []compute.Value, sizes []int) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeDynamicSlice
	in, err := f.values(op, operand)
	if err != nil {
		return nil, err
	}
	x := in[0]
	if _, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.DynamicSlice(x.shape, sizes) }); err != nil {
		return nil, err
	}
	at, fixed, err := f.starts(op, x, startIndices)
	if err != nil {
		return nil, err
	}
	if at != nil {
		return f.add(op, f.shapeOf(x.shape.DType, sizes), nil, x, at), nil
	}
	limits := make([]int, len(fixed))
	for a := range fixed {
		fixed[a] = max(0, min(fixed[a], x.dims()[a]-sizes[a]))
		limits[a] = fixed[a] + sizes[a]
	}
	return f.slice(x, fixed, limits, nil), nil
}

// DynamicUpdateSlice implements the operation of [compute.StandardOps].
func (f *Function) DynamicUpdateSlice(operand, update compute.Value, startIndices []compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeDynamicUpdateSlice
	in, err := f.values(op, operand, update)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.DynamicUpdateSlice(in[0].shape, in[1].shape)
	}); err != nil {
		return nil, err
	}
	for a, d := range in[1].dims() {
		if d > in[0].dims()[a] {
			return nil, fmt.Errorf("cpu: DynamicUpdateSlice of %s by the larger %s", in[0].shape, in[1].shape)
		}
	}
	at, fixed, err := f.starts(op, in[0], startIndices)
	if err != nil {
		return nil, err
	}
	if at == nil {
		if slices.Equal(in[0].dims(), in[1].dims()) {
			return in[1], nil
		}
		return f.add(op, in[0].shape, ints(fixed), in...), nil
	}
	return f.add(op, in[0].shape, nil, in[0], in[1], at), nil
}

// gathering is the attribute of Gather.
type gathering struct {
	vectorAxis                                  int
	offsetAxes, collapsed, startMap, sliceSizes ints
}

func (g gathering) key(b []byte) []byte {
	b = ints{g.vectorAxis}.key(b)
	return g.sliceSizes.key(g.startMap.key(g.collapsed.key(g.offsetAxes.key(b))))
}

// Gather implements the operation of [compute.StandardOps].
func (f *Function) Gather(operand, indices compute.Value, vectorAxis int, offsetAxes, collapsed, startMap, sliceSizes []int,
	_ bool) (v compute.Value, err error) {
	defer rescue(&err)
	const op = compute.OpTypeGather
	in, err := f.values(op, operand, indices)
	if err != nil {
		return nil, err
	}
	x, at, vectorAxis, err := f.indexVectors(op, in[0], in[1], vectorAxis)
	if err != nil {
		return nil, err
	}
	shape, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.Gather(x.shape, at.shape, vectorAxis, offsetAxes, collapsed, startMap, sliceSizes, false)
	})
	if err != nil {
		return nil, err
	}
	if shape.Size() > 0 && x.size() == 0 {
		return nil, fmt.Errorf("cpu: Gather from no numbers, %s", x.shape)
	}
	g := gathering{vectorAxis, slices.Clone(offsetAxes), slices.Clone(collapsed), slices.Clone(startMap), slices.Clone(sliceSizes)}
	slices.Sort(g.offsetAxes)
	return f.add(op, f.shapeOf(x.shape.DType, shape.Dimensions), g, x, at), nil
}

// indexVectors returns indices as int64 that have the axis of index vectors.
func (f *Function) indexVectors(op compute.OpType, x, at *node, axis int) (*node, *node, int, error) {
	if !at.shape.DType.IsInt() {
		return nil, nil, 0, fmt.Errorf("cpu: the indices of %s are %s, not integers", op, at.shape)
	}
	if axis < 0 || axis > len(at.dims()) {
		return nil, nil, 0, fmt.Errorf("cpu: axis %d of the indices %s of %s", axis, at.shape, op)
	}
	if axis == len(at.dims()) {
		at = f.reshape(at, append(slices.Clone(at.dims()), 1))
	}
	return x, f.convert(at, dtypes.Int64), axis, nil
}

// scattering is the attribute of the scatter operations.
type scattering struct {
	vectorAxis                  int
	window, inserted, toOperand ints
}

func (s scattering) key(b []byte) []byte {
	return s.toOperand.key(s.inserted.key(s.window.key(ints{s.vectorAxis}.key(b))))
}

func (f *Function) scatterOp(op compute.OpType, operand, indices, updates compute.Value, vectorAxis int,
	window, inserted, toOperand []int) (v compute.Value, err error) {
	defer rescue(&err)
	in, err := f.values(op, operand, indices, updates)
	if err != nil {
		return nil, err
	}
	x, at, vectorAxis, err := f.indexVectors(op, in[0], in[1], vectorAxis)
	if err != nil {
		return nil, err
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		return shapeinference.Scatter(x.shape, at.shape, in[2].shape, vectorAxis, window, inserted, toOperand)
	}); err != nil {
		return nil, err
	}
	if x.shape.DType == dtypes.Bool {
		return nil, fmt.Errorf("%w: cpu: %s of booleans", compute.ErrNotImplemented, op)
	}
	// The axes of updates that are no windows are those of the indices.
	k, ok := 0, true
	for a, d := range in[2].dims() {
		if slices.Contains(window, a) {
			continue
		}
		if k == vectorAxis {
			k++
		}
		ok = ok && at.dims()[k] == d
		k++
	}
	if !ok {
		return nil, fmt.Errorf("cpu: %s: updates %s do not fit the indices %s", op, in[2].shape, at.shape)
	}
	s := scattering{vectorAxis, slices.Clone(window), slices.Clone(inserted), slices.Clone(toOperand)}
	return f.add(op, x.shape, s, x, at, in[2]), nil
}

// ScatterSum implements the operation of [compute.StandardOps].
func (f *Function) ScatterSum(operand, indices, updates compute.Value, vectorAxis int, window, inserted, toOperand []int,
	_, _ bool) (compute.Value, error) {
	return f.scatterOp(compute.OpTypeScatterSum, operand, indices, updates, vectorAxis, window, inserted, toOperand)
}

// ScatterMax implements the operation of [compute.StandardOps].
func (f *Function) ScatterMax(operand, indices, updates compute.Value, vectorAxis int, window, inserted, toOperand []int,
	_, _ bool) (compute.Value, error) {
	return f.scatterOp(compute.OpTypeScatterMax, operand, indices, updates, vectorAxis, window, inserted, toOperand)
}

// ScatterMin implements the operation of [compute.StandardOps].
func (f *Function) ScatterMin(operand, indices, updates compute.Value, vectorAxis int, window, inserted, toOperand []int,
	_, _ bool) (compute.Value, error) {
	return f.scatterOp(compute.OpTypeScatterMin, operand, indices, updates, vectorAxis, window, inserted, toOperand)
}
