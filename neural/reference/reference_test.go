package reference_test

import (
	"math"
	"strings"
	"testing"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/randnet"
	"github.com/daedalus-search/daedalus/neural/reference"
)

// run computes one operator on one operand.
func run(t *testing.T, o neural.Op, s neural.Shape, x []float64, weights ...[]float32) []float64 {
	t.Helper()
	b := neural.NewBuilder("")
	g, err := b.Build(b.Named("op", o, b.Input("x", s)))
	if err != nil {
		t.Fatal(err)
	}
	w := neural.Weights{}
	for i, n := range g.AllWeights() {
		w[n.Name] = weights[i]
	}
	out, err := reference.Run(g, w, x)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// Operators on operands small enough to be computed by hand.
func TestByHand(t *testing.T) {
	square := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9}
	for name, c := range map[string]struct {
		op      neural.Op
		shape   neural.Shape
		x       []float64
		weights [][]float32
		want    []float64
	}{
		"conv 2×2":       {neural.Conv{Kernel: 2, Pad: neural.Valid, Bias: true}, neural.Shape{1, 3, 3}, square, [][]float32{{1, 10, 100, 1000}, {0.5}}, []float64{5421.5, 6532.5, 8754.5, 9865.5}},
		"conv stride":    {neural.Conv{Kernel: 3, Stride: 2}, neural.Shape{1, 3, 3}, square, [][]float32{{1, 1, 1, 1, 1, 1, 1, 1, 1}}, []float64{12, 16, 24, 28}},
		"conv dilated":   {neural.Conv{Kernel: 3, KernelWide: 1, Dilation: 2}, neural.Shape{1, 3, 3}, square, [][]float32{{1, 10, 100}}, []float64{710, 820, 930, 40, 50, 60, 71, 82, 93}},
		"conv depthwise": {neural.Conv{Groups: neural.Depthwise}, neural.Shape{3, 1, 1}, []float64{1, 2, 3}, [][]float32{{2, 3, 4}}, []float64{2, 6, 12}},
		"conv groups":    {neural.Conv{Groups: 2, Out: 2}, neural.Shape{4, 1, 1}, []float64{1, 2, 3, 4}, [][]float32{{1, 10, 100, 1000}}, []float64{21, 4300}},
		"linear":         {neural.Linear{Out: 2, Bias: true}, neural.Shape{2, 2}, []float64{1, 2, 3, 4}, [][]float32{{1, 10, 100, 1000}, {0.5, 0.25}}, []float64{21.5, 2100.25, 43.5, 4300.25}},
		"batch norm":     {neural.BatchNorm{}, neural.Shape{2, 1, 1}, []float64{5, 7}, [][]float32{{2, 3}, {1, -1}, {3, 7}, {4 - neural.Epsilon, 1}}, []float64{3, -1}},
		"layer norm":     {neural.LayerNorm{}, neural.Shape{1, 2}, []float64{-1, 1}, [][]float32{{3, 3}, {0, 1}}, []float64{-3 / math.Sqrt(1+neural.Epsilon), 1 + 3/math.Sqrt(1+neural.Epsilon)}},
		"max pool":       {neural.MaxPool{Kernel: 3, Stride: 2}, neural.Shape{1, 3, 3}, square, nil, []float64{5, 6, 8, 9}},
		"avg pool":       {neural.AvgPool{Kernel: 3}, neural.Shape{1, 3, 3}, square, nil, []float64{3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7}},
		"global pool":    {neural.GlobalPool{}, neural.Shape{2, 2}, []float64{1, 2, 3, 6}, nil, []float64{2, 4}},
		"upsample":       {neural.Upsample{}, neural.Shape{1, 1, 2}, []float64{1, 2}, nil, []float64{1, 1, 2, 2, 1, 1, 2, 2}},
		"shuffle":        {neural.Shuffle{}, neural.Shape{4, 1, 1}, []float64{1, 2, 3, 4}, nil, []float64{1, 3, 2, 4}},
		"to tokens":      {neural.ToTokens{}, neural.Shape{2, 1, 3}, []float64{1, 2, 3, 4, 5, 6}, nil, []float64{1, 4, 2, 5, 3, 6}},
		"to image":       {neural.ToImage{Height: 1}, neural.Shape{3, 2}, []float64{1, 4, 2, 5, 3, 6}, nil, []float64{1, 2, 3, 4, 5, 6}},
		"zero":           {neural.Zero{Stride: 2}, neural.Shape{1, 3, 3}, square, nil, []float64{0, 0, 0, 0}},
		"slice":          {neural.Slice{Axis: neural.Width, From: 1}, neural.Shape{1, 3, 3}, square, nil, []float64{2, 3, 5, 6, 8, 9}},
		"softmax":        {neural.Softmax{}, neural.Shape{2}, []float64{0, math.Ln2}, nil, []float64{1. / 3, 2. / 3}},
		"embedding":      {neural.Embedding{Size: 3, Out: 2}, neural.Shape{2}, []float64{2, 0}, [][]float32{{1, 2, 3, 4, 5, 6}}, []float64{5, 6, 1, 2}},
		"position":       {neural.Position{}, neural.Shape{1, 2}, []float64{1, 2}, [][]float32{{10, 20}}, []float64{11, 22}},
		"class token":    {neural.ClassToken{}, neural.Shape{1, 2}, []float64{1, 2}, [][]float32{{8, 9}}, []float64{8, 9, 1, 2}},
	} {
		got := run(t, c.op, c.shape, c.x, c.weights...)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-6*max(1, math.Abs(c.want[i])) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
				break
			}
		}
	}
}

// Activation functions at points where they are known.
func TestFunctions(t *testing.T) {
	x := []float64{-4, -1, 0, 1, 2, 8}
	for f, want := range map[neural.Func][]float64{
		neural.ReLU:        {0, 0, 0, 1, 2, 8},
		neural.ReLU6:       {0, 0, 0, 1, 2, 6},
		neural.LeakyReLU:   {-0.04, -0.01, 0, 1, 2, 8},
		neural.HardSigmoid: {0, 1. / 3, 0.5, 2. / 3, 5. / 6, 1},
		neural.HardSwish:   {0, -1. / 3, 0, 2. / 3, 5. / 3, 8},
		neural.Sigmoid:     {0.0179862100, 0.2689414214, 0.5, 0.7310585786, 0.8807970780, 0.9996646499},
		neural.SiLU:        {-0.0719448398, -0.2689414214, 0, 0.7310585786, 1.7615941560, 7.9973171989},
		neural.GELU:        {-0.0001266850, -0.1586552539, 0, 0.8413447461, 1.9544997361, 8},
		neural.Tanh:        {-0.9993292997, -0.7615941560, 0, 0.7615941560, 0.9640275801, 0.9999997749},
		neural.Softplus:    {0.0181499279, 0.3132616875, 0.6931471806, 1.3132616875, 2.1269280110, 8.0003354064},
		neural.ELU:         {-0.9816843611, -0.6321205588, 0, 1, 2, 8},
	} {
		got := run(t, neural.Activation{Func: f}, neural.Shape{6}, x)
		for i := range x {
			if math.Abs(got[i]-want[i]) > 1e-9 {
				t.Errorf("%s(%g) = %.10f, want %.10f", f, x[i], got[i], want[i])
			}
		}
	}
}

// attend computes attention of n random tokens.
func attend(t *testing.T, o neural.Attention, n int, change func(q, k, v []float64)) []float64 {
	t.Helper()
	b := neural.NewBuilder("")
	g, err := b.Build(b.Add(o, b.Input("q", neural.Shape{n, 6}), b.Input("k", neural.Shape{n, 6}), b.Input("v", neural.Shape{n, 4})))
	if err != nil {
		t.Fatal(err)
	}
	in := randnet.Inputs(rng.New(1, "attention", 0), g)
	change(in[0], in[1], in[2])
	out, err := reference.Run(g, nil, in...)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// Laws of attention: tokens all alike give their value back; values may be scaled;
// a causal token does not see what comes later.
func TestAttention(t *testing.T) {
	const n = 5
	for kind := range neural.CosformerReLU + 1 {
		for _, causal := range []bool{false, true} {
			o := neural.Attention{Heads: 2, Type: kind, Causal: causal}
			same := attend(t, o, n, func(q, k, v []float64) {
				for i := range v {
					v[i] = float64(i % 4)
				}
				for i := range k { // so that relu leaves something
					q[i], k[i] = math.Abs(q[i])+0.1, math.Abs(k[i])+0.1
				}
			})
			for i, x := range same {
				if want := float64(i % 4); math.Abs(x-want) > 1e-4 {
					t.Errorf("%v, causal %v: equal values %g give %g", kind, causal, want, x)
				}
			}
			plain := attend(t, o, n, func(q, k, v []float64) {})
			later := attend(t, o, n, func(q, k, v []float64) { // only the last token
				for i := range 4 {
					v[len(v)-1-i] += 3
				}
				for i := range 6 {
					k[len(k)-1-i]++
				}
			})
			changed := 0
			for i := range 4 * (n - 1) {
				if plain[i] != later[i] {
					changed++
				}
			}
			if causal != (changed == 0) {
				t.Errorf("%v, causal %v: the last token changes %d numbers of those before it", kind, causal, changed)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	b := neural.NewBuilder("")
	ids := b.Named("ids", neural.Input{Shape: neural.Shape{2}, Below: 3})
	g, err := b.Build(b.Named("words", neural.Embedding{Size: 3, Out: 1}, ids))
	if err != nil {
		t.Fatal(err)
	}
	w := neural.Weights{"words/weight": {1, 2, 3}}
	for want, f := range map[string]func() ([][]float64, error){
		`weight "words/weight" (3×1) is missing`:                    func() ([][]float64, error) { return reference.Run(g, nil, []float64{0, 1}) },
		"found 0 inputs, want 1":                                    func() ([][]float64, error) { return reference.Run(g, w) },
		`input "ids": found 3 numbers, want 2 (2)`:                  func() ([][]float64, error) { return reference.Run(g, w, []float64{0, 1, 2}) },
		`input "ids": found 3 as number 2, want a whole number bel`: func() ([][]float64, error) { return reference.Run(g, w, []float64{0, 3}) },
		"found NaN as number 1":                                     func() ([][]float64, error) { return reference.Run(g, w, []float64{math.NaN(), 1}) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
