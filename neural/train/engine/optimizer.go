package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/internal/detmath"
)

// An OptimizerKind is a rule for updates.
type OptimizerKind uint8

// The optimizers.
const (
	SGD   OptimizerKind = iota // with Nesterov momentum
	AdamW                      // decoupled weight decay (Loshchilov and Hutter 2019)
)

// An Optimizer says how parameters follow a gradient. With gradient g, weight w, decay
// λ and learning rate η, SGD is as PyTorch's:
//
//	g ← g + λ·w;  m ← μ·m + g;  w ← w − η·(g + μ·m), plain: w − η·m
//
// and AdamW, where t counts the updates of each weight:
//
//	w ← w − η·λ·w;  m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²
//	w ← w − η·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
type Optimizer struct {
	Kind        OptimizerKind
	Momentum    float64 // of SGD; also 0
	Plain       bool    // SGD with plain momentum instead of Nesterov's
	Beta1       float64 // of AdamW; 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Epsilon     float64 // 0 means 1e-8
	WeightDecay float64 // of weights of two or more axes, not of biases, scales and shifts; SGD adds it to the gradient
	Clip        float64 // most Euclidean norm of the whole gradient; 0 means none
}

func (o Optimizer) full() (Optimizer, error) {
	or := func(x *float64, zero float64) {
		if *x == 0 {
			*x = zero
		}
	}
	or(&o.Beta1, 0.9)
	or(&o.Beta2, 0.999)
	or(&o.Epsilon, 1e-8)
	var errs []error
	if o.Kind > AdamW {
		errs = append(errs, fmt.Errorf("kind: found %d", o.Kind))
	}
	for _, f := range []struct {
		name   string
		x, top float64
	}{{"momentum", o.Momentum, 1}, {"beta1", o.Beta1, 1}, {"beta2", o.Beta2, 1}, {"epsilon", o.Epsilon, math.MaxFloat32}, {"weight decay", o.WeightDecay, math.MaxFloat32}, {"clip", o.Clip, math.MaxFloat32}} {
		if !(f.x >= 0 && f.x < f.top) {
			errs = append(errs, fmt.Errorf("%s: found %g, want at least 0 and below %g", f.name, f.x, f.top))
		}
	}
	return o, errors.Join(errs...)
}

// moments is how many arrays the state has for each weight.
func (o Optimizer) moments() int {
	switch {
	case o.Kind == AdamW:
		return 2
	case o.Momentum > 0:
		return 1
	}
	return 0
}

// An OptimizerState is the momentum of parameters.
type OptimizerState struct {
	d     *Device
	l     *layout
	o     Optimizer
	on    *buffers // two for each weight; nil where they are zero
	steps int64
	each  []int64 // of each weight, the updates that it had
}

// NewOptimizer returns the state at the start of training.
func (p *Params) NewOptimizer(o Optimizer) (*OptimizerState, error) {
	o, err := o.full()
	if err != nil {
		return nil, fmt.Errorf("engine: optimizer: %w", err)
	}
	n := len(p.l.tensors)
	s := &OptimizerState{d: p.d, l: p.l, o: o, on: p.d.buffers(2 * n), each: make([]int64, n)}
	runtime.AddCleanup(s, (*buffers).free, s.on)
	return s, nil
}

// Free frees the arrays now instead of when the garbage collector finds them.
func (s *OptimizerState) Free() { s.on.free() }

// momentNames end the names of the arrays of a state.
var momentNames = [...]string{"#first", "#second"}

const stepsName = "#steps"

// Host copies the state out, for checkpoints: for each weight that was updated its
// moments, in the device's order of axes, and how often it was.
func (s *OptimizerState) Host() (numbers map[string][]float32, steps int64, err error) {
	numbers = map[string][]float32{}
	err = s.d.do(func() error {
		for i, t := range s.l.tensors {
			if s.each[i] == 0 {
				continue
			}
			// two numbers below 2²⁴, which float32 has exactly
			numbers[t.Name+stepsName] = []float32{float32(s.each[i] >> 24), float32(s.each[i] & (1<<24 - 1))}
			for m := range s.o.moments() {
				v, err := s.d.download(s.on.bufs[2*i+m], int(t.Shape.Elements()))
				if err != nil {
					return err
				}
				numbers[t.Name+momentNames[m]] = v
			}
		}
		return nil
	})
	return numbers, s.steps, err
}

// Load sets the state to what Host returned.
func (s *OptimizerState) Load(numbers map[string][]float32, steps int64) error {
	known := map[string]bool{}
	var errs []error
	if steps < 0 {
		errs = append(errs, fmt.Errorf("found %d steps", steps))
	}
	each := make([]int64, len(s.each))
	for i, t := range s.l.tensors {
		count, ok := numbers[t.Name+stepsName]
		if !ok {
			continue
		}
		known[t.Name+stepsName] = true
		if len(count) != 2 || !(count[0] >= 0 && count[0] < 1<<24 && count[1] >= 0 && count[1] < 1<<24) {
			errs = append(errs, fmt.Errorf("%q: found %v", t.Name+stepsName, count))
			continue
		}
		each[i] = int64(count[0])<<24 | int64(count[1])
		for m := range s.o.moments() {
			name := t.Name + momentNames[m]
			known[name] = true
			if n := len(numbers[name]); int64(n) != t.Shape.Elements() {
				errs = append(errs, fmt.Errorf("%q: found %d numbers, want %d (%s)", name, n, t.Shape.Elements(), t.Shape))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		if !known[name] {
			errs = append(errs, fmt.Errorf("found %q, which this optimizer of these parameters does not have", name))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("engine: state of the optimizer: %w", errors.Join(errs...))
	}
	return s.d.do(func() error {
		s.on.drop()
		for i, t := range s.l.tensors {
			for m := range s.o.moments() {
				if each[i] == 0 {
					continue
				}
				b, err := s.d.upload(numbers[t.Name+momentNames[m]], dtypes.Float32, s.l.dims(i)...)
				if err != nil {
					return err
				}
				s.on.bufs[2*i+m] = b
			}
		}
		s.steps, s.each = steps, each
		return nil
	})
}

// An updateKey is an update that is compiled: the weights that it changes, by an
// optimizer. The kind of update norm measures the gradient only.
type updateKey struct {
	l       *layout
	touched string
	o       Optimizer
	norm    bool
}

// Step updates the parameters once by a gradient, sets it to zero, and returns its
// Euclidean norm before clipping. Parameters that no network has touched since the
// gradient was zero stay as they are, and so does their momentum. A norm that is not
// finite is a [NonFiniteError], and changes nothing.
func (p *Params) Step(s *OptimizerState, g *Gradient, learningRate float64) (norm float64, err error) {
	if s.l != p.l || g.l != p.l {
		return 0, errors.New("engine: found an optimizer or a gradient of other parameters")
	}
	if !(learningRate >= 0 && learningRate < math.MaxFloat32) {
		return 0, fmt.Errorf("engine: found a learning rate of %g, want at least 0", learningRate)
	}
	d := p.d
	err = d.do(func() error {
		var touched []int
		mark := make([]byte, (len(p.l.tensors)+7)/8)
		for i, b := range g.sum.bufs {
			if b != nil {
				touched = append(touched, i)
				mark[i/8] |= 1 << (i % 8)
			}
		}
		if len(touched) == 0 {
			s.steps++
			return nil
		}
		measure, err := d.update(updateKey{p.l, string(mark), Optimizer{}, true}, touched)
		if err != nil {
			return err
		}
		c := &call{d: d}
		for _, i := range touched {
			c.keep(g.sum.bufs[i])
		}
		out, err := c.run(measure)
		if err != nil {
			return err
		}
		squares, err := d.download(out[0], len(touched))
		freeAll(out)
		if err != nil {
			return err
		}
		sum := 0.0
		for _, x := range squares {
			sum += float64(x)
		}
		norm = math.Sqrt(sum)
		if err := finite("gradient norm", norm); err != nil {
			return err
		}
		change, err := d.update(updateKey{p.l, string(mark), s.o, false}, touched)
		if err != nil {
			return err
		}
		factor := 1.0
		if s.o.Clip > 0 && norm > s.o.Clip {
			factor = s.o.Clip / norm
		}
		c = &call{d: d}
		if err := c.upload(s.knobs(touched, learningRate, factor), dtypes.Float32, 2, 1+len(touched)); err != nil {
			return err
		}
		for _, i := range touched {
			c.keep(p.on.bufs[i])
			c.keep(g.sum.bufs[i])
			for m := range s.o.moments() {
				if s.on.bufs[2*i+m] == nil {
					zero, err := d.upload(make([]float32, p.l.tensors[i].Shape.Elements()), dtypes.Float32, p.l.dims(i)...)
					if err != nil {
						freeAll(c.temp)
						return err
					}
					s.on.bufs[2*i+m] = zero
				}
				c.keep(s.on.bufs[2*i+m])
			}
		}
		if out, err = c.run(change); err != nil {
			return err
		}
		for _, i := range touched {
			p.on.set(i, out[0])
			for m := range s.o.moments() {
				s.on.set(2*i+m, out[1+m])
			}
			out = out[1+s.o.moments():]
			s.each[i]++
		}
		s.steps++
		g.sum.drop()
		return nil
	})
	return norm, err
}

// knobs are the numbers of an update that change from one to the next: the gradient's
// factor and the learning rate, and for each weight of AdamW what undoes the bias of
// its moments.
func (s *OptimizerState) knobs(touched []int, rate, factor float64) []float32 {
	k := make([]float32, 2*(1+len(touched)))
	first, second := k[:1+len(touched)], k[1+len(touched):]
	first[0], second[0] = float32(factor), float32(rate)
	if s.o.Kind == AdamW {
		for j, i := range touched {
			t := float64(s.each[i] + 1)
			first[1+j] = float32(1 / (1 - detmath.Pow(s.o.Beta1, t)))
			second[1+j] = float32(1 / (1 - detmath.Pow(s.o.Beta2, t)))
		}
	}
	return k
}

// update returns a compiled update.
func (d *Device) update(key updateKey, touched []int) (*program, error) {
	if p, ok := d.updates.get(key); ok {
		return p, nil
	}
	w := newWriter(d.b, "update", d.native)
	w.quiet = true
	p := &program{}
	var outs []*tensor
	param := func(i int) *tensor { return w.param(dtypes.Float32, key.l.dims(i)...) }
	if key.norm {
		var squares []*tensor
		for _, i := range touched {
			g := param(i)
			squares = append(squares, w.reshape(w.total(w.mul(g, g)), 1))
		}
		outs = append(outs, w.concat(0, squares...))
	} else {
		knobs := w.param(dtypes.Float32, 2, 1+len(touched))
		knob := func(row, at int) *tensor {
			return w.reshape(w.slice(knobs, []int{row, at}, []int{row + 1, at + 1}, nil))
		}
		factor, rate := knob(0, 0), knob(1, 0)
		for j, i := range touched {
			x, g := param(i), w.mul(param(i), factor)
			decay := key.o.WeightDecay
			if key.l.tensors[i].Shape.Axes() < 2 {
				decay = 0
			}
			if key.o.Kind == AdamW {
				m, v := param(i), param(i)
				if decay > 0 {
					x = w.sub(x, w.mul(x, w.scale(rate, decay)))
				}
				m = w.add(w.scale(m, key.o.Beta1), w.scale(g, 1-key.o.Beta1))
				v = w.add(w.scale(v, key.o.Beta2), w.scale(w.mul(g, g), 1-key.o.Beta2))
				root := w.shift(w.unary(w.f.Sqrt, w.mul(v, knob(1, 1+j))), key.o.Epsilon)
				x = w.sub(x, w.div(w.mul(m, w.mul(rate, knob(0, 1+j))), root))
				outs = append(outs, x, m, v)
				continue
			}
			if decay > 0 {
				g = w.add(g, w.scale(x, decay))
			}
			if key.o.Momentum == 0 {
				outs = append(outs, w.sub(x, w.mul(g, rate)))
				continue
			}
			m := w.add(w.scale(param(i), key.o.Momentum), g)
			by := m
			if !key.o.Plain {
				by = w.add(g, w.scale(m, key.o.Momentum))
			}
			outs = append(outs, w.sub(x, w.mul(by, rate)), m)
		}
	}
	if err := w.finish(p, outs); err != nil {
		return nil, fmt.Errorf("engine: update: %w", err)
	}
	d.updates.put(key, p)
	return p, nil
}
