package nets_test

import (
	"compress/gzip"
	"encoding/csv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
)

type maker interface{ Graph() (*neural.Graph, error) }

func build(t testing.TB, m maker) *neural.Graph {
	t.Helper()
	g, err := m.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// vit is a vision transformer of equal layers.
func vit(dim, layers, heads int) nets.Transformer {
	n := nets.Transformer{Image: neural.Shape{3, 224, 224}, Dim: dim, Classes: 1000, ClassToken: true}
	for range layers {
		n.Layers = append(n.Layers, nets.TransformerLayer{Heads: heads, Hidden: 4 * dim})
	}
	return n
}

// mobileNetV3 is MobileNetV3-Large (Howard et al. 2019, table 1).
func mobileNetV3() nets.Mobile {
	layer := func(k int, e ...float64) (l []nets.MobileLayer) {
		for _, e := range e {
			l = append(l, nets.MobileLayer{Kernel: k, Expand: e})
		}
		return l
	}
	return nets.Mobile{
		Image: neural.Shape{3, 224, 224}, Stem: 16, Expand: 960, Mix: 1280, Classes: 1000,
		Units: []nets.MobileUnit{
			{Out: 16, Stride: 1, Func: neural.ReLU, Layers: layer(3, 1)},
			{Out: 24, Stride: 2, Func: neural.ReLU, Layers: layer(3, 4, 3)},
			{Out: 40, Stride: 2, Squeeze: true, Func: neural.ReLU, Layers: layer(5, 3, 3, 3)},
			{Out: 80, Stride: 2, Func: neural.HardSwish, Layers: layer(3, 6, 2.5, 2.3, 2.3)},
			{Out: 112, Stride: 1, Squeeze: true, Func: neural.HardSwish, Layers: layer(3, 6, 6)},
			{Out: 160, Stride: 2, Squeeze: true, Func: neural.HardSwish, Layers: layer(5, 6, 6, 6)},
		},
	}
}

func darts(search bool) nets.Cells {
	normal, reduce := nets.DARTS2()
	return nets.Cells{Normal: normal, Reduce: reduce, Search: search}
}

// Parameters and multiply-accumulates that others count for the same networks.
func TestPublishedCounts(t *testing.T) {
	all3x3 := nets.NASBench201{Ops: [6]nets.CellOp{3, 3, 3, 3, 3, 3}}
	for name, c := range map[string]struct {
		net          maker
		params, macs int64 // 0: not known
	}{
		// the benchmark's API; ../../shared/data has all of them
		"NAS-Bench-201, all 3×3": {all3x3, 1531546, 220119680},
		"NAS-Bench-201, nothing": {nets.NASBench201{}, 73306, 7783040},
		// the released network's own count without the auxiliary head; the card says 3.3M
		"DARTS-V2, CIFAR-10": {darts(false), 3349342, 0},
		// torchvision's mobilenet_v3_large has 5,483,032 with a bias of 1,280 before the
		// hard swish that Once-for-All's form does not have
		"MobileNetV3-Large": {mobileNetV3(), 5483032 - 1280, 0},
		// timm's deit_tiny_patch16_224 and vit_base_patch16_224
		"DeiT-Ti":  {vit(192, 12, 3), 5717416, 0},
		"ViT-B/16": {vit(768, 12, 12), 86567656, 0},
		// LeCun et al. 1998 with full connections in C3: 156+2416+48120+10164+850
		"LeNet-5": {nets.LeNet5{}, 61706, 0},
		// chenyaofo/pytorch-cifar-models, cifar10_resnet20
		"ResNet-20": {nets.ResNet{}, 272474, 40813184},
		// Howard et al. 2017, table 4: 4.2M and 569M
		"MobileNet 224": {nets.MobileNet{Image: neural.Shape{3, 224, 224}, Classes: 1000}, 4231976, 568740352},
	} {
		g := build(t, c.net)
		got := g.Cost()
		if got.Params != c.params || c.macs != 0 && got.MACs != c.macs {
			t.Errorf("%s: %d parameters and %d multiply-accumulates, want %d and %d", name, got.Params, got.MACs, c.params, c.macs)
		}
		t.Logf("%s: %+v", name, got)
	}
}

// MACs that are published with fewer digits.
func TestPublishedMACs(t *testing.T) {
	for name, c := range map[string]struct {
		net       maker
		low, high float64
	}{
		"DARTS-V2":          {darts(false), 520e6, 545e6},       // no count of the authors is known to us; 528M is ours
		"MobileNetV3-Large": {mobileNetV3(), 215e6, 220e6},      // 219M in the paper's table 3
		"DeiT-Ti":           {vit(192, 12, 3), 1.24e9, 1.27e9},  // 1.26G (Touvron et al. 2021, with attention)
		"ViT-B/16":          {vit(768, 12, 12), 17.4e9, 17.7e9}, // 17.58G with attention
	} {
		if got := float64(build(t, c.net).Cost().MACs); got < c.low || got > c.high {
			t.Errorf("%s: %g multiply-accumulates, want %g to %g", name, got, c.low, c.high)
		}
	}
}

// table reads columns of a table of the shared data.
func table(t *testing.T, path string, columns ...string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", path))
	if err != nil {
		t.Skipf("needs the shared data: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for _, row := range rows[1:] {
		var kept []string
		for _, c := range columns {
			for i, name := range rows[0] {
				if name == c {
					kept = append(kept, row[i])
				}
			}
		}
		out = append(out, kept)
	}
	return out
}

func same(t *testing.T, what string, got int64, want string) {
	t.Helper()
	if n, err := strconv.ParseInt(want, 10, 64); err != nil || n != got {
		t.Errorf("%s: %d, want %s", what, got, want)
	}
}

func TestNASBench201Table(t *testing.T) {
	rows := table(t, "nas-bench-201/nasbench201.csv.gz", "ops", "params_c10_derived", "flops_c10_derived")
	r := rng.New(1, "nets test", 0)
	for range 100 {
		row := rows[r.IntN(len(rows))]
		var n nets.NASBench201
		for e := range n.Ops {
			n.Ops[e] = nets.CellOp(row[0][e] - '0')
		}
		c := build(t, n).Cost()
		same(t, row[0]+" params", c.Params, row[1])
		same(t, row[0]+" MACs", c.MACs, row[2])
		if parts, err := n.Cost(); err != nil || parts != c {
			t.Errorf("%s: by parts %+v, %v, want %+v", row[0], parts, err, c)
		}
	}
}

func TestNASBenchMacroTable(t *testing.T) {
	rows := table(t, "nas-bench-macro/nasbenchmacro_cifar10.csv.gz", "arch", "params", "flops")
	if len(rows) != 6561 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		if i%13 != 0 && i != len(rows)-1 {
			continue
		}
		var n nets.Macro
		for k := range n.Ops {
			n.Ops[k] = nets.ChainOp(row[0][k] - '0')
		}
		c := build(t, n).Cost()
		same(t, row[0]+" params", c.Params, row[1])
		same(t, row[0]+" MACs", c.MACs, row[2])
	}
}

// cells returns all cells of NAS-Bench-201.
func cells() (all []nets.NASBench201) {
	for k := range 15625 {
		var n nets.NASBench201
		for e := range n.Ops {
			n.Ops[e] = nets.CellOp(k % 5)
			k /= 5
		}
		all = append(all, n)
	}
	return all
}

func TestClassesOfNASBench201(t *testing.T) {
	if testing.Short() {
		t.Skip("builds all cells three times")
	}
	for e, want := range map[neural.Equivalence]int{neural.Published: 6466, neural.Folded: 4930, neural.NoZeros: 12751} {
		classes := map[neural.Class]bool{}
		for _, n := range cells() {
			g, err := n.Cell(neural.Shape{16, 8, 8})
			if err != nil {
				t.Fatal(err)
			}
			classes[g.Class(e)] = true
		}
		if len(classes) != want {
			t.Errorf("equivalence %d: %d classes, want %d", e, len(classes), want)
		}
	}
}

// exactKey describes the function of a cell: the operators on the paths from the
// input to the output and what they read, in the first of all orders of naming
// them.
func exactKey(n nets.NASBench201) string {
	type operator struct {
		op   nets.CellOp
		node int // that it reads
	}
	var ops []operator
	values := [4][]int{{-1}} // each node as a sum: of the input, −1, and of operators
	e := 0
	for to := 1; to < 4; to++ {
		for from := range to {
			switch o := n.Ops[e]; {
			case o == nets.None || len(values[from]) == 0:
			case o == nets.Skip:
				values[to] = append(values[to], values[from]...)
			default:
				values[to] = append(values[to], len(ops))
				ops = append(ops, operator{o, from})
			}
			e++
		}
	}
	needed := make([]bool, len(ops))
	var need func(sum []int)
	need = func(sum []int) {
		for _, k := range sum {
			if k >= 0 && !needed[k] {
				needed[k] = true
				need(values[ops[k].node])
			}
		}
	}
	need(values[3])
	var kept []int
	for k := range ops {
		if needed[k] {
			kept = append(kept, k)
		}
	}
	best := ""
	name := make([]byte, len(ops))
	var permute func(i int)
	permute = func(i int) {
		if i < len(kept) {
			for j := i; j < len(kept); j++ {
				kept[i], kept[j] = kept[j], kept[i]
				permute(i + 1)
				kept[i], kept[j] = kept[j], kept[i]
			}
			return
		}
		for at, k := range kept {
			name[k] = 'a' + byte(at)
		}
		var key []byte
		sum := func(v []int) {
			from := len(key)
			for _, k := range v {
				if k < 0 {
					key = append(key, '-')
				} else {
					key = append(key, name[k])
				}
			}
			slices.Sort(key[from:])
			key = append(key, ';')
		}
		for _, k := range kept {
			key = append(key, '0'+byte(ops[k].op))
			sum(values[ops[k].node])
		}
		sum(values[3])
		if best == "" || string(key) < best {
			best = string(key)
		}
	}
	permute(0)
	return best
}

// The exact classes are those that trying all orders finds.
func TestExactClassesOfNASBench201(t *testing.T) {
	keys, classes := map[string]neural.Class{}, map[neural.Class]string{}
	all := cells()
	step := 1
	if testing.Short() {
		step = 7
	}
	for i := 0; i < len(all); i += step {
		g, err := all[i].Cell(neural.Shape{16, 8, 8})
		if err != nil {
			t.Fatal(err)
		}
		key, class := exactKey(all[i]), g.Class(neural.Exact)
		if c, ok := keys[key]; ok && c != class {
			t.Fatalf("%v: the function %s has two classes", all[i].Ops, key)
		}
		if k, ok := classes[class]; ok && k != key {
			t.Fatalf("%v: the functions %s and %s have one class", all[i].Ops, k, key)
		}
		keys[key], classes[class] = class, key
	}
	if step == 1 && len(classes) != exactClasses {
		t.Errorf("%d classes, want %d", len(classes), exactClasses)
	}
}

// exactClasses is how many functions the cells compute if results that are read
// twice are told from those that are computed twice.
const exactClasses = 5425

// slices reports weights of a network that are no slices of those of one name in
// another.
func slicesOf(t *testing.T, what string, small, large *neural.Graph) {
	t.Helper()
	shapes := map[string]neural.Shape{}
	for _, w := range large.AllWeights() {
		shapes[w.Name] = w.Shape
	}
	for _, w := range small.AllWeights() {
		s, ok := shapes[w.Name]
		if !ok || s.Axes() != w.Shape.Axes() {
			t.Errorf("%s: %s (%s) is not in the largest network, which has %s", what, w.Name, w.Shape, s)
			continue
		}
		for i := range s {
			if w.Shape[i] > s[i] {
				t.Errorf("%s: %s is %s, in the largest network %s", what, w.Name, w.Shape, s)
			}
		}
	}
}

// The weights of every network of an elastic family are slices of those of the
// largest.
func TestElasticWeights(t *testing.T) {
	largest := nets.OFA{Side: 64}
	for i := range largest.Kernels {
		largest.Kernels[i], largest.Expand[i] = 7, 6
	}
	largest.Depth = [5]int{4, 4, 4, 4, 4}
	large := build(t, largest)
	deep := nets.Transformer{Vocabulary: 20, Length: 16, Dim: 64, Classes: 20}
	for range 6 {
		deep.Layers = append(deep.Layers, nets.TransformerLayer{Heads: 8, HeadDim: 8, Hidden: 256})
	}
	encoder := build(t, deep)
	r := rng.New(2, "nets test", 0)
	for range 20 {
		o := nets.OFA{Side: 64}
		for i := range o.Kernels {
			o.Kernels[i], o.Expand[i] = 3+2*r.IntN(3), []int{3, 4, 6}[r.IntN(3)]
		}
		for i := range o.Depth {
			o.Depth[i] = 2 + r.IntN(3)
		}
		slicesOf(t, "once-for-all", build(t, o), large)

		n := deep
		n.Dim, n.Layers = 16*(1+r.IntN(4)), nil
		for range 1 + r.IntN(6) {
			n.Layers = append(n.Layers, nets.TransformerLayer{Heads: 1 + r.IntN(8), HeadDim: 8, Hidden: 64 * r.IntN(5), Attention: neural.AttentionKind(r.IntN(5)), NoAttention: r.IntN(4) == 0})
		}
		slicesOf(t, "transformer", build(t, n), encoder)
	}
}

// Bad choices are refused with what was found.
func TestBadChoices(t *testing.T) {
	normal, reduce := nets.DARTS2()
	bad := func(change func(n *nets.Cells)) nets.Cells {
		n := nets.Cells{Normal: normal, Reduce: reduce}
		n.Normal.Steps = slices.Clone(normal.Steps)
		change(&n)
		return n
	}
	for want, net := range map[string]maker{
		"edge 0→2: found CellOp(7)":                      nets.NASBench201{Ops: [6]nets.CellOp{0, 7}},
		"layer 3: found the operation 9":                 nets.Macro{Ops: [8]nets.ChainOp{0, 0, 9}},
		"depth of unit 1: found 0, want 1 to 4":          nets.OFA{},
		"width: found -1":                                nets.OFA{Width: -1},
		"unit 1, layer 1: found an expansion of -1":      nets.Mobile{Units: []nets.MobileUnit{{Out: 8, Func: neural.ReLU, Layers: []nets.MobileLayer{{Kernel: 3, Expand: -1}}}}},
		`step 2: found the operation "sep_conv_9x9"`:     bad(func(n *nets.Cells) { n.Normal.Steps[1].A.Op = "sep_conv_9x9" }),
		"step 1: found state 2, want 0 to 1":             bad(func(n *nets.Cells) { n.Normal.Steps[0].B.From = 2 }),
		"concat: found state 9, want 2 to 5":             bad(func(n *nets.Cells) { n.Normal.Concat = []int{9} }),
		"reduction cell: found 0 steps":                  bad(func(n *nets.Cells) { n.Reduce.Steps = nil }),
		"found 10 features for 3 heads":                  nets.Transformer{Vocabulary: 5, Length: 5, Dim: 10, Classes: 2, Layers: []nets.TransformerLayer{{Heads: 3}}},
		`node "text" (input): found the shape [0 0 0 0]`: nets.Transformer{Dim: 8, Classes: 2},
		"found no columns":                               nets.MLP{Out: 2},
		`node "layer1/linear" (linear -4): out`:          nets.MLP{Numbers: 3, Hidden: []int{-4}, Out: 2},
		`node "stem/conv" (conv 3×3): out: found -8`:     nets.ResNet{Channels: -8},
		"mobilenet: width: found 1000":                   nets.MobileNet{Width: 1000},
	} {
		if _, err := net.Graph(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// randomGenotype draws a cell from all that can be built.
func randomGenotype(r *rand.Rand) (g nets.Genotype) {
	ops := nets.Operations()
	branch := func(states int) nets.Branch { return nets.Branch{Op: ops[r.IntN(len(ops))], From: r.IntN(states)} }
	for i := range 1 + r.IntN(5) {
		g.Steps = append(g.Steps, nets.Step{A: branch(i + 2), B: branch(i + 2), Concat: r.IntN(3) == 0})
	}
	for i := range g.Steps {
		if r.IntN(4) == 0 {
			g.Concat = append(g.Concat, i+2)
		}
	}
	return g
}

// Whatever cells are drawn, their text reads back as they are, and their network
// can be built.
func TestRandomCells(t *testing.T) {
	for i := range 200 {
		r := rng.New(3, "nets test", uint64(i))
		n := nets.Cells{Normal: randomGenotype(r), Reduce: randomGenotype(r), Channels: 4, Cells: 5, Search: i%2 == 0, DropPath: 0.2}
		for _, g := range []nets.Genotype{n.Normal, n.Reduce} {
			back, err := nets.ParseGenotype(g.String())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(g, back); d != "" {
				t.Error(d)
			}
		}
		build(t, n)
	}
}

func FuzzGenotype(f *testing.F) {
	normal, reduce := nets.DARTS2()
	f.Add(normal.String())
	f.Add(reduce.String())
	f.Add("sep_conv_3x3~0+sep_conv_3x3~1 | skip_connect~0&dil_conv_3x3~2 > 2 3")
	f.Add("conv_1x1~0+ | >")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := nets.ParseGenotype(text)
		if err != nil {
			return
		}
		back, err := nets.ParseGenotype(g.String())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g, back); d != "" {
			t.Fatal(d)
		}
	})
}

// Unused states are what a cell without a list returns, and steps that nothing
// reads are known.
func TestGenotype(t *testing.T) {
	step := func(i, j int) nets.Step {
		return nets.Step{A: nets.Branch{Op: "conv_1x1", From: i}, B: nets.Branch{Op: "conv_1x1", From: j}}
	}
	g := nets.Genotype{Steps: []nets.Step{step(0, 1), step(2, 0), step(1, 1), step(4, 4)}}
	if got := g.Result(); !slices.Equal(got, []int{3, 5}) {
		t.Errorf("the result is of %v, want 3 and 5", got)
	}
	g.Concat = []int{3}
	if got := g.Unreached(); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("steps %v are not reached, want 2 and 3", got)
	}
}
