package cpu_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

// agree compares a computation with GoMLX's own backend.
func agree(t *testing.T, name string, tolerance float64, in []value, build builder) {
	t.Helper()
	ours, theirs := backends(t, 2)
	want, err := compute1(theirs, in, build)
	if err != nil {
		t.Fatalf("%s: GoMLX: %v", name, err)
	}
	got, err := compute1(ours, in, build)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i := range want {
		if err := differ(got[i], want[i], tolerance); err != nil {
			t.Errorf("%s, output %d: %v", name, i, err)
		}
	}
}

// numbersOf returns random numbers of a type.
func numbersOf(r *rand.Rand, t dtypes.DType, n int) any {
	switch t {
	case dtypes.Float32:
		return randomFloats(r, n)
	case dtypes.Float64:
		x := make([]float64, n)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		return x
	case dtypes.Int32:
		return integers(n, func() int32 { return int32(r.IntN(19) - 9) })
	case dtypes.Int64:
		return integers(n, func() int64 { return int64(r.IntN(19) - 9) })
	case dtypes.Uint32:
		return integers(n, func() uint32 { return uint32(r.IntN(19)) })
	case dtypes.Uint64:
		return integers(n, func() uint64 { return uint64(r.IntN(19)) })
	case dtypes.Uint8:
		return integers(n, func() uint8 { return uint8(r.IntN(19)) })
	}
	x := make([]bool, n)
	for i := range x {
		x[i] = r.IntN(2) == 1
	}
	return x
}

func integers[T any](n int, f func() T) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = f()
	}
	return x
}

var allTypes = []dtypes.DType{dtypes.Bool, dtypes.Uint8, dtypes.Int32, dtypes.Int64, dtypes.Uint32, dtypes.Uint64,
	dtypes.Float32, dtypes.Float64}

// call calls a method of a function by its name.
func call(f compute.Function, name string, args ...any) (compute.Value, error) {
	in := make([]reflect.Value, len(args))
	for i, a := range args {
		in[i] = reflect.ValueOf(a)
	}
	out := reflect.ValueOf(f).MethodByName(name).Call(in)
	if err, _ := out[1].Interface().(error); err != nil {
		return nil, err
	}
	return out[0].Interface(), nil
}

// Element-wise operations of all types, of equal shapes and with broadcasts. An operation
// that GoMLX refuses of a type must not end the process here.
func TestElementwise(t *testing.T) {
	ours, theirs := backends(t, 1)
	r := rng.New(1, "elementwise", 0)
	unary := []string{"Abs", "Ceil", "Floor", "Round", "Cos", "Sin", "Erf", "Exp", "Expm1", "Log", "Log1p", "Logistic",
		"LogicalNot", "BitwiseNot", "BitCount", "Clz", "Neg", "Rsqrt", "Sign", "Sqrt", "Tanh", "IsFinite", "IsNaN"}
	binary := []string{"Add", "Sub", "Mul", "Div", "Pow", "Atan2", "Rem", "Max", "Min", "BitwiseAnd", "BitwiseOr",
		"BitwiseXor", "LogicalAnd", "LogicalOr", "LogicalXor", "ShiftLeft", "ShiftRightArithmetic", "ShiftRightLogical",
		"Equal", "NotEqual", "GreaterOrEqual", "GreaterThan", "LessOrEqual", "LessThan"}
	compared := map[string]int{}
	check := func(name string, typ dtypes.DType, in []value, build builder) {
		want, errTheirs := compute1(theirs, in, build)
		got, err := compute1(ours, in, build)
		switch {
		case errTheirs != nil:
		case err != nil:
			t.Errorf("%s of %s: %v", name, typ, err)
		default:
			compared[name]++
			tolerance := 2e-6
			if typ == dtypes.Float64 {
				got[0], want[0] = narrow(got[0]), narrow(want[0])
			}
			if err := differ(got[0], want[0], tolerance); err != nil {
				t.Errorf("%s of %s: %v", name, typ, err)
			}
		}
	}
	for _, typ := range allTypes {
		for _, name := range unary {
			x := value{numbersOf(r, typ, 35), []int{5, 7}}
			check(name, typ, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
				y, err := call(f, name, in[0])
				return []compute.Value{y}, err
			})
		}
		for _, name := range binary {
			if (name == "Div" || name == "Rem" || name == "Pow") && !typ.IsFloat() {
				continue // what there is not agreed upon; see TestIntegerDivision
			}
			for _, dims := range [][2][]int{{{5, 7}, {5, 7}}, {{5, 7}, {1, 7}}, {{5, 1}, {5, 7}}, {{5, 7}, nil}, {nil, {5, 7}}, {{5, 1}, {1, 7}}} {
				in := []value{{numbersOf(r, typ, product(dims[0])), dims[0]}, {numbersOf(r, typ, product(dims[1])), dims[1]}}
				if name[:2] == "Sh" {
					in[1].flat = absolute(in[1].flat)
				}
				check(name, typ, in, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
					y, err := call(f, name, in[0], in[1])
					return []compute.Value{y}, err
				})
			}
		}
		for _, to := range allTypes {
			if typ.IsFloat() && to.IsUnsigned() {
				continue // negative numbers have no agreed result
			}
			x := value{numbersOf(r, typ, 35), []int{5, 7}}
			check("ConvertDType to "+to.String(), typ, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
				y, err := f.ConvertDType(in[0], to)
				return []compute.Value{y}, err
			})
		}
		x, y, c := value{numbersOf(r, typ, 35), []int{5, 7}}, value{numbersOf(r, typ, 35), []int{5, 7}}, value{numbersOf(r, dtypes.Bool, 35), []int{5, 7}}
		check("Where", typ, []value{c, x, y}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := f.Where(in[0], in[1], in[2])
			return []compute.Value{y}, err
		})
	}
	for _, name := range append(unary, binary...) {
		if compared[name] == 0 {
			t.Logf("%s was compared for no type", name)
		}
	}
}

// narrow returns float64 numbers as float32, to compare with a tolerance.
func narrow(v value) value {
	x, ok := v.flat.([]float64)
	if !ok {
		return v
	}
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return value{y, v.dims}
}

func absolute(flat any) any {
	switch x := flat.(type) {
	case []int32:
		for i := range x {
			x[i] = max(x[i], -x[i])
		}
	case []int64:
		for i := range x {
			x[i] = max(x[i], -x[i])
		}
	}
	return flat
}

func TestIntegerDivision(t *testing.T) {
	ours, _ := backends(t, 1)
	in := []value{{[]int32{7, -7, 5, 0, 2, 3}, []int{6}}, {[]int32{2, 2, 0, 0, 3, -1}, []int{6}}}
	for name, want := range map[string][]int32{
		"Div": {3, -3, -1, -1, 0, -3},
		"Rem": {1, -1, 5, 0, 2, 0},
		"Pow": {49, 49, 1, 1, 8, 0},
	} {
		got, err := compute1(ours, in, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := call(f, name, in[0], in[1])
			return []compute.Value{y}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got[0].flat) != fmt.Sprint(want) {
			t.Errorf("%s = %v, want %v", name, got[0].flat, want)
		}
	}
}

// Values where functions have none, or none that is finite.
func TestOddNumbers(t *testing.T) {
	ours, _ := backends(t, 1)
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := value{[]float32{nan, inf, -inf, 0, -1, 1}, []int{6}}
	got, err := compute1(ours, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
		zero, err := f.Constant([]float32{0})
		if err != nil {
			return nil, err
		}
		relu, err := f.Max(in[0], zero)
		if err != nil {
			return nil, err
		}
		finite, err := f.IsFinite(in[0])
		if err != nil {
			return nil, err
		}
		isNaN, err := f.IsNaN(in[0])
		if err != nil {
			return nil, err
		}
		most, err := f.ReduceMax(in[0])
		if err != nil {
			return nil, err
		}
		at, err := f.ArgMinMax(in[0], 0, dtypes.Int32, false)
		return []compute.Value{relu, finite, isNaN, most, at}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "[{[NaN +Inf 0 0 0 1] [6]} {[false false false true true true] [6]} {[true false false false false false] [6]} {[NaN] []} {[0] []}]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestReductions(t *testing.T) {
	r := rng.New(2, "reductions", 0)
	for k := range 60 {
		rank := r.IntN(5)
		dims := make([]int, rank)
		for a := range dims {
			dims[a] = []int{1, 2, 3, 5, 40}[r.IntN(5)]
		}
		var axes []int
		for a := range dims {
			if r.IntN(2) == 0 {
				axes = append(axes, a)
			}
		}
		for _, typ := range []dtypes.DType{dtypes.Float32, dtypes.Int32} {
			for _, name := range []string{"ReduceSum", "ReduceMax", "ReduceMin", "ReduceProduct"} {
				in := []value{{numbersOf(r, typ, product(dims)), dims}}
				agree(t, fmt.Sprintf("%d: %s of %s %v over %v", k, name, typ, dims, axes), 1e-4, in,
					func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
						args := []any{in[0]}
						for _, a := range axes {
							args = append(args, a)
						}
						y, err := call(f, name, args...)
						return []compute.Value{y}, err
					})
			}
		}
		for _, name := range []string{"ReduceLogicalAnd", "ReduceLogicalOr"} {
			in := []value{{numbersOf(r, dtypes.Bool, product(dims)), dims}}
			agree(t, fmt.Sprint(name, dims, axes), 0, in, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
				args := []any{in[0]}
				for _, a := range axes {
					args = append(args, a)
				}
				y, err := call(f, name, args...)
				return []compute.Value{y}, err
			})
		}
	}
}

func TestMoves(t *testing.T) {
	r := rng.New(3, "moves", 0)
	for k := range 120 {
		rank := 1 + r.IntN(4)
		dims := make([]int, rank)
		for a := range dims {
			dims[a] = 1 + r.IntN(6)
		}
		typ := allTypes[r.IntN(len(allTypes))]
		x := value{numbersOf(r, typ, product(dims)), dims}
		name := fmt.Sprintf("%d: %s %v", k, typ, dims)
		perm := r.Perm(rank)
		var reversed []int
		pads := make([]compute.PadAxis, rank)
		starts, limits, strides := make([]int, rank), make([]int, rank), make([]int, rank)
		for a, d := range dims {
			if r.IntN(2) == 0 {
				reversed = append(reversed, a)
			}
			pads[a] = compute.PadAxis{Start: r.IntN(3), End: r.IntN(3), Interior: r.IntN(3)}
			starts[a] = r.IntN(d)
			limits[a] = starts[a] + 1 + r.IntN(d-starts[a])
			strides[a] = 1 + r.IntN(3)
		}
		fill := value{numbersOf(r, typ, 1), nil}
		axis := r.IntN(rank)
		agree(t, name, 0, []value{x, fill}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := f.Transpose(in[0], perm...)
			if err != nil {
				return nil, err
			}
			z, err := f.Reverse(in[0], reversed...)
			if err != nil {
				return nil, err
			}
			p, err := f.Pad(z, in[1], pads...)
			if err != nil {
				return nil, err
			}
			s, err := f.Slice(in[0], starts, limits, strides)
			if err != nil {
				return nil, err
			}
			c, err := f.Concatenate(axis, in[0], z, in[0])
			if err != nil {
				return nil, err
			}
			i, err := f.Iota(shapes.Make(dtypes.Int32, dims...), axis)
			return []compute.Value{y, p, s, c, i}, err
		})
	}
}

// Negative padding cuts; GoMLX's backend does not know it.
func TestPadCuts(t *testing.T) {
	ours, _ := backends(t, 1)
	x := value{[]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, []int{10}}
	for _, c := range []struct {
		pad  compute.PadAxis
		want string
	}{
		{compute.PadAxis{Start: -2, End: -3}, "[3 4 5 6 7]"},
		{compute.PadAxis{Start: -4, End: 2}, "[5 6 7 8 9 10 0 0]"},
		{compute.PadAxis{Start: 1, End: -8}, "[0 1 2]"},
		{compute.PadAxis{Start: -1, End: -13, Interior: 1}, "[0 2 0 3 0]"},
		{compute.PadAxis{Start: -5, End: -5}, "[]"},
	} {
		got, err := compute1(ours, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			zero, err := f.Constant([]float32{0})
			if err != nil {
				return nil, err
			}
			y, err := f.Pad(in[0], zero, c.pad)
			return []compute.Value{y}, err
		})
		if err != nil {
			t.Errorf("%+v: %v", c.pad, err)
		} else if fmt.Sprint(got[0].flat) != c.want {
			t.Errorf("%+v: %v, want %s", c.pad, got[0].flat, c.want)
		}
	}
}

func TestDotGeneral(t *testing.T) {
	if underRace {
		t.Skip("GoMLX's backend does not run under the race detector")
	}
	r := rng.New(4, "dots", 0)
	for k := range 150 {
		// Batch, summed and other axes in any order.
		batch, sum := r.IntN(3), r.IntN(3)
		others := [2]int{r.IntN(3), r.IntN(3)}
		sizes := make([]int, batch+sum)
		for i := range sizes {
			sizes[i] = 1 + r.IntN(5)
		}
		var dims, batchAxes, sumAxes [2][]int
		for s := range 2 {
			n := batch + sum + others[s]
			perm := r.Perm(n)
			dims[s] = make([]int, n)
			batchAxes[s], sumAxes[s] = make([]int, batch), make([]int, sum)
			for i, a := range perm {
				switch {
				case i < batch:
					dims[s][a], batchAxes[s][i] = sizes[i], a
				case i < batch+sum:
					dims[s][a], sumAxes[s][i-batch] = sizes[i], a
				default:
					dims[s][a] = 1 + r.IntN(20)
				}
			}
		}
		typ := []dtypes.DType{dtypes.Float32, dtypes.Float32, dtypes.Int32, dtypes.Float64}[k%4]
		in := []value{{numbersOf(r, typ, product(dims[0])), dims[0]}, {numbersOf(r, typ, product(dims[1])), dims[1]}}
		name := fmt.Sprintf("%d: %s %v %v, batch %v, sum %v", k, typ, dims[0], dims[1], batchAxes, sumAxes)
		ours, theirs := backends(t, 2)
		build := func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := f.DotGeneral(in[0], sumAxes[0], batchAxes[0], in[1], sumAxes[1], batchAxes[1], compute.DotGeneralConfig{})
			return []compute.Value{y}, err
		}
		want, err := compute1(theirs, in, build)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := compute1(ours, in, build)
		if err != nil {
			t.Error(name, err)
			continue
		}
		if err := differ(narrow(got[0]), narrow(want[0]), 1e-5); err != nil {
			t.Error(name, err)
		}
	}
}

func TestGatherAndScatter(t *testing.T) {
	r := rng.New(5, "gather", 0)
	for k := range 60 {
		rows, cols, n := 1+r.IntN(9), 1+r.IntN(20), 1+r.IntN(12)
		typ := []dtypes.DType{dtypes.Float32, dtypes.Int32}[k%2]
		x := value{numbersOf(r, typ, rows*cols), []int{rows, cols}}
		at := value{integers(n, func() int32 { return int32(r.IntN(rows)) }), []int{n, 1}}
		pair := value{integers(2*n, func() int64 { return int64(r.IntN(min(rows, cols))) }), []int{n, 2}}
		updates := value{numbersOf(r, typ, n*cols), []int{n, cols}}
		width := 1 + r.IntN(cols)
		agree(t, fmt.Sprintf("%d: %v by %v, %s", k, x.dims, at.dims, typ), 1e-6, []value{x, at, pair, updates},
			func(f compute.Function, in []compute.Value) (out []compute.Value, err error) {
				add := func(v compute.Value, e error) {
					out = append(out, v)
					if err == nil {
						err = e
					}
				}
				add(f.Gather(in[0], in[1], 1, []int{1}, []int{0}, []int{0}, []int{1, cols}, false))
				add(f.Gather(in[0], in[1], 1, []int{1}, []int{0}, []int{0}, []int{1, width}, false))
				add(f.Gather(in[0], in[2], 1, []int{1, 2}, nil, []int{0, 1}, []int{1, width}, false))
				add(f.Gather(in[0], in[2], 1, nil, []int{0, 1}, []int{0, 1}, []int{1, 1}, false))
				add(f.ScatterSum(in[0], in[1], in[3], 1, []int{1}, []int{0}, []int{0}, false, false))
				add(f.ScatterMax(in[0], in[1], in[3], 1, []int{1}, []int{0}, []int{0}, false, false))
				add(f.ScatterMin(in[0], in[1], in[3], 1, []int{1}, []int{0}, []int{0}, false, false))
				return out, err
			})
	}
}

func TestArgMinMax(t *testing.T) {
	r := rng.New(6, "arg", 0)
	for k := range 40 {
		dims := []int{1 + r.IntN(5), 1 + r.IntN(5), 1 + r.IntN(5)}
		axis, least := r.IntN(3), r.IntN(2) == 0
		typ := []dtypes.DType{dtypes.Float32, dtypes.Int32}[k%2]
		agree(t, fmt.Sprint(dims, axis, least), 0, []value{{numbersOf(r, typ, product(dims)), dims}},
			func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
				y, err := f.ArgMinMax(in[0], axis, dtypes.Int32, least)
				return []compute.Value{y}, err
			})
	}
}

// Dynamic slices, against slices; GoMLX's backend has none.
func TestDynamicSlices(t *testing.T) {
	ours, _ := backends(t, 1)
	r := rng.New(7, "dynamic", 0)
	for range 40 {
		dims := []int{2 + r.IntN(5), 2 + r.IntN(5)}
		sizes := []int{1 + r.IntN(dims[0]), 1 + r.IntN(dims[1])}
		at := []int32{int32(r.IntN(9) - 2), int32(r.IntN(9) - 2)}
		x, u := value{randomFloats(r, product(dims)), dims}, value{randomFloats(r, product(sizes)), sizes}
		in := []value{x, u, {[]int32{at[0]}, nil}, {[]int32{at[1]}, nil}}
		got, err := compute1(ours, in, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := f.DynamicSlice(in[0], in[2:4], sizes)
			if err != nil {
				return nil, err
			}
			z, err := f.DynamicUpdateSlice(in[0], in[1], in[2:4])
			if err != nil {
				return nil, err
			}
			fixed := make([]compute.Value, 2)
			for i := range fixed {
				if fixed[i], err = f.Constant([]int32{at[i]}); err != nil {
					return nil, err
				}
			}
			s, err := f.DynamicSlice(in[0], fixed, sizes)
			if err != nil {
				return nil, err
			}
			v, err := f.DynamicUpdateSlice(in[0], in[1], fixed)
			return []compute.Value{y, z, s, v}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		r0, c0 := max(0, min(int(at[0]), dims[0]-sizes[0])), max(0, min(int(at[1]), dims[1]-sizes[1]))
		xs, us := x.flat.([]float32), u.flat.([]float32)
		updated := append([]float32{}, xs...)
		var cut []float32
		for i := range sizes[0] {
			for j := range sizes[1] {
				k := (r0+i)*dims[1] + c0 + j
				cut = append(cut, xs[k])
				updated[k] = us[i*sizes[1]+j]
			}
		}
		for i, want := range []value{{cut, sizes}, {updated, dims}, {cut, sizes}, {updated, dims}} {
			if err := differ(got[i], want, 0); err != nil {
				t.Errorf("%v at %v of %v, output %d: %v", sizes, at, dims, i, err)
			}
		}
	}
}

// What is not supported is an error of the kind that GoMLX knows.
func TestUnsupported(t *testing.T) {
	ours, _ := backends(t, 1)
	x := value{randomFloats(rng.New(8, "x", 0), 6), []int{2, 3}}
	for name, build := range map[string]func(f compute.Function, x compute.Value) (compute.Value, error){
		"FFT": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.FFT(x, compute.FFTForward, []int{3})
		},
		"Complex": func(f compute.Function, x compute.Value) (compute.Value, error) { return f.Complex(x, x) },
		"bfloat16": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.ConvertDType(x, dtypes.BFloat16)
		},
		"If": func(f compute.Function, x compute.Value) (compute.Value, error) {
			_, err := f.If(x, nil, nil)
			return nil, err
		},
		"Sort": func(f compute.Function, x compute.Value) (compute.Value, error) {
			_, err := f.Sort(nil, 0, false, x)
			return nil, err
		},
		"AllReduce": func(f compute.Function, x compute.Value) (compute.Value, error) {
			_, err := f.AllReduce([]compute.Value{x}, compute.ReduceOpSum, nil)
			return nil, err
		},
	} {
		_, err := compute1(ours, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := build(f, in[0])
			return []compute.Value{y}, err
		})
		if !errors.Is(err, compute.ErrNotImplemented) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Mistakes are errors.
func TestMistakes(t *testing.T) {
	ours, theirs := backends(t, 1)
	x := value{randomFloats(rng.New(9, "x", 0), 6), []int{2, 3}}
	for name, build := range map[string]func(f compute.Function, x compute.Value) (compute.Value, error){
		"shapes": func(f compute.Function, x compute.Value) (compute.Value, error) {
			c, _ := f.Constant([]float32{1, 2}, 1, 2)
			return f.Add(x, c)
		},
		"types": func(f compute.Function, x compute.Value) (compute.Value, error) {
			c, _ := f.Constant([]int32{1})
			return f.Add(x, c)
		},
		"reshape":   func(f compute.Function, x compute.Value) (compute.Value, error) { return f.Reshape(x, 4) },
		"axis":      func(f compute.Function, x compute.Value) (compute.Value, error) { return f.ReduceSum(x, 2) },
		"reverse":   func(f compute.Function, x compute.Value) (compute.Value, error) { return f.Reverse(x, -1) },
		"transpose": func(f compute.Function, x compute.Value) (compute.Value, error) { return f.Transpose(x, 0, 0) },
		"slice": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.Slice(x, []int{0, 0}, []int{2, 4}, nil)
		},
		"gather": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.Gather(x, x, 1, []int{1}, []int{0}, []int{0}, []int{1, 3}, false)
		},
		"nil": func(f compute.Function, x compute.Value) (compute.Value, error) { return f.Neg(nil) },
		"foreign": func(f compute.Function, x compute.Value) (compute.Value, error) {
			g := theirs.Builder("other").Main()
			y, err := g.Constant([]float32{1})
			if err != nil {
				return nil, err
			}
			return f.Neg(y)
		},
		"other computation": func(f compute.Function, x compute.Value) (compute.Value, error) {
			y, err := ours.Builder("other").Main().Constant([]float32{1})
			if err != nil {
				return nil, err
			}
			return f.Neg(y)
		},
		"length": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.Constant([]float32{1, 2}, 3)
		},
		"convolution": func(f compute.Function, x compute.Value) (compute.Value, error) {
			return f.ConvGeneral(x, x, compute.ConvolveAxesConfig{}, nil, nil, nil, nil, 1, 1)
		},
	} {
		if _, err := compute1(ours, []value{x}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
			y, err := build(f, in[0])
			return []compute.Value{y}, err
		}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := cpu.New(0, 0); err == nil {
		t.Error("no threads: no error")
	}
	if _, err := cpu.New(1, -1); err == nil {
		t.Error("a negative limit: no error")
	}
}
