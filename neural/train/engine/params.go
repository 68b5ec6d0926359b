package engine

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/neural"
)

// A layout is the weights of the largest network: where each is, and its axes on
// the device. Kernels are height×width×in×out there.
type layout struct {
	tensors []neural.Tensor
	kernel  []bool // of a convolution
	index   map[string]int
}

func newLayout(g *neural.Graph) *layout {
	l := &layout{index: map[string]int{}}
	for i, n := range g.Nodes() {
		for k, t := range g.Weights(i) {
			_, conv := n.Op.(neural.Conv)
			l.index[t.Name] = len(l.tensors)
			l.tensors = append(l.tensors, t)
			l.kernel = append(l.kernel, conv && k == 0)
		}
	}
	return l
}

// dims are the axes of weight i on the device.
func (l *layout) dims(i int) []int { return onDevice(l.tensors[i].Shape, l.kernel[i]) }

func onDevice(s neural.Shape, kernel bool) []int {
	if kernel {
		return []int{s[2], s[3], s[1], s[0]}
	}
	return s.Sizes()
}

// toDevice and toHost put a kernel's numbers from the graph's order into the device's
// and back; other weights are as they are.
func toDevice(v []float32, s neural.Shape, kernel bool) []float32 {
	if !kernel {
		return v
	}
	return turn(v, s[0]*s[1], s[2]*s[3], s[1])
}

func toHost(v []float32, s neural.Shape, kernel bool) []float32 {
	if !kernel {
		return v
	}
	pixels, out := s[2]*s[3], s[0]
	w := make([]float32, len(v))
	for p := range pixels {
		for c := range s[1] {
			for k, x := range v[(p*s[1]+c)*out:][:out] {
				w[(k*s[1]+c)*pixels+p] = x
			}
		}
	}
	return w
}

// turn writes out×in×pixels as pixels×in×out.
func turn(v []float32, planes, pixels, in int) []float32 {
	w := make([]float32, len(v))
	out := planes / in
	for k := range out {
		for c := range in {
			for p, x := range v[(k*in+c)*pixels:][:pixels] {
				w[(p*in+c)*out+k] = x
			}
		}
	}
	return w
}

// buffers are arrays on a device, nil where there is none yet. They are freed when
// what holds them is no longer reachable.
type buffers struct {
	d    *Device
	bufs []compute.Buffer
}

func (d *Device) buffers(n int) *buffers { return &buffers{d, make([]compute.Buffer, n)} }

func (b *buffers) free() {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	b.drop()
}

func (b *buffers) drop() {
	if b.d.closed {
		return
	}
	for i, x := range b.bufs {
		if x != nil {
			x.Finalize()
			b.bufs[i] = nil
		}
	}
}

// set replaces an array.
func (b *buffers) set(i int, x compute.Buffer) {
	if b.bufs[i] != nil {
		b.bufs[i].Finalize()
	}
	b.bufs[i] = x
}

// upload copies numbers to the device.
func (d *Device) upload(v any, t dtypes.DType, dims ...int) (compute.Buffer, error) {
	b, err := d.b.BufferFromFlatData(0, v, shapes.Make(t, dims...))
	return b, d.mapError(err)
}

func (d *Device) download(b compute.Buffer, n int) ([]float32, error) {
	v := make([]float32, n)
	return v, d.mapError(b.ToFlatData(v))
}

// Params are learned numbers by name, on a device. They are not safe for
// concurrent use.
type Params struct {
	d     *Device
	l     *layout
	on    *buffers             // learned ones
	state map[string][]float32 // of normalisations: carried along, not used
	nets  *lru[uint64, *Net]
}

// Params puts the weights of a network, usually the largest of a family, on the
// device. With matrices of [KernelTransforms] among them these are learned too.
func (d *Device) Params(g *neural.Graph, w neural.Weights) (*Params, error) {
	if err := w.Check(g); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	l := newLayout(g)
	if err := l.addShrinks(g, w); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	p := d.params(l)
	have := neural.Weights{}
	for _, t := range l.tensors {
		have[t.Name] = w[t.Name]
	}
	return p, p.Load(have)
}

func (d *Device) params(l *layout) *Params {
	p := &Params{d: d, l: l, on: d.buffers(len(l.tensors)), state: map[string][]float32{}}
	p.nets = newLRU[uint64, *Net](d.nets, nil)
	runtime.AddCleanup(p, (*buffers).free, p.on)
	return p
}

// Load replaces the numbers that w has, which have the largest network's shapes.
func (p *Params) Load(w neural.Weights) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w)) {
		i, ok := p.l.index[name]
		if !ok {
			errs = append(errs, fmt.Errorf("found weight %q, which the network does not have", name))
		} else if t := p.l.tensors[i]; int64(len(w[name])) != t.Shape.Elements() {
			errs = append(errs, fmt.Errorf("weight %q: found %d numbers, want %d (%s)", name, len(w[name]), t.Shape.Elements(), t.Shape))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("engine: %w", errors.Join(errs...))
	}
	return p.d.do(func() error {
		for i, t := range p.l.tensors {
			v, ok := w[t.Name]
			if !ok {
				continue
			}
			if t.State {
				p.state[t.Name] = slices.Clone(v)
				continue
			}
			b, err := p.d.upload(toDevice(v, t.Shape, p.l.kernel[i]), dtypes.Float32, p.l.dims(i)...)
			if err != nil {
				return err
			}
			p.on.set(i, b)
		}
		return nil
	})
}

// Weights returns a copy of all the numbers in the order of the graph's shapes. Means
// and variances are those that were loaded: networks have their own.
func (p *Params) Weights() (neural.Weights, error) {
	w := neural.Weights{}
	return w, p.d.do(func() error {
		for i, t := range p.l.tensors {
			if t.State {
				w[t.Name] = slices.Clone(p.state[t.Name])
				continue
			}
			v, err := p.d.download(p.on.bufs[i], int(t.Shape.Elements()))
			if err != nil {
				return err
			}
			w[t.Name] = toHost(v, t.Shape, p.l.kernel[i])
		}
		return nil
	})
}

// Clone returns independent parameters with the same numbers.
func (p *Params) Clone() (*Params, error) {
	w, err := p.Weights()
	if err != nil {
		return nil, err
	}
	c := p.d.params(p.l)
	return c, c.Load(w)
}

// Free frees the arrays now instead of when the garbage collector finds them.
func (p *Params) Free() { p.on.free() }

// box is a part of a weight: it begins at at and has the size of dims, in axes of the
// device.
type box struct{ at, dims, whole []int }

func (b box) all() bool { return slices.Equal(b.dims, b.whole) }

// rows calls f with where each run of n numbers of the part is in the whole and in
// the part.
func (b box) rows(f func(whole, part, n int)) {
	last := len(b.dims) - 1
	n := b.dims[last]
	var walk func(axis, whole, part int)
	walk = func(axis, whole, part int) {
		if axis == last {
			f(whole*b.whole[last]+b.at[last], part*n, n)
			return
		}
		for i := range b.dims[axis] {
			walk(axis+1, whole*b.whole[axis]+b.at[axis]+i, part*b.dims[axis]+i)
		}
	}
	walk(0, 0, 0)
}

// box returns which part of weight i a smaller network takes: the first of the
// features, and the centre of a kernel.
func (l *layout) box(i int, t neural.Tensor, kernel bool) (box, error) {
	b := box{at: make([]int, t.Shape.Axes()), dims: onDevice(t.Shape, kernel), whole: l.dims(i)}
	if kernel != l.kernel[i] || t.State != l.tensors[i].State || len(b.dims) != len(b.whole) {
		return b, fmt.Errorf("weight %q: found another kind of weight of that name", t.Name)
	}
	for a := range b.dims {
		rest := b.whole[a] - b.dims[a]
		if rest < 0 {
			return b, fmt.Errorf("weight %q: found %s, want at most the %s of the parameters", t.Name, t.Shape, l.tensors[i].Shape)
		}
		if kernel && a < 2 {
			if b.at[a] = rest / 2; rest%2 != 0 {
				return b, fmt.Errorf("weight %q: found a kernel of %d in one of %d, which has no centre of that size", t.Name, b.dims[a], b.whole[a])
			}
		}
	}
	return b, nil
}
