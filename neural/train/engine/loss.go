package engine

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/neural"
)

// A NonFiniteError is a loss or a gradient that is infinite or not a number.
// Parameters are as they were before.
type NonFiniteError struct {
	What  string // "loss" or "gradient norm"
	Value float64
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("engine: the %s is %g; a smaller learning rate, clipping or inputs of unit variance may help", e.What, e.Value)
}

func finite(what string, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return &NonFiniteError{what, x}
	}
	return nil
}

// A target is which parts a loss has.
type target struct{ classes, teacher, numbers bool }

func (l Loss) check() error {
	var errs []error
	for _, f := range []struct {
		name      string
		x, lo, hi float64
	}{
		{"smoothing", l.Smoothing, 0, 1}, {"labels", l.Labels, 0, math.MaxFloat32},
		{"imitate", l.Imitate, 0, math.MaxFloat32}, {"temperature", l.Temperature, 0, math.MaxFloat32},
	} {
		if !(f.x >= f.lo && f.x <= f.hi) {
			errs = append(errs, fmt.Errorf("loss: %s: found %g, want %g to %g", f.name, f.x, f.lo, f.hi))
		}
	}
	return errors.Join(errs...)
}

// A demand is a batch and a loss that have been checked against a network.
type demand struct {
	*Batch
	target
	rows, classes int // of the output: places of all examples, and numbers at each
	counted       int // rows whose class counts
	loss          Loss
}

// numbersOf returns how many numbers an input or output has for all examples.
func numbersOf(n int, s neural.Shape) int { return n * int(s.Elements()) }

// checkInputs reports inputs that a network cannot be given.
func checkInputs(g *neural.Graph, inputs []int, b *Batch) error {
	if b == nil || b.N < 1 {
		return errors.New("found a batch without examples")
	}
	if len(b.Inputs) != len(inputs) {
		return fmt.Errorf("found %d inputs, want %d", len(b.Inputs), len(inputs))
	}
	var errs []error
	for k, i := range inputs {
		n := g.Node(i)
		o := n.Op.(neural.Input)
		if got, want := len(b.Inputs[k]), numbersOf(b.N, n.Shape); got != want {
			errs = append(errs, fmt.Errorf("input %q: found %d numbers, want %d (%d examples of %s)", n.Name, got, want, b.N, n.Shape))
			continue
		}
		if o.Below > 0 {
			for j, x := range b.Inputs[k] {
				if !(x >= 0 && x < float32(o.Below) && x == float32(int(x))) {
					errs = append(errs, fmt.Errorf("input %q: found %g as number %d, want a whole number below %d", n.Name, x, j+1, o.Below))
					break
				}
			}
		}
	}
	return errors.Join(errs...)
}

// demand checks what a batch wants of the only output. A batch without anything to
// compare with is for inference.
func (p *plan) demand(b *Batch, l Loss) (*demand, error) {
	if err := errors.Join(l.check(), checkInputs(p.g, p.inputs, b)); err != nil {
		return nil, err
	}
	outs := p.g.Outputs()
	if len(outs) != 1 {
		return nil, fmt.Errorf("found a network of %d outputs, want 1", len(outs))
	}
	s := p.g.Node(outs[0]).Shape
	r := &demand{Batch: b, rows: b.N * int(s.Places()), classes: s.Features(), loss: l}
	r.target = target{classes: b.Classes != nil, numbers: b.Targets != nil, teacher: b.Teacher != nil && l.Imitate > 0}
	if r.counted = r.rows; r.loss.Imitate == 0 {
		r.loss.Labels = 1
	}
	if r.loss.Temperature == 0 {
		r.loss.Temperature = 1
	}
	if r.target.classes && r.target.numbers || r.target.numbers && l.Imitate > 0 {
		return nil, errors.New("found targets together with classes or a teacher, want either")
	}
	if l.Imitate > 0 && !r.target.teacher {
		return nil, errors.New("found a loss that imitates, but no teacher in the batch")
	}
	if all := r.rows * r.classes; r.target.numbers && len(b.Targets) != all || r.target.teacher && len(b.Teacher) != all {
		return nil, fmt.Errorf("found %d targets and %d numbers of the teacher, want %d (%d examples of %s)", len(b.Targets), len(b.Teacher), all, b.N, s)
	}
	if r.target.classes {
		if len(b.Classes) != r.rows {
			return nil, fmt.Errorf("found %d classes, want %d, one for each example or token", len(b.Classes), r.rows)
		}
		r.counted = 0
		for i, c := range b.Classes {
			if c < -1 || int(c) >= r.classes {
				return nil, fmt.Errorf("found class %d as number %d, want one below %d, or −1 for what does not count", c, i+1, r.classes)
			}
			if c >= 0 {
				r.counted++
			}
		}
		if r.counted == 0 {
			return nil, errors.New("found no class that counts, only −1")
		}
	}
	return r, nil
}

// weights is the share of each row in the mean.
func (r *demand) weights() []float32 {
	w := make([]float32, r.rows)
	for i := range w {
		if !r.target.classes || r.Classes[i] >= 0 {
			w[i] = 1 / float32(r.counted)
		}
	}
	return w
}

// knobs are the numbers of a loss that change without another computation: the
// weights of labels and teacher, what smoothing leaves to the label and gives to every
// class, and one over the temperature.
func (r *demand) knobs() []float32 {
	t := r.loss.Temperature
	return []float32{float32(r.loss.Labels), float32(r.loss.Imitate * t * t), float32(1 - r.loss.Smoothing), float32(r.loss.Smoothing / float64(r.classes)), float32(1 / t)}
}

// writeLoss writes the loss of the output and its gradient. Weights, classes, knobs,
// teacher and targets are inputs of the computation; those that are not used are nil.
func (w *writer) writeLoss(out, weights, classes, knobs, teacher, targets *tensor) (loss, d *tensor) {
	w.quiet = true
	if targets != nil {
		diff := w.sub(out, targets)
		n := 1.0
		for _, k := range out.dims {
			n *= float64(k)
		}
		return w.scale(w.total(w.mul(diff, diff)), 1/n), w.scale(diff, 2/n)
	}
	features := out.last()
	rows := weights.dims[0]
	z := w.reshape(out, rows, features)
	knob := func(i int) *tensor { return w.reshape(w.part(knobs, 0, i, i+1)) }
	weights = w.reshape(weights, rows, 1)
	if classes != nil {
		kind := shapes.Make(dtypes.Int32, rows, features)
		var v compute.Value
		if w.err == nil {
			var err error
			if v, err = w.f.Iota(kind, 1); err != nil {
				w.err = err
			}
		}
		hot := w.float(w.binary(w.f.Equal, &tensor{v: v, dims: kind.Dimensions}, w.spread32(w.reshape(classes, rows, 1), features)))
		share := w.mul(weights, knob(0))
		want := w.mul(w.add(w.mul(hot, knob(2)), knob(3)), share)
		p, logs := w.logSoftmax(z)
		loss = w.unary(w.f.Neg, w.total(w.mul(want, logs)))
		d = w.sub(w.mul(p, share), want)
	}
	if teacher != nil {
		share := w.mul(weights, knob(1))
		q, _ := w.logSoftmax(w.mul(w.reshape(teacher, rows, features), knob(4)))
		p, logs := w.logSoftmax(w.mul(z, knob(4)))
		soft := w.unary(w.f.Neg, w.total(w.mul(w.mul(q, logs), share)))
		back := w.mul(w.sub(p, q), w.mul(share, knob(4)))
		if loss == nil {
			loss, d = soft, back
		} else {
			loss, d = w.add(loss, soft), w.add(d, back)
		}
	}
	return loss, w.reshape(d, out.dims...)
}

// spread32 repeats whole numbers along the last axis.
func (w *writer) spread32(x *tensor, n int) *tensor {
	d := []int{x.dims[0], n}
	if w.err != nil {
		return &tensor{dims: d}
	}
	v, err := w.f.BroadcastInDim(x.v, shapes.Make(dtypes.Int32, d...), []int{0, 1})
	return w.is(v, err, d...)
}

func (w *writer) total(x *tensor) *tensor { return w.sum(x, count(0, len(x.dims))...) }

// logSoftmax is the softmax of the last axis, and its logarithm.
func (w *writer) logSoftmax(z *tensor) (p, logs *tensor) {
	z = w.sub(z, w.maxLast(z))
	e := w.exp(z)
	sum := w.sumLast(e)
	return w.div(e, sum), w.sub(z, w.unary(w.f.Log, sum))
}

// score is what outputs come to. The loss is the plain one, if it is wanted.
func (r *demand) score(outputs []float32, loss bool) (s Score) {
	s.Outputs = outputs
	switch {
	case r.target.numbers:
		s.Count = r.N
		if !loss {
			break
		}
		for i, y := range outputs {
			e := float64(y) - float64(r.Targets[i])
			s.Loss += float64(e * e)
		}
		s.Loss /= float64(len(outputs))
	case r.target.classes:
		for i, c := range r.Classes {
			if c < 0 {
				continue
			}
			row := outputs[i*r.classes:][:r.classes]
			best := 0
			for k, v := range row {
				if v > row[best] {
					best = k
				}
			}
			if s.Count++; best == int(c) {
				s.Correct++
			}
			if loss {
				sum := 0.0
				for _, v := range row {
					sum += detmath.Exp(float64(v) - float64(row[best]))
				}
				s.Loss += detmath.Log(sum) + float64(row[best]) - float64(row[c])
			}
		}
		s.Loss /= float64(s.Count)
	}
	return s
}
