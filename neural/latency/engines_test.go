package latency_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/latency"
	"github.com/daedalus-search/daedalus/neural/latency/ort"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// engines are those that are at hand.
func engines(t testing.TB) (all []latency.Engine) {
	t.Helper()
	all = append(all, latency.Go())
	e, err := latency.ONNXRuntime("")
	switch {
	case errors.Is(err, ort.ErrNotNamed), errors.Is(err, errors.ErrUnsupported):
		t.Logf("without ONNX Runtime: %v", err)
	case err != nil:
		t.Fatal(err)
	default:
		all = append(all, e)
	}
	return all
}

// families are small networks of every family.
func families() map[string]interface{ Graph() (*neural.Graph, error) } {
	ofa := nets.OFA{Side: 32, Classes: 7, Depth: [5]int{2, 1, 1, 2, 1}}
	for i := range ofa.Kernels {
		ofa.Kernels[i], ofa.Expand[i] = 3+2*(i%3), 3+i%2
	}
	normal, reduce := nets.DARTS2()
	layers := []nets.TransformerLayer{{Heads: 2, Hidden: 12}, {Heads: 4, HeadDim: 3, Hidden: 8, Attention: neural.LinearELU}, {NoAttention: true, Hidden: 4}}
	small := neural.Shape{3, 16, 16}
	return map[string]interface{ Graph() (*neural.Graph, error) }{
		"nasbench201": nets.NASBench201{Ops: [6]nets.CellOp{3, 2, 1, 4, 3, 0}, Channels: 4, Cells: 2, Image: small},
		"macro":       nets.Macro{Ops: [8]nets.ChainOp{1, 0, 2, 1, 0, 0, 1, 2}, Channels: 2, Image: small},
		"cells":       nets.Cells{Normal: normal, Reduce: reduce, Channels: 4, Cells: 5, Image: small, Search: true},
		"ofa":         ofa,
		"vit":         nets.Transformer{Image: small, Patch: 4, Dim: 8, Layers: layers, Classes: 5, ClassToken: true},
		"text":        nets.Transformer{Vocabulary: 9, Length: 6, Dim: 8, Layers: layers, Classes: 9, Causal: true, PerToken: true},
		"mlp":         nets.MLP{Numbers: 4, Categories: []int{3, 5}, Hidden: []int{8, 8}, BatchNorm: true, Residual: true, Out: 2},
		"lenet5":      nets.LeNet5{},
		"resnet":      nets.ResNet{Channels: 4, Blocks: 1, Image: small},
		"mobilenet":   nets.MobileNet{Width: 0.1, Image: small, Halve: 3},
	}
}

// Every engine computes what the reference computes, of whole networks and of their
// operators alone: what is measured is the work that was meant.
func TestEnginesAgree(t *testing.T) {
	for _, e := range engines(t) {
		for name, m := range families() {
			t.Run(e.Name()+"/"+name, func(t *testing.T) {
				g, err := m.Graph()
				if err != nil {
					t.Fatal(err)
				}
				agree(t, e, g, latency.Options{Batch: 2})
				agree(t, e, g, latency.Options{Threads: 2})
				all, err := latency.Operators(g)
				if err != nil {
					t.Fatal(err)
				}
				ends := neural.NewBuilder("ends") // as they are measured
				nothing, err := ends.Build(ends.Add(neural.Identity{}, ends.Input("x", g.Node(0).Shape)))
				if err != nil {
					t.Fatal(err)
				}
				agree(t, e, nothing, latency.Options{})
				seen := map[string]bool{}
				for _, o := range all {
					if !seen[o.Key] {
						seen[o.Key] = true
						agree(t, e, o.Net, latency.Options{})
					}
				}
			})
		}
	}
}

func agree(t *testing.T, e latency.Engine, g *neural.Graph, o latency.Options) {
	t.Helper()
	r := rng.New(1, "latency/agree", 0)
	w := randnet.Weights(r, g)
	run, err := e.Compile(g, w, o)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	inputs, want := make([][]float32, len(g.Inputs())), make([][]float64, len(g.Outputs()))
	for range max(o.Batch, 1) {
		in := randnet.Inputs(r, g)
		for k := range in {
			for i, x := range in[k] { // what is compared must be given alike
				in[k][i] = float64(float32(x))
				inputs[k] = append(inputs[k], float32(x))
			}
		}
		out, err := reference.Run(g, w, in...)
		if err != nil {
			t.Fatal(err)
		}
		for k := range out {
			want[k] = append(want[k], out[k]...)
		}
	}
	got, err := run.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	for k := range want {
		if len(got[k]) != len(want[k]) {
			t.Fatalf("network %q, output %d: %d numbers, want %d", g.Name(), k, len(got[k]), len(want[k]))
		}
		for i, x := range want[k] {
			if d := math.Abs(float64(got[k][i]) - x); !(d <= 1e-4*(1+math.Abs(x))) {
				t.Fatalf("network %q, output %d, number %d: %g, want %g", g.Name(), k, i, got[k][i], x)
			}
		}
	}
}

// On this machine a network of ten times the work takes longer, and the measurement
// says how sure it is.
func TestMeasureHere(t *testing.T) {
	for _, e := range engines(t) {
		var all []*neural.Graph
		for _, c := range []int{4, 24} {
			g, err := nets.ResNet{Channels: c, Blocks: 1, Image: neural.Shape{3, 16, 16}}.Graph()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, g)
		}
		reports, err := latency.Measure(t.Context(), e, latency.Options{}, latency.Protocol{Budget: time.Second / 4}, all...)
		if err != nil {
			t.Fatal(err)
		}
		if len(reports) != 1 || len(reports[0].Results) != 2 {
			t.Fatalf("%+v, want one report of two networks", reports)
		}
		small, large := reports[0].Results[0], reports[0].Results[1]
		if small.HighMS >= large.LowMS || small.MinMS <= 0 || small.Samples < 6 || reports[0].Reference.MedianMS <= 0 {
			t.Errorf("%s: small %+v, large %+v", e.Name(), small, large)
		}
		t.Logf("%s: %+v", e.Name(), reports[0])
	}
}
