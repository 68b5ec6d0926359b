package cpu

import (
	"fmt"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// An Executable is a compiled computation. It is safe for concurrent use.
type Executable struct {
	b       *Backend
	name    string
	names   []string
	inputs  []shapes.Shape
	params  []int // slots of inputs
	fixed   []fixed
	steps   []step
	outputs []output
	slots   int

	runs  sync.Pool
	mu    sync.Mutex
	ended bool
	using sync.WaitGroup
}

// fixed is the array of a constant.
type fixed struct {
	slot  int
	array *array
}

// step is one operation.
type step struct {
	label func() string // such as "ReduceSum float32[64 10]"
	outs  []out
	run   func(r *run)
	frees []int // slots whose arrays nobody needs any more
}

// out is an array that a step makes.
type out struct {
	slot  int
	bytes int64
	reuse []int // slots whose arrays it may overwrite, if they die with the step
}

// output is what a caller gets.
type output struct {
	slot, from int
	shape      shapes.Shape
	fixed      bool // of a constant
	moved      bool // the array itself, if the computation owns it
}

var _ compute.Executable = (*Executable)(nil)

func newExecutable(f *Function) *Executable {
	e := &Executable{b: f.builder.backend, name: f.builder.name, names: f.names}
	for _, p := range f.params {
		e.inputs = append(e.inputs, p.shape)
	}
	e.params = make([]int, len(f.params))
	return e
}

// Finalize frees the constants, once nothing runs any more.
func (e *Executable) Finalize() {
	e.mu.Lock()
	ended := e.ended
	e.ended = true
	e.mu.Unlock()
	if ended {
		return
	}
	e.using.Wait()
	for _, f := range e.fixed {
		e.b.heap.put(f.array)
	}
	e.fixed, e.steps = nil, nil
}

// Inputs returns names and shapes of the parameters.
func (e *Executable) Inputs() ([]string, []shapes.Shape) { return e.names, e.inputs }

// Outputs returns the shapes of the results.
func (e *Executable) Outputs() []shapes.Shape {
	out := make([]shapes.Shape, len(e.outputs))
	for i, o := range e.outputs {
		out[i] = o.shape
	}
	return out
}

// run is one execution.
type run struct {
	e     *Executable
	pool  *kernel.Pool
	vals  []*array
	owned []bool
}

// A ref is where numbers are.
type ref struct{ slot, from int }

// at returns n numbers.
func at[T any](r *run, x ref, n int) []T { return numbers[T](r.vals[x.slot], x.from, n) }

// Execute computes the results of inputs. A failure leaves nothing behind but the
// inputs that were not donated.
func (e *Executable) Execute(inputs []compute.Buffer, donate []bool, _ compute.DeviceNum) (outputs []compute.Buffer, err error) {
	if err := e.begin(); err != nil {
		return nil, err
	}
	defer e.end()
	r, _ := e.runs.Get().(*run)
	if r == nil {
		r = &run{e: e, pool: e.b.pool, vals: make([]*array, e.slots), owned: make([]bool, e.slots)}
	}
	doing := func() string { return "the inputs" }
	defer func() {
		if p := recover(); p != nil {
			outputs, err = nil, fmt.Errorf("cpu: %q, %s: %v", e.name, doing(), p)
		}
		for s, a := range r.vals {
			if a != nil && r.owned[s] {
				e.b.heap.put(a)
			}
		}
		clear(r.vals)
		clear(r.owned)
		e.runs.Put(r)
	}()
	if err := r.take(inputs, donate); err != nil {
		return nil, err
	}
	for _, f := range e.fixed {
		r.vals[f.slot] = f.array
	}
	profiling := e.b.profiling.Load()
	for i := range e.steps {
		s := &e.steps[i]
		var started time.Time
		if profiling {
			started = time.Now()
		}
		if len(s.outs) > 0 {
			doing = s.label
			if err := r.allot(s); err != nil {
				return nil, fmt.Errorf("%w, in %q", err, e.name)
			}
		}
		s.run(r)
		for _, f := range s.frees {
			r.free(f)
		}
		if profiling {
			e.b.record(s.label(), time.Since(started))
		}
	}
	doing = func() string { return "the outputs" }
	return r.give()
}

func (e *Executable) begin() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || e.b.IsFinalized() {
		return fmt.Errorf("cpu: computation %q runs after it, or its backend, was finalised", e.name)
	}
	e.using.Add(1)
	e.b.running.Add(1)
	return nil
}

func (e *Executable) end() {
	e.using.Done()
	e.b.running.Done()
}

// take checks the inputs, and takes over those that are donated.
func (r *run) take(inputs []compute.Buffer, donate []bool) error {
	e := r.e
	if len(inputs) != len(e.inputs) {
		return fmt.Errorf("cpu: %d inputs for computation %q, which has %d", len(inputs), e.name, len(e.inputs))
	}
	if len(donate) != 0 && len(donate) != len(inputs) {
		return fmt.Errorf("cpu: %d inputs and %d signs whether they are donated", len(inputs), len(donate))
	}
	for i, in := range inputs {
		buf, ok := in.(*Buffer)
		if !ok || buf.backend != e.b {
			return fmt.Errorf("cpu: input %q of %q is a buffer of another backend", e.names[i], e.name)
		}
		if !buf.shape.EqualDimensions(e.inputs[i]) || buf.shape.DType != e.inputs[i].DType {
			return fmt.Errorf("cpu: input %q of %q is %s, expected %s", e.names[i], e.name, buf.shape, e.inputs[i])
		}
		a := buf.peek()
		if a == nil {
			return fmt.Errorf("cpu: input %q of %q was finalised or donated", e.names[i], e.name)
		}
		r.vals[e.params[i]] = a
	}
	for i, in := range inputs {
		if len(donate) == 0 || !donate[i] {
			continue
		}
		twice := false
		for j := range inputs {
			twice = twice || j != i && inputs[j] == in
		}
		if twice {
			return fmt.Errorf("cpu: input %q of %q is donated, and another input as well", e.names[i], e.name)
		}
	}
	for i, in := range inputs {
		if len(donate) != 0 && donate[i] {
			if in.(*Buffer).donate() == nil {
				return fmt.Errorf("cpu: input %q of %q was donated twice", e.names[i], e.name)
			}
			r.owned[e.params[i]] = true
		}
	}
	return nil
}

// allot gives a step its arrays.
func (r *run) allot(s *step) error {
next:
	for i := range s.outs {
		o := &s.outs[i]
		size := sizeClass(o.bytes)
		for _, from := range o.reuse {
			if a := r.vals[from]; a != nil && r.owned[from] && a.bytes() == size {
				r.vals[o.slot], r.owned[o.slot] = a, true
				r.owned[from] = false // it stays readable
				continue next
			}
		}
		a, err := r.e.b.heap.get(o.bytes, s.label)
		if err != nil {
			return err
		}
		r.vals[o.slot], r.owned[o.slot] = a, true
	}
	return nil
}

// free gives an array back, if the computation owns it.
func (r *run) free(slot int) {
	if a := r.vals[slot]; a != nil {
		if r.owned[slot] {
			r.e.b.heap.put(a)
			r.owned[slot] = false
		}
		r.vals[slot] = nil
	}
}

// give makes buffers of the results.
func (r *run) give() (outputs []compute.Buffer, err error) {
	e := r.e
	defer func() {
		if err != nil {
			for _, o := range outputs {
				if o != nil {
					o.Finalize()
				}
			}
			outputs = nil
		}
	}()
	outputs = make([]compute.Buffer, len(e.outputs))
	for pass := range 2 { // copies before what they are copies of is handed over
		for i, o := range e.outputs {
			move := o.moved && r.owned[o.slot]
			if move != (pass == 1) || outputs[i] != nil {
				continue
			}
			if move {
				outputs[i] = e.b.hand(r.vals[o.slot], o.shape)
				r.vals[o.slot], r.owned[o.slot] = nil, false
				continue
			}
			a, err := e.b.heap.get(byteSize(o.shape), func() string { return "output " + shapeString(o.shape) })
			if err != nil {
				return outputs, fmt.Errorf("%w, in %q", err, e.name)
			}
			size := typeSize(o.shape.DType)
			n := o.shape.Size() * size
			copy(numbers[byte](a, 0, n), numbers[byte](r.vals[o.slot], o.from*size, n))
			outputs[i] = e.b.hand(a, o.shape)
		}
	}
	return outputs, nil
}
