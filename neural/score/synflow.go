package score

import (
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/neural"
	"github.com/daedalus-search/daedalus/neural/internal/kernel"
)

// synflow is the logarithm of Σ|w·∂R/∂w| over the weights of layers. R is the sum of the
// outputs for one example of ones, where every weight is replaced by its magnitude and
// there is no normalisation.
//
// All numbers are positive then, so the sum is how fast R grows when all of these weights
// grow at one rate: dR/dt at w·(1+t). It is carried forward beside the values, exactly, and
// no gradient is needed. Both are kept times a power of two for each node, so that nothing
// over- or underflows in networks of any depth.
//
// The network is taken as linear: activations that do not bound what is positive pass it,
// those that do are 1, which is what they tend to. Attention takes the mean of the values it
// sees. Inputs of whole numbers are 1.
func (c *session) synflow() (float64, error) { return synflow(c.g, c.weights(), -1) }

// A flow is a node's values and after them their derivative, times 2^exp: a batch of two,
// images height×width×channels.
type flow struct {
	x   []float32
	exp int
}

func (f flow) half() int { return len(f.x) / 2 }

// scaled brings the largest number near 1.
func (f flow) scaled() flow {
	most := float32(0)
	for _, v := range f.x {
		most = max(most, v)
	}
	if most == 0 {
		f.exp = 0
		return f
	}
	_, e := math.Frexp(float64(most))
	if e = max(e, -120); e > 8 || e < -8 {
		by := float32(math.Ldexp(1, -e))
		for i := range f.x {
			f.x[i] *= by
		}
		f.exp += e
	}
	return f
}

// at returns the numbers times 2^(f.exp−exp), which are not to be changed; exp must not be
// far below f.exp, unless they are 0.
func (f flow) at(exp int) []float32 {
	if exp == f.exp {
		return f.x
	}
	by := float32(math.Ldexp(1, min(f.exp-exp, 100)))
	x := make([]float32, len(f.x))
	for i, v := range f.x {
		x[i] = v * by
	}
	return x
}

// synflow counts the weights of all layers or, if only is not −1, of that one.
func synflow(g *neural.Graph, w neural.Weights, only int) (float64, error) {
	all := make([]flow, g.Len())
	for i, ok := range live(g) {
		if !ok {
			continue
		}
		f, err := flowOf(g, w, i, all, only < 0 || only == i)
		if err != nil {
			return 0, err
		}
		all[i] = f
	}
	var outs []flow
	for _, i := range g.Outputs() {
		outs = append(outs, all[i])
	}
	exp, sum := highest(outs), 0.0
	for _, f := range outs {
		for _, v := range f.x[f.half():] {
			sum += math.Ldexp(float64(v), f.exp-exp)
		}
	}
	if sum == 0 {
		return 0, undefined("the outputs do not depend on the input through any weight")
	}
	return detmath.Log(sum) + float64(float64(exp)*math.Ln2), nil
}

func magnitudes(v []float32) []float32 {
	m := make([]float32, len(v))
	for i, x := range v {
		m[i] = float32(math.Abs(float64(x)))
	}
	return m
}

func flowOf(g *neural.Graph, w neural.Weights, i int, all []flow, counted bool) (flow, error) {
	node := g.Node(i)
	size := int(node.Shape.Elements())
	features := node.Shape.Features()
	if o, ok := node.Op.(neural.Input); ok {
		f := flow{x: make([]float32, 2*size)}
		ones(f.x[:size], o.Below == 0)
		return f, nil
	}
	in := make([]flow, len(node.In))
	for k, j := range node.In {
		in[k] = all[j]
	}
	f, s := in[0], g.Node(node.In[0]).Shape
	to := flow{make([]float32, 2*size), f.exp}
	weight := func(name string) []float32 { return magnitudes(w[node.Name+"/"+name]) }

	// grow adds the derivative by the operator's own weights, and its bias.
	grow := func(bias bool) flow {
		v, d := to.x[:size], to.x[size:]
		if counted {
			kernel.Add.Apply(d, d, v)
		}
		if bias {
			to = plus(to, weight("bias"), features)
		}
		return to.scaled()
	}
	switch o := node.Op.(type) {
	case neural.Conv:
		full := o.Full(s[0])
		conv := kernel.Conv{
			N: 2, H: s[1], W: s[2], C: s[0], K: full.Out, R: full.Kernel, S: full.KernelWide, StrideH: full.Stride, StrideW: full.StrideWide, DilationH: full.Dilation, DilationW: full.Dilation,
			Top: full.Pad.Sides(full.Kernel, full.Dilation), Left: full.Pad.Sides(full.KernelWide, full.Dilation), OutH: node.Shape[1], OutW: node.Shape[2], Groups: full.Groups,
		}
		each, taps := s[0]/full.Groups, full.Kernel*full.KernelWide
		turned := make([]float32, full.Out*each*taps)
		kernel.Permute(nil, turned, weight("weight"), []int{full.Out, each, taps}, []int{2, 1, 0})
		conv.Forward(nil, to.x, f.x, turned)
		return grow(o.Bias), nil
	case neural.Linear:
		kernel.MatMul(nil, to.x, 2*int(s.Places()), o.Out, s.Features(), f.x, false, weight("weight"), true, false)
		return grow(o.Bias), nil
	case neural.Embedding:
		row := weight("weight")[min(1, o.Size-1)*o.Out:][:o.Out]
		for k := 0; k < size; k += o.Out {
			copy(to.x[k:], row)
		}
		return to.scaled(), nil
	case neural.Position:
		copy(to.x, f.x)
		return plus(to, weight("weight"), size).scaled(), nil
	case neural.ClassToken:
		tokens := weight("weight")
		exp := max(f.exp, 0)
		x, half := f.at(exp), f.half()
		copy(to.x[len(tokens):size], x[:half])
		copy(to.x[size+len(tokens):], x[half:])
		copy(to.x, flow{x: tokens}.at(exp))
		to.exp = exp
		return to.scaled(), nil
	case neural.BatchNorm, neural.LayerNorm, neural.Identity, neural.Dropout, neural.DropPath, neural.ToTokens, neural.ToImage:
		return f, nil
	case neural.Activation:
		switch o.Func {
		case neural.Sigmoid, neural.HardSigmoid, neural.Tanh:
			ones(to.x[:size], true)
			to.exp = 0
			return to, nil
		}
		return f, nil
	case neural.MaxPool:
		maxPool(to.x, f.x, node.Shape, s, o)
	case neural.AvgPool:
		k, stride := o.Window()
		win := window(s, node.Shape, k, stride, o.Pad)
		counts := make([]int, node.Shape[1]*node.Shape[2])
		win.Counts(counts)
		win.SumForward(nil, to.x, f.x)
		for k := range 2 * len(counts) {
			pixel := to.x[k*features:][:features]
			kernel.Mul.ApplyRight(pixel, pixel, 1/float32(counts[k%len(counts)]))
		}
	case neural.GlobalPool:
		places := int(s.Places())
		kernel.Reduce(nil, kernel.SumOf, to.x, f.x, 2, places, features)
		kernel.Mul.ApplyRight(to.x, to.x, 1/float32(places))
	case neural.Upsample:
		by, wide := node.Shape[1]/s[1], s[2]*features
		for k := range len(to.x) / features {
			y, x := k/node.Shape[2], k%node.Shape[2]
			copy(to.x[k*features:][:features], f.x[y/by*wide+x/by*features:])
		}
	case neural.Flatten:
		if !s.Image() {
			return f, nil
		}
		kernel.Transpose(nil, to.x, f.x, 2, s[1]*s[2], s[0])
	case neural.Shuffle:
		groups := o.Groups
		if groups == 0 {
			groups = 2
		}
		kernel.Transpose(nil, to.x, f.x, 2*int(s.Places()), groups, features/groups)
	case neural.Zero:
		to.exp = 0
	case neural.Slice:
		axis, from, end := o.Range(s)
		before, n, after := around(s, axis)
		part := (end - from) * after
		for b := range before {
			copy(to.x[b*part:(b+1)*part], f.x[(b*n+from)*after:])
		}
	case neural.Concat:
		axis := o.Index(node.Shape)
		before, n, after := around(node.Shape, axis)
		to.exp = highest(in)
		at := 0
		for k, j := range node.In {
			_, m, _ := around(g.Node(j).Shape, axis)
			x, part := in[k].at(to.exp), m*after
			for b := range before {
				copy(to.x[(b*n+at)*after:], x[b*part:(b+1)*part])
			}
			at += m
		}
	case neural.Add:
		to.exp = highest(in)
		for _, f := range in {
			kernel.Add.Apply(to.x, to.x, f.at(to.exp))
		}
		return to.scaled(), nil
	case neural.Multiply:
		to.exp = f.exp + in[1].exp
		for k := range size {
			j := k
			if in[1].half() != size {
				j = k % features
			}
			v, u := f.x[k], in[1].x[j]
			to.x[k] = v * u
			to.x[size+k] = f.x[size+k]*u + v*in[1].x[in[1].half()+j]
		}
		return to.scaled(), nil
	case neural.Attention:
		attend(to.x, in[2].x, o, node.Shape, g.Node(node.In[2]).Shape)
		to.exp = in[2].exp
	default:
		return flow{}, undefined(fmt.Sprintf("node %q (%s): it is not defined for this operator", node.Name, node.Op))
	}
	return to, nil
}

// plus adds a constant to all rows of the values.
func plus(f flow, constant []float32, row int) flow {
	exp := max(f.exp, 0)
	if exp != f.exp {
		f = flow{f.at(exp), exp}
	}
	v := f.x[:f.half()]
	c := flow{x: constant}.at(exp)
	for k := 0; k < len(v); k += row {
		kernel.Add.Apply(v[k:k+row], v[k:k+row], c)
	}
	return f
}

// highest is the highest exponent of those that have other numbers than 0.
func highest(all []flow) int {
	exp, found := 0, false
	for _, f := range all {
		for _, v := range f.x {
			if v != 0 {
				if !found || f.exp > exp {
					exp, found = f.exp, true
				}
				break
			}
		}
	}
	return exp
}

func window(s, to neural.Shape, size, stride int, pad neural.Padding) kernel.Window {
	side := pad.Sides(size, 1)
	return kernel.Window{N: 2, H: s[1], W: s[2], C: s[0], R: size, S: size, StrideH: stride, StrideW: stride, Top: side, Left: side, OutH: to[1], OutW: to[2]}
}

// maxPool takes the largest value of every window, and its derivative.
func maxPool(to, x []float32, shape, s neural.Shape, o neural.MaxPool) {
	k, stride := o.Window()
	side := o.Pad.Sides(k, 1)
	c := s[0]
	half, size := int(s.Elements()), int(shape.Elements())
	for i := range size {
		p, q, ch := i/c/shape[2], i/c%shape[2], i%c
		best := -1
		for y := max(p*stride-side, 0); y < min(p*stride-side+k, s[1]); y++ {
			for z := max(q*stride-side, 0); z < min(q*stride-side+k, s[2]); z++ {
				if j := (y*s[2]+z)*c + ch; best < 0 || x[j] > x[best] {
					best = j
				}
			}
		}
		to[i], to[size+i] = x[best], x[half+best]
	}
}

// attend takes the mean of the values that each token sees.
func attend(to, x []float32, o neural.Attention, shape, values neural.Shape) {
	heads, keyHeads := max(o.Heads, 1), o.KeyHeads
	if keyHeads == 0 {
		keyHeads = heads
	}
	m, wide := values[0], values[1]
	d := wide / keyHeads
	mean := make([]float64, wide)
	for half := range 2 {
		clear(mean)
		seen := 0
		for t := range shape[0] {
			end := m
			if o.Causal {
				end = t + 1
			}
			for ; seen < end; seen++ {
				for k := range mean {
					mean[k] += float64(x[(half*m+seen)*wide+k])
				}
			}
			out := to[(half*shape[0]+t)*shape[1]:][:shape[1]]
			for k := range out {
				head := k / d / (heads / keyHeads)
				out[k] = float32(mean[head*d+k%d] / float64(seen))
			}
		}
	}
}

// around returns how many numbers lie before an axis of two values of a shape, on it and
// after it.
func around(s neural.Shape, axis int) (before, size, after int) {
	sizes := s.Sizes()
	if s.Image() {
		sizes = []int{s[1], s[2], s[0]}
		axis = (axis + 2) % 3
	}
	before, after = 2, 1
	for k, n := range sizes {
		switch {
		case k < axis:
			before *= n
		case k > axis:
			after *= n
		}
	}
	return before, sizes[axis], after
}
