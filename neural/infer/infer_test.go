package infer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// check compares a batch with the reference, example by example.
func check(t *testing.T, g *neural.Graph, w neural.Weights, r *rand.Rand, o infer.Options) {
	t.Helper()
	n, err := infer.Compile(g, w, o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for range 2 { // the second run meets what the first left
		batch := max(o.Batch, 1)
		inputs := make([][]float32, len(g.Inputs()))
		want := make([][][]float64, batch)
		for b := range batch {
			in := randnet.Inputs(r, g)
			for k, v := range in {
				for _, x := range v {
					inputs[k] = append(inputs[k], float32(x))
				}
			}
			if want[b], err = reference.Trace(g, w, in...); err != nil {
				t.Fatal(err)
			}
		}
		got, err := n.Run(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range g.Outputs() {
			compare(t, g, i, got[k], want)
		}
		for i, node := range g.Nodes() {
			if o.KeepAll || slices.Contains(o.Keep, node.Name) {
				kept, err := n.Trace(node.Name)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, g, i, kept[0], want)
			}
		}
	}
}

func compare(t *testing.T, g *neural.Graph, i int, got []float32, want [][][]float64) {
	t.Helper()
	node := g.Node(i)
	n := int(node.Shape.Elements())
	for b, all := range want {
		scale := 1e-3
		for _, v := range all[i] {
			scale = max(scale, math.Abs(v))
		}
		for k, v := range all[i] {
			if x := float64(got[b*n+k]); !(math.Abs(x-v) <= 1e-4*scale) {
				t.Fatalf("network %q, node %q (%s), example %d: number %d of %s is %g, want %g", g.Name(), node.Name, node.Op, b, k, node.Shape, x, v)
			}
		}
	}
}

func TestRandomNetworks(t *testing.T) {
	count := 1500
	if testing.Short() {
		count = 200
	}
	for seed := range count {
		r := rng.New(uint64(seed), "infer", 0)
		g, err := randnet.New(r, 1+r.IntN(25))
		if err != nil {
			t.Fatal(err)
		}
		w := randnet.Weights(r, g)
		o := infer.Options{Batch: r.IntN(4), Threads: r.IntN(3), KeepAll: seed%5 == 0}
		if seed%5 == 1 {
			o.Keep = []string{g.Node(r.IntN(g.Len())).Name}
		}
		check(t, g, w, r, o)
	}
}

// families are small networks of package nets.
func families(t testing.TB) map[string]*neural.Graph {
	normal, reduce := nets.DARTS2()
	ofa := nets.OFA{Side: 32, Classes: 10, Depth: [5]int{2, 2, 2, 2, 2}}
	for i := range ofa.Kernels {
		ofa.Kernels[i], ofa.Expand[i] = 3+i%3*2, 3+i%2
	}
	all := map[string]*neural.Graph{}
	for name, f := range map[string]interface {
		Graph() (*neural.Graph, error)
	}{
		"lenet":       nets.LeNet5{},
		"resnet":      nets.ResNet{Image: neural.Shape{3, 16, 16}, Channels: 8, Blocks: 2},
		"mobilenet":   nets.MobileNet{Image: neural.Shape{3, 16, 16}, Width: 0.25, Halve: 3},
		"nasbench201": nets.NASBench201{Ops: [6]nets.CellOp{nets.Conv3x3, nets.Skip, nets.None, nets.Conv1x1, nets.Conv3x3, 4}, Channels: 4, Cells: 1, Image: neural.Shape{3, 12, 12}},
		"macro":       nets.Macro{Channels: 8},
		"cells":       nets.Cells{Normal: normal, Reduce: reduce, Channels: 4, Cells: 4, Image: neural.Shape{3, 16, 16}},
		"ofa":         ofa,
		"vit": nets.Transformer{Image: neural.Shape{3, 16, 16}, Patch: 4, Dim: 24, Classes: 10, ClassToken: true, Layers: []nets.TransformerLayer{
			{Heads: 3, Hidden: 48}, {Heads: 2, Hidden: 32, Attention: neural.LinearReLU}, {Heads: 4},
		}},
		"text": nets.Transformer{Vocabulary: 50, Length: 40, Dim: 16, Classes: 50, Causal: true, Layers: []nets.TransformerLayer{
			{Heads: 2, Hidden: 32}, {Heads: 4, Hidden: 16, Attention: neural.LinearELU}, {Heads: 2, Attention: neural.CosformerReLU},
		}},
		"mlp": nets.MLP{Numbers: 7, Categories: []int{3, 9}, Hidden: []int{32, 32, 16}, Out: 3, Residual: true},
	} {
		g, err := f.Graph()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = g
	}
	return all
}

func TestFamilies(t *testing.T) {
	for name, g := range families(t) {
		t.Run(name, func(t *testing.T) {
			r := rng.New(1, "infer", 0)
			check(t, g, randnet.Weights(r, g), r, infer.Options{})
		})
	}
}

// TestFused says what is computed together.
func TestFused(t *testing.T) {
	g, err := nets.ResNet{Image: neural.Shape{3, 12, 12}, Channels: 4}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	n, err := infer.Compile(g, g.Initial(rng.New(1, "w", 0)), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, s := range n.Steps() {
		kinds[s.Kind]++
	}
	// 19 convolutions and two shortcuts take all normalisations, sums and functions
	if want := "map[conv:21 globalpool:1 matmul:1]"; fmt.Sprint(kinds) != want {
		t.Errorf("found the steps %v, want %s", kinds, want)
	}
	var macs int64
	for _, s := range n.Steps() {
		macs += s.MACs
	}
	if macs != g.Cost().MACs {
		t.Errorf("the steps have %d multiply-accumulates, the network %d", macs, g.Cost().MACs)
	}
	image := make([]float32, 3*12*12)
	profile, err := n.Profile(3, image)
	if err != nil || len(profile) != len(n.Steps()) || profile[0].MinMS <= 0 || profile[0].MedianMS < profile[0].MinMS {
		t.Errorf("found the profile %+v, %v", profile[0], err)
	}
}

// Results that are not needed at the same time share their memory: what stays is at least
// the largest operand with its result, and far less than all results together.
func TestMemoryIsShared(t *testing.T) {
	g, err := nets.ResNet{Image: neural.Shape{3, 12, 12}, Channels: 4}.Graph()
	if err != nil {
		t.Fatal(err)
	}
	w := g.Initial(rng.New(1, "w", 0))
	bytes := func(o infer.Options) int64 {
		n, err := infer.Compile(g, w, o)
		if err != nil {
			t.Fatal(err)
		}
		return n.Bytes()
	}
	const feature = 4 * 4 * 12 * 12 // of the first stage
	one, kept := bytes(infer.Options{}), bytes(infer.Options{KeepAll: true})
	if one < 2*feature || one > 4*feature || kept < 10*one {
		t.Errorf("a run takes %d bytes, and %d if everything is kept; want 2 to 4 feature maps of %d, and at least ten times that", one, kept, feature)
	}
	if eight := bytes(infer.Options{Batch: 8}); eight < 8*one-64*8 || eight > 8*one+64*8 {
		t.Errorf("a run of 8 examples takes %d bytes, want about 8 times %d", eight, one)
	}
}

// TestBatchStatistics compares with the reference by giving it the batch's own
// statistics as running ones.
func TestBatchStatistics(t *testing.T) {
	b := neural.NewBuilder("net")
	x := b.Input("image", neural.Shape{3, 6, 5})
	x = b.Named("conv", neural.Conv{Out: 4, Kernel: 3}, x)
	x = b.Named("bn", neural.BatchNorm{}, x)
	x = b.Named("relu", neural.Activation{Func: neural.ReLU}, x)
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(3, "infer", 0)
	w := randnet.Weights(r, g)
	const batch = 5
	n, err := infer.Compile(g, w, infer.Options{Batch: batch, BatchStatistics: true, Keep: []string{"conv"}})
	if err != nil {
		t.Fatal(err)
	}
	var in []float32
	var examples [][]float64
	for range batch {
		examples = append(examples, randnet.Inputs(r, g)[0])
		for _, v := range examples[len(examples)-1] {
			in = append(in, float32(v))
		}
	}
	got, err := n.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := n.Trace("conv")
	if err != nil {
		t.Fatal(err)
	}
	for c := range 4 {
		var values []float64
		for e := range batch {
			for _, v := range kept[0][(e*4+c)*30:][:30] {
				values = append(values, float64(v))
			}
		}
		mean, variance := 0.0, 0.0
		for _, v := range values {
			mean += v / float64(len(values))
		}
		for _, v := range values {
			variance += (v - mean) * (v - mean) / float64(len(values))
		}
		w["bn/mean"][c], w["bn/variance"][c] = float32(mean), float32(variance)
	}
	want := make([][][]float64, batch)
	for e, x := range examples {
		if want[e], err = reference.Trace(g, w, x); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, g, g.Outputs()[0], got[0], want)
}

func TestErrors(t *testing.T) {
	b := neural.NewBuilder("net")
	ids := b.Named("ids", neural.Input{Shape: neural.Shape{2}, Below: 5})
	wide := b.Input("wide", neural.Shape{2})
	g, err := b.Build(b.Named("look", neural.Embedding{Size: 5, Out: 3}, ids), b.Named("other", neural.Embedding{Size: 5, Out: 3}, wide))
	if err != nil {
		t.Fatal(err)
	}
	w := g.Initial(rng.New(1, "w", 0))
	n, err := infer.Compile(g, w, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	for want, in := range map[string][][]float32{
		"found 1 inputs, want 2":                                    {{1, 2}},
		`input "ids": found 3 numbers, want 2 (1 × 2)`:              {{1, 2, 3}, {1, 2}},
		`input "ids": found 5 as number 2, want a whole number`:     {{1, 5}, {1, 2}},
		`input "ids": found 0.5 as number 1, want a whole number`:   {{0.5, 1}, {1, 2}},
		`node "other" (embed 3): found 7 as number 1, want`:         {{1, 2}, {7, 2}},
		`node "other" (embed 3): found NaN as number 2, want`:       {{1, 2}, {0, nan}},
		`node "other" (embed 3): found -1 as number 1, want a whol`: {{1, 2}, {-1, 2}},
	} {
		if _, err := n.Run(in...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want %q", err, want)
		}
	}
	if _, err := n.Run([]float32{1, 2}, []float32{1, 2}); err != nil {
		t.Errorf("after errors: %v", err)
	}
	for want, f := range map[string]func() error{
		`has no node "x"`: func() error { _, err := n.Trace("x"); return err },
		"was not kept":    func() error { _, err := n.Trace("ids", "wide"); return err },
		`has no node "y" to keep`: func() error {
			_, err := infer.Compile(g, w, infer.Options{Keep: []string{"y"}})
			return err
		},
		"found a batch of -1": func() error { _, err := infer.Compile(g, w, infer.Options{Batch: -1}); return err },
		"at most 2³¹":         func() error { _, err := infer.Compile(g, w, infer.Options{Batch: 1 << 30}); return err },
		"is missing":          func() error { _, err := infer.Compile(g, nil, infer.Options{}); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found the error %v, want %q", err, want)
		}
	}
}

// What is watched during a run is what is kept by another; statistics of a batch are those
// of what normalisation was given.
func TestWatch(t *testing.T) {
	for i := range uint64(60) {
		r := rng.New(5, "watch", i)
		g, err := randnet.New(r, 3+r.IntN(20))
		if err != nil {
			t.Fatal(err)
		}
		w := randnet.Weights(r, g)
		const batch = 3
		all := make([]int, g.Len())
		for k := range all {
			all[k] = k
		}
		seen := map[int][]float32{}
		watching, err := infer.Compile(g, w, infer.Options{Batch: batch, BatchStatistics: true, Watched: all, Watch: func(node int, x []float32) {
			if seen[node] != nil {
				t.Errorf("node %d is seen twice", node)
			}
			seen[node] = slices.Clone(x)
		}})
		if err != nil {
			t.Fatal(err)
		}
		keeping, err := infer.Compile(g, w, infer.Options{Batch: batch, BatchStatistics: true, KeepAll: true})
		if err != nil {
			t.Fatal(err)
		}
		inputs := make([][]float32, len(g.Inputs()))
		for range batch {
			for k, v := range randnet.Inputs(r, g) {
				for _, x := range v {
					inputs[k] = append(inputs[k], float32(x))
				}
			}
		}
		if _, err := watching.Run(inputs...); err != nil {
			t.Fatal(err)
		}
		if _, err := keeping.Run(inputs...); err != nil {
			t.Fatal(err)
		}
		live := map[int]bool{}
		for _, k := range g.Outputs() {
			live[k] = true
		}
		for k := g.Len() - 1; k >= 0; k-- {
			for _, j := range g.Node(k).In {
				live[j] = live[j] || live[k]
			}
		}
		for k, n := range g.Nodes() {
			if _, input := n.Op.(neural.Input); input || !live[k] {
				if seen[k] != nil && !input {
					t.Errorf("network %d: node %q is seen, which no output needs", i, n.Name)
				}
				continue
			}
			want, err := keeping.Trace(n.Name)
			if err != nil {
				t.Fatal(err)
			}
			if len(seen[k]) != len(want[0]) {
				t.Fatalf("network %d: node %q: found %d numbers, want %d", i, n.Name, len(seen[k]), len(want[0]))
			}
			features, each := n.Shape.Features(), int(n.Shape.Elements())
			sums, squares := make([]float64, features), make([]float64, features)
			for at, x := range want[0] {
				from, c := at, at%features
				if n.Shape.Image() {
					pixels := each / features
					c = at % each / pixels
					from = at/each*each + at%pixels*features + c
				}
				if seen[k][from] != x {
					t.Fatalf("network %d: node %q: found %g as number %d, want %g", i, n.Name, seen[k][from], at, x)
				}
				sums[c] += float64(x)
				squares[c] += float64(x) * float64(x)
			}
			for reader, m := range g.Nodes() {
				if _, ok := m.Op.(neural.BatchNorm); !ok || !live[reader] || m.In[0] != k {
					continue
				}
				mean, variance := watching.BatchStatistics(reader)
				rows := float64(batch*each) / float64(features)
				for c := range features {
					a := sums[c] / rows
					b := squares[c]/rows - a*a
					if math.Abs(float64(mean[c])-a) > 1e-4*(1+math.Abs(a)) || math.Abs(float64(variance[c])-b) > 1e-4*(1+a*a+b) {
						t.Errorf("network %d: node %q: found mean %g and variance %g of feature %d, want %g and %g", i, m.Name, mean[c], variance[c], c, a, b)
					}
				}
			}
		}
	}
	g := families(t)["lenet"]
	if _, err := infer.Compile(g, g.Initial(rng.New(1, "w", 0)), infer.Options{Watch: func(int, []float32) {}, Watched: []int{g.Len()}}); err == nil || !strings.Contains(err.Error(), "to watch") {
		t.Errorf("found %v, want that there is no such node", err)
	}
}
