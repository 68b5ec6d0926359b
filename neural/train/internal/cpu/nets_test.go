package cpu_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural/train/internal/cpu"
)

// testNet is a network as a GoMLX graph: native convolutions, pools and normalisations.
type testNet struct {
	name    string
	input   []int // of one example; nil means token numbers
	classes int
	build   func(b *netBuilder, x *Node) *Node
}

// netBuilder makes parameters while a network is built.
type netBuilder struct {
	g      *Graph
	r      *rand.Rand
	params []*Node
	values [][]float32
	smooth bool // tanh and mean-pools instead of ReLU and max-pools, for differences
}

func (b *netBuilder) param(scale float64, dims ...int) *Node {
	n := 1
	for _, d := range dims {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(b.r.NormFloat64() * scale)
	}
	return b.paramOf(v, dims...)
}

func (b *netBuilder) all(value float32, dims ...int) *Node {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return b.paramOf(slices.Repeat([]float32{value}, n), dims...)
}

func (b *netBuilder) paramOf(v []float32, dims ...int) *Node {
	p := Parameter(b.g, "", shapes.Make(dtypes.Float32, dims...))
	b.params = append(b.params, p)
	b.values = append(b.values, v)
	return p
}

func (b *netBuilder) dense(x *Node, out int) *Node {
	in := x.Shape().Dimensions[x.Rank()-1]
	w := b.param(math.Sqrt(2/float64(in)), in, out)
	bias := b.all(0, out)
	rows := x.Shape().Size() / in
	y := Add(Dot(Reshape(x, rows, in), w).Product(), BroadcastToDims(Reshape(bias, 1, out), rows, out))
	dims := slices.Clone(x.Shape().Dimensions)
	dims[len(dims)-1] = out
	return Reshape(y, dims...)
}

func (b *netBuilder) conv(x *Node, k, out, stride, groups int) *Node {
	in := x.Shape().Dimensions[3]
	w := b.param(math.Sqrt(2/float64(k*k*in/groups)), k, k, in/groups, out)
	return Convolve(x, w).PadSame().Strides(stride).ChannelGroupCount(groups).Done()
}

func (b *netBuilder) norm(x *Node) *Node {
	c := x.Shape().Dimensions[x.Rank()-1]
	y, _, _ := InternalBatchNormForTraining(x, b.all(1, c), b.all(0, c), 1e-5, x.Rank()-1)
	return y
}

func (b *netBuilder) layerNorm(x *Node) *Node {
	c := x.Shape().Dimensions[x.Rank()-1]
	mean := ReduceAndKeep(x, ReduceMean, -1)
	d := Sub(x, mean)
	variance := ReduceAndKeep(Square(d), ReduceMean, -1)
	y := Div(d, Sqrt(AddScalar(variance, 1e-5)))
	row := func(p *Node) *Node {
		dims := make([]int, x.Rank())
		for i := range dims {
			dims[i] = 1
		}
		dims[len(dims)-1] = c
		return Reshape(p, dims...)
	}
	return Add(Mul(y, row(b.all(1, c))), row(b.all(0, c)))
}

func (b *netBuilder) pool(x *Node) *Node {
	if b.smooth {
		return MeanPool(x).Window(2).Done()
	}
	return MaxPool(x).Window(2).Done()
}

func (b *netBuilder) relu(x *Node) *Node {
	if b.smooth {
		return Tanh(x)
	}
	return Max(x, ScalarZero(x.Graph(), x.DType()))
}

func gelu(x *Node) *Node {
	return Mul(MulScalar(x, 0.5), OnePlus(Erf(MulScalar(x, math.Sqrt2/2))))
}

// attention is multi-head self-attention.
func (b *netBuilder) attention(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	n, t, c := d[0], d[1], d[2]
	split := func(y *Node) *Node { return Reshape(y, n, t, heads, c/heads) }
	q, k, v := split(b.dense(x, c)), split(b.dense(x, c)), split(b.dense(x, c))
	scores := MulScalar(Einsum("bqhd,bkhd->bhqk", q, k), 1/math.Sqrt(float64(c/heads)))
	y := Einsum("bhqk,bkhd->bqhd", Softmax(scores, -1), v)
	return b.dense(Reshape(y, n, t, c), c)
}

// netsOf are the networks that speed is measured with.
func netsOf() []testNet {
	return []testNet{
		{"mlp", []int{784}, 10, func(b *netBuilder, x *Node) *Node {
			return b.dense(b.relu(b.dense(x, 256)), 10)
		}},
		{"transformer", []int{32, 64}, 10, func(b *netBuilder, x *Node) *Node {
			x = Add(x, b.attention(b.layerNorm(x), 4))
			x = Add(x, b.dense(gelu(b.dense(b.layerNorm(x), 256)), 64))
			return b.dense(ReduceMean(x, 1), 10)
		}},
		{"cnn", []int{28, 28, 1}, 10, func(b *netBuilder, x *Node) *Node {
			for _, c := range []int{16, 32, 64} {
				x = b.relu(b.norm(b.conv(x, 3, c, 1, 1)))
				if c < 64 {
					x = b.pool(x)
				}
			}
			return b.dense(ReduceMean(x, 1, 2), 10)
		}},
		{"depthwise", []int{28, 28, 1}, 10, func(b *netBuilder, x *Node) *Node {
			x = b.relu(b.norm(b.conv(x, 3, 16, 1, 1)))
			for _, c := range []int{32, 64} {
				in := x.Shape().Dimensions[3]
				x = b.relu(b.norm(b.conv(x, 3, in, 1, in)))
				x = b.relu(b.norm(b.conv(x, 1, c, 1, 1)))
				x = b.pool(x)
			}
			in := x.Shape().Dimensions[3]
			x = b.relu(b.norm(b.conv(x, 3, in, 1, in)))
			x = b.relu(b.norm(b.conv(x, 1, 64, 1, 1)))
			return b.dense(ReduceMean(x, 1, 2), 10)
		}},
	}
}

// trainer holds a compiled training step with Adam.
type trainer struct {
	g     *Graph
	be    compute.Backend
	state []compute.Buffer // parameters, first moments, second moments
	x, y  compute.Buffer
	step  float32
}

// crossEntropy is the mean over examples.
func crossEntropy(logits, labels *Node) *Node {
	classes := logits.Shape().Dimensions[1]
	hot := OneHot(labels, classes, dtypes.Float32)
	return Neg(DivScalar(ReduceAllSum(Mul(hot, LogSoftmax(logits))), float64(logits.Shape().Dimensions[0])))
}

func newTrainer(tb testing.TB, be compute.Backend, n testNet, batch int) *trainer {
	tb.Helper()
	g := NewGraph(be, n.name)
	b := &netBuilder{g: g, r: rng.New(1, n.name, 0)}
	x := Parameter(g, "x", shapes.Make(dtypes.Float32, append([]int{batch}, n.input...)...))
	y := Parameter(g, "y", shapes.Make(dtypes.Int32, batch))
	t := Parameter(g, "t", shapes.Make(dtypes.Float32))
	loss := crossEntropy(n.build(b, x), y)
	grads := Gradient(loss, b.params...)
	var ms, vs []*Node
	for range b.params {
		i := len(ms)
		ms = append(ms, Parameter(g, "", b.params[i].Shape()))
	}
	for range b.params {
		i := len(vs)
		vs = append(vs, Parameter(g, "", b.params[i].Shape()))
	}
	const beta1, beta2, rate = 0.9, 0.999, 1e-3
	one := ScalarOne(g, dtypes.Float32)
	c1 := Div(one, Sub(one, Pow(Scalar(g, dtypes.Float32, beta1), t)))
	c2 := Div(one, Sub(one, Pow(Scalar(g, dtypes.Float32, beta2), t)))
	out := []*Node{loss}
	var newM, newV []*Node
	for i, p := range b.params {
		m := Add(MulScalar(ms[i], beta1), MulScalar(grads[i], 1-beta1))
		v := Add(MulScalar(vs[i], beta2), MulScalar(Square(grads[i]), 1-beta2))
		d := Div(Mul(m, c1), AddScalar(Sqrt(Mul(v, c2)), 1e-8))
		out = append(out, Sub(p, MulScalar(d, rate)))
		newM, newV = append(newM, m), append(newV, v)
	}
	out = append(append(out, newM...), newV...)
	if err := g.Compile(out...); err != nil {
		tb.Fatal(err)
	}
	tr := &trainer{g: g, be: be}
	buffer := func(flat any, dims ...int) compute.Buffer {
		t := dtypes.Float32
		if _, ok := flat.([]int32); ok {
			t = dtypes.Int32
		}
		buf, err := be.BufferFromFlatData(0, flat, shapes.Make(t, dims...))
		if err != nil {
			tb.Fatal(err)
		}
		return buf
	}
	for i, v := range b.values {
		tr.state = append(tr.state, buffer(v, b.params[i].Shape().Dimensions...))
	}
	for range 2 {
		for i, v := range b.values {
			tr.state = append(tr.state, buffer(make([]float32, len(v)), b.params[i].Shape().Dimensions...))
		}
	}
	size := batch
	for _, d := range n.input {
		size *= d
	}
	xs, ys := make([]float32, size), make([]int32, batch)
	for i := range xs {
		xs[i] = float32(b.r.NormFloat64())
	}
	for i := range ys {
		ys[i] = int32(b.r.IntN(n.classes))
	}
	tr.x, tr.y = buffer(xs, append([]int{batch}, n.input...)...), buffer(ys, batch)
	return tr
}

// next does one step and returns the loss.
func (t *trainer) next(tb testing.TB) float32 {
	t.step++
	tb.Helper()
	step, err := t.be.BufferFromFlatData(0, []float32{t.step}, shapes.Make(dtypes.Float32))
	if err != nil {
		tb.Fatal(err)
	}
	// Parameters in the order in which they were made: x, y, t, weights, moments.
	in := append([]compute.Buffer{t.x, t.y, step}, t.state...)
	donate := make([]bool, len(in))
	for i := 2; i < len(in); i++ {
		donate[i] = true
	}
	out := t.g.RunWithBuffers(in, donate, 0)
	loss := tensors.ToScalar[float32](out[0])
	if err := out[0].FinalizeAll(); err != nil {
		tb.Fatal(err)
	}
	for i, o := range out[1:] {
		buf, err := o.DonateBuffer(t.be, 0)
		if err != nil {
			tb.Fatal(err)
		}
		t.state[i] = buf
	}
	return loss
}

// BenchmarkTrainStep is a training step of 64 examples with Adam, on one thread. Run it
// with GOMAXPROCS=1, and bench/torch/train_step.py to compare.
func BenchmarkTrainStep(b *testing.B) {
	for _, n := range netsOf() {
		b.Run(n.name, func(b *testing.B) {
			be, err := cpu.New(1, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer be.Finalize()
			t := newTrainer(b, be, n, 64)
			for range 3 {
				t.next(b)
			}
			b.ResetTimer()
			started := processorTime()
			var loss float32
			for b.Loop() {
				loss = t.next(b)
			}
			b.ReportMetric(float64(processorTime()-started)/1e6/float64(b.N), "cpu-ms/step")
			b.ReportMetric(float64(loss), "loss")
			if testing.Verbose() { // where the time goes
				be.Profile(true)
				for range 10 {
					t.next(b)
				}
				for _, e := range be.ProfileTable()[:15] {
					b.Logf("%8.3f ms %4d× %s", e.Time.Seconds()*1e3/10, e.Calls/10, e.Op)
				}
				be.Profile(false)
			}
		})
	}
}

// BenchmarkBuild is building and compiling a training step: what a new network of a family
// costs before its first step, and the random first values.
func BenchmarkBuild(b *testing.B) {
	for _, n := range netsOf() {
		b.Run(n.name, func(b *testing.B) {
			be, err := cpu.New(1, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer be.Finalize()
			began := processorTime()
			for b.Loop() {
				newTrainer(b, be, n, 64).g.Finalize()
			}
			b.ReportMetric(float64(processorTime()-began)/1e6/float64(b.N), "cpu-ms/build")
		})
	}
}
