// Package reference computes networks number by number, slowly and plainly: every
// operator as its definition says, in float64. It is what exported files and
// trainers are compared with.
package reference

import (
	"errors"
	"fmt"
	"math"

	"github.com/daedalus-search/daedalus/internal/detmath"
	"github.com/daedalus-search/daedalus/neural"
)

// Run computes the outputs of a network for one example, as at inference: inputs
// and outputs are in the order of the network's, row-major.
func Run(g *neural.Graph, w neural.Weights, inputs ...[]float64) ([][]float64, error) {
	all, err := Trace(g, w, inputs...)
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for _, i := range g.Outputs() {
		out = append(out, all[i])
	}
	return out, nil
}

// Trace is [Run], but returns the result of every node.
func Trace(g *neural.Graph, w neural.Weights, inputs ...[]float64) ([][]float64, error) {
	if err := w.Check(g); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	if n := len(g.Inputs()); len(inputs) != n {
		return nil, fmt.Errorf("reference: found %d inputs, want %d", len(inputs), n)
	}
	results := make([][]float64, g.Len())
	for i, n := range g.Nodes() {
		if in, ok := n.Op.(neural.Input); ok {
			if err := check(in, inputs[0]); err != nil {
				return nil, fmt.Errorf("reference: input %q: %w", n.Name, err)
			}
			results[i], inputs = inputs[0], inputs[1:]
			continue
		}
		var shapes []neural.Shape
		var in [][]float64
		for _, j := range n.In {
			shapes = append(shapes, g.Node(j).Shape)
			in = append(in, results[j])
		}
		var ws [][]float64
		for _, t := range g.Weights(i) {
			ws = append(ws, widen(w[t.Name]))
		}
		out := make([]float64, n.Shape.Elements())
		if err := compute(n.Op, n.Shape, out, shapes, in, ws); err != nil {
			return nil, fmt.Errorf("reference: %w", &neural.NodeError{Node: n.Name, Op: n.Op.String(), Err: err})
		}
		results[i] = out
	}
	return results, nil
}

func widen(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

func check(in neural.Input, x []float64) error {
	if n := in.Shape.Elements(); int64(len(x)) != n {
		return fmt.Errorf("found %d numbers, want %d (%s)", len(x), n, in.Shape)
	}
	for i, v := range x {
		if in.Below > 0 && !(v >= 0 && v < float64(in.Below) && v == math.Floor(v)) {
			return fmt.Errorf("found %g as number %d, want a whole number below %d", v, i+1, in.Below)
		}
	}
	return nil
}

// compute fills out, which is zero, with the result of an operator.
func compute(op neural.Op, shape neural.Shape, out []float64, shapes []neural.Shape, in, w [][]float64) error {
	s, x := shapes[0], in[0]
	switch o := op.(type) {
	case neural.Conv:
		conv(o, shape, out, s, x, w)
	case neural.Linear:
		f := s.Features()
		for i := range out {
			place, k := i/o.Out, i%o.Out
			for c := range f {
				out[i] += float64(x[place*f+c] * w[0][k*f+c])
			}
			if o.Bias {
				out[i] += w[1][k]
			}
		}
	case neural.BatchNorm:
		n := len(w)
		for i := range out {
			c := feature(s, i)
			out[i] = (x[i] - w[n-2][c]) / math.Sqrt(w[n-1][c]+neural.Epsilon)
			if !o.Plain {
				out[i] = float64(out[i]*w[0][c]) + w[1][c]
			}
		}
	case neural.LayerNorm:
		layerNorm(out, s, x, w)
	case neural.Activation:
		f, ok := functions[o.Func]
		if !ok {
			return fmt.Errorf("the function %q is not supported", o.Func)
		}
		for i := range out {
			out[i] = f(x[i])
		}
	case neural.Softmax:
		for p := range int(s.Places()) {
			softmax(out, x, places(s, p))
		}
	case neural.MaxPool:
		k, stride := o.Window()
		pool(k, stride, o.Pad, shape, out, s, x, true)
	case neural.AvgPool:
		k, stride := o.Window()
		pool(k, stride, o.Pad, shape, out, s, x, false)
	case neural.GlobalPool:
		for i, v := range x {
			out[feature(s, i)] += v / float64(s.Places())
		}
	case neural.Upsample:
		f := shape[1] / s[1]
		for i := range out {
			c, y, z := i/(shape[1]*shape[2]), i/shape[2]%shape[1], i%shape[2]
			out[i] = x[(c*s[1]+y/f)*s[2]+z/f]
		}
	case neural.Identity, neural.Flatten, neural.Dropout, neural.DropPath:
		copy(out, x)
	case neural.ToTokens:
		transpose(out, x, s[0], s[1]*s[2])
	case neural.ToImage:
		transpose(out, x, s[0], s[1])
	case neural.Shuffle:
		groups, pixels := o.Groups, s[1]*s[2]
		if groups == 0 {
			groups = 2
		}
		each := s[0] / groups
		for c := range s[0] {
			copy(out[(c%each*groups+c/each)*pixels:][:pixels], x[c*pixels:][:pixels])
		}
	case neural.Zero:
	case neural.Slice:
		slice(o, shape, out, s, x)
	case neural.Add:
		for _, v := range in {
			for i := range out {
				out[i] += v[i]
			}
		}
	case neural.Multiply:
		for i := range out {
			k := i
			if shapes[1] != s {
				k = feature(s, i)
			}
			out[i] = x[i] * in[1][k]
		}
	case neural.Concat:
		concat(o, shape, out, shapes, in)
	case neural.Attention:
		attention(o, out, shapes, in)
	case neural.Embedding:
		for i, v := range x {
			if !(v >= 0 && v < float64(o.Size) && v == math.Floor(v)) {
				return fmt.Errorf("found %g as number %d, want a whole number below %d", v, i+1, o.Size)
			}
			copy(out[i*o.Out:], w[0][int(v)*o.Out:][:o.Out])
		}
	case neural.Position:
		for i := range out {
			out[i] = x[i] + w[0][i]
		}
	case neural.ClassToken:
		copy(out, w[0])
		copy(out[len(w[0]):], x)
	default:
		return errors.New("the operator is not supported")
	}
	return nil
}

// feature returns which feature the number at a place in memory is of.
func feature(s neural.Shape, i int) int {
	if s.Image() {
		return i / (s[1] * s[2])
	}
	return i % s.Features()
}

// places returns where in memory the features of a place are.
func places(s neural.Shape, p int) []int {
	at := make([]int, s.Features())
	for c := range at {
		if s.Image() {
			at[c] = c*s[1]*s[2] + p
		} else {
			at[c] = p*len(at) + c
		}
	}
	return at
}

func conv(o neural.Conv, shape neural.Shape, out []float64, s neural.Shape, x []float64, w [][]float64) {
	f := o.Full(s[0])
	in, each := s[0]/f.Groups, f.Out/f.Groups
	top, left := f.Pad.Sides(f.Kernel, f.Dilation), f.Pad.Sides(f.KernelWide, f.Dilation)
	for i := range out {
		k, p, q := i/(shape[1]*shape[2]), i/shape[2]%shape[1], i%shape[2]
		sum := 0.0
		for c := range in {
			for r := range f.Kernel {
				y := p*f.Stride + r*f.Dilation - top
				if y < 0 || y >= s[1] {
					continue
				}
				for t := range f.KernelWide {
					z := q*f.StrideWide + t*f.Dilation - left
					if z >= 0 && z < s[2] {
						sum += float64(x[((k/each*in+c)*s[1]+y)*s[2]+z] * w[0][((k*in+c)*f.Kernel+r)*f.KernelWide+t])
					}
				}
			}
		}
		if f.Bias {
			sum += w[1][k]
		}
		out[i] = sum
	}
}

func pool(kernel, stride int, pad neural.Padding, shape neural.Shape, out []float64, s neural.Shape, x []float64, most bool) {
	side := pad.Sides(kernel, 1)
	for i := range out {
		c, p, q := i/(shape[1]*shape[2]), i/shape[2]%shape[1], i%shape[2]
		sum, n, top := 0.0, 0, math.Inf(-1)
		for y := max(p*stride-side, 0); y < min(p*stride-side+kernel, s[1]); y++ {
			for z := max(q*stride-side, 0); z < min(q*stride-side+kernel, s[2]); z++ {
				v := x[(c*s[1]+y)*s[2]+z]
				sum, n, top = sum+v, n+1, max(top, v)
			}
		}
		if out[i] = sum / float64(n); most {
			out[i] = top
		}
	}
}

func layerNorm(out []float64, s neural.Shape, x []float64, w [][]float64) {
	for p := range int(s.Places()) {
		at := places(s, p)
		mean, variance, n := 0.0, 0.0, float64(len(at))
		for _, i := range at {
			mean += x[i] / n
		}
		for _, i := range at {
			variance += float64((x[i]-mean)*(x[i]-mean)) / n
		}
		for c, i := range at {
			out[i] = float64((x[i]-mean)/math.Sqrt(variance+neural.Epsilon)*w[0][c]) + w[1][c]
		}
	}
}

// softmax makes the numbers at these places of x positive with sum 1.
func softmax(out, x []float64, at []int) {
	top, sum := math.Inf(-1), 0.0
	for _, i := range at {
		top = max(top, x[i])
	}
	for _, i := range at {
		out[i] = detmath.Exp(x[i] - top)
		sum += out[i]
	}
	for _, i := range at {
		out[i] /= sum
	}
}

// transpose writes x of rows×columns as columns×rows.
func transpose(out, x []float64, rows, columns int) {
	for r := range rows {
		for c := range columns {
			out[c*rows+r] = x[r*columns+c]
		}
	}
}

// around returns how many numbers lie before and after an axis.
func around(s neural.Shape, axis int) (before, after int) {
	before, after = 1, 1
	for i, d := range s.Sizes() {
		if i < axis {
			before *= d
		} else if i > axis {
			after *= d
		}
	}
	return before, after
}

func slice(o neural.Slice, shape neural.Shape, out []float64, s neural.Shape, x []float64) {
	axis, from, to := o.Range(s)
	before, after := around(s, axis)
	for b := range before {
		copy(out[b*shape[axis]*after:], x[(b*s[axis]+from)*after:(b*s[axis]+to)*after])
	}
}

func concat(o neural.Concat, shape neural.Shape, out []float64, shapes []neural.Shape, in [][]float64) {
	axis := o.Index(shape)
	before, after := around(shape, axis)
	at := 0
	for i, x := range in {
		n := shapes[i][axis]
		for b := range before {
			copy(out[(b*shape[axis]+at)*after:], x[b*n*after:(b+1)*n*after])
		}
		at += n
	}
}

func attention(o neural.Attention, out []float64, shapes []neural.Shape, in [][]float64) {
	heads, keyHeads, d, e := o.Dims(shapes[0], shapes[1], shapes[2])
	n, m := shapes[0][0], shapes[1][0]
	phi := func(x float64) float64 { return x }
	switch {
	case o.Type.ELU():
		phi = func(x float64) float64 { return max(x, 0) + detmath.Exp(min(x, 0)) }
	case o.Type.Linear():
		phi = functions[neural.ReLU]
	}
	share := make([]float64, m)
	all := make([]int, m)
	for j := range all {
		all[j] = j
	}
	for h := range heads {
		kh := h / (heads / keyHeads)
		for i := range n {
			seen := m
			if o.Causal {
				seen = i + 1
			}
			total := 0.0
			for j := range seen {
				share[j] = 0
				for c := range d {
					share[j] += float64(phi(in[0][(i*heads+h)*d+c]) * phi(in[1][(j*keyHeads+kh)*d+c]))
				}
				if o.Type.Reweights() {
					share[j] *= math.Cos(math.Pi * float64(i-j) / float64(2*max(n, m)))
				}
				total += share[j]
			}
			if !o.Type.Linear() {
				for j := range seen {
					share[j] /= math.Sqrt(float64(d))
				}
				softmax(share, share, all[:seen])
				total = 1
			} else {
				total += neural.AttentionEpsilon
			}
			for j := range seen {
				for c := range e {
					out[(i*heads+h)*e+c] += float64(share[j] / total * in[2][(j*keyHeads+kh)*e+c])
				}
			}
		}
	}
}

var functions = map[neural.Func]func(float64) float64{
	neural.ReLU:  func(x float64) float64 { return max(x, 0) },
	neural.ReLU6: func(x float64) float64 { return min(max(x, 0), 6) },
	neural.LeakyReLU: func(x float64) float64 {
		if x < 0 {
			return 0.01 * x
		}
		return x
	},
	neural.HardSigmoid: hardSigmoid,
	neural.HardSwish:   func(x float64) float64 { return x * hardSigmoid(x) },
	neural.Sigmoid:     sigmoid,
	neural.SiLU:        func(x float64) float64 { return x * sigmoid(x) },
	neural.GELU:        func(x float64) float64 { return x * detmath.Phi(x) },
	neural.Tanh:        func(x float64) float64 { return 2*sigmoid(2*x) - 1 },
	neural.Softplus:    func(x float64) float64 { return max(x, 0) + detmath.Log1p(detmath.Exp(-math.Abs(x))) },
	neural.ELU: func(x float64) float64 {
		if x < 0 {
			return detmath.Expm1(x)
		}
		return x
	},
}

func hardSigmoid(x float64) float64 { return min(max(x+3, 0), 6) / 6 }

func sigmoid(x float64) float64 { return 1 / (1 + detmath.Exp(-x)) }
