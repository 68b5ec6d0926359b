package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

// backends returns ours, with so many threads, and GoMLX's own.
func backends(tb testing.TB, threads int) (ours *cpu.Backend, theirs compute.Backend) {
	tb.Helper()
	ours, err := cpu.New(threads, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(ours.Finalize)
	theirs, err = compute.NewWithConfig("go")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(theirs.Finalize)
	return ours, theirs
}

// value is an input or output of a computation.
type value struct {
	flat any
	dims []int
}

func (v value) shape() shapes.Shape {
	return shapes.Make(dtypeOf(v.flat), v.dims...)
}

func dtypeOf(flat any) dtypes.DType {
	switch flat.(type) {
	case []float32:
		return dtypes.Float32
	case []float64:
		return dtypes.Float64
	case []int32:
		return dtypes.Int32
	case []int64:
		return dtypes.Int64
	case []uint32:
		return dtypes.Uint32
	case []uint64:
		return dtypes.Uint64
	case []uint8:
		return dtypes.Uint8
	case []bool:
		return dtypes.Bool
	}
	panic(fmt.Sprintf("%T", flat))
}

type builder func(f compute.Function, in []compute.Value) ([]compute.Value, error)

// compute1 builds, compiles and runs a computation.
func compute1(be compute.Backend, in []value, build builder) (out []value, err error) {
	return computeWith(be, in, build, false)
}

// computeWith donates the inputs, if so wanted.
func computeWith(be compute.Backend, in []value, build builder, donate bool) (out []value, err error) {
	b := be.Builder("test")
	f := b.Main()
	params := make([]compute.Value, len(in))
	for i, v := range in {
		if params[i], err = f.Parameter(fmt.Sprint("x", i), v.shape(), nil); err != nil {
			return nil, err
		}
	}
	results, err := build(f, params)
	if err != nil {
		return nil, err
	}
	if err := f.Return(results, nil); err != nil {
		return nil, err
	}
	e, err := b.Compile()
	if err != nil {
		return nil, err
	}
	defer e.Finalize()
	return execute(be, e, in, donate)
}

func execute(be compute.Backend, e compute.Executable, in []value, donate bool) (out []value, err error) {
	bufs := make([]compute.Buffer, len(in))
	var given []bool
	for i, v := range in {
		if bufs[i], err = be.BufferFromFlatData(0, v.flat, v.shape()); err != nil {
			return nil, err
		}
		defer bufs[i].Finalize()
		if donate {
			given = append(given, true)
		}
	}
	got, err := e.Execute(bufs, given, 0)
	if err != nil {
		return nil, err
	}
	for _, g := range got {
		s, err := g.Shape()
		if err != nil {
			return nil, err
		}
		flat, err := g.Data()
		if err != nil {
			return nil, err
		}
		out = append(out, value{clone(flat), s.Dimensions})
		if err := g.Finalize(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func clone(flat any) any {
	switch x := flat.(type) {
	case []float32:
		return append([]float32{}, x...)
	case []float64:
		return append([]float64{}, x...)
	case []int32:
		return append([]int32{}, x...)
	case []int64:
		return append([]int64{}, x...)
	case []uint32:
		return append([]uint32{}, x...)
	case []uint64:
		return append([]uint64{}, x...)
	case []uint8:
		return append([]uint8{}, x...)
	case []bool:
		return append([]bool{}, x...)
	}
	panic(fmt.Sprintf("%T", flat))
}

// differ returns the first difference beyond a tolerance, which is relative to the
// largest number.
func differ(got, want value, tolerance float64) error {
	if fmt.Sprint(got.dims) != fmt.Sprint(want.dims) && len(got.dims)+len(want.dims) > 0 {
		return fmt.Errorf("dimensions %v, want %v", got.dims, want.dims)
	}
	g, ok := got.flat.([]float32)
	w, ok2 := want.flat.([]float32)
	if !ok || !ok2 {
		if fmt.Sprintf("%T%v", got.flat, got.flat) != fmt.Sprintf("%T%v", want.flat, want.flat) {
			return fmt.Errorf("%v, want %v", got.flat, want.flat)
		}
		return nil
	}
	if len(g) != len(w) {
		return fmt.Errorf("%d numbers, want %d", len(g), len(w))
	}
	scale := 1.0
	for _, v := range w {
		if a := math.Abs(float64(v)); !math.IsInf(a, 0) && a > scale {
			scale = a
		}
	}
	for i := range w {
		a, b := float64(g[i]), float64(w[i])
		if a == b || math.IsNaN(a) && math.IsNaN(b) {
			continue
		}
		if !(math.Abs(a-b) <= tolerance*scale) {
			return fmt.Errorf("number %d is %g, want %g (largest %g)", i, a, b, scale)
		}
	}
	return nil
}

// same says whether all bits are the same.
func same(a, b value) bool {
	x, ok := a.flat.([]float32)
	y, ok2 := b.flat.([]float32)
	if !ok || !ok2 || len(x) != len(y) {
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	for i := range x {
		if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
			return false
		}
	}
	return true
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// randomGraph builds a graph of element-wise operations, reductions, views and products,
// the same for every backend.
func randomGraph(seed uint64, size int) (in []value, build builder) {
	r := rng.New(seed, "graph", 0)
	unit := []int{1, 2, 3, 5, 17}[r.IntN(5)]
	base := [][]int{{4, 6}, {2, 3, 4}, {3, unit, 5}, {size, 16}, {2, size, 3}, {7}, {2, 2, 3, 8}}[r.IntN(7)]
	for range 1 + r.IntN(3) {
		in = append(in, value{randomFloats(r, product(base)), base})
	}
	last := base[len(base)-1]
	in = append(in, value{randomFloats(r, last), []int{last}}, value{randomFloats(r, 1), nil})
	choices := rng.New(seed, "choices", 0)
	script := make([]int, 400)
	for i := range script {
		script[i] = choices.IntN(1 << 20)
	}
	steps := 5 + r.IntN(25)
	outputs := 1 + r.IntN(6)
	return in, func(f compute.Function, params []compute.Value) (out []compute.Value, err error) {
		at := 0
		next := func(n int) int {
			at++
			return script[at%len(script)] % n
		}
		values := append([]compute.Value{}, params...)
		shapeOf := func(v compute.Value) []int {
			s, e := f.Shape(v)
			if e != nil {
				err = e
			}
			return s.Dimensions
		}
		must := func(v compute.Value, e error) compute.Value {
			if e != nil && err == nil {
				err = e
			}
			return v
		}
		// like returns some value of these dimensions, by broadcasting if need be.
		like := func(dims []int) compute.Value {
			for range 6 {
				v := values[next(len(values))]
				d := shapeOf(v)
				if fmt.Sprint(d) == fmt.Sprint(dims) {
					return v
				}
				to := shapes.Make(dtypes.Float32, dims...)
				switch {
				case len(d) == 0:
					return must(f.BroadcastInDim(v, to, nil))
				case len(d) == 1 && len(dims) > 0:
					for a := len(dims) - 1; a >= 0; a-- {
						if dims[a] == d[0] {
							return must(f.BroadcastInDim(v, to, []int{a}))
						}
					}
				case product(d) == product(dims):
					return must(f.Reshape(v, dims...))
				}
			}
			c := must(f.Constant([]float32{0.5}))
			return must(f.BroadcastInDim(c, shapes.Make(dtypes.Float32, dims...), nil))
		}
		for k := 0; k < steps && err == nil; k++ {
			x := values[next(len(values))]
			d := shapeOf(x)
			var y compute.Value
			switch next(22) {
			case 0:
				y = must(f.Add(x, like(d)))
			case 1:
				y = must(f.Sub(like(d), x))
			case 2, 3:
				y = must(f.Mul(x, like(d)))
			case 4:
				one := must(f.Constant([]float32{1}))
				a := like(d)
				y = must(f.Div(x, must(f.Add(must(f.Mul(a, a)), one))))
			case 5:
				y = must(f.Max(x, like(d)))
			case 6:
				y = must(f.Tanh(x))
			case 7:
				y = must(f.Exp(must(f.Tanh(x))))
			case 8:
				y = must(f.Neg(x))
			case 9:
				y = must(f.Abs(x))
			case 10:
				c := must(f.LessThan(x, like(d)))
				y = must(f.Where(c, like(d), x))
			case 11:
				c := must(f.GreaterOrEqual(x, like(d)))
				y = must(f.ConvertDType(must(f.LogicalNot(c)), dtypes.Float32))
			case 12, 13: // the mean over the last axis, and back
				if len(d) == 0 {
					continue
				}
				s := must(f.ReduceSum(x, len(d)-1))
				if next(2) == 0 {
					s = must(f.ReduceMax(x, len(d)-1))
				}
				keep := append(append([]int{}, d[:len(d)-1]...), 1)
				s = must(f.Reshape(s, keep...))
				if next(2) == 0 {
					s = must(f.Tanh(s))
				}
				axes := make([]int, len(d))
				for i := range axes {
					axes[i] = i
				}
				y = must(f.Sub(x, must(f.BroadcastInDim(s, shapes.Make(dtypes.Float32, d...), axes))))
			case 14: // over all but the last
				if len(d) < 2 {
					continue
				}
				var axes []int
				for a := range d[:len(d)-1] {
					axes = append(axes, a)
				}
				y = must(f.Tanh(must(f.ReduceSum(x, axes...))))
			case 15:
				y = must(f.Tanh(must(f.ReduceSum(x))))
			case 16:
				if len(d) == 0 {
					continue
				}
				y = must(f.Tanh(must(f.ReduceSum(x, next(len(d))))))
			case 17:
				perm := make([]int, len(d))
				for i := range perm {
					perm[i] = i
				}
				for i := range perm {
					j := next(len(perm))
					perm[i], perm[j] = perm[j], perm[i]
				}
				y = must(f.Transpose(x, perm...))
			case 18:
				if product(d) < 2 {
					continue
				}
				y = must(f.Reshape(x, product(d)))
			case 19:
				starts, limits, strides := make([]int, len(d)), make([]int, len(d)), make([]int, len(d))
				for a, n := range d {
					starts[a] = next(n)
					limits[a] = starts[a] + 1 + next(n-starts[a])
					strides[a] = 1 + next(2)
				}
				y = must(f.Slice(x, starts, limits, strides))
			case 20:
				if len(d) == 0 {
					continue
				}
				y = must(f.Concatenate(next(len(d)), x, like(d)))
			case 21:
				if len(d) != 2 {
					continue
				}
				y = must(f.Tanh(must(f.DotGeneral(x, []int{next(2)}, nil, x, []int{0}, nil, compute.DotGeneralConfig{}))))
				if err != nil { // the summed axes differ
					err = nil
					continue
				}
			}
			if err == nil && product(shapeOf(y)) < 1<<16 {
				values = append(values, y)
			}
		}
		for i := range outputs { // GoMLX's backend fails where one value is returned twice
			v := values[len(values)-1-next(min(len(values), 8))]
			out = append(out, must(f.Add(v, must(f.Constant([]float32{float32(i) / 8})))))
		}
		return out, err
	}
}

func TestRandomGraphsAgreeWithGoMLX(t *testing.T) {
	if underRace {
		t.Skip("GoMLX's backend does not run under the race detector")
	}
	ours, theirs := backends(t, 1)
	three, err := cpu.New(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer three.Finalize()
	graphs := uint64(600)
	if testing.Short() {
		graphs = 150
	}
	for seed := range graphs {
		size := []int{5, 70, 700}[seed%3]
		in, build := randomGraph(seed, size)
		want, err := compute1(theirs, in, build)
		if err != nil {
			t.Logf("seed %d: GoMLX: %v", seed, err)
			continue
		}
		got, err := compute1(ours, in, build)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		for i := range want {
			if err := differ(got[i], want[i], 2e-4); err != nil {
				t.Errorf("seed %d, output %d: %v", seed, i, err)
			}
		}
		more, err := computeWith(three, in, build, true)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		for i := range got {
			if !same(more[i], got[i]) {
				t.Errorf("seed %d, output %d: other bits with three threads and donated inputs", seed, i)
			}
		}
	}
	for _, b := range []*cpu.Backend{ours, three} {
		if inUse, _ := b.Memory(); inUse != 0 {
			t.Errorf("%d bytes are left in use", inUse)
		}
	}
}
