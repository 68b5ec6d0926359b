package score

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// Scores by gradients are what differences of a slow network in float64 say.
func TestGradientScores(t *testing.T) {
	t.Parallel()
	g := small(t, neural.SiLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 5, 3)
	l := func(w neural.Weights) float64 { return loss(t, g, w, b) }
	grad := slopes(g, w, l)
	var norm, snip, plain float64
	for name, v := range grad {
		square := 0.0
		for k, x := range v {
			square += x * x
			snip += math.Abs(x * float64(w[name][k]))
			plain += x * float64(w[name][k])
		}
		norm += math.Sqrt(square)
	}
	near(t, "grad_norm", of(t, "grad_norm", g, w, b), norm, 1e-3)
	near(t, "snip", of(t, "snip", g, w, b), snip, 1e-3)
	near(t, "plain", of(t, "plain", g, w, b), plain, 1e-3)
}

// grasp is −wᵀHg: less the mixed second derivative of the loss in the directions of w and
// of g, where ReLU lets pass what it does with the original weights.
func TestGrasp(t *testing.T) {
	t.Parallel()
	for _, f := range []neural.Func{neural.SiLU, neural.ReLU} {
		g := small(t, f)
		w := draw(g, Uniform, 1, 0)
		b := randomBatch(g, 5, 3)
		grad := slopes(g, w, func(w neural.Weights) float64 { return loss(t, g, w, b) })
		c := &session{s: scorer(t, Options{}), g: g, b: b, drawn: w}
		frozen, names, with, err := c.frozen()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "loss of the frozen network", loss(t, frozen, names.weights, with), loss(t, g, w, b), 1e-6)
		at := func(alongW, alongG float64) float64 {
			m := maps.Clone(names.weights)
			for i, n := range g.Nodes() {
				v := grad[n.Name+"/weight"]
				name := names.of(i) + "/weight"
				if v != nil {
					m[name] = slices.Clone(m[name])
				}
				for k, x := range v {
					m[name][k] = float32(float64(m[name][k])*(1+alongW) + alongG*x)
				}
			}
			return loss(t, frozen, m, with)
		}
		mixed := func(s, t float64) float64 { return (at(s, t) - at(s, -t) - at(-s, t) + at(-s, -t)) / (4 * s * t) }
		want := -(4*mixed(0.05, 1.0/80) - mixed(0.1, 1.0/40)) / 3 // without the error of second order
		near(t, string(f), of(t, "grasp", g, w, b)/want, 1, 5e-3)
	}
}

// Of a network of layers that are all normalised, H·w is −g, for the loss does not feel how
// large a weight is: grasp is the square of the gradient.
func TestGraspOfNormalised(t *testing.T) {
	t.Parallel()
	b := neural.NewBuilder("normalised")
	x := b.Input("image", neural.Shape{3, 6, 6})
	for range 3 {
		x = b.Add(neural.Activation{Func: neural.ReLU}, b.Add(neural.BatchNorm{}, b.Add(neural.Conv{Out: 4, Kernel: 3}, x)))
	}
	g, err := b.Build(b.Add(neural.GlobalPool{}, x))
	if err != nil {
		t.Fatal(err)
	}
	w := draw(g, He, 1, 0)
	batch := randomBatch(g, 8, 4)
	c := &session{s: scorer(t, Options{}), g: g, b: batch, drawn: w}
	grad, err := c.gradient()
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for _, i := range layers(g) {
		v := grad[weightOf(g.Node(i))]
		want += dot(v, v)
	}
	near(t, "grasp", of(t, "grasp", g, w, batch)/want, 1, 1e-3)
}

// fisher by differences: every channel of one example is multiplied with a factor near 1.
func TestFisher(t *testing.T) {
	t.Parallel()
	g := small(t, neural.SiLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 4, 3)
	channels := 0
	var times []float64 // weights of each channel
	for i, n := range g.Nodes() {
		switch n.Op.(type) {
		case neural.Conv, neural.Linear:
			channels += n.Shape.Features()
			for range n.Shape.Features() {
				times = append(times, float64(g.Weights(i)[0].Shape.Elements())/float64(n.Shape.Features()))
			}
		}
	}
	gated, weights, n, err := gated(g, w)
	if err != nil || n != channels {
		t.Fatalf("found %d channels, want %d (%v)", n, channels, err)
	}
	in := examples(g, b)
	l := func(example, channel int, by float64) float64 {
		var all [][][]float64
		for i := range in {
			gates := slices.Repeat([]float64{1}, channels)
			if i == example {
				gates[channel] = by
			}
			all = append(all, [][]float64{gates, in[i][0], {1, 1, 1}})
		}
		sum := 0.0
		for i, y := range outputs(t, gated, weights, all) {
			total := 0.0
			for _, v := range y {
				total += math.Exp(v)
			}
			sum += (math.Log(total) - y[b.Classes[i]]) / float64(b.N)
		}
		return sum
	}
	near(t, "loss of the network with factors of 1", l(0, 0, 1), loss(t, g, w, b), 1e-9)
	want := 0.0
	for i := range b.N {
		for c := range channels {
			d := (l(i, c, 1+step) - l(i, c, 1-step)) / (2 * step)
			want += times[c] * d * d / float64(2*b.N)
		}
	}
	near(t, "fisher", of(t, "fisher", g, w, b), want, 1e-2*want)
}

// zico by differences of the loss of each half of the batch.
func TestZiCo(t *testing.T) {
	t.Parallel()
	g := small(t, neural.SiLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 7, 3) // the last one is left out
	var halves [2]map[string][]float64
	for k := range halves {
		half := b.Part(3*k, 3*k+3)
		if half.N != 3 || half.Classes[1] != int32((3*k+1)%3) || half.Inputs[0][5] != b.Inputs[0][3*k*32+5] {
			t.Fatalf("found %d examples with classes %v, want the half of the batch", half.N, half.Classes)
		}
		halves[k] = slopes(g, w, func(w neural.Weights) float64 { return loss(t, g, w, half) })
	}
	want := 0.0
	for name, v := range halves[0] {
		sum := 0.0
		for k, x := range v {
			y := halves[1][name][k]
			mean := (x + y) / 2
			deviation := math.Sqrt(((x-mean)*(x-mean) + (y-mean)*(y-mean)) / 2)
			if deviation > 1e-9 { // the others feel nothing
				sum += (math.Abs(x) + math.Abs(y)) / 2 / deviation
			}
		}
		want += math.Log(sum)
	}
	near(t, "zico", of(t, "zico", g, w, b), want, 1e-3)
}

// What does not depend on the size of the loss: zico is the same for targets that make all
// gradients twice as large, and a batch of one example has none.
func TestZiCoOfScale(t *testing.T) {
	t.Parallel()
	b := neural.NewBuilder("linear")
	g, err := b.Build(b.Add(neural.Linear{Out: 2}, b.Input("x", neural.Shape{3})))
	if err != nil {
		t.Fatal(err)
	}
	w := draw(g, Uniform, 1, 0)
	clear(w[g.Weights(1)[0].Name])
	batch := randomBatch(g, 4, 2)
	batch.Classes, batch.Targets = nil, []float32{1, -2, 3, 0.5, 2, 2, -1, 4}
	one := of(t, "zico", g, w, batch)
	for k := range batch.Targets {
		batch.Targets[k] *= 2
	}
	if two := of(t, "zico", g, w, batch); two != one {
		t.Errorf("found %g for gradients twice as large as those of %g", two, one)
	}
	batch.Inputs[0], batch.Targets = slices.Repeat(batch.Inputs[0][:6], 2), slices.Repeat(batch.Targets[:4], 2)
	r, err := scorer(t, Options{}).Compute(g, batch, "zico")
	if err != nil || r.Reasons["zico"] == "" {
		t.Errorf("equal halves: found %v (%v), want a reason", r, err)
	}
	if r, err = scorer(t, Options{}).Compute(g, batch.Part(0, 1), "zico"); err != nil || r.Reasons["zico"] == "" {
		t.Errorf("one example: found %v (%v), want a reason", r, err)
	}
}

// jacob_cov by differences of outputs, and eigenvalues.
func TestJacobCov(t *testing.T) {
	t.Parallel()
	g := small(t, neural.SiLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 4, 3)
	in := examples(g, b)
	sum := func() (s float64) {
		for _, y := range outputs(t, g, w, in) {
			for _, v := range y {
				s += v
			}
		}
		return s
	}
	rows := make([][]float64, b.N)
	for i := range rows {
		for k := range in[i][0] {
			x := in[i][0][k]
			in[i][0][k] = x + step
			up := sum()
			in[i][0][k] = x - step
			rows[i] = append(rows[i], (up-sum())/(2*step))
			in[i][0][k] = x
		}
	}
	corr := make([]float64, b.N*b.N)
	for i := range rows {
		for j := range rows {
			corr[i*b.N+j] = pearson(rows[i], rows[j])
		}
	}
	want := 0.0
	for _, v := range eigenvalues(corr, b.N) {
		want -= math.Log(v+1e-5) + 1/(v+1e-5)
	}
	near(t, "jacob_cov", of(t, "jacob_cov", g, w, b), want, 1e-2)
}

func pearson(a, b []float64) float64 {
	var ma, mb, ab, aa, bb float64
	for k := range a {
		ma, mb = ma+a[k]/float64(len(a)), mb+b[k]/float64(len(b))
	}
	for k := range a {
		ab += (a[k] - ma) * (b[k] - mb)
		aa += (a[k] - ma) * (a[k] - ma)
		bb += (b[k] - mb) * (b[k] - mb)
	}
	return ab / math.Sqrt(aa*bb)
}

// Bounds of jacob_cov: correlations have trace n, and log x + 1/x is at least 1, and at
// most what it is at k. Both ends are reached: by examples whose gradients have nothing in
// common, and nearly by equal ones.
func TestJacobCovBounds(t *testing.T) {
	t.Parallel()
	const n = 6
	least := -n * (math.Log(jacobFloor) + 1/jacobFloor)
	r := rng.New(1, "bounds", 0)
	for range 50 {
		x := make([]float32, n*20)
		shared := make([]float64, 20)
		for k := range shared {
			shared[k] = 3 * rng.Norm(r) * r.Float64()
		}
		for k := range x {
			x[k] = float32(shared[k%20] + rng.Norm(r))
		}
		c, err := correlations(x, n)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jacobScore(c, n)
		if err != nil || v > -n || v < least {
			t.Fatalf("found %g (%v), want %g to %g", v, err, least, float64(-n))
		}
	}
	one := make([]float64, n*n)
	same := slices.Repeat([]float64{1}, n*n)
	for i := range n {
		one[i*n+i] = 1
	}
	if v, err := jacobScore(one, n); err != nil || math.Abs(v+n) > 1e-3 {
		t.Errorf("gradients with nothing in common: found %g (%v), want %d", v, err, -n)
	}
	if v, err := jacobScore(same, n); err != nil || v > least*(n-1)/n*0.999 {
		t.Errorf("equal gradients: found %g (%v), want about %g", v, err, least*(n-1)/n)
	}
}

// ntk by differences.
func TestNTK(t *testing.T) {
	t.Parallel()
	g := small(t, neural.SiLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 4, 3)
	in := examples(g, b)
	kernel := make([]float64, b.N*b.N)
	var rows []map[string][]float64
	var known [][][]float64 // the outputs of all examples for every change of a weight
	for i := range b.N {
		at := -1
		rows = append(rows, slopes(g, w, func(w neural.Weights) (sum float64) {
			if at++; len(known) <= at {
				known = append(known, outputs(t, g, w, in))
			}
			for _, v := range known[at][i] {
				sum += v
			}
			return sum
		}))
	}
	for i, x := range rows {
		for j, y := range rows {
			for name := range x {
				for k := range x[name] {
					kernel[i*b.N+j] += x[name][k] * y[name][k]
				}
			}
		}
	}
	v := eigenvalues(kernel, b.N)
	want := slices.Max(v) / slices.Min(v)
	near(t, "ntk", of(t, "ntk", g, w, b)/want, 1, 1e-2)
}

// R is linear in any single weight, so w·∂R/∂w is R less what it is without the weight:
// exactly.
func TestSynflow(t *testing.T) {
	t.Parallel()
	g := small(t, neural.ReLU)
	for _, how := range []Init{Uniform, He} {
		w := draw(g, how, 1, 0)
		positive := neural.Weights{}
		for name, v := range w {
			positive[name] = magnitudes(v)
		}
		for i, n := range g.Nodes() { // normalisation that changes nothing
			if _, ok := n.Op.(neural.BatchNorm); ok {
				for k := range positive[n.Name+"/scale"] {
					positive[n.Name+"/scale"][k] = float32(math.Sqrt(1 + neural.Epsilon))
				}
			}
			_ = i
		}
		total := func(w neural.Weights) (sum float64) {
			in := slices.Repeat([]float64{1}, 2*4*4)
			all, _ := traceFixed(t, g, w, in)
			for _, v := range all[g.Outputs()[0]] {
				sum += v
			}
			return sum
		}
		all := total(positive)
		sum := 0.0
		for _, i := range layers(g) {
			name := weightOf(g.Node(i))
			layer := 0.0
			for k := range positive[name] {
				layer += all - total(changed(positive, name, k, 0))
			}
			got, err := synflow(g, w, i)
			if err != nil {
				t.Fatal(err)
			}
			near(t, name, math.Exp(got), layer, 1e-5)
			sum += layer
		}
		near(t, "synflow", of(t, "synflow", g, w, nil), math.Log(sum), 1e-5)
	}
}

// Of a network without branches and biases every layer has the same sum: R itself (Tanaka
// et al. 2020, theorem 2).
func TestSynflowConservation(t *testing.T) {
	t.Parallel()
	b := neural.NewBuilder("chain")
	x := b.Input("image", neural.Shape{3, 8, 8})
	for k, o := range []neural.Op{
		neural.Conv{Out: 6, Kernel: 3}, neural.BatchNorm{}, neural.Activation{Func: neural.ReLU}, neural.Conv{Kernel: 5, Groups: neural.Depthwise, Stride: 2}, neural.Activation{Func: neural.GELU},
		neural.Shuffle{}, neural.MaxPool{Stride: 2}, neural.Conv{Out: 8, Groups: 2}, neural.Upsample{}, neural.AvgPool{Kernel: 3}, neural.ToTokens{}, neural.LayerNorm{}, neural.Linear{Out: 5}, neural.GlobalPool{}, neural.Linear{Out: 3},
	} {
		x = b.Named(fmt.Sprint("n", k), o, x)
	}
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	w := draw(g, Uniform, 5, 0)
	var first float64
	for k, i := range layers(g) {
		v, err := synflow(g, w, i)
		if err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			first = v
		}
		near(t, g.Node(i).Name, v, first, 1e-5)
	}
	near(t, "all layers", of(t, "synflow", g, w, nil), first+math.Log(float64(len(layers(g)))), 1e-5)
}

// L layers of n×n weights c: R is (n·c)ᴸ·n, and the score L times that. Numbers like it do
// not exist in float64.
func TestSynflowOfDeepNetworks(t *testing.T) {
	t.Parallel()
	const n, layers = 16, 300
	b := neural.NewBuilder("deep")
	x := b.Input("in", neural.Shape{n})
	for range layers {
		x = b.Add(neural.Activation{Func: neural.ReLU}, b.Add(neural.Linear{Out: n}, x))
	}
	g, err := b.Build(x)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []float32{1e12, -1e3, 0.1, 1e-9, 1e-30} {
		w := neural.Weights{}
		for _, x := range g.AllWeights() {
			w[x.Name] = slices.Repeat([]float32{c}, n*n)
		}
		near(t, fmt.Sprint("c=", c), of(t, "synflow", g, w, nil), math.Log(layers)+layers*math.Log(n*math.Abs(float64(c)))+math.Log(n), 1e-5)
	}
}

// naswot by the definition.
func TestNASWOT(t *testing.T) {
	t.Parallel()
	g := small(t, neural.ReLU)
	w := draw(g, Uniform, 1, 0)
	b := randomBatch(g, 6, 3)
	k := codes(t, g, w, b)
	near(t, "naswot", of(t, "naswot", g, w, b), math.Log(determinant(k)), 1e-9)

	// The order of examples does not matter, but for the rounding of statistics.
	p := &engine.Batch{N: b.N, Inputs: [][]float32{nil}}
	each := len(b.Inputs[0]) / b.N
	for _, i := range []int{3, 1, 5, 0, 4, 2} {
		p.Inputs[0] = append(p.Inputs[0], b.Inputs[0][i*each:][:each]...)
	}
	near(t, "naswot of permuted examples", of(t, "naswot", g, w, p), of(t, "naswot", g, w, b), 1e-9)
}

// codes is the matrix K of the batch.
func codes(t *testing.T, g *neural.Graph, w neural.Weights, b *engine.Batch) [][]float64 {
	all, _ := trace(t, g, w, examples(g, b))
	k := make([][]float64, b.N)
	for i := range k {
		k[i] = make([]float64, b.N)
		for j := range k {
			for n, node := range g.Nodes() {
				if _, ok := node.Op.(neural.Activation); !ok {
					continue
				}
				for u, x := range all[i][n] {
					if (x > 0) == (all[j][n][u] > 0) {
						k[i][j]++
					}
				}
			}
		}
	}
	return k
}

// Operators on one operand count each: two equal branches double their part of K.
func TestNASWOTCountsEveryOperator(t *testing.T) {
	t.Parallel()
	build := func(twice bool) *neural.Graph {
		b := neural.NewBuilder("branches")
		x := b.Named("conv", neural.Conv{Out: 4, Kernel: 3}, b.Input("image", neural.Shape{2, 4, 4}))
		y := b.Named("relu", neural.Activation{Func: neural.ReLU}, x)
		if twice {
			y = b.Named("sum", neural.Add{}, y, b.Named("again", neural.Activation{Func: neural.ReLU}, x))
		}
		g, err := b.Build(y)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	one, two := build(false), build(true)
	b := randomBatch(one, 5, 2)
	w := draw(two, Uniform, 1, 0)
	near(t, "naswot", of(t, "naswot", two, w, b), of(t, "naswot", one, w, b)+5*math.Log(2), 1e-9)
}

// zen by the definition, with the score's own noise and weights. A normalisation of zeros,
// behind an edge that is none, counts for nothing.
func TestZen(t *testing.T) {
	t.Parallel()
	for last, g := range map[string]*neural.Graph{
		"activation3": small(t, neural.ReLU), "head/relu": cell(t, nets.None, nets.Conv3x3, nets.Conv1x1, nets.Skip, nets.AvgPool3x3, nets.Conv1x1),
	} {
		const n = 4
		got := of(t, "zen", g, nil, &engine.Batch{N: n})
		w := draw(g, gaussian, 0, 0)
		each := int(g.Node(0).Shape.Elements())
		r := rng.New(0, "score/zen/0", 0)
		x, e := make([]float32, n*each), make([]float32, n*each)
		normals(x, 1, r)
		normals(e, 1, r)
		var plain, noisy [][][]float64
		for i := range n {
			a, b := make([]float64, each), make([]float64, each)
			for k := range a {
				a[k] = float64(x[i*each+k])
				b[k] = a[k] + 0.01*float64(e[i*each+k])
			}
			plain, noisy = append(plain, [][]float64{a}), append(noisy, [][]float64{b})
		}
		before, statistics := trace(t, g, w, plain)
		after, _ := trace(t, g, w, noisy)
		pooled := g.Find(last)
		diff := 0.0
		for i := range n {
			for k, v := range before[i][pooled] {
				diff += math.Abs(v-after[i][pooled][k]) / n
			}
		}
		want, zeros := math.Log(diff), 0
		for _, node := range g.Nodes() {
			if _, ok := node.Op.(neural.BatchNorm); !ok {
				continue
			}
			variances := statistics[node.Name+"/variance"]
			mean := 0.0
			for _, v := range variances {
				mean += float64(v) / float64(len(variances))
			}
			if mean == 0 {
				zeros++
				continue
			}
			want += math.Log(math.Sqrt(mean))
		}
		if (zeros > 0) != (last == "head/relu") {
			t.Errorf("%s: found %d normalisations of zeros", last, zeros)
		}
		near(t, last, got, want, 1e-3)
	}
}

// What is pooled last is found in families of networks.
func TestBeforePooling(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]interface {
		Graph() (*neural.Graph, error)
	}{
		"head/relu":        nets.NASBench201{Cells: 1},
		"maxpool2":         nets.LeNet5{},
		"tokens":           nets.Transformer{Image: neural.Shape{3, 8, 8}, Patch: 4, Dim: 8, Classes: 4, Layers: []nets.TransformerLayer{{Heads: 2, Hidden: 8}}},
		"the last operand": nets.MLP{Numbers: 4, Hidden: []int{5, 6}, Out: 2},
	} {
		g, err := f.Graph()
		if err != nil {
			t.Fatal(err)
		}
		n := g.Node(beforePooling(g))
		switch want {
		case "tokens":
			if n.Shape.Axes() != 2 && n.Shape != (neural.Shape{8}) {
				t.Errorf("transformer: found %q (%s)", n.Name, n.Shape)
			}
		case "the last operand":
			if n.Shape != (neural.Shape{6}) {
				t.Errorf("MLP: found %q (%s), want what the last layer reads", n.Name, n.Shape)
			}
		case "maxpool2":
			if !n.Shape.Image() {
				t.Errorf("LeNet-5: found %q (%s), want an image", n.Name, n.Shape)
			}
		default:
			if n.Name != want {
				t.Errorf("found %q, want %q", n.Name, want)
			}
		}
	}
}

// ReLU lets a factor pass: making one layer larger and the next smaller changes neither
// the network nor snip, plain and synflow, but for grad_norm it does.
func TestRescaledLayers(t *testing.T) {
	t.Parallel()
	b := neural.NewBuilder("pair")
	x := b.Named("a", neural.Conv{Out: 5, Kernel: 3}, b.Input("image", neural.Shape{2, 5, 5}))
	x = b.Named("b", neural.Conv{Out: 4, Kernel: 3}, b.Add(neural.Activation{Func: neural.ReLU}, x))
	g, err := b.Build(b.Named("c", neural.Linear{Out: 3, Bias: true}, b.Add(neural.GlobalPool{}, b.Add(neural.Activation{Func: neural.ReLU}, x))))
	if err != nil {
		t.Fatal(err)
	}
	w := draw(g, He, 2, 0)
	batch := randomBatch(g, 6, 3)
	other := maps.Clone(w)
	for name, by := range map[string]float32{"a/weight": 4, "b/weight": 0.25} {
		other[name] = slices.Clone(w[name])
		for k := range other[name] {
			other[name][k] *= by
		}
	}
	for _, name := range []string{"snip", "plain", "synflow", "naswot", "jacob_cov"} {
		near(t, name, of(t, name, g, other, batch), of(t, name, g, w, batch), 1e-5)
	}
	if a, b := of(t, "grad_norm", g, w, batch), of(t, "grad_norm", g, other, batch); math.Abs(a-b) < 0.1*a {
		t.Errorf("grad_norm: found %g and %g, want them to differ", a, b)
	}
}

func cell(t testing.TB, ops ...nets.CellOp) *neural.Graph {
	n := nets.NASBench201{Cells: 1, Channels: 4, Image: neural.Shape{3, 8, 8}}
	copy(n.Ops[:], ops)
	g, err := n.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Equal seeds give equal bits, with any number of threads and workers; other seeds give
// other numbers; repeats are means of single draws.
func TestSeeds(t *testing.T) {
	t.Parallel()
	g := cell(t, nets.Conv3x3, nets.Skip, nets.Conv1x1, nets.AvgPool3x3, nets.Conv3x3, nets.Conv3x3)
	b := randomBatch(g, 4, 10)
	scores := Scores()
	if testing.Short() { // the dear one
		scores = slices.DeleteFunc(scores, func(s Score) bool { return s.Cost == Many })
	}
	var names []string
	for _, s := range scores {
		names = append(names, s.Name)
	}
	compute := func(o Options) Result {
		r, err := scorer(t, o).Compute(g, b, names...)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Reasons) > 0 {
			t.Fatalf("%v", r.Reasons)
		}
		return r
	}
	one := compute(Options{Seed: 4})
	if two := compute(Options{Seed: 4, Threads: 3}); !maps.Equal(one.Values, two.Values) {
		t.Errorf("found %v with one thread, %v with three", one.Values, two.Values)
	}
	other := compute(Options{Seed: 5})
	for _, s := range scores {
		if same := one.Values[s.Name] == other.Values[s.Name]; same != (s.Cost == Counted) {
			t.Errorf("%s: found %g and %g for two seeds", s.Name, one.Values[s.Name], other.Values[s.Name])
		}
	}
	names = []string{"params", "synflow", "zen", "naswot", "snip"}
	mean := compute(Options{Seed: 4, Repeats: 3})
	if mean.Values["params"] != one.Values["params"] {
		t.Errorf("params: found %g, want %g", mean.Values["params"], one.Values["params"])
	}
	for _, name := range names[1:] {
		sum := 0.0
		x, _ := Find(name)
		for repeat := range uint64(3) {
			v, err := x.compute(&session{s: scorer(t, Options{Seed: 4}), g: g, b: b, repeat: repeat})
			if err != nil {
				t.Fatal(err)
			}
			sum += v / 3
		}
		near(t, name, mean.Values[name], sum, 1e-12)
	}
}

// Weights of one name and size are the same in all networks of a family, and have the
// distribution that they should.
func TestWeights(t *testing.T) {
	t.Parallel()
	g := cell(t, nets.Conv3x3, nets.Conv3x3, nets.Conv3x3, nets.Conv3x3, nets.Conv3x3, nets.Conv3x3)
	part := cell(t, nets.None, nets.Conv3x3, nets.Skip, nets.Conv3x3, nets.None, nets.Conv1x1)
	for _, how := range []Init{Uniform, He, gaussian} {
		w, v := draw(g, how, 1, 0), draw(part, how, 1, 0)
		if err := w.Check(g); err != nil {
			t.Fatal(err)
		}
		shared := 0
		for name := range v {
			if w[name] != nil {
				shared++
				if !slices.Equal(w[name], v[name]) {
					t.Errorf("%v: %s differs", how, name)
				}
			}
		}
		if shared < 20 {
			t.Errorf("found %d shared weights", shared)
		}
	}
	x := make([]float32, 1<<16|3)
	moments := func() (mean, variance, most float64) {
		for _, v := range x {
			mean += float64(v) / float64(len(x))
			most = max(most, math.Abs(float64(v)))
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
		}
		return mean, variance, most
	}
	uniforms(x, 0.5, rng.New(1, "u", 0))
	if mean, variance, most := moments(); math.Abs(mean) > 0.005 || math.Abs(variance*12-1) > 0.02 || most > 0.5 || most < 0.4999 {
		t.Errorf("uniform: found mean %g, variance %g, largest %g", mean, variance, most)
	}
	normals(x, 3, rng.New(1, "n", 0))
	if mean, variance, most := moments(); math.Abs(mean) > 0.04 || math.Abs(variance/9-1) > 0.02 || most < 11 {
		t.Errorf("normal: found mean %g, variance %g, largest %g", mean, variance, most)
	}
	below := 0
	for _, v := range x {
		if v < 3 {
			below++
		}
	}
	near(t, "share below one deviation", float64(below)/float64(len(x)), 0.841345, 0.005)
}

// Networks that have no such score say why, and rank last.
func TestUndefined(t *testing.T) {
	t.Parallel()
	none := cell(t, nets.None, nets.None, nets.None, nets.None, nets.None, nets.None)
	good := cell(t, nets.Conv3x3, nets.None, nets.Conv3x3, nets.None, nets.None, nets.Skip)
	b := randomBatch(none, 4, 10)
	s := scorer(t, Options{})
	r, err := s.Compute(none, b, Names()...)
	if err != nil {
		t.Fatal(err)
	}
	fine, err := s.Compute(good, b, Names()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range Scores() {
		bad := math.IsNaN(r.Values[x.Name])
		if bad != (r.Reasons[x.Name] != "") || bad != math.IsInf(r.Merit(x.Name), -1) {
			t.Errorf("%s: found %g with the reason %q and merit %g", x.Name, r.Values[x.Name], r.Reasons[x.Name], r.Merit(x.Name))
		}
		if x.Cost != Counted && !bad && x.Name != "fisher" {
			t.Errorf("%s: found %g of a network that ignores its input, want a reason", x.Name, r.Values[x.Name])
		}
		if _, ok := fine.Reasons[x.Name]; ok && x.Name != "naswot" && x.Name != "ntk" {
			t.Errorf("%s: found %q", x.Name, fine.Reasons[x.Name])
		}
		if !(fine.Merit(x.Name) >= r.Merit(x.Name)) {
			t.Errorf("%s: found merit %g of a network and %g of one that ignores its input", x.Name, fine.Merit(x.Name), r.Merit(x.Name))
		}
	}
	twins := randomBatch(good, 4, 10)
	each := len(twins.Inputs[0]) / 4
	copy(twins.Inputs[0][each:2*each], twins.Inputs[0][:each])
	for name, want := range map[string]string{"naswot": "tell the examples apart"} {
		if r, err := s.Compute(good, twins, name); err != nil || !strings.Contains(r.Reasons[name], want) {
			t.Errorf("%s of equal examples: found %v (%v), want %q", name, r, err, want)
		}
	}
	huge := randomBatch(good, 4, 10)
	for k := range huge.Inputs[0] {
		huge.Inputs[0][k] *= 3e38
		if math.IsInf(float64(huge.Inputs[0][k]), 0) {
			huge.Inputs[0][k] = math.MaxFloat32
		}
	}
	r, err = s.Compute(good, huge, "snip", "naswot", "jacob_cov")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range r.Values {
		if !math.IsNaN(v) || r.Reasons[name] == "" {
			t.Errorf("%s: found %g of inputs that overflow, want a reason", name, v)
		}
	}
}

// Mistakes of the caller are errors that say what was found.
func TestMistakes(t *testing.T) {
	t.Parallel()
	g := small(t, neural.ReLU)
	good := randomBatch(g, 3, 3)
	bad := func(f func(*engine.Batch)) *engine.Batch {
		b := &engine.Batch{N: good.N, Inputs: [][]float32{slices.Clone(good.Inputs[0])}, Classes: slices.Clone(good.Classes)}
		f(b)
		return b
	}
	two := neural.NewBuilder("two")
	x := two.Input("image", neural.Shape{2, 4, 4})
	both, err := two.Build(x, two.Add(neural.Conv{}, x))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		g    *neural.Graph
		b    *engine.Batch
		name string
		want string
	}{
		{g, good, "magic", `found "magic", want one of params, macs, synflow`},
		{g, nil, "naswot", "without examples, want at least one for naswot"},
		{g, bad(func(b *engine.Batch) { b.Classes = nil }), "snip", "without classes and targets, want either for snip"},
		{g, bad(func(b *engine.Batch) { b.Inputs = nil }), "naswot", "found 0 inputs in the batch, want 1"},
		{g, bad(func(b *engine.Batch) { b.N = 2 }), "naswot", `input "image": found 96 numbers, want 64 (2 × 2×4×4)`},
		{g, bad(func(b *engine.Batch) { b.Inputs[0][3] = float32(math.NaN()) }), "naswot", "found NaN as number 4"},
		{g, bad(func(b *engine.Batch) { b.Classes[1] = 7 }), "snip", "found class 7"},
		{both, good, "snip", "found a network of 2 outputs, want 1 for snip"},
	} {
		if _, err := Compute(c.g, c.b, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Compute(g, good); err == nil {
		t.Error("no names: found no error")
	}
	for _, o := range []Options{{Repeats: -1}, {Threads: -1}, {Init: gaussian}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: found no error", o)
		}
	}
	// Without a batch what needs none can be computed.
	if v, err := Compute(g, nil, "params", "macs", "synflow"); err != nil || v["params"] != float64(g.Cost().Params) || v["macs"] != float64(g.Cost().MACs) {
		t.Errorf("found %v (%v)", v, err)
	}
}

// Random networks of all operators get a number or a reason, never a panic.
func TestRandomNetworks(t *testing.T) {
	t.Parallel()
	n := 60
	if testing.Short() {
		n = 15
	}
	s := scorer(t, Options{})
	finite := map[string]int{}
	for i := range n {
		r := rng.New(9, "random networks", uint64(i))
		g, err := randnet.New(r, 4+r.IntN(16))
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"params", "synflow", "naswot", "zen"}
		b := randomBatch(g, 3, 2)
		b.Classes = nil
		if len(g.Outputs()) == 1 {
			names = Names()
			b.Targets = make([]float32, 3*g.Node(g.Outputs()[0]).Shape.Elements())
		}
		got, err := s.Compute(g, b, names...)
		if err != nil {
			t.Fatalf("network %d: %v", i, err)
		}
		for _, name := range names {
			v, ok := got.Values[name]
			if !ok || math.IsInf(v, 0) || math.IsNaN(v) != (got.Reasons[name] != "") {
				t.Errorf("network %d: %s: found %g with the reason %q", i, name, v, got.Reasons[name])
			}
			if !math.IsNaN(v) {
				finite[name]++
			}
		}
	}
	for _, name := range Names() {
		if finite[name] == 0 && !testing.Short() {
			t.Errorf("%s: no network has it", name)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	cost := Counted
	for _, s := range Scores() {
		if s.Doc == "" || s.Source == "" || s.Direction == 0 || s.compute == nil || s.Cost < cost {
			t.Errorf("%s: found %+v", s.Name, s)
		}
		cost = s.Cost
		if (s.Needs&Gradients != 0) != (s.Cost >= Backward) {
			t.Errorf("%s: needs %v and costs %v", s.Name, s.Needs, s.Cost)
		}
	}
	r := Result{Values: map[string]float64{"ntk": 5, "snip": 2, "zen": math.NaN()}}
	for name, want := range map[string]float64{"ntk": -5, "snip": 2, "zen": math.Inf(-1), "params": math.Inf(-1)} {
		if got := r.Merit(name); got != want {
			t.Errorf("merit of %s: found %g, want %g", name, got, want)
		}
	}
	if s, _ := Find("ntk"); s.Direction != metric.Minimize {
		t.Error("ntk is better when it is smaller")
	}
}

func TestLinearAlgebra(t *testing.T) {
	t.Parallel()
	r := rng.New(1, "linear", 0)
	for n := 1; n < 9; n++ {
		a := symmetric(r, n)
		l, e := flat(a), flat(a)
		if !cholesky(l, n) {
			t.Fatalf("found a matrix of %d rows not positive definite", n)
		}
		v := eigenvalues(e, n)
		product, inverse := 0.0, 0.0
		for _, x := range v {
			product += math.Log(x)
			inverse += 1 / x
		}
		det := math.Log(determinant(a))
		near(t, "eigenvalues", product, det, 1e-9)
		near(t, "logDet", logDet(l, n), det, 1e-9)
		near(t, "traceInverse", traceInverse(l, n), inverse, 1e-9)
	}
	for _, a := range [][]float64{{0}, {1, 1, 1, 1}, {1, 2, 2, 1}, {math.NaN()}} {
		n := int(math.Sqrt(float64(len(a))))
		if cholesky(slices.Clone(a), n) {
			t.Errorf("%v: found it positive definite", a)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32}
	r := rng.New(1, "encode", 0)
	for _, n := range []int{1, 8, 63, 64, 65, 200} {
		x := make([]float32, n)
		for k := range x {
			x[k] = special[r.IntN(len(special))]
		}
		code := make([]uint64, (n+63)/64)
		encode(code, x)
		for k := range 64 * len(code) {
			if want := k < n && x[k] > 0; code[k/64]>>(k%64)&1 == 1 != want {
				t.Fatalf("%d numbers: number %d is %g, but its bit is %v", n, k, x[k], !want)
			}
		}
	}
}

// All gives what single calls give, with any number of workers.
func TestAll(t *testing.T) {
	t.Parallel()
	graph := func(i int) (*neural.Graph, error) {
		r := rng.New(2, "cells", uint64(i))
		n := nets.NASBench201{Cells: 1, Channels: 4, Image: neural.Shape{3, 8, 8}}
		for k := range n.Ops {
			n.Ops[k] = nets.CellOp(r.IntN(5))
		}
		return n.Graph()
	}
	g, err := graph(0)
	if err != nil {
		t.Fatal(err)
	}
	b := randomBatch(g, 4, 10)
	names := []string{"params", "naswot", "zen", "synflow", "snip"}
	text := func(r []Result) string { return fmt.Sprint(r) }
	var want []Result
	s := scorer(t, Options{Seed: 3})
	for i := range 7 {
		g, err := graph(i)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Compute(g, b, names...)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r)
	}
	for _, workers := range []int{0, 3} {
		got, err := Options{Seed: 3}.All(t.Context(), workers, 7, graph, b, names...)
		if err != nil || text(got) != text(want) {
			t.Fatalf("%d workers: found %v (%v), want %v", workers, got, err, want)
		}
	}
	broken := errors.New("broken")
	_, err = Options{}.All(t.Context(), 2, 7, func(i int) (*neural.Graph, error) {
		if i == 3 {
			return nil, broken
		}
		return graph(i)
	}, b, "params")
	if !errors.Is(err, broken) {
		t.Errorf("found %v, want the mistake of network 4", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := (Options{}).All(ctx, 2, 7, graph, b, "params"); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v, want %v", err, context.Canceled)
	}
}
