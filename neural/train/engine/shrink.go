package engine

import (
	"fmt"

	"github.com/daedalus-search/daedalus/neural"
)

// A smaller kernel of a family need not be the plain centre of the larger one: it can
// be learned from it, by a matrix for each size and layer that all channels share (Cai
// et al. 2020, section 3.3, kernel transformation matrices).

// shrinkName names the matrix of a convolution that makes a kernel smaller by two.
func shrinkName(node string, kernel int) string {
	return fmt.Sprintf("%s/%dto%d", node, kernel, kernel-2)
}

// KernelTransforms returns, for every depthwise convolution with a square kernel of odd
// size above 3, matrices that make smaller kernels of it: NODE/7to5 of 25×25 and
// NODE/5to3 of 9×9. They begin as identities, which is the plain centre. Put them among
// the weights of a largest network, and [Device.Params] learns them: networks with
// smaller kernels are then computed through them, and [Net.Weights] has the kernels that
// come out. A kernel of 1 is the centre of that of 3: its matrix would be one number.
func KernelTransforms(g *neural.Graph) neural.Weights {
	w := neural.Weights{}
	for i, n := range g.Nodes() {
		if o, ok := n.Op.(neural.Conv); ok {
			channels := g.Node(n.In[0]).Shape[0]
			f, s := o.Full(channels), g.Weights(i)[0].Shape
			for k := f.Kernel; f.Groups == channels && s[2] == s[3] && k%2 == 1 && k > 3; k -= 2 {
				size := (k - 2) * (k - 2)
				m := make([]float32, size*size)
				for j := range size {
					m[j*size+j] = 1
				}
				w[shrinkName(n.Name, k)] = m
			}
		}
	}
	return w
}

// addShrinks adds the matrices that w has to a layout.
func (l *layout) addShrinks(g *neural.Graph, w neural.Weights) error {
	for i, n := range g.Nodes() {
		if _, ok := n.Op.(neural.Conv); !ok {
			continue
		}
		for k := g.Weights(i)[0].Shape[2]; k > 3; k -= 2 {
			name := shrinkName(n.Name, k)
			v, ok := w[name]
			if !ok {
				continue
			}
			size := (k - 2) * (k - 2)
			if len(v) != size*size {
				return fmt.Errorf("weight %q: found %d numbers, want %d×%d", name, len(v), size, size)
			}
			for j, x := range v {
				if x-x != 0 {
					return fmt.Errorf("weight %q: found %g as number %d, want a finite one", name, x, j+1)
				}
			}
			l.index[name] = len(l.tensors)
			l.tensors = append(l.tensors, neural.Tensor{Name: name, Shape: neural.Shape{size, size}})
			l.kernel = append(l.kernel, false)
		}
	}
	return nil
}

// shrinks adds the uses of the matrices that lead to a convolution's kernel, if the
// layout has them, and makes its box take the whole kernel.
func (p *plan) shrinks(node string, b *box) (uses []int, err error) {
	large, small := b.whole[0], b.dims[0]
	if _, ok := p.l.index[shrinkName(node, large)]; !ok || large == small {
		return nil, nil
	}
	if b.whole[1] != large || b.dims[1] != small {
		return nil, fmt.Errorf("node %q: found a kernel of %d×%d in one of %d×%d, want squares for a kernel transformation", node, small, b.dims[1], large, b.whole[1])
	}
	for k := large; k > max(small, 3); k -= 2 {
		name := shrinkName(node, k)
		i, ok := p.l.index[name]
		if !ok {
			return nil, fmt.Errorf("weight %q is not among the parameters", name)
		}
		d := p.l.dims(i)
		uses = append(uses, len(p.uses))
		p.uses = append(p.uses, use{i, box{at: []int{0, 0}, dims: d, whole: d}})
	}
	for a := range 2 {
		b.at[a], b.dims[a] = 0, large
	}
	return uses, nil
}

// shrink makes a kernel smaller: at each step the centre, as a column for each
// channel, times the matrix; and what is smaller than that is the plain centre.
func (w *writer) shrink(kernel *tensor, matrices []*tensor, side int) *tensor {
	for _, m := range matrices {
		h, in, out := kernel.dims[0]-2, kernel.dims[2], kernel.dims[3]
		centre := w.slice(kernel, []int{1, 1, 0, 0}, []int{h + 1, h + 1, in, out}, nil)
		y := w.dot(m, []int{1}, nil, w.reshape(centre, h*h, in*out), []int{0}, nil)
		kernel = w.reshape(y, h, h, in, out)
	}
	if at := (kernel.dims[0] - side) / 2; at > 0 {
		kernel = w.slice(kernel, []int{at, at, 0, 0}, []int{at + side, at + side, kernel.dims[2], kernel.dims[3]}, nil)
	}
	return kernel
}

// shrinkHost does so with numbers, for the kernel of a network that is exported.
func shrinkHost(kernel []float32, large, side int, matrices [][]float32) []float32 {
	for _, m := range matrices {
		h := large - 2
		channels := len(kernel) / (large * large)
		y := make([]float32, h*h*channels)
		for j := range h * h {
			for c := range channels {
				sum := 0.0
				for i := range h * h {
					at := (i/h+1)*large + i%h + 1
					sum += float64(float64(m[j*h*h+i]) * float64(kernel[at*channels+c]))
				}
				y[j*channels+c] = float32(sum)
			}
		}
		kernel, large = y, h
	}
	if large == side {
		return kernel
	}
	channels := len(kernel) / (large * large)
	centre := box{at: []int{(large - side) / 2, (large - side) / 2, 0}, dims: []int{side, side, channels}, whole: []int{large, large, channels}}
	y := make([]float32, side*side*channels)
	centre.rows(func(from, to, n int) { copy(y[to:][:n], kernel[from:]) })
	return y
}
