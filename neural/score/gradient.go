package score

import (
	"fmt"
	"math"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/train/engine"
)

// network puts the network on the device.
func (c *session) network() (*engine.Net, error) {
	if c.net != nil {
		return c.net, nil
	}
	d, err := c.s.device()
	if err != nil {
		return nil, err
	}
	if c.params, err = d.Params(c.g, c.weights()); err != nil {
		return nil, err
	}
	c.net, err = c.params.Net(c.g)
	return c.net, err
}

// gradientOf returns the gradient of a batch's loss and the outputs.
func (c *session) gradientOf(b *engine.Batch) (neural.Weights, []float32, error) {
	n, err := c.network()
	if err != nil {
		return nil, nil, err
	}
	return gradientOf(c.params, n, b)
}

func gradientOf(p *engine.Params, n *engine.Net, b *engine.Batch) (neural.Weights, []float32, error) {
	sum, err := p.NewGradient()
	if err != nil {
		return nil, nil, err
	}
	defer sum.Free()
	s, err := n.Gradient(b, engine.Loss{}, engine.Noise{}, sum)
	if err != nil {
		return nil, nil, err
	}
	w, err := sum.Host()
	return w, s.Outputs, err
}

// gradient is that of the loss: of classes the mean cross-entropy, of targets the mean
// squared error.
func (c *session) gradient() (neural.Weights, error) {
	if c.grad == nil {
		w, out, err := c.gradientOf(c.b)
		if err != nil {
			return nil, err
		}
		c.grad, c.outputs = w, out
	}
	return c.grad, nil
}

// sumLayers adds what f makes of the weights and gradients of layers.
func (c *session) sumLayers(f func(w, g []float32) float64) (float64, error) {
	grad, err := c.gradient()
	if err != nil {
		return 0, err
	}
	sum, any := 0.0, false
	for _, i := range layers(c.g) {
		name := weightOf(c.g.Node(i))
		g := grad[name]
		any = any || slices.ContainsFunc(g, func(x float32) bool { return x != 0 })
		sum += f(c.weights()[name], g)
	}
	if !any {
		return 0, undefined("the loss does not depend on any weight")
	}
	return sum, nil
}

func (c *session) gradNorm() (float64, error) {
	return c.sumLayers(func(_, g []float32) float64 { return math.Sqrt(dot(g, g)) })
}

func (c *session) snip() (float64, error) {
	return c.sumLayers(func(w, g []float32) (sum float64) {
		for i, x := range w {
			sum += math.Abs(float64(x) * float64(g[i]))
		}
		return sum
	})
}

func (c *session) plain() (float64, error) { return c.sumLayers(dot) }

func dot(a, b []float32) (sum float64) {
	for i, x := range a {
		sum += float64(float64(x) * float64(b[i]))
	}
	return sum
}

// zico is Σ log Σ mean|g|/σ(g): the outer sum over layers, the inner over their weights,
// the mean and the deviation over the gradients of two batches (Li et al. 2023, equation
// 15). Of two numbers that is (|a|+|b|)/|a−b|. Two batches are what the paper takes and
// finds best; here they are the halves of the batch. As in the released code, weights
// whose gradients are equal are left out, and layers that have no others.
func (c *session) zico() (float64, error) {
	half := c.b.N / 2
	if half == 0 {
		return 0, undefined("the batch has one example, and no halves")
	}
	var grads [2]neural.Weights
	for k := range grads {
		var err error
		if grads[k], _, err = c.gradientOf(c.b.Part(k*half, (k+1)*half)); err != nil {
			return 0, err
		}
	}
	sum, any := 0.0, false
	for _, i := range layers(c.g) {
		name := weightOf(c.g.Node(i))
		second := grads[1][name]
		inner := 0.0
		for k, x := range grads[0][name] {
			if a, b := float64(x), float64(second[k]); a != b {
				inner += (math.Abs(a) + math.Abs(b)) / math.Abs(a-b)
			}
		}
		if inner > 0 {
			sum, any = sum+detmath.Log(inner), true
		}
	}
	if !any {
		return 0, undefined("the gradients of the halves of the batch are equal, or zero")
	}
	return sum, nil
}

// jacobFloor is k of the card's formula and of the released code.
const jacobFloor = 1e-5

// jacobCov is −Σ(log(λ+k) + 1/(λ+k)) over the eigenvalues λ of the correlations between
// examples of the gradients of the sum of all outputs by the input. The first sum is a
// determinant and the second a trace, so no eigenvalue is computed.
func (c *session) jacobCov() (float64, error) {
	if c.g.Node(c.g.Inputs()[0]).Op.(neural.Input).Below > 0 {
		return 0, undefined("the first input is whole numbers, by which there is no gradient")
	}
	n, err := c.network()
	if err != nil {
		return 0, err
	}
	j, err := n.InputGradient(c.b)
	if err != nil {
		return 0, err
	}
	corr, err := correlations(j, c.b.N)
	if err != nil {
		return 0, err
	}
	return jacobScore(corr, c.b.N)
}

// jacobScore is the score of a matrix of correlations, which it overwrites.
func jacobScore(corr []float64, n int) (float64, error) {
	for i := range n {
		corr[i*n+i] += jacobFloor
	}
	if !cholesky(corr, n) {
		return 0, undefined("the correlations of the gradients are not positive definite")
	}
	return -logDet(corr, n) - traceInverse(corr, n), nil
}

// correlations are Pearson's of n rows.
func correlations(x []float32, n int) ([]float64, error) {
	each := len(x) / n
	rows := make([]float64, len(x))
	for i := range n {
		row := rows[i*each:][:each]
		mean, square := 0.0, 0.0
		for k, v := range x[i*each:][:each] {
			row[k] = float64(v)
			mean += row[k]
		}
		mean /= float64(each)
		for k := range row {
			row[k] -= mean
			square += float64(row[k] * row[k])
		}
		if square-square != 0 {
			return nil, undefined("a gradient by the input is not finite")
		}
		norm := math.Sqrt(square)
		if norm <= math.Abs(mean)*math.Sqrt(float64(each))*0x1p-40 { // all equal, but for rounding
			return nil, undefined(fmt.Sprintf("the gradient by the input of example %d is the same everywhere: the outputs do not depend on it, or only on its mean", i+1))
		}
		for k := range row {
			row[k] /= norm
		}
	}
	return gram(rows, n), nil
}

// gram are the products of n rows.
func gram(rows []float64, n int) []float64 {
	each := len(rows) / n
	m := make([]float64, n*n)
	for i := range n {
		a := rows[i*each:][:each]
		for j := range i + 1 {
			b := rows[j*each:][:each]
			sum := 0.0
			for k, x := range a {
				sum += float64(x * b[k])
			}
			m[i*n+j], m[j*n+i] = sum, sum
		}
	}
	return m
}

// graspStep is by how much weights are made larger and smaller for the derivative of the
// gradient. The error is of second order in it, and rounding's is inverse to it: with steps
// from 0.01 to 0.0005, this one came nearest to the exact scores of TestTorch, within 0.3 %.
const graspStep = 5e-3

// grasp is −wᵀHg. The Hessian is symmetric, so that is −gᵀ(Hw), and Hw is how the gradient
// changes when all weights of layers grow at one rate: a central difference of two
// gradients.
//
// Where ReLU bends, its second derivative counts as 0, as automatic differentiation has it.
// A difference would count it, so every ReLU lets pass what it lets pass with the original
// weights: it is a product with a constant.
func (c *session) grasp() (float64, error) {
	g, err := c.gradient()
	if err != nil {
		return 0, err
	}
	frozen, names, b, err := c.frozen()
	if err != nil {
		return 0, err
	}
	d, err := c.s.device()
	if err != nil {
		return 0, err
	}
	p, err := d.Params(frozen, names.weights)
	if err != nil {
		return 0, err
	}
	n, err := p.Net(frozen)
	if err != nil {
		return 0, err
	}
	scored := layers(c.g)
	var sides [2]neural.Weights
	for k, by := range []float32{1 + graspStep, 1 - graspStep} {
		scaled := neural.Weights{}
		for _, i := range scored {
			w := slices.Clone(c.weights()[weightOf(c.g.Node(i))])
			for j := range w {
				w[j] *= by
			}
			scaled[names.of(i)+"/weight"] = w
		}
		if err := p.Load(scaled); err != nil {
			return 0, err
		}
		if sides[k], _, err = gradientOf(p, n, b); err != nil {
			return 0, err
		}
	}
	sum, any := 0.0, false
	for _, i := range scored {
		up, down := sides[0][names.of(i)+"/weight"], sides[1][names.of(i)+"/weight"]
		for k, x := range g[weightOf(c.g.Node(i))] {
			any = any || x != 0
			sum -= float64(float64(x) * (float64(up[k]) - float64(down[k])))
		}
	}
	if !any {
		return 0, undefined("the loss does not depend on any weight")
	}
	return sum / (2 * graspStep), nil
}

// frozen builds the network again with ReLU and leaky ReLU as products with inputs, the
// first ones, which the batch has.
func (c *session) frozen() (*neural.Graph, *renamed, *engine.Batch, error) {
	bends := func(i int) float32 { // what is multiplied with below 0, or −1
		o, ok := c.g.Node(i).Op.(neural.Activation)
		switch {
		case ok && o.Func == neural.ReLU:
			return 0
		case ok && o.Func == neural.LeakyReLU:
			return 0.01
		}
		return -1
	}
	var watched []int
	for i, ok := range live(c.g) {
		if ok && bends(i) >= 0 {
			watched = append(watched, i)
		}
	}
	passed := make([][]float32, len(watched))
	if watched != nil {
		watch := func(i int, x []float32) {
			m := make([]float32, len(x))
			for k, v := range x {
				if m[k] = bends(i); v > 0 {
					m[k] = 1
				}
			}
			passed[slices.Index(watched, i)] = m
		}
		net, err := infer.Compile(c.g, c.weights(), infer.Options{Batch: c.b.N, Threads: c.s.o.Threads, BatchStatistics: true, Watch: watch, Watched: watched})
		if err != nil {
			return nil, nil, nil, err
		}
		defer net.Close()
		if err := run(net, c.inputs()); err != nil {
			return nil, nil, nil, err
		}
	}
	build := neural.NewBuilder(c.g.Name())
	r := &renamed{weights: neural.Weights{}}
	factors := make([]neural.Value, len(watched))
	for k, i := range watched {
		factors[k] = build.Input(r.of(i)+"factor", c.g.Node(i).Shape)
	}
	values := r.build(build, c.g, c.weights(), func(i int, in []neural.Value) (neural.Value, bool) {
		if !slices.Contains(watched, i) {
			return 0, false
		}
		return build.Named(r.of(i), neural.Multiply{}, in[0], factors[slices.Index(watched, i)]), true
	})
	g, err := build.Build(values[c.g.Outputs()[0]])
	b := &engine.Batch{N: c.b.N, Inputs: slices.Concat(passed, c.b.Inputs), Classes: c.b.Classes, Targets: c.b.Targets}
	return g, r, b, err
}

// renamed is a network built again, in which node i is called by its number.
type renamed struct{ weights neural.Weights }

func (r *renamed) of(i int) string { return fmt.Sprint("n", i) }

// build adds all nodes of a network. Instead of a node, f may add something else.
func (r *renamed) build(b *neural.Builder, g *neural.Graph, w neural.Weights, f func(i int, in []neural.Value) (neural.Value, bool)) []neural.Value {
	values := make([]neural.Value, g.Len())
	for i, n := range g.Nodes() {
		var in []neural.Value
		for _, j := range n.In {
			in = append(in, values[j])
		}
		for _, t := range g.Weights(i) {
			r.weights[r.of(i)+t.Name[len(n.Name):]] = w[t.Name]
		}
		v, ok := f(i, in)
		if !ok {
			v = b.Named(r.of(i), n.Op, in...)
		}
		values[i] = v
	}
	return values
}

// fisher is Σ n·½·mean(Σ a·∂L/∂a)², the inner sum over the places of a channel, the mean
// over examples, the outer sum over the channels of the results a of all layers, and n the
// weights of a channel. The definition for channels has no n; the released code gives each
// weight the number of its channel and adds up weights, and published numbers are its.
//
// Σ a·∂L/∂a is the gradient by a factor that the channel of one example is multiplied with.
// So the network is built again with such factors as its first input, and outputs
// multiplied with the loss's gradient by them.
func (c *session) fisher() (float64, error) {
	scored := layers(c.g)
	if scored == nil {
		return 0, undefined("the network has no convolution or linear operator")
	}
	if _, err := c.gradient(); err != nil {
		return 0, err
	}
	g, w, channels, err := gated(c.g, c.weights())
	if err != nil {
		return 0, err
	}
	d, err := c.s.device()
	if err != nil {
		return 0, err
	}
	p, err := d.Params(g, w)
	if err != nil {
		return 0, err
	}
	n, err := p.Net(g)
	if err != nil {
		return 0, err
	}
	gates := make([]float32, c.b.N*channels)
	ones(gates, true)
	b := &engine.Batch{N: c.b.N, Inputs: slices.Concat([][]float32{gates}, c.b.Inputs, [][]float32{c.lossByOutputs()})}
	flow, err := n.InputGradient(b)
	if err != nil {
		return 0, err
	}
	sum, at := 0.0, 0
	for _, i := range scored {
		to := at + c.g.Node(i).Shape.Features()
		squares := 0.0
		for k := range c.b.N {
			row := flow[k*channels+at : k*channels+to]
			squares += dot(row, row)
		}
		each := len(c.weights()[weightOf(c.g.Node(i))]) / (to - at)
		sum += float64(squares*float64(each)) / float64(2*c.b.N)
		at = to
	}
	if sum == 0 {
		return 0, undefined("the loss does not depend on the result of any layer")
	}
	return sum, nil
}

// lossByOutputs is the gradient of the loss by the outputs.
func (c *session) lossByOutputs() []float32 {
	d := make([]float32, len(c.outputs))
	if c.b.Targets != nil {
		for i, y := range c.outputs {
			d[i] = 2 * (y - c.b.Targets[i]) / float32(len(d))
		}
		return d
	}
	counted := 0
	for _, class := range c.b.Classes {
		if class >= 0 {
			counted++
		}
	}
	each := len(c.outputs) / len(c.b.Classes)
	p := make([]float64, each)
	for i, class := range c.b.Classes {
		if class < 0 {
			continue
		}
		row := c.outputs[i*each:][:each]
		top, sum := float64(slices.Max(row)), 0.0
		for k, y := range row {
			p[k] = detmath.Exp(float64(y) - top)
			sum += p[k]
		}
		for k := range row {
			v := p[k] / sum
			if k == int(class) {
				v--
			}
			d[i*each+k] = float32(v / float64(counted))
		}
	}
	return d
}

// gated builds a network again with a factor for each channel of every layer's result,
// the first input, and a factor for each output, the last one. Its nodes have other names.
func gated(g *neural.Graph, w neural.Weights) (*neural.Graph, neural.Weights, int, error) {
	channels := 0
	scored := layers(g)
	for _, i := range scored {
		channels += g.Node(i).Shape.Features()
	}
	b := neural.NewBuilder(g.Name())
	gates := b.Input("gates", neural.Shape{channels})
	r := &renamed{weights: neural.Weights{}}
	at := 0
	values := r.build(b, g, w, func(i int, in []neural.Value) (neural.Value, bool) {
		if !slices.Contains(scored, i) {
			return 0, false
		}
		to := at + g.Node(i).Shape.Features()
		gate := b.Named(r.of(i)+"gate", neural.Slice{From: at, To: to}, gates)
		at = to
		return b.Named(r.of(i)+"gated", neural.Multiply{}, b.Named(r.of(i), g.Node(i).Op, in...), gate), true
	})
	out := g.Outputs()[0]
	by := b.Input("by", g.Node(out).Shape)
	gated, err := b.Build(b.Named("out", neural.Multiply{}, values[out], by))
	return gated, r.weights, channels, err
}

// ntk is λmax/λmin of Θ = J·Jᵀ, where J has the gradient of the sum of an example's outputs
// by the weights of layers as its rows. Statistics of normalisation are those of the whole
// batch.
//
// The gradient by chosen outputs is that of the squared error to targets which differ from
// the outputs only there.
func (c *session) ntk() (float64, error) {
	if c.b.N < 2 {
		return 0, undefined("the batch has one example")
	}
	places := int(c.g.Node(c.g.Outputs()[0]).Shape.Elements())
	targets := make([]float32, c.b.N*places)
	b := &engine.Batch{N: c.b.N, Inputs: c.b.Inputs, Targets: targets}
	_, out, err := c.gradientOf(b)
	if err != nil {
		return 0, err
	}
	scored := layers(c.g)
	var rows []float64
	for i := range c.b.N {
		copy(targets, out)
		for k := i * places; k < (i+1)*places; k++ {
			targets[k] -= float32(len(targets)) / 2
		}
		w, _, err := c.gradientOf(b)
		if err != nil {
			return 0, err
		}
		for _, l := range scored {
			for _, x := range w[weightOf(c.g.Node(l))] {
				rows = append(rows, float64(x))
			}
		}
	}
	if len(rows) == 0 {
		return 0, undefined("the outputs do not depend on any weight")
	}
	v := eigenvalues(gram(rows, c.b.N), c.b.N)
	most, least := slices.Max(v), slices.Min(v)
	if !(least > most*float64(c.b.N)*0x1p-22) { // gradients have 24 bits
		return 0, undefined(fmt.Sprintf("the tangent kernel is singular: eigenvalues from %.3g to %.3g", least, most))
	}
	return most / least, nil
}
