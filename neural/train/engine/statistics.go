package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/daedalus-search/daedalus/neural"
)

// statistics are the means and variances of a network's normalisations.
type statistics struct {
	host [][]float32 // mean and variance of each, in the order of plan.norms
	on   *buffers
}

func (n *Net) setStatistics(host [][]float32) error {
	s := &statistics{host: host, on: n.p.d.buffers(len(host))}
	for i, v := range host {
		b, err := n.p.d.upload(v, dtypes.Float32, len(v))
		if err != nil {
			s.on.drop()
			return err
		}
		s.on.bufs[i] = b
	}
	if n.norm != nil {
		n.norm.on.drop()
	}
	runtime.AddCleanup(s, (*buffers).free, s.on)
	n.norm = s
	return nil
}

// SetStatistics sets the means and variances of the network's normalisations to those
// of w, such as [Net.Weights] returned.
func (n *Net) SetStatistics(w neural.Weights) error {
	var host [][]float32
	var errs []error
	for _, i := range n.e.plan.norms {
		for _, t := range n.e.plan.g.Weights(i) {
			if !t.State {
				continue
			}
			v := w[t.Name]
			if int64(len(v)) != t.Shape.Elements() {
				errs = append(errs, fmt.Errorf("weight %q: found %d numbers, want %d (%s)", t.Name, len(v), t.Shape.Elements(), t.Shape))
			}
			host = append(host, slices.Clone(v))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("engine: network %q: %w", n.e.plan.g.Name(), errors.Join(errs...))
	}
	return n.p.d.do(func() error { return n.setStatistics(host) })
}

// Recalibrate sets the means and variances of the network's normalisations to those
// over all these batches together: of what enters each layer when all layers before it
// normalise batch by batch, as in training. Each batch is computed once; its means
// and variances are pooled in float64, weighted by examples:
//
//	mean = Σ nᵢ·meanᵢ / Σ nᵢ
//	variance = Σ nᵢ·(varianceᵢ + (meanᵢ − mean)²) / Σ nᵢ
//
// For one batch inference is then what training computed, dropping aside; for several it
// is their exact statistics layer by layer, but not a fixed point: a layer after
// another has seen that one's batches, not its pooled statistics. They belong to the
// network, not to the parameters.
func (n *Net) Recalibrate(batches ...*Batch) error {
	p := n.e.plan
	var errs []error
	for i, b := range batches {
		if err := checkInputs(p.g, p.inputs, b); err != nil {
			errs = append(errs, fmt.Errorf("batch %d: %w", i+1, err))
		}
	}
	if len(batches) == 0 && len(p.norms) > 0 {
		errs = append(errs, errors.New("found no batches"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("engine: network %q: %w", p.g.Name(), errors.Join(errs...))
	}
	if len(p.norms) == 0 {
		return nil
	}
	return n.p.d.do(func() error {
		each := make([][][]float32, len(batches))
		for i, b := range batches {
			_, out, err := n.run(variant{mode: measuring, batch: b.N}, &demand{Batch: b}, Noise{}, nil)
			if err != nil {
				return err
			}
			defer freeAll(out)
			for k, o := range out {
				v, err := n.p.d.download(o, p.g.Node(p.norms[k/2]).Shape.Features())
				if err != nil {
					return err
				}
				each[i] = append(each[i], v)
			}
		}
		host, err := pool(batches, each)
		if err != nil {
			return fmt.Errorf("engine: network %q: %w", p.g.Name(), err)
		}
		return n.setStatistics(host)
	})
}

// pool joins the means and variances of batches, which alternate.
func pool(batches []*Batch, each [][][]float32) ([][]float32, error) {
	total := 0.0
	for _, b := range batches {
		total += float64(b.N)
	}
	host := make([][]float32, len(each[0]))
	for k := range host {
		host[k] = make([]float32, len(each[0][k]))
	}
	for k := 0; k < len(host); k += 2 {
		for c := range host[k] {
			mean, variance := 0.0, 0.0
			for i, b := range batches {
				mean += float64(float64(b.N) * float64(each[i][k][c]))
			}
			mean /= total
			for i, b := range batches {
				off := float64(each[i][k][c]) - mean
				variance += float64(float64(b.N) * (float64(each[i][k+1][c]) + float64(off*off)))
			}
			variance /= total
			host[k][c], host[k+1][c] = float32(mean), float32(variance)
			if err := errors.Join(finite("mean of a normalisation", mean), finite("variance of a normalisation", variance)); err != nil {
				return nil, err
			}
		}
	}
	return host, nil
}

// ready reports a network without statistics.
func (n *Net) ready() error {
	if len(n.e.plan.norms) > 0 && n.norm == nil {
		return fmt.Errorf("engine: network %q: its normalisations have no statistics; recalibrate it first", n.e.plan.g.Name())
	}
	return nil
}

// Forward computes all outputs as at inference. It fails if the network has
// normalisations and was never recalibrated. Of the batch only the inputs count.
func (n *Net) Forward(b *Batch) (outputs [][]float32, err error) {
	p := n.e.plan
	if err := n.ready(); err != nil {
		return nil, err
	}
	if err := checkInputs(p.g, p.inputs, b); err != nil {
		return nil, fmt.Errorf("engine: network %q: %w", p.g.Name(), err)
	}
	return outputs, n.p.d.do(func() error {
		_, out, err := n.run(variant{mode: inference, batch: b.N}, &demand{Batch: b}, Noise{}, nil)
		if err != nil {
			return err
		}
		defer freeAll(out)
		for k, i := range p.g.Outputs() {
			v, err := n.p.d.download(out[k], numbersOf(b.N, p.g.Node(i).Shape))
			if err != nil {
				return err
			}
			outputs = append(outputs, v)
		}
		return nil
	})
}

// Evaluate computes the network as at inference. It fails if the network has
// normalisations and was never recalibrated. The score's loss is the plain one.
func (n *Net) Evaluate(b *Batch) (Score, error) {
	r, err := n.e.plan.demand(b, Loss{})
	if err != nil {
		return Score{}, fmt.Errorf("engine: network %q: %w", n.e.plan.g.Name(), err)
	}
	out, err := n.Forward(b)
	if err != nil {
		return Score{}, err
	}
	return r.score(out[0], true), nil
}

// Weights returns the network's own weights as they are now, with its statistics: what
// is exported. It fails as [Net.Evaluate] does without statistics.
func (n *Net) Weights() (neural.Weights, error) {
	if err := n.ready(); err != nil {
		return nil, err
	}
	p := n.e.plan
	w := neural.Weights{}
	for k, i := range p.norms {
		at := 2 * k
		for _, t := range p.g.Weights(i) {
			if t.State {
				w[t.Name] = slices.Clone(n.norm.host[at])
				at++
			}
		}
	}
	return w, n.p.d.do(func() error {
		for i, node := range p.g.Nodes() {
			tensors := p.g.Weights(i)
			for j, k := range p.weights[i] {
				v, err := n.part(k)
				if err != nil {
					return err
				}
				_, conv := node.Op.(neural.Conv)
				if p.matrices[i] != nil && j == 0 {
					var matrices [][]float32
					for _, m := range p.matrices[i] {
						x, err := n.part(m)
						if err != nil {
							return err
						}
						matrices = append(matrices, x)
					}
					v = shrinkHost(v, p.uses[k].part.dims[0], tensors[j].Shape[2], matrices)
				}
				w[tensors[j].Name] = toHost(v, tensors[j].Shape, conv && j == 0)
			}
		}
		return nil
	})
}

// part returns the numbers of a use.
func (n *Net) part(k int) ([]float32, error) {
	u := n.e.plan.uses[k]
	whole, err := n.p.d.download(n.p.on.bufs[u.index], int(n.p.l.tensors[u.index].Shape.Elements()))
	if err != nil {
		return nil, err
	}
	size := 1
	for _, d := range u.part.dims {
		size *= d
	}
	v := make([]float32, size)
	u.part.rows(func(from, to, n int) { copy(v[to:][:n], whole[from:]) })
	return v, nil
}
