package score

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/internal/rng"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/infer"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// run computes the outputs for inputs in the graph's order, and reports those that are
// not finite.
func run(n *infer.Network, inputs [][]float32) error {
	out, err := n.Run(inputs...)
	if err != nil {
		return err
	}
	for _, v := range out {
		for _, x := range v {
			if x-x != 0 {
				return undefined(fmt.Sprintf("an output is %g", x))
			}
		}
	}
	return nil
}

// inputs are the batch's in the graph's order.
func (c *session) inputs() [][]float32 {
	all := make([][]float32, len(c.b.Inputs))
	for k, i := range c.g.Inputs() {
		s := c.g.Node(i).Shape
		if all[k] = c.b.Inputs[k]; s.Image() {
			all[k] = make([]float32, len(c.b.Inputs[k]))
			kernel.Transpose(nil, all[k], c.b.Inputs[k], c.b.N, s[1]*s[2], s[0])
		}
	}
	return all
}

// naswot is log|det K| with K_ij = N − Hamming(c_i, c_j), where c_i says which of the N
// activations are positive for example i. K is a Gram matrix, so its determinant is never
// negative.
//
// Mellor et al. look at ReLU. Here other activations that pass what is positive and hold
// back what is negative are looked at in the same way. As in their code, operators on one
// operand count each.
func (c *session) naswot() (float64, error) {
	g, batch := c.g, c.b.N
	times := map[int]int{} // by what is watched: how many activations are like it
	same := map[[2]any]int{}
	var watched []int
	for i, ok := range live(g) {
		o, is := g.Node(i).Op.(neural.Activation)
		if !ok || !is {
			continue
		}
		switch o.Func {
		case neural.ReLU, neural.ReLU6, neural.LeakyReLU, neural.HardSwish, neural.SiLU, neural.GELU, neural.ELU:
		default:
			continue
		}
		key := [2]any{o, g.Node(i).In[0]}
		first, ok := same[key]
		if !ok {
			first, same[key] = i, i
			watched = append(watched, i)
		}
		times[first]++
	}
	if watched == nil {
		return 0, undefined("the network has no ReLU or similar activation")
	}
	units := 0
	apart := make([]int, batch*batch) // Hamming distances, above the diagonal
	var codes []uint64
	watch := func(i int, x []float32) {
		each := len(x) / batch
		words := (each + 63) / 64
		if len(codes) < batch*words {
			codes = make([]uint64, batch*words)
		}
		for b := range batch {
			encode(codes[b*words:][:words], x[b*each:][:each])
		}
		n := times[i]
		units += n * each
		for a := range batch {
			for b := a + 1; b < batch; b++ {
				apart[a*batch+b] += n * hamming(codes[a*words:][:words], codes[b*words:][:words])
			}
		}
	}
	net, err := infer.Compile(g, c.weights(), infer.Options{Batch: batch, Threads: c.s.o.Threads, BatchStatistics: true, Watch: watch, Watched: watched})
	if err != nil {
		return 0, err
	}
	defer net.Close()
	if err := run(net, c.inputs()); err != nil {
		return 0, err
	}
	k := make([]float64, batch*batch)
	for a := range batch {
		k[a*batch+a] = float64(units)
		for b := a + 1; b < batch; b++ {
			k[a*batch+b] = float64(units - apart[a*batch+b])
			k[b*batch+a] = k[a*batch+b]
		}
	}
	if !cholesky(k, batch) {
		return 0, undefined("the codes of activations do not tell the examples apart")
	}
	return logDet(k, batch), nil
}

// encode writes which numbers are positive.
func encode(to []uint64, x []float32) {
	for w := range to {
		var code uint64
		part := x[w*64:]
		if len(part) >= 64 {
			p := (*[64]float32)(part)
			for i := 0; i < 64; i += 4 {
				code |= (positive(p[i]) | positive(p[i+1])<<1 | positive(p[i+2])<<2 | positive(p[i+3])<<3) << (i & 63)
			}
		} else {
			for i, v := range part {
				code |= positive(v) << i
			}
		}
		to[w] = code
	}
}

// positive is 1 if x > 0, without a branch: bits−1 has no sign then, and bits has none.
func positive(x float32) uint64 {
	b := math.Float32bits(x)
	return uint64((b-1|b)>>31 ^ 1)
}

func hamming(a, b []uint64) (n int) {
	b = b[:len(a)]
	for i, x := range a {
		n += bits.OnesCount64(x ^ b[i])
	}
	return n
}

// zenNoise is the deviation of the noise that is added to inputs (Lin et al. 2021,
// algorithm 1, α).
const zenNoise = 0.01

// zen is log mean‖f(x) − f(x + 0.01·ε)‖₁ + Σ log √(mean of a normalisation's variances),
// for Gaussian x, ε and weights and the features f before the last pooling.
//
// Variances are those of the batch, as in the paper; the released code takes running ones,
// which start at 1 and are near the batch's only after many draws of weights: 0.81 + 0.19 of
// it after one, which ranks otherwise. Normalisations of constants, and those that no output depends on, are
// left out. Residual connections stay, as in comparisons on NAS-Bench-201; the paper takes
// them out of its own networks.
func (c *session) zen() (float64, error) {
	g, batch := c.g.Simplify(), c.b.N
	features := beforePooling(g)
	var before []float32
	sum := 0.0
	watch := func(_ int, x []float32) {
		if before == nil {
			before = slices.Clone(x)
			return
		}
		for j, v := range x {
			sum += math.Abs(float64(v) - float64(before[j]))
		}
	}
	w := draw(g, gaussian, c.s.o.Seed, c.repeat)
	net, err := infer.Compile(g, w, infer.Options{Batch: batch, Threads: c.s.o.Threads, BatchStatistics: true, Watch: watch, Watched: []int{features}})
	if err != nil {
		return 0, err
	}
	defer net.Close()
	var x, noisy [][]float32
	used := live(g)
	for k, i := range g.Inputs() {
		n := g.Node(i)
		whole := n.Op.(neural.Input).Below > 0
		if whole && used[i] {
			return 0, undefined("inputs are whole numbers, to which no noise can be added")
		}
		a, b := make([]float32, batch*int(n.Shape.Elements())), make([]float32, batch*int(n.Shape.Elements()))
		if !whole {
			r := rng.New(c.s.o.Seed, fmt.Sprint("score/zen/", k), c.repeat)
			normals(a, 1, r)
			normals(b, zenNoise, r)
			kernel.Add.Apply(b, b, a)
		}
		x, noisy = append(x, a), append(noisy, b)
	}
	if err := run(net, x); err != nil {
		return 0, err
	}
	scale := 0.0
	for i, ok := range used {
		_, variance := net.BatchStatistics(i)
		if !ok || variance == nil {
			continue
		}
		mean := 0.0
		for _, v := range variance {
			mean += float64(v) / float64(len(variance))
		}
		if mean > 0 {
			scale += detmath.Log(mean) / 2
		}
	}
	if err := run(net, noisy); err != nil {
		return 0, err
	}
	if sum == 0 {
		return 0, undefined("the features before pooling do not depend on the input")
	}
	return detmath.Log(sum/float64(batch)) + scale, nil
}

// beforePooling is the node whose result the classifier pools or flattens; where there is
// none, the operand of the last layer.
func beforePooling(g *neural.Graph) int {
	out := g.Outputs()[0]
	last := out
	for i := out; len(g.Node(i).In) == 1; i = g.Node(i).In[0] {
		switch g.Node(i).Op.(type) {
		case neural.GlobalPool, neural.Flatten:
			return g.Node(i).In[0]
		case neural.Linear:
			if last == out {
				last = g.Node(i).In[0]
			}
		}
	}
	return last
}
