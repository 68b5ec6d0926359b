package engine

import (
	"errors"
	"fmt"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
)

// Noise are the random choices of a training step.
type Noise struct {
	Seed uint64  // of dropout and drop-path masks
	Drop float64 // what the rates of dropout and drop-path are multiplied with
}

// rate is the share that noise k drops, and its node.
func (p *plan) rate(k int, noise Noise) (rate float64, n neural.Node) {
	n = p.g.Node(p.noises[k])
	switch o := n.Op.(type) {
	case neural.Dropout:
		rate = o.Rate
	case neural.DropPath:
		rate = o.Rate
	}
	return rate * noise.Drop, n
}

// checkNoise reports rates out of bounds, and whether anything is dropped at all.
func (p *plan) checkNoise(noise Noise) (noisy bool, err error) {
	var errs []error
	for k := range p.noises {
		rate, n := p.rate(k, noise)
		if !(rate >= 0 && rate < 1) {
			errs = append(errs, &neural.NodeError{Node: n.Name, Op: n.Op.String(), Err: fmt.Errorf("found a rate of %g, with the noise's factor of %g, want at least 0 and below 1", rate, noise.Drop)})
		}
		noisy = noisy || rate > 0
	}
	return noisy, errors.Join(errs...)
}

// maskDims are the axes of a mask: dropout drops numbers, drop-path examples.
func (p *plan) maskDims(k, batch int) []int {
	n := p.g.Node(p.noises[k])
	d := dims(batch, n.Shape)
	if _, ok := n.Op.(neural.DropPath); ok {
		for i := range d[1:] {
			d[1+i] = 1
		}
	}
	return d
}

// mask is 0 for what is dropped and 1/(1−rate) for the rest. Every node has its own
// stream, so that a node of one name drops the same in two networks.
func (p *plan) mask(k, batch int, noise Noise) []float32 {
	rate, n := p.rate(k, noise)
	size := 1
	for _, d := range p.maskDims(k, batch) {
		size *= d
	}
	m := make([]float32, size)
	kept := float32(1 / (1 - rate))
	limit := uint32(rate * (1 << 32))
	r := rng.New(noise.Seed, "drop/"+n.Name, 0)
	for i := 0; i < size; i += 2 {
		u := r.Uint64()
		if uint32(u) >= limit {
			m[i] = kept
		}
		if i+1 < size && uint32(u>>32) >= limit {
			m[i+1] = kept
		}
	}
	return m
}
