package latency

import (
	"fmt"
	"runtime"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
)

// goVersion is raised when networks of package infer become faster or slower, so that
// tables which were measured before are not taken for those of today.
const goVersion = 1

// goInference is the engine of package infer.
type goInference struct{}

// Go returns this module's own inference as an engine. It needs nothing installed,
// and is several times faster in programs that are built with GOEXPERIMENT=simd.
func Go() Engine { return goInference{} }

func (goInference) Name() string {
	return fmt.Sprintf("daedalus inference %d (%s, vector instructions: %s)", goVersion, runtime.Version(), infer.Instructions())
}

type goRun struct{ *infer.Network }

func (goInference) Compile(g *neural.Graph, w neural.Weights, o Options) (Runner, error) {
	o, err := o.full()
	if err != nil {
		return nil, fmt.Errorf("latency: network %q: %w", g.Name(), err)
	}
	n, err := infer.Compile(g.Simplify(), w, infer.Options{Batch: o.Batch, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	return goRun{n}, nil
}

func (r goRun) Run(inputs [][]float32) ([][]float32, error) { return r.Network.Run(inputs...) }

func (r goRun) Close() error {
	r.Network.Close()
	return nil
}
