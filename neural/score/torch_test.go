package score

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Scores are those of PyTorch for equal weights and images, from the definitions and in
// float64: of bench/torch/scores.py, which wrote the file.
func TestTorch(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var records []struct {
		Ops                          string
		Biased                       bool
		Width, Cells, Side, Examples int
		Scores                       map[string]float64
	}
	if err := json.Unmarshal(file, &records); err != nil {
		t.Fatal(err)
	}
	// Everything is in float32. These two take differences of gradients, of halves of the
	// batch and for a step of weights.
	tolerance := map[string]float64{"grasp": 1e-2, "zico": 2e-3}
	compared := map[string]bool{}
	for _, r := range records {
		n := nets.NASBench201{Channels: r.Width, Cells: r.Cells, Image: neural.Shape{3, r.Side, r.Side}}
		for e := range n.Ops {
			n.Ops[e] = nets.CellOp(r.Ops[e] - '0')
		}
		g, err := n.Graph()
		if err != nil {
			t.Fatal(err)
		}
		if r.Biased {
			g = biased(t, g)
		}
		w := draw(g, Uniform, 1, 0)
		seed, fanIn := uint32(0), 0.0
		for i, node := range g.Nodes() {
			switch node.Op.(type) {
			case neural.Conv, neural.Linear:
				for k, x := range g.Weights(i) {
					if k == 0 {
						fanIn = float64(x.Shape.Elements() / int64(x.Shape[0]))
					}
					seed++
					w[x.Name] = numbers(seed, len(w[x.Name]), 1/math.Sqrt(fanIn))
				}
			}
		}
		pixels := r.Side * r.Side
		planes := numbers(1000, r.Examples*3*pixels, 1.7)
		b := &engine.Batch{N: r.Examples, Inputs: [][]float32{make([]float32, len(planes))}}
		for i := range r.Examples {
			b.Classes = append(b.Classes, int32(i*3%10))
			for p := range pixels {
				for c := range 3 {
					b.Inputs[0][(i*pixels+p)*3+c] = planes[(i*3+c)*pixels+p]
				}
			}
		}
		for name, want := range r.Scores {
			if name == "fisher_channels" {
				continue
			}
			compared[name] = true
			at := tolerance[name]
			if at == 0 {
				at = 1e-4
			}
			if got := of(t, name, g, w, b); !(math.Abs(got-want) <= at*math.Abs(want)) {
				t.Errorf("%s biased %v: %s: found %.9g, want %.9g within %g of it", r.Ops, r.Biased, name, got, want, at)
			}
		}
	}
	for _, s := range Scores() {
		if s.Cost != Counted && s.Name != "zen" && !compared[s.Name] {
			t.Errorf("%s: not compared", s.Name)
		}
	}
}

// numbers are n numbers between ±most, of the generator of bench/torch/scores.py.
func numbers(seed uint32, n int, most float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		seed = seed*1664525 + 1013904223
		v[i] = float32((float64(seed)/(1<<31) - 1) * most)
	}
	return v
}

// Biased is biased for experiments.
var Biased = biased

// biased builds a network again, with biases for the convolutions in cells: the network
// of github.com/SamsungLabs/zero-cost-nas.
func biased(t testing.TB, g *neural.Graph) *neural.Graph {
	b := neural.NewBuilder(g.Name())
	values := make([]neural.Value, g.Len())
	for i, n := range g.Nodes() {
		in := slices.Clone(values[:0])
		for _, j := range n.In {
			in = append(in, values[j])
		}
		o := n.Op
		if c, ok := o.(neural.Conv); ok && strings.Contains(n.Name, "/cell") {
			c.Bias = true
			o = c
		}
		values[i] = b.Named(strings.ReplaceAll(n.Name, "/", "."), o, in...)
	}
	g, err := b.Build(values[g.Outputs()[0]])
	if err != nil {
		t.Fatal(err)
	}
	return g
}
