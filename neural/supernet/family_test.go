package supernet

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/space"
)

// miniOFA is the elastic space of the acceptance experiments.
func miniOFA(image neural.Shape) nets.Family {
	m := nets.MiniOFA()
	m.Image = image
	return must(m.New())
}

func cells201(image neural.Shape, channels, cells int) *nets.ElasticNetworks[nets.NASBench201] {
	return must(nets.NASBench201Space{Image: image, Channels: channels, Cells: cells}.New())
}

func transformers() nets.Family {
	return must(nets.TransformerSpace{
		Image: neural.Shape{1, 8, 8}, Patch: 4, Dims: []int{8}, Depth: []int{1, 2}, Heads: []int{1, 2, 4}, HeadDim: 4,
		Hidden: []int{8, 16, 24}, ClassToken: true, Classes: 3, Same: true, Attention: []string{"softmax"},
	}.New())
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func mustNew(t testing.TB, f nets.Family) *Supernet {
	t.Helper()
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The supernet has the weights of every network of the family, at least as large, and
// no others.
func TestAllHasEveryWeight(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]nets.Family{
		"mini-OFA":      miniOFA(neural.Shape{1, 8, 8}),
		"NAS-Bench-201": cells201(neural.Shape{3, 8, 8}, 4, 1),
		"transformers":  transformers(),
	} {
		s := mustNew(t, f)
		all := map[string]neural.Shape{}
		for _, w := range s.All().AllWeights() {
			all[w.Name] = w.Shape
		}
		needed := map[string]bool{}
		n := 0
		for d := range f.Space().All() {
			if n++; n%31 != 0 && name == "NAS-Bench-201" {
				continue
			}
			g, err := s.Graph(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range g.AllWeights() {
				have, ok := all[w.Name]
				for a := range have {
					ok = ok && w.Shape[a] <= have[a]
				}
				if !ok {
					t.Fatalf("%s: %s has the weight %s of shape %s, the supernet %s", name, d, w.Name, w.Shape, have)
				}
				needed[w.Name] = needed[w.Name] || have == w.Shape
			}
		}
		for w := range all {
			if !needed[w] {
				t.Errorf("%s: the supernet's weight %s is larger than that of any network", name, w)
			}
		}
	}
}

// NAS-Bench-201 as one supernet has weights for both convolutions of each edge of each
// cell, and the rest once.
func TestUnionOfCells(t *testing.T) {
	t.Parallel()
	f := cells201(neural.Shape{}, 16, 5)
	s := mustNew(t, f)
	count := func(op nets.CellOp) int64 {
		g, err := nets.NASBench201{Ops: [6]nets.CellOp{op, op, op, op, op, op}}.Graph()
		if err != nil {
			t.Fatal(err)
		}
		return g.Cost().Params
	}
	if got, want := s.All().Cost().Params, count(nets.Conv3x3)+count(nets.Conv1x1)-count(nets.None); got != want {
		t.Errorf("the supernet has %d parameters, want %d", got, want)
	}
}

func TestGraphsAreKept(t *testing.T) {
	t.Parallel()
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	first := map[space.Design]*neural.Graph{}
	for range 2 {
		for d := range s.Space().All() {
			g, err := s.Graph(d)
			if err != nil {
				t.Fatal(err)
			}
			if first[d] != nil && first[d] != g {
				t.Fatalf("%s was built again", d)
			}
			first[d] = g
		}
	}
	if len(first) != 400 {
		t.Errorf("found %d networks, want 400", len(first))
	}
}

// Blocks start as the identity: the largest network computes what it would without
// them.
func TestResidualStart(t *testing.T) {
	t.Parallel()
	s := mustNew(t, miniOFA(neural.Shape{1, 8, 8}))
	w, err := s.Initial(rng.New(1, "initial", 0), true)
	if err != nil {
		t.Fatal(err)
	}
	var zero []string
	for _, x := range s.All().AllWeights() {
		if len(x.Name) > 6 && x.Name[len(x.Name)-6:] == "/scale" && w[x.Name][0] == 0 {
			zero = append(zero, x.Name)
		}
	}
	want := []string{"unit1/layer2/project_bn/scale", "unit2/layer2/project_bn/scale"}
	if !slices.Equal(zero, want) {
		t.Errorf("scales of zeros: found %v, want %v", zero, want)
	}
	g, err := s.Graph(s.Largest())
	if err != nil {
		t.Fatal(err)
	}
	values, err := reference.Trace(g, w, randnet.Inputs(rng.New(1, "image", 0), g)...)
	if err != nil {
		t.Fatal(err)
	}
	a, b := values[g.Find("unit1/layer1/project_bn")], values[g.Find("unit1/layer2/sum")]
	if !slices.Equal(a, b) {
		t.Error("the second layer of the first unit changes its operand")
	}
}

// Whatever its channels' importance is, a network whose channels were sorted computes
// what it did, to rounding.
func TestSortingKeepsTheFunction(t *testing.T) {
	t.Parallel()
	moved := 0
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"), "network", 0)
		g, err := randnet.New(r, rapid.IntRange(1, 40).Draw(t, "operators"))
		if err != nil {
			t.Fatal(err)
		}
		widths := map[axisOf][]int{}
		for _, w := range g.AllWeights() {
			for a := range w.Shape.Axes() {
				widths[axisOf{w.Name, a}] = nil
			}
		}
		moved += sameFunction(t, g, randnet.Weights(r, g), widths, randnet.Inputs(r, g))
	})
	if moved == 0 {
		t.Error("nothing was sorted")
	}
}

func sameFunction(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, g *neural.Graph, w neural.Weights, widths map[axisOf][]int, inputs [][]float64) (moved int) {
	sorted, err := sortChannels(g, w, widths)
	if err != nil {
		t.Fatal(err)
	}
	for name := range w {
		if !slices.Equal(w[name], sorted[name]) {
			moved++
		}
	}
	before, err := reference.Run(g, w, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	after, err := reference.Run(g, sorted, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		for k, x := range before[i] {
			if y := after[i][k]; math.Abs(x-y) > 1e-5*(1+math.Abs(x)) {
				t.Fatalf("output %d: number %d was %g and is %g", i, k, x, y)
			}
		}
	}
	return moved
}

// Sorting changes elastic axes, and no others, to falling importance; and what was
// trained in a narrower network stays in front.
func TestSortChannels(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]nets.Family{"mini-OFA": miniOFA(neural.Shape{1, 8, 8}), "transformers": transformers()} {
		s := mustNew(t, f)
		r := rng.New(5, "weights", 0)
		w := randnet.Weights(r, s.All())
		sorted, err := s.SortChannels(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		widths := s.widths()
		if n := sameFunction(t, s.All(), w, widths, randnet.Inputs(r, s.All())); n < 10 {
			t.Errorf("%s: %d weights moved, want most that are elastic", name, n)
		}
		if name == "transformers" {
			if !slices.Equal(sorted["layer1/norm1/scale"], w["layer1/norm1/scale"]) {
				t.Error("features that no network has fewer of were sorted")
			}
			continue
		}
		if !slices.Equal(sorted["stem/conv/weight"], w["stem/conv/weight"]) {
			t.Error("channels of the stem, of which no network has fewer, were sorted")
		}
		importance := func(w neural.Weights) (sums []float64) {
			for c := range 64 {
				sums = append(sums, magnitude(w["unit1/layer2/project_conv/weight"], neural.Shape{16, 64, 1, 1}, 1, c))
			}
			return sums
		}
		if x := importance(sorted); !slices.IsSortedFunc(x, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
			t.Errorf("importance of sorted channels: found %.3f, want it falling", x)
		}
		part, err := s.Space().Fix("stage1.layers.kernel", 5)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.SortChannels(w, part)
		if err != nil {
			t.Fatal(err)
		}
		before, after := importance(w), importance(kept)
		for _, half := range [][2]int{{0, 32}, {32, 64}} {
			a, b := before[half[0]:half[1]], after[half[0]:half[1]]
			slices.Sort(a)
			slices.Reverse(a)
			if !slices.Equal(a, b) {
				t.Errorf("channels %v: found importances %.3f, want %.3f", half, b, a)
			}
		}
	}
}
