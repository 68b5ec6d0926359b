package engine_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/nets"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

func build(t testing.TB, f interface {
	Graph() (*neural.Graph, error)
}) *neural.Graph {
	t.Helper()
	g, err := f.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// mobile is a network of a family whose largest has these kernels, expansions and
// depths.
func mobile(side, kernel int, expand float64, depth int) nets.Mobile {
	unit := func(out, stride int, squeeze bool, f neural.Func) nets.MobileUnit {
		u := nets.MobileUnit{Out: out, Stride: stride, Squeeze: squeeze, Func: f}
		for range depth {
			u.Layers = append(u.Layers, nets.MobileLayer{Kernel: kernel, Expand: expand})
		}
		return u
	}
	return nets.Mobile{
		Image: neural.Shape{1, side, side}, Stem: 8, StemStride: 1, Expand: 32, Dropout: 0.1, DropPath: 0.2,
		Units: []nets.MobileUnit{unit(8, 2, false, neural.ReLU), unit(16, 2, true, neural.HardSwish)},
	}
}

func transformer(layers, heads, hidden int, kind neural.AttentionKind) nets.Transformer {
	n := nets.Transformer{Vocabulary: 11, Length: 6, Dim: 8, Classes: 3, ClassToken: true, Dropout: 0.1, DropPath: 0.1}
	for range layers {
		n.Layers = append(n.Layers, nets.TransformerLayer{Heads: heads, HeadDim: 4, Hidden: hidden, Attention: kind})
	}
	return n
}

// cut takes the first of the features, and the centre of a kernel, of weights in the
// graph's order.
func cut(g *neural.Graph, from *neural.Graph, w neural.Weights) neural.Weights {
	large := map[string]neural.Shape{}
	for _, t := range from.AllWeights() {
		large[t.Name] = t.Shape
	}
	out := neural.Weights{}
	for i, n := range g.Nodes() {
		for k, t := range g.Weights(i) {
			_, conv := n.Op.(neural.Conv)
			out[t.Name] = make([]float32, t.Shape.Elements())
			each(large[t.Name], t.Shape, conv && k == 0, func(whole, part int) { out[t.Name][part] = w[t.Name][whole] })
		}
	}
	return out
}

// each goes through the numbers of a part of a weight.
func each(large, small neural.Shape, kernel bool, f func(whole, part int)) {
	for i := range int(small.Elements()) {
		whole, rest, scale := 0, i, 1
		for a := small.Axes() - 1; a >= 0; a-- {
			at := rest % small[a]
			rest /= small[a]
			if kernel && a >= 2 {
				at += (large[a] - small[a]) / 2
			}
			whole += at * scale
			scale *= large[a]
		}
		f(whole, i)
	}
}

// gradientOf computes the gradient of a batch alone.
func gradientOf(t *testing.T, p *engine.Params, g *neural.Graph, b *engine.Batch, l engine.Loss, noise engine.Noise) (engine.Score, neural.Weights) {
	t.Helper()
	n, err := p.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := p.NewGradient()
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Gradient(b, l, noise, sum)
	if err != nil {
		t.Fatal(err)
	}
	w, err := sum.Host()
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func params(t testing.TB, d *engine.Device, g *neural.Graph, w neural.Weights) *engine.Params {
	t.Helper()
	p, err := d.Params(g, w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }

// A smaller network of a family computes and learns as one of its own would with the
// slices of the weights, and leaves everything else alone.
func TestSlices(t *testing.T) {
	narrow := transformer(2, 2, 8, neural.CosformerReLU) // layers are normalised over its features alone
	narrow.Dim = 6
	for name, c := range map[string][2]interface {
		Graph() (*neural.Graph, error)
	}{
		"mobile":         {mobile(12, 7, 4, 2), mobile(12, 3, 2, 1)},
		"mobile kernels": {mobile(12, 5, 3, 2), mobile(12, 3, 3, 2)},
		"transformer":    {transformer(3, 4, 16, neural.SoftmaxAttention), transformer(2, 2, 8, neural.LinearELU)},
		"narrow":         {transformer(3, 4, 16, neural.SoftmaxAttention), narrow},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, d *engine.Device) {
				large, small := build(t, c[0]), build(t, c[1])
				r := rng.New(5, name, 0)
				w := large.Initial(r)
				shake(r, w)
				b := random(r, small, 6, true).batch()
				noise := engine.Noise{Seed: 3, Drop: 1}
				shared := params(t, d, large, w)
				score, got := gradientOf(t, shared, small, b, engine.Loss{}, noise)
				alone, want := gradientOf(t, params(t, d, small, cut(small, large, w)), small, b, engine.Loss{}, noise)
				if score.Loss != alone.Loss || !reflect.DeepEqual(score.Outputs, alone.Outputs) {
					t.Errorf("loss %g, alone %g", score.Loss, alone.Loss)
				}
				shapes := map[string]neural.Shape{}
				for _, x := range large.AllWeights() {
					shapes[x.Name] = x.Shape
				}
				for i, n := range small.Nodes() {
					for k, x := range small.Weights(i) {
						if x.State {
							continue
						}
						_, conv := n.Op.(neural.Conv)
						each(shapes[x.Name], x.Shape, conv && k == 0, func(whole, part int) {
							if got[x.Name][whole] != want[x.Name][part] {
								t.Errorf("%s: %g at %d, alone %g", x.Name, got[x.Name][whole], whole, want[x.Name][part])
							}
							got[x.Name][whole] = 0
						})
					}
				}
				for name, v := range got {
					for i, x := range v {
						if x != 0 {
							t.Errorf("%s: %g at %d, outside of the network", name, x, i)
							break
						}
					}
				}
				n, err := shared.Net(small)
				if err != nil {
					t.Fatal(err)
				}
				if err := n.Recalibrate(b); err != nil {
					t.Fatal(err)
				}
				own, err := n.Weights()
				if err != nil {
					t.Fatal(err)
				}
				for name, v := range cut(small, large, w) {
					if !strings.HasSuffix(name, "/mean") && !strings.HasSuffix(name, "/variance") && !reflect.DeepEqual(v, own[name]) {
						t.Errorf("%s: the network's own weights are not the slices", name)
					}
				}
			})
		})
	}
}

// shake moves weights that begin at 0 or 1.
func shake(r *rand.Rand, w neural.Weights) {
	for _, name := range sortedNames(w) {
		for i := range w[name] {
			w[name][i] += float32(0.1 * rng.Norm(r))
			if strings.HasSuffix(name, "/variance") {
				w[name][i] = 1
			}
		}
	}
}

// Families compute what the reference does, and their gradients are its slopes.
func TestFamilies(t *testing.T) {
	all := map[string]interface {
		Graph() (*neural.Graph, error)
	}{
		"mobile":      mobile(8, 5, 2, 1),
		"transformer": transformer(2, 2, 8, neural.SoftmaxAttention),
		"per token":   nets.Transformer{Vocabulary: 7, Length: 5, Dim: 8, Classes: 7, PerToken: true, Causal: true, Layers: []nets.TransformerLayer{{Heads: 2, Hidden: 8}, {Heads: 2, Hidden: 8, Attention: neural.LinearReLU}}},
		"vit":         nets.Transformer{Image: neural.Shape{3, 8, 8}, Patch: 4, Dim: 8, Classes: 4, Layers: []nets.TransformerLayer{{Heads: 2, Hidden: 8}}},
		"mlp":         nets.MLP{Numbers: 5, Categories: []int{3, 4}, Hidden: []int{8, 8}, BatchNorm: true, Residual: true, Out: 3},
		"lenet":       nets.LeNet5{},
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			g := build(t, f)
			onEach(t, func(t *testing.T, d *engine.Device) {
				r := rng.New(9, name, 0)
				p := random(r, g, 4, true)
				p.w = g.Initial(r)
				shake(r, p.w)
				p.loss = engine.Loss{Smoothing: 0.1, Labels: 0.5, Imitate: 0.5, Temperature: 3}
				compareForward(t, d, p)
				if !testing.Short() && p.checkSome(t, d, r, 12) < 4 {
					t.Error("hardly a slope was smooth")
				}
			})
		})
	}
}

// Gradients add up, and their order does not matter much; a network built a second
// time is the same one.
func TestGradientAdds(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		large, small := build(t, mobile(12, 5, 3, 2)), build(t, mobile(12, 3, 2, 1))
		r := rng.New(1, "adds", 0)
		b := random(r, large, 4, true).batch()
		p := params(t, d, large, large.Initial(r))
		_, one := gradientOf(t, p, large, b, engine.Loss{}, engine.Noise{})
		_, two := gradientOf(t, p, small, b, engine.Loss{}, engine.Noise{})
		sum, err := p.NewGradient()
		if err != nil {
			t.Fatal(err)
		}
		var first *engine.Net
		for _, g := range []*neural.Graph{small, large, build(t, mobile(12, 3, 2, 1))} {
			n, err := p.Net(g)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Gradient(b, engine.Loss{}, engine.Noise{}, sum); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = n
			} else if g != large && n != first {
				t.Error("an equal graph gave another network")
			}
		}
		got, err := sum.Host()
		if err != nil {
			t.Fatal(err)
		}
		for name := range got {
			for i, x := range got[name] {
				if want := one[name][i] + 2*two[name][i]; !near(float64(x), float64(want), 1e-5) {
					t.Fatalf("%s: %g, want %g", name, x, want)
				}
			}
		}
		if err := sum.Zero(); err != nil {
			t.Fatal(err)
		}
		got, _ = sum.Host()
		for name, v := range got {
			for _, x := range v {
				if x != 0 {
					t.Fatalf("%s: %g after Zero", name, x)
				}
			}
		}
	})
}

// Networks are forgotten beyond Config.Nets, and come back; those that are still held
// compute on, with the present numbers.
func TestForgets(t *testing.T) {
	for _, backend := range backends {
		d := open(t, engine.Config{Backend: backend, Nets: 3})
		large := build(t, nets.MLP{Numbers: 4, Hidden: []int{16}, Out: 3})
		r := rng.New(1, "forgets", 0)
		p := params(t, d, large, large.Initial(r))
		b := random(r, large, 4, true).batch()
		var held *engine.Net
		var before engine.Score
		for width := 1; width <= 16; width++ {
			n, err := p.Net(build(t, nets.MLP{Numbers: 4, Hidden: []int{width}, Out: 3}))
			if err != nil {
				t.Fatal(err)
			}
			s, err := n.Evaluate(b)
			if err != nil {
				t.Fatal(err)
			}
			if held == nil {
				held, before = n, s
			}
			if k, _ := d.Compiled(); k > 3 {
				t.Fatalf("%d networks are compiled, want at most 3", k)
			}
		}
		if s, err := held.Evaluate(b); err != nil || !reflect.DeepEqual(s, before) {
			t.Errorf("%s: a forgotten network gives %v, %v; before %v", backend, s, err, before)
		}
		w, err := p.Weights()
		if err != nil {
			t.Fatal(err)
		}
		w["classifier/bias"] = []float32{9, 0, 0}
		if _, ok := w["classifier/bias"]; !ok {
			t.Fatal("the family names its weights differently now")
		}
		if err := p.Load(w); err == nil {
			if s, err := held.Evaluate(b); err != nil || s.Loss == before.Loss {
				t.Errorf("%s: the network does not see new numbers: %v, %v", backend, s, err)
			}
		}
	}
}

// Statistics are those of all batches together.
func TestRecalibrate(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		g := one(t, "bn", neural.BatchNorm{}, neural.Shape{3, 2, 2})
		r := rng.New(1, "recalibrate", 0)
		p := random(r, g, 7, false)
		on := params(t, d, g, p.w)
		n, err := on.Net(g)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Evaluate(p.batch()); err == nil || !strings.Contains(err.Error(), "recalibrate") {
			t.Errorf("without statistics: %v", err)
		}
		if _, err := n.Weights(); err == nil {
			t.Error("weights without statistics")
		}
		one, two := *p, *p
		one.inputs, one.targets = p.inputs[:2], p.targets[:2]
		two.inputs, two.targets = p.inputs[2:], p.targets[2:]
		if err := n.Recalibrate(one.batch(), two.batch()); err != nil {
			t.Fatal(err)
		}
		got, err := n.Weights()
		if err != nil {
			t.Fatal(err)
		}
		want := p.statistics(t, p.w) // of all seven together
		for _, name := range []string{"op/mean", "op/variance"} {
			for i, x := range got[name] {
				if !near(float64(x), float64(want[name][i]), 1e-5) {
					t.Errorf("%s: %v, want %v", name, got[name], want[name])
				}
			}
		}
		p.w = want
		s, err := n.Evaluate(p.batch())
		if err != nil || !near(s.Loss, p.value(t, p.w), 1e-4) {
			t.Errorf("loss %g, want that of training, %g; %v", s.Loss, p.value(t, p.w), err)
		}
	})
}

// Masks are the same on every backend, drop what they should, and the gradient goes
// where nothing was dropped.
func TestNoise(t *testing.T) {
	b := neural.NewBuilder("noise")
	x := b.Add(neural.Linear{Out: 50, Bias: true}, b.Input("x", neural.Shape{2}))
	g, err := b.Build(b.Named("drop", neural.Dropout{Rate: 0.4}, x))
	if err != nil {
		t.Fatal(err)
	}
	b = neural.NewBuilder("noise")
	path, err := b.Build(b.Named("drop", neural.DropPath{Rate: 0.4}, b.Add(neural.Linear{Out: 2, Bias: true}, b.Input("x", neural.Shape{2}))))
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	batch := &engine.Batch{N: n, Inputs: [][]float32{make([]float32, 2*n)}}
	var outputs [][]float32
	onEach(t, func(t *testing.T, d *engine.Device) {
		for _, g := range []*neural.Graph{g, path} {
			features := g.Node(g.Outputs()[0]).Shape[0]
			batch.Targets = make([]float32, n*features)
			p := params(t, d, g, neural.Weights{"linear/weight": make([]float32, 2*features), "linear/bias": ones(features)})
			for _, drop := range []float64{0, 0.5, 1} {
				s, grad := gradientOf(t, p, g, batch, engine.Loss{}, engine.Noise{Seed: 4, Drop: drop})
				zero, sum := 0, 0.0
				for _, y := range s.Outputs {
					if y == 0 {
						zero++
					}
					sum += float64(y)
				}
				rate := 0.4 * drop
				total := float64(len(s.Outputs))
				if sd := math.Sqrt(rate * (1 - rate) / total * float64(features)); math.Abs(float64(zero)/total-rate) > 4*sd {
					t.Errorf("dropped %d of %g, want a share of %g", zero, total, rate)
				}
				if want := (total - float64(zero)) / (1 - rate); math.Abs(sum-want) > 1e-3*want {
					t.Errorf("sum %g, want %g", sum, want)
				}
				slope := 0.0 // of the mean square by the biases, which all are 1
				for _, y := range s.Outputs {
					slope += 2 * float64(y) * float64(y) / total
				}
				got := 0.0
				for _, x := range grad["linear/bias"] {
					got += float64(x)
				}
				if !near(got, slope, 1e-4) {
					t.Errorf("slope %g, want %g", got, slope)
				}
				outputs = append(outputs, s.Outputs)
				again, _ := gradientOf(t, p, g, batch, engine.Loss{}, engine.Noise{Seed: 4, Drop: drop})
				other, _ := gradientOf(t, p, g, batch, engine.Loss{}, engine.Noise{Seed: 5, Drop: drop})
				if !reflect.DeepEqual(again.Outputs, s.Outputs) || drop > 0 && reflect.DeepEqual(other.Outputs, s.Outputs) {
					t.Error("masks do not follow the seed")
				}
			}
		}
	})
	for i := range outputs {
		if !reflect.DeepEqual(outputs[i], outputs[i%6]) {
			t.Error("masks differ from one backend to another")
		}
	}
}

func ones(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// The gradient of an input is a slope too.
func TestInputGradient(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		g := build(t, mobile(8, 3, 2, 1))
		r := rng.New(1, "input", 0)
		p := random(r, g, 3, true)
		p.w = g.Initial(r)
		n, err := params(t, d, g, p.w).Net(g)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.InputGradient(p.batch())
		if err != nil {
			t.Fatal(err)
		}
		sum := func() float64 {
			w := p.statistics(t, p.w)
			s := 0.0
			for _, in := range p.inputs {
				for _, y := range trace(t, g, w, in)[g.Outputs()[0]] {
					s += y
				}
			}
			return s
		}
		checked := 0
		for range 20 {
			e, k := r.IntN(3), r.IntN(64)
			at := func(h float64) float64 {
				x := p.inputs[e][0][k]
				defer func() { p.inputs[e][0][k] = x }()
				p.inputs[e][0][k] = x + h
				up := sum()
				p.inputs[e][0][k] = x - h
				return (up - sum()) / (2 * h)
			}
			one, two := at(1e-3), at(3e-3)
			if math.Abs(one-two) > 1e-3 {
				continue
			}
			checked++
			if x := float64(got[e*64+k]); math.Abs(x-one) > 3e-3*max(1, math.Abs(one)) {
				t.Errorf("%g at %d of example %d, want %g", x, k, e, one)
			}
		}
		if checked == 0 {
			t.Error("no slope was smooth")
		}
	})
}

// Wrong batches and graphs are errors that say what is wrong.
func TestErrors(t *testing.T) {
	d := open(t, engine.Config{Backend: backends[0]})
	g := build(t, transformer(1, 2, 8, neural.SoftmaxAttention))
	r := rng.New(1, "errors", 0)
	p := random(r, g, 2, true)
	on := params(t, d, g, p.w)
	n, err := on.Net(g)
	if err != nil {
		t.Fatal(err)
	}
	sum, _ := on.NewGradient()
	opt, _ := on.NewOptimizer(engine.Optimizer{})
	for want, f := range map[string]func(b *engine.Batch, l *engine.Loss) error{
		"without examples":          func(b *engine.Batch, l *engine.Loss) error { b.N = 0; return nil },
		"found 0 inputs, want 1":    func(b *engine.Batch, l *engine.Loss) error { b.Inputs = nil; return nil },
		"found 1 numbers, want 12":  func(b *engine.Batch, l *engine.Loss) error { b.Inputs[0] = b.Inputs[0][:1]; return nil },
		"found 11 as number 3":      func(b *engine.Batch, l *engine.Loss) error { b.Inputs[0][2] = 11; return nil },
		"found NaN as number 3":     func(b *engine.Batch, l *engine.Loss) error { b.Inputs[0][2] = float32(math.NaN()); return nil },
		"found class 3 as number 1": func(b *engine.Batch, l *engine.Loss) error { b.Classes[0] = 3; return nil },
		"found 1 classes, want 2":   func(b *engine.Batch, l *engine.Loss) error { b.Classes = b.Classes[:1]; return nil },
		"no class that counts":      func(b *engine.Batch, l *engine.Loss) error { b.Classes = []int32{-1, -1}; return nil },
		"nothing to compare with":   func(b *engine.Batch, l *engine.Loss) error { b.Classes, b.Teacher = nil, nil; return nil },
		"no teacher in the batch":   func(b *engine.Batch, l *engine.Loss) error { l.Imitate, b.Teacher = 1, nil; return nil },
		"smoothing: found 2":        func(b *engine.Batch, l *engine.Loss) error { l.Smoothing = 2; return nil },
		"together with classes":     func(b *engine.Batch, l *engine.Loss) error { b.Targets = make([]float32, 6); return nil },
	} {
		b, l := p.batch(), engine.Loss{}
		f(b, &l)
		if _, err := n.Gradient(b, l, engine.Noise{}, sum); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if _, err := n.Gradient(p.batch(), engine.Loss{}, engine.Noise{Drop: 10}, sum); err == nil || !strings.Contains(err.Error(), "rate of 1") {
		t.Errorf("a rate of 1: %v", err)
	}
	if _, err := on.Net(build(t, transformer(2, 2, 8, 0))); err == nil || !strings.Contains(err.Error(), "layer2/norm1/scale") {
		t.Errorf("a deeper network: %v", err)
	}
	if _, err := on.Net(build(t, transformer(1, 4, 8, 0))); err == nil || !strings.Contains(err.Error(), "want at most the 8×8") {
		t.Errorf("a wider network: %v", err)
	}
	small := build(t, mobile(8, 4, 2, 1))
	of5 := build(t, mobile(8, 5, 2, 1))
	if _, err := params(t, d, of5, of5.Initial(r)).Net(small); err == nil || !strings.Contains(err.Error(), "no centre") {
		t.Errorf("a kernel of 4 in one of 5: %v", err)
	}
	if _, err := d.Params(g, neural.Weights{}); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("no weights: %v", err)
	}
	if err := on.Load(neural.Weights{"x": nil, "embed/position/weight": {1}}); err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), "found 1 numbers") {
		t.Errorf("other weights: %v", err)
	}
	p.classes[0] = 0
	other := params(t, d, small, small.Initial(r))
	otherSum, _ := other.NewGradient()
	if _, err := n.Gradient(p.batch(), engine.Loss{}, engine.Noise{}, otherSum); err == nil {
		t.Error("a gradient of other parameters")
	}
	if _, err := on.Step(opt, otherSum, 0.1); err == nil {
		t.Error("a step by a gradient of other parameters")
	}
	if _, err := on.Step(opt, sum, math.NaN()); err == nil {
		t.Error("a learning rate of NaN")
	}
	if _, err := on.NewOptimizer(engine.Optimizer{Momentum: 1, Beta1: 2, Clip: -1}); err == nil || !strings.Contains(err.Error(), "momentum") || !strings.Contains(err.Error(), "clip") {
		t.Errorf("a wrong optimizer: %v", err)
	}
	for want, c := range map[string]engine.Config{
		"no such backend": {Backend: "tpu"}, "built without it": {Backend: "xla"}, "want 0 or more": {Threads: -1}, "only the backend cpu": {Backend: "go", Memory: 1},
	} {
		if _, err := engine.Open(c); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "xla") {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	d.Close()
	if _, err := n.Gradient(p.batch(), engine.Loss{}, engine.Noise{}, sum); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed device: %v", err)
	}
	runtime.GC() // cleanups after Close do no harm
}

// A loss that overflows is an error of its own kind and adds nothing; so is a gradient.
func TestNonFinite(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		g := build(t, nets.MLP{Numbers: 2, Hidden: []int{4}, Out: 3})
		w := g.Initial(rng.New(1, "infinite", 0))
		p := params(t, d, g, w)
		n, err := p.Net(g)
		if err != nil {
			t.Fatal(err)
		}
		sum, _ := p.NewGradient()
		b := &engine.Batch{N: 1, Inputs: [][]float32{{float32(math.Inf(1)), 0}}, Classes: []int32{0}}
		var bad *engine.NonFiniteError
		if _, err := n.Gradient(b, engine.Loss{}, engine.Noise{}, sum); !errors.As(err, &bad) || bad.What != "loss" {
			t.Errorf("an infinite input: %v", err)
		}
		decaying, _ := p.NewOptimizer(engine.Optimizer{WeightDecay: 0.5})
		old, _ := p.Weights()
		if norm, err := p.Step(decaying, sum, 0.1); norm != 0 || err != nil {
			t.Errorf("a step without a gradient: norm %g, %v", norm, err)
		}
		if now, _ := p.Weights(); !reflect.DeepEqual(old, now) {
			t.Error("a loss that is not finite touched weights")
		}
		b.Inputs[0] = []float32{1, 1}
		opt, _ := p.NewOptimizer(engine.Optimizer{})
		for name := range w {
			if strings.HasSuffix(name, "classifier/weight") || strings.HasSuffix(name, "out/weight") {
				for i := range w[name] {
					w[name][i] = 3e38 * float32(1-2*(i%2))
				}
			}
		}
		b.Inputs[0] = []float32{1e-36, 1e-36}
		if err := p.Load(w); err != nil {
			t.Fatal(err)
		}
		s, err := n.Gradient(b, engine.Loss{}, engine.Noise{}, sum)
		if err != nil {
			t.Fatalf("the loss is %g: %v", s.Loss, err)
		}
		before, _ := p.Weights()
		if _, err := p.Step(opt, sum, 0.1); !errors.As(err, &bad) || bad.What != "gradient norm" {
			t.Errorf("an infinite gradient: %v", err)
		}
		if after, _ := p.Weights(); !reflect.DeepEqual(before, after) {
			t.Error("weights changed")
		}
	})
}
