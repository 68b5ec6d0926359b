package engine

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// A tensor is a value of a computation that is being written. The first axis of
// values of the network is the batch.
type tensor struct {
	v    compute.Value
	dims []int

	grad bool            // whether its gradient is wanted, or that of something before it
	sum  *tensor         // of the gradients that have come back so far
	back func(d *tensor) // sends its gradient to what it was computed of
}

func (t *tensor) last() int { return t.dims[len(t.dims)-1] }

// A writer writes a computation, and remembers on a tape how to go back. After a
// mistake it writes nothing more.
type writer struct {
	b       compute.Builder
	f       compute.Function
	native  bool // the backend has convolutions, windows and batch norm of its own
	tape    []*tensor
	quiet   bool // do not remember
	scalars map[float32]*tensor
	params  int
	err     error
}

func newWriter(b compute.Backend, name string, native bool) *writer {
	w := &writer{b: b.Builder(name), native: native, scalars: map[float32]*tensor{}}
	w.f = w.b.Main()
	return w
}

// is returns the tensor of a value that the backend gave.
func (w *writer) is(v compute.Value, err error, dims ...int) *tensor {
	if err != nil && w.err == nil {
		w.err = err
	}
	return &tensor{v: v, dims: dims}
}

// param is the next input of the computation.
func (w *writer) param(t dtypes.DType, dims ...int) *tensor {
	if w.err != nil {
		return &tensor{dims: dims}
	}
	w.params++
	v, err := w.f.Parameter("p"+strconv.Itoa(w.params), shapes.Make(t, dims...), nil)
	return w.is(v, err, dims...)
}

func (w *writer) constant(flat any, dims ...int) *tensor {
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Constant(flat, dims...)
	return w.is(v, err, dims...)
}

func (w *writer) scalar(x float64) *tensor {
	t, ok := w.scalars[float32(x)]
	if !ok {
		t = w.constant([]float32{float32(x)})
		w.scalars[float32(x)] = t
	}
	return t
}

// fill is a tensor of one number.
func (w *writer) fill(x float64, dims ...int) *tensor { return w.spread(w.scalar(x), dims) }

// record remembers how to go back from a result, if anything before it wants to
// know.
func (w *writer) record(out *tensor, back func(d *tensor), of ...*tensor) *tensor {
	if w.quiet || !slices.ContainsFunc(of, func(t *tensor) bool { return t.grad }) {
		return out
	}
	out.grad, out.back = true, back
	w.tape = append(w.tape, out)
	return out
}

// custom is the result of forward, with a way back of its own instead of that
// through its parts.
func (w *writer) custom(forward func() *tensor, back func(d *tensor), of ...*tensor) *tensor {
	quiet := w.quiet
	w.quiet = true
	out := forward()
	w.quiet = quiet
	return w.record(out, back, of...)
}

// receive adds to the gradient of a tensor.
func (w *writer) receive(t, d *tensor) {
	switch {
	case !t.grad:
	case t.sum == nil:
		t.sum = d
	default:
		t.sum = w.add(t.sum, d)
	}
}

// rewind sends what results have received back along the tape.
func (w *writer) rewind() {
	w.quiet = true
	for _, t := range slices.Backward(w.tape) {
		if t.sum != nil && w.err == nil {
			t.back(t.sum)
			t.sum = nil
		}
	}
	w.tape = nil
}

func (w *writer) unary(f func(compute.Value) (compute.Value, error), x *tensor) *tensor {
	if w.err != nil {
		return &tensor{dims: x.dims}
	}
	v, err := f(x.v)
	return w.is(v, err, x.dims...)
}

func (w *writer) exp(x *tensor) *tensor { return w.unary(w.f.Exp, x) }

// binary applies f number by number. An axis of 1, and a scalar, is spread.
func (w *writer) binary(f func(a, b compute.Value) (compute.Value, error), a, b *tensor) *tensor {
	dims := a.dims
	if len(a.dims) == 0 {
		dims = b.dims
	} else if len(b.dims) > 0 && !slices.Equal(a.dims, b.dims) {
		dims = slices.Clone(a.dims)
		for i := range dims {
			dims[i] = max(dims[i], b.dims[i])
		}
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := f(a.v, b.v)
	return w.is(v, err, dims...)
}

func (w *writer) add(a, b *tensor) *tensor {
	return w.record(w.binary(w.f.Add, a, b), func(d *tensor) {
		w.receive(a, w.gather(d, a))
		w.receive(b, w.gather(d, b))
	}, a, b)
}

func (w *writer) sub(a, b *tensor) *tensor {
	return w.record(w.binary(w.f.Sub, a, b), func(d *tensor) {
		w.receive(a, w.gather(d, a))
		if b.grad {
			w.receive(b, w.unary(w.f.Neg, w.gather(d, b)))
		}
	}, a, b)
}

func (w *writer) mul(a, b *tensor) *tensor {
	return w.record(w.binary(w.f.Mul, a, b), func(d *tensor) {
		if a.grad {
			w.receive(a, w.gather(w.mul(d, b), a))
		}
		if b.grad {
			w.receive(b, w.gather(w.mul(d, a), b))
		}
	}, a, b)
}

func (w *writer) div(a, b *tensor) *tensor {
	out := w.binary(w.f.Div, a, b)
	return w.record(out, func(d *tensor) {
		q := w.div(d, b)
		if a.grad {
			w.receive(a, w.gather(q, a))
		}
		if b.grad {
			w.receive(b, w.unary(w.f.Neg, w.gather(w.mul(q, out), b)))
		}
	}, a, b)
}

// max is the larger one; where they are equal, the first.
func (w *writer) max(a, b *tensor) *tensor {
	return w.record(w.binary(w.f.Max, a, b), func(d *tensor) {
		first := w.float(w.binary(w.f.GreaterOrEqual, a, b))
		if a.grad {
			w.receive(a, w.gather(w.mul(d, first), a))
		}
		if b.grad {
			w.receive(b, w.gather(w.mul(d, w.sub(w.scalar(1), first)), b))
		}
	}, a, b)
}

// scale is x·c, shift is x+c.
func (w *writer) scale(x *tensor, c float64) *tensor { return w.mul(x, w.scalar(c)) }
func (w *writer) shift(x *tensor, c float64) *tensor { return w.add(x, w.scalar(c)) }

// clamp is x held between two numbers.
func (w *writer) clamp(x *tensor, low, high float64) *tensor {
	return w.binary(w.f.Min, w.binary(w.f.Max, x, w.scalar(low)), w.scalar(high))
}

func (w *writer) float(x *tensor) *tensor { return w.convert(x, dtypes.Float32) }

func (w *writer) convert(x *tensor, t dtypes.DType) *tensor {
	return w.unary(func(v compute.Value) (compute.Value, error) { return w.f.ConvertDType(v, t) }, x)
}

// gather sums what was spread from the shape of t.
func (w *writer) gather(d, t *tensor) *tensor {
	if slices.Equal(d.dims, t.dims) {
		return d
	}
	var axes []int
	for i, n := range d.dims {
		if len(t.dims) == 0 || t.dims[i] < n {
			axes = append(axes, i)
		}
	}
	return w.reshape(w.sum(d, axes...), t.dims...)
}

// spread repeats x, whose last axes are 1 or those of dims, to these dims.
func (w *writer) spread(x *tensor, dims []int) *tensor {
	if slices.Equal(x.dims, dims) {
		return x
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	axes := make([]int, len(x.dims))
	for i := range axes {
		axes[i] = len(dims) - len(axes) + i
	}
	v, err := w.f.BroadcastInDim(x.v, shapes.Make(dtypes.Float32, dims...), axes)
	return w.record(w.is(v, err, dims...), func(d *tensor) {
		var sums []int
		for i, n := range dims {
			if k := i - len(dims) + len(x.dims); k < 0 || x.dims[k] < n {
				sums = append(sums, i)
			}
		}
		w.receive(x, w.reshape(w.sum(d, sums...), x.dims...))
	}, x)
}

// sum sums over axes, which go.
func (w *writer) sum(x *tensor, axes ...int) *tensor {
	if len(axes) == 0 {
		return x
	}
	return w.record(w.reduce(w.f.ReduceSum, x, axes), func(d *tensor) { w.receive(x, w.spread(w.keep(d, x, axes), x.dims)) }, x)
}

func (w *writer) reduce(f func(compute.Value, ...int) (compute.Value, error), x *tensor, axes []int) *tensor {
	dims := []int{}
	for i, n := range x.dims {
		if !slices.Contains(axes, i) {
			dims = append(dims, n)
		}
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := f(x.v, axes...)
	return w.is(v, err, dims...)
}

// keep gives the axes back, as 1, that a reduction of x took.
func (w *writer) keep(d, x *tensor, axes []int) *tensor {
	dims := slices.Clone(x.dims)
	for _, a := range axes {
		dims[a] = 1
	}
	return w.reshape(d, dims...)
}

// sumLast sums over the last axis, which stays as 1.
func (w *writer) sumLast(x *tensor) *tensor {
	axes := []int{len(x.dims) - 1}
	return w.keep(w.sum(x, axes...), x, axes)
}

func (w *writer) maxLast(x *tensor) *tensor {
	axes := []int{len(x.dims) - 1}
	return w.keep(w.reduce(w.f.ReduceMax, x, axes), x, axes)
}

func (w *writer) reshape(x *tensor, dims ...int) *tensor {
	if slices.Equal(x.dims, dims) {
		return x
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Reshape(x.v, dims...)
	return w.record(w.is(v, err, dims...), func(d *tensor) { w.receive(x, w.reshape(d, x.dims...)) }, x)
}

// transpose makes axis order[i] of x the result's axis i.
func (w *writer) transpose(x *tensor, order ...int) *tensor {
	same := true
	dims, back := make([]int, len(order)), make([]int, len(order))
	for i, o := range order {
		dims[i], back[o] = x.dims[o], i
		same = same && i == o
	}
	if same {
		return x
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Transpose(x.v, order...)
	return w.record(w.is(v, err, dims...), func(d *tensor) { w.receive(x, w.transpose(d, back...)) }, x)
}

// slice takes every stride-th from from up to to of each axis; nil strides are 1.
func (w *writer) slice(x *tensor, from, to, strides []int) *tensor {
	dims := make([]int, len(from))
	whole := true
	if strides == nil {
		strides = slices.Repeat([]int{1}, len(from))
	}
	for i, step := range strides {
		dims[i] = (to[i] - from[i] + step - 1) / step
		whole = whole && dims[i] == x.dims[i]
	}
	if whole {
		return x
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Slice(x.v, from, to, strides)
	return w.record(w.is(v, err, dims...), func(d *tensor) {
		pads := make([]compute.PadAxis, len(from))
		for i, step := range strides {
			end := from[i] + (dims[i]-1)*step + 1
			pads[i] = compute.PadAxis{Start: from[i], End: x.dims[i] - end, Interior: step - 1}
		}
		w.receive(x, w.pad(d, 0, pads))
	}, x)
}

// part takes from up to to of one axis.
func (w *writer) part(x *tensor, axis, from, to int) *tensor {
	low, high := make([]int, len(x.dims)), slices.Clone(x.dims)
	low[axis], high[axis] = from, to
	return w.slice(x, low, high, nil)
}

// pad puts numbers around x and between its own. Nothing is taken away.
func (w *writer) pad(x *tensor, number float64, pads []compute.PadAxis) *tensor {
	dims := make([]int, len(pads))
	for i, p := range pads {
		dims[i] = x.dims[i] + p.Start + p.End + (x.dims[i]-1)*p.Interior
		if w.err == nil && (p.Start < 0 || p.End < 0) {
			w.err = fmt.Errorf("engine: negative padding %v", pads) // which ends the process on the backend go
		}
	}
	if slices.Equal(dims, x.dims) {
		return x
	}
	fill := w.scalar(number)
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Pad(x.v, fill.v, pads...)
	return w.record(w.is(v, err, dims...), func(d *tensor) {
		from, to, strides := make([]int, len(pads)), make([]int, len(pads)), make([]int, len(pads))
		for i, p := range pads {
			from[i], to[i], strides[i] = p.Start, dims[i]-p.End, p.Interior+1
		}
		w.receive(x, w.slice(d, from, to, strides))
	}, x)
}

func (w *writer) concat(axis int, parts ...*tensor) *tensor {
	if len(parts) == 1 {
		return parts[0]
	}
	dims := slices.Clone(parts[0].dims)
	dims[axis] = 0
	vs := make([]compute.Value, len(parts))
	for i, p := range parts {
		vs[i] = p.v
		dims[axis] += p.dims[axis]
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.Concatenate(axis, vs...)
	return w.record(w.is(v, err, dims...), func(d *tensor) {
		at := 0
		for _, p := range parts {
			if n := p.dims[axis]; p.grad {
				w.receive(p, w.part(d, axis, at, at+n))
			}
			at += p.dims[axis]
		}
	}, parts...)
}

// dot multiplies and sums over axes ac of a and bc of b. Axes ab and bb go along;
// the result has them first, then what is left of a, then of b.
func (w *writer) dot(a *tensor, ac, ab []int, b *tensor, bc, bb []int) *tensor {
	var dims []int
	for _, i := range ab {
		dims = append(dims, a.dims[i])
	}
	aRest, bRest := rest(a, ac, ab), rest(b, bc, bb)
	for _, i := range aRest {
		dims = append(dims, a.dims[i])
	}
	for _, i := range bRest {
		dims = append(dims, b.dims[i])
	}
	if w.err != nil {
		return &tensor{dims: dims}
	}
	v, err := w.f.DotGeneral(a.v, ac, ab, b.v, bc, bb, compute.DotGeneralConfig{})
	return w.record(w.is(v, err, dims...), func(d *tensor) {
		along := count(0, len(ab))
		if a.grad { // the axes of b that d has go
			g := w.dot(d, count(len(ab)+len(aRest), len(bRest)), along, b, bRest, bb)
			w.receive(a, w.transpose(g, places(ab, aRest, inOrder(ac, bc))...))
		}
		if b.grad {
			g := w.dot(d, count(len(ab), len(aRest)), along, a, aRest, ab)
			w.receive(b, w.transpose(g, places(bb, bRest, inOrder(bc, ac))...))
		}
	}, a, b)
}

// rest returns the axes that are in neither list.
func rest(t *tensor, lists ...[]int) (axes []int) {
	for i := range t.dims {
		if !slices.ContainsFunc(lists, func(l []int) bool { return slices.Contains(l, i) }) {
			axes = append(axes, i)
		}
	}
	return axes
}

func count(from, n int) []int {
	c := make([]int, n)
	for i := range c {
		c[i] = from + i
	}
	return c
}

// inOrder returns axes in the order in which their partners stand.
func inOrder(axes, partners []int) []int {
	at := count(0, len(axes))
	slices.SortFunc(at, func(i, j int) int { return partners[i] - partners[j] })
	ordered := make([]int, len(axes))
	for i, k := range at {
		ordered[i] = axes[k]
	}
	return ordered
}

// places returns for each axis where it stands in the lists together.
func places(lists ...[]int) []int {
	all := slices.Concat(lists...)
	order := make([]int, len(all))
	for i, a := range all {
		order[a] = i
	}
	return order
}
