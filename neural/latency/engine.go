package latency

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/latency/ort"
	"github.com/daedalus-search/daedalus/neural/onnx"
)

// Options say how networks are run. What is measured with some options says
// nothing about others.
type Options struct {
	Batch   int // examples in a run; 0 means 1
	Threads int // that compute one network together; 0 means 1
}

func (o Options) full() (Options, error) {
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Batch < 1 || o.Batch > 1<<20 || o.Threads < 1 || o.Threads > 1<<10 {
		return o, fmt.Errorf("found a batch of %d on %d threads, want 1 to %d and 1 to %d", o.Batch, o.Threads, 1<<20, 1<<10)
	}
	return o, nil
}

// An Engine makes networks ready to run on this machine.
type Engine interface {
	// Name is what the engine is and its version, such as "onnxruntime 1.23.2".
	// What changes how fast it is changes its name.
	Name() string
	// Compile makes a network ready. The engine may leave out what changes no output
	// and multiply batch normalisation into what is before it.
	Compile(g *neural.Graph, w neural.Weights, o Options) (Runner, error)
}

// A Runner is a network that is ready to run.
type Runner interface {
	// Run computes the outputs of a batch of examples, one after the other in every
	// input and output. The outputs are good until the next call. With one thread
	// it computes on that of the caller.
	Run(inputs [][]float32) ([][]float32, error)
	Close() error
}

// onnxRuntime is the engine of package ort.
type onnxRuntime struct{ rt *ort.Runtime }

// ONNXRuntime returns ONNX Runtime as an engine. The path is that of its library,
// for which see [ort.Open].
func ONNXRuntime(path string) (Engine, error) {
	rt, err := ort.Open(path)
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	return onnxRuntime{rt}, nil
}

func (e onnxRuntime) Name() string { return "onnxruntime " + e.rt.Version() }

func (e onnxRuntime) Compile(g *neural.Graph, w neural.Weights, o Options) (Runner, error) {
	o, err := o.full()
	if err != nil {
		return nil, fmt.Errorf("latency: network %q: %w", g.Name(), err)
	}
	file, err := onnx.Marshal(g.Simplify(), w, onnx.Options{FoldBatchNorm: true})
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	s, err := e.rt.Session(file, ort.Options{Batch: o.Batch, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("latency: network %q: %w", g.Name(), err)
	}
	return s, nil
}
