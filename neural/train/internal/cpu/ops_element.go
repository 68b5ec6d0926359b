package cpu

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// lookup is a map of operations, which are small numbers: the compiler asks at every turn.
type lookup[T any] [opCount]struct {
	of T
	ok bool
}

func lookupOf[T any](m map[compute.OpType]T) *lookup[T] {
	l := &lookup[T]{}
	for op, v := range m {
		l[op].of, l[op].ok = v, true
	}
	return l
}

func (l *lookup[T]) get(op compute.OpType) (v T, ok bool) { return l[op].of, l[op].ok }
func (l *lookup[T]) has(op compute.OpType) bool           { return l[op].ok }

// elementwise says whether an operation computes number by number.
func elementwise(op compute.OpType) bool { return elements[op] }

var elements = func() (is [opCount]bool) {
	for op := range is {
		op := compute.OpType(op)
		is[op] = shapeinference.StandardUnaryOperations.Has(op) && !unsupportedUnary(op) ||
			shapeinference.AllBinaryOperations.Has(op) && !unsupportedBinary(op) ||
			op == compute.OpTypeWhere || op == compute.OpTypeConvertDType || op == compute.OpTypeIsFinite ||
			op == compute.OpTypeIsNaN || op == compute.OpTypeClamp
	}
	return is
}()

func unsupportedUnary(op compute.OpType) bool {
	return op == compute.OpTypeImag || op == compute.OpTypeConj || op == compute.OpTypeReal
}

// unsupportedBinary: total orders are of use to sorts alone, which are not supported.
func unsupportedBinary(op compute.OpType) bool {
	switch op {
	case compute.OpTypeEqualTotalOrder, compute.OpTypeNotEqualTotalOrder, compute.OpTypeGreaterOrEqualTotalOrder,
		compute.OpTypeGreaterThanTotalOrder, compute.OpTypeLessOrEqualTotalOrder, compute.OpTypeLessThanTotalOrder:
		return true
	}
	return false
}

func comparison(op compute.OpType) bool { return relations[op] }

var relations = func() (is [opCount]bool) {
	for op := range shapeinference.ComparisonOperations {
		is[op] = true
	}
	return is
}()

// rescue makes an error of what is wrong with this package itself: no caller's input may end
// the process.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("cpu: %v", r)
	}
}

// guarded runs a shape inference, which must not end the process on odd input.
func guarded(op compute.OpType, infer func() (shapes.Shape, error)) (s shapes.Shape, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cpu: %s of such operands: %v", op, r)
		}
	}()
	if s, err = infer(); err == nil && s.IsDynamic() {
		err = fmt.Errorf("%w: cpu: %s of the dynamic shape %s", compute.ErrNotImplemented, op, s)
	}
	return s, err
}

func (f *Function) unaryOp(op compute.OpType, x compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	n, err := f.value(op, 0, x)
	if err != nil {
		return nil, err
	}
	switch {
	case op == compute.OpTypeIsNaN || op == compute.OpTypeIsFinite:
		if !n.shape.DType.IsFloat() { // all are finite
			if op == compute.OpTypeIsNaN {
				return f.binary(compute.OpTypeNotEqual, n, n), nil
			}
			return f.binary(compute.OpTypeEqual, n, n), nil
		}
	case n.shape.DType == dtypes.Float32 && unaries.has(op): // which is always right
	default:
		if _, err := guarded(op, func() (shapes.Shape, error) { return shapeinference.UnaryOp(op, n.shape) }); err != nil {
			return nil, err
		}
	}
	return f.unary(op, n), nil
}

func (f *Function) binaryOp(op compute.OpType, lhs, rhs compute.Value) (v compute.Value, err error) {
	defer rescue(&err)
	a, err := f.value(op, 0, lhs)
	if err != nil {
		return nil, err
	}
	b, err := f.value(op, 1, rhs)
	if err != nil {
		return nil, err
	}
	if a.alike(b) && (binaries.has(op) || comparisons.has(op)) { // which is always right
		return f.binary(op, a, b), nil
	}
	if _, err := guarded(op, func() (shapes.Shape, error) {
		if comparison(op) {
			if a.shape.DType == dtypes.Bool && b.shape.DType == dtypes.Bool {
				s := a.shape.Clone()
				s.DType = dtypes.Uint8 // booleans compare as numbers
				r := b.shape.Clone()
				r.DType = dtypes.Uint8
				return shapeinference.ComparisonOp(op, s, r)
			}
			return shapeinference.ComparisonOp(op, a.shape, b.shape)
		}
		return shapeinference.BinaryOp(op, a.shape, b.shape)
	}); err != nil {
		return nil, err
	}
	return f.binary(op, a, b), nil
}

// alike says whether both are float32 numbers of one shape, or one of them is a single
// one.
func (n *node) alike(o *node) bool {
	return n.shape.DType == dtypes.Float32 && o.shape.DType == dtypes.Float32 &&
		(len(n.dims()) == 0 || len(o.dims()) == 0 || slices.Equal(n.dims(), o.dims()))
}

// Abs implements the operation of [compute.StandardOps].
func (f *Function) Abs(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeAbs, x)
}

// Ceil implements the operation of [compute.StandardOps].
func (f *Function) Ceil(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeCeil, x)
}

// Floor implements the operation of [compute.StandardOps].
func (f *Function) Floor(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeFloor, x)
}

// Round implements the operation of [compute.StandardOps].
func (f *Function) Round(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeRound, x)
}

// Cos implements the operation of [compute.StandardOps].
func (f *Function) Cos(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeCos, x)
}

// Sin implements the operation of [compute.StandardOps].
func (f *Function) Sin(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeSin, x)
}

// Erf implements the operation of [compute.StandardOps].
func (f *Function) Erf(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeErf, x)
}

// Exp implements the operation of [compute.StandardOps].
func (f *Function) Exp(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeExp, x)
}

// Expm1 implements the operation of [compute.StandardOps].
func (f *Function) Expm1(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeExpm1, x)
}

// Log implements the operation of [compute.StandardOps].
func (f *Function) Log(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeLog, x)
}

// Log1p implements the operation of [compute.StandardOps].
func (f *Function) Log1p(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeLog1p, x)
}

// Logistic implements the operation of [compute.StandardOps].
func (f *Function) Logistic(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeLogistic, x)
}

// LogicalNot implements the operation of [compute.StandardOps].
func (f *Function) LogicalNot(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeLogicalNot, x)
}

// BitwiseNot implements the operation of [compute.StandardOps].
func (f *Function) BitwiseNot(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeBitwiseNot, x)
}

// BitCount implements the operation of [compute.StandardOps].
func (f *Function) BitCount(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeBitCount, x)
}

// Clz implements the operation of [compute.StandardOps].
func (f *Function) Clz(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeClz, x)
}

// Neg implements the operation of [compute.StandardOps].
func (f *Function) Neg(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeNeg, x)
}

// Rsqrt implements the operation of [compute.StandardOps].
func (f *Function) Rsqrt(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeRsqrt, x)
}

// Sign implements the operation of [compute.StandardOps].
func (f *Function) Sign(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeSign, x)
}

// Sqrt implements the operation of [compute.StandardOps].
func (f *Function) Sqrt(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeSqrt, x)
}

// Tanh implements the operation of [compute.StandardOps].
func (f *Function) Tanh(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeTanh, x)
}

// IsFinite implements the operation of [compute.StandardOps].
func (f *Function) IsFinite(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeIsFinite, x)
}

// IsNaN implements the operation of [compute.StandardOps].
func (f *Function) IsNaN(x compute.Value) (compute.Value, error) {
	return f.unaryOp(compute.OpTypeIsNaN, x)
}

// Add implements the operation of [compute.StandardOps].
func (f *Function) Add(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeAdd, lhs, rhs)
}

// Sub implements the operation of [compute.StandardOps].
func (f *Function) Sub(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeSub, lhs, rhs)
}

// Mul implements the operation of [compute.StandardOps].
func (f *Function) Mul(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeMul, lhs, rhs)
}

// Div implements the operation of [compute.StandardOps].
func (f *Function) Div(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeDiv, lhs, rhs)
}

// Pow implements the operation of [compute.StandardOps].
func (f *Function) Pow(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypePow, lhs, rhs)
}

// Atan2 implements the operation of [compute.StandardOps].
func (f *Function) Atan2(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeAtan2, lhs, rhs)
}

// Rem implements the operation of [compute.StandardOps].
func (f *Function) Rem(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeRem, lhs, rhs)
}

// Max implements the operation of [compute.StandardOps].
func (f *Function) Max(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeMax, lhs, rhs)
}

// Min implements the operation of [compute.StandardOps].
func (f *Function) Min(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeMin, lhs, rhs)
}

// BitwiseAnd implements the operation of [compute.StandardOps].
func (f *Function) BitwiseAnd(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeBitwiseAnd, lhs, rhs)
}

// BitwiseOr implements the operation of [compute.StandardOps].
func (f *Function) BitwiseOr(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeBitwiseOr, lhs, rhs)
}

// BitwiseXor implements the operation of [compute.StandardOps].
func (f *Function) BitwiseXor(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeBitwiseXor, lhs, rhs)
}

// LogicalAnd implements the operation of [compute.StandardOps].
func (f *Function) LogicalAnd(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeLogicalAnd, lhs, rhs)
}

// LogicalOr implements the operation of [compute.StandardOps].
func (f *Function) LogicalOr(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeLogicalOr, lhs, rhs)
}

// LogicalXor implements the operation of [compute.StandardOps].
func (f *Function) LogicalXor(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeLogicalXor, lhs, rhs)
}

// ShiftLeft implements the operation of [compute.StandardOps].
func (f *Function) ShiftLeft(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeShiftLeft, lhs, rhs)
}

// ShiftRightArithmetic implements the operation of [compute.StandardOps].
func (f *Function) ShiftRightArithmetic(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeShiftRightArithmetic, lhs, rhs)
}

// ShiftRightLogical implements the operation of [compute.StandardOps].
func (f *Function) ShiftRightLogical(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeShiftRightLogical, lhs, rhs)
}

// Equal implements the operation of [compute.StandardOps].
func (f *Function) Equal(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeEqual, lhs, rhs)
}

// NotEqual implements the operation of [compute.StandardOps].
func (f *Function) NotEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeNotEqual, lhs, rhs)
}

// GreaterOrEqual implements the operation of [compute.StandardOps].
func (f *Function) GreaterOrEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeGreaterOrEqual, lhs, rhs)
}

// GreaterThan implements the operation of [compute.StandardOps].
func (f *Function) GreaterThan(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeGreaterThan, lhs, rhs)
}

// LessOrEqual implements the operation of [compute.StandardOps].
func (f *Function) LessOrEqual(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeLessOrEqual, lhs, rhs)
}

// LessThan implements the operation of [compute.StandardOps].
func (f *Function) LessThan(lhs, rhs compute.Value) (compute.Value, error) {
	return f.binaryOp(compute.OpTypeLessThan, lhs, rhs)
}
