package cpu

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// What is not float32 is computed here, number by number.

type integer interface {
	~uint8 | ~int32 | ~int64 | ~uint32 | ~uint64
}

type number interface {
	integer | ~float32 | ~float64
}

// genericChunk is how many numbers are gathered at a time.
const genericChunk = 1 << 10

// source reads the numbers of an operand.
type source struct {
	ref           ref
	dims, strides []int
}

func (c *compiler) source(v *view) source {
	dims, strides := v.merged()
	return source{ref{c.slot(v.base), v.from}, dims, strides}
}

func read[T any](r *run, s source, to []T, start int) {
	gather(to, r.vals[s.ref.slot], s.ref.from, s.dims, s.strides, start)
}

// element returns what computes an element-wise node.
func (c *compiler) element(n *node, to ref) func(r *run) {
	in := make([]source, len(n.in))
	for i, v := range c.about[n.id].operands {
		in[i] = c.source(v)
	}
	size := n.size()
	t := n.in[0].shape.DType
	if n.op == compute.OpTypeConvertDType {
		return convertStep(n.shape.DType, t, in[0], to, size)
	}
	if n.op == compute.OpTypeWhere {
		switch typeSize(n.shape.DType) {
		case 1:
			return whereStep[uint8](in, to, size)
		case 4:
			return whereStep[uint32](in, to, size)
		}
		return whereStep[uint64](in, to, size)
	}
	switch t {
	case dtypes.Bool:
		return boolStep(n.op, in, to, size)
	case dtypes.Uint8:
		return intStep[uint8](n.op, in, to, size)
	case dtypes.Int32:
		return intStep[int32](n.op, in, to, size)
	case dtypes.Int64:
		return intStep[int64](n.op, in, to, size)
	case dtypes.Uint32:
		return intStep[uint32](n.op, in, to, size)
	case dtypes.Uint64:
		return intStep[uint64](n.op, in, to, size)
	case dtypes.Float32:
		return floatStep[float32](n.op, in, to, size)
	case dtypes.Float64:
		return floatStep[float64](n.op, in, to, size)
	}
	panic(fmt.Sprintf("%s of %s", n.op, t))
}

// map1 and map2 compute a function of one or two operands.
func map1[T, U any](f func(T) U, in []source, to ref, size int) func(r *run) {
	return func(r *run) {
		dst := at[U](r, to, size)
		r.pool.For(size, genericChunk, func(lo, hi int) {
			var x [genericChunk]T
			read(r, in[0], x[:hi-lo], lo)
			for i, v := range x[:hi-lo] {
				dst[lo+i] = f(v)
			}
		})
	}
}

func map2[T, U any](f func(a, b T) U, in []source, to ref, size int) func(r *run) {
	return func(r *run) {
		dst := at[U](r, to, size)
		r.pool.For(size, genericChunk, func(lo, hi int) {
			var x, y [genericChunk]T
			read(r, in[0], x[:hi-lo], lo)
			read(r, in[1], y[:hi-lo], lo)
			for i, v := range x[:hi-lo] {
				dst[lo+i] = f(v, y[i])
			}
		})
	}
}

func whereStep[T any](in []source, to ref, size int) func(r *run) {
	return func(r *run) {
		dst := at[T](r, to, size)
		r.pool.For(size, genericChunk, func(lo, hi int) {
			var c [genericChunk]bool
			var x, y [genericChunk]T
			read(r, in[0], c[:hi-lo], lo)
			read(r, in[1], x[:hi-lo], lo)
			read(r, in[2], y[:hi-lo], lo)
			for i, v := range c[:hi-lo] {
				if v {
					dst[lo+i] = x[i]
				} else {
					dst[lo+i] = y[i]
				}
			}
		})
	}
}

func boolStep(op compute.OpType, in []source, to ref, size int) func(r *run) {
	switch op {
	case compute.OpTypeLogicalNot:
		return map1(func(a bool) bool { return !a }, in, to, size)
	case compute.OpTypeLogicalAnd, compute.OpTypeMin:
		return map2(func(a, b bool) bool { return a && b }, in, to, size)
	case compute.OpTypeLogicalOr, compute.OpTypeMax:
		return map2(func(a, b bool) bool { return a || b }, in, to, size)
	case compute.OpTypeLogicalXor, compute.OpTypeNotEqual:
		return map2(func(a, b bool) bool { return a != b }, in, to, size)
	case compute.OpTypeEqual:
		return map2(func(a, b bool) bool { return a == b }, in, to, size)
	case compute.OpTypeLessThan:
		return map2(func(a, b bool) bool { return !a && b }, in, to, size)
	case compute.OpTypeLessOrEqual:
		return map2(func(a, b bool) bool { return !a || b }, in, to, size)
	case compute.OpTypeGreaterThan:
		return map2(func(a, b bool) bool { return a && !b }, in, to, size)
	case compute.OpTypeGreaterOrEqual:
		return map2(func(a, b bool) bool { return a || !b }, in, to, size)
	}
	panic(fmt.Sprintf("%s of booleans", op))
}

// numberStep has what all numbers have in common, or returns nil.
func numberStep[T number](op compute.OpType, in []source, to ref, size int) func(r *run) {
	switch op {
	case compute.OpTypeAdd:
		return map2(func(a, b T) T { return a + b }, in, to, size)
	case compute.OpTypeSub:
		return map2(func(a, b T) T { return a - b }, in, to, size)
	case compute.OpTypeMul:
		return map2(func(a, b T) T { return a * b }, in, to, size)
	case compute.OpTypeMax:
		return map2(func(a, b T) T { return max(a, b) }, in, to, size)
	case compute.OpTypeMin:
		return map2(func(a, b T) T { return min(a, b) }, in, to, size)
	case compute.OpTypeEqual:
		return map2(func(a, b T) bool { return a == b }, in, to, size)
	case compute.OpTypeNotEqual:
		return map2(func(a, b T) bool { return a != b }, in, to, size)
	case compute.OpTypeLessThan:
		return map2(func(a, b T) bool { return a < b }, in, to, size)
	case compute.OpTypeLessOrEqual:
		return map2(func(a, b T) bool { return a <= b }, in, to, size)
	case compute.OpTypeGreaterThan:
		return map2(func(a, b T) bool { return a > b }, in, to, size)
	case compute.OpTypeGreaterOrEqual:
		return map2(func(a, b T) bool { return a >= b }, in, to, size)
	case compute.OpTypeNeg:
		return map1(func(a T) T { return -a }, in, to, size)
	case compute.OpTypeAbs:
		return map1(func(a T) T { return max(a, -a) }, in, to, size)
	case compute.OpTypeSign:
		return map1(func(a T) T {
			switch {
			case a > 0:
				return 1
			case a < 0:
				var one T = 1
				return -one
			}
			return a
		}, in, to, size)
	}
	return nil
}

// intStep is of integers. As in XLA, x/0 is −1 and the remainder of it is x.
func intStep[T integer](op compute.OpType, in []source, to ref, size int) func(r *run) {
	var zero T
	signed := zero-1 < 0
	wide := bits.Len64(uint64(zero - 1)) // of unsigned types
	if signed {
		wide = 64
		if most := int64(math.MaxInt32); T(most)+1 < 0 {
			wide = 32
		}
	}
	mask := uint64(1)<<(wide-1)<<1 - 1
	switch op {
	case compute.OpTypeAbs:
		if !signed {
			return map1(func(a T) T { return a }, in, to, size)
		}
	case compute.OpTypeDiv:
		return map2(func(a, b T) T {
			if b == 0 {
				return zero - 1
			}
			return a / b
		}, in, to, size)
	case compute.OpTypeRem:
		return map2(func(a, b T) T {
			if b == 0 {
				return a
			}
			return a % b
		}, in, to, size)
	case compute.OpTypePow:
		return map2(func(a, b T) T {
			if b < 0 {
				switch {
				case a == 1:
					return 1
				case a == zero-1:
					if b%2 == 0 {
						return 1
					}
					return a
				}
				return 0
			}
			var y T = 1
			for ; b > 0; b >>= 1 {
				if b&1 == 1 {
					y *= a
				}
				a *= a
			}
			return y
		}, in, to, size)
	case compute.OpTypeBitwiseAnd:
		return map2(func(a, b T) T { return a & b }, in, to, size)
	case compute.OpTypeBitwiseOr:
		return map2(func(a, b T) T { return a | b }, in, to, size)
	case compute.OpTypeBitwiseXor:
		return map2(func(a, b T) T { return a ^ b }, in, to, size)
	case compute.OpTypeBitwiseNot:
		return map1(func(a T) T { return ^a }, in, to, size)
	case compute.OpTypeBitCount:
		return map1(func(a T) T { return T(bits.OnesCount64(uint64(a) & mask)) }, in, to, size)
	case compute.OpTypeClz:
		return map1(func(a T) T { return T(bits.LeadingZeros64(uint64(a)&mask) - (64 - wide)) }, in, to, size)
	case compute.OpTypeShiftLeft:
		return map2(func(a, b T) T { return a << shift(b) }, in, to, size)
	case compute.OpTypeShiftRightLogical:
		return map2(func(a, b T) T { return T(uint64(a) & mask >> shift(b)) }, in, to, size)
	case compute.OpTypeShiftRightArithmetic:
		if signed {
			return map2(func(a, b T) T { return a >> shift(b) }, in, to, size)
		}
		return map2(func(a, b T) T { // the first bit is the sign
			k := min(shift(b), uint64(wide-1))
			v := uint64(a) & mask
			if v>>(wide-1) == 1 {
				v |= ^mask
			}
			return T(uint64(int64(v<<(64-wide)) >> (uint64(64-wide) + k)))
		}, in, to, size)
	}
	if f := numberStep[T](op, in, to, size); f != nil {
		return f
	}
	panic(fmt.Sprintf("%s of integers", op))
}

// shift returns by how much to shift; negative and large numbers shift everything out.
func shift[T integer](b T) uint64 {
	if b < 0 || b > 64 {
		return 64
	}
	return uint64(b)
}

func floatStep[T float32 | float64](op compute.OpType, in []source, to ref, size int) func(r *run) {
	one := func(f func(float64) float64) func(r *run) {
		return map1(func(a T) T { return T(f(float64(a))) }, in, to, size)
	}
	two := func(f func(a, b float64) float64) func(r *run) {
		return map2(func(a, b T) T { return T(f(float64(a), float64(b))) }, in, to, size)
	}
	switch op {
	case compute.OpTypeDiv:
		return map2(func(a, b T) T { return a / b }, in, to, size)
	case compute.OpTypeRem:
		return two(math.Mod)
	case compute.OpTypePow:
		return two(math.Pow)
	case compute.OpTypeAtan2:
		return two(math.Atan2)
	case compute.OpTypeSqrt:
		return one(math.Sqrt)
	case compute.OpTypeRsqrt:
		return one(func(x float64) float64 { return 1 / math.Sqrt(x) })
	case compute.OpTypeFloor:
		return one(math.Floor)
	case compute.OpTypeCeil:
		return one(math.Ceil)
	case compute.OpTypeRound:
		return one(math.RoundToEven)
	case compute.OpTypeExp:
		return one(math.Exp)
	case compute.OpTypeExpm1:
		return one(math.Expm1)
	case compute.OpTypeLog:
		return one(math.Log)
	case compute.OpTypeLog1p:
		return one(math.Log1p)
	case compute.OpTypeTanh:
		return one(math.Tanh)
	case compute.OpTypeLogistic:
		return one(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
	case compute.OpTypeErf:
		return one(math.Erf)
	case compute.OpTypeSin:
		return one(math.Sin)
	case compute.OpTypeCos:
		return one(math.Cos)
	case compute.OpTypeIsNaN:
		return map1(func(a T) bool { return a != a }, in, to, size)
	case compute.OpTypeIsFinite:
		return map1(func(a T) bool { return a-a == 0 }, in, to, size)
	}
	if f := numberStep[T](op, in, to, size); f != nil {
		return f
	}
	panic(fmt.Sprintf("%s of floats", op))
}

// convertStep changes types.
func convertStep(to, from dtypes.DType, in source, dst ref, size int) func(r *run) {
	switch from {
	case dtypes.Bool:
		return convertBool(to, in, dst, size)
	case dtypes.Uint8:
		return convertFrom[uint8](to, in, dst, size)
	case dtypes.Int32:
		return convertFrom[int32](to, in, dst, size)
	case dtypes.Int64:
		return convertFrom[int64](to, in, dst, size)
	case dtypes.Uint32:
		return convertFrom[uint32](to, in, dst, size)
	case dtypes.Uint64:
		return convertFrom[uint64](to, in, dst, size)
	case dtypes.Float32:
		return convertFrom[float32](to, in, dst, size)
	case dtypes.Float64:
		return convertFrom[float64](to, in, dst, size)
	}
	panic("conversion of " + from.String())
}

func convertFrom[T number](to dtypes.DType, in source, dst ref, size int) func(r *run) {
	one := []source{in}
	switch to {
	case dtypes.Bool:
		return map1(func(a T) bool { return a != 0 }, one, dst, size)
	case dtypes.Uint8:
		return map1(func(a T) uint8 { return uint8(a) }, one, dst, size)
	case dtypes.Int32:
		return map1(func(a T) int32 { return int32(a) }, one, dst, size)
	case dtypes.Int64:
		return map1(func(a T) int64 { return int64(a) }, one, dst, size)
	case dtypes.Uint32:
		return map1(func(a T) uint32 { return uint32(a) }, one, dst, size)
	case dtypes.Uint64:
		return map1(func(a T) uint64 { return uint64(a) }, one, dst, size)
	case dtypes.Float32:
		return map1(func(a T) float32 { return float32(a) }, one, dst, size)
	case dtypes.Float64:
		return map1(func(a T) float64 { return float64(a) }, one, dst, size)
	}
	panic("conversion to " + to.String())
}

func convertBool(to dtypes.DType, in source, dst ref, size int) func(r *run) {
	one := []source{in}
	switch to {
	case dtypes.Uint8:
		return map1(fromBool[uint8], one, dst, size)
	case dtypes.Int32:
		return map1(fromBool[int32], one, dst, size)
	case dtypes.Int64:
		return map1(fromBool[int64], one, dst, size)
	case dtypes.Uint32:
		return map1(fromBool[uint32], one, dst, size)
	case dtypes.Uint64:
		return map1(fromBool[uint64], one, dst, size)
	case dtypes.Float32:
		return map1(fromBool[float32], one, dst, size)
	case dtypes.Float64:
		return map1(fromBool[float64], one, dst, size)
	}
	panic("conversion to " + to.String())
}

func fromBool[T number](b bool) T {
	if b {
		return 1
	}
	return 0
}

// convertNumbers converts a slice of one number.
func convertNumbers(dst, src any) {
	t, n := typeOf(src)
	u, _ := typeOf(dst)
	r := &run{vals: []*array{{words: make([]uint64, 8)}, {words: make([]uint64, 8)}}}
	if err := copyFlat(flatOf(r.vals[0], t, n), src); err != nil {
		panic(err)
	}
	convertStep(u, t, source{ref: ref{slot: 0}}, ref{slot: 1}, 1)(r)
	if err := copyFlat(dst, flatOf(r.vals[1], u, n)); err != nil {
		panic(err)
	}
}

// reduceStep reduces the middle of three axes of what no loop or kernel reduces.
func reduceStep(n *node, from, to ref) func(r *run) {
	r := n.attr.(reduction)
	switch n.shape.DType {
	case dtypes.Bool:
		and := n.op == compute.OpTypeReduceLogicalAnd
		return reduceWith(r, and, func(a, b bool) bool {
			if and {
				return a && b
			}
			return a || b
		}, from, to)
	case dtypes.Uint8:
		return reduceNumbers[uint8](n.op, r, 0, math.MaxUint8, from, to)
	case dtypes.Int32:
		return reduceNumbers[int32](n.op, r, math.MinInt32, math.MaxInt32, from, to)
	case dtypes.Int64:
		return reduceNumbers[int64](n.op, r, math.MinInt64, math.MaxInt64, from, to)
	case dtypes.Uint32:
		return reduceNumbers[uint32](n.op, r, 0, math.MaxUint32, from, to)
	case dtypes.Uint64:
		return reduceNumbers[uint64](n.op, r, 0, math.MaxUint64, from, to)
	case dtypes.Float64:
		return reduceNumbers(n.op, r, math.Inf(-1), math.Inf(1), from, to)
	}
	panic(fmt.Sprintf("%s of %s", n.op, n.shape))
}

func reduceNumbers[T number](op compute.OpType, r reduction, least, most T, from, to ref) func(r *run) {
	switch op {
	case compute.OpTypeReduceSum:
		return reduceWith(r, 0, func(a, b T) T { return a + b }, from, to)
	case compute.OpTypeReduceProduct:
		return reduceWith(r, 1, func(a, b T) T { return a * b }, from, to)
	case compute.OpTypeReduceMax:
		return reduceWith(r, least, func(a, b T) T { return max(a, b) }, from, to)
	case compute.OpTypeReduceMin:
		return reduceWith(r, most, func(a, b T) T { return min(a, b) }, from, to)
	}
	panic(fmt.Sprintf("%s of numbers", op))
}

func reduceWith[T any](x reduction, start T, join func(a, b T) T, from, to ref) func(r *run) {
	return func(r *run) {
		src := at[T](r, from, x.outer*x.mid*x.inner)
		dst := at[T](r, to, x.outer*x.inner)
		for o := range x.outer {
			row := dst[o*x.inner : (o+1)*x.inner]
			for i := range row {
				row[i] = start
			}
			for m := range x.mid {
				for i, v := range src[(o*x.mid+m)*x.inner:][:x.inner] {
					row[i] = join(row[i], v)
				}
			}
		}
	}
}
