package infer

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// Options say how a network is computed. The zero value is one example by one thread.
type Options struct {
	Batch   int // examples of a run; 0 means 1
	Threads int // 0 means 1
	// BatchStatistics makes batch normalisation use the mean and variance of the batch
	// instead of the running ones, as in training.
	BatchStatistics bool
	// Keep names nodes whose results [Network.Trace] returns. They are not computed
	// together with others.
	Keep    []string
	KeepAll bool // keeps every node
	// Watch, if not nil, is called by Run for each of the nodes Watched, if an output depends
	// on it, when its result is there: of all examples, one after the other, images
	// height×width×channels. It must neither keep nor change x.
	Watch   func(node int, x []float32)
	Watched []int
}

// Instructions names the vector instructions that are used: "AVX-512", "AVX2" or "none".
func Instructions() string { return kernel.Instructions() }

// A Network computes outputs. It is not safe for concurrent use.
type Network struct {
	g       *neural.Graph
	batch   int
	pool    *kernel.Pool
	steps   []step
	inputs  []port
	outputs []port
	results [][]float32
	kept    map[string]port
	norms   map[int][2][]float32 // means and variances of batches
	numbers int
	fault   *error // of a step
}

// A Step is what is computed at one time.
type Step struct {
	Node  string   // whose result it is
	Kind  string   // what computes it: "conv", "depthwise", "matmul", "batchnorm", …
	Op    string   // the operator that gives it its name, such as "conv 3×3 /2"
	Fused []string // nodes that are computed with it, in their order; Node is the last of them, if there are any
	In    []neural.Shape
	Shape neural.Shape
	MACs  int64 // of an example
}

type step struct {
	Step
	run func()
}

// port is a value at the boundary.
type port struct {
	*buffer
	name   string
	shape  neural.Shape
	below  int       // of an input
	turned []float32 // room for images in the graph's order, if theirs is another
}

// order says how an image lies in memory: pixels×channels inside, channels×pixels
// outside.
func (p *port) order() (channels, pixels int, differ bool) {
	if !p.shape.Image() {
		return 0, 0, false
	}
	channels, pixels = p.shape[0], p.shape[1]*p.shape[2]
	return channels, pixels, channels > 1 && pixels > 1
}

// Run computes the outputs of a batch. Inputs and outputs are in the graph's order,
// those of the examples one after the other. What it returns is overwritten by the next
// call.
func (n *Network) Run(inputs ...[]float32) ([][]float32, error) {
	if err := n.take(inputs); err != nil {
		return nil, err
	}
	*n.fault = nil
	for i := range n.steps {
		n.steps[i].run()
	}
	if *n.fault != nil {
		return nil, fmt.Errorf("infer: %w", *n.fault)
	}
	for i := range n.outputs {
		n.results[i] = n.give(&n.outputs[i])
	}
	return n.results, nil
}

func (n *Network) take(inputs [][]float32) error {
	if len(inputs) != len(n.inputs) {
		return fmt.Errorf("infer: network %q: found %d inputs, want %d", n.g.Name(), len(inputs), len(n.inputs))
	}
	for i := range n.inputs {
		p, x := &n.inputs[i], inputs[i]
		if want := n.batch * int(p.shape.Elements()); len(x) != want {
			return fmt.Errorf("infer: input %q: found %d numbers, want %d (%d × %s)", p.name, len(x), want, n.batch, p.shape)
		}
		if p.below > 0 {
			for k, v := range x {
				if !(v >= 0 && v < float32(p.below) && v == float32(math.Floor(float64(v)))) {
					return fmt.Errorf("infer: input %q: found %g as number %d, want a whole number below %d", p.name, v, k+1, p.below)
				}
			}
		}
		if channels, pixels, differ := p.order(); differ {
			kernel.Transpose(n.pool, p.data, x, n.batch, channels, pixels)
		} else {
			copy(p.data, x)
		}
	}
	return nil
}

// give returns a value in the graph's order.
func (n *Network) give(p *port) []float32 {
	channels, pixels, differ := p.order()
	if !differ {
		return p.data
	}
	kernel.Transpose(n.pool, p.turned, p.data, n.batch, pixels, channels)
	return p.turned
}

// Trace returns copies of the results of nodes at the last run, in the graph's order.
// They must be among Options.Keep.
func (n *Network) Trace(names ...string) ([][]float32, error) {
	var out [][]float32
	for _, name := range names {
		p, ok := n.kept[name]
		if !ok {
			if n.g.Find(name) < 0 {
				return nil, fmt.Errorf("infer: network %q has no node %q", n.g.Name(), name)
			}
			return nil, fmt.Errorf("infer: the result of node %q was not kept; name it in Options.Keep", name)
		}
		if _, _, differ := p.order(); differ {
			p.turned = make([]float32, len(p.data))
		}
		out = append(out, slices.Clone(n.give(&p)))
	}
	return out, nil
}

// BatchStatistics returns the mean and the variance of what a batch normalisation was given
// in the last run, with Options.BatchStatistics; nil of other nodes. The next run
// overwrites them.
func (n *Network) BatchStatistics(node int) (mean, variance []float32) {
	s := n.norms[node]
	return s[0], s[1]
}

// Steps returns what is computed, in its order.
func (n *Network) Steps() []Step {
	all := make([]Step, len(n.steps))
	for i, s := range n.steps {
		all[i] = s.Step
	}
	return all
}

// Bytes is how much memory the results take, which share it.
func (n *Network) Bytes() int64 { return int64(4 * n.numbers) }

// A Timing is how long a step takes.
type Timing struct {
	Step
	MinMS, MedianMS float64
}

// Profile runs the network some times, at least once, and says how long each step took.
func (n *Network) Profile(runs int, inputs ...[]float32) ([]Timing, error) {
	runs = max(runs, 1)
	took := make([][]float64, len(n.steps))
	for range runs {
		if err := n.take(inputs); err != nil { // what is computed in place begins anew
			return nil, err
		}
		for i := range n.steps {
			start := time.Now()
			n.steps[i].run()
			took[i] = append(took[i], float64(time.Since(start))/float64(time.Millisecond))
		}
	}
	all := make([]Timing, len(n.steps))
	for i, s := range n.steps {
		slices.Sort(took[i])
		all[i] = Timing{Step: s.Step, MinMS: took[i][0], MedianMS: took[i][runs/2]}
	}
	return all, nil
}

// Close ends the threads. Networks of one thread need not be closed.
func (n *Network) Close() { n.pool.Close() }
