package nets_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/internal/source"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/space"
)

// made returns what New makes, which the tests know to be possible.
func made[T any](f T, err error) T {
	if err != nil {
		panic(err)
	}
	return f
}

// A typed family can go from designs to choices and back.
type typed[X nets.Network] interface {
	nets.Family
	Choices(space.Design) (X, error)
	Design(X) (space.Design, error)
	Cost(space.Design) (neural.Cost, error)
}

// small are the families at sizes at which thousands of networks are built in a moment.
type small struct {
	name   string
	family nets.Family
	rounds int                                // how many designs go there and back
	round  func(t *testing.T, d space.Design) // design → choices → design
}

func entry[X nets.Network](name string, f typed[X]) small {
	rounds := 10_000
	if strings.Contains(name, ",") { // a variant
		rounds = 1_000
	}
	return small{name, f, rounds, func(t *testing.T, d space.Design) {
		t.Helper()
		x, err := f.Choices(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := f.Design(x)
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		if back != d {
			t.Fatalf("%s comes back as %s", d, back)
		}
	}}
}

var tiny = nets.CellSize{Channels: 4, Cells: 4, Image: neural.Shape{1, 8, 8}}

// everything is a mobile space in which everything is free.
func everything() nets.MobileSpace {
	all := []string{"inverted", "fused", "plain", "residual"}
	return nets.MobileSpace{
		Sides: []int{20, 28}, Stem: []int{4, 8}, Reduce: []string{"none", "stride", "pool"}, Places: []string{"mean"}, Func: "hardswish", Head: 32, Mix: []int{0, 8, 16}, Dropout: 0.1, DropPath: 0.1,
		Stages: []nets.MobileStage{
			{Kinds: all, Widths: []int{4, 8, 12}, Depth: []int{0, 3}, Stride: 1, Squeeze: true},
			{Kinds: all[1:3], Widths: []int{16}, Kernels: []int{3}, PlainKernels: []int{3}, Expand: []float64{1.5}},
			{Kinds: all[3:], Widths: []int{16, 20}, Depth: []int{2, 2}, Kernels: []int{3}},
		},
	}
}

func families() []small {
	return []small{
		entry("nas-bench-201", made(nets.NASBench201Space{Channels: 4, Cells: 1, Image: neural.Shape{3, 8, 8}}.New())),
		entry("nas-bench-macro", made(nets.MacroSpace{Channels: 4, Image: neural.Shape{3, 8, 8}}.New())),
		entry("darts", made(nets.DARTSSpace{CellSize: tiny}.New())),
		entry("darts, search", made(nets.DARTSSpace{Steps: 3, Ops: nets.Operations(), CellSize: nets.CellSize{Channels: 4, Cells: 3, Search: true, DropPath: 0.1, Image: neural.Shape{1, 8, 8}}}.New())),
		entry("nasnet", made(nets.NASNetSpace{CellSize: tiny}.New())),
		entry("once-for-all", made(nets.OFASpace{Sides: []int{32, 64}}.New())),
		entry("edge", made(nets.MobileSpace{}.New())),
		entry("mini-ofa", made(nets.MiniOFA().New())),
		entry("mobile, everything", made(everything().New())),
		entry("vision transformer", made(nets.TransformerSpace{Attention: []string{"softmax", "linear_elu", "linear_relu", "cosformer_elu", "cosformer_relu", "none"}, Ratios: []float64{0, 1, 2.5}, ClassToken: true, DropPath: 0.1}.New())),
		entry("transformer, text", made(nets.TransformerSpace{Vocabulary: 30, Length: 16, Causal: true, PerToken: true, Hidden: []int{32, 64}}.New())),
		entry("layers alike", made(nets.AutoDistilTiny().New())),
		entry("mlp", made(nets.MLPSpace{Numbers: 5, Categories: []int{3, 7}, Out: 3}.New())),
		entry("mlp, numbers", made(nets.MLPSpace{Numbers: 5, Widths: []int{8}, Out: 2}.New())),
	}
}

// samples returns how many designs a test looks at.
func samples(n int) int {
	if testing.Short() {
		return max(n/50, 10)
	}
	return n
}

func draw(t testing.TB, r *rand.Rand, f nets.Family) space.Design {
	t.Helper()
	d, err := f.Space().Sample(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func graph(t testing.TB, f nets.Family, d space.Design) *neural.Graph {
	t.Helper()
	g, err := f.Graph(d)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func count(f nets.Family) string {
	n, exact := f.Space().Count()
	if n == nil || !exact {
		return fmt.Sprintf("%v, not exact", n)
	}
	return n.String()
}

// The sizes of the spaces are those of the cards and of formulas.
func TestSpaceCounts(t *testing.T) {
	pow := func(b, e int64) *big.Int { return new(big.Int).Exp(big.NewInt(b), big.NewInt(e), nil) }
	product := func(factors ...int64) *big.Int {
		p := big.NewInt(1)
		for _, f := range factors {
			p.Mul(p, big.NewInt(f))
		}
		return p
	}
	square := func(x *big.Int) *big.Int { return new(big.Int).Mul(x, x) }
	sum := func(b *big.Int, from, to int64) *big.Int {
		s := new(big.Int)
		for e := from; e <= to; e++ {
			s.Add(s, new(big.Int).Exp(b, big.NewInt(e), nil))
		}
		return s
	}
	dartsCell := product(1*49, 3*49, 6*49, 10*49) // C(n+2, 2)·7²
	nasnetCell := product(4*338, 9*338, 16*338, 25*338, 36*338)
	ofa := new(big.Int).Exp(sum(big.NewInt(9), 2, 4), big.NewInt(5), nil)
	if dartsCell.String() != "1037664180" {
		t.Errorf("a DARTS cell: %s, want 1.0377e9", dartsCell)
	}
	for name, c := range map[string]struct {
		f     nets.Family
		want  *big.Int
		rough string // as published
	}{
		"NAS-Bench-201":             {made(nets.NASBench201Space{}.New()), big.NewInt(15625), "15625"},
		"NAS-Bench-201, three":      {made(nets.NASBench201Space{Ops: []string{"none", "nor_conv_3x3", "skip_connect"}}.New()), pow(3, 6), "729"},
		"NAS-Bench-Macro":           {made(nets.MacroSpace{}.New()), big.NewInt(6561), "6561"},
		"DARTS, both cells":         {made(nets.DARTSSpace{}.New()), square(dartsCell), "1.08e+18"},
		"DARTS, two steps":          {made(nets.DARTSSpace{Steps: 2}.New()), square(product(49, 3*49)), ""},
		"NASNet, both cells":        {made(nets.NASNetSpace{}.New()), square(nasnetCell), "5.23e+36"},
		"Once-for-All":              {made(nets.OFASpace{}.New()), new(big.Int).Mul(ofa, big.NewInt(25)), "5.44e+20"}, // 2.18e19 × 25
		"Once-for-All, one size":    {made(nets.OFASpace{Sides: []int{224}}.New()), ofa, "2.18e+19"},
		"mini-OFA":                  {made(nets.MiniOFA().New()), big.NewInt(400), "400"},
		"one kind of layer":         {made(nets.OFASpace{Kernels: []int{3}, Expand: []int{4}, Sides: []int{64}}.New()), pow(3, 5), ""},
		"AutoFormer, tiny":          {made(nets.AutoFormerTiny().New()), new(big.Int).Mul(big.NewInt(3), sum(big.NewInt(4), 12, 14)), ""},
		"InstaTune, BERT":           {made(nets.InstaTuneBERT().New()), sum(big.NewInt(12), 6, 12), ""},
		"InstaTune, ViT":            {made(nets.InstaTuneViT().New()), sum(big.NewInt(12), 10, 12), ""},
		"AutoDistil, tiny":          {made(nets.AutoDistilTiny().New()), big.NewInt(256), "256"},
		"transformer without heads": {made(nets.TransformerSpace{Dims: []int{8}, Depth: []int{1, 2}, Attention: []string{"softmax", "none"}, Heads: []int{1, 2}, Ratios: []float64{1}}.New()), big.NewInt(3 + 9), ""},
		"edge":                      {made(nets.MobileSpace{}.New()), product(2*2*2*2, 1+2*((2+4)+(6+36)), 3*((2+4+8)+(6+36+216)), 3*((2+4+8)+(6+36+216))), ""},
		"mobile with everything":    {made(everything().New()), product(2*2*3*3, 1+3*(2*(6+36+216)+(2+4+8)+(2+4+8)), 2*2, 2), ""},
		"MLP":                       {made(nets.MLPSpace{Numbers: 1}.New()), new(big.Int).Mul(sum(big.NewInt(5), 1, 4), big.NewInt(4*2*2*4)), ""},
		"MLP with categories":       {made(nets.MLPSpace{Categories: []int{4}, Widths: []int{8}}.New()), big.NewInt(4 * 4 * 2 * 2 * 4 * 3), ""},
	} {
		if got := count(c.f); got != c.want.String() {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if x, _ := new(big.Float).SetInt(c.want).Float64(); c.rough != "" && fmt.Sprintf("%.3g", x) != c.rough && c.want.String() != c.rough {
			t.Errorf("%s: %.3g, published %s", name, x, c.rough)
		}
	}
	if x, _ := new(big.Float).SetInt(nasnetCell).Float64(); fmt.Sprintf("%.3g", x) != "2.29e+18" {
		t.Errorf("a NASNet cell: %g, want 2.29e18", x)
	}
}

// All cells of two steps, listed without the space, are the space's.
func TestEnumeratedCells(t *testing.T) {
	ops := []string{"max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"}
	f := made(nets.DARTSSpace{Steps: 2, CellSize: tiny}.New())
	var steps [2][]nets.Step
	for i := range steps {
		for a := range i + 2 {
			for b := range a {
				for _, x := range ops {
					for _, y := range ops {
						steps[i] = append(steps[i], nets.Step{A: nets.Branch{Op: x, From: a}, B: nets.Branch{Op: y, From: b}})
					}
				}
			}
		}
	}
	seen := map[space.Design]bool{}
	for i, s := range steps[0] {
		for k, z := range steps[1] {
			if testing.Short() && (i+k)%20 > 0 {
				continue
			}
			g := nets.Genotype{Steps: []nets.Step{s, z}, Concat: []int{2, 3}}
			d, err := f.Design(nets.Cells{Normal: g, Reduce: g, Channels: tiny.Channels, Cells: tiny.Cells, Image: tiny.Image})
			if err != nil {
				t.Fatal(err)
			}
			seen[d] = true
		}
	}
	if n := len(steps[0]) * len(steps[1]); n != 49*3*49 || !testing.Short() && len(seen) != n {
		t.Errorf("%d cells of %d, want %d of both", len(seen), n, 49*3*49)
	}

	few := made(nets.DARTSSpace{Steps: 2, Ops: ops[2:4], CellSize: tiny}.New())
	n := 0
	for d := range few.Space().All() {
		n++
		if n%97 == 0 {
			graph(t, few, d)
		}
	}
	if n != 48*48 {
		t.Errorf("%d pairs of cells with two operations, want %d", n, 48*48)
	}
}

// Ten thousand designs, or all where there are fewer, go to choices and back, and to JSON and numbers and back; all neighbours and
// mutants of a design are networks too.
func TestSpaceRoundTrips(t *testing.T) {
	for i, s := range families() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r, sp := rng.New(1, "nets space", uint64(i)), s.family.Space()
			labels := map[string]space.Design{}
			designs := func(yield func(int, space.Design) bool) {
				for k := range samples(s.rounds) {
					if !yield(k, draw(t, r, s.family)) {
						return
					}
				}
			}
			if n, _ := sp.Count(); n.Cmp(big.NewInt(10_000)) < 0 {
				designs = func(yield func(int, space.Design) bool) {
					k := 0
					for d := range sp.All() {
						if !yield(k, d) {
							return
						}
						k++
					}
				}
			}
			for k, d := range designs {
				s.round(t, d)
				if k%50 > 0 {
					continue
				}
				label := s.family.Label(d)
				if label == "" || strings.ContainsAny(label, "\n{") {
					t.Errorf("%s has the label %q", d, label)
				}
				if other, ok := labels[label]; ok && other != d {
					t.Errorf("%s and %s have the label %q", d, other, label)
				}
				labels[label] = d
				x, err := sp.Encode(d, nil)
				if err != nil {
					t.Fatal(err)
				}
				back, err := sp.FromFeatures(x)
				if err != nil || back != d {
					t.Fatalf("%s is encoded as %v, which is %s, %v", d, x, back, err)
				}
				if back, err = sp.ParseJSON([]byte(d.String())); err != nil || back != d {
					t.Fatalf("%s reads as %s, %v", d, back, err)
				}
				graph(t, s.family, d)
				m := sp.Mutate(r, d, space.Mutation{})
				s.round(t, m)
				graph(t, s.family, m)
				graph(t, s.family, sp.Cross(r, d, draw(t, r, s.family), space.Crossover{}))
			}
			n := 0
			for d := range sp.Neighbors(draw(t, r, s.family)) {
				if s.round(t, d); n < 20 {
					graph(t, s.family, d)
				}
				n++
			}
			if n == 0 {
				t.Error("a design has no neighbours")
			}
		})
	}
}

// Keys are equal where networks are.
func TestSpaceKeys(t *testing.T) {
	equal := map[string]int{}
	for i, s := range families() {
		r := rng.New(2, "nets space", uint64(i))
		classes, keys := map[string]neural.Class{}, map[neural.Class]string{}
		check := func(d space.Design) {
			c, k := graph(t, s.family, d).Class(neural.Exact), s.family.Key(d)
			if old, ok := classes[k]; ok && old != c {
				t.Fatalf("%s: different networks have the key of %s", s.name, d)
			}
			if old, ok := keys[c]; ok {
				if old != k {
					t.Fatalf("%s: equal networks have different keys, one of them %s", s.name, d)
				}
				equal[s.name]++
			}
			classes[k], keys[c] = c, k
		}
		d := draw(t, r, s.family)
		for range samples(200) {
			check(d)
			if d = s.family.Space().Mutate(r, d, space.Mutation{}); r.IntN(10) == 0 {
				d = draw(t, r, s.family)
			}
		}
	}
	for _, name := range []string{"nas-bench-201", "mlp"} {
		if equal[name] == 0 && !testing.Short() {
			t.Errorf("%s: no two of the networks were equal, so nothing was tested", name)
		}
	}
	// The operands of a sum, exchanged with their states and without.
	f := made(nets.NASNetSpace{CellSize: tiny, Steps: 1}.New())
	key := func(a, b nets.Branch) string {
		g := nets.Genotype{Steps: []nets.Step{{A: a, B: b}}}
		return f.Key(made(f.Design(nets.Cells{Normal: g, Reduce: g, Channels: tiny.Channels, Cells: tiny.Cells, Image: tiny.Image})))
	}
	k := key(nets.Branch{Op: "conv_1x1", From: 0}, nets.Branch{Op: "conv_3x3", From: 1})
	if key(nets.Branch{Op: "conv_3x3", From: 1}, nets.Branch{Op: "conv_1x1", From: 0}) != k {
		t.Error("a sum in another order has another key")
	}
	if key(nets.Branch{Op: "conv_3x3", From: 0}, nets.Branch{Op: "conv_1x1", From: 1}) == k {
		t.Error("operations on exchanged states have one key")
	}
}

// nested finds the largest shape of each weight in networks that were seen, and fails
// where none of two is a part of the other.
type nested map[string]neural.Shape

func (n nested) add(t *testing.T, what string, g *neural.Graph) {
	t.Helper()
	for _, w := range g.AllWeights() {
		old, ok := n[w.Name]
		if !ok {
			n[w.Name] = w.Shape
			continue
		}
		less, more := true, true
		for a := range old {
			less, more = less && w.Shape[a] <= old[a], more && w.Shape[a] >= old[a]
		}
		if w.Shape.Axes() != old.Axes() {
			t.Fatalf("%s: the weight %s is %s and %s", what, w.Name, w.Shape, old)
		}
		switch {
		case less:
		case more:
			n[w.Name] = w.Shape
		default:
			t.Fatalf("%s: the weight %s is %s and %s, neither of which is a part of the other", what, w.Name, w.Shape, old)
		}
	}
}

// The networks of every elastic family lie between the smallest and the largest, and
// their weights are parts of those of the cover, which is the largest alone unless kinds
// of layers or operations are free.
func TestElasticSpaces(t *testing.T) {
	for i, s := range families() {
		e, ok := s.family.(nets.Elastic)
		if !ok {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			all := nested{}
			large, small := graph(t, e, e.Largest()), graph(t, e, e.Smallest())
			cover := e.(interface{ Cover() []space.Design }).Cover()
			if cover[0] != e.Largest() {
				t.Error("the cover does not begin with the largest")
			}
			if alone := s.name == "once-for-all" || s.name == "mini-ofa" || strings.Contains(s.name, "transformer") || s.name == "layers alike"; alone != (len(cover) == 1) {
				t.Errorf("%d networks cover all weights", len(cover))
			}
			for _, d := range cover {
				all.add(t, s.name, graph(t, e, d))
			}
			r := rng.New(3, "nets space", uint64(i))
			for range samples(300) {
				d := draw(t, r, e)
				g := graph(t, e, d)
				c := g.Cost()
				for _, v := range []struct {
					what               string
					least, found, most int64
				}{
					{"parameters", small.Cost().Params, c.Params, large.Cost().Params},
					{"multiply-accumulates", small.Cost().MACs, c.MACs, large.Cost().MACs},
				} {
					if v.found < v.least || v.found > v.most {
						t.Errorf("%s has %d %s, the smallest %d, the largest %d", d, v.found, v.what, v.least, v.most)
					}
				}
				for _, w := range g.AllWeights() {
					whole, ok := all[w.Name]
					for a := range whole {
						ok = ok && w.Shape[a] <= whole[a]
					}
					if !ok {
						t.Fatalf("%s: the weight %s (%s) is not a part of %s", d, w.Name, w.Shape, whole)
					}
				}
			}
		})
	}
}

// The default of a mobile space is as small and as large as its documentation says.
func TestEdgeSpace(t *testing.T) {
	f := made(nets.MobileSpace{}.New())
	large, small := graph(t, f, f.Largest()).Cost(), graph(t, f, f.Smallest()).Cost()
	lenet := build(t, nets.LeNet5{}).Cost()
	t.Logf("largest %+v, smallest %+v, LeNet-5 %+v", large, small, lenet)
	if small.Params > 2000 || large.Params < 100_000 || large.Params > 250_000 || 10*small.MACs > lenet.MACs || large.MACs < 8*lenet.MACs || large.MACs > 12*lenet.MACs {
		t.Errorf("the default space goes from %+v to %+v", small, large)
	}
}

// The published cell is in the space, and is the network it is.
func TestPublishedCellInSpace(t *testing.T) {
	f := made(nets.DARTSSpace{}.New())
	net := darts(false)
	d, err := f.Design(net)
	if err != nil {
		t.Fatal(err)
	}
	g := graph(t, f, d)
	if p := g.Cost().Params; p != 3349342 {
		t.Errorf("%d parameters, want 3,349,342", p)
	}
	if g.Class(neural.Exact) != build(t, net).Class(neural.Exact) {
		t.Error("it is another network")
	}
	x, err := f.Choices(d)
	if err != nil {
		t.Fatal(err)
	}
	back, err := nets.ParseGenotype(x.Normal.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x.Normal, back); diff != "" {
		t.Error(diff)
	}
	const want = "sep3~0+sep3~1|sep3~0+sep3~1|skip~0+sep3~1|skip~0+dil3~2>2345‖max3~0+max3~1|max3~1+skip~2|max3~0+skip~2|max3~1+skip~2>2345"
	if l := f.Label(d); l != want {
		t.Errorf("label %q, want %q", l, want)
	}
}

// An operation on an edge has one name whatever else a step reads, so that cells share
// its weights.
func TestCellsShareEdges(t *testing.T) {
	cell := func(a, b nets.Branch) *neural.Graph {
		g := nets.Genotype{Steps: []nets.Step{{A: nets.Branch{Op: "conv_1x1"}, B: nets.Branch{Op: "conv_1x1", From: 1}}, {A: a, B: b}}}
		return build(t, nets.Cells{Normal: g, Reduce: g, Channels: 4, Cells: 3, Image: neural.Shape{1, 8, 8}})
	}
	edge := nets.Branch{Op: "sep_conv_3x3", From: 1}
	for _, g := range []*neural.Graph{cell(nets.Branch{Op: "conv_3x3"}, edge), cell(edge, nets.Branch{Op: "conv_3x3", From: 2}), cell(edge, edge)} {
		if g.Find("cell1/3_1_sep_conv_3x3/a_depth") < 0 {
			t.Error("the operation on the edge 1→3 has another name")
		}
	}
}

// The table of NAS-Bench-201, by designs.
func TestSpaceOfNASBench201Table(t *testing.T) {
	rows := table(t, "nas-bench-201/nasbench201.csv.gz", "ops", "params_c10_derived", "flops_c10_derived")
	f := made(nets.NASBench201Space{}.New())
	words := []string{"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}
	r := rng.New(4, "nets space", 0)
	for range 100 {
		row := rows[r.IntN(len(rows))]
		values := map[string]any{}
		for e, edge := range []string{"edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"} {
			values[edge] = words[row[0][e]-'0']
		}
		d, err := f.Space().FromMap(values)
		if err != nil {
			t.Fatal(err)
		}
		c, err := f.Cost(d)
		if err != nil {
			t.Fatal(err)
		}
		same(t, row[0]+" params", c.Params, row[1])
		same(t, row[0]+" MACs", c.MACs, row[2])
	}
}

// The keys of all cells are the classes.
func TestKeysOfNASBench201(t *testing.T) {
	if testing.Short() {
		t.Skip("looks at all cells")
	}
	f := made(nets.NASBench201Space{}.New())
	keys := map[string]bool{}
	for d := range f.Space().All() {
		keys[f.Key(d)] = true
	}
	if len(keys) != exactClasses {
		t.Errorf("%d keys, want %d", len(keys), exactClasses)
	}
}

func TestOneHot(t *testing.T) {
	o := nets.OFA{Side: 160, Depth: [5]int{2, 3, 4, 2, 2}}
	for i := range o.Kernels {
		o.Kernels[i], o.Expand[i] = []int{3, 5, 7}[i%3], []int{3, 4, 6}[i/2%3]
	}
	x, err := o.OneHot()
	if err != nil {
		t.Fatal(err)
	}
	var ones []int
	for i, v := range x {
		if v == 1 {
			ones = append(ones, i)
		} else if v != 0 {
			t.Errorf("number %d is %g", i, v)
		}
	}
	// layers 0 1, 4 5 6, 8 9 10 11, 12 13, 16 17; the side is 3·16 above 112
	var want []int
	there := []int{0, 1, 4, 5, 6, 8, 9, 10, 11, 12, 13, 16, 17}
	for _, l := range there {
		want = append(want, 3*l+l%3)
	}
	for _, l := range there {
		want = append(want, 60+3*l+l/2%3)
	}
	want = append(want, 123)
	if len(x) != 128 || !slices.Equal(ones, want) {
		t.Errorf("ones at %v of %d, want %v of 128", ones, len(x), want)
	}
	for want, change := range map[string]func(o *nets.OFA){
		"a side of 130":   func(o *nets.OFA) { o.Side = 130 },
		"a kernel of 4":   func(o *nets.OFA) { o.Kernels[0] = 4 },
		"found 9, want 0": func(o *nets.OFA) { o.Depth[1] = 9 },
	} {
		bad := o
		change(&bad)
		if _, err := bad.OneHot(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// The settings of layers that are not there make no difference.
func TestSkippedLayers(t *testing.T) {
	f := made(nets.OFASpace{}.New())
	o, err := f.Choices(f.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	p := o
	p.Kernels[3], p.Expand[3] = 7, 6
	d, err := f.Design(p)
	if err != nil || d != f.Smallest() {
		t.Errorf("%s, %v", d, err)
	}
}

// The defaults that study files have are those of the zero value.
func TestSpaceDefaults(t *testing.T) {
	check := func(name string, zero nets.Family, err1 error, filled nets.Family, err2 error) {
		t.Helper()
		if err1 != nil || err2 != nil {
			t.Fatal(name, err1, err2)
		}
		if !zero.Space().Equal(filled.Space()) {
			t.Errorf("%s: the zero value is %s, study files have %s", name, zero.Space(), filled.Space())
		}
		r := rng.New(5, "nets space", 0)
		d := draw(t, r, zero)
		if zero.Label(d) != filled.Label(d) || zero.Key(d) != filled.Key(d) {
			t.Errorf("%s: %s is different for the zero value and in study files", name, d)
		}
	}
	var s struct {
		NB     nets.NASBench201Space `yaml:"nb201"`
		Macro  nets.MacroSpace       `yaml:"macro"`
		DARTS  nets.DARTSSpace       `yaml:"darts"`
		NASNet nets.NASNetSpace      `yaml:"nasnet"`
		OFA    nets.OFASpace         `yaml:"ofa"`
		Mobile nets.MobileSpace      `yaml:"mobile"`
		Trans  nets.TransformerSpace `yaml:"transformer"`
		MLP    nets.MLPSpace         `yaml:"mlp"`
	}
	source.Defaults(&s)
	a1, e1 := nets.NASBench201Space{}.New()
	a2, e2 := s.NB.New()
	check("nas-bench-201", a1, e1, a2, e2)
	b1, e1 := nets.MacroSpace{}.New()
	b2, e2 := s.Macro.New()
	check("macro", b1, e1, b2, e2)
	c1, e1 := nets.DARTSSpace{}.New()
	c2, e2 := s.DARTS.New()
	check("darts", c1, e1, c2, e2)
	d1, e1 := nets.NASNetSpace{}.New()
	d2, e2 := s.NASNet.New()
	check("nasnet", d1, e1, d2, e2)
	f1, e1 := nets.OFASpace{}.New()
	f2, e2 := s.OFA.New()
	check("ofa", f1, e1, f2, e2)
	g1, e1 := nets.MobileSpace{}.New()
	g2, e2 := s.Mobile.New()
	check("mobile", g1, e1, g2, e2)
	h1, e1 := nets.TransformerSpace{}.New()
	h2, e2 := s.Trans.New()
	check("transformer", h1, e1, h2, e2)
	s.MLP.Numbers = 3
	i1, e1 := nets.MLPSpace{Numbers: 3}.New()
	i2, e2 := s.MLP.New()
	check("mlp", i1, e1, i2, e2)

	// A list of stages, with defaults of its own.
	r := new(source.Report)
	v, r := source.Parse("study.yaml", []byte("stages:\n- {widths: [8, 16], stride: 1}\n- {widths: [32], kinds: [fused], depth: [2, 3]}\n"))
	var m nets.MobileSpace
	if !source.Decode(r, v, &m) {
		t.Fatal(r)
	}
	f, err := m.New()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := count(f), fmt.Sprint(2*2*2*2*2*((2+4)+(6+36))*(36+216)); got != want {
		t.Errorf("%s networks, want %s", got, want)
	}
}

// What cannot be a space is refused with what was found.
func TestBadSpaces(t *testing.T) {
	stage := func(change func(*nets.MobileStage)) nets.MobileSpace {
		s := nets.MobileStage{Widths: []int{8}}
		change(&s)
		return nets.MobileSpace{Stages: []nets.MobileStage{s}}
	}
	fail := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	for want, s := range map[string]nets.NASBench201Space{
		"nas-bench-201: ops: found conv, want some of [none": {Ops: []string{"conv"}},
		"ops: found none twice":                              {Ops: []string{"none", "none"}},
		"channels: found -1, want 1 to 1024":                 {Channels: -1},
		"cells: found 1000, want 1 to 100":                   {Cells: 1000},
		`node "stage2/reduce/sum"`:                           {Image: neural.Shape{3, 3, 3}},
	} {
		_, err := s.New()
		fail(want, err)
	}
	_, err := nets.MacroSpace{Channels: 5000}.New()
	fail("channels: found 5000", err)
	for want, s := range map[string]nets.DARTSSpace{
		"darts: steps: found 9, want 1 to 8":                {Steps: 9},
		"ops: found sep_conv_9x9, want some":                {Ops: []string{"sep_conv_9x9"}},
		"drop_path: found 1, want 0 or more":                {CellSize: nets.CellSize{DropPath: 1}},
		"cells: found -3":                                   {CellSize: nets.CellSize{Cells: -3}},
		`node "cell8/in0/concat" (concat): found operand 2`: {CellSize: nets.CellSize{Image: neural.Shape{3, 7, 7}}},
	} {
		_, err := s.New()
		fail(want, err)
	}
	_, err = nets.NASNetSpace{Joins: []string{"mean"}}.New()
	fail("joins: found mean, want some of [sum concat]", err)
	for want, s := range map[string]nets.OFASpace{
		"depth: found [0 9], want the least and the most, from 1 to 4": {Depth: []int{0, 9}},
		"kernels: found 4, want some of":                               {Kernels: []int{4}},
		"expand: found 3 after 6, want each above the last":            {Expand: []int{6, 3}},
		"sides: found 8, want 32 to 1024":                              {Sides: []int{8}},
		"width: found -1":                                              {Width: -1},
	} {
		_, err := s.New()
		fail(want, err)
	}
	for want, s := range map[string]nets.MobileSpace{
		"stages[0]: kinds: found mlp":                                                                          stage(func(s *nets.MobileStage) { s.Kinds = []string{"mlp"} }),
		"stages[0]: widths: found none":                                                                        stage(func(s *nets.MobileStage) { s.Widths = nil }),
		"stages[0]: widths: found 3, want 4 to 8192":                                                           stage(func(s *nets.MobileStage) { s.Widths = []int{3} }),
		"stages[0]: expand: found 1.25, want 1, or 1.5 and more":                                               stage(func(s *nets.MobileStage) { s.Expand = []float64{1.25} }),
		"stages[0]: kernels: found 2, want some of":                                                            stage(func(s *nets.MobileStage) { s.Kernels = []int{2} }),
		"stages[0]: depth: found a stage that may be left out, with a stride of 2":                             stage(func(s *nets.MobileStage) { s.Depth = []int{0, 1} }),
		"stages[0]: depth: found a stage that may be left out, with a stride of 1 and widths [8] after [8 16]": stage(func(s *nets.MobileStage) { s.Depth, s.Stride = []int{0, 1}, 1 }),
		"stages[0]: depth: found [2 1]":                                                                        stage(func(s *nets.MobileStage) { s.Depth = []int{2, 1} }),
		"func: found step":                                                                                     {Func: "step"},
		"dropout: found 1":                                                                                     {Dropout: 1},
		"stages: found 17":                                                                                     {Stages: make([]nets.MobileStage, 17)},
		"places: found flatten with images of several sizes":                                                   {Sides: []int{20, 28}},
		"stem_reduce: found half, want some of [stride pool none]":                                             {Reduce: []string{"half"}},
		"stem: found 0": {Stem: []int{0}},
	} {
		_, err := s.New()
		fail("mobile: "+want, err)
	}
	for want, s := range map[string]nets.TransformerSpace{
		"found ratios and hidden":            {Ratios: []float64{1}, Hidden: []int{4}},
		"found an image and a vocabulary":    {Image: neural.Shape{1, 8, 8}, Vocabulary: 5},
		"attention: found dense":             {Attention: []string{"dense"}},
		"both make 64 hidden features of 64": {Dims: []int{64}, Ratios: []float64{1, 1.001}},
		`node "embed/patches"`:               {Image: neural.Shape{1, 3, 3}},
	} {
		_, err := s.New()
		fail(want, err)
	}
	for want, s := range map[string]nets.MLPSpace{
		"found 0 columns of numbers and 0 of categories": {},
		"dropout: found 1":  {Numbers: 1, Dropout: []float64{0, 1}},
		"funcs: found step": {Numbers: 1, Funcs: []string{"step"}},
	} {
		_, err := s.New()
		fail(want, err)
	}
}

// Networks that a space does not have are refused with what is different.
func TestNotInSpace(t *testing.T) {
	fail := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	nb := made(nets.NASBench201Space{Ops: []string{"none", "nor_conv_3x3"}}.New())
	_, err := nb.Design(nets.NASBench201{Ops: [6]nets.CellOp{nets.Skip}})
	fail("edge_0_1", err)
	_, err = nb.Design(nets.NASBench201{Channels: 8})
	fail("Channels: found 8, want 16", err)
	_, err = nb.Design(nets.NASBench201{Ops: [6]nets.CellOp{9}})
	fail("found CellOp(9)", err)
	ds := made(nets.DARTSSpace{}.New())
	twice := darts(false)
	twice.Normal.Steps = slices.Clone(twice.Normal.Steps)
	twice.Normal.Steps[2].A.From, twice.Normal.Steps[2].B.From = 1, 1
	_, err = ds.Design(twice)
	fail("normal cell, step 3: found state 1 twice", err)
	part := darts(false)
	part.Reduce.Concat = []int{4, 5}
	_, err = ds.Design(part)
	fail("Reduce.Concat: found 2, want 4", err)
	m := made(nets.MiniOFA().New())
	x, err := m.Choices(m.Largest())
	if err != nil {
		t.Fatal(err)
	}
	x.Units[1].Layers[1].Kernel = 7
	_, err = m.Design(x)
	fail("stage2.layers[1].kernel: 7; expected one of 3, 5", err)
	x.Units = x.Units[:1]
	_, err = m.Design(x)
	fail("found 1 units, want 2", err)
	other := made(nets.MacroSpace{}.New())
	_, err = m.Graph(other.Largest())
	fail("the design belongs to another space", err)
	if m.Label(other.Largest()) == "" || m.Key(other.Largest()) == "" {
		t.Error("a design of another space has no label or key")
	}
	// Designs of a part of the space are designs of the space.
	sp, err := m.Space().Fix("stage1.layers", 1)
	if err != nil {
		t.Fatal(err)
	}
	d := sp.MustSample(rng.New(6, "nets space", 0))
	graph(t, m, d)
}

// Whatever choices come, they are a network of the space or refused.
func FuzzDesign(f *testing.F) {
	try := func(t *testing.T, family nets.Family, d space.Design, err error) {
		if err != nil {
			return
		}
		if _, err := family.Graph(d); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
	mobile, text := made(everything().New()), made(nets.TransformerSpace{Vocabulary: 30, Length: 16, Attention: []string{"softmax", "none"}}.New())
	ofa, cells, mlp := made(nets.OFASpace{Sides: []int{32}}.New()), made(nets.DARTSSpace{CellSize: tiny}.New()), made(nets.MLPSpace{Categories: []int{3}}.New())
	r := rng.New(7, "nets space", 0)
	for i, e := range []struct {
		f       nets.Family
		choices func(space.Design) (any, error)
	}{
		{mobile, func(d space.Design) (any, error) { return mobile.Choices(d) }},
		{text, func(d space.Design) (any, error) { return text.Choices(d) }},
		{ofa, func(d space.Design) (any, error) { return ofa.Choices(d) }},
		{cells, func(d space.Design) (any, error) { return cells.Choices(d) }},
		{mlp, func(d space.Design) (any, error) { return mlp.Choices(d) }},
	} {
		for range 3 {
			x, err := e.choices(draw(f, r, e.f))
			if err != nil {
				f.Fatal(err)
			}
			b, err := json.Marshal(x)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), b)
		}
	}
	f.Add(byte(0), []byte(`{"Units":[{},{},{}]}`))
	f.Add(byte(1), []byte(`{"Dim":64,"Layers":[{"Attention":9},{"Heads":-1}]}`))
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		switch which % 5 {
		case 0:
			var x nets.Mobile
			if json.Unmarshal(data, &x) == nil {
				d, err := mobile.Design(x)
				try(t, mobile, d, err)
			}
		case 1:
			var x nets.Transformer
			if json.Unmarshal(data, &x) == nil {
				d, err := text.Design(x)
				try(t, text, d, err)
			}
		case 2:
			var x nets.OFA
			if json.Unmarshal(data, &x) == nil {
				d, err := ofa.Design(x)
				try(t, ofa, d, err)
			}
		case 3:
			var x nets.Cells
			if json.Unmarshal(data, &x) == nil {
				d, err := cells.Design(x)
				try(t, cells, d, err)
			}
		case 4:
			var x nets.MLP
			if json.Unmarshal(data, &x) == nil {
				d, err := mlp.Design(x)
				try(t, mlp, d, err)
			}
		}
	})
}
