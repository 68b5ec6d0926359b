package engine_test

import (
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// A thousand networks of a family are trained one after the other within a limit of
// memory, which old ones give back.
func TestThousandNetworks(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a thousand networks")
	}
	family, err := nets.MobileSpace{
		Stem: []int{8, 16}, Reduce: []string{"stride"}, Places: []string{"mean"}, Mix: []int{0},
		Stages: []nets.MobileStage{
			{Kinds: []string{"inverted"}, Widths: []int{16, 24, 32}, Depth: []int{1, 3}, Kernels: []int{3, 5}, Expand: []float64{2, 4}},
			{Kinds: []string{"inverted"}, Widths: []int{32, 48, 64}, Depth: []int{1, 3}, Kernels: []int{3, 5}, Expand: []float64{2, 4}},
		},
	}.New()
	if err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 20
	d, err := engine.Open(engine.Config{Memory: limit, Nets: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g, err := family.Graph(family.Largest())
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(1, "thousand", 0)
	p, err := d.Params(g, g.Initial(r))
	if err != nil {
		t.Fatal(err)
	}
	gradient, err := p.NewGradient()
	if err != nil {
		t.Fatal(err)
	}
	state, err := p.NewOptimizer(engine.Optimizer{Momentum: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	const n = 4
	b := &engine.Batch{N: n, Inputs: [][]float32{make([]float32, n*28*28)}, Classes: make([]int32, n)}
	for i := range b.Inputs[0] {
		b.Inputs[0][i] = float32(r.Float64())
	}
	seen := map[string]bool{}
	for len(seen) < 1000 {
		design, err := family.Space().Sample(r)
		if err != nil {
			t.Fatal(err)
		}
		if h := design.Hash().String(); seen[h] {
			continue
		} else {
			seen[h] = true
		}
		g, err := family.Graph(design)
		if err != nil {
			t.Fatal(err)
		}
		net, err := p.Net(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := net.Gradient(b, engine.Loss{}, engine.Noise{}, gradient); err != nil {
			t.Fatalf("network %d: %v", len(seen), err)
		}
		if _, err := p.Step(state, gradient, 0.01); err != nil {
			t.Fatalf("network %d: %v", len(seen), err)
		}
	}
}
