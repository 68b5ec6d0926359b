package cpu_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

func newBackend(t *testing.T, threads int, limit int64) *cpu.Backend {
	t.Helper()
	be, err := cpu.New(threads, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(be.Finalize)
	return be
}

// compiled compiles a computation of float32 inputs.
func compiled(t *testing.T, be compute.Backend, inputs [][]int, build builder) compute.Executable {
	t.Helper()
	b := be.Builder("test")
	f := b.Main()
	var in []compute.Value
	for i, d := range inputs {
		p, err := f.Parameter(fmt.Sprint("x", i), shapes.Make(dtypes.Float32, d...), nil)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, p)
	}
	out, err := build(f, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Return(out, nil); err != nil {
		t.Fatal(err)
	}
	e, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func buffer(t *testing.T, be compute.Backend, x []float32, dims ...int) compute.Buffer {
	t.Helper()
	b, err := be.BufferFromFlatData(0, x, shapes.Make(dtypes.Float32, dims...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func floats(t *testing.T, b compute.Buffer) []float32 {
	t.Helper()
	x, err := b.Data()
	if err != nil {
		t.Fatal(err)
	}
	return x.([]float32)
}

// chain multiplies matrices one by one, so that arrays live and die.
func chain(n int) builder {
	return func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
		x := in[0]
		var err error
		for range n {
			if x, err = f.DotGeneral(x, []int{1}, nil, in[0], []int{0}, nil, compute.DotGeneralConfig{}); err != nil {
				return nil, err
			}
			if x, err = f.Tanh(x); err != nil {
				return nil, err
			}
		}
		return []compute.Value{x}, nil
	}
}

func TestMemoryLimit(t *testing.T) {
	const side = 64
	bytes := int64(side * side * 4)
	// Input, product, tanh, which takes the place of the product, and the next product.
	be := newBackend(t, 1, 3*bytes)
	e := compiled(t, be, [][]int{{side, side}}, chain(20))
	x := buffer(t, be, randomFloats(rng.New(1, "x", 0), side*side), side, side)
	out, err := e.Execute([]compute.Buffer{x}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, peak := be.Memory(); peak != 3*bytes {
		t.Errorf("a chain of 20 products takes %d bytes, want 3 matrices, %d", peak, 3*bytes)
	}
	// With its result still there, a second does not fit; what it took is given back.
	for range 3 {
		_, err = e.Execute([]compute.Buffer{x}, nil, 0)
		var m *cpu.MemoryError
		if !errors.Is(err, cpu.ErrMemory) || !errors.As(err, &m) {
			t.Fatalf("no memory error but %v", err)
		}
		if !strings.Contains(m.Op, "DotGeneral") || m.Need != bytes || m.Limit != 3*bytes || m.InUse != 3*bytes {
			t.Errorf("%+v", m)
		}
		if inUse, _ := be.Memory(); inUse != 2*bytes {
			t.Fatalf("%d bytes are in use after the failure, want %d", inUse, 2*bytes)
		}
	}
	want := append([]float32{}, floats(t, out[0])...)
	if err := out[0].Finalize(); err != nil {
		t.Fatal(err)
	}
	again, err := e.Execute([]compute.Buffer{x}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(floats(t, again[0])) != fmt.Sprint(want) {
		t.Error("other numbers after a failure")
	}
	again[0].Finalize()
	x.Finalize()
	e.Finalize()
	if inUse, _ := be.Memory(); inUse != 0 {
		t.Errorf("%d bytes are left", inUse)
	}
	if _, err := be.BufferFromFlatData(0, make([]float32, side*side*4), shapes.Make(dtypes.Float32, 4, side, side)); !errors.Is(err, cpu.ErrMemory) {
		t.Errorf("a buffer beyond the limit: %v", err)
	}
}

// A donated array becomes the result, and its buffer ends.
func TestDonation(t *testing.T) {
	be := newBackend(t, 1, 0)
	e := compiled(t, be, [][]int{{1000}, {1000}}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
		y, err := f.Add(in[0], in[1])
		return []compute.Value{y}, err
	})
	r := rng.New(2, "x", 0)
	x, y := buffer(t, be, randomFloats(r, 1000), 1000), buffer(t, be, randomFloats(r, 1000), 1000)
	place := &floats(t, x)[0]
	out, err := e.Execute([]compute.Buffer{x, y}, []bool{true, false}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if &floats(t, out[0])[0] != place {
		t.Error("the donated array was not reused")
	}
	if _, err := e.Execute([]compute.Buffer{x, y}, nil, 0); err == nil {
		t.Error("a donated buffer was used again")
	}
	if err := x.Finalize(); err != nil {
		t.Errorf("finalising a donated buffer: %v", err)
	}
	if err := y.Finalize(); err != nil {
		t.Error(err)
	}
	if err := y.Finalize(); err == nil {
		t.Error("a buffer was finalised twice")
	}
	z := buffer(t, be, randomFloats(r, 1000), 1000)
	if _, err := e.Execute([]compute.Buffer{z, z}, []bool{true, false}, 0); err == nil {
		t.Error("a buffer was donated and kept")
	}
	if _, err := e.Execute([]compute.Buffer{z, z}, nil, 0); err != nil {
		t.Error(err)
	}
}

// Inputs, constants and one value twice may be results.
func TestOutputs(t *testing.T) {
	be := newBackend(t, 1, 0)
	e := compiled(t, be, [][]int{{2, 3}}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
		c, err := f.Constant([]float32{1, 2, 3}, 3)
		if err != nil {
			return nil, err
		}
		s, err := f.Slice(in[0], []int{1, 0}, []int{2, 3}, nil)
		if err != nil {
			return nil, err
		}
		n, err := f.Neg(in[0])
		return []compute.Value{in[0], in[0], c, s, n, n}, err
	})
	for _, donate := range []bool{false, true} {
		x := buffer(t, be, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
		out, err := e.Execute([]compute.Buffer{x}, []bool{donate}, 0)
		if err != nil {
			t.Fatal(err)
		}
		places := map[*float32]bool{}
		for i, want := range []string{"[1 2 3 4 5 6]", "[1 2 3 4 5 6]", "[1 2 3]", "[4 5 6]", "[-1 -2 -3 -4 -5 -6]", "[-1 -2 -3 -4 -5 -6]"} {
			got := floats(t, out[i])
			if fmt.Sprint(got) != want {
				t.Errorf("output %d is %v, want %s", i, got, want)
			}
			if places[&got[0]] {
				t.Errorf("output %d shares memory with another", i)
			}
			places[&got[0]] = true
			if err := out[i].Finalize(); err != nil {
				t.Error(err)
			}
		}
		if !donate {
			x.Finalize()
		}
	}
	e.Finalize()
	if inUse, _ := be.Memory(); inUse != 0 {
		t.Errorf("%d bytes are left", inUse)
	}
}

// Executables may run at the same time, also one with itself.
func TestConcurrentExecutions(t *testing.T) {
	be := newBackend(t, 3, 0)
	nets := netsOf()
	var group sync.WaitGroup
	losses := make([]string, 4)
	for i := range losses {
		group.Go(func() {
			tr := newTrainer(t, be, nets[i%2*2], 2)
			for range 2 {
				losses[i] += fmt.Sprint(tr.next(t), " ")
			}
		})
	}
	e := compiled(t, be, [][]int{{40, 40}}, chain(5))
	x := buffer(t, be, randomFloats(rng.New(3, "x", 0), 1600), 40, 40)
	results := make([]string, 4)
	for i := range results {
		group.Go(func() {
			for range 5 {
				out, err := e.Execute([]compute.Buffer{x}, nil, 0)
				if err != nil {
					t.Error(err)
					return
				}
				results[i] = fmt.Sprint(floats(t, out[0]))
				out[0].Finalize()
			}
		})
	}
	group.Wait()
	if losses[0] != losses[2] || losses[1] != losses[3] {
		t.Errorf("losses differ: %q", losses)
	}
	for _, r := range results[1:] {
		if r != results[0] {
			t.Error("results differ")
		}
	}
}

// A buffer that is forgotten is found, and no longer counted.
func TestForgottenBuffers(t *testing.T) {
	be := newBackend(t, 1, 0)
	for range 10 {
		buffer(t, be, make([]float32, 1000), 1000)
	}
	for range 100 {
		runtime.GC()
		if inUse, _ := be.Memory(); inUse == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	inUse, _ := be.Memory()
	t.Errorf("%d bytes are in use", inUse)
}

func TestWrongInputs(t *testing.T) {
	be, other := newBackend(t, 1, 0), newBackend(t, 1, 0)
	e := compiled(t, be, [][]int{{2}}, func(f compute.Function, in []compute.Value) ([]compute.Value, error) {
		y, err := f.Neg(in[0])
		return []compute.Value{y}, err
	})
	good := buffer(t, be, []float32{1, 2}, 2)
	for name, in := range map[string][]compute.Buffer{
		"none":    nil,
		"two":     {good, good},
		"shape":   {buffer(t, be, []float32{1, 2, 3}, 3)},
		"backend": {buffer(t, other, []float32{1, 2}, 2)},
		"nil":     {nil},
	} {
		if _, err := e.Execute(in, nil, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := be.BufferFromFlatData(0, []int32{1, 2}, shapes.Make(dtypes.Float32, 2)); err == nil {
		t.Error("numbers of another type: no error")
	}
	if _, err := be.BufferFromFlatData(1, []float32{1, 2}, shapes.Make(dtypes.Float32, 2)); err == nil {
		t.Error("another device: no error")
	}
	e.Finalize()
	e.Finalize()
	if _, err := e.Execute([]compute.Buffer{good}, nil, 0); err == nil {
		t.Error("a finalised computation: no error")
	}
	be.Finalize()
	be.Finalize()
	if _, _, err := be.NewSharedBuffer(0, shapes.Make(dtypes.Float32, 2)); err == nil {
		t.Error("a finalised backend: no error")
	}
}

func TestProfile(t *testing.T) {
	be := newBackend(t, 1, 0)
	e := compiled(t, be, [][]int{{40, 40}}, chain(5))
	x := buffer(t, be, make([]float32, 1600), 40, 40)
	run := func() {
		out, err := e.Execute([]compute.Buffer{x}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out[0].Finalize()
	}
	run()
	if len(be.ProfileTable()) > 0 {
		t.Error("a profile without being asked")
	}
	be.Profile(true)
	run()
	run()
	be.Profile(false)
	run()
	calls := 0
	for _, p := range be.ProfileTable() {
		if p.Time < 0 || p.Calls == 0 || p.Op == "" { // clocks of some systems are too coarse for more
			t.Errorf("%+v", p)
		}
		calls += p.Calls
	}
	if calls != 20 {
		t.Errorf("%d calls in the profile of 2 runs of 5 products and 5 loops:\n%v", calls, be.ProfileTable())
	}
}

func TestRegistered(t *testing.T) {
	be, err := compute.NewWithConfig(cpu.Name + ":2")
	if err != nil {
		t.Fatal(err)
	}
	be.Finalize()
	if _, err := compute.NewWithConfig(cpu.Name + ":many"); err == nil {
		t.Error("many threads: no error")
	}
}
