package engine_test

import (
	"math"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/reference"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// compareForward computes a network as at inference here and in the reference.
func compareForward(t *testing.T, d *engine.Device, p *problem) {
	t.Helper()
	params, err := d.Params(p.g, p.w)
	if err != nil {
		t.Fatal(err)
	}
	defer params.Free()
	net, err := params.Net(p.g)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.SetStatistics(p.w); err != nil {
		t.Fatal(err)
	}
	got, err := net.Forward(p.batch())
	if err != nil {
		t.Fatalf("%s: %v", p.g.Name(), err)
	}
	for i, in := range p.inputs {
		want, err := reference.Run(p.g, p.w, in...)
		if err != nil {
			t.Fatal(err)
		}
		for k, o := range p.g.Outputs() {
			s := p.g.Node(o).Shape
			n := int(s.Elements())
			x := first(s, got[k][i*n:][:n])
			size := 1.0
			for _, v := range want[k] {
				size = max(size, math.Abs(v))
			}
			for j, v := range want[k] {
				if !(math.Abs(x[j]-v) <= 1e-4*size) {
					t.Fatalf("%s: example %d: output %d (%s): number %d is %g, want %g", p.g.Name(), i, k, p.g.Node(o).Op, j, x[j], v)
				}
			}
		}
	}
}

// Random networks of all operators compute what the reference does.
func TestForward(t *testing.T) {
	n := 150
	if testing.Short() {
		n = 30
	}
	onEach(t, func(t *testing.T, d *engine.Device) {
		kinds := map[string]bool{}
		for i := range n {
			r := rng.New(uint64(i), "forward", 0)
			g, err := randnet.New(r, 12)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range g.Nodes() {
				kinds[n.Op.Kind()] = true
			}
			compareForward(t, d, random(r, g, 3, false))
		}
		if !testing.Short() && len(kinds) != 27 {
			t.Errorf("only %d of 27 kinds of operator were there", len(kinds))
		}
	})
}

// operators are those whose gradient is tried alone, in every form.
var operators = []struct {
	name string
	op   neural.Op
	in   []neural.Shape
}{
	{"conv 3×3", neural.Conv{Out: 3, Kernel: 3}, []neural.Shape{{2, 5, 4}}},
	{"conv 3×3 valid", neural.Conv{Out: 3, Kernel: 3, Pad: neural.Valid, Bias: true}, []neural.Shape{{2, 5, 4}}},
	{"conv 5×3 stride 2×1", neural.Conv{Out: 3, Kernel: 5, KernelWide: 3, Stride: 2, StrideWide: 1}, []neural.Shape{{2, 6, 4}}},
	{"conv stride 2", neural.Conv{Out: 2, Kernel: 3, Stride: 2}, []neural.Shape{{2, 6, 5}}},
	{"conv 1×1 stride 2", neural.Conv{Out: 2, Stride: 2}, []neural.Shape{{2, 6, 5}}},
	{"conv 2×2", neural.Conv{Out: 2, Kernel: 2}, []neural.Shape{{2, 4, 5}}},
	{"conv 4×4 stride 3", neural.Conv{Out: 2, Kernel: 4, Stride: 3}, []neural.Shape{{2, 7, 8}}},
	{"conv dilation 2", neural.Conv{Out: 2, Kernel: 3, Dilation: 2}, []neural.Shape{{2, 6, 5}}},
	{"conv dilation 2 stride 2", neural.Conv{Out: 2, Kernel: 3, Dilation: 2, Stride: 2}, []neural.Shape{{2, 6, 7}}},
	{"conv groups", neural.Conv{Out: 6, Kernel: 3, Groups: 2}, []neural.Shape{{4, 4, 4}}},
	{"conv groups stride", neural.Conv{Out: 6, Kernel: 3, Groups: 2, Stride: 2}, []neural.Shape{{4, 6, 4}}},
	{"depthwise", neural.Conv{Kernel: 3, Groups: neural.Depthwise}, []neural.Shape{{3, 4, 4}}},
	{"depthwise 5×5 stride 2", neural.Conv{Kernel: 5, Stride: 2, Groups: neural.Depthwise, Bias: true}, []neural.Shape{{3, 6, 7}}},
	{"depthwise dilation", neural.Conv{Kernel: 3, Dilation: 2, Groups: neural.Depthwise}, []neural.Shape{{3, 6, 5}}},
	{"depthwise multiplied", neural.Conv{Out: 6, Kernel: 3, Groups: neural.Depthwise}, []neural.Shape{{3, 4, 5}}},
	{"linear", neural.Linear{Out: 4, Bias: true}, []neural.Shape{{3}}},
	{"linear of tokens", neural.Linear{Out: 4}, []neural.Shape{{5, 3}}},
	{"batch norm", neural.BatchNorm{}, []neural.Shape{{3, 3, 2}}},
	{"batch norm of vectors", neural.BatchNorm{}, []neural.Shape{{3}}},
	{"batch norm of tokens, plain", neural.BatchNorm{Plain: true}, []neural.Shape{{4, 3}}},
	{"layer norm", neural.LayerNorm{}, []neural.Shape{{4, 3}}},
	{"layer norm of images", neural.LayerNorm{}, []neural.Shape{{4, 2, 3}}},
	{"softmax", neural.Softmax{}, []neural.Shape{{4, 3}}},
	{"max pool", neural.MaxPool{Kernel: 3, Stride: 2}, []neural.Shape{{2, 5, 6}}},
	{"max pool 2", neural.MaxPool{Stride: 2, Pad: neural.Valid}, []neural.Shape{{2, 5, 6}}},
	{"avg pool", neural.AvgPool{Kernel: 3}, []neural.Shape{{2, 4, 5}}},
	{"avg pool stride", neural.AvgPool{Kernel: 3, Stride: 2}, []neural.Shape{{2, 6, 5}}},
	{"avg pool valid", neural.AvgPool{Kernel: 2, Stride: 2, Pad: neural.Valid}, []neural.Shape{{2, 5, 6}}},
	{"global pool", neural.GlobalPool{}, []neural.Shape{{2, 3, 4}}},
	{"global pool of tokens", neural.GlobalPool{}, []neural.Shape{{3, 4}}},
	{"upsample", neural.Upsample{Factor: 3}, []neural.Shape{{2, 2, 3}}},
	{"flatten", neural.Flatten{}, []neural.Shape{{2, 3, 2}}},
	{"to tokens", neural.ToTokens{}, []neural.Shape{{2, 3, 2}}},
	{"to image", neural.ToImage{Height: 2}, []neural.Shape{{6, 3}}},
	{"shuffle", neural.Shuffle{Groups: 3}, []neural.Shape{{6, 2, 2}}},
	{"identity", neural.Identity{}, []neural.Shape{{3}}},
	{"zero", neural.Zero{Stride: 2}, []neural.Shape{{2, 3, 3}}},
	{"dropout", neural.Dropout{Rate: 0.5}, []neural.Shape{{3}}},
	{"drop path", neural.DropPath{Rate: 0.5}, []neural.Shape{{3}}},
	{"slice", neural.Slice{Axis: neural.Width, From: 1, To: 3}, []neural.Shape{{2, 3, 4}}},
	{"slice features", neural.Slice{From: 1}, []neural.Shape{{3, 2, 2}}},
	{"add", neural.Add{}, []neural.Shape{{2, 3}, {2, 3}, {2, 3}}},
	{"multiply", neural.Multiply{}, []neural.Shape{{2, 3, 2}, {2, 3, 2}}},
	{"multiply by a vector", neural.Multiply{}, []neural.Shape{{2, 3, 2}, {2}}},
	{"concat", neural.Concat{}, []neural.Shape{{2, 3, 2}, {1, 3, 2}}},
	{"concat tokens", neural.Concat{Axis: neural.Tokens}, []neural.Shape{{2, 3}, {1, 3}}},
	{"attention", neural.Attention{Heads: 2}, []neural.Shape{{3, 4}, {5, 4}, {5, 6}}},
	{"attention, shared keys, causal", neural.Attention{Heads: 4, KeyHeads: 2, Causal: true}, []neural.Shape{{3, 8}, {3, 4}, {3, 6}}},
	{"attention elu", neural.Attention{Heads: 4, KeyHeads: 2, Type: neural.LinearELU}, []neural.Shape{{3, 8}, {5, 4}, {5, 6}}},
	{"attention elu causal", neural.Attention{Heads: 2, Type: neural.LinearELU, Causal: true}, []neural.Shape{{4, 4}, {4, 4}, {4, 6}}},
	{"attention relu", neural.Attention{Type: neural.LinearReLU}, []neural.Shape{{3, 4}, {5, 4}, {5, 6}}},
	{"attention cosformer elu", neural.Attention{Heads: 2, Type: neural.CosformerELU}, []neural.Shape{{3, 4}, {5, 4}, {5, 6}}},
	{"attention cosformer relu causal", neural.Attention{Heads: 4, KeyHeads: 2, Type: neural.CosformerReLU, Causal: true}, []neural.Shape{{4, 8}, {4, 4}, {4, 6}}},
	{"attention relu causal, two blocks", neural.Attention{Heads: 2, KeyHeads: 1, Type: neural.LinearReLU, Causal: true}, []neural.Shape{{65, 4}, {65, 2}, {65, 3}}},
	{"attention cosformer elu causal, three blocks", neural.Attention{Heads: 2, Type: neural.CosformerELU, Causal: true}, []neural.Shape{{130, 2}, {130, 2}, {130, 2}}},
	{"position", neural.Position{}, []neural.Shape{{3, 4}}},
	{"class token", neural.ClassToken{Count: 2}, []neural.Shape{{3, 4}}},
}

// Gradients of every operator are slopes of the float64 reference.
func TestOperators(t *testing.T) {
	onEach(t, func(t *testing.T, d *engine.Device) {
		for _, c := range operators {
			r := rng.New(1, c.name, 0)
			p := random(r, one(t, c.name, c.op, c.in...), 3, false)
			compareForward(t, d, p)
			if n := p.checkGradient(t, d, r, 4); n == 0 && c.op.Kind() != "zero" {
				t.Errorf("%s: no slope was smooth", c.name)
			}
		}
		for _, f := range neural.Funcs() {
			r := rng.New(2, string(f), 0)
			p := random(r, one(t, string(f), neural.Activation{Func: f}, neural.Shape{12}), 4, false)
			compareForward(t, d, p)
			if n := p.checkGradient(t, d, r, 8); n == 0 {
				t.Errorf("%s: no slope was smooth", f)
			}
		}
		b := neural.NewBuilder("embedding")
		g, err := b.Build(b.Add(neural.Embedding{Size: 4, Out: 3}, b.Named("ids", neural.Input{Shape: neural.Shape{5}, Below: 4})))
		if err != nil {
			t.Fatal(err)
		}
		r := rng.New(3, "embedding", 0)
		if random(r, g, 3, false).checkGradient(t, d, r, 8) == 0 {
			t.Error("embedding: no slope was smooth")
		}
	})
}

// Gradients of whole networks are slopes of the reference, for every kind of loss.
func TestNetworks(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 8
	}
	onEach(t, func(t *testing.T, d *engine.Device) {
		checked := 0
		for i := range n {
			r := rng.New(uint64(i), "networks", 0)
			g, err := randnet.New(r, 8)
			if err != nil {
				t.Fatal(err)
			}
			if len(g.Outputs()) > 1 {
				continue
			}
			p := random(r, g, 3, i%2 == 0)
			switch i % 8 {
			case 0:
				p.teacher = nil
			case 2:
				p.loss = engine.Loss{Smoothing: 0.1}
			case 4:
				p.loss = engine.Loss{Smoothing: 0.1, Labels: 0.3, Imitate: 0.7, Temperature: 2}
			case 6:
				p.loss, p.classes = engine.Loss{Imitate: 1}, nil
			}
			checked += p.checkGradient(t, d, r, 1)
		}
		if checked < n {
			t.Errorf("only %d slopes were checked", checked)
		}
	})
}
