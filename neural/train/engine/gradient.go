package engine

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural"
)

// A Batch is examples.
type Batch struct {
	N      int
	Inputs [][]float32 // for each input of the network, N examples; images height×width×channels
	// What the outputs should be: classes, of which there are N, or N·tokens for
	// networks that classify every token, with −1 for what does not count; or numbers
	// of the output's shape.
	Classes []int32
	Targets []float32
	Teacher []float32 // logits of another network to imitate, of the output's shape
}

// Part returns the examples from one up to another, which share memory with the batch.
func (b *Batch) Part(from, to int) *Batch {
	p := &Batch{
		N: to - from, Classes: part(b.Classes, b.N, from, to), Targets: part(b.Targets, b.N, from, to), Teacher: part(b.Teacher, b.N, from, to),
	}
	for _, x := range b.Inputs {
		p.Inputs = append(p.Inputs, part(x, b.N, from, to))
	}
	return p
}

// part returns what belongs to some of n examples.
func part[T any](x []T, n, from, to int) []T {
	if x == nil {
		return nil
	}
	each := len(x) / n
	return x[from*each : to*each : to*each]
}

// A Loss says what is minimised: the mean over examples (or tokens that count) of
//
//	Labels·CE(classes, smoothed) + Imitate·CE(softmax(teacher/T), softmax(logits/T))·T²
//
// for batches with classes, and the mean squared error, over all examples and numbers,
// for batches with targets. A batch with neither is for its teacher alone.
type Loss struct {
	Smoothing   float64 // of labels (Szegedy et al. 2016)
	Labels      float64 // weight of the labels; ignored where Imitate is 0: then it is 1
	Imitate     float64 // weight of the teacher (Hinton et al. 2015)
	Temperature float64 // 0 means 1
}

// A Score is what a batch came to.
type Score struct {
	Loss    float64   // mean
	Correct int       // examples (or tokens) whose class has the largest logit
	Count   int       // of how many
	Outputs []float32 // of the network's only output: logits or numbers; images height×width×channels
}

// A Gradient accumulates the gradients of parameters.
type Gradient struct {
	d   *Device
	l   *layout
	sum *buffers // nil where no network has added anything
}

// NewGradient returns a gradient of zeros.
func (p *Params) NewGradient() (*Gradient, error) {
	g := &Gradient{p.d, p.l, p.d.buffers(len(p.l.tensors))}
	runtime.AddCleanup(g, (*buffers).free, g.sum)
	return g, nil
}

// Free frees the arrays now instead of when the garbage collector finds them.
func (g *Gradient) Free() { g.sum.free() }

// Host returns a copy in the order of the graph's shapes.
func (g *Gradient) Host() (neural.Weights, error) {
	w := neural.Weights{}
	return w, g.d.do(func() error {
		for i, t := range g.l.tensors {
			if t.State {
				continue
			}
			v := make([]float32, t.Shape.Elements())
			if b := g.sum.bufs[i]; b != nil {
				if err := b.ToFlatData(v); err != nil {
					return g.d.mapError(err)
				}
			}
			w[t.Name] = toHost(v, t.Shape, g.l.kernel[i])
		}
		return nil
	})
}

// Zero sets the gradient to zero.
func (g *Gradient) Zero() error {
	return g.d.do(func() error { g.sum.drop(); return nil })
}

// zeros puts zeros where a network will add to and nothing is yet, and returns what takes
// them away again. A gradient that is whole needs none, where memory is shared: it
// becomes the sum.
func (g *Gradient) zeros(p *plan) (undo func(), err error) {
	var fresh []int
	undo = func() {
		for _, i := range fresh {
			g.sum.set(i, nil)
		}
	}
	for _, k := range p.learned {
		u := p.uses[k]
		if g.sum.bufs[u.index] != nil || g.d.shared && u.part.all() {
			continue
		}
		b, err := g.d.upload(make([]float32, g.l.tensors[u.index].Shape.Elements()), dtypes.Float32, g.l.dims(u.index)...)
		if err != nil {
			undo()
			return nil, err
		}
		g.sum.bufs[u.index] = b
		fresh = append(fresh, u.index)
	}
	return undo, nil
}

// add adds the gradient of a part of weight i, which it takes.
func (g *Gradient) add(i int, part box, b compute.Buffer) error {
	if !g.d.shared || g.sum.bufs[i] == nil && part.all() { // the sum itself, or the first of it
		g.sum.set(i, b)
		return nil
	}
	defer b.Finalize()
	to, err := flat(g.sum.bufs[i])
	if err != nil {
		return g.d.mapError(err)
	}
	from, err := flat(b)
	if err != nil {
		return g.d.mapError(err)
	}
	part.rows(func(whole, at, n int) {
		row := to[whole:][:n]
		for k, x := range from[at:][:n] {
			row[k] += x
		}
	})
	return nil
}

// flat is the memory of an array.
func flat(b compute.Buffer) ([]float32, error) {
	v, err := b.Data()
	if err != nil {
		return nil, err
	}
	f, ok := v.([]float32)
	if !ok {
		return nil, fmt.Errorf("found an array of %T", v)
	}
	return f, nil
}

// Gradient computes the network as in training, with the statistics of the batch
// and exact gradients through them, and adds its gradient to into. A loss that is not
// finite is a [NonFiniteError], and nothing is added.
func (n *Net) Gradient(b *Batch, l Loss, noise Noise, into *Gradient) (s Score, err error) {
	p, d := n.e.plan, n.p.d
	r, err := p.demand(b, l)
	if err == nil && r.target == (target{}) {
		err = errors.New("found a batch with nothing to compare with: no classes, targets or teacher")
	}
	if err == nil && into.l != n.p.l {
		err = errors.New("found a gradient of other parameters")
	}
	noisy, noiseErr := p.checkNoise(noise)
	if err := errors.Join(err, noiseErr); err != nil {
		return Score{}, fmt.Errorf("engine: network %q: %w", p.g.Name(), err)
	}
	err = d.do(func() (err error) {
		undo, err := into.zeros(p)
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				undo()
			}
		}()
		v := variant{mode: training, batch: b.N, target: r.target, noisy: noisy}
		_, out, err := n.run(v, r, noise, into.sum)
		if err != nil {
			return err
		}
		defer func() { freeAll(out) }()
		loss, err := d.download(out[0], 1)
		if err != nil {
			return err
		}
		if err := finite("loss", float64(loss[0])); err != nil {
			return err
		}
		outputs, err := d.download(out[1], r.rows*r.classes)
		if err != nil {
			return err
		}
		s = r.score(outputs, false)
		s.Loss = float64(loss[0])
		for j, k := range p.learned {
			got := out[2+j]
			out[2+j] = nil
			if err := into.add(p.uses[k].index, p.uses[k].part, got); err != nil {
				return err
			}
		}
		return nil
	})
	return s, err
}

// InputGradient returns the gradient of the sum of all outputs by the first input, with
// the statistics of the batch.
func (n *Net) InputGradient(b *Batch) (v []float32, err error) {
	p := n.e.plan
	if err := checkInputs(p.g, p.inputs, b); err != nil {
		return nil, fmt.Errorf("engine: network %q: %w", p.g.Name(), err)
	}
	return v, n.p.d.do(func() error {
		_, out, err := n.run(variant{mode: reacting, batch: b.N}, &demand{Batch: b}, Noise{}, nil)
		if err != nil {
			return err
		}
		defer freeAll(out)
		v, err = n.p.d.download(out[0], len(b.Inputs[0]))
		return err
	})
}
